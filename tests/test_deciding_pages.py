"""What is decided on the pages, run without a browser: about one alert and several, and what is suppressed; and what only some may."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboards.access import visitor
from dashboards.access.sessions import Visitor
from dashboards.deciding import plain
from detectors import suppressing
from records import formats
from records.errors import UsageError
from records.wording import LANGUAGES, say
from tests.browser.waterworks import STORY
from tests.cli import lines, stored
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, sent


@pytest.fixture
def own(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that a test may change."""
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    return shutil.copytree(full, tmp_path / "own")


def trail(store: Path) -> list[tuple[str, str, str | None]]:
    return [(row["by"], row["action"], row["note"]) for row in lines("audit", "--store", store)]


def test_an_alert_is_decided_about_on_its_page(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("alert", own, monkeypatch, lang="en", id=f"a{STORY}")
    page.button(key="do_acknowledge").click().run()
    page.text_input(key="assign_to").input("Zhao Min")
    page.button(key="do_assign").click().run()
    page.radio(key="close_verdict").set_value("expected")
    page.text_area(key="close_note").input("commissioning, ticket 7")
    page.button(key="do_close").click().run()
    assert trail(own) == [("Li Wei", "acknowledge", None), ("Li Wei", "assign", None), ("Li Wei", "close", "commissioning, ticket 7")]
    told = sent(page)
    for words in ("verdict: expected", "assigned to Zhao Min", "acknowledged → closed", "commissioning, ticket 7"):
        assert words in told
    assert page.button(key="do_acknowledge").disabled
    page.button(key="do_reopen").click().run()
    assert trail(own)[-1] == ("Li Wei", "reopen", None)


@pytest.mark.parametrize(("language", "words"), [("en", "Somebody changed alert"), ("zh", "已有人更改了告警")])
def test_what_somebody_changed_meanwhile_is_not_overwritten(own: Path, monkeypatch: pytest.MonkeyPatch, language: str, words: str) -> None:
    page = opened("alert", own, monkeypatch, lang=language, id=f"a{STORY}")
    lines("alert", "assign", f"a{STORY}", "--to", "Wang", "--by", "Zhao", "--store", own)
    page.button(key="do_acknowledge").click().run()
    assert words in sent(page)
    assert trail(own) == [("Zhao", "assign", None)]
    page.button(key="do_acknowledge").click().run()  # now it was seen as it is
    assert words not in sent(page)
    assert trail(own)[-1] == ("Li Wei", "acknowledge", None)


def test_nobody_cannot_decide(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BALEFIRE_USER")
    page = opened("alert", own, monkeypatch, lang="en", id=f"a{STORY}")
    page.button(key="do_acknowledge").click().run()
    assert "Nobody is named" in sent(page)
    assert trail(own) == []
    page.text_input(key="decided_by").input("Wang").run()
    page.button(key="do_acknowledge").click().run()
    assert trail(own) == [("Wang", "acknowledge", None)]


def test_several_are_decided_together(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("alerts", own, monkeypatch, lang="en", status="only_open", range="all")
    chosen = [row["id"] for row in lines("alerts", "--where", "status:open", "--limit", "3", "--store", own)]
    page.query_params["chosen"] = ",".join(chosen)
    page.run()
    assert "3 chosen" in sent(page)
    page.radio(key="close_verdict").set_value("false")
    page.button(key="do_close").click().run()
    assert {row["verdict"] for row in lines("alerts", "--store", own) if row["id"] in chosen} == {"false"}
    assert len(trail(own)) == 3
    assert "3 chosen" not in sent(page)
    assert "chosen" not in page.query_params


@pytest.mark.parametrize("view", ["alerts", "assets", "explore"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_that_are_chosen_are_those_of_the_address_and_what_is_none_is_said(own: Path, monkeypatch: pytest.MonkeyPatch, language: str, view: str) -> None:
    kind = {"alerts": "queue"}.get(view, "table")
    more = {"view": "table"} if view == "explore" else {}
    page = opened(view, own, monkeypatch, lang=language, range="all", **more)
    told = drawn(page, kind)
    names = told["ids"] if kind == "table" else [row["id"] for row in told["rows"]]
    odd = f"{names[1]},<img src=x onerror=alert(1)>,{names[1]},,{'9' * 100_000},{','.join(map(str, range(60)))}"
    page = opened(view, own, monkeypatch, lang=language, range="all", chosen=odd, **more)
    assert not page.exception
    assert drawn(page, kind)["chosen"] == [names[1]]
    said = [each.value for each in page.markdown]
    assert any({"en": "62 of the rows that are chosen", "zh": "选定的 62 行"}[language] in words for words in said), said
    assert not any("<img" in words for words in said)


def test_the_list_is_narrowed_by_assignee_and_verdict(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (row["id"] for row in lines("alerts", "--where", "status:open", "--limit", "2", "--store", own))
    lines("alert", "assign", first, "--to", "Zhao Min", "--by", "Li", "--store", own)
    lines("alert", "close", second, "--verdict", "true", "--by", "Li", "--store", own)
    for filters, wanted in (
        ({"assignee": "Zhao Min"}, first),
        ({"status": "all", "verdict": "true"}, second),
        ({"status": "only_closed", "verdict": "true"}, second),
    ):
        told = sent(opened("alerts", own, monkeypatch, lang="zh", range="all", **filters))
        assert f'"id": "{wanted}"' in told
        assert told.count('"href"') == 1
    assert sent(opened("alerts", own, monkeypatch, lang="en", range="all", assignee="-", status="all")).count('"href"') == 41


@pytest.mark.parametrize("language", LANGUAGES)
def test_suppressing_shows_first_what_it_would_hide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    where = shutil.copytree(stored()[0], tmp_path / "store")
    (alert,) = lines("alerts", "--where", "key:device-silenced*", "--store", where)
    lines("alert", "close", alert["id"], "--verdict", "true", "--by", "Li", "--store", where)
    page = opened("suppress", where, monkeypatch, lang=language, id=alert["id"])
    for words in ({"en": "was found true", "zh": "结论为“属实”"}[language], "device\\-silenced"):
        assert words in sent(page)
    for count in (("1", say("dashboard.suppress.findings.one", language)), ("1", say("dashboard.suppress.alerts.one", language))):
        assert json.dumps(count, ensure_ascii=False) in sent(page)
    assert page.checkbox(key="where_rule").disabled
    assert page.button(key="suppress_save").disabled
    page.checkbox(key="suppress_sure").check()
    page.checkbox(key="where_ot.unit").uncheck().run()
    page.button(key="suppress_save").click().run()
    assert {"en": "needs a reason", "zh": "必须写明原因"}[language] in sent(page)
    assert lines("suppressions", "--store", where) == []
    assert page.number_input(key="suppress_days").max is None  # a browser keeps to itself what is beyond it, and another time would be saved
    for days in (99999, 0):
        page.number_input(key="suppress_days").set_value(days).run()
        assert UsageError("suppress.days", limit=suppressing.LONGEST_DAYS).text(language) in sent(page)
        assert page.button(key="suppress_save").disabled
    page.text_area(key="suppress_reason").input("commissioning")
    page.text_input(key="suppress_owner").input("Wang")
    page.number_input(key="suppress_days").set_value(60).run()
    page.number_input(key="suppress_days").set_value(61)  # and the button at once, before the page is drawn anew
    page.button(key="suppress_save").click().run()
    (made,) = lines("suppressions", "--store", where)
    assert datetime.fromisoformat(made["until"]) - datetime.fromisoformat(made["since"]) == timedelta(days=61)
    assert formats.Clock(UTC, language).moment(int(datetime.fromisoformat(made["until"]).timestamp()) * formats.SECOND) in sent(page)
    assert (made["owner"], made["reason"], made["alert"]) == ("Wang", "commissioning", alert["id"])
    assert "ot.unit" not in made["where"]
    assert made["id"][:12] in sent(page)
    assert {"en": "suppression made", "zh": "建立抑制规则"}[language] in sent(opened("alert", where, monkeypatch, lang=language, id=alert["id"]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_suppressions_are_listed_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    where = shutil.copytree(stored()[0], tmp_path / "store")
    assert {"en": "nothing is hidden", "zh": "未隐藏任何发现"}[language] in sent(opened("suppressions", where, monkeypatch, lang=language))
    (alert,) = lines("alerts", "--where", "key:device-silenced*", "--store", where)
    lines("suppress", alert["id"], "--reason", "commissioning <b>", "--by", "Wang", "--store", where)
    page = opened("suppressions", where, monkeypatch, lang=language)
    for words in ("Wang", "commissioning <b>", "rule: device-silenced", {"en": "in force", "zh": "生效中"}[language]):
        assert words in sent(page)
    page.text_area(key="revoke_note").input("over")
    page.button(key="do_revoke").click().run()
    assert trail(where)[-1] == ("Li Wei", "revoke", "over")
    assert {"en": "revoked", "zh": "已撤销"}[language] in sent(page)
    assert [each.key for each in page.button] == ["hold"]


def test_a_condition_s_number_is_written_as_the_alert_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (alert,) = lines("alerts", "--where", "key:controller-restarted*", "--store", stored()[0])
    page = opened("suppress", stored()[0], monkeypatch, lang="en", id=alert["id"])
    assert page.checkbox(key="where_ot.value").label == "`ot.value` 65280"


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_may_not_suppress_is_told_so_before_the_form(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setattr(visitor, "visitor", lambda: Visitor("vera", "viewer"))
    (alert,) = lines("alerts", "--where", "key:controller-restarted*", "--store", stored()[0])
    page = opened("suppress", stored()[0], monkeypatch, lang=language, id=alert["id"])
    why = say("role.analyst", language)
    assert why in sent(page)
    assert why in page.button(key="suppress_save").help
    fields = [*page.checkbox, *page.text_input, *page.text_area, *page.number_input]
    assert [field.key for field in fields if not field.disabled] == ["decided_by"], "who looks may say who they are, where nobody logs in"
    assert len(fields) > 4


def test_a_condition_is_text() -> None:
    assert plain("`x` **b** <i>$a$ :red[x] a_b 中文") == r"\`x\` \*\*b\*\* \<i\>\$a\$ \:red\[x\] a\_b 中文"
