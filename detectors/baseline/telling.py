"""What was learned in sentences: who does what to whom on which objects and how often, where each point stays, what comes only after what."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from detectors.baseline.habits import CHANGING, order, ordered
from detectors.baseline.orders import BEGIN
from detectors.baseline.paces import SPANS
from detectors.phrases import deed, number, thing, who
from records.measures import difference
from records.plant import Plant
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.baseline.habits import Habit, Key
    from detectors.baseline.learned import Learned
    from detectors.baseline.places import Place
    from detectors.baseline.rhythms import Rhythm

NAMED: Final = 4  # ranges or names of a habit; more are counted


@dataclass(frozen=True, slots=True)
class Names:
    """What people call what was learned: `hosts` by their addresses, points by the tags of `plant`."""

    hosts: Mapping[str, str] = field(default_factory=dict[str, str])
    plant: Plant = field(default_factory=Plant)

    def host(self, address: str, language: str) -> str:
        """`Pump PLC (10.20.1.12)`, or the address."""
        return who({"source.ip": address, "source.asset.name": self.hosts.get(address)}, "source", language)

    def thing(self, device: str, about: dict[str, Any], unit: int | None, language: str) -> str:
        """`Pump 3 speed (register 40017)`, or the place."""
        space, name, first, last = (about.get(f"ot.object.{part}") for part in ("space", "name", "first", "last"))
        tags = self.plant.tags_of(device, unit, space, name, first, last)
        return thing(about | {"ot.tag.name": [tag.name for tag in tags]}, language)


def sentences(learned: Learned, language: str, names: Names | None = None) -> Iterator[str]:
    """A sentence for each conversation, then for each point, then for each order."""
    called = names or Names()
    rhythms = learned.rhythms.known
    for (source, destination, protocol), habits in groupby(ordered(learned.habits), key=lambda each: each[0][:3]):
        mine = list(habits)
        deeds = [_done(key, habit, rhythms.get(key), language, called) for key, habit in mine]
        deeds += [] if any(habit.access in CHANGING for _, habit in mine) else [say("baseline.never", language)]
        words = {"source": called.host(source, language), "destination": called.host(destination, language), "protocol": protocol}
        yield say("baseline.conversation", language, **words, deeds=say("baseline.then", language).join(deeds))
    for place, level in sorted(learned.levels.known.items(), key=lambda each: order(each[0])):
        yield say("baseline.level", language, **_point(place, language, called), low=number(level.low), high=number(level.high), values=level.seen)
    for (setpoint, place), each in sorted(learned.levels.follows.items(), key=lambda each: order(each[0][0] + each[0][1])):
        words = {"setpoint": _point(setpoint, language, called)["object"], "low": number(each.low), "high": number(each.high)}
        yield say("baseline.follows", language, **_point(place, language, called), **words)
    for place in sorted(learned.levels.words.known, key=order):
        yield say("baseline.word", language, **_point(place, language, called))
    for pair, pace in sorted(learned.held.items()):
        number_of = next(each for each, few in enumerate(pace.too_few(pair.what)) if few >= 0)
        words = {"least": pace.least[number_of], "span": difference(SPANS[number_of] * 60, language)}
        ends = {"device": called.host(pair.device, language), "host": called.host(pair.host, language)}
        yield say(f"baseline.pace.{pair.what}", language, **ends, protocol=pair.protocol, **words)
    for talk, known in sorted(learned.orders.known.items()):
        ends = {"source": called.host(talk.source, language), "destination": called.host(talk.destination, language), "protocol": talk.protocol}
        for effect, after in sorted(known.items()):
            always = [(before, count) for before, count in after.items() if before != effect]
            if len(always) == 1 and always[0][0] != BEGIN:
                before, count = always[0]
                yield say("baseline.always", language, **ends, deed=deed(effect, language), before=deed(before, language), count=count)


def _point(place: Place, language: str, called: Names) -> dict[str, str]:
    row = _about(place.protocol, place.space) | ({"ot.object.first": place.thing} if isinstance(place.thing, int) else {"ot.object.name": place.thing})
    return {"object": called.thing(place.device, row, place.unit, language), "device": called.host(place.device, language)}


def _done(key: Key, habit: Habit, rhythm: Rhythm | None, language: str, called: Names) -> str:
    """`read values (registers 40101–40140, unit 1) every 2.0 s`."""
    about = _about(key.protocol, key.space)
    objects = [about | {"ot.object.first": first, "ot.object.last": last} for first, last in habit.spans[:NAMED]]
    objects += [about | {"ot.object.name": name} for name in habit.names[: NAMED - len(objects)]]
    meant = [called.thing(key.destination, each, key.unit, language) for each in objects]
    more = len(habit.spans) + len(habit.names) - len(meant)
    meant += [say("baseline.more", language, count=more)] if more > 0 else []
    meant += [say("baseline.unit", language, unit=key.unit)] if key.unit is not None else []
    told = deed(key.effect, language)
    told = say("baseline.objects", language, deed=told, objects=say("detectors.phrase.comma", language).join(meant)) if meant else told
    return say("baseline.every", language, deed=told, every=difference(rhythm.usual, language)) if rhythm else told


def _about(protocol: str, space: str | None) -> dict[str, Any]:
    return {"network.protocol": protocol, "ot.object.space": space}
