"""Rules as conditions: no row that a rule matches is left out, and where a rule converts, its condition is the rule."""

from __future__ import annotations

import json
import math
from functools import cache
from ipaddress import ip_address
from itertools import product
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.rulebook.conversion import convert
from detectors.rulebook.detection import detection
from detectors.rulebook.document import Document
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import own_rules
from detectors.rulebook.queries import queries
from records.model import Batch
from records.nesting import iso
from records.query import Query
from records.schema import ACTIVITY, FINDING
from records.search import EVERYTHING, Match, Or, Range
from records.store import open_store
from records.store.contract import Commit
from records.store.dsl import clause
from tests.cli import balefire, one
from tests.examples import as_many
from tests.frames import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.rulebook.predicates import Predicate
    from records.search import Condition
    from records.store.contract import Store
    from tests.elasticsearch import Elasticsearch

Row = dict[str, Any]

# Odd letters: U+017F and U+212A are an s and a k to RE2; dotted capital i, sharp s and sigma have their own ideas of lower case.
NOON = 1_772_323_200_000_000_000
LETTERS = "askAS*?\\.%_!\u017f\u212a\u0130ßΣςσ阀\n"
ADDRESSES = ["10.0.0.5", "10.0.1.5", "192.168.0.1", "::ffff:10.0.0.5", "fe80::1", "FE80::1", "::5", "10.0.0.05"]
NUMBERS = [0, 1, 2, 5, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
DOUBLES = [0.0, -0.0, 1.5, 2.0, float("nan"), float("inf"), -1e300]
SEED = SystemRandom().getrandbits(32)  # of the rows; a failure names it
VALUES: dict[str, list[Any]] = {
    "ot.effect": ["value.read", "value.write", "cpu.stop"], "ot.access": ["read", "write", "command"], "source.ip": ADDRESSES, "destination.ip": ADDRESSES,
    "ot.unit": NUMBERS, "ot.count": NUMBERS, "ot.value": DOUBLES, "ot.grouped": [True, False], "network.protocol": ["modbus", "s7comm", "dnp3"],
}  # fmt: skip

SHAPES = st.text("ask*?\\S\u017fßΣςiI\u0130阀\n", max_size=4)
PATTERNS = st.sampled_from(["a.*", "^a", "k$", "^s.k$", r"\.", "a|k", "[a-s]", r"(?s)a.", "ask", r"\w", "s?", r"a\z", "^$", "", "(?:a)", r"\Aa"])
ITEMS: tuple[tuple[str, st.SearchStrategy[Any]], ...] = (
    *((f"{name}{how}", SHAPES) for name in ("ot.object.name", "ot.anomaly") for how in ("", "|contains", "|startswith", "|endswith", "|cased", "|neq")),
    *((f"ot.object.name|re{flags}", PATTERNS) for flags in ("", "|i", "|s", "|i|s", "|m")),
    ("ot.object.name|fieldref", st.sampled_from(["source.ip"])), ("ot.object.name|exists", st.booleans()), ("ot.anomaly|exists", st.booleans()),
    *((f"source.ip{modifier}", st.sampled_from(ADDRESSES[:-1])) for modifier in ("", "|contains", "|neq", "|cased")),
    ("source.ip", st.sampled_from(["10.*", "10.0.*", "*5", "?", "", "fe80:*"])),
    ("source.ip|cidr", st.sampled_from(["10.0.0.0/24", "0.0.0.0/0", "::/0", "fe80::/10", "::ffff:0:0/96", "::/64"])),
    *((f"{name}{how}", st.sampled_from([0, 1, 2, 1.5, 2**53, 2**53 + 1])) for name in ("ot.unit", "ot.value") for how in ("", "|gt", "|gte", "|lt", "|lte")),
    ("ot.grouped", st.booleans()), ("ot.value", st.none()), ("ot.access", st.sampled_from(["write", "WRITE", "*e*", "read"])),
    ("ot.effect|startswith", st.sampled_from(["value", "cpu."])), ("ot.object.name", st.sampled_from([5, 1.5])),
)  # fmt: skip


@st.composite
def detections(draw: st.DrawFn) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for name in ("one", "two", "three"):
        parts = draw(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3, unique_by=lambda item: item[0]))
        names[name] = {key: draw(st.lists(values, min_size=1, max_size=2) if "exists" not in key else values) for key, values in parts}
    if draw(st.integers(0, 4)) == 0:
        names["three"] = [draw(SHAPES)]
    shapes = ("one", "not one", "one and not two", "one or not two and three", "not (one or two)", "all of them", "1 of them and not (not two and three)")
    return names | {"condition": draw(st.sampled_from(shapes))}


