"""What would be hidden, shown before it is: by a suppression ("suppress") or a rule that is disabled ("disable"), whose words these are under; or found by
one that is enabled again ("enable")."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from records.errors import UsageError

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.suppressing import Preview
    from records.store.contract import Store

ASSETS: Final = 12


class ConfirmedError(UsageError):
    """It would have hidden alerts that were found true, and nobody said that this is meant: a negative result."""

    status = 1


def meant(screen: Screen, seen: Preview, yes: bool, about: str) -> bool:
    """Whether to do it: asked where somebody sits there. Raises ConfirmedError where nobody does, and what was found true would have been hidden."""
    if yes:
        return True
    if sys.stdin.isatty() and sys.stdout.isatty():
        return click.confirm(screen.say(f"cli.{about}.ask"), err=True)
    if seen.confirmed:
        raise ConfirmedError(f"confirmed.{about}", count=len(seen.confirmed), first=seen.confirmed[0])
    return True


def previewed(seen: Preview) -> dict[str, Any]:
    """What would have been hidden, for machines."""
    from records.nesting import iso

    counts = {"findings": seen.findings, "hidden_already": seen.hidden_already, "stays": seen.stays, "everything": list(seen.everything)}
    about = {"alerts": list(seen.alerts), "confirmed": list(seen.confirmed), "assets": [{"asset": name, "findings": n} for name, n in seen.by_asset.items()]}
    return {"since": iso(seen.since), "until": iso(seen.until), **counts, **about}


def tell(screen: Screen, store: Store, seen: Preview, about: str, **words: object) -> None:
    """How much, and of which assets; what was found true stands last and loud. `words` are those of the title."""
    from rich.text import Text

    from balefire.identities import asset_name
    from balefire.screen import clean
    from balefire.summary import grid, indented, section
    from balefire.times import span
    from detectors.suppressions import DAY

    when = span(seen.since, seen.until, screen.language) + " UTC"
    screen.print(section(clean(screen.say(f"cli.{about}.would", days=(seen.until - seen.since) // DAY, **words)), when))
    counts = {"findings": seen.findings, "alerts": len(seen.alerts), "already": seen.hidden_already}
    screen.print(indented(Text(screen.say(f"cli.{about}.counts", **{name: f"{count:,}" for name, count in counts.items()}))))
    if seen.everything and about == "suppress":
        screen.print(indented(Text(screen.say("cli.suppress.everything", rule=clean(", ".join(seen.everything))), "bold")))
    if seen.stays:
        screen.print(indented(Text(screen.say("cli.suppress.stays", count=f"{seen.stays:,}"))))
    assets = grid(2, numbers=(1,))
    for name, count in list(seen.by_asset.items())[:ASSETS]:
        assets.add_row(clean(asset_name(store, name)), f"{count:,}")
    screen.print(indented(assets))
    if len(seen.by_asset) > ASSETS:
        screen.print(indented(Text(screen.say("cli.summary.more", count=len(seen.by_asset) - ASSETS), "dim")))
    for alert in store.alerts(seen.confirmed[:ASSETS]):
        screen.print(Text(f"⬢ {screen.say(f'cli.{about}.confirmed', id=alert.id[:12], title=clean(getattr(alert.title, screen.language)))}", "bold red"))
