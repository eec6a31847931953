"""Slices of captures: the packets of an asset, of two that talk, of a time. Read as they come, so that a capture of any size takes the memory of one batch."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensors import spans
from sensors.decoding import Decoder
from sensors.engine.tables import FOREVER
from sensors.pcapng import Interface, Packet
from sensors.sensor import BATCH
from sensors.sources.pcap import open_capture
from sensors.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.errors import BalefireError
    from sensors.sources.pcap import Capture


@dataclass(frozen=True, slots=True)
class Party:
    """Who is meant: IP and MAC `addresses`, and MAC addresses that count on the `link` alone, in frames that are not IP: ARP, LLDP.

    What a router forwards has its MAC address, too, and is not its own.
    """

    addresses: frozenset[str]
    link: frozenset[str] = frozenset()

    def rows(self, decoder: Decoder, side: str) -> Any:
        """[packet] → is this side ("source" or "target") this one?"""
        own = decoder.of(self.addresses, side)
        return own | (decoder.of(self.link, side) & decoder.bare(side)) if self.link else own


@dataclass(frozen=True, slots=True)
class Selection:
    """Which packets: of [since, until) in nanoseconds, from or to `asset`, from one of `between` to the other, with this port at either end."""

    since: int | None = None
    until: int | None = None
    asset: Party | None = None
    between: tuple[Party, Party] | None = None
    port: int | None = None

    @property
    def everything(self) -> bool:
        """Does it leave nothing out?"""
        return self == Selection()

    def reaches(self, span: Span) -> bool:
        """May there be something for it?"""
        in_time = (self.since is None or span.last >= self.since) and (self.until is None or span.first < self.until)
        asset = self.asset is None or span.has(self.asset.addresses | self.asset.link)
        return in_time and asset and (self.between is None or span.joins(*(party.addresses | party.link for party in self.between)))

    def rows(self, decoder: Decoder) -> Any:
        """The rows of a batch that it takes."""
        taken = np.ones(len(decoder.packets), bool)
        if self.since is not None:
            taken &= decoder.times >= self.since
        if self.until is not None:
            taken &= decoder.times < self.until
        if (self.asset, self.between, self.port) != (None, None, None) and taken.any():
            decoder.decode()
            if self.port is not None:
                taken &= (decoder.packets.source_port == self.port) | (decoder.packets.target_port == self.port)
            if self.asset is not None:
                taken &= self.asset.rows(decoder, "source") | self.asset.rows(decoder, "target")
            if self.between is not None:
                one, other = self.between
                there = one.rows(decoder, "source") & other.rows(decoder, "target")
                taken &= there | (other.rows(decoder, "source") & one.rows(decoder, "target"))
        return np.flatnonzero(taken)


class Slice:
    """The packets of one capture that a selection takes. After `packets` has ended, `error` says what was wrong with the capture."""

    def __init__(self, capture: Capture, selection: Selection) -> None:
        self.error: BalefireError | None = capture.error
        self._capture, self._selection = capture, selection

    def packets(self) -> Iterator[tuple[int, Packet]]:
        """Each with its number in the capture."""
        place = spans.place_of(self._capture)  # of the file as it is now
        reaching = spans.beside(self._capture) or spans.known(place)
        if self.error is not None or (reaching and not self._selection.reaches(reaching)):
            return
        decoder, span = Decoder(BATCH), Span(FOREVER, -1)
        with closing(open_capture(self._capture)) as source:
            while decoder.read(source):
                if place and not reaching:
                    span.add(decoder)
                known: dict[int, Interface] = {}
                packets = decoder.packets
                for row in self._selection.rows(decoder):
                    packet, number = packets[row], int(packets.interface[row])
                    interface = known.get(number) or known.setdefault(number, Interface(*source.interface(number)))
                    yield int(packet.number), Packet(int(decoder.times[row]), int(packet.wire), decoder.octets(row), interface)
            self.error = source.error
        if not reaching and self.error is None:
            spans.remember(place, span)
