"""Sigma's filters: a document that narrows rules, so that what a site knows to be harmless is written once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from detectors.rulebook.cases import Case, activity_table, case_row
from detectors.rulebook.detection import detection
from detectors.rulebook.frame import Frame
from detectors.rulebook.problems import Fault, nearest
from detectors.rulebook.reading import COMMON, Failure, Reading, head, pair
from detectors.rulebook.rule import Rule
from detectors.rulebook.single import case_fault, stated_cases, table_of
from records.model import Text
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.predicates import Predicate
    from records.schema import Table

KEYS: Final = (COMMON - {"key", "score", "normal", "level"}) | {"logsource", "filter"}


@dataclass(frozen=True, slots=True)
class Filter:
    """Rules that it names fire only where it matches too. `rules` are ids or names; None stands for any rule on this table.

    `rule` is the filter as a rule by itself, which fires on what it keeps and is quiet on what it drops: so its cases are checked and mutated as a rule's.
    """

    rule: Rule
    rules: tuple[str, ...] | None

    @property
    def id(self) -> str:
        """Its identity."""
        return self.rule.id

    @property
    def match(self) -> Predicate:
        """The rows that it keeps."""
        return self.rule.match

    def applies(self, names: Collection[str], table: Table) -> bool:
        """Whether a rule of one of these names is narrowed by it."""
        return table is self.rule.table and (self.rules is None or any(name in names for name in self.rules))


def read_filter(reading: Reading, placeholders: Placeholders) -> Filter | None:
    """The filter of a file; what is wrong with it stands in the reading."""
    head(reading, KEYS)
    table = table_of(reading.document)
    if table is None:
        reading.fault(Fault("logsource"), "logsource")
    found = detection(reading.document, placeholders, table or ACTIVITY, "filter", "rules")
    reading.faults += found.faults
    title = pair(reading, "title", ())
    told = found.match is not None and table is not None
    rule = Rule(
        id=reading.id, file=reading.file, title=title, description=Text("", ""), level="medium", techniques=(), match=found.match or Frame.nothing,
        fields=frozenset(found.fields), key=(), adjustments=(), misses=(), respond=(), normal=None,
        cases=tuple(_cases(reading, table)) if told and table else (), table=table or ACTIVITY,
    )  # fmt: skip
    made = Filter(rule, _rules(reading))
    if told:
        _try_cases(reading, rule)
    return None if reading.blocked else made


def check_names(reading: Reading, made: Filter, known: Collection[str]) -> None:
    """Says which rules it names that there are not: a name with a slip of the pen must not pass for a filter that works."""
    for index, name in enumerate(made.rules or ()):
        if name not in known:
            reading.fault(Fault("reference", name=name, nearest=nearest(name, known)), "filter", "rules", index)


def _rules(reading: Reading) -> tuple[str, ...] | None:
    part: Any = reading.data.get("filter")
    value: Any = cast("dict[str, Any]", part).get("rules") if isinstance(part, dict) else None
    if isinstance(value, str) and value.casefold() == "any":
        return None
    names = cast("list[Any]", value) if isinstance(value, list) else [value]
    if names and all(isinstance(name, str) for name in names):
        return tuple(names)
    reading.fault(Fault("filter-rules"), "filter", "rules")
    return ()


def _cases(reading: Reading, table: Table) -> Iterator[Case]:
    """Its tests: a row that it keeps fires, one that it drops does not."""
    for kind, index, stated in stated_cases(reading, ("keeps", "drops")):
        try:
            if not isinstance(stated, dict):
                raise Fault("case-form")
            yield Case(f"{kind} {index + 1}", kind == "keeps", case_row(cast("dict[str, Any]", stated), table))
        except Fault as fault:
            case_fault(reading, fault, ("tests", kind, index))


def _try_cases(reading: Reading, rule: Rule) -> None:
    """A filter that keeps everything, or nothing, is a mistake: its tests show one row of each."""
    reading.cases = len(rule.cases)
    kept = np.asarray(rule.match(Frame(activity_table([case.activity for case in rule.cases], rule.table), rule.table))).tolist()
    for case, got in zip(rule.cases, kept, strict=True):
        if got != case.fires:
            kind, number = case.name.split()
            told = "keeps" if got else "drops"
            reading.failures.append(Failure(reading.file, reading.id, case.name, kind, told))
            reading.fault(Fault("case", name=case.name, expected=kind, got=told), "tests", kind, int(number) - 1)
