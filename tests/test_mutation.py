"""Mutants: which there are, which the tests inside a rule notice, and what a rule may say of the others."""

from __future__ import annotations

import re
import textwrap
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from detectors.mutants import correlation_mutants, mutants
from detectors.mutation import mutate
from detectors.rulebook.load import own_rules
from records.errors import UsageError
from tests.cli import balefire, one
from tests.test_lint import BASE as FAR
from tests.test_lint import FILTER
from tests.test_rule_files import HOT, REFUSALS

if TYPE_CHECKING:
    from pathlib import Path

BASE: Final = FAR.replace("192.168.1.1", "11.0.0.1")  # next to its network, so that a wider one is noticed
SECONDS: Final = 30  # the promise of the command for all shipped rules


def names(detection: dict[str, Any]) -> list[str]:
    return [mutant.name for mutant in mutants(detection)]


def test_every_mutant_of_the_shipped_rules_is_noticed() -> None:
    started = time.process_time()  # other tests run beside
    report = mutate(own_rules())
    assert time.process_time() - started < SECONDS
    assert [(one.rule, one.mutant) for one in report.survived if one.reason is None] == []
    assert report.problems == ()
    assert report.rules >= 50
    assert report.killed >= 8 * report.rules
    assert report.killed + len(report.survived) == report.mutants


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        ({"a": {"ot.unit": 1}, "condition": "a"}, ["a: ot.unit: 1 becomes 0", "a: ot.unit: 1 becomes 2", "condition: not a"]),
        (
            {"a": {"ot.value|gt": 0.25}, "condition": "a"},
            ["a: ot.value|gt: 0.25 becomes 0.24", "a: ot.value|gt: 0.25 becomes 0.26", "a: ot.value|gt without gt", "condition: not a"],
        ),
        (
            {"a": {"source.ip|cidr|expand": ["10.0.0.0/8", "192.168.5.0/24", "::/0", "%lines%"]}, "condition": "not a"},
            [
                "a: source.ip|cidr|expand: without 10.0.0.0/8",
                "a: source.ip|cidr|expand: 10.0.0.0/8 becomes 10.0.0.0/7",
                "a: source.ip|cidr|expand: without 192.168.5.0/24",
                "a: source.ip|cidr|expand: 192.168.5.0/24 becomes 192.168.4.0/23",
                "a: source.ip|cidr|expand: without ::/0",
                "a: source.ip|cidr|expand: without %lines%",
                "a: source.ip|cidr|expand without cidr",
                "a: source.ip|cidr|expand without expand",
                "condition: a instead of not a",
            ],
        ),
        (
            {"a": {"ot.effect": ["cpu.stop", "mode.read"]}, "condition": "not a"},
            [
                "a: ot.effect: without cpu.stop",
                "a: ot.effect: without mode.read",
                "a: ot.effect: cpu.* too",
                "a: ot.effect: mode.* too",
                "condition: a instead of not a",
            ],
        ),
        ({"a": {"source.ip|exists": True}, "condition": "a"}, ["a: source.ip|exists: false", "a: source.ip|exists without exists", "condition: not a"]),
        (
            {"a": {"x": 1, "y|contains|all": "2"}, "condition": "a"},
            [
                "a: without x",
                "a: x: 1 becomes 0",
                "a: x: 1 becomes 2",
                "a: without y|contains|all",
                "a: y|contains|all without contains",
                "a: y|contains|all without all",
                "condition: not a",
            ],
        ),
        ({"a": [{"x": None}, {"y": None}], "condition": "a"}, ["a: without {'x': None}", "a: without {'y': None}", "condition: not a"]),
        ({"a": ["one", "two"], "condition": "a"}, ["a: on too", "a: tw too", "a: without one", "a: without two", "condition: not a"]),
        (
            {"a": {"x": None}, "b": {"y": None}, "condition": "a and not b"},
            [
                "condition: a or not b instead of a and not b",
                "condition: without a",
                "condition: not a",
                "condition: without not b",
                "condition: b instead of not b",
            ],
        ),
        (
            {"a1": {"x": None}, "a2": {"y": None}, "condition": "1 of a*"},
            ["condition: not 1 of a*", "condition: all of a* instead of 1 of a*"],
        ),
        (
            {"a": {"x": None}, "b": {"y": None}, "c": {"z": None}, "condition": "a and (b or c)"},
            [
                "condition: a or (b or c) instead of a and (b or c)",
                "condition: without a",
                "condition: not a",
                "condition: without b or c",
                "condition: b and c instead of b or c",
                "condition: without b",
                "condition: not b",
                "condition: without c",
                "condition: not c",
            ],
        ),
        (
            {"a": {"x": None}, "b": {"y": None}, "condition": ["a", "b"]},
            ["condition: without a", "condition: not a", "condition: without b", "condition: not b"],
        ),
        (
            {"a": {"x": None}, "condition": "a and a"},
            ["condition: a or a instead of a and a", "condition: without a", "condition: not a", "condition: without a (2)", "condition: not a (2)"],
        ),
    ],
)
def test_what_is_changed(detection: dict[str, Any], expected: list[str]) -> None:
    assert names(detection) == expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ot.object.name", "Pump", {"Pump* too": "Pump*"}),
        ("ot.object.name", ["Line1.Pump", "Line1.Valve", 7], {"Line1.* too": ["Line1.*", "Line1.*", 7]}),
        ("ot.object.name", "Line1.*", {"Line1* too": "Line1*"}),
        ("ot.object.name", "L?ne", {"*ne too": "*ne", "L* too": "L*"}),
        (
            "ot.object.name",
            ["Line*.Pump*Speed", "b"],
            {"*.Pump*Speed too": ["*.Pump*Speed", "b"], "Line*.Pump* too": ["Line*.Pump*", "b"], "b* too": ["Line*.Pump*Speed", "b*"]},
        ),
        ("ot.object.name", r"*a\*b*c", {"*c too": "*c", r"*a\*b* too": r"*a\*b*"}),
        ("ot.object.name", "*Pump", {}),
        ("ot.object.name|contains", ["Pump", "a_b"], {"Pum too": ["Pum", "a_b"], "a_ too": ["Pump", "a_"]}),
        ("ot.object.name|endswith", "Level", {"evel too": "evel"}),
        ("ot.object.name|startswith|cased", "Tank", {"Tan too": "Tan"}),
        ("ot.object.name|re", "Tank", {}),
        ("source.ip", "10.0.0.5", {"10.0.0.* too": "10.0.0.*"}),
        ("network.protocol", ["modbus", "s7comm"], {}),
        ("ot.effect", ["program.download", "interrogation"], {"program.* too": ["program.*", "interrogation"]}),
        ("ot.effect", ["firmware.write", "firmware.mode"], {}),
        ("ot.effect|startswith", "firmware.", {}),
        ("ot.access", "write", {}),
    ],
)
def test_a_text_is_opened_where_there_is_more_for_it_to_take_in(key: str, value: Any, expected: dict[str, Any]) -> None:
    changed = {mutant.name: mutant.detection["a"] for mutant in mutants({"a": {key: value}, "condition": "a"})}
    assert {name.removeprefix(f"a: {key}: "): part[key] for name, part in changed.items() if name.endswith(" too")} == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^Tank\d$", [r"Tank\d$", r"^ank\d$", r"^Tan\d$", r"^Tank\d"]),
        (r"\A(?i:[ab]x?\.y{2}z)\b", [r"(?i:[ab]x?\.y{2}z)\b", r"\A(?i:[ab]x?y{2}z)\b", r"\A(?i:[ab]x?\.y{2})\b", r"\A(?i:[ab]x?\.y{2}z)"]),
        (r"[]^$a]\$|a", [r"[]^$a]|a", r"[]^$a]\$|"]),
        (r"\d+", []),
        ("a", []),
    ],
)
def test_a_regular_expression_loses_an_anchor_or_its_first_or_last_letter(pattern: str, expected: list[str]) -> None:
    for value in (pattern, ["x+", pattern]):
        changed = names({"a": {"ot.object.name|re": value}, "condition": "a"})
        assert [name.partition(" becomes ")[2] for name in changed if " becomes " in name] == expected


