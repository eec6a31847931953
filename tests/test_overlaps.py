"""Octets that come again and differ: both versions are shown, whatever the packets that brought them; what only looks like it is none."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensors.engine.history import HISTORY
from sensors.engine.streams import MAX_WAITING
from tests.wire import ACK, FIN, RST, SECOND, Packet, Seen, Talk, mbap, read, registers, watch, write

if TYPE_CHECKING:
    from collections.abc import Sequence

HARMLESS: Final = mbap(7, write(3, 1))
HARMFUL: Final = mbap(7, write(3, 999))
WRAPS: Final = [0xFFFFFFFF - 12 - 5, 0xFFFFFFFF - 5]  # the second message is over the end of the numbers


def begun(sequences: Sequence[int] = (1000, 2000)) -> Talk:
    """A connection in which one exchange was seen."""
    return Talk(sequences=list(sequences)).open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))


def seen_anyhow(packets: Sequence[Packet]) -> Seen:
    """What is seen, however the packets come in batches."""
    seen = watch(packets)
    for other in (watch(packets, each=1), watch(packets, batch=1 << 16), watch(packets, batch=1 << 22, poison=255)):
        assert other.tables == seen.tables
        assert other.lines == seen.lines
        assert other.totals == seen.totals
    return seen


def told(seen: Seen) -> list[tuple[Any, ...]]:
    """The writes: what was written, and what is odd about it. That a second version has the number of the first is no more than follows."""
    written = [line for line in seen.lines if line["action"] == "write_single_register"]
    return [(line["values"], [name for name in line["anomaly"] if name != "reused_transaction"]) for line in sorted(written, key=lambda line: line["packet"])]


def overlapping(seen: Seen) -> int:
    """Overlaps, which every place that counts them must count alike."""
    assert sum(row["overlaps"] for row in seen.coverage) == seen.totals.overlaps
    assert sum(row["ot.count"] for row in seen.activities if "overlap" in row["ot.anomaly"]) == seen.anomalies.count("overlap")
    return seen.totals.overlaps


@pytest.mark.parametrize("sequences", [(1000, 2000), WRAPS])
@pytest.mark.parametrize("first", [HARMLESS, HARMFUL])
def test_a_retransmission_with_other_octets_is_shown_beside_the_first(first: bytes, sequences: Sequence[int]) -> None:
    talk = begun(sequences)
    second = HARMFUL if first == HARMLESS else HARMLESS
    talk.put(0, first)
    talk.packets.append(talk.segment(0, second, talk.sequences[0] - len(first) & 0xFFFFFFFF))
    talk.put(1, first)
    seen = seen_anyhow(talk.ask(mbap(8, read(5, 1)), mbap(8, registers(5))).packets)
    values = [1, 999] if first == HARMLESS else [999, 1]
    assert told(seen) == [([values[0]], []), ([values[1]], ["overlap"])]
    assert overlapping(seen) == 1
    assert (seen.totals.lost, seen.totals.gaps) == (0, 0)
    assert sorted(line["object"]["first"] for line in seen.lines) == [0, 3, 3, 5]


@pytest.mark.parametrize("sequences", [(1000, 2000), WRAPS])
def test_an_overlap_at_the_front_of_new_octets(sequences: Sequence[int]) -> None:
    talk = begun(sequences)
    talk.put(0, HARMLESS)
    following = mbap(8, write(4, 2))
    talk.packets.append(talk.segment(0, HARMFUL + following, talk.sequences[0] - len(HARMFUL) & 0xFFFFFFFF))
    talk.lose(0, len(following))
    seen = seen_anyhow(talk.ask(mbap(9, write(5, 3))).packets)
    assert told(seen) == [([1], []), ([999], ["overlap"]), ([2], []), ([3], [])]
    assert overlapping(seen) == 1


def test_an_overlap_inside_a_message_is_shown_as_broken() -> None:
    talk = begun()
    talk.put(0, HARMLESS)
    talk.packets.append(talk.segment(0, b"\x03\xe7", talk.sequences[0] - 2))  # another value, nothing else
    seen = seen_anyhow(talk.packets)
    assert overlapping(seen) == 1
    assert told(seen)[0] == ([1], [])
    assert seen.totals.undecoded_bytes == 2


def test_the_same_message_in_other_pieces_differs_where_it_is_not_complete() -> None:
    talk = begun()
    talk.put(0, HARMLESS[:8])
    talk.packets.append(talk.segment(0, HARMFUL[:4] + b"\xff" + HARMFUL[5:8], talk.sequences[0] - 8))
    talk.put(0, HARMLESS[8:])
    seen = seen_anyhow(talk.packets)
    assert ([1], []) in told(seen), "the first version goes on"
    assert overlapping(seen) == 1


@pytest.mark.parametrize("sequences", [(1000, 2000), WRAPS])
def test_a_waiting_segment_that_others_overtake(sequences: Sequence[int]) -> None:
    """The hole before it is filled by a segment that reaches over it with other octets."""
    talk = begun(sequences)
    before = mbap(6, write(2, 5))
    start = talk.sequences[0]
    talk.packets.append(talk.segment(0, HARMLESS, start + len(before) & 0xFFFFFFFF))
    talk.packets.append(talk.segment(0, before + HARMFUL, start))
    talk.lose(0, len(before + HARMFUL))
    seen = seen_anyhow(talk.ask(mbap(9, write(5, 3))).packets)
    assert sorted(told(seen)) == sorted([([5], []), ([999], []), ([1], ["overlap"]), ([3], [])])
    assert overlapping(seen) == 1


@pytest.mark.parametrize("longer", [False, True])
@pytest.mark.parametrize("sequences", [(1000, 2000), WRAPS])
def test_two_segments_wait_and_differ(sequences: Sequence[int], longer: bool) -> None:
    talk = begun(sequences)
    before, after = mbap(6, write(2, 5)), mbap(8, write(4, 2)) if longer else b""
    start = talk.sequences[0]
    ahead = start + len(before) & 0xFFFFFFFF
    talk.packets += [talk.segment(0, HARMLESS + after, ahead), talk.segment(0, HARMFUL, ahead), talk.segment(0, HARMLESS, ahead)]
    talk.packets.append(talk.segment(0, before, start))
    talk.lose(0, len(before + HARMLESS + after))
    seen = seen_anyhow(talk.ask(mbap(9, write(5, 3))).packets)
    expected: list[tuple[Any, ...]] = [([5], []), ([1], []), ([999], ["overlap"]), ([3], [])]
    assert sorted(told(seen)) == sorted([*expected, ([2], [])] if longer else expected)
    assert overlapping(seen) == 1


def test_segments_that_wait_twice_and_do_not_differ_are_one() -> None:
    talk = begun()
    before = mbap(6, write(2, 5))
    start = talk.sequences[0]
    talk.packets += [talk.segment(0, HARMLESS, start + len(before)) for _ in range(3 * MAX_WAITING)]
    talk.packets.append(talk.segment(0, before, start))
    seen = seen_anyhow(talk.packets)
    assert sorted(told(seen)) == [([1], []), ([5], [])]
    assert overlapping(seen) == 0


def test_other_boundaries_and_the_same_octets_are_no_overlap() -> None:
    """A sender that sends again may put more, or less, into a segment (RFC 9293, 3.7)."""
    dice = random.Random(3)
    for _ in range(30):
        talk = begun(WRAPS)
        data = b"".join(mbap(n, write(n, n)) for n in range(12))
        start, sent = talk.sequences[0], 0
        while sent < len(data):
            first = dice.randrange(max(sent - 100, 0), sent + 1)
            last = dice.randrange(sent + 1, len(data) + 1)
            talk.packets.append(talk.segment(0, data[first:last], start + first & 0xFFFFFFFF))
            sent = last
            if dice.random() < 0.5:
                first = dice.randrange(last)
                talk.packets.append(talk.segment(0, data[first:last], start + first & 0xFFFFFFFF))
        talk.lose(0, len(data))
        seen = watch(talk.packets)
        assert [values for values, _ in told(seen)] == [[n] for n in range(12)]
        assert overlapping(seen) == 0
        assert not seen.anomalies


@pytest.mark.parametrize("octet", [b"", b"\0", b"\x01", b"\xff"])
def test_a_keep_alive_is_no_overlap(octet: bytes) -> None:
    talk = begun()
    for side in (0, 1):
        talk.packets.append(talk.segment(side, octet, talk.sequences[side] - 1, ACK))
        talk.packets.append(talk.segment(1 - side, b"", talk.sequences[1 - side], ACK))
    seen = seen_anyhow(talk.ask(mbap(2, read(1, 1)), mbap(2, registers(2))).packets)
    assert overlapping(seen) == 0
    assert not seen.anomalies
    assert seen.totals.undecoded_bytes == seen.totals.lost == 0


def test_a_large_segment_that_comes_again_with_another_first_message() -> None:
    talk = begun()
    many = [mbap(n, write(n, n)) for n in range(100)]
    start = talk.sequences[0]
    talk.put(0, b"".join(many))
    many[0] = mbap(0, write(0, 999))
    talk.packets.append(talk.segment(0, b"".join(many), start))
    assert overlapping(seen_anyhow(talk.packets)) == 1


def test_a_message_that_comes_again_octet_by_octet_with_other_octets() -> None:
    talk = begun()
    start = talk.sequences[0]
    talk.put(0, HARMLESS)
    talk.put(0, mbap(8, read(9, 1)))
    talk.packets += [talk.segment(0, HARMFUL[n : n + 1], start + n) for n in range(len(HARMFUL))]
    assert overlapping(seen_anyhow(talk.packets)) == 2, "two octets differ"


def test_what_nobody_remembers_is_not_judged() -> None:
    talk = begun()
    many = HISTORY // 12 + 2
    start = talk.sequences[0]
    for n in range(many):
        talk.put(0, mbap(n, write(n, n)))
    talk.packets.append(talk.segment(0, mbap(0, write(0, 77)), start))
    talk.packets.append(talk.segment(0, mbap(0, write(0, 77)), start - 400))  # before the connection was seen
    seen = seen_anyhow(talk.ask(mbap(900, write(900, 1))).packets)
    assert [values for values, _ in told(seen)] == [[n] for n in range(many)] + [[1]]
    assert overlapping(seen) == 0
    assert (seen.totals.lost, seen.totals.gaps, seen.totals.undecoded_bytes) == (0, 0, 0)


def test_a_new_connection_on_the_same_ports_is_compared_with_nothing() -> None:
    talk = begun()
    talk.put(0, HARMLESS)
    talk.close()
    talk.sequences = [1000, 2000]
    talk.time += SECOND
    talk.open().ask(mbap(1, read(9, 1)), mbap(1, registers(4))).put(0, HARMFUL)
    seen = seen_anyhow(talk.packets)
    assert [values for values, _ in told(seen)] == [[1], [999]]
    assert overlapping(seen) == 0


# ---------------------------------------------------------------- behind a hole


def test_behind_a_hole_the_whole_messages_are_found() -> None:
    """The segment behind the hole begins in the middle of a message and holds whole ones."""
    talk = begun()
    torn = mbap(2, write(1, 0xABCD))
    talk.lose(0, 5)
    talk.put(0, torn[5:] + mbap(3, write(2, 2)) + mbap(4, write(3, 3)))
    talk.put(1, b"", ACK)
    seen = seen_anyhow(talk.ask(mbap(5, write(4, 4))).packets)
    good = [values for values, anomaly in told(seen) if not anomaly]
    assert good == [[2], [3], [4]]
    assert (seen.totals.lost, seen.totals.gaps) == (5, 1)
    assert not seen.anomalies, "the hole is told, and is nobody's fault"
    assert seen.totals.undecoded_bytes == len(torn) - 5


def test_behind_a_hole_the_last_message_may_go_on_in_the_next_segment() -> None:
    talk = begun()
    torn, split = mbap(2, write(1, 0xABCD)), mbap(4, write(3, 3))
    talk.lose(0, 5)
    talk.put(0, torn[5:] + mbap(3, write(2, 2)) + split[:8])
    talk.put(0, split[8:])
    talk.put(1, b"", ACK)
    seen = seen_anyhow(talk.ask(mbap(5, write(4, 4))).packets)
    assert [values for values, anomaly in told(seen) if not anomaly] == [[2], [3], [4]]
    assert seen.payload + seen.totals.lost == sum((12 + 11, 12, 12, 12, 12))


LARGE: Final = 60000


@pytest.mark.parametrize(("data", "found"), [
    (bytes(LARGE), 0),  # nothing that could begin
    (b"\xff" + mbap(1, b"\x07") * (LARGE // 8) + b"\xff", LARGE // 8),  # from every one on thousands fit, and the last octet does not
    ((mbap(1, b"\x07") * 3 + b"\xff") * (LARGE // 25), 0),  # never as many as are believed
], ids=["nothing", "all", "few"])  # fmt: skip
def test_the_search_behind_a_hole_takes_few_steps_an_octet(data: bytes, found: int) -> None:
    talk = begun()
    talk.lose(0, 5)
    talk.put(0, data)
    seen = watch([*talk.packets, talk.segment(1, b"", talk.sequences[1], ACK)])
    assert len([line for line in seen.lines if line["action"] == "read_exception_status"]) >= found
    assert seen.payload == 12 + 11 + len(data)


# ---------------------------------------------------------------- loss at the end


@pytest.mark.parametrize("ending", [None, FIN | ACK, RST, RST | ACK])
def test_loss_at_the_very_end_is_counted_once(ending: int | None) -> None:
    talk = begun()
    talk.lose(0, 12).put(1, mbap(2, write(1, 1)))
    for _ in range(3):
        talk.packets.append(talk.segment(1, b"", talk.sequences[1], ACK))
    if ending is not None:
        talk.put(1, b"", ending)
    if ending == FIN | ACK:
        talk.put(0, b"", FIN | ACK)
        talk.put(1, b"", ACK)
    seen = seen_anyhow(talk.packets)
    assert (seen.totals.lost, seen.totals.gaps) == (12, 1)


@pytest.mark.parametrize("ending", [FIN | ACK, RST, RST | ACK])
def test_an_end_is_no_loss(ending: int) -> None:
    for closing in (0, 1):
        talk = begun()
        talk.put(closing, b"", ending)
        talk.put(1 - closing, b"", ACK)
        if ending == FIN | ACK:
            talk.put(1 - closing, b"", ending)
            talk.put(closing, b"", ACK)
        assert (seen_anyhow(talk.packets).totals.lost, seen_anyhow(talk.packets).totals.gaps) == (0, 0)


def test_a_lost_end_and_ports_used_again_are_counted_once() -> None:
    talk = begun()
    talk.lose(0, 12).put(1, mbap(2, write(1, 1)))
    talk.sequences = [70000, 90000]
    talk.time += SECOND
    seen = seen_anyhow(talk.open().ask(mbap(1, read(0, 1)), mbap(1, registers(1))).packets)
    assert (seen.totals.lost, seen.totals.gaps) == (12, 1)
