"""Are all indices of a store there? What its ledger's index has noted as written to is compared with what the cluster has.

An alias answers for the indices that it has, and says nothing of one that somebody deleted, or took out of it: so every question looks first. The note of
an index goes with it when it is retired.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from records.errors import StoreError
from records.store.templates import BY_PERIOD, LEDGER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from records.store.cluster import Cluster
    from records.store.templates import Names

NOTE: Final = "written-"  # what the note of an index is called in the ledger's index, before the name of that
RETIRING: Final = "retiring"  # in a note: its index is being dropped
KNOWN_S: Final = 5.0  # how long what was noted is taken to be all
LOOKS: Final = 3  # an index that is missing so often in a row is: one that is just being made or dropped is not
PAUSE_S: Final = 0.1
MOST: Final = 10_000  # notes


class Presence:
    """Looks for the indices of one store."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster, self._names = cluster, names
        self._known: set[str] = set()
        self._looked: float | None = None

    def look(self, name: str) -> bool:
        """Whether there is an index, or an alias, of this name. Raises StoreError where one that was written to is not there, or not in its alias."""
        if self._looked is None or time.monotonic() - self._looked > KNOWN_S:
            self._known, self._looked = self.noted(), time.monotonic()
        missing = ""
        for look in range(LOOKS):
            time.sleep(PAUSE_S if look else 0)
            found = self._found(name)
            self._known -= {index for index in self._known - found if self._belongs(index, name) and not self._is_noted(index)}
            missing = next((index for index in sorted(self._known - found) if self._belongs(index, name)), "")
            if not missing:
                return bool(found)
        raise StoreError("elastic.unaliased" if self._found(missing) else "elastic.missing", place=self._cluster.place.shown, index=missing)

    def add(self, indices: Iterable[str]) -> None:
        """These have been noted."""
        self._known |= set(indices)

    def noted(self) -> set[str]:
        """The indices that were written to, as of now; those that are being retired are left out."""
        client, ledger = self._cluster.client, self._names.of(LEDGER)
        answer = self._cluster.ask(lambda: client.search(index=ledger, size=MOST, source_includes=[RETIRING], allow_partial_search_results=False))
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return {hit["_id"].removeprefix(NOTE) for hit in hits if hit["_id"].startswith(NOTE) and not hit["_source"].get(RETIRING)}

    def missing(self) -> list[str]:
        """The indices that were written to and are not there."""
        return sorted(index for index in self.noted() - self._found(self._names.of("*")) if self._is_noted(index))

    def closed(self) -> list[str]:
        """The indices of this store that somebody has closed."""
        # not by a wildcard for those that are open: a server with roles takes it for the alias, too, which leads to all
        asked: dict[str, Any] = {"metric": "metadata", "filter_path": "metadata.indices.*.state", "expand_wildcards": ["open", "closed"]}
        told = self._cluster.ask(lambda: self._cluster.client.cluster.state(index=self._names.of("*"), **asked)).body
        states: dict[str, dict[str, str]] = told.get("metadata", {}).get("indices", {})
        return sorted(index for index, body in states.items() if body["state"] == "close" and self._names.owns(index))

    def _found(self, name: str) -> set[str]:
        client = self._cluster.client.indices
        return set(self._cluster.ask(lambda: client.get(index=name, features="aliases", ignore_unavailable=True, expand_wildcards=["open", "closed"])).body)

    def _belongs(self, index: str, name: str) -> bool:
        """Whether who asks for `name` means this index, too."""
        return index == name or any(name == self._names.of(table) and self._names.start_of(table, index) for table in BY_PERIOD)

    def _is_noted(self, index: str) -> bool:
        """Whether it still is: a search knows that late."""
        client = self._cluster.client.options(ignore_status=404)
        found = self._cluster.ask(lambda: client.get(index=self._names.of(LEDGER), id=f"{NOTE}{index}"))
        return bool(found.get("found")) and not found["_source"].get(RETIRING)
