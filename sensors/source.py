"""What a source of packets is, and what a listener takes them from. One file each in `sensors/sources`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from records.errors import BalefireError
    from sensors.pcapng import Interface


@dataclass(frozen=True, slots=True)
class Drop:
    """Packets of an interface that the capturing system counted and did not hand over, as it said before row `before` of a batch (or behind its last)."""

    before: int
    interface: int
    packets: int


@dataclass(frozen=True, slots=True)
class Tick:
    """What time it was (nanoseconds) before row `before` of a batch, as the capturing system said: all packets up to then stand before it.

    `dark`: for how long (nanoseconds) before that nothing could come from an interface, for it was down, had no link, or was gone; `absent`: for how long
    nobody listened (at least: what another heard last may be gone with it). `broken`: what is told of a capture that is cut off or corrupt, and ends here.
    `pressed`: more comes than is read.
    """

    before: int
    time: int
    interface: int = 0
    dark: int = 0
    absent: int = 0
    broken: str = ""
    pressed: bool = False


class Source(Protocol):
    """Bytes and packet rows, a batch at a time.

    `name` is what findings and coverage call it; `error` is set when the input was bad or cut off: what came before it was delivered.
    `patient`: whether a batch waits for packets while only time passes; else it may have none, and `ticks`.
    """

    name: str
    error: BalefireError | None
    patient: bool

    @property
    def interfaces(self) -> Sequence[str]:
        """The names of the interfaces that rows number, so far; empty ones where the format has none."""
        ...

    @property
    def drops(self) -> Sequence[Drop]:
        """What was dropped within the last batch."""
        ...

    @property
    def ticks(self) -> Sequence[Tick]:
        """How time passed within the last batch."""
        ...

    def batch(self, memory: Any, start: int, packets: Any) -> int:
        """Put the next bytes into memory[start:] and fill rows of `packets` (time, number, at, captured, wire, interface, linktype).

        Returns how many rows, 0 at the end or where there are but ticks. What does not fit comes with the next call; the bytes of the call
        before are gone then.
        """
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class Intake(Protocol):
    """What a process that listens takes packets from: kernel rings, or captures that others write. `run` tells what it gives from what any other gave.

    `patient`: whether what is not taken waits, however long that is.
    """

    run: str
    patient: bool

    @property
    def names(self) -> Sequence[str]:
        """What is listened to."""
        ...

    @property
    def interfaces(self) -> Sequence[Interface]:
        """Those of all packets that were taken, in the order of their numbers; more may come."""
        ...

    def take(self, last: bool = False) -> bytes | memoryview:
        """Packets as blocks of a pcapng, none where there are none now; `last`, after `stop`: none where there are no more."""
        ...

    def statistics(self, last: bool = False) -> bytes:
        """What time it is, and for each interface what it took and what was dropped, as blocks of a pcapng."""
        ...

    def look(self) -> list[dict[str, object]]:
        """What people should hear, since the last look."""
        ...

    def stamped(self) -> list[str]:
        """Interfaces whose card gives packets their times; else the kernel does."""
        ...

    def sockets(self) -> list[int]:
        """What to wait for; another after a look that told something."""
        ...

    def forget_errors(self) -> None:
        """What was waited for had an error."""
        ...

    def stop(self) -> None:
        """Nothing more is wanted."""
        ...

    def counts(self) -> dict[str, int]:
        """What there was, in all."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...
