"""Who may see and do what: accounts in their file, the door of the dashboard as it is really served, and what programs are told behind it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import shutil
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

from dashboards import deciding, opening, packets, printouts, releasing, rulings, trying
from dashboards.access import accounts, gate, sessions, visitor
from dashboards.access.accounts import Accounts, Doorman
from dashboards.access.api import openapi
from dashboards.access.guesses import FREE, LONGEST_S, MOST, Guesses
from dashboards.access.login import local
from dashboards.access.roles import ROLES
from dashboards.access.visitor import DeniedError
from dashboards.page import Page
from detectors import suppressing
from detectors.tuning import bounds
from records.errors import BalefireError, UsageError
from records.formats import Clock
from records.query import Span
from records.schema import LISTS
from records.store import open_store
from reports.agencies import AGENCIES
from tests.browser.visiting import serving
from tests.cli import balefire, lines, one, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPResponse

PASSWORD = "correct horse battery"
HTML = {"Accept": "text/html,*/*"}


def add(file: Path, *names: tuple[str, str]) -> Path:
    """A file of accounts with these names and roles."""
    made = Accounts(file, {})
    for name, role in names:
        made = made.add(name, role, PASSWORD)
    made.save()
    return file


class Desk:
    """A dashboard with a door, and what is asked of it."""

    def __init__(self, address: str, home: Path) -> None:
        self.home, self.place = home, str(urlsplit(address).netloc)
        self.users, self.store = home / "accounts.json", home / "store"

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, HTTPResponse, bytes]:
        """Status, answer and its content."""
        wire = http.client.HTTPConnection(self.place, timeout=60)
        wire.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = wire.getresponse()
        content = answer.read()
        wire.close()
        return answer.status, answer, content

    def login(self, name: str, password: str = PASSWORD, **more: str) -> tuple[int, HTTPResponse, bytes]:
        """Send the form."""
        return self.ask("/login", "POST", urlencode({"name": name, "password": password, "next": more.pop("next", "/")}), **more)

    def cookie(self, name: str) -> str:
        """That of a new session."""
        status, answer, _ = self.login(name)
        assert status == 303
        return str(answer.getheader("Set-Cookie")).partition(";")[0]

    def told(self, path: str, name: str = "vera", password: str = PASSWORD) -> tuple[int, dict[str, Any]]:
        """Status and JSON of what a program is answered that shows name and password."""
        word = base64.b64encode(f"{name}:{password}".encode()).decode()
        status, _, content = self.ask(path, Authorization=f"Basic {word}")
        return status, json.loads(content)

    def trail(self) -> list[tuple[str, str]]:
        """Who did what at the door."""
        return [(row["by"], row["action"]) for row in lines("audit", "--store", self.store, "--where", "table:access")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    shutil.copytree(stored()[0], home / "store")
    users = add(
        home / "accounts.json",
        ("vera", "viewer"),
        ("anna", "analyst"),
        ("rena", "regulator"),
        ("gone", "viewer"),
        ("late", "viewer"),
        ("gus", "viewer"),
        ("wall", "screen"),
    )
    with serving(home, home / "store", **{sessions.USERS: str(users)}) as address:
        yield Desk(address, home)


# ── the door ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/alerts?lang=zh", "/alert?id=x", "/no-such-page", "/index.html"])
def test_a_page_without_login_is_the_login_page(desk: Desk, path: str) -> None:
    status, answer, content = desk.ask(path, Accept="text/html")
    assert (status, content) == (303, b"")
    told = str(answer.getheader("Location"))
    assert told.startswith("/login?next=%2F")
    status, _, content = desk.ask(told)
    assert status == 200
    assert local(path).encode().replace(b"&", b"&amp;") in content


@pytest.mark.parametrize("path", ["/_stcore/health", "/_stcore/host-config", "/static/js/x.js", "/media/x", "/component/x", "/_stcore/upload_file/a/b"])
def test_nothing_else_answers_without_login(desk: Desk, path: str) -> None:
    assert desk.ask(path)[0] == 401
    assert desk.ask(path, "POST")[0] == 401


def test_no_socket_opens_without_login(desk: Desk) -> None:
    words = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert desk.ask("/_stcore/stream", **words)[0] == 403
    assert desk.ask("/_stcore/stream", **words, Cookie="balefire=guess")[0] == 403
    wire = http.client.HTTPConnection(desk.place, timeout=60)
    wire.request("GET", "/_stcore/stream", headers={**words, "Cookie": desk.cookie("vera"), "Origin": f"http://{desk.place}"})
    assert wire.getresponse().status == 101
    wire.close()
    for origin in ("http://evil.example", f"http://{desk.place}0", "http://localhost:9", "null"):  # the same host at another port has the cookie, too
        assert desk.ask("/_stcore/stream", **words, Cookie=desk.cookie("vera"), Origin=origin)[0] == 403


def test_a_session_is_a_cookie_that_no_script_reads_and_no_other_site_sends(desk: Desk) -> None:
    status, answer, _ = desk.login("anna", next="/alerts?lang=zh")
    told = str(answer.getheader("Set-Cookie"))
    assert (status, answer.getheader("Location")) == (303, "/alerts?lang=zh")
    assert re.fullmatch(r"balefire=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=lax", told)
    cookie = told.partition(";")[0]
    for _ in range(2):
        assert desk.ask("/", Cookie=cookie, **HTML)[0] == 200
    assert desk.ask("/", Cookie=cookie[:-1], **HTML)[0] == 303
    assert desk.ask("/logout", Cookie=cookie)[0] == 303
    assert desk.ask("/", Cookie=cookie, **HTML)[0] == 303
    assert desk.trail()[-2:] == [("anna", "login"), ("anna", "logout")]


def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone_and_guesses_are_told_apart(desk: Desk) -> None:
    """As `X-Forwarded-…` of a proxy on this machine says; of anybody else it is not believed."""
    _, answer, _ = desk.login("anna", X_Forwarded_Proto="https")
    assert "; Secure" in str(answer.getheader("Set-Cookie"))
    for address, kept_out in (("198.51.100.{}, 192.0.2.7", True), ("192.0.2.7, 203.0.113.{}", False)):  # what the client itself says stands before
        with ThreadPoolExecutor(24) as many:
            asked = [many.submit(desk.login, f"no{number}", "wrong", X_Forwarded_For=address.format(number)) for number in range(FREE["address"] + 4)]
        assert (429 in {each.result()[0] for each in asked}) == kept_out


@pytest.mark.parametrize(
    "place", ["//[", "//\u2100/", "//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x", "", "/logout"]
)
def test_after_login_nobody_is_sent_elsewhere(desk: Desk, place: str) -> None:
    status, answer, _ = desk.login("vera", next=place)
    assert (status, answer.getheader("Location")) == (303, "/")


def test_a_form_of_another_site_is_not_looked_at(desk: Desk) -> None:
    assert desk.login("vera", Origin="https://evil.example")[0] == 403
    assert desk.login("vera", Origin="http://[")[0] == 403
    assert desk.login("vera", Origin=f"http://{desk.place}")[0] == 303


@pytest.mark.parametrize(("path", "there"), [("/activity?lang=zh&range=7d", "explore?lang=zh&range=7d"), ("/rules", "rulebook"), ("/Alerts", "alerts")])
def test_a_page_is_found_by_the_name_that_people_read(desk: Desk, path: str, there: str) -> None:
    status, answer, _ = desk.ask(path, Cookie=desk.cookie("vera"), **HTML)
    assert (status, answer.getheader("Location")) == (303, there)


@pytest.mark.parametrize("path", ["/_stcore/agent/interact", "/_stcore/agent/mcp", "/api/alerts", "/_stcore/upload_file/a/b"])
def test_nothing_is_done_for_a_page_of_another_site_and_no_agent_is_served(desk: Desk, path: str) -> None:
    """Browsers send their cookies with what another port of this machine asks; Streamlit's ways for programs stay shut, whoever asks."""
    kept = desk.cookie("anna")
    for method in ("POST", "PUT"):
        status, _, said = desk.ask(path, method, "{}", Cookie=kept, Origin="http://127.0.0.1:1")
        assert (status, b"another site" in said) == (403, True)
    own, _, said = desk.ask(path, "POST", "{}", Cookie=kept, Origin=f"http://{desk.place}", Content_Type="application/json")
    assert own in (403, 404, 405) or (own, b"error" in said) == (400, True), said
    assert desk.ask(path, "POST", "{}")[0] == 401


