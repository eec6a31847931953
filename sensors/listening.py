"""`python -m sensors.listening PLACE…`: what live interfaces bring, or captures that others write, as a pcapng on standard output, until SIGTERM.

What it has to say it says on standard error, a JSON object a line.

It is a process of its own, so that nothing that judges or stores ever keeps a packet waiting. Each second it tells what time it is and what was dropped
(interface statistics), whether packets come or not: so whoever reads knows that silence is silence.
"""

from __future__ import annotations

import argparse
import gc
import io
import itertools
import json
import math
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from records.errors import BalefireError, UsageError
from sensors.indexing import Indexing
from sensors.outlet import HELD, INTERFACES, PACKETS, STATISTICS, Outlet
from sensors.pcapng import Writer, retold
from sensors.pipes import OCTETS, widen
from sensors.recording import FILLED, Recording, alone
from sensors.rights import NET_RAW, OPENING, forgo
from sensors.sources.doors import check_free, check_together, door, leads_elsewhere
from sensors.sources.interfaces import OURS
from sensors.tied import tie

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sensors.source import Intake
    from sensors.sources.filters import Program

TICK_S: Final = 1.0
WAIT_MS: Final = 100
PAUSE_S: Final = 0.005  # where packets wait for those of other interfaces
READER_S: Final = 60.0  # that it waits at its end for whoever judges


