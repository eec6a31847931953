"""Rule files to a rulebook: everything wrong said with its line, and what is right loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.resources import files
from os.path import lexists, realpath
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.policy.classes import is_classes, read_classes
from detectors.policy.compiling import compiled
from detectors.policy.zones import is_policy, read_policy
from detectors.rulebook.correlate import correlation_rule
from detectors.rulebook.disabled import FILE as DISABLED
from detectors.rulebook.disabled import read_disabled
from detectors.rulebook.document import Document, content_of, files_in, is_directory, is_file, read
from detectors.rulebook.filters import Filter, check_names, read_filter
from detectors.rulebook.one import BESIDE, on_rows, reading_in, reading_of, stood
from detectors.rulebook.order import downwards, looked_at
from detectors.rulebook.placeholders import FILE, Placeholders, read_placeholders
from detectors.rulebook.predicates import narrowed
from detectors.rulebook.problems import Fault, nearest
from detectors.rulebook.reading import Failure, Reading
from detectors.rulebook.rule import filters_of
from records.errors import UsageError
from records.remembered import place_of, program, recall, remember

READ_BY: Final = ("records", "detectors", "sensors.protocols")  # a policy names protocols
READ_WITH: Final = ("pyarrow", "pysigma", "pyyaml", "numpy")
SOON_S: Final = 0.2  # what is read as soon, as a user's few rules beside what the process has read, is not remembered for others

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from detectors.rulebook.predicates import Predicate
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule
    from records.schema import Table

__all__ = ["Failure", "Rulebook", "load", "load_text", "missing", "of_original", "own_rules", "problems_of"]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What a set of rule files holds: rules in the order of their ids, what is wrong, and what the tests inside gave.

    `files` are those that are to hold rules, `beside` the names of those read with them that hold none.
    """

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    files: int
    cases: int
    failures: tuple[Failure, ...]
    replacing: tuple[Rule, ...] = ()  # rules of a user that stand in the place of a bundled one of the same id
    filters: tuple[Filter, ...] = ()
    placeholders: Placeholders = field(default_factory=Placeholders)
    beside: tuple[str, ...] = ()


@dataclass(slots=True)
class _Item:
    """A file and what became of it; of a policy, one more for each rule that it becomes."""

    reading: Reading
    own: bool
    made: bool = False
    rule: Rule | None = None
    filter: Filter | None = None


def own_rules() -> Path:
    """The rules that come with Balefire, in a checkout and as an installed package."""
    return Path(str(files("rules")))


def load(paths: Iterable[Path]) -> Rulebook:
    """The rules of these files and directories; one of a user takes the place of a bundled one. Raises UsageError for a path that does not exist.

    The same files with the same content are read once: every page, replay and reload asks for Balefire's own. With these among them, they are read once
    for all processes: it takes half of the time that a small capture does.
    """
    paths = tuple(paths)
    found = tuple(_sorted_out(paths))
    state = _state(found)
    kept = _kept(paths, found, state)
    if kept:
        return kept[0]
    place = _place(paths, found, state) if own_rules() in paths else None
    book = recall(place) if place else None
    if isinstance(book, Rulebook):
        kept.append(book)
        return book
    began = thread_time()
    book = _read(paths, found)
    if _state(found) == state:  # nobody wrote to them meanwhile
        kept.append(book)
        if place and thread_time() - began > SOON_S:
            remember(place, book)
    return book


def _place(paths: Iterable[Path], found: Iterable[tuple[bool, Path]], state: Iterable[str]) -> Path:
    """Where the rulebook of these files is remembered: it depends on them, and on all that reads them."""
    return place_of("rules", (*program(READ_BY, READ_WITH), *(repr(part).encode() for part in (*paths, *found, *state))))


@lru_cache(maxsize=4)
def _kept(_paths: tuple[Path, ...], _found: tuple[tuple[bool, Path], ...], _state: tuple[str, ...]) -> list[Rulebook]:
    """Where the rulebook of these files stays once it is read."""
    return []


def _state(found: Iterable[tuple[bool, Path]]) -> tuple[str, ...]:
    """What tells whether a file says something else: a digest of its content, or why it cannot be read."""
    return tuple(map(_said_by, (file for _, file in found)))


