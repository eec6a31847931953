"""The baseline as people handle it: learned from the store as from a capture, exported, edited, imported; whichever way, it judges the same."""

from __future__ import annotations

import json
import re
import shlex
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.baseline.follows import Follow, Pair
from detectors.baseline.habits import COLUMNS, Baseline, Habit, Key
from detectors.baseline.learned import DETECTORS, Learned
from detectors.baseline.levels import Level, Levels
from detectors.baseline.orders import BEGIN, Orders, Talk
from detectors.baseline.places import Place
from detectors.baseline.policy import written
from detectors.baseline.reading import read
from detectors.baseline.rhythms import Rhythm, Rhythms
from detectors.baseline.versions import decoded, noted
from detectors.baseline.words import KINDS, Word
from records.errors import UsageError
from records.store import open_store
from tests.cli import ROOT, balefire, lines, one, short, stored
from tests.examples import as_many

DEMO = Path(__file__).parent / "captures" / "demo.pcap"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
hosts = st.ip_addresses().map(str) | st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":"))
keys = st.builds(
    Key, hosts, hosts, st.sampled_from(["modbus", "s7comm"]), st.sampled_from(["value.read", "value.write"]), st.none() | st.integers(0, 300), st.none() | names
)


seconds = st.floats(0.001, 1e6).map(lambda value: round(value, 3))
values = st.floats(allow_nan=False, allow_infinity=False)
places = st.builds(Place, hosts, names, st.none() | st.integers(0, 300), st.none() | names, names | st.integers(0, 2**40))
effects = st.sampled_from(["output.select", "output.operate", "cpu.stop"])


@st.composite
def rhythms(draw: st.DrawFn) -> Rhythm:
    low, usual, high = sorted(draw(st.tuples(seconds, seconds, seconds)))
    return Rhythm(usual, low, high, draw(seconds), draw(st.integers(1, 10**6)))


@st.composite
def levels(draw: st.DrawFn) -> Level:
    low, high = sorted(draw(st.tuples(values, values)))
    level = Level(low, high, draw(st.integers(1, 10**6)), abs(draw(values)), draw(st.integers(0, 1440)), draw(st.booleans()))
    return replace(level, least=low, most=high, spread=abs(draw(values)), blocks=draw(st.integers(1, 10**6))) if draw(st.booleans()) else level


@st.composite
def follows(draw: st.DrawFn) -> tuple[Pair, Follow]:
    setpoint, place = draw(places), draw(places)
    low, high = sorted(draw(st.tuples(values, values)))
    return (setpoint._replace(device=place.device, protocol=place.protocol), place), Follow(low, high, abs(draw(values)))


@st.composite
def baselines(draw: st.DrawFn) -> Learned:
    found: dict[Key, Habit] = {}
    beats: dict[Key, Rhythm] = {}
    for key in draw(st.lists(keys, max_size=6, unique=True)):
        habit = Habit("write" if key.effect == "value.write" else "read")
        beats |= {key: draw(rhythms())} if draw(st.booleans()) else {}
        for first, length in draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), max_size=5)):
            habit.add({"ot.object.name": None, "ot.object.first": first, "ot.object.last": first + length})
        for name in draw(st.lists(names, max_size=3)):
            habit.add({"ot.object.name": name, "ot.object.first": None, "ot.object.last": None})
        found[key] = habit
    points = draw(st.dictionaries(places, levels(), max_size=4))
    pairs = dict(draw(st.lists(follows(), max_size=3)))
    words = {
        place._replace(thing=4 * number): Word(kind, swapped)
        for number, (place, kind, swapped) in enumerate(draw(st.lists(st.tuples(places, st.sampled_from(KINDS), st.booleans()), max_size=3)))
    }
    after = st.dictionaries(effects | st.just(BEGIN), st.integers(1, 99), min_size=1, max_size=3)
    orders = draw(st.dictionaries(st.builds(Talk, hosts, hosts, names), st.dictionaries(effects, after, min_size=1, max_size=3), max_size=3))
    shed = draw(st.tuples(*(st.integers(0, 9) for _ in range(4))))
    return Learned(Baseline(found, shed[0]), Rhythms(beats, shed[1]), Levels(points, shed[2], pairs, words), Orders(orders, shed[3]))