class Listening:
    """The loop: what an intake gives goes out, and to the disk where it is recorded. `since`: when another was last alive whose place this takes. `misses`:
    whether what comes while nobody listens is lost; files in a folder wait.
    """

    def __init__(self, intake: Intake, outlet: Outlet, record: Path | None, most: int, days: float = math.inf, since: int = 0, misses: bool = True) -> None:
        self._intake, self._outlet, self._since = intake, outlet, since
        self._head = io.BytesIO()
        self._writer = Writer(self._head, comment=intake.run, application=OURS.decode())
        self._recording = Recording(record, self._head.getvalue(), most, days=days, misses=misses) if record else None
        self._indexing = Indexing(record) if record else None
        self._folder = record
        self.bound: os.stat_result | None = None  # the only folder in which the kernel lets this process record
        self._described, self._refused, self._narrow, self._shed = 0, "", False, 0
        self._shedding = self._pressed = self._lost = self.stopped = self.hurried = False
        self._read = outlet.is_read()  # whether anybody ever was there to read
        self._parent = os.getppid()

    def run(self) -> None:
        """Until it is stopped; then what is there is written."""
        intake, outlet = self._intake, self._outlet
        due = time.monotonic() + TICK_S
        outlet.tend()
        self._describe()
        say({"ready": list(intake.names), "stamped": intake.stamped(), "judged": outlet.is_read()})
        came = False  # something of which nothing could be written yet
        while not self.stopped:
            wrote = self._write() if self._may_take() else 0
            outlet.tend()
            if not self._read and outlet.is_read():
                self._read = True
                say({"read": True})
            if time.monotonic() >= due:
                due = time.monotonic() + TICK_S  # after a standstill not once for each second of it: an interface that is gone then has that long to be read
                self._look()
                self._put(self._statistics(), STATISTICS)
                self._look_at_recording()
                self._look_at_outlet()
                continue
            came = not wrote and self._wait(came)
        intake.stop()
        outlet.block()
        while self._write(last=True):
            pass
        self._put(self._statistics(last=True), STATISTICS)
        if self._recording is not None:
            self._recording.close()
        self._look()
        self._look_at_recording()
        if self._indexing is not None:
            self._indexing.close()
        self._look_at_outlet()
        if left := self._finish():
            say({"unread": f"{left / (1 << 20):,.1f}"})
        say({"ended": intake.counts()})

    def _wait(self, again: bool) -> bool:
        """Until something comes, for a moment; whether it did. `again`: what came last waits for something else."""
        if again:
            time.sleep(PAUSE_S)
        events = self._poll().poll(WAIT_MS)
        if any(event & select.POLLERR for _, event in events):  # an interface went down; nothing is lost of what came before
            self._intake.forget_errors()
        return bool(events)

    def _finish(self) -> int:
        """How many octets nobody has taken at its end. Whoever judges is waited for, unless it is told to end once more, or who started it is gone."""
        outlet, end = self._outlet, time.monotonic() + READER_S
        left = outlet.finish()
        while left and not self.hurried and os.getppid() == self._parent and time.monotonic() < end:
            time.sleep(PAUSE_S)
            outlet.tend()
            if outlet.is_read():
                outlet.block()
                left = outlet.finish()
        return left

    def _may_take(self) -> bool:
        """Is there room? Else those who write captures wait. A ring is read all the same: what is shed is recorded, where that is wanted, and counted at its
        time, which what the kernel drops out of a ring that nobody reads is not.
        """
        return self._outlet.has_room() or not self._intake.patient

    def _statistics(self, last: bool = False) -> bytes:
        """Those of the intake; the first ones also tell for how long nobody listened."""
        told = self._intake.statistics(last)
        if self._since and told:
            told, self._since = retold(told, {}, {}, absent=max(time.time_ns() - self._since, 0)), 0
        return told

    def _look(self) -> None:
        for told in self._intake.look():
            say(told)

    def _look_at_recording(self) -> None:
        """Once a second, and at the end."""
        if self._recording is not None:
            self._recording.flush()
            self._tell_recording()
        if self._indexing is not None:
            self._indexing.tend()

    def _tell_recording(self) -> None:
        """Say once that the disk refuses, or that others fill it, and once that it takes again, or there is room."""
        if self._recording is not None and self._recording.refused != self._refused:
            lost, self._lost = self._lost, self._is_lost()
            self._refused = self._recording.refused
            if not self._lost and self._refused == FILLED:
                say({"filled": f"{self._recording.floor >> 20:,}"})
            elif not self._lost:
                say({"unrecorded" if self._refused else "recorded": self._refused})
            elif not lost:
                say({"unfoldered": str(self._folder)})
        if self._recording is not None and self._recording.narrow != self._narrow:
            self._narrow = self._recording.narrow
            say({"narrowed" if self._narrow else "widened": f"{self._recording.least >> 20:,}"})

    def _is_lost(self) -> bool:
        """Does the folder of the recording stand elsewhere or nowhere, while no other may be written?"""
        if self._folder is None or self.bound is None:
            return False
        try:
            return not os.path.samestat(self._folder.stat(), self.bound)
        except OSError:
            return True

    def _look_at_outlet(self) -> None:
        """Say once that what judges falls behind, that there is no room for what is not judged, and once that there is again, and how much was shed."""
        if self._outlet.pressed != self._pressed:
            self._pressed = self._outlet.pressed
            say({"pressed" if self._pressed else "eased": ""})
        shed = self._outlet.shed.total()
        if shed > self._shed and not self._shedding:
            self._shedding = True
            say({"shedding": ""})
        elif self._shedding and shed == self._shed:
            self._shedding = False
            say({"shed": f"{shed:,}"})
        self._shed = shed

    def _write(self, last: bool = False) -> int:
        """What has come by now; how many octets."""
        taken = self._intake.take(last)
        self._describe()
        self._put(taken)
        return len(taken)

    def _describe(self) -> None:
        """Interfaces stand before their packets."""
        if self._described == len(self._intake.interfaces):
            return
        before = self._head.tell()
        for interface in self._intake.interfaces[self._described :]:
            self._writer.number(interface)
            self._described += 1
        if described := self._head.getvalue()[before:]:
            self._outlet.put(described, INTERFACES)
            if self._recording is not None:
                self._recording.describe(described)

    def _put(self, octets: bytes | memoryview, kind: int = PACKETS) -> None:
        if self._recording is not None and len(octets):
            if kind == STATISTICS:
                self._recording.tell(bytes(octets))
            else:
                self._recording.write(octets)
            if self._recording.refused:
                self._tell_recording()
        self._outlet.put(octets, kind)

    def _poll(self) -> select.poll:
        poll = select.poll()
        for number in self._intake.sockets():
            poll.register(number, select.POLLIN)
        for number, events in self._outlet.waits():
            poll.register(number, events)
        return poll


def say(told: dict[str, object]) -> None:
    """One line for whoever started this."""
    sys.stderr.write(json.dumps(told) + "\n")
    sys.stderr.flush()


def harden() -> None:
    """End with the process that started this, and have no right but those that opening takes, where the system has a word for that."""
    tie()
    forgo(*OPENING)


def confine(record: Path | None, places: Sequence[str]) -> os.stat_result | None:
    """Write nothing but the recording, kernels that are compiled, and folders into which captures fall; have no TCP where none is asked for.

    Returned is the folder of the recording, where the kernel holds to that: one that is made in its place may not be written. Raises UsageError where there
    cannot be a recording, or where another process records there, which none does from now on.
    """
    from sensors import fence
    from sensors.engine.mode import cache_directory

    if record is not None:
        try:
            fence.made(record)
        except OSError as error:
            raise UsageError("live.record", path=record, reason=error.strerror or error) from None
        alone(record)
    there = [place for place in folders(places) if os.path.isdir(place)]  # noqa: PTH112 - Path's raises where one may not look
    written = [Path(os.devnull).parent, cache_directory(), *there, *([record] if record else [])]
    is_confined = fence.confine(written, tcp=any("://" in place for place in places))
    return record.stat() if record is not None and is_confined else None


