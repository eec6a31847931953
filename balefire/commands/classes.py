"""Classes of industrial data: check a file of rules, see what rules give to assets, objects and files, and what left its zone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.rulebook import told
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from balefire.screen import Screen
    from detectors.policy.classes import Classes
    from detectors.rulebook.problems import Problem
    from records.query import Span
    from records.store.contract import Store
    from reports.asking import Source
    from reports.blocks import Section
    from reports.classing import InForce

FILE: Final = click.Path(path_type=Path)
SHOWN: Final = 60  # lines on a screen; --json has all


@click.group(help=say("cli.help.classes", HELP))
def classes() -> None:
    """Hold the commands about classes of data."""


def _asks(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that tell which rules, which site and which time are meant."""
    for option in (
        click.option("--file", type=FILE, help=say("cli.option.classes_file", HELP)),
        click.option("--site", metavar="NAME", help=say("cli.option.classes_site", HELP)),
        click.option("--until", metavar="T", help=say("cli.option.until", HELP)),
        click.option("--since", metavar="T", help=say("cli.option.since", HELP)),
    ):
        function = option(function)
    return function


@classes.command(help=say("cli.help.classes_check", HELP))
@click.argument("file", type=FILE)
@speaks
def check(screen: Screen, file: Path, as_json: bool) -> None:
    """Say what is wrong with a file of data classes, where, and what to do."""
    found, problems = _read(file)
    if problems:
        screen.worse(1)
    count = len(found.rules) if found else 0
    if as_json:
        screen.emit({"rules": count, "problems": [problem.row(screen.language) for problem in problems]})
        return
    for problem in problems:
        screen.print(told(problem, screen.language))
    screen.print(screen.say("cli.classes.check", rules=count, problems=len(problems)))


@classes.command(help=say("cli.help.classes_flows", HELP))
@_asks
@keeps
@speaks
def flows(screen: Screen, since: str | None, until: str | None, site: str | None, file: Path | None, as_json: bool) -> None:
    """Print the chapter of a report about data that left its zone; as JSON, all that it is made from."""
    from reports import classing, exposing, seeing, zones
    from reports.details import data as chapter
    from reports.periods import zone_of
    from reports.words import Words

    with closing(opened(screen)) as store:
        source, span, rules = _meant(store, since, until, site, file)
        known = exposing.by_any_name(exposing.assets(source, span))
        found = classing.told(source, span, classing.asked(source, span, rules.rules), known, rules)
        grade, titles = seeing.share(source, span)[0], zones.titles(store)
    if as_json:
        screen.emit(found | {"grade": grade})
        return
    _print(screen, chapter({"data": found, "coverage": {"grade": grade}, "zones": titles}, Words(screen.language, zone_of(screen.settings.reports.zone))))


@classes.command("list", help=say("cli.help.classes_list", HELP))
@click.argument("kind", type=click.Choice(("assets", "objects", "files")))
@_asks
@keeps
@speaks
def listed(screen: Screen, kind: str, since: str | None, until: str | None, site: str | None, file: Path | None, as_json: bool) -> None:
    """Print the catalogue of one kind."""
    from balefire.screen import table
    from reports import exposing
    from reports.cataloguing import catalogue
    from reports.classing import MOST
    from reports.periods import zone_of
    from reports.words import Words

    with closing(opened(screen)) as store:
        source, span, rules = _meant(store, since, until, site, file)
        found = catalogue(source, span, rules.rules, exposing.by_any_name(exposing.assets(source, span)), kind)
    if not found.complete:
        screen.note(screen.say("cli.classes.cut", most=f"{MOST:,}"))
    if as_json:
        for row in found.entries:
            screen.emit(row)
    elif not found.entries:
        screen.note(screen.say("cli.classes.none"))
    else:
        words = Words(screen.language, zone_of("UTC"))
        sited = ("site",) if len({row["site"] for row in found.entries}) > 1 else ()  # plants that are built alike call their devices alike
        names = ("data_class", "device", *sited, "zone", *(("data_object",) if kind != "assets" else ()), "data_rule", "operations", "leaving")
        columns = [(screen.say(f"cli.column.{name}"), name in {"operations", "leaving"}) for name in names]
        lines = [
            [words.data_class(row), row["device"], *(row[name] or "–" for name in sited), row["zone"] or "–",
             *([_object(row)] if kind != "assets" else []), words.text(row["rule"]),
             f"{row['operations']:,}", f"{row['leaving']:,}"]
            for row in found.entries[:SHOWN]
        ]  # fmt: skip
        screen.print(table(columns, lines))
        if len(found.entries) > SHOWN:
            screen.note(screen.say("cli.classes.count", shown=SHOWN, total=f"{len(found.entries):,}"))


def _object(row: dict[str, Any]) -> str:
    """The object or file, and the station inside the device where it has one."""
    from balefire.rows import thing

    unit = "" if row["ot.unit"] is None else f" · {row['ot.unit']}"
    return f"{thing(row) or row['network.protocol']}{unit}"


def _print(screen: Screen, section: Section) -> None:
    from balefire.screen import table

    for text in section.texts:
        screen.print(text)
    for each in section.tables:
        screen.print("")
        screen.print(" – ".join(filter(None, (each.title, each.note))))
        if each.rows:
            numbers = [cell.kind == "number" for cell in each.rows[0]]
            screen.print(table(zip(each.head, numbers, strict=True), [[cell.text for cell in row] for row in each.rows]))
        else:
            screen.print(each.empty)


def _meant(store: Store, since: str | None, until: str | None, site: str | None, file: Path | None) -> tuple[Source, Span, InForce]:
    """What is asked, of which time (all, where nobody says), by which rules. Raises UsageError."""
    from records.asking import moments
    from records.query import Span
    from reports.asking import Source
    from reports.classing import in_force, of_texts
    from reports.summary import known_sites

    if site is not None and site not in (sites := known_sites(store)):
        raise UsageError("report.site" if sites else "report.siteless", site=site, sites=", ".join(sites))
    first, last = moments(since, until)
    span = Span(first or 0, (store.newest() or 0) + 1 if last is None else last)
    if file is None:
        return Source(store, site), span, in_force(store)
    if problems := _read(file)[1]:
        raise UsageError("classes.faulty", file=file, count=len(problems))
    return Source(store, site), span, of_texts([(str(file), file.read_text("utf-8"))])


def _read(file: Path) -> tuple[Classes | None, list[Problem]]:
    """The rules of a file and what is wrong. Raises UsageError for one that does not exist, or is about something else."""
    from detectors.policy.classes import is_classes, read_classes
    from detectors.rulebook.document import read_file
    from detectors.rulebook.problems import problem

    if not file.is_file():
        raise UsageError("classes.folder" if file.is_dir() else "classes.missing", file=file)
    document = read_file(file)
    nothing = any(fault.check == "not-a-rule" for _, fault in document.faults)  # empty, or no mapping
    if nothing or (document.data and not is_classes(document.data)):
        raise UsageError("classes.none", file=file)
    found, faults = read_classes(document) if document.data else (None, [])
    return found, [problem(str(file), line, "", fault) for line, fault in sorted((*document.faults, *faults), key=lambda one: one[0])]
