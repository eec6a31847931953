"""Whether what was released is what was signed: of one entry, one file that goes with it, or a whole ledger, offline, with a public key alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from records.errors import BalefireError, UsageError
from reports.altering import changed
from reports.ledger import NAMED, Authority, Ledger, UnsignedError, digest, entry_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.ledger import Entry, Receipt

GIVEN: Final = "given"
BESIDE: Final = "beside"
ALONE: Final = "alone"  # the problem of what may be genuine and cannot be judged by what is here


@dataclass
class Verdict:
    """What was found. `problem` names a text `verify.<problem>`, filled in with `values`; None where all is as it was signed. `at`: the file it shows in.

    `trust`: "given" where the public key came from the reader, "beside" where it was taken from what is verified, which proves no origin.
    `absent` are files that go with an entry and were not there to be looked at, `missing` the numbers of entries that were not; `unnamed` are
    files of the folder that no entry names.
    """

    problem: str | None = None
    values: dict[str, object] = field(default_factory=dict[str, object])
    at: str | None = None
    entries: int = 0
    receipt: Receipt | None = None
    keys: set[str] = field(default_factory=set[str])
    trust: str = GIVEN
    absent: list[str] = field(default_factory=list[str])
    missing: list[int] = field(default_factory=list[int])
    unnamed: list[str] = field(default_factory=list[str])

    @property
    def valid(self) -> bool:
        """Whether nothing was found."""
        return self.problem is None

    @property
    def judged(self) -> bool:
        """Whether what is here suffices to say so."""
        return self.problem != ALONE

    def found(self, problem: str, at: str, **values: object) -> None:
        """Note the first thing that is wrong."""
        if self.problem is None:
            self.problem, self.values, self.at = problem, values, at


def is_ledger(path: Path) -> bool:
    """Whether this is a ledger or something out of one, and not a store."""
    return path.is_file() or (path.is_dir() and any(NAMED.fullmatch(each.name) for each in path.iterdir()))


def verify(path: Path, keys: Sequence[str], receipts: Sequence[Receipt] = (), *, some: bool = False) -> Verdict:
    """Verify a file or folder. `some`: the folder holds only some of the entries, those that one receiver was sent: gaps are told and are no fault.

    Raises UsageError where there is nothing to verify.
    """
    if path.is_dir():
        return _Reader(Ledger(path), keys, whole=not some).all(receipts)
    if not path.is_file():
        raise UsageError("ledger.nothing", path=path)
    went_with = _entry_of(path)
    if went_with is None and path.suffix != ".json":
        raise UsageError("ledger.no_entry", file=path)
    entry, given = (went_with, path) if went_with else (path, None)  # whatever an entry is called, unless it went with another one
    return _Reader(Ledger(entry.parent), keys, whole=False, given=given).one(entry, receipts)


def _entry_of(file: Path) -> Path | None:
    """The entry that a report's file (PDF, XLSX …) went with: beside its folder, or in it; of several that name such a file, the one it fits.

    What is called as entries are is one, unless its folder's entry names it.
    """
    folder = file.absolute().parent
    beside, naming = folder.parent / f"{folder.name}.json", None
    for entry in ([beside] if beside.is_file() else []) + ([] if NAMED.fullmatch(file.name) else sorted(folder.glob("*.json"))):
        try:
            told = next((each for each in entry_at(entry).body["files"] if each["name"] == file.name), None)
        except BalefireError:
            continue
        if told and told["sha256"] == digest(file):
            return entry
        naming = naming or (entry if told else None)
    return naming


class _Reader:
    """Reads entries in turn. Whole: every one has to be there, so each vouches for all before it; else each has to stand for itself."""

    def __init__(self, ledger: Ledger, keys: Sequence[str], *, whole: bool, given: Path | None = None) -> None:
        self._ledger, self._given, self._whole = ledger, set(keys), whole
        self._file = given  # one that goes with the entry: this is looked at, whatever lies in its place beside the entry
        self._verdict = Verdict(trust=GIVEN if keys else BESIDE)
        self._authority = Authority.of(self._given)
        self._unvouched = set[str]()  # keys that were made after a revocation and not given
        self._vouched = False  # whether an entry was signed by a key that was given
        self._hashes: dict[int, str] = {}
        self._beside = set[str]()  # files of entries that lie beside these, not in their folders
        self._key_entries: list[bytes] = []
        self._before: Entry | None = None
        self._unjudged: list[tuple[Entry, str]] = []  # key entries by themselves, which carry nothing that leads to their key
        self._led = set[bytes]()  # the key entries that led to those that are allowed

    def one(self, file: Path, receipts: Sequence[Receipt]) -> Verdict:
        """An entry alone; files of it that are not there are told."""
        self._entry(file, complete=False)
        return self._ended(receipts)

    def all(self, receipts: Sequence[Receipt]) -> Verdict:
        """Every entry of the folder, in order."""
        for number in self._ledger.numbers():
            self._entry(self._ledger.path(number), complete=True)
            if not self._verdict.valid:
                break
        else:
            self._verdict.unnamed = self._unnamed()
        return self._ended(receipts)

    def _unnamed(self) -> list[str]:
        """What lies here and was not looked at. What is hidden is of those who write here."""
        root = self._ledger.root
        known = self._beside | {name for number in self._hashes for name in (self._ledger.path(number).name, self._ledger.folder(number).name)}
        strange = [each for each in root.glob("[!.]*") if each.name not in known]
        found = [*(each for each in strange if not each.is_dir()), *(file for each in strange for file in each.glob("*"))]
        return sorted(str(each.relative_to(root)) for each in found)

    def _ended(self, receipts: Sequence[Receipt]) -> Verdict:
        verdict, last = self._verdict, self._before
        for entry, at in self._unjudged:
            if entry.octets not in self._led:
                verdict.found(ALONE, at, public=str(entry.body["key"])[:16], number=entry.number)
        verdict.entries, verdict.keys = len(self._hashes), self._given
        verdict.receipt = last.receipt if last else None
        if last and not self._vouched and self._whole:
            verdict.found("stranger", self._ledger.path(1).name, public=str(self._ledger.read(1).body["key"])[:16], number=1)
        for receipt in sorted(receipts, key=lambda each: each.number):
            name = f"{receipt.number:06}.json"
            if receipt.number not in self._hashes:
                verdict.found("cut_off" if self._whole else "no_entry", name, number=receipt.number, last=last.number if last else 0)
            elif self._hashes[receipt.number] != receipt.hash:
                verdict.found("other", name, number=receipt.number)
        return verdict

    def _entry(self, file: Path, *, complete: bool) -> None:
        verdict = self._verdict
        try:
            entry = entry_at(file)
            succession = entry.succession()
        except BalefireError as error:
            if isinstance(error, UnsignedError) and not complete:  # not in a ledger, where it has taken the place of an entry
                raise
            return verdict.found("unreadable", file.name, why=error)
        if not self._given:
            self._given = {str((succession or [entry])[0].body["key"])}
            self._authority = Authority.of(self._given)
        named = NAMED.fullmatch(file.name)
        if named and int(named[1]) != entry.number:
            return verdict.found("moved", file.name, number=entry.number)
        if complete:
            self._gap(entry)
        if not entry.genuine:
            return self._not_genuine(entry, succession, file)
        if complete:
            self._follows(entry, file.name)
        (self._in_chain if self._whole else self._by_itself)(entry, succession, file.name)
        self._files(entry, file.parent, complete=complete)
        self._hashes[entry.number], self._before = entry.hash, entry
        return None

    def _not_genuine(self, entry: Entry, succession: list[Entry], file: Path) -> None:
        """Whether another key that is known signed just this text, or the text or the signature was changed, and what of them."""
        told = [str(each.body["document"]["key"]) for each in succession if each.body["kind"] == "key"]
        known = dict.fromkeys([*sorted(self._given | self._authority.trusted | self._authority.revoked), *told])
        signer = next((each for each in known if entry.signed_by(each)), None)
        if signer is not None:
            return self._verdict.found("signer", file.name, number=entry.number, public=signer[:16], named=str(entry.body["key"])[:16])
        before = self._before if self._before and self._before.number == entry.number - 1 else None
        sure, unsure = changed(entry, succession, before, self._ledger.folder(entry.number))
        return self._verdict.found("altered" if sure else "signature", file.name, number=entry.number, fields=", ".join(sure or unsure))

    def _gap(self, entry: Entry) -> None:
        """Whether entries are missing before it."""
        gap = list(range((self._before.number if self._before else 0) + 1, entry.number))
        if gap and self._whole:
            self._verdict.found("removed", f"{gap[0]:06}.json", number=gap[0])
        self._verdict.missing += gap

    def _follows(self, entry: Entry, at: str) -> None:
        """Whether it is chained to the one before, where that is here."""
        before = self._before.number if self._before else 0
        if entry.number == before + 1 and entry.body["previous"] != (self._before.hash if self._before else None):
            self._verdict.found("unchained", at, number=entry.number, before=before)

    def _in_chain(self, entry: Entry, succession: list[Entry], at: str) -> None:
        """Whether its key might sign where it stands; the chain tells whose turn it was, and an entry of a key that was given vouches for all before."""
        key = str(entry.body["key"])
        if self._before is None:
            self._authority = Authority.of(self._given | {key})
        if entry.body["kind"] != "key" and [each.octets for each in succession] != self._key_entries:
            self._verdict.found("succession", at, number=entry.number)
        self._allowed(entry, at)
        self._vouched |= key in self._given
        if entry.body["kind"] == "key":
            self._key_entries.append(entry.octets)

    def _by_itself(self, entry: Entry, succession: list[Entry], at: str) -> None:
        """Whether the keys that were given lead to its own by the key entries that it carries along."""
        for each in succession:
            if each.genuine and self._authority.begins_anew(each):
                self._anew(each)
            if each.genuine and self._authority.allows(each):
                self._authority.follow(each)
        if entry.body["kind"] == "key" and not self._known(entry):
            self._unjudged.append((entry, at))
            return
        self._allowed(entry, at)
        if self._verdict.valid:
            self._led |= {each.octets for each in succession}

    def _known(self, entry: Entry) -> bool:
        """Whether anything can be said of its key."""
        key = str(entry.body["key"])
        return key in self._authority.trusted | self._authority.revoked | self._unvouched or self._authority.begins_anew(entry)

    def _anew(self, entry: Entry) -> None:
        """A key that was made after the revocation of all before it: believed where it was given, or where nobody gave any key and all is taken from here."""
        key = str(entry.body["key"])
        if self._verdict.trust == BESIDE:
            self._given.add(key)
        if key in self._given:
            self._authority.trusted.add(key)
        else:
            self._unvouched.add(key)

    def _allowed(self, entry: Entry, at: str) -> None:
        key = str(entry.body["key"])
        if self._authority.begins_anew(entry):
            self._anew(entry)
        if key in self._authority.revoked:
            self._verdict.found("revoked", at, public=key[:16], number=entry.number)
        elif key in self._unvouched:
            self._verdict.found("anew", at, public=key[:16], number=entry.number)
        elif not self._authority.allows(entry):
            self._verdict.found("stranger", at, public=key[:16], number=entry.number)
        else:
            self._authority.follow(entry)

    def _files(self, entry: Entry, root: Path, *, complete: bool) -> None:
        """Whether the files that went with it are what they were; `complete`: they have to be there."""
        folder = root / f"{entry.number:06}"
        told = {str(each["name"]): each for each in entry.body["files"]}
        for name, each in told.items():
            given = self._file if self._file and self._file.name == name else None
            file = given or next((place for place in (folder / name, root / name) if place.is_file()), None)
            shown = str(given or f"{entry.number:06}/{name}")
            if file == root / name:
                self._beside.add(name)
            if file is None and complete:
                self._verdict.found("file_gone", shown, name=name)
            elif file is None:
                self._verdict.absent.append(name)
            elif file.stat().st_size != each["size"] or digest(file) != each["sha256"]:
                self._verdict.found("file_changed", shown, name=name)
        others = sorted({each.name for each in folder.iterdir()} - set(told)) if folder.is_dir() else []
        if others:
            self._verdict.found("file_added", f"{entry.number:06}/{others[0]}", name=others[0])
