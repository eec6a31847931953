"""The life of alerts: what may be decided when, that nothing decided is lost, whoever writes beside it, and the commands."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balefire.settings import load
from detectors import lifecycle
from detectors.alerts import REOPENS_WITHIN, fold
from detectors.lifecycle import FROM, STATUSES, TransitionError
from records.errors import ConflictError, UsageError
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from records.store.decisions import broken
from tests.cli import ROOT, Row, balefire, lines, one, stored
from tests.examples import as_many
from tests.test_alerts import finding
from tests.test_store import NOON
from tests.wire import SECOND, START, Packet, Talk, mbap, save

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from records.model import Alert
    from records.store.contract import Change, Store


def hand_over(alert: Alert) -> Change:
    """To Wang, and back from him to everybody: what changes nothing is no decision."""
    change = lifecycle.assign(alert, "Li", "" if alert.assignee else "Wang")
    assert change
    return change


# Every decision, as (alert) → change.
DECISIONS: Final[dict[str, Callable[[Alert], Change]]] = {
    "acknowledge": lambda alert: lifecycle.acknowledge(alert, "Li"),
    "assign": hand_over,
    "start": lambda alert: lifecycle.start(alert, "Li"),
    "note": lambda alert: lifecycle.comment(alert, "Li", "seen"),
    "close": lambda alert: lifecycle.close(alert, "Li", "expected", alert.last + 50),
    "reopen": lambda alert: lifecycle.reopen(alert, "Li"),
}


def sample(status: str = "open") -> Alert:
    return replace(fold([finding(1)], []).alerts[0], status=status, closed=100 if status == "closed" else None, revision=3)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", DECISIONS)
def test_what_may_be_decided_when(action: str, status: str) -> None:
    if status in FROM[action]:
        change = DECISIONS[action](sample(status))
        assert (change.action, change.by, change.revision) == (action, "Li", 3)
        return
    with pytest.raises(TransitionError) as caught:
        DECISIONS[action](sample(status))
    assert caught.value.status == 1
    for language in ("en", "zh"):
        assert sample().id in caught.value.text(language)


def test_what_follows() -> None:
    alert = sample()
    assert lifecycle.acknowledge(alert, "Li").values == {"status": "acknowledged"}
    assert lifecycle.start(alert, "Li").values == {"status": "in_progress", "assignee": "Li"}
    assert lifecycle.start(replace(alert, assignee="Wang"), "Li").values["assignee"] == "Wang"
    given_back = lifecycle.assign(replace(alert, assignee="Wang"), "Li", " \n")
    assert given_back is not None
    assert given_back.values == {"assignee": None}
    assert lifecycle.assign(alert, "Li", "") is None
    assert lifecycle.close(alert, "Li", "true", 0).values == {"status": "closed", "verdict": "true", "closed": alert.last}
    assert lifecycle.reopen(sample("closed"), "Li").values == {"status": "open", "closed": None, "verdict": None}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: lifecycle.close(sample(), "Li", "maybe", 0),
        lambda: lifecycle.comment(sample(), "Li", " \n"),
        lambda: lifecycle.acknowledge(sample(), "\x1b\n"),
        lambda: lifecycle.acknowledge(sample(), "Li", "x" * 4001),
    ],
)
def test_what_is_no_decision(wrong: Callable[[], Change]) -> None:
    with pytest.raises(UsageError) as caught:
        wrong()
    assert caught.value.text("zh")


def test_a_name_is_a_line_without_signs() -> None:
    assert lifecycle.name(" Li\x1b[31m\n Wei\u202e 李 ") == "Li [31m Wei 李"
    assert len(lifecycle.name("x" * 500)) == 100


# ---- whoever writes beside it ---------------------------------------------------------------------------------------------------------------------

KEYS: Final = "ab"
Event = tuple[str, str, int]  # a decision, or "find"; a key; a time
EVENTS: Final = st.tuples(st.sampled_from(["find", "find", "find", *DECISIONS]), st.sampled_from(KEYS), st.sampled_from([0, 1, 2, REOPENS_WITHIN + 200]))


def newest_of(store: Store, key: str) -> Alert | None:
    found = sorted(store.alerts_of([key]), key=lambda alert: (alert.first, alert.id))
    return found[-1] if found else None


def step(store: Store, number: int, event: Event) -> Callable[[], None] | None:
    """Read what an event is about now; the returned half makes it, None where it may not be. Other events may come between the two."""
    what, key, at = event
    if what == "find":
        known = sorted(store.alerts_of([key]), key=lambda alert: (alert.first, alert.id))
        done = fold([finding(number, key=key, time=NOON + at + number)], known)
        return lambda: void(store.write(Commit(findings=done.findings, alerts=done.alerts)))
    alert = newest_of(store, key)
    if alert is None or alert.status not in FROM[what]:
        return None
    change = DECISIONS[what](alert)

    def decide() -> None:
        now = newest_of(store, key)
        if what == "close" and now and now.last != alert.last:  # it is closed at a time that nothing came behind: people's closing tells `newest` for that
            raise ConflictError("conflict.alert", id=alert.id)
        store.change([change])

    return decide


def void(_: object) -> None:
    """Nothing."""


def state(store: Store) -> list[Any]:
    """Everything but the trail's clock."""
    trail = [{name: value for name, value in row.items() if name not in {"time", "hash"}} for row in store.read("audit", Query(sort="id")).to_pylist()]
    return [*(store.read(name, Query(sort="id")).to_pylist() for name in ("alert", "finding")), trail]


