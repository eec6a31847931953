"""Packets kept for findings: those that a finding names, and with them their neighbours of the same conversation, read once more from where they stand.

Nothing here is done a packet at a time but writing the few that are kept. The source has marked where its batches begin; only the stretches that are wanted
are read again, and batches read lately are held, for findings that come together lie together.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.model import Evidence
from sensors.decoding import Decoder
from sensors.engine.link import MOST_TIME
from sensors.pcapng import Interface, Packet, Writer
from sensors.sensor import BATCH
from sensors.sources.reader import CaptureSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from records.model import Finding, PacketRef
    from sensors.sources.again import Marks
    from sensors.sources.pcap import Capture

PACKETS: Final = 200  # of one finding
REACH: Final = 2000  # packets before and after, in which neighbours are looked for; of several named ones, as many in all
CELL: Final = 2048  # packets of a batch that are looked at together
HELD: Final = 32  # cells that are held
_searchsorted: Any = np.searchsorted  # the stubs do not know what becomes of a record's columns
_maximum: Any = np.maximum


@dataclass(frozen=True, slots=True)
class Stretch:
    """Packets of one batch that follow each other, from the number `first` to `last`: columns by row, and the bytes that `at` points into."""

    first: int
    last: int
    numbers: Any
    times: Any
    wire: Any
    conversations: Any
    at: Any
    captured: Any
    interfaces: Any
    known: list[Interface]
    octets: bytes

    def packet(self, row: int) -> Packet:
        """One of them, whole."""
        at = int(self.at[row])
        octets = self.octets[at : at + int(self.captured[row])]
        return Packet(int(self.times[row]), int(self.wire[row]), octets, self.known[int(self.interfaces[row])])


class Keeper:
    """Reads packets of one capture again, as far as `marks` know where they stand. What is gone, or was never marked, is not there."""

    def __init__(self, capture: Capture, marks: Marks, batch: int = BATCH) -> None:
        self.name = capture.name
        self._capture, self._marks, self._batch = capture, marks, batch
        self._decoder: Decoder | None = None
        self._known: list[Interface] = []  # of the batch that was read last
        self._held: dict[int, Stretch] = {}
        self._written: tuple[tuple[int, ...], bytes] = ((), b"")
        self._stream = None
        try:
            self._stream = capture.again() if capture.error is None else None  # held open, so that it survives being moved or deleted
        except OSError:
            self._stream = None

    def close(self) -> None:
        """Let go of the file."""
        if self._stream is not None:
            self._stream.close()

    def find(self, numbers: Sequence[int], neighbours: bool = True) -> list[tuple[int, Packet]]:
        """Packets with these numbers, in their order, at most PACKETS, and, where there is room, the nearest of the same conversations."""
        wanted = sorted(set(numbers))[:PACKETS]
        reach = (PACKETS - len(wanted)) * REACH // (PACKETS * len(wanted)) if wanted and neighbours else 0
        parts = [part for low, high in _joined(wanted, reach) for part in self._parts(low, high)]
        if not parts:
            return []
        number = np.concatenate([stretch.numbers[begin:end] for stretch, begin, end in parts])
        talks = np.concatenate([stretch.conversations[begin:end] for stretch, begin, end in parts])
        chosen = _chosen(np.array(wanted), number, talks)
        ends: Any = np.cumsum([end - begin for _, begin, end in parts])
        found: list[tuple[int, Packet]] = []
        for i in chosen:
            stretch, _, end = parts[part := int(_searchsorted(ends, i, "right"))]
            found.append((int(number[i]), stretch.packet(end - int(ends[part] - i))))
        return found

    def _parts(self, low: int, high: int) -> Iterator[tuple[Stretch, int, int]]:
        """Packets low … high, as far as they are there: stretches, and from which of its rows to before which."""
        while low <= min(high, self._marks.last) and (stretch := self._stretch(low)) is not None:
            begin, end = _searchsorted(stretch.numbers, (low, high + 1)).tolist()
            if begin < end:
                yield stretch, begin, end
            low = stretch.last + 1

    def _stretch(self, number: int) -> Stretch | None:
        """The one that this packet is in, or else the next."""
        for first, held in self._held.items():
            if held.first <= number <= held.last:
                self._held[first] = self._held.pop(first)  # the one used last goes last
                return held
        try:
            return self._read(number) if self._stream is not None else None
        except OSError:
            return None

    def _source(self) -> CaptureSource:
        return CaptureSource(self._capture, stream=self._stream)

    def _read(self, number: int) -> Stretch | None:
        """From the batch that was read last, or the nearest mark whose bytes are still there."""
        decoder = self._decoder = self._decoder or Decoder(self._batch)
        if len(decoder.packets) and decoder.numbers[0] <= number <= decoder.numbers[-1]:
            return self._hold(decoder, number)
        source = self._source()
        if not any(source.go(mark) for mark in self._marks.around(number)):
            return None
        while decoder.read(source):
            self._known = [Interface(*source.interface(each)) for each in range(len(source.interfaces))]
            if int(decoder.numbers[-1]) >= number:
                return self._hold(decoder, number)
        return None

    def _hold(self, decoder: Decoder, number: int) -> Stretch:
        """The cell of a batch that this packet is in, or else the next."""
        begin = int(_searchsorted(decoder.numbers, number)) // CELL * CELL
        end = min(begin + CELL, len(decoder.packets))
        decoder.decode(begin, end)
        numbers, at, captured, wire, interfaces = (decoder.column(name)[begin:end].copy() for name in ("number", "at", "captured", "wire", "interface"))
        low, high = int(at.min()), int((at + captured).max())
        made = Stretch(
            first=int(numbers[0]),
            last=int(numbers[-1]),
            numbers=numbers,
            times=decoder.times[begin:end],
            wire=wire,
            conversations=decoder.conversations(begin, end),
            at=at - low,
            captured=captured,
            interfaces=interfaces,
            known=self._known,
            octets=decoder.arena[low:high].tobytes(),
        )
        self._held[made.first] = made
        if len(self._held) > HELD:
            del self._held[next(iter(self._held))]
        return made

    def named(self, packets: Sequence[PacketRef]) -> tuple[list[tuple[int, Packet]], int]:
        """These packets and their neighbours, as `find` gives them, none where none of these is there; and how many of these are not, or are others."""
        told = {ref.packet: ref for ref in packets[:PACKETS]}
        found = self.find(list(told))
        right = [number for number, packet in found if number in told and _is(packet, told[number])]
        if len(right) < len(told):
            found = self.find(right)
        return found, len(told) - len(right)

    def evidence(self, finding: Finding) -> Evidence:
        """What is kept for a finding. Packets that it names and that are not there, or are others than it means, are counted as missing."""
        found, missing = self.named(finding.packets)
        if not found:
            return Evidence(finding.id, self.name, finding.time, finding.end, missing=missing)
        numbers = tuple(number for number, _ in found)
        if numbers != self._written[0]:  # findings that come together are often of the same conversation
            self._written = numbers, _file(packet for _, packet in found)
        octets, times = self._written[1], [packet.time for _, packet in found]
        content = hashlib.sha256(octets).hexdigest()
        size = sum(len(packet.octets) for _, packet in found)
        return Evidence(finding.id, self.name, min(times), max(times), numbers, missing, size, content, octets)


def _file(packets: Iterable[Packet]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file)
    for packet in packets:
        writer.add(packet)
    return file.getvalue()


def _is(packet: Packet, told: PacketRef) -> bool:
    """Whether it is the packet that was meant. A time that no clock tells was replaced by the sensor, and tells nothing."""
    return packet.time == told.time or packet.time > MOST_TIME


def _joined(numbers: Iterable[int], reach: int) -> list[tuple[int, int]]:
    """The spans around sorted numbers, those that touch as one."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        low, high = max(1, number - reach), number + reach
        if spans and low <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], high)
        else:
            spans.append((low, high))
    return spans


def _chosen(wanted: Any, number: Any, talks: Any) -> Any:
    """Rows of `wanted`, and the nearest of their conversations that there is room for. Both `wanted` and `number` ascend."""
    after = np.minimum(_searchsorted(wanted, number), len(wanted) - 1)
    named = wanted[after] == number
    near = np.flatnonzero(np.isin(talks, np.unique(talks[named])) & ~named)
    room = max(0, PACKETS - int(named.sum()))
    if len(near) > room:
        distance = np.minimum(np.abs(number[near] - wanted[after[near]]), np.abs(number[near] - wanted[_maximum(after[near] - 1, 0)]))
        near = near[np.argsort(distance, kind="stable")[:room]]
    named[near] = True
    return np.flatnonzero(named)
