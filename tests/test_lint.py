"""The linter's advice: each check is shown a rule that it is for, and the nearest one that it must leave alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from detectors.checking import Subject, checks, hints
from detectors.lint import lint
from detectors.rulebook.document import read
from detectors.rulebook.load import load, load_text, own_rules
from records.query import Query
from records.schema import ACTIVITY
from records.store import open_store
from tests.cli import balefire, one, stored
from tests.format import pasted

if TYPE_CHECKING:
    from detectors.rulebook.problems import Problem

BASE: Final = """\
title: "{source} stopped {destination}"
title_zh: "{source} 停止了 {destination}"
id: stopped
description: A stopped controller controls nothing.
description_zh: 停止的控制器不再控制。
references:
  - https://example.org/stop
logsource:
  product: balefire
detection:
  selection:
    ot.effect: cpu.stop
    source.ip|cidr:
      - 10.0.0.0/8
  condition: selection
level: high
key:
  - source.ip
  - destination.ip
score:
  - when:
      ot.unit: 2
    value: 5
    en: the second unit
    zh: 第二单元
normal:
  en: Controllers run.
  zh: 控制器持续运行。
misses:
  - en: A stop by hand; see controller-stopped.
    zh: 就地停止；见 controller-stopped。
respond:
  - en: Ask the shift.
    zh: 询问当班人员。
tests:
  fires:
    - ot: {effect: cpu.stop}
    - ot: {effect: cpu.stop, unit: 2}
  quiet:
    - {}
    - ot: {effect: cpu.start}
    - ot: {effect: cpu.stop}
      source.ip: 192.168.1.1
