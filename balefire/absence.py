"""When a sensor did not run, or was killed before it had stored what it heard: from the end of the one before to the first that this one heard.

A window's coverage is stored together with the last of its rows, or after them, so that the newest tells up to when all is there, whatever ended the sensor.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute

from balefire.times import both
from detectors.rulebook.problems import text
from records.model import Batch
from records.nesting import SECOND
from records.query import Query
from records.search import Match
from records.store.contract import Commit
from sensors.engine.tables import LATENESS, WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.model import Text
    from records.store.contract import Store

compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
LEAD: Final = 2 * WINDOW  # before that up to which all is stored it begins once more: of a window amid which it begins it sees but a part
SOON: Final = 2 * SECOND  # by when one that has begun has told what time it is: nothing is lost by that
US: Final = uuid4().hex  # this process
TABLES: Final = {"activity": "activities", "point": "points", "coverage": "coverage"}


def announce(store: Store, observer: str) -> None:
    """Keep that one is about to listen for whom nobody ever did: until it judges, what listens holds what comes, and may be killed. Raises StoreError."""
    if store.state(f"listened-{observer}") is None and store.state(f"announced-{observer}") is None:
        told = {"until": 0, "began": time.time_ns(), "running": True, "run": "", "by": US}
        store.write(Commit(state={f"announced-{observer}": json.dumps(told).encode()}))


class Absence:
    """Of one observer; of none where it has no name. `note` is told when it last ended, and how."""

    def __init__(self, store: Store, observer: str | None, note: Callable[[Text], None]) -> None:
        self._store, self._observer, self._note = store, observer, note
        self._since = self._until = 0  # from when on not all is stored, 0 where that is told or nobody was before; up to when all is
        self._began = 0  # where nothing was stored before: when the first listened, by the clock of this machine
        self._owed = {"absent": 0, "dark": 0}  # nanoseconds that no window tells of, for no packet came to those that ended in order before
        self._run = ""
        self._cut = False  # whether the one before was killed
        self.again = False  # whether what was heard before comes once more: rows of it that are stored stay as they are
        self._amid = True  # whether the window amid which that begins, or the one behind it, is still open

    def begin(self, run: str) -> dict[str, bytes]:
        """Say what is missing from before; what is to be kept while this run goes on."""
        if not self._observer:
            return {}
        self._run = run
        if told := _read(self._store.state(self._name)) or self._announced():
            self.again = told["run"] == run
            self._until = self._whole_by(told)
            self._began = told["began"]
            self._since = self._until or self._began
            self._cut = told["running"]
            if self._until == told["until"]:  # else a window was stored, and told it
                self._owed = told["owed"]
            how = "again" if self.again else "killed" if told["running"] else "ended"
            self._note(text(f"cli.watch.{how}", since=both(self._since) if self._since else text("cli.watch.first")))
        self._began = self._began or time.time_ns()
        return self._kept(running=True)

    def until(self) -> int:
        """Up to when all is stored that was heard before; 0 where nothing is."""
        told = _read(self._store.state(self._name)) if self._observer else None
        return self._whole_by(told) if told else 0

    def fresh(self, batch: Batch, began: int | None, judged: int) -> Batch:
        """Of what comes once more, what is not stored yet, or was stored after detectors last kept (`judged`) what they know.

        Of the window amid which it begins there is but a part, and what is late in it may be an answer without its question: nothing of that, where that
        window is stored as a whole.
        """
        if not self.again:
            return batch
        whole = self._whole_from(began or 0) if self._amid else 0
        left = Batch(*(self._left(table, getattr(batch, name), whole, judged) for table, name in TABLES.items()))
        self._amid = self._amid and not compute.any(compute.greater_equal(batch.coverage.column("@timestamp").cast(pa.int64()), whole)).as_py()
        return left  # only now: where the store was away, this is asked anew

    def _whole_from(self, began: int) -> int:
        """The end of the window amid which it begins; 0 where that is not stored as a whole. What was a little late stands before what it was to begin with."""
        asked = self._until - LEAD
        whole = ((asked if 0 < asked - began < LATENESS else began) // WINDOW + 1) * WINDOW
        return whole if whole <= self._until else 0

    def _left(self, table: str, rows: pa.Table, whole: int, judged: int) -> pa.Table:
        rows = rows.filter(compute.greater_equal(rows.column("@timestamp").cast(pa.int64()), whole))
        times = rows.column("@timestamp").cast(pa.int64())
        before = rows.filter(compute.less_equal(times, judged))
        if not before.num_rows:
            return rows
        span = compute.min_max(before.column("@timestamp").cast(pa.int64())).as_py()
        query = Query(since=span["min"], until=span["max"] + 1, ids=tuple(map(str, before.column("id").to_pylist())))
        known = [part.column("id").combine_chunks() for part in self._store.history(table, query, ["id"], ordered=False)]
        stored = pa.concat_arrays([pa.array([], pa.string()), *(each.cast(pa.string()) for each in known)])
        return rows.filter(compute.invert(compute.is_in(rows.column("id"), value_set=stored)))

    def mark(self, batch: Batch, began: int | None) -> Batch:
        """The batch, whose first window tells how long nobody listened before this one `began` to hear."""
        if not batch.coverage.num_rows:
            return batch
        since, self._since = self._since, 0
        owed, self._owed = self._owed, dict.fromkeys(self._owed, 0)
        absent = max((began or 0) - since, 0) if since else 0
        if self._cut and absent > SOON:
            self._note(text("cli.watch.missing", since=both(since), until=both(began or 0)))
        if absent := absent + owed["absent"]:  # what the listener tells of itself is a part of it
            batch = _told(batch, "absent", lambda told: compute.max_element_wise(told, absent / SECOND))
        if owed["dark"]:
            batch = _told(batch, "dark", lambda told: compute.add(compute.fill_null(told, 0.0), owed["dark"] / SECOND))
        return batch

    def end(self, now: int, began: int | None, dark: int) -> dict[str, bytes]:
        """It ends in order: all that it heard until now is stored together with this. Where no packet came, the next one tells how long nobody listened before
        this one `began` to, and how long nothing could come (`dark`).
        """
        if self._since and began:
            self._owed["absent"] += max(began - self._since, 0)
        self._owed["dark"] += dark
        self._until = max(self._until, now)
        return self._kept(running=False) if self._observer else {}

    def _kept(self, running: bool) -> dict[str, bytes]:
        return {self._name: json.dumps({"until": self._until, "began": self._began, "running": running, "run": self._run, "owed": self._owed}).encode()}

    def _announced(self) -> dict[str, Any] | None:
        """What another process was about to do."""
        told = self._store.state(f"announced-{self._observer}")
        return _read(told) if told and US.encode() not in told else None

    @property
    def _name(self) -> str:
        return f"listened-{self._observer}"

    def _whole_by(self, told: dict[str, Any]) -> int:
        return max(told["until"], self._whole() if told["running"] else 0)

    def _whole(self) -> int:
        """Up to when all windows are there."""
        query = Query(sort="-@timestamp", limit=1, where=Match("observer.name", self._observer or "", cased=True))
        ends: Any = self._store.read("coverage", query).column("event.end").cast(pa.int64())
        return compute.max(ends).as_py() or 0


def _told(batch: Batch, name: str, more: Callable[[Any], Any]) -> Batch:
    """The batch with more seconds in this column of the coverage of its first window."""
    times, told = batch.coverage.column("@timestamp"), batch.coverage.column(name)
    rows = compute.if_else(compute.equal(times, compute.min(times)), more(told), told)
    return replace(batch, coverage=batch.coverage.set_column(batch.coverage.column_names.index(name), name, rows.cast(pa.float64())))


def _read(kept: bytes | None) -> dict[str, Any] | None:
    """What the one before has kept; None where there was none, or another version."""
    try:
        told: Any = json.loads(kept or b"")
        owed = {name: int(told.get("owed", {}).get(name, 0)) for name in ("absent", "dark")}
        return {
            "until": int(told["until"]),
            "running": bool(told["running"]),
            "run": str(told.get("run", "")),
            "began": int(told.get("began", 0)),
            "owed": owed,
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
