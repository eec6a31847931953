"""Duties to report: the book is data and is linted; confirming an alert starts the clocks; forms are filled in, released once, and recorded."""

from __future__ import annotations

import json
import math
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from detectors import lifecycle
from detectors.rulebook.techniques import REVOKED, TECHNIQUES
from records.effects import NUMBER
from records.errors import ConflictError, InputError, UsageError
from records.query import Query
from records.store.contract import Commit
from records.store.decisions import broken
from records.wording import say
from reports import audience, dutyrows, forming, keys, obliging, suggesting, supplementing
from reports.dutybook import FOLDER, classes_of, duties, duty_of, incident_classes, operators, triggers
from reports.ledger import Ledger
from reports.verifying import verify
from tests.cli import balefire, lines, one
from tests.test_release import WORDS, made
from tests.test_store import DAY, HOUR, NOON, SECOND, alert, finding, opener

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.store.contract import Store
    from reports.dutybook import Duty
    from reports.keys import Key

__all__ = ["opener"]
CHINA = ("cn-incident", "cn-industry-data")
SAID = {"impact": "one pump", "measures": "cut off"}  # what a person has to say


@pytest.fixture
def store(opener: Callable[[bool], Store]) -> Store:
    store = opener(True)
    first = finding(1, alert="al1", assets=("plc-1",))
    store.write(Commit(findings=(first,), alerts=(replace(alert(1), findings=("f1",)),)))
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON, "isolated the station")])
    return store


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(keys, "COST", 1 << 14)
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def key(ledger: Ledger, tmp_path: Path) -> Key:
    return made(ledger, tmp_path / "keys")


def graded(store: Store, level: str = "considerable", code: str = "DSDATAALTER", operator: str = "other", regimes: tuple[str, ...] = CHINA) -> list[str]:
    return obliging.grade(store, "al1", level, code, operator, regimes, "ada", time.time_ns())


def due_of(store: Store, duty: str) -> obliging.Due:
    return next(each for each in obliging.all_due(store) if each.duty.id == duty)


# the book


def test_the_book_says_what_the_facts_say() -> None:
    told = {each.id: (each.within, each.verified) for each in duties()}
    assert told["cn-incident/first-cii"] == ("1h", True)
    assert told["cn-incident/first-state"] == ("2h", True)
    assert told["cn-incident/first"] == ("4h", True)
    assert told["cn-incident/onward-protection"] == ("30m", True)
    assert told["cn-incident/summary"] == ("30d", True)
    assert told["nis2/early-warning"] == ("24h", True)
    assert told["nis2/notification"] == ("72h", True)
    assert told["nis2/final"] == ("1mo", True)
    assert told["nerc-cip/notification"] == ("1h", False)
    assert told["circia/incident"] == ("72h", False)
    assert told["circia/ransom"] == ("24h", False)
    assert told["cn-incident/first-supplement"] == ("unknown", True)
    assert told["cn-industry-data/yearly"] == ("unknown", True)
    assert {each.id for each in duties() if each.within == "at-once"} == {"cn-industry-data/report"}
    assert operators() == ("cii", "state", "other", "protection", "authority")


def test_what_is_from_memory_is_marked() -> None:
    told = {each.id: each for each in duties()}
    assert told["cn-industry-data/report"].unverified == ("fields", "telecommunications")
    assert told["cn-industry-data/report"].told("en") == "industry regulator, telecommunications administration (UNVERIFIED)"
    assert told["cn-industry-data/report"].told("zh") == "工业和信息化主管部门、通信管理局（未核实）"
    assert "what the form asks: UNVERIFIED" in told["cn-industry-data/report"].basis("en")
    assert "UNVERIFIED, from memory" in told["circia/ransom"].basis("en")
    assert (told["cn-incident/first"].unverified, told["cn-incident/first-cii"].unverified) == ((), ())
    assert told["cn-incident/first"].basis("en") == "China, network security incidents"


def test_the_classes_are_those_of_the_standard() -> None:
    facts = Path(__file__).parents[2] / "shared" / "facts" / "gbt20986_2023.tsv"
    if not facts.exists():
        pytest.skip("needs the shared facts beside the checkout")
    rows = [line.split("\t") for line in facts.read_text("utf-8").splitlines()[1:]]
    assert list(incident_classes()) == [row[2].rstrip("*") for row in rows]
    assert [title.zh for title, _by in incident_classes().values()] == [row[1] if "*" in row[2] else row[3] for row in rows]


def test_who_is_told_depends_on_level_class_and_operator() -> None:
    def applying(level: str, code: str, operator: str) -> set[str]:
        return {each.id for each in duties() if each.regime in CHINA and each.applies(level, code, operator)}

    assert applying("general", "NADOS", "other") == set()
    assert applying("general", "DSDATAALTER", "other") == {"cn-industry-data/yearly"}
    assert applying("considerable", "NADOS", "other") == {"cn-incident/first", "cn-incident/summary"}
    assert applying("considerable", "NADOS", "cii") == {"cn-incident/first-cii", "cn-incident/summary"}
    assert applying("considerable", "DSDATALEAK", "other") == {"cn-incident/first", "cn-incident/summary", "cn-industry-data/report", "cn-industry-data/yearly"}
    assert applying("major", "DSDATALEAK", "protection") == {
        "cn-incident/onward-protection",
        "cn-industry-data/report",
        "cn-industry-data/summary",
        "cn-industry-data/yearly",
    }


@pytest.mark.parametrize(
    ("start", "within", "due"),
    [
        ("2026-01-31T10:00:00", "nis2/final", "2026-02-28T10:00:00"),
        ("2027-12-15T10:00:00", "nis2/final", "2028-01-15T10:00:00"),
        ("2026-11-28T23:30:00", "cn-incident/first", "2026-11-29T03:30:00"),
    ],
)
def test_when_it_is_due(start: str, within: str, due: str) -> None:
    from records.nesting import iso, period

    span, duty = period(start), duty_of(within)
    assert span is not None
    assert duty is not None
    assert iso(duty.due(span[0]) or 0)[:19] == due


