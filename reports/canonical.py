"""JSON in the one form that is signed: RFC 8785. What that form cannot hold exactly is refused, so that what is read back is what was written."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, cast

import rfc8785

from records.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

EXACT: Final = 2**53 - 1  # the largest whole number that every reader of JSON takes for the same
DEEPEST: Final = 60  # objects and lists inside each other


def written(document: Any) -> bytes:
    """The canonical octets of a document. Raises InputError naming the place (`situation.index`) of what they could not hold."""
    _check(document, "", 0)
    return rfc8785.dumps(document)


def read(octets: bytes) -> Any:
    """The document that these octets are. Raises InputError unless they are canonical to the last one: then no octet can be another unseen."""
    try:
        text = octets.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise InputError("canonical.encoding", at=error.start) from None
    except json.JSONDecodeError as error:
        raise _no_json(octets, error) from None
    except RecursionError:
        raise InputError("canonical.deep", place="–", limit=DEEPEST) from None
    except ValueError:  # a whole number of thousands of digits
        raise InputError("canonical.number", place="–") from None
    again = written(document)
    if again != octets:
        raise InputError("canonical.form", at=_differs(octets, again))
    return document


def _no_json(octets: bytes, error: json.JSONDecodeError) -> InputError:
    """What to say of a text that is none, in the reader's words and not the parser's."""
    if not octets.strip():
        return InputError("canonical.empty")
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated"):
        return InputError("canonical.cut", at=len(octets))
    return InputError("canonical.syntax", at=error.pos)


def _differs(one: bytes, other: bytes) -> int:
    return next((at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InputError("canonical.twice", name=name)
        found[name] = value
    return found


def _constant(word: str) -> Any:
    raise InputError("canonical.number", place=word)


def _check(value: Any, place: str, depth: int) -> None:
    if depth > DEEPEST:
        raise InputError("canonical.deep", place=place, limit=DEEPEST)
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int | float):
        if abs(value) > EXACT if isinstance(value, int) or value.is_integer() else not math.isfinite(value):
            raise InputError("canonical.number", place=place or "–")
    elif isinstance(value, str):
        _text(value, place)
    elif isinstance(value, dict):
        for name, inner in cast("dict[Any, Any]", value).items():
            if not isinstance(name, str):
                raise InputError("canonical.name", place=place or "–", name=repr(name))
            _text(name, place)
            _check(inner, f"{place}.{name}".lstrip("."), depth + 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(cast("Iterable[Any]", value)):
            _check(inner, f"{place}[{number}]", depth + 1)
    else:
        raise InputError("canonical.kind", place=place or "–", kind=type(value).__name__)


def _text(text: str, place: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a pair of surrogates
        raise InputError("canonical.text", place=place or "–") from None
