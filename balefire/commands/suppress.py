"""Suppressions from the command line: made from an alert, listed with what they hide, revoked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.previewing import meant, previewed, tell
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.suppressing import Preview
    from records.model import Suppression
    from records.store.contract import Store

_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([hdw])", re.IGNORECASE)
_DAYS: Final = {"h": 1 / 24, "d": 1.0, "w": 7.0}


@dataclass(frozen=True, slots=True)
class Asked:
    """What stood on the command line."""

    only: tuple[str, ...]
    wider: tuple[str, ...]
    owner: str
    reason: str
    days: float
    by: str


@click.command(help=say("cli.help.suppress", HELP))
@click.argument("identity", metavar="ID")
@click.option("--only", multiple=True, metavar="FIELD=VALUE[,VALUE…]", help=say("cli.option.only", HELP))
@click.option("--widen", "wider", multiple=True, metavar="FIELD[=VALUE,…]", help=say("cli.option.widen", HELP))
@click.option("--owner", metavar="NAME", help=say("cli.option.owner", HELP))
@click.option("--reason", required=True, metavar="TEXT", help=say("cli.option.reason", HELP))
@click.option("--expires", default="30d", metavar="30d", help=say("cli.option.expires", HELP))
@click.option("--dry-run", is_flag=True, help=say("cli.option.dry_run", HELP))
@click.option("--yes", is_flag=True, help=say("cli.option.yes", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def suppress(screen: Screen, identity: str, as_json: bool, dry_run: bool, yes: bool, expires: str, by: str | None, owner: str | None, **asked: Any) -> None:
    """Show what a suppression made from an alert would have hidden, then save it."""
    from balefire.identities import alert_of, who
    from detectors import suppressing

    person = who(screen.settings, by)
    wanted = Asked(asked["only"], asked["wider"], owner or person, asked["reason"], _days(expires), person)
    store = opened(screen)
    try:
        alert = alert_of(screen, store, identity)
        offered = suppressing.prefilled(store, alert)
        where = suppressing.widened(suppressing.narrowed(offered, wanted.only), wanted.wider)
        left_out = [name for name in offered.varied if name not in where]
        draft = suppressing.drafted(store, alert, where, wanted.owner, wanted.reason, wanted.days)
        seen = suppressing.preview(store, draft)
        if not as_json:
            _tell(screen, store, draft, seen, left_out)
        saved = None if dry_run or not meant(screen, seen, yes, "suppress") else suppressing.save(store, draft, wanted.by)
        if as_json:
            told = {"saved": saved is not None, "suppression": _row(saved or draft, saved is not None), "preview": previewed(seen)}
            screen.emit(told | {"left_out": left_out})
        else:
            screen.print(screen.say("cli.suppress.saved", id=saved.id) if saved else screen.say("cli.suppress.not_saved"))
    finally:
        store.close()


def _days(text: str) -> float:
    found = _LENGTH.fullmatch(text.strip())
    if not found:
        raise UsageError("expires", text=text)
    return float(found[1]) * _DAYS[found[2].lower()]


def _row(suppression: Suppression, saved: bool) -> dict[str, Any]:
    from records.nesting import nest
    from records.schema import TABLES
    from records.store.rows import suppression_row

    row = suppression_row(suppression) | ({} if saved else {"id": None})
    return nest({name: row[name] for name in TABLES["suppression"].names})


def _tell(screen: Screen, store: Store, draft: Suppression, seen: Preview, left_out: list[str]) -> None:
    """Conditions, narrowest first, then what they would have hidden."""
    from rich.text import Text

    from balefire.rows import conditions_of
    from balefire.summary import grid, indented, section
    from balefire.times import span
    from detectors.suppressing import MOST_VALUES

    conditions = grid(2, whole=(0,))
    for name, text in conditions_of(draft.where, screen.language):
        conditions.add_row(name, text)
    screen.print(section(screen.say("cli.suppress.hides"), span(draft.since, draft.until, screen.language) + " UTC"))
    screen.print(indented(conditions))
    if left_out:
        screen.print(indented(Text(screen.say("cli.suppress.varied", most=MOST_VALUES, fields=", ".join(left_out)), "dim")))
    tell(screen, store, seen, "suppress")


@click.command(help=say("cli.help.suppressions", HELP))
@keeps
@speaks
def suppressions(screen: Screen, as_json: bool) -> None:
    """List suppressions, each with whether it is in force and what it hides."""
    from rich.text import Text

    from balefire.rows import conditions_of
    from balefire.screen import table
    from balefire.times import shown
    from detectors.suppressing import hidden
    from detectors.suppressions import standing

    store = opened(screen)
    try:
        newest = store.newest() or 0
        counts = hidden(store)
        rows: list[list[object]] = []
        for each in sorted(store.suppressions()[1], key=lambda each: (each.since, each.id)):
            total, day = counts.get(each.id, (0, 0))
            word = standing(each, newest)
            if as_json:
                screen.emit(_row(each, saved=True) | {"standing": word, "hidden": {"total": total, "last_day": day}})
                continue
            conditions = Text("\n".join(f"{name}: {text}" for name, text in conditions_of(each.where, screen.language)))
            ends = shown(each.until, screen.language)
            rows.append([each.id[:12], screen.say(f"standing.{word}"), ends, each.owner, each.reason, conditions, f"{total:,}", f"{day:,}"])
    finally:
        store.close()
    if as_json:
        return
    if not rows:
        screen.note(screen.say("cli.nothing"))
        return
    names = (("id", False), ("standing", False), ("ends", False), ("owner", False), ("reason", False), ("hides", False), ("hidden", True), ("last_day", True))
    screen.print(table([(screen.say(f"cli.column.{name}"), numbers) for name, numbers in names], rows))


@click.command(help=say("cli.help.revoke", HELP))
@click.argument("identity", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help=say("cli.option.note", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def revoke(screen: Screen, identity: str, note: str, by: str | None, as_json: bool) -> None:
    """End a suppression now."""
    from balefire.identities import one, who
    from detectors import suppressing

    store = opened(screen)
    try:
        _table, name = one(store, identity, ("suppression",))
        suppressing.revoke(store, _stored(store, name), who(screen.settings, by), note)
        if as_json:
            screen.emit(_row(_stored(store, name), saved=True))
        else:
            screen.print(screen.say("cli.suppress.revoked", id=name))
    finally:
        store.close()


def _stored(store: Store, identity: str) -> Suppression:
    return next(each for each in store.suppressions()[1] if each.id == identity)
