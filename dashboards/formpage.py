"""The form of a duty as agencies get it, on the page of duties: a draft in the language that a person chooses until it is signed, then what was signed. Its
release is asked for here and signed elsewhere (`balefire report release --asked`).
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboards.deciding import plain
from dashboards.opening import opened
from dashboards.paper import paper
from dashboards.releasing import asking, ledger
from dashboards.serve import UNIT, ZONE
from records.errors import BalefireError
from records.wording import LANGUAGES
from reports import formpage, obliging

if TYPE_CHECKING:
    from dashboards.page import Page
    from reports.obliging import Due


def preview(page: Page, due: Due) -> None:
    """One as pages, and its release; of one that is released only what was signed is shown, where the ledger is known here."""
    told, draft = signed(due.row["id"]), False
    if told is None and due.row["status"] == "released":
        return
    with st.expander(page.say("duties.preview")):
        if told is None:
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
                obliging.releasable(due, told["form"], time.time_ns(), page.clock.zone)
            except BalefireError as error:
                st.caption(plain(error.text(page.language)))
            form = told["form"]
            asking(page, due.row["id"], formpage.seal(told), lambda: obliging.releasable(due, form, time.time_ns(), page.clock.zone), key="form")
        paper(told, formpage.rendered, told["language"], "form", page.say("duties.preview"), draft=draft)


def signed(duty: str) -> dict[str, Any] | None:
    """What was signed of one, by the ledger that this dashboard was told of."""
    book = ledger()
    entry = book.released(duty) if book else None
    return None if entry is None else entry.body["document"]
