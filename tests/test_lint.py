"""The linter's advice: each check is shown a rule that it is for, and the nearest one that it must leave alone."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest

from detectors.checking import Subject, checks, hints
from detectors.lint import lint
from detectors.rulebook.document import read
from detectors.rulebook.load import load, load_text, own_rules
from detectors.rulebook.problems import nearest
from records.query import Query
from records.schema import ACTIVITY
from records.schema import POINT as POINTS
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
CORRELATION: Final = """\
title: "{source} stopped {measure} controllers within {timespan}"
title_zh: "{source} 在 {timespan}内停止了 {measure} 台控制器"
id: several-stopped
description: A plant without controllers stands still.
description_zh: 控制器停止则装置停运。
correlation:
  type: value_count
  rules:
    - stops
  group-by:
    - source.ip
  timespan: 10m
  condition:
    field: destination.ip
    gte: 2
level: high
score:
  - when:
      ot.unit: 2
    value: 5
    en: a second unit
    zh: 第二单元
normal:
  en: Controllers run.
  zh: 控制器持续运行。
misses:
  - en: One by itself; see controller-stopped.
    zh: 仅停止一台；见 controller-stopped。
respond:
  - en: Ask the shift.
    zh: 询问当班人员。
tests:
  fires:
    - - {ot.effect: cpu.stop, destination.ip: 10.0.0.1}
      - {ot.effect: cpu.stop, destination.ip: 10.0.0.2}
    - - {ot: {effect: cpu.stop, unit: 2}, destination.ip: 10.0.0.1}
      - {ot.effect: cpu.stop, destination.ip: 10.0.0.2}
  quiet:
    - - {ot.effect: cpu.stop, destination.ip: 10.0.0.1}
      - {ot.effect: cpu.start, destination.ip: 10.0.0.2}
---
name: stops
logsource:
  product: balefire
detection:
  selection:
    ot.effect: cpu.stop
  condition: selection
"""
FILTER: Final = """\
title: The test bench may stop its controller
title_zh: 试验台可停止其控制器
id: bench
description: It is at work in the test hall.
description_zh: 位于试验车间。
logsource:
  product: balefire
filter:
  rules:
    - controller-stopped
  bench:
    source.ip: 10.10.1.77
  condition: not bench
tests:
  keeps:
    - ot.effect: cpu.stop
  drops:
    - source.ip: 10.10.1.77
      ot.effect: cpu.stop
"""
LOGIN: Final = (own_rules() / "configuration" / "login-refused.yml").read_text("utf-8")
POINT: Final = """\
title: "{destination} reports {value} of {object}"
title_zh: "{destination} 的 {object} 为 {value}"
id: too-hot
description: The pump seizes above it.
description_zh: 超过该值水泵会卡死。
tags:
  - attack.t0831
logsource:
  product: balefire
  category: point
detection:
  selection:
    ot.point.max|gt: 90
  condition: selection
level: high
score:
  - when:
      ot.point.max|gt: 120
    value: 5
    en: far above
    zh: 远超
normal:
  en: It stays below.
  zh: 不超过该值。
misses:
  - en: What is not polled.
    zh: 未轮询的点位。
respond:
  - en: Ask the shift.
    zh: 询问当班人员。
tests:
  fires:
    - ot.point.max: 91
    - ot.point.max: 121
  quiet:
    - {}
    - ot.point.max: 90