def test_a_wrong_password_is_refused_and_tells_nothing(desk: Desk) -> None:
    status, answer, known = desk.login("anna", "wrong password")
    assert (status, answer.getheader("Set-Cookie")) == (403, None)
    other = desk.login("nobody-of-this-name", "wrong password")[2]
    assert known.replace(b"anna", b"") == other.replace(b"nobody-of-this-name", b"")
    assert b"&lt;script&gt;" in desk.login("<script>", "wrong")[2]
    assert desk.ask("/login", "POST", "name=" + "x" * 5000)[0] == 403


def test_who_guesses_has_to_wait_and_stands_in_the_trail(desk: Desk) -> None:
    told = [desk.login("rena", f"guess {number}")[0] for number in range(FREE["pair"])]
    assert told == [403] * FREE["pair"]
    status, answer, _ = desk.login("rena")
    assert status == 429, "the right one is not looked at either"
    assert int(str(answer.getheader("Retry-After"))) >= 1
    assert ("rena", "locked") in desk.trail()
    assert desk.login("anna")[0] == 303, "others are not kept out"


def test_who_guesses_all_at_once_or_as_a_program_waits_too(desk: Desk) -> None:
    with ThreadPoolExecutor(12) as many:
        asked = [many.submit(desk.told, "/api/alerts", "gus", f"guess {number}") for number in range(12)]
        told = [each.result()[0] for each in asked]
    assert told.count(401) <= FREE["pair"] + 1, "two are looked at at once"
    assert told.count(429) == 12 - told.count(401)
    word = base64.b64encode(b"gus:guess").decode()
    status, answer, _ = desk.ask("/api/alerts", Authorization=f"Basic {word}")
    assert (status, int(str(answer.getheader("Retry-After"))) >= 1) == (429, True)
    assert ("gus", "locked") in desk.trail()


