"""Accounts of the dashboard. With the first one, everybody has to log in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, speaks
from dashboards.access.roles import ROLES
from records.errors import UsageError
from records.secret import first_line
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from dashboards.access.accounts import Account, Accounts


@click.group(help=say("cli.help.user", HELP))
def user() -> None:
    """Hold the commands about accounts."""


_name = click.argument("name")
_role = click.option("--role", required=True, type=click.Choice(list(ROLES)), help=say("cli.option.role", HELP))
_password = click.option("--password-file", type=click.Path(path_type=Path), metavar="FILE", help=say("cli.option.password_file", HELP))


def _accounts(screen: Screen) -> Accounts:
    from dashboards.access.accounts import read

    return read(screen.settings.users_file(), missing=True)


def _typed(screen: Screen, file: Path | None) -> str:
    """The password: the first line of a file, or as typed twice."""
    if file is not None:
        try:
            return first_line(file)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("access.password_file", file=file, problem=error) from error
    return str(click.prompt(screen.say("cli.user.password"), hide_input=True, confirmation_prompt=screen.say("cli.user.again"), err=True))


def _told(screen: Screen, accounts: Accounts, name: str, as_json: bool) -> None:
    """Save, and say what stands there now of this name."""
    accounts.save()
    account = accounts.known.get(name)
    if as_json:
        screen.emit({"name": name, "role": account.role if account else None, "changed": account.changed if account else None, "file": str(accounts.file)})
    else:
        kept = account and screen.say("cli.user.kept", name=name, role=screen.say(f"role.{account.role}"), file=accounts.file)
        screen.note(kept or screen.say("cli.user.removed", name=name, file=accounts.file))


@user.command(help=say("cli.help.user_add", HELP))
@_name
@_role
@_password
@click.option("--provider", is_flag=True, help=say("cli.option.provider", HELP))
@speaks
def add(screen: Screen, name: str, role: str, password_file: Path | None, provider: bool, as_json: bool) -> None:
    """Add one."""
    accounts = _accounts(screen)
    if name in accounts.known:
        raise UsageError("access.taken", name=name)
    if provider and password_file is not None:
        raise UsageError("access.either")
    _told(screen, accounts.add(name, role, None if provider else _typed(screen, password_file)), name, as_json)


@user.command(help=say("cli.help.user_role", HELP))
@_name
@_role
@speaks
def role(screen: Screen, name: str, role: str, as_json: bool) -> None:
    """Give one another role."""
    _told(screen, _accounts(screen).give(name, role), name, as_json)


@user.command(help=say("cli.help.user_password", HELP))
@_name
@_password
@speaks
def password(screen: Screen, name: str, password_file: Path | None, as_json: bool) -> None:
    """Give one another password."""
    accounts = _accounts(screen)
    accounts.one(name)
    _told(screen, accounts.password(name, _typed(screen, password_file)), name, as_json)


@user.command(help=say("cli.help.user_remove", HELP))
@_name
@speaks
def remove(screen: Screen, name: str, as_json: bool) -> None:
    """Take one out."""
    _told(screen, _accounts(screen).remove(name), name, as_json)


@user.command("list", help=say("cli.help.user_list", HELP))
@speaks
def listed(screen: Screen, as_json: bool) -> None:
    """Everybody there is."""
    from balefire.screen import table

    known = list(_accounts(screen).known.values())
    rows: list[dict[str, Any]] = [{"name": each.name, "role": each.role, "changed": each.changed, "provider": not each.hash} for each in known]
    if as_json:
        for row in rows:
            screen.emit(row)
    elif not rows:
        screen.note(screen.say("cli.user.none"))
    else:
        head = [(screen.say(f"cli.user.{name}"), False) for name in ("name", "role", "changed")]
        screen.print(table(head, [[each.name, screen.say(f"role.{each.role}"), _since(screen, each)] for each in known]))


def _since(screen: Screen, account: Account) -> str:
    """When the password was set, or that there is none."""
    return account.changed[:19].replace("T", " ") if account.hash else screen.say("cli.user.provider")
