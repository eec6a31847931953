"""The keys of the pages: each page has a letter of its own, and what a button has is told."""

from __future__ import annotations

import re
from pathlib import Path

from dashboards.keys import BUTTONS, GENERAL, LETTERS
from dashboards.navigation import VIEWS, places
from records.wording import say
from tests.cli import ROOT


def test_each_page_has_a_letter_of_its_own() -> None:
    assert set(LETTERS) == {place.address for place in places() if place.place}
    assert len({*LETTERS.values()}) == len(LETTERS)


def test_the_keys_of_buttons_are_told() -> None:
    source = "".join(path.read_text("utf-8") for path in Path(VIEWS).parent.rglob("*.py"))
    named = {*re.findall(r'shortcut="(\w)"', source), *re.findall(r'chevron_\w+:", "(\w)"', source)}
    assert {key.lower() for key in named} == {key for key, _ in BUTTONS} | {"j", "k"}


def test_the_page_about_the_dashboard_tells_every_key_and_no_other() -> None:
    section = (ROOT / "docs" / "dashboard.md").read_text("utf-8").split("\n## Keys\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(" ".join(row[0] for row in rows).replace("`", "").split()) == sorted(key for key, _ in (*GENERAL, *BUTTONS))
    told = {row[3].replace("`", ""): row[4].strip("*") for row in rows}
    assert told == {f"g {letter}": say(f"dashboard.page.{address}", "en") for address, letter in LETTERS.items()}
