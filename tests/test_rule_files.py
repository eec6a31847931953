"""Files of correlations, filters, placeholders and rules on points: what is loaded, what is refused and where, and what their findings say."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.methods.rules import Rules
from detectors.rulebook.cases import activity_table, case_point
from detectors.rulebook.correlate import correlation_rule
from detectors.rulebook.document import LARGEST, Document
from detectors.rulebook.load import load, load_text, own_rules
from detectors.rulebook.placeholders import read_placeholders
from detectors.rulebook.problems import Fault, problem
from detectors.rulebook.reading import Reading
from detectors.rulebook.single import single_rule
from records.model import Batch
from records.schema import POINT
from tests.examples import as_many
from tests.frames import Alone, activities, hostile, polling

if TYPE_CHECKING:
    from detectors.rulebook.load import Rulebook
    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.rule import Rule
    from records.model import Finding

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

SWEEP = """\
title: "{source} searched {measure} ranges of {destination} within {timespan}"
title_zh: "{source} 在 {timespan}内遍历 {destination} 的 {measure} 个区间"
id: slow-sweep
description: A master reads the addresses it was configured for.
description_zh: 主站只读取已配置的地址。
tags: [attack.t0861]
correlation:
  type: value_sum
  rules: [reads]
  group-by: [source.ip, destination.ip]
  timespan: 10m
  condition:
    field: ot.object.count
    gte: 40
level: medium
score:
  - when:
      ot.error: illegal_data_address
    value: 10
    en: the device does not have these addresses
    zh: 设备没有这些地址
normal:
  en: The same few ranges.
  zh: 相同的少数区间。
misses: [{en: Slower ones., zh: 更慢的遍历。}]
respond: [{en: Ask., zh: 询问。}]
tests:
  fires:
    - - ot: {object: {count: 20}}
      - ot: {object: {count: 20}}
        '@timestamp': 2026-03-02T10:08:00Z
  quiet:
    - - ot: {object: {count: 39}}
    - - ot: {object: {count: 20}}
      - ot: {object: {count: 20}}
        '@timestamp': 2026-03-02T10:12:00Z
---
name: reads
logsource: {product: balefire}
detection:
  many:
    ot.access: read
    ot.object.count|gte: 8
  condition: many
"""

TAKEN = """\
title: "{source} took the program of {destination} and put another there"
title_zh: "{source} 读取 {destination} 的程序后写入另一程序"
id: program-replaced
description: Whoever changes a program without the project reads it first.
description_zh: 没有工程文件者须先读取程序才能修改。
tags: [attack.t0889]
correlation:
  type: temporal_ordered
  rules: [taken, put]
  group-by: [source.ip, destination.ip]
  timespan: 1h
level: critical
misses: [{en: Programs from elsewhere., zh: 来自别处的程序。}]
respond: [{en: Compare., zh: 比对。}]
tests:
  fires:
    - - ot: {effect: program.upload}
      - ot: {effect: program.download}
  quiet:
    - - ot: {effect: program.download}
      - ot: {effect: program.upload}
    - ot: {effect: program.download}
---
name: taken
logsource: {product: balefire}
detection: {sel: {ot.effect: program.upload}, condition: sel}
---
name: put
logsource: {product: balefire}
detection: {sel: {ot.effect: program.download}, condition: sel}
"""

REFUSALS = """\
title: "{destination} refused {count} requests of {source}"
title_zh: "{destination} 拒绝了 {source} 的 {count} 个请求"
id: many-refusals
description: Who knows a device is not refused.
description_zh: 熟悉设备者不会被拒绝。
tags: [attack.t0888]
correlation:
  type: event_count
  rules: [write-refused]
  group-by: source.ip
  timespan: 5m
  condition: {gte: 5}
level: high
misses: [{en: Slower ones., zh: 更慢者。}]
respond: [{en: Ask., zh: 询问。}]
tests:
  fires:
    - - {event.outcome: failure, ot: {effect: value.write, error: illegal_data_address}, repeat: 5}
  quiet:
    - - {event.outcome: failure, ot: {effect: value.write, error: illegal_data_address}, repeat: 4}
"""

HOT = """\
title: "{object} of {destination} went up to {value}"
title_zh: "{destination} 的 {object} 升至 {value}"
id: too-hot
description: The kettle is built for 90 degrees.
description_zh: 反应釜设计温度为 90 度。
tags: [attack.t0831]
logsource: {product: balefire, category: point}
detection:
  hot: {ot.point.max|gt: 90}
  good: {ot.point.quality: invalid}
  condition: hot and not good
level: high
misses: [{en: Others., zh: 其他。}]
respond: [{en: Look., zh: 查看。}]
tests:
  fires:
    - ot.point.max: 91
  quiet:
    - ot.point.max: 90
    - {ot.point.max: 91, ot.point.quality: [invalid]}
"""

QUIET = """\
title: The calibration bench may write
title_zh: 校准台可以写入
id: calibration-bench
description: It is at work in the hall of tests.
logsource: {product: balefire}
filter:
  rules: [file-written, many-refusals]
  bench: {source.ip: '10.10.1.77'}
  condition: not bench
tests:
  keeps:
    - {}
  drops:
    - source.ip: 10.10.1.77