def test_logging_in_ends_what_this_browser_had(desk: Desk) -> None:
    before = desk.cookie("anna")
    _, answer, _ = desk.login("anna", Cookie=before)
    after = str(answer.getheader("Set-Cookie")).partition(";")[0]
    assert (desk.ask("/", Cookie=before, **HTML)[0], desk.ask("/", Cookie=after, **HTML)[0]) == (303, 200)
    chosen = "balefire=" + "x" * 43  # a session that somebody else chose is none, before and after
    _, answer, _ = desk.login("anna", Cookie=chosen)
    assert chosen not in str(answer.getheader("Set-Cookie"))
    assert desk.ask("/", Cookie=chosen, **HTML)[0] == 303


def test_a_screen_stays_and_is_shown_the_wall_alone(desk: Desk) -> None:
    _, answer, _ = desk.login("wall")
    told = str(answer.getheader("Set-Cookie"))
    assert f"Max-Age={90 * 24 * 3600};" in told
    assert desk.ask("/", Cookie=told.partition(";")[0], **HTML)[0] == 200
    status, _, content = desk.ask("/api/alerts", Cookie=told.partition(";")[0])
    assert (status, json.loads(content)["error"]["key"]) == (403, "access.denied")
    assert desk.told("/metrics", "wall")[0] == 403


@pytest.mark.parametrize("path", ["/", "/login", "/_stcore/health", "/api/alerts", "/app/static/plex-sans-400.woff2"])
def test_no_other_site_frames_a_page_and_no_script_gets_into_one(desk: Desk, path: str) -> None:
    _, answer, _ = desk.ask(path, Cookie=desk.cookie("vera"), **HTML)
    told = str(answer.getheader("Content-Security-Policy"))
    assert "frame-ancestors" in told
    assert "script-src 'self' blob: 'sha256-" in told or "default-src 'none'" in told
    assert "unsafe" not in told
    assert answer.getheader("X-Content-Type-Options") == "nosniff"


