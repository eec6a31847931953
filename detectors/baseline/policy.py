"""A baseline as a file that people read, compare and edit, and back: judging by the file is judging by what was learned.

baseline: 1
habits:
- {from: 10.0.0.5, to: 10.0.0.9, protocol: modbus, does: value.read, access: read, unit: 1, space: holding_register, objects: 100-139 200, every: 1.0}
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from detectors.baseline.habits import MOST, Baseline, Habit, Key, ordered
from records.effects import EFFECTS
from records.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FORM: Final = 1
LARGEST: Final = 64 << 20  # octets
KEYS: Final = ("from", "to", "protocol", "does", "access", "unit", "space", "objects", "names", "every")
NEEDED: Final = ("from", "to", "protocol", "does")
DEEPEST: Final = 4
_Loader: Final = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
# What YAML does not take as it is, or takes for the end of a line.
_UNWRITTEN: Final = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SPAN: Final = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?")
_ACCESS: Final = {effect.name: effect.access for effect in EFFECTS}


def written(baseline: Baseline) -> str:
    """The file of a baseline, a habit a line."""
    lines = [f"baseline: {FORM}", "habits:", *(f"- {_line(key, habit)}" for key, habit in ordered(baseline))]
    return "\n".join(lines) + "\n" if baseline.habits else f"baseline: {FORM}\nhabits: []\n"


def _line(key: Key, habit: Habit) -> str:
    told: dict[str, Any] = {"from": key.source, "to": key.destination, "protocol": key.protocol, "does": key.effect, "access": habit.access}
    told |= {name: value for name, value in (("unit", key.unit), ("space", key.space)) if value is not None}
    told |= {"objects": objects(habit)} if habit.spans else {}
    told |= {"names": habit.names} if habit.names else {}
    told |= {"every": habit.every} if habit.every is not None else {}
    return _UNWRITTEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(told, ensure_ascii=False))  # JSON is YAML, too


def objects(habit: Habit) -> str:
    """Its ranges: `100-139 200`."""
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in habit.spans)


def read(file: Path) -> Baseline:
    """The baseline of a file. Raises UsageError naming file, line and fix."""
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
    return _Read(file).baseline(root)


def _flat(file: Path, text: str) -> None:
    """A baseline is no deeper than it has to be: what is would end the process that makes nodes of it. Raises UsageError."""
    depth = 0
    for event in cast("Any", yaml.parse(text, _Loader)):
        depth += isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)) - isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent))
        if depth > DEEPEST:
            raise UsageError("baseline.habit", file=file, line=event.start_mark.line + 1)


class _Read:
    """One file on its way to a baseline: each value is looked at on its own line."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def baseline(self, root: Any) -> Baseline:
        if not isinstance(root, yaml.MappingNode):
            raise self._wrong(root, "baseline")
        parts = {str(key.value): value for key, value in cast("list[tuple[Any, Any]]", root.value)}
        if set(parts) != {"baseline", "habits"} or parts["baseline"].value != str(FORM) or not isinstance(parts["habits"], yaml.SequenceNode):
            raise self._wrong(root, "baseline")
        found: dict[Key, Habit] = {}
        for node in cast("list[Any]", parts["habits"].value):
            key, habit = self._habit(node)
            if key in found:
                raise self._wrong(node, "twice")
            found[key] = habit
            if len(found) > MOST:
                raise self._wrong(node, "many")
        return Baseline(found)

    def _habit(self, node: Any) -> tuple[Key, Habit]:
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, "habit")
        parts = {str(key.value): value for key, value in cast("list[tuple[Any, Any]]", node.value)}
        for name, value in parts.items():
            if name not in KEYS:
                raise self._wrong(value, "key", name)
        for name in NEEDED:
            if name not in parts:
                raise self._wrong(node, "needed", name)
        text = {name: self._text(parts[name], name) for name in ("from", "to", "protocol", "does", "access", "space") if name in parts}
        if text["does"] not in _ACCESS:
            raise self._wrong(parts["does"], "effect", text["does"])
        key = Key(text["from"], text["to"], text["protocol"], text["does"], self._whole(parts.get("unit")), text.get("space"))
        spans = self._spans(parts["objects"]) if "objects" in parts else []
        names = sorted({self._text(each, "names") for each in self._list(parts["names"])}) if "names" in parts else []
        return key, Habit(text.get("access") or _ACCESS[key.effect], spans, names, self._seconds(parts.get("every")))

    def _text(self, node: Any, name: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value:
            raise self._wrong(node, "text", name)
        return str(node.value)

    def _list(self, node: Any) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong(node, "text", "names")
        return cast("list[Any]", node.value)

    def _whole(self, node: Any) -> int | None:
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(r"\d{1,18}", node.value):
            raise self._wrong(node, "whole", "unit")
        return int(node.value)

    def _seconds(self, node: Any) -> float | None:
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or not re.fullmatch(r"\d{1,9}(\.\d{1,9})?(e-?\d{1,2})?", node.value):
            raise self._wrong(node, "whole", "every")
        return float(node.value)

    def _spans(self, node: Any) -> list[list[int]]:
        made = Habit()
        for word in self._text(node, "objects").replace(",", " ").split():
            told = _SPAN.fullmatch(word)
            if told is None or int(told[2] or told[1]) < int(told[1]) or int(told[2] or told[1]) >= 2**63:
                raise self._wrong(node, "objects", word)
            made.add({"ot.object.name": None, "ot.object.first": int(told[1]), "ot.object.last": int(told[2] or told[1])})
        return made.spans

    def _wrong(self, node: Any, what: str, value: object = "") -> UsageError:
        line = node.start_mark.line + 1 if node is not None else 1
        return UsageError(f"baseline.{what}", file=self._file, line=line, value=value, keys=", ".join(KEYS))
