"""The headers of packets that are looked at once more, apart from the sensor's own tables: who spoke to whom, and in which conversation."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.addresses import is_mac
from sensors.engine import fragments, link
from sensors.engine.framing import framing_tables
from sensors.engine.network import LINK
from sensors.engine.octets import plain
from sensors.engine.tables import CLOCK, FOREVER, HOST, PACKET, SIGHTING, index, table
from sensors.protocol import protocols

if TYPE_CHECKING:
    from sensors.source import Source

HOSTS: Final = 1 << 16
MOST_ADDRESSES: Final = 4  # new ones that a packet may bring: of the outer and of the inner header
_where: Any = np.where  # the stubs do not know what becomes of a record's columns
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio (Knuth): spreads whatever it multiplies


class Decoder:
    """A batch of packets in an arena of its own; `packets` are its rows, `times` their times as captured."""

    def __init__(self, octets: int) -> None:
        self.arena = np.zeros(fragments.OCTETS + octets, np.uint8)
        self._memory = plain(self.arena)
        self._rows, self._outer = table(octets // 76 + 16, PACKET), table(1, PACKET)
        self._datagrams, self._units, self._buffers, self._assembly = fragments.fragment_tables(0)
        self._sightings = table(1, SIGHTING)
        _, _, self._ports = framing_tables(protocols())
        self.hosts = table(HOSTS, HOST)
        self._spread = np.zeros(HOSTS, np.uint64)  # [host] → its address, spread over all bits
        self._bare = np.asarray(self._rows)  # whose columns are had at a tenth of the cost
        self.packets: Any = self._rows[:0]
        self._count = 0
        self.numbers, self.times = self.column("number"), self.column("time")
        self._decoded = False
        self._forget()

    def _forget(self) -> None:
        self._index, self._clock = index(HOSTS), table(1, CLOCK)
        self._clock.first, self._clock.free_host = FOREVER, -1
        self._known = 0

    def read(self, source: Source) -> int:
        """The next batch, not decoded yet; how many packets, 0 at the end."""
        self._count = source.batch(self.arena, fragments.OCTETS, self._rows)
        self.packets = self._rows[: self._count]
        self.numbers, self.times = self.column("number"), self.column("time").copy()
        self._decoded = False
        return self._count

    def decode(self, begin: int = 0, end: int | None = None) -> None:
        """Fill the rest of the rows, of all (once) or of some of them. Numbers of hosts hold until more is decoded."""
        if self._decoded:
            return
        self._decoded = begin == 0 and end is None
        if self._clock[0].hosts > HOSTS - MOST_ADDRESSES * self._count:
            self._forget()
        self._sightings.time = -1
        at, end = begin, self._count if end is None else end
        while at < end:
            at = link.decode(
                self._memory, at, end, self._rows, self._outer, self.hosts, self._index, self._clock,
                self._datagrams, self._units, self._buffers, self._assembly, self._sightings, self._ports,
            )  # fmt: skip

    def column(self, name: str) -> Any:
        """[packet] → a field of its row."""
        return self._bare[name][: self._count]

    def octets(self, row: int) -> bytes:
        """What was captured of a packet."""
        packet = self.packets[row]
        at = int(packet.at)
        return self.arena[at : at + int(packet.captured)].tobytes()

    def conversations(self, begin: int = 0, end: int | None = None) -> Any:
        """[packet] → a number of its conversation (both directions of one pair of addresses and ports, or of MAC addresses), the same in every batch."""
        addresses = self._addresses()
        ends: list[Any] = []
        for side in ("source", "target"):
            number, port, mac = (self.column(f"{side}{name}")[begin:end] for name in ("", "_port", "_mac"))
            address = addresses[number]
            if len(unknown := np.flatnonzero(number < 0)):
                address[unknown] = _mixed(mac[unknown].astype(np.uint64)) + _ODD
            ends.append(_mixed(address ^ port.astype(np.uint64)))
        source, transport, ethertype = (self.column(name)[begin:end] for name in ("source", "transport", "ethertype"))
        return _mixed(ends[0] + ends[1]) ^ _where(source >= 0, transport, ethertype).astype(np.uint64)

    def _addresses(self) -> Any:
        """[host] → its address spread over all bits: hosts are far fewer than packets."""
        begin, end = self._known, int(self._clock[0].hosts)
        if begin < end:
            a, b, c, d = (self.hosts[name][begin:end].astype(np.uint64) for name in "abcd")
            self._spread[begin:end] = _mixed(_mixed(_mixed(a) ^ b) ^ c << np.uint64(32) ^ d)
            self._known = end
        return self._spread

    def of(self, addresses: frozenset[str], side: str) -> Any:
        """[packet] → is this side ("source" or "target") one of these IP and MAC addresses?"""
        hosts = self.hosts[: max(1, self._clock[0].hosts)]
        wanted = np.zeros(len(hosts), bool)
        macs: list[int] = []
        for text in addresses:
            if is_mac(text):
                macs.append(int(text.replace(":", ""), 16))
                continue
            address = ipaddress.ip_address(text)
            a, b, c, d = (int(address) >> shift & 0xFFFFFFFF for shift in (96, 64, 32, 0))
            wanted |= (hosts.family == address.version) & (hosts.a == a) & (hosts.b == b) & (hosts.c == c) & (hosts.d == d)
        number = self.packets[side]
        return _where(number >= 0, wanted[number], False) | np.isin(self.packets[f"{side}_mac"], macs)

    def bare(self, side: str) -> Any:
        """[packet] → is this side known by its MAC address alone, as there is no IP?"""
        number = self.packets[side]
        return (number < 0) | (self.hosts.family[number] == LINK)


def _mixed(words: Any) -> Any:
    """Each word spread over all its bits."""
    spread = words * _ODD
    return spread ^ spread >> np.uint64(29)
