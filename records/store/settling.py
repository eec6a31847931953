"""What a commit changes beside rows that are only ever added: alerts, assets, detectors' state, the newest time. The same on every store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from records.errors import ConflictError
from records.schema import TABLES
from records.store.columns import conform, document, flat
from records.store.decisions import folded, put
from records.store.rows import alert_row, asset_row, finding_row, merged_asset

if TYPE_CHECKING:
    import pyarrow as pa

    from records.store.contract import Commit
    from records.store.decisions import Documents, Row


def settle(documents: Documents, commit: Commit, now: int) -> None:
    """Make the changes of a commit whose findings are there already. Raises ConflictError where somebody decided otherwise since it was made."""
    check(documents, commit)
    _put_changed(documents, "alert", folded(documents, map(alert_row, commit.alerts), now), now)
    _put_changed(documents, "asset", _merged(documents, commit), now)
    if commit.state:
        documents.set_state(commit.state)
    times = [documents.number("newest"), *(newest_of(rows) for rows in (commit.batch.activities, commit.batch.points, commit.batch.coverage))]
    known = [moment for moment in times if moment is not None]
    if known and max(known) != times[0]:
        documents.set_number("newest", max(known))


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


def _merged(documents: Documents, commit: Commit) -> list[Row]:
    bodies = documents.bodies_of("asset", "id", {asset.id for asset in commit.assets})
    rows: dict[str, Row] = {name: json.loads(body) for name, body in bodies.items()}
    for asset in commit.assets:
        row = asset_row(asset)
        rows[asset.id] = merged_asset(rows[asset.id], row) if asset.id in rows else row
    return list(rows.values())


def newest_of(rows: pa.Table) -> int | None:
    """The last packet time of a batch's table, or its last row's where that is not known."""
    times = [value for name in ("event.end", "@timestamp") if name in rows.column_names for value in [_latest(rows.column(name))] if value is not None]
    return max(times, default=None)


def _latest(column: Any) -> int | None:
    import pyarrow.compute

    compute: Any = pyarrow.compute
    latest: int | None = compute.max(column.cast("int64")).as_py()
    return latest
