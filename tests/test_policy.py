"""Policies: what is wrong with one and where, the rules that it becomes against a plain reading of it, and drafts that fit what they were drafted from."""

from __future__ import annotations

import re
import shutil
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from detectors.mutation import mutate
from detectors.policy.compiling import GROUPS, compiled, pairs, rule_data
from detectors.policy.learning import Doubt, Seen, apart, draft
from detectors.policy.zones import MOST_MEMBERS, MOST_ZONES, OUTSIDE, Policy, read_policy
from detectors.rulebook.document import LARGEST, Document, read
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import load, load_text, own_rules
from records.effects import EFFECTS
from tests.cli import DEMO, balefire, lines, one, stored
from tests.examples import as_many
from tests.frames import sparse
from tests.test_rules import GOOD, VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

FOUND = re.search(r"^```policy\n(.*?)^```", (own_rules() / "FORMAT.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
assert FOUND
SHOWN: Final = FOUND[1]
PLC, HMI, OTHER, STRANGER = "10.20.1.11", "10.20.1.20", "10.20.1.99", "203.0.113.9"


def policy(content: str = SHOWN) -> Policy:
    found, faults = read_policy(read(content.encode()))
    assert faults == []
    assert found is not None
    return found


def row(source: str | None, destination: str | None, effect: str, protocol: str = "modbus") -> dict[str, Any]:
    access = next(each.access for each in EFFECTS if each.name == effect)
    return {"source.ip": source, "destination.ip": destination, "ot.effect": effect, "ot.access": access, "network.protocol": protocol}


def breaches(found: Policy, rows: list[dict[str, Any]]) -> list[set[str]]:
    """By row, the ids of the rules that it breaks."""
    frame = Frame(sparse(rows))
    hit = {rule.id: rule.match(frame) for rule in compiled(found, "policy.yml")}
    return [{name for name, mask in hit.items() if mask[index]} for index in range(len(rows))]


@pytest.mark.parametrize(
    ("case", "broken"),
    [
        (row(HMI, PLC, "value.read"), None),
        (row(HMI, PLC, "value.write"), None),
        (row(HMI, PLC, "program.download"), "supervision-to-control"),
        (row(HMI, PLC, "value.read", "dnp3"), "supervision-to-control"),
        (row(PLC, HMI, "value.report"), None),
        (row(PLC, HMI, "value.report", "dnp3"), "control-to-supervision"),
        (row(PLC, HMI, "value.read"), "control-to-supervision"),
        (row(PLC, "10.20.1.12", "program.download"), None),
        (row(OTHER, PLC, "value.read"), "plant-to-control"),
        (row(OTHER, "10.20.2.99", "value.read"), None),
        (row(STRANGER, PLC, "value.read"), "outside-to-control"),
        (row(PLC, STRANGER, "value.read"), "control-to-outside"),
        (row(STRANGER, "198.51.100.1", "value.write"), None),
        (row(None, PLC, "value.write"), None),
    ],
)
def test_what_breaks_the_policy_that_format_md_shows(case: dict[str, Any], broken: str | None) -> None:
    assert breaches(policy(), [case]) == [{f"water-works-{broken}"} if broken else set()]


def test_a_finding_says_which_zones_and_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "water-works.yml").write_text(
        SHOWN.replace("[10.20.1.20, 10.20.1.30, 10.20.2.20]", "[10.20.1.20, 10.20.1.30, 10.20.2.20, 10.20.2.66]"), "utf-8"
    )
    replay = one("replay", DEMO, "--store", tmp_path / "store", "--rules", tmp_path)
    assert replay["findings"] > stored()[1]["findings"]
    found = [finding for finding in lines("findings", "--store", tmp_path / "store") if finding["rule"].startswith("water-works-")]
    assert {(finding["rule"], finding["source"]["ip"]) for finding in found} == {
        ("water-works-plant-to-control", "10.20.1.66"), ("water-works-supervision-to-control", "10.20.2.66"),
    }  # fmt: skip
    first = next(finding for finding in found if finding["rule"] == "water-works-plant-to-control")
    assert first["title"]["en"].endswith(" (zone Plant network) reached 10.20.1.11 (zone Controllers): no conduit leads there")
    assert first["title"]["zh"].endswith("（区域“厂区网络”）访问了 10.20.1.11（区域“控制器”）：两者之间没有管道")
    assert first["techniques"][-1] == "T0886"
    assert {finding["terms"][0]["value"] for finding in found} == {65}
    told = one("explain", first["id"], "--store", tmp_path / "store")
    assert "add a conduit from zone Plant network to zone Controllers to water-works.yml" in str(told["respond"])


def test_targets_and_deeds_make_the_score() -> None:
    levels = {rule.id.removeprefix("water-works-"): rule.level for rule in compiled(policy(), "x.yml")}
    assert (levels["plant-to-control"], levels["outside-to-plant"], levels["plant-to-supervision"]) == ("high", "medium", "medium")
    frame = Frame(sparse([row(OTHER, PLC, name) for name in ("value.read", "value.write", "program.download")]))
    (rule,) = (rule for rule in compiled(policy(), "x.yml") if rule.id.endswith("plant-to-control"))
    assert [[part.value for part in rule.adjustments if part.match(frame)[index]] for index in range(3)] == [[], [15], [25]]


def test_the_rules_shown_are_rules_that_load(tmp_path: Path) -> None:
    file = tmp_path / "water-works.yml"
    file.write_text(SHOWN, "utf-8")
    shown = list(yaml.safe_load_all(balefire("policy", "show", file).stdout))
    assert shown == lines("policy", "show", file) == [rule_data(policy(), pair, file.name) for pair in pairs(policy())]
    rows = [
        row(source, destination, effect)
        for source in (PLC, HMI, OTHER, STRANGER, None)
        for destination in (PLC, HMI, OTHER, STRANGER)
        for effect in EFFECT_NAMES
    ]
    frame = Frame(sparse(rows))
    for data, made in zip(shown, compiled(policy(), file.name), strict=True):
        rule, problems = load_text(yaml.safe_dump(data, allow_unicode=True), f"{data['id']}.yml")
        assert problems == []
        assert rule is not None
        assert (rule.id, rule.title, rule.level, rule.fields, rule.match(frame).tolist()) == (
            made.id,
            made.title,
            made.level,
            made.fields,
            made.match(frame).tolist(),
        )


def test_check_counts_and_says_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "water-works.yml"
    file.write_text(SHOWN, "utf-8")
    assert one("policy", "check", file) == {"zones": 3, "conduits": 1, "rules": 12, "problems": []}
    file.write_text(SHOWN.replace("to: control", "to: contrl"), "utf-8")
    (found,) = one("policy", "check", file, status=1)["problems"]
    assert (found["file"], found["line"], found["check"], found["advice"]) == (str(file), 23, "zone-unknown", "Did you mean: control?")
    assert f"{file}:23: " in balefire("policy", "check", file).stdout
    assert lines("policy", "show", file, status=1) == []
    assert balefire("policy", "check", tmp_path / "gone.yml").exit_code == 2
    rule = next(own_rules().rglob("file-written.yml"))
    (found,) = one("policy", "check", rule, status=1)["problems"]
    assert (found["check"], found["message"]) == ("policy-rule", "This is a rule, not a policy.")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [*{last}, *{last}, *{last}]\n" for last, name in zip("abcdefg", "bcdefgh", strict=True)
)
MANY = "policy: many\nzones:\n" + "".join(f"  z{number}: {{members: [10.0.{number}.0/24]}}\n" for number in range(MOST_ZONES + 1))
CROWD = f"policy: crowd\nzones:\n  a: {{members: [{', '.join(['10.0.0.1'] * (MOST_MEMBERS + 1))}]}}\n"
INNER = (
    "policy: p\nzones:\n  a: {{inside: {}, members: [10.0.0.0/24]}}\n  b: {{inside: {}, members: [10.1.0.0/24]}}\n  c: {{inside: {}, members: [10.2.0.0/24]}}\n"
)


