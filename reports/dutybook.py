"""Duties to report, as data: `reports/duties/*.yml` say who is told what, when, in which fields. Whatever is wrong in a file is told with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.rulebook import document
from detectors.rulebook.problems import nearest, problem
from records.errors import InputError
from records.model import Text
from records.wording import say
from reports.agencies import AGENCIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detectors.rulebook.document import Document

FOLDER: Final = Path(__file__).parent / "duties"
SOURCES: Final = (
    "unit", "site", "first", "confirmed", "class", "level", "assets", "notes", "title", "reason", "peers", "techniques", "evidence", "year", "incidents",
)  # fmt: skip
YEAR: Final = "year"  # its clock starts at the end of the year (UTC) in which incidents were confirmed: one report of all of them
MOMENTS: Final = ("confirmed", "handled", "paid", YEAR)
PERSON: Final = "person"  # by whom a field is written that nothing may fill by itself
FIELDS: Final = "fields"  # as unverified: what the form asks
AT_ONCE, UNKNOWN = "at-once", "unknown"
SECOND: Final = 10**9
_WITHIN: Final = re.compile(r"([0-9]{1,4})(m|h|d|mo)")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NEEDED: Final = frozenset({"regime", "title", "source", "verified", "fields", "duties"})
KEYS: Final = NEEDED | {"operators"}
DUTY: Final = frozenset({"id", "title", "agencies", "operators", "classes", "levels", "clock", "required", "later", "supplement", "unverified"})


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: what it asks, and the facts that it is prefilled from; of a `person`: these are a suggestion alone, until somebody says so."""

    id: str
    title: Text
    sources: tuple[str, ...]
    person: bool = False

    @property
    def decided(self) -> bool:
        """Whether it is the level or the class that was decided: nobody writes another one into the form."""
        return self.id in {"level", "class"} and self.sources == (self.id,)


@dataclass(frozen=True, slots=True)
class Duty:
    """Who (`agencies`) is told what (`required`; `later`: may follow) and when: `within` a time after `start`. Empty `operators` or `classes`: any.

    `allowance`: how long what is due at once may take: ours, no law's. `supplements`: the duty that it adds to, once that is released (`supplemented`).
    `verified`: whether it was transcribed from a source that could be looked at; else it is from memory, and screens say so. `unverified`: what of it
    is from memory nevertheless: `fields`, the list of what its form asks, or agencies.
    """

    id: str
    regime: str
    title: Text
    regime_title: Text
    source: Text
    verified: bool
    agencies: tuple[str, ...]
    operators: tuple[str, ...]
    classes: tuple[str, ...]
    levels: tuple[str, ...]
    start: str
    within: str
    required: tuple[FormField, ...]
    later: tuple[FormField, ...]
    unverified: tuple[str, ...] = ()
    allowance: str = ""
    supplements: str = ""

    def told(self, language: str) -> str:
        """The agencies that are told, and which of them are from memory."""
        names = [(each, say(f"agency.{each}", language)) for each in self.agencies]
        return say("duty.and", language).join(say("duty.doubt", language, what=name) if each in self.unverified else name for each, name in names)

    def basis(self, language: str) -> str:
        """The law, and whether it, or what the form asks, is from memory."""
        doubt = "" if self.verified else say("duty.unverified", language)
        doubt = doubt or (say("duty.fields_unverified", language) if FIELDS in self.unverified else "")
        title = getattr(self.regime_title, language)
        return say("duty.aside", language, text=title, aside=doubt) if doubt else title

    def origin(self, language: str) -> str:
        """By which law, and in which text of it it stands, neither said twice."""
        basis, source = self.basis(language), getattr(self.source, language)
        title = getattr(self.regime_title, language)
        return source if basis == title and source.startswith(title) else f"{basis} · {source}"

    @property
    def fields(self) -> tuple[FormField, ...]:
        """All fields of its form, in order."""
        return self.required + self.later

    def applies(self, level: str, code: str, operator: str) -> bool:
        """Whether an incident of this level and class (a code of GB/T 20986) is to be reported by this operator."""
        kind = not self.classes or any(code.startswith(each) for each in self.classes)
        return not self.supplements and level in self.levels and kind and (not self.operators or operator in self.operators)

    def due(self, since: int) -> int | None:
        """When it is due (nanoseconds) where its clock started then; None where no time is known."""
        if self.within == UNKNOWN:
            return None
        found = _WITHIN.fullmatch(self.allowance or self.within)
        assert found is not None  # noqa: S101 - read so
        count, unit = int(found[1]), found[2]
        return _months_on(since, count) if unit == "mo" else since + count * _SECONDS[unit] * SECOND


