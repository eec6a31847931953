"""Classes of industrial data: what files of them get wrong is said with its line; what they match is counted as a slow and simple count says."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from balefire.cli import main
from detectors.policy.classes import read_classes
from detectors.rulebook import versions
from detectors.rulebook.document import read
from detectors.rulebook.load import load
from records.assets import asset_of
from records.effects import EFFECTS
from records.facts import Fact
from records.model import Batch
from records.query import Span
from records.schema import ACTIVITY, arrow_schema
from records.store import open_store
from records.store.contract import Commit
from reports import classing, exposing
from reports.asking import Source
from reports.cataloguing import catalogue
from reports.classing import FETCHED, InForce, default, in_force, of_texts
from tests.test_policy import GOOD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store
    from records.store.embedded import EmbeddedStore

Row = dict[str, Any]
OWN = """classes: works
title: Works
rules:
  - title: Recipes
    title_zh: 配方
    domain: research
    level: 3
    files: {ot.object.name|endswith: .rcp}
  - {title: Pressure, domain: production, level: 2, objects: {ot.tag.name: PT-1}}
  - {title: Writing, domain: production, level: 2, objects: {ot.access: write}}
  - {title: Controllers, domain: production, level: 1, assets: {role: controller}}
"""
PLC, HMI, OFFICE, AWAY = "10.1.0.1", "10.1.0.2", "10.1.0.3", "8.8.8.8"
ZONES = {PLC: "control", HMI: "control", OFFICE: "office"}
# asking, asked, effect, access, object, tags, times
MOVES = (
    (HMI, PLC, "value.read", "read", "40001", ["PT-1"], 5),
    (OFFICE, PLC, "value.read", "read", "40001", ["PT-1"], 3),
    (OFFICE, PLC, "value.read", "read", "40002", None, 2),
    (PLC, OFFICE, "value.report", "report", "40003", None, 4),
    (OFFICE, PLC, "value.write", "write", "40002", None, 7),
    (OFFICE, HMI, "file.read", "file", "a.rcp", None, 11),
    (HMI, AWAY, "file.write", "file", "b.RCP", None, 13),
    (AWAY, PLC, "file.read", "file", "log.txt", None, 17),
    (OFFICE, HMI, "mode.read", "read", None, None, 19),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three assets in two zones, judged with a file of classes beside the rules, one that is wrong, and one that is a rule."""
    opened = open_store(str(tmp_path_factory.mktemp("classes") / "store"), True)
    files = {("/site", "classes.yml"): OWN, ("/site", "bad.yml"): "classes: bad\nrules: []\n", ("/site", "torn.yml"): "classes: torn\nrules: [\n"}
    files |= {("/site", "stop.yml"): GOOD + "# classes\n"}
    rows = [
        {
            "id": f"{number:020x}", "@timestamp": number, "event.start": number, "event.end": number, "event.action": "x", "source.ip": asking,
            "destination.ip": asked, "network.protocol": "modbus", "observer.name": "s", "ot.effect": effect, "ot.access": access, "ot.object.name": name,
            "ot.tag.name": tags, "ot.count": times,
        }
        for number, (asking, asked, effect, access, name, tags, times) in enumerate(MOVES, 1)
    ]  # fmt: skip
    table = pa.Table.from_pylist([{name: row.get(name) for name in ACTIVITY.names} for row in rows], schema=arrow_schema(ACTIVITY))
    assets = tuple(
        asset_of(
            "",
            [Fact("address", address, "traffic", 95, 0, 99), Fact("zone", zone, "policy:p", 90, 0, 99), Fact("role", role, "b", 70, 0, 99)],
            0,
            99,
            ("traffic",),
        )
        for (address, zone), role in zip(ZONES.items(), ("controller", "hmi", "server"), strict=True)
    )
    opened.write(Commit(batch=Batch(activities=table), assets=assets, state={versions.STATE: versions.encoded([versions.Version(files)])}))
    yield opened
    opened.close()


def told(store: Store, rules: InForce | None = None) -> Row:
    source, span = Source(store), Span(0, 100)
    rules = rules or in_force(store)
    return classing.told(source, span, classing.asked(source, span, rules.rules), exposing.by_any_name(exposing.assets(source, span)), rules)


def test_flows_of_classed_data_that_leave_a_zone_are_counted(store: Store) -> None:
    found = told(store)
    assert (found["rules"]["default"], found["rules"]["faulty"]) == (False, ["bad.yml", "torn.yml"])
    assert (found["operations"], found["looked_at"], found["assets"]) == (81, 81, 3)
    expected: Counter[Any] = Counter({
        (3, "research", "control", "office", False): 11, (3, "research", "control", None, True): 13, (2, "production", "control", "office", False): 3,
        (2, "production", "office", "control", False): 7, (1, "production", "control", "office", False): 6, (1, "production", "control", None, True): 17,
    })  # fmt: skip
    assert {(each["level"], each["domain"], each["from"], each["to"], each["internet"]): each["operations"] for each in found["flows"]} == expected
    assert [each["level"] for each in found["flows"]] == [3, 3, 2, 2, 1, 1]
    by_class = {(each["level"], each["domain"]): (each["assets"], each["operations"], each["leaving"]) for each in found["by_class"]}
    assert by_class == {(3, "research"): (0, 24, 24), (2, "production"): (0, 15, 10), (1, "production"): (1, 23, 23)}
    assert (found["classed"], found["zoned"], found["leaving"]) == (62, 62, 57), "the mode of the panel has no class"
    assert [each["operations"] for each in found["rules"]["listed"]] == [24, 8, 7, 23]


