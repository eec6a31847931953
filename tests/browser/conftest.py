"""A browser for the tests of a file, and for each a page of it on the dashboard that the file serves as `base`, which remembers nothing but scripts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.visiting import CHROMIUM, FLAGS, Visit, fresh, paging
from tests.require import need

expect.set_options(timeout=20_000)  # ms; the usual five are too few on a machine that does other work besides


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need("browser", CHROMIUM.exists(), f"{CHROMIUM} is not installed")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with fresh(browser) as made:
        yield made


@pytest.fixture
def visit(context: BrowserContext, base: str) -> Iterator[Visit]:
    with paging(context, base) as seen:
        yield seen
