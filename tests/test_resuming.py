"""What detectors know, over a restart of a sensor: found is what would have been found without it, once."""

from __future__ import annotations

from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import pytest

from balefire import resuming
from balefire.pipeline import Replay
from balefire.plan import Plan
from balefire.resuming import Resuming
from detectors.discovery import detectors
from records.model import Batch
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from sensors.sources.pcap import find
from tests.cli import DEMO
from tests.mirroring import load
from tests.wire import SECOND, save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from detectors.detector import Detector
    from records.model import Text
    from records.store.contract import Store
    from tests.wire import Packet


@pytest.fixture(scope="module")
def halves() -> tuple[list[Packet], list[Packet]]:
    """A search for devices behind a gateway, which a restart falls into."""
    packets = load(DEMO)
    since = packets[0].time
    return [each for each in packets if 248 <= (each.time - since) / SECOND < 250], [each for each in packets if 250 <= (each.time - since) / SECOND < 252]


def judged(store: Store, folder: Path, *parts: Sequence[Packet], resume: bool) -> list[Text]:
    """Each part by a run of its own; what was said."""
    said: list[Text] = []
    for number, part in enumerate(parts):
        replay = Replay(Plan(captures=find([str(save(part, folder / f"{number}.pcap"))]), observer="here", resume=resume), store)
        replay.note = said.append
        replay.run()
    return said


def rules(store: Store) -> list[str]:
    return sorted(row["rule"] for row in store.read("finding", Query()).to_pylist())


def test_a_restart_in_the_midst_of_an_attack_changes_nothing(tmp_path: Path, halves: tuple[list[Packet], list[Packet]]) -> None:
    found: dict[str, list[str]] = {}
    first, second = halves
    for name, parts, resume in (("whole", [first + second], False), ("resumed", [first, second], True), ("begun anew", [first, second], False)):
        folder = tmp_path / name
        folder.mkdir()
        with closing(open_store(str(folder / "store"), write=True)) as store:
            said = judged(store, folder, *parts, resume=resume)
            found[name] = rules(store)
            assert [text.en.split(" at ")[0] for text in said] == (["Detectors go on with what they knew"] if resume else [])
    assert found["resumed"] == found["whole"]
    assert found["begun anew"] != found["whole"], "or this test shows nothing"


def test_what_was_judged_and_is_not_remembered_is_said(tmp_path: Path, halves: tuple[list[Packet], list[Packet]]) -> None:
    """As after kill -9: rows are stored that came after what was kept."""
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        judged(store, tmp_path, halves[0], resume=True)
        before = newest(store)
        judged(store, tmp_path, halves[1], resume=False)
        later = store.count("activity", Query(since=before + 1))
        told = resumed(store)
    assert later > 10
    assert [text.en for text in told[1:]] == [
        f"Before this sensor ended without notice, {later} more activities were stored, which they judged then and do not remember."
    ]


def newest(store: Store) -> int:
    """The time of the newest activity."""
    (row,) = store.read("activity", Query(sort="-@timestamp", limit=1)).to_pylist()
    return int(row["@timestamp"].value)


@cache
def judges() -> list[Detector]:
    """Some detectors; here it is all one what they know."""
    return detectors()


def resumed(store: Store, learned: dict[str, bytes | None] | None = None) -> list[Text]:
    """What is said when detectors of this observer go on."""
    said: list[Text] = []
    Resuming(store, "here", learned or {}, said.append).resume(judges())
    return said


def test_who_learned_something_else_since_begins_anew(tmp_path: Path, halves: tuple[list[Packet], list[Packet]]) -> None:
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        judged(store, tmp_path, halves[0], resume=True)
        assert len(resumed(store)) == 1
        said = resumed(store, {"scan": b"something"})[1]
    assert "begin anew" in said.en
    assert "scan" in said.zh


def test_what_cannot_be_read_is_said_and_nothing_fails(tmp_path: Path) -> None:
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        assert resumed(store) == []
        for kept in (b"", b"\0", resuming.zlib.compress(b'{"form": 99, "until": 1, "detectors": {}}'), resuming.zlib.compress(b"[]")):
            store.write(Commit(state={"live-here": kept}))
            assert ["cannot be read" in text.en for text in resumed(store)] == [True], kept


def test_it_is_kept_now_and_then_and_at_the_end_and_within_bounds(
    tmp_path: Path, halves: tuple[list[Packet], list[Packet]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Text] = []
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        judged(store, tmp_path, halves[0], resume=False)
        seen = store.read("activity", Query())
        keeping = Resuming(store, "here", {}, said.append)
        assert keeping.state(judges(), Batch().activities, last=True) == {}, "nothing was seen yet"
        assert keeping.state(judges(), seen, last=False) == {}, "too soon"
        assert list(keeping.state(judges(), seen, last=True)) == ["live-here"]
        monkeypatch.setattr(resuming, "EVERY_S", 0.0)
        assert list(keeping.state(judges(), seen, last=False)) == ["live-here"]
        assert Resuming(store, None, {}, said.append).state(judges(), seen, last=True) == {}, "who has no name is nobody's successor"
        assert said == []
        monkeypatch.setattr(resuming, "MOST", 10)
        assert keeping.state(judges(), seen, last=True) == {}
    assert ["is more than is kept" in text.en for text in said] == [True]
