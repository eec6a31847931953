"""What rules would have done, and rules as queries of another store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.rulebook import something, told
from balefire.commands.versions import in_force
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from balefire.screen import Screen
    from detectors.backtest import Fire, Hidden, Hour, Result
    from detectors.confirmed import Lost
    from records.model import Value
    from records.store.contract import Store

SCALE: Final = "▁▂▃▄▅▆▇█"
NAMED: Final = 12  # rules
SHOWN: Final = 20  # assets, those with most changes first
STRIP: Final = 48  # cells of an hour strip; a longer time has several hours in a cell


@click.command(help=say("cli.help.backtest", HELP))
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--suppression", "identity", metavar="ID", help=say("cli.option.suppression", HELP))
@click.option("--only", multiple=True, metavar="FIELD=VALUE[,VALUE…]", help=say("cli.option.only", HELP))
@click.option("--widen", "wider", multiple=True, metavar="FIELD[=VALUE,…]", help=say("cli.option.widen", HELP))
@click.option("--since", metavar="T", help=say("cli.option.since", HELP))
@click.option("--until", metavar="T", help=say("cli.option.until", HELP))
@keeps
@speaks
def backtest(screen: Screen, path: Path | None, identity: str | None, since: str | None, until: str | None, as_json: bool, **asked: tuple[str, ...]) -> None:
    """Judge history by new or changed rules, or look at it through a suppression, and say what would be other than it is."""
    from detectors.backtest import period
    from records.asking import moments

    if (path is None) == (identity is None) or (any(asked.values()) and identity is None):
        raise UsageError("backtest_what")
    started = time.perf_counter()
    store = opened(screen)
    try:
        times = period(store, *moments(since, until))
        result, rules = _tried(screen, store, path, times) if path else _hidden(screen, store, identity or "", asked, times)
        screen.worse(1 if result.lost else 0)
        if as_json:
            screen.emit(_object(result, rules, time.perf_counter() - started))
        else:
            _tell(screen, store, result, rules)
    finally:
        store.close()


def _tried(screen: Screen, store: Store, path: Path, times: tuple[int, int]) -> tuple[Result, list[str]]:
    """What a file or directory would change, whatever it states."""
    from detectors.stating import stated, states_suppression

    if not states_suppression(path):
        return _judged(screen, store, path, times)
    where, problems = stated(path)
    for problem in problems:
        screen.note(told(problem, screen.language))
        screen.worse(1)
    return _suppressed(screen, store, where or {}, times)


def _judged(screen: Screen, store: Store, path: Path, times: tuple[int, int]) -> tuple[Result, list[str]]:
    """What the rules of a file or directory would change, and their ids; what keeps any from loading is said."""
    from detectors.backtest import backtest
    from detectors.rulebook.books import draft

    drafted = draft(path, in_force(screen, store))
    for problem in drafted.problems:
        screen.note(told(problem, screen.language))
        screen.worse(1)
    for file in drafted.untried or ([] if drafted.changes or drafted.problems else [path]):
        screen.note(screen.say("cli.untried.unchanged" if drafted.untried else "cli.untried.nothing", file=file))
        screen.worse(1)
    for rule, why in drafted.disabled.items():
        screen.note(screen.say(f"cli.disable.{'tried' if drafted.enables(rule) else 'untried'}", rule=rule, reason=why))
    return backtest(store, drafted.changes, *times), [change.id for change in drafted.changes]


def _hidden(screen: Screen, store: Store, identity: str, asked: Mapping[str, tuple[str, ...]], times: tuple[int, int]) -> tuple[Result, list[str]]:
    """What a suppression, stored or made from an alert, would have hidden, and of which rules."""
    from balefire.identities import one
    from detectors import suppressing

    table, name = one(store, identity, ("alert", "suppression"))
    stored = {each.id: each.where for each in store.suppressions()[1]}
    offered = suppressing.Prefilled(stored[name], {}) if table == "suppression" else suppressing.prefilled(store, name)
    return _suppressed(screen, store, suppressing.widened(suppressing.narrowed(offered, asked["only"]), asked["wider"]), times)


def _suppressed(screen: Screen, store: Store, where: Mapping[str, tuple[Value, ...]], times: tuple[int, int]) -> tuple[Result, list[str]]:
    """What a suppression with these conditions would have hidden, and of which rules."""
    from detectors.backtest import Result
    from detectors.hiding import backtest
    from detectors.suppressions import ANCHORS, everything
    from records.model import Suppression

    if not where:
        return Result(*times, hidden=[]), []
    if whole := everything(where):
        screen.note(screen.say("cli.suppress.everything", rule=", ".join(whole)))
    for rule, known in _strangers(screen, store, where.get("rule", ())):
        screen.note(screen.say("cli.backtest.suppression.stranger", rule=rule, nearest=known))
        screen.worse(1)
    rules = [str(value) for anchor in ANCHORS for value in where.get(anchor, ()) if value]
    return backtest(store, Suppression("", "", "", *times, where), *times), rules


def _strangers(screen: Screen, store: Store, named: Sequence[Value]) -> Iterator[tuple[str, str]]:
    """What is called a rule, is none of those in force and never found anything; and those that look like it."""
    from detectors.rulebook.books import rule_ids
    from detectors.rulebook.problems import nearest
    from records.query import Query
    from records.search import Match

    for rule in (str(value) for value in named if value):
        if not store.count("finding", Query(where=Match("rule", rule))) and rule not in (known := rule_ids(in_force(screen, store))):
            yield rule, nearest(rule, known)


def _object(result: Result, rules: list[str], elapsed: float) -> dict[str, Any]:
    from records.nesting import iso

    return {
        "fires": result.fires,
        "added": [_fire(fire) for fire in result.added],
        "removed": [_fire(fire) for fire in result.removed],
        "lost_confirmed": [_lost(lost) for lost in result.lost],
        "alerts": None if result.hidden is None else [_alert(hidden) for hidden in result.hidden],
        "elapsed_s": round(elapsed, 3),
        "since": iso(result.since),
        "until": iso(result.until),
        "rows": result.rows,
        "rules": rules,
        "totals": {"added": result.added_total, "removed": result.removed_total},
        "thinned_confirmed": [_lost(lost) | {"gone": lost.gone, "left": lost.left} for lost in result.thinned],
        "moved": result.moved,
        "rekeyed": result.rekeyed,
        "hours": [{"rule": hour.rule, "asset": hour.asset, "hour": iso(hour.hour), "added": hour.added, "removed": hour.removed} for hour in result.hours],
    }


def _fire(fire: Fire) -> dict[str, Any]:
    from records.nesting import iso

    ends = {"source": fire.source, "destination": fire.destination}
    return {"id": fire.id, "rule": fire.rule, "time": iso(fire.time), "asset": fire.asset, **ends, "activity": fire.row}


def _lost(lost: Lost) -> dict[str, Any]:
    kept = ("id", "key", "severity", "title", "first", "last")
    return {name: lost.alert[name] for name in kept} | {"findings": lost.findings}


def _alert(hidden: Hidden) -> dict[str, Any]:
    kept = ("id", "key", "severity", "title", "status", "verdict", "first", "last")
    return {name: hidden.alert[name] for name in kept} | {"hidden": hidden.hidden, "findings": hidden.findings}


def _tell(screen: Screen, store: Store, result: Result, rules: list[str]) -> None:
    """What is lost first, then what changes, by asset."""
    from balefire.times import span

    what = "rules" if result.hidden is None else "suppression"
    if not rules:
        screen.print(screen.say("cli.backtest.untried" if result.hidden is None else "cli.backtest.suppression.untried"))
        return
    for lost in result.lost:
        alert = lost.alert
        screen.print(screen.say(f"cli.backtest.{what}.lost", id=alert["id"], title=alert["title"][screen.language], findings=f"{lost.findings:,}"))
    if result.hidden is None:
        _thinned(screen, result)
    when = span(result.since, result.until, screen.language)
    screen.print(screen.say(f"cli.backtest.{what}.looked", rows=f"{result.rows:,}", when=when, rules=_named(screen, rules)))
    counts = {"fires": result.fires, "added": result.added_total, "removed": result.removed_total}
    screen.print(screen.say(f"cli.backtest.{what}.sum", **{name: f"{count:,}" for name, count in counts.items()}))
    for name, count in (("moved", result.moved), ("rekeyed", result.rekeyed)):
        if count:
            screen.print(screen.say(f"cli.backtest.{name}", count=f"{count:,}"))
    if result.hidden:
        _alerts(screen, result.hidden)
    if result.hours:
        _table(screen, store, result)
    if result.rows and not result.lost:
        screen.print(screen.say("cli.backtest.none_lost"))
    if max(result.added_total - len(result.added), result.removed_total - len(result.removed)):
        screen.note(screen.say("cli.backtest.listed", count=f"{max(len(result.added), len(result.removed)):,}"))


def _named(screen: Screen, rules: list[str]) -> str:
    """The rules that were tried; of very many, as a policy gives, the first."""
    more = [screen.say("cli.summary.more", count=f"{len(rules) - NAMED:,}")] if len(rules) > NAMED else []
    return ", ".join((*rules[:NAMED], *more)) or "–"


def _thinned(screen: Screen, result: Result) -> None:
    """The confirmed alerts that would be there with other findings than they have."""
    for lost in result.thinned[:SHOWN]:
        counts = {"gone": f"{lost.gone:,}", "findings": f"{lost.findings:,}", "left": f"{lost.left:,}"}
        screen.print(screen.say("cli.backtest.thinned", id=lost.alert["id"], title=lost.alert["title"][screen.language], **counts))
    if len(result.thinned) > SHOWN:
        screen.print(screen.say("cli.backtest.thinned_more", count=f"{len(result.thinned) - SHOWN:,}"))


def _alerts(screen: Screen, hidden: list[Hidden]) -> None:
    """The alerts of which anything would be hidden, those that were found true first."""
    from records.model import severity_word

    screen.print(screen.say("cli.backtest.suppression.alerts", count=f"{len(hidden):,}"))
    for each in hidden[:SHOWN]:
        alert = each.alert
        words = {"severity": screen.say(f"severity.{severity_word(alert['severity'])}"), "title": alert["title"][screen.language]}
        words["verdict"] = screen.say(f"verdict.{alert['verdict']}") if alert["verdict"] else screen.say(f"status.{alert['status']}")
        counts = {"hidden": f"{each.hidden:,}", "findings": f"{each.findings:,}"}
        screen.print(screen.say("cli.backtest.suppression.alert", id=alert["id"], **words, **counts))
    if len(hidden) > SHOWN:
        screen.print(screen.say("cli.backtest.suppression.more", count=f"{len(hidden) - SHOWN:,}"))


def _table(screen: Screen, store: Store, result: Result) -> None:
    from balefire.identities import asset_name
    from balefire.screen import table

    rows: dict[tuple[str, str | None], list[Hour]] = {}
    for hour in result.hours:
        rows.setdefault((hour.rule, hour.asset), []).append(hour)
    heads = [("cli.column.rule", False), ("cli.column.asset", False), ("cli.column.added", True), ("cli.column.removed", True), ("cli.column.hours", False)]
    ordered = sorted(rows.items(), key=lambda row: (-sum(hour.added + hour.removed for hour in row[1]), row[0][0], row[0][1] or ""))
    shown = [
        (
            rule,
            asset_name(store, asset) if asset else "–",
            f"{sum(hour.added for hour in hours):,}",
            f"{sum(hour.removed for hour in hours):,}",
            _strip(result, hours),
        )
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
    something(screen, path, len(found.problems) + len(found.refused) + len(found.converted))
    refused = [{"rule": one.id, "file": one.file, "reasons": [getattr(reason, screen.language) for reason in one.reasons]} for one in found.refused]
    if as_json:
        converted = [{"rule": one.id, "file": one.file, "table": one.table, "query": one.query} for one in found.converted]
        problems = [problem.row(screen.language) for problem in found.problems]
        screen.emit({"rules": len(found.converted) + len(refused), "converted": converted, "refused": refused, "problems": problems})
        return
    for one in found.converted:
        screen.print(f"{one.id}: {to_json(one.query)}")
    for row in refused:
        for reason in row["reasons"]:
            screen.note(f"{row['file']}: {row['rule']}: {reason}")
