"""The way with containers, as far as it can be tried without an engine: the structure, every name in it, every command, and the scripts that it runs."""

from __future__ import annotations

import re
import shlex
import shutil
import ssl
import subprocess
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from balefire.settings import Housekeep, Notify, Send, Settings, Sign
from deploy.elasticsearch.server import ROLES
from records.store.cluster import VARIABLE, address
from records.store.spool import place_of
from tests.elasticsearch import unpacked
from tests.shipped import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
DEPLOY: Final = ROOT / "deploy"
FILE: Final = DEPLOY / "compose.yaml"
NODES: Final = ("es-1", "es-2", "es-3")
# What of the compose specification we use: the keys of the file and of a service, each with the types that its value may have.
TOP: Final = {"name", "services", "networks", "volumes"}
SERVICE: Final[dict[str, tuple[type, ...]]] = {
    "image": (str,), "build": (dict,), "command": (list,), "depends_on": (dict,), "environment": (dict,), "healthcheck": (dict,), "networks": (list,),
    "network_mode": (str,), "ports": (list,), "volumes": (list,), "profiles": (list,), "restart": (str,), "read_only": (bool,), "tmpfs": (list,),
    "cap_add": (list,), "cap_drop": (list,), "security_opt": (list,), "user": (str,), "mem_limit": (str,), "ulimits": (dict,), "stop_grace_period": (str,),
}  # fmt: skip
REPORTING: Final = {"delivery": Send, "notification": Notify, "ledger": Sign}
CONDITIONS: Final = {"service_started", "service_healthy", "service_completed_successfully"}
VARIABLE_IN_IT: Final = re.compile(r"(?<!\$)\$\{(\w+)(:[-?][^}]*)?\}")


