"""What goes wrong between Balefire and an Elasticsearch is said in words that tell what to do."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from balefire.commands.store import _made  # pyright: ignore[reportPrivateUsage] - what init and copy have in common
from records.errors import BalefireError, StoreError, UsageError
from records.query import Query
from records.store import open_store
from records.store.cluster import address, connected
from records.store.spool import Spool, place_of, waiting
from tests.cli import balefire, one
from tests.test_store import NOON, activities, activity, ids

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from tests.elasticsearch import Elasticsearch

SECRETS = ("USER", "PASSWORD", "PASSWORD_FILE", "API_KEY", "API_KEY_FILE", "CA", "FINGERPRINT")
ELASTIC = {"X-Elastic-Product": "Elasticsearch"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("records.store.elastic.PATIENCE_S", 0.5)
    monkeypatch.setenv("BALEFIRE_SPOOL", str(tmp_path / "spool"))
    for name in SECRETS:
        monkeypatch.delenv(f"BALEFIRE_ELASTICSEARCH_{name}", raising=False)


def test_a_host_that_drops_packets_is_not_waited_for_as_long_as_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has no room for one more connection drops what asks for one."""
    monkeypatch.setattr("records.store.cluster.CONNECT_S", 0.3)
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            line = waiting.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(full.getsockname())
        began = monotonic()
        with pytest.raises(StoreError) as caught:
            open_store(f"http://127.0.0.1:{full.getsockname()[1]}", write=True)
    assert monotonic() - began < 10
    assert (caught.value.key, caught.value.values["seconds"]) == ("elastic.timeout", "0.3")


