"""Activity: everything that was done, searched as on the command line; as a piano roll (objects over time), as a table, or one point's values over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import streamlit as st

from dashboards import choosing, counting, explorer, kit, paging, queries, rolling
from dashboards.activities import HEAD, activity_row
from dashboards.axis import blind_mark, offset, ticks
from dashboards.charting import axis_levels, step_words
from dashboards.explorer import FIELDS
from dashboards.page import Page, begin, choice, forget, left_out, newer, picked, remember, typed
from dashboards.reference import action_words, deed_words, object_words
from detectors.phrases import listed, measured, who
from records.effects import ACCESSES
from records.errors import UsageError
from records.formats import number
from records.query import Span
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from records.search import Condition

PAGE: Final = ("explore", 5)
PLACE: Final = PAGE[0]
REMEMBERED: Final = ("q", "view", "part", "field", "point", "after", choosing.NAME)
VIEWS: Final = ("roll", "table", "value")
MILLISECOND: Final = 1_000_000
ROLL_LEFT: Final = 250  # as in kit/piano.js, so that both axes are one
CLOSER: Final = 5  # what lies in so small a part of the span is looked at more closely
SHORTEST: Final = 1_000 * MILLISECOND  # a span that can be chosen by a drag


def show(page: Page) -> None:
    """The whole page."""
    newer(page)
    remember(*REMEMBERED, place=PLACE)
    if not counting.total(page.store, "activity"):
        words = page.say("explore.nothing")
        kit.draw("table", {"title": page.say("page.explore"), "note": "", "head": [], "rows": [], "empty": words}, "table")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        text = typed("q", page.say("explore.search"), PLACE, 440, also=("after",))
        view = choice("view", page.say("explore.view"), {name: page.say(f"explore.{name}") for name in VIEWS}, VIEWS[0])
        span = part(page)
        st.space("stretch")
        slot = st.container(width="content")
    try:
        where = explorer.condition(text)
    except UsageError as error:
        kit.draw("unseen", {"title": page.say("list.unreadable"), "note": "", "rows": [("!", error.text(page.language))]}, "search_error")
        return
    blind = unseen(page, span, where, text)
    if view == "value":
        value(page, span, text, blind)
        return
    interval, counts = explorer.over_time(page.store, span, where)
    if counts and (counts[-1][0] - counts[0][0]) * CLOSER < span.length:
        closer(page, span, "activity", where)
    strip(page, span, interval, counts, blind, ROLL_LEFT if view == "roll" else 44)
    if view == "roll":
        zoom(rolling.show(page, span, where, blind, slot))
    else:
        table(page, span, where, text)


def part(page: Page) -> Span:
    """The part of the period that was chosen by a drag, with a way back; else all of it."""
    whole = Span(max(page.span.since, page.whole.since), page.span.until)  # before the store begins nothing was missed: there was nothing
    asked = st.query_params.get("part", "")
    low, _, high = asked.partition("-")
    if not (low.isascii() and low.isdigit() and high.isascii() and high.isdigit() and len(low) < 15 and len(high) < 15):
        if asked:
            left_out("part")
        return whole
    since, until = max(int(low) * MILLISECOND, whole.since), min(int(high) * MILLISECOND, page.span.until)
    if since >= until:
        left_out("part")
        forget("part", place=PLACE)
        return whole
    words = page.say("explore.whole", since=page.clock.second(since), until=page.clock.second(until))
    st.button(words, icon=":material/zoom_out_map:", shortcut="W", key="whole", on_click=lambda: forget("part", "after", place=PLACE))
    return Span(since, until)


def closer(page: Page, span: Span, table: str, where: Condition) -> None:
    """Where all there is lies in a small part of the span: a way to it."""
    found = explorer.extent(page.store, table, span, where)
    if found is None or found.length * CLOSER > span.length:
        return
    room = max(found.length // 20, SHORTEST)
    since, until = (found.since - room) // MILLISECOND, (found.until + room) // MILLISECOND + 1
    words = page.say("explore.closer", since=f"{page.clock.short_day(found.since)} {page.clock.second(found.since)}", until=page.clock.second(found.until))
    if st.button(words, icon=":material/zoom_in:", key="closer"):
        st.query_params["part"] = f"{max(0, since)}-{until}"
        st.rerun()


def zoom(told: dict[str, Any]) -> None:
    """A drag chose a span."""
    ends = cast("list[Any]", told.get("span") or [])
    if len(ends) != 2 or not all(isinstance(each, int) for each in ends):
        return
    since, until = ends
    forget("after", place=PLACE)
    st.query_params["part"] = f"{since}-{max(until, since + SHORTEST // MILLISECOND)}"
    st.rerun()


def unseen(page: Page, span: Span, where: Condition, text: str) -> list[dict[str, Any]]:
    """When those who saw these activities (where all are looked at: all) saw nothing at all."""
    names = explorer.observers(page.store, span, where) if text.strip() else []
    return [blind_mark(page, gap) for gap in queries.blind(page.store, span, names or None)]


def strip(page: Page, span: Span, interval: int, counts: list[tuple[int, str, int]], blind: list[dict[str, Any]], left: int) -> None:
    """Operations over time by access; `left`: pixels before its axis."""
    bars: dict[int, dict[str, int]] = {}
    for time, access, count in counts:
        bars.setdefault(time, {})[access] = count
    data = {
        "title": page.say("explore.over_time"),
        "note": page.say("explore.over_time_note"),
        "since": span.since // MILLISECOND,
        "until": span.until // MILLISECOND,
        "interval": interval // MILLISECOND,
        "bars": [{"time": time // MILLISECOND, "by": by, "text": bar_words(page, time, by)} for time, by in sorted(bars.items())],
        "words": {access: page.say(f"access.{access}") for access in ACCESSES},
        "ticks": ticks(page.clock, span),
        "blind": blind,
        "left": left,
    }
    zoom(kit.watch("strip", data, "strip", "span"))


def bar_words(page: Page, time: int, by: dict[str, int]) -> str:
    """One bar in words."""
    counts = page.say("and").join(f"{page.say(f'access.{access}')} {number(count)}" for access, count in by.items())
    return f"{page.clock.short_day(time)} {page.clock.second(time)}: {counts}"


def table(page: Page, span: Span, where: Condition, text: str) -> None:
    """The rows, and the most frequent values of one field."""
    found, total = paging.read(PLACE, lambda after: explorer.activities(page.store, span, where, after))
    left, right = st.columns([4.2, 1], gap="medium")
    with left:
        shown = queries.rows(found)
        lines = [activity_row(page, row) for row in shown]
        head = [page.say(f"activity.{name}") for name in HEAD]
        words = {"title": page.say("explore.rows"), "note": page.count("activity.count", total, count=number(total)), "empty": page.say("explore.none")}
        kit.follow("table", {"head": head, "rows": lines, **words, **choosing.rows(page, [str(row["id"]) for row in shown])}, "table")
        paging.turn(page, PLACE, len(lines), total, str(found["id"].iloc[-1]) if len(found) else "")
    with right:
        counts(page, span, where, text)


def counts(page: Page, span: Span, where: Condition, text: str) -> None:
    """The most frequent values of one field; a click narrows the search to one."""
    every = (*FIELDS, *(field.name for field in ACTIVITY.fields if field.type in ("keyword", "ip", "long", "boolean") and field.name not in (*FIELDS, "id")))
    names = {name: field_words(page, name) for name in every}
    field = picked("field", names, PLACE, FIELDS[0], 260)
    found = explorer.by_field(page.store, span, where, field)
    rows = [
        {"text": value_words(page, field, value), "count": count, "number": number(count), "href": page.address("explore", **kept(text, field, value))}
        for value, count in found
    ]
    kit.follow("counts", {"rows": rows, "empty": page.say("explore.no_values")}, "counts")


def kept(text: str, field: str, value: str) -> dict[str, str]:
    """What the address has once the search is narrowed."""
    others = {name: st.query_params[name] for name in ("view", "part", "field") if name in st.query_params}
    return {**others, "q": explorer.narrowed(text, field, value)}


def field_words(page: Page, name: str) -> str:
    """What a field is, behind its name in a search."""
    field = ACTIVITY.field(name)
    return f"{name} · {getattr(field, page.language)}" if field else name


def value_words(page: Page, field: str, value: str) -> str:
    """A value with its words, where it has some."""
    if field == "ot.access":
        return page.say(f"access.{value}")
    return deed_words(value, page.language) if field == "ot.effect" else value


def value(page: Page, span: Span, text: str, blind: list[dict[str, Any]]) -> None:
    """One point's values over time, and what acted on it."""
    try:
        points = explorer.points(page.store, span, "" if st.query_params.get("point") and not text else text)
    except UsageError as error:
        points = explorer.points(page.store, span, "")
        kit.draw("unseen", {"title": page.say("explore.other_fields"), "note": "", "rows": [("!", error.text(page.language))]}, "point_error")
    codes = {explorer.point_code(row): point_words(page, row) for row in points}
    asked = st.query_params.get("point", "")
    if asked and asked not in codes and (found := explorer.point_condition(asked)):
        codes = {asked: point_words(page, found[0]), **codes}
    if not codes:
        kit.draw("table", {"title": page.say("explore.value"), "note": "", "head": [], "rows": [], "empty": page.say("explore.no_points")}, "values")
        return
    code = picked("point", codes, PLACE, next(iter(codes)), 620)
    found = explorer.point_condition(code)
    if found is not None:
        chart(page, span, found[0], found[1], blind)


