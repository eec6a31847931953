"""One alert: what happened and why it is odd, how the score comes about, what to do first, the activities and packets behind it, and what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, deciding, kit, owing, queries
from dashboards.access.visitor import lacking
from dashboards.activities import HEAD, activity_row
from dashboards.keeping import meanwhile
from dashboards.likeness import looked_back, similar, strip
from dashboards.packets import ahead, download, packets
from dashboards.page import Page, begin, text_of
from records.formats import number
from records.model import severity_word
from records.wording import catalogue, say

if TYPE_CHECKING:
    from dashboards.queries import Detail


PAGE: Final = ("alert", "alerts")


def show(page: Page) -> None:
    """The whole page."""
    if named := st.query_params.pop("alert", ""):  # as `asset?asset=…` and `rule?rule=…`
        st.query_params.setdefault("id", named)
    identity = st.query_params.get("id", "")
    found = queries.detail(page.store, identity) if identity else None
    known = ahead(str(found.alert["id"])) if found else []
    if found:
        meanwhile(lambda: looked_back(page.store, found))
    with st.container(horizontal=True, vertical_alignment="center", key="ways"):
        if st.button(page.say("alert.back"), icon=":material/arrow_back:", type="tertiary"):
            st.switch_page("views/alerts.py", query_params={name: value for name, value in st.query_params.items() if name not in {"id", "packet", "node"}})
        neighbours(page, identity)
        st.space("stretch")
        why = lacking("suppress", page.language)
        if found and st.button(page.say("alert.suppress"), key="suppress", disabled=bool(why), help=why):
            st.switch_page("views/suppress.py", query_params={**dict(st.query_params), "id": identity})
        if found:
            download(page, found.alert, known)
    st.session_state["alert_shown"] = identity
    if found is None:
        reason = page.say("alert.missing_reason", id=identity) if identity else page.say("alert.unnamed")
        words = {"tag": page.say("alert.missing"), "sentence": page.say("alert.missing_sentence"), "reason": reason}
        kit.draw("headline", {"level": "none", "plain": True, **words}, "headline")
        return
    deciding.bar(page, [found.alert])
    deciding.refused(page)
    headline(page, found)
    st.space("small")
    left, beside = st.columns([1, 1], gap="large")
    with left:
        waterfall(page, found)
        st.space("small")
        steps(page, found)
    activities(page, found)
    below = st.container()
    left, right = st.columns([1, 1], gap="large")
    with left:
        similar(page, found)
    with right:
        trail(page, found)
    with beside:  # these last: they look far back, and into packets
        strip(page, found)
    with below:
        packets(page, found, known)


def neighbours(page: Page, identity: str) -> None:
    """The alerts before and after this one in the list from which one came, as it was then."""
    queue: list[str] = st.session_state.get("queue", [])
    if identity not in queue or len(queue) < 2:
        return
    place = queue.index(identity)
    for step, key, icon, letter in ((-1, "before", ":material/chevron_left:", "K"), (1, "after", ":material/chevron_right:", "J")):
        there = 0 <= place + step < len(queue)
        words = page.say(f"alert.{key}")
        if st.button(words, key=f"alert_{key}", icon=icon, type="tertiary", shortcut=letter, disabled=not there):
            kept = {name: value for name, value in st.query_params.items() if name not in {"packet", "node"}}
            st.switch_page("views/alert.py", query_params={**kept, "id": queue[place + step]})
    st.markdown(f":gray[{page.say('alert.place', place=number(place + 1), count=number(len(queue)))}]", width="content")


def headline(page: Page, found: Detail) -> None:
    """Severity, score, times, then title and reason."""
    alert, finding = found.alert, found.finding
    level, count = severity_word(int(alert["severity"])), int(alert["count"])
    meta = [(number(int(alert["severity"])), page.say("alert.of")), ("", when(page, alert)), ("", page.count("alert.findings", count, count=number(count)))]
    if finding and finding["observer.name"]:
        meta.append(("", page.say("alert.seen_by", sensor=queries.sensor_label(page.store, str(finding["observer.name"])))))
    meta += [("", words) for words in standing(page, found)]
    meta.append(("", str(alert["id"])[:12]))
    words = {"tag": page.say(f"severity.{level}"), "sentence": text_of(alert, "title", page.language), "reason": text_of(alert, "reason", page.language)}
    kit.draw("headline", {"level": level, "plain": True, "meta": meta, **words}, "headline")
    if alert["status"] == "closed" and alert["verdict"] == "true":
        owing.unlevelled(page, str(alert["id"]))


def standing(page: Page, found: Detail) -> list[str]:
    """Status and verdict, who works on it, what suppressions hide of it or have hidden."""
    alert = found.alert
    told = [page.say(f"status.{alert['status']}")]
    if alert["verdict"]:
        told.append(page.say("alert.verdict", verdict=page.say(f"verdict.{alert['verdict']}")))
    if alert["assignee"]:
        told.append(page.say("alert.assignee", name=alert["assignee"]))
    if found.hidden:
        told.append(page.count("alert.hidden", found.hidden, count=number(found.hidden)))
    ended = {each.id: each for each in (counting.suppressions(page.store)[1] if alert["expired"] else ()) if each.id in alert["expired"]}
    moments = {name: page.clock.moment(each.until) for name, each in ended.items()}
    return told + [page.say("alert.expired", id=name[:12], moment=moment) for name, moment in moments.items()]


def trail(page: Page, found: Detail) -> None:
    """Who decided what when; a way to hide the like for a while."""
    head = [page.say(f"trail.{name}") for name in ("time", "by", "decision", "change", "note")]
    lines = [_decision(page, row) for row in found.trail]
    kit.draw(
        "table", {"title": page.say("trail.title"), "note": page.say("trail.clock"), "head": head, "rows": lines, "empty": page.say("trail.none")}, "trail"
    )


def _decision(page: Page, row: dict[str, Any]) -> list[Any]:
    time, clock = int(row["time"]), page.clock
    words = [_became(page, name, row["before"].get(name), value) for name, value in row["after"].items() if name in {"status", "assignee", "verdict"}]
    when_words = {"text": f"{clock.short_day(time)} {clock.second(time)}", "kind": "mono"}
    return [when_words, str(row["by"]), say(f"decision.{row['action']}", page.language), page.say("trail.comma").join(words), str(row["note"] or "")]


def _became(page: Page, name: str, before: object, after: object) -> str:
    """One field's change in words."""

    def word(value: object) -> str:
        return page.say("trail.nobody") if value is None else str(value) if name == "assignee" else page.say(f"{name}.{value}")

    return page.say("trail.became", before=word(before), after=word(after))


