"""Hostile text made harmless wherever it is printed or written into a file."""

from __future__ import annotations

import unicodedata
from typing import Final

_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: object) -> str:
    """Text with every character that could steer a terminal, or turn the reading direction, made visible as an escape."""
    # U+200B stays: Chinese headlines carry it where they may break
    return "".join(
        character if unicodedata.category(character) not in _INVISIBLE or character == "\u200b" else character.encode("unicode_escape").decode()
        for character in str(text)
    )
