"""COTP: RFC 1006 (TPKT) with ISO 8073 / ITU-T X.224 class 0, the transport of S7comm, S7comm-plus, IEC 61850 MMS and RDP.

RFC 1006 clause 6 gives the packet, X.224 clause 13 the TPDUs. What DT carries is handed on under selector DATA, once its TSDU is whole (the EOT bit); what
no protocol above takes is a row of its own, of unknown effect. References tell nothing where a TCP connection is one transport connection. The object of a
connection request is the transport selector (TSAP) that it calls: in Siemens controllers a kind of connection, and rack and slot of the module.
"""

from __future__ import annotations

from typing import Any, Final

from records.effects import NUMBER
from sensors.engine.contexts import append, begin_text, context, drop, end_text, find, joined, put_octet
from sensors.engine.dissecting import add_fact, open_row
from sensors.engine.octets import borrow, entry, inline, kernel, u8, u16be
from sensors.engine.tables import AFTER_GAP, BROKEN, CUT, FAILURE, OVERLAP, REPORT, RESPONSE, UNANSWERED
from sensors.protocol import Framing, Function, Protocol
from sensors.protocol import u16be as length_u16be

# fmt: off
REQUEST_TPDU, CONFIRM, DISCONNECT, DISCONNECTED, DATA, ERROR = 0xE0, 0xD0, 0x80, 0xC0, 0xF0, 0x70
S7COMM, S7COMM_PLUS = 0x32, 0x72
S7_LEAST: Final = 10  # octets of a PDU of S7comm …
S7_KINDS: Final = (1, 2, 3, 7)  # … and its kinds
FUNCTIONS: Final = {
    "224": Function("connection_request", "session.open"),
    "208": Function("connection_confirm", "session.open"),
    "128": Function("disconnect_request", "session.close"),
    "192": Function("disconnect_confirm", "session.close"),
    "240": Function("data", "unknown"),                                    # an empty one is a test
    "240/114": Function("s7comm_plus", "unknown"),
    "112": Function("tpdu_error", "error.report"),
    "22": Function("encrypted", "data.exchange"),                          # no TPDU: both went over to TLS, as RDP does
}
CAUSES: Final = 0x100  # causes of ER behind the reasons of DR
ERRORS: Final = {
    0: "reason_not_specified", 1: "congestion_at_tsap", 2: "session_entity_not_attached", 3: "address_unknown", 128: "normal_disconnect",
    129: "remote_congestion", 130: "negotiation_failed", 131: "duplicate_source_reference", 132: "mismatched_references", 133: "transport_protocol_error",
    135: "reference_overflow", 136: "connection_refused", 138: "invalid_header_length",
    CAUSES: "reject_cause_not_specified", CAUSES + 1: "invalid_parameter_code", CAUSES + 2: "invalid_tpdu_type", CAUSES + 3: "invalid_parameter_value",
}
# fmt: on
ANOMALIES: Final = ("wrong_version", "bad_length", "short", "trailing_bytes", "bad_value", "bad_class", "tsdu_too_long", "wrong_protocol_id")
WRONG_VERSION, BAD_LENGTH, SHORT, TRAILING_BYTES, BAD_VALUE, BAD_CLASS, TSDU_TOO_LONG, WRONG_PROTOCOL_ID = (1 << bit for bit in range(8))
SPACES: Final = ("tsap", "calling_tsap", "rack", "slot")
TSAP, CALLING_TSAP, RACK, SLOT = range(4)

TAG: Final = 102
VERSION: Final = 3
HEADER: Final = 4
LEAST: Final = 7  # RFC 1006, clause 6
CALLING, CALLED = 0xC1, 0xC2  # parameters of CR and CC
PG, OP, BASIC = 1, 2, 3  # kinds of connection to a Siemens controller
MOST_TEXT: Final = 64
CONNECTING: Final = 0  # what a connection's request shares with its answer
TLS: Final = 22
TEST: Final = NUMBER["test"]


@inline
def is_s7(tsap: int) -> bool:
    """Does this selector name a kind of connection, a rack and a slot?"""
    return PG <= tsap >> 8 <= BASIC


