"""Octets in sequence to messages: recognise, then frame. What is begun and not complete is carried in a slot of the arena."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.flows import TRIES, UNDECIDED, converse, converse_frame, recognise, server_port, signed
from sensors.engine.framing import OF_FRAMES, datagram_fits, fits, message_length
from sensors.engine.interfaces import turn
from sensors.engine.octets import borrow, copy, entry, inline, kernel, mix, u8
from sensors.engine.tables import AFTER_GAP, ASTRAY, BEGINS, BROKEN, CARRIED, CUT, FAILURE, HAD, MISSED, OVERLAP, RECOGNISED, STRAY
from sensors.protocol import BY_DATAGRAM, BY_SEGMENT

BELIEVED: Final = 4  # messages one behind the other that are not by chance
PORTS: Final = 256  # rows of undecoded octets that each interface has: a power of two
SLOT_OCTETS: Final = 2048  # one waiting segment, or the beginning of one message


@inline
def take_slot(slots: Any, streams: Any) -> int:
    """A free slot; `follow` sees to it that there is one."""
    slot = streams.free_slot
    streams.free_slot = slots[slot].after
    streams.free_slots -= 1
    return int(slot)


@inline
def free_later(slot: int, slots: Any, streams: Any) -> None:
    """Messages may point into the slot until this batch is dissected."""
    slots[slot].after = streams.done_slot
    streams.done_slot = slot


@kernel
def count_undecoded(octets: int, transport: int, port: int, table: Any, streams: Any) -> None:
    """Count octets nobody understood, by interface, transport and port; the last row of an interface takes what finds no other."""
    if octets <= 0:
        return
    streams.undecoded += octets
    first = streams.place * PORTS
    last = first + PORTS - 1
    place = first + (mix(transport, port) & PORTS - 1)
    for _ in range(PORTS):
        row = table[place]
        if row.octets == 0 and place < last:
            row.transport, row.port = transport, port
        if row.transport == transport and row.port == port and place < last:
            row.octets += octets
            return
        place = first + (place + 1 & PORTS - 1)
    table[last].transport = table[last].port = -1
    table[last].octets += octets


@inline
def count_cut(octets: int, transport: int, port: int, understood: bool, table: Any, streams: Any) -> None:
    """Count octets that the capture left out, which nobody can understand; apart from others, where what was captured of them is `understood`."""
    count_undecoded(octets, transport, port, table, streams)
    if understood and octets > 0:
        streams.cut += octets


@inline
def emit(packet: Any, flow: Any, number: int, offset: int, length: int, flags: int, framing: Any, flows: Any, messages: Any, streams: Any) -> None:
    """One more message."""
    message = messages[streams.messages]
    streams.messages += 1
    message.offset, message.length, message.time, message.clock = offset, length, packet.time, packet.clock
    message.packet, message.flow, message.connection, message.conversation = packet.number, number, flow.connection, flow.conversation
    message.protocol, message.framing, message.side = framing.protocol, framing.number, flow.side ^ flow.turned
    message.port = flow.source_port if flow.side == flow.turned else flow.target_port
    message.speaker, message.hearer = flow.source, flow.target
    message.interface = streams.place
    message.unit = message.transaction = -1
    message.marks = flags | (AFTER_GAP if flow.torn else BEGINS if flow.messages == 0 and flow.transport == 6 else 0)
    message.marks |= (STRAY if packet.marks & ASTRAY else 0) | (MISSED if packet.marks & HAD else 0)
    message.peered = heard = 0
    if flow.peer >= 0:
        peer = flows[flow.peer]  # where octets of its are missing, what this message answers may be among them
        missed = peer.torn or (flow.acknowledged >= 0 and (peer.started == 0 or signed(flow.acknowledged - peer.expected) > 0))
        message.peered, heard = 1 if peer.messages > 0 and not missed else 0, peer.messages
    if flow.acknowledged >= 0:
        if flow.heard >= 0 and flow.heard_messages == heard and signed(flow.acknowledged - flow.heard) > 0:
            message.marks |= MISSED
        flow.heard, flow.heard_messages = flow.acknowledged, heard
    flow.torn = 0
    flow.messages += 1
    if flags & BROKEN == 0:
        streams.decoded += length


@kernel
def _emit(packet: Any, flow: Any, number: int, offset: int, length: int, flags: int, flows: Any, framings: Any, messages: Any, streams: Any) -> None:
    emit(packet, flow, number, offset, length, flags, framings[flow.framing], flows, messages, streams)


@kernel
def deliver_frame(
    memory: Any, packet: Any, framings: Any, known: Any, ports: Any, messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any
) -> bool:
    """A frame that is not IP: a message of the protocol that its EtherType names, or false where it is none."""
    number = ports[OF_FRAMES, packet.ethertype]
    at, end = packet.payload, packet.payload + packet.length
    if number < 0 or not datagram_fits(memory, at, end, number, framings, known, packet):
        return False
    message = messages[streams.messages]
    streams.messages += 1
    message.offset, message.length, message.time, message.clock, message.packet = at, packet.length, packet.time, packet.clock, packet.number
    framing = framings[number]
    answers = framing.answering != 0 and u8(memory, at + framing.answering_at, end, packet) & framing.answering != 0
    message.conversation = converse_frame(packet, answers, framing.protocol, conversations, conversation_index, streams)
    ends = min(packet.source, packet.target) << 24 ^ max(packet.source, packet.target)
    message.connection = -1 - mix(ends, packet.ethertype)  # the same both ways, and none of a stream
    message.flow = message.port = message.unit = message.transaction = -1
    message.protocol, message.framing, message.side = framing.protocol, framing.number, 1 if answers else 0
    message.speaker, message.hearer, message.peered, message.interface = packet.source, packet.target, 0, streams.place
    message.marks = CUT if packet.length < packet.whole else 0
    packet.marks |= RECOGNISED
    streams.decoded += packet.length
    count_cut(packet.whole - packet.length, -1, packet.ethertype, True, undecoded, streams)
    return True


@inline
def settled(flow: Any) -> bool:
    """Is it decided what this flow is, and is it something known? Then its octets need no more than `whole_messages`."""
    return flow.framing >= 0 and flow.conversation >= 0 and flow.carry_length == 0 and (flow.tries == 0 or flow.tries >= TRIES)


@inline
def whole_messages(
    memory: Any, packet: Any, flow: Any, number: int, at: int, end: int, marks: int, framing: Any, flows: Any, messages: Any, streams: Any
) -> int:
    """The messages that begin at `at` and are whole; returns where something else begins, `end` where nothing does: nearly always."""
    while at + framing.header <= end:
        length = message_length(memory, at, end, framing, packet)
        if length <= 0 or length > end - at:
            break
        emit(packet, flow, number, at, length, marks, framing, flows, messages, streams)
        at += length
    return at


@inline
def drop_carry(flow: Any, slots: Any, streams: Any) -> None:
    """Carry nothing any more."""
    if flow.carry_length > 0:
        free_later(flow.carry_slot, slots, streams)
        flow.carry_length = 0


@kernel
def _show_carried(packet: Any, number: int, flags: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """What is carried becomes a message as it stands, of the time of its last octets."""
    flow = flows[number]
    there = min(flow.carry_length, SLOT_OCTETS)
    _emit(packet, flow, number, flow.carry_slot * SLOT_OCTETS, there, CARRIED | flags, flows, framings, messages, streams)
    message = messages[streams.messages - 1]
    message.time, message.packet = flow.carry_time, flow.carry_packet
    count_undecoded(flow.carry_length if flags & BROKEN else flow.carry_length - there, flow.transport, server_port(flow), undecoded, streams)
    drop_carry(flow, slots, streams)


@inline
def _means(memory: Any, place: int, end: int, number: int, framings: Any, known: Any, row: Any) -> bool:
    """Is the code at `place` one that this framing has a meaning for, as far as it is there and is told before the message?"""
    return framings[number].code_at < 0 or place >= end or known[number, u8(memory, place, end, row), 0] != 0


@kernel
def _is_stray(memory: Any, packet: Any, slot: int, before: int, at: int, end: int, missing: int, number: int, framings: Any, known: Any) -> bool:
    """Are the `before` octets that were carried, fewer than a header, none of a message? `missing` is what their message would need of [at, end), negative
    where they make none. They are stray, too, where what came is whole messages by itself, and with them it is not even the beginning of any: a header that
    was split is followed by the rest of its message, and what is behind that may go on in the next segment.
    """
    if missing < 0:
        return True
    framing = framings[number]
    code = framing.code_at
    place = slot + code if code < framing.header else at + code - before
    joined = _means(memory, place, slot + framing.header if code < framing.header else end, number, framings, known, packet)
    rest = at + missing
    while joined and rest < end:
        length = message_length(memory, rest, end, framing, packet) if rest + framing.header <= end else end - rest
        joined = length > 0 and _means(memory, rest + code, end, number, framings, known, packet)
        rest += length
    return not (joined and at + missing <= end) and fits(memory, at, end, number, framings, known, packet)


@kernel
def _complete(
    memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, slots: Any, framings: Any, known: Any, messages: Any, undecoded: Any, streams: Any
) -> int:
    """Add to the carried message only the octets it needs; returns where the next one begins: `at` again where what was carried is none of a message."""
    flow = flows[number]
    framing = framings[flow.framing]
    slot, before = flow.carry_slot * SLOT_OCTETS, flow.carry_length
    take = min(flow.carry_need - flow.carry_length, end - at)
    room = min(take, SLOT_OCTETS - flow.carry_length)
    if room > 0:
        copy(memory, slot + flow.carry_length, at, room)
    flow.carry_length += take
    if flow.carry_known == 0 and flow.carry_length == flow.carry_need:  # the header is there
        length = message_length(memory, slot, slot + flow.carry_length, framing, packet)
        if _is_stray(memory, packet, slot, before, at, end, length - before, flow.framing, framings, known):
            flow.carry_length = before
            _show_carried(packet, number, BROKEN, flows, slots, framings, messages, undecoded, streams)
            return at
        flow.carry_need, flow.carry_known = length, 1
    flow.carry_time, flow.carry_packet = packet.time, packet.number
    at += take
    if flow.carry_need <= flow.carry_length:
        cut = CUT if flow.carry_length > SLOT_OCTETS else 0
        _show_carried(packet, number, cut, flows, slots, framings, messages, undecoded, streams)
    return at


@inline
def _in_step(memory: Any, at: int, end: int, number: int, framings: Any, known: Any, packet: Any) -> bool:
    """Does a whole message begin here, and what may be others behind it, of which the last goes on in the next segment?"""
    framing = framings[number]
    for whole in range(BELIEVED):
        if whole > 0 and at + framing.header > end:
            return True
        length = message_length(memory, at, end, framing, packet) if at + framing.header <= end else -1
        if length <= 0:
            return False
        if framing.code_at >= 0 and at + framing.code_at < end and known[number, u8(memory, at + framing.code_at, end, packet), 0] == 0:
            return False
        if length > end - at:
            return whole > 0
        at += length
    return True


@kernel
def _resume(memory: Any, at: int, end: int, number: int, framings: Any, known: Any, packet: Any) -> int:
    """Behind what does not fit: where messages begin again, `end` where none do. Few steps an octet, whatever the octets are."""
    while at < end and not _in_step(memory, at, end, number, framings, known, packet):
        at += 1
    return at


@kernel
def _in_step_again(memory: Any, packet: Any, flow: Any, at: int, end: int, framings: Any, known: Any, undecoded: Any, streams: Any) -> int:
    """Where messages begin behind what was not seen. What lies before is no evidence of anything but the gap: it counts as not understood."""
    found = _resume(memory, at, end, flow.framing, framings, known, packet)
    if found == end:
        header = framings[flow.framing].header
        if end - at < header or message_length(memory, at, end, framings[flow.framing], packet) > 0:
            return at  # it may be the beginning of a message
    count_undecoded(found - at, flow.transport, server_port(flow), undecoded, streams)
    return found


@kernel
def _feed(
    memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, slots: Any, framings: Any, known: Any, messages: Any, undecoded: Any, streams: Any
) -> None:
    """Octets [at, end) of one direction, in sequence, to messages; what is not complete waits in a slot."""
    flow = flows[number]
    framing = framings[flow.framing]
    if framing.kind == BY_SEGMENT:
        _emit(packet, flow, number, at, min(end - at, framing.most), 0 if end - at <= framing.most else CUT, flows, framings, messages, streams)
        count_undecoded(end - at - framing.most, flow.transport, server_port(flow), undecoded, streams)
        return
    if framing.kind == BY_DATAGRAM:
        if datagram_fits(memory, at, end, flow.framing, framings, known, packet):
            _emit(packet, flow, number, at, end - at, CUT if packet.length < packet.whole else 0, flows, framings, messages, streams)
        else:
            count_undecoded(end - at, flow.transport, server_port(flow), undecoded, streams)
        return
    searched = False
    if flow.torn and flow.carry_length == 0:
        at = _in_step_again(memory, packet, flow, at, end, framings, known, undecoded, streams)
    while at < end:
        if flow.carry_length > 0:
            at = _complete(memory, packet, number, at, end, flows, slots, framings, known, messages, undecoded, streams)
            continue
        at = whole_messages(memory, packet, flow, number, at, end, 0, framing, flows, messages, streams)
        length = message_length(memory, at, end, framing, packet) if end - at >= framing.header else 0
        if length < 0:
            next_one = end if searched else _resume(memory, at + 1, end, flow.framing, framings, known, packet)
            searched = True  # once a segment: every piece is a message, for which there must be room
            _emit(packet, flow, number, at, next_one - at, BROKEN, flows, framings, messages, streams)
            count_undecoded(next_one - at, flow.transport, server_port(flow), undecoded, streams)
            at = next_one
        elif at < end:
            flow.carry_slot = take_slot(slots, streams)
            flow.carry_length = end - at
            flow.carry_known = 1 if length > 0 else 0
            flow.carry_need = length if length > 0 else framing.header
            flow.carry_time, flow.carry_packet = packet.time, packet.number
            copy(memory, flow.carry_slot * SLOT_OCTETS, at, min(end - at, SLOT_OCTETS))
            return


@kernel
def tear(packet: Any, number: int, lost: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """Octets of this direction are missing: what was begun is shown as cut, the next message begins anew."""
    flow = flows[number]
    if flow.carry_length > 0 and flow.framing >= 0 and flow.carry_known:
        _show_carried(packet, number, CUT, flows, slots, framings, messages, undecoded, streams)
    elif flow.carry_length > 0:
        count_undecoded(flow.carry_length, flow.transport, server_port(flow), undecoded, streams)
        drop_carry(flow, slots, streams)
    flow.torn = 1
    fresh = lost - flow.told
    flow.told = max(-fresh, 0) if lost > 0 else flow.told
    if fresh > 0:
        streams.lost += fresh
        streams.gaps += 1


@kernel
def abandon(packet: Any, number: int, flows: Any, slots: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """The sender ended in the middle of a message: its length was wrong."""
    flow = flows[number]
    if flow.carry_length > 0 and flow.framing < 0:
        _give_up(flow, slots, undecoded, streams)
    elif flow.carry_length > 0:
        _show_carried(packet, number, BROKEN, flows, slots, framings, messages, undecoded, streams)


@kernel
def _give_up(flow: Any, slots: Any, undecoded: Any, streams: Any) -> None:
    """What was kept until the other side would confirm it is not what it seemed."""
    count_undecoded(flow.carry_length, flow.transport, server_port(flow), undecoded, streams)
    drop_carry(flow, slots, streams)


@kernel
def _keep(memory: Any, packet: Any, flow: Any, at: int, end: int, slots: Any, streams: Any) -> None:
    """A segment that is likely a message: kept whole until the other side's first one confirms it."""
    flow.carry_slot = take_slot(slots, streams)
    flow.carry_length = flow.carry_need = end - at
    flow.carry_known = 1
    flow.carry_time, flow.carry_packet = packet.time, packet.number
    copy(memory, flow.carry_slot * SLOT_OCTETS, at, end - at)


