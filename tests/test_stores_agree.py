"""The embedded store and Elasticsearch give the same answers to the same questions about the same rows."""

from __future__ import annotations

import os
import random
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect

from dashboards import navigation
from dashboards.access import sessions
from records.model import Batch
from records.query import Histogram, Query, Terms
from records.schema import ACTIVITY, FINDING, POINT
from records.search import And, Exists, Match, Not, Or, Range, Wildcard, parse
from records.store import open_store
from records.store.contract import Commit
from records.store.documents import finished, once
from records.store.documents import rows_of as rows_of_documents
from records.store.rendering import bodies
from sensors.dissection import available
from tests.browser.test_access import enter, refused
from tests.browser.test_casework import WROTE, decided, hidden, taken_away
from tests.browser.visiting import chromium, served, visiting
from tests.cli import DEMO, lines, one
from tests.examples import as_many
from tests.require import need
from tests.test_access import add
from tests.test_bounded_pages import VIEWS as SEEN_AS
from tests.test_dashboards import run
from tests.test_store import DAY, HOUR, NOON, activity, alert, everything, finding, ids, rows_of
from tests.test_store_search import ADDRESSES, TIMES, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from records.search import Condition
    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch

pytestmark = pytest.mark.elasticsearch

# Letters with ideas of their own about lower case; values that are no numbers of the index; texts longer than a term may be.
WORDS = ["read", "READ_x", "写入", "", "Ärger", "ÄRGER", "Σίσυφος", "ΣΊΣΥΦΟΣ", "ﬁx", "a*b", "a\\b", "\u212a", "x" * 9000]
SEED = os.environ.get("BALEFIRE_ROWS_SEED") or str(random.SystemRandom().randrange(1 << 32))  # other rows at every run
ODD = [None, -0.5, 0.0, 0.5, 1e9, float("inf"), float("-inf"), float("nan")]


def random_row(number: int) -> dict[str, Any]:
    r = random.Random(f"{SEED} {number}")
    return activity(number, r.choice(TIMES) + r.randrange(3)) | {
        "event.action": r.choice([*WORDS, None]),
        "ot.object.name": r.choice([*WORDS, None]),
        "source.ip": r.choice([*ADDRESSES, None, "not an address"]),
        "ot.unit": r.choice([None, -1, 0, 1, 2, 255]),
        "ot.count": r.choice([None, 1, 7, 2**40]),
        "ot.rtt": r.choice([None, 0.25, 1.5]),
        "ot.value": r.choice(ODD),
        "ot.grouped": r.choice([None, True, False]),
        "ot.anomaly": r.choice([None, [], ["short"], ["Read", "x", "x"], ["写入"]]),
        "observer.name": r.choice(["tap-1", "tap-2"]),
    }


ROWS = [random_row(number) for number in range(240)]
LOST = {row["id"] for row in ROWS if "x" * 9000 in {row["event.action"], row["ot.object.name"]} or row["ot.value"] not in {None, -0.5, 0.0, 0.5, 1e9}}
WELL = tuple(row["id"] for row in ROWS if row["id"] not in LOST)  # all that they hold the index of Elasticsearch can tell


OWN = re.compile(r'"who": "\w{16}"|(?<=download:\n)\w{32}')  # by which a browser remembers what was seen of a store; the address of a file
ABOUT = {"asset": {"asset": "10.20.1.12"}, **{name: {"rule": "address-sweep"} for name in ("rule", "tuning", "disable")}}


@pytest.fixture(autouse=True)
def _seed() -> None:
    print(f"BALEFIRE_ROWS_SEED={SEED}")  # noqa: T201 - shown where a test fails: makes these rows again


