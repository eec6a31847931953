"""Navigation only."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboards import kit
from dashboards.access.visitor import visitor
from dashboards.keys import keys
from dashboards.navigation import places
from dashboards.page import KEPT, broken_off, ended, language, remember
from records.errors import StoreError
from records.wording import say

HERE = Path(__file__).parent
STYLE = (HERE / "kit" / "page.css").read_text("utf-8")
WITHIN = '[data-testid=stTopNavLink][href$="/{}"] {{ background-color: rgba(168, 180, 172, 0.25); p {{ font-weight: 600; }} }}'  # as if it were open

remember(*KEPT)
code = language()
st.set_page_config(page_title="Balefire", page_icon=str(HERE / "logo" / "mark.svg"), layout="wide", menu_items={"About": say("dashboard.about", code)})
st.html(f"<style>{STYLE}</style>")
seen = visitor()
known, shown = [*places()], [place for place in places() if place.place]
if seen is not None and not seen.may("read"):  # one page is all that a screen or an agency is shown, wherever it asks
    only = next(place for place in shown if place.address == ("duties" if seen.agency else shown[0].address))
    known = [place._replace(file=only.file, place=0) for place in known]
    if not seen.agency:
        st.query_params["view"] = "wall"
chosen = st.navigation(
    [
        st.Page(
            place.file, title=say(f"dashboard.page.{place.address}", code), url_path=place.address, default=place.address == shown[0].address,
            visibility="visible" if place.place else "hidden",
        )
        for place in known
    ],
    position="hidden" if st.query_params.get("view") == "wall" else "top",
)  # fmt: skip
if within := next((place.within for place in known if place.address == chosen.url_path), ""):
    st.html(f"<style>{WITHIN.format(within)}</style>")
st.logo(str(HERE / "logo" / "logo.svg"), size="medium")
if seen is None:
    ended()
else:
    kit.leave()
    if st.query_params.get("view") != "wall" and seen.may("read"):
        keys(code)
    try:
        chosen.run()
    except StoreError as error:
        broken_off(error)
