"""Deliveries: each release to each receiver once, whatever the other side does: refuses, greylists, dies mid-mail; real servers on the other end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from records.errors import InputError, StoreError, UsageError
from reports import keys
from reports.channel import channels, lacking
from reports.deliver import PAUSES_S, Post
from reports.ledger import Ledger
from reports.posted import FILE
from reports.verifying import verify
from reports.ways import Way, ways
from reports.whom import Rule
from tests.cli import ROOT, balefire, lines, one
from tests.test_release import WHEN, made, pdf, release

if TYPE_CHECKING:
    from collections.abc import Generator

    from reports.keys import Key


class Clock:
    """A clock that stands until it is moved."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COST", 1 << 14)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return made(Ledger(tmp_path / "ledger"), tmp_path / "keys")


@pytest.fixture
def entry(tmp_path: Path, key: Key) -> Path:
    ledger = Ledger(tmp_path / "ledger")
    return ledger.path(release(ledger, key, (pdf(tmp_path),)).number)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "post")


def certified(file: Path, authority: Path | None = None) -> Path:
    """A certificate for localhost and its key, in one file: signed by itself, so an authority, too, or by this authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost" if authority else "The plant's authority")])
    issuer, signs = name, private
    if authority:
        read: Any = serialization.load_pem_private_key(authority.read_bytes(), None)
        issuer, signs = x509.load_pem_x509_certificate(authority.read_bytes()).subject, read
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(private.public_key()).serial_number(x509.random_serial_number())
    built = built.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    signed = built.add_extension(x509.BasicConstraints(ca=not authority, path_length=None), critical=True).sign(signs, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private.private_bytes(*form) + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certified(tmp_path_factory.mktemp("tls") / "server.pem")


# mail


class Mailbox:
    """What the server does with a mail, one word a try, the last one for all that follow; what it has taken."""

    def __init__(self, *acts: str) -> None:
        self.acts, self.taken, self.asked = list(acts), list[tuple[list[str], bytes]](), 0

    def act(self) -> str:
        return self.acts[min(self.asked, len(self.acts)) - 1] if self.acts else "take"

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.asked += 1
        envelope.mail_from = address
        return "452 no room" if self.act() == "full" else "250 OK"

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.act() == "hang up":
            server.transport.close()
        if self.act() in {"greylist", "unknown"}:
            return "451 4.7.1 greylisted" if self.act() == "greylist" else "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        act = self.act()
        if act == "lose":
            server.transport.abort()
            return "451 lost"
        if act == "refuse":
            return "554 no"
        if act == "later":
            return "451 try later"
        self.taken.append((envelope.rcpt_tos, envelope.content))
        if act == "take and die":
            server.transport.abort()
        return "250 taken as 4711"


@contextlib.contextmanager
def serving(box: Mailbox, certificate: Path, **more: Any) -> Generator[dict[str, Any]]:
    from aiosmtpd.controller import Controller

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="localhost", port=port, tls_context=context, require_starttls=True, **more)
    controller.start()
    try:
        yield {"host": "localhost", "port": port, "ca": str(certificate), "from": "balefire@plant.example", "to": "desk@agency.example"}
    finally:
        controller.stop()


@contextlib.contextmanager
def mailing(box: Mailbox, certificate: Path) -> Generator[Way]:
    with serving(box, certificate) as settings:
        yield Way("desk", "mail", settings)


def states(post: Post) -> list[str]:
    return [row["status"] for row in post.rows()]


def day_after_day(post: Post, way: Way, clock: Clock, days: int = 5) -> None:
    for _ in range(days * 24 * 12):
        if "waiting" not in states(post):
            return
        clock.now += 300
        post.run({way.name: way}, clock)


def test_a_mail_is_taken_whole_and_verifies_at_the_receivers(post: Post, entry: Path, key: Key, certificate: Path, tmp_path: Path) -> None:
    import email
    import email.policy

    box, clock, ledger = Mailbox(), Clock(), Ledger(entry.parent)
    warns = ledger.release(key, {"id": "w1", "title": "X \u202eevil", "colour": "orange"}, [pdf(tmp_path)], by="ada", time=WHEN, kind="warning")
    with mailing(box, certificate) as way:
        post.add(entry, way, clock())
        assert post.add(entry, way, clock()) == {post.rows()[0]["id"]: "waiting"}, "noted once"
        assert post.run({"desk": way}, clock) == {"sent": 1}
        assert post.run({"desk": way}, clock) == {}
        post.add(ledger.path(warns.number), way, clock())
        assert post.run({"desk": way}, clock) == {"sent": 1}
        week = {"kind": "summary", "id": "weekly-2026-11-02-27114d5fac66", "period": "weekly", "first_day": "2026-11-02",
                "until_local": "2026-11-09T00:00:00+08:00", "site": None, "sites": [{"site": "North Harbour"}, {"site": "Linghe"}, {"site": "E"}]}  # fmt: skip
        form = {"id": "d1", "title": "First report", "duty": "cn-incident/first", "case": "66322c771016"}
        for kind, document in (("report", week), ("duty", form)):
            post.add(ledger.path(ledger.release(key, document, [], by="ada", time=WHEN, kind=kind).number), way, clock())
        assert post.run({"desk": way}, clock) == {"sent": 2}
    (to, content), (_to, warning), *others = box.taken
    assert {email.message_from_bytes(each, policy=email.policy.default)["Subject"] for _to, each in others} == {
        "Weekly security report · 网络安全周报 · North Harbour, Linghe, … · 2026-11-02 – 2026-11-08 (000004.json)",
        "First report to the provincial cyberspace office · 初次报告（报省级网信部门） · 66322c771016 (000005.json)",
    }
    warned = email.message_from_bytes(warning, policy=email.policy.default)
    assert warned["Subject"] == "Cyber security warning ▲ orange · 网络安全预警 ▲ 橙色 · X \\u202eevil (000003.json)"
    kinds = [part.get_content_type() for part in cast("Any", warned).iter_attachments()]
    assert kinds == ["application/octet-stream", "application/pdf"], "the entry is read by a program, the page by a person"
    assert to == ["desk@agency.example"]
    assert post.rows()[0]["said"] == "250 taken as 4711"
    mail = email.message_from_bytes(content, policy=email.policy.default)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for part in cast("Any", mail).iter_attachments():
        (inbox / part.get_filename()).write_bytes(part.get_content())
    verdict = verify(inbox / entry.name, [key.public])
    assert (verdict.valid, verdict.absent) == (True, [])


@pytest.mark.parametrize("acts", [("greylist", "greylist", "take"), ("full", "take"), ("hang up", "take"), ("later", "later", "take")], ids=" ".join)
def test_what_was_surely_not_taken_is_tried_again_and_delivered_once(post: Post, entry: Path, certificate: Path, acts: tuple[str, ...]) -> None:
    box, clock = Mailbox(*acts), Clock()
    with mailing(box, certificate) as way:
        post.add(entry, way, clock())
        post.run({"desk": way}, clock)
        assert states(post) == ["waiting"]
        clock.now += PAUSES_S[0] - 1
        assert post.run({"desk": way}, clock) == {}, "not before its pause is over"
        day_after_day(post, way, clock)
    assert states(post) == ["sent"]
    assert (len(box.taken), post.rows()[0]["tries"]) == (1, len(acts))


def test_a_server_that_cannot_be_reached_is_tried_for_days_and_then_given_up(post: Post, entry: Path, certificate: Path) -> None:
    clock, box = Clock(), Mailbox()
    with mailing(box, certificate) as way:
        pass
    post.add(entry, way, clock())
    day_after_day(post, way, clock)
    assert (states(post), post.rows()[0]["tries"]) == (["dead"], len(PAUSES_S) + 1)
    assert clock.now - 1_000_000 > 46 * 3600
    post.again(post.rows()[0]["id"], clock())
    with pytest.raises(UsageError):
        post.again(post.rows()[0]["id"], clock())
    assert states(post) == ["waiting"]


@pytest.mark.parametrize("act", ["unknown", "refuse"])
def test_what_is_refused_for_good_is_a_dead_letter_at_once(post: Post, entry: Path, certificate: Path, act: str) -> None:
    box, clock = Mailbox(act), Clock()
    with mailing(box, certificate) as way:
        post.add(entry, way, clock())
        assert post.run({"desk": way}, clock) == {"dead": 1}
    assert post.rows()[0]["said"][:3] in {"550", "554"}
    assert box.taken == []


@pytest.mark.parametrize("act", ["take and die", "lose"])
def test_a_server_that_dies_after_the_last_line_leaves_doubt_and_no_second_mail(post: Post, entry: Path, certificate: Path, act: str) -> None:
    box, clock = Mailbox(act, "take"), Clock()
    with mailing(box, certificate) as way:
        post.add(entry, way, clock())
        assert post.run({"desk": way}, clock) == {"doubt": 1}
        day_after_day(post, way, clock)
        clock.now += 10 * 86_400
        assert post.run({"desk": way}, clock) == {}
        assert len(box.taken) == (1 if act == "take and die" else 0)
        if act == "lose":  # a person asked, and it had not come
            post.again(post.rows()[0]["id"], clock())
            assert post.run({"desk": way}, clock) == {"sent": 1}
    assert len(box.taken) == 1


class Garbling:
    """A server that takes each mail and then answers with this; how many mails it has taken."""

    def __init__(self, answer: bytes) -> None:
        self.taken, self.listening = 0, socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, args=(answer,), daemon=True).start()

    def _serve(self, answer: bytes) -> None:
        while True:
            try:
                talk, _where = self.listening.accept()
            except OSError:
                return
            with talk, talk.makefile("rb") as lines:
                talk.sendall(b"220 hello\r\n")
                for reply in (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                    lines.readline()
                    talk.sendall(reply)
                while lines.readline() not in {b".\r\n", b""}:
                    pass
                self.taken += 1
                talk.sendall(answer)


@pytest.mark.parametrize("answer", [b"garbled\r\n", b"\x00\xff\r\n", b"354 go on\r\n", b"9000 well\r\n", b"250-taken\r\n", b"250 " + b"x" * 9000 + b"\r\n"])
def test_whatever_is_unclear_after_the_last_line_is_doubt_and_no_second_mail(post: Post, entry: Path, answer: bytes) -> None:
    server, clock = Garbling(answer), Clock()
    with server.listening:
        way = Way("desk", "mail", {"host": "127.0.0.1", "port": server.port, "tls": "none", "from": "a@b.example", "to": "desk@agency.example"})
        post.add(entry, way, clock())
        assert post.run({"desk": way}, clock) == {"doubt": 1}
        clock.now += 10 * 86_400
        assert post.run({"desk": way}, clock) == {}
        assert server.taken == 1
        with contextlib.suppress(OSError):
            server.listening.shutdown(socket.SHUT_RDWR)


class Dying:
    """A server that takes so many octets of the mail and closes."""

    def __init__(self, octets: int) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, args=(octets,), daemon=True).start()

    def _serve(self, octets: int) -> None:
        talk, _where = self.listening.accept()
        with talk, self.listening:
            talk.sendall(b"220 hello\r\n")
            for answer in (b"250 hello\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                talk.recv(1000)
                talk.sendall(answer)
            while octets > 0 and (got := talk.recv(min(octets, 1000))):
                octets -= len(got)
            talk.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def test_a_server_that_dies_mid_mail_had_not_taken_it(post: Post, tmp_path: Path, key: Key, certificate: Path) -> None:
    big = tmp_path / "big.pdf"
    big.write_bytes(os.urandom(8 << 20))
    ledger, clock, dying = Ledger(tmp_path / "ledger"), Clock(), Dying(200_000)
    way = Way("desk", "mail", {"host": "127.0.0.1", "port": dying.port, "tls": "none", "from": "a@b.example", "to": "desk@agency.example"})
    post.add(ledger.path(release(ledger, key, (big,)).number), way, clock())
    assert post.run({"desk": way}, clock) == {"waiting": 1}
    box = Mailbox()
    clock.now += 3600
    with mailing(box, certificate) as again:
        assert post.run({"desk": again}, clock) == {"sent": 1}
    assert len(box.taken) == 1


def test_a_server_without_tls_or_with_another_certificate_gets_nothing(post: Post, entry: Path, certificate: Path) -> None:
    box, clock = Mailbox(), Clock()
    with serving(box, certificate) as settings:
        way = Way("desk", "mail", {name: value for name, value in settings.items() if name != "ca"})
        post.add(entry, way, clock())
        assert post.run({"desk": way}, clock) == {"waiting": 1}
        assert "localhost: its certificate is not believed" in post.rows()[0]["said"]
        assert "ca: FILE" in post.rows()[0]["said"]
    assert box.taken == []


@pytest.mark.parametrize("answer", ["454 4.7.0 temporary authentication failure", "535 5.7.8 wrong"])
def test_a_password_that_does_not_do_is_tried_again(post: Post, entry: Path, certificate: Path, tmp_path: Path, answer: str) -> None:
    from aiosmtpd.smtp import AuthResult

    asked: list[bytes] = []

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        asked.append(data.password)
        return AuthResult(success=True) if len(asked) > 2 else AuthResult(success=False, handled=False, message=answer)

    (tmp_path / "mail.secret").write_text("open sesame")
    box, clock = Mailbox(), Clock()
    with serving(box, certificate, authenticator=check, auth_required=True) as settings:
        way = Way("desk", "mail", {**settings, "user": "balefire", "password_file": str(tmp_path / "mail.secret")})
        post.add(entry, way, clock())
        post.run({"desk": way}, clock)
        assert states(post) == ["waiting"]
        assert answer[:3] in post.rows()[0]["said"]
        day_after_day(post, way, clock)
    assert (states(post), len(box.taken)) == (["sent"], 1)
    assert set(asked) == {b"open sesame"}


def test_an_address_that_cannot_be_said_is_a_dead_letter_and_the_others_go(post: Post, entry: Path, certificate: Path) -> None:
    box, clock = Mailbox(), Clock()
    with mailing(box, certificate) as one_way:
        way = Way("desk", "mail", {**one_way.settings, "to": ["值班@agency.example", "a@agency.example\r\nDATA", "b@agency.example"]})
        post.add(entry, way, clock())
        assert post.run({"desk": way}, clock) == {"dead": 2, "sent": 1}
    assert [to for to, _content in box.taken] == [["b@agency.example"]]


def test_each_receiver_gets_a_mail_of_their_own(post: Post, entry: Path, certificate: Path) -> None:
    box, clock = Mailbox("greylist", "take"), Clock()
    with mailing(box, certificate) as one_way:
        way = Way("desk", "mail", {**one_way.settings, "to": ["a@agency.example", "b@agency.example"]})
        post.add(entry, way, clock())
        assert sorted(post.run({"desk": way}, clock)) == ["sent", "waiting"]
        day_after_day(post, way, clock)
    assert sorted(to[0] for to, _content in box.taken) == ["a@agency.example", "b@agency.example"]


KILLED = """
import sys, time
from pathlib import Path
from reports.deliver import Post
from reports.ways import ways
post = Post(Path(sys.argv[1]))
print("ready", flush=True)
post.run(ways(Path(sys.argv[2])), time.time)
"""


def test_who_is_killed_while_the_server_thinks_leaves_doubt_and_not_a_second_mail(post: Post, entry: Path, certificate: Path, tmp_path: Path) -> None:
    class Thinking(Mailbox):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
            said = await super().handle_DATA(server, session, envelope)
            await asyncio.sleep(60)
            return said

    box = Thinking()
    with serving(box, certificate) as settings:
        file = tmp_path / "ways.yml"
        file.write_text("desk:\n  kind: mail\n" + "".join(f"  {name}: {value}\n" for name, value in settings.items()))
        way = ways(file)["desk"]
        post.add(entry, way, time.time() - 1)
        with subprocess.Popen([sys.executable, "-c", KILLED, str(post.folder), str(file)], cwd=ROOT, stdout=subprocess.PIPE) as runner:
            assert runner.stdout is not None
            assert runner.stdout.readline() == b"ready\n"  # however long it took to start
            end = time.monotonic() + 60
            while not box.taken and time.monotonic() < end:
                time.sleep(0.02)
            os.kill(runner.pid, signal.SIGKILL)
        assert len(box.taken) == 1, "the server has the mail before the kill"
        assert post.run({"desk": way}, time.time) == {}
        assert states(post) == ["doubt"]
    assert len(box.taken) == 1


# folder, SFTP, webhook


def tree(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def twice(ledger: Ledger, key: Key, tmp_path: Path) -> list[Path]:
    """Two releases whose files have the same name and not the same content."""
    entries: list[Path] = []
    for number, content in enumerate((b"%PDF one", b"%PDF two")):
        file = tmp_path / f"made{number}" / "week.pdf"
        file.parent.mkdir()
        file.write_bytes(content)
        entries.append(ledger.path(release(ledger, key, (file,)).number))
    return entries


def holds(folder: Path, key: Key) -> None:
    """What a receiver finds: each file as it was released, and `balefire verify DIR` of all of them, and of some."""
    assert tree(folder) == ["000001.json", "000002.json", "000002/week.pdf", "000003.json", "000003/week.pdf"]
    assert [(folder / name / "week.pdf").read_bytes() for name in ("000002", "000003")] == [b"%PDF one", b"%PDF two"]
    assert one("verify", folder, "--key", key.public)["valid"] is True
    (folder / "000001.json").unlink()
    assert one("verify", folder, "--key", key.public, "--some")["valid"] is True


def test_two_releases_with_a_file_of_the_same_name_lie_side_by_side_in_a_folder(post: Post, key: Key, tmp_path: Path) -> None:
    ledger, clock, way = Ledger(tmp_path / "ledger"), Clock(), Way("share", "folder", {"path": str(tmp_path / "share")})
    for entry in (ledger.path(1), *twice(ledger, key, tmp_path)):
        post.add(entry, way, clock())
    assert post.run({"share": way}, clock) == {"sent": 3}
    holds(tmp_path / "share", key)


def test_an_entry_of_another_ledger_is_never_written_over(post: Post, key: Key, entry: Path, tmp_path: Path) -> None:
    clock, share = Clock(), tmp_path / "share"
    way = Way("share", "folder", {"path": str(share)})
    (share / entry.stem).mkdir(parents=True)
    (share / entry.name).write_text("of another ledger")
    post.add(entry, way, clock())
    assert post.run({"share": way}, clock) == {"dead": 1}
    assert entry.name in post.rows()[0]["said"]
    assert (tree(share), (share / entry.name).read_text()) == ([entry.name], "of another ledger")
    (share / entry.name).unlink()
    post.again(post.rows()[0]["id"], clock())
    assert post.run({"share": way}, clock) == {"sent": 1}
    assert verify(share, [key.public], some=True).valid


def test_into_a_folder_twice_changes_nothing(post: Post, entry: Path, key: Key, tmp_path: Path) -> None:
    clock, way = Clock(), Way("share", "folder", {"path": str(tmp_path / "share" / "in")})
    (tmp_path / "share").write_text("a file where a folder should be")
    post.add(entry, way, clock())
    assert post.run({"share": way}, clock) == {"waiting": 1}
    (tmp_path / "share").unlink()
    day_after_day(post, way, clock)
    assert states(post) == ["sent"]
    assert tree(tmp_path / "share" / "in") == [entry.name, f"{entry.stem}/周报 week.pdf"]
    assert verify(tmp_path / "share" / "in" / entry.name, [key.public]).valid
    assert verify(tmp_path / "share" / "in", [key.public], some=True).valid


@contextlib.contextmanager
def sftp(home: Path, secret: str) -> Generator[dict[str, Any]]:
    """A real SFTP server in a thread, and how to reach it."""
    import asyncssh

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return username == "plant"

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("plant", secret)

    loop, ready, told = asyncio.new_event_loop(), threading.Event(), dict[str, Any]()
    host_key = cast("Any", asyncssh).generate_private_key("ssh-ed25519")

    async def serve() -> None:
        def factory(channel: Any) -> Any:
            return asyncssh.SFTPServer(channel, chroot=str(home).encode())

        server = await asyncssh.listen("127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key], sftp_factory=factory)
        told.update(server=server, port=server.get_port())
        ready.set()

    thread = threading.Thread(target=lambda: (asyncio.set_event_loop(loop), loop.create_task(serve()), loop.run_forever()), daemon=True)
    thread.start()
    assert ready.wait(10)
    known = home.parent / "known_hosts"
    known.write_text(f"[127.0.0.1]:{told['port']} {host_key.export_public_key().decode()}")
    try:
        yield {"host": "127.0.0.1", "port": told["port"], "user": "plant", "path": "/in", "known_hosts": str(known), "password_env": "TEST_SFTP"}
    finally:

        async def end() -> None:
            told["server"].close()
            await told["server"].wait_closed()

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_by_sftp_to_a_server_that_is_known(post: Post, entry: Path, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncssh

    home, clock = tmp_path / "home", Clock()
    home.mkdir()
    with sftp(home, "open sesame") as settings:
        way = Way("vault", "sftp", settings)
        post.add(entry, way, clock())
        assert post.run({"vault": way}, clock) == {"waiting": 1}, "without its secret"
        assert "TEST_SFTP" in str(lacking(settings)[0])
        monkeypatch.setenv("TEST_SFTP", "open sesame")
        post.again(post.rows()[0]["id"], clock())
        assert post.run({"vault": way}, clock) == {"waiting": 1}, "without its folder"
        (home / "in").mkdir()
        clock.now += 3600
        assert post.run({"vault": way}, clock) == {"sent": 1}
        other = tmp_path / "unknown_hosts"
        other.write_text("")
        stranger = Way("stranger", "sftp", {**settings, "known_hosts": str(other)})
        post.add(entry, stranger, clock())
        assert post.run({"stranger": stranger}, clock) == {"waiting": 1}
        (home / "plain").mkdir()
        known: Any = asyncssh.sftp.SFTPServerHandler
        monkeypatch.setattr(known, "_extensions", [each for each in known._extensions if not each[0].startswith(b"posix-rename")])
        plain = Way("plain", "sftp", {**settings, "path": "/plain"})
        post.add(entry, plain, clock())
        assert post.run({"plain": plain}, clock) == {"sent": 1}, "a server that renames onto nothing that is there"
        (home / "plain" / entry.stem / "周报 week.pdf").write_bytes(b"half")
        again = Way("again", "sftp", plain.settings)
        post.add(entry, again, clock())
        assert post.run({"again": again}, clock) == {"dead": 1}
        assert any("no posix-rename" in row["said"] for row in post.rows())
    assert tree(home / "in") == [entry.name, f"{entry.stem}/周报 week.pdf"]
    assert verify(home / "in" / entry.name, [key.public]).valid


def test_two_releases_with_a_file_of_the_same_name_lie_side_by_side_by_sftp(post: Post, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, clock, home = Ledger(tmp_path / "ledger"), Clock(), tmp_path / "home"
    (home / "in").mkdir(parents=True)
    monkeypatch.setenv("TEST_SFTP", "open sesame")
    with sftp(home, "open sesame") as settings:
        way = Way("vault", "sftp", settings)
        for entry in (ledger.path(1), *twice(ledger, key, tmp_path)):
            post.add(entry, way, clock())
        assert post.run({"vault": way}, clock) == {"sent": 3}
        other = Way("again", "sftp", settings)
        (home / "in" / "000001.json").write_text("of another ledger")
        for number in (1, 2):
            post.add(ledger.path(number), other, clock())
        assert post.run({"again": other}, clock) == {"dead": 1, "sent": 1}
        assert (home / "in" / "000001.json").read_text() == "of another ledger"
        (home / "in" / "000001.json").write_bytes(ledger.path(1).read_bytes())
    holds(home / "in", key)


@contextlib.contextmanager
def hook(answers: list[int]) -> Generator[tuple[str, list[dict[str, str]]]]:
    """A web server that answers with these, one a time (0: it takes it and hangs up; below 0: and says when to ask again); what it was asked."""
    asked: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(dict(self.headers))
            status = answers.pop(0)
            if status:
                self.send_response(abs(status))
                if status < 0:
                    self.send_header("Retry-After", "60")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.close_connection = True

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/in", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.mark.parametrize(
    ("answers", "idempotent", "ends", "times"),
    [([201], False, "sent", 1), ([-503, 429, 200], False, "sent", 3), ([403], False, "dead", 1), ([401, 200], False, "sent", 2),
     ([302], False, "dead", 1), ([0, 200], False, "doubt", 1),
     ([0, 200], True, "sent", 2), *(([status, 200], False, "doubt", 1) for status in (500, 502, 503, 504, -502, 520)),
     ([500, 502, 503, 504, 200], True, "sent", 5)],
)  # fmt: skip
def test_by_webhook(post: Post, entry: Path, answers: list[int], idempotent: bool, ends: str, times: int) -> None:
    clock = Clock()
    with hook(list(answers)) as (url, asked):
        way = Way("hook", "webhook", {"url": url, **({"idempotent": True} if idempotent else {})})
        post.add(entry, way, clock())
        post.run({"hook": way}, clock)
        day_after_day(post, way, clock)
    assert (states(post), len(asked)) == ([ends], times)
    assert len({each["Idempotency-Key"] for each in asked}) == 1


def test_what_is_wrong_with_one_way_in_whatever_manner_keeps_nothing_from_the_others(
    post: Post, entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is given up with its reason or, a token that can be mended, tried again, and none is in doubt: nothing was sent.
    What breaks where the other side may have it is.
    """
    monkeypatch.setenv("TOKEN", "口令")

    def broken(_settings: Any, _parcel: Any, doubtful: Any) -> str:
        doubtful()
        raise ValueError("broken midway")

    monkeypatch.setitem(channels(), "broken", dataclasses.replace(channels()["webhook"], kind="broken", deliver=broken))
    with hook([]) as (url, asked):
        bad = {"port": "https://agency.example:port/in", "half": "http://[::1/x", "blank": f"{url} x", "letters": f"{url}/受", "token": url}
        known = {name: Way(name, "webhook", {"url": each, "token_env": "TOKEN"} if name == "token" else {"url": each}) for name, each in bad.items()}
        known |= {"midway": Way("midway", "broken", {"url": url}), "share": Way("share", "folder", {"path": str(tmp_path / "share")})}
        for way in known.values():
            post.add(entry, way, 0)
        assert post.run(known, Clock()) == {"dead": len(bad) - 1, "waiting": 1, "doubt": 1, "sent": 1}
    assert not asked
    said = {row["channel"]: row["said"] for row in post.rows()}
    assert "port" in said["port"]
    assert "ASCII" in said["token"]
    assert said["midway"] == "ValueError: broken midway"
    assert all(said.values())


