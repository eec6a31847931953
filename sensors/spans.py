"""What a capture reaches over: from when to when, and who is in it. Noted beside each closed file of a recording (`sensors.indexing`), and remembered of other
large files that were read to their end, so that the next slice opens only those in which there is something for it. Lost, it is made anew; of a file that
changed it means nothing.
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
UNUSED_S: Final = 30 * 86_400.0  # after which it is forgotten


@dataclass(slots=True)
class Span:
    """Nanoseconds of the first and the last packet, and the IP and MAC addresses at either end of any; None: too many."""

    first: int
    last: int
    ends: set[str] | None = field(default_factory=set[str])

    def has(self, addresses: Iterable[str]) -> bool:
        """May one of these be in it?"""
        return self.ends is None or any(_plain(address) in self.ends for address in addresses)

    def add(self, decoder: Decoder) -> None:
        """A batch."""
        self.first, self.last = min(self.first, int(decoder.times.min())), max(self.last, int(decoder.times.max()))
        if self.ends is None:
            return
        decoder.decode()
        packets = decoder.packets
        numbers = np.unique(np.concatenate([packets.source, packets.target]))
        self.ends.update(_text(row) for row in decoder.hosts[numbers[numbers >= 0]] if row.family != LINK)
        self.ends.update(f"{mac:012x}" for mac in np.unique(np.concatenate([packets.source_mac, packets.target_mac])).tolist())
        if len(self.ends) > MOST:
            self.ends = None


def known(place: Path | None) -> Span | None:
    """What is remembered there."""
    if place is not None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            told: Any = json.loads(place.read_text("utf-8"))
            os.utime(place)
            return _read(told)
    return None


def beside(capture: Capture) -> Span | None:
    """What is noted beside a file, where that is as it was then."""
    with suppress(OSError, ValueError, KeyError, TypeError):
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
    return Span(int(told["first"]), int(told["last"]), None if told["ends"] is None else set(map(str, told["ends"])))


def _written(span: Span) -> dict[str, Any]:
    return {"first": span.first, "last": span.last, "ends": None if span.ends is None else sorted(span.ends)}


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
