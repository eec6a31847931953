"""What was learned as a file that people read, compare and edit, and back: judging by the file is judging by what was learned.

baseline: 1
habits:
- {from: 10.0.0.5, to: 10.0.0.9, protocol: modbus, does: value.read, access: read, unit: 1, space: holding_register, objects: 100-139 200,
   every: 1.0, between: [0.99, 1.2], longest: 61.0, minutes: 1440}
values:
- {of: 10.0.0.9, protocol: modbus, unit: 1, space: holding_register, object: 107, low: 2.5, high: 4.1, values: 1440, step: 0.2, still: 1, returns: true,
   settled: [2.7, 3.9], spread: 0.3, tens: 144}
follows:
- {of: 10.0.0.9, protocol: modbus, unit: 1, space: holding_register, object: 107, setpoint: {unit: 1, space: holding_register, object: 120}, low: 3.0,
   high: 3.6, worst: 0.05}
words:
- {of: 10.0.0.9, protocol: modbus, unit: 1, space: holding_register, object: 107, kind: float, swapped: false}
orders:
- {from: 10.0.0.5, to: 10.0.0.9, protocol: dnp3, does: output.operate, after: {output.select: 12}}
paces:
- {of: 10.0.0.9, to: 10.0.0.5, protocol: iec104, what: reports, least: {5: 8, 8: 17, 12: 32, 20: 60, 30: 97, 45: 157}, minutes: 1440}
shed: {habits: 0, rhythms: 0, values: 0, orders: 0}

`every` is the median of seconds between two, `between` most of them, `longest` the longest pause, in so many `minutes`; `values` are different ones, one
after the other, `step` the most that it moved in a minute, `still` the minutes that it stood at most, `returns` is false of what went one way; `settled` is
where its medians over ten minutes were, `spread` their deviation, `tens` how many, `wanders` how far its mean of a day is from that of the day before;
`signed` is true of a register whose values from 32768 on are below zero. A process value `follows` its set point between `low` and `high`, `worst` is the
farthest that it lay from it. Two registers of 16 bits from `object` on are one number, `words`, a `float` or a `whole` one; `swapped`: the low word first. Of
`reports` of a host to another one, or of `anything` between the two, there were never fewer than `least` in so many minutes, by the number of minutes. `shed`
is what found no room.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from detectors.baseline.habits import Habit, Key, order, ordered
from detectors.baseline.paces import SPANS, Pace
from detectors.baseline.paces import Pair as Talking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.baseline.follows import Follow
    from detectors.baseline.learned import Learned
    from detectors.baseline.levels import Level
    from detectors.baseline.orders import Talk
    from detectors.baseline.places import Place
    from detectors.baseline.rhythms import Rhythm
    from detectors.baseline.words import Word

FORM: Final = 1
RHYTHM: Final = ("every", "between", "longest", "minutes")
POINT: Final = ("of", "protocol", "unit", "space", "object", "name")
KEYS: Final = {
    "habits": ("from", "to", "protocol", "does", "access", "unit", "space", "objects", "names", *RHYTHM),
    "values": (*POINT, "low", "high", "values", "step", "still", "returns", "settled", "spread", "tens", "wanders", "signed"),
    "follows": (*POINT, "setpoint", "low", "high", "worst"),
    "setpoint": ("unit", "space", "object", "name"),
    "words": (*POINT, "kind", "swapped"),
    "orders": ("from", "to", "protocol", "does", "after"), "paces": ("of", "to", "protocol", "what", "least", "minutes"),
}  # fmt: skip
# What YAML does not take as it is, or takes for the end of a line.
_UNWRITTEN: Final = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def written(learned: Learned) -> str:
    """The file of what was learned, a habit, a point or an order a line."""
    told, made = lines(learned), [f"baseline: {FORM}"]
    for name in KEYS:
        part = [f"- {_json(each)}" for kind, each in told if kind == name]
        made += [f"{name}:", *part] if part else [f"{name}: []"] if name == "habits" else []
    shed = {name: count for name, count in learned.shed.items() if count}
    return "\n".join([*made, *([f"shed: {_json(shed)}"] if shed else [])]) + "\n"


def lines(learned: Learned) -> list[tuple[str, dict[str, Any]]]:
    """(habits, values, follows, words, orders or paces, the line) of all that was learned, in an order that does not depend on how."""
    rhythms = learned.rhythms.known
    return [
        *(("habits", _habit(key, habit, rhythms.get(key))) for key, habit in ordered(learned.habits)),
        *(("values", _level(place, level)) for place, level in sorted(learned.levels.known.items(), key=lambda each: order(each[0]))),
        *(("follows", _follow(*pair, each)) for pair, each in sorted(learned.levels.follows.items(), key=lambda each: order(each[0][0] + each[0][1]))),
        *(("words", _word(place, word)) for place, word in sorted(learned.levels.words.known.items(), key=lambda each: order(each[0]))),
        *(("orders", _order(talk, effect, before)) for talk, known in sorted(learned.orders.known.items()) for effect, before in sorted(known.items())),
        *(("paces", _pace(pair, pace)) for pair, pace in sorted(learned.held.items())),
    ]


def _json(told: Mapping[str, Any]) -> str:
    return _UNWRITTEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(told, ensure_ascii=False))  # JSON is YAML, too


def _habit(key: Key, habit: Habit, rhythm: Rhythm | None) -> dict[str, Any]:
    told: dict[str, Any] = {"from": key.source, "to": key.destination, "protocol": key.protocol, "does": key.effect, "access": habit.access}
    told |= {name: value for name, value in (("unit", key.unit), ("space", key.space)) if value is not None}
    told |= {"objects": objects(habit)} if habit.spans else {}
    told |= {"names": habit.names} if habit.names else {}
    if rhythm:
        told |= {"every": rhythm.usual, "between": [rhythm.low, rhythm.high], "longest": rhythm.longest, "minutes": rhythm.seen}
    return told


def _level(place: Place, level: Level) -> dict[str, Any]:
    told = _point(place) | {"low": level.low, "high": level.high, "values": level.seen, "step": level.step, "still": level.still, "returns": level.returns}
    told |= {"settled": [level.least, level.most], "spread": level.spread, "tens": level.blocks} if level.blocks else {}
    return told | ({"wanders": level.wander} if level.wander else {}) | ({"signed": True} if level.signed else {})


def _follow(setpoint: Place, place: Place, each: Follow) -> dict[str, Any]:
    within = {name: value for name, value in _point(setpoint).items() if name in KEYS["setpoint"]}
    return _point(place) | {"setpoint": within, **each._asdict()}


def _word(place: Place, word: Word) -> dict[str, Any]:
    return _point(place) | {"kind": word.kind, "swapped": word.swapped}


def _point(place: Place) -> dict[str, Any]:
    told: dict[str, Any] = {"of": place.device, "protocol": place.protocol}
    told |= {name: value for name, value in (("unit", place.unit), ("space", place.space)) if value is not None}
    return told | {"object" if isinstance(place.thing, int) else "name": place.thing}


def _order(talk: Talk, effect: str, before: Mapping[str, int]) -> dict[str, Any]:
    return {"from": talk.source, "to": talk.destination, "protocol": talk.protocol, "does": effect, "after": dict(sorted(before.items()))}


def _pace(pair: Talking, pace: Pace) -> dict[str, Any]:
    least = {str(span): count for span, count in zip(SPANS, pace.least, strict=True) if count}
    return {"of": pair.device, "to": pair.host, "protocol": pair.protocol, "what": pair.what, "least": least, "minutes": pace.minutes}


def objects(habit: Habit) -> str:
    """Its ranges: `100-139 200`."""
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in habit.spans)