def test_the_door_has_the_colours_and_letters_of_the_pages(desk: Desk) -> None:
    theme = tomllib.loads((Path(gate.__file__).parents[1] / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
    _, answer, content = desk.ask("/login", **HTML)
    style = content.decode().partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"font-src 'self'; style-src 'sha256-{digest}'" in str(answer.getheader("Content-Security-Policy"))
    for shade in ("light", "dark"):
        assert {f"--primary: {theme[shade]['primaryColor']};", f"--red-text: {theme[shade]['redTextColor']};"} <= set(re.findall(r"--[\w-]+: [^;]+;", style))
    assert '"Plex Sans", PingFang SC' in style
    for face in re.findall(r'url\("([^"]+)"\)', style):
        status, answer, octets = desk.ask(face)
        assert (status, answer.getheader("Content-Type"), octets[:4]) == (200, "font/woff2", b"wOF2")
    assert desk.ask("/app/static/plex-mono-400.woff2")[0] == 401, "what the door does not show"


@pytest.mark.parametrize(
    "path",
    ["/api/../alerts", "/api/%2e%2e/_stcore/health", "/login/../_stcore/health", "/login%2f..%2f_stcore/health", "//_stcore/health", "/health/", "/LOGIN",
     "/metrics/../", "/health;x", "/_stcore/metrics", "/app/static/x", "/oauth2callback", "/auth/login"],
)  # fmt: skip
def test_no_way_of_writing_a_path_gets_past_the_door(desk: Desk, path: str) -> None:
    assert desk.ask(path)[0] == 401


def test_an_account_that_is_taken_out_is_out_at_once(desk: Desk) -> None:
    cookie = desk.cookie("gone")
    assert desk.ask("/", Cookie=cookie, **HTML)[0] == 200
    accounts.read(desk.users).remove("gone").save()
    assert desk.ask("/", Cookie=cookie, **HTML)[0] == 303
    assert desk.login("gone")[0] == 403


def test_a_new_password_ends_what_was_begun_with_the_old_one(desk: Desk) -> None:
    cookie = desk.cookie("late")
    accounts.read(desk.users).password("late", PASSWORD + " two").save()
    assert desk.ask("/", Cookie=cookie, **HTML)[0] == 303
    assert desk.login("late")[0] == 403
    assert desk.login("late", PASSWORD + " two")[0] == 303


def test_while_the_accounts_cannot_be_read_nobody_gets_in(desk: Desk) -> None:
    cookie, other, content = desk.cookie("vera"), desk.cookie("vera"), desk.users.read_bytes()
    desk.users.write_bytes(b"{")
    try:
        assert desk.ask("/", Cookie=cookie, **HTML)[0] == 503
        assert desk.login("vera")[0] == 503
        assert desk.told("/api/alerts")[0] == 503
        assert desk.ask("/logout", Cookie=other)[0] == 303, "who wants to go can go"
    finally:
        desk.users.write_bytes(content)
    assert desk.ask("/", Cookie=cookie, **HTML)[0] == 200


# ── what programs are told ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_what_the_command_line_prints(desk: Desk, name: str) -> None:
    desk.cookie("vera")  # so that there is a trail
    rows: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        status, told = desk.told(f"/api/{name}?" + urlencode({"limit": 37, "after": after}))
        assert status == 200
        rows += told["rows"]
        after = told["after"]
    assert rows == lines(name, "--store", desk.store)[: len(rows)] if name == "audit" else rows == lines(name, "--store", desk.store)
    assert rows or name == "incidents"


def test_search_time_and_one_row(desk: Desk) -> None:
    asked = {"where": "severity:>=60", "sort": "-severity", "limit": 2, "since": "2026-11-22", "until": "2026-11-23"}
    status, told = desk.told("/api/alerts?" + urlencode(asked))
    words = ("--where", "severity:>=60", "--sort", "-severity", "--limit", 2, "--since", "2026-11-22", "--until", "2026-11-23")
    assert (status, told["rows"]) == (200, lines("alerts", "--store", desk.store, *words))
    assert len(told["rows"]) == 2
    first = told["rows"][0]
    assert desk.told(f"/api/alerts/{first['id']}") == desk.told(f"/api/alerts/{first['id'][:12]}") == (200, first)
    (activity,) = desk.told("/api/activities?limit=1")[1]["rows"]
    assert desk.told(f"/api/activities/{activity['id']}") == (200, activity)
    assert desk.told(f"/api/activities/{activity['id'][:-1]}")[0] == 404


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("/api/alerts?limt=1", 400, "api.parameter"),
        ("/api/alerts?limit=1001", 400, "api.limit"),
        ("/api/alerts?limit=%C2%B2", 400, "api.limit"),
        ("/api/alerts?since=yesterday", 400, "time"),
        ("/api/alerts?since=2026-11-23&until=2026-11-22", 400, "time_range"),
        ("/api/alerts?where=severity:(", 400, "search.syntax"),
        ("/api/alerts?where=foo:1", 400, "search.field"),
        ("/api/alerts?sort=foo", 400, "search.field"),
        ("/api/secrets", 404, "api.list"),
        ("/api/alerts/none", 404, "api.row"),
        ("/api/alerts/a/b", 404, "api.row"),
        ("/api/alerts/", 404, "api.row"),
        ("/api/findings/f", 404, "ambiguous"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(desk: Desk, path: str, status: int, key: str) -> None:
    found, told = desk.told(path)
    assert (found, told["error"]["key"]) == (status, key)
    assert len(told["error"]["text"]) > 10


def test_programs_show_name_and_password_or_are_refused(desk: Desk) -> None:
    status, answer, _ = desk.ask("/api/alerts")
    assert (status, str(answer.getheader("WWW-Authenticate"))[:6]) == (401, "Basic ")
    for header in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer x", "Basic " + base64.b64encode(b"\xff:\xff").decode()):
        assert desk.ask("/api/alerts", Authorization=header)[0] == 401
    assert desk.told("/api/alerts", "vera", "wrong")[0] == 401
    assert desk.ask("/api/alerts", "POST", Cookie=desk.cookie("vera"))[0] == 405
    assert desk.ask("/metrics")[0] == 401


def test_what_openapi_names_is_there(desk: Desk) -> None:
    status, told = desk.told("/api/openapi.json")
    assert (status, told) == (200, openapi())
    for path in told["paths"]:
        assert desk.told(path.replace("{id}", "none"))[0] == (404 if "{id}" in path else 200)


def test_health_needs_no_login_and_tells_little(desk: Desk) -> None:
    status, _, content = desk.ask("/health")
    assert (status, json.loads(content)) == (200, {"status": "ok", "newest": "2026-11-22T16:44:59.999999999Z"})


def test_metrics_are_what_the_store_holds(desk: Desk) -> None:
    word = base64.b64encode(f"vera:{PASSWORD}".encode()).decode()
    status, answer, content = desk.ask("/metrics", Authorization=f"Basic {word}")
    assert (status, str(answer.getheader("Content-Type"))[:10]) == (200, "text/plain")
    told = dict(line.rsplit(" ", 1) for line in content.decode().splitlines() if not line.startswith("#"))
    alerts = lines("alerts", "--store", desk.store, "--where", "NOT status:closed")
    assert sum(float(value) for name, value in told.items() if name.startswith("balefire_open_alerts")) == len(alerts) > 0
    assert float(told['balefire_hour{counter="packets"}']) == sum(row["packets"] for row in lines("coverage", "--store", desk.store))


# ── the file, the roles, the command line ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_accounts_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, secret = tmp_path / "sub" / "accounts.json", tmp_path / "secret"
    monkeypatch.setenv(sessions.USERS, str(file))
    secret.write_text(PASSWORD + "\nsecond line\n")
    assert "nobody has to log in" in balefire("user", "list").output
    assert one("user", "add", "李伟", "--role", "analyst", "--password-file", secret)["role"] == "analyst"
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in file.read_text()
    assert Doorman(file).admits("李伟", PASSWORD) is not None
    assert Doorman(file).admits("李伟", PASSWORD + "!") is None
    assert one("user", "role", "李伟", "--role", "viewer")["role"] == "viewer"
    assert [(row["name"], row["role"]) for row in lines("user", "list")] == [("李伟", "viewer")]
    for words in (
        ("add", "李伟", "--role", "viewer"),
        ("add", "a b", "--role", "viewer"),
        ("remove", "x"),
        ("role", "x", "--role", "viewer"),
        ("password", "x"),
    ):
        result = balefire("user", *words, *(("--password-file", secret) if words[0] in ("add", "password") else ()))
        assert result.exit_code == 2, words
    secret.write_text("short\n")
    assert balefire("user", "password", "李伟", "--password-file", secret).exit_code == 2
    piped = balefire("user", "add", "analyst", "--role", "analyst", "--language", "en")
    assert (piped.exit_code, "--password-file" in piped.output) == (2, True), "no terminal to type at"
    assert one("user", "remove", "李伟")["role"] is None
    assert "no audit trail" in balefire("user", "add", "x", "--role", "viewer", "--provider", "--store", tmp_path / "none", "--language", "en").output
    assert balefire("user", "remove", "x", "--by", " ").exit_code == 2
    assert Doorman(file).find("x") is not None, "nobody does nothing"
    assert one("user", "remove", "x")["role"] is None
    assert balefire("dashboard", "--store", stored()[0]).exit_code == 2, "a file without accounts lets nobody in"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"accounts": [{"name": "a"}]}', b'{"accounts": [{"name": "a", "role": "root", "hash": "$argon2id$", "changed": ""}]}', b"\xff",
     b'{"accounts": [{"name": "a", "role": "viewer", "hash": "plain", "changed": ""}]}', b'{"accounts": [], "more": 1}',
     b'{"accounts": [' + b",".join([b'{"name": "a", "role": "viewer", "hash": "$argon2id$", "changed": ""}'] * 2) + b"]}"],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "accounts.json").write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / "accounts.json"))):
        accounts.read(tmp_path / "accounts.json")


