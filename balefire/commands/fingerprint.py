"""What one asset does, on one page, and what differs between two dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.screen import cell
from records.addresses import is_mac
from records.errors import UsageError
from records.nesting import SECOND, period
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.fingerprint import Difference, Fingerprint
    from records.query import Span
    from records.store.contract import Store

DAY: Final = 86_400 * SECOND
LARGEST: Final = 64 << 20  # octets of a kept fingerprint
SHOWN: Final = 60  # lines of each kind on a screen; --json has all


@click.command(help=say("cli.help.fingerprint", HELP))
@click.argument("name", metavar="ASSET")
@click.option("--on", "on", metavar="DATE|T/T", help=say("cli.option.on", HELP))
@click.option("--against", metavar="DATE|T/T", help=say("cli.option.against", HELP))
@click.option("--from", "kept", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False), help=say("cli.option.fingerprint_from", HELP))
@keeps
@speaks
def fingerprint(screen: Screen, name: str, on: str | None, against: str | None, kept: Path | None, as_json: bool) -> None:
    """One period, or the difference between two, of which one may have been kept."""
    from balefire.identities import asset_named
    from detectors import fingerprint as prints
    from records.store.rows import asset_from

    if kept and against:
        raise UsageError("fingerprint.both")
    before = _kept(screen, kept) if kept else None
    store = opened(screen)
    try:
        asset = asset_named(store, name)
        identities = [asset["id"], *(asset["aliases"] or ())]
        addresses = [address for address in asset["addresses"] if not is_mac(address)]
        now = prints.fingerprint(store, identities, addresses, _wanted(on) if on else _last_day(store))
        before = prints.fingerprint(store, identities, addresses, _wanted(against)) if against else before
    finally:
        store.close()
    changes = [*prints.told_otherwise(asset_from(asset).facts, before.period, now.period), *prints.differences(before, now)] if before else []
    if as_json:
        screen.emit(_told(asset, now, before, changes))
    elif before:
        _compare(screen, asset["name"], before, now, changes)
    else:
        _show(screen, asset["name"], now)


def _kept(screen: Screen, file: Path) -> Fingerprint:
    """The fingerprint that --json printed into this file; of which asset, is said. Raises UsageError."""
    from detectors.printed import NoPrintError, read

    try:
        with file.open("rb") as content:
            octets = content.read(LARGEST + 1)
        if len(octets) > LARGEST:
            raise UsageError("fingerprint.large", file=file, most=LARGEST >> 20)
        given = json.loads(octets)
        made = read(given)
    except OSError as error:
        raise UsageError("fingerprint.unreadable", file=file, reason=error.strerror or error) from None
    except NoPrintError as error:
        raise UsageError("fingerprint.kept", file=file, place=error) from None
    except (ValueError, RecursionError) as error:
        raise UsageError("fingerprint.json", file=file, reason=error) from None
    screen.note(screen.say("cli.fingerprint.from", file=file, name=cell(given.get("name")), asset=cell(given.get("asset"))))
    return made


def _wanted(text: str) -> Span:
    """A date, hour, minute …, or two moments with a stroke between them (ISO 8601). Raises UsageError."""
    from records.query import Span

    ends = [period(part) for part in text.split("/")]
    if len(ends) > 2 or None in ends:
        raise UsageError("period", text=text)
    first, last = ends[0], ends[-1]
    since, until = (first[0], last[1] if len(ends) == 1 else last[0]) if first and last else (0, 0)
    if since >= until:
        raise UsageError("period", text=text)
    return Span(since, until)


def _last_day(store: Store) -> Span:
    """The 24 hours before the store's newest packet."""
    from records.query import Span

    newest = (store.newest() or 0) + 1
    return Span(newest - DAY, newest)


def _show(screen: Screen, name: str, made: Fingerprint) -> None:
    from detectors.phrases import ACTING

    screen.print(screen.say("cli.fingerprint.heading", name=cell(name), when=_when(screen, made), rows=made.rows))
    for side in ("source", "destination"):
        habits = sorted((habit for habit in made.habits if habit.side == side), key=lambda habit: habit.row["ot.access"] not in ACTING)
        _list(screen, f"cli.fingerprint.{side}", [habit.words(screen.language) for habit in habits])
    moving = [point.words(screen.language) for point in made.points if point.changes]
    _list(screen, "cli.fingerprint.points", moving)
    if constant := len(made.points) - len(moving):
        screen.print(screen.count("cli.fingerprint.constant", constant))
    if made.left_out:
        screen.note(screen.say("cli.fingerprint.left_out", count=made.left_out))


def _list(screen: Screen, heading: str, lines: list[str]) -> None:
    if not lines:
        return
    screen.print(screen.say(heading))
    for line in lines[:SHOWN]:
        screen.print(f"  {line}")
    if len(lines) > SHOWN:
        screen.note(screen.say("cli.fingerprint.more", count=len(lines) - SHOWN))


def _compare(screen: Screen, name: str, before: Fingerprint, now: Fingerprint, changes: list[Difference]) -> None:
    screen.print(screen.say("cli.fingerprint.compared", name=cell(name), now=_when(screen, now), before=_when(screen, before)))
    for seen in (before, now):
        if not seen.rows:
            screen.note(screen.say("cli.fingerprint.nothing", when=_when(screen, seen)))
    if not changes and before.rows and now.rows:
        screen.print(screen.say("cli.fingerprint.same"))
    for change in changes[: 2 * SHOWN]:
        screen.print(f"  {getattr(change.text, screen.language)}")
    if len(changes) > 2 * SHOWN:
        screen.note(screen.say("cli.fingerprint.more", count=len(changes) - 2 * SHOWN))


def _when(screen: Screen, made: Fingerprint) -> str:
    from balefire.times import span

    return span(made.period.since, made.period.until - 1, screen.language)


def _told(asset: dict[str, Any], now: Fingerprint, before: Fingerprint | None, changes: list[Difference]) -> dict[str, Any]:
    from detectors.printed import told as page

    told = {"asset": asset["id"], "name": asset["name"], **page(now)}
    if before:
        told |= {"against": page(before), "differences": [{"kind": each.kind, "text": {"en": each.text.en, "zh": each.text.zh}} for each in changes]}
    return told
