"""Frames as tshark sees them: `-T fields`, a frame a line, every occurrence of each field in the order of the frame."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conformance.rows import Row

FRAME: Final = ("frame.number", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport")
BETWEEN: Final = "\x1f"
NO_PORT: Final = -1  # of frames that are not TCP or UDP


def present() -> bool:
    """Whether it is installed."""
    return shutil.which("tshark") is not None


def version() -> str:
    """Major and minor: what is decoded does not change otherwise."""
    text = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout
    return ".".join(text.split("Wireshark) ")[1].split(".")[:2])


@dataclass(frozen=True)
class Frame:
    """One frame: number, addresses, ports, and the fields asked for."""

    number: int
    source: str
    target: str
    source_port: int
    target_port: int
    fields: dict[str, list[str]]

    @property
    def ends(self) -> Row:
        """Who spoke to whom, as columns."""
        return {"source": self.source, "source_port": self.source_port, "target": self.target, "target_port": self.target_port}

    def numbers(self, name: str) -> list[int]:
        """A field's occurrences as numbers."""
        return [int(value, 0) for value in self.fields[name]]


def milliseconds(text: str) -> int:
    """A time as it prints it, `Nov 13, 2009 08:09:10.123000000 UTC`, since the epoch."""
    return round(datetime.strptime(text[:-7], "%b %d, %Y %H:%M:%S.%f").replace(tzinfo=UTC).timestamp() * 1000)


def frames(path: Path, wanted: str, names: tuple[str, ...], options: tuple[str, ...] = ()) -> Iterator[Frame]:
    """The frames of a capture that the display filter `wanted` finds."""
    shown = [word for name in (*FRAME, *names) for word in ("-e", name)]
    command = ["tshark", "-n", "-r", str(path), "-Y", wanted, *options, "-T", "fields", "-E", "occurrence=a", "-E", f"aggregator={BETWEEN}", *shown]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}).stdout
    for line in text.split("\n")[:-1]:
        number, source, target, *cells = line.split("\t")
        ports = [*(int(cell) for cell in cells[:4] if cell), NO_PORT, NO_PORT]
        yield Frame(
            int(number), source, target, ports[0], ports[1], {name: cell.split(BETWEEN) if cell else [] for name, cell in zip(names, cells[4:], strict=True)}
        )
