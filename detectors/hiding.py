"""What a suppression would have hidden, told as a back-test tells of rules: its findings were judged once, so they are looked at and not judged again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from detectors.backtest import HOUR, LISTED, Fire, Hidden, Hour, Result
from detectors.confirmed import Lost, going_on
from detectors.suppressing import known_activities, pages
from detectors.suppressions import matching
from records.nesting import rows as nested
from records.query import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.suppressions import Row
    from records.model import Suppression
    from records.store.contract import Store


def backtest(store: Store, suppression: Suppression, since: int, until: int) -> Result:
    """The findings of [since, until), packet time, that it would have hidden had it been in force: `removed`, and `fires` those of its rule that stay.

    What another suppression hides already is neither.
    """
    result = Result(since, until)
    hours: Counter[tuple[str, str | None, int]] = Counter()
    alerts: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for rows in pages(store, suppression, since, until):
        fitting = matching(rows, [suppression], known_activities(store))
        result.rows += len(rows)
        for at, row in enumerate(rows):
            if row["suppressions"]:
                continue
            whole[str(row["alert"])] += 1
            if at not in fitting:
                result.fires += 1
                continue
            fire = _fire(row)
            hours[fire.rule, fire.asset, fire.time // HOUR * HOUR] += 1
            alerts[str(row["alert"])] += 1
            if len(result.removed) < LISTED:
                result.removed.append(fire)
    result.removed_total = hours.total()
    result.hours = [Hour(*place, 0, count) for place, count in sorted(hours.items(), key=lambda one: (one[0][0], one[0][1] or "", one[0][2]))]
    again = going_on(store)
    result.hidden = _hidden(store, alerts, whole, again)
    confirmed = [Lost(each.alert, each.findings, each.hidden, each.findings - each.hidden) for each in result.hidden if _true(each.alert, again)]
    result.lost, result.thinned = ([each for each in confirmed if bool(each.left) == some] for some in (False, True))
    return result


def _fire(row: Row) -> Fire:
    """The finding, on the asset that was acted on, or that acted where it acted on several."""
    assets = row["assets"] or [row["source.ip"], row["destination.ip"]]
    asset = assets[0 if row["destination.ip"] is None else -1]
    completing = (row["activities"] or [""])[-1]
    return Fire(row["id"], row["rule"] or row["detector"], completing, row["time"], asset, row["source.ip"], row["destination.ip"])


def _true(alert: Row, again: Sequence[str]) -> bool:
    return alert["verdict"] == "true" or alert["id"] in again


def _hidden(store: Store, alerts: Counter[str], whole: Counter[str], again: Sequence[str]) -> list[Hidden]:
    """The alerts of which it hides anything: those that were found true first, then the gravest."""
    rows = nested("alert", store.read("alert", Query(ids=tuple(alerts)))) if alerts else ()
    found = [Hidden(alert, alerts[alert["id"]], whole[alert["id"]]) for alert in rows]
    return sorted(found, key=lambda each: (not _true(each.alert, again), -each.alert["severity"], each.alert["first"], each.alert["id"]))
