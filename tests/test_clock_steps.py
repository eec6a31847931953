"""The clock of the capture steps, forward or back: told by what goes on across it (streams, numbers of datagrams) and by clocks on the wire. And where
captures are only joined, or nobody listened, it is not told.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensors.blindness import spot_words
from sensors.blindspots import Account
from sensors.engine.link import BELIEVED
from sensors.sensor import Sensor
from sensors.source import Tick
from tests.frames import coverage
from tests.mirroring import ntp, ptp, shifted
from tests.test_ledger import asked_of, polls
from tests.wire import SECOND, START, Feed, Packet, Talk, ethernet, ipv4, mbap, read, registers, udp, write

if TYPE_CHECKING:
    from collections.abc import Sequence

HOURS: Final = 3 * 3600
COUNT: Final = 40
MINUTE: Final = 60 * SECOND


def numbered(first: int = 1, step: int = 3, seconds: int = 1) -> list[Packet]:
    """Datagrams of a protocol that nobody knows, at an even pace."""
    made: list[Packet] = []
    for place in range(COUNT):
        number = (first + place * step) & 0xFFFF
        made.append(Packet(ethernet(ipv4(udp(b"cyclic data", 5000, 5001), protocol=17, number=number)), START + place * seconds * SECOND))
    return made


def times_told(way: str) -> list[Packet]:
    """What a clock on the wire says, and cyclic frames that have no number."""
    if way == "ntp":
        told = [ntp(START + place * SECOND, START + place * SECOND) for place in range(COUNT)]
    else:
        told = [ptp(11, START, 0, flags=0x000C)]
        told += [ptp(0, START + place * SECOND, place, START + (place + 37) * SECOND, flags=0) for place in range(COUNT)]
    frames = [Packet(ethernet(bytes(40), ethertype=0x88B8), START + place * SECOND + 1) for place in range(COUNT)]
    return sorted([*told, *frames], key=lambda packet: packet.time)


SOURCES: Final = {
    "tcp": polls(count=COUNT, talks=2),
    "udp": asked_of("10.0.0.5", True, count=COUNT),
    "numbered": numbered(),
    "ntp": times_told("ntp"),
    "ptp": times_told("ptp"),
}


def stepped(packets: Sequence[Packet], seconds: int, missed: int = 0) -> list[Packet]:
    half = len(packets) // 2
    return [*packets[:half], *shifted(packets[half + missed :], seconds * SECOND)]


def steps(packets: Sequence[Packet]) -> tuple[int, int]:
    """(whether the clock stepped forward, by how many seconds back)"""
    rows: list[dict[str, Any]] = [row for batch in Sensor("observer").listen(Feed(packets)) for row in batch.coverage.to_pylist()]
    return max(row["clock_steps"] for row in rows), round(max(row["clock_back"] for row in rows))


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("seconds", [HOURS, 600, -HOURS, -600, 0])
def test_a_step_is_told(source: str, seconds: int) -> None:
    forward, back = steps(stepped(SOURCES[source], seconds))
    assert forward == int(seconds > 0)
    assert abs(back - max(-seconds, 0)) <= 1


@pytest.mark.parametrize("source", SOURCES)
def test_a_step_back_is_told_when_it_is_seen(source: str) -> None:
    """Not when times are again what they were, hours later: nothing but what came so far is known, and its row is told."""
    packets = stepped(SOURCES[source], -HOURS)
    back = next(number for number, (one, other) in enumerate(pairwise(packets), 1) if other.time < one.time)
    sensor = Sensor("observer", batch=1 << 16)
    told = sensor.listen(Feed(packets, each=1))
    rows = next(rows for batch in told if (rows := [row for row in batch.coverage.to_pylist() if row["clock_back"]]))
    assert rows[0]["@timestamp"].value == max(packet.time for packet in packets) // MINUTE * MINUTE
    assert back < sensor.totals.packets <= back + 2 * BELIEVED + 1
    rest = [row for batch in told for row in batch.coverage.to_pylist()]
    assert not any(row["clock_back"] for row in rest), "once"
    assert sensor.totals.packets == len(packets)
    assert rows[0]["id"] not in {row["id"] for row in rest}


def test_packets_that_are_only_late_make_no_rows_of_their_own() -> None:
    packets = numbered()
    late = [Packet(ethernet(ipv4(udp(b"x", 5000, 5002), protocol=17, number=7)), START - HOURS * SECOND + number) for number in range(200)]
    rows = [row for batch in Sensor("observer").listen(Feed([*packets, *late])) for row in batch.coverage.to_pylist()]
    assert [(row["packets"], row["late"], row["clock_back"]) for row in rows] == [(len(packets) + 200, 200, 0.0)]


@pytest.mark.parametrize("seconds", [HOURS, -HOURS])
def test_where_datagrams_are_missing_or_have_no_order_nothing_is_told(seconds: int) -> None:
    """What was sent meanwhile was not seen; hosts that number at random, or not at all, tell nothing."""
    dice = random.Random(4)
    at_random = [Packet(ethernet(ipv4(udp(b"x", 5000, 5001), protocol=17, number=dice.randrange(1, 65536))), packet.time) for packet in numbered()]
    for packets in (stepped(numbered(step=200), seconds, missed=5), stepped(at_random, seconds), stepped(numbered(first=0, step=0), seconds)):
        assert steps(packets) == (0, 0)


@pytest.mark.parametrize("seconds", [HOURS, -HOURS])
def test_a_clock_on_the_wire_that_steps_is_not_the_captures(seconds: int) -> None:
    told = [ntp(START + place * SECOND, START + (place + (seconds if place > 20 else 0)) * SECOND) for place in range(COUNT)]
    assert steps(told) == (0, 0)


def test_what_always_pauses_for_so_long_is_no_step() -> None:
    assert steps(numbered(seconds=900)) == (0, 0)


def test_one_packet_with_a_wrong_time_is_no_step() -> None:
    for seconds in (HOURS, -HOURS):
        for packets in SOURCES.values():
            wrong = [*packets[:40], packets[40].at(packets[40].time + seconds * SECOND), *packets[41:]] if len(packets) > 41 else packets
            assert steps(wrong) == (0, 0)


def test_captures_that_are_joined_the_wrong_way_round_are_no_step() -> None:
    later = polls(count=COUNT, talks=2, start=START + HOURS * SECOND, port=42000)
    assert steps([*later, *polls(count=COUNT, talks=2)]) == (0, 0)


def test_a_step_back_is_a_blind_spot() -> None:
    account = Account()
    account.add(coverage({"clock_back": float(HOURS)}, {"clock_back": 0.0}, {"clock_back": None}))
    assert [spot_words(spot, "en")[0] for spot in account.spots() if spot.key == "clock_back"] == [
        "the clock of the capture stepped back by 3 h: conversations go on at a time that had passed"
    ]


class Live(Feed):
    """Packets as a listener of ours hands them on: behind each batch it tells the time of its clock, which may step."""

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """Some packets, then what time it is."""
        self.ticks = ()
        count = super().batch(memory, start, packets)
        if count:
            self.ticks = [Tick(count, int(packets.time[count - 1]) + SECOND // 2)]
        return count


def polled(since: int, minutes: int, port: int) -> list[Packet]:
    """A master that polls each second, and writes once, to which nothing is answered."""
    talk = Talk(client="10.0.0.7", client_port=port, time=since)
    for second in range(60 * minutes):
        talk.time = since + second * SECOND
        talk.ask(mbap(second & 0xFFFF, read(0, 2)), mbap(second & 0xFFFF, registers(1, 2)))
    talk.time = since + 90 * SECOND
    talk.ask(mbap(7, write(3, 7)), b"")
    return sorted(talk.packets, key=lambda packet: packet.time)


@pytest.mark.parametrize("back", [0, HOURS, 100])
def test_what_comes_after_a_step_back_of_a_live_clock_is_told_within_a_minute(back: int) -> None:
    """All of it, each row once; and what was open then is told at once."""
    before = polled(START, 3, 40000)
    after = polled(START + (180 - back) * SECOND, 3, 40001)
    late: list[int] = []
    told: list[dict[str, Any]] = []
    windows: list[dict[str, Any]] = []
    sensor = Sensor("observer")
    for batch in sensor.listen(Live([*before, *after], each=16), lambda: True):
        seen = sensor.totals.packets
        rows = batch.activities.to_pylist()
        told += rows
        windows += batch.coverage.to_pylist()
        if seen < len(before) + len(after):
            late += [seen // 2 - len(before) // 2 - (row["event.end"].value - after[0].time) // SECOND for row in rows if seen > len(before)]
    assert max(late) <= 60 + 8 + 2, "seconds: a window, a batch, and for what is late"
    assert len({row["id"] for row in told}) == len(told)
    assert len({row["id"] for row in windows}) == len(windows)
    reads = sum(row["ot.count"] for row in told if row["ot.access"] == "read")
    assert 360 <= reads <= 360 + (4 if back else 0), "what was not answered yet is a row, and its answer is another"
    assert sum(row["ot.count"] for row in told if row["ot.access"] == "write") == 2
    assert sum(row["packets"] for row in windows) == len(before) + len(after)
