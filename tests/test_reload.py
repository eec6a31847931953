"""Rules that change while a replay runs without end: in force as a whole or not at all, recorded with what they find, and never for what was judged before."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
import zlib
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from balefire import ruling
from balefire.pipeline import Replay
from balefire.plan import Plan
from balefire.ruling import Ruling
from balefire.times import shown
from detectors.rulebook import versions
from detectors.rulebook.document import LARGEST
from detectors.rulebook.load import load, own_rules
from detectors.rulebook.versions import Version
from records.asking import moment
from records.errors import UsageError
from records.store import open_store
from records.store.contract import Commit
from sensors.engine.mode import choose
from sensors.sources import pcap
from tests.cli import balefire, lines, one, short
from tests.test_streaming import give, running, until
from tests.wire import SECOND, Talk, mbap, save, write
from tests.wire import pcap as capture_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from detectors.rulebook.load import Rulebook
    from tests.elasticsearch import Elasticsearch

WRITES = """\
title: "{{source}} wrote to {{destination}}"
title_zh: "{{source}} 写入 {{destination}}"
id: {name}
status: experimental
description: {words}
description_zh: 测试用。
logsource:
  product: balefire
detection:
  acts:
    ot.effect: value.write
    ot.object.first: {first}
  condition: acts
level: medium
misses:
  - en: Much.
    zh: 很多。
respond:
  - en: Ask.
    zh: 询问。
tests:
  fires:
    - {{ot.effect: value.write, ot.object.first: {first}}}
  quiet:
    - {{}}
"""


def rule(folder: Path, first: int, name: str = "writes", words: str = "Why.") -> Path:
    """A rule on writes to this register."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yml"
    file.write_text(WRITES.format(name=name, first=first, words=words))
    return file


def packets(times: range) -> list[Any]:
    """Each second a write to register 4 and one to register 5."""
    said = Talk().open()
    for number in times:
        said.time = said.time - said.time % SECOND + SECOND
        for register in (4, 5):
            asked = mbap(number * 2 + register % 2, write(register, number))
            said.ask(asked, asked)
    return said.packets


def found(store: Path) -> list[tuple[str, str, int]]:
    """(rule, version, second of its packets) of each finding of the site's rules."""
    rows = [json.loads(line) for line in balefire("findings", "--store", store, "--limit", 1000, "--json").stdout.splitlines()]
    return [(row["rule"], row["version"], row["time"]) for row in rows if row["rule"] in {"writes", "more"}]


class Watched:
    """The rules of a replay that goes on, and what it says about them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes | None = None) -> None:
        monkeypatch.setattr(ruling, "LOOK_S", 0.0)
        monkeypatch.setattr(ruling, "SETTLED_S", 0.0)
        self.said: list[str] = []
        self.ruling = Ruling((folder,), kept, lambda text: self.said.append(text.en))

    def look(self) -> bool:
        """Look, and again when what has changed is loaded."""
        taken = self.ruling.look()
        if self.ruling.loading is None:
            return taken
        wait([self.ruling.loading])
        return self.ruling.look()

    def rules(self) -> list[str]:
        """The ids of the site's rules that judge."""
        return [rule.id for rule in load(self.ruling.rules).rules]


