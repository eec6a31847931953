"""What an alert is to be compared with on its page: what would have been normal and what was, and the alerts that are like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dashboards import kit, queries
from dashboards.keeping import kept
from dashboards.normal import AFTER, LOOKED_BACK, Normal, normal
from dashboards.page import text_of
from dashboards.reference import object_words
from detectors.phrases import deed, measured
from records.formats import number
from records.model import severity_word
from records.query import Span

if TYPE_CHECKING:
    from dashboards.page import Page
    from dashboards.queries import Detail
    from records.store.contract import Store

Row = dict[str, Any]
MOST_SIMILAR: Final = 6
MOST_DOERS: Final = 6
MILLI: Final = 1_000_000


def strip(page: Page, found: Detail) -> None:
    """What would have been normal in the words of who found it, and normal against now as the store knows it."""
    words = text_of(found.finding or {}, "normal", page.language)
    told = looked_back(page.store, found)
    data: dict[str, Any] = {
        "title": page.say("normal.title"),
        "note": "",
        "lines": [],
        "normal": words,
        "normalTitle": page.say("normal.normal") if words else "",
    }
    if told is None:
        addressed = any(row["destination.ip"] for row in found.activities)
        data["lines"] = [page.say("normal.no_effect" if addressed else "normal.nothing")]
    else:
        since = f"{page.clock.short_day(told.since)} {page.clock.minute(told.since)}"
        data["note"] = page.say("normal.since", since=since)
        data["values"], data["doers"] = _values(page, told), _doers(page, told)
        if told.now and not told.values:
            written = [measured(told.about, value) for _time, value, wrote in told.now if wrote]
            data["lines"] = [page.say("normal.no_values", object=object_words(told.about, page.language), values=page.say("and").join(dict.fromkeys(written)))]
        if told.doers is None:
            data["lines"] += [page.say("normal.unknown", since=since)]
    kit.draw("normal", data, "normal")


def looked_back(store: Store, found: Detail) -> Normal | None:
    """Normal against now, as far as the store knows it."""
    times = int(found.alert["first"]), int(found.alert["last"])
    looked = Span(times[0] - LOOKED_BACK, times[1] + AFTER)
    return kept(store, ("activity", "point", "coverage"), _normal, looked, found.activities, *times)


def _normal(store: Store, _span: Span, activities: list[Row], first: int, last: int) -> Normal | None:
    return normal(store, activities, first, last)


def _values(page: Page, told: Normal) -> Row | None:
    """The point before and now, where values were written."""
    if not told.now or not told.values:
        return None
    about = told.about
    low, high = min(each[1] for each in told.values), max(each[2] for each in told.values)
    ends = [measured(about, value) for value in (low, high)]
    clock, first, last = page.clock, told.now[0][0], told.now[-1][0]
    written = [value for _time, value, wrote in told.now if wrote]
    is_now = clock.minute(first) if clock.minute(first) == clock.minute(last) else f"{clock.minute(first)} – {clock.minute(last)}"
    was = f"{clock.short_day(told.values[0][0])} {clock.minute(told.values[0][0])} – {clock.minute(first)}"
    band = ends[0] if low == high else "–".join(ends)
    text = measured(about, written[-1]) if written else ""
    return {
        "title": object_words(about, page.language),
        "before": [[time // MILLI, least, most, end] for time, least, most, end in told.values],
        "now": [[time // MILLI, value, wrote] for time, value, wrote in told.now],
        "band": band, "was": was, "is": page.say("normal.now_at", time=is_now), "written": text, "access": str(about["ot.access"]),
        "aria": page.say("normal.aria", was=band, now=text),
    }  # fmt: skip


def _doers(page: Page, told: Normal) -> Row | None:
    """Who asked the device for the same."""
    if told.doers is None:
        return None
    rows = [
        {"name": each.name if each.name == each.address else f"{each.name} ({each.address})", "address": each.address, "before": each.before, "now": each.now,
         "beforeText": number(each.before) if each.before else page.say("normal.never"), "nowText": number(each.now)}
        for each in told.doers[:MOST_DOERS]
    ]  # fmt: skip
    device = str(told.about["destination.asset.name"] or told.about["destination.ip"])
    title = page.cut(len(rows), len(told.doers), page.say("normal.doers", deed=deed(str(told.about["ot.effect"]), page.language), device=device))
    return {"title": title, "rows": rows, "before": page.say("normal.before"), "now": page.say("normal.now"), "access": str(told.about["ot.access"])}


def similar(page: Page, found: Detail) -> None:
    """Alerts of the same rule or detector: those about the same assets first, then the newest; and what was decided about all of them."""
    known = found.finding or {}
    field = "rule" if known.get("rule") else "detector"
    alike = queries.alike(page.store, str(found.alert["id"]), field, str(known[field])) if known.get(field) else []
    assets = set[str](found.alert["assets"] or ())
    alike.sort(key=lambda row: (not assets & set(row["assets"] or ()), -int(row["last"]), row["id"]))
    names = queries.asset_names(page.store, [str(row["assets"][0]) for row in alike[:MOST_SIMILAR] if row["assets"]])
    lines = [_similar(page, row, names, assets) for row in alike[:MOST_SIMILAR]]
    closed = {verdict: sum(row["verdict"] == verdict for row in alike if row["status"] == "closed") for verdict in ("true", "expected", "false")}
    tally = [f"{page.say(f'verdict.{verdict}')} {count}" for verdict, count in closed.items() if count]
    note = page.count("similar.note", len(alike), count=number(len(alike)), source=str(known.get(field) or "")) if alike else ""
    note += page.say("activity.comma") + page.say("similar.closed", tally=page.say("and").join(tally)) if tally else ""
    kit.follow("similar", {"title": page.say("similar.title"), "note": note, "rows": lines, "empty": page.say("similar.none")}, "similar")


def _similar(page: Page, row: Row, names: dict[str, str], assets: set[str]) -> Row:
    severity, last, about = int(row["severity"]), int(row["last"]), list[str](row["assets"] or ())
    level = severity_word(severity)
    verdict = " · " + page.say(f"verdict.{row['verdict']}") if row["status"] == "closed" and row["verdict"] else ""
    return {
        "href": page.address("alert", id=str(row["id"])), "severity": level, "word": page.say(f"severity.{level}"), "score": str(severity),
        "title": text_of(row, "title", page.language), "asset": names.get(about[0], about[0]) if about else "", "same": bool(assets & set(about)),
        "status": row["status"], "statusWord": page.say(f"status.{row['status']}") + verdict, "time": f"{page.clock.short_day(last)} {page.clock.minute(last)}",
    }  # fmt: skip
