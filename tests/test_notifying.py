"""Alerts are told to people: once, graver ones again, in quiet hours only what is urgent, past the limit as one digest."""

from __future__ import annotations

import http.server
import json
import re
import socket
import threading
import warnings
from dataclasses import replace
from datetime import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from balefire.commands.serve import reporting
from balefire.screen import Screen
from balefire.settings import Notify, Send, Settings
from records.errors import StoreError, UsageError
from records.store import open_store
from records.store.contract import Commit
from records.store.spool import Spool, waiting_alerts
from reports.notifying import LISTED, Notifier, Wish, message, targets
from tests.cli import ROOT, balefire, one
from tests.shipped import parsed
from tests.test_store import alert, finding

if TYPE_CHECKING:
    from records.store.contract import Store

NOON, NIGHT = 1_795_348_800.0, 1_795_388_400.0  # 2026-11-22, 12:00 and 23:00 UTC
QUIET = (time(22), time(6))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"), True)


def put(store: Store, **severities: int) -> None:
    numbers = {name: int(name[1:]) for name in severities}
    alerts = tuple(replace(alert(numbers[name]), severity=severity) for name, severity in severities.items())
    stored = {each.id: each.revision for each in store.alerts([each.id for each in alerts])}
    store.write(Commit(findings=tuple(finding(number, alert=f"al{number}") for number in numbers.values()),
                       alerts=tuple(replace(each, revision=stored.get(each.id, 0)) for each in alerts)))  # fmt: skip


class Phone:
    """Somebody's telephone, which may be off."""

    def __init__(self) -> None:
        self.heard, self.on = list[tuple[str, str]](), True

    def __call__(self, title: str, body: str) -> bool:
        if self.on:
            self.heard.append((title, body))
        return self.on


def ringing(tmp_path: Path, phone: Phone, **wish: Any) -> Notifier:
    return Notifier(tmp_path / "post", Wish(**wish), "en", {"phone": phone})


def test_an_alert_is_told_once_and_again_where_it_became_graver(store: Store, tmp_path: Path) -> None:
    phone = Phone()
    notifier = ringing(tmp_path, phone)
    put(store, a1=62, a2=30)
    assert notifier.look(store, NOON) == {"phone": 1}
    assert notifier.look(store, NOON + 60) == {"phone": 0}
    put(store, a1=70)
    assert ringing(tmp_path, phone).look(store, NOON + 120) == {"phone": 0}, "as grave a word as before, also after a restart"
    put(store, a1=85)
    assert notifier.look(store, NOON + 180) == {"phone": 1}
    assert [title.split(":")[0] for title, _body in phone.heard] == ["high 62", "critical 85"]


def test_what_did_not_go_out_is_told_with_the_next_look(store: Store, tmp_path: Path) -> None:
    phone = Phone()
    notifier = ringing(tmp_path, phone)
    put(store, a1=62)
    phone.on = False
    assert notifier.look(store, NOON) == {"phone": -1}
    phone.on = True
    assert notifier.look(store, NOON + 60) == {"phone": 1}
    assert len(phone.heard) == 1


def test_what_waits_for_a_store_that_is_away_is_told_and_not_again_when_it_is_stored(store: Store, tmp_path: Path) -> None:
    phone = Phone()
    notifier = ringing(tmp_path, phone)
    spool = Spool(tmp_path / "spool")
    spool.tell(spool.put(Commit()), [replace(alert(1), severity=62), replace(alert(2), severity=30)])
    spool.close()
    waiting = waiting_alerts(tmp_path / "spool")
    assert [notifier.tell(waiting, NOON + 60 * minute) for minute in range(2)] == [{"phone": 1}, {"phone": 0}]
    put(store, a1=62)
    assert notifier.look(store, NOON + 120) == {"phone": 0}


def test_notes_that_are_broken_are_said(store: Store, tmp_path: Path) -> None:
    notifier = Notifier(tmp_path / "post", Wish(), "en", {"phone": lambda _title, _text: True})
    (tmp_path / "post" / "told.sqlite").write_bytes(b"broken" * 1000)
    put(store, a1=62)
    with pytest.raises(StoreError, match="Deliveries cannot be noted in"):
        notifier.look(store, 0.0)