@kernel
def _confirm(
    packet: Any, flow: Any, flows: Any, slots: Any, framings: Any, messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any
) -> None:
    """This side is recognised: so is what the other side's kept segment was."""
    peer = flows[flow.peer]
    if peer.likely != flow.framing + 1:
        _give_up(peer, slots, undecoded, streams)
        return
    peer.framing, peer.tries = flow.framing, flow.tries
    converse(peer, flows, framings, conversations, conversation_index, streams)
    _show_carried(packet, flow.peer, 0, flows, slots, framings, messages, undecoded, streams)


@kernel
def _face(memory: Any, packet: Any, flow: Any, at: int, end: int, framing: Any, flows: Any) -> None:
    """Who is asked, where messages tell: an outstation may have opened the connection, and of datagrams nobody knows who was first."""
    if framing.facing == 0 or end - at < max(framing.facing_at + 1, framing.header) or (flow.peer >= 0 and flows[flow.peer].conversation >= 0):
        return
    length = message_length(memory, at, end, framing, packet)
    asks = u8(memory, at + framing.facing_at, end, packet) & framing.facing != 0
    if length < 0:
        return
    if min(length, end - at) > framing.answering_at > 0 and asks == (u8(memory, at + framing.answering_at, end, packet) & framing.answering != 0):
        return
    flow.turned = 1 if asks == (flow.side == 1) else 0
    if flow.peer >= 0:
        flows[flow.peer].turned = flow.turned


