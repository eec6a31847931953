"""Segments that come from another system than their sender's, from the wire to the finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.discovery import Setup
from detectors.methods.injection import build
from records.model import Batch
from sensors.engine.network import BELIEVED
from tests.frames import activities
from tests.hunted import other_system
from tests.wire import PUSH, SECOND, Packet, Talk, mbap, read, registers, sum16, watch, write

STRAY = ["other_system"]


def hops(packet: Packet, limit: int, mac: int | None = None) -> Packet:
    """The same with another hop limit, or from another MAC address."""
    data = bytearray(packet.data)
    data[11] = data[11] if mac is None else mac
    data[22:26] = bytes((limit, data[23], 0, 0))
    data[24:26] = sum16(bytes(data[14:34])).to_bytes(2)
    return replace(packet, data=bytes(data))


def polls(limits: list[int], macs: dict[int, int] | None = None) -> list[list[str]]:
    """The anomalies of polls whose requests come with these hop limits; by number, some from other MAC addresses."""
    talk = Talk().open()
    for number, limit in enumerate(limits):
        talk.ask(mbap(number, read(0, 1)), mbap(number, registers(7)))
        talk.packets[-2] = hops(talk.packets[-2], limit, (macs or {}).get(number))
    return [line["anomaly"] for line in watch(talk.packets).lines]


def test_a_segment_of_another_system_is_marked_and_the_next_one_is_not() -> None:
    assert polls([64, 64, 128, 64]) == [[], [], STRAY, []]


def test_routes_take_a_few_hops() -> None:
    assert polls([64, 61, 63, 34]) == [[]] * 4


def test_what_stays_is_the_sender_s_own_after_some_segments() -> None:
    assert polls([64, *[255] * (BELIEVED + 3), 255]) == [[], *[STRAY] * (BELIEVED - 1), *[[]] * 5]


def test_whoever_takes_turns_stays_marked() -> None:
    assert polls([64, 128] * 20) == [[], STRAY] * 20


def test_behind_another_mac_address_there_may_be_another_host() -> None:
    assert polls([64, 128, 128], {1: 9, 2: 9}) == [[]] * 3


def test_a_reset_of_a_firewall_or_a_keep_alive_says_nothing() -> None:
    talk = Talk().open()
    talk.ask(mbap(1, read(0, 1)), mbap(1, registers(7)))
    talk.packets += [hops(talk.segment(side, b"", talk.sequences[side], flags), 255) for side in (0, 1) for flags in (4, 16)]
    assert watch(talk.packets).anomalies == []


def test_a_segment_that_waited_keeps_its_mark() -> None:
    """The injected one is ahead; the genuine one before it comes later, and both are whole then."""
    talk = Talk().open()
    talk.ask(mbap(1, read(0, 1)), mbap(1, registers(7)))
    first, second = mbap(2, write(3, 7)), mbap(3, write(4, 7))
    late = talk.segment(0, first, talk.sequences[0])
    talk.lose(0, len(first))
    talk.packets += [hops(talk.segment(0, second, talk.sequences[0], PUSH | 16), 128), late]
    assert {line["object"]["first"]: line["anomaly"] for line in watch(talk.packets).lines[1:]} == {3: [], 4: STRAY}


@pytest.mark.parametrize(
    ("seconds", "access", "times", "severity"),
    [((0,), "report", 1, 45), ((0, 600), "read", 1, 35), ((0, 2 * 3600), "command", 2, 65)],
)  # fmt: skip
def test_it_is_told_once_an_hour_and_by_what_it_does(seconds: tuple[int, ...], access: str, times: int, severity: int) -> None:
    effects = {"report": "value.report", "read": "value.read", "command": "output.operate"}
    rows = [row | {"ot.effect": effects[access]} for second in seconds for row in other_system(second)]
    found = build(Setup(files={})).judge(Batch(activities=activities(*rows)))
    assert [finding.severity for finding in found] == [severity] * times
    assert all(finding.end - finding.time <= 60 * SECOND for finding in found)