def test_a_host_that_says_nothing_at_all_is_known_before_much_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections are taken, and nobody answers; what it would be asked later has longer."""
    monkeypatch.setattr("records.store.cluster.FIRST_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StoreError) as caught:
        open_store(f"http://127.0.0.1:{silent.getsockname()[1]}", write=True)
    assert (caught.value.key, caught.value.values["seconds"]) == ("elastic.timeout", "0.2")


@contextmanager
def answering(
    status: int,
    body: Any,
    headers: dict[str, str] = ELASTIC,
    version: str = "8.19.0",
    *,
    root: bool = True,
    elsewhere: Mapping[str, tuple[int, Any]] = MappingProxyType({}),
    certificate: Path | None = None,
) -> Generator[tuple[str, list[dict[str, str]]]]:
    """A server that says its version (at the `root`), answers so `elsewhere` by how paths begin, and so everything; (its address, the headers it was sent)."""
    heard: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            first = root and self.path == "/" and status != 401
            code, told = next((answer for path, answer in elsewhere.items() if self.path.startswith(path)), (status, body))
            said = json.dumps({"version": {"number": version}} if first else told).encode()
            self.send_response(200 if first else code)
            for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_PUT = do_POST = do_HEAD = answer  # noqa: N815 - the names that the base class looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def failing(action: Callable[[], Any], key: str, *words: str) -> BalefireError:
    with pytest.raises(BalefireError) as caught:
        action()
    assert caught.value.key == key, str(caught.value)
    for word in words:
        assert word in str(caught.value)
        assert word in caught.value.text("zh")
    return caught.value


def block(reason: str) -> dict[str, Any]:
    return {"error": {"type": "cluster_block_exception", "reason": f"index [balefire-ledger] blocked by: [{reason}];"}}


@pytest.mark.parametrize(
    ("status", "body", "key", "word"),
    [
        (401, {"error": {"type": "security_exception", "reason": "missing credentials"}}, "elastic.unauthorized", "BALEFIRE_ELASTICSEARCH_PASSWORD_FILE"),
        (403, {"error": {"type": "security_exception", "reason": "action [indices:data/read/get] is unauthorized"}}, "elastic.forbidden", "balefire_analyst"),
        (429, {"error": {"type": "es_rejected_execution_exception", "reason": "rejected"}}, "elastic.busy", "429"),
        (503, {"error": {"type": "no_shard_available_action_exception", "reason": "no shard"}}, "elastic.red", "no shard"),
        (403, block("FORBIDDEN/5/index read-only (api)"), "elastic.read_only", "index.blocks"),
        (429, block("TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block"), "elastic.watermark", "flood"),
        (500, "not even JSON of ours", "elastic.failed", "500"),
        (413, None, "elastic.too_large", "http.max_content_length"),
        (413, {"error": {"type": "x", "reason": "entity too large"}}, "elastic.too_large", "entity too large"),
        (404, {"found": False}, "elastic.unmade", "balefire store init"),
    ],
)
def test_answers(status: int, body: Any, key: str, word: str) -> None:
    with answering(status, body) as (where, _):
        error = failing(lambda: open_store(where), key, word, where)
        assert error.status == 4


def test_a_directory_is_kept_by_day(tmp_path: Path) -> None:
    failing(lambda: _made(str(tmp_path / "new"), "month"), "store.period", "--period month")
    assert balefire("store", "init", "--store", tmp_path / "new", "--period", "month").exit_code == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.elasticsearch
def test_a_store_keeps_its_period_and_a_path_is_no_name(elasticsearch: Elasticsearch) -> None:
    where = elasticsearch.emptied("battery")
    failing(lambda: _made(where, "day"), "store.period", "--period day", "balefire store copy", where)
    for period in (None, "month"):
        made = _made(where, period)
        made.check_rights()  # a server that knows no users is not able to say
        made.close()
    for path in ("plant-7", "battery-ledger"):  # the second is an index
        failing(lambda path=path: open_store(f"{elasticsearch.url}/{path}"), "elastic.path", f"{elasticsearch.url}#{path}")


def test_what_waits_is_told_while_the_store_is_away() -> None:
    """Of every store of this name, and of no other: which of them is meant, nobody there can say."""
    with socket.socket() as listener:  # whom nobody hears
        listener.bind(("127.0.0.1", 0))
        where = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert one("store", "doctor", "--store", where, status=4)["checks"] == [{"check": "spool", "well": True, "advice": None}]
        spools = [Spool(place_of(f"{name}-0123456789abcdef")) for name in ("balefire", "balefire-plant-7")]
        for number in range(3):
            spools[0].put(activities(activity(number, NOON + number)))
        octets = waiting(spools[0].root)[1]
        told = one("store", "status", "--store", where, status=4)
        assert told["spool"] == {"segments": 3, "bytes": octets, "limit": 4 << 30, "corrupt": 0, "paths": [str(spools[0].root)]}
        assert (told["kind"], told["rows"], told["dead_letters"]) == ("elasticsearch", None, 0)
        words = f"commits that wait in {spools[0].root}: 3 (1 MiB; 0 % of the 4096 MiB that fit there)"
        for command in ("status", "doctor"):
            said = balefire("store", command, "--store", where)
            assert (said.exit_code, words in said.stdout, "Nobody answers" in said.stderr) == (4, True, True), said.output
            assert "plant-7" not in said.output
        advice = {check["check"]: check["advice"] for check in one("store", "doctor", "--store", where, status=4)["checks"]}
        assert words in str(advice.pop("spool"))
        assert advice == {"corrupt": None, "dead_letters": None}
    for spool in spools:
        spool.close()


def test_a_name_that_the_shipped_roles_do_not_cover() -> None:
    denied = {"error": {"type": "security_exception", "reason": "action [indices:data/read/get] is unauthorized"}}
    with answering(403, denied) as (where, _):
        failing(
            lambda: open_store(f"{where}#plant-7"),
            "elastic.outside",
            "#balefire-plant-7",
            "plant-7-*",
            "roles.yml",
            "indices:data/read/get",
            "balefire_analyst",
        )
        for covered in (where, f"{where}#balefire-plant-7"):
            failing(lambda covered=covered: open_store(covered), "elastic.forbidden")


def test_making_a_store_is_for_the_admin() -> None:
    """A writer may look for the ledger; what it may not is put templates."""
    denied = {"error": {"type": "security_exception", "reason": "action [cluster:admin/component_template/get] is unauthorized"}}
    with answering(404, {"found": False}, elsewhere={"/_component_template/": (403, denied)}) as (where, _):
        error = failing(lambda: open_store(where, True), "elastic.privilege", f"balefire store init --store {where}", "balefire_admin", "component_template")
        assert "balefire_reader" not in str(error)


def test_what_is_no_elasticsearch() -> None:
    with answering(200, {}, headers={}) as (where, _):
        failing(lambda: open_store(where), "elastic.product", where)


@pytest.mark.parametrize("version", ["7.17.29", "10.0.0"])
def test_versions_that_it_does_not_talk_to(version: str) -> None:
    with answering(200, {}, version=version) as (where, _):
        failing(lambda: open_store(where), "elastic.version", version, "8", "9")


@pytest.mark.parametrize("version", ["8.0.0", "8.19.21", "9.0.0", "9.4.1"])
def test_versions_that_it_talks_to_are_asked_as_8(version: str) -> None:
    """A server 9 takes requests that say they are compatible with 8, on both headers (Elastic's page on API compatibility)."""
    with answering(404, {"found": False}, version=version) as (where, heard):
        failing(lambda: open_store(where), "elastic.unmade")
    asked = [headers[name] for headers in heard for name in ("accept", "content-type") if name in headers]
    assert len(heard) > 1
    assert len(asked) >= len(heard)
    assert set(asked) == {"application/vnd.elasticsearch+json; compatible-with=8"}


def test_a_server_that_no_longer_takes_requests_of_8() -> None:
    reason = "Accept version must be either version 10 or 9, but found 8."
    error = {"type": "media_type_header_exception", "reason": "Invalid media-type value on headers [Accept]", "caused_by": {"reason": reason}}
    with answering(400, {"error": error}, root=False) as (where, _):
        failing(lambda: open_store(where), "elastic.newer", "9", "version 10 or 9", where)


def test_nobody_there() -> None:
    failing(lambda: open_store("http://127.0.0.1:9"), "elastic.unreachable", "http://127.0.0.1:9")
    with answering(200, {}) as (where, _):
        failing(lambda: open_store(where.replace("http:", "https:")), "elastic.tls_none", "xpack.security.http.ssl")


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("http://", "elastic.address"),
        ("http://host:port", "elastic.address"),
        ("http://a:9200,:9200", "elastic.address"),
        ("http://host:9200/?x=1", "elastic.address"),
        ("https://a:9200,http://b:9200", "elastic.address"),
        ("https://elastic:secret@host:9200", "elastic.credentials"),
        ("http://host:9200#Plant", "elastic.prefix"),
        ("http://host:9200#-x", "elastic.prefix"),
        ("http://host:9200#a*", "elastic.prefix"),
        ("http://host:9200#" + "x" * 65, "elastic.prefix"),
    ],
)
def test_addresses_that_are_none(where: str, key: str) -> None:
    error = failing(lambda: open_store(where), key)
    assert isinstance(error, UsageError)
    assert "secret" not in str(error) + error.text("zh")


