"""What the Sigma specification 2.1 gives as examples, sentence by sentence, in fields of this plant.

Sources: sigma-rules-specification (wildcards, escaping, lists, maps, special values, placeholders, keywords, conditions), sigma-appendix-modifiers 2.1.0 and
sigma-filters-specification. Those of correlations stand in `tests/test_correlations.py`. A text that the specification matches with is a field's whole text
here, `event.action` mostly; where it has octets, each is the character of that number.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from detectors.rulebook.detection import MODIFIERS, detection
from detectors.rulebook.document import Document
from detectors.rulebook.frame import Frame
from detectors.rulebook.placeholders import Placeholders
from tests.frames import sparse

if TYPE_CHECKING:
    from tests.rule_reference import Row

SITE: Final = Placeholders({"Servers": ("srv*",), "JumpServers": ("10.1.0.7", "10.2.0.0/16"), "ports": (502, 102), "name": ("x",)})
AT: Final = datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC)


def found(names: dict[str, Any], *rows: Row) -> list[bool]:
    made = detection(Document({"detection": names}), SITE)
    assert made.match, [(fault.check, fault.values) for _, fault in made.faults]
    return made.match(Frame(sparse(rows))).tolist()


def item(key: str, value: Any, *texts: Any) -> list[bool]:
    field = key.split("|")[0]
    return found({"sel": {key: value}, "condition": "sel"}, *({} if text is None else {field: text} for text in texts))


EXAMPLES: Final[dict[str, tuple[str, Any, list[Any], list[Any]]]] = {
    "without a modifier, whatever the case": ("event.action", "Cmd", ["cmd", "CMD"], ["cmdx", "xcmd", None]),
    "? is one character": ("event.action", "prog?.exe", ["progA.exe", "progB.exe"], ["prog.exe", "progAB.exe"]),
    "* is any number of them": ("event.action", "antivirus_V*.exe", ["antivirus_V1.exe", "antivirus_V21.2.1.exe"], ["antivirus_1.exe"]),
    "a plain backslash": ("event.action", r"C:\x", [r"C:\x"], ["C:x", r"C:\\x"]),
    "a plain backslash, doubled": ("event.action", "C:\\\\x", [r"C:\x"], ["C:x"]),
    "an escaped asterisk": ("event.action", r"a\*", ["a*"], ["ab", "a\\b"]),
    "an escaped question mark": ("event.action", r"a\?", ["a?"], ["ab"]),
    "a backslash before a wildcard": ("event.action", r"C:\\*", ["C:\\", r"C:\dir"], ["C:dir"]),
    "both as plain characters": ("event.action", r"C:\\\*", [r"C:\*"], [r"C:\dir", "C:*"]),
    "four backslashes are two": ("event.action", "\\\\\\\\host", ["\\\\host"], ["\\host"]),
    "three backslashes are two": ("event.action", "\\\\\\host", ["\\\\host"], ["\\host"]),
    "a list is any of": ("event.action", ["a", "b"], ["a", "B"], ["ab", None]),
    "a number": ("destination.port", 517, [517], [1102, None]),
    "a list of numbers": ("destination.port", [517, 1102], [517, 1102], [518]),
    "a number as text": ("event.action", "0x17", ["0X17"], ["17"]),
    "null is absence": ("ot.error", None, [None], ["x"]),
    "all": ("event.action|contains|all", ["-a", "-b"], ["x -b -a"], ["-a", "-b"]),
    "startswith": ("event.action|startswith", "adm", ["admin", "ADM"], ["xadm"]),
    "endswith": ("event.action|endswith", r"\cmd.exe", [r"C:\CMD.exe"], ["cmd.exe"]),
    "contains": ("event.action|contains", "mid", ["amidb", "mid"], ["mi d"]),
    "exists": ("ot.error|exists", True, ["", "x"], [None]),
    "exists: false": ("ot.error|exists", False, [None], ["x", ""]),
    "cased": ("event.action|cased", "Cmd", ["Cmd"], ["cmd"]),
    "contains, cased": ("event.action|contains|cased", "Cmd", ["a Cmd b"], ["a cmd b"]),
    "neq of a text": ("event.action|neq", "a", ["b", None], ["A"]),
    "neq of several": ("event.action|neq", ["a", "b"], ["c"], ["a", "b"]),
    "neq of a number": ("destination.port|neq", 502, [102], [502]),
    "re, by case": ("event.action|re", "^Cm[a-d]$", ["Cmd"], ["cmd", "Cme"]),
    "re: anchors, quantifiers, groups, alternation": ("event.action|re", r"^(a|b)+c{1,2}.?$", ["abcc", "bacx"], ["c", "abcccc"]),
    "re, insensitive": ("event.action|re|i", "^cmd$", ["CMD"], ["CMDX"]),
    "re, lines": ("event.action|re|m", "^b$", ["a\nb\nc"], ["abc"]),
    "re, a dot for a line's end": ("event.action|re|s", "^a.b$", ["a\nb"], ["a\n\nb"]),
    "re with all three": ("event.action|re|i|m|s", "^B.C$", ["a\nb\nc"], ["a\nbc"]),
    "base64": ("event.action|base64", "/bin/bash", [base64.b64encode(b"/bin/bash").decode()], ["/bin/bash"]),
    "base64offset, at any place": (
        "event.action|base64offset|contains",
        "/bin/bash",
        [base64.b64encode(b"x" * before + b"/bin/bash" + b"yz").decode() for before in range(6)],
        [base64.b64encode(b"/bin/dash").decode()],
    ),
    "utf16le": ("event.action|utf16le", "cmd", ["c\0m\0d\0"], ["cmd", "\0c\0m\0d"]),
    "utf16be": ("event.action|utf16be", "cmd", ["\0c\0m\0d"], ["c\0m\0d\0"]),
    "utf16": ("event.action|utf16", "cmd", ["\ufeffc\0m\0d\0"], ["c\0m\0d\0"]),
    "wide is utf16le": ("event.action|wide", "cmd", ["c\0m\0d\0"], ["\0c\0m\0d"]),
    "wide in base64": (
        "event.action|wide|base64offset|contains",
        "ping",
        [base64.b64encode(b"x" * before + "ping".encode("utf-16-le") + b"y").decode() for before in range(3)],
        [base64.b64encode(b"ping").decode()],
    ),
    "lt": ("ot.value|lt", 5, [4.9], [5, 6, None]),
    "lte": ("ot.value|lte", 5, [5], [5.1]),
    "gt": ("ot.value|gt", 5, [5.1], [5]),
    "gte": ("ot.value|gte", 5, [5], [4.9]),
    "minute": ("@timestamp|minute", 59, [AT], [AT.replace(minute=58)]),
    "hour": ("@timestamp|hour", 23, [AT], [AT.replace(hour=22)]),
    "day": ("@timestamp|day", 31, [AT], [AT.replace(day=30)]),
    "week": ("@timestamp|week", 1, [AT.replace(year=2025, month=1, day=1)], [AT]),
    "month": ("@timestamp|month", 12, [AT], [AT.replace(month=10)]),
    "year": ("@timestamp|year", 2026, [AT], [AT.replace(year=2025)]),
    "a part of a date, compared": ("@timestamp|hour|gte", 20, [AT], [AT.replace(hour=19)]),
    "cidr": ("destination.ip|cidr", "10.0.0.0/8", ["10.255.0.1"], ["11.0.0.1", "2001:db8::1", None]),
    "cidr, IPv6": ("destination.ip|cidr", "2001:db8::/32", ["2001:db8:1::5"], ["2001:db9::1", "10.0.0.1"]),
    "a placeholder without expand is a text": ("event.action", "%name%", ["%name%"], ["x"]),
    "expand": ("event.action|expand", "%Servers%", ["srv01"], ["%Servers%", "web01"]),
    "expand inside a text": ("event.action|expand", "to %name%!", ["to x!"], ["to %name%!"]),
    "expand with a plain per cent sign": ("event.action|expand", r"\%plain%name%", ["%plainx"], ["%plain%name%"]),
    "expand to networks": ("source.ip|cidr|expand", "%JumpServers%", ["10.1.0.7", "10.2.3.4"], ["10.1.0.8"]),
    "expand to numbers": ("destination.port|expand", "%ports%", [102, 502], [103]),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_of_the_specification(name: str) -> None:
    key, value, hits, misses = EXAMPLES[name]
    assert item(key, value, *hits, *misses) == [True] * len(hits) + [False] * len(misses)


def test_every_modifier_has_an_example() -> None:
    shown = {modifier for key, *_ in EXAMPLES.values() for modifier in key.split("|")[1:]} | {"fieldref", "windash"}
    assert {"ignorecase", "multiline", "dotall"} == MODIFIERS - shown, "other names of i, m and s"


def test_windash_takes_every_dash_for_every_other() -> None:
    """All permutations of five: `-param-name` begins two words, of which the second has its dash inside."""
    dashes = "-/–—―"
    for written in ("-f -x", "/f -x"):
        assert all(item("event.action|windash", written, *(f"{one}f {other}x" for one, other in product(dashes, repeat=2))))
    assert item("event.action|windash|contains", " -f", "run /f", "run —f", "run f", "run +f") == [True, True, False, False]


def test_fieldref_compares_two_fields_of_a_row_also_with_neq() -> None:
    rows: list[dict[str, Any]] = [
        {"source.ip": "10.0.0.1", "destination.ip": "10.0.0.1"}, {"source.ip": "10.0.0.1", "destination.ip": "10.0.0.2"}, {"source.ip": "10.0.0.1"},
    ]  # fmt: skip
    assert found({"sel": {"source.ip|fieldref": "destination.ip"}, "condition": "sel"}, *rows) == [True, False, False]
    assert found({"sel": {"source.ip|fieldref|neq": "destination.ip"}, "condition": "sel"}, *rows) == [False, True, True]
    texts = [{"event.action": "read Tank", "ot.object.name": "tank"}, {"event.action": "read", "ot.object.name": "tank"}]
    assert found({"sel": {"event.action|fieldref|endswith": "ot.object.name"}, "condition": "sel"}, *texts) == [True, False]


@pytest.mark.parametrize(
    ("names", "hits", "misses"),
    [
        ({"keywords": ["EVILSERVICE", "svchost.exe -n evil"], "condition": "keywords"}, ["an evilservice", "x svchost.exe -n EVIL y"], ["svchost.exe"]),
        ({"words": ["event::clear", "event::drop"], "condition": "words"}, ["event::drop"], ["event"]),
        ({"words": {"|all": ["OabVirtualDirectory", " -ExternalUrl "]}, "condition": "words"}, ["oabvirtualdirectory -ExternalUrl x"], ["OabVirtualDirectory"]),
        ({"words": "one", "condition": "words"}, ["all in one"], ["two"]),
        ({"words": {"|re": "ev[ei]l"}, "condition": "words"}, ["devil"], ["Evul"]),
    ],
)
def test_keywords_are_looked_for_in_every_text(names: dict[str, Any], hits: list[str], misses: list[str]) -> None:
    for field in ("event.action", "ot.object.name", "ot.error"):
        assert found(names, *({field: text} for text in (*hits, *misses))) == [True] * len(hits) + [False] * len(misses)


def test_a_list_of_maps_is_any_of_them_and_a_map_is_all_of_it() -> None:
    names = {"selection": [{"event.action|endswith": r"\example.exe", "ot.unit": 1}, {"ot.error|contains": "Test executable"}], "condition": "selection"}
    rows: list[dict[str, Any]] = [{"event.action": r"C:\example.exe", "ot.unit": 1}, {"ot.error": "a test executable"}, {"event.action": r"C:\example.exe"}]
    assert found(names, *rows) == [True, True, False]


CONDITIONS: Final = [
    ("selection1 or keywords", {"selection1": 1, "keywords": 0}, True),
    ("keywords and not filters", {"keywords": 1, "filters": 1}, False),
    ("1 of them", {"selection": 0, "_example": 1}, False),
    ("1 of them", {"selection": 1, "_example": 0}, True),
    ("any of them", {"selection": 1, "other": 0}, True),
    ("all of them", {"selection": 1, "other": 1, "_example": 0}, True),
    ("all of them", {"selection": 1, "other": 0}, False),
    ("all of selection*", {"selection_a": 1, "selection_b": 1, "filter": 0}, True),
    ("all of selection*", {"selection_a": 1, "selection_b": 0}, False),
    ("1 of selection* and keywords", {"selection_a": 0, "selection_b": 1, "keywords": 1}, True),
    ("1 of selection* and keywords", {"selection_a": 0, "selection_b": 1, "keywords": 0}, False),
    ("1 of selection* and not 1 of filter*", {"selection_a": 1, "filter_a": 0, "filter_b": 0}, True),
    ("1 of selection* and not 1 of filter*", {"selection_a": 1, "filter_a": 0, "filter_b": 1}, False),
    ("1 of *_a", {"sel_a": 1, "sel_b": 0}, True),
    ("selection1 and (keywords1 or keywords2)", {"selection1": 1, "keywords1": 0, "keywords2": 1}, True),
    ("a or b and c", {"a": 1, "b": 0, "c": 0}, True),
    ("not a and b", {"a": 0, "b": 0}, False),
    ("not a or b", {"a": 1, "b": 1}, True),
    ("not 1 of sel*", {"sel_a": 0, "sel_b": 0}, True),
    (["a", "b"], {"a": 0, "b": 1}, True),
]


@pytest.mark.parametrize(("condition", "names", "holds"), CONDITIONS)
def test_a_condition_of_the_specification(condition: Any, names: dict[str, int], holds: bool) -> None:
    parts = {name: {"ot.unit": 1 if true else 2} for name, true in names.items()}
    assert found({**parts, "condition": condition}, {"ot.unit": 1}) == [holds]
