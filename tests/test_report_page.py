"""The page of reports: one is made by whoever may, shown as it is printed in a frame without rights, and got as files; what was changed is said."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import printouts
from dashboards.access.roles import ROLES
from dashboards.access.sessions import Visitor
from dashboards.access.visitor import DeniedError
from records.store import open_store
from records.wording import LANGUAGES, say
from reports.kept import Kept
from reports.printing import rendered
from tests.reporting import START, Plant, fill
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, sent

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
    assert site == say("dashboard.reports.all_sites", language)
    assert index["text"] == f"{head['index']:.1f}"
    paper = drawn(page, "paper")["html"]
    assert say("report.unseen.front", language) in paper
    assert head["id"] in paper
    page.selectbox(key="picked_reports_kind").set_value("weekly").run()
    page.button(key="run").click().run()
    assert len(rows(page)) == 2
    assert sum("href" in row[0] for row in rows(page)) == 1


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
    assert page.button(key="run").disabled
    assert say("dashboard.reports.may_not", "en") in sent(page)
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
    with pytest.raises(AssertionError, match="paper"):
        drawn(page, "paper")
