"""What people decide, inside a transaction of a store: rows change by revision, and every change has its entry in the audit trail.

The trail is append-only and chained: an entry's hash covers what it says and the hash of the one before, so that one that was changed or taken out of
the middle shows. Apart from it stands how many entries there are, so that an end that was cut off shows. Who sets back that too is found out where
somebody noted a seal elsewhere: the number of an entry and its hash.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Protocol

from records.errors import ConflictError
from records.nesting import iso
from records.query import Query
from records.schema import TABLES
from records.store.columns import decoded, document, flat
from records.store.manifest import Document
from records.visible import check_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from records.store.contract import Change, Store

Row = dict[str, Any]
ENTRIES: Final = "entries"  # the name of the number of entries in the trail
ITSELF: Final = "balefire"  # who an entry is by where nobody decided: a new finding reopened an alert
_SEAL: Final = re.compile(r"(\d{1,12}):([0-9a-fA-F]{40})")
DECIDED: Final = ("status", "assignee", "verdict", "closed", "revision")  # an alert's fields that only people change, and reopening


class Documents(Protocol):
    """The rows of a store that may change, inside one of its transactions. Bodies are lines of JSON, by identity."""

    def bodies_of(self, kind: str, column: str, wanted: Iterable[str], /) -> dict[str, str]:
        """Documents whose `column` ("id" or "key") is one of these."""
        ...

    def totals(self, kind: str, references: Iterable[str], /) -> dict[str, int]:
        """How many documents of a table hang on each of these keys, where any do."""
        ...

    def references(self, kind: str, identities: Iterable[str], /) -> dict[str, str | None]:
        """The keys of these documents, by identity."""
        ...

    def last(self, kind: str, /) -> dict[str, Any] | None:
        """The document with the highest identity."""
        ...

    def put(self, documents: Iterable[Document], /) -> None:
        """Insert or replace documents."""
        ...

    def drop(self, kind: str, identities: Iterable[str], /) -> None:
        """Delete these documents."""
        ...

    def number(self, name: str, /) -> int | None:
        """A number kept under a name."""
        ...

    def set_number(self, name: str, value: int, /) -> None:
        """Keep a number under a name."""
        ...

    def set_state(self, states: dict[str, bytes], /) -> None:
        """Keep detectors' states."""
        ...


def decide(documents: Documents, changes: Sequence[Change], now: int) -> None:
    """Make these changes, all or none: whoever calls has begun a transaction. Raises ConflictError, and UsageError for a text that is none."""
    rows: dict[tuple[str, str], Row] = {}
    entries: list[Row] = []
    for change in changes:
        for text in (change.note, *change.values.values()):
            check_text(text)
        place = (change.table, change.id)
        if change.table not in TABLES:
            entries.append(entry(change.action, change.by, *place, change.before, change.values, change.note))
            continue
        stored = rows.get(place) or _stored(documents, *place)
        _check(change, stored)
        before = {name: (stored or {}).get(name) for name in change.values}
        entries.append(entry(change.action, change.by, *place, before if stored else None, change.values or None, change.note))
        if change.values:
            rows[place] = {**(stored or {"id": change.id}), **change.values, "revision": (change.revision or 0) + (stored is not None)}
    for table in TABLES:
        put(documents, table, [row for (kind, _id), row in rows.items() if kind == table], now)
    append(documents, entries, now)


def _stored(documents: Documents, table: str, identity: str) -> Row | None:
    body = documents.bodies_of(table, "id", [identity]).get(identity)
    return json.loads(body) if body else None


def _check(change: Change, stored: Row | None) -> None:
    """Raises ConflictError unless the row is as it was when this was decided."""
    if stored is None and (change.revision is not None or not change.values):
        raise ConflictError("conflict.gone", id=change.id)
    if change.values and (stored["revision"] if stored else None) != change.revision:
        raise ConflictError(f"conflict.{change.table}", id=change.id)


