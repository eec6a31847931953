"""Whatever the store holds, no page sends a browser more than 5,000 rows of anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.navigation import places
from records.assets import asset_of
from records.facts import Fact
from records.model import Batch, Term, Text
from records.store import open_store
from records.store.contract import Commit
from tests.bench.history import DEVICES, START, Truth, batches
from tests.browser.waterworks import MINUTE, SITE, alert, coverage, finding, table
from tests.test_dashboards import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST: Final = 5_000
MUCH: Final = 6_000
ABOUT: Final = {"alert": {"id": f"a{0:032x}"}, "suppress": {"id": f"a{0:032x}"}, "asset": {"asset": DEVICES[0]}, "rule": {"rule": "address-sweep"}}
VIEWS: Final = {"explore": ("roll", "table", "value"), "": ("", "wall")}


@pytest.fixture(scope="module")
def much(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("much") / "store"
    last = START + MUCH * MINUTE
    addresses = [*DEVICES, *(f"10.20.{n // 250}.{n % 250}" for n in range(MUCH))]
    known = tuple(asset_of(SITE, [Fact("address", address, "traffic", 95, START, last)], START, last) for address in addresses)
    words = Text("Read what it never read", "读取从未读过的内容")
    found = tuple(finding(f"{n:032x}", last - n * MINUTE, (Term("First time", "首次", 66.0),), words, words, alert=f"a{n:032x}") for n in range(MUCH))
    seen = [row for name in ("SPAN-1", "SPAN-2") for row in coverage(name, START, last)]
    store = open_store(str(place), write=True)
    for activities in batches(1, 4 * MUCH, Truth()):
        store.write(Commit(Batch(activities=activities)))
    store.write(Commit(Batch(coverage=table("coverage", seen)), found, tuple(alert(each) for each in found), known))
    store.close()
    return place


def lengths(told: Any) -> Iterator[int]:
    """How long each list in a structure is."""
    if isinstance(told, list):
        yield len(cast("list[Any]", told))
    inner = cast("dict[str, Any]", told).values() if isinstance(told, dict) else cast("list[Any]", told) if isinstance(told, list) else ()
    for each in inner:
        yield from lengths(each)


def rows(proto: Any) -> Iterator[int]:
    """How many rows an element of a page sends."""
    for field, value in proto.ListFields():
        if field.type == field.TYPE_MESSAGE and not field.is_repeated:
            yield from rows(value)
        elif field.is_repeated:
            yield len(value)
        elif field.type == field.TYPE_STRING and value[:1] in ("{", "["):
            yield from lengths(json.loads(value))


@pytest.mark.parametrize("address", [place.address for place in places()])
def test_no_page_sends_more_rows_than_a_browser_can_show(much: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_STORE", str(much))
    (file,) = (place.file for place in places() if place.address == address)
    for view in VIEWS.get(address, ("",)):
        page = AppTest.from_file(str(file), default_timeout=60)
        for name, value in {"lang": "en", "range": "all", "view": view, **ABOUT.get(address, {})}.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        sent = [count for element in leaves(page.main) for count in rows(element.proto)]
        assert 0 < max(sent, default=0) <= MOST, f"{address} {view}"


def test_too_many_rows_would_be_seen() -> None:
    """The check can fail."""
    page = AppTest.from_string(f"from dashboards import kit\nkit.draw('table', {{'rows': [[n] for n in range({MUCH})]}}, 'table')").run()
    assert max(count for element in leaves(page.main) for count in rows(element.proto)) == MUCH
