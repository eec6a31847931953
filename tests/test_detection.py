"""The page of what is detected is what the rules and detectors say now, and its names are those of the facts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from detectors.discovery import detectors
from detectors.rulebook.techniques import TECHNIQUES
from tests.detection import UNCOVERED, found, page, techniques
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


def test_what_is_missing_is_told_with_why_and_nothing_that_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A technique that a rule or detector finds from now on leaves the list, and one that none finds any more enters it, or the page is not made."""
    covered = dict.fromkeys(("one more",), ("T0855",))
    monkeypatch.setattr("tests.detection.UNCOVERED", UNCOVERED | covered)
    with pytest.raises(ValueError, match="T0855"):
        page()
    monkeypatch.setattr("tests.detection.UNCOVERED", dict(list(UNCOVERED.items())[1:]))
    with pytest.raises(ValueError, match="T0864"):
        page()