def _said_by(file: Path) -> str:
    try:
        return blake2b(content_of(file)).hexdigest()
    except OSError as error:
        return str(error)


def _read(paths: Sequence[Path], found: Sequence[tuple[bool, Path]]) -> Rulebook:
    placeholders, problems = _placeholders(found)
    book = _Book(placeholders, [item for own, file in found if file.name not in BESIDE for item in _items(file, own)])
    book.read()
    problems += book.disable([(file, any(file.is_relative_to(path) for path in paths if is_directory(path))) for _, file in found if file.name == DISABLED])
    readings = [item.reading for item in book.items]
    return Rulebook(
        rules=tuple(book.rules[name] for name in sorted(book.rules)),
        problems=(*problems, *(one for reading in readings for one in reading.problems())),
        files=sum(file.name not in BESIDE for _, file in found),
        cases=sum(reading.cases for reading in readings),
        failures=tuple(failure for reading in readings for failure in reading.failures),
        replacing=tuple(book.rules[name] for name in sorted(book.bundled) if name in book.rules and book.rules[name].file != book.bundled[name].file),
        filters=tuple(book.filters),
        placeholders=placeholders,
        beside=tuple(file.name for _, file in found if file.name in BESIDE),
    )


def load_text(
    content: str, name: str, beside: Iterable[Path] = (), placeholders: Placeholders | None = None, *, tries: bool = True
) -> tuple[Rule | None, list[Problem]]:
    """The rule of a text, as if it stood in a file of this name beside these and the bundled ones; without `tries`, whatever its cases give."""
    document = read(content.encode("utf-8", "surrogateescape"))
    item = _Item(reading_of(name, document, tries=tries), own=False)
    book = _Book(placeholders or Placeholders(), [*(other for file in beside for other in _items(file, own=False)), item])
    book.read()
    return book.rules.get(item.reading.id), item.reading.problems()


