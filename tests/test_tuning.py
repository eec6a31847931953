"""What a number in a rule costs: bounds are found where they stand, and each value is judged as if the file said so."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from dashboards import rulings
from detectors import curves, lifecycle, tuning
from detectors.backtest import backtest
from detectors.confirmed import marks
from detectors.rulebook import versions
from detectors.rulebook.books import draft
from detectors.rulebook.kept import Kept, loaded
from detectors.rulebook.load import load, own_rules
from detectors.shifts import checked
from detectors.working import Window, starts, window
from records.formats import MINUTE, SECOND
from records.model import Batch, Term, Text
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES
from tests.browser.waterworks import NOW, alert, finding, table
from tests.cli import lines, one
from tests.test_dashboards import opened, sent

if TYPE_CHECKING:
    from records.store.contract import Store

DEMO = Path(__file__).parent / "captures" / "demo.pcap"
OURS = {rule.id: rule for rule in load([own_rules()]).rules}
WHEN = (0, 2**62)
KEYS = {"1": "sweep", "2": "sweep|b", "3": "sweeper|a", "4": "flood|a"}  # by finding, of alerts
ALL = Window(*WHEN, (0,), 0, 1.0, False)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("tuning") / "store"
    one("replay", DEMO, "--store", store)
    return store


def test_bounds_are_those_that_decide_and_stand_where_they_say() -> None:
    text = Path(OURS["address-sweep"].file).read_text("utf-8")
    found = tuning.bounds(text)
    assert [(bound.name, bound.value) for bound in found] == [("ot.object.count|gte", 32), ("ot.object.count|gte", 8)]
    for bound in found:
        assert text[bound.start : bound.end] == str(bound.value)
        assert text.splitlines()[bound.line - 1].strip().endswith(f"gte: {bound.value}")
    (bound,) = tuning.bounds(Path(OURS["unit-sweep"].file).read_text("utf-8"))
    assert (bound.name, bound.value) == ("condition gte", 8)
    assert tuning.bounds("a: [") == tuning.bounds("") == tuning.bounds("detection: {sel: {ot.count|gte: many}}") == []


def test_a_moved_bound_changes_nothing_else() -> None:
    text = Path(OURS["address-sweep"].file).read_text("utf-8")
    second = tuning.bounds(text)[1]
    changed = tuning.moved(text, second, 17)
    assert [(a, b) for a, b in zip(text.splitlines(), changed.splitlines(), strict=True) if a != b] == [
        (text.splitlines()[second.line - 1], text.splitlines()[second.line - 1].replace("8", "17"))
    ]


@pytest.mark.parametrize(("value", "least"), [(1, 1), (3, 1), (100, 25), (0.5, 0.125), (0, 0)])
def test_values_are_around_the_present_one(value: float, least: float) -> None:
    found = tuning.values(tuning.Bound(("detection", "x|gte"), 1, value, 0, 0))
    assert value in found
    assert found == sorted(set(found))
    assert found[0] == least
    assert found[-1] > value


@pytest.mark.parametrize("name", ["address-sweep", "unknown-function-refused", "identity-read", "write-flood", "many-stopped"])
def test_a_higher_bound_fires_less_often_whatever_its_cases_give(judged: Path, tmp_path: Path, name: str) -> None:
    store = open_store(str(judged))
    rule, in_force = OURS[name], versions.decoded(store.state(versions.STATE))[-1]
    text = Path(rule.file).read_text("utf-8")
    for bound in tuning.bounds(text):
        steps = tuning.curve(store, rule, text, bound, in_force, load([own_rules()]).placeholders, ALL)
        assert [step.value for step in steps] == tuning.values(bound)
        fires = [step.fires for step in steps]
        assert fires == sorted(fires, reverse=True), "fewer rows reach a higher bound"
        file = tmp_path / f"{name}.yml"
        file.write_text(tuning.moved(text, bound, steps[0].value).split("tests:")[0] + "tests: {fires: [{}], quiet: [{}]}\n", "utf-8")
        assert draft(file, in_force).problems, "its cases are looked at where it is to be in force"
    store.close()


def test_the_present_value_gives_what_was_found_and_a_higher_one_loses_what_was_confirmed(judged: Path) -> None:
    store = open_store(str(judged), write=True)
    name = "unknown-function-refused"
    counted = store.count("finding", rulings.Query(where=rulings.Match("rule", name)))
    text = Path(OURS[name].file).read_text("utf-8").replace("detection:\n", "detection:\n  often: {ot.count|gte: 1}\n", 1)
    text = text.replace("condition: ", "condition: often and ", 1)
    (bound,) = [each for each in tuning.bounds(text) if each.path[1] == "often"]
    alert = next(each for each in store.alerts([str(row["id"]) for row in lines("alerts", "--store", judged)]) if each.key.startswith(name))
    change = lifecycle.close(alert, "Li Wei", "true", store.newest() or 0, "")
    assert change is not None
    store.change([change])
    in_force = versions.decoded(store.state(versions.STATE))[-1]
    steps = {step.value: step for step in tuning.curve(store, OURS[name], text, bound, in_force, load([own_rules()]).placeholders, ALL)}
    assert counted > 0
    assert (steps[1].fires, steps[1].lost, steps[1].thinned) == (counted, (), ())
    most = max(steps)
    assert steps[most].fires < counted
    assert [lost.alert["id"] for lost in (*steps[most].lost, *steps[most].thinned)] == [alert.id]
    store.close()


def test_one_pass_over_history_tells_each_alternative_as_alone(judged: Path) -> None:
    store = open_store(str(judged))
    rule = OURS["identity-read"]
    from detectors.backtest import alternatives
    from detectors.rulebook.books import Change

    changes = [Change(rule.id, rule, None), Change(rule.id, None, rule), Change(rule.id, rule, replace(OURS["unit-sweep"], id=rule.id))]
    assert [(each.fires, each.added, each.removed, each.hours, each.lost) for each in alternatives(store, changes, *WHEN)] == [
        (each.fires, each.added, each.removed, each.hours, each.lost) for each in (backtest(store, [change], *WHEN) for change in changes)
    ]
    store.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_works_out_a_curve_and_tries_a_text(judged: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("tuning", judged, monkeypatch, lang=language, rule="address-sweep", range="all")
    assert {"en": "Work out the curve", "zh": "计算曲线"}[language] in [button.label for button in page.button]
    page.button(key="work_out").click().run()
    told = sent(page)
    assert {"en": "Value by value", "zh": "逐值对比"}[language] in told
    assert {"en": "in force", "zh": "现行值"}[language] in told
    assert {"en": "no whole shift", "zh": "不足一个完整班次"}[language] in told
    assert {"en": "Less than one shift was seen", "zh": "观测不足一个班次"}[language] in told
    slider = page.select_slider[0]
    other = next(value for value in slider.options if value != slider.value)
    slider.set_value(other).run()
    assert (page.query_params["curve"], page.query_params["value"]) == ("1", other)
    sent_on = opened("tuning", judged, monkeypatch, lang=language, rule="address-sweep", range="all", curve="1", value=other)
    assert sent_on.select_slider[0].value == other
    assert not sent_on.text
    nowhere = opened("tuning", judged, monkeypatch, lang=language, rule="address-sweep", range="all", curve="1", value="99999")
    assert [each.value.endswith("value=99999") for each in nowhere.text] == [True], "a value that was not tried is said"
    text = str(page.text_area[0].value)
    page.text_area[0].set_value(text.replace("level: ", "level: high # ")).run()
    page.button(key="try").click().run()
    told = sent(page)
    assert {"en": "findings after the change", "zh": "改动后的发现"}[language] in told
    assert {"en": "cannot be tried", "zh": "无法回测"}[language] not in told
    page.text_area[0].set_value(text.replace("ot.object.count", "ot.object.cnt")).run()
    page.button(key="try").click().run()
    assert {"en": "cannot be tried", "zh": "无法回测"}[language] in sent(page)


def nobody() -> None:
    """Whose session has ended."""


def test_whoever_may_not_change_rules_is_told(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboards.access.visitor.visitor", nobody)
    page = opened("tuning", judged, monkeypatch, lang="en", rule="address-sweep")
    assert "for engineers and administrators" in sent(page)
    assert not page.text_area


def test_a_rule_nobody_knows_is_said(judged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("tuning", judged, monkeypatch, lang="en", rule="outside-read")
    assert "balefire baseline learn" in sent(page), "what to do where there is no number"
    assert "no such rule" in sent(opened("tuning", judged, monkeypatch, lang="en", rule="nope"))


def test_a_confirmed_alert_that_would_only_have_another_finding_has_not_fewer(judged: Path) -> None:
    store = open_store(str(judged), write=True)
    rule = OURS["unit-sweep"]
    alert = next(each for each in store.alerts([str(row["id"]) for row in lines("alerts", "--store", judged)]) if each.key.startswith(rule.id))
    change = lifecycle.close(alert, "Li Wei", "true", store.newest() or 0, "")
    assert change is not None
    store.change([change])
    text, in_force = Path(rule.file).read_text("utf-8"), versions.decoded(store.state(versions.STATE))[-1]
    (bound,) = tuning.bounds(text)
    steps = {step.value: step for step in tuning.curve(store, rule, text, bound, in_force, load([own_rules()]).placeholders, ALL)}
    assert [(step.fires, len(step.lost), len(step.thinned)) for step in (steps[4], steps[8], steps[max(steps)])] == [(1, 0, 0), (1, 0, 0), (0, 1, 0)]
    store.close()


def test_the_alerts_that_findings_fold_into_are_those_that_were_made(judged: Path) -> None:
    from detectors.backtest import alternatives
    from detectors.rulebook.books import Change

    store = open_store(str(judged))
    keys = [str(row["key"]).split("|")[0] for row in lines("alerts", "--store", judged)]
    newest = store.newest() or 0
    found = alternatives(store, [Change(rule.id, rule, rule) for rule in OURS.values()], *WHEN, range(newest - 600 * SECOND, newest, SECOND))
    assert {name: each.alerts for name, each in zip(OURS, found, strict=True)} == {name: keys.count(name) for name in OURS}
    assert all(each.alerts <= each.shifts <= each.fires for each in found)
    assert any(each.alerts < each.shifts for each in found), "one that comes again in another shift counts there again"
    assert any(each.alerts < each.fires for each in found)
    store.close()


def at(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp()) * SECOND


def test_shifts_begin_by_the_clock_of_the_plant() -> None:
    berlin, begins = ZoneInfo("Europe/Berlin"), ("02:30", "14:00", "22:00")
    found = starts(begins, berlin, at("2026-03-28T12:00Z"), at("2026-03-29T12:00Z"))
    assert [datetime.fromtimestamp(each / SECOND, berlin).strftime("%d %H:%M") for each in found] == [
        "28 02:30", "28 14:00", "28 22:00", "29 03:30", "29 14:00", "29 22:00"
    ]  # fmt: skip
    assert checked(["22:00", "06:00"]) == ("06:00", "22:00")
    for wrong in ([], ["6:00"], ["24:00"], ["06:00", "06:00"]):
        with pytest.raises(ValueError, match=r".*"):
            checked(wrong)


def covered(store: Store, *minutes: int) -> None:
    """Somebody saw packets in these minutes since the epoch."""
    rows = [{"id": f"c{each}", "@timestamp": each * MINUTE, "end": (each + 1) * MINUTE, "observer.name": "tap", "packets": 1} for each in minutes]
    store.write(Commit(Batch(coverage=table("coverage", rows))))


def test_a_window_is_of_whole_shifts_and_knows_what_was_seen(tmp_path: Path) -> None:
    place, day = tmp_path / "store", 20_000 * 1440
    with closing(open_store(str(place), write=True)) as store:
        covered(store, *range(day + 60, day + 960), *range(day + 960, day + 1085, 5))
        looked = window(store, ("00:00", "08:00", "16:00"), UTC, (day + 1085) * MINUTE - 1)
        assert (looked.whole, looked.starts) == (True, ((day + 480) * MINUTE,)), "of the first the beginning was not seen, and the last is not over"
        assert (looked.hours, looked.shifts, looked.rate(4)) == (8.0, 1.0, 4.0)
        partly = window(store, ("00:00", "08:00", "16:00", "18:00"), UTC, (day + 1085) * MINUTE - 1)
        assert (round(partly.hours * 60), partly.shifts, partly.rate(6)) == (504, 1.2, 5.0), "to the minute: of two hours, 24"
        few = window(store, ("00:00",), UTC, (day + 1085) * MINUTE - 1)
        assert (few.whole, round(few.hours * 60), few.rate(4)) == (False, 925, None)


def some(version: versions.Version) -> Kept:
    """Three of the rules, for time."""
    kept = loaded(version)
    return replace(kept, book=replace(kept.book, rules=tuple(rule for rule in kept.book.rules if rule.id in ("unit-sweep", "write-flood", "outside-read"))))


def summed(step: tuning.Step) -> tuple[object, ...]:
    return step.value, step.fires, step.alerts, step.shifts, [[(each.alert["id"], each.alert["title"], each.left) for each in step.lost]]


def test_which_alerts_are_found_true_is_told_and_not_only_how_many(tmp_path: Path) -> None:
    """By rule, whose name begins the key; a rule whose name begins another's is not that one."""
    made = [replace(alert(finding(name, NOW, (Term("x", "x", 9.0),), Text("", ""), Text("", ""))), key=key) for name, key in KEYS.items()]
    with closing(open_store(str(tmp_path / "store"), write=True)) as store:
        store.write(Commit(alerts=tuple(made)))
        one, two, other, _ = made
        assert marks(store) == marks(store, "sweep") == {}
        store.change([lifecycle.close(one, "Li Wei", "true", NOW), lifecycle.close(other, "Li Wei", "true", NOW)])
        before = marks(store)
        assert set(before) == {"sweep", "sweeper"}
        assert marks(store, "sweep") == {"sweep": before["sweep"]}
        (closed,) = store.alerts([one.id])
        store.change([lifecycle.reopen(closed, "Li Wei"), lifecycle.close(two, "Li Wei", "true", NOW)])
        after = marks(store)
        assert after["sweeper"] == before["sweeper"]
        assert after["sweep"] != before["sweep"], "as many, and not the same"


