"""The slow evaluator: one row, one value, plain Python over the YAML, written from the Sigma specification; nothing of the product, nothing of pySigma."""

from __future__ import annotations

import base64
import math
import operator
import re
import statistics
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

Row = dict[str, Any]

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


def glob(parts: list[str], text: str, *, cased: bool) -> bool:
    if not parts:
        return not text
    if parts[0] == "any":
        return any(glob(parts[1:], text[start:], cased=cased) for start in range(len(text) + 1))
    return bool(text) and (parts[0] == "one" or alike(parts[0], text[0], cased=cased)) and glob(parts[1:], text[1:], cased=cased)


@cache
def alike(one: str, other: str, *, cased: bool) -> bool:
    """Whether two letters are the same; whatever their case, by what Python's `re` knows of that."""
    return one == other or (not cased and re.fullmatch(re.escape(turkish(one)), turkish(other), re.I) is not None)


def turkish(text: str) -> str:
    """Python takes a dotted or dotless i of Turkish for an i, Unicode's simple case folding does not: letters that are nothing else stand for them."""
    return text.replace("\u0130", "\ue000").replace("\u0131", "\ue001")


def around(parts: list[str], modifiers: list[str]) -> list[str]:
    """With anything before or after it, as the modifiers have it."""
    before = ["any"] if {"contains", "endswith"} & set(modifiers) else []
    after = ["any"] if {"contains", "startswith"} & set(modifiers) else []
    return [*before, *parts, *after]


def text_matches(value: str, text: str, modifiers: list[str]) -> bool:
    return glob(around(parsed(value), modifiers), text, cased="cased" in modifiers)


# What RE2 means by what Python means otherwise: only the very end, and ASCII.
WORD, SPACE = "0-9A-Za-z_", "\\t\\n\\f\\r "
EDGE = f"(?-i:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))"
CLASSES = {"w": f"[{WORD}]", "W": f"[^{WORD}]", "d": "[0-9]", "D": "[^0-9]", "s": f"[{SPACE}]", "S": f"[^{SPACE}]", "b": EDGE, "z": "\\Z"}
FLAGS = {"i": re.I, "ignorecase": re.I, "m": re.M, "multiline": re.M, "s": re.S, "dotall": re.S}


def regex_matches(value: str, text: str, modifiers: list[str]) -> bool:
    flags = sum({FLAGS[name] for name in modifiers if name in FLAGS}, re.NOFLAG)
    ends = {} if flags & re.M else {"$": "\\Z"}
    python = re.sub(r"\\(.)|\$", lambda one: CLASSES.get(one[1], one[0]) if one[1] else ends.get(one[0], one[0]), turkish(value))
    return re.search(python, turkish(text), flags) is not None


DASHES = "-/\u2013\u2014\u2015"
OTHERWISE = {"windash", "wide", "utf16le", "utf16be", "utf16", "base64", "base64offset"}
MARK = "\ufeff"


def written_otherwise(value: str, modifiers: list[str]) -> list[str]:
    """The texts that a value stands for: encoded, or with its dashes exchanged; each modifier on what the one before gave."""
    texts = [value]
    for modifier in modifiers:
        if modifier in OTHERWISE:
            texts = [one for text in texts for one in encoded(text, modifier)]
    return texts


def encoded(text: str, modifier: str) -> list[str]:
    if modifier == "windash":  # a dash that begins a word
        pieces = re.split(r"(?<!\w)[-/](?=\w)", text)
        return ["".join(map("".join, zip(pieces, (*dashes, ""), strict=True))) for dashes in product(DASHES, repeat=len(pieces) - 1)]
    if modifier in {"wide", "utf16le"}:
        return ["".join(f"{char}\0" for char in text)]
    if modifier == "utf16be":
        return ["".join(f"\0{char}" for char in text)]
    if modifier == "utf16":
        return [MARK + "".join(f"{char}\0" for char in text)]
    octets = b"\xff\xfe" + text[1:].encode() if text.startswith(MARK) else text.encode()
    if modifier == "base64":
        return [base64.b64encode(octets).decode()]
    found: list[str] = []
    for before in range(3):  # only characters that the octets around it do not change
        bits = range(before * 8, (before + len(octets)) * 8)
        code = base64.b64encode(b" " * before + octets).decode()
        found.append("".join(char for place, char in enumerate(code) if {*range(place * 6, place * 6 + 6)} <= set(bits)))
    return found


