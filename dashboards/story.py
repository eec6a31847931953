"""What is going on, put together: the worst open alert with those about the same assets at about the same time, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboards import inventory, queries
from dashboards.page import text_of
from records.formats import DAY, HOUR, duration, number

if TYPE_CHECKING:
    from dashboards.page import Page
    from records.store.contract import Store

NEAR: Final = HOUR  # between alerts of one story
PLACES: Final = 3  # assets that are named
TITLE: Final = 160  # letters
NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Story:
    """The worst alert, how many others belong to it, when the first of them began, and the names of their assets: those of most alerts first.

    `cut`: more alerts are open than were looked at, so there may be more others.
    """

    worst: dict[str, Any]
    more: int
    since: int
    assets: tuple[str, ...]
    cut: bool = False


def story(store: Store, found: list[dict[str, Any]]) -> Story | None:
    """The story of the worst (of equals the newest) of these alerts; None where there is none."""
    if not found:
        return None
    worst = max(found, key=lambda row: (int(row["severity"]), int(row["last"])))
    named = inventory.owners(store, [name for row in found for name in row["assets"] or ()])
    names = {str(row["id"]): str(row["name"]) for row in named.values()}
    about = {str(row["id"]): {str(named[name]["id"]) if name in named else str(name) for name in row["assets"] or ()} for row in found}
    told = _near(worst, [row for row in found if about[str(row["id"])] & about[str(worst["id"])]])
    counts: dict[str, int] = {}
    for row in told:
        for name in about[str(row["id"])]:
            counts[name] = counts.get(name, 0) + 1
    ordered = sorted(counts, key=lambda name: (name not in about[str(worst["id"])], -counts[name], name))
    since, assets = min(int(row["first"]) for row in told), tuple(names.get(name, name) for name in ordered)
    return Story(worst, len(told) - 1, since, assets, len(found) >= queries.MOST_ALERTS)


def _near(worst: dict[str, Any], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of them that follow on each other up to the worst, and from it on."""
    told, since, until = [worst], int(worst["first"]), int(worst["last"])
    others = [row for row in found if row["id"] != worst["id"]]
    while near := [row for row in others if int(row["last"]) >= since - NEAR and int(row["first"]) <= until + NEAR]:
        others = [row for row in others if row not in near]
        told += near
        since, until = min(int(row["first"]) for row in told), max(int(row["last"]) for row in told)
    return told


def moment(page: Page, time: int) -> str:
    """`22:00`, with its day where that is more than a day ago."""
    minute = page.clock.minute(time)
    return minute if page.whole.until - time < DAY else f"{page.clock.short_day(time)} {minute}"


def began(page: Page, told: Story | None) -> dict[str, Any] | None:
    """The mark on the alerts over time where the story begins, if that is in the period."""
    if told is None or not page.span.since <= told.since < page.span.until:
        return None
    words = page.say("story.began", since=moment(page, told.since))
    return {"time": told.since // 1_000_000, "text": " · ".join((words, *(_cut(name, NAME) for name in told.assets[:1])))}


def sentence(page: Page, told: Story, sensor: str = "", blind: int = 0, named: bool = True) -> str:
    """Since when, what, with how many others, where (if `named`), and which sensor was blind for how long, where one was."""
    words = page.say("story.since", since=moment(page, told.since), title=_cut(text_of(told.worst, "title", page.language), TITLE))
    if told.more:
        key, values = "story.more" if named else "story.short", {"count": number(told.more), **({"assets": places(page, told)} if named else {})}
        words += page.say(f"{key}.least", **values) if told.cut else page.count(key, told.more, **values)
    return words + (page.say("story.blind", sensor=_cut(sensor, NAME), duration=duration(blind, page.language)) if blind else "")


def places(page: Page, told: Story) -> str:
    """The names of the first few assets, and how many there are."""
    names, rest = [_cut(name, NAME) for name in told.assets[:PLACES]], len(told.assets) - PLACES
    if rest > 0:
        return page.count("story.places", rest, assets=page.say("and").join(names), count=number(rest))
    first, last = page.say("and").join(names[:-1]), names[-1]  # whoever shares an asset has one
    return page.say("story.places.both", first=first, last=last) if first else last


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
