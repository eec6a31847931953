"""Orders: what came before what, of that which hosts do one by one to a device. After a pause it begins anew.

A conversation is a source, a destination and a protocol. Of each effect it is known how often it came after which other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute

from detectors.baseline.habits import serving
from records.effects import EFFECTS
from records.formats import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.noticing import Row

compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
MOST: Final = 16_384  # conversations; beyond them nothing more is learned, and that is counted
PAUSE: Final = 30 * MINUTE  # after which it begins anew
BEGIN: Final = "begin"  # what stands for nothing before
SINGLE: Final = tuple(effect.name for effect in EFFECTS if effect.own and effect.access in ("command", "program", "write", "configure", "file"))
EXECUTING: Final = ("output.operate", "setpoint.write")
COLUMNS: Final = (
    "source.ip", "source.mac", "destination.ip", "destination.mac", "network.protocol", "ot.effect", "observer.name", "event.start", "event.outcome",
)  # fmt: skip


class Talk(NamedTuple):
    """Who does something to whom."""

    source: str
    destination: str
    protocol: str


Before = dict[str, dict[str, int]]  # by effect: what came before it, and how often


class Orders:
    """The orders of all conversations. `shed` counts those for which there was no room."""

    def __init__(self, known: Mapping[Talk, Before] | None = None, shed: int = 0) -> None:
        self.known = dict(known or {})
        self.shed = shed
        self._last: dict[tuple[str, Talk], tuple[str, int]] = {}
        self._devices: dict[tuple[str, str], Before] | None = None

    def learn(self, rows: pa.Table) -> None:
        """The order in which these activities came is normal."""
        self._devices = None
        for row in _single(rows):
            talk = talk_of(row)
            if talk is None or row["event.outcome"] == "failure":
                continue
            known = self.known.get(talk)
            if known is None:
                if len(self.known) >= MOST:
                    self.shed += 1
                    continue
                known = self.known[talk] = {}
            before = step(self._last, (row["observer.name"] or "", talk), row)
            after = known.setdefault(row["ot.effect"], {})
            after[before] = after.get(before, 0) + 1

    def needs(self, talk: Talk, effect: str, before: str) -> tuple[str, int] | None:
        """What always came before this effect, and how often that was, where this did not: in this conversation, or by anybody to this device where it is not
        known here. What was ever repeated may be.
        """
        device = self._of(talk)
        known = self.known.get(talk, {}).get(effect) or device.get(effect)
        if known is None and effect in EXECUTING:  # an outstation wants to be selected for all of it, or for none
            others = [device[other] for other in EXECUTING if other in device]
            known = {name: sum(other.get(name, 0) for other in others) for other in others for name in other if name not in EXECUTING}
        if not known or before in known:
            return None
        always = [(name, count) for name, count in known.items() if name != effect]
        return always[0] if len(always) == 1 and always[0][0] != BEGIN else None

    def _of(self, talk: Talk) -> Before:
        """What is known of a device, whoever did it."""
        if self._devices is None:
            self._devices = {}
            for (_, destination, protocol), known in self.known.items():
                whole = self._devices.setdefault((destination, protocol), {})
                for effect, after in known.items():
                    one = whole.setdefault(effect, {})
                    for before, count in after.items():
                        one[before] = one.get(before, 0) + count
        return self._devices.get((talk.destination, talk.protocol), {})


def talk_of(row: Row) -> Talk | None:
    """The conversation of a row; None for what serves the network, and where an end is not known."""
    source, destination = row["source.ip"] or row["source.mac"], row["destination.ip"] or row["destination.mac"]
    protocol = row["network.protocol"] or "unknown"
    return Talk(source, destination, protocol) if source and destination and protocol not in serving() else None


def step(last: dict[Any, tuple[str, int]], key: Any, row: Row) -> str:
    """What came before this row, which is the last one now."""
    effect, time = last.pop(key, (BEGIN, 0))
    last[key] = row["ot.effect"], row["event.start"]
    return effect if effect != BEGIN and row["event.start"] - time <= PAUSE else BEGIN


def _single(rows: Any) -> Iterator[Row]:
    few = rows.filter(compute.fill_null(compute.is_in(rows["ot.effect"], pa.array(SINGLE)), False)).select(list(COLUMNS))
    columns = [few[name].cast(pa.int64()) if name == "event.start" else few[name] for name in COLUMNS]
    for values in zip(*(column.to_pylist() for column in columns), strict=True):
        yield dict(zip(COLUMNS, values, strict=True))
