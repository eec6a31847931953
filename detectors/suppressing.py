"""Making a suppression from an alert, narrowest first; what it would have hidden, what it hides, and ending it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from detectors.confirmed import going_on
from detectors.lifecycle import LONGEST, TransitionError, name
from detectors.looking import looked_until
from detectors.suppressions import ANCHORS, COLUMNS, DAY, check_networks, everything, field_named, matching, standing, test
from records.errors import UsageError
from records.model import Suppression
from records.nesting import iso
from records.nesting import values as plain
from records.query import Query, Terms
from records.schema import ACTIVITY, FINDING, arrow_schema
from records.search import Match, Or
from records.store.columns import conform
from records.store.contract import Change, again
from records.store.rows import suppression_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detectors.suppressions import Activities, Row
    from records.model import Value
    from records.store.contract import Store

DAYS: Final = 30  # that a suppression lasts where nobody says otherwise, and that a preview looks back
LONGEST_DAYS: Final = 366
MOST_VALUES: Final = 20  # of one field; a field that varies more says nothing about the next finding
MOST_FINDINGS: Final = 5_000  # of an alert, the newest, that its suppression is made from
MOST_SUPPRESSIONS: Final = 10_000  # that hide something
PAGE: Final = 20_000
# What a suppression may be about, narrowest first.
OFFERED: Final = (
    "ot.value", "ot.object.name", "ot.object.first", "ot.object.last", "ot.object.space", "ot.unit", "ot.error", "event.outcome", "event.action",
    "ot.code", "network.protocol", "destination.port", "source.mac", "destination.mac", "source.ip", "destination.ip", "effects", "observer.site", "rule",
    "detector",
)  # fmt: skip
_INSTEAD: Final = {"source.mac": "source.ip", "destination.mac": "destination.ip", "detector": "rule"}  # asked for only without the other


def known_activities(store: Store | None, fresh: pa.Table | None = None) -> Activities:
    """The activities of a store, where it is there, and of rows that are about to be written to it, as matching asks for them."""

    def read(identities: Sequence[str], since: int, until: int) -> pa.Table:
        rows = arrow_schema(ACTIVITY).empty_table() if fresh is None else conform(ACTIVITY, fresh)
        compute: Any = pc  # its stubs leave types open
        new = rows.filter(compute.is_in(rows.column("id"), pa.array(identities, pa.string())))
        missing = set(identities).difference(new.column("id").to_pylist())
        old = [store.read("activity", Query(since=since, until=until, ids=tuple(missing)))] if missing and store else []
        return pa.concat_tables([new, *old])

    return read


@dataclass(frozen=True, slots=True)
class Prefilled:
    """What an alert's findings have in common, narrowest field first: `where`, each field with every value that it has there.

    Any combination of these values fits, also one that the alert does not show. `varied` are the fields that are left out, for they have more than
    MOST_VALUES values.
    """

    where: Mapping[str, tuple[Value, ...]]
    varied: Mapping[str, tuple[Value, ...]]


def prefilled(store: Store, alert: str) -> Prefilled:
    """The narrowest conditions on single fields that hide all that this alert shows."""
    findings = _shown(store, alert)
    rows = _rows(findings)
    if not rows:
        raise UsageError("suppress.no_findings", id=alert)
    named = list(dict.fromkeys(each for row in rows for each in row["activities"] or ()))[: 4 * MOST_FINDINGS]
    acts = known_activities(store)(named, min(row["time"] for row in rows) - DAY, max(row["end"] for row in rows) + DAY)
    where: dict[str, tuple[Value, ...]] = {}
    varied: dict[str, tuple[Value, ...]] = {}
    for each in OFFERED:
        kind, own = field_named(each)
        column: Any = (findings if own else acts).column(kind.name)
        values = plain(column.combine_chunks().flatten() if kind.many else column, kind.type)
        distinct = tuple(dict.fromkeys(values))
        if any(value not in {None, ""} for value in distinct):
            (where if len(distinct) <= MOST_VALUES else varied)[each] = distinct
    told = [{each: values for each, values in some.items() if not any(where.get(_INSTEAD.get(each, ""), ()))} for some in (where, varied)]
    return Prefilled(*told)


def narrowed(offered: Prefilled, only: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """The conditions with, for each "FIELD=VALUE,VALUE" of `only`, no more than these of the values that the alert shows. Raises UsageError for others."""
    shown = {each: values for each in OFFERED if (values := offered.where.get(each) or offered.varied.get(each))}
    shown |= {each: values for each, values in offered.where.items() if each not in shown}  # of a stored suppression, which may have been widened
    chosen: dict[str, dict[Value, None]] = {}
    for wish in only:
        field_name, values = _asked(wish, shown)
        for one in values or ("",):
            fits = test(field_named(field_name)[0], (one,))
            fitting = [value for value in shown[field_name] if fits(value)]
            if not fitting:
                raise UsageError("suppress.not_shown", field=field_name, value=one or "", values=", ".join(map(str, shown[field_name])))
            chosen.setdefault(field_name, {}).update(dict.fromkeys(fitting))
    return {each: tuple(chosen.get(each, values)) for each, values in shown.items() if each in chosen or each in offered.where}


def _asked(wish: str, known: Mapping[str, object]) -> tuple[str, tuple[str | None, ...]]:
    """Which of the known fields "FIELD" or "FIELD=VALUE,VALUE" names, and its values; a value that is empty stands for absence."""
    asked, separator, text = wish.partition("=")
    field_name = {each.casefold(): each for each in known}.get(asked.strip().casefold())
    if field_name is None:
        raise UsageError("suppress.not_there", field=asked, fields=", ".join(known))
    return field_name, tuple(dict.fromkeys(part.strip() or None for part in text.split(","))) if separator else ()


def widened(where: Mapping[str, tuple[Value, ...]], wider: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """The conditions without the fields that `wider` names, or, for "FIELD=VALUE,VALUE", with other values that allow all that were allowed before."""
    made = dict(where)
    for wish in wider:
        field_name, allowed = _asked(wish, made)
        if field_name in ANCHORS:
            raise UsageError("suppress.anchor")
        if not allowed:
            del made[field_name]
            continue
        kind = field_named(field_name)[0]
        check_networks(kind, allowed)
        fits = test(kind, allowed)
        if not all(map(fits, made[field_name])):
            raise UsageError("suppress.narrower", field=field_name, value=wish.partition("=")[2], values=", ".join(map(str, made[field_name])))
        made[field_name] = allowed
    return made


def drafted(store: Store, alert: str, where: Mapping[str, tuple[Value, ...]], owner: str, reason: str, days: float = DAYS) -> Suppression:
    """A suppression from now on: how far those looked who saw the alert. Raises UsageError for one without an owner or a reason, or that lasts too long."""
    if not name(owner):
        raise UsageError("suppress.owner")
    if not reason.strip() or len(reason) > LONGEST:
        raise UsageError("suppress.reason", limit=LONGEST)
    if not 0 < days <= LONGEST_DAYS:
        raise UsageError("suppress.days", limit=LONGEST_DAYS)
    draft = Suppression("", name(owner), reason.strip(), 0, int(days * DAY), where, alert)
    return _dated(draft, _now(store, alert))


def _now(store: Store, alert: str | None) -> int:
    """How far those have looked who saw this alert; of none, the newest packet time."""
    known = store.alerts([alert]) if alert else []
    return looked_until(store, known[0]) if known else store.newest() or 0


def _dated(draft: Suppression, newest: int) -> Suppression:
    return replace(draft, since=newest + 1, until=newest + 1 + draft.until - draft.since)


def _hides(suppression: Suppression) -> str:
    """Its conditions, the same for all that hide the same."""
    return repr(sorted((each, sorted({"" if value is None else str(value).casefold() for value in values})) for each, values in suppression.where.items()))


def save(store: Store, draft: Suppression, by: str) -> Suppression:
    """Store it and tell the audit trail. It begins after what was seen by then: what was judged before stays as it was.

    Raises TransitionError where one that hides the same is in force.
    """

    if not name(by):
        raise UsageError("life.nobody")
    said = _hides(draft)

    def attempt() -> Suppression:
        newest, now = store.newest() or 0, _now(store, draft.alert)
        same = [each for each in store.suppressions()[1] if _hides(each) == said]
        if running := next((each for each in same if standing(each, now) == "in_force"), None):
            raise TransitionError("suppress.twice", id=running.id, owner=running.owner, until=iso(running.until))
        # The identity follows from what it hides, so that of two who make it at once, one comes first and the other conflicts, looks again and is refused.
        identity = blake2b(f"{said}\0{len(same)}".encode("utf-8", "replace"), digest_size=10).hexdigest()
        made = replace(_dated(draft, now), id=identity)
        values = {each: value for each, value in suppression_row(made).items() if each not in {"id", "revision"}}
        store.change([Change("suppression", made.id, None, "suppress", name(by), values)], newest)
        return made

    return again(attempt)


def revoke(store: Store, suppression: Suppression, by: str, note: str = "") -> None:
    """End it now: it hides nothing of what is seen from here on. What it hid stays hidden. Raises TransitionError where it has ended already."""

    def attempt() -> None:
        newest, now = store.newest() or 0, _now(store, suppression.alert)
        if (word := standing(suppression, now)) != "in_force":
            raise TransitionError(f"suppress.{word}", id=suppression.id)
        if not name(by):
            raise UsageError("life.nobody")
        values = {"until": max(suppression.since, now + 1), "revoked": now}
        store.change([Change("suppression", suppression.id, suppression.revision, "revoke", name(by), values, note.strip())], newest)

    again(attempt)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a suppression would have hidden between two packet times, had it been in force.

    `by_asset` counts findings, most first; `confirmed` are alerts that were found true; `hidden_already` findings are hidden by another one; `stays`
    counts findings of the alert that it is made from which would go on being seen, whenever they were; `everything` are the rules it hides altogether.
    """

    since: int
    until: int
    findings: int = 0
    hidden_already: int = 0
    alerts: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    by_asset: Mapping[str, int] = field(default_factory=dict[str, int])
    stays: int = 0
    everything: tuple[str, ...] = ()