class Gate:
    """Holds up the thread that loads rules for as long as it is shut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self._there = threading.Event(), threading.Event()
        monkeypatch.setattr(ruling, "load", self._load)

    def reached(self) -> bool:
        """Whether somebody waits at it."""
        return self._there.wait(5)

    def _load(self, paths: Any) -> Rulebook:
        if not self.open.is_set():
            self._there.set()
        assert self.open.wait(20)
        return load(paths)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    rule(tmp_path / "rules", 4)
    made = Watched(tmp_path / "rules", monkeypatch)
    yield made
    made.ruling.close()


def test_what_changes_comes_into_force(watched: Watched, tmp_path: Path) -> None:
    assert not watched.look()
    first = watched.ruling.version.id
    rule(tmp_path / "rules" / "more", 5, "more")
    assert watched.look()
    assert not watched.look()
    assert watched.rules() == ["more", "writes"]
    assert watched.said == [f"Rules: version {watched.ruling.version.id} is in force in place of {first} (more/more.yml)."]
    (tmp_path / "rules" / "writes.yml").unlink()
    assert watched.look()
    assert watched.rules() == ["more"]
    assert watched.said[-1].endswith("(writes.yml).")


def test_a_bad_file_keeps_the_rules_before_and_says_so_once(watched: Watched, tmp_path: Path) -> None:
    file, version = tmp_path / "rules" / "writes.yml", watched.ruling.version.id
    good = file.read_text()
    file.write_text(good.replace("ot.effect: value.write", "ot.efect: value.write", 1))
    rule(tmp_path / "rules", 5, "more")
    for _ in range(3):
        assert not watched.look()
        os.utime(file)
    assert watched.rules() == ["writes"], "all or nothing"
    refused, problem = watched.said
    assert version in refused
    assert problem.startswith(f"{file}:11: ")
    assert "ot.effect" in problem
    file.write_text(good)
    assert watched.look()
    assert watched.rules() == ["more", "writes"]
    assert len(watched.said) == 3


def test_another_mistake_is_said_again(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "rules" / "writes.yml"
    for wrong in ("level: gravest", "level: [", "level: gravest"):
        file.write_text(WRITES.format(name="writes", words="Why.", first=4).replace("level: medium", wrong))
        assert not watched.look()
    assert len(watched.said) == 6
    assert watched.rules() == ["writes"]


def test_a_mistake_that_was_put_right_is_said_again_when_it_comes_again(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "rules" / "more.yml"
    for times in (1, 2):
        file.write_text("id: more")
        assert not watched.look()
        assert len(watched.said) > times - 1
        file.unlink()
        assert not watched.look()
    first, second = watched.said[: len(watched.said) // 2], watched.said[len(watched.said) // 2 :]
    assert first == second


def test_whatever_the_loader_raises_the_rules_before_go_on(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ArithmeticError("nobody thought of this")

    (tmp_path / "rules" / "more.yml").write_text("id: more")
    monkeypatch.setattr(ruling.versions, "read", fails)
    assert not watched.look()
    assert "nobody thought of this" in watched.said[-1]
    assert watched.rules() == ["writes"]


def test_a_mistake_that_was_there_from_the_start_keeps_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "rules"
    rule(folder, 4)
    (folder / "bad.yml").write_text("title: [")
    watched = Watched(folder, monkeypatch)
    assert watched.rules() == ["writes"]
    rule(folder, 5, "more")
    assert watched.look()
    assert watched.rules() == ["more", "writes"]
    watched.ruling.close()


def test_rules_that_go_away_are_said_and_kept(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "rules").rename(tmp_path / "elsewhere")
    assert not watched.look()
    assert not watched.look()
    assert len(watched.said) == 1
    assert watched.rules() == ["writes"]
    (tmp_path / "elsewhere").rename(tmp_path / "rules")
    assert not watched.look()
    rule(tmp_path / "rules", 5, "more")
    assert watched.look()


def test_what_is_being_written_is_waited_for(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruling, "SETTLED_S", 3600.0)
    file = rule(tmp_path / "rules", 5, "more")
    assert not watched.look()
    for path in (file, file.parent, file.parent / "writes.yml"):
        os.utime(path, (time.time() - 4000, time.time() - 4000))
    assert watched.look()
    os.utime(file, (time.time() + 4000, time.time() + 4000))  # a clock that is wrong holds nothing up
    file.write_text(file.read_text().replace("Why.", "Because."))
    os.utime(file, (time.time() + 5000, time.time() + 5000))
    assert watched.look()


def test_the_copy_judges_and_not_the_file(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "rules" / "writes.yml").write_text("title: [")
    assert watched.rules() == ["writes"]
    assert watched.ruling.version.files[str(tmp_path / "rules"), "writes.yml"] == WRITES.format(name="writes", words="Why.", first=4)


def test_nobody_waits_for_rules_to_load(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, before = Gate(monkeypatch), watched.ruling.version.id
    rule(tmp_path / "rules", 5, "more")
    for _ in range(3):
        assert not watched.ruling.look()
        assert gate.reached()
        assert watched.ruling.version.id == before
    rule(tmp_path / "rules", 6, "last")
    gate.open.set()
    assert watched.look()
    assert watched.rules() == ["more", "writes"], "what came while these were loaded is seen next"
    assert watched.look()
    assert watched.rules() == ["last", "more", "writes"]


def test_judging_goes_on_while_rules_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes meanwhile is judged by the rules before, and what comes then by the new ones."""
    monkeypatch.setattr(ruling, "SETTLED_S", 0.0)
    monkeypatch.setattr(ruling, "LOOK_S", 0.0)
    gate = Gate(monkeypatch)
    rules, place = tmp_path / "rules", tmp_path / "store"
    rule(rules, 4)
    content, parts = capture_of(packets(range(90))), [len(capture_of(packets(range(end)))) for end in (0, 30, 60, 90)]
    end, begin = os.pipe()

    def run() -> None:
        store = open_store(str(place), write=True)
        with os.fdopen(end, "rb", 0) as pipe:
            Replay(Plan(pcap.listen(pipe), observer="tap", rules=(rules,)), store).run()
        store.close()

    def stored(more: int) -> bool:
        return (place / "store.sqlite").exists() and len(found(place)) > more

    choose(0)  # a few packets: no kernel is compiled for them
    gate.open.set()
    replaying = threading.Thread(target=run, daemon=True)
    replaying.start()
    os.write(begin, content[: parts[1]])
    assert until(lambda: stored(20))
    gate.open.clear()
    rule(rules, 5)
    assert until(gate.reached)
    os.write(begin, content[parts[1] : parts[2]])
    assert until(lambda: stored(50)), "while rules are being loaded"
    assert len({version for _, version, _ in found(place)}) == 1
    gate.open.set()
    assert until(lambda: len(lines("rules", "versions", "--store", place)) == 2)
    os.write(begin, content[parts[2] :])
    os.close(begin)
    replaying.join()
    first, second = (row["version"] for row in lines("rules", "versions", "--store", place))
    by = {version: [time for _, other, time in found(place) if other == version] for version in (first, second)}
    assert len(by[first]) > 50
    assert len(by[second]) > 20
    assert max(by[first]) < min(by[second])


