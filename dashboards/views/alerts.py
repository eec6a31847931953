"""Alerts: the list, worst first, narrowed by the same search as on the command line. A row opens the alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit, queries
from dashboards.formats import number
from dashboards.page import Page, begin, choice, kept_parameters, remember, text_of
from records.errors import UsageError
from records.model import severity_word

if TYPE_CHECKING:
    from records.search import Condition

FIRST: Final = 50
MOST: Final = 500
MARKS: Final = {"critical": "⬢", "high": "▲", "medium": "◆", "low": "●"}


def show(page: Page) -> None:
    """The whole page."""
    leave_or_open()
    remember("q", "level", "status")
    where = narrowed(page)
    if where is None:
        return
    limit = int(st.session_state.get("alerts_limit", FIRST))
    found, total = queries.alerts(page.store, page.span, where, limit)
    st.markdown(f":gray[{page.count('list.total', total, total=number(total), shown=number(len(found)))}]")
    if found.empty:
        nothing(page, where)
        return
    head = [page.say(f"list.{name}") for name in ("severity", "score", "what", "asset", "technique", "count", "status", "last")]
    opened = kit.ask("queue", {"head": head, "rows": listed(page, queries.rows(found))}, "queue", lambda: None)
    if opened:
        st.switch_page("views/alert.py", query_params={**dict(st.query_params), "id": opened})
    if total > len(found):
        more(page, limit)


def leave_or_open() -> None:
    """`/alerts?id=…` is a link to one alert, but an id that was left in the address by the alert just seen is dropped."""
    identity = st.query_params.get("id")
    if identity and st.session_state.get("alert_shown") != identity:
        st.switch_page("views/alert.py", query_params={**kept_parameters(), "id": identity})
    if identity:
        del st.query_params["id"]


def narrowed(page: Page) -> Condition | None:
    """Search box, severities, open or all; None where the search does not parse, after saying why."""

    def typed() -> None:
        st.query_params["q"] = st.session_state["search"]
        st.session_state["alerts_limit"] = FIRST

    def picked() -> None:
        st.query_params["level"] = ",".join(st.session_state["levels"])

    st.session_state["search"] = st.query_params.get("q", "")
    st.session_state["levels"] = [level for level in st.query_params.get("level", "").split(",") if level in queries.LEVELS]
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="filters"):
        st.text_input(page.say("list.search"), key="search", placeholder=page.say("list.placeholder"), label_visibility="collapsed", on_change=typed, width=430)
        words = {level: f"{MARKS[level]} {page.say(f'severity.{level}')}" for level in queries.LEVELS}
        label = page.say("list.severity")
        levels = st.pills(
            label, list(words), key="levels", selection_mode="multi", format_func=lambda level: words[level], label_visibility="collapsed", on_change=picked
        )
        st.space("stretch")
        status = choice("status", page.say("list.status"), {"open": page.say("list.open"), "all": page.say("list.all")}, "open")
    try:
        return queries.search(st.session_state["search"], list(levels), status == "open")
    except UsageError as error:
        kit.draw("unseen", {"title": page.say("list.unreadable"), "note": "", "rows": [("!", error.text(page.language))]}, "search_error")
        return None


def nothing(page: Page, where: Condition) -> None:
    """No alert here: say so, and say what lies outside the period."""
    outside = page.store.count("alert", queries.Query(where=where))
    st.markdown(page.say("list.none"))
    if outside and st.button(page.count("list.outside", outside, count=number(outside))):
        st.query_params["range"] = "all"
        st.rerun()


def listed(page: Page, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the list, as text."""
    names = queries.asset_names(page.store, list(dict.fromkeys(str(row["assets"][0]) for row in found if row["assets"])))
    return [_row(page, row, names) for row in found]


def _row(page: Page, row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    assets: list[str] = row["assets"] or []
    techniques: list[str] = row["techniques"] or []
    severity, last, count = int(row["severity"]), int(row["last"]), int(row["count"])
    level = severity_word(severity)
    return {
        "id": row["id"],
        "href": page.address("alert", id=str(row["id"])),
        "severity": level,
        "word": page.say(f"severity.{level}"),
        "score": str(severity),
        "title": text_of(row, "title", page.language),
        "reason": text_of(row, "reason", page.language),
        "asset": names.get(assets[0], assets[0]) + (f" +{len(assets) - 1}" if len(assets) > 1 else "") if assets else "",
        "technique": " ".join(techniques[:1]),
        "count": f"× {number(count)}" if count > 1 else "",
        "status": row["status"],
        "statusWord": page.say(f"status.{row['status']}"),
        "time": page.clock.second(last),
        "day": page.clock.short_day(last),
    }


def more(page: Page, limit: int) -> None:
    """Another fifty, up to what one page bears; then the search is the way."""
    if limit >= MOST:
        st.markdown(f":gray[{page.say('list.most', most=MOST)}]")
    elif st.button(page.say("list.more", count=FIRST)):
        st.session_state["alerts_limit"] = limit + FIRST
        st.rerun()


show(begin())
