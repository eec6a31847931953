"""Captures: pcap and pcapng files, compressed with gzip or not, directories of them, and what comes through a pipe.

The formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. Finding captures needs no kernels: how those run is decided by what was found.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from records.errors import BalefireError, InputError, UsageError
from sensors.sources.again import seekable
from sensors.sources.files import PATIENCE_S, Digest, Pipe, Spool, beginning, open_stream
from sensors.sources.formats import look
from sensors.sources.interfaces import run_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from sensors.sources.again import Marks
    from sensors.sources.reader import CaptureSource
    from sensors.sources.stream import Seekable, Stream

HEAD: Final = 4 << 20  # the first packet is looked for in so many octets
STDIN: Final = "-"
ENDLESS: Final = 1 << 62  # octets of what has no known end


@dataclass(frozen=True, slots=True)
class Capture:
    """One capture that was given or found.

    `path` as given ("-" for standard input); `digest` and `size` of the file as given, empty and 0 where it cannot be read (what is no capture has no
    hash), the digest may still be reckoned; `first` the time of its first packet in nanoseconds since the epoch; `error` why it cannot be read at all.
    Its bytes lie in `file` as long as this object lives; of a `pipe` that is read as it comes they can be had once, and its digest and `size` are those
    of its beginning.
    """

    path: str
    name: str
    digest: str | Digest
    first: int | None = None
    error: BalefireError | None = None
    size: int = 0
    spool: Spool | None = field(default=None, repr=False, compare=False)
    pipe: Pipe | None = field(default=None, repr=False, compare=False)

    @property
    def file(self) -> str:
        """The path to open: of a pipe, that of its spool, which this process alone may open."""
        return self.spool.file if self.spool else self.path

    @property
    def sha256(self) -> str:
        """Its digest, waited for where it has to be."""
        return str(self.digest)

    @property
    def content(self) -> str:
        """The hash of all that was read of it."""
        return self.pipe.sha256 if self.pipe else self.sha256

    def open(self) -> Stream:
        """Its bytes, decompressed. Raises OSError."""
        return self.pipe.stream() if self.pipe else open_stream(self.file)

    def again(self) -> Seekable | None:
        """Its bytes once more, from anywhere; None where they are not kept. Raises OSError."""
        return self.pipe.again() if self.pipe else seekable(open_stream(self.file))


SPAN: Final = ".span"  # ends what is noted beside a file of a recording (`sensors.spans`)


class Found(list[Capture]):
    """Captures in the order of their first packets, those without any last. `left_out` are the files of directories that are no captures."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: list[str] = []


def find(paths: Sequence[str]) -> Found:
    """The captures that `paths` name: files, directories with all below them, "-" for standard input.

    Raises UsageError for a path that does not exist. What is wrong with a file stands in its `error`.
    """
    found = Found()
    for path in paths:
        if path == STDIN:
            found.append(_piped(path))
        elif _is_directory(path):
            _search(path, found)
        else:
            found.append(_capture(path))
    found.sort(key=lambda capture: (capture.first is None, capture.first or 0, capture.path))
    return found


def listen(file: BinaryIO | None = None, name: str = STDIN, end: Callable[[], None] | None = None, patience: float = PATIENCE_S) -> Found:
    """A pipe, else standard input, as a capture that is read as it comes, for as long as it goes on; `end` tells whoever writes it to end.

    What a sensor of ours writes is told from others by the name of its run, anything else by its beginning: octets that come within `patience` (seconds)
    of its first packet.
    """
    found = Found()
    if file is None and sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # so where the caller closed it
        found.append(_bad(name, InputError("capture.empty", file=name)))
        return found
    try:
        pipe = Pipe(file or sys.stdin.buffer, lambda stream: _begun(stream, name), end, patience)
        first, problem = _first(pipe.beginning(), name, whole=pipe.short)
        digest = "" if problem is not None and problem.key == "capture.unknown" else run_of(pipe.head) or pipe.salt
        found.append(Capture(name, name, digest, first, problem, len(pipe.head) if pipe.short else ENDLESS, pipe=pipe))
    except OSError as error:
        found.append(_bad(name, _unreadable(name, error)))
    return found


