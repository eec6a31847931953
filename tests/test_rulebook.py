"""Matching agrees with a slow and simple evaluator, modifier by modifier and rule by rule."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.rulebook.cases import case_row
from detectors.rulebook.detection import MODIFIERS, detection
from detectors.rulebook.disabled import read_disabled
from detectors.rulebook.document import Document
from detectors.rulebook.folding import folded
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import load, own_rules
from detectors.rulebook.placeholders import Placeholders
from detectors.rulebook.predicates import hits
from records.schema import ACTIVITY
from tests.cli import balefire, short
from tests.examples import as_many
from tests.frames import sparse
from tests.rule_reference import SITE, Row, condition_matches, definition_matches, written_otherwise


def matches(names: dict[str, Any], *rows: Row) -> list[bool]:
    found = detection(Document({"detection": names}), Placeholders(SITE))
    assert found.match, found.faults
    return found.match(Frame(sparse(rows))).tolist()


def written(condition: Any) -> str:
    kind, *parts = condition
    if kind == "name":
        return parts[0]
    if kind == "of":
        return f"{parts[0]} of {parts[1]}"
    return f"not ({written(parts[0])})" if kind == "not" else f"({written(parts[0])} {kind} {written(parts[1])})"


# ---- random rules and rows ----------------------------------------------------------------------------------------------------------------------

# Letters whose cases are odd: long s, the sign of Kelvin, both small sigmas, dotted and dotless i, sharp s.
ODD = "sSſkK\u212aσςΣiIİıßẞ"
TEXT = st.one_of(st.text("aAbB.\\éÉ值\n|(_1 ", max_size=5), st.text(ODD, max_size=2))
SIGMA_TEXT = st.one_of(st.text("aAbB*?.\\éÉ值\n|(", max_size=4), st.text(f"{ODD}*", max_size=2))
PLAIN_REGEX = ["a.b", "^A", "[ab]+", r"(a|b)\.", "É", "b.*a", r"a{2}", "值|A", "^a?b", "S", "[i-k]", "σ|ß"]
EDGED_REGEX = ["a$", "^b$", "^$", "$", r"^a$|B", r"\ba", r"a\b", r"\b$", r"\w+$", r"^\w", r"\W", r"\d", r"^\D+$", r"\s", r"\S\z", r"\A.$", r"\$"]
REGEX = st.sampled_from([*PLAIN_REGEX, *EDGED_REGEX])
ADDRESS = st.sampled_from(["10.0.0.1", "10.0.0.200", "10.1.0.1", "192.168.5.5", "203.0.113.9", "2001:db8::1", "2001:db8:0:1::9", "::1", "fe80::a"])
NETWORK = st.sampled_from(["10.0.0.0/8", "10.0.0.0/25", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8::/64", "::/0", "::1/128"])
NUMBER = st.integers(-3, 3)
ANY_NUMBER = st.one_of(NUMBER, st.sampled_from([-0.5, 0.5, 2.5]))
MOMENT = st.datetimes(datetime(2024, 12, 28), datetime(2027, 1, 6), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone

CODED = [
    "|windash",
    "|windash|contains",
    "|base64",
    "|base64|contains",
    "|base64offset|contains",
    "|wide",
    "|utf16le",
    "|utf16be",
    "|utf16",
    "|wide|base64offset|contains",
    "|utf16|base64",
    "|utf16be|base64offset|contains",
]
WORDS_WRITTEN = ("a", "ab", "-a", "a b", "/b a")
CODES = [one for value in WORDS_WRITTEN for shape in CODED for one in written_otherwise(value, shape.split("|"))]

ROWS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "event.action": st.one_of(TEXT, st.sampled_from(CODES)),
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


KEYS: list[str] = []


def item(keys: list[str], values: st.SearchStrategy[Any], *, many: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    KEYS.extend(keys)
    value = st.one_of(values, st.lists(values, min_size=1, max_size=3)) if many else values
    return st.tuples(st.sampled_from(keys), value).map(lambda pair: {pair[0]: pair[1]})


TEXTS = ["event.action", "ot.error", "ot.anomaly"]
SHAPES = ["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased", "|startswith|cased", "|all", "|contains|all", "|neq", "|endswith|neq"]
RE = ["|re", "|re|i", "|re|m", "|re|s", "|re|i|m|s", "|re|all", "|re|ignorecase", "|re|multiline", "|re|dotall|ignorecase", "|re|m|neq"]
EXPANDED = ["|expand", "|contains|expand", "|startswith|expand|all", "|endswith|cased|expand", "|expand|neq"]
EXPANSION = st.sampled_from(["%words%", "%none%", "a%words%", "%words%.%words%", r"\\%", "b%none%", "a"])
ITEM = st.one_of(
    item([name + shape for name in TEXTS for shape in SHAPES], SIGMA_TEXT),
    item([f"event.action{shape}" for shape in CODED], st.text("ab-/ ", min_size=1, max_size=4)),
    item(TEXTS, st.one_of(st.none(), SIGMA_TEXT, NUMBER)),
    item([name + shape for name in TEXTS for shape in RE], REGEX),
    item([name + shape for name in TEXTS for shape in EXPANDED], EXPANSION),
    item(["ot.unit|expand", "ot.count|gte|expand"], st.sampled_from(["%units%", "%none%", 1])),
    item(["source.ip|cidr|expand", "source.ip|cidr|expand|neq"], st.sampled_from(["%lines%", "%none%", "10.1.0.0/16"])),
    item(["event.action|re|expand", "ot.anomaly|re|m|expand"], st.sampled_from(["%forms%", "%none%", "(%words%|b)"])),
    item(["|all", "|contains", "|cased", "|contains|all", "|neq"], SIGMA_TEXT),
    item(["|re", "|re|i", "|re|all", "|re|m|s"], REGEX),
    item(["|expand", "|all|expand"], EXPANSION),
    item([f"{name}|fieldref{part}" for name in ("event.action", "ot.anomaly") for part in ("", "|contains", "|startswith", "|endswith")], st.just("ot.error")),
    item([f"{name}|fieldref{part}|neq" for name in ("event.action", "ot.anomaly") for part in ("", "|startswith")], st.just("ot.error")),
    item(["source.ip|cidr", "source.ip|cidr|neq", "source.ip|cidr|all"], NETWORK),
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
NAMES = st.fixed_dictionaries({"sel_a": DEFINITION, "sel_b": DEFINITION, "other": DEFINITION, "_sel_b": DEFINITION})
CONDITION = st.recursive(
    st.one_of(
        st.sampled_from(["sel_a", "sel_b", "other"]).map(lambda name: ("name", name)),
        st.tuples(st.just("of"), st.sampled_from(["1", "any", "all"]), st.sampled_from(["sel_*", "them", "*b", "other", "_*"])),
    ),
    lambda part: st.one_of(st.tuples(st.just("not"), part), st.tuples(st.sampled_from(["and", "or"]), part, part)),
    max_leaves=4,
)


@settings(deadline=None, max_examples=as_many(400))
@given(rows=ROWS, names=NAMES, conditions=st.lists(CONDITION, min_size=1, max_size=2))
def test_matching_agrees_with_the_slow_evaluator(rows: list[Row], names: dict[str, Any], conditions: list[Any]) -> None:
    """Several conditions are alternatives."""
    expected = [any(condition_matches(row, names, one) for one in conditions) for row in rows]
    texts = [written(one) for one in conditions]
    assert matches({**names, "condition": texts[0] if len(texts) == 1 else texts}, *rows) == expected


@settings(deadline=None, max_examples=as_many(400))
@given(rows=ROWS, single=ITEM)
def test_single_items_agree_with_the_slow_evaluator(rows: list[Row], single: dict[str, Any]) -> None:
    assert matches({"sel": single, "condition": "sel"}, *rows) == [definition_matches(row, single) for row in rows]


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if "all" not in shape])
def test_every_text_in_either_case_agrees_with_the_slow_evaluator(shape: str) -> None:
    texts = ["", "a", "A", "ab", "aB", "Ab", "AB", "bab", "BAB", "é", "É"]
    rows: list[Row] = [{"event.action": text} for text in texts]
    for value in texts:
        single = {f"event.action{shape}": value}
        assert matches({"sel": single, "condition": "sel"}, *rows) == [definition_matches(row, single) for row in rows], single


def test_there_is_no_modifier_that_is_not_drawn() -> None:
    assert {modifier for key in KEYS for modifier in key.split("|")[1:]} == MODIFIERS


@pytest.mark.parametrize("shape", CODED)
def test_every_text_that_is_written_otherwise_agrees_with_the_slow_evaluator(shape: str) -> None:
    rows: list[Row] = [{"event.action": text} for text in CODES]
    for value in WORDS_WRITTEN:
        single = {f"event.action{shape}": value}
        expected = [definition_matches(row, single) for row in rows]
        assert matches({"sel": single, "condition": "sel"}, *rows) == expected, single
        assert any(expected)


def test_letters_are_folded_as_re2_does_it() -> None:
    """Every letter that has a case is compared with every other."""
    letters = [letter for letter in map(chr, range(sys.maxunicode + 1)) if {letter.lower(), letter.upper(), letter.title(), letter.casefold()} != {letter}]
    held, alike = pa.array(letters), defaultdict[str, set[str]](set)
    for letter in letters:
        alike[folded(letter)].add(letter)
    for letter, others in alike.items():
        assert set(held.filter(pa.array(hits(held, rf"(?is)\A(?:{letter})\z"))).to_pylist()) == others


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("s", "ſ", True), ("k", "\u212a", True), ("σ", "ς", True), ("ß", "ẞ", True), ("I", "İ", False), ("i", "ı", False), ("ß", "ss", False)],
)
@pytest.mark.parametrize("how", ["", "|contains", "|startswith", "|endswith"])
def test_case_is_ignored_in_the_same_way_everywhere(one: str, other: str, how: str, *, same: bool) -> None:
    for asked, held in ((one, other), (other, one)):
        wanted: list[dict[str, Any]] = [{f"event.action{how}": asked}, {f"event.action|fieldref{how}": "ot.error"}, {"event.action|re|i": f"^{asked}$"}]
        for definition in (*wanted, [asked]):
            row = {"event.action": held} if isinstance(definition, list) else {"event.action": held, "ot.error": asked}
            assert matches({"sel": definition, "condition": "sel"}, row, {"event.action": "x"}) == [same, False], definition


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.0/25", "10.0.0.1/32", "192.168.5.4/31", "2001:db8::/32", "2001:db8::/64", "2001:db8::8/125", "::1/128"])
def test_the_first_and_last_address_of_a_network_and_those_beside_it(text: str) -> None:
    network = ip_network(text)
    first, last = network[0], network[-1]
    rows: list[Row] = [{"source.ip": str(address)} for address in (first - 1, first, last, last + 1)]
    assert matches({"sel": {"source.ip|cidr": text}, "condition": "sel"}, *rows) == [False, True, True, False]


@pytest.mark.parametrize("value", ["2001:db8:0:0:0:0:0:1", "2001:0DB8::0001", "2001:db8::1"])
def test_an_address_is_the_same_however_it_is_written(value: str) -> None:
    """Rows hold the shortest form; another one in a rule would never match, and a case that says it too would hide that."""
    rows: list[Row] = [{"source.ip": "2001:db8::1"}, {"source.ip": "2001:db8::11"}]
    assert matches({"sel": {"source.ip": [value, "10.0.0.1"]}, "condition": "sel"}, *rows) == [True, False]
    assert case_row({"source.ip": value}, ACTIVITY)["source.ip"] == "2001:db8::1"


@pytest.mark.parametrize(("key", "expected"), [("", [False, True, False]), ("|gt", [False, False, True]), ("|gte", [False, True, True])])
def test_large_whole_numbers_are_compared_exactly(key: str, expected: list[bool]) -> None:
    rows: list[Row] = [{"ot.object.first": 2**53 + more} for more in (0, 1, 2)]
    assert matches({"sel": {f"ot.object.first{key}": 2**53 + 1}, "condition": "sel"}, *rows) == expected


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


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("|expand", "%none%", False), ("|expand|neq", "%none%", True), ("|all|expand", ["%none%", "a"], False), ("|all|expand|neq", ["%none%", "a"], True)],
)
def test_a_placeholder_that_stands_for_nothing(key: str, value: Any, *, expected: bool) -> None:
    assert action(key, value, "a", None) == [expected, expected]


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


def test_files_are_read_again_where_they_say_something_else_and_only_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, paths = tmp_path / "disabled.yml", (own_rules(), tmp_path)

    def off() -> list[str]:
        return [rule.id for rule in load(paths).rules if rule.disabled]

    def written_meanwhile(*given: Any) -> Any:
        file.write_text("program-uploaded: known\n")
        return read_disabled(*given)

    file.write_text("program-downloaded: known\n")
    assert load(paths) is load(paths)
    assert off() == ["program-downloaded"]
    file.write_text("program-changed: known\n")
    assert off() == ["program-changed"]
    file.write_text("program-changed: odd\n")
    with monkeypatch.context() as patch:
        patch.setattr("detectors.rulebook.load.read_disabled", written_meanwhile)
        assert off() == ["program-uploaded"]
    file.write_text("program-changed: odd\n")
    assert off() == ["program-changed"], "what was written while it was read stands for what was there before"
