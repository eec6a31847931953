"""PTP: what its messages are, over UDP and over Ethernet, and that their clock is read all the same."""

from __future__ import annotations

import json

import pytest

from sensors.protocols.ptp import PTP
from tests.mirroring import ptp, shifted
from tests.protocol_battery import Message, told
from tests.wire import MS, SECOND, START, Packet, ethernet, ipv4, udp, watch

TYPES = {0: 44, 1: 44, 2: 54, 3: 54, 8: 44, 9: 54, 10: 54, 11: 64, 12: 54}  # octets of each


def message(kind: int, octets: int, more: bytes = b"") -> bytes:
    return (bytes((kind, 2)) + octets.to_bytes(2) + bytes(30) + more).ljust(octets, b"\0")


def management(action: int) -> bytes:
    return message(13, 60, bytes(12) + bytes((action,)))


EXAMPLES = (*(Message(message(kind, octets)) for kind, octets in TYPES.items()), *(Message(management(action)) for action in range(5)))


def test_types_and_what_management_does() -> None:
    seen = told(PTP, list(EXAMPLES))
    assert [row.code for row in seen] == [*map(str, TYPES), *(f"13/{action}" for action in range(5))]
    assert [(row.action, row.effect) for row in seen[-4:-2]] == [
        ("ptp_management_set", "configuration.write"), ("ptp_management_answer", "configuration.read"),
    ]  # fmt: skip


def test_padding_is_no_part_of_a_message_and_one_that_ends_early_is_told() -> None:
    sync = message(0, 44)
    assert [row.anomalies for row in told(PTP, [Message(sync + bytes(2)), Message(sync[:43]), Message(message(0, 43) + bytes(9))])] == [
        (), ("short",), ("bad_length",),
    ]  # fmt: skip


def over_udp(packet: Packet) -> Packet:
    """The same message in a datagram; two-step messages that tell a time go to the general port."""
    body = packet.data[14:]
    port = 319 if body[0] & 15 == 0 else 320
    return Packet(ethernet(ipv4(udp(body, port, port), "10.0.0.9", "224.0.1.129", protocol=17)), packet.time)


@pytest.mark.parametrize("carrier", ["ethernet", "udp"])
@pytest.mark.parametrize("steps", [1, 2])
def test_the_clock_of_its_master_is_understood_and_compared(carrier: str, steps: int) -> None:
    """Two steps: the time of a sync comes with the follow-up, and is that at which the sync was sent. UTC is 37 s behind."""
    ahead, packets = 3 * 3600 * SECOND, [ptp(11, START, 0, flags=0x000C)]
    for number in range(1, 4):
        true = START + number * SECOND
        tai = true + 37 * SECOND
        if steps == 1:
            packets.append(ptp(0, true, number, tai, flags=0))
        else:
            packets += [ptp(0, true, number), ptp(8, true + 5 * MS, number, tai)]
    seen = watch([over_udp(packet) if carrier == "udp" else packet for packet in shifted(packets, ahead)])
    (row,) = seen.coverage
    assert json.loads(row["clocks"]) == [{"name": "ptp/0/001dc1fffe112233", "ahead": 10800.0, "samples": 3, "spread": 0.0}]
    assert (seen.totals.undecoded, row["grade"], json.loads(row["datagrams"])) == ({}, 100.0, [])
    assert {line["protocol"] for line in seen.lines} == {"ptp"}


def test_other_content_on_its_port_is_not_it() -> None:
    version_1 = bytes((0, 1)) + bytes(122)
    seen = watch([Packet(ethernet(ipv4(udp(version_1, 319, 319), protocol=17)), START)])
    assert (seen.lines, list(seen.totals.undecoded)) == ([], ["udp/319"])
