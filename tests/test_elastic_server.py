"""The Elasticsearch that `deploy/elasticsearch/server.py` fetches and starts, as somebody has it who tries Balefire on it."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from deploy.elasticsearch.server import archive
from tests.cli import one
from tests.require import need

SCRIPT: Final = Path(__file__).parents[1] / "deploy" / "elasticsearch" / "server.py"


def descendants(number: int) -> list[int]:
    """A process and all below it."""
    children = [int(word) for task in Path(f"/proc/{number}/task").glob("*/children") for word in task.read_text().split()]
    return [number, *(each for child in children for each in descendants(child))]


@pytest.mark.elasticsearch
def test_it_runs_until_it_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says is all that Balefire has to be told; no server is root's; nothing stays of it."""
    need("elasticsearch", archive() is not None, "no archive of Elasticsearch in Maven's store")
    with subprocess.Popen([sys.executable, SCRIPT, "--port", "0", "--secured"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            lines = [process.stdout.readline() for _ in range(4)]
            said = (word.partition("=") for line in lines for word in shlex.split(line) if word != "export")
            told = {name: value for name, _, value in said}
            for name, value in told.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
            assert told["BALEFIRE_STORE"].startswith("https://127.0.0.1:")
            assert one("store", "init")["kind"] == "elasticsearch"
            below = descendants(process.pid)[1:]
            owners = {Path(f"/proc/{number}").stat().st_uid for number in below}
            assert below
            assert 0 not in owners
            password = Path(told["BALEFIRE_ELASTICSEARCH_PASSWORD_FILE"])
            assert password.stat().st_mode & 0o077 == 0
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(90)
    assert status == 0
    assert not password.exists()
    assert [number for number in below if Path(f"/proc/{number}").exists()] == []


@pytest.mark.parametrize(("words", "said"), [(["--fetch"], "apt-get install maven"), ([], "apt-get install maven"), (["0"], "NODES")])
def test_what_it_lacks_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    told = {"MAVEN_REPO": str(tmp_path), "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, SCRIPT, *words], env=told, check=False, capture_output=True, text=True)
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert "Traceback" not in done.stderr
