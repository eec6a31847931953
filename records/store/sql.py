"""Queries as DuckDB SQL. Names come from the schema alone; every value is bound, never written into the text."""

# ruff: noqa: S608 - the text holds names of the schema and placeholders only; this file is where that is so
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, assert_never

from records.errors import UsageError
from records.search import And, Exists, Match, Not, Or, Range, Wildcard, field_of
from records.store.columns import RELEASED, SORTABLE, address_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from records.query import Histogram, Query, Terms
    from records.schema import Field, Table
    from records.search import Condition, Value

FEW: Final = 4  # values of one field that stand in a text one by one


@dataclass(slots=True)
class Statement:
    """One query under construction: its bound values. `source` is what stands after FROM, trusted text; `each` is how many rows one of its rows stands for.

    `spelled`: how the addresses asked for stand in a source that has no sortable form of them.
    """

    table: Table
    source: str
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    each: str = "1"
    spelled: Mapping[Match, Sequence[str]] | None = None

    def bind(self, value: Any) -> str:
        """The placeholder of a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"

    def rows(self, query: Query, mark: tuple[Any] | None = None, names: Sequence[str] = ()) -> str:
        """The page that `query` asks for; `mark` is the sort value of the row `query.after`, dates as nanoseconds.

        `names` are the columns (all where empty).
        """
        by, descending = sort_field(self.table, query)
        key, down = _order(by), " DESC" if descending else ""
        where = self.where(query)
        if mark is not None:
            where += f" AND ({self._beyond(by, descending, mark[0], query.after)})"
        limit = "" if query.limit is None else f" LIMIT {self.bind(max(0, query.limit))}"
        columns = ", ".join(map(quote, names or self.table.names))
        return f"SELECT {columns} FROM {self.source} WHERE {where} ORDER BY {key}{down} NULLS LAST, id{down}{limit}"

    def history(self, query: Query, names: Sequence[str], *, ordered: bool) -> str:
        """These columns of the rows of the query's time and search. What a version stored that kept no order comes first, by time."""
        order = f" ORDER BY {quote(RELEASED)} NULLS FIRST, {quote(self.table.time)}" if ordered else ""
        return f"SELECT {', '.join(map(quote, names))} FROM {self.source} WHERE {self.where(query)}{order}"

    def mark(self, query: Query) -> str:
        """The sort value of the row `query.after`."""
        by, _ = sort_field(self.table, query)
        key = f"epoch_ns({quote(by.name)})" if by.type == "date" else _order(by)
        return f"SELECT {key} FROM {self.source} WHERE id = {self.bind(query.after)} LIMIT 1"

    def _beyond(self, by: Field, descending: bool, value: Any, identity: str) -> str:
        key, than = _order(by), "<" if descending else ">"
        tie = f"id {than} {self.bind(identity)}"
        if value is None:
            return f"{key} IS NULL AND {tie}"
        bound = f"make_timestamp_ns({self.bind(value)})" if by.type == "date" else self.bind(value)
        return f"{key} {than} {bound} OR ({key} = {bound} AND {tie}) OR {key} IS NULL"

    def count(self, query: Query) -> str:
        """How many rows match."""
        counted = "count(*)" if self.each == "1" else f"CAST(coalesce(sum({self.each}), 0) AS BIGINT)"
        return f"SELECT {counted} FROM {self.source} WHERE {self.where(query)}"

    def sums(self, query: Query, fields: Sequence[str]) -> str:
        """A row with the sum of each field."""
        summed = ", ".join(f"CAST(coalesce(sum({self._summed(name)}), 0) AS BIGINT) AS {quote(name)}" for name in fields)
        return f"SELECT {summed} FROM {self.source} WHERE {self.where(query)}"

    def histogram(self, query: Query, wanted: Histogram) -> str:
        """Columns time (nanoseconds), by (where asked), total."""
        time, width = f"epoch_ns({quote(self.table.time)})", self.bind(max(1, wanted.interval))
        by = f', {self._grouped(field_of(self.table, wanted.by))} AS "by"' if wanted.by else ""
        inner = f'SELECT ({time} - (({time} % {width}) + {width}) % {width}) AS "time"{by}, {self._summed(wanted.total)} AS n'
        group = '"time", "by"' if by else '"time"'
        where = f"{quote(self.table.time)} IS NOT NULL AND {self.where(query)}"
        return f"SELECT {group}, sum(n) AS total FROM ({inner} FROM {self.source} WHERE {where}) GROUP BY {group} ORDER BY {group} NULLS LAST"

    def terms(self, query: Query, wanted: Terms) -> str:
        """Columns of the fields and total; rows that know none of the fields do not count."""
        fields = [field_of(self.table, name) for name in wanted.fields]
        names = ", ".join(quote(f.name) for f in fields)
        inner = ", ".join(f"{self._grouped(f)} AS {quote(f.name)}" for f in fields)
        known = " OR ".join(f"{quote(f.name)} IS NOT NULL" for f in fields)
        rows = f"SELECT {inner}, {self._summed(wanted.total)} AS n FROM {self.source} WHERE {self.where(query)}"
        ties = ", ".join(f"{quote(f.name)} NULLS LAST" for f in fields)
        return (
            f"SELECT {names}, sum(n) AS total FROM ({rows}) WHERE {known} GROUP BY {names} "
            f"ORDER BY total DESC NULLS LAST, {ties} LIMIT {self.bind(max(0, wanted.size))}"
        )

    def _grouped(self, by: Field) -> str:
        if by.type == "json":
            raise UsageError("store.group", field=by.name)
        name = quote(by.name)
        return f"unnest(CASE WHEN len({name}) > 0 THEN list_distinct({name}) ELSE [NULL] END)" if by.many else name

    def _summed(self, total: str) -> str:
        if not total:
            return self.each
        summed = field_of(self.table, total)
        if summed.type not in {"long", "double"}:
            raise UsageError("store.total", field=summed.name)
        return f"coalesce({quote(summed.name)}, 0)"

    def where(self, query: Query) -> str:
        """The rows of the query's time, search and identities."""
        time, parts = quote(self.table.time), ["true"]
        if query.since is not None:
            parts.append(f"{time} >= make_timestamp_ns({self.bind(query.since)})")
        if query.until is not None:
            parts.append(f"{time} < make_timestamp_ns({self.bind(query.until)})")
        if query.where is not None:
            parts.append(self.condition(query.where))
        if query.ids is not None:
            parts.append(f"id IN (SELECT unnest({self.bind(list(query.ids))}::VARCHAR[]))")
        return " AND ".join(parts)

    def condition(self, wanted: Condition) -> str:
        """A condition as SQL. NULL stands for false; only a negation has to know, so only there it is made false."""
        match wanted:
            case And(parts):
                return _joined([self.condition(part) for part in parts], "AND", "true")
            case Or(parts):
                return _joined(self._either(parts), "OR", "false")
            case Not(part):
                return f"NOT coalesce({self.condition(part)}, false)"
            case Exists(name):
                known = field_of(self.table, name)
                return f"len({quote(known.name)}) > 0" if known.many else f"{quote(known.name)} IS NOT NULL"
            case Match(name) | Wildcard(name) | Range(name):
                return self._any(field_of(self.table, name), wanted)
            case _:
                assert_never(wanted)

    def _either(self, parts: Sequence[Condition]) -> list[str]:
        """Tests of which one has to hold. Many values of one field are one test: DuckDB takes its time with a long text."""
        values: dict[str, list[str]] = {}
        for part in parts:
            if isinstance(part, Match) and part.cased and field_of(self.table, part.field).type == "keyword":
                values.setdefault(field_of(self.table, part.field).name, []).append(str(part.value))
        several = {name: told for name, told in values.items() if len(told) > FEW}
        tests = [self.condition(part) for part in parts if not (isinstance(part, Match) and part.cased and field_of(self.table, part.field).name in several)]
        for name, told in several.items():
            wanted = f"{self.bind(told)}::VARCHAR[]"
            tests.append(f"list_has_any({quote(name)}, {wanted})" if field_of(self.table, name).many else f"{quote(name)} IN (SELECT unnest({wanted}))")
        return tests

    def _any(self, by: Field, wanted: Match | Wildcard | Range) -> str:
        """The test of the field's value, or of any of its values."""
        if self.spelled is not None and isinstance(wanted, Match) and wanted in self.spelled:
            return f"{quote(by.name)} IN (SELECT unnest({self.bind(list(self.spelled[wanted]))}::VARCHAR[]))"
        if not by.many:
            return f"({self._test(by, quote(by.name), wanted)})"
        return f"list_bool_or(list_transform({quote(by.name)}, lambda x: {self._test(by, 'x', wanted)}))"

    def _test(self, by: Field, column: str, wanted: Match | Wildcard | Range) -> str:
        match wanted:
            case Wildcard(_, pattern, cased):
                whole = "%" if by.type in {"text", "json"} else ""
                shape = self.bind(whole + like(pattern) + whole)
                return f"{column} LIKE {shape} ESCAPE '!'" if cased else f"lower({column}) LIKE lower({shape}) ESCAPE '!'"
            case Match(_, value, True) if by.type in {"keyword", "text"}:
                return f"contains({column}, {self.bind(str(value))})" if by.type == "text" else f"{column} = {self.bind(str(value))}"
            case Match(_, value) if by.type == "text":
                return f"contains(lower({column}), lower({self.bind(str(value))}))"
            case Match(_, value):
                return f"{_comparable(by, column)} = {self._comparable_value(by, value)}"
            case Range(_, low, high, include_low, include_high):
                name = _comparable(by, column)
                parts = [f"{column} IS NOT NULL"]
                if low is not None:
                    parts.append(f"{name} {'>=' if include_low else '>'} {self._comparable_value(by, low)}")
                if high is not None:
                    parts.append(f"{name} {'<=' if include_high else '<'} {self._comparable_value(by, high)}")
                return " AND ".join(parts)

    def _comparable_value(self, by: Field, value: Value) -> str:
        if by.type == "ip":
            return self.bind(address_key(str(value)))
        if by.type == "date":
            return f"make_timestamp_ns({self.bind(value)})"
        if by.type in {"keyword", "text", "json"}:
            return f"lower({self.bind(str(value))})"
        return self.bind(value)


