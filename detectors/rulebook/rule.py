"""What a rule is once it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Final

from detectors.rulebook.problems import Fault, nearest
from records.model import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.rulebook.cases import Case
    from detectors.rulebook.match import Predicate

LEVELS: Final = {"informational": 10.0, "low": 25.0, "medium": 45.0, "high": 65.0, "critical": 85.0}
PLACEHOLDERS: Final = ("action", "count", "destination", "effect", "error", "object", "protocol", "source", "unit", "value")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A named change of the score for rows that match."""

    name: Text
    value: float
    match: Predicate


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `key` names the fields that, with the rule, make the key of its findings; `fields` are those its detection asks for."""

    id: str
    file: str
    title: Text
    description: Text
    level: str
    techniques: tuple[str, ...]
    match: Predicate
    fields: frozenset[str]
    key: tuple[str, ...]
    adjustments: tuple[Adjustment, ...]
    misses: tuple[Text, ...]
    respond: tuple[Text, ...]
    normal: Text | None
    cases: tuple[Case, ...]
    status: str = "experimental"


def check_placeholders(text: str) -> None:
    """Raises Fault for a placeholder that is not one of PLACEHOLDERS; attributes and indices are none."""
    try:
        names = [name for _, name, form, conversion in Formatter().parse(text) if name is not None and not _odd(form, conversion, text)]
    except ValueError as error:
        raise Fault("text-placeholder", name=str(error), nearest=", ".join(PLACEHOLDERS)) from error
    for name in names:
        if name not in PLACEHOLDERS:
            raise Fault("text-placeholder", name=name, nearest=nearest(name, PLACEHOLDERS))


def _odd(form: str | None, conversion: str | None, text: str) -> bool:
    if form or conversion:
        raise Fault("text-placeholder", name=text, nearest=", ".join(PLACEHOLDERS))
    return False


def fill(text: Text, english: Mapping[str, str], chinese: Mapping[str, str]) -> Text:
    """The text with its placeholders filled in. They were checked when the rule was loaded."""
    return Text(text.en.format_map(english), text.zh.format_map(chinese))
