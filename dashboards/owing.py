"""What of duties to report presses, on the pages where people look first: clocks of the law run by the wall clock, whatever period is shown."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dashboards import kit
from dashboards.access.visitor import may
from records.formats import duration, number
from reports.obliging import ungraded
from reports.reminding import pressing

if TYPE_CHECKING:
    from dashboards.page import Page


def band(page: Page) -> None:
    """One line, where anything is due within a day, late, or confirmed and without a level; nothing else."""
    if not may("read"):
        return
    now = time.time_ns()
    found = pressing(page.store, now)
    parts = [page.say(f"duties.{name}", count=number(count)) for name, count in (("late", len(found.late)), ("waiting", len(found.waiting))) if count]
    if found.soon:
        parts.append(page.say("duties.soon", count=number(len(found.soon)), time=duration((found.soon[0].due or now) - now, page.language)))
    if parts:
        kit.draw("unseen", {"title": page.say("duties.tag"), "note": page.say("duties.look"), "rows": [("!", each) for each in parts]}, "owing")


def unlevelled(page: Page, alert: str) -> None:
    """On the page of a confirmed alert: that its clocks run and nobody has decided its level."""
    if told := ungraded(page.store).get(alert):
        words = page.say("duties.running", time=duration(time.time_ns() - told[0], page.language))
        kit.draw("unseen", {"title": page.say("duties.tag"), "note": "", "rows": [("!", words)]}, "owing")