def test_a_single_file_and_the_placeholders_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = rule(tmp_path / "rules", 4)
    rule(tmp_path / "rules", 5, "more")
    (tmp_path / "rules" / "placeholders.yml").write_text("stations: [10.0.0.1]\n")
    watched = Watched(file, monkeypatch)
    assert watched.rules() == ["writes"]
    assert {name for root, name in watched.ruling.version.files if root != versions.OWN} == {"writes.yml", "placeholders.yml"}
    watched.ruling.close()


def test_what_a_file_in_force_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large, no text, not ours to read: never a crash, and told by the loader."""
    folder = tmp_path / "rules"
    rule(folder, 4)
    (folder / "large.yml").write_bytes(b"# " + b"x" * (LARGEST + 10))
    (folder / "octets.yml").write_bytes(bytes(range(256)))
    (folder / "link.yml").symlink_to(tmp_path / "nowhere.yml")
    (folder / "broken.yml").symlink_to("/proc/self/mem")  # reading it is an input or output error
    watched = Watched(folder, monkeypatch)
    assert watched.rules() == ["writes"]
    checks = {Path(problem.file).name: problem.check for problem in load(watched.ruling.rules).problems if problem.blocks}
    assert checks["large.yml"] == "too-large"
    assert checks["octets.yml"] == "encoding"
    (broken,) = (problem for problem in watched.ruling.book.problems if problem.file == str(folder / "broken.yml"))
    assert broken.check == "unreadable"
    assert "Put a copy that can be read in its place" in broken.advice.en
    assert versions.decoded(versions.encoded([watched.ruling.version])) == [watched.ruling.version]
    watched.ruling.close()
    with pytest.raises(UsageError):
        Ruling((tmp_path / "nowhere",), None, lambda _: None)


def test_a_file_in_force_that_cannot_be_read_any_more_stays_in_force(watched: Watched, tmp_path: Path) -> None:
    file = tmp_path / "rules" / "writes.yml"
    file.unlink()
    file.symlink_to("/proc/self/mem")
    assert not watched.look()
    assert watched.rules() == ["writes"]
    assert watched.said[-1].startswith(f"{file}:1: The file cannot be read: Input/output error. Put a copy")


def test_a_file_in_force_that_becomes_a_link_to_nothing_stays_in_force(watched: Watched, tmp_path: Path) -> None:
    """As one that cannot be read any more: only what is deleted goes."""
    file = tmp_path / "rules" / "writes.yml"
    for made in (lambda: file.symlink_to("/nowhere"), lambda: os.mkfifo(file)):
        good = file.read_text()
        file.unlink()
        made()
        assert not watched.look()
        assert watched.rules() == ["writes"]
        assert watched.said[-1].startswith(f"{file}:1: This bears the name of a rule file and is none")
        file.unlink()
        file.write_text(good)
        assert not watched.look()
    assert len(watched.said) == 4


@contextmanager
def somebody_else() -> Generator[None]:
    """Who may read only what all may: for root there is nothing that cannot be read."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_rules_in_a_directory_that_cannot_be_looked_into_any_more_stay_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    rule(folder, 4)
    rule(folder / "sub", 5, "more")
    told = f"{folder}/sub/*.yml:1: The file cannot be read: Permission denied. Give the user that runs Balefire the right"
    try:
        with somebody_else():
            watched = Watched(folder, monkeypatch)
        (folder / "sub").chmod(0)
        with somebody_else():
            assert not watched.look()
            assert watched.rules() == ["more", "writes"]
            assert watched.said[-1].startswith(told)
            watched.ruling.close()
            watched = Watched(folder, monkeypatch)
            assert watched.rules() == ["writes"], "begun anew, the others run"
            assert [(each.file, each.check) for each in watched.ruling.book.problems if each.blocks] == [(f"{folder}/sub/*.yml", "unreadable")]
            with pytest.raises(UsageError) as caught:
                load([folder / "sub" / "more.yml"])
            assert caught.value.key == "rules_shut"
            watched.ruling.close()
    finally:
        (folder / "sub").chmod(0o755)
        shutil.rmtree(folder)


