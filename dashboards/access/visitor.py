"""Who looks at a page. Rights are asked for where something is done, not only where its button is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboards.access.gate import DeniedError
from dashboards.access.sessions import ANYBODY, COOKIE, access

if TYPE_CHECKING:
    from dashboards.access.sessions import Visitor

__all__ = ["DeniedError", "demand", "may", "visitor"]


def visitor() -> Visitor | None:
    """Who it is; None where the session has ended."""
    desk = access()
    return ANYBODY if desk is None else desk.find(str(st.context.cookies.get(COOKIE) or ""))


def may(right: str) -> bool:
    """Whether whoever looks has this right."""
    seen = visitor()
    return seen is not None and seen.may(right)


def demand(right: str) -> None:
    """Go on only with this right. Raises DeniedError."""
    seen = visitor()
    if seen is None:
        raise DeniedError("access.ended")
    if not seen.may(right):
        raise DeniedError("access.denied", role=seen.role, right=right)
