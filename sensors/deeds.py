"""What a host asks of devices, so far as its role is told by it: does it act, and which devices does it read time and again?

Noted from released rows, a handful a minute; never per packet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.effects import EFFECTS
from sensors.engine.distinct import distinct
from sensors.engine.tables import GROUPED, SECOND, WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sensors.activities import Talk

MOST_READ: Final = 64  # devices that one host reads which are counted
RETURNS: Final = 3  # times that a host comes back to a device after another one, from which on it goes round
REPEATS: Final = 3  # times that the same is read, from which on it is shown somewhere
SCREEN: Final = 8 * SECOND  # people want to see now what is now: what is read less often than that is collected
DAY: Final = 86_400 * SECOND  # a screen on which nobody acts for as long is none
VALUES: Final = ("value.read", "value.report", "interrogation", "counter.interrogation")
_READS: Final = np.array([effect.name in VALUES and effect.access == "read" for effect in EFFECTS])
_GETS: Final = np.array([effect.name in VALUES and effect.access == "report" for effect in EFFECTS])
_ACTS: Final = np.array([effect.access in ("write", "command") for effect in EFFECTS])


@dataclass(slots=True)
class Deeds:
    """What one host asked. `read`: device → the last minute in which it was read, how often the host came back to it.

    `repeats`: how often it read what it read most, a minute at a time; `waited`, nanoseconds in all, over `waits` between two reads of the same.
    """

    acts: bool = False
    repeats: int = 0
    waited: float = 0.0
    waits: int = 0
    read: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def reads(self, read: Minute, devices: set[str], minute: int) -> None:
        """These devices were read in this minute. Who goes from one to the next comes back to none; who goes round, to each."""
        for device in devices:
            before, returns = self.read.get(device, (minute, 0))
            if before < minute and (len(devices) > 1 or any(last > before for last, _ in self.read.values())):
                returns += 1
            if device in self.read or len(self.read) < MOST_READ:
                self.read[device] = minute, returns
        self.repeats += read.times
        self.waited, self.waits = self.waited + read.waited, self.waits + read.waits

    def join(self, other: Deeds) -> None:
        """Those of another address of the same host."""
        self.acts |= other.acts
        self.repeats += other.repeats
        self.waited, self.waits = self.waited + other.waited, self.waits + other.waits
        for device, (last, returns) in other.read.items():
            known = self.read.get(device, (last, 0))
            self.read[device] = max(last, known[0]), returns + known[1]

    @property
    def rounds(self) -> int:
        """How many devices it goes round."""
        return sum(returns >= RETURNS for _, returns in self.read.values())

    @property
    def slow(self) -> bool:
        """Does it take its time between two reads of the same, if it waits for reads at all?"""
        return self.waited >= SCREEN * self.waits


@dataclass(slots=True)
class Minute:
    """What one host read in a minute: of which devices, how often what it read most; `waited` and `waits` as above."""

    devices: set[int] = field(default_factory=set[int])
    times: int = 0
    waited: float = 0.0
    waits: int = 0


def minutes(rows: Any, talks: Mapping[int, Talk]) -> Iterator[tuple[int, int, Minute]]:
    """(minute, number of who asked, what it read) in the order of time: values asked for, or reported to who is connected."""
    effect, report = np.asarray(rows.effect), np.asarray(rows.report)
    which = np.flatnonzero((_READS[effect] & (report == 0)) | (_GETS[effect] & (report == 1)))
    if not len(which):
        return
    wanted, place = distinct(np.asarray(rows.window)[which] // WINDOW, np.asarray(rows.conversation)[which])
    alike = np.asarray(rows.kind)[which] == GROUPED  # a row of a sweep counts what differs
    count = np.where(alike, np.asarray(rows.count)[which], 1)
    between = np.where(report[which] == 0, count - 1, 0)
    times, waits, waited = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.int64), np.zeros(len(wanted))
    np.maximum.at(times, place, count)
    np.add.at(waits, place, between)
    np.add.at(waited, place, between * np.asarray(rows.interval)[which])
    found: dict[tuple[int, int], Minute] = {}
    for (minute, number), most, long, often in zip(wanted.tolist(), times.tolist(), waited.tolist(), waits.tolist(), strict=True):
        read = found.setdefault((minute, talks[number].source), Minute())
        read.devices.add(talks[number].target)
        read.times = max(read.times, most)
        read.waited, read.waits = read.waited + long, read.waits + often
    yield from ((*key, found[key]) for key in sorted(found))


def acting(rows: Any) -> list[int]:
    """The conversations in which somebody wrote or operated something."""
    return np.unique(np.asarray(rows.conversation)[_ACTS[np.asarray(rows.effect)] & (np.asarray(rows.report) == 0)]).tolist()
