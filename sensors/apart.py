"""A sensor in a process of its own: it hears the same, and who judges meanwhile takes none of its time, for an interpreter runs one thread at a time."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Final, cast

from records.errors import InputError
from sensors.origin import said
from sensors.pipes import widen
from sensors.unheard import Unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from records.errors import BalefireError
    from records.model import Asset, Batch
    from sensors.coverage import Totals
    from sensors.origin import Name
    from sensors.sources.again import Mark, Marks
    from sensors.sources.pcap import Capture
    from sensors.unknown import Unknown

LEAST_OCTETS: Final = 256 << 20  # of a capture for which it pays: another process takes half a second and 130 MiB more
START: Final = "from records.lean import lean; lean(); from sensors.dissecting import main; main()"


def pays(capture: Capture) -> bool:
    """Is the capture a large file, which another process can open, and is there a core for it?"""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return capture.error is None and capture.pipe is None and capture.spool is None and capture.size >= LEAST_OCTETS and cores > 1


def _started() -> subprocess.Popen[bytes]:
    """A process that waits to be told what is to be heard. Ctrl-C does not reach it, in a session of its own: who asked for it decides."""
    command = [sys.executable, "-c", START]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603 - this very Python
    widen(cast("IO[bytes]", process.stdout).fileno())
    return process


_ready: Final[list[subprocess.Popen[bytes]]] = []


def prepare(captures: Iterable[Capture]) -> None:
    """Have a process start already, where one of these will want it. One that nobody takes ends with this one."""
    if not _ready and any(map(pays, captures)):
        _ready.append(_started())


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be heard. The names that rows carry follow when they are known. `marked`: whether places are to be told."""

    capture: Capture
    site: str | None
    marked: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard since the last one: rows and places, and what the sensor can tell by now; `error`: what is wrong with the capture.

    The last has no `batch`, but `assets` and `peak_kib`, or as `failure` what went wrong over there.
    """

    batch: Batch | None
    marks: tuple[tuple[Mark, int], ...]
    began: int | None
    now: int
    totals: Totals
    error: BalefireError | None = None
    assets: tuple[Asset, ...] = ()
    failure: Exception | None = None
    peak_kib: int = 0


class Apart:
    """Both a sensor and the source that it is fed: see `Sensor` for what it tells, and for `observer`, `site` and `salt` (its `capture`)."""

    def __init__(self, observer: Name, site: str | None, capture: Capture, salt: Name, marked: bool) -> None:
        from sensors.coverage import Totals

        self.name = capture.name
        self.error: BalefireError | None = None
        self.began: int | None = None
        self.now, self.totals, self.peak_kib = 0, Totals(), 0
        self.dark, self.unheard = 0, Unheard()  # it hears no interface
        self._assets: tuple[Asset, ...] = ()
        self._process = _ready.pop() if _ready else _started()
        self._tell(Order(replace(capture, digest=""), site, marked))
        threading.Thread(target=self._send_names, args=(observer, salt), name="names", daemon=True).start()

    def _send_names(self, observer: Name, salt: Name) -> None:
        """They hang on the digest of the capture, which takes as long as reading does."""
        self._tell((said(observer), said(salt)))

    def _tell(self, thing: object) -> None:
        with suppress(OSError, ValueError):  # it is gone, and `listen` says so; or nobody wants to know any more
            into = cast("IO[bytes]", self._process.stdin)
            pickle.dump(thing, into)
            into.flush()

    @property
    def unknown(self) -> dict[str, Unknown]:
        """What was not understood so far, in the windows that are closed."""
        return self.totals.unknown

    def assets(self) -> tuple[Asset, ...]:
        """The ends of industrial conversations, once all was heard."""
        return self._assets

    def listen(self, marks: Marks | None, check: Callable[[], object]) -> Iterator[Batch]:
        """Everything that the capture has; where a process fails, `error` says so, and what came before counts. What `check` raises ends it."""
        while (heard := self._next()) is not None:
            if marks is not None:
                for mark, last in heard.marks:
                    marks.add(mark, last)
            self.began, self.now, self.totals, self.error = heard.began, heard.now, heard.totals, heard.error
            if heard.failure is not None:
                raise heard.failure
            if heard.batch is None:
                self._assets, self.peak_kib = heard.assets, heard.peak_kib
                return
            check()
            yield heard.batch

    def _next(self) -> Heard | None:
        out: Any = self._process.stdout
        try:
            return pickle.load(out)  # noqa: S301 - this very program wrote it
        except (EOFError, pickle.UnpicklingError):
            status = self._process.wait()
            self.error = InputError("capture.apart", file=self.name, status=status, packets=f"{self.totals.packets:,}")
            return None

    def close(self) -> None:
        """Have it end, if it has not."""
        self._process.terminate()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent yet is not wanted
                cast("IO[bytes]", stream).close()
        self._process.wait()
