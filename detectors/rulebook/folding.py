"""What "whatever its case" means, everywhere in rules: texts are the same where Unicode's simple case folding makes them so, letter by letter, as RE2 has it.

So ſ is an s, U+212A (the sign of Kelvin) a k, ς a σ; ß is no ss; İ and ı are nothing but themselves.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

# Status S of Unicode's CaseFolding.txt, as far as lower case does not say it: two ways to write the same letter.
_TWINS: Final = {"\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb05": "\ufb06"}


def folded(text: str) -> str:
    """The text with each letter in the one case that stands for all; as many letters as before."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


@lru_cache(maxsize=65536)
def _folded(letter: str) -> str:
    choices = (_TWINS.get(letter, ""), letter.casefold(), letter.lower())
    return next((one for one in choices if len(one) == 1), letter)