@settings(max_examples=as_many(25), deadline=None)
@given(st.lists(EVENTS, min_size=2, max_size=10), st.randoms(use_true_random=False))
def test_any_interleaving_ends_as_one_after_the_other(events: list[Event], chance: random.Random) -> None:
    """Events read and write at moments of their own, and begin again where one came before them; their order is that in which they were made."""
    with tempfile.TemporaryDirectory() as place:
        mixed, plain = (open_store(f"{place}/{name}", True) for name in ("mixed", "plain"))
        made: list[int] = []
        waiting: dict[int, Callable[[], None]] = {}
        left = list(range(len(events)))
        while left or waiting:
            judging = any(events[number][0] == "find" for number in waiting)  # there is one judge, the holder of the writer's lock
            if left and not (judging and events[left[0]][0] == "find") and (not waiting or chance.random() < 0.6):
                number = left.pop(0)
            else:
                number = chance.choice(sorted(waiting))
                try:
                    waiting.pop(number)()
                    made.append(number)
                    continue
                except ConflictError:
                    pass
            if half := step(mixed, number, events[number]):
                waiting[number] = half
        for number in made:
            half = step(plain, number, events[number])
            assert half
            half()
        assert state(mixed) == state(plain)
        assert broken(mixed) is None
        for alert in mixed.read("alert", Query()).to_pylist():
            assert alert["count"] == sum(row["alert"] == alert["id"] for row in mixed.read("finding", Query()).to_pylist())
        mixed.close()
        plain.close()


JUDGE: Final = """
import sys
from detectors.alerts import fold
from records.store import open_store
from records.store.contract import Commit, again
from tests.test_alerts import finding
from tests.test_store import NOON
store = open_store(sys.argv[1], True)
number = len(store.taken([f"f{n}" for n in range(100_000)]))
print("ready", flush=True)
while True:
    def attempt():
        done = fold([finding(number, time=NOON + number)], store.alerts_of(["k"]))
        store.write(Commit(findings=done.findings, alerts=done.alerts))
    again(attempt, 1000)
    number += 1
"""


