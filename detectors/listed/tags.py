"""Listed tags against the points that were seen: another protocol, unit, type or range of values than the list says; what was never seen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from detectors.listed import Comparison, alike, disagreement
from detectors.phrases import measured, number, references, span_words, thing
from records.plant import label_key
from records.query import Query
from records.search import Match, Or
from sensors.protocol import protocols, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from detectors.listed import Disagreement
    from records.plant import Plant, Tag
    from records.store.contract import Store

PLACE: Final = ("destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first")
VALUES: Final = ("ot.point.min", "ot.point.max")
MOST_ASKED: Final = 200  # devices that a query names; of more, all points are read
NAMED: Final = 5  # places without a tag that are told by name
S7: Final = re.compile(r"db(\d+)\.db([xbwd])(\d+)(?:\.\d)?")
OF_S7: Final = "s7comm"
KIN: Final = (  # spaces that are taken for each other; of others the numbers mean nothing to each other
    {"coil", "discrete_input"}, {"input_register", "holding_register"}, {"analog_input", "analog_output"}, {"binary_input", "binary_output"},
    {"counter", "frozen_counter"},
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A point of a device, with its least and greatest value."""

    protocol: str
    unit: int | None
    space: str
    name: str | None
    first: int | None
    low: float | None
    high: float | None

    def words(self, language: str) -> str:
        """Where it is."""
        row = {"network.protocol": self.protocol, "ot.object.space": self.space, "ot.object.name": self.name, "ot.object.first": self.first}
        return thing(row, language)


@dataclass(slots=True)
class Device:
    """The points of one device, by what a tag may mean them by."""

    protocols: set[str]
    numbers: dict[int, list[Seen]]
    labels: dict[str, list[Seen]]


def compare_tags(store: Store, entries: Sequence[Tag], plant: Plant, since: int | None = None) -> Comparison:
    """Tags against the points of the store, from `since` on (nanoseconds)."""
    devices, unlisted = _seen(store, entries, plant, since)
    disagreements: list[Disagreement] = []
    unseen: list[str] = []
    for tag in entries:
        device = devices.get(tag.device)
        own = _own(tag, device) if device else []
        here = [point for point in own if tag.unit in (None, point.unit)]
        if here:
            disagreements += _of_values(tag, here)
        elif device and (found := _elsewhere(tag, device, own)):
            disagreements.append(found)
        else:
            unseen.append(tag.name)
    return Comparison(tuple(disagreements), tuple(unseen), unlisted)


def _seen(store: Store, entries: Sequence[Tag], plant: Plant, since: int | None) -> tuple[dict[str, Device], tuple[str, ...]]:
    """The points of these devices that their tags may mean, and the places of those that no tag means."""
    firsts = {tag.first for tag in entries if tag.first is not None}
    names = {tag.label for tag in entries if tag.label} | {_S7_BYTES.format(*key) for tag in entries if (key := _s7(tag.label))}
    devices: dict[str, Device] = {}
    unlisted: set[str] = set()
    for row in _points(store, {tag.device for tag in entries}, since):
        address, protocol, unit, space, name, first, low, high = row
        device = devices.setdefault(address, Device(set(), {}, {}))
        device.protocols.add(protocol)
        point = Seen(protocol, unit, space, name, first, low, high)
        if first in firsts:
            device.numbers.setdefault(first, []).append(point)
        for label in _labels(name, first):
            if label in names:
                device.labels.setdefault(label, []).append(point)
        if not plant.tags_of(address, unit, space, name, first, None):
            unlisted.add(f"{point.words('en')} · {address}")
    return devices, tuple(sorted(unlisted))


_S7_BYTES: Final = "db{}@{}"  # the octet of a data block that a label begins at


def _s7(label: str | None) -> tuple[str, str] | None:
    found = S7.fullmatch(label) if label else None
    return (found[1], found[3]) if found else None


def _labels(name: str | None, first: int | None) -> Iterator[str]:
    """What a tag's label may be that means the point of this name."""
    if name:
        label = label_key(name)
        yield label
        if first is not None:
            yield f"{label}[{first}]"
        if key := _s7(label):
            yield _S7_BYTES.format(*key)


