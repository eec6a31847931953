"""Answers of a store, kept for as long as it says the same of the time that they are about: of a time that is over is asked once, whoever looks."""

from __future__ import annotations

import os
from contextlib import suppress
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import streamlit as st

from records.formats import DAY
from records.query import Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.store.contract import Store

LONG: Final = 3 * DAY  # from here on the whole days of a time are asked for by themselves: they stay as they are while time goes on
T = TypeVar("T")
_FREE: Final = BoundedSemaphore(2)  # threads that may ask meanwhile


def kept(store: Store, tables: tuple[str, ...], ask: Callable[..., T], span: Span, *about: object) -> T:
    """What `ask(store, span, *about)` answers, which looks into these tables of that span and at nothing else."""
    stamps = tuple(store.stamp(table, span) for table in tables)
    asked = f"{ask.__module__}.{ask.__qualname__} {about!r}"
    return cast("T", _answer(store, ask, span, about, os.environ.get("BALEFIRE_STORE", ""), stamps, asked, span.since, span.until))


@st.cache_data(show_spinner=False, max_entries=128)
def _answer(
    _store: Store, _ask: Callable[..., Any], _span: Span, _about: tuple[object, ...], where: str, stamps: tuple[str, ...], asked: str, since: int, until: int
) -> Any:
    del where, stamps, asked, since, until  # tell one question from another
    return _ask(_store, _span, *_about)


def meanwhile(ask: Callable[[], object]) -> None:
    """Have this asked by another thread, where one is free: who asks for the same a moment later waits for that alone. It asks for nothing but what is kept."""
    if _FREE.acquire(blocking=False):
        Thread(target=_asked, args=(ask,), name="meanwhile", daemon=True).start()  # where the server ends, nobody waits for it


def _asked(ask: Callable[[], object]) -> None:
    try:
        with suppress(Exception):  # who asks for it is told
            ask()
    finally:
        _FREE.release()


def windows(span: Span, step: int = DAY) -> list[Span]:
    """A long time in parts that add up to it: the whole days (or longer steps) in its middle, what is before them, and what is after."""
    low, high = -(-span.since // step) * step, span.until // step * step
    if span.length < LONG or low >= high:
        return [span]
    return [part for part in (Span(span.since, low), Span(low, high), Span(high, span.until)) if part.length > 0]