CASES = (
    ("by: person", "by: machine", "choice"),
    ("within: 4h", "within: 4 hours", "within"), ("operators: [other]", "operators: [others]", "choice"), ("id: first-state", "id: First", "name"),
    ("id: first-state", "id: first-cii", "twice"), ("title: {en: Final summary", "tittle: {en: Final summary", "key"),
    ("required: [unit, cause", "required: [unit, causes", "choice"), ("zh: 事件处置总结报告}", "}", "lacks"), ("verified: true", "verified: maybe", "choice"),
    ("regime: cn-incident", "regime: other", "stem"), ("from: handled", "from: 'released:nothing'", "after"), ("from: [class]", "from: [klass]", "choice"),
    ("unverified: [cyberspace]", "unverified: [police]", "choice"), ("operators: [cii, state", "operators: [cii, State", "name"),
    ("within: 4h", "within: at-once", "allowance"), ("within: 4h", "within: 4h, allowance: 30m", "allowance"),
    ("within: 4h", "within: at-once, allowance: soon", "within"), ("supplement: unknown", "supplement: soon", "within"),
    ("duties:\n", "duties: []\nx:\n", "key"), ("clock: {from: handled, within: 30d}", "clock: 30d", "mapping"), ("fields:\n", "fields: [\n", "yaml"),
    ("verified: true", "verified: yes", "yaml"),
)  # fmt: skip


def test_a_report_of_a_year_has_no_supplement(tmp_path: Path) -> None:
    text = (FOLDER / "cn-industry-data.yml").read_text("utf-8")
    (tmp_path / "cn-industry-data.yml").write_text(text + "    supplement: unknown\n", "utf-8")
    with pytest.raises(InputError, match="has no supplement") as told:
        duties(tmp_path)
    assert "不设续报" in told.value.text("zh")


@pytest.mark.parametrize(("old", "new", "problem"), CASES, ids=[f"{case[2]}-{number}" for number, case in enumerate(CASES)])
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    text = (FOLDER / "cn-incident.yml").read_text("utf-8")
    assert old in text
    (tmp_path / "cn-incident.yml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError) as told:
        duties(tmp_path)
    assert told.value.key == f"duty.{problem}"
    line = int(told.value.text("en").split("cn-incident.yml:")[1].split(":")[0])
    assert abs(line - (text[: text.index(old)].count("\n") + 1)) <= 3 or problem in {"yaml", "lacks"}
    assert told.value.text("zh")


# levels


def test_a_level_is_suggested_with_reasons() -> None:
    shown: dict[str, Any] = {"techniques": ["T0836"], "assets": ["plc-1"]}
    assert suggesting.suggest(shown, [], {}).level == "general"
    critical = suggesting.suggest(shown, [{"name": "PLC 1", "criticality": "critical"}], {})
    assert (critical.level, critical.code) == ("considerable", "DSDATAALTER")
    assert "PLC 1" in critical.reasons[0].en
    for facts, level in (
        ({"outage": 9}, "general"), ({"outage": 10}, "considerable"), ({"outage": 60}, "major"), ({"outage": 360}, "extraordinary"),
        ({"records": 1_000_000}, "considerable"), ({"loss": 20_000_000}, "major"), ({"people": 10_000_000}, "extraordinary"),
        ({"function": 30}, "considerable"),
    ):  # fmt: skip
        assert suggesting.suggest(shown, [], facts).level == level, facts


def test_a_number_is_told_as_it_was_given_and_one_that_cannot_be_is_refused() -> None:
    nothing: dict[str, Any] = {"techniques": [], "assets": [], "findings": []}
    for facts, level, said in (
        ({"city": 49.9}, "considerable", "percent of a city's people affected: 49.9, from 30 on it is considerable"),
        ({"city": 29.999999}, "general", ""),
        ({"loss": 5_000_000.0}, "considerable", "direct loss, yuan: 5,000,000, from 5,000,000 on"),
    ):
        found = suggesting.suggest(nothing, [], suggesting.checked(facts))
        assert (found.level, said in found.reasons[0].en) == (level, True)
    for fact, value in (("province", 101), ("city", -1), ("loss", 1e26), ("outage", math.nan), ("people", math.inf)):
        with pytest.raises(UsageError, match="cannot be; write a number from 0 to"):
            suggesting.checked({fact: value})
    assert set(suggesting.MOST) == {fact for least in triggers().values() for fact in least}


def test_a_technique_is_the_same_by_its_new_name_and_the_gravest_class_is_suggested() -> None:
    """A scan and a write to the plant are an alteration of data; what effects show counts as well."""
    critical: list[dict[str, Any]] = [{"name": "PLC 1", "criticality": "critical"}]

    def said(*techniques: str, effects: tuple[str, ...] = ()) -> tuple[str, str]:
        found = suggesting.suggest({"techniques": list(techniques)}, critical, {}, effects)
        return found.level, found.code

    for old, new in REVOKED.items():
        assert said(old) == said(new), new
    assert said("T1692.001") == said("T1692") == ("considerable", "DSDATAALTER")
    assert said("T0843.002") == said("T0846", "T0836", "T0843") == ("considerable", "NABACKIMPL")
    assert said("T0846", effects=("setpoint.write",)) == ("general", "DSDATAALTER")
    assert said("T0846.001") == ("general", "NASCAN")
    assert said("T1695.002", effects=("value.read",)) == ("general", "OTH")
    for code, (_title, by) in incident_classes().items():
        assert all(classes_of({mark}) != ("OTH",) for mark in by), f"{code} is none of the gravest"
        assert {*by} <= {*TECHNIQUES, *NUMBER}, code


def test_the_effects_of_an_alerts_findings_suggest_a_class(store: Store) -> None:
    store.write(Commit(findings=(finding(9, effects=("firmware.write",)),), alerts=(alert(9, findings=("f9",), techniques=("T0846",)),)))
    assert suggesting.suggested(store, "al9").code == "NABACKIMPL"
    (told,) = suggesting.suggested(store, "al9").lost("NABACKIMPL", "", "other", ["circia", "cn-incident"], "en")
    assert "for MPRANS alone." in told, "nothing on the wire suggests that class: a person has to know of it"


# clocks, forms, releases


def test_a_confirmed_alert_waits_for_a_level_and_its_clock_runs_from_the_decision(store: Store) -> None:
    before = time.time_ns()
    (since, by) = obliging.ungraded(store)["al1"]
    assert by == "ada"
    assert before - 60 * SECOND < since <= before
    assert graded(store) == ["cn-incident/first", "cn-incident/summary", "cn-industry-data/report", "cn-industry-data/yearly"]
    assert obliging.ungraded(store) == {}
    first = due_of(store, "cn-incident/first")
    assert (first.since, first.due) == (since, since + 4 * HOUR)
    assert not first.overdue(since + 4 * HOUR)
    assert first.overdue(since + 4 * HOUR + 1)
    at_once = due_of(store, "cn-industry-data/report")
    assert at_once.due == since + 30 * 60 * SECOND, "the allowance of the book"
    assert [at_once.overdue(since + minutes * 60 * SECOND + 1) for minutes in (0, 29, 30)] == [False, False, True]
    assert at_once.left(since + 10 * 60 * SECOND, "en") == "AT ONCE (20 min of our allowance left)"
    assert at_once.left(since + HOUR, "en") == "OVERDUE by 30 min"
    waiting = due_of(store, "cn-incident/summary")
    assert (waiting.since, waiting.due) == (None, None)
    for at, problem in ((since - 1, "before the alert was closed as true"), (since + DAY + 1, "still to come")):
        with pytest.raises(UsageError, match=problem):
            obliging.moment(store, "al1", "handled", at, "ada", since + DAY)
    assert due_of(store, "cn-incident/summary").since is None
    obliging.moment(store, "al1", "handled", since + DAY, "ada", since + DAY)
    obliging.moment(store, "al1", "paid", since - DAY, "ada", since + DAY)  # a ransom may be paid before anybody confirms
    assert due_of(store, "cn-incident/summary").due == since + 31 * DAY
    assert broken(store) is None


def test_an_alert_that_is_not_true_has_no_duties(opener: Callable[[bool], Store]) -> None:
    store = opener(True)
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    for verdict in (None, "false"):
        if verdict:
            store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", verdict, NOON)])
        assert obliging.ungraded(store) == {}
        with pytest.raises(UsageError):
            graded(store)


def test_what_is_not_confirmed_any_more_is_suspended_until_it_is_again(store: Store, ledger: Ledger, key: Key) -> None:
    (since, _by) = obliging.ungraded(store)["al1"]
    graded(store)
    obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "here", **SAID}, "bo")

    def release(now: int) -> str:
        return obliging.release(store, due_of(store, "cn-incident/first"), ledger, key, "W", "en", "ada", now)

    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "eve", "was a test")])
    for verdict in (None, "false"):
        if verdict:
            store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", verdict, NOON, "false alarm")])
        due = due_of(store, "cn-incident/first")
        assert (due.status, due.open, due.overdue(since + DAY)) == ("suspended", False, False)
        assert "not confirmed any more (eve, 20" in due.left(since + DAY, "en")
        assert "eve" in due.left(since + DAY, "zh")
        with pytest.raises(UsageError, match=r"not confirmed any more since .* by eve"):
            release(time.time_ns())
        with pytest.raises(UsageError):
            graded(store)
        seen = audience.view(store, "cyberspace", "W", "en", time.time_ns())[0]
        assert (seen["status"], seen["left"]) == ("suspended", "suspended"), "and nobody's name"
    assert ledger.numbers() == [1]
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "bo")])
    store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", "true", NOON)])
    due = due_of(store, "cn-incident/first")
    assert (due.status, due.since, due.due) == ("open", since, since + 4 * HOUR)
    graded(store, "major")
    assert due_of(store, "cn-incident/first").since == since
    assert release(time.time_ns()).startswith("2:")


