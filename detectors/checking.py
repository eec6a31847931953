"""The linter's advice: what makes a rule that loads a bad rule. One check, one public function in `detectors/checks`, found by discovery.

A check is given a `Subject` and yields hints; its name is the function's with hyphens, its words stand in the catalogue under `detectors.lint.<name>`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np

from detectors.rulebook.detection import clause
from detectors.rulebook.placeholders import Placeholders
from detectors.rulebook.problems import Hint, problem
from detectors.trial import trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from detectors.rulebook.cases import Case
    from detectors.rulebook.correlation import Correlation
    from detectors.rulebook.document import Document, Path
    from detectors.rulebook.match import Predicate
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule


COUNTED: Final = frozenset({"@timestamp", "event.end", "ot.count"})  # what every correlation looks at: when, and how often


class Place(NamedTuple):
    """Where a hint belongs in the document, and what its words name."""

    path: Path
    values: dict[str, object]


class Item(NamedTuple):
    """One line of a detection: `field|modifiers: values`. `path` leads to it; `many` where the values are a list."""

    path: Path
    field: str
    modifiers: tuple[str, ...]
    values: tuple[Any, ...]
    many: bool

    def at(self, index: int) -> Path:
        """The path of one value."""
        return (*self.path, index) if self.many else self.path


class Words(NamedTuple):
    """One text of a rule in one language, and where it stands."""

    path: Path
    language: str
    text: str


@dataclass(frozen=True)
class Subject:
    """A rule that loads, or a filter as a rule, as it is written and as it judges. `others`: the rules by their ids that it stands beside.

    `narrowed`: of a filter, the rules with cases that it is for, within all the filters that there are; None where it is none.
    """

    rule: Rule
    document: Document
    others: Mapping[str, Rule]
    placeholders: Placeholders = field(default_factory=Placeholders)
    narrowed: tuple[Rule, ...] | None = None

    @property
    def data(self) -> dict[str, Any]:
        """The whole file."""
        return self.document.data

    @cached_property
    def detections(self) -> dict[Path, Any]:
        """The named detections by their paths: the rule's own, or those of a correlation's parts, whose paths begin with the number of the part."""
        if self.narrowed is not None:
            return {("filter", name): part for name, part in self.data["filter"].items() if name not in {"condition", "rules"}}
        whole: list[tuple[Path, Document]] = [((), self.document), *(((index,), part) for index, part in enumerate(self.document.parts))]
        found = [(place, cast("dict[str, Any]", document.data.get("detection", {}))) for place, document in whole]
        return {(*place, "detection", name): part for place, named in found for name, part in named.items() if name != "condition"}

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every line of the detections."""
        return tuple(item for path, part in self.detections.items() for item in _items(path, part))

    def line(self, *path: str | int) -> int:
        """The line of what stands at this path."""
        document, rest = self._document(path)
        return document.line(*rest)

    def _document(self, path: Path) -> tuple[Document, Path]:
        """The document that a path leads into, and the path there."""
        return (self.document.parts[path[0]], path[1:]) if path and isinstance(path[0], int) else (self.document, path)

    @cached_property
    def adjustments(self) -> tuple[tuple[Path, Predicate, frozenset[str], float], ...]:
        """Every change of the score: its path, when, the fields it asks for, by how much."""
        found: list[tuple[Path, Predicate, frozenset[str], float]] = []
        for index, part in enumerate(listed(self.data.get("score", []))):
            each = clause(self.document, ("score", index, "when"), part["when"], self.placeholders, self.rule.table)
            if each.match is not None:
                found.append((("score", index), each.match, frozenset(each.fields), float(part["value"])))
        return tuple(found)

    @cached_property
    def told(self) -> frozenset[str]:
        """The fields that decide what the rule says of its rows: those of the detection and of the score, and what a correlation counts by."""
        counted = [one.columns | COUNTED for one in within(self.rule.correlation)]
        return self.rule.fields.union(*counted, *(fields for _, _, fields, _ in self.adjustments))

    @property
    def firing(self) -> tuple[Case, ...]:
        """The cases that fire."""
        return tuple(case for case in self.rule.cases if case.fires)

    @cached_property
    def acting(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of the firing cases that make them fire: of a correlation, those that its parts match."""
        parts = [part.match for one in within(self.rule.correlation) for part in one.parts if part.match is not None] or [self.rule.match]
        frame = trial(self.firing, self.rule.table)
        matched = np.logical_or.reduce([part(frame) for part in parts])[:-1]
        return tuple(row for row, match in zip((row for case in self.firing for row in case.rows), matched, strict=True) if match)

    def named(self, path: Path) -> Predicate | None:
        """One named detection by itself."""
        return clause(*self._document(path), self.detections[path], self.placeholders, self.rule.table).match

    def key_path(self, index: int) -> Path:
        """Where a field of the key is named: a correlation that says nothing else has those that it groups by."""
        return ("correlation", "group-by", index) if self.rule.correlation and "key" not in self.data else ("key", index)

    @cached_property
    def texts(self) -> tuple[Words, ...]:
        """Every text that a person reads, in the order of the file's keys."""
        return tuple(_texts((), self.data))


def at(*path: str | int, **values: object) -> Place:
    """A hint at this path."""
    return Place(path, values)


def within(correlation: Correlation | None) -> Iterator[Correlation]:
    """A correlation and those that it is made of."""
    if correlation is not None:
        yield correlation
        for part in correlation.parts:
            yield from within(part.inner)


def listed(value: Any) -> list[Any]:
    """A value that may stand alone, as a list."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


@cache
def checks() -> dict[str, Callable[[Subject], Iterator[Place]]]:
    """Every check by its name."""
    import detectors.checks as package

    found: dict[str, Callable[[Subject], Iterator[Place]]] = {}
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        functions = inspect.getmembers(loaded, inspect.isfunction)
        found |= {name.replace("_", "-"): part for name, part in functions if part.__module__ == loaded.__name__ and not name.startswith("_")}
    return dict(sorted(found.items()))


def hints(subject: Subject) -> list[Problem]:
    """What every check says of a rule, by line."""
    found: list[Problem] = []
    for name, check in checks().items():
        found += [problem(subject.rule.file, subject.line(*path), subject.rule.id, Hint(name, **values)) for path, values in check(subject)]
    return sorted(found, key=lambda one: (one.line, one.check))


def _items(path: Path, part: Any) -> Iterator[Item]:
    if isinstance(part, dict):
        for key, value in cast("dict[str, Any]", part).items():
            field, *modifiers = str(key).split("|")
            yield Item((*path, str(key)), field, tuple(modifiers), tuple(listed(value)), isinstance(value, list))
    elif isinstance(part, list):
        for index, one in enumerate(cast("list[Any]", part)):
            yield from _items((*path, index), one)


_READ = frozenset({"title", "description"})
_BOTH = frozenset({"normal", "misses", "respond", "score", "survives"})


def _texts(path: Path, part: Any) -> Iterator[Words]:
    if isinstance(part, list):
        for index, one in enumerate(cast("list[Any]", part)):
            yield from _texts((*path, index), one)
    elif isinstance(part, dict):
        for key, value in cast("dict[str, Any]", part).items():
            if not path and key.removesuffix("_zh") in _READ:
                yield Words((key,), "zh" if key.endswith("_zh") else "en", str(value))
            elif path and key in {"en", "zh"}:
                yield Words((*path, key), key, str(value))
            elif key in _BOTH:
                yield from _texts((key,), value)