def folded(documents: Documents, rows: Iterable[Row], now: int) -> list[Row]:
    """Folded alerts as they are to be stored: what people decided stays, reopening is told in the trail, and findings are counted in the store.

    Raises ConflictError where somebody decided about one since it was read.
    """
    given = list(rows)
    bodies = documents.bodies_of("alert", "id", [row["id"] for row in given])
    counts = documents.totals("finding", [row["id"] for row in given])
    entries: list[Row] = []
    for row in given:
        stored: Row | None = json.loads(bodies[row["id"]]) if row["id"] in bodies else None
        if (stored["revision"] if stored else 0) != row["revision"]:
            raise ConflictError("conflict.alert", id=row["id"])
        row["count"] = counts.get(row["id"], row["count"])
        if stored is None:
            continue
        if stored["status"] == "closed" and row["status"] != "closed":
            before, after = ({name: each[name] for name in ("status", "closed", "verdict")} for each in (stored, row))
            entries.append(entry("reopen", ITSELF, "alert", row["id"], before, after))
            row["revision"] += 1
        else:
            row |= {name: stored[name] for name in DECIDED}
    append(documents, entries, now)
    return given


def entry(action: str, by: str, table: str, subject: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, note: str = "") -> Row:
    """An entry of the trail that has no place in it yet."""
    kind = TABLES.get(table)  # what has no rows has plain values
    dates = {field.name for field in kind.fields if field.type == "date"} if kind else set[str]()
    texts: Row = {"before": None, "after": None}
    for name, values in (("before", before), ("after", after)):
        if values is not None:
            known = {field: value for field, value in decoded(values, table).items() if field not in kind.bulk} if kind else values
            told = {field: iso(value) if field in dates and value is not None else value for field, value in known.items()}
            texts[name] = json.dumps(told, ensure_ascii=False)
    return {"by": by, "action": action, "table": table, "subject": subject, **texts, "note": note or None}


def append(documents: Documents, entries: Sequence[Row], now: int) -> None:
    """Put entries at the end of the trail."""
    if not entries:
        return
    last = documents.last("audit")
    number, seal = (int(last["id"]), str(last["hash"])) if last else (0, "")
    for row in entries:
        number += 1
        row |= {"id": f"{number:012}", "time": now}
        seal = row["hash"] = sealed(row, seal)
    put(documents, "audit", entries, now)
    documents.set_number(ENTRIES, number)


@dataclass(frozen=True, slots=True)
class Seal:
    """An entry of the trail by its number, and its hash, which covers all before it too."""

    number: int
    hash: str

    def __str__(self) -> str:
        """As people note it."""
        return f"{self.number}:{self.hash}"

    @staticmethod
    def read(text: str) -> Seal | None:
        """A seal as it was noted; None for what is none."""
        found = _SEAL.fullmatch(text.strip())
        return Seal(int(found[1]), found[2].lower()) if found else None


def sealed(row: Mapping[str, Any], before: str) -> str:
    """The hash of an entry (flat, JSON as text) that stands after one with the hash `before`."""
    said = [before, *(row[field.name] for field in TABLES["audit"].fields if field.name != "hash")]
    return blake2b(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"), digest_size=20).hexdigest()


def put(documents: Documents, name: str, rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Insert or replace documents of one table. Some hang on others by their key: a finding on its alert, an entry on its subject."""
    if rows:
        kind, key = TABLES[name], {"finding": "alert", "audit": "subject"}.get(name, "key")
        documents.put(Document(name, row["id"], row[kind.time], row.get(key), now, document(kind, row)) for row in rows)
        changed(documents, name)


def changed(documents: Documents, name: str) -> None:
    """Tell readers that a table of documents is not what they have read."""
    documents.set_number(f"version.{name}", (documents.number(f"version.{name}") or 0) + 1)


def last(store: Store) -> Seal | None:
    """The seal of a store's trail as it ends now; None where nobody decided anything."""
    found = flat(TABLES["audit"], store.read("audit", Query(sort="-id", limit=1)))
    return Seal(int(found[0]["id"]), str(found[0]["hash"])) if found else None


def broken(store: Store, noted: Seal | None = None) -> str | None:
    """The first entry of a store's trail that is not what was written there, does not follow the one before, or is missing; None where all are there.

    It is told by the chain, by how many the store knows of, and by a seal that was `noted` elsewhere.
    """
    least = max(store.entries() or 0, noted.number if noted else 0)  # asked for first: others may follow meanwhile
    seal, number = "", 0
    query = Query(sort="id", limit=10_000)
    while (page := store.read("audit", query)).num_rows:
        for row in flat(TABLES["audit"], page):
            number += 1
            if row["id"] != f"{number:012}" or row["hash"] != sealed(row, seal) or (noted and noted.number == number and noted.hash != row["hash"]):
                return str(row["id"])
            seal = str(row["hash"])
        query = replace(query, after=f"{number:012}")
    return f"{number + 1:012}" if number < least else None
