"""When the shifts of a plant begin, as its settings say. Settings are read before a sensor gives up its rights, so this loads nothing that makes threads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SHIFTS: Final = ("00:00", "08:00", "16:00")  # where nobody says otherwise
MOST: Final = 24  # a day


def checked(begins: Sequence[str]) -> tuple[str, ...]:
    """Times of the day at which shifts begin, in order. Raises ValueError for what is none, for none at all, and for too many."""
    found = sorted({each for each in begins if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", each)})
    if not 0 < len(found) == len(begins) <= MOST:
        raise ValueError(begins)
    return tuple(found)