def test_what_was_released_about_an_alert_that_is_found_false_is_marked(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store)
    obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "here", **SAID}, "bo")
    obliging.release(store, due_of(store, "cn-incident/first"), ledger, key, "W", "en", "ada", time.time_ns())
    (told,) = [each for each in audience.view(store, "cyberspace", "W", "en", time.time_ns()) if each["status"] == "released"]
    assert (due_of(store, "cn-incident/first").contested, told["contested"]) == (None, None)
    for verdict in ("false", "true"):
        store.change([lifecycle.reopen(store.alerts(["al1"])[0], "eve")])
        store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", verdict, NOON)])
        due = due_of(store, "cn-incident/first")
        assert (due.status, bool(due.contested)) == ("released", verdict == "false")
        assert ("not confirmed any more (eve" in due.left(time.time_ns(), "en")) is bool(due.contested)
        (told,) = [each for each in audience.view(store, "cyberspace", "W", "en", time.time_ns()) if each["status"] == "released"]
        assert bool(told["contested"]) is bool(due.contested)
        assert told["form"], "what the agency holds stays as it is"
        if due.contested:
            assert next(each.row["id"] for each in obliging.all_due(store) if not each.open) == due.row["id"], "before what is suspended"


def test_a_form_tells_the_level_that_was_decided_and_one_decided_after_its_release_contests_it(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store, "major")
    due = due_of(store, "cn-incident/first")
    for field in ("level", "class"):
        with pytest.raises(UsageError, match=f"{field}: the form takes what was decided"):
            obliging.fill(store, due, {"place": "here", field: "general"}, "bo")
    older = replace(due, row={**due.row, "fields": json.dumps({"place": "here", "level": "general", **SAID})})  # as it could be filled in once
    obliging.release(store, older, ledger, key, "W", "en", "ada", time.time_ns())
    document = ledger.read(2).body["document"]
    assert (document["level"], document["form"]["level"]) == ("major", "major")
    form = forming.form(store, due_of(store, "cn-incident/first"), forming.Unit("W", "en"))
    for level, code, contested in (
        ("major", "DSDATAALTER", False),
        ("considerable", "DSDATAALTER", True),
        ("major", "OTH", True),
        ("major", "DSDATAALTER", False),
    ):
        graded(store, level, code)
        due = due_of(store, "cn-incident/first")
        assert bool(due.contested) is contested, (level, code)
        assert ("decided anew since (ada" in due.left(time.time_ns(), "en")) is contested
        (told,) = [each for each in audience.view(store, "cyberspace", "W", "en", time.time_ns()) if each["status"] == "released"]
        assert (told["contested_why"], told["form"]) == ("regraded" if contested else None, form), "what the agency holds stays as it is"


def test_what_goes_on_after_its_confirmation_stays_confirmed(store: Store) -> None:
    graded(store)
    was = store.alerts(["al1"])[0]
    store.write(Commit(alerts=(replace(was, status="open", closed=None, last=NOON + HOUR),)))
    assert store.alerts(["al1"])[0].status == "open"
    assert due_of(store, "cn-incident/first").open


