"""A sensor under kill -9 at any point: what it stored is what it would have stored, whole windows of it, and the next one says which are not there."""

from __future__ import annotations

import io
import multiprocessing
import os
import random
import signal
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from balefire import absence, ahead
from balefire.absence import Absence, announce
from balefire.pipeline import Replay
from balefire.plan import Plan
from balefire.times import shown
from balefire.waiting import pieces
from records.model import Batch
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from sensors import pcapng
from sensors.engine.tables import WINDOW
from sensors.sensor import Sensor
from sensors.sources import files
from sensors.sources.interfaces import OURS
from sensors.sources.pcap import listen
from tests.wire import SECOND, START, Feed, Talk, mbap, pcap, read, registers, write

if TYPE_CHECKING:
    from pathlib import Path

    from records.model import Text
    from records.store.contract import Store, Written
    from tests.wire import Packet

MINUTES: Final = 20
CHUNK: Final = 1 << 11  # octets: less than a minute
POINTS: Final = 100 if "BALEFIRE_SOAK" in os.environ else 2
TABLES: Final = ("activity", "point", "coverage", "finding")


def polls(minutes: range) -> list[Packet]:
    """These minutes of two masters that poll, and write now and then, on connections that were open before."""
    talks = [Talk(client=f"10.0.0.{number}", client_port=40000 + number) for number in (7, 8)]
    dice = random.Random(1)
    for minute in minutes:
        for second in range(0, 60, 4):
            for talk in talks:
                talk.time = START + (60 * minute + second) * SECOND + dice.randrange(SECOND)
                talk.ask(mbap(second, read(0, 2)), mbap(second, registers(1, dice.randrange(100))))
                if dice.random() < 0.1:
                    talk.ask(mbap(99, write(3, second)), mbap(99, write(3, second)))
    return sorted((packet for talk in talks for packet in talk.packets), key=lambda packet: packet.time)


@pytest.mark.parametrize("soon", [True, False])
def test_a_windows_coverage_is_the_last_of_it(soon: bool) -> None:
    """Cut after each packet: what comes behind it is of later windows."""
    over, count = 0, 0
    for batch in Sensor("here").listen(Feed(polls(range(3)), each=1), lambda: soon):
        for rows in (batch.activities, batch.points):
            assert [row for row in rows.to_pylist() if row["@timestamp"].value < over] == []
        count += batch.coverage.num_rows
        over = max([over, *(row["event.end"].value for row in batch.coverage.to_pylist())])
    assert count == 3


def test_a_batch_that_is_cut_has_its_coverage_in_the_last_piece() -> None:
    (*_, batch) = Sensor("here").listen(Feed(polls(range(3))))
    assert batch.activities.num_rows > 10
    assert batch.coverage.num_rows == 3
    assert [piece.coverage.num_rows for piece in pieces(batch, lambda: 10)] == [0] * ((batch.activities.num_rows - 1) // 10) + [3]


def capture(minutes: range) -> bytes:
    """The same as a file."""
    return pcap(polls(minutes))


class Counting:
    """A store that counts what was written to it: commits, and windows."""

    def __init__(self, store: Store) -> None:
        self._store, self.writes, self.windows = store, 0, 0

    def write(self, commit: Commit) -> Written:
        written = self._store.write(commit)
        self.writes += 1
        self.windows += commit.batch.coverage.num_rows
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def sensed(place: str, content: bytes, killed_at: tuple[int, float] | None = None) -> list[Text]:
    """What a live sensor says that reads this as it comes. `killed_at`: kill -9 so long (seconds) after so many windows are stored."""
    ahead.COMMIT_S = ahead.PAUSED_S = 0.02  # pyright: ignore[reportAttributeAccessIssue, reportConstantRedefinition] - minutes pass in no time here
    files.SALT = CHUNK  # pyright: ignore[reportAttributeAccessIssue, reportConstantRedefinition] - identities do not depend on what comes in time
    reader, writer = os.pipe()

    def feed() -> None:
        for at in range(0, len(content), CHUNK):
            writes, end = store.writes, time.monotonic() + 0.05
            os.write(writer, content[at : at + CHUNK])
            while store.writes == writes and time.monotonic() < end:  # so that all is not one commit
                time.sleep(0.001)
        os.close(writer)

    said: list[Text] = []
    with closing(os.fdopen(reader, "rb", buffering=0)) as wire, closing(open_store(place, write=True)) as opened:
        store: Any = Counting(opened)
        threading.Thread(target=feed, daemon=True).start()
        if killed_at:
            threading.Thread(target=_kill, args=(store, *killed_at), daemon=True).start()
        replay = Replay(Plan(captures=listen(wire, "wire"), observer="here", resume=True), store)
        replay.note = said.append
        replay.run()
    assert replay.conflicts == []
    return said


def _kill(store: Counting, windows: int, seconds: float) -> None:
    while store.windows < windows:
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def in_a_process(place: str, content: bytes, killed_at: tuple[int, float]) -> int | None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=sensed, args=(place, content, killed_at))
    process.start()
    process.join(120)
    return process.exitcode


