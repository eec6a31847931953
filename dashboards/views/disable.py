"""Disabling a rule, and enabling it again: what it found lately, or would find, is shown before anything is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, deciding, kit, queries, rulings
from dashboards.access.visitor import may
from dashboards.deciding import name, person, refused, refusing
from dashboards.opening import opened
from dashboards.page import Page, begin, remember
from detectors import disabling
from detectors.gathering import general
from detectors.rulebook import versions
from detectors.rulebook.disabled import FILE
from detectors.suppressions import DAY
from records.errors import BalefireError
from records.formats import number

if TYPE_CHECKING:
    from detectors.rulebook.rule import Rule
    from detectors.suppressing import Preview
    from records.store.contract import Store

PAGE: Final = ("disable", "rulebook")
PLACE: Final = PAGE[0]
MOST: Final = 12


def show(page: Page) -> None:
    """The whole page."""
    remember("rule", place=PLACE)
    asked = st.query_params.get("rule", "")
    if st.button(page.say("disable.back"), icon=":material/arrow_back:", type="tertiary"):
        st.switch_page("views/rule.py", query_params=dict(st.query_params))
    refused(page)
    try:
        with st.spinner(page.say("rules.reading")):
            rule = disabling.named(deciding.rules(), asked)
    except BalefireError as error:
        kit.draw("unseen", {"title": page.say("decide.refused"), "note": "", "rows": [("!", error.text(page.language))]}, "refused_at_once")
        return
    meta = [("", rule.id), *([("", page.say("rules.disabled_why", reason=rule.disabled))] if rule.disabled else [])]
    tag = page.say("disable.is" if rule.disabled else "page.disable")
    words = {"tag": tag, "sentence": getattr(general(rule, rule.title), page.language), "reason": page.say("disable.what")}
    kit.draw("headline", {"level": "none", "plain": True, "meta": meta, **words}, "headline")
    if written := st.session_state.pop("written", None):
        kit.draw("unseen", {"title": page.say("disable.saved"), "note": "", "rows": [("", page.say("disable.saved_as", file=written))]}, "saved")
    if not may("rules"):
        kit.draw("unseen", {"title": page.say("disable.denied"), "note": "", "rows": []}, "denied")
        return
    pending(page, rule)
    left, right = st.columns([1, 1], gap="large")
    with left:
        seen = would_find(page, rule) if rule.disabled else disabling.would_hide(page.store, rule.id)
        preview(page, seen, "would_find" if rule.disabled else "would")
    with right:
        if rule.disabled:
            st.text_area(page.say("disable.note"), key="disable_note")
            act(page, "enable", rule.id)
            return
        st.text_area(page.say("disable.reason"), key="disable_reason")
        act(page, "disable", rule.id, ready=not seen.confirmed or st.checkbox(page.say("disable.sure"), key="disable_sure"))


def pending(page: Page, rule: Rule) -> None:
    """Where the file says other than what judged the store last: it is not in force yet, or will never be."""
    book, rules = rulings.in_force(page.store), deciding.rules()
    if book is None or rules is None:
        return
    judged = next((each for each in book.book.rules if each.id == rule.id), None)
    if roots := rulings.elsewhere(book, rules):
        words = page.say("disable.elsewhere", rules=rules, roots=page.say("and").join(roots))
    elif judged is None or bool(judged.disabled) == bool(rule.disabled):
        return
    else:
        words = page.say("disable.to_be_disabled" if rule.disabled else "disable.to_be_enabled")
    kit.draw("unseen", {"title": FILE, "note": "", "rows": [("!" if roots else "", words)]}, "pending")


def would_find(page: Page, rule: Rule) -> Preview:
    """What it would find were it enabled; judged once for each version of the rule files, not at every letter of a note."""
    files = versions.read(filter(None, [deciding.rules()]))
    with st.spinner(page.say("tuning.judging")):
        return _would_find(page.store, rule, (os.environ.get("BALEFIRE_STORE", ""), rule.id, files.id))


@st.cache_data(show_spinner=False, max_entries=8, ttl=300)
def _would_find(_store: Store, _rule: Rule, which: tuple[str, str, str]) -> Preview:
    del which  # tells one from another
    return disabling.would_find(_store, _rule)


def preview(page: Page, seen: Preview, title: str) -> None:
    """What it found, or would find, by asset; what was found true first and loud."""
    for alert in counting.alerts(page.store, seen.confirmed[:MOST]):
        told: dict[str, Any] = {"tag": page.say("disable.confirmed", id=alert.id[:12]), "sentence": getattr(alert.title, page.language), "reason": ""}
        kit.draw("headline", {"level": "critical", "plain": True, "meta": [], **told}, f"confirmed_{alert.id}")
    if left_out := page.cut(MOST, len(seen.confirmed)):
        st.markdown(f":gray[{left_out}]")
    names = queries.asset_names(page.store, list(seen.by_asset)[:MOST])
    figures = [(number(seen.findings), page.count("suppress.findings", seen.findings))]
    figures += [(number(len(seen.alerts)), page.count("suppress.alerts", len(seen.alerts)))] if title == "would" else []
    figures += [(number(seen.hidden_already), page.say("disable.already"))] if seen.hidden_already else []
    figures += [(number(count), names.get(asset, asset)) for asset, count in list(seen.by_asset.items())[:MOST]]
    figures += [("", page.say("suppress.more", count=len(seen.by_asset) - MOST))] if len(seen.by_asset) > MOST else []
    span = page.say("suppress.span", days=(seen.until - seen.since) // DAY, since=page.clock.moment(seen.since), until=page.clock.moment(seen.until - 1))
    rows = figures if seen.findings else [("", page.say("disable.none" if title == "would" else "disable.nothing"))]
    kit.draw("unseen", {"title": page.say(f"disable.{title}"), "note": span, "rows": rows}, "preview")


def act(page: Page, what: str, rule: str, ready: bool = True) -> None:
    """The button, and in whose name."""
    with st.container(horizontal=True, vertical_alignment="center"):
        words = page.say("disable.enable" if what == "enable" else "disable.save")
        st.button(words, key=f"do_{what}", type="primary", disabled=not ready, on_click=done, args=(what, rule))
        person(page)


def done(what: str, rule: str) -> None:
    """The button was pressed."""
    with refusing():
        store, by = opened(), name()
        if what == "enable":
            file = deciding.enable(store, rule, by, str(st.session_state.get("disable_note") or ""))
        else:
            file = deciding.disable(store, rule, str(st.session_state.get("disable_reason") or ""), by)
        st.session_state["written"] = str(file)


show(begin("rule"))