def point_words(page: Page, row: dict[str, Any]) -> str:
    """A point by its device and object."""
    return f"{row['destination.ip']} · {object_words({**row, 'ot.object.last': None}, page.language)}"


def chart(page: Page, span: Span, known: dict[str, Any], where: Condition, blind: list[dict[str, Any]]) -> None:
    """The chart of one point, and the rows that acted on it."""
    closer(page, span, "point", where)
    steps, cut = explorer.values(page.store, span, where)
    known = explorer.newest(page.store, span, where) or known
    acts = explorer.writes(page.store, span, known)
    if not steps:
        kit.draw("table", {"title": point_words(page, known), "note": "", "head": [], "rows": [], "empty": page.say("explore.no_value")}, "values")
    else:
        low, high, levels = axis_levels(min(each["low"] for each in steps), max(each["high"] for each in steps))
        changes = sum(each["changes"] for each in steps)
        note = page.say("explore.value_note", changes=number(changes), last=measured(known, steps[-1]["last"])) + (page.say("explore.cut") if cut else "")
        note = " · ".join(part for part in (note, listed(known, page.language)) if part)
        data = {
            "title": point_words(page, known),
            "note": note,
            "since": span.since // MILLISECOND,
            "until": span.until // MILLISECOND,
            "offset": offset(page.clock, span),
            "low": low,
            "high": high,
            "levels": levels,
            "steps": [{**each, "time": each["time"] // MILLISECOND, "end": each["end"] // MILLISECOND, "text": step_words(page, each)} for each in steps],
            "acts": [act_mark(page, row) for row in acts],
            "ticks": ticks(page.clock, span),
            "blind": blind,
        }
        zoom(kit.watch("values", data, "values", "span"))
    head = [page.say(f"activity.{name}") for name in HEAD]
    words = {"title": page.say("explore.acts"), "note": "", "empty": page.say("explore.no_acts")}
    kit.follow("table", {"head": head, "rows": [activity_row(page, row) for row in acts], **words}, "acts")


def act_mark(page: Page, row: dict[str, Any]) -> dict[str, Any]:
    """One act above the chart."""
    value = f" = {measured(row, row['ot.value'])}" if row["ot.value"] is not None else ""
    text = (
        f"{page.clock.second(int(row['@timestamp']))} {who(row, 'source', page.language)}: {' · '.join(filter(None, action_words(row, page.language)))}{value}"
    )
    return {"time": int(row["@timestamp"]) // MILLISECOND, "access": row["ot.access"] or "unknown", "text": text}


show(begin(*REMEMBERED))
