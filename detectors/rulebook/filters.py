"""Sigma's filters: a document that narrows rules, so that what a site knows to be harmless is written once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from detectors.rulebook.cases import activity_table, case_row
from detectors.rulebook.detection import detection
from detectors.rulebook.frame import Frame
from detectors.rulebook.problems import Fault, nearest
from detectors.rulebook.reading import COMMON, Failure, Reading, head, pair
from detectors.rulebook.single import case_fault, stated_cases, table_of
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Collection

    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.predicates import Predicate
    from records.model import Text
    from records.schema import Table

KEYS: Final = (COMMON - {"key", "score", "normal", "level"}) | {"logsource", "filter"}


@dataclass(frozen=True, slots=True)
class Filter:
    """Rules that it names fire only where it matches too. `rules` are ids or names; None stands for any rule on this table."""

    id: str
    file: str
    title: Text
    rules: tuple[str, ...] | None
    match: Predicate
    table: Table

    def applies(self, names: Collection[str], table: Table) -> bool:
        """Whether a rule of one of these names is narrowed by it."""
        return table is self.table and (self.rules is None or any(name in names for name in self.rules))


def read_filter(reading: Reading, placeholders: Placeholders) -> Filter | None:
    """The filter of a file; what is wrong with it stands in the reading."""
    head(reading, KEYS)
    table = table_of(reading.document)
    if table is None:
        reading.fault(Fault("logsource"), "logsource")
    found = detection(reading.document, placeholders, table or ACTIVITY, "filter", "rules")
    reading.faults += found.faults
    made = Filter(reading.id, reading.file, pair(reading, "title", ()), _rules(reading), found.match or Frame.nothing, table or ACTIVITY)
    if found.match is not None and table is not None:
        _try_cases(reading, made)
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


def _try_cases(reading: Reading, made: Filter) -> None:
    """A filter that keeps everything, or nothing, is a mistake: its tests show one row of each."""
    rows: list[dict[str, Any]] = []
    names: list[tuple[str, int]] = []
    for kind, index, stated in stated_cases(reading, ("keeps", "drops")):
        try:
            if not isinstance(stated, dict):
                raise Fault("case-form")
            rows.append(case_row(cast("dict[str, Any]", stated), made.table))
            names.append((kind, index))
        except Fault as fault:
            case_fault(reading, fault, ("tests", kind, index))
    reading.cases = len(rows)
    kept = np.asarray(made.match(Frame(activity_table(rows, made.table), made.table))).tolist()
    for (kind, index), got in zip(names, kept, strict=True):
        told = "keeps" if got else "drops"
        if told != kind:
            reading.failures.append(Failure(reading.file, reading.id, f"{kind} {index + 1}", kind, told))
            reading.fault(Fault("case", name=f"{kind} {index + 1}", expected=kind, got=told), "tests", kind, index)
