"""What the pages ask of the store, as pandas frames of plain values (times in nanoseconds). Every question is bounded, whatever the store holds."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from records.formats import DAY, HOUR, MINUTE, SECOND
from records.model import LEVELS, severity_word
from records.query import Histogram, Query, Span, Terms
from records.schema import ALERT
from records.search import And, Condition, Exists, Match, Not, Or, Range, parse
from sensors.blindspots import Account
from sensors.sums import uncut

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from records.store.contract import Store

PERIODS: Final = {"1h": HOUR, "8h": 8 * HOUR, "24h": DAY, "7d": 7 * DAY}
WEEK: Final = 7 * DAY
SITES: Final = 3  # that a heading names
LOOKED_AT: Final = 31 * DAY  # the newest coverage, which a server reads before somebody waits for it
OPEN: Final = Not(Match("status", "closed"))
_BUCKETS: Final = (SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY)
_MOST_BARS: Final = 100
_MOST_WINDOWS: Final = 7 * 1440
MOST_ALERTS: Final = 500
_MOST_ACTIVITIES: Final = 200
_MOST_FINDINGS: Final = 100
_MOST_SENSORS: Final = 8
MOST_KNOWN: Final = 200  # places that coverage is of
_MOST_KINDS: Final = 1_000  # of access and protocol: more than there are
_NEAR: Final = (5 * MINUTE, DAY)  # what a finding is about to its own time: mostly, and at most
_MOST_TRAIL: Final = 200
_MOST_COVERED: Final = 20_160  # two weeks of one interface
_PAGE: Final = 5_000
MOST_SHOWN: Final = 2_880  # of these, on a page: two days
DOUBTFUL: Final = ("unfinished", "bad_fragments", "rejected", "half_open", "overlaps")  # what came and could not be followed or believed
COUNTERS: Final = ("packets", "decoded_bytes", "undecoded_bytes", "lost", "gaps", "late", "truncated", "one_sided", "jumps", "shed", "refused", *DOUBTFUL)


def _frame(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    import pandas as pd  # the command line asks for coverage here, and has no use for frames

    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def frame(table: pa.Table) -> pd.DataFrame:
    """Arrow rows as a frame of plain values: absent is None, dates are nanoseconds, lists are lists."""
    return _frame(_plain(table))


def listed(table: pa.Table) -> list[dict[str, Any]]:
    """Arrow rows as plain values, a dictionary each; as `frame` has them."""
    columns = _plain(table)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(table: pa.Table) -> dict[str, list[Any]]:
    columns = ((name, table.column(name)) for name in table.column_names)
    return {name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist() for name, column in columns}


def rows(data: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of such a frame."""
    return cast("list[dict[str, Any]]", data.to_dict("records"))


def extent(store: Store) -> Span | None:
    """From the oldest coverage to just after the newest packet, or None where the store is empty."""
    newest = store.newest()
    if newest is None:
        return None
    oldest = listed(store.read("coverage", Query(sort="@timestamp", limit=1)))
    return Span(min([newest, *(int(row["@timestamp"]) for row in oldest)]), newest + 1)


def default_period(whole: Span) -> str:
    """24 h, or the shortest period that shows all there is."""
    return next((code for code in ("1h", "8h") if PERIODS[code] >= whole.length), "24h")


def span_of(whole: Span, period: str) -> Span:
    """The period before the newest packet; "all" is everything there is."""
    return Span(whole.until - PERIODS[period], whole.until) if period in PERIODS else whole


def interval_of(span: Span) -> int:
    """The bucket that cuts the span in at most 100 bars."""
    return next((bucket for bucket in _BUCKETS if span.length <= bucket * _MOST_BARS), 365 * DAY)


