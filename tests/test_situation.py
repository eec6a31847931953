"""The situation index: its terms add up, what is graver never makes it lower, and what was not seen only raises its upper end. The formula is published."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.situation import CONFIRMED, MANY, MOST, SETTLED, UNDECIDED, Concern, index
from records.wording import say
from tests.cli import ROOT

STANDINGS = (CONFIRMED, UNDECIDED, SETTLED)
concerns = st.lists(
    st.builds(
        Concern,
        severity=st.integers(0, 100),
        standing=st.sampled_from(STANDINGS),
        answered=st.booleans(),
        assets=st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True).map(tuple),
        critical=st.booleans(),
    ),
    max_size=40,
)
shares = st.floats(0, 1)


@given(concerns, st.integers(0, 50), shares)
def test_it_is_what_the_published_formula_gives(given_concerns: list[Concern], assets: int, seen: float) -> None:
    """Reckoned anew as `docs/index.md` says it, in plain floating point."""
    counted = [each for each in given_concerns if each.standing != SETTLED]
    high = [each for each in counted if each.severity >= 60]
    concerned = len({asset for each in counted if each.severity >= 40 for asset in each.assets})
    wanted = 50 * max((each.severity for each in counted), default=0) / 100
    wanted += 15 * max((each.severity for each in counted if each.critical), default=0) / 100
    wanted += 15 * sqrt(concerned / max(assets, concerned)) if concerned else 0
    wanted += 10 * sqrt(min(len(high), MANY) / MANY)
    wanted += 10 * sum(not each.answered or each.standing == CONFIRMED for each in high) / len(high) if high else 0
    found = index(given_concerns, assets, seen)
    assert abs(found.tenths / 10 - wanted) < 0.5 + 1e-9, "each of five terms is cut to a tenth"
    assert sum(part.tenths for part in found.parts) == found.tenths
    assert all(0 <= part.tenths <= 10 * MOST[part.name] for part in found.parts)


@given(concerns, st.integers(0, 50), shares)
def test_the_interval_holds_it(given_concerns: list[Concern], assets: int, seen: float) -> None:
    found = index(given_concerns, assets, seen)
    assert 0 <= found.low <= found.tenths <= found.high <= 1000
    assert index(given_concerns, assets, 1.0).high == found.tenths, "all was seen"
    assert index(given_concerns, assets, 0.0).high == 1000, "nothing was seen: it may be as bad as can be"
    assert index([each for each in given_concerns if each.standing != UNDECIDED], assets, seen).tenths >= found.low


@given(concerns, st.integers(1, 50), st.integers(0, 39))
def test_what_is_graver_never_makes_it_lower(given_concerns: list[Concern], assets: int, place: int) -> None:
    if not given_concerns:
        return
    each = given_concerns[place % len(given_concerns)]
    graver = Concern(min(100, each.severity + 20), each.standing, each.answered, each.assets, each.critical)
    changed = [graver if other is each else other for other in given_concerns]
    # taking up one that becomes high may lower the share that nobody took up; all else only rises
    parts = zip(index(given_concerns, assets, 1.0).parts, index(changed, assets, 1.0).parts, strict=True)
    assert all(after.tenths >= earlier.tenths for earlier, after in parts if earlier.name != "standing")


@given(concerns, st.integers(0, 50), st.integers(0, 39))
def test_finding_an_alert_true_never_lowers_it(given_concerns: list[Concern], assets: int, place: int) -> None:
    """To close it takes it up, too: neither the index nor either end of its interval falls."""
    if not given_concerns:
        return
    each = given_concerns[place % len(given_concerns)]
    found = [replace(other, standing=CONFIRMED, answered=True) if other is each else other for other in given_concerns]
    before, after = index(given_concerns, assets, 0.7), index(found, assets, 0.7)
    assert after.tenths >= before.tenths
    assert after.low >= before.low
    assert after.high >= before.high
    assert all(later.tenths >= earlier.tenths for earlier, later in zip(before.parts, after.parts, strict=True))


def test_what_was_settled_does_not_count() -> None:
    assert index([Concern(100, SETTLED, assets=("a",), critical=True)], 4, 1.0).tenths == 0
    assert index([], 4, 1.0).level == "none"


@pytest.mark.parametrize(("seen", "answered"), [*product((0.0, 0.5, 1.0), (True, False))])
def test_one_alert_by_hand(seen: float, answered: bool) -> None:
    found = index([Concern(80, UNDECIDED, answered, ("a", "b"))], 8, seen)
    assert {part.name: part.tenths for part in found.parts} == {
        "gravest": 400, "critical": 0, "spread": 75, "number": 17, "standing": 0 if answered else 100,
    }  # fmt: skip
    assert found.low == 0
    assert found.high == found.tenths + -(-(1000 - found.tenths) * round((1 - seen) * 10) // 10)


def test_closing_one_that_was_taken_up_as_false_may_raise_it() -> None:
    """The lower end is the smaller of the index and that of the confirmed alerts alone, as is published wherever the interval is told."""
    confirmed = Concern(75, CONFIRMED, answered=True)
    both, alone = index([confirmed, Concern(65, UNDECIDED, answered=True)], 10, 1.0), index([confirmed], 10, 1.0)
    assert both.low == both.tenths < alone.tenths
    assert "the smaller of two numbers: the index, and the index of the confirmed alerts alone" in (ROOT / "docs" / "index.md").read_text("utf-8")
    for key in ("report.index.interval", "report.making.interval"):
        assert "the smaller of the index and that of" in say(key, "en", low=0, high=0)
        assert "的较小值" in say(key, "zh", low=0, high=0)


def test_the_published_formula_names_the_same_weights() -> None:
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    table = dict(re.findall(r"\| `(\w+)` \| (\d+) \|", text))
    assert {name: str(points) for name, points in MOST.items()} == table
    assert f"{MANY} alerts" in text
