"""Pages are found by what they say of themselves, and a link of ours opens the page that has its address."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from dashboards import kit, navigation
from dashboards.keys import BUTTONS, GENERAL, LETTERS
from dashboards.page import KEPT
from records.wording import catalogue, say
from tests.cli import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_every_page_has_an_address_a_title_and_a_place() -> None:
    found = navigation.places()
    assert {place.file for place in found} == {file for file in navigation.VIEWS.glob("*.py") if file.stem != "__init__"}
    assert len({place.address for place in found}) == len(found)
    assert [place.address for place in found if f"dashboard.page.{place.address}" not in catalogue()] == []
    shown = [place.place for place in found if place.place]
    assert shown == sorted(set(shown))
    assert next(place.address for place in found if place.place) == "situation"


def test_a_page_that_does_not_say_where_it_stands_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lost.py").write_text("TITLE = 'x'\n")
    monkeypatch.setattr(navigation, "VIEWS", tmp_path)
    with pytest.raises(ValueError, match=r"lost\.py does not say where it stands"):
        navigation.places.__wrapped__()


def test_a_link_opens_the_page_of_its_address_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, dict[str, str]]] = []

    def switched(file: Path, query_params: dict[str, str]) -> None:
        opened.append((file.name, query_params))

    monkeypatch.setattr("streamlit.switch_page", switched)
    for address in ("coverage?lang=zh", "audit", "asset?asset=ab"):
        kit.visit(address)
    assert opened == [("covering.py", {"lang": "zh"}), ("auditing.py", {}), ("asset.py", {"asset": "ab"})]
    for odd in (None, 7, "", "covering", "/coverage", "https://example.org/coverage", "../app", "javascript:alert(1)"):
        kit.visit(odd)
    assert len(opened) == 3


@pytest.mark.parametrize("file", [place.file for place in navigation.places()], ids=lambda file: file.stem)
def test_a_page_asks_the_store_by_the_modules_of_questions_alone(file: Path) -> None:
    """What a page asks is then tested without one, bounded in one place, and the same for all."""
    asked = [
        f"{file.name}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and ((isinstance(node.value, ast.Attribute) and node.value.attr == "store") or ast.unparse(node.value) in {"store", "opened()"})
    ]
    assert asked == []


def test_the_page_about_the_dashboard_names_every_page_key_and_parameter() -> None:
    text = (ROOT / "docs" / "dashboard.md").read_text("utf-8")
    assert [place.address for place in navigation.places() if place.place and f"*{say(f'dashboard.page.{place.address}', 'en')}*" not in text] == []
    letters = [*LETTERS.values(), *(key for key, _name in (*GENERAL, *BUTTONS))]
    assert [letter for letter in letters if f"`{letter}`" not in text] == []
    assert [name for name in KEPT if f"`{name}`" not in text] == []