def test_clocks_start_however_many_alerts_were_closed_before(opener: Callable[[bool], Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store = opener(True)
    monkeypatch.setattr("reports.everything.PAGE", 2)
    store.write(Commit(findings=tuple(finding(each, alert=f"al{each}") for each in range(1, 6)), alerts=tuple(alert(each) for each in range(1, 6))))
    for each in range(1, 6):
        store.change([lifecycle.close(store.alerts([f"al{each}"])[0], "ada", "true" if each != 2 else "false", NOON)])
    assert list(obliging.ungraded(store)) == ["al1", "al3", "al4", "al5"]
    for each in (1, 4, 5):
        obliging.grade(store, f"al{each}", "considerable", "DSDATAALTER", "other", CHINA, "ada", time.time_ns())
    assert list(obliging.ungraded(store)) == ["al3"]
    assert len(obliging.all_due(store)) == 10, "three of each, and one of the year"
    assert len(dutyrows.of_alert(store, "al5")) == 3


def test_a_form_is_prefilled_completed_and_released_once(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store)
    due = due_of(store, "cn-incident/first")
    told = forming.form(store, due, forming.Unit("Water works", "zh"))
    assert told["unit"] == "Water works"
    local = forming.form(store, due, forming.Unit("Water works", "zh", "Asia/Shanghai"))["found"]
    assert [line.split()[-1] for line in local.splitlines()] == ["UTC+8", "UTC+8"], "by the clock of who reports"
    assert told["class"] == "数据篡改事件（代码 DSDATAALTER 为厂商写法，未核实）"
    assert told["level"] == "较大"
    assert (told["measures"], told["impact"], told["place"]) == ("", "", ""), "a person says what was done"
    suggested = forming.suggestions(store, due, forming.Unit("Water works", "zh"))
    assert set(suggested) == {"impact", "measures", "cause"}
    assert suggested["measures"].endswith(" isolated the station"), "and nobody's name goes with it"
    assert "10.0.0.9 → 10.0.0.5" in told["leads"]
    store.write(Commit(findings=(finding(2, alert="al1", source="10.0.0.8"),)))
    assert "10.0.0.8 → 10.0.0.5, 10.0.0.9 → 10.0.0.5" in forming.form(store, due, forming.Unit("Water works", "en"))["leads"], "of all its findings"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forming, "ASSETS", 0)
        patch.setattr(forming, "PEERS", 1)
        short = forming.form(store, due, forming.Unit("Water works", "en")) | forming.suggestions(store, due, forming.Unit("Water works", "en"))
    for field in ("leads", "impact"):
        assert "… and 1 more" in short[field], "nothing is cut unseen"
    with pytest.raises(UsageError) as missing:
        obliging.release(store, due, ledger, key, "Water works", "zh", "ada", time.time_ns())
    assert "place, impact, measures." in missing.value.text("en")
    with pytest.raises(UsageError, match="Nothing is suggested for place"):
        forming.taken_over(store, due, forming.Unit("Water works", "zh"), ("place",))
    taken = forming.taken_over(store, due, forming.Unit("Water works", "zh"), ("impact",))
    obliging.fill(store, due, {"place": "pumping station", "measures": "cut off"} | taken, "bo")
    assert set(forming.suggestions(store, due_of(store, "cn-incident/first"), forming.Unit("Water works", "zh"))) == {"cause"}
    with pytest.raises(ConflictError):
        obliging.fill(store, due, {"place": "elsewhere"}, "eve")
    with pytest.raises(UsageError):
        obliging.fill(store, due_of(store, "cn-incident/first"), {"nonsense": "x"}, "bo")
    with pytest.raises(UsageError, match="written into “impact” has 70000 characters"):
        obliging.fill(store, due_of(store, "cn-incident/first"), {"impact": "x" * 70_000}, "bo")
    obliging.fill(store, due_of(store, "cn-incident/first"), {"measures": " ", "place": ""}, "bo")
    emptied = forming.form(store, due_of(store, "cn-incident/first"), forming.Unit("Water works", "zh"))
    assert (emptied["measures"], emptied["place"]) == (told["measures"], ""), "what is emptied is what the alert knows again, or nothing"
    obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "pumping station", "measures": "cut off"}, "bo")
    receipt = obliging.release(store, due_of(store, "cn-incident/first"), ledger, key, "Water works", "zh", "ada", time.time_ns())
    with pytest.raises(UsageError):
        obliging.release(store, due_of(store, "cn-incident/first"), ledger, key, "Water works", "zh", "ada", time.time_ns())
    assert verify(ledger.root, [key.public]).valid
    body = ledger.read(2).body
    assert (body["document"]["class"], body["document"]["class_code_verified"], body["document"]["unverified"]) == ("DSDATAALTER", False, [])
    assert (receipt, body["document"]["form"]["measures"], body["document"]["form"]["place"]) == (str(ledger.read(2).receipt), "cut off", "pumping station")
    trail = store.read("audit", Query(sort="id", limit=100)).to_pylist()
    assert [(row["action"], row["by"]) for row in trail if row["subject"] == due.row["id"]] == [("grade", "ada"), *[("fill", "bo")] * 3, ("release", "ada")]
    assert broken(store) is None


def test_what_follows_a_release_is_a_supplement_with_what_is_new_alone(store: Store, ledger: Ledger, key: Key) -> None:
    def release(duty: str) -> dict[str, Any]:
        open_one = next(each for each in obliging.all_due(store) if each.duty.id == duty and each.open)
        obliging.release(store, open_one, ledger, key, "W", "en", "ada", time.time_ns())
        return ledger.read(ledger.numbers()[-1]).body["document"]

    graded(store)
    obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "here", "trend": "ends", **SAID}, "bo")
    with pytest.raises(UsageError, match="is not released"):
        supplementing.supplement(store, due_of(store, "cn-incident/first"), "bo")
    first = release("cn-incident/first")
    due = due_of(store, "cn-incident/first-supplement")
    assert (due.open, due.since, due.due) == (True, due_of(store, "cn-incident/first").row["released"], None)
    told = forming.form(store, due, forming.Unit("W", "en"))
    assert (told["place"], told["trend"], told["cause"], told["planned"]) == ("", "", "", ""), "what was told is not said again"
    with pytest.raises(UsageError, match="says nothing that was not told"):
        release("cn-incident/first-supplement")
    obliging.fill(store, due, {"planned": "new rules", "place": "there"}, "bo")
    graded(store, "major")
    assert due_of(store, "cn-incident/first").contested
    second = release("cn-incident/first-supplement")
    assert second["form"] == {"level": "major", "planned": "new rules", "place": "there"}
    assert (second["supplements"], second["unconfirmed_since"]) == (due_of(store, "cn-incident/first").row["receipt"], None)
    assert not any(each.contested for each in obliging.all_due(store)), "who was told wrongly knows better now"
    assert due_of(store, "cn-incident/first").row["fields"] == obliging._text(first["form"])  # pyright: ignore[reportPrivateUsage]
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "eve", "was a test")])
    assert due_of(store, "cn-incident/first").contested
    supplementing.supplement(store, due_of(store, "cn-incident/first"), "bo")
    with pytest.raises(UsageError, match="open already"):
        supplementing.supplement(store, due_of(store, "cn-incident/first"), "bo")
    third = next(each for each in obliging.all_due(store) if each.open and each.duty.supplements)
    obliging.fill(store, third, {"other": "it was a test"}, "bo")
    assert release("cn-incident/first-supplement")["unconfirmed_since"], "a supplement may tell that it was nothing"
    assert not any(each.contested for each in obliging.all_due(store))
    assert verify(ledger.root, [key.public]).valid
    assert broken(store) is None


