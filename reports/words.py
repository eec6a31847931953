"""How a report says numbers, shares, times and names in one language and time zone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from records.formats import SECOND, Clock, duration, exact, number, share_seen, size
from records.model import GLYPHS, severity_word
from records.nesting import period
from records.wording import catalogue, role_words, say, say_or
from reports.blocks import Cell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

DASH: Final = "–"
_LEVELS: Final = {"en": "123", "zh": "一二三"}


def nanoseconds(text: str) -> int:
    """The moment of a document's time."""
    found = period(text)
    if found is None:
        raise ValueError(f"not a time: {text}")
    return found[0]


class Words:
    """A language and a time zone."""

    def __init__(self, language: str, zone: tzinfo) -> None:
        self.language = language
        self.clock = Clock(zone, language)

    def say(self, key: str, **values: object) -> str:
        """The report's text of this key."""
        return say(f"report.{key}", self.language, **values)

    def count(self, key: str, count: int, **values: object) -> str:
        """A text that English has in two forms: `key.one` and `key.many`."""
        return self.say(f"{key}.{'one' if count == 1 else 'many'}", count=number(count), **values)

    def level(self, word: str) -> str:
        """A severity with its shape: never by colour alone."""
        return f"{GLYPHS[word]} {say(f'severity.{word}', self.language) if word != 'none' else self.say('level_none')}"

    def severity(self, severity: int) -> Cell:
        """A severity as a cell: shape, word, number."""
        word = severity_word(severity)
        return Cell(f"{self.level(word)} {severity}", severity, word)

    def share(self, value: float | None) -> str:
        """A coverage in per cent, cut, or a dash."""
        return DASH if value is None else share_seen(value, self.language)

    def share_cell(self, value: float | None) -> Cell:
        """The same as a cell."""
        return Cell(self.share(value), value, "number")

    def of(self, count: int, whole: int) -> Cell:
        """`3 of 18`: no number without what it is out of."""
        return Cell(self.say("of", count=number(count), whole=number(whole)), count, "number")

    def newcomers(self, count: int, whole: int, of: Mapping[str, Any]) -> Cell:
        """How many assets are new in a period, `of` which this is told; where records begin in it, of all or of some sites, nobody knows."""
        if of.get("begins"):
            return Cell(self.say("begins"), None, "number")
        if more := of.get("beginning"):
            return Cell(self.say("of_older", count=number(count), whole=number(whole - more), more=number(more)), count, "number")
        return self.of(count, whole)

    def shown(self, count: int, whole: int) -> str:
        """How many of how many a table shows; nothing of an empty one, which says so itself."""
        return self.say("shown_of", shown=number(count), total=number(whole)) if whole else ""

    def cut(self, count: int, whole: int) -> str:
        """The same, only of a table that leaves some out."""
        return self.shown(count, whole) if count < whole else ""

    def number(self, value: float | None) -> Cell:
        """A number as a cell."""
        return Cell(DASH if value is None else number(value), value, "number")

    def size(self, octets: int) -> Cell:
        """Bytes as a cell."""
        return Cell(size(octets, self.language), octets, "number", "bytes")

    def size_of(self, octets: int, whole: int) -> Cell:
        """Bytes out of bytes as a cell; in a spreadsheet the first."""
        return self._behind(self.size(octets), "of", count=size(octets, self.language), whole=size(whole, self.language))

    def span(self, seconds: int | None) -> Cell:
        """A duration as a cell; in a spreadsheet a duration, too."""
        return Cell(DASH if seconds is None else duration(seconds * SECOND, self.language), seconds, "number", "seconds")

    def span_of(self, seconds: int, whole: int) -> Cell:
        """A duration out of another one as a cell; in a spreadsheet the first."""
        part, all_of_it = self.span(seconds).text, self.span(whole).text
        if part == all_of_it and seconds < whole:  # cut to two units both read alike, and nothing would seem to have been seen
            part, all_of_it = (exact(each * SECOND, self.language) for each in (seconds, whole))
        return self._behind(replace(self.span(seconds), text=part), "of", count=part, whole=all_of_it)

    def median(self, seconds: int | None, done: int, of: int) -> Cell:
        """A median duration and of how many it is."""
        told = self.span(seconds)
        return self._behind(told, "compared.median", median=told.text, done=number(done), of=number(of))

    def _behind(self, told: Cell, key: str, **values: object) -> Cell:
        text = self.say(key, **values)
        return replace(told, text=text, behind=text.removeprefix(told.text))

    def moment(self, text: str) -> str:
        """`22 Nov 2026, 03:12 (UTC+8)`."""
        return self.clock.moment(nanoseconds(text))

    def minute(self, text: str) -> str:
        """`22 Nov 2026, 03:12`, where the zone goes without saying: the head of the report says it."""
        time = nanoseconds(text)
        return f"{self.clock.day(time)}{', ' if self.language == 'en' else ' '}{self.clock.minute(time)}"

    def role(self, role: str | None) -> str:
        """A role in words, or that it is a host of the Internet."""
        return self.say("outside") if role == "outside" else role_words(role, self.language) or self.say("no_role")

    def data_class(self, each: dict[str, Any]) -> str:
        """Domain and level of industrial data: `Production, level 2`."""
        return say("data.class", self.language, domain=self.code("data.domain", str(each["domain"])), level=_LEVELS[self.language][int(each["level"]) - 1])

    def technique(self, name: str) -> str:
        """`T0836 Modify Parameter`."""
        return f"{name} {say(f'technique.{name}', self.language)}" if f"technique.{name}" in catalogue() else name

    def code(self, group: str, word: str) -> str:
        """A stored word in the reader's language."""
        return say_or(f"{group}.{word}", self.language, word)

    def text(self, texts: dict[str, Any]) -> str:
        """A text that a document has in both languages."""
        return str(texts.get(self.language) or texts.get("en") or "")