"""
OTHERS: Final = {rule.id: rule for rule in load([own_rules()]).rules}
VALUES: Final = "    source.ip|cidr:\n      - 10.0.0.0/8\n"
Edits = tuple[tuple[str, str], ...]


def value(line: str, *more: str) -> Edits:
    """Another line of the detection beside the effect."""
    return ((VALUES, f"{VALUES}    {line}\n"), *zip(more[::2], more[1::2], strict=True))


def beside(line: str) -> Edits:
    """Another detection, either of which is enough."""
    return (("  condition: selection", f"  other:\n    {line}\n  condition: selection or other"),)


def effect(name: str, line: str = "") -> Edits:
    """Another effect, with another line of the detection."""
    return (
        ("ot.effect: cpu.stop\n", f"ot.effect: {name}\n{line}"),
        ("{effect: cpu.stop}", f"{{effect: {name}}}"),
        ("{effect: cpu.stop, u", f"{{effect: {name}, u"),
    )


# By check: the line that it speaks of and what makes the rule one that it speaks about; then what is as near as can be and none of its business.
CASES: Final[dict[str, tuple[int, Edits, Edits]]] = {
    "address-wildcard": (16, beside("destination.ip: '10.20.*'"), beside("destination.ip|cidr: 10.20.0.0/16")),
    "placeholder-plain": (16, beside("ot.error: '%errors%'"), beside("ot.error: '5 % of %'")),
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
    "field-listed": (15, value("source.asset.zone: null"), value("source.asset.role: null")),
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
    "all-single": (
        12,
        (("ot.effect: cpu.stop\n", "ot.effect|contains|all: cpu.stop\n"),),
        (("ot.effect: cpu.stop\n", "ot.effect|contains|all: [cpu, stop]\n"),),
    ),
    "value-repeated": (
        12,
        (("ot.effect: cpu.stop\n", "ot.effect: [cpu.stop, CPU.stop]\n"),),
        (("ot.effect: cpu.stop\n", "ot.effect: [cpu.stop, value.force]\n"),),
    ),
    "value-unknown": (15, value("ot.error|neq: acess_denied"), value("ot.error|neq: access_denied")),
    "wildcard-plain": (12, (("ot.effect: cpu.stop", "ot.effect: cpu.sto*"),), (("ot.effect: cpu.stop", "ot.effect: cpu.s*p"),)),
}


# The same for rules of other shapes: what each is made of, then the edits that a check speaks about and those that it does not.
STOPPED_ONE: Final = "    - - {ot.effect: cpu.stop, destination.ip: 10.0.0.1}\n      - {ot.effect: cpu.start"
ALIASES: Final = "  aliases:\n    host:\n      stops: source.ip\n  timespan"
SHAPED: Final[tuple[tuple[str, str, int, Edits, Edits], ...]] = (
    ("alias-unused", CORRELATION, 13, (("  timespan", ALIASES),), (("    - source.ip", "    - host"), ("  timespan", ALIASES))),
    (
        "group-absent",
        CORRELATION,
        11,
        (("    - source.ip", "    - source.port"),),
        (("    - source.ip", "    - ot.unit"), (", unit: 2", ""), ("ot.unit: 2", "ot.unit: 1")),
    ),
    ("group-missing", CORRELATION, 6, (("  group-by:\n    - source.ip\n", ""),), ()),
    ("threshold-one", CORRELATION, 13, (("gte: 2", "gte: 1"), (STOPPED_ONE, "    - - {ot.effect: cpu.start")), ()),
    ("case-repeated", CORRELATION, 36, (("unit: 2}", "unit: 1}"),), ()),
    ("chinese-missing", CORRELATION, 25, (("zh: 控制器持续运行。", "zh: RUN。"),), ()),
    (
        "detection-never",
        CORRELATION,
        48,
        (("  condition: selection", "  other:\n    ot.unit: 9\n  condition: selection and not other"),),
        (("  condition: selection", "  other:\n    ot.effect: cpu.start\n  condition: selection and not other"),),
    ),
    (
        "key-fixed",
        CORRELATION,
        12,
        (("    - source.ip", "    - source.ip\n    - ot.effect"),),
        (("    - source.ip", "    - source.ip\n    - ot.effect"), ("ot.effect: cpu.stop\n", "ot.effect: [cpu.stop, cpu.reset]\n")),
    ),
    ("key-scatters", CORRELATION, 11, (("    - source.ip", "    - ot.count"),), (("    - source.ip", "    - ot.unit"), (", unit: 2", ""))),
    ("level-low", CORRELATION, 16, (("level: high", "level: low"),), (("level: high", "level: medium"),)),
    ("quiet-near-missing", CORRELATION, 38, ((f"{STOPPED_ONE}, destination.ip: 10.0.0.2}}", "    - {}"),), ()),
    ("score-untried", CORRELATION, 18, (("      ot.unit: 2", "      ot.unit: 3"),), ()),
    (
        "survivor-stale",
        CORRELATION,
        33,
        (("tests:\n", "survives:\n  - mutant: x\n    en: Because.\n    zh: 原因。\ntests:\n"),),
        (("tests:\n", "survives:\n  - mutant: 'correlation: timespan: 10m becomes 9m'\n    en: Because.\n    zh: 原因。\ntests:\n"),),
    ),
    ("tag-repeats", CORRELATION, 7, (("correlation:", "tags:\n  - attack.t0858\ncorrelation:"),), (("correlation:", "tags:\n  - attack.t0855\ncorrelation:"),)),
    (
        "value-unknown",
        CORRELATION,
        48,
        (("    ot.effect: cpu.stop\n", "    ot.effect: cpu.stop\n    ot.error|neq: acess_denied\n"),),
        (("    ot.effect: cpu.stop\n", "    ot.effect: cpu.stop\n    ot.error|neq: access_denied\n"),),
    ),
    (
        "detection-never",
        POINT,
        14,
        (("  condition: selection", "  other:\n    ot.point.min|gt: 90\n  condition: selection and not other"),),
        (("  condition: selection", "  other:\n    ot.point.max|gt: 120\n  condition: selection or other"),),
    ),
    (
        "key-scatters",
        POINT,
        17,
        (("level: high", "level: high\nkey:\n  - ot.point.last"),),
        (("level: high", "level: high\nkey:\n  - ot.unit\n  - ot.object.first"),),
    ),
    ("score-untried", POINT, 17, (("ot.point.max|gt: 120", "ot.point.max|gt: 121"),), ()),
    (
        "filter-silences",
        FILTER,
        8,
        (("10.10.1.77", "10.10.1.10"), ("    - ot.effect: cpu.stop\n  drops", "    - source.ip: 10.10.1.9\n  drops"), ("10.10.1.77", "10.10.1.10")),
        (("    - ot.effect: cpu.stop\n  drops", "    - {}\n  drops"),),
    ),
    (
        "filter-silences",
        FILTER,
        8,
        (
            ("controller-stopped", "password-guessing\n    - login-refused"),
            ("10.10.1.77", "10.10.1.10"),
            ("    - ot.effect: cpu.stop\n  drops", "    - source.ip: 10.10.1.9\n  drops"),
            ("10.10.1.77\n      ot.effect: cpu.stop", "10.10.1.10\n      ot.effect: credential.use\n      event.outcome: failure"),
        ),
        (
            ("controller-stopped", "password-guessing\n    - login-refused"),
            ("10.10.1.77\n      ot.effect: cpu.stop", "10.10.1.77\n      ot.effect: credential.use\n      event.outcome: failure"),
        ),
    ),
    (
        "correlation-starved",
        LOGIN,
        11,
        (("    event.outcome: failure", "    event.outcome: failure\n    ot.unit: 7"), ("error: wrong_password", "error: wrong_password, unit: 7")),
        (),
    ),
    (
        "drop-untold",
        FILTER,
        18,
        (("10.10.1.77\n      ot.effect: cpu.stop", "10.10.1.77"),),
        (("10.10.1.77\n      ot.effect: cpu.stop", "10.10.1.77\n      ot.effect: cpu.stop\n      ot.unit: 9"),),
    ),
    ("network-everything", FILTER, 12, (("source.ip: 10.10.1.77", "source.ip|cidr: 0.0.0.0/0"), ("- ot.effect", "- source.ip: null\n      ot.effect")), ()),
    ("detection-never", FILTER, 13, (("  condition: not bench", "  other: {ot.unit: 9}\n  condition: not bench and not other"),), ()),
    ("sentence-form", FILTER, 4, (("hall.", "hall"),), ()),
    ("survivor-stale", FILTER, 15, (("tests:", "survives:\n  - {mutant: x, en: No., zh: 无。}\ntests:"),), ()),
)


def advice(edits: Edits, text: str = BASE) -> list[Problem]:
    """What the checks say of the rule with these edits; it has to load."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    if text.startswith((FILTER[:30], LOGIN[:30])):
        return _of_file(text)
    rule, problems = load_text(text, "stopped.yml")
    assert rule is not None, [(one.line, one.check, one.message.en) for one in problems]
    return hints(Subject(rule, read(text.encode()), OTHERS))


