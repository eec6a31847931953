"""One asset, told whole: what is known of it and from where, what changed, what others claim, what lists say otherwise, with whom it talks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.identities import asset_named
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from records.model import Asset
    from records.search import Condition
    from records.store.contract import Store

Row = dict[str, Any]
MOST_WAYS: Final = 200  # that are asked for: one asset may be known by several addresses
PEERS: Final = 20  # lines of who talks with it, each way


@click.command(help=say("cli.help.asset", HELP))
@click.argument("name", metavar="ASSET")
@keeps
@speaks
def asset(screen: Screen, name: str, as_json: bool) -> None:
    """Tell one asset."""
    from detectors.listed import about
    from records.nesting import nest
    from records.plant import KeptPlant
    from records.store.rows import asset_from

    store = opened(screen)
    try:
        row = asset_named(store, name)
        whole, talks, disagreements = asset_from(row), _talks(store, row), about(store, row, KeptPlant(store).plant)
        if as_json:
            told = [{"field": each.field, "listed": each.listed, "seen": each.seen, "text": {"en": each.text.en, "zh": each.text.zh}} for each in disagreements]
            screen.emit(nest(row) | {"changes": _changes(whole), "disagreements": told, "talks": talks})
        else:
            from balefire.portrait import show_asset

            show_asset(screen, whole, disagreements, talks)
    finally:
        store.close()


def _changes(asset: Asset) -> list[Row]:
    from records.assets import changes_of
    from records.nesting import iso

    return [change._asdict() | {"time": iso(change.time)} for change in changes_of(asset)]


def _talks(store: Store, row: Row) -> list[Row]:
    """Whom it asked and who asked it, over which protocol and for what, busiest first each way."""
    identities = [row["id"], *(row["aliases"] or ())]
    talks: list[Row] = []
    for direction, own, other in (("asks", "source", "destination"), ("asked", "destination", "source")):
        talks += _ways(store, _any_of(f"{own}.asset.id", identities), direction, other)
    return talks


def _any_of(field: str, values: list[str]) -> Condition:
    from records.search import Match, Or

    return Or(tuple(Match(field, value) for value in values))


def _ways(store: Store, where: Condition, direction: str, other: str) -> list[Row]:
    from records.query import Query, Terms

    fields = (f"{other}.asset.id", f"{other}.asset.name", "network.protocol", "ot.access")
    ways: dict[tuple[str, str, str], int] = {}
    for row in store.terms("activity", Query(where=where), Terms(fields, MOST_WAYS, "ot.count")).to_pylist():
        way = _called(store, row[fields[0]], row[fields[1]]), row["network.protocol"], row["ot.access"]
        ways[way] = ways.get(way, 0) + row["total"]
    busiest = sorted(ways.items(), key=lambda item: (-item[1], item[0]))[:PEERS]
    return [{"direction": direction, "peer": peer, "protocol": protocol, "access": access, "count": count} for (peer, protocol, access), count in busiest]


def _called(store: Store, identity: str | None, name: str) -> str:
    """What the asset is called of which a row knows one address, or the name that it had then."""
    known = store.get("asset", identity) if identity else None
    return str(known["name"]) if known else name
