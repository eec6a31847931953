"""The alerts of a period: those with a finding in it that no suppression hides. Findings stay as they are, so that these numbers do, too; who decided
what about an alert is told as it stands now.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import STATUSES, VERDICTS
from detectors.situation import CONFIRMED, SETTLED, UNDECIDED, Concern
from records.model import LEVELS, severity_word
from records.nesting import iso
from records.search import Exists
from reports.sited import sites_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from records.query import Span
    from reports.asking import Row, Source
    from reports.exposing import Known

MOST: Final = 20_000  # alerts of a period; beyond, the report says that it knows of no more
GRAVE: Final = ("critical", "high")
CRITICAL: Final = ("critical", "high")  # what an asset matters, so that its alerts weigh more
WORST: Final = 10
TECHNIQUES: Final = 20
HIDING: Final = 1_000
COUNTED: Final = ("id", "status", "verdict", "first", "techniques", "assets")  # of an alert, what its numbers come from
SHOWN: Final = ("id", "title.en", "title.zh", "reason.en", "reason.zh", "last", "findings")  # … and what is told beside, of the gravest alone
OUTSIDE: Final = "outside"  # in the place of a role: hosts that have addresses of the Internet alone


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert in the period: its row as it is now (`COUNTED` of it), its highest severity and how many findings it has there."""

    row: Row
    severity: int
    findings: int

    @property
    def level(self) -> str:
        """The word of its severity."""
        return severity_word(self.severity)

    @property
    def verdict(self) -> str | None:
        """How it was closed; None while it is not."""
        return self.row["verdict"] if self.row["status"] == "closed" else None

    @property
    def standing(self) -> str:
        """As the index counts it."""
        return {None: UNDECIDED, "true": CONFIRMED}.get(self.verdict, SETTLED)


