"""Rule files to rules: every part checked, everything wrong said with its line, and what is right loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from detectors.rulebook.cases import Case, activity_table, case_activity
from detectors.rulebook.detection import Found, clause, detection
from detectors.rulebook.document import Document, read
from detectors.rulebook.frame import Frame
from detectors.rulebook.problems import Fault, Problem, nearest, problem
from detectors.rulebook.rule import LEVELS, Adjustment, Rule, check_placeholders
from detectors.rulebook.techniques import TECHNIQUES, techniques_of
from records.errors import UsageError
from records.model import Text
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEYS: Final = frozenset({
    "title", "title_zh", "id", "name", "status", "description", "description_zh", "references", "author", "date", "modified", "license", "tags",
    "logsource", "detection", "fields", "falsepositives", "level", "scope", "related", "taxonomy", "key", "score", "normal", "respond", "misses", "tests",
})  # fmt: skip
NEUTRAL: Final = frozenset({"ot.effect", "ot.access", "ot.error", "ot.anomaly"})
PROTOCOL: Final = frozenset({"network.protocol", "event.action", "ot.code", "destination.port"})
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


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What a set of rule files holds: rules in the order of their ids, what is wrong, and what the tests inside gave."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    files: int
    cases: int
    failures: tuple[Failure, ...]
    replacing: tuple[Rule, ...] = ()  # rules of a user that stand in the place of a bundled one of the same id


@dataclass(slots=True)
class _Reading:
    """One file on its way to a rule."""

    file: str
    document: Document
    id: str = ""
    faults: list[tuple[int, Fault]] = field(default_factory=list[tuple[int, Fault]])
    failures: list[Failure] = field(default_factory=list[Failure])
    cases: int = 0

    def fault(self, fault: Fault, *path: str | int) -> None:
        self.faults.append((self.document.line(*path), fault))

    def problems(self) -> list[Problem]:
        ordered = sorted(self.faults, key=lambda found: found[0])
        return [problem(self.file, line, self.id, fault) for line, fault in ordered]


def own_rules() -> Path:
    """The rules that come with Balefire, in a checkout and as an installed package."""
    return Path(str(files("rules")))


def load(paths: Iterable[Path]) -> Rulebook:
    """The rules of these files and directories; one of a user takes the place of a bundled one. Raises UsageError for a path that does not exist."""
    rules: dict[str, Rule] = {}
    bundled: dict[str, Rule] = {}
    problems: list[Problem] = []
    failures: list[Failure] = []
    cases = count = 0
    for own, file in _sorted_out(paths):
        rule, reading = _load(file)
        count += 1
        if reading.id in rules and (own or reading.id not in bundled or rules[reading.id] is not bundled[reading.id]):
            reading.fault(Fault("duplicate-id", name=reading.id, file=rules[reading.id].file), "id")
            rule = None
        found = reading.problems()
        problems += found
        failures += reading.failures
        cases += reading.cases
        if rule is not None and not any(one.blocks for one in found):
            rules[rule.id] = rule
            if own:
                bundled[rule.id] = rule
    ordered = tuple(rules[name] for name in sorted(rules))
    replacing = tuple(rule for rule in ordered if rule.id in bundled and rule is not bundled[rule.id])
    return Rulebook(ordered, tuple(problems), count, cases, tuple(failures), replacing)


def load_text(content: str, name: str) -> tuple[Rule | None, list[Problem]]:
    """The rule of a text, as if it stood in a file of this name."""
    rule, reading = _parse(name, content.encode())
    problems = reading.problems()
    return (None if any(one.blocks for one in problems) else rule), problems


def _sorted_out(paths: Iterable[Path]) -> Iterator[tuple[bool, Path]]:
    """Every file once, and whether it is one of Balefire's own."""
    home = own_rules().resolve()
    seen: set[Path] = set()
    for file in _files(paths):
        place = file.resolve()
        if place not in seen:
            seen.add(place)
            yield place.is_relative_to(home), file


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise UsageError("rules_missing", path=path)
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in {".yml", ".yaml"} and file.is_file())
        else:
            yield path