"""


def rulebook(folder: Path, **files: str) -> Rulebook:
    for name, content in files.items():
        (folder / f"{name.replace('_', '-')}.yml").write_text(content, "utf-8")
    return load((own_rules(), folder))


def said(book: Rulebook) -> list[tuple[str, int, str]]:
    """File, line and check of everything that is wrong; every text in both languages, filled in."""
    for one in book.problems:
        for text in (one.message, one.advice):
            assert not re.search(r"\{[a-z_]+\}", text.en), text.en
            assert re.search(r"[一-鿿]", text.zh), text.zh
    return [(one.file.rpartition("/")[2], one.line, one.check) for one in book.problems]


def findings(book: Rulebook, *rows: dict[str, Any]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in Rules(book, {"case": "plant.pcap"}).judge(Batch(activities=activities(*rows))):
        found.setdefault(finding.rule, []).append(finding)
    return found


def at(seconds: int, **stated: Any) -> dict[str, Any]:
    return {"@timestamp": START + timedelta(seconds=seconds), **{name.replace("__", "."): value for name, value in stated.items()}}


# ---- findings -----------------------------------------------------------------------------------------------------------------------------------


def test_what_happens_at_two_sites_is_two_alerts(tmp_path: Path) -> None:
    """Plants are built alike, down to the addresses. Without a site's name, keys are what they were."""
    book = rulebook(tmp_path, many_refusals=REFUSALS)
    keys: dict[str | None, set[str]] = {}
    for site in ("North", "South", None):
        rows = [at(second, event__outcome="failure", ot__effect="value.write", observer__site=site) for second in range(5)]
        stopped = at(9, ot__effect="cpu.stop", observer__site=site)
        found = findings(book, *rows, stopped)
        keys[site] = {one.key for name in ("many-refusals", "controller-stopped") for one in found[name]}
        assert len(keys[site]) == 2
    assert keys["North"] == {f"{key}|North" for key in keys[None]}
    assert keys["South"] == {f"{key}|South" for key in keys[None]}


def test_a_sweep_is_added_up(tmp_path: Path) -> None:
    book = rulebook(tmp_path, slow_sweep=SWEEP)
    assert said(book) == []
    rows = [at(60 * minute, ot__object__count=15, ot__packet__first=minute * 2 + 1, ot__packet__last=minute * 2 + 2) for minute in range(5)]
    (found,) = findings(book, *rows)["slow-sweep"]
    assert found.title.en == "10.10.1.10 searched 45 ranges of 10.10.1.20 within 10 min"
    assert found.title.zh == "10.10.1.10 在 10 分钟内遍历 10.10.1.20 的 45 个区间"
    assert found.reason.en.startswith("“distinct ranges that this row stands for” adds up to 45 within 10 min. The last: 10.10.1.10 asked 10.10.1.20")
    assert found.reason.zh.startswith("10 分钟内“本行代表的不同区间数”合计 45。最后一次：10.10.1.10 要求")
    assert found.key == "slow-sweep|10.10.1.10|10.10.1.20"
    assert found.activities == ("activity-0000", "activity-0001", "activity-0002")
    assert [(one.file, one.packet) for one in found.packets] == [("plant.pcap", number) for number in range(1, 7)]
    assert (found.time, found.end) == (int(START.timestamp()) * 10**9, int((START + timedelta(seconds=179)).timestamp()) * 10**9)
    assert [term.value for term in found.terms] == [45]
    assert found.score == 45
    assert found.techniques == ("T0861",)
    assert found.normal is not None
    assert found.normal.en == "The same few ranges."
    assert found.respond[0].en == "Ask."


def test_any_row_of_a_correlation_can_change_its_score(tmp_path: Path) -> None:
    book = rulebook(tmp_path, slow_sweep=SWEEP)
    rows = [at(0, ot__object__count=20, ot__error="illegal_data_address"), at(60, ot__object__count=30)]
    (found,) = findings(book, *rows)["slow-sweep"]
    assert [(term.en, term.value) for term in found.terms][1:] == [("the device does not have these addresses", 10)]
    assert found.score == 55


def test_one_thing_after_the_other_is_told_in_order(tmp_path: Path) -> None:
    book = rulebook(tmp_path, program_replaced=TAKEN)
    assert said(book) == []
    (found,) = findings(book, at(0, ot__effect="program.upload"), at(1800, ot__effect="program.download"))["program-replaced"]
    assert found.reason.en == (
        "2 things came one after the other within 1 h. 10.10.1.10 asked 10.10.1.20, unit 1, to upload a program from the controller. "
        "The device carried it out. "
        "10.10.1.10 asked 10.10.1.20, unit 1, to download a program to the controller. The device carried it out. "
        "Whoever changes a program without the project reads it first."
    )
    assert not re.search(r"[A-Za-z]{3,}", found.reason.zh)
    assert found.effects == ("program.upload", "program.download")
    assert found.techniques == ("T0845", "T0843", "T0889")


def test_what_differs_is_named_or_counted(tmp_path: Path) -> None:
    book = rulebook(tmp_path, many_refusals=REFUSALS)
    assert said(book) == []
    refused = {"event.outcome": "failure", "ot.effect": "value.write", "ot.error": "illegal_data_address"}
    rows = [at(number, **{"destination.ip": f"10.10.1.{20 + number}"}, **refused) for number in range(5)]
    (found,) = findings(book, *rows)["many-refusals"]
    assert found.title.en == "5 devices refused 5 requests of 10.10.1.10"
    assert found.title.zh == "5 台设备 拒绝了 10.10.1.10 的 5 个请求"
    assert (found.source, found.destination) == ("10.10.1.10", None)
    few = [at(number, **{"destination.ip": f"10.10.1.{20 + number % 2}"}, **refused) for number in range(5)]
    (found,) = findings(book, *few)["many-refusals"]
    assert found.title.en == "10.10.1.20, 10.10.1.21 refused 5 requests of 10.10.1.10"