def test_deciding_beside_a_sensor_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    """One process judges and is killed in the middle, another decides all the while: every decision that was made is there, and every count holds."""
    path, chance, decided = tmp_path / "store", random.Random(7), 0
    for _ in range(3):
        command = [sys.executable, "-c", JUDGE, str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            reader = open_store(str(path))
            end, enough = time.monotonic() + 0.5 + chance.random(), decided + 10
            while time.monotonic() < end or decided < enough:
                alert = newest_of(reader, "k")
                if alert:
                    action = chance.choice([each for each in DECISIONS if alert.status in FROM[each]])
                    try:
                        reader.change([DECISIONS[action](alert)])
                        decided += 1
                    except ConflictError:
                        pass
            process.send_signal(signal.SIGKILL)
        rows = reader.read("audit", Query()).to_pylist()
        assert sum(row["by"] == "Li" for row in rows) == decided
        assert broken(reader) is None
        (alert,) = reader.alerts_of(["k"])
        assert alert.count == reader.count("finding", Query())
        assert alert.revision == sum(row["action"] != "note" for row in rows)
        reader.close()
    assert decided >= 30


# ---- commands -------------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return shutil.copytree(stored()[0], tmp_path / "store")


def alert_ids(store: Path) -> list[str]:
    return [row["id"] for row in lines("alerts", "--store", store)]


def trail(store: Path) -> list[tuple[str, str, str | None]]:
    return [(row["by"], row["action"], row["note"]) for row in lines("audit", "--store", store)]


def test_a_life(store: Path) -> None:
    identity = alert_ids(store)[0]

    def decide(action: str, *more: object) -> Row:
        (row,) = lines("alert", action, identity[:8], *more, "--by", "Li", "--store", store)
        return row

    assert decide("acknowledge")["status"] == "acknowledged"
    assert decide("assign", "--to", "Wang")["assignee"] == "Wang"
    assert decide("start", "--note", "on it")["status"] == "in_progress"
    assert decide("note", "--note", "HMI-3 is new")["revision"] == 3
    closed = decide("close", "--verdict", "expected", "--note", "commissioning")
    assert (closed["status"], closed["verdict"], closed["assignee"]) == ("closed", "expected", "Wang")
    reopened = decide("reopen")
    assert (reopened["status"], reopened["closed"], reopened["verdict"]) == ("open", None, None)
    assert [action for _by, action, _note in trail(store)] == ["acknowledge", "assign", "start", "note", "close", "reopen"]
    told = one("explain", identity, "--store", store)
    assert [row["note"] for row in told["trail"]] == [None, None, "on it", "HMI-3 is new", "commissioning", None]
    for language, words in (("en", "Li · closed: expected · commissioning"), ("zh", "Li · 关闭：预期内 · commissioning")):
        assert words in balefire("explain", identity, "--store", store, "--language", language).stdout
    found = one("verify", store)
    assert (found["valid"], found["reason"], found["at"], found["seal"][:2]) == (True, None, None, "6:")
    for language, words in (("en", ("last closed as expected · Wang", "assigned: Wang")), ("zh", ("上次关闭结论：预期内 · Wang", "指派：Wang"))):
        for name in (identity, told["findings"][0]):
            shown = balefire("explain", name, "--store", store, "--language", language).stdout
            assert all(word in shown for word in words), "a finding tells of its alert too"
    finding_ = one("explain", told["findings"][0], "--store", store)
    assert (finding_["alert"], finding_["status"], finding_["verdict"], finding_["assignee"]) == (identity, "open", None, "Wang")


def test_the_trail_says_what_was_before(store: Path) -> None:
    identity = alert_ids(store)[0]
    for words in (("assign", "--to", "Wang"), ("assign", "--to", "Zhao"), ("close", "--verdict", "false"), ("reopen",)):
        lines("alert", words[0], identity, *words[1:], "--by", "Li", "--store", store)
    english, chinese = (balefire("audit", "--store", store, "--language", language).stdout for language in ("en", "zh"))
    for words in ("Assignee: – → Wang", "Assignee: Wang → Zhao", "Status: new → closed", "Verdict: – → false", "Status: closed → new", "Verdict: false → –"):
        assert words in english
    for words in ("处理人：Wang → Zhao", "状态：未处置 → 已关闭", "结论：– → 误报"):
        assert words in chinese


def test_a_finding_stands_for_its_alert(store: Path) -> None:
    alert = next(row for row in lines("alerts", "--store", store) if row["findings"])
    result = balefire("alert", "note", alert["findings"][0], "--note", "seen", "--by", "Li", "--store", store, "--json", "--language", "en")
    assert (result.exit_code, json.loads(result.stdout)["id"]) == (0, alert["id"])
    assert f"{alert['findings'][0]} is a finding; meant is its alert {alert['id']}." in result.stderr
    assert trail(store) == [("Li", "note", "seen")]
    dry = one("suppress", alert["findings"][0], "--reason", "planned", "--owner", "Li", "--dry-run", "--store", store)
    assert dry["suppression"]["alert"] == alert["id"]


def test_verify_takes_the_store_as_every_command_does(store: Path) -> None:
    assert one("verify", "--store", store) == {"valid": True, "reason": None, "at": None, "seal": None}
    lines("alert", "note", alert_ids(store)[0], "--note", "one", "--by", "Li", "--store", store)
    seal = one("verify", store)["seal"]
    for language, words in (("en", f"Its seal: {seal}"), ("zh", f"封印：{seal}")):
        assert words in balefire("verify", store, "--seal", seal, "--language", language).stdout
    assert balefire("verify", store, "--seal", "1:zz").exit_code == 2
    assert one("verify", store, "--seal", f"2:{'0' * 40}", status=1)["at"] == "000000000002"


def test_what_is_assigned_already_is_not_decided_again(store: Path) -> None:
    first, second = alert_ids(store)[:2]
    lines("alert", "assign", first, "--to", "Wang", "--by", "Li", "--store", store)
    (row,) = lines("alert", "assign", first, "--to", " Wang ", "--by", "Zhao", "--store", store)
    assert (row["assignee"], row["revision"]) == ("Wang", 1)
    assert trail(store) == [("Li", "assign", None)]
    rows = lines("alert", "assign", first, second, "--to", "Wang", "--by", "Zhao", "--note", "both", "--store", store)
    assert [row["assignee"] for row in rows] == ["Wang", "Wang"]
    assert sorted(trail(store)[1:]) == [("Zhao", "assign", "both"), ("Zhao", "note", "both")]
    (row,) = lines("alert", "assign", first, "--unassign", "--by", "Li", "--store", store)
    assert row["assignee"] is None


def test_several_together_or_none(store: Path) -> None:
    first, second, third = alert_ids(store)[:3]
    assert [row["id"] for row in lines("alert", "close", second, first, second, "--verdict", "false", "--store", store)] == [second, first]
    result = balefire("alert", "acknowledge", third, first, "--store", store)
    assert result.exit_code == 1
    assert first in result.stderr
    assert "reopen" in result.stderr
    statuses = {row["id"]: row["status"] for row in lines("alerts", "--store", store)}
    assert (statuses[first], statuses[second], statuses[third]) == ("closed", "closed", "open")
    assert len(trail(store)) == 2


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["acknowledge", "ffffffffffff"], 1),
        (["acknowledge", ""], 1),
        (["close", "ID", "--verdict", "maybe"], 2),
        (["close", "ID"], 2),
        (["note", "ID"], 2),
        (["note", "ID", "--note", " "], 2),
        (["note", "ID", "--note", "no UTF-8: \udcff"], 2),
        (["assign", "ID", "--to", "Wang\udcff"], 2),
        (["acknowledge"], 2),
        (["acknowledge", "ID", "--by", "\x1b"], 2),
        (["acknowledge", "ID", "--by", ""], 2),
        (["acknowledge", "ID", "--by", " "], 2),
        (["assign", "ID"], 2),
        (["assign", "ID", "--to", ""], 2),
        (["assign", "ID", "--to", "Wang", "--unassign"], 2),
        (["reopen", "ID"], 1),
    ],
)
def test_slips(store: Path, words: list[str], status: int) -> None:
    identity = alert_ids(store)[0]
    result = balefire("alert", *(identity if word == "ID" else word for word in words), "--store", store)
    assert result.exit_code == status, result.output
    assert result.stderr
    assert trail(store) == []


