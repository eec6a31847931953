"""The page of what is detected is what the rules and detectors say now, and its names are those of the facts."""

from __future__ import annotations

import csv
from pathlib import Path

from detectors.discovery import detectors
from detectors.rulebook.techniques import TECHNIQUES
from tests.detection import found, page, techniques
from tests.require import need

ROOT = Path(__file__).parents[1]
FACTS = ROOT.parent / "shared" / "facts" / "attack_ics.tsv"


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "detection.md").read_text("utf-8") == page(), "run: python -m tests.detection > docs/detection.md"


def test_every_technique_has_a_name() -> None:
    assert set(techniques()) == TECHNIQUES


def test_every_detector_that_judges_activities_names_a_technique() -> None:
    telling = {detector for pairs in found().values() for detector, _ in pairs}
    assert telling == {detector.name for detector in detectors()} - {"coverage"}  # what was not seen is nobody's technique


def test_the_names_are_those_of_the_facts() -> None:
    need("captures", FACTS.is_file(), f"no {FACTS}")
    with FACTS.open(encoding="utf-8", newline="") as lines:
        assert {row["id"]: row["name"] for row in csv.DictReader(lines, delimiter="\t")} == {technique: name for technique, (name, _) in techniques().items()}
