"""The file of what is normal (`detectors.baseline.policy`), as people write it: each value is looked at on its own line."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from detectors.baseline.follows import MOST as MOST_PAIRS
from detectors.baseline.follows import Follow, Pair
from detectors.baseline.habits import MOST, Baseline, Habit, Key
from detectors.baseline.learned import Learned
from detectors.baseline.levels import MOST as MOST_POINTS
from detectors.baseline.levels import Level, Levels
from detectors.baseline.orders import BEGIN, Orders, Talk
from detectors.baseline.orders import MOST as MOST_TALKS
from detectors.baseline.paces import MOST as MOST_PACES
from detectors.baseline.paces import SPANS, WHAT, Pace, Paces
from detectors.baseline.paces import Pair as Talking
from detectors.baseline.places import Place
from detectors.baseline.policy import FORM, KEYS, RHYTHM
from detectors.baseline.rhythms import Rhythm, Rhythms
from detectors.baseline.words import KINDS, Word, beside
from detectors.baseline.words import MOST as MOST_WORDS
from records.addresses import is_mac
from records.effects import EFFECTS
from records.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGEST: Final = 64 << 20  # octets
PARTS: Final = ("baseline", "habits", "values", "follows", "words", "orders", "paces", "shed")
NEEDED: Final = {
    "habits": ("from", "to", "protocol", "does"), "values": ("of", "protocol", "low", "high"), "words": ("of", "protocol", "object", "kind"),
    "follows": ("of", "protocol", "setpoint", "low", "high", "worst"), "setpoint": (), "orders": KEYS["orders"],
    "paces": KEYS["paces"],
}  # fmt: skip
DEEPEST: Final = 4
USUAL_MINUTES: Final = 1440  # where a file tells `every` alone
_Loader: Final = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_SPAN: Final = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?")
_NUMBER: Final = re.compile(r"-?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,3})?")
_ACCESS: Final = {effect.name: effect.access for effect in EFFECTS}


def read(file: Path) -> Learned:
    """What a file says is normal. Raises UsageError naming file, line and fix."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError("baseline.unreadable", file=file, problem=error.strerror or error) from None
    if len(content) > LARGEST:
        raise UsageError("baseline.large", file=file, most=LARGEST >> 20)
    try:
        text = content.decode("utf-8")
        _flat(file, text)
        root = cast("Any", yaml.compose(text, _Loader))
    except UnicodeDecodeError as error:
        raise UsageError("baseline.syntax", file=file, line=1, problem=error) from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(
            "baseline.syntax", file=file, line=mark.line + 1 if mark else 1, problem=getattr(error, "problem", None) or type(error).__name__
        ) from None
    return _Read(file).learned(root)


def _flat(file: Path, text: str) -> None:
    """A baseline is no deeper than it has to be: what is would end the process that makes nodes of it. Raises UsageError."""
    depth = 0
    for event in cast("Any", yaml.parse(text, _Loader)):
        depth += isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)) - isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent))
        if depth > DEEPEST:
            raise UsageError("baseline.habit", file=file, line=event.start_mark.line + 1)


