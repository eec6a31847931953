"""Accounts of the dashboard. With the first one, everybody has to log in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from dashboards.access.roles import ROLES
from records.errors import BalefireError, UsageError
from records.homes import expanded
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
_by = click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))


def _accounts(screen: Screen) -> Accounts:
    from dashboards.access.accounts import read

    return read(screen.settings.users_file(), missing=True)


def _typed(screen: Screen, file: Path | None) -> str:
    """The password: the first line of a file, or as typed twice."""
    if file is not None:
        screen.exposed(file)
        try:
            return first_line(file)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("access.password_file", file=file, problem=error) from error
    if not sys.stdin.isatty():  # there a prompt would warn of echo, or ask at another terminal
        if line := sys.stdin.readline().rstrip("\r\n"):
            return line
        raise UsageError("access.typed")
    return str(click.prompt(screen.say("cli.user.password"), hide_input=True, confirmation_prompt=screen.say("cli.user.again"), err=True))


def _told(screen: Screen, action: str, before: Accounts, accounts: Accounts, name: str, by: str | None, as_json: bool) -> None:
    """Save, have the audit trail tell it, and say what stands there now of this name."""
    from balefire.identities import who

    person = who(screen.settings, by)
    accounts.save()
    account = accounts.known.get(name)
    _entered(screen, action, before.known.get(name), account, name, person)
    if as_json:
        screen.emit({"name": name, "role": account.role if account else None, "changed": account.changed if account else None, "file": str(accounts.file)})
    else:
        kept = account and screen.say("cli.user.kept", name=name, role=screen.say(f"role.{account.role}"), file=accounts.file)
        screen.note(kept or screen.say("cli.user.removed", name=name, file=accounts.file))


def _entered(screen: Screen, action: str, before: Account | None, after: Account | None, name: str, by: str) -> None:
    """Into the audit trail, after the fact: who has to be kept out is, also where the store is away; that is said."""
    from records.store.contract import Change

    if "://" not in screen.store and not expanded(screen.store).exists():
        screen.note(screen.say("cli.user.no_trail", store=screen.store))
        return
    was, now = ({"role": each.role} if each else None for each in (before, after))
    try:
        store = opened(screen)
        try:
            store.change([Change("access", name, None, action, by, now or {}, before=was)])
        finally:
            store.close()
    except BalefireError as error:
        screen.fail(error)
        screen.note(screen.say("cli.user.unrecorded"))


@user.command(help=say("cli.help.user_add", HELP))
@_name
@_role
@_password
@click.option("--provider", is_flag=True, help=say("cli.option.provider", HELP))
@_by
@keeps
@speaks
def add(screen: Screen, name: str, role: str, password_file: Path | None, provider: bool, by: str | None, as_json: bool) -> None:
    """Add one."""
    accounts = _accounts(screen)
    if name in accounts.known:
        raise UsageError("access.taken", name=name)
    if provider and password_file is not None:
        raise UsageError("access.either")
    _told(screen, "account_add", accounts, accounts.add(name, role, None if provider else _typed(screen, password_file)), name, by, as_json)


@user.command(help=say("cli.help.user_role", HELP))
@_name
@_role
@_by
@keeps
@speaks
def role(screen: Screen, name: str, role: str, by: str | None, as_json: bool) -> None:
    """Give one another role."""
    accounts = _accounts(screen)
    _told(screen, "account_role", accounts, accounts.give(name, role), name, by, as_json)


@user.command(help=say("cli.help.user_password", HELP))
@_name
@_password
@_by
@keeps
@speaks
def password(screen: Screen, name: str, password_file: Path | None, by: str | None, as_json: bool) -> None:
    """Give one another password."""
    accounts = _accounts(screen)
    accounts.one(name)
    _told(screen, "account_password", accounts, accounts.password(name, _typed(screen, password_file)), name, by, as_json)


@user.command(help=say("cli.help.user_remove", HELP))
@_name
@_by
@keeps
@speaks
def remove(screen: Screen, name: str, by: str | None, as_json: bool) -> None:
    """Take one out."""
    accounts = _accounts(screen)
    _told(screen, "account_remove", accounts, accounts.remove(name), name, by, as_json)


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
