"""Rules: those that the store was judged by last, with what they found in the period, what their tests gave and what the linter says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit, rulings
from dashboards.page import Page, begin, picked, remember, typed
from dashboards.rulings import LEVELS
from detectors.gathering import general
from records.formats import number

if TYPE_CHECKING:
    from dashboards.rulings import Book
    from detectors.rulebook.rule import Rule

PAGE: Final = ("rulebook", 6)
PLACE: Final = PAGE[0]
SHOWN: Final = 300
KINDS: Final = ("", "found", "quiet", "wrong", "disabled", "site")


def show(page: Page) -> None:
    """The whole page."""
    remember("q", "level", "kind", place=PLACE)
    with st.spinner(page.say("rules.reading")):
        book = rulings.in_force(page.store)
    if book is None:
        kit.draw("table", {"title": page.say("page.rulebook"), "note": "", "head": [], "rows": [], "empty": page.say("rules.nothing")}, "table")
        return
    counts = rulings.findings_by_rule(page.store, page.span)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        text = typed("q", page.say("rules.search"), PLACE, 300).casefold()
        level = picked("level", {"": page.say("rules.any_level"), **{name: page.say(f"rules.level.{name}") for name in LEVELS}}, PLACE)
        kind = picked("kind", {name: page.say(f"rules.kind.{name or 'all'}") for name in KINDS}, PLACE, width=230)
    problems(page, book)
    chosen = [rule for rule in book.book.rules if wanted(book, rule, text, level, kind, counts)]
    chosen.sort(key=lambda rule: (-counts.get(rule.id, 0), list(LEVELS).index(rule.level) if rule.level in LEVELS else 0, rule.id))
    hidden = rulings.hidden_by_rule(page.store, page.span)
    lines = [line(page, book, rule, counts.get(rule.id, 0), hidden.get(rule.id, 0)) for rule in chosen[:SHOWN]]
    since = page.clock.moment(book.since) if book.since is not None else "–"
    note = page.say("rules.note", count=number(len(chosen)), known=number(len(book.book.rules)), version=book.id, since=since)
    head = [page.say(f"rules.{name}") for name in ("rule", "severity", "state", "origin", "tests", "hints", "findings")]
    kit.follow("table", {"title": page.say("page.rulebook"), "note": note, "head": head, "rows": lines, "empty": page.say("rules.none")}, "table")


def wanted(book: Book, rule: Rule, text: str, level: str, kind: str, counts: dict[str, int]) -> bool:
    """Whether the filters let a rule through."""
    title = general(rule, rule.title)
    words = f"{rule.id} {title.en} {title.zh} {book.places.get(rule.file, '')} {book.texts.get(rule.file, '')}".casefold()
    kinds = {
        "found": counts.get(rule.id, 0) > 0,
        "quiet": not counts.get(rule.id),
        "wrong": bool(book.failed(rule)) or any(problem.file == rule.file for problem in book.book.problems),
        "disabled": bool(rule.disabled),
        "site": rule.file not in book.own,
    }
    return all(word in words for word in text.split()) and level in ("", rule.level) and kinds.get(kind, True)


def line(page: Page, book: Book, rule: Rule, found: int, hidden: int) -> list[Any]:
    """One rule."""
    failed, level = book.failed(rule), LEVELS.get(rule.level, "none")
    wrong = sum(problem.file == rule.file for problem in book.book.problems)
    return [
        {"text": getattr(general(rule, rule.title), page.language), "sub": rule.id, "href": page.address("rule", rule=rule.id)},
        {"text": page.say(f"rules.level.{rule.level}") if rule.level in LEVELS else rule.level, "severity": level},
        state(page, rule),
        page.say("rules.own" if rule.file in book.own else "rules.site"),
        {"text": page.say("rules.passed", passed=len(rule.cases) - len(failed), cases=len(rule.cases)), "kind": "number"},
        {"text": number(wrong) if wrong else "", "kind": "number"},
        {"text": number(found), "kind": "number", "sub": page.say("rules.hidden", count=number(hidden)) if hidden else ""},
    ]


def state(page: Page, rule: Rule) -> str | dict[str, str]:
    """In force, or only looked at by correlations, and how far its author trusts it; or disabled, and why."""
    if rule.disabled:
        return {"text": page.say("rules.disabled"), "sub": rule.disabled}
    return page.say("rules.silent" if rule.silent else "rules.in_force", status=rule.status)


def problems(page: Page, book: Book) -> None:
    """Files of which no rule could be loaded."""
    loaded = {rule.file for rule in book.book.rules}
    lost = [problem for problem in book.book.problems if problem.blocks and problem.file not in loaded]
    if lost:
        rows = [
            (f"{book.places.get(each.file, each.file)}:{each.line}", f"{getattr(each.message, page.language)} {getattr(each.advice, page.language)}")
            for each in lost[:20]
        ]
        kit.draw("unseen", {"title": page.say("rules.not_loaded"), "note": number(len(lost)), "rows": rows}, "lost")


show(begin())
