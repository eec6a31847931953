"""What tests of several files share: one Elasticsearch for all of them, started when the first one needs it; and the order in which files come."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pytest

from tests.elasticsearch import node
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

    from tests.elasticsearch import Elasticsearch

# A server of the tests lives for minutes: half of its time went into optimising code that then hardly ran.
os.environ.setdefault("ES_JAVA_OPTS", "-Xms512m -Xmx512m -XX:TieredStopAtLevel=1")

# A sensor's tables are a quarter of a gibibyte of zeros, of which a test touches little. Memory that was freed would be kept and written anew for each of
# thousands of sensors; what is mapped comes as zeros.
M_MMAP_THRESHOLD: Final = -3
with suppress(OSError, AttributeError):  # only glibc has it
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 17)

# The program forgoes pandas (`balefire/__main__.py`), which the tests have: there Arrow's dates are Python's own, and one with nanoseconds is an error.
ROOT: Final = Path(__file__).parent.parent
FORGOING: Final = tuple(str(ROOT / layer) + os.sep for layer in ("records", "sensors", "detectors", "reports", "balefire"))
DATE: Final[Any] = pd.Timestamp


class _Alike(type):
    """Of a class that is another one for whoever asks."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, DATE)


class _Date(DATE, metaclass=_Alike):
    """A date out of an Arrow table, for a test; the program's own code asks for nanoseconds (`records.store.columns.flat`)."""

    def __new__(cls, *values: Any, **named: Any) -> Any:
        if sys._getframe(1).f_code.co_filename.startswith(FORGOING):  # pyright: ignore[reportPrivateUsage] - the way to ask who called
            message = "the program has no pandas: cast dates to int64"
            raise AssertionError(message)
        return DATE(*values, **named)


setattr(pd, "Timestamp", _Date)  # noqa: B010 - a class is no name to set; pandas itself has another name for it

# Where several processes share the files, the long ones come first: the last one decides when all is done.
LONG: Final = (
    "test_fuzz.py", "test_elastic_holds.py", "test_modes.py", "test_conformance.py", "test_stores_agree.py", "test_store.py", "test_elastic_failover.py",
    "test_pages.py", "test_plant_pages.py", "test_backtest.py", "test_firing.py", "test_mutation.py", "test_batches.py", "test_protocols.py",
    "test_plant_dnp3.py", "test_plant_iec104.py", "test_plant_enip.py", "test_plant_s7comm.py", "test_dissection.py", "test_soak.py",
    "test_accessible.py", "test_rule_files.py", "test_cli.py", "test_elastic_errors.py", "test_ageing.py", "test_grouping.py", "test_streams.py",
)  # fmt: skip

# What asks the one Elasticsearch, by words of a test's name; three files have servers of their own.
SHARING: Final = re.compile(r"test_(bench|copying|kibana|stores_agree)\.py|test_elastic_(?!failover|security|server)|[-_[]elasticsearch[-_\]]")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: much of the time a test waits for a clock or for another process."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """A file in one process, and all that ask the one Elasticsearch: each process would start its own: half a GiB, 15 s of CPU."""
    from xdist.scheduler import LoadFileScheduling  # pyright: ignore[reportMissingTypeStubs]

    class Sharing(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "elasticsearch" if SHARING.search(nodeid) else super()._split_scope(nodeid)

    return Sharing(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and thousands of tests stay until the end: the garbage collector need not look at them again and again, neither while they come nor later."""
    gc.disable()
    result = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return result


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """A page that is run without a browser becomes the main module, which processes that are started later would run again: not after its test."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 3 MiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = (
        os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], check=False, capture_output=True).returncode == 0
    )
    need("tmpfs", mounted, "mounting a small tmpfs needs root")
    yield place
    gc.collect()  # tracebacks of what failed hold Arrow's writer, and that its file
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Elasticsearch]:
    with node() as running:
        yield running


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a plant with a story in it (`waterworks`), only to be read."""
    from tests.browser import waterworks

    where = tmp_path_factory.mktemp("full") / "store"
    waterworks.fill(where)
    return where


@pytest.fixture(scope="session")
def little(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two minutes of it, only to be read."""
    from tests.browser import waterworks

    where = tmp_path_factory.mktemp("little") / "store"
    waterworks.fill_little(where)
    return where
