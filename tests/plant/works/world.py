"""The world's clock, chance, capture and labels. Times are whole microseconds since the epoch."""

from __future__ import annotations

import heapq
import json
import struct
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from operator import itemgetter
from random import Random
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

Actor = Generator[int, None, None]  # yields the time at which it goes on
MS: Final = 1_000
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
FLUSHED: Final = 20_000  # packets that wait at least before they are sorted and written
HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
RECORD: Final = struct.Struct("<IIII").pack
TIME: Final = itemgetter(0)


def stamp(time: int) -> str:
    """ISO 8601, UTC, to the microsecond."""
    return datetime.fromtimestamp(time // SECOND, UTC).replace(microsecond=time % SECOND).isoformat().replace("+00:00", "Z")


@dataclass(slots=True)
class World:
    """What happens from `now` to `end`. Actors act in order of time; packets may be put ahead of it, never behind."""

    seed: int
    start: int
    end: int
    file: IO[bytes]
    now: int = 0
    random: Random = field(default_factory=Random)
    actors: list[tuple[int, int, Actor]] = field(default_factory=list[tuple[int, int, Actor]])
    waiting: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])
    labels: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])  # operations by protocol and code path
    packets: int = 0
    octets: int = 0
    number: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.now = self.start
        self.random = Random(self.seed)
        self.file.write(HEADER)

    def chance(self, name: str) -> Random:
        """A source of chance of its own, so that one part of the plant does not move with another."""
        return Random(f"{self.seed} {name}")

    def today(self, name: str) -> Random:
        """The same for what happens: another day of the same plant is another day."""
        return Random(f"{self.seed} {self.start} {name}")

    def dawn(self, chance: Random) -> None:
        """The plant stands. From here on its chance and the world's are those of this day."""
        for number, each in enumerate((self.random, chance)):
            each.seed(f"{self.seed} {self.start} {number}")

    def enter(self, actor: Actor, at: int | None = None) -> None:
        """Let somebody act, from this time on."""
        heapq.heappush(self.actors, (max(self.now, self.now if at is None else at), next(self.number), actor))

    def put(self, time: int, frame: bytes) -> None:
        """A packet on the wire."""
        self.waiting.append((time, frame))

    def flush(self, until: int) -> None:
        """Write what was put before this time."""
        waiting = self.waiting
        waiting.sort(key=TIME)
        low, high = 0, len(waiting)
        while low < high:
            middle = (low + high) // 2
            if waiting[middle][0] < until:
                low = middle + 1
            else:
                high = middle
        pieces: list[bytes] = []
        for time, frame in waiting[:low]:
            size = len(frame)
            pieces += (RECORD(time // SECOND, time % SECOND, size, size), frame)
        written = b"".join(pieces)
        self.file.write(written)
        self.packets += low
        self.octets += len(written) - 16 * low
        del waiting[:low]

    def run(self) -> None:
        """Until the end; what is put behind it is not in the capture."""
        actors, waiting, full = self.actors, self.waiting, FLUSHED
        push, pop = heapq.heappushpop, heapq.heappop
        if not actors:
            return
        entry = pop(actors)
        while entry[0] < self.end:
            self.now = entry[0]
            due = next(entry[2], None)
            if due is not None:
                entry = push(actors, (due if due > self.now else self.now, next(self.number), entry[2]))
            elif actors:
                entry = pop(actors)
            else:
                break
            if len(waiting) > full:
                self.flush(self.now)
                full = len(waiting) + FLUSHED
        self.flush(self.end)

    def tell(self, label: str, start: int, end: int, **more: Any) -> None:
        """A label: what was done, when, by whom, to whom."""
        self.labels.append({"label": label, "start": stamp(start), "end": stamp(min(end, self.end)), **more})

    def write_labels(self, file: IO[str], about: dict[str, Any]) -> None:
        """The plant, then its labels in order, then what was asked in all: a JSON object a line."""
        told: Iterable[dict[str, Any]] = sorted(self.labels, key=lambda label: (label["start"], label["end"]))
        asked: dict[str, dict[str, int]] = {}
        for (protocol, code), number in sorted(self.asked.items()):
            asked.setdefault(protocol, {})[code] = number
        head = {"label": "plant", "start": stamp(self.start), "end": stamp(self.end), **about}
        for line in (head, *told, {"label": "truth", "packets": self.packets, "octets": self.octets, "operations": asked}):
            file.write(json.dumps(line, ensure_ascii=False, sort_keys=False) + "\n")
