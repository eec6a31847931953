"""Who looks at a page. Rights are asked for where something is done, not only where its button is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboards.access.gate import DeniedError
from dashboards.access.roles import ROLES
from dashboards.access.sessions import ANYBODY, COOKIE, access
from records.wording import say

if TYPE_CHECKING:
    from dashboards.access.sessions import Visitor

__all__ = ["DeniedError", "demand", "lacking", "may", "token", "visitor"]


def token() -> str:
    """What whoever looks is known by, empty where nothing is: for what is done later, where there is no page that could be asked."""
    return str(st.context.cookies.get(COOKIE) or "")


def visitor() -> Visitor | None:
    """Who it is; None where the session has ended."""
    return _known_by(token())


def _known_by(one: str) -> Visitor | None:
    desk = access()
    return ANYBODY if desk is None else desk.find(one)


def may(right: str) -> bool:
    """Whether whoever looks has this right."""
    seen = visitor()
    return seen is not None and seen.may(right)


def lacking(right: str, language: str) -> str | None:
    """What is said where something is out of reach for want of this right: which roles have it. None for whoever may."""
    seen = visitor()
    if seen is None:
        return say("error.access.ended", language)
    if seen.may(right):
        return None
    roles = say("access.comma", language).join(say(f"role.{role}", language) for role, rights in ROLES.items() if right in rights)
    return say("access.lacking", language, role=say(f"role.{seen.role}", language), right=say(f"right.{right}", language), roles=roles)


def demand(right: str, known_by: str | None = None) -> None:
    """Go on only with this right, of whoever looks or has this token. Raises DeniedError."""
    seen = visitor() if known_by is None else _known_by(known_by)
    if seen is None:
        raise DeniedError("access.ended")
    if not seen.may(right):
        raise DeniedError("access.denied", role=seen.role, right=right)
