"""What a process may write once it confined itself, asked of the kernel: itself, its threads, and what it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from sensors.fence import version
from tests.require import need
from tests.test_watch import INTERPRETED
from tests.veth import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TRIED = """
import errno, json, os, socket, subprocess, sys, threading
from pathlib import Path

def outcome(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def tried(may, not_):
    '''What comes of writing there, and elsewhere.'''
    kept, told = Path(not_) / "kept", {}
    server = socket.create_server(("127.0.0.1", 0)) if outcome(lambda: socket.create_server(("127.0.0.1", 0)).close()) == "done" else None
    for name, place in (("may", may), ("not", not_)):
        told[name] = [outcome(lambda: (Path(place) / "new").write_text("x")), outcome(lambda: (Path(place) / "folder").mkdir())]
    told["changed"] = [outcome(lambda: kept.write_text("y")), outcome(kept.unlink), outcome(lambda: os.truncate(kept, 0))]
    told["read"] = kept.read_text() if kept.exists() else ""
    told["tcp"] = "done" if server else "EACCES"
    thread = threading.Thread(target=lambda: told.update(thread=outcome(lambda: (Path(not_) / "thread").write_text("x"))))
    thread.start()
    thread.join()
    child = subprocess.run([sys.executable, "-S", "-c", "import sys; open(sys.argv[1], 'w')", f"{not_}/child"], capture_output=True)
    told["child"] = "done" if child.returncode == 0 else "EACCES" if b"PermissionError" in child.stderr else child.stderr.decode()
    print("", json.dumps(told), sep="\\n", flush=True)
"""
REFUSED = {
    "may": ["done", "done"], "not": ["EACCES", "EACCES"], "changed": ["EACCES", "EACCES", "EACCES"], "read": "as it was", "thread": "EACCES", "child": "EACCES",
}  # fmt: skip


def asked(script: str, tmp_path: Path, cache: Path | None = None) -> dict[str, Any]:
    """What a process of its own says that runs this after `TRIED`; `may` and `not_` are its folders."""
    may, not_ = tmp_path / "may", tmp_path / "not"
    for place in (may, not_):
        place.mkdir()
    (not_ / "kept").write_text("as it was")
    places = f"may, not_ = {str(may)!r}, {str(not_)!r}\n"
    temporary = {"TMPDIR": str(cache), "XDG_CACHE_HOME": str(cache), "XDG_DATA_HOME": str(cache)} if cache else {}
    done = subprocess.run(
        [sys.executable, "-c", TRIED + places + script], cwd=ROOT, env=os.environ | INTERPRETED | temporary, check=False, capture_output=True, timeout=60
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(b'{"may"')]
    assert lines, done.stderr.decode()
    told: dict[str, Any] = json.loads(lines[-1])
    return told


@pytest.fixture(autouse=True)
def landlock() -> None:
    need("landlock", version() >= 4, "the kernel has no Landlock, or one that does not know TCP (Linux 6.7)")


@pytest.mark.parametrize("tcp", [True, False])
def test_it_writes_where_it_may_and_reads_everywhere(tcp: bool, tmp_path: Path) -> None:
    script = f"from sensors.fence import confine\nassert confine([Path(may), Path('/dev')], tcp={tcp})\ntried(may, not_)"
    assert asked(script, tmp_path) == REFUSED | {"tcp": "done" if tcp else "EACCES"}


def test_a_folder_that_is_not_there_is_made_and_nothing_above_it_can_be_written(tmp_path: Path) -> None:
    """Nor above one that cannot be made, as a file or a link that leads nowhere stands in its place."""
    script = """
from sensors.fence import confine
(Path(may) / "file").write_text("x")
(Path(may) / "link").symlink_to("nowhere")
assert confine([Path(not_) / "a" / "b", Path(may) / "file", Path(may) / "file" / "c", Path(may) / "link", Path("/proc/nothing")], True)
tried(not_ + "/a/b", may)
"""
    told = asked(script, tmp_path)
    assert (told["may"], told["not"]) == (["done", "done"], ["EACCES", "EACCES"])


def test_unconfined_all_of_that_works(tmp_path: Path) -> None:
    told = asked("tried(may, not_)", tmp_path)
    assert told["not"] == ["done", "done"]
    assert {told["thread"], told["child"], told["tcp"], *told["changed"][:2]} == {"done"}


@pytest.mark.parametrize(("words", "tcp"), [('"--record", may, "tcp-listen://127.0.0.1:0"', "done"), ("may", "EACCES")])
def test_what_listens_is_confined(words: str, tcp: str, tmp_path: Path) -> None:
    """By the time that it listens: to its recording, and it says so where that is moved away, or the folder that it empties."""
    script = f"""
from sensors import listening
listening.TICK_S, words = 0.02, [{words}]
mover = subprocess.Popen(["sh", "-c", 'read _; mv "$0" "$0.away"; echo; read _; mv "$0.away" "$0"; echo', may], bufsize=0, stdin=-1, stdout=-1)
def move():
    mover.stdin.write(b"\\n")
    mover.stdout.readline()
def say(told):
    if "ready" in told and "--record" in words:
        move()
        line = socket.create_connection(("127.0.0.1", int(told["ready"][0].rsplit(":", 1)[1])))
        line.sendall(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000" "00000000000000000e0000000e000000") + bytes(14))
        lines.append(line)
    elif "ready" in told or "unfoldered" in told:
        if lines:
            move()
        tried(may, not_)
        os._exit(0)
    elif "unrecorded" in told:
        os._exit(1)
lines = []
listening.say = say
listening.main(words)
"""
    assert asked(script, tmp_path) == REFUSED | {"tcp": tcp}


def test_what_listens_to_interfaces_alone_has_no_tcp(tmp_path: Path) -> None:
    """And of temporary files it has but its own, where no cache can be written and kernels go there."""
    script = """
os.environ |= {"XDG_CACHE_HOME": "/proc/nothing", "TMPDIR": str(Path(may).parent)}
from sensors import listening
listening.opener = lambda *_: (tried(may, not_), os._exit(0))
may, not_ = not_ + "/new", may
(Path(not_) / "kept").write_text("as it was")
listening.main(["--record", may, "lo"])
"""
    assert asked(script, tmp_path) == REFUSED | {"tcp": "EACCES"}


def test_what_judges_is_confined(tmp_path: Path) -> None:
    """To the store, and what it makes anew, where none of that is there yet."""
    script = """
os.environ["XDG_DATA_HOME"] = os.environ["BALEFIRE_SPOOL"] = not_ + "/data"
from balefire.commands import watch
from balefire.__main__ import start
watch._listening = lambda *_: (tried(may, not_), os._exit(0))
sys.argv = ["balefire", "watch", "tcp-listen://127.0.0.1:0", "--store", may + "/store"]
may += "/store"
start()
"""
    cache = tmp_path / "cache"
    cache.mkdir()
    assert asked(script, tmp_path, cache) == REFUSED | {"tcp": "done"}
