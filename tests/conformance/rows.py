"""What is compared: messages. Lines of `balefire dissect --json` become messages here, and two lists of messages are told apart."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sensors.listing import lines
from sensors.protocols.modbus import ERRORS
from sensors.sources.pcap import find, open_capture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODES: Final = {name: code for code, name in ERRORS.items()}


@dataclass(frozen=True)
class Seen:
    """One message. None where a baseline does not say; `exception` is 0 where it says that there is none."""

    packet: int | None = None
    answer: bool | None = None
    source: str | None = None
    source_port: int | None = None
    target: str | None = None
    target_port: int | None = None
    unit: int | None = None
    function: int | None = None
    first: int | None = None
    quantity: int | None = None
    exception: int | None = None
    sub: int | None = None
    values: tuple[float, ...] | None = None
    space: str | None = None
    also: tuple[int, int] | None = None  # function 23: first and quantity of what is written


@dataclass(frozen=True)
class Disagreement:
    """`theirs` without `ours`, `ours` without `theirs`, or both where they differ."""

    place: int
    theirs: Seen | None
    ours: Seen | None

    @property
    def columns(self) -> tuple[str, ...]:
        """What differs; empty where a whole message is missing."""
        if self.theirs is None or self.ours is None:
            return ()
        return tuple(name for name, value in asdict(self.theirs).items() if value is not None and value != getattr(self.ours, name))


def dissect(path: Path) -> list[dict[str, Any]]:
    """The lines of one capture."""
    (capture,) = find([str(path)])
    source = open_capture(capture)
    try:
        return list(lines(source, str(path)))
    finally:
        source.close()


def _exception(row: dict[str, Any]) -> int:
    error = row["error"]
    return 0 if error is None else CODES[error] if error in CODES else int(error.removeprefix("exception_"))


def messages(rows: list[dict[str, Any]]) -> list[Seen]:
    """The messages that these lines stand for, in the order of the packets that completed them; function 23's two lines are one message each way."""
    made: list[Seen] = []
    written: dict[tuple[Any, ...], tuple[int, int]] = {}
    for row in rows:
        if row["protocol"] != "modbus":
            continue
        whose = (row["packet"], row["response_packet"], row["source"]["port"], row["unit"])
        if row["code"] == "23" and row["effect"] == "value.write":
            first, last = row["object"]["first"], row["object"]["last"]
            written[whose] = (first, last - first + 1) if first is not None else (-1, 0)
            continue
        made += _two(row, written.get(whose) if row["code"] == "23" else None)
    return sorted(made, key=lambda message: message.packet or 0)


def _two(row: dict[str, Any], also: tuple[int, int] | None) -> Iterator[Seen]:
    path = [int(part) for part in (row["code"] or "-1").split("/")]
    first, last = row["object"]["first"], row["object"]["last"]
    ends = (row["source"]["ip"], row["source"]["port"], row["destination"]["ip"], row["destination"]["port"])
    exception = _exception(row)
    common: dict[str, Any] = {
        "unit": row["unit"], "first": first, "quantity": None if first is None else last - first + 1, "sub": path[1] if len(path) > 1 else None,
        "values": tuple(value for value in row["values"] if not isinstance(value, str)), "also": also,
        "space": row["object"]["space"],
    }  # fmt: skip
    if row["packet"] is not None:
        yield Seen(row["packet"], False, *ends, function=path[0], exception=0, **common)
    if row["response_packet"] is not None:
        yield Seen(row["response_packet"], True, *ends[2:], *ends[:2], function=path[0] | (0x80 if exception else 0), exception=exception, **common)


def _columns(theirs: Seen) -> tuple[str, ...]:
    return tuple(name for name, value in asdict(theirs).items() if value is not None)


def _agree(theirs: Seen, ours: Seen) -> bool:
    return all(getattr(ours, name) == getattr(theirs, name) for name in _columns(theirs))


def compare(theirs: list[Seen], ours: list[Seen]) -> list[Disagreement]:
    """Row by row in order. A baseline that names packets is compared packet by packet, others by the alignment that agrees in most columns."""
    if theirs and theirs[0].packet is not None:
        return _by_packet(theirs, ours)
    found: list[Disagreement] = []
    at, to = 0, 0
    for i, j in [*_aligned(theirs, ours), (len(theirs), len(ours))]:
        left, right = theirs[at:i], ours[to:j]
        for n, row in enumerate(left):
            other = next((one for one in right if (one.answer, one.function) == (row.answer, row.function) or row.function is None), None)
            if other is not None:
                right.remove(other)
            found.append(Disagreement(at + n, row, other))
        found += [Disagreement(at, None, one) for one in right]
        at, to = i + 1, j + 1
    return found


def _aligned(theirs: list[Seen], ours: list[Seen]) -> list[tuple[int, int]]:
    """Pairs of rows that agree, in the order of both; of all such alignments the one with most columns (the rows are few: a table of all pairs)."""
    best = [[0] * (len(ours) + 1) for _ in range(len(theirs) + 1)]
    for i in range(len(theirs) - 1, -1, -1):
        for j in range(len(ours) - 1, -1, -1):
            both = best[i + 1][j + 1] + len(_columns(theirs[i])) if _agree(theirs[i], ours[j]) else 0
            best[i][j] = max(both, best[i + 1][j], best[i][j + 1])
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(theirs) and j < len(ours):
        if _agree(theirs[i], ours[j]) and best[i][j] == best[i + 1][j + 1] + len(_columns(theirs[i])):
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _by_packet(theirs: list[Seen], ours: list[Seen]) -> list[Disagreement]:
    """Within a packet, rows that agree belong together, then rows of one function and direction."""
    mine: dict[int, list[Seen]] = defaultdict(list)
    for message in ours:
        mine[message.packet or 0].append(message)
    found: list[Disagreement] = []
    left: list[tuple[int, Seen]] = []
    for place, message in enumerate(theirs):
        here = mine[message.packet or 0]
        match = next((one for one in here if _agree(message, one)), None)
        if match is None:
            left.append((place, message))
        else:
            here.remove(match)
    for place, message in left:
        here = mine[message.packet or 0]
        match = next((one for one in here if (one.answer, one.function) == (message.answer, message.function)), None)
        if match is not None:
            here.remove(match)
        found.append(Disagreement(place, message, match))
    return found + [Disagreement(-1, None, one) for rest in mine.values() for one in rest]