def rows(store: Store, table: str) -> dict[str, dict[str, Any]]:
    """By identity."""
    return {row["id"]: row for row in store.read(table, Query()).to_pylist()}


def whole(store: Store) -> int:
    """Up to when all windows are there."""
    return max((row["event.end"].value for row in rows(store, "coverage").values()), default=0)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, Any]]]:
    place = str(tmp_path_factory.mktemp("uninterrupted") / "store")
    assert sensed(place, capture(range(MINUTES))) == []
    with closing(open_store(place)) as store:
        return {table: rows(store, table) for table in TABLES}


@pytest.mark.parametrize("point", range(POINTS))
def test_whole_windows_are_there_and_the_rest_is_said(tmp_path: Path, uninterrupted: dict[str, dict[str, dict[str, Any]]], point: int) -> None:
    dice, place = random.Random(point), str(tmp_path / "store")
    killed_at = dice.randrange(2, 16), dice.random() / 20
    assert in_a_process(place, capture(range(MINUTES)), killed_at) == -signal.SIGKILL
    with closing(open_store(place)) as store:
        since = whole(store)
        assert since >= START + WINDOW, "or this shows nothing"
        for table in TABLES:
            found, expected = rows(store, table), uninterrupted[table]
            assert found == {name: expected[name] for name in found}, "what is there is what would have been there"
            missing = [row for name, row in expected.items() if name not in found and table != "finding"]
            assert [row for row in missing if row["@timestamp"].value < since] == [], table
            assert missing or table == "finding", "or it was killed too late"
    said = [text.en for text in sensed(place, capture(range(MINUTES + 5, MINUTES + 8)))]
    minutes = (since - START) // WINDOW
    assert [f":{14 + minutes:02}:00 UTC on is lost" in line for line in said if "(killed, or no room). What" in line] == [True], said
    assert (
        sum(f":{14 + minutes:02}:00 UTC to " in line and f":{14 + MINUTES + 5:02}:0" in line and "judged and stored by then" in line for line in said) == 1
    ), said
    with closing(open_store(place)) as store:
        later = [row["absent"] for row in sorted(rows(store, "coverage").values(), key=lambda row: row["@timestamp"]) if row["@timestamp"].value >= since]
    assert len(later) == 3
    assert 60 * (MINUTES + 5 - minutes) <= later[0] < 60 * (MINUTES + 5 - minutes) + 2
    assert later[1:] == [None, None]


def written(since: int) -> bytes:
    """All of them from this minute on as our own sensor hands them on, in a run of this name."""
    file = io.BytesIO()
    writer, face = pcapng.Writer(file, comment="a run", application=OURS.decode()), pcapng.Interface("in0", 1, 0)
    for packet in polls(range(MINUTES)):
        if packet.time >= START + since * WINDOW:
            writer.add(pcapng.Packet(packet.time, len(packet.data), packet.data, face))
    return file.getvalue()


def without_packets(row: dict[str, Any]) -> dict[str, Any]:
    """A row but for numbers of packets, which are those of what was read."""
    return {name: value for name, value in row.items() if not name.startswith("ot.packet")}


