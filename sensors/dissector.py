"""The process that reads packets for a dissection (`sensors/tshark.py`): started, given packets, waited for.

tshark needs some tenths of a second before it reads. Where somebody may look at a packet soon, one is started ahead and waits; when nobody has come for some
minutes it ends, and its memory is free again.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING, Final, cast

from records import scratch
from sensors.pcapng import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from sensors.pcapng import Packet

PROGRAM: Final = Path(__file__).with_name("tshark.py")
TREES: Final = "trees"  # what one that waits tells
STEP_S: Final = 0.01  # between looks at whether it has ended
WAITS_S: Final = 600.0  # that one waits for packets
SHOWN: Final = "shown"  # comment of the packets that are to be told of; the others are what they go on from


@dataclass(frozen=True, slots=True)
class Limits:
    """What a dissection may take: seconds in all, MiB of memory of each process."""

    seconds: int = 20
    mebibytes: int = 1024


def available() -> str | None:
    """Where tshark is; None where there is none."""
    return shutil.which("tshark")


def program() -> tuple[str, int] | None:
    """Which tshark it is: another one may be another version."""
    tshark = available()
    return None if tshark is None else (tshark, Path(tshark).stat().st_mtime_ns)


class Dissector:
    """One process, in a private directory, that waits for packets. Whatever it started ends with it, and it with this process."""

    def __init__(self, mode: str, tshark: str, limits: Limits) -> None:
        self._limits = limits
        self._folder = tempfile.TemporaryDirectory(prefix=scratch.prefix("tshark"), ignore_cleanup_errors=True)
        folder = self._folder.name
        self._file = Path(folder) / "slice.pcapng"
        self.told: BinaryIO = (Path(folder) / "told").open("w+b")
        path = os.pathsep.join(dict.fromkeys((str(Path(tshark).parent), "/usr/bin", "/bin")))
        environment = {"PATH": path, "LANG": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "WIRESHARK_CONFIG_DIR", "WIRESHARK_DATA_DIR_USER"), folder)
        command = [sys.executable, "-P", str(PROGRAM), mode, str(self._file), tshark, str(limits.seconds), str(limits.mebibytes)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours, and the file's name
                command, bufsize=0, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=self.told, stderr=subprocess.DEVNULL, start_new_session=True
            )
        except OSError:
            self.told.close()
            self._folder.cleanup()
            raise
        self._said = cast("BinaryIO", self._process.stdin)

    def waits(self) -> bool:
        """Is it still there?"""
        return self._process.poll() is None

    def read(self, packets: Sequence[Packet], shown: range) -> bool:
        """Read these packets, and tell of those with such places; whether it ended by itself, within its time. What it told is in `told`."""
        with self._file.open("wb") as opened:
            writer = Writer(opened)
            for place, packet in enumerate(packets):
                writer.add(packet, SHOWN if place in shown else "")
        until = time.monotonic() + self._limits.seconds
        with suppress(BrokenPipeError):  # it is gone: that is seen below
            self._said.write(b"\n")
        ended = None
        try:
            while ended is None and time.monotonic() < until:
                ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if ended is None:
                    time.sleep(STEP_S)
        finally:
            self._end()
        self.told.seek(0)
        return ended is not None

    def close(self) -> None:
        """End it, whatever it does; what it told is gone."""
        self._end()
        self.told.close()
        self._folder.cleanup()

    def _end(self) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it is not reaped yet, so its number is nobody else's
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._said.close()


class Waiting:
    """The one dissector of trees that waits, if somebody wants one to."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted = False
        self._one: tuple[tuple[str, int] | None, Limits, Dissector] | None = None
        self._timer: Timer | None = None

    def keep(self) -> None:
        """From now on one is started when one is expected to be needed."""
        self._wanted = True
        atexit.register(self.dismiss)

    def expect(self, limits: Limits) -> None:
        """Somebody may look at packets soon: one waits from now on, and for a while."""
        which = program()
        with self._lock:
            if not self._wanted or which is None:
                return
            if self._one is None or self._one[:2] != (which, limits) or not self._one[2].waits():
                self._dismiss()
                with suppress(OSError):  # there is no room for it: whoever needs one is told so
                    self._one = which, limits, Dissector(TREES, which[0], limits)
            self._again()

    def take(self, limits: Limits) -> Dissector | None:
        """The one that waits, where it is of such a kind."""
        which = program()
        with self._lock:
            if self._one is None or self._one[:2] != (which, limits) or not self._one[2].waits():
                return None
            taken, self._one = self._one[2], None
            return taken

    def dismiss(self) -> None:
        """None waits any more."""
        with self._lock:
            self._dismiss()

    def _dismiss(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._one is not None:
            self._one[2].close()
            self._one = None

    def _again(self) -> None:
        """It has waited for no time yet."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = Timer(WAITS_S, self.dismiss)
        self._timer.daemon = True
        self._timer.start()


WAITING: Final = Waiting()
