"""Values to points: told in the first window they are seen, and wherever one differs from the one before."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import as_many
from tests.wire import MS, SECOND, START, Packet, Talk, ethernet, hard, mbap, read, registers, watch, write, write_many

MINUTE = 60 * SECOND
Point = tuple[str, int, str, int]  # device, unit, space, address


def poll(*values: tuple[int, int], first: int = 0, unit: int = 1) -> list[Packet]:
    """Reads of one register at seconds after START."""
    return steps(*((at * SECOND, read(first, 1), registers(value), unit) for at, value in values))


def steps(*exchanges: tuple[int, bytes, bytes, int]) -> list[Packet]:
    talk = Talk()
    for number, (at, request, response, unit) in enumerate(exchanges):
        talk.time = START + at - MS
        talk.ask(mbap(number, request, unit), mbap(number, response, unit) if response else b"")
    return talk.packets


def told(rows: list[dict[str, Any]]) -> list[tuple[int, int, float, float, float, float, int, int]]:
    """(minute, address, min, max, first, last, changes, count) of each row."""
    return [
        (
            (row["event.start"].value - START) // MINUTE, row["ot.object.first"],
            row["ot.point.min"], row["ot.point.max"], row["ot.point.first"], row["ot.point.last"], row["ot.point.changes"], row["ot.point.count"],
        )
        for row in rows
    ]  # fmt: skip


def test_the_first_window_and_wherever_a_value_differs() -> None:
    seen = watch(poll((1, 5), (2, 5), (61, 5), (62, 5), (121, 5), (122, 9), (123, 3), (181, 3), (241, 4)))
    assert told(seen.points) == [(0, 0, 5, 5, 5, 5, 0, 2), (2, 0, 3, 9, 5, 3, 2, 3), (4, 0, 4, 4, 4, 4, 1, 1)]
    assert {row["ot.fragment"] for row in seen.points} == {0}
    assert seen.points[1]["event.end"].value == START + 123 * SECOND + MS, "of the answers"


def test_written_values_count_once_the_device_agreed() -> None:
    ok = steps((SECOND, write(3, 7), write(3, 7), 1), (2 * SECOND, write_many(10, 1, 2, 3), b"\x10\x00\x0a\x00\x03", 1))
    assert [row[1:6] for row in told(watch(ok).points)] == [(3, 7, 7, 7, 7), (10, 1, 1, 1, 1), (11, 2, 2, 2, 2), (12, 3, 3, 3, 3)]
    refused = steps((SECOND, write(3, 7), b"\x86\x02", 1), (2 * SECOND, write_many(10, 1, 2, 3), b"", 1), (4 * SECOND, write(5, 1), b"", 1))
    assert watch(refused).points == []
    coils = steps((SECOND, write(3, 0xFF00, 5), write(3, 0xFF00, 5), 1), (2 * SECOND, b"\x0f\x00\x13\x00\x0a\x02\xcd\x01", b"\x0f\x00\x13\x00\x0a", 1))
    assert [row[5] for row in told(watch(coils).points)] == [1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0]


def test_a_read_and_a_write_of_one_message() -> None:
    both = steps((SECOND, b"\x17\x00\x03\x00\x01\x00\x0e\x00\x01\x02\x00\xff", b"\x17\x02\x00\xfe", 1))
    assert sorted(row[1:3] for row in told(watch(both).points)) == [(3, 254), (14, 255)]


def test_overlapping_ranges_are_one_point() -> None:
    packets = steps(
        (SECOND, read(60, 10), registers(*range(60, 70)), 1), (2 * SECOND, read(63, 3), registers(63, 64, 0), 1), (3 * SECOND, write(65, 9), write(65, 9), 1)
    )
    rows = told(watch(packets).points)
    assert [row[1] for row in rows] == list(range(60, 70)), "across blocks"
    assert rows[5] == (0, 65, 0, 65, 65, 9, 2, 3)


def test_units_and_spaces_and_devices_are_told_apart() -> None:
    packets = steps((SECOND, read(0, 1), registers(1), 1), (2 * SECOND, read(0, 1), registers(2), 2), (3 * SECOND, read(0, 1, 4), registers(3, code=4), 1))
    other = Talk(server="10.0.0.9", time=START + 4 * SECOND).ask(mbap(1, read(0, 1)), mbap(1, registers(4)))
    seen = watch([*packets, *other.packets])
    assert [row["ot.point.last"] for row in seen.points] == [1, 2, 3, 4]
    assert len({(row["destination.ip"], row["ot.unit"], row["ot.object.space"]) for row in seen.points}) == 4


def test_two_readers_share_a_point() -> None:
    first = poll((1, 5))
    second = Talk(client="10.0.0.8", time=START + 2 * SECOND).ask(mbap(1, read(0, 1)), mbap(1, registers(5)))
    assert [row[-1] for row in told(watch([*first, *second.packets]).points)] == [2]


def late_poll(value: int, at: int, port: int = 41000) -> list[Packet]:
    talk = Talk(client_port=port, time=START + at * SECOND - MS)
    return talk.ask(mbap(1, read(0, 1)), mbap(1, registers(value))).packets


def test_late_values_are_told_where_they_differ() -> None:
    now = poll((1, 5), (70, 5), (130, 5), (131, 6))
    ticks = [Packet(ethernet(bytes(46), ethertype=0x88B8), START + 200 * SECOND)]
    same = watch([*now[:6], *late_poll(5, 2), *now[6:], *ticks])
    assert told(same.points) == [(0, 0, 5, 5, 5, 5, 0, 1), (2, 0, 5, 6, 5, 6, 1, 2)]
    differing = watch([*now[:6], *late_poll(7, 2), *late_poll(8, 3, 41001), *now[6:], *ticks])
    assert told(differing.points) == [(0, 0, 5, 5, 5, 5, 0, 1), (0, 0, 7, 7, 7, 7, 1, 1), (0, 0, 8, 8, 8, 8, 1, 1), (2, 0, 5, 6, 5, 6, 1, 2)]
    assert [row["ot.fragment"] for row in differing.points] == [0, 1, 2, 0]


def test_a_window_that_closed_is_not_opened_again() -> None:
    closing = [Packet(ethernet(bytes(46), ethertype=0x88B8), START + at * SECOND) for at in (62, 63)]
    seen = watch([*poll((1, 5)), *closing, *late_poll(6, 2), *late_poll(7, 3, 41001), *late_poll(5, 4, 41002)])
    assert [(row[0], row[5]) for row in told(seen.points)] == [(0, 5), (0, 6), (0, 7)]


def test_a_late_value_of_a_point_never_seen() -> None:
    tick = [Packet(ethernet(bytes(46), ethertype=0x88B8), START + at) for at in (0, 100 * SECOND)]
    other = poll((101, 1), first=1)
    for value in (0, 6):
        seen = watch([*tick, *other, *late_poll(value, 2), *late_poll(value, 3, 41001)])
        assert (0, 0, value, value, value, value, 1, 1) in told(seen.points)
        assert len(seen.points) == 2


def test_a_time_that_is_not_believed_opens_no_window() -> None:
    far = 30 * 24 * 3600
    now = poll((1, 5), (2, 7), (3, 8), (61, 8))
    seen = watch([*now[:2], *late_poll(6, far), *now[2:]])
    assert told(seen.points)[-1] == (0, 0, 5, 8, 5, 8, 2, 3)
    assert [row[0] for row in told(seen.points)] == [far // 60, 0]


def reference(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What in-order operations come to, slowly."""
    known: dict[Point, float] = {}
    windows: dict[tuple[int, Point], list[tuple[int, float]]] = {}
    for line in lines:
        if line["outcome"] != "success" or line["object"]["first"] is None:
            continue
        time = line["time"] + round((line["rtt_us"] or 0) * 1000)
        for offset, value in enumerate(line["values"]):
            point = (line["destination"]["ip"], line["unit"], line["object"]["space"], line["object"]["first"] + offset)
            windows.setdefault((time // MINUTE, point), []).append((time, float(value)))
    rows: list[tuple[Any, ...]] = []
    for (window, point), values in sorted(windows.items(), key=lambda item: item[0][0]):
        numbers = [value for _, value in values]
        chain = [known[point], *numbers] if point in known else numbers
        changes = sum(a != b for a, b in pairwise(chain))
        if point not in known or changes:
            times = [time for time, _ in values]
            rows.append((window, point, times[0], times[-1], min(numbers), max(numbers), numbers[0], numbers[-1], changes, len(numbers)))
        known[point] = numbers[-1]
    return sorted(rows)


@settings(max_examples=as_many(25), deadline=None)
@given(st.integers(0, 1 << 32), st.sampled_from([50, 900, 15_000, 59_000]))
def test_points_are_what_a_slow_reference_says(seed: int, pause: int) -> None:
    dice = random.Random(seed)
    exchanges: list[tuple[int, bytes, bytes, int]] = []
    at = 0
    for _ in range(60):
        at += dice.randrange(2, 2 * pause) * MS
        first, count, kind = dice.randrange(100, 140), dice.randrange(1, 40), dice.randrange(6)
        values = [dice.randrange(3) for _ in range(count)]
        bits = sum((value & 1) << i for i, value in enumerate(values)).to_bytes((count + 7) // 8, "little")
        pairs = (
            (read(first, count), registers(*values)),
            (read(first, count, 4), registers(*values, code=4)),
            (read(first, count, 1), bytes([1, len(bits)]) + bits),
            (write(first, values[0]), dice.choice((write(first, values[0]), b"\x86\x02", b""))),
            (write_many(first, *values), dice.choice((struct.pack(">BHH", 16, first, count), b""))),
            (struct.pack(">BHHB", 15, first, count, len(bits)) + bits, struct.pack(">BHH", 15, first, count)),
        )
        exchanges.append((at, *pairs[kind], dice.choice((1, 1, 2))))
        at += 1100 * MS if not exchanges[-1][2] else 0
    seen = watch(steps(*exchanges))
    rows = [
        (
            row["event.start"].value // MINUTE, (row["destination.ip"], row["ot.unit"], row["ot.object.space"], row["ot.object.first"]),
            row["event.start"].value, row["event.end"].value, row["ot.point.min"], row["ot.point.max"], row["ot.point.first"], row["ot.point.last"],
            row["ot.point.changes"], row["ot.point.count"],
        )
        for row in seen.points
    ]  # fmt: skip
    assert sorted(rows) == reference(seen.lines)


def test_whatever_comes_no_value_is_told_that_was_not_there() -> None:
    seen = watch(hard(3, 30))
    values = {float(value) for line in seen.lines for value in line["values"] if not isinstance(value, str)}
    for row in seen.points:
        assert row["ot.point.min"] <= row["ot.point.first"] <= row["ot.point.max"]
        assert row["ot.point.min"] <= row["ot.point.last"] <= row["ot.point.max"]
        assert {row["ot.point.first"], row["ot.point.last"], row["ot.point.min"], row["ot.point.max"]} <= values
        assert row["ot.point.count"] >= 1
