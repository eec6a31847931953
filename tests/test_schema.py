"""The schema: types that exist, names that nest, texts in both languages, a page that is current."""

from pathlib import Path

import pyarrow as pa
import pytest

from records.docs import page
from records.nesting import iso, nest, period, rows
from records.schema import TABLES, Table, arrow_schema, pandas_types
from records.wording import LANGUAGES, catalogue

TYPES = {"keyword", "ip", "text", "long", "double", "date", "boolean", "json"}
each_table = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@each_table
def test_types_and_texts(table: Table) -> None:
    for field in table.fields:
        assert field.type in TYPES, field
        assert field.en, field
        assert field.zh, field
    assert pandas_types(table).keys() == set(table.names)
    assert arrow_schema(table).names == list(table.names)


@each_table
def test_time_and_identity(table: Table) -> None:
    time = table.field(table.time)
    assert time
    assert (time.type, time.many) == ("date", False)
    assert table.names[0] == "id"


@each_table
def test_no_name_is_leaf_and_branch(table: Table) -> None:
    names = set(table.names)
    assert len(names) == len({name.casefold() for name in table.names}) == len(table.fields)
    for name in names:
        branches = {name[:at] for at, letter in enumerate(name) if letter == "."}
        assert not branches & names


def test_one_shape_per_name() -> None:
    """`nest` knows a field by its name alone."""
    kinds: dict[str, set[tuple[str, bool]]] = {}
    for table in TABLES.values():
        for field in table.fields:
            kinds.setdefault(field.name, set()).add((field.type, field.many))
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {"packets": {("json", False), ("long", False)}}
    assert nest({"packets": 3}) == {"packets": 3}
    assert nest({"packets": "[3]"}) == {"packets": [3]}


def test_docs_are_current() -> None:
    written = Path(__file__).parents[1] / "docs" / "schema.md"
    assert written.read_text("utf-8") == page(), "run: python -m records.docs > docs/schema.md"


def test_texts_have_every_language() -> None:
    for key, texts in catalogue().items():
        if key.startswith(("error.search.", "error.store.")):
            assert set(texts) == set(LANGUAGES), key


@pytest.mark.parametrize(
    ("text", "start", "width"),
    [
        ("1970", 0, 365 * 86400 * 10**9),
        ("1970-02", 31 * 86400 * 10**9, 28 * 86400 * 10**9),
        ("1970-12", 334 * 86400 * 10**9, 31 * 86400 * 10**9),
        ("1970-01-01", 0, 86400 * 10**9),
        ("1970-01-01T01", 3600 * 10**9, 3600 * 10**9),
        ("1970-01-01 01:01Z", 3660 * 10**9, 60 * 10**9),
        ("1970-01-01T08:00:00+08:00", 0, 10**9),
        ("1969-12-31T20:00:00-0400", 0, 10**9),
        ("1970-01-01T00:00:00.5", 500_000_000, 10**8),
        ("1970-01-01t00:00:00.000000007z", 7, 1),
        ("2016-12-31T23:59:60Z", 1483228800 * 10**9, 10**9),
    ],
)
def test_periods(text: str, start: int, width: int) -> None:
    assert period(text) == (start, start + width)


@pytest.mark.parametrize("text", ["", "x", "2026-13", "2026-02-30", "0001-01-01", "9999", "2026-01-01T25", "2026-01-01T00:00:00+99:00", "２０２６"])
def test_not_periods(text: str) -> None:
    assert period(text) is None


def test_iso() -> None:
    assert iso(1795317120000000001) == "2026-11-22T03:12:00.000000001Z"
    assert iso(-1) == "1969-12-31T23:59:59.999999999Z"


def test_nesting() -> None:
    schema = arrow_schema(TABLES["finding"])
    row = {"id": "f", "time": 1, "terms": '[{"value": 1.5}]', "title.en": "T", "effects": ["a"], "score": float("nan")}
    data = pa.Table.from_pylist([row], schema=schema)
    (nested,) = rows("finding", data)
    assert list(nested) == list(dict.fromkeys(name.split(".")[0] for name in schema.names))
    assert nested["time"] == "1970-01-01T00:00:00.000000001Z"
    assert nested["terms"] == [{"value": 1.5}]
    assert nested["title"] == {"en": "T", "zh": None}
    assert nested["score"] is None
    assert nested["packets"] is None
    assert nest(dict.fromkeys(schema.names) | row) == nested
