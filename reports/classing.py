"""Which data of a site is of which class, and which of it left its zone: rules of data classes on what was seen, counted.

What data an operation moves, and which way, follows from its effect: what is read goes from who was asked to who asked, all else the other way. Its class is
that of the file or object that it is about, else that of the asset that the data comes from.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from detectors.gathering import plain
from detectors.policy.classes import DOMAINS, LEVELS, is_classes, read_classes
from detectors.rulebook import versions
from detectors.rulebook.document import read
from detectors.rulebook.frame import Frame
from records.query import Terms
from records.schema import ACTIVITY, ASSET, arrow_schema
from reports.exposing import Addresses, is_outside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from detectors.policy.classes import Class, Classes
    from records.model import Text
    from records.query import Span
    from records.schema import Table
    from records.store.contract import Store
    from reports.asking import Row, Source

MOST: Final = 100_000  # kinds of operations that are looked at; rarer ones are counted as not looked at
FLOWS: Final = 30
DIGITS: Final = 12
_MEANT: Final = re.compile(r"^classes:", re.MULTILINE)
SIDES: Final = ("source", "destination")
BASE: Final = ("source.asset.id", "source.ip", "destination.asset.id", "destination.ip", "ot.effect", "ot.access", "observer.site")
FETCHED: Final = frozenset({  # effects by which data comes from who was asked
    "value.read", "interrogation", "counter.interrogation", "identity.read", "discovery.request", "tags.browse", "mode.read", "program.upload",
    "configuration.read", "file.read", "directory.read", "time.read", "diagnostics.read",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules of a site, and of which files: `own`, the default; `digest` of their texts; `faulty`: files that are wrong, and count for nothing."""

    rules: tuple[Class, ...]
    title: Text
    own: bool
    digest: str
    faulty: tuple[str, ...] = ()


class Moved(NamedTuple):
    """What was moved, a row a kind of operation: `row` as the store tells it, its class (None: it has none), the asset that the data came from and the one
    that it went to, whether it came from who was asked (`fetched`), how many `operations`, and the zone of the origin.
    """

    row: Row
    data: Class | None
    origin: Row | None
    target: Row | None
    fetched: bool
    operations: int
    zone: str | None

    @property
    def asking(self) -> Row | None:
        """The asset that asked for the operation."""
        return self.target if self.fetched else self.origin

    @property
    def asked(self) -> Row | None:
        """The asset that was asked."""
        return self.origin if self.fetched else self.target

    @property
    def internet(self) -> bool:
        """Whether it went to an address of the Internet."""
        return is_outside(self.row[f"{SIDES[not self.fetched]}.ip"])

    @property
    def leaves(self) -> bool:
        """Whether it went out of its zone."""
        return self.zone is not None and self.zone != (self.target["zone"] if self.target else None)


@cache
def default() -> tuple[str, Classes]:
    """(text, rules) for a site that has none."""
    text = files("reports").joinpath("classes.yml").read_text("utf-8")
    found, faults = read_classes(read(text.encode()))
    if found is None:
        raise ValueError(f"reports/classes.yml: {faults}")
    return text, found


def in_force(store: Store) -> InForce:
    """The rules of the files that stood beside the rules that the store was last judged by; the default where none did."""
    try:
        kept = versions.decoded(store.state(versions.STATE))
    except ValueError:  # the next judging keeps them anew
        kept = []
    texts = [(name, text) for (root, name), text in kept[-1].files.items() if root != versions.OWN and "classes" in text] if kept else []
    return of_texts(texts)


