"""The rules in force while a replay runs: looked at again where it goes on without end, and recorded with what they find."""

from __future__ import annotations

import shutil
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, lru_cache
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detectors.baseline.learned import DETECTORS as LEARNING
from detectors.rulebook import versions
from detectors.rulebook.document import is_directory, is_file
from detectors.rulebook.load import load, of_original, own_rules, problems_of
from detectors.rulebook.problems import text
from records import scratch
from records.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from detectors.rulebook.load import Rulebook
    from detectors.rulebook.problems import Problem
    from detectors.rulebook.versions import Version
    from records.model import Finding, Text

LOOK_S: Final = 1.0  # between looks at the files
SETTLED_S: Final = 0.3  # since the last change, so that what is being written or copied is not read half
RULES: Final = "rules"  # the detector that judges by them

NO_FILE: Final = (0, -1)  # the mark of what bears a rule file's name and is none: a link to nothing, a pipe, what lies where nobody lets us look

installed = lru_cache(installed_version)

Marks = dict[Path, tuple[int, int]]
Loaded = tuple["Version", tuple[Path, ...], "Rulebook"]  # what the files held, where the copies of them lie, what the loader made of these


class Ruling:
    """The rule files of a replay. What judges reads a copy of them (`rules`), so that what is recorded is what has judged.

    A change comes into force as a whole or not at all: where it brings a problem that keeps a rule from loading, the rules before stay. `note` is told.
    What has changed is read and loaded in a thread (`loading`), beside what judges. Raises UsageError where the files cannot be read or copied.
    """

    def __init__(self, rules: Sequence[Path], kept: bytes | None, note: Callable[[Text], None]) -> None:
        self._watched = tuple(rules)
        self._note = note
        self._refused = ""
        self._looked = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "rules")
        self.loading: Future[Loaded | None] | None = None
        try:
            self._folder = Path(tempfile.mkdtemp(prefix=scratch.prefix("rules")))
            self._marks = self._first = self._stamps()
            self.version = versions.read(rules)
            self.rules = self._copied(self.version)
        except OSError as error:
            raise UsageError("rules_copied", reason=error) from error
        try:
            self._versions = versions.decoded(kept)
        except ValueError:
            self._versions = []
        recorded = bool(self._versions) and self._versions[-1].files == self.version.files
        self._unrecorded = [] if recorded else [self.version]

    def close(self) -> None:
        """Delete the copies."""
        self._thread.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    @cached_property
    def book(self) -> Rulebook:
        """The rules in force, loaded when they are first asked for."""
        return self._book(self.rules, self.version)

    def look(self) -> bool:
        """Whether other rules are in force than before: files have changed, and all that is in them can be loaded, and is. Never waits for that."""
        try:
            if self.loading is None:
                self._begin()
            elif self.loading.done():
                loading, self.loading = self.loading, None
                return self._taken(loading.result())
        except Exception as error:  # a file that is gone, or one that the loader cannot stand: whatever it is, listening goes on
            self._refuse(str(error), text("detectors.reload.unreadable", reason=str(error) or type(error).__name__))
        return False

    def _begin(self) -> None:
        """Have the files loaded where they have changed."""
        now = time.monotonic()
        if not self._watched or now - self._looked < LOOK_S:
            return
        self._looked = now
        marks = self._stamps()
        if marks == self._marks or not _settled(marks):
            return
        self._marks = marks
        if gone := next((path for path, mark in marks.items() if mark == NO_FILE != self._first.get(path)), None):
            self._refuse(str(gone), text("detectors.reload.refused", version=self.version.id), problems_of(gone))
            return
        self.loading = self._thread.submit(self._loaded)

    def _loaded(self) -> Loaded | None:
        """What the files hold now; None where it is what is in force."""
        found = versions.read(self._watched)
        if found.files == self.version.files:
            return None
        rules = self._copied(found)
        return found, rules, self._book(rules, found)

    def _taken(self, loaded: Loaded | None) -> bool:
        if loaded is None:
            self._refused = ""  # what was wrong is put right: said again where it comes again
            return False
        found, rules, book = loaded
        known = _blocking(self.book)
        if new := [problem for problem in _blocking(book) if problem not in known]:
            self._refuse(found.id, text("detectors.reload.refused", version=self.version.id), new)
            return False
        before, self.version, self.rules, self.book = self.version, found, rules, book
        self._unrecorded.append(found)
        self._refused = ""
        changed = ", ".join(sorted(name for _, name in found.changes(before)))
        self._note(text("detectors.reload.taken", version=found.id, before=before.id, files=changed))
        return True

    def _refuse(self, what: str, why: Text, problems: Sequence[Problem] = ()) -> None:
        """Say once that the rules before stay in force."""
        if what != self._refused:
            self._refused = what
            self._note(why)
            for problem in problems:
                self._note(text("detectors.reload.problem", file=problem.file, line=problem.line, message=problem.message, advice=problem.advice))

    def _stamps(self) -> Marks:
        """When each file and directory was last written, and its size. Raises OSError."""
        found: Marks = {}
        for root in self._watched:
            folders = [root, *(path for path in root.rglob("*") if is_directory(path))] if is_directory(root) else []
            for path in (*folders, *versions.rule_files(root)):
                stat = path.stat() if is_file(path) or is_directory(path) else None
                found[path] = (stat.st_mtime_ns, stat.st_size) if stat else NO_FILE
        return found

    def _copied(self, version: Version) -> tuple[Path, ...]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        made = versions.write(version, folder)
        return tuple(dict.fromkeys(file.parents[name.count("/")] for (_, name), file in made.items()))

    def _book(self, rules: Iterable[Path], version: Version) -> Rulebook:
        """The rules of a copy; problems name the files that were copied."""
        book = load((own_rules(), *rules))
        roots = [root for root in dict.fromkeys(root for root, _ in version.files) if root != versions.OWN]
        names = {str(copy): root for copy, root in zip(rules, roots, strict=True)}
        return replace(book, problems=tuple(of_original(problem, _renamed(problem.file, names)) for problem in book.problems))

    def stamped(self, findings: Iterable[Finding], baseline: str) -> list[Finding]:
        """Findings with the version that gave them: of rules that of the rules, else that of Balefire; what was learned adds that of the `baseline`."""
        product = installed("balefire")
        learned: dict[str, str] = dict.fromkeys(LEARNING, f"{product}+{baseline}") if baseline else {}
        return [replace(finding, version=self.version.id if finding.detector == RULES else learned.get(finding.detector, product)) for finding in findings]

    def state(self, newest: int | None) -> dict[str, bytes]:
        """What the next commit has to keep: the version that is in force from the newest packet time on; nothing where it is kept already.

        What was replaced before it judged anything is kept too, without a time: one can go back to it. The last one has its time with the first packet.
        """
        if not self._unrecorded and (newest is None or self._versions[-1].since is not None):
            return {}
        for version in self._unrecorded:
            self._versions = versions.noted(self._versions, version)
        self._unrecorded = []
        if self._versions[-1].since is None:
            self._versions[-1] = replace(self._versions[-1], since=newest)
        return {versions.STATE: versions.encoded(self._versions)}


def _settled(marks: Marks) -> bool:
    """Whether the last change is not this very moment's. A file from the future is as settled as it will be."""
    now = time.time_ns()
    return not any(0 <= now - written < SETTLED_S * 1e9 for written, _ in marks.values())


def _blocking(book: Rulebook) -> list[Problem]:
    return [problem for problem in book.problems if problem.blocks]


def _renamed(file: str, names: dict[str, str]) -> str:
    for copy, root in names.items():
        with suppress(ValueError):
            return str(Path(root) / Path(file).relative_to(copy))
    return file
