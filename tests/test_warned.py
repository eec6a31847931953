"""Warnings: suggested, decided by a person, and their loop with its times."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dashboards.serve import LEDGER
from detectors import lifecycle
from detectors.lifecycle import TransitionError
from records.errors import UsageError
from records.query import Query
from records.store.contract import Commit
from records.store.decisions import broken
from records.wording import say
from reports import obliging, warned
from tests.cli import balefire, lines, one
from tests.test_store import NOON, alert, finding, opener

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.store.contract import Store

__all__ = ["opener"]


@pytest.fixture
def store(opener: Callable[[bool], Store]) -> Store:
    store = opener(True)
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    return store


def issued(store: Store, colour: str = "orange", now: int = 0) -> str:
    _suggested, reasons = warned.suggest(store, "al1")
    return warned.issue(store, "al1", colour, "writes to pump 3", reasons, "plant 2", "ada", now)


def test_a_colour_is_suggested_and_follows_the_level_once_that_is_decided(store: Store) -> None:
    colour, reasons = warned.suggest(store, "al1")
    assert colour == "blue"
    assert "62" in reasons[0].en
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    for level, wanted in (("general", "blue"), ("considerable", "yellow"), ("major", "orange"), ("extraordinary", "red")):
        obliging.grade(store, "al1", level, "NADOS", "other", (), "ada", time.time_ns())
        assert warned.suggest(store, "al1")[0] == wanted
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "bo", "a test after all")])
    store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", "false", NOON)])
    colour, reasons = warned.suggest(store, "al1")
    assert (colour, [each.zh for each in reasons]) == ("blue", ["告警已关闭为“误报”，已无需预警，故仅建议最低颜色"]), "whatever level was decided before"


def test_the_loop_has_its_order_and_its_times(store: Store) -> None:
    name = issued(store)
    hours = [2, 24, 48, 120]
    for number, action in enumerate(("sign", "handle", "feedback", "close")):
        row = warned.one(store, name)
        assert row["due"] == hours[number] * warned.HOUR
        assert not warned.overdue(row, row["due"])
        assert warned.overdue(row, row["due"] + 1)
        for other in {"sign", "handle", "feedback", "close"} - {action}:
            with pytest.raises(TransitionError):
                warned.step(store, name, other, "bo", 1, "x")
        if action in {"handle", "feedback"}:
            with pytest.raises(UsageError):
                warned.step(store, name, action, "bo", 1)
        warned.step(store, name, action, "bo", number + 1, "done")
    row = warned.one(store, name)
    assert [row[each] for each in warned.STEPS] == [0, 1, 2, 3, 4]
    assert (row["status"], row["due"]) == ("closed", None)
    trail = store.read("audit", Query(sort="id", limit=100)).to_pylist()
    assert [(each["action"], each["by"]) for each in trail] == [("issue", "ada"), ("sign", "bo"), ("handle", "bo"), ("feedback", "bo"), ("close", "bo")]
    assert broken(store) is None


def test_the_receiver_s_people_take_its_steps_and_others_close_where_settings_name_them(store: Store) -> None:
    name, known = issued(store), {"plant  2": ["bo", "eve"]}
    with pytest.raises(TransitionError, match="ada does not act for plant 2") as told:
        warned.step(store, name, "sign", "ada", 1, receivers=known)
    assert "bo, eve" in told.value.text("zh")
    for action, by in (("sign", "bo"), ("handle", "eve"), ("feedback", "bo")):
        warned.step(store, name, action, by, 1, "done", receivers=known)
    with pytest.raises(TransitionError, match="closed by whoever issued it"):
        warned.step(store, name, "close", "bo", 1, receivers=known)
    warned.step(store, name, "close", "ada", 1, receivers=known)


def test_a_warning_that_says_nothing_is_refused(store: Store) -> None:
    for colour, title, receiver in (("green", "t", "r"), ("red", " ", "r"), ("red", "t", " ")):
        with pytest.raises(UsageError):
            warned.issue(store, "al1", colour, title, warned.suggest(store, "al1")[1], receiver, "ada", 0)
    with pytest.raises(UsageError):
        warned.issue(store, "al1", "red", "t", warned.suggest(store, "al1")[1], "r", " ", 0)
    assert warned.warnings(store) == []


def test_what_a_receiver_reads_is_what_happened_then_the_person_s_reason_then_what_was_suggested(store: Store) -> None:
    (name,) = warned.issue_to(store, "al1", "orange", ["plant 2", " plant 2"], "ada", 0, "en", title="\x1b[31mX \u202eevil", reason="seen\u202e\nand heard")
    row = warned.one(store, name)
    assert row["title"] == "[31mX evil", "what steers a terminal or turns the reading direction is not kept"
    happened, given, decided = warned.reasons(row, "en")
    assert (happened, given) == (alert(1).reason.en, "seen and heard")
    assert decided == (
        "A person decided ▲ orange; ● blue was suggested (Severity 62, 1 finding; not confirmed as an incident, so no more than yellow is suggested)"
    )
    (name,) = warned.issue_to(store, "al1", "blue", ["plant 2"], "ada", 0, "en")
    assert warned.reasons(warned.one(store, name), "en")[-1].startswith("Severity 62, 1 finding;"), "nothing was overruled"


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("warning.long.receiver", {"receivers": ["b" * 101]}),
        ("warning.long.title", {"title": "t" * 501}),
        ("warning.long.reason", {"reason": "r" * 4001}),
        ("warning.twice", {"receivers": ["plant  2", "plant 2"]}),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_nothing_that_a_person_writes_is_cut_or_merged_unseen(tmp_path: Path, key: str, more: dict[str, Any]) -> None:
    from records.store import open_store

    with closing(open_store(str(tmp_path / "store"), True)) as store:
        store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
        given: dict[str, Any] = {"receivers": ["plant 2"], **more}
        with pytest.raises(UsageError) as told:
            warned.issue_to(store, "al1", "blue", given.pop("receivers"), "ada", 0, "en", **given)
        assert (told.value.key, warned.warnings(store)) == (key, [])


def test_a_warning_whose_alert_is_found_false_says_so_until_it_is_closed(store: Store) -> None:
    name = issued(store)
    assert warned.contested(store, warned.warnings(store)) == {}, "nobody has said anything about it"
    store.change([lifecycle.close(store.alerts(["al1"])[0], "ada", "true", NOON)])
    assert warned.contested(store, warned.warnings(store)) == {}
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "bo", "a test after all")])
    store.change([lifecycle.close(store.alerts(["al1"])[0], "eve", "false", NOON)])
    against = warned.contested(store, warned.warnings(store))
    assert {key: (verdict, by) for key, (verdict, _time, by) in against.items()} == {name: ("false", "eve")}
    for language, words in (("en", "issued, but the alert was closed as false (eve, "), ("zh", "已发布，但告警已关闭为“误报”（eve，")):
        assert warned.standing(warned.one(store, name), against[name], language).startswith(words)
    for action in ("sign", "handle", "feedback", "close"):
        warned.step(store, name, action, "bo", 1, "done")
    assert warned.contested(store, warned.warnings(store)) == {}


def test_where_the_entry_of_its_closing_is_past_its_retention_nobody_is_named(store: Store) -> None:
    store.write(Commit(findings=(finding(2, alert="al2"),), alerts=(replace(alert(2), status="closed", verdict="false", closed=NOON),)))
    assert warned.disproved(store, ["al2"]) == {"al2": ("false", NOON, "–")}


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from records.store import open_store

    where = tmp_path / "store"
    made = open_store(str(where), True)
    made.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    made.close()
    assert one("warning", "issue", "al1", "--store", where)["id"] is None
    name = one("warning", "issue", "al1", "--colour", "red", "--to", "plant 2", "--by", "ada", "--store", where)["id"]
    assert [(row["overdue"], row["contested"]) for row in lines("warning", "list", "--store", where)] == [(False, None)]
    several = ("warning", "issue", "al1", "--colour", "blue", "--by", "ada", "--store", where)
    assert balefire(*several, "--to", "plant 2", "--to", " ").exit_code == 2
    assert [row["to"] for row in lines(*several, "--to", "plant 2", "--to", "plant 3", "--to", "plant 2")] == ["plant 2", "plant 3"]
    assert sorted(row["receiver"] for row in lines("warning", "list", "--store", where)) == ["plant 2", "plant 2", "plant 3"]
    for language, word in (("en", "red"), ("zh", "红色")):
        with monkeypatch.context() as there:
            there.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Shanghai")
            told = balefire("warning", "list", "--store", where, "--language", language).stdout
        assert (word in told, told.count("UTC+8")) == (True, 3), "each is due by the clock of the reports"
    assert balefire("warning", "close", name, "--store", where).exit_code == 1
    assert one("warning", "sign", name[:6], "--by", "bo", "--store", where)["status"] == "signed"
    assert lines("warning", "list", "--overdue", "--store", where) == []


def test_a_warning_is_released_as_a_document_that_is_signed_and_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from records.store import open_store

    where = tmp_path / "store"
    monkeypatch.setenv("BALEFIRE_KEY_PASSPHRASE", "a passphrase long enough")
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(tmp_path / "post"))
    made = open_store(str(where), True)
    made.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    made.close()
    given = ("--to", "plant <2>", "--reason", "seen & heard", "--by", "ada", "--store", where, "--language", "zh")
    name = one("warning", "issue", "al1", "--colour", "orange", *given)["id"]
    for language, title in (("en", alert(1).title.en), ("zh", alert(1).title.zh)):
        assert title in balefire("warning", "list", "--store", where, "--language", language).stdout, "in the language that is asked for, not that of its issue"
    printed = one("warning", "print", name, "--output", tmp_path / "out", "--format", "html", "--format", "json", "--both-languages", "--store", where)
    assert [file.rpartition("/")[2] for file in printed["files"]] == [f"warning.{name}.{form}" for form in ("en.html", "zh.html", "json")]
    page = (tmp_path / "out" / f"warning.{name}.zh.html").read_text()
    assert page.count(say("warning.page.draft", "zh")) == 2, "on top, and at the foot of each page"
    assert all(
        words in page
        for words in ("▲ 橙色", alert(1).title.zh, "plant &lt;2&gt;", "seen &amp; heard", "网络安全预警", say("warning.page.by", "zh"), alert(1).reason.zh)
    )
    assert "环节与时限" in page, "the issuer closes, so that the steps are not all the receiver's"
    unnamed = say("warning.nameless", "en")
    assert unnamed in balefire("warning", "print", name, "--output", tmp_path / "out", "--format", "html", "--format", "html", "--store", where).stderr
    signed = ("--ledger", tmp_path / "ledger", "--keys", tmp_path / "keys")
    public = one("key", "make", *signed, "--by", "ada")["key"]
    released = one("warning", "release", name, *signed, "--store", where, "--by", "ada")
    assert one("warning", "release", name, *signed, "--store", where, "--by", "bo") == released, "once"
    assert f"warning.{name}.en.html" in released["files"]
    again = balefire("warning", "release", name, *signed, "--store", where, "--both-languages", "--language", "en")
    assert "was released already (ada, 20" in again.stdout
    assert "no page in: zh" in again.stderr
    monkeypatch.setenv("BALEFIRE_DUTIES__UNIT", "another unit since")
    printed = one("warning", "print", name, "--output", tmp_path / "out", "--format", "html", "--ledger", tmp_path / "ledger", "--store", where)
    (file,) = printed["files"]
    assert Path(file).read_bytes() == (tmp_path / "ledger" / "000002" / f"warning.{name}.en.html").read_bytes(), "what its receiver got"
    (row,) = lines("warning", "list", "--store", where)
    assert (row["release"]["action"], row["release"]["by"], row["release"]["receipt"]) == ("release", "ada", released["receipt"])
    trail = one("warning", "sign", name, "--by", "bo", "--note", "by telephone", "--store", where)
    shown = one("warning", "show", name[:6], "--store", where)
    assert shown["steps"] == trail["steps"]
    assert [(each["step"], each["by"], each["note"]) for each in shown["steps"]] == [("issued", "ada", ""), ("signed", "bo", "by telephone")]
    words = balefire("warning", "show", name, "--store", where, "--language", "zh").stdout
    assert all(each in words for each in ("已签名", "by telephone", "bo", "plant <2>", released["receipt"]))
    ways = tmp_path / "ways.yml"
    ways.write_text("share: {kind: folder, path: outgoing}\n")
    post = ("--ways", ways)
    one("deliver", "add", released["entry"], "--to", "share", *post)
    one("deliver", "run", *post)
    sent = tmp_path / "outgoing" / "000002.json"
    assert balefire("verify", sent, "--key", public).exit_code == 0
    entry = sent.read_bytes()
    sent.write_bytes(entry.replace(b'"colour":"orange"', b'"colour":"yellow"'))
    assert balefire("verify", sent, "--key", public).exit_code == 1


def test_a_warning_that_was_changed_since_or_whose_alert_is_found_false_is_not_signed_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from records.store import open_store
    from reports import requesting, warnpage
    from reports.ledger import Ledger

    where, ledger = tmp_path / "store", Ledger(tmp_path / "ledger")
    for name, value in (("STORE", where), ("LEDGER__FOLDER", ledger.root), ("LEDGER__KEYS", tmp_path / "keys"), ("USER", "ada")):
        monkeypatch.setenv(f"BALEFIRE_{name}", str(value))
    monkeypatch.setenv("BALEFIRE_KEY_PASSPHRASE", "a passphrase long enough")
    one("key", "make")
    store = open_store(str(where), True)
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    first, second, third = (issued(store) for _ in range(3))
    for name in (first, second):
        requesting.ask_for(store, ledger, name, warnpage.seal(warnpage.document(store, warned.one(store, name), "Water works", "UTC")), "eve")
    for setting, other in (("DUTIES__UNIT", "Somebody else"), ("REPORTS__ZONE", "Asia/Shanghai")):
        with monkeypatch.context() as changed:
            changed.setenv("BALEFIRE_DUTIES__UNIT", "Water works")
            changed.setenv(f"BALEFIRE_{setting}", other)
            refused = balefire("report", "release", "--asked")
        assert (refused.exit_code == 0, ledger.numbers()) == (False, [1]), setting
        assert "ask again" in refused.stderr, "whoever signs is told what helps"
    monkeypatch.setenv("BALEFIRE_DUTIES__UNIT", "Water works")
    requesting.withdraw(store, ledger, second, "eve")
    assert one("report", "release", "--asked")["id"] == first
    requesting.ask_for(store, ledger, second, warnpage.seal(warnpage.document(store, warned.one(store, second), "Water works", "UTC")), "eve")
    store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", "false", NOON)])
    for words in (("warning", "release", third), ("report", "release", "--asked")):
        with monkeypatch.context() as there:
            there.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Shanghai" if words[0] == "warning" else "UTC")
            refused = balefire(*words)
        assert (refused.exit_code == 0, ledger.numbers()) == (False, [1, 2])
        assert "was closed as false (bo, " in refused.stderr
        assert ("UTC+8)" in refused.stderr) is (words[0] == "warning")
    assert one("warning", "release", first)["number"] == 2, "what was signed is signed"
    assert one("warning", "release", third, "--even-so")["number"] == 3
    assert "Issued although the alert was closed as false." in balefire("warning", "issue", "al1", "--colour", "red", "--to", "plant 2").stderr
    store.close()


def test_on_the_page_one_is_issued_goes_its_way_and_its_release_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboards import deciding
    from dashboards.access.sessions import Visitor
    from dashboards.access.visitor import DeniedError
    from records.store import open_store
    from reports import requesting
    from reports.ledger import Ledger
    from tests.test_dashboards import opened, sent
    from tests.test_store import activities, activity

    where, language = tmp_path / "store", "zh"
    for name, value in (("STORE", where), ("LEDGER__FOLDER", tmp_path / "ledger"), ("LEDGER__KEYS", tmp_path / "keys"), ("USER", "ada")):
        monkeypatch.setenv(f"BALEFIRE_{name}", str(value))
    monkeypatch.setenv("BALEFIRE_KEY_PASSPHRASE", "a passphrase long enough")
    monkeypatch.setenv(LEDGER, str(tmp_path / "ledger"))
    assert balefire("key", "make").exit_code == 0
    store = open_store(str(where), True)
    store.write(activities(activity(1)))
    store.write(Commit(findings=(finding(1, alert="al1"),), alerts=(alert(1),)))
    page = opened("duties", where, monkeypatch, lang=language)
    page.text_area(key="warn_to_al1").set_value("plant 2\nplant 3").run()
    page.button(key="warn").click().run()
    assert warned.warnings(store) == [], "without a colour nothing is issued"
    page.radio(key="warn_colour_al1").set_value("red").run()
    page.button(key="warn").click().run()
    made = sorted((row["receiver"], row["colour"], row["status"]) for row in warned.warnings(store))
    assert made == [("plant 2", "red", "issued"), ("plant 3", "red", "issued")]
    assert say("dashboard.duties.overdue", language) not in sent(page)
    chosen = str(page.selectbox(key="warning").value)
    assert any("BALEFIRE" in each.value for each in page.caption), "who issues it is not set, which the page says before anybody asks for its release"
    for action, status in warned.ACTIONS.items():
        page.selectbox(key="warning").set_value(chosen).run()
        if status == "handled":
            page.button(key="warning_step").click().run()
            assert warned.one(store, chosen)["status"] == "signed", "what was done has to be said"
            page.selectbox(key="warning").set_value(chosen).run()
        page.text_input(key=f"warning_{action}_{chosen}").set_value("done").run()
        page.button(key="warning_step").click().run()
        assert warned.one(store, chosen)["status"] == status
    page.selectbox(key="warning").set_value(chosen).run()
    assert say("warning.page.draft", language) in sent(page), "seen before its release is asked for"
    page.button(key="release_ask").click().run()
    (told,) = lines("report", "release", "--asked", "--store", where)
    assert (told["id"], len(told["files"]) >= 1) == (chosen, True)
    entry = Ledger(tmp_path / "ledger").released(chosen)
    assert entry is not None
    assert (entry.body["by"], entry.body["document"]["colour"], str(entry.receipt)) == ("ada", "red", told["receipt"])
    late = warned.issue(store, "al1", "red", "older", warned.suggest(store, "al1")[1], "plant 4", "ada", NOON)
    seen = sent(opened("duties", where, monkeypatch, lang=language))
    assert say("dashboard.duties.overdue", language) in seen
    assert say("dashboard.duties.warnings_late", language, count=1) in seen
    store.change([lifecycle.close(store.alerts(["al1"])[0], "bo", "false", NOON)])
    page = opened("duties", where, monkeypatch, lang=language)
    page.selectbox(key="warning").set_value(late).run()
    assert "已关闭为“误报”（bo，" in sent(page.button(key="release_ask").click().run())
    assert requesting.open_requests(store, Ledger(tmp_path / "ledger")) == []
    store.change([lifecycle.reopen(store.alerts(["al1"])[0], "bo", "no test after all")])
    monkeypatch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("sun", "regulator"))
    page = opened("duties", where, monkeypatch, lang=language)
    assert (page.button(key="warn").disabled, page.button(key="warning_step").disabled) == (True, True)
    with pytest.raises(DeniedError):
        deciding.warn(store, "al1", "red", ["plant 2"], "", "sun", language)
    with pytest.raises(DeniedError):
        deciding.step(store, late, "sign", "sun", "")
    store.close()