@pytest.mark.parametrize(
    ("content", "line", "check"),
    [
        (SHOWN.replace("to: control", "to: nowhere"), 23, "zone-unknown"),
        (SHOWN.replace("inside: plant", "inside: plnt", 1), 12, "zone-unknown"),
        (SHOWN.replace("10.20.1.30", "10.20.1.12"), 19, "zone-overlap"),
        (SHOWN.replace("    inside: plant\n", "", 1), 12, "zone-overlap"),
        (SHOWN.replace("10.20.1.30", "10.20.0.0/16"), 8, "zone-overlap"),
        (SHOWN.replace("10.20.1.30", "10.20.1.30, 10.20.1.30"), 19, "zone-overlap"),
        (INNER.format("b", "c", "a"), 3, "zone-cycle"),
        (INNER.format("a", "a", "a"), 3, "zone-cycle"),
        (SHOWN.replace("10.20.1.0/24", "10.20.1.1/24"), 8, "zone-member"),
        (SHOWN.replace("10.20.1.11", "plc-1"), 13, "zone-member"),
        (SHOWN.replace("10.20.1.11", "10"), 13, "zone-member"),
        (SHOWN.replace("members: [10.20.1.11, 10.20.1.12, 10.20.2.11]", "members: []"), 9, "zone-empty"),
        (SHOWN.replace("  control:\n", "  outside:\n"), 9, "zone-reserved"),
        (SHOWN.replace("target: 3", "target: 5"), 14, "zone-target"),
        (SHOWN.replace("target: 3", "target: true"), 14, "zone-target"),
        (SHOWN.replace("target: 3", "level: 6"), 14, "zone-level"),
        (SHOWN.replace("target: 3", "level: [1]"), 14, "zone-level"),
        (SHOWN.replace("target: 3", "level: 1.0"), 14, "zone-level"),
        (SHOWN.replace("title: Controllers", "title: '{source}'"), 10, "policy-title"),
        (SHOWN.replace("title: Controllers", "titel: Controllers"), 10, "policy-key"),
        (SHOWN.replace("policy: water-works", "policy: Water works"), 1, "policy-name"),
        (SHOWN.replace("policy: water-works\n", ""), 1, "policy-name"),
        (SHOWN.replace("  control:\n", "  Control Room:\n"), 9, "policy-name"),
        (SHOWN.replace("    access: [read]", "    acess: [read]"), 25, "policy-key"),
        (SHOWN.replace("access: [read]", "access: [look]"), 25, "conduit-value"),
        (SHOWN.replace("access: [read]", "access: read"), 25, "conduit-list"),
        (SHOWN.replace("access: [read]", "access: []"), 25, "conduit-list"),
        (SHOWN.replace("[modbus]", "[mudbus]"), 24, "conduit-value"),
        (SHOWN.replace("[value.write, ", "[value.rite, "), 26, "conduit-value"),
        (SHOWN.replace("  - from: supervision\n    to: control\n", "  - to: control\n"), 22, "conduit-form"),
        (SHOWN.replace("from: supervision\n    to: control", "from: outside\n    to: outside"), 22, "conduit-outside"),
        (SHOWN[: SHOWN.index("conduits:")] + "conduits: all\n", 21, "conduit-form"),
        (SHOWN.replace("zones:\n  plant:\n", "zones:\n  plant: here\n  works:\n"), 5, "zone-form"),
        ("policy: empty\n", 1, "zone-number"),
        ("policy: p\nzones: [a]\n", 2, "zone-number"),
        (MANY, 2, "zone-number"),
        (CROWD, 3, "zone-member"),
        (SHOWN + "policy: again\n", 27, "duplicate-key"),
        (BOMB + SHOWN, 2, "alias"),
        (SHOWN + f"# {'x' * LARGEST}", 1, "too-large"),
        (SHOWN.replace("[modbus]", "[" * 40 + "]" * 40), 24, "yaml"),
        (SHOWN.replace("[modbus]", "[modbus"), 24, "yaml"),
    ],
)
def test_a_bad_policy_is_refused_with_its_line_and_the_rules_beside_it_run(tmp_path: Path, content: str, line: int, check: str) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(content, "utf-8")
    (tmp_path / "stop.yml").write_text(GOOD, "utf-8")
    book = load([tmp_path])
    assert [rule.id for rule in book.rules] == ["stop"]
    assert (line, check) in {(found.line, found.check) for found in book.problems}
    for found in book.problems:
        assert (found.file, found.blocks) == (str(file), True)
        assert found.advice.en
        assert re.search(r"[一-鿿]", found.message.zh)


