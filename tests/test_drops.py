"""What the capturing system says it dropped: interface statistics of pcapng, counted in the window of the packet before, whatever the chunks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from sensors.sources.reader import CaptureSource
from tests.test_sources import block, enhanced, interface, option, read, section
from tests.wire import SECOND, START, ethernet

if TYPE_CHECKING:
    from pathlib import Path

FRAME = ethernet(bytes(60), ethertype=0x88B8)


def statistics(order: str = "<", number: int = 0, **told: int) -> bytes:
    codes = {"received": 4, "interface": 5, "accepted": 6, "system": 7}
    options = b"".join(option(order, codes[name], struct.pack(f"{order}Q", value)) for name, value in told.items())
    return block(order, 5, struct.pack(f"{order}III", number, 0, 0) + options)


def packet(seconds: int, number: int = 0, order: str = "<") -> bytes:
    return enhanced(order, (START + seconds * SECOND) // 1000, FRAME, len(FRAME), number)


def rows(content: bytes, path: Path, batch: int = 1 << 20) -> list[tuple[Any, ...]]:
    path.write_bytes(content)
    (capture,) = find([str(path)])
    source = open_capture(capture)
    sensor = Sensor("observer", batch=batch)
    told = [row for part in sensor.listen(source) for row in part.coverage.to_pylist()]
    source.close()
    assert source.error is None
    assert sum(row["dropped"] for row in told) == sensor.totals.dropped
    return [((row["@timestamp"].value - START) // (60 * SECOND), row["interface"], row["packets"], row["dropped"]) for row in told]


TWO = section("<") + interface("<", name=b"eth0") + interface("<", name=b"eth1")
GROWING = (
    TWO + statistics(interface=3) + packet(1) + packet(2, 1) + statistics(interface=5, system=2) + packet(61) + statistics(number=1, system=40)
    + packet(121, 1) + statistics(interface=5, system=3) + statistics(interface=1)
)  # fmt: skip


@pytest.mark.parametrize("batch", [1 << 20, 1 << 10, 300])
def test_numbers_that_grow_are_counted_by_window_and_interface(batch: int, tmp_path: Path) -> None:
    """Those before the first packet in its window, those behind the last in its own; smaller ones than before begin anew."""
    assert rows(GROWING, tmp_path / "drops.pcapng", batch) == [
        (0, "eth0", 1, 7), (0, "eth1", 1, 0), (1, "eth0", 1, 0), (1, "eth1", 0, 40), (2, "eth0", 0, 2), (2, "eth1", 1, 0),
    ]  # fmt: skip


def test_both_orders_and_several_sections(tmp_path: Path) -> None:
    second = section(">") + interface(">", name=b"eth0") + packet(3, order=">") + statistics(">", interface=4)
    assert rows(section("<") + interface("<", name=b"eth0") + packet(1) + statistics(interface=4) + second, tmp_path / "two.pcapng") == [(0, "eth0", 2, 8)]


@pytest.mark.parametrize(
    "odd",
    [
        statistics(number=9, interface=5), statistics(received=5), statistics(), block("<", 5, bytes(4)), block("<", 5, bytes(12) + option("<", 5, b"\x01")),
        block("<", 5, bytes(12) + struct.pack("<HH", 5, 0xFFFF)),
    ],
    ids=range(6),
)  # fmt: skip
def test_statistics_that_tell_nothing(odd: bytes, tmp_path: Path) -> None:
    assert rows(TWO + packet(1) + odd + packet(2), tmp_path / "odd.pcapng") == [(0, "eth0", 2, 0)]


def test_numbers_beyond_belief_are_bounded(tmp_path: Path) -> None:
    content = TWO + packet(1) + statistics(interface=(1 << 64) - 1, system=(1 << 64) - 1)
    assert rows(content, tmp_path / "large.pcapng") == [(0, "eth0", 1, 1 << 40)]


def test_statistics_without_end_do_not_end_the_capture(tmp_path: Path) -> None:
    """They are no headers, of which a file has few."""
    content = TWO + b"".join(packet(1) + statistics(interface=number) for number in range(20_000))
    assert rows(content, tmp_path / "many.pcapng") == [(0, "eth0", 20_000, 19_999)]


def test_names_of_interfaces(tmp_path: Path) -> None:
    head = section("<") + interface("<") + interface("<", name=b"eth0") + interface("<", name=b"eth0") + interface("<", name=b"x" * 300)
    path = tmp_path / "names.pcapng"
    path.write_bytes(head + section("<") + interface("<", name=b"eth0") + interface("<"))
    (capture,) = find([str(path)])
    source = open_capture(capture)
    assert isinstance(source, CaptureSource)
    assert read(source) == []
    source.close()
    assert source.interfaces == ["0", "eth0", "eth0 (2)", "x" * 64, "eth0", "1"]
