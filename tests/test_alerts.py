"""Folding: one alert a key, and whatever is judged again changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import REOPENS_WITHIN, fold, identity
from records.model import SAMPLE, Alert, Finding, Term, Text


def finding(number: int, *, key: str = "k", time: int | None = None, severity: float = 50, asset: str = "plc") -> Finding:
    at = number if time is None else time
    words = Text(f"title {number}", f"标题 {number}")
    return Finding(
        id=f"f{number}", key=key, detector="rules", rule="r", time=at, end=at + 5, terms=(Term("t", "项", severity),), title=words, reason=words,
        source=None, destination=None, effects=(), techniques=("T0858",), activities=(f"a{number}",), assets=(asset,), packets=(), observer="o", site=None,
    )  # fmt: skip


def folded(found: list[Finding], known: list[Alert] | tuple[Alert, ...] = ()) -> list[Alert]:
    return list(fold(found, known).alerts)


def closed(alert: Alert, at: int) -> Alert:
    return replace(alert, status="closed", verdict="expected", closed=at)


def test_findings_of_one_key_are_one_alert() -> None:
    done = fold([finding(1, severity=50), finding(2, severity=70, asset="hmi"), finding(3, severity=70)], [])
    (alert,) = done.alerts
    assert (alert.count, alert.severity, alert.first, alert.last) == (3, 70, 1, 8)
    assert alert.title.en == "title 2"
    assert alert.assets == ("plc", "hmi")
    assert alert.techniques == ("T0858",)
    assert alert.status == "open"
    assert alert.id == identity("k", 0)
    assert [taken.alert for taken in done.findings] == [alert.id] * 3


def test_other_keys_are_other_alerts() -> None:
    assert [alert.key for alert in folded([finding(1, key="a"), finding(2, key="b"), finding(3, key="a")])] == ["a", "b"]


def test_one_finding_twice_is_one() -> None:
    assert fold([finding(1), finding(1)], []) == fold([finding(1)], [])


def test_a_hidden_finding_stays_outside() -> None:
    done = fold([finding(1), replace(finding(2, severity=90), suppressions=("s",)), finding(3)], [])
    (alert,) = done.alerts
    assert (alert.count, alert.severity, alert.findings) == (2, 50, ("f1", "f3"))
    assert [taken.alert for taken in done.findings] == [alert.id, None, alert.id]


def test_an_alert_says_what_is_shown_again() -> None:
    done = folded([replace(finding(1), expired=("s1",)), replace(finding(2), expired=("s2", "s1"))])
    assert done[0].expired == ("s1", "s2")


def test_an_alert_names_a_sample_with_the_gravest() -> None:
    (alert,) = folded([finding(n, severity=50 + n // 150) for n in range(1000)])
    assert alert.count == 1000
    assert len(alert.findings) == SAMPLE
    assert alert.findings[:-1] == tuple(f"f{n}" for n in range(SAMPLE - 1))
    assert alert.findings[-1] == "f900"
    assert alert.title.en == "title 900"


def test_a_finding_soon_after_its_closing_reopens_an_alert() -> None:
    (alert,) = folded([finding(1)])
    done = closed(replace(alert, assignee="Li"), 100)
    (again,) = folded([finding(2, time=100 + REOPENS_WITHIN)], [done])
    assert (again.id, again.status, again.closed, again.count) == (alert.id, "open", None, 2)
    assert (again.assignee, again.verdict) == ("Li", None)


def test_what_happened_before_the_closing_joins_and_reopens_nothing() -> None:
    (alert,) = folded([finding(50)])
    done = closed(alert, 100)
    (same,) = folded([finding(2, severity=90), finding(95)], [done])
    assert (same.id, same.status, same.closed, same.verdict, same.count) == (alert.id, "closed", 100, "expected", 3)
    assert (same.severity, same.first) == (90, 2)
    (again,) = folded([finding(96)], [same])  # which goes on until 101
    assert (again.status, again.closed, again.count) == ("open", None, 4)
    assert folded([finding(3)], [replace(again, status="open", closed=None)])[0].status == "open"


@given(st.lists(st.integers(0, 200), min_size=1, max_size=10), st.integers(0, 10))
def test_reopening_is_the_same_however_findings_come(times: list[int], cut: int) -> None:
    known = [closed(replace(folded([finding(1000, time=1)])[0]), 100)]
    found = [finding(number, time=time) for number, time in enumerate(times)]
    first = folded(found[:cut], known) or known
    (parts,) = folded(found[cut:], first) or first
    (whole,) = folded(found, known)
    assert parts == whole
    assert (whole.status == "open") == any(time + 5 > 100 for time in times)


def test_a_finding_later_starts_another_alert() -> None:
    (alert,) = folded([finding(1)])
    (other,) = folded([finding(2, time=101 + REOPENS_WITHIN)], [closed(alert, 100)])
    assert other.id == identity("k", 1)
    assert other.findings == ("f2",)


def test_an_alert_that_is_still_known_keeps_its_identity() -> None:
    later = replace(folded([finding(1)])[0], id=identity("k", 1), status="closed", closed=0)
    (other,) = folded([finding(2, time=1 + REOPENS_WITHIN)], [later])
    assert other.id == identity("k", 2)


@pytest.mark.parametrize("status", ["acknowledged", "in_progress"])
def test_what_is_worked_on_stays_so(status: str) -> None:
    (alert,) = folded([finding(1)])
    (more,) = folded([finding(2)], [replace(alert, status=status)])
    assert more.status == status


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ab"), st.integers(0, 100)), max_size=15), st.integers(0, 15))
def test_folding_in_parts_is_folding_at_once(stated: list[tuple[int, str, int]], cut: int) -> None:
    found = [finding(number, key=key, severity=severity) for number, (_, key, severity) in enumerate(stated)]
    first = folded(found[:cut])
    stored: dict[str, Alert] = {alert.id: alert for alert in first}
    stored |= {alert.id: alert for alert in folded(found[cut:], first)}
    assert stored == {alert.id: alert for alert in folded(found)}


@given(st.lists(st.integers(0, 100), min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 12))
def test_a_sample_is_the_same_however_findings_come(severities: list[int], most: int, cut: int) -> None:
    found = [finding(number, severity=severity) for number, severity in enumerate(severities)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detectors.alerts.SAMPLE", most)
        (whole,) = folded(found)
        parts = folded(found[cut:], folded(found[:cut])) or folded(found[:cut])
    assert parts == [whole]
    assert len(whole.findings) == min(most, len(found))
    assert found[severities.index(max(severities))].id in whole.findings
