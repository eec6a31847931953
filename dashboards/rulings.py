"""The rules that a store was last judged by, as they were then: each with its text, what the linter says of it, what its tests gave, what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards.queries import listed
from detectors.checking import Subject, hints
from detectors.rulebook import versions
from detectors.rulebook.document import read
from detectors.rulebook.kept import loaded
from detectors.rulebook.rule import filtered
from detectors.rulebook.versions import Version
from records.query import Query, Terms
from records.search import Exists, Match
from records.wording import say_or

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from detectors.rulebook.load import Rulebook
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
    """The rules of a version, read back from what was kept."""
    kept = loaded(_version)
    return Book(identity, since, kept.book, kept.texts, kept.places, kept.own, _version)


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
