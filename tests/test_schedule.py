"""Housekeeping: once a day, made up for where it was missed, by one at a time, tried again where it failed; on both stores."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from balefire import schedule
from balefire.schedule import BEGUN, BY, DAY, DONE, LEASE, Housekeeper, Job, is_due, jobs
from balefire.screen import Screen
from balefire.settings import Settings
from detectors import curves
from detectors.rulebook import versions
from detectors.rulebook.kept import Kept, loaded
from detectors.tuning import bounds
from records.errors import StoreError
from records.processes import has_ended
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from records.store.decisions import broken
from tests.cli import DEMO, ROOT, balefire, one
from tests.test_store import STORES, activities, activity, alert, evidence, finding, place
from tests.test_watch import said as listened
from tests.veth import started, wires

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store

HOUR: Final = 3600 * 10**9
YEAR: Final = 366 * DAY


@pytest.fixture(params=STORES)
def where(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with rows that were written a year ago, and of now."""
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
    address = place(request, tmp_path)
    filled(address)
    return address


def filled(address: str) -> None:
    now = time.time_ns()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time_ns", lambda: now - YEAR)
        store = open_store(address, True)
        store.write(activities(activity(1, now - YEAR), activity(2, now - YEAR)))
        store.write(Commit(findings=(finding(1, now - YEAR), finding(2, now - YEAR, alert="al1")), alerts=(alert(1, last=now - YEAR),)))
        store.write(Commit(evidence=(evidence(1, b"one"), evidence(2, b"two"))))
        store.close()
    store = open_store(address, True)
    store.write(activities(activity(3, now)))
    store.close()


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    opened = open_store(where, True)
    yield opened
    opened.close()


def keeper(store: Store, **settings: object) -> tuple[Housekeeper, list[str]]:
    """A housekeeper of a store that is open already, and what it says."""
    said: list[str] = []
    screen = Screen(Settings.model_validate(settings), "en", "store")
    screen.note = said.append  # pyright: ignore[reportAttributeAccessIssue] - what people would read
    return Housekeeper(screen, lambda: nullcontext(store)), said


def test_jobs_are_found() -> None:
    assert [job.name for job in jobs()] == sorted(path.stem for path in (ROOT / "balefire" / "jobs").glob("[a-z]*.py"))
    assert {"retention", "evidence"} <= {job.name for job in jobs()}


@pytest.mark.parametrize(
    ("done", "now", "due"),
    [
        (None, "2026-11-22T01:00", True),
        ("2026-11-22T03:05", "2026-11-22T23:00", False),
        ("2026-11-22T03:05", "2026-11-23T02:59", False),
        ("2026-11-22T03:05", "2026-11-23T03:00", True),
        ("2026-11-22T02:55", "2026-11-22T03:01", True),
        ("2026-11-20T03:05", "2026-11-23T01:00", True),  # the machine was off at three
        ("2031-01-01T03:05", "2026-11-23T01:00", True),  # its clock was wrong
        ("2026-11-23T03:05", "2026-11-23T03:00", False),  # … or that of another machine is a little ahead
    ],
)
def test_when_it_is_due(monkeypatch: pytest.MonkeyPatch, done: str | None, now: str, due: bool) -> None:
    """By the hour of this machine's clock, wherever it stands."""
    for zone in ("UTC", "Asia/Shanghai", "America/St_Johns"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        moments = [None if moment is None else int(datetime.fromisoformat(moment).astimezone().timestamp()) * 10**9 for moment in (done, now)]
        assert moments[1] is not None
        assert is_due(moments[0], moments[1], 3) is due
    monkeypatch.delenv("TZ")
    time.tzset()


def test_it_is_done_once_a_day_and_the_trail_tells_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    house, said = keeper(store)
    assert house.look()
    assert store.count("activity", Query()) == 1
    assert store.count("finding", Query()) == 1, "that of an alert that is not closed stays"
    assert store.packets("f1") is None
    assert store.packets("f2") is not None
    trail = {row["table"]: (row["by"], row["after"]) for row in store.read("audit", Query()).to_pylist()}
    assert trail["activity"] == ("balefire", '{"rows": 2}')
    assert broken(store) is None
    assert [line for line in said if "past their retention" in line]
    noted = store.notes()
    assert house.look()
    assert store.notes() == noted, "nothing is due"
    now = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now + 2 * DAY)
    assert house.look()
    assert store.notes()["retention" + DONE] == now + 2 * DAY
    assert store.count("audit", Query()) == len(trail), "nothing went, so nothing is told"


