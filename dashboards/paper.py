"""A warning or a form on the page of duties as its receiver gets it, with its files to take along."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import kit
from reports.pages import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

    Rendered = Callable[[dict[str, Any], str, str, bool], bytes]

HEIGHT: Final = 900
KINDS_OF_FILE: Final = {"pdf": "application/pdf", "html": "text/html", "json": "application/json"}


def files(told: dict[str, Any], rendered: Rendered, language: str, key: str, *, draft: bool = False) -> None:
    """Its pages and its document to take along."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"files_{key}"):
        for form in FORMATS:
            called = ".".join(filter(None, (told["type"], told["id"], "" if form == "json" else language, form)))
            content = partial(rendered, told, form, language, draft)
            st.download_button(form.upper(), content, called, KINDS_OF_FILE[form], key=f"{key}_{form}", on_click="ignore")


def paper(told: dict[str, Any], rendered: Rendered, language: str, key: str, title: str, *, draft: bool = False) -> None:
    """All of it."""
    files(told, rendered, language, key, draft=draft)
    kit.draw("paper", {"html": rendered(told, "html", language, draft).decode(), "title": title, "height": HEIGHT}, f"{key}_paper")
