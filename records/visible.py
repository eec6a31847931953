"""Hostile text made harmless wherever it is printed or written into a file."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from records.errors import UsageError

_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_HALF: Final = re.compile("[\ud800-\udfff]")
_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2061-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]")


def unsteered(text: str) -> str:
    """Text for a page: what nobody sees, and what turns the reading direction, is made visible as an escape; lines and tabs stay."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def clean(text: object) -> str:
    """Text with every character that could steer a terminal, or turn the reading direction, made visible as an escape."""
    # U+200B stays: Chinese headlines carry it where they may break
    return "".join(
        character if unicodedata.category(character) not in _INVISIBLE or character == "\u200b" else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def check_text(text: object) -> None:
    """Raises UsageError for octets of an argument that are no UTF-8: Python hands them on as half characters, which no file and no page takes."""
    if isinstance(text, str) and (found := _HALF.search(text)):
        raise UsageError("life.encoding", start=text[: found.start()][-40:] or "–", at=found.start() + 1)
