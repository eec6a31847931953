"""Paths as people write them, in which ~ is a home directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from records.errors import UsageError

if TYPE_CHECKING:
    from os import PathLike


def expanded(path: str | PathLike[str]) -> Path:
    """The path with its ~ written out. Raises UsageError where nobody knows whose home that is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError("home", path=path) from None
