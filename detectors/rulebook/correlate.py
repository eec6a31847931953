"""A correlation's file to a rule: what it is made of is found, and its cases are tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from detectors.rulebook.cases import Case, activity_table, case_rows, ordinary
from detectors.rulebook.correlation import Correlation, Fresh
from detectors.rulebook.detection import detection
from detectors.rulebook.frame import Frame
from detectors.rulebook.order import downwards, looked_at
from detectors.rulebook.problems import Fault, nearest, text
from detectors.rulebook.reading import COMMON, Reading, adjustments, head, level, nameless, normal, pair, status, techniques, texts
from detectors.rulebook.rule import OF_CORRELATIONS, Rule, filtered, filters_of
from detectors.rulebook.single import case_fault, judge_cases, listed_key, stated_cases, table_of
from detectors.rulebook.stated import Stated
from records.effects import EFFECTS
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detectors.rulebook.document import Document
    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.predicates import Predicate
    from detectors.rulebook.stated import Meaning
    from records.schema import Table

KEYS: Final = COMMON | {"correlation"}
PART_KEYS: Final = (COMMON - {"id", "tests", "key", "score"}) | {"logsource", "detection", "correlation"}


class Library(Protocol):
    """The other rules of a book, as a correlation asks for them."""

    placeholders: Placeholders

    def rule(self, name: str) -> Rule:
        """The rule of this id or name. Raises Fault where there is none that loads, or where it would go round in a circle."""
        ...

    def narrowed(self, match: Predicate, names: tuple[str, ...], table: Table) -> Predicate:
        """The predicate within the filters that name one of `names`, or that are for any rule on this table."""
        ...

    def tries(self, reading: Reading, rules: Iterable[Rule]) -> bool:
        """Whether the cases of a correlation that looks at these rules are tried."""
        ...


def correlation_rule(reading: Reading, library: Library) -> Rule | None:
    """The rule of a file with a correlation; what is wrong with it stands in the reading. None where it cannot be evaluated."""
    head(reading, KEYS)
    local = _Local(reading, library)
    correlation = local.whole()
    found = Rule(
        id=reading.id,
        file=reading.file,
        title=pair(reading, "title", OF_CORRELATIONS),
        description=pair(reading, "description", OF_CORRELATIONS),
        level=level(reading),
        techniques=tuple(techniques(reading)),
        match=Fresh(correlation) if correlation else Frame.nothing,
        fields=frozenset(local.fields),
        key=tuple(_key(reading, correlation)),
        adjustments=tuple(adjustments(reading, library.placeholders, correlation.table if correlation else ACTIVITY)),
        misses=tuple(texts(reading, "misses")),
        respond=tuple(texts(reading, "respond")),
        normal=normal(reading),
        cases=tuple(_cases(reading, correlation.table if correlation else ACTIVITY)),
        status=status(reading),
        table=correlation.table if correlation else ACTIVITY,
        called=str(reading.data.get("name") or ""),
        correlation=correlation,
        filters=filters_of(correlation),
    )
    nameless(reading, found.techniques, found.cases)
    for name in local.documents.keys() - local.read.keys():
        reading.faults.append((local.documents[name].start, Fault("part-unused", name=name)))
    if correlation is not None:
        if library.tries(reading, local.rules):
            _try_cases(reading, found)
        _seen(reading, correlation, found.cases)
    return found if correlation is not None else None


def _key(reading: Reading, correlation: Correlation | None) -> Iterator[str]:
    """Fields of a correlation's key are among those it groups by, for only those are the same in all of its rows."""
    group = correlation.group if correlation else ()
    for index, name in enumerate(listed_key(reading, group)):
        if name in group:
            yield str(name)
        elif correlation is not None:
            reading.fault(Fault("key-group", name=name, nearest=", ".join(group)), "key", index)


def _cases(reading: Reading, table: Table) -> Iterator[Case]:
    for kind, index, stated in stated_cases(reading):
        try:
            listed = cast("list[Any]", stated) if isinstance(stated, list) else [stated]
            *before, last = case_rows(listed, table) or [{}]
            yield Case(f"{kind} {index + 1}", kind == "fires", last, tuple(before))
        except Fault as fault:
            case_fault(reading, fault, ("tests", kind, index))


