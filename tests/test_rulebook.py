"""Matching agrees with a slow and simple evaluator, modifier by modifier and rule by rule."""

from __future__ import annotations

import operator
import re
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rulebook.detection import detection
from detectors.rulebook.document import Document
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import load, own_rules
from tests.cli import balefire, short
from tests.frames import sparse

Row = dict[str, Any]


def matches(names: dict[str, Any], *rows: Row) -> list[bool]:
    found = detection(Document({"detection": names}))
    assert found.match, found.faults
    return found.match(Frame(sparse(rows))).tolist()


# ---- the slow evaluator: one row, one value, plain Python, nothing of pySigma -------------------------------------------------------------------

PARTS = {"minute": "%M", "hour": "%H", "day": "%d", "week": "%V", "month": "%m", "year": "%Y"}


def parsed(text: str) -> list[str]:
    """Characters and the wildcards "any" and "one" of a Sigma text."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in {"*", "?", "\\"}:
            parts.append(text[at + 1])
            at += 1
        else:
            parts.append({"*": "any", "?": "one"}.get(text[at], text[at]))
        at += 1
    return parts


def glob(parts: list[str], text: str) -> bool:
    if not parts:
        return not text
    if parts[0] == "any":
        return any(glob(parts[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and (parts[0] == "one" or parts[0] == text[0]) and glob(parts[1:], text[1:])


def text_matches(value: str, text: str, modifiers: list[str]) -> bool:
    if "cased" not in modifiers:
        value, text = value.lower(), text.lower()
    before = ["any"] if {"contains", "endswith"} & set(modifiers) else []
    after = ["any"] if {"contains", "startswith"} & set(modifiers) else []
    return glob([*before, *parsed(value), *after], text)


def refers(element: Any, other: Any, modifiers: list[str]) -> bool:
    if other is None:
        return False
    if not isinstance(element, str):
        return element == other
    text, part = element.lower(), other.lower()
    if "contains" in modifiers:
        return part in text
    if "startswith" in modifiers:
        return text.startswith(part)
    return text.endswith(part) if "endswith" in modifiers else text == part


def listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def element_matches(row: Row, element: Any, value: Any, modifiers: list[str]) -> bool:
    for part, form in PARTS.items():
        if part in modifiers:
            element = int(element.strftime(form))
    if "fieldref" in modifiers:
        return refers(element, row.get(value), modifiers)
    if "cidr" in modifiers:
        address, network = ip_address(element), ip_network(value)
        return address.version == network.version and address in network
    if "re" in modifiers:
        flags = sum({"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}.get(name, re.NOFLAG) for name in modifiers)
        return re.search(value, element, flags) is not None
    for name, check in {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}.items():
        if name in modifiers:
            return check(element, value)
    if isinstance(element, str):
        return text_matches(str(value), element, modifiers)
    return element == value


def field_matches(row: Row, name: str, value: Any, modifiers: list[str]) -> bool:
    held = row.get(name)
    elements = listed(held) if held is not None else []
    if value is None or "exists" in modifiers:
        return bool(elements) == bool(value)
    return any(element_matches(row, element, value, modifiers) for element in elements)


def item_matches(row: Row, key: str, value: Any) -> bool:
    name, *modifiers = key.split("|")
    values = listed(value)
    found = [field_matches(row, name, one, modifiers) if name else word_matches(row, one) for one in values]
    result = all(found) if "all" in modifiers else any(found)
    return result != ("neq" in modifiers)


def word_matches(row: Row, word: Any) -> bool:
    texts = [text for held in row.values() for text in listed(held) if isinstance(text, str)]
    return any(text_matches(str(word), text, ["contains"]) for text in texts)


def definition_matches(row: Row, definition: Any) -> bool:
    if isinstance(definition, dict):
        return all(item_matches(row, key, value) for key, value in cast("dict[str, Any]", definition).items())
    if isinstance(definition, list):
        return any(definition_matches(row, part) for part in listed(definition))
    return word_matches(row, definition)


def condition_matches(row: Row, names: dict[str, Any], condition: Any) -> bool:
    kind, *parts = condition
    if kind == "name":
        return definition_matches(row, names[parts[0]])
    if kind == "of":
        found = [
            definition_matches(row, names[name]) for name in names if re.fullmatch(parts[1].replace("them", ".*").replace("*", ".*").replace("..*", ".*"), name)
        ]
        return all(found) if parts[0] == "all" else any(found)
    found = [condition_matches(row, names, part) for part in parts]
    return not found[0] if kind == "not" else all(found) if kind == "and" else any(found)


def written(condition: Any) -> str:
    kind, *parts = condition
    if kind == "name":
        return parts[0]
    if kind == "of":
        return f"{parts[0]} of {parts[1]}"
    return f"not ({written(parts[0])})" if kind == "not" else f"({written(parts[0])} {kind} {written(parts[1])})"


# ---- random rules and rows ----------------------------------------------------------------------------------------------------------------------

TEXT = st.text("aAbB.\\éÉ值\n|(", max_size=5)
SIGMA_TEXT = st.text("aAbB*?.\\éÉ值\n|(", max_size=4)
REGEX = st.sampled_from(["a.b", "^A", "[ab]+", r"(a|b)\.", "É", "b.*a", r"a{2}", "值|A", "^a?b"])
ADDRESS = st.sampled_from(["10.0.0.1", "10.0.0.200", "10.1.0.1", "192.168.5.5", "203.0.113.9", "2001:db8::1", "2001:db8:0:1::9", "::1", "fe80::a"])
NETWORK = st.sampled_from(["10.0.0.0/8", "10.0.0.0/25", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8::/64", "::/0", "::1/128"])
NUMBER = st.integers(-3, 3)
ANY_NUMBER = st.one_of(NUMBER, st.sampled_from([-0.5, 0.5, 2.5]))
MOMENT = st.datetimes(datetime(2024, 12, 28), datetime(2027, 1, 6), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone

ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "event.action": TEXT,
            "ot.error": TEXT,
            "ot.anomaly": st.lists(TEXT, max_size=3),
            "source.ip": ADDRESS,
            "ot.count": st.one_of(NUMBER, st.sampled_from([2**62 + 1, -(2**63)])),
            "ot.unit": NUMBER,
            "ot.value": st.one_of(NUMBER.map(float), st.sampled_from([-0.5, 0.5, 2.5, float("inf"), float("nan")])),
            "ot.grouped": st.booleans(),
            "@timestamp": MOMENT,
        },
    ),
    max_size=6,
)


def item(keys: list[str], values: st.SearchStrategy[Any], *, many: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    value = st.one_of(values, st.lists(values, min_size=1, max_size=3)) if many else values
    return st.tuples(st.sampled_from(keys), value).map(lambda pair: {pair[0]: pair[1]})


TEXTS = ["event.action", "ot.error", "ot.anomaly"]
SHAPES = ["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|startswith|cased", "|all", "|contains|all", "|neq", "|endswith|neq"]
ITEM = st.one_of(
    item([name + shape for name in TEXTS for shape in SHAPES], SIGMA_TEXT),
    item(TEXTS, st.one_of(st.none(), SIGMA_TEXT, NUMBER)),
    item([name + shape for name in TEXTS for shape in ("|re", "|re|i", "|re|s", "|re|i|s", "|re|all")], REGEX),
    item([f"{name}|fieldref{part}" for name in ("event.action", "ot.anomaly") for part in ("", "|contains", "|startswith", "|endswith")], st.just("ot.error")),
    item(["source.ip|cidr", "source.ip|cidr|neq"], NETWORK),
    item(["source.ip"], ADDRESS),
    item(["ot.count", "ot.value", "ot.count|neq", "ot.value|all"], ANY_NUMBER),
    item([f"{name}|{compare}" for name in ("ot.count", "ot.value") for compare in ("gt", "gte", "lt", "lte")], ANY_NUMBER),
    item(["ot.count|fieldref"], st.just("ot.unit")),
    item(["ot.grouped"], st.booleans()),
    item([f"{name}|exists" for name in ("ot.error", "ot.anomaly", "ot.count", "ot.grouped", "@timestamp")], st.booleans(), many=False),
    item(["ot.error", "ot.anomaly", "ot.value", "@timestamp"], st.none(), many=False),
    item(["@timestamp|hour", "@timestamp|minute", "@timestamp|day", "@timestamp|hour|gte"], st.integers(0, 31)),
    item(["@timestamp|week"], st.sampled_from([1, 2, 52, 53])),
    item(["@timestamp|month", "@timestamp|month|lt"], st.integers(1, 12)),
    item(["@timestamp|year", "@timestamp|year|gt"], st.integers(2024, 2027)),
)
MAP = st.lists(ITEM, min_size=1, max_size=3).map(lambda items: {key: value for one in items for key, value in one.items()})
WORDS = st.lists(st.one_of(SIGMA_TEXT, NUMBER), min_size=1, max_size=2)
DEFINITION = st.one_of(MAP, st.lists(MAP, min_size=1, max_size=2), WORDS)
NAMES = st.fixed_dictionaries({"sel_a": DEFINITION, "sel_b": DEFINITION, "other": DEFINITION})
CONDITION = st.recursive(
    st.one_of(
        st.sampled_from(["sel_a", "sel_b", "other"]).map(lambda name: ("name", name)),
        st.tuples(st.just("of"), st.sampled_from(["1", "any", "all"]), st.sampled_from(["sel_*", "them", "*b", "other"])),
    ),
    lambda part: st.one_of(st.tuples(st.just("not"), part), st.tuples(st.sampled_from(["and", "or"]), part, part)),
    max_leaves=4,
)


@settings(deadline=None, max_examples=400)
@given(rows=ROWS, names=NAMES, condition=CONDITION)
def test_matching_agrees_with_the_slow_evaluator(rows: list[Row], names: dict[str, Any], condition: Any) -> None:
    expected = [condition_matches(row, names, condition) for row in rows]
    assert matches({**names, "condition": written(condition)}, *rows) == expected


@settings(deadline=None, max_examples=400)
@given(rows=ROWS, single=ITEM)
def test_single_items_agree_with_the_slow_evaluator(rows: list[Row], single: dict[str, Any]) -> None:
    assert matches({"sel": single, "condition": "sel"}, *rows) == [definition_matches(row, single) for row in rows]


# ---- modifiers by example -----------------------------------------------------------------------------------------------------------------------


def action(key: str, value: Any, *texts: str | None) -> list[bool]:
    return matches({"sel": {f"event.action{key}": value}, "condition": "sel"}, *({"event.action": text} for text in texts))


@pytest.mark.parametrize(
    ("key", "value", "hit", "miss"),
    [
        ("|windash", "-x", "/x", "+x"),
        ("|windash|contains", " -x", "run –x now", "run x"),
        ("|base64", "stop", "c3RvcA==", "stop"),
        ("|base64offset|contains", "stop", "xxAc3RvcA", "c3RvqA"),
        ("|wide", "ab", "a\x00b\x00", "ab"),
        ("|utf16", "ab", "\ufeffa\x00b\x00", "ab"),
        ("|utf16be", "ab", "\x00a\x00b", "ab"),
        ("|wide|base64offset|contains", "ab", "YQBiA", "YWI"),
        ("|re|m", "^b", "a\nb", "a b"),
        ("|re|multiline|ignorecase", "^B", "a\nb", "a b"),
        ("|re|dotall", "a.b", "a\nb", "a\n\nb"),
        ("|re|contains", "a|b", "xbx", "xcx"),
        ("", r"a\*", "A*", "ab"),
        ("", 3, "3", "33"),
        ("|contains|all", ["x", "y"], "a y x", "x"),
    ],
)
def test_text_modifiers(key: str, value: Any, hit: str, miss: str) -> None:
    assert action(key, value, hit, miss, None) == [True, False, False]


def test_several_conditions_are_alternatives() -> None:
    names = {"a": {"ot.unit": 1}, "b": {"ot.unit": 2}, "condition": ["a", "b"]}
    assert matches(names, {"ot.unit": 1}, {"ot.unit": 2}, {"ot.unit": 3}) == [True, True, False]


def test_words_are_not_looked_for_in_identities() -> None:
    assert matches({"words": ["dead"], "condition": "words"}, {"id": "dead"}, {"source.asset.name": "the deadline"}) == [False, True]


def test_fields_are_found_whatever_their_case() -> None:
    assert matches({"sel": {"OT.Unit": 1}, "condition": "sel"}, {"ot.unit": 1}) == [True]


def test_numbers_are_compared_exactly() -> None:
    rows = ({"ot.count": 2**53}, {"ot.count": 2**53 + 1})
    assert matches({"sel": {"ot.count|gt": 2**53}, "condition": "sel"}, *rows) == [False, True]


def test_a_rule_of_ones_own_takes_the_place_of_the_bundled_one(tmp_path: Path) -> None:
    bundled = next(own_rules().rglob("file-written.yml"))
    mine = tmp_path / bundled.name
    mine.write_text(bundled.read_text("utf-8"), "utf-8")
    book = load((own_rules(), tmp_path))
    assert [rule.file for rule in book.rules if rule.id == "file-written"] == [str(mine)]
    assert [rule.file for rule in book.replacing] == [str(mine)]
    assert book.problems == ()
    assert load((own_rules(), own_rules())).replacing == ()  # the bundled ones again are no one's own
    told = balefire("replay", short(tmp_path), "--rules", tmp_path, "--store", tmp_path / "s")
    assert told.exit_code == 0
    assert told.stderr.splitlines() == [f"{mine}: rule “file-written” takes the place of the bundled one."]


def test_a_rule_of_ones_own_that_is_wrong_leaves_the_bundled_one(tmp_path: Path) -> None:
    (tmp_path / "file-written.yml").write_text("id: file-written\n", "utf-8")
    book = load((own_rules(), tmp_path))
    assert [Path(rule.file).is_relative_to(own_rules()) for rule in book.rules if rule.id == "file-written"] == [True]
    assert book.replacing == ()
    assert any(one.blocks for one in book.problems)
