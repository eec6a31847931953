"""Stores themselves: make one, say what it holds and how it is, bring it up to date, rid it of what is old, copy it into another."""

from __future__ import annotations

import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import StoreError, UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from balefire.screen import Screen
    from records.store.contract import Store
    from records.store.examining import Check

PERIODS: Final = ("day", "week", "month")
DAY: Final = 86_400 * 10**9


@click.group("store", help=say("cli.help.store", HELP))
def store() -> None:
    """Stores."""


@store.command(help=say("cli.help.store_init", HELP))
@click.option("--period", type=click.Choice(PERIODS), help=say("cli.option.period", HELP))
@keeps
@speaks
def init(screen: Screen, period: str | None, as_json: bool) -> None:
    """Make a store where there is none yet."""
    with closing(_made(screen.store, period)) as made:
        _status(screen, made, as_json)


def _made(where: str, period: str | None) -> Store:
    """The store there, made if there is none. Raises UsageError for one that is kept by another period than this."""
    from records.store import open_store
    from records.store.examining import period_of

    if "://" not in where and period not in {None, "day"}:  # nothing is made where that is plain before
        raise UsageError("store.period", where=where, asked=period, found="day")
    made = open_store(where, write=True, period=period or "day")
    if period not in {None, found := period_of(made, where)}:
        made.close()
        raise UsageError("store.period", where=where, asked=period, found=found)
    return made


@store.command(help=say("cli.help.store_status", HELP))
@keeps
@speaks
def status(screen: Screen, as_json: bool) -> None:
    """What a store holds."""
    from records.store.examining import checks_left, facts_left

    try:
        with closing(opened(screen)) as found:
            _status(screen, found, as_json)
    except StoreError:
        if "://" in screen.store:  # what waits for it is here all the same
            if as_json:
                screen.emit(facts_left(screen.store) | {"housekeeping": None})
            else:
                _tell_checks(screen, _advised(screen, checks_left(screen.store)))
        raise


def _status(screen: Screen, found: Store, as_json: bool) -> None:
    from balefire.schedule import told as kept
    from records.nesting import iso
    from records.store.examining import facts

    told: dict[str, Any] = facts(found, screen.store) | {"housekeeping": kept(found)}
    told["newest"] = None if told["newest"] is None else iso(told["newest"])
    if as_json:
        screen.emit(told)
        return
    from balefire.screen import table

    screen.print(screen.say(f"cli.store.{told['kind']}", store=told["store"], version=told["version"], period=screen.say(f"cli.store.{told['period']}")))
    screen.print(screen.say("cli.store.holds", newest=(told["newest"] or "–")[:19].replace("T", " "), mib=f"{told['bytes'] / 2**20:,.1f}"))
    for name, last in told["housekeeping"].items():
        when = screen.say("cli.housekeeping.last", moment=last[:16].replace("T", " ")) if last else screen.say("cli.housekeeping.never")
        screen.print(f"{screen.say(f'cli.housekeeping.jobs.{name}')}: {when}")
    columns = [(screen.say("cli.store.table"), False), (screen.say("cli.store.rows"), True)]
    screen.print(table(columns, [(screen.say(f"cli.store.tables.{name}"), f"{rows:,}") for name, rows in told["rows"].items()]))
    if told["spool"]["segments"]:
        screen.note(screen.say("cli.store.waiting", count=told["spool"]["segments"], mib=f"{told['spool']['bytes'] / 2**20:,.1f}"))
    if told["dead_letters"] or told["spool"]["corrupt"]:
        screen.note(screen.say("cli.store.look", store=screen.store))


@store.command(help=say("cli.help.store_doctor", HELP))
@keeps
@speaks
def doctor(screen: Screen, as_json: bool) -> None:
    """How a store is, and what to do where it is not well."""
    from balefire.schedule import check as kept
    from records.store.examining import checks, checks_left

    away: StoreError | None = None
    try:
        with closing(opened(screen)) as found:
            told = _advised(screen, (*checks(found, screen.store), kept(screen, found)))
    except StoreError as error:
        if "://" not in screen.store:
            raise
        away, told = error, _advised(screen, checks_left(screen.store))
    if not all(check.well for check, _ in told):
        screen.worse(1)
    if as_json:
        screen.emit({"store": screen.store, "checks": [{"check": check.name, "well": check.well, "advice": advice} for check, advice in told]})
    else:
        _tell_checks(screen, told)
    if away:
        raise away


def _advised(screen: Screen, seen: Iterable[Check]) -> list[tuple[Check, str | None]]:
    """Each with what to do where it is not well."""
    return [(check, None if check.well else screen.say(f"cli.doctor.{check.name}", **check.values)) for check in seen]


def _tell_checks(screen: Screen, told: Iterable[tuple[Check, str | None]]) -> None:
    for check, advice in told:
        screen.print(f"{'✓' if check.well else '✗'} {screen.say(f'cli.doctor.checks.{check.name}')}" + (f": {advice}" if advice else ""))


