"""However the packets are cut into batches, the rows are the same, in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.bench.generator import generate
from tests.conformance.harness import SHARED, conformances
from tests.require import need
from tests.wire import hard, save

if TYPE_CHECKING:
    from pathlib import Path

    from sensors.sources.pcap import Capture

PRESENT = (SHARED / "index.csv").is_file()
SMALL, LARGE = 1 << 16, 4 << 20
ODD = (70_001, 1 << 18, 1_234_567)


def rows(capture: Capture, batch: int) -> dict[str, Any]:
    """Everything the sensor says."""
    sensor, source = Sensor("observer", "site", "file", batch=batch), open_capture(capture)
    told = list(sensor.listen(source))
    source.close()
    tables = {name: pa.concat_tables(getattr(part, name) for part in told) for name in ("activities", "points", "coverage")}
    return {**tables, "totals": sensor.totals, "assets": sensor.assets(), "error": source.error and source.error.key}


def same(file: Path, *batches: int) -> None:
    (capture,) = find([str(file)])
    expected = rows(capture, LARGE)
    for batch in batches:
        found = rows(capture, batch)
        for name, value in expected.items():
            assert found[name] == value or listed(found[name]) == listed(value), f"{name} in batches of {batch}"


def listed(value: Any) -> Any:
    """Where rows differ, which: tables do not tell that."""
    return value.to_pylist() if isinstance(value, pa.Table) else value


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("traffic") / "x.pcap"
    truth = generate(11, 12_000, file)
    assert all(truth["oddities"][what] for what in ("split", "several", "out_of_order", "duplicate", "retransmission"))
    return file


def test_generated_traffic(traffic: Path) -> None:
    same(traffic, SMALL, *ODD)


@pytest.mark.parametrize("seed", range(6))
def test_everything_that_goes_wrong(seed: int, tmp_path: Path) -> None:
    same(save([packet for packet in hard(seed, 400) if packet.linktype == 1], tmp_path / "x.pcap"), SMALL, *ODD)


@pytest.mark.captures
@pytest.mark.parametrize("capture", sorted({capture for one in conformances() for capture in one.captures()}) if PRESENT else [])
def test_captures_of_others(capture: str) -> None:
    need("captures", PRESENT, f"no {SHARED / 'index.csv'}")
    file = SHARED / capture
    same(file, *((SMALL,) if file.stat().st_size > LARGE else (SMALL, *ODD)))