@cache
def data() -> list[Row]:
    """Every short text of odd letters, beside numbers, addresses and absence; and rows that are drawn anew each time."""
    random = Random(5)
    texts = ["".join(letters) for length in range(3) for letters in product(LETTERS, repeat=length)]
    texts += ["ask", "ASK", "a\u017fk", "as\u212a", "mask", "asking", "a\nk"]
    rows: list[Row] = []
    for number, text in enumerate(texts):
        row = {name: random.choice(values) for name, values in VALUES.items() if random.random() < 0.8}
        rows.append({"id": f"row-{number:04}", "@timestamp": NOON + number, "ot.object.name": text, "ot.anomaly": random.sample(texts, number % 3), **row})
    return [*rows, {"id": "bare", "@timestamp": NOON}, *drawn(SEED)]


ALPHABETS = (
    LETTERS,
    "askASK",
    "".join(map(chr, range(32, 127))),
    "\x00\t\r\u00e9\u00c9\u00ff\u0131\u0178\u03c3\u0416\u0436\u1e9e\ufb05\uff33\u2028阀泵\U00010400\U0001f525",
)


@cache
def drawn(seed: int) -> list[Row]:
    """Rows of which each value is drawn: texts of letters of all sorts, numbers and addresses near those of rules and anywhere, fields that are absent."""
    random = Random(seed)

    def text() -> str:
        return "".join(random.choices(random.choice(ALPHABETS), k=random.randrange(7)))

    def word() -> str:
        """Of a closed list, none of whose words has a long s: what is asked of a store for an s looks for none there."""
        return text().replace("\u017f", "s")

    def address() -> str:
        net, bits = random.choice([("10.0.0.0", 8), ("10.0.0.0", 24), ("0.0.0.0", 32), ("fe80::", 3), ("fe80::", 118), ("::", 4), ("::", 64), ("::", 128)])
        start = ip_address(net)
        return str(start + random.randrange(min(2**bits, 2**start.max_prefixlen - int(start))))

    def whole() -> int:
        return max(-(2**63), min(2**63 - 1, random.choice([random.choice(NUMBERS) + random.randint(-2, 2), random.getrandbits(64) - 2**63])))

    def real() -> float:
        return random.choice([float(random.randint(-3, 3)), random.uniform(-3, 3), float(whole()), random.gauss(0, 1e6)])

    draws = {
        "ot.object.name": text, "ot.anomaly": lambda: [text() for _ in range(random.randrange(4))], "source.ip": address, "destination.ip": address,
        "ot.unit": whole, "ot.count": whole, "ot.value": real, "ot.grouped": lambda: random.random() < 0.5,
        "ot.effect": lambda: random.choice([*VALUES["ot.effect"], word()]), "ot.access": lambda: random.choice(VALUES["ot.access"]),
        "network.protocol": lambda: random.choice([*VALUES["network.protocol"], word()]),
    }  # fmt: skip
    rows = [{name: draw() for name, draw in draws.items() if random.random() < 0.8} for _ in range(1_000)]
    return [{"id": f"drawn-{number:04}", "@timestamp": NOON + number} | row for number, row in enumerate(rows)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = open_store(str(tmp_path_factory.mktemp("conversion") / "store"), write=True)
    made.write(Commit(Batch(activities=sparse(data()))))
    yield made
    made.close()


@cache
def frame() -> Frame:
    return Frame(sparse(data()))


def predicate(names: dict[str, Any]) -> Predicate:
    found = detection(Document({"detection": names}))
    assert found.match is not None, found.faults
    return found.match


def kept(store: Store, condition: Condition) -> set[str]:
    return {str(name) for part in store.history("activity", Query(where=condition), ["id"], ordered=False) for name in part.column("id").to_pylist()}


def check(store: Store, match: Predicate) -> None:
    wanted = {row["id"] for row, hit in zip(data(), match(frame()).tolist(), strict=True) if hit}
    converted = convert(match)
    found = kept(store, converted.safe)
    assert wanted <= found, (SEED, converted.safe)
    assert wanted == found or not converted.exact, (SEED, converted.safe)


@settings(max_examples=as_many(250), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detections())
def test_what_a_rule_matches_is_never_left_out(store: Store, names: dict[str, Any]) -> None:
    check(store, predicate(names))


@pytest.mark.parametrize("key", sorted({key for key, _ in ITEMS}))
def test_every_modifier_alone_and_negated(store: Store, key: str) -> None:
    for values in (strategy for name, strategy in ITEMS if name == key):

        @settings(max_examples=12, deadline=None, database=None)
        @given(values, st.booleans())
        def one(value: Any, negated: bool) -> None:
            check(store, predicate({"one": {key: value}, "condition": "not one" if negated else "one"}))

        one()


# ---- as queries of Elasticsearch ---------------------------------------------------------------------------------------------------------------

QUERIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"ot.effect": "cpu.stop"}, {"term": {"ot.effect": {"value": "cpu.stop", "case_insensitive": True}}}),
    ({"ot.object.name|cased": "Tank"}, {"term": {"ot.object.name": {"value": "Tank"}}}),
    ({"ot.object.name|startswith": "a*b?"}, {"wildcard": {"ot.object.name": {"value": "a*b?*", "case_insensitive": True}}}),
    ({"ot.object.name|contains": r"50\*"}, {"wildcard": {"ot.object.name": {"value": r"*50\**", "case_insensitive": True}}}),
    ({"ot.object.name|re": "^tank"}, {"wildcard": {"ot.object.name": {"value": "tank*"}}}),
    ({"ot.count|gte": 5}, {"range": {"ot.count": {"gte": 5}}}),
    ({"ot.value|lt": 1.5}, {"range": {"ot.value": {"lt": 1.5}}}),
    ({"ot.value": 0}, {"range": {"ot.value": {"gte": -0.0, "lte": 0.0}}}),
    ({"ot.value|lt": 0}, {"range": {"ot.value": {"lt": -0.0}}}),
    ({"ot.unit": 3}, {"term": {"ot.unit": {"value": 3}}}),
    ({"ot.grouped": True}, {"term": {"ot.grouped": {"value": True}}}),
    ({"ot.error": None}, {"bool": {"must_not": [{"exists": {"field": "ot.error"}}]}}),
    ({"source.ip|cidr": "10.0.0.0/8"}, {"range": {"source.ip": {"gte": "10.0.0.0", "lte": "10.255.255.255"}}}),
    ({"source.ip": "10.1.*"}, {"range": {"source.ip": {"gte": "10.1.0.0", "lte": "10.1.255.255"}}}),
    ({"source.ip": "fe80::1"}, {"term": {"source.ip": {"value": "fe80::1"}}}),
    (
        {"ot.access": ["write", "command"]},
        {
            "bool": {
                "should": [{"term": {"ot.access": {"value": word, "case_insensitive": True}}} for word in ("write", "command")],
                "minimum_should_match": 1,
            }
        },
    ),
]
REFUSED = [
    ({"ot.object.name|re": "a|b"}, "RE2"), ({"ot.object.name|re": "a.b"}, "RE2"), ({"ot.object.name": "ß"}, "ASCII"),
    ({"@timestamp|hour": 3}, "part of a date"), ({"source.ip|fieldref": "destination.ip"}, "two fields"),
    ({"source.ip|endswith": ".5"}, "as text"),
    ({"source.ip|cidr": "::/0"}, "IPv4"),
]  # fmt: skip