def _points(store: Store, asked: set[str], since: int | None) -> Iterable[tuple[Any, ...]]:
    """(*PLACE, least, greatest) of every point of these devices."""
    some = Or(tuple(Match("destination.ip", address, cased=True) for address in sorted(asked))) if len(asked) <= MOST_ASKED else None
    if not asked:
        return []
    parts: list[Any] = []
    for part in store.history("point", Query(since, where=some), [*PLACE, *VALUES], ordered=False):
        table: Any = part.select([*PLACE, *VALUES])
        parts.append(_reduced(table))
    if not parts:
        return []
    whole = _reduced(pa.concat_tables(parts))
    rows = zip(*(whole.column(name).to_pylist() for name in (*PLACE, *VALUES)), strict=True)
    return (row for row in rows if row[0] in asked)


def _reduced(table: Any) -> Any:
    """One row of each place."""
    least, greatest = VALUES
    return table.group_by(list(PLACE)).aggregate([(least, "min"), (greatest, "max")]).rename_columns({f"{least}_min": least, f"{greatest}_max": greatest})


def _own(tag: Tag, device: Device) -> list[Seen]:
    """The points at its place, in whichever unit."""
    found = list(device.labels.get(tag.label, ())) if tag.label else []
    if tag.first is not None:
        found += [point for point in device.numbers.get(tag.first, ()) if tag.space in (None, point.space)]
    if not found and (key := _s7(tag.label)):  # read as octets, as whole blocks are: that says nothing of its type
        found = [point for point in device.labels.get(_S7_BYTES.format(*key), ()) if _letter(point.name) == "b"]
    return found


def _letter(name: str | None) -> str:
    found = S7.fullmatch(label_key(name or ""))
    return found[2] if found else ""


def _of_values(tag: Tag, here: Sequence[Seen]) -> Iterator[Disagreement]:
    """Values beyond the range that the list gives."""
    if tag.low is None and tag.high is None:
        return
    if len({point.space for point in here}) > 1 or (_s7(tag.label) and any(_letter(point.name) == "b" for point in here)):
        return  # several points, or the octets of one
    lows, highs = ([value for point in here if (value := getattr(point, name)) is not None] for name in ("low", "high"))
    low, high = min(lows, default=None), max(highs, default=None)
    if low is None or high is None:
        return
    if (tag.low is not None and low < tag.low) or (tag.high is not None and high > tag.high):
        row = {"ot.tag.unit": tag.measure, "ot.tag.low": tag.low, "ot.tag.high": tag.high}
        seen = measured(row, low) if low == high else f"{number(low)}–{measured(row, high)}"
        yield disagreement(tag, tag.device, "range", lambda language: {"listed": span_words(row, language), "seen": seen})


def _elsewhere(tag: Tag, device: Device, own: Sequence[Seen]) -> Disagreement | None:
    """Where else the wire has what may be meant: in another unit, as another type, or in the words of another protocol."""
    if own:
        units = ", ".join(map(str, sorted({-1 if point.unit is None else point.unit for point in own}))).replace("-1", "–")
        return disagreement(tag, tag.device, "unit", alike(listed=tag.unit, seen=units))
    key = _s7(tag.label)
    others = device.labels.get(_S7_BYTES.format(*key), []) if key else device.numbers.get(tag.first, []) if tag.first is not None else []
    others = [point for point in others if tag.unit in (None, point.unit)]
    meant = {protocol.name for protocol in protocols() if tag.space in protocol.spaces} if tag.space else {OF_S7} if key else set[str]()
    if meant and not meant & device.protocols:
        spoken = ", ".join(title_of(name) for name in sorted(device.protocols))
        return disagreement(tag, tag.device, "speaks", lambda language: {"listed": _place(tag, language), "seen": spoken})
    others = [point for point in others if point.protocol in meant and (key or any({point.space, tag.space} <= kin for kin in KIN))]
    if not others:
        return None

    def words(language: str) -> dict[str, str]:
        return {"listed": _place(tag, language), "seen": ", ".join(dict.fromkeys(point.words(language) for point in others))}

    return disagreement(tag, tag.device, "type", words)


def _place(tag: Tag, language: str) -> str:
    """Where the list says that it is."""
    protocol = next((name for name, spaces in references().items() if tag.space in spaces), None)
    row = {"network.protocol": protocol, "ot.object.space": tag.space, "ot.object.first": tag.first}
    return thing(row, language) if tag.first is not None else (tag.label or "").upper()