def when(page: Page, alert: dict[str, Any]) -> str:
    """First and last finding to the second."""
    clock, (first, last) = page.clock, (int(alert["first"]), int(alert["last"]))
    words = [f"{clock.short_day(time)} {clock.second(time)}" for time in (first, last)]
    return page.say("alert.once" if first == last else "alert.span", first=words[0], last=words[1], offset=clock.offset(last))


def waterfall(page: Page, found: Detail) -> None:
    """The terms of the worst finding, adding up to its score."""
    finding = found.finding
    if finding is None:
        kit.draw("table", {"title": page.say("score.title_none"), "note": "", "head": [], "rows": [], "empty": page.say("score.none")}, "waterfall")
        return
    stored: list[dict[str, Any]] = finding["terms"] or []
    terms = [(str(term["title"].get(page.language) or term["name"]), float(term["value"])) for term in stored]
    total = sum(value for _, value in terms)
    data = {
        "title": page.say("score.title", score=number(round(total, 1))),
        "note": page.say("score.note" if int(found.alert["count"]) == 1 else "score.note_worst"),
        "terms": [{"name": name, "value": value, "text": _signed(value)} for name, value in terms],
        "severity": severity_word(int(finding["severity"])),
        "total": page.say("score.total"),
        "sum": number(round(total, 1)),
        "steps": [[40, "medium"], [60, "high"], [80, "critical"]],
        "foot": _foot(page, total, float(finding["score"])),
    }
    kit.draw("waterfall", data, "waterfall")


def _foot(page: Page, total: float, score: float) -> str:
    """What has to be said about a sum: that it is not the stored score, or that the severity is its clamp."""
    if abs(total - score) > 0.05:
        return page.say("score.mismatch", sum=number(round(total, 1)), score=number(round(score, 1)))
    return "" if 0 <= score <= 100 else page.say("score.clamped", score=number(round(score, 1)))


def _signed(value: float) -> str:
    return ("+" if value >= 0 else "−") + number(abs(round(value, 1)))


def steps(page: Page, found: Detail) -> None:
    """The techniques by name, the first steps."""
    finding, language = found.finding, page.language
    known = finding or {}
    told = [str(step[language]) for step in known.get("respond") or ()]
    source = str(known.get("rule") or known.get("detector") or "")
    codes: list[str] = found.alert["techniques"] or []
    data = {
        "techniqueTitle": page.say("steps.technique"),
        "techniques": [[code, say(f"technique.{code}", language) if f"technique.{code}" in catalogue() else ""] for code in codes],
        "techniqueNone": page.say("steps.technique_none"),
        "stepsTitle": page.say("steps.first"),
        "stepsNote": page.say("steps.from", source=source) if source and told else "",
        "steps": told,
        "stepsNone": page.say("steps.none"),
    }
    kit.draw("steps", data, "steps")


def activities(page: Page, found: Detail) -> None:
    """The activities that the finding is about."""
    head = [page.say(f"activity.{name}") for name in HEAD]
    lines = [activity_row(page, row) for row in found.activities]
    note = page.count("activity.count", len(lines), count=number(len(lines))) if lines else ""
    if lines and found.activity_count > len(lines):
        note = page.say("activity.cut", shown=number(len(lines)), total=number(found.activity_count))
    if found.findings < int(found.alert["count"]):
        note += page.say("activity.comma") + page.say("activity.of_worst", findings=number(found.findings))
    words = {"title": page.say("activity.title"), "note": note, "empty": page.say("activity.none")}
    kit.follow("table", {"head": head, "rows": lines, "low": True, **words}, "activities")


show(begin())