@dataclass(frozen=True, slots=True)
class Alerts:
    """The alerts of a period, gravest first, and the findings of them; `cut`: there are more."""

    raised: list[Raised]
    findings: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many findings of a period suppressions hid, and how many each."""

    findings: int
    by_suppression: dict[str, int]


def raised(source: Source, span: Span, known: Sequence[Raised] = ()) -> Alerts:
    """Count them. Those that are `known` of a wider look are not asked for again."""
    severities: dict[str, int] = {}
    findings: Counter[str] = Counter()
    for row in source.terms("finding", span, ("alert", "severity"), 101 * MOST, Exists("alert")):
        if row["alert"] is not None:
            severities[row["alert"]] = max(severities.get(row["alert"], 0), int(row["severity"] or 0))
            findings[row["alert"]] += int(row["total"])
    kept = sorted(severities, key=lambda name: (-severities[name], name))[:MOST]
    rows = {each.row["id"]: each.row for each in known}
    rows |= {row["id"]: row for row in source.named("alert", [name for name in kept if name not in rows], COUNTED)}
    return Alerts([Raised(rows[name], severities[name], findings[name]) for name in kept if name in rows], findings.total(), len(severities) > MOST)


def hidden(source: Source, span: Span) -> Hidden:
    """What suppressions hid."""
    hiding = source.terms("finding", span, ("suppressions",), HIDING, Exists("suppressions"))
    return Hidden(source.count("finding", span, Exists("suppressions")), {str(row["suppressions"]): int(row["total"]) for row in hiding})


def concerns(alerts: Alerts, assets: Known) -> list[Concern]:
    """What the index is reckoned from: hosts of the Internet are no assets that an alert concerns."""
    return [
        Concern(
            each.severity,
            each.standing,
            each.row["status"] != "open",
            tuple(assets.get(name, {}).get("id", name) for name in each.row["assets"] or () if name not in assets.outside),
            any(assets.get(name, {}).get("criticality") in CRITICAL for name in each.row["assets"] or ()),
        )
        for each in alerts.raised
    ]


def told(source: Source, alerts: Alerts, hiding: Hidden, span: Span, assets: Known, steps: Sequence[Span], *, several: bool) -> Row:
    """The part of a report about them. Where there are `several` sites, it is told of the gravest where they are."""
    found = alerts.raised
    techniques = _techniques(found)
    shown = {row["id"]: row for row in source.named("alert", [each.row["id"] for each in found[:WORST]], SHOWN)}
    sites = sites_of(source.store, list(shown.values())) if several else None
    fresh = [each for each in found if span.since <= each.row["first"] < span.until]
    return {
        "total": len(found),
        "new": len(fresh),
        "findings": alerts.findings,
        "hidden": hiding.findings,
        "complete": not alerts.cut,
        "severity": [_level(level, found, fresh) for level in LEVELS],
        "status": {name: sum(each.row["status"] == name for each in found) for name in STATUSES},
        "verdict": {name: sum(each.verdict == name for each in found) for name in VERDICTS} | {"none": sum(each.verdict is None for each in found)},
        "techniques": techniques[:TECHNIQUES],
        "technique_count": len(techniques),
        "without_technique": sum(not each.row["techniques"] for each in found),
        "roles": _roles(found, assets),
        "worst": [_one(each, shown[each.row["id"]], assets) | ({"site": sites.get(each.row["id"])} if sites is not None else {}) for each in found[:WORST]],
        "over_time": _over_time(fresh, steps),
    }


def _level(level: str, found: list[Raised], fresh: list[Raised]) -> Row:
    of = [each for each in found if each.level == level]
    return {
        "level": level,
        "total": len(of),
        "new": sum(each.level == level for each in fresh),
        "unanswered": sum(each.row["status"] == "open" for each in of),
        "undecided": sum(each.verdict is None for each in of),
        "true": sum(each.verdict == "true" for each in of),
    }


def _grouped(groups: Mapping[Any, list[Raised]]) -> list[tuple[Any, list[Raised]]]:
    """Most grave ones first, then by name."""
    return sorted(groups.items(), key=lambda item: (-max(each.severity for each in item[1]), -len(item[1]), str(item[0] or "")))


def _techniques(found: list[Raised]) -> list[Row]:
    groups: dict[str, list[Raised]] = {}
    for each in found:
        for name in set(each.row["techniques"] or ()):
            groups.setdefault(name, []).append(each)
    return [{"technique": name, "alerts": len(of), "gravest": max(each.severity for each in of)} for name, of in _grouped(groups)]


def _roles(found: list[Raised], assets: Known) -> list[Row]:
    """By the role of the assets concerned; an alert counts once for each role that it concerns. Hosts of the Internet are of a kind of their own."""
    groups: dict[str | None, list[Raised]] = {}
    concerned: dict[str | None, set[str]] = {}
    for each in found:
        names = each.row["assets"] or ()
        for name in names:
            concerned.setdefault(_role(name, assets), set()).add(assets.get(name, assets.outside.get(name, {})).get("id", name))
        for role in {_role(name, assets) for name in names}:
            groups.setdefault(role, []).append(each)
    known = Counter(row["role"] for row in {row["id"]: row for row in assets.values()}.values())
    known[OUTSIDE] = len({row["id"] for row in assets.outside.values()})
    return [
        {"role": role, "alerts": len(of), "gravest": max(each.severity for each in of), "concerned": len(concerned[role]), "assets": known[role]}
        for role, of in _grouped(groups)
    ]


def _role(name: str, assets: Known) -> str | None:
    return OUTSIDE if name in assets.outside else assets.get(name, {}).get("role")


def _one(each: Raised, shown: Row, assets: Known) -> Row:
    row, named = each.row | shown, {**assets.outside, **assets}
    return {
        "id": row["id"],
        "severity": each.severity,
        "title": {"en": row["title.en"], "zh": row["title.zh"]},
        "reason": {"en": row["reason.en"], "zh": row["reason.zh"]},
        "first": iso(row["first"]),
        "last": iso(row["last"]),
        "findings": each.findings,
        "status": row["status"],
        "verdict": each.verdict,
        "techniques": list(row["techniques"] or ()),
        "assets": [str(named.get(name, {}).get("name") or name) for name in row["assets"] or ()][:5],
    }


def _over_time(fresh: list[Raised], steps: Sequence[Span]) -> list[Row]:
    """New alerts by the day (of a day: the hour) of their first finding."""
    lists: list[Row] = [{"since": iso(step.since), **dict.fromkeys(LEVELS, 0)} for step in steps]
    for each in fresh:
        at = next(place for place, step in enumerate(steps) if each.row["first"] < step.until)
        lists[at][each.level] += 1
    return lists
