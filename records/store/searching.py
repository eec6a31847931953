"""Questions to the indices of a store: pages, streams of rows, counts over time and by value. Nothing loads a whole index: what is long comes in parts."""

from __future__ import annotations

import heapq
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from records.errors import StoreError, UsageError
from records.nesting import iso
from records.schema import TABLES, arrow_schema
from records.search import field_of
from records.store.columns import arrow_types
from records.store.documents import OWN, table_of
from records.store.dsl import EVERYTHING, LONGEST, clause, of_these
from records.store.sql import sort_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from records.query import Histogram, Query, Terms
    from records.schema import Field, Table
    from records.store.cluster import Cluster
    from records.store.dsl import Clause
    from records.store.presence import Presence

Body = dict[str, Any]
PART: Final = 5000  # rows of an answer
BUCKETS: Final = 60_000  # combinations of an answer: the server goes over all rows for each, and gives 65,536 at most where nobody set it otherwise
VALUES: Final = 10_000  # of one field, of an answer
AS_IT_LIES: Final = ["_shard_doc"]  # the order in which rows lie on the disk: in any other, a row is read for forty times as long
KEPT: Final = "5m"  # how long the server keeps a point in time between two parts
MILLISECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """What is asked: a table, its index or alias, and which of its rows count."""

    table: Table
    index: str
    visible: Clause

    def query(self, query: Query) -> Clause:
        """The rows of the query's time, search and identities."""
        parts, time = [self.visible], self.table.time
        bounds = {name: iso(value) for name, value in (("gte", query.since), ("lt", query.until)) if value is not None}
        if bounds:
            parts.append({"range": {time: bounds}})
        if query.where is not None:
            parts.append(clause(self.table, query.where, own=True))
        if query.ids is not None:
            parts.append(of_these("id", list(query.ids)))
        return {"bool": {"filter": parts}}


