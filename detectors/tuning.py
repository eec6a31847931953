"""What a number in a rule costs: how often the rule would have fired at other values of it, and which confirmed alerts it would have lost.

A bound is a number in the file from which on, or up to which, the rule fires. Its other values are tried on history by the code that judges live.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from detectors.backtest import alternatives
from detectors.rulebook import versions
from detectors.rulebook.books import Change
from detectors.rulebook.document import read
from detectors.rulebook.load import load_text
from records import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from detectors.backtest import Result
    from detectors.confirmed import Lost
    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.rule import Rule
    from detectors.rulebook.versions import Version
    from detectors.working import Window
    from records.store.contract import Store

Number = int | float

FACTORS: Final = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5)
_BOUNDS: Final = frozenset({"gt", "gte", "lt", "lte"})
_COMPARES: Final = re.compile(r"\b[gl]te?\b")  # most rules have none, and need not be read
_JUDGING: Final = frozenset({"detection", "correlation"})  # the parts of a document that decide whether a rule fires


@dataclass(frozen=True, slots=True)
class Bound:
    """A number of a rule's file: the keys that lead to it, its line from 1, its value, and between which characters of the text it stands."""

    path: tuple[str, ...]
    line: int
    value: Number
    start: int
    end: int

    @property
    def name(self) -> str:
        """How a person finds it: `ot.count|gte`, or `condition gte` of a correlation."""
        return self.path[-1] if "|" in self.path[-1] else " ".join(self.path[-2:])


@dataclass(frozen=True, slots=True)
class Step:
    """The rule with one value of a bound: its findings, the alerts that they fold into, and these for each shift that has them (`backtest.Result`).

    `lost` and `thinned` are the confirmed alerts that would be gone, or have fewer findings.
    """

    value: Number
    fires: int
    alerts: int
    shifts: int
    lost: tuple[Lost, ...]
    thinned: tuple[Lost, ...]


def bounds(text: str) -> list[Bound]:
    """The bounds of a rule's file, in its order; none of what cannot be read."""
    if not _COMPARES.search(text) or read(text.encode("utf-8", "surrogateescape")).faults:
        return []
    found: list[Bound] = []
    for document in cast("Iterator[Any]", yaml.compose_all(text, yaml.SafeLoader)):
        for key, value in document.value if isinstance(document, yaml.MappingNode) else ():
            if key.value in _JUDGING:
                found += _below(value, (key.value,))
    return found


def _below(node: Any, path: tuple[str, ...]) -> Iterator[Bound]:
    if isinstance(node, yaml.MappingNode):
        for key, value in cast("list[tuple[Any, Any]]", node.value):
            yield from _below(value, (*path, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for value in cast("list[Any]", node.value):
            yield from _below(value, path)
    elif path[-1].split("|")[-1] in _BOUNDS and isinstance(node, yaml.ScalarNode) and (number := _number(node)) is not None:
        yield Bound(path, node.start_mark.line + 1, number, node.start_mark.index, node.end_mark.index)


def _number(node: yaml.ScalarNode) -> Number | None:
    value: Any = yaml.safe_load(node.value) if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float") and node.style is None else None
    return value if isinstance(value, (int, float)) else None


def moved(text: str, bound: Bound, value: Number) -> str:
    """The file's text with another value of a bound; nothing else in it changes."""
    return text[: bound.start] + str(value) + text[bound.end :]


def values(bound: Bound) -> list[Number]:
    """Values worth a try, the present one among them, smallest first."""
    if isinstance(bound.value, float):
        return sorted({float(f"{bound.value * factor:.3g}") for factor in FACTORS} | {bound.value})
    nearest = {bound.value - 1, bound.value + 1} if abs(bound.value) < 8 else set[int]()
    tried = {round(bound.value * factor) for factor in FACTORS} | nearest | {bound.value}
    return sorted(value for value in tried if value >= min(1, bound.value))


def curve(store: Store, rule: Rule, text: str, bound: Bound, in_force: Version, placeholders: Placeholders, window: Window) -> list[Step]:
    """What the rule, whose file holds `text`, would have done in a window at each of the bound's values. Values that make it no rule are left out."""
    tried: list[Number] = []
    changes: list[Change] = []
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("rules")) as folder:
        beside = [file for place, file in versions.write(in_force, Path(folder)).items() if in_force.files[place] != text]
        for value in values(bound):
            drafted = rule if value == bound.value else _drafted(rule.id, text, bound, value, beside, placeholders)
            if drafted is not None:
                tried.append(value)
                changes.append(Change(rule.id, rule, drafted))
    results = alternatives(store, changes, window.since, window.until, window.starts)
    return [Step(value, result.fires, result.alerts, result.shifts, tuple(result.lost), _thinned(result)) for value, result in zip(tried, results, strict=True)]


def _thinned(result: Result) -> tuple[Lost, ...]:
    """Confirmed alerts with fewer findings: not those that would only have others, because a correlation is complete sooner or later."""
    return tuple(each for each in result.thinned if each.left < each.findings)


def _drafted(name: str, text: str, bound: Bound, value: Number, beside: Sequence[Path], placeholders: Placeholders) -> Rule | None:
    """The rule with this value. Its cases were written for another one: what they give is no matter here."""
    found, problems = load_text(moved(text, bound, value), f"{name}.yml", beside, placeholders, tries=False)
    return found if found is not None and not any(problem.blocks for problem in problems) else None
