"""What detectors let go for want of room is said beside what was not seen."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from balefire.covering import tell_coverage
from balefire.pipeline import Replay
from balefire.plan import Plan
from balefire.screen import Screen
from balefire.settings import Settings
from balefire.summary import forgotten_lines
from detectors.forgetting import forgotten
from detectors.methods import scan
from records.query import Query
from records.store import open_store
from sensors.sources.pcap import find
from tests.wire import Talk, mbap, read, save

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

UNITS = 5


def test_what_a_detector_had_no_room_for_is_told_until_a_run_had_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = Talk()
    for number in range(UNITS):
        Talk(client=f"10.0.0.{10 + number}", packets=talk.packets, time=talk.time).open().ask(mbap(1, read(0, 1)), mbap(1, b"\x83\x02"))
    captures = find([str(save(talk.packets, tmp_path / "tries.pcap"))])
    screen = Screen(Settings(), "en", "store")
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        with monkeypatch.context() as patched:
            patched.setattr(scan, "MOST", 2)
            done = Replay(Plan(captures=captures), store)
            done.run()
        counts = {"scan": 2 * UNITS - 2}  # what was tried of objects, and of units
        assert (done.forgotten, forgotten(store)) == (counts, counts)
        assert len(forgotten_lines(screen, done.forgotten, unlearned=3)) == 2
        assert tell_coverage(screen, store, Query(), 10)
        assert "“scan” had too much to remember and has let go 8 things" in " ".join(capsys.readouterr().out.split())
        Replay(Plan(captures=captures), store).run()
        assert forgotten(store) == {}
