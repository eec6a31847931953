"""The search syntax people type."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from records.errors import UsageError
from records.schema import ACTIVITY, ALERT, ASSET, FINDING, TABLES
from records.search import EVERYTHING, MAX_LENGTH, And, Condition, Exists, Match, Not, Or, Range, Wildcard, field_of, parse
from records.wording import LANGUAGES

WRITE = Match("ot.access", "write")
READ = Match("ot.access", "read")
DAY = 86_400_000_000_000
NOV22 = 1795305600000000000

MEANINGS: list[tuple[str, Condition]] = [
    ("", EVERYTHING),
    ("  ", EVERYTHING),
    ("*", EVERYTHING),
    ("*:*", EVERYTHING),
    ("ot.access:write", WRITE),
    ("OT.Access:write", WRITE),
    ("ot.access:write AND ot.access:read", And((WRITE, READ))),
    ("ot.access:write and ot.access:read", And((WRITE, READ))),
    ("ot.access:write ot.access:read", And((WRITE, READ))),
    ("ot.access:write Or ot.access:read", Or((WRITE, READ))),
    ("ot.access:(write OR read)", Or((WRITE, READ))),
    ("ot.access:(write read)", And((WRITE, READ))),
    ("NOT ot.access:write", Not(WRITE)),
    ("-ot.access:write +ot.access:read", And((Not(WRITE), READ))),
    ("ot.access:write OR ot.access:read ot.unit:3", And((Or((WRITE, READ)), Match("ot.unit", 3)))),
    ("ot.unit:-3", Match("ot.unit", -3)),
    ("ot.value:1e3", Match("ot.value", 1000.0)),
    ("ot.value:[-5 TO 5}", Range("ot.value", -5.0, 5.0, True, False)),
    ("ot.value:[-5 to *]", Range("ot.value", -5.0, None)),
    ("ot.value:>-5", Range("ot.value", -5.0, None, False, True)),
    ("ot.value:<=5", Range("ot.value", None, 5.0)),
    ("ot.grouped:True", Match("ot.grouped", True)),
    ("ot.anomaly:*", Exists("ot.anomaly")),
    ("event.action:write_*", Wildcard("event.action", "write_*")),
    ("event.action:write\\*", Match("event.action", "write*")),
    ('event.action:"write_* x"', Match("event.action", "write_* x")),
    ('event.action:"or"', Match("event.action", "or")),
    ("event.action:or", Match("event.action", "or")),
    ("ot.code:43/14", Match("ot.code", "43/14")),
    ('destination.ip:"10.0.0.5"', Match("destination.ip", "10.0.0.5")),
    ("destination.ip:10.0.0.0/8", Range("destination.ip", "10.0.0.0", "10.255.255.255")),
    ('destination.ip:"10.1.2.3/8"', Range("destination.ip", "10.0.0.0", "10.255.255.255")),
    ("destination.ip:10.1.*", Range("destination.ip", "10.1.0.0", "10.1.255.255")),
    ('source.ip:"FE80::0:1"', Match("source.ip", "fe80::1")),
    ('source.ip:"fe80::/127"', Range("source.ip", "fe80::", "fe80::1")),
    ("source.ip:[10.0.0.9 TO 10.0.0.10]", Range("source.ip", "10.0.0.9", "10.0.0.10")),
    ('source.mac:"00:11:22:33:44:55"', Match("source.mac", "00:11:22:33:44:55")),
    ("@timestamp:2026-11-22", Range("@timestamp", NOV22, NOV22 + DAY, True, False)),
    ("@timestamp:>2026-11-22", Range("@timestamp", NOV22 + DAY, None, True, False)),
    ("@timestamp:[* TO 2026-11-22}", Range("@timestamp", None, NOV22, True, False)),
    ("@timestamp:2026-11-22T00:00:00", Range("@timestamp", NOV22, NOV22 + 10**9, True, False)),
    ('@timestamp:>="2026-11-22T08:00:00+08:00"', Range("@timestamp", NOV22, None, True, False)),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_meaning(text: str, meaning: Condition) -> None:
    assert parse(text, ACTIVITY) == meaning


def test_bare_words_search_texts_and_addresses() -> None:
    word, address = parse("plc", ASSET), parse("10.0.0.5", ACTIVITY)
    assert isinstance(word, Or)
    assert Match("name", "plc") in word.parts
    assert Match("addresses", "plc") in word.parts
    assert isinstance(address, Or)
    assert Match("source.ip", "10.0.0.5") in address.parts
    assert Match("title.en", "stop") in getattr(parse("stop", FINDING), "parts", ())


ERRORS = [
    ("ot.acess:write", "search.field_near", "ot.access"),
    ("source:x", "search.field_near", "source.ip"),
    ("zzzz:x", "search.field", "zzzz"),
    ("source.ip:fe80::1", "search.colon", "fe80::1"),
    ("::1", "search.colon", "::1"),
    ("source.mac:00:11:22:33:44:55", "search.colon", "00:11:22:33:44:55"),
    ("00:11:22:33:44:55", "search.colon", "00:11:22:33:44:55"),
    ("10.0.0.5:502", "search.colon", "10.0.0.5"),
    ("ot.access:(write OR fe80::1)", "search.colon", "fe80::1"),
    ("source.ip:[fe80::1 TO fe80::2]", "search.colon", "fe80::1"),
    ("@timestamp:>=2026-11-22T03:12:00+08:00", "search.colon", "2026-11-22T03:12:00+08:00"),
    ("ot.unit:three", "search.type_long", "three"),
    ("ot.unit:1.5", "search.type_long", "1.5"),
    ("ot.unit:99999999999999999999", "search.type_long", "whole number"),
    ("ot.unit:3*", "search.wildcard", "ot.unit"),
    ("ot.value:nan", "search.type_double", "nan"),
    ("ot.grouped:maybe", "search.type_boolean", "maybe"),
    ("@timestamp:yesterday", "search.type_date", "yesterday"),
    ("source.ip:10.0.0.300", "search.type_ip", "10.0.0.300"),
    ("source.ip:[10.0.0.0/8 TO *]", "search.type_ip", "10.0.0.0/8"),
    ("ot.grouped:>true", "search.range", "ot.grouped"),
    ("[1 TO 9]", "search.range_alone", "[1 TO 9]"),
    (">5", "search.range_alone", ">5"),
    ("write~", "search.unsupported", "~"),
    ('"a b"~3', "search.unsupported", "~"),
    ("write^2", "search.unsupported", "^"),
    ("ot.code:/x.*/", "search.unsupported", "/…/"),
    ("(ot.unit:3", "search.syntax", "parenthes"),
    ("ot.unit:", "search.syntax", "ot.unit:"),
    ("ot.unit:3 AND", "search.syntax", "AND"),
    ('"', "search.syntax", '"'),
    ("a~1.2.3", "search.syntax", "1.2.3"),
    ("x" * (MAX_LENGTH + 1), "search.length", str(MAX_LENGTH)),
    ("x " * 300, "search.words", "200"),
    ("(" * 100 + "x" + ")" * 100, "search.deep", "40"),
    ("NOT " * 900 + "x", "search.deep", "40"),
    ("1:" + "(" * 1900 + "x" + ")" * 1900, "search.colon", "1:"),
    ("(" * 1900 + "x" + ")" * 1900 + "^2", "search.unsupported", "^"),
]


@pytest.mark.parametrize(("text", "key", "says"), ERRORS, ids=[f"{key}-{text[:20]}" for text, key, _ in ERRORS])
def test_errors_say_what_and_what_to_write(text: str, key: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, ACTIVITY)
    assert caught.value.key == key
    assert says in str(caught.value)
    assert caught.value.text("zh")


UNREAD = [
    ("severity:(", "open", "("), ("(ot.unit:3", "open", "("), ("a (b:[1 TO 2", "open", "["), ("ot.unit:3 and", "end", "AND"), ("ot.unit:", "end", "ot.unit:"),
    ("ot.unit:3)", "closed", ")"), ('")" )', "closed", ")"), ('a:"b', "quote", '"b'), ("or a", "operator", "OR"), ("a AND OR b", "operator", "OR"),
    ("a~1.2.3", "number", ""), ("()", "word", ")"), ("a /b", "word", "/b"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "word"), UNREAD, ids=[text for text, _, _ in UNREAD])
def test_why_a_search_cannot_be_read_is_said_in_the_reader_s_language(text: str, kind: str, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, ACTIVITY)
    why = caught.value.values["reason"]
    assert isinstance(why, UsageError)
    assert (why.key, why.values.get("word", "")) == (f"search.unread.{kind}", word)
    for language in LANGUAGES:
        assert why.text(language) in caught.value.text(language)
        assert "unexpected" not in caught.value.text(language)


def test_a_structure_only_exists() -> None:
    assert parse("terms:*", FINDING) == Exists("terms")
    with pytest.raises(UsageError):
        parse("terms:x", FINDING)


_PIECES = [*'()[]{}:"\\*?~^/+-<>= ', "AND", " to ", "not ", "ot.unit:", "source.ip:", "@timestamp:", "1", "fe80", "x"]


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
@example("ot.unit:(NOT -1)")
@example("source.ip:(10.0.0.1 OR NOT 10.0.0.0/0)")
def test_any_text_parses_or_says_why(text: str) -> None:
    for table in (ACTIVITY, ALERT):
        try:
            said = "" if parse(text, table) else "nothing"
        except UsageError as error:
            said = str(error)
        assert said != "nothing"


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        ("ot.access:write && ot.unit:1", "ot.access:write AND ot.unit:1"),
        ("ot.access:write||ot.access:command", "ot.access:write OR ot.access:command"),
        ("!ot.access:read", "NOT ot.access:read"),
        ("!(ot.unit:1 && write)", "NOT (ot.unit:1 AND write)"),
    ],
)
def test_operators_as_signs(signs: str, words: str) -> None:
    assert parse(signs, ACTIVITY) == parse(words, ACTIVITY)


def test_signs_inside_quotes_are_text() -> None:
    assert parse('event.action:"a && !b"', ACTIVITY) == Match("event.action", "a && !b")


NEAR = {
    ("alert", "score"): "severity", ("finding", "risk"): "score", ("activity", "time"): "@timestamp", ("asset", "ip"): "addresses",
    ("activity", "protocol"): "network.protocol", ("activity", "action"): "event.action", ("alert", "severty"): "severity", ("alert", "zzz"): None,
}  # fmt: skip


@pytest.mark.parametrize(("table", "word"), NEAR)
def test_a_field_that_a_table_calls_otherwise_is_told_by_what_is_meant(table: str, word: str) -> None:
    with pytest.raises(UsageError) as raised:
        field_of(TABLES[table], word)
    assert raised.value.values.get("near") == NEAR[table, word]
