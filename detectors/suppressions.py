"""Suppressions: findings that plant staff expect are hidden for a while, never dropped. They stay stored, marked with what hides them.

A suppression hides a finding whose time, packet time, lies in its [since, until), and of which *every* value fits: of the finding's own fields, and of the
fields of all of its activities. `since` is the store's newest packet time when it was made, so that all that was judged before stays as it was and a
replay gives what was given live; it is revoked in the same way. One rule (or a detector that has none) is always named, so that none hides more than one
kind; one that names nothing else hides everything of it, and is said to (`everything`). A network is written as networks are in rules: without bits of a host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from records.errors import UsageError
from records.nesting import values as plain
from records.schema import ACTIVITY, FINDING

if TYPE_CHECKING:
    import pyarrow as pa

    from records.model import Finding, Suppression, Value
    from records.schema import Field

Row = Mapping[str, Any]
Test = Callable[[Any], bool]
# The activities of these identities, which lie between two times (nanoseconds), with the schema's columns; those that are not known are left out.
Activities = Callable[[Sequence[str], int, int], "pa.Table"]

DAY: Final = 86_400 * 10**9
ANCHORS: Final = ("rule", "detector")
RULES: Final = "rules"  # the detector of all rules, which is no kind of finding
COLUMNS: Final = ("id", "time", "end", "rule", "detector", "source.ip", "destination.ip", "effects", "techniques", "assets", "activities",
                  "observer.name", "observer.site")  # fmt: skip
_TYPES: Final = frozenset({"keyword", "ip", "long", "double", "boolean"})


def mark(findings: Sequence[Finding], suppressions: Sequence[Suppression], activities: Activities) -> list[Finding]:
    """The findings, each with the suppressions that hide it, or, where none does, with those that would but had ended at its time."""
    marked = list(findings)
    for at, found in matching([about(finding) for finding in findings] if suppressions else [], suppressions, activities).items():
        time = findings[at].time
        hiding = tuple(each.id for each in found if each.since <= time < each.until)
        ended = tuple(each.id for each in found if each.until <= time)
        marked[at] = replace(findings[at], suppressions=hiding, expired=() if hiding else ended)
    return marked


def about(finding: Finding) -> Row:
    """What can be asked of a finding, under the schema's names (`COLUMNS`)."""
    return {
        "id": finding.id, "time": finding.time, "end": finding.end, "rule": finding.rule, "detector": finding.detector, "source.ip": finding.source,
        "destination.ip": finding.destination, "effects": finding.effects, "techniques": finding.techniques, "assets": finding.assets,
        "activities": finding.activities, "observer.name": finding.observer, "observer.site": finding.site,
    }  # fmt: skip


def matching(rows: Sequence[Row], suppressions: Sequence[Suppression], activities: Activities) -> dict[int, list[Suppression]]:
    """By place in `rows` (of `COLUMNS`), the suppressions whose conditions fit a finding, whatever its time."""
    by_anchor: dict[tuple[str, str], list[_Matcher]] = {}
    for matcher in map(_Matcher, suppressions):
        for anchor in matcher.anchors:
            by_anchor.setdefault(anchor, []).append(matcher)
    fitting: list[tuple[int, _Matcher]] = []
    for at, row in enumerate(rows):
        asked = [matcher for name in ANCHORS for matcher in by_anchor.get((name, str(row[name]).casefold()), ())]
        fitting += [(at, matcher) for matcher in asked if matcher.fits(row)]
    known = _known([rows[at] for at, matcher in fitting if matcher.of_activities], {name for _, each in fitting for name in each.of_activities}, activities)
    found: dict[int, list[Suppression]] = {}
    for at, matcher in fitting:
        if matcher.fits_all([known.get(name) for name in rows[at]["activities"] or ()]):
            found.setdefault(at, []).append(matcher.suppression)
    return found


class _Matcher:
    """The conditions of one suppression as tests of values."""

    def __init__(self, suppression: Suppression) -> None:
        self.suppression = suppression
        self.anchors = anchors(suppression.where)
        self.of_finding: dict[str, Test] = {}
        self.of_activities: dict[str, Test] = {}
        for name, allowed in suppression.where.items():
            field, of_finding = field_named(name)
            (self.of_finding if of_finding else self.of_activities)[field.name] = test(field, allowed)

    def fits(self, row: Row) -> bool:
        """Whether a finding's own fields fit."""
        return all(_all(fits, row[name]) for name, fits in self.of_finding.items())

    def fits_all(self, rows: Sequence[Row | None]) -> bool:
        """Whether the fields of all activities of a finding fit; of one that is not known, nothing does."""
        if not self.of_activities:
            return True
        return bool(rows) and all(row is not None and all(_all(fits, row[name]) for name, fits in self.of_activities.items()) for row in rows)