@pytest.fixture(scope="module")
def stores(elasticsearch: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("agree")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALEFIRE_SPOOL", str(folder / "spool"))
        both = open_store(str(folder / "store"), True), open_store(elasticsearch.emptied("battery"), True)
    points = [{"id": f"p{n}", "@timestamp": NOON + n * HOUR, "ot.point.min": value} for n, value in enumerate(ODD)]
    found = tuple(finding(n, NOON + n, title=word, alert=None if n % 2 else "al1") for n, word in enumerate(WORDS))
    for store in both:
        for start in range(0, len(ROWS), 80):
            store.write(Commit(Batch(rows_of(ACTIVITY, ROWS[start : start + 80]))))
        store.write(Commit(Batch(points=rows_of(POINT, points)), found, (alert(1),)))
    yield both
    for store in both:
        store.close()


def letters() -> st.SearchStrategy[Condition]:
    names, words = st.sampled_from(["ot.object.name", "event.action"]), st.sampled_from(WORDS)
    return st.one_of(
        st.builds(Match, names, words, st.booleans()),
        st.builds(Wildcard, names, st.sampled_from(["*", "ä*", "Ä?ger", "σ*", "*ΦΟΣ", "x*", "a\\*b", "?"]), st.booleans()),
        st.builds(Exists, st.sampled_from(["ot.object.name", "source.ip", "ot.value"])),
        st.builds(Range, names, st.none() | words, st.none() | words),
    )


ANY = conditions() | letters() | st.builds(And, st.lists(letters() | conditions(), max_size=3).map(tuple))
WHOLE = ANY | st.builds(Or, st.lists(ANY, max_size=3).map(tuple)) | st.builds(Not, ANY)
SPANS = st.tuples(st.none() | st.sampled_from(TIMES), st.none() | st.sampled_from(TIMES))
FIELDS = st.sampled_from(["event.action", "source.ip", "ot.unit", "ot.grouped", "ot.anomaly", "observer.name", "ot.rtt"])
TOTALS = st.sampled_from(["", "ot.count", "ot.rtt"])


def long_texts(where: Condition) -> bool:
    """Whether it looks into texts, for which those longer than a term are not there."""
    match where:
        case And(parts) | Or(parts):
            return any(map(long_texts, parts))
        case Not(part):
            return long_texts(part)
        case Match(name) | Wildcard(name) | Range(name):
            return name in {"ot.object.name", "event.action", "ot.value"}
        case _:
            return False


@settings(max_examples=as_many(120), deadline=None)
@example(where=Range("ot.object.name", "x" * 9000, None), span=(None, None), sort="")
@example(where=Range("event.action", "a", "写" * 9000, include_high=False), span=(None, None), sort="")
@given(where=WHOLE, span=SPANS, sort=st.sampled_from(["", "-@timestamp", "ot.unit", "-source.ip", "-observer.name", "ot.grouped", "-id"]))
def test_rows(stores: tuple[Store, Store], where: Condition, span: tuple[int | None, int | None], sort: str) -> None:
    query = Query(*span, where, sort)
    embedded, elastic = (store.read("activity", query) for store in stores)
    if long_texts(where):
        assert [name for name in ids(embedded) if name not in LOST] == [name for name in ids(elastic) if name not in LOST]
        return
    assert ids(embedded) == ids(elastic)
    assert repr(embedded.to_pylist()) == repr(elastic.to_pylist())
    counts = [store.count("activity", query) for store in stores]
    assert counts == [embedded.num_rows] * 2


@settings(max_examples=as_many(60), deadline=None)
@given(where=WHOLE, span=SPANS, by=st.just("") | FIELDS, total=TOTALS, interval=st.sampled_from([HOUR, DAY, 7 * HOUR, 30 * DAY]))
def test_histograms(stores: tuple[Store, Store], where: Condition, span: tuple[int | None, int | None], by: str, total: str, interval: int) -> None:
    told = [store.histogram("activity", Query(*span, where, ids=WELL), Histogram(interval, by, total)) for store in stores]
    assert told[0].schema.equals(told[1].schema)
    assert _but_odd(told[0]) == _but_odd(told[1])


@settings(max_examples=as_many(60), deadline=None)
@given(where=WHOLE, fields=st.lists(FIELDS, min_size=1, max_size=3, unique=True), total=TOTALS, part=st.sampled_from([7, 30_000]))
def test_terms(stores: tuple[Store, Store], where: Condition, fields: list[str], total: str, part: int) -> None:
    """In one part, and in many."""
    with pytest.MonkeyPatch.context() as patch:
        for most in ("BUCKETS", "VALUES"):
            patch.setattr(f"records.store.searching.{most}", part)
        told = [store.terms("activity", Query(where=And((where, ADDRESSED)), ids=WELL), Terms(tuple(fields), 12, total)) for store in stores]
    assert told[0].schema.equals(told[1].schema)
    assert told[0].to_pylist() == told[1].to_pylist()


@settings(max_examples=as_many(60), deadline=None)
@given(where=WHOLE, span=SPANS, fields=st.lists(st.sampled_from(["ot.count", "ot.rtt", "ot.unit", "ot.value"]), min_size=1, max_size=3, unique=True))
def test_sums(stores: tuple[Store, Store], where: Condition, span: tuple[int | None, int | None], fields: list[str]) -> None:
    """Of whole numbers, and of others, whose sums are mostly none."""
    told = [store.sums("activity", Query(*span, where, ids=WELL), fields) for store in stores]
    assert told[0] == told[1]


ADDRESSED = Range("source.ip", "0.0.0.0", "ffff::")


def _but_odd(told: pa.Table) -> list[dict[str, Any]]:
    """What is counted by an address that is none stands under none in Elasticsearch."""
    rows = told.to_pylist()
    if "by" not in told.column_names:
        return rows
    sums: dict[tuple[Any, Any], Any] = {}
    for row in rows:
        key = (row["time"], None if row["by"] == "not an address" else row["by"])
        sums[key] = sums.get(key, 0) + row["total"]
    return [{"time": time, "by": by, "total": total} for (time, by), total in sums.items()]


def test_the_rest(stores: tuple[Store, Store]) -> None:
    names = [[name for part in store.history("activity", Query(), ["id"]) for name in part.column("id").to_pylist()] for store in stores]
    assert names[0] == names[1] == [row["id"] for row in ROWS]
    told = [repr(store.read("point", Query()).to_pylist()) for store in stores]
    assert told[0] == told[1]
    for text in ("terms:*", "packets:*", "title.en:Är*", "σίσυφος", "写"):
        where = parse(text, FINDING)
        assert ids(stores[0].read("finding", Query(where=where))) == ids(stores[1].read("finding", Query(where=where))) != [], text
    assert stores[0].get("finding", "f3") == stores[1].get("finding", "f3") is not None
    assert [store.find("f1") for store in stores] == [[("finding", "f1"), ("finding", "f10"), ("finding", "f11")]] * 2
    assert len({store.newest() for store in stores}) == 1


@pytest.fixture(scope="module")
def replayed(stores: tuple[Store, Store], elasticsearch: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], list[Any]]]:
    """The demo in both stores, by the command line: where they are, what it said."""
    del stores  # which are those of this server: they come first
    folder = tmp_path_factory.mktemp("replayed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALEFIRE_SPOOL", str(folder / "spool"))
        places = [str(folder / "store"), elasticsearch.emptied("battery")]
        yield places, [one("replay", DEMO, "--store", place) for place in places]


