"""Rings as the kernel fills them, made by hand: every packet once, in the order of time, with its VLAN tag put back; and ticks."""

from __future__ import annotations

import io
import random
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensors.engine.tables import FOREVER, table
from sensors.pcapng import Interface, Packet, Writer, read
from sensors.sensor import Sensor
from sensors.source import Tick
from sensors.sources.packetsocket import BLOCK
from sensors.sources.ring import CURSOR, HOLD, TPID_VALID, VLAN_VALID, due, fields, merge, settled
from sensors.sources.stepping import Stepping
from tests.wire import SECOND, Feed, Talk, mbap, registers, write
from tests.wire import read as reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from records.model import Batch
    from tests.wire import Packet as WirePacket

READ, ANSWER = reading(0, 2), registers(1, 2)
FACES = [Interface(f"in{number}", 1, 0) for number in range(3)]


@dataclass(frozen=True)
class Laid:
    """A packet in a ring: what the kernel took out of it stands beside it."""

    time: int
    octets: bytes
    wire: int
    vlan: int | None = None
    tpid: int | None = None

    @property
    def whole(self) -> bytes:
        """As it was on the wire."""
        if self.vlan is None:
            return self.octets
        return self.octets[:12] + struct.pack(">HH", self.tpid or 0x8100, self.vlan) + self.octets[12:]


def block(packets: list[Laid]) -> bytes:
    """A block of TPACKET_V3 with these packets (linux/if_packet.h)."""
    made = bytearray(struct.pack("<IIIIIIQIIII", 3, 48, 1, len(packets), 48, 0, 1, 0, 0, 0, 0))
    for packet in packets:
        status = 1 | (VLAN_VALID if packet.vlan is not None else 0) | (TPID_VALID if packet.tpid else 0)
        length = 82 + len(packet.octets) + (-(82 + len(packet.octets)) & 7)
        made += (
            struct.pack(
                "<IIIIIIHHIIHH8x",
                length,
                packet.time // 10**9,
                packet.time % 10**9,
                len(packet.octets),
                packet.wire,
                status,
                82,
                96,
                0,
                packet.vlan or 0,
                packet.tpid or 0,
                0,
            ).ljust(82, b"\xee")
            + packet.octets
        )
        made += bytes(-len(made) & 7)
    return bytes(made)


def written(rings: list[list[Laid]], room: int = 1 << 20, until: int = FOREVER, enough: int = 1 << 20) -> tuple[list[tuple[int, Packet]], Any]:
    """What `merge` makes of one block of each interface: packets with their interface, and the cursors as they are left. No call gives more than `enough`, and
    a packet.
    """
    memory = np.zeros(BLOCK * len(rings), np.uint8)
    cursors = table(len(rings), CURSOR)
    for number, packets in enumerate(rings):
        octets = block(packets)
        memory[number * BLOCK : number * BLOCK + len(octets)] = np.frombuffer(octets, np.uint8)
        cursor = cursors[number]
        cursor.number, cursor.at, cursor.end, cursor.left = number, number * BLOCK + 48, (number + 1) * BLOCK, len(packets)
        cursor.time = packets[0].time if packets else 0
    head = io.BytesIO()
    writer = Writer(head)
    for face in FACES[: len(rings)]:
        writer.number(face)
    out, told = np.zeros(room, np.uint8), b""
    while filled := merge(memory, cursors, out, until, enough):
        assert filled < enough + 1600
        told += out[:filled].tobytes()
    return [(FACES.index(packet.interface), packet) for packet in read(head.getvalue() + told)], cursors


