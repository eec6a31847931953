"""The rules that come with Balefire, what FORMAT.md shows, and the linter: what is wrong, where, and what to do."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.checking import Subject
from detectors.discovery import detectors
from detectors.lint import lint
from detectors.lint import test as run_tests
from detectors.mutation import mutate
from detectors.rulebook.correlation import KINDS
from detectors.rulebook.detection import MEANT, MODIFIERS, detection
from detectors.rulebook.disabled import entries
from detectors.rulebook.document import LARGEST, Document, read
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import load, load_text, own_rules
from detectors.rulebook.placeholders import read_placeholders
from detectors.rulebook.problems import problem
from detectors.rulebook.stated import BOUNDS
from records.effects import EFFECTS
from records.errors import UsageError
from records.model import Batch
from records.schema import ACTIVITY
from tests.cli import lines, one
from tests.examples import as_many
from tests.frames import activities, polling, sparse
from tests.wire import MS, START, Talk, error, mbap, registers, save
from tests.wire import read as reading

if TYPE_CHECKING:
    from detectors.rulebook.rule import Rule

BOOK = load([own_rules()])
FORMAT = (own_rules() / "FORMAT.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", FORMAT, re.MULTILINE | re.DOTALL)


def test_every_rule_is_found_clean_and_behaves() -> None:
    assert BOOK.problems == ()
    assert len(BOOK.rules) == BOOK.files >= 50
    report = run_tests(own_rules())
    assert (report.rules, report.failed) == (BOOK.files, ())
    assert report.cases >= 4 * report.rules
    assert lint(own_rules()).problems == ()


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in BOOK.rules])
def test_a_rule_is_quiet_on_a_quiet_plant(rule: Rule) -> None:
    assert not rule.match(Frame(polling().activities)).any()


def test_every_effect_that_changes_a_plant_has_a_rule() -> None:
    """Operating outputs and writing values is daily work: only who, how and the answer tell; releasing and cancelling undo."""
    daily = {"value.write", "output.operate", "output.select", "output.cancel", "setpoint.write", "value.unforce", "alarm.acknowledge", "counter.freeze"}
    harmless = {"reporting.enable", "configuration.read"}
    matched = {effect for rule in BOOK.rules for case in rule.cases if case.fires for effect in [case.activity["ot.effect"]]}
    changing = {effect.name for effect in EFFECTS if effect.access in {"command", "program", "configure", "write"}}
    assert changing - daily - harmless - matched == set()


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_format_md_shows_is_a_rule(example: str, tmp_path: Path) -> None:
    name = re.search(r"^id: (\S+)$", example, re.MULTILINE)
    assert name
    (tmp_path / f"{name[1]}.yml").write_text(example, "utf-8")
    book = load((own_rules(), tmp_path))
    assert book.problems == ()
    assert name[1] in {one.id for one in (*book.rules, *book.filters)}
    assert {case.fires for rule in book.rules if rule.id == name[1] for case in rule.cases} in ({True, False}, set())
    assert lint(tmp_path).problems == (), "what is copied is what is shown"
    assert mutate(tmp_path).survived == ()


def test_what_format_md_shows_of_placeholders_is_read(tmp_path: Path) -> None:
    file = tmp_path / "placeholders.yml"
    file.write_text(re.findall(r"^```yaml placeholders\n(.*?)^```", FORMAT, re.MULTILINE | re.DOTALL)[0], "utf-8")
    known, problems = read_placeholders(file)
    assert problems == []
    assert known == {"engineering_stations": ("10.10.1.66", "10.10.3.0/28"), "modbus_ports": (502, 5020), "retired_hosts": ()}


def test_what_format_md_shows_of_disabled_rules_is_read() -> None:
    (shown,) = re.findall(r"^```yaml disabled\n(.*?)^```", FORMAT, re.MULTILINE | re.DOTALL)
    assert entries(shown.encode()) == ({"file-written": "the recipe server writes daily, permit 4711"}, [])
    assert "file-written" in {rule.id for rule in BOOK.rules}


def test_format_md_tells_every_type_of_correlation_and_every_bound() -> None:
    words = set(re.findall(r"`([a-z_]+)`", FORMAT))
    assert {*KINDS, *BOUNDS} <= words


def test_format_md_has_an_example_and_names_every_modifier() -> None:
    words = set(re.findall(r"`([a-z0-9]+)`", FORMAT))
    assert EXAMPLES
    assert words >= MODIFIERS


def test_rules_are_part_of_the_package() -> None:
    import rules

    assert own_rules() == Path(rules.__path__[0])
    assert list(own_rules().rglob("*.yml"))


GOOD = """\
title: Stop
title_zh: 停止
id: stop
description: Why.
description_zh: 原因。
tags:
  - attack.t0858