@kernel
def deliver(
    memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, slots: Any, framings: Any, known: Any, ports: Any,
    messages: Any, conversations: Any, conversation_index: Any, undecoded: Any, streams: Any,
) -> None:  # fmt: skip
    """Octets in sequence: recognise, then frame, or count as undecoded."""
    flow = flows[number]
    if flow.framing == UNDECIDED and flow.carry_length > 0:
        _give_up(flow, slots, undecoded, streams)
    if flow.framing == UNDECIDED or (0 < flow.tries < TRIES and flow.carry_length == 0):
        recognise(memory, packet, flow, at, end, flows, framings, known, ports)
        if flow.framing >= 0 and flow.peer >= 0 and flows[flow.peer].framing == UNDECIDED and flows[flow.peer].carry_length > 0:
            _confirm(packet, flow, flows, slots, framings, messages, conversations, conversation_index, undecoded, streams)
    if flow.framing < 0 and flow.likely > 0 and flow.transport == 6 and end - at <= SLOT_OCTETS:
        _keep(memory, packet, flow, at, end, slots, streams)
        return
    if flow.framing < 0:
        count_undecoded(end - at, flow.transport, server_port(flow), undecoded, streams)
        return
    if flow.conversation < 0:
        _face(memory, packet, flow, at, end, framings[flow.framing], flows)
        converse(flow, flows, framings, conversations, conversation_index, streams)
    _feed(memory, packet, number, at, end, flows, slots, framings, known, messages, undecoded, streams)


