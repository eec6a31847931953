"""Activities or points as a rule sees them: one column at a time, each distinct text once, so that a pattern runs over distinct values and not over rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.rulebook.folding import folded
from records.schema import ACTIVITY, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from records.schema import Field, Table

Mask = npt.NDArray[np.bool_]

TEXTS: Final = frozenset({"keyword", "ip", "text", "json"})
NUMBERS: Final = frozenset({"long", "double"})
KEPT: Final = 64 * 1024 * 1024  # octets of masks that a frame keeps for the rules that ask the same


@dataclass(frozen=True, slots=True)
class Words:
    """A column of texts. `codes` points into `values`, -1 for absent; `rows` tells the row of each code where a row has many, else None."""

    values: pa.Array[Any]
    codes: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None
    height: int

    def lift(self, hits: Mask) -> Mask:
        """Rows with any value that is hit, from the hits among the distinct values."""
        return self.gather(np.append(hits, False)[self.codes])

    def gather(self, elements: Mask) -> Mask:
        """Rows with any element that is hit."""
        if self.rows is None:
            return elements
        mask = np.zeros(self.height, dtype=np.bool_)
        mask[self.rows[elements]] = True
        return mask


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column of numbers, booleans or dates (nanoseconds); `numbers` is 0 where `present` is False."""

    numbers: npt.NDArray[Any]
    present: Mask


class Frame:
    """A table of activities (or of points: `schema`) with what was already worked out about its columns. Made for one call and thrown away."""

    def __init__(self, table: pa.Table, schema: Table = ACTIVITY) -> None:
        self.table = table
        self.schema = schema
        self.height = table.num_rows
        self._named = frozenset(table.column_names)
        self._nothing = np.zeros(self.height, dtype=np.bool_)
        self._nothing.flags.writeable = False
        self._words: dict[str, Words] = {}
        self._numbers: dict[str, Numbers] = {}
        self._parts: dict[tuple[str, str], Numbers] = {}
        self._columns: dict[str, pa.Array[Any]] = {}
        self._addresses: dict[str, npt.NDArray[np.str_]] = {}
        self._literals: dict[str, dict[str, int] | None] = {}
        self._masks: dict[Hashable, Mask] = {}

    def nothing(self) -> Mask:
        """No row; always the same object, so that who gets it can stop there."""
        return self._nothing

    def once(self, what: Hashable, work: Callable[[], Mask]) -> Mask:
        """The mask that `work` gives, worked out once a frame as far as memory allows: rules ask the same things. Nobody may write into it."""
        known = self._masks.get(what)
        if known is None:
            known = work()
            if known is not self._nothing and not known.any():
                known = self._nothing
            if known is self._nothing or len(self._masks) * self.height < KEPT:
                self._masks[what] = known
        return known

    def words(self, field: Field) -> Words:
        """The texts of a column."""
        if field.name not in self._words:
            self._words[field.name] = self._encode(field)
        return self._words[field.name]

    def addresses(self, field: Field) -> npt.NDArray[np.str_]:
        """The distinct values of a column of addresses, in a form that sorts as addresses do."""
        if field.name not in self._addresses:
            texts = cast("list[str]", self.words(field).values.to_pylist())
            self._addresses[field.name] = np.array([sortable(text) for text in texts], dtype=np.str_)
        return self._addresses[field.name]

    def literals(self, field: Field) -> dict[str, int] | None:
        """The place of each distinct value among `words(field).values`, folded; None where some differ in case only."""
        if field.name not in self._literals:
            values = cast("list[str]", self.words(field).values.to_pylist())
            places = {folded(value): place for place, value in enumerate(values)}
            self._literals[field.name] = places if len(places) == len(values) else None
        return self._literals[field.name]

    def numbers(self, field: Field) -> Numbers:
        """The numbers of a column."""
        if field.name not in self._numbers:
            self._numbers[field.name] = self._figures(field)
        return self._numbers[field.name]

    def present(self, field: Field) -> Mask:
        """Rows that have the field."""
        if field.many or field.type in TEXTS:
            words = self.words(field)
            return words.gather(words.codes >= 0)
        return self.numbers(field).present

    def part(self, field: Field, part: str) -> Numbers:
        """A part of a date in UTC: minute, hour, day, iso_week, month or year."""
        if (field.name, part) not in self._parts:
            column = self.column(field)
            function = cast("Callable[[pa.Array[Any]], pa.Array[Any]]", getattr(pc, part))
            self._parts[field.name, part] = Numbers(_numpy(function(column).fill_null(0)), _numpy(column.is_valid()))
        return self._parts[field.name, part]

    def column(self, field: Field) -> pa.Array[Any]:
        """The column of a field with the type of the schema; all absent where the table has none."""
        if field.name not in self._columns:
            self._columns[field.name] = self._typed(field)
        return self._columns[field.name]

    def _typed(self, field: Field) -> pa.Array[Any]:
        wanted = _arrow_type(self.schema, field.name)
        if field.name not in self._named:
            nothing: Any = pa.nulls  # the stubs know few types
            return nothing(self.height, wanted)
        chunks: Any = self.table.column(field.name)
        column = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()  # which would copy
        return column if column.type == wanted else column.cast(wanted)

    def _encode(self, field: Field) -> Words:
        column, rows = self.column(field), None
        if field.many:
            rows = _numpy(pc.list_parent_indices(column))
            column = pc.list_flatten(column)
        encoded = cast("Any", column).dictionary_encode()  # the stubs leave its types open
        codes = _numpy(filled(encoded.indices.cast(pa.int64()), -1))
        return Words(encoded.dictionary, codes, rows, self.height)

    def _figures(self, field: Field) -> Numbers:
        column = self.column(field)
        present = _numpy(column.is_valid()) if column.null_count else np.ones(self.height, dtype=np.bool_)
        if field.type == "date":
            column = column.cast(pa.int64())
        return Numbers(_numpy(filled(column, False if field.type == "boolean" else 0)), present)


def filled(column: Any, absent: Any) -> Any:
    """The column with this in the place of nothing."""
    return column.fill_null(absent) if column.null_count else column  # which would copy


def _arrow_type(table: Table, name: str) -> pa.DataType:
    schema: Any = arrow_schema(table)  # the stubs leave a field's type open
    return schema.field(name).type


def _numpy(array: Any) -> npt.NDArray[Any]:
    return cast("npt.NDArray[Any]", array.to_numpy(zero_copy_only=False))


@lru_cache(maxsize=65536)
def sortable(text: str) -> str:
    """An address as "4" or "6" and its octets in hexadecimal: text order is address order, the families stay apart. Empty for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return f"{address.version}{address.packed.hex()}"