def _of_file(text: str) -> list[Problem]:
    with TemporaryDirectory() as folder:
        (file := Path(folder) / f"{read(text.encode()).data['id']}.yml").write_text(text, "utf-8")
        book = load([file])
        assert book.filters or book.rules, [(one.line, one.check) for one in book.problems]
        return list(lint(file).problems)


@pytest.mark.parametrize("text", [BASE, CORRELATION, POINT, FILTER])
def test_the_rule_to_begin_with_is_clean(text: str) -> None:
    assert advice((), text) == []


def test_every_check_has_its_cases_and_its_words() -> None:
    assert {*CASES, *(name for name, *_ in SHAPED)} == set(checks())
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


@pytest.mark.parametrize(("name", "text", "line", "edits", "near"), SHAPED)
def test_a_check_speaks_of_correlations_and_points(name: str, text: str, line: int, edits: Edits, near: Edits) -> None:
    assert line in {one.line for one in advice(edits, text) if one.check == name}
    assert name not in {one.check for one in advice(near, text)}


def test_the_linter_looks_at_files_with_correlations(tmp_path: Path) -> None:
    file = tmp_path / "several-stopped.yml"
    file.write_text(CORRELATION.replace("level: high", "level: low"), "utf-8")
    (found,) = one("rules", "lint", file, status=1)["problems"]
    assert (found["line"], found["check"]) == (16, "level-low")


