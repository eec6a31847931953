"""Writing a recorded minute again and again, with numpy: whatever changes is computed for all its packets at once."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tests.bench.traffic.template import ACK, CLOCK, COUNT, FLOAT, FRAGMENT, PERIOD, PROTOCOLS, SECOND, TCP, UDP, WAVE, Row, Template

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
RECORD: Final = 16
START: Final = 1_700_000_040  # seconds since the epoch, where a minute begins; of the first minute
EPHEMERAL, PORTS = 32768, 16000  # clients' ports that move
STEPS: Final = 4096  # of a shape
MASK: Final = 0xFFFFFFFF


def _shapes() -> Any:
    """One turn of each: a sine, stairs, a ramp; between -32768 and 32767."""
    at = np.arange(STEPS)
    return np.stack([np.rint(32767 * np.sin(2 * np.pi * at / STEPS)).astype(np.int64), at // 256 * 4096 - 30720, at * 16 - 32768])


class Repetition:
    """The minutes of a template, without end. `minute` gives one as the octets of a capture; the first holds what was recorded before it, too."""

    def __init__(self, template: Template) -> None:
        order = sorted(range(len(template.rows)), key=lambda number: template.rows[number].time)
        rows = [template.rows[number] for number in order]
        at = np.empty(len(order), np.int64)
        at[order] = np.arange(len(order))
        self.rows = len(rows)
        self.before = sum(row.time < 0 for row in rows)  # what happens once
        columns = {name: np.array(column, np.int64) for name, column in zip(Row._fields, zip(*rows, strict=True), strict=True) if name != "frame"}
        self._columns = columns
        self._lay(rows)
        self._identify(template, at)
        self._join(template)
        self._pieces(template, at)
        self._values(template)
        self._sums()
        self.oddities = [(what, int(at[row])) for what, row in template.oddities]

    def _lay(self, rows: list[Row]) -> None:
        """The frames one behind the other, each with the header of its record."""
        lengths = np.array([len(row.frame) for row in rows], np.int64)
        self.ends = np.cumsum(lengths + RECORD)
        self.octets = lengths
        starts = self.ends - lengths
        self.buffer = np.frombuffer(b"".join(part for row in rows for part in (bytes(RECORD), row.frame)), np.uint8).copy()
        self._starts = starts
        self._time = START * SECOND + self._columns["time"]
        self._put(starts - 12, self._time % SECOND, "<u4")
        for place in (starts - 8, starts - 4):
            self._put(place, lengths, "<u4")
        self._seconds = _places(starts - RECORD, 4)

    def _put(self, places: Any, values: Any, kind: str) -> None:
        octets = np.dtype(kind).itemsize
        self.buffer[_places(places, octets)] = _octets(values, kind)

    def _identify(self, template: Template, at: Any) -> None:
        """IP identifications: each host counts its packets; a twin has that of its row."""
        columns = self._columns
        hosts = np.array([way.source.number for way in template.ways], np.int64)
        ip = np.flatnonzero(columns["transport"] >= FRAGMENT)
        twins = columns["twin"][ip]
        host = hosts[columns["way"][ip]]
        own = twins < 0
        order = np.argsort(host[own], kind="stable")
        sorted_hosts = host[own][order]
        firsts = np.searchsorted(sorted_hosts, sorted_hosts)
        counts = np.zeros(self.rows, np.int64)
        counts[ip[own][order]] = np.arange(len(order)) - firsts
        counts[ip[~own]] = counts[at[twins[~own]]]
        lasting = np.bincount(host[own & (columns["time"][ip] >= 0)], minlength=len(template.hosts))
        self._ip, self._id, self._id_step = ip, counts[ip] + host * 977, lasting[host]
        network = self._starts[ip] + columns["network"][ip]
        length = 20 + columns["length"][ip]
        self._put(network + 2, length, ">u2")
        self._id_places, self._ip_sum_places = _places(network + 4, 2), _places(network + 10, 2)
        self._ip_sum = _word_sum(self.buffer, network, 20)

    def _join(self, template: Template) -> None:
        """Ports and sequence numbers, and what a minute adds to them."""
        columns, ways = self._columns, template.ways
        self._tcp, self._udp = (np.flatnonzero(columns["transport"] == transport) for transport in (TCP, UDP))
        self._carried = np.sort(np.concatenate([self._tcp, self._udp]))
        way = columns["way"][self._carried]
        own = np.array([ends.source_port for ends in ways], np.int64)
        other = np.array([ends.target_port for ends in ways], np.int64)
        hosts = [template.ports[ends.source.number] for ends in ways]
        steps = np.array([hosts[number] if ends.advance[0] else hosts[ends.opposite] for number, ends in enumerate(ways)], np.int64)
        moves = np.array([ends.advance for ends in ways], np.int64)
        self._ports = np.stack([own[way], other[way]], axis=1)
        self._moves, self._port_step = moves[way] > 0, steps[way][:, None]
        transport = self._starts[self._carried] + columns["network"][self._carried] + 20
        self._port_places = _places(transport, 4)
        gains = np.array([ends.gain for ends in ways], np.int64)
        opposite = np.array([ends.opposite for ends in ways], np.int64)
        tcp = self._tcp
        way = columns["way"][tcp]
        acknowledges = (columns["flags"][tcp] & ACK) > 0
        self._numbers = np.stack([columns["sequence"][tcp], columns["acknowledge"][tcp]], axis=1)
        self._gains = np.stack([gains[way], np.where(acknowledges, gains[opposite[way]], 0)], axis=1)
        place = self._starts[tcp] + columns["network"][tcp] + 20
        self._number_places = _places(place + 4, 8)
        options = np.where(columns["flags"][tcp] & 2, 7, 5)
        self._put(place + 12, options << 12 | columns["flags"][tcp], ">u2")
        self._put(place + 14, np.full(len(tcp), 8192), ">u2")
        udp = self._starts[self._udp] + columns["network"][self._udp] + 20
        self._put(udp + 4, columns["length"][self._udp], ">u2")

    def _pieces(self, template: Template, at: Any) -> None:
        """Every changing octet of a payload: where it stands, what of which value it is, and what it weighs in the checksum."""
        pieces = np.array(template.pieces, np.int64).reshape(-1, 6)
        row, offset, octets, shift, step, value = pieces.T
        row = at[row]
        each = np.repeat(np.arange(len(row)), octets)
        nth = np.arange(len(each)) - np.repeat(np.cumsum(octets) - octets, octets)
        offset = offset[each] + nth
        self._piece_row = row[each]
        self._piece_place = self._starts[self._piece_row] + offset
        self._piece_shift = shift[each] + step[each] * nth
        self._piece_value = value[each]
        even = (offset - self._columns["network"][self._piece_row]) % 2 == 0
        self._piece_weight = np.where(even, 256, 1)

    def _values(self, template: Template) -> None:
        values = np.array(template.values, np.int64).reshape(-1, 8)
        self._kinds = {kind: np.flatnonzero(values[:, 0] == kind) for kind in (COUNT, WAVE, FLOAT, CLOCK)}
        counters = np.array([*template.counters, 0], np.int64)
        self._value, self._shape_of = values, _shapes()
        self._count_step = values[:, 3] * counters[values[:, 2]]

    def _sums(self) -> None:
        """What never changes in the sums that checksums are made of."""
        columns, carried = self._columns, self._carried
        network = self._starts[carried] + columns["network"][carried]
        addresses = _word_sum(self.buffer, network + 12, 8)
        length = columns["length"][carried]
        self._sum = addresses + columns["transport"][carried] + length + columns["total"][carried]
        tcp = columns["transport"][carried] == TCP
        flags = np.where(columns["flags"][carried] & 2, 7, 5) << 12 | columns["flags"][carried]
        self._sum += np.where(tcp, flags + 8192, length)
        self._sum_places = _places(network + 20 + np.where(tcp, 16, 6), 2)
        self._is_udp, self._tcp_in = ~tcp, np.flatnonzero(tcp)

    def minute(self, number: int) -> memoryview:
        """The octets of the packets of this minute, valid until the next call."""
        buffer = self.buffer
        buffer[self._seconds] = _octets(self._time // SECOND + number * (PERIOD // SECOND), "<u4")
        identifications = (self._id + number * self._id_step) & 0xFFFF
        buffer[self._id_places] = _octets(identifications, ">u2")
        buffer[self._ip_sum_places] = _octets(_complement(self._ip_sum + identifications), ">u2")
        ports = np.where(self._moves, EPHEMERAL + (self._ports + number * self._port_step) % PORTS, self._ports)
        buffer[self._port_places] = _octets(ports, ">u2")
        numbers = (self._numbers + number * self._gains) & MASK
        buffer[self._number_places] = _octets(numbers, ">u4")
        values = self._now(number)
        octets = values[self._piece_value] >> self._piece_shift & 0xFF
        buffer[self._piece_place] = octets
        changing = np.bincount(self._piece_row, octets * self._piece_weight, self.rows).astype(np.int64)
        total = self._sum + ports.sum(axis=1) + changing[self._carried]
        total[self._tcp_in] += ((numbers >> 16) + (numbers & 0xFFFF)).sum(axis=1)
        sums = _complement(total)
        sums[self._is_udp & (sums == 0)] = 0xFFFF
        buffer[self._sum_places] = _octets(sums, ">u2")
        start = 0 if number == 0 or self.before == 0 else int(self.ends[self.before - 1])
        return buffer.data[start:]

    def _now(self, number: int) -> Any:
        """All changing values in this minute."""
        _, base, _, _, shape, amplitude, time, unit = self._value.T
        values = base + number * self._count_step
        for kind in (WAVE, FLOAT):
            at = self._kinds[kind]
            step = (time[at] + number * PERIOD) // unit[at] % STEPS
            values[at] = base[at] + (amplitude[at] * self._shape_of[shape[at], step] >> 15)
            if kind == FLOAT:
                values[at] = (values[at] / 100).astype(np.float32).view(np.uint32)
        minutes = START // 60 + number
        day = minutes // 1440 % 28 + 1
        values[self._kinds[CLOCK]] = minutes % 60 | (minutes // 60 % 24) << 8 | day << 16
        return values

    def minutes(self, packets: int | None) -> Iterator[memoryview]:
        """So many packets, or without end."""
        left, number = packets, 0
        while left is None or left > 0:
            octets = self.minute(number)
            first = self.before if number else 0
            if left is not None and left < self.rows - first:
                begin = 0 if first == 0 else int(self.ends[first - 1])
                octets = octets[: int(self.ends[first + left - 1]) - begin]
            yield octets
            left = None if left is None else left - (self.rows - first)
            number += 1

    def truth(self, packets: int) -> dict[str, Any]:
        """What is in so many packets."""
        again = self.rows - self.before
        full, rest = (0, packets) if packets < self.rows else divmod(packets - self.rows, again)
        if packets < self.rows:
            parts = [(1, slice(0, rest))]
        else:
            parts = [(1, slice(0, self.rows)), (full, slice(self.before, self.rows)), (1, slice(self.before, self.before + rest))]
        protocols: dict[str, dict[str, int]] = {}
        for number, name in enumerate(PROTOCOLS):
            counts = {what: sum(times * self._count(number, what, part) for times, part in parts) for what in ("messages", "operations", "packets", "octets")}
            protocols[name] = counts if name == "modbus" else {what: count for what, count in counts.items() if what != "operations"}
        oddities: dict[str, int] = {}
        for what, row in self.oddities:
            oddities[what] = oddities.get(what, 0) + sum(times for times, part in parts if part.start <= row < part.stop)
        octets = sum(times * int(self.octets[part].sum()) for times, part in parts)
        return {"packets": packets, "octets": octets, "protocols": protocols, "oddities": oddities}

    def _count(self, protocol: int, what: str, part: slice) -> int:
        """Of one protocol in a part of the minute; its packets are those of its connections."""
        columns = self._columns
        rows = columns["protocol"][part] == protocol
        if what == "packets":
            return int(rows.sum())
        column = self.octets if what == "octets" else columns["requests" if what == "operations" else what]
        return int(column[part][rows].sum())


def _places(first: Any, octets: int) -> Any:
    """The places of so many octets from each of these on."""
    return first[:, None] + np.arange(octets)


def _octets(values: Any, kind: str) -> Any:
    """The octets of whole numbers, a row each."""
    return np.ascontiguousarray(values.astype(kind)).view(np.uint8).reshape(len(values), -1)


def _word_sum(buffer: Any, places: Any, octets: int) -> Any:
    """The sum of the 16-bit words that stand there."""
    words = buffer[_places(places, octets)].astype(np.int64)
    return (words[:, 0::2] << 8).sum(axis=1) + words[:, 1::2].sum(axis=1)


def _complement(total: Any) -> Any:
    """The Internet checksum of a sum of words."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
