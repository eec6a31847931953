"""How long the pages take over a month of a plant, in random periods with random ends: `python -m tests.bench.dashboard` (`make bench-dashboard`).

Within a session from the click on the way to a page to its last chart; in a fresh browser from the address, beside a page that says one word, served alike.
What is done on one thing (a suppression, a rule's tuning and disabling, a point's values) is opened in a fresh browser alone.
Each round has a server of its own, which has seen none of the periods; before each page the files are put out of memory, and an Elasticsearch's caches emptied.
It fails where a page takes longer than it may, and where an alert's packet was not dissected.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright

from dashboards import queries, serve
from records.errors import StoreError
from records.formats import DAY
from records.query import Query
from records.search import Match
from records.store import open_store
from records.store.contract import ABSENT
from records.store.elastic import ElasticStore
from tests.bench.plantmonth import fill
from tests.browser.visiting import CHROMIUM, FLAGS, READY, free, serving, visiting, wait_for

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from playwright.sync_api import Browser, Page

    from records.query import Span

ROWS: Final = 10_000_000
ROUNDS: Final = 6
WITHIN_MS: Final = 1_000.0  # p95, in a session; in a fresh browser, more than the bare page
WIDE: Final = 1920  # all ways to pages stand beside each other
LENGTHS: Final = queries.PERIODS
PERIODS: Final = (*LENGTHS, "all")
BARE: Final = "import streamlit as st\n\nst.write('word')\n"
# How a page is reached: from the navigation, or from a link on another page.
PAGES: Final = ("", "alerts", "assets", "network", "explore", "rulebook", "coverage", "suppressions", "duties", "reports", "audit")
BEHIND: Final = {"alert": ("alerts", ".queue .row .title"), "asset": ("assets", ".table tbody a"), "rule": ("rulebook", ".table tbody a")}
NAMELESS: Final = "situation"  # what the page without an address is called
ALSO: Final = ("explore?view=table", "explore?view=value", "?view=wall")  # in a fresh browser alone
ON_ONE: Final = ("suppress", "tuning", "disable")  # likewise
WATCH: Final = """() => {
    const app = document.querySelector('[data-testid=stApp]')
    window.told = { ran: false, clicked: 0 }
    new MutationObserver(() => { if (app.dataset.testScriptState === 'running') told.ran = true }).observe(app, { attributes: true })
    addEventListener('click', () => { told.clicked = performance.now() }, { capture: true, once: true })
}"""

# What the page before does of itself is over: a run that is under way when one clicks would be taken for the one that the click asks for.
QUIET: Final = "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"

# What has to be on a page for its time to be one: else it was fast for showing nothing.
SHOWN: Final = {"alert": ".dissection .octet"}
# Whether a component has drawn such a thing. Asked at each frame: a locator that waits looks twice a second in the end, which would be part of the time.
DRAWN: Final = "wanted => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].some(host => host.shadowRoot?.querySelector(wanted))"

Times = dict[str, list[float]]


def ready(page: Page, fresh: bool) -> float:
    """Milliseconds until the last chart."""
    return float(page.wait_for_function(READY, arg=fresh, polling="raf", timeout=120_000).json_value())


def some_period(whole: Span, chance: random.Random) -> str:
    """Any length, ending at any moment at which there was so much before, as an address has it."""
    name = chance.choice(PERIODS)
    return f"range={name}&until={chance.randint(whole.since + min(LENGTHS.get(name, DAY), whole.length), whole.until)}"


def clicked(page: Page, place: str, way: str, shown: str = "") -> float:
    """Follow the first such link, nothing of the store at `place` being in memory; how long it took until the page, and `shown` on it, was there."""
    forget(place)
    page.wait_for_timeout(200)
    page.wait_for_function(QUIET, polling="raf")
    page.evaluate(WATCH)
    page.locator(way).first.click()
    if shown:  # a row of the queue leads by way of a run that draws nothing new
        page.wait_for_function(DRAWN, arg=shown, polling="raf", timeout=60_000)
    return ready(page, False)


def within(browser: Browser, base: str, place: str, whole: Span, chance: random.Random, times: Times, only: frozenset[str]) -> None:
    """One session through these pages in a random order, and those that lead to them."""
    with visiting(browser, base, width=WIDE) as visit:
        visit.page.goto(f"{base}/{about(place)['disable']}&lang=en&{some_period(whole, chance)}")  # none of those that are measured here
        ready(visit.page, True)
        wanted = [address for address in PAGES if address in only or any(before == address for name, (before, _) in BEHIND.items() if name in only)]
        for address in chance.sample(wanted, len(wanted)):
            times.setdefault(address, []).append(clicked(visit.page, place, f'[data-testid=stTopNavLink][href$="/{address}"]'))
            for name, (before, way) in BEHIND.items():
                if before == address and name in only and visit.page.locator(way).count():
                    times.setdefault(name, []).append(clicked(visit.page, place, way, SHOWN.get(name, "")))


def afresh(browser: Browser, base: str, address: str = "", period: str = "range=all") -> float:
    """A fresh browser at one page."""
    with visiting(browser, base, width=WIDE) as visit:
        visit.page.goto(f"{base}/{address}{'&' if '?' in address else '?'}lang=en&{period}")
        return ready(visit.page, True)


@contextmanager
def bare(home: Path) -> Generator[str]:
    """A page that says one word; its address."""
    script, port = home / "bare.py", free()
    script.write_text(BARE)
    words = [str(script) if word.endswith("served.py") else word for word in serve.command(port)]
    with subprocess.Popen(words, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def made(place: str, seed: int, rows: int) -> None:
    """There is a store, with so many activities where it was not there before."""
    try:
        open_store(place).close()
    except StoreError as error:
        if error.key not in ABSENT:
            raise
        store = open_store(place, True, "month")
        fill(store, seed, rows)
        store.close()


def extent_of(place: str) -> Span:
    """From the oldest to the newest packet."""
    store = open_store(place)
    whole = queries.extent(store)
    store.close()
    if whole is None:
        sys.exit(f"{place}: there is nothing in it")
    return whole


def about(place: str) -> dict[str, str]:
    """Where the pages about one thing are, of the worst alert, its first asset and its rule."""
    with closing(open_store(place)) as store:
        (alert,) = store.read("alert", Query(sort="-severity", limit=1)).select(["id", "assets"]).to_pylist()
        (rule,) = store.read("finding", Query(where=Match("alert", alert["id"]), limit=1)).column("rule").to_pylist()
    ids = {"alert": alert["id"], "suppress": alert["id"], "asset": alert["assets"][0], "rule": rule, "tuning": rule, "disable": rule}
    asked = {"asset": "asset", "alert": "id", "suppress": "id"}
    return {name: f"{name}?{urlencode({asked.get(name, 'rule'): identity})}" for name, identity in ids.items()}


def forget(place: str) -> None:
    """Let go of what was read before: the kernel of these files, an Elasticsearch of what it worked out."""
    if "://" in place:
        store = ElasticStore(place)
        store.cluster.client.indices.clear_cache(index=store.names.of("*"))
        store.close()
        return
    for file in Path(place).rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measured(place: str, home: Path, rounds: int, seed: int, only: frozenset[str]) -> tuple[Times, Times]:
    """Milliseconds by page, of these: in a session, and in a fresh browser; there "bare" is the bare page."""
    inside, fresh, chance = Times(), Times(), random.Random(seed)
    with ExitStack() as stack, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        plain = stack.enter_context(bare(home))
        whole, addresses = extent_of(place), {name: name for name in (*PAGES, *ALSO)} | about(place)
        afresh(browser, plain)  # the first one starts what a server starts once
        for _ in range(rounds):
            forget(place)
            with serving(home, place) as base:
                afresh(browser, base, "audit", some_period(whole, chance))
                within(browser, base, place, whole, chance, inside, only)
                for name in (each for each in addresses if each in only):
                    forget(place)
                    fresh.setdefault(name, []).append(afresh(browser, base, addresses[name], some_period(whole, chance)))
                    fresh.setdefault("bare", []).append(afresh(browser, plain))
        browser.close()
    return inside, fresh


def most(times: Iterable[float]) -> float:
    """p95."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