@kernel
def show_overlap(memory: Any, packet: Any, number: int, at: int, end: int, flows: Any, framings: Any, messages: Any, undecoded: Any, streams: Any) -> None:
    """Octets that come again, and differ: which of the two versions the receiver took nobody can tell, so this one is shown as well."""
    flow = flows[number]
    streams.overlaps += 1
    if framings[flow.framing].kind != BY_SEGMENT:
        at = whole_messages(memory, packet, flow, number, at, end, OVERLAP, framings[flow.framing], flows, messages, streams)
    if at < end:
        _emit(packet, flow, number, at, end - at, BROKEN | OVERLAP, flows, framings, messages, streams)
        count_undecoded(end - at, flow.transport, server_port(flow), undecoded, streams)


@entry
def disown(
    start: int, count: int, operations: Any, order: Any, messages: Any, conversations: Any, unknown: int, undecoded: Any, streams_table: Any,
    counters: Any, aside: Any,
) -> None:  # fmt: skip
    """Messages whose framing was understood and whose meaning was not are no coverage: their octets count as undecoded. Refusals are understood."""
    operations, order, messages, conversations = borrow(operations), borrow(order), borrow(messages), borrow(conversations)
    undecoded, streams_table, counters, aside = borrow(undecoded), borrow(streams_table), borrow(counters), borrow(aside)
    streams = streams_table[0]
    home, before = streams.place, -1
    for i in range(start, count):
        operation = operations[order[i]]
        message = messages[operation.message]
        if operation.effect == unknown and operation.outcome != FAILURE and message.marks & BROKEN == 0 and operation.message != before:
            conversation = conversations[message.conversation]
            turn(message.interface, streams, counters, aside)
            streams.decoded -= message.length
            count_undecoded(message.length, conversation.transport, conversation.port, undecoded, streams)
        before = operation.message
    turn(home, streams, counters, aside)
