"""The baseline as people handle it: learned from the store as from a capture, exported, edited, imported; whichever way, it judges the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.baseline.habits import COLUMNS, Baseline, Habit, Key
from detectors.baseline.policy import read, written
from detectors.methods.novelty import Novelty
from records.errors import UsageError
from records.store import open_store
from tests.cli import balefire, lines, one, short, stored

DEMO = Path(__file__).parent / "captures" / "demo.pcap"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
keys = st.builds(
    Key, names, names, st.sampled_from(["modbus", "s7comm"]), st.sampled_from(["value.read", "value.write"]), st.none() | st.integers(0, 300), st.none() | names
)


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    found: dict[Key, Habit] = {}
    for key in draw(st.lists(keys, max_size=6, unique=True)):
        habit = Habit("write" if key.effect == "value.write" else "read", every=draw(st.none() | st.floats(0.001, 1e6).map(lambda value: round(value, 3))))
        for first, length in draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 20)), max_size=5)):
            habit.add({"ot.object.name": None, "ot.object.first": first, "ot.object.last": first + length})
        for name in draw(st.lists(names, max_size=3)):
            habit.add({"ot.object.name": name, "ot.object.first": None, "ot.object.last": None})
        found[key] = habit
    return Baseline(found)


@settings(deadline=None, max_examples=100)
@given(told=baselines(), firsts=st.lists(st.integers(0, 130), max_size=8))
def test_judging_by_the_file_is_judging_by_what_was_learned(tmp_path_factory: pytest.TempPathFactory, told: Baseline, firsts: list[int]) -> None:
    file = tmp_path_factory.getbasetemp() / "baseline.yml"
    file.write_text(written(told), "utf-8")
    again = read(file)
    assert (again.habits, again.version) == (told.habits, told.version)
    assert yaml.safe_load(file.read_text("utf-8"))["baseline"] == 1
    for key in list(told.habits)[:3]:
        for first in firsts:
            row: dict[str, Any] = dict.fromkeys(COLUMNS) | {
                "source.ip": key.source, "destination.ip": key.destination, "network.protocol": key.protocol, "ot.effect": key.effect, "ot.unit": key.unit,
                "ot.object.space": key.space, "ot.object.first": first,
            }  # fmt: skip
            assert again.news(row) == told.news(row)


def test_learning_from_the_store_is_learning_from_the_capture(tmp_path: Path) -> None:
    for name, learned in (("capture", ("--learn", DEMO)), ("store", ())):
        one("replay", DEMO, *learned, "--store", tmp_path / name)
    told = one("baseline", "learn", "--store", tmp_path / "store")
    assert told["habits"] > 20
    assert lines("baseline", "show", "--store", tmp_path / "store") == lines("baseline", "show", "--store", tmp_path / "capture")
    one("replay", DEMO, "--store", tmp_path / "store", "--observer", "again")
    assert [row for row in lines("findings", "--store", tmp_path / "store") if row["detector"] == "novelty"] == []
    (kept,) = (row for row in lines("audit", "--store", tmp_path / "store") if row["table"] == "baseline")
    assert (kept["action"], kept["subject"]) == ("baseline_learned", told["version"])


def test_a_baseline_is_exported_edited_and_imported(tmp_path: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "normal.yml"
    one("replay", short(tmp_path), "--learn", DEMO, "--store", store)
    told = one("baseline", "export", "--store", store, "-o", file)
    assert balefire("baseline", "diff", file, "--store", store, "--language", "en").stdout == "The same.\n"
    habits = file.read_text("utf-8").splitlines()
    assert len(habits) == told["habits"] + 2
    writer = next(line for line in habits if "value.write" in line)
    file.write_text("\n".join(line for line in habits if line != writer) + "\n", "utf-8")
    different = balefire("baseline", "diff", file, "--store", store)
    assert (different.exit_code, different.stdout) == (1, f"- {writer.removeprefix('- ')}\n")
    assert one("baseline", "import", file, "--store", store)["habits"] == told["habits"] - 1
    one("replay", DEMO, "--store", store)
    found = [row for row in lines("findings", "--store", store) if row["detector"] == "novelty"]
    gone = json.loads(writer.removeprefix("- "))
    assert {(row["source"]["ip"], row["destination"]["ip"]) for row in found} == {(gone["from"], gone["to"])}
    assert balefire("baseline", "export", "--store", store, "-o", file, "--language", "en").exit_code == 2


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("baseline: 1", 1, "habits"),
        ("baseline: 2\nhabits: []", 1, "baseline: 1"),
        ("baseline: 1\nhabits:\n- 5", 3, "a map"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: modbus}", 3, "`does`"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: modbus, does: value.raed}", 3, "`value.raed`"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: modbus, does: value.read, unit: one}", 3, "`unit`"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: modbus, does: value.read, objects: 9-3}", 3, "`9-3`"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: modbus, does: value.read, objects: 99999999999999999999}", 3, "100-139"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: modbus, does: value.read, often: 1}", 3, "`often`"),
        ("baseline: 1\nhabits:\n- {from: [a], to: b, protocol: modbus, does: value.read}", 3, "`from`"),
        ("baseline: 1\nhabits:\n- {from: a, to: b, protocol: m, does: value.read}\n- {from: a, to: b, protocol: m, does: value.read}", 4, "twice"),
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
    assert "条习惯，版本" in told.stderr
    assert Novelty({}).baseline.version == Baseline().version