def alerts_over_time(store: Store, span: Span) -> pd.DataFrame:
    """Alerts by the time of their last finding: columns time, critical, high, medium, low; a row a bucket that has any."""
    found = frame(store.histogram("alert", span.query(), Histogram(interval_of(span), by="severity")))
    if found.empty:
        return _frame({name: [] for name in ("time", *LEVELS)})
    found["level"] = [severity_word(int(severity or 0)) for severity in found["by"]]
    wide = found.assign(total=found["total"].astype("int64")).pivot_table(index="time", columns="level", values="total", aggfunc="sum", fill_value=0)
    return wide.reindex(columns=list(LEVELS), fill_value=0).reset_index()


def open_by_level(store: Store, span: Span) -> dict[str, int]:
    """Alerts of the span that are not closed, by level."""
    counts: dict[str, int] = dict.fromkeys((*LEVELS,), 0)
    for row in listed(store.terms("alert", span.query(OPEN), Terms(("severity",), size=101))):
        counts[severity_word(int(row["severity"] or 0))] += int(row["total"])
    return counts


def worst(store: Store, span: Span | None = None) -> list[dict[str, Any]]:
    """The 500 worst open alerts (of the span, or of all), worst first."""
    asked = span.query(OPEN, "-severity", MOST_ALERTS) if span else Query(where=OPEN, sort="-severity", limit=MOST_ALERTS)
    return listed(store.read("alert", asked))


def asset_names(store: Store, identities: list[str], most: int = 60) -> dict[str, str]:
    """The names of these assets; an asset that is not stored is called by its identity."""
    return {identity: str((store.get("asset", identity) or {}).get("name") or identity) for identity in identities[:most]}


def activity_by(store: Store, span: Span) -> tuple[dict[str, int], dict[str, int]]:
    """Operations by access, and by protocol, most first."""
    by = Counter[str](), Counter[str]()
    for row in listed(store.terms("activity", span.query(), Terms(("ot.access", "network.protocol"), size=_MOST_KINDS, total="ot.count"))):
        for counts, name in zip(by, ("ot.access", "network.protocol"), strict=True):
            if row[name]:
                counts[str(row[name])] += int(row["total"] or 0)
    access, protocol = (dict(counts.most_common()) for counts in by)
    return access, protocol


def coverage(store: Store, span: Span) -> dict[str, int]:
    """Sums of the coverage counters over the span."""
    return store.sums("coverage", span.query(), COUNTERS)


def account(store: Store, query: Query, most: int = _MOST_COVERED) -> tuple[Account, int]:
    """What the newest `most` coverage rows of a query come to, and how many these are."""
    covered, used = Account(), 0
    asked = replace(query, sort="-@timestamp", after="")
    while used < most:
        page = store.read("coverage", replace(asked, limit=min(_PAGE, most - used)))
        covered.add(page)
        used += page.num_rows
        if page.num_rows < _PAGE:
            break
        asked = replace(asked, after=str(page.column("id")[-1].as_py()))
    return covered, used


def newest_account(store: Store, span: Span) -> tuple[Account, int]:
    """The account of the newest rows of a span, of as many as a page looks at; how many those are."""
    return account(store, span.query(), MOST_SHOWN)


def grade(sums: dict[str, int]) -> float | None:
    """The share of payload that could be judged, in per cent; None where there was none."""
    payload = sums["decoded_bytes"] + sums["undecoded_bytes"] + sums["lost"]
    return 100 * sums["decoded_bytes"] / payload if payload else None


def undecoded_ports(store: Store, span: Span, most: int = 3) -> list[tuple[str, str | None]]:
    """Where the undecoded payload was: transport and port of the 200 windows with the most of it, most first, and what most of it looks like."""
    totals: dict[str, Counter[str | None]] = {}
    for row in listed(store.read("coverage", span.query(Range("undecoded_bytes", low=1), "-undecoded_bytes", 200))):
        for part, unread, _ in uncut(json.loads(row["undecoded"] or "[]"), row["cut_bytes"] or 0):
            if octets := unread + part.get("encrypted", 0):
                totals.setdefault(str(part["name"]), Counter())[part.get("guess")] += octets
    ordered = sorted(totals, key=lambda name: (-totals[name].total(), name))
    return [(name, max(totals[name], key=lambda guess: (totals[name][guess], guess or ""))) for name in ordered[:most]]