"""
OTHERS: Final = {rule.id: rule for rule in load([own_rules()]).rules}
VALUES: Final = "    source.ip|cidr:\n      - 10.0.0.0/8\n"
Edits = tuple[tuple[str, str], ...]


def value(line: str, *more: str) -> Edits:
    """Another line of the detection beside the effect."""
    return ((VALUES, f"{VALUES}    {line}\n"), *zip(more[::2], more[1::2], strict=True))


def effect(name: str, line: str = "") -> Edits:
    """Another effect, with another line of the detection."""
    return (
        ("ot.effect: cpu.stop\n", f"ot.effect: {name}\n{line}"),
        ("{effect: cpu.stop}", f"{{effect: {name}}}"),
        ("{effect: cpu.stop, u", f"{{effect: {name}, u"),
    )


# By check: the line that it speaks of and what makes the rule one that it speaks about; then what is as near as can be and none of its business.
CASES: Final[dict[str, tuple[int, Edits, Edits]]] = {
    "case-repeated": (
        38,
        (("    - ot: {effect: cpu.stop, unit: 2}\n", "    - ot: {effect: cpu.stop, error: x}\n"),),
        (("{effect: cpu.start}", "{effect: cpu.start, unit: 2}"),),
    ),
    "chinese-missing": (28, (("zh: 控制器持续运行。", "zh: PLC RUN。"),), (("zh: 控制器持续运行。", "zh: PLC 持续 RUN。"),)),
    "detection-always": (
        15,
        (("  condition: selection", "  any:\n    ot.unit|gte: 0\n  condition: selection and any"),),
        (("  condition: selection", "  any:\n    ot.unit: 2\n  condition: selection or (selection and any)"),),
    ),
    "detection-never": (
        15,
        (("  condition: selection", "  never:\n    ot.unit: 9\n  condition: selection and not never"),),
        (("  condition: selection", "  other:\n    ot.effect: cpu.start\n  condition: selection and not other"),),
    ),
    "english-missing": (27, (("en: Controllers run.", "en: Controllers 运行."),), (("en: Controllers run.", "en: Contrôllers run."),)),
    "field-grouped": (
        13,
        (
            *effect("cpu.stop"),
            ("ot.effect: cpu.stop\n", "ot.effect: value.read\n    source.port: 9\n"),
            *((f"ot: {{effect: cpu.stop{more}}}\n", f"ot: {{effect: value.read{more}}}\n      source.port: 9\n") for more in ("", ", unit: 2")),
        ),
        (
            *effect("cpu.stop", "    source.port: 9\n"),
            *((f"ot: {{effect: cpu.stop{more}}}\n", f"ot: {{effect: cpu.stop{more}}}\n      source.port: 9\n") for more in ("", ", unit: 2")),
        ),
    ),
    "field-never": (15, value("source.asset.zone: null"), value("source.asset.role: null")),
    "key-fixed": (19, (("  - source.ip\n", "  - source.ip\n  - ot.effect\n"),), (("  - source.ip\n", "  - source.ip\n  - ot.unit\n"),)),
    "key-lacks": (
        17,
        (("stopped {destination}", "stopped {destination}, unit {unit}"), ("停止了 {destination}", "停止了 {destination} 单元 {unit}")),
        (
            ("stopped {destination}", "stopped {destination}, unit {unit}"),
            ("停止了 {destination}", "停止了 {destination} 单元 {unit}"),
            ("  - source.ip\n", "  - source.ip\n  - ot.unit\n"),
        ),
    ),
    "key-scatters": (18, (("  - source.ip\n", "  - source.port\n"),), (("  - source.ip\n", "  - destination.port\n"),)),
    "level-high": (
        14,
        (
            *effect("value.read"),
            (VALUES, ""),
            ("    - ot: {effect: value.read}\n", "    - ot: {effect: mode.read}\n"),
            ("ot.effect: value.read", "ot.effect: mode.read"),
            ("effect: value.read, u", "effect: mode.read, u"),
            ("      source.ip: 192.168.1.1\n", ""),
            ("    - ot: {effect: cpu.stop}\n", ""),
        ),
        effect("mode.read"),
    ),
    "level-low": (
        16,
        (("level: high", "level: low"),),
        (("level: high", "level: low"), *effect("cpu.start"), ("    - {}\n    - ot: {effect: cpu.start}\n", "    - {}\n")),
    ),
    "network-everything": (14, (("      - 10.0.0.0/8", "      - 0.0.0.0/0"), ("192.168.1.1", "::1")), (("      - 10.0.0.0/8", "      - 0.0.0.0/1"),)),
    "normal-missing": (1, (("normal:\n  en: Controllers run.\n  zh: 控制器持续运行。\n", ""),), (("en: Controllers run.", "en: Yes."),)),
    "number-range": (15, value("ot.unit|neq: 4294967296"), value("ot.unit|neq: 4294967295")),
    "outcome-report": (
        15,
        (*effect("value.report"), *value("event.outcome: success")),
        (*effect("value.report"), *value("event.outcome|neq: unknown", "{effect: value.report}", "{effect: value.report, unit: 1}")),
    ),
    "placeholders-differ": (2, (("停止了 {destination}", "停止了设备"),), (("停止了 {destination}", "令 {destination} 停止"),)),
    "quiet-far": (41, (("{effect: cpu.start}", "{effect: cpu.start, unit: 7}"),), (("{effect: cpu.start}", "{effect: cpu.start, unit: 2}"),)),
    "quiet-near-missing": (
        39,
        (("    - ot: {effect: cpu.start}\n    - ot: {effect: cpu.stop}\n      source.ip: 192.168.1.1\n", ""),),
        (("    - ot: {effect: cpu.stop}\n      source.ip: 192.168.1.1\n", ""),),
    ),
    "reference-link": (7, (("https://example.org/stop", "example.org/stop"),), (("https://example.org/stop", "https://example.org"),)),
    "regex-plain": (15, value("event.action|re: ^cpu"), value("event.action|re: ^cpu.")),
    "rule-repeated": (
        10,
        ((VALUES, ""), ("ot.effect: cpu.stop", "ot.effect: [cpu.stop, mode.change]"), ("    - ot: {effect: cpu.stop}\n      source.ip: 192.168.1.1\n", "")),
        ((VALUES, ""), ("    - ot: {effect: cpu.stop}\n      source.ip: 192.168.1.1\n", "")),
    ),
    "rule-unknown": (30, (("see controller-stopped", "see controller-halted"),), (("see controller-stopped", "see stopped or device-silenced"),)),
    "score-size": (23, (("value: 5", "value: 41"),), (("value: 5", "value: -40"),)),
    "score-untried": (21, (("      ot.unit: 2", "      ot.unit: 3"),), (("      ot.unit: 2", "      ot.unit|neq: 1"),)),
    "sentence-form": (27, (("en: Controllers run.", "en: Controllers run"),), (("en: Controllers run.", "en: Do controllers run?"),)),
    "survivor-form": (36, (("tests:\n", "survives:\n  - mutant: x\n    en: Because.\ntests:\n"),), (("tests:\n", "survives: []\ntests:\n"),)),
    "survivor-stale": (
        36,
        (("tests:\n", "survives:\n  - mutant: 'condition: not selection'\n    en: Because.\n    zh: 原因。\ntests:\n"),),
        (
            (VALUES, VALUES + "    ot.unit|neq: 9\n"),
            ("tests:\n", "survives:\n  - mutant: 'selection: without ot.unit|neq'\n    en: Because.\n    zh: 原因。\ntests:\n"),
        ),
    ),
    "tag-form": (9, (("logsource:", "tags:\n  - stop\nlogsource:"),), (("logsource:", "tags:\n  - cve.2026.1\nlogsource:"),)),
    "tag-repeats": (9, (("logsource:", "tags:\n  - attack.t0858\nlogsource:"),), (("logsource:", "tags:\n  - attack.t0855\nlogsource:"),)),
    "title-actors": (
        1,
        (("{source} stopped {destination}", "A stop"), ("{source} 停止了 {destination}", "停止")),
        (("{source} stopped {destination}", "A stop of {destination}"), ("{source} 停止了 {destination}", "停止 {destination}")),
    ),
    "title-form": (1, (("stopped {destination}", "stopped {destination}."),), (("stopped {destination}", "stopped {destination}" + "!" * 80),)),
    "value-covered": (
        15,
        (("      - 10.0.0.0/8", "      - 10.0.0.0/8\n      - 10.1.0.0/16"),),
        (("      - 10.0.0.0/8", "      - 10.0.0.0/8\n      - 11.1.0.0/16"),),
    ),
    "value-repeated": (
        12,
        (("ot.effect: cpu.stop\n", "ot.effect: [cpu.stop, CPU.stop]\n"),),
        (("ot.effect: cpu.stop\n", "ot.effect: [cpu.stop, value.force]\n"),),
    ),
    "value-unknown": (15, value("ot.error|neq: acess_denied"), value("ot.error|neq: access_denied")),
    "wildcard-plain": (12, (("ot.effect: cpu.stop", "ot.effect: cpu.sto*"),), (("ot.effect: cpu.stop", "ot.effect: cpu.s*p"),)),
}


def advice(edits: Edits) -> list[Problem]:
    """What the checks say of the rule with these edits; it has to load."""
    text = BASE
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    rule, problems = load_text(text, "stopped.yml")
    assert rule is not None, [(one.line, one.check) for one in problems]
    return hints(Subject(rule, read(text.encode()), OTHERS))


def test_the_rule_to_begin_with_is_clean() -> None:
    assert advice(()) == []


def test_every_check_has_its_cases_and_its_words() -> None:
    assert set(CASES) == set(checks())
    assert len(checks()) >= 20


@pytest.mark.parametrize("name", CASES)
def test_a_check_speaks(name: str) -> None:
    line, edits, _ = CASES[name]
    found = advice(edits)
    assert name in {one.check for one in found}
    first = next(one for one in found if one.check == name)
    assert first.line == line
    assert not first.blocks
    for words in (first.message, first.advice):
        assert words.en
        assert re.search(r"[一-鿿]", words.zh)


@pytest.mark.parametrize("name", CASES)
def test_a_check_is_quiet_about_what_is_near(name: str) -> None:
    assert name not in {one.check for one in advice(CASES[name][2])}


def test_format_md_names_every_check() -> None:
    """`python -m tests.format` pastes the tables anew."""
    assert (own_rules() / "FORMAT.md").read_text("utf-8") == pasted()


def test_advice_comes_with_file_and_line_and_keeps_no_rule_out(tmp_path: Path) -> None:
    file = tmp_path / "stopped.yml"
    file.write_text(BASE.replace("level: high", "level: low"), "utf-8")
    (found,) = one("rules", "lint", file, status=1)["problems"]
    assert (found["file"], found["line"], found["rule"], found["check"]) == (str(file), 16, "stopped", "level-low")
    assert load([file]).problems == ()
    assert f"{file}:16: " in balefire("rules", "lint", file).stdout


def test_a_rule_is_compared_with_those_beside_it(tmp_path: Path) -> None:
    for name in ("stopped", "halted"):
        (tmp_path / f"{name}.yml").write_text(BASE.replace("id: stopped", f"id: {name}"), "utf-8")
    assert [(Path(found.file).name, found.check) for found in lint(tmp_path).problems] == [("halted.yml", "rule-repeated"), ("stopped.yml", "rule-repeated")]


def test_fields_that_are_said_to_be_never_there_are_fields() -> None:
    from detectors.checks.detections import NEVER
    from detectors.checks.folding import NAMES, SCATTERS

    assert {*NEVER, *SCATTERS, *(name for names in NAMES.values() for name in names)} <= set(ACTIVITY.names)
    store = open_store(str(stored()[0]))
    rows = store.read("activity", Query())
    store.close()
    assert {name for name in NEVER if rows.column(name).null_count < rows.num_rows} == set()
