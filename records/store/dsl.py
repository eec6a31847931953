"""Conditions as Elasticsearch's query DSL (https://www.elastic.co/guide/en/elasticsearch/reference/8.19/query-dsl.html), over the fields of the schema.

Keywords are `keyword` fields, addresses `ip`, dates `date_nanos`. Everything is filtering, nothing is scored. Elasticsearch ignores the case of ASCII
letters only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, assert_never

from records.nesting import iso
from records.search import And, Exists, Match, Not, Or, Range, Wildcard, field_of

if TYPE_CHECKING:
    from records.schema import Field, Table
    from records.search import Condition, Value

Clause = dict[str, Any]
LEAST_ZERO: Final = -0.0  # to Elasticsearch it is another number than zero, the next smaller one


def clause(table: Table, wanted: Condition) -> Clause:
    """A condition on rows of this table as one query clause. An absent field matches nothing, so its negation holds."""
    match wanted:
        case And(parts):
            return {"bool": {"filter": [clause(table, part) for part in parts]}} if parts else {"match_all": {}}
        case Or(parts):
            return {"bool": {"should": [clause(table, part) for part in parts], "minimum_should_match": 1}} if parts else {"match_none": {}}
        case Not(part):
            return {"bool": {"must_not": [clause(table, part)]}}
        case Exists(name):
            return {"exists": {"field": field_of(table, name).name}}
        case Match(name, value, cased):
            return _equal(field_of(table, name), value, cased)
        case Wildcard(name, pattern, cased):
            return _like(field_of(table, name), pattern, cased)
        case Range(name):
            return {"range": {field_of(table, name).name: _bounds(field_of(table, name), wanted)}}
        case _:
            assert_never(wanted)


def _equal(by: Field, value: Value, cased: bool) -> Clause:
    if by.type == "text":
        escaped = "".join(f"\\{letter}" if letter in "*?\\" else letter for letter in str(value))
        return _like(by, escaped, cased)
    if by.type == "keyword":
        return {"term": {by.name: {"value": str(value)} | ({} if cased else {"case_insensitive": True})}}
    if by.type == "double" and value == 0:
        return {"range": {by.name: {"gte": LEAST_ZERO, "lte": 0.0}}}
    return {"term": {by.name: {"value": _value(by, value)}}}


def _like(by: Field, pattern: str, cased: bool) -> Clause:
    whole = f"*{pattern}*" if by.type == "text" else pattern
    return {"wildcard": {by.name: {"value": whole} | ({} if cased else {"case_insensitive": True})}}


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
