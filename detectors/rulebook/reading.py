"""One rule file on its way to a rule: what is wrong with it, and the parts that every kind of rule has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.rulebook.detection import clause
from detectors.rulebook.problems import Fault, nearest, problem
from detectors.rulebook.rule import LEVELS, PLACEHOLDERS, Adjustment, check_placeholders
from detectors.rulebook.techniques import TECHNIQUES, techniques_of
from records.model import Text
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from detectors.rulebook.cases import Case
    from detectors.rulebook.document import Document
    from detectors.rulebook.placeholders import Placeholders
    from detectors.rulebook.problems import Problem
    from records.schema import Table

COMMON: Final = frozenset({
    "title", "title_zh", "id", "name", "status", "description", "description_zh", "references", "author", "date", "modified", "license", "tags", "fields",
    "falsepositives", "level", "scope", "related", "taxonomy", "key", "score", "normal", "respond", "misses", "tests",
    "survives",
})  # fmt: skip
MOST_SCORE: Final = 100  # by which a score may be changed: severities go no further
STATUSES: Final = ("stable", "test", "experimental", "deprecated", "unsupported")

_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that did not behave: `expected` and `got` are "fires" or "quiet"."""

    file: str
    rule: str
    case: str
    expected: str
    got: str


@dataclass(slots=True)
class Reading:
    """One file on its way to a rule. `tries`: whether what its cases give is looked at; not where a number is only tried."""

    file: str
    document: Document
    id: str = ""
    faults: list[tuple[int, Fault]] = field(default_factory=list[tuple[int, Fault]])
    failures: list[Failure] = field(default_factory=list[Failure])
    cases: int = 0
    tries: bool = True

    @property
    def data(self) -> dict[str, Any]:
        """What the file holds."""
        return self.document.data

    @property
    def blocked(self) -> bool:
        """Whether something keeps the rule from being loaded."""
        return any(fault.blocks for _, fault in self.faults)

    def fault(self, fault: Fault, *path: str | int) -> None:
        """Something is wrong at this place of the file."""
        self.faults.append((self.document.line(*path), fault))

    def problems(self) -> list[Problem]:
        """Everything that is wrong, in the order of lines."""
        ordered = sorted(self.faults, key=lambda found: found[0])
        return [problem(self.file, line, self.id, fault) for line, fault in ordered]


def head(reading: Reading, keys: Collection[str]) -> None:
    """Checks what every kind of file begins with: its keys, its id and its status."""
    for key in reading.data:
        if key not in keys:
            reading.fault(Fault("unknown-key", name=key, nearest=nearest(str(key), keys)), str(key))
    if not _ID.fullmatch(reading.id):
        reading.fault(Fault("id", name=reading.id), "id")
    elif Path(reading.file).name != f"{reading.id}.yml":
        reading.fault(Fault("file-name", name=Path(reading.file).name, wanted=f"{reading.id}.yml"), "id")
    if "status" in reading.data and reading.data["status"] not in STATUSES:
        reading.fault(Fault("status", name=reading.data["status"], nearest=", ".join(STATUSES)), "status")


def status(reading: Reading) -> str:
    """How far its authors trust the rule; what says nothing is new."""
    value = str(reading.data.get("status"))
    return value if value in STATUSES else "experimental"


def level(reading: Reading) -> str:
    """The level of the rule."""
    value = str(reading.data.get("level", "")).lower()
    if value not in LEVELS:
        reading.fault(Fault("level", name=value, nearest=", ".join(LEVELS)), "level")
    return value


def pair(reading: Reading, key: str, allowed: tuple[str, ...] = PLACEHOLDERS) -> Text:
    """The text under `key` and `key_zh`; `allowed` are the placeholders that it may name."""
    english, chinese = reading.data.get(key), reading.data.get(f"{key}_zh")
    for name, value in ((key, english), (f"{key}_zh", chinese)):
        try:
            check_placeholders(value if isinstance(value, str) else "", allowed)
        except Fault as fault:
            reading.fault(fault, name)
    if not isinstance(english, str) or not english.strip():
        reading.fault(Fault("title", name=key), key)
    if not isinstance(chinese, str) or not chinese.strip():
        reading.fault(Fault("title-zh", name=f"{key}_zh"), f"{key}_zh")
    words = str(english or "").strip()
    return Text(words, str(chinese or words).strip())


def both(reading: Reading, value: Any, *path: str | int) -> Text | None:
    """The text of a map with `en` and `zh`."""
    part = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    english, chinese = part.get("en"), part.get("zh")
    if isinstance(english, str) and isinstance(chinese, str) and len(part) == 2:
        return Text(english.strip(), chinese.strip())
    reading.fault(Fault("both-languages"), *path)
    return None


def normal(reading: Reading) -> Text | None:
    """What would have been normal, where the rule says it."""
    return both(reading, reading.data["normal"], "normal") if "normal" in reading.data else None


def texts(reading: Reading, key: str) -> Iterator[Text]:
    """The texts of the list under `key`."""
    value = reading.data.get(key)
    if not isinstance(value, list) or not value:
        reading.fault(Fault(key), key)
        return
    for index, part in enumerate(cast("list[Any]", value)):
        if (one := both(reading, part, key, index)) is not None:
            yield one


def techniques(reading: Reading) -> Iterator[str]:
    """The techniques that the tags name."""
    tags = reading.data.get("tags")
    for index, tag in enumerate(cast("list[Any]", tags) if isinstance(tags, list) else []):
        name = str(tag).casefold()
        if not name.startswith("attack.t"):
            continue
        technique = name.removeprefix("attack.").upper()
        if technique in TECHNIQUES:
            yield technique
        else:
            reading.fault(Fault("technique", name=tag), "tags", index)


def nameless(reading: Reading, named: tuple[str, ...], cases: tuple[Case, ...]) -> None:
    """A finding that would show no technique: the rule has no tag, and what fires it has none of its own."""
    tagged = named or any(fault.check == "technique" for _, fault in reading.faults)
    bare = [case for case in cases if case.fires and not any(techniques_of(row.get("ot.effect")) for row in case.rows)]
    if bare and not tagged:
        reading.fault(Fault("no-technique"), "tags")


def adjustments(reading: Reading, placeholders: Placeholders, table: Table = ACTIVITY) -> Iterator[Adjustment]:
    """The named changes of the score."""
    value = reading.data.get("score", [])
    for index, part in enumerate(cast("list[Any]", value) if isinstance(value, list) else [value]):
        path = ("score", index)
        entry = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        number = entry.get("value")
        if set(entry) != {"when", "value", "en", "zh"} or isinstance(number, bool) or not isinstance(number, (int, float)):
            reading.fault(Fault("score"), *path)
            continue
        if not abs(number) <= MOST_SCORE:
            reading.fault(Fault("score-value", value=str(number), most=MOST_SCORE), *path, "value")
            continue
        found = clause(reading.document, (*path, "when"), entry["when"], placeholders, table)
        reading.faults += found.faults
        name = both(reading, {"en": entry["en"], "zh": entry["zh"]}, *path)
        if found.match is not None and name is not None:
            yield Adjustment(name, float(number), found.match, frozenset(found.fields))
