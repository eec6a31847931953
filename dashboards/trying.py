"""What changes of a rule would have done in a period: other values of a number in it, or another text."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboards.access.visitor import demand
from dashboards.keeping import kept
from dashboards.serve import SHIFTS, ZONE
from detectors import shifts as at_work
from detectors import tuning, working
from detectors.backtest import backtest
from detectors.curves import Curve, stored
from detectors.rulebook.books import draft
from records import scratch
from records.formats import DAY, zone_named
from records.query import Span

if TYPE_CHECKING:
    from dashboards.page import Page
    from dashboards.rulings import Book
    from detectors.backtest import Result
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule
    from detectors.tuning import Bound, Step
    from detectors.working import Window
    from records.store.contract import Store

KEPT: Final = 32  # curves that are remembered


@dataclass(frozen=True, slots=True)
class Tried:
    """What a text would do; None where it changes nothing or cannot be tried. `problems` are what keeps rules out."""

    result: Result | None
    problems: tuple[Problem, ...]


def curve(page: Page, book: Book, rule: Rule, bound: Bound, ask: bool) -> Curve | None:
    """The rule at other values of one of its bounds over the last 30 days, smallest first: as it was kept in the store, else, if one may `ask`, worked out
    once for as long as nothing of that time changes. None where one may not. Raises BalefireError, DeniedError for whoever may not try rules.
    """
    demand("rules")
    known = None if page.held else stored(page.store, book.id, rule.id, bound)
    if known or not ask:
        return known
    looked = kept(page.store, ("coverage",), _window, Span(page.whole.until - working.DAYS * DAY, page.whole.until), shifts(), os.environ.get(ZONE, ""))
    span = Span(looked.since, looked.until)
    stamps = tuple(page.store.stamp(table, span) for table in ("activity", "point", "alert"))
    which = (os.environ.get("BALEFIRE_STORE", ""), book.id, rule.id, bound.start)
    return Curve(looked, _curve(page.store, book, rule, bound, looked, which, (span.since, span.until), stamps))


def shifts() -> tuple[str, ...]:
    """When the plant's begin."""
    return tuple(json.loads(os.environ.get(SHIFTS) or "null") or at_work.SHIFTS)


def _window(store: Store, span: Span, begins: tuple[str, ...], zone: str) -> Window:
    return working.window(store, begins, zone_named(zone), span.until - 1)


@st.cache_data(show_spinner=False, max_entries=KEPT)
def _curve(
    _store: Store, _book: Book, _rule: Rule, _bound: Bound, _window: Window, which: tuple[str, str, str, int], times: tuple[int, int], stamps: tuple[str, ...]
) -> list[Step]:
    del which, times, stamps  # tell one curve from another
    return tuning.curve(_store, _rule, _book.texts[_rule.file], _bound, _book.version, _book.book.placeholders, _window)


def text(store: Store, book: Book, rule: Rule, written: str, span: Span) -> Tried:
    """What a text in the place of the rule's file would do over a span. Raises BalefireError, DeniedError for whoever may not."""
    demand("rules")
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("draft")) as folder:
        file = Path(folder) / f"{rule.id}.yml"
        file.write_text(written, "utf-8", "surrogateescape")
        drafted = draft(file, book.version)
    if not drafted.changes:
        return Tried(None, drafted.problems)
    return Tried(backtest(store, drafted.changes, span.since, span.until), drafted.problems)
