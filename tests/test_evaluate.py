"""Measuring detectors: what counts as found, as false, as expected, and how sure silence is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from records.model import Finding, Term, Text
from tests.evaluate import __main__ as command
from tests.evaluate.families import ATTACKS, families
from tests.evaluate.judging import MINUTE, WAITS, Judged, judge
from tests.evaluate.keeping import once
from tests.evaluate.labels import AFTERMATH, SECOND, Case, Window, plant_case
from tests.evaluate.measuring import measure, together, upper
from tests.evaluate.page import Page
from tests.require import need
from tests.test_doubting import captured

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600 * SECOND
ATTACK = Window("attack", HOUR, HOUR + 60 * SECOND, frozenset({"10.0.0.66"}), frozenset({"10.0.0.5"}), frozenset({"T0843"}))
ACT = Window("program.download", 2 * HOUR, 2 * HOUR + 60 * SECOND, frozenset({"10.0.0.7"}), frozenset({"10.0.0.5"}))


def finding(start: int, **more: Any) -> Finding:
    said = Text(more.pop("words", "something"), "某事")
    told: dict[str, Any] = {
        "id": f"{start}-{len(more)}-{said.en}", "key": "k", "detector": "d", "rule": "r", "time": start, "end": start + SECOND,
        "terms": (Term("t", "项", 45.0),),
        "title": said, "reason": said, "source": None, "destination": None, "effects": (), "techniques": (), "activities": (), "assets": (), "packets": (),
        "observer": "o", "site": None,
    }  # fmt: skip
    return Finding(**(told | more))


def measured(*findings: Finding, **more: Any) -> Any:
    judged = Judged(list(findings), {one.id: one.end for one in findings}, {}, 0, 24 * HOUR, {"10.0.0.66": {"02:00:00:00:00:66"}})
    return measure(Case("case", None, (ATTACK,), (ACT,), **more), judged)  # pyright: ignore[reportArgumentType] -- no file is read


@pytest.mark.parametrize(
    ("told", "hit", "false"),
    [
        (finding(HOUR, source="10.0.0.66"), 1, 0), (finding(HOUR, destination="10.0.0.5"), 1, 0), (finding(HOUR, words="02:00:00:00:00:66 searched"), 1, 0),
        (finding(HOUR, words="10.0.0.66 searched"), 1, 0), (finding(HOUR, words="10.0.0.6 searched"), 0, 0), (finding(HOUR, source="10.0.0.9"), 0, 0),
        (finding(HOUR, source="10.0.0.66", rule="new-host", terms=(Term("t", "项", 30.0),)), 0, 0),
        (finding(HOUR, source="10.0.0.66", rule="new-host"), 1, 0), (finding(ATTACK.end + AFTERMATH, source="10.0.0.66"), 0, 0),
        (finding(ATTACK.end + AFTERMATH + 1, source="10.0.0.66"), 0, 1), (finding(HOUR - SECOND - 1, source="10.0.0.66"), 0, 1),
        (finding(HOUR - SECOND, source="10.0.0.66"), 1, 0),
    ],
)  # fmt: skip
def test_a_window_is_found_by_what_overlaps_it_and_names_who_took_part(told: Finding, hit: int, false: int) -> None:
    made = measured(told)
    assert (len(made.hits[0].findings), len(made.false)) == (hit, false)


def test_an_act_of_the_script_is_expected_where_it_is_named() -> None:
    named, other = finding(2 * HOUR, source="10.0.0.7"), finding(2 * HOUR, source="10.0.0.8")
    made = measured(named, other)
    assert (made.expected, made.false) == ([named], [other])


def test_techniques_times_and_minutes() -> None:
    right = finding(HOUR + 5 * SECOND, source="10.0.0.66", techniques=("T0843",))
    false = [finding(3 * HOUR, source="10.0.0.1"), finding(3 * HOUR, source="10.0.0.2"), finding(4 * HOUR, source="10.0.0.1")]
    made = measured(right, *false)
    assert (made.hits[0].right, made.hits[0].seconds, made.hits[0].severity) == (True, 6.0, "medium")
    assert (made.minutes, made.precision, round(made.outside, 2)) == (2, 0.25, 23.98)
    both = together([made, made])
    assert (len(both.hits), len(both.false), both.right, both.minutes) == (2, 6, 2, 4)


@pytest.mark.parametrize(("count", "hours", "bound"), [(0, 24, 2.996), (1, 24, 4.744), (0, 240, 0.2996), (10, 24, 16.962)])
def test_the_upper_bound_is_that_of_a_poisson_process(count: int, hours: float, bound: float) -> None:
    """Garwood's: half the 95 % quantile of chi-squared with 2 (n + 1) degrees of freedom."""
    assert upper(count, hours) == pytest.approx(bound, abs=0.001)
    assert upper(count, 0) is None


