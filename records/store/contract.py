"""What every store does. One battery of tests (`tests/test_store.py`) runs over every store."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from records.errors import ConflictError
from records.model import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from records.model import Alert, Asset, Evidence, Finding, Suppression
    from records.query import Histogram, Query, Span, Terms
    from records.store.spool import Spool

T = TypeVar("T")
ABSENT: Final = frozenset({"store.missing", "elastic.unmade"})  # StoreErrors of a place where no store is yet
FULL: Final = "store.full"  # what waits for a store waits until there is room on its disk, too
AWAY: Final = frozenset(  # StoreErrors that pass by themselves
    {"elastic.unreachable", "elastic.disconnected", "elastic.timeout", "elastic.busy", "elastic.red", "elastic.watermark"}
)


@dataclass(frozen=True, slots=True)
class Commit:
    """What is written together or not at all: rows released since the last commit, what was found in them, and the detectors' state.

    `alerts` are folded on the stored ones, whose revision they carry; `judged` is the version of the suppressions that the findings were marked by.
    `evidence` of a finding that has some is not kept twice; it is, where that is gone.
    """

    batch: Batch = field(default_factory=Batch)
    findings: tuple[Finding, ...] = ()
    alerts: tuple[Alert, ...] = ()
    assets: tuple[Asset, ...] = ()
    state: dict[str, bytes] = field(default_factory=dict[str, bytes])
    judged: int | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody decided about an alert or a suppression: the fields of `values` become so (flat columns), and the audit trail tells it.

    `revision` is that of the row on which it was decided; None makes a new row. Without `values` it is a note, which goes with any revision.
    What is decided about something that is no table (the rules) has no row: only the trail tells it, with `before` as what was.
    """

    table: str
    id: str
    revision: int | None
    action: str
    by: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a commit changed: rows that were new, rows that were there already, and identities that came with another content (`table/id`).

    `refused` are rows that the store cannot hold, kept among its dead letters.
    """

    new: int = 0
    known: int = 0
    conflicts: tuple[str, ...] = ()
    refused: int = 0


class Store(Protocol):
    """A place where records are kept. Writing an identity that is there changes nothing; another content under it is reported, never stored.

    `spool` is where commits wait for a store that may be away; None where it is on this machine, or only read.
    """

    spool: Spool | None

    def write(self, commit: Commit) -> Written:
        """Write one commit, atomically. Raises StoreError: disk full, store in use by another writer, newer version.

        Raises ConflictError, and writes nothing, where somebody decided about one of its alerts, or about suppressions, since they were read.
        """
        ...

    def change(self, changes: Sequence[Change], newest: int | None = None) -> None:
        """Make decisions, all or none, each with its entry in the audit trail; also while another process writes, and from a store opened to read.

        Raises ConflictError where a row has another revision, or where `newest` is given and is not the newest packet time any more.
        """
        ...

    def read(self, table: str, query: Query) -> pa.Table:
        """Rows of a table (its schema's columns) that match, sorted, one page."""
        ...

    def history(self, table: str, query: Query, fields: Sequence[str], *, ordered: bool = True) -> Iterator[pa.Table]:
        """These columns of the rows that match, some rows at a time, in the order in which they were released; in any order unless `ordered`.

        Sort and page of the query do not count. Only activities and points have an order of release.
        """
        ...

    def get(self, table: str, identity: str) -> dict[str, Any] | None:
        """One row as flat columns (json fields decoded, dates as nanoseconds), or None."""
        ...

    def find(self, prefix: str, tables: Sequence[str] = ("alert", "finding")) -> list[tuple[str, str]]:
        """(table, id) of the rows of these tables whose id starts with `prefix`, at most 3. Not of activities and points."""
        ...

    def count(self, table: str, query: Query) -> int:
        """How many rows match; limit and page do not count."""
        ...

    def histogram(self, table: str, query: Query, histogram: Histogram) -> pa.Table:
        """Columns time (bucket start), by (where asked), total; a row counts once for each of its different values of a field with many."""
        ...

    def terms(self, table: str, query: Query, terms: Terms) -> pa.Table:
        """The asked fields and total, most frequent first, ties by the fields' values. Rows that know none of the fields do not count."""
        ...

    def sums(self, table: str, query: Query, fields: Sequence[str]) -> dict[str, int]:
        """The sum of each of these fields over all rows that match, rounded to the nearest whole number (of two, the even one)."""
        ...

    def stamp(self, table: str, span: Span) -> str:
        """What tells that a span of a table is as it was: another one once rows of it came, went or are called otherwise. It may differ without cause."""
        ...

    def newest(self) -> int | None:
        """Newest packet time in the store, nanoseconds: "last 24 hours" ends here where nothing is live."""
        ...

    def entries(self) -> int | None:
        """How many entries the audit trail has, by a number that stands apart from it; None where it was written before there was one."""
        ...

    def alerts_of(self, keys: Iterable[str]) -> list[Alert]:
        """The stored alerts of these finding keys."""
        ...

    def alerts(self, identities: Iterable[str]) -> list[Alert]:
        """The stored alerts of these identities."""
        ...

    def taken(self, findings: Iterable[str]) -> dict[str, str | None]:
        """Of the findings with these identities, those that are stored, each with the alert that took it in (None: it is hidden)."""
        ...

    def suppressions(self) -> tuple[int, list[Suppression]]:
        """Every suppression, in force or not, and their version, which any decision about one changes."""
        ...

    def state(self, name: str) -> bytes | None:
        """What a detector saved under its name, or None."""
        ...

    def states(self) -> dict[str, bytes]:
        """What all detectors saved, by name."""
        ...

    def restore(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put flat rows of a table that may change as they are, audit entries in their order: they come from another store. Nothing else may do so."""
        ...

    def relabel(self, table: str, change: Callable[[pa.Table], pa.Table], since: int) -> int:
        """Other labels (see `records.schema.Table`) for activities, points or findings from this time on (nanoseconds); how many have others now.

        `change` is given some rows at a time and gives the same rows, in their order; of what it gives, only labels count.
        """
        ...

    def renew(self, table: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> int:
        """Put each flat row of a table that may change as `change` gives it: under the same identity, called otherwise. How many are not as they were."""
        ...

    def packets(self, finding: str) -> bytes | None:
        """The packets that are kept for a finding (pcapng), None where none are, or no more. Raises StoreError where they are not what was kept."""
        ...

    def thin(self, most: int, before: int) -> int:
        """Bound what is kept of packets; for how many findings it went. What was kept before this time (nanoseconds) goes, save that of alerts that are
        not closed; then, while it takes more than `most` octets, the oldest goes, that of alerts that are not closed last.
        """
        ...

    def expired(self, before: int) -> dict[str, int]:
        """How many rows `retire` would drop now, by table; tables without any are left out."""
        ...

    def retire(self, before: int, by: str = ...) -> dict[str, int]:
        """Drop what is older: whole periods whose end and last write are both before this time (nanoseconds), and documents that are so; how many rows
        went, by table. The audit trail tells it, and who had it done.
        """
        ...

    def check_rights(self) -> None:
        """Raises StoreError where who asks may not write commits here: what is read for them would wait for somebody who may."""
        ...

    def notes(self) -> dict[str, int]:
        """Numbers that were noted about the store itself, by name: when which housekeeping was done."""
        ...

    def note(self, name: str, value: int, was: int | None) -> bool:
        """Note a number, if what was noted under the name is still `was` (None: nothing); whether it was. Of several who try at once, one does."""
        ...

    def close(self) -> None:
        """Let go of files and locks."""
        ...


def again(attempt: Callable[[], T], tries: int = 20) -> T:
    """The result of the first attempt that nobody came before. Each attempt reads anew what it decides on. Raises ConflictError after the last."""
    for _ in range(tries - 1):
        with contextlib.suppress(ConflictError):
            return attempt()
    return attempt()
