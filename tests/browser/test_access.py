"""Logging in with a real browser: what a viewer is refused, and in whose name an analyst decides."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from dashboards.access import accounts, sessions
from tests.browser.visiting import served
from tests.cli import lines, stored
from tests.test_access import PASSWORD, add

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.visiting import Visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    add(home / "accounts.json", ("vera", "viewer"), ("anna", "analyst"), ("rena", "regulator"), ("wall", "screen"), ("cyd", "agency-cyberspace"))
    shutil.copytree(stored()[0], home / "store")
    return home


@pytest.fixture(scope="module")
def base(home: Path) -> Iterator[str]:
    with served(home, home / "store", **{sessions.USERS: str(home / "accounts.json")}) as address:
        yield address


def enter(visit: Visit, name: str, path: str, password: str = PASSWORD) -> None:
    """Go there, and log in where one is asked to."""
    visit.page.goto(visit.base + path)
    visit.page.get_by_label("Name").fill(name)
    visit.page.get_by_label("Password").fill(password)
    visit.page.get_by_role("button", name="Log in").click()


def ready(visit: Visit) -> None:
    visit.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def worst(home: Path) -> str:
    return str(lines("alerts", "--store", home / "store", "--sort", "-severity", "--limit", 1)[0]["id"])


def refused(visit: Visit, alert: str) -> None:
    """A viewer, who is not logged in yet, sees an alert and its packets, and may decide nothing about it."""
    enter(visit, "vera", f"/alert?lang=en&range=all&id={alert}")
    ready(visit)
    expect(visit.page).to_have_url(re.compile(r"/alert\?"))
    expect(visit.page.get_by_text("vera (viewer)")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Acknowledge")).to_be_disabled()
    expect(visit.page.get_by_placeholder("Your name")).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Evidence")).to_be_enabled()


def test_a_viewer_sees_and_decides_nothing(visit: Visit, home: Path) -> None:
    refused(visit, worst(home))
    visit.page.reload()
    ready(visit)
    expect(visit.page.get_by_text("vera (viewer)")).to_be_visible()
    visit.page.get_by_text("Log out").click()
    expect(visit.page).to_have_url(re.compile("/login"))
    visit.page.goto(visit.base + "/")
    expect(visit.page).to_have_url(re.compile("/login"))


def test_a_regulator_sees_no_packets(visit: Visit, home: Path) -> None:
    enter(visit, "rena", f"/alert?lang=en&range=all&id={worst(home)}")
    ready(visit)
    expect(visit.page.get_by_text("The role regulator may not see packets")).to_be_visible()
    expect(visit.page.get_by_role("button", name="Evidence")).to_be_disabled()


def test_somebody_of_an_agency_sees_what_is_due_to_it_alone(visit: Visit, home: Path) -> None:
    enter(visit, "cyd", f"/alert?lang=en&range=all&id={worst(home)}")
    ready(visit)
    expect(visit.page.get_by_text("cyd (cyberspace administration)")).to_be_visible()
    for path in ("/?view=wall&lang=en", "/duties?lang=en&agency=police", "/assets?lang=en", "/explore?lang=en"):
        visit.page.goto(visit.base + path)
        ready(visit)
        expect(visit.page.get_by_text("What this agency may see: cyberspace administration")).to_be_visible()
        expect(visit.page.get_by_role("combobox")).to_have_count(0)
        expect(visit.page.locator("[data-testid=stTopNavLink]")).to_have_count(0)
    assert visit.page.request.get(f"{visit.base}/api/alerts").status == 403


def test_an_analyst_decides_in_her_own_name_until_she_is_taken_out(visit: Visit, home: Path) -> None:
    enter(visit, "anna", f"/alert?lang=en&range=all&id={worst(home)}")
    ready(visit)
    visit.page.get_by_role("button", name="Acknowledge").click()
    expect(visit.page.locator(".table", has_text="acknowledged").get_by_text("anna")).to_be_visible()
    assert ("anna", "acknowledge") in [(row["by"], row["action"]) for row in lines("audit", "--store", home / "store")]
    accounts.read(home / "accounts.json").give("anna", "viewer").save()
    visit.page.get_by_role("button", name="Start", exact=False).first.click()
    expect(visit.page.get_by_text("The role viewer may not decide about alerts")).to_be_visible()
    accounts.read(home / "accounts.json").remove("anna").save()
    visit.page.get_by_text("中文", exact=True).click()
    expect(visit.page.get_by_text("登录已失效。", exact=True)).to_be_visible()
    expect(visit.page.locator(".line")).to_have_text("登录")
    visit.page.get_by_text("登录", exact=True).click()
    expect(visit.page).to_have_url(re.compile("/login"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_wrong_password_is_said_in_the_readers_language(visit: Visit, language: str) -> None:
    visit.page.goto(visit.base + f"/login?lang={language}")
    visit.page.locator("input[name=name]").fill("vera")
    visit.page.locator("input[name=password]").fill("no")
    visit.page.locator("button").click()
    expect(visit.page.get_by_role("alert")).to_have_text({"en": "Name or password is wrong.", "zh": "用户名或密码错误。"}[language])
    expect(visit.page.locator("input[name=name]")).to_have_value("vera")
    assert [fault for fault in visit.faults if "403" in fault] == visit.faults, "the browser tells of the status alone"
    visit.faults.clear()


def test_a_screen_is_shown_the_wall_wherever_it_asks(visit: Visit) -> None:
    enter(visit, "wall", "/?lang=zh")
    ready(visit)
    expect(visit.page.locator(".wall")).to_be_visible()
    expect(visit.page.locator("[data-testid=stTopNavLink]")).to_have_count(0)
    visit.page.goto(visit.base + "/?lang=zh&view=page")
    ready(visit)
    expect(visit.page.locator(".wall")).to_be_visible()
    expect(visit.page.locator(".headline")).to_have_count(0)
    visit.page.goto(visit.base + "/rulebook?lang=zh")
    ready(visit)
    expect(visit.page.locator(".wall")).to_be_visible()
    expect(visit.page.locator(".table")).to_have_count(0)