def test_a_file_that_was_half_read_is_stored_once(tmp_path: Path) -> None:
    """The second of two, from which the sensor that is started again begins, in the name of the one that was killed."""
    place, other = str(tmp_path / "store"), str(tmp_path / "uninterrupted")
    assert in_a_process(place, written(0), (10, 0.01)) == -signal.SIGKILL
    with closing(open_store(place)) as store:
        assert START + 10 * WINDOW <= whole(store) < START + MINUTES * WINDOW
    sensed(place, written(5))
    sensed(other, written(0))
    with closing(open_store(place)) as store, closing(open_store(other)) as expected:
        for table in ("activity", "point", "coverage"):
            found, wanted = ({name: without_packets(row) for name, row in rows(one, table).items()} for one in (store, expected))
            assert wanted
            assert {name: row for name, row in found.items() if name in wanted} == wanted
            more = [row for name, row in found.items() if name not in wanted]  # what does not change is told once by each sensor
            assert all(table == "point" and row["@timestamp"].value // WINDOW == (START + 5 * WINDOW) // WINDOW for row in more)


def test_one_that_was_killed_before_any_window_was_stored_says_since_when_it_listened(tmp_path: Path) -> None:
    """That it began is kept at once: the next counts what the first heard as missing, whatever ended it."""
    said: list[Text] = []
    (batch,) = Sensor("here").listen(Feed(polls(range(1))))
    began = time.time_ns()
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        for run in ("first", "second"):  # both are killed
            last = Absence(store, "here", said.append)
            store.write(Commit(state=last.begin(run)))
        marked = last.mark(batch, began + 90 * SECOND)
    assert [(f"from {shown(began, 'en')}" in text.en, f"from {shown(began + SECOND, 'en')}" in text.en).count(True) for text in said] == [1, 1]
    assert f"to {shown(began + 90 * SECOND, 'en')} UTC is lost" in said[-1].en, "and up to when"
    assert [row["absent"] for row in marked.coverage.to_pylist()] == [pytest.approx(90, abs=5)]


def test_one_that_was_killed_before_it_judged_at_all_says_since_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While kernels are compiled what listens holds what comes: the next start counts that as missing; the one that announced it does not."""
    said: list[Text] = []
    (batch,) = Sensor("here").listen(Feed(polls(range(1))))
    began = time.time_ns()
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        announce(store, "here")
        Absence(store, "here", said.append).begin("first")
        assert said == []
        monkeypatch.setattr(absence, "US", "another process")
        announce(store, "here")
        second = Absence(store, "here", said.append)
        second.begin("second")
        marked = second.mark(batch, began + 90 * SECOND)
    assert f"to {shown(began + 90 * SECOND, 'en')} UTC is lost" in said[-1].en
    assert [row["absent"] for row in marked.coverage.to_pylist()] == [pytest.approx(90, abs=5)]


def test_of_what_comes_once_more_only_that_is_judged_which_may_not_have_been(tmp_path: Path) -> None:
    """Nothing before the end of the window amid which it begins, which is stored whole; of others what is not stored, and what detectors do not remember.

    What is late behind that is told again.
    """
    (*_, batch) = Sensor("here").listen(Feed(polls(range(4))))
    times: Any = np.array([row["@timestamp"].value for row in batch.activities.to_pylist()])
    stored = np.flatnonzero((times < START + 3 * WINDOW) & (np.arange(len(times)) > 0))  # the first came late
    coverage = batch.coverage.slice(0, 3)
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        store.write(Commit(state=Absence(store, "here", lambda _: None).begin("run")))
        store.write(Commit(Batch(batch.activities.take(stored), coverage=coverage)))
        same = Absence(store, "here", lambda _: None)
        assert same.until() == START + 3 * WINDOW
        same.begin("run")
        left = same.fresh(batch, START + WINDOW + SECOND, START + 2 * WINDOW - 1)
        late = same.fresh(Batch(batch.activities.slice(0, 2)), START + WINDOW + SECOND, START + 2 * WINDOW - 1)
        other = Absence(store, "here", lambda _: None)
        other.begin("another run")
        assert other.fresh(batch, START + WINDOW + SECOND, START + 2 * WINDOW - 1) is batch
    found = [row["@timestamp"].value for row in left.activities.to_pylist()]
    assert found == list(times[times >= START + 2 * WINDOW])
    assert [row["@timestamp"].value for row in late.activities.to_pylist()] == [times[0]]
    assert [row["@timestamp"].value for row in left.coverage.to_pylist()] == [START + 2 * WINDOW, START + 3 * WINDOW]


def test_a_sensor_that_ended_in_order_says_since_when(tmp_path: Path) -> None:
    place = str(tmp_path / "store")
    sensed(place, capture(range(2)))
    said = sensed(place, capture(range(15, 17)))
    assert sum("ended in order" in text.en for text in said) == 1
    with closing(open_store(place)) as store:
        found = sorted(rows(store, "coverage").values(), key=lambda row: row["@timestamp"])
        assert [row["absent"] and round(row["absent"] / 60) for row in found] == [None, None, 13, None]
        assert [row["rule"] for row in rows(store, "finding").values() if row["rule"] == "coverage-silent"] == []


def silent(minutes: range) -> bytes:
    """What our own sensor hands on where no packet comes: each second what time it is. In the first nothing could come."""
    file, face = io.BytesIO(), pcapng.Interface("in0", 1, 0)
    pcapng.Writer(file, comment="silent", application=OURS.decode()).number(face)
    for second in range(60 * minutes.start, 60 * minutes.stop + 1):
        file.write(pcapng.statistics(0, START + second * SECOND, 0, 0, 0, dark=0 if second > 60 * minutes.start else 30 * SECOND))
    return file.getvalue()


def test_a_run_in_which_no_packet_came_was_no_absence(tmp_path: Path) -> None:
    """Nor is what was before it forgotten: nobody listened for three minutes, nothing came for five, nobody listened for another five."""
    place = str(tmp_path / "store")
    for content in (capture(range(2)), silent(range(5, 10)), capture(range(15, 17))):
        sensed(place, content)
    with closing(open_store(place)) as store:
        found = sorted(rows(store, "coverage").values(), key=lambda row: row["@timestamp"])
    assert [row["absent"] and round(row["absent"] / 60) for row in found] == [None, None, 8, None]
    assert [row["dark"] for row in found] == [None, None, 30, None]
