"""Numbers and times as people read them, in both languages. Times come as nanoseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from records.wording import say

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def zone_named(name: str | None) -> tzinfo:
    """The time zone of this name, or UTC where there is none of that name."""
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, OSError, ValueError):
        return UTC


def number(value: float) -> str:
    """`48,210`; a minus is a minus sign."""
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return text.replace("-", "−")


def _percent(value: float, language: str, rounding: str) -> str:
    exact = Decimal(str(value))
    digits = "0.01" if Decimal("99.9") < exact < 100 or 0 < exact < Decimal("0.1") else "0.1"
    cut = exact.quantize(Decimal(digits), rounding)
    text = f"< {digits}" if exact > 0 and not cut else f"{cut:f}" if 0 < cut < 100 else f"{cut:.0f}"
    return f"{text} %" if language == "en" else f"{text}%"


def per_cent(count: int, whole: int) -> float:
    """A share in per cent, cut to hundredths; of less than one of them, which is not nothing, all that there is."""
    cut = min(count, whole) * 10_000 // whole
    return cut / 100 if cut else count * 100 / whole


def share_seen(value: float, language: str) -> str:
    """A coverage in per cent, cut: 99.999 is `99.99 %`, never `100 %`, and 0.004 is `< 0.01 %`, never `0 %`."""
    return _percent(value, language, ROUND_FLOOR)


def share_missed(value: float, language: str) -> str:
    """What is missing from 100 %, the other way round: never less than it is."""
    return _percent(value, language, ROUND_CEILING)


def bits(rate: float) -> str:
    """Bits a second: `640 b/s`, `41.2 Mb/s`."""
    place = next((place for place in (3, 2, 1) if rate >= 1000**place), 0)
    return f"{rate / 1000**place:,.{1 if place else 0}f} {('b', 'kb', 'Mb', 'Gb')[place]}/s"


def size(count: int, language: str) -> str:
    """Bytes in decimal units: `512 B`, `1.4 MB`; Chinese likewise."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{number(value) if unit == 'B' else f'{value:.1f}'} {unit}"
        value /= 1000
    return say("dashboard.size.tb", language, value=f"{value:,.1f}")


def duration(nanoseconds: int, language: str) -> str:
    """`40 s`, `26 min`, `1 h 51 min`, `3 d 4 h`: the two largest units, cut."""
    units = _units(nanoseconds)
    start = next((at for at, (_, value) in enumerate(units) if value), 3)
    stop = start + 1 if start >= 2 else start + 2
    return " ".join(say(f"dashboard.unit.{unit}", language, value=value) for unit, value in units[start:stop] if value or start == 3)


def exact(nanoseconds: int, language: str) -> str:
    """`6 d 16 h 39 min 8 s`: to the second."""
    units = _units(nanoseconds)
    return " ".join(say(f"dashboard.unit.{unit}", language, value=value) for unit, value in units if value) or duration(0, language)


def _units(nanoseconds: int) -> tuple[tuple[str, int], ...]:
    seconds = max(0, nanoseconds // SECOND)
    return ("d", seconds // 86400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60)


@dataclass(frozen=True, slots=True)
class Clock:
    """Packet times in the reader's time zone and language; `year` is the year that goes without saying."""

    zone: tzinfo
    language: str
    year: int = 0

    def local(self, time: int) -> datetime:
        """The moment as a local time (whole seconds)."""
        return datetime.fromtimestamp(time // SECOND, self.zone)

    def offset(self, time: int) -> str:
        """`UTC+8` at that moment."""
        minutes = int((self.local(time).utcoffset() or UTC.utcoffset(None)).total_seconds() // 60)
        if minutes == 0:
            return "UTC"
        hours, rest = divmod(abs(minutes), 60)
        return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02d}" if rest else "")

    def day(self, time: int) -> str:
        """`22 Nov 2026`, `2026-11-22`."""
        at = self.local(time)
        return f"{at.day} {_MONTHS[at.month - 1]} {at.year}" if self.language == "en" else f"{at:%Y-%m-%d}"

    def short_day(self, time: int) -> str:
        """`22 Nov`, `11-22`; with its year where that is another one."""
        at = self.local(time)
        if self.year and at.year != self.year:
            return self.day(time)
        return f"{at.day} {_MONTHS[at.month - 1]}" if self.language == "en" else f"{at:%m-%d}"

    def stamp(self, time: int) -> str:
        """`2026-11-22 03:12 UTC+8`, in every language."""
        return f"{self.local(time):%Y-%m-%d %H:%M} {self.offset(time)}"

    def stamp_s(self, time: int) -> str:
        """`2026-11-22 03:12:09 UTC+8`, in every language."""
        return f"{self.local(time):%Y-%m-%d %H:%M:%S} {self.offset(time)}"

    def minute(self, time: int) -> str:
        """`03:12`."""
        return f"{self.local(time):%H:%M}"

    def second(self, time: int) -> str:
        """`03:12:09`."""
        return f"{self.local(time):%H:%M:%S}"

    def micro(self, time: int) -> str:
        """`03:12:09.000 113`: packets to the microsecond."""
        micro = time % SECOND // 1000
        return f"{self.second(time)}.{micro // 1000:03d} {micro % 1000:03d}"

    def moment(self, time: int) -> str:
        """`22 Nov 2026, 03:12 (UTC+8)`, `2026-11-22 03:12（UTC+8）`."""
        return self._of_day(time, self.minute(time))

    def instant(self, time: int) -> str:
        """`22 Nov 2026, 03:12:09 (UTC+8)`, `2026-11-22 03:12:09（UTC+8）`."""
        return self._of_day(time, self.second(time))

    def _of_day(self, time: int, hour: str) -> str:
        day, offset = self.day(time), self.offset(time)
        return f"{day}, {hour} ({offset})" if self.language == "en" else f"{day} {hour}（{offset}）"
