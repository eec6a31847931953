"""Coverage that falls is one finding a fall, in every way that it can fall; what goes up and down as ever is none."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from detectors.discovery import detectors
from records.model import Batch
from records.schema import COVERAGE, arrow_table
from tests.cli import balefire, lines, one
from tests.frames import BEGUN, FALLEN, coverage, understood
from tests.mirroring import only_from, only_to
from tests.test_ledger import polls
from tests.wire import SECOND, START, Talk, mbap, read, registers, save, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from detectors.detector import Detector
    from records.model import Finding
    from tests.wire import Packet

MINUTE = 60_000_000_000


def detector() -> Detector:
    return next(one for one in detectors() if one.name == "coverage")


def judged(*rows: Mapping[str, Any], minutes: int = 12) -> list[Finding]:
    return detector().judge(Batch(coverage=coverage(*rows, minutes=minutes)))


def kinds(*rows: Mapping[str, Any], minutes: int = 12) -> list[str]:
    return [finding.rule for finding in judged(*rows, minutes=minutes)]


def later(minutes: int, **more: Any) -> dict[str, Any]:
    """A row of so many minutes after the twelve ordinary ones."""
    return {"@timestamp": BEGUN + (11 + minutes) * MINUTE, "id": f"later-{minutes}", **more}


def polled(requests_only: int) -> dict[str, Any]:
    """A window in which devices are polled by datagrams alone."""
    told = [{"protocol": "enip", "conversations": 8, "requests_only": requests_only, "answers_only": 0}]
    return {"talks": 0, "datagrams": json.dumps(told)}


def test_a_direction_of_datagrams_falls_as_one_of_connections_does() -> None:
    (finding,) = judged(*[polled(0)] * 12, *[polled(8)] * 3, minutes=0)
    assert finding.rule == "coverage-sides"
    assert "8 of 8" in " ".join(term.en for term in finding.terms) + finding.title.en
    half = {**understood(99.0), "lost": 50_000, "requests_only": 14}
    assert kinds(*[half] * 3) == ["coverage-sides"], "what it would have said is no second fall"
    assert kinds(*[polled(0)] * 12, *[polled(2)] * 9, minutes=0) == []


def test_a_direction_of_few_conversations_falls_where_tcp_proves_it() -> None:
    """One controller is enough: the side that is seen acknowledges what is not. A device that is gone answers no datagram, and is sent requests again."""
    usual = [{"talks": 1}] * 12
    (finding,) = judged(*usual, *[{"talks": 1, "requests_only": 1, "gaps": 1, "lost": 40_000}] * 3, minutes=0)
    assert finding.title.en.endswith("sees one direction only: 1 of 1 conversations")
    assert kinds(*usual, *[{"talks": 1, "requests_only": 1, "gaps": 0}] * 20, minutes=0) == []
    assert kinds(*usual, *[{"talks": 0, "gaps": 1}] * 20, minutes=0) == [], "it ended"
    told = [{"protocol": "enip", "conversations": 2, "requests_only": 0, "answers_only": 0}]
    lone = [[{"talks": 0, "gaps": 1, "datagrams": json.dumps([each | {"requests_only": count} for each in told])}] for count in (0, 2)]
    assert kinds(*lone[0] * 12, *lone[1] * 20, minutes=0) == []


@pytest.mark.parametrize(("part", "side"), [(only_to, "requests_only"), (only_from, "answers_only")])
def test_one_controller_whose_answers_vanish(part: Callable[[list[Packet], int], list[Packet]], side: str) -> None:
    """On the wire: a request and its answer every twelve seconds, then one direction of them."""
    talk = Talk(time=START).open()
    for step in range(80):
        talk.time = START + step * 12 * SECOND
        talk.ask(mbap(step, read(0, 16)), mbap(step, registers(*range(16))))
    until = START + 12 * 60 * SECOND
    packets = [packet for packet in talk.packets if packet.time < until] + part([packet for packet in talk.packets if packet.time >= until], 502)
    rows = watch(packets).tables["coverage"]
    assert rows[-1][side] == 1
    found = detector().judge(Batch(coverage=arrow_table(COVERAGE, {name: [row[name] for row in rows] for name in COVERAGE.names}, len(rows))))
    assert [finding.rule for finding in found] == ["coverage-sides"]


def test_how_little_is_enough_to_understand_less() -> None:
    for octets, told in ((300, ["coverage-grade"]), (200, [])):
        assert kinds(*[understood(99.0, octets)] * 12, *[understood(10.0, octets)] * 3, minutes=0) == told


@pytest.mark.parametrize("noise", [0, 500, 8_000])
@pytest.mark.parametrize("left", [0, 10_000, 45_000])
def test_a_conversation_that_ends_is_no_fall(left: int, noise: int) -> None:
    """Beside what nobody ever understood, which goes on."""
    usual, ended = ({"decoded_bytes": octets, "undecoded_bytes": noise, "grade": 50.0} for octets in (49_500, left))
    assert kinds(*[usual] * 12, *[ended] * 20, minutes=0) == []


def test_every_way() -> None:
    assert kinds(*FALLEN) == ["coverage-clock", "coverage-grade", "coverage-sides", "coverage-drops", "coverage-silent"]


def test_a_fall_is_one_finding_with_what_was_and_what_is() -> None:
    (finding,) = judged(*[understood(71.5)] * 20)
    assert finding.title.en == "interface e1 of S7 understands less: coverage fell from 99.0 % to 71.5 %"
    assert finding.title.zh == "S7 的接口 e1可解析的内容变少：覆盖度由 99.0% 降至 71.5%"
    assert [(term.en, term.value) for term in finding.terms] == [("coverage fell", 30.0), ("coverage is 27.5 points lower than usual", 13.8)]
    assert (finding.time, finding.end) == (BEGUN + 12 * MINUTE, BEGUN + 15 * MINUTE)
    assert (finding.score, finding.severity, finding.key) == (43.8, 44, "coverage|S7|e1|grade")
    assert finding.respond[0].en.startswith("Look at balefire coverage")


@pytest.mark.parametrize(
    "rows",
    [
        [understood(71.5)] * 2, [understood(90.0)] * 20, [understood(71.5, 1200)] * 20,
        [{"requests_only": 7}] * 20, [{"requests_only": 14}] * 2, [{"requests_only": 2, "talks": 2}] * 20, [{"clock_ahead": 10800.0}] * 20,
        [{"clock_ahead": 0.001}, {"clock_ahead": 0.9}] * 10, [{"grade": None, "decoded_bytes": 0, "undecoded_bytes": 0}] * 20, [{"talks": None}] * 20,
    ],
)  # fmt: skip
def test_what_is_no_fall(rows: list[dict[str, Any]]) -> None:
    assert kinds(*rows) == []


@pytest.mark.parametrize("row", [understood(71.5), {"requests_only": 14}, {"dropped": 40}])
def test_nothing_falls_before_it_is_known_what_was(row: dict[str, Any]) -> None:
    assert kinds(*[row] * 40, minutes=9) == []
    assert len(kinds(*[row] * 20, minutes=10)) == 1


def test_a_line_that_goes_up_and_down_is_no_fall() -> None:
    dice = random.Random(1)
    assert kinds(*(understood(dice.choice((99.0, 60.0, 80.0))) for _ in range(300)), minutes=0) == []


def burst(decoded: int, office: int, **more: int) -> dict[str, Any]:
    """A window with so many decoded octets, and so many of office traffic that nobody decodes."""
    whole = decoded + 500 + office + more.get("lost", 0)
    return {"decoded_bytes": decoded, "undecoded_bytes": 500 + office, "grade": decoded * 1000 // whole / 10, **more}


@pytest.mark.parametrize("length", [3, 20, 100])
def test_more_that_nobody_understands_is_no_fall(length: int) -> None:
    """Office traffic in bursts, however long: as much is understood as before, give or take what polling varies by."""
    dice = random.Random(length)
    assert kinds(*(burst(round(49_500 * dice.uniform(0.97, 1.03)), 90_000) for _ in range(length)), {}, *[burst(49_500, 300_000)] * length) == []


@pytest.mark.parametrize("office", [0, 10_000, 200_000])
@pytest.mark.parametrize("row", [{"decoded_bytes": 30_000}, {"decoded_bytes": 0}, {"decoded_bytes": 42_000, "lost": 7_500}, {"lost": 9_000}])
def test_what_was_understood_and_is_no_more_is_a_fall_beside_anything(row: dict[str, int], office: int) -> None:
    """A controller that encrypts from now on, all of them, segments that are missing instead or beside: with bursts before it and in it."""
    before = [burst(49_500, office * (number % 3)) for number in range(12)]
    gone = 49_500 - row.get("decoded_bytes", 49_500) - row.get("lost", 0)
    rows = [burst(row.get("decoded_bytes", 49_500), office + max(0, gone), lost=row.get("lost", 0))] * 3
    assert kinds(*before, *rows, minutes=0) == ["coverage-grade"]


USUAL: dict[str, Any] = {}


def test_it_may_fall_again_once_it_has_recovered() -> None:
    low: list[dict[str, Any]] = [understood(71.5)] * 3
    assert kinds(*low, *[USUAL] * 2, *low, *[USUAL] * 2, *low) == ["coverage-grade"], "it has not recovered in between"
    assert kinds(*low, *[USUAL] * 20, *low) == ["coverage-grade"], "half an hour is what was"
    assert kinds(*low, *[USUAL] * 40, *low) == ["coverage-grade"] * 2


def test_what_lasts_is_the_new_usual() -> None:
    assert kinds(*[understood(71.5)] * 60) == ["coverage-grade"]
    assert kinds(*[understood(71.5)] * 60, *[understood(40.0)] * 3) == ["coverage-grade"] * 2


def test_a_clock_that_steps_and_back() -> None:
    right, off = [{"clock_ahead": 0.002}] * 3, [{"clock_ahead": 10800.002}] * 3
    found = judged(*right, *off, *right)
    assert [finding.rule for finding in found] == ["coverage-clock"] * 2
    assert found[0].title.en == "The clock of interface e1 of S7 stepped by 3 h 00 min 00 s"
    assert found[0].severity == 65
    assert kinds(*right, off[0], *right) == [], "one window alone may be forged"


def test_silence_is_found_when_the_line_speaks_again_or_another_one_does() -> None:
    again = judged(later(13))
    assert [(finding.rule, finding.title.en) for finding in again] == [("coverage-silent", "interface e1 of S7 saw no packet for 12 min 00 s")]
    assert (again[0].time, again[0].score) == (BEGUN + 12 * MINUTE, 52.0)
    beside = judged(*(later(number, interface="e2") for number in range(1, 20)), later(20))
    assert [(finding.rule, finding.key) for finding in beside] == [("coverage-silent", "coverage|S7|e1|silent")]
    assert kinds(later(5)) == []
    assert kinds(later(6)) == ["coverage-silent"]


def test_what_is_no_silence() -> None:
    assert kinds(later(500, file="another.pcapng")) == [], "between two captures nobody listened"
    assert kinds(later(500, **{"observer.name": "S8"})) == []
    sparse = [{"@timestamp": BEGUN + number * 4 * MINUTE, "id": f"s{number}"} for number in range(40)]
    assert kinds(*sparse, {"@timestamp": BEGUN + 300 * MINUTE, "id": "end"}, minutes=0) == [], "a line on which little is said"


def test_no_silence_is_claimed_where_the_clock_stepped() -> None:
    assert kinds(later(13, clock_steps=1)) == []
    assert kinds(later(13, clock_steps=0)) == ["coverage-silent"]


def test_no_silence_is_claimed_where_the_sensor_did_not_run() -> None:
    """Nor of an interface that says nothing before others do."""
    assert kinds(later(13, absent=720.0)) == []
    beside = later(13, interface="e2", absent=720.0)
    assert kinds(beside, later(15)) == []
    assert kinds(beside, later(20)) == ["coverage-silent"]


def test_drops_are_told_when_they_begin() -> None:
    (finding,) = judged({"dropped": 100}, {}, {"dropped": 50}, {}, {}, {}, {"dropped": 10})
    assert finding.title.en == "interface e1 of S7 began to drop packets: 100"
    assert [term.value for term in finding.terms] == [30.0, 20.0]
    assert "10.0 % of what came" in finding.reason.en


def test_many_interfaces_are_bounded() -> None:
    one = detector()
    one.judge(Batch(coverage=coverage(*({"interface": f"e{number}", "id": str(number)} for number in range(3000)))))
    assert len(json.loads(one.state())["known"]) == 256


def test_a_state_that_is_bent_is_refused() -> None:
    for state in (
        b"[]",
        b'{"coverage": 3}',
        b'{"coverage": 2}',
        b'{"coverage": 2, "known": [[1, 2, {"odd": 3}]]}',
        b'{"coverage": 2, "known": [["a", "b", {"signals": {"grade": {"x": 1}}}]]}',
    ):
        with pytest.raises(ValueError, match=r"."):
            detector().restore(state)


def test_a_mirror_that_breaks_becomes_an_alert_that_can_be_told_and_hidden(tmp_path: Path) -> None:
    """From packets to words: twelve minutes of both directions, then of one."""
    minutes = [polls(count=4, talks=3, start=START + minute * 60 * SECOND) for minute in range(16)]
    packets = [packet for minute, part in enumerate(minutes) for packet in (part if minute < 12 else only_to(part, 502))]
    capture, store = save(packets, tmp_path / "mirror.pcap"), tmp_path / "store"
    assert one("replay", capture, "--store", store)["alerts"]["medium"] == 1
    (finding,) = [row for row in lines("findings", "--store", store) if row["detector"] == "coverage"]
    assert (finding["rule"], finding["severity"], finding["source"], finding["packets"]) == ("coverage-sides", 55, {"ip": None}, [])
    (alert,) = [row for row in lines("alerts", "--store", store) if row["key"].startswith("coverage|")]
    told = one("explain", alert["id"], "--store", store)
    assert sum(term["value"] for term in told["terms"]) == told["score"]
    assert told["normal"]["en"].startswith("A mirror port copies both directions")
    text = balefire("explain", alert["id"], "--store", store).stdout
    assert "sees one direction only: 3 of 3 conversations" in text
    assert "Ask whether somebody changed the switch" in text
    hidden = balefire("suppress", alert["id"], "--reason", "mirror is being moved", "--store", store)
    assert hidden.exit_code == 0, hidden.output
