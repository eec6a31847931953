"""The ledger of what was released: a folder of entries `000001.json`, each signed and chained to the one before; `docs/ledger.md` has the form.

An entry is canonical JSON (`reports.canonical`): what was released, the SHA-256 of the files that go with it (they lie in `000001/`), the hash of the
entry before, and a signature over all of it. Keys are made, rotated and revoked by entries of the same chain, so who might sign when is told by the chain.
An entry carries those key entries along, so that it can be verified alone, with the first public key.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.lifecycle import name as person
from records.errors import InputError, StoreError, UsageError
from records.regular import opened
from reports import canonical
from reports.keys import PUBLIC, signed

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from io import BufferedReader
    from pathlib import Path

    from reports.keys import Key

SCHEMA: Final = 1
PURPOSE: Final = b"balefire ledger entry v1\n"  # what is signed begins so: a signature counts for nothing else
NAMED: Final = re.compile(r"([0-9]{6})\.json")
MOST: Final = 999_999  # entries
ACTIONS: Final = ("make", "rotate", "revoke")
FILE: Final = re.compile(r"[\w][\w.()+ -]{0,149}")
LARGEST: Final = 64 << 20  # octets of an entry
FIELDS: Final = {
    "schema": int, "number": int, "previous": str | None, "kind": str, "time": str, "by": str, "key": str, "succession": list, "files": list, "document": dict,
}  # fmt: skip
_RECEIPT: Final = re.compile(r"([0-9]{1,6}):([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry by its number and hash, which covers all before it too: what a receiver keeps."""

    number: int
    hash: str

    def __str__(self) -> str:
        """As people note it."""
        return f"{self.number}:{self.hash}"

    @staticmethod
    def read(text: str) -> Receipt | None:
        """A receipt as it was noted; None for what is none."""
        found = _RECEIPT.fullmatch(text.strip())
        return Receipt(int(found[1]), found[2].lower()) if found else None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it was read. `octets` is the whole file; `body` is what was signed (see FIELDS)."""

    octets: bytes
    body: dict[str, Any]
    signature: str

    @property
    def number(self) -> int:
        """Its place in the chain, from 1."""
        return int(self.body["number"])

    @property
    def hash(self) -> str:
        """SHA-256 of its file."""
        return sha256(self.octets).hexdigest()

    @property
    def receipt(self) -> Receipt:
        """What a receiver keeps of it."""
        return Receipt(self.number, self.hash)

    @property
    def genuine(self) -> bool:
        """Whether the key that it names signed it; whether that key might is another question (`Authority`)."""
        return self.signed_by(str(self.body["key"]))

    def signed_by(self, key: str) -> bool:
        """Whether the key with this public half signed it, whatever key it names."""
        return signed(key, self.signature, PURPOSE + canonical.written(self.body))

    def succession(self) -> list[Entry]:
        """The key entries before it."""
        return [parsed(canonical.written(each)) for each in self.body["succession"]]


@dataclass
class Authority:
    """Which keys might sign, as key entries tell one after the other, beginning with those that are `trusted` (public halves)."""

    trusted: set[str]
    revoked: set[str]

    @staticmethod
    def of(trusted: set[str]) -> Authority:
        """The authority that begins with these keys."""
        return Authority(set(trusted), set())

    def allows(self, entry: Entry) -> bool:
        """Whether the entry's key might sign where this stands."""
        return entry.body["key"] in self.trusted - self.revoked

    def begins_anew(self, entry: Entry) -> bool:
        """Whether the entry makes a key by itself where every key before it was revoked: no signature can vouch for that one."""
        told = entry.body["document"]
        made = entry.body["kind"] == "key" and told.get("action") == "make" and told.get("key") == entry.body["key"]
        return made and bool(self.revoked) and not self.trusted - self.revoked

    def follow(self, entry: Entry) -> None:
        """Take in what an entry that is genuine and allowed says of keys."""
        if entry.body["kind"] != "key":
            return
        action, key = entry.body["document"].get("action"), str(entry.body["document"].get("key"))
        if action == "rotate" and key not in self.revoked:
            self.trusted = (self.trusted - {entry.body["key"]}) | {key}
        elif action == "revoke":
            self.revoked.add(key)