@settings(deadline=None, max_examples=as_many(100))
@given(told=baselines(), firsts=st.lists(st.integers(0, 130), max_size=8))
def test_judging_by_the_file_is_judging_by_what_was_learned(tmp_path_factory: pytest.TempPathFactory, told: Learned, firsts: list[int]) -> None:
    file = tmp_path_factory.getbasetemp() / "baseline.yml"
    file.write_text(written(told), "utf-8")
    again = read(file)
    assert (again.habits.habits, again.rhythms.known, again.levels.known) == (told.habits.habits, told.rhythms.known, told.levels.known)
    assert (again.levels.follows, again.levels.words.known) == (told.levels.follows, told.levels.words.known)
    assert (again.orders.known, again.shed, again.version) == (told.orders.known, told.shed, told.version)
    assert yaml.safe_load(file.read_text("utf-8"))["baseline"] == 1
    for key in list(told.habits.habits)[:3]:
        for first in firsts:
            row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
                "source.ip": key.source, "destination.ip": key.destination, "network.protocol": key.protocol, "ot.effect": key.effect, "ot.unit": key.unit,
                "ot.object.space": key.space, "ot.object.first": first,
            }  # fmt: skip
            assert again.habits.news(row) == told.habits.news(row)


def test_learning_from_the_store_is_learning_from_the_capture(tmp_path: Path) -> None:
    for name, learned in (("capture", ("--learn", DEMO)), ("store", ())):
        one("replay", DEMO, *learned, "--store", tmp_path / name)
    told = one("baseline", "learn", "--store", tmp_path / "store")
    assert told["habits"] > 20
    assert lines("baseline", "show", "--store", tmp_path / "store") == lines("baseline", "show", "--store", tmp_path / "capture")
    one("replay", DEMO, "--store", tmp_path / "store", "--observer", "again")
    assert [row for row in lines("findings", "--store", tmp_path / "store") if row["detector"] in DETECTORS] == []
    (kept,) = (row for row in lines("audit", "--store", tmp_path / "store") if row["table"] == "baseline")
    assert (kept["action"], kept["subject"]) == ("baseline_learned", told["version"])