def _load(file: Path) -> tuple[Rule | None, _Reading]:
    try:
        content = file.read_bytes()
    except OSError as error:
        reading = _Reading(str(file), Document({}))
        reading.fault(Fault("unreadable", detail=error.strerror or str(error)))
        return None, reading
    return _parse(str(file), content)


def _parse(file: str, content: bytes) -> tuple[Rule | None, _Reading]:
    document = read(content)
    reading = _Reading(file, document, faults=list(document.faults))
    data = document.data
    reading.id = str(data.get("id") or "")
    if not data:
        return None, reading
    if unsupported := {"correlation", "filter"} & set(data):
        reading.fault(Fault("correlation", name=min(unsupported)), min(unsupported))
        return None, reading
    return _rule(reading), reading


def _rule(reading: _Reading) -> Rule | None:
    data = reading.document.data
    _head(reading)
    found = detection(reading.document)
    reading.faults += found.faults
    _neutral(reading, found)
    adjustments = tuple(_adjustments(reading))
    title, description = _pair(reading, "title"), _pair(reading, "description")
    rule = Rule(
        id=reading.id,
        file=reading.file,
        title=title,
        description=description,
        level=str(data.get("level", "")).lower(),
        techniques=tuple(_techniques(reading)),
        match=found.match or Frame.nothing,
        fields=frozenset(found.fields),
        key=tuple(_key(reading)),
        adjustments=adjustments,
        misses=tuple(_texts(reading, "misses")),
        respond=tuple(_texts(reading, "respond")),
        normal=_text(reading, data["normal"], "normal") if "normal" in data else None,
        cases=tuple(_cases(reading)),
        status=status if (status := str(data.get("status"))) in STATUSES else "experimental",
    )
    _nameless(reading, rule)
    if found.match is not None and rule.cases:
        _try_cases(reading, rule)
    return rule


def _head(reading: _Reading) -> None:
    data = reading.document.data
    for key in data:
        if key not in KEYS:
            reading.fault(Fault("unknown-key", name=key, nearest=nearest(str(key), KEYS)), str(key))
    if not _ID.fullmatch(reading.id):
        reading.fault(Fault("id", name=reading.id), "id")
    elif Path(reading.file).name != f"{reading.id}.yml":
        reading.fault(Fault("file-name", name=Path(reading.file).name, wanted=f"{reading.id}.yml"), "id")
    source: Any = data.get("logsource")
    if not isinstance(source, dict) or cast("dict[str, Any]", source).get("product") != "balefire":
        reading.fault(Fault("logsource"), "logsource")
    if str(data.get("level", "")).lower() not in LEVELS:
        reading.fault(Fault("level", name=data.get("level"), nearest=", ".join(LEVELS)), "level")
    if "status" in data and data["status"] not in STATUSES:
        reading.fault(Fault("status", name=data["status"], nearest=", ".join(STATUSES)), "status")


def _neutral(reading: _Reading, found: Found) -> None:
    """A rule on protocols serves one protocol; the same rule on effects serves all of them."""
    own = PROTOCOL & set(found.fields)
    if own and not NEUTRAL & set(found.fields):
        name = min(own)
        reading.faults.append((found.fields[name], Fault("protocol", name=name)))


def _pair(reading: _Reading, key: str) -> Text:
    data = reading.document.data
    english, chinese = data.get(key), data.get(f"{key}_zh")
    for name, value in ((key, english), (f"{key}_zh", chinese)):
        try:
            check_placeholders(value if isinstance(value, str) else "")
        except Fault as fault:
            reading.fault(fault, name)
    if not isinstance(english, str) or not english.strip():
        reading.fault(Fault("title", name=key), key)
    if not isinstance(chinese, str) or not chinese.strip():
        reading.fault(Fault("title-zh", name=f"{key}_zh"), f"{key}_zh")
    words = str(english or "").strip()
    return Text(words, str(chinese or words).strip())


def _text(reading: _Reading, value: Any, *path: str | int) -> Text | None:
    part = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    english, chinese = part.get("en"), part.get("zh")
    if isinstance(english, str) and isinstance(chinese, str) and len(part) == 2:
        return Text(english.strip(), chinese.strip())
    reading.fault(Fault("both-languages"), *path)
    return None


