"""What an asset is compared with: itself at another time, and the plant's lists. Kept for as long as the store says the same."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import inventory
from dashboards.reference import serving
from records.errors import UsageError
from records.formats import DAY, SECOND
from records.nesting import period
from records.plant import KINDS, KeptPlant
from records.query import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboards.page import Page
    from detectors.fingerprint import Fingerprint
    from records.model import Text
    from records.store.contract import Store

WAYS: Final = ("", "before", "day", "week", "other")
SHOWN: Final = 40  # habits of a side, and half as many differences again
LONGEST: Final = 31 * DAY
ALONE: Final = 7 * DAY  # shows what one does as well, and of an asset with thousands of operations a day is there at once
_ZONED: Final = re.compile(r"(?i)(?:z|[+-]\d\d:?\d\d)\s*$")


def wanted(page: Page, way: str, text: str) -> tuple[Span | None, str]:
    """The span to compare with, None for none; and what is wrong with the text, in words."""
    span = page.span
    back = {"before": span.length, "day": DAY, "week": 7 * DAY}.get(way)
    if back is not None:
        return Span(span.since - back, span.until - back), ""
    if way != "other" or not text.strip():
        return None, ""
    try:
        return told(page, text), ""
    except UsageError as error:
        return None, error.text(page.language)


def told(page: Page, text: str) -> Span:
    """A date, hour or minute, or two moments with a stroke between; without an offset by the clock of the page. Raises UsageError."""
    ends = [_local(page, part) for part in text.split("/")]
    first, last = ends[0], ends[-1]
    if len(ends) > 2 or first is None or last is None:
        raise UsageError("period", text=text)
    since, until = first[0], last[1] if len(ends) == 1 else last[0]
    if not since < until <= since + LONGEST:
        raise UsageError("period", text=text)
    return Span(since, until)


def _local(page: Page, text: str) -> tuple[int, int] | None:
    found = period(text)
    if found is None or ("t" in text.casefold() and _ZONED.search(text)):
        return found
    shift = page.clock.local(found[0]).utcoffset()
    moved = int(shift.total_seconds()) * SECOND if shift else 0
    return found[0] - moved, found[1] - moved


def span_words(page: Page, span: Span) -> str:
    """From when to when, as the page writes it."""
    clock, last = page.clock, span.until - 1
    end = clock.minute(last) if clock.day(span.since) == clock.day(last) else f"{clock.short_day(last)} {clock.minute(last)}"
    return f"{clock.short_day(span.since)} {clock.minute(span.since)}–{end}"


def made(page: Page, asset: dict[str, Any], span: Span, longest: int = LONGEST) -> Fingerprint:
    """The asset's fingerprint of a span, of so many nanoseconds at most: the last of them. Looking up names and addresses is left out."""
    kept = Span(max(span.since, span.until - longest), span.until)
    where = os.environ.get("BALEFIRE_STORE", "")
    stamp = f"{page.store.stamp('activity', kept)} {page.store.stamp('point', kept)}"
    return _made(page.store, where, stamp, tuple(inventory.identities(asset)), tuple(inventory.ip_addresses(asset)), kept.since, kept.until)


@st.cache_data(show_spinner=False, max_entries=64)
def _made(_store: Store, where: str, stamp: str, identities: Sequence[str], addresses: Sequence[str], since: int, until: int) -> Fingerprint:  # noqa: ARG001 - keys
    from detectors.fingerprint import fingerprint

    whole = fingerprint(_store, identities, addresses, Span(since, until))
    return replace(whole, habits=tuple(habit for habit in whole.habits if habit.row["network.protocol"] not in serving()))


def disagreements(page: Page, asset: dict[str, Any]) -> list[str]:
    """What the plant's lists say otherwise of the asset, and of its tags by the page's period."""
    digests = tuple((page.store.get("plant", kind) or {}).get("digest") for kind in KINDS)
    if not any(digests):
        return []
    where = os.environ.get("BALEFIRE_STORE", "")
    return [getattr(text, page.language) for text in _disagreements(page.store, where, page.whole.until, digests, page.span.since, str(asset["id"]))]


@st.cache_data(show_spinner=False, max_entries=64)
def _disagreements(_store: Store, where: str, newest: int, digests: Sequence[str | None], since: int, identity: str) -> list[Text]:  # noqa: ARG001 - keys
    from detectors.listed import about

    row = _store.get("asset", identity)
    return [each.text for each in about(_store, row, KeptPlant(_store).plant, since)] if row else []
