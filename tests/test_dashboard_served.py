"""The server of the dashboard: where it listens, to whom it answers, and what it sends."""

import gzip
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from dashboards import serve
from dashboards.shell import TOLD
from records.errors import UsageError
from tests.cli import ROOT


def test_the_server_is_private_and_told_where_the_store_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = serve.environment("store", "zh")
    assert (told["BALEFIRE_STORE"], told["BALEFIRE_LANGUAGE"]) == (str(tmp_path / "store"), "zh")
    words = serve.command(8601)
    assert words[words.index("--server.address") + 1] == "127.0.0.1"
    assert words[words.index("--browser.gatherUsageStats") + 1] == "false"
    assert (serve.HERE / ".streamlit" / "config.toml").is_file(), "Streamlit reads the configuration beside the script it runs"


def test_the_server_answers_to_names_of_its_own_and_says_where_once_it_does(full: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        command = [sys.executable, "-m", "balefire", "dashboard", "--store", str(full), "--port", str(port), "--json"]
        taken = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    assert (taken.returncode, taken.stdout) == (2, "")
    assert taken.stderr == f"error: {UsageError('port_taken', port=port).text('en')}\n"
    assert f"Port {port} " in taken.stderr
    told = {**os.environ, "BALEFIRE_DASHBOARD__HOSTS": '["monitor.plant"]'}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=told, cwd=ROOT) as process:
        assert process.stdout
        try:
            assert json.loads(process.stdout.readline()) == {"address": f"http://127.0.0.1:{port}", "store": str(full)}
            names = (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "monitor.plant", "Monitor.Plant:80", "evil.example", f"evil.example:{port}", "")
            assert [asked(port, name, "/") for name in names] == [200] * 5 + [400] * 3
            assert [asked(port, f"localhost:{port}", path) for path in ("/nosuchpage", "/alert/5a0f", "/a/b", "/x.y", "/situation")] == [303] * 5, (
                "to the first page, which says so"
            )
            assert [asked(port, f"localhost:{port}", path) for path in ("/alerts/?lang=zh", "/health/", "/api")] == [303, 303, 200]
            assert asked(port, "evil.example", "/_stcore/stream", upgrade=True) in {400, 403}
            assert asked(port, f"localhost:{port}", "/_stcore/stream", upgrade=True) == 101
            compressed(port)
        finally:
            process.terminate()


def compressed(port: int) -> None:
    """Scripts and styles come compressed to those who take them so, and are the same then."""
    page = urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
    assert TOLD in page, "where the server is: else a browser asks beneath each page's own address first"
    names = re.findall(r"static/(?:js|css)/[\w.-]+\.(?:js|css)", page)
    assert {Path(name).suffix for name in names} == {".js", ".css"}
    sizes: list[tuple[int, int]] = []
    for name in set(names):
        plain, packed = (urlopen(Request(f"http://127.0.0.1:{port}/{name}", headers=told), timeout=10) for told in ({}, {"Accept-Encoding": "br, gzip"}))
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers.get_content_type() == plain.headers.get_content_type()
        whole, body = plain.read(), packed.read()
        assert gzip.decompress(body) == whole
        sizes.append((len(body), len(whole)))
    assert sum(body for body, _ in sizes) < sum(whole for _, whole in sizes) / 2
    missing = urlopen(Request(f"http://127.0.0.1:{port}/static/js/none.js", headers={"Accept-Encoding": "gzip"}), timeout=10)
    assert missing.read().decode() == page.replace(f"<head>{TOLD}", "<head>"), "what there is not is for the application to answer"


def asked(port: int, host: str, path: str, upgrade: bool = False) -> int:
    """The status that somebody gets who asks under this name."""
    heads = [f"Host: {host}"]
    if upgrade:
        heads += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall("\r\n".join([f"GET {path} HTTP/1.1", *heads, "", ""]).encode())
        return int(line.recv(1000).split()[1])
