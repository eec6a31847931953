"""Rows that the engine released to Arrow tables with names: activities and points. Python objects are made only here, for what a person may look at."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from records.effects import EFFECTS
from records.schema import ACTIVITY, POINT, arrow_table
from sensors.engine.grouping import ANSWERS, ASKS, ENGINEERS
from sensors.engine.pairing import code_table
from sensors.engine.tables import ENGINE_ANOMALIES, GROUPED, OWN, PROTOCOL_BITS, SECOND, TUNNELS, code_path
from sensors.protocol import Protocol, protocols

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OUTCOMES: Final = ("unknown", "success", "failure")
TRANSPORTS: Final = {1: "icmp", 6: "tcp", 17: "udp", -1: ""}


def address_text(host: Any) -> str:
    """An address as people write it."""
    if host.family == 4:
        return str(ipaddress.IPv4Address(int(host.d)))
    return str(ipaddress.IPv6Address(int(host.a) << 96 | int(host.b) << 64 | int(host.c) << 32 | int(host.d)))


def mac_text(mac: int) -> str | None:
    """A MAC address as people write it, or None."""
    return None if mac < 0 else ":".join(f"{mac >> shift & 255:02x}" for shift in range(40, -8, -8))


def role_text(role: int) -> str | None:
    """What a host was seen doing: it answers, it programs or tries out, or it asks."""
    return "controller" if role & ANSWERS else "engineering" if role & ENGINEERS else "client" if role & ASKS else None


def asset_id(site: str | None, address: str) -> str:
    """Identity of the asset with this address at this site."""
    return hashlib.blake2b(f"{site or ''}\x1f{address}".encode(), digest_size=10).hexdigest()


def anomaly_names(protocol: Protocol, bits: int) -> list[str]:
    """The anomalies of an operation, by name."""
    names = [name for bit, name in enumerate(protocol.anomalies) if bits >> bit & 1]
    return names + [name for bit, name in enumerate(ENGINE_ANOMALIES) if bits >> (PROTOCOL_BITS + bit) & 1]


def error_name(protocol: Protocol, error: int) -> str | None:
    """The error that a device answered, by name."""
    return None if error < 0 else protocol.errors.get(error, f"exception_{error}")


def action_name(code: int, function: int) -> str:
    """The operation's name in its protocol; an unknown code renders as its number."""
    if function >= 0:
        return FUNCTION_NAMES[function]
    return "function_" + code_path(code).replace("/", "_") if code else "malformed"


_array: Any = pa.array  # its types are unfinished
FUNCTION_NAMES: Final = [name for _, name in code_table()[2]]