def anchors(where: Mapping[str, Sequence[Value]]) -> list[tuple[str, str]]:
    """The rules, else the detectors, that a suppression is about. Raises UsageError where there are none."""
    for name in ANCHORS:
        found = [(name, str(value).casefold()) for value in where.get(name, ()) if value]
        if found and ("detector", RULES) not in found:
            return found
    raise UsageError("suppress.anchor")


def everything(where: Mapping[str, Sequence[Value]]) -> tuple[str, ...]:
    """The rules (or detectors) of which conditions hide every finding, for they ask for nothing else."""
    return () if set(where) - set(ANCHORS) else tuple(name for _, name in anchors(where))


def check_networks(field: Field, allowed: Sequence[Value]) -> None:
    """Raises UsageError for a network that has bits of a host, or takes in every address; one that is stored already goes on meaning what it meant."""
    for value in allowed if field.type == "ip" else ():
        network = _network(field, value) if value else None
        if network and not network.prefixlen:
            raise UsageError("suppress.every_address", field=field.name, value=value)
        if network and network.network_address != ipaddress.ip_interface(str(value)).ip:
            raise UsageError("suppress.host_bits", value=value, wanted=network)


def _all(fits: Test, value: Any) -> bool:
    """Of a field with many values, each has to fit; one without any is absent."""
    return all(map(fits, cast("Sequence[Any]", value) or (None,))) if isinstance(value, list | tuple) else fits(value)


def _known(rows: Sequence[Row], names: Iterable[str], activities: Activities) -> dict[str, Row]:
    """The activities of these findings by identity, with these fields."""
    wanted = list(dict.fromkeys(name for row in rows for name in row["activities"] or ()))
    if not wanted:
        return {}
    # a grouped activity begins before what was found in it
    table = activities(wanted, min(row["time"] for row in rows) - DAY, max(row["end"] for row in rows) + DAY)
    fields = [field for name in ("id", *sorted(names)) if (field := ACTIVITY.field(name))]
    columns = [plain(table.column(field.name), field.type) for field in fields]
    return {row[0]: dict(zip([field.name for field in fields], row, strict=True)) for row in zip(*columns, strict=True)}


def field_named(name: str) -> tuple[Field, bool]:
    """A field that may be asked for, and whether it is the finding's own (else one of its activities). Raises UsageError."""
    own = FINDING.field(name) if name.casefold() in COLUMNS else None
    field = own or ACTIVITY.field(name)
    if field is None or field.type not in _TYPES or field.name in {"id", "activities"}:
        raise UsageError("suppress.field", field=name)
    return field, own is not None


def test(field: Field, allowed: Sequence[Value]) -> Test:
    """Whether a value is one of those allowed: text whatever its case, an address also in a network, None where the field is absent."""
    given = [value for value in allowed if value is not None]
    absent = len(given) < len(allowed)
    if field.type == "ip":
        return _addresses(field, given, absent)
    if field.type == "keyword":
        texts = {str(value).casefold() for value in given}
        return lambda value: absent if value is None else str(value).casefold() in texts
    wanted = {_typed(field, value) for value in given}
    return lambda value: absent if value is None else value in wanted


def _addresses(field: Field, given: Sequence[Value], absent: bool) -> Test:
    networks = [_network(field, value) for value in given]

    def fits(value: Any) -> bool:
        try:
            return absent if value is None else any(ipaddress.ip_address(value) in network for network in networks)
        except ValueError:
            return False

    return fits


def _network(field: Field, value: Value) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network, or the address as one. Raises UsageError for a text that is neither."""
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        raise UsageError("suppress.value", field=field.name, value=value) from None


def _typed(field: Field, value: Value) -> Value:
    """A value of a number's or truth's field, typed by a person or not."""
    try:
        match field.type:
            case "boolean":
                return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).casefold()]
            case "long":
                return int(str(value))
            case _:
                return float(str(value))
    except (ValueError, KeyError):
        raise UsageError("suppress.value", field=field.name, value=value) from None


def standing(suppression: Suppression, newest: int) -> str:
    """in_force, expired or revoked at the newest packet time: whether the next finding would be hidden."""
    if newest + 1 < suppression.until:
        return "in_force"
    return "expired" if suppression.revoked is None else "revoked"
