"""Spans of time and shares as people read them, for every layer."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from records.wording import say


def difference(seconds: float, language: str, up: bool = False) -> str:
    """`3 h 00 min 00 s`, `2 min 05 s`, `2.5 s`, `12 ms`: to what it is worth, for packets take their time. `up`: never less than it is."""
    if seconds < 1:
        return say("measure.milliseconds", language, milliseconds=int(seconds * 1000) + (1 if up else 0))
    if seconds < 60:
        return say("measure.seconds", language, seconds=f"{seconds:.1f}")
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if not hours:
        return say("measure.minutes", language, minutes=minutes, seconds=f"{rest:02d}")
    return say("measure.hours", language, hours=f"{hours:,}", minutes=f"{minutes:02d}", seconds=f"{rest:02d}")


def percent(share: float, language: str) -> str:
    """A share that is missing, 0–100: `0.1 %`, never less than it is."""
    digits = Decimal(repr(float(share))).quantize(Decimal("0.1"), ROUND_CEILING)
    return f"{digits} %" if language == "en" else f"{digits}%"