def of_texts(texts: Iterable[tuple[str, str]]) -> InForce:
    """The rules of files, by name; of those that are no files of classes nothing counts."""
    found: list[tuple[str, Classes]] = []
    faulty: list[str] = []
    for name, text in texts:
        document = read(text.encode("utf-8", "surrogateescape"))
        made = read_classes(document)[0] if is_classes(document.data) else None
        if made is not None and not document.faults:
            found.append((text, made))
        elif is_classes(document.data) or (document.faults and _MEANT.search(text)):
            faulty.append(name)
    told = found or [default()]
    digest = sha256("\0".join(text for text, _ in told).encode("utf-8", "surrogateescape")).hexdigest()[:DIGITS]
    return InForce(tuple(rule for _, each in told for rule in each.rules), told[0][1].title, not found, digest, tuple(faulty))


def asked(source: Source, span: Span, rules: Sequence[Class], more: Sequence[str] = ()) -> pa.Table:
    """How often which kind of operation was in a period, the most frequent first: of all that a report asks a store, what takes longest.

    `more`: fields beside those that rules look at.
    """
    fields = tuple(dict.fromkeys((*BASE, *more, *sorted(name for rule in rules if rule.kind != "assets" for name in rule.fields))))
    return source.store.terms("activity", span.query(source.where("activity")), Terms(fields, MOST, "ot.count"))


def are_all(rows: pa.Table) -> bool:
    """Whether no kind of operation was too rare to be told of."""
    return rows.num_rows < MOST


def moved(rows: pa.Table, rules: Sequence[Class], known: Mapping[str, Row]) -> list[Moved]:
    """What the kinds of operations that were `asked` for moved. `known`: the assets, by each identity."""
    chosen = _chosen(rows, rules)
    of_assets = assets(known.values(), rules)
    addresses = Addresses(known)
    found: list[Moved] = []
    for row, rule in zip(plain(rows), chosen, strict=True):
        ends = [known.get(row[f"{side}.asset.id"]) or next(iter(addresses.of(row["observer.site"], row[f"{side}.ip"])), None) for side in SIDES]
        fetched = row["ot.effect"] in FETCHED
        target, origin = ends if fetched else reversed(ends)
        data = rules[rule] if rule >= 0 else of_assets.get(origin["id"]) if origin else None
        found.append(Moved(row, data, origin, target, fetched, int(row["total"] or 0), origin["zone"] if origin else None))
    return found


def assets(rows: Iterable[Row], rules: Sequence[Class]) -> dict[str, Class]:
    """The class of each asset that a rule for assets matches."""
    each = list({row["id"]: row for row in rows}.values())
    of = [rule for rule in rules if rule.kind == "assets"]
    frame = Frame(_table(ASSET, [{name: row[name] for name in ASSET.names} for row in each]), ASSET)
    return {row["id"]: of[place] for row, place in zip(each, _first(frame, of, np.ones(len(each), np.bool_)), strict=True) if place >= 0}


def _chosen(rows: pa.Table, rules: Sequence[Class]) -> list[int]:
    """For each row, the place of the rule that tells, -1 where none does: those for files of what works on files, those for objects of all else."""
    many = [name for name in rows.column_names if (field := ACTIVITY.field(name)) and field.many]
    for name in many:
        values: Any = pa.array([None if value is None else [value] for value in rows.column(name).to_pylist()], pa.list_(pa.string()))
        rows = rows.set_column(rows.column_names.index(name), name, values)
    frame = Frame(rows, ACTIVITY)
    of_file = np.array([access == "file" for access in rows.column("ot.access").to_pylist()], np.bool_)
    found = [-1] * rows.num_rows
    for kind, meant in (("files", of_file), ("objects", ~of_file)):
        places = [place for place, rule in enumerate(rules) if rule.kind == kind]
        for at, number in enumerate(_first(frame, [rules[place] for place in places], meant)):
            if number >= 0:
                found[at] = places[number]
    return found


def _first(frame: Frame, rules: Sequence[Class], meant: Any) -> list[int]:
    """For each row that is meant, the first of the rules that matches it, else -1."""
    found = np.full(frame.height, -1)
    for number, rule in enumerate(rules):
        found[rule.match(frame) & meant & (found < 0)] = number
    return found.tolist()


