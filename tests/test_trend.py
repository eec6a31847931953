"""How the risk of assets went: a bar a day by the plant's clock, and whether a week was worse than the one before, on both pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dashboards import inventory, trend
from dashboards.page import Page
from records.formats import DAY, HOUR, Clock, zone_named
from records.model import Asset, Batch, Term, Text
from records.query import Span
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES
from tests.browser.waterworks import NOW, coverage, finding, table
from tests.test_alert_page import drawn
from tests.test_dashboards import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store

TEXT = Text("told", "told")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three assets: one that got worse, one that was merged of two and got better, one of which only hidden things were found."""
    where = tmp_path_factory.mktemp("trend") / "store"
    found = [
        ("p1", "worse", 0, 91), ("h1", "worse", 0, 66), ("m1", "worse", 9, 45),
        ("h2", "was", 10, 66), ("h3", "better", 11, 66), ("l1", "better", 1, 5),
        ("p2", "hidden", 2, 91),
    ]  # fmt: skip
    made = [replace(finding(name, NOW - days * DAY - HOUR, (Term("x", "x", float(score)),), TEXT, TEXT), assets=(asset,)) for name, asset, days, score in found]
    made[-1] = replace(made[-1], suppressions=("s1",))
    assets = tuple(
        Asset(name, name, (f"10.9.9.{number}",), first=NOW - 30 * DAY, last=NOW, aliases=("was",) if name == "better" else ())
        for number, name in enumerate(("worse", "better", "hidden"))
    )
    store = open_store(str(where), write=True)
    seen = Batch(coverage=table("coverage", [*coverage("SPAN-1", NOW - 20 * DAY, NOW - 20 * DAY + HOUR), *coverage("SPAN-1", NOW - HOUR, NOW + 1)]))
    store.write(Commit(seen, tuple(made), assets=assets))
    store.close()
    return where


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    made = open_store(str(place))
    yield made
    made.close()


def page_of(store: Store, since: int, zone: str = "UTC") -> Page:
    return Page(store, "en", Clock(zone_named(zone), "en", 2026), Span(since, NOW + 1), "all")


def test_a_week_is_told_beside_the_one_before_and_what_is_hidden_is_not(store: Store) -> None:
    assets = [inventory.called(store, name)[0] for name in ("worse", "better", "hidden")]
    worse, better, hidden = trend.trends(page_of(store, NOW - 20 * DAY), assets)
    assert (worse.way, better.way, hidden.way) == ("up", "down", "none")
    assert [day.level for day in worse.days if day.level] == ["medium", "critical"], "of a day the worst"
    assert [day.level for day in better.days if day.level] == ["high", "high", "low"], "under all its names"
    assert (better.with_any(better.days[: trend.WEEK]), better.with_any(better.days[trend.WEEK :])) == (2, 1)


def test_a_store_that_is_young_has_no_week_before(store: Store) -> None:
    (worse,) = trend.trends(page_of(store, NOW - 3 * DAY), inventory.called(store, "worse"))
    assert worse.way == "short"
    assert [day.level for day in worse.days[:4]] == [None] * 4, "nobody looked: not nothing found"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
def test_days_begin_by_the_plant(store: Store, zone: str) -> None:
    page = page_of(store, NOW - 20 * DAY, zone)
    (worse,) = trend.trends(page, inventory.called(store, "worse"))
    assert len(worse.days) == trend.DAYS
    assert {page.clock.minute(day.start) for day in worse.days} == {"00:00"}
    assert [page.clock.local(day.start).date() for day in worse.days if day.level] == [page.clock.local(NOW - days * DAY - HOUR).date() for days in (9, 0)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_inventory_and_asset_tell_it(place: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("assets", place, monkeypatch, lang=language, sort="name")
    rows = {row[0]["text"]: row[7]["trend"] for row in drawn(page, "table")["rows"]}
    assert {name: each["way"] for name, each in rows.items()} == {"better": "down", "hidden": "none", "worse": "up"}
    assert rows["worse"]["words"] == {"en": "rising", "zh": "上升"}[language]
    page = opened("asset", place, monkeypatch, lang=language, asset="better")
    told = drawn(page, "trend")
    assert {"en": "on 1 of the last 7 days, on 2 of the 7 before", "zh": "近 7 天有 1 天出现，此前 7 天有 2 天"}[language] in told["note"]
    assert [day["level"] for day in told["days"]].count("high") == 2
