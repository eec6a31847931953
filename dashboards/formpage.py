"""The form of a duty as agencies get it, on the page of duties: a draft in the language that a person chooses until it is signed, then what was signed. Its
release is asked for here and signed elsewhere (`balefire report release --asked`).
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit
from dashboards.deciding import plain
from dashboards.opening import opened
from dashboards.releasing import asking, ledger
from dashboards.serve import UNIT, ZONE
from records.errors import BalefireError
from records.wording import LANGUAGES
from reports import formpage, obliging
from reports.pages import FORMATS

if TYPE_CHECKING:
    from dashboards.page import Page
    from reports.obliging import Due

HEIGHT: Final = 900
KINDS_OF_FILE: Final = {"pdf": "application/pdf", "html": "text/html", "json": "application/json"}


def preview(page: Page, due: Due) -> None:
    """One that is open or released, as pages, and its release."""
    with st.expander(page.say("duties.preview")):
        told, draft = signed(due.row["id"]), False
        if told is None:
            if not due.open:
                return
            draft = True
            names = {each: page.say(f"handover.name.{each}") for each in LANGUAGES}
            words, place = page.say("duties.preview_language"), LANGUAGES.index(page.language)
            language = str(st.radio(words, LANGUAGES, place, format_func=names.__getitem__, key=f"form_language_{due.row['id']}", horizontal=True))
            try:
                told = formpage.document(opened(), due, os.environ.get(UNIT, ""), language, os.environ.get(ZONE) or "UTC")
            except BalefireError as error:
                st.caption(plain(error.text(page.language)))
                return
            try:
                obliging.releasable(due, told["form"], time.time_ns())
            except BalefireError as error:
                st.caption(plain(error.text(page.language)))
            form = told["form"]
            asking(page, due.row["id"], formpage.seal(told), lambda: obliging.releasable(due, form, time.time_ns()), key="form")
        files(told, "form", draft=draft)
        kit.draw("paper", {"html": formpage.rendered(told, "html", draft=draft).decode(), "title": page.say("duties.preview"), "height": HEIGHT}, "form_paper")


def signed(duty: str) -> dict[str, Any] | None:
    """What was signed of one, by the ledger that this dashboard was told of."""
    book = ledger()
    entry = book.released(duty) if book else None
    return None if entry is None else entry.body["document"]


def files(told: dict[str, Any], key: str, *, draft: bool = False) -> None:
    """Its pages and its document to take along."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"files_{key}"):
        for form in FORMATS:
            called = ".".join(filter(None, ("duty", told["id"], "" if form == "json" else told["language"], form)))
            content = partial(formpage.rendered, told, form, draft=draft)
            st.download_button(form.upper(), content, called, KINDS_OF_FILE[form], key=f"{key}_{form}", on_click="ignore")
