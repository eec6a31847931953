"""The rulebook as a detector: single-event Sigma rules, each activity judged by itself, nothing learned and nothing remembered."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from detectors.phrases import COLUMNS, both, placeholders
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import Rulebook, load, own_rules
from detectors.rulebook.rule import Rule, fill
from detectors.rulebook.techniques import techniques_of
from detectors.scoring import Scorer
from records.model import Batch, Finding, PacketRef, Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from detectors.discovery import Setup
    from detectors.phrases import Row

_KEPT: Final = frozenset(COLUMNS) | {
    "id", "@timestamp", "event.start", "event.end", "observer.name", "observer.site", "ot.packet.first", "ot.packet.last", "source.asset.id",
    "destination.asset.id",
}  # fmt: skip


def build(setup: Setup) -> Rules:
    """The detector with Balefire's own rules and those of the setup."""
    return Rules(load((own_rules(), *setup.rules)), setup.files)


class Rules:
    """Judges with a rulebook. What is wrong with rules stands in `book.problems`; those rules are not among `book.rules`."""

    name = "rules"

    def __init__(self, book: Rulebook, files: Mapping[str, str]) -> None:
        self.book = book
        self._files = files

    def learn(self, batch: Batch) -> None:
        """Rules do not learn."""

    def judge(self, batch: Batch) -> list[Finding]:
        """One finding for each rule that matches a row, in the order of rows, then of rule ids."""
        frame = Frame(batch.activities)
        found = [(row, place, finding) for place, rule in enumerate(self.book.rules) for row, finding in self._found(rule, frame)]
        return [finding for _, _, finding in sorted(found, key=lambda one: one[:2])]

    def state(self) -> bytes:
        """Nothing: every activity is judged by itself."""
        return b""

    def restore(self, state: bytes) -> None:
        """Take up nothing. Raises ValueError for anything else."""
        if state:
            raise ValueError("the rulebook has no state")

    def _found(self, rule: Rule, frame: Frame) -> Iterator[tuple[int, Finding]]:
        rows = np.flatnonzero(rule.match(frame))
        if not len(rows):
            return
        scorer = Scorer(rule, frame)
        wanted = _KEPT | set(rule.key)
        for number, row in zip(rows.tolist(), _rows(frame.table, rows, wanted), strict=True):
            yield number, self._finding(rule, row, scorer, number)

    def _finding(self, rule: Rule, row: Row, scorer: Scorer, number: int) -> Finding:
        english, chinese = placeholders(row, "en"), placeholders(row, "zh")
        done, why = both(row), fill(rule.description, english, chinese)
        effect = row["ot.effect"]
        return Finding(
            id=blake2b(f"{rule.id}\0{row['id']}".encode(), digest_size=10).hexdigest(),
            key="|".join((rule.id, *(_key_part(row, name) for name in rule.key))),
            detector=self.name,
            rule=rule.id,
            time=_start(row),
            end=_end(row),
            terms=scorer.terms(number),
            title=fill(rule.title, english, chinese),
            reason=Text(f"{done.en} {why.en}", f"{done.zh}{why.zh}"),
            source=row["source.ip"],
            destination=row["destination.ip"],
            effects=(effect,) if effect else (),
            techniques=tuple(dict.fromkeys((*techniques_of(effect), *rule.techniques))),
            activities=(row["id"],),
            assets=tuple(dict.fromkeys(asset for side in ("source", "destination") if (asset := row[f"{side}.asset.id"]))),
            packets=self._packets(row),
            observer=row["observer.name"] or "",
            site=row["observer.site"],
            normal=rule.normal,
            respond=rule.respond,
        )

    def _packets(self, row: Row) -> tuple[PacketRef, ...]:
        observer = row["observer.name"] or ""
        file = self._files.get(observer, observer)
        first, last = row["ot.packet.first"], row["ot.packet.last"]
        ends = {} if last is None else {last: _end(row)}
        starts = {} if first is None else {first: _start(row)}
        return tuple(PacketRef(file, packet, time) for packet, time in (starts | {n: t for n, t in ends.items() if n not in starts}).items())


def _start(row: Row) -> int:
    return cast("int", row["@timestamp"] if row["event.start"] is None else row["event.start"])


def _end(row: Row) -> int:
    return _start(row) if row["event.end"] is None else cast("int", row["event.end"])


def _key_part(row: Row, name: str) -> str:
    """A key's field; a host without an IP address is known by its MAC address."""
    value = row.get(name)
    if value is None and name.endswith(".ip"):
        value = row.get(name.removesuffix("ip") + "mac")
    return "" if value is None else str(value)


def _rows(table: pa.Table, rows: npt.NDArray[np.intp], wanted: frozenset[str] | set[str]) -> Iterator[Row]:
    """The matching rows as plain values; dates are nanoseconds, for Python's own stop at microseconds."""
    some = table.take(rows)
    columns: dict[str, list[Any]] = {}
    for name in wanted:
        if name not in some.column_names:
            columns[name] = [None] * len(rows)
            continue
        column = some.column(name)
        columns[name] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))
