"""Assets of a commit into those that are stored: what turns out to be one becomes one, and every identity that it had still finds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from records.assets import merged, without
from records.store.rows import asset_from, asset_row, facts_of
from records.store.tearing import torn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from records.model import Asset

ALIAS: Final = "alias"  # kind of document that tells which asset another identity is

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merge:
    """What to store: rows, the identities of rows that are part of another one now, and which asset each other identity is."""

    rows: list[Row]
    gone: list[str]
    aliases: dict[str, str]


def merge(given: Sequence[Asset], stored: Callable[[Iterable[str]], Iterable[Row]]) -> Merge:
    """`stored` gives the rows of these identities, their own or other ones; each row once."""
    given = [asset if asset.facts else replace(asset, facts=facts_of(asset_row(asset))) for asset in given]
    wanted = {key for asset in given for key in _keys(asset)}
    known = [asset for row in stored(sorted(wanted)) if not wanted.isdisjoint(_keys(asset := asset_from(row)))]
    before = {asset.id for asset in known}
    given, known = _parted(given, sorted(known, key=lambda asset: asset.id))
    keys = [_keys(asset) for asset in given]
    owner: dict[str, int] = {}
    for number, each in enumerate(keys):
        for key in each:
            owner.setdefault(key, number)
    parts: list[list[Asset]] = [[asset] for asset in given]
    for asset in known:
        number = _home(asset, owner)
        if number is None:  # it only had an address that is another one's now
            parts.append([asset])
            continue
        others = {key: place for key, place in owner.items() if place != number}
        if rest := without(asset, others):
            parts[number].append(rest)
    whole = [merged(part) for part in parts]
    aliases = {alias: asset.id for asset in whole for alias in asset.aliases if owner.get(alias, -1) < 0 or whole[owner[alias]] is asset}
    named = {asset.id for asset in whole}
    return Merge([asset_row(asset) for asset in whole], sorted(before - named), {a: i for a, i in aliases.items() if a not in named})


def _parted(given: Sequence[Asset], known: Sequence[Asset]) -> tuple[list[Asset], list[Asset]]:
    """Both without the addresses that turned out to be others'."""
    assets = torn([*given, *known])
    return assets[: len(given)], assets[len(given) :]


def _keys(asset: Asset) -> set[str]:
    return {asset.id, *asset.aliases}


def _home(asset: Asset, owner: Mapping[str, int]) -> int | None:
    """Which given asset a stored one goes to: the one that has its identity, else the first that has one of its others, if there is one."""
    return next((owner[key] for key in (asset.id, *asset.aliases) if key in owner), None)