def test_addresses() -> None:
    assert address("https://es").urls == ("https://es:443",)
    assert address("HTTP://[::1]:9200/a/b/").urls == ("http://[::1]:9200/a/b",)
    several = address("https://a:9200,b:9201#plant-7")
    assert (several.urls, several.prefix) == (("https://a:9200", "https://b:9201"), "plant-7")
    assert address("https://a:9200,https://b:9201").urls == several.urls
    assert address("http://a").prefix == "balefire"


def test_who_we_are_comes_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key counts before a user; this build of Elasticsearch has no keys, so the header is looked at."""

    def said() -> str:
        with answering(404, {"found": False}) as (where, heard):
            failing(lambda: open_store(where), "elastic.unmade")
        return heard[0].get("authorization", "")

    assert said() == ""
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_USER", "writer")
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_PASSWORD", "geheim")
    assert said() == "Basic d3JpdGVyOmdlaGVpbQ=="
    (tmp_path / "password").write_text("other\n")
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_PASSWORD_FILE", str(tmp_path / "password"))
    assert said() == "Basic d3JpdGVyOm90aGVy"
    (tmp_path / "key").write_text("a2V5\n")
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_API_KEY_FILE", str(tmp_path / "key"))
    assert said() == "ApiKey a2V5"
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_API_KEY_FILE", str(tmp_path / "none"))
    failing(lambda: connected(address("http://a:1")), "elastic.file", "BALEFIRE_ELASTICSEARCH_API_KEY_FILE", "none")


@pytest.mark.parametrize("secret", ["USER", "API_KEY"])
def test_no_secret_goes_over_a_line_that_others_read(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv(f"BALEFIRE_ELASTICSEARCH_{secret}", "geheim")
    for where in ("http://10.0.0.1:9200", "http://localhost:9200,elastic.example:9200", "http://127.0.0.1.example:9200"):
        error = failing(lambda where=where: open_store(where), "elastic.plain", where, "https://")
        assert isinstance(error, UsageError)
    for where in ("https://10.0.0.1:9200", "http://LOCALHOST:9200", "http://127.0.0.1:9200,[::1]:9201"):
        connected(address(where)).close()


def test_which_ways_are_private() -> None:
    assert [address(where).private for where in ("http://10.0.0.1:9200", "http://localhost", "https://10.0.0.1")] == [False, True, True]


def test_a_wrong_authority_or_fingerprint_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_CA", str(tmp_path / "none.pem"))
    failing(lambda: connected(address("https://a:1")), "elastic.file", "BALEFIRE_ELASTICSEARCH_CA")
    (tmp_path / "none.pem").write_text("no certificate\n")
    failing(lambda: connected(address("https://a:1")), "elastic.no_certificate", "BALEFIRE_ELASTICSEARCH_CA", "none.pem", "-----BEGIN")
    monkeypatch.delenv("BALEFIRE_ELASTICSEARCH_CA")
    for wrong in ("00" * 20, "00" * 31, "zz" * 32):  # SHA-1 is none that we take
        monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_FINGERPRINT", wrong)
        failing(lambda: connected(address("https://a:1")), "elastic.fingerprint", "BALEFIRE_ELASTICSEARCH_FINGERPRINT", "SHA-256", "64")
    monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_FINGERPRINT", ":".join(["0A"] * 32))
    connected(address("https://a:1")).close()


def certified(folder: Path, *names: str) -> Path:
    """A certificate for these names that vouches for itself, with its key in the same file."""
    file = folder / f"{len(list(folder.iterdir()))}.pem"
    asked = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    alternative = ",".join(f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in names)
    done = subprocess.run([*asked, "-addext", f"subjectAltName={alternative}", "-keyout", "-"], check=True, capture_output=True)
    file.write_bytes(done.stdout)
    return file


def test_why_a_certificate_is_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each cause is its own, and each reason is what the library found, for a real handshake."""
    here, elsewhere = certified(tmp_path, "localhost", "127.0.0.1"), certified(tmp_path, "elsewhere.example")
    with answering(404, {"found": False}, certificate=here) as (where, _), answering(200, {}, certificate=elsewhere) as (strange, _):
        failing(lambda: open_store(where), "elastic.tls_authority", "BALEFIRE_ELASTICSEARCH_CA", "self-signed")
        plain = where.replace("https:", "http:")
        failing(lambda: open_store(plain), "elastic.disconnected", "https://", plain)
        monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_CA", str(here))
        failing(lambda: open_store(where), "elastic.unmade")
        monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_CA", str(elsewhere))
        failing(lambda: open_store(where), "elastic.tls_authority")
        for name in ("127.0.0.1", "localhost"):
            other = strange.replace("127.0.0.1", name)
            failing(lambda other=other: open_store(other), "elastic.tls_name", name, "BALEFIRE_ELASTICSEARCH_FINGERPRINT")
        monkeypatch.setenv("BALEFIRE_ELASTICSEARCH_FINGERPRINT", "00" * 32)
        failing(lambda: open_store(where), "elastic.tls_fingerprint", "00" * 32, "BALEFIRE_ELASTICSEARCH_FINGERPRINT")


