"""The page of reports: one is made by whoever may, shown as it is printed in a frame without rights, and got as files; what was changed is said."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import printouts, releasing
from dashboards.access.roles import ROLES
from dashboards.access.sessions import Visitor
from dashboards.access.visitor import DeniedError
from dashboards.serve import environment
from records.errors import UsageError
from records.store import open_store
from records.wording import LANGUAGES, say
from reports.deliver import Post
from reports.kept import Kept
from reports.keys import PASSPHRASE
from reports.ledger import Ledger
from reports.printing import rendered
from reports.ways import Way
from tests.cli import balefire, lines
from tests.reporting import START, Plant, fill
from tests.test_alert_page import drawings, drawn
from tests.test_dashboards import leaves, opened, sent

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("page") / "store"
    store = open_store(str(place), True)
    fill(store, START, 2, Plant(controllers=3, findings=8, activities=20))
    store.close()
    return place


@pytest.fixture
def own(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Shanghai")
    monkeypatch.setenv("BALEFIRE_STORE", str(tmp_path / "store"))
    return shutil.copytree(made, tmp_path / "store")


def rows(page: Any) -> list[list[Any]]:
    return drawn(page, "table")["rows"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_is_made_shown_and_listed(own: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("summaries", own, monkeypatch, lang=language, kind="daily")
    assert rows(page) == []
    assert say("dashboard.reports.none", language) in sent(page)
    page.button(key="run").click().run()
    (head,) = Kept(own / "reports").heads()
    assert page.query_params["report"] == head["id"]
    ((about, site, index),) = rows(page)
    assert about["text"] == say("report.title.daily", language)
    assert "href" not in about, "the one that is shown"
    assert say("dashboard.reports.made", language).partition("{")[0] in about["sub"], "when it was made"
    assert site["text"] == say("dashboard.reports.all_sites", language)
    assert index["text"] == f"{head['index']:.1f}"
    paper = drawn(page, "paper")["html"]
    assert say("report.unseen.front", language) in paper
    assert head["id"] in paper
    page.selectbox(key="picked_reports_kind").set_value("weekly").run()
    page.button(key="run").click().run()
    assert len(rows(page)) == 2
    assert sum("href" in row[0] for row in rows(page)) == 1
    (week,) = [row[0]["sub"] for row in rows(page) if row[0]["text"] == say("report.title.weekly", language)]
    assert say("dashboard.reports.recorded_until", language) in week, "nothing was recorded before, and nothing since: no clock says that it is not over"
    paper = drawn(page, "paper")["html"]
    assert say("report.recorded_until", language).partition("{until}")[2] in paper
    assert say("report.not_over", language).partition("{until}")[0] not in paper


def test_an_earlier_period_is_chosen_by_its_days(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("summaries", own, monkeypatch, lang="en", kind="weekly", which="current")
    offered = page.selectbox(key="picked_reports_which").options
    assert (len(offered), offered[2]) == (2 + printouts.EARLIER, "19 Oct 2026 – 25 Oct 2026")
    page.selectbox(key="picked_reports_kind").set_value("daily").run()
    page.selectbox(key="picked_reports_which").set_value("2026-11-01").run()
    page.button(key="run").click().run()
    (head,) = Kept(own / "reports").heads()
    assert (head["period"], head["since_local"], head["whole"]) == ("daily", "2026-11-01T00:00:00+08:00", True)


def test_its_files_are_those_of_the_command(own: Path) -> None:
    name = printouts.make("daily", "over", "Linghe Pumping Station")
    told = Kept(own / "reports").find(name)
    assert told["site"] == "Linghe Pumping Station"
    for form in ("html", "xlsx", "json"):
        assert printouts.file(name, form, "en") == rendered(told, form, "en")


def test_who_may_only_look_cannot_make_one(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [role for role, rights in ROLES.items() if "report" in rights] == ["analyst", "engineer", "administrator"]
    monkeypatch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("Sun Li", "regulator"))
    page = opened("summaries", own, monkeypatch, lang="en", kind="daily")
    assert not page.selectbox, "no period to choose for what it may not make"
    assert "run" not in [button.key for button in page.button]
    assert "Who may: analyst, engineer, administrator." in sent(page)
    assert say("dashboard.reports.nothing", "en") in sent(page)
    assert say("dashboard.reports.none", "en") not in sent(page), "there is nothing to choose for it"
    with pytest.raises(DeniedError):
        printouts.make("daily", "over", "")
    assert Kept(own / "reports").heads() == []
    for nobody in (None, Visitor("wall", "screen")):
        monkeypatch.setattr("dashboards.access.visitor.visitor", lambda nobody=nobody: nobody)
        with pytest.raises(DeniedError):
            printouts.file("daily", "json", "en")


def test_one_that_was_changed_is_said_and_not_shown(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = printouts.make("daily", "over", "")
    file = own / "reports" / name / f"{name}.json"
    told = json.loads(file.read_bytes())
    told["alerts"]["total"] = 0
    file.write_text(json.dumps(told))
    page = opened("summaries", own, monkeypatch, lang="en", report=name)
    assert "is not the document that its name says" in rows(page)[0][0]["sub"]
    assert drawings(page, "paper") == []


@pytest.fixture
def signing(own: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger with its first key, which the page is told of."""
    monkeypatch.setenv(PASSPHRASE, "correct horse battery staple")
    monkeypatch.setenv("BALEFIRE_LEDGER__FOLDER", str(own.parent / "ledger"))
    monkeypatch.setenv("BALEFIRE_LEDGER__KEYS", str(own.parent / "keys"))
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    monkeypatch.setenv("BALEFIRE_REPORTS__FORMATS", '["html"]')
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(own.parent / "post"))
    assert balefire("key", "make", "--by", "Zhao Min").exit_code == 0
    return Ledger(own.parent / "ledger")