# the file of ways, two who run, the command line


def test_a_server_of_the_plants_own_authority_is_believed_by_that_alone(post: Post, entry: Path, tmp_path: Path) -> None:
    box, clock = Mailbox(), Clock()
    certified(tmp_path / "authority.pem")
    server = certified(tmp_path / "server.pem", tmp_path / "authority.pem")
    certified(tmp_path / "other.pem")
    with serving(box, server) as settings:
        for name in ("other", "authority"):
            told = {**{key: settings[key] for key in ("host", "port", "from", "to")}, "kind": "mail", "ca": f"{name}.pem"}
            (tmp_path / "ways.yml").write_text(json.dumps({name: told}))
            known = ways(tmp_path / "ways.yml")
            post.add(entry, known[name], clock())
            post.run(known, clock)
            clock.now += 1  # rows stand in order of when they were made
        assert [(row["channel"], row["status"]) for row in post.rows()] == [("other", "waiting"), ("authority", "sent")]
        (tmp_path / "authority.pem").write_text("no certificate\n")
        post.again(post.rows()[0]["id"], clock())
        post.run({"other": ways_as_they_were(known, "authority")}, clock)
    assert "authority.pem, which should hold certificates" in post.rows()[0]["said"]
    for text in ("no certificate\n", None):
        (tmp_path / "authority.pem").write_text(text) if text else (tmp_path / "authority.pem").unlink()
        with pytest.raises(InputError, match=r"ways.yml:1: .*authority.pem, which should hold certificates of authorities") as wrong:
            ways(tmp_path / "ways.yml")
        assert "CA 证书文件" in wrong.value.text("zh")
    assert len(box.taken) == 1


