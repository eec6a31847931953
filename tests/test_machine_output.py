"""What `balefire dissect --json` prints of a capture is JSON, whatever the capture holds: no value that JSON has no number for, no crash half way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli import CAPTURES, balefire, lines
from tests.conformance.harness import SHARED
from tests.require import need
from tests.test_dnp3 import answer, ask
from tests.wire import Talk, save

if TYPE_CHECKING:
    from pathlib import Path

SMALL = 20_000  # octets of a capture


def test_every_line_of_our_captures_is_json() -> None:
    for capture in sorted(CAPTURES.glob("*.pcap")):
        assert lines("dissect", capture), capture.name


def test_every_line_of_the_small_captures_of_others_is_json() -> None:
    need("captures", SHARED.is_dir(), f"no {SHARED}")
    captures = [file for file in sorted((SHARED / "conformance").rglob("*.pcap*")) if file.is_file() and file.stat().st_size < SMALL]
    assert captures
    for capture in captures:
        for line in balefire("dissect", capture, "--json").stdout.splitlines():
            json.loads(line, parse_constant=lambda word, name=capture.name: (_ for _ in ()).throw(AssertionError(f"{name}: {word}")))


def test_bits_that_came_with_it_are_told_one_by_one(tmp_path: Path) -> None:
    """Clearing the restart bit is a write of an internal indication: a run of bits, no number that stands in a row."""
    talk = Talk(port=20000)
    talk.open()
    talk.ask(ask("02 5001 00 0708 02", 1).data, answer("", 1).data)
    (written,) = (row for row in lines("dissect", save(talk.packets, tmp_path / "bits.pcap")) if row["action"] == "write")
    assert [(one["space"], one["first"], one["value"]) for one in written["beside"]] == [
        ("internal_indications", 7, 0), ("internal_indications", 8, 1), ("internal_indications", 0, 0),
    ]  # fmt: skip
