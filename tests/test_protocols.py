"""The battery that every protocol passes, found by discovery: nothing here knows a protocol by name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.effects import NUMBER
from sensors.engine.octets import INTERPRETED
from sensors.engine.tables import ANY, BROKEN, CUT, pack_code
from sensors.protocol import Protocol, protocols
from tests.examples import as_many
from tests.protocol_battery import Message, Segment, cut, digest, examples, function_of, mutants, streamed, streams, told

every = pytest.mark.parametrize("protocol", protocols(), ids=lambda protocol: protocol.name)
WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PLACE = Path(__file__).parent


def _paths(protocol: Protocol) -> list[tuple[int, ...]]:
    return [tuple(ANY if part == "*" else int(part) for part in path.split("/")) for path in protocol.functions]


@every
def test_its_tables_are_in_order(protocol: Protocol) -> None:
    assert WORD.fullmatch(protocol.name)
    assert protocol.title
    assert protocol.spec
    assert protocol.framings
    assert (PLACE / f"test_{protocol.name}.py").is_file()
    for path, function in protocol.functions.items():
        assert re.fullmatch(r"\d+(/\d+){0,2}(/\*)?", path), path
        assert WORD.fullmatch(function.name), path
        assert function.effect in NUMBER, path
    assert len({pack_code(*path) for path in _paths(protocol)}) == len(protocol.functions)
    names = [function.name for function in protocol.functions.values()]
    assert len(set(names)) == len(names), "two functions of one name"
    for word in (*protocol.spaces, *protocol.anomalies, *protocol.errors.values()):
        assert WORD.fullmatch(word)
    assert len(set(protocol.anomalies)) == len(protocol.anomalies) <= 32
    assert set(protocol.reference) <= set(protocol.spaces)
    for framing in protocol.framings:
        assert 0 < framing.least <= framing.most
        assert framing.header >= framing.length.at + framing.length.octets or framing.header == 0
    assert 0 < protocol.operations_each <= 256
    assert 0 <= protocol.samples_each <= 256


@every
def test_every_known_function_renders(protocol: Protocol) -> None:
    seen = {id(function_of(protocol, row.code)): row for row in told(protocol, list(examples(protocol)))}
    assert [path for path, function in protocol.functions.items() if id(function) not in seen] == [], "functions that no example brings up"
    for function in protocol.functions.values():
        assert seen[id(function)].action == function.name


@every
def test_the_examples_are_well_formed(protocol: Protocol) -> None:
    assert [row for row in told(protocol, list(examples(protocol))) if row.anomalies or row.short] == []


@every
@pytest.mark.parametrize("marks", [0, CUT, BROKEN])
def test_truncation_at_every_octet_is_safe(protocol: Protocol, marks: int) -> None:
    for message in examples(protocol):
        cuts = [message.but(message.data[:length], marks) for length in range(len(message.data))]
        told(protocol, cuts)


@every
def test_a_cut_message_says_nothing_else_than_the_whole_one(protocol: Protocol) -> None:
    for message in examples(protocol):
        whole = told(protocol, [message])
        for length in range(len(message.data)):
            for row, full in zip(told(protocol, [message.but(message.data[:length], CUT)]), whole, strict=False):
                assert row.anomalies == ()
                assert row.unit in (-1, full.unit)
                assert full.code.startswith(row.code)
                assert row.first == -1 or full.first <= row.first <= full.last


@every
@settings(max_examples=as_many(200), deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 1), st.integers(0, 15)), min_size=1, max_size=8), st.data())
def test_random_octets_are_safe(protocol: Protocol, noise: list[tuple[bytes, int, int]], data: st.DataObject) -> None:
    framing = data.draw(st.integers(0, len(protocol.framings) - 1))
    told(protocol, [Message(octets, side, framing, marks) for octets, side, marks in noise])


@every
def test_mutated_messages_are_safe(protocol: Protocol) -> None:
    told(protocol, mutants(protocol, 300 if INTERPRETED else 3000, 1))


@every
def test_what_a_message_says_does_not_depend_on_its_neighbours(protocol: Protocol) -> None:
    made = mutants(protocol, 300, 2)
    together = told(protocol, made, apart=True)
    alone = [row for message in made for row in told(protocol, [message])]
    assert [(row.code, row.first, row.last, row.anomalies, row.samples) for row in together] == [
        (row.code, row.first, row.last, row.anomalies, row.samples) for row in alone
    ]


carried = pytest.mark.parametrize("protocol", [one for one in protocols() if one.tcp and one.over is None], ids=lambda protocol: protocol.name)
few = settings(max_examples=as_many(25), deadline=None)
PLACES = st.lists(st.integers(0, 1 << 16), max_size=40)


def _whole(protocol: Protocol) -> tuple[list[Segment], tuple[int, int]]:
    """Both streams, a message a segment."""
    segments: list[Segment] = []
    ends = [0, 0]
    for message in examples(protocol):
        if message.framing == 0:
            segments.append((message.side, ends[message.side], message.data))
            ends[message.side] += len(message.data)
    return sorted(segments, key=lambda segment: segment[0]), (ends[0], ends[1])


@cache
def _told(name: str, *, asked_alone: bool = False) -> list[dict[str, Any]]:
    """What is said of both streams of a protocol, or of the first alone, where every message is a segment."""
    protocol = next(one for one in protocols() if one.name == name)
    segments, counts = _whole(protocol)
    return streamed(protocol, [one for one in segments if one[0] == 0 or not asked_alone], counts)


@carried
@few
@given(PLACES, PLACES)
def test_any_segmentation_gives_the_same_operations(protocol: Protocol, asked: list[int], answered: list[int]) -> None:
    _, counts = _whole(protocol)
    first, second = streams(protocol)
    assert streamed(protocol, [*cut(first, 0, asked), *cut(second, 1, answered)], counts) == _told(protocol.name)


@carried
@few
@given(PLACES, st.randoms(use_true_random=False))
def test_reordering_and_duplication_give_the_same_operations(protocol: Protocol, places: list[int], dice: Random) -> None:
    _, counts = _whole(protocol)
    first, second = streams(protocol)
    given_: list[Segment] = []
    for side, stream in enumerate((first, second)):
        pieces = cut(stream, side, places)
        for at in range(0, len(pieces), 4):  # never further than the window of segments that wait
            part = [*pieces[at : at + 4], *dice.sample(pieces[at : at + 4], 1)]
            dice.shuffle(part)
            given_ += part
    assert streamed(protocol, given_, counts) == _told(protocol.name)


@carried
@few
@given(st.integers(0, 1 << 16))
def test_a_stream_that_ends_early_gives_the_operations_until_there(protocol: Protocol, place: int) -> None:
    segments, _ = _whole(protocol)
    stream, _ = streams(protocol)
    end = place % len(stream)
    asked = [segment for segment in segments if segment[0] == 0]
    whole = _told(protocol.name, asked_alone=True)
    early = streamed(protocol, [(0, at, data[: end - at]) for _, at, data in asked if at < end], (end, 0))
    complete = [row for row in early if row["code"] is not None]
    assert not Counter(map(json.dumps, complete)) - Counter(map(json.dumps, whole))  # what waits for an answer leaves later than what does not
    assert len(complete) >= len([at for _, at, data in asked if at + len(data) <= end])
    assert len(early) - len(complete) <= 1, "what is left of a message is told once"


@carried
def test_stray_octets_behind_a_message_are_told_and_the_next_one_is_read(protocol: Protocol) -> None:
    """Less than a header of them, of any kind: also a message that is begun and then sent from its beginning."""
    segments, counts = _whole(protocol)
    asked = [segment for segment in segments if segment[0] == 0]
    base = Counter(map(json.dumps, _told(protocol.name)))
    behind = len(asked) // 2
    begun, dice = asked[behind + 1][2], Random(1)
    for length in range(1, protocol.framings[0].header):
        for stray in (begun[:length], dice.randbytes(length), bytes(length), b"\xff" * length):
            late = [(0, at + length, data) for _, at, data in asked[behind + 1 :]]
            _, at, data = asked[behind]
            given_ = [*asked[:behind], (0, at, data + stray), *late, *(segment for segment in segments if segment[0] == 1)]
            found = Counter(map(json.dumps, streamed(protocol, given_, (counts[0] + length, counts[1]))))
            assert base - found == Counter(), stray
            (extra,) = (json.loads(row) for row in found - base)
            assert extra["anomaly"], stray


@pytest.mark.skipif(INTERPRETED, reason="needs the compiled kernels to compare with")
def test_compiled_and_interpreted_say_the_same() -> None:
    interpreted = subprocess.run(
        [sys.executable, "-m", "tests.protocol_battery", "digest"],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=PLACE.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(interpreted.stdout) == {protocol.name: digest(protocol, 7) for protocol in protocols()}


@pytest.mark.skipif(INTERPRETED, reason="plain Python checks its own bounds")
def test_no_octet_is_read_past_the_end() -> None:
    run = subprocess.run([sys.executable, "-m", "tests.protocol_battery", "edge"], cwd=PLACE.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"a kernel read past the end of the arena: {run.returncode} {run.stderr}"