logsource:
  product: balefire
detection:
  sel:
    ot.effect: cpu.stop
  condition: sel
level: high
misses:
  - en: Much.
    zh: 很多。
respond:
  - en: Ask.
    zh: 询问。
tests:
  fires:
    - ot: {effect: cpu.stop}
  quiet:
    - {}
"""


def checks(text: str, name: str = "stop.yml") -> list[tuple[int, str]]:
    _, problems = load_text(text, name)
    for found in problems:
        for words in (found.message, found.advice):
            assert words.en
            assert re.search(r"[一-鿿]", words.zh)
    return [(found.line, found.check) for found in problems]


def test_a_good_rule_has_no_problem() -> None:
    rule, problems = load_text(GOOD, "stop.yml")
    assert problems == []
    assert rule is not None
    assert (rule.id, rule.level, rule.techniques, rule.key) == ("stop", "high", ("T0858",), ("source.ip", "destination.ip"))


@pytest.mark.parametrize(
    ("old", "new", "line", "check"),
    [
        ("ot.effect: cpu.stop\n  c", "ot.efect: cpu.stop\n  c", 12, "field"),
        ("ot.effect: cpu.stop\n  c", "ot.effect: cpu.halt\n  c", 12, "closed-list"),
        ("ot.effect: cpu.stop\n  c", "ot.effect:\n      - cpu.stop\n      - cpu.halt\n  c", 14, "closed-list"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|re: ^cpux\n  c", 12, "closed-list"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|re: '(?=a)'\n  c", 12, "regex"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|starts: cpu\n  c", 12, "modifier"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|contains: 3\n  c", 12, "modifier-use"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|cased|base64: stop\n  c", 12, "modifier-use"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|gt: 3\n  c", 12, "number-on-text"),
        ("ot.effect: cpu.stop\n  c", "ot.effect: true\n  c", 12, "truth-on-text"),
        ("ot.effect: cpu.stop\n  c", "ot.effect: 2026-01-01\n  c", 12, "closed-list"),
        ("ot.effect: cpu.stop\n  c", "ot.unit: one\n  c", 12, "text-on-number"),
        ("ot.effect: cpu.stop\n  c", "ot.unit|re: one\n  c", 12, "text-on-number"),
        ("ot.effect: cpu.stop\n  c", "ot.unit: 99999999999999999999\n  c", 12, "number-size"),
        ("ot.effect: cpu.stop\n  c", "ot.unit|hour: 3\n  c", 12, "part-of-date"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|cidr: 10.0.0.0/8\n  c", 12, "network"),
        ("ot.effect: cpu.stop\n  c", "source.ip|cidr: 10.0.0.1/8\n  c", 12, "cidr-bits"),
        ("level: high", "level: high\nkey: source.ip", 15, "key-form"),
        ("title: ", "title: \u202e", 1, "yaml"),
        ("title: ", "title: \u2066", 1, "yaml"),
        ("ot.effect: cpu.stop\n  c", "source.ip|cidr: 10.0.0.1/33\n  c", 12, "cidr-form"),
        ("ot.effect: cpu.stop\n  c", "source.ip|cidr: host.example\n  c", 12, "cidr-form"),
        ("ot.effect: cpu.stop\n  c", "source.ip|cidr: '%lab%'\n  c", 12, "cidr-unexpanded"),
        ("ot.effect: cpu.stop\n  c", "ot.unit|fieldref: ot.effect\n  c", 12, "field-reference"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|fieldref: ot.anomaly\n  c", 12, "field-reference"),
        ("ot.effect: cpu.stop\n  c", "ot.effect|expand: '%lab%'\n  c", 12, "placeholder"),
        ("ot.effect: cpu.stop\n  c", "ot.effect: []\n  c", 12, "empty"),
        ("ot.effect: cpu.stop\n  c", "'|startswith': cpu\n  c", 12, "keyword"),
        ("ot.effect: cpu.stop\n  c", "OT.effect: cpu.stop\n  c", 12, "reference-form"),
        ("    ot.effect: cpu.stop\n  c", "    - ot.effect: cpu.stop\n    - word\n  c", 11, "mixed"),
        ("condition: sel", "condition: sel and", 13, "condition"),
        ("condition: sel", "condition: sel and other", 13, "condition"),
        ("condition: sel", "condition: 2 of sel*", 13, "condition"),
        ("condition: sel", "condition: [sel, sell]", 13, "condition"),
        ("condition: sel", "condition: (sel", 13, "condition"),
        ("condition: sel", "condition: 1 of known*", 13, "condition"),
        ("condition: sel", "condition: sel | count() > 5", 13, "aggregate"),
        ("condition: sel", "timeframe: 5m\n  condition: sel", 13, "timeframe"),
        ("condition: sel", "more:\n    ot.unit: 1\n  condition: sel", 15, "unused"),
        ("  condition: sel", "  nothing: sel", 10, "detection"),
        ("id: stop", "id: Stop it", 3, "id"),
        ("id: stop", "id: halt", 3, "file-name"),
        ("product: balefire", "product: windows", 8, "logsource"),
        ("level: high", "level: severe", 14, "level"),
        ("level: high", "level: high\nstatus: new", 15, "status"),
        ("level: high", "level: high\nautor: me", 15, "unknown-key"),
        ("level: high", "level: high\nlevel: low", 15, "duplicate-key"),
        ("title: Stop\n", "", 1, "title"),
        ("title_zh: 停止\n", "", 1, "title-zh"),
        ("title: Stop", "title: Stop {who}", 1, "text-placeholder"),
        ("title: Stop", "title: Stop {source.ip}", 1, "text-placeholder"),
        ("title: Stop", "title: Stop {source!r}", 1, "text-placeholder"),
        ("  - attack.t0858", "  - attack.t9999", 7, "technique"),
        ("misses:\n  - en: Much.\n    zh: 很多。\n", "", 1, "misses"),
        ("respond:\n  - en: Ask.\n    zh: 询问。\n", "", 1, "respond"),
        ("  - en: Ask.\n    zh: 询问。\n", "  - en: Ask.\n", 19, "both-languages"),
        ("tests:\n  fires:\n    - ot: {effect: cpu.stop}\n  quiet:\n    - {}\n", "", 1, "tests"),
        ("  quiet:\n    - {}\n", "", 21, "tests"),
        ("    - ot: {effect: cpu.stop}", "    - ot: {effect: cpu.start}", 23, "case"),
        ("    - {}", "    - ot.effect: cpu.stop", 25, "case"),
        ("    - {}", "    - cpu.stop", 25, "case-form"),
        ("    - {}", "    - ot.efect: cpu.stop", 25, "field"),
        ("    - {}", "    - source.port: 1\n      ot:\n        unit: one", 27, "case-value"),
        ("level: high", "level: high\nscore:\n  - when: {ot.unit: 1}\n    value: x\n    en: a\n    zh: 一", 16, "score"),
        ("level: high", "level: high\nscore:\n  - when:\n      ot.unix: 1\n    value: 1\n    en: a\n    zh: 一", 17, "field"),
        ("level: high", "level: high\nkey: [ot.units]", 15, "field"),
        ("detection:", "correlation:\n  type: event_count\ndetection:", 10, "correlation-rules"),
        ("    zh: 询问。", "    zh: &a 询问。\n  - *a", 21, "alias"),
        ("level: high", "level: [high", 14, "yaml"),
    ],
)
def test_the_linter_says_what_is_wrong_and_where(old: str, new: str, line: int, check: str) -> None:
    assert old in GOOD
    assert (line, check) in checks(GOOD.replace(old, new, 1))


def test_a_rule_has_a_technique_by_its_tags_or_by_its_effects() -> None:
    untagged = GOOD.replace("tags:\n  - attack.t0858\n", "")
    assert checks(untagged) == []
    bare = untagged.replace("ot.effect: cpu.stop", "ot.effect: test").replace("effect: cpu.stop", "effect: test")
    assert checks(bare) == [(1, "no-technique")]
    assert checks(bare.replace("logsource:", "tags:\n  - attack.execution\nlogsource:")) == [(6, "no-technique")]


@pytest.mark.parametrize(
    ("stated", "rule", "techniques"),
    [
        ({"ot.effect": "file.write"}, "file-written", ("T0867",)),
        ({"ot.effect": "file.delete"}, "file-written", ("T0809",)),
        ({"ot.effect": "cpu.start"}, "controller-restarted", ("T0858",)),
        ({"ot.effect": "firmware.mode"}, "firmware-written", ("T0800",)),
        ({"ot.effect": "value.write", "ot.unit": 0, "event.outcome": "unknown"}, "written-to-all-units", ("T0836", "T0855")),
        ({"ot.effect": "value.write", "source.ip": "203.0.113.9"}, "outside-command", ("T0836", "T0883")),
        ({"ot.effect": "unknown", "event.outcome": "failure"}, "unknown-function-refused", ("T0888",)),
        ({"ot.anomaly": ["bad_length"]}, "malformed-traffic", ("T0814",)),
    ],
)
def test_techniques_are_the_effects_and_the_tags(stated: dict[str, object], rule: str, techniques: tuple[str, ...]) -> None:
    (judge,) = [each for each in detectors() if each.name == "rules"]
    found = {finding.rule: finding.techniques for finding in judge.judge(Batch(activities=activities(stated)))}
    assert found[rule] == techniques


@pytest.mark.parametrize(("ranges", "refused", "fires"), [(300, False, True), (250, False, False), (300, True, True), (250, True, False)])
def test_a_sweep_of_addresses_on_the_wire(tmp_path: Path, ranges: int, refused: bool, fires: bool) -> None:
    """The sensor tells the first 256 ranges of a minute one by one; the rule has to fire on what is left."""
    talk = Talk()
    for number in range(ranges):
        talk.time = START + number * 100 * MS
        talk.ask(mbap(number, reading(number * 2, 2)), mbap(number, error(3) if refused else registers(1, 2)))
    replay = one("replay", save(talk.packets, tmp_path / "sweep.pcap"), "--store", tmp_path / "store")
    assert replay["operations"] == ranges
    found = [row["rule"] for row in lines("findings", "--store", tmp_path / "store")]
    assert ("address-sweep" in found) == fires


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ot.effect: cpu.stop\n  c", "ot.effect|cased|base64: stop\n  c"),
        ("  condition: sel", f"  condition: {'sel or ' * 400}sel"),
        ("title: Stop", "title: Stop\n[a, b]: c"),
        ("condition: sel", "condition: (sel"),
        ("condition: sel", "condition: sel sel"),
        ("condition: sel", "condition: 2 of sel*"),
        ("condition: sel", "condition: 1 of known*"),
        ("condition: sel", "condition: sel and not known"),
        ("ot.effect: cpu.stop\n  c", "ot.error|exists: 3\n  c"),
        ("ot.effect: cpu.stop\n  c", "source.ip|cidr: 10.0.0.0/33\n  c"),
        ("ot.effect: cpu.stop\n  c", "ot.value|gt: .inf\n  c"),
        ("level: high", f"level: {'[' * 40}{']' * 40}"),
    ],
)
def test_what_the_linter_says_itself_is_in_the_readers_language(old: str, new: str) -> None:
    assert old in GOOD
    _, problems = load_text(GOOD.replace(old, new, 1), "stop.yml")
    assert any(re.search(r"[一-鿿]", found.message.zh.partition("：")[2] or found.message.zh) for found in problems)
    for found in problems:
        assert not re.search(r"[A-Za-z]{3,} [a-z]{3,}", found.message.zh), "a sentence in English"


def test_rules_on_protocols_are_advised_against() -> None:
    text = GOOD.replace("ot.effect: cpu.stop\n  c", "ot.code: '5'\n  c").replace("- ot: {effect: cpu.stop}", "- ot: {code: '5'}")
    assert checks(text) == [(12, "protocol")]
    assert load_text(text, "stop.yml")[0] is not None


def test_a_rule_on_ordinary_polling_is_not_loaded() -> None:
    text = (
        GOOD.replace("ot.effect: cpu.stop\n  c", "ot.access: read\n  c")
        .replace("effect: cpu.stop", "effect: value.read")
        .replace("- {}", "- ot: {effect: test}")
    )
    assert (10, "polling") in checks(text)


ODD_FILES = [
    b"", b"- 1", b"a: b: c", b"\xff\xfe", b"[" * 5000, b"{a: " * 60 + b"1" + b"}" * 60, b"a: !!python/name:os.system", b"x: 1\n---\ny: 2",
    b"? [1]\n: 2", b"1: 2", b"a: 2026-99-99", b"# " + b"x" * LARGEST,
]  # fmt: skip


@pytest.mark.parametrize("content", ODD_FILES, ids=range(len(ODD_FILES)))
def test_no_file_is_too_odd_to_be_told_about(content: bytes) -> None:
    assert read(content).faults or checks(content.decode(), "odd.yml")


@settings(deadline=None, max_examples=as_many(200))
@given(st.integers(0, GOOD.count("\n") - 1), st.integers(0, 30), st.text("[]{}:-|*&!%@#'\" \n0aé", max_size=6))
def test_no_damage_to_a_rule_raises(line: int, column: int, odd: str) -> None:
    lines = list[str](GOOD.split("\n"))
    lines[line] = lines[line][:column] + odd + lines[line][column:]
    load_text("\n".join(lines), "stop.yml")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.dates()),
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), part, max_size=3)),
    max_leaves=6,
)
KEYS = st.one_of(st.sampled_from([*ACTIVITY.names, "condition", "sel"]), st.text("ab|_", max_size=4))
ODD_KEYS = st.tuples(KEYS, st.sampled_from(["", "|re", "|cidr", "|exists", "|all", "|base64offset", "|expand", "|fieldref", "|hour", "|windash|contains"])).map(
    "".join
)


@settings(deadline=None, max_examples=as_many(300))
@given(st.dictionaries(st.sampled_from(["sel", "b"]), st.one_of(VALUES, st.dictionaries(ODD_KEYS, VALUES, max_size=3))), VALUES)
def test_no_detection_raises(names: dict[str, Any], condition: Any) -> None:
    for wanted in (condition, "1 of them"):
        found = detection(Document({"detection": {**names, "condition": wanted}}))
        assert found.faults or found.match
        if found.match:
            found.match(Frame(sparse([{"ot.unit": 1}])))


def test_one_bad_rule_does_not_keep_the_others_out(tmp_path: Path) -> None:
    (tmp_path / "stop.yml").write_text(GOOD, "utf-8")
    (tmp_path / "bad.yml").write_text("title: [", "utf-8")
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice" / "stop.yml").write_text(GOOD, "utf-8")
    book = load([tmp_path])
    assert [rule.id for rule in book.rules] == ["stop"]
    assert [(Path(one.file).parent.name, one.check, one.rule) for one in book.problems] == [(tmp_path.name, "yaml", ""), ("twice", "duplicate-id", "stop")]


HOSTILE = {
    "bomb.yml": (
        b"a: &a [x, x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (two, two, one, one) for one, two in zip(b"abcdef", b"bcdefg", strict=True)),
        2,
        "alias",
    ),
    "deep.yml": (GOOD.replace("level: high", f"level: {'[' * 3000}{']' * 3000}").encode(), 14, "yaml"),
    "levels.yml": (GOOD.replace("level: high", f"level: {'[' * 60_000}{']' * 60_000}").encode(), 14, "yaml"),  # composed, it would end the process
    "digits.yml": (GOOD.replace("level: high", f"level: 0x{'f' * 100_000}").encode(), 14, "yaml"),
    "far.yml": (GOOD.replace("- {}", "- '@timestamp': 9999-12-31T23:59:59Z").encode(), 25, "case-value"),
    "huge.yml": (GOOD.encode() + b"# x\n" * 2_500_000, 1, "too-large"),
    "latin.yml": (GOOD.replace("title: Stop", "title: St\xf6p").encode("latin-1", "replace"), 1, "encoding"),
    "wide.yml": (GOOD.encode("utf-16"), 1, "encoding"),
    "wider.yml": (GOOD.encode("utf-16-be"), 5, "encoding"),
    "gbk.yml": (GOOD.encode("gbk"), 5, "encoding"),
    "bell.yml": (GOOD.replace("level: high", "level: \a").encode(), 14, "yaml"),
    "date.yml": (GOOD.replace("- {}", "- '@timestamp': 2026-02-30").encode(), 25, "yaml"),
    "stamp.yml": (GOOD.replace("level: high", "level: !!timestamp high").encode(), 14, "yaml"),  # PyYAML raises AttributeError
    "truth.yml": (GOOD.replace("level: high", "level: !!bool high").encode(), 14, "yaml"),  # and KeyError
    "twice.yml": (GOOD.replace("level: high", "level: high\nlevel: low").encode(), 15, "duplicate-key"),
    "python.yml": (GOOD.replace("level: high", "level: !!python/name:os.system").encode(), 14, "yaml"),
    "binary.yml": (bytes(range(256)) * 16, 2, "encoding"),
    "tabs.yml": (GOOD.replace("  condition: sel", "\tcondition: sel").encode(), 13, "yaml"),
}


def test_hostile_files_are_refused_by_line_and_the_rule_beside_them_runs(tmp_path: Path) -> None:
    (tmp_path / "stop.yml").write_text(GOOD, "utf-8")
    for name, (content, _, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(content)
    book = load([tmp_path])
    assert [rule.id for rule in book.rules] == ["stop"]
    assert book.files == len(HOSTILE) + 1
    found = {(Path(each.file).name, each.line, each.check) for each in book.problems if each.check not in {"file-name", "duplicate-id"}}
    assert found == {(name, line, check) for name, (_, line, check) in HOSTILE.items()}
    assert all(each.blocks and each.advice.en for each in book.problems if each.check not in {"file-name"})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.encode("utf-16-le"), "UTF-16"),
        (GOOD.encode("gbk"), "GBK"),
        (GOOD.replace("title: Stop", "title: Stöp").replace("。", ".").encode("latin-1", "replace"), "Latin-1"),
        (bytes(range(256)), "no text at all"),
    ],
)
def test_what_is_not_utf8_is_said_with_the_encoding_and_the_fix(content: bytes, words: str) -> None:
    ((_, fault),) = read(content).faults
    told = problem("a.yml", 1, "", fault)
    assert words in told.message.en
    assert "UTF-8" in told.advice.en
    assert "indentation" not in told.advice.en


PYTHON = re.compile(r"codec|recursion|NoneType|attribute|invalid literal|could not|must be in|Error|constructor")


def test_no_message_is_pythons(tmp_path: Path) -> None:
    for name, (content, _, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(content)
    for count in (10, 25, 100, 400):
        for form in ("not " * count + "sel", "not (" * count + "sel" + ")" * count, "(" * count + "sel" + ")" * count):
            (tmp_path / f"{form.count('(')}-{form.count('not')}.yml").write_text(GOOD.replace("condition: sel", f"condition: {form}"), "utf-8")
    (tmp_path / "equals.yml").write_text(GOOD.replace("level: high", "level: ="), "utf-8")
    told = load([tmp_path]).problems
    assert [found.message.en for found in told if PYTHON.search(found.message.en)] == []
    deep = [found for found in told if found.check == "condition"]
    assert len(deep) == 9
    assert {found.message.en for found in deep} <= {
        "The condition cannot be understood: nested deeper than 24.",
        "The condition cannot be understood: a text of at most 2000 characters is expected.",
    }
    assert all(found.line == 13 for found in deep)


@pytest.mark.parametrize(
    ("content", "line", "fix"),
    [
        ("title: a\nlevel: @high\n", 2, "single quotes"),
        ("title: a\nlevel: %x\n", 2, "single quotes"),
        ("title: stopped: again\n", 1, "colon"),
        ("title: a\n level: high\n", 2, "align"),
        ("title: a\ntags:\n  - x\n - y\n", 4, "same number of spaces"),
        ("title: 'it's'\n", 1, "written twice"),
        ("title: a\n\tid: b\n", 2, "by spaces"),
        ("title: a\nlevel high\nid: x\n", 3, "key: value"),
        ('title: a\nlevel: "high\nid: x\n', 2, "Close what is opened"),
        ("title: a\nkey: [a, b\nid: x\n", 2, "Close what is opened"),
        ('title: "a\\q"\n', 1, "backslash is a backslash"),
        ('title: "\\uD800"\n', 1, "backslash is a backslash"),
        ("title: a\n<<: {id: x}\n", 2, "word of its own"),
        ("? {a: 1}\n: b\n", 1, "word of its own"),
        ("title: !!str a\n", 1, "Leave the tag out"),
        ("title: a\ndate: 2026-02-30\n", 2, "a date that there is"),
        (f"title: a\nlevel: {'9' * 99}\n", 2, "64 bits"),
        ("a: " + "[" * 40 + "]" * 40, 1, "flatter"),
        ("title: a\x07\n", 1, "Delete the character"),
        ("title: a\n...\nid: b\n---\n", 3, "FORMAT.md"),
    ],
)
def test_what_is_no_yaml_is_told_in_the_readers_words_with_a_fix_of_its_own(content: str, line: int, fix: str) -> None:
    found = [problem("a.yml", at, "", fault) for at, fault in read(content.encode()).faults]
    assert [(one.line, one.check) for one in found][:1] == [(line, "yaml")]
    assert fix in found[0].advice.en
    assert not re.search(r"[a-z]{4} [a-z]{4}", found[0].message.zh)
    assert re.search(r"[一-鿿]", found[0].advice.zh)


@pytest.mark.parametrize(
    ("value", "read_as", "advice"),
    [
        ("0502", "322", "Write 502 "), ("-017", "-15", "Write -17 "), ("0b11", "3", "Write 3 "), ("1_000", "1000", "Write 1000 "),
        ("1_0.5", "10.5", "Write 10.5 "), ("1:30", "90", "Write 90 "),
        ("10:20:30:40:50:55", "8041827055", "Write "), ("1:30.5", "90.5", "Write 90.5 "), ("yes", "true", "Write true "),
        ("On", "true", "Write true "), ("NO", "false", "Write false "), ("off", "false", "Write false "), (".inf", "no finite number", "No field holds that."),
        (".nan", "no finite number", "No field holds that."),
    ],
)  # fmt: skip
def test_a_value_that_yaml_reads_otherwise_than_it_is_written_is_refused(value: str, read_as: str, advice: str) -> None:
    """A unit 0502 that is 322 would be looked for in vain."""
    found = read(f"a:\n  b: {value}\nc:\n  - x\n  - {value}\n".encode()).faults
    assert [(line, fault.check) for line, fault in found] == [(2, "misread"), (5, "misread")]
    told = problem("a.yml", 2, "", found[0][1])
    assert f"{value} as {read_as}." in told.message.en
    assert told.advice.en.startswith(advice)
    assert f'"{value}"' in told.advice.en
    assert f'"{value}"' in told.advice.zh
    assert read(f"a: \"{value}\"\nb: '{value}'\n".encode()).faults == []


@pytest.mark.parametrize(
    "value", ["0", "-7", "+5", "0x1F", "1.5", ".5", "5.", "1.5e+3", "true", "False", "null", "~", "0892", "0o17", "1e3", "2024-01-01", "2024-01-01T10:00:00Z"]
)
def test_what_is_read_as_it_is_written_or_as_a_text_is_let_through(value: str) -> None:
    document = read(f"a: {value}\n".encode())
    assert document.faults == []
    number = {"0": 0, "-7": -7, "+5": 5, "0x1F": 31, "1.5": 1.5, ".5": 0.5, "5.": 5.0, "1.5e+3": 1500.0, "true": True, "False": False, "null": None, "~": None}
    assert document.data == {"a": number.get(value, value)}


def test_a_date_in_a_detection_is_the_text_that_it_is() -> None:
    text = GOOD.replace("ot.effect: cpu.stop\n  c", "ot.effect: cpu.stop\n    ot.object.name: 2026-01-01\n  c")
    rule, problems = load_text(text.replace("- ot: {effect: cpu.stop}", "- {ot.effect: cpu.stop, ot.object.name: 2026-01-01}"), "stop.yml")
    assert (rule is not None, problems) == (True, [])


@pytest.mark.parametrize("key", ["5", "0x10", "1.50", "null", "~", "true", "on", "2024-01-01", "0502", "'quoted'"])
def test_a_key_is_the_text_that_is_written_at_its_line(key: str) -> None:
    written = key.strip("'")
    assert list(read(f"a: b\n{key}: c\n".encode()).data) == ["a", written]
    problems = load_text(f"{GOOD}{key}: x\n", "stop.yml")[1]
    assert [(found.line, found.check, written in found.message.en) for found in problems] == [(GOOD.count("\n") + 1, "unknown-key", True)]


@pytest.mark.parametrize("key", ["[a]: b", "{a: 1}: b", "? [a, b]\n: c", "<<: {a: b}", "<<: 3"])
def test_what_is_no_key_is_said_once_at_its_line(key: str) -> None:
    assert [(line, fault.check) for line, fault in read(f"a: b\nc: d\n{key}\n".encode()).faults] == [(3, "yaml")]


@pytest.mark.parametrize(
    ("said", "meant"), [("beginswith", "startswith"), ("suffix", "endswith"), ("Regex", "re"), ("subnet", "cidr"), ("stratswith", "startswith")]
)
def test_a_modifier_of_another_language_is_told_as_sigma_has_it(said: str, meant: str) -> None:
    (found,) = load_text(GOOD.replace("ot.effect: cpu.stop\n  c", f"ot.effect|{said}: cpu.\n  c"), "stop.yml")[1]
    assert (found.check, found.advice.en.split("Did you mean: ")[1].split(",")[0].split("?")[0]) == ("modifier", meant)
    assert set(MEANT.values()) <= MODIFIERS
    assert not set(MEANT) & MODIFIERS


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (GOOD.encode().replace(b"level: high", b"level: hi\0gh"), 14, "Delete the character"),
        (b"\0" * 4096, 1, "Delete the character"),  # what a crash leaves of a file
        ("title: a\n".encode("utf-16-le"), 1, "UTF-8"),
        (b"title: a\0\xff\n", 1, "UTF-8"),
    ],
)
def test_octets_that_are_zero_are_told_apart(content: bytes, line: int, words: str) -> None:
    ((at, fault),) = read(content).faults
    assert (at, words in problem("a.yml", at, "", fault).advice.en) == (line, True)


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "null\n", "5"])
def test_what_is_no_rule_is_said_once(content: str) -> None:
    assert [(line, fault.check) for line, fault in read(content.encode()).faults] == [(1, "not-a-rule")]


NAMED = ("event.outcome", "ot.anomaly")  # what went wrong, and whether: another name is another thing, and no other number


def essence(rule: Rule) -> tuple[object, ...]:
    """What a rule is about, by what it asks for and not by the values: techniques and effects that fire it, fields and modifiers, how it is counted."""
    subject = Subject(rule, read(Path(rule.file).read_bytes()), {})
    done = {str(row.get("ot.effect")) for row in subject.acting}
    shape = {(item.field, item.modifiers, repr(item.values) if item.field in NAMED else "") for item in subject.items}
    counted = rule.correlation and (rule.correlation.kind, rule.correlation.group, {field.name for field in rule.correlation.measured})
    return rule.techniques, frozenset(done), frozenset(shape), repr(counted)


def test_the_shipped_rules_are_distinct() -> None:
    """No rule is another one with other numbers: each pair differs in technique or effect, or in the shape of what it asks for."""
    rules = load([own_rules()]).rules
    essences = [(rule.id, essence(rule)) for rule in rules]
    alike = [(one[0], other[0]) for one, other in combinations(essences, 2) if one[1] == other[1]]
    assert (alike, len(rules) >= 50) == ([], True)


def test_lint_and_test_of_a_path(tmp_path: Path) -> None:
    file = tmp_path / "stop.yml"
    file.write_text(GOOD.replace("- {}", "- ot.effect: cpu.stop"), "utf-8")
    report = lint(file)
    assert report.rules == 1
    assert report.problems[0].row("en") == {
        "file": str(file), "line": 25, "rule": "stop", "check": "case", "message": "The case quiet 1 should be quiet and is fires.",
        "advice": "Either the detection or the case is wrong; a rule that fails its own tests is not loaded.",
    }  # fmt: skip
    tried = run_tests(tmp_path)
    assert (tried.rules, tried.cases) == (1, 2)
    assert [(one.rule, one.case, one.expected, one.got) for one in tried.failed] == [("stop", "quiet 1", "quiet", "fires")]
    with pytest.raises(UsageError):
        lint(tmp_path / "gone")
