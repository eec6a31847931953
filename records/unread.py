"""Why a search cannot be read, in our own words: those of the parser are English, of its grammar, and the same for most of what people leave out."""

from __future__ import annotations

import re
from typing import Final

from records.errors import UsageError

_PLACE: Final = re.compile(r"(?:unexpected  |Illegal character )'(.*)' at position \d+", re.DOTALL)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\\.', re.DOTALL)
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}  # of a range, each closes either
_OPERATORS: Final = frozenset({"AND", "OR", "NOT", "TO"})


def reason(text: str, problem: str) -> UsageError:
    """What is wrong with a search, by its text and what the parser says of it."""
    place = _PLACE.search(problem)
    if place is None:
        return _unfinished(text) if "end of expression" in problem else UsageError("search.unread.number")
    word = place[1]
    if word.startswith('"'):
        return UsageError("search.unread.quote", word=word)
    if word in _OPERATORS:
        return UsageError("search.unread.operator", word=word)
    if word in _unmatched(text)[1]:
        return UsageError("search.unread.closed", word=word)
    return UsageError("search.unread.word", word=word)


def _unfinished(text: str) -> UsageError:
    words = text.split()
    if brackets := _unmatched(text)[0]:
        return UsageError("search.unread.open", word=brackets[-1])
    return UsageError("search.unread.end", word=words[-1] if words else text)


def _unmatched(text: str) -> tuple[list[str], list[str]]:
    """The brackets that nothing closes, and those that close nothing, but those in quotation marks."""
    left: list[str] = []
    right: list[str] = []
    for letter in _QUOTED.sub("", text):
        if letter in _PAIRS.values():
            left.append(letter)
        elif letter in _PAIRS:
            if left and (left[-1] == "(") == (letter == ")"):
                left.pop()
            else:
                right.append(letter)
    return left, right
