"""COTP, packet by packet: RFC 1006 and X.224 class 0; TSDUs that come in several; what is wrong with malformed ones."""

from __future__ import annotations

import pytest

from sensors.engine.octets import INTERPRETED
from sensors.engine.tables import AFTER_GAP, BROKEN, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS, UNANSWERED
from sensors.protocols.cotp import COTP, label
from tests.protocol_battery import PAD, Message, Row, Values, run, told

ASK, ANSWER = 0, 1


def tpkt(tpdu: str, side: int = ASK, marks: int = 0) -> Message:
    """A packet around a TPDU in hex."""
    body = bytes.fromhex(tpdu)
    return Message(b"\3\0" + (len(body) + 4).to_bytes(2) + body, side, 0, marks)


# Connecting to a SIMATIC S7-300 (frames 11 and 13 of digitalbond's s7_test.pcap).
REQUEST_OF_PG = tpkt("11E0 0000 000F 00 C1 02 0100 C2 02 0102 C0 01 0A")
CONFIRM = tpkt("11D0 000F 4431 00 C0 01 0A C1 02 0100 C2 02 0102", ANSWER)
# An engineering station connects to an S7-1200 (S7-1200-Uploading-OB1-TIAV12.pcap).
REQUEST_OF_TIA = tpkt("1E E0 0000 0002 00 C0 01 0A C1 02 0600 C2 0F 53494D415449432D524F4F542D4553")
EXAMPLES = (
    REQUEST_OF_PG,
    CONFIRM,
    REQUEST_OF_TIA,
    tpkt("0E E0 0000 0006 00 C1 02 0002 C2 02 0001"),
    tpkt("0C E0 0000 0006 00 C2 04 00000001"),
    tpkt("06 80 0000 0006 80"),
    tpkt("06 80 0006 0000 03", ANSWER),
    tpkt("05 C0 0000 0006"),
    tpkt("04 70 0006 02", ANSWER),
    tpkt("02 F0 80 0D 01 02"),
    tpkt("02 F0 80 72 01 00 00", ANSWER),
    tpkt("02 F0 80"),
    tpkt("02 F0 00", ANSWER),
    Message(bytes.fromhex("16 0301 0004 01000000"), ASK, 1, BROKEN),  # framing 1: not in the streams of the battery
    # RDP puts a cookie where parameters stand
    tpkt("0E E0 0000 0000 00 436F6F6B69653A20"),
)


def only(message: Message) -> Row:
    (row,) = told(COTP, [message])
    return row


def test_a_request_names_what_it_calls() -> None:
    row = only(REQUEST_OF_PG)
    assert (row.action, row.effect, row.role, row.outcome) == ("connection_request", "session.open", REQUEST, UNANSWERED)
    assert (row.space, row.first, row.last, row.transaction) == ("tsap", 0x0102, 0x0102, 0)
    assert row.samples == (Values("calling_tsap", 0, (256,)), Values("rack", 0, (0,)), Values("slot", 0, (2,)))
    assert label("tsap", 0x0102, 0x0102) == "01.02 (R0/S2)"
    assert label("tsap", 0x0343, 0x0343) == "03.43 (R2/S3)"
    assert label("tsap", 1, 1) == "00.01"
    assert label("rack", 0, 0) is None


def test_a_confirmation_answers() -> None:
    row = only(CONFIRM)
    assert (row.action, row.role, row.outcome, row.transaction, row.first) == ("connection_confirm", RESPONSE, SUCCESS, 0, -1)


def named(message: Message) -> bytes:
    _, operations, _ = run(COTP, [message])
    at, octets = int(operations[0].name_at) - PAD, int(operations[0].name_octets)
    return message.data[at : at + octets] if at >= 0 and at + octets <= len(message.data) else b""


def test_selectors_that_are_text_or_long() -> None:
    assert named(REQUEST_OF_TIA) == b"SIMATIC-ROOT-ES"
    assert only(REQUEST_OF_TIA).samples == (Values("calling_tsap", 0, (0x0600,)),)
    _, operations, _ = run(COTP, [EXAMPLES[4]])
    assert int(operations[0].name_octets) == 8, "eight digits"


def test_refusals() -> None:
    row = only(tpkt("06 80 0006 0000 03", ANSWER))
    assert (row.action, row.effect, row.error, row.outcome, row.transaction) == ("disconnect_request", "session.close", 3, FAILURE, 0)
    assert COTP.errors[3] == "address_unknown"
    row = only(tpkt("04 70 0006 02", ANSWER))
    assert (row.action, COTP.errors[row.error], row.outcome) == ("tpdu_error", "invalid_tpdu_type", FAILURE)
    assert only(tpkt("06 80 0000 0006 80")).outcome == UNANSWERED