def test_a_baseline_is_exported_edited_and_imported(tmp_path: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "normal.yml"
    one("replay", short(tmp_path), "--learn", DEMO, "--store", store)
    told = one("baseline", "export", "--store", store, "-o", file)
    assert balefire("baseline", "diff", file, "--store", store, "--language", "en").stdout == "The same.\n"
    habits = file.read_text("utf-8").splitlines()
    assert len(habits) == sum(told[part] for part in ("habits", "values", "orders")) + 4
    writer = next(line for line in habits if '"does": "value.write", "access"' in line)
    file.write_text("\n".join(line for line in habits if line != writer) + "\n", "utf-8")
    different = balefire("baseline", "diff", file, "--store", store)
    assert (different.exit_code, different.stdout) == (1, f"- {writer.removeprefix('- ')}\n")
    imported = one("baseline", "import", file, "--store", store)
    assert imported["habits"] == told["habits"] - 1
    one("replay", DEMO, "--store", store)
    every = lines("findings", "--store", store, "--limit", 10_000)
    found = [row for row in every if row["detector"] in DETECTORS]
    assert {row["detector"] for row in found} == {"novelty"}
    product, (rules, *_) = one("version")["version"], lines("rules", "versions", "--store", store)
    versions = {"rules": rules["version"], "novelty": f"{product}+{imported['version']}"}
    assert {(row["detector"], row["version"]) for row in every} == {(each, versions.get(each, product)) for each in {row["detector"] for row in every}}
    assert len({row["version"] for row in every}) == 3
    gone = json.loads(writer.removeprefix("- "))
    assert {(row["source"]["ip"], row["destination"]["ip"]) for row in found} == {(gone["from"], gone["to"])}
    assert balefire("baseline", "export", "--store", store, "-o", file, "--language", "en").exit_code == 2


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("baseline: 1", 1, "habits"),
        ("baseline: 2\nhabits: []", 1, "baseline: 1"),
        ("baseline: 1\nhabits:\n- 5", 3, "a map"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus}", 3, "`does`"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.raed}", 3, "`value.raed`"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.read, unit: one}", 3, "`unit`"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.read, objects: 9-3}", 3, "`9-3`"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.read, objects: 99999999999999999999}", 3, "100-139"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.read, often: 1}", 3, "`often`"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.read, every: 2, between: [3, 4]}", 3, "around `every`"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: modbus, does: value.read, longest: 4}", 3, "`every`"),
        ("baseline: 1\nhabits: []\nvalues:\n- {of: 10.0.0.1, protocol: modbus, object: 7, low: 3, high: 2}", 4, "`low`"),
        ("baseline: 1\nhabits: []\nvalues:\n- {of: 10.0.0.1, protocol: modbus, low: 1, high: 2}", 4, "`object`"),
        ("baseline: 1\nhabits: []\nvalues:\n- {of: 10.0.0.1, protocol: modbus, object: 7, low: .nan, high: 2}", 4, "a number"),
        ("baseline: 1\nhabits: []\nvalues:\n- {of: 10.0.0.1, protocol: modbus, object: 7, low: 1, high: 2, returns: maybe}", 4, "true or false"),
        ("baseline: 1\nhabits: []\norders:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: m, does: output.operate, after: {nothing: 1}}", 4, "`nothing`"),
        ("baseline: 1\nhabits: []\norders: 5", 1, "`orders:`"),
        ("baseline: 1\nhabits: []\npaces:\n- {of: 10.0.0.1, to: 10.0.0.2, protocol: m, what: nothing, least: {5: 8}, minutes: 90}", 4, "`anything`"),
        ("baseline: 1\nhabits: []\npaces:\n- {of: 10.0.0.1, to: 10.0.0.2, protocol: m, what: reports, least: {6: 8}, minutes: 90}", 4, "{5: 8}"),
        ("baseline: 1\nhabits: []\npaces:\n- {of: 10.0.0.1, to: 10.0.0.2, protocol: m, what: reports, least: {5: -8}, minutes: 90}", 4, "a number"),
        ("baseline: 1\nhabits: []\nshed: {habits: many}", 3, "a number"),
        ("baseline: 1\nhabits:\n- {from: [a], to: 10.0.0.2, protocol: modbus, does: value.read}", 3, "`from`"),
        (
            "baseline: 1\nhabits:\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: m, does: test}\n- {from: 10.0.0.1, to: 10.0.0.2, protocol: m, does: test}",
            4,
            "twice",
        ),
        ("baseline: 1\nhabits: []\nvalues: []\nhabits: []", 4, "`habits` stands there twice"),
        ("baseline: 1\nhabits:\n- {from: 10.0.0.1, from: 10.0.0.3, to: 10.0.0.2, protocol: m, does: value.read}", 3, "`from` stands there twice"),
        ("baseline: 1\nhabits:\n- {from: HMI, to: 10.0.0.2, protocol: m, does: value.read}", 3, "`HMI` is no IP or MAC address"),
        ("baseline: 1\nhabits: []\nvalues:\n- {of: 10.0.0.999, protocol: modbus, object: 7, low: 1, high: 2}", 4, "`10.0.0.999` is no IP or MAC address"),
        ("baseline: 1\nhabits: [}", 2, "not valid YAML"),
        ("a: &a [x]\nb: *a", 1, "baseline"),
        ("[" * 200_000 + "]" * 200_000, 1, "a map"),
        ("", 1, "baseline"),
        ("\xff", 1, "not valid YAML"),
    ],
)
def test_what_is_no_baseline_is_refused_at_its_line(tmp_path: Path, content: str, line: int, words: str) -> None:
    file = tmp_path / "b.yml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError) as refused:
        read(file)
    told = refused.value.text("en")
    assert words in told
    assert f"b.yml:{line}" in told


def test_without_a_baseline_the_commands_say_what_to_do(tmp_path: Path) -> None:
    none = balefire("baseline", "show", "--store", stored()[0], "--language", "en")
    assert (none.exit_code, "balefire baseline learn" in none.stderr) == (2, True)
    open_store(str(tmp_path / "empty"), write=True).close()
    empty = balefire("baseline", "learn", "--store", tmp_path / "empty", "--language", "en")
    assert (empty.exit_code, "nothing to learn from" in empty.stderr) == (2, True)
    assert balefire("baseline", "learn", "--store", tmp_path / "none").exit_code == 2
    assert not (tmp_path / "none").exists()


