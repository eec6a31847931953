"""The keys of the pages: each page has a letter of its own, and what a button has is told."""

from __future__ import annotations

import re
from pathlib import Path

from dashboards.keys import BUTTONS, LETTERS
from dashboards.navigation import VIEWS, places


def test_each_page_has_a_letter_of_its_own() -> None:
    assert set(LETTERS) == {place.address for place in places() if place.place}
    assert len({*LETTERS.values()}) == len(LETTERS)


def test_the_keys_of_buttons_are_told() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(VIEWS).parent.rglob("*.py"))
    named = {*re.findall(r'shortcut="(\w)"', source), *re.findall(r'chevron_\w+:", "(\w)"', source)}
    assert {key.lower() for key in named} == {key for key, _ in BUTTONS} | {"j", "k"}