def test_a_long_correlation_carries_its_ends(tmp_path: Path) -> None:
    book = rulebook(tmp_path, many_refusals=REFUSALS.replace("gte: 5", "gte: 300").replace("repeat: 5", "repeat: 300").replace("repeat: 4", "repeat: 299"))
    assert said(book) == []
    refused = {"event.outcome": "failure", "ot.effect": "value.write"}
    rows = [at(number // 2, **refused, ot__packet__first=2 * number + 1, ot__packet__last=2 * number + 2) for number in range(300)]
    (found,) = findings(book, *rows)["many-refusals"]
    assert (len(found.activities), len(found.packets)) == (100, 200)
    assert (found.activities[0], found.activities[-1]) == ("activity-0000", "activity-0299")
    assert (found.packets[0].packet, found.packets[-1].packet) == (1, 600)
    assert found.title.en.startswith("10.10.1.20 refused 300 requests")


def test_a_rule_on_points(tmp_path: Path) -> None:
    book = rulebook(tmp_path, too_hot=HOT)
    assert said(book) == []
    stated = {"ot.point.max": 95.5, "ot.point.last": 93, "ot.point.min": 20, "ot.object.first": 17, "id": "p1"}
    points = activity_table([case_point({}), {**case_point(stated), "id": "p1"}], POINT)
    (found,) = Rules(book, {}).judge(Batch(points=points))
    assert (found.rule, found.key, found.activities) == ("too-hot", "too-hot|10.10.1.20|1|holding_register||17", ("p1",))
    assert found.title.en == "register 40018 of 10.10.1.20 went up to 93"
    assert found.reason.en.startswith("register 40018 of 10.10.1.20, unit 1, was between 20 and 95.5, 93 at last.")
    assert found.reason.zh.startswith("10.10.1.20 单元 1 的 保持寄存器 40018 介于 20 与 95.5 之间，末值 93。")
    assert [term.value for term in found.terms] == [65]
    assert found.packets == ()


def test_points_correlate(tmp_path: Path) -> None:
    text = REFUSALS.replace("rules: [write-refused]", "rules: [too-hot]").replace("group-by: source.ip", "group-by: [destination.ip]")
    text = text.replace("{source}", "X").replace("many-refusals", "often-hot")
    text = re.sub(r"\{event.outcome: failure, ot: [^}]*\}, ", "{ot.point.max: 91, ", text)
    book = rulebook(tmp_path, too_hot=HOT, often_hot=text)
    assert said(book) == []
    points = [{**case_point({"ot.point.max": 92, "@timestamp": START + timedelta(minutes=minute)}), "id": f"p{minute}"} for minute in range(5)]
    found = Rules(book, {}).judge(Batch(points=activity_table(points, POINT)))
    assert [one.rule for one in found] == ["too-hot"] * 4 + ["often-hot", "too-hot"]
    assert found[4].activities == ("p0", "p1", "p2", "p3", "p4")


# ---- the battery of detectors, with correlations ------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=as_many(40))
@given(cuts=st.lists(st.integers(0, 500), max_size=8), restored=st.booleans())
def test_any_cut_gives_the_same_findings(tmp_path_factory: pytest.TempPathFactory, cuts: list[int], restored: bool) -> None:
    if "all" not in BOOKS:  # the same for every example
        BOOKS["all"] = rulebook(tmp_path_factory.mktemp("rules"), slow_sweep=SWEEP, program_replaced=TAKEN, many_refusals=REFUSALS)
        FOUND["all"] = Rules(BOOKS["all"], {}).judge(WHOLE)
    book, table, whole = BOOKS["all"], WHOLE.activities, FOUND["all"]
    assert {"program-replaced", "many-refusals", "slow-sweep"} <= {finding.rule for finding in whole}
    edges = [0, *sorted(min(cut, table.num_rows) for cut in cuts), table.num_rows]
    judge, found = Rules(book, {}), list[Any]()
    for start, end in pairwise(edges):
        found += judge.judge(Batch(activities=table.slice(start, end - start)))
        if restored:
            state = judge.state()
            judge = Rules(book, {})
            judge.restore(state)
    assert found == whole


BOOKS: dict[str, Rulebook] = {}
FOUND: dict[str, list[Any]] = {}
MORE = [
    *(at(60 * minute, ot__object__count=15) for minute in range(12)),
    at(800, ot__effect="program.upload", source__ip="10.10.1.98"),
    at(900, ot__effect="program.download", source__ip="10.10.1.98"),
]
WHOLE = Batch(activities=activities(*hostile().activities.drop_columns(["id"]).to_pylist(), *MORE, *polling(3).activities.drop_columns(["id"]).to_pylist()))


def test_correlations_are_silent_on_polling(tmp_path: Path) -> None:
    book = rulebook(tmp_path, slow_sweep=SWEEP, program_replaced=TAKEN, many_refusals=REFUSALS)
    judge = Rules(book, {})
    assert judge.judge(polling()) == []
    assert judge.state() == b""


def test_a_state_is_refused_that_is_none_and_forgotten_where_the_rule_has_changed(tmp_path: Path) -> None:
    book = rulebook(tmp_path, many_refusals=REFUSALS)
    refused = {"event.outcome": "failure", "ot.effect": "value.write", "ot.error": "illegal_data_address"}
    judge = Rules(book, {})
    judge.judge(Batch(activities=activities(*(at(number, **refused) for number in range(4)))))
    state = judge.state()
    for odd in (b"[]", b"{}", b'{"rules": 2}', state.replace(b'"fired"', b'"field"'), state[:-9]):
        with pytest.raises(ValueError, match=r"."):
            judge.restore(odd)
    last = Batch(activities=activities(at(5, **refused, id="last")))
    judge.restore(state)
    assert "many-refusals" in [one.rule for one in judge.judge(last)]
    changed = Rules(rulebook(tmp_path, many_refusals=REFUSALS.replace("timespan: 5m", "timespan: 6m")), {})
    changed.restore(state)
    assert "many-refusals" not in [one.rule for one in changed.judge(last)]


# ---- filters ------------------------------------------------------------------------------------------------------------------------------------


def test_a_filter_narrows_the_rules_that_it_names_and_the_parts_of_a_correlation(tmp_path: Path) -> None:
    parts = REFUSALS.replace("[write-refused]", "[refused]") + (
        "---\nname: refused\nlogsource: {product: balefire}\ndetection: {sel: {event.outcome: failure, ot.access: write}, condition: sel}\n"
    )
    book = rulebook(tmp_path, many_refusals=parts, calibration_bench=QUIET)
    assert said(book) == []
    assert [one.id for one in book.filters] == ["calibration-bench"]
    assert {rule.id: rule.filters for rule in book.rules if rule.filters} == {"file-written": ("calibration-bench",), "many-refusals": ("calibration-bench",)}
    for host, fires in (("10.10.1.77", False), ("10.10.1.78", True)):
        rows = [at(number, source__ip=host, event__outcome="failure", ot__effect="value.write") for number in range(5)]
        found = findings(book, *rows, at(9, source__ip=host, ot__effect="file.write"))
        assert ("file-written" in found) == fires
        assert ("many-refusals" in found) == fires
        assert "write-refused" in found


GUARD = """\
title: Not the calibration bench
title_zh: 不含校准台
id: calibration-bench
description: It is at work in the test hall.
description_zh: 位于试验车间。
logsource: {product: balefire}
filter:
  rules: [login-refused]
  bench: {source.ip: 10.10.1.10}
  condition: not bench
tests:
  keeps: [{source.ip: 10.10.1.9}]
  drops: [{}]
"""


def test_what_a_site_does_to_a_rule_puts_no_correlation_out_of_force_that_looks_at_it(tmp_path: Path) -> None:
    """Balefire's correlations were tried with Balefire's rules. A filter of the site, or a rule of its own in the place of one, narrows what they count."""
    refused = {"ot__effect": "credential.use", "event__outcome": "failure", "network__protocol": "s7comm"}
    narrower = (own_rules() / "configuration" / "login-refused.yml").read_text("utf-8").replace("    event.outcome: failure", "    ot.unit: 7", 1)
    narrower = narrower.replace("error: wrong_password", "unit: 7").replace(
        "    - ot: {effect: credential.use}\n", "    - ot: {effect: credential.use, unit: 3}\n"
    )
    for files, quiet in (({"calibration_bench": GUARD}, {"source__ip": "10.10.1.10"}), ({"login_refused": narrower}, {"ot__unit": 3})):
        (folder := tmp_path / next(iter(files))).mkdir()
        book = rulebook(folder, **files)
        assert said(book) == []
        assert "password-guessing" in {rule.id for rule in book.rules}
        heard = {"source__ip": "10.10.1.9", "ot__unit": 7}
        assert "password-guessing" in findings(book, *(at(number, **refused | heard) for number in range(5)))
        assert "password-guessing" not in findings(book, *(at(number, **refused | heard | quiet) for number in range(5)))


def test_a_filter_for_any_rule(tmp_path: Path) -> None:
    book = rulebook(tmp_path, calibration_bench=QUIET.replace("rules: [file-written, many-refusals]", "rules: any"), many_refusals=REFUSALS, too_hot=HOT)
    assert said(book) == []
    rows = [at(number, source__ip="10.10.1.77", event__outcome="failure", ot__effect="value.write") for number in range(5)]
    assert findings(book, *rows) == {}
    assert all(bool(rule.filters) == (rule.table is not POINT) for rule in book.rules)


def test_a_filter_narrows_a_rule_that_a_policy_became(tmp_path: Path) -> None:
    """By the rule's id, for it has no file of its own; a policy's name is none."""
    lab = "policy: lab\nzones:\n  bench: {members: [10.10.1.77]}\n  cell: {members: [10.10.2.0/24]}\n"
    named = QUIET.replace("[file-written, many-refusals]", "[lab-bench-to-cell]")
    book = rulebook(tmp_path, calibration_bench=named, lab=lab)
    assert said(book) == []
    assert {rule.id: rule.filters for rule in book.rules if rule.filters} == {"lab-bench-to-cell": ("calibration-bench",)}
    ways = [at(number, source__ip="10.10.1.77", destination__ip=end) for number, end in enumerate(("10.10.2.1", "10.10.3.1"))]
    assert {name for name in findings(book, *ways) if name.startswith("lab-")} == {"lab-bench-to-outside"}
    (problem,) = said(rulebook(tmp_path, calibration_bench=named.replace("lab-bench-to-cell", "lab"), lab=lab))
    assert problem == ("calibration-bench.yml", 7, "reference")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[file-written, many-refusals]", "[file-writen]", (7, "reference")),
        ("  rules: [file-written, many-refusals]\n", "", (6, "filter-rules")),
        ("condition: not bench", "condition: bench", (12, "case")),
        ("  drops:\n    - source.ip: 10.10.1.77\n", "", (10, "tests")),
        ("product: balefire", "product: windows", (5, "logsource")),
        ("source.ip: '10", "source.ipp: '10", (8, "field")),
        ("filter:\n", "level: low\nfilter:\n", (6, "unknown-key")),
    ],
)
def test_a_filter_with_a_fault_filters_nothing_and_says_why(tmp_path: Path, old: str, new: str, problem: tuple[int, str]) -> None:
    assert old in QUIET
    book = rulebook(tmp_path, calibration_bench=QUIET.replace(old, new), many_refusals=REFUSALS)
    assert ("calibration-bench.yml", *problem) in said(book)
    assert book.filters == ()
    assert len(book.rules) == len(list(own_rules().rglob("*.yml"))) + 1


