"""Identities as people type them: any beginning that is unique; and who it is that types."""

from __future__ import annotations

import getpass
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from records.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balefire.screen import Screen
    from balefire.settings import Settings
    from records.store.contract import Store


class UnknownError(UsageError):
    """Nothing has this id, or several have: a negative result."""

    status = 1


def one(store: Store, identity: str, tables: Sequence[str] = ("alert", "finding")) -> tuple[str, str]:
    """Table and id of the one record that the prefix means; of two with the same id, the one of the table named first. Raises UnknownError."""
    found = store.find(identity, tables) if identity else []
    exact = [each for each in found if each[1] == identity]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise UnknownError("ambiguous", id=identity, ids=", ".join(name for _table, name in found))
    raise UnknownError("unknown_suppression" if "suppression" in tables else "unknown_id", id=identity)


def alert_of(screen: Screen, store: Store, identity: str) -> str:
    """The id of the alert that the prefix means, or of that of the finding it means, which is said. Raises UnknownError."""
    if identity and not store.find(identity, ("alert",)):
        _table, name = one(store, identity, ("finding",))
        finding = store.get("finding", name) or {}
        if not finding.get("alert"):
            raise UnknownError("hidden_finding", id=name, suppressions=", ".join(finding.get("suppressions") or ()) or "–")
        screen.note(screen.say("cli.alert_of", finding=name, alert=finding["alert"]))
        return str(finding["alert"])
    return one(store, identity, ("alert",))[1]


def asset_name(store: Store, identity: str) -> str:
    """What people call an asset: its name or, without one, an address; what is not stored is called by its identity, often an address too."""
    asset = store.get("asset", identity) or {}
    return str(asset.get("name") or next(iter(asset.get("addresses") or ()), identity))


def asset_named(store: Store, name: str) -> dict[str, Any]:
    """The asset of this identity (or its unique beginning), address or name, of whichever it fits first. Raises UnknownError."""
    from dashboards.inventory import called

    found = called(store, name)
    if len(found) != 1:
        raise UnknownError("ambiguous_asset" if found else "unknown_asset", name=name, ids=", ".join(str(each["id"]) for each in found))
    return found[0]


def who(settings: Settings, by: str | None) -> str:
    """Who decides: as given, else as set, else the user of the operating system; empty where there is none.

    Raises UsageError where an empty name is given: a script whose variable is not set shall not decide in somebody else's name.
    """
    from detectors.lifecycle import name

    if by is not None and not name(by):
        raise UsageError("life.nobody")
    if by or settings.user:
        return by or settings.user or ""
    with suppress(OSError, KeyError):  # an account without a name, as in containers
        return getpass.getuser()
    return ""
