"""Alerts: the list, worst first, narrowed by the same search as on the command line. A row opens the alert; those that are chosen are decided together."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import choosing, counting, deciding, kit, paging, queries
from dashboards.dissecting import expect
from dashboards.handover import handover
from dashboards.page import EVERY_S, Page, begin, forget, kept_parameters, left_out, picked, remember, text_of
from dashboards.queries import Filters
from detectors.lifecycle import VERDICTS
from records.errors import StoreError, UsageError
from records.formats import number, share_seen
from records.model import GLYPHS, LEVELS, severity_word
from records.wording import LANGUAGES

if TYPE_CHECKING:
    from records.search import Condition

PAGE: Final = ("alerts", 2)
PLACE: Final = PAGE[0]
REMEMBERED: Final = ("q", "level", "status", "assignee", "verdict", "after", choosing.NAME)
LISTED: Final = 50  # of a page
FOREVER: Final = 1 << 63
SHORT: Final = 8  # letters of an identity, to be read out: the command line takes them
LAST_VISIT: Final = "1"  # as `new` in the address, from where nobody knows when that was


def show(page: Page) -> None:
    """The whole page."""
    leave_or_open()
    remember(*REMEMBERED, place=PLACE)
    deciding.refused(page)
    visited = last_visit(page)
    wanted = narrowed(page, visited)
    if wanted is None:
        return
    where = queries.search(wanted)
    found, total = paging.read(PLACE, lambda after: queries.alerts(page.store, page.span, where, LISTED, after))
    rows = queries.rows(found)
    st.session_state["queue"] = [str(row["id"]) for row in rows]  # one alert's page goes on from here
    wanted_rows = set(choosing.chosen(page, st.session_state["queue"]))
    chosen = [row for row in rows if row["id"] in wanted_rows]
    arrived(page, where)
    second_line(page, page.count("list.total", total, total=number(total), shown=number(len(found))), len(chosen), wanted, visited)
    if not rows:
        nothing(page, where)
        return
    if chosen:
        deciding.bar(page, chosen)
    head = [page.say(f"list.{name}") for name in ("severity", "score", "what", "asset", "technique", "count", "status", "last")]
    choose = {"chosen": [row["id"] for row in chosen], "choose": page.say("list.choose"), "chooseAll": page.say("list.choose_all")}
    data = {"head": head, "rows": listed(page, rows, visited), **choose}
    kit.ask("queue", data, f"queue_{st.session_state.get('round', 0)}", choose_rows)
    paging.turn(page, PLACE, len(rows), total, last_of(rows))
    expect()


@st.fragment(run_every=EVERY_S)
def arrived(page: Page, where: Condition) -> None:
    """What came since the list was made. The list stays as it is until one asks: one may be choosing from it."""
    try:
        fresh = 0 if page.held else counting.since(page.store, page.whole.until, where)
    except StoreError as error:
        st.text(error.text(page.language))
        return
    if fresh and st.button(page.count("list.arrived", fresh, count=number(fresh)), key="arrived", icon=":material/refresh:", type="tertiary"):
        st.rerun()


def second_line(page: Page, count: str, chosen: int, wanted: Filters, visited: int) -> None:
    """What is open, mine and new, with how many; how many are shown; the text for the shift book, beneath where it is asked for."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="second"):
        views(page, wanted, visited)
        st.markdown(f"**{page.count('list.chosen', chosen, count=number(chosen))}** :gray[· {count}]" if chosen else f":gray[{count}]", width="content")
        st.markdown(f":gray[{seen_words(page)}]", width="content")
        st.space("stretch")
        if wanted.since and wanted.since == visited:
            st.button(page.say("visit.seen"), key="seen_all", type="tertiary", on_click=seen, args=(page.whole.until - 1,))
        st.button(page.say("handover.button"), key="handover_button", icon=":material/assignment:", shortcut="H", on_click=turned, args=("handover",))
    if st.query_params.get("handover"):
        texts = [{"language": code, "text": handover(page, code)} for code in sorted(LANGUAGES, key=lambda code: code != page.language)]
        words = {name: page.say(f"handover.{name}") for name in ("title", "note", "copy", "copied", "failed")}
        kit.draw("handover", {"texts": texts, "names": {code: page.say(f"handover.name.{code}") for code in LANGUAGES}, **words}, "handover")