def _months_on(since: int, count: int) -> int:
    """The same day and time so many calendar months later (UTC), or the last day of a shorter month."""
    when = datetime.fromtimestamp(since // SECOND, UTC)
    month = when.month - 1 + count
    first = when.replace(year=when.year + month // 12, month=month % 12 + 1, day=1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return int(first.replace(day=min(when.day, last.day)).timestamp()) * SECOND + since % SECOND


class DutyError(InputError):
    """A duty file that cannot be used: where, what, and what to do."""

    def __init__(self, file: Path, line: int, problem: str, fix: object) -> None:
        super().__init__(f"duty.{problem}", place=f"{file.name}:{line}", fix=fix)


@cache
def duties(folder: Path = FOLDER) -> tuple[Duty, ...]:
    """Every duty of every file. Raises InputError with the first thing that is wrong."""
    found: list[Duty] = []
    for file in sorted(folder.glob("*.yml")):
        found += _read(file)
    return tuple(found)


def duty_of(identity: str, folder: Path = FOLDER) -> Duty | None:
    """The duty of this id, `<regime>/<id>`."""
    return next((each for each in duties(folder) if each.id == identity), None)


def supplement_of(duty: Duty, folder: Path = FOLDER) -> Duty | None:
    """The duty by which what was released by this one is added to; None where its form takes none."""
    base = duty.supplements or duty.id
    return next((each for each in duties(folder) if each.supplements == base), None)


def operators(folder: Path = FOLDER) -> tuple[str, ...]:
    """What kinds of operators the duties tell apart."""
    return tuple(dict.fromkeys(name for each in duties(folder) for name in each.operators))


def _read(file: Path) -> list[Duty]:
    read = document.read(document.content_of(file))
    told = _File(file, read)
    if read.faults:
        line, fault = read.faults[0]
        detail = fault.values.get("detail")
        raise told.at(line, "yaml", getattr(detail, "en", None) or problem(file.name, line, "", fault).advice.en)
    told.keys(read.data, KEYS, NEEDED)
    regime = told.name(read.data["regime"], "regime")
    if regime != file.stem:
        raise told.wrong("stem", file.stem, "regime")
    if not isinstance(read.data["verified"], bool):
        raise told.wrong("choice", "true, false", "verified")
    fields = {name: told.field(name) for name in told.mapping(read.data["fields"], "fields")}
    listed: object = read.data["duties"]
    if not isinstance(listed, list) or not listed:
        raise told.wrong("list", "duties", "duties")
    return told.ordered([told.duty(regime, number, fields) for number in range(len(cast("list[object]", listed)))])


class _File:
    """One file while it is read; raises DutyError at the line of what is wrong."""

    def __init__(self, file: Path, read: Document) -> None:
        self.file, self.read = file, read

    def wrong(self, problem: str, fix: object, *path: str | int) -> DutyError:
        return self.at(self.read.line(*path), problem, fix)

    def at(self, line: int, problem: str, fix: object) -> DutyError:
        return DutyError(self.file, line, problem, fix)

    def mapping(self, value: object, *path: str | int) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            raise self.wrong("mapping", path[-1] if path else "–", *path)
        return cast("dict[str, Any]", value)

    def keys(self, value: object, known: frozenset[str], needed: Iterable[str], *path: str | int) -> dict[str, Any]:
        found = self.mapping(value, *path)
        for key in found:
            if key not in known:
                raise self.wrong("key", nearest(str(key), known), *path, key)
        if missing := sorted(set(needed) - set(found)):
            raise self.wrong("lacks", ", ".join(missing), *path)
        return found

    def name(self, value: object, *path: str | int) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise self.wrong("name", "a-z 0-9 -", *path)
        return value

    def text(self, value: object, *path: str | int, more: tuple[str, ...] = ()) -> Text:
        found = self.keys(value, frozenset({"en", "zh", *more}), ("en", "zh"), *path)
        if not all(isinstance(found[each], str) and found[each].strip() for each in ("en", "zh")):
            raise self.wrong("text", "{en: …, zh: …}", *path)
        return Text(found["en"], found["zh"])

    def words(self, value: object, known: Iterable[str], *path: str | int) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise self.wrong("list", path[-1], *path)
        choices, found = sorted(known), cast("list[object]", value)
        for number, each in enumerate(found):
            if each not in choices:
                raise self.wrong("choice", nearest(str(each), choices), *path, number)
        return tuple(map(str, found))

    def field(self, name: str) -> FormField:
        value = self.read.data["fields"][name]
        title = self.text(value, "fields", name, more=("from", "by"))
        sources = self.words(value["from"], SOURCES, "fields", name, "from") if "from" in value else ()
        if (by := value.get("by", PERSON)) != PERSON:
            raise self.wrong("choice", f"by: {PERSON}", "fields", name, "by")
        return FormField(name, title, sources, "by" in value and by == PERSON)

    def duty(self, regime: str, number: int, fields: Mapping[str, FormField]) -> Duty:
        at: tuple[str | int, ...] = ("duties", number)
        told = self.keys(self.read.data["duties"][number], DUTY, ("id", "title", "agencies", "levels", "clock", "required"), *at)
        clock = self.keys(told["clock"], frozenset({"from", "within", "allowance"}), ("from", "within"), *at, "clock")
        start, within = str(clock["from"]), str(clock["within"])
        allowance = self.allowance(clock, within, *at, "clock")
        if start not in MOMENTS and not start.startswith("released:"):
            raise self.wrong("choice", ", ".join((*MOMENTS, "released:<id>")), *at, "clock", "from")
        if within not in {AT_ONCE, UNKNOWN} and not _WITHIN.fullmatch(within):
            raise self.wrong("within", "30m, 1h, 30d, 1mo, at-once, unknown", *at, "clock", "within")
        required = self.words(told["required"], fields, *at, "required")
        later = self.words(told["later"], fields, *at, "later") if "later" in told else ()
        if twice := sorted({each for each in required + later if (required + later).count(each) > 1}):
            raise self.wrong("twice", ", ".join(twice), *at, "later")
        agencies, codes = self.words(told["agencies"], AGENCIES, *at, "agencies"), tuple(incident_classes())
        return Duty(
            id=f"{regime}/{self.name(told['id'], *at, 'id')}", regime=regime, title=self.text(told["title"], *at, "title"),
            regime_title=self.text(self.read.data["title"], "title"), source=self.text(self.read.data["source"], "source"), verified=self.read.data["verified"],
            agencies=agencies, levels=self.words(told["levels"], levels(), *at, "levels"), allowance=allowance,
            operators=self.words(told["operators"], self.operators(), *at, "operators") if "operators" in told else (),
            classes=self.words(told["classes"], {*codes, *(each[:2] for each in codes)}, *at, "classes") if "classes" in told else (),
            start=start, within=within, required=tuple(fields[each] for each in required), later=tuple(fields[each] for each in later),
            unverified=self.words(told["unverified"], (FIELDS, *agencies), *at, "unverified") if "unverified" in told else (),
        )  # fmt: skip

    def operators(self) -> tuple[str, ...]:
        """What kinds of operators this regime tells apart."""
        given: object = self.read.data.get("operators")
        named = cast("list[object]", given) if isinstance(given, list) else []
        return self.words(cast("object", given), [self.name(each, "operators", number) for number, each in enumerate(named)], "operators")

    def allowance(self, clock: Mapping[str, Any], within: str, *at: str | int) -> str:
        """How long what is due at once may take until it is called late; nothing else has one."""
        given = clock.get("allowance")
        if (given is not None) != (within == AT_ONCE):
            raise self.wrong("allowance", "allowance: 30m", *at, *(() if given is None else ("allowance",)))
        if given is not None and not _WITHIN.fullmatch(str(given)):
            raise self.wrong("within", "30m, 1h", *at, "allowance")
        return str(given or "")

    def supplement(self, number: int, duty: Duty) -> list[Duty]:
        """The duty by which this one is added to after its release, where the file says that it may be, and within what time of it."""
        within = self.read.data["duties"][number].get("supplement")
        if within is None:
            return []
        if duty.start == YEAR:
            raise self.wrong("supplement", duty.id, "duties", number, "supplement")
        if within != UNKNOWN and not _WITHIN.fullmatch(str(within)):
            raise self.wrong("within", "30m, 1h, 30d, 1mo, unknown", "duties", number, "supplement")
        title = Text(*(say("duty.supplement", each, title=getattr(duty.title, each)) for each in ("en", "zh")))
        start = f"released:{duty.id.partition('/')[2]}"
        told = {"title": title, "start": start, "within": str(within), "allowance": "", "required": (), "later": duty.fields, "supplements": duty.id}
        return [replace(duty, id=f"{duty.id}-supplement", **told)]

    def ordered(self, listed: list[Duty]) -> list[Duty]:
        """Each once, with its supplement, and no clock that starts with the release of a duty that is not there."""
        self.once(listed)
        return [every for number, each in enumerate(listed) for every in (each, *self.supplement(number, each))]

    def once(self, found: list[Duty]) -> None:
        """Raises DutyError for a duty that stands twice, or starts after one that does not stand before it."""
        names = [each.id for each in found]
        for number, each in enumerate(found):
            if names.index(each.id) != number:
                raise self.wrong("twice", each.id, "duties", number, "id")
            after = each.start.removeprefix("released:") if each.start.startswith("released:") else None
            if after is not None and f"{each.regime}/{after}" not in names[:number]:
                raise self.wrong("after", after, "duties", number, "clock", "from")


@cache
def incident_classes() -> dict[str, tuple[Text, tuple[str, ...]]]:
    """The sub-classes of GB/T 20986-2023 by code: their names, and the effects and techniques that suggest them. The codes are a vendor's spelling."""
    told = _standard()
    return {code: (Text(each["en"], each["zh"]), tuple(each.get("by", ()))) for code, each in told["classes"].items()}


@cache
def levels() -> tuple[str, ...]:
    """The levels of incidents, the least first."""
    return tuple(_standard()["levels"])


def colour_of(level: str) -> str:
    """The colour of warnings that goes with a level."""
    return str(_standard()["levels"][level])


@cache
def acting() -> frozenset[str]:
    """The techniques that act on a plant, as v18 calls them."""
    return frozenset(_standard()["acting"])


def class_named(code: str, language: str) -> str:
    """A class as it is shown: its name, and its code, marked as what nobody has checked."""
    known = incident_classes().get(code)
    return say("duty.code", language, title=getattr(known[0], language), code=code) if known else code


@cache
def triggers() -> dict[str, dict[str, int | float]]:
    """What makes an incident of each level, by fact (minutes, people, records, yuan, share in percent): the least that does."""
    return _standard()["triggers"]


def classes_of(marks: set[str]) -> tuple[str, ...]:
    """The classes that these techniques (as v18 calls them) and effects suggest, the gravest first; of none, other."""
    known = incident_classes()
    return tuple(code for code in _standard()["gravest"] if marks & set(known[code][1])) or ("OTH",)


def left_out(code: str, level: str, operator: str, regimes: Iterable[str]) -> list[Duty]:
    """The duties that an incident of this level (or any: empty) would have if it were of another class than this."""
    wanted, told = set(regimes), [each for each in duties() if each.classes and not code.startswith(each.classes)]
    return [each for each in told if each.regime in wanted and each.applies(level or each.levels[0], each.classes[0], operator)]


@cache
def _standard() -> dict[str, Any]:
    import yaml

    return yaml.safe_load((Path(__file__).parent / "gbt20986.yml").read_text("utf-8"))
