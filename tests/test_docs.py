"""Pages that are made from the code are what the code makes now."""

from __future__ import annotations

from pathlib import Path

import pytest

from records.wording import LANGUAGES, role_words
from sensors import roles, statements
from sensors.docs import page
from sensors.protocol import protocols
from tests.cli import ROOT, covered, portrait, sessions


def test_the_page_of_protocols_is_current() -> None:
    written = Path(__file__).parents[1] / "docs" / "protocols.md"
    assert written.read_text("utf-8") == page(), "run: python -m sensors.docs > docs/protocols.md"


def test_the_page_names_every_function() -> None:
    text = page()
    for protocol in protocols():
        section = text.split(f"(`{protocol.name}`)\n")[1].split("\n## ")[0]
        assert [function.name for function in protocol.functions.values() if f"`{function.name}`" not in section] == []


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_shows_what_dissect_says(name: str) -> None:
    shown = (ROOT / name).read_text("utf-8").split("<!-- dissect -->")[1].strip().removeprefix("```").removesuffix("```").strip()
    assert shown == sessions(), "run: python -m tests.cli"


@pytest.mark.parametrize(("name", "language"), [("README.md", "en"), ("README.zh.md", "zh")])
def test_the_readme_shows_what_coverage_says(name: str, language: str) -> None:
    shown = (ROOT / name).read_text("utf-8").split("<!-- coverage -->")[1].strip().removeprefix("```").removesuffix("```").strip()
    assert shown == covered(language), "run: python -m tests.cli"


@pytest.mark.parametrize(("name", "language"), [("README.md", "en"), ("README.zh.md", "zh")])
def test_the_readme_shows_what_is_known_of_an_asset(name: str, language: str) -> None:
    shown = (ROOT / name).read_text("utf-8").split("<!-- asset -->")[1].strip().removeprefix("```").removesuffix("```").strip()
    assert shown == portrait(language), "run: python -m tests.cli"


def test_the_page_of_assets_says_what_the_code_does() -> None:
    """Every role with its confidence and level, and every kind of source with its confidence."""
    text = (ROOT / "docs" / "assets.md").read_text("utf-8")
    for role, confidence in roles.CONFIDENCE.items():
        words = " · ".join(role_words(role, language) for language in LANGUAGES)
        assert f"| {words} | {confidence} | {roles.LEVELS.get(role, '–')} |" in text, role
    for name in ("PROVEN", "ANNOUNCED", "LEASED", "LOOKED_UP", "DERIVED"):
        assert f"| {getattr(statements, name)} |" in text, name
