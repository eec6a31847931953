"""How many examples of a property are tried: a share of what is asked for, with which a run of all tests stays short, and many times as many in `make soak`."""

from __future__ import annotations

import os
from typing import Final

SHARE: Final = float(os.environ.get("BALEFIRE_EXAMPLES", "0.5"))


def as_many(most: int) -> int:
    """The share of so many, at least one."""
    return max(1, round(most * SHARE))
