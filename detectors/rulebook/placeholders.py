"""What a site puts in for `%name%` in rules: `placeholders.yml` in a directory of rules, each name with its list of values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.rulebook.document import read_file
from detectors.rulebook.problems import Fault, Problem, nearest, problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


FILE: Final = "placeholders.yml"
MOST: Final = 1000  # texts that one value may stand for

Scalar = str | int | float

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_USE: Final = re.compile(r"\\%|%([^%\\]+)%")


@dataclass(frozen=True, slots=True)
class Placeholders:
    """The values of each name; a name with an empty list stands for nothing, and what asks for it matches nothing."""

    values: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict[str, tuple[Scalar, ...]])

    def expand(self, value: Any) -> list[Any]:
        """What a value with `%name%` in it stands for. Raises Fault for a name that is not known."""
        if not isinstance(value, str):
            return [value]
        whole = _USE.fullmatch(value)
        if whole and whole[1]:
            return list(self._known(whole[1]))
        texts = [""]
        at = 0
        for use in _USE.finditer(value):
            known = [str(one) for one in self._known(use[1])] if use[1] else ["%"]
            texts = [text + value[at : use.start()] + one for text in texts for one in known]
            at = use.end()
            if len(texts) > MOST:
                raise Fault("placeholder-many", value=value, most=MOST)
        return [text + value[at:] for text in texts]

    def _known(self, name: str) -> tuple[Scalar, ...]:
        if name not in self.values:
            raise Fault("placeholder", name=name, nearest=nearest(name, self.values) or "—")
        return self.values[name]


def stands_for(value: str) -> bool:
    """Whether a value is written as the name of a placeholder is, and nothing else."""
    whole = _USE.fullmatch(value)
    return bool(whole and whole[1] and _NAME.fullmatch(whole[1]))


def read_placeholders(file: Path) -> tuple[dict[str, tuple[Scalar, ...]], list[Problem]]:
    """The names and values of a file, and what is wrong with it; a name with a fault is left out."""
    document = read_file(file)
    faults = list(document.faults)
    found: dict[str, tuple[Scalar, ...]] = {}
    for name, value in document.data.items():
        if name in document.misread:
            continue
        try:
            found[name] = _values(name, value)
        except Fault as fault:
            faults.append((document.line(name), fault))
    return found, [problem(str(file), line, "", fault) for line, fault in faults]


def _values(name: str, value: Any) -> tuple[Scalar, ...]:
    if not _NAME.fullmatch(name):
        raise Fault("placeholder-name", name=name)
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    if any(isinstance(item, bool) or not isinstance(item, (str, int, float)) for item in items):
        raise Fault("placeholder-value", name=name)
    return tuple(items)