def quote(name: str) -> str:
    """An identifier; schema names hold no quotation mark."""
    return f'"{name}"'


def like(pattern: str) -> str:
    """A wildcard pattern as LIKE wants it, with `!` as its escape."""
    out: list[str] = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            out.append(_literal(next(letters, "\\")))
        else:
            out.append({"*": "%", "?": "_"}.get(letter) or _literal(letter))
    return "".join(out)


def _literal(letter: str) -> str:
    return f"!{letter}" if letter in "%_!" else letter


def _joined(parts: list[str], word: str, empty: str) -> str:
    """Halves of halves, since DuckDB bounds how deep a chain of operators may be."""
    if len(parts) <= 2:
        return f"({f' {word} '.join(parts)})" if parts else empty
    half = len(parts) // 2
    return f"({_joined(parts[:half], word, empty)} {word} {_joined(parts[half:], word, empty)})"


def _comparable(by: Field, column: str) -> str:
    if by.type == "ip":
        return quote(by.name + SORTABLE)
    return f"lower({column})" if by.type in {"keyword", "text", "json"} else column


def _order(by: Field) -> str:
    return quote(by.name + SORTABLE) if by.type == "ip" else quote(by.name)


def sort_field(table: Table, query: Query) -> tuple[Field, bool]:
    """(the field to sort by, newest first). Raises UsageError for one that has no order."""
    by = field_of(table, query.sort.removeprefix("-") or table.time)
    if by.many or by.type == "json":
        raise UsageError("store.sort", field=by.name)
    return by, query.sort.startswith("-")