class _Book:
    """Files on their way to a rulebook: rules on single rows first, then filters, then correlations, which look at both."""

    def __init__(self, placeholders: Placeholders, items: list[_Item]) -> None:
        self.placeholders = placeholders
        self.items = items
        self.rules: dict[str, Rule] = {}
        self.bundled: dict[str, Rule] = {}
        self.filters: list[Filter] = []
        self._waiting = [item for item in items if "correlation" in item.reading.data]
        self._own = {item.reading.file for item in items if item.own}
        self._altered: set[str] = set()  # Balefire's correlations that look at a rule of the site in the place of one of its own
        self._circles: dict[str, str] = {}  # by every name that a rule of a circle has: the way round

    def read(self) -> None:
        """Read everything."""
        rest = [item for item in self.items if item not in self._waiting and item.reading.data and not _is_of_the_site(item.reading.data)]
        for item in self.items:
            if item.made:
                self._take(item, item.rule)
        for item in rest:
            if "filter" in item.reading.data:
                item.filter = stood(item.reading, read_filter, self.placeholders)
            else:
                item.reading, rule = on_rows(item.reading, self.placeholders, own=item.own)
                self._take(item, rule)
        self._settle_filters(rest)
        self.rules = {name: self._within(rule) for name, rule in self.rules.items()}
        for item in self._ordered():
            self._take(item, stood(item.reading, correlation_rule, self))
        self._silence()

    def disable(self, files: Iterable[tuple[Path, bool]]) -> list[Problem]:
        """Take in which rules these files disable; what is wrong with them. Each comes with whether all rules beside it are here, so that others are unknown.

        A correlation that looks at one of them goes on doing so, which is said there.
        """
        known = {item.reading.id for item in self.items if "filter" not in item.reading.data} | _bundled_names()
        problems: list[Problem] = []
        for file, whole in files:
            reasons, wrong = read_disabled(file, known if whole else None)
            self.rules |= {name: replace(self.rules[name], disabled=reason) for name, reason in reasons.items() if name in self.rules}
            problems += wrong
        disabled = {called: rule for rule in self.rules.values() if rule.disabled for called in (rule.id, rule.called) if called}
        for item in self._waiting:
            for rule in {rule.id: rule for name in _beyond(item.reading.document) if (rule := disabled.get(name))}.values():
                item.reading.fault(Fault("part-disabled", name=rule.id, reason=rule.disabled), "correlation")
        return problems

    def rule(self, name: str) -> Rule:
        """The rule of this id or name, for a correlation. Raises Fault."""
        if name in self._circles:
            raise Fault("cycle", path=self._circles[name])
        known = {called: rule for rule in self.rules.values() for called in (rule.called, rule.id)}
        known = {**({} if name in known else _bundled()), **known}
        if name not in known:
            raise Fault("reference", name=name, nearest=nearest(name, {one for one in known if one}))
        return known[name]

    def narrowed(self, match: Predicate, names: tuple[str, ...], table: Table) -> Predicate:
        """The predicate within its filters."""
        return narrowed(match, tuple((one.id, one.match) for one in self.filters if one.applies(names, table)))

    def tries(self, reading: Reading, rules: Iterable[Rule]) -> bool:
        """Whether its cases are its own to try. Balefire's were tried with Balefire's rules: not where a site's rule stands in the place of one of these."""
        if reading.file in self._own and not all(rule.file in self._own and rule.id not in self._altered for rule in rules):
            self._altered.add(reading.id)
        return reading.id not in self._altered

    def _take(self, item: _Item, rule: Rule | None) -> None:
        """Puts a rule among the others, in the place of a bundled one where it is of a user."""
        reading = item.reading
        known = self.rules.get(reading.id)
        if known is not None and (item.own or self.bundled.get(reading.id) is not known):
            reading.fault(Fault("duplicate-id", name=reading.id, file=known.file), "id")
        called = rule.called if rule is not None else ""
        other = next((one for one in self.rules.values() if called and called in (one.called, one.id) and one.id != reading.id), None)
        if other is not None:
            reading.fault(Fault("duplicate-name", name=called, file=other.file), "name")
        if rule is None or reading.blocked:
            return
        item.rule = rule
        self.rules[rule.id] = rule
        if item.own:
            self.bundled[rule.id] = rule

    def _within(self, rule: Rule) -> Rule:
        match = self.narrowed(rule.match, (rule.id, rule.called), rule.table)
        return replace(rule, match=match, filters=filters_of(match))

    def _settle_filters(self, items: list[_Item]) -> None:
        known = {name for item in self.items if "filter" not in item.reading.data for name in _names(item.reading)} | _bundled_names()
        for item in items:
            if item.filter is None:
                continue
            check_names(item.reading, item.filter, known)
            twin = next((one for one in self.filters if one.id == item.filter.id), None)
            if twin is not None:
                item.reading.fault(Fault("duplicate-id", name=twin.id, file=twin.rule.file), "id")
            if not item.reading.blocked:
                self.filters.append(item.filter)

    def _ordered(self) -> list[_Item]:
        """The files with correlations, each after those with what it looks at."""
        called: dict[str, list[int]] = {}
        for number, item in enumerate(self._waiting):
            for name in _names(item.reading):
                called.setdefault(name, []).append(number)
        graph = {number: _leads_to(item.reading.document, called) for number, item in enumerate(self._waiting)}
        order, circles = downwards(graph, graph)
        for number, circle in circles.items():
            path = " → ".join(self._waiting[one].reading.id for one in (*circle, circle[0]))
            self._circles |= dict.fromkeys(_names(self._waiting[number].reading), path)
        return [self._waiting[number] for number in order]

    def _silence(self) -> None:
        """Rules that a correlation says are only parts of it: with `generate: false`, which is said aloud."""
        for item in self.items:
            part: Any = item.reading.data.get("correlation")
            if item.rule is None or not isinstance(part, dict):
                continue
            said = cast("dict[str, Any]", part)
            if "generate" in said and not isinstance(said["generate"], bool):
                item.reading.fault(Fault("generate"), "correlation", "generate")
            for name in cast("list[Any]", said.get("rules")) if said.get("generate") is False and isinstance(said.get("rules"), list) else []:
                rule = next((one for one in self.rules.values() if name in (one.id, one.called)), None)
                if rule is not None:
                    self.rules[rule.id] = replace(rule, silent=True)
                    item.reading.fault(Fault("silenced", name=name), "correlation", "generate")