# ---- placeholders -------------------------------------------------------------------------------------------------------------------------------

ENGINEERS = (
    TAKEN.partition("correlation:")[0].replace("program-replaced", "engineers")
    + """\
logsource: {product: balefire}
detection:
  sel: {ot.effect: program.download}
  known: {source.ip|cidr|expand: '%engineering%'}
  named: {source.asset.name|startswith|expand: 'ws-%lines%-'}
  ports: {destination.port|expand: '%ports%'}
  nobody: {source.ip|expand: '%retired%'}
  condition: sel and not known and not named and not nobody and ports
level: high
misses: [{en: a, zh: 一}]
respond: [{en: a, zh: 一}]
tests:
  fires:
    - {ot.effect: program.download, source.ip: 10.10.9.1}
  quiet:
    - {ot.effect: program.download, source.ip: 10.10.2.9}
    - {ot.effect: program.download, source.ip: 10.10.9.1, source.asset.name: WS-b-3}
    - {ot.effect: program.download, source.ip: 10.10.9.1, destination.port: 503}
"""
)
SITE = "engineering: [10.10.2.0/24, 10.10.3.7/32]\nlines: [a, b]\nports: [502, 102]\nretired: []\n"


def test_placeholders_are_bounded_as_rules_are(tmp_path: Path) -> None:
    book = rulebook(tmp_path, placeholders=f"hosts: [10.10.2.9]\n# {'x' * LARGEST}\n")
    assert [(file, check) for file, _, check in said(book)] == [("placeholders.yml", "too-large")]
    assert read_placeholders(Path("/dev/zero"))[0] == {}  # which has no end