def parsed(octets: bytes) -> Entry:
    """An entry of these octets. Raises InputError unless they are canonical and have an entry's fields, no more."""
    if len(octets) > LARGEST:
        raise InputError("ledger.large", limit=LARGEST >> 20)
    read = canonical.read(octets)
    found = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
    body: object = found.get("entry")
    if found.get("kind") == "summary" and isinstance(found.get("id"), str):
        raise UnsignedError("ledger.unsigned", id=found["id"])
    if set(found) != {"entry", "signature"} or not isinstance(body, dict) or not isinstance(found["signature"], str):
        raise InputError("ledger.form", field="entry, signature")
    fields = cast("dict[str, Any]", body)
    wrong = sorted(set(FIELDS) ^ set(fields)) or [name for name, kind in FIELDS.items() if not isinstance(fields[name], kind)]
    if wrong or fields["schema"] != SCHEMA or not 1 <= fields["number"] <= MOST or not PUBLIC.fullmatch(fields["key"]):
        raise InputError("ledger.form", field=", ".join(wrong) or "schema, number, key")
    about = cast("dict[str, Any]", fields["document"])
    if fields["kind"] == "key" and (about.get("action") not in ACTIONS or not PUBLIC.fullmatch(str(about.get("key")))):
        raise InputError("ledger.form", field="document")
    for file in fields["files"]:
        told = cast("dict[str, Any]", file) if isinstance(file, dict) else {}
        if set(told) != {"name", "sha256", "size"} or not FILE.fullmatch(str(told["name"])) or not PUBLIC.fullmatch(str(told["sha256"])):
            raise InputError("ledger.form", field="files")
    return Entry(octets, fields, found["signature"])


def entry_at(file: Path) -> Entry:
    """The entry in a file. Raises InputError, UnsignedError and, where it cannot be read, StoreError."""
    try:
        with opened(file) as there:
            return parsed(there.read(LARGEST + 1))
    except OSError as error:
        raise StoreError("ledger.unreadable", file=file, problem=error.strerror or error) from error


def digest(file: Path) -> str:
    """SHA-256 of a file. Raises OSError and, for a pipe or the like, StoreError."""
    with opened(file) as there:
        return file_digest(there, "sha256").hexdigest()


class UnsignedError(UsageError):
    """It is the document of a report, which nobody signed: what was released of it is an entry."""