def test_a_file_that_others_may_write_is_not_believed(tmp_path: Path) -> None:
    file = add(tmp_path / "accounts.json", ("a", "viewer"))
    file.chmod(0o620)
    with pytest.raises(UsageError, match="chmod 600"):
        accounts.read(file)


def test_without_accounts_it_listens_on_this_machine_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for address in ("0.0.0.0", "::", "192.0.2.1"):
        result = balefire("dashboard", "--store", stored()[0], "--listen", address)
        assert result.exit_code == 2
        assert "balefire user add" in result.output
    assert balefire("dashboard", "--store", stored()[0], "--listen", "plant").exit_code == 2
    monkeypatch.setenv("BALEFIRE_DASHBOARD__ADDRESS", "0.0.0.0")
    assert balefire("dashboard", "--store", stored()[0]).exit_code == 2
    monkeypatch.setenv(sessions.USERS, str(tmp_path / "none.json"))
    assert "none.json" in balefire("dashboard", "--store", stored()[0]).output


@pytest.mark.skipif(sys.platform != "linux", reason="doctor looks at Linux")
def test_a_running_dashboard_asks_for_a_login_from_the_first_account_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "accounts.json"
    monkeypatch.setenv(sessions.USERS, "")
    monkeypatch.setenv(sessions.AWAITED, str(file))
    assert sessions.access() is None
    Accounts(file, {}).add("adm", "administrator", "correct horse battery").save()
    desk = sessions.access()
    assert desk is not None
    assert desk.doorman.find("adm")
    file.unlink()
    assert sessions.access() is desk, "where the file goes again, nobody comes in"


