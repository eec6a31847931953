"""Policies: check one, show the rules it becomes, draft one from history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.rulebook import told
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.policy.zones import Policy
    from detectors.rulebook.problems import Problem

FILE = click.Path(path_type=Path)


@click.group("policy", help=say("cli.help.policy", HELP))
def policy() -> None:
    """Hold the commands about policies."""


@policy.command(help=say("cli.help.policy_check", HELP))
@click.argument("file", type=FILE)
@speaks
def check(screen: Screen, file: Path, as_json: bool) -> None:
    """Say what is wrong with a policy, where, and what to do."""
    found, problems = _read(file)
    rules = len(_rules(found, file)) if found else 0
    if problems:
        screen.worse(1)
    counts = {"zones": len(found.zones) if found else 0, "conduits": len(found.conduits) if found else 0, "rules": rules}
    if as_json:
        screen.emit({**counts, "problems": [problem.row(screen.language) for problem in problems]})
        return
    for problem in problems:
        screen.print(told(problem, screen.language))
    screen.print(screen.say("cli.policy.check", **counts, problems=len(problems)))


@policy.command(help=say("cli.help.policy_show", HELP))
@click.argument("file", type=FILE)
@speaks
def show(screen: Screen, file: Path, as_json: bool) -> None:
    """Print the rules that a policy becomes, each as the rule file that it could be."""
    import yaml

    found, problems = _read(file)
    for problem in problems:
        screen.worse(1)
        screen.note(told(problem, screen.language))
    for rule in _rules(found, file) if found else []:
        if as_json:
            screen.emit(rule)
        else:
            for line in ("---", *yaml.safe_dump(rule, allow_unicode=True, sort_keys=False, width=160).splitlines()):
                screen.print(line)


@policy.command(help=say("cli.help.policy_learn", HELP))
@keeps
@click.option("--since", metavar="T", help=say("cli.option.since", HELP))
@click.option("--until", metavar="T", help=say("cli.option.until", HELP))
@click.option("-o", "--output", "file", required=True, type=FILE, help=say("cli.option.policy_output", HELP))
@speaks
def learn(screen: Screen, since: str | None, until: str | None, file: Path, as_json: bool) -> None:
    """Draft a policy that allows what the store's activities did, and say how much that was."""
    from detectors.policy.learning import apart, doubts, draft, seen, unsettled
    from records.asking import moments
    from records.errors import UsageError
    from records.query import Query

    if file.exists():
        raise UsageError("policy_exists", file=file)
    store = opened(screen)
    try:
        first, last = moments(since, until)
        rows = seen(store, query := Query(since=first, until=last))
        unclear = unsettled(store, first, last)
        against = doubts(store, query, unclear)
    finally:
        store.close()
    if not rows:
        raise UsageError("policy_nothing", store=screen.store)
    try:
        file.write_text(draft(_name(file), rows, against), "utf-8")
    except OSError as error:
        raise UsageError("policy_write", file=file, problem=error.strerror or str(error)) from None
    found, _ = _read(file)
    counts = {"zones": len(found.zones) if found else 0, "conduits": len(found.conduits) if found else 0, "operations": sum(row.times for row in rows)}
    strangers = sorted(apart(rows, against))
    if as_json:
        screen.emit({"file": str(file), **counts, "open_alerts": len(unclear), "unconfirmed": strangers})
    else:
        screen.print(screen.say("cli.policy.learn", file=file, **counts))
    if unclear:
        screen.note(screen.say("cli.policy.open_alerts", count=f"{len(unclear):,}", file=file))
    if strangers:
        screen.note(screen.say("cli.policy.unconfirmed", hosts=", ".join(strangers), file=file))


def _read(file: Path) -> tuple[Policy | None, list[Problem]]:
    """The policy of a file and what is wrong. Raises UsageError for one that does not exist."""
    from detectors.policy.zones import read_policy
    from detectors.rulebook.document import read_file
    from detectors.rulebook.problems import Fault, problem
    from records.errors import UsageError

    if not file.is_file():
        raise UsageError("policy_missing", file=file)
    document = read_file(file)
    if {"detection", "correlation", "filter"} & document.data.keys():
        return None, [problem(str(file), document.start, "", Fault("policy-rule"))]
    found, faults = read_policy(document) if document.data else (None, [])
    return found, [problem(str(file), line, "", fault) for line, fault in sorted((*document.faults, *faults), key=lambda one: one[0])]


def _rules(found: Policy, file: Path) -> list[dict[str, Any]]:
    from detectors.policy.compiling import pairs, rule_data

    return [rule_data(found, pair, file.name) for pair in pairs(found)]


def _name(file: Path) -> str:
    """A policy is called as its file, as far as the file is called like a policy."""
    import re

    return "-".join(re.findall(r"[a-z0-9]+", file.stem.lower())) or "policy"
