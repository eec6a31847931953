"""What tests of several files share: one Elasticsearch for all of them, started when the first one needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.elasticsearch import node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.elasticsearch import Elasticsearch


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Elasticsearch]:
    with node() as running:
        yield running
