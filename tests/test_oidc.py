"""Logging in at an identity provider: a real one of this machine, a real dashboard, and everything that can be wrong with an answer."""

from __future__ import annotations

import http.client
import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from dashboards.access import oidc, sessions
from dashboards.access.accounts import Accounts, Doorman, read
from dashboards.access.provider import Provider
from tests.browser.visiting import serving
from tests.cli import balefire, lines, one, stored
from tests.identity_provider import CLIENT, SECRET, identity_provider
from tests.test_access import HTML, PASSWORD, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.identity_provider import Provider as Answering


@pytest.fixture(scope="module")
def answering() -> Iterator[Answering]:
    with identity_provider() as told:
        yield told


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, answering: Answering) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("oidc")
    shutil.copytree(stored()[0], home / "store")
    known = Accounts(home / "accounts.json", {}).add("anna@plant.example", "analyst", None).add("here@plant.example", "administrator", PASSWORD)
    known.save()
    (home / "secret").write_text(f"{SECRET}\n")
    set_so = Provider(answering.url, CLIENT, str(home / "secret")).environment()
    with serving(home, home / "store", **{sessions.USERS: str(known.file)}, **set_so) as address:
        yield Desk(address, home)


@pytest.fixture(autouse=True)
def _as_it_should_be(answering: Answering) -> None:
    answering.wrong, answering.claims = "", {"sub": "4711", "email": "anna@plant.example", "email_verified": True}


def there_and_back(desk: Desk, place: str = "/alerts") -> tuple[int, str, bytes, str]:
    """Through the provider as a browser goes: status, where to, content and the session's cookie."""
    status, answer, _ = desk.ask(f"/login/provider?next={place}")
    assert status == 302
    way = str(answer.getheader("Set-Cookie"))
    assert re.fullmatch(r"balefire-way=[\w-]{43}; HttpOnly; Max-Age=600; Path=/login; SameSite=lax", way)
    told = urlsplit(str(answer.getheader("Location")))
    wire = http.client.HTTPConnection(told.netloc, timeout=30)
    wire.request("GET", f"{told.path}?{told.query}")
    back = urlsplit(str(wire.getresponse().getheader("Location")))
    wire.close()
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"http://{desk.place}/login/back"
    return came(desk, f"{back.path}?{back.query}", way.partition(";")[0])


def came(desk: Desk, path: str, cookie: str) -> tuple[int, str, bytes, str]:
    status, answer, content = desk.ask(path, Cookie=cookie, Accept_Language="en")
    session = next((value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie" and value.startswith("balefire=")), "")
    return status, str(answer.getheader("Location")), content, session


def test_the_way_is_offered_and_ends_in_a_session_of_the_accounts_role(desk: Desk) -> None:
    assert b'href="/login/provider?next=%2Falerts"' in desk.ask("/login?next=%2Falerts")[2]
    status, place, _, session = there_and_back(desk)
    assert (status, place) == (303, "/alerts")
    assert desk.ask("/", Cookie=session, **HTML)[0] == 200
    assert desk.trail()[-1] == ("anna@plant.example", "login")
    assert desk.ask("/", Cookie=session[:-1], **HTML)[0] == 303


@pytest.mark.parametrize("wrong", ["signature", "issuer", "audience", "nonce", "expired", "token"])
def test_no_answer_that_is_not_as_it_should_be_lets_anybody_in(desk: Desk, answering: Answering, wrong: str) -> None:
    answering.wrong = wrong
    status, _, content, session = there_and_back(desk)
    assert (status, session) == (403, "")
    assert b"did not confirm who you are" in content
    assert "identity provider: " in (desk.home / "log").read_text()


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email": "nobody@plant.example", "email_verified": True}, b"has no account here"),
        ({"email": "anna@plant.example", "email_verified": False}, b"has not verified it"),
        ({"email": "anna@plant.example", "email_verified": "false"}, b"has not verified it"),
        ({"email": "anna@plant.example", "email_verified": None}, b"has not verified it"),
        ({"email": ["anna@plant.example"], "email_verified": True}, b"did not tell"),
        ({}, b"did not tell"),
        ({"email": "here@plant.example", "email_verified": True}, b"has no account here"),  # let in by its password alone
        ({"email": "<b>x</b>", "email_verified": True}, b"&lt;b&gt;x&lt;/b&gt;"),
    ],
)
def test_the_accounts_say_who_comes_in(desk: Desk, answering: Answering, claims: dict[str, object], said: bytes) -> None:
    answering.claims = {"sub": "4711", **claims}
    status, _, content, session = there_and_back(desk)
    assert (status, session) == (403, "")
    assert said in content