def refers(element: Any, other: Any, modifiers: list[str]) -> bool:
    if other is None:
        return False
    if not isinstance(element, str):
        return element == other
    return glob(around(list(other), modifiers), element, cased=False)


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
        return regex_matches(value, element, modifiers)
    for name, check in {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}.items():
        if name in modifiers:
            return check(element, value)
    if isinstance(element, str):
        return any(text_matches(one, element, modifiers) for one in written_otherwise(str(value), modifiers))
    return element == value


def field_matches(row: Row, name: str, value: Any, modifiers: list[str]) -> bool:
    held = row.get(name)
    elements = listed(held) if held is not None else []
    if value is None or "exists" in modifiers:
        return bool(elements) == bool(value)
    return any(element_matches(row, element, value, modifiers) for element in elements)


def item_matches(row: Row, key: str, value: Any) -> bool:
    name, *modifiers = key.split("|")
    found = [any(value_matches(row, name, one, modifiers) for one in stood_for(given, modifiers)) for given in listed(value)]
    result = all(found) if "all" in modifiers else any(found)
    return result != ("neq" in modifiers)


def value_matches(row: Row, name: str, value: Any, modifiers: list[str]) -> bool:
    return field_matches(row, name, value, modifiers) if name else word_matches(row, value, modifiers)


# The placeholders of a site.
SITE: dict[str, tuple[str | int, ...]] = {
    "words": ("a", "B*", "é?"), "none": (), "units": (1, 2), "lines": ("10.0.0.0/25", "2001:db8::/64"), "forms": ("^a", "b$"),
}  # fmt: skip


def stood_for(value: Any, modifiers: list[str]) -> Sequence[Any]:
    """What a value with placeholders stands for, every mixture of theirs; any of it is enough."""
    if "expand" not in modifiers or not isinstance(value, str):
        return [value]
    if (name := value.strip("%")) in SITE and value == f"%{name}%":
        return SITE[name]
    pieces = re.split(r"(\\%|%\w+%)", value)
    choices = [["%"] if piece == "\\%" else map(str, SITE[piece[1:-1]]) if place % 2 else [piece] for place, piece in enumerate(pieces)]
    return ["".join(mixture) for mixture in product(*choices)]


def word_matches(row: Row, word: Any, modifiers: list[str]) -> bool:
    texts = [text for name, held in row.items() if name != "id" for text in listed(held) if isinstance(text, str)]
    if "re" in modifiers:
        return any(regex_matches(word, text, modifiers) for text in texts)
    return any(text_matches(one, text, ["contains", *modifiers]) for text in texts for one in written_otherwise(str(word), modifiers))


def definition_matches(row: Row, definition: Any) -> bool:
    if isinstance(definition, dict):
        return all(item_matches(row, key, value) for key, value in cast("dict[str, Any]", definition).items())
    if isinstance(definition, list):
        return any(definition_matches(row, part) for part in listed(definition))
    return word_matches(row, definition, [])


def condition_matches(row: Row, names: dict[str, Any], condition: Any) -> bool:
    kind, *parts = condition
    if kind == "name":
        return definition_matches(row, names[parts[0]])
    if kind == "of":
        found = [definition_matches(row, names[name]) for name in names if selected(name, parts[1])]
        return all(found) if parts[0] == "all" else any(found)
    found = [condition_matches(row, names, part) for part in parts]
    return not found[0] if kind == "not" else all(found) if kind == "and" else any(found)


def selected(name: str, selector: str) -> bool:
    """A name that begins with _ is only meant by a selector that does."""
    return fnmatchcase(name, "*" if selector == "them" else selector) and (selector.startswith("_") or not name.startswith("_"))


# ---- correlations -------------------------------------------------------------------------------------------------------------------------------

Firing = tuple[int, tuple[Any, ...], frozenset[int], Any]  # the row that completes it, its group, the rows inside, what they come to
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "M": 2_629_746, "y": 31_556_952}  # a month and a year of the Gregorian calendar, on average
HOLDS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq, "neq": operator.ne}