def seen_words(page: Page) -> str:
    """How much of the period was seen, without which a short list says nothing."""
    grade = queries.grade(page.ask("coverage", queries.coverage))
    return page.say("coverage_none") if grade is None else page.say("list.coverage", share=share_seen(grade, page.language))


def choose_rows(identities: list[str]) -> None:
    """What the boxes in the list say now."""
    choosing.choose(identities, PLACE)


def leave_or_open() -> None:
    """`/alerts?id=…` is a link to one alert, but an id that was left in the address by the alert just seen is dropped."""
    identity = st.query_params.get("id")
    if identity and st.session_state.get("alert_shown") != identity:
        st.switch_page("views/alert.py", query_params={**kept_parameters(), "id": identity})
    for name in ("id", "packet", "node"):
        if name in st.query_params:
            del st.query_params[name]


def narrowed(page: Page, visited: int) -> Filters | None:
    """Search box, severities, status, who works on it, verdict; None where the search does not parse, after saying why."""

    def typed() -> None:
        st.query_params["q"] = st.session_state["search"]
        forget("after", place=PLACE)

    def chosen() -> None:
        st.query_params["level"] = ",".join(st.session_state["levels"])
        forget("after", place=PLACE)

    st.session_state["search"] = st.query_params.get("q", "")
    asked = list(dict.fromkeys(level for level in st.query_params.get("level", "").split(",") if level))
    st.session_state["levels"] = [level for level in asked if level in LEVELS]
    if unknown := [level for level in asked if level not in LEVELS]:
        left_out(level=",".join(unknown))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        st.text_input(page.say("list.search"), key="search", placeholder=page.say("list.placeholder"), label_visibility="collapsed", on_change=typed, width=330)
        words = {level: f"{GLYPHS[level]} {page.say(f'severity.{level}')}" for level in LEVELS}
        label = page.say("list.severity")
        levels = st.pills(
            label, list(words), key="levels", selection_mode="multi", format_func=lambda level: words[level], label_visibility="collapsed", on_change=chosen
        )
        st.space("stretch")
        states = {code: page.say(f"list.{code}") for code in queries.STATUSES}
        status = picked("status", states, PLACE, "open", also=("after",), label=page.say("list.by_status"))
        people = {"": page.say("list.anybody"), queries.NOBODY: page.say("list.nobody")}
        people |= {who: who for who in (deciding.name(), *queries.assignees(page.store, page.span)) if who}
        assignee = picked("assignee", people, PLACE, also=("after",), label=page.say("list.by_assignee"))
        verdicts = {"": page.say("list.any_verdict")} | {code: page.say(f"verdict.{code}") for code in VERDICTS}
        verdict = picked("verdict", verdicts, PLACE, also=("after",), label=page.say("list.by_verdict"))
    try:
        wanted = Filters(st.session_state["search"], tuple(levels), status, assignee, verdict, since_asked(page, visited))
        queries.search(wanted)
    except UsageError as error:
        kit.draw("unseen", {"title": page.say("list.unreadable"), "note": "", "rows": [("!", error.text(page.language))]}, "search_error")
        return None
    return wanted


def last_visit(page: Page) -> int:
    """The newest packet when this person looked here last, as this browser remembers it; 0 where it knows of no visit."""

    def told() -> None:
        st.session_state["visited"] = str(st.session_state["visit"].since or "")

    who = blake2b(f"{os.environ.get('BALEFIRE_STORE', '')}\n{deciding.name()}".encode(), digest_size=8).hexdigest()
    known = st.session_state.get("visited", "")
    newest = "" if page.held else str(page.whole.until - 1)  # who looks back has not seen what came later
    kit.tell("visit", {"who": who, "newest": newest, "since": known, "seen": st.session_state.pop("seen", "")}, "visit", "since", told)
    return moment_of(known)


