"""Packets kept for findings, inside a transaction of a store: each content once, and bounded by size and age.

What goes leaves its row behind, so that a reader is told which packets were kept, and when and why they went.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa

from records.errors import StoreError
from records.store.decisions import Documents, put
from records.store.rows import evidence_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from records.model import Evidence

Row = dict[str, Any]
AGE, SIZE = "age", "size"
ROOM: Final = 16  # one part in so many
_CODEC: Final = pa.Codec("zstd")
_LENGTH: Final = 8  # octets before the compressed ones that tell how many come out


class Packets(Documents, Protocol):
    """Documents of a store beside which packets are kept, under their hash."""

    @property
    def path(self) -> Path | str:
        """Where the store is."""
        ...

    def bodies(self, kind: str, /) -> list[str]:
        """The documents of a table."""
        ...

    def written_before(self, kind: str, before: int, /) -> bool:
        """Was any of these documents last written before this time?"""
        ...

    def put_packets(self, content: str, body: bytes, /) -> None:
        """Keep octets under their hash, once."""
        ...

    def packets(self, content: str, /) -> bytes | None:
        """What is kept under a hash."""
        ...

    def drop_packets(self, contents: Iterable[str], /) -> None:
        """Keep these no more."""
        ...

    def packet_octets(self) -> dict[str, int]:
        """Octets that each takes, by its hash."""
        ...

    def packets_size(self) -> int:
        """Octets that all of them take."""
        ...


def keep(documents: Packets, given: Sequence[Evidence], now: int) -> None:
    """Keep the packets of these findings, where none are kept for them."""
    bodies = documents.bodies_of("evidence", "id", [evidence.finding for evidence in given])
    fresh = [evidence for evidence in given if _better(evidence, bodies.get(evidence.finding))]
    for content, octets in {evidence.sha256: evidence.octets for evidence in fresh}.items():
        if content:
            documents.put_packets(content, _packed(octets))
    put(documents, "evidence", [evidence_row(evidence, now) for evidence in fresh], now)


def _better(evidence: Evidence, body: str | None) -> bool:
    """Is there more than before: anything at all, or packets where none are?"""
    if body is None:
        return True
    row: Row = json.loads(body)
    return evidence.sha256 is not None and (row["sha256"] is None or row["gone"] is not None)


def _packed(octets: bytes) -> bytes:
    return len(octets).to_bytes(_LENGTH) + _CODEC.compress(octets, asbytes=True)


def body(documents: Packets, finding: str) -> bytes | None:
    """The packets of a finding (pcapng); None where none are kept."""
    found = documents.bodies_of("evidence", "id", [finding])
    row: Row = json.loads(found[finding]) if found else {}
    if not row.get("sha256") or row["gone"] is not None:
        return None
    packed = documents.packets(row["sha256"])
    try:
        octets = _CODEC.decompress(packed[_LENGTH:], int.from_bytes(packed[:_LENGTH]), asbytes=True) if packed else b""
    except (OSError, pa.ArrowInvalid, MemoryError, OverflowError):
        octets = b""
    if hashlib.sha256(octets).hexdigest() != row["sha256"]:
        raise StoreError("store.corrupt", path=documents.path, reason=f"evidence/{finding}")
    return octets


def thin(documents: Packets, most: int, before: int, now: int) -> int:
    """Let go of packets: see the contract. Where there are too many, some room is made, so that it is not to be made again at once."""
    if documents.packets_size() <= most and not (before > 0 and documents.written_before("evidence", before)):
        return 0
    most -= most // ROOM if documents.packets_size() > most else 0
    rows: list[Row] = [row for text in documents.bodies("evidence") if (row := json.loads(text))["kept"] is not None and row["gone"] is None]
    needed = _open(documents, rows)
    order = sorted(rows, key=lambda row: (row["id"] in needed, row["kept"], row["time"], row["id"]))
    sizes = documents.packet_octets()
    holders: dict[str, int] = {}
    for row in rows:
        holders[row["sha256"]] = holders.get(row["sha256"], 0) + 1
    size = sum(sizes.get(content, 0) for content in holders)
    gone: list[Row] = []
    for row in order:
        aged = row["kept"] < before and row["id"] not in needed
        if not aged and size <= most:
            continue
        holders[row["sha256"]] -= 1
        size -= 0 if holders[row["sha256"]] else sizes.get(row["sha256"], 0)
        gone.append(row | {"gone": now, "reason": AGE if aged else SIZE})
    documents.drop_packets([content for content in sizes if not holders.get(content)])
    put(documents, "evidence", gone, now)
    return len(gone)


def _open(documents: Packets, rows: Iterable[Row]) -> set[str]:
    """The findings of alerts that are not closed."""
    homes = documents.references("finding", [row["id"] for row in rows])
    alerts = documents.bodies_of("alert", "id", {home for home in homes.values() if home})
    closed = {name for name, text in alerts.items() if json.loads(text)["status"] == "closed"}
    return {finding for finding, home in homes.items() if home and home in alerts and home not in closed}


def forget(documents: Packets) -> None:
    """Drop the packets that no row speaks of any more."""
    spoken = {json.loads(text)["sha256"] for text in documents.bodies("evidence")}
    documents.drop_packets(set(documents.packet_octets()) - spoken)