def test_doctor_tells_what_would_keep_the_dashboard_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def door() -> str | None:
        told = json.loads(balefire("doctor", "--store", tmp_path / "none", "--json", "--language", "en").stdout)["checks"]
        return next(check["advice"] for check in told if check["check"] == "door")

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert door() is None
    monkeypatch.setenv("BALEFIRE_DASHBOARD__ADDRESS", "0.0.0.0")
    assert "balefire user add" in str(door())
    file = add(tmp_path / "accounts.json", ("a", "viewer"))
    monkeypatch.setenv(sessions.USERS, str(file))
    assert door() is None
    file.chmod(0o666)
    assert "chmod 600" in str(door())


def test_what_is_decided_without_a_session_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only the button is out of reach: what it calls refuses, too."""
    store = open_store(str(shutil.copytree(stored()[0], tmp_path / "store")))
    (row, *_) = lines("alerts", "--store", tmp_path / "store")
    draft = suppressing.drafted(store, row["id"], suppressing.prefilled(store, row["id"]).where, "a", "known", 3)
    monkeypatch.setenv(sessions.USERS, str(add(tmp_path / "accounts.json", ("a", "administrator"))))
    tries = (
        lambda: deciding.decide(store, {row["id"]: row["revision"]}, "acknowledge", "a"),
        lambda: deciding.hide(store, draft, "a"),
        lambda: deciding.show_again(store, draft, "a", ""),
        lambda: packets.file(row["id"], "en"),
    )
    for each in tries:
        with pytest.raises(DeniedError):
            each()
    assert lines("audit", "--store", tmp_path / "store") == []
    monkeypatch.delenv(sessions.USERS)
    for each in tries[:2]:
        each()
    assert [each["action"] for each in lines("audit", "--store", tmp_path / "store")] == ["acknowledge", "suppress"]
    store.close()


@pytest.mark.parametrize("role", ROLES)
def test_what_is_shown_or_made_asks_for_its_right(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called directly, too: packets, a report, its release, the trying of a rule. What is asked for here is nothing, so that it ends at once."""
    monkeypatch.setattr(visitor, "visitor", lambda: sessions.Visitor("a", role))
    monkeypatch.setenv("BALEFIRE_STORE", str(stored()[0]))
    store, nothing = opening.opened(), Span(0, 1)
    book = rulings.in_force(store)
    assert book is not None
    rule = next(each for each in book.book.rules if each.id == "address-sweep")
    tries: list[tuple[str, Callable[[], object]]] = [
        ("packets", lambda: packets.file("a" * 33, "en")),
        ("report", lambda: printouts.make("never", "over", "")),
        ("release", lambda: releasing.ask("none")),
        ("rules", lambda: trying.text(store, book, rule, "title: [", nothing)),
    ]
    if "rules" not in ROLES[role]:  # whoever may has seconds of it; tests of that page have them already
        page = Page(store, "en", Clock(UTC, "en", 2026), nothing, "all")
        tries.append(("rules", lambda: trying.curve(page, book, rule, bounds(book.texts[rule.file])[0], True)))
    for right, act in tries:
        try:
            act()
            denied = False
        except DeniedError:
            denied = True
        except (BalefireError, LookupError):
            denied = False
        assert denied == (right not in ROLES[role]), right


