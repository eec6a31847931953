"""Identities as people type them: any beginning that is unique; and who it is that types."""

from __future__ import annotations

import getpass
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from records.errors import UsageError
from records.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def asset_name(store: Store, identity: str) -> str:
    """What people call an asset: its name or, without one, an address; what is not stored is called by its identity, often an address too."""
    asset = store.get("asset", identity) or {}
    return str(asset.get("name") or next(iter(asset.get("addresses") or ()), identity))


def asset_named(store: Store, name: str) -> dict[str, Any]:
    """The asset of this identity (or its unique beginning), address or name, of whichever it fits first. Raises UnknownError."""
    from records.query import Query
    from records.search import Match
    from records.store.columns import flat

    if row := store.get("asset", name):
        return row
    for field in ("addresses", "name"):
        page = flat(TABLES["asset"], store.read("asset", Query(where=Match(field, name), limit=3)))
        if len(page) == 1:
            return store.get("asset", page[0]["id"]) or {}
        if page:
            raise UnknownError("ambiguous_asset", name=name, ids=", ".join(row["id"] for row in page))
    begun = store.find(name, ("asset",)) if name else []
    if len(begun) != 1:
        raise UnknownError("ambiguous_asset" if begun else "unknown_asset", name=name, ids=", ".join(each for _table, each in begun))
    return store.get("asset", begun[0][1]) or {}


def who(settings: Settings, by: str | None) -> str:
    """Who decides: as given, else as set, else the user of the operating system; empty where there is none.

    Raises UsageError where an empty name is given: a script whose variable is not set shall not decide in somebody else's name.
    """
    if by is not None and not by.strip():
        raise UsageError("life.nobody")
    if by or settings.user:
        return by or settings.user or ""
    with suppress(OSError, KeyError):  # an account without a name, as in containers
        return getpass.getuser()
    return ""