def _texts(reading: _Reading, key: str) -> Iterator[Text]:
    value = reading.document.data.get(key)
    if not isinstance(value, list) or not value:
        reading.fault(Fault(key), key)
        return
    for index, part in enumerate(cast("list[Any]", value)):
        if (one := _text(reading, part, key, index)) is not None:
            yield one


def _techniques(reading: _Reading) -> Iterator[str]:
    tags = reading.document.data.get("tags")
    for index, tag in enumerate(cast("list[Any]", tags) if isinstance(tags, list) else []):
        name = str(tag).casefold()
        if not name.startswith("attack.t"):
            continue
        technique = name.removeprefix("attack.").upper()
        if technique in TECHNIQUES:
            yield technique
        else:
            reading.fault(Fault("technique", name=tag), "tags", index)


def _nameless(reading: _Reading, rule: Rule) -> None:
    """A finding that would show no technique: the rule has no tag, and what fires it has none of its own."""
    named = rule.techniques or any(fault.check == "technique" for _, fault in reading.faults)
    bare = [case for case in rule.cases if case.fires and not techniques_of(case.activity["ot.effect"])]
    if bare and not named:
        reading.fault(Fault("no-technique"), "tags")


def _key(reading: _Reading) -> Iterator[str]:
    value = reading.document.data.get("key", ["source.ip", "destination.ip"])
    for index, name in enumerate(cast("list[Any]", value) if isinstance(value, list) else [value]):
        known = ACTIVITY.field(str(name))
        if known is None or known.many:
            reading.fault(Fault("field", name=name, nearest=nearest(str(name), ACTIVITY.names)), "key", index)
        else:
            yield known.name


def _adjustments(reading: _Reading) -> Iterator[Adjustment]:
    value = reading.document.data.get("score", [])
    for index, part in enumerate(cast("list[Any]", value) if isinstance(value, list) else [value]):
        path = ("score", index)
        entry = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        number = entry.get("value")
        if set(entry) != {"when", "value", "en", "zh"} or isinstance(number, bool) or not isinstance(number, (int, float)):
            reading.fault(Fault("score"), *path)
            continue
        found = clause(reading.document, (*path, "when"), entry["when"])
        reading.faults += found.faults
        name = _text(reading, {"en": entry["en"], "zh": entry["zh"]}, *path)
        if found.match is not None and name is not None:
            yield Adjustment(name, float(number), found.match)


def _cases(reading: _Reading) -> Iterator[Case]:
    tests: Any = reading.document.data.get("tests")
    parts = cast("dict[str, Any]", tests) if isinstance(tests, dict) else {}
    for kind in ("fires", "quiet"):
        stated = parts.get(kind)
        if not isinstance(stated, list) or not stated:
            reading.fault(Fault("tests", name=kind), "tests", kind)
            continue
        for index, one in enumerate(cast("list[Any]", stated)):
            if (case := _case(reading, kind, index, one)) is not None:
                yield case
    for key in set(parts) - {"fires", "quiet"}:
        reading.fault(Fault("unknown-key", name=key, nearest="fires, quiet"), "tests", key)


def _case(reading: _Reading, kind: str, index: int, stated: Any) -> Case | None:
    path = ("tests", kind, index)
    try:
        if not isinstance(stated, dict):
            raise Fault("case-form")
        return Case(f"{kind} {index + 1}", kind == "fires", case_activity(cast("dict[str, Any]", stated)))
    except Fault as fault:
        name = str(fault.values.get("name", ""))
        flat = (*path, name)
        reading.fault(fault, *(flat if flat in reading.document.lines else (*path, *name.split("."))))
        return None


def _try_cases(reading: _Reading, rule: Rule) -> None:
    fired = rule.match(Frame(activity_table([*(case.activity for case in rule.cases), case_activity({})])))
    reading.cases = len(rule.cases)
    if fired[-1]:
        reading.fault(Fault("polling"), "detection")
    words = {True: "fires", False: "quiet"}
    for case, got in zip(rule.cases, np.asarray(fired[:-1]).tolist(), strict=True):
        if got != case.fires:
            kind, number = case.name.split()
            reading.failures.append(Failure(reading.file, reading.id, case.name, words[case.fires], words[got]))
            reading.fault(Fault("case", name=case.name, expected=words[case.fires], got=words[got]), "tests", kind, int(number) - 1)
