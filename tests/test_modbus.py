"""Modbus, message by message: the examples of the specification, every function, exceptions, and what is wrong with malformed ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensors.engine.octets import INTERPRETED
from sensors.engine.tables import BROKEN, CUT, FAILURE, REQUEST, RESPONSE, SUCCESS, UNANSWERED
from sensors.protocols.modbus import FUNCTIONS, MODBUS
from tests.protocol_battery import PAD, Message, Row, Values, run, told

ASK, ANSWER = 0, 1


def mbap(body: str, side: int = ASK, unit: int = 17, transaction: int = 0x1234) -> Message:
    """A message of Modbus/TCP around a function code and its body in hex."""
    pdu = bytes.fromhex(body)
    return Message(transaction.to_bytes(2) + b"\0\0" + (len(pdu) + 1).to_bytes(2) + bytes([unit]) + pdu, side)


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


def rtu(body: str, side: int = ASK, unit: int = 17) -> Message:
    data = bytes([unit]) + bytes.fromhex(body)
    return Message(data + crc(data), side, 1)


# The examples of the application protocol specification V1.1b3, section 6: function, request, response.
SPECIFIED = {
    "1": ("01 0013 0013", "01 03 CD6B05"),
    "2": ("02 00C4 0016", "02 03 ACDB35"),
    "3": ("03 006B 0003", "03 06 022B 0000 0064"),
    "4": ("04 0008 0001", "04 02 000A"),
    "5": ("05 00AC FF00", "05 00AC FF00"),
    "6": ("06 0001 0003", "06 0001 0003"),
    "7": ("07", "07 6D"),
    "8/0": ("08 0000 A537", "08 0000 A537"),
    "8/1": ("08 0001 FF00", "08 0001 FF00"),
    "8/2": ("08 0002 0000", "08 0002 1234"),
    "8/3": ("08 0003 3A00", "08 0003 3A00"),
    "8/4": ("08 0004 0000", ""),
    "8/10": ("08 000A 0000", "08 000A 0000"),
    **{f"8/{n}": (f"08 {n:04X} 0000", f"08 {n:04X} 0102") for n in range(11, 19)},
    "8/20": ("08 0014 0000", "08 0014 0000"),
    "11": ("0B", "0B FFFF 0108"),
    "12": ("0C", "0C 08 0000 0108 0121 20 00"),
    "15": ("0F 0013 000A 02 CD01", "0F 0013 000A"),
    "16": ("10 0001 0002 04 000A 0102", "10 0001 0002"),
    "17": ("11", "11 05 504C43 30 FF"),
    "20": ("14 0E 06 0004 0001 0002 06 0003 0009 0002", "14 0C 05 06 0DFE 0020 05 06 33CD 0040"),
    "21": ("15 0D 06 0004 0007 0003 06AF 04BE 100D", "15 0D 06 0004 0007 0003 06AF 04BE 100D"),
    "22": ("16 0004 00F2 0025", "16 0004 00F2 0025"),
    "23": ("17 0003 0006 000E 0003 06 00FF 00FF 00FF", "17 0C 00FE 0ACD 0001 0003 000D 00FF"),
    "24": ("18 04DE", "18 0006 0002 01B8 1284"),
    "43/13": ("2B 0D 00 0102", "2B 0D 00 0304"),
    "43/14": ("2B 0E 01 00", "2B 0E 01 01 00 00 03 00 03 414243 01 02 5058 02 05 5632 2E31 30"),
    "90": ("5A 00 02", "5A 00 FE 01"),
}
EXCEPTIONS = [mbap(f"{code | 0x80:02X} {error:02X}", ANSWER) for code in (1, 3, 8, 23, 43, 90) for error in (1, 2, 11)]
EXAMPLES = (
    *(mbap(request) for request, _ in SPECIFIED.values()),
    *(mbap(response, ANSWER) for _, response in SPECIFIED.values() if response),
    *EXCEPTIONS,
    *(rtu(request, ASK) for request, _ in SPECIFIED.values()),
    *(rtu(response, ANSWER) for _, response in SPECIFIED.values() if response),
    rtu("10 0001 0002 04 000A 0102", unit=0),
    mbap("41 01 02 03"),
    mbap("41 01", ANSWER),
    mbap("14 07 06 0004 0001 0002"),
    mbap("14 06 05 06 0DFE 0020", ANSWER),
    mbap("2B 0E 04 02"),
)


def only(message: Message) -> Row:
    (row,) = told(MODBUS, [message])
    return row


def asked(body: str) -> Row:
    return only(mbap(body))


def answered(body: str) -> Row:
    return only(mbap(body, ANSWER))


@pytest.mark.parametrize("code", SPECIFIED)
def test_every_function_is_understood_without_complaint(code: str) -> None:
    for body, side in zip(SPECIFIED[code], (ASK, ANSWER), strict=True):
        for message in (mbap(body, side), rtu(body, side)) if body else ():
            for row in told(MODBUS, [message]):
                assert (row.code, row.anomalies, row.short) == (code, (), 0)
                assert row.role == (RESPONSE if side else REQUEST)
                assert row.outcome == (SUCCESS if side else UNANSWERED)
                assert (row.unit, row.octets, row.error) == (17, len(message.data), -1)
                assert row.transaction == (17 << 8 | bytes.fromhex(body)[0] if message.framing else 0x1234 << 8 | 17)


@pytest.mark.parametrize(
    ("code", "space", "first", "last", "values"),
    [
        ("1", "coil", 0x13, 0x25, ()),
        ("2", "discrete_input", 0xC4, 0xD9, ()),
        ("3", "holding_register", 0x6B, 0x6D, ()),
        ("4", "input_register", 8, 8, ()),
        ("5", "coil", 0xAC, 0xAC, (1,)),
        ("6", "holding_register", 1, 1, (3,)),
        ("15", "coil", 0x13, 0x1C, (1, 0, 1, 1, 0, 0, 1, 1, 1, 0)),
        ("16", "holding_register", 1, 2, (10, 0x102)),
        ("21", "file", 400007, 400009, (0x6AF, 0x4BE, 0x100D)),
        ("22", "holding_register", 4, 4, ()),
        ("24", "fifo", 0x4DE, 0x4DE, ()),
        ("8/11", "diagnostic", 11, 11, ()),
    ],
)
def test_what_a_request_names(code: str, space: str, first: int, last: int, values: tuple[int, ...]) -> None:
    row = asked(SPECIFIED[code][0])
    assert (row.space, row.first, row.last) == (space, first, last)
    assert row.samples == ((Values(space, first, values),) if values else ())


def bits(octets: str) -> tuple[float, ...]:
    return tuple(float(octet >> bit & 1) for octet in bytes.fromhex(octets) for bit in range(8))


@pytest.mark.parametrize(
    ("code", "space", "first", "values"),
    [
        ("1", "coil", -1, bits("CD6B05")),
        ("2", "discrete_input", -1, bits("ACDB35")),
        ("3", "holding_register", -1, (0x22B, 0, 100)),
        ("4", "input_register", -1, (10,)),
        ("24", "fifo", 0, (0x1B8, 0x1284)),
        ("17", "server_id", 0, (b"PLC0\xff",)),
        ("8/2", "diagnostic", 2, (0x1234,)),
        ("8/14", "diagnostic", 14, (0x102,)),
    ],
)
def test_the_values_of_an_answer(code: str, space: str, first: int, values: tuple[float | bytes, ...]) -> None:
    row = answered(SPECIFIED[code][1])
    assert row.samples == (Values(space, first, values),)
    if code in ("1", "2", "3", "4"):
        assert (row.first, row.last) == (-1, -1)


def test_an_answer_to_a_write_repeats_the_object_and_gives_no_values() -> None:
    for code in ("5", "6", "15", "16", "21", "22"):
        request, response = asked(SPECIFIED[code][0]), answered(SPECIFIED[code][1])
        assert (request.space, request.first, request.last) == (response.space, response.first, response.last)
        assert response.samples == ()


def test_single_values_stand_in_the_row() -> None:
    assert [asked(SPECIFIED[code][0]).value for code in ("5", "6", "8/1", "16")] == [1, 3, 0xFF00, None]
    assert [answered(SPECIFIED[code][1]).value for code in ("4", "7", "8/12", "11", "3", "1")] == [10, 0x6D, 0x102, 0x108, None, None]
    assert asked("0F 0004 0001 01 01").value == 1
    assert asked("10 0004 0001 02 0007").value == 7


def test_function_23_writes_and_reads() -> None:
    write, read = told(MODBUS, [mbap(SPECIFIED["23"][0])])
    assert [(row.code, row.effect, row.part, row.space) for row in (write, read)] == [
        ("23", "value.write", 0, "holding_register"),
        ("23", "value.read", 1, "holding_register"),
    ]
    assert (write.first, write.last, write.samples) == (14, 16, (Values("holding_register", 14, (255, 255, 255)),))
    assert (read.first, read.last, read.samples) == (3, 8, ())
    assert write.transaction == read.transaction
    write, read = told(MODBUS, [mbap(SPECIFIED["23"][1], ANSWER)])
    assert (write.samples, read.samples) == ((), (Values("holding_register", -1, (0xFE, 0xACD, 1, 3, 13, 255)),))
    refused = told(MODBUS, [mbap("97 02", ANSWER)])
    assert [(row.code, row.part, row.error, row.outcome, row.effect) for row in refused] == [
        ("23", 0, 2, FAILURE, "value.write"),
        ("23", 1, 2, FAILURE, "value.read"),
    ]
    assert [row.anomalies for row in told(MODBUS, [mbap("17 0003 0006 000E 0003 04 00FF 00FF")])] == [("byte_count_mismatch",)] * 2


def test_file_records_span_all_that_a_message_names() -> None:
    row = asked(SPECIFIED["20"][0])
    assert (row.space, row.first, row.last, row.distinct) == ("file", 300009, 400002, 2)
    assert answered(SPECIFIED["20"][1]).samples == ()
    assert answered("14 06 05 06 0DFE 0020").samples == (Values("file", -1, (0xDFE, 0x20)),)
    row = asked("15 12 06 0001 0002 0001 0005 06 0001 0009 0001 0006")
    assert (row.first, row.last, row.distinct) == (100002, 100009, 2)
    assert row.samples == (Values("file", 100002, (5,)), Values("file", 100009, (6,)))


def test_device_identification() -> None:
    row = answered(SPECIFIED["43/14"][1])
    assert (row.code, row.effect, row.space) == ("43/14", "identity.read", "identity")
    assert row.samples == (Values("identity", 0, (b"ABC",)), Values("identity", 1, (b"PX",)), Values("identity", 2, (b"V2.10",)))
    assert asked("2B 0E 04 02").first == 2
    many = "".join(f"{n:02X} 01 41" for n in range(20))
    assert len(answered("2B 0E 02 01 00 00 14" + many).samples) == MODBUS.samples_each


def test_exceptions() -> None:
    for message in EXCEPTIONS:
        for row in told(MODBUS, [message]):
            assert (row.code, row.error) == (str(message.data[7] & 0x7F), message.data[8])
            assert (row.role, row.outcome, row.anomalies) == (RESPONSE, FAILURE, ())


def test_unknown_functions_render() -> None:
    for code in range(1, 128):
        for row in (asked(f"{code:02X}"), only(mbap(f"{code:02X} 000102030405", ANSWER))) if str(code) not in FUNCTIONS else ():
            assert (row.action, row.effect, row.anomalies) == (f"function_{code}", "unknown", ())
    assert asked("08 0063 0000").action == "function_8_99"
    assert asked("2B 63").action == "function_43_99"


def test_function_90_hands_on_what_it_carries() -> None:
    given = [mbap("5A 00 02"), mbap("5A 00 FE 01", ANSWER), mbap("DA 01", ANSWER), mbap("DA 01"), mbap("03 0000 0001"), mbap("5A")]
    _, operations, _ = run(MODBUS, given)
    assert [(int(row.payload_length), int(row.selector)) for row in operations] == [(2, 90), (3, 90), (0, -1), (0, -1), (0, -1), (0, 90)]
    start = PAD + 8  # behind the header and the function code of the first
    assert operations.payload.tolist()[:2] == [start, start + len(given[0].data) + PAD]


def test_broadcast_on_a_serial_line_awaits_nothing() -> None:
    assert only(rtu("06 0001 0003", unit=0)).transaction == -1
    assert only(mbap("06 0001 0003", unit=0)).transaction == 0x1234 << 8


@pytest.mark.parametrize(
    ("body", "side", "anomalies"),
    [
        ("01 0000 0000", ASK, ("bad_count",)),
        ("01 0000 07D1", ASK, ("bad_count",)),
        ("03 0000 007E", ASK, ("bad_count",)),
        ("03 FFFF 0002", ASK, ("bad_count",)),
        ("0F 0000 07B1 F7" + "00" * 247, ASK, ("bad_count",)),
        ("10 0000 007C F8" + "00" * 248, ASK, ("bad_count", "bad_length")),
        ("03 0000", ASK, ("short",)),
        ("03", ASK, ("short",)),
        ("03 0000 0001 00", ASK, ("trailing_bytes",)),
        ("05 0000 0001", ASK, ("bad_value",)),
        ("05 0000", ASK, ("short",)),
        ("10 0000 0002 03 000A 01", ASK, ("byte_count_mismatch",)),
        ("10 0000 0002 04 000A 01", ASK, ("short",)),
        ("10 0000 0002 04 000A 0102 00", ASK, ("trailing_bytes",)),
        ("0F 0013 000A 01 CD", ASK, ("byte_count_mismatch",)),
        ("03 00", ANSWER, ("bad_count",)),
        ("03 03 0000 00", ANSWER, ("byte_count_mismatch",)),
        ("03 04 0000", ANSWER, ("short",)),
        ("01 01 00 0000", ANSWER, ("trailing_bytes",)),
        ("07 00", ASK, ("trailing_bytes",)),
        ("08 0001 1234", ASK, ("bad_value",)),
        ("08 0004 0001", ASK, ("bad_value",)),
        ("08 00", ASK, ("short",)),
        ("11 05 00", ANSWER, ("short",)),
        ("14 00", ASK, ("bad_count",)),
        ("14 08 06 0004 0001 0002 00", ASK, ("short",)),
        ("14 07 05 0004 0001 0002", ASK, ("bad_value",)),
        ("15 0D 06 0004 0007 0004 06AF 04BE 100D", ASK, ("short",)),
        ("15 0B 06 0004 0007 0003 06AF 04BE 100D", ASK, ("byte_count_mismatch",)),
        ("16 0004 00F2", ASK, ("short",)),
        ("18 0008 0002 01B8 1284 0000", ANSWER, ("byte_count_mismatch",)),
        ("18 0042 0020" + "0000" * 32, ANSWER, ("bad_count",)),
        ("2B", ASK, ("short",)),
        ("2B 0E 05 00", ASK, ("bad_value",)),
        ("2B 0E 01 01 00 00 02 00 01 41 01 20 41", ANSWER, ("short",)),
        ("83", ANSWER, ("short",)),
        ("83 02 00", ANSWER, ("trailing_bytes",)),
        ("00", ASK, ("bad_value",)),
        ("83 02", ASK, ("bad_value",)),
    ],
)
def test_malformed(body: str, side: int, anomalies: tuple[str, ...]) -> None:
    assert set(only(mbap(body, side)).anomalies) == set(anomalies)


def test_wrong_headers() -> None:
    good = mbap("03 0000 0001").data
    assert only(Message(good[:2] + b"\1\0" + good[4:])).anomalies == ("wrong_protocol_id",)
    assert only(Message(good + b"\0")).anomalies == ("bad_length", "trailing_bytes")
    assert only(Message(good[:-1])).anomalies == ("bad_length", "short")
    assert only(Message(rtu("03 0000 0001").data[:-1] + b"\0", framing=1)).anomalies == ("bad_crc",)


def test_only_schneiders_function_is_longer_than_the_specification_allows() -> None:
    assert MODBUS.framings[0].most == 1030
    assert asked("5A" + "00" * 1022).anomalies == ()
    assert asked("41" + "00" * 252).anomalies == ()
    assert asked("41" + "00" * 253).anomalies == ("bad_length",)


def test_broken_framing_is_one_row_that_claims_nothing() -> None:
    for side in (ASK, ANSWER):
        row = only(Message(b"GET / HTTP/1.1\r\n", side, marks=BROKEN))
        assert (row.code, row.unit, row.transaction, row.effect, row.role) == ("", -1, -1, "unknown", side)
        assert row.anomalies == ("wrong_protocol_id",)
        assert row.space == ""
    assert only(Message(b"\0\1\0\0\0\1\1", marks=BROKEN)).anomalies == ("bad_length",)
    assert only(Message(b"\0", marks=BROKEN)).anomalies == ("bad_length",)
    assert only(Message(b"GET /", framing=1, marks=BROKEN)).anomalies == ("bad_crc",)


def test_what_the_capture_cut_off_is_no_fault_of_the_sender() -> None:
    whole = mbap(SPECIFIED["16"][0])
    for length in range(8, len(whole.data)):
        row = only(whole.but(whole.data[:length], CUT))
        assert (row.code, row.anomalies, row.short) == ("16", (), 1)
    row = only(whole.but(whole.data[:-2], CUT))
    assert row.samples == (Values("holding_register", 1, (10,)),)
    assert (row.first, row.last) == (1, 2)
    line = rtu(SPECIFIED["16"][0])
    assert only(line.but(line.data[:9], CUT)).anomalies == ()


def test_many_messages_keep_their_values_apart() -> None:
    rows = told(MODBUS, list(EXAMPLES))
    alone = [row for message in EXAMPLES for row in told(MODBUS, [message])]
    assert [row.samples for row in rows] == [row.samples for row in alone]
    assert [row.code for row in rows] == [row.code for row in alone]


@pytest.mark.skipif(INTERPRETED, reason="this is the interpreted run")
def test_all_this_holds_interpreted_too() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
