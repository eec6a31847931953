"""What is past its retention goes: which rows that are, and the entry of the audit trail that tells of them.

Rows and documents go by their time and their last write. An alert also has to be closed; its findings stay as long as it does, and their packets as long as
they do: nobody is left with an alert that he can no longer look into.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from records.nesting import iso
from records.store import packets
from records.store.decisions import append, changed, entry
from records.store.manifest import guard
from records.store.parquet import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from records.store.decisions import Documents
    from records.store.manifest import File, Manifest

EXPIRING: Final = ("evidence", "finding", "alert", "incident", "coverage")  # documents that go, each before what it hangs on; the others last
IN_PARQUET: Final = ("activity", "point")


def tell(documents: Documents, gone: Mapping[str, int], before: int, by: str, now: int) -> None:
    """Enter in the trail how many rows of each table go, and who had it done."""
    append(documents, [entry("retire", by, table, iso(before), None, {"rows": rows}) for table, rows in gone.items()], now)


def expired(manifest: Manifest, before: int) -> dict[str, int]:
    """How many rows of a directory's tables are past their retention, by table; those without any are left out."""
    counts = {name: sum(file.rows for file in _old(manifest, name, before)) for name in IN_PARQUET}
    counts |= {name: manifest.count_old(name, before) for name in EXPIRING}
    return {name: rows for name, rows in counts.items() if rows}


def retire(root: Path, manifest: Manifest, before: int, by: str, now: int) -> dict[str, int]:
    """Drop them, inside a transaction: readers that have begun keep their files for a while."""
    gone = expired(manifest, before)
    for name in IN_PARQUET:
        old = _old(manifest, name, before)
        with guard(root):
            for file in old:
                os.utime(root / file.name)
        manifest.retire_files(file.name for file in old)
    for name in EXPIRING:
        if manifest.drop_old(name, before):
            changed(manifest, name)
    packets.forget(manifest)
    tell(manifest, gone, before, by, now)
    return gone


def _old(manifest: Manifest, name: str, before: int) -> list[File]:
    """The files of the days whose end, and the last write to any of whose files, are both before."""
    files = manifest.files(name, None, before)
    lasting = {file.day for file in files if max((file.day + 1) * DAY, file.written) >= before}
    return [file for file in files if file.day not in lasting]
