"""Rules: lint, test and mutate what a person wrote."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balefire.command import HELP, speaks
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balefire.screen import Screen
    from detectors.rulebook.problems import Problem


@click.group("rules", help=say("cli.help.rules", HELP))
def rulebook() -> None:
    """Hold the commands about rules."""


@rulebook.command(help=say("cli.help.lint", HELP))
@click.argument("path", type=click.Path(path_type=Path))
@speaks
def lint(screen: Screen, path: Path, as_json: bool) -> None:
    """Say what is wrong with rules, where, and what to do."""
    from detectors.lint import lint as check

    report = check(path)
    if report.problems:
        screen.worse(1)
    something(screen, path, report.rules, report.beside)
    if as_json:
        screen.emit({"rules": report.rules, "problems": [problem.row(screen.language) for problem in report.problems]})
        return
    for problem in report.problems:
        screen.print(told(problem, screen.language))
    screen.print(screen.say("cli.rules.lint", rules=report.rules, problems=len(report.problems)))


@rulebook.command(help=say("cli.help.test", HELP))
@click.argument("path", type=click.Path(path_type=Path))
@speaks
def test(screen: Screen, path: Path, as_json: bool) -> None:
    """Run the cases that rules carry. A rule that cannot be loaded has failed, whatever its cases would have given."""
    from detectors.lint import lint as check
    from detectors.lint import test as run

    report = run(path)
    something(screen, path, report.rules, report.beside)
    unloaded = [problem for problem in check(path).problems if problem.blocks]
    if report.failed or unloaded:
        screen.worse(1)
    for problem in unloaded:
        screen.note(told(problem, screen.language))
    if as_json:
        screen.emit({"rules": report.rules, "cases": report.cases, "failed": [asdict(failure) for failure in report.failed]})
        return
    for failure in report.failed:
        screen.print(screen.say("cli.rules.failed", **asdict(failure)))
    screen.print(screen.say("cli.rules.test", rules=report.rules, cases=report.cases, failed=len(report.failed)))


@rulebook.command(help=say("cli.help.mutate", HELP))
@click.argument("path", type=click.Path(path_type=Path))
@speaks
def mutate(screen: Screen, path: Path, as_json: bool) -> None:
    """Change each rule in every small way and say which changes its cases do not notice. A rule that cannot be loaded has failed."""
    from detectors.mutation import mutate as run

    report = run(path)
    if report.unexplained or report.problems:
        screen.worse(1)
    for problem in report.problems:
        screen.note(told(problem, screen.language))
    for file in report.untried:
        screen.note(screen.say("cli.untried.policy", file=file))
    something(screen, path, report.mutants + len(report.problems) + len(report.untried))
    if not report.mutants:
        screen.worse(1)
    survived = [{**asdict(one), "reason": one.reason and getattr(one.reason, screen.language)} for one in report.survived]
    if as_json:
        counted = {"rules": report.rules, "mutants": report.mutants, "killed": report.killed}
        screen.emit({**counted, "survived": survived, "untried": list(report.untried)})
        return
    for one in survived:
        screen.print(screen.say("cli.rules.explained" if one["reason"] else "cli.rules.survived", **one))
    counts = {"rules": report.rules, "mutants": report.mutants, "killed": report.killed, "unexplained": report.unexplained}
    screen.print(screen.say("cli.rules.mutate", **counts))


def something(screen: Screen, path: Path, number: int, beside: Sequence[str] = ()) -> None:
    """Nothing to look at is no clean bill; but for a directory that has only what stands beside rules, which was looked at."""
    if number:
        return
    screen.note(screen.say("cli.untried.beside" if beside else "cli.untried.nothing", file=path, names=", ".join(beside)))
    screen.worse(0 if beside else 1)


def told(problem: Problem, language: str) -> str:
    """Where, what, and what to do about it, on one line."""
    row = problem.row(language)
    return f"{row['file']}:{row['line']}: {row['message']} {row['advice']} [{row['check']}]"
