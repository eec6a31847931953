"""Whatever value stands wherever in a rule, a filter, a policy or placeholders: the loader and the linter say what is wrong, and never stumble."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, date, datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
import yaml

from detectors.lint import lint
from detectors.rulebook.load import load_text, own_rules
from detectors.rulebook.placeholders import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**63, 2**70, -0.5, 1e300, float("nan"), float("inf"), "", "a", "*", "%a%", "%", "{x}", "{", "10.0.0.0/8", "::1", "é中",
    "null", "1m", "x" * 300, "a and b", "not", "1 of them", "activity", "point", "2026-01-01", "9999-99-99", b"ab", date(2026, 1, 1),
    datetime.min.replace(tzinfo=UTC), [], {}, [None], [[]], [{}], ["a", "a"], {"a": None}, {"a": {"b": []}}, {1: 2}, {None: None},
)  # fmt: skip
MODIFIERS: Final = (
    "re",
    "cidr",
    "gt",
    "expand",
    "contains",
    "all",
    "base64offset",
    "hour",
    "fieldref",
    "exists",
    "cased",
    "windash",
    "neq",
    "i",
    "week",
    "minute|gte",
)
EXAMPLES: Final = re.findall(r"```(?:yaml|policy)\n(.*?)```", (own_rules() / "FORMAT.md").read_text("utf-8"), re.DOTALL)
SHIPPED: Final = sorted(own_rules().rglob("*.yml"))
Place = tuple[Any, ...]


def inside(value: Any) -> dict[Any, Any]:
    """The parts of a value by key or number."""
    if isinstance(value, list):
        return dict(enumerate(cast("list[Any]", value)))
    return cast("dict[Any, Any]", value) if isinstance(value, dict) else {}


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """The way to every part of a value."""
    for key, part in inside(value).items():
        yield (*path, key)
        yield from places(part, (*path, key))


def damage(documents: list[dict[Any, Any]], random: Random) -> None:
    """Another value, key or modifier somewhere, or one thing less. Every key is as likely, however often it stands there."""
    around: Any = random.choice(documents)
    named: dict[str, list[Place]] = {}
    for place in places(around):
        named.setdefault(str(place[-1:]), []).append(place)
    if not named:
        return
    *way, last = random.choice(random.choice(list(named.values())))
    for step in way:
        around = around[step]
    odd: Any = deepcopy(random.choice((None, random.choice(ODD))))
    kind = random.choice(("value", "value", "value", "less", "key", "modifier"))
    taken = around.pop(last)
    if isinstance(around, list):
        cast("list[Any]", around)[last:last] = [] if kind == "less" else [odd]
    elif kind != "less":
        name = {"value": last, "key": odd if isinstance(odd, (str, int, float)) else None, "modifier": f"{last}|{random.choice(MODIFIERS)}"}[kind]
        around[name] = odd if kind == "value" else taken


@pytest.mark.parametrize("seed", range(8))
def test_no_value_anywhere_makes_the_loader_or_the_linter_stumble(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    texts = [*EXAMPLES, *(file.read_text("utf-8") for file in random.sample(SHIPPED, 30))]
    for number, text in enumerate(texts):
        documents = list(yaml.safe_load_all(text))
        for _ in range(random.choice((1, 1, 2, 3))):
            damage(documents, random)
        (tmp_path / f"damaged-{number}.yml").write_text(yaml.safe_dump_all(documents, allow_unicode=True), "utf-8")
    values = {f"a{number}": odd for number, odd in enumerate(ODD)}
    (tmp_path / FILE).write_text(yaml.safe_dump(values, allow_unicode=True), "utf-8")
    told = lint(tmp_path)
    assert [found for found in told.problems if found.check == "unforeseen"] == []
    assert any(found.blocks for found in told.problems)


CASE = """\
title: x
id: x
logsource: {product: balefire, category: %s}
detection: {a: {destination.ip: 10.0.0.1}, condition: a}
tests:
  fires:
    - '@timestamp': %s
  quiet:
    - destination.ip: 10.0.0.2
"""


@pytest.mark.parametrize("table", ["activity", "point"])
@pytest.mark.parametrize("said", ["null", "~", "''", "soon", "[]", "9999-12-31T23:59:59Z", "true"])
def test_a_case_is_at_a_time(table: str, said: str) -> None:
    problems = load_text(CASE % (table, said), "x.yml")[1]
    assert (7, "case-value") in [(found.line, found.check) for found in problems]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{a: 1}", "compared with a map."),
        ("[[a]]", "compared with a list in a list."),
        ("{field}|re: '(?=a)'", "no look-around"),
        ("{field}|re: 'a{3,2}'", "the smaller number first"),
        ("{field}|re: '*a'", "Repeat something"),
        ("{field}|re: '(a'", "Close every bracket"),
    ],
)
def test_what_does_not_fit_is_told_in_words_of_its_own(value: str, said: str) -> None:
    field = "ot.object.name"
    asked = value.replace("{field}", field) if "{field}" in value else f"{field}: {value}"
    problems = load_text((CASE % ("activity", "2026-01-01")).replace("destination.ip: 10.0.0.1", asked, 1), "x.yml")[1]
    assert any(said in f"{found.message.en} {found.advice.en}" for found in problems if found.line == 4), problems


def test_what_keeps_a_rule_out_comes_before_advice(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text(CASE % ("activity", "null"), "utf-8")
    blocks = [found.blocks for found in lint(tmp_path).problems]
    assert blocks == sorted(blocks, reverse=True)
    assert set(blocks) == {True, False}


@pytest.mark.parametrize(("links", "checks"), [(3, []), (4, ["modifier-use"]), (16, ["modifier-use"]), (5000, ["modifier-use"])])
def test_texts_that_multiply_are_bounded(tmp_path: Path, links: int, checks: list[str]) -> None:
    """Each link makes three texts of one: sixteen would be forty million."""
    text = EXAMPLES[0]
    documents = list(yaml.safe_load_all(text))
    documents[0]["detection"] = {"sel": {f"event.action|{'base64offset|' * links}contains": "abc"}, "condition": "sel"}
    (tmp_path / f"{documents[0]['id']}.yml").write_text(yaml.safe_dump_all(documents, allow_unicode=True), "utf-8")
    told = lint(tmp_path)
    assert [found.check for found in told.problems if found.check in ("modifier-use", "unforeseen")] == checks
    assert all("three texts of one" in found.message.en for found in told.problems if found.check == "modifier-use")


@pytest.mark.parametrize(("dashes", "checks"), [(3, []), (4, ["modifier-use"])])
def test_dashes_that_multiply_are_bounded(tmp_path: Path, dashes: int, checks: list[str]) -> None:
    """Each dash is one of five: the advice says what to write instead."""
    documents = list(yaml.safe_load_all(EXAMPLES[0]))
    documents[0]["detection"] = {"sel": {"event.action|windash|contains": " ".join(f"-{letter}" for letter in "abcd"[:dashes])}, "condition": "sel"}
    (tmp_path / f"{documents[0]['id']}.yml").write_text(yaml.safe_dump_all(documents, allow_unicode=True), "utf-8")
    told = [found for found in lint(tmp_path).problems if found.check in ("modifier-use", "unforeseen")]
    assert [found.check for found in told] == checks
    assert all("at most three dashes" in found.message.en for found in told)
