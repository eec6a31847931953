"""The numbers of a period as one document: plain JSON, in no language but its texts', the same for the same store. What stands in it is all there is: the
printed forms are made from it alone.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from detectors.situation import FORMULA, MOST, index
from records.formats import SECOND
from records.nesting import iso
from records.query import Span
from records.wording import LANGUAGES
from reports import alerting, answering, canonical, classing, exposing, seeing, zones
from reports.asking import Row, Source
from reports.front import figures, sentence
from reports.lasting import NoneMade, reach
from reports.periods import before, days, last_year, latest
from reports.words import Words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from detectors.situation import Index
    from records.store.contract import Store
    from reports.alerting import Alerts, Raised
    from reports.lasting import Earlier
    from reports.periods import Period

VERSION: Final = 1
SITES: Final = 1_000  # that are told each by itself
MOST_SITES: Final = 10_000
DIGITS: Final = 12  # of a report's identity


def chosen(store: Store, kind: str, zone: tzinfo, newest: int) -> Period:
    """The period to tell where nobody says which: the last that was over, unless nothing was recorded in it and something was since."""
    over, current = latest(kind, zone, newest)
    return over if seeing.recorded(Source(store), over.span) else current


def document(store: Store, period: Period, site: str | None = None, earlier: Earlier | None = None) -> Row:
    """The report of a period, of one site or of all. `earlier` finds the reports that were made of periods which the store no longer holds whole."""
    source, lasting, earlier = Source(store, site), reach(store), earlier or NoneMade()
    steps, span = days(period), period.span
    there = _names(store, span) if site is None else []  # first: it asks for the whole period at once, of which the embedded store then keeps the rows
    newest, known, rules = store.newest() or 0, answering.known(source), classing.in_force(store)
    past, cut = before(period), _cut(period, lasting)
    with ThreadPoolExecutor(3) as pool:  # the store works on what takes it longest, on other periods and on sites, while the rest is told
        kinds = pool.submit(classing.asked, source, span, rules.rules)
        compared, year_ago = (pool.submit(_compared, source, each, span, known, lasting, earlier) for each in (past, last_year(period)))
        account = seeing.added(source, span)
        assets = exposing.assets(source, span)
        names = exposing.by_any_name(assets)
        alerts, hiding = alerting.raised(source, span), alerting.hidden(source, span)
        sites = pool.submit(_sites, store, span, None if cut else past.span, there[:SITES], alerts, lasting)
        missed = () if cut else seeing.names(source, past.span)  # where rows were deleted nobody knows who was silent
        coverage, unseen = seeing.told(source, span, steps, account, missed, lasting)
        seen = (coverage["grade"], coverage["seen_minutes"] / coverage["minutes"])
        found = index(alerting.concerns(alerts, names), len(assets), _seen(*seen))
        told: Row = {
            "kind": "summary",
            "version": VERSION,
            **_about(period, site),
            **cut,
            "made_from": {"newest": iso(newest), "known": iso(known), "decisions": store.entries() or 0},
            "recorded": bool(coverage["windows"]),
            **_begun(source, span, lasting),
            "index": _index(found) if coverage["windows"] else None,
            "alerts": alerting.told(source, alerts, hiding, span, names, steps, several=len(there) > 1),
            "answers": answering.times(source, span, alerts, known),
            "coverage": coverage,
            "assets": exposing.told(source, span, assets, seeing.beginning(source, span, lasting, assets.values())),
            "data": classing.told(source, span, kinds.result(), names, rules),
            "changes": answering.changes(source, span, hiding),
            "unseen": unseen,
            "sites": sites.result(),
            "site_count": len(there),
        }
    told["zones"] = _zones(store, told["data"]["flows"])
    told |= {"before": compared.result(), "last_year": year_ago.result()}
    told["sentence"] = {language: sentence(told, Words(language, period.zone)) for language in LANGUAGES}
    return json.loads(canonical.written(told | {"id": identity(told)}))  # as it will be when it is read again, down to the order of its names


def _zones(store: Store, flows: list[Row]) -> Row:
    """The titles of the zones that the report names, of those that have one."""
    named = {name for each in flows for name in (each["from"], each["to"])}
    return {name: title for name, title in zones.titles(store).items() if name in named}


def identity(told: Row) -> str:
    """Kind and first day, and a digest of the content: another content has another name."""
    digest = sha256(canonical.written({name: value for name, value in told.items() if name != "id"})).hexdigest()
    return f"{told['period']}-{told['first_day']}-{digest[:DIGITS]}"


def _about(period: Period, site: str | None) -> Row:
    from datetime import datetime

    local = [datetime.fromtimestamp(time // SECOND, period.zone).isoformat() for time in (period.since, period.until)]
    times = {"since": iso(period.since), "until": iso(period.until), "since_local": local[0], "until_local": local[1]}
    return {"period": period.kind, "zone": str(period.zone), "first_day": str(period.first), **times, "whole": period.whole, "site": site}


def _cut(period: Period, lasting: int) -> Row:
    """What is told of a period of which rows were deleted: it is not whole, and from when on all of it is kept. No packet is from before 1970."""
    return {"whole": False, "kept_from": iso(min(lasting, period.until))} if period.since < lasting and period.until > 0 else {}


def _begun(source: Source, span: Span, lasting: int) -> Row:
    """That records begin in a span; nothing else of any other."""
    return {"begins": True} if seeing.begins(source, span, lasting) else {}


def _seen(grade: float | None, share: float) -> float:
    """The share of a period that was seen: of its time, and of the payload in it."""
    return share * (grade or 0) / 100


def _index(found: Index) -> Row:
    terms = [{"term": part.name, "points": part.tenths / 10, "most": MOST[part.name], "count": part.count, "of": part.of} for part in found.parts]
    return {"formula": FORMULA, "value": found.tenths / 10, "level": found.level, "low": found.low / 10, "high": found.high / 10, "terms": terms}


def _measured(source: Source, span: Span, past: Span | None, there: Sequence[Raised] = ()) -> tuple[Index, Alerts, exposing.Known, tuple[float | None, float]]:
    assets = exposing.assets(source, span)
    alerts = alerting.raised(source, span, there)
    seen = seeing.share(source, span, past)
    return index(alerting.concerns(alerts, exposing.by_any_name(assets)), len(assets), _seen(*seen)), alerts, assets, seen


def _compared(source: Source, period: Period, now: Span, known: int, lasting: int, earlier: Earlier) -> Row:
    """What a period came to that is compared with `now`; only when it was, where nothing was recorded in it. Where rows of it were deleted, what was told of
    it then.
    """
    told = {name: value for name, value in _about(period, source.site).items() if name in {"since", "until", "since_local", "until_local", "whole"}}
    cut = _cut(period, lasting)
    if cut and (report := earlier.of(period, source.site)) is not None:
        return told | {"report": report["id"]} | figures(report)
    told |= cut | ({"spoiled": spoiled} if cut and (spoiled := earlier.spoiled(period)) else {})
    if not seeing.recorded(source, period.span):
        return told | {"recorded": False}
    found, alerts, assets, (grade, share) = _measured(source, period.span, None if cut else before(period).span)
    until = answering.decided_until(period.span, now, known)
    answers = answering.times(source, period.span, alerts, until)
    told |= {"recorded": True, "decided_until": iso(until), **_begun(source, period.span, lasting)}
    return told | {**_figures(found, alerts, assets, grade, share, _newcomers(source, period.span, assets, lasting)), "answers": answers}


def _newcomers(source: Source, span: Span, assets: exposing.Known, lasting: int) -> Row:
    """How many assets are new."""
    new, begun = exposing.newcomers(span, assets, seeing.beginning(source, span, lasting, assets.values()))
    return {"new_assets": len(new), **begun}


def _figures(found: Index, alerts: Alerts, assets: exposing.Known, grade: float | None, share: float, newcomers: Row) -> dict[str, Any]:
    return {
        "index": _index(found),
        "alerts": len(alerts.raised),
        "grave": sum(each.level in alerting.GRAVE for each in alerts.raised),
        "findings": alerts.findings,
        "assets": len(assets),
        **newcomers,
        "grade": grade,
        "time_share": min(10_000, int(share * 10_000)) / 100 or share * 100,
    }


def _names(store: Store, span: Span) -> list[str]:
    """The sites of which anything was recorded in a span."""
    found = Source(store).terms("coverage", span, ("observer.site",), MOST_SITES)
    return sorted(str(row["observer.site"]) for row in found if row["observer.site"] is not None)


def _sites(store: Store, span: Span, past: Span | None, names: Sequence[str], there: Alerts, lasting: int) -> list[Row]:
    """Each site by itself, where there are several, the gravest first."""
    if len(names) < 2:
        return [{"site": name} for name in names]
    told: list[Row] = []
    for name in names:
        source = Source(store, name)
        index_of, alerts, assets, (grade, share) = _measured(source, span, past, there.raised)
        told.append(
            {"site": name, **_begun(source, span, lasting), **_figures(index_of, alerts, assets, grade, share, _newcomers(source, span, assets, lasting))}
        )
    return sorted(told, key=lambda row: (-row["index"]["value"], row["site"]))


def known_sites(store: Store, since: int = 0) -> list[str]:
    """The sites of a store that were looked at since then."""
    return _names(store, Span(since, (store.newest() or 0) + 1))