def test_who_decides(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = alert_ids(store)[0]
    monkeypatch.setenv("LOGNAME", "night-shift")
    for name in ("acknowledge", "start"):
        lines("alert", name, identity, "--store", store)
        (tmp_path / "b.toml").write_text('user = "Zhao"', "utf-8")
        monkeypatch.setenv("BALEFIRE_SETTINGS", str(tmp_path / "b.toml"))
    assert load().user == "Zhao"
    lines("alert", "note", identity, "--note", "n", "--by", "Li", "--store", store)
    assert [by for by, _action, _note in trail(store)] == ["night-shift", "Zhao", "Li"]


def test_hostile_words_are_text(store: Path) -> None:
    identity, words = alert_ids(store)[0], "[bold]\x1b[31m \u202e'; DROP TABLE document; --\nline 2"
    lines("alert", "note", identity, "--note", words, "--by", "Li", "--store", store)
    assert trail(store) == [("Li", "note", words)]
    told = balefire("explain", identity, "--store", store).stdout + balefire("audit", "--store", store).stdout
    assert "\x1b[31m" not in told
    assert "\u202e" not in told
    assert one("verify", store)["valid"]


def test_a_trail_that_was_changed_is_said(store: Path) -> None:
    import sqlite3

    for note in ("one", "two"):
        lines("alert", "note", alert_ids(store)[0], "--note", note, "--by", "Li", "--store", store)
    with sqlite3.connect(store / "store.sqlite") as db:
        db.execute("UPDATE document SET body = replace(body, '\"one\"', '\"ONE\"') WHERE kind = 'audit'")
        db.execute("UPDATE meta SET value = value + 1 WHERE name = 'version.audit'")
    db.close()
    assert one("verify", store, status=1)["at"] == "000000000001"
    assert "000000000001" in balefire("verify", store).stdout


def test_a_replay_after_closing_changes_nothing(store: Path) -> None:
    lines("alert", "close", *alert_ids(store), "--verdict", "expected", "--by", "Li", "--store", store)
    before = [lines(name, "--store", store) for name in ("alerts", "findings", "audit")]
    one("replay", ROOT / "tests" / "captures" / "demo.pcap", "--store", store)
    assert [lines(name, "--store", store) for name in ("alerts", "findings", "audit")] == before


def test_suppressing(store: Path) -> None:
    alert = max(lines("alerts", "--store", store), key=lambda row: row["count"])
    words = ("suppress", alert["id"][:10], "--reason", "commissioning", "--by", "Li", "--store", store)
    dry = one(*words, "--dry-run")
    assert (dry["saved"], dry["suppression"]["id"], dry["suppression"]["owner"]) == (False, None, "Li")
    assert dry["preview"]["findings"] >= alert["count"]
    assert alert["id"] in dry["preview"]["alerts"]
    assert lines("suppressions", "--store", store) == []
    made = one(*words, "--widen", "ot.unit", "--widen", "source.ip=10.20.0.0/16", "--owner", "Wang", "--expires", "12h")
    where = made["suppression"]["where"]
    assert "ot.unit" not in where
    assert where["source.ip"] == ["10.20.0.0/16"]
    (listed,) = lines("suppressions", "--store", store)
    assert listed == made["suppression"] | {"standing": "in_force", "hidden": {"total": 0, "last_day": 0}}
    ended = one("revoke", listed["id"][:8], "--note", "done", "--store", store, "--by", "Li")
    assert ended["revoked"] is not None
    assert lines("suppressions", "--store", store)[0]["standing"] == "revoked"
    assert balefire("revoke", listed["id"], "--store", store).exit_code == 1
    assert [action for _by, action, _note in trail(store)] == ["suppress", "revoke"]
    for language, words in (("en", "revoked"), ("zh", "已撤销")):
        assert words in balefire("suppressions", "--store", store, "--language", language).stdout


def test_what_was_found_true_is_not_hidden_unasked(store: Path) -> None:
    identity = alert_ids(store)[0]
    lines("alert", "close", identity, "--verdict", "true", "--by", "Li", "--store", store)
    result = balefire("suppress", identity, "--reason", "r", "--store", store)
    assert result.exit_code == 1
    assert "TRUE" in result.stdout
    assert identity in result.stderr
    assert lines("suppressions", "--store", store) == []
    assert one("suppress", identity, "--reason", "r", "--yes", "--store", store)["preview"]["confirmed"] == [identity]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["ID"], 2), (["ID", "--reason", " "], 2), (["ID", "--reason", "r", "--expires", "soon"], 2), (["ID", "--reason", "r", "--expires", "9000d"], 2),
        (["ID", "--reason", "r", "--widen", "rule"], 2), (["ID", "--reason", "r", "--widen", "nope"], 2), (["ffffffff", "--reason", "r"], 1),
        (["ID", "--reason", "r", "--widen", "source.ip=nonsense"], 2),
    ],
)  # fmt: skip
def test_slips_of_suppressing(store: Path, words: list[str], status: int) -> None:
    identity = alert_ids(store)[0]
    result = balefire("suppress", *(identity if word == "ID" else word for word in words), "--store", store)
    assert result.exit_code == status, result.output
    assert result.stderr
    assert lines("suppressions", "--store", store) == []


