"""A month of a plant's activities from a seed, stored, and the truth about it: what a back-test is measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from records.effects import EFFECTS, NUMBER
from records.model import Batch
from records.schema import ACTIVITY, arrow_table
from records.store.contract import Commit
from sensors.engine.identity import DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.store.contract import Store

START: Final = 1_772_323_200_000_000_000  # 2026-03-01T00:00:00Z
SECOND: Final = 10**9
DAYS: Final = 30
COMMIT: Final = 500_000  # rows
HOSTS: Final = tuple(f"10.10.0.{number}" for number in range(10, 50))
DEVICES: Final = tuple(f"10.10.{net}.{number}" for net in range(1, 5) for number in range(1, 51))
# What is done, how it is called, and how often of a million rows: nearly all of it is polling.
DEEDS: Final = (
    ("value.read", "read_holding_registers", 700_000), ("value.read", "read_coils", 200_000), ("value.report", "report", 80_000),
    ("value.write", "write_register", 15_000), ("output.operate", "write_coil", 4_000), ("identity.read", "identify", 900), ("cpu.stop", "stop", 100),
)  # fmt: skip
NIGHT: Final = (20, 4)  # hours of UTC: from, until


@dataclass(slots=True)
class Truth:
    """How many rows there are, and how many of them each of the bench's rules is to fire on."""

    rows: int = 0
    night: int = 0
    refused: int = 0
    reads: int = 0  # of units from 3 on
    none: int = 0  # of a rule that is never enough


def batches(seed: int, rows: int, truth: Truth) -> Iterator[pa.Table]:
    """Activities in the order of their time, a commit at a time; `truth` is complete when they are used up."""
    rng = np.random.default_rng(seed)
    step = DAYS * 86_400 * SECOND // max(1, rows)
    for first in range(0, rows, COMMIT):
        count = min(COMMIT, rows - first)
        times = START + (first + np.arange(count, dtype=np.int64)) * step
        yield _table(rng, times, truth)


def fill(store: Store, seed: int, rows: int) -> Truth:
    """Store them."""
    truth = Truth()
    for table in batches(seed, rows, truth):
        store.write(Commit(Batch(activities=table)))
    return truth


def _table(rng: np.random.Generator, times: Any, truth: Truth) -> pa.Table:
    count = len(times)
    weights = np.array([deed[2] for deed in DEEDS], np.float64)
    deed = rng.choice(len(DEEDS), count, p=weights / weights.sum())
    host, device = rng.integers(0, len(HOSTS), count), rng.integers(0, len(DEVICES), count)
    outcome = (rng.random(count) < 0.01).astype(np.int64)
    accesses = [EFFECTS[NUMBER[name]].access for name, _action, _often in DEEDS]
    acts, reads = (np.isin(np.array(accesses)[deed], wanted) for wanted in (("write", "command"), ("read",)))
    hour = times // (3600 * SECOND) % 24
    late = (hour >= NIGHT[0]) | (hour < NIGHT[1])
    truth.rows += count
    truth.night += int((acts & late & (host >= 8)).sum())
    truth.refused += int((outcome == 1).sum())
    truth.reads += int((reads & (device % 8 >= 3)).sum())
    first = rng.integers(0, 400, count)
    own = np.array([EFFECTS[NUMBER[name]].own for name, _action, _often in DEEDS])[deed]
    columns: dict[str, Any] = {
        "id": _identities(rng, count), "@timestamp": times, "event.start": times, "event.end": times + np.where(own, 0, 59 * SECOND),
        "event.action": _names([name for _effect, name, _often in DEEDS], deed), "event.outcome": _names(["success", "failure"], outcome),
        "source.ip": _names(HOSTS, host), "destination.ip": _names(DEVICES, device), "destination.port": np.full(count, 502),
        "network.transport": _names(["tcp"], np.zeros(count, np.int64)), "network.protocol": _names(["modbus"], np.zeros(count, np.int64)),
        "observer.name": _names(["bench"], np.zeros(count, np.int64)),
        "ot.effect": _names([effect for effect, _name, _often in DEEDS], deed), "ot.access": _names(accesses, deed),
        "ot.code": _names(["3", "1", "4", "6", "5", "43/14", "90"], deed), "ot.unit": device % 8,
        "ot.object.space": _names(["holding_register"], np.zeros(count, np.int64)), "ot.object.first": first, "ot.object.last": first + 9,
        "ot.object.count": np.ones(count, np.int64), "ot.count": np.where(own, 1, 60), "ot.bytes": np.where(own, 24, 2460),
        "ot.rtt": rng.random(count) / 100, "ot.grouped": ~own, "ot.fragment": np.zeros(count, np.int64),
        "ot.packet.first": np.arange(count), "ot.packet.last": np.arange(count) + 1,
    }  # fmt: skip
    return arrow_table(ACTIVITY, columns, count)


def _names(names: Any, numbers: Any) -> Any:
    known: Any = pa.array(list(names))
    return known.take(pa.array(numbers))


def _identities(rng: np.random.Generator, count: int) -> Any:
    """Digits as identities have them: as many, and as little alike."""
    buffer: Any = pa.py_buffer
    return pa.StringArray.from_buffers(count, buffer(np.arange(count + 1, dtype=np.int32) * DIGITS), buffer(rng.bytes(DIGITS * count // 2).hex().encode()))
