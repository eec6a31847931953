"""Interfaces read by several processes: the kernel gives each a share of the flows (PACKET_FANOUT), and what they read is merged by time into one capture.

Rings and sockets belong to the process that merges; those that read are made by fork(2), have them as it has, and no right to open others. What one has read
it writes into a slot of common memory, together with where it is then, and only then gives the block back to the kernel. So one that is killed loses
nothing: the next goes on where it was.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import numpy as np

from sensors.engine.octets import borrow, carry, entry, inline, u32le
from sensors.engine.tables import FOREVER, SECOND, table
from sensors.pcapng import Statistics
from sensors.sources.links import Links
from sensors.sources.ring import CURSOR, ROOM, Rings, clock, due, fields
from sensors.sources.sharing import END, IDLE, RECORD, SLOTS, Slots, read
from sensors.sources.stepping import STEP_S, Stepping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.sources.filters import Program

WELL_S: Final = 60.0  # who has read for so long is well
FIRST_S, LONGEST_S = 1.0, 30.0  # until the next start of one that ended again: twice as long each time
WAKE_S: Final = 0.02

# what is merged of a slot: memory[at:end], and the time of the packet there
PART: Final = np.dtype([(name, "i8") for name in ("at", "end", "time")] + [("short", "u1")], align=True)


@inline
def _time(memory: Any, part: Any) -> int:
    return u32le(memory, part.at + 12, part.end, part) << 32 | u32le(memory, part.at + 16, part.end, part)


@entry
def join(memory: Any, parts: Any, out: Any, until: int) -> int:
    """Packets before this time, oldest first, until a part has been read, or `out` is full; returns how many octets of `out` are filled."""
    memory, parts, out = borrow(memory), borrow(parts), borrow(out)
    filled = 0
    while True:
        best, bound = -1, until
        for number in range(len(parts)):
            if parts[number].at < parts[number].end and (best < 0 or parts[number].time < parts[best].time):
                best = number
        if best < 0 or parts[best].time >= until:
            return filled
        for number in range(len(parts)):
            if number != best and parts[number].at < parts[number].end:
                bound = min(bound, parts[number].time)
        part = parts[best]
        begin = part.at
        while part.at < part.end and (part.time < bound or part.at == begin):
            octets = u32le(memory, part.at + 4, part.end, part)
            if part.short or octets < 12 or part.at + octets > part.end:  # nothing that reads writes this
                part.end = part.at
                break
            if filled + part.at + octets - begin > len(out):
                break
            part.at += octets
            if part.at < part.end:
                part.time = _time(memory, part)
        carry(memory, begin, out, filled, part.at - begin)
        filled += part.at - begin
        if part.at >= part.end or part.at == begin:
            return filled


@dataclass(slots=True)
class Share:
    """What one process reads.

    `process`: 0 where none does; it `told` what it has read, and is `asked` to go on. `slots`: those that are to be merged, with their octets; `loaded`: the
    first of them is being merged; `settled`: the time up to which all is in them. `since` when it reads (monotonic); `wait`: seconds until its next start
    should it end soon; `due`: when that is, infinite where it runs.
    """

    rings: Rings
    process: int = 0
    told: int = -1
    asked: int = -1
    slots: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    loaded: bool = False
    settled: int = 0
    ending: bool = False
    since: float = 0.0
    wait: float = 0.0
    due: float = float("inf")


class Shares:
    """So many processes that read these interfaces: an intake. Raises InputError where they cannot be listened to."""

    patient = False

    def __init__(self, names: Sequence[str], program: Program | None, octets: int, processes: int) -> None:
        self._all: list[Rings] = []
        for _ in range(processes):
            self._all.append(Rings(names, program, octets, self._all))
        self.names, self.run, self.interfaces = tuple(names), uuid4().hex, self._all[0].interfaces
        self._shares = [Share(rings) for rings in self._all]
        self._state = -(-len(names) * CURSOR.itemsize // 64) * 64
        self._octets = mmap.mmap(-1, processes * SLOTS * (self._state + ROOM))
        self._memory = np.frombuffer(self._octets, np.uint8)
        self._parts = table(processes, PART)
        self._of = fields(self._parts)
        written = bytearray(2 * ROOM)
        self._written, self._out = memoryview(written), np.frombuffer(written, np.uint8)
        self._said: list[dict[str, object]] = []
        self._stopped = False
        self._statistics = Statistics()
        self._links = Links(self.names)
        self._now, self._stepping = 0, Stepping()
        for share in self._shares:
            self._start(share)

    def _slots(self, number: int) -> Slots:
        """Those of a share."""
        return Slots(self._memory, number * SLOTS * (self._state + ROOM), self._state)

    def _start(self, share: Share) -> None:
        """Have a process read this share on."""
        told, tells = os.pipe()
        asked, asks = os.pipe()
        number = self._shares.index(share)
        free = bytes(set(range(SLOTS)) - {slot for slot, _ in share.slots})
        try:
            share.process = os.fork()
        except OSError:  # no memory for it, or too many processes
            for each in (told, tells, asked, asks):
                os.close(each)
            raise
        if share.process == 0:
            for other in self._all:
                if other is not share.rings:
                    other.close()  # or it would have its flows for as long as this lives, whoever closes it elsewhere
            read(share.rings, self._slots(number), tells, asked)
        os.close(tells)
        os.close(asked)
        os.set_blocking(told, False)
        share.told, share.asked, share.since, share.due, share.ending = told, asks, time.monotonic(), float("inf"), False
        os.write(asks, free)

    def take(self, last: bool = False) -> memoryview:
        """The next packets; see `Intake`."""
        while True:
            for share in self._shares:
                self._hear(share)
            filled = self._join()
            if filled or not last or not any(share.process or share.slots for share in self._shares):
                return self._written[:filled]
            select.select(self.sockets(), [], [], WAKE_S)

    def _hear(self, share: Share) -> None:
        """What its process has read by now, and where it is."""
        while share.process:
            try:
                records = os.read(share.told, RECORD.size * SLOTS)
            except BlockingIOError:
                return
            for slot, filled, settled in RECORD.iter_unpack(records):
                share.settled = settled
                if slot != IDLE:
                    share.rings.cursors[:] = self._slots(self._shares.index(share)).state(slot, len(self.names))
                    share.slots.append((slot, filled))
            if not records:
                self._bury(share)

    def _bury(self, share: Share) -> None:
        """It has ended: as it was told to; or by itself, then another goes on, later where that ended soon, too."""
        _, status = os.waitpid(share.process, 0)
        os.close(share.told)
        os.close(share.asked)
        share.process = 0
        if share.ending or self._stopped:
            if self._stopped and status:
                share.rings.lose()
            return
        number, now = self._shares.index(share) + 1, time.monotonic()
        if now - share.since > WELL_S:
            share.wait = 0.0
        ended = os.waitstatus_to_exitcode(status)
        if share.wait == 0.0:
            share.wait = FIRST_S
            with suppress(OSError):
                self._start(share)
                self._said.append({"fell": number, "status": ended})
                return
        self._said.append({"failed": number, "status": ended, "lost": share.rings.lose(), "seconds": round(share.wait)})
        share.due, share.wait = now + share.wait, min(2 * share.wait, LONGEST_S)

    def _load(self) -> None:
        """The next slot of who has one. Those that have been merged are free again."""
        begin, end, time_of = self._of["at"], self._of["end"], self._of["time"]
        for number, share in enumerate(self._shares):
            while begin[number] >= end[number]:
                if share.loaded:
                    self._free(share)
                if not share.slots:
                    break
                slot, filled = share.slots[0]
                share.loaded = True
                at = begin[number] = self._slots(number).begin(slot)
                end[number] = at + filled
                if filled:
                    high, low = self._memory[at + 12 : at + 20].view("<u4").tolist()
                    time_of[number] = high << 32 | low

    def _free(self, share: Share) -> None:
        """The slot that has been merged."""
        slot, _ = share.slots.popleft()
        share.loaded = False
        with suppress(BrokenPipeError):  # it has ended, and is not buried yet
            if share.process:
                os.write(share.asked, bytes([slot]))

    def _join(self) -> int:
        """Merge what is there, as long as nothing older can come."""
        self._load()
        until = min((share.settled for share in self._shares if not share.loaded and share.due == float("inf")), default=FOREVER)
        waiting = [time for time, at, end in zip(*(self._of[name].tolist() for name in ("time", "at", "end")), strict=True) if at < end]
        return int(join(self._memory, self._parts, self._out, due(waiting, clock(), until)))

    def statistics(self, last: bool = False) -> bytes:  # noqa: ARG002  (what time it is does not depend on it)
        """The time up to which all packets were merged, and what was taken and lost of each interface."""
        self._load()
        firsts = self._of["time"].tolist()
        told = [first if share.loaded else share.settled for first, share in zip(firsts, self._shares, strict=True) if share.due == float("inf")]
        if now := min(told, default=0):
            self._now = now if now < self._now - STEP_S * SECOND else max(self._now, now)  # the clock was set back
        taken, dropped = (np.sum(counts, 0).tolist() for counts in ([rings.cursors.packets for rings in self._all], [rings.dropped() for rings in self._all]))
        deaf = set[int].intersection(*(rings.deaf() for rings in self._all))  # where one does not read, the others have its flows
        return self._statistics.at(self._now, zip(taken, dropped, self._links.dark(deaf), strict=True))

    def counts(self) -> dict[str, int]:
        """Packets of all interfaces that were taken, and those that were lost."""
        told = [rings.counts() for rings in self._all]
        return {name: sum(counts[name] for counts in told) for name in told[0]}

    def look(self) -> list[dict[str, object]]:
        """What people should hear. Where interfaces went or came, who reads comes to an end and begins anew, for it has none but those that it began with."""
        listening = [share for share in self._shares if share.due == float("inf")]
        doubts = [told for rings in self._all for told in rings.doubt()]
        self._said += [told for number, told in enumerate(doubts) if told not in doubts[:number]]
        changed = [share.rings.changed() for share in listening]  # each is asked: each has to know what nobody listens to
        if not self._stopped and any(changed):
            running = [share for share in listening if share.process]
            for share in running:
                self._tell_to_end(share)
            if not running:
                said = [share.rings.look() for share in listening]
                self._said += said[0]
                for share in listening:
                    self._is_started(share)
        for number, share in enumerate(self._shares, 1):
            if time.monotonic() >= share.due and not self._stopped:
                self._return(number, share)
        said, self._said = self._said, []
        closed = set[int].intersection(*(rings.closed() for rings in self._all))
        return said + self._links.look(closed) + self._stepping.look()

    def _return(self, number: int, share: Share) -> None:
        """One that ended again and again begins anew, with what comes from now on."""
        share.rings.look()
        share.settled = 0
        if self._is_started(share):
            self._said.append({"returned": number})

    def _is_started(self, share: Share) -> bool:
        """Have it read on; where no process can be had, later, and the others have its share until then."""
        try:
            self._start(share)
        except OSError:
            share.rings.lose()
            share.due = time.monotonic() + max(share.wait, FIRST_S)
            return False
        return True

    def _tell_to_end(self, share: Share) -> None:
        if not share.ending:
            share.ending = True
            with suppress(BrokenPipeError):  # it has
                os.write(share.asked, END)

    def stamped(self) -> list[str]:
        """Interfaces whose card gives packets their times."""
        return self._all[0].stamped()

    def sockets(self) -> list[int]:
        """What those that read tell."""
        return [share.told for share in self._shares if share.process]

    def forget_errors(self) -> None:
        """Those that read do."""

    def stop(self) -> None:
        """No more is wanted: who reads ends with what came before."""
        self._stopped = True
        for share in self._shares:
            if share.process:
                self._tell_to_end(share)
            else:  # nobody reads any more what is there
                share.rings.lose()

    def close(self) -> None:
        """Stop listening."""
        for share in self._shares:
            if share.process:
                os.kill(share.process, signal.SIGKILL)
                os.waitpid(share.process, 0)
            share.rings.close()


def prepare() -> None:
    """Compile what merges, before any packet waits for it."""
    join(np.zeros(0, np.uint8), table(0, PART), np.zeros(0, np.uint8), 0)
