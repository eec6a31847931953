"""A sensor in a process of its own: nothing comes of it that would not come of one in this."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from balefire.pipeline import Replay
from balefire.plan import Plan
from records.query import Query
from records.store import open_store
from sensors import apart
from sensors.apart import Apart
from sensors.sources.pcap import find
from tests.cli import DEMO
from tests.mirroring import load, shifted
from tests.wire import SECOND, save

if TYPE_CHECKING:
    from pathlib import Path

    from sensors.sensor import Sensor

OWN = {"elapsed_s", "peak_mib"}  # of a run, however it goes


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large."""
    monkeypatch.setattr(apart, "LEAST_OCTETS", 1)

    def two(_process: int) -> set[int]:
        return {0, 1}

    monkeypatch.setattr(os, "sched_getaffinity", two)


def replayed(place: Path, capture: Path, **plan: Any) -> tuple[Replay, dict[str, Any], dict[str, list[Any]]]:
    """The run, its summary without what is its own, and every row that was stored."""
    with closing(open_store(str(place), write=True)) as store:
        done = Replay(Plan(find([str(capture)]), **plan), store)
        summary = done.run()
        rows = {table: sorted(store.read(table, Query()).to_pylist(), key=lambda row: row["id"]) for table in ("activity", "point", "coverage", "finding")}
    return done, {key: summary[key] for key in summary if key not in OWN}, rows


@pytest.mark.parametrize("observer", [None, "tap"])
def test_it_hears_what_one_in_this_process_hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, observer: str | None) -> None:
    torn = tmp_path / "torn.pcap"
    torn.write_bytes(DEMO.read_bytes()[:-7])
    _, there, rows_there = replayed(tmp_path / "there", torn, observer=observer)
    monkeypatch.setattr(apart, "LEAST_OCTETS", 1 << 40)
    _, here, rows_here = replayed(tmp_path / "here", torn, observer=observer)
    assert there == here
    assert there["findings"] > 10
    assert there["evidence"]["packets"] > 100, "places of packets are known here"
    assert "ends inside the record" in there["inputs"][0]["error"]
    assert rows_there == rows_here
    assert any(row["broken"] for row in rows_there["coverage"])


def test_what_it_learns_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = find([str(DEMO)])
    there, _, _ = replayed(tmp_path / "there", DEMO, learn=taught)
    monkeypatch.setattr(apart, "LEAST_OCTETS", 1 << 40)
    here, _, _ = replayed(tmp_path / "here", DEMO, learn=taught)
    assert there.taught
    assert there.findings == here.findings


def test_one_that_was_started_before_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    (capture,) = find([str(DEMO)])
    apart.prepare([capture])
    apart.prepare([capture])
    (ready,) = apart._ready  # pyright: ignore[reportPrivateUsage]
    sensor = Apart("x", None, capture, "", marked=False)
    assert sensor._process is ready  # pyright: ignore[reportPrivateUsage]
    assert sum(batch.activities.num_rows for batch in sensor.listen(None, lambda: None)) > 10
    sensor.close()
    monkeypatch.setattr(apart, "LEAST_OCTETS", 1 << 40)
    apart.prepare([capture])
    assert not apart._ready  # pyright: ignore[reportPrivateUsage]


def test_one_that_is_killed_is_said_and_what_came_before_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell = Apart._next  # pyright: ignore[reportPrivateUsage]
    heard: list[int] = []

    def killing(sensor: Apart) -> Any:
        heard.append(sensor.totals.packets)
        if len(heard) == 2:
            sensor._process.send_signal(signal.SIGKILL)  # pyright: ignore[reportPrivateUsage]
            sensor._process.wait()  # pyright: ignore[reportPrivateUsage]
        return tell(sensor)

    monkeypatch.setattr(Apart, "_next", killing)
    long = tmp_path / "long.pcap"
    save([packet for number in range(20) for packet in shifted(load(DEMO), number * 400 * SECOND)], long)
    done, summary, rows = replayed(tmp_path / "s", long)
    assert [(error.key, error.status, error.values["status"]) for error in done.errors] == [("capture.apart", 3, -signal.SIGKILL)]
    assert 0 < summary["packets"] < 20 * 2692
    assert summary["inputs"][0]["error"] == done.errors[0].text("en")
    assert 0 < len(rows["activity"]) == summary["activities"]


def test_what_fails_there_is_raised_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "START", apart.START.replace("; main(", "; Sensor.listen = 7; main(").replace("import main", "import main, Sensor"))
    with pytest.raises(TypeError, match="not callable"):
        replayed(tmp_path / "s", DEMO)


def test_one_that_is_stopped_ends_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Apart] = []
    sensor = Replay._sensor  # pyright: ignore[reportPrivateUsage]

    def stopped(replay: Replay, capture: Any) -> Sensor | Apart:
        replay.stop()
        each = sensor(replay, capture)
        assert isinstance(each, Apart)
        made.append(each)
        return each

    monkeypatch.setattr(Replay, "_sensor", stopped)
    done, _, _ = replayed(tmp_path / "s", DEMO)
    assert [error.key for error in done.errors] == ["stopped"]
    assert made[0]._process.poll() is not None  # pyright: ignore[reportPrivateUsage]
