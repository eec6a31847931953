"""Values that mean more than a text, and lack the modifier that says so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from detectors.checking import Place, Subject, at
from detectors.rulebook.placeholders import stands_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_OCTETS: Final = re.compile(r"((?:\d{1,3}\.){1,3})\*(?:\.\*)*")


def placeholder_plain(subject: Subject) -> Iterator[Place]:
    """`%name%` without `expand`, which is looked for letter by letter."""
    for item in subject.items:
        for index, value in enumerate(item.values):
            if not {"expand", "re"} & set(item.modifiers) and isinstance(value, str) and stands_for(value):
                yield at(*item.at(index), name=value, wanted="|".join((item.field, *item.modifiers, "expand")))


def address_wildcard(subject: Subject) -> Iterator[Place]:
    """A network written with `*`, which is compared as text: `cidr` says where it begins and ends."""
    for item in subject.items:
        field = subject.rule.table.field(item.field)
        for index, value in enumerate(item.values):
            octets = _OCTETS.fullmatch(value) if isinstance(value, str) and field is not None and field.type == "ip" and not item.modifiers else None
            if octets:
                known = octets[1].count(".")
                yield at(*item.at(index), name=value, field=item.field, wanted=f"{octets[1]}{'.'.join('0' * (4 - known))}/{known * 8}")
