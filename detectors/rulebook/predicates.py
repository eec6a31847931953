"""What a condition is made of: tests of one field each, and `All`, `Either`, `Not` of them. Each is a function from a frame to the rows that match.

They are plain values: equal tests of a thousand rules are worked out once a frame, and whoever needs to know what a rule asks for can walk them.
Absence never matches, and `not` of it does: a rule that says `not ot.error: x` also matches rows without an error, as Sigma wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as kept
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.rulebook.folding import folded
from detectors.rulebook.frame import TEXTS, Frame, Mask, Numbers
from detectors.rulebook.problems import unfit_regex

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from records.schema import Field

Predicate = Callable[[Frame], Mask]

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lt": np.less,
    "lte": np.less_equal,
    "gt": np.greater,
    "gte": np.greater_equal,
    "eq": np.equal,
}


def _compared(numbers: Numbers, compare: str, number: float) -> Mask:
    return _COMPARE[compare](numbers.numbers, number) & numbers.present


def hits(values: pa.Array[Any], wanted: str) -> Mask:
    """Which of these texts match a pattern. Raises Fault where RE2 does not take it."""
    try:
        return pc.match_substring_regex(values, wanted).fill_null(False).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise unfit_regex(str(error).splitlines()[0]) from error


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text is searched for: a pattern of RE2, and the folded text where it stands for nothing but that text, whatever its case."""

    regex: str
    literal: str | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """Any value of the field matches any of the patterns."""

    field: Field
    patterns: tuple[Pattern, ...]
    _hash: int = kept(default=0, init=False, repr=False, compare=False)  # worked out once: every frame looks masks up by it

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.field, self.patterns)))

    def __hash__(self) -> int:
        return self._hash

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        return frame.once(self, lambda: self._rows(frame))

    def _rows(self, frame: Frame) -> Mask:
        words, places = frame.words(self.field), frame.literals(self.field)
        if places is None:
            literal, searched = list[int](), list(self.patterns)
        else:
            literal = [place for pattern in self.patterns if pattern.literal is not None and (place := places.get(pattern.literal)) is not None]
            searched = [pattern for pattern in self.patterns if pattern.literal is None]
        if not literal and not searched:
            return frame.nothing()  # as nearly always
        found = np.zeros(len(words.values), dtype=np.bool_)
        found[literal] = True
        for pattern in searched:
            found |= hits(words.values, pattern.regex)
        return words.lift(found) if found.any() else frame.nothing()


@dataclass(frozen=True, slots=True)
class Figures:
    """The field compares so with a number or a truth value. `compare`: lt, lte, gt, gte, eq."""

    field: Field
    compare: str
    number: float

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        return frame.once(self, lambda: _compared(frame.numbers(self.field), self.compare, self.number))


@dataclass(frozen=True, slots=True)
class DatePart:
    """A part of a date in UTC compares so with a number. `part` is the name of Arrow's function."""

    field: Field
    part: str
    compare: str
    number: float

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        return frame.once(self, lambda: _compared(frame.part(self.field, self.part), self.compare, self.number))


@dataclass(frozen=True, slots=True)
class Network:
    """The address lies between two others, both in the form that sorts."""

    field: Field
    low: str
    high: str

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        return frame.once(self, lambda: self._rows(frame))

    def _rows(self, frame: Frame) -> Mask:
        addresses = frame.addresses(self.field)
        return frame.words(self.field).lift((addresses >= self.low) & (addresses <= self.high))


@dataclass(frozen=True, slots=True)
class Present:
    """The field is there, or is not."""

    field: Field
    wanted: bool

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        return frame.once(self, lambda: frame.present(self.field) == self.wanted)


@dataclass(frozen=True, slots=True)
class Same:
    """The field is, starts, ends or contains what another field of the row holds. `how`: is, startswith, endswith, contains."""

    field: Field
    other: Field
    how: str

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        return frame.once(self, lambda: self._texts(frame) if self.field.type in TEXTS else self._numbers(frame))

    def _numbers(self, frame: Frame) -> Mask:
        left, right = frame.numbers(self.field), frame.numbers(self.other)
        return (left.numbers == right.numbers) & left.present & right.present

    def _texts(self, frame: Frame) -> Mask:
        """Compares two texts of each row; every distinct pair once."""
        left, right = frame.words(self.field), frame.words(self.other)
        partners = right.codes if left.rows is None else right.codes[left.rows]
        elements = (left.codes >= 0) & (partners >= 0)
        width = max(1, len(right.values))
        pairs, back = np.unique(left.codes[elements] * width + partners[elements], return_inverse=True)
        found = np.zeros(len(elements), dtype=np.bool_)
        checked = _CHECKS[self.how](_folded(left.values)[pairs // width], _folded(right.values)[pairs % width])
        found[elements] = np.asarray(checked, dtype=np.bool_)[back]
        return left.gather(found)


_CHECKS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "is": np.equal,
    "startswith": np.strings.startswith,
    "endswith": np.strings.endswith,
    "contains": lambda text, part: np.strings.find(text, part) >= 0,
}


def _folded(values: pa.Array[Any]) -> npt.NDArray[Any]:
    return np.array([folded(text) for text in cast("list[str]", values.to_pylist())], dtype=np.dtypes.StringDType())


@dataclass(frozen=True, slots=True)
class All:
    """Every part matches."""

    parts: tuple[Predicate, ...]

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match; what cannot match any more is not asked further."""
        found: Mask | None = None
        for part in self.parts:
            mask = part(frame)
            if mask is frame.nothing():
                return mask
            found = mask if found is None else found & mask
        return frame.nothing() if found is None or not found.any() else found


@dataclass(frozen=True, slots=True)
class Either:
    """Some part matches; no part, no match."""

    parts: tuple[Predicate, ...]

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        masks = [mask for part in self.parts if (mask := part(frame)) is not frame.nothing()]
        return reduce(np.logical_or, masks) if masks else frame.nothing()


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not match."""

    part: Predicate

    def __call__(self, frame: Frame) -> Mask:
        """The rows that match."""
        found = ~self.part(frame)
        return found if found.any() else frame.nothing()


@dataclass(frozen=True, slots=True)
class Narrowed(All):
    """What matches within filters. `match` is it without them; `filters` are the rows that each keeps, by its id."""

    match: Predicate
    filters: tuple[tuple[str, Predicate], ...]


def narrowed(match: Predicate, filters: tuple[tuple[str, Predicate], ...]) -> Predicate:
    """The predicate within these filters."""
    parts = sorted((match, *(keeps for _, keeps in filters)), key=_cost)
    return Narrowed(tuple(parts), match, filters) if filters else match


def every(parts: Iterable[Predicate]) -> Predicate:
    """All of them; what is asked by dictionary first, `not` last, since the first that finds nothing ends it."""
    ordered = sorted(parts, key=_cost)
    return ordered[0] if len(ordered) == 1 else All(tuple(ordered))


def either(parts: Iterable[Predicate]) -> Predicate:
    """Any of them; searches of one field are made one."""
    texts: dict[Field, list[Pattern]] = {}
    others: list[Predicate] = []
    for part in parts:
        if isinstance(part, Texts):
            texts.setdefault(part.field, []).extend(part.patterns)
        else:
            others.append(part)
    joined = (*(Texts(field, tuple(dict.fromkeys(patterns))) for field, patterns in texts.items()), *others)
    return joined[0] if len(joined) == 1 else Either(joined)


def _cost(part: Predicate) -> int:
    return 0 if isinstance(part, Texts) else 3 if isinstance(part, Not) else 2 if isinstance(part, (All, Either)) else 1