class Naming:
    """Numbers of one engine to names; hosts and conversations are named once, when they first appear."""

    def __init__(self, observer: str, site: str | None, origin: str, hosts: Any, conversations: Any) -> None:
        self.observer, self.site, self._origin = observer, site, origin
        self._hosts, self._conversations = hosts, conversations
        self.addresses: list[str] = []
        self.assets: list[str] = []

    def host(self, number: int) -> str:
        """Address of a host number."""
        while len(self.addresses) <= number:
            text = address_text(self._hosts[len(self.addresses)])
            self.addresses.append(text)
            self.assets.append(asset_id(self.site, text))
        return self.addresses[number]

    def activities(self, rows: Any) -> pa.Table:
        """Released groups as activities."""
        columns = self._conversation_columns(rows) | self._operation_columns(rows) | self._counted_columns(rows)
        columns["id"] = self._identities(rows, columns)
        return arrow_table(ACTIVITY, columns, len(rows))

    def _conversation_columns(self, rows: Any) -> dict[str, Any]:
        wanted, place = np.unique(2 * rows.conversation + rows.report, return_inverse=True)
        talks = [self._conversations[int(number) >> 1] for number in wanted]
        turned = [int(number) & 1 == 1 for number in wanted]  # reports: the one who was to be asked spoke
        own = rows.ordinal > 0
        ends = [((talk.source, talk.source_mac), (talk.target, talk.target_mac)) for talk in talks]
        ends = [tuple(reversed(pair)) if turn else pair for pair, turn in zip(ends, turned, strict=True)]
        source, target = [int(one[0]) for one, _ in ends], [int(other[0]) for _, other in ends]
        named: dict[str, list[Any]] = {
            "source.ip": [self.host(number) for number in source],
            "destination.ip": [self.host(number) for number in target],
            "source.mac": [mac_text(int(one[1])) for one, _ in ends],
            "destination.mac": [mac_text(int(other[1])) for _, other in ends],
            "network.transport": [TRANSPORTS.get(int(talk.transport), str(talk.transport)) for talk in talks],
            "network.protocol": [protocols()[int(talk.protocol)].name for talk in talks],
            "network.vlan.id": [None if talk.vlan < 0 else int(talk.vlan) for talk in talks],
            "network.tunnel.type": [TUNNELS[int(talk.tunnel)] or None for talk in talks],
            "network.tunnel.id": [None if talk.tunnel_id < 0 else int(talk.tunnel_id) for talk in talks],
            "source.asset.id": [self.assets[number] for number in source],
            "destination.asset.id": [self.assets[number] for number in target],
        }
        columns: dict[str, Any] = {name: _spread(values, place) for name, values in named.items()}
        columns["source.asset.name"], columns["destination.asset.name"] = columns["source.ip"], columns["destination.ip"]
        report = rows.report == 1
        served = np.array([int(talk.port) for talk in talks], np.int64)[place]
        asked_from = np.where(own, rows.port, -1)
        columns["source.port"] = _present(np.where(report, served, asked_from))
        columns["destination.port"] = _present(np.where(report, asked_from, served))
        columns["source.asset.role"] = _named(np.where(report, rows.target_role, rows.source_role), role_text)
        columns["destination.asset.role"] = _named(np.where(report, rows.source_role, rows.target_role), role_text)
        columns["observer.name"] = [self.observer] * len(rows)
        columns["observer.site"] = [self.site] * len(rows)
        return columns

    def _operation_columns(self, rows: Any) -> dict[str, Any]:
        protocol = self._conversations.protocol[rows.conversation]
        return {
            "event.action": _named_pairs(rows.code, rows.function, action_name),
            "event.outcome": _named(rows.outcome, OUTCOMES.__getitem__),
            "ot.effect": _named(rows.effect, lambda effect: EFFECTS[effect].name),
            "ot.access": _named(rows.effect, lambda effect: EFFECTS[effect].access),
            "ot.code": _named(rows.code, code_path),
            "ot.unit": _present(rows.unit),
            "ot.object.space": _named_pairs(protocol, rows.space, space_name),
            "ot.object.first": _present(rows.first),
            "ot.object.last": _present(rows.last),
            "ot.object.count": pa.array(rows.distinct, mask=rows.distinct <= 0),
            "ot.error": _named_pairs(protocol, rows.error, lambda p, e: error_name(protocols()[p], e)),
            "ot.anomaly": _named_pairs(protocol, rows.anomaly, lambda p, bits: anomaly_names(protocols()[p], bits), pa.list_(pa.string())),
        }

    def _counted_columns(self, rows: Any) -> dict[str, Any]:
        several = rows["count"] > 1
        with np.errstate(invalid="ignore", divide="ignore"):
            deviation = np.sqrt(rows.square / np.maximum(rows["count"] - 1, 1)) / SECOND
        return {
            "@timestamp": rows.start,
            "event.start": rows.start,
            "event.end": rows.end,
            "ot.count": rows["count"],
            "ot.bytes": rows.octets,
            "ot.interval.mean": pa.array(rows.interval / SECOND, mask=~several),
            "ot.interval.deviation": pa.array(deviation, mask=~several),
            "ot.rtt": pa.array(rows.rtt / SECOND, mask=rows.answered == 0),
            "ot.value": pa.array(rows.value, mask=several | np.isnan(rows.value)),
            "ot.grouped": rows.ordinal < 0,
            "ot.fragment": rows.fragment,
            "ot.packet.first": rows.first_packet,
            "ot.packet.last": rows.last_packet,
        }

    def _identities(self, rows: Any, columns: dict[str, Any]) -> list[str]:
        """hash(observer, window, key, fragment); a row of its own adds its time, port and ordinal. Names, not numbers: tables differ between runs."""
        key = (
            "source.ip", "source.mac", "destination.ip", "destination.mac", "destination.port", "network.transport", "network.protocol", "network.vlan.id",
            "ot.code", "ot.effect", "ot.unit", "ot.object.space", "ot.object.first", "ot.object.last", "event.outcome", "ot.error",
        )  # fmt: skip
        own = rows.ordinal > 0
        columns = columns | {"destination.port": self._conversations.port[rows.conversation]}  # the port that serves, whoever spoke
        parts = [
            *(_plain(columns[name]) for name in key),
            rows.anomaly.tolist(),
            (np.where(rows.kind == OWN, GROUPED, rows.kind) + 16 * rows.report).tolist(),
            rows.window.tolist(),
            rows.fragment.tolist(),
            np.where(own, rows.start, 0).tolist(),
            np.where(own, rows.port, 0).tolist(),
            rows.ordinal.tolist(),
        ]
        tunnels = zip(_plain(columns["network.tunnel.type"]), _plain(columns["network.tunnel.id"]), strict=True)  # part of the key where there is one
        return [_identity(self._origin, *row, *(tunnel if tunnel[0] else ())) for row, tunnel in zip(zip(*parts, strict=True), tunnels, strict=True)]

    def points(self, rows: Any) -> pa.Table:
        """Released point rows."""
        count = len(rows)
        columns: dict[str, Any] = {
            "@timestamp": rows.start, "event.start": rows.start, "event.end": rows.end,
            "observer.name": [self.observer] * count, "observer.site": [self.site] * count,
            "destination.ip": _named(rows.host, self.host),
            "network.protocol": _named(rows.protocol, lambda number: protocols()[number].name),
            "ot.unit": _present(rows.unit),
            "ot.object.space": _named_pairs(rows.protocol, rows.space, space_name),
            "ot.object.first": rows.address,
            "ot.point.min": rows.low, "ot.point.max": rows.high, "ot.point.first": rows.initial, "ot.point.last": rows.final,
            "ot.point.changes": rows.changes, "ot.point.count": rows["count"], "ot.fragment": rows.fragment,
        }  # fmt: skip
        key = ("destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.first", "ot.fragment")
        parts = [*(_plain(columns[name]) for name in key), rows.window.tolist()]
        columns["id"] = [_identity(self._origin, "point", *row) for row in zip(*parts, strict=True)]
        return arrow_table(POINT, columns, count)


