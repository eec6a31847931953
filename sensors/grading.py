"""The grade of coverage, and what takes its points. Needs nothing of the engine, so that pages can ask."""

from __future__ import annotations

from typing import Any


def grade(decoded: int, undecoded: int, lost: int) -> float | None:
    """0–100: the share of payload octets that could be judged, cut to one decimal, never rounded up; None where no payload was seen at all."""
    whole = decoded + undecoded + lost
    return decoded * 1000 // whole / 10 if whole else None


def unkept(decoded: int, packets: int, shed: int, dropped: int, lost: int) -> int:
    """Octets of what was understood that overload costs: what found no room counts as a packet, of those that came and those that it stands for.

    Of packets that the capturing system dropped, `lost` octets are known, and taken already.
    """
    shed, dropped = max(shed, 0), max(dropped, 0)
    whole = packets + shed + dropped
    return decoded * shed // whole + max(decoded * dropped // whole - lost, 0) if whole else 0


def reasons(decoded: int, undecoded: int, encrypted: int, lost: int, shed: int, cut: int) -> list[dict[str, Any]]:
    """What takes how many of the 100 points of the grade, most first: reason, points (tenths; they add up to what the grade lacks), bytes.

    `encrypted`, `shed` and `cut` octets are among the `undecoded` ones: the first cannot be seen by right, for the second was no room, in the sensor or before
    it, the third the capture left out of packets; the rest is not understood.
    """
    whole = decoded + undecoded + lost
    known = (("lost", lost), ("undecoded", undecoded - encrypted - shed - cut), ("encrypted", encrypted), ("shed", shed), ("cut", cut))
    parts = [(name, octets) for name, octets in known if octets > 0]
    tenths = {name: octets * 1000 // whole for name, octets in parts}
    left = (1000 - decoded * 1000 // whole if whole else 0) - sum(tenths.values())
    for name, _ in sorted(parts, key=lambda part: -(part[1] * 1000 % whole))[:left]:
        tenths[name] += 1
    told = [{"reason": name, "points": tenths[name] / 10, "bytes": octets} for name, octets in parts]
    return sorted(told, key=lambda each: -each["bytes"])
