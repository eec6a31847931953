"""Modbus captures against what other people's tools say of them, and captures without Modbus against silence."""

from __future__ import annotations

import pytest

from tests.conformance import tshark
from tests.conformance.modbus import BASELINES, KNOWN, SHARED, Baseline, captures, check, ours, others, with_tshark
from tests.conformance.rows import dissect
from tests.require import need

PRESENT = (SHARED / "index.csv").is_file()
pytestmark = pytest.mark.captures
HERE = captures() if PRESENT else []
ELSEWHERE = others() if PRESENT else []
TRUTH = (".log", ".ipal", ".state", ".yaml", ".out", ".test", "output")


@pytest.fixture(autouse=True)
def _captures() -> None:
    need("captures", PRESENT, f"no {SHARED / 'index.csv'}")


def agree(baseline: Baseline) -> None:
    result = check(baseline)
    assert result.theirs > 0
    assert result.unexplained == (), "\n".join(f"{one.columns or 'only one side'}: {one}" for one in result.unexplained[:10])
    for known, found in result.explained:
        assert len(found) == known.count, f"no longer as explained: {known.why}"


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
def test_rows_agree(baseline: Baseline) -> None:
    agree(baseline)


@pytest.mark.tshark
@pytest.mark.parametrize("baseline", with_tshark() if PRESENT else (), ids=lambda baseline: baseline.name)
def test_rows_agree_with_tshark(baseline: Baseline) -> None:
    need("tshark", tshark.present(), "tshark is not installed")
    agree(baseline)


def test_every_explanation_is_of_a_baseline_that_is_compared() -> None:
    assert {(known.tool, known.capture) for known in KNOWN} <= {(baseline.tool, baseline.capture) for baseline in (*BASELINES, *with_tshark())}


def test_no_word_of_others_on_modbus_is_left_out() -> None:
    compared = {baseline.truth for baseline in BASELINES}
    about = {
        str(path.relative_to(SHARED)) for path in (SHARED / "conformance").rglob("*")
        if path.is_file() and path.name.endswith(TRUTH) and "modbus" in path.read_text(errors="replace").lower()
    }  # fmt: skip
    silent = {path for path in about - compared if path.endswith(("/conn.log", "/unknown_protocols.log"))}
    assert about - compared - silent == set()
    assert not any("suricata" in path.lower() for path in about), "Suricata has expectations on Modbus now: compare their counts"


@pytest.mark.parametrize("capture", HERE)
def test_every_message_is_decoded(capture: str) -> None:
    rows = [row for row in ours(capture) if row["protocol"] == "modbus"]
    assert rows
    assert [row for row in rows if row["code"] is None] == []


@pytest.mark.parametrize("capture", ELSEWHERE)
def test_there_is_no_modbus_elsewhere(capture: str) -> None:
    assert [row for row in dissect(SHARED / capture) if row["protocol"] == "modbus"] == []
