"""A browser for the tests of a file, and a fresh page of it for each on the dashboard that the file serves as `base`."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.visiting import CHROMIUM, FLAGS, Visit, visiting
from tests.require import need

expect.set_options(timeout=20_000)  # ms; the usual five are too few on a machine that does other work besides


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    need("browser", CHROMIUM.exists(), f"{CHROMIUM} is not installed")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Visit]:
    with visiting(browser, base) as seen:
        yield seen
