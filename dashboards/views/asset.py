"""One asset: its open alerts, who it talks to and for what, what is known of it and from where, what it does now against another time, its points."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import comparing, counting, inventory, kit, queries, trend
from dashboards.comparing import SHOWN
from dashboards.explorer import about, point_code
from dashboards.keeping import meanwhile
from dashboards.linking import STRENGTH
from dashboards.page import Page, begin, newer, picked, remember, text_of, typed
from dashboards.reference import deed_words, object_words
from detectors.phrases import ACTING, listed, measured
from records.assets import changes_of, contested
from records.effects import EFFECTS, NUMBER
from records.facts import ADDRESS, MOST_TEXT, is_cut
from records.formats import number
from records.model import severity_word
from records.store.rows import asset_from
from records.wording import device_words, role_words, say, say_or, source_words
from sensors.protocol import title_of

if TYPE_CHECKING:
    from dashboards.inventory import Talk
    from detectors.fingerprint import Fingerprint
    from records.model import Asset

PAGE: Final = ("asset", "assets")
PLACE: Final = PAGE[0]
PEERS: Final = 25
POINTS: Final = 40


def show(page: Page) -> None:
    """The whole page."""
    newer(page)
    remember("asset", "against", "other", place=PLACE)
    name = st.query_params.get("asset", "")
    if st.button(page.say("asset.back"), icon=":material/arrow_back:", type="tertiary"):
        st.switch_page("views/assets.py", query_params={name: value for name, value in st.query_params.items() if name not in ("asset", "against", "other")})
    found = inventory.called(page.store, name)
    if len(found) != 1:
        several(page, name, found)
        return
    row, whole = found[0], asset_from(found[0])
    meanwhile(lambda: trend.of(page, row))
    if "against" not in st.query_params:
        meanwhile(lambda: comparing.made(page, row, page.span, comparing.ALONE))
    risky, alerts = inventory.open_alerts(page.store, row)
    talks = inventory.talks(page.store, row, page.span)
    headline(page, whole, risky, alerts, talks)
    with st.container(horizontal=True, gap="small", key="ways"):
        if st.button(page.say("asset.activity")):
            st.switch_page("views/explore.py", query_params={**dict(st.query_params), "q": about(row)})
        if st.button(page.say("asset.network")):
            st.switch_page("views/network.py", query_params={**dict(st.query_params), "asset": whole.id})
    left, right = st.columns([1.05, 1], gap="large")
    with left:
        risk(page, row)
        if alerts:
            open_alerts(page, risky, alerts)
        peers(page, talks)
        points(page, row)
    with right:
        facts(page, whole)
        history(page, row, whole)
    fingerprint(page, row)


def several(page: Page, name: str, found: list[dict[str, Any]]) -> None:
    """No asset is called so, or several are."""
    words = {
        "tag": page.say("alert.missing"),
        "sentence": page.say("asset.several" if found else "asset.missing"),
        "reason": page.say("asset.asked_for", name=name) if name else page.say("asset.unnamed"),
    }
    kit.draw("headline", {"level": "none", "plain": True, "meta": [], **words}, "headline")
    if found:
        lines = [[{"text": each["name"], "href": page.address("asset", asset=str(each["id"]))}, {"text": each["id"], "kind": "mono"}] for each in found]
        data = {"title": "", "head": [page.say("assets.name"), page.say("asset.identity")], "rows": lines, "empty": "", "narrow": True}
        kit.follow("table", data, "several")


def headline(page: Page, asset: Asset, risky: list[dict[str, Any]], alerts: int, talks: list[Talk]) -> None:
    """What it is, and what may be wrong with it."""
    level = severity_word(int(risky[0]["severity"])) if risky else "none"
    place = [page.say("assets.of_level", level=asset.level)] if asset.level is not None else []
    device = device_words(asset.addresses, (asset.vendor, asset.model, asset.firmware), page.language)
    matters = [say_or(f"dashboard.assets.matters.{asset.criticality}", page.language, asset.criticality)] if asset.criticality else []
    role = role_words(asset.role, page.language) or page.say("asset.no_role")
    meta = [("", words) for words in (role, device, " · ".join(filter(None, (asset.zone, *place))), *matters, asset.site, asset.id) if words]
    told = [(number(alerts), page.count("asset.alerts", alerts))]
    told += [(number(len({(talk.peer, talk.name) for talk in talks})), page.say("asset.peers"))]
    told += [(page.clock.moment(asset.first), page.say("asset.first")), (page.clock.moment(asset.last), page.say("asset.last"))]
    worst = page.say("asset.worst", severity=page.say(f"severity.{level}")) if risky else page.say("asset.no_alert")
    words = {"tag": worst, "sentence": asset.name}
    kit.draw("headline", {"level": level, "plain": True, "meta": meta, "facts": told, **words}, "headline")


def risk(page: Page, row: dict[str, Any]) -> None:
    """How its risk went, day by day."""
    found = trend.of(page, row)
    if not found.with_any(found.days):
        return
    before, week = (found.with_any(part) for part in (found.days[: trend.WEEK], found.days[trend.WEEK :]))
    doubt = found.way in {"short", "blind"}
    note = page.say(f"trend.too_{found.way}") if doubt else page.say("trend.weeks", week=number(week), before=number(before))
    kit.draw("trend", {"title": page.say("trend.title"), "note": note, **trend.drawn(page, found)}, "trend")


def open_alerts(page: Page, risky: list[dict[str, Any]], alerts: int) -> None:
    """Its open alerts, worst first."""
    lines: list[list[Any]] = []
    for row in risky:
        severity, last = int(row["severity"]), int(row["last"])
        level = severity_word(severity)
        lines.append(
            [
                {"text": page.say(f"severity.{level}"), "severity": level, "kind": "level"},
                {"text": number(severity), "kind": "number"},
                {"text": text_of(row, "title", page.language), "href": page.address("alert", id=str(row["id"]))},
                {"text": f"{page.clock.short_day(last)} {page.clock.second(last)}", "kind": "mono"},
            ]
        )
    note = page.say("activity.cut", shown=number(len(lines)), total=number(alerts)) if alerts > len(lines) else ""
    head = [page.say(f"list.{name}") for name in ("severity", "score", "what", "last")]
    kit.follow("table", {"title": page.say("asset.open"), "note": note, "head": head, "rows": lines, "empty": ""}, "open_alerts")


def peers(page: Page, talks: list[Talk]) -> None:
    """Who it asks and who asks it, with which effects; the gravest first, as on the network."""
    named = [talk.peer for talk in talks[:PEERS] if talk.peer]
    known, there = queries.asset_names(page.store, named), counting.known(page.store, named)
    lines: list[list[Any]] = []
    for talk in talks[:PEERS]:
        effects = sorted(talk.effects, key=lambda effect: (STRENGTH.index(access_of(effect)), -talk.effects[effect]))
        name = known.get(talk.peer or "", talk.name)
        words = page.say("trail.comma").join(deed_words(effect, page.language) for effect in effects)
        lines.append(
            [
                {"text": page.say(f"asset.{talk.direction}{'_told' if talk.told else ''}"), "kind": "short"},
                {"text": name, "href": page.address("asset", asset=talk.peer)} if talk.peer in there else name,
                {"text": words, "access": access_of(effects[0]), "kind": "plain"},
                {"text": page.say("trail.comma").join(map(title_of, talk.protocols)), "kind": "short"},
                {"text": number(talk.count), "kind": "number"},
            ]
        )
    note = page.say("asset.talks_note") + (page.say("asset.some", shown=PEERS, total=number(len(talks))) if len(talks) > PEERS else "")
    head = [page.say(f"asset.{name}") for name in ("way", "peer", "effects", "protocol", "operations")]
    kit.follow("table", {"title": page.say("asset.talks"), "note": note, "head": head, "rows": lines, "empty": page.say("asset.no_talks")}, "talks")


def access_of(effect: str) -> str:
    """The access of an effect."""
    return EFFECTS[NUMBER.get(effect, NUMBER["unknown"])].access


def points(page: Page, row: dict[str, Any]) -> None:
    """Its points with their last values."""
    found = inventory.last_points(page.store, inventory.ip_addresses(row), page.span)
    lines = [point(page, each) for each in found[:POINTS]]
    head = [page.say(f"asset.{name}") for name in ("object", "value", "range", "seen")]
    note = page.say("asset.points_note") + (page.say("asset.some", shown=POINTS, total=number(len(found))) if len(found) > POINTS else "")
    kit.follow("table", {"title": page.say("asset.points"), "note": note, "head": head, "rows": lines, "empty": page.say("asset.no_points")}, "points")


def point(page: Page, row: dict[str, Any]) -> list[Any]:
    """One point: its name, its last value, between which values it was in that minute."""
    low, high, time = row["ot.point.min"], row["ot.point.max"], int(row["event.end"])
    address = page.address("explore", view="value", point=point_code(row))
    quality = page.say("trail.comma").join(row["ot.point.quality"] or ())
    return [
        {"text": object_words({**row, "ot.object.last": None}, page.language), "href": address, "sub": listed(row, page.language)},
        {"text": measured(row, row["ot.point.last"]), "kind": "number", "sub": quality},
        {"text": "" if low is None or low == high else f"{measured(row, low)}–{measured(row, high)}", "kind": "muted"},
        {"text": f"{page.clock.short_day(time)} {page.clock.second(time)}", "kind": "mono"},
    ]


def facts(page: Page, asset: Asset) -> None:
    """Everything that is known, each with who said so, when, and how far it is to be believed."""
    lines: list[list[Any]] = []
    before = ""
    for fact in sorted(asset.facts, key=lambda each: (each.name != ADDRESS, each.name, -each.confidence, -each.last, each.value)):
        name = say_or(f"fact.{fact.name}", page.language, fact.name) if fact.name != before else ""
        value = fact_words(page, fact.name, fact.value)
        confidence = {"text": str(fact.confidence), "kind": "number"}
        lines.append(
            [
                {"text": name, "kind": "short"},
                value,
                {"text": source_words(fact.source, page.language), "kind": "mono"},
                confidence,
                {"text": when(page, fact.first, fact.last), "kind": "short"},
            ]
        )
        before = fact.name
    head = [page.say(f"asset.{name}") for name in ("fact", "value", "source", "confidence", "said")]
    note = page.say("asset.facts_note") + (" " + say("cli.asset.cut", page.language, most=MOST_TEXT) if any(is_cut(fact.value) for fact in asset.facts) else "")
    kit.draw("table", {"title": say("cli.asset.facts", page.language), "note": note, "head": head, "rows": lines, "empty": page.say("asset.no_facts")}, "facts")


def fact_words(page: Page, name: str, value: str) -> str:
    """A fact's value, in words where it is one of a closed list."""
    if name == "role":
        return role_words(value, page.language)
    return say_or(f"dashboard.assets.matters.{value}", page.language, value) if name == "criticality" else value


