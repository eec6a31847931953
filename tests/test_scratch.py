"""Temporary folders of processes that were killed go when another starts; those of processes that run stay, and whatever is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from records import scratch

if TYPE_CHECKING:
    from pathlib import Path

MAKE = """
import sys, tempfile, time
from records import scratch
folder = tempfile.mkdtemp(prefix=scratch.prefix("rules"))
open(folder + "/rule.yml", "w").close()
tempfile.NamedTemporaryFile(prefix=scratch.prefix("slice"), delete=False)
print("made", flush=True)
time.sleep(60)
"""

pytestmark = pytest.mark.skipif(not scratch.STAT.exists(), reason="no /proc: nobody knows who is there")


def test_what_the_dead_left_goes_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", MAKE], env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        theirs = set(tmp_path.iterdir())
        assert len(theirs) == 2
        mine = tmp_path / f"{scratch.prefix('rules')}x"
        mine.mkdir()
        other = tmp_path / "balefire-rules-abc123"
        other.mkdir()
        elsewhere = tmp_path / "balefire-rules-1-4194304-17-x"  # a number of another namespace
        elsewhere.mkdir()
        assert scratch.sweep(tmp_path) == 0, "all of them are at work, or cannot be told"
        process.kill()
    assert scratch.sweep(tmp_path) == 2
    assert set(tmp_path.iterdir()) == {mine, other, elsewhere}


def test_a_number_that_came_again_is_another_process(tmp_path: Path) -> None:
    *front, _begun, rest = scratch.prefix("spill").split("-")
    old = tmp_path / "-".join([*front, "1", rest])
    old.mkdir()
    link = tmp_path / "-".join([*front, "2", rest])
    link.symlink_to(tmp_path.parent)
    assert scratch.sweep(tmp_path) == 2
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.parent.exists(), "of a link, the link alone goes"


def test_a_name_has_room_for_what_tempfile_adds(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("tshark"), dir=tmp_path) as folder:
        assert scratch.OURS.match(os.path.basename(folder))  # noqa: PTH119  (a name, not a path)
        assert scratch.sweep(tmp_path) == 0
