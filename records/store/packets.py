"""Packets kept for findings, inside a transaction of the manifest: each content once, and bounded by size and age.

What goes leaves its row behind, so that a reader is told which packets were kept, and when and why they went.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records.errors import StoreError
from records.store.decisions import changed, put
from records.store.rows import evidence_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from records.model import Evidence
    from records.store.manifest import Manifest

Row = dict[str, Any]
AGE, SIZE = "age", "size"
ROOM: Final = 16  # one part in so many
_CODEC: Final = pa.Codec("zstd")
_LENGTH: Final = 8  # octets before the compressed ones that tell how many come out


def keep(manifest: Manifest, given: Sequence[Evidence], now: int) -> None:
    """Keep the packets of these findings, where none are kept for them."""
    bodies = manifest.bodies_of("evidence", "id", [evidence.finding for evidence in given])
    fresh = [evidence for evidence in given if _better(evidence, bodies.get(evidence.finding))]
    for content, octets in {evidence.sha256: evidence.octets for evidence in fresh}.items():
        if content and manifest.packets(content) is None:
            manifest.put_packets(content, _packed(octets))
    put(manifest, "evidence", [evidence_row(evidence, now) for evidence in fresh], now)


def _better(evidence: Evidence, body: str | None) -> bool:
    """Is there more than before: anything at all, or packets where none are?"""
    if body is None:
        return True
    row: Row = json.loads(body)
    return evidence.sha256 is not None and (row["sha256"] is None or row["gone"] is not None)


def _packed(octets: bytes) -> bytes:
    return len(octets).to_bytes(_LENGTH) + _CODEC.compress(octets, asbytes=True)


def body(manifest: Manifest, finding: str) -> bytes | None:
    """The packets of a finding (pcapng); None where none are kept."""
    found = manifest.bodies_of("evidence", "id", [finding])
    row: Row = json.loads(found[finding]) if found else {}
    if not row.get("sha256") or row["gone"] is not None:
        return None
    packed = manifest.packets(row["sha256"])
    try:
        octets = _CODEC.decompress(packed[_LENGTH:], int.from_bytes(packed[:_LENGTH]), asbytes=True) if packed else b""
    except (OSError, pa.ArrowInvalid, MemoryError, OverflowError):
        octets = b""
    if hashlib.sha256(octets).hexdigest() != row["sha256"]:
        raise StoreError("store.corrupt", path=manifest.path, reason=f"evidence/{finding}")
    return octets


def thin(manifest: Manifest, most: int, before: int, now: int) -> int:
    """Let go of packets: see the contract. Where there are too many, some room is made, so that it is not to be made again at once."""
    if manifest.packets_size() <= most and not (before > 0 and manifest.written_before("evidence", before)):
        return 0
    most -= most // ROOM if manifest.packets_size() > most else 0
    rows: list[Row] = [row for text in manifest.bodies("evidence") if (row := json.loads(text))["kept"] is not None and row["gone"] is None]
    needed = _open(manifest, rows)
    order = sorted(rows, key=lambda row: (row["id"] in needed, row["kept"], row["time"], row["id"]))
    sizes, size = manifest.packet_octets(), manifest.packets_size()
    holders: dict[str, int] = {}
    for row in rows:
        holders[row["sha256"]] = holders.get(row["sha256"], 0) + 1
    gone: list[Row] = []
    for row in order:
        aged = row["kept"] < before and row["id"] not in needed
        if not aged and size <= most:
            continue
        holders[row["sha256"]] -= 1
        size -= 0 if holders[row["sha256"]] else sizes.get(row["sha256"], 0)
        gone.append(row | {"gone": now, "reason": AGE if aged else SIZE})
    manifest.drop_packets(content for content, count in holders.items() if not count)
    put(manifest, "evidence", gone, now)
    return len(gone)


def _open(manifest: Manifest, rows: Iterable[Row]) -> set[str]:
    """The findings of alerts that are not closed."""
    homes = manifest.references("finding", [row["id"] for row in rows])
    alerts = manifest.bodies_of("alert", "id", {home for home in homes.values() if home})
    closed = {name for name, text in alerts.items() if json.loads(text)["status"] == "closed"}
    return {finding for finding, home in homes.items() if home and home in alerts and home not in closed}


def retire(manifest: Manifest, before: int) -> int:
    """Drop rows of evidence that are older, and the packets that no row speaks of any more."""
    dropped = manifest.drop_older("evidence", before)
    if dropped:
        changed(manifest, "evidence")
        spoken = {json.loads(text)["sha256"] for text in manifest.bodies("evidence")}
        manifest.drop_packets(set(manifest.packet_octets()) - spoken)
    return dropped