def test_a_target_that_always_fails_is_tried_with_growing_pauses_and_shown_as_failing(store: Store, tmp_path: Path) -> None:
    tried: list[float] = []

    def dead(_title: str, _body: str) -> bool:
        tried.append(now)
        return False

    phone = Phone()
    notifier = Notifier(tmp_path / "post", Wish(), "en", {"dead": dead, "phone": phone})
    put(store, a1=62)
    for minute in range(3 * 60):
        now = NOON + minute * 60
        assert notifier.look(store, now) == {"dead": -1, "phone": int(minute == 0)}, "another target does not wait for it"
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == [60, 300, 900, 3600, 3600]


def test_quiet_hours_end_with_one_digest(store: Store, tmp_path: Path) -> None:
    phone = Phone()
    notifier = ringing(tmp_path, phone, quiet=QUIET)
    put(store, a1=62, a2=64)
    assert notifier.look(store, NIGHT) == {"phone": 0}
    put(store, a3=90)
    assert notifier.look(store, NIGHT + 60) == {"phone": 1}
    assert notifier.look(store, NIGHT + 7 * 3600 - 1) == {"phone": 0}
    assert notifier.look(store, NIGHT + 7 * 3600) == {"phone": 2}
    assert phone.heard[1][0] == "Balefire: 2 alerts"
    assert Wish(quiet=QUIET, zone="Asia/Shanghai").is_quiet(NOON + 3 * 3600)
    assert not Wish(quiet=QUIET, zone="Asia/Shanghai").is_quiet(NOON)
    assert Wish(quiet=(time(11), time(13))).is_quiet(NOON)


def test_past_the_limit_what_comes_is_gathered_and_nothing_is_dropped(store: Store, tmp_path: Path) -> None:
    phone = Phone()
    notifier = ringing(tmp_path, phone, hourly=3)
    told = 0
    for number in range(1, 11):
        put(store, **{f"a{number}": 60 + number})
        told += notifier.look(store, NOON + number * 60)["phone"]
    assert (told, len(phone.heard)) == (3, 3)
    assert notifier.look(store, NOON + 60 + 3600)["phone"] == 7
    assert phone.heard[-1][0] == "Balefire: 7 alerts"


@pytest.mark.parametrize("quiet", [None, QUIET], ids=["by day", "in quiet hours"])
def test_past_the_limit_what_is_urgent_is_told_at_once(store: Store, tmp_path: Path, quiet: tuple[time, time] | None) -> None:
    phone, now = Phone(), NIGHT
    notifier = ringing(tmp_path, phone, hourly=2, quiet=quiet)
    for number in (1, 2, 3):
        put(store, **{f"a{number}": 90 + number})
        assert notifier.look(store, now + number) == {"phone": 1}
    put(store, a4=62)
    assert notifier.look(store, now + 4) == {"phone": 0}, "what is not waits"
    put(store, a5=79)
    assert notifier.look(store, now + 5) == {"phone": 0}
    put(store, a6=80)
    assert notifier.look(store, now + 6) == {"phone": 1 if quiet else 3}, "by day the rest goes along in the same message"
    assert (len(phone.heard), notifier.look(store, now + 7)) == (4, {"phone": 0})
    assert phone.heard[-1][1].startswith("critical 80")
    assert notifier.look(store, now + 7 * 3600) == {"phone": 2 if quiet else 0}


def test_a_digest_is_bounded_and_the_gravest_come_first() -> None:
    rows = [{"id": f"al{number}", "severity": number, "title.en": f"t{number}\x1b[31m", "title.zh": "题"} for number in range(60, 100)]
    title, body = message(rows, "en", {})
    assert title == "Balefire: 40 alerts"
    assert body.splitlines()[0].startswith("critical 99")
    assert body.splitlines()[-1] == f"and {40 - LISTED} more"
    assert "\x1b" not in body
    assert message(rows, "zh", {})[0] == "Balefire：40 条告警"