def test_what_keeps_house_works_curves_out_ahead_and_what_is_confirmed_later_makes_them_old(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(shutil.copytree(judged, tmp_path / "store"))
    monkeypatch.setattr(curves, "loaded", some)
    with closing(open_store(str(place), write=True)) as store:
        assert curves.work_out(store, ("00:00",), UTC, 1) == 2, "one of the three has no number"
        assert curves.work_out(store, ("00:00",), UTC, 2) == 0, "nothing has changed"
        in_force = versions.decoded(store.state(versions.STATE))[-1]
        name = "unit-sweep"
        text = Path(OURS[name].file).read_text("utf-8")
        (bound,) = tuning.bounds(text)
        found = curves.stored(store, in_force.id, name, bound)
        assert found is not None
        assert found.made == 1
        anew = tuning.curve(store, OURS[name], text, bound, in_force, load([own_rules()]).placeholders, found.window)
        assert [summed(each) for each in found.steps] == [summed(each) for each in anew]
        assert curves.stored(store, "another", name, bound) is None
    page = opened("tuning", place, monkeypatch, lang="en", rule=name)
    assert "worked out" in sent(page), "at once: nobody has to ask"
    assert not [button for button in page.button if button.key == "work_out"]
    with closing(open_store(str(place), write=True)) as store:
        alerts = store.alerts([str(row["id"]) for row in lines("alerts", "--store", place)])
        its = next(each for each in alerts if each.key.partition("|")[0] == name)
        other = next(each for each in alerts if each.key.partition("|")[0] != name and each.status != "closed")
        at = store.newest() or 0
        store.change([lifecycle.close(other, "Li Wei", "true", at)])
        assert curves.stored(store, in_force.id, name, bound) is not None, "that of another rule changes nothing here"
        turned = lifecycle.reopen(its, "Li Wei") if its.status == "closed" else lifecycle.close(its, "Li Wei", "true", at)
        store.change([turned])  # it may have been found true before
        assert curves.stored(store, in_force.id, name, bound) is None
        assert curves.work_out(store, ("00:00",), UTC, 3) == 2
        assert curves.stored(store, in_force.id, name, bound) is not None
        store.write(Commit(state={curves.STATE: b'{"form": 2, "version": "%s", "confirmed": []}' % in_force.id.encode()}))
        assert curves.stored(store, in_force.id, name, bound) is None, "what is damaged is worked out anew"
