"""The linter's advice: what makes a rule that loads a bad rule. One check, one public function in `detectors/checks`, found by discovery.

A check is given a `Subject` and yields hints; its name is the function's with hyphens, its words stand in the catalogue under `detectors.lint.<name>`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from detectors.rulebook.detection import clause
from detectors.rulebook.placeholders import Placeholders
from detectors.rulebook.problems import Hint, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from detectors.rulebook.cases import Case
    from detectors.rulebook.document import Document, Path
    from detectors.rulebook.match import Predicate
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule


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
    """A rule that loads, as it is written and as it judges. `others`: the rules by their ids that it stands beside."""

    rule: Rule
    document: Document
    others: Mapping[str, Rule]
    placeholders: Placeholders = field(default_factory=Placeholders)

    @property
    def data(self) -> dict[str, Any]:
        """The whole file."""
        return self.document.data

    @cached_property
    def detections(self) -> dict[str, Any]:
        """The named detections."""
        parts = cast("dict[str, Any]", self.data["detection"])
        return {name: part for name, part in parts.items() if name != "condition"}

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """Every line of the detection."""
        return tuple(item for name, part in self.detections.items() for item in _items(("detection", name), part))

    @cached_property
    def adjustments(self) -> tuple[tuple[Path, Predicate, frozenset[str], float], ...]:
        """Every change of the score: its path, when, the fields it asks for, by how much."""
        found: list[tuple[Path, Predicate, frozenset[str], float]] = []
        for index, part in enumerate(listed(self.data.get("score", []))):
            each = clause(self.document, ("score", index, "when"), part["when"])
            if each.match is not None:
                found.append((("score", index), each.match, frozenset(each.fields), float(part["value"])))
        return tuple(found)

    @cached_property
    def told(self) -> frozenset[str]:
        """The fields that decide what the rule says of an activity: those of the detection and of the score."""
        return self.rule.fields.union(*(fields for _, _, fields, _ in self.adjustments))

    @property
    def firing(self) -> tuple[Case, ...]:
        """The cases that fire."""
        return tuple(case for case in self.rule.cases if case.fires)

    def named(self, name: str) -> Predicate | None:
        """One named detection by itself."""
        return clause(self.document, ("detection", name), self.detections[name]).match

    @cached_property
    def texts(self) -> tuple[Words, ...]:
        """Every text that a person reads, in the order of the file's keys."""
        return tuple(_texts((), self.data))


def at(*path: str | int, **values: object) -> Place:
    """A hint at this path."""
    return Place(path, values)


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
        found += [problem(subject.rule.file, subject.document.line(*path), subject.rule.id, Hint(name, **values)) for path, values in check(subject)]
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
