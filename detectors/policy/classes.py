"""A file of data classes: rules that give what is kept in assets, objects and files of a site a domain and a level. Everything wrong is said with its line.

Domains and levels are those of the guide to classes and levels of industrial data (工业数据分类分级指南, 2020). Which data has which is the site's to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.policy.reading import Reading
from detectors.policy.zones import is_name
from detectors.rulebook.detection import clause
from detectors.rulebook.problems import Fault, nearest
from records.schema import ACTIVITY, ASSET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from detectors.rulebook.document import Document
    from detectors.rulebook.predicates import Predicate
    from records.model import Text
    from records.schema import Table

DOMAINS: Final = ("research", "production", "operations", "management", "external")
LEVELS: Final = (1, 2, 3)
TABLES: Final[Mapping[str, Table]] = {"files": ACTIVITY, "objects": ACTIVITY, "assets": ASSET}  # what a rule is about, the narrowest first
MOST: Final = 100  # rules of a file
KEYS: Final = frozenset({"classes", "title", "title_zh", "rules"})
RULE_KEYS: Final = frozenset({"title", "title_zh", "domain", "level", *TABLES})
FIELDS: Final[Mapping[Table, tuple[str, ...]]] = {
    ACTIVITY: (
        "network.protocol", "event.action", "ot.effect", "ot.access", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.tag.name",
        "source.ip", "destination.ip", "observer.site",
        *(f"{side}.asset.{name}" for side in ("source", "destination") for name in ("name", "role", "zone", "level")),
    ),
    ASSET: ("name", "addresses", "vendor", "model", "firmware", "role", "zone", "level", "criticality", "observer.site"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Class:
    """A rule: what it matches (of `kind`: files, objects or assets) is data of this domain and level. `fields`: those that it looks at."""

    kind: str
    title: Text
    domain: str
    level: int
    match: Predicate
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Classes:
    """The rules of a file, in its order: of those of a kind the first that matches tells."""

    name: str
    title: Text
    rules: tuple[Class, ...]


def is_classes(data: Mapping[str, Any]) -> bool:
    """Whether a file means to be one of data classes."""
    return "classes" in data and "detection" not in data


def read_classes(document: Document) -> tuple[Classes | None, list[tuple[int, Fault]]]:
    """The classes of a document, or None and why."""
    reading = _Reading(document)
    found = reading.classes()
    return (None if any(fault.blocks for _, fault in reading.faults) else found), reading.faults


class _Reading(Reading):
    """One file on its way."""

    unknown = "class-key"

    def classes(self) -> Classes:
        data = self.document.data
        self.keys(data, KEYS)
        name = data["classes"]
        if not is_name(name):
            self.fault(Fault("policy-name", name=name), "classes")
        return Classes(str(name), self.title(data, str(name)), tuple(self._rules()))

    def _rules(self) -> Iterator[Class]:
        value: Any = self.document.data.get("rules")
        parts = cast("list[Any]", value) if isinstance(value, list) else []
        if not 0 < len(parts) <= MOST:
            self.fault(Fault("class-number", number=len(parts), most=MOST), "rules")
        for index, part in enumerate(parts[:MOST]):
            path = ("rules", index)
            about = [kind for kind in TABLES if kind in part] if isinstance(part, dict) else []
            if len(about) != 1:
                self.fault(Fault("class-form", kinds=", ".join(TABLES)), *path)
            elif made := self._rule(cast("dict[str, Any]", part), about[0], path):
                yield made

    def _rule(self, part: dict[str, Any], kind: str, path: tuple[str, int]) -> Class | None:
        self.keys(part, RULE_KEYS, *path)
        domain, level = part.get("domain"), part.get("level")
        if domain not in DOMAINS:
            self.fault(Fault("class-domain", name=domain, nearest=nearest(str(domain), DOMAINS)), *path, "domain")
        if isinstance(level, bool) or level not in LEVELS:
            self.fault(Fault("class-level", name=level), *path, "level")
        found = clause(self.document, (*path, kind), part[kind], table=TABLES[kind])
        self.faults += found.faults
        known = FIELDS[TABLES[kind]]
        for name, line in found.fields.items():
            if name not in known:
                self.faults.append((line, Fault("class-field", name=name, kind=kind, nearest=nearest(name, known))))
        if found.match is None or domain not in DOMAINS or level not in LEVELS:
            return None
        return Class(kind, self.title(part, str(domain), *path), str(domain), int(cast("int", level)), found.match, frozenset(found.fields))
