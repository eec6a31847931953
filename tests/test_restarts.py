"""Connections that live over a restart of a sensor: the next one picks them up in the middle, and finds nothing that is not there."""

from __future__ import annotations

import io
import random
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import pytest

from balefire.pipeline import Replay
from balefire.plan import Plan
from records.query import Query
from records.store import open_store
from sensors.sources.pcap import find, listen
from tests.test_iec104 import asdu, frame, short
from tests.wire import MS, SECOND, START, Talk, mbap, pcap, read, registers, save, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.wire import Packet

CONTROL, STATION = 0, 1


class Telecontrol:
    """IEC 60870-5-104: a station that tells values, is interrogated and gets commands, on a connection that counts its frames."""

    def __init__(self) -> None:
        self.talk = Talk(client="10.0.0.30", client_port=41000, port=2404).open()
        self.sent = [0, 0]
        for side, control in ((CONTROL, 0x07), (STATION, 0x0B)):  # STARTDT
            self.talk.put(side, short(control, side).data)

    def tell(self, side: int, body: bytes) -> None:
        """An I format; a segment of its own."""
        self.talk.put(side, frame(body, side, self.sent[side], self.sent[1 - side]).data)
        self.sent[side] += 1

    def minute(self, number: int) -> None:
        """Values; an interrogation; a command and what becomes of it."""
        for value in range(6):
            self.talk.time = START + (60 * number + 9 * value) * SECOND
            self.tell(STATION, asdu(13, 3, f"10 00 00 00 00 {value:02X} 42 00"))
            self.talk.put(CONTROL, short(1, CONTROL, self.sent[STATION]).data)
        for kind, objects, causes in ((100, "00 00 00 14", (6, 7, 20, 10)), (45, "20 00 00 01", (6, 7, 10))):
            for cause in causes:
                self.talk.time += 50 * MS
                body = asdu(1, 20, "11 00 00 01") if cause == 20 else asdu(kind, cause, objects)
                self.tell(CONTROL if cause == 6 else STATION, body)


@cache
def plant(minutes: int) -> list[Packet]:
    """Both, polled and commanded, for so long."""
    polled, told = Talk(client="10.0.0.20", client_port=40000).open(), Telecontrol()
    dice = random.Random(5)
    for minute in range(minutes):
        for second in range(0, 60, 2):
            polled.time = START + (60 * minute + second) * SECOND
            polled.ask(mbap(second, read(0, 20)))
            answer = mbap(second, registers(*(dice.randrange(90, 110) for _ in range(20))))
            polled.put(1, answer[:20])  # in two segments
            polled.put(1, answer[20:])
            if second % 20 == 10:
                polled.ask(mbap(100, write(3, 100 + second % 7)), mbap(100, write(3, 100 + second % 7)))
        told.minute(minute)
    return sorted((packet for talk in (polled, told.talk) for packet in talk.packets), key=lambda packet: packet.time)


def found(folder: Path, parts: Sequence[Sequence[Packet]]) -> list[str]:
    """The findings of sensors, one after the other, which know five minutes of this plant."""
    with closing(open_store(str(folder / "store"), write=True)) as store:
        taught = find([str(save([packet.at(packet.time - 86_400 * SECOND) for packet in plant(5)], folder / "taught.pcap"))])
        for part in parts:
            Replay(Plan(captures=listen(io.BytesIO(pcap(part)), "wire"), learn=taught, observer="here", resume=True), store).run()
            taught = find([])
        assert store.state("novelty"), "or nothing would be new"
        return [f"{row['rule']}: {row['title.en']}" for row in store.read("finding", Query()).to_pylist()]


@pytest.mark.parametrize(
    ("behind", "gap", "expected"),
    [
        ("poll", 0, []),
        ("half an answer", 300, []),
        ("command", 0, ["command-unanswered: 10.0.0.2 did not answer a write or command of 10.0.0.30"]),  # by then it had not: all that is told is true
    ],
)
def test_nothing_is_found_because_of_it(behind: str, gap: int, expected: list[str], tmp_path: Path) -> None:
    """Between a request and its answer, in the midst of a message; for a moment, and for minutes in which the connections go on."""
    packets = plant(11)
    first = next(number for number, packet in enumerate(packets) if packet.time >= START + 240 * SECOND and _is(behind, packet)) + 1
    later = [packet for packet in packets[first:] if packet.time >= packets[first].time + gap * SECOND]
    assert found(tmp_path, [packets[:first], later]) == expected


def _is(what: str, packet: Packet) -> bool:
    """Is it one of these?"""
    payload = packet.data[54:]
    if what == "command":
        return payload[:1] == b"\x68" and payload[6:7] == b"\x2d" and payload[8:9] == b"\x06"
    if what == "half an answer":
        return len(payload) == 20 and payload[7:8] == b"\x03"
    return len(payload) == 12 and payload[7:8] == b"\x03"