def test_a_replay(replayed: tuple[list[str], list[Any]]) -> None:
    """The whole way: the same summary, the same rows in every table, and again nothing new."""
    places, told = replayed
    for summary in told:
        summary |= {"elapsed_s": None, "peak_mib": None}
    assert told[0] == told[1]
    both = [open_store(place) for place in places]
    rows = [everything(store) for store in both]
    for row in rows[0]["evidence"] + rows[1]["evidence"]:
        assert row.pop("kept") is not None  # by this machine's clock
    assert [name for name in rows[0] if repr(rows[0][name]) != repr(rows[1][name])] == []
    packets = [[store.packets(row["id"]) for row in rows[0]["evidence"]] for store in both]
    assert packets[0] == packets[1]
    assert all(packets[0])
    before = repr(everything(both[1]))
    one("replay", DEMO, "--store", places[1])
    assert repr(everything(both[1])) == before
    for store in both:
        store.close()


@pytest.mark.parametrize("address", [place.address for place in navigation.places()])
def test_a_page(replayed: tuple[list[str], list[Any]], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says the same, whichever store it reads."""
    places, _told = replayed
    about = ABOUT.get(address, {})
    if address in {"alert", "suppress"}:
        about = {"id": str(lines("alerts", "--store", places[0], "--sort", "-severity", "--limit", 1)[0]["id"])}
    (file,) = (place.file.stem for place in navigation.places() if place.address == address)
    for view in SEEN_AS.get(address, ("",)):
        told = [run(file, place, monkeypatch, lang="en", range="all", view=view, **about) for place in places]
        told = [OWN.sub("", words).replace(place, "") for words, place in zip(told, places, strict=True)]
        assert told[0] == told[1], view
        assert "Traceback" not in told[0]


@pytest.mark.browser
def test_an_attack_in_a_browser(replayed: tuple[list[str], list[Any]], tmp_path: Path) -> None:
    """From the sentence to the packet, to what is decided about it and what a viewer is refused, on Elasticsearch; `tests/browser` does so on a directory."""
    need("tshark", available() is not None, "tshark is not installed")
    place, users = replayed[0][1], add(tmp_path / "accounts.json", ("anna", "analyst"), ("vera", "viewer"))
    with served(tmp_path, place, **{sessions.USERS: str(users)}) as address, chromium() as browser, visiting(browser, address) as visit:
        enter(visit, "anna", "/?lang=en")
        expect(visit.page.get_by_text("anna (analyst)")).to_be_visible()
        decided(visit, "anna")
        expect(visit.page.locator(".dissection .octet.chosen")).to_have_text(["03", "b6"], timeout=30_000)
        taken_away(visit.page, tmp_path / "evidence.pcapng")
        visit.page.get_by_text("中文", exact=True).click()
        expect(visit.page.locator("h1")).to_contain_text(WROTE["zh"])
        visit.page.get_by_text("EN", exact=True).click()
        expect(visit.page.locator("h1")).to_contain_text(WROTE["en"])
        alert = visit.page.url.partition("id=")[2].partition("&")[0]
        hidden(visit, "anna")
        visit.page.get_by_text("Log out").click()
        refused(visit, alert)
    assert [row["action"] for row in lines("audit", "--store", place)] == ["login", "acknowledge", "close", "suppress", "logout", "login"]


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_both_ways_to_a_document_give_the_same(number: int) -> None:
    """A column at a time, and a row at a time, to the octet; names of what was known then are no content."""
    row = ROWS[number] | {"source.asset.name": "Panel" if number % 3 else None, "ot.value": [0.0, -0.0, None][number % 3]}
    (body,) = bodies(ACTIVITY, rows_of(ACTIVITY, [row]))
    (plain,) = rows_of_documents(ACTIVITY, rows_of(ACTIVITY, [row]))
    assert finished(body, {"commit": 1}) == once(ACTIVITY, plain, {"commit": 1})
    (bare,) = bodies(ACTIVITY, rows_of(ACTIVITY, [row | {"source.asset.name": None}]))
    assert bare.content == body.content


def test_rows_of_many_shapes_at_once() -> None:
    """What knows different fields, and values that the index or JSON cannot take as they are."""
    odd: list[dict[str, Any]] = [
        {"event.action": 'say "hi"\\\n\x7f'}, {"event.action": "写" * 9000}, {"source.ip": "no address"}, {"ot.value": float("nan")}, {"ot.value": -0.0},
        {"ot.value": float("-inf")}, {"ot.anomaly": ["short", 'a"b']}, {"@timestamp": -1}, {"event.end": None, "ot.unit": None}, {"ot.grouped": True},
    ]  # fmt: skip
    rows = [*ROWS, *(ROWS[0] | {"id": f"odd{number}"} | row for number, row in enumerate(odd))]
    data = rows_of(ACTIVITY, rows)
    made = [finished(body, {"commit": 1, "row": 2}) for body in bodies(ACTIVITY, data)]
    assert made == [once(ACTIVITY, row, {"commit": 1, "row": 2}) for row in rows_of_documents(ACTIVITY, data)]
    assert sum(b'"known":["' in document for document in made) >= 5
    assert [body.id for body in bodies(ACTIVITY, data)] == [row["id"] for row in rows]
    assert list(bodies(ACTIVITY, data.slice(0, 0))) == []
