"""What each file of a recording reaches over, noted beside it once it is closed (`sensors.spans`): by a process of its own that has the least priority and
ends when all is noted, so that no packet waits for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from sensors.rights import ALONE, forgo
from sensors.sources.pcap import SPAN
from sensors.tied import tie

LEAST: Final = 4 << 20  # octets of a file for which that is worth it: what is smaller is read as soon
LOOK_S: Final = 10.0
IDLE: Final = 19  # nice(2)


class Indexing:
    """Of the recording in this folder, while somebody writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._looked = folder, 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """Start what notes it, where there is something to be noted and it does not run."""
        if time.monotonic() - self._looked < LOOK_S or (self._process is not None and self._process.poll() is None):
            return
        self._looked = time.monotonic()
        if unnoted(self._folder):
            command = (sys.executable, "-m", "sensors.indexing", str(self._folder))
            nothing = subprocess.DEVNULL  # what it would say is no line of ours
            self._process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, env=os.environ | ALONE)  # noqa: S603 - this very Python

    def close(self) -> None:
        """What is not noted by now is noted next time."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def unnoted(folder: Path) -> list[Path]:
    """Files that are closed (the newest may be written), large enough, and not noted, the oldest first."""
    from sensors.recording import files, octets

    return [file for file in files(folder)[:-1] if not file.with_name(file.name + SPAN).exists() and octets(file) >= LEAST]


def note(path: Path) -> None:
    """Read a file and note what it reaches over; of one that is damaged, that anything may be in it."""
    from sensors import spans
    from sensors.decoding import Decoder
    from sensors.engine.tables import FOREVER
    from sensors.sensor import BATCH
    from sensors.sources.pcap import find, open_capture

    (capture,) = find([str(path)])
    decoder, span, error = Decoder(BATCH), spans.Span(FOREVER, -1), capture.error
    if error is None:
        with closing(open_capture(capture)) as source:
            while decoder.read(source):
                span.add(decoder)
            error = source.error
    spans.note(path, spans.Span(0, FOREVER, None, None) if error else span)


def main() -> int:
    """Note what is not noted in a folder."""
    forgo()
    tie()
    os.nice(IDLE)
    from sensors.engine import mode

    mode.choose(mode.SMALL_OCTETS + 1)
    for path in unnoted(Path(sys.argv[1])):
        if path.exists():
            note(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
