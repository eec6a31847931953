"""Reports for regulators: make one, list them, show one, see when the next are due."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.key import ledger_of, signing, signs
from records.errors import BalefireError, ConflictError, StoreError, UsageError
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from balefire.screen import Screen
    from records.store.contract import Store
    from reports.kept import Kept
    from reports.ledger import Ledger
    from reports.periods import Period
    from reports.redeciding import Redecided

KINDS: Final = ("daily", "weekly", "monthly", "quarterly")
FORMATS: Final = ("html", "pdf", "xlsx", "json")

_formats = click.option("--format", "forms", multiple=True, type=click.Choice(FORMATS), help=say("cli.option.report_format", HELP))
_both = click.option("--both-languages", "both", is_flag=True, help=say("cli.option.report_both", HELP))


@click.group(help=say("cli.help.report", HELP))
def report() -> None:
    """Hold the commands about reports."""


@report.command(help=say("cli.help.report_run", HELP))
@click.argument("kind", metavar="|".join(KINDS), type=click.Choice(KINDS))
@click.option("--until", metavar="T", help=say("cli.option.report_until", HELP))
@click.option("--site", metavar="NAME", help=say("cli.option.report_site", HELP))
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help=say("cli.option.report_output", HELP))
@_formats
@_both
@keeps
@speaks
def run(screen: Screen, kind: str, until: str | None, site: str | None, output: Path | None, forms: tuple[str, ...], both: bool, as_json: bool) -> None:
    """Make the report of a period, keep it, print it."""
    from balefire.reporting import kept, made
    from records.formats import MINUTE
    from reports.kept import write_forms
    from reports.periods import zone_of
    from reports.summary import chosen, known_sites

    zone = zone_of(screen.settings.reports.zone)
    with closing(opened(screen)) as store:
        newest = store.newest()
        if newest is None:
            raise UsageError("report.empty", store=screen.store)
        if site is not None and site not in (sites := known_sites(store)):
            raise UsageError("report.site" if sites else "report.siteless", site=site, sites=", ".join(sites))
        now = max(time.time_ns(), newest) // MINUTE * MINUTE + MINUTE
        period = chosen(store, kind, zone, newest) if until is None else _until(kind, zone, until, now)
        told = made(store, screen.settings, screen.store, period, site)
    wanted, languages = forms or screen.settings.reports.formats, _languages(screen, both)
    missing = None if forms else screen.unable
    files = _put(screen, kept(screen.settings, screen.store), told, output, lambda folder: write_forms(told, folder, wanted, languages, missing))
    if as_json:
        screen.emit({"id": told["id"], "period": kind, "since": told["since"], "until": told["until"], "files": [str(file) for file in files]})
    else:
        _tell(screen, told)
        for file in files:
            screen.print(str(file))


def _until(kind: str, zone: tzinfo, until: str, now: int) -> Period:
    """The period that is meant, as far as now: what is to come is not told as if it were over. Raises UsageError where it has not begun, or was
    over before 1970, from when on packets tell their time.
    """
    from records.nesting import iso
    from reports.periods import ending, moment_of

    period = ending(kind, zone, moment_of(until, zone))
    if period.until <= 0:
        raise UsageError("report.past", until=until)
    if period.since >= now:
        raise UsageError("report.future", until=until, since=iso(period.since)[:16], now=iso(now)[:16])
    return period if period.until <= now else ending(kind, zone, now)


def _put(screen: Screen, reports: Kept, told: dict[str, Any], output: Path | None, put: Callable[[Path], list[Path]]) -> list[Path]:
    """Print a report beside its document, from where `release` signs it, and copy that into another folder where one is given; the files as asked for."""
    from reports.kept import write

    try:
        files = put(reports.folder / str(told["id"]))
    except StoreError as error:  # somebody who may only read what is kept
        if output is None:
            raise
        screen.note(screen.say("cli.report.unkept", problem=error.text(screen.language)))
        return put(output)
    return [write(output, file.name, file.read_bytes()) for file in files] if output else files


def _languages(screen: Screen, both: bool) -> tuple[str, ...]:
    return LANGUAGES if both else (screen.language,)


def _tell(screen: Screen, told: dict[str, Any]) -> None:
    """The first page as lines."""
    from reports.printing import printed

    front = printed(told, screen.language).front
    for line in (f"{front.title} · {front.place} · {front.when}", front.note, front.tag, front.sentence, front.beside):
        if line:
            screen.print(line)
    if front.index:
        screen.print(f"{front.index} {front.index_label}")
        screen.print(front.interval)
    screen.print(screen.say("cli.report.id", id=told["id"]))


@report.command("list", help=say("cli.help.report_list", HELP))
@keeps
@speaks
def listed(screen: Screen, as_json: bool) -> None:
    """Every report that is kept, the newest period first."""
    from balefire.reporting import kept
    from balefire.screen import table
    from records.nesting import iso
    from reports.redeciding import redecided

    with closing(opened(screen)) as store:
        folder = kept(screen.settings, screen.store)
        rows, left = folder.heads(), folder.left_out()
        since = redecided(store, rows)
    if left:
        screen.note(screen.say("cli.report.left_out", count=left))
    for row in rows:
        if problem := row.pop("problem"):
            screen.fail(problem)
    if as_json:
        for row in rows:
            later = since.get(row["id"])
            screen.emit(row | {"redecided": {"alerts": later.alerts, "last": iso(later.last), "by": later.by} if later else None})
    elif not rows:
        screen.note(screen.say("cli.report.none"))
    else:
        from reports.periods import zone_of

        head = [(screen.say(f"cli.report.{name}"), name == "index") for name in ("identity", "since", "until", "site", "index", "written")]
        every = screen.say("cli.report.all_sites")
        lines: list[list[str]] = []
        for row in rows:
            ends, made = [(row[f"{end}_local"] or "–")[:16] for end in ("since", "until")], _made(row, zone_of(screen.settings.reports.zone))
            lines.append([row["id"], *ends, row["site"] or every, _index(row), made])
        screen.print(table(head, lines))
        _tell_redecided(screen, since)


def _tell_redecided(screen: Screen, since: dict[str, Redecided]) -> None:
    """Say which reports tell of alerts that a person decided about since they were made."""
    for identity, each in since.items():
        screen.note(each.said(identity, screen.clock))


def _made(row: dict[str, Any], zone: tzinfo) -> str:
    """When it was made, by the calendar of the reports."""
    return f"{datetime.fromisoformat(row['made']).astimezone(zone):%Y-%m-%dT%H:%M:%S}" if row["made"] else "–"


def _index(row: dict[str, Any]) -> str:
    return "–" if row["index"] is None else f"{row['index']:.1f}"


@report.command(help=say("cli.help.report_show", HELP))
@click.argument("identity", metavar="ID")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help=say("cli.option.report_output", HELP))
@_formats
@_both
@keeps
@speaks
def show(screen: Screen, identity: str, output: Path | None, forms: tuple[str, ...], both: bool, as_json: bool) -> None:
    """Say what a report says first; with --format print it anew, with --json all of it."""
    from balefire.reporting import kept
    from reports.kept import write, write_forms
    from reports.redeciding import redecided

    folder = kept(screen.settings, screen.store)
    told = folder.find(identity)
    files: list[Path] = []
    if forms:
        files = _put(screen, folder, told, output, lambda place: write_forms(told, place, forms, _languages(screen, both)))
    elif output:
        files = [write(output, file.name, file.read_bytes()) for file in folder.files(str(told["id"]))]
    if as_json:
        screen.emit(told)
    else:
        _tell(screen, told)
        for file in files or folder.files(str(told["id"])):
            screen.print(str(file))
    try:
        with closing(opened(screen)) as store:
            _tell_redecided(screen, redecided(store, [told | told["made_from"]]))
    except BalefireError as error:  # the report is there, whatever became of the store
        screen.unable(error)


@report.command(help=say("cli.help.report_release", HELP))
@click.argument("identity", metavar="[ID]", required=False)
@click.option("--asked", is_flag=True, help=say("cli.option.report_asked", HELP))
@click.option("--every", type=click.IntRange(1, 86_400), metavar="SECONDS", help=say("cli.option.report_every", HELP))
@signs
@keeps
@speaks
def release(
    screen: Screen, identity: str | None, asked: bool, every: int | None, folder: Path | None, keys: Path | None, by: str | None, as_json: bool
) -> None:
    """Sign a report and its files into the ledger, or all those whose release was asked for on the dashboard."""
    from balefire.identities import who
    from balefire.reporting import kept
    from balefire.schedule import repeated

    if (identity is None) != asked or (every is not None and not asked):
        raise UsageError("report.which")
    ledger = ledger_of(screen, folder)
    if identity is not None:
        told = kept(screen.settings, screen.store).find(identity)
        with closing(opened(screen)) as store:
            _release(screen, store, ledger, keys, told, lambda: who(screen.settings, by), as_json)
    else:
        repeated(screen, every, lambda: _asked(screen, ledger, keys, by, as_json))


def _asked(screen: Screen, ledger: Ledger, keys: Path | None, by: str | None, as_json: bool) -> None:
    """Print and sign what was asked for, reports, warnings and forms, in the name of who asked; what was changed since is not signed."""
    from balefire.commands import forms, warning
    from balefire.reporting import kept
    from detectors.lifecycle import TransitionError
    from reports.kept import UnknownError, write_forms
    from reports.printing import MissingError
    from reports.requesting import digest, open_requests

    reports, settings = kept(screen.settings, screen.store), screen.settings.reports
    with closing(opened(screen)) as store:
        forms.make_up(store, ledger)
        found = open_requests(store, ledger)
        for each in found:
            try:
                if any(kind.sign_asked(screen, store, ledger, keys, each.report, each.sha256, by or each.by, as_json) for kind in (warning, forms)):
                    continue
                told = reports.find(each.report)
                if digest(told) != each.sha256:
                    raise StoreError("report.asked_other", id=each.report)
                if len(reports.files(each.report)) < 2:  # made on the dashboard: nobody printed it
                    languages = settings.languages or _languages(screen, both=False)
                    write_forms(told, reports.folder / each.report, settings.formats, languages, screen.unable)
                _release(screen, store, ledger, keys, told, lambda name=by or each.by: name, as_json)
            except (StoreError, ConflictError, UnknownError, MissingError, TransitionError) as error:
                screen.fail(error)
    if not found and not as_json:
        screen.note(screen.say("cli.report.none_asked"))


def _release(screen: Screen, store: Store, ledger: Ledger, keys: Path | None, told: dict[str, Any], by: Callable[[], str], as_json: bool) -> None:
    """Sign one, with its forms as they are printed anew; one that is released already stays as it is. What is not signed is said."""
    from tempfile import TemporaryDirectory

    from balefire.reporting import kept
    from records.nesting import iso
    from reports.ledger import digest
    from reports.requesting import record
    from reports.words import nanoseconds

    name, now = str(told["id"]), iso(time.time_ns())
    entry = ledger.released(name)
    reports = kept(screen.settings, screen.store)
    if entry is None:
        key = signing(screen, ledger, keys)
        with TemporaryDirectory() as into:
            entry = ledger.release(key, told, reports.anew(told, Path(into)), by=by(), time=now)
    record(store, entry)
    receipt, place, signed = str(entry.receipt), str(ledger.path(entry.number)), {str(file["name"]): file["sha256"] for file in entry.body["files"]}
    person, when = str(entry.body["by"]), str(entry.body["time"])
    if as_json:
        screen.emit({"id": name, "number": entry.number, "by": person, "time": when, "receipt": receipt, "entry": place, "files": list(signed)})
    else:
        words = "released" if when == now else "was_released"  # by whoever was first, where two do so at once, too
        screen.print(screen.say(f"cli.report.{words}", id=name, entry=place, receipt=receipt, by=person, time=screen.clock.stamp(nanoseconds(when))))
    files = [file for file in reports.files(name) if file.name != f"{name}.json"]  # the document itself is in the entry
    if unsigned := [file.name for file in files if signed.get(file.name) != digest(file)]:
        screen.note(screen.say("cli.report.unsigned", files=", ".join(unsigned)))
    elif not signed:
        screen.note(screen.say("cli.report.bare", id=name))


@report.command(help=say("cli.help.report_schedule", HELP))
@keeps
@speaks
def schedule(screen: Screen, as_json: bool) -> None:
    """When which report was made last and is due next."""
    from balefire.reporting import turns
    from balefire.screen import table
    from records.nesting import iso
    from reports.summary import known_sites

    with closing(opened(screen)) as store:
        found = turns(store, screen.settings, time.time_ns())
        there = known_sites(store)
    for site in sorted(set(screen.settings.reports.sites) - set(there)):
        screen.note(screen.say("cli.report.no_site", site=site, sites=", ".join(there) or "–"))
    if as_json:
        for turn in found:
            made, zone = None if turn.made is None else iso(turn.made), screen.settings.reports.zone
            screen.emit({"period": turn.kind, "site": turn.site, "made_until": made, "due": turn.due is not None, "next": iso(turn.following), "zone": zone})
    elif not found:
        screen.note(screen.say("cli.report.no_schedule"))
    else:
        clock = screen.clock
        head = [(screen.say(f"cli.report.{name}"), False) for name in ("kind", "site", "made", "next")]
        now, every = screen.say("cli.report.now"), screen.say("cli.report.all_sites")
        lines: list[list[str]] = []
        for turn in found:
            made = clock.moment(turn.made) if turn.made else "–"
            lines.append([screen.say(f"report.title.{turn.kind}"), turn.site or every, made, now if turn.due else clock.moment(turn.following)])
        screen.print(table(head, lines))
        screen.note(screen.say("cli.report.schedule_note"))