def test_a_reference_is_negated_once() -> None:
    assert names({"a": {"source.ip|fieldref": "destination.ip"}, "condition": "a"}) == [
        "a: source.ip|fieldref without fieldref",
        "a: source.ip|fieldref: neq",
        "condition: not a",
    ]
    assert "a: source.ip|fieldref|neq: neq" not in names({"a": {"source.ip|fieldref|neq": "destination.ip"}, "condition": "a"})


@pytest.mark.parametrize(
    ("asked", "mutant"),
    [("ot.object.name|re: ^Tank", "ot.object.name|re: ^Tank becomes Tank"), ("ot.object.name: Tank*Level", "ot.object.name: *Level too")],
)
def test_what_a_pattern_asks_for_and_no_case_notices_is_named(tmp_path: Path, asked: str, mutant: str) -> None:
    quiet = "    - ot: {effect: cpu.stop}\n      source.ip: 11.0.0.1\n"
    file = written(tmp_path, ("    source.ip|cidr:\n      - 10.0.0.0/8", f"    {asked}"), (quiet, ""))
    file.write_text(file.read_text("utf-8").replace("{effect: cpu.stop", "{object.name: Tank1.Level, effect: cpu.stop"), "utf-8")
    report = mutate(file)
    assert report.problems == ()
    assert f"selection: {mutant}" in {one.mutant for one in report.survived}


