"""`python -m tests.bench.rules`: how long a thousand rules take over a hundred thousand activities.

Rules and rows are made from a seed. Nothing is printed before the matches of a sample of rows are those of the slow evaluator of the tests, which is also
what the speed is compared with. Seconds are those of the processor, so that what else runs on the machine does not count.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from detectors.methods.rules import Rules
from detectors.rulebook.correlation import COUNTING, KINDS, SECOND, TEMPORAL, Conjunct, Correlation, Fresh, Part
from detectors.rulebook.detection import detection
from detectors.rulebook.document import Document
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import Rulebook
from detectors.rulebook.rule import Rule
from detectors.rulebook.watch import AT_ONCE, MOST, Watch
from records.effects import EFFECTS
from records.model import Batch, Text
from records.schema import ACTIVITY, arrow_table
from tests.rule_reference import condition_matches

if TYPE_CHECKING:
    import pyarrow as pa

    from detectors.rulebook.predicates import Predicate
    from records.schema import Field

RULES: Final = 1000
ROWS: Final = 100_000
SAMPLE: Final = 150
RUNS: Final = 3
LIMIT_S: Final = 2.0  # seconds of the processor to match and judge all of it
SMALL: Final = 20  # rows of a batch as it comes live
BATCHES: Final = 20
GROWN: Final = 3.0  # times as long that a batch may take where a group has grown
CORRELATION: Final = 20  # one rule in so many is one, each type in its turn
START: Final = 1_772_445_600 * SECOND

Made = tuple[dict[str, Any], Any]  # named detections, and the condition in the form of the slow evaluator


def activities(rows: int, seed: int) -> pa.Table:
    """A quarter of an hour of a large plant: mostly reads, some of everything else, a few thousand names."""
    pick = random.Random(seed)
    rare = [effect.name for effect in EFFECTS]
    effects = pick.choices(["value.read", "value.report", "value.write", "output.operate", *rare], [600, 250, 60, 30, *[60 / len(rare)] * len(rare)], k=rows)
    access = {effect.name: effect.access for effect in EFFECTS}
    own = {effect.name: effect.own for effect in EFFECTS}
    columns: dict[str, list[Any]] = {
        "id": [f"{number:020x}" for number in range(rows)],
        "@timestamp": [START + number * 900 * SECOND // rows for number in range(rows)],
        "event.action": [pick.choice(["read_holding_registers", "write_single_register", "operate", "download_block", "read_tag"]) for _ in range(rows)],
        "event.outcome": pick.choices(["success", "failure", "unknown"], [95, 3, 2], k=rows),
        "source.ip": [f"10.20.{pick.randrange(4)}.{pick.randrange(40)}" for _ in range(rows)],
        "destination.ip": [f"10.30.{pick.randrange(8)}.{pick.randrange(200)}" for _ in range(rows)],
        "destination.port": pick.choices([502, 102, 20000, 2404, 44818], k=rows),
        "network.protocol": pick.choices(["modbus", "s7comm", "dnp3", "iec104", "enip"], k=rows),
        "observer.name": ["plant"] * rows,
        "ot.effect": effects,
        "ot.access": [access[effect] for effect in effects],
        "ot.unit": [pick.randrange(32) for _ in range(rows)],
        "ot.object.space": pick.choices(["coil", "holding_register", "input_register", "tag"], k=rows),
        "ot.object.name": [f"Line{pick.randrange(20)}.Tank{pick.randrange(200)}.Level" if pick.random() < 0.3 else None for _ in range(rows)],
        "ot.object.first": [pick.randrange(10_000) for _ in range(rows)],
        "ot.count": [1 if own[effect] else pick.randrange(1, 60) for effect in effects],
        "ot.value": [round(pick.gauss(50, 20), 2) if pick.random() < 0.4 else None for _ in range(rows)],
        "ot.anomaly": [["bad_length"] if pick.random() < 0.002 else [] for _ in range(rows)],
        "ot.error": ["illegal_data_address" if pick.random() < 0.02 else None for _ in range(rows)],
        "ot.grouped": [not own[effect] for effect in effects],
    }
    columns["event.end"] = columns["@timestamp"]
    return arrow_table(ACTIVITY, columns, rows)


def item(pick: random.Random) -> tuple[str, Any]:
    """One test of a field, as people write them."""
    shapes: list[tuple[str, Any]] = [
        ("source.ip|cidr", f"10.20.{pick.randrange(4)}.{pick.randrange(5) * 8}/29"),
        ("destination.ip", [f"10.30.{pick.randrange(8)}.{pick.randrange(200)}" for _ in range(pick.randrange(1, 5))]),
        ("destination.ip|startswith", f"10.30.{pick.randrange(8)}.1"),
        ("event.action|contains", pick.choice(["write", "download", "tag"])),
        ("event.outcome", pick.choice(["failure", "unknown"])),
        ("ot.object.name", f"line{pick.randrange(20)}.*"),
        ("ot.object.name|endswith", f"tank{pick.randrange(200)}.level"),
        ("ot.object.name|re", rf"Tank{pick.randrange(1, 20)}\d\."),
        ("ot.object.first|gte", pick.randrange(9000, 10_000)),
        ("ot.value|gt", pick.randrange(60, 130)),
        ("ot.value|lte", pick.randrange(-30, 30)),
        ("ot.unit", [pick.randrange(32) for _ in range(pick.randrange(1, 4))]),
        ("network.protocol|neq", pick.choice(["modbus", "dnp3"])),
        ("destination.port", pick.choice([502, 102, 20000])),
        ("ot.error|exists", True),
        ("ot.anomaly", pick.choice(["bad_length", "short"])),
        ("ot.object.space", pick.choice(["coil", "tag"])),
        ("@timestamp|minute|lt", pick.randrange(1, 15)),
    ]
    return pick.choice(shapes)


def rule(pick: random.Random) -> Made:
    """A rule on single activities: an effect or two, what narrows it, and an exception or an alternative."""
    rare = [effect.name for effect in EFFECTS if effect.own]
    names: dict[str, Any] = {
        "acts": {"ot.effect": pick.sample(rare, pick.randrange(1, 4)), **dict(item(pick) for _ in range(pick.randrange(1, 3)))},
        "sel_a": dict([item(pick)]),
        "sel_b": dict(item(pick) for _ in range(2)),
        "known": dict([item(pick)]),
    }
    return names, pick.choice([
        ("and", ("name", "acts"), ("not", ("name", "known"))),
        ("and", ("name", "acts"), ("of", "1", "sel_*")),
        ("and", ("name", "acts"), ("and", ("of", "1", "sel_*"), ("not", ("name", "known")))),
        ("and", ("name", "acts"), ("name", "sel_a")),
    ])  # fmt: skip


def written(condition: Any) -> str:
    """The condition as Sigma has it."""
    kind, *parts = condition
    if kind in {"name", "of"}:
        return parts[0] if kind == "name" else f"{parts[0]} of {parts[1]}"
    return f"not ({written(parts[0])})" if kind == "not" else f"({written(parts[0])} {kind} {written(parts[1])})"


def loaded(made: Made, number: int, pick: random.Random) -> Rule:
    """The rule as it is once it is loaded; some are made the part of a correlation."""
    names, condition = made
    found = detection(Document({"detection": {**names, "condition": written(condition)}}))
    other = detection(Document({"detection": {"known": names["known"], "condition": "known"}}))
    if found.match is None or other.match is None:
        raise SystemExit(f"rule {number}: {found.faults} {other.faults}")
    kind = KINDS[number // CORRELATION % len(KINDS)] if number % CORRELATION == 0 else ""
    correlation = correlated(kind, found.match, other.match, pick) if kind else None
    words = Text("{source} did this to {destination}", "{source} 对 {destination} 进行操作")
    return Rule(
        f"rule-{number:04d}", "bench", words, words, "medium", ("T0855",), Fresh(correlation) if correlation else found.match, frozenset(found.fields),
        ("source.ip", "destination.ip")[: 1 if correlation else 2], (), (), (), None, (), correlation=correlation,
    )  # fmt: skip


def correlated(kind: str, match: Predicate, other: Predicate, pick: random.Random) -> Correlation:
    """So much of it by one host within five minutes; of those that look at time, it and something else."""
    part, beside = (Part(name, (known_field("source.ip"),), one) for name, one in (("part", match), ("beside", other)))
    if kind in TEMPORAL:
        return Correlation(kind, (part, beside), ("source.ip",), 300 * SECOND, "5m", ACTIVITY, wanted=(Conjunct((0, 1)),))
    measured = {"event_count": (), "value_count": (known_field("destination.ip"),)}.get(kind, (known_field("ot.value"),))
    least = pick.randrange(2, 5) if kind in COUNTING else pick.randrange(60, 200)
    return Correlation(kind, (part,), ("source.ip",), 300 * SECOND, "5m", ACTIVITY, bounds=(("gte", least),), measured=measured)


def known_field(name: str) -> Field:
    """The field of activities that has this name."""
    found: Field | None = ACTIVITY.field(name)
    if found is None:
        raise SystemExit(f"activities have no {name}")
    return found


def check(table: pa.Table, made: list[Made], rules: list[Rule], masks: list[Any], pick: random.Random) -> float:
    """Compares a sample of rows, half of which some rule matches, with the slow evaluator; its seconds a rule and row."""
    hit = np.flatnonzero(np.logical_or.reduce([mask for mask, one in zip(masks, rules, strict=True) if one.correlation is None]))
    chosen = sorted({*pick.sample(hit.tolist(), min(len(hit), SAMPLE // 2)), *pick.sample(range(table.num_rows), SAMPLE // 2)})
    rows = [{key: value for key, value in row.items() if value is not None} for row in table.take(chosen).to_pylist()]
    started, wrong, asked = time.process_time(), 0, 0
    for (names, condition), one, mask in zip(made, rules, masks, strict=True):
        if one.correlation is None:
            asked += len(rows)
            wrong += [condition_matches(row, names, condition) for row in rows] != mask[chosen].tolist()
    if wrong or not len(hit):
        raise SystemExit(f"{wrong} rules differ from the slow evaluator, {len(hit)} rows match")
    return (time.process_time() - started) / asked


def in_small_batches(table: pa.Table, rules: list[Rule], wanted: int) -> float:
    """Seconds for a batch of SMALL rows, as they come live, when all but the last rows were judged before; as many findings as at once."""
    judge = Rules(Rulebook(tuple(rules), (), len(rules), 0, ()), {})
    start = max(0, table.num_rows - BATCHES * SMALL)
    found = len(judge.judge(Batch(activities=table.slice(0, start))))
    cuts = range(start, table.num_rows, SMALL)
    started = time.process_time()
    found += sum(len(judge.judge(Batch(activities=table.slice(at, SMALL)))) for at in cuts)
    taken = time.process_time() - started
    if found != wanted:
        raise SystemExit(f"{found} findings in small batches, {wanted} at once")
    return taken / max(1, len(cuts))


def growing(table: pa.Table) -> tuple[float, float]:
    """Seconds for a batch of SMALL rows of one correlation that groups by nothing and does not fire: when it remembers a thousand rows, and most of them."""
    part = Part("part", (), lambda frame: np.ones(frame.height, dtype=np.bool_))
    found: list[float] = []
    for remembered in (1000, min(table.num_rows, MOST - AT_ONCE) - BATCHES * SMALL):
        watch = Watch(
            Correlation("value_count", (part,), (), 3600 * SECOND, "1h", ACTIVITY, bounds=(("gte", 10**6),), measured=(known_field("destination.ip"),))
        )
        watch.judge(Frame(table.slice(0, remembered)))
        taken: list[float] = []
        for at in range(remembered, remembered + BATCHES * SMALL, SMALL):
            started = time.process_time()
            watch.judge(Frame(table.slice(at, SMALL)))
            taken.append(time.process_time() - started)
        found.append(median(taken))
    return found[0], found[1]


def main() -> None:
    """Make, measure, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("rules", RULES), ("rows", ROWS), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    pick = random.Random(asked.seed)
    table = activities(asked.rows, asked.seed)
    made = [rule(pick) for _ in range(asked.rules)]
    started = time.process_time()
    rules = [loaded(one, number, pick) for number, one in enumerate(made)]
    reading = time.process_time() - started
    matching: list[float] = []
    judging: list[float] = []
    masks: list[Any] = []
    findings = 0
    for _ in range(RUNS):
        started = time.process_time()
        frame = Frame(table)
        masks = [one.match(frame) for one in rules]
        matching.append(time.process_time() - started)
        judge = Rules(Rulebook(tuple(rules), (), len(rules), 0, ()), {})
        started = time.process_time()
        findings = len(judge.judge(Batch(activities=table)))
        judging.append(time.process_time() - started)
    slow = check(table, made, rules, masks, pick)
    per = median(matching) / (asked.rules * asked.rows)
    print(f"{asked.rules:,} rules, {asked.rows:,} activities, seed {asked.seed}, {findings:,} findings; a sample agrees with the slow evaluator")
    print(f"  read   {reading:8.2f} s  {reading / asked.rules * 1000:.1f} ms a rule")
    print(f"  match  {median(matching):8.2f} s  {per * 1e9:.1f} ns a rule and activity, {slow / per:,.0f} times the slow evaluator")
    small = in_small_batches(table, rules, findings)
    print(f"  small  {small * 1000:8.1f} ms  a batch of {SMALL} activities, {small / SMALL * asked.rows / median(judging):.0f} times as long a row")
    print(f"  judge  {median(judging):8.2f} s  matching and findings; the limit is {LIMIT_S:g} s")
    little, much = growing(table)
    print(f"  grown  {much * 1000:8.1f} ms  a batch of {SMALL} for a correlation that remembers most of them, {little * 1000:.1f} ms where it is 1,000")
    if much > GROWN * little:
        raise SystemExit(f"more than {GROWN:g} times as long where more is remembered")
    if median(judging) > LIMIT_S:
        raise SystemExit(f"slower than {LIMIT_S:g} s")


if __name__ == "__main__":
    sys.exit(main())