def table(page: Any, title: str) -> dict[str, Any]:
    """What the table of this title was sent."""
    found = [json.loads(each.proto.json) for each in leaves(page.main) if getattr(each.proto, "component_name", "").endswith("balefire_table")]
    return next(each for each in found if each["title"] == title)


def test_a_release_is_asked_for_here_and_signed_elsewhere(own: Path, signing: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    name = printouts.make("daily", "over", "")
    page = opened("summaries", own, monkeypatch, lang="en")
    page.button(key="release_ask").click().run()
    assert "Li Wei asked for its release" in sent(page)
    assert signing.released(name) is None
    with pytest.raises(UsageError, match="asked for already"):
        releasing.ask(name)
    page.button(key="release_withdraw").click().run()
    assert lines("report", "release", "--asked", "--store", own) == [], "taken back"
    page.button(key="release_ask").click().run()
    (told,) = lines("report", "release", "--asked", "--store", own)
    entry = signing.released(name)
    assert entry is not None
    assert (told["id"], told["receipt"], entry.body["by"]) == (name, str(entry.receipt), "Li Wei")
    assert [file["name"] for file in entry.body["files"]] == [f"{name}.en.html"], "printed before it is signed"
    assert lines("report", "release", "--asked", "--store", own) == [], "once"
    post = Post(own.parent / "post")
    known = {receiver: Way(receiver, "folder", {"path": str(own.parent / receiver)}) for receiver in ("there", "taken")}
    (own.parent / "taken").mkdir()
    (own.parent / "taken" / signing.path(entry.number).name).write_text("another entry has its place")
    for way in known.values():
        post.add(signing.path(entry.number), way, 1_800_000_000)
    post.run(known, lambda: 1_800_000_001)
    page = opened("summaries", own, monkeypatch, lang="en")
    assert "Released as entry 2 by Li Wei" in sent(page)
    assert not [button for button in page.button if str(button.key).startswith("release_")]
    ((number, what, _, by, receipt, went),) = table(page, "Released")["rows"]
    assert (number["text"], by, went) == ("2", "Li Wei", "given up 1 · delivered 1")
    assert name in what["sub"]
    assert receipt["text"].startswith(str(entry.receipt)[:18])
    dead, done = table(page, "Deliveries")["rows"]
    assert (dead[3]["text"], done[3]["text"]) == ("given up", "delivered")
    assert dead[5]["text"].startswith("balefire deliver retry ")
    releasing._verified.clear()  # pyright: ignore[reportPrivateUsage]
    file = signing.path(2)
    file.write_bytes(file.read_bytes().replace(b"Li Wei", b"Li Fei"))
    page = opened("summaries", own, monkeypatch, lang="en")
    assert "000002.json" in table(page, "Released")["note"]


def test_a_release_may_be_asked_for_by_whoever_may_and_only_of_what_was_not_changed(own: Path, signing: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [role for role, rights in ROLES.items() if "release" in rights] == ["engineer", "administrator"]
    name = printouts.make("daily", "over", "")
    with monkeypatch.context() as patch:
        patch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("Sun Li", "analyst"))
        page = opened("summaries", own, monkeypatch, lang="en")
        assert page.button(key="release_ask").disabled
        with pytest.raises(DeniedError):
            releasing.ask(name)
    page = opened("summaries", own, monkeypatch, lang="en")
    page.button(key="release_ask").click().run()
    file = own / "reports" / name / f"{name}.json"
    file.write_bytes(file.read_bytes().replace(b'"whole":true', b'"whole":false'))
    refused = balefire("report", "release", "--asked", "--store", own)
    assert (refused.exit_code, signing.released(name)) == (4, None)


def test_the_process_of_the_pages_is_not_told_the_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (PASSPHRASE, f"{PASSPHRASE}_FILE", "BALEFIRE_LEDGER__PASSPHRASE_FILE"):
        monkeypatch.setenv(variable, "correct horse battery staple")
    assert not {value for value in environment("store").values() if "horse" in value}