@pytest.mark.parametrize(("said", "key"), [(b"", "elastic.disconnected"), (b"\x15\x03\x03\x00\x02\x02\x46", "elastic.not_http")])
def test_somebody_answers_but_not_in_http(said: bytes, key: str) -> None:
    """A server that closes at once, as Elasticsearch with TLS does, and one that answers with an alert of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65_536)
                client.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        failing(lambda: open_store(f"http://127.0.0.1:{server.getsockname()[1]}"), key, "https://")
        thread.join()


def test_the_command_line_says_it() -> None:
    with answering(404, {"found": False}) as (where, _):
        told = balefire("alerts", "--store", where)
        assert told.exit_code == 2
        assert "no store at" in told.stderr
    told = balefire("alerts", "--store", "http://127.0.0.1:9", "--language", "zh")
    assert told.exit_code == 4
    assert "无响应" in told.stderr
    assert balefire("alerts", "--store", "https://u:geheim@h").exit_code == 2


# ---- a real server -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.elasticsearch
def test_no_store_there_yet(elasticsearch: Elasticsearch) -> None:
    failing(lambda: open_store(f"{elasticsearch.url}#nothing-here"), "elastic.unmade")


@pytest.mark.elasticsearch
@pytest.mark.parametrize(
    ("setting", "key"), [("read_only_allow_delete", "elastic.watermark"), ("read_only", "elastic.read_only"), ("write", "elastic.read_only")]
)
def test_an_index_that_takes_no_writes(elasticsearch: Elasticsearch, setting: str, key: str) -> None:
    """Nothing of the commit counts, and it goes on where that ends."""
    store = open_store(elasticsearch.emptied("battery"), True)
    store.write(activities(activity(1)))
    elasticsearch.ask("PUT", "/battery-activity-*/_settings", {f"index.blocks.{setting}": True})
    try:
        failing(lambda: store.write(activities(activity(2), activity(3, NOON + 1))), key)
        assert ids(store.read("activity", Query())) == ["a0001"]
    finally:
        elasticsearch.ask("PUT", "/battery-activity-*/_settings", {f"index.blocks.{setting}": None})
    assert store.write(activities(activity(2), activity(3, NOON + 1))).new == 2
    assert store.count("activity", Query()) == 3
    store.close()


@pytest.mark.elasticsearch
def test_an_index_without_a_node(elasticsearch: Elasticsearch) -> None:
    """Part of the data away is an error, never a shorter answer."""
    store = open_store(elasticsearch.emptied("battery"), True)
    store.write(activities(activity(1)))
    index = "battery-activity-2031-01-01"
    elasticsearch.ask("PUT", f"/{index}?wait_for_active_shards=0", {"settings": {"index.routing.allocation.require._name": "nobody"}})
    try:
        for question in (
            lambda: store.read("activity", Query()),
            lambda: store.read("activity", Query(limit=5)),
            lambda: store.count("activity", Query()),
            lambda: list(store.history("activity", Query(), ["id"])),
        ):
            failing(question, "elastic.red")
    finally:
        elasticsearch.ask("DELETE", f"/{index}")
    assert store.count("activity", Query()) == 1
    store.close()


@pytest.mark.elasticsearch
def test_an_index_that_somebody_else_made(elasticsearch: Elasticsearch) -> None:
    """Nothing is written where nobody would find it, and it is said; `migrate` puts back what can be put back; a copy of somebody's hinders no retention."""
    elasticsearch.forget("strange")
    where = f"{elasticsearch.url}#strange"
    store = open_store(where, True)
    store.write(activities(activity(1)))
    later = "strange-activity-2031-05-01"
    for name in ("strange-activity", "strange-point"):
        elasticsearch.ask("DELETE", f"/_index_template/{name}")
    elasticsearch.ask("PUT", f"/{later}", {"mappings": {"properties": {"message": {"type": "text"}}}})
    elasticsearch.ask("PUT", "/strange-activity-copy", {"aliases": {"strange-activity": {}}, "mappings": {"dynamic": "strict"}})
    may, june = (int(datetime(2031, month, 1, tzinfo=UTC).timestamp()) * 10**9 for month in (5, 6))
    for time in (may, june):  # one that is there, and one that no template makes
        error = failing(lambda time=time: store.write(activities(activity(2, time))), "elastic.foreign", "strange-activity-2031")
        assert error.status == 4
    assert ids(store.read("activity", Query())) == ["a0001"]
    assert set(store.expired(1 << 62)) == {"activity"}, "it looks at what it made"
    ill = one("store", "doctor", "--store", where, status=1)["checks"]
    assert later in {check["check"]: check["advice"] for check in ill}["foreign"]
    assert balefire("store", "migrate", "--store", where).exit_code == 4, "it cannot be mended"
    for name in (later, "strange-activity-2031-06-01", "strange-activity-copy"):
        elasticsearch.ask("DELETE", f"/{name}?ignore_unavailable=true")
    elasticsearch.ask("POST", "/_aliases", {"actions": [{"remove": {"index": "strange-activity-*", "alias": "strange-activity"}}]})
    one("store", "migrate", "--store", where)
    assert ids(store.read("activity", Query())) == ["a0001"]
    assert store.write(activities(activity(2, may))).new == 1
    assert ids(store.read("activity", Query())) == ["a0001", "a0002"]
    assert one("store", "doctor", "--store", where)["checks"]
    store.close()
    elasticsearch.forget("strange")


@pytest.mark.elasticsearch
def test_an_upgrade_that_breaks_off_is_finished_by_the_next(elasticsearch: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    elasticsearch.forget("half")
    where = f"{elasticsearch.url}#half"
    with monkeypatch.context() as patch:
        for module in ("templates", "ledger", "elastic"):
            patch.setattr(f"records.store.{module}.SCHEMA_VERSION", 1)
        open_store(where, True).close()
    with monkeypatch.context() as patch:
        patch.setattr("records.store.ledger.Ledger.change", broken_off)
        failing(lambda: open_store(where, True), "store.full")
    failing(lambda: open_store(where), "store.older")
    store = open_store(where, True)
    assert store.write(activities(activity(1))).new == 1
    assert open_store(where).count("activity", Query()) == 1
    store.close()
    elasticsearch.forget("half")


def broken_off(*_: object) -> None:
    raise StoreError("store.full", path="x")


@pytest.mark.elasticsearch
def test_a_reader_does_not_write(elasticsearch: Elasticsearch) -> None:
    where = elasticsearch.emptied("battery")
    reader = open_store(where)
    with pytest.raises(StoreError) as caught:
        reader.write(activities(activity(1)))
    assert caught.value.key == "store.reading"
    reader.close()