class _Read:
    """One file on its way to what is normal: each value is looked at on its own line."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def learned(self, root: Any) -> Learned:
        if not isinstance(root, yaml.MappingNode):
            raise self._wrong(root, "baseline")
        parts = self._map(root)
        if not {"baseline", "habits"} <= set(parts) <= set(PARTS) or parts["baseline"].value != str(FORM):
            raise self._wrong(root, "baseline")
        if any(name in parts and not isinstance(parts[name], yaml.SequenceNode) for name in KEYS):
            raise self._wrong(root, "baseline")
        shed = {name: self._whole(value, name) or 0 for name, value in self._map(parts["shed"]).items()} if "shed" in parts else {}
        habits, rhythms = dict[Key, Habit](), dict[Key, Rhythm]()
        for node in self._nodes(parts, "habits", MOST):
            key, habit, rhythm = self._habit(node)
            self._once(node, key, habits)
            habits[key] = habit
            rhythms |= {key: rhythm} if rhythm else {}
        levels, orders = dict[Place, Level](), dict[Talk, dict[str, dict[str, int]]]()
        for node in self._nodes(parts, "values", MOST_POINTS):
            place, level = self._level(node)
            self._once(node, place, levels)
            levels[place] = level
        for node in self._nodes(parts, "orders", MOST_TALKS * len(EFFECTS)):
            talk, effect, before = self._order(node)
            self._once(node, effect, orders.setdefault(talk, {}))
            orders[talk][effect] = before
        follows, words = dict[Pair, Follow](), dict[Place, Word]()
        for node in self._nodes(parts, "follows", MOST_PAIRS):
            pair, each = self._follow(node)
            self._once(node, pair, follows)
            follows[pair] = each
        for node in self._nodes(parts, "words", MOST_WORDS):
            place, word = self._word(node)
            if beside(place, 1) in words or beside(place, -1) in words:
                raise self._wrong(node, "twice")
            self._once(node, place, words)
            words[place] = word
        paces = dict[Talking, Pace]()
        for node in self._nodes(parts, "paces", MOST_PACES):
            talking, pace = self._pace(node)
            self._once(node, talking, paces)
            paces[talking] = pace
        told = [shed.get(name, 0) for name in ("habits", "rhythms", "values", "orders")]
        known = Rhythms(rhythms, told[1]), Levels(levels, told[2], follows, words), Orders(orders, told[3]), Paces(paces)
        return Learned(Baseline(habits, told[0]), *known)

    def _nodes(self, parts: Mapping[str, Any], name: str, most: int) -> Iterator[Any]:
        nodes = cast("list[Any]", parts[name].value) if name in parts else []
        if len(nodes) > most:
            raise self._wrong(nodes[most], "many")
        yield from nodes

    def _once(self, node: Any, key: Any, known: Mapping[Any, Any]) -> None:
        if key in known:
            raise self._wrong(node, "twice")

    def _entry(self, node: Any, kind: str) -> dict[str, Any]:
        """The values of a line by their keys, all of them known and the needed ones there."""
        parts = self._map(node)
        for name, value in parts.items():
            if name not in KEYS[kind]:
                raise self._wrong(value, "key", name, kind)
        for name in NEEDED[kind]:
            if name not in parts:
                raise self._wrong(node, "needed", name)
        return parts

    def _habit(self, node: Any) -> tuple[Key, Habit, Rhythm | None]:
        parts = self._entry(node, "habits")
        text = {name: self._text(parts[name], name) for name in ("protocol", "does", "access", "space") if name in parts}
        text |= {name: self._address(parts[name], name) for name in ("from", "to")}
        self._known(parts["does"])
        key = Key(text["from"], text["to"], text["protocol"], text["does"], self._whole(parts.get("unit"), "unit"), text.get("space"))
        spans = self._spans(parts["objects"]) if "objects" in parts else []
        names = sorted({self._text(each, "names") for each in self._list(parts["names"], "names")}) if "names" in parts else []
        return key, Habit(text.get("access") or _ACCESS[key.effect], spans, names), self._rhythm(node, parts)

    def _rhythm(self, node: Any, parts: Mapping[str, Any]) -> Rhythm | None:
        if "every" not in parts:
            if any(name in parts for name in RHYTHM):
                raise self._wrong(node, "needed", "every")
            return None
        usual = self._number(parts["every"], "every")
        between = [self._number(each, "between") for each in self._list(parts["between"], "between")] if "between" in parts else [usual, usual]
        if len(between) != 2 or not 0 <= between[0] <= usual <= between[1]:
            raise self._wrong(parts.get("between", parts["every"]), "between", "between")
        longest = self._number(parts["longest"], "longest") if "longest" in parts else between[1]
        return Rhythm(usual, between[0], between[1], longest, self._whole(parts.get("minutes"), "minutes") or USUAL_MINUTES)

    def _level(self, node: Any) -> tuple[Place, Level]:
        parts = self._entry(node, "values")
        low, high = self._range(parts)
        least, most = self._between(parts["settled"], "settled") if "settled" in parts else (0.0, 0.0)
        seen, still, blocks = (self._whole(parts.get(name), name) for name in ("values", "still", "tens"))
        step, spread, wander = (self._number(parts[name], name) if name in parts else 0.0 for name in ("step", "spread", "wanders"))
        returns, signed = self._truth(parts, "returns", "true"), self._truth(parts, "signed", "false")
        known = 1 if seen is None else seen, step, still or 0, returns, least, most, spread, blocks or 0, signed, wander
        return self._place(node, parts), Level(low, high, *known)

    def _follow(self, node: Any) -> tuple[Pair, Follow]:
        parts = self._entry(node, "follows")
        setpoint = self._entry(parts["setpoint"], "setpoint") | {name: parts[name] for name in ("of", "protocol")}
        pair = self._place(parts["setpoint"], setpoint), self._place(node, parts)
        return pair, Follow(*self._range(parts), self._number(parts["worst"], "worst"))

    def _word(self, node: Any) -> tuple[Place, Word]:
        parts = self._entry(node, "words")
        kind = self._text(parts["kind"], "kind")
        if kind not in KINDS:
            raise self._wrong(parts["kind"], "text", "kind")
        return self._place(node, {name: each for name, each in parts.items() if name != "name"}), Word(kind, self._truth(parts, "swapped", "false"))

    def _place(self, node: Any, parts: Mapping[str, Any]) -> Place:
        """The point that a line is about."""
        text = {name: self._text(parts[name], name) for name in ("protocol", "space", "name") if name in parts} | {"of": self._address(parts["of"], "of")}
        thing = self._whole(parts["object"], "object") if "object" in parts else text.get("name")
        if thing is None:
            raise self._wrong(node, "needed", "object")
        return Place(text["of"], text["protocol"], self._whole(parts.get("unit"), "unit"), text.get("space"), thing)

    def _range(self, parts: Mapping[str, Any]) -> tuple[float, float]:
        low, high = self._number(parts["low"], "low"), self._number(parts["high"], "high")
        if low > high:
            raise self._wrong(parts["low"], "between", "low")
        return low, high

    def _between(self, node: Any, name: str) -> tuple[float, float]:
        found = [self._number(each, name) for each in self._list(node, name)]
        if len(found) != 2 or found[0] > found[1]:
            raise self._wrong(node, "between", name)
        return found[0], found[1]

    def _truth(self, parts: Mapping[str, Any], name: str, usual: str) -> bool:
        told = self._text(parts[name], name) if name in parts else usual
        if told not in ("true", "false"):
            raise self._wrong(parts[name], "text", name)
        return told == "true"

    def _order(self, node: Any) -> tuple[Talk, str, dict[str, int]]:
        parts = self._entry(node, "orders")
        self._known(parts["does"])
        before: dict[str, int] = {}
        for name, value in self._map(parts["after"]).items():
            if name != BEGIN and name not in _ACCESS:
                raise self._wrong(value, "effect", name)
            before[name] = self._whole(value, name) or 0
        source, destination = (self._address(parts[name], name) for name in ("from", "to"))
        return Talk(source, destination, self._text(parts["protocol"], "protocol")), str(parts["does"].value), before

    def _pace(self, node: Any) -> tuple[Talking, Pace]:
        parts = self._entry(node, "paces")
        least = {name: self._whole(value, name) or 0 for name, value in self._map(parts["least"]).items()}
        what = self._text(parts["what"], "what")
        if what not in WHAT or not least.keys() <= {str(span) for span in SPANS}:
            raise self._wrong(node, "pace", ", ".join(map(str, SPANS)))
        device, host, protocol = self._address(parts["of"], "of"), self._address(parts["to"], "to"), self._text(parts["protocol"], "protocol")
        return Talking(device, host, protocol, what), Pace(tuple(least.get(str(span), 0) for span in SPANS), self._whole(parts["minutes"], "minutes") or 0)

    def _known(self, node: Any) -> None:
        if self._text(node, "does") not in _ACCESS:
            raise self._wrong(node, "effect", node.value)

    def _text(self, node: Any, name: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._wrong(node, "text", name)
        return str(node.value)

    def _address(self, node: Any, name: str) -> str:
        """As activities have it, or it would be nobody's."""
        text = self._text(node, name)
        try:
            return text.lower() if is_mac(text) else str(ip_address(text))
        except ValueError:
            raise self._wrong(node, "address", text) from None

    def _list(self, node: Any, name: str) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong(node, "text", name)
        return cast("list[Any]", node.value)

    def _map(self, node: Any) -> dict[str, Any]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, "habit")
        parts: dict[str, Any] = {}
        for key, value in cast("list[tuple[Any, Any]]", node.value):
            if str(key.value) in parts:
                raise self._wrong(key, "repeated", key.value)
            parts[str(key.value)] = value
        return parts

    def _whole(self, node: Any, name: str) -> int | None:
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(r"\d{1,18}", node.value):
            raise self._wrong(node, "whole", name)
        return int(node.value)

    def _number(self, node: Any, name: str) -> float:
        if not isinstance(node, yaml.ScalarNode) or not _NUMBER.fullmatch(node.value):
            raise self._wrong(node, "whole", name)
        return float(node.value)

    def _spans(self, node: Any) -> list[list[int]]:
        made = Habit()
        for word in self._text(node, "objects").replace(",", " ").split():
            told = _SPAN.fullmatch(word)
            if told is None or int(told[2] or told[1]) < int(told[1]) or int(told[2] or told[1]) >= 2**63:
                raise self._wrong(node, "objects", word)
            made.add({"ot.object.name": None, "ot.object.first": int(told[1]), "ot.object.last": int(told[2] or told[1])})
        return made.spans

    def _wrong(self, node: Any, what: str, value: object = "", kind: str = "habits") -> UsageError:
        line = node.start_mark.line + 1 if node is not None else 1
        return UsageError(f"baseline.{what}", file=self._file, line=line, value=value, keys=", ".join(KEYS[kind]))
