"""Packets to messages: streams in order, framing. Resumable: stops before a packet for which there is no room, so every table is bounded."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.delivery import (
    SLOT_OCTETS,
    abandon,
    count_cut,
    count_undecoded,
    deliver,
    deliver_frame,
    drop_carry,
    free_later,
    settled,
    show_overlap,
    take_slot,
    tear,
    whole_messages,
)
from sensors.engine.flows import GONE, NEAR, NEVER, UNKNOWN, converse, enter_flow, expect_flow, find_flow, new_flow, renew, server_port, signed, unite
from sensors.engine.history import contradicts, remember
from sensors.engine.holes import filled, in_hole, leave_hole, miss
from sensors.engine.interfaces import turn, turn_to
from sensors.engine.link import NO_PORT, note
from sensors.engine.network import TCP
from sensors.engine.octets import borrow, copy, entry, fill, inline, kernel, same_octets
from sensors.engine.tables import ASIDE, HAD, LATENESS, MIRRORED, OVERLAP, OVERLAPPED, SECOND, WINDOW
from sensors.protocol import BY_LENGTH

MAX_WAITING: Final = 32  # segments out of order that one direction may hold
IDLE: Final = 300 * SECOND  # a flow that was silent so long is over
NUMBERED: Final = 256  # datagrams to others that a host may send between two to one
PACED: Final = 8  # datagrams that tell at which pace they come …
SLOWER: Final = 4  # … and how many times as long a pause is that is none of theirs
PAUSE: Final = 2 * WINDOW  # so long says nothing of one direction; of all at once it is told whether the clock stepped meanwhile
ANSWERED: Final = 28  # where the ACK flag of a beginning that nobody confirmed is kept, above its sequence number
FAR: Final = 1 << 20  # a hole larger than this is a new beginning
LOOKED: Final = 64  # messages of one side without any that acts, after which it is believed only to look
FIN_OR_RST: Final = 5
HANDSHAKE: Final = 7  # FIN, SYN, RST
LARGEST_ROOM: Final = (2 * MAX_WAITING + 1) * SLOT_OCTETS // 4 + 4  # messages that waiting segments may become

AHEAD: Final = 4  # packets whose flows are brought near before their turn
ENDING: Final = -1

# why `follow` stopped
NO_ROOM: Final = 0
FULL_FLOWS: Final = -1
FULL_CONVERSATIONS: Final = -2
FULL_SLOTS: Final = -3
LATE: Final = -4


@entry
def free_slots(slots: Any, streams_table: Any) -> None:
    """The messages of the last call are dissected: their slots are free again."""
    slots, streams_table = borrow(slots), borrow(streams_table)
    streams = streams_table[0]
    while streams.done_slot >= 0:
        slot = streams.done_slot
        streams.done_slot = slots[slot].after
        slots[slot].after = streams.free_slot
        streams.free_slot = slot
        streams.free_slots += 1
    streams.messages = 0


@inline
def _nearest(flow: Any, slots: Any) -> int:
    """How far ahead the first of the waiting segments is."""
    distance = 1 << 40
    slot = flow.waiting
    while slot >= 0:
        distance = min(distance, signed(slots[slot].sequence - flow.expected))
        slot = slots[slot].after
    return distance


@inline
def _take_waiting(flow: Any, distance: int, slots: Any) -> int:
    """Take the segment that is so far ahead out of the list; of several the one that came first."""
    before, last, slot, found = -1, -1, flow.waiting, -1
    while slot >= 0:  # the last one of the list came first
        if signed(slots[slot].sequence - flow.expected) == distance:
            before, found = last, slot
        last, slot = slot, slots[slot].after
    if before < 0:
        flow.waiting = slots[found].after
    else:
        slots[before].after = slots[found].after
    flow.waiting_count -= 1
    return int(found)


@inline
def _keep_up(memory: Any, number: int, flow: Any, at: int, end: int, histories: Any, place: int) -> None:
    """These octets are delivered: the next ones are expected, and these remembered where it is known what they are."""
    if flow.framing >= 0 and end > at:
        remember(memory, place, number, flow, flow.expected, at, end, histories)
    flow.expected = (flow.expected + end - at) & 0xFFFFFFFF


@kernel
def _compare(
    memory: Any, packet: Any, number: int, sequence: int, at: int, end: int, flows: Any, framings: Any, messages: Any,
    conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """Octets [at, end) come again. A keep-alive repeats the last octet, whatever it is (RFC 9293, 3.8.4)."""
    flow = flows[number]
    alive = end - at == 1 and sequence == (flow.expected - 1) & 0xFFFFFFFF
    if flow.framing >= 0 and end > at and not alive and contradicts(memory, place, number, flow, sequence, at, end, histories):
        if flow.conversation < 0:  # numbered anew since
            converse(flow, flows, framings, conversations, conversation_index, streams)
        show_overlap(memory, packet, number, at, end, flows, framings, messages, undecoded, streams)


@inline
def _leave_filling(packet: Any, number: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """What is next at the front does not follow what came last into the hole, unless that reached up to here."""
    flow = flows[number]
    if flow.filling:
        flow.filling = 0
        if flow.hole_next == flow.expected:
            return
        tear(packet, number, 0, flows, slots, framings, messages, undecoded, streams)


@kernel
def _drain_waiting(
    memory: Any, packet: Any, number: int, force: bool, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """Deliver waiting segments that are next, of their own time; `force`: the hole before them is lost, go on behind it."""
    flow = flows[number]
    time, own_number, marks = packet.time, packet.number, packet.marks
    while flow.waiting_count > 0:
        distance = _nearest(flow, slots)
        if distance > 0:
            if not force:
                break
            force = False
            tear(packet, number, distance, flows, slots, framings, messages, undecoded, streams)
            leave_hole(packet, flow, flows, flow.expected, (flow.expected + distance) & 0xFFFFFFFF)
            flow.expected = (flow.expected + distance) & 0xFFFFFFFF
            distance = 0
        best = _take_waiting(flow, distance, slots)
        first, fresh = best * SLOT_OCTETS, slots[best].length + distance
        start, end = first - distance, first + slots[best].length
        packet.time, packet.number, packet.marks = slots[best].time, slots[best].packet, slots[best].marks
        _compare(memory, packet, number, slots[best].sequence, first, min(start, end), flows, framings, messages,
                 conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        if fresh > 0:
            _leave_filling(packet, number, flows, slots, framings, messages, undecoded, streams)
            deliver(memory, packet, number, start, end, flows, slots, framings, known, ports,
                     messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
            _keep_up(memory, number, flow, start, end, histories, place)
        packet.time, packet.number, packet.marks = time, own_number, marks
        free_later(best, slots, streams)


@kernel
def _acknowledge(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """The receiver has octets of this direction that this sensor never saw: they are lost."""
    flow = flows[number]
    behind = signed(packet.acknowledge - flow.expected)
    while behind > 0 and flow.waiting_count > 0:
        lost = min(behind, _nearest(flow, slots))
        if lost > 0:
            tear(packet, number, lost, flows, slots, framings, messages, undecoded, streams)
            miss(packet, flow, flow.expected, (flow.expected + lost) & 0xFFFFFFFF)
            flow.expected = (flow.expected + lost) & 0xFFFFFFFF
        _drain_waiting(memory, packet, number, False, flows, slots, framings, known, ports,
                       messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        behind = signed(packet.acknowledge - flow.expected)


@inline
def _waits(memory: Any, packet: Any, flow: Any, sequence: int, slots: Any) -> bool:
    """Does this segment wait already, with these octets?"""
    slot = flow.waiting
    while slot >= 0:
        there = slots[slot].sequence == sequence and slots[slot].length >= packet.length
        if there and same_octets(memory, slot * SLOT_OCTETS, packet.payload, packet.length):
            return True
        slot = slots[slot].after
    return False


@inline
def _count_repeated(packet: Any, streams: Any) -> None:
    """A segment whose octets were there already; copies from mirror ports are counted as that."""
    streams.repeated += 0 if packet.marks & MIRRORED else 1


@inline
def _held(memory: Any, packet: Any, flow: Any, sequence: int, slots: Any, streams: Any) -> bool:
    """Does a segment that is ahead wait now, or did it already? False where it cannot: too long, cut, or too many wait."""
    if _waits(memory, packet, flow, sequence, slots):
        _count_repeated(packet, streams)
        return True
    if packet.length < packet.whole or packet.length > SLOT_OCTETS or flow.waiting_count >= MAX_WAITING:
        return False
    slot = take_slot(slots, streams)
    copy(memory, slot * SLOT_OCTETS, packet.payload, packet.length)
    slots[slot].sequence, slots[slot].length, slots[slot].after = sequence, packet.length, flow.waiting
    slots[slot].time, slots[slot].packet, slots[slot].marks = packet.time, packet.number, packet.marks
    flow.waiting = slot
    flow.waiting_count += 1
    streams.reordered += 1
    return True


@kernel
def _end(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """Nothing more comes in this direction: deliver what waits, show what was begun, count what the receiver has and nobody here saw."""
    while flows[number].waiting_count > 0:
        _drain_waiting(memory, packet, number, True, flows, slots, framings, known, ports,
                       messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    lost = missing(flows[number], flows)
    tear(packet, number, lost, flows, slots, framings, messages, undecoded, streams)
    flows[number].expected = (flows[number].expected + lost) & 0xFFFFFFFF


@inline
def missing(flow: Any, flows: Any) -> int:
    """Octets at the end of a direction that its receiver acknowledged, those that are told among them; without its FIN a single one may be that."""
    if flow.peer < 0 or flow.started == 0 or flows[flow.peer].acknowledged < 0:
        return int(flow.told)
    acknowledged = flows[flow.peer].acknowledged
    if flow.closing >= 0 and signed(acknowledged - flow.closing) > 0:
        acknowledged = flow.closing
    more = signed(acknowledged - flow.expected - flow.told)
    return int(flow.told + more) if (0 if flow.told else 1) < more < FAR else int(flow.told)


@inline
def half_open(flow: Any) -> int:
    """1 where somebody opened a connection and nobody answered."""
    opened = flow.transport == 6 and flow.side == 0 and flow.began >= 0
    return 1 if opened and flow.peer < 0 and flow.acknowledged < 0 and flow.payloads == 0 else 0


@inline
def one_sided(flow: Any) -> int:
    """1 where a protocol was recognised and only one direction was seen. A group does not answer: who does answers from its own address."""
    group = flow.target_mac > 0 and flow.target_mac >> 40 & 1
    return 1 if flow.peer < 0 and flow.peer != GONE and flow.payloads > 0 and flow.framing >= 0 and not group else 0


@kernel
def _begin(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """A handshake: this direction starts anew, and with a new connection so do both."""
    flow = flows[number]
    first = packet.tcp_flags & 16 == 0
    if flow.started:
        _end(memory, packet, number, flows, slots, framings, known, ports,
             messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        if first or (flow.peer >= 0 and flows[flow.peer].expected != packet.acknowledge):
            answer = flows[flow.peer].reborn if flow.peer >= 0 else -1
            if flow.peer >= 0:
                _end(memory, packet, flow.peer, flows, slots, framings, known, ports,
                     messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
            streams.connections += 1
            streams.half_open += half_open(flow)
            renew(flow, streams.connections)
            if flow.peer >= 0:
                renew(flows[flow.peer], streams.connections)
            if answer >= 0:
                peer = flows[flow.peer]
                peer.started, peer.began, peer.expected = 1, answer & 0xFFFFFFFF, answer & 0xFFFFFFFF
    flow.began = flow.expected = (packet.sequence + 1) & 0xFFFFFFFF
    flow.started, flow.ended, flow.torn, flow.closing, flow.reborn = 1, 0, 0, -1, -1
    flow.side, flow.turned, flow.conversation = 0 if first else 1, 0, -1
    flow.first, flow.opened = packet.number, packet.time
    if flow.peer >= 0:
        peer = flows[flow.peer]
        if peer.side == flow.side:  # it was taken for the other side: what it has begun is of the conversation before
            if peer.carry_length > 0:
                tear(packet, flow.peer, 0, flows, slots, framings, messages, undecoded, streams)
            peer.side, peer.turned, peer.conversation = 1 - flow.side, 0, -1
        if not first and peer.started == 0:  # its SYN was not seen
            peer.started, peer.expected = 1, packet.acknowledge


@inline
def _finished(packet: Any, number: int, behind: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """FIN or RST: the ports may be used again; where nothing is missing (`behind` is 0), a message that was begun stays unfinished."""
    flow = flows[number]
    flow.ended = 1
    if packet.tcp_flags & 4 and flow.peer >= 0:
        flows[flow.peer].ended = 1
    if flow.waiting_count == 0 and behind == 0:
        abandon(packet, number, flows, slots, framings, messages, undecoded, streams)
        if packet.tcp_flags & 1:
            flow.expected = (flow.expected + 1) & 0xFFFFFFFF


@kernel
def _fill(
    memory: Any, packet: Any, number: int, sequence: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> bool:  # fmt: skip
    """Octets that were passed over come after all: they are delivered as a piece of their own. False where there are none in this segment."""
    flow = flows[number]
    first, last = in_hole(packet, flow, flows, sequence)
    if first >= last:
        return False
    if first > 0 and contradicts(memory, place, number, flow, sequence, packet.payload, packet.payload + first, histories):
        streams.overlaps += 1
        first = 0  # what was there before may be the forged one
    if flow.filling == 0 or flow.hole_next != (sequence + first) & 0xFFFFFFFF:
        tear(packet, number, 0, flows, slots, framings, messages, undecoded, streams)
    flow.filling = 1
    at, end = packet.payload + first, packet.payload + last
    deliver(memory, packet, number, at, end, flows, slots, framings, known, ports,
            messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    if flow.framing >= 0:
        remember(memory, place, number, flow, (sequence + first) & 0xFFFFFFFF, at, end, histories)
    filled(packet, flow, (sequence + first) & 0xFFFFFFFF, (sequence + last) & 0xFFFFFFFF, streams)
    return True


@kernel
def _decide(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """Somebody began this connection anew while it was used. Do these octets belong to the new one, or was it forged?"""
    flow = flows[number]
    old, new = signed(packet.sequence - flow.expected), signed(packet.sequence - flow.reborn)
    if -NEAR < old < NEAR or not 0 <= new < NEAR:
        return
    sequence, flags = packet.sequence, packet.tcp_flags
    packet.sequence, packet.tcp_flags = (flow.reborn - 1) & 0xFFFFFFFF, 2 | flow.reborn >> ANSWERED & 16
    _begin(memory, packet, number, flows, slots, framings, known, ports,
           messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    packet.sequence, packet.tcp_flags = sequence, flags


@inline
def _of_another(packet: Any, flow: Any, flows: Any) -> bool:
    """Does it acknowledge a beginning that nobody confirmed yet, and not what this connection carries?"""
    if flow.peer < 0 or flows[flow.peer].reborn < 0:
        return False
    old = signed(packet.acknowledge - flows[flow.peer].expected)
    return not -NEAR < old < NEAR


@inline
def _heed(packet: Any, flow: Any, flows: Any) -> None:
    """Take down up to where it has what the other side sent. Where nobody saw that side in this connection, this alone tells that it spoke, and how much."""
    if packet.tcp_flags & 2 == 0 and (flow.peer == NEVER or (flow.peer >= 0 and flows[flow.peer].started == 0)):
        more = signed(packet.acknowledge - flow.acknowledged) if flow.acknowledged >= 0 else 0
        if -FAR < more < 0:
            return
        if 0 < more < FAR:
            flow.unheard += more
        if 0 < more < FAR or (flow.acknowledged < 0 and flow.side == 0 and flow.began >= 0):  # the answer to its SYN counts none
            flow.vouched = 1
    flow.acknowledged = packet.acknowledge


@kernel
def _segment(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """One TCP segment."""
    flow = flows[number]
    sequence, whole, length = packet.sequence, packet.whole, packet.length
    if packet.tcp_flags & 2:
        if flow.started == 0 or flow.ended or flow.began != (sequence + 1) & 0xFFFFFFFF:
            if flow.started and flow.ended == 0 and flow.acknowledged >= 0:
                # its receiver will ask back (RFC 5961, 4), and forgers do not answer
                flow.reborn = (sequence + 1) & 0xFFFFFFFF | (packet.tcp_flags & 16) << ANSWERED
                count_undecoded(whole, flow.transport, server_port(flow), undecoded, streams)
                return
            _begin(memory, packet, number, flows, slots, framings, known, ports,
                   messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        sequence = (sequence + 1) & 0xFFFFFFFF
    if flow.reborn >= 0 and whole > 0:
        _decide(memory, packet, number, flows, slots, framings, known, ports,
                messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    if packet.tcp_flags & 16 and not _of_another(packet, flow, flows):
        _heed(packet, flow, flows)
        if flow.peer >= 0 and flows[flow.peer].waiting_count > 0:
            _acknowledge(memory, packet, flow.peer, flows, slots, framings, known, ports,
                         messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    if flow.started == 0:
        if whole == 0:
            return
        flow.started = flow.torn = 1  # what came before it was not seen
        flow.expected = sequence
    ahead = signed(sequence - flow.expected)
    if packet.tcp_flags & 1 and -NEAR < ahead < NEAR:
        flow.closing = (sequence + whole) & 0xFFFFFFFF
    if whole == 0:
        if packet.tcp_flags & FIN_OR_RST and -NEAR < ahead < NEAR:  # its receiver believes no other (RFC 5961, 3)
            _finished(packet, number, ahead, flows, slots, framings, messages, undecoded, streams)
        return
    if ahead >= FAR or ahead <= -FAR:
        _end(memory, packet, number, flows, slots, framings, known, ports,
             messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        streams.gaps += 1
        flow.expected, flow.told = sequence, 0
        ahead = 0
    while ahead > 0:
        if _held(memory, packet, flow, sequence, slots, streams):
            return
        if flow.waiting_count > 0 and _nearest(flow, slots) < ahead:
            _drain_waiting(memory, packet, number, True, flows, slots, framings, known, ports,
                           messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
            ahead = signed(sequence - flow.expected)
        else:
            tear(packet, number, ahead, flows, slots, framings, messages, undecoded, streams)
            leave_hole(packet, flow, flows, flow.expected, sequence)
            flow.expected = sequence
            ahead = 0
    if ahead < 0 and flow.hole_end >= 0:
        came = _fill(memory, packet, number, sequence, flows, slots, framings, known, ports,
                     messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        if came and ahead + whole <= 0:
            return
    fresh = packet.payload - ahead
    _compare(memory, packet, number, sequence, packet.payload, min(fresh, packet.payload + length), flows, framings, messages,
             conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    if ahead + whole <= 0:
        if whole > 1 or ahead < -1:  # else it keeps the connection alive
            _count_repeated(packet, streams)
        return
    _leave_filling(packet, number, flows, slots, framings, messages, undecoded, streams)
    if length + ahead > 0:
        deliver(memory, packet, number, fresh, packet.payload + length, flows, slots, framings, known, ports,
                 messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
        _keep_up(memory, number, flow, fresh, packet.payload + length, histories, place)
    flow.expected = (sequence + whole) & 0xFFFFFFFF
    missing = whole - max(length, -ahead)
    if missing > 0:
        tear(packet, number, 0, flows, slots, framings, messages, undecoded, streams)
        leave_hole(packet, flow, flows, (flow.expected - missing) & 0xFFFFFFFF, flow.expected)
        count_cut(missing, flow.transport, server_port(flow), flow.framing >= 0, undecoded, streams)
    if flow.waiting_count > 0:
        _drain_waiting(memory, packet, number, False, flows, slots, framings, known, ports,
                       messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    if packet.tcp_flags & FIN_OR_RST:
        _finished(packet, number, 0, flows, slots, framings, messages, undecoded, streams)


@inline
def _was_there(packet: Any, flow: Any, flows: Any) -> bool:
    """Did its receiver acknowledge this segment before it came here?"""
    return flow.peer >= 0 and flows[flow.peer].acknowledged >= 0 and signed(flows[flow.peer].acknowledged - packet.sequence) > 0


@inline
def _follows(packet: Any, flow: Any, flows: Any) -> bool:
    """Is this segment whole and the next one, and does nothing wait in either direction? Nearly every one is: the others take the long way."""
    return (
        packet.sequence == flow.expected
        and packet.length == packet.whole
        and packet.tcp_flags & HANDSHAKE == 0
        and flow.started == 1
        and flow.filling == 0
        and flow.reborn < 0
        and flow.waiting_count == 0
        and (flow.peer < 0 or flows[flow.peer].waiting_count == 0)
    )


@kernel
def _datagram(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any,
) -> None:  # fmt: skip
    """A datagram that the capture cut."""
    flow = flows[number]
    deliver(memory, packet, number, packet.payload, packet.payload + packet.length, flows, slots, framings, known, ports,
             messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    tear(packet, number, 0, flows, slots, framings, messages, undecoded, streams)
    count_cut(packet.whole - packet.length, flow.transport, server_port(flow), flow.framing >= 0, undecoded, streams)


@inline
def _other(packet: Any, undecoded: Any, streams: Any) -> None:
    """What has no ports: other IP protocols, and frames that are not IP, by EtherType."""
    if packet.transport >= 0:  # also of hosts that found no room
        count_undecoded(packet.whole, packet.transport, max(packet.target_port, NO_PORT), undecoded, streams)
    else:
        count_undecoded(packet.whole, -1, packet.ethertype, undecoded, streams)


@inline
def _looks(packet: Any, flow: Any) -> bool:
    """Is it of a conversation that is understood, and in which nobody has acted for long? How that begins and ends is followed all the same."""
    return flow.acts == 0 and flow.framing >= 0 and flow.messages >= LOOKED and (packet.transport != TCP or packet.tcp_flags & HANDSHAKE == 0)


@inline
def _count(packet: Any, streams: Any) -> None:
    streams.packets += 1
    streams.octets += packet.wire
    streams.jumps += packet.jump
    if packet.captured < packet.wire:
        streams.truncated += 1
    if packet.time < packet.clock - LATENESS and (packet.time // WINDOW + 1) * WINDOW <= packet.clock - LATENESS:
        streams.late += 1
        streams.behind += 1
    if packet.transport >= 0 and (packet.source < 0 or packet.target < 0):  # the table of hosts is full
        streams.shed += 1


@inline
def _keep_pace(packet: Any, flow: Any) -> None:
    """One more datagram: how long pauses are, and whether its sender numbers what it sends."""
    pause, step = packet.time - flow.stamp, packet.identification - flow.identification & 0xFFFF
    flow.counts = 1 if 0 < step <= NUMBERED else 0
    flow.pace = max(pause, flow.pace - (flow.pace >> 6))


@kernel
def _resume(packet: Any, flow: Any, streams: Any) -> None:
    """A direction speaks again after a pause, or at a time long before what it said last: does it go on where it was? Datagrams tell it by their numbers,
    where they came at a far higher pace. A pause is told once the clock believes it; until then, whether what was next is missing.
    """
    if packet.transport == TCP:
        known, next_one = flow.started != 0, packet.sequence == flow.expected
    else:
        known = flow.counts != 0 and flow.payloads >= PACED and abs(packet.time - flow.stamp) > SLOWER * flow.pace
        next_one = 0 < (packet.identification - flow.identification & 0xFFFF) <= NUMBERED
    if not known:
        return
    if packet.time < flow.stamp:
        streams.returned += 1 if next_one else 0
        streams.strayed += 0 if next_one else 1
        streams.back = max(streams.back, flow.stamp - packet.time)
        return
    if not next_one:
        flow.leapt = 1
    if packet.clock - flow.last > PAUSE:
        streams.resumed += 1 - flow.leapt
        streams.torn += flow.leapt
        flow.leapt = 0


@inline
def _next(
    memory: Any, packet: Any, number: int, flow: Any, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int,
) -> None:  # fmt: skip
    """What nearly every packet is: the next segment, or a whole datagram. The long way is called only for what is not simply whole messages."""
    at, end = packet.payload, packet.payload + packet.length
    if packet.tcp_flags & 16:
        _heed(packet, flow, flows)
    if settled(flow) and framings[flow.framing].kind == BY_LENGTH:
        at = whole_messages(memory, packet, flow, number, at, end, 0, framings[flow.framing], flows, messages, streams)
    if at < end and flow.framing == UNKNOWN and flow.likely <= 0:
        count_undecoded(end - at, flow.transport, server_port(flow), undecoded, streams)
    elif at < end:
        deliver(memory, packet, number, at, end, flows, slots, framings, known, ports,
                messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
        if packet.transport != 6:
            abandon(packet, number, flows, slots, framings, messages, undecoded, streams)
    if packet.transport == 6:
        _keep_up(memory, number, flow, packet.payload, end, histories, place)


@kernel
def _show_second_version(packet: Any, messages: Any, streams: Any) -> None:
    """What this packet brought is a second version of a datagram."""
    for number in range(streams.messages - 1, -1, -1):
        if messages[number].packet != packet.number:
            return
        messages[number].marks |= OVERLAP


@kernel
def _copied(packet: Any, number: int, flows: Any, index: Any, slots: Any, undecoded: Any, streams: Any) -> int:
    """The flow of a copy. The first in a window may show that it is the same as another one."""
    if flows[number].copied == 0 and packet.transport == TCP and packet.whole > 0:
        gone = unite(packet, number, flows, index)
        if gone >= 0:
            _let_go(flows[gone], slots, undecoded, streams)
            number = find_flow(packet, streams.place, flows, index)
    flows[number].copied = 1
    return number


@inline
def _finish(
    memory: Any, start: int, packets: Any, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any, histories: Any, place: int, counters: Any, aside: Any,
) -> int:  # fmt: skip
    """The input ends: deliver what still waits, from flow `start` on; returns the next flow where there is no room."""
    packet = packets[0]
    for number in range(start, streams.flows):
        if streams.messages + LARGEST_ROOM > len(messages) or streams.free_slots < MAX_WAITING or streams.conversations + 2 >= len(conversations):
            return number
        if flows[number].used:
            turn(flows[number].interface, streams, counters, aside)
            streams.half_open += half_open(flows[number])
            streams.one_sided += one_sided(flows[number])
            _end(memory, packet, number, flows, slots, framings, known, ports,
                 messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
    return int(streams.flows)


@entry
def follow(
    memory: Any, start: int, count: int, packets: Any, flows: Any, index: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams_table: Any, histories: Any, place: int,
    counters: Any, aside: Any, places: Any,
) -> tuple[int, int]:  # fmt: skip
    """Follow packets[start:count]; returns (next packet, why it stopped): NO_ROOM also where all are done or a window of the clock begins.

    Where `count` is ENDING the input ends: what still waits is delivered, from flow `start` on; returns (next flow, NO_ROOM). One kernel, for most of
    compiling is the delivery that both need.
    """
    memory, packets, flows, index, slots = borrow(memory), borrow(packets), borrow(flows), borrow(index), borrow(slots)
    framings, messages, conversations = borrow(framings), borrow(messages), borrow(conversations)
    conversation_index, undecoded, streams_table = borrow(conversation_index), borrow(undecoded), borrow(streams_table)
    known, ports, histories = borrow(known), borrow(ports), borrow(histories)
    counters, aside, places = borrow(counters), borrow(aside), borrow(places)
    streams = streams_table[0]
    if count == ENDING:
        return _finish(memory, start, packets, flows, slots, framings, known, ports,
                       messages, conversations, conversation_index, undecoded, streams, histories, place, counters, aside), NO_ROOM  # fmt: skip
    begins, ends = streams.window * WINDOW, (streams.window + 1) * WINDOW
    for i in range(start, count):
        packet = packets[i]
        if i + AHEAD < count:
            expect_flow(packets[i + AHEAD], flows, index)
        if packet.clock >= ends or packet.clock < begins:
            return i, NO_ROOM
        if streams.behind > streams.looked:
            return i, LATE
        if streams.messages + packet.length // 4 + LARGEST_ROOM > len(messages):
            return i, NO_ROOM
        if streams.free_slots < 4 * MAX_WAITING:
            return i, NO_ROOM if streams.done_slot >= 0 else FULL_SLOTS
        if streams.conversations + 2 >= len(conversations):
            return i, FULL_CONVERSATIONS
        turn_to(packet, places, streams, counters, aside)
        number = -1
        if packet.source_port >= 0 and packet.source >= 0 and packet.target >= 0 and packet.marks & ASIDE == 0:
            number = find_flow(packet, streams.place, flows, index)
            if number < 0:
                number = new_flow(packet, flows, index, streams, ports)
                if number < 0:
                    return i, FULL_FLOWS
        if streams.pressed and number >= 0 and _looks(packet, flows[number]):
            streams.dropped += 1
            continue
        _count(packet, streams)
        if packet.marks:
            note(packet, undecoded, streams)
        if packet.marks & ASIDE:
            continue
        if number < 0:
            if packet.transport >= 0 or packet.source < 0 or not deliver_frame(
                memory, packet, framings, known, ports, messages, conversations, conversation_index, undecoded, streams
            ):  # fmt: skip
                _other(packet, undecoded, streams)
            continue
        if packet.marks & MIRRORED:
            number = _copied(packet, number, flows, index, slots, undecoded, streams)
        flow = flows[number]
        if packet.whole > 0:
            if packet.time - flow.last > PAUSE or flow.stamp - packet.time > PAUSE:
                _resume(packet, flow, streams)
            elif packet.transport != TCP:
                _keep_pace(packet, flow)
            flow.stamp, flow.identification = min(packet.time, packet.clock), packet.identification
        flow.packets += 1
        flow.last = packet.clock
        if packet.whole > 0:
            flow.payloads += 1
            flow.spoken += 1
            flow.said += packet.whole
            if packet.transport == TCP and _was_there(packet, flow, flows):
                packet.marks |= HAD
        if packet.transport == 6 and not _follows(packet, flow, flows):
            _segment(memory, packet, number, flows, slots, framings, known, ports,
                     messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        elif packet.transport != 6 and packet.length < packet.whole:
            _datagram(memory, packet, number, flows, slots, framings, known, ports,
                      messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
        else:
            _next(memory, packet, number, flow, flows, slots, framings, known, ports,
                  messages, conversations, conversation_index, undecoded, streams, histories, place)  # fmt: skip
        if packet.marks & OVERLAPPED:
            _show_second_version(packet, messages, streams)
        packet.flow, packet.port = number if flow.framing < 0 else -1, server_port(flow)
    return count, NO_ROOM


@inline
def _count_missing(octets: int, streams: Any) -> None:
    if octets > 0:
        streams.lost += octets
        streams.gaps += 1


@kernel
def _let_go(flow: Any, slots: Any, undecoded: Any, streams: Any) -> None:
    """Give up what is carried and what waits in a flow, counted."""
    octets = flow.carry_length
    drop_carry(flow, slots, streams)
    while flow.waiting >= 0:
        slot = flow.waiting
        octets += slots[slot].length
        flow.waiting = slots[slot].after
        free_later(slot, slots, streams)
    flow.waiting_count, flow.torn = 0, 1
    count_undecoded(octets, flow.transport, server_port(flow), undecoded, streams)


@entry
def relieve(crowded: Any, flows: Any, slots: Any, undecoded: Any, streams_table: Any, counters: Any, aside: Any) -> None:
    """Free the slots of these flows."""
    crowded, flows, slots, undecoded, streams_table = borrow(crowded), borrow(flows), borrow(slots), borrow(undecoded), borrow(streams_table)
    counters, aside = borrow(counters), borrow(aside)
    streams = streams_table[0]
    home = streams.place
    for k in range(len(crowded)):
        turn(flows[crowded[k]].interface, streams, counters, aside)
        _let_go(flows[crowded[k]], slots, undecoded, streams)
        streams.shed += 1
    turn(home, streams, counters, aside)


@entry
def forget(gone: Any, now: int, flows: Any, index: Any, slots: Any, undecoded: Any, streams_table: Any, counters: Any, aside: Any) -> None:
    """Let go of these flows (sorted numbers) and what waits in them; the index is made anew. Those that had not ended yet are counted as shed."""
    gone, flows, index, slots = borrow(gone), borrow(flows), borrow(index), borrow(slots)
    undecoded, streams_table, counters, aside = borrow(undecoded), borrow(streams_table), borrow(counters), borrow(aside)
    streams = streams_table[0]
    home = streams.place
    for k in range(len(gone)):
        if flows[gone[k]].used and flows[gone[k]].waiting_count == 0:
            turn(flows[gone[k]].interface, streams, counters, aside)
            _count_missing(missing(flows[gone[k]], flows) - flows[gone[k]].told, streams)
    for k in range(len(gone)):
        number = gone[k]
        flow = flows[number]
        if flow.used == 0:
            continue
        turn(flow.interface, streams, counters, aside)
        _let_go(flow, slots, undecoded, streams)
        if flow.ended == 0 and now - flow.last < IDLE:
            streams.shed += 1
        streams.half_open += half_open(flow)
        streams.one_sided += one_sided(flow)
        if flow.peer >= 0:
            flows[flow.peer].peer = GONE
            flows[flow.peer].ended |= flow.ended
        flow.used = 0
        flow.peer = streams.free_flow
        streams.free_flow = number
    turn(home, streams, counters, aside)
    fill(index, -1)
    for number in range(streams.flows):
        if flows[number].used:
            enter_flow(number, flows, index)
