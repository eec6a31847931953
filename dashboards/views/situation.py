"""Situation: what is wrong, where, what was done to the plant, and what was not seen."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, health, inventory, kit, owing, queries, standing, story, trend, wall, weekly
from dashboards.page import Page, begin, kept_parameters, left_out, look_again
from records.effects import ACCESSES
from records.formats import MINUTE, duration, number, share_missed, share_seen, size
from records.wording import role_words, say
from sensors.blindness import spot_words
from sensors.blindspots import ONE_WAY
from sensors.protocol import title_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboards.queries import Sensor
    from dashboards.story import Story
    from dashboards.weekly import Week

PAGE: Final = ("situation", 1)
PROTOCOLS: Final = 8  # that are told, those with most operations and those that are no more spoken
SILENT: Final = 3  # sensors that are told one by one
SPOTS: Final = 6  # blind spots that are told one by one


def show(page: Page) -> None:
    """The whole page."""
    if st.query_params.get("view") == "wall":
        wall.show(page)
        return
    left_out("view")
    if "id" in st.query_params:
        del st.query_params["id"]
    sensors, known = standing.sensors(page)
    sums = page.ask("coverage", queries.coverage)
    acts, spoken = counting.activity_by(page.store, page.span)
    told = story.story(page.store, queries.worst(page.store, page.span))
    headline(page, (sensors, known), sums, acts, told)
    owing.band(page)
    left, right = st.columns([1.9, 1], gap="large")
    with left:
        kit.draw("timeline", {**standing.timeline(page, sensors, known), "began": story.began(page, told)}, "timeline")
    with right:
        risk(page)
    left, right = st.columns([1, 1], gap="large")
    with left:
        activity(page, acts, spoken)
    with right:
        healths(page)
        unseen(page, sensors, sums)
    look_again(page, time.monotonic())


def headline(page: Page, watching: tuple[list[Sensor], int], sums: dict[str, int], acts: dict[str, int], told: Story | None) -> None:
    """Warning level and why, one sentence, facts, and the way to the alert that is worst."""
    counts = queries.open_by_level(page.store, page.span)
    head = standing.headline(page, watching, sums, counts, told)
    kit.draw("headline", {**head, "facts": facts(page, counts, watching[0], sums, acts)}, "headline")
    ways(page, told)
    outside = counting.total(page.store, "alert", queries.OPEN) - sum(counts.values())
    if outside and not told and st.button(page.count("outside", outside, count=number(outside))):
        st.query_params["range"] = "all"
        st.rerun()


def ways(page: Page, told: Story | None) -> None:
    """On to the worst alert, to what is new among all, to the text for the shift book."""
    kept = kept_parameters()
    with st.container(horizontal=True, gap="small", key="ways"):
        if told:
            short = re.sub(r"\W", "", str(told.worst["id"]))[:8]  # a label is Markdown, and what is stored is hostile
            if st.button(page.say("open_alert", id=short), type="primary", shortcut="O"):
                st.switch_page("views/alert.py", query_params={**kept, "id": str(told.worst["id"])})
        if st.button(page.say("story.new"), key="to_new", icon=":material/new_releases:", shortcut="N"):
            st.switch_page("views/alerts.py", query_params={**kept, "new": "1"})
        if st.button(page.say("handover.button"), key="to_handover", icon=":material/assignment:", shortcut="H"):
            st.switch_page("views/alerts.py", query_params={**kept, "handover": "1"})


def facts(page: Page, counts: dict[str, int], sensors: list[Sensor], sums: dict[str, int], acts: dict[str, int]) -> list[tuple[str, str]]:
    """At most five: open alerts, what acted on the plant, blindness, coverage."""
    total = sum(counts.values())
    found = [(page.say("fact.items", count=number(total)), page.count("fact.alerts", total))]
    for name in ("program", "command", "write"):
        if acts.get(name) and len(found) < 3:
            found.append((page.say("fact.times", count=number(acts[name])), page.count(f"fact.{name}", acts[name])))
    if len(found) == 1:
        found.append((page.say("fact.times", count="0"), page.say("fact.acts")))
    sensor, longest = standing.blindest(page, sensors)
    if longest:
        found.append((page.say("fact.blind", duration=duration(longest, page.language)), page.say("fact.blind_on", sensor=standing.label_of(sensor))))
    grade = queries.grade(sums)
    if grade is None:
        return [*found, (page.say("fact.unknown"), page.say("fact.no_payload"))]
    return [*found, (share_seen(grade, page.language), page.say("fact.coverage"))]


def risk(page: Page) -> None:
    """Assets with open alerts, worst first, and how the risk of each went."""
    at_risk, known = inventory.at_risk(page.store, page.span)
    ways = trend.trends(page, [row for row, _ in at_risk])
    found = [
        {
            "href": page.address("asset", asset=str(row["id"])) if "name" in row else "",
            "name": row.get("name") or row["id"],
            "role": role_words(row.get("role") or "", page.language),
            "score": risk.severity,
            "severity": risk.level,
            "alerts": page.count("risk.alerts", risk.alerts, count=number(risk.alerts)),
            "trend": trend.drawn(page, way),
        }
        for (row, risk), way in zip(at_risk, ways, strict=True)
    ]
    kit.follow(
        "risk",
        {"title": page.say("risk.title"), "note": page.cut(len(found), known, page.say("risk.note")), "rows": found, "empty": page.say("risk.empty")},
        "risk",
    )


def activity(page: Page, acts: dict[str, int], spoken: dict[str, int]) -> None:
    """Operations by access and by protocol, against the same span a week earlier where both were seen well enough."""
    week = weekly.week(page.store, page.span)
    compared = week is not None and not week.doubt
    was, was_spoken = counting.activity_by(page.store, week.was) if week and compared else (None, None)
    keys = {"keyNow": page.say("access.now"), "keyWas": page.say("access.was") if compared else "", "keyScale": page.say("access.scale")}
    keys |= {"empty": page.say("access.empty"), "note": _against(page, week)}
    names = [name for name in ACCESSES if acts.get(name) or (was and was.get(name))]
    rows = [_row(page, name, acts, was) | {"access": name, "name": page.say(f"access.{name}")} for name in names]
    kit.draw("access", {**keys, "title": page.say("access.title"), "rows": rows}, "access")
    names = list(dict.fromkeys((*spoken, *(was_spoken or ()))))
    if names:
        note = page.say("activity.cut", shown=PROTOCOLS, total=number(len(names))) if len(names) > PROTOCOLS else ""
        rows = [_row(page, name, spoken, was_spoken) | {"access": "", "name": title_of(name)} for name in names[:PROTOCOLS]]
        kit.draw("access", {**keys, "title": page.say("access.by_protocol"), "note": note, "rows": rows}, "protocol")


def _against(page: Page, week: Week | None) -> str:
    """What the operations are compared with, or why with nothing."""
    if week is None:
        return page.say("access.note_long")
    if not week.doubt:
        return page.say("access.note")
    times = week.watched if week.doubt == "uneven" else week.seen
    now, was, whole = (duration(time, page.language) for time in (*times, week.length))
    return page.say(f"access.note_{week.doubt}", now=now, was=was, whole=whole)


def _row(page: Page, name: str, acts: dict[str, int], before: dict[str, int] | None) -> dict[str, Any]:
    now, was = acts.get(name, 0), None if before is None else before.get(name, 0)
    percent = round(100 * (now - was) / was) if was else None
    change = "" if was is None else page.say("access.new")
    if percent is not None:
        change = page.say("access.same") if abs(percent) < 3 else page.say("access.change", percent=f"{'+' if percent > 0 else '−'}{abs(percent)}")
    return {
        "now": now,
        "was": was,
        "nowText": number(now),
        "wasText": "" if was is None else number(was),
        "change": change,
        "strange": was is not None and now > 0 and (percent is None or abs(percent) > 50),
    }


def healths(page: Page) -> None:
    """Each sensor: its last packet, what was dropped, its grade."""
    found, known = health.health(page.store, page.span)
    head = [page.say(name) for name in ("cover.place", "health.traffic", "cover.drops", "cover.grade", "health.rate")]
    note = page.say("health.some", shown=len(found), known=number(known)) if known > len(found) else ""
    words = {"title": page.say("health.title"), "note": note, "head": ["", *head], "empty": page.say("health.none")}
    kit.draw("sensors", {**words, "rows": health.cards(page, found)}, "health")


def unseen(page: Page, sensors: list[Sensor], sums: dict[str, int]) -> None:
    """What was not seen or not understood: the grade, silence, then blind spots worst first, each with what to do. Coverage is told always."""
    language, lines = page.language, list[tuple[str, ...]]()
    grade = queries.grade(sums)
    if grade is not None and grade < 100:
        lines.append((share_missed(100 - grade, language), page.say("unseen.share")))
    if (missed := page.ask("coverage", queries.unseen_by_all)) >= 2 * MINUTE:
        lines.append((duration(missed, language), page.say("unseen.by_all")))
    blind = [(sensor.blind_time(page.whole, page.span), sensor.label) for sensor in sensors]
    lines += [(duration(time, language), page.say("unseen.blind", sensor=label)) for time, label in sorted(blind, reverse=True)[:SILENT] if time]
    covered, used = page.ask("coverage", queries.newest_account)
    spots = [spot for spot in covered.spots() if spot.key != "silent"]  # that is told by sensor
    lines += [("", *spot_words(spot, language, page.clock.zone)) for spot in spots[:SPOTS]]  # no rank: beside counts it would be taken for one
    told = {spot.key for spot in spots[:SPOTS]} | {"lost" for each in covered.reasons if each["reason"] == "unanswered"}  # that is no loss
    lines += _rest(page, sums | {"undecoded_bytes": sums["undecoded_bytes"] - covered.counts["cut_bytes"]}, told)  # what was cut is told as that
    if (total := counting.total(page.store, "coverage", span=page.span)) > used:
        lines.append(("", say("coverage.told.some", language, shown=number(used), total=number(total))))
    left = max(0, sum(time > 0 for time, _ in blind) - SILENT) + max(0, len(spots) - SPOTS)
    if not lines:
        lines.append(("0", page.say("unseen.nothing" if grade is not None else "unseen.no_payload")))
    note = page.say("unseen.note", share=share_seen(grade, language)) if grade is not None else page.say("coverage_none")
    kit.draw("unseen", {"title": page.say("unseen.title"), "note": page.cut(len(lines), len(lines) + left, note), "rows": lines}, "unseen")


def _rest(page: Page, sums: dict[str, int], told: set[str]) -> Iterator[tuple[str, ...]]:
    """A line for everything that was counted and is in none of the blind spots that are shown."""
    if (sums["lost"] or sums["gaps"]) and "lost" not in told:
        yield size(sums["lost"], page.language), page.say("unseen.lost", gaps=number(sums["gaps"]))
    if sums["undecoded_bytes"] > 0 and not told & {"unread", "cyclic", "encrypted"}:
        ports = page.ask("coverage", queries.undecoded_ports)
        named = [page.say("unseen.port", port=port, guess=say(f"character.{guess}", page.language)) if guess else port for port, guess in ports]
        words = page.say("unseen.undecoded_on", ports=page.say("and").join(named)) if named else page.say("unseen.undecoded")
        yield size(sums["undecoded_bytes"], page.language), words
    for name in ("one_sided", "late", "truncated", "jumps", "shed", "refused", *queries.DOUBTFUL):
        if sums[name] and name not in told and not (name == "one_sided" and told & ONE_WAY):
            yield number(sums[name]), page.count(f"unseen.{name}", sums[name])


show(begin("view", "id"))