def correlation_fires(said: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]], rows: Sequence[Row]) -> list[Firing]:
    """Where a correlation fires, row after row as they come. `parts` are documents by name: a detection, whose condition is a tuple, or a correlation."""
    span = timedelta(seconds=int(said["timespan"][:-1]) * UNITS[said["timespan"][-1]])
    own = span < timedelta(minutes=1) or said["type"] == "temporal_ordered"
    inner = {name: {row for row, *_ in correlation_fires(parts[name]["correlation"], parts, rows)} for name in said["rules"] if "correlation" in parts[name]}
    seen: dict[tuple[Any, ...], list[tuple[datetime, int, set[str], int]]] = {}
    fired: dict[tuple[Any, ...], list[datetime]] = {}
    found: list[Firing] = []
    for number, row in enumerate(rows):
        if "@timestamp" not in row or (own and row.get("ot.grouped")):
            continue
        matched = {name for name in said["rules"] if (number in inner[name] if name in inner else part_matches(row, parts[name]))}
        groups: dict[tuple[Any, ...], set[str]] = {}
        for name in matched:
            groups.setdefault(tuple(grouped_by(row, field, name, said) for field in said.get("group-by", ())), set()).add(name)
        time = row["event.end"] if row.get("ot.grouped") and "event.end" in row else row["@timestamp"]
        for group in sorted(groups, key=str):
            weight = max(0, row.get("ot.count", 1)) if groups[group] - inner.keys() else 1
            rest = seen.setdefault(group, [])
            rest.append((time, number, groups[group], weight))
            for end in sorted({one[0] for one in rest if time <= one[0] < time + span}):
                if any(abs(end - other) < span for other in fired.get(group, ())):
                    continue
                inside = sorted(one for one in rest if end - span < one[0] <= end)
                measure = comes_to(said, rows, inside)
                if measure is not None:
                    fired.setdefault(group, []).append(end)
                    found.append((number, group, frozenset(one[1] for one in inside), measure))
                    break
    return found


def part_matches(row: Row, part: Mapping[str, Any]) -> bool:
    return condition_matches(row, part["detection"], part["when"])


def grouped_by(row: Row, field: str, part: str, said: Mapping[str, Any]) -> Any:
    name = said.get("aliases", {}).get(field, {}).get(part, field)
    value = row.get(name)
    return row.get(name.removesuffix("ip") + "mac") if value is None and name.endswith(".ip") else value


def comes_to(said: Mapping[str, Any], rows: Sequence[Row], inside: Sequence[tuple[datetime, int, set[str], int]]) -> Any:
    """What a window comes to, where that is enough; else None."""
    condition = said.get("condition")
    kind, names = said["type"], said["rules"]
    if kind.startswith("temporal") and not isinstance(condition, dict):
        ways: list[tuple[list[str], list[str]]] = said.get("ways", [(names, [])])
        return next((len(there) for there, absent in ways if way_is_true(there, absent, inside, ordered=kind == "temporal_ordered")), None)
    bounds: dict[str, Any] = cast("dict[str, Any]", condition)
    if kind == "event_count":
        measure: Any = sum(weight for *_, weight in inside)
    elif kind == "temporal":
        measure = len(set[str]().union(*(parts for _, _, parts, _ in inside)))
    elif kind == "temporal_ordered":
        measure = longest(names, [parts for _, _, parts, _ in inside])
    else:
        measure = measured(kind, bounds, [rows[number] for _, number, *_ in inside])
    return measure if measure is not None and all(HOLDS[name](measure, bounds[name]) for name in bounds if name in HOLDS) else None


def way_is_true(there: list[str], absent: list[str], inside: Sequence[tuple[datetime, int, set[str], int]], *, ordered: bool) -> bool:
    every = [parts for _, _, parts, _ in inside]
    here = set[str]().union(*every)
    return not here & set(absent) and set(there) <= here and (not ordered or in_order(there, every))


def in_order(names: Sequence[str], every: Sequence[set[str]]) -> bool:
    """Whether each of them is at a row after that of the one before."""
    if not names:
        return True
    return any(names[0] in parts and in_order(names[1:], every[place + 1 :]) for place, parts in enumerate(every))


def longest(names: Sequence[str], every: Sequence[set[str]]) -> int:
    """How many of them come one after the other, whichever are left out."""
    choices = product((False, True), repeat=len(names))
    return max(sum(chosen) for chosen in choices if in_order([name for name, taken in zip(names, chosen, strict=True) if taken], every))


def measured(kind: str, bounds: Mapping[str, Any], rows: Sequence[Row]) -> Any:
    fields = listed(bounds["field"])
    if kind == "value_count":
        return len({value for row in rows for value in counted(row, fields)})
    values = [value for row in rows if (value := row.get(fields[0])) is not None and math.isfinite(value)]
    if not values:
        return None
    if kind == "value_sum":
        return math.fsum(values)
    if kind == "value_avg":
        return math.fsum(values) / len(values)
    if kind == "value_median":
        return statistics.median(values)
    # The least of the values that so many percent of them do not exceed.
    return min(one for one in values if sum(other <= one for other in values) * 100 >= bounds["percentile"] * len(values))


def counted(row: Row, fields: Sequence[str]) -> Iterator[Any]:
    if len(fields) > 1:
        values = tuple(row.get(field) for field in fields)
        if None not in values:
            yield values
    elif (held := row.get(fields[0])) is not None:
        yield from (value for value in listed(held) if value == value)  # NaN is no value
