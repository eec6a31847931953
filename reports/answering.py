"""How long it took until alerts were taken up and closed, and what was changed about rules, suppressions and lists, from the audit trail.

The trail's times are of the machine's clock, an alert's of its packets: of a recording that was judged later the time counts from when it was recorded.
What people decided is told as it stands when the report is made, so what nobody decided yet waits until then.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.disabled import FILE as DISABLED
from detectors.rulebook.placeholders import FILE as PLACEHOLDERS
from detectors.rulebook.versions import decoded
from detectors.suppressions import ANCHORS
from records.formats import SECOND
from records.nesting import iso
from records.query import Query, Span, Terms
from records.search import And, Match, Or
from reports.alerting import GRAVE

if TYPE_CHECKING:
    from detectors.rulebook.versions import Version
    from reports.alerting import Alerts, Hidden, Raised
    from reports.asking import Row, Source

DECISIONS: Final = ("acknowledge", "assign", "start", "close", "reopen")
CHANGED: Final = ("suppression", "rules", "plant", "baseline")
LISTED: Final = 40  # changes that are told one by one
NAMED: Final = 8  # files of a version that are named
FILES: Final = ("policy", "classes", "disabled", "placeholders", "rule")
_KIND: Final = re.compile(r"^(policy|classes):", re.MULTILINE)
TEXT: Final = 200  # letters of a note


def known(source: Source) -> int:
    """Up to when the store knows of anything that an alert might wait for: its newest packet, or the last decision about an alert, which may be later."""
    last = source.rows("audit", Query(where=Match("table", "alert"), sort="-id"), 1)
    return max([source.store.newest() or 0, *(row["time"] for row in last)])


def decided_until(span: Span, told: Span, now: int) -> int:
    """Up to when decisions count for a period that is compared with one that is `told`, now: as long after its end as that one has had. With all that was
    decided since, what is older would always seem to have waited longer, and to have been decided about more often.
    """
    return span.until + max(0, now - told.until)


def times(source: Source, span: Span, alerts: Alerts, until: int) -> Row:
    """How long the new alerts of a period waited; those that still do, `until` then, are counted beside, for the others' times say nothing of them."""
    fresh = [each for each in alerts.raised if span.since <= each.row["first"] < span.until]
    taken, closed = _decided(source, Span(span.since, until + 1), {each.row["id"] for each in fresh})
    groups = {"all": fresh, "grave": [each for each in fresh if each.level in GRAVE]}
    return {name: {"of": len(of), "taken_up": _waits(of, taken, until), "closed": _waits(of, closed, until)} for name, of in groups.items()}


def _decided(source: Source, span: Span, wanted: set[str]) -> tuple[dict[str, int], dict[str, int]]:
    """When each alert was first taken up, and since when it is closed, of what was decided in a span: one that was reopened is not."""
    taken: dict[str, int] = {}
    closed: dict[str, int] = {}
    if not wanted:
        return taken, closed
    where = And((Match("table", "alert"), Or(tuple(Match("action", action) for action in DECISIONS))))
    entries = source.some("audit", span.query(where), ("id", "subject", "action", "time"))
    for row in sorted((row for row in entries if row["subject"] in wanted), key=lambda row: row["id"]):
        if row["action"] == "reopen":
            closed.pop(row["subject"], None)
            continue
        taken.setdefault(row["subject"], row["time"])
        if row["action"] == "close":
            closed[row["subject"]] = row["time"]
    return taken, closed


def _waits(of: list[Raised], when: dict[str, int], until: int) -> Row:
    """Median and longest seconds of those that are done, how many that are, and how long the oldest other one has waited."""
    waits = [max(0, when[each.row["id"]] - each.row["first"]) // SECOND for each in of if each.row["id"] in when]
    left = [each.row["first"] for each in of if each.row["id"] not in when]
    return {
        "done": len(waits),
        "median_s": int(median(waits)) if waits else None,
        "longest_s": max(waits) if waits else None,
        "waiting": len(left),
        "oldest_s": max(0, until - min(left)) // SECOND if left else None,
    }


def changes(source: Source, span: Span, hidden: Hidden) -> Row:
    """What was changed in a period, and what hid findings in it."""
    where = Or(tuple(Match("table", table) for table in CHANGED))
    query = span.query(where, "-id")
    counts = source.store.terms("audit", span.query(where), Terms(("table", "action"), 100)).to_pylist()
    listed = [_entry(row) for row in source.rows("audit", query, LISTED)]
    total = sum(int(row["total"]) for row in counts)
    by = sorted(({"table": row["table"], "action": row["action"], "count": int(row["total"])} for row in counts), key=lambda row: (row["table"], row["action"]))
    hiding = _suppressions(source, span, hidden)
    return {
        "total": total,
        "by": by,
        "listed": listed[::-1],
        "versions": _versions(source, span),
        "suppressions": hiding[:LISTED],
        "suppression_count": len(hiding),
    }


def _entry(row: Row) -> Row:
    after: Any = json.loads(row["after"] or "{}")
    told = after.get("reason") or row["note"] or after.get("file") or ""
    return {
        "time": iso(row["time"]),
        "by": row["by"],
        "table": row["table"],
        "action": row["action"],
        "subject": str(row["subject"] or "")[:40],
        "note": _short(str(told)),
    }


def _short(text: str) -> str:
    """A text that says so where it goes on."""
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"


def _versions(source: Source, span: Span) -> list[Row]:
    """Versions of the rules that came in force, and in how many files each differs from the one before."""
    try:
        kept = decoded(source.store.state("rulebook"))
    except ValueError:
        return []
    told: list[Row] = []
    for place, version in enumerate(kept):
        if version.since is not None and span.since <= version.since < span.until:
            words = {"version": version.id, "since": iso(version.since), "files": len(version.files)}
            told.append(words | (changed(version, kept[place - 1]) if place else {}))
    return told


def changed(version: Version, before: Version) -> Row:
    """How many files were added, changed and removed since another version, and which: policies and the like first, for one of them is many rules."""
    changes = version.changes(before)
    counts = Counter(changes.values())
    texts = {**before.files, **version.files}
    named = [{"file": place[1], "kind": _kind(place[1], texts[place]), "change": how} for place, how in changes.items()]
    named.sort(key=lambda each: (FILES.index(each["kind"]), each["file"]))
    return {name: counts[name] for name in ("added", "changed", "removed")} | {"named": named[:NAMED]}


def _kind(name: str, text: str) -> str:
    """What a file that stands among the rules is."""
    last = name.rpartition("/")[2]
    if last in {DISABLED, PLACEHOLDERS}:
        return last.removesuffix(".yml")
    found = _KIND.search(text)
    return found[1] if found else "rule"


def _suppressions(source: Source, span: Span, hidden: Hidden) -> list[Row]:
    """Those that were in force at some time of the period or hid something in it, those that hid most first."""
    told: list[Row] = []
    for each in source.store.suppressions()[1]:
        ends = min(each.until, each.revoked) if each.revoked is not None else each.until
        count = hidden.by_suppression.get(each.id, 0)
        if count or (each.since < span.until and ends > span.since):
            anchor = next((str(values[0]) for name in ANCHORS if (values := each.where.get(name))), "")
            words = {"id": each.id, "rule": anchor, "owner": each.owner, "reason": _short(each.reason)}
            told.append({**words, "since": iso(each.since), "until": iso(ends), "hidden": count})
    return sorted(told, key=lambda row: (-row["hidden"], row["id"]))
