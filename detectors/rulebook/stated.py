"""The `correlation:` of a document, read key by key, with pySigma's words for spans of time and conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationTimespan,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from detectors.rulebook.correlation import COUNTING, KINDS, OF_VALUES, SECOND, TEMPORAL, Conjunct, Correlation, Part
from detectors.rulebook.detection import check_condition, unread
from detectors.rulebook.frame import NUMBERS
from detectors.rulebook.problems import Fault, nearest, text
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from detectors.rulebook.document import Document
    from detectors.rulebook.predicates import Predicate
    from detectors.rulebook.reading import Reading
    from records.schema import Field, Table

OF_A_CORRELATION: Final = frozenset({"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"})
BOUNDS: Final = ("gt", "gte", "lt", "lte", "eq", "neq")
MOST_PARTS: Final = 32
DEEPEST: Final = 4  # correlations of correlations; each remembers rows of its own
MOST_IN_ALL: Final = 128  # parts, with those of the correlations among them: two parts that each look at two are as many again at every step
MOST_WAYS: Final = 64
LONGEST: Final = 366 * 86_400  # seconds of a span

Meaning = tuple["Predicate | None", "Correlation | None", "Table"]


class Stated:
    """The `correlation:` of one document, read key by key."""

    def __init__(self, reading: Reading, document: Document, meaning: Callable[[str, tuple[str | int, ...]], Meaning | None]) -> None:
        said: Any = document.data.get("correlation")
        self.reading = reading
        self.document = document
        self.meaning = meaning  # what a name stands for; its faults are told at the place given
        self.said = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
        self.kind = str(self.said.get("type"))

    def fault(self, fault: Fault, *path: str | int) -> None:
        """Something is wrong at this place of the correlation."""
        self.reading.faults.append((self.document.line("correlation", *path), fault))

    def correlation(self) -> Correlation | None:
        """All of it, or None where a part of it is wrong; each fault has its line."""
        if not self.said:
            self.fault(Fault("correlation-form"))
            return None
        before = sum(fault.blocks for _, fault in self.reading.faults)
        for key in self.said:
            if key not in OF_A_CORRELATION:
                self.fault(Fault("unknown-key", name=key, nearest=nearest(str(key), OF_A_CORRELATION)), str(key))
        if self.kind not in KINDS:
            self.fault(Fault("correlation-type", name=self.said.get("type"), nearest=", ".join(KINDS)), "type")
            return None
        condition = self._expression()
        names = self._names(condition)
        found = [self.meaning(name, ("correlation", "rules", index)) for index, name in enumerate(names)]
        parts = [one for one in found if one is not None]
        if len(parts) < len(found) or not parts:
            return None
        table = self._table([one for _, _, one in parts])
        groups = self._groups(names, table)
        span = self._span()
        made = Correlation(
            kind=self.kind,
            parts=tuple(Part(name, group, match, inner) for name, group, (match, inner, _) in zip(names, groups, parts, strict=True)),
            group=tuple(self._group_names()),
            span=span * SECOND,
            timespan=str(self.said.get("timespan")),
            table=table,
            bounds=tuple(self._bounds()),
            wanted=self._wanted(condition, names),
            measured=tuple(self._measured(table)),
            percentile=self._percentile(),
        )
        if made.depth > DEEPEST or made.size > MOST_IN_ALL:
            self.fault(Fault("nested", depth=made.depth, deepest=DEEPEST, size=made.size, most=MOST_IN_ALL), "rules")
        if table is not ACTIVITY and made.own_rows:
            self.fault(Fault("points-by-minute"), "type" if self.kind == "temporal_ordered" else "timespan")
        return made if sum(fault.blocks for _, fault in self.reading.faults) == before else None

    # ---- what it looks at ----------------------------------------------------------------------------------------------------------------------

    def _names(self, condition: SigmaExtendedCorrelationCondition | None) -> list[str]:
        value = self.said.get("rules")
        if value is None and condition is not None:
            return condition.get_referenced_rules()
        names: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names) or len(names) > MOST_PARTS:
            self.fault(Fault("correlation-rules", most=MOST_PARTS), "rules")
            return []
        return names

    def _table(self, tables: list[Table]) -> Table:
        if any(table is not tables[0] for table in tables):
            self.fault(Fault("mixed-tables"), "rules")
        return tables[0]

    def _group_names(self) -> list[str]:
        value: Any = self.said.get("group-by")
        return [str(name) for name in (cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value])]

    def _groups(self, names: list[str], table: Table) -> list[tuple[Field, ...]]:
        """The fields to group by, of each part."""
        aliases = self._aliases(names, table)
        groups: list[list[Field]] = [[] for _ in names]
        for index, name in enumerate(self._group_names()):
            if name in aliases:
                chosen: list[Field | None] = [aliases[name].get(part) for part in names]
                if None in chosen:
                    self.fault(Fault("alias-field", name=name, rule=names[chosen.index(None)]), "aliases", name)
            else:
                chosen = [self._field(name, table, "group-by", index)] * len(names)
            for group, field in zip(groups, chosen, strict=True):
                group += [field] if field else []
        return [tuple(group) for group in groups]

    def _aliases(self, names: list[str], table: Table) -> dict[str, dict[str, Field]]:
        value: Any = self.said.get("aliases") or {}
        if not isinstance(value, dict):
            self.fault(Fault("alias-form"), "aliases")
            return {}
        found: dict[str, dict[str, Field]] = {}
        for alias, fields in cast("dict[Any, Any]", value).items():
            found[str(alias)] = {}
            if not isinstance(fields, dict):
                self.fault(Fault("alias-form"), "aliases", str(alias))
                continue
            for part, name in cast("dict[Any, Any]", fields).items():
                if part not in names:
                    self.fault(Fault("reference", name=part, nearest=nearest(str(part), names)), "aliases", str(alias), str(part))
                elif (field := self._field(name, table, "aliases", str(alias), str(part))) is not None:
                    found[str(alias)][str(part)] = field
        return found

    def _field(self, name: Any, table: Table, *path: str | int) -> Field | None:
        field = table.field(str(name))
        if field is None:
            self.fault(Fault("field", name=name, nearest=nearest(str(name), table.names)), *path)
        elif field.many or field.type == "date":
            self.fault(Fault("group-field", name=name), *path)
        else:
            return field
        return None

    # ---- what must be true ---------------------------------------------------------------------------------------------------------------------

    def _span(self) -> int:
        """Seconds."""
        try:
            span = SigmaCorrelationTimespan(cast("str", self.said.get("timespan")))
        except SigmaError:
            self.fault(Fault("timespan", name=self.said.get("timespan")), "timespan")
            return 1
        if span.seconds > LONGEST:
            self.fault(Fault("timespan", name=self.said.get("timespan")), "timespan")
        return span.seconds

    def _expression(self) -> SigmaExtendedCorrelationCondition | None:
        """The condition over rules, where it is one."""
        value = self.said.get("condition")
        if not isinstance(value, str):
            return None
        if self.kind not in TEMPORAL:
            self.fault(Fault("bounds", nearest=", ".join(BOUNDS)), "condition")
            return None
        lowered = value
        try:
            return SigmaExtendedCorrelationCondition(lowered := _lowered(check_condition(value)))
        except Fault as fault:
            self.fault(fault, "condition")
        except SigmaError as error:
            self.fault(Fault("condition", detail=unread(str(error), lowered)), "condition")
        except (RecursionError, AttributeError):  # in Python's words
            self.fault(Fault("condition", detail=text("detectors.detail.unread")), "condition")
        return None

    def _bounds(self) -> Iterator[tuple[str, float]]:
        value: Any = self.said.get("condition")
        if isinstance(value, str) or (value is None and self.kind in TEMPORAL):
            return
        said = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        bounds = [name for name in said if name in BOUNDS]
        for name in said:
            if name not in {*BOUNDS, "field", "percentile"}:
                self.fault(Fault("unknown-key", name=name, nearest=", ".join((*BOUNDS, "field", "percentile"))), "condition", str(name))
        if not bounds:
            self.fault(Fault("bounds", nearest=", ".join(BOUNDS)), "condition")
        for name in bounds:
            try:
                if isinstance(said[name], bool) or not isinstance(said[name], (int, float)):
                    raise Fault("bounds", nearest=", ".join(BOUNDS))
                yield name, SigmaCorrelationCondition.from_dict({name: said[name]}).count
            except (SigmaError, Fault):
                self.fault(Fault("bounds", nearest=", ".join(BOUNDS)), "condition", name)
        if bounds and self.kind in COUNTING | TEMPORAL and not {"gt", "gte", "eq"} & set(bounds):
            self.fault(Fault("only-upper"), "condition")

    def _wanted(self, expression: SigmaExtendedCorrelationCondition | None, names: list[str]) -> tuple[Conjunct, ...]:
        if self.kind not in TEMPORAL or isinstance(self.said.get("condition"), dict):
            return ()
        if expression is None:
            return (Conjunct(tuple(range(len(names)))),)
        try:
            ways = [Conjunct(tuple(map(names.index, there)), tuple(map(names.index, absent))) for there, absent in _ways(expression.parsed)]
            if not all(way.there for way in ways):
                raise Fault("condition", detail=text("detectors.detail.nothing_there"))
        except ValueError:
            unknown = [name for name in expression.get_referenced_rules() if name not in names]
            self.fault(Fault("reference", name=", ".join(unknown), nearest=", ".join(names)), "condition")
        except Fault as fault:
            self.fault(fault, "condition")
        else:
            for name in set(names) - set(expression.get_referenced_rules()):
                self.fault(Fault("part-unused", name=name), "condition")
            return tuple(ways)
        return ()

    def _measured(self, table: Table) -> Iterator[Field]:
        condition: Any = self.said.get("condition")
        value: Any = cast("dict[str, Any]", condition).get("field") if isinstance(condition, dict) else None
        names = cast("list[Any]", value) if isinstance(value, list) else [] if value is None else [value]
        needed = self.kind in OF_VALUES or self.kind == "value_count"
        if bool(names) != needed or (self.kind in OF_VALUES and len(names) > 1):
            self.fault(Fault("measured", kind=self.kind), "condition")
        for name in names:
            field = table.field(str(name))
            if field is None:
                self.fault(Fault("field", name=name, nearest=nearest(str(name), table.names)), "condition", "field")
            elif (self.kind in OF_VALUES and field.type not in NUMBERS) or (field.many and len(names) > 1):
                self.fault(Fault("measured", kind=self.kind), "condition", "field")
            else:
                yield field

    def _percentile(self) -> int:
        condition: Any = self.said.get("condition")
        value: Any = cast("dict[str, Any]", condition).get("percentile") if isinstance(condition, dict) else None
        if self.kind != "value_percentile" and value is None:
            return 50
        if self.kind != "value_percentile" or isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
            self.fault(Fault("percentile"), "condition", "percentile")
            return 50
        return value


def _lowered(condition: str) -> str:
    """The condition with `AND` as `and`: the specification's own examples have both."""
    return " ".join(word.lower() if word.lower() in {"and", "or", "not"} else word for word in condition.replace("(", " ( ").replace(")", " ) ").split())


def _ways(node: Any, negated: bool = False) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Every way for a condition to be true: rules that are there, in the order of the condition, and rules that are not."""
    if isinstance(node, SigmaRuleReference):
        return [((), (node.reference,))] if negated else [((node.reference,), ())]
    if isinstance(node, CorrelationConditionNOT):
        return _ways(node.args[0], not negated)
    parts = [_ways(part, negated) for part in cast("CorrelationConditionAND | CorrelationConditionOR", node).args]
    if isinstance(node, CorrelationConditionOR) != negated:
        found = [way for part in parts for way in part]
    else:
        found = [((), ())]
        for part in parts:
            found = [(tuple(dict.fromkeys(left[0] + right[0])), tuple(dict.fromkeys(left[1] + right[1]))) for left in found for right in part]
            if len(found) > MOST_WAYS:
                raise Fault("condition", detail=text("detectors.detail.ways", most=MOST_WAYS))
    return found