def ways_as_they_were(known: dict[str, Way], name: str) -> Way:
    """A way under another name, as whoever goes on running has it."""
    return Way("other", known[name].kind, known[name].settings)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a:\n  kind: pigeon\n", 2), ("a:\n  kind: folder\n  path: x\n  pth: y\n", 4), ("a:\n  kind: folder\n", 1), ("a: 3\n", 1),
     ("a:\n  kind: mail\n  host: h\n  from: f\n  to: t\n  password: secret\n", 6), ("a: [\n", 2),
     *((f"a:\n  kind: sftp\n  user: u\n  path: /x\n  known_hosts: k\n  host: h\n  port: {port}\n", 7) for port in ("abc", "0", "65536", "true")),
     *((f"a:\n  kind: mail\n  from: f\n  to: t\n  host: {host}\n", 5) for host in ("a..b", "''", "h/in")),
     *((f"a:\n  kind: webhook\n  url: {url}\n", 3) for url in
       ("https://agency.example:port/in", "http://[::1/x", "https://a..b/in", "agency.example/in", "https:///in", "https://agency.example/in x", "https://h/受")),
     ("a:\n  kind: webhook\n  url: https://h/in\n  idempotent: 'false'\n", 4), ("a:\n  kind: sftp\n  host: h\n  path: /x\n  known_hosts: k\n  user: u\n", 6),
     *((f"a:\n  kind: mail\n  host: mail.plant.example\n  from: f\n  to: t\n  {wrong}\n", 6) for wrong in
       ("tls: none", "tls: ssl", "user: u", "password_file: p")),
     *((f"a:\n  kind: mail\n  host: h\n  from: f\n  to: {to}\n", 5) for to in ("[]", "[t, 值班@agency.example]", "''", "a b@c.example")),
     *((f"a:\n  kind: folder\n  path: x\n  gets:\n  - duty: all\n  - {rule}\n", 6) for rule in
       ("report: [hourly]", "duty: [cybrspace]", "pigeon: all", "{report: all, duty: all}", "{duty: all, site: x}", "warning: []", "3"))],
)  # fmt: skip
def test_what_is_wrong_in_a_file_of_ways_is_told_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "ways.yml").write_text(text)
    with pytest.raises(InputError) as told:
        ways(tmp_path / "ways.yml")
    assert f"{tmp_path}/ways.yml:{line}: " in told.value.text("en")
    assert "secret" not in told.value.text("zh").replace("secret_", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: {kind: folder, path: ''}", "1: “path” is empty"), ("a:\n  kind: folder\n  path:\n", "3: “path” is empty"),
     ("a:\n  kind: mail\n  host: h\n  to: t\n  from: |\n    f@x.example\n", "5: “from” is empty, or more than one line"),
     ("a: {kind: webhook, url: 'http://agency.example/in'}", "1: http://agency.example/in: a webhook is reached by https"),
     ("a: {kind: mail, host: mail.plant.example, from: f, to: t, tls: none}", "1: mail.plant.example: with tls: none the mail would go there in clear"),
     ("a:\n  kind: folder\n  path: x\n  gets:\n  – {report: all}\n", "5: “–” stands where YAML has “-”"),
     ("a:\n  kind：folder\n", "2: “：” stands where YAML has “:”"),
     ("a: [\n", "2: this is not valid YAML: a quote or bracket is not closed"), ("a: {}\na: {}\n", "2: “a” stands on line 1 already"),
     ("a: {kind: folder, path: 周报}".encode("gbk"), "1: the file is not UTF-8; it looks like GBK"), ("a: {}\n---\nb: {}\n", "3: a second document begins"),
     ("a: &x {}\nb: *x\n", "2: a YAML alias is not used here"),
     ("a: {kind: webhook, url: 'https://h/', idempotent: yes}", "1: “yes” is read as true. Write true"),
     ("a: " + "x" * 300_000, "1: the file has more than 262144 bytes")],
)  # fmt: skip
def test_what_is_wrong_in_a_file_of_ways_is_told_in_words_of_ways(tmp_path: Path, text: str | bytes, said: str) -> None:
    (tmp_path / "ways.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as told:
        ways(tmp_path / "ways.yml")
    assert str(told.value).startswith(f"{tmp_path}/ways.yml:{said}")
    assert not any(word in told.value.text(language) for language, word in (("en", "rule"), ("zh", "规则")))


def test_mail_in_clear_and_http_are_for_this_machine(tmp_path: Path) -> None:
    (tmp_path / "ways.yml").write_text("a: {kind: mail, host: LOCALHOST, from: f, to: t, tls: none}\nb: {kind: webhook, url: 'http://[::1]:8080/in'}\n")
    assert set(ways(tmp_path / "ways.yml")) == {"a", "b"}


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "- share\n"])
def test_a_file_that_sets_up_no_way_says_what_one_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "ways.yml").write_text(text)
    with pytest.raises(InputError, match=r"ways.yml sets up no way: one is a name and beneath it its kind"):
        ways(tmp_path / "ways.yml")


