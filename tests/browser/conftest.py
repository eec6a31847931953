"""A browser for the tests of a file, and for each a page of it on the dashboard that the file serves as `base`, which remembers nothing but scripts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.visiting import Visit, chromium, fresh, paging


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    with fresh(browser) as made:
        yield made


@pytest.fixture
def visit(context: BrowserContext, base: str) -> Iterator[Visit]:
    with paging(context, base) as seen:
        yield seen
