"""Facts of assets: each with its source, its time and how far it is to be believed. What is said last counts, of what is equally believed."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_VALUES: Final = 8  # of one name and source that are kept: the first, and the last ones
MOST_FACTS: Final = 96  # of one asset
MOST_TEXT: Final = 128  # characters of a value …
CUT_OFF: Final = "…"  # … of which the last is this, where it was cut
TAKEN_FOR_ITS_NAME: Final = 60  # so far has a name to be believed
VIRTUAL: Final = "virtual"  # the name of a fact: by which protocol routers are one
FIRM: Final = 60  # so far has an address to be believed to tell two assets for one
ADDRESS: Final = "address"
FORMER: Final = "former_address"  # one that the asset had, and that another one has now
TOLD: Final = ("vendor", "model", "firmware", "serial", "role", "zone", "level", "criticality")  # what an asset's row says itself, beside its facts
DULL: Final = frozenset("0fFxX-. ")  # serial numbers of these letters alone are none


@dataclass(frozen=True, slots=True)
class Fact:
    """`name` is `value`: who said so, how far that is to be believed (0–100), and when first and last (nanoseconds)."""

    name: str
    value: str
    source: str
    confidence: int
    first: int
    last: int


class Change(NamedTuple):
    """A source said `before`, and from `time` on `after`."""

    name: str
    before: str
    after: str
    time: int
    source: str


def shortened(text: str) -> str:
    """A value as it is kept: whoever reads one that was cut sees that it was."""
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + CUT_OFF


def is_cut(text: str) -> bool:
    """Was this value cut?"""
    return len(text) == MOST_TEXT and text.endswith(CUT_OFF)


def asset_id(site: str | None, key: str) -> str:
    """Identity of the asset with this address at this site, or with another key that is its own."""
    return hashlib.blake2b(f"{site or ''}\x1f{key}".encode("utf-8", "replace"), digest_size=10).hexdigest()


def united(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """The same facts, each once, by name and time; bounded: of each name and source the first values and the last ones, the most believed names first."""
    known: dict[tuple[str, str, str], Fact] = {}
    for fact in facts:
        key = fact.name, fact.value, fact.source
        other = known.get(key)
        known[key] = fact if other is None else replace(
            fact, confidence=max(fact.confidence, other.confidence), first=min(fact.first, other.first), last=max(fact.last, other.last)
        )  # fmt: skip
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in sorted(known.values(), key=_by_time):
        groups.setdefault((fact.name, fact.source), []).append(fact)
    kept = [fact for group in groups.values() for fact in _bounded(group)]
    kept.sort(key=lambda fact: (fact.name != ADDRESS, -fact.confidence, *_by_time(fact)))
    return tuple(sorted(kept[:MOST_FACTS], key=_by_time))


def _by_time(fact: Fact) -> tuple[str, int, int, str, str]:
    return fact.name, fact.first, fact.last, fact.source, fact.value


def _bounded(group: list[Fact]) -> list[Fact]:
    if len(group) <= MOST_VALUES or group[0].name == ADDRESS:
        return group
    newest = sorted(group[1:], key=lambda fact: (fact.last, fact.value))[1 - MOST_VALUES :]
    return [group[0], *newest]


def current(facts: Iterable[Fact]) -> dict[str, Fact]:
    """The fact that counts, by name: the most believed, of these the one said last."""
    best: dict[str, Fact] = {}
    for fact in facts:
        if fact.name not in best or _rank(fact) > _rank(best[fact.name]):
            best[fact.name] = fact
    return best


def _rank(fact: Fact) -> tuple[int, int, int, str]:
    return fact.confidence, fact.last, fact.first, fact.value


def changes(facts: Iterable[Fact]) -> list[Change]:
    """Where a source said one thing up to a time, and another from then on; not what it said both of, time and again."""
    facts = list(facts)
    groups: dict[tuple[str, str], list[Fact]] = {}
    for fact in sorted(facts, key=_by_time):
        if fact.name not in (ADDRESS, FORMER):
            groups.setdefault((fact.name, fact.source), []).append(fact)
    found = [
        Change(name, before.value, after.value, after.first, source)
        for (name, source), group in groups.items()
        for before, after in pairwise(group)
        if after.first > before.last
    ]
    return sorted(found + _renumbered(facts), key=lambda change: (change.time, change.name, change.source))


def _renumbered(facts: Iterable[Fact]) -> list[Change]:
    """Another address in the place of one that is not seen any more, whoever says so; of IPv6 addresses a host has several by turns."""
    whole: dict[str, Fact] = {}
    for fact in sorted(facts, key=lambda each: (each.first, each.source)):
        if fact.name == ADDRESS and _address_order(fact.value)[0] != 6:
            known = whole.setdefault(fact.value, fact)
            whole[fact.value] = replace(known, last=max(known.last, fact.last))
    groups: dict[int, list[Fact]] = {}
    for fact in sorted(whole.values(), key=_by_time):
        groups.setdefault(_address_order(fact.value)[0], []).append(fact)
    pairs = [pair for group in groups.values() for pair in pairwise(group)]
    return [Change(ADDRESS, before.value, after.value, after.first, after.source) for before, after in pairs if after.first > before.last]


def addresses(facts: Iterable[Fact]) -> list[str]:
    """The addresses of an asset, IP before MAC."""
    return sorted({fact.value for fact in facts if fact.name == ADDRESS}, key=_address_order)


def _address_order(address: str) -> tuple[int, int, str]:
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return 9, 0, address
    return told.version, int(told), address


def identity_of(site: str | None, facts: Sequence[Fact]) -> str:
    """What an asset is called by for good: by the IP address that it had first, else by its first MAC address. It does not depend on the order of captures."""
    own = [fact for fact in facts if fact.name == ADDRESS]
    first = min(own, key=lambda fact: (_address_order(fact.value)[0] == 9, fact.first, _address_order(fact.value)))
    return asset_id(site, first.value)


def keys_of(site: str | None, facts: Iterable[Fact]) -> list[str]:
    """Identities that this asset may be known by: of its addresses as far as they are firmly its own, and of its serial number."""
    facts = list(facts)
    firm = [fact.value for fact in facts if fact.name == ADDRESS and (fact.confidence >= FIRM or _address_order(fact.value)[0] != 9)]
    return sorted({asset_id(site, key) for key in (*firm, *serial_keys(facts))})


def serial_keys(facts: Iterable[Fact]) -> list[str]:
    """Maker, model and serial number as one: that two devices do not share. Not of numbers that makers leave out, nor of what only a list says."""
    by_source: dict[str, dict[str, Fact]] = {}
    for fact in facts:
        by_source.setdefault(fact.source, {})[fact.name] = fact
    found: list[str] = []
    for each in by_source.values():
        serial = each.get("serial")
        if serial and serial.confidence >= FIRM and len(serial.value) >= 4 and set(serial.value) - DULL and "/" not in serial.source:
            parts = [each[name].value if name in each else "" for name in ("vendor", "model")]
            found.append("\x1e".join(["serial", *parts, serial.value]))
    return sorted(set(found))
