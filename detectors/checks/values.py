"""Values: what can never match, what matches anyway, and what is written harder than need be."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from detectors.checking import Item, Place, Subject, at
from detectors.rulebook.problems import nearest
from detectors.vocabulary import named, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN: Final = frozenset({"all", "cased", "neq", "contains", "startswith", "endswith"})  # modifiers under which a value is still a text
# Least and most of numbers that have a range, by field or part of a date.
RANGES: Final = {
    "source.port": (0, 65535), "destination.port": (0, 65535), "network.vlan.id": (0, 4095), "ot.unit": (0, 2**32 - 1), "ot.count": (1, 2**63),
    "ot.object.count": (1, 2**63), "ot.bytes": (0, 2**63), "ot.rtt": (0, 86400), "ot.interval.mean": (0, 60), "ot.interval.deviation": (0, 60),
    "source.asset.level": (0, 5), "destination.asset.level": (0, 5), "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "week": (1, 53), "month": (1, 12),
}  # fmt: skip
_NUMBERED: Final = re.compile(r"(?:function|exception)_[\d_]*|malformed|\w+_0x[0-9a-f]{4}")


def value_unknown(subject: Subject) -> Iterator[Place]:
    """A name that no protocol gives: a slip of the pen that would never fire."""
    for item in subject.items:
        known = names_of(item.field)
        for index, value in enumerate(item.values):
            if known and set(item.modifiers) <= PLAIN and isinstance(value, str) and not _possible(item, value, known):
                yield at(*item.at(index), name=value, field=item.field, nearest=nearest(value, known))


def all_single(subject: Subject) -> Iterator[Place]:
    """All of a single value, which says nothing and which the specification forbids."""
    for item in subject.items:
        if "all" in item.modifiers and len(item.values) == 1:
            yield at(*item.path, name="|".join((item.field, *item.modifiers)))


def value_repeated(subject: Subject) -> Iterator[Place]:
    """The same value twice in a list."""
    for item in subject.items:
        seen: set[str] = set()
        for index, value in enumerate(item.values):
            word = str(value) if {"cased", "re"} & set(item.modifiers) else str(value).casefold()
            if word in seen:
                yield at(*item.at(index), name=value)
            seen.add(word)


def value_covered(subject: Subject) -> Iterator[Place]:
    """A value of a list that a wider one of the list takes in."""
    for item in subject.items:
        if {"all", "neq"} & set(item.modifiers):
            continue
        for index, value in enumerate(item.values):
            wider = [other for place, other in enumerate(item.values) if place != index and _covers(item, other, value)]
            if wider:
                yield at(*item.at(index), name=value, wider=wider[0])


def wildcard_plain(subject: Subject) -> Iterator[Place]:
    """A wildcard at an end, for which there is a modifier."""
    for item in subject.items:
        for index, value in enumerate(item.values):
            if isinstance(value, str) and not item.modifiers and (found := _instead(value)):
                yield at(*item.at(index), name=value, modifier=found[0], plain=found[1])


def regex_plain(subject: Subject) -> Iterator[Place]:
    """A regular expression without anything of one."""
    for item in subject.items:
        for index, value in enumerate(item.values):
            if "re" in item.modifiers and (found := re.fullmatch(r"(\^?)([\w /,:-]+)(\$?)", str(value))):
                first, plain, last = found.groups()
                yield at(*item.at(index), name=value, modifier={"": "contains", "^": "startswith", "$": "endswith"}.get(first + last, "="), plain=plain)


def number_range(subject: Subject) -> Iterator[Place]:
    """A number that the field never has."""
    for item in subject.items:
        part = next((name for name in item.modifiers if name in RANGES), item.field)
        least, most = RANGES.get(part, (None, None))
        for index, value in enumerate(item.values):
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if least is not None and most is not None and number and not least <= value <= most:
                yield at(*item.at(index), name=value, field=part, least=least, most=most)


def network_everything(subject: Subject) -> Iterator[Place]:
    """A network that every address is in."""
    for item in subject.items:
        for index, value in enumerate(item.values):
            if "cidr" in item.modifiers and str(value).endswith("/0"):
                yield at(*item.at(index), name=value, field=item.field)


def _possible(item: Item, value: str, known: frozenset[str]) -> bool:
    return bool(named(value, item.modifiers, known)) or (item.field in {"event.action", "ot.error"} and bool(_NUMBERED.fullmatch(value.casefold())))


def _covers(item: Item, wider: Any, value: Any) -> bool:
    """Whether every text that `value` matches is matched by `wider`, another value of the same line."""
    one, other = str(wider).casefold(), str(value).casefold()
    if one == other:
        return False
    if "cidr" in item.modifiers:
        return _inside(other, one)
    tests = {"contains": one in other, "startswith": other.startswith(one), "endswith": other.endswith(one)}
    for name, holds in tests.items():
        if name in item.modifiers:
            return holds and not {"*", "?"} & set(one + other)
    return not item.modifiers and "*" in one and "*" not in other and fnmatchcase(other, one.replace("[", "[[]"))


def _inside(inner: str, outer: str) -> bool:
    small, large = ip_network(inner, strict=False), ip_network(outer, strict=False)
    return small.version == large.version and small != large and int(large[0]) <= int(small[0]) and int(small[-1]) <= int(large[-1])


def _instead(value: str) -> tuple[str, str] | None:
    """The modifier for a text with wildcards at its ends alone, and what remains of the text."""
    plain = value.strip("*")
    if not plain or plain == value or {"*", "?", "\\"} & set(plain) or value.strip("*") != value[value.startswith("*") : len(value) - value.endswith("*")]:
        return None
    return {(True, True): "contains", (False, True): "startswith", (True, False): "endswith"}[value.startswith("*"), value.endswith("*")], plain
