"""Names that do harm elsewhere, and of 64 KiB, on the pages of a real browser: they are text there, and nothing of theirs steers what is around them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from records.facts import asset_id
from tests.browser.visiting import Visit, served
from tests.cli import lines, one
from tests.test_hostile_names import FORMULAS, NAMES, place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
__all__ = ["place"]
UNSEEN = "\x1b\x07\r\x85\u061c\u2028\u202e\u2066\U000e0061"
LONG_ONE = asset_id(None, f"10.0.0.{len(NAMES)}")
# what the reader sees, components in their shadows included
SEEN = """(() => {
  const told = node => [...node.childNodes].map(each => each.nodeType === 3 ? each.data : ["SCRIPT", "STYLE"].includes(each.tagName) ? ""
    : (each.shadowRoot ? told(each.shadowRoot) : "") + told(each)).join("")
  return told(document.body)
})()"""
SCRIPT = "<script>alert(1)</script>"
PAGES = {
    "/assets": (*FORMULAS, SCRIPT), f"/asset?asset={LONG_ONE}": (SCRIPT,), "/alert?id=al4": (SCRIPT,), "/explore?view=table": (*FORMULAS, SCRIPT),
    "/explore?view=roll": (),  # drawn, not written
    "/audit": (*FORMULAS, SCRIPT), "/coverage": (*FORMULAS, SCRIPT), "/rule?rule=%3Cscript%3Ealert(1)%3C/script%3E": (), "/reports": (), "/rulebook": (),
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    place = request.getfixturevalue("place")
    for number, name in enumerate(NAMES):
        lines("alert", "note", f"al{number}", "--note", name[:2_000], "--by", name[:60], "--store", place)
    one("report", "run", "daily", "--format", "json", "--store", place)
    with served(tmp_path_factory.mktemp("home"), place) as address:
        yield address


def until(page: Page, names: Sequence[str]) -> str:
    """What is seen of a page, once it shows these, or after so long: a component may come behind the rest."""
    end = time.monotonic() + 10
    while True:
        text = str(page.evaluate(SEEN))
        if all(name in text for name in names) or time.monotonic() > end:
            return text
        time.sleep(0.2)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_them_as_text(path: str, visit: Visit) -> None:
    visit.open(f"{path}{'&' if '?' in path else '?'}lang=en")
    page = visit.page
    text = until(page, PAGES[path])
    assert not set(text) & set(UNSEEN), "a name turns or hides what stands around it"
    assert [name for name in PAGES[path] if name not in text] == []
    assert page.locator("script", has_text="alert(1)").count() == 0
    assert "owned" not in page.title()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "a long name does not widen the page"


def test_a_script_that_got_into_a_page_does_not_run(visit: Visit) -> None:
    """Were one of our components to make an element of a stored text, the browser itself would refuse it."""
    visit.open("/assets?lang=en")
    visit.page.evaluate(
        """() => {
            const script = document.createElement('script')
            script.textContent = 'window.owned = 1'
            const image = document.createElement('img')
            image.src = 'data:,'
            image.setAttribute('onerror', 'window.owned = 1')
            document.body.append(script, image)
        }"""
    )
    visit.page.wait_for_timeout(200)
    assert visit.page.evaluate("window.owned") is None
    assert len(visit.faults) == 2
    assert all("Content Security Policy" in fault for fault in visit.faults)
    visit.faults.clear()
