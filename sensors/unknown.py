"""What nobody understood, told all the same: how much, what it is like, and a word for what it may be. A blind spot has a name and a shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from sensors.engine.character import BINS, LENGTHS
from sensors.engine.tables import SECOND

LEAST_SAMPLE: Final = 256  # octets from which entropy can be told …
LEAST_RANDOM: Final = 1024  # … and from which on all but 8 bits an octet is no accident
LEAST_TEXT: Final = 64
RANDOM_BITS: Final = 7.5
TEXT_SHARE: Final = 0.9
SMALL: Final = 3  # the lengths up to 256 octets: a telegram, no transfer
MOST_SHARE: Final = 0.9  # of packets that have to be small
CYCLIC_SHARE: Final = 0.5  # of packets that have to come in even intervals
SAMPLES: Final = 4  # packets that can be looked at again
_PRINTABLE: Final = (0x09, 0x0A, 0x0D, *range(0x20, 0x7F))


def _nothing() -> list[int]:
    return [0] * (BINS + len(LENGTHS) + 1)


@dataclass(slots=True)
class Unknown:
    """What of one transport and port was not understood. `bins`: how often each octet was sampled, then how many payloads were of each length.

    `samples` are numbers of packets, the first of a few windows; `tshark` is what tshark calls their protocol, where it was asked and knows.
    """

    bytes: int = 0
    packets: int = 0
    conversations: int = 0
    cyclic: int = 0
    period_sum: float = 0.0
    bins: list[int] = field(default_factory=_nothing)
    encrypted: int = 0  # of its bytes, those in which a cipher was recognised
    samples: list[int] = field(default_factory=list[int])
    tshark: str | None = None

    def add(self, other: Unknown) -> None:
        """More of the same. Conversations of several windows are not told apart here."""
        self.bytes += other.bytes
        self.packets += other.packets
        self.conversations += other.conversations
        self.cyclic += other.cyclic
        self.period_sum += other.period_sum
        self.encrypted += other.encrypted
        self.bins = [mine + more for mine, more in zip(self.bins, other.bins, strict=True)]
        self.samples = (self.samples + other.samples)[:SAMPLES]
        self.tshark = self.tshark or other.tshark

    @property
    def sampled(self) -> int:
        """Octets that were looked at."""
        return sum(self.bins[:BINS])

    @property
    def lengths(self) -> list[int]:
        """Payloads of at most 16, 64, 256, 512, 1024 and 1460 octets, and longer ones."""
        return self.bins[BINS:]

    @property
    def entropy(self) -> float | None:
        """Bits an octet, 0–8. A sample of n octets can show log2 n at most, so what it lacks is added (Miller and Madow); None for small ones."""
        sampled = self.sampled
        if sampled < LEAST_SAMPLE:
            return None
        counts = np.array([count for count in self.bins[:BINS] if count], np.float64)
        shares = counts / sampled
        shown = float(-(shares * np.log2(shares)).sum())
        return min(8.0, shown + (len(counts) - 1) / (2 * sampled * math.log(2)))

    @property
    def printable(self) -> float | None:
        """The share of octets that are printable ASCII, blanks and ends of lines among them."""
        sampled = self.sampled
        return sum(self.bins[octet] for octet in _PRINTABLE) / sampled if sampled else None

    @property
    def period(self) -> float | None:
        """Seconds between packets of one direction, where it is even for some; mean over these packets."""
        return self.period_sum / self.cyclic / SECOND if self.cyclic else None

    @property
    def guess(self) -> str | None:
        """One word for what it may be (`character.*` of the catalogue); None where there is too little to tell.

        What shows a cipher is encrypted. Random octets are encrypted or compressed; else printable ones are text; else short telegrams at even intervals
        are some fieldbus or control protocol that has no dissector here; all else is binary.
        """
        sampled, entropy = self.sampled, self.entropy
        if 2 * self.encrypted > self.bytes:
            return "encrypted"
        if entropy is not None and entropy > RANDOM_BITS and sampled >= LEAST_RANDOM:
            return "encrypted"
        if sampled >= LEAST_TEXT and (self.printable or 0) > TEXT_SHARE:
            return "text"
        if self.cyclic > CYCLIC_SHARE * self.packets and sum(self.lengths[:SMALL]) > MOST_SHARE * self.packets:
            return "cyclic"
        return "binary" if sampled >= LEAST_SAMPLE else None

    def told(self, name: str) -> dict[str, Any]:
        """As it stands in JSON."""
        entropy, printable, period = self.entropy, self.printable, self.period
        return {
            "name": name,
            "bytes": self.bytes,
            "packets": self.packets,
            "conversations": self.conversations,
            "entropy": None if entropy is None else round(entropy, 1),
            "printable": None if printable is None else round(printable, 2),
            "lengths": self.lengths,
            "period": None if period is None else round(period, 6),
            "guess": self.guess,
            "tshark": self.tshark,
            "encrypted": self.encrypted,
        }


def worst_first(unknown: dict[str, Unknown]) -> list[dict[str, Any]]:
    """What was not understood by name. What may be an industrial protocol comes first, then what there is most of."""
    told = [each.told(name) for name, each in unknown.items()]
    return sorted(told, key=lambda row: (row["guess"] != "cyclic", -row["bytes"], row["name"]))
