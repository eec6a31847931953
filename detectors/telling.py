"""Findings of rules: a row that matches, or rows that come to enough, with everything that a person asks of them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, cast

from detectors import gathering
from detectors.gathering import plain, told
from detectors.phrases import COLUMNS, Placeholders, point_row, point_sentence, sentence
from detectors.rulebook.rule import fill
from detectors.rulebook.techniques import techniques_of
from records.model import Finding, PacketRef, Text
from records.schema import POINT
from records.wording import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from detectors.phrases import Row
    from detectors.rulebook.correlation import Correlation
    from detectors.rulebook.rule import Rule
    from detectors.rulebook.watch import Firing
    from records.model import Term
    from records.schema import Table

# What a finding needs of its rows beside what its texts name.
KEPT: Final = frozenset(COLUMNS) | {
    "id", "@timestamp", "event.start", "event.end", "observer.name", "observer.site", "ot.packet.first", "ot.packet.last", "source.asset.id",
    "destination.asset.id", "ot.point.min", "ot.point.max", "ot.point.last", "ot.point.count",
}  # fmt: skip
MOST: Final = 50  # rows at each end of a long one whose identities and packets a finding carries
MOST_ASSETS: Final = 50


@dataclass(frozen=True, slots=True)
class Words:
    """A row in words, in both languages: what texts may name of it, and what was done."""

    english: Mapping[str, str]
    chinese: Mapping[str, str]
    done: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What a finding says of its rows. Of a single row, it is the same for every rule that the row fires."""

    words: Words
    times: tuple[int, int]
    effects: tuple[str, ...]
    source: str | None
    destination: str | None
    activities: tuple[str, ...]
    assets: tuple[str, ...]
    packets: tuple[PacketRef, ...]
    observer: str
    site: str | None


def _row_words(row: Row, table: Table) -> Words:
    """A row of this table in words."""
    point = table is POINT
    english, chinese = (Placeholders(point_row(row) if point else row, language) for language in LANGUAGES)
    say_it = point_sentence if point else sentence
    return Words(english, chinese, (say_it(row, "en"), say_it(row, "zh")))


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes findings of the detector of this name. `files`: the capture's name by observer."""

    detector: str
    files: Mapping[str, str]

    def told(self, row: Row, table: Table) -> Told:
        """What every finding says of this row of a table."""
        effect = row.get("ot.effect")
        return self._told(_row_words(row, table), (_start(row), _end(row)), (effect,) if effect else (), [row])

    def single(self, rule: Rule, row: Row, said: Told, terms: tuple[Term, ...]) -> Finding:
        """The finding of one row."""
        return self._finding(rule, identity(rule.id, str(row["id"])), [_key_part(row, name) for name in rule.key], terms, said)

    def together(self, rule: Rule, correlation: Correlation, firing: Firing, completing: Row, terms: tuple[Term, ...]) -> Finding:
        """The finding of rows that came to enough."""
        english, chinese = gathering.words(correlation, firing, completing)
        words = Words(english, chinese, told(correlation, firing, completing))
        group = dict(zip(correlation.group, firing.group, strict=True))
        times = plain(_columns(firing.rows, ("@timestamp", "event.start", "event.end")))
        span = (min(map(_start, times)), max(map(_end, times)))
        said = self._told(words, span, tuple(_different(firing.rows, "ot.effect")), plain(_ends(firing.rows)), firing.rows)
        key = ["" if group[name] is None else str(group[name]) for name in rule.key]
        return self._finding(rule, identity(rule.id, str(completing["id"]), *firing.group), key, terms, said)

    def _told(self, words: Words, times: tuple[int, int], effects: tuple[str, ...], rows: list[Row], whole: pa.Table | None = None) -> Told:
        return Told(
            words=words,
            times=times,
            effects=effects,
            source=_one(rows, whole, "source.ip"),
            destination=_one(rows, whole, "destination.ip"),
            activities=tuple(row["id"] for row in rows),
            assets=tuple(_assets(rows))[:MOST_ASSETS],
            packets=tuple(dict.fromkeys(packet for row in rows for packet in self._packets(row))),
            observer=rows[-1].get("observer.name") or "",
            site=rows[-1].get("observer.site"),
        )

    def _finding(self, rule: Rule, name: str, key: Sequence[str], terms: tuple[Term, ...], said: Told) -> Finding:
        words = said.words
        why = fill(rule.description, words.english, words.chinese)
        return Finding(
            id=name,
            key="|".join((rule.id, *key, *((said.site,) if said.site and "observer.site" not in rule.key else ()))),
            detector=self.detector,
            rule=rule.id,
            time=said.times[0],
            end=said.times[1],
            terms=terms,
            title=fill(rule.title, words.english, words.chinese),
            reason=Text(f"{words.done[0]} {why.en}", f"{words.done[1]}{why.zh}"),
            source=said.source,
            destination=said.destination,
            effects=said.effects,
            techniques=tuple(dict.fromkeys((*(one for effect in said.effects for one in techniques_of(effect)), *rule.techniques))),
            activities=said.activities,
            assets=said.assets,
            packets=said.packets,
            observer=said.observer,
            site=said.site,
            normal=rule.normal,
            respond=rule.respond,
        )

    def _packets(self, row: Row) -> tuple[PacketRef, ...]:
        observer = row.get("observer.name") or ""
        file = self.files.get(observer, observer)
        first, last = row.get("ot.packet.first"), row.get("ot.packet.last")
        ends = {} if last is None else {last: _end(row)}
        starts = {} if first is None else {first: _start(row)}
        return tuple(PacketRef(file, packet, time) for packet, time in (starts | {n: t for n, t in ends.items() if n not in starts}).items())


def identity(rule: str, row: str, *group: object) -> str:
    """The identity of the finding of a rule that this row gives; of a correlation, that it completes for this group."""
    parts = (rule, row, *([repr(group)] if group else []))
    return blake2b("\0".join(parts).encode(), digest_size=10).hexdigest()


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


def _columns(table: pa.Table, names: Iterable[str]) -> pa.Table:
    return table.select([name for name in names if name in table.column_names])


def _different(table: pa.Table, name: str) -> list[Any]:
    """The different values of a column, in the order in which they first come."""
    if name not in table.column_names:
        return []
    return [value for value in table.column(name).unique().to_pylist() if value is not None]


def _one(rows: list[Row], whole: pa.Table | None, name: str) -> str | None:
    """The value where it is the same in all of them."""
    if whole is None:
        return rows[0].get(name)
    values = whole.column(name).unique().to_pylist() if name in whole.column_names else []
    return values[0] if len(values) == 1 else None


def _ends(table: pa.Table) -> pa.Table:
    """The first and the last rows of many."""
    if table.num_rows <= 2 * MOST:
        return table
    return table.take([*range(MOST), *range(table.num_rows - MOST, table.num_rows)])


def _assets(rows: list[Row]) -> dict[str, None]:
    return dict.fromkeys(asset for row in rows for side in ("source", "destination") if (asset := row.get(f"{side}.asset.id")))
