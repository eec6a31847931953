"""Captures against what other people's tools say of them, and captures without a protocol against silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensors.protocol import protocols
from tests.conformance import tshark
from tests.conformance.dnp3 import EXAMPLE
from tests.conformance.harness import SHARED, Baseline, Conformance, check, conformances, contents, heard, truths
from tests.conformance.iec104 import IPAL
from tests.conformance.page import page
from tests.conformance.rows import compare
from tests.require import need

PRESENT = (SHARED / "index.csv").is_file()
DOC = Path(__file__).parents[2] / "docs" / "conformance.md"
ALL = conformances()
ALIKE = {one.title: one.alike for one in ALL}
EVERY = list(contents()) if PRESENT else []
pytestmark = pytest.mark.captures


@pytest.fixture(autouse=True)
def _captures() -> None:
    need("captures", PRESENT, f"no {SHARED / 'index.csv'}")


def agree(conformance: Conformance, baseline: Baseline) -> None:
    result = check(conformance.title, baseline)
    assert result.theirs > 0
    assert result.unexplained == (), "\n".join(f"{one.columns or 'only one side'}: {one}" for one in result.unexplained[:10])
    for known, found in result.explained:
        assert len(found) == known.count, f"no longer as explained: {known.why}"


TRUTHS = [(conformance, baseline) for conformance in ALL for baseline in conformance.baselines]
SHOWN = [(conformance, baseline) for conformance in ALL for capture in (conformance.captures() if PRESENT else ()) for baseline in conformance.tshark(capture)]


@pytest.mark.parametrize(("conformance", "baseline"), TRUTHS, ids=[f"{one.title}: {baseline.name}" for one, baseline in TRUTHS])
def test_rows_agree(conformance: Conformance, baseline: Baseline) -> None:
    agree(conformance, baseline)


@pytest.mark.tshark
@pytest.mark.parametrize(("conformance", "baseline"), SHOWN, ids=[f"{one.title}: {baseline.name}" for one, baseline in SHOWN])
def test_rows_agree_with_tshark(conformance: Conformance, baseline: Baseline) -> None:
    need("tshark", tshark.present(), "tshark is not installed")
    agree(conformance, baseline)


@pytest.mark.tshark
@pytest.mark.parametrize(("title", "capture"), [("DNP3", EXAMPLE), ("IEC 60870-5-104", IPAL)])
def test_quality_and_time_are_compared(title: str, capture: str) -> None:
    need("tshark", tshark.present(), "tshark is not installed")
    (baseline,) = (one for conformance in ALL if conformance.title == title for one in conformance.tshark(capture))
    theirs = baseline.read(SHARED / capture)
    assert {"qualities", "times"} <= set(check(title, baseline).columns)
    assert sum(len(row.get("times", ())) for row in theirs) > 50
    for column in ("qualities", "times"):
        assert any(row.get(column) for row in theirs)
        changed = [row | {column: (*row[column], None)} if column in row else row for row in theirs]
        assert compare(changed, baseline.shape(heard(capture).lines), ALIKE[title]) != []


@pytest.mark.tshark
@pytest.mark.timeout(1200)  # alone, it compares everything
def test_the_page_is_current() -> None:
    need("tshark", tshark.present(), "tshark is not installed")
    assert DOC.read_text("utf-8") == page(), "python -m tests.conformance > docs/conformance.md"


def test_every_protocol_is_compared() -> None:
    assert {protocol.name for protocol in protocols()} == {name for conformance in ALL for name in conformance.protocols}


@pytest.mark.parametrize("conformance", ALL, ids=lambda conformance: conformance.title)
def test_every_explanation_is_of_a_baseline_that_is_compared(conformance: Conformance) -> None:
    assert {(known.tool, known.capture) for known in conformance.known} <= {(baseline.tool, baseline.capture) for baseline in conformance.all()}


@pytest.mark.parametrize("conformance", ALL, ids=lambda conformance: conformance.title)
def test_every_ground_truth_of_the_index_is_compared(conformance: Conformance) -> None:
    named = {truth for capture in conformance.captures() for truth in truths().get(capture, ())}
    compared = {baseline.truth for baseline in conformance.baselines}
    assert named - compared == set(conformance.silent)
    assert compared & set(conformance.silent) == set()


@pytest.mark.parametrize("conformance", ALL, ids=lambda conformance: conformance.title)
def test_every_capture_that_is_not_compared_has_its_reason(conformance: Conformance) -> None:
    left, places = conformance.left_out(), tuple(conformance.uncompared)
    assert [capture for capture in left if not capture.startswith(places)] == []
    assert [place for place in places if not any(capture.startswith(place) for capture in left)] == []


def test_the_truths_that_the_index_does_not_name_say_nothing_of_modbus() -> None:
    about = [
        path for folder in ("OISF+suricata-verify", "arkime+arkime") for path in (SHARED / "conformance" / folder).rglob("*")
        if path.suffix in (".yaml", ".test", ".rules") and "modbus" in path.read_text(errors="replace").lower()
    ]  # fmt: skip
    assert about == [], "they do now: compare what they count"


NAMED = [(conformance, capture) for conformance in ALL for capture in (conformance.captures() if PRESENT else ())]


@pytest.mark.parametrize(("conformance", "capture"), NAMED, ids=[f"{one.title}: {capture}" for one, capture in NAMED])
def test_what_the_index_names_is_decoded(conformance: Conformance, capture: str) -> None:
    """Operations of each protocol that the index names, every message by its code, and hardly an octet left on its ports."""
    found = heard(capture)
    for name in contents()[capture] & set(conformance.names):
        assert any(found.operations[each] for each in conformance.names[name]), name
    assert [line for line in found.lines if line["protocol"] in conformance.protocols and line["code"] is None and not line["anomaly"]] == []
    undecoded = sum(found.undecoded.get(port, 0) for port in conformance.ports(capture))
    most = (found.decoded + undecoded) // 20
    if capture in conformance.undecoded:
        assert undecoded > most, f"no longer: {conformance.undecoded[capture]}"
    else:
        assert undecoded <= most, {name: octets for name, octets in found.undecoded.items() if octets}


@pytest.mark.parametrize("capture", EVERY)
def test_a_protocol_is_found_only_where_it_is(capture: str) -> None:
    found = heard(capture).operations
    for conformance in ALL:
        if not contents()[capture] & (set(conformance.names) | conformance.inside):
            assert {name: found[name] for name in conformance.protocols - conformance.everywhere if found[name]} == {}


def test_no_capture_is_left_out() -> None:
    """Whatever a file is called, it is a capture if it begins like one. These two look as if they held what they do not."""
    begins = {bytes.fromhex(magic) for magic in ("d4c3b2a1", "a1b2c3d4", "4d3cb2a1", "a1b23c4d", "0a0d0d0a")}
    found = {str(path.relative_to(SHARED)) for path in SHARED.rglob("*") if path.is_file() and path.read_bytes()[:4] in begins}
    assert found | {capture for capture in EVERY if capture.endswith(".zip")} == set(EVERY)
    for name in ("toca-boca.pcap", "rdp.pcap"):
        assert any(capture.endswith(f"/{name}") for capture in EVERY)
