"""Stores agree with a slow, plain evaluation of every condition, sort and page."""

from __future__ import annotations

import fnmatch
import ipaddress
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.query import Query
from records.schema import ACTIVITY, FINDING, Field
from records.search import And, Condition, Exists, Match, Not, Or, Range, Wildcard, parse
from records.store import open_store
from records.store.contract import Commit
from tests.examples import as_many
from tests.test_store import DAY, HOUR, NOON, STORES, activities, activity, finding, ids, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.schema import Table
    from records.store.contract import Store

WORDS = ["read", "Read", "READ_x", "100%", "a*b", "a\\b", "写入", "", "plc 1"]
ADDRESSES = ["10.0.0.9", "10.0.0.10", "10.1.0.1", "192.168.0.1", "fe80::1", "fe80::a", "::1"]
PATTERNS = ["re*", "?ead", "*%", "a\\*b", "a*b", "*", "写?", "*_*", "r??d"]
TIMES = [NOON + n * 5 * HOUR for n in range(-8, 9)]


def random_row(n: int) -> dict[str, Any]:
    r = random.Random(n)
    facts: dict[str, Any] = {
        "event.action": r.choice([*WORDS, None]),
        "source.ip": r.choice([*ADDRESSES, None]),
        "ot.unit": r.choice([None, -1, 0, 1, 2, 255]),
        "ot.value": r.choice([None, -0.5, 0.0, 0.5, 1e9]),
        "ot.grouped": r.choice([None, True, False]),
        "ot.anomaly": r.choice([None, [], ["short"], ["Read", "x"], ["写入"]]),
    }
    return activity(n, r.choice(TIMES) + r.randrange(3)) | facts


ROWS = {row["id"]: row for row in map(random_row, range(300))}


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store(place(request, tmp_path_factory.mktemp("property")), True)
    rows = list(ROWS.values())
    for start in range(0, 300, 100):
        store.write(activities(*rows[start : start + 100]))
    store.write(Commit(findings=tuple(finding(n, NOON + n, title=f"Title {word}") for n, word in enumerate(WORDS))))
    yield store
    store.close()


def holds(wanted: Condition, row: dict[str, Any], table: Table = ACTIVITY) -> bool:
    match wanted:
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
        case Exists(name) | Match(name) | Wildcard(name) | Range(name):
            field = table.field(name)
            assert field
            values = row[name] or [] if field.many else [row[name]]
            return any(value is not None and fits(wanted, field, value) for value in values)


def fits(wanted: Exists | Match | Wildcard | Range, field: Field, value: Any) -> bool:
    match wanted:
        case Exists():
            return True
        case Wildcard(_, pattern):
            shape = re.sub(r"\\\\(.)|\\(.)", lambda m: f"[{m[2]}]", pattern) if "\\" in pattern else pattern
            return fnmatch.fnmatchcase(value.lower(), shape.lower())
        case Match(_, given):
            return order(field, value) == order(field, given)
        case Range(_, low, high, include_low, include_high):
            key = order(field, value)
            above = low is None or key > order(field, low) or (include_low and key == order(field, low))
            below = high is None or key < order(field, high) or (include_high and key == order(field, high))
            return above and below


def order(field: Field, value: Any) -> Any:
    if field.type == "ip":
        address = ipaddress.ip_address(value)
        return int(address) + (0xFFFF << 32 if address.version == 4 else 0)
    return value.lower() if field.type == "keyword" else value


def bounds(field: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Condition]:
    some = st.none() | values
    return st.builds(Range, st.just(field), some, some, st.booleans(), st.booleans())


def leaves() -> st.SearchStrategy[Condition]:
    words, addresses, times = st.sampled_from(WORDS), st.sampled_from(ADDRESSES), st.sampled_from(TIMES)
    texts, numbers = st.sampled_from(["event.action", "ot.anomaly"]), st.sampled_from([-1, 0, 1, 2, 255])
    reals = st.sampled_from([-0.5, 0.0, 0.25, 1e9])
    return st.one_of(
        st.builds(Match, texts, words),
        st.builds(Wildcard, texts, st.sampled_from(PATTERNS)),
        st.builds(Exists, st.sampled_from(["event.action", "source.ip", "ot.unit", "ot.value", "ot.grouped", "ot.anomaly"])),
        st.builds(Match, st.just("source.ip"), addresses),
        st.builds(Match, st.just("ot.unit"), numbers),
        st.builds(Match, st.just("ot.grouped"), st.booleans()),
        bounds("event.action", words),
        bounds("source.ip", addresses),
        bounds("ot.unit", numbers),
        bounds("ot.value", reals),
        bounds("@timestamp", times),
    )


def conditions() -> st.SearchStrategy[Condition]:
    def larger(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(parts, max_size=4).map(tuple)
        return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, parts)

    return st.recursive(leaves(), larger, max_leaves=8)


def expected(query: Query) -> list[str]:
    name, descending = query.sort.removeprefix("-") or "@timestamp", query.sort.startswith("-")
    field = ACTIVITY.field(name)
    assert field
    rows = [row for row in ROWS.values() if query.where is None or holds(query.where, row)]
    rows = [row for row in rows if (query.since or 0) <= row["@timestamp"] < (query.until or 1 << 63)]
    known = sorted((row for row in rows if row[name] is not None), key=lambda row: (_sort_key(field, row[name]), row["id"]), reverse=descending)
    absent = sorted((row for row in rows if row[name] is None), key=lambda row: row["id"], reverse=descending)
    return [row["id"] for row in known + absent]


def _sort_key(field: Field, value: Any) -> Any:
    return order(field, value) if field.type == "ip" else value


SORTS = st.sampled_from(["", "-@timestamp", "event.action", "-event.action", "source.ip", "-source.ip", "-ot.unit", "ot.value", "-ot.grouped", "id"])


@settings(max_examples=as_many(150), deadline=None)
@given(where=conditions(), sort=SORTS, since=st.none() | st.sampled_from(TIMES), until=st.none() | st.sampled_from(TIMES), limit=st.none() | st.integers(1, 40))
def test_reads_equal_the_reference(store: Store, where: Condition, sort: str, since: int | None, until: int | None, limit: int | None) -> None:
    whole = expected(Query(since, until, where, sort))
    assert store.count("activity", Query(since, until, where)) == len(whole)
    first = ids(store.read("activity", Query(since, until, where, sort, limit)))
    assert first == whole[:limit]
    if first:
        assert ids(store.read("activity", Query(since, until, where, sort, limit, first[-1]))) == whole[len(first) :][:limit]


@pytest.mark.parametrize("text", ["title", "TITLE", '"title read"', "100%", "写入", "ti*le", "title.en:ead_", "title.en:r?ad"])
def test_texts_match_where_the_words_occur(store: Store, text: str) -> None:
    word = text.removeprefix("title.en:").strip('"').lower()
    shape = re.compile(re.escape(word).replace(r"\*", ".*").replace(r"\?", "."))
    want = [f"f{n}" for n, title in enumerate(WORDS) if shape.search(f"title {title}".lower()) or shape.search("首次写入该单元")]
    assert ids(store.read("finding", Query(where=parse(text, FINDING)))) == want


def test_a_day_is_a_day(store: Store) -> None:
    found = store.read("activity", Query(where=parse("@timestamp:2026-11-22", ACTIVITY)))
    assert sorted(ids(found)) == sorted(name for name, row in ROWS.items() if NOON - DAY // 2 <= row["@timestamp"] < NOON + DAY // 2)
