"""A protocol inside another: payloads that operations of the lower protocol carry become messages of the upper one, whose operations take their place.

The conversation of an upper protocol has a number that follows from that of the lower one: the same ends, `rank` tables further on. So none has to be
found, and the table is full only where that of the lower ones is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.engine.framing import fits, framing_tables, message_length
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be
from sensors.engine.tables import CUT, LAYER, table
from sensors.protocol import BY_PAYLOAD

if TYPE_CHECKING:
    from sensors.protocol import Protocol

PASSES: Final = 4  # protocols that may stand on one another


def layer_tables(protocols: tuple[Protocol, ...]) -> tuple[Any, Any, Any]:
    """(layers: who stands over whom, those with a framing first; framings and known codes of the upper ones)."""
    framings, known, _ = framing_tables(protocols, upper=True)
    numbers = {protocol.name: number for number, protocol in enumerate(protocols)}
    uppers = [number for number, protocol in enumerate(protocols) if protocol.over]
    rows: list[tuple[int, ...]] = []
    for rank, number in enumerate(uppers):
        lower, selector = protocols[number].over or ("", -1)
        own: list[int] = np.flatnonzero(framings.protocol == number).tolist() or [-1]
        rows += [(numbers[lower], selector, number, rank + 1, framing) for framing in own if lower in numbers]
    rows.sort(key=lambda row: row[4] < 0)
    layers = table(len(rows), LAYER)
    for place, row in enumerate(rows):
        layers[place] = row
    return layers, framings, known


def room(protocols: tuple[Protocol, ...], each: str) -> Any:
    """[protocol] → operations (`operations_each`) or samples (`samples_each`) that one message may come to, with all that is handed on."""

    def of(protocol: Protocol, passes: int) -> int:
        above = [of(other, passes - 1) for other in protocols if passes and other.over and other.over[0] == protocol.name]
        return getattr(protocol, each) + protocol.operations_each * max(above, default=0)

    return np.array([of(protocol, PASSES) for protocol in protocols], np.int64)


@kernel
def _takes(memory: Any, at: int, end: int, cut: bool, number: int, framings: Any, known: Any, row: Any) -> bool:
    """Is this payload a message of this framing? Of one that was cut, only the header can tell."""
    framing = framings[number]
    if framing.kind == BY_PAYLOAD:
        if end - at < framing.least or end - at > framing.most or (framing.mask and end - at < framing.magic_at + 2):
            return False
        if framing.mask and u16be(memory, at + framing.magic_at, end, row) & framing.mask != framing.magic:
            return False
        return framing.code_at < 0 or (framing.code_at < end - at and known[number, u8(memory, at + framing.code_at, end, row), 0] != 0)
    if cut:
        return end - at >= framing.header and message_length(memory, at, end, framing, row) >= 0
    return fits(memory, at, end, number, framings, known, row)


@kernel
def _upper(memory: Any, operation: Any, lower: int, cut: bool, layers: Any, framings: Any, known: Any, row: Any) -> int:
    """Who takes what this operation carries: a row of `layers`, -1 where nobody does."""
    at, end = operation.payload, operation.payload + operation.payload_length
    for number in range(len(layers)):
        layer = layers[number]
        meant = layer.lower == lower and layer.selector == operation.selector
        if meant and (layer.framing < 0 or _takes(memory, at, end, cut, layer.framing, framings, known, row)):
            return number
    return -1


@inline
def _converse(message: Any, layer: Any, base: int, conversations: Any) -> None:
    """The conversation of the same ends in the upper protocol."""
    talk = conversations[message.conversation]
    message.conversation = layer.rank * base + message.conversation % base
    above = conversations[message.conversation]
    above.source, above.target, above.port, above.transport, above.vlan = talk.source, talk.target, talk.port, talk.transport, talk.vlan
    above.source_mac, above.target_mac, above.protocol = talk.source_mac, talk.target_mac, layer.upper
    above.tunnel, above.tunnel_id = talk.tunnel, talk.tunnel_id


@inline
def _copy_message(target: Any, source: Any) -> None:
    target.time, target.clock, target.packet, target.flow, target.connection = source.time, source.clock, source.packet, source.flow, source.connection
    target.speaker, target.hearer = source.speaker, source.hearer
    target.conversation, target.port, target.side, target.marks, target.peered = source.conversation, source.port, source.side, source.marks, source.peered
    target.interface = source.interface


@entry
def hand_on(
    memory: Any, start: int, count: int, operations: Any, messages: Any, filled: int, above: Any, base: int, conversations: Any,
    layers: Any, framings: Any, known: Any, scratch: Any, joints: Any,
) -> int:  # fmt: skip
    """What operations[start:count] carry becomes messages[filled:]; returns the new fill. `above` tells which message each of them carried (-1: none)."""
    memory, operations, messages, above, conversations = borrow(memory), borrow(operations), borrow(messages), borrow(above), borrow(conversations)
    layers, framings, known, scratch, joints = borrow(layers), borrow(framings), borrow(known), borrow(scratch), borrow(joints)
    for i in range(start, count):
        operation = operations[i]
        above[i] = -1
        if operation.payload < 0:
            continue
        lower = messages[operation.message]
        end = operation.payload + operation.payload_length
        within = operation.payload >= lower.offset and end <= lower.offset + lower.length
        if operation.payload_length > 0 and (within or (operation.payload >= joints[0].begin_at and end <= joints[0].fill_at)):
            number = _upper(memory, operation, lower.protocol, lower.marks & CUT != 0, layers, framings, known, scratch[0])
            if number >= 0:
                layer, message = layers[number], messages[filled]
                _copy_message(message, lower)
                message.offset, message.length = operation.payload, operation.payload_length
                message.unit, message.transaction, message.protocol = operation.unit, operation.transaction, layer.upper
                message.framing = framings[layer.framing].number if layer.framing >= 0 else 0
                _converse(message, layer, base, conversations)
                above[i] = filled
                filled += 1
        operation.payload = -1  # asked for once
    return filled