@pytest.mark.parametrize(("selection", "query"), QUERIES)
def test_a_rule_as_a_query(selection: dict[str, Any], query: dict[str, Any]) -> None:
    found = convert(predicate({"sel": selection, "condition": "sel"}))
    assert found.reasons == ()
    assert clause(ACTIVITY, found.plain) == query
    negated = convert(predicate({"sel": selection, "condition": "not sel"}))
    assert clause(ACTIVITY, negated.plain) == {"bool": {"must_not": [query]}}


@pytest.mark.parametrize(("selection", "why"), REFUSED)
def test_a_rule_without_a_query_says_why(selection: dict[str, Any], why: str) -> None:
    (reason,) = convert(predicate({"sel": selection, "condition": "sel"})).reasons
    assert why in reason.en
    assert next(iter(selection)).split("|")[0] in reason.zh


def test_nothing_and_everything() -> None:
    assert clause(ACTIVITY, EVERYTHING) == {"match_all": {}}
    assert clause(ACTIVITY, Or(())) == {"match_none": {}}
    assert clause(ACTIVITY, Range("@timestamp", 1_772_323_200_000_000_001, None)) == {"range": {"@timestamp": {"gte": "2026-03-01T00:00:00.000000001Z"}}}
    assert clause(FINDING, Match("title.en", "a*")) == {"wildcard": {"title.en": {"value": r"*a\**", "case_insensitive": True}}}