@pytest.mark.parametrize(("key", "moved"), [("ot.object.name|startswith", True), ("ot.object.name|endswith|cased", True), ("ot.effect|startswith", False)])
def test_a_text_at_an_end_may_be_anywhere(key: str, moved: bool) -> None:
    anywhere = key.replace("startswith", "contains").replace("endswith", "contains")
    changed = [mutant.detection["a"] for mutant in mutants({"a": {key: "cpu."}, "condition": "a"})]
    assert ({anywhere: "cpu."} in changed) == moved


def test_a_mutant_changes_one_thing_and_leaves_the_rule_alone() -> None:
    detection = {"a": {"ot.unit": [1, 2], "ot.effect": "test"}, "b": {"x": "1"}, "condition": "a and not b"}
    before = repr(detection)
    changed = {mutant.name: mutant.detection for mutant in mutants(detection)}
    assert repr(detection) == before
    assert changed["a: ot.unit: 1 becomes 2"] == {**detection, "a": {"ot.unit": [2, 2], "ot.effect": "test"}}
    assert changed["a: without ot.effect"] == {**detection, "a": {"ot.unit": [1, 2]}}
    assert changed["condition: b instead of not b"] == {**detection, "condition": "a and (b)"}


def test_what_is_changed_in_a_correlation() -> None:
    correlation = {"type": "temporal", "rules": ["a", "b"], "group-by": ["source.ip"], "timespan": "5m", "condition": {"gte": 2}}
    documents = [{"id": "x", "correlation": correlation}, {"name": "a", "detection": {"s": {"ot.unit": 1}, "condition": "s"}}]
    before = repr(documents)
    changed = dict(correlation_mutants(documents))
    assert repr(documents) == before
    assert list(changed) == [
        "correlation: rules: without a", "correlation: rules: without b", "correlation: group-by: without source.ip",
        "correlation: condition: gte: 2 becomes 1",
        "correlation: condition: gte: 2 becomes 3", "correlation: timespan: 5m becomes 4m", "correlation: timespan: 5m becomes 6m",
        "correlation: type: temporal_ordered", "a: s: ot.unit: 1 becomes 0", "a: s: ot.unit: 1 becomes 2", "a: condition: not s",
    ]  # fmt: skip
    assert changed["correlation: timespan: 5m becomes 4m"][0]["correlation"] == {**correlation, "timespan": "4m"}
    assert "group-by" not in changed["correlation: group-by: without source.ip"][0]["correlation"]


def test_what_a_correlation_asks_of_its_rules_is_changed_too() -> None:
    """A condition over rules, in words, is as good as one over detections."""
    correlation = {"type": "temporal", "rules": ["a", "b"], "timespan": "5m", "condition": "a and not b"}
    changed = dict(correlation_mutants([{"id": "x", "correlation": correlation}]))
    conditions = {name: documents[0]["correlation"]["condition"] for name, documents in changed.items() if "condition: " in name}
    assert conditions == {
        "correlation: condition: a or not b instead of a and not b": "a or not b",
        "correlation: condition: without a": "not b",
        "correlation: condition: not a": "(not a) and not b",
        "correlation: condition: without not b": "a",
        "correlation: condition: b instead of not b": "a and (b)",
    }