def test_alerts_of_two_sites_that_are_called_alike_are_told_apart(store: Store, tmp_path: Path) -> None:
    alike = [replace(alert(number), severity=70, findings=(f"f{number}",)) for number in (1, 2, 3)]
    sites = ("North Harbour", "Linghe\x1b[31m", None)
    store.write(Commit(findings=tuple(replace(finding(n, alert=f"al{n}"), site=site) for n, site in zip((1, 2, 3), sites, strict=True)), alerts=tuple(alike)))
    phone = Phone()
    assert ringing(tmp_path, phone).look(store, NOON) == {"phone": 3}
    lines = phone.heard[0][1].splitlines()
    assert [line.partition(": ")[2].partition(" · ")[0] for line in lines[:2]] == ["North Harbour", r"Linghe\x1b[31m"]
    assert " · " not in lines[2], "of what is not known nothing is said"


def test_addresses_are_checked_and_never_repeated(tmp_path: Path) -> None:
    file = tmp_path / "addresses"
    for text in ("", "# nobody\n", "nonsense://secret-token\n"):
        file.write_text(text)
        with pytest.raises(UsageError) as told:
            targets(file)
        assert "secret-token" not in told.value.text("en")
    with pytest.raises(UsageError):
        targets(tmp_path / "none")


def test_the_addresses_that_the_docs_show_lead_to_their_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the Internet by a proxy, which is told where each wants to go, and lets none through."""
    asked: list[str] = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    shown = re.search(r"```text\n(.+?)```", (ROOT / "docs" / "delivery.md").read_text("utf-8"), re.DOTALL)
    assert shown
    mail, *bots, syslog, local = shown[1].splitlines()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of modules that it loads
        import apprise

        known: Any = apprise.Apprise
        told: Any = known.instantiate(mail)
        assert known.instantiate(local) is not None
    assert (told.smtp_host, told.secure_mode, told.from_addr[1], told.targets) == (
        "mail.plant.example", "starttls", "balefire@plant.example", [(False, "duty@plant.example")]
    )  # fmt: skip
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("no_proxy", "")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
            log.bind(("127.0.0.1", 0))
            log.settimeout(10)
            (tmp_path / "addresses").write_text("\n".join((*bots, syslog.replace("syslog.plant.example:514", f"127.0.0.1:{log.getsockname()[1]}"))))
            sent = [send("high 62", "writes to pump 3") for send in targets(tmp_path / "addresses").values()]
            line = log.recv(4096).decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    assert asked == [f"{host}:443" for host in ("qyapi.weixin.qq.com", "oapi.dingtalk.com", "open.feishu.cn", "prod-01.westeurope.logic.azure.com")]
    assert sent == [False] * 4 + [True], "what did not go out is said to be so"
    assert "writes to pump 3" in line


def test_where_settings_say_whom_serve_starts_what_sends_and_what_it_prints_goes_nowhere() -> None:
    assert reporting(Screen(Settings(), "zh", "store"), None) == []
    told = Settings(delivery=Send(file="ways.yml"), notification=Notify(addresses="notify.secret"))
    jobs = reporting(Screen(told, "zh", "store"), Path("a.toml"))
    assert [job.command[1:5] for job in jobs] == [("-m", "balefire", "--settings", "a.toml")] * 2
    assert [parsed(" ".join(job.command[5:])) for job in jobs] == [
        ("run", {"every": 60, "file": None, "folder": None, "language": "zh", "as_json": False}),
        ("notify", {"every": 60, "store": "store", "language": "zh", "as_json": False}),
    ]
    assert all(job.spare and job.hushed for job in jobs)


def test_the_command_tells_a_real_server(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    put(store, a1=62)
    store.close()
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(tmp_path / "post"))
    assert balefire("notify", "--store", tmp_path / "store").exit_code == 2
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        (tmp_path / "addresses").write_text(f"json://127.0.0.1:{server.server_address[1]}/in\n")
        monkeypatch.setenv("BALEFIRE_NOTIFICATION__ADDRESSES", str(tmp_path / "addresses"))
        (tmp_path / "addresses").chmod(0o604)
        first = balefire("notify", "--store", tmp_path / "store", "--language", "en", "--json")
        assert (json.loads(first.stdout), "may be read or changed by everybody" in first.stderr) == ({"told": 1, "failed": 0}, True)
        assert one("notify", "--store", tmp_path / "store") == {"told": 0, "failed": 0}
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
    (told,) = heard
    assert "high 62" in told["title"]
