"""A real Elasticsearch for tests, of Elastic's own build on Maven Central: server, launcher, transport and security, and nothing that a query here needs more.

    mvn org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dtransitive=false \
        -Dartifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.19.21:zip

It does not run as root, so there its files belong to `nobody`. It listens on the loopback interface only.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from records.store.elastic import ElasticStore
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from records.schema import Table

GROUP: Final = Path("org/elasticsearch/distribution/integ-test-zip/elasticsearch")
PATIENCE_S: Final = 120
TYPES: Final = {"keyword": "keyword", "ip": "ip", "text": "text", "long": "long", "double": "double", "date": "date_nanos", "boolean": "boolean"}
ROLES: Final = Path(__file__).parents[1] / "deploy" / "elasticsearch" / "roles.yml"


@dataclass(frozen=True, slots=True)
class Security:
    """TLS with a certificate of our own, and a user for each of the roles that we ship: `admin`, `writer`, `analyst`, `reader`."""

    certificate: Path
    password: str = "not-a-secret"

    def configure(self, config: Path) -> dict[str, object]:
        """What the server has to be told; key, roles and users go into its configuration."""
        made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=balefire tests", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(["openssl", *made, "-keyout", config / "key.pem", "-out", config / "certificate.pem"], check=True, capture_output=True)
        shutil.copy(config / "certificate.pem", self.certificate)
        shutil.copy(ROLES, config / "roles.yml")
        salt = os.urandom(32)
        hashed = hashlib.pbkdf2_hmac("sha512", self.password.encode(), salt, 10_000, 32)
        coded = "{PBKDF2}10000$" + "$".join(base64.b64encode(part).decode() for part in (salt, hashed))
        roles = {"admin": "balefire_admin", "writer": "balefire_writer", "analyst": "balefire_analyst", "reader": "balefire_reader"}
        (config / "users").write_text("".join(f"{user}:{coded}\n" for user in roles))
        (config / "users_roles").write_text("".join(f"{role}:{user}\n" for user, role in roles.items()))
        http = "xpack.security.http.ssl"
        return {
            "xpack.security.enabled": "true", f"{http}.enabled": "true", f"{http}.key": "key.pem", f"{http}.certificate": "certificate.pem",
            "xpack.security.autoconfiguration.enabled": "false",
        }  # fmt: skip


class Elasticsearch:
    """A server, asked over HTTP."""

    def __init__(self, url: str, security: Security | None = None) -> None:
        self.url = url.replace(",http://", ",") if security is None else url.replace("http:", "https:")
        self._place = urlsplit(url.split(",")[0])
        self._security = security

    def ask(self, method: str, path: str, body: object = None, lines: Iterable[object] = ()) -> Any:
        """What it answers. Raises AssertionError for a refusal, OSError where nobody answers."""
        said = "".join(f"{json.dumps(line)}\n" for line in lines) or (None if body is None else json.dumps(body))
        place, headers = (self._place.hostname or "", self._place.port), {"Content-Type": "application/x-ndjson" if lines else "application/json"}
        if self._security:
            connection = http.client.HTTPSConnection(*place, timeout=60, context=ssl.create_default_context(cafile=self._security.certificate))
            headers["Authorization"] = "Basic " + base64.b64encode(f"admin:{self._security.password}".encode()).decode()
        else:
            connection = http.client.HTTPConnection(*place, timeout=60)
        try:
            connection.request(method, path, said, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, content[:2000]
        return json.loads(content)

    def fill(self, index: str, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """An index with the fields of a table, and these rows in it."""
        self.ask("DELETE", f"/{index}?ignore_unavailable=true")
        fields = {field.name: {"type": TYPES[field.type]} for field in table.fields}
        self.ask("PUT", f"/{index}", {"mappings": {"dynamic": "strict", "properties": fields}})
        actions = [line for row in rows for line in ({"create": {"_id": row["id"]}}, row)]
        done = self.ask("POST", f"/{index}/_bulk?refresh=true", lines=actions)
        assert not done["errors"], [item for item in done["items"] if "error" in item["create"]][:3]

    def emptied(self, store: str) -> str:
        """The address of a store of this name that holds nothing: its indices stay where they are there, for making them takes the server long."""
        address, ledger = f"{self.url}#{store}", f"/{store}-ledger/_doc/store"
        if f"{store}-ledger" not in self.ask("GET", "/*/_alias"):
            ElasticStore(address, write=True, period="month").close()
        self.ask("POST", f"/{store}-*/_refresh")
        rows = {"query": {"bool": {"must_not": {"ids": {"values": ["store", "fields"]}}}}, "size": 10_000}
        while hits := self.ask("POST", f"/{store}-*/_search", rows)["hits"]["hits"]:
            self.ask("POST", "/_bulk?refresh=true", lines=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits])
        page = self.ask("GET", ledger)["_source"]
        self.ask("PUT", ledger, page | {"open": {}, "dead": [], "pending": None, "numbers": {}, "trail": None})
        return address

    def forget(self, store: str) -> None:
        """There is no store of this name, nor any template of one."""
        for index in self.ask("GET", f"/{store}-*/_alias"):
            self.ask("DELETE", f"/{index}")
        for kind in ("index_template", "component_template"):
            for template in self.ask("GET", f"/_{kind}")[f"{kind}s"]:
                if template["name"].startswith((f"{store}-", f"{store}@")):
                    self.ask("DELETE", f"/_{kind}/{template['name']}")

    def found(self, index: str, query: Mapping[str, Any]) -> set[str]:
        """The identities of the rows that a query finds."""
        answer = self.ask("POST", f"/{index}/_search", {"query": query, "size": 10_000, "_source": False})
        return {hit["_id"] for hit in answer["hits"]["hits"]}


def archive() -> Path | None:
    """The newest archive in Maven's own store."""
    home = Path(os.environ.get("MAVEN_REPO", Path.home() / ".m2" / "repository")) / GROUP
    return max(home.glob("8.*/*.zip"), default=None)


