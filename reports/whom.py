"""What goes a way by itself, as the file of ways says under `gets`: reports by period and site, forms by agency, warnings by receiver."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from detectors.rulebook.problems import nearest
from reports.agencies import AGENCIES
from reports.periods import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.errors import InputError
    from reports.ledger import Entry

ALL: Final = "all"
OVER_ALL: Final = ""  # the site of a report over all sites
KNOWN: Final = {"report": KINDS, "duty": AGENCIES, "warning": ()}  # what each may be chosen by; receivers are named freely


@dataclass(frozen=True, slots=True)
class Rule:
    """What is sent: its `kind` and which of them (periods, agencies or receivers; none: all); reports of these sites alone, where any are named."""

    kind: str
    which: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()

    def fits(self, entry: Entry) -> bool:
        """Whether what was released is meant."""
        told: dict[str, Any] = entry.body["document"]
        kind = str(told.get("type") or ("report" if told.get("kind") == "summary" else ""))
        of = {"report": [told.get("period")], "duty": told.get("agencies") or [], "warning": [told.get("receiver")]}.get(kind, [])
        wanted = kind == self.kind and (not self.which or any(each in self.which for each in of))
        return wanted and (not self.sites or (told.get("site") or OVER_ALL) in self.sites)


def rules(told: object, wrong: Callable[..., InputError]) -> tuple[Rule, ...]:
    """The rules of a way; `wrong` makes the error of what is there, what it may be and where. Raises InputError."""
    if told is None:
        return ()
    if not isinstance(told, list) or not told:
        raise wrong("gets", "[{report: [weekly]}, {duty: [cyberspace]}, {warning: all}]", "gets")
    return tuple(_rule(each, number, wrong) for number, each in enumerate(cast("list[object]", told)))


def _rule(told: object, number: int, wrong: Callable[..., InputError]) -> Rule:
    given = cast("dict[object, object]", told) if isinstance(told, dict) else {}
    kinds = [str(key) for key in given if key in KNOWN]
    if len(kinds) != 1:
        raise wrong(", ".join(map(str, given)) or told, "{report: …} | {duty: …} | {warning: …}", "gets", number)
    kind = kinds[0]
    keys = (kind, "site") if kind == "report" else (kind,)
    if strange := [str(key) for key in given if key not in keys]:
        raise wrong(strange[0], nearest(strange[0], keys), "gets", number, strange[0])
    known = KNOWN[kind]
    which = () if given[kind] == ALL else _words(given[kind], f"{ALL} | [{', '.join(known) or '…'}]", wrong, "gets", number, kind)
    if known and (strange := [each for each in which if each not in known]):
        raise wrong(strange[0], nearest(strange[0], known), "gets", number, kind)
    return Rule(kind, which, _words(given["site"], '["North Harbour", ""]', wrong, "gets", number, "site", empty=True) if "site" in given else ())


def _words(told: object, known: str, wrong: Callable[..., InputError], *place: str | int, empty: bool = False) -> tuple[str, ...]:
    """One or several; an `empty` one may be meant."""
    found = cast("list[object]", told) if isinstance(told, list) else [told]
    if not found or not all(isinstance(each, str) and (empty or each.strip()) for each in found):
        raise wrong(told, known, *place)
    return tuple(map(str, found))