def test_placeholders_of_a_site(tmp_path: Path) -> None:
    book = rulebook(tmp_path, engineers=ENGINEERS, placeholders=SITE)
    assert said(book) == []
    assert "engineers" in findings(book, at(0, ot__effect="program.download", source__ip="10.10.3.8"))
    assert "engineers" not in findings(book, at(0, ot__effect="program.download", source__ip="10.10.3.7"))
    assert load([tmp_path / "engineers.yml"]).problems == ()  # beside the file


@pytest.mark.parametrize(
    ("site", "problems"),
    [
        ("lines: [a]\nports: [502]\nretired: []\n", [("engineers.yml", 10, "placeholder")]),
        (SITE.replace("10.10.3.7/32", "10.10.3.7/24"), [("engineers.yml", 10, "cidr-bits")]),
        (SITE.replace("10.10.3.7/32", "nonsense"), [("engineers.yml", 10, "cidr-form")]),
        (SITE.replace("10.10.3.7/32", "7"), [("engineers.yml", 10, "placeholder-unfit")]),
        (SITE + "other: {a: b}\n", [("placeholders.yml", 5, "placeholder-value")]),
        (SITE + "1st: [a]\n", [("placeholders.yml", 5, "placeholder-name")]),
        (SITE.replace("10.10.3.7/32", "1:30"), [("placeholders.yml", 1, "misread"), ("engineers.yml", 10, "placeholder")]),
        (SITE + "lines: [c]\n", [("placeholders.yml", 5, "duplicate-key"), ("engineers.yml", 23, "case")]),
        ("- a\n", [("placeholders.yml", 1, "not-a-rule"), ("engineers.yml", 10, "placeholder")]),
        ("a: &a [1]\nb: *a\n", [("placeholders.yml", 2, "alias"), ("engineers.yml", 10, "placeholder")]),
    ],
)
def test_placeholders_with_a_fault(tmp_path: Path, site: str, problems: list[tuple[str, int, str]]) -> None:
    found = said(rulebook(tmp_path, engineers=ENGINEERS, placeholders=site))
    assert [one for one in problems if one not in found] == []


def test_a_value_stands_for_so_many_texts_and_no_more(tmp_path: Path) -> None:
    """Two placeholders of forty values each are sixteen hundred texts."""
    twice = ENGINEERS.replace("'ws-%lines%-'", "'ws-%lines%-%lines%'")
    book = rulebook(tmp_path, engineers=twice, placeholders=SITE.replace("[a, b]", str([f"line{number}" for number in range(40)])))
    assert ("engineers.yml", 11, "placeholder-many") in said(book)


def test_two_rules_of_one_name_are_told(tmp_path: Path) -> None:
    """A correlation could not tell which of them it means."""
    named = REFUSALS.replace("tags:", "name: refusals\ntags:", 1)
    book = rulebook(tmp_path, one=named.replace("many-refusals", "one"), two=named.replace("many-refusals", "two"))
    assert [check for file, _, check in said(book) if file == "two.yml"] == ["duplicate-name"]
    assert "one" in {rule.id for rule in book.rules}


def test_a_value_that_does_not_fit_is_named_with_its_file(tmp_path: Path) -> None:
    book = rulebook(tmp_path, engineers=ENGINEERS, placeholders=SITE.replace("10.10.3.7/32", "10.10.3.7/24"))
    (wrong,) = (problem for problem in book.problems if problem.check == "cidr-bits")
    assert "“10.10.3.7/24” (from %" in wrong.message.en
    assert "placeholders.yml" in wrong.message.en
    assert "10.10.3.0/24" in wrong.advice.en