def test_a_bound_of_a_correlation_that_no_case_notices_is_named(tmp_path: Path) -> None:
    name = "password-guessing.yml"
    text = (own_rules() / "configuration" / name).read_text("utf-8")
    file = tmp_path / name
    file.write_text(text.replace("gte: 5", "gte: 4"), "utf-8")
    assert mutate(file).problems[0].check == "case"
    file.write_text(text.replace("timespan: 5m", "timespan: 300s"), "utf-8")
    assert [one.mutant for one in mutate(file).survived] == ["correlation: timespan: 300s becomes 299s", "correlation: timespan: 300s becomes 301s"]


def written(folder: Path, *edits: tuple[str, str]) -> Path:
    text = BASE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "stopped.yml"
    file.write_text(text, "utf-8")
    return file


def test_a_mutant_that_no_case_notices_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, ("    - ot: {effect: cpu.stop}\n      source.ip: 11.0.0.1\n", ""))
    alive = ["selection: without source.ip|cidr", "selection: source.ip|cidr: 10.0.0.0/8 becomes 10.0.0.0/7"]
    assert one("rules", "mutate", file, status=1) == {
        "untried": [],
        "rules": 1, "mutants": 5, "killed": 3,
        "survived": [{"file": str(file), "rule": "stopped", "mutant": mutant, "reason": None} for mutant in alive],
    }  # fmt: skip
    assert f"{file}: stopped: no case notices “{alive[0]}”." in balefire("rules", "mutate", file, "--language", "en").stdout


def test_a_network_twice_as_wide_is_noticed_by_an_address_next_to_it(tmp_path: Path) -> None:
    file = written(tmp_path, ("source.ip: 11.0.0.1", "source.ip: 192.168.1.1"))
    assert [lives["mutant"] for lives in one("rules", "mutate", file, status=1)["survived"]] == ["selection: source.ip|cidr: 10.0.0.0/8 becomes 10.0.0.0/7"]
    written(tmp_path)
    assert one("rules", "mutate", file)["survived"] == []


def test_a_mutant_may_live_where_the_rule_says_why(tmp_path: Path) -> None:
    """As FORMAT.md shows it."""
    found = re.search(r"^    survives:\n(?:    .*\n)+", (own_rules() / "FORMAT.md").read_text("utf-8"), re.MULTILINE)
    assert found
    shown = textwrap.dedent(found[0])
    twice = ("    source.ip|cidr:", "    source.ip|exists: true\n    source.ip|cidr:")
    file = written(tmp_path, ("  selection:\n", "  outside:\n"), ("condition: selection", "condition: outside"), twice, ("tests:\n", f"{shown}tests:\n"))
    (survivor,) = one("rules", "mutate", file, "--language", "zh")["survived"]
    assert (survivor["mutant"], survivor["reason"][:5]) == ("outside: without source.ip|exists", "在某网段内")
    assert one("rules", "lint", file)["problems"] == []
    assert "may live" in balefire("rules", "mutate", file, "--language", "en").stdout


def test_a_rule_that_is_not_loaded_has_failed(tmp_path: Path) -> None:
    file = written(tmp_path, ("level: high", "level: grave"))
    result = balefire("rules", "mutate", file, "--json")
    assert (result.exit_code, result.stdout) == (1, '{"rules": 0, "mutants": 0, "killed": 0, "survived": [], "untried": []}\n')
    assert "[level]" in result.stderr
    with pytest.raises(UsageError):
        mutate(tmp_path / "gone")


def test_a_rule_on_points_is_tried_on_points(tmp_path: Path) -> None:
    (tmp_path / "too-hot.yml").write_text(HOT, "utf-8")
    report = mutate(tmp_path)
    assert report.mutants >= 8
    assert report.killed >= 4


