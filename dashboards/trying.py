"""What changes of a rule would have done in a period: other values of a number in it, or another text."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboards.access.visitor import demand
from detectors import tuning
from detectors.backtest import backtest
from detectors.rulebook.books import draft
from records import scratch

if TYPE_CHECKING:
    from dashboards.rulings import Book
    from detectors.backtest import Result
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule
    from detectors.tuning import Bound, Step
    from records.query import Span
    from records.store.contract import Store

KEPT: Final = 32  # curves that are remembered …
KEPT_S: Final = 300  # … for so long: somebody may confirm an alert


@dataclass(frozen=True, slots=True)
class Tried:
    """What a text would do; None where it changes nothing or cannot be tried. `problems` are what keeps rules out."""

    result: Result | None
    problems: tuple[Problem, ...]


def curve(store: Store, book: Book, rule: Rule, bound: Bound, span: Span) -> list[Step]:
    """The rule at other values of one of its bounds over a span, smallest first; worked out once for each version of the rules.

    Raises BalefireError, DeniedError for whoever may not.
    """
    demand("rules")
    return _curve(store, book, rule, bound, (os.environ.get("BALEFIRE_STORE", ""), book.id, rule.id, bound.start), (span.since, span.until))


@st.cache_data(show_spinner=False, max_entries=KEPT, ttl=KEPT_S)
def _curve(_store: Store, _book: Book, _rule: Rule, _bound: Bound, which: tuple[str, str, str, int], times: tuple[int, int]) -> list[Step]:
    del which  # tells one curve from another
    return tuning.curve(_store, _rule, _book.texts[_rule.file], _bound, _book.version, _book.book.placeholders, times)


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
