"""Pages of one thing where there is none, or where whoever looks may not: nothing is offered that cannot be."""

import pytest

from dashboards.access.sessions import Visitor
from records.wording import LANGUAGES, say
from tests.cli import lines, stored
from tests.test_alert_page import drawn
from tests.test_dashboards import opened, sent


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_that_is_not_there_is_neither_suppressed_nor_downloaded(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    page = opened("alert", stored()[0], monkeypatch, lang=language, id="nope")
    assert drawn(page, "headline")["reason"] == say("dashboard.alert.missing_reason", language, id="nope")
    assert "suppress" not in [each.key for each in page.button]
    assert len(page.get("download_button")) == 0


@pytest.mark.parametrize("view", ["alert", "suppress", "asset", "rule", "tuning"])
def test_an_address_that_names_none_is_told_so(monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    page = opened(view, stored()[0], monkeypatch, lang="en")
    assert drawn(page, "headline")["reason"] == say(f"dashboard.{'asset' if view == 'asset' else 'alert'}.unnamed", "en")


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("analyst", True)])
def test_only_who_may_suppress_is_led_to_it(monkeypatch: pytest.MonkeyPatch, role: str, may: bool) -> None:
    monkeypatch.setattr("dashboards.access.visitor.visitor", lambda: Visitor("Sun Li", role))
    alert = lines("alerts", "--limit", "1", "--store", stored()[0])[0]
    page = opened("alert", stored()[0], monkeypatch, lang="en", id=alert["id"])
    assert sent(page)
    assert page.button(key="suppress").disabled != may
