"""What seems to be missing where the sensor itself did not see all: told once that is known, with it in its reason, and for fewer points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from detectors.doubting import BEFORE, MOST_HELD, UNHEARD, Doubting
from records.model import Batch
from records.store.rows import finding_from
from tests.cli import lines, one
from tests.frames import BEGUN, coverage
from tests.test_drops import statistics
from tests.test_sources import enhanced, interface, section
from tests.wire import START, Talk, mbap, read, registers, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from records.model import Finding

MINUTE = 60_000_000_000
SEEN: dict[str, Any] = {}  # a minute of which nothing was missed
TEXT = {"en": "x", "zh": "x"}


def finding(rule: str = "command-unanswered", minute: int = 0, minutes: int = 0, number: int = 0) -> Finding:
    """Of the line that `coverage` tells of."""
    time = BEGUN + minute * MINUTE + 7
    row: dict[str, Any] = dict.fromkeys(("version", "alert", "source.ip", "destination.ip", "observer.site"))
    row |= {"id": f"{number:020x}", "key": rule, "detector": "rules", "rule": rule, "time": time, "end": time + minutes * MINUTE, "observer.name": "S7"}
    row |= {f"{name}.{language}": text for name in ("title", "reason", "normal") for language, text in TEXT.items()}
    row |= {name: [] for name in ("effects", "techniques", "activities", "assets", "suppressions", "expired")}
    return finding_from(row | {"terms": json.dumps([{"title": TEXT, "value": 45.0}]), "packets": "[]", "respond": "[]"})


def told(found: Finding, *rows: Mapping[str, Any]) -> Finding:
    """The finding once these minutes are over."""
    doubting = Doubting()
    doubting.judge(Batch(coverage=coverage(*rows)))
    (settled,) = doubting.settled([found])
    return settled


def captured(path: Path, dropped: int) -> Path:
    """Polls and a write without an answer, of which so many packets were dropped."""
    talk = Talk(time=START).open()
    for number in range(30):
        talk.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    talk.put(0, mbap(99, write(3, 7)))
    packets = b"".join(enhanced("<", packet.time // 1000, packet.data, len(packet.data)) for packet in talk.packets)
    path.write_bytes(section("<") + interface("<", name=b"eth0") + statistics(interface=0) + packets + statistics(interface=dropped))
    return path


def test_packets_that_the_capture_dropped_are_not_told_as_a_device_that_is_silent(tmp_path: Path) -> None:
    """From the capture to the stored finding."""
    one("replay", captured(tmp_path / "drops.pcapng", 12), "--store", tmp_path / "store")
    (doubted,) = [row for row in lines("findings", "--store", tmp_path / "store") if row["rule"] == "command-unanswered"]
    assert "12 packets were dropped where it captures" in doubted["reason"]["en"]
    assert "丢弃 12 个数据包" in doubted["reason"]["zh"]
    *sure, doubt = [term["value"] for term in doubted["terms"]]
    assert doubt == -12.9
    assert sum(sure) + doubt == pytest.approx(doubted["score"])


@pytest.mark.parametrize(
    ("rule", "row", "words"),
    [
        ("command-unanswered", {"dropped": 1}, "1 packet was dropped"), ("polls-unanswered", {"dropped": 100}, "100 packets were dropped"),
        ("view-lost", {"gaps": 2, "lost": 4_000}, "4.0 kB are missing in 2 gaps"), ("poll-stopped", {"shed": 300}, "300 things were let go"),
        ("poll-stopped", {"requests_only": 9, "gaps": 9, "lost": 1}, "one direction is missing of 9 conversations of 16"),
    ],
)  # fmt: skip
def test_what_was_missed_is_told(rule: str, row: dict[str, Any], words: str) -> None:
    settled = told(finding(rule), row)
    assert words in settled.reason.en
    assert 25.0 <= settled.score <= 40.0


@pytest.mark.parametrize("rule", UNHEARD)
@pytest.mark.parametrize(
    "row",
    [
        {}, {"requests_only": 16}, {"talks": 2, "datagrams": json.dumps([{"protocol": "enip", "conversations": 9, "requests_only": 9, "answers_only": 0}])},
        {"lost": 40_000},
    ],
    ids=("all-seen", "sent-again", "a-device-that-is-gone", "what-datagrams-might-be-answered"),
)  # fmt: skip
def test_a_device_that_is_gone_is_no_doubt(rule: str, row: dict[str, Any]) -> None:
    assert told(finding(rule), row) == finding(rule)


def test_what_cannot_be_the_reason_is_no_doubt() -> None:
    """One packet of a thousand stops no poll; what was dropped at another time is no reason; and other findings do not hang on what is missing."""
    assert told(finding("view-lost"), {"dropped": 1}) == finding("view-lost")
    assert told(finding(minute=1), {"dropped": 400}, {}, {"dropped": 400}) == finding(minute=1)
    assert told(finding("outputs-at-night"), {"dropped": 400}) == finding("outputs-at-night")
    assert told(finding("view-lost", minutes=2), {}, {}, {"dropped": 400}) != finding("view-lost", minutes=2)


@pytest.mark.parametrize("rule", BEFORE)
@pytest.mark.parametrize(
    ("row", "words"),
    [({"shed": 3_000}, "3,000 things were let go"), ({"dark": 45.0}, "for 45 s nothing could be heard"), ({"absent": 3e5}, "nothing could be heard")],
)
def test_who_acts_without_having_read_may_have_read_what_was_missed_in_the_hour_before(rule: str, row: dict[str, Any], words: str) -> None:
    late = finding(rule, minute=58)
    settled = told(late, {}, row, *[SEEN] * 57)
    assert words in settled.reason.en
    assert settled.score < late.score
    assert told(late, *[SEEN] * 59) == late
    assert told(finding(rule, minute=62), {}, row, *[SEEN] * 61) == finding(rule, minute=62), "more than an hour before"
    assert told(finding("poll-stopped", minute=1), {}, {"dark": 45.0}) == finding("poll-stopped", minute=1), "which waits while the line is dark"


@pytest.mark.parametrize("saved", [False, True])
def test_it_waits_for_its_minute_whatever_the_cut_and_over_a_restart(saved: bool) -> None:
    rows = coverage({"dropped": 40}, {}, {"dropped": 400})
    whole = Doubting()
    whole.judge(Batch(coverage=rows))
    expected = whole.settled([finding(minute=1, minutes=1)])
    doubting = Doubting()
    assert doubting.settled([finding(minute=1, minutes=1), finding("outputs-at-night")]) == [finding("outputs-at-night")]
    for place in range(3):
        if saved:
            state, doubting = doubting.state(), Doubting()
            doubting.restore(state)
        doubting.judge(Batch(coverage=rows.slice(place, 1)))
        assert doubting.settled([]) == (expected if place == 2 else [])
    assert "400 packets" in expected[0].reason.en
    assert doubting.settled([], last=True) == [], "told once"


def test_what_is_held_is_bounded_and_never_lost() -> None:
    doubting, count = Doubting(), MOST_HELD + 5
    early = doubting.settled(finding(number=number) for number in range(count))
    late = doubting.settled([], last=True)
    assert [len(early), len({each.id for each in (*early, *late)})] == [5, count]
    doubting.judge(Batch(coverage=coverage(minutes=3_000)))
    doubting.settled([])
    assert len(json.loads(doubting.state())["windows"]["S7"]) == 256


def test_a_state_that_is_bent_is_refused() -> None:
    for state in (b"[]", b'{"doubting": 2}', b'{"doubting": 1}', b'{"doubting": 1, "windows": {}, "held": [{}]}', b"\x00"):
        with pytest.raises(ValueError, match=r"."):
            Doubting().restore(state)
