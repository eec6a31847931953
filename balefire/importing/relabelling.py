"""What is stored already is called by the names that were imported just now: activities, points, findings, alerts, assets. What happened stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from detectors.phrases import references, thing
from detectors.placing import LIST, placed
from records.assets import with_facts
from records.model import Batch
from records.plant import ListedAsset, Plant, label_key
from records.query import Query
from records.schema import TABLES, TITLED
from records.store.rows import asset_from, asset_row
from records.wording import say
from sensors.context import with_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from records.facts import Fact
    from records.plant import Tag
    from records.store.contract import Store

Row = dict[str, Any]
MOST: Final = 5_000_000  # rows of a table that are written anew
DAYS: Final = (180, 30, 7, 1)  # of packets; the first that has no more rows is taken
DAY: Final = 86_400_000_000_000
_ADDRESS: Final = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?![\w:]|\.\d)")

_PLACE: Final = re.compile(r"[A-Za-z0-9_%][\w.:/\[\]%]*(?<![.:])")  # a number or a label


@dataclass(frozen=True, slots=True)
class Relabelled:
    """How many rows of each table have other labels now, and from which time on (nanoseconds) it was looked for them; None: all."""

    rows: dict[str, int]
    since: int | None


def relabel(store: Store, before: Plant, plant: Plant) -> Relabelled:
    """Names of `plant` for what is stored, in place of those of `before`. Raises StoreError where another process writes into the store."""
    since = _since(store)
    texts = Texts(before, plant)

    gone = Plant([ListedAsset(address, (address,)) for address in _shown(before).keys() - _shown(plant).keys()])  # called by their addresses again

    def activities(rows: pa.Table) -> pa.Table:
        return with_context(with_context(Batch(activities=rows), gone), plant).activities

    def points(rows: pa.Table) -> pa.Table:
        return with_context(Batch(points=rows), plant).points

    def asset(row: Row) -> Row:
        found = asset_from(row)
        unlisted = with_facts(replace(found, facts=tuple(fact for fact in found.facts if fact.source != LIST)), ())
        (named,) = placed([unlisted], [], {}, plant)
        return asset_row(with_facts(unlisted, _told_anew(found.facts, named.facts)))

    changed = {name: store.relabel(name, change, since or 0) for name, change in (("activity", activities), ("point", points), ("finding", texts.column))}
    changed |= {name: store.renew(name, change) for name, change in (("alert", texts.row), ("asset", asset))}
    return Relabelled(changed, since)


def _told_anew(before: Sequence[Fact], after: Sequence[Fact]) -> Iterator[Fact]:
    """What lists say now, and as its history what they said instead until now (by packets), which nobody believes any more."""
    said = [fact for fact in before if fact.source == LIST]
    for fact in after:
        if fact.source == LIST:
            others = [replace(other, confidence=0) for other in said if other.name == fact.name and other.value != fact.value]
            same = next((other for other in said if other.confidence and (other.name, other.value) == (fact.name, fact.value)), None)
            begun = same.first if same else max((other.last + 1 for other in others), default=fact.first)
            yield from (*others, replace(fact, first=begun, last=max(begun, fact.last)))


def _since(store: Store) -> int | None:
    """From when on rows are written anew, so that there are not too many; None: all of them."""
    newest = store.newest()
    most = max(store.count(name, Query()) for name in ("activity", "point"))
    if newest is None or most <= MOST:
        return None
    starts = [newest - days * DAY for days in DAYS]
    return next((start for start in starts if max(store.count(name, Query(since=start)) for name in ("activity", "point")) <= MOST), starts[-1])


class Texts:
    """Puts the names of devices into texts that name their addresses, and those of points into texts of one device that name their places."""

    def __init__(self, before: Plant, plant: Plant) -> None:
        self._old = _shown(before)
        self._new = _shown(plant)
        self._plants = before, plant
        self._places: dict[tuple[int, str, str], Places] = {}

    def text(self, told: str, language: str) -> str:
        """`10.0.0.5` becomes `PLC-7 (10.0.0.5)`, and `PLC-6 (10.0.0.5)` too where that was its name; so does `register 40017` of it."""
        addresses = set(_ADDRESS.findall(told))
        for address in addresses & self._old.keys():
            told = told.replace(say("detectors.phrase.named", language, name=self._old[address], address=address), address)
        told = _ADDRESS.sub(lambda found: self._named(told, found, language), told)
        old, new = (self._of(number, addresses, language) for number in range(2))
        return new.put_in(old.take_out(told))

    def _of(self, number: int, addresses: set[str], language: str) -> Places:
        """The places of the one of these devices that has some in this plant; of several nobody can tell whose place is meant."""
        devices = addresses & self._plants[number].tagged
        key = (number, devices.pop() if len(devices) == 1 else "", language)
        if key not in self._places:
            self._places[key] = Places([tag for tag in self._plants[number].tags if tag.device == key[1]], language)
        return self._places[key]

    def _named(self, told: str, found: re.Match[str], language: str) -> str:
        address = found[0]
        name = self._new.get(address)
        if name is None or told[: found.start()].endswith(("(", "（")):  # it has a name there already
            return address
        return say("detectors.phrase.named", language, name=name, address=address)

    def row(self, row: Row) -> Row:
        """A flat row with its texts in each language."""
        return row | {name: self.text(row[name], name[-2:]) for name in TITLED if row[name]}

    def column(self, rows: pa.Table) -> pa.Table:
        """Rows of findings with their texts in each language."""
        schema: Any = TABLES["finding"]
        for name in TITLED:
            texts: list[str | None] = rows.column(name).to_pylist()
            place = schema.names.index(name)
            rows = rows.set_column(place, name, pa.array([text and self.text(text, name[-2:]) for text in texts], pa.string()))
        return rows


class Places:
    """What a device's points are called, by the words for their places; those of several names are left out, for a text need not tell units."""

    def __init__(self, tags: Sequence[Tag], language: str) -> None:
        self._language = language
        names: dict[str, set[str]] = {}
        for tag in tags:
            for words in _words(tag, language):
                names.setdefault(words, set()).add(tag.name)
        self._names = {words: found.pop() for words, found in names.items() if len(found) == 1}
        self._before = {words[: words.rfind(" ") + 1] for words in self._names}  # "register ", and nothing before a label

    def take_out(self, told: str) -> str:
        """`Pump 3 (register 40017)` becomes `register 40017`."""
        for begin, end, name in list(self._found(told))[::-1]:
            named = say("detectors.phrase.named", self._language, name=name, address=told[begin:end])
            first = begin - named.index(told[begin:end], len(name))
            if told.startswith(named, max(first, 0)):
                told = told[:first] + told[begin:end] + told[first + len(named) :]
        return told

    def put_in(self, told: str) -> str:
        """`register 40017` becomes `Pump 3 (register 40017)`, unless it has a name there already."""
        for begin, end, name in list(self._found(told))[::-1]:
            if not told.endswith(("(", "（"), 0, begin):
                told = told[:begin] + say("detectors.phrase.named", self._language, name=name, address=told[begin:end]) + told[end:]
        return told

    def _found(self, told: str) -> Iterator[tuple[int, int, str]]:
        """(begin, end, name) of each place that is named, in order; not where a range begins or ends."""
        for word in _PLACE.finditer(told) if self._names else ():
            if "–" in (told[word.end() : word.end() + 1], told[word.start() - 1 : word.start()]):
                continue
            for before in self._before:
                begin = word.start() - len(before)
                if begin >= 0 and told.startswith(before, begin) and (name := self._names.get(before + word[0] if before else label_key(word[0]))):
                    yield begin, word.end(), name


def _words(tag: Tag, language: str) -> Iterator[str]:
    """The words for its place, whichever protocol tells it."""
    if tag.label:
        yield label_key(tag.label)
    if tag.first is not None:
        row = {"ot.object.space": tag.space, "ot.object.first": tag.first, "ot.object.last": None}
        for protocol, spaces in references().items():
            if tag.space in spaces:
                yield thing(row | {"network.protocol": protocol}, language)


def _shown(plant: Plant) -> Mapping[str, str]:
    return {address: asset.name for asset in plant.assets for address in asset.addresses if asset.name != address}
