"""Captures that end inside a record, or make no sense at some place: what coverage tells of one, so that the store knows it, too."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sensors.sources.files import GZIP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from records.errors import BalefireError

# errors of a capture that was begun, by their name in the mark: what else ends a capture is no fault of it
MARKED: Final = {f"capture.{name}": name for name in ("cut", "corrupt", "torn", "gzip", "unreadable", "interfaces")} | {
    f"stream.{name}": f"stream_{name}" for name in ("cut", "corrupt", "gzip", "unreadable")
}
STREAMED: Final = {f"capture.{name}": f"stream.{name}" for name in ("cut", "corrupt", "gzip", "unreadable", "header", "unknown")}
LONGEST: Final = 1 << 14  # octets of a mark: a path may have a quarter of that
MOST: Final = 1 << 62
TOLD: Final = ("packet", "offset", "skipped", "name", "reason")


def of_stream(error: BalefireError) -> BalefireError:
    """The same of what came over a line: there is no file that could be had again."""
    return type(error)(STREAMED.get(error.key, error.key), **error.values)


def mark(name: str, error: BalefireError, path: str | None) -> str:
    """What is told of a capture of this name; empty where it is not at fault. `path`: where it lies, None where it came through a pipe."""
    if error.key not in MARKED:
        return ""
    told = {value: error.values.get(value) for value in TOLD}
    return json.dumps({"error": MARKED[error.key], "file": name, "left": _left(path, error), **told}, ensure_ascii=False, default=str)


def told_in(octets: bytes) -> str:
    """A mark that stands in a capture, where it is one of ours; empty where it is not: what is captured is hostile."""
    if not octets or len(octets) > LONGEST:
        return ""
    try:
        told: Any = json.loads(octets)
        known = {"error", "file", "left", *TOLD}
        if set(told) != known or told["error"] not in MARKED.values() or not isinstance(told["file"], str):
            return ""
        numbers = all(told[name] is None or (type(told[name]) is int and 0 <= told[name] < MOST) for name in ("left", "packet", "offset", "skipped"))
        return json.dumps(told, ensure_ascii=False) if numbers and all(isinstance(told[name], str | None) for name in ("name", "reason")) else ""
    except (ValueError, TypeError, RecursionError):
        return ""


def joined(marks: Sequence[str]) -> str | None:
    """Those of one window: the first, which holds the `others`."""
    told = list(dict.fromkeys(marks))
    if len(told) < 2:
        return told[0] if told else None
    return json.dumps(json.loads(told[0]) | {"others": [json.loads(each) for each in told[1:]]}, ensure_ascii=False)


def _left(path: str | None, error: BalefireError) -> int | None:
    """Octets of the file that were not read: those that were passed over, else all from there on; None where it is compressed, or a pipe."""
    told: Any = error.values
    if error.key == "capture.torn":
        return int(told["octets"])
    if error.key != "capture.interfaces" and path is not None:
        with suppress(OSError), Path(path).open("rb") as file:
            if file.read(len(GZIP)) != GZIP:
                return max(0, file.seek(0, 2) - int(told["offset"]))
    return None