def space_name(protocol: int, space: int) -> str | None:
    """Name of an address space of a protocol."""
    names = protocols()[protocol].spaces
    return names[space] if 0 <= space < len(names) else None


def _identity(*parts: object) -> str:
    return hashlib.blake2b("\x1f".join("" if part is None else str(part) for part in parts).encode(), digest_size=10).hexdigest()


def _plain(column: Any) -> list[Any]:
    for convert in ("to_pylist", "tolist"):
        if hasattr(column, convert):
            return getattr(column, convert)()
    return column


def _present(numbers: Any) -> Any:
    """Numbers as they are, absent where negative."""
    return _array(np.asarray(numbers), mask=np.asarray(numbers) < 0)


def _spread(values: Sequence[Any], place: Any, kind: Any = None) -> Any:
    return _array(values, kind).take(_array(place))


def _named(numbers: Any, name: Callable[[int], Any]) -> Any:
    """A name for each number, asked once for each distinct one."""
    distinct, place = np.unique(np.asarray(numbers), return_inverse=True)
    return _spread([name(int(number)) for number in distinct], place)


def _named_pairs(first: Any, second: Any, name: Callable[[int, int], Any], kind: Any = None) -> Any:
    """A name for each pair of numbers, asked once for each distinct one."""
    pairs = np.rec.fromarrays([np.asarray(first), np.asarray(second)])
    distinct, place = np.unique(pairs, return_inverse=True)
    return _spread([name(int(a), int(b)) for a, b in distinct.tolist()], place, kind or pa.string())