def test_two_who_run_at_once_send_once(post: Post, entry: Path, certificate: Path) -> None:
    box, clock = Mailbox(), Clock()
    with mailing(box, certificate) as way:
        post.add(entry, way, clock())
        both = [threading.Thread(target=post.run, args=({"desk": way}, clock)) for _ in range(4)]
        for each in both:
            each.start()
        for each in both:
            each.join(30)
    assert (len(box.taken), states(post)) == (1, ["sent"])


def test_what_goes_a_way_that_a_file_does_not_have_waits_and_paths_are_from_that_file(entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(tmp_path / "post"))
    site, other = tmp_path / "site" / "ways.yml", tmp_path / "other.yml"
    site.parent.mkdir()
    site.write_text("share: {kind: folder, path: outgoing}\n")
    other.write_text("hook: {kind: webhook, url: 'http://localhost:1/in', token_file: a.secret}\n")
    assert ways(other)["hook"].settings["token_file"] == str(tmp_path / "a.secret")
    one("deliver", "add", entry, "--to", "share", "--ways", site)
    said = balefire("deliver", "run", "--ways", other, "--language", "en", "--json")
    assert (said.exit_code, json.loads(said.stdout)) == (0, {"sent": 0, "waiting": 1, "doubt": 0, "dead": 0})
    assert "Deliveries by share wait" in said.stderr
    assert [row["tries"] for row in lines("deliver", "list")] == [0]
    assert one("deliver", "run", "--ways", site)["sent"] == 1
    assert (tmp_path / "site" / "outgoing" / entry.name).is_file()