def preview(store: Store, suppression: Suppression, days: int = DAYS) -> Preview:
    """What it would have hidden of the findings in the store, of the days of packet time before it begins and of what is later by other clocks."""
    newest = store.newest() or 0
    since, until = (suppression.since - 1 if suppression.since else newest) - days * DAY, newest + 1
    total, already, alerts, assets = 0, 0, dict[str, None](), dict[str, int]()
    for rows in pages(store, suppression, since, until):
        for at in matching(rows, [suppression], known_activities(store)):
            total += 1
            already += bool(rows[at]["suppressions"])
            alerts |= dict.fromkeys([rows[at]["alert"]] if rows[at]["alert"] else [])
            for asset in rows[at]["assets"] or ():
                assets[asset] = assets.get(asset, 0) + 1
    again = going_on(store)
    confirmed = tuple(alert.id for alert in store.alerts(alerts) if alert.verdict == "true" or alert.id in again)
    ordered = dict(sorted(assets.items(), key=lambda each: (-each[1], each[0])))
    return Preview(since, until, total, already, tuple(alerts), confirmed, ordered, _stays(store, suppression), everything(suppression.where))


def _stays(store: Store, suppression: Suppression) -> int:
    """How many findings of its alert, of those that suppressions are made from, it does not fit."""
    if not suppression.alert:
        return 0
    rows = _rows(_shown(store, suppression.alert))
    return len(rows) - len(matching(rows, [suppression], known_activities(store)))