def test_correlations_that_fire_alike_are_told(tmp_path: Path) -> None:
    for name, edit in (("several-stopped", "10m"), ("many-halted", "10m"), ("slow", "20m")):
        (tmp_path / f"{name}.yml").write_text(CORRELATION.replace("id: several-stopped", f"id: {name}").replace("10m", edit), "utf-8")
    assert {(Path(found.file).stem, found.check) for found in lint(tmp_path).problems} == {
        ("several-stopped", "rule-repeated"),
        ("many-halted", "rule-repeated"),
    }


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


def test_of_very_many_rules_that_fire_alike_the_first_are_named(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"stopped-{number}.yml").write_text(BASE.replace("id: stopped", f"id: stopped-{number}"), "utf-8")
    found = [found for found in lint(tmp_path).problems if found.check == "rule-repeated"]
    assert len(found) == 9
    assert found[0].message.en == "The rule fires as stopped-1, stopped-2, stopped-3 … does."
    assert found[8].message.en == "The rule fires as stopped-0, stopped-1, stopped-2 … does."


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('title: "{source}', 'title: "{source}\\u202e', 1),
        ("Controllers run.", '"Controllers\\u2066 run."', 27),
        ("the second unit", '"the second\\u200f unit"', 24),
        ("level: high", '"level\\u200e": high', 16),
    ],
)
def test_what_turns_a_text_is_refused_also_as_an_escape(tmp_path: Path, old: str, new: str, line: int) -> None:
    file = tmp_path / "stopped.yml"
    assert old in BASE
    file.write_text(BASE.replace(old, new), "utf-8")
    (problem,) = load([file]).problems
    assert (problem.line, problem.check, problem.blocks) == (line, "yaml", True)
    assert "U+20" in problem.message.en


def test_a_name_that_turns_may_be_looked_for(tmp_path: Path) -> None:
    """Names that come by wire hold what they hold: as an escape, everybody sees what is meant."""
    file = tmp_path / "stopped.yml"
    text = BASE.replace("ot.effect: cpu.stop", 'source.asset.name|contains: "\\u202e"').replace("{effect: cpu.stop", '{"effect": cpu.stop')
    file.write_text(text.replace("- ot: {", '- source.asset.name: "PLC\\u202e"\n      ot: {'), "utf-8")
    assert "yaml" not in {problem.check for problem in load([file]).problems}