def defined() -> dict[str, str]:
    """The variables of the example, with something in the place of each secret."""
    lines = [line for line in (DEPLOY / "example.env").read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return {name: value or "s3cret" for name, _, value in (line.partition("=") for line in lines)}


def whole(variables: dict[str, str]) -> dict[str, Any]:
    """The file as the engine would read it."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in variables:
            raise KeyError(found[1])
        return variables[found[1]]

    read: dict[str, Any] = yaml.safe_load(VARIABLE_IN_IT.sub(value, FILE.read_text("utf-8")))
    return read


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return whole(defined())


def test_the_structure(compose: dict[str, Any]) -> None:
    assert {key for key in compose if not key.startswith("x-")} == TOP
    for name, service in compose["services"].items():
        assert set(service) <= set(SERVICE), name
        for key, value in service.items():
            assert isinstance(value, SERVICE[key]), (name, key)
        assert ("network_mode" in service) != ("networks" in service), name
        assert all(isinstance(value, str) for value in service.get("environment", {}).values()), name
        assert service.get("restart", "no") in {"no", "always", "on-failure", "unless-stopped"}, name
        assert set(service.get("networks", [])) <= set(compose["networks"]), name
        assert set(service.get("healthcheck", {})) <= {"test", "interval", "timeout", "retries"}, name
    assert list(compose["services"]).count("es-1") == 1


def test_what_a_service_waits_for_comes(compose: dict[str, Any]) -> None:
    services: dict[str, Any] = compose["services"]
    for name, service in services.items():
        for other, said in service.get("depends_on", {}).items():
            assert said["condition"] in CONDITIONS
            assert said["condition"] != "service_healthy" or "healthcheck" in services[other], name
            assert said["condition"] != "service_completed_successfully" or "restart" not in services[other], name
            assert "profiles" not in services[other], name


def test_every_variable_is_in_the_example_and_every_one_of_the_example_is_used() -> None:
    text = FILE.read_text("utf-8")
    used = {found[1] for found in VARIABLE_IN_IT.finditer(text)}
    assert used == set(defined())
    with pytest.raises(KeyError):
        whole({})
    secret = {name for name in used if name.endswith(("PASSWORD", "KEY"))}
    assert {found[1] for found in VARIABLE_IN_IT.finditer(text) if (found[2] or "").startswith(":?")} >= secret, "without one, the engine says so"
    assert "deploy/.env" in (ROOT / ".gitignore").read_text("utf-8")


def test_versions_stand_in_one_place(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()}
    version = defined()["ELASTIC_VERSION"]
    assert images == {f"elasticsearch:{version}", f"kibana:{version}", "balefire:local"}
    assert not re.search(r"\d+\.\d+\.\d+", re.sub(r"127\.0\.0\.1", "", FILE.read_text("utf-8")))
    assert int(version.split(".")[0]) in {8, 9}


def test_every_mounted_file_is_there(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for mount in service.get("volumes", []):
            source, inside, *mode = mount.split(":")
            assert inside.startswith("/"), name
            assert mode in ([], ["ro"]), name
            if source.startswith("."):
                assert (DEPLOY / source).exists() or source in {defined()["CAPTURES"], defined()["REPORTING"]}, name
                assert mode == ["ro"], "nothing of the checkout is written to"
            else:
                assert source in compose["volumes"], name


def test_nothing_is_open_to_other_machines(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if service["image"] == "balefire:local":
            assert service["cap_drop"] == ["ALL"], name
            assert service["read_only"] is True, name
            assert service.get("cap_add", []) == (["NET_RAW"] if name == "sensor" else []), name
            assert (service["security_opt"] == ["no-new-privileges:true"]) == (name != "sensor"), name


def test_commands_are_balefire_s(compose: dict[str, Any]) -> None:
    said = {name: " ".join(service["command"]) for name, service in compose["services"].items() if service["image"] == "balefire:local"}
    ran = {name: parsed(text.partition("balefire ")[2]) for name, text in said.items()}
    wanted = {"store": "init", "housekeeping": "housekeep", "sensor": "watch", "replay": "replay", "dashboard": "dashboard"}
    wanted |= {"delivery": "run", "notification": "notify", "signing": "release"}
    assert {name: command for name, (command, _) in ran.items()} == wanted
    assert ran["sensor"][1]["interfaces"] == (defined()["INTERFACE"],)
    assert said["sensor"].startswith("python-that-listens -m balefire ")
    assert all(text.startswith("balefire ") for name, text in said.items() if name != "sensor")
    mounted = [mount.split(":")[1] for mount in compose["services"]["replay"]["volumes"]]
    assert set(ran["replay"][1]["sources"]) <= set(mounted)


def test_balefire_is_told_what_it_knows(compose: dict[str, Any]) -> None:
    """Settings that are settings, a store that is an address of nodes which listen there, and users that accounts.sh makes."""
    ports = {port.split(":")[1] for node in NODES for port in compose["services"][node]["ports"]}
    made = re.findall(r"_security/user/(balefire_\w+) .*roles\W+(\w+)", (DEPLOY / "elasticsearch" / "accounts.sh").read_text("utf-8"))
    assert made == [(role, role) for role in ("balefire_admin", "balefire_writer", "balefire_analyst")]
    assert {role for _, role in made} <= set(yaml.safe_load(ROLES.read_text("utf-8")))
    for name, service in compose["services"].items():
        if service["image"] != "balefire:local":
            continue
        told = service["environment"]
        assert {url.rpartition(":")[2] for url in address(told["BALEFIRE_STORE"]).urls} == ports
        assert told[f"{VARIABLE}USER"] in dict(made), name
        assert told[f"{VARIABLE}CA"] == "/etc/balefire/authority/ca.crt"
        known = {f"BALEFIRE_{field.upper()}" for field in Settings.model_fields} | {f"{VARIABLE}{each}" for each in ("USER", "PASSWORD", "CA")}
        known |= {f"BALEFIRE_HOUSEKEEPING__{field.upper()}" for field in Housekeep.model_fields}
        known |= {f"BALEFIRE_{section.upper()}__{key.upper()}" for section, kind in REPORTING.items() for key in kind.model_fields}
        assert {variable for variable in told if variable.startswith("BALEFIRE_")} <= known, name


def test_the_image_is_made_from_what_is_there(monkeypatch: pytest.MonkeyPatch, compose: dict[str, Any]) -> None:
    text = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    steps = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert {step for step, _ in steps} <= {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "CMD"}
    assert [said for step, said in steps if step == "USER"] == ["balefire"]
    assert all((ROOT / said.split()[0]).exists() for step, said in steps if step == "COPY")
    kept = [line[1:] for line in (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    assert [name for name in kept if not (ROOT / name).exists()] == []
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    build: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(kept) >= {*build["packages"], "pyproject.toml", "requirements-container.txt", *project["license-files"]}
    locked = {line.split("==")[0] for line in (ROOT / "requirements-container.txt").read_text("utf-8").splitlines() if "==" in line and line[0] != " "}
    extras = project["optional-dependencies"]
    wanted = {re.split(r"[\[<>=;~ ]", each)[0].lower() for each in project["dependencies"] + extras["oidc"] + extras["reports"]}
    assert locked >= wanted > {"weasyprint", "authlib"}
    least = project["requires-python"].removeprefix(">=")
    assert f"FROM python:{least}-slim" in text
    (told,) = [dict(word.split("=", 1) for word in shlex.split(said)) for step, said in steps if step == "ENV"]
    monkeypatch.setenv("BALEFIRE_SPOOL", told["BALEFIRE_SPOOL"])
    assert str(place_of("x")).startswith("/var/lib/balefire/")
    written = [mount.split(":")[1] for mount in compose["x-balefire"]["volumes"] if not mount.endswith(":ro")]
    assert written == [told["HOME"]], "all else of the container is read-only"


APT: Final = re.compile(r"apt-get install ((?:[a-z-]\S* ?)+)")
LISTS: Final = sorted(Path("/var/lib/apt/lists").glob("*_main_binary-*_Packages*"))


def packages(text: str) -> set[str]:
    """What a text has installed of Debian."""
    (said,) = APT.findall(re.sub(r"\s*\\\n\s*", " ", text))
    return {word for word in said.split() if not word.startswith("--")}


def test_the_image_has_of_debian_what_a_machine_has() -> None:
    """An image of Python brings `venv`, `libcap2-bin` gives the one right that systemd gives there."""
    image, machine = (packages((ROOT / name).read_text("utf-8")) for name in ("deploy/Containerfile", "docs/growing.md"))
    assert image - {"libcap2-bin"} == machine - {"python3-venv"}
    assert machine >= {"tshark", "fonts-noto-cjk", "libpango-1.0-0"}


@pytest.mark.skipif(not LISTS or shutil.which("apt-cache") is None, reason="no lists of Debian's packages (apt-get update)")
def test_its_packages_are_debian_s() -> None:
    for name in sorted({*packages((DEPLOY / "Containerfile").read_text("utf-8")), "python3-venv"}):
        subprocess.run(["apt-cache", "show", name], check=True, capture_output=True)
    assert subprocess.run(["apt-cache", "show", "no-such-package"], check=False, capture_output=True).returncode != 0, "it looks"


def test_the_lock_of_the_image_is_of_extras_that_there_are() -> None:
    (told,) = (line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "--output-file requirements-container.txt" in line)
    extras: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"--extra (\w+)", told)) == {"oidc", "reports"} < set(extras)


def test_only_who_may_drop_what_is_old_keeps_house(compose: dict[str, Any]) -> None:
    for name in ("sensor", "replay", "housekeeping"):
        told = compose["services"][name]["environment"]
        assert (told.get("BALEFIRE_HOUSEKEEPING__DAILY") == "false") == (told[f"{VARIABLE}USER"] != "balefire_admin"), name


@pytest.mark.elasticsearch
def test_only_what_signs_has_the_keys(compose: dict[str, Any]) -> None:
    holding = {name for name, service in compose["services"].items() if any(mount.startswith("keys:") for mount in service.get("volumes", []))}
    assert holding == {"signing"}
    assert compose["services"]["signing"]["environment"]["BALEFIRE_LEDGER__KEYS"] in (DEPLOY / "Containerfile").read_text("utf-8")


def test_certificates_are_made_once_and_prove_the_nodes(tmp_path: Path) -> None:
    """The script that makes them, with Elastic's own tool."""
    private, public = tmp_path / "private", tmp_path / "public"
    private.mkdir()
    public.mkdir()
    server = tmp_path / "server"
    server.mkdir()
    home, java = unpacked(server)
    environment = {"PATH": f"/usr/bin:/bin:{home / 'bin'}", "ES_JAVA_HOME": str(java)}
    command = ["/bin/sh", str(DEPLOY / "elasticsearch" / "certificates.sh"), str(private), str(public)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    made = {path.relative_to(private): path.read_bytes() for path in private.rglob("*") if path.is_file()}
    assert {str(path) for path in made} == {f"{name}/{name}.{kind}" for name in ("ca", *NODES) for kind in ("crt", "key")}
    assert [path.name for path in public.iterdir()] == ["ca.crt"]
    assert (private / "ca" / "ca.key").stat().st_mode & 0o077 == 0
    for node in NODES:
        certificate = private / node / f"{node}.crt"
        for host in (["-verify_hostname", node], ["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"]):
            subprocess.run(["openssl", "verify", "-CAfile", public / "ca.crt", *host, certificate], check=True, capture_output=True)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert made == {path.relative_to(private): path.read_bytes() for path in private.rglob("*") if path.is_file()}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[str, Path, list[tuple[str, str, str, str]]]]:
    """(address, authority, what was asked): an HTTPS server in the place of Elasticsearch, whose build to be had here keeps no users."""
    asked: list[tuple[str, str, str, str]] = []

    class Server(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.command, self.path, self.headers["Authorization"], body))
            self.send_response(200 if len(asked) < 10 else 500)
            self.end_headers()

        do_PUT = do_POST = _take  # noqa: N815 - the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    key, certificate = tmp_path / "key.pem", tmp_path / "ca.crt"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", *made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", certificate, asked
        server.shutdown()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_accounts_are_asked_for(listener: tuple[str, Path, list[tuple[str, str, str, str]]]) -> None:
    url, authority, asked = listener
    passwords = {name: f"p.{number}_~-" for number, name in enumerate(name for name in defined() if name.endswith("PASSWORD"))}
    command = ["/bin/sh", str(DEPLOY / "elasticsearch" / "accounts.sh"), url, str(authority)]
    subprocess.run(command, env={"PATH": "/usr/bin:/bin", **passwords}, check=True, capture_output=True)
    assert [(method, path) for method, path, _, _ in asked] == [
        ("POST", "/_security/user/kibana_system/_password"), *(("PUT", f"/_security/user/balefire_{who}") for who in ("admin", "writer", "analyst")),
    ]  # fmt: skip
    bodies: list[dict[str, Any]] = [yaml.safe_load(body) for *_, body in asked]
    said = [passwords[name] for name in ("KIBANA_PASSWORD", "BALEFIRE_ADMIN_PASSWORD", "BALEFIRE_WRITER_PASSWORD", "BALEFIRE_ANALYST_PASSWORD")]
    assert [body["password"] for body in bodies] == said
    assert [body["roles"] for body in bodies[1:]] == [["balefire_admin"], ["balefire_writer"], ["balefire_analyst"]]
    assert len({who for _, _, who, _ in asked}) == 1
    wrong = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **passwords, "KIBANA_PASSWORD": 'a"b'}, check=False, capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "KIBANA_PASSWORD" in wrong.stderr
    assert len(asked) == 4
