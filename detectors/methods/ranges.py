"""Values against the engineering ranges of the plant's tag list: what is written beyond one, and what is read beyond one. Nothing needs to be learned.

A list may mean another scale than the wire has: tenths, 4–20 mA as 0–27648, half of a number that fills two registers. So the first value of a point decides.
Was it in the range, those beyond it are told, once an hour or day. Was it not, that is told once, by a lower score, and the range is judged no more.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from detectors.baseline.levels import WRITES
from detectors.baseline.numbering import numbered
from detectors.baseline.places import WHERE
from detectors.baseline.signs import HALF, SURELY, VALUES, meant, raw
from detectors.gathering import plain
from detectors.noticing import COLUMNS, TAG, Notice, Remembering, Witness, among, compute, found, witness
from detectors.phrases import measured, span_words, thing
from records.formats import DAY, HOUR
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

KEY: Final = ("observer.name", *WHERE)
POINT: Final = ("id", "event.start", "event.end", "observer.site", *KEY, *TAG, *VALUES[2:])
MOST: Final = 65_536  # points that are remembered
AGAIN: Final = {"range-set": HOUR, "range-left": DAY}  # until so long after a finding the same is not told again
BASES: Final = {"range-set": 45.0, "range-left": 35.0}
FAR: Final = 20.0  # at most, for how far it is: as far as the range is wide
SCALE: Final = -25.0
TECHNIQUES: Final = {"range-set": ("T0836", "T0831"), "range-left": ("T0831", "T0832")}
RESPOND: Final = {"range-set": ("ask", "back", "process"), "range-left": ("process", "sensor", "writes")}


def build(setup: Setup) -> Ranges:
    """The detector, which names captures as the setup does."""
    return Ranges(setup.files)


@dataclass(slots=True)
class Scale:
    """Was the first value of a point in its range, so that list and wire mean the same scale? When one beyond it was told last (nanoseconds)."""

    fits: bool
    told: int | None = None


class Ranges(Remembering[Scale]):
    """Judges what is written, and points, wherever a list gives their range."""

    name = "ranges"
    form = 1

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of what is written, then those of points, each in the order of the rows."""
        return [*self._judged("range-set", _writes(batch.activities)), *self._judged("range-left", _points(batch.points))]

    def _revived(self, told: Any) -> Scale:
        return Scale(bool(told["fits"]), told["told"])

    def _judged(self, rule: str, rows: Any) -> Iterator[Finding]:
        """`rows` have the least and the greatest value as `low` and `high`. Looked at are those beyond their range, and the first of each point."""
        if not rows.num_rows:
            return
        numbers, kinds = numbered(rows, KEY)
        keys = [json.dumps([rule, *kind]) for kind in kinds]
        beyond = _distances(rows) > 0
        firsts = np.unique(numbers, return_index=True)[1]
        looked = np.union1d(np.flatnonzero(beyond), firsts[[keys[number] not in self._known for number in numbers[firsts]]])
        for at, row in zip(looked.tolist(), plain(rows.take(pa.array(looked))), strict=True):
            known = self._latest(keys[numbers[at]], lambda fits=not beyond[at]: Scale(fits), MOST)
            lately = known.told is not None and (not known.fits or row["event.start"] - known.told < AGAIN[rule])
            if beyond[at] and not lately:
                known.told = row["event.start"]
                yield self._finding(rule, dict.fromkeys(COLUMNS) | row, known.fits)

    def _finding(self, rule: str, row: Row, fits: bool) -> Finding:
        low, high = (bound if row[name] is None else float(row[name]) for name, bound in (("ot.tag.low", -np.inf), ("ot.tag.high", np.inf)))
        worst: float = row["high"] if row["high"] > high else row["low"]
        share = max(low - worst, worst - high) / (high - low) if low < high else 0.0  # 0 where one end is not known
        far = {"far": round(min(FAR, FAR * share), 1)} if share else {}
        terms = {"beyond": BASES[rule]} | far | ({} if fits else {"scale": SCALE})

        def values(language: str) -> dict[str, object]:
            return {"object": thing(row, language), "value": measured(row, worst), "range": span_words(row, language)}

        seen = witness(row) if rule == "range-set" else Witness(row["id"], 0, row["event.start"], row["event.end"], "value.read")
        notice = Notice(rule, row, [seen], terms, TECHNIQUES[rule], RESPOND[rule], values, (thing(row, "en"),))
        made = found(self.name, self._files, notice, _say)
        return made if rule == "range-set" else replace(made, packets=(), effects=())  # what a point was is told by no single packet


def _writes(rows: Any) -> Any:
    """What was written to points whose range is known, and not refused."""
    if (known := _listed(rows)) is None:
        return rows.slice(0, 0)
    done = compute.not_equal(compute.fill_null(rows["event.outcome"], ""), "failure")
    few = rows.filter(compute.and_(compute.and_(known, done), compute.and_(among(rows, "ot.effect", WRITES), compute.is_valid(rows["ot.value"]))))
    few = few.select([*COLUMNS, *TAG, "ot.value"])
    for name in VALUES:
        few = few.append_column(name, few["ot.value"])
    return _meant(few)


def _points(rows: Any) -> Any:
    """Points whose range is known."""
    if (known := _listed(rows)) is None:
        return rows.slice(0, 0)
    few = rows.filter(compute.and_(known, compute.is_valid(rows["ot.point.min"])))
    return _meant(few.select([*POINT, *VALUES[:2]]))


def _meant(rows: Any) -> Any:
    """The least and the greatest value as `low` and `high`. A register of 16 bits whose range goes below zero is signed: 65534 is −2."""
    spaces, lowest = rows["ot.object.space"].combine_chunks().dictionary_encode(), compute.fill_null(rows["ot.tag.low"], 0.0).to_numpy()
    registers = np.array([raw(space) for space in spaces.dictionary.to_pylist()] or [False], bool)[spaces.indices.fill_null(-1).to_numpy()]
    sides = np.where((lowest < 0) & (lowest >= -HALF) & registers, float(SURELY), 0.0)
    values = np.array([rows[name].to_numpy() for name in VALUES])
    meant(values, sides, lowest, lowest)
    names: list[Any] = [{"ot.point.min": "low", "ot.point.max": "high"}.get(name, name) for name in rows.column_names]
    for name, column in zip(VALUES, values, strict=True):
        rows = rows.set_column(place := rows.column_names.index(name), rows.schema.field(place), pa.array(column, pa.float64(), from_pandas=True))
    return rows.rename_columns(names)


def _listed(rows: Any) -> Any:
    """[row] → is a bound of its range known? None where no row has one, as where nothing was imported."""
    columns = [rows[name] for name in ("ot.tag.low", "ot.tag.high")]
    if all(column.null_count == rows.num_rows for column in columns):
        return None
    return compute.or_(*(compute.is_valid(column) for column in columns))


def _distances(rows: Any) -> Any:
    """[row] → how far its values are beyond their range; not above 0 where they are inside."""
    low, high = (compute.fill_null(rows[f"ot.tag.{name}"], bound).to_numpy() for name, bound in (("low", -np.inf), ("high", np.inf)))
    return np.maximum(low - rows["low"].to_numpy(), rows["high"].to_numpy() - high)


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"value.{key}" if key.startswith("respond.") else f"ranges.{key}", language, **words)
