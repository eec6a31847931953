"""One asset as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from balefire.screen import cell, clean
from balefire.summary import Prose, grid, indented, section
from balefire.times import shown, span
from records.assets import changes_of, contested
from records.facts import ADDRESS, MOST_TEXT, is_cut
from records.wording import device_words, role_words, say_or, source_words
from sensors.statements import is_group

if TYPE_CHECKING:
    from rich.console import RenderableType

    from balefire.screen import Screen
    from detectors.listed import Disagreement
    from records.facts import Fact
    from records.model import Asset


def show_asset(screen: Screen, asset: Asset, disagreements: list[Disagreement], talks: list[dict[str, Any]]) -> None:
    """Name and what it is, facts, changes, conflicts, what lists say otherwise, peers."""
    from rich.text import Text

    device = device_words(asset.addresses, (asset.vendor, asset.model, asset.firmware), screen.language)
    facts = [role_words(asset.role, screen.language), device, span(asset.first, asset.last, screen.language) + " UTC", asset.id]
    parts: list[RenderableType] = [
        Text(cell(asset.name), "bold"),
        indented(Text(clean(" · ".join(filter(None, facts))), "dim")),
        section(screen.say("cli.asset.facts"), screen.say("cli.asset.believed")),
        indented(_facts(screen, asset.facts)),
        *_cut(screen, asset.facts),
        *_changes(screen, asset),
        *_conflicts(screen, asset),
        *_listed(screen, disagreements),
        *_talks(screen, talks),
    ]
    for part in parts:
        screen.print(part)


def _facts(screen: Screen, facts: tuple[Fact, ...]) -> RenderableType:
    told = grid(5, numbers=(3,))
    before = ""
    for fact in sorted(facts, key=lambda each: (each.name != ADDRESS, each.name, -each.confidence, -each.last, each.value)):
        value = role_words(fact.value, screen.language) if fact.name == "role" else fact.value
        name = say_or(f"fact.{fact.name}", screen.language, fact.name) if fact.name != before else ""
        cells = name, value, source_words(fact.source, screen.language), fact.confidence, span(fact.first, fact.last, screen.language)
        told.add_row(*map(clean, cells))
        before = fact.name
    return told


def _cut(screen: Screen, facts: tuple[Fact, ...]) -> list[RenderableType]:
    """That values are not whole, where some are not."""
    from rich.text import Text

    return [indented(Text(screen.say("cli.asset.cut", most=MOST_TEXT), "dim"))] if any(is_cut(fact.value) for fact in facts) else []


def _changes(screen: Screen, asset: Asset) -> list[RenderableType]:
    """`Firmware: 2.1 → 2.3 on 3 May 2026, 10:04:00`."""
    lines: list[RenderableType] = []
    for change in changes_of(asset):
        name = say_or(f"fact.{change.name}", screen.language, change.name)
        words = {"fact": name, "before": change.before, "after": change.after, "time": shown(change.time, screen.language), "source": change.source}
        lines.append(indented(Prose(screen.say("cli.asset.changed", **words))))
    return [section(screen.say("cli.asset.changes")), *lines] if lines else []


def _conflicts(screen: Screen, asset: Asset) -> list[RenderableType]:
    lines: list[RenderableType] = [
        indented(Prose(screen.say("cli.asset.contested", address=each.address, other=each.other, time=shown(each.first, screen.language))))
        for each in contested(asset.conflicts)
    ]
    return [section(screen.say("cli.asset.conflicts")), *lines] if lines else []


def _listed(screen: Screen, disagreements: list[Disagreement]) -> list[RenderableType]:
    lines: list[RenderableType] = [indented(Prose(clean(getattr(each.text, screen.language)))) for each in disagreements]
    return [section(screen.say("cli.asset.listed")), *lines] if lines else []


def _called(screen: Screen, peer: str | None) -> str:
    return screen.say("detectors.phrase.everybody") if peer and is_group(peer) else peer or "–"


def _talks(screen: Screen, talks: list[dict[str, Any]]) -> list[RenderableType]:
    if not talks:
        return []
    from sensors.protocol import answers_nothing

    told = grid(4, numbers=(3,))
    for each in talks:
        told_only = each["access"] == "report" or answers_nothing(each["protocol"])
        way = screen.say(f"cli.asset.{each['direction']}{'_told' if told_only else ''}", peer=_called(screen, each["peer"]))
        access = say_or(f"access.{each['access']}", screen.language, each["access"] or "")
        told.add_row(*(clean(cell) for cell in (way, each["protocol"], access, f"{each['count']:,}")))
    return [section(screen.say("cli.asset.talks"), screen.say("cli.asset.busiest")), indented(told)]
