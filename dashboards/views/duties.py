"""Duties: what is due to whom, with the time left; confirmed alerts without a level; warnings and their next steps; or what one agency may see of it, and no
more: that is all that an account of an agency is shown. Levels are decided, forms filled in, supplements opened and warnings issued here. Releasing needs the
private key, which is not kept where a browser reaches: it is done from the command line.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, kit
from dashboards.access.visitor import demand, lacking, may, visitor
from dashboards.deciding import fill, grade, name, open_year, operator, person, plain, refused, refusing, regimes, supplement
from dashboards.formpage import preview, signed
from dashboards.opening import opened
from dashboards.page import Page, begin, picked, remember
from dashboards.paper import files
from dashboards.serve import UNIT, ZONE
from dashboards.warning import warnings
from detectors.lifecycle import LONGEST
from records.formats import duration
from records.nesting import period
from records.wording import say
from reports import audience, forming, formpage, obliging, warned
from reports.agencies import AGENCIES
from reports.dutybook import class_named, incident_classes, levels
from reports.suggesting import suggested
from reports.words import nanoseconds
from reports.yearly import unopened

if TYPE_CHECKING:
    from reports.obliging import Due

PAGE: Final = ("duties", 9)
PLACE: Final = PAGE[0]
MINUTE: Final = 60 * 10**9
MOST: Final = 200


def show(page: Page) -> None:
    """The whole page. Clocks of duties run by the wall clock, not by packet time."""
    names = {each: say(f"agency.{each}", page.language) for each in AGENCIES}
    if agency := own() or chosen(page, names):
        seen_by(page, agency, names[agency])
        return
    demand("read")
    refused(page)
    now = time.time_ns()
    found = obliging.all_due(page.store)
    waiting = obliging.ungraded(page.store)
    late, contested = sum(each.open and each.overdue(now) for each in found), sum(each.contested is not None for each in found)
    issued = warned.warnings(page.store)
    overdue = sum(warned.overdue(row, now) for row in issued)
    headline(page, sum(each.open for each in found), late=late, waiting=len(waiting), contested=contested, overdue=overdue)
    person(page)
    if waiting:
        head = [page.say(f"duties.{name}") for name in ("alert", "by", "since", "todo")]
        rows = [
            [{"text": alert[:12], "href": page.address("alert", id=alert)}, by, page.say("duties.ago", time=duration(now - since, page.language)),
             {"text": f"balefire duty grade {alert[:12]} --level …", "kind": "mono"}]
            for alert, (since, by) in list(waiting.items())[:MOST]
        ]  # fmt: skip
        told = {"title": page.say("duties.ungraded"), "note": cut(page, len(waiting)) or page.say("duties.ungraded_note"), "empty": ""}
        kit.draw("table", {**told, "head": head, "rows": rows}, "waiting")
        decide_level(page, list(waiting)[:MOST])
    head = [page.say(f"duties.{name}") for name in ("duty", "told", "left", "due", "basis", "alert")]
    told = {"title": page.say("duties.title"), "note": cut(page, len(found)) or page.say("duties.note"), "empty": page.say("duties.none")}
    kit.draw("table", {**told, "head": head, "rows": [line(page, each, now) for each in found[:MOST]]}, "due")
    empty_year(page, now)
    if found:
        form(page, found[:MOST])
    warnings(page, issued, now)


def own() -> str:
    """The agency that whoever looks belongs to."""
    seen = visitor()
    return seen.agency if seen else ""


def chosen(page: Page, names: dict[str, str]) -> str:
    """Through whose eyes somebody of the plant looks at it."""
    remember("agency", place=PLACE)
    return picked("agency", {"": page.say("duties.everything"), **names}, PLACE, width=320)


def seen_by(page: Page, agency: str, called: str) -> None:
    """What one agency may see: the duties towards it alone, and of their forms those that were released."""
    found = audience.view(page.store, agency, os.environ.get(UNIT, ""), page.language, time.time_ns())
    still = [each for each in found if each["status"] == "open"]
    headline(page, len(still), late=sum(each["overdue"] for each in still), contested=sum(bool(each["contested"]) for each in found))
    head = [page.say(f"duties.{name}") for name in ("duty", "case", "left", "due", "basis", "receipt")]
    rows = [
        [each["title"], {"text": each["case"], "kind": "mono"}, _standing(page, each), _when(page, each["due"]), _basis(page, each), _receipt(each)]
        for each in found[:MOST]
    ]
    told = {"title": page.say("duties.seen_by", agency=called), "note": cut(page, len(found)) or page.say("duties.seen_note")}
    kit.draw("table", {**told, "head": head, "rows": rows, "empty": audience.nothing(agency, page.language)}, "seen")
    head = [page.say(f"duties.{name}") for name in ("field", "text")]
    for number, each in enumerate(each for each in found[:MOST] if each["form"]):
        rows = [[each["titles"][key], text.replace("\n", " · ") or "–"] for key, text in each["form"].items()]
        kit.draw("table", {"title": f"{each['title']} · {each['case']}", "note": each["basis"], "head": head, "rows": rows, "empty": ""}, f"seen_{number}")
        if (document := signed(each["id"])) is not None:
            files(document, formpage.rendered, document["language"], f"seen_{number}")


def _standing(page: Page, each: dict[str, Any]) -> dict[str, str]:
    words = {"text": each["left"]}
    if not each["contested"]:
        return words | ({"severity": "critical"} if each["status"] == "open" and each["overdue"] else {})
    return words | {
        "severity": "high",
        "sub": say(f"duty.contested_told.{each['contested_why']}", page.language, time=page.clock.stamp(nanoseconds(each["contested"]))),
    }


def _basis(page: Page, each: dict[str, Any]) -> dict[str, str]:
    """The law, and whether it is from memory, or that this agency is told by it."""
    return {"text": each["basis"]} | ({"sub": page.say("duties.doubted")} if each["doubted"] else {})


def _when(page: Page, text: str | None) -> str:
    span = period(text) if text else None
    return page.clock.moment(span[0]) if span else "–"


def _receipt(each: dict[str, Any]) -> dict[str, str]:
    return {"text": f"{each['receipt'][:18]}…" if each["receipt"] else "–", "kind": "mono"}


def cut(page: Page, total: int) -> str:
    """How many of so many rows a table shows, where it does not show all."""
    return page.say("activity.cut", shown=MOST, total=total) if total > MOST else ""


def headline(page: Page, left: int, *, late: int, contested: int, waiting: int = 0, overdue: int = 0) -> None:
    """The worst thing first: what is late, else what waits. `left`: what is open; `overdue`: warnings whose next step is."""
    level = "critical" if late else "high" if waiting or contested or overdue else "none"
    told = ("late", late), ("waiting", waiting), ("contested", contested), ("warnings_late", overdue)
    parts = [page.say(f"duties.{name}", count=count) for name, count in told if count]
    sentence = " · ".join(parts) or page.say("duties.quiet", count=left)
    kit.draw(
        "headline", {"level": level, "plain": True, "meta": [], "tag": page.say("duties.tag"), "sentence": sentence, "reason": page.say("duties.clock")}, "top"
    )


def line(page: Page, each: Due, now: int) -> list[Any]:
    """One duty as texts."""
    agencies, basis = each.duty.told(page.language), each.duty.basis(page.language)
    due = page.clock.moment(each.due) if each.due else "–"
    alert = {"text": each.case} | ({"href": page.address("alert", id=each.row["alert"])} if each.row["alert"] else {})
    late = {"severity": "critical"} if each.open and each.overdue(now) else {"severity": "high"} if each.contested else {}
    return [getattr(each.duty.title, page.language), agencies, {"text": each.left(now, page.language, page.clock.zone)} | late, due, basis, alert]


def decide_level(page: Page, alerts: list[str]) -> None:
    """The level and class of a confirmed alert, as suggested until somebody says otherwise: no key is needed for that."""
    with st.expander(page.say("duties.decide")):
        alert = str(st.selectbox(page.say("duties.decide_alert"), alerts, format_func=lambda code: entitled(page, code), key="grade_alert", width=640))
        found = suggested(page.store, alert)
        titles = {each: say(f"duty.level.{each}", page.language) for each in levels()}
        for each in found.reasons:
            st.caption(plain(getattr(each, page.language)))
        words = page.say("duties.decide_level", level=titles[found.level])
        st.radio(words, list(titles), index=None, format_func=titles.__getitem__, key=f"grade_level_{alert}", horizontal=True)
        codes = {code: class_named(code, page.language) for code in incident_classes()}
        place = list(codes).index(found.code)
        code = str(st.selectbox(page.say("duties.decide_class"), list(codes), place, format_func=codes.__getitem__, key=f"grade_class_{alert}"))
        for text in found.lost(code, "", operator(), regimes(), page.language):
            st.caption(plain(text))
        st.text_input(page.say("duties.decide_note"), key=f"grade_note_{alert}", max_chars=LONGEST)
        why = lacking("decide", page.language)
        st.button(page.say("duties.decide"), key="grade", type="primary", disabled=bool(why), help=why, on_click=_graded, args=(alert,))


def empty_year(page: Page, now: int) -> None:
    """Yearly reports of a year without incidents: nothing opens them by itself, and no source says whether they are wanted."""
    missing = unopened(page.store, regimes(), now)
    if not missing:
        return
    rows = [[getattr(duty.title, page.language), str(year), page.say("duties.empty_year"), duty.basis(page.language)] for duty, year in missing]
    head = [page.say(f"duties.{name}") for name in ("duty", "year", "status", "basis")]
    kit.draw("table", {"title": page.say("duties.years"), "note": page.say("duties.years_note"), "head": head, "rows": rows, "empty": ""}, "years")
    why = lacking("decide", page.language)
    st.button(page.say("duties.open_year"), key="duty_year", disabled=bool(why), help=why, on_click=_year_opened)


def _year_opened() -> None:
    """The button was pressed."""
    with refusing():
        open_year(opened(), name())


def entitled(page: Page, alert: str) -> str:
    """An alert by its title."""
    titles = [getattr(each.title, page.language) for each in counting.alerts(page.store, [alert])]
    return f"{next(iter(titles), '') or '–'} · {alert[:12]}"


def _graded(alert: str) -> None:
    """The button was pressed: without a level nothing is decided."""
    level, code, note = (str(st.session_state.get(f"grade_{each}_{alert}") or "") for each in ("level", "class", "note"))
    if level:
        with refusing():
            grade(opened(), alert, level, code, name(), note)


def form(page: Page, found: list[Due]) -> None:
    """The form of one of them as it stands."""
    names = {each.row["id"]: each for each in found}
    chosen = str(st.selectbox(page.say("duties.which"), list(names), format_func=lambda code: called(page, names[code]), key="which_form", width=480))
    due = names[chosen]
    unit = forming.Unit(os.environ.get(UNIT, ""), page.language, os.environ.get(ZONE) or "UTC")
    told, proposed = (each(page.store, due, unit) for each in (forming.form, forming.suggestions))
    required = {each.id for each in due.duty.required}
    words = {True: say("duty.required", page.language), False: say("duty.later", page.language)}
    rows = [[getattr(each.title, page.language), content(page, told[each.id], proposed.get(each.id)), words[each.id in required]] for each in due.duty.fields]
    head = [page.say(f"duties.{name}") for name in ("field", "text", "needed")]
    note = f"balefire duty release {chosen[:12]}" if due.open else f"balefire duty supplement {chosen[:12]}" if due.supplemented else ""
    kit.draw("table", {"title": page.say("duties.form"), "note": note, "head": head, "rows": rows, "empty": ""}, "form")
    if due.open:
        fill_in(page, due, told, proposed)
    elif due.supplemented and may("decide"):
        st.button(page.say("duties.supplement"), key="duty_supplement", on_click=_supplemented, args=(due,))
    preview(page, due)


def content(page: Page, text: str, suggestion: str | None) -> dict[str, str]:
    """What stands in a field; beneath, what is suggested for it and does not count."""
    told = {"text": text.replace("\n", " · ") or "–"}
    return told | ({"sub": f"{say('duty.suggestion', page.language)} {suggestion.replace(chr(10), ' · ')}"} if suggestion else {})


def fill_in(page: Page, due: Due, told: dict[str, str], proposed: dict[str, str]) -> None:
    """The fields to write in, with what stands there, and which suggestions to take over."""
    with st.expander(page.say("duties.fill")):
        fields = [each for each in due.duty.fields if not each.decided]
        keys = {each.id: f"field_{due.row['id']}_{each.id}" for each in fields}
        for each in fields:
            st.text_area(getattr(each.title, page.language), told[each.id], key=keys[each.id], max_chars=LONGEST, height=68)
        if proposed:
            titles = {each.id: getattr(each.title, page.language) for each in fields}
            st.multiselect(page.say("duties.accept"), list(proposed), format_func=titles.__getitem__, key=_accepting(due), placeholder="–")
        why = lacking("decide", page.language)
        st.button(page.say("duties.keep"), key="duty_fill", type="primary", disabled=bool(why), help=why, on_click=_filled, args=(due, told, keys, proposed))


def _accepting(due: Due) -> str:
    return f"accept_{due.row['id']}"


def _filled(due: Due, told: dict[str, str], keys: dict[str, str], proposed: dict[str, str]) -> None:
    """The button was pressed: what was written anew is kept, and what was taken over; what the alert tells by itself stays its own."""
    values = {field: proposed[field] for field in st.session_state.get(_accepting(due)) or ()}
    values |= {field: text for field, key in keys.items() if (text := str(st.session_state.get(key) or "")) != told[field]}
    with refusing():
        fill(opened(), due, values, name())


def _supplemented(due: Due) -> None:
    """The button was pressed."""
    with refusing():
        supplement(opened(), due, name())


def called(page: Page, due: Due) -> str:
    """What a form is called among others."""
    return f"{getattr(due.duty.title, page.language)} · {due.case}"


show(begin("agency"))
