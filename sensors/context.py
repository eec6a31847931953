"""What the plant's lists say of assets and objects, written into rows before they are judged: names, roles, zones, levels, tags."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute

from records.schema import TABLES, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from records.model import Batch
    from records.plant import Plant, Tag

_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
SIDES: Final = ("source", "destination")
OBJECT: Final = ("destination.ip", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last")


def with_context(batch: Batch, plant: Plant) -> Batch:
    """The same rows, with what the plant knows of them."""
    if not plant:
        return batch
    activities = batch.activities
    for side in SIDES:
        activities = _known_assets(activities, side, plant)
    return replace(batch, activities=_tagged("activity", activities, plant), points=_tagged("point", batch.points, plant))


def _known_assets(rows: pa.Table, side: str, plant: Plant) -> pa.Table:
    """Columns of one side's asset, taken over where the plant knows more."""
    if not rows.num_rows:
        return rows
    ends = [_compute.fill_null(rows.column(f"{side}.{kind}"), "") for kind in ("ip", "mac")]
    encoded = _compute.binary_join_element_wise(*ends, "|").combine_chunks().dictionary_encode()
    hosts = [tuple(host.split("|")) for host in encoded.dictionary.to_pylist()]
    listed = [plant.asset(address) or plant.asset(mac) for address, mac in hosts]
    zones = [plant.zone_of(address, asset) for (address, _), asset in zip(hosts, listed, strict=True)]
    told: dict[str, Sequence[object]] = {
        "name": [asset.name if asset else None for asset in listed],
        "role": [asset.role if asset else None for asset in listed],
        "zone": [zone for zone, _ in zones],
        "level": [level for _, level in zones],
    }
    for name, values in told.items():
        if any(value is not None for value in values):
            rows = _overlaid(rows, f"{side}.asset.{name}", values, encoded.indices)
    return rows


def _overlaid(rows: pa.Table, column: str, values: Sequence[object], indices: Any) -> pa.Table:
    """A column with values[indices] where these are known."""
    schema: Any = rows.schema
    array: Any = pa.array
    known = array(values, schema.field(column).type).take(indices)
    return rows.set_column(schema.get_field_index(column), schema.field(column), _compute.coalesce(known, rows.column(column)))


def _tagged(table: str, rows: pa.Table, plant: Plant) -> pa.Table:
    """The columns of tags, for rows about devices that have some."""
    if not plant.tagged or not rows.num_rows:
        return rows
    devices: Any = pa.array(sorted(plant.tagged), pa.string())
    meant = _compute.is_in(rows.column("destination.ip"), value_set=devices)
    if not _compute.any(meant).as_py():
        return rows
    numbers = _compute.indices_nonzero(meant)
    named = [name for name in OBJECT if name in rows.column_names]
    part = rows.select(named).take(numbers)
    columns: dict[str, list[Any]] = {name: part.column(name).to_pylist() for name in named}
    columns.setdefault("ot.object.last", columns["ot.object.first"])
    found = [plant.tags_of(*key) for key in zip(*(columns[name] for name in OBJECT), strict=True)]
    place: list[int | None] = [None] * rows.num_rows
    for number, row in enumerate(numbers.to_pylist()):
        place[row] = number
    at = pa.array(place, pa.int64())
    schema: Any = arrow_schema(TABLES[table])
    for column, told in _TOLD.items():
        values = _told(found, told, schema.field(column).type).take(at)
        rows = rows.set_column(schema.get_field_index(column), schema.field(column), values)
    return rows


def _told(found: Sequence[tuple[Tag, ...]], told: Callable[[tuple[Tag, ...]], object], kind: Any) -> Any:
    array: Any = pa.array
    return array([told(tags) for tags in found], kind)


def _names(tags: tuple[Tag, ...]) -> list[str] | None:
    return [tag.name for tag in tags] or None


def _shared(field: str) -> Callable[[tuple[Tag, ...]], object]:
    """What all tags of an object say alike."""

    def told(tags: tuple[Tag, ...]) -> object:
        values = {getattr(tag, field) for tag in tags}
        return values.pop() if len(values) == 1 else None

    return told


_TOLD: Final[dict[str, Callable[[tuple[Tag, ...]], object]]] = {
    "ot.tag.name": _names, "ot.tag.unit": _shared("measure"), "ot.tag.low": _shared("low"), "ot.tag.high": _shared("high"),
    "ot.tag.description": _shared("description"),
}  # fmt: skip
