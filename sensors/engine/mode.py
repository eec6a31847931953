"""Compiled or interpreted: decided once in a process, before any kernel is imported.

Kernels compiled by numba are cached in a directory whose name is a digest of all kernels' sources, so that an edited table never meets old code. A small
capture is run interpreted where nothing is compiled yet: a first look must not wait for a compiler.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

import platformdirs

from records import scratch

SMALL_OCTETS: Final = 16 << 20  # captures up to this size are sooner read interpreted (50 µs a packet) than compiled (20 s)

UNUSED_S: Final = 7 * 24 * 3600


@cache
def cache_directory() -> Path:
    """Where compiled kernels are kept; a temporary directory where the user's cache cannot be written."""
    # Numba keeps kernels by the place of their sources, so what is warm in one checkout is not in another.
    digest = hashlib.blake2b(f"{sys.version}{version('numba')}{files('sensors')}".encode(), digest_size=8)
    for package in ("sensors.engine", "sensors.codes", "sensors.protocols", "sensors.sources"):
        for file in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".py"):
                digest.update(file.read_bytes())
    place = Path(platformdirs.user_cache_dir("balefire")) / "kernels" / digest.hexdigest()
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / ".writable").touch()
    except OSError:
        place = Path(tempfile.mkdtemp(prefix=scratch.prefix("kernels"))) / digest.hexdigest()  # nothing but kernels of ours lies beside it
        place.mkdir()
    return place


_small: list[bool] = []  # what `choose` said last


def choose(octets: int) -> None:
    """Run interpreted if the input is small and nothing is compiled. Has its say before anything imports kernels; afterwards it changes nothing."""
    _small.append(octets <= SMALL_OCTETS and not is_warm())


def interpreted() -> bool:
    """Do kernels of this process run as plain Python?"""
    return os.environ.get("NUMBA_DISABLE_JIT") == "1" or (bool(_small) and _small[-1])


def is_warm() -> bool:
    """Is every kernel compiled?"""
    return (cache_directory() / "warm").exists()


def warm() -> None:
    """Compile every kernel, so that no replay waits. Kernels of other versions go when nobody has used them for a week."""
    os.environ.pop("NUMBA_DISABLE_JIT", None)
    from sensors.warming import compile_all

    compile_all()
    (cache_directory() / "warm").touch()
    for other in cache_directory().parent.iterdir():
        if other != cache_directory() and (other / ".writable").stat().st_mtime < time.time() - UNUSED_S:
            shutil.rmtree(other, ignore_errors=True)