@pytest.mark.parametrize(
    ("claims", "claim", "name"),
    [
        ({"preferred_username": "a@x", "email": "a@x", "email_verified": False}, "preferred_username", None),
        ({"preferred_username": "a", "email": "a@x", "email_verified": False}, "preferred_username", "a"),
        ({"email": "a@x", "email_verified": "true"}, "email", "a@x"),
        ({"email": "a@x"}, "email", "a@x"),
        ({"email": "a@x", "email_verified": 0}, "email", None),
        ({"email": True}, "email", None),
    ],
)
def test_an_address_that_is_not_verified_names_nobody(claims: dict[str, object], claim: str, name: str | None) -> None:
    if name is not None:
        assert oidc.named(claims, claim) == name
        return
    with pytest.raises(oidc.ProviderError):
        oidc.named(claims, claim)


def test_nobody_comes_in_on_another_ones_way_or_twice(desk: Desk) -> None:
    first, second = (desk.ask("/login/provider")[1] for _ in range(2))
    told = urlsplit(str(first.getheader("Location")))
    wire = http.client.HTTPConnection(told.netloc, timeout=30)
    wire.request("GET", f"{told.path}?{told.query}")
    back = urlsplit(str(wire.getresponse().getheader("Location")))
    wire.close()
    path, own, others = f"{back.path}?{back.query}", *(str(each.getheader("Set-Cookie")).partition(";")[0] for each in (first, second))
    assert came(desk, path, others)[0] == 403  # its state is another one
    assert came(desk, path, "")[0] == 400
    assert came(desk, path, own)[0] == 303
    assert came(desk, path, own)[0] == 400


def test_where_it_goes_on_is_here(desk: Desk) -> None:
    assert there_and_back(desk, "//evil.example/")[1] == "/"


def test_an_account_without_a_password_has_none_to_be_guessed(desk: Desk) -> None:
    for password in ("", PASSWORD):
        assert desk.login("anna@plant.example", password)[0] in (403, 429)
    assert Doorman(desk.users).admits("anna@plant.example", "") is None


def test_a_provider_that_is_away_is_said(tmp_path: Path) -> None:
    shutil.copytree(stored()[0], tmp_path / "store")
    known = Accounts(tmp_path / "accounts.json", {}).add("a", "viewer", None)
    known.save()
    gone = Provider("http://127.0.0.1:9/", CLIENT).environment()
    with serving(tmp_path, tmp_path / "store", **{sessions.USERS: str(known.file)}, **gone) as address:
        status, _, content = Desk(address, tmp_path).ask("/login/provider", Accept_Language="zh")
        assert (status, "无法访问统一身份服务" in content.decode()) == (503, True)


def test_accounts_of_the_provider_are_made_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(sessions.USERS, str(tmp_path / "accounts.json"))
    told = one("user", "add", "wu@plant.example", "--role", "engineer", "--provider")
    assert (told["name"], told["role"]) == ("wu@plant.example", "engineer")
    assert lines("user", "list") == [{"name": "wu@plant.example", "role": "engineer", "changed": told["changed"], "provider": True}]
    assert read(tmp_path / "accounts.json").known["wu@plant.example"].hash == ""
    assert "identity provider" in balefire("user", "list", "--language", "en").stdout
    (tmp_path / "password").write_text(PASSWORD)
    both = balefire("user", "add", "x", "--role", "viewer", "--provider", "--password-file", tmp_path / "password", "--language", "en")
    assert (both.exit_code, "not both" in both.stderr) == (2, True)


@pytest.mark.parametrize("issuer", ["ftp://x", "http://provider.example", "provider"])
def test_a_provider_that_would_be_asked_in_the_clear_is_refused(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    monkeypatch.setenv("BALEFIRE_OIDC__ISSUER", issuer)
    refused = balefire("alerts", "--language", "en")
    assert (refused.exit_code, "issuer" in refused.stderr) == (2, True)