def folders(places: Sequence[str]) -> list[Path]:
    """Those of the places into which captures fall."""
    return [Path(place) for place in places if leads_elsewhere(place) and "://" not in place]


def opener(places: Sequence[str], expression: str, octets: int, portable: bool, processes: int = 1) -> Callable[[], Intake]:
    """What opens these places, compiled already; it raises BalefireError, as this does for places that cannot be listened to together.

    `processes`: so many share what interfaces bring.
    """
    check_together(places, expression, portable=portable, processes=processes)
    check_free(places)
    if not portable and not any(map(leads_elsewhere, places)):
        from sensors.sources.filters import Program
        from sensors.sources.ring import Rings, prepare

        prepare()
        program = Program(expression) if expression else None
        if processes > 1:
            return shares_of(places, program, octets, processes)
        return lambda: Rings(places, program, octets)
    from sensors.sources import feeds

    feeds.prepare()
    return lambda: feeds.Feeds([door(place, expression) for place in places])


def shares_of(places: Sequence[str], program: Program | None, octets: int, processes: int) -> Callable[[], Intake]:
    """What opens interfaces that several processes read."""
    from sensors.sources import shares

    shares.prepare()
    return lambda: shares.Shares(places, program, octets, processes)


def section(run: str) -> bytes:
    """What a capture of ours begins with."""
    head = io.BytesIO()
    Writer(head, comment=run, application=OURS.decode())
    return head.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit status."""
    parser = argparse.ArgumentParser(prog="sensors.listening")
    parser.add_argument("places", nargs="+")
    parser.add_argument("--filter", default="")
    parser.add_argument("--portable", action="store_true", help="listen to interfaces by scapy, in a process of its own")
    parser.add_argument("--processes", type=int, default=1, help="that read interfaces, each its share of the flows")
    parser.add_argument("--ring-mib", type=int, default=32, help="of each ring")
    parser.add_argument("--record", type=Path, help="a folder for what comes")
    parser.add_argument("--record-mib", type=int, default=10240, help="MiB of it")
    parser.add_argument("--record-days", type=float, default=math.inf, help="that it is kept at most")
    parser.add_argument("--wait", action="store_true", help="until a line comes on standard input; where that ends, so does this")
    parser.add_argument(
        "--door", type=int, metavar="NUMBER", help="an open socket at which readers come in, instead of standard output; it begins with the first"
    )
    parser.add_argument("--run", default="", help="the name of what is handed on there")
    parser.add_argument("--since", type=int, default=0, help="when another was last alive whose place this takes, nanoseconds")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this stops it in order
    harden()
    try:
        bound = confine(given.record, given.places)
        opened = opener(given.places, given.filter, given.ring_mib << 20, given.portable, given.processes)
        if given.wait and not sys.stdin.readline():
            return 0
        door = None if given.door is None else socket.socket(fileno=given.door)
        if door is not None and given.record is None:
            select.select([door], [], [])  # until all that judges is ready: what comes before is recorded, or not heard
        intake = opened()
        forgo(NET_RAW)  # for interfaces that come back
        gc.collect()
        gc.freeze()  # all that was loaded stays, and is not looked through for garbage again and again
    except BalefireError as error:
        say({"error": error.key, "values": {name: str(value) for name, value in error.values.items()}})
        return 1
    runs = itertools.chain([given.run or intake.run], iter(lambda: uuid4().hex, ""))
    outlet = Outlet(lambda: section(next(runs)), sys.stdout.fileno(), door, OCTETS if intake.patient else HELD, intake.patient)
    listening = Listening(intake, outlet, given.record, given.record_mib << 20, given.record_days, given.since, not folders(given.places))
    listening.bound = bound

    def stop(*_: object) -> None:
        listening.hurried, listening.stopped = listening.stopped, True

    signal.signal(signal.SIGTERM, stop)
    widen(sys.stdout.fileno())
    try:
        listening.run()
    except BrokenPipeError:  # nobody reads any more
        pass
    finally:
        intake.close()
        outlet.close()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout = None  # nothing is left in its buffer, and where it goes is gone
    sys.exit(status)