@settings(deadline=None, max_examples=as_many(150))
@given(st.integers(0, SHOWN.count("\n") - 1), st.integers(0, 30), st.text("[]{}:-|*&!%@#'\" \n0aé", max_size=6))
def test_no_damage_to_a_policy_raises(line: int, column: int, odd: str) -> None:
    parts = SHOWN.split("\n")
    parts[line] = parts[line][:column] + odd + parts[line][column:]
    document = read("\n".join(parts).encode())
    found, faults = read_policy(document)
    assert faults or (found is not None and compiled(found, "policy.yml"))


@settings(deadline=None, max_examples=as_many(150))
@given(st.sampled_from(["members", "inside", "target", "title", "from", "to", "protocols", "access", "effects", "policy", "zones", "conduits"]), VALUES)
def test_no_value_in_a_policy_raises(key: str, odd: Any) -> None:
    data = yaml.safe_load(SHOWN)
    for part in (data, data["zones"]["plant"], data["conduits"][0]):
        if key in part:
            part[key] = odd
    found, faults = read_policy(Document(data))
    assert faults or (found is not None and compiled(found, "policy.yml"))


def test_what_is_no_text_and_what_cannot_be_read_are_refused_too(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes(SHOWN.encode().replace(b"Water works", b"W\xe4sser"))
    (tmp_path / "huge.yml").write_bytes(b"zones: {}\n" * 1_000_000)
    (tmp_path / "stop.yml").write_text(GOOD, "utf-8")
    book = load([tmp_path])
    assert [rule.id for rule in book.rules] == ["stop"]
    assert [(Path(found.file).name, found.line, found.check) for found in book.problems] == [("huge.yml", 1, "too-large"), ("latin.yml", 2, "encoding")]


def test_two_policies_of_one_name_do_not_replace_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yml").write_text(SHOWN, "utf-8")
    book = load([tmp_path])
    assert (len(book.rules), book.files) == (12, 2)
    assert {(Path(found.file).name, found.check) for found in book.problems} == {("two.yml", "duplicate-id")}
    assert one("rules", "lint", tmp_path / "one.yml") == {"rules": 1, "problems": []}
    assert mutate(tmp_path / "one.yml").mutants == 0


NAMES = ("a", "b", "c")
PLACES = {"a": "10.0.0.0/30", "b": "10.0.0.4/30", "c": "10.0.0.0/28"}  # the others lie in c
HOSTS = ("10.0.0.1", "10.0.0.5", "10.0.0.9", "192.0.2.1", "fd00::1")
EFFECT_NAMES = ("value.read", "value.report", "value.write", "program.download")
ENDS = st.sampled_from([*NAMES, OUTSIDE])
CONDUITS = st.fixed_dictionaries(
    {"from": ENDS, "to": ENDS},
    optional={
        "protocols": st.lists(st.sampled_from(["modbus", "dnp3"]), min_size=1, max_size=2),
        "access": st.lists(st.sampled_from(["read", "report", "write"]), min_size=1, max_size=2),
        "effects": st.lists(st.sampled_from(EFFECT_NAMES), min_size=1, max_size=2),
    },
).filter(lambda conduit: conduit["from"] != OUTSIDE or conduit["to"] != OUTSIDE)
ROWS = st.builds(row, st.sampled_from([*HOSTS, None]), st.sampled_from([*HOSTS, None]), st.sampled_from(EFFECT_NAMES), st.sampled_from(["modbus", "dnp3"]))


def zone_of(address: str) -> str:
    return next((name for name in NAMES if ip_address(address) in ip_network(PLACES[name])), OUTSIDE)


def allowed(conduits: list[dict[str, Any]], nested: bool, case: Mapping[str, Any]) -> bool:
    """A plain reading of what FORMAT.md says."""
    if case["source.ip"] is None or case["destination.ip"] is None:
        return True
    source, destination = zone_of(case["source.ip"]), zone_of(case["destination.ip"])

    def serves(zone: str, named: str) -> bool:
        return named == zone or (nested and named == "c" and zone in ("a", "b"))

    def passes(conduit: dict[str, Any]) -> bool:
        limits = [("ot.access", conduit.get("access")), ("ot.effect", conduit.get("effects"))]
        given = [(field, values) for field, values in limits if values]
        return case["network.protocol"] in conduit.get("protocols", ["modbus", "dnp3"]) and (not given or any(case[field] in values for field, values in given))

    there = [conduit for conduit in conduits if serves(source, conduit["from"]) and serves(destination, conduit["to"])]
    if source == destination:
        there = [conduit for conduit in there if conduit["from"] == conduit["to"]]
        return source == OUTSIDE or not there or any(passes(conduit) for conduit in there) or (case["ot.access"] == "report" and any(
            case["network.protocol"] in conduit.get("protocols", ["modbus", "dnp3"]) for conduit in there
        ))  # fmt: skip
    back = [conduit for conduit in conduits if serves(destination, conduit["from"]) and serves(source, conduit["to"])]
    told = case["ot.access"] == "report" and any(case["network.protocol"] in conduit.get("protocols", ["modbus", "dnp3"]) for conduit in back)
    return source == destination == OUTSIDE or told or any(passes(conduit) for conduit in there)


@settings(deadline=None, max_examples=as_many(60))
@given(st.lists(CONDUITS, max_size=4), st.booleans(), st.lists(ROWS, min_size=1, max_size=30))
def test_the_rules_say_what_a_plain_reading_says(conduits: list[dict[str, Any]], nested: bool, rows: list[dict[str, Any]]) -> None:
    places = PLACES if nested else {**PLACES, "c": "10.0.0.8/29"}
    zones = {name: {"members": [place], **({"inside": "c"} if nested and name != "c" else {})} for name, place in places.items()}
    found = policy(yaml.safe_dump({"policy": "p", "zones": zones, "conduits": conduits}))
    assert [not broken for broken in breaches(found, rows)] == [allowed(conduits, nested, case) for case in rows]


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.sampled_from(HOSTS).map(ip_address), st.ip_addresses(v=6)).map(str)
ROLES = st.sampled_from([None, "client", "engineering", "controller"])


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    effect = draw(st.sampled_from(EFFECTS))
    protocol = draw(st.sampled_from(["modbus", "dnp3", "iec104"]))
    return Seen(draw(ADDRESSES), draw(ADDRESSES), (draw(ROLES), draw(ROLES)), protocol, effect.access, effect.name, draw(st.integers(1, 10**6)))