def test_a_case_is_shown_as_it_is_written() -> None:
    advice = problem("x.yml", 1, "x", Fault("case-form")).advice
    assert "{{" not in advice.en + advice.zh
    assert "`{}`" in advice.en


# ---- what is wrong with a correlation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line", "check"),
    [
        ("type: value_sum", "type: value_max", 8, "correlation-type"),
        ("rules: [reads]", "rules: [read]", 9, "reference"),
        ("rules: [reads]", "rules: []", 9, "correlation-rules"),
        ("rules: [reads]", "rules: [reads, reads]", 9, "correlation-rules"),
        ("group-by: [source.ip, destination.ip]", "group-by: [source.ipp]", 10, "field"),
        ("group-by: [source.ip, destination.ip]", "group-by: [ot.anomaly]", 10, "group-field"),
        ("group-by: [source.ip, destination.ip]", "group_by: [source.ip]", 10, "unknown-key"),
        ("timespan: 10m", "timespan: 10 minutes", 11, "timespan"),
        ("timespan: 10m", "timespan: 99y", 11, "timespan"),
        ("timespan: 10m", "timespan: 0m", 11, "timespan"),
        ("    field: ot.object.count\n", "", 12, "measured"),
        ("field: ot.object.count", "field: ot.object.counts", 13, "field"),
        ("field: ot.object.count", "field: ot.effect", 13, "measured"),
        ("field: ot.object.count", "field: [ot.count, ot.bytes]", 12, "measured"),
        ("    gte: 40\n", "", 12, "bounds"),
        ("gte: 40", "gte: many", 14, "bounds"),
        ("gte: 40", "gte: .nan", 14, "bounds"),
        ("gte: 40", "gte: 40\n    least: 3", 15, "unknown-key"),
        ("gte: 40", "gte: 40\n    percentile: 3", 15, "percentile"),
        ("type: value_sum", "type: value_percentile", 12, "percentile"),
        ("  condition:\n    field: ot.object.count\n    gte: 40\n", "  condition: reads\n", 12, "bounds"),
        ("type: value_sum", "type: event_count", 12, "measured"),
        ("level: medium", "level: medium\nkey: [ot.unit]", 16, "key-group"),
        ("level: medium", "level: medium\nlogsource: {product: balefire}", 16, "unknown-key"),
        ("{measure} ranges", "{measured} ranges", 1, "text-placeholder"),
        ("ot: {object: {count: 39}}", "ot: {object: {count: 40}}", 33, "case"),
        ("- - ot: {object: {count: 39}}", "- - 3", 33, "case-form"),
        ("- - ot: {object: {count: 39}}", "- - {repeat: 0}", 33, "case-repeat"),
        ("- - ot: {object: {count: 39}}", "- - {repeat: 100000}", 33, "case-repeat"),
        ("name: reads", "name: [reads]", 38, "part-name"),
        ("name: reads", "title: reads", 38, "part-name"),
        ("logsource: {product: balefire}", "logsource: {product: windows}", 39, "logsource"),
        ("ot.access: read", "ot.access: reads", 42, "closed-list"),
        ("ot.access: read", "ot.object.name|re: 'a(?=b)'", 42, "regex"),
        ("ot.access: read", "ot.object.name|re: '(a)\\1'", 42, "regex"),
        ("  condition: many", "  condition: lots", 44, "condition"),
        ("name: reads", "name: reads\ntests: 1", 39, "unknown-key"),
        ("name: reads", "name: reads\nname: reeds", 39, "duplicate-key"),
        ("correlation:\n  type: value_sum", "correlation: 3\nx:\n  type: value_sum", 7, "correlation-form"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_correlation_is_said_at_its_line(tmp_path: Path, old: str, new: str, line: int, check: str) -> None:
    assert old in SWEEP
    book = rulebook(tmp_path, slow_sweep=SWEEP.replace(old, new, 1), program_replaced=TAKEN)
    assert ("slow-sweep.yml", line, check) in said(book)
    loaded = {rule.id for rule in book.rules}
    assert "program-replaced" in loaded
    assert "slow-sweep" not in loaded


def test_a_correlation_of_ordinary_polling_is_not_loaded(tmp_path: Path) -> None:
    text = SWEEP.replace("    ot.object.count|gte: 8\n", "").replace("gte: 40", "gte: 10")
    assert ("slow-sweep.yml", 7, "polling") in said(rulebook(tmp_path, slow_sweep=text))


@pytest.mark.parametrize(("old", "new"), [("temporal_ordered", "temporal_ordered"), ("type: temporal_ordered", "type: temporal")])
def test_a_correlation_that_does_not_see_the_rows_of_a_minute_says_so(tmp_path: Path, old: str, new: str) -> None:
    text = TAKEN.replace("ot.effect: program.upload}, c", "ot.effect: [program.upload, value.read]}, c").replace(old, new)
    text = text.replace("timespan: 1h", "timespan: 59s" if old != new else "timespan: 1h")
    if old != new:
        text = re.sub(r"    - - ot: .*download}\n      - ot: .*upload}\n", "", text)
    book = rulebook(tmp_path, program_replaced=text)
    assert said(book) == [("program-replaced.yml", 7, "grouped-unseen")]
    assert [rule.id for rule in book.rules if rule.own_rows_only] == ["program-replaced"]


WAYS = (
    re.sub(r"    - - ot: .*download}\n      - ot: .*upload}\n", "", TAKEN)
    .replace("temporal_ordered", "temporal")
    .replace("  timespan: 1h\n", "  timespan: 1h\n  condition: taken and put\n")
)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("condition: taken and put", "condition: taken and", "condition"),
        ("condition: taken and put", "condition: taken and putt", "reference"),
        ("condition: taken and put", "condition: taken", "part-unused"),
        ("condition: taken and put", "condition: taken or not put", "condition"),
        ("condition: taken and put", f"condition: {'taken and ' * 300}put", "condition"),
        ("condition: taken and put", "condition: {lt: 2}", "only-upper"),
        ("condition: taken and put", "condition: 3", "bounds"),
        ("rules: [taken, put]", "rules: [taken]", "reference"),
        ("group-by: [source.ip, destination.ip]", "aliases: {host: {taken: source.ip}}\n  group-by: [host]", "alias-field"),
        ("group-by: [source.ip, destination.ip]", "aliases: {host: {took: source.ip}}\n  group-by: [host]", "reference"),
        ("group-by: [source.ip, destination.ip]", "aliases: [host]\n  group-by: [source.ip]", "alias-form"),
        ("group-by: [source.ip, destination.ip]", "aliases: {host: source.ip}\n  group-by: [source.ip]", "alias-form"),
        ("name: put\nlogsource: {product: balefire}", "name: put\nlogsource: {product: balefire, category: point}", "mixed-tables"),
        ("  timespan: 1h\n", "  timespan: 1h\n  generate: maybe\n", "generate"),
    ],
)
def test_what_is_wrong_with_a_condition_over_rules(tmp_path: Path, old: str, new: str, check: str) -> None:
    assert old in WAYS
    assert said(rulebook(tmp_path, program_replaced=WAYS)) == []
    text = WAYS.replace(old, new)
    if check == "mixed-tables":
        text = text.replace("detection: {sel: {ot.effect: program.download}", "detection: {sel: {ot.point.max: 1}")
    assert check in [one[2] for one in said(rulebook(tmp_path, program_replaced=text))]