def test_labels_of_a_plant(tmp_path: Path) -> None:
    span = {"start": "2026-03-02T00:00:01.500000Z", "end": "2026-03-02T00:00:02Z"}
    lines = [
        {"label": "plant", "site": "water"},
        {"label": "attack", "name": "scan", "attacker": ["10.0.0.66"], "victim": ["10.0.0.5"], "techniques": ["T0846"], **span},
        {"label": "benign", "kind": "operator.setpoint", "who": ["10.0.0.7"], "whom": ["10.0.0.5"], **span},
    ]
    labels = tmp_path / "labels.json"
    labels.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    case = plant_case(tmp_path / "plant.pcap", labels, ())
    assert case.windows == (Window("scan", 1772409601500000000, 1772409602 * SECOND, frozenset({"10.0.0.66"}), frozenset({"10.0.0.5"}), frozenset({"T0846"})),)
    assert [act.name for act in case.acts] == ["operator.setpoint"]


def test_without_captures_and_simulator_it_says_so_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "families", list)
    monkeypatch.setattr("sys.argv", ["evaluate", "--seeds", "-o", str(tmp_path / "page.md")])
    assert command.main() == 2
    assert "no captures at" in capsys.readouterr().err
    assert not (tmp_path / "page.md").exists()


def test_what_is_kept_is_not_judged_again_unless_it_is_not_explained(tmp_path: Path) -> None:
    judged: list[int] = []

    def make(unexplained: int) -> Page:
        judged.append(unexplained)
        page = Page()
        page.rows, page.sections, page.unexplained = ["| row |"], ["section"], unexplained
        return page

    told = [once(tmp_path, f"part {unexplained}", make, unexplained) for unexplained in (0, 0, 2, 2)]
    assert [(page.rows, page.sections, page.unexplained) for page in told] == [(["| row |"], ["section"], number) for number in (0, 0, 2, 2)]
    assert judged == [0, 2, 2]
    assert once(None, "part 0", make, 0).rows == ["| row |"]
    assert judged == [0, 2, 2, 0]


@pytest.mark.captures
def test_a_family_is_judged_and_what_it_misses_is_explained() -> None:
    need("captures", ATTACKS.is_dir(), f"no {ATTACKS}")
    (family,) = (one for one in families() if one.name == "s7-qut")
    cases = [case for case in family.cases if case.file.stat().st_size < 10_000]
    page = Page()
    page.add(family.name, cases)
    text = page.text([family], [])
    assert page.unexplained == 0
    assert "| ConveyorBeltReset, seen by the master | acts-unseeing | low |" in text
    assert "this view holds no packet of the attacker" in text


@pytest.mark.captures
def test_dnp3_windows_lie_in_their_captures() -> None:
    need("captures", ATTACKS.is_dir(), f"no {ATTACKS}")
    (family,) = (one for one in families() if one.name == "dnp3-qut")
    apart = [case for case in family.cases if case.apart]
    assert [case.name for case in apart] == ["injection-training-infrequent, injection_replay"]
    judged = [case for case in family.cases if not case.apart]
    assert [len(case.windows) for case in judged] == [0, 12, 10, 11]
    assert all(window.start < window.end for case in family.cases for window in case.windows)
    assert [bool(case.learn) for case in judged] == [False, True, True, True]


def test_what_seems_to_be_missing_is_judged_as_the_product_does(tmp_path: Path) -> None:
    """Of a capture that dropped packets, the write that nobody answered is told less gravely, once its minute is over."""
    told = [judge(Case("drops", captured(tmp_path / f"{dropped}.pcapng", dropped))) for dropped in (0, 12)]
    sure, doubted = [next(found for found in each.findings if found.rule == "command-unanswered") for each in told]
    assert doubted.score < sure.score
    assert "12 packets were dropped" in doubted.reason.en
    assert told[1].told[doubted.id] == (doubted.time // MINUTE + 1) * MINUTE + WAITS


def test_judging_an_unreadable_capture_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "no.pcap"
    file.write_bytes(b"no capture")
    with pytest.raises(Exception, match=r"."):
        judge(Case("no", file))
