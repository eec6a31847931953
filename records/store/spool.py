"""The spool: commits on their way to a store that may be away, on this machine's disk until the store has them.

A commit is one segment, a file of its own: a line that says how long it is and what it hashes to, then the findings, assets and states as JSON, then
the rows as Arrow streams and the packets of findings. A segment is whole on the disk before anybody goes on, and goes when the store has taken it in;
delivered twice it changes nothing, so a writer that was killed delivers again what it is not sure of. A segment that is not what was written is put aside
as `.corrupt`, and the others are delivered. Beside a segment stands, as `.told`, of which alerts people have heard that wait with it. The spool holds
`limit` octets, what was put aside included: where it is full, whoever writes has to wait for the store, so nothing is dropped here.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import io
import json
import os
import re
from contextlib import suppress
from dataclasses import fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records.errors import StoreError
from records.homes import expanded
from records.model import Batch, Evidence
from records.schema import TABLES
from records.store.columns import conform
from records.store.contract import Commit
from records.store.place import sync
from records.store.rows import asset_from, asset_row, finding_from, finding_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from records.model import Alert

LIMIT: Final = 4 << 30
LETTERS: Final = "dead-letters.jsonl"  # what the store refused, beside the segments
FORMAT: Final = "balefire-spool-1"
TOLD: Final = ".told"
_ROWS: Final = ("activities", "points", "coverage")
_TABLES: Final = ("activity", "point", "coverage")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


def place_of(identity: str) -> Path:
    """The directory of what waits for the store of this identity, however it is addressed: below BALEFIRE_SPOOL, else in the user's data directory."""
    return _above() / identity


def places_of(prefix: str) -> list[Path]:
    """The directories of what waits for stores of this name in any cluster: whose is whose, only their ledgers tell."""
    return sorted(path for path in _above().glob(f"{prefix}-*") if re.fullmatch(f"{re.escape(prefix)}-[0-9a-f]{{16}}", path.name) and path.is_dir())


def _above() -> Path:
    import platformdirs

    return expanded(os.environ.get("BALEFIRE_SPOOL") or platformdirs.user_data_path("balefire") / "spool")


