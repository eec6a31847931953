"""Checksums: wrong ones are counted, and believed only where the network card is to fill them in."""

from __future__ import annotations

import random
import struct
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sensors.engine.octets import entry, sum16
from sensors.engine.tables import PACKET, table
from tests.test_link import REQUEST, RESPONSE
from tests.wire import ACK, MS, PUSH, Packet, Talk, ethernet, ipv4, ipv6, mbap, read, registers, udp, watch

if TYPE_CHECKING:
    from collections.abc import Callable


def test_sums() -> None:
    dice = random.Random(1)
    row = table(1, PACKET)
    memory = np.zeros(0, np.uint8)
    for octets in (*range(40), 130, 1500, 65535):
        data = dice.randbytes(octets)
        memory = np.frombuffer(b"\xff" * 9 + data + b"\xff" * 9, np.uint8).copy()
        padded = data + bytes(octets & 1)
        expected = sum(struct.unpack(f">{len(padded) // 2}H", padded)) % 0xFFFF
        assert sum_of(memory, 9, 9 + octets, row) == expected
    assert sum_of(memory, 9, len(memory) + 1, row) == 0
    assert row[0].short == 1


@entry
def _sum(memory: Any, at: int, end: int, row: Any) -> int:
    return sum16(memory, at, end, row[0])


def sum_of(memory: np.ndarray[tuple[int], np.dtype[np.uint8]], at: int, end: int, row: object) -> int:
    return int(_sum(memory, at, end, row))


def spoiled(packet: Packet, at: int = -1) -> Packet:
    data = bytearray(packet.data)
    data[at] ^= 1
    return replace(packet, data=bytes(data))


def offloaded(packet: Packet, zero: bool = False) -> Packet:
    """As a capture on the sending host has it: the pseudo-header's sum alone, or nothing."""
    data = bytearray(packet.data)
    length = int.from_bytes(data[16:18]) - 20
    begun = sum(struct.unpack(">4H", data[26:34])) + 6 + length
    data[50:52] = bytes(2) if zero else struct.pack(">H", begun % 0xFFFF)
    return replace(packet, data=bytes(data))


def test_right_ones_are_not_counted() -> None:
    seen = watch(Talk().open().ask(REQUEST, RESPONSE).close().packets)
    assert (seen.totals.bad_checksums, seen.totals.rejected) == (0, 0)


@pytest.mark.parametrize("spoil", [offloaded, partial(offloaded, zero=True), partial(spoiled, at=50)])
def test_hosts_whose_network_card_fills_them_in(spoil: Callable[[Packet], Packet]) -> None:
    """All that one host sends is wrong: it is followed, and counted."""
    talk = Talk().open()
    for n in range(5):
        talk.ask(mbap(n, read(n, 1)), mbap(n, registers(n)))
    client = [spoil(packet) if packet.data[29] == 1 else packet for packet in talk.packets]
    seen = watch(client)
    assert len(seen.lines) == 5
    assert seen.totals.rejected == 0
    assert seen.totals.bad_checksums == sum(packet.data[29] == 1 for packet in talk.packets)


def test_a_card_that_fills_in_only_some() -> None:
    """What carries no data has its checksum, the rest is left to the card."""
    talk = Talk().open()
    for n in range(5):
        talk.ask(mbap(n, read(n, 1)), mbap(n, registers(n)))
    seen = watch([offloaded(packet) if packet.data[29] == 1 and len(packet.data) > 60 else packet for packet in talk.packets])
    assert (len(seen.lines), seen.totals.bad_checksums, seen.totals.rejected) == (5, 5, 0)


@pytest.mark.parametrize("spoil", [partial(spoiled, at=54), partial(spoiled, at=24), offloaded, partial(offloaded, zero=True)])
def test_what_the_receiver_drops_is_not_believed(spoil: Callable[[Packet], Packet]) -> None:
    """A forged request before the true one, in its place of the stream: the device does what the true one says."""
    talk = Talk().open()
    for n in range(20):
        talk.ask(mbap(n, read(n, 1)), mbap(n, registers(n)))
    true, forged = mbap(20, read(77, 1)), mbap(20, read(99, 1))
    talk.packets.append(spoil(talk.segment(0, forged, talk.sequences[0], PUSH | ACK)))
    talk.ask(true, mbap(20, registers(1)))
    seen = watch(talk.packets)
    assert [line["object"]["first"] for line in seen.lines] == [*range(20), 77]
    assert (seen.totals.bad_checksums, seen.totals.rejected) == (1, 1)
    assert seen.totals.undecoded == {"tcp/502": len(forged)}


def test_forged_resets_are_not_followed() -> None:
    talk = Talk().open()
    for n in range(20):
        talk.ask(mbap(n, read(n, 1)), mbap(n, registers(n)))
    talk.packets.append(spoiled(talk.segment(1, b"", talk.sequences[1], 4), 50))
    talk.ask(mbap(30, read(30, 1)), mbap(30, registers(30)))
    assert watch(talk.packets).lines[-1]["outcome"] == "success"


def test_datagrams() -> None:
    none = ipv4(udp(b"abcd", 1, 2), protocol=17)
    none = none[:26] + bytes(2) + none[28:]
    six = ipv6(udp(b"abcd", 1, 2), "fd00::1", "fd00::2", 17)
    nothing = six[:46] + bytes(2) + six[48:]
    wrong = six[:-1] + b"x"
    counted = {}
    for name, data, kind in (("none", none, 0x0800), ("six", six, 0x86DD), ("nothing", nothing, 0x86DD), ("wrong", wrong, 0x86DD)):
        counted[name] = watch([Packet(ethernet(data, ethertype=kind))]).totals.bad_checksums
    assert counted == {"none": 0, "six": 0, "nothing": 1, "wrong": 1}


def test_routes_of_ipv6_change_the_address() -> None:
    body = udp(b"abcd", 1, 2)[:6] + b"\x12\x34" + b"abcd"
    still, done = ([(43, bytes([0, left]) + bytes(20))] for left in (1, 0))
    assert watch([Packet(ethernet(ipv6(body, "fd00::1", "fd00::2", 17, still), ethertype=0x86DD))]).totals.bad_checksums == 0
    assert watch([Packet(ethernet(ipv6(body, "fd00::1", "fd00::2", 17, done), ethertype=0x86DD))]).totals.bad_checksums == 1


def test_cut_packets_are_not_judged() -> None:
    packets = [spoiled(packet, 50).cut(62) for packet in Talk().ask(REQUEST, RESPONSE).packets]
    assert watch(packets).totals.bad_checksums == 0


def test_every_window_has_its_own() -> None:
    talk = Talk()
    talk.ask(REQUEST, RESPONSE)
    talk.time += 61000 * MS
    talk.ask(REQUEST, RESPONSE)
    seen = watch([spoiled(packet, 50) for packet in talk.packets])
    assert [row["bad_checksums"] for row in seen.coverage] == [2, 2]