def carried(given: list[Message]) -> list[tuple[bytes, int]]:
    """What each row hands on, and the octets that it counts."""
    size = sum(len(message.data) + PAD for message in given) + PAD
    _, operations, _ = run(COTP, given)
    whole = b"".join(b"\0" * PAD + message.data for message in given) + b"\0" * PAD
    assert len(whole) == size
    found: list[tuple[bytes, int]] = []
    for row in operations:
        at, octets = int(row.payload), int(row.payload_length)
        found.append((whole[at : at + octets] if at < size else b"?" * octets, int(row.octets)))
    return found


def test_data_is_handed_on() -> None:
    assert carried([tpkt("02 F0 80 0D 01 02"), tpkt("02 F0 80")]) == [(b"\x0d\x01\x02", 10), (b"", 7)]
    row = only(tpkt("02 F0 80 72 01 00 00", ANSWER))
    assert (row.code, row.action, row.effect, row.role) == ("240/114", "s7comm_plus", "unknown", REPORT)
    assert only(tpkt("02 F0 00")).effect == only(tpkt("02 F0 80")).effect == "test"


def test_a_tsdu_in_several_is_one_row() -> None:
    parts = [tpkt("02 F0 00 32 01"), tpkt("02 F0 00 00 00"), tpkt("02 F0 80 05")]
    assert carried(parts) == [(b"?" * 5, 26)]
    other = tpkt("02 F0 80 0D", ANSWER)
    assert carried([parts[0], other, *parts[1:]]) == [(b"\x0d", 8), (b"?" * 5, 26)], "each direction for itself"
    rows = told(COTP, [*parts, tpkt("02 F0 80 72")])
    assert [row.code for row in rows] == ["240", "240/114"]
    assert [row.anomalies for row in rows] == [(), ()]


def test_a_gap_loses_what_waits() -> None:
    assert carried([tpkt("02 F0 00 32 01"), tpkt("02 F0 80 05 06", marks=AFTER_GAP)]) == [(b"\x05\x06", 9)]


def test_what_is_too_long_is_told_and_the_next_one_is_read() -> None:
    part = tpkt("02 F0 00" + "00" * 1000)
    rows = told(COTP, [part] * 6 + [tpkt("02 F0 80 01"), tpkt("02 F0 80 02")])
    assert [row.anomalies for row in rows] == [("tsdu_too_long",)] * 3 + [()]
    assert rows[0].octets == 5 * len(part.data)
    assert carried([part] * 6 + [tpkt("02 F0 80 01"), tpkt("02 F0 80 02")])[-1] == (b"\x02", 8)


@pytest.mark.parametrize(
    ("message", "anomalies"),
    [
        (Message(bytes.fromhex("0400 0007 02F080")), ("wrong_version",)),
        (Message(bytes.fromhex("0300 0008 02F080")), ("bad_length",)),
        (tpkt("02 F0"), ("short",)),
        (tpkt("09 F0 80 32 01"), ("short",)),
        (tpkt("01 F0 80 32"), ("short",)),
        (tpkt("06 E0 0000 0006 00 C1 02 0002"), ("trailing_bytes",)),
        (tpkt("0A E0 0000 0006 00 C1 04 0002"), ("short",)),
        (tpkt("06 E0 0000 0006 20"), ("bad_class",)),
        (tpkt("04 60 0000 01"), ("bad_value",)),
        (tpkt("05 80 0000 0006", ANSWER), ("short",)),
        (Message(b"GET / HTTP/1.1", ASK, 0, BROKEN), ("wrong_version",)),
        (Message(b"\3\0\0\1\2", ASK, 0, BROKEN), ("bad_length",)),
    ],
)
def test_malformed(message: Message, anomalies: tuple[str, ...]) -> None:
    rows = told(COTP, [message, REQUEST_OF_PG])
    assert rows[0].anomalies == anomalies
    assert (rows[-1].action, rows[-1].anomalies) == ("connection_request", ())


def test_after_tls_has_begun_nothing_is_malformed() -> None:
    hello, more = EXAMPLES[13], Message(b"\x9a\x01\x02", ASK, 1, BROKEN)
    assert [(row.action, row.effect, row.anomalies) for row in told(COTP, [hello, more])] == [("encrypted", "data.exchange", ())] * 2
    assert only(more).anomalies == ("wrong_version",)


def test_what_was_cut_off_is_no_fault_of_the_sender() -> None:
    row = only(tpkt("02 F0 80 72 01 02", marks=CUT).but(tpkt("02 F0 80 72 01 02").data[:8], CUT))
    assert (row.code, row.anomalies) == ("240/114", ())


@pytest.mark.skipif(not INTERPRETED, reason="the same for both")
def test_every_example_is_one_row() -> None:
    assert len(told(COTP, list(EXAMPLES))) == len(EXAMPLES)
