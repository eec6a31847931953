"""Bytes of captures, whatever they come from."""

from __future__ import annotations

from typing import Protocol


class Stream(Protocol):
    """Bytes in order."""

    @property
    def damaged(self) -> bool:
        """Did the bytes end because the compressed data is cut off or corrupt?"""
        ...

    @property
    def stopped(self) -> bool:
        """Did somebody end it before its end?"""
        ...

    def ready(self) -> bool:
        """Can more be had, or the end be seen, without waiting for whoever writes it?"""
        ...

    def readinto(self, room: memoryview) -> int:
        """Fill `room` from its front. Returns how many octets, 0 at the end. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class Seekable(Stream, Protocol):
    """A stream that can go on from elsewhere."""

    def seek(self, offset: int) -> bool:
        """Go on from this octet of what it holds decompressed; False where that is gone. Raises OSError."""
        ...
