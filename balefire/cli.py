"""The command line. What it prints for machines is a promise; what it says to people comes from the catalogues.

The commands stand in `balefire/commands`, a file a subject; what is heavy is imported when a command runs.
"""

from __future__ import annotations

from pathlib import Path

import click

from balefire.command import HELP, Globals, Program
from balefire.commands.about import protocols, schema, version, warm
from balefire.commands.alert import alert
from balefire.commands.asset import asset
from balefire.commands.backtest import backtest, convert
from balefire.commands.baseline import baseline
from balefire.commands.capture import demo, dissect, replay
from balefire.commands.classes import classes
from balefire.commands.dashboard import dashboard
from balefire.commands.deliver import deliver
from balefire.commands.disabling import disable, enable, everything
from balefire.commands.doctor import doctor
from balefire.commands.duty import duty
from balefire.commands.evidence import evidence
from balefire.commands.explain import explain
from balefire.commands.fingerprint import fingerprint
from balefire.commands.graph import graph
from balefire.commands.housekeep import housekeep
from balefire.commands.importing import import_list
from balefire.commands.key import key
from balefire.commands.notify import notify
from balefire.commands.packet import packet
from balefire.commands.policy import policy
from balefire.commands.report import report
from balefire.commands.rulebook import rulebook
from balefire.commands.serve import serve
from balefire.commands.store import store
from balefire.commands.suppress import revoke, suppress, suppressions
from balefire.commands.tables import table_commands
from balefire.commands.user import user
from balefire.commands.verify import verify
from balefire.commands.versions import listed, rollback
from balefire.commands.warning import warning
from balefire.commands.watch import watch
from records.wording import LANGUAGES, say


@click.group(cls=Program, help=say("cli.help.balefire", HELP), context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--settings", type=click.Path(path_type=Path), metavar="FILE", help=say("cli.option.settings", HELP))
@click.option("--language", type=click.Choice(LANGUAGES), help=say("cli.option.language", HELP))
@click.pass_context
def main(context: click.Context, settings: Path | None, language: str | None) -> None:
    """Remember what stood before the command's name."""
    context.obj = Globals(settings, language)


COMMANDS = (
    demo,
    replay,
    watch,
    serve,
    doctor,
    dissect,
    *table_commands(),
    explain,
    evidence,
    packet,
    asset,
    alert,
    suppress,
    suppressions,
    revoke,
    import_list,
    fingerprint,
    graph,
    report,
    verify,
    key,
    duty,
    warning,
    deliver,
    notify,
    store,
    dashboard,
    user,
    rulebook,
    policy,
    classes,
    baseline,
    schema,
    protocols,
    warm,
    version,
)

for command in COMMANDS:
    main.add_command(command)
for command in (everything, backtest, convert, disable, enable, listed, rollback):
    rulebook.add_command(command)
store.add_command(housekeep)