def test_fields_that_are_said_to_be_listed_are_fields() -> None:
    from detectors.checks.detections import LISTED
    from detectors.checks.folding import NAMES, SCATTERS

    assert {*LISTED, *SCATTERS, *(name for names in NAMES.values() for name in names)} <= {*ACTIVITY.names, *POINTS.names}
    store = open_store(str(stored()[0]))
    rows = store.read("activity", Query())
    store.close()
    assert {name for name in LISTED if rows.column(name).null_count < rows.num_rows} == set()


REFUSED: Final = (
    ("score-value", "    value: 5\n", "    value: .nan\n"),
    ("score-value", "    value: 5\n", "    value: -.inf\n"),
    ("score-value", "    value: 5\n", "    value: 1.0e+300\n"),
    ("address", "    source.ip|cidr:\n      - 10.0.0.0/8\n", "    source.ip: 10.0.0.0/8\n"),
    ("address", "    source.ip|cidr:\n      - 10.0.0.0/8\n", "    source.ip:\n      - 10.0.0.1\n      - 10.0.0.300\n"),
    ("case-value", "source.ip: 192.168.1.1", "source.ip: nonsense"),
)


@pytest.mark.parametrize(("check", "before", "after"), REFUSED)
def test_what_would_never_match_or_never_end_keeps_the_rule_out(check: str, before: str, after: str) -> None:
    """Each a slip that every other tool would call fine: a severity that is no number, an address that is none."""
    assert before in BASE, "the rule has what is changed"
    assert load_text(BASE, "stopped.yml")[1] == []
    rule, problems = load_text(BASE.replace(before, after, 1), "stopped.yml")
    assert rule is None
    assert check in {problem.check for problem in problems if problem.blocks}


def test_what_bears_a_rules_name_and_is_no_file_is_told(tmp_path: Path) -> None:
    """A rule that is silently not there is worse than one that is wrong."""
    (tmp_path / "gone.yml").symlink_to("/nowhere")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    (tmp_path / "linked.yml").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "part.yml").mkdir()
    (tmp_path / ".#lock.yml").symlink_to("somebody@host.1")
    (tmp_path / "STOPPED.YML").write_text(BASE)
    report = lint(tmp_path)
    assert {Path(each.file).name for each in report.problems if each.check == "no-file"} == {"gone.yml", "zero.yaml", "loop.yml", "linked.yml", "pipe.yml"}
    assert [rule.id for rule in load([tmp_path]).rules] == ["stopped"]
    assert report.rules == 6
    named = balefire("rules", "lint", tmp_path / "pipe.yml")
    assert named.exit_code == 2
    assert "neither a file nor a directory" in named.stderr


def test_a_filter_that_leaves_a_correlation_nothing_says_which(tmp_path: Path) -> None:
    """It is as good as off, although the filter only names the rule that it looks at."""
    text = FILTER.replace("controller-stopped", "login-refused").replace("10.10.1.77", "10.10.1.10").replace("cpu.stop", "credential.use")
    file = tmp_path / "bench.yml"
    file.write_text(text.replace("    - ot.effect: credential.use\n  drops", "    - source.ip: 10.10.1.9\n  drops"), "utf-8")
    silent = {found.message.en for found in lint(file).problems if found.check == "filter-silences"}
    assert {name for name in ("login-refused", "password-guessing") if any(name in words for words in silent)} == {"login-refused", "password-guessing"}


def test_an_advice_names_few_words_where_none_looks_like_the_one_that_is_meant() -> None:
    fields = [f"field{number}" for number in range(40)]
    assert nearest("feild7", fields).split(", ")[0] == "field7"
    assert nearest("zzz", fields).count(", ") == 3
    assert nearest("zzz", ["b", "a"]) == "a, b"