def sites(store: Store, span: Span) -> list[str]:
    """Names of the sites that were observed, most seen first: three, and that there are more."""
    found = listed(store.terms("coverage", span.query(), Terms(("observer.site",), size=SITES + 2)))  # one of them may be that of no name
    names = [str(row["observer.site"]) for row in found if row["observer.site"]]
    return names if len(names) <= SITES else [*names[:SITES], "…"]


@dataclass(frozen=True, slots=True)
class Sensor:
    """One observer: how to call it, whether it is a capture that was given no name (then its file names it), and when it saw no packet."""

    label: str
    capture: bool
    blind: tuple[Span, ...]

    def gaps(self, span: Span) -> list[Span]:
        """When it was blind. Before a capture begins and after it ends it is not blind, only over."""
        return [gap for gap in self.blind if not self.capture or span.since < gap.since < gap.until < span.until]

    def blind_time(self, whole: Span, span: Span) -> int:
        """Nanoseconds of that since the store begins."""
        return sum(max(0, gap.until - max(gap.since, whole.since)) for gap in self.gaps(span))


def known_span(span: Span) -> Span:
    """The span with the month before its end: who watched then is not forgotten because it was silent throughout the span."""
    return Span(min(span.since, span.until - LOOKED_AT), span.until)


def windows_seen(store: Store, span: Span) -> dict[tuple[str, str], int]:
    """(observer, interface) → in how many windows it saw packets."""
    found = listed(store.terms("coverage", span.query(Range("packets", low=1)), Terms(("observer.name", "interface"), size=MOST_KNOWN)))
    return {(str(row["observer.name"] or ""), str(row["interface"] or "")): int(row["total"]) for row in found}


def sensors(store: Store, known: Span, span: Span) -> tuple[list[Sensor], int]:
    """Eight observers by name, those that are blind now or saw least, and how many there are (200 at most): all of the time `known`, captures of the span."""
    seen: dict[str, int] = {}
    for (name, _), count in windows_seen(store, span).items():
        seen[name] = max(count, seen.get(name, 0))
    now = {name for name, _ in windows_seen(store, Span(span.until - 2 * MINUTE, span.until))}
    labels: dict[str, str] = {}
    for row in listed(store.terms("coverage", known.query(), Terms(("observer.name", "file"), size=MOST_KNOWN))):
        name, capture = str(row["observer.name"] or ""), bool(row["file"]) and str(row["observer.name"] or "").startswith("capture-")
        if name and (not capture or name in seen):  # a capture of before is nobody's
            labels.setdefault(name, str(row["file"]) if capture else name)
    blindest = sorted(labels, key=lambda name: (True,) if labels[name] != name else (False, name in now, seen.get(name, 0)))  # a capture is over, not blind
    chosen = sorted(blindest[:_MOST_SENSORS], key=lambda name: labels[name])
    blind = blindness(store, span, chosen)
    return [Sensor(labels[name], labels[name] != name, tuple(blind[name])) for name in chosen], len(labels)


def sensor_label(store: Store, name: str) -> str:
    """How to call an observer: one that is a capture which was given no name by its file."""
    found = listed(store.read("coverage", Query(where=Match("observer.name", name, cased=True), limit=1))) if name.startswith("capture-") else []
    return next((str(row["file"]) for row in found if row["file"]), name)


def unseen_by_all(store: Store, span: Span) -> int:
    """Nanoseconds of the span in which no observer saw a packet; where the span is long, never less than what its windows (a minute each) leave."""
    between = sum(gap.length for gap in blind(store, span, None))
    return max(between, span.length - store.count("coverage", span.query(Range("packets", low=1))) * MINUTE)


