"""Decisions about the alerts of a report since it was made: it stays as it is, and whoever shows it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from records.query import Query, Span
from records.schema import TABLES
from records.search import Exists, parse
from records.store.decisions import ITSELF
from records.wording import say
from reports.alerting import MOST
from reports.asking import Source
from reports.words import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from records.formats import Clock
    from records.store.contract import Store


class Redecided(NamedTuple):
    """How many alerts of a report a person closed or reopened since, when last (nanoseconds) and by whom."""

    alerts: int
    last: int
    by: str

    def said(self, identity: str, clock: Clock) -> str:
        """It in words, of the report of this identity, in the language of a clock."""
        words = {"id": identity, "count": f"{self.alerts:,}", "time": clock.stamp(self.last), "by": self.by}
        return say(f"report.redecided.{'one' if self.alerts == 1 else 'many'}", clock.language, **words)


def redecided(store: Store, reports: Iterable[Mapping[str, Any]]) -> dict[str, Redecided]:
    """Of reports, by `id`, those of whose alerts a person decided since. A report has `since`, `until`, `site`, and the `decisions` that it knows of."""
    told = [each for each in reports if each.get("decisions") is not None]
    if not told:
        return {}
    where = parse("table:alert AND (action:close OR action:reopen)", TABLES["audit"])
    known = min(each["decisions"] for each in told)
    query = Query(where=where, sort="id", after=f"{known:012}" if known else "")
    entries = [row for row in Source(store).rows("audit", query, 1 << 40) if row["by"] != ITSELF]
    found: dict[str, Redecided] = {}
    for each in told:
        later = [row for row in entries if int(row["id"]) > each["decisions"]]
        if not later:
            continue
        span = Span(nanoseconds(each["since"]), nanoseconds(each["until"]))
        there = {row["alert"] for row in Source(store, each["site"]).terms("finding", span, ("alert",), MOST, Exists("alert"))}
        if its := [row for row in later if row["subject"] in there]:
            found[each["id"]] = Redecided(len({row["subject"] for row in its}), int(its[-1]["time"]), str(its[-1]["by"]))
    return found