@settings(deadline=None, max_examples=as_many(40))
@given(st.lists(seen(), min_size=1, max_size=40))
def test_a_draft_allows_what_it_was_drafted_from(rows: list[Seen]) -> None:
    found = policy(draft("draft", rows))
    judged = [row(each.source, each.destination, each.effect, each.protocol) for each in rows]
    assert breaches(found, judged) == [set()] * len(rows)


@settings(deadline=None, max_examples=as_many(40))
@given(st.lists(seen(), min_size=1, max_size=10), st.data())
def test_a_draft_allows_nothing_of_who_is_to_be_confirmed_until_it_is(rows: list[Seen], data: st.DataObject) -> None:
    groups = [ip_network(each) for each in GROUPS]  # in no zone these are nobody
    assume(not any(ip_address(host) in group for each in rows for host in (each.source, each.destination) for group in groups))
    hosts = sorted({host for each in rows for host in (each.source, each.destination)})
    against = {host: Doubt((f"alert of {host}",), data.draw(st.booleans())) for host in data.draw(st.sets(st.sampled_from(hosts)))}
    text, strangers = draft("draft", rows, against), apart(rows, against)
    judged = [row(each.source, each.destination, each.effect, each.protocol) for each in rows]
    theirs = [len({each.source, each.destination} & strangers) for each in rows]
    found = breaches(policy(text), judged)
    assert [bool(broken) for broken in found] == [0 < of < len({each.source, each.destination}) for of, each in zip(theirs, rows, strict=True)]
    assert all((f"alert of {host}"[:12] in text) for host in against)
    assert breaches(policy(re.sub("^# (?=  )", "", text, flags=re.MULTILINE).replace("conduits: []", "conduits:")), judged) == [set()] * len(rows)