class Searcher:
    """Asks one cluster. What is closed, deleted or out of its alias makes a question fail: part of an answer is none."""

    def __init__(self, cluster: Cluster, presence: Presence) -> None:
        self.cluster, self._presence = cluster, presence

    def search(self, source: Source, body: Body) -> Body:
        """The answer to one request."""
        client = self.cluster.client
        if "pit" in body:
            return cast("Body", self.cluster.ask(lambda: client.search(**body, allow_partial_search_results=False)).body)
        return self._there(source, lambda place: client.search(**place, **body, allow_partial_search_results=False).body)

    def _there(self, source: Source, question: Callable[[Body], Any]) -> Any:
        """The answer to a question at a place of which all is there; nothing is an answer, where nothing was ever written."""
        for last in (False, False, True):
            there = self._presence.look(source.index)
            try:
                return self.cluster.ask(lambda there=there: question({"index": source.index, "ignore_unavailable": not there}))
            except StoreError as error:
                if error.key != "elastic.missing" or last:  # it was retired meanwhile
                    raise
        raise AssertionError

    def count(self, source: Source, query: Query) -> int:
        """How many rows match."""
        return int(self.search(source, {"query": source.query(query), "size": 0, "track_total_hits": True})["hits"]["total"]["value"])

    def page(self, source: Source, query: Query) -> pa.Table:
        """The rows of a page, sorted."""
        body: Body = {"query": source.query(query), "sort": _sort(source.table, query), "track_total_hits": False}
        if query.after:
            body["search_after"] = self._mark(source, query)
        if query.limit is not None and query.limit <= PART:
            hits = self.search(source, body | {"size": max(0, query.limit)})["hits"]["hits"]
            return table_of(source.table, [hit["_source"] for hit in hits])
        keys = _sorted_here(source.table, query) if query.limit is None and not query.after else []
        asked = body | {"sort": AS_IT_LIES} if keys else body
        parts = [table_of(source.table, [hit["_source"] for hit in hits]) for hits in self.parts(source, asked, query.limit)]
        whole: Any = pa.concat_tables([arrow_schema(source.table).empty_table(), *parts])
        return whole.sort_by(keys) if keys else whole

    def _mark(self, source: Source, query: Query) -> list[Any]:
        """What the row `query.after` is sorted by."""
        body = {"query": {"bool": {"filter": [source.visible, {"term": {"id": query.after}}]}}, "sort": _sort(source.table, query), "size": 1, "source": False}
        hits = self.search(source, body)["hits"]["hits"]
        if not hits:
            raise UsageError("store.after", identity=query.after, table=source.table.name)
        return cast("list[Any]", hits[0]["sort"])

    def stream(self, source: Source, query: Query, names: Sequence[str], *, ordered: bool) -> Iterator[pa.Table]:
        """These columns of the rows that match, in the order of release (that of commits, and in them), or in any."""
        sort = [{f"{OWN}.commit": "asc"}, {f"{OWN}.row": "asc"}] if ordered else AS_IT_LIES
        body: Body = {"query": source.query(query), "sort": sort, "source_includes": list(names), "track_total_hits": False}
        for hits in self.parts(source, body, None):
            yield table_of(source.table, [hit["_source"] for hit in hits], names)

    def starting(self, source: Source, prefix: str, limit: int) -> list[str]:
        """Identities that start so."""
        query = {"bool": {"filter": [source.visible, {"prefix": {"id": prefix}}]}}
        hits = self.search(source, {"query": query, "sort": [{"id": "asc"}], "size": limit, "source_includes": ["id"]})["hits"]["hits"]
        return [hit["_source"]["id"] for hit in hits]

    def all(self, index: str) -> Iterator[tuple[str, Body]]:
        """(identity, document) of everything in a small index whose documents may be large."""
        if not self._presence.look(index):
            return
        self.cluster.ask(lambda: self.cluster.client.indices.refresh(index=index))
        source = Source(TABLES["asset"], index, EVERYTHING)
        for hits in self.parts(source, {"query": EVERYTHING, "sort": AS_IT_LIES}, None, 20):
            yield from ((hit["_id"], hit["_source"]) for hit in hits)

    def parts(self, source: Source, body: Body, limit: int | None, most: int = PART) -> Iterator[list[Body]]:
        """The hits, some at a time, of the index as it is now."""
        client, left = self.cluster.client, limit
        opened = self._there(source, lambda place: client.open_point_in_time(**place, keep_alive=KEPT))
        point, after = str(opened["id"]), body.get("search_after")

        def part() -> tuple[Body, int]:
            size = most if left is None else min(most, left)
            asked = body | {"pit": {"id": point, "keep_alive": KEPT}, "size": size} | ({"search_after": after} if after else {})
            return self.search(source, asked), size

        pool = ThreadPoolExecutor(1)  # the server looks for the next part while whoever asked works on this one
        try:
            following = None if left == 0 else pool.submit(part)
            while following is not None:
                answer, size = following.result()
                hits, point = answer["hits"]["hits"], str(answer["pit_id"])
                left = None if left is None else left - len(hits)
                after = hits[-1]["sort"] if hits else None
                following = pool.submit(part) if len(hits) == size and left != 0 else None
                if hits:
                    yield hits
        finally:
            pool.shutdown()
            self.cluster.ask(lambda: client.options(ignore_status=404).close_point_in_time(id=point))

    def stamp(self, source: Source, query: Query) -> str:
        """How many rows match, and the sum of the numbers that Elasticsearch gave to their last changes: for an index that is at rest it keeps both."""
        asked: Body = {"rows": {"value_count": {"field": f"{OWN}.written"}}, "changes": {"sum": {"field": "_seq_no"}}}
        told = self._aggregated(source, query, asked)
        return f"{told['rows']['value']}-{told['changes']['value']:.0f}" if told else ""

    def histogram(self, source: Source, query: Query, wanted: Histogram) -> pa.Table:
        """Columns time (bucket start), by (where asked), total."""
        table, width = source.table, max(1, wanted.interval)
        if width % MILLISECOND:
            raise UsageError("elastic.interval", interval=width)
        by = field_of(table, wanted.by) if wanted.by else None
        total, kind = _total(table, wanted.total)
        groups: list[Body] = [{"time": {"date_histogram": {"field": table.time, "fixed_interval": f"{width // MILLISECOND}ms"}}}]
        groups += [{"by": _group(by)}] if by else []
        rows = [(key["time"] * MILLISECOND, *([_plain(by, key["by"])] if by else []), number) for key, number in self._buckets(source, query, groups, total)]
        rows.sort(key=lambda row: (row[0], *([_order(row[1])] if by else [])))
        array: Any = pa.array
        columns = {"time": array([row[0] for row in rows], pa.timestamp("ns", "UTC"))}
        if by:
            columns["by"] = array([row[1] for row in rows], _element(table, by))
        return pa.table(columns | {"total": array([kind(row[-1]) for row in rows], _number(kind))})

    def sums(self, source: Source, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """The sum of each of these fields, rounded to the nearest whole number (of two, the even one)."""
        totals = {str(place): total for place, name in enumerate(fields) if (total := _total(source.table, name)[0])}
        told = self._aggregated(source, query, totals)
        return {name: round(told[str(place)]["value"]) if told else 0 for place, name in enumerate(fields)}

    def terms(self, source: Source, query: Query, wanted: Terms) -> pa.Table:
        """The asked fields and total, most frequent first. Every value is counted, so this is exact; only the most frequent are kept."""
        table, fields = source.table, [field_of(source.table, name) for name in wanted.fields]
        total, kind = _total(table, wanted.total)
        groups = [{str(place): _group(by)} for place, by in enumerate(fields)]
        told = [place for place, by in enumerate(fields) if by.type in {"boolean", "double"}]  # as numbers, and whole ones without a point

        def counted() -> Iterator[tuple[list[Any], float]]:
            found = self._values(source, query, fields[0], total) if len(fields) == 1 else None
            for key, number in self._buckets(source, query, groups, total) if found is None else found:
                values = list(key.values())
                for place in told:
                    values[place] = _plain(fields[place], values[place])
                if any(value is not None for value in values):
                    yield values, number

        rows = heapq.nsmallest(max(0, wanted.size), counted(), key=lambda row: (-row[1], [_order(value) for value in row[0]]))
        array: Any = pa.array
        columns = [array([values[place] for values, _ in rows], _element(table, by)) for place, by in enumerate(fields)]
        columns.append(array([kind(number) for _, number in rows], _number(kind)))
        return pa.Table.from_arrays(columns, names=[*(by.name for by in fields), "total"])

    def _values(self, source: Source, query: Query, by: Field, total: Body | None) -> list[tuple[Body, float]] | None:
        """(key, sum) of every value of one field, as `_buckets` tells it and faster; None where there are too many, or of times, whose end is cut off."""
        if by.type == "date":
            return None
        asked = {"values": {"terms": {"field": by.name, "size": VALUES}} | ({"aggs": {"total": total}} if total else {})}
        told = self._aggregated(source, query, asked).get("values", {"buckets": [], "sum_other_doc_count": 0})
        return None if told["sum_other_doc_count"] else [({"0": bucket["key"]}, _sum(bucket, total)) for bucket in told["buckets"]]

    def _buckets(self, source: Source, query: Query, groups: list[Body], total: Body | None) -> Iterator[tuple[Body, float]]:
        """(key, sum) of every combination of these groups, a part at a time."""
        composite: Body = {"size": BUCKETS, "sources": groups}
        ((first, group),) = groups[0].items()
        rest: Clause = EVERYTHING
        while True:
            asked = {"groups": {"composite": composite} | ({"aggs": {"total": total}} if total else {})}
            part = self._aggregated(source, query, asked, rest).get("groups", {"buckets": []})
            for bucket in part["buckets"]:
                yield bucket["key"], _sum(bucket, total)
            if len(part["buckets"]) < BUCKETS:
                return
            composite = composite | {"after": part["after_key"]}
            reached = part["after_key"][first]
            if "terms" in group and reached is not None:  # not over rows of which all has been told
                rest = {"range": {group["terms"]["field"]: {"gte": reached[:LONGEST] if isinstance(reached, str) else reached}}}

    def _aggregated(self, source: Source, query: Query, asked: Body, among: Clause = EVERYTHING) -> Body:
        """What aggregations come to; nothing where there is no index."""
        wanted = {"bool": {"filter": [source.query(query), among]}}
        found = self.search(source, {"query": wanted, "aggs": asked, "size": 0, "track_total_hits": False})
        return cast("Body", found.get("aggregations", {}))


def _sort(table: Table, query: Query) -> list[Body]:
    by, descending = sort_field(table, query)
    order = "desc" if descending else "asc"
    ties: Body = {"id": {"order": order}}
    return [ties] if by.name == "id" else [{by.name: {"order": order, "missing": "_last", "unmapped_type": "keyword"}}, ties]


def _sorted_here(table: Table, query: Query) -> list[tuple[str, str]]:
    """The keys by which rows that are here are sorted as there; none where their order would be another."""
    by, descending = sort_field(table, query)
    order = "descending" if descending else "ascending"
    return [(by.name, order), ("id", order)] if by.name == "id" or by.type in {"date", "long"} else []


def _total(table: Table, name: str) -> tuple[Body | None, Callable[[float], float]]:
    """(the sum to ask for, what a sum is)"""
    if not name:
        return None, int
    summed = field_of(table, name)
    if summed.type not in {"long", "double"}:
        raise UsageError("store.total", field=summed.name)
    return {"sum": {"field": summed.name}}, float if summed.type == "double" else int


def _sum(bucket: Body, total: Body | None) -> float:
    return bucket["total"]["value"] if total else bucket["doc_count"]


def _number(kind: Callable[[float], float]) -> pa.DataType:
    return pa.float64() if kind is float else pa.int64()


def _group(by: Field) -> Body:
    if by.type == "json":
        raise UsageError("store.group", field=by.name)
    return {"terms": {"field": by.name, "missing_bucket": True}}


def _element(table: Table, by: Field) -> pa.DataType:
    whole = arrow_types(table)[by.name]
    return cast("pa.DataType", whole.value_type if by.many else whole)


def _plain(by: Field, value: Any) -> Any:
    if value is None:
        return None
    return bool(value) if by.type == "boolean" else float(value) if by.type == "double" else value


def _order(value: Any) -> tuple[bool, Any]:
    """Absent last."""
    return (True, 0) if value is None else (False, value)