def when(page: Page, first: int, last: int) -> str:
    """From when to when: to the day, within a day to the minute. A narrow column breaks it behind the day alone."""
    clock = page.clock
    if clock.day(first) != clock.day(last):
        return f"{clock.short_day(first)}–{clock.short_day(last)}"
    start, end = clock.minute(first), clock.minute(last)
    day = clock.short_day(first).replace(" ", "\N{NO-BREAK SPACE}")
    return f"{day} {start}" + ("" if start == end else f"–\N{WORD JOINER}{end}")


def history(page: Page, row: dict[str, Any], asset: Asset) -> None:
    """What changed, which addresses others claim, too, and what the plant's lists say otherwise."""
    told: list[str] = []
    for each in changes_of(asset):
        words = {"fact": say_or(f"fact.{each.name}", page.language, each.name), "before": each.before, "after": each.after, "source": each.source}
        told.append(say("cli.asset.changed", page.language, **words, time=page.clock.moment(each.time)))
    conflicts: list[str] = []
    for each in contested(asset.conflicts):
        other = queries.asset_names(page.store, [each.other]).get(each.other, each.other)
        conflicts.append(say("cli.asset.contested", page.language, address=each.address, other=other, time=page.clock.moment(each.first)))
    for name, lines in (("changes", told), ("conflicts", conflicts), ("listed", comparing.disagreements(page, row))):
        if lines:
            kit.draw("table", {"title": say(f"cli.asset.{name}", page.language), "note": "", "head": [], "rows": [[line] for line in lines], "empty": ""}, name)


