"""What the plant's lists say against what was seen: other makers, roles, addresses, units, types or ranges; what was never seen; what nobody listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from records.model import Text
from records.query import Query
from records.schema import ASSET
from records.search import Match, Or
from records.store.columns import flat
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from records.plant import Entry, ListedAsset, ListedZone, Plant, Tag
    from records.store.contract import Store

Words = dict[str, Any]
MOST_OTHERS: Final = 100  # assets that have addresses of one listed device


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An entry (by its key and name) whose list says one thing of `field`, and the wire another; `text` tells it whole. `listed` and `seen` are in English."""

    key: str
    name: str
    address: str
    field: str
    listed: str
    seen: str
    text: Text


@dataclass(frozen=True, slots=True)
class Comparison:
    """`unseen`: names of entries that were never seen; `unlisted`: what was seen and is in no list, by name, address or place."""

    disagreements: tuple[Disagreement, ...] = ()
    unseen: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()


def disagreement(entry: Entry, address: str, field: str, words: Callable[[str], Words]) -> Disagreement:
    """`words` gives in a language what the text of this field names, `listed` and `seen` among it."""
    told = Text(*(say("listed.told", language, name=entry.name, address=address, what=_what(field, words(language), language)) for language in LANGUAGES))
    english = words("en")
    return Disagreement(entry.key, entry.name, address, field, str(english["listed"]), str(english["seen"]), told)


def alike(**words: object) -> Callable[[str], Words]:
    """Words that are the same in every language."""
    return lambda _language: words


TELLS: Final = ("vendor", "model", "firmware", "serial", "role")  # fields that differ in what both say of them


def _what(field: str, words: Words, language: str) -> str:
    if field in TELLS:
        return say("listed.says", language, field=say(f"listed.field.{field}", language), **words)
    return say(f"listed.{field}", language, **words)


def compare(store: Store, kind: str, entries: Sequence[Entry], plant: Plant) -> Comparison:
    """Entries of one list against all that the store has seen; `plant`: the lists as they will be."""
    from detectors.listed.devices import compare_assets, compare_zones
    from detectors.listed.tags import compare_tags

    if kind == "assets":
        return compare_assets(store, cast("Sequence[ListedAsset]", entries), plant)
    if kind == "zones":
        return compare_zones(store, cast("Sequence[ListedZone]", entries), plant)
    return compare_tags(store, cast("Sequence[Tag]", entries), plant)


def about(store: Store, row: Words, plant: Plant, since: int | None = None) -> list[Disagreement]:
    """What the lists say otherwise of the asset of this row, and of its tags by what was seen from `since` on (nanoseconds)."""
    from detectors.listed.devices import compare_assets
    from detectors.listed.tags import compare_tags

    if not plant:
        return []
    devices = {asset.key: asset for address in row["addresses"] or () if (asset := plant.asset(address))}
    own: set[str] = set(row["addresses"] or ())
    tags = [tag for tag in plant.tags if tag.device in own]
    found = compare_assets(store, list(devices.values()), plant, [row, *_others(store, row, devices.values())]).disagreements
    return [*found, *(compare_tags(store, tags, plant, since).disagreements if tags else ())]


def _others(store: Store, row: Words, devices: Iterable[ListedAsset]) -> list[Words]:
    """The other assets that have addresses of these devices."""
    asked = sorted({address for device in devices for address in device.addresses} - set(row["addresses"]))
    if not asked:
        return []
    rows = store.read("asset", Query(where=Or(tuple(Match("addresses", address) for address in asked)), limit=MOST_OTHERS))
    return [each for each in flat(ASSET, rows) if each["id"] != row["id"]]
