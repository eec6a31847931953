"""What was not seen: the grade, and by what the rest is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.coverage import Totals, grade, port_name
from tests.wire import MS, SECOND, START, Packet, Talk, ethernet, hard, ipv4, mbap, read, registers, udp, watch

MINUTE = 60 * SECOND


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_the_grade_is_cut_and_never_rounded_up(decoded: int, undecoded: int, lost: int) -> None:
    whole = decoded + undecoded + lost
    given_grade = grade(decoded, undecoded, lost)
    if given_grade is None:
        assert whole == 0
        return
    tenths = round(given_grade * 10)
    assert given_grade == tenths / 10
    assert tenths * whole <= 1000 * decoded < (tenths + 1) * whole
    assert (given_grade == 100.0) == (decoded == whole)


@pytest.mark.parametrize(("numbers", "expected"), [((999, 1, 0), 99.9), ((99999, 1, 0), 99.9), ((1, 0, 2), 33.3), ((0, 5, 0), 0.0), ((0, 0, 0), None)])
def test_grades(numbers: tuple[int, int, int], expected: float | None) -> None:
    assert grade(*numbers) == expected


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ((6, 4840), "tcp/4840"), ((17, 53), "udp/53"), ((47, -1), "gre"), ((199, -1), "ip/199"), ((6 + 256, -1), "tcp/fragment"), ((1, -1), "icmp"),
        ((-1, 0x88B8), "ethertype/0x88b8"), ((-1, -1), "other"), ((44 + 256, -1), "ip/44/fragment"),
    ],
)  # fmt: skip
def test_names(key: tuple[int, int], name: str) -> None:
    assert port_name(*key) == name


def counted(seen: Any) -> list[dict[str, int]]:
    return [{one["name"]: one["bytes"] for one in json.loads(row["undecoded"])} for row in seen.coverage]


def test_undecoded_octets_by_port_and_window() -> None:
    talk = Talk(port=4840).open()
    talk.put(0, b"HELF" + bytes(20))
    talk.put(1, b"ACKF" + bytes(10))
    talk.time = START + 61 * SECOND
    talk.put(0, b"OPNF" + bytes(50))
    dns = Packet(ethernet(ipv4(udp(b"\xff" * 33, 5555, 53), protocol=17)), START + 62 * SECOND)
    icmp = Packet(ethernet(ipv4(bytes(64), protocol=1)), START + 63 * SECOND)
    goose = Packet(ethernet(bytes(100), ethertype=0x88B8), START + 64 * SECOND)
    seen = watch([*talk.packets, dns, icmp, goose])
    assert counted(seen) == [{"tcp/4840": 38}, {"ethertype/0x88b8": 100, "icmp": 64, "tcp/4840": 54, "udp/53": 33}]
    assert seen.totals.undecoded == {"tcp/4840": 92, "udp/53": 33, "icmp": 64, "ethertype/0x88b8": 100}
    assert [(row["event.start"].value - START) // MINUTE for row in seen.coverage] == [0, 1]
    assert [row["grade"] for row in seen.coverage] == [0.0, 0.0]


def test_more_ports_than_are_counted_one_by_one() -> None:
    packets = [Packet(ethernet(ipv4(udp(bytes(10), 60000, port), protocol=17)), START + port * 1000) for port in range(1000, 1400)]
    seen = watch(packets)
    (by_port,) = counted(seen)
    assert len(by_port) == 256
    assert by_port["other"] == 10 * (400 - 255)
    assert sum(by_port.values()) == seen.totals.undecoded_bytes == 4000


def test_loss_lowers_the_grade() -> None:
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    talk.lose(0, 23).ask(mbap(2, read(0, 1)), mbap(2, registers(1)))
    talk.put(0, mbap(3, read(0, 1)))
    seen = watch(talk.packets)
    assert (seen.totals.lost, seen.totals.gaps, seen.totals.decoded_bytes) == (23, 1, 58)
    assert seen.totals.grade == grade(58, 0, 23) == 71.6


def test_one_sided_connections_are_counted_where_they_matter() -> None:
    packets: list[Packet] = []
    for n in range(3):
        packets += Talk(client_port=41000 + n, time=START + n * MS).ask(mbap(1, read(0, 1))).packets
    packets += Talk(port=4840, time=START + 10 * MS).ask(b"HELF").packets
    seen = watch(packets)
    assert seen.totals.one_sided == 3
    assert [row["one_sided"] for row in seen.coverage] == [3]


def test_what_is_sent_to_a_group_has_one_direction_by_its_nature() -> None:
    datagram = ipv4(udp(mbap(1, read(0, 1)), 40000, 502), protocol=17)
    plain = ethernet(datagram)
    group = b"\x01\x00\x5e\x00\x00\xfb" + plain[6:]
    everybody = b"\xff" * 6 + plain[6:]
    assert [watch([Packet(frame, START)]).totals.one_sided for frame in (plain, group, everybody)] == [1, 0, 0]


def test_rows_add_up_to_the_totals() -> None:
    damaged = [replace(packet, data=packet.data[:-1] + b"\x55") if n % 9 == 0 and len(packet.data) > 60 else packet for n, packet in enumerate(hard(1))]
    seen = watch(damaged)
    assert seen.totals.rejected > 0
    for name in ("packets", "lost", "gaps", "late", "truncated", "one_sided", "jumps", "shed", "undecoded_bytes", "decoded_bytes", "bad_checksums", "rejected"):
        assert sum(row[name] for row in seen.coverage) == getattr(seen.totals, name), name
    assert sum(row["bytes"] for row in seen.coverage) == seen.totals.bytes
    total: dict[str, int] = {}
    for by_port in counted(seen):
        for name, octets in by_port.items():
            total[name] = total.get(name, 0) + octets
    assert total == seen.totals.undecoded
    assert sum(total.values()) == seen.totals.undecoded_bytes
    for row in seen.coverage:
        assert row["grade"] == grade(row["decoded_bytes"], row["undecoded_bytes"], row["lost"])


def test_nothing_at_all() -> None:
    seen = watch([])
    assert (seen.activities, seen.points, seen.coverage, seen.totals) == ([], [], [], Totals())
