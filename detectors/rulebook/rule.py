"""What a rule is once it is loaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import Formatter
from typing import TYPE_CHECKING, Final

from detectors.rulebook.correlation import Correlation, Fresh
from detectors.rulebook.predicates import Narrowed, narrowed
from detectors.rulebook.problems import Fault, nearest
from records.model import Text
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from detectors.rulebook.cases import Case
    from detectors.rulebook.predicates import Predicate
    from records.schema import Table

LEVELS: Final = {"informational": 10.0, "low": 25.0, "medium": 45.0, "high": 65.0, "critical": 85.0}
PLACEHOLDERS: Final = ("action", "count", "destination", "effect", "error", "object", "protocol", "source", "unit", "value")
OF_POINTS: Final = ("count", "destination", "object", "protocol", "unit", "value")
OF_CORRELATIONS: Final = (*PLACEHOLDERS, "measure", "timespan")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A named change of the score for rows that match."""

    name: Text
    value: float
    match: Predicate
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `key` names the fields that, with the rule, make the key of its findings; `fields` are those its detection asks for.

    `match` gives the rows that fire; of a correlation, those that complete one where nothing came before the frame. `called` is the name that other rules
    may use beside the id; `silent` means that only correlations look at it, and so does `disabled`, which is why the site will have it so; `filters` are
    the ids of the filters that narrow it, or parts of it.
    """

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
    table: Table = ACTIVITY
    called: str = ""
    correlation: Correlation | None = None
    silent: bool = False
    disabled: str = ""
    filters: tuple[str, ...] = ()
    status: str = "experimental"

    @property
    def fires(self) -> bool:
        """Whether it makes findings by itself."""
        return not (self.silent or self.disabled)

    @property
    def own_rows_only(self) -> bool:
        """Whether it looks at rows of their own only, because a row that stands for a minute would not tell when things were done."""
        return self.correlation is not None and self.correlation.own_rows


def filtered(rule: Rule, names: Collection[str] = ()) -> Rule:
    """The rule as it is where of the filters that narrow it, or what it is made of, there are only these."""
    if rule.correlation is not None:
        correlation = _within(rule.correlation, names)
        return replace(rule, correlation=correlation, match=Fresh(correlation), filters=filters_of(correlation))
    match = _kept(rule.match, names)
    return replace(rule, match=match, filters=filters_of(match))


def filters_of(whole: Predicate | Correlation | None) -> tuple[str, ...]:
    """The ids of the filters that narrow a predicate, or the parts of a correlation."""
    if isinstance(whole, Correlation):
        return tuple(dict.fromkeys(name for part in whole.parts for name in filters_of(part.inner or part.match)))
    return tuple(name for name, _ in whole.filters) if isinstance(whole, Narrowed) else ()


def _within(correlation: Correlation, names: Collection[str]) -> Correlation:
    parts = [replace(part, match=part.match and _kept(part.match, names), inner=part.inner and _within(part.inner, names)) for part in correlation.parts]
    return replace(correlation, parts=tuple(parts))


def _kept(match: Predicate, names: Collection[str]) -> Predicate:
    return narrowed(match.match, tuple(one for one in match.filters if one[0] in names)) if isinstance(match, Narrowed) else match


def check_placeholders(text: str, allowed: tuple[str, ...] = PLACEHOLDERS) -> None:
    """Raises Fault for a placeholder that is not one of those allowed; attributes and indices are none."""
    try:
        names = [name for _, name, form, conversion in Formatter().parse(text) if name is not None and not _odd(form, conversion, text, allowed)]
    except ValueError as error:
        raise Fault("text-placeholder", name=str(error), nearest=", ".join(allowed)) from error
    for name in names:
        if name not in allowed:
            raise Fault("text-placeholder", name=name, nearest=nearest(name, allowed))


def _odd(form: str | None, conversion: str | None, text: str, allowed: tuple[str, ...]) -> bool:
    if form or conversion:
        raise Fault("text-placeholder", name=text, nearest=", ".join(allowed))
    return False


def fill(text: Text, english: Mapping[str, str], chinese: Mapping[str, str]) -> Text:
    """The text with its placeholders filled in. They were checked when the rule was loaded."""
    return Text(text.en.format_map(english), text.zh.format_map(chinese))