@pytest.mark.parametrize("role", ROLES)
def test_each_action_asks_for_its_right(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called directly, as a socket could have a callback run whose button is out of reach."""
    monkeypatch.setattr(visitor, "visitor", lambda: sessions.Visitor("a", role))
    store = open_store(str(shutil.copytree(stored()[0], tmp_path / "store")))
    (row, *_) = lines("alerts", "--store", tmp_path / "store")
    draft = suppressing.drafted(store, row["id"], suppressing.prefilled(store, row["id"]).where, "a", "known", 3)
    tries = {
        "decide": lambda: deciding.decide(store, {row["id"]: row["revision"]}, "acknowledge", "a"),
        "suppress": lambda: deciding.hide(store, draft, "a"),
    }
    for right, act in tries.items():
        with nullcontext() if right in ROLES[role] else pytest.raises(DeniedError):
            act()
        why = visitor.lacking(right, "en")
        assert (why is None) == (right in ROLES[role])
        assert why is None or why.endswith("Who may: analyst, engineer, administrator.")
    done = [each["action"] for each in lines("audit", "--store", tmp_path / "store")]
    assert done == (["acknowledge", "suppress"] if "decide" in ROLES[role] else [])
    store.close()


def test_what_is_done_to_accounts_stands_in_the_trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = shutil.copytree(stored()[0], tmp_path / "store")
    monkeypatch.setenv(sessions.USERS, str(tmp_path / "accounts.json"))
    (tmp_path / "secret").write_text(PASSWORD)
    by = ("--by", "Wu", "--store", store)
    secret = ("--password-file", tmp_path / "secret")
    for words in (("add", "vera", "--role", "viewer", *secret), ("role", "vera", "--role", "engineer"), ("password", "vera", *secret), ("remove", "vera")):
        assert one("user", *words, *by)["name"] == "vera"
    told = [(row["by"], row["action"], row["subject"], row["before"], row["after"]) for row in lines("audit", "--store", store)]
    viewer, engineer = {"role": "viewer"}, {"role": "engineer"}
    assert told == [
        ("Wu", "account_add", "vera", None, viewer),
        ("Wu", "account_role", "vera", viewer, engineer),
        ("Wu", "account_password", "vera", engineer, engineer),
        ("Wu", "account_remove", "vera", engineer, {}),
    ]
    assert PASSWORD not in json.dumps(told)
    assert "account added: viewer" in balefire("audit", "--store", store, "--language", "en").stdout
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "store.sqlite").write_bytes(b"no database at all" * 1000)
    result = balefire("user", "add", "eva", "--role", "viewer", *secret, "--store", tmp_path / "broken", "--language", "en")
    assert (result.exit_code, "the audit trail does not tell it" in result.stderr) == (4, True)
    assert Doorman(tmp_path / "accounts.json").find("eva") is not None, "who has to be kept out is, also then"


def test_each_role_may_what_the_one_before_may() -> None:
    ladder = ["screen", "regulator", "viewer", "analyst", "engineer", "administrator"]
    agencies = [f"agency-{name}" for name in AGENCIES]
    assert sorted([*ladder, *agencies]) == sorted(ROLES)
    assert not any(ROLES[name] for name in agencies)
    for lower, higher in pairwise(ladder):
        assert ROLES[lower] < ROLES[higher]
    denied = DeniedError("access.denied", role="viewer", right="decide")
    assert "viewer may not decide about alerts" in denied.text("en")
    assert "查看员无权处置告警" in denied.text("zh")
    for agency in agencies:
        assert "sees the duties towards that agency, on the page Duties" in DeniedError("access.agency", role=agency).text("en")


def test_waits_grow_and_end() -> None:
    guesses = Guesses()
    waits = [guesses.wrong("a", "1", 0.0) for _ in range(30)]
    assert waits[: FREE["pair"] - 1] == [0.0] * (FREE["pair"] - 1)
    assert waits[FREE["pair"] - 1 : FREE["pair"] + 3] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_S
    assert guesses.wait("a", "1", LONGEST_S) == 0.0
    assert guesses.wait("b", "1", 1.0) > 0, "the address has guessed too often"
    assert guesses.wait("a", "2", 1.0) == 0, "from elsewhere the name is not kept out yet"
    for number in range(FREE["name"]):
        guesses.wrong("c", f"10.0.0.{number}", 0.0)
    assert guesses.wait("c", "2", 0.5) > 0, "from anywhere, after so many"
    guesses.right("a", "3")
    assert guesses.wrong("a", "1", 10_000.0) == 0.0, "after an hour it is forgotten"


def test_who_has_a_network_of_addresses_guesses_as_one() -> None:
    guesses = Guesses()
    for number in range(FREE["address"]):
        guesses.wrong(f"n{number}", f"2001:db8:1:1::{number:x}", 0.0)
    assert guesses.wait("b", "2001:db8:1:1:ffff::1", 0.5) > 0
    assert guesses.wait("b", "2001:db8:1:2::1", 0.5) == 0
    assert guesses.wait("b", "a name", 0.5) == 0


def test_guesses_are_bounded() -> None:
    guesses = Guesses()
    guesses.wrong("x" * 100_000, "a", 0.0)
    assert max(len(key[1]) for key in guesses._records) < 100  # pyright: ignore[reportPrivateUsage]
    for number in range(2 * MOST):
        guesses.wrong(f"n{number}", f"a{number}", 0.0)
    assert len(guesses._records) == MOST  # pyright: ignore[reportPrivateUsage]


def test_sessions_are_bounded_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = sessions.Access(add(tmp_path / "accounts.json", ("a", "viewer")))
    account = desk.doorman.find("a")
    assert account is not None
    monkeypatch.setattr(sessions, "MOST", 3)
    tokens = [desk.begin(account) for _ in range(4)]
    assert sum(desk.find(token) is not None for token in tokens) == 3
    monkeypatch.setattr(sessions, "LONGEST_S", -1)
    assert desk.find(desk.begin(account)) is None
    assert os.environ.get(sessions.USERS) is None


def test_a_session_outlives_the_dashboard_and_ends_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = add(tmp_path / "accounts.json", ("a", "viewer"), ("b", "viewer"), ("c", "viewer"))
    before = sessions.Access(file)
    tokens = {name: before.begin(account) for name in "abc" if (account := before.doorman.find(name))}
    shelf = tmp_path / "accounts.sessions"
    assert shelf.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o777 for each in shelf.iterdir()} == {0o600}
    assert not any(token in each.name + each.read_text() for token in tokens.values() for each in shelf.iterdir()), "only digests are kept"

    def inside() -> list[str]:
        again = sessions.Access(file)
        return [name for name in "abc" if again.find(tokens[name])]

    assert inside() == ["a", "b", "c"]
    accounts.read(file).password("a", PASSWORD).save()
    assert inside() == ["b", "c"], "a new password ends it"
    assert sessions.Access(file).end(tokens["b"]) == "b"
    assert before.find(tokens["b"]) is None, "ended for every dashboard of these accounts"
    accounts.read(file).remove("c").save()
    accounts.read(file).add("c", "administrator", PASSWORD).save()
    assert inside() == [], "another one of the same name does not come in by it"
    token = before.begin(before.doorman.find("c") or pytest.fail("no c"))
    moment = time.time()
    for later, seen in ((sessions.LONGEST_S - 60, True), (sessions.LONGEST_S + 1, False), (-2 * sessions.SKEW_S, False)):
        with monkeypatch.context() as patch:
            patch.setattr(sessions.time, "time", lambda now=moment + later: now)
            patch.setattr(sessions.Shelf, "drop", lambda _shelf, _digest: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
            assert (before.find(token) is not None) == seen, later
    (only,) = shelf.iterdir()
    only.unlink()
    assert before.find(token) is None, "who deletes the file ends it"


def test_a_session_that_somebody_else_put_there_is_none(tmp_path: Path) -> None:
    desk = sessions.Access(add(tmp_path / "accounts.json", ("a", "administrator")))
    token = desk.begin(desk.doorman.find("a") or pytest.fail("no a"))
    shelf = tmp_path / "accounts.sessions"
    (file,) = shelf.iterdir()
    told = file.read_text()
    for spoil, mend in (
        (lambda: file.chmod(0o622), lambda: file.chmod(0o600)),
        (lambda: shelf.chmod(0o777), lambda: shelf.chmod(0o700)),
        (lambda: file.write_text("[]"), lambda: file.write_text(told)),
        (lambda: file.write_text(told.replace('"begun": ', '"begun": "x') + '"'), lambda: file.write_text(told)),
    ):
        spoil()
        assert desk.find(token) is None
        mend()
        assert desk.find(token) is not None
    (tmp_path / "planted").write_text(told)
    file.unlink()
    file.symlink_to(tmp_path / "planted")
    assert desk.find(token) is None
    for guess in ("../planted", "..", "", "/", "\0", "\udcff", "x" * 100_000):
        assert desk.find(guess) is None


def test_where_sessions_cannot_be_kept_they_end_with_the_dashboard(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = add(tmp_path / "accounts.json", ("a", "viewer"))
    (tmp_path / "accounts.sessions").write_text("in the way")
    desk = sessions.Access(file)
    _, token = (desk.begin(desk.doorman.find("a") or pytest.fail("no a")) for _ in range(2))
    assert desk.find(token) is not None
    assert sessions.Access(file).find(token) is None
    assert capfd.readouterr().err.count("sessions end with the dashboard") == 1
    assert desk.end(token) == "a"
    assert desk.find(token) is None