HOUR: Final = 3600 * SECOND


def asked(folder: Path, *hours: int) -> Path:
    """A capture in which a host asks a device what it is, twice at each of these hours."""
    packets: list[Packet] = []
    for hour in hours:
        talk = Talk()
        talk.time = START + hour * HOUR
        for n in (1, 2):
            talk.ask(mbap(n, b"\x11"), mbap(n, b"\x11\x02\x01\xff"))
        packets += talk.packets
    return save(packets, folder / f"hours{'-'.join(map(str, hours))}.pcap")


def test_a_replay_hides_what_is_suppressed_and_shows_it_again(tmp_path: Path) -> None:
    """Two hours one by one, as a sensor sees them, with a suppression and its end in between: what it hides is stored, marked and told."""

    def replay(*hours: int) -> Row:
        return one("replay", asked(tmp_path, *hours), "--observer", f"tap{hours[0]}", "--store", place)

    place = tmp_path / "store"
    replay(0)
    (alert,) = lines("alerts", "--store", place)
    made = one("suppress", alert["id"], "--reason", "inventory", "--by", "Li", "--store", place, "--expires", "2h")["suppression"]
    summary = replay(1)
    hidden = lines("findings", "--where", f"suppressions:{made['id']}", "--store", place)
    assert summary["findings"] == summary["hidden"] == len(hidden) > 0
    assert sum(summary["alerts"].values()) == 0
    assert all(row["alert"] is None for row in hidden)
    assert lines("alerts", "--store", place) == [alert]
    assert one("explain", hidden[0]["id"], "--store", place)["suppressions"] == [made["id"]]
    assert lines("suppressions", "--store", place)[0]["hidden"] == {"total": len(hidden), "last_day": len(hidden)}
    for language, words in (("en", "Hidden by suppression"), ("zh", "隐藏至")):
        assert words in balefire("explain", hidden[0]["id"], "--store", place, "--language", language).stdout
        assert {"en": "hidden by suppressions", "zh": "抑制规则隐藏"}[language] in balefire(
            "replay", asked(tmp_path, 1), "--observer", "tap1", "--store", place, "--language", language
        ).stdout
    assert replay(3)["hidden"] == 0
    (again,) = lines("alerts", "--store", place)
    assert (again["id"], again["expired"]) == (alert["id"], [made["id"]])
    for language, words in (("en", "Shown again since suppression"), ("zh", "后再次出现")):
        assert words in balefire("explain", alert["id"], "--store", place, "--language", language).stdout
    before = [lines(name, "--store", place) for name in ("alerts", "findings", "audit")]
    for hour in (0, 1, 3):
        replay(hour)
    assert [lines(name, "--store", place) for name in ("alerts", "findings", "audit")] == before
