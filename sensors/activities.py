"""Rows that the engine released to Arrow tables with names: activities and points. Python objects are made only here, for what a person may look at."""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from records.effects import EFFECTS
from records.facts import CUT_OFF, asset_id
from records.schema import ACTIVITY, POINT, arrow_table
from sensors.engine.distinct import distinct
from sensors.engine.flows import NO_TRANSPORT
from sensors.engine.grouping import ANSWERS, ASKS, ENGINEERS
from sensors.engine.identity import DIGITS, WORDS, hash_rows, name_words
from sensors.engine.network import LINK
from sensors.engine.pairing import code_table
from sensors.engine.tables import ENGINE_ANOMALIES, GROUPED, OWN, PROTOCOL_BITS, SECOND, TUNNELS, code_path
from sensors.protocol import Protocol, protocols
from sensors.statements import is_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sensors.origin import Origin

OUTCOMES: Final = ("unknown", "success", "failure")
TRANSPORTS: Final = {1: "icmp", 6: "tcp", 17: "udp", NO_TRANSPORT: None}


def address_text(host: Any) -> str:
    """An address as people write it."""
    if host.family == LINK:
        return mac_text(int(host.d)) or ""
    if host.family == 4:
        return str(ipaddress.IPv4Address(int(host.d)))
    return str(ipaddress.IPv6Address(int(host.a) << 96 | int(host.b) << 64 | int(host.c) << 32 | int(host.d)))


@lru_cache(maxsize=1 << 16)
def mac_text(mac: int) -> str | None:
    """A MAC address as people write it, or None."""
    return None if mac < 0 else ":".join(f"{mac >> shift & 255:02x}" for shift in range(40, -8, -8))


def role_text(role: int) -> str | None:
    """What a host was seen doing: it answers, it programs or tries out, or it asks."""
    return "controller" if role & ANSWERS else "engineering" if role & ENGINEERS else "client" if role & ASKS else None


def anomaly_names(protocol: Protocol, bits: int) -> list[str]:
    """The anomalies of an operation, by name."""
    names = [name for bit, name in enumerate(protocol.anomalies) if bits >> bit & 1]
    return names + [name for bit, name in enumerate(ENGINE_ANOMALIES) if bits >> (PROTOCOL_BITS + bit) & 1]


def error_name(protocol: Protocol, error: int) -> str | None:
    """The error that a device answered, by name."""
    return None if error < 0 else protocol.errors.get(error) or protocol.unnamed(error)


def action_name(code: int, function: int) -> str:
    """The operation's name in its protocol; an unknown code renders as its number."""
    if function >= 0:
        return FUNCTION_NAMES[function]
    return "function_" + code_path(code).replace("/", "_") if code else "malformed"


ACTIVITY_TAG, POINT_TAG = 1, 2  # so that no activity has the identity of a point
_array: Any = pa.array  # its types are unfinished
FUNCTION_NAMES: Final = [name for _, name in code_table()[2]]


class Talk(NamedTuple):
    """A conversation, as plain numbers: a row of the engine's table costs a microsecond each time one of its fields is asked for."""

    source: int
    target: int
    source_mac: int
    target_mac: int
    port: int
    transport: int
    protocol: int
    vlan: int
    tunnel: int
    tunnel_id: int


def talks_of(conversations: Any, numbers: Any) -> list[Talk]:
    """The conversations with these numbers."""
    rows = conversations[numbers]
    return list(map(Talk, *(rows[name].tolist() for name in Talk._fields)))