def moment_of(text: str) -> int:
    """A time that can be stored; 0 for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(FOREVER)) and int(text) < FOREVER else 0


def since_asked(page: Page, visited: int) -> int:
    """Since when alerts are new, as the address says, so that whoever is sent it sees the same; 0: no matter. A link without a moment means the last visit."""
    asked = st.query_params.get("new", "")
    if asked != LAST_VISIT:
        if asked and not moment_of(asked):
            left_out("new")
        return moment_of(asked)
    if visited:
        st.query_params["new"] = str(visited)
    else:
        st.markdown(f":gray[{page.say('visit.none')}]")
    return visited


def views(page: Page, wanted: Filters, visited: int) -> None:
    """What is mostly asked for, each with how many there are of it beside search and severity: its filters stand in the address as if picked one by one."""
    me = deciding.name()
    since = wanted.since or visited
    found = {"open": replace(wanted, status="open", assignee="", verdict="", since=0)}
    found |= {"mine": replace(found["open"], assignee=me)} if me else {}
    found |= {"new": replace(found["open"], since=since)} if since else {}
    words = {
        name: page.say(
            "list.view.since" if name == "new" and since != visited else f"list.view.{name}",
            moment=page.clock.moment(since),
            count=number(counting.total(page.store, "alert", queries.search(each), page.span)),
        )
        for name, each in found.items()
    }

    def looked() -> None:
        forget("status", "assignee", "verdict", "new", "after", place=PLACE)
        st.query_params.update({"mine": {"assignee": me}, "new": {"new": str(since)}}.get(str(st.session_state["looked_at"]), {}))

    st.session_state["looked_at"] = next((name for name, each in found.items() if each == wanted), None)
    how = page.say("visit.how" if since == visited else "visit.sent", moment=page.clock.moment(since)) if since else None
    st.segmented_control(
        page.say("list.views"), list(words), key="looked_at", format_func=lambda name: words[name], label_visibility="collapsed", help=how, on_change=looked
    )


def seen(until: int) -> None:
    """What came up to this time has been seen."""
    st.session_state["seen"] = str(until)
    forget("new", "after", place=PLACE)


def turned(name: str) -> None:
    """Something that is on or off stands in the address while it is on; the list begins anew."""
    forget("after", place=PLACE)
    if name in st.query_params:
        del st.query_params[name]
    else:
        st.query_params[name] = "1"


def nothing(page: Page, where: Condition) -> None:
    """No alert here: say so, and say what lies outside the period."""
    outside = counting.total(page.store, "alert", where)
    st.markdown(page.say("list.none"))
    if outside and st.button(page.count("list.outside", outside, count=number(outside))):
        st.query_params["range"] = "all"
        st.rerun()


def listed(page: Page, found: list[dict[str, Any]], visited: int) -> list[dict[str, Any]]:
    """Rows of the list, as text."""
    names = queries.asset_names(page.store, list(dict.fromkeys(str(row["assets"][0]) for row in found if row["assets"])))
    fresh = page.say("visit.tag")
    return [_row(page, row, names) | {"fresh": fresh if visited and int(row["last"]) > visited else ""} for row in found]


def _row(page: Page, row: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    assets: list[str] = row["assets"] or []
    techniques: list[str] = row["techniques"] or []
    severity, last, count = int(row["severity"]), int(row["last"]), int(row["count"])
    level, verdict = severity_word(severity), row["verdict"] if row["status"] == "closed" else None
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
        "short": str(row["id"])[:SHORT],
        "count": f"× {number(count)}" if count > 1 else "",
        "status": row["status"],
        "statusWord": page.say(f"status.{row['status']}") + (f" · {page.say(f'verdict.{verdict}')}" if verdict else ""),
        "assignee": row["assignee"] or "",
        "time": page.clock.second(last),
        "day": page.clock.short_day(last),
    }


def last_of(rows: list[dict[str, Any]]) -> str:
    """The row that a store gives last, behind which the next page begins: of the least severity, and of those the least identity."""
    return str(min(rows, key=lambda row: (int(row["severity"]), str(row["id"])))["id"])


show(begin(*REMEMBERED, "new", "handover", "id", "packet", "node"))
