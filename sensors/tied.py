"""A process that ends where the one that started it does, on systems that have a word for that (prctl(2))."""

from __future__ import annotations

import ctypes
import signal
import sys
from typing import Final

DEATH_SIGNAL: Final = 1  # linux/prctl.h: what a process gets when the thread that started it is gone


def tie(number: int = signal.SIGTERM) -> None:
    """Have this process get that signal where its parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, number, 0, 0, 0)