class Naming:
    """Numbers of one engine to names; hosts and conversations are named once, when they first appear."""

    def __init__(self, origin: Origin, hosts: Any, conversations: Any, names: Any, arena: Any) -> None:
        self._origin = origin
        self._names, self._arena = names, arena
        self._hosts, self._conversations = hosts, conversations
        self.addresses: list[str] = []
        self.assets: list[str | None] = []
        self._ips: list[str | None] = []

    def host(self, number: int) -> str:
        """Address of a host number. An address of many hosts, or of none, is no asset."""
        if number >= len(self.addresses):
            more = number + 1 - len(self.addresses)
            self.addresses += [""] * more
            self.assets += [None] * more
            self._ips += [None] * more
        if not self.addresses[number]:
            host = self._hosts[number]
            text = address_text(host)
            self.addresses[number], self._ips[number] = text, None if host.family == LINK else text
            self.assets[number] = None if is_group(text) else asset_id(self._origin.site, text)
        return self.addresses[number]

    def ip(self, number: int) -> str | None:
        """IP address of a host number; None of who is known by a MAC address alone."""
        self.host(number)
        return self._ips[number]

    def forget(self, gone: Any) -> None:
        """These host numbers get other addresses."""
        for number in gone[gone < len(self.addresses)].tolist():
            self.addresses[number] = ""

    def activities(self, rows: Any) -> pa.Table:
        """Released groups as activities."""
        talks, place = self._talks(rows)
        columns = self._conversation_columns(rows, talks, place) | self._operation_columns(rows) | self._counted_columns(rows)
        columns["id"] = self._activity_identities(rows, talks, place)
        return arrow_table(ACTIVITY, columns, len(rows))

    def _talks(self, rows: Any) -> tuple[list[tuple[Talk, bool]], Any]:
        """The conversations of these rows, each with whether it is turned round (reports: the one who was to be asked spoke), and which one each row has."""
        wanted, place = distinct(rows.conversation, rows.report)
        numbers, reports = wanted.T
        return list(zip(talks_of(self._conversations, numbers), (reports == 1).tolist(), strict=True)), place

    def _conversation_columns(self, rows: Any, talks: list[tuple[Talk, bool]], place: Any) -> dict[str, Any]:
        own = rows.ordinal > 0
        ends = [((talk.source, talk.source_mac), (talk.target, talk.target_mac)) for talk, _ in talks]
        ends = [tuple(reversed(pair)) if turned else pair for pair, (_, turned) in zip(ends, talks, strict=True)]
        source, target = [one[0] for one, _ in ends], [other[0] for _, other in ends]
        named: dict[str, list[Any]] = {
            "source.ip": [self.ip(number) for number in source],
            "destination.ip": [self.ip(number) for number in target],
            "source.mac": [mac_text(one[1]) for one, _ in ends],
            "destination.mac": [mac_text(other[1]) for _, other in ends],
            "network.transport": [TRANSPORTS.get(talk.transport, str(talk.transport)) for talk, _ in talks],
            "network.protocol": [protocols()[talk.protocol].name for talk, _ in talks],
            "network.vlan.id": [None if talk.vlan < 0 else talk.vlan for talk, _ in talks],
            "network.tunnel.type": [TUNNELS[talk.tunnel] or None for talk, _ in talks],
            "network.tunnel.id": [None if talk.tunnel_id < 0 else talk.tunnel_id for talk, _ in talks],
            "source.asset.id": [self.assets[number] for number in source],
            "destination.asset.id": [self.assets[number] for number in target],
            "source.asset.name": [self.addresses[number] for number in source],
            "destination.asset.name": [self.addresses[number] for number in target],
        }
        columns: dict[str, Any] = {
            name: _spread(values, place, None if "vlan" in name or "tunnel.id" in name else pa.string()) for name, values in named.items()
        }
        report = rows.report == 1
        served = np.array([talk.port if talk.transport != NO_TRANSPORT else -1 for talk, _ in talks], np.int64)[place]
        asked_from = np.where(own, rows.port, -1)
        columns["source.port"] = _present(np.where(report, served, asked_from))
        columns["destination.port"] = _present(np.where(report, asked_from, served))
        columns["source.asset.role"] = _named(np.where(report, rows.target_role, rows.source_role), role_text)
        columns["destination.asset.role"] = _named(np.where(report, rows.source_role, rows.target_role), role_text)
        return columns | self._observer_columns(len(rows))

    def _observer_columns(self, count: int) -> dict[str, Any]:
        return {"observer.name": pa.repeat(self._origin.observer, count), "observer.site": pa.repeat(pa.scalar(self._origin.site, pa.string()), count)}

    def _operation_columns(self, rows: Any) -> dict[str, Any]:
        protocol = self._conversations.protocol[rows.conversation]
        return {
            "event.action": _named_pairs(rows.code, rows.function, action_name),
            "event.outcome": _named(rows.outcome, OUTCOMES.__getitem__),
            "ot.effect": _named(rows.effect, lambda effect: EFFECTS[effect].name),
            "ot.access": _named(rows.effect, lambda effect: EFFECTS[effect].access),
            "ot.code": _named(rows.code, code_path),
            "ot.unit": _present(rows.unit),
            "ot.object.space": _spread(_space_names(), _space_number(protocol, rows.space)),
            "ot.object.name": self._object_names(protocol, rows.space, rows.name, rows.first, rows.last),
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

    def _activity_identities(self, rows: Any, talks: list[tuple[Talk, bool]], place: Any) -> Any:
        """hash(observer, window, key, fragment); a row of its own adds its time, port and ordinal. Names, not numbers: tables differ between runs."""
        own = rows.ordinal > 0
        words = np.zeros((len(rows), WORDS), np.int64)
        words[:, 0:2] = np.array([self._talk_words(talk) for talk, _ in talks], np.int64).reshape(-1, 2)[place]
        words[:, 2] = rows.outcome | np.where(rows.kind == OWN, GROUPED, rows.kind) << 8 | rows.report << 16 | ACTIVITY_TAG << 24
        words[:, 3] = _effect_words()[rows.effect]
        words[:, 4] = _space_words()[_space_number(self._conversations.protocol[rows.conversation], rows.space)] ^ self._name_words(rows.name)
        words[:, 5], words[:, 6], words[:, 7], words[:, 8] = rows.code, rows.unit, rows["first"], rows["last"]
        words[:, 9], words[:, 10], words[:, 11], words[:, 12] = rows.error, rows.anomaly, rows.window, rows.fragment
        words[:, 13] = np.where(own, rows.start, 0)
        words[:, 14] = np.where(own, rows.port, 0)
        words[:, 15] = rows.ordinal
        return _identities(words)

    def _talk_words(self, talk: Talk) -> tuple[int, int]:
        ends = (self.host(talk.source), talk.source_mac, self.host(talk.target), talk.target_mac)
        tunnel = (TUNNELS[talk.tunnel], talk.tunnel_id) if talk.tunnel else ()
        return name_words(self._origin.salt, *ends, talk.port, talk.transport, protocols()[talk.protocol].name, talk.vlan, *tunnel)

    def object_name(self, protocol: int, space: int, name: int, first: int, last: int) -> str | None:
        """What the object is called: by wire, or as engineers write it."""
        if name >= 0:
            spelled = protocols()[protocol].spelled
            return (spelled(self._octets(name)) + self._end(name)) if spelled else self._name(name)
        return _label(protocol, space, first, last) if space >= 0 and first >= 0 else None

    def _octets(self, number: int) -> bytes:
        at, octets = int(self._names[number].at), int(self._names[number].octets)
        return bytes(self._arena[at : at + octets])

    def _name(self, number: int) -> str:
        end = self._end(number)
        told = self._octets(number).decode("utf-8", "replace")
        return told.rstrip("\ufffd") + end if end else told

    def _end(self, number: int) -> str:
        """What stands behind a name that was cut, so that nobody takes it for the whole."""
        return CUT_OFF if self._names[number].cut else ""

    def _name_words(self, names: Any) -> Any:
        """What stands for names in identities."""
        if not (names >= 0).any():
            return 0
        wanted, place = distinct(names)
        return np.array([name_words(self._name(number))[0] if number >= 0 else 0 for (number,) in wanted.tolist()], np.int64)[place]

    def _object_names(self, protocol: Any, space: Any, name: Any, first: Any, last: Any) -> Any:
        """Of each row; asked once for each distinct object."""
        asked = (name >= 0) | (_labelled()[protocol] & (space >= 0) & (first >= 0))
        if not asked.any():
            return pa.nulls(len(name), pa.string())
        wanted, place = distinct(protocol, *(np.where(asked, column, -1) for column in (space, name, first, last)))
        return _spread([self.object_name(*one) for one in wanted.tolist()], place, pa.string())

    def points(self, rows: Any) -> pa.Table:
        """Released point rows."""
        wanted, place = distinct(rows.host)
        addresses = [self.host(number) for (number,) in wanted.tolist()]
        space = _space_number(rows.protocol, rows.space)
        columns: dict[str, Any] = {
            "@timestamp": rows.start, "event.start": rows.start, "event.end": rows.end,
            "destination.ip": _spread([self.ip(number) for (number,) in wanted.tolist()], place, pa.string()),
            "network.protocol": _spread([protocol.name for protocol in protocols()], rows.protocol),
            "ot.unit": _present(rows.unit),
            "ot.object.space": _spread(_space_names(), space),
            "ot.object.name": self._object_names(rows.protocol, rows.space, rows.name, rows.address, rows.address),
            "ot.object.first": rows.address,
            "ot.point.min": rows.low, "ot.point.max": rows.high, "ot.point.first": rows.initial, "ot.point.last": rows.final,
            "ot.point.changes": rows.changes, "ot.point.count": rows["count"], "ot.fragment": rows.fragment,
            "ot.point.quality": _named_pairs(space, rows.quality, lambda space, bits: quality_names(*_spaces()[space], bits), pa.list_(pa.string())),
            "ot.point.time": pa.array(rows.stamp, mask=rows.stamp < 0),
        }  # fmt: skip
        words = np.zeros((len(rows), WORDS), np.int64)
        words[:, 0:2] = np.array([name_words(self._origin.salt, address) for address in addresses], np.int64).reshape(-1, 2)[place]
        words[:, 2] = POINT_TAG << 24
        words[:, 3] = _space_words()[space] ^ self._name_words(rows.name)
        words[:, 4], words[:, 5], words[:, 6], words[:, 7] = rows.unit, rows.address, rows.window, rows.fragment
        columns["id"] = _identities(words)
        return arrow_table(POINT, columns | self._observer_columns(len(rows)), len(rows))


def _identities(words: Any) -> Any:
    """The identities of rows of words, as text."""
    text = np.empty((len(words), DIGITS), np.uint8)
    hash_rows(words, text)
    buffer: Any = pa.py_buffer
    return pa.StringArray.from_buffers(len(words), buffer(np.arange(len(words) + 1, dtype=np.int32) * DIGITS), buffer(text))


@cache
def _effect_words() -> Any:
    return np.array([name_words(effect.name)[0] for effect in EFFECTS], np.int64)


@lru_cache(maxsize=1 << 14)
def _label(protocol: int, space: int, first: int, last: int) -> str | None:
    """An object without a name of its own, as engineers write it."""
    label = protocols()[protocol].label
    return label(space_name(protocol, space) or "", first, last) if label else None


@cache
def _labelled() -> Any:
    """Whose objects have labels."""
    return np.array([protocol.label is not None for protocol in protocols()] or [False])


def quality_names(protocol: Protocol | None, space: str | None, bits: int) -> list[str] | None:
    """What is told of a value, by name; None where nothing is."""
    if bits < 0 or protocol is None:
        return None
    return [name for bit, name in enumerate(protocol.qualities.get(space or "", ())) if name and bits >> bit & 1]


@cache
def _spaces() -> list[tuple[Protocol, str | None]]:
    """(protocol, space) by `_space_number`."""
    return [(protocol, space_name(number, space)) for number, protocol in enumerate(protocols()) for space in range(-1, _most_spaces() - 1)]


@cache
def _most_spaces() -> int:
    """The largest number of spaces that a protocol has, and one for none."""
    return 1 + max((len(protocol.spaces) for protocol in protocols()), default=0)


@cache
def _space_names() -> list[str | None]:
    """Names of address spaces by `_space_number`."""
    return [space_name(protocol, space) for protocol in range(len(protocols())) for space in range(-1, _most_spaces() - 1)]


@cache
def _space_words() -> Any:
    """What stands for a protocol and its space in identities, by `_space_number`."""
    names = [protocol.name for protocol in protocols() for _ in range(_most_spaces())]
    return np.array([name_words(protocol, space)[0] for protocol, space in zip(names, _space_names(), strict=True)], np.int64)


def _space_number(protocol: Any, space: Any) -> Any:
    return protocol * _most_spaces() + space + 1


def space_name(protocol: int, space: int) -> str | None:
    """Name of an address space of a protocol."""
    names = protocols()[protocol].spaces
    return names[space] if 0 <= space < len(names) else None


def _present(numbers: Any) -> Any:
    """Numbers as they are, absent where negative."""
    return _array(np.asarray(numbers), mask=np.asarray(numbers) < 0)


def _spread(values: Sequence[Any], place: Any, kind: Any = None) -> Any:
    return _array(values, kind).take(_array(place))


def _named(numbers: Any, name: Callable[[int], Any]) -> Any:
    """A name for each number, asked once for each distinct one."""
    wanted, place = distinct(numbers)
    return _spread([name(number) for (number,) in wanted.tolist()], place)


def _named_pairs(first: Any, second: Any, name: Callable[[int, int], Any], kind: Any = None) -> Any:
    """A name for each pair of numbers, asked once for each distinct one."""
    wanted, place = distinct(first, second)
    return _spread([name(one, other) for one, other in wanted.tolist()], place, kind or pa.string())
