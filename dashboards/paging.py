"""Turning the pages of a long list on the server: a page begins behind a row, whose identity stands in the address with the number of rows before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboards.page import forget, left_out
from records.errors import UsageError
from records.formats import number

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from dashboards.page import Page


def start() -> tuple[str, int]:
    """(identity of the row before this page, how many rows are before it); nothing for the first page."""
    asked = st.query_params.get("after", "")
    before, _, identity = asked.partition("~")
    if asked and not (identity and before.isascii() and before.isdigit() and len(before) < 10):
        left_out("after")
    return (identity, int(before)) if identity and before.isascii() and before.isdigit() and len(before) < 10 else ("", 0)


def read(place: str, ask: Callable[[str], tuple[pd.DataFrame, int]]) -> tuple[pd.DataFrame, int]:
    """The rows behind that of the address, and how many there are in all; from the first on where that row is no more, or nothing is left behind it."""
    identity, _before = start()
    try:
        found, total = ask(identity)
        if not identity or len(found) or not total:
            return found, total
    except UsageError as error:
        if not identity or error.key != "store.after":
            raise
    left_out("after")
    forget("after", place=place)
    return ask("")


def turn(page: Page, place: str, shown: int, total: int, last: str, counted: int | None = None) -> None:
    """Which rows these are, and the ways to others. `counted`: how many are before them; where nobody counted, the address is believed, within reason."""
    before = min(start()[1], max(total - shown, 0)) if counted is None else counted

    def go(address: str) -> None:
        forget("after", place=place)
        if address:
            st.query_params["after"] = address

    def on() -> None:
        trail().append(st.query_params.get("after", ""))
        go(f"{before + shown}~{last}")

    def back() -> None:
        go(trail().pop() if trail() else "")

    def trail() -> list[str]:
        kept: list[str] = st.session_state.setdefault(f"trail_{place}", [])
        return kept

    if total <= shown and not before:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"pages_{place}"):
        st.button(page.say("paging.back"), key=f"back_{place}", icon=":material/chevron_left:", disabled=not before, on_click=back)
        st.button(page.say("paging.on"), key=f"on_{place}", icon=":material/chevron_right:", disabled=before + shown >= total, on_click=on)
        st.markdown(f":gray[{page.say('paging.rows', first=number(before + 1), last=number(before + shown), total=number(total))}]")