def test_what_numbers_of_rules_cost_is_worked_out_ahead(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two rules, for time: the one without a number has no curve."""
    store.write(Commit(state={versions.STATE: versions.encoded([versions.read(())])}))

    def some(version: versions.Version) -> Kept:
        kept = loaded(version)
        return replace(kept, book=replace(kept.book, rules=tuple(rule for rule in kept.book.rules if rule.id in ("write-flood", "outside-read"))))

    monkeypatch.setattr(curves, "loaded", some)
    house, said = keeper(store)
    assert house.look()
    assert [line for line in said if "worked out for 1 rule." in line]
    in_force = versions.decoded(store.state(versions.STATE))[-1]
    (bound,) = bounds(next(text for (_, place), text in in_force.files.items() if place.endswith("write-flood.yml")))
    found = curves.stored(store, in_force.id, "write-flood", bound)
    assert found is not None
    assert {(step.fires, step.alerts, step.lost) for step in found.steps} == {(0, 0, ())}
    assert not found.window.whole, "nothing says that anybody looked"


def nothing(*_: object) -> int:
    return 0


def test_what_fails_is_said_once_and_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are done all the same."""
    tries: list[str] = []

    def fail(*_: object) -> int:
        tries.append("fails")
        if len(tries) < 3:
            raise StoreError("store.full", path="x") if len(tries) == 1 else ValueError("a slip of ours")
        return 7

    monkeypatch.setattr(schedule, "jobs", lambda: [Job("evidence", fail), Job("retention", nothing)])
    house, said = keeper(store)
    assert [house.look() for _ in range(4)] == [False, False, True, True]
    assert tries == ["fails"] * 3
    assert [("full" in line, "ValueError: a slip of ours" in line, "findings" in line) for line in said] == [
        (True, False, True), (False, True, True), (False, False, True),
    ]  # fmt: skip
    assert set(store.notes()) >= {"evidence" + DONE, "retention" + DONE}


def test_the_same_failure_is_said_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise StoreError("store.full", path="x")

    monkeypatch.setattr(schedule, "jobs", lambda: [Job("evidence", fail)])
    house, said = keeper(store)
    assert [house.look() for _ in range(3)] == [False] * 3
    assert len(said) == 1


def test_never_two_at_once(where: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several look at the same moment, on Elasticsearch each with a store of its own; one that died with it in hand holds up nobody for ever."""
    ran: list[int] = []
    together = threading.Barrier(3)

    def slow(*_: object) -> int:
        ran.append(threading.get_ident())
        time.sleep(0.5)
        return 1

    monkeypatch.setattr(schedule, "jobs", lambda: [Job("evidence", slow)])

    def look() -> None:
        own = store if "://" not in where else open_store(where, True)
        together.wait()
        keeper(own)[0].look()
        if own is not store:
            own.close()

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ran) == 1
    ahead = time.time_ns() + 60 * 10**9
    assert store.note("other" + BEGUN, ahead, None)
    monkeypatch.setattr(schedule, "jobs", lambda: [Job("other", slow)])
    keeper(store)[0].look()
    assert len(ran) == 1, "the clock of who is at it is a minute ahead"
    monkeypatch.setattr(schedule, "jobs", lambda: [Job("evidence", slow)])
    now, noted = time.time_ns(), store.notes()
    monkeypatch.setattr("time.time_ns", lambda: now + 2 * DAY)
    assert store.note("evidence" + BEGUN, now + 2 * DAY - LEASE + HOUR // 2, noted["evidence" + BEGUN])
    assert not store.note("evidence" + BEGUN, 1, noted["evidence" + BEGUN]), "somebody was faster"
    keeper(store)[0].look()
    assert len(ran) == 1, "somebody is at it"
    monkeypatch.setattr("time.time_ns", lambda: now + 2 * DAY + HOUR)
    keeper(store)[0].look()
    assert len(ran) == 2
    monkeypatch.setattr("time.time_ns", lambda: now + 4 * DAY)
    with subprocess.Popen([sys.executable, "-c", "from records.processes import mark; print(mark())"], cwd=ROOT, stdout=subprocess.PIPE) as process:
        ended = int(process.communicate()[0])
    noted = store.notes()
    assert [has_ended(each) for each in (noted["evidence" + BY], ended, ended ^ 1 << 62)] == [False, True, False], "of other machines nothing can be told"
    assert store.note("evidence" + BEGUN, now + 4 * DAY - 1, noted["evidence" + BEGUN])
    keeper(store)[0].look()
    assert len(ran) == 2, "this process is at it"
    assert store.note("evidence" + BY, ended, noted["evidence" + BY])
    keeper(store)[0].look()
    assert len(ran) == 3, "who was at it was killed, and is not waited for"


def test_who_is_at_it_for_longer_than_dead_ones_are_waited_for_is_not_dead(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def long(*_: object) -> int:
        ran.append(threading.get_ident())
        time.sleep(1.5 if len(ran) == 1 else 0)
        return 1

    monkeypatch.setattr(schedule, "LEASE", 10**9)
    monkeypatch.setattr(schedule, "jobs", lambda: [Job("evidence", long)])
    thread = threading.Thread(target=keeper(store)[0].look)
    thread.start()
    time.sleep(1.2)
    keeper(store)[0].look()
    thread.join()
    assert len(ran) == 1
    assert store.notes()["evidence" + BEGUN] == store.notes()["evidence" + DONE], "it has ended"


def test_a_clock_that_is_years_ahead_deletes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now + 10 * YEAR)
    house, said = keeper(store, evidence={"days": 36500})
    assert not house.look()
    assert store.count("activity", Query()) == 3
    assert any("Set the clock" in line for line in said)
    assert "retention" + DONE not in store.notes()


def test_status_and_doctor_tell_when_it_was_done(where: str) -> None:
    assert one("store", "status", "--store", where)["housekeeping"] == dict.fromkeys(job.name for job in jobs())
    assert balefire("store", "status", "--store", where, "--language", "zh").stdout.count("尚未维护过") == len(jobs())
    ill = {check["check"]: check["advice"] for check in one("store", "doctor", "--store", where, status=1)["checks"]}
    assert "3 rows are long past their retention of 180 days" in ill["retention"]
    kept = one("store", "housekeep", "--once", "--store", where)["housekeeping"]
    assert {name for name, last in kept.items() if last is None} == {"report"}, "none is in the schedule"
    assert one("store", "status", "--store", where)["housekeeping"] == kept
    assert str(kept["retention"])[:10] in balefire("store", "status", "--store", where).stdout
    assert {check["check"]: check["well"] for check in one("store", "doctor", "--store", where)["checks"]}["retention"] is True


def test_house_is_kept_beside_whoever_writes_rows(tmp_path: Path) -> None:
    """In a process of its own, in turn with the writer; a second writer of rows there is none."""
    filled(str(tmp_path / "store"))
    writer, now = open_store(str(tmp_path / "store"), True), time.time_ns()
    over = threading.Event()

    def write() -> int:
        number = 10
        while not over.is_set():
            writer.write(activities(activity(number, now)))
            number += 1
        return number - 10

    with ThreadPoolExecutor(1) as beside:
        writing = beside.submit(write)
        house = running("store", "housekeep", "--once", "--store", tmp_path / "store")
        _, said = house.communicate(timeout=60)
        over.set()
        written = writing.result()
    assert (house.returncode, b"past their retention" in said) == (0, True), said
    assert writer.count("activity", Query()) == 1 + written, "those of a year ago are gone, and nothing else"
    assert broken(writer) is None
    with pytest.raises(StoreError) as caught:
        open_store(str(tmp_path / "store"), True)
    assert caught.value.key == "store.in_use"
    writer.close()
    assert balefire("store", "housekeep", "--once", "--store", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "none").exists()


def test_once_says_what_it_did(where: str) -> None:
    first, again = (balefire("store", "housekeep", "--once", "--store", where, "--language", "en") for _ in range(2))
    assert "Housekeeping: nothing more is due." in first.stdout
    assert "Retention: last looked after" in first.stdout
    assert len(again.stdout.strip().splitlines()) == 1


RUN: Final = "import balefire.schedule as s; s.FIRST_S = 0.2; s.LOOK_S = 0.2; from balefire.__main__ import start; start()"


def running(*words: object, **settings: str) -> subprocess.Popen[bytes]:
    """The program, with a housekeeper who is in a hurry."""
    told = os.environ | {"NUMBA_DISABLE_JIT": "1"} | settings
    command = [sys.executable, "-c", RUN, *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=told, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def last(path: Path) -> str | None:
    told: str | None = one("store", "status", "--store", path)["housekeeping"]["retention"]
    return told


def waited(path: Path) -> str | None:
    end = time.monotonic() + 60
    while last(path) is None and time.monotonic() < end:
        time.sleep(0.2)
    return last(path)


def test_what_listens_keeps_house_beside_it(tmp_path: Path) -> None:
    """In the process that has the lock; it is told on standard error, and the end waits for it."""
    filled(str(tmp_path / "store"))
    process = running("replay", "-", "--observer", "plant", "--store", tmp_path / "store")
    assert process.stdin
    process.stdin.write(DEMO.read_bytes())
    process.stdin.flush()
    assert waited(tmp_path / "store") is not None
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"past their retention" in said
    rows = one("store", "status", "--store", tmp_path / "store")["rows"]
    assert rows["activity"] > 100, "what came meanwhile is there"


@pytest.mark.netns
def test_a_sensor_keeps_house(tmp_path: Path) -> None:
    """On a line where nothing comes, and on one where something does."""
    for folder, sends in ((tmp_path / "silent", False), (tmp_path / "talking", True)):
        filled(str(folder))
        with wires() as wire:
            program = RUN.replace("FIRST_S = 0.2", "FIRST_S = 5.0") if sends else RUN
            words = wire.run("-c", program, "watch", "in0", "--observer", "test", "--store", str(folder))
            with started(words, {"NUMBA_DISABLE_JIT": "1"}) as process:
                said = listened(process, "Listening on in0")
                if sends:
                    wire.send(DEMO)
                assert waited(folder) is not None
                process.terminate()
                _, rest = process.communicate(timeout=60)
                assert process.returncode == 0
                assert b"past their retention" in said + rest


def test_it_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(str(tmp_path / "store"))
    process = running("replay", "-", "--observer", "plant", "--store", tmp_path / "store", BALEFIRE_HOUSEKEEPING__DAILY="false")
    assert process.stdin
    process.stdin.write(DEMO.read_bytes())
    process.stdin.flush()
    time.sleep(3)
    assert last(tmp_path / "store") is None
    process.communicate(timeout=60)
    assert last(tmp_path / "store") is None
    monkeypatch.setenv("BALEFIRE_HOUSEKEEPING__DAILY", "false")
    assert all(check["well"] for check in one("store", "doctor", "--store", tmp_path / "store")["checks"]), "so it is meant"


def test_housekeep_goes_on_until_it_is_ended(tmp_path: Path) -> None:
    filled(str(tmp_path / "store"))
    process = running("store", "housekeep", "--store", tmp_path / "store")
    assert waited(tmp_path / "store") is not None
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said


def test_help_does_not_load_it() -> None:
    program = "import sys; from balefire.cli import main; main(['store', '--help'], standalone_mode=False); sys.exit('apscheduler' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True).returncode == 0
