"""Words: a rule is read at night by somebody who did not write it, in English or in Chinese."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING, Final

from detectors.checking import Place, Subject, at, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_TITLE: Final = 120  # characters: one line of a list of alerts
_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_OTHER_RULE: Final = re.compile(r"(?:\bsee|见) ([a-z0-9]+(?:-[a-z0-9]+)+)")


def chinese_missing(subject: Subject) -> Iterator[Place]:
    """A Chinese text without a Chinese character."""
    for path, language, text in subject.texts:
        if language == "zh" and not _HAN.search(text):
            yield at(*path, name=text)


def english_missing(subject: Subject) -> Iterator[Place]:
    """An English text with Chinese characters."""
    for path, language, text in subject.texts:
        if language == "en" and _HAN.search(text):
            yield at(*path, name=text)


def title_actors(subject: Subject) -> Iterator[Place]:
    """A title that names nobody."""
    for key in ("title", "title_zh") if subject.narrowed is None else ():
        if not {"source", "destination"} & _named(str(subject.data.get(key, ""))):
            yield at(key, name=key)


def title_form(subject: Subject) -> Iterator[Place]:
    """A title that is too long for a line, or a sentence."""
    for key in ("title", "title_zh"):
        text = str(subject.data.get(key, "")).strip()
        if len(text) > LONGEST_TITLE or text.endswith((".", "。")):
            yield at(key, name=key, most=LONGEST_TITLE)


def sentence_form(subject: Subject) -> Iterator[Place]:
    """A text in sentences that does not end like one."""
    for path, language, text in subject.texts:
        if path[0] not in {"title", "title_zh", "score"} and not text.rstrip().endswith((".", "?") if language == "en" else ("。", "？")):
            yield at(*path, name=text[-20:])


def placeholders_differ(subject: Subject) -> Iterator[Place]:
    """A title or description that names other things in Chinese than in English."""
    for key in ("title", "description"):
        english, chinese = _named(str(subject.data.get(key, ""))), _named(str(subject.data.get(f"{key}_zh", "")))
        if english != chinese:
            yield at(f"{key}_zh", name=f"{key}_zh", differ=", ".join(sorted(english ^ chinese)))


def normal_missing(subject: Subject) -> Iterator[Place]:
    """A rule that does not say what would have been normal."""
    if "normal" not in subject.data and subject.narrowed is None:
        yield at("normal")


def rule_unknown(subject: Subject) -> Iterator[Place]:
    """A text that sends its reader to a rule that is not there."""
    for path, _, text in subject.texts:
        for name in _OTHER_RULE.findall(text):
            if name not in subject.others and name != subject.rule.id:
                yield at(*path, name=name)


def reference_link(subject: Subject) -> Iterator[Place]:
    """A reference that nobody can open."""
    for index, link in enumerate(listed(subject.data.get("references", []))):
        if not re.fullmatch(r"https://[^\s/]+\.[^\s/]+(/\S*)?", str(link)):
            yield at("references", index, name=link)


def _named(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
