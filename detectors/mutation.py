"""Which mutants of a rule its own tests do not notice, and what the rule says to them: what `balefire rules mutate` gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import yaml

from detectors.mutants import Mutant, correlation_mutants, mutants
from detectors.rulebook.detection import detection
from detectors.rulebook.document import Document, read
from detectors.rulebook.load import load, load_text, own_rules
from detectors.trial import trial
from records.model import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.rulebook.match import Predicate
    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule
    from records.schema import Table

_DUMPER: Final = cast("type[yaml.SafeDumper]", getattr(yaml, "CSafeDumper", yaml.SafeDumper))  # the former is some ten times faster
NOTICED: Final = frozenset({"case", "polling"})  # what a mutant does wrong where a case notices it


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that the rule's tests do not tell from the rule. `reason`: why that is right, as the rule says; None where it says nothing."""

    file: str
    rule: str
    mutant: str
    reason: Text | None


@dataclass(frozen=True, slots=True)
class MutationReport:
    """What became of the mutants of the rules and filters that load. `problems` keep the others from being loaded.

    `untried` are files that have no mutants: policies.
    """

    rules: int
    mutants: int
    survived: tuple[Survivor, ...]
    problems: tuple[Problem, ...]
    untried: tuple[str, ...] = ()

    @property
    def killed(self) -> int:
        """How many the tests noticed."""
        return self.mutants - len(self.survived)

    @property
    def unexplained(self) -> int:
        """How many nobody noticed and nobody explains."""
        return sum(one.reason is None for one in self.survived)


def mutate(path: Path) -> MutationReport:
    """Try every mutant of the rules and filters of a file or directory. Raises UsageError for a path that does not exist."""
    book = load([path])
    beside = load([own_rules(), path]).rules if book.filters else book.rules  # a filter may narrow those of Balefire
    tried = 0
    found: list[Survivor] = []
    untried = set[str]()
    for rule in (*(one.rule for one in book.filters), *book.rules):
        document = read(Path(rule.file).read_bytes())
        if not {"detection", "correlation", "filter"} & document.data.keys():
            untried.add(rule.file)
            continue
        count, alive = survivors(rule, document, beside, book.placeholders)
        reasons = explained(document.data)
        tried += count
        found += [Survivor(rule.file, rule.id, mutant.name, reasons.get(mutant.name)) for mutant in alive]
    return MutationReport(len(book.rules) + len(book.filters), tried, tuple(found), tuple(one for one in book.problems if one.blocks), tuple(sorted(untried)))


def survivors(rule: Rule, document: Document, rules: Sequence[Rule], placeholders: Placeholders) -> tuple[int, list[Mutant]]:
    """How many mutants the rule (or the filter as a rule) has, and those that judge every case of it, and ordinary polling, as it does.

    Those of a filter must also leave to the rules that it narrows, where these are among `rules`, the cases on which they fire.
    """
    if "correlation" in document.data:
        return _correlation_survivors(rule, document, rules, placeholders)
    frame = trial(rule.cases, rule.table)
    polling = "filter" in document.data and bool(rule.match(frame)[-1])  # a filter may drop it or not
    wanted = np.array([*(case.fires for case in rule.cases), polling])
    narrowed = [(other.match, trial(other.cases, other.table)) for other in rules if rule.id in other.filters and other.correlation is None]
    said = cast("dict[str, Any]", document.data.get("filter", document.data.get("detection")))
    count, alive = 0, list["Mutant"]()
    for mutant in mutants({name: part for name, part in said.items() if name != "rules" or "detection" in document.data}):
        match = _compiled(mutant, rule.table, placeholders)
        if match is None:  # no rule, no mutant: a modifier whose values need it
            continue
        count += 1
        if np.array_equal(match(frame), wanted) and not any((fires(cases) & ~match(cases)).any() for fires, cases in narrowed):
            alive.append(mutant)
    return count, alive


def _correlation_survivors(rule: Rule, document: Document, rules: Sequence[Rule], placeholders: Placeholders) -> tuple[int, list[Mutant]]:
    """Each mutant is loaded as the file that it would be; what its cases give then says whether they notice it."""
    count, alive, beside = 0, list["Mutant"](), tuple(sorted(_below(document, rules) - {Path(rule.file)}))
    for name, documents in correlation_mutants([document.data, *(part.data for part in document.parts)]):
        problems = load_text(yaml.dump_all(documents, Dumper=_DUMPER, allow_unicode=True), f"{rule.id}.yml", beside, placeholders)[1]
        checks = {found.check for found in problems if found.blocks}
        if checks - NOTICED:
            continue
        count += 1
        if not checks:
            alive.append(Mutant(name, documents[0]))
    return count, alive


def _below(document: Document, rules: Sequence[Rule]) -> set[Path]:
    """The files of the rules that a correlation looks at, and of those that these look at."""
    found, waiting = set[Path](), [document]
    while waiting:
        part: Any = waiting.pop().data.get("correlation")
        named: Any = cast("dict[str, Any]", part).get("rules") if isinstance(part, dict) else None
        names = set(map(str, cast("list[Any]", named if isinstance(named, list) else [named])))
        new = {Path(rule.file) for rule in rules if names & {rule.id, rule.called}} - found
        found |= new
        waiting += [read(file.read_bytes()) for file in new]
    return found


def explained(data: dict[str, Any]) -> dict[str, Text]:
    """What a rule says to mutants that its tests let live, by their names."""
    parts = data.get("survives")
    entries = [cast("dict[str, Any]", part) for part in cast("list[Any]", parts) if isinstance(part, dict)] if isinstance(parts, list) else []
    return {str(part.get("mutant")): Text(str(part.get("en", "")), str(part.get("zh", ""))) for part in entries}


def _compiled(mutant: Mutant, table: Table, placeholders: Placeholders) -> Predicate | None:
    found = detection(Document({"detection": mutant.detection}), placeholders, table)
    return None if any(fault.blocks for _, fault in found.faults) else found.match
