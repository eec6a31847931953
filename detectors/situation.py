"""The situation index: how grave things stand, 0–100 in the steps of a severity, as a sum of named terms (`docs/index.md` is the published formula).

It counts what nobody has settled as expected or false; that an alert is found true never lowers it. All is reckoned in whole tenths, so that the terms add
up to the index exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt
from typing import TYPE_CHECKING, Final

from records.model import severity_word

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMULA: Final = (
    2  # of which the numbers are; 1 called an alert that was found true one that somebody had taken up, and counted hosts of the Internet as assets
)
GRAVEST, CRITICAL, SPREAD, NUMBER, STANDING = "gravest", "critical", "spread", "number", "standing"
MOST: Final = {GRAVEST: 50, CRITICAL: 15, SPREAD: 15, NUMBER: 10, STANDING: 10}  # points that each term may give; 100 in all
MANY: Final = 32  # alerts of high or critical severity that give all points of `number`
MEDIUM, HIGH = 40, 60
CONFIRMED, UNDECIDED, SETTLED = "confirmed", "undecided", "settled"


@dataclass(frozen=True, slots=True)
class Concern:
    """An alert of the period: its severity there, the assets it is about, whether one of these matters more than others, whether anybody took it up.

    `standing`: confirmed (closed as true), settled (closed as expected or false) or undecided.
    """

    severity: int
    standing: str
    answered: bool = False
    assets: tuple[str, ...] = ()
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A term: its points in tenths, and the numbers that it comes from: `count` of `of`, or a severity of 100."""

    name: str
    tenths: int
    count: int
    of: int


@dataclass(frozen=True, slots=True)
class Index:
    """The index and its interval, in tenths: `low` is the smaller of it and that of the confirmed alerts alone, `high` if what was not seen was the worst."""

    tenths: int
    low: int
    high: int
    parts: tuple[Part, ...]

    @property
    def level(self) -> str:
        """none where it is 0, else the word of a severity of as many points."""
        return severity_word(self.tenths // 10) if self.tenths else "none"


def index(concerns: Sequence[Concern], assets: int, seen: float) -> Index:
    """The index of a period. `assets`: how many were seen in it; `seen`: the share of it that was seen, of the time and of the payload, 0–1."""
    counted = [each for each in concerns if each.standing != SETTLED]
    parts = terms(counted, assets)
    value = sum(part.tenths for part in parts)
    low = sum(part.tenths for part in terms([each for each in counted if each.standing == CONFIRMED], assets))
    return Index(value, min(low, value), min(1000, value + ceil((1000 - value) * (1 - min(1.0, max(0.0, seen))))), parts)


def terms(counted: Sequence[Concern], assets: int) -> tuple[Part, ...]:
    """The terms of what counts, each whether it gives points or not."""
    gravest = max((each.severity for each in counted), default=0)
    critical = max((each.severity for each in counted if each.critical), default=0)
    concerned = len({asset for each in counted if each.severity >= MEDIUM for asset in each.assets})
    assets = max(assets, concerned)
    high = [each for each in counted if each.severity >= HIGH]
    standing = sum(not each.answered or each.standing == CONFIRMED for each in high)
    return (
        Part(GRAVEST, gravest * MOST[GRAVEST] // 10, gravest, 100),
        Part(CRITICAL, critical * MOST[CRITICAL] // 10, critical, 100),
        Part(SPREAD, _root(concerned, assets, MOST[SPREAD] * 10), concerned, assets),
        Part(NUMBER, _root(min(len(high), MANY), MANY, MOST[NUMBER] * 10), len(high), MANY),
        Part(STANDING, MOST[STANDING] * 10 * standing // len(high) if high else 0, standing, len(high)),
    )


def _root(count: int, of: int, most: int) -> int:
    """`most` times the square root of a share, cut: the first few weigh most."""
    return isqrt(count * most * most // of) if of else 0
