"""Clocks of the law are told where people look: when an alert is closed as true, on the first page, and as a message, each thing once."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from detectors import lifecycle
from records.model import Batch
from records.store import open_store
from records.store.contract import Commit
from records.wording import say
from reports import obliging
from reports.everything import every_row
from reports.forming import Unit, form
from reports.notifying import Notifier, Wish
from reports.reminding import pressing, starting
from reports.yearly import unopened
from tests.cli import balefire
from tests.reporting import SITES, coverage
from tests.test_dashboards import opened, sent
from tests.test_notifying import Phone
from tests.test_store import HOUR, NOON, SECOND, activities, activity, alert, finding

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CHINA = ("cn-incident", "cn-industry-data")


def test_closing_an_alert_as_true_says_which_clocks_that_starts(tmp_path: Path) -> None:
    """Those of the operator that the plant's is, what is due first first; another verdict starts none."""
    where = tmp_path / "store"
    store = open_store(str(where), True)
    store.write(Commit(findings=(finding(1, alert="al1"), finding(2, alert="al2")), alerts=(alert(1), alert(2))))
    store.close()
    for language, words in (("en", ("within 4 h, from level considerable on", "at once")), ("zh", ("4 小时内，较大及以上级别", "立即"))):
        told = starting(CHINA, "other", language)
        assert [each.endswith(words[0]) for each in told] == [False, True]
        assert words[1] in told[0]
    assert [each.split(":")[1] for each in starting(("cn-incident",), "cii", "en")] == [" within 1 h, from level considerable on"]
    told = balefire("alert", "close", "al1", "--verdict", "true", "--by", "ada", "--store", where, "--language", "en").stderr
    assert "clocks of what may have to be told run from now" in told
    assert "balefire duty grade al1" in told
    assert all(f"  – {each}" in told.splitlines() for each in starting(CHINA, "other", "en"))
    assert "clocks" not in balefire("alert", "close", "al2", "--verdict", "false", "--by", "ada", "--store", where, "--language", "en").stderr


def test_people_are_told_of_a_clock_that_runs_once_for_each_thing(tmp_path: Path) -> None:
    """Confirmed and without a level; then a duty that is due; in the last quarter of its time; late; and nothing once it is done."""
    store, phone = open_store(str(tmp_path / "store"), True), Phone()
    quiet = Notifier(tmp_path / "post", Wish(least=100, urgent=100, hourly=1), "en", {"phone": phone})
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    now = time.time()
    assert quiet.look(store, now) == {"phone": 0}
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    assert quiet.look(store, now + 60) == {"phone": 1}
    assert "no level decided" in phone.heard[-1][0]
    obliging.grade(store, "al1", "considerable", "OTH", "other", CHINA, "ada", time.time_ns())
    counts = [quiet.look(store, now + hours * 3600 + 30)["phone"] for hours in (0.1, 0.2, 2.5, 3.5, 3.6, 4.5, 30)]
    assert counts == [1, 0, 0, 1, 0, 1, 0]
    assert [title.split(":")[0] for title, _body in phone.heard[1:]] == ["3 h 53 min left to tell", "29 min left to tell", "OVERDUE by 30 min"]
    assert "First report" in phone.heard[-1][0]
    store.write(
        Commit(findings=(finding(3, alert="al3"), finding(4, alert="al4")), alerts=(alert(3, severity=59), alert(4, severity=59, techniques=("T0846",))))
    )
    night = Notifier(tmp_path / "night", Wish(quiet=(datetime.min.time(), datetime.max.time())), "en", {"phone": phone})
    assert night.look(store, now + 60) == {"phone": 1}, "what is late, and nothing else"
    store.change([lifecycle.close(each, "ada", "true", NOON) for each in store.alerts(["al3", "al4"])])
    assert night.look(store, now + 61) == {"phone": 0}, "of what hardly has to be told nobody is woken"
    assert quiet.look(store, now + 40 * 3600) == {"phone": 2}, "and it is told by day"
    store.close()
    told = balefire("duty", "list", "--store", tmp_path / "store", "--language", "en").stdout
    assert "by suggestion general: 2." in told
    assert "was confirmed by" not in told