def test_without_a_file_of_the_site_the_default_classes_what_the_wire_tells(store: Store) -> None:
    found = told(store, of_texts([]))
    assert (found["rules"]["default"], found["rules"]["digest"]) == (True, of_texts([]).digest)
    assert {each["title"]["en"]: each["operations"] for each in found["rules"]["listed"] if each["operations"]} == {
        "Commands and set points": 7, "Process values": 33, "Files of devices": 41,
    }  # fmt: skip
    assert default()[1].name == "default"
    assert {rule.domain for rule in default()[1].rules} == {"production", "management"}


def test_which_way_data_goes_is_known_of_effects_that_there_are() -> None:
    assert {effect.name for effect in EFFECTS} > FETCHED


def test_what_is_not_looked_at_is_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classing, "MOST", 2)
    found = told(store)
    assert (found["operations"], found["looked_at"]) == (81, 36), "the two most frequent kinds"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("files", [("Recipes", AWAY, "b.RCP", 13, 13), ("Recipes", HMI, "a.rcp", 11, 11)]),
        ("objects", [("Pressure", PLC, "40001", 8, 3), ("Writing", PLC, "40002", 7, 7)]),
        ("assets", [("Controllers", PLC, None, 23, 23)]),
    ],
)
def test_the_catalogue_names_what_has_a_class(store: Store, kind: str, expected: list[Any]) -> None:
    source, span = Source(store), Span(0, 100)
    found = catalogue(source, span, in_force(store).rules, exposing.by_any_name(exposing.assets(source, span)), kind).entries
    assert [(row["rule"]["en"], row["device"], row.get("ot.object.name"), row["operations"], row["leaving"]) for row in found] == expected


@pytest.mark.parametrize(
    ("old", "new", "line", "check"),
    [
        ("classes: works", "classes: Our works", 1, "policy-name"),
        ("title: Works", "titel: Works", 2, "class-key"),
        ("title: Recipes", "title: '{x}'", 4, "policy-title"),
        ("domain: research", "domain: reserch", 6, "class-domain"),
        ("level: 3", "level: 4", 7, "class-level"),
        ("level: 3", "level: true", 7, "class-level"),
        ("    files:", "    file:", 4, "class-form"),
        ("    files: {", "    objects: {ot.access: read}\n    files: {", 4, "class-form"),
        ("ot.object.name|endswith", "ot.object.nam|endswith", 8, "field"),
        ("ot.object.name|endswith", "ot.anomaly|contains", 8, "class-field"),
        ("ot.access: write", "ot.access: wrote", 10, "closed-list"),
        ("{role: controller}", "{ot.access: read}", 11, "field"),
        ("{role: controller}", "{}", 11, "empty"),
        (OWN[OWN.index("  - ") :], "  []\n", 3, "class-number"),
        ("    level: 3\n", "    level: 3\n    level: 2\n", 8, "duplicate-key"),
    ],
)
def test_a_bad_file_is_refused_with_its_line_and_the_rules_beside_it_run(tmp_path: Path, old: str, new: str, line: int, check: str) -> None:
    assert old in OWN
    (file := tmp_path / "classes.yml").write_text(OWN.replace(old, new, 1), "utf-8")
    (tmp_path / "stop.yml").write_text(GOOD, "utf-8")
    book = load([tmp_path])
    assert [rule.id for rule in book.rules] == ["stop"]
    assert {(found.file, found.line, found.check) for found in book.problems} == {(str(file), line, check)}
    assert all(found.blocks and found.advice.en and found.advice.zh for found in book.problems)


def test_a_good_file_has_no_problems() -> None:
    assert read_classes(read(OWN.encode()))[1] == []


ODD: tuple[Any, ...] = (None, 1, "x", [], [[]], [None], {"a": 1}, [{"objects": None}], [{"files": [[]], "domain": [], "level": {}}])


@pytest.mark.parametrize("odd", ODD)
def test_no_value_raises(odd: Any) -> None:
    found, faults = read_classes(read(json.dumps({"classes": odd, "rules": odd, "title": odd}).encode()))
    assert found is None
    assert faults


def test_the_commands_check_try_and_show(store: Store, tmp_path: Path) -> None:
    (good := tmp_path / "good.yml").write_text(OWN.replace("level: 3", "level: 1"), "utf-8")
    (bad := tmp_path / "bad.yml").write_text(OWN.replace("level: 3", "level: 4"), "utf-8")
    (other := tmp_path / "stop.yml").write_text(GOOD, "utf-8")
    kept = ("--store", str(cast("EmbeddedStore", store).path), "--language")

    def asked(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    assert asked("classes", "check", good).exit_code == 0
    (empty := tmp_path / "empty.yml").write_text("")
    said = asked("classes", "check", empty, "--language", "en")
    assert (said.exit_code, "is no file of data classes" in said.stderr) == (2, True), "and no rule that is missing something"
    assert "is a folder" in asked("classes", "check", tmp_path, "--language", "en").stderr
    checked = asked("classes", "check", bad)
    assert (checked.exit_code, f"{bad}:7: " in checked.stdout) == (1, True)
    assert json.loads(asked("classes", "flows", *kept, "en", "--json").stdout)["leaving"] == 57
    tried = asked("classes", "flows", *kept, "zh", "--file", good).stdout
    assert "研发数据 · 一级" in tried
    assert "三级" not in tried
    assert "b.RCP" in asked("classes", "list", "files", *kept, "en").stdout
    for file, said in ((bad, "problems"), (other, "`classes:`"), (tmp_path / "none.yml", "no file")):
        refused = asked("classes", "flows", *kept, "en", "--file", file)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
