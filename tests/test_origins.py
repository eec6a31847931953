"""Where captures of one observer meet, where points are too many, and where nothing was understood: nothing is lost silently."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

from click.testing import CliRunner

from balefire.cli import main
from sensors import release
from tests.wire import Talk, mbap, read, registers, watch

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

DEMO = "tests/captures/demo.pcap"


def cut_in_two(content: bytes, at: int) -> tuple[bytes, bytes]:
    """A capture as a rotating recorder would have written it: `at` packets, then the rest."""
    place = 24
    for _ in range(at):
        place += 16 + struct.unpack_from("<I", content, place + 8)[0]
    return content[:place], content[:24] + content[place:]


def test_rotated_captures_of_a_named_observer_lose_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    content = (pytestconfig.rootpath / DEMO).read_bytes()
    for name, part in zip(("p1.pcap", "p2.pcap"), cut_in_two(content, 2520), strict=True):
        (tmp_path / name).write_bytes(part)
    store = ["--store", str(tmp_path / "store")]
    done = CliRunner().invoke(main, ["replay", str(tmp_path / "p1.pcap"), str(tmp_path / "p2.pcap"), "--observer", "SPAN-1", *store, "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    listed = CliRunner().invoke(main, ["activities", *store, "--json"])
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert sum(row["ot"]["count"] for row in rows) == summary["operations"]
    assert {row["observer"]["name"] for row in rows} == {"SPAN-1"}
    covered = CliRunner().invoke(main, ["coverage", *store, "--json"])
    assert sum(json.loads(line)["packets"] for line in covered.stdout.splitlines()) == summary["packets"] == 2692


def test_a_sweep_of_addresses_does_not_blind_the_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "BLOCKS", 4)
    talk = Talk().open()
    for number in range(40):
        talk.ask(mbap(number, read(number * 64, 1)), mbap(number, registers(number)))
    for number in range(40, 44):
        talk.ask(mbap(number, read(9000, 1), 7), mbap(number, registers(number), 7))
    seen = watch(talk.packets)
    last = [row for row in seen.points if row["ot.unit"] == 7]
    assert [(row["ot.point.first"], row["ot.point.last"]) for row in last] == [(40.0, 43.0)]
    assert seen.totals.shed == 37, "what was forgotten is counted"


def test_what_no_table_knows_is_no_coverage() -> None:
    understood = Talk().open().ask(mbap(1, read(0, 1)), mbap(1, registers(1)))
    assert watch(understood.packets).totals.grade == 100.0
    private = Talk().open().ask(mbap(1, b"\x5a\x00\x02\x01"), mbap(1, b"\x5a\x00\xfe\x01"))
    totals = watch(private.packets).totals
    assert totals.grade == 0.0
    assert totals.undecoded == {"tcp/502": totals.undecoded_bytes}
    refused = watch(Talk().open().ask(mbap(1, b"\x41"), mbap(1, b"\xc1\x01")).packets).totals
    assert refused.decoded_bytes == 9, "a refusal is understood"
