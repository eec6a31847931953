"""Assets: everything that was seen on the network, with what is known of it and its open alerts. A row opens the asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import choosing, counting, inventory, kit, paging, queries, trend
from dashboards.inventory import FACETS, NONE, SORTS
from dashboards.page import Page, begin, newer, picked, remember, typed
from records.addresses import is_mac
from records.errors import UsageError
from records.formats import number
from records.wording import device_words, role_words, say_or

if TYPE_CHECKING:
    from dashboards.inventory import Risk
    from dashboards.trend import Trend
    from records.search import Condition

PAGE: Final = ("assets", 3)
PLACE: Final = PAGE[0]
REMEMBERED: Final = ("q", "sort", "risky", "after", choosing.NAME, *FACETS)
ADDRESSES = 3  # of an asset that are listed


def show(page: Page) -> None:
    """The whole page."""
    newer(page)
    remember(*REMEMBERED, place=PLACE)
    if not counting.total(page.store, "asset"):
        kit.draw("table", {"title": page.say("page.assets"), "note": "", "head": [], "rows": [], "empty": page.say("assets.nothing")}, "table")
        return
    known = inventory.risks(page.store)
    sort, where = narrowed(page, known)
    if where is None:
        return
    found, total = paging.read(PLACE, lambda after: inventory.assets(page.store, where, sort, after))
    rows = queries.rows(found)
    ways = trend.trends(page, rows)
    lines = [line(page, row, inventory.risk_of(row, known), way) for row, way in zip(rows, ways, strict=True)]
    head = [page.say(f"assets.{name}") for name in ("name", "addresses", "role", "device", "zone", "criticality", "alerts", "trend", "last", "first")]
    note = page.count("assets.count", total, count=number(total))
    data = {"title": page.say("page.assets"), "note": note, "head": head, "rows": lines, "empty": page.say("assets.none")}
    data |= choosing.rows(page, [str(row["id"]) for row in rows])
    kit.follow("table", data, "table")
    paging.turn(page, PLACE, len(lines), total, str(found["id"].iloc[-1]) if len(found) else "")


def narrowed(page: Page, known: dict[str, Risk]) -> tuple[str, Condition | None]:
    """The order, and the condition; None where the search does not parse, after saying why."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        text = typed("q", page.say("assets.search"), PLACE, 220, also=("after",))
        risky = picked("risky", {"": page.say("assets.any_alerts"), "yes": page.say("assets.with_alerts")}, PLACE, width=122, also=("after",))
        facets = {name: picked(name, options(page, name), PLACE, width=128 if name == "criticality" else 115, also=("after",)) for name in FACETS}
        st.space("stretch")
        sort = picked("sort", {name: page.say(f"assets.sort.{name.removeprefix('-')}") for name in SORTS}, PLACE, "-last", 150, ("after",))
    try:
        return sort, inventory.search(text, facets, known if risky else None)
    except UsageError as error:
        kit.draw("unseen", {"title": page.say("list.unreadable"), "note": "", "rows": [("!", error.text(page.language))]}, "search_error")
        return sort, None


def options(page: Page, name: str) -> dict[str, str]:
    """What this field may be narrowed to."""
    words = {value: value_words(page, name, value) for value in inventory.values(page.store, name)}
    return {"": page.say(f"assets.any_{name}"), **words, NONE: page.say("assets.unknown")}


def value_words(page: Page, name: str, value: str) -> str:
    """A value of an asset's field as people read it."""
    if name == "role":
        return role_words(value, page.language)
    if name == "level":
        return page.say("assets.of_level", level=value)
    return say_or(f"dashboard.assets.matters.{value}", page.language, value) if name == "criticality" else value


def line(page: Page, row: dict[str, Any], risk: Risk | None, way: Trend) -> list[Any]:
    """One asset."""
    own = sorted(row["addresses"] or (), key=is_mac)
    place = [page.say("assets.of_level", level=row["level"])] if row["level"] is not None else []
    return [
        {"text": row["name"], "href": page.address("asset", asset=str(row["id"]))},
        {"text": own[0] if own else "", "sub": " ".join(own[1:ADDRESSES]) + (f" +{len(own) - ADDRESSES}" if len(own) > ADDRESSES else ""), "kind": "mono"},
        role_words(row["role"], page.language),
        {
            "text": device_words(own, (row["vendor"], row["model"]), page.language),
            "sub": page.say("assets.firmware", version=row["firmware"]) if row["firmware"] else "",
        },
        {"text": row["zone"] or "", "sub": " ".join(place)},
        value_words(page, "criticality", row["criticality"]) if row["criticality"] else "",
        {"text": page.count("risk.alerts", risk.alerts, count=number(risk.alerts)), "severity": risk.level} if risk else "",
        {"text": "", "trend": trend.drawn(page, way)},
        moment(page, int(row["last"])),
        moment(page, int(row["first"])),
    ]


def moment(page: Page, time: int) -> dict[str, str]:
    """A time as the list shows it."""
    return {"text": f"{page.clock.short_day(time)} {page.clock.second(time)}", "kind": "mono"}


show(begin(*REMEMBERED))
