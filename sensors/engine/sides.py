"""Conversations by their two directions, a window at a time: is one of them missing, do they carry different VLANs?

TCP tells: who acknowledges what nobody saw had it from a side that was not captured, however short the connection, and says how much that was. A datagram
is not acknowledged: it has to be one of several in the same conversation, which for short ones is that of two hosts about one port of the server.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sensors.engine.flows import NEVER
from sensors.engine.interfaces import turn
from sensors.engine.network import TCP, UDP
from sensors.engine.octets import borrow, entry, inline, kernel, mix
from sensors.engine.tables import HALF, REPEAT, SECOND, SIDES, VLANS, table

ENOUGH: Final = 3  # packets with payload in one direction: the other one would have acknowledged, or answered, them
PAIRS: Final = 64  # of VLANs, of interfaces and framings, and of servers, that are told one by one
GROUPS: Final = 1 << 12  # ends that asked a group lately, by their number: what answers them is no half of a conversation
REPEATS: Final = 1 << 12  # hosts that said little to each other lately
LATELY: Final = 10  # windows: what was longer ago is not the same polling
ANSWER: Final = 2 * SECOND  # that an answer may take
NOBODY: Final = -1


def side_tables() -> tuple[Any, Any, Any, Any, Any]:
    """(pairs of VLANs, datagram conversations by interface and framing, servers of which one direction is missing, short conversations of datagrams,
    ends that asked a group)."""
    repeats = table(REPEATS, REPEAT)
    repeats.told[:] = NOBODY
    return table(PAIRS, VLANS), table(PAIRS, SIDES), table(PAIRS, HALF), repeats, np.full(GROUPS, NOBODY, np.int64)


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
def _is_group(flow: Any) -> bool:
    return bool(flow.target_mac > 0 and flow.target_mac >> 40 & 1)


@inline
def _end(host: int, port: int) -> int:
    return host << 16 | port & 0xFFFF


@kernel
def _tell_half(flow: Any, framing: int, place: int, halves: Any, hosts: Any) -> None:
    """One more conversation of which only this direction was seen, by its server."""
    asks = _asks(flow)
    host = hosts[flow.target if asks else flow.source]
    for number in range(len(halves)):
        row = halves[number]
        if row.requests_only + row.answers_only == 0:
            row.framing, row.place = framing, place
            row.family, row.a, row.b, row.c, row.d = host.family, host.a, host.b, host.c, host.d
        same = row.framing == framing and row.place == place and row.family == host.family
        if same and row.a == host.a and row.b == host.b and row.c == host.c and row.d == host.d:
            row.requests_only += 1 if asks else 0
            row.answers_only += 0 if asks else 1
            return


@kernel
def _repeat(flow: Any, repeats: Any) -> int:
    """The row of what is known of the short conversations of these hosts about this port of the server."""
    key = mix(flow.source << 24 ^ flow.target, flow.target_port) if _asks(flow) else mix(flow.target << 24 ^ flow.source, flow.source_port)
    row = repeats[key & REPEATS - 1]
    if row.key != key:
        row.key, row.datagrams, row.octets, row.seen, row.told = key, 0, 0, 0, NOBODY
    return int(key & REPEATS - 1)


@kernel
def _count_datagrams(flow: Any, alone: bool, octets: int, talks: int, place: int, sides: Any, halves: Any, hosts: Any) -> None:
    """A conversation (`talks`; 0: more of one that was counted) of datagrams of a protocol that is known; `alone`: with this direction only."""
    asks = _asks(flow)
    for number in range(len(sides)):
        row = sides[number]
        if row.talks == 0:
            row.framing, row.place = flow.framing, place
        if row.framing == flow.framing and row.place == place:
            row.talks += talks
            row.requests_only += talks if alone and asks else 0
            row.answers_only += talks if alone and not asks else 0
            row.requested += octets if alone and asks else 0
            row.answered += octets if alone and not asks else 0
            break
    if alone and talks > 0:
        _tell_half(flow, flow.framing, place, halves, hosts)


@kernel
def _judge_datagrams(flow: Any, spoken: int, alone: bool, streams: Any, sides: Any, halves: Any, repeats: Any, groups: Any, hosts: Any) -> None:
    """Datagrams that went this way, or with `alone` false both ways, in this window: `spoken` of them the one that has more."""
    if flow.framing < 0 or _is_group(flow):
        return
    asker = _end(flow.target, flow.target_port)
    if alone and not _asks(flow) and groups[asker % GROUPS] == asker:
        return
    octets, talks = flow.said, 1
    if spoken < ENOUGH:
        row = repeats[_repeat(flow, repeats)]
        if not alone or streams.window - row.seen > LATELY:
            row.datagrams = row.octets = 0
        if alone:
            row.datagrams += spoken
            row.octets += octets
        row.seen = streams.window
        if alone and row.datagrams < ENOUGH:
            return
        talks = 0 if row.told == streams.window else 1
        row.told, octets, row.octets = streams.window, row.octets, 0
    _count_datagrams(flow, alone, octets, talks, streams.place, sides, halves, hosts)


@kernel
def _judge(flow: Any, other: Any, streams: Any, pairs: Any, sides: Any, halves: Any, repeats: Any, groups: Any, hosts: Any) -> None:
    """A conversation both of whose directions are known; `flow` spoke in this window."""
    spoken = max(flow.spoken, other.spoken)
    alone = other.packets == 0
    if flow.transport == UDP and (spoken >= ENOUGH or (flow.spoken > 0 and other.spoken > 0)):
        _judge_datagrams(flow, spoken, alone, streams, sides, halves, repeats, groups, hosts)
    if flow.transport == TCP:
        _judge_stream(flow, spoken, alone, streams, halves, hosts)
    if other.packets and flow.vlan != other.vlan and flow.copied == 0 and other.copied == 0:
        streams.split_vlans += 1
        there, back = (flow.vlan, other.vlan) if _asks(flow) else (other.vlan, flow.vlan)
        _split(there, back, streams.place, pairs)


@kernel
def _judge_stream(flow: Any, spoken: int, alone: bool, streams: Any, halves: Any, hosts: Any) -> None:
    """A connection that spoke in this window, with `alone` in this direction only. A FIN that was acknowledged is no octet."""
    unheard = flow.unheard - (1 if flow.ended else 0)
    if spoken < ENOUGH and (spoken == 0 or (alone and flow.vouched == 0)) and (unheard <= 0 or not alone):
        return
    streams.talks += 1
    if not alone:
        return
    if unheard > 0:
        streams.lost += unheard
        streams.gaps += 1
    streams.requests_only += 1 if _asks(flow) else 0
    streams.answers_only += 0 if _asks(flow) else 1
    _tell_half(flow, NOBODY, streams.place, halves, hosts)


@kernel
def _judge_alone(flow: Any, streams: Any, sides: Any, halves: Any, repeats: Any, groups: Any, hosts: Any) -> None:
    """A direction of which the other one was never seen."""
    if flow.transport == UDP and flow.spoken > 0:
        _judge_datagrams(flow, flow.spoken, True, streams, sides, halves, repeats, groups, hosts)
    if flow.transport == TCP:
        _judge_stream(flow, flow.spoken, True, streams, halves, hosts)


@entry
def settle_sides(
    numbers: Any, until: int, flows: Any, streams_table: Any, counters: Any, aside: Any, pairs: Any, sides: Any, halves: Any, repeats: Any, groups: Any,
    hosts: Any,
) -> None:  # fmt: skip
    """These flows say nothing more in this window. What a few datagrams said after `until` may be answered yet, and a connection that began then used yet:
    that counts for the next window.
    """
    numbers, flows, streams_table, pairs, hosts = borrow(numbers), borrow(flows), borrow(streams_table), borrow(pairs), borrow(hosts)
    counters, aside, sides, halves, repeats, groups = borrow(counters), borrow(aside), borrow(sides), borrow(halves), borrow(repeats), borrow(groups)
    streams = streams_table[0]
    home = streams.place
    for k in range(len(numbers)):
        flow = flows[numbers[k]]
        if flow.used and flow.transport == UDP and flow.packets > 0 and _is_group(flow):
            end = _end(flow.source, flow.source_port)
            groups[end % GROUPS] = end
    for answered in (True, False):  # who answers some is not told by those that it does not
        for k in range(len(numbers)):
            flow = flows[numbers[k]]
            known = flow.peer >= 0
            if flow.used == 0 or flow.packets == 0 or known != answered:
                continue
            if flow.peer == NEVER and flow.transport == UDP and flow.spoken < ENOUGH and flow.last > until:
                continue
            other = flows[flow.peer if known else numbers[k]]
            if flow.transport == TCP and _is_silent(flow) and _is_silent(other) and max(flow.last, other.last) > until:
                continue
            turn(flow.interface, streams, counters, aside)
            streams.namesakes += 1 if flow.namesake or other.namesake else 0
            if known:
                _judge(flow, other, streams, pairs, sides, halves, repeats, groups, hosts)
                _clear(other)
            elif flow.peer == NEVER:
                _judge_alone(flow, streams, sides, halves, repeats, groups, hosts)
            _clear(flow)
    turn(home, streams, counters, aside)


@inline
def _is_silent(flow: Any) -> bool:
    """Has this side of a connection said nothing yet, and not ended it?"""
    return bool(flow.payloads == 0 and flow.ended == 0)


@inline
def _clear(flow: Any) -> None:
    flow.packets = flow.spoken = flow.copied = flow.said = flow.unheard = 0