# ---- versions ------------------------------------------------------------------------------------------------------------------------------------


def test_versions_are_recorded_once_and_when_they_change(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = watched.ruling.state(None)
    assert watched.ruling.state(None) == {}
    (timed,) = versions.decoded(watched.ruling.state(5)[versions.STATE])
    assert (timed.id, timed.since) == (watched.ruling.version.id, 5), "from the first packet on"
    assert watched.ruling.state(6) == {}
    rule(tmp_path / "rules", 5)
    assert watched.look()
    second = versions.decoded(watched.ruling.state(7)[versions.STATE])
    assert [version.since for version in second] == [5, 7]
    assert second[1].changes(second[0]) == {(str(tmp_path / "rules"), "writes.yml"): "changed"}
    again = Watched(tmp_path / "rules", monkeypatch, versions.encoded(second))
    assert again.ruling.state(9) == {}, "the next replay with the same rules"
    again.ruling.close()
    back = Watched(tmp_path / "rules", monkeypatch, first[versions.STATE])
    assert len(versions.decoded(back.ruling.state(9)[versions.STATE])) == 2
    back.ruling.close()


def test_versions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    each = [Version({("a", "x.yml"): str(number)}, number) for number in range(versions.KEPT + 20)]
    kept: list[Version] = []
    for version in each:
        kept = versions.noted(kept, version)
    assert kept == each[20:]
    monkeypatch.setattr(versions, "LARGEST_KEPT", 80)
    assert versions.noted(kept, Version({("a", "x.yml"): "x" * 1000})) == [Version({("a", "x.yml"): "x" * 1000})]


@pytest.mark.parametrize(
    "state", [b"no", zlib.compress(b"[]"), zlib.compress(b"{}"), zlib.compress(b'{"texts": {}, "versions": [{"since": 1, "files": [["a"]]}]}')]
)
def test_a_damaged_record_of_versions(state: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="versions"):
        versions.decoded(state)
    rule(tmp_path / "rules", 4)
    watched = Watched(tmp_path / "rules", monkeypatch, state)
    assert len(versions.decoded(watched.ruling.state(1)[versions.STATE])) == 1
    watched.ruling.close()


def test_a_version_is_of_files_and_not_of_where_they_lie(tmp_path: Path) -> None:
    for name in ("here", "there"):
        rule(tmp_path / name, 4)
    here, there = (versions.read([tmp_path / name]) for name in ("here", "there"))
    assert here.id == there.id != versions.read([]).id
    assert versions.read([tmp_path / "here", tmp_path / "here"]) == here
    assert versions.read([own_rules()]) == versions.read([])


def test_what_was_replaced_before_it_judged_is_kept_without_a_time(watched: Watched, tmp_path: Path) -> None:
    """So that one can go back to it; what judges now has its time as soon as there is one."""
    before = watched.ruling.version.id
    rule(tmp_path / "rules", 5)
    assert watched.look()
    kept = versions.decoded(watched.ruling.state(None)[versions.STATE])
    assert [(version.id, version.since) for version in kept] == [(before, None), (watched.ruling.version.id, None)]
    later = versions.decoded(watched.ruling.state(8)[versions.STATE])
    assert [version.since for version in later] == [None, 8]


def test_names_that_lead_elsewhere_are_not_written(tmp_path: Path) -> None:
    version = Version({("a", "../x.yml"): "", ("a", "/etc/x.yml"): "", ("a", "b/../../x.yml"): "", ("a", ""): "", ("a", "b/x.yml"): "1"})
    assert list(versions.write(version, tmp_path / "copy")) == [("a", "b/x.yml")]
    assert [path.name for path in tmp_path.rglob("*.yml")] == ["x.yml"]


def test_going_back_to_a_version(tmp_path: Path) -> None:
    rules, store = tmp_path / "rules", tmp_path / "store"
    file, capture = rule(rules, 4), short(tmp_path)
    one("replay", capture, "--store", store, "--rules", rules)
    old = file.read_text()
    rule(rules, 5)
    rule(rules / "new", 6, "more")
    one("replay", capture, "--store", store, "--rules", rules)
    first, second = lines("rules", "versions", "--store", store)
    assert (first["changes"], first["in_force"], second["in_force"]) == ([], False, True)
    assert {(Path(change["file"]).name, change["change"]) for change in second["changes"]} == {("writes.yml", "changed"), ("more.yml", "added")}
    told = one("rules", "rollback", first["version"][:5], "--store", store, "--rules", rules, "--by", "Li", "--note", "too loud")
    (entry,) = lines("audit", "--store", store)
    assert (entry["by"], entry["action"], entry["table"], entry["subject"], entry["note"]) == ("Li", "rollback", "rules", first["version"], "too loud")
    assert (entry["before"], entry["after"]) == ({"version": second["version"]}, {"version": first["version"]})
    assert one("verify", store)["valid"]
    assert told["version"] == first["version"]
    assert file.read_text() == old
    assert [path.name for path in rules.rglob("*.yml")] == ["writes.yml"]
    assert len(told["kept"]) == 2
    assert all(Path(kept).exists() for kept in told["kept"])
    assert one("rules", "rollback", first["version"], "--store", store, "--rules", rules)["written"] == []
    assert len(lines("audit", "--store", store)) == 1, "nothing was done"
    one("rules", "rollback", second["version"], "--store", store, "--rules", rules)
    assert {path.name for path in rules.rglob("*.yml")} == {"writes.yml", "more.yml"}
    one("replay", capture, "--store", store, "--rules", rules)
    assert [row["version"] for row in lines("rules", "versions", "--store", store)] == [first["version"], second["version"]]


@pytest.mark.elasticsearch
def test_going_back_is_told_in_elasticsearch_too(elasticsearch: Elasticsearch, tmp_path: Path) -> None:
    """As in a directory; the number of the trail's entries stands there, and so do the versions."""
    store, rules = elasticsearch.emptied("battery"), tmp_path / "rules"
    file, capture = rule(rules, 4), save(packets(range(3)), tmp_path / "writes.pcap")
    one("replay", capture, "--store", store, "--rules", rules)
    old = file.read_text()
    rule(rules, 5)
    one("replay", capture, "--store", store, "--rules", rules)
    first, second = lines("rules", "versions", "--store", store)
    told = {row["version"]: row for row in lines("findings", "--store", store) if row["rule"] == "writes"}
    assert {*told} == {first["version"], second["version"]}, "each by the version that was in force"
    one("rules", "rollback", first["version"], "--store", store, "--rules", rules, "--by", "Li", "--note", "too loud")
    (entry,) = lines("audit", "--store", store)
    assert (entry["by"], entry["action"], entry["table"], entry["subject"], entry["note"]) == ("Li", "rollback", "rules", first["version"], "too loud")
    assert (entry["before"], entry["after"]) == ({"version": second["version"]}, {"version": first["version"]})
    assert file.read_text() == old
    assert f"{second['version']} → {first['version']}" in balefire("audit", "--store", store, "--language", "en").stdout
    seal = one("verify", "--store", store)["seal"]
    lines("alert", "note", told[first["version"]]["id"], "--note", "seen", "--by", "Li", "--store", store)
    assert one("verify", store, "--seal", seal) == {"valid": True, "reason": None, "at": None, "seal": one("verify", store)["seal"]}
    (end,) = elasticsearch.ask("POST", "/battery-audit*/_search", {"query": {"ids": {"values": ["000000000002"]}}})["hits"]["hits"]
    elasticsearch.ask("DELETE", f"/{end['_index']}/_doc/{end['_id']}?refresh=true")
    assert one("verify", store, status=1)["at"] == "000000000002"


def test_going_back_needs_a_version_and_a_place(tmp_path: Path) -> None:
    rules, store = tmp_path / "rules", tmp_path / "store"
    rule(rules, 4)
    one("replay", short(tmp_path), "--store", store, "--rules", rules)
    (version,) = (row["version"] for row in lines("rules", "versions", "--store", store))
    assert balefire("rules", "rollback", version, "--store", store).exit_code == 2
    assert balefire("rules", "rollback", "zzzz", "--store", store, "--rules", rules).exit_code == 1
    assert balefire("rules", "rollback", "", "--store", store, "--rules", rules).exit_code == 1
    moved = tmp_path / "moved"
    moved.mkdir()
    assert one("rules", "rollback", version, "--store", store, "--rules", moved)["written"] == [str(moved / "writes.yml")]
    two = balefire("rules", "rollback", version, "--store", store, "--rules", moved, "--rules", tmp_path / "store")
    assert (two.exit_code, str(rules) in two.stderr) == (2, True)


def test_a_store_cannot_make_going_back_write_elsewhere(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rule(rules, 4)
    for number, name in enumerate(("../evil.yml", "evil.txt", "/etc/evil.yml", "sub/../../evil.yml")):
        place = tmp_path / f"store-{number}"
        store = open_store(str(place), write=True)
        version = Version({(str(rules), name): "x"})
        store.write(Commit(state={versions.STATE: versions.encoded([version])}))
        store.close()
        result = balefire("rules", "rollback", version.id, "--store", place, "--rules", rules)
        assert result.exit_code == 2
        assert sorted(path.name for path in tmp_path.rglob("*evil*")) == []
        assert [path.name for path in rules.iterdir()] == ["writes.yml"]


def test_a_link_is_not_written_through_and_is_called_a_link(tmp_path: Path) -> None:
    """No tampering: an engineer linked the file to where the rules are kept."""
    rules, store = tmp_path / "rules", tmp_path / "store"
    file = rule(rules, 4)
    one("replay", short(tmp_path), "--store", store, "--rules", rules)
    (version,) = (row["version"] for row in lines("rules", "versions", "--store", store))
    for target in (tmp_path / "real.yml", rules / "other.yml", tmp_path / "nowhere.yml"):
        if file.is_symlink():
            file.unlink()
        else:
            file.rename(tmp_path / "real.yml")
        file.symlink_to(target)
        result = balefire("rules", "rollback", version, "--store", store, "--rules", rules)
        assert result.exit_code == 2
        assert f"{file} is a symbolic link" in result.stderr
        assert "tampered" not in result.stderr
        assert file.is_symlink()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_versions_are_told_in_both_languages(language: str, tmp_path: Path) -> None:
    rules, store = tmp_path / "rules", tmp_path / "store"
    rule(rules, 4)
    one("replay", short(tmp_path), "--store", store, "--rules", rules)
    result = balefire("rules", "versions", "--store", store, "--language", language)
    assert ("生效中" if language == "zh" else "in force") in result.stdout
    (told,) = lines("rules", "versions", "--store", store)
    first = min(row["@timestamp"] for row in lines("activities", "--store", store))
    assert told["since"] == first, "of the first version: from the first row on"
    assert shown(moment(first), language) in result.stdout, "as every other command writes times"
    rule(rules, 5)
    (version,) = (row["version"] for row in lines("rules", "versions", "--store", store))
    back = balefire("rules", "rollback", version, "--store", store, "--rules", rules, "--language", language)
    assert str(rules / "writes.yml") in back.stdout
    assert f"writes.yml.before-{version}" in back.stderr


def test_a_finding_says_which_rules_found_it_and_the_same_again_is_no_other(tmp_path: Path) -> None:
    rules, store, capture = tmp_path / "rules", tmp_path / "store", tmp_path / "writes.pcap"
    capture.write_bytes(capture_of(packets(range(5))))
    rule(rules, 4)
    before = one("replay", capture, "--store", store, "--rules", rules)
    versions_before = {row["version"] for row in lines("findings", "--store", store)}
    rule(rules, 9, "more")
    again = one("replay", capture, "--store", store, "--rules", rules)
    assert before["findings"] == again["findings"] > 0
    (version,) = versions_before
    assert version == lines("rules", "versions", "--store", store)[0]["version"]
    assert {row["version"] for row in lines("findings", "--store", store)} == versions_before


def test_a_change_is_noticed_while_nothing_comes(tmp_path: Path) -> None:
    rules, store, said = tmp_path / "rules", tmp_path / "store", bytearray()
    file = rule(rules, 4)
    with running("replay", "-", "--observer", "tap", "--store", store, "--rules", rules) as process:
        assert process.stderr
        os.set_blocking(process.stderr.fileno(), False)

        def heard(words: str) -> bool:
            said.extend((process.stderr and process.stderr.read()) or b"")
            return words.encode() in said

        give(process, capture_of(packets(range(30))))
        assert until(lambda: (store / "store.sqlite").exists() and len(found(store)) > 20)
        file.write_text("title: [")
        assert until(lambda: heard("cannot be loaded") and heard(f"{file}:2"))
        rule(rules, 5)
        assert until(lambda: heard("is in force in place of"))
        assert until(lambda: len(lines("rules", "versions", "--store", store)) == 2)


def test_a_pipe_is_judged_by_the_rules_of_its_time(tmp_path: Path) -> None:
    rules, store = tmp_path / "rules", tmp_path / "store"
    file = rule(rules, 4)
    content = capture_of(packets(range(60)))
    half = len(capture_of(packets(range(30))))
    with running("replay", "-", "--observer", "tap", "--store", store, "--rules", rules) as process:
        give(process, content[:half])
        assert until(lambda: (store / "store.sqlite").exists() and len(found(store)) > 20)
        before = found(store)
        file.write_text(file.read_text().replace("ot.object.first: 4", "ot.object.first: 5"))
        time.sleep(2 * ruling.LOOK_S)
        give(process, content[half:])
        said = process.communicate(timeout=60)[1].decode()
    after = found(store)
    kept = [each for each in after if each[1] == before[0][1]]
    assert len(dict.fromkeys(version for _, version, _ in after)) == 2
    assert len({version for _, version, _ in before}) == 1
    assert kept[: len(before)] == before
    changed = [each for each in after if each not in kept]
    assert len(changed) > 20
    assert max(time for _, _, time in kept) < min(time for _, _, time in changed)
    assert len(kept) + len(changed) == len(after) <= 60
    assert said.count(f"version {changed[0][1]} is in force in place of {before[0][1]} (writes.yml)") == 1
    listed = lines("rules", "versions", "--store", store)
    assert [row["version"] for row in listed] == [before[0][1], changed[0][1]]
