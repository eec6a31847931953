"""Operations to activities: windows, grain, lateness, release, identity. The sum of the counts is always the number of operations."""

from __future__ import annotations

import math
import random
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sensors.sensor
from records.effects import EFFECTS
from sensors import release
from sensors.engine import pairing
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.examples import as_many
from tests.require import need
from tests.wire import EXCHANGES, MS, SECOND, SERVER, START, Feed, Packet, Seen, Talk, ethernet, hard, mbap, read, registers, said, watch, write

MINUTE = 60 * SECOND
SHARED = Path(__file__).resolve().parents[2] / "shared" / "captures"
OWN = {effect.name for effect in EFFECTS if effect.own}


def talk_at(*steps: tuple[int, bytes, bytes], client_port: int = 40000) -> list[Packet]:
    """Exchanges at times after START (answered a millisecond later; an empty answer is none)."""
    talk = Talk(client_port=client_port)
    for number, (at, request, response) in enumerate(steps):
        talk.time = START + at - MS
        talk.ask(mbap(number, request), mbap(number, response) if response else b"")
    return talk.packets


def tick(at: int) -> Packet:
    """A packet that only tells the time."""
    return Packet(ethernet(bytes(46), ethertype=0x88B8), START + at)


def row(activity: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(activity[name] for name in names)


def ns(stamp: Any) -> int:
    return int(stamp.value)


READ, WRITE = (read(0, 1), registers(5)), (write(3, 7), write(3, 7))


def test_windows_begin_with_the_minute() -> None:
    seen = watch(talk_at(*((at, *READ) for at in (0, 59 * SECOND, 59_999 * MS, 60 * SECOND, 61 * SECOND, 200 * SECOND))))
    assert [row(a, "ot.count", "ot.fragment") for a in seen.activities] == [(3, 0), (2, 0), (1, 0)]
    assert [ns(a["event.start"]) - START for a in seen.activities] == [0, 60 * SECOND, 200 * SECOND]
    assert seen.activities[0]["ot.packet.first"] == 1
    assert seen.activities[0]["ot.packet.last"] == 6
    assert ns(seen.activities[0]["event.end"]) - START == 60 * SECOND  # the answer of the last one


def test_intervals_are_those_of_the_requests() -> None:
    times = [0, 2 * SECOND, 3 * SECOND, 7 * SECOND]
    (poll,) = watch(talk_at(*((at, *READ) for at in times))).activities
    steps = [2, 1, 4]
    mean = sum(steps) / 3
    assert poll["ot.interval.mean"] == pytest.approx(mean)
    assert poll["ot.interval.deviation"] == pytest.approx(math.sqrt(sum((step - mean) ** 2 for step in steps) / 3))
    assert poll["ot.rtt"] == pytest.approx(0.001)
    (single,) = watch(talk_at((0, *READ))).activities
    assert row(single, "ot.interval.mean", "ot.interval.deviation", "ot.value") == (None, None, 5.0)


def test_own_rows_past_the_first_64_are_grouped() -> None:
    seen = watch(talk_at(*((at * 100 * MS, *WRITE) for at in range(100))))
    own = [a for a in seen.activities if not a["ot.grouped"]]
    (rest,) = [a for a in seen.activities if a["ot.grouped"]]
    assert [a["ot.count"] for a in own] == [1] * 64
    assert [ns(a["@timestamp"]) - START for a in own] == [at * 100 * MS for at in range(64)]
    assert {a["source.port"] for a in own} == {40000}
    assert row(rest, "ot.count", "source.port", "ot.value") == (36, None, None)
    assert seen.activities[-1] == rest
    other = watch(talk_at(*((at * 100 * MS, write(at % 2, 7), write(at % 2, 7)) for at in range(100))))
    assert not any(a["ot.grouped"] for a in other.activities), "64 of each key"


def test_a_sweep_collapses_with_the_exact_number_of_ranges() -> None:
    steps = [(n * MS * 4, read(n % 1000, 1), registers(1)) for n in range(2500)]
    seen = watch(talk_at(*steps))
    (swept,) = [a for a in seen.activities if a["ot.object.count"] != 1]
    assert len(seen.activities) == 257
    assert [a["ot.object.first"] for a in seen.activities if a is not swept] == list(range(256))
    assert row(swept, "ot.object.count", "ot.object.first", "ot.unit") == (744, None, None)
    assert swept["ot.count"] == sum(1 for n in range(2500) if n % 1000 >= 256)
    writes = watch(talk_at(*((n * MS * 4, write(n, 1), write(n, 1)) for n in range(400))))
    assert len(writes.activities) == 400, "what acts never collapses"


def test_ranges_never_merge() -> None:
    seen = watch(talk_at((0, *READ), (SECOND, read(0, 2), registers(1, 2)), (2 * SECOND, read(1, 1), registers(1)), (3 * SECOND, *READ)))
    assert [row(a, "ot.object.first", "ot.object.last", "ot.count") for a in seen.activities] == [(0, 0, 2), (0, 1, 1), (1, 1, 1)]


def test_late_packets_are_fragments_of_their_own_window() -> None:
    early, late, again = (talk_at((at, *READ), client_port=port) for at, port in ((SECOND, 40001), (2 * SECOND, 40002), (3 * SECOND, 40003)))
    packets = [*early, tick(61_999 * MS), *late, tick(62 * SECOND), *again, *again[:0], tick(123 * SECOND), *talk_at((4 * SECOND, *READ), client_port=40004)]
    seen = watch(packets)
    assert [row(a, "ot.count", "ot.fragment") for a in seen.activities] == [(2, 0), (1, 1), (1, 2)]
    assert {ns(a["@timestamp"]) // MINUTE for a in seen.activities} == {START // MINUTE}
    assert seen.totals.late == 4
    assert sum(c["late"] for c in seen.coverage) == 4


def test_late_fragments_leave_with_the_next_window_that_closes() -> None:
    late = talk_at((SECOND, *READ), client_port=40001)
    now = talk_at((63 * SECOND, read(9, 1), registers(1)), (125 * SECOND, *WRITE), client_port=40002)
    seen = watch([tick(0), now[0], now[1], *late, *now[2:]])
    assert [row(a, "ot.object.first", "ot.fragment") for a in seen.activities] == [(9, 0), (0, 1), (3, 0)]


def test_time_that_jumps_is_not_followed() -> None:
    hour = 3600 * SECOND
    packets = [*talk_at((0, *READ), (SECOND, *READ)), *talk_at((30 * 24 * hour, *READ), client_port=40001), *talk_at((2 * SECOND, *READ), client_port=40002)]
    seen = watch(packets)
    assert [row(a, "ot.count", "ot.fragment") for a in seen.activities] == [(3, 0), (1, 0)]
    assert (seen.totals.jumps, seen.totals.late) == (1, 0)
    quiet = watch([*talk_at((0, *READ)), *talk_at(*((hour * 2 + n * SECOND, *READ) for n in range(20)), client_port=40001)])
    assert [row(a, "ot.count", "event.outcome") for a in quiet.activities] == [(1, "success"), (20, "success"), (1, "unknown")]
    assert not quiet.anomalies, "the answer was in time, the clock was not"
    assert quiet.totals.jumps == 1, "a long silence is one jump, then believed"


# ---------------------------------------------------------------- pairing


@pytest.mark.parametrize(("after", "late"), [(SECOND - 1, False), (SECOND, True), (59 * SECOND, True)])
def test_unanswered_after_a_second(after: int, late: bool) -> None:
    talk = Talk()
    talk.put(0, mbap(1, read(4, 1)))
    talk.time += after - MS
    talk.put(1, mbap(1, registers(9)))
    seen = watch(talk.packets)
    if late:
        assert [(line["outcome"], line["anomaly"], line["object"]["first"]) for line in seen.lines] == [("unknown", [], 4), ("success", ["late_response"], 4)]
        assert [(line["packet"], line["response_packet"]) for line in seen.lines] == [(1, None), (None, 2)]
        assert seen.lines[1]["time"] == talk.packets[1].time, "it stands where it was seen"
        assert seen.points[0]["ot.point.last"] == 9.0
    else:
        assert [(line["outcome"], line["anomaly"]) for line in seen.lines] == [("success", [])]


def test_an_answer_that_comes_far_too_late_has_no_request() -> None:
    talk = Talk().open()
    talk.put(0, mbap(1, read(4, 1)))
    talk.time += 62 * SECOND
    talk.put(1, mbap(1, registers(9)))
    assert [(line["outcome"], line["anomaly"]) for line in watch(talk.packets).lines] == [("unknown", []), ("success", ["unsolicited"])]


def test_two_answers_and_a_reused_transaction() -> None:
    talk = Talk().ask(mbap(1, read(4, 1)), mbap(1, registers(9)))
    talk.put(1, mbap(1, registers(9)))
    talk.put(0, mbap(2, read(5, 1)))
    talk.put(0, mbap(2, read(6, 1)))
    talk.put(1, mbap(2, registers(3)))
    told = [(line["object"]["first"], line["outcome"], line["anomaly"]) for line in watch(talk.packets).lines]
    assert told == [(4, "success", []), (None, "success", ["unsolicited"]), (6, "success", ["reused_transaction"]), (5, "unknown", [])]


def test_release_is_in_the_order_of_answers_deadlines_and_windows() -> None:
    steps = (
        (0, write(0, 1), b""),  # leaves after a second
        (100 * MS, *READ),  # with its window
        (500 * MS, write(1, 1), write(1, 1)),  # at once
        (61_500 * MS, write(2, 1), write(2, 1)),  # before the window before it
        (61_700 * MS, write(3, 1), b""),  # after it
        (62 * SECOND, write(4, 1), write(4, 1)),  # with its closing, thus behind it
    )
    order = [("write_single_register", 1), ("write_single_register", 0), ("write_single_register", 2), ("read_holding_registers", 0)]
    seen = watch(talk_at(*steps))
    assert [row(a, "event.action", "ot.object.first") for a in seen.activities][:4] == order
    assert [a["ot.object.first"] for a in seen.activities[4:]] == [4, 3]


# ---------------------------------------------------------------- against a slow reference


def reference(lines: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What in-order operations come to: (own, window or time, action, object, outcome, count, start, packets)."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        key = (line["time"] // MINUTE, line["destination"]["ip"], line["source"]["ip"], line["unit"], line["code"], line["effect"], line["outcome"])
        groups[(*key, line["error"], tuple(line["anomaly"]), *(line["object"][name] for name in ("space", "first", "last")))].append(line)
    rows: list[tuple[Any, ...]] = []
    for key, members in groups.items():
        own = 64 if key[5] in OWN else 0
        parts = [[member] for member in members[:own]] + ([members[own:]] if members[own:] else [])
        for n, part in enumerate(parts):
            times = [member["time"] for member in part]
            ends = [member["time"] + round((member["rtt_us"] or 0) * 1000) for member in part]
            packets = [number for member in part for number in (member["packet"], member["response_packet"]) if number]
            rows.append((key[4:], n >= own, len(part), min(times), max(ends), min(packets), max(packets)))
    return sorted(rows, key=repr)


def told(seen: Seen) -> list[tuple[Any, ...]]:
    names = ("ot.code", "ot.effect", "event.outcome", "ot.error", "ot.anomaly", "ot.object.space", "ot.object.first", "ot.object.last")
    return sorted(
        (
            (
                tuple(tuple(a[name] or ()) if name == "ot.anomaly" else a[name] for name in names),
                a["ot.grouped"], a["ot.count"], ns(a["event.start"]), ns(a["event.end"]), a["ot.packet.first"], a["ot.packet.last"],
            )
            for a in seen.activities
        ),
        key=repr,
    )  # fmt: skip


@settings(max_examples=as_many(25), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 300, 1500, 20_000, 61_000]), st.integers(0, len(EXCHANGES) - 1), st.sampled_from([1, 1, 1, 0])), max_size=60),
    st.integers(1, 90),
)
def test_activities_are_what_a_slow_reference_says(steps: list[tuple[int, int, int]], times: int) -> None:
    at = 0
    exchanges: list[tuple[int, bytes, bytes]] = []
    for pause, number, answered in steps:
        for _ in range(times if number in (5, 11) else 1):
            at += pause * MS // (times if number in (5, 11) else 1) + 2 * MS
            exchanges.append((at, EXCHANGES[number][0], EXCHANGES[number][1] if answered else b""))
    seen = watch(talk_at(*exchanges))
    assert told(seen) == reference(seen.lines)


