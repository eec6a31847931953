"""What judges is killed at any point of what it hears, and hears it once more: stored is what would have been stored without that, once, to the packet."""

from __future__ import annotations

import io
import os
import random
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from balefire.absence import LEAD, Absence
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from sensors import outlet as outlets
from sensors.outlet import INTERFACES, PACKETS, STATISTICS, Outlet
from sensors.pcapng import Interface, Packet, Statistics, Writer
from sensors.sensor import Sensor
from sensors.sources.pcap import listen, open_capture
from tests.test_outlet import Reader, runs
from tests.wire import SECOND, START, Talk, mbap, read, registers, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from records.store.contract import Store

FACE: Final = Interface("in0", 1, 0)
EDGES: Final = (0, 1, 2, 30, 58, 59)  # seconds of a minute in which something is said
LATE: Final = (0.0, 0.05, 0.7, 1.5)  # seconds by which a packet is handed on late
FOREVER: Final = 1 << 62


class KilledError(Exception):
    """Nothing more is done."""


Piece = tuple[int, int, bytes]  # when it is handed on, its kind, its octets


def heard(seed: int) -> list[Piece]:
    """Four minutes of two masters: at their edges much is said, some of it comes late, and what time it is is told between."""
    dice, talks = random.Random(seed), [Talk(client=f"10.0.0.{number}") for number in (7, 8)]
    for second in (60 * minute + each for minute in range(4) for each in EDGES):
        for talk in talks:
            talk.time = START + second * SECOND + dice.randrange(SECOND)
            talk.ask(mbap(second, read(0, 2)), mbap(second, registers(1, dice.randrange(100))))
            if dice.random() < 0.3:
                talk.ask(mbap(99, write(3, second)), mbap(99, write(3, second)))
    file, statistics = io.BytesIO(), Statistics()
    writer, pieces = Writer(file), list[Piece]()

    def put(time: int, kind: int, wrote: Callable[[], object]) -> None:
        before = file.tell()
        wrote()
        pieces.append((time, kind, file.getvalue()[before:]))

    put(0, INTERFACES, lambda: writer.number(FACE))
    for second in (each for each in range(-3, 244) if (each + 4) % 60 < 8):
        put(START + second * SECOND, STATISTICS, lambda second=second: file.write(statistics.at(START + second * SECOND, [(0, 0, 0)])))
    for talk in talks:
        for packet in talk.packets:
            written = Packet(packet.time, len(packet.data), packet.data, FACE)
            put(packet.time + int(dice.choice(LATE) * SECOND), PACKETS, lambda written=written: writer.add(written))
    return sorted(pieces, key=lambda piece: piece[0])


def judge(content: bytes, store: Store, judged: int, killed: bool) -> None:
    """Store what a sensor says of this, as it comes; one that is killed at the end of it does nothing more. `judged`: up to when detectors remember."""
    reader, writer = os.pipe()

    def feed() -> None:
        with os.fdopen(writer, "wb") as into:
            into.write(content)

    threading.Thread(target=feed, daemon=True).start()
    absence = Absence(store, "here", lambda _: None)
    with os.fdopen(reader, "rb", buffering=0) as file:
        (capture,) = listen(file, "in0", patience=0)
        if capture.error is not None:
            return
        store.write(Commit(state=absence.begin(capture.sha256)))
        sensor, source = Sensor("here", capture=lambda: capture.sha256), open_capture(capture)
        batch = source.batch

        def or_killed(memory: Any, start: int, packets: Any) -> int:
            count = batch(memory, start, packets)
            if killed and not count and not source.ticks:
                raise KilledError
            return count

        source.batch = or_killed
        try:
            for part in sensor.listen(source, lambda: True):
                store.write(Commit(absence.fresh(part, sensor.began, judged)))
        except KilledError:
            pass


Rows = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rows]:
    """All that is stored of pieces by table and identity; of packets the numbers are those of what was read last."""
    now = 0
    monkeypatch.setattr(outlets.time, "time_ns", lambda: now)

    def store_of(pieces: list[Piece], seam: int = -1, judged: int = 0) -> Rows:
        nonlocal now
        place = tmp_path / f"{seam}-{judged}"
        place.mkdir()
        with socket.socket(socket.AF_UNIX) as door, closing(open_store(str(place / "store"), write=True)) as store:
            door.bind(str(place / "door"))
            door.listen()
            outlet, reader = Outlet(runs(), door=door), Reader(str(place / "door"))
            for number, (now, kind, octets) in enumerate(pieces):  # noqa: B007 - what time it is for the outlet
                if number == seam:
                    reader.take(outlet)
                    reader.line.close()
                    judge(reader.octets, store, judged, killed=True)
                    outlet.tend()
                    reader = Reader(str(place / "door"), Absence(store, "here", lambda _: None).until() - LEAD)
                outlet.put(octets, kind)
                outlet.tend()
            reader.take(outlet)
            reader.line.close()
            judge(reader.octets, store, judged, killed=False)
            outlet.close()
            return {table: {row["id"]: plain(row) for row in store.read(table, Query()).to_pylist()} for table in ("activity", "point", "coverage")}

    return store_of


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("ot.packet") and name != "absent"}


@pytest.mark.parametrize(("judged", "seed"), [(0, 3), (FOREVER, 4)])
def test_who_is_killed_at_any_point_counts_each_packet_once(stored: Callable[..., Rows], judged: int, seed: int) -> None:
    pieces = heard(seed)
    whole = stored(pieces)
    assert sum(row["packets"] for row in whole["coverage"].values()) == sum(kind == PACKETS for _, kind, _ in pieces)
    seams = range(2, len(pieces))
    if "BALEFIRE_SOAK" not in os.environ:  # one behind each edge, when windows before it are stored
        behind = [[seam for seam in seams if 3 <= (pieces[seam][0] - START) / SECOND - 60 * minute < 31] for minute in (1, 2, 3)]
        seams = [random.Random(seed).choice(each) for each in behind]
    for seam in seams:
        assert stored(pieces, seam, judged) == whole, (seed, seam)