@kernel
def name_tsap(memory: Any, at: int, octets: int, end: int, row: Any, joints: Any) -> None:
    """A selector that is not of two octets: as it is where it is text, else in hex."""
    octets = min(octets, MOST_TEXT, end - at)
    plain = True
    for i in range(octets):
        plain = plain and 0x20 <= u8(memory, at + i, end, row) < 0x7F
    if plain:
        row.name_at, row.name_octets = at, octets
        return
    place = begin_text(joints)
    for i in range(2 * octets):
        digit = u8(memory, at + i // 2, end, row) >> (0 if i & 1 else 4) & 15
        put_octet(memory, joints, digit + (48 if digit < 10 else 55))
    end_text(row, place, joints)


@kernel
def read_tsap(memory: Any, at: int, octets: int, end: int, called: bool, row: Any, samples: Any, joints: Any) -> None:
    """A transport selector of a connection request."""
    if octets == 2:
        tsap = u16be(memory, at, end, row)
        if not called:
            add_fact(row, samples, CALLING_TSAP, 0, float(tsap))
            return
        row.space, row.first, row.last = TSAP, tsap, tsap
        if is_s7(tsap):
            add_fact(row, samples, RACK, 0, float(tsap >> 5 & 7))
            add_fact(row, samples, SLOT, 0, float(tsap & 31))
    elif called and octets > 0:
        row.space = TSAP
        name_tsap(memory, at, octets, end, row, joints)


@kernel
def read_connect(memory: Any, at: int, stop: int, row: Any, samples: Any, joints: Any) -> None:
    """CR and CC: references, class and parameters."""
    kind = u8(memory, at + 10, stop, row)
    if row.short:
        return
    asked = row.role != RESPONSE
    row.transaction = CONNECTING
    if kind >> 4 != 0:
        row.anomaly |= BAD_CLASS
    at += 11
    seen = 0
    while at + 2 <= stop:
        code, octets = u8(memory, at, stop, row), u8(memory, at + 1, stop, row)
        if code & 0x80 == 0:  # no parameter of the standard: RDP has its cookie there
            return
        if at + 2 + octets > stop:
            row.short = 1
            return
        mark = 1 if code == CALLING else 2
        if code in (CALLING, CALLED) and asked and seen & mark == 0:
            read_tsap(memory, at + 2, octets, stop, code == CALLED, row, samples, joints)
            seen |= mark
        at += 2 + octets


@kernel
def read_end(memory: Any, at: int, stop: int, kind: int, row: Any) -> None:
    """DR, DC and ER."""
    reason = u8(memory, at + (10 if kind == DISCONNECT else 8 if kind == ERROR else 9), stop, row)
    if row.short or row.role != RESPONSE or kind == DISCONNECTED:
        return
    row.transaction, row.outcome = CONNECTING, FAILURE
    row.error = reason if kind == DISCONNECT else CAUSES + reason


@kernel
def keep(memory: Any, message: Any, at: int, octets: int, last: bool, row: Any, contexts: Any, joints: Any) -> bool:
    """A DT of a TSDU that comes in several; true where the row is told: where the TSDU is whole, or longer than is kept."""
    number = context(contexts, joints, TAG, message.connection, message.side, message.clock)
    waits = contexts[number]
    row.octets += waits.a
    if waits.b == 0 and append(memory, contexts, number, joints, at, octets):
        waits.a = row.octets
        if not last:
            return False
        place, octets = joined(memory, contexts, number, joints)
        if place >= 0:
            row.payload, row.payload_length, row.selector = place, octets, DATA
    else:
        drop(contexts, number, joints)
        row.anomaly |= TSDU_TOO_LONG
    waits.a = 0
    waits.b = 0 if last else 1  # what follows is the rest of it
    return True


@kernel
def forget(message: Any, contexts: Any, joints: Any) -> None:
    """The rest of what waits is lost."""
    number = find(contexts, TAG, message.connection, message.side)
    if number >= 0:
        drop(contexts, number, joints)
        contexts[number].a = contexts[number].b = 0


@kernel
def judge(memory: Any, message: Any, row: Any, number: int, contexts: Any, joints: Any) -> None:
    """What comes where S7comm was spoken before, and is none: no protocol above takes it, so what is wrong with it is told here."""
    at, end = row.payload, row.payload + row.payload_length
    first = u8(memory, at, end, row)
    kind = u8(memory, at + 1, end, row) if row.payload_length > 1 else 0
    spoken = number >= 0 and contexts[number].d == 1
    if first == S7COMM and kind in S7_KINDS and row.payload_length >= S7_LEAST:
        if not spoken:
            contexts[context(contexts, joints, TAG, message.connection, message.side, message.clock)].d = 1
    elif spoken and first != S7COMM_PLUS:
        row.anomaly |= WRONG_PROTOCOL_ID if first != S7COMM else SHORT if row.payload_length < S7_LEAST else BAD_VALUE


@inline
def read_data(memory: Any, message: Any, at: int, end: int, stop: int, row: Any, contexts: Any, joints: Any) -> bool:
    """DT: what it carries; true where the row is told."""
    last = u8(memory, at + 6, stop, row) & 0x80 != 0
    if row.role == RESPONSE:
        row.role, row.outcome = REPORT, UNANSWERED
    if message.marks & (AFTER_GAP | OVERLAP | CUT):
        forget(message, contexts, joints)
    if row.short:
        return True
    octets = end - stop
    number = find(contexts, TAG, message.connection, message.side)
    part = not (last or octets == 0) or (number >= 0 and (contexts[number].a > 0 or contexts[number].b > 0))
    if part and message.marks & CUT == 0:
        if not keep(memory, message, stop, octets, last, row, contexts, joints):
            return False
    elif octets == 0:
        row.effect = TEST
    else:
        row.payload, row.payload_length, row.selector = stop, octets, DATA
    if row.payload_length > 0 and message.marks & CUT == 0:
        judge(memory, message, row, number, contexts, joints)
    if row.payload_length > 0 and u8(memory, row.payload, row.payload + row.payload_length, row) == S7COMM_PLUS:
        row.code |= (S7COMM_PLUS + 1) << 20
    return True


@kernel
def read_other(memory: Any, message: Any, row: Any, contexts: Any, joints: Any) -> None:
    """Octets that are no packet: those of TLS, once it has begun."""
    at, end = message.offset, message.offset + message.length
    forget(message, contexts, joints)
    kind, version = u8(memory, at, end, row), u8(memory, at + 1, end, row)
    number = find(contexts, TAG, message.connection, message.side)
    if 0x14 <= kind <= 0x17 and (version == VERSION or row.short):
        number = context(contexts, joints, TAG, message.connection, message.side, message.clock)
        contexts[number].c = 1
    if number >= 0 and contexts[number].c == 1:
        row.code, row.role, row.outcome = (TLS + 1) << 40, REPORT, UNANSWERED
    else:
        row.anomaly = BAD_LENGTH if kind == VERSION else WRONG_VERSION
    row.short = 0


@inline
def read_tpdu(memory: Any, message: Any, row: Any, samples: Any, contexts: Any, joints: Any) -> bool:
    """One packet; true where its row is told."""
    at, end, whole = message.offset, message.offset + message.length, message.marks & CUT == 0
    if u8(memory, at, end, row) != VERSION and row.short == 0:
        read_other(memory, message, row, contexts, joints)
        return True
    if whole and u16be(memory, at + 2, end, row) != message.length:
        row.anomaly |= BAD_LENGTH
    header, kind = u8(memory, at + 4, end, row), u8(memory, at + 5, end, row) & 0xF0
    if row.short:
        return True
    row.code = (kind + 1) << 40
    stop = at + 5 + header
    if stop > end:
        row.short = 1
    told = True
    if kind == DATA:
        told = read_data(memory, message, at, end, min(stop, end), row, contexts, joints)
    elif kind in (REQUEST_TPDU, CONFIRM):
        read_connect(memory, at, min(stop, end), row, samples, joints)
    elif kind in (DISCONNECT, DISCONNECTED, ERROR):
        read_end(memory, at, min(stop, end), kind, row)
    else:
        row.anomaly |= BAD_VALUE
    if whole and kind != DATA and stop < end:
        row.anomaly |= TRAILING_BYTES
    return told


@entry
def dissect(memory: Any, messages: Any, which: Any, operations: Any, used: int, samples: Any, sampled: int, contexts: Any, joints: Any) -> tuple[int, int]:
    """Append the operations of the packets with these numbers; returns the new fill of both tables (`sensors.protocol`)."""
    memory, messages, operations, samples = borrow(memory), borrow(messages), borrow(operations), borrow(samples)
    contexts, joints, which = borrow(contexts), borrow(joints), borrow(which)
    for index in which:
        message, row = messages[index], operations[used]
        open_row(row, index, message, sampled)
        if message.marks & BROKEN:
            read_other(memory, message, row, contexts, joints)
        elif not read_tpdu(memory, message, row, samples, contexts, joints):
            continue
        if row.short and message.marks & CUT == 0:
            row.anomaly |= SHORT
        sampled += row.samples
        used += 1
    return used, sampled


def label(space: str, first: int, last: int) -> str | None:  # noqa: ARG001  (one selector)
    """A selector as engineers write it: two octets in hex; for a Siemens module also rack and slot."""
    if space != "tsap":
        return None
    text = f"{first >> 8:02X}.{first & 255:02X}"
    return f"{text} (R{first >> 5 & 7}/S{first & 31})" if PG <= first >> 8 <= BASIC else text


COTP: Final = Protocol(
    name="cotp",
    title="COTP (ISO on TCP)",
    spec="RFC 1006; ITU-T X.224 | ISO/IEC 8073, class 0",
    framings=(
        Framing(
            header=HEADER, length=length_u16be(2), magic=(0, VERSION << 8, 0xFFFF), least=LEAST, code_at=5,
            known=frozenset({REQUEST_TPDU, CONFIRM, DISCONNECT, DISCONNECTED, DATA, ERROR}),
        ),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    tcp=(102,),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    label=label,
    joins=True,
    samples_each=3,
)  # fmt: skip