# ---------------------------------------------------------------- identity, and every table full


@pytest.mark.parametrize("seed", range(3))
def test_identities_do_not_depend_on_the_run(seed: int) -> None:
    packets = hard(seed, 20)
    first, second = watch(packets), watch(packets, each=3)
    assert first.tables == second.tables
    assert {a["id"] for a in first.activities}.isdisjoint({a["id"] for a in first.points})


def test_what_was_seen_before_does_not_change_identities() -> None:
    """Numbers of hosts and conversations differ, names do not."""
    packets = talk_at((10 * SECOND, *READ), (11 * SECOND, *WRITE))
    before = Talk("10.9.9.9", "10.9.9.8", time=START).ask(mbap(1, READ[0]), mbap(1, READ[1])).packets
    alone = {a["id"] for a in watch(packets).activities}
    assert alone < {a["id"] for a in watch([*before, *packets]).activities}


def test_who_spoke_unasked_is_the_source() -> None:
    sensor = Sensor("observer")
    list(sensor.listen(Feed(talk_at((0, *READ), (SECOND, *WRITE)))))
    rows = sensor.release.rows[:2].copy()
    asked = sensor.release.naming.activities(rows).to_pylist()
    rows.report = 1
    told_unasked = sensor.release.naming.activities(rows).to_pylist()
    for one, other in zip(asked, told_unasked, strict=True):
        for name in ("ip", "mac", "asset.id", "asset.role", "port"):
            assert (one[f"source.{name}"], one[f"destination.{name}"]) == (other[f"destination.{name}"], other[f"source.{name}"])
        assert one["id"] != other["id"]