def blind(store: Store, span: Span, names: list[str] | None) -> list[Span]:
    """When none of these observers (None: of all) saw a packet, to the minute (for more than a week, to 1/10080 of the span)."""
    step = step_of(span)
    where = None if names is None else Or(tuple(Match("observer.name", name) for name in names))
    whole = Span(span.since // step * step, span.until)  # a window that began before the span tells of it
    seen = listed(store.histogram("coverage", whole.query(where), Histogram(step, total="packets")))
    return span.without(sorted(int(row["time"]) for row in seen if row["total"]), step)


def blindness(store: Store, span: Span, names: list[str]) -> dict[str, list[Span]]:
    """Observer → when it saw no packet, to the minute (for more than a week, to 1/10080 of the span)."""
    step = step_of(span)
    where = Or(tuple(Match("observer.name", name) for name in names))
    starts: dict[str, list[int]] = {name: [] for name in names}
    for row in listed(store.histogram("coverage", span.query(where), Histogram(step, by="observer.name", total="packets"))):
        if row["total"] and row["by"] in starts:
            starts[row["by"]].append(int(row["time"]))
    return {name: span.without(sorted(starts[name]), step) for name in names}


def step_of(span: Span) -> int:
    """To what a gap is told: a minute; for more than a week 1/10080 of the span."""
    return max(MINUTE, -(-span.length // _MOST_WINDOWS // MINUTE) * MINUTE)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list of alerts is narrowed to. `status`: open (not closed), all, or a status after "only_"; `assignee` and `verdict`: empty is any.

    `since`: with a finding later than this.
    """

    text: str = ""
    levels: tuple[str, ...] = ()
    status: str = "open"
    assignee: str = ""
    verdict: str = ""
    since: int = 0


STATUSES: Final = ("open", "only_open", "only_acknowledged", "only_in_progress", "only_closed", "all")
NOBODY: Final = "-"  # an assignee that is none


def search(wanted: Filters) -> Condition:
    """The filters as a condition. Raises UsageError for a text that does not parse."""
    parts: list[Condition] = [parse(wanted.text, ALERT)]
    if wanted.status.startswith("only_"):
        parts.append(Match("status", wanted.status.removeprefix("only_")))
    elif wanted.status != "all":
        parts.append(OPEN)
    if wanted.levels:
        parts.append(Or(tuple(of_level(level) for level in wanted.levels)))
    if wanted.assignee:
        parts.append(Not(Exists("assignee")) if wanted.assignee == NOBODY else Match("assignee", wanted.assignee))
    if wanted.verdict:
        parts.append(Match("verdict", wanted.verdict))
    if wanted.since:
        parts.append(Range("last", low=wanted.since, include_low=False))
    return And(tuple(parts))


def assignees(store: Store, span: Span) -> list[str]:
    """Who works on alerts of the span, the fifty with most of them."""
    found = listed(store.terms("alert", span.query(), Terms(("assignee",), size=50)))
    return [str(row["assignee"]) for row in found if row["assignee"]]


def of_level(level: str) -> Condition:
    """Severities that this word stands for."""
    low = {"critical": 80, "high": 60, "medium": 40, "low": 0}[level]
    return Range("severity", low=low, high={80: None, 60: 79, 40: 59, 0: 39}[low])


def alerts(store: Store, span: Span, where: Condition, limit: int, after: str = "") -> tuple[pd.DataFrame, int]:
    """The worst `limit` alerts of the span (those that come behind the one `after`), the newest first among equals, and how many there are in all."""
    found = frame(store.read("alert", replace(span.query(where, "-severity", min(limit, MOST_ALERTS)), after=after)))
    return found.sort_values(["severity", "last"], ascending=False, kind="stable"), store.count("alert", span.query(where))


@dataclass(frozen=True, slots=True)
class Detail:
    """One alert: its worst (of equals first) finding, and the activities and packets of its 100 worst findings, 200 of each at most.

    Rows are plain; JSON fields are decoded. `findings` and `activity_count` are how many there would be. `trail` is what was decided about it and about
    suppressions made from it, 200 entries at most, the newest first; `hidden` is how many findings of its key suppressions hide.
    """

    alert: dict[str, Any]
    finding: dict[str, Any] | None
    findings: int
    activities: list[dict[str, Any]]
    activity_count: int
    packets: list[dict[str, Any]]
    trail: list[dict[str, Any]]
    hidden: int


def detail(store: Store, identity: str) -> Detail | None:
    """The alert of this identity, or of the one alert or finding whose identity begins so; None where there is none."""
    alert = store.get("alert", identity) or _begun(store, identity)
    if alert is None:
        return None
    span = Span(int(alert["first"]), int(alert["last"]) + 1)
    found = listed(store.read("finding", span.query(Match("alert", str(alert["id"])), "-severity", _MOST_FINDINGS)))
    told = trail(store, str(alert["id"]))
    hidden = store.count("finding", Query(where=And((Match("key", str(alert["key"])), Exists("suppressions")))))
    if not found:
        return Detail(alert, None, 0, [], 0, [], told, hidden)
    worst = sorted(found, key=lambda row: (-row["severity"], row["time"]))
    lists: list[list[str]] = [row["activities"] or [] for row in worst]
    named = list(dict.fromkeys(name for each in lists for name in each))
    packets: list[dict[str, Any]] = [packet for row in worst for packet in json.loads(row["packets"] or "[]")]
    about = Span(min(int(row["time"]) for row in worst), max(int(row["end"]) for row in worst) + 1)
    activities = _activities(store, about, named[:_MOST_ACTIVITIES])
    return Detail(alert, store.get("finding", str(worst[0]["id"])), len(worst), activities, len(named), packets[:_MOST_ACTIVITIES], told, hidden)


def trail(store: Store, identity: str) -> list[dict[str, Any]]:
    """What was decided about an alert and about suppressions made from it, the newest first, 200 entries at most; JSON is decoded."""
    made = [str(row["id"]) for row in listed(store.read("suppression", Query(where=Match("alert", identity), limit=_MOST_TRAIL)))]
    subjects = Or(tuple(Match("subject", name) for name in (identity, *made)))
    found = listed(store.read("audit", Query(where=subjects, sort="-id", limit=_MOST_TRAIL)))
    return [row | {name: json.loads(row[name] or "{}") for name in ("before", "after")} for row in found]


def _begun(store: Store, prefix: str) -> dict[str, Any] | None:
    if len(prefix) < 4:
        return None
    found = store.find(prefix)
    alerts_found = [identity for table, identity in found if table == "alert"]
    if len(alerts_found) == 1:
        return store.get("alert", alerts_found[0])
    if len(found) != 1:
        return None
    finding = store.get("finding", found[0][1]) or {}
    return store.get("alert", str(finding["alert"])) if finding.get("alert") else None


def _activities(store: Store, about: Span, identities: list[str]) -> list[dict[str, Any]]:
    """These activities by time. They lie about the findings' own times, most of them very near, which spares the store from looking everywhere."""
    where, found = Or(tuple(Match("id", identity, cased=True) for identity in identities)), list[dict[str, Any]]()
    for near in _NEAR if identities else ():
        found = listed(store.read("activity", Span(about.since - near, about.until + near).query(where, "@timestamp", len(identities))))
        if len(found) == len(identities):
            break
    return found


def alike(store: Store, identity: str, field: str, value: str) -> list[dict[str, Any]]:
    """Other alerts whose findings have this rule or detector (`field`): of the newest 500 findings, 100 alerts at most."""
    where = And((Match(field, value, cased=True), Exists("alert"), Not(Match("alert", identity, cased=True))))
    found = listed(store.read("finding", Query(where=where, sort="-time", limit=MOST_ALERTS)))
    named = tuple(dict.fromkeys(str(row["alert"]) for row in found))[:_MOST_FINDINGS]
    return listed(store.read("alert", Query(ids=named))) if named else []