def test_a_correlation_is_tried_beside_the_rules_that_it_looks_at(tmp_path: Path) -> None:
    (tmp_path / "stopped.yml").write_text(BASE, "utf-8")
    alone = mutate(tmp_path)
    case = "{event.outcome: failure, ot: {effect: value.write, error: illegal_data_address}"
    both = REFUSALS.replace("[write-refused]", "[stopped]").replace(case, "{ot.effect: cpu.stop")
    (tmp_path / "many-refusals.yml").write_text(both, "utf-8")
    report = mutate(tmp_path)
    assert report.problems == ()
    assert report.mutants >= alone.mutants + 4
    assert {one.mutant for one in report.survived} == {f"correlation: timespan: 5m becomes {other}m" for other in (4, 6)}, "its cases hold no time"


def test_what_there_is_nothing_to_try_of_is_named_and_no_success(tmp_path: Path) -> None:
    for word in ("lint", "test", "mutate"):
        result = balefire("rules", word, tmp_path, "--language", "en")
        assert (result.exit_code, "there is nothing to try" in result.stderr) == (1, True)
    policy, known = tmp_path / "policy.yml", tmp_path / "known.yml"
    policy.write_text("policy: p\nzones:\n  a: {members: [10.0.0.0/24]}\n")
    known.write_text(
        "title: a\ntitle_zh: 一\nid: known\ndescription: a\ndescription_zh: 一\nlogsource: {product: balefire}\n"
        "filter: {rules: [p-a-to-outside], sel: {source.ip: 10.0.0.9}, condition: not sel}\n"
        "tests: {keeps: [{}, {source.ip: 10.0.0.8}], drops: [{source.ip: 10.0.0.9}]}\n"
    )
    assert one("rules", "mutate", tmp_path)["untried"] == [str(policy)]
    assert f"{policy}: a policy has no mutants; not tried." in balefire("rules", "mutate", tmp_path, "--language", "en").stderr
    known.unlink()
    assert one("rules", "mutate", tmp_path, status=1)["untried"] == [str(policy)]
    assert one("rules", "lint", tmp_path)["problems"] == []


def test_mutants_of_a_filter_are_noticed_by_its_tests_and_by_those_of_the_rules_that_it_narrows(tmp_path: Path) -> None:
    (file := tmp_path / "bench.yml").write_text(FILTER, "utf-8")
    assert one("rules", "mutate", file) == {"rules": 1, "mutants": 2, "killed": 2, "survived": [], "untried": []}
    late = ("  condition: not bench", "  late: {ot.unit: 2}\n  condition: not bench or late")
    wider = FILTER.replace(*late).replace("      ot.effect: cpu.stop\n", "      ot.effect: cpu.stop\n      ot.unit: 1\n")
    file.write_text(wider, "utf-8")
    survived = [named["mutant"] for named in one("rules", "mutate", file, status=1)["survived"]]
    assert survived == ["late: ot.unit: 2 becomes 3", "condition: without late"]
    reasons = "".join(f"  - {{mutant: '{name}', en: It is not built yet., zh: 尚未建成。}}\n" for name in survived)
    file.write_text(f"{wider}survives:\n{reasons}", "utf-8")
    assert [named["reason"] for named in one("rules", "mutate", file, "--language", "en")["survived"]] == ["It is not built yet."] * 2


def test_a_mutant_of_a_filter_that_takes_a_case_from_a_rule_is_noticed(tmp_path: Path) -> None:
    """The filter's own tests would let it live: they know of no second unit, the rule's do."""
    (tmp_path / "stopped.yml").write_text(BASE, "utf-8")
    named = FILTER.replace("controller-stopped", "stopped").replace("condition: not bench", "units: {ot.unit|lt: 3}\n  condition: not bench and units")
    (tmp_path / "bench.yml").write_text(named, "utf-8")
    assert [one.mutant for one in mutate(tmp_path).survived] == ["units: ot.unit|lt: 3 becomes 4", "condition: without units"]
    (tmp_path / "stopped.yml").unlink()
    s7 = FILTER.replace("condition: not bench", "s7: {network.protocol: s7comm}\n  condition: not (bench and s7)")
    (tmp_path / "bench.yml").write_text(s7.replace("      ot.effect: cpu.stop\n", "      ot.effect: cpu.stop\n      network.protocol: s7comm\n"), "utf-8")
    assert [one.mutant for one in mutate(tmp_path).survived] == ["condition: without s7"], "one of controller-stopped's own cases tells or from and"
