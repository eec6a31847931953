"""What the capturing system says it dropped: interface statistics of pcapng, counted in the window of the packet before, whatever the chunks."""

from __future__ import annotations

import io
import json
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from sensors import pcapng
from sensors.engine.streams import LOOKED
from sensors.grading import unkept
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from sensors.sources.reader import CaptureSource
from tests.test_sources import block, enhanced, interface, option, section
from tests.test_sources import read as read_all
from tests.wire import SECOND, START, Talk, ethernet, mbap, read, registers, write

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


def test_what_was_dropped_costs_points(tmp_path: Path) -> None:
    """As if each were a packet like those that came, but for octets that are known to be lost."""
    talk, file = Talk().open(), io.BytesIO()
    for number in range(100):
        talk.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    writer, face = pcapng.Writer(file), pcapng.Interface("eth0", 1, 0)
    for each in talk.packets:
        writer.add(pcapng.Packet(each.time, len(each.data), each.data, face))
    kept = file.getvalue()
    told: list[tuple[Any, ...]] = []
    for dropped in (0, len(talk.packets)):
        path = tmp_path / f"{dropped}.pcapng"
        path.write_bytes(kept + pcapng.statistics(0, talk.packets[-1].time, len(talk.packets), dropped))
        (capture,) = find([str(path)])
        with closing(open_capture(capture)) as source:
            rows = [row for part in Sensor("observer").listen(source) for row in part.coverage.to_pylist()]
        told += [(row["grade"], [(each["reason"], each["points"]) for each in json.loads(row["reasons"])]) for row in rows]
    assert told == [(100.0, []), (50.0, [("shed", 50.0)])]


@pytest.mark.parametrize(("lost", "costs"), [(0, 50), (20, 30), (80, 0)])
def test_what_is_known_to_be_lost_is_not_taken_twice(lost: int, costs: int) -> None:
    assert unkept(100, packets=10, shed=0, dropped=10, lost=lost) == costs
    assert unkept(0, packets=0, shed=0, dropped=0, lost=lost) == 0


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
    assert read_all(source) == []
    source.close()
    assert source.interfaces == ["0", "eth0", "eth0 (2)", "x" * 64, "eth0", "1"]


def test_time_in_which_nothing_could_come_is_counted_where_it_passed(tmp_path: Path) -> None:
    """Each window has its own, also one without a packet; a capture of others tells of none."""

    def tick(second: int, dark: float = 0.0, number: int = 0) -> bytes:
        return pcapng.statistics(number, START + second * SECOND, 0, 0, 0, int(dark * SECOND))

    for application, dark in (("Balefire", [(0, "eth0", 1, 20.0), (1, "eth0", 0, 60.0), (1, "eth1", 0, 1.0), (2, "eth0", 1, 5.0)]), ("other", [])):
        file = io.BytesIO()
        writer = pcapng.Writer(file, application=application)
        for name in ("eth0", "eth1"):
            writer.number(pcapng.Interface(name, 1, 0))
        content = tick(0, 10) + enhanced("<", START + SECOND, FRAME, len(FRAME), 0)
        content += (
            tick(50, 10) + tick(60) + tick(119, 60) + tick(119, 1, 1) + tick(120) + tick(125, 5) + enhanced("<", START + 126 * SECOND, FRAME, len(FRAME), 0)
        )
        path = tmp_path / f"{application}.pcapng"
        path.write_bytes(file.getvalue() + content)
        (capture,) = find([str(path)])
        with closing(open_capture(capture)) as source:
            rows = [row for part in Sensor("observer").listen(source) for row in part.coverage.to_pylist()]
        found = [((row["@timestamp"].value - START) // (60 * SECOND), row["interface"], row["packets"], row["dark"]) for row in rows]
        assert [each for each in found if each[3]] == dark


def test_who_falls_behind_lets_go_what_only_looks_and_counts_it(tmp_path: Path) -> None:
    """Not who has acted, nor who begins meanwhile, nor anybody once it is over."""
    talks = [Talk(client=f"10.0.0.{number}") for number in (7, 8, 9)]
    looker, actor, later = talks
    file = io.BytesIO()
    writer, face, told = pcapng.Writer(file, application="Balefire"), pcapng.Interface("in0", 1, 0), list[int]()

    def hear(seconds: int, pressed: bool, *speaking: Talk) -> None:
        for talk in speaking:
            before = len(talk.packets)
            talk.time = START + seconds * SECOND
            (talk if before else talk.open()).ask(mbap(seconds, read(0, 2)), mbap(seconds, registers(1, 2)))
            if talk is not looker:
                talk.ask(mbap(seconds, write(3, seconds)), mbap(seconds, write(3, seconds)))
            for each in talk.packets[before:]:
                writer.add(pcapng.Packet(each.time, len(each.data), each.data, face))
            told.append(len(talk.packets) - before)
        file.write(pcapng.statistics(0, START + (seconds + 1) * SECOND, 1, 0, pressed=pressed))

    for number in range(LOOKED):
        hear(0, False, looker, *([actor] if number == 0 else []))
    file.write(pcapng.statistics(0, START + 2 * SECOND, 1, 0, pressed=True))
    for seconds in range(2, 10, 2):
        hear(seconds, seconds < 8, looker, actor, *([later] if seconds > 2 else []))
    hear(10, False, looker)
    path = tmp_path / "told.pcapng"
    path.write_bytes(file.getvalue())
    (capture,) = find([str(path)])
    with closing(open_capture(capture)) as source:
        sensor = Sensor("observer")
        rows = [row for part in sensor.listen(source) for row in part.activities.to_pylist()]
    wrote = [(row["source.ip"], row["ot.value"]) for row in rows if row["ot.access"] == "write"]
    assert sorted(wrote) == [("10.0.0.8", value) for value in (0, 2, 4, 6, 8)] + [("10.0.0.9", value) for value in (4, 6, 8)]
    assert {row["event.outcome"] for row in rows} == {"success"}, "nothing is called unanswered for that"
    polls = {row["source.ip"]: row["ot.count"] for row in rows if row["ot.access"] == "read"}
    assert (polls, sensor.totals.dropped) == ({"10.0.0.7": LOOKED + 1, "10.0.0.8": 5, "10.0.0.9": 3}, 4 * told[-1])
