"""Fetch and start an Elasticsearch on this machine, to try Balefire with, and for its tests: `python3 deploy/elasticsearch/server.py`.

It is Elastic's own build on Maven Central: server, launcher, transport and security, and nothing that a query here needs more. It needs Java 17 or later, and
Maven to fetch it once. It runs as an unprivileged user (`nobody`, where root starts it), listens on the loopback interface only, and what it holds goes
when it ends. What a plant keeps its records in is the whole product: deploy/compose.yaml, or Elastic's packages.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import os
import secrets
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

VERSION: Final = "8.19.21"
ARTIFACT: Final = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
FETCH: Final = ("mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get", "-Dtransitive=false", f"-Dartifact={ARTIFACT}")
GROUP: Final = Path("org/elasticsearch/distribution/integ-test-zip/elasticsearch")
PATIENCE_S: Final = 120  # for one node to be ready
HEAP: Final = "-Xms512m -Xmx512m"  # where Elastic's own variable, ES_JAVA_OPTS, does not say otherwise
UNPRIVILEGED: Final = "nobody"
ROLES: Final = Path(__file__).with_name("roles.yml")
USERS: Final = {"admin": "balefire_admin", "writer": "balefire_writer", "analyst": "balefire_analyst", "reader": "balefire_reader"}


class Missing(Exception):  # noqa: N818 - what is missing is no fault of the program
    """Something that the server needs is not on this machine."""


class Refused(Exception):  # noqa: N818 - the server's word
    """The server answered with a refusal, or did not come up."""


@dataclass(frozen=True, slots=True)
class Security:
    """TLS with a certificate of our own, which is put at `certificate`, and a user for each of the roles that we ship (`USERS`)."""

    certificate: Path
    password: str = "not-a-secret"  # noqa: S105 - of tests; `main` makes one

    def configure(self, config: Path) -> dict[str, object]:
        """What the server has to be told; key, roles and users go into its configuration."""
        made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=balefire", "-addext", "subjectAltName=IP:127.0.0.1"]
        asked = ["openssl", *made, "-keyout", str(config / "key.pem"), "-out", str(config / "certificate.pem")]
        subprocess.run(asked, check=True, capture_output=True)  # noqa: S603 - words of our own
        shutil.copy(config / "certificate.pem", self.certificate)
        shutil.copy(ROLES, config / "roles.yml")
        salt = os.urandom(32)
        hashed = hashlib.pbkdf2_hmac("sha512", self.password.encode(), salt, 10_000, 32)
        coded = "{PBKDF2}10000$" + "$".join(base64.b64encode(part).decode() for part in (salt, hashed))
        (config / "users").write_text("".join(f"{user}:{coded}\n" for user in USERS))
        (config / "users_roles").write_text("".join(f"{role}:{user}\n" for user, role in USERS.items()))
        layer = "xpack.security.http.ssl"
        return {
            "xpack.security.enabled": "true", f"{layer}.enabled": "true", f"{layer}.key": "key.pem", f"{layer}.certificate": "certificate.pem",
            "xpack.security.autoconfiguration.enabled": "false",
        }  # fmt: skip


class Server:
    """A server, asked over HTTP. `url` names every node, with commas between them; the first is asked."""

    def __init__(self, url: str, security: Security | None = None) -> None:
        self.url = url
        self._place = urlsplit(url.split(",")[0])
        self._security = security

    def ask(self, method: str, path: str, body: object = None, lines: Iterable[object] = ()) -> Any:
        """What it answers. Raises Refused, and OSError where nobody answers."""
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
        if answer.status > 299:
            raise Refused(content[:2000].decode("utf-8", "replace"))
        return json.loads(content)


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster: its own directory, where it listens, what it runs (`program` on `java`), and the processes it has had: the last may run."""

    home: Path
    port: int
    transport: int
    program: Path
    java: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list["subprocess.Popen[bytes]"])

    def start(self) -> None:
        """Run it, on what it holds."""
        told = {"ES_JAVA_HOME": str(self.java), "ES_JAVA_OPTS": os.environ.get("ES_JAVA_OPTS", HEAP), "ES_PATH_CONF": str(self.home / "config")}
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        command, place = [self.program / "bin" / "elasticsearch", "-p", self.home / "pid"], {**os.environ, **told, "HOME": str(self.home)}
        with (self.home / "said").open("wb") as said:
            started = subprocess.Popen(command, cwd=self.home, env=place, user=user, stdout=said, stderr=said)  # noqa: S603 - what was unpacked
        self.processes.append(started)

    def kill(self) -> None:
        """As by kill -9, where it runs: the server itself, not the launcher, which ends with it."""
        if self.processes[-1].poll() is None:
            os.kill(int((self.home / "pid").read_text()), signal.SIGKILL)
            self.processes[-1].wait(60)


def archive() -> Path | None:
    """The newest archive in Maven's own store."""
    home = Path(os.environ.get("MAVEN_REPO", Path.home() / ".m2" / "repository")) / GROUP
    return max(home.glob("8.*/*.zip"), default=None)


