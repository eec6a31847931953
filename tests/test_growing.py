"""docs/growing.md: its arithmetic holds for its own figures, its commands are commands, its JSON is of the schema's fields."""

from __future__ import annotations

import ast
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from records.schema import ACTIVITY
from records.store.documents import finished
from records.store.rendering import bodies
from records.store.spool import LIMIT
from records.store.templates import PERIODS
from tests.bench import history
from tests.shipped import parsed

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "docs" / "growing.md").read_text("utf-8")
GIVEN: Final = ("assumed", "measured", "as set")
CLOSE: Final = 0.005  # figures are told to three digits
OPERATORS: Final[dict[type, Callable[[float, float], float]]] = {
    ast.Add: lambda one, other: one + other,
    ast.Sub: lambda one, other: one - other,
    ast.Mult: lambda one, other: one * other,
    ast.Div: lambda one, other: one / other,
}


def sizing(text: str) -> list[tuple[str, float, str]]:
    """(letter, value, where it is from) of every figure, in order."""
    lines = text.split("<!-- sizing -->")[1].splitlines()
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [(letter, float(value.replace(",", "")), source) for letter, _what, value, source in cells]


def reckoned(formula: str, known: dict[str, float]) -> float:
    """What a formula of known letters comes to. Raises KeyError for a letter that is not known yet."""

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant):
            return float(str(node.value))
        if isinstance(node, ast.Name):
            return known[node.id]
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Call), formula
        assert ast.unparse(node.func) == "ceil", formula
        return math.ceil(value(node.args[0]))

    return value(ast.parse(formula, mode="eval").body)


def wrong(text: str) -> list[str]:
    """The letters whose figures are not what their formulas come to."""
    known: dict[str, float] = {}
    found: list[str] = []
    for letter, stated, source in sizing(text):
        if not source.startswith(GIVEN) and abs(reckoned(source, known) - stated) > CLOSE * stated:
            found.append(letter)
        known[letter] = stated
    return found


def test_the_arithmetic_holds() -> None:
    figures = sizing(TEXT)
    assert len({letter for letter, _, _ in figures}) == len(figures) > 20
    assert wrong(TEXT) == []
    assert sum(not source.startswith(GIVEN) for _, _, source in figures) > 10
    assert {letter: value for letter, value, _ in figures}["P"] == 1000
    off = re.sub(r"(\| `P` \| [^|]*\|) 1,000", r"\1 2,000", TEXT)
    assert wrong(off), "another figure would show"


def test_what_is_measured_is_what_the_measurement_says() -> None:
    """The figures of the table are those of the printed lines below it."""
    shown = TEXT.split("<!-- measured -->")[1]
    rate = re.search(r"in turns: ([\d,]+)/s", shown)
    octets = re.search(r"elasticsearch, [\d,]+ activities: (\d+) bytes per activity", shown)  # of rows with their assets' names
    assert rate
    assert octets
    measured = {letter: value for letter, value, source in sizing(TEXT) if source.startswith("measured")}
    assert measured["r"] == float(rate[1].replace(",", ""))
    assert measured["b"] == float(octets[1])
    (table,) = history.batches(1, 2000, history.Truth())
    sizes = [len(finished(body, {"commit": 1000, "row": 1000})) for body in bodies(ACTIVITY, table)]
    assert sum(sizes) / len(sizes) == pytest.approx(measured["j"], rel=0.02)


def test_what_the_text_says_again() -> None:
    figures = {letter: value for letter, value, _ in sizing(TEXT)}
    assert f"{figures['l']:.0f} kbit/s" in TEXT
    assert f"holds {LIMIT >> 30} GiB" in TEXT
    assert f"--period {'|'.join(PERIODS)}" in TEXT


def test_commands_are_balefire_s() -> None:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL) for line in block.splitlines() if line.startswith("balefire ")]
    lines += re.findall(r"`(balefire [^`\n|]*)`", TEXT)
    assert len(lines) >= 4
    for line in lines:
        parsed(line.split("#  ")[0].removeprefix("balefire "))
    for path in re.findall(r"deploy/[\w./-]+\w", TEXT):
        assert (ROOT / path).exists() or path == "deploy/.env", path


def test_the_roll_up_is_of_fields_that_there_are() -> None:
    body: dict[str, Any] = json.loads(TEXT.split("```json\n")[1].split("```")[0])
    grouped, summed = body["pivot"]["group_by"], body["pivot"]["aggregations"]
    for kind in (*grouped.values(), *summed.values()):
        ((_, said),) = kind.items()
        assert ACTIVITY.field(said["field"]), said
    assert body["source"]["index"] == "balefire-activity"
    assert ACTIVITY.field(body["sync"]["time"]["field"])
    assert not body["dest"]["index"].startswith("balefire-"), "no name that a template of a store takes"


@pytest.mark.parametrize("formula", ["__import__('os')", "P.real", "x * 2"])
def test_formulas_are_of_letters_and_numbers(formula: str) -> None:
    with pytest.raises((AssertionError, KeyError)):
        reckoned(formula, {"P": 1.0})