def test_points_have_no_order_and_nothing_shorter_than_a_minute(tmp_path: Path) -> None:
    text = REFUSALS.replace("rules: [write-refused]", "rules: [too-hot]").replace("group-by: source.ip", "group-by: [destination.ip]").replace("{source}", "X")
    short = rulebook(tmp_path, too_hot=HOT, many_refusals=text.replace("timespan: 5m", "timespan: 5s"))
    assert ("many-refusals.yml", 11, "points-by-minute") in said(short)


def _of_files(book: Rulebook, folder: Path) -> set[str]:
    """The correlations that are not bundled ones."""
    return {rule.id for rule in book.rules if rule.correlation and Path(rule.file).is_relative_to(folder)}


def test_correlations_that_go_round_in_a_circle_are_refused(tmp_path: Path) -> None:
    def of(name: str, other: str) -> str:
        return REFUSALS.replace("many-refusals", name).replace("[write-refused]", f"[{other}]")

    book = rulebook(tmp_path, first=of("first", "second"), second=of("second", "first"), itself=of("itself", "itself"), many_refusals=REFUSALS)
    told = said(book)
    assert ("first.yml", 9, "cycle") in told
    assert ("second.yml", 9, "cycle") in told
    assert ("itself.yml", 9, "cycle") in told
    assert _of_files(book, tmp_path) == {"many-refusals"}
    parts = TAKEN.replace("name: put\nlogsource: {product: balefire}\ndetection: {sel: {ot.effect: program.download}, condition: sel}",
                          "name: put\ncorrelation: {type: event_count, rules: [put], timespan: 1h, condition: {gte: 1}}")  # fmt: skip
    assert "cycle" in [one[2] for one in said(rulebook(tmp_path, program_replaced=parts))]


def test_every_file_of_a_circle_tells_the_whole_way_round(tmp_path: Path) -> None:
    def of(name: str, other: str, called: str = "") -> str:
        return REFUSALS.replace("id: many-refusals", f"id: {name}" + (f"\nname: {called}" if called else "")).replace("[write-refused]", f"[{other}]")

    book = rulebook(tmp_path, a=of("a", "b"), b=of("b", "third"), c=of("c", "a", "third"), d=of("d", "b"))
    told = {Path(found.file).name: found.message.en for found in book.problems if found.check in {"cycle", "reference"}}
    assert set(told) == {"a.yml", "b.yml", "c.yml", "d.yml"}
    assert all("a → b → c → a" in words for words in told.values()), told


def _of_parts(names: dict[str, list[str]]) -> str:
    """SWEEP as it looks at the first of these parts, and each at those that it names; what names nothing looks at `reads`."""
    part = "---\nname: {}\ncorrelation: {{type: temporal, rules: [{}], group-by: [source.ip], timespan: 10m}}\n"
    first = SWEEP.replace("rules: [reads]", f"rules: [{next(iter(names))}]")
    return first.removesuffix("\n") + "\n" + "".join(part.format(name, ", ".join(rules or ["reads"])) for name, rules in names.items())


@pytest.mark.parametrize(
    ("names", "faults"),
    [
        ({f"p{n}": [f"p{n + 1}"] if n < 2 else [] for n in range(3)}, 0),
        ({f"p{n}": [f"p{n + 1}"] if n < 3 else [] for n in range(4)}, 1),
        ({f"p{n}": [f"p{n + 1}"] if n < 1500 else [] for n in range(1501)}, 1),
        ({f"p{n}": [f"p{(n + 1) % 1500}"] for n in range(1500)}, 1),
        ({f"{side}{n}": [f"a{n + 1}", f"b{n + 1}"] if n < 400 else [] for n in range(401) for side in "ab"}, 2),
        ({"wide": [f"p{n}" for n in range(32)], **{f"p{n}": ["q0", "q1", "q2"] for n in range(32)}, "q0": [], "q1": [], "q2": []}, 1),
    ],
)
def test_correlations_of_correlations_are_bounded_whatever_the_way_down_is(tmp_path: Path, names: dict[str, list[str]], faults: int) -> None:
    """Two parts that each look at two are 2^depth correlations, and a long way is deeper than Python's stack."""
    book = rulebook(tmp_path, slow_sweep=_of_parts(names))
    told = [found for found in book.problems if found.check in {"nested", "cycle"}]
    assert len(told) == faults
    assert all(found.line > 40 or len(names) < 5 for found in told)
    assert ("slow-sweep" in _of_files(book, tmp_path)) == (not any(found.blocks for found in book.problems))
    assert "reference" not in {found.check for found in book.problems}


