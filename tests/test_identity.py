"""Identities: what the kernel hashes is BLAKE2b, whatever stands in the words."""

from __future__ import annotations

import gc
import hashlib
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.engine.identity import DIGITS, OCTETS, WORDS, hash_rows, name_words
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests.test_modes import DEMO

WORD = st.integers(-(2**63), 2**63 - 1)


def hashed(rows: list[list[int]]) -> list[str]:
    words, text = np.array(rows, np.int64).reshape(-1, WORDS), np.zeros((len(rows), DIGITS), np.uint8)
    hash_rows(words, text)
    return [bytes(row).decode() for row in text]


@given(st.lists(st.lists(WORD, min_size=WORDS, max_size=WORDS), max_size=8))
def test_rows_are_hashed_as_the_library_does(rows: list[list[int]]) -> None:
    assert hashed(rows) == [hashlib.blake2b(np.array(row, "<i8").tobytes(), digest_size=OCTETS).hexdigest() for row in rows]


@pytest.mark.parametrize("place", range(WORDS))
def test_every_word_counts(place: int) -> None:
    row = [7] * WORDS
    other = [*row[:place], 8, *row[place + 1 :]]
    first, second = hashed([row, other])
    assert first != second


def test_names_are_told_apart_where_they_meet() -> None:
    assert name_words("a", "bc") != name_words("ab", "c")
    assert name_words("a", None) == name_words("a", "")
    assert len({name_words(name) for name in ("", "a", "b", "ab")}) == 4


def test_a_sensor_leaves_nothing_behind() -> None:
    sensor, source = Sensor("observer"), open_capture(find([str(DEMO)])[0])
    assert sum(batch.activities.num_rows for batch in sensor.listen(source)) > 100
    source.close()
    arena = weakref.ref(sensor.flows)
    del sensor
    gc.collect()
    assert arena() is None
