"""Conversations by their two directions, a window at a time: is one of them missing, do they carry different VLANs?"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.flows import GONE
from sensors.engine.interfaces import turn
from sensors.engine.network import TCP, UDP
from sensors.engine.octets import borrow, entry, inline, kernel
from sensors.engine.tables import SIDES, VLANS, table

ENOUGH: Final = 3  # packets with payload in one direction: the other one would have acknowledged them
PAIRS: Final = 64  # of VLANs, and of interfaces and framings, that are told one by one
GROUPS: Final = 1 << 12  # ends that asked a group lately, by their number: what answers them is no half of a conversation
NOBODY: Final = -1


def side_tables() -> tuple[Any, Any, Any]:
    """(pairs of VLANs, datagram conversations by interface and framing, ends that asked a group)."""
    return table(PAIRS, VLANS), table(PAIRS, SIDES), np.full(GROUPS, NOBODY, np.int64)


@kernel
def _split(there: int, back: int, place: int, pairs: Any) -> None:
    """One more conversation whose requests carry the VLAN `there` and whose answers carry `back`."""
    for number in range(len(pairs)):
        pair = pairs[number]
        if pair.conversations == 0:
            pair.there, pair.back, pair.place = there, back, place
        if pair.there == there and pair.back == back and pair.place == place:
            pair.conversations += 1
            return


@inline
def _asks(flow: Any) -> bool:
    return bool(flow.side == flow.turned)


@inline
def _end(host: int, port: int) -> int:
    return host << 16 | port & 0xFFFF


@kernel
def _count_datagrams(flow: Any, spoken: int, alone: bool, place: int, sides: Any, groups: Any) -> None:
    """A conversation of datagrams of a protocol that is known. Nothing is acknowledged: where one direction is missing, that is all that is known."""
    asker = _end(flow.target, flow.target_port)
    if spoken < ENOUGH or flow.framing < 0 or (flow.target_mac > 0 and flow.target_mac >> 40 & 1):
        return
    asks = _asks(flow)
    if alone and not asks and groups[asker % GROUPS] == asker:
        return
    for number in range(len(sides)):
        row = sides[number]
        if row.talks == 0:
            row.framing, row.place = flow.framing, place
        if row.framing == flow.framing and row.place == place:
            row.talks += 1
            row.requests_only += 1 if alone and asks else 0
            row.answers_only += 1 if alone and not asks else 0
            return


@kernel
def _judge(flow: Any, other: Any, streams: Any, pairs: Any, sides: Any, groups: Any) -> None:
    """A conversation both of whose directions are known; `flow` spoke in this window."""
    if flow.transport == UDP:
        _count_datagrams(flow, max(flow.spoken, other.spoken), other.packets == 0, streams.place, sides, groups)
    if flow.transport == TCP and max(flow.spoken, other.spoken) >= ENOUGH:
        streams.talks += 1
        streams.requests_only += 1 if other.packets == 0 and _asks(flow) else 0
        streams.answers_only += 1 if other.packets == 0 and not _asks(flow) else 0
    if other.packets and flow.vlan != other.vlan and flow.copied == 0 and other.copied == 0:
        streams.split_vlans += 1
        there, back = (flow.vlan, other.vlan) if _asks(flow) else (other.vlan, flow.vlan)
        _split(there, back, streams.place, pairs)


@kernel
def _judge_alone(flow: Any, streams: Any, sides: Any, groups: Any) -> None:
    """A direction of which the other one was never seen."""
    if flow.transport == UDP:
        _count_datagrams(flow, flow.spoken, True, streams.place, sides, groups)
    if flow.transport == TCP and flow.spoken >= ENOUGH:
        streams.talks += 1
        streams.requests_only += 1 if _asks(flow) else 0
        streams.answers_only += 0 if _asks(flow) else 1


@entry
def settle_sides(numbers: Any, flows: Any, streams_table: Any, counters: Any, aside: Any, pairs: Any, sides: Any, groups: Any) -> None:
    """These flows say nothing more in this window."""
    numbers, flows, streams_table, pairs = borrow(numbers), borrow(flows), borrow(streams_table), borrow(pairs)
    counters, aside, sides, groups = borrow(counters), borrow(aside), borrow(sides), borrow(groups)
    streams = streams_table[0]
    home = streams.place
    for k in range(len(numbers)):
        flow = flows[numbers[k]]
        if flow.used and flow.transport == UDP and flow.packets > 0 and flow.target_mac > 0 and flow.target_mac >> 40 & 1:
            end = _end(flow.source, flow.source_port)
            groups[end % GROUPS] = end
    for k in range(len(numbers)):
        flow = flows[numbers[k]]
        if flow.used == 0 or flow.packets == 0:
            continue
        turn(flow.interface, streams, counters, aside)
        streams.namesakes += 1 if flow.namesake or (flow.peer >= 0 and flows[flow.peer].namesake) else 0
        if flow.peer >= 0:
            other = flows[flow.peer]
            _judge(flow, other, streams, pairs, sides, groups)
            other.packets = other.spoken = other.copied = 0
        elif flow.peer != GONE:
            _judge_alone(flow, streams, sides, groups)
        flow.packets = flow.spoken = flow.copied = 0
    turn(home, streams, counters, aside)
