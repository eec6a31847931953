"""Conversations by their two directions, a window at a time: is one of them missing, do they carry different VLANs?"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.flows import GONE
from sensors.engine.interfaces import turn
from sensors.engine.network import TCP
from sensors.engine.octets import borrow, entry, inline, kernel

ENOUGH: Final = 3  # packets with payload in one direction: the other one would have acknowledged them
PAIRS: Final = 64  # of VLANs that are told one by one


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


@kernel
def _judge(flow: Any, other: Any, streams: Any, pairs: Any) -> None:
    """A conversation both of whose directions are known; `flow` spoke in this window."""
    if flow.transport == TCP and max(flow.spoken, other.spoken) >= ENOUGH:
        streams.talks += 1
        streams.requests_only += 1 if other.packets == 0 and _asks(flow) else 0
        streams.answers_only += 1 if other.packets == 0 and not _asks(flow) else 0
    if other.packets and flow.vlan != other.vlan and flow.copied == 0 and other.copied == 0:
        streams.split_vlans += 1
        there, back = (flow.vlan, other.vlan) if _asks(flow) else (other.vlan, flow.vlan)
        _split(there, back, streams.place, pairs)


@kernel
def _judge_alone(flow: Any, streams: Any) -> None:
    """A direction of which the other one was never seen."""
    if flow.transport == TCP and flow.spoken >= ENOUGH:
        streams.talks += 1
        streams.requests_only += 1 if _asks(flow) else 0
        streams.answers_only += 0 if _asks(flow) else 1


@entry
def settle_sides(numbers: Any, flows: Any, streams_table: Any, counters: Any, aside: Any, pairs: Any) -> None:
    """These flows say nothing more in this window."""
    numbers, flows, streams_table, pairs = borrow(numbers), borrow(flows), borrow(streams_table), borrow(pairs)
    counters, aside = borrow(counters), borrow(aside)
    streams = streams_table[0]
    home = streams.place
    for k in range(len(numbers)):
        flow = flows[numbers[k]]
        if flow.used == 0 or flow.packets == 0:
            continue
        turn(flow.interface, streams, counters, aside)
        if flow.peer >= 0:
            other = flows[flow.peer]
            _judge(flow, other, streams, pairs)
            other.packets = other.spoken = other.copied = 0
        elif flow.peer != GONE:
            _judge_alone(flow, streams)
        flow.packets = flow.spoken = flow.copied = 0
    turn(home, streams, counters, aside)
