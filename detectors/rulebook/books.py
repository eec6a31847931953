"""Two rulebooks to compare: the rules in force, and the same with new or changed rules of somebody's draft in their places."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from detectors.rulebook import versions
from detectors.rulebook.document import read
from detectors.rulebook.load import load, missing, of_original
from detectors.rulebook.versions import Version
from detectors.scoring import weights
from records import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.rulebook.load import Rulebook
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule
    from detectors.rulebook.versions import Place


@dataclass(frozen=True, slots=True)
class Change:
    """A rule before and after; None where it does not fire by itself: it is not there, or only correlations look at it."""

    id: str
    before: Rule | None
    after: Rule | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What a draft would change: its own rules, changed or not, and those that become others by it. `problems` keep rules of the draft from loading,
    or others by it.

    `untried` are its files where none of that is the case: a filter or a policy that is in force already, or a filter of rules that there are not.
    `disabled` are those of all these rules that are disabled in force or by the draft, each with why.
    """

    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    untried: tuple[str, ...]
    disabled: Mapping[str, str]

    def enables(self, rule: str) -> bool:
        """Whether it is tried what a disabled rule would find; one that goes on being disabled finds nothing."""
        return any(change.id == rule and change.after is not None for change in self.changes)


def draft(path: Path, in_force: Version) -> Draft:
    """The rules of a file or directory among those in force; one of the same id takes the other's place. Raises UsageError.

    A directory that is in force itself is tried as it is now: what is no longer in it is gone, a line of `disabled.yml` for one.
    """
    try:
        given = versions.read([path], own=False)
    except OSError as error:
        raise missing(path) from error
    drafted = _by_id(given)
    kept = {place: text for place, text in in_force.files.items() if path.is_file() or place[0] != str(path.absolute())}
    old, new = (_book(tuple(each.values())) for each in (_by_id(in_force), _by_id(Version(kept)) | drafted))
    files = {str(Path(root) / name) for root, name in given.files}
    problems = tuple(problem for problem in new.problems if problem.blocks and (problem.file in files or problem not in old.problems))
    asked = {name.removeprefix("id: ") for name in drafted}
    changes = tuple(_changes(old, new, asked, path.is_file()))
    told = asked | {change.id for change in changes}
    disabled = {rule.id: rule.disabled for rule in (*old.rules, *new.rules) if rule.disabled and rule.id in told}
    return Draft(changes, problems, () if changes or problems else tuple(sorted(files)), disabled)


def rule_ids(version: Version) -> frozenset[str]:
    """The ids of its rules."""
    return frozenset(name.removeprefix("id: ") for name in _by_id(version) if name.startswith("id: "))


def _by_id(version: Version) -> dict[str, tuple[Place, str]]:
    """Each file and where it lies by what it holds, a rule's id or a policy's name; a later one takes the place of an earlier one.

    What has neither, placeholders for one, is known by its place and added to the others.
    """
    found: dict[str, tuple[Place, str]] = {}
    for place, text in version.files.items():
        found[_named(text) or "\0".join(place)] = (place, text)
    return found


@lru_cache(maxsize=1024)
def _named(text: str) -> str:
    data = read(text.encode("utf-8", "surrogateescape")).data
    return next((f"{key}: {data[key]}" for key in ("id", "policy") if data.get(key)), "")


@lru_cache(maxsize=2)
def _book(files: tuple[tuple[Place, str], ...]) -> Rulebook:
    """What the loader makes of these files: those in force are asked for with each draft. Its problems name the files that they are copies of."""
    version = Version(dict(sorted(files, key=lambda each: each[0][0] != versions.OWN)))
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("rules")) as folder:
        names = {str(copy): str(Path(root) / name) for (root, name), copy in versions.write(version, Path(folder), own=True).items()}
        book = load([Path(folder)])
    return replace(book, problems=tuple(of_original(problem, names.get(problem.file, problem.file)) for problem in book.problems))


def _changes(old: Rulebook, new: Rulebook, asked: set[str], alone: bool) -> Iterator[Change]:
    """What differs. A disabled rule that is `asked` for `alone` is tried as if it were not: what would it do?"""
    before = {rule.id: rule for rule in old.rules if rule.fires}
    after = {rule.id: rule for rule in new.rules if rule.fires or (alone and rule.id in asked and not rule.silent)}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if name in asked or one is None or other is None or _judging(one) != _judging(other):
            yield Change(name, one, other)


def _judging(rule: Rule) -> object:
    """When it fires, how grave that is, and what its findings fold by."""
    return rule.match, rule.correlation, rule.key, weights(rule)
