"""Rows that are chosen stand in the address, so that who is sent a view sees which ones are meant. What is no row of the list there is not, and is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards.page import forget
from records.formats import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboards.page import Page

NAME: Final = "chosen"  # as kit/table.js writes it
MOST: Final = 50  # as many as a page lists


def asked() -> list[str]:
    """The identities of the address, each once."""
    return list(dict.fromkeys(name for name in st.query_params.get(NAME, "").split(",") if name))


def choose(identities: Sequence[str], place: str) -> None:
    """These are chosen now."""
    forget(NAME, place=place)
    if identities:
        st.query_params[NAME] = ",".join(identities)


def chosen(page: Page, there: Sequence[str]) -> list[str]:
    """Those of the rows that are there; how many of the address are not is said."""
    wanted, known = asked(), set(there)
    found = [name for name in wanted if name in known]
    if missing := len(wanted) - len(found):
        st.markdown(f":gray[{page.count('choosing.missing', missing, count=number(missing))}]")
    return found


def rows(page: Page, identities: Sequence[str]) -> dict[str, Any]:
    """What a table is told so that its rows can be chosen."""
    return {"ids": list(identities), "chosen": chosen(page, identities), "most": MOST}
