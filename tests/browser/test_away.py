"""A store that is not there yet, or goes away, behind pages that nobody touches: they say so, and show what there is once it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from records.wording import say
from tests.browser import waterworks
from tests.browser.visiting import served, visiting
from tests.line import Line

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.elasticsearch import Elasticsearch

pytestmark = [pytest.mark.browser, pytest.mark.elasticsearch]
TICK_MS = 31_000  # longer than it takes any page to look again


def shown(page: Page, text: str, there: bool = True) -> None:
    """Time passes, until this is there, or is not."""
    for turn in range(120):
        if bool(page.get_by_text(text).count()) == there:
            return
        if turn % 24 == 0:  # a question that nobody answers takes seconds
            page.clock.fast_forward(TICK_MS)
        page.wait_for_timeout(500)
    raise AssertionError(text)


def test_pages_wait_for_their_store(browser: Browser, elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    address = elasticsearch.emptied("battery")
    with Line(elasticsearch.url) as line, served(tmp_path, f"{line.url}#battery") as base, visiting(browser, base, width=1280) as visit:
        visit.page.clock.install()
        visit.page.goto(f"{base}/?view=wall&lang=zh")
        shown(visit.page, say("dashboard.empty.tag", "zh"))
        waterworks.fill(address)
        shown(visit.page, waterworks.SITE)
        line.cut()
        shown(visit.page, say("dashboard.store.tag", "zh"))
        line.mend()
        shown(visit.page, waterworks.SITE)


def test_what_was_shown_of_a_store_that_is_away_does_not_stay(browser: Browser, elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    waterworks.fill(elasticsearch.emptied("battery"))
    with Line(elasticsearch.url) as line, served(tmp_path, f"{line.url}#battery") as base, visiting(browser, base, width=1280) as visit:
        visit.page.clock.install()
        for place in ("", "alerts"):
            visit.page.goto(f"{base}/{place}?lang=en")
            shown(visit.page, waterworks.SITE)
            line.cut()
            shown(visit.page, say("dashboard.store.tag", "en") if not place else "Nobody answers at")
            visit.page.goto(f"{base}/{place}?lang=en")
            shown(visit.page, say("dashboard.store.tag", "en"))
            line.mend()
            shown(visit.page, say("dashboard.store.tag", "en"), there=False)
            shown(visit.page, waterworks.SITE)