def test_a_report_of_which_nothing_is_left_open_has_no_supplement_of_itself(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store)
    due = due_of(store, "cn-industry-data/report")
    obliging.fill(store, due, {each.id: "said" for each in due.duty.fields if not each.decided}, "bo")
    obliging.release(store, due_of(store, "cn-industry-data/report"), ledger, key, "W", "en", "ada", time.time_ns())
    assert not [each for each in obliging.all_due(store) if each.duty.supplements]


def test_a_final_report_is_due_by_the_release_before_it(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store, regimes=("nis2",))
    final = due_of(store, "nis2/final")
    assert (final.since, final.due, final.left(NOON, "en")) == (None, None, "starts with the release before")
    obliging.fill(store, due_of(store, "nis2/notification"), {"malicious": "yes", "crossborder": "no", "severity": "one pump"}, "bo")
    now = time.time_ns()
    obliging.release(store, due_of(store, "nis2/notification"), ledger, key, "W", "en", "ada", now)
    final = due_of(store, "nis2/final")
    assert (final.since, final.due) == (now, final.duty.due(now))
    assert 27 * DAY < (final.due or 0) - now < 32 * DAY


def test_a_year_has_one_report_of_all_its_incidents(opener: Callable[[bool], Store], ledger: Ledger, key: Key) -> None:
    store = opener(True)
    store.write(Commit(findings=tuple(finding(each, alert=f"al{each}") for each in (1, 2, 3)), alerts=tuple(alert(each) for each in (1, 2, 3))))
    for each, level, code in ((1, "considerable", "DSDATAALTER"), (2, "general", "DSDATALEAK"), (3, "major", "NADOS")):
        store.change([lifecycle.close(store.alerts([f"al{each}"])[0], "ada", "true", NOON)])
        obliging.grade(store, f"al{each}", level, code, "other", CHINA, "ada", time.time_ns())
    (due,) = [each for each in obliging.all_due(store) if each.duty.id == "cn-industry-data/yearly"]
    year = datetime.now(UTC).year
    assert (due.case, due.row["alert"], due.left(time.time_ns(), "en")) == (str(year), "", "starts when the year ends")
    assert due.since == int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    told = forming.form(store, due, forming.Unit("W", "en"))
    assert told["year"] == str(year)
    assert [line.partition(" (")[2].partition(",")[0] for line in told["incidents"].splitlines()] == ["considerable", "general"]
    assert told["incidents"].count("handling goes on") == 2
    store.change([lifecycle.reopen(store.alerts(["al2"])[0], "eve", "was a test")])
    store.change([lifecycle.close(store.alerts(["al2"])[0], "eve", "false", NOON)])
    one, last = forming.form(store, due, forming.Unit("W", "en"))["incidents"].splitlines()
    assert "considerable" in one
    assert last == f"Graded in {year} but not confirmed any more, so not listed: 1"
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "eve")])
    assert forming.form(store, due, forming.Unit("W", "en"))["incidents"] == last.replace(": 1", ": 2")
    obliging.fill(store, due, {"lessons": "tested"}, "bo")
    (due,) = [each for each in obliging.all_due(store) if each.duty.id == "cn-industry-data/yearly"]
    with pytest.raises(UsageError, match=f"the whole year {year}, which is not over"):
        obliging.release(store, due, ledger, key, "W", "en", "ada", time.time_ns())
    obliging.release(store, due, ledger, key, "W", "en", "ada", due.since or 0)
    document = ledger.read(2).body["document"]
    assert (document["duty"], document["form"]["lessons"]) == ("cn-industry-data/yearly", "tested")
    assert [each["case"] for each in audience.view(store, "industry", "W", "en", time.time_ns()) if each["duty"] == due.duty.id] == [str(year)]

    def contested() -> str | None:
        (now,) = [each for each in obliging.all_due(store) if each.duty.id == due.duty.id]
        assert ("an incident of that year" in now.left(time.time_ns(), "en")) is bool(now.contested)
        return now.contested and f"{now.contested[0]} {now.contested[2]}"

    assert contested() is None
    obliging.grade(store, "al3", "considerable", "NADOS", "other", CHINA, "bo", time.time_ns())
    assert contested() is None, "not of data, so no incident of this report"
    store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", "true", NOON)])
    assert contested() == "retold bo", "one more is confirmed"
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "eve")])
    assert contested() is None, "as it was told"


def test_a_release_cut_off_between_ledger_and_store_is_made_up_for(store: Store, ledger: Ledger, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    graded(store)
    obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "here", **SAID}, "bo")
    due = due_of(store, "cn-incident/first")

    def away(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(type(store), "change", away)
        with pytest.raises(OSError, match=r"^$"):
            obliging.release(store, due, ledger, key, "W", "en", "ada", time.time_ns())
    receipt = obliging.release(store, due, ledger, key, "W", "en", "ada", time.time_ns())
    assert ledger.numbers() == [1, 2]
    assert receipt == str(ledger.read(2).receipt)


def test_of_two_who_release_a_form_at_once_one_signs(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store)
    obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "here", **SAID}, "bo")
    due = due_of(store, "cn-incident/first")

    def released(by: str) -> str:
        try:
            return obliging.release(store, due, Ledger(ledger.root), key, "W", "en", by, time.time_ns())
        except UsageError as error:
            return error.key

    with ThreadPoolExecutor(2) as both:
        told = sorted(both.map(released, ("ada", "bo")))
    assert told == [str(ledger.read(2).receipt), "duty.released"]
    assert ledger.numbers() == [1, 2], "what was refused is not signed"