def some(dice: random.Random, count: int) -> list[Laid]:
    made: list[Laid] = []
    time = 1_700_000_000_000_000_000
    for _ in range(count):
        time += dice.randrange(2_000_000)
        octets = dice.randbytes(dice.choice((14, 60, 61, 62, 63, 590, 1514)))
        vlan, tpid = dice.choice(((None, None), (None, None), (100, None), (4095 | 3 << 13, 0x88A8)))
        made.append(Laid(time, octets, len(octets) + dice.choice((0, 0, 900)), vlan, tpid))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_every_packet_once_in_the_order_of_time(seed: int) -> None:
    dice = random.Random(seed)
    rings = [some(dice, dice.randrange(1, 40)) for _ in range(1 + seed % 3)]
    told, cursors = written(rings)
    expected = sorted(((number, packet) for number, ring in enumerate(rings) for packet in ring), key=lambda pair: (pair[1].time, pair[0]))
    assert [(number, packet.time, packet.octets) for number, packet in told] == [(number, packet.time, packet.whole) for number, packet in expected]
    assert [packet.wire for _, packet in told] == [packet.wire + (0 if packet.vlan is None else 4) for _, packet in expected]
    assert [int(cursor.packets) for cursor in cursors] == [len(ring) for ring in rings]


def test_nothing_is_written_before_its_time() -> None:
    ring = some(random.Random(5), 30)
    told, cursors = written([ring], until=ring[10].time)
    assert len(told) == sum(packet.time < ring[10].time for packet in ring)
    assert cursors[0].left == 30 - len(told)


def test_what_does_not_fit_comes_with_the_next_call() -> None:
    ring = some(random.Random(6), 30)
    for told, _ in (written([ring], room=2000), written([ring], enough=1), written([ring], enough=1000)):
        assert [packet.octets for _, packet in told] == [packet.whole for packet in ring]


def test_a_packet_that_claims_more_than_its_block_ends_it() -> None:
    ring = some(random.Random(7), 3)
    memory = np.zeros(200, np.uint8)
    octets = block(ring)[:200]
    memory[: len(octets)] = np.frombuffer(octets, np.uint8)
    cursors = table(1, CURSOR)
    cursors[0].at, cursors[0].end, cursors[0].left = 190, 200, 3
    assert merge(memory, cursors, np.zeros(1 << 19, np.uint8), FOREVER, 1 << 19) == 0
    assert cursors[0].left == 0


class Ticking(Feed):
    """Packets, and then nothing but the time, a tick a batch."""

    def __init__(self, packets: Sequence[WirePacket], times: Sequence[int]) -> None:
        super().__init__(packets)
        self._times = list(times)

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """See `sensors.source.Source`."""
        count = super().batch(memory, start, packets)
        self.ticks = [] if count or not self._times else [Tick(0, self._times.pop(0))]
        return count


class OneThread(Sensor):
    """What a batch gives is there when it has been read."""

    concurrent = False


def parts(times: Sequence[int]) -> tuple[list[Batch], OneThread]:
    """What the sensor gives of a few reads and then these times, in the order in which it gives it."""
    talk = Talk().open()
    for number in range(5):
        talk.ask(mbap(number, READ), mbap(number, ANSWER))
    sensor = OneThread("ticks")
    return list(sensor.listen(Ticking(talk.packets, [talk.time + after for after in times]), lambda: True)), sensor


def test_time_that_passes_closes_windows() -> None:
    """Silence is no reason to wait: what was seen is told when its window is over, not when the next packet comes."""
    told, sensor = parts([SECOND, 70 * SECOND, 71 * SECOND])
    assert [part.activities.num_rows for part in told] == [0, 0, 1, 0, 0], "the packets, three ticks, the end"
    assert [part.coverage.num_rows for part in told] == [0, 0, 1, 0, 0]
    assert sensor.totals.packets == 13
    assert [part.activities.num_rows for part in parts([])[0]] == [0, 1], "without them all comes at the end"


def test_time_that_passes_changes_no_row() -> None:
    told, without = parts([SECOND, 70 * SECOND])[0], parts([])[0]
    for name in ("activities", "points", "coverage"):
        assert [row for part in told for row in getattr(part, name).to_pylist()] == [row for part in without for row in getattr(part, name).to_pylist()]


class Silent(Feed):
    """Nobody spoke for seconds: with the first packets comes what time it was before them."""

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """See `sensors.source.Source`."""
        count = super().batch(memory, start, packets)
        self.ticks = [Tick(0, int(packets.time[0]) - after * SECOND) for after in (3, 2, 1)] if count else []
        return count


def test_the_first_packet_counts_once_whatever_time_was_told_before() -> None:
    packets = Talk().open().packets
    told = list(OneThread("silent").listen(Silent(packets)))
    assert [row["packets"] for part in told for row in part.coverage.to_pylist()] == [len(packets)]