def fetch() -> Path:
    """The archive, from Maven Central where it is not there. Raises Missing."""
    if archive() is None:
        if shutil.which("mvn") is None:
            raise Missing("Maven fetches the server and is not here: apt-get install maven")
        if subprocess.run(FETCH, check=False).returncode:  # noqa: S603 - words of our own
            raise Missing(f"Maven could not fetch {ARTIFACT}")
    if (found := archive()) is None:
        raise Missing(f"{ARTIFACT} is not in Maven's store; where that is elsewhere, MAVEN_REPO names it")
    return found


def unpacked(folder: Path) -> tuple[Path, Path]:
    """(the server and its tools, in a folder that holds nothing else, the home of the Java that runs them). Raises Missing."""
    packed, java = archive(), shutil.which("java")
    if packed is None:
        raise Missing(f"no archive of Elasticsearch in Maven's store: python3 {Path(__file__).name} --fetch")
    if java is None:
        raise Missing("Elasticsearch runs on Java, which is not here: apt-get install default-jre-headless")
    with zipfile.ZipFile(packed) as opened:
        opened.extractall(folder)
    (home,) = (path for path in folder.iterdir() if path.is_dir())
    for path in (*(home / "bin").iterdir(), folder):
        path.chmod(0o755)
    return home, Path(java).resolve().parents[1]


@contextmanager
def cluster(nodes: int = 1, security: Security | None = None, port: int = 0) -> Generator[tuple[Server, list[Node]]]:
    """A cluster of so many processes until the end of the block, on ports from `port` on (0: any that are free). Raises Missing and Refused."""
    with tempfile.TemporaryDirectory(prefix="balefire-elasticsearch-") as folder:
        home, java = unpacked(Path(folder))
        ports = _free_ports(2 * nodes)
        made = [Node(Path(folder) / f"node-{n}", port + n if port else ports[n], ports[nodes + n], home, java) for n in range(nodes)]
        for each in made:
            _configured(each, made, security)
        _owned(Path(folder))
        try:
            for each in made:
                each.start()
            asked = Server(f"{'https' if security else 'http'}://" + ",".join(f"127.0.0.1:{each.port}" for each in made), security)
            _ready(asked, made)
            yield asked, made
        finally:
            processes = [process for each in made for process in each.processes]
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def _free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()


def _configured(own: Node, nodes: Sequence[Node], security: Security | None) -> None:
    """The configuration of one node; one unpacked server serves them all."""
    config = own.home / "config"
    (config / "jvm.options.d").mkdir(parents=True)
    for name in ("jvm.options", "log4j2.properties"):
        shutil.copy(own.program / "config" / name, config / name)
    said: dict[str, object] = {
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
    """The server does not run as root, so there its files belong to another user."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, UNPRIVILEGED)


def _ready(asked: Server, nodes: Sequence[Node]) -> None:
    """Wait until all nodes have found each other. Raises Refused with what they said last, where one ends."""
    end = time.monotonic() + PATIENCE_S * len(nodes)
    while time.monotonic() < end and all(each.processes[-1].poll() is None for each in nodes):
        try:
            asked.ask("GET", f"/_cluster/health?wait_for_nodes={len(nodes)}&wait_for_status=yellow&timeout=20s")
        except (OSError, Refused, http.client.HTTPException):
            time.sleep(0.5)
        else:
            return
    raise Refused("\n".join((each.home / "said").read_text("utf-8", "replace")[-2000:] for each in nodes))


def main() -> None:
    """Run one until Ctrl-C or SIGTERM; says, as lines for a shell, what Balefire has to be told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", nargs="?", type=int, choices=range(1, 10), default=1, metavar="NODES", help="processes of the cluster (1)")
    parser.add_argument("--port", type=int, default=9200, help="of the first node (9200); 0: any that is free")
    parser.add_argument("--secured", action="store_true", help="TLS, and the users " + ", ".join(USERS))
    parser.add_argument("--fetch", action="store_true", help="fetch the server, and start nothing")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both end it in order
    try:
        fetch()
        if not chosen.fetch:
            _run(chosen.nodes, chosen.port, chosen.secured)
    except KeyboardInterrupt:
        sys.exit(0)
    except (Missing, Refused) as error:
        sys.exit(str(error))


def _run(nodes: int, port: int, secured: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="balefire-trust-") as folder:
        security = Security(Path(folder, "ca.crt"), secrets.token_urlsafe()) if secured else None
        with cluster(nodes, security, port) as (running, _):
            told = {"BALEFIRE_STORE": running.url}
            if security:
                password = Path(folder, "password")
                password.touch(0o600)
                password.write_text(security.password)
                ours = {"USER": "admin", "PASSWORD_FILE": password, "CA": security.certificate}
                told |= {f"BALEFIRE_ELASTICSEARCH_{name}": str(value) for name, value in ours.items()}
            for name, value in told.items():
                print(f"export {name}={value}", flush=True)  # noqa: T201 - what it is for
            signal.pause()


if __name__ == "__main__":
    main()
