"""Who looks at a page. Rights are asked for where something is done, not only where its button is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboards.access.gate import DeniedError
from dashboards.access.sessions import ANYBODY, COOKIE, access

if TYPE_CHECKING:
    from dashboards.access.sessions import Visitor

__all__ = ["DeniedError", "demand", "may", "token", "visitor"]


def token() -> str:
    """What whoever looks is known by, empty where nothing is: for what is done later, where there is no page that could be asked."""
    return str(st.context.cookies.get(COOKIE) or "")


def visitor(known_by: str | None = None) -> Visitor | None:
    """Who it is, looking at a page or `known_by` their token; None where the session has ended."""
    desk = access()
    return ANYBODY if desk is None else desk.find(token() if known_by is None else known_by)


def may(right: str) -> bool:
    """Whether whoever looks has this right."""
    seen = visitor()
    return seen is not None and seen.may(right)


def demand(right: str, known_by: str | None = None) -> None:
    """Go on only with this right. Raises DeniedError."""
    seen = visitor(known_by)
    if seen is None:
        raise DeniedError("access.ended")
    if not seen.may(right):
        raise DeniedError("access.denied", role=seen.role, right=right)
