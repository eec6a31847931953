"""What can be wrong with a rule file: where, what, and what to do about it, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from records.model import Text
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Iterable

# A rule with one of these is still loaded: it would judge as written, it only teaches its readers too little.
ADVICE: Final = frozenset({
    "title-zh", "misses", "respond", "technique", "no-technique", "file-name", "protocol", "unused", "reference-form",
    "part-unused", "part-disabled", "only-upper", "grouped-unseen", "silenced",
})  # fmt: skip
FEW: Final = 12  # words that can be listed where none looks like the one that is meant


def text(key: str, **values: object) -> Text:
    """The catalogue's text `key` in both languages, filled in."""
    return Text(*(say(key, language, **_in(language, values)) for language in LANGUAGES))


def _in(language: str, values: dict[str, object]) -> dict[str, object]:
    """The values, those that are texts themselves in this language."""
    return {name: getattr(value, language) if isinstance(value, Text) else value for name, value in values.items()}


class Fault(Exception):  # noqa: N818 - the fault is in the text that was read
    """Something wrong with one value of a rule; whoever knows the line makes a problem of it."""

    def __init__(self, check: str, **values: object) -> None:
        super().__init__(check, values)
        self.check = check
        self.values = values

    @property
    def blocks(self) -> bool:
        """Whether a rule with it is not loaded."""
        return self.check not in ADVICE


class Hint(Fault):
    """Something that a rule would be better without: said by the linter, never a reason not to load a rule."""

    @property
    def blocks(self) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of the linter. `line` counts from 1; `rule` is its id, or empty where the file has none; `blocks`: the rule is not loaded because of it."""

    file: str
    line: int
    rule: str
    check: str
    message: Text
    advice: Text
    blocks: bool = True

    def row(self, language: str) -> dict[str, str | int]:
        """What `balefire rules lint --json` prints."""
        words = {"message": getattr(self.message, language), "advice": getattr(self.advice, language)}
        return {"file": self.file, "line": self.line, "rule": self.rule, "check": self.check, **words}


def problem(file: str, line: int, rule: str, fault: Fault) -> Problem:
    """The problem that a fault is at this place."""
    key = f"detectors.lint.{fault.check}"
    values = {"check": fault.check, **fault.values}  # never none: a text that is filled in has its braces once
    return Problem(file, line, rule, fault.check, text(f"{key}.message", **values), text(f"{key}.advice", **values), fault.blocks)


def unfit_regex(said: str) -> Fault:
    """What RE2 (or pySigma) says of a regular expression, and what to do about just that."""
    fix = "repetition" if "repetition" in said else "look_around" if "perl operator" in said or "escape sequence" in said else "regex"
    return Fault("regex", detail=said, fix=text(f"detectors.fix.{fix}"))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known words that look most like `word`, for an advice: "ot.effect, ot.error"; where none does, all of them, or of many those that do least badly."""
    choices = sorted(known)
    close = get_close_matches(word.casefold(), choices, n=3, cutoff=0.6)
    return ", ".join(close or (choices if len(choices) <= FEW else [*get_close_matches(word.casefold(), choices, n=3, cutoff=0.0), "…"]))