@store.command(help=say("cli.help.store_migrate", HELP))
@keeps
@speaks
def migrate(screen: Screen, as_json: bool) -> None:
    """Bring a store up to the schema of this version; also what opening it to write does."""
    from records.schema import SCHEMA_VERSION
    from records.store import open_store

    opened(screen).close()  # one that is not there is not made
    with closing(open_store(screen.store, write=True)) as found:
        if "://" in screen.store:
            from records.store.elastic import ElasticStore  # the client is slow to import, and a directory needs none

            if isinstance(found, ElasticStore):
                found.mend()
    if as_json:
        screen.emit({"store": screen.store, "schema": SCHEMA_VERSION})
    else:
        screen.print(screen.say("cli.store.migrated", store=screen.store, schema=SCHEMA_VERSION))


@store.command(help=say("cli.help.store_retire", HELP))
@click.option("--days", type=click.IntRange(1, 36500), metavar="N", help=say("cli.option.retain", HELP))
@click.option("--dry-run", is_flag=True, help=say("cli.option.retire_dry_run", HELP))
@click.option("--yes", is_flag=True, help=say("cli.option.retire_yes", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def retire(screen: Screen, days: int | None, dry_run: bool, yes: bool, by: str | None, as_json: bool) -> None:
    """Show what is past its retention, then delete it."""
    from balefire.identities import who
    from records.nesting import iso
    from records.query import Query
    from records.search import Match, Not

    days = days or screen.settings.retention.days
    before, person = time.time_ns() - days * DAY, who(screen.settings, by)
    found = opened(screen)
    try:
        old, unclosed = found.expired(before), found.count("alert", Query(until=before, where=Not(Match("status", "closed"))))
    finally:
        found.close()
    if not as_json:
        _tell_old(screen, old, days)
        if unclosed:
            screen.note(screen.say("cli.store.unclosed", count=f"{unclosed:,}"))
    gone = _retired(screen, before, person) if old and not dry_run and _meant(yes, screen.say("cli.store.retire_ask")) else None
    if as_json:
        screen.emit({"store": screen.store, "days": days, "before": iso(before), "expired": old, "unclosed": unclosed, "retired": gone})
    elif gone is not None:
        screen.print(screen.say("cli.store.retired", rows=f"{sum(gone.values()):,}"))
    elif old:
        screen.print(screen.say("cli.store.not_retired"))


def _tell_old(screen: Screen, old: dict[str, int], days: int) -> None:
    from balefire.screen import table

    if not old:
        screen.print(screen.say("cli.store.nothing_expired", days=days))
        return
    screen.print(screen.say("cli.store.expired", days=days))
    columns = [(screen.say("cli.store.table"), False), (screen.say("cli.store.rows"), True)]
    screen.print(table(columns, [(screen.say(f"cli.store.tables.{name}"), f"{rows:,}") for name, rows in old.items()]))


def _retired(screen: Screen, before: int, person: str) -> dict[str, int]:
    from records.store import open_store

    writing = open_store(screen.store, write=True)
    try:
        return writing.retire(before, person)
    finally:
        writing.close()


def _meant(yes: bool, question: str) -> bool:
    """Asked where somebody sits there; a script that runs it means it."""
    return yes or not (sys.stdin.isatty() and sys.stdout.isatty()) or click.confirm(question, err=True)


@store.command(help=say("cli.help.store_copy", HELP))
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--period", type=click.Choice(PERIODS), help=say("cli.option.period", HELP))
@speaks
def copy(screen: Screen, source: str, target: str, period: str | None, as_json: bool) -> None:
    """Everything of one store is in the other, too."""
    from records.store import copying

    started, screen.store = time.monotonic(), source
    found = opened(screen)
    try:
        made = _made(target, period)
        try:
            with _bar(screen, copying.total(found)) as progress:
                done = copying.copy(found, made, progress)
        finally:
            made.close()
    finally:
        found.close()
    if done.conflicts:
        screen.note(screen.say("cli.store.conflicts", count=len(done.conflicts), first=done.conflicts[0]))
        screen.worse(3)
    elapsed = round(time.monotonic() - started, 3)
    told: dict[str, Any] = {"from": source, "to": target, "rows": done.rows, "new": done.new, "known": done.known, "conflicts": done.conflicts}
    if as_json:
        screen.emit(told | {"elapsed_s": elapsed})
    else:
        screen.print(screen.say("cli.store.copied", rows=f"{sum(done.rows.values()):,}", source=source, target=target, seconds=f"{elapsed:.1f}"))


@contextmanager
def _bar(screen: Screen, total: int) -> Generator[Callable[[int], None]]:
    """A progress bar on stderr, where somebody is watching."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen.err, disable=not screen.err.is_terminal) as progress:
        task = progress.add_task(screen.say("cli.store.copying"), total=total)
        yield lambda rows: progress.advance(task, rows)
