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

pytestmark = pytest.mark.browser
CONNECTED = "[data-test-connection-state=CONNECTED]"
TICK_MS = 31_000  # longer than it takes any page to look again


def shown(page: Page, text: str, there: bool = True) -> None:
    """Time passes, until this is there, or is not."""
    for turn in range(600):
        if bool(page.get_by_text(text).count()) == there:
            return
        if turn % 60 == 0:  # a question that nobody answers takes seconds
            page.locator(CONNECTED).wait_for(state="attached")  # or it would be too late to connect, by the page's clock
            page.clock.fast_forward(TICK_MS)
        page.wait_for_timeout(200)
    raise AssertionError(text)


def test_a_wall_waits_for_a_store_that_is_not_there_yet(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, tmp_path / "store") as base, visiting(browser, base, width=1280) as visit:
        visit.page.clock.install()
        visit.page.goto(f"{base}/?view=wall&lang=zh")
        shown(visit.page, say("dashboard.empty.tag", "zh"))
        waterworks.fill(tmp_path / "store")
        shown(visit.page, waterworks.SITE)


@pytest.mark.elasticsearch
def test_what_was_shown_of_a_store_that_is_away_does_not_stay(browser: Browser, elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    waterworks.fill(elasticsearch.emptied("battery"))
    with Line(elasticsearch.url) as line, served(tmp_path, f"{line.url}#battery") as base, visiting(browser, base, width=1280) as visit:
        visit.page.clock.install()
        visit.page.goto(f"{base}/?view=wall&lang=zh")
        shown(visit.page, waterworks.SITE)
        line.cut()
        shown(visit.page, say("dashboard.store.tag", "zh"))
        visit.page.goto(f"{base}/alerts?lang=en")
        shown(visit.page, say("dashboard.store.tag", "en"))
        line.mend()
        shown(visit.page, say("dashboard.store.tag", "en"), there=False)
        shown(visit.page, waterworks.SITE)