def test_what_is_released_goes_by_itself_to_whom_a_rule_names_once_and_nothing_of_old(tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    def released(**document: Any) -> int:
        told = {"id": f"{len(ledger.numbers())}", **document}
        return ledger.release(key, told, (), by="ada", time=datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")).number

    def went(way: str) -> list[int]:
        return sorted(int(Path(row["entry"]).stem) for row in lines("deliver", "list") if row["channel"] == way and row["status"] == "sent")

    ledger = Ledger(tmp_path / "ledger")
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(tmp_path / "post"))
    told = ("deliver", "run", "--ledger", ledger.root, "--ways", tmp_path / "ways.yml")
    old = {"kind": "summary", "period": "weekly", "site": None}
    released(**old)
    rules = {"head": "[{report: [weekly, monthly]}]", "north": "[{report: all, site: North Harbour}]", "over": "[{report: weekly, site: ''}]",
             "cac": "[{duty: [cyberspace]}, {warning: all}]", "two": "[{warning: plant 2}]"}  # fmt: skip
    (tmp_path / "ways.yml").write_text("".join(f"{name}: {{kind: folder, path: {name}, gets: {gets}}}\n" for name, gets in rules.items()))
    over, north = released(**old), released(**old | {"site": "North Harbour", "period": "daily"})
    form = released(type="duty", agencies=["telecommunications", "cyberspace"])
    other, warned = released(type="duty", agencies=["industry"]), released(type="warning", receiver="plant 2", colour="red")
    assert one(*told)["sent"] == 6
    assert {name: went(name) for name in rules} == {"head": [over], "north": [north], "over": [over], "cac": [form, warned], "two": [warned]}
    assert other not in {int(Path(row["entry"]).stem) for row in lines("deliver", "list")}
    weekly = released(**old | {"site": "North Harbour"})
    os.utime(tmp_path / "ways.yml")
    said = balefire(*told, "--language", "en")
    assert f"Entry {weekly} goes to head, north" in said.stderr
    assert balefire(*told, "--json").stdout.count("0") == 4, "nothing goes twice"
    assert verify(tmp_path / "cac", [key.public], some=True).valid, "each has what it gets, whole"


def test_what_is_first_released_goes_though_another_way_was_added_meanwhile(post: Post, tmp_path: Path) -> None:
    """The file of ways was changed after the release; who was followed before that, with a ledger that was empty, gets it, and the new way nothing of old."""
    (tmp_path / "ways.yml").write_text("".join(f"{name}: {{kind: folder, path: {name}, gets: [{{report: all}}]}}\n" for name in ("head", "late")))
    known, ledger, when = ways(tmp_path / "ways.yml"), Ledger(tmp_path / "ledger"), datetime.datetime.fromisoformat(WHEN).timestamp()
    assert post.follow(ledger, {"head": known["head"]}, when - 60, 0) == {}
    key = made(ledger, tmp_path / "keys")
    release(ledger, key, kind="summary", period="weekly")
    assert post.follow(ledger, known, when + 60, 0) == {2: ["head"]}


def test_a_ledger_that_is_away_or_another_is_said_and_nothing_goes(post: Post, entry: Path, key: Key, tmp_path: Path) -> None:
    """What was first followed while the folder was not mounted gets nothing of old; what was seen is missed, and not taken for what was begun anew."""
    way, ledger, away = Way("head", "folder", {"path": str(tmp_path / "head")}, (Rule("report"),)), Ledger(entry.parent), tmp_path / "away"
    when = datetime.datetime.fromisoformat(WHEN).timestamp()
    ledger.root.rename(away)
    assert post.follow(ledger, {"head": way}, when + 60, 0) == {}
    away.rename(ledger.root)
    assert post.follow(ledger, {"head": way}, when + 60, 0) == {}, "nothing of old"
    ledger.root.rename(away)
    with pytest.raises(StoreError, match=r"has 0 entries, and had its entry 2 before: is its folder mounted"):
        post.follow(ledger, {"head": way, "new": way}, 0, 0)
    other = made(ledger, tmp_path / "others")
    release(ledger, other, kind="summary", period="weekly")
    with pytest.raises(StoreError, match=r"Entry 2 of the ledger .* is another"):
        post.follow(ledger, {"head": way}, 0, 0)
    ledger.root.rename(tmp_path / "anew")
    away.rename(ledger.root)
    release(ledger, key, kind="summary", period="daily")
    assert post.follow(ledger, {"head": way}, 0, 0) == {3: ["head"]}


def test_notes_that_cannot_be_written_are_said_and_lose_nothing(post: Post, entry: Path, tmp_path: Path) -> None:
    way, file = Way("share", "folder", {"path": str(tmp_path / "share")}), post.folder / FILE
    post.add(entry, way, 0)
    good = file.read_bytes()
    file.write_bytes(b"broken" * 1000)
    with pytest.raises(StoreError, match="Deliveries cannot be noted in"):
        post.run({"share": way}, Clock())
    file.write_bytes(good)
    assert post.run({"share": way}, Clock()) == {"sent": 1}


def test_a_running_delivery_takes_the_file_of_ways_as_it_stands(entry: Path, tmp_path: Path) -> None:
    ways_file, post = tmp_path / "ways.yml", tmp_path / "post"
    ways_file.write_text(f"share: {{kind: folder, path: {tmp_path / 'share'}}}\n")
    add = ("deliver", "add", entry, "--to", "share", "--ways", ways_file)
    environment = os.environ | {"BALEFIRE_DELIVERY__FOLDER": str(post), "BALEFIRE_LEDGER__FOLDER": str(entry.parent), "PYTHONUNBUFFERED": "1"}
    subprocess.run([sys.executable, "-m", "balefire", *map(str, add)], env=environment, cwd=ROOT, check=True)
    ways_file.write_text(f"shar: {{kind: folder, path: {tmp_path / 'share'}}}\n")
    command = [sys.executable, "-m", "balefire", "deliver", "run", "--every", "1", "--ways", str(ways_file), "--json"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stderr
        assert json.loads(running.stdout.readline())["waiting"] == 1
        assert "share" in running.stderr.readline()
        ways_file.write_text("share: {kind: folder}\n")
        assert "ways.yml:1: " in running.stderr.readline(), "a slip is told, and ends nothing"
        ways_file.write_text(f"share: {{kind: folder, path: {tmp_path / 'share'}}}\n")
        assert next(told for told in map(json.loads, running.stdout) if told["sent"]) == {"sent": 1, "waiting": 0, "doubt": 0, "dead": 0}
        running.terminate()


def test_an_entry_that_is_gone_or_changed_is_not_sent(post: Post, entry: Path, tmp_path: Path) -> None:
    clock, way = Clock(), Way("share", "folder", {"path": str(tmp_path / "share")})
    (known,) = post.add(entry, way, clock())
    content = entry.read_bytes()
    entry.unlink()
    assert post.run({"share": way}, clock) == {"waiting": 1}, "a folder that is not mounted comes back"
    entry.write_bytes((entry.parent / "000001.json").read_bytes())
    post.again(known, clock())
    assert post.run({"share": way}, clock) == {"dead": 1}
    assert "another entry" in post.rows()[0]["said"]
    entry.write_bytes(content)
    post.again(known, clock())
    assert post.run({"share": way}, clock) == {"sent": 1}
    entry.unlink()
    with pytest.raises(StoreError):
        post.add(entry, way, clock())


def test_the_commands(entry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_DELIVERY__FOLDER", str(tmp_path / "post"))
    assert balefire("deliver", "run").exit_code == 2
    (tmp_path / "ways.yml").write_text(f"share:\n  kind: folder\n  path: {tmp_path / 'share'}\n")
    told = ("--ways", tmp_path / "ways.yml")
    assert balefire("deliver", "add", entry, "--to", "nobody", *told).exit_code == 2
    (noted,) = one("deliver", "add", entry, "--to", "share", *told)["deliveries"]
    monkeypatch.setenv("BALEFIRE_LEDGER__FOLDER", str(entry.parent))
    assert one("deliver", "add", "2", "--to", "share", *told)["deliveries"] == [noted], "by its number, too"
    assert (
        balefire("deliver", "add", "2", "--to", "share", *told, "--language", "en").stdout == f"{noted[:12]} was there already (waiting); nothing is changed.\n"
    )
    assert "000009.json" in balefire("deliver", "add", "9", "--to", "share", *told, "--language", "en").stderr
    assert one("deliver", "run", *told) == {"sent": 1, "waiting": 0, "doubt": 0, "dead": 0}
    (row,) = lines("deliver", "list")
    assert (row["status"], row["said"]) == ("sent", str(tmp_path / "share"))
    for language, word in (("en", "delivered"), ("zh", "已送达")):
        shown = "".join(balefire("deliver", "list", "--language", language).stdout.split())
        assert word in shown
        assert str(entry) in shown, "whole: entries of two ledgers are called alike"
    assert lines("deliver", "list", "--dead") == []
    assert balefire("deliver", "retry", row["id"]).exit_code == 2
    assert json.loads((tmp_path / "share" / entry.name).read_text())["entry"]["number"] == 2