def _shown(store: Store, alert: str) -> pa.Table:
    return store.read("finding", Query(where=Match("alert", alert), sort="-time", limit=MOST_FINDINGS))


def pages(store: Store, suppression: Suppression, since: int, until: int) -> Iterator[list[Row]]:
    """The stored findings of the rules it is about, a page at a time."""
    about = [Match(each, str(value)) for each in ANCHORS for value in suppression.where.get(each, ()) if value]
    query = Query(since=since, until=until, where=Or(tuple(about)), limit=PAGE)
    while (page := store.read("finding", query)).num_rows:
        yield _rows(page)
        query = replace(query, after=page.column("id")[-1].as_py())


def _rows(findings: pa.Table) -> list[Row]:
    columns = [each for each in FINDING.fields if each.name in {*COLUMNS, "alert", "suppressions"}]
    values = [plain(findings.column(each.name), each.type) for each in columns]
    return [dict(zip([each.name for each in columns], row, strict=True)) for row in zip(*values, strict=True)]


def hidden(store: Store) -> dict[str, tuple[int, int]]:
    """By suppression that hides any: how many stored findings, in all and of the last day of packet time. Each counts for every one that hides it."""
    newest = store.newest() or 0
    total, day = (_counted(store, query) for query in (Query(), Query(since=newest - DAY + 1, until=newest + 1)))
    return {each: (count, day.get(each, 0)) for each, count in total.items()}


def _counted(store: Store, query: Query) -> dict[str, int]:
    found = store.terms("finding", query, Terms(("suppressions",), size=MOST_SUPPRESSIONS))
    return {str(row["suppressions"]): int(row["total"]) for row in found.to_pylist()}
