"""What the plant's lists say: entries by address, kept as JSON, written into rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from detectors.phrases import sentence
from records.model import Batch
from records.plant import KeptPlant, ListedAsset, ListedZone, Plant, Tag, decoded, digest, encoded, merged
from records.schema import ACTIVITY, POINT, arrow_table
from sensors.context import with_context

if TYPE_CHECKING:
    import pyarrow as pa

PLC, HMI, OTHER = "10.0.0.5", "10.0.0.9", "192.168.7.7"
SPEED = Tag("Pump 3 speed", PLC, 1, "holding_register", 17, measure="rpm", low=0, high=1500)
ANY_UNIT = Tag("Tank level", PLC, None, "holding_register", 18, measure="%")
LABELLED = Tag("Valve 7", PLC, label="db1.dbx0.3")
NUMBERED = Tag("Breaker", PLC, first=4001)
PLANT = Plant(
    [ListedAsset("PLC-7", (PLC,), role="controller", zone="Cell 1", level=1, criticality="high"), ListedAsset("Panel", ("00:11:22:33:44:55",), role="hmi")],
    [ListedZone("Cell 1", ("10.0.0.0/24",), 1), ListedZone("Plant", ("10.0.0.0/8",), 3), ListedZone("Six", ("fd00::/8",), 2)],
    [SPEED, ANY_UNIT, LABELLED, NUMBERED],
)


def test_zones_are_those_of_the_list_else_of_the_narrowest_network() -> None:
    assert PLANT.zone_of(PLC, PLANT.asset(PLC)) == ("Cell 1", 1)
    assert PLANT.zone_of("10.0.0.77", None) == ("Cell 1", 1)
    assert PLANT.zone_of("10.9.0.1", None) == ("Plant", 3)
    assert PLANT.zone_of("fd00::1", None) == ("Six", 2)
    assert PLANT.zone_of(OTHER, None) == (None, None)
    assert PLANT.zone_of("", None) == (None, None)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ((PLC, 1, "holding_register", None, 17, 17), ["Pump 3 speed"]),
        ((PLC, 2, "holding_register", None, 17, 17), []),
        ((PLC, 2, "holding_register", None, 16, 20), ["Tank level"]),
        ((PLC, 1, "holding_register", None, 17, 18), ["Pump 3 speed", "Tank level"]),
        ((PLC, 1, "coil", None, 17, 17), []),
        ((HMI, 1, "holding_register", None, 17, 17), []),
        ((PLC, None, "data_block_bit", "DB1.DBX0.3", 3, 3), ["Valve 7"]),
        ((PLC, 1, "single_point", None, 4001, None), ["Breaker"]),
        ((PLC, 1, "single_point", None, None, None), []),
    ],
)
def test_tags_are_found_by_number_or_label(key: tuple[Any, ...], names: list[str]) -> None:
    assert [tag.name for tag in PLANT.tags_of(*key)] == names


def test_an_object_of_many_tags_has_none_of_their_names() -> None:
    many = Plant(tags=[Tag(f"T{number}", PLC, None, "holding_register", number) for number in range(100)])
    assert len(many.tags_of(PLC, 1, "holding_register", None, 10, 17)) == 8
    assert many.tags_of(PLC, 1, "holding_register", None, 10, 18) == ()


def test_lists_are_kept_as_text_that_is_always_the_same() -> None:
    for kind, entries in (("assets", PLANT.assets), ("zones", PLANT.zones), ("tags", PLANT.tags)):
        text = encoded(entries)
        assert decoded(kind, text) == list(entries)
        assert encoded(decoded(kind, text)) == text
        assert len(digest(text)) == 64
    with pytest.raises(ValueError, match="name"):
        decoded("tags", '[{"device": "10.0.0.5"}]')


def test_a_later_list_replaces_what_it_names() -> None:
    renamed = Tag("Pump 3 set point", PLC, 1, "holding_register", 17)
    assert [tag.name for tag in merged(PLANT.tags, [renamed]) if isinstance(tag, Tag)] == ["Pump 3 set point", "Tank level", "Valve 7", "Breaker"]
    assert merged([], PLANT.zones) == list(PLANT.zones)


def activities(**columns: list[Any]) -> pa.Table:
    rows = len(next(iter(columns.values())))
    return arrow_table(ACTIVITY, {name.replace("__", "."): values for name, values in columns.items()}, rows)


def test_rows_carry_what_is_known() -> None:
    rows = activities(
        **{
            "source.ip": [HMI, OTHER, None], "source.mac": ["00:11:22:33:44:55", None, "00:00:00:00:00:01"], "source.asset.name": [HMI, OTHER, None],
            "source.asset.role": ["client", "client", None], "destination.ip": [PLC, PLC, HMI], "ot.unit": [1, 1, None],
            "ot.object.space": ["holding_register", "coil", None], "ot.object.first": [17, 17, None], "ot.object.last": [18, 17, None],
        }
    )  # fmt: skip
    points = arrow_table(POINT, {"destination.ip": [PLC], "ot.unit": [1], "ot.object.space": ["holding_register"], "ot.object.first": [17]}, 1)
    known = with_context(Batch(rows, points), PLANT)
    assert known.activities.schema == rows.schema
    told = known.activities.to_pylist()
    assert [row["source.asset.name"] for row in told] == ["Panel", OTHER, None]
    assert [row["source.asset.role"] for row in told] == ["hmi", "client", None]
    assert [row["source.asset.zone"] for row in told] == ["Cell 1", None, None]
    assert [(row["destination.asset.name"], row["destination.asset.level"]) for row in told] == [("PLC-7", 1), ("PLC-7", 1), (None, 1)]
    assert [(row["ot.tag.name"], row["ot.tag.unit"]) for row in told] == [(["Pump 3 speed", "Tank level"], None), (None, None), (None, None)]
    assert [(row["ot.tag.name"], row["ot.tag.unit"]) for row in known.points.to_pylist()] == [(["Pump 3 speed"], "rpm")]
    assert with_context(Batch(rows, points), Plant()).activities is rows
    assert with_context(Batch(), PLANT).activities.num_rows == 0


def test_sentences_say_what_the_plant_calls_it() -> None:
    row = {
        "source.ip": HMI, "destination.ip": PLC, "destination.asset.name": "PLC-7", "network.protocol": "modbus", "ot.effect": "value.write",
        "ot.access": "write", "event.outcome": "success", "ot.object.space": "holding_register", "ot.object.first": 17, "ot.object.last": 17,
        "ot.value": 1450.0, "ot.tag.name": ["Pump 3 speed"], "ot.tag.unit": "rpm",
    }  # fmt: skip
    assert sentence(row, "en") == "10.0.0.9 asked PLC-7 (10.0.0.5) to write values: Pump 3 speed (register 40018), value 1450 rpm. The device carried it out."
    assert "Pump 3 speed（保持寄存器 40018）" in sentence(row, "zh")
    told = sentence(row | {"ot.access": "report", "ot.unit": 3}, "en")
    assert told.startswith("10.0.0.9 sent PLC-7 (10.0.0.5), unit 3: write values: Pump 3 speed"), "no comma before a colon"


def test_criticality_is_by_address() -> None:
    assert PLANT.criticality == {PLC: "high"}


def test_a_new_store_knows_nothing(tmp_path: Any) -> None:
    from records.store import open_store

    store = open_store(str(tmp_path / "store"), write=True)
    try:
        kept = KeptPlant(store)
        assert not kept.plant
        assert not kept.look()
    finally:
        store.close()
