"""The page of the audit trail: what was decided as it was before and after, and whether the chain holds."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from records.store import open_store
from records.wording import LANGUAGES, say
from tests.browser import waterworks
from tests.browser.waterworks import HOSTILE, STORY
from tests.cli import lines
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, sent

CHANGE = """UPDATE document SET body = replace(body, '"Li Wei"', '"Somebody"') WHERE kind = 'audit' AND id LIKE '%2'"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A store with a trail of four."""
    where = tmp_path / "store"
    waterworks.fill(where)
    identity = f"a{STORY}"
    lines("alert", "acknowledge", identity, "--by", "Li Wei", "--store", where)
    lines("alert", "note", identity, "--note", HOSTILE, "--by", "Li Wei", "--store", where)
    lines("alert", "assign", identity, "--to", "Zhao Min", "--by", "Li Wei", "--store", where)
    lines("alert", "close", identity, "--verdict", "true", "--by", "Zhao Min", "--store", where)
    return where


def cells(page: Any) -> list[list[str]]:
    return [[cell if isinstance(cell, str) else cell["text"] for cell in row] for row in drawn(page, "table")["rows"]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_decided_what_as_it_was_before_and_after(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("auditing", own, monkeypatch, lang=language)
    rows = cells(page)
    assert [row[0] for row in rows] == ["4", "3", "2", "1"]
    assert [row[2] for row in rows] == ["Zhao Min", "Li Wei", "Li Wei", "Li Wei"]
    status, verdict = say("dashboard.audit.field.status", language), say("dashboard.audit.field.verdict", language)
    assert f"{status}: {say('dashboard.status.acknowledged', language)}" in rows[0][5]
    assert f"{verdict}: {say('dashboard.verdict.true', language)}" in rows[0][6]
    assert "T19:12" not in rows[0][6], "times are the reader's"
    assert rows[2][7] == HOSTILE
    assert f"id=a{STORY}" in json.dumps(drawn(page, "table"))
    told = drawn(page, "headline")
    assert told["tag"] == say("dashboard.audit.holds", language)
    assert lines("audit", "--store", own)[-1]["hash"] in told["reason"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trail_that_was_changed_is_said_to_be_broken_and_where(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    changed = 0
    for file in own.rglob("*.sqlite*"):
        if not file.name.endswith(("-wal", "-shm")):
            with closing(sqlite3.connect(file)) as database:
                changed += database.execute(
                    "UPDATE document SET body = replace(body, '\"Li Wei\"', '\"Somebody\"') WHERE kind = 'audit' AND id LIKE '%2'"
                ).rowcount
                database.commit()
    assert changed == 1
    told = drawn(opened("auditing", own, monkeypatch, lang=language), "headline")
    assert (told["level"], told["tag"]) == ("critical", say("dashboard.audit.breaks", language))
    assert told["sentence"] == say("dashboard.audit.broken", language, at="2")


def test_the_trail_is_searched_and_turned_over(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [row[0] for row in cells(opened("auditing", own, monkeypatch, lang="en", q='by:"Zhao Min"'))] == ["4"]
    assert "Did you mean action" in sent(opened("auditing", own, monkeypatch, lang="en", q="acton:close"))
    for number in range(60):
        lines("alert", "note", f"a{STORY}", "--note", f"note {number}", "--by", "Wang", "--store", own)
    first = cells(opened("auditing", own, monkeypatch, lang="en"))
    second = cells(opened("auditing", own, monkeypatch, lang="en", page="2"))
    assert [row[0] for row in (*first, *second)] == [str(number) for number in range(64, 0, -1)]
    assert cells(opened("auditing", own, monkeypatch, lang="en", page="99")) == second
    assert cells(opened("auditing", own, monkeypatch, lang="en", page="x")) == first


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_trail_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    waterworks.fill_little(tmp_path / "store")
    assert drawn(opened("auditing", tmp_path / "store", monkeypatch, lang=language), "headline")["sentence"] == say("dashboard.audit.empty", language)
    open_store(str(tmp_path / "other"), write=True).close()
    assert "balefire replay FILE" in sent(opened("auditing", tmp_path / "other", monkeypatch, lang=language))
