"""Our own components: one JavaScript and one style file each, before both a shared base. Stored text goes in as data and out by `textContent`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

import streamlit as st
from streamlit.components.v2 import component

from dashboards.navigation import places
from records.visible import unsteered

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.components.v2.types import ComponentRenderer

LONGEST: Final = 1000  # letters of a text, as of a cell on the terminal; a hostile name has 64 Ki
TEXTS: Final = frozenset({"document", "paper", "handover", "source", "dissection", "packets"})  # components of texts as long as they are
LINKED: Final = "linked"  # keys of the components with links that were drawn last
UNSEEN: Final = frozenset({"href", "id", "code"})  # by these things are found again


def _text(name: str) -> str:
    file = files(__name__) / name
    return file.read_text("utf-8") if file.is_file() else ""


@cache
def _component(name: str) -> ComponentRenderer:
    return component(f"balefire_{name}", js=_text("base.js") + _text(f"{name}.js"), css=_text("base.css") + _text(f"{name}.css"))


def _seen(data: Any, bounded: bool) -> Any:
    if isinstance(data, str):
        return unsteered(data if len(data) <= LONGEST or not bounded else data[: LONGEST - 1] + "…")
    if isinstance(data, dict):
        return {name: each if name in UNSEEN else _seen(each, bounded) for name, each in cast("dict[str, Any]", data).items()}
    if isinstance(data, list | tuple):
        return [_seen(each, bounded) for each in cast("list[Any]", data)]
    return data


def _mount(name: str, data: dict[str, Any], key: str, **more: Any) -> Any:
    """The component with its data, in which no text steers what stands around it or fills the page."""
    return _component(name)(data=_seen(data, name not in TEXTS), key=key, **more)


def draw(name: str, data: dict[str, Any], key: str) -> None:
    """Draw the component `name` with `data` (plain JSON)."""
    _mount(name, data, key)


def ask(name: str, data: dict[str, Any], key: str, chosen: Callable[[list[str]], None]) -> None:
    """Draw a component whose rows are links and can be chosen; `chosen` is told every choice."""

    def changed() -> None:
        chosen(list(st.session_state[key].chosen or ()))

    _linked(name, data, key, on_chosen_change=changed)


def _linked(name: str, data: dict[str, Any], key: str, **more: Any) -> Any:
    """Draw a component with links to other pages, and follow the one that was clicked just now."""
    st.session_state.setdefault(LINKED, []).append(key)
    result: Any = _mount(name, data, key, on_open_change=lambda: None, **more)
    visit(getattr(result, "open", None))
    return result


def leave() -> None:
    """Follow the link that was clicked just now before the page that has it is drawn once more for nothing."""
    for key in st.session_state.pop(LINKED, ()):
        visit(getattr(st.session_state.get(key), "open", None))


def follow(name: str, data: dict[str, Any], key: str) -> None:
    """Draw a component with links to other pages (`asset?…`); a plain click on one opens it in this session."""
    _linked(name, data, key)


def visit(address: object) -> None:
    """Go to the page of an address that a component was given; anything else stays where it is."""
    target = urlsplit(address) if isinstance(address, str) else urlsplit("")
    for place in places():
        if place.address == target.path:
            st.switch_page(place.file, query_params=dict(parse_qsl(target.query)))


def watch(name: str, data: dict[str, Any], key: str, *events: str) -> dict[str, Any]:
    """Draw a component with these events beside links; what happened just now, by event."""
    told: dict[str, Any] = {f"on_{event}_change": lambda: None for event in events}
    result = _linked(name, data, key, **told)
    return {event: found for event in events if (found := getattr(result, event, None)) is not None}


def tell(name: str, data: dict[str, Any], key: str, state: str, changed: Callable[[], None]) -> None:
    """Draw a component that keeps a value under `state`; `changed` is called when it changes, and finds it in the session's state under `key`."""
    more: dict[str, Any] = {f"on_{state}_change": changed}
    _mount(name, data, key, **more)