class Ledger:
    """The folder that one organisation's releases are in. Of two who write at once, one waits for the other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._thread = threading.RLock()  # the file's lock is the process's: of its threads, this one lets one in, and that one again
        self._depth = 0

    def numbers(self) -> list[int]:
        """The numbers of its entries, in order."""
        try:
            return sorted(int(found[1]) for file in self.root.iterdir() if (found := NAMED.fullmatch(file.name)))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError("ledger.unreadable", file=self.root, problem=error.strerror or error) from error

    def path(self, number: int) -> Path:
        """Where an entry is."""
        return self.root / f"{number:06}.json"

    def folder(self, number: int) -> Path:
        """Where the files are that were released with it."""
        return self.root / f"{number:06}"

    def read(self, number: int) -> Entry:
        """An entry by its number."""
        return entry_at(self.path(number))

    def released(self, identity: str) -> Entry | None:
        """The last entry whose document has this `id`; None where there is none."""
        return next((each for each in map(self.read, reversed(self.numbers())) if each.body["document"].get("id") == identity), None)

    def key_entries(self) -> list[Entry]:
        """The entries about keys, in order."""
        return [each for each in map(self.read, self.numbers()) if each.body["kind"] == "key"]

    def signer(self) -> str | None:
        """The key whose turn it is to sign: the last one made or rotated to; None where it was revoked, or there is none."""
        current: str | None = None
        for entry in self.key_entries():
            key = str(entry.body["document"]["key"])
            if entry.body["document"]["action"] != "revoke":
                current = key
            elif key == current:
                current = None
        return current

    def release(self, key: Key, document: dict[str, Any], files: Sequence[Path], *, by: str, time: str, kind: str = "report") -> Entry:
        """Put a document and its files at the end of the chain, all or nothing, and once: where one of this `id` is there, that one stays and is returned.
        `time`: ISO 8601, by the clock of who releases.

        Raises InputError for a document that cannot be held exactly, StoreError, and UsageError where it is not this key's turn to sign.
        """
        with self.alone():
            if kind != "key" and "id" in document and (there := self.released(str(document["id"]))):
                return there
            names = [file.name for file in files]
            if bad := [name for name in names if not FILE.fullmatch(name) or names.count(name) > 1]:
                raise UsageError("ledger.name", name=bad[0])
            numbers = self.numbers()
            last = self.read(numbers[-1]) if numbers else None
            if last and (not last.genuine or last.number != numbers[-1] or len(numbers) != numbers[-1]):
                raise StoreError("ledger.broken", file=self.path(numbers[-1]))
            self._turn(key, kind, document)
            number = (last.number if last else 0) + 1
            kept = self._kept(number, files)
            succession = [canonical.read(each.octets) for each in self.key_entries()] if kind != "key" else []
            body = {
                "schema": SCHEMA, "number": number, "previous": last.hash if last else None, "kind": kind, "time": time, "by": person(by), "key": key.public,
                "succession": succession, "files": kept, "document": document,
            }  # fmt: skip
            octets = canonical.written({"entry": body, "signature": key.sign(PURPOSE + canonical.written(body))})
            entry = parsed(octets)
            self._put(self.path(number), octets)
            return entry

    def _turn(self, key: Key, kind: str, document: dict[str, Any]) -> None:
        """Raises UsageError where it is another key's turn. The first key of all, or after a revocation, is made by itself; one in
        its turn may say the same of itself, so that it has signed.
        """
        turn = self.signer()
        begins = kind == "key" and document.get("action") == "make"
        if not begins if turn is None else turn != key.public or (begins and document.get("key") != turn):
            raise UsageError("ledger.turn" if turn else "ledger.no_key", public=(turn or "")[:16])

    def _kept(self, number: int, files: Sequence[Path]) -> list[dict[str, Any]]:
        """Copy the files to where they belong; what one who died has left there is not in any entry, and goes."""
        beside, folder = self.root / f".{number:06}.new", self.folder(number)
        for left in (beside, folder):
            shutil.rmtree(left, ignore_errors=True)
        if not files:
            return []
        told: list[dict[str, Any]] = []
        place = folder
        try:
            beside.mkdir()
            for file in files:
                place, copy = folder / file.name, beside / file.name
                with _source(file) as source, copy.open("wb") as put:
                    shutil.copyfileobj(source, put)
                _settle(copy)
                told.append({"name": file.name, "sha256": digest(copy), "size": copy.stat().st_size})
            place = folder
            beside.rename(folder)
            _settle(self.root)
        except OSError as error:
            raise StoreError("ledger.unwritable", file=place, problem=error.strerror or error) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)  # of a disk that is full for one
        return told

    def _put(self, path: Path, octets: bytes) -> None:
        new = path.with_name(f".{path.name}.new")
        try:
            new.write_bytes(octets)
            _settle(new)
            new.rename(path)
            _settle(self.root)
        except OSError as error:
            new.unlink(missing_ok=True)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)  # the files that were to go with it
            raise StoreError("ledger.unwritable", file=path, problem=error.strerror or error) from error

    @contextmanager
    def alone(self) -> Generator[None]:
        """Be the only one who writes, in as many steps as it takes; a lock that its holder's death frees."""
        with self._thread:
            lock = None if self._depth else self._lock()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if lock is not None:
                    os.close(lock)

    def _lock(self) -> int:
        """Take the file's lock."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError("ledger.unwritable", file=self.root, problem=error.strerror or error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except BaseException:  # told to stop while waiting
            os.close(lock)
            raise
        return lock


def _source(file: Path) -> BufferedReader:
    """A file that is to go with an entry. Raises StoreError."""
    try:
        return opened(file)
    except OSError as error:
        raise StoreError("ledger.unreadable", file=file, problem=error.strerror or error) from error


def _settle(path: Path) -> None:
    """See that it is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