def open_capture(capture: Capture, marks: Marks | None = None) -> CaptureSource:
    """A source of the packets of `capture`; what cannot be opened is a source with an `error` and no packets. `marks` remember where packets stand."""
    from sensors.sources.reader import CaptureSource

    return CaptureSource(capture, marks)


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name no file can have
        raise UsageError("capture.missing", file=path) from None
    except OSError:
        return False  # it is there, and reading it says what is wrong


def _search(folder: str, found: Found) -> None:
    """All captures below `folder`. A file there that is no capture is left out, one that cannot be read is an error like any other."""
    failures: list[OSError] = []
    for path in _files(folder, failures):
        try:
            regular = stat.S_ISREG(Path(path).stat().st_mode)  # a pipe or a device would be read for ever
        except OSError:
            regular = False
        capture = _capture(path) if regular else None
        if capture is None or (capture.error is not None and capture.error.key in {"capture.unknown", "capture.empty"}):
            found.left_out.append(path)
        else:
            found.append(capture)
    found.extend(_bad(str(failure.filename), _unreadable(str(failure.filename), failure)) for failure in failures)


def _files(folder: str, failures: list[OSError]) -> Iterator[str]:
    for place, folders, files in os.walk(folder, onerror=failures.append):
        folders.sort()
        yield from (str(Path(place) / name) for name in sorted(files) if not name.endswith(SPAN))


def _capture(path: str) -> Capture:
    """Look at one file."""
    try:
        if stat.S_ISFIFO(Path(path).stat().st_mode):
            return _piped(path)
        return _look(path, path, None)
    except InputError as error:
        return _bad(path, error)
    except OSError as error:
        return _bad(path, _unreadable(path, error))


def _piped(path: str) -> Capture:
    """Spool what comes through a pipe, and look at that."""
    try:
        if path != STDIN:
            with Path(path).open("rb") as pipe:
                spool = Spool(path, pipe)
        elif sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # so where the caller closed it
            raise InputError("capture.empty", file=path)
        else:
            spool = Spool(path, sys.stdin.buffer)
        return _look(path, spool.file, spool)
    except InputError as error:
        return _bad(path, error)
    except OSError as error:
        return _bad(path, _unreadable(path, error))


def _look(path: str, file: str, spool: Spool | None) -> Capture:
    """Take the file's measure; its beginning says what it is. Raises OSError."""
    first, problem = _first(open_stream(file), path)
    digest: str | Digest = ""
    if problem is None or problem.key != "capture.unknown":  # whatever that is, it may be large
        digest = spool.sha256 if spool else Digest(file)
    return Capture(path, Path(path).name, digest, first, problem, Path(file).stat().st_size, spool)


def _first(stream: Stream, path: str, whole: bool = True) -> tuple[int | None, InputError | None]:
    """The time of the first packet near the beginning, and why it is no capture. Raises OSError."""
    try:
        head = beginning(stream, HEAD)
        damaged = stream.damaged and whole
    finally:
        stream.close()
    try:
        if damaged and not head:
            raise InputError("capture.gzip", file=path, offset=0, packet=1)
        return look(head, path), None
    except InputError as error:
        return None, error


def _begun(stream: Stream, name: str) -> bool:
    """Is there a packet, or will there never be one? Raises OSError."""
    first, problem = _first(stream, name, whole=False)
    return first is not None or (problem is not None and problem.key in {"capture.unknown", "capture.linktype"})


def _bad(path: str, error: BalefireError) -> Capture:
    return Capture(path, Path(path).name, "", error=error)


def _unreadable(path: str, error: OSError) -> InputError:
    return InputError("capture.unreadable", file=path, reason=error.strerror or str(error))
