"""The dashboard as it is really served, and a page of a real browser on which nothing may happen that should not."""

import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from dashboards import serve
from tests.require import need

expect.set_options(timeout=45_000)  # ms; the usual five are too few on a machine that does other work besides

CHROMIUM = Path("/usr/bin/chromium")
SHUT = "Blocked script execution in 'about:srcdoc'"  # a printed page in its frame runs no script, CRASHED no more than any other
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]

# Ready: the script has run (since the click, where the page is not fresh), and every component that draws has drawn; tells when.
READY = """fresh => {
    if (!fresh && !told.ran || document.querySelector('[data-testid=stApp]')?.dataset.testScriptState !== 'notRunning') return false
    const hosts = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].filter(host => !host.closest('.st-key-document, .st-key-visit'))
    if (!document.querySelector('[data-testid=stMarkdown]') && !hosts.length || document.querySelector('[data-testid=stSkeleton]')) return false
    return hosts.every(host => host.shadowRoot?.querySelector('.bf')?.childElementCount) && performance.now() - (fresh ? 0 : told.clicked)
}"""


# A page that crashed stands still and says why, in place of all that could be wrong: it is complained of as soon as it is there.
CRASHED = """new MutationObserver((changes, watch) => {
    const crash = document.querySelector('[data-testid=stException]')
    if (crash) { watch.disconnect(); console.error(`crashed: ${crash.textContent}`) }
}).observe(document, { childList: true, subtree: true })"""


@dataclass
class Visit:
    """A page and everything that happened on it that should not."""

    page: Page
    base: str
    faults: list[str] = field(default_factory=list[str])

    def open(self, path: str) -> None:
        """Go there and wait until the script has run."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


@contextmanager
def served(home: Path, store: Path | str, **more: str) -> Generator[str]:
    """As `serving`, for a browser."""
    need("browser", CHROMIUM.exists(), f"{CHROMIUM} is not installed")
    with serving(home, store, **more) as address:
        yield address


@contextmanager
def serving(home: Path, store: Path | str, **more: str) -> Generator[str]:
    """The dashboard of a store, as it is started by a person whose home this is, with this environment besides; its address."""
    port = free()
    quiet = {**serve.environment(str(store)), "HOME": str(home), **more}
    quiet.pop("BALEFIRE_LANGUAGE", None)
    with (home / "log").open("wb") as log, subprocess.Popen(serve.command(port), cwd=home, env=quiet, stdout=log, stderr=log) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def free() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the process listens there."""
    end = monotonic() + 60
    while monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            sleep(0.1)
        else:
            return
    pytest.fail("the dashboard did not start")


@contextmanager
def chromium() -> Generator[Browser]:
    """A browser until the end of the block; the test is skipped where there is none."""
    need("browser", CHROMIUM.exists(), f"{CHROMIUM} is not installed")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


def fresh(browser: Browser, scheme: Literal["dark", "light"] = "light", width: int = 1280) -> BrowserContext:
    """A browser that has been nowhere."""
    window: ViewportSize = {"width": width, "height": 1080 if width > 1280 else 900}
    return browser.new_context(viewport=window, color_scheme=scheme, timezone_id="Asia/Shanghai", locale="en-GB")


@contextmanager
def visiting(browser: Browser, base: str, scheme: Literal["dark", "light"] = "light", width: int = 1280) -> Generator[Visit]:
    """A page of a fresh browser; on leaving, nothing may have happened that should not."""
    with fresh(browser, scheme, width) as context, paging(context, base) as seen:
        yield seen


@contextmanager
def paging(context: BrowserContext, base: str) -> Generator[Visit]:
    """A page of a browser that remembers nothing of the one before but Streamlit's scripts; on leaving, nothing may have happened that should not."""
    context.clear_cookies()
    seen = Visit(context.new_page(), base)
    seen.page.add_init_script(CRASHED)
    own = (base, base.replace("http", "ws"), "data:", "blob:")
    seen.page.on("console", lambda said: seen.faults.append(said.text) if said.type in {"error", "warning"} and not said.text.startswith(SHUT) else None)
    seen.page.on("pageerror", lambda error: seen.faults.append(str(error)))
    seen.page.on("request", lambda request: None if request.url.startswith(own) else seen.faults.append(f"left this machine: {request.url}"))
    seen.page.on("dialog", lambda dialog: seen.faults.append(f"dialog: {dialog.message}"))
    yield seen
    seen.page.evaluate("() => { try { localStorage.clear() } catch {} }")  # a page that was never opened has none
    seen.page.close()
    assert seen.faults == [], seen.faults
