"""How far back a store can tell: what was deleted at the end of its retention is not what was never recorded. Reports that were made before it went, last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from records.nesting import period
from records.query import Query
from records.search import And, Match, Not

if TYPE_CHECKING:
    from records.store.contract import Store
    from reports.periods import Period


class Earlier(Protocol):
    """The reports that were made before."""

    def of(self, period: Period, site: str | None) -> dict[str, Any] | None:
        """The report that was made of a period, of a site or of all (None), if one was."""
        ...

    def spoiled(self, period: Period) -> list[str]:
        """The reports that were made of such a period and cannot be read any more, or were changed."""
        ...


class NoneMade:
    """No report was made of any period."""

    def of(self, period: Period, site: str | None) -> None:
        """None."""
        del period, site

    def spoiled(self, period: Period) -> list[str]:
        """None."""
        del period
        return []


def reach(store: Store) -> int:
    """Before this time (nanoseconds) rows were deleted, as the audit trail tells; 0 where none ever were. Kept packets are no part of a report."""
    deleted = And((Match("action", "retire"), Not(Match("table", "evidence"))))
    found = store.read("audit", Query(where=deleted, sort="-subject", limit=1)).select(["subject"]).to_pylist()
    return (period(found[0]["subject"]) or (0, 0))[0] if found else 0