def test_pages_say_what_presses_and_a_level_is_decided_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Situation says it, the alert's page says it, and the page of duties takes the level: none of that needs the key."""
    where = tmp_path / "store"
    store = open_store(str(where), True)
    store.write(activities(activity(1)))
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    monkeypatch.setenv("BALEFIRE_DUTIES__REGIMES", json.dumps(CHINA))
    monkeypatch.setenv("BALEFIRE_USER", "ada")
    assert say("dashboard.duties.look", "en") not in sent(opened("situation", where, monkeypatch, lang="en"))
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    shown = sent(opened("situation", where, monkeypatch, lang="zh"))
    assert say("dashboard.duties.look", "zh") in shown
    assert say("dashboard.duties.waiting", "zh", count=1) in shown
    assert "no level decided" in sent(opened("alert", where, monkeypatch, lang="en", id="al1"))
    page = opened("duties", where, monkeypatch, lang="en")
    page.button(key="grade").click().run()
    assert obliging.ungraded(store), "no level chosen, nothing decided"
    page.radio(key="grade_level_al1").set_value("considerable").run()
    page.text_input(key="grade_note_al1").set_value("two pumps stood").run()
    page.button(key="grade").click().run()
    assert not obliging.ungraded(store)
    (graded,) = every_row(store, "audit", "table:grading")
    assert (graded["by"], graded["note"]) == ("ada", "two pumps stood")
    found = pressing(store, time.time_ns())
    assert [each.duty.id for each in found.soon] == ["cn-industry-data/report", "cn-incident/first"], "the class was taken as suggested"
    assert "due within a day: 2" in sent(opened("situation", where, monkeypatch, lang="en"))
    store.write(Commit(findings=(finding(2, alert="al2"),), alerts=(alert(2),)))
    store.change([lifecycle.close(store.alerts(["al2"])[0], "ada", "true", NOON)])
    shown = sent(opened("duties", where, monkeypatch, lang="en"))
    assert "First report" in shown, "a form, beside a level that is to be decided"
    assert say("dashboard.duties.no_warnings", "en") in shown, "to the end of the page"
    late = pressing(store, time.time_ns() + 5 * HOUR)
    assert ([each.duty.id for each in late.late], late.soon) == (["cn-industry-data/report", "cn-incident/first"], [])
    store.close()


def test_a_year_without_incidents_has_a_row_and_its_report_is_opened_by_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a year in which nothing was recorded there is none: nobody can say that nothing happened in it."""
    where = tmp_path / "store"
    store = open_store(str(where), True)
    last = datetime.now(UTC).year - 1
    monkeypatch.setenv("BALEFIRE_DUTIES__REGIMES", json.dumps(CHINA))
    monkeypatch.setenv("BALEFIRE_USER", "ada")
    store.write(activities(activity(1)))
    assert unopened(store, CHINA, time.time_ns()) == []
    refused = balefire("duty", "year", "--by", "ada", "--store", where, "--language", "en")
    assert (refused.exit_code, f"no yearly report of {last}" in refused.stderr) == (1, True)
    june = int(datetime(last, 6, 1, tzinfo=UTC).timestamp()) * SECOND
    store.write(Commit(batch=Batch(coverage=coverage(SITES[0], june, june + 3 * 60 * SECOND))))
    page = opened("duties", where, monkeypatch, lang="zh")
    assert "未认定此类事件" in sent(page)
    page.button(key="duty_year").click().run()
    (due,) = obliging.all_due(store)
    assert (due.duty.id, due.case, due.open) == ("cn-industry-data/yearly", str(last), True)
    assert f"{last} 年度未认定此类事件" in form(store, due, Unit("W", "zh"))["incidents"]
    assert unopened(store, CHINA, time.time_ns()) == []
    assert say("dashboard.duties.years", "zh") not in sent(page)
    store.close()
