"""`python -m sensors.listening IFACE…`: what live interfaces bring, as a pcapng on standard output, until SIGTERM.

What it has to say it says on standard error, a JSON object a line.

It is a process of its own, so that nothing that judges or stores ever keeps a packet waiting. Each second it tells what time it is and what the kernel dropped
(interface statistics), whether packets come or not: so whoever reads knows that silence is silence.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import io
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from records.errors import BalefireError
from sensors.sources.interfaces import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensors.recording import Recording
    from sensors.sources.ring import Rings

TICK_S: Final = 1.0
WAIT_MS: Final = 100
PAUSE_S: Final = 0.005  # where packets wait for those of other interfaces
PIPE: Final = 1 << 20  # octets that the pipe holds, if the kernel lets it
DEATH_SIGNAL: Final = 1  # prctl: what the process gets when the one that started it is gone
NO_NEW_PRIVILEGES: Final = 38


class Listening:
    """The loop."""

    def __init__(self, rings: Rings, out: int, recording: Recording | None) -> None:
        self._rings, self._out, self._recording = rings, out, recording
        self._refused = ""
        self.stopped = False

    def run(self) -> None:
        """Until it is stopped; then what is there is written."""
        from sensors.sources.ring import HOLD, clock

        due, poll = time.monotonic() + TICK_S, self._poll()
        say({"ready": list(self._rings.names)})
        while not self.stopped:
            wrote = self._write()
            if time.monotonic() >= due:
                due += TICK_S
                if said := self._rings.look():
                    poll = self._poll()
                    for name, what in said:
                        say({what: name})
                self._put(self._rings.statistics(clock() - HOLD))
                self._look_at_recording()
            elif not wrote and (events := poll.poll(WAIT_MS)):
                if any(event & select.POLLERR for _, event in events):  # an interface went down; nothing is lost of what came before
                    self._rings.forget_errors()
                time.sleep(PAUSE_S)
        time.sleep(2 * HOLD / 1e9)  # what came before lies in blocks that are ours by then
        while self._write(last=True):
            pass
        self._put(self._rings.statistics(clock()))
        if self._recording is not None:
            self._recording.close()
        self._look_at_recording()
        say({"ended": self._rings.counts()})

    def _look_at_recording(self) -> None:
        """Say once that the disk refuses, and once that it takes again."""
        if self._recording is None:
            return
        self._recording.flush()
        if self._recording.refused != self._refused:
            self._refused = self._recording.refused
            say({"unrecorded" if self._refused else "recorded": self._refused})

    def _write(self, last: bool = False) -> int:
        """What has come by now; how many octets."""
        from sensors.sources.ring import FOREVER, clock, until

        taken = self._rings.take(FOREVER if last else until(self._rings, clock()))
        self._put(taken)
        return len(taken)

    def _put(self, octets: bytes | memoryview) -> None:
        if self._recording is not None and len(octets):
            self._recording.write(octets)
        rest = memoryview(octets)
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def _poll(self) -> select.poll:
        poll = select.poll()
        for number in self._rings.sockets():
            poll.register(number, select.POLLIN)
        return poll


def say(told: dict[str, object]) -> None:
    """One line for whoever started this."""
    sys.stderr.write(json.dumps(told) + "\n")
    sys.stderr.flush()


def harden() -> None:
    """End with the process that started this, and never get more privileges than there are."""
    libc = ctypes.CDLL(None)
    libc.prctl(DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; the exit status."""
    parser = argparse.ArgumentParser(prog="sensors.listening")
    parser.add_argument("interfaces", nargs="+")
    parser.add_argument("--filter", default="")
    parser.add_argument("--mebibytes", type=int, default=32, help="of each ring")
    parser.add_argument("--record", type=Path, help="a folder for what comes")
    parser.add_argument("--recorded", type=int, default=10240, help="MiB of it")
    parser.add_argument("--wait", action="store_true", help="until a line comes on standard input; where that ends, so does this")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this stops it in order
    harden()
    from sensors.pcapng import Writer
    from sensors.recording import Recording
    from sensors.sources.filters import Program
    from sensors.sources.ring import Rings, prepare

    prepare()
    if given.wait and not sys.stdin.readline():
        return 0
    try:
        rings = Rings(given.interfaces, Program(given.filter) if given.filter else None, given.mebibytes << 20)
    except BalefireError as error:
        say({"error": error.key, "values": {name: str(value) for name, value in error.values.items()}})
        return 1
    head = io.BytesIO()
    writer = Writer(head, application=OURS.decode())
    for interface in rings.interfaces:
        writer.number(interface)
    recording = Recording(given.record, head.getvalue(), given.recorded << 20) if given.record else None
    listening = Listening(rings, sys.stdout.fileno(), recording)

    def stop(*_: object) -> None:
        listening.stopped = True

    signal.signal(signal.SIGTERM, stop)
    with contextlib.suppress(OSError):
        fcntl.fcntl(sys.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE)
    try:
        sys.stdout.buffer.write(head.getvalue())
        sys.stdout.buffer.flush()
        listening.run()
    except BrokenPipeError:  # nobody reads any more
        pass
    finally:
        rings.close()
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout = None  # nothing is left in its buffer, and where it goes is gone
    sys.exit(status)
