"""The preview of a report in a real browser: what was stored is text in it, nothing runs, nothing is loaded, and axe has nothing serious to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser import waterworks
from tests.browser.test_accessible import serious
from tests.browser.visiting import served, visiting
from tests.browser.waterworks import HOSTILE
from tests.cli import one

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_hostile_text_is_text_in_the_preview(browser: Browser, tmp_path: Path) -> None:
    waterworks.fill(tmp_path / "store")
    told = one("report", "run", "daily", "--format", "json", "--until", "2026-11-22", "--store", tmp_path / "store")
    with served(tmp_path, tmp_path / "store") as base, visiting(browser, base) as visit:
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.url))
        visit.open(f"/reports?lang=en&report={told['id']}")
        frame = visit.page.frame_locator("iframe")
        expect(frame.locator("body")).to_contain_text(HOSTILE)
        assert frame.locator("script, img").count() == 0
        assert "owned" not in visit.page.title()
        assert all(url.startswith((base, "blob:", "about:", "data:", base.replace("http", "ws"))) for url in asked)
        assert serious(visit.page) == []
