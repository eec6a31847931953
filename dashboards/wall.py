"""The wall screen: the situation for a room, readable from five metres, in three faces that take turns. It needs nobody: it looks again by itself."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import health, kit, queries, standing, story
from dashboards.access.visitor import visitor
from dashboards.page import LIVE, ended, missing, text_of
from records.errors import StoreError
from records.formats import MINUTE, duration, number, share_seen
from records.model import severity_word
from records.query import Query
from records.search import Range

if TYPE_CHECKING:
    from dashboards.page import Page
    from dashboards.queries import Sensor

Row = dict[str, Any]
EVERY_S: Final = 15
LISTED: Final = 5
SITE: Final = 40  # letters


@st.fragment(run_every=EVERY_S)
def show(page: Page) -> None:
    """The whole screen, from what the store holds now. It runs by itself for days, so it asks each time whether whoever logged in still is."""
    if visitor() is None:
        ended()
        return
    try:
        draw(page)
    except StoreError as error:
        missing(page.language, "store", error.text(page.language))


def draw(page: Page) -> None:
    """The face whose turn it is, and the others behind it. Raises StoreError."""
    whole = queries.extent(page.store)
    page = replace(page, whole=whole) if whole else page
    sensors, known = standing.sensors(page)
    sums, counts = queries.coverage(page.store, page.span), queries.open_by_level(page.store, page.span)
    told = standing.headline(page, (sensors, known), sums, counts, story.story(page.store, queries.worst(page.store, page.span)), named=False)
    kit.draw(
        "wall",
        {
            **told,
            **heading(page),
            "figures": figures(page, counts, (sensors, known), sums),
            "time": lines(page, sensors, known),
            "list": listed(page),
            "health": healths(page),
        },
        "wall",
    )


def heading(page: Page) -> dict[str, str]:
    """Where, how old the newest packet is, and the time: of the room where packets come, else of the newest packet."""
    newest, now = page.whole.until - 1, time.time_ns()
    live = 0 <= now - newest <= LIVE
    age = page.say("wall.newest", ago=duration(max(now - newest, 10**9), page.language)) if live else page.say("wall.recorded")
    return {
        "site": " · ".join(queries.sites(page.store, page.span))[:SITE],
        "age": age,
        "clock": page.clock.moment(now if live else newest),
        "foot": page.say("wall.foot"),
    }


def figures(page: Page, counts: dict[str, int], watching: tuple[list[Sensor], int], sums: dict[str, int]) -> list[Row]:
    """Five numbers, each with what it counts."""
    sensors, known = watching
    blind = [(gap.length, sensor.label) for sensor in sensors for gap in sensor.gaps(page.span) if gap.until >= page.span.until - MINUTE]
    share, assets = queries.grade(sums), page.store.count("asset", Query())
    new = page.store.count("asset", Query(where=Range("first", low=page.span.since)))
    longest = max(blind, default=None)
    words = (
        page.count("wall.blind", len(blind), sensor=standing.label_of(longest[1]), duration=duration(longest[0], page.language))
        if longest
        else page.say("wall.sees")
    )
    return [
        *({"value": number(counts[level]), "text": page.say(f"wall.{level}"), "mark": level, "quiet": not counts[level]} for level in ("critical", "high")),
        {"value": number(len(blind)) + ("+" if len(blind) == len(sensors) < known else ""), "text": words, "quiet": not blind},
        {
            "value": "–" if share is None else share_seen(share, page.language).rstrip("% "),  # cut, never rounded up
            "unit": "" if share is None else "%",
            "text": page.say("wall.share", span=standing.span_words(page)),
        },
        {"value": number(assets), "text": page.count("wall.assets", new, count=number(new)) if new else page.say("wall.assets.none"), "quiet": True},
    ]


def lines(page: Page, sensors: list[Sensor], known: int) -> Row:
    """Alerts over time, and what the sensors saw."""
    return {**standing.timeline(page, sensors, known), "alerts": page.say("wall.alerts"), "coverage": page.say("wall.coverage")}


def healths(page: Page) -> Row:
    """Each sensor: its last packet, what was dropped, its grade."""
    found, known = health.health(page.store, page.span)
    head = [page.say("health.title") if known == len(found) else f"{page.say('health.title')} ({len(found)} / {number(known)})"]
    return {"head": head + [page.say(name) for name in ("health.last", "cover.drops", "cover.grade")], "rows": health.rows(page, found)}


def listed(page: Page) -> list[Row]:
    """The worst alerts that are not closed."""
    found = queries.listed(page.store.read("alert", page.span.query(queries.OPEN, "-severity", LISTED)))
    names = queries.asset_names(page.store, [asset for row in found for asset in (row["assets"] or ())[:1]])
    return [
        {
            "level": severity_word(int(row["severity"])),
            "time": page.clock.minute(int(row["last"])),
            "text": text_of(row, "title", page.language),
            "asset": next((names.get(asset, asset) for asset in row["assets"] or ()), ""),
        }
        for row in found
    ]
