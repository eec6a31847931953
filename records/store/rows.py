"""Findings, alerts, suppressions and assets as rows of their tables, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from records.facts import ADDRESS, TOLD, Fact
from records.model import Alert, Asset, Conflict, Finding, PacketRef, Suppression, Term, Text
from records.nesting import iso, period

if TYPE_CHECKING:
    from collections.abc import Mapping

    from records.model import Evidence, Value


BELIEVED: Final = 85


def moment(text: str) -> int:
    """Nanoseconds of a time as `iso` writes it."""
    found = period(text)
    if found is None:
        raise ValueError(text)
    return found[0]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def finding_row(finding: Finding) -> dict[str, Any]:
    """A finding as a flat row."""
    return {
        "id": finding.id,
        "key": finding.key,
        "detector": finding.detector,
        "rule": finding.rule,
        "version": finding.version,
        "time": finding.time,
        "end": finding.end,
        "severity": finding.severity,
        "score": float(finding.score),
        "terms": _json([{"name": term.en, "title": {"en": term.en, "zh": term.zh}, "value": term.value} for term in finding.terms]),
        "title.en": finding.title.en,
        "title.zh": finding.title.zh,
        "reason.en": finding.reason.en,
        "reason.zh": finding.reason.zh,
        "normal.en": finding.normal.en if finding.normal else None,
        "normal.zh": finding.normal.zh if finding.normal else None,
        "respond": _json([asdict(step) for step in finding.respond]),
        "source.ip": finding.source,
        "destination.ip": finding.destination,
        "effects": list(finding.effects),
        "techniques": list(finding.techniques),
        "activities": list(finding.activities),
        "assets": list(finding.assets),
        "packets": _json([{"file": packet.file, "packet": packet.packet, "time": iso(packet.time)} for packet in finding.packets]),
        "observer.name": finding.observer,
        "observer.site": finding.site,
        "alert": finding.alert,
        "suppressions": list(finding.suppressions),
        "expired": list(finding.expired),
    }


def finding_from(row: Mapping[str, Any]) -> Finding:
    """The finding of a flat row."""
    named: dict[str, Any] = {name: row[name] for name in ("id", "key", "detector", "rule", "version", "time", "end", "alert")}
    lists: dict[str, Any] = {name: tuple(row[name]) for name in ("effects", "techniques", "activities", "assets", "suppressions", "expired")}
    terms = tuple(Term(term["title"]["en"], term["title"]["zh"], term["value"]) for term in json.loads(row["terms"]))
    packets = tuple(PacketRef(packet["file"], packet["packet"], moment(packet["time"])) for packet in json.loads(row["packets"]))
    return Finding(
        **named,
        **lists,
        terms=terms,
        packets=packets,
        title=Text(row["title.en"], row["title.zh"]),
        reason=Text(row["reason.en"], row["reason.zh"]),
        normal=None if row["normal.en"] is None else Text(row["normal.en"], row["normal.zh"]),
        respond=tuple(Text(step["en"], step["zh"]) for step in json.loads(row["respond"])),
        source=row["source.ip"],
        destination=row["destination.ip"],
        observer=row["observer.name"],
        site=row["observer.site"],
    )


def evidence_row(evidence: Evidence, now: int) -> dict[str, Any]:
    """Evidence as a flat row, kept now."""
    return {
        "id": evidence.finding,
        "file": evidence.file,
        "time": evidence.time,
        "end": evidence.end,
        "packets": len(evidence.numbers),
        "numbers": list(evidence.numbers),
        "missing": evidence.missing,
        "bytes": evidence.size,
        "sha256": evidence.sha256,
        "kept": now if evidence.sha256 else None,
        "gone": None,
        "reason": None,
    }


def alert_row(alert: Alert) -> dict[str, Any]:
    """An alert as a flat row."""
    return {
        "id": alert.id,
        "key": alert.key,
        "status": alert.status,
        "severity": alert.severity,
        "title.en": alert.title.en,
        "title.zh": alert.title.zh,
        "reason.en": alert.reason.en,
        "reason.zh": alert.reason.zh,
        "first": alert.first,
        "last": alert.last,
        "count": alert.count,
        "findings": list(alert.findings),
        "assets": list(alert.assets),
        "techniques": list(alert.techniques),
        "closed": alert.closed,
        "expired": list(alert.expired),
        "assignee": alert.assignee,
        "verdict": alert.verdict,
        "revision": alert.revision,
    }


def alert_from(row: Mapping[str, Any]) -> Alert:
    """The alert of a flat row."""
    return Alert(
        id=row["id"],
        key=row["key"],
        status=row["status"],
        severity=row["severity"],
        title=Text(row["title.en"], row["title.zh"]),
        reason=Text(row["reason.en"], row["reason.zh"]),
        first=row["first"],
        last=row["last"],
        findings=tuple(row["findings"]),
        assets=tuple(row["assets"]),
        techniques=tuple(row["techniques"]),
        count=row["count"],
        closed=row["closed"],
        expired=tuple(row["expired"]),
        assignee=row["assignee"],
        verdict=row["verdict"],
        revision=row["revision"],
    )


def suppression_row(suppression: Suppression) -> dict[str, Any]:
    """A suppression as a flat row."""
    where = {name: list(values) for name, values in suppression.where.items()}
    row = {name: getattr(suppression, name) for name in ("id", "owner", "reason", "since", "until", "alert", "revoked", "revision")}
    return row | {"rule": next(iter(where.get("rule") or where.get("detector") or ()), None), "where": _json(where)}


def suppression_from(row: Mapping[str, Any]) -> Suppression:
    """The suppression of a flat row."""
    where: dict[str, list[Value]] = json.loads(row["where"])
    named = {name: row[name] for name in ("id", "owner", "reason", "since", "until", "alert", "revoked", "revision")}
    return Suppression(where={name: tuple(values) for name, values in where.items()}, **named)


def asset_row(asset: Asset) -> dict[str, Any]:
    """An asset as a flat row."""
    row = asdict(asset)
    row["observer.site"] = row.pop("site")
    told = {"facts": _json([_dated(asdict(fact)) for fact in asset.facts]), "conflicts": _json([_dated(asdict(each)) for each in asset.conflicts])}
    return row | told | {name: sorted(set(getattr(asset, name))) for name in ("addresses", "sources", "aliases")}


def _dated(told: dict[str, Any]) -> dict[str, Any]:
    return told | {name: iso(told[name]) for name in ("first", "last")}


def asset_from(row: Mapping[str, Any]) -> Asset:
    """The asset of a flat row, also of one that was stored before facts had their own times."""
    facts = tuple(Fact(**_timed(each)) for each in _list(row.get("facts"))) or facts_of(row)
    told: dict[str, Any] = {name: row[name] for name in ("id", "name", "first", "last", "vendor", "model", "firmware", "serial", "role", "zone", "level")}
    told |= {name: tuple(row.get(name) or ()) for name in ("addresses", "sources", "aliases")}
    return Asset(**told, criticality=row.get("criticality"), site=row["observer.site"], facts=facts, conflicts=conflicts_of(row))


def conflicts_of(row: Mapping[str, Any]) -> tuple[Conflict, ...]:
    """The conflicts of a flat row."""
    return tuple(Conflict(**_timed(each)) for each in _list(row.get("conflicts")))


def _list(told: Any) -> list[dict[str, Any]]:
    return json.loads(told) if isinstance(told, str) else told or []


def _timed(told: dict[str, Any]) -> dict[str, Any]:
    return told | {name: (period(told[name]) or (0, 0))[0] for name in ("first", "last")}


def facts_of(row: Mapping[str, Any]) -> tuple[Fact, ...]:
    """What a row says that has no facts: as well believed as an answer of the device itself, which it came from."""
    source = next((name for name in row["sources"] if name.endswith(":identity")), "earlier")
    told = [(ADDRESS, address) for address in row["addresses"]] + [(name, str(row[name])) for name in TOLD if row.get(name) is not None]
    told += [("name", row["name"])] if row["name"] not in row["addresses"] else []
    return tuple(Fact(name, value, source, BELIEVED, row["first"], row["last"]) for name, value in told)
