"""A rule on single rows: its file to a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from detectors.rulebook.cases import Case, activity_table, case_row
from detectors.rulebook.detection import Found, detection
from detectors.rulebook.frame import Frame
from detectors.rulebook.problems import Fault, nearest
from detectors.rulebook.reading import COMMON, Failure, Reading, adjustments, head, level, nameless, normal, pair, status, techniques, texts
from detectors.rulebook.rule import OF_POINTS, PLACEHOLDERS, Rule
from records.schema import ACTIVITY, POINT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detectors.rulebook.document import Document
    from detectors.rulebook.placeholders import Placeholders
    from records.schema import Table

KEYS: Final = COMMON | {"logsource", "detection"}
NEUTRAL: Final = frozenset({"ot.effect", "ot.access", "ot.error", "ot.anomaly"})
PROTOCOL: Final = frozenset({"network.protocol", "event.action", "ot.code", "destination.port"})
KEY: Final = {"activity": ("source.ip", "destination.ip"), "point": ("destination.ip", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first")}


def single_rule(reading: Reading, placeholders: Placeholders) -> Rule:
    """The rule of a file; what is wrong with it stands in the reading."""
    table = table_of(reading.document) or ACTIVITY
    head(reading, KEYS)
    if table_of(reading.document) is None:
        reading.fault(Fault("logsource"), "logsource")
    found = detection(reading.document, placeholders, table)
    reading.faults += found.faults
    _neutral(reading, found)
    allowed = OF_POINTS if table is POINT else PLACEHOLDERS
    rule = Rule(
        id=reading.id,
        file=reading.file,
        title=pair(reading, "title", allowed),
        description=pair(reading, "description", allowed),
        level=level(reading),
        techniques=tuple(techniques(reading)),
        match=found.match or Frame.nothing,
        fields=frozenset(found.fields),
        key=tuple(_key(reading, table)),
        adjustments=tuple(adjustments(reading, placeholders, table)),
        misses=tuple(texts(reading, "misses")),
        respond=tuple(texts(reading, "respond")),
        normal=normal(reading),
        cases=tuple(_cases(reading, table)),
        status=status(reading),
        table=table,
        called=str(reading.data.get("name") or ""),
    )
    nameless(reading, rule.techniques, rule.cases)
    if found.match is not None and rule.cases:
        _try_cases(reading, rule)
    return rule


def table_of(document: Document) -> Table | None:
    """What a `logsource:` is about: activities, or points with `category: point`; None where it is about neither."""
    source: Any = document.data.get("logsource")
    said = cast("dict[str, Any]", source) if isinstance(source, dict) else {}
    if said.get("product") != "balefire" or set(said) - {"product", "category", "definition"}:
        return None
    return {None: ACTIVITY, "activity": ACTIVITY, "point": POINT}.get(said.get("category"))


def _neutral(reading: Reading, found: Found) -> None:
    """A rule on protocols serves one protocol; the same rule on effects serves all of them. Which protocol stands on which port is a question of its own."""
    own = PROTOCOL & set(found.fields)
    if own and not NEUTRAL & set(found.fields) and found.table is ACTIVITY and not own >= {"network.protocol", "destination.port"}:
        name = min(own)
        reading.faults.append((found.fields[name], Fault("protocol", name=name)))


def _key(reading: Reading, table: Table) -> Iterator[str]:
    for index, name in enumerate(listed_key(reading, KEY[table.name])):
        known = table.field(str(name))
        if known is None or known.many:
            reading.fault(Fault("field", name=name, nearest=nearest(str(name), table.names)), "key", index)
        else:
            yield known.name


def listed_key(reading: Reading, instead: Iterable[str]) -> list[Any]:
    """The fields under `key:`, or those that count where it is not there."""
    value = reading.data.get("key", list(instead))
    if not isinstance(value, list):
        reading.fault(Fault("key-form", name=value), "key")
        return []
    return cast("list[Any]", value)


def stated_cases(reading: Reading, words: tuple[str, str] = ("fires", "quiet")) -> Iterator[tuple[str, int, Any]]:
    """What stands under `tests:`: the kind, the number from 0 and the case as written."""
    tests: Any = reading.data.get("tests")
    parts = cast("dict[str, Any]", tests) if isinstance(tests, dict) else {}
    for kind in words:
        stated = parts.get(kind)
        if not isinstance(stated, list) or not stated:
            reading.fault(Fault("tests", name=kind), "tests", kind)
            continue
        for index, one in enumerate(cast("list[Any]", stated)):
            yield kind, index, one
    for key in set(parts) - set(words):
        reading.fault(Fault("unknown-key", name=key, nearest=", ".join(words)), "tests", key)


def _cases(reading: Reading, table: Table) -> Iterator[Case]:
    for kind, index, stated in stated_cases(reading):
        try:
            if not isinstance(stated, dict):
                raise Fault("case-form")
            yield Case(f"{kind} {index + 1}", kind == "fires", case_row(cast("dict[str, Any]", stated), table))
        except Fault as fault:
            case_fault(reading, fault, ("tests", kind, index))


def case_fault(reading: Reading, fault: Fault, path: tuple[str | int, ...]) -> None:
    """What is wrong with a case, at the line of the field that it is about."""
    name = str(fault.values.get("name", ""))
    flat = (*path, name)
    reading.fault(fault, *(flat if flat in reading.document.lines else (*path, *name.split("."))))


def _try_cases(reading: Reading, rule: Rule) -> None:
    rows = [*(case.activity for case in rule.cases), case_row({}, rule.table)]
    fired: list[bool] = np.asarray(rule.match(Frame(activity_table(rows, rule.table), rule.table))).tolist()
    judge_cases(reading, rule.cases, fired[:-1], polling=fired[-1])


def judge_cases(reading: Reading, cases: tuple[Case, ...], fired: list[bool], *, polling: bool) -> None:
    """Compares what the cases should do with what they did; `polling` tells whether the rule fired on ordinary polling."""
    reading.cases = len(cases)
    if not reading.tries:
        return
    if polling:
        reading.fault(Fault("polling"), "detection" if "detection" in reading.data else "correlation")
    words = {True: "fires", False: "quiet"}
    for case, got in zip(cases, fired, strict=True):
        if got != case.fires:
            kind, number = case.name.split()
            reading.failures.append(Failure(reading.file, reading.id, case.name, words[case.fires], words[got]))
            reading.fault(Fault("case", name=case.name, expected=words[case.fires], got=words[got]), "tests", kind, int(number) - 1)
