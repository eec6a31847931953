"""The dashboard, served on this machine, and wider where one has to log in."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING

import click

from balefire.command import HELP, keeps, opened, speaks
from records import scratch
from records.errors import UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from pathlib import Path

    from balefire.screen import Screen
    from balefire.settings import Settings


@click.command(help=say("cli.help.dashboard", HELP))
@keeps
@click.option("--port", type=click.IntRange(1, 65535), help=say("cli.option.port", HELP))
@click.option("--listen", metavar="ADDRESS", help=say("cli.option.listen", HELP))
@click.option("--patient", is_flag=True, hidden=True)
@speaks
def dashboard(screen: Screen, port: int | None, listen: str | None, patient: bool, as_json: bool) -> None:
    """Serve the pages until Ctrl-C. `patient`: as soon as there is a store."""
    if patient:
        from balefire.awaiting import quiet
        from records.store import open_store

        quiet(lambda: open_store(screen.store))
    serve(screen, port or screen.settings.dashboard.port, as_json, listen or "")


def serve(screen: Screen, port: int, as_json: bool = False, listen: str = "") -> None:
    """Serve the store's pages until Ctrl-C; once they answer, say where. Raises UsageError where it may not listen there."""
    from balefire.identities import who
    from balefire.screen import to_json
    from dashboards.access.provider import Provider
    from dashboards.access.sessions import AWAITED, USERS
    from dashboards.serve import DELIVERIES, DIRECTORY, LEDGER, MEBIBYTES, OPERATOR, RECEIVERS, REGIMES, RULES, SHIFTS, UNIT, ZONE, environment
    from dashboards.serve import serve as become

    settings, users = screen.settings, accounts(screen.settings)
    where = listened(listen or settings.dashboard.address, users)
    screen.exposed(settings.oidc.secret_file)
    scratch.sweep()
    opened(screen).close()  # what is wrong with the store is said here, not on an empty page
    address = f"http://{f'[{where}]' if where.version == 6 else where}:{port}"
    if users and not where.is_loopback:
        screen.note(screen.say("cli.dashboard_plain"))
    ready = f"1 {to_json({'address': address, 'store': screen.store})}" if as_json else f"2 {screen.say('cli.dashboard', address=address)}"
    told = environment(screen.store, screen.language, who(settings, None), _names(settings, where), ready)
    oidc = Provider(**settings.oidc.model_dump()).environment()
    told |= {MEBIBYTES: str(settings.dissection.mebibytes), USERS: str(users or ""), AWAITED: "" if users else str(settings.users_file())}
    told |= {ZONE: settings.reports.stated_zone(), DIRECTORY: settings.reports.directory}
    told[RULES] = str(expanded(settings.rules).absolute()) if settings.rules else ""
    told |= {LEDGER: str(settings.ledger.ledger_place()), DELIVERIES: str(settings.delivery.post_place())}
    told[SHIFTS] = json.dumps(settings.shifts)
    told |= {REGIMES: json.dumps(settings.duties.regimes), OPERATOR: settings.duties.operator, UNIT: settings.duties.unit}
    told[RECEIVERS] = json.dumps(settings.duties.receivers)
    become(port, told | oidc, str(where))


def accounts(settings: Settings) -> Path | None:
    """The file of those who may log in; None where there is none and none is named: then nobody has to. Raises UsageError for one of no use."""
    file = settings.users_file()
    if not settings.dashboard.users and not file.exists():
        return None
    from dashboards.access.accounts import read

    if not read(file).known:
        raise UsageError("access.nobody", file=file)
    return file


def listened(address: str, users: Path | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Where it listens. Raises UsageError for what is no address, and for a wider one than this machine's own where nobody has to log in."""
    try:
        where = ipaddress.ip_address("127.0.0.1" if address == "localhost" else address)
    except ValueError:
        raise UsageError("access.address", address=address) from None
    if users is None and not where.is_loopback:
        raise UsageError("access.open", address=address)
    return where


def _names(settings: Settings, where: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
    """Names to answer to: those that are set and, where it listens wider, that of this machine and the address."""
    import platform

    return [*settings.dashboard.hosts, *(() if where.is_loopback else (platform.node().lower(), str(where)))]
