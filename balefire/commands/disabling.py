"""Rules listed, disabled and enabled. What a rule found lately is shown before it is disabled, what it would find before it is enabled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.previewing import meant, previewed, tell
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.rulebook.rule import Rule

_rules = click.option("--rules", type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.rules", HELP))


@click.command("list", help=say("cli.help.rules_list", HELP))
@_rules
@speaks
def everything(screen: Screen, rules: Path | None, as_json: bool) -> None:
    """Every rule as the files have it now; files of which none could be loaded are said."""
    from balefire.commands.rulebook import told
    from balefire.screen import table
    from detectors.rulebook.load import load, own_rules

    site = rules or screen.settings.rules
    book = load((own_rules(), *((site,) if site else ())))
    for problem in book.problems:
        if problem.blocks:
            screen.note(told(problem, screen.language))
            screen.worse(1)
    if as_json:
        for rule in book.rules:
            screen.emit(_row(rule))
        return
    lines = [[rule.id, screen.say(f"dashboard.rules.level.{rule.level}"), _state(screen, rule), _title(screen, rule)] for rule in book.rules]
    screen.print(table([(screen.say(f"cli.column.{name}"), False) for name in ("rule", "level", "standing", "title")], lines))


def _row(rule: Rule) -> dict[str, Any]:
    title = {"en": rule.title.en, "zh": rule.title.zh}
    state = "disabled" if rule.disabled else "part" if rule.silent else "fires"
    return {"rule": rule.id, "level": rule.level, "state": state, "reason": rule.disabled or None, "title": title, "file": rule.file}


def _title(screen: Screen, rule: Rule) -> str:
    from detectors.gathering import general

    return str(getattr(general(rule, rule.title), screen.language))


def _state(screen: Screen, rule: Rule) -> str:
    state = _row(rule)["state"]
    return screen.say(f"cli.disable.state.{state}", **({"reason": rule.disabled} if rule.disabled else {}))


@click.command(help=say("cli.help.rules_disable", HELP))
@click.argument("rule", metavar="ID")
@click.option("--reason", required=True, metavar="TEXT", help=say("cli.option.why", HELP))
@_rules
@click.option("--dry-run", is_flag=True, help=say("cli.option.dry_run", HELP))
@click.option("--yes", is_flag=True, help=say("cli.option.yes", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def disable(screen: Screen, rule: str, reason: str, rules: Path | None, by: str | None, as_json: bool, **asked: bool) -> None:
    """Show what the rule found, then write it down."""
    from balefire.identities import who
    from detectors import disabling

    person, site = who(screen.settings, by), rules or screen.settings.rules
    disabling.named(site, rule)
    store = opened(screen)
    try:
        seen = disabling.would_hide(store, rule)
        if not as_json:
            tell(screen, store, seen, "disable", rule=rule)
        wanted = not asked["dry_run"] and meant(screen, seen, asked["yes"], "disable")
        file = disabling.disable(store, site, rule, reason, person) if wanted else None
    finally:
        store.close()
    if as_json:
        screen.emit({"rule": rule, "disabled": file is not None, "reason": disabling.told(reason), "file": file and str(file), "preview": previewed(seen)})
    else:
        screen.print(screen.say("cli.disable.done", rule=rule, file=file) if file else screen.say("cli.disable.not_done"))


@click.command(help=say("cli.help.rules_enable", HELP))
@click.argument("rule", metavar="ID")
@_rules
@click.option("--dry-run", is_flag=True, help=say("cli.option.dry_run_enable", HELP))
@click.option("--note", default="", metavar="TEXT", help=say("cli.option.note", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def enable(screen: Screen, rule: str, rules: Path | None, dry_run: bool, note: str, by: str | None, as_json: bool) -> None:
    """Show what the rule would find, then take it out again."""
    from balefire.identities import who
    from detectors import disabling

    person, site = who(screen.settings, by), rules or screen.settings.rules
    found = disabling.to_enable(site, rule)
    store = opened(screen)
    try:
        seen = disabling.would_find(store, found) if found else None
        if seen is None:
            screen.note(screen.say("cli.enable.unknown", rule=rule))
        elif not as_json:
            tell(screen, store, seen, "enable", rule=rule)
        file = None if dry_run else disabling.enable(store, site, rule, person, note)
    finally:
        store.close()
    if as_json:
        row = {"rule": rule, "disabled": file is None, "reason": found.disabled if found and dry_run else None, "file": file and str(file)}
        screen.emit(row | {"preview": seen and previewed(seen)})
    else:
        screen.print(screen.say("cli.disable.enabled", rule=rule, file=file) if file else screen.say("cli.disable.not_done"))
