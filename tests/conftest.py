"""What tests of several files share: one Elasticsearch for all of them, started when the first one needs it; and the order in which files come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.elasticsearch import node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.elasticsearch import Elasticsearch

# Where several processes share the files, the long ones come first: the last one decides when all is done.
LONG: Final = (
    "test_fuzz.py", "test_modes.py", "test_conformance.py", "test_elastic_failover.py", "test_elastic_holds.py", "test_pages.py", "test_backtest.py",
    "test_firing.py", "test_mutation.py", "test_batches.py", "test_protocols.py", "test_plant_dnp3.py", "test_plant_iec104.py", "test_plant_enip.py",
    "test_plant_s7comm.py", "test_dissection.py", "test_soak.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file stays in one process, and all that share Elasticsearch in the same."""
    sharing = {item.path for item in items if "elasticsearch" in getattr(item, "fixturenames", ()) or "[elasticsearch" in item.name}

    def rank(path: Path) -> int:
        return -1 if path in sharing else LONG.index(path.name) if path.name in LONG else len(LONG)

    for item in items:
        item.add_marker(pytest.mark.xdist_group("elasticsearch" if item.path in sharing else item.path.name))
    items.sort(key=lambda item: (rank(item.path), item.path))


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Elasticsearch]:
    with node() as running:
        yield running
