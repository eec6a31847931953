"""What a source of packets is. One file a source in `sensors/sources`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from records.errors import BalefireError


class Source(Protocol):
    """Bytes and packet rows, a batch at a time.

    `name` is what findings and coverage call it; `error` is set when the input was bad or cut off: what came before it was delivered.
    """

    name: str
    error: BalefireError | None

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """Put the next bytes into memory[start:] and fill rows of `packets` (time, number, at, captured, wire, interface, linktype).

        Returns how many rows, 0 at the end. What does not fit comes with the next call; the bytes of the call before are gone then.
        """
        ...

    def close(self) -> None:
        """Let go of files."""
        ...