@pytest.mark.parametrize("after", [-SECOND, 0, 2 * 3600 * SECOND])
def test_a_time_that_is_not_believed_is_not_followed(after: int) -> None:
    """A clock that steps back, or hours ahead: packets would not be believed either."""
    assert [part.activities.num_rows for part in parts([after, after])[0]] == [0, 0, 0, 1]


def test_what_waits_is_not_held_back_by_a_clock_that_was_set_back() -> None:
    """Packets of two interfaces wait for each other for a moment; not for the hour that the clock lost."""
    now = 10_000 * SECOND
    assert due([], now) == due([now], now) == now - HOLD
    assert due([], now, until=7) == due([now], now, until=7) == 7
    assert due([now - SECOND, now + 3600 * SECOND], now) == FOREVER
    assert due([now + 3600 * SECOND], now, until=7) == FOREVER


class Lost(Feed):
    """Packets of one interface, then word of two that what listens is another now, though not for long: what the one before held is gone.

    `told`: whether that one had told what time it was.
    """

    def __init__(self, packets: Sequence[WirePacket], told: bool) -> None:
        super().__init__(packets, names=("0", "1"))
        self.last, self._told, self._over = packets[-1].time, told, False

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """See `sensors.source.Source`."""
        count = super().batch(memory, start, packets)
        if count:
            self.ticks = [Tick(count, self.last + SECOND // 2, number) for number in (0, 1) if self._told]
        else:
            self.ticks = [Tick(0, self.last + 40 * SECOND, number, absent=3 * SECOND) for number in (0, 1) if not self._over]
            self._over = True
        return count


@pytest.mark.parametrize(("told", "absent"), [(True, 39.5), (False, 40.0)])
def test_what_was_held_by_what_was_killed_is_absent_of_every_interface(told: bool, absent: float) -> None:
    """Also of one that brought no packet; since the time that was told last, or else since the last packet."""
    source, sensor = Lost(Talk().open().packets, told), OneThread("lost")
    rows = [row for part in sensor.listen(source, lambda: True) for row in part.coverage.to_pylist()]
    assert sorted((row["interface"], row["absent"]) for row in rows if row["absent"]) == [("0", absent), ("1", absent)]
    end = source.last + 40 * SECOND
    assert sensor.unheard.spans == [(end - int(absent * SECOND), end)]


def last_command(after: Sequence[float]) -> list[tuple[str, list[str]]]:
    """Outcome and anomalies of a command without an answer, as it is told by a listener that ended so long after it (seconds)."""
    talk = Talk().open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7)))
    talk.put(0, mbap(2, write(3, 8)))
    listener = Ticking(talk.packets, [talk.packets[-1].time + int(each * SECOND) for each in after])
    told = [row for part in OneThread("ends").listen(listener, lambda: True) for row in part.activities.to_pylist()]
    return [(row["event.outcome"], row["ot.anomaly"]) for row in told if row["ot.packet.first"] == len(talk.packets)]


def test_a_command_that_is_open_when_listening_ends_is_no_unanswered_one() -> None:
    """Who stops a sensor a moment after a command has no finding; who listened on for its answer has."""
    assert last_command([0.5]) == [("unknown", ["left_open"])]
    assert last_command([0.5, 1.5]) == [("unknown", [])]
    assert last_command([]) == [("unknown", [])], "of a capture of others nobody knows why it ends"


def test_what_time_it_is_is_not_told_past_packets_that_wait() -> None:
    """A listener that is behind would else make those packets late."""
    cursors = table(2, CURSOR)
    cursors.left, cursors.time = [3, 0], [500, 100]
    assert [settled(fields(cursors), now) for now in (400, 600)] == [400, 500]


def test_a_clock_that_is_set_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    stepping, clock = Stepping(), time.time
    assert stepping.look() == []
    monkeypatch.setattr(time, "time", lambda: clock() - 3600)
    assert stepping.look() == [{"set_back": 3600}]
    assert stepping.look() == []
    monkeypatch.setattr(time, "time", clock)
    assert stepping.look() == [{"set_on": 3600}]
