"""Groups of a composite aggregation as aggregations within each other: half the time where all fits into one answer, which Elasticsearch says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from records.query import Query

Body = dict[str, Any]


class TooManyError(Exception):
    """There are more values of a field than were asked for."""


def room(query: Query, groups: Sequence[Body], width: int, most: int) -> int:
    """How many values of a field may be asked for where an answer has so many buckets at most; 0 where that cannot be said, or is none.

    `width` is the span of a bucket of time in nanoseconds, 0 where there are none.
    """
    if len(groups) > 1 + bool(width):
        return 0
    if not width:
        return most - 2
    if query.since is None or query.until is None:
        return 0
    return max(0, most // ((query.until - query.since) // width + 2) - 2)


def nested(groups: Sequence[Body], inner: Body, size: int) -> Body:
    """These groups, the first outermost, each field with so many values; rows without a value are a group of their own within those of time, else left out."""
    for group in reversed(groups):
        ((name, kind),) = group.items()
        ((how, told),) = kind.items()
        within = {"aggs": inner} if inner else {}
        if how == "terms":
            field = {"field": told["field"]}
            without = {_none(name): {"missing": field, **within}} if len(groups) > 1 else {}
            inner = {name: {how: {**field, "size": size, "shard_size": size}, **within}, **without}
        else:
            inner = {name: {how: {**told, "min_doc_count": 1}, **within}}
    return inner


def combinations(told: Body, groups: Sequence[Body]) -> Iterator[tuple[Body, Body]]:
    """(key, innermost bucket) of the answer. Raises TooManyError."""
    if not groups:
        yield {}, told
        return
    (name,) = groups[0]
    if told[name].get("sum_other_doc_count"):
        raise TooManyError
    found = [(bucket["key"], bucket) for bucket in told[name]["buckets"]]
    if (none := told.get(_none(name))) and none["doc_count"]:
        found.append((None, none))
    for value, bucket in found:
        yield from (({name: value, **key}, inmost) for key, inmost in combinations(bucket, groups[1:]))


def _none(name: str) -> str:
    return f"no {name}"
