"""Assets from their facts: one function makes an asset of facts, whether they were just heard or lay in a store, so that both always say the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from records.claims import CONTESTED
from records.facts import ADDRESS, TAKEN_FOR_ITS_NAME, TOLD, Change, Fact, addresses, asset_id, changes, current, identity_of, keys_of, united
from records.model import Asset, Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CLAIMED: Final = "claim"  # the source of where an address is, where several say so
MOST_CONFLICTS: Final = 32  # of an asset, the last ones


def asset_of(
    site: str | None, facts: Iterable[Fact], first: int, last: int, sources: Iterable[str] = (), conflicts: Iterable[Conflict] = (), also: Iterable[str] = ()
) -> Asset:
    """The asset of these facts, among which is an address. `also` are further identities that it had."""
    kept = united(facts)
    now = current(kept)
    own = addresses(kept)
    name = now.get("name")
    identity = identity_of(site, kept)
    told = {each: now[each].value for each in TOLD if each in now}
    level = told.pop("level", None)
    return Asset(
        id=identity,
        name=name.value if name and name.confidence >= TAKEN_FOR_ITS_NAME else own[0],
        addresses=tuple(own),
        first=first,
        last=last,
        level=int(level) if level is not None else None,
        sources=tuple(sorted(set(sources))),
        site=site,
        aliases=tuple(sorted({*keys_of(site, kept), *also} - {identity})),
        facts=kept,
        conflicts=_united(conflicts),
        **told,
    )


def _united(conflicts: Iterable[Conflict]) -> tuple[Conflict, ...]:
    known: dict[tuple[str, str, str, str | None], Conflict] = {}
    for each in conflicts:
        key = each.address, each.other, each.kind, each.before
        other = known.get(key, each)
        known[key] = replace(each, first=min(each.first, other.first), last=max(each.last, other.last))
    newest = sorted(known.values(), key=lambda each: (each.last, each.address, each.other, each.kind))[-MOST_CONFLICTS:]
    return tuple(sorted(newest, key=lambda each: (each.first, each.address, each.other, each.kind)))


def changes_of(asset: Asset) -> list[Change]:
    """What changed: its facts, and at which MAC address an address is that it has or had."""
    moved = [Change(each.address, each.before, each.other, each.first, CLAIMED) for each in asset.conflicts if each.before is not None]
    return sorted([*changes(asset.facts), *moved], key=lambda change: (change.time, change.name, change.source))


def contested(conflicts: Iterable[Conflict]) -> list[Conflict]:
    """The conflicts that go on: where an address moved is a change."""
    return [each for each in conflicts if each.kind == CONTESTED]


def with_facts(asset: Asset, facts: Iterable[Fact]) -> Asset:
    """The asset with further facts."""
    return asset_of(asset.site, (*asset.facts, *facts), asset.first, asset.last, asset.sources, asset.conflicts, asset.aliases)


def merged(assets: Sequence[Asset]) -> Asset:
    """Assets that are one. The same whatever their order, and merging it with one of them again changes nothing."""
    return asset_of(
        assets[0].site,
        [fact for asset in assets for fact in asset.facts],
        min(asset.first for asset in assets),
        max(asset.last for asset in assets),
        [source for asset in assets for source in asset.sources],
        [each for asset in assets for each in asset.conflicts],
        [name for asset in assets for name in (asset.id, *asset.aliases)],
    )


def without(asset: Asset, taken: Mapping[str, int]) -> Asset | None:
    """The asset without the addresses whose identities are `taken`, for they turned out to be others'; None where none is left."""
    kept = [fact for fact in asset.facts if fact.name != ADDRESS or asset_id(asset.site, fact.value) not in taken]
    if not any(fact.name == ADDRESS for fact in kept):
        return None
    also = [name for name in (asset.id, *asset.aliases) if name not in taken]
    return asset_of(asset.site, kept, asset.first, asset.last, asset.sources, asset.conflicts, also)
