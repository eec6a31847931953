"""What is mutated: packets and messages of real captures where they are at hand, else of our own ones."""

from __future__ import annotations

import csv
import os
import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np

from sensors import sensor as sensors_sensor
from sensors.engine.tables import PACKET, table
from sensors.protocol import Protocol, protocols
from sensors.sources.pcap import find, open_capture
from tests.protocol_battery import Message, examples
from tests.wire import (
    ETHERNET,
    EXCHANGES,
    NULL,
    RAW,
    SLL,
    SLL2,
    START,
    Feed,
    Packet,
    Talk,
    ethernet,
    hard,
    ipv4,
    ipv6,
    mbap,
    read,
    registers,
    rtu,
    udp,
    write,
    write_many,
)

ROOT: Final = Path(__file__).resolve().parents[2]
SHARED: Final = ROOT.parent / "shared" / "captures"
DEMO: Final = ROOT / "tests" / "captures" / "demo.pcap"
LARGEST_FILE: Final = 400_000
LONGEST: Final = 9000  # octets of a packet that are kept
MOST_PACKETS: Final = 4000  # of one capture
MOST_SEARCHED: Final = 12_000  # packets in which the messages of a protocol are looked for
MOST_MESSAGES: Final = 4000


@cache
def captures() -> tuple[tuple[Path, tuple[str, ...]], ...]:
    """Captures and the protocols that they are said to hold, smallest first. BALEFIRE_FUZZ_SEEDS=examples: none, for those need kernels to be read."""
    if os.environ.get("BALEFIRE_FUZZ_SEEDS") == "examples":
        return ()
    index = SHARED / "index.csv"
    if not index.is_file():
        return ((DEMO, tuple(protocol.name for protocol in protocols())),)
    with index.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if 0 < int(row["bytes"] or 0) <= LARGEST_FILE and (SHARED / row["capture"]).is_file()]
    rows.sort(key=lambda row: (int(row["bytes"]), row["capture"]))
    return tuple((SHARED / row["capture"], tuple(row["protocols"].replace(",", " ").replace(";", " ").split())) for row in rows)


@cache
def packets(path: Path) -> tuple[Packet, ...]:
    """The packets of a capture."""
    (capture,) = find([str(path)])
    source = open_capture(capture)
    memory, rows = np.zeros(1 << 20, np.uint8), table(MOST_PACKETS, PACKET)
    found: list[Packet] = []
    while len(found) < MOST_PACKETS and (count := source.batch(memory, 0, rows)):
        for row in rows[:count]:
            data = memory[row.at : row.at + min(row.captured, LONGEST)].tobytes()
            found.append(Packet(data, int(row.time), int(row.linktype), int(row.wire)))
    source.close()
    return tuple(found)


def _datagrams() -> list[Packet]:
    """Over UDP, and behind extension headers of IPv6."""
    made: list[Packet] = []
    for number, (request, answer, _) in enumerate(EXCHANGES):
        for body in (udp(mbap(number, request), 40000, 502), udp(mbap(number, answer), 502, 40000)):
            made.append(Packet(ethernet(ipv4(body, protocol=17)), START + number))
            behind = ipv6(body, "fd00::1", "fd00::2", 17, ((0, bytes(6)), (60, bytes(14)), *(((44, bytes(6)),) if number % 4 == 0 else ())))
            made.append(Packet(ethernet(behind, ethertype=0x86DD), START + number))
    return made


def _rtu(linktype: int) -> list[Packet]:
    """Messages of the serial line over TCP, which the other side confirms, on a link of this type."""
    talk = Talk(port=5020, linktype=linktype).open()
    for request, answer, _ in EXCHANGES[:12]:
        talk.ask(rtu(request), rtu(answer))
    return talk.close().packets


def _crowded() -> list[Packet]:
    """More ranges read, rows of their own, values kept and headers begun than are told one by one."""
    talk = Talk().open()
    for first in range(0, 600, 30):
        talk.put(0, b"".join(mbap(number, read(number, 1)) for number in range(first, first + 30)))
        talk.put(1, b"".join(mbap(number, registers(number)) for number in range(first, first + 20)))
        talk.ask(*(b"".join(mbap(number, write(7, number)) for number in range(first, first + 30)),) * 2)
    for number in range(80):
        talk.ask(mbap(number, write_many(number, *range(100))))
        talk.put(0, mbap(number, read(0, 1))[:3])
        talk.put(0, (mbap(number, read(0, 1)) if number % 2 else bytes(20))[3:])
    return talk.close().packets


@cache
def seeds() -> tuple[tuple[Packet, ...], ...]:
    """Captures to mutate: generated ones, those of protocols we know, then all others."""
    known = {protocol.name for protocol in protocols()}
    listed = sorted(captures(), key=lambda capture: not known & set(capture[1]))
    ours = (hard(1), _datagrams(), *(_rtu(linktype) for linktype in (ETHERNET, NULL, RAW, SLL, SLL2)), _crowded())
    return (*map(tuple, ours), *(found for path, _ in listed if (found := packets(path))))


@cache
def messages(name: str) -> tuple[Message, ...]:
    """Messages of this protocol as the engine cut them out of captures, and the examples of its tests."""
    protocol = next(one for one in protocols() if one.name == name)
    found = dict.fromkeys(examples(protocol))
    if captures():
        found |= _kept(name)
    return tuple(message for message in found if message.data)[:MOST_MESSAGES]


def _kept(name: str) -> dict[Message, None]:
    """What is cut out for a protocol, from the file of whoever did it first where BALEFIRE_FUZZ_CORPUS names a folder for that."""
    folder = os.environ.get("BALEFIRE_FUZZ_CORPUS")
    kept = Path(folder) / name if folder else None
    if kept and kept.is_file():
        return pickle.loads(kept.read_bytes())
    protocol = next(one for one in protocols() if one.name == name)
    carried = {name, protocol.over[0] if protocol.over else name}  # the index names what stands below
    indexed = tuple(path for path, names in captures() if carried & set(names))
    found = _cut_out(indexed or tuple(path for path, _ in captures()))[name]  # it does not name what is found everywhere, ARP and names of hosts
    if kept:
        kept.write_bytes(pickle.dumps(found))
    return found


@cache
def _cut_out(paths: tuple[Path, ...]) -> dict[str, dict[Message, None]]:
    """The messages of every protocol in these captures, up to MOST_SEARCHED packets of them."""
    found: dict[str, dict[Message, None]] = {one.name: {} for one in protocols()}
    given = [*hard(1)]
    for path in paths:
        if len(given) < MOST_SEARCHED:
            given += packets(path)

    def record(one: Protocol) -> Protocol:
        def dissect(memory: Any, rows: Any, which: Any, *rest: Any) -> tuple[int, int]:
            for row in rows[which]:
                data = bytes(memory[row.offset : row.offset + row.length])
                found[one.name].setdefault(Message(data, int(row.side), int(row.framing), int(row.marks)))
            return one.dissect(memory, rows, which, *rest)

        return replace(one, dissect=dissect)

    recording = tuple(record(one) for one in protocols())
    with patch.object(sensors_sensor, "protocols", lambda: recording):
        for _ in sensors_sensor.Sensor("corpus").listen(Feed(given[:MOST_SEARCHED])):
            pass
    return found