def test_a_draft_allows_no_more_than_was_seen() -> None:
    rows = [Seen("10.0.0.1", "10.0.1.1", ("client", "controller"), "modbus", "write", "value.write", 2)]
    found = policy(draft("draft", rows))
    others = [
        row("10.0.0.1", "10.0.1.1", "output.operate"), row("10.0.0.1", "10.0.1.1", "value.write", "dnp3"), row("10.0.0.2", "10.0.1.1", "value.write"),
        row("10.0.1.1", "10.0.0.1", "value.read"),
    ]  # fmt: skip
    assert all(breaches(found, others))


def test_a_wide_plant_is_drafted_with_wider_networks() -> None:
    wide = [Seen(f"10.{number}.{number}.1", f"10.{number}.{number}.2", ("client", "controller"), "modbus", "read", "value.read", 1) for number in range(200)]
    assert set(policy(draft("draft", wide)).zones) == {"client-0-0-0-0", "controller-0-0-0-0"}


def test_learning_says_which_alerts_would_become_normal(tmp_path: Path) -> None:
    place = shutil.copytree(stored()[0], tmp_path / "store")
    alerts = lines("alerts", "--store", place)
    learned = one("policy", "learn", "--store", place, "-o", tmp_path / "all.yml")
    assert learned["open_alerts"] == len(alerts) > 2
    first, second, *rest = (row["id"] for row in alerts)
    lines("alert", "close", *rest, first, "--verdict", "expected", "--by", "w", "--store", place)
    lines("alert", "close", second, "--verdict", "true", "--by", "w", "--store", place)
    said = balefire("policy", "learn", "--store", place, "-o", tmp_path / "true.yml", "--language", "en").stderr
    assert said.startswith("1 alerts of this time are open, or were found true")
    (row,) = (row for row in alerts if row["id"] == second)
    before = balefire("policy", "learn", "--store", place, "-o", tmp_path / "before.yml", "--until", row["first"], "--language", "en")
    assert "alerts of this time" not in before.stderr
    lines("alert", "reopen", second, "--by", "w", "--store", place)
    lines("alert", "close", second, "--verdict", "false", "--by", "w", "--store", place)
    assert one("policy", "learn", "--store", place, "-o", tmp_path / "none.yml")["open_alerts"] == 0