@pytest.mark.parametrize("round_it", [False, True])
def test_files_that_each_name_the_next_end_in_no_traceback(tmp_path: Path, round_it: bool) -> None:
    def of(number: int) -> str:
        below = "write-refused" if number == 0 and not round_it else f"chain-{(number - 1) % 400}"
        return REFUSALS.replace("many-refusals", f"chain-{number}").replace("[write-refused]", f"[{below}]").replace("gte: 5", "gte: 1" if number else "gte: 5")

    texts = {f"chain_{number}": of(number) for number in range(400)}
    book = rulebook(tmp_path, many_refusals=REFUSALS, **texts)
    checks = [found.check for found in book.problems if found.blocks and found.check != "case"]
    assert checks.count("cycle" if round_it else "nested") == (400 if round_it else 1)
    assert _of_files(book, tmp_path) == {"many-refusals"} | (set() if round_it else {f"chain-{number}" for number in range(4)})


def test_what_nobody_foresaw_keeps_one_file_out_and_the_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbling(reading: Reading, placeholders: Placeholders) -> Rule:
        if reading.id == "too-hot":
            raise IndexError
        return single_rule(reading, placeholders)

    monkeypatch.setattr("detectors.rulebook.one.single_rule", stumbling)
    book = rulebook(tmp_path, too_hot=HOT, many_refusals=REFUSALS)
    assert said(book) == [("too-hot.yml", 1, "unforeseen")]
    assert "IndexError, test_rule_files.py:" in book.problems[0].message.en
    assert book.problems[0].blocks
    assert _of_files(book, tmp_path) == {"many-refusals"}


def test_a_correlation_may_look_at_one_of_another_file_in_any_order_of_files(tmp_path: Path) -> None:
    outer = REFUSALS.replace("many-refusals", "again-and-again").replace("[write-refused]", "[many-refusals]").replace("5m", "1h").replace("gte: 5", "gte: 2")
    outer = re.sub(r"  fires:\n.*\n  quiet:\n.*\n", "", outer)
    case = "{event.outcome: failure, ot: {effect: value.write, error: illegal_data_address}, repeat: %d}"
    late = case.replace("repeat", "'@timestamp': 2026-03-02T10:10:00Z, repeat")
    outer += f"  fires:\n    - [{case % 5}, {late % 5}]\n  quiet:\n    - [{case % 5}, {late % 4}]\n    - [{case % 9}]\n"
    book = rulebook(tmp_path, again_and_again=outer, many_refusals=REFUSALS)
    assert said(book) == []
    assert _of_files(book, tmp_path) == {"again-and-again", "many-refusals"}


def test_rules_with_a_file_go_on_firing_unless_the_correlation_says_otherwise(tmp_path: Path) -> None:
    rows = [at(number, event__outcome="failure", ot__effect="value.write") for number in range(5)]
    assert {"write-refused", "many-refusals"} <= findings(rulebook(tmp_path, many_refusals=REFUSALS), *rows).keys()
    book = rulebook(tmp_path, many_refusals=REFUSALS.replace("  timespan", "  generate: false\n  timespan"))
    assert said(book) == [("many-refusals.yml", 11, "silenced")]
    assert "write-refused" not in findings(book, *rows)
    assert "many-refusals" in findings(book, *rows)


def test_a_correlation_read_alone_knows_the_bundled_rules() -> None:
    rule, problems = load_text(REFUSALS, "many-refusals.yml")
    assert problems == []
    assert rule is not None
    assert rule.correlation is not None


def test_a_file_holds_one_rule(tmp_path: Path) -> None:
    text = HOT + "---\n" + HOT
    assert ("too-hot.yml", 22, "several") in said(rulebook(tmp_path, too_hot=text))


@settings(deadline=None, max_examples=as_many(200))
@given(st.integers(0, SWEEP.count("\n") - 1), st.integers(0, 30), st.text("[]{}:-|*&!%@#'\" \n0aé", max_size=6))
def test_no_damage_to_a_correlation_raises(line: int, column: int, odd: str) -> None:
    lines = list[str](SWEEP.split("\n"))
    lines[line] = lines[line][:column] + odd + lines[line][column:]
    load_text("\n".join(lines), "slow-sweep.yml")


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.sampled_from(["a", "1m", "reads", "ot.count", "gte", "temporal", "event_count"])),
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(st.sampled_from(["gte", "field", "percentile", "a", "reads"]), part, max_size=3)),
    max_leaves=5,
)


@settings(deadline=None, max_examples=as_many(300))
@given(st.dictionaries(st.sampled_from(["type", "rules", "group-by", "timespan", "condition", "aliases", "generate", "x"]), VALUES))
def test_no_correlation_raises(said: dict[str, Any]) -> None:
    part = Document({"name": "reads", "logsource": {"product": "balefire"}, "detection": {"sel": {"ot.access": "read"}, "condition": "sel"}})
    reading = Reading("x.yml", Document({"correlation": said}, parts=[part]))
    assert correlation_rule(reading, Alone()) or reading.faults
