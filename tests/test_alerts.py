"""Folding: one alert a key, and whatever is judged again changes nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from detectors.alerts import REOPENS_WITHIN, close, fold, identity
from records.model import Alert, Finding, Term, Text


def finding(number: int, *, key: str = "k", time: int | None = None, severity: float = 50, asset: str = "plc") -> Finding:
    at = number if time is None else time
    words = Text(f"title {number}", f"标题 {number}")
    return Finding(
        id=f"f{number}", key=key, detector="rules", rule="r", time=at, end=at + 5, terms=(Term("t", "项", severity),), title=words, reason=words,
        source=None, destination=None, effects=(), techniques=("T0858",), activities=(f"a{number}",), assets=(asset,), packets=(), observer="o", site=None,
    )  # fmt: skip


def test_findings_of_one_key_are_one_alert() -> None:
    (alert,) = fold([finding(1, severity=50), finding(2, severity=70, asset="hmi"), finding(3, severity=70)], [])
    assert (alert.count, alert.severity, alert.first, alert.last) == (3, 70, 1, 8)
    assert alert.title.en == "title 2"
    assert alert.assets == ("plc", "hmi")
    assert alert.techniques == ("T0858",)
    assert alert.status == "open"
    assert alert.id == identity("k", 0)


def test_other_keys_are_other_alerts() -> None:
    assert [alert.key for alert in fold([finding(1, key="a"), finding(2, key="b"), finding(3, key="a")], [])] == ["a", "b"]


def test_the_same_findings_again_change_nothing() -> None:
    found = [finding(1), finding(2)]
    alerts = fold(found, [])
    assert fold(found, alerts) == []
    assert fold(found, [close(alerts[0], 100)]) == []


def test_a_finding_soon_after_its_closing_reopens_an_alert() -> None:
    (alert,) = fold([finding(1)], [])
    (again,) = fold([finding(2, time=100 + REOPENS_WITHIN)], [close(alert, 100)])
    assert (again.id, again.status, again.closed, again.count) == (alert.id, "open", None, 2)


def test_a_finding_later_starts_another_alert() -> None:
    (alert,) = fold([finding(1)], [])
    (other,) = fold([finding(2, time=101 + REOPENS_WITHIN)], [close(alert, 100)])
    assert other.id == identity("k", 1)
    assert other.findings == ("f2",)


def test_an_alert_that_is_still_known_keeps_its_identity() -> None:
    later = replace(fold([finding(1)], [])[0], id=identity("k", 1), status="closed", closed=0)
    (other,) = fold([finding(2, time=1 + REOPENS_WITHIN)], [later])
    assert other.id == identity("k", 2)


def test_an_acknowledged_alert_stays_acknowledged() -> None:
    (alert,) = fold([finding(1)], [])
    (more,) = fold([finding(2)], [replace(alert, status="acknowledged")])
    assert more.status == "acknowledged"


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from("ab"), st.integers(0, 100)), max_size=15), st.integers(0, 15))
def test_folding_in_parts_is_folding_at_once(stated: list[tuple[int, str, int]], cut: int) -> None:
    found = [finding(number, key=key, severity=severity) for number, key, severity in stated]
    stored: dict[str, Alert] = {alert.id: alert for alert in fold(found[:cut], [])}
    stored |= {alert.id: alert for alert in fold(found[cut:], list(stored.values()))}
    assert stored == {alert.id: alert for alert in fold(found, [])}
