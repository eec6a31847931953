"""What rules would have done, and rules as queries of another store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.rulebook import told
from balefire.commands.versions import in_force
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.backtest import Fire, Hour, Lost, Result
    from detectors.rulebook.books import Draft

SCALE: Final = "▁▂▃▄▅▆▇█"
SHOWN: Final = 20  # assets, those with most changes first
STRIP: Final = 48  # cells of an hour strip; a longer time has several hours in a cell


@click.command(help=say("cli.help.backtest", HELP))
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--since", metavar="T", help=say("cli.option.since", HELP))
@click.option("--until", metavar="T", help=say("cli.option.until", HELP))
@keeps
@speaks
def backtest(screen: Screen, path: Path, since: str | None, until: str | None, as_json: bool) -> None:
    """Judge history by new or changed rules, and say what would be other than by those in force."""
    from balefire.times import moments
    from detectors import backtest as testing
    from detectors.rulebook.books import draft

    started = time.perf_counter()
    store = opened(screen)
    try:
        drafted = draft(path, in_force(screen, store))
        for problem in drafted.problems:
            screen.note(told(problem, screen.language))
            screen.worse(1)
        times = testing.period(store, *moments(since, until))
        result = testing.backtest(store, drafted.changes, *times)
        screen.worse(1 if result.lost else 0)
        if as_json:
            screen.emit(_object(result, drafted, time.perf_counter() - started))
        else:
            _tell(screen, result, drafted)
    finally:
        store.close()


def _object(result: Result, drafted: Draft, elapsed: float) -> dict[str, Any]:
    from records.nesting import iso

    return {
        "fires": result.fires,
        "added": [_fire(fire) for fire in result.added],
        "removed": [_fire(fire) for fire in result.removed],
        "lost_confirmed": [_lost(lost) for lost in result.lost],
        "elapsed_s": round(elapsed, 3),
        "since": iso(result.since),
        "until": iso(result.until),
        "rows": result.rows,
        "rules": [change.id for change in drafted.changes],
        "totals": {"added": result.added_total, "removed": result.removed_total},
        "hours": [{"rule": hour.rule, "asset": hour.asset, "hour": iso(hour.hour), "added": hour.added, "removed": hour.removed} for hour in result.hours],
    }


def _fire(fire: Fire) -> dict[str, Any]:
    from records.nesting import iso

    ends = {"source": fire.source, "destination": fire.destination}
    return {"id": fire.id, "rule": fire.rule, "time": iso(fire.time), "asset": fire.asset, **ends, "activity": fire.row}


def _lost(lost: Lost) -> dict[str, Any]:
    kept = ("id", "key", "severity", "title", "first", "last")
    return {name: lost.alert[name] for name in kept} | {"findings": lost.findings}


def _tell(screen: Screen, result: Result, drafted: Draft) -> None:
    """What is lost first, then what changes, by asset."""
    from balefire.times import span

    for lost in result.lost:
        alert = lost.alert
        screen.print(screen.say("cli.backtest.lost", id=alert["id"], title=alert["title"][screen.language], findings=f"{lost.findings:,}"))
    when = span(result.since, result.until, screen.language)
    screen.print(screen.say("cli.backtest.looked", rows=f"{result.rows:,}", when=when, rules=", ".join(change.id for change in drafted.changes) or "–"))
    counts = {"fires": result.fires, "added": result.added_total, "removed": result.removed_total}
    screen.print(screen.say("cli.backtest.sum", **{name: f"{count:,}" for name, count in counts.items()}))
    if result.hours:
        _table(screen, result)
    if result.rows and not result.lost:
        screen.print(screen.say("cli.backtest.none_lost"))
    if max(result.added_total - len(result.added), result.removed_total - len(result.removed)):
        screen.note(screen.say("cli.backtest.listed", count=f"{max(len(result.added), len(result.removed)):,}"))


def _table(screen: Screen, result: Result) -> None:
    from balefire.screen import table

    rows: dict[tuple[str, str | None], list[Hour]] = {}
    for hour in result.hours:
        rows.setdefault((hour.rule, hour.asset), []).append(hour)
    heads = [("cli.column.rule", False), ("cli.column.asset", False), ("cli.column.added", True), ("cli.column.removed", True), ("cli.column.hours", False)]
    ordered = sorted(rows.items(), key=lambda row: (-sum(hour.added + hour.removed for hour in row[1]), row[0][0], row[0][1] or ""))
    shown = [
        (rule, asset or "–", f"{sum(hour.added for hour in hours):,}", f"{sum(hour.removed for hour in hours):,}", _strip(result, hours))
        for (rule, asset), hours in ordered[:SHOWN]
    ]
    screen.print(table([(screen.say(key), numbers) for key, numbers in heads], shown))
    if len(ordered) > SHOWN:
        screen.print(screen.say("cli.backtest.more", count=f"{len(ordered) - SHOWN:,}"))


def _strip(result: Result, hours: list[Hour]) -> str:
    """How much changes in which hours, from the first to the last of them all; no more cells than fit on a line."""
    from detectors.backtest import HOUR

    first, last = min(hour.hour for hour in result.hours), max(hour.hour for hour in result.hours)
    width = -(-((last - first) // HOUR + 1) // STRIP) * HOUR
    cells = [0] * ((last - first) // width + 1)
    for hour in hours:
        cells[(hour.hour - first) // width] += hour.added + hour.removed
    most = max(cells)
    return "".join(SCALE[(count * (len(SCALE) - 1) + most - 1) // most] if count else "·" for count in cells)


@click.command(help=say("cli.help.convert", HELP))
@click.argument("path", type=click.Path(path_type=Path))
@speaks
def convert(screen: Screen, path: Path, as_json: bool) -> None:
    """Print each rule on single rows as an Elasticsearch query, and say which have none and why."""
    from balefire.screen import to_json
    from detectors.rulebook.queries import queries

    found = queries(path)
    for problem in found.problems:
        screen.note(told(problem, screen.language))
    if found.problems or found.refused:
        screen.worse(1)
    refused = [{"rule": one.id, "file": one.file, "reasons": [getattr(reason, screen.language) for reason in one.reasons]} for one in found.refused]
    if as_json:
        converted = [{"rule": one.id, "file": one.file, "table": one.table, "query": one.query} for one in found.converted]
        screen.emit({"rules": len(found.converted) + len(refused), "converted": converted, "refused": refused})
        return
    for one in found.converted:
        screen.print(f"{one.id}: {to_json(one.query)}")
    for row in refused:
        for reason in row["reasons"]:
            screen.note(f"{row['file']}: {reason}")