def _names(reading: Reading) -> set[str]:
    """What other files may call it; a rule that a policy became has its id alone."""
    return {name for name in (reading.id, str(reading.data.get("name") or "")) if name}


def _leads_to(document: Document, called: Mapping[str, list[int]]) -> list[int]:
    """Which files the correlations of this one look at beyond it."""
    return [number for name in _beyond(document) for number in called.get(name, ())]


def _beyond(document: Document) -> list[str]:
    """The names that its correlations look at and that are not of its own parts."""
    local = {part.data.get("name") for part in document.parts if isinstance(part.data.get("name"), str)}
    return list(dict.fromkeys(name for one in (document, *document.parts) for name in looked_at(one) if name not in local))


@cache
def _bundled() -> dict[str, Rule]:
    """Balefire's own rules by id and name, for a correlation that is read without them."""
    rules = load([own_rules()]).rules
    return {called: rule for rule in rules for called in (rule.called, rule.id)}


@cache
def _bundled_names() -> frozenset[str]:
    """Their ids, which are the names of their files."""
    return frozenset(file.stem for file in own_rules().rglob("*.yml"))


def _placeholders(found: Sequence[tuple[bool, Path]]) -> tuple[Placeholders, list[Problem]]:
    """What all of these directories say; a user's own comes last and counts."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for _, file in sorted((one for one in found if one[1].name == FILE), key=lambda one: not one[0]):
        known, wrong = read_placeholders(file)
        values |= known
        problems += wrong
    return Placeholders(values), problems


def _sorted_out(paths: Iterable[Path]) -> Iterator[tuple[bool, Path]]:
    """Every file once, and whether it is one of Balefire's own."""
    home = own_rules().resolve()
    seen: set[Path] = set()
    for file in _files(paths):
        place = Path(realpath(file))  # a link to itself has no other name
        if place not in seen:
            seen.add(place)
            yield place.is_relative_to(home), file


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not is_directory(path) and not is_file(path):  # what is neither may never end
            raise missing(path)
        if is_directory(path):
            yield from files_in(path)
        else:
            yield path
            yield from (beside for name in BESIDE if is_file(beside := path.parent / name))


def missing(path: Path) -> UsageError:
    """What to say of a path that is neither a file nor a directory, or is where nobody lets us look."""
    try:
        path.stat()
    except PermissionError:
        return UsageError("rules_shut", path=path)
    except OSError:
        pass
    return UsageError("rules_no_file" if lexists(path) else "rules_missing", path=path)


def _is_of_the_site(data: Mapping[str, Any]) -> bool:
    """Whether a file says something of the site, its policy or the classes of its data, and is no rule."""
    return is_policy(data) or is_classes(data)


def _items(file: Path, own: bool) -> list[_Item]:
    """A file on its way to a rule; a policy, with its many rules; of data classes, what is wrong with them."""
    reading = reading_in(file, own=own)
    if is_classes(reading.data):
        reading.faults += stood(reading, lambda of, _: read_classes(of.document)[1], None) or []
        return [_Item(reading, own)]
    if not is_policy(reading.data):
        return [_Item(reading, own)]
    rules = stood(reading, _policy_rules, str(file)) or []
    return [_Item(reading, own), *(_Item(Reading(str(file), Document({}), rule.id), own, made=True, rule=rule) for rule in rules)]


def _policy_rules(reading: Reading, file: str) -> list[Rule]:
    policy, faults = read_policy(reading.document)
    rules = compiled(policy, file) if policy and not reading.faults else []
    reading.faults += faults
    return rules


def of_original(problem: Problem, file: str) -> Problem:
    """What is wrong with a copy, said of the file that it is of; where this could not be read, that."""
    why = problems_of(Path(file)) if problem.check == "not-a-rule" else []
    return why[0] if why and (why[0].check == "unreadable" or lexists(file)) else replace(problem, file=file)


def problems_of(file: Path) -> list[Problem]:
    """What keeps a file from being read as it is now."""
    return reading_in(file).problems()