def told(inside: Times, fresh: Times, only: frozenset[str]) -> list[str]:
    """Print a table; what of these pages takes longer than it may."""
    bare = fresh["bare"]
    half, bound = statistics.median(bare), most(bare) + WITHIN_MS
    print(f"bare page in a fresh browser: p50 {half:.0f} ms, p95 {most(bare):.0f} ms ({len(bare)} times)")
    print(f"{'page':<22}{'session p50':>12}{'p95':>8}{'fresh p50':>12}{'p95':>8}{'more':>8}")
    slow: list[str] = []
    for address in (each for each in (*PAGES, *BEHIND, *ON_ONE, *ALSO) if each in inside or each in only):
        cells = [f"{address or NAMELESS:<22}"]
        for times, allowed in ((inside.get(address), WITHIN_MS), (fresh.get(address), bound)):
            cells.append(f"{statistics.median(times):>12.0f}{most(times):>8.0f}" if times else f"{'–':>12}{'–':>8}")
            if times and most(times) > allowed:
                slow.append(f"{address or NAMELESS}: {most(times):.0f} ms, at most {allowed:.0f}")
        if address in BEHIND and address in only and address not in inside:
            slow.append(f"{address}: no link led to it")
        cells.append(f"{statistics.median(fresh[address]) - half:>8.0f}" if address in fresh else "")
        print("".join(cells))
    return slow


def main() -> None:
    """Make the store, measure, print; an exit status where a page is too slow."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.dashboard", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--store", help="where the store is, or is to be made and kept; a directory, or the address of an Elasticsearch")
    parser.add_argument(
        "--page", nargs="+", choices=[NAMELESS, *PAGES[1:], *BEHIND, *ON_ONE, *ALSO], metavar="NAME", help="these pages alone, as their addresses have them"
    )
    asked = parser.parse_args()
    only = frozenset("" if name == NAMELESS else name for name in asked.page or (NAMELESS, *PAGES, *BEHIND, *ON_ONE, *ALSO))
    with tempfile.TemporaryDirectory(prefix="balefire-bench-") as folder:
        place = asked.store or str(Path(folder) / "store")
        made(place, asked.seed, asked.rows)
        home = Path(folder) / "home"
        home.mkdir()
        slow = told(*measured(place, home, asked.rounds, asked.seed, only), only)
        shutil.rmtree(home)
    if slow:
        sys.exit("\n".join(slow))


if __name__ == "__main__":
    main()
