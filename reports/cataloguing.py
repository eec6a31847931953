"""The catalogue of a site's classed data: each asset, object or file that has a class, with how often it was moved and how often out of its zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reports.classing import are_all, asked, assets, moved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.policy.classes import Class
    from records.query import Span
    from reports.asking import Row, Source

PLACE: Final = ("network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last", "ot.tag.name")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Entries, the highest level first, then those moved most; `complete`: whether every kind of operation was looked at."""

    entries: list[Row]
    complete: bool


def catalogue(source: Source, span: Span, rules: Sequence[Class], known: Mapping[str, Row], kind: str) -> Catalogue:
    """Of `kind` (assets, objects or files) what has a class, and by which rule."""
    kinds = asked(source, span, rules, () if kind == "assets" else PLACE)
    entries: dict[Any, Row] = {}
    if kind == "assets":
        rows = {row["id"]: row for row in known.values()}
        for identity, rule in assets(rows.values(), rules).items():
            place = {"device": rows[identity]["name"], "site": rows[identity]["observer.site"], "zone": rows[identity]["zone"]}
            entries[identity] = _entry(rule, place)
    for each in moved(kinds, rules, known):
        if each.data is None or each.data.kind != kind:
            continue
        key: Any = each.origin["id"] if kind == "assets" and each.origin else None
        if kind != "assets":
            side, device = ("source", each.asking) if each.row["ot.access"] == "report" else ("destination", each.asked)
            place = {"device": device["name"], "site": device["observer.site"], "zone": device["zone"]} if device else {}
            place = place or {"device": each.row[f"{side}.ip"], "site": each.row["observer.site"], "zone": None}
            place |= {name: each.row[name] for name in PLACE}
            key = tuple(place.values()), id(each.data)
            place["ot.tag.name"] = [place["ot.tag.name"]] if place["ot.tag.name"] else None
            entries.setdefault(key, _entry(each.data, place))
        entries[key]["operations"] += each.operations
        entries[key]["leaving"] += each.operations * each.leaves
    return Catalogue(sorted(entries.values(), key=lambda row: (-row["level"], -row["operations"], str(row))), are_all(kinds))


def _entry(rule: Class, place: Row) -> Row:
    title = {"en": rule.title.en, "zh": rule.title.zh}
    return {"domain": rule.domain, "level": rule.level, "rule": title, **place, "operations": 0, "leaving": 0}
