"""One rule: its text with what the linter says at its lines, its tests with what they gave, what it found, and the suppressions on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, kit, rulings
from dashboards.access.visitor import may
from dashboards.page import Page, begin, kept_parameters, remember, text_of
from dashboards.rulings import LEVELS, trusted
from detectors.gathering import general
from detectors.phrases import point_row, point_sentence, sentence
from detectors.suppressing import hidden
from detectors.suppressions import standing
from records.formats import number
from records.model import severity_word
from records.schema import POINT
from records.wording import catalogue, say

if TYPE_CHECKING:
    from dashboards.rulings import Book
    from detectors.rulebook.rule import Rule

PAGE: Final = ("rule", "rulebook")
PLACE: Final = PAGE[0]


def show(page: Page) -> None:
    """The whole page."""
    remember("rule", place=PLACE)
    if st.button(page.say("rules.back"), icon=":material/arrow_back:", type="tertiary"):
        st.switch_page("views/rulebook.py", query_params=kept_parameters())
    with st.spinner(page.say("rules.reading")):
        book = rulings.in_force(page.store)
    name = st.query_params.get("rule", "")
    rule = next((each for each in book.book.rules if each.id == name), None) if book else None
    if book is None or rule is None:
        asked = page.say("rules.asked_for", rule=name, version=book.id) if book and name else page.say("alert.unnamed")
        reason = page.say("rules.nothing") if book is None else asked
        words = {"tag": page.say("alert.missing"), "sentence": page.say("rules.missing"), "reason": reason}
        kit.draw("headline", {"level": "none", "plain": True, "meta": [], **words}, "headline")
        return
    found, total = rulings.newest_findings(page.store, rule.id)
    headline(page, book, rule, total)
    if may("rules"):
        changes(page, rule)
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        source(page, book, rule)
    with right:
        findings(page, found, total)
        tests(page, book, rule)
        suppressions(page, rule)


def changes(page: Page, rule: Rule) -> None:
    """The ways to what changes a rule."""
    with st.container(horizontal=True, gap="small", key="changes"):
        if st.button(page.say("tuning.open"), icon=":material/tune:", key="tune"):
            st.switch_page("views/tuning.py", query_params=dict(st.query_params))
        if st.button(page.say("rules.enable" if rule.disabled else "rules.disable"), icon=":material/power_settings_new:", key="disable"):
            st.switch_page("views/disable.py", query_params=dict(st.query_params))


def headline(page: Page, book: Book, rule: Rule, total: int) -> None:
    """What it watches for, and how grave that is."""
    level = LEVELS.get(rule.level, "none")
    techniques = [f"{code} {say(f'technique.{code}', page.language)}" if f"technique.{code}" in catalogue() else code for code in rule.techniques]
    origin = page.say("rules.own" if rule.file in book.own else "rules.site")
    if rule.disabled:
        state = page.say("rules.disabled_why", reason=rule.disabled)
    else:
        state = page.say("rules.silent" if rule.silent else "rules.in_force", status=trusted(rule, page.language))
    meta = [("", words) for words in (state, origin, *techniques, rule.id) if words]
    told = [(number(total), page.count("rules.found", total)), (number(len(rule.cases)), page.say("rules.cases"))]
    title, reason = (getattr(general(rule, text), page.language) for text in (rule.title, rule.description))
    words = {"tag": page.say(f"rules.level.{rule.level}") if rule.level in LEVELS else rule.level, "sentence": title, "reason": reason}
    kit.draw("headline", {"level": level, "plain": True, "meta": meta, "facts": told, **words}, "headline")


def source(page: Page, book: Book, rule: Rule) -> None:
    """The file as it was judged by, with what the linter says at its lines."""
    notes: dict[int, list[list[str]]] = {}
    found = book.problems(rule)
    for problem in found:
        words = [
            page.say("rules.blocks" if problem.blocks else "rules.advice"),
            getattr(problem.message, page.language),
            getattr(problem.advice, page.language),
        ]
        notes.setdefault(problem.line, []).append(words)
    lines: list[dict[str, Any]] = [{"text": text, "notes": notes.pop(at, [])} for at, text in enumerate(book.texts.get(rule.file, "").splitlines(), 1)]
    if lines and notes:
        lines[-1]["notes"] += [each for rest in notes.values() for each in rest]
    lint = page.count("rules.said", len(found), count=number(len(found))) if found else page.say("rules.clean")
    kit.draw("source", {"title": book.places.get(rule.file, rule.id), "note": lint, "lines": lines}, "source")


def findings(page: Page, found: list[dict[str, Any]], total: int) -> None:
    """The newest of what it found, each with the way to its alert."""
    lines: list[list[Any]] = []
    for row in found:
        level, time = severity_word(int(row["severity"])), int(row["time"])
        link = {"href": page.address("alert", id=str(row["alert"]))} if row["alert"] else {"sub": page.say("rules.suppressed")}
        when = {"text": f"{page.clock.short_day(time)} {page.clock.second(time)}", "kind": "mono"}
        lines.append([{"text": number(int(row["severity"])), "severity": level}, {"text": text_of(row, "title", page.language), **link}, when])
    head = [page.say(f"list.{name}") for name in ("score", "what", "last")]
    note = page.say("activity.cut", shown=number(len(lines)), total=number(total)) if total > len(lines) else ""
    kit.follow("table", {"title": page.say("rules.newest"), "note": note, "head": head, "rows": lines, "empty": page.say("rules.no_findings")}, "findings")


def tests(page: Page, book: Book, rule: Rule) -> None:
    """The cases of the rule, in words, and whether each behaves."""
    failed = book.failed(rule)
    lines: list[list[Any]] = []
    for case in rule.cases:
        row = dict(case.activity)
        words = point_sentence(point_row(row), page.language) if rule.table is POINT else sentence(row, page.language)
        before = page.say("rules.after", count=number(len(case.before))) if case.before else ""
        result = page.say(f"rules.got_{failed[case.name]}") if case.name in failed else page.say("rules.behaves")
        expected = page.say("rules.fires" if case.fires else "rules.stays")
        lines.append(
            [
                {"text": case.name, "kind": "short"},
                {"text": expected, "kind": "short"},
                {"text": words, "sub": before, "kind": "plain"},
                {"text": result, "kind": "short"},
            ]
        )
    head = [page.say(f"rules.{name}") for name in ("case", "expected", "row", "result")]
    note = page.say("rules.passed", passed=len(rule.cases) - len(failed), cases=len(rule.cases))
    kit.draw("table", {"title": page.say("rules.tests"), "note": note, "head": head, "rows": lines, "empty": page.say("rules.no_tests")}, "tests")


def suppressions(page: Page, rule: Rule) -> None:
    """What hides findings of this rule."""
    (newest, stored), counts = counting.suppressions(page.store), hidden(page.store)
    known = [each for each in stored if rule.id in each.where.get("rule", ())]
    lines = [
        [
            {"text": each.id[:12], "kind": "mono"},
            say(f"standing.{standing(each, newest)}", page.language),
            each.owner,
            each.reason,
            {"text": number(counts.get(each.id, (0, 0))[0]), "kind": "number"},
        ]
        for each in sorted(known, key=lambda each: -each.since)
    ]
    head = [page.say(f"suppressions.{name}") for name in ("id", "standing", "owner", "reason", "hidden")]
    words = {"title": page.say("page.suppressions"), "note": "", "empty": page.say("rules.no_suppressions")}
    kit.draw("table", {"head": head, "rows": lines, **words}, "suppressions")


show(begin("rule"))
