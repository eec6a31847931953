"""Our own components: one JavaScript and one style file each, before both a shared base. Stored text goes in as data and out by `textContent`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

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


def ask(name: str, data: dict[str, Any], key: str, opened: Callable[[], None]) -> str | None:
    """Draw a component whose rows can be opened; the identity of the row that was opened just now, or None."""
    result: Any = _component(name)(data=data, key=key, on_open_change=opened)
    return getattr(result, "open", None)
