"""What the docs of ledger, duties and delivery show is run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from detectors import lifecycle
from records.store import open_store
from records.store.contract import Commit
from reports import keys
from reports.ledger import Ledger
from reports.ways import ways
from tests.cli import ROOT, balefire, lines
from tests.test_release import WORDS
from tests.test_store import NOON, alert, finding


def shown(name: str) -> list[list[str]]:
    found = re.findall(r"^ {4}balefire (.+)$", (ROOT / "docs" / f"{name}.md").read_text("utf-8"), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keys, "COST", 1 << 14)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(tmp_path / "post"))
    monkeypatch.setenv("BALEFIRE_KEY_PASSPHRASE_FILE", "passphrase")
    Path("passphrase").write_text(WORDS)
    return tmp_path


def ran(*words: str) -> str:
    result = balefire(*words)
    assert result.exit_code == 0, (words, result.output)
    return result.stdout


def test_the_ledgers() -> None:
    for words in shown("ledger"):
        known = Ledger(Path("ledger"))
        stands = {"KEY": known.read(1).body["key"], "RECEIPT": str(known.read(2).receipt)} if len(known.numbers()) > 1 else {}
        ran(*(stands.get(word, word) for word in words))


def test_the_duties() -> None:
    store = open_store("store", True)
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    store.close()
    ran("key", "make", "--ledger", "ledger", "--keys", "keys")
    for words in shown("duties"):
        first = next((row["id"] for row in lines("duty", "list", "--store", "store") if row.get("duty") == "cn-incident/first"), "")
        warning = next((row["id"] for row in lines("warning", "list", "--store", "store")), "")
        ran(*({"ALERT": "al1", "DUTY": first, "WARNING": warning}.get(word, word) for word in words))
    assert len(Ledger(Path("ledger")).numbers()) == 3


def test_the_deliveries() -> None:
    ran("key", "make", "--ledger", "ledger", "--keys", "keys")
    found = re.search(r"```yaml\n(.+?)```", (ROOT / "docs" / "delivery.md").read_text("utf-8"), re.DOTALL)
    assert found
    Path("ways.yml").write_text(found[1])
    assert set(ways(Path("ways.yml"))) == set(yaml.safe_load(found[1])) == {"share", "desk", "vault", "hook"}
    for words in shown("delivery"):
        ran(*({"ENTRY": "ledger/000001.json"}.get(word, word) for word in words))
    assert json.loads(Path("outgoing/000001.json").read_text())["entry"]["number"] == 1
