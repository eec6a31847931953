"""Coverage: what each sensor saw when, the grade and what takes its points, blind spots with what to do, and what was seen but not understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit, queries
from dashboards.axis import blind_mark, ticks
from dashboards.covered import Looked, look, step_of
from dashboards.health import missing_words
from dashboards.keeping import kept
from dashboards.page import Page, begin, newer
from detectors.disabling import disabled
from records.formats import MINUTE, duration, number, share_seen, size
from records.wording import say
from sensors.blindness import LITTLE, clock_words, placed, reason_words, spot_words
from sensors.grading import grade
from sensors.sums import Sums

if TYPE_CHECKING:
    from dashboards.covered import Place
    from records.query import Span

PAGE: Final = ("coverage", 7)
MOST_PLACES: Final = 24
MOST_SPOTS: Final = 30
MOST_PORTS: Final = 40
MOST_LINES: Final = 100
MILLI: Final = 1_000_000


def show(page: Page) -> None:
    """The whole page."""
    newer(page)
    looked = kept(page.store, ("coverage",), look, queries.known_span(page.span), page.span)
    headline(page, looked)
    st.space("small")
    ribbons(page, looked)
    st.space("small")
    left, right = st.columns([1.25, 1], gap="large")
    with left:
        spots(page, looked)
    with right:
        unread(page, looked)
        encrypted(page, looked)
    places(page, looked)
    not_looked_for(page)
    st.space("small")
    left, right = st.columns([1, 1], gap="large")
    with left:
        clocks(page, looked)
    with right:
        vlans(page, looked)


def headline(page: Page, looked: Looked) -> None:
    """The grade, what takes its points in words, what was counted."""
    account, counts = looked.account, looked.account.counts
    known = account.grade
    if known is None:
        sentence = page.say("coverage_none")
    elif known == 100:
        sentence = page.say("cover.whole")
    else:
        sentence = page.say("cover.sentence", share=share_seen(known, page.language))
    reasons = "\n".join(reason_words(each, page.language) for each in account.reasons)
    if looked.used < looked.total:
        some = say("coverage.told.some", page.language, shown=number(looked.used), total=number(looked.total))
        reasons = f"{reasons}\n{some}".strip()
    facts = [(number(counts["packets"]), page.say("cover.packets")), (size(counts["bytes"], page.language), page.say("cover.bytes"))]
    facts += [(number(counts["dropped"]), page.count("cover.dropped", counts["dropped"])), (number(counts["gaps"]), page.count("cover.gaps", counts["gaps"]))]
    words = {"tag": page.say("cover.title"), "sentence": sentence, "reason": reasons, "facts": facts}
    kit.draw("headline", {"level": "none", "plain": True, "meta": [], **words}, "headline")


def ribbons(page: Page, looked: Looked) -> None:
    """A row a place, the least covered first."""
    chosen = sorted(looked.places, key=lambda place: (-place.blind_time(looked.span), place.name))[:MOST_PLACES]
    note = page.say("cover.ribbon_note")
    if len(looked.places) > MOST_PLACES:
        note += page.say("timeline.some", shown=MOST_PLACES, known=len(looked.places))
    data = {
        "title": page.say("cover.ribbon"),
        "note": note,
        "since": looked.span.since // MILLI,
        "until": looked.span.until // MILLI,
        "step": step_of(looked.span) // MILLI,
        "ticks": ticks(page.clock, looked.span),
        "rows": [_ribbon(page, place, looked.span) for place in chosen],
        "empty": page.say("cover.none"),
    }
    kit.draw("ribbon", data, "ribbon")


def _ribbon(page: Page, place: Place, span: Span) -> dict[str, Any]:
    clock, language = page.clock, page.language
    blind = [blind_mark(page, gap) for gap in place.blind(span)]
    grades = [(time // MILLI, share, f"{clock.short_day(time)} {clock.minute(time)}: {share_seen(share, language)}") for time, share in place.grades(span)]
    return {"name": place.name, "blind": blind, "grades": grades, "grade": _grade(place, language)}


def _grade(place: Place, language: str) -> str:
    known = grade(*(sum(counts[at] for counts in place.windows.values()) for at in (1, 2, 3)))
    return "–" if known is None else share_seen(known, language)


def spots(page: Page, looked: Looked) -> None:
    """Every blind spot, with what to do."""
    found = looked.account.spots()
    rows = [
        {"weight": round(spot.weight, 1), **dict(zip(("what", "todo"), spot_words(spot, page.language, page.clock.zone), strict=True))}
        for spot in found[:MOST_SPOTS]
    ]
    note = page.cut(len(rows), len(found), page.say("cover.spots_note") if rows else "")
    told = {"title": say("coverage.told.spots", page.language), "note": note, "rows": rows, "empty": say("coverage.told.none", page.language)}
    kit.draw("spots", told, "spots")


def _sums(looked: Looked) -> list[tuple[str, Sums]]:
    """What each place came to, with its name where there are several."""
    several = len(looked.account.by_place) > 1
    names = {(place.observer, place.interface): place.name for place in looked.places}
    return [(names.get(key, "") if several else "", sums) for key, sums in sorted(looked.account.by_place.items())]


def unread(page: Page, looked: Looked) -> None:
    """Traffic that nobody understood, by port, most first: what it is like, and what tshark calls it."""
    language = page.language
    found = [(name, port, held) for name, sums in _sums(looked) for port, held in sums.unread.items()]
    found.sort(key=lambda each: (-each[2].bytes, each[1], each[0]))
    lines: list[list[Any]] = []
    for name, port, held in found[:MOST_PORTS]:
        like = say(f"character.{held.guess or LITTLE}", language)
        if held.period and held.guess == "cyclic":
            like += page.say("activity.comma") + page.say("cover.period", period=f"{held.period:.3g}")
        octets, called = {"text": size(held.bytes, language), "kind": "number"}, held.tshark or {"text": "–", "kind": "muted"}
        lines.append([placed(name, port, language), octets, like, called])
    head = [page.say(f"cover.{name}") for name in ("port", "size", "like", "tshark")]
    note = page.cut(len(lines), len(found))
    kit.draw("table", {"title": page.say("cover.unread"), "note": note, "head": head, "rows": lines, "empty": page.say("cover.unread_none")}, "unread")


def not_looked_for(page: Page) -> None:
    """Rules that the site had disabled at some time of the period: what they look for was not looked for."""
    found = sorted(disabled(page.store, page.span).items())
    if found:
        rows = [[{"text": rule, "href": page.address("rule", rule=rule)}, why] for rule, why in found]
        head = [page.say("rules.rule"), page.say("cover.why")]
        kit.follow("table", {"title": page.say("cover.disabled"), "note": number(len(rows)), "head": head, "rows": rows, "empty": ""}, "disabled")


def encrypted(page: Page, looked: Looked) -> None:
    """Conversations whose content cannot be seen by right."""
    language = page.language
    found = [(name, key, told) for name, sums in _sums(looked) for key, told in sums.ciphers.items()]
    found.sort(key=lambda each: (-each[2]["bytes"], each[1], each[0]))
    lines: list[list[Any]] = [
        [
            say(f"coverage.cipher.{cipher}", language),
            placed(name, port, language),
            {"text": number(told["conversations"]), "kind": "number"},
            {"text": size(told["bytes"], language), "kind": "number"},
        ]
        for name, (cipher, port), told in found[:MOST_PORTS]
    ]
    head = [page.say(f"cover.{name}") for name in ("cipher", "port", "conversations", "size")]
    note = page.cut(len(lines), len(found), page.say("cover.encrypted_note") if lines else "")
    kit.draw("table", {"title": page.say("cover.encrypted"), "note": note, "head": head, "rows": lines, "empty": page.say("cover.encrypted_none")}, "encrypted")


def places(page: Page, looked: Looked) -> None:
    """Of each place what was counted, drops among it."""
    language, lines = page.language, list[list[Any]]()
    for place in sorted(looked.places, key=lambda place: (place.observer, place.interface)):
        sums = looked.account.by_place.get((place.observer, place.interface)) or Sums()  # one that was silent throughout came to nothing
        counts = sums.counts
        payload = max(1, counts["decoded_bytes"] + counts["undecoded_bytes"] + counts["lost"])
        blind = place.blind_time(looked.span)
        came = counts["packets"] + counts["dropped"]
        figures = (
            number(counts["packets"]),
            _grade(place, language),
            duration(blind, language) if blind >= MINUTE else "0",
            missing_words(counts["dropped"], came, number(counts["dropped"]), language),
            missing_words(counts["lost"], payload, size(counts["lost"], language), language),
            number(counts["truncated"]),
            number(sums.one_way),
            number(counts["mirrored"]),
        )
        lines.append([place.name, *({"text": text, "kind": "number"} for text in figures)])
    head = [page.say(f"cover.{name}") for name in ("place", "seen", "grade", "silent", "drops", "lost", "truncated", "one_sided", "mirrored")]
    told = {"title": page.say("cover.places"), "note": page.cut(MOST_LINES, len(lines)), "empty": page.say("cover.none")}
    kit.draw("table", {**told, "head": head, "rows": lines[:MOST_LINES]}, "places")


def clocks(page: Page, looked: Looked) -> None:
    """How far each sensor's clock is from those on the wire."""
    lines = [[placed(place, clock_words(clock, page.language), page.language)] for place, clock in looked.account.clocks()]
    told = {"title": page.say("cover.clocks"), "note": page.cut(MOST_PORTS, len(lines), page.say("cover.clock_note")), "empty": page.say("cover.clock_none")}
    kit.draw("table", {**told, "head": [], "rows": lines[:MOST_PORTS]}, "clocks")


def vlans(page: Page, looked: Looked) -> None:
    """Conversations whose directions carry different VLANs."""
    language, lines = page.language, list[list[Any]]()
    found = [(count, name, pair) for name, sums in _sums(looked) for pair, count in sums.vlans.items()]
    found.sort(key=lambda each: -each[0])
    for count, name, pair in found[:MOST_PORTS]:
        tags = [say("coverage.untagged", language) if tag is None else say("coverage.vlan", language, number=tag) for tag in pair]
        lines.append([placed(name, tags[0], language), tags[1], {"text": number(count), "kind": "number"}])
    head = [page.say(f"cover.{name}") for name in ("requests", "answers", "conversations")]
    told = {"title": page.say("cover.vlans"), "note": page.cut(len(lines), len(found)), "empty": page.say("cover.vlans_none"), "narrow": True}
    kit.draw("table", {**told, "head": head, "rows": lines}, "vlans")


show(begin())
