"""`python -m tests.browser.screenshots FOLDER [WORD…]` (`make screenshots`): each page in both languages, dark and light, in two widths, of the demo after a
shift's work on it, of a month of a made plant where time tells something, and empty: there without the pages of one alert, asset or rule, which has none.

Only pictures whose name holds one of the words, where words are given. Whatever a browser reports as an error is printed, and ends it with status 1.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest
from playwright.sync_api import sync_playwright

from dashboards.serve import LEDGER, RULES
from records.store import open_store
from reports import keys
from tests.bench import plantmonth
from tests.browser.visiting import CHROMIUM, FLAGS, READY, Visit, served, visiting
from tests.cli import lines, one, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

LANGUAGES: Final = ("en", "zh")
SCHEMES: Final[tuple[Literal["dark", "light"], ...]] = ("light", "dark")
WIDTHS: Final = (1280, 1920)
TALLEST: Final = 4000
WALL: Final = "?view=wall"
RANGES: Final = {"demo": "all", "month": "7d", "empty": "all"}


def worked(home: Path) -> dict[str, str]:
    """The demo in `home`/store, and what a shift does about it: decisions, a suppression, a rule disabled, an incident's duties, a report released.

    Returns the environment that a dashboard of it is started with.
    """
    store, by = shutil.copytree(stored()[0], home / "store"), ("--by", "Li Wei", "--store", home / "store")
    rules, ledger = home / "rules", ("--ledger", home / "ledger", "--keys", home / "keys")
    rules.mkdir()
    worst, second, third, fourth, *others = (row["id"] for row in lines("alerts", "--store", store, "--sort", "-severity"))
    lines("alert", "acknowledge", worst, second, third, *by)
    lines("alert", "assign", second, "--to", "Zhao Min", "--note", "Ask who was on site", *by)
    lines("alert", "close", third, "--verdict", "true", "--note", "Not announced, not by us", *by)
    one("suppress", others[-1], "--reason", "The new historian, see the change of 12 November", "--expires", "14d", "--yes", *by)
    lines("alert", "close", fourth, "--verdict", "expected", "--note", "Maintenance, agreed with the shift", *by)
    one("rules", "disable", "address-sweep", "--reason", "The scanner of the office sweeps each night", "--yes", "--rules", rules, *by)
    one("duty", "grade", third, "--level", "considerable", *by)
    told = one("report", "run", "weekly", "--format", "json", "--format", "html", "--store", store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "COST", 1 << 14)
        patch.setenv(keys.PASSPHRASE, "for pictures alone")
        one("key", "make", *ledger)
        one("report", "release", told["id"], *ledger, *by)
    return {RULES: str(rules), LEDGER: str(home / "ledger")}


def addresses(store: Path) -> dict[str, str]:
    """Every page of the demo by its name, those about one thing about the worst one."""
    (alert,) = lines("alerts", "--store", store, "--sort", "-severity", "--limit", 1)
    rule = next(row["rule"] for row in lines("findings", "--store", store, "--where", f"alert:{alert['id']}") if row["rule"])
    asset = next(row["id"] for row in lines("assets", "--store", store) if row["role"] == "controller")
    return {
        "situation": "", "alerts": "alerts", "alert": f"alert?id={alert['id']}", "suppress": f"suppress?id={alert['id']}", "assets": "assets",
        "asset": f"asset?asset={asset}", "network": "network", "activity": "explore", "rules": "rulebook", "rule": f"rule?rule={rule}",
        "tuning": "tuning?rule=unit-sweep&curve=1", "disable": f"disable?rule={rule}",
        "coverage": "coverage", "suppressions": "suppressions", "duties": "duties", "audit": "audit", "reports": "reports", "wall": WALL,
    }  # fmt: skip


def month(store: Path) -> dict[str, str]:
    """Pages that show how something went: trends, the week before, curves, a report."""
    with closing(open_store(str(store), write=True)) as opened:
        plantmonth.fill(opened, 1, 300_000)
    one("report", "run", "weekly", "--format", "json", "--store", store)
    pages = ("alerts", "assets", "network", "coverage", "reports")
    return {"situation": "", "wall": WALL, "activity": "explore", "tuning": "tuning?rule=absent-object-read&curve=1", **{page: page for page in pages}}


def empty(store: Path) -> dict[str, str]:
    """Pages that are worth a look without anything in the store."""
    open_store(str(store), write=True).close()
    pages = ("alerts", "assets", "network", "coverage", "suppressions", "duties", "reports", "audit")
    return {"situation": "", "wall": WALL, "activity": "explore", "rules": "rulebook", **{page: page for page in pages}}


def taken(browser: Browser, base: str, path: str, file: Path, scheme: Literal["dark", "light"], width: int) -> list[str]:
    """One picture of the whole page; what the browser complained of."""
    with visiting(browser, base, scheme=scheme, width=width) as visit:
        visit.open(path)
        visit.page.wait_for_function(READY, arg=True, polling="raf", timeout=60_000)
        visit.page.wait_for_timeout(300)
        if WALL not in path:
            whole(visit, width)
        visit.page.screenshot(path=file)
        faults, visit.faults = visit.faults, []
    return faults


def whole(visit: Visit, width: int) -> None:
    """Make the window as tall as the page, so that nothing has to be scrolled."""
    height = visit.page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    visit.page.set_viewport_size({"width": width, "height": min(TALLEST, max(800, int(height) + 66))})
    visit.page.mouse.move(2, 2)
    visit.page.wait_for_timeout(700)


def pictures(paths: dict[str, dict[str, str]], words: list[str]) -> Iterator[tuple[str, str, str, Literal["dark", "light"], int]]:
    """(state, name of the page, language, scheme, width)."""
    for state, pages in paths.items():
        for name, language, scheme, width in itertools.product(pages, LANGUAGES, SCHEMES, WIDTHS):
            if not words or any(word in f"{name}-{state}-{language}-{scheme}-{width}" for word in words):
                yield state, name, language, scheme, width


def main(folder: Path, words: list[str]) -> int:
    """Take them all; the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    bad = 0
    with ExitStack() as stack, sync_playwright() as driver:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for state in ("empty", "month"):
            (home / state).mkdir()
        told = worked(home)
        paths = {"demo": addresses(home / "store"), "empty": empty(home / "empty" / "store")}
        if not words or "month" in "".join(words):
            paths["month"] = month(home / "month" / "store")
        bases = {state: stack.enter_context(served(home / state, home / state / "store")) for state in paths if state != "demo"}
        bases["demo"] = stack.enter_context(served(home, home / "store", **told))
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        for state, name, language, scheme, width in pictures(paths, words):
            path = paths[state][name]
            file = folder / f"{name}-{state}-{language}-{scheme}-{width}.png"
            faults = taken(browser, bases[state], f"/{path}{'&' if '?' in path else '?'}lang={language}&range={RANGES[state]}", file, scheme, width)
            bad += bool(faults)
            sys.stdout.write(f"{file.name}{'  ' + '; '.join(faults) if faults else ''}\n")
        browser.close()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