def fingerprint(page: Page, row: dict[str, Any]) -> None:
    """What it does in the period; against another time, what differs, in words."""
    st.space("small")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="compare"):
        st.markdown(f"**{page.say('prints.title')}**")
        ways = {way: page.say(f"prints.{way or 'alone'}") for way in comparing.WAYS}
        way = picked("against", ways, PLACE, width=230)
        text = typed("other", page.say("prints.when"), PLACE, 330) if way == "other" else ""
    against, fault = comparing.wanted(page, way, text)
    if fault:
        kit.draw("unseen", {"title": page.say("list.unreadable"), "note": "", "rows": [("!", fault)]}, "period_error")
    with st.spinner(page.say("prints.reading")):
        now = comparing.made(page, row, page.span, comparing.LONGEST if against else comparing.ALONE)
        before = comparing.made(page, row, against) if against else None
    if before is None:
        alone(page, now)
    else:
        compared(page, row, now, before)


def alone(page: Page, now: Fingerprint) -> None:
    """What it does and is asked; of a long period the end, which is said."""
    part = page.say("prints.end", when=comparing.span_words(page, now.period)) if now.period.since > page.span.since else ""
    left, right = st.columns([1.05, 1], gap="large")
    for side, column in (("source", left), ("destination", right)):
        habits = sorted((habit for habit in now.habits if habit.side == side), key=lambda habit: habit.row["ot.access"] not in ACTING)
        alike = Counter((habit.words(page.language), str(habit.row["ot.access"] or "unknown")) for habit in habits)
        lines = [
            [{"text": words, "sub": page.say("prints.alike", count=number(count)) if count > 1 else "", "access": access, "kind": "plain"}]
            for (words, access), count in list(alike.items())[:SHOWN]
        ]
        more = page.say("asset.some", shown=SHOWN, total=number(len(alike))) if len(alike) > SHOWN else ""
        words = {"title": say(f"cli.fingerprint.{side}", page.language), "note": part + more, "empty": page.say("prints.none")}
        with column:
            kit.draw("table", {"head": [], "rows": lines, **words}, f"prints_{side}")


def compared(page: Page, row: dict[str, Any], now: Fingerprint, before: Fingerprint) -> None:
    """What differs, in what is known of it and in what it does; a period in which nothing was seen of it is no difference, and said."""
    from detectors.fingerprint import differences, told_otherwise

    nothing = [say("cli.fingerprint.nothing", page.language, when=comparing.span_words(page, each.period)) for each in (now, before) if not each.rows]
    found = told_otherwise(asset_from(row).facts, before.period, now.period)
    found += differences(before, now) if now.rows and before.rows else []
    counts = Counter(each.kind for each in found)
    lines = [[str(getattr(each.text, page.language))] for each in found[: 2 * SHOWN]]
    words = {"now": comparing.span_words(page, now.period), "before": comparing.span_words(page, before.period)}
    summed = "".join(f" · {page.say(f'prints.kind.{kind}')} {number(count)}" for kind, count in counts.items())
    told = {
        "title": page.say("prints.differences"),
        "note": page.say("prints.compared", **words) + summed + "".join(f" · {sentence}" for sentence in nothing if lines),
        "empty": " ".join(nothing) or say("cli.fingerprint.same", page.language),
    }
    kit.draw("table", {"head": [], "rows": lines, **told}, "differences")


show(begin())
