"""Rules: those that the store was judged by last, with what they found in the period, what their tests gave and what the linter says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

import streamlit as st

from dashboards import kit, paging, rulings
from dashboards.page import Page, begin, forget, left_out, remember, typed
from dashboards.rulings import LEVELS, trusted
from detectors.gathering import general
from records.formats import number
from records.wording import say, say_or

if TYPE_CHECKING:
    from dashboards.rulings import Book
    from detectors.rulebook.rule import Rule

PAGE: Final = ("rulebook", 6)
PLACE: Final = PAGE[0]
SHOWN: Final = 25
SITE: Final = "site"
KINDS: Final = ("found", "quiet", "wrong", "enabled", "disabled", SITE)
FACETS: Final = ("area", "level", "kind")
REMEMBERED: Final = ("q", *FACETS, "after")


def show(page: Page) -> None:
    """The whole page."""
    remember(*REMEMBERED, place=PLACE)
    with st.spinner(page.say("rules.reading")):
        book = rulings.in_force(page.store)
    if book is None:
        kit.draw("table", {"title": page.say("page.rulebook"), "note": "", "head": [], "rows": [], "empty": page.say("rules.nothing")}, "table")
        return
    counts = rulings.findings_by_rule(page.store, page.span)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        text = typed("q", page.say("rules.search"), PLACE, 440, also=("after",)).casefold()
    problems(page, book)
    found = [(rule, traits(book, rule, counts.get(rule.id, 0))) for rule in book.book.rules if matches(book, rule, text)]
    chosen = {name: value for name in FACETS if (value := st.query_params.get(name, "")) in values(book)[name]}
    left_out(*(name for name in FACETS if st.query_params.get(name) and name not in chosen))
    left, right = st.columns([3.4, 1], gap="large")
    with right:
        facets(page, book, found, chosen)
    with left:
        table(page, book, [rule for rule, told in found if through(told, chosen)], counts)


def matches(book: Book, rule: Rule, text: str) -> bool:
    """Whether a rule has all words of the search."""
    title = general(rule, rule.title)
    words = f"{rule.id} {title.en} {title.zh} {book.places.get(rule.file, '')} {book.texts.get(rule.file, '')}".casefold()
    return all(word in words for word in text.split())


def area(book: Book, rule: Rule) -> str:
    """The directory of a rule of Balefire's own; the site's are one area."""
    return book.places[rule.file].split("/")[0] if rule.file in book.own else SITE


def traits(book: Book, rule: Rule, found: int) -> dict[str, set[str]]:
    """By which values of each facet a rule is found."""
    kinds = {
        "found": found > 0,
        "quiet": not found,
        "wrong": bool(book.failed(rule)) or any(problem.file == rule.file for problem in book.book.problems),
        "enabled": not rule.disabled,
        "disabled": bool(rule.disabled),
        SITE: rule.file not in book.own,
    }
    return {"area": {area(book, rule)}, "level": {rule.level}, "kind": {name for name, so in kinds.items() if so}}


def through(told: dict[str, set[str]], chosen: dict[str, str]) -> bool:
    """Whether what was chosen lets a rule through."""
    return all(value in told[name] for name, value in chosen.items())


def values(book: Book) -> dict[str, list[str]]:
    """What there is to choose from."""
    return {"area": sorted({area(book, rule) for rule in book.book.rules}), "level": list(LEVELS), "kind": list(KINDS)}


def facets(page: Page, book: Book, found: list[tuple[Rule, dict[str, set[str]]]], chosen: dict[str, str]) -> None:
    """How many rules there are of each area, level and kind among those that the other choices let through; a click chooses one, or lets go of it."""
    groups: list[dict[str, Any]] = []
    for name in FACETS:
        others = {each: value for each, value in chosen.items() if each != name}
        counts = Counter(value for _, told in found if through(told, others) for value in told[name])
        rows = [
            {
                "value": value,
                "text": facet_words(page, name, value),
                "count": counts[value],
                "number": number(counts[value]),
                "chosen": chosen.get(name) == value,
                **({"severity": LEVELS[value]} if name == "level" else {}),
            }
            for value in values(book)[name]
            if counts[value] or chosen.get(name) == value
        ]
        groups.append({"name": name, "title": page.say(f"rules.by_{name}"), "rows": rows})
    told = cast("list[Any]", kit.watch("facets", {"groups": groups}, "facets", "pick").get("pick") or [])
    if len(told) == 2:
        pick(str(told[0]), str(told[1]))


def pick(name: str, value: str) -> None:
    """Choose a value of a facet; the one that is chosen is let go of."""
    was = st.query_params.get(name)
    forget(name, "after", place=PLACE)
    if name in FACETS and value != was:
        st.query_params[name] = value
    st.rerun()


def facet_words(page: Page, name: str, value: str) -> str:
    """A value of a facet in words; a directory that is not known by its name."""
    return say_or(f"dashboard.rules.{name}.{value}", page.language, value)


def table(page: Page, book: Book, chosen: list[Rule], counts: dict[str, int]) -> None:
    """The rules, those that found most first, a page at a time."""
    chosen.sort(key=lambda rule: (-counts.get(rule.id, 0), list(LEVELS).index(rule.level) if rule.level in LEVELS else 0, rule.id))
    last, _ = paging.start()
    before = next((at for at, rule in enumerate(chosen, 1) if rule.id == last), 0)
    if last and not before:
        left_out("after")
    shown = chosen[before : before + SHOWN]
    hidden = rulings.hidden_by_rule(page.store, page.span)
    lines = [line(page, book, rule, counts.get(rule.id, 0), hidden.get(rule.id, 0)) for rule in shown]
    since = page.clock.moment(book.since) if book.since is not None else "–"
    note = page.say("rules.note", count=number(len(chosen)), known=number(len(book.book.rules)), version=book.id, since=since)
    head = [page.say(f"rules.{name}") for name in ("rule", "severity", "state", "origin", "tests", "hints", "findings")]
    kit.follow("table", {"title": page.say("page.rulebook"), "note": note, "head": head, "rows": lines, "empty": page.say("rules.none")}, "table")
    paging.turn(page, PLACE, len(shown), len(chosen), shown[-1].id if shown else "", before)


def line(page: Page, book: Book, rule: Rule, found: int, hidden: int) -> list[Any]:
    """One rule."""
    failed, level = book.failed(rule), LEVELS.get(rule.level, "none")
    wrong = sum(problem.file == rule.file for problem in book.book.problems)
    return [
        {"text": getattr(general(rule, rule.title), page.language), "sub": rule.id, "href": page.address("rule", rule=rule.id)},
        {"text": page.say(f"rules.level.{rule.level}") if rule.level in LEVELS else rule.level, "severity": level, "kind": "level"},
        state(page, rule),
        facet_words(page, "area", area(book, rule)),
        {"text": page.say("rules.passed", passed=len(rule.cases) - len(failed), cases=len(rule.cases)), "kind": "number"},
        {"text": number(wrong) if wrong else "", "kind": "number"},
        {"text": number(found), "kind": "number", "sub": page.say("rules.hidden", count=number(hidden)) if hidden else ""},
    ]


def state(page: Page, rule: Rule) -> str | dict[str, str]:
    """In force, or only looked at by correlations, and how far its author trusts it; or disabled, and why."""
    if rule.disabled:
        return {"text": page.say("rules.disabled"), "sub": rule.disabled}
    return page.say("rules.silent" if rule.silent else "rules.in_force", status=trusted(rule, page.language))


def problems(page: Page, book: Book) -> None:
    """Files of which no rule could be loaded."""
    loaded = {rule.file for rule in book.book.rules}
    lost = [problem for problem in book.book.problems if problem.blocks and problem.file not in loaded]
    if lost:
        rows = [
            (f"{book.places.get(each.file, each.file)}:{each.line}", f"{getattr(each.message, page.language)} {getattr(each.advice, page.language)}")
            for each in lost[:20]
        ]
        kit.draw("unseen", {"title": page.say("rules.not_loaded"), "note": page.cut(len(rows), len(lost)) or number(len(lost)), "rows": rows}, "lost")


def bundled(language: str) -> None:
    """Balefire's own rules, gravest first, where nothing was judged by any yet."""
    book = rulings.installed()
    ordered = sorted(book.book.rules, key=lambda rule: (list(LEVELS).index(rule.level) if rule.level in LEVELS else 0, rule.id))
    lines: list[list[Any]] = [
        [
            {"text": getattr(general(rule, rule.title), language), "sub": rule.id},
            {"text": say_or(f"dashboard.rules.level.{rule.level}", language, rule.level), "severity": LEVELS.get(rule.level, "none"), "kind": "level"},
            say_or(f"dashboard.rules.area.{area(book, rule)}", language, area(book, rule)),
            getattr(rule.description, language),
        ]
        for rule in ordered
    ]
    head = [say(f"dashboard.rules.{name}", language) for name in ("rule", "severity", "origin", "description")]
    words = {"title": say("dashboard.rules.bundled", language), "note": number(len(lines)), "empty": ""}
    kit.draw("table", {**words, "head": head, "rows": lines}, "table")


show(begin(*REMEMBERED, without=bundled))
