"""What a commit changes beside rows that are only ever added: alerts, assets, evidence, detectors' state, the newest time. The same on every store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from records.errors import ConflictError
from records.schema import TABLES
from records.store import packets
from records.store.columns import conform, document, flat, newest_in
from records.store.decisions import ENTRIES, changed, folded, put
from records.store.manifest import Document
from records.store.merging import ALIAS, merge
from records.store.rows import alert_row, finding_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from records.store.contract import Commit
    from records.store.decisions import Documents, Row


def settle(documents: packets.Packets, commit: Commit, now: int) -> None:
    """Make the changes of a commit whose findings are there already. Raises ConflictError where somebody decided otherwise since it was made."""
    check(documents, commit)
    _put_changed(documents, "alert", folded(documents, map(alert_row, commit.alerts), now), now)
    _put_assets(documents, commit, now)
    packets.keep(documents, commit.evidence, now)
    if commit.state:
        documents.set_state(commit.state)
    newest, before = newest_in(commit.batch), documents.number("newest")
    if newest is not None and (before is None or newest > before):
        documents.set_number("newest", newest)


def restore(documents: Documents, table: str, rows: Sequence[Mapping[str, Any]], now: int) -> None:
    """Put flat rows of a table that may change as they are; an asset is found by its other identities, too."""
    put(documents, table, rows, now)
    if table == "audit" and rows:
        documents.set_number(ENTRIES, int(rows[-1]["id"]))
    if table == "asset":
        _put_aliases(documents, {alias: row["id"] for row in rows for alias in row["aliases"]}, now)


def check(documents: Documents, commit: Commit) -> None:
    """Raises ConflictError where the suppressions are not those that the commit was judged by."""
    if commit.judged not in {None, documents.number("version.suppression") or 0}:
        raise ConflictError("conflict.suppressions")


def documents_of(commit: Commit) -> dict[str, list[Row]]:
    """The rows of a commit that are kept as documents and never change, flat, by table."""
    kind = TABLES["coverage"]
    return {"finding": [finding_row(finding) for finding in commit.findings], "coverage": flat(kind, conform(kind, commit.batch.coverage))}


def _put_changed(documents: Documents, name: str, rows: list[Row], now: int) -> None:
    bodies = documents.bodies_of(name, "id", {row["id"] for row in rows})
    put(documents, name, [row for row in rows if bodies.get(row["id"]) != document(TABLES[name], row)], now)


def _put_assets(documents: Documents, commit: Commit, now: int) -> None:
    def stored(identities: Iterable[str]) -> list[Row]:
        """The stored assets of these identities, their own ones or other ones, each once."""
        wanted = set(identities)
        homes = documents.references(ALIAS, sorted(wanted))
        bodies = documents.bodies_of("asset", "id", sorted(wanted | {name for name in homes.values() if name}))
        return [json.loads(bodies[name]) for name in sorted(bodies)]

    done = merge(commit.assets, stored)
    _put_changed(documents, "asset", done.rows, now)
    if done.gone:
        documents.drop("asset", done.gone)
        changed(documents, "asset")
    _put_aliases(documents, done.aliases, now)


def _put_aliases(documents: Documents, aliases: Mapping[str, str], now: int) -> None:
    known = documents.references(ALIAS, aliases)
    documents.put(Document(ALIAS, alias, 0, name, now, "{}") for alias, name in sorted(aliases.items()) if known.get(alias) != name)
