"""CONTRIBUTING.md taken at its word: the files that it shows are put where it says, and do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from detectors.lint import lint
from detectors.lint import test as run_tests
from detectors.mutation import mutate
from tests.cli import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SHOWN: dict[str, str] = dict(re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
PYTHON = [name for name in SHOWN if name.endswith(".py")]


def test_it_shows_a_protocol_its_test_and_a_rule() -> None:
    assert sorted(Path(name).parts[0] for name in SHOWN) == ["rules", "sensors", "tests"]


def test_the_rule_is_clean_and_behaves(tmp_path: Path) -> None:
    (name,) = [name for name in SHOWN if name.startswith("rules/")]
    file = tmp_path / Path(name).name
    file.write_text(SHOWN[name], "utf-8")
    assert lint(file).problems == ()
    report = run_tests(file)
    assert mutate(file).unexplained == 0
    assert (report.rules, report.cases, report.failed) == (1, 8, ())


def copied(place: Path) -> Path:
    """What the protocol's tests need of this repository, with the shown files in it."""
    ignored = shutil.ignore_patterns("__pycache__", "captures", "plant", "browser", "bench", "conformance")
    for layer in ("records", "sensors", "tests"):
        shutil.copytree(ROOT / layer, place / layer, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", place)
    for name in PYTHON:
        (place / name).write_text(SHOWN[name], "utf-8")
    return place


def test_the_protocol_passes_the_battery(tmp_path: Path) -> None:
    """Interpreted, which needs no compiling; the battery compares that with the compiled kernels for the protocols that stay."""
    place = copied(tmp_path / "copy")
    words = ["tests/test_protocols.py", "tests/test_pulse.py", "tests/test_wording.py::test_every_word_of_a_protocol_has_its_wording"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, "-k", "pulse or every_word"],
        cwd=place, env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(place)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]
    assert re.search(r"\b1[0-9] passed", run.stdout), run.stdout
