"""Rules as conditions: no row that a rule matches is left out, and where a rule converts, its condition is the rule."""

from __future__ import annotations

from functools import cache
from itertools import product
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.rulebook.conversion import convert
from detectors.rulebook.detection import detection
from detectors.rulebook.document import Document
from detectors.rulebook.frame import Frame
from records.model import Batch
from records.query import Query
from records.store import open_store
from records.store.contract import Commit
from tests.frames import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.rulebook.predicates import Predicate
    from records.search import Condition
    from records.store.contract import Store

Row = dict[str, Any]

# Odd letters: U+017F and U+212A are an s and a k to RE2; dotted capital i, sharp s and sigma have their own ideas of lower case.
NOON = 1_772_323_200_000_000_000
LETTERS = "askAS*?\\.%_!\u017f\u212a\u0130ßΣςσ阀\n"
ADDRESSES = ["10.0.0.5", "10.0.1.5", "192.168.0.1", "::ffff:10.0.0.5", "fe80::1", "FE80::1", "::5", "10.0.0.05"]
NUMBERS = [0, 1, 2, 5, 2**53, 2**53 + 1, -(2**63), 2**63 - 1]
DOUBLES = [0.0, -0.0, 1.5, 2.0, float("nan"), float("inf"), -1e300]
VALUES: dict[str, list[Any]] = {
    "ot.effect": ["value.read", "value.write", "cpu.stop"], "ot.access": ["read", "write", "command"], "source.ip": ADDRESSES, "destination.ip": ADDRESSES,
    "ot.unit": NUMBERS, "ot.count": NUMBERS, "ot.value": DOUBLES, "ot.grouped": [True, False], "network.protocol": ["modbus", "s7comm", "dnp3"],
}  # fmt: skip

SHAPES = st.text("ask*?\\S\u017fßΣ阀\n", max_size=4)
PATTERNS = st.sampled_from(["a.*", "^a", "k$", "^s.k$", r"\.", "a|k", "[a-s]", r"(?s)a.", "ask", r"\w", "s?", r"a\z", "^$", "", "(?:a)", r"\Aa"])
ITEMS: tuple[tuple[str, st.SearchStrategy[Any]], ...] = (
    *((f"{name}{how}", SHAPES) for name in ("ot.object.name", "ot.anomaly") for how in ("", "|contains", "|startswith", "|endswith", "|cased", "|neq")),
    *((f"ot.object.name|re{flags}", PATTERNS) for flags in ("", "|i", "|s", "|i|s", "|m")),
    ("ot.object.name|fieldref", st.sampled_from(["source.ip"])), ("ot.object.name|exists", st.booleans()), ("ot.anomaly|exists", st.booleans()),
    *((f"source.ip{modifier}", st.sampled_from(ADDRESSES)) for modifier in ("", "|contains", "|neq", "|cased")),
    ("source.ip", st.sampled_from(["10.*", "10.0.*", "*5", "?", "", "x", "fe80:*"])),
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
    """Every short text of odd letters, beside numbers, addresses and absence."""
    random = Random(5)
    texts = ["".join(letters) for length in range(3) for letters in product(LETTERS, repeat=length)]
    texts += ["ask", "ASK", "a\u017fk", "as\u212a", "mask", "asking", "a\nk"]
    rows: list[Row] = []
    for number, text in enumerate(texts):
        row = {name: random.choice(values) for name, values in VALUES.items() if random.random() < 0.8}
        rows.append({"id": f"row-{number:04}", "@timestamp": NOON + number, "ot.object.name": text, "ot.anomaly": random.sample(texts, number % 3), **row})
    return [*rows, {"id": "bare", "@timestamp": NOON}]


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
    return {name for part in store.history("activity", Query(where=condition), ["id"], ordered=False) for name in part.column("id").to_pylist()}


def check(store: Store, match: Predicate) -> None:
    wanted = {row["id"] for row, hit in zip(data(), match(frame()).tolist(), strict=True) if hit}
    converted = convert(match)
    found = kept(store, converted.safe)
    assert wanted <= found, converted.safe
    assert wanted == found or not converted.exact, converted.safe


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
