"""One file of a site on its way to what it says: every fault with the line that it stands in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.problems import Fault, nearest
from records.model import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.rulebook.document import Document

LONGEST_TITLE: Final = 60
_TITLE: Final = re.compile(rf"[^{{}}\x00-\x1f\x7f]{{1,{LONGEST_TITLE}}}")


def is_title(value: Any) -> bool:
    """Whether this may be a title: such go into the texts of rules, where braces mean something."""
    return isinstance(value, str) and _TITLE.fullmatch(value) is not None


class Reading:
    """`unknown` is the check by which a key is told that nothing reads."""

    unknown: str

    def __init__(self, document: Document) -> None:
        self.document = document
        self.faults: list[tuple[int, Fault]] = []

    def fault(self, fault: Fault, *path: str | int) -> None:
        """Something is wrong at this place."""
        self.faults.append((self.document.line(*path), fault))

    def keys(self, part: Mapping[str, Any], known: frozenset[str], *path: str | int) -> None:
        """Tell keys that are none of those known."""
        for key in part:
            if key not in known:
                self.fault(Fault(self.unknown, name=key, nearest=nearest(str(key), known)), *path, str(key))

    def title(self, part: Mapping[str, Any], name: str, *path: str | int) -> Text:
        """In both languages; the name where none is given."""
        for key in ("title", "title_zh"):
            if key in part and not is_title(part[key]):
                self.fault(Fault("policy-title", name=key, most=LONGEST_TITLE), *path, key)
        english, chinese = (part.get(key) for key in ("title", "title_zh"))
        return Text(str(english or name).strip(), str(chinese or english or name).strip())
