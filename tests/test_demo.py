"""The attack in the demo capture, step by step, against its ground truth: every step is found or stands below with the reason why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from records.nesting import period
from tests.cli import CAPTURES, Row, lines, program, stored

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 10**9
TRUTH: Row = json.loads((CAPTURES / "demo.truth.json").read_text("utf-8"))
ATTACK: Row = TRUTH["attack"]
STEPS: list[Row] = ATTACK["steps"]

# By step, and by victim where others of the step are found.
MISSES: dict[tuple[int, str], str] = {
    (1, ""): "Connections are opened and no operation is asked for. That addresses were searched before is found, of a MAC address and without a victim.",
    (10, "10.20.2.11"): "The attacker's second address did nothing before that an engineering station does, and its writes are well-formed.",
    (11, "10.20.2.11"): "As in step 10: an ordinary command, from an address of which nothing is known.",
}

# Where what one operation shows is less than what the attacker meant by a row of them.
LESS: dict[int, set[str]] = {12: {"T0855"}}


def nanoseconds(seconds: float) -> int:
    return round(seconds * 1e6) * 1000


def time_of(row: Row) -> int:
    found = period(row["time"])
    assert found
    return found[0]


@pytest.fixture(scope="module")
def findings() -> list[Row]:
    return lines("findings", "--store", stored()[0])


def during(findings: list[Row], step: Row) -> list[Row]:
    """The findings of a step that name the attacker; a first packet may be stamped a moment before the script's own clock."""
    start, end = nanoseconds(step["start"]) - SECOND // 10, nanoseconds(step["end"]) + SECOND // 10
    return [row for row in findings if start <= time_of(row) <= end and row["source"]["ip"] in ATTACK["attacker"]]


def missed(step: Row) -> set[str]:
    """The victims that are known to be missed."""
    number = step["step"]
    return set(step["victims"]) if (number, "") in MISSES else {victim for victim in step["victims"] if (number, victim) in MISSES}


@pytest.mark.parametrize("step", [pytest.param(step, id=f"{step['step']} {step['name']}") for step in STEPS])
def test_a_step_is_found_or_its_miss_is_written_down(findings: list[Row], step: Row) -> None:
    found = during(findings, step)
    named = {row["destination"]["ip"] for row in found} & set(step["victims"])
    assert named == set(step["victims"]) - missed(step)
    if named:
        assert {technique for row in found for technique in row["techniques"]} & (set(step["techniques"]) | LESS.get(step["step"], set()))


def test_misses_are_of_steps_that_exist() -> None:
    known = {(step["step"], victim) for step in STEPS for victim in ("", *step["victims"])}
    assert set(MISSES) <= known
    assert all(reason.endswith(".") for reason in MISSES.values())


def test_nobody_else_is_accused(findings: list[Row]) -> None:
    accused = [row for row in findings if row["severity"] >= 40]
    parties: set[Any] = {row["source"]["ip"] for row in accused if row["source"]["ip"]}
    assert parties <= set(ATTACK["attacker"])
    assert [(row["rule"], row["title"]["en"][:17]) for row in accused if not row["source"]["ip"]] == [("arp-sweep", "02:ba:1e:01:00:66")]


def test_before_the_attack_nothing_is_above_low(findings: list[Row]) -> None:
    start = nanoseconds(ATTACK["start"])
    benign = [row for row in findings if time_of(row) < start]
    assert [row["rule"] for row in benign if row["severity"] >= 40] == []


def test_the_first_look_takes_less_than_five_seconds(tmp_path: Path) -> None:
    """The promise of `make demo`, on a machine where nothing is compiled yet: no kernel is in the cache, and no store is there. Other tests run meanwhile."""
    assert any(first_look(tmp_path / str(number)) < 5 for number in range(3))


def first_look(home: Path) -> float:
    """How many seconds it takes somebody who has nothing."""
    home.mkdir()
    fresh = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "XDG_DATA_HOME": str(home / "data")}
    done = program("demo", "--json", environment=fresh)
    assert done.returncode == 0, done.stderr
    return float(json.loads(done.stdout)["elapsed_s"])