def _try_cases(reading: Reading, rule: Rule) -> None:
    """Cases are those of what is written: a filter of a site puts no rule out of force."""
    if not rule.cases or reading.blocked or not reading.tries:
        return
    fresh = filtered(rule).match
    each = [*(case.rows for case in rule.cases), ordinary(rule.table)]
    fired = [bool(fresh(Frame(activity_table(rows, rule.table), rule.table)).any()) for rows in each]
    judge_cases(reading, rule.cases, fired[:-1], polling=fired[-1])


def _seen(reading: Reading, correlation: Correlation, cases: tuple[Case, ...]) -> None:
    """Says where a correlation that looks at rows of their own only is about what is told by the minute."""
    if not correlation.own_rows or correlation.table is not ACTIVITY:
        return
    polled = [row for effect in EFFECTS if not effect.own for row in case_rows([{"ot.effect": effect.name}], ACTIVITY)]
    rows = [*(row for case in cases for row in case.rows if row.get("ot.grouped")), *polled]
    frame = Frame(activity_table(rows))
    for part in correlation.parts:
        if part.match is not None and part.match(frame).any():
            reading.fault(Fault("grouped-unseen", name=part.name, why=text(f"detectors.detail.{_why(correlation)}")), "correlation")


def _why(correlation: Correlation) -> str:
    return "ordered" if correlation.kind == "temporal_ordered" else "short"


class _Local:
    """What the names in one file stand for: parts in its other documents first, then other rules."""

    def __init__(self, reading: Reading, library: Library) -> None:
        self.reading = reading
        self.library = library
        self.documents: dict[str, Document] = {}
        self.read: dict[str, Meaning | None] = {}  # the parts, each once
        self.circles: dict[str, list[str]] = {}
        self.fields: set[str] = set()
        self.rules: list[Rule] = []  # of other files
        for document in reading.document.parts:
            name = document.data.get("name")
            if not isinstance(name, str) or not name or name in self.documents:
                reading.faults.append((document.line("name"), Fault("part-name", name=name)))
            else:
                self.documents[name] = document

    def fault(self, document: Document, fault: Fault, *path: str | int) -> None:
        self.reading.faults.append((document.line(*path), fault))

    def whole(self) -> Correlation | None:
        """The correlation of the file, after the parts that it looks at."""
        graph = {"": looked_at(self.reading.document)} | {name: looked_at(document) for name, document in self.documents.items()}
        (*parts, _), self.circles = downwards(graph, [""])
        for name in parts:
            self.read[name] = self._own(name)
        return self._correlation(self.reading.document)

    def _correlation(self, document: Document) -> Correlation | None:
        return Stated(self.reading, document, lambda name, place: self._meaning(document, name, place)).correlation()

    def _meaning(self, document: Document, name: str, place: tuple[str | int, ...]) -> Meaning | None:
        """What a name stands for: a predicate or a correlation, and what it looks at."""
        if name in self.documents:
            if name not in self.read:
                self.fault(document, Fault("cycle", path=" → ".join((*self.circles[name], name))), *place)
            return self.read.get(name)
        try:
            rule = self.library.rule(name)
        except Fault as fault:
            self.fault(document, fault, *place)
            return None
        self.rules.append(rule)
        self.fields |= rule.fields
        return None if rule.correlation else rule.match, rule.correlation, rule.table

    def _own(self, name: str) -> Meaning | None:
        document = self.documents[name]
        for key in document.data:
            if key not in PART_KEYS:
                self.fault(document, Fault("unknown-key", name=key, nearest=nearest(str(key), PART_KEYS)), str(key))
        if "correlation" in document.data:
            inner = self._correlation(document)
            return (None, inner, inner.table) if inner else None
        table = table_of(document)
        if table is None:
            self.fault(document, Fault("logsource"), "logsource")
            return None
        found = detection(document, self.library.placeholders, table)
        self.reading.faults += found.faults
        self.fields |= set(found.fields)
        return None if found.match is None else (self.library.narrowed(found.match, (self.reading.id,), table), None, table)
