"""What axe-core finds in our own components, and on the page where one logs in: nothing serious, in either scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from axe_playwright_python.sync_playwright import Axe  # pyright: ignore[reportMissingTypeStubs]
from playwright.sync_api import expect

from dashboards.access import sessions
from records.store import open_store
from tests.browser.screenshots import addresses, worked
from tests.browser.test_access import enter
from tests.browser.visiting import READY, fresh, paging, served
from tests.test_access import add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.browser.visiting import Visit

pytestmark = pytest.mark.browser
PAGES = (
    "situation", "alerts", "alert", "suppress", "assets", "asset", "network", "activity", "rules", "rule", "tuning",
    "disable", "coverage", "suppressions", "duties", "audit", "reports", "wall", "handover", "no alerts", "no activity",
)  # fmt: skip
COLOURED = ("situation", "alert", "network", "activity", "wall")  # with colours of their own: looked at in the dark, too
CHINESE = ("alerts", "rules")  # other letters, other widths, another language to be declared
SCHEMES: tuple[Literal["dark", "light"], ...] = ("light", "dark")
NARROWED = {"handover": "alerts?handover=1", "no alerts": "alerts?q=title:no", "no activity": "explore?q=ot.unit:9999"}
# Tables in which not all is to be seen without a hand.
CUT = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].flatMap(host => [...host.shadowRoot.querySelectorAll('.scroll')])
    .filter(each => each.scrollWidth > each.clientWidth).map(each => each.innerText)"""
FORMS = ("alert", "suppressions")  # have some that a button opens
OPENS, FORM = "[data-testid=stPopover] button:enabled", "[data-testid=stPopoverBody]"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"], "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def base(home: Path) -> Iterator[str]:
    with served(home, home / "store", **worked(home)) as address:
        yield address


@pytest.fixture(scope="module")
def paths(home: Path, base: str) -> dict[str, str]:
    del base  # what is there then
    return addresses(home / "store") | NARROWED


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    made = {scheme: fresh(browser, scheme) for scheme in SCHEMES}
    yield made
    for each in made.values():
        each.close()


def serious(page: Page, ours: bool = True, within: str | None = None) -> list[str]:
    """Faults of impact serious or critical; `ours`: of what stands in a shadow root, where Streamlit puts nothing; `within`: of one part of the page."""
    told = cast("list[dict[str, Any]]", cast("Any", Axe()).run(page, context=within, options=RULES).response["violations"])
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in told
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
        if not ours or isinstance(node["target"][0], list)
    ]


def opened(page: Page) -> list[str]:
    """Faults of the forms that buttons open, one after the other; nothing of the page beneath them is looked at again."""
    found: list[str] = []
    for button in page.locator(OPENS).all():
        button.click()
        expect(page.locator(FORM)).to_be_visible()
        found += serious(page, ours=False, within=FORM)
        page.keyboard.press("Escape")
        expect(page.locator(FORM)).to_have_count(0)
    return found


@pytest.mark.parametrize(("name", "scheme"), [*((name, "light") for name in PAGES), *((name, "dark") for name in COLOURED)])
def test_nothing_serious_in_our_components_and_nothing_cut(
    contexts: dict[str, BrowserContext], base: str, paths: dict[str, str], name: str, scheme: Literal["dark", "light"]
) -> None:
    path = paths[name]
    with paging(contexts[scheme], base) as visit:
        visit.open(f"/{path}{'&' if '?' in path else '?'}lang=en&range=all")
        visit.page.wait_for_function(READY, arg=True, polling="raf")
        visit.page.wait_for_timeout(900 if name == "wall" else 0)  # one of its faces fades away
        assert serious(visit.page) == []
        assert visit.page.evaluate(CUT) == []
        assert visit.page.locator("[data-testid=stIconMaterial]:not([aria-hidden=true])").all_inner_texts() == [], "an icon's name is no word to be read out"
        assert opened(visit.page) == []
        assert visit.page.locator(OPENS).count() or name not in FORMS
        if name == "situation":
            visit.page.keyboard.press("?")
            expect(visit.page.get_by_role("dialog", name="Keys")).to_be_visible()
            assert serious(visit.page) == []
        if name in CHINESE:
            visit.open(f"/{path}{'&' if '?' in path else '?'}lang=zh&range=all")
            visit.page.wait_for_function(READY, arg=True, polling="raf")
            assert serious(visit.page) == []
            assert visit.page.evaluate(CUT) == []


def test_nothing_serious_at_the_door_and_where_nothing_is_recorded(contexts: dict[str, BrowserContext], tmp_path: Path) -> None:
    users = add(tmp_path / "accounts.json", ("vera", "viewer"))
    open_store(str(tmp_path / "store"), write=True).close()
    with served(tmp_path, tmp_path / "store", **{sessions.USERS: str(users)}) as base:
        for context in contexts.values():
            with paging(context, base) as visit:
                visit.page.goto(base + "/login?lang=zh")
                assert serious(visit.page, ours=False) == []
                enter(visit, "vera", "/login?lang=en")
                visit.page.wait_for_function(READY, arg=True, polling="raf")
                assert serious(visit.page) == []


def test_a_fault_is_found(visit: Visit) -> None:
    """The check can fail: faint words in a shadow root."""
    visit.open("/?lang=en&range=all")
    visit.page.evaluate(
        """() => {
            const host = document.createElement('div')
            document.querySelector('[data-testid=stMainBlockContainer]').prepend(host)
            host.attachShadow({ mode: 'open' }).innerHTML = '<p style="color: #ddd; background: #fff; font-size: 14px">faint</p>'
        }"""
    )
    assert any("color-contrast" in fault for fault in serious(visit.page))


def test_a_page_that_crashed_is_found(visit: Visit) -> None:
    visit.open("/?lang=en&range=all")
    visit.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p data-testid=stException>KeyError</p>')")
    visit.page.wait_for_timeout(50)
    assert [fault for fault in visit.faults if fault == "crashed: KeyError"] == visit.faults != []
    visit.faults.clear()
