"""Modbus captures against what other people's tools say of them, and captures without Modbus against silence."""

from __future__ import annotations

import csv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conformance import tshark
from tests.conformance.modbus import BASELINES, KNOWN, SHARED, Baseline, captures, check, others, ours, with_tshark
from tests.conformance.rows import dissect
from tests.require import need

PRESENT = (SHARED / "index.csv").is_file()
pytestmark = pytest.mark.captures
HERE = captures() if PRESENT else []
ELSEWHERE = others() if PRESENT else []
SAYS_NOTHING = ()  # ground truth files that name Modbus without saying what is on the wire


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


def test_every_ground_truth_of_the_index_is_compared() -> None:
    with (SHARED / "index.csv").open(newline="") as file:
        named = {truth for row in csv.DictReader(file) if row["capture"] in HERE for truth in row["ground_truth"].split(";") if truth}
    left = named - {baseline.truth for baseline in BASELINES}
    assert {path for path in left if "modbus" in (SHARED / path).read_text().lower() and path not in SAYS_NOTHING} == set()


def test_suricata_and_arkime_say_nothing_about_modbus() -> None:
    about = [
        path for folder in ("OISF+suricata-verify", "arkime+arkime") for path in (SHARED / "conformance" / folder).rglob("*")
        if path.suffix in (".yaml", ".test", ".rules") and "modbus" in path.read_text(errors="replace").lower()
    ]  # fmt: skip
    assert about == [], "they do now: compare what they count"


@pytest.mark.parametrize("capture", HERE)
def test_every_message_is_decoded(capture: str) -> None:
    rows = [row for row in ours(capture) if row["protocol"] == "modbus"]
    assert rows
    assert [row for row in rows if row["code"] is None] == []


@pytest.mark.parametrize("capture", ELSEWHERE)
def test_there_is_no_modbus_elsewhere(capture: str, tmp_path: Path) -> None:
    path = SHARED / capture
    if path.suffix == ".zip":
        with ZipFile(path) as packed:
            (name,) = packed.namelist()
            path = Path(packed.extract(name, tmp_path))
    assert [row for row in dissect(path) if row["protocol"] == "modbus"] == []


def test_no_capture_is_left_out() -> None:
    """Whatever a file is called, it is a capture if it begins like one. These two do not hold Modbus, and look as if they did."""
    begins = {bytes.fromhex(magic) for magic in ("d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "0a0d0d0a")}
    found = {str(path.relative_to(SHARED)) for path in SHARED.rglob("*") if path.is_file() and path.read_bytes()[:4] in begins}
    assert found | {capture for capture in ELSEWHERE if capture.endswith(".zip")} == {*HERE, *ELSEWHERE}
    for name in ("toca-boca.pcap", "rdp.pcap"):
        assert any(capture.endswith(f"/{name}") for capture in ELSEWHERE)
