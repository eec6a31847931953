"""Bad input gets one clear line naming file, place and fix, the right exit status, and nothing is lost."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from records.store.manifest import NAME
from tests.cli import DEMO, ROOT, balefire, lines, one, program, short, stored
from tests.test_reload import somebody_else


@pytest.fixture(scope="module")
def store() -> Path:
    return stored()[0]


def told(*words: object, status: int) -> str:
    """The words of a command that fails; each problem is one line."""
    result = balefire(*words)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result.stderr


BAD = {
    "text.pcap": (b"this is not a capture, it is a text\n" * 9, "not a capture"),
    "empty.pcap": (b"", "nothing in it"),
    "header.pcap": (DEMO.read_bytes()[:11], "header"),
    "token.pcap": (b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + b"\0" * 8 + b"\xff\xff\0\0" + b"\x69\0\0\0", "link type"),
}


def test_what_cannot_be_read_is_said_and_the_rest_is_done(tmp_path: Path) -> None:
    for name, (content, _word) in BAD.items():
        (tmp_path / name).write_bytes(content)
    good = short(tmp_path)
    summary = one("replay", *(tmp_path / name for name in BAD), good, "--store", tmp_path / "s", status=3)
    errors = {Path(given["path"]).name: given["error"] for given in summary["inputs"]}
    assert errors.pop(good.name) is None
    assert summary["packets"] > 0
    for name, (_content, word) in BAD.items():
        assert str(tmp_path / name) in errors[name]
        assert word in errors[name]


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BAD[name][0])
    line = told("dissect", tmp_path / name, status=3).strip()
    assert str(tmp_path / name) in line
    assert "\n" not in line


def test_a_truncated_capture_is_read_up_to_its_end(tmp_path: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(short(tmp_path, 200).read_bytes()[:-7])
    summary = one("replay", cut, "--store", tmp_path / "s", status=3)
    assert summary["packets"] == 199
    assert "byte" in summary["inputs"][0]["error"]


def test_an_error_is_said_in_the_reader_s_language(tmp_path: Path) -> None:
    (tmp_path / "empty.pcap").touch()
    assert "错误：" in told("replay", tmp_path / "empty.pcap", "--store", tmp_path / "s", "--language", "zh", status=3)


@pytest.mark.parametrize("command", ["dissect", "replay"])
def test_a_missing_path_is_a_slip(tmp_path: Path, command: str) -> None:
    assert "none.pcap" in told(command, tmp_path / "none.pcap", *(("--store", tmp_path / "s") if command == "replay" else ()), status=2)


def test_an_unreadable_file(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        looped = tmp_path / "loop.pcap"
        looped.symlink_to(looped)  # root may read anything, but not a link to itself
        assert "loop.pcap" in told("dissect", looped, status=3)
        return
    shutil.copy(DEMO, tmp_path / "closed.pcap")
    (tmp_path / "closed.pcap").chmod(0)
    assert "closed.pcap" in told("dissect", tmp_path / "closed.pcap", status=3)


def test_a_directory_without_captures(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("none")
    words = told("replay", tmp_path / "in", "--store", tmp_path / "s", status=3)
    assert "notes.txt" in words
    assert "no capture" in words


def test_standard_input_twice() -> None:
    assert "once" in told("replay", "-", "--learn", "-", status=2)


@pytest.mark.parametrize(
    ("search", "word"),
    [("destination.ip:fe80::1", "colon"), ("(", "cannot be read"), ("ot.efect:unknown", "ot.effect"), ("ot.count:many", "ot.count")],
)
def test_a_bad_search(store: Path, search: str, word: str) -> None:
    assert word in told("activities", "--store", store, "--where", search, status=2)


def test_a_bad_time_sort_or_page(store: Path) -> None:
    assert "ISO 8601" in told("activities", "--store", store, "--since", "yesterday", status=2)
    assert "ot.count" in told("activities", "--store", store, "--sort", "-ot.cuont", status=2)
    told("activities", "--store", store, "--after", "no-such-id", status=2)
    told("activities", "--store", store, "--limit", 0, status=2)


def test_unknown_and_ambiguous_ids(store: Path) -> None:
    assert "ffffffffffffffffffff" in told("explain", "f" * 20, "--store", store, status=1)
    assert len(lines("findings", "--store", store)) > 16  # so that two of them begin alike
    first = [row["id"][0] for row in lines("findings", "--store", store)]
    shared = max(first, key=first.count)
    assert "Several" in told("explain", shared, "--store", store, status=1)


def test_a_settings_slip(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('stroe = "x"\n')
    words = told("--settings", tmp_path / "b.toml", "version", status=2)
    assert "stroe" in words
    assert "store" in words
    assert str(tmp_path / "b.toml") in words


def test_a_home_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('store = "~nobody-here/x"\n')
    store, settings = ("--store", "~nobody-here/x"), ("--settings", tmp_path / "b.toml")
    for words in (("alerts", *store), ("replay", DEMO, *store), ("doctor", "--record", "~nobody-here/x"), (*settings, "alerts")):
        line = told(*words, status=2)
        assert "~nobody-here/x" in line
        assert "in full" in line
    checks = {each["check"]: each["advice"] for each in one("doctor", *store, status=1)["checks"]}
    assert "~nobody-here/x" in checks["store"]


def test_a_folder_that_may_not_be_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are not passed over, for they may be meant to count; doctor says what else is not well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "b.toml").touch()
        closed = folder / "closed"
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
            monkeypatch.setenv(variable, str(closed))
        settings, doctor = ("--settings", folder / "b.toml"), ("doctor", "--record", closed / "kept")
        monkeypatch.setattr("sensors.engine.mode.is_warm", bool)  # this user's kernels are elsewhere
        balefire(*settings, *doctor)  # what it imports may not be everybody's
        closed.mkdir(mode=0)
        try:
            with somebody_else():
                words = told("version", status=2)
                assert str(closed / "balefire" / "balefire.toml") in words
                assert "--settings" in words
                assert str(closed / "balefire" / "store") in told(*settings, "alerts", status=2)
                checks = {check["check"]: check["advice"] for check in one(*settings, *doctor, status=1)["checks"]}
            assert str(closed / "balefire" / "accounts.json") in checks["door"]
            assert f"nothing can be written at {closed}" in checks["record"]
            assert str(closed / "balefire" / "store") in checks["store"]
        finally:
            closed.chmod(0o700)


@pytest.mark.parametrize("command", ["watch", "serve"])
def test_an_interface_that_there_is_not_is_said_before_anything_is_compiled(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)  # nor does anything listen by then
    assert "There are: " in told(command, "nosuch0", "--store", tmp_path / "s", status=2)
    assert not (tmp_path / "s").exists()


def test_a_rule_with_an_unknown_field(tmp_path: Path) -> None:
    source = next(path for path in sorted((ROOT / "rules").rglob("*.yml")))
    text = source.read_text("utf-8")
    assert "ot.effect" in text
    rule = tmp_path / source.name
    rule.write_text(text.replace("ot.effect", "ot.efect"), "utf-8")
    linted = one("rules", "lint", tmp_path, status=1)
    problem = linted["problems"][0]
    assert list(problem) == ["file", "line", "rule", "check", "message", "advice"]
    assert problem["file"] == str(rule)
    assert problem["line"] == 1 + next(number for number, line in enumerate(rule.read_text("utf-8").splitlines()) if "ot.efect" in line)
    assert "ot.effect" in problem["advice"] + problem["message"]
    assert f"{rule.name}:{problem['line']}" in told("replay", short(tmp_path), "--rules", tmp_path, "--store", tmp_path / "s", status=3)
    one("rules", "test", tmp_path, status=1)


def test_rules_that_are_not_there(tmp_path: Path) -> None:
    told("rules", "lint", tmp_path / "none", status=2)
    told("replay", DEMO, "--rules", tmp_path / "none", "--store", tmp_path / "s", status=2)


def test_a_store_that_is_not_there_or_none(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in told("alerts", "--store", tmp_path / "none", status=2)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    assert str(tmp_path / "other") in told("replay", DEMO, "--store", tmp_path / "other", status=4)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["letter.txt"]


@pytest.fixture
def writer(store: Path) -> Iterator[None]:
    from records.store import open_store

    held = open_store(str(store), write=True)
    yield
    held.close()


@pytest.mark.usefixtures("writer")
def test_a_store_in_use_is_read_but_not_written(store: Path) -> None:
    assert str(store) in told("replay", DEMO, "--store", store, status=4)
    assert balefire("alerts", "--store", store).exit_code == 0


def test_a_store_of_a_newer_version(tmp_path: Path, store: Path) -> None:
    newer = tmp_path / "newer"
    shutil.copytree(store, newer)
    database = newer / NAME
    with sqlite3.connect(database) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {version + 1}")
    connection.close()
    assert str(newer) in told("alerts", "--store", newer, status=4)


def test_a_reader_that_stops_is_no_fault(store: Path) -> None:
    script = f"set -o pipefail; {sys.executable} -m balefire activities --store '{store}' --json | head -n 1"

    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=ROOT, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["alerts", "alerts --json", "explain", "--help", "alerts --help", "dissect", "replay --json", "version"])
def test_an_output_that_is_full_is_one_line(store: Path, tmp_path: Path, words: str) -> None:
    named, *rest = words.split()
    given = {
        "alerts": ["--store", store],
        "explain": [lines("alerts", "--store", store)[0]["id"], "--store", store],
        "dissect": [DEMO],
        "replay": [short(tmp_path), "--store", tmp_path / "s"],
    }.get(named, [])
    with Path("/dev/full").open("w") as full:
        typed = [sys.executable, "-m", "balefire", named, *map(str, given), *rest]
        done = subprocess.run(typed, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False, timeout=60, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 4
    assert done.stderr.decode().splitlines() == ["error: The output cannot be written: No space left on device."]


def test_what_the_output_cannot_show_is_escaped(store: Path) -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    told = program("alerts", "--store", store, environment=ascii_only)
    assert (told.returncode, told.stderr) == (0, b"")
    assert b"\\u25b2" in told.stdout
    listed = program("alerts", "--json", "--store", store, environment=ascii_only)
    assert [json.loads(line) for line in listed.stdout.splitlines()] == lines("alerts", "--store", store)


@pytest.mark.parametrize("words", ["alerts", "alerts --json", "schema", "version", "--help", "alerts --help"])
def test_every_command_ends_alike_where_its_reader_has_gone(store: Path, words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    typed = [sys.executable, "-m", "balefire", *words.split()]
    done = subprocess.run(typed, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, env={**os.environ, "BALEFIRE_STORE": str(store)}, check=False, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("when", ["balefire.settings.load", "records.store.open_store"])
def test_an_interrupt_is_130(store: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    def interrupted(*_given: object, **_named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(when, interrupted)
    result = balefire("alerts", "--store", store)
    assert (result.exit_code, result.output) == (130, "")


def test_a_hash_that_is_not_known_is_null(tmp_path: Path) -> None:
    (tmp_path / "text.pcap").write_bytes(BAD["text.pcap"][0])
    assert one("replay", tmp_path / "text.pcap", "--store", tmp_path / "s", status=3)["inputs"][0]["sha256"] is None


def test_terminal_controls_never_reach_the_terminal(tmp_path: Path) -> None:
    nasty = tmp_path / "\x1b[31mred\x07\u202e.pcap"
    shutil.copy(short(tmp_path), nasty)
    for words in (("replay", nasty, "--store", tmp_path / "s"), ("replay", nasty, "--store", tmp_path / "s", "--json"), ("dissect", nasty, "--json")):
        result = program(*words)
        assert result.returncode == 0, result.stderr
        for stream in (result.stdout, result.stderr):
            assert not {"\x1b", "\x07", "\u202e"} & set(stream.decode())


def test_unknown_commands_and_options() -> None:
    assert balefire("report", "x").exit_code == 2  # not offered before it exists
    assert balefire("replay").exit_code == 2
    assert balefire("alerts", "--colour").exit_code == 2
