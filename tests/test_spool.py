"""The spool: what waits for a store is on the disk, in order, and survives whoever wrote it."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from records.errors import StoreError
from records.facts import Fact
from records.model import Asset, Batch, Conflict, Evidence, Finding, PacketRef, Term, Text
from records.schema import COVERAGE, POINT
from records.store.contract import Commit
from records.store.place import sync
from records.store.spool import Spool, corrupt, decoded, encoded, held, place_of, waiting
from tests.test_store import ACTIVITY, NOON, activities, activity, evidence, finding, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
WHOLE = Finding(
    "f", "k", "d", "r", NOON, NOON + 1, (Term("a", "甲", 1.5),), Text("t", "题"), Text("r", "因"), "10.0.0.1", None, ("e",), ("T1",), ("a1",), ("x",),
    (PacketRef("p.pcap", 3, NOON + 7),), "tap", "site", Text("n", "常"), (Text("s", "步"),), "v1", "al", ("s1",), ("s2",),
)  # fmt: skip
ASSET = Asset("i", "n", ("10.0.0.1",), NOON, NOON + 1, "v", "m", "f", "s", "r", "z", 2, ("arp",), "site", "high", ("j",),
    (Fact("address", "10.0.0.1", "arp", 80, NOON, NOON + 1),), (Conflict("10.0.0.1", "00:1b:1b:00:00:01", "moved", NOON, NOON + 1),))  # fmt: skip
EVIDENCE = Evidence("f", "p.pcap", NOON, NOON + 1, (3, 4), 1, 100, sha256(b"\0\n\xff").hexdigest(), b"\0\n\xff")


def commit(number: int) -> Commit:
    return dataclasses.replace(activities(activity(number, NOON + number)), findings=(finding(number),))


def test_a_commit_comes_back_as_it_was() -> None:
    for example in (WHOLE, ASSET, EVIDENCE):  # so that a field that somebody adds has to be kept, too
        assert [field.name for field in dataclasses.fields(example) if getattr(example, field.name) in (None, ()) and field.name != "destination"] == []
    batch = Batch(
        rows_of(ACTIVITY, [activity(1, ot__value=float("inf"), ot__anomaly=["short"])]),
        rows_of(POINT, [{"id": "p", "@timestamp": NOON}]),
        rows_of(COVERAGE, [{"id": "c", "@timestamp": NOON, "undecoded": "[]"}]),
    )
    given = Commit(batch, (WHOLE, finding(2)), (), (ASSET,), {"novelty": b"\0\xff"}, evidence=(EVIDENCE, evidence(2, b"", sha256=None), evidence(3, b"more")))
    back = decoded(encoded(given))
    assert (back.findings, back.assets, back.state, back.evidence) == (given.findings, given.assets, given.state, given.evidence)
    for name in ("activities", "points", "coverage"):
        assert getattr(back.batch, name).equals(getattr(batch, name))


def test_segments_are_in_order_and_go_one_by_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    paths = [spool.put(commit(number)) for number in range(12)]
    assert paths == sorted(paths)
    assert [spool.take(path).findings[0].id for path in paths] == [f"f{n}" for n in range(12)]
    assert waiting(spool.root)[0] == 12
    spool.done(paths[0])
    assert waiting(spool.root)[0] == 11
    spool.close()
    again = Spool(tmp_path / "s")
    assert again.left() == paths[1:]
    assert again.put(commit(99)) > paths[-1]
    again.close()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to("/proc/self/mem")  # whose first octet nobody can read: EIO, as of a failing disk


def test_nobody_else_may_read_what_waits(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        spool = Spool(tmp_path / "above" / "s")
        segment = spool.put(commit(1))
    finally:
        os.umask(before)
    spool.close()
    assert segment.stat().st_mode & 0o777 == 0o600
    assert {each.stat().st_mode & 0o777 for each in (spool.root.parent, spool.root, segment.parent)} == {0o700}


@pytest.mark.parametrize("damage", [cut, emptied, flipped, unreadable])
def test_a_damaged_segment_is_put_aside_and_said(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    spool = Spool(tmp_path / "s")
    first, second = spool.put(commit(1)), spool.put(commit(2))
    damage(first)
    with pytest.raises(StoreError) as caught:
        spool.take(first)
    assert caught.value.key == "spool.corrupt"
    assert corrupt(spool.root) == [first.with_suffix(".corrupt")]
    assert str(corrupt(spool.root)[0]) in caught.value.text("zh")
    assert spool.take(second).findings[0].id == "f2"
    assert waiting(spool.root)[0] == 1
    spool.close()


def test_what_was_put_aside_is_not_overwritten_by_the_next(tmp_path: Path) -> None:
    for number in range(2):
        spool = Spool(tmp_path / "s")
        damaged = spool.put(commit(number))
        cut(damaged)
        with pytest.raises(StoreError):
            spool.take(damaged)
        spool.close()
    assert len(corrupt(tmp_path / "s")) == 2


@pytest.mark.parametrize("content", [b"", b"x", b"balefire-spool-1 0 \n", b"balefire-spool-1 2 cbf48f4e6d19a1d11d6e3b6a0d8c1c4a\n{}", b"\xff" * 99])
def test_what_is_no_segment(content: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        decoded(content)


def test_a_full_spool_takes_nothing_more_and_loses_nothing(tmp_path: Path) -> None:
    size = len(encoded(commit(1)))
    spool = Spool(tmp_path / "s", limit=2 * size + 100)
    paths = [spool.put(commit(number)) for number in (1, 2)]
    with pytest.raises(StoreError) as caught:
        spool.put(commit(3))
    assert caught.value.key == "spool.full"
    assert [path.exists() for path in paths] == [True, True]
    spool.done(paths[0])
    assert spool.put(commit(3)).exists()
    spool.close()


@pytest.mark.parametrize("kind", ["corrupt", "tmp"])
def test_what_was_put_aside_and_what_another_begins_count(tmp_path: Path, kind: str) -> None:
    size = len(encoded(commit(1)))
    spool = Spool(tmp_path / "s", limit=2 * size + 100)
    first = spool.put(commit(1))
    first.rename(first.with_suffix(f".{kind}"))
    assert (waiting(spool.root), held(spool.root)) == ((0, 0), size)
    spool.put(commit(2))
    with pytest.raises(StoreError) as caught:
        spool.put(commit(3))
    assert caught.value.key == "spool.full"
    spool.close()


def test_what_a_killed_writer_had_begun_goes_with_the_next_and_no_sooner(tmp_path: Path) -> None:
    """In the slot of whoever comes next, and in one that it only looks into; what a writer that lives has begun stays."""
    writers = [Spool(tmp_path / "s") for _ in range(3)]
    begun = [writer.put(commit(1)).with_suffix(".tmp") for writer in writers]
    for path in begun:
        path.with_suffix(".segment").rename(path)
    for number in (0, 2):
        writers[number].close()
    following = Spool(tmp_path / "s")
    assert [path.exists() for path in begun] == [False, True, False]
    assert following.left() == []
    writers[1].close()
    following.close()


def test_the_way_to_a_segment_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every directory in which a name was made, before anybody goes on."""
    synced: set[tuple[Path, frozenset[str]]] = set()

    def watched(path: Path) -> None:
        synced.add((path, frozenset(each.name for each in path.iterdir()) - {"lock"}))
        sync(path)

    monkeypatch.setattr("records.store.spool.sync", watched)
    root = tmp_path / "new" / "s"
    spool = Spool(root)
    segment = spool.put(commit(1))
    assert {(tmp_path, frozenset({"new"})), (tmp_path / "new", frozenset({"s"})), (root, frozenset({"0"})), (root / "0", frozenset({segment.name}))} <= synced
    spool.close()


def test_two_writers_have_slots_of_their_own(tmp_path: Path) -> None:
    one = Spool(tmp_path / "s")
    path = one.put(commit(1))
    other = Spool(tmp_path / "s")
    assert other.left() == []
    assert other.put(commit(2)).parent != path.parent
    one.close()
    third = Spool(tmp_path / "s")
    assert third.left() == [path]
    third.close()
    other.close()


def test_a_writer_that_was_killed_leaves_whole_segments(tmp_path: Path) -> None:
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.test_spool import Spool, commit
from pathlib import Path
spool = Spool(Path(sys.argv[1]))
for number in range(10_000):
    spool.put(commit(number))
    print(number, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "s")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
    assert said[-1] == "19\n"
    spool = Spool(tmp_path / "s")
    left = spool.left()
    assert len(left) >= 20
    assert [spool.take(path).findings[0].id for path in left] == [f"f{n}" for n in range(len(left))]
    spool.close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError) as caught:
        Spool(tmp_path / "file" / "s")
    assert "BALEFIRE_SPOOL" in caught.value.text("zh")


def test_stores_have_places_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path))
    assert place_of("balefire-1") == tmp_path / "balefire-1"
