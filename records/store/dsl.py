"""Conditions as Elasticsearch's query DSL (https://www.elastic.co/guide/en/elasticsearch/reference/8.19/query-dsl.html), over the fields of the schema.

Keywords are `keyword` fields, addresses `ip`, dates `date_nanos`. Everything is filtering, nothing is scored. Elasticsearch ignores the case of ASCII
letters only; Balefire's own indices (`own`) hold each text in small letters too (FOLDED), and beside each document the fields that are known though
the index cannot tell (KNOWN).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from records.errors import UsageError
from records.nesting import iso
from records.search import And, Exists, Match, Not, Or, Range, Wildcard, field_of
from records.store.columns import address_key

if TYPE_CHECKING:
    from records.schema import Field, Table
    from records.search import Condition, Value

Clause = dict[str, Any]
FOLDED: Final = "folded"
KNOWN: Final = "balefire.known"
LEAST_ZERO: Final = -0.0  # to Elasticsearch it is another number than zero, the next smaller one
MOST_TERMS: Final = 60_000  # Elasticsearch takes 65,536 in one clause
NOTHING: Final[Clause] = {"match_none": {}}
EVERYTHING: Final[Clause] = {"match_all": {}}
STRAY: Final[Clause] = {"bool": {"must_not": [{"exists": {"field": f"balefire.{name}"}} for name in ("commit", "written")]}}  # what no writer of ours wrote


def clause(table: Table, wanted: Condition, *, own: bool = False) -> Clause:
    """A condition on rows of this table as one query clause. An absent field matches nothing, so its negation holds."""
    match wanted:
        case And(parts):
            return _all([clause(table, part, own=own) for part in parts]) if parts else EVERYTHING
        case Or(parts):
            return _any(_alternatives(table, parts) if own else [clause(table, part) for part in parts])
        case Not(part):
            return {"bool": {"must_not": [clause(table, part, own=own)]}}
        case Exists(name):
            return _exists(field_of(table, name).name, own)
        case Match(name, value, cased):
            return _equal(field_of(table, name), value, cased, own)
        case Wildcard(name, pattern, cased):
            return _like(field_of(table, name), pattern, cased, own)
        case Range(name, None, None):
            return _exists(field_of(table, name).name, own)
        case Range(name):
            by = field_of(table, name)
            return {"range": {_folded(by) if own else by.name: _bounds(by, wanted)}}
        case _:
            assert_never(wanted)


def of_these(field: str, values: list[str]) -> Clause:
    """The field has one of these values, however many there are."""
    return _any([{"terms": {field: values[start : start + MOST_TERMS]}} for start in range(0, len(values), MOST_TERMS)])


def _all(parts: list[Clause]) -> Clause:
    return {"bool": {"filter": parts}}


def _any(parts: list[Clause]) -> Clause:
    return {"bool": {"should": parts, "minimum_should_match": 1}} if parts else NOTHING


def _alternatives(table: Table, parts: tuple[Condition, ...]) -> list[Clause]:
    """Alternatives, where many values of one field are one clause: Elasticsearch bounds how many there may be."""
    values: dict[str, list[str]] = {}
    others: list[Clause] = []
    for part in parts:
        by = field_of(table, part.field) if isinstance(part, Match) else None
        if isinstance(part, Match) and by and by.type == "keyword":
            values.setdefault(by.name if part.cased else _folded(by), []).append(str(part.value))
        else:
            others.append(clause(table, part, own=True))
    return [*(each for name in values for each in [of_these(name, values[name])]), *others]


def _folded(by: Field) -> str:
    return f"{by.name}.{FOLDED}" if by.type in {"keyword", "text"} else by.name


def _exists(name: str, own: bool) -> Clause:
    found: Clause = {"exists": {"field": name}}
    return _any([found, {"term": {KNOWN: name}}]) if own else found


def _equal(by: Field, value: Value, cased: bool, own: bool) -> Clause:
    if by.type == "text":
        escaped = "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in str(value))
        return _like(by, escaped, cased, own)
    if by.type == "keyword":
        return _word("term", by, str(value), cased, own)
    if by.type == "json":
        raise UsageError("search.type_json", field=by.name, value=value)
    if by.type == "ip" and address_key(str(value)) is None:
        return NOTHING
    if by.type == "double" and value == 0:
        return {"range": {by.name: {"gte": LEAST_ZERO, "lte": 0.0}}}
    return {"term": {by.name: {"value": _value(by, value)}}}


def _like(by: Field, pattern: str, cased: bool, own: bool) -> Clause:
    return _word("wildcard", by, f"*{pattern}*" if by.type == "text" else pattern, cased, own)


def _word(kind: str, by: Field, value: str, cased: bool, own: bool) -> Clause:
    if own:
        return {kind: {by.name if cased else _folded(by): {"value": value}}}
    return {kind: {by.name: {"value": value} | ({} if cased else {"case_insensitive": True})}}


def _bounds(by: Field, wanted: Range) -> Clause:
    low, high = wanted.low, wanted.high
    if by.type == "double":
        low = LEAST_ZERO if low == 0 and wanted.include_low else low
        high = LEAST_ZERO if high == 0 and not wanted.include_high else high
    above = {} if low is None else {"gte" if wanted.include_low else "gt": _value(by, low)}
    below = {} if high is None else {"lte" if wanted.include_high else "lt": _value(by, high)}
    return above | below


def _value(by: Field, value: Value) -> Value:
    return iso(int(value)) if by.type == "date" else value
