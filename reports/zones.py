"""What zones are called: the titles that the policies in force give them, for people who do not know the names that policies go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.policy.zones import is_policy, read_policy
from detectors.rulebook import versions
from detectors.rulebook.document import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.store.contract import Store
    from reports.asking import Row


def titles(store: Store) -> dict[str, Row]:
    """{name: its title in each language} of each zone of the policies that the store was last judged by. A zone that only a list of the plant names has
    no other title than that name.
    """
    try:
        kept = versions.decoded(store.state(versions.STATE))
    except ValueError:  # the next judging keeps them anew
        return {}
    return of_texts(text for text in kept[-1].files.values() if "zones:" in text) if kept else {}


def of_texts(texts: Iterable[str]) -> dict[str, Row]:
    """The same of the policies among these files; one that is wrong places no asset, and names no zone."""
    found: dict[str, Row] = {}
    for text in texts:
        document = read(text.encode("utf-8", "surrogateescape"))
        policy, faults = read_policy(document) if is_policy(document.data) else (None, [])
        if policy is not None and not (faults or document.faults):
            for zone in policy.zones.values():
                found.setdefault(zone.name, {"en": zone.title.en, "zh": zone.title.zh})
    return found