@dataclass(frozen=True, slots=True)
class Node:
    """One process of a cluster: its own directory, and where it listens."""

    home: Path
    port: int
    transport: int

    def kill(self) -> None:
        """As by kill -9: the server itself, not the launcher that waits for it."""
        os.kill(int((self.home / "pid").read_text()), signal.SIGKILL)


@contextmanager
def node() -> Generator[Elasticsearch]:
    """A node until the end of the block; the one that BALEFIRE_ELASTICSEARCH_URL names, where it names one."""
    if given := os.environ.get("BALEFIRE_ELASTICSEARCH_URL"):
        yield Elasticsearch(given)
        return
    with cluster() as (running, _):
        yield running


@contextmanager
def cluster(nodes: int = 1, security: Security | None = None) -> Generator[tuple[Elasticsearch, list[Node]]]:
    """A cluster of so many processes until the end of the block, all on the loopback interface."""
    with tempfile.TemporaryDirectory(prefix="balefire-elasticsearch-") as folder:
        home, java = unpacked(Path(folder))
        made = [Node(Path(folder) / f"node-{number}", *_free_ports()) for number in range(nodes)]
        for each in made:
            _configured(home, each, made, security)
        _owned(Path(folder))
        processes = [_started(home, each, java) for each in made]
        asked = Elasticsearch(",".join(f"http://127.0.0.1:{each.port}" for each in made), security)
        try:
            yield _ready(asked, processes, made), made
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def unpacked(folder: Path) -> tuple[Path, Path]:
    """(the server and its tools, in a folder that holds nothing else, the home of the Java that runs them)"""
    packed, java = archive(), shutil.which("java")
    need("elasticsearch", packed is not None and java is not None, "no archive of Elasticsearch in Maven's store, or no Java; see tests/elasticsearch.py")
    with zipfile.ZipFile(str(packed)) as opened:
        opened.extractall(folder)
    (home,) = (path for path in folder.iterdir() if path.is_dir())
    for path in (*(home / "bin").iterdir(), folder):
        path.chmod(0o755)
    return home, Path(str(java)).resolve().parents[1]


def _configured(home: Path, own: Node, nodes: list[Node], security: Security | None) -> None:
    """The configuration of one node; one unpacked server serves them all."""
    config = own.home / "config"
    (config / "jvm.options.d").mkdir(parents=True)
    for name in ("jvm.options", "log4j2.properties"):
        shutil.copy(home / "config" / name, config / name)
    said = {
        "node.name": own.home.name,
        "network.host": "127.0.0.1",
        "http.port": own.port,
        "transport.port": own.transport,
        "path.data": own.home / "data",
        "path.logs": own.home / "logs",
        "xpack.security.enabled": "false",
    }
    if len(nodes) == 1:
        said["discovery.type"] = "single-node"
    else:
        said["discovery.seed_hosts"] = json.dumps([f"127.0.0.1:{each.transport}" for each in nodes])
        said["cluster.initial_master_nodes"] = json.dumps([each.home.name for each in nodes])
    if security:
        said |= security.configure(config)
    (config / "elasticsearch.yml").write_text("".join(f"{name}: {value}\n" for name, value in said.items()))


def _owned(folder: Path) -> None:
    """The server does not run as root, so there its files belong to `nobody`."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, "nobody")


def _started(home: Path, own: Node, java: Path) -> subprocess.Popen[bytes]:
    told = {"ES_JAVA_HOME": str(java), "ES_JAVA_OPTS": "-Xms512m -Xmx512m", "ES_PATH_CONF": str(own.home / "config")}
    user = "nobody" if os.geteuid() == 0 else None
    with (own.home / "said").open("wb") as said:
        command = [home / "bin" / "elasticsearch", "-p", own.home / "pid"]
        return subprocess.Popen(command, cwd=own.home, env={**os.environ, **told, "HOME": str(own.home)}, user=user, stdout=said, stderr=said)


def _ready(asked: Elasticsearch, processes: list[subprocess.Popen[bytes]], nodes: list[Node]) -> Elasticsearch:
    end = time.monotonic() + PATIENCE_S * len(nodes)
    while time.monotonic() < end and all(process.poll() is None for process in processes):
        try:
            asked.ask("GET", f"/_cluster/health?wait_for_nodes={len(nodes)}&wait_for_status=yellow&timeout=20s")
        except (OSError, AssertionError, http.client.HTTPException):
            time.sleep(0.5)
        else:
            return asked
    raise AssertionError("\n".join((each.home / "said").read_text()[-2000:] for each in nodes))


def main() -> None:
    """`python -m tests.elasticsearch [NODES]`: a cluster to try things on, until Ctrl-C. The server comes from Maven Central where it is not there."""
    if archive() is None:
        artifact = "org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.19.21:zip"
        fetch = ["mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get", "-Dtransitive=false", f"-Dartifact={artifact}"]
        subprocess.run(fetch, check=True)
    with cluster(int(sys.argv[1]) if len(sys.argv) > 1 else 1) as (running, _):
        print(running.url, flush=True)  # noqa: T201 - what it is for
        signal.pause()


if __name__ == "__main__":
    main()
