"""Rule files checked and tried: what `balefire rules lint` and `balefire rules test` give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from detectors.checking import Subject, hints
from detectors.rulebook.document import read
from detectors.rulebook.load import Failure, load, own_rules
from detectors.rulebook.rule import filtered

if TYPE_CHECKING:
    from detectors.rulebook.load import Rulebook
    from detectors.rulebook.problems import Problem


@dataclass(frozen=True, slots=True)
class Report:
    """What the linter found. `rules` counts rule files, loaded or not; `Problem.blocks` tells those that keep a rule from being loaded.

    `beside` are the names of the files that hold no rules and were looked at with them.
    """

    rules: int
    problems: tuple[Problem, ...]
    beside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestReport:
    """What the tests inside rules gave."""

    __test__ = False  # pytest takes a class of this name for one of its own

    rules: int
    cases: int
    failed: tuple[Failure, ...]
    beside: tuple[str, ...] = ()


def lint(path: Path) -> Report:
    """Check a rule file, or every one in a directory; of a file first what keeps its rule out. Raises UsageError for a path that does not exist."""
    book = load([path])
    return Report(book.files, tuple(sorted((*book.problems, *_advice(book, path)), key=lambda one: (one.file, not one.blocks, one.line))), book.beside)


def test(path: Path) -> TestReport:
    """Run the tests inside the rules. A rule whose detection does not parse has no cases to run: lint says why."""
    book = load([path])
    return TestReport(book.files, book.cases, book.failures, book.beside)


def _advice(book: Rulebook, path: Path) -> list[Problem]:
    """What the checks say of the rules and filters that load, each beside the others and Balefire's own. What a policy becomes is nobody's writing."""
    others = {rule.id: rule for rule in load([own_rules(), path]).rules}
    written = [(filtered(rule), read(Path(rule.file).read_bytes())) for rule in book.rules]
    subjects = [Subject(rule, document, others, book.placeholders) for rule, document in written if {"detection", "correlation"} & document.data.keys()]
    for one in book.filters:
        narrowed = tuple(rule for rule in others.values() if rule.cases and one.rules and one.id in rule.filters)
        subjects.append(Subject(one.rule, read(Path(one.rule.file).read_bytes()), others, book.placeholders, narrowed))
    return [found for subject in subjects for found in hints(subject)]
