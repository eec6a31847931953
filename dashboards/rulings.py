"""The rules that a store was last judged by, as they were then: each with its text, what the linter says of it, what its tests gave, what it found."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards.queries import listed
from detectors.checking import Subject, hints
from detectors.rulebook import versions
from detectors.rulebook.document import read
from detectors.rulebook.load import Rulebook, load, own_rules
from detectors.rulebook.rule import filtered
from detectors.rulebook.versions import Version
from records import scratch
from records.query import Query, Terms
from records.search import Exists, Match
from records.wording import say_or

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.rulebook.problems import Problem
    from detectors.rulebook.rule import Rule
    from records.query import Span
    from records.store.contract import Store

LEVELS: Final[Mapping[str, str]] = {"critical": "critical", "high": "high", "medium": "medium", "low": "low", "informational": "none"}
_MOST_COUNTED: Final = 5_000
_MOST_FINDINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Book:
    """The rules of one `version`. `texts`: each file's content by the name under which rules and problems know it; `places`: that name as people know it."""

    id: str
    since: int | None
    book: Rulebook
    texts: Mapping[str, str]
    places: Mapping[str, str]
    own: frozenset[str]
    version: Version

    def problems(self, rule: Rule) -> list[Problem]:
        """Everything that the linter says of one rule, in the order of its lines."""
        others = {each.id: each for each in self.book.rules}
        document = read(self.texts.get(rule.file, "").encode("utf-8", "surrogateescape"))
        found = [problem for problem in self.book.problems if problem.file == rule.file]
        if {"detection", "correlation"} & document.data.keys():  # what a policy becomes is nobody's writing
            found += hints(Subject(filtered(rule), document, others, self.book.placeholders))
        return sorted(found, key=lambda problem: problem.line)

    def failed(self, rule: Rule) -> dict[str, str]:
        """The cases of a rule that did not behave, and what they gave."""
        return {failure.case: failure.got for failure in self.book.failures if failure.rule == rule.id}


def elsewhere(book: Book, rules: Path) -> list[str]:
    """The directories that the site's rules were read from, where this is none of them; without any, whoever judges may read this one next."""
    roots = list(dict.fromkeys(root for root, _ in book.version.files if root != versions.OWN))
    return [] if str((rules if rules.is_dir() else rules.parent).absolute()) in roots else roots


def in_force(store: Store) -> Book | None:
    """The rules that this store was judged by last; None where it has kept none, or what it has kept is none."""
    try:
        kept = versions.decoded(store.state(versions.STATE))
    except ValueError:
        return None
    return _loaded(kept[-1], kept[-1].id, kept[-1].since) if kept else None


def installed() -> Book:
    """Balefire's own rules alone, by which nothing was judged yet."""
    version = Version({})
    return _loaded(version, version.id, None)


@st.cache_resource(show_spinner=False, max_entries=4)
def _loaded(_version: Version, identity: str, since: int | None) -> Book:
    """Balefire's own rules as they are installed, and the site's as they were kept: written down for the loader, and read back before they go again."""
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("rules")) as folder:
        made = versions.write(_version, Path(folder))
        roots = tuple(dict.fromkeys(file.parents[name.count("/")] for (_, name), file in made.items()))
        book = load((own_rules(), *roots))
        texts = {str(file): _version.files[place] for place, file in made.items()}
        places = {str(file): str(Path(root) / name) for (root, name), file in made.items()}
    own = [str(file) for file in versions.rule_files(own_rules())]
    texts |= {file: Path(file).read_text("utf-8", "surrogateescape") for file in own}
    places |= {file: Path(file).relative_to(own_rules()).as_posix() for file in own}
    return Book(identity, since, book, texts, places, frozenset(own), _version)


def trusted(rule: Rule, language: str) -> str:
    """How far its author trusts a rule, in words."""
    return say_or(f"dashboard.rules.status.{rule.status}", language, rule.status)


def findings_by_rule(store: Store, span: Span) -> dict[str, int]:
    """How many findings each rule has in the span."""
    found = listed(store.terms("finding", span.query(), Terms(("rule",), _MOST_COUNTED)))
    return {str(row["rule"]): int(row["total"] or 0) for row in found if row["rule"]}


def hidden_by_rule(store: Store, span: Span) -> dict[str, int]:
    """How many of them a suppression hides."""
    found = listed(store.terms("finding", span.query(Exists("suppressions")), Terms(("rule",), _MOST_COUNTED)))
    return {str(row["rule"]): int(row["total"] or 0) for row in found if row["rule"]}


def newest_findings(store: Store, rule: str) -> tuple[list[dict[str, Any]], int]:
    """The newest findings of a rule, and how many there are."""
    where = Match("rule", rule, cased=True)
    return listed(store.read("finding", Query(where=where, sort="-time", limit=_MOST_FINDINGS))), store.count("finding", Query(where=where))
