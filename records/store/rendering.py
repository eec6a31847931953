"""Rows of an Arrow table as documents of Elasticsearch, a column at a time: to the octet what `records.store.documents.once` makes of each row.

A column becomes JSON texts, and what rows with the same known fields have between them is joined around these, all of it in Arrow's kernels. Only values
that need care (structures, lists, texts with quotes) are looked at one by one, and each different one once where that is likely to save time.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from records.nesting import SECOND, values
from records.store.documents import LONGEST, PART, Body, compact, place, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from records.schema import Field, Table

Known = dict[int, list[str]]  # by row: fields that are known though the index cannot tell
_UNSAFE: Final = r'["\\\x00-\x1f]'  # what JSON escapes
_compute: Any = pyarrow.compute  # the stubs of Arrow's kernels and arrays are partial; used in this file only
_array: Any = pa.array
_MARK: Final = re.compile(r'"\\u0000(\d+)"')


def bodies(table: Table, data: pa.Table) -> Iterator[Body]:
    """The documents of an Arrow table of the schema's form."""
    for start in range(0, data.num_rows, PART):
        part = data.slice(start, PART)
        names, columns, known = list[str](), list[Any](), Known()
        for field in table.fields:
            column: Any = part.column(field.name)
            if column.null_count < len(column):
                names.append(field.name)
                columns.append(_texts(field, column.combine_chunks(), known))
        whole, content = _joined(table, names, columns, part.num_rows)
        ids, times = values(part.column("id"), "keyword"), values(part.column(table.time), "date")
        for number, document in enumerate(whole):
            digest = blake2b(content[number], digest_size=12).hexdigest()
            yield Body(ids[number], times[number], document, digest, known.get(number, []))


def _joined(table: Table, names: Sequence[str], columns: Sequence[Any], rows: int) -> tuple[list[bytes], list[bytes]]:
    """(documents, what of them is content) of all rows: those that know the same fields are joined together."""
    there = np.stack([np.asarray(column.is_valid()) for column in columns], axis=1)
    shapes, which = np.unique(np.packbits(there, axis=1), axis=0, return_inverse=True)
    whole, content = [b""] * rows, [b""] * rows
    for number in range(len(shapes)):
        places = np.flatnonzero(which.reshape(-1) == number)
        taken = columns if len(shapes) == 1 else [column.take(_array(places)) for column in columns]
        said = [name if known else "" for name, known in zip(names, there[places[0]], strict=True)]
        bare = [name if name not in table.labels else "" for name in said]
        told = _documents(said, taken)
        kept = told if bare == said else _documents(bare, taken)
        for row, document, body in zip(places.tolist(), told, kept, strict=True):
            whole[row], content[row] = document, body
    return whole, content


def _documents(names: Sequence[str], columns: Sequence[Any]) -> list[bytes]:
    """The documents of rows that know these columns ("": not known), nested."""
    made: dict[str, Any] = {}
    for number, name in enumerate(names):
        if name:
            branches, leaf = place(name)
            branch = made
            for step in branches:
                branch = branch.setdefault(step, {})
            branch[leaf] = f"\0{number}"
    pieces = _MARK.split(compact(made))
    parts = [columns[int(piece)] if number % 2 else piece for number, piece in enumerate(pieces)]
    joined: list[bytes] = _compute.binary_join_element_wise(*parts, "").cast(pa.binary()).to_pylist()
    return joined


def _texts(field: Field, column: Any, known: Known) -> Any:
    """The values of a column as JSON; rows whose value the index cannot hold are noted in `known`."""
    if not field.many:
        if field.type in {"long", "boolean"}:
            return column.cast(pa.string())
        if field.type == "date":
            return _dates(column)
        if field.type in {"keyword", "text"} and _is_plain(column):
            return _compute.binary_join_element_wise('"', column, '"', "")
        if field.type != "json":
            return _one_by_one(field, column.view(pa.int64()) if field.type == "double" else column, known)
    return _all(field, column, known)


def _is_plain(column: Any) -> bool:
    """Does no text need to be escaped, nor is one too long?"""
    return _compute.max(_compute.utf8_length(column)).as_py() <= LONGEST and not _compute.any(_compute.match_substring_regex(column, _UNSAFE)).as_py()


def _dates(column: Any) -> Any:
    """`2026-11-22T16:39:00.000000001Z`: each second once."""
    seconds, rest = np.divmod(column.cast(pa.int64()).fill_null(0).to_numpy(), SECOND)
    coded = _array(seconds).dictionary_encode()
    told = _array(np.datetime_as_string(coded.dictionary.to_numpy().astype("datetime64[s]")))
    fractions = _compute.utf8_lpad(_array(rest).cast(pa.string()), 9, "0")
    texts = _compute.binary_join_element_wise('"', told.take(coded.indices), ".", fractions, 'Z"', "")
    return _compute.if_else(column.is_valid(), texts, pa.scalar(None, pa.string()))


def _one_by_one(field: Field, column: Any, known: Known) -> Any:
    """Each different value once; numbers by their bits, for 0.0 and -0.0 are one to Arrow."""
    coded = column.dictionary_encode()
    different = coded.dictionary.view(pa.float64()) if field.type == "double" else coded.dictionary
    shape: Any = shape_of(field)
    shaped = [shape(value) for value in different.to_pylist()]
    if any(hidden for _, hidden in shaped):
        for number, place_of in enumerate(coded.indices.to_pylist()):
            if place_of is not None and shaped[place_of][1]:
                known.setdefault(number, []).append(field.name)
    text: Any = float.__repr__ if field.type == "double" else compact  # as JSON has it, several times as fast
    texts = _array([compact(value) if hidden else text(value) for value, hidden in shaped], pa.string())
    return texts.take(coded.indices)


def _all(field: Field, column: Any, known: Known) -> Any:
    """Structures and lists, as Python knows them."""
    shape, seen, texts = shape_of(field), dict[str, tuple[str, bool]](), list[str | None]()
    for number, value in enumerate(values(column, field.type)):
        if value is None:
            texts.append(None)
            continue
        key = repr(value)  # lists are no keys
        if (found := seen.get(key)) is None:
            shaped, hidden = (value, False) if shape is None else shape(value)
            found = seen[key] = (compact(shaped).encode("utf-8", "replace").decode(), hidden)
        texts.append(found[0])
        if found[1]:
            known.setdefault(number, []).append(field.name)
    return _array(texts, pa.string())