LIMITS = {
    "flows": {"MOST_FLOWS": 4},
    "hosts": {"MOST_HOSTS": 4},
    "conversations": {"MOST_CONVERSATIONS": 8},
    "groups": {"GROUP_ROWS": 8},
    "blocks": {"BLOCKS": 2},
    "parts": {"OPERATIONS": 64, "SAMPLES": 256, "DONE": 8},
    "released": {"RELEASE_ROWS": 4},
    "ring": {"RING": 4},
    "kept": {"KEPT_SAMPLES": 2},
    "all": {"MOST_FLOWS": 8, "MOST_CONVERSATIONS": 8, "GROUP_ROWS": 16, "BLOCKS": 4, "RELEASE_ROWS": 8, "RING": 8, "KEPT_SAMPLES": 8},
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("seed", [0, 1])
def test_full_tables_lose_nothing(name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    packets = hard(seed, 20)
    free = watch(packets)
    for limit, value in LIMITS[name].items():
        monkeypatch.setattr(next(module for module in (sensors.sensor, release, pairing) if hasattr(module, limit)), limit, value)
    tight = watch(packets)
    assert tight.tables == watch(packets, each=1).tables, "what is shed does not depend on batches"
    if name in ("groups", "blocks", "parts", "released", "kept"):
        assert said(tight.lines, "values") == said(free.lines, "values")
    if name in ("hosts", "blocks", "ring", "kept", "flows"):
        assert tight.totals.shed > 0
    if name == "conversations":
        assert {line["source"]["ip"] for line in tight.lines} == {line["source"]["ip"] for line in free.lines}
        assert {a["source.ip"] for a in tight.activities} == {a["source.ip"] for a in free.activities}, "named by the conversations of their time"
    if name == "blocks":
        assert tight.activities == free.activities


def test_answers_are_named_by_their_own_conversation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers of conversations are used again while a request is remembered that left unanswered."""
    monkeypatch.setattr(sensors.sensor, "MOST_CONVERSATIONS", 4)
    slow = Talk("10.7.7.7", SERVER)
    slow.put(0, mbap(1, read(4, 1)))
    others: list[Packet] = []
    for n in range(9):
        others += Talk(f"10.0.9.{n}", f"10.0.8.{n}", time=START + 2 * SECOND + n * 10 * MS).ask(mbap(1, READ[0]), mbap(1, READ[1])).packets
    slow.time = START + 5 * SECOND
    slow.put(1, mbap(1, registers(9)))
    seen = watch([slow.packets[0], *others, slow.packets[1]])
    assert sorted({a["source.ip"] for a in seen.activities}) == sorted(["10.7.7.7", *(f"10.0.9.{n}" for n in range(9))])
    (late,) = [line for line in seen.lines if "late_response" in line["anomaly"]]
    assert late["source"]["ip"] == "10.7.7.7"
    for activity in seen.activities:
        assert (activity["source.ip"] == "10.7.7.7") == (activity["destination.ip"] == SERVER)


def test_a_flood_of_units_and_codes_is_bounded() -> None:
    dice = random.Random(3)
    talk = Talk()
    for n in range(4000):
        talk.put(0, mbap(n, bytes([dice.randrange(1, 128)]) + struct.pack(">HH", dice.randrange(65536), 1), unit=dice.randrange(256)))
    seen = watch(talk.packets)
    assert seen.totals.operations >= 4000


@pytest.mark.captures
def test_every_capture_there_is() -> None:
    """Identities are unique and counts complete, whatever the capture."""
    need("captures", SHARED.is_dir(), "the shared captures are not beside the checkout")
    for capture in find([str(SHARED)]):
        source = open_capture(capture)
        sensor = Sensor("observer", file=capture.name)
        told = list(sensor.listen(source))
        source.close()
        for name in ("activities", "points", "coverage"):
            identities = [identity for batch in told for identity in getattr(batch, name)["id"].to_pylist()]
            assert len(set(identities)) == len(identities), (capture.path, name)
        counts: list[int] = [int(count or 0) for batch in told for count in batch.activities["ot.count"].to_pylist()]
        assert sum(counts) == sensor.totals.operations, capture.path
        assert sum(totals.operations for totals in sensor.totals.protocols.values()) == sensor.totals.operations, capture.path
        assert sensor.totals.packets == source.packets, capture.path
