"""Packets to messages: streams in order, framing. Resumable: stops before a packet for which there is no room, so every table is bounded."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.flows import UNDECIDED, converse, enter_flow, find_flow, new_flow, recognise, server_port, signed
from sensors.engine.framing import message_length
from sensors.engine.octets import borrow, copy, entry, fill, inline, kernel
from sensors.engine.tables import AFTER_GAP, BROKEN, CARRIED, CUT, LATENESS, WINDOW
from sensors.protocol import BY_SEGMENT

SLOT_OCTETS: Final = 2048  # one waiting segment, or the beginning of one message
MAX_WAITING: Final = 8  # segments out of order that one direction may hold
FAR: Final = 1 << 20  # a hole larger than this is a new beginning
NO_PORT: Final = -1
FIN_OR_RST: Final = 5
LARGEST_ROOM: Final = (2 * MAX_WAITING + 1) * SLOT_OCTETS // 4 + 4  # messages that waiting segments may become

# why `follow` stopped
NO_ROOM: Final = 0
FULL_FLOWS: Final = -1
FULL_CONVERSATIONS: Final = -2


@inline
def _take_slot(slots: Any, streams: Any) -> int:
    slot = streams.free_slot
    streams.free_slot = slots[slot].after
    streams.free_slots -= 1
    return int(slot)


@inline
def _free_later(slot: int, slots: Any, streams: Any) -> None:
    """Messages may point into the slot until this batch is dissected."""
    slots[slot].after = streams.done_slot
    streams.done_slot = slot


@entry
def free_slots(slots: Any, streams_table: Any) -> None:
    """The messages of the last call are dissected: their slots are free again."""
    streams = streams_table[0]
    while streams.done_slot >= 0:
        slot = streams.done_slot
        streams.done_slot = slots[slot].after
        slots[slot].after = streams.free_slot
        streams.free_slot = slot
        streams.free_slots += 1
    streams.messages = 0


@inline
def _undecoded(octets: int, transport: int, port: int, table: Any, streams: Any) -> None:
    """Count octets nobody understood, by transport and port; the last row takes what finds no other."""
    if octets <= 0:
        return
    streams.undecoded += octets
    last = len(table) - 1
    for i in range(len(table)):
        row = table[i]
        if (row.transport == transport and row.port == port) or row.octets == 0 or i == last:
            if row.octets == 0:
                row.transport, row.port = (transport, port) if i < last else (-1, -1)
            row.octets += octets
            break


@kernel
def _emit(packet: Any, flow: Any, number: int, offset: int, length: int, flags: int, flows: Any, framings: Any, messages: Any, streams: Any) -> None:
    message = messages[streams.messages]
    streams.messages += 1
    framing = framings[flow.framing]
    message.offset, message.length, message.time, message.clock = offset, length, packet.time, packet.clock
    message.packet, message.flow, message.connection, message.conversation = packet.number, number, flow.connection, flow.conversation
    message.protocol, message.framing, message.side = framing.protocol, framing.number, flow.side
    message.port = flow.source_port if flow.side == 0 else flow.target_port
    message.marks = flags | (AFTER_GAP if flow.torn else 0)
    message.peered = 1 if flow.peer >= 0 and flows[flow.peer].payloads > 0 else 0
    flow.torn = 0
    flow.messages += 1
    if flags & BROKEN == 0:
        streams.decoded += length


@inline
def _drop_carry(flow: Any, slots: Any, streams: Any) -> None:
    if flow.carry_length > 0:
        _free_later(flow.carry_slot, slots, streams)
        flow.carry_length = 0


@kernel
def _complete(
    memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any
) -> int:
    """Add to the carried message only the octets it needs; returns where the next one begins, `end` where none does."""
    flow = flows[number]
    framing = framings[flow.framing]
    slot = flow.carry_slot * SLOT_OCTETS
    take = min(flow.carry_need - flow.carry_length, end - at)
    room = min(take, SLOT_OCTETS - flow.carry_length)
    if room > 0:
        copy(memory, slot + flow.carry_length, at, room)
    flow.carry_length += take
    at += take
    if flow.carry_length < flow.carry_need:
        return at
    if flow.carry_known == 0:
        flow.carry_need = message_length(memory, slot, slot + flow.carry_length, framing, packet)
        flow.carry_known = 1
        if flow.carry_need < 0:
            _emit(packet, flow, number, slot, flow.carry_length, CARRIED | BROKEN, flows, framings, messages, streams)
            _undecoded(flow.carry_length + end - at, flow.transport, server_port(flow), undecoded, streams)
            _drop_carry(flow, slots, streams)
            return end
    if flow.carry_need <= flow.carry_length:
        cut = CUT if flow.carry_length > SLOT_OCTETS else 0
        _emit(packet, flow, number, slot, min(flow.carry_length, SLOT_OCTETS), CARRIED | cut, flows, framings, messages, streams)
        _drop_carry(flow, slots, streams)
    return at


@kernel
def _feed(memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """Octets [at, end) of one direction, in sequence, to messages; what is not complete waits in a slot."""
    flow = flows[number]
    framing = framings[flow.framing]
    if framing.kind == BY_SEGMENT:
        _emit(packet, flow, number, at, min(end - at, framing.most), 0 if end - at <= framing.most else CUT, flows, framings, messages, streams)
        return
    while at < end:
        if flow.carry_length > 0:
            at = _complete(memory, packet, number, at, end, flows, slots, framings, messages, undecoded, streams)
            continue
        length = message_length(memory, at, end, framing, packet) if end - at >= framing.header else 0
        if length < 0:
            _emit(packet, flow, number, at, end - at, BROKEN, flows, framings, messages, streams)
            _undecoded(end - at, flow.transport, server_port(flow), undecoded, streams)
            return
        if 0 < length <= end - at:
            _emit(packet, flow, number, at, length, 0, flows, framings, messages, streams)
            at += length
        else:
            flow.carry_slot = _take_slot(slots, streams)
            flow.carry_length = end - at
            flow.carry_known = 1 if length > 0 else 0
            flow.carry_need = length if length > 0 else framing.header
            copy(memory, flow.carry_slot * SLOT_OCTETS, at, min(end - at, SLOT_OCTETS))
            return


@kernel
def _tear(packet: Any, number: int, lost: int, flows: Any, slots: Any, framings: Any, messages: Any, streams: Any) -> None:
    """Octets of this direction are missing: what was begun is shown as cut, the next message begins anew."""
    flow = flows[number]
    if flow.carry_length > 0:
        if flow.framing >= 0 and flow.carry_known:
            slot = flow.carry_slot * SLOT_OCTETS
            _emit(packet, flow, number, slot, min(flow.carry_length, SLOT_OCTETS), CARRIED | CUT, flows, framings, messages, streams)
        _drop_carry(flow, slots, streams)
    flow.torn = 1
    if lost > 0:
        streams.lost += lost
        streams.gaps += 1


@kernel
def _abandon(packet: Any, number: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """The sender ended in the middle of a message: its length was wrong."""
    flow = flows[number]
    if flow.carry_length > 0:
        _emit(packet, flow, number, flow.carry_slot * SLOT_OCTETS, min(flow.carry_length, SLOT_OCTETS), CARRIED | BROKEN, flows, framings, messages, streams)
        _undecoded(flow.carry_length, flow.transport, server_port(flow), undecoded, streams)
        _drop_carry(flow, slots, streams)


@kernel
def _deliver(
    memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any,
) -> None:  # fmt: skip
    """Octets in sequence: recognise, then frame, or count as undecoded."""
    flow = flows[number]
    if flow.framing == UNDECIDED:
        recognise(memory, packet, flow, at, end, flows, framings, known, ports)
    if flow.framing < 0:
        _undecoded(end - at, flow.transport, server_port(flow), undecoded, streams)
        return
    if flow.conversation < 0:
        converse(flow, framings, conversations, conversation_index, streams)
    _feed(memory, packet, number, at, end, flows, slots, framings, messages, undecoded, streams)


@kernel
def _drain_waiting(
    memory: Any, packet: Any, number: int, force: bool, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any,
) -> None:  # fmt: skip
    """Deliver waiting segments that are next; `force`: the hole before them is lost, go on behind it."""
    flow = flows[number]
    while flow.waiting_count > 0:
        best, before_best, before, distance = -1, -1, -1, 1 << 40
        slot = flow.waiting
        while slot >= 0:
            ahead = signed(slots[slot].sequence - flow.expected)
            if ahead < distance:
                best, before_best, distance = slot, before, ahead
            before = slot
            slot = slots[slot].after
        if distance > 0:
            if not force:
                return
            force = False
            _tear(packet, number, distance, flows, slots, framings, messages, streams)
            flow.expected = slots[best].sequence
            distance = 0
        if before_best < 0:
            flow.waiting = slots[best].after
        else:
            slots[before_best].after = slots[best].after
        flow.waiting_count -= 1
        fresh = slots[best].length + distance
        if fresh > 0:
            start = best * SLOT_OCTETS - distance
            _deliver(memory, packet, number, start, start + fresh, flows, slots, framings, known, ports,
                     messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
            flow.expected = (flow.expected + fresh) & 0xFFFFFFFF
        _free_later(best, slots, streams)


@inline
def _wait(memory: Any, packet: Any, flow: Any, slots: Any, streams: Any) -> None:
    slot = _take_slot(slots, streams)
    copy(memory, slot * SLOT_OCTETS, packet.payload, packet.length)
    slots[slot].sequence, slots[slot].length, slots[slot].after = packet.sequence, packet.length, flow.waiting
    flow.waiting = slot
    flow.waiting_count += 1
    streams.reordered += 1


@inline
def _begin(packet: Any, number: int, flows: Any, slots: Any, streams: Any) -> None:
    """A handshake: this direction starts anew, and with a new connection so does what was recognised."""
    flow = flows[number]
    _drop_carry(flow, slots, streams)
    while flow.waiting >= 0:
        slot = flow.waiting
        flow.waiting = slots[slot].after
        _free_later(slot, slots, streams)
    flow.waiting_count = 0
    flow.expected = (packet.sequence + 1) & 0xFFFFFFFF
    flow.torn = 0
    if packet.tcp_flags & 16 == 0:
        if flow.started:
            streams.connections += 1
            flow.connection = streams.connections
            flow.framing, flow.tries = UNDECIDED, 0
            flow.conversation = -1
            if flow.peer >= 0:
                peer = flows[flow.peer]
                peer.connection, peer.framing, peer.tries, peer.conversation = flow.connection, UNDECIDED, 0, -1
        flow.side = 0
        if flow.peer >= 0:
            flows[flow.peer].side = 1
    flow.started = 1


@kernel
def _segment(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any,
) -> None:  # fmt: skip
    """One TCP segment."""
    flow = flows[number]
    if flow.peer >= 0 and packet.tcp_flags & 16:
        peer = flows[flow.peer]
        if peer.waiting_count > 0 and signed(packet.acknowledge - peer.expected) > 0:
            # the receiver acknowledged octets that this sensor never saw
            _drain_waiting(memory, packet, flow.peer, True, flows, slots, framings, known, ports,
                           messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    sequence, whole, length = packet.sequence, packet.whole, packet.length
    if packet.tcp_flags & 2:
        if flow.started == 0 or flow.expected != ((sequence + 1) & 0xFFFFFFFF):
            _begin(packet, number, flows, slots, streams)
        sequence = (sequence + 1) & 0xFFFFFFFF
    if whole == 0:
        if packet.tcp_flags & FIN_OR_RST and flow.waiting_count == 0:
            _abandon(packet, number, flows, slots, framings, messages, undecoded, streams)
        return
    if flow.started == 0:
        flow.started = 1
        flow.expected = sequence
    ahead = signed(sequence - flow.expected)
    if ahead > 0 and ahead < FAR and length == whole and length <= SLOT_OCTETS and flow.waiting_count < MAX_WAITING:
        _wait(memory, packet, flow, slots, streams)
        return
    if ahead > 0 and flow.waiting_count > 0:
        _drain_waiting(memory, packet, number, True, flows, slots, framings, known, ports,
                       messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
        ahead = signed(sequence - flow.expected)
    if ahead > -FAR and ahead + whole <= 0:
        streams.repeated += 1
        return
    if ahead > 0 or ahead <= -FAR:
        _tear(packet, number, ahead if 0 < ahead < FAR else 0, flows, slots, framings, messages, streams)
        ahead = 0
    if length + ahead > 0:
        _deliver(memory, packet, number, packet.payload - ahead, packet.payload + length, flows, slots, framings, known, ports,
                 messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    flow.expected = (sequence + whole) & 0xFFFFFFFF
    if length < whole:
        _undecoded(whole - length, flow.transport, server_port(flow), undecoded, streams)
        _tear(packet, number, 0, flows, slots, framings, messages, streams)
    if flow.waiting_count > 0:
        _drain_waiting(memory, packet, number, False, flows, slots, framings, known, ports,
                       messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    if packet.tcp_flags & FIN_OR_RST and flow.waiting_count == 0:
        _abandon(packet, number, flows, slots, framings, messages, undecoded, streams)


@inline
def _datagram(
    memory: Any, packet: Any, number: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any,
) -> None:  # fmt: skip
    flow = flows[number]
    _deliver(memory, packet, number, packet.payload, packet.payload + packet.length, flows, slots, framings, known, ports,
             messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    _abandon(packet, number, flows, slots, framings, messages, undecoded, streams)
    _undecoded(packet.whole - packet.length, flow.transport, server_port(flow), undecoded, streams)


@inline
def _other(packet: Any, undecoded: Any, streams: Any) -> None:
    """What has no ports: other IP protocols, fragments, and frames that are not IP, by EtherType (ARP carries no payload)."""
    if packet.source >= 0 and packet.transport >= 0:
        _undecoded(packet.whole, packet.transport + (256 if packet.fragment else 0), NO_PORT, undecoded, streams)
    elif packet.ethertype != 0x0806:
        _undecoded(packet.whole, -1, packet.ethertype, undecoded, streams)


@entry
def follow(
    memory: Any, start: int, count: int, packets: Any, flows: Any, index: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams_table: Any,
) -> tuple[int, int]:  # fmt: skip
    """Follow packets[start:count]; returns (next packet, why it stopped): NO_ROOM also where all are done or a window of the clock begins."""
    memory, packets, flows, index, slots = borrow(memory), borrow(packets), borrow(flows), borrow(index), borrow(slots)
    framings, messages, conversations = borrow(framings), borrow(messages), borrow(conversations)
    conversation_index, undecoded, streams_table = borrow(conversation_index), borrow(undecoded), borrow(streams_table)
    streams = streams_table[0]
    for i in range(start, count):
        packet = packets[i]
        if packet.clock // WINDOW != streams.window:
            return i, NO_ROOM
        room = packet.length // 4 + LARGEST_ROOM
        if streams.messages + room > len(messages) or streams.free_slots < 4 * MAX_WAITING:
            return i, NO_ROOM
        if streams.conversations + 2 >= len(conversations):
            return i, FULL_CONVERSATIONS
        number = -1
        if packet.source >= 0 and packet.target >= 0 and packet.source_port >= 0:
            number = find_flow(packet.source, packet.target, packet.source_port, packet.target_port, packet.transport, flows, index)
            if number < 0:
                number = new_flow(packet, flows, index, streams, ports)
                if number < 0:
                    return i, FULL_FLOWS
        streams.packets += 1
        streams.octets += packet.wire
        if packet.captured < packet.wire:
            streams.truncated += 1
        if (packet.time // WINDOW + 1) * WINDOW <= packet.clock - LATENESS:
            streams.late += 1
        if number < 0:
            _other(packet, undecoded, streams)
            continue
        flow = flows[number]
        flow.packets += 1
        flow.last = packet.clock
        flow.payloads += 1 if packet.whole > 0 else 0
        if packet.transport == 6:
            _segment(memory, packet, number, flows, slots, framings, known, ports,
                     messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
        elif packet.whole > 0:
            _datagram(memory, packet, number, flows, slots, framings, known, ports,
                      messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
    return count, NO_ROOM


@entry
def finish(
    memory: Any, start: int, packets: Any, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams_table: Any,
) -> int:  # fmt: skip
    """The input ends: deliver what still waits, from flow `start` on; returns the next flow where there is no room."""
    streams = streams_table[0]
    packet = packets[0]
    for number in range(start, streams.flows):
        if streams.messages + LARGEST_ROOM > len(messages) or streams.free_slots < MAX_WAITING:
            return number
        if flows[number].used:
            while flows[number].waiting_count > 0:
                _drain_waiting(memory, packet, number, True, flows, slots, framings, known, ports,
                               messages, conversations, conversation_index, undecoded, streams)  # fmt: skip
            _tear(packet, number, 0, flows, slots, framings, messages, streams)
    return int(streams.flows)


@entry
def forget(gone: Any, flows: Any, index: Any, slots: Any, streams_table: Any) -> None:
    """Let go of these flows (sorted numbers) and what waits in them, counted; the index is made anew."""
    streams = streams_table[0]
    for k in range(len(gone)):
        number = gone[k]
        flow = flows[number]
        if flow.used == 0:
            continue
        _drop_carry(flow, slots, streams)
        while flow.waiting >= 0:
            slot = flow.waiting
            flow.waiting = slots[slot].after
            _free_later(slot, slots, streams)
        flow.waiting_count = 0
        if flow.peer >= 0:
            flows[flow.peer].peer = -1
        flow.used = 0
        flow.peer = streams.free_flow
        streams.free_flow = number
        streams.shed += 1
    fill(index, -1)
    for number in range(streams.flows):
        if flows[number].used:
            enter_flow(number, flows, index)
