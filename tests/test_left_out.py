"""What an address names and a page has not is left out and said, in the reader's language, and what is new is new since a moment that the address carries."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from detectors.rulebook import versions
from records.store import open_store
from records.store.contract import Commit
from tests.browser.waterworks import NOW, fill
from tests.test_dashboards import opened, sent

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {
    "situation": {"severty": "high"},
    "alerts": {"level": "awful,high", "status": "nope", "verdict": "x", "after": "50~zz", "range": "99y", "new": "then"},
    "auditing": {"page": "0", "until": "12", "lang": "xx"},
    "assets": {"after": "zz"},
    "network": {"moment": "soon", "asset": "nope"},
    "summaries": {"report": "nope"},
    "explore": {"part": "1-", "severty": "high", "path": "a/b.c"},
    "rulebook": {"area": "<b>awful</b>", "after": "999~nope"},
    "tuning": {"bound": "77", "rule": "address-sweep"},
}
OWN = {
    "situation": {"view": "wall"},
    "alerts": {"q": "a", "level": "high", "status": "all", "new": "1", "handover": "1"},
    "assets": {"q": "a", "sort": "-first", "risky": "yes", "role": ""},
    "network": {"tint": "access"},
    "explore": {"q": "a", "view": "table"},
    "rulebook": {"q": "a", "kind": "quiet"},
    "auditing": {"q": "a", "page": "1"},
}
KNOWN = {"rule", "path"}
PARTS = {"awful,high": "awful"}  # of a list only what is not there


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("left_out") / "store"
    fill(where)
    with closing(open_store(str(where), write=True)) as store:
        store.write(Commit(state={versions.STATE: versions.encoded([versions.read(())])}))
    return where


@pytest.mark.parametrize("view", PAGES)
def test_what_is_not_there_is_said(place: Path, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    page = opened(view, place, monkeypatch, **{"lang": "en", **PAGES[view]})
    assert "levels" not in page.session_state or page.session_state["levels"] == ["high"]
    (told,) = [each.value for each in page.text]
    if (path := PAGES[view].get("path")) is not None:
        lost, told = told.split("\n")
        assert lost == f"There is no page /{path} here."
    head, _, what = told.partition(": ")
    assert head == "Left out, for there is no such thing here"
    assert set(what.split(", ")) == {f"{name}={PARTS.get(value, value)}" for name, value in PAGES[view].items() if name not in KNOWN}


@pytest.mark.parametrize("view", ["situation", "alerts", "assets", "network", "explore", "rulebook", "auditing", "covering"])
def test_of_what_is_there_nothing_is_said(place: Path, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    assert not opened(view, place, monkeypatch, lang="zh", range="24h", **OWN.get(view, {})).text


def test_new_is_since_a_moment_that_the_address_carries(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is sent it sees what was meant; where no earlier visit is known, that is said."""
    page = opened("alerts", place, monkeypatch, lang="en", range="all", new=str(NOW))
    assert "no alerts" in sent(page).casefold() or "0 alerts" in sent(page)
    page = opened("alerts", place, monkeypatch, lang="en", range="all", new="1")
    assert "knows of no earlier visit" in sent(page)
    assert page.query_params["new"] == "1"
    page.session_state["visited"] = str(NOW - 1)
    page.run()
    assert page.query_params["new"] == str(NOW - 1)
    assert "knows of no earlier visit" not in sent(page)
