"""Supplements: what is told after a report was released, since it was not known then or has changed. Each is a duty of its own, with its own release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detectors.lifecycle import TransitionError
from reports.dutybook import duty_of, supplement_of
from reports.dutyrows import identity_of, of_alert, opening, written

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from records.store.contract import Change, Store
    from reports.obliging import Due

Row = dict[str, Any]
Ended = tuple[int, str]  # when and by whom a confirmation was taken back


def told_before(store: Store, due: Due) -> dict[str, str]:
    """What the receiver was told already: by what a supplement adds to, and by supplements before it. Nothing where none of it is released."""
    return {key: text for row in sorted(_released(store, due), key=lambda row: row["released"]) for key, text in written(row).items() if text.strip()}


def added(store: Store, due: Due, told: Mapping[str, str]) -> dict[str, Any]:
    """What a supplement adds to (`supplements`: its receipt), and of its form what is new. Raises TransitionError where nothing is."""
    before = told_before(store, due)
    new = {key: text for key, text in told.items() if text.strip() and text != before.get(key)}
    if not new:
        raise TransitionError("duty.nothing_new", id=due.row["id"][:12])
    return {"supplements": next(row["receipt"] for row in _released(store, due) if row["duty"] == due.duty.supplements), "form": new}


def following(store: Store, due: Due, told: Mapping[str, str], by: str) -> list[Change]:
    """The supplement that the release of a report opens: none where its form takes none, or where `told` has left nothing open."""
    duty = supplement_of(due.duty)
    if duty is None or due.duty.supplements or all(told.get(each.id, "").strip() for each in duty.later):
        return []
    return [_next(store, due, duty.id, by)]


def supplement(store: Store, due: Due, by: str) -> str:
    """Open a supplement to what was released, whatever was left open; its id. Raises TransitionError where it takes none, or one is open already."""
    duty = supplement_of(due.duty)
    if due.row["status"] != "released" or duty is None:
        raise TransitionError("duty.no_supplement", id=due.row["id"][:12])
    for row in of_alert(store, due.row["alert"]):
        if row["duty"] == duty.id and row["status"] == "open":
            raise TransitionError("duty.supplement_open", id=row["id"][:12])
    change = _next(store, due, duty.id, by)
    store.change([change])
    return change.id


def untold(rows: Sequence[Row], ended: Mapping[str, Ended | None]) -> dict[str, Ended | None]:
    """Of each stored duty, by id, when and by whom the confirmation of its alert was taken back; not where a supplement was released since."""
    latest: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["status"] == "released" and (duty := duty_of(row["duty"])) and duty.supplements:
            latest[row["alert"], duty.supplements] = max(row["released"], latest.get((row["alert"], duty.supplements), 0))

    def since(row: Row) -> Ended | None:
        found, duty = ended.get(row["alert"]), duty_of(row["duty"])
        about = row["alert"], (duty.supplements or duty.id) if duty else ""
        return None if found and row["status"] == "released" and latest.get(about, 0) > found[0] else found

    return {row["id"]: since(row) for row in rows}


def _released(store: Store, due: Due) -> list[Row]:
    """What was released of the same report: itself, and what was added."""
    base = due.duty.supplements or due.duty.id
    names = {base, *(each.id for each in [supplement_of(due.duty)] if each)}
    return [row for row in of_alert(store, due.row["alert"]) if row["duty"] in names and row["status"] == "released"]


def _next(store: Store, due: Due, duty: str, by: str) -> Change:
    number = sum(row["duty"] == duty for row in of_alert(store, due.row["alert"])) + 1
    return opening(identity_of(due.row["alert"], f"{duty}#{number}"), due.row["alert"], duty, due.row["confirmed"], "supplement", by)