class Spool:
    """The segments of one writer, in order. Others write to the same store from slots of their own; what they left when they died is ours to deliver."""

    def __init__(self, root: Path, limit: int = LIMIT) -> None:
        self.root = root
        self.limit = limit
        self._locks: list[int] = []
        self._left: list[Path] = []
        try:
            for new in [each for each in (root, *root.parents) if not each.is_dir()][::-1]:
                new.mkdir(0o700, exist_ok=True)
                sync(new.parent)
            self._slot = self._claimed()
        except OSError as error:
            raise StoreError("spool.place", path=root, reason=error.strerror or error) from error
        # no number comes twice: what was put aside under it would be overwritten
        self._next = 1 + max((int(path.stem) for kind in ("segment", "corrupt") for path in self._slot.glob(f"[0-9]*.{kind}")), default=0)

    def _claimed(self) -> Path:
        """A slot for this writer. Slots with segments that nobody holds are taken too: their writer has ended."""
        mine: Path | None = None
        for number in range(1 << 16):
            slot = self.root / f"{number}"
            there = slot.is_dir()
            if mine is not None and not there:
                return mine
            if not there:
                slot.mkdir(0o700, exist_ok=True)
                sync(self.root)  # a segment outlives a power failure only with the way to it
            if (lock := _locked(slot)) is None:
                continue
            for begun in slot.glob("*.tmp"):  # by a writer that was killed before anybody went on
                begun.unlink()
            left = self._segments(slot)
            if mine is None or left:
                self._locks.append(lock)
                self._left += left
                mine = mine or slot
            else:
                os.close(lock)
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def _segments(self, slot: Path) -> list[Path]:
        return sorted(slot.glob("[0-9]*.segment"))

    def left(self) -> list[Path]:
        """Segments that were there when the spool was opened and still are, in order."""
        return [path for path in self._left if path.exists()]

    def put(self, commit: Commit) -> Path:
        """Keep a commit: it is on the disk when this returns. Raises StoreError where there is no room."""
        content = encoded(commit)
        if held(self.root) + len(content) > self.limit:
            raise StoreError("spool.full", path=self.root, limit=self.limit >> 20)
        path = self._slot / f"{self._next:012}.segment"
        beside = path.with_suffix(".tmp")
        try:
            beside.touch(0o600)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.rename(path)
            sync(self._slot)
        except OSError as error:
            beside.unlink(missing_ok=True)
            if error.errno in _FULL:
                raise StoreError("spool.full", path=self.root, limit=self.limit >> 20) from error
            raise StoreError("spool.place", path=self.root, reason=error.strerror or error) from error
        self._next += 1
        return path

    def take(self, path: Path) -> Commit:
        """The commit of a segment. Raises StoreError for one that cannot be read or is not what was written, which is put aside."""
        try:
            return decoded(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            aside = path.with_suffix(".corrupt")
            try:
                path.rename(aside)
            except OSError as refused:
                raise StoreError("spool.place", path=self.root, reason=refused.strerror or refused) from error
            raise StoreError("spool.corrupt", path=aside, reason=error) from error

    def done(self, path: Path) -> None:
        """The store has it."""
        path.unlink(missing_ok=True)
        path.with_suffix(TOLD).unlink(missing_ok=True)

    def tell(self, path: Path, alerts: Iterable[Alert]) -> None:
        """Note that people have heard of the alerts that wait with this segment, whatever ends us; of what cannot be noted they hear once more."""
        rows = [{"id": alert.id, "severity": alert.severity, "title.en": alert.title.en, "title.zh": alert.title.zh} for alert in alerts]
        with suppress(OSError):
            note = path.with_suffix(TOLD)
            note.touch(0o600)
            note.write_text(json.dumps(rows, ensure_ascii=False), "utf-8", "replace")

    def is_told(self, path: Path) -> bool:
        """Have people heard of what waits there?"""
        return path.with_suffix(TOLD).exists()

    def close(self) -> None:
        """Let go of the slots."""
        for lock in self._locks:
            os.close(lock)
        self._locks = []


def waiting(root: Path) -> tuple[int, int]:
    """(segments that wait, their octets)"""
    sizes = _sizes(root, "segment")
    return len(sizes), sum(sizes)


def held(root: Path) -> int:
    """The octets that count towards the limit: segments that wait, that are being written, and that were put aside."""
    return sum(size for kind in ("segment", "tmp", "corrupt") for size in _sizes(root, kind))


def corrupt(root: Path) -> list[Path]:
    """Segments that were put aside."""
    return sorted(root.glob("*/*.corrupt"))


def waiting_alerts(root: Path) -> list[dict[str, Any]]:
    """The alerts that are not stored yet and that people have heard of, by the names of their columns."""
    rows: list[dict[str, Any]] = []
    for path in sorted(root.glob(f"*/*{TOLD}")):
        with suppress(OSError, ValueError):  # it is stored meanwhile, or being written
            rows += json.loads(path.read_text("utf-8"))
    return rows


def _sizes(root: Path, kind: str) -> list[int]:
    sizes: list[int] = []
    for path in root.glob(f"*/*.{kind}"):
        with suppress(FileNotFoundError):  # others deliver theirs meanwhile
            sizes.append(path.stat().st_size)
    return sizes


def _locked(slot: Path) -> int | None:
    handle = os.open(slot / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def encoded(commit: Commit) -> bytes:
    """A commit as a segment. What depends on the store (alerts, and the version of the suppressions) is worked out when it is delivered."""
    streams = [_stream(getattr(commit.batch, name)) for name in _ROWS]
    head = {
        "findings": [finding_row(finding) for finding in commit.findings],
        "assets": [asset_row(asset) for asset in commit.assets],
        "state": {name: base64.b64encode(state).decode() for name, state in commit.state.items()},
        "evidence": [_evidence_head(evidence) for evidence in commit.evidence],
        "streams": [len(stream) for stream in streams],
    }
    packets = [evidence.octets for evidence in commit.evidence]
    body = b"".join([json.dumps(head, ensure_ascii=False).encode("utf-8", "replace"), b"\n", *streams, *packets])
    return f"{FORMAT} {len(body)} {_hash(body)}\n".encode() + body


def decoded(content: bytes) -> Commit:
    """The commit of a segment. Raises ValueError where it is not what was written."""
    first, _, body = content.partition(b"\n")
    if first.split(b" ") != [FORMAT.encode(), str(len(body)).encode(), _hash(body).encode()]:
        raise ValueError("length or hash")
    line, _, rest = body.partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    tables = [conform(TABLES[name], rows) for name, rows in zip(_TABLES, _tables(rest, head["streams"]), strict=True)]
    states = {name: base64.b64decode(state) for name, state in head["state"].items()}
    evidence = tuple(_evidence(rest[sum(head["streams"]) :], head.get("evidence", [])))
    findings, assets = tuple(map(finding_from, head["findings"])), tuple(map(asset_from, head["assets"]))
    return Commit(Batch(*tables), findings, (), assets, states, evidence=evidence)


def _evidence_head(evidence: Evidence) -> dict[str, Any]:
    """Evidence without its packets, which stand behind the rows."""
    told: dict[str, Any] = {field.name: getattr(evidence, field.name) for field in fields(evidence)}
    return told | {"octets": len(evidence.octets)}


def _evidence(content: bytes, heads: list[dict[str, Any]]) -> Iterator[Evidence]:
    start = 0
    for head in heads:
        end = start + int(head["octets"])
        told: dict[str, Any] = head | {"numbers": tuple(head["numbers"]), "octets": content[start:end]}
        yield Evidence(**told)
        start = end


def _hash(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


def _stream(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return sink.getvalue()


def _tables(content: bytes, lengths: list[int]) -> Iterator[pa.Table]:
    start = 0
    for length in lengths:
        with pa.ipc.open_stream(pa.BufferReader(content[start : start + length])) as reader:
            yield reader.read_all()
        start += length
