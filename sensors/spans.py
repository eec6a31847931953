"""What a capture reaches over: from when to when, who is in it, and who speaks to whom. Noted beside each closed file of a recording (`sensors.indexing`), and
remembered of other large files that were read to their end, so that the next slice opens only those in which there is something for it. Lost, it is made
anew; of a file that changed it means nothing.
"""

from __future__ import annotations

import ipaddress
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import platformdirs

from sensors.engine.network import LINK
from sensors.indexing import LEAST
from sensors.sources.pcap import SPAN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sensors.decoding import Decoder
    from sensors.sources.pcap import Capture

MOST: Final = 1 << 12  # addresses; where there are more, anybody may be in it
MOST_PAIRS: Final = 1 << 14  # of them; where there are more, whoever is in it may speak to anybody there
UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, IndexError)  # of what somebody else may have written
UNUSED_S: Final = 30 * 86_400.0  # after which it is forgotten


@dataclass(slots=True)
class Span:
    """Nanoseconds of the first and the last packet, the IP and MAC addresses at either end of any, and those at both, in order; None: too many."""

    first: int
    last: int
    ends: set[str] | None = field(default_factory=set[str])
    pairs: set[tuple[str, str]] | None = field(default_factory=set[tuple[str, str]])

    def has(self, addresses: Iterable[str]) -> bool:
        """May one of these be in it?"""
        return self.ends is None or any(_plain(address) in self.ends for address in addresses)

    def joins(self, one: Iterable[str], other: Iterable[str]) -> bool:
        """May one of these have spoken to one of the others in it?"""
        if self.pairs is None:
            return self.has(one) and self.has(other)
        return any(_pair(a, b) in self.pairs for a in map(_plain, one) for b in map(_plain, other))

    def add(self, decoder: Decoder) -> None:
        """A batch."""
        self.first, self.last = min(self.first, int(decoder.times.min())), max(self.last, int(decoder.times.max()))
        if self.ends is None:
            return
        decoder.decode()
        packets = decoder.packets
        numbers = np.unique(np.concatenate([packets.source, packets.target]))
        hosts = {number: _text(decoder.hosts[number]) for number in numbers[numbers >= 0].tolist() if decoder.hosts[number].family != LINK}
        columns = [column.astype(np.int64) for column in (packets.source, packets.source_mac, packets.target, packets.target_mac)]  # 48 bits of a MAC fit
        for source, source_mac, target, target_mac in np.unique(np.stack(columns, axis=1), axis=0).tolist():
            sources, targets = ({f"{mac:012x}", hosts.get(host, "")} - {""} for host, mac in ((source, source_mac), (target, target_mac)))
            self.ends |= sources | targets
            if self.pairs is not None:
                self.pairs |= {_pair(one, other) for one in sources for other in targets}
        if len(self.ends) > MOST:
            self.ends = None
        if self.pairs is not None and (self.ends is None or len(self.pairs) > MOST_PAIRS):
            self.pairs = None


def known(place: Path | None) -> Span | None:
    """What is remembered there."""
    if place is not None:
        with suppress(*UNREADABLE):
            told: Any = json.loads(place.read_text("utf-8"))
            os.utime(place)
            return _read(told)
    return None


def beside(capture: Capture) -> Span | None:
    """What is noted beside a file, where that is as it was then."""
    with suppress(*UNREADABLE):
        path = Path(capture.path)
        told: Any = json.loads(path.with_name(path.name + SPAN).read_text("utf-8"))
        if told["of"] == _stamp(path):
            return _read(told)
    return None


def note(path: Path, span: Span) -> None:
    """Beside the file. Raises OSError."""
    place = path.with_name(path.name + SPAN)
    begun = place.with_name(f".{place.name}")
    begun.write_text(json.dumps(_written(span) | {"of": _stamp(path)}), "utf-8")
    begun.replace(place)
    if not path.exists():  # the ring went on meanwhile
        place.unlink(missing_ok=True)


def _stamp(path: Path) -> list[int]:
    told = path.stat()
    return [told.st_size, told.st_mtime_ns]


def _read(told: Any) -> Span:
    ends, pairs = told["ends"], told.get("pairs")
    joined = None if pairs is None else {_pair(str(ends[one]), str(ends[other])) for one, other in pairs}
    return Span(int(told["first"]), int(told["last"]), None if ends is None else set(map(str, ends)), joined)


def _written(span: Span) -> dict[str, Any]:
    ends = None if span.ends is None else sorted(span.ends)
    place = {end: number for number, end in enumerate(ends or ())}
    pairs = None if span.pairs is None else sorted([place[one], place[other]] for one, other in span.pairs)
    return {"first": span.first, "last": span.last, "ends": ends, "pairs": pairs}


def remember(place: Path | None, span: Span) -> None:
    """For the next time. Where nothing can be kept, nothing is."""
    if place is not None:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            begun = place.with_suffix(f".{os.getpid()}")
            begun.write_text(json.dumps(_written(span)), "utf-8")
            begun.replace(place)
            for other in place.parent.iterdir():
                if other.stat().st_mtime < time.time() - UNUSED_S:
                    other.unlink()


def place_of(capture: Capture) -> Path | None:
    """Where it is remembered: by the name, the size and the time of the file. None for what is not worth it, or is no file."""
    if capture.pipe or capture.spool or capture.size < LEAST:
        return None
    try:
        path = Path(capture.path).resolve()
        told = path.stat()
    except OSError:
        return None
    name = blake2b(f"{path}\0{told.st_size}\0{told.st_mtime_ns}".encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return platformdirs.user_cache_path("balefire") / "spans" / f"{name}.json"


def _pair(one: str, other: str) -> tuple[str, str]:
    """Two addresses, whichever of them spoke."""
    return (one, other) if one < other else (other, one)


def _plain(address: str) -> str:
    """An address as it is kept."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.replace(":", "").lower()


def _text(host: Any) -> str:
    words = [int(host[name]) & 0xFFFFFFFF for name in "abcd"]
    number = words[0] << 96 | words[1] << 64 | words[2] << 32 | words[3]
    return str(ipaddress.IPv4Address(number) if host.family == 4 else ipaddress.IPv6Address(number))
