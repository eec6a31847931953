"""Registers that hold a signed number: found where a value passes zero, read as such then, and left alone where they are unsigned."""

from __future__ import annotations

from struct import pack, unpack
from typing import TYPE_CHECKING, Any

import pytest

from detectors.baseline.learned import Learned
from detectors.baseline.places import Place
from detectors.baseline.policy import written
from detectors.baseline.reading import read
from detectors.baseline.words import Word
from detectors.methods.value import Value
from tests.hunted import DEVICE
from tests.knowing import batch, point, wrote
from tests.test_words import judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FIRST = 300
PLACE = Place(DEVICE, "modbus", 1, "holding_register", FIRST)
LEARNED, LATER = range(307), range(310, 340)


def swing(minute: int, middle: int = 0) -> int:
    """Thirty about the middle, slowly."""
    return middle + abs(minute % 40 - 20) * 3 - 30


def held(values: Iterable[tuple[int, int, int]], first: int = FIRST) -> list[dict[str, Any]]:
    """What a register holds that went from one value to another in a minute."""
    rows: list[dict[str, Any]] = []
    for minute, one, other in values:
        raw = sorted(float(value % 65_536) for value in range(min(one, other), max(one, other) + 1))
        ends = {"ot.point.first": float(one % 65_536), "ot.point.last": float(other % 65_536)}
        rows.append(point(minute, raw[0], raw[-1], first) | ends)
    return rows


def moving(where: Callable[[int], int], minutes: Iterable[int], first: int = FIRST) -> list[dict[str, Any]]:
    return held(((minute, where(minute), where(minute + 1)) for minute in minutes), first)


def learned(*rows: dict[str, Any], writes: Iterable[dict[str, Any]] = ()) -> Learned:
    made, taught = Learned(), batch(writes, rows)
    made.learn(taught.activities, taught.points)
    return made


PASSES = learned(*moving(swing, LEARNED))


def test_what_passes_zero_is_signed_and_judged_as_such() -> None:
    level = PASSES.levels.known[PLACE]
    assert (level.signed, level.low, level.high, level.returns) == (True, -30.0, 30.0, True)
    assert level.step <= 3
    assert judged(PASSES, moving(swing, LATER)) == []
    for size in (1, 7, 40):
        (finding,) = judged(PASSES, [*moving(swing, LATER[:9]), *held([(320, -90, -90)]), *moving(swing, LATER[12:])], size)
        assert (finding.rule, "is −90, outside" in finding.title.en) == ("value-outside", True)
    assert [finding.rule for finding in judged(PASSES, held([(310, -29, 29)]))] == ["value-jumps"], "thirty times as far as ever in a minute"


@pytest.mark.parametrize("middle", [31, -32])
def test_what_never_passed_zero_may_do_so(middle: int) -> None:
    """2 becomes −1, or −2 becomes 1; what is as far from zero as it never was is told."""
    made = learned(*moving(lambda minute: swing(minute, middle), LEARNED))
    assert not made.levels.known[PLACE].signed
    over = middle - middle // 8
    assert judged(made, moving(lambda minute: swing(minute, over), range(310, 370))) == []
    assert [finding.rule for finding in judged(made, held([(310, -5 * middle, -5 * middle)]))] == ["value-outside"]


UNSIGNED: dict[str, Callable[[int], int]] = {
    "a counter that wraps": lambda minute: minute * 300 % 65_536,
    "about 32768": lambda minute: 32_768 + swing(minute),
    "two states": lambda minute: 65_535 * (minute // 9 % 2),
    "everything": lambda minute: minute * 9_973 % 65_536,
}


@pytest.mark.parametrize("what", UNSIGNED)
def test_what_speaks_against_it_stays_unsigned(what: str) -> None:
    values = [float(UNSIGNED[what](minute)) for minute in LEARNED]
    level = learned(*(point(minute, value, value, FIRST) for minute, value in enumerate(values))).levels.known[PLACE]
    assert not level.signed
    assert (level.low, level.high) == (min(values), max(values)) or what == "a counter that wraps"
    assert (level.room is None) == (what in ("a counter that wraps", "everything"))


def test_a_counter_that_wraps_within_a_minute_has_not_jumped() -> None:
    """The low word of a number that is too slow to be found as one: it wrapped between two minutes, and comes back to where it was."""
    made = learned(*held((minute, minute * 256, minute * 256 + 200) for minute in LEARNED))
    assert judged(made, [point(310, 40.0, 65_440.0, FIRST)]) == []


def test_what_turns_out_unsigned_late_is_bounded_no_more() -> None:
    """It passed zero, as it seemed, and then 32768."""
    ways = [*range(200, -200, -20), *range(65_336, 30_000, -300), *range(30_000, 60_000, 300)]
    rows = [point(minute, float(value % 65_536), float(value % 65_536), FIRST) for minute, value in enumerate(ways)]
    made = learned(*rows)
    assert not made.levels.known[PLACE].signed
    assert judged(made, held([(310, 20_000, 20_000)])) == []


def test_a_set_point_is_read_as_its_register_is() -> None:
    """Below zero and far from what was learned: told as it is meant, not as it stands on the wire."""
    made = learned(*moving(swing, LEARNED), writes=[wrote(minute, float(-minute % 65_536), first=FIRST) for minute in range(20)])
    value = Value({})
    value.restore(made.states()["value"])
    (finding,) = value.judge(batch([wrote(310, 65_536.0 - 400, first=FIRST), wrote(390, 65_536.0 - 12, first=FIRST)]))
    assert (finding.rule, "to −400, far" in finding.title.en) == ("setpoint-outside", True)


def test_a_file_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "normal.yml"
    text = written(PASSES)
    assert '"signed": true' in text
    file.write_text(text, "utf-8")
    assert (read(file).version, read(file).levels.known[PLACE].signed) == (PASSES.version, True)
    file.write_text(text.replace(', "signed": true', ""), "utf-8")
    assert read(file).version != PASSES.version


def test_a_neighbour_makes_no_number_of_it() -> None:
    """16500 and a register that passes zero would be a float of a usual size."""
    made = learned(*moving(lambda minute: 16_500 + minute * 7 % 10, LEARNED, FIRST - 1), *moving(swing, LEARNED))
    assert made.levels.words.known == {}


def test_a_number_of_32_bits_that_passes_zero_is_found() -> None:
    rows = [point(minute, float(half), float(half), FIRST + at) for minute in LEARNED for at, half in enumerate(unpack(">HH", pack(">i", swing(minute) * 9)))]
    made = learned(*rows)
    assert made.levels.words.known == {PLACE: Word("whole")}
    assert (made.levels.known[PLACE].low, made.levels.known[PLACE].high) == (-270.0, 270.0)
