"""At which site an alert is: what of two plants is called alike, addresses among it, is told apart by that alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from records.query import Query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from records.store.contract import Store


def sites_of(store: Store, alerts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The sites of stored alerts, by their identities, as their findings tell; those of which none is known are left out."""
    asked = {name: str(row["id"]) for row in alerts if (of := row["findings"]) for name in (of[0], of[-1])}  # the oldest may be past its retention
    found = store.read("finding", Query(ids=tuple(asked))).select(["id", "observer.site"]).to_pylist() if asked else []
    return {asked[row["id"]]: str(row["observer.site"]) for row in found if row["observer.site"]}