def _table(table: Table, rows: list[Row]) -> pa.Table:
    plainly = [{name: value for name, value in row.items() if name not in {"facts", "conflicts"}} for row in rows]
    return pa.Table.from_pylist(plainly, schema=arrow_schema(table))


def told(source: Source, span: Span, rows: pa.Table, known: Mapping[str, Row], rules: InForce) -> Row:
    """The part of a report about them. `rows`: what was `asked` for; `known`: the assets of the period, by each identity."""
    found = moved(rows, rules.rules, known)
    looked_at = sum(each.operations for each in found)
    of_assets = Counter((each.domain, each.level) for each in assets(known.values(), rules.rules).values())
    classed = [each for each in found if each.data]
    (flows, pairs), counts = _flows(classed), _counts(classed)
    return {
        "rules": _rules(rules, classed),
        "operations": looked_at if are_all(rows) else source.sum("activity", span, "ot.count"),
        "looked_at": looked_at,
        "classed": counts["operations"],
        "zoned": counts["zoned"],
        "leaving": counts["leaving"],
        "assets": len({row["id"] for row in known.values()}),
        "by_class": _by_class(rules.rules, classed, of_assets),
        "flows": flows[:FLOWS],
        "flow_count": len(flows),
        "leaving_pairs": pairs,
    }


def _rules(rules: InForce, classed: list[Moved]) -> Row:
    counts = Counter[int]()
    for each in classed:
        counts[id(each.data)] += each.operations
    listed = [
        {"kind": each.kind, "title": {"en": each.title.en, "zh": each.title.zh}, "domain": each.domain, "level": each.level, "operations": counts[id(each)]}
        for each in rules.rules
    ]
    title = {"en": rules.title.en, "zh": rules.title.zh}
    return {"title": title, "default": rules.own, "digest": rules.digest, "faulty": list(rules.faulty), "listed": listed}


def _by_class(rules: Sequence[Class], classed: list[Moved], of_assets: Mapping[tuple[str, int], int]) -> list[Row]:
    """Each class that there is a rule for, the highest level first."""
    made: list[Row] = []
    moved_of: dict[tuple[str, int], list[Moved]] = {}
    for each in classed:
        if each.data:
            moved_of.setdefault((each.data.domain, each.data.level), []).append(each)
    for level in reversed(LEVELS):
        for domain in DOMAINS:
            if any((rule.domain, rule.level) == (domain, level) for rule in rules):
                of = moved_of.get((domain, level), [])
                made.append({"domain": domain, "level": level, "assets": of_assets.get((domain, level), 0), **_counts(of)})
    return made


def _counts(of: list[Moved]) -> dict[str, int]:
    """Operations, those whose data came from a known zone, those whose data left it."""
    return {
        "operations": sum(each.operations for each in of),
        "zoned": sum(each.operations for each in of if each.zone is not None),
        "leaving": sum(each.operations for each in of if each.leaves),
    }


def _flows(classed: list[Moved]) -> tuple[list[Row], int]:
    """What left a zone, by class and zones, the highest level first, then the most; between how many pairs all of it went."""
    counts = Counter[tuple[int, str, str, str | None, bool]]()
    pairs: dict[Any, set[Any]] = {}
    for each in classed:
        if each.data and each.zone is not None and each.leaves:
            key = each.data.level, each.data.domain, each.zone, each.target["zone"] if each.target else None, each.internet
            counts[key] += each.operations
            pairs.setdefault(key, set()).add(tuple(each.row[f"{side}.{name}"] for side in SIDES for name in ("asset.id", "ip")))
    ordered = sorted(counts.items(), key=lambda item: (-item[0][0], -item[1], str(item[0])))
    rows = [
        {
            "domain": domain,
            "level": level,
            "from": zone,
            "to": to,
            "internet": internet,
            "operations": count,
            "pairs": len(pairs[level, domain, zone, to, internet]),
        }
        for (level, domain, zone, to, internet), count in ordered
    ]
    return rows, len(set[Any]().union(*pairs.values()))