def test_a_form_that_was_filled_in_since_it_was_looked_at_is_not_signed(store: Store, ledger: Ledger, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    graded(store)
    due = due_of(store, "cn-incident/first")
    obliging.fill(store, due, {"place": "here", **SAID}, "bo")
    with pytest.raises(ConflictError):
        obliging.release(store, due, ledger, key, "W", "en", "ada", time.time_ns())
    assert ledger.numbers() == [1]
    signing = Ledger.release

    def filled_meanwhile(self: Ledger, *given: Any, **named: Any) -> Any:
        obliging.fill(store, due_of(store, "cn-incident/first"), {"place": "elsewhere"}, "eve")
        return signing(self, *given, **named)

    monkeypatch.setattr(Ledger, "release", filled_meanwhile)
    obliging.release(store, due_of(store, "cn-incident/first"), ledger, key, "W", "en", "ada", time.time_ns())
    kept = due_of(store, "cn-incident/first")
    assert (kept.status, dutyrows.written(kept.row)["place"], ledger.numbers()) == ("released", "here", [1, 2]), "as it was signed"


def test_a_level_decided_anew_changes_the_duties(store: Store) -> None:
    graded(store, "major")
    assert due_of(store, "cn-industry-data/summary").open
    graded(store, "general")
    assert {each.row["status"] for each in obliging.all_due(store) if each.duty.start != "year"} == {"waived"}
    graded(store, "considerable")
    assert due_of(store, "cn-incident/first").open
    assert due_of(store, "cn-industry-data/summary").row["status"] == "waived"


def test_an_agency_sees_its_own_duties_and_their_fields_alone(store: Store, ledger: Ledger, key: Key) -> None:
    graded(store)
    obliging.fill(store, due_of(store, "cn-industry-data/report"), {"data": "set points", "cause": "a new host", **SAID}, "bo")
    obliging.release(store, due_of(store, "cn-industry-data/report"), ledger, key, "W", "en", "ada", time.time_ns())
    (seen,) = audience.view(store, "telecommunications", "W", "en", time.time_ns())
    assert seen["duty"] == "cn-industry-data/report"
    assert set(seen["form"]) == {"unit", "found", "class", "level", "data", "impact", "measures", "cause"}
    assert (seen["titles"]["data"], seen["left"], seen["doubted"], seen["case"]) == ("Data concerned", "released", True, "al1")
    assert "UNVERIFIED" in seen["basis"]
    first, summary = audience.view(store, "cyberspace", "W", "en", time.time_ns() + 5 * HOUR)
    assert (first["left"], first["overdue"], first["doubted"]) == ("OVERDUE by 1 h", True, False)
    assert (summary["left"], summary["overdue"], summary["doubted"]) == ("starts when handling ends", False, True)
    assert {each["duty"] for each in audience.view(store, "cyberspace", "W", "en", time.time_ns())} == {"cn-incident/first", "cn-incident/summary"}
    assert all(each["form"] == {} for each in audience.view(store, "cyberspace", "W", "en", time.time_ns()))
    assert audience.view(store, "cisa", "W", "en", time.time_ns()) == []


# the command line


def duty_by(identity: str) -> Duty:
    found = duty_of(identity)
    assert found
    return found


def test_the_commands_from_a_confirmed_alert_to_a_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from records.store import open_store

    monkeypatch.setattr(keys, "COST", 1 << 14)
    monkeypatch.setitem(os.environ, keys.PASSPHRASE, WORDS)
    monkeypatch.setenv("BALEFIRE_DUTIES__UNIT", "Water works")
    where = tmp_path / "store"
    store = open_store(str(where), True)
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    store.close()
    assert one("alert", "close", "al1", "--verdict", "true", "--by", "ada", "--store", where)["verdict"] == "true"
    (waiting,) = lines("duty", "list", "--store", where)
    assert (waiting["status"], waiting["by"]) == ("ungraded", "ada")
    for language, words in (("en", "was confirmed by ada "), ("zh", "尚未定级")):
        assert words in balefire("duty", "list", "--store", where, "--language", language).stdout
    suggestion = one("duty", "grade", "al1", "--outage", "70", "--store", where)
    assert (suggestion["suggestion"]["level"], suggestion["duties"]) == ("major", [])
    assert "a vendor's spelling, UNVERIFIED" in balefire("duty", "grade", "al1", "--store", where, "--language", "en").stdout
    assert suggestion["left_out"] == []
    for language, words in (("en", "for DS alone. This alert suggests Alteration of data"), ("zh", "本告警也符合数据篡改事件")):
        told = balefire("duty", "grade", "al1", "--class", "NABACKIMPL", "--store", where, "--language", language).stdout
        assert told.count(words) == 3, "the duties of the law on data, which an incident of another class does not have"
    decided = one("duty", "grade", "al1", "--outage", "70", "--level", "major", "--by", "ada", "--store", where)
    assert decided["duties"] == ["cn-incident/first", "cn-incident/summary", "cn-industry-data/report", "cn-industry-data/summary", "cn-industry-data/yearly"]
    assert "level decided: major" in " ".join(balefire("audit", "--store", where, "--language", "en").stdout.split())
    rows = {row["duty"]: row for row in lines("duty", "list", "--store", where)}
    first = rows["cn-incident/first"]
    assert 0 < first["left_s"] <= 4 * 3600
    assert rows["cn-industry-data/report"]["overdue"] is False
    assert "AT ONCE (" in balefire("duty", "list", "--store", where, "--language", "en").stdout
    shown = one("duty", "show", first["id"][:8], "--store", where)
    assert shown["form"]["unit"] == "Water works"
    spoken = balefire("duty", "show", first["id"][:8], "--store", where, "--language", "zh").stdout.splitlines()
    assert spoken[1] == "依据：国家网络安全事件报告管理办法（2025-11-01 起施行）"
    told = balefire("duty", "show", first["id"][:8], "--store", where, "--language", "en").stdout
    assert told.splitlines()[1] == "By: China, network security incidents · 国家网络安全事件报告管理办法, in force 2025-11-01"
    assert "\\" not in told
    assert told.splitlines()[2:5] == ["", "[unit] Unit and system (required)", "    Water works"]
    found = told.splitlines().index("[found] Time found or occurred (required)")
    assert told.splitlines()[found + 1].startswith("    first packet ")
    assert told.splitlines()[found + 2].startswith("    confirmed ")
    keep = ("--ledger", tmp_path / "ledger", "--keys", tmp_path / "keys")
    assert balefire("duty", "release", first["id"], "--store", where, *keep).exit_code == 2
    assert balefire("key", "make", *keep).exit_code == 0
    assert balefire("duty", "release", first["id"], "--store", where, *keep).exit_code == 1
    assert (shown["form"]["cause"], shown["suggestions"]["cause"]) == ("", "t\nr")
    assert f"    {say('duty.suggestion', 'en')}\n        t\n        r" in "\n".join(told.splitlines())
    assert balefire("duty", "fill", first["id"], "--store", where).exit_code == 2
    for wrong in (("fill", first["id"], "impact=bad\udcff\udcfe"), ("waive", first["id"], "--note", "bad\udcff")):
        refused = balefire("duty", *wrong, "--store", where, "--language", "en")
        assert (refused.exit_code, "not UTF-8" in refused.stderr) == (2, True), wrong
    assert balefire("duty", "fill", first["id"], "--accept", "place", "--store", where).exit_code == 2
    filled = one("duty", "fill", first["id"], "place=here", "impact=one pump", "measures=cut off", "--accept", "cause", "--store", where)["filled"]
    assert filled == ["cause", "place", "impact", "measures"]
    filling = ("duty", "fill", first["id"], "impact=", "place=the well", "--store", where, "--language", "en")
    assert balefire(*filling).stdout.splitlines()[0] == f"Filled in, in {first['id'][:12]}: place."
    assert "any more: impact." in balefire(*filling).stdout
    assert one("duty", "fill", first["id"], "impact=one pump", "--store", where) == {"id": first["id"], "filled": ["impact"], "emptied": []}
    released = one("duty", "release", first["id"], "--store", where, *keep, "--by", "ada")
    told = one("verify", released["entry"], "--receipt", released["receipt"], "--key", json.loads(Path(released["entry"]).read_text())["entry"]["key"])
    assert told["valid"] is True
    for at, words in (("2026-01-01T06:00", "before the alert was closed"), ("2126-01-01T06:00", "still to come")):
        refused = balefire("duty", "moment", "al1", "handled", "--at", at, "--store", where, "--language", "en")
        assert (refused.exit_code, words in refused.stderr) == (2, True)
    with monkeypatch.context() as there:
        there.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Shanghai")
        assert balefire("duty", "moment", "al1", "paid", "--at", "2026-01-01T06:00:05", "--store", where, "--language", "en").stdout == (
            "Paid 2026-01-01 14:00:05 UTC+8\n"
        )
        refused = balefire("duty", "moment", "al1", "handled", "--at", "2026-01-01T06:00", "--store", where, "--language", "en")
        assert "2026-01-01 14:00:00 UTC+8 is before" in refused.stderr
    handled = one("duty", "moment", "al1", "handled", "--store", where)["handled"]
    refused = balefire("duty", "moment", "al1", "handled", "--store", where, "--language", "en")
    assert (refused.exit_code, handled[:19].replace("T", " ") in refused.stderr, "--at TIME --note WHY" in refused.stderr) == (1, True, True), (
        "said twice, it moves no clock"
    )
    moved = balefire("duty", "moment", "al1", "handled", "--at", handled, "--note", "late", "--store", where, "--language", "en")
    assert (moved.exit_code, "Moved" in moved.output) == (0, False), "to where it is"
    later = datetime.now(UTC).isoformat()
    moved = balefire("duty", "moment", "al1", "handled", "--at", later, "--note", "the pump, too", "--store", where, "--language", "en")
    assert "Moved: {} UTC → {} UTC".format(*(each[:19].replace("T", " ") for each in (handled, later))) in " ".join(moved.output.split())
    assert (said := one("duty", "moment", "al1", "handled", "--at", handled, "--store", where))["before"][:23] == later[:23]
    assert said["handled"] == handled
    summary = {row["duty"]: row for row in lines("duty", "list", "--store", where)}["cn-incident/summary"]
    assert datetime.fromisoformat(summary["due"]) - datetime.fromisoformat(handled) == timedelta(days=30)
    assert one("duty", "waive", summary["id"], "--note", "merged", "--store", where)["status"] == "waived"
    supplement = {row["duty"]: row for row in lines("duty", "list", "--store", where)}["cn-incident/first-supplement"]
    assert balefire("duty", "supplement", first["id"], "--store", where).exit_code == 1, "one is open already"
    assert one("duty", "fill", supplement["id"], "trend=none", "--store", where)["filled"] == ["trend"]
    assert one("duty", "release", supplement["id"], "--store", where, *keep)["status"] == "released"
    again = one("duty", "supplement", first["id"], "--store", where)
    assert one("duty", "waive", again["id"], "--note", "nothing more", "--store", where)["status"] == "waived"
    assert [row["duty"] for row in lines("duty", "view", "cyberspace", "--store", where)] == ["cn-incident/first", "cn-incident/first-supplement"]
    for language, agency, words in (("en", "bigdata", "is known: "), ("zh", "bigdata", "未知有应向"), ("en", "eisac", "No duty towards this agency: ")):
        assert words in balefire("duty", "view", agency, "--store", where, "--language", language).stderr
    seen = balefire("duty", "view", "cyberspace", "--store", where, "--language", "en").stdout
    assert "\n    [found] Time found or occurred\n        first packet" in seen
    assert "\n        confirmed " in seen
    fields = [each.id for each in duty_by("cn-incident/first").fields]
    assert re.findall(r"^    \[(\w+)\]", seen.partition("Supplement")[0], re.MULTILINE) == fields, "in the order of the law, as duty show"
    assert "\\" not in seen
    assert say("dashboard.duties.doubted", "en") not in seen
    doubted = balefire("duty", "view", "telecommunications", "--store", where, "--language", "en").stdout
    assert doubted.count(say("dashboard.duties.doubted", "en")) == len(lines("duty", "view", "telecommunications", "--store", where)) > 0
    assert balefire("duty", "list", "--agency", "nobody", "--store", where).exit_code == 2
    assert one("verify", where)["valid"] is True


# the page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_what_waits_what_is_late_and_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    from dashboards import deciding
    from dashboards.access.sessions import Visitor
    from dashboards.access.visitor import DeniedError
    from reports import warned
    from tests.test_dashboards import opened, sent, tried
    from tests.test_store import activities, activity

    where = tmp_path / "store"
    from records.store import open_store

    store = open_store(str(where), True)
    store.write(activities(activity(1)))
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    words = {
        "en": ("Nothing is overdue", "no level decided: 201", "OVERDUE", "writes to pump"),
        "zh": ("没有逾期事项", "尚未定级：201 条", "已逾期", "writes to pump"),
    }
    assert words[language][0] in sent(opened("duties", where, monkeypatch, lang=language))
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    waiting = obliging.ungraded
    with monkeypatch.context() as patch:
        patch.setattr(obliging, "ungraded", lambda store: waiting(store) | {f"other{number}": (NOON, "ada") for number in range(200)})  # pyright: ignore
        shown = sent(opened("duties", where, monkeypatch, lang=language))
    assert words[language][1] in shown
    assert say("dashboard.activity.cut", language, shown=200, total=201) in shown
    graded(store, regimes=(*CHINA, "nerc-cip"))
    reasons, first = warned.suggest(store, "al1")[1], NOON
    warned.step(store, warned.issue(store, "al1", "red", "writes to pump 3", reasons, "plant 2", "ada", first), "sign", "bo", first + HOUR // 2)
    shown = sent(opened("duties", where, monkeypatch, lang=language))
    for word in (*words[language][2:], {"en": "UNVERIFIED", "zh": "未核实"}[language], {"en": "First report", "zh": "初次报告"}[language]):
        assert word in shown
    assert getattr(reasons[0], language) in shown, "a warning comes with its reasons, and with the times of its loop"
    assert re.search({"en": r"issued .* 12:00 .* signed for .* 12:30", "zh": r"已发布 .*12:00.*已签收 .*12:30"}[language], shown)
    monkeypatch.setenv("BALEFIRE_USER", "ada")
    page, due = opened("duties", where, monkeypatch, lang=language), next(each for each in obliging.all_due(store) if each.open)
    suggested = forming.suggestions(store, due, forming.Unit("", language))
    assert f"{say('duty.suggestion', language)} {suggested['impact']}" in sent(page)
    page.text_area(key=f"field_{due.row['id']}_data").set_value("set points\nof pump 3").run()
    page.multiselect(key=f"accept_{due.row['id']}").set_value(["cause"]).run()
    page.button(key="duty_fill").click().run()
    kept = next(each for each in obliging.all_due(store) if each.row["id"] == due.row["id"])
    told = {"data": "set points\nof pump 3", "cause": suggested["cause"]}
    assert json.loads(kept.row["fields"]) == told, "and what the alert tells stays its own, and what it suggests nobody's"
    assert "set points · of pump 3" in sent(page)
    page.text_area(key=f"field_{due.row['id']}_impact").set_value("two pumps").run()
    obliging.fill(store, kept, {"impact": "one pump"}, "bo")
    page.button(key="duty_fill").click().run()
    assert {"en": "Somebody else worked on duty", "zh": "已由他人改动"}[language] in sent(page), "nothing is overwritten unseen"
    seen = sent(opened("duties", where, monkeypatch, lang=language, agency="eisac"))
    assert "E-ISAC" in seen
    for word in {"en": ("59 min left", "UNVERIFIED", "open: 1"), "zh": ("剩余 59 分钟", "未核实", "待报 1 项")}[language]:
        assert word in seen
    assert {"en": "First report", "zh": "初次报告"}[language] not in seen
    assert words[language][3] not in seen, "an agency's view has its own duties and no warnings"
    seen = sent(opened("duties", where, monkeypatch, lang=language, agency="cyberspace"))
    assert {"en": "First report", "zh": "初次报告"}[language] in seen
    monkeypatch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("cyd", "agency-eisac"))
    seen = sent(opened("duties", where, monkeypatch, lang=language, agency="cyberspace"))
    assert "E-ISAC" in seen, "somebody of an agency sees through its eyes alone"
    assert {"en": "First report", "zh": "初次报告"}[language] not in seen
    monkeypatch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("sun", "regulator"))
    button = opened("duties", where, monkeypatch, lang=language).button(key="duty_fill")
    assert button.disabled
    assert say("role.analyst", language) in button.help, "and it says who may"
    with pytest.raises(DeniedError):
        deciding.fill(store, due, {"data": "none"}, "sun")
    monkeypatch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("wall", "screen"))
    page = tried("duties", where, monkeypatch, lang=language)
    assert "DeniedError" in str(page.exception), "who may see nothing is shown nothing, however the page was reached"
    store.close()


