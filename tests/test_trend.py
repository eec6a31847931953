"""How the risk of assets went: a bar a day by the plant's clock, and whether a week was worse than the one before, on both pages."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import inventory, trend
from dashboards.page import Page
from detectors import lifecycle
from records.formats import DAY, HOUR, Clock, share_seen, zone_named
from records.model import Asset, Batch, Term, Text
from records.query import Span
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES
from tests.browser.waterworks import NOW, alert, coverage, finding, table
from tests.test_alert_page import drawn
from tests.test_dashboards import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store

TEXT = Text("told", "told")
NAMES = ("worse", "better", "hidden", "nothing", "steady")
ZONES = ("UTC", "Asia/Shanghai", "America/Los_Angeles")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Assets: one that got worse, one that was merged of two and got better, one of which only hidden things were found, one whose alerts were nothing, and
    one that stays about as it was. A sensor saw all of it.
    """
    seen = [*coverage("SPAN-1", NOW - 15 * DAY, NOW - DAY)[::2], *coverage("SPAN-1", NOW - DAY, NOW + 1)]  # of long times every other minute is enough
    return written(tmp_path_factory.mktemp("trend") / "store", seen)


def written(where: Path, seen: list[dict[str, Any]]) -> Path:
    found = [
        ("p1", "worse", 0, 91), ("h1", "worse", 0, 66), ("m1", "worse", 9, 45),
        ("h2", "was", 10, 66), ("h3", "better", 11, 66), ("l1", "better", 1, 5),
        ("n1", "nothing", 1, 91), ("n2", "nothing", 2, 91),
        ("s1", "steady", 1, 66), ("s2", "steady", 2, 66), ("s3", "steady", 8, 66), ("s4", "steady", 9, 45),
        ("p2", "hidden", 2, 91),
    ]  # fmt: skip
    made = [replace(finding(name, NOW - days * DAY - HOUR, (Term("x", "x", float(score)),), TEXT, TEXT), assets=(asset,)) for name, asset, days, score in found]
    made[-1] = replace(made[-1], suppressions=("s1",))
    assets = tuple(
        Asset(name, name, (f"10.9.9.{number}",), first=NOW - 30 * DAY, last=NOW, aliases=("was",) if name == "better" else ())
        for number, name in enumerate(NAMES)
    )
    made = [replace(each, alert=f"a{each.id}") if each.id in {"n1", "n2"} else each for each in made]
    alerts = tuple(alert(each) for each in made if each.alert)
    with closing(open_store(str(where), write=True)) as store:
        store.write(Commit(Batch(coverage=table("coverage", seen)), tuple(made), alerts, assets=assets))
        store.change([lifecycle.close(each, "Li Wei", verdict, NOW) for each, verdict in zip(alerts, ("false", "expected"), strict=True)])
    return where


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    made = open_store(str(place))
    yield made
    made.close()


def page_of(store: Store, since: int, zone: str = "UTC") -> Page:
    return Page(store, "en", Clock(zone_named(zone), "en", 2026), Span(since, NOW + 1), "all")


def test_a_week_is_told_beside_the_one_before_and_what_is_hidden_is_not(store: Store) -> None:
    assets = [inventory.called(store, name)[0] for name in NAMES]
    worse, better, hidden, nothing, steady = trend.trends(page_of(store, NOW - 20 * DAY), assets)
    assert (worse.way, better.way, hidden.way) == ("up", "down", "none")
    assert (nothing.way, nothing.with_any(nothing.days)) == ("none", 0), "closed as false, and as expected"
    assert (steady.way, steady.with_any(steady.days)) == ("same", 4), "a little worse is not worse"
    assert {day.level for day in hidden.days} == {""}, "seen, and nothing found"
    assert [day.level for day in worse.days if day.level] == ["medium", "critical"], "of a day the worst"
    assert [day.level for day in better.days if day.level] == ["high", "high", "low"], "under all its names"
    assert (better.with_any(better.days[: trend.WEEK]), better.with_any(better.days[trend.WEEK :])) == (2, 1)


def test_what_nobody_saw_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    """Of 20 days an hour at the beginning, and the last day: what was found then stands, and no week is compared."""
    seen = [*coverage("SPAN-1", NOW - 20 * DAY, NOW - 20 * DAY + HOUR), *coverage("SPAN-1", NOW - DAY, NOW + 1)]
    with closing(open_store(str(written(tmp_path / "store", seen)))) as store:
        page = page_of(store, NOW - 20 * DAY)
        worse, hidden = trend.trends(page, [inventory.called(store, name)[0] for name in ("worse", "hidden")])
        assert (worse.way, hidden.way) == ("blind", "blind")
        assert [day.level for day in worse.days if day.level] == ["medium", "critical"]
        assert [day.level for day in hidden.days] == [None] * 13 + [""]
        told = [day["text"].partition(": ")[2] for day in trend.drawn(page, hidden)["days"]]
        assert told[:12] == ["nothing was seen"] * 12
        assert told[12:] == [f"nothing found in the {share_seen(100 * hidden.days[12].seen, 'en')} of the day that was seen", "nothing found"]
        assert trend.drawn(page, hidden)["words"] == "too little seen"


def test_days_of_now_are_measured_against_as_many_hours(store: Store) -> None:
    """Early in the day as late in it: today is no whole day, and the last seven days are."""
    for name in ("worse", "better", "steady"):
        ways = {
            trend.trends(replace(page_of(store, NOW - 20 * DAY), clock=Clock(zone_named(zone), "en", 2026)), inventory.called(store, name))[0].way
            for zone in ZONES
        }
        assert len(ways) == 1


def test_a_store_that_is_young_has_no_week_before(store: Store) -> None:
    (worse,) = trend.trends(page_of(store, NOW - 3 * DAY), inventory.called(store, "worse"))
    assert worse.way == "short"
    assert [day.level for day in worse.days[:4]] == [None] * 4, "nobody looked: not nothing found"


@pytest.mark.parametrize("zone", ZONES)
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
    assert {name: each["way"] for name, each in rows.items()} == {"better": "down", "hidden": "none", "nothing": "none", "steady": "same", "worse": "up"}
    assert rows["worse"]["words"] == {"en": "rising", "zh": "上升"}[language]
    page = opened("asset", place, monkeypatch, lang=language, asset="better")
    told = drawn(page, "trend")
    assert {"en": "on 1 of the last 7 days, on 2 of the 7 before", "zh": "近 7 天有 1 天出现，此前 7 天有 2 天"}[language] in told["note"]
    assert [day["level"] for day in told["days"]].count("high") == 2
