"""Rules as Elasticsearch queries: those on single rows that a query can say, and why the others have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detectors.rulebook.conversion import convert
from detectors.rulebook.load import load
from detectors.rulebook.problems import text
from records.store.dsl import clause

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.rulebook.problems import Problem
    from records.model import Text


@dataclass(frozen=True, slots=True)
class Query:
    """A rule as the `query` of a search over the index of its table."""

    id: str
    file: str
    table: str
    query: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule without a query, and why."""

    id: str
    file: str
    reasons: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Queries:
    """What became of the rules of a file or directory; `problems` kept some from loading."""

    converted: tuple[Query, ...]
    refused: tuple[Refused, ...]
    problems: tuple[Problem, ...]


def queries(path: Path) -> Queries:
    """The rules of a file, or of every one in a directory. Raises UsageError for a path that does not exist."""
    book = load([path])
    converted: list[Query] = []
    refused: list[Refused] = []
    for rule in book.rules:
        found = convert(rule.match)
        reasons = (text("detectors.unconverted.correlation"),) if rule.correlation else found.reasons
        if reasons:
            refused.append(Refused(rule.id, rule.file, reasons))
        else:
            converted.append(Query(rule.id, rule.file, rule.table.name, clause(rule.table, found.plain)))
    return Queries(tuple(converted), tuple(refused), tuple(problem for problem in book.problems if problem.blocks))
