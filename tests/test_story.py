"""The sentence that comes first: since when, what is going on, where, and blind for how long; alerts about the same assets at the same time are one story."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import queries, story
from dashboards.axis import blind_mark
from dashboards.page import Page
from records.formats import DAY, Clock
from records.model import Asset, Term, Text
from records.query import Span
from records.store import open_store
from records.store.contract import Commit, Store
from tests.browser.waterworks import HOUR, MINUTE, NOW, SITE, alert, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

AGO = 3 * HOUR  # the worst
# minutes after it, severity, assets
LESSER = ((-50, 30, ("old", "HMI-2")), (-100, 45, ("PLC-7",)), (-700, 70, ("PLC-7",)), (20, 60, ("PLC-7", "ENG-1", "SW-1")), (5, 79, ("PLC-8",)))


def told(minutes: int, severity: float, assets: tuple[str, ...]) -> Any:
    """An alert of one finding."""
    text = Text(f"{severity:.0f} happened", f"发生了 {severity:.0f}")
    found = finding(f"{minutes + 5000:032}", NOW - AGO + minutes * MINUTE, (Term("t", "t", severity),), text, text, assets=assets)
    return alert(found)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = open_store(str(tmp_path_factory.mktemp("story") / "store"), write=True)
    plc = Asset("plc", "PLC-7", ("10.9.9.7",), NOW - DAY, NOW, site=SITE, aliases=("old", "PLC-7"))
    made.write(Commit(alerts=(told(0, 91, ("PLC-7",)), *(told(*each) for each in LESSER)), assets=(plc,)))
    yield made
    made.close()


def reader(store: Store, language: str) -> Page:
    return Page(store, language, Clock(UTC, language), Span(NOW - DAY, NOW + 1), "24h")


def test_what_belongs_together_is_one_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what was ten hours before, and not what is about another asset; each in an hour of the next is near."""
    found = story.story(store, queries.worst(store))
    assert found
    assert (found.more, found.since, found.assets[0]) == (3, NOW - AGO - 100 * MINUTE, "PLC-7")
    english, chinese = reader(store, "en"), reader(store, "zh")
    assert story.sentence(english, found) == "Since 14:32: 91 happened, and 3 more alerts on PLC-7, ENG-1, HMI-2 and one other"
    assert story.sentence(english, found, "SPAN-2", 4 * MINUTE).endswith(" and one other; blind for 4 min on SPAN-2")
    plain = story.sentence(chinese, found, "SPAN-2", 4 * MINUTE).replace("\u200b", "").replace("\u00a0", " ")
    assert plain == "14:32 以来：发生了 91，另有 3 条告警，涉及 PLC-7、ENG-1、HMI-2 及另外 1 个资产；SPAN-2 有 4 分钟没有看到数据包"
    assert story.sentence(english, found, named=False) == "Since 14:32: 91 happened, and 3 more alerts"
    monkeypatch.setattr(queries, "MOST_ALERTS", len(queries.worst(store)))
    cut = story.story(store, queries.worst(store))
    assert cut
    assert story.sentence(english, cut, named=False) == "Since 14:32: 91 happened, and at least 3 more alerts"
    assert "另有至少 3" in story.sentence(chinese, cut)


def test_where_it_began_is_marked_in_the_period_alone(store: Store) -> None:
    page = reader(store, "en")
    found = story.story(store, queries.worst(store))
    assert story.began(page, found) == {"time": (NOW - AGO - 100 * MINUTE) // 1_000_000, "text": "since 14:32 · PLC-7"}
    assert story.began(replace(page, period="1h"), found) is None
    assert story.began(page, None) is None
    gap = Span(NOW - 2 * HOUR, NOW - HOUR)
    assert "21 Nov" in blind_mark(replace(page, span=Span(NOW - 7 * DAY, NOW)), gap)["text"]
    assert "Nov" not in blind_mark(replace(page, span=Span(NOW - DAY, NOW)), gap)["text"]


def test_one_alert_is_a_story_too(store: Store) -> None:
    found = story.story(store, [queries.worst(store)[0]])
    assert found
    assert story.sentence(reader(store, "en"), found) == "Since 16:12: 91 happened"
    assert story.story(store, []) is None


def test_long_ago_has_its_day_and_what_is_hostile_is_cut(store: Store) -> None:
    worst, *others = queries.worst(store)
    long = [each | {"first": NOW - 3 * DAY, "title.en": "x" * 500, "assets": ["y" * 500, *(each["assets"])]} for each in (worst, *others[:1])]
    found = story.story(store, long)
    assert found
    words = story.sentence(reader(store, "en"), found)
    assert words.startswith("Since 18 Nov 19:12: xxx")
    assert len(words) < 350
