"""Our own components: one JavaScript and one style file each, before both a shared base. Stored text goes in as data and out by `textContent`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.components.v2 import component

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.components.v2.types import ComponentRenderer


def _text(name: str) -> str:
    file = files(__name__) / name
    return file.read_text("utf-8") if file.is_file() else ""


@cache
def _component(name: str) -> ComponentRenderer:
    return component(f"balefire_{name}", js=_text("base.js") + _text(f"{name}.js"), css=_text("base.css") + _text(f"{name}.css"))


def draw(name: str, data: dict[str, Any], key: str) -> None:
    """Draw the component `name` with `data` (plain JSON)."""
    _component(name)(data=data, key=key)


def ask(name: str, data: dict[str, Any], key: str, chosen: Callable[[list[str]], None]) -> str | None:
    """Draw a component whose rows can be opened and chosen; the identity of the row that was opened just now, or None. `chosen` is told every choice."""

    def changed() -> None:
        chosen(list(st.session_state[key].chosen or ()))

    result: Any = _component(name)(data=data, key=key, on_open_change=lambda: None, on_chosen_change=changed)
    return getattr(result, "open", None)


def tell(name: str, data: dict[str, Any], key: str, state: str, changed: Callable[[], None]) -> None:
    """Draw a component that keeps a value under `state`; `changed` is called when it changes, and finds it in the session's state under `key`."""
    more: dict[str, Any] = {f"on_{state}_change": changed}
    _component(name)(data=data, key=key, **more)
