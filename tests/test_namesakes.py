"""The same addresses and ports in several VLANs or by several interfaces: plants that are built alike are told apart, and what several mirror ports see of one
connection stays one.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.mirroring import copied
from tests.wire import MS, START, Packet, Talk, ethernet, ipv4, mbap, read, registers, said, udp, watch, write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.wire import Seen

PORTS = ("plant-1", "plant-2", "spare")


def placed(
    packets: Iterable[Packet], station: int = 0, vlans: tuple[int | None, int | None] = (None, None), interfaces: tuple[int, int] = (0, 0)
) -> list[Packet]:
    """As a plant has them whose devices have these MAC addresses: VLAN and interface of requests and of answers."""
    made: list[Packet] = []
    for packet in packets:
        data = bytearray(packet.data)
        answer = data[11] == 2  # the source's address ends so
        data[1] = data[7] = station
        vlan = vlans[answer]
        tag = b"" if vlan is None else b"\x81\x00" + vlan.to_bytes(2)
        made.append(replace(packet, data=bytes(data[:12]) + tag + bytes(data[12:]), interface=interfaces[answer]))
    return made


def stream(first: int, shift: int = 0, late: int = 0, opened: bool = True) -> list[Packet]:
    """A client that reads and writes by TCP: its values begin with `first`, its sequence numbers are off by `shift`."""
    talk = Talk(sequences=[1000 + shift, 2000 + shift], time=START + late * MS)
    if opened:
        talk.open()
    for n in range(6):
        talk.time += 50 * MS
        talk.ask(mbap(n, read(0, 2)), mbap(n, registers(first + n, 7))).ask(mbap(100 + n, write(5, first + n)), mbap(100 + n, write(5, first + n)))
    return talk.packets


def datagrams(first: int, shift: int = 0, late: int = 0) -> list[Packet]:
    """The same by UDP, from one port."""
    made: list[Packet] = []
    for n in range(12):
        for answer, pdu in enumerate((read(0, 2), registers(first + n, 7))):
            ends, ports = (("10.0.0.2", "10.0.0.1"), (502, 40000)) if answer else (("10.0.0.1", "10.0.0.2"), (40000, 502))
            body = ipv4(udp(mbap(n, pdu), *ports), *ends, protocol=17, number=2 * n + answer + 1 + shift)
            made.append(Packet(ethernet(body, *ends), START + (late + 100 * n + answer) * MS))
    return made


def together(*plants: list[Packet]) -> Seen:
    return watch(sorted((packet for plant in plants for packet in plant), key=lambda packet: packet.time), names=PORTS)


def told(seen: Seen) -> list[str]:
    """What is listed, in an order that does not depend on who spoke when."""
    return sorted(map(str, said(seen.lines)))


PLACES: list[dict[str, Any]] = [
    {"vlans": (10, 10)}, {"vlans": (20, 20)}, {"interfaces": (1, 1)}, {"vlans": (30, 31)}, {"interfaces": (1, 2)}, {"vlans": (10, 10), "interfaces": (1, 2)},
]  # fmt: skip


@pytest.mark.parametrize("make", [stream, datagrams])
@pytest.mark.parametrize("place", PLACES, ids=str)
@pytest.mark.parametrize("shift", [0, 12, 500, 1 << 30])
def test_plants_with_the_same_addresses_are_told_apart(make: Any, place: dict[str, Any], shift: int) -> None:
    one, other = make(1), placed(make(900, shift % 60000 if make is datagrams else shift, 23), 1, **place)
    seen, alone = together(one, other), (watch(one), watch(other))
    assert told(seen) == sorted([*told(alone[0]), *told(alone[1])])
    assert {row["ot.anomaly"][0] for row in seen.activities if row["ot.anomaly"]} == set()
    totals = seen.totals
    assert (totals.lost, totals.gaps, totals.overlaps, totals.undecoded_bytes, totals.shed) == (0, 0, 0, 0, 0)
    assert (totals.namesakes, totals.mirrored) == (1, 0)
    assert {row["event.outcome"] for row in seen.activities} == {"success"}


@pytest.mark.parametrize("late", [-60, 23, 40])
def test_plants_that_were_spoken_in_before(late: int) -> None:
    """Nobody saw how they began; sometimes the answer of one is the first that is seen of it."""
    one, other = stream(1, opened=False), placed(stream(900, 24, late, opened=False), 1, (20, 20))
    for cut in range(3):
        seen, alone = together(one, other[cut:]), (watch(one), watch(other[cut:]))
        assert told(seen) == sorted([*told(alone[0]), *told(alone[1])])
        assert (seen.totals.lost, seen.totals.gaps, seen.totals.namesakes) == (0, 0, 1)


def test_vlans_alone_tell_plants_apart() -> None:
    """Whatever their MAC addresses are: one router may have the same in all."""
    one, other = placed(stream(1), vlans=(10, 10)), placed(stream(900, 12, 23), vlans=(20, 20))
    assert told(together(one, other)) == sorted([*told(watch(one)), *told(watch(other))])


@pytest.mark.parametrize("place", [{"vlan": 7}, {"interface": 1}, {"vlan": 7, "interface": 1}])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_what_two_mirror_ports_see_of_one_connection_is_one(place: dict[str, int], share: float) -> None:
    """Also where each of them loses packets that the other one has."""
    dice = random.Random(5)
    whole = stream(1)
    kept: list[Packet] = []
    for number, packet in enumerate(whole):
        lost = dice.choice((1, 2)) if number > 5 and dice.random() < share else 0
        kept += [each for which, each in ((1, packet), (2, copied(packet, **place))) if which != lost]
    seen = watch(kept, names=PORTS)
    assert told(seen) == told(watch(whole))
    assert (seen.totals.lost, seen.totals.overlaps, seen.totals.namesakes, seen.totals.split_vlans, seen.totals.repeated) == (0, 0, 0, 0, 0)


def test_copies_of_datagrams_are_what_they_are_wherever_they_come_from() -> None:
    whole = datagrams(1)
    elsewhere, here = (
        watch([each for packet in whole for each in (packet, copied(packet, **place))], names=PORTS) for place in ({"vlan": 7, "interface": 1}, {})
    )
    assert said(elsewhere.lines) == said(here.lines)
    assert (elsewhere.totals.mirrored, elsewhere.totals.namesakes) == (len(whole), 0)


@pytest.mark.parametrize("make", [stream, datagrams])
def test_mirror_ports_that_share_the_packets_out(make: Any) -> None:
    """Packet by packet: the stations are the same."""
    dice = random.Random(6)
    seen = watch([replace(packet, interface=dice.randrange(3)) for packet in make(1)], names=PORTS)
    assert told(seen) == told(watch(make(1)))
    assert (seen.totals.lost, seen.totals.namesakes) == (0, 0)


def test_segments_that_come_again_are_counted() -> None:
    talk = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    again = talk.segment(0, mbap(1, read(0, 1)), talk.sequences[0] - 12)
    alive = talk.segment(0, b"\0", talk.sequences[0] - 1)
    seen = watch([*talk.packets, again.at(again.time + 20 * MS), alive.at(again.time + 21 * MS)])
    assert seen.totals.repeated == 1 == sum(row["repeated"] for row in seen.coverage)
