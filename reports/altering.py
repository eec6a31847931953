"""What of an entry was changed that its signature does not fit: told by what else here vouches for its parts, for a signature only says that something was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from reports import canonical
from reports.keys import signed
from reports.ledger import PURPOSE, digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from reports.ledger import Entry

KINDS: Final = ("report", "warning", "key")
ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's group: the second half of a signature is below it (RFC 8032, 5.1.7)


def changed(entry: Entry, succession: Sequence[Entry], before: Entry | None, folder: Path) -> tuple[list[str], list[str]]:
    """(the parts of an entry that is not genuine which do not fit what else is here, where there are none those of which nothing here tells).

    `before`: the entry before it, if it is here; `folder`: of its files.
    """
    told = dict(_told(entry, succession, before, folder))
    sure = [name for name, whole in told.items() if whole is False]
    return sure, [] if sure else [name for name, whole in told.items() if whole is None]


def _told(entry: Entry, succession: Sequence[Entry], before: Entry | None, folder: Path) -> Iterator[tuple[str, bool | None]]:
    """Each part with whether it is as it was signed; None where that is not known."""
    body = entry.body
    yield "document", _document(body["document"])
    yield "files", _files(body["files"], folder)
    yield "kind", not any(_fits(entry, kind) for kind in KINDS)
    yield "time", None
    yield "by", None
    yield "previous", None if before is None else body["previous"] == before.hash
    yield "succession", all(each.genuine for each in succession)
    yield "signature", None if _signature(entry.signature) else False


def _fits(entry: Entry, kind: str) -> bool:
    """Whether the signature fits what the entry would be with another kind."""
    return signed(str(entry.body["key"]), entry.signature, PURPOSE + canonical.written({**entry.body, "kind": kind}))


def _files(told: Sequence[dict[str, Any]], folder: Path) -> bool | None:
    """Whether the files are those that the entry tells of; unknown where one is missing."""
    there = [(folder / str(each["name"]), each["sha256"]) for each in told]
    if any(file.is_file() and digest(file) != wanted for file, wanted in there):
        return False
    return all(file.is_file() for file, _ in there) or None


def _document(document: dict[str, Any]) -> bool | None:
    """Whether a report is what its name says, which ends in a digest of it; other documents have no such name."""
    from reports.kept import NAME
    from reports.summary import identity

    named = document.get("kind") == "summary" and NAME.fullmatch(str(document.get("id")))
    return identity(document) == document["id"] if named else None


def _signature(text: str) -> bool:
    """Whether this may be a signature at all."""
    return bool(re.fullmatch(r"[0-9a-f]{128}", text)) and int.from_bytes(bytes.fromhex(text[64:]), "little") < ORDER