def test_show_is_readable(tmp_path: Path) -> None:
    one("replay", short(tmp_path), "--learn", DEMO, "--store", tmp_path / "store")
    told = balefire("baseline", "show", "--store", tmp_path / "store", "--language", "zh")
    assert "读取数值" in told.stdout
    assert "次" in told.stdout
    assert "条操作顺序，版本" in told.stderr
    for kind in ("assets", "tags"):
        one("import", kind, ROOT / "tests" / "lists" / f"{kind}.csv", "--store", tmp_path / "store")
    named = balefire("baseline", "show", "--store", tmp_path / "store", "--language", "en").stdout
    assert "Pump 3 speed set point (register 40017) of Pump PLC (10.20.1.12): " in named


def test_what_the_page_shows_is_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "baselines.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^ {4}balefire (.+)$", page, re.MULTILINE)]
    assert [words[1] for words in commands] == ["PLANT.pcap", "learn", "show", "export", "diff", "import", "history"]
    files = {"PLANT.pcap": str(short(tmp_path)), "NORMAL.pcap": str(DEMO), "2026-03-02": "2020-01-01", "2026-03-09": "2040-01-01"}
    for words in commands:
        done = balefire(*(files.get(word, word) for word in words), "--store", tmp_path / "store")
        assert (done.exit_code in (0, 1), done.stderr.startswith("Error")) == (True, False), (words, done.stderr)
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "shown.yml").write_text(shown, "utf-8")
    told = read(tmp_path / "shown.yml")
    assert (len(told.habits.habits), len(told.rhythms.known), len(told.levels.known), len(told.orders.known)) == (2, 1, 2, 1)
    assert (len(told.levels.follows), len(told.levels.words.known)) == (1, 1)


def test_baselines_that_were_in_force_are_kept_and_compared(tmp_path: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "normal.yml"
    one("replay", short(tmp_path), "--learn", DEMO, "--store", store)
    one("baseline", "export", "--store", store, "-o", file)
    gone = next(line for line in file.read_text("utf-8").splitlines() if line.startswith("- "))
    file.write_text(file.read_text("utf-8").replace(f"{gone}\n", "", 1), "utf-8")
    for _ in range(2):  # the one in force is not kept twice
        one("baseline", "import", file, "--store", store)
    first, second = lines("baseline", "history", "--store", store)
    assert [(each["how"], each["added"], each["removed"], each["in_force"]) for each in (first, second)] == [
        ("replayed", 0, 0, False),
        ("imported", 0, 1, True),
    ]
    told = one("baseline", "history", second["version"], "--store", store, status=1)
    assert told == {"added": [], "removed": [gone.removeprefix("- ")]}
    back = one("baseline", "history", second["version"], first["version"], "--store", store, status=1)
    assert (back["added"], back["removed"]) == (told["removed"], told["added"])
    assert balefire("baseline", "history", "--store", store, "--language", "en").stdout.splitlines()[1].endswith("imported from a file  +0 −1 lines")
    assert balefire("baseline", "history", "nowhere", "--store", store, "--language", "en").exit_code == 2


def test_the_history_of_baselines_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.baseline.versions.KEPT", 3)
    state: bytes | None = None
    for number in range(5):
        state = noted(state, Learned(Baseline({Key("a", f"b{number}", "modbus", "value.read", None, None): Habit("read")})), number, "learned")
    assert [each.since for each in decoded(state)] == [2, 3, 4]
    assert len(decoded(noted(b"no versions", Learned(), None, "learned"))) == 1
    with pytest.raises(ValueError, match="no versions"):
        decoded(zlib.compress(b"{}x"))


def test_where_nothing_was_learned_it_is_said(tmp_path: Path) -> None:
    plain, known = tmp_path / "plain", tmp_path / "known"
    for words, said in ((("--store", plain), True), (("--learn", DEMO, "--store", known), False)):
        told = balefire("replay", short(tmp_path), *words, "--language", "en").stdout
        assert ("balefire baseline learn" in told) is said
    assert "balefire baseline learn" in balefire("coverage", "--store", plain, "--language", "en").stdout
    assert "balefire baseline learn" not in balefire("coverage", "--store", known, "--language", "en").stdout