def test_the_command_converts_what_it_can_and_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "hours.yml").write_text(
        (own_rules() / "FORMAT.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0].replace("written-at-night", "hours")
    )
    stop = (own_rules() / "control" / "controller-stopped.yml").read_text("utf-8")
    (tmp_path / "controller-stopped.yml").write_text(stop)
    (tmp_path / "odd.yml").write_text("id: odd\n")
    told = one("rules", "convert", tmp_path, status=1)
    assert {(Path(row["file"]).name, row["rule"]) for row in told["problems"]} == {("odd.yml", "odd")}
    assert [row["rule"] for row in told["converted"]] == ["controller-stopped"]
    assert [(row["rule"], len(row["reasons"])) for row in told["refused"]] == [("hours", 1)]
    assert told["rules"] == 2
    assert told["converted"][0]["table"] == "activity"
    assert '"ot.effect"' in json.dumps(told["converted"][0]["query"])
    said = balefire("rules", "convert", tmp_path, "--language", "zh")
    assert "时、日、周" in said.stderr
    assert f"{tmp_path}/hours.yml: hours: " in said.stderr
    assert f"{tmp_path}/odd.yml:1: " in said.stderr
    assert said.stdout.startswith("controller-stopped: {")
    (tmp_path / "none").mkdir()
    none = balefire("rules", "convert", tmp_path / "none")
    assert (none.exit_code, "nothing to try" in none.stderr) == (1, True)


def test_every_shipped_rule_on_single_rows_converts_or_says_why() -> None:
    found = queries(own_rules())
    assert found.problems == ()
    assert len(found.converted) > len(found.refused)
    for one_refused in found.refused:
        assert one_refused.reasons


@cache
def comparable() -> list[Row]:
    """The rows without what Elasticsearch takes otherwise, as docs and FORMAT.md say: U+017F, U+212A, addresses in other forms, what is no number."""
    rows: list[Row] = []
    for row in data():
        kept = {name: value for name, value in row.items() if not isinstance(value, float) or math.isfinite(value)}
        if any(letter in str(kept) for letter in ("\u017f", "\u212a")):
            continue
        for name in ("source.ip", "destination.ip"):
            if kept.get(name) in {"::ffff:10.0.0.5", "FE80::1", "10.0.0.05"}:
                del kept[name]
        rows.append(kept)
    return rows


@pytest.mark.elasticsearch
def test_elasticsearch_finds_what_the_rule_matches(elasticsearch: Elasticsearch) -> None:
    frame, compared = Frame(sparse(comparable())), 0
    elasticsearch.fill("conversion", ACTIVITY, [row | {"@timestamp": iso(row["@timestamp"])} for row in comparable()])

    @settings(max_examples=as_many(400), deadline=None, database=None, suppress_health_check=[HealthCheck.filter_too_much])
    @given(detections())
    def agree(names: dict[str, Any]) -> None:
        nonlocal compared
        match = predicate(names)
        converted = convert(match)
        if converted.reasons:
            return
        compared += 1
        wanted = {row["id"] for row, hit in zip(comparable(), match(frame).tolist(), strict=True) if hit}
        assert elasticsearch.found("conversion", clause(ACTIVITY, converted.plain)) == wanted, f"rows of the seed {SEED}"

    agree()
    assert compared > as_many(100)
    for written, hits in (("fe80::1", True), ("FE80::1", True), ("fe80::77", False)):
        converted = convert(predicate({"one": {"source.ip|cased": written}, "condition": "one"}))
        assert bool(elasticsearch.found("conversion", clause(ACTIVITY, converted.plain))) is hits
