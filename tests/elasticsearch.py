"""A real Elasticsearch for tests, of Elastic's own build on Maven Central: server, launcher, transport and security, and nothing that a query here needs more.

    mvn org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dtransitive=false \
        -Dartifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.19.21:zip

It does not run as root, so there its files belong to `nobody`. It listens on the loopback interface only.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import zipfile
from contextlib import contextmanager
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
SETTINGS: Final = (
    "discovery.type: single-node\nxpack.security.enabled: false\nhttp.port: {port}\nnetwork.host: 127.0.0.1\npath.data: {data}\npath.logs: {logs}\n"
)


class Elasticsearch:
    """A server, asked over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._place = urlsplit(url)

    def ask(self, method: str, path: str, body: object = None, lines: Iterable[object] = ()) -> Any:
        """What it answers. Raises AssertionError for a refusal, OSError where nobody answers."""
        said = "".join(f"{json.dumps(line)}\n" for line in lines) or (None if body is None else json.dumps(body))
        connection = http.client.HTTPConnection(self._place.hostname or "", self._place.port, timeout=60)
        try:
            connection.request(method, path, said, {"Content-Type": "application/x-ndjson" if lines else "application/json"})
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
        while hits := self.ask("POST", f"/{store}-*/_search", {"query": {"bool": {"must_not": {"ids": {"values": ["store"]}}}}, "size": 10_000})["hits"][
            "hits"
        ]:
            self.ask("POST", "/_bulk?refresh=true", lines=[{"delete": {"_index": hit["_index"], "_id": hit["_id"]}} for hit in hits])
        page = self.ask("GET", ledger)["_source"]
        self.ask("PUT", ledger, page | {"open": {}, "dead": [], "pending": None, "numbers": {}, "trail": None})
        return address

    def found(self, index: str, query: Mapping[str, Any]) -> set[str]:
        """The identities of the rows that a query finds."""
        answer = self.ask("POST", f"/{index}/_search", {"query": query, "size": 10_000, "_source": False})
        return {hit["_id"] for hit in answer["hits"]["hits"]}


def archive() -> Path | None:
    """The newest archive in Maven's own store."""
    home = Path(os.environ.get("MAVEN_REPO", Path.home() / ".m2" / "repository")) / GROUP
    return max(home.glob("8.*/*.zip"), default=None)


@contextmanager
def node() -> Generator[Elasticsearch]:
    """A node until the end of the block; the one that BALEFIRE_ELASTICSEARCH_URL names, where it names one."""
    if given := os.environ.get("BALEFIRE_ELASTICSEARCH_URL"):
        yield Elasticsearch(given)
        return
    packed, java = archive(), shutil.which("java")
    need("elasticsearch", packed is not None and java is not None, "no archive of Elasticsearch in Maven's store, or no Java; see tests/elasticsearch.py")
    with tempfile.TemporaryDirectory(prefix="balefire-elasticsearch-") as folder:
        port = _free_port()
        home = _unpacked(str(packed), Path(folder), port)
        environment = {**os.environ, "ES_JAVA_HOME": str(Path(str(java)).resolve().parents[1]), "ES_JAVA_OPTS": "-Xms512m -Xmx512m", "HOME": str(home)}
        user = "nobody" if os.geteuid() == 0 else None
        with (home / "said").open("wb") as said:
            process = subprocess.Popen([home / "bin" / "elasticsearch"], cwd=home, env=environment, user=user, stdout=said, stderr=said)
        try:
            yield _ready(Elasticsearch(f"http://127.0.0.1:{port}"), process, home / "said")
        finally:
            process.terminate()
            process.wait(60)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _unpacked(packed: str, folder: Path, port: int) -> Path:
    """The server's directory, which belongs to whom it runs as."""
    with zipfile.ZipFile(packed) as opened:
        opened.extractall(folder)
    (home,) = (path for path in folder.iterdir() if path.is_dir())
    (home / "config" / "elasticsearch.yml").write_text(SETTINGS.format(port=port, data=home / "data", logs=home / "logs"))
    for path in (*(home / "bin").iterdir(), folder):
        path.chmod(0o755)
    if os.geteuid() == 0:
        for path in (home, *home.rglob("*")):
            shutil.chown(path, "nobody")
    return home


def _ready(asked: Elasticsearch, process: subprocess.Popen[bytes], said: Path) -> Elasticsearch:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            asked.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=20s")
        except (OSError, AssertionError, http.client.HTTPException):
            time.sleep(0.5)
        else:
            return asked
    raise AssertionError(said.read_text()[-2000:])