def test_a_form_is_a_document_in_the_language_that_a_person_chose_asked_for_on_the_page_and_signed_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboards.serve import LEDGER
    from records.store import open_store
    from reports import formpage, requesting
    from tests.test_dashboards import opened, sent
    from tests.test_store import activities, activity

    where, monkeypatched = tmp_path / "store", (("LEDGER__FOLDER", tmp_path / "ledger"), ("LEDGER__KEYS", tmp_path / "keys"), ("USER", "ada"))
    for name, value in (*monkeypatched, ("STORE", where), ("DUTIES__UNIT", "Water works"), ("REPORTS__ZONE", "Asia/Shanghai")):
        monkeypatch.setenv(f"BALEFIRE_{name}", str(value))
    monkeypatch.setenv(LEDGER, str(tmp_path / "ledger"))
    monkeypatch.setenv(keys.PASSPHRASE, WORDS)
    monkeypatch.setattr(keys, "COST", 1 << 14)
    public = one("key", "make")["key"]
    store, ledger = open_store(str(where), True), Ledger(tmp_path / "ledger")
    store.write(activities(activity(1)))
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    graded(store)
    due = due_of(store, "cn-incident/first")

    def shown() -> Any:
        page = opened("duties", where, monkeypatch, lang="en")
        return page.selectbox(key="which_form").set_value(due.row["id"]).run()

    page = shown()
    page.button(key="form_ask").click().run()
    assert "Required and empty: place" in sent(page), "what lacks something is not asked for"
    obliging.fill(store, due, {"place": "pumping <station>\nwell 3", **SAID}, "bo")
    page = shown()
    page.radio(key=f"form_language_{due.row['id']}").set_value("zh").run()
    page.button(key="form_ask").click().run()
    obliging.fill(store, due_of(store, "cn-incident/first"), {"trend": "none"}, "bo")
    refused = balefire("report", "release", "--asked", "--language", "en")
    assert (refused.exit_code, "was changed since" in refused.stderr, ledger.numbers()) == (4, True, [1])
    page = shown()
    page.button(key="form_withdraw").click().run()
    page = shown()
    page.radio(key=f"form_language_{due.row['id']}").set_value("zh").run()
    page.button(key="form_ask").click().run()
    draft = one("duty", "print", due.row["id"], "--form-language", "zh", "--format", "html", "--output", tmp_path / "out")["files"][0]
    assert "草稿" in Path(draft).read_text("utf-8")
    told = one("report", "release", "--asked", "--language", "en")
    entry = ledger.read(2)
    assert (told["receipt"], entry.body["kind"], entry.body["by"], entry.body["document"]["language"]) == (str(entry.receipt), "duty", "ada", "zh")
    html = next(ledger.folder(2).glob(f"duty.{due.row['id']}.zh.html")).read_text("utf-8")
    for words in ("初次报告", "Water works", "pumping &lt;station&gt;<br>well 3", "国家网络安全事件报告管理办法", "网信部门", "较大"):
        assert words in html
    assert "草稿" not in html
    assert verify(ledger.root, [public]).valid
    printed = one("duty", "print", due.row["id"], "--format", "html", "--output", tmp_path / "out")["files"]
    assert [Path(file).read_text("utf-8") for file in printed] == [html], "what agencies got, whatever language is asked for"
    page = shown()
    assert not [button for button in page.button if str(button.key).startswith("form_")], "nothing is left to be asked for"
    seen = opened("duties", where, monkeypatch, lang="en", agency="cyberspace")
    assert [str(each.key) for each in seen.get("download_button")][:3] == ["seen_0_html", "seen_0_pdf", "seen_0_json"]
    obliging.fill(store, due_of(store, "cn-industry-data/report"), {"data": "set points", "cause": "a new host", **SAID}, "bo")
    other = formpage.document(store, due_of(store, "cn-industry-data/report"), "Water works", "en", "Asia/Shanghai")
    requesting.ask_for(store, ledger, other["id"], formpage.seal(other), "ada")
    ledger.release(keys.load(tmp_path / "keys", public, WORDS), other, (), by="ada", time=datetime.now(UTC).isoformat(), kind="duty")
    assert due_of(store, "cn-industry-data/report").open, "who signed it was cut off before the store knew"
    assert balefire("report", "release", "--asked").exit_code == 0
    assert due_of(store, "cn-industry-data/report").row["receipt"] == str(ledger.read(3).receipt)
    store.close()