def test_learn_drafts_from_the_store_and_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "plant.yml"
    learned = one("policy", "learn", "--store", stored()[0], "-o", file)
    assert (learned["zones"], learned["conduits"], learned["operations"]) == (4, 2, stored()[1]["protocols"]["modbus"]["operations"])
    text = file.read_text("utf-8")
    assert "  # 2 hosts to 2 hosts, 591 operations\n  - from: client-10-20-1-0\n" in text
    attackers = ["10.20.1.66", "10.20.2.66"]
    assert learned["unconfirmed"] == attackers
    assert set(re.findall(r"'(10.*66)'  # acts in alerts", text)) == set(attackers)
    assert one("policy", "check", file)["problems"] == []
    monkeypatch.setenv("BALEFIRE_RULES", str(file))
    again = one("replay", DEMO, "--store", tmp_path / "store")
    found = lines("findings", "--where", "rule:plant-outside-to-*", "--limit", 1000, "--store", tmp_path / "store")
    assert again["findings"] == stored()[1]["findings"] + len(found)
    assert {row["source"]["ip"] for row in found} == set(attackers), "who is to be confirmed goes on being found, and nobody else is"
    assert balefire("policy", "learn", "--store", stored()[0], "-o", file).exit_code == 2
    assert balefire("policy", "learn", "--store", stored()[0], "-o", tmp_path / "none.yml", "--since", "2030-01-01").exit_code == 2
    assert balefire("policy", "learn", "--store", stored()[0], "-o", tmp_path / "no" / "where.yml").exit_code == 2
    assert file.read_text("utf-8") == text
