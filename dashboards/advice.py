"""What the detector that found something says about it: what would have been normal, and the first steps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from detectors.detector import Detector
    from records.model import Text


@dataclass(frozen=True, slots=True)
class Advice:
    """What a detector says of a stored finding."""

    normal: Text | None
    respond: list[Text]


@st.cache_resource(show_spinner=False)
def _detectors() -> dict[str, Detector]:
    """Every detector there is, by name; with the user's own rules where `serve` was told of them."""
    from detectors.discovery import Setup, detectors  # slow to import, and only an alert needs it

    own = os.environ.get("BALEFIRE_RULES")
    return {detector.name: detector for detector in detectors(Setup(rules=(Path(own),) if own else ()))}


def advice(finding: dict[str, Any]) -> Advice | None:
    """The advice on a finding, or None where its detector no longer exists."""
    detector = _detectors().get(str(finding["detector"]))
    return Advice(detector.normal(finding), detector.respond(finding)) if detector else None
