"""What is mutated: packets and messages of real captures where they are at hand, else of our own ones."""

from __future__ import annotations

import csv
import os
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
from tests.wire import Feed, Packet, hard

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
    (found,) = find([str(path)])
    source = open_capture(found)
    memory, rows = np.zeros(1 << 20, np.uint8), table(MOST_PACKETS, PACKET)
    read: list[Packet] = []
    while len(read) < MOST_PACKETS and (count := source.batch(memory, 0, rows)):
        for row in rows[:count]:
            data = memory[row.at : row.at + min(row.captured, LONGEST)].tobytes()
            read.append(Packet(data, int(row.time), int(row.linktype), int(row.wire)))
    source.close()
    return tuple(read)


@cache
def seeds() -> tuple[tuple[Packet, ...], ...]:
    """Captures to mutate: those of protocols we know, then all others, then a generated one."""
    known = {protocol.name for protocol in protocols()}
    listed = sorted(captures(), key=lambda capture: not known & set(capture[1]))
    return (tuple(hard(1)), *(read for path, _ in listed if (read := packets(path))))


@cache
def messages(name: str) -> tuple[Message, ...]:
    """Messages of this protocol as the engine cut them out of captures, and the examples of its tests."""
    protocol = next(one for one in protocols() if one.name == name)
    found: dict[Message, None] = dict.fromkeys(examples(protocol))
    if not captures():
        return tuple(found)
    given: list[Packet] = [*hard(1)]
    for path, names in captures():
        if name in names and len(given) < MOST_SEARCHED:
            given += packets(path)

    def record(one: Protocol) -> Protocol:
        def dissect(memory: Any, rows: Any, count: int, *rest: Any) -> tuple[int, int]:
            if one is protocol:
                for row in rows[:count]:
                    data = bytes(memory[row.offset : row.offset + row.length])
                    found.setdefault(Message(data, int(row.side), int(row.framing), int(row.marks)))
            return one.dissect(memory, rows, count, *rest)

        return replace(one, dissect=dissect)

    recording = tuple(record(one) for one in protocols())
    with patch.object(sensors_sensor, "protocols", lambda: recording):
        for _ in sensors_sensor.Sensor("corpus").listen(Feed(given[:MOST_SEARCHED])):
            pass
    return tuple(message for message in found if message.data)[:MOST_MESSAGES]
