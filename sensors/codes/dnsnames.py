"""Names and resource records of DNS messages (RFC 1035), read as plain octets: bounded, and never failing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from sensors.statements import ip_text

if TYPE_CHECKING:
    from collections.abc import Iterator

A, PTR, TXT, AAAA, SRV = 1, 12, 16, 28, 33
MOST_RECORDS: Final = 64  # of a message
MOST_JUMPS: Final = 32
MOST_NAME: Final = 255
_REVERSE: Final = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa", re.IGNORECASE)


class Record(NamedTuple):
    """One resource record: owner, type, where its data begin and end. `additional`: it stands behind the answers."""

    name: str
    kind: int
    start: int
    end: int
    additional: bool


def spelled(octets: bytes) -> str:
    """A name as it stands on the wire, without compression, as people write it."""
    return name_at(octets, 0)[0]


def name_at(octets: bytes, at: int) -> tuple[str, int]:
    """(the name at `at`, where it ends); what does not fit ends it."""
    parts: list[bytes] = []
    behind, jumps, total = -1, 0, 0
    while at < len(octets) and total <= MOST_NAME and jumps <= MOST_JUMPS:
        count = octets[at]
        if count >= 0xC0:
            behind = at + 2 if behind < 0 else behind
            at, jumps = (count & 0x3F) << 8 | (octets[at + 1] if at + 1 < len(octets) else 0), jumps + 1
        elif count == 0 or count > 63:
            at += 1
            break
        else:
            parts.append(octets[at + 1 : at + 1 + count])
            total += 1 + count
            at += 1 + count
    return b".".join(parts).decode("utf-8", "replace"), at if behind < 0 else behind


def records(octets: bytes) -> Iterator[Record]:
    """The records of a message, as far as it goes."""
    if len(octets) < 12:
        return
    questions, answers, authorities, additional = (int.from_bytes(octets[at : at + 2]) for at in (4, 6, 8, 10))
    at = 12
    for _ in range(min(questions, MOST_RECORDS)):
        at = name_at(octets, at)[1] + 4
    for number in range(min(answers + authorities + additional, MOST_RECORDS)):
        name, at = name_at(octets, at)
        if at + 10 > len(octets):
            return
        kind, count = int.from_bytes(octets[at : at + 2]), int.from_bytes(octets[at + 8 : at + 10])
        at += 10
        yield Record(name, kind, at, min(at + count, len(octets)), number >= answers)
        at += count


def addresses(octets: bytes, of: tuple[int, ...] = (A, AAAA)) -> Iterator[tuple[str, str]]:
    """(name, address) of every record that has an address of one host, as text."""
    for record in records(octets):
        told = ip_text(octets[record.start : record.end]) if record.kind in of else None
        if told and record.name:
            yield record.name, told


def reversed_address(name: str) -> str | None:
    """The IPv4 address that a name of the reverse tree stands for."""
    found = _REVERSE.fullmatch(name)
    return ip_text(bytes(int(part) & 255 for part in reversed(found.groups()))) if found else None
