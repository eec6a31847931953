"""DNP3, message by message: every function, object headers and values of real captures, frames in parts, and what is wrong with malformed ones."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest

from sensors.codes.dnp3 import FUNCTIONS, GROUPS
from sensors.engine.tables import AFTER_GAP, BROKEN, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS, UNANSWERED, VALUE
from sensors.protocols.dnp3 import DNP3
from tests.protocol_battery import Message, Row, Values, run, told
from tests.wire import START, Packet, Talk, ethernet, ipv4, udp, watch

MASTER, OUTSTATION = 100, 5


def crc(data: bytes) -> bytes:
    """The CRC of IEEE 1815-2012, 9.2.4.2, bit by bit."""
    value = 0
    for octet in data:
        for bit in range(8):
            value = value >> 1 ^ 0xA6BC if (value ^ octet >> bit) & 1 else value >> 1
    return (value ^ 0xFFFF).to_bytes(2, "little")


def link(control: int, data: bytes = b"", side: int = 0, unit: int = OUTSTATION, master: int = MASTER) -> Message:
    """A link frame: the header and blocks of sixteen octets, each with its CRC."""
    ends = (unit, master) if control & 0x80 else (master, unit)
    header = struct.pack("<HBBHH", 0x6405, 5 + len(data), control, *ends)
    blocks = (data[at : at + 16] for at in range(0, len(data), 16))
    return Message(header + crc(header) + b"".join(block + crc(block) for block in blocks), side)


def repaired(data: bytes) -> bytes:
    """A frame of these octets, whose length and CRCs are right."""
    body = b"".join(data[at : at + 16] for at in range(10, len(data), 18))[:250]
    header = b"\x05\x64" + bytes([5 + len(body)]) + data[3:8].ljust(5, b"\0")
    return header + crc(header) + b"".join(body[at : at + 16] + crc(body[at : at + 16]) for at in range(0, len(body), 16))


def ask(body: str, sequence: int = 0, unit: int = OUTSTATION, transport: int = 0xC0) -> Message:
    """A request: function and objects in hex."""
    return link(0xC4, bytes([transport, 0xC0 | sequence]) + bytes.fromhex(body), 0, unit)


def answer(body: str, sequence: int = 0, indications: str = "0000", control: int = 0xC0, function: int = 129) -> Message:
    """A response: objects in hex."""
    return link(0x44, bytes([0xC0, control | sequence, function]) + bytes.fromhex(indications + body), 1)


def report(body: str, indications: str = "0000") -> Message:
    return answer(body, 0, indications, 0xF0, 130)


def parts(fragment: bytes, control: int, side: int, first: int = 0, size: int = 249) -> list[Message]:
    """The frames of a fragment: segments of the transport function, numbered from `first`."""
    pieces = [fragment[at : at + size] for at in range(0, len(fragment), size)]
    ends = [(0x40 if number == 0 else 0) | (0x80 if number == len(pieces) - 1 else 0) for number in range(len(pieces))]
    return [link(control, bytes([end | (first + number) % 64]) + piece, side) for number, (end, piece) in enumerate(zip(ends, pieces, strict=True))]


def named(name: str) -> str:
    """The octets of a text, in hex."""
    return name.encode().hex()


def free(group: int, variation: int, body: str) -> str:
    """An object in free format, in hex."""
    return f"{group:02X}{variation:02X}5B01" + struct.pack("<H", len(bytes.fromhex(body))).hex() + body


CROB = "0C01 17 01 08 {:02X} 01 F4010000 00000000 {:02X}"
OPEN = "1A00 0A00 000000000000 0000 00000000 00000000 0100 0004 0100" + named("config.xml")
WRITING = OPEN.replace(" ", "").replace("01000004", "02000004")
OPENED, CLOSING, REFUSED = "78563412000100000004010000", "78563412000000000004010000", "00000000000000000000000003"
SIZES = ("19", "00100000"), ("19", "FFFFFFFF"), ("1B", "00100000")  # to be opened, and deleted
FILE = {
    25: free(70, 3, OPEN.replace(" ", "")),
    26: free(70, 4, CLOSING),
    27: free(70, 3, OPEN.replace(" ", "")),
    28: free(70, 7, "140008000000000000000000000000000000010000"[:40] + named("logs.txt")),
    29: free(70, 2, "0C0004001000040000000000" + named("userword")),
    30: free(70, 4, "78563412000000000004010000"),
    31: free(70, 8, named("config.xml")),
}
REQUESTS = {
    "0": "00", "1": "01 3C02 06 3C03 06 3C04 06 3C01 06", "2": "02 3201 07 01 C9B3B2570100", "7": "07 1400 06", "8": "08 1400 06", "9": "09 1400 06",
    "10": "0A 1400 06", "11": "0B 3202 07 01 000000000000 10270000 1400 06", "12": "0C 3202 07 01 000000000000 10270000 1400 06", "13": "0D", "14": "0E",
    "15": "0F", "16": "10 5A01 5B 01 0400 61626364", "17": "11 5A01 5B 01 0400 61626364", "18": "12 5A01 5B 01 0400 61626364", "19": "13",
    "20": "14 3C02 06 3C03 06 3C04 06", "21": "15 3C02 06 3C03 06 3C04 06", "22": "16 3C02 06 0100 06", "23": "17", "24": "18",
    **{str(code): f"{code:02X} {body}" for code, body in FILE.items()},
    "32": "20 7801 5B 01 0800 0000000001000400", "33": "21 7802 5B 01 0800 0000000001000400",
    **{f"{code}": f"{code:02X} 2902 28 0100 0300 6400 00" for code in (3, 4, 5, 6)},
    **{path: f"{int(path.split('/')[0]):02X}" + CROB.format(int(path.split("/")[1]), 0) for path in FUNCTIONS if path[:2] in ("3/", "4/", "5/", "6/")},
}  # fmt: skip
LINKS = {path: int(path.split("/")[1]) for path in FUNCTIONS if path.startswith("256/") and path not in ("256/67", "256/68")}
ANALOGS = "".join(f"01{number:08X}" for number in range(100))
LONG = bytes.fromhex("C3810000" + "1E01 00 0063" + ANALOGS)  # 100 analog inputs: three frames
READ_CAPTURED = "056414c4020003004503c7c8013c02063c03063c04063c010642ac"
ANSWER_CAPTURED = (
    "05647444030002006854f4c88100000102000008810181010101d3740101010a02000006000000000000011e6ca40100000e01ef030000010300000001ed2178030000012bd1ffff01ed"
    "03000001e62e41c9000001170d0200000000000001b50c02c650000000000000018a0d020000000000000693000000000000000000000000000000ffff"
)
OPERATE_CAPTURED = "056418c405006400feddcfc3040c011701078101f40100000000be54000000ffff"
OPERATED_CAPTURED = "05641a4464000500c0aee1c38102000c011701078101f401000036940000000000ffff"
REPORT_CAPTURED = "05640a4400000100b938c3c181060051630564224400000100e753c4f28200000201170a0181010100810000e60101810101008100010181010173b5"


def captured(text: str, side: int) -> Message:
    return Message(bytes.fromhex(text), side)


EXAMPLES = (
    *(ask(body, number % 16) for number, body in enumerate(REQUESTS.values())),
    *(link(0x80 | function, b"", 0) for function in LINKS.values() if function & 0x40),
    *(link(function, b"", 1) for function in LINKS.values() if function & 0x40 == 0),
    replace(link(0xC4, b"\x81" + bytes(20)), marks=AFTER_GAP),
    replace(link(0xC3, b"\x81" + bytes(20)), marks=AFTER_GAP),
    link(0xC3, b"\xc1\xc1\x01\x3c\x02\x06"),
    captured(READ_CAPTURED, 0),
    captured(ANSWER_CAPTURED, 1),
    captured(OPERATE_CAPTURED, 0),
    captured(OPERATED_CAPTURED, 1),
    *(captured(REPORT_CAPTURED[at:end], 1) for at, end in ((0, 34), (34, None))),
    *parts(LONG, 0x44, 1),
    answer("", 4, "9000"),
    answer("", 5, function=131),
    report("0201 17 01 00 81"),
    report("3301 07 01 C9B3B2570100 0203 17 02 00 81 0A00 01 01 1400"),
    answer("3402 07 01 8813", 6),
    ask("19" + free(70, 3, WRITING), 7),
    answer(free(70, 4, OPENED), 7),
    ask("02" + free(70, 5, "7856341202000080" + "00" * 20), 8),
    answer(free(70, 6, "785634120200008000"), 8),
    ask("1A" + free(70, 4, CLOSING), 9),
    ask("19" + free(70, 3, WRITING), 10),
    answer(free(70, 4, REFUSED), 10),
)


def only(message: Message) -> Row:
    (row,) = told(DNP3, [message])
    return row


def samples_of(*given: Message) -> Any:
    return run(DNP3, list(given))[2]


@pytest.mark.parametrize("code", sorted(REQUESTS))
def test_every_request_is_understood_without_complaint(code: str) -> None:
    row = told(DNP3, [ask(REQUESTS[code], 7)])[0]
    assert (row.code, row.action, row.anomalies, row.short) == (code, FUNCTIONS[code].name, (), 0)
    assert (row.role, row.outcome, row.unit, row.error) == (REQUEST, UNANSWERED, OUTSTATION, -1)
    never = code.split("/")[0] in ("0", "6", "8", "10", "12", "33")
    assert (row.transaction == -1) == never


@pytest.mark.parametrize("code", sorted(LINKS))
def test_every_function_of_the_link(code: str) -> None:
    function = LINKS[code]
    row = only(link(0x80 | function, b"", 0))
    assert (row.code, row.action, row.effect, row.unit, row.anomalies) == (code, FUNCTIONS[code].name, FUNCTIONS[code].effect, OUTSTATION, ())
    assert (row.transaction >= 0) == (function in (64, 66, 73))
    assert only(link(function, b"", 1)).role == REPORT, "what an outstation asks or says of itself"


def test_the_link_is_asked_and_answers() -> None:
    asked, answered, refused = told(DNP3, [link(0xC9), link(0x0B, b"", 1), link(0x0F, b"", 1)])
    assert (asked.role, answered.role, answered.outcome) == (REQUEST, RESPONSE, SUCCESS)
    assert asked.transaction == answered.transaction
    assert (refused.role, refused.transaction) == (REPORT, -1), "an answer too many"
    _, refused = told(DNP3, [link(0xC2), link(0x0F, b"", 1)])
    assert (refused.role, refused.outcome, DNP3.errors[refused.error]) == (RESPONSE, FAILURE, "link_service_not_supported")


def test_a_captured_read_and_its_answer() -> None:
    """Values as an independent reader shows them: nine binary inputs, seven binary outputs, fifteen analog inputs."""
    asked, answered = told(DNP3, [captured(READ_CAPTURED, 0), captured(ANSWER_CAPTURED, 1)])
    assert (asked.code, asked.effect, asked.unit, asked.space, asked.first, asked.last, asked.distinct) == ("1", "interrogation", 2, "class", 0, 3, 4)
    assert (answered.code, answered.role, answered.outcome, answered.transaction) == ("129", RESPONSE, SUCCESS, asked.transaction)
    assert answered.samples == (
        Values("binary_input", 0, (1, 0, 1, 0, 0, 0, 0, 0, 0)),
        Values("binary_output", 0, (0, 0, 0, 0, 0, 0, 0)),
        Values("analog_input", 0, (1007, 3, 1005, -11989, 1005, 12006, 134423, 0, 134325, 0, 134538, 0, 0, 0, 0)),
        Values("internal_indications", 0, (0,)),
    )
    runs = samples_of(captured(ANSWER_CAPTURED, 1))[:3]
    assert runs.quality_at.tolist() == [0, 0, 0]
    assert runs.stride.tolist() == [1, 1, 5]


def test_a_captured_operation() -> None:
    asked, answered = told(DNP3, [captured(OPERATE_CAPTURED, 0), captured(OPERATED_CAPTURED, 1)])
    assert (asked.code, asked.action, asked.effect) == ("4/129", "operate_pulse_on_trip", "output.operate")
    assert (asked.unit, asked.space, asked.first, asked.last, asked.value) == (5, "binary_output", 7, 7, 0x81)
    assert asked.samples == (
        Values("control_code", 7, (129,)), Values("control_count", 7, (1,)), Values("control_on_time", 7, (500,)), Values("control_off_time", 7, (0,)),
    )  # fmt: skip
    assert (answered.first, answered.outcome, answered.error, answered.transaction) == (7, SUCCESS, -1, asked.transaction)


def test_a_captured_report() -> None:
    """An empty response and ten changes in one segment."""
    empty, row = told(DNP3, [captured(REPORT_CAPTURED[:34], 1), captured(REPORT_CAPTURED[34:], 1)])
    assert (empty.code, empty.samples) == ("129", (Values("internal_indications", 0, (6,)),))
    assert (row.code, row.role, row.space, row.first, row.transaction) == ("130", REPORT, "binary_input", -1, -1)
    assert [(value.first, value.values[0]) for value in row.samples[:-1]] == [
        (1, 1), (1, 0), (0, 1), (0, 0), (1, 1), (1, 0), (0, 1), (0, 0), (1, 1), (1, 0),
    ]  # fmt: skip


def test_a_report_of_one_point_is_about_that_point() -> None:
    row = only(report("0201 17 01 07 81"))
    assert (row.space, row.first, row.last, row.value) == ("binary_input", 7, 7, 1)


VALUES = [
    ("0101 00 0009 FF01", "binary_input", (1, 1, 1, 1, 1, 1, 1, 1, 1, 0), None),
    ("0301 00 0002 39", "double_bit_input", (1, 2, 3), None),
    ("0302 00 0001 8141", "double_bit_input", (2, 1), 0x81),
    ("0A02 00 0001 8101", "binary_output", (1, 0), None),
    ("1401 00 0000 01FFFFFFFF", "counter", (4294967295,), None),
    ("1406 00 0001 01000200", "counter", (1, 2), None),
    ("1505 00 0000 01 07000000 0100000000 00", "frozen_counter", (7,), 1),
    ("1E02 00 0001 01FFFF 010100", "analog_input", (-1, 1), None),
    ("1E03 00 0000 FEFFFFFF", "analog_input", (-2,), None),
    ("1E05 00 0000 01 0000C03F", "analog_input", (1.5,), None),
    ("1E06 00 0000 01 000000000000F8BF", "analog_input", (-1.5,), None),
    ("2203 00 0000 0000803F", "analog_deadband", (1.0,), None),
    ("2802 00 0000 01 6400", "analog_output", (100,), None),
    ("3201 07 01 C9B3B2570100", "time", (0x0157B2B3C9,), None),
    ("3402 07 01 8813", "time_delay", (5000,), None),
    ("7901 00 0000 01 0000 05000000", "security_statistic", (5,), None),
]


@pytest.mark.parametrize(("objects", "space", "values", "quality"), VALUES)
def test_values_of_static_objects(objects: str, space: str, values: tuple[float, ...], quality: int | None) -> None:
    row = only(answer(objects))
    assert row.anomalies == ()
    assert [value for each in row.samples[:-1] for value in each.values][: len(values)] == list(values)
    assert {each.space for each in row.samples[:-1]} == {space}
    assert row.samples[0].first == 0
    if quality is not None:
        assert samples_of(answer(objects))[0].quality == quality


EVENTS = [
    ("0202 17 01 03 81 C9B3B2570100", "binary_input", 3, 1, 0x81, 1476171_903_945),
    ("0402 28 0100 0300 C1 C9B3B2570100", "double_bit_input", 3, 3, 0xC1, 1476171_903_945),
    ("0D02 17 01 03 80 C9B3B2570100", "binary_command", 3, 1, -1, 1476171_903_945),
    ("1605 17 01 03 01 07000000 C9B3B2570100", "counter", 3, 7, 1, 1476171_903_945),
    ("2003 28 0100 0A01 21 FFFFFFFF C9B3B2570100", "analog_input", 266, -1, 0x21, 1476171_903_945),
    ("2007 17 01 03 01 0000C03F C9B3B2570100", "analog_input", 3, 1.5, 1, 1476171_903_945),
    ("2A04 17 01 03 01 FFFF C9B3B2570100", "analog_output", 3, -1, 1, 1476171_903_945),
    ("2B02 17 01 03 00 6400", "analog_command", 3, 100, -1, -1),
    ("3301 07 01 C9B3B2570100 0203 17 01 03 81 0A00", "binary_input", 3, 1, 0x81, 1476171_903_955),
    ("0203 17 01 03 81 0A00", "binary_input", 3, 1, 0x81, -1),
]


@pytest.mark.parametrize(("objects", "space", "point", "value", "quality", "milliseconds"), EVENTS)
def test_values_of_events(objects: str, space: str, point: int, value: float, quality: int, milliseconds: int) -> None:
    milliseconds = milliseconds if milliseconds < 0 else milliseconds - 1476171_903_945 + 0x0157B2B3C9
    sample = samples_of(report(objects))[0]
    assert (DNP3.spaces[sample.space], sample["first"], sample.value, sample.encoding) == (space, point, value, VALUE)
    assert (sample.quality, sample.stamp) == (quality, milliseconds * 1_000_000 if milliseconds >= 0 else -1)


def test_texts() -> None:
    row = only(answer("00FC 00 0000 01 04" + named("ACME") + "00FA 00 0000 01 03" + named("RTU") + "00F1 00 0000 02 02 0A00"))
    assert row.samples[:-1] == (Values("device_attribute", 252, (b"ACME",)), Values("device_attribute", 250, (b"RTU",)), Values("device_attribute", 241, (10,)))
    assert only(answer("6E03 00 0405 616263646566")).samples[:2] == (Values("octet_string", 4, (b"abc",)), Values("octet_string", 5, (b"def",)))
    assert only(report("6F02 17 01 09 6869")).samples[0] == Values("octet_string", 9, (b"hi",))


def test_internal_indications_are_a_point() -> None:
    row, (sample,) = only(answer("", 0, "9001")), samples_of(answer("", 0, "9001"))
    assert row.samples == (Values("internal_indications", 0, (0x190,)),)
    assert [name for bit, name in enumerate(DNP3.qualities["internal_indications"]) if sample.quality >> bit & 1] == [
        "need_time", "device_restart", "no_func_code_support",
    ]  # fmt: skip
    assert (row.outcome, DNP3.errors[row.error]) == (FAILURE, "no_func_code_support")
    assert [DNP3.errors.get(only(answer("", 0, f"00{1 << bit:02X}")).error) for bit in range(6)] == [
        "no_func_code_support", "object_unknown", "parameter_error", None, "already_executing", "config_corrupt",
    ]  # fmt: skip


READS = [
    ("01 1E00 06", "value.read", "analog_input", -1, -1),
    ("01 0102 00 0509", "value.read", "binary_input", 5, 9),
    ("01 0102 01 0500 0901", "value.read", "binary_input", 5, 265),
    ("01 1E01 02 00000100 01000100", "value.read", "analog_input", 65536, 65537),
    ("01 1E01 17 02 03 09", "value.read", "analog_input", 3, 9),
    ("01 3C01 06", "interrogation", "class", 0, 0),
    ("01 3C02 07 0A", "value.read", "class", 1, 1),
    ("01 00FE 00 0000", "identity.read", "device_attribute", 254, 254),
    ("01 3201 07 01", "time.read", "time", -1, -1),
    ("01 2201 06", "configuration.read", "analog_deadband", -1, -1),
    ("01 5001 00 0007", "diagnostics.read", "internal_indications", 0, 7),
    ("02 5001 00 0707 00", "diagnostics.reset", "internal_indications", 7, 7),
    ("02 3201 07 01 C9B3B2570100", "time.write", "time", -1, -1),
    ("02 2201 17 01 04 0A00", "configuration.write", "analog_deadband", 4, 4),
    ("02 6E03 17 01 04 616263", "value.write", "octet_string", 4, 4),
    ("05 2902 28 0100 0300 6400 00", "setpoint.write", "analog_output", 3, 3),
    ("03 2902 28 0100 0300 6400 00", "output.select", "analog_output", 3, 3),
    ("05 0C01 17 01 08 20 01 00000000 00000000 00", "output.cancel", "binary_output", 8, 8),
    ("16 3C02 06", "configuration.write", "class", 1, 1),
    ("20 780B 5B 01 0400 00000000", "credential.change", "authentication", 11, 11),
]  # fmt: skip


@pytest.mark.parametrize(("body", "effect", "space", "first", "last"), READS)
def test_what_a_request_names(body: str, effect: str, space: str, first: int, last: int) -> None:
    row = told(DNP3, [ask(body)])[0]
    assert (row.effect, row.space, row.first, row.last, row.anomalies) == (effect, space, first, last, ())


def test_each_object_header_and_each_control_is_a_row() -> None:
    rows = told(DNP3, [ask("01 0102 00 0003 1E00 06 3C02 06 3C03 06"), answer("0102 00 0003 81818181")])
    assert [(row.role, row.part, row.space, row.first, row.last) for row in rows] == [
        (REQUEST, 0, "binary_input", 0, 3), (REQUEST, 1, "analog_input", -1, -1), (REQUEST, 2, "class", 1, 2),
        (RESPONSE, 0, "", -1, -1), (RESPONSE, 1, "", -1, -1), (RESPONSE, 2, "", -1, -1),
    ]  # fmt: skip
    assert len({row.transaction for row in rows}) == 1
    two = "0C01 28 0200 0100 41 01 64000000 00000000 {:02X} 0200 81 01 64000000 00000000 {:02X}"
    rows = told(DNP3, [ask("05" + two.format(0, 0)), answer(two.format(0, 4))])
    assert [(row.code, row.part, row.first, row.outcome, DNP3.errors.get(row.error)) for row in rows] == [
        ("5/65", 0, 1, UNANSWERED, None), ("5/129", 1, 2, UNANSWERED, None), ("129", 0, 1, SUCCESS, None), ("129", 1, 2, FAILURE, "control_not_supported"),
    ]  # fmt: skip
    refused = told(DNP3, [ask("05" + two.format(0, 0)), answer("", 0, "0004")])[2:]
    assert [(row.part, row.outcome, DNP3.errors[row.error]) for row in refused] == [(part, FAILURE, "parameter_error") for part in (0, 1)]


def test_files() -> None:
    memory_rows = run(DNP3, [ask(REQUESTS["25"])])
    row, (operation,) = memory_rows[0][0], memory_rows[1]
    assert (row.effect, row.space, operation.name_octets) == ("file.read", "file", len("config.xml"))
    assert only(ask("19" + free(70, 3, WRITING))).effect == "file.write"
    opened = only(answer(free(70, 4, OPENED)))
    assert (opened.space, opened.first, opened.outcome, opened.value) == ("file", 0x12345678, SUCCESS, 256)
    assert [only(ask(function + free(70, 3, WRITING.replace("00" * 4 + "0200", size + "0200")))).value for function, size in SIZES] == [4096, None, None]
    assert only(answer(free(70, 4, CLOSING))).value is None
    refused = only(answer(free(70, 4, REFUSED)))
    assert (refused.outcome, DNP3.errors[refused.error]) == (FAILURE, "file_not_found")
    block = only(ask("01" + free(70, 5, "7856341202000080")))
    assert (block.effect, block.first, block.value) == ("file.read", 0x12345678, 2)
    assert only(ask("02" + free(70, 5, "7856341202000080" + "00" * 20))).effect == "file.write"
    assert only(ask("1B" + free(70, 3, OPEN.replace(" ", "")))).effect == "file.delete"


def test_blocks_of_a_file_are_called_by_its_name() -> None:
    """From the answer on that gave it a handle; another station's handle is another file."""
    opened, handle = free(70, 4, OPENED), "78563412"
    block, closed = free(70, 5, f"{handle}02000080"), free(70, 4, CLOSING)
    given = [
        ask(REQUESTS["25"], 1),
        answer(opened, 1),
        ask("01" + block, 2),
        answer(free(70, 5, f"{handle}020000800102"), 2),
        ask("1A" + closed, 3),
        ask("01" + block, 4, unit=9),
    ]
    called = [(row.code, row.name, row.first) for row in told(DNP3, given)]
    assert called == [
        ("25", "config.xml", -1), ("129", "config.xml", 0x12345678), ("1", "config.xml", 0x12345678), ("129", "config.xml", 0x12345678),
        ("26", "config.xml", 0x12345678), ("1", "", 0x12345678),
    ]  # fmt: skip
    refused = [given[0], answer(opened, 5), given[2]]
    assert [row.name for row in told(DNP3, refused)] == ["config.xml", "", ""], "an answer to something else"
    (line,) = [line for line in watch(framed(given[:4], 1400)).lines if line["action"] == "read"]
    assert (line["effect"], line["object"]["name"], line["object"]["first"]) == ("file.read", "config.xml", 0x12345678)


def test_a_confirmed_frame_that_is_sent_again_is_no_operation() -> None:
    """Its frame count bit tells it from a second one that says the same (IEEE 1815-2012, 9.2.4)."""
    operate = bytes.fromhex("C0C0 05" + CROB.format(0x41, 0))
    first, second, reset = link(0xF3, operate), link(0xD3, operate), link(0xC0)
    rows = told(DNP3, [first, first, second, second, first])
    assert [(row.code, row.effect, row.anomalies) for row in rows] == [
        ("5/65", "output.operate", ()), ("256/67", "data.exchange", ("repeated_frame",)), ("5/65", "output.operate", ()),
        ("256/67", "data.exchange", ("repeated_frame",)), ("5/65", "output.operate", ()),
    ]  # fmt: skip
    assert [row.code for row in told(DNP3, [first, reset, first])] == ["5/65", "256/64", "5/65"], "numbered anew"
    assert [row.code for row in told(DNP3, [first, replace(first, marks=AFTER_GAP)])] == ["5/65"] * 2, "the capture may have lost the one between"
    uncounted = link(0xC3, operate)
    assert [row.code for row in told(DNP3, [uncounted, uncounted])] == ["5/65"] * 2
    longer = bytes.fromhex("C0C0 05 0C01 17 03 08 41 01 F4010000 00000000 00 09 41 01 F4010000 00000000 00 0A")
    other = longer + bytes.fromhex("41 01 F4010000 00000000 00"), longer + bytes.fromhex("81 01 F4010000 00000000 00")
    assert [row.code for row in told(DNP3, [link(0xF3, body) for body in other])] == ["5/65"] * 5 + ["5/129"]


def test_the_state_of_the_station_is_told_beside_its_answer() -> None:
    (line,) = watch(framed([ask("01 3C01 06", 3), answer("0102 00 0000 81", 3, "9000")], 1400)).lines
    state = {"space": "internal_indications", "first": 0, "value": 144.0, "quality": ["need_time", "device_restart"]}
    assert (line["values"], line["beside"]) == ([1], [state])


def test_authentication_is_recognised() -> None:
    aggressive = "05 7803 07 01 000000000100" + CROB.format(0x41, 0) + free(120, 9, "00" * 16)
    (row,) = told(DNP3, [ask(aggressive)])
    assert (row.code, row.space, row.first, row.anomalies) == ("5/65", "binary_output", 8, ())
    failed = only(answer(free(120, 7, "0000000001000100" + "01" + "000000000000"), function=131))
    assert (failed.code, DNP3.errors[failed.error]) == ("131", "authentication_failed")


def in_turn(messages: list[Message]) -> list[dict[str, Any]]:
    """What is listed of these messages, a segment each, in the order in which they were sent."""
    talk = Talk(port=20000).open()
    for message in messages:
        talk.put(message.side, message.data)
    return sorted(watch(talk.packets).lines, key=lambda row: row["packet"] or row["response_packet"])


def test_a_sequence_number_that_is_in_use() -> None:
    """The second request comes while the first one waits; what the link itself asks has no number."""
    given = [ask("01 3C01 06", 3), ask("0D", 3), answer("0102 00 0000 81", 3), ask("01 3C01 06", 4)]
    said = {(line["action"], *line["anomaly"]) for line in in_turn(given)}
    assert said == {("read",), ("cold_restart", "reused_transaction")}
    assert [line["anomaly"] for line in in_turn([link(0xC9), link(0xC9), link(0x0B, side=1)])] == [[], []]


CHALLENGED = [
    ask("05" + CROB.format(0x41, 0), 3), answer(free(120, 1, "01000000 0100 05 01 00112233".replace(" ", "")), 3, function=131),
    ask("20" + free(120, 2, "010000000100" + "00" * 16), 3),
]  # fmt: skip


def test_a_challenge_answers_nothing() -> None:
    """What is operated succeeds when it was operated, not when its master was asked who it is."""
    operated, challenge, reply = in_turn([*CHALLENGED, answer(CROB.format(0x41, 4), 3)])
    assert (operated["action"], operated["packet"], operated["response_packet"]) == ("direct_operate_pulse_on_close", 4, 7)
    assert (operated["outcome"], operated["error"]) == ("failure", "control_not_supported")
    assert [(row["action"], row["outcome"], row["error"], row["anomaly"]) for row in (challenge, reply)] == [
        ("authentication_response", "success", None, []), ("authentication_request", "unknown", None, []),
    ]  # fmt: skip


@pytest.mark.parametrize("controls", [1, 2])
def test_who_does_not_prove_who_he_is_operates_nothing(controls: int) -> None:
    refused = answer(free(120, 7, "0100000001000100" + "01" + "000000000000"), 3, function=131)
    several = ask("05" + f"0C01 17 {controls:02X}" + CROB.format(0x41, 0)[10:] * controls, 3)
    rows = in_turn([several, *CHALLENGED[1:], refused])
    operated = [row for row in rows if row["action"].startswith("direct_operate")]
    assert [(row["outcome"], row["error"], row["response_packet"]) for row in operated] == [("failure", "authentication_failed", 7)] * controls


def test_frames_are_put_together() -> None:
    frames = parts(LONG, 0x44, 1)
    assert len(frames) == 3
    (row,) = told(DNP3, frames)
    assert (row.message, row.octets, row.anomalies) == (2, sum(len(frame.data) for frame in frames), ())
    assert row.samples[0] == Values("analog_input", 0, tuple(int.from_bytes(number.to_bytes(4, "big"), "little", signed=True) for number in range(100)))
    for first in (0, 62, 63):
        assert len(told(DNP3, parts(LONG, 0x44, 1, first))) == 1, "segment numbers wrap"
    writing = parts(bytes([0xC0]) + bytes.fromhex("02 6EC8 00 0001" + "41" * 400), 0xC4, 0)
    (row,) = told(DNP3, writing)
    assert (row.code, row.space, row.first, row.last, len(row.samples)) == ("2", "octet_string", 0, 1, 2)


def test_a_fragment_that_goes_on_is_a_report() -> None:
    rows = told(DNP3, [ask("01 3C01 06", 2), answer("0101 00 0007 FF", 2, control=0x80), answer("0101 00 080F FF", 3, control=0x40)])
    assert [(row.role, row.code, row.anomalies) for row in rows] == [(REQUEST, "1", ()), (RESPONSE, "129", ()), (REPORT, "129", ())]
    assert rows[2].samples[0] == Values("binary_input", 8, (1,) * 8)
    lost = told(DNP3, [answer("", 2, control=0x80), answer("", 4, control=0x40)])
    assert lost[1].anomalies == ("fragment_sequence",)


GOOD = ask("01 3C02 06", 9)


@pytest.mark.parametrize(
    ("bad", "anomalies"),
    [
        ([ask("01 3C02")], ("short",)),
        ([ask("01 0102 00 05")], ("short",)),
        ([answer("0102 00 0005 8181")], ("short",)),
        ([answer("2003 17 02 00 01 00000000")], ("short",)),
        ([ask("05 0C01 17 01 08 41 01")], ("short",)),
        ([answer("1E01 00 0500")], ("bad_range",)),
        ([ask("01 3C02 0B")], ("bad_qualifier",)),
        ([ask("01 3C02 7F")], ("bad_qualifier",)),
        ([ask("01 3C02 16")], ("bad_qualifier",)),
        ([ask("02 2201 06")], ("bad_qualifier",)),
        ([ask("01 FF00 06")], ("unknown_object",)),
        ([ask("01 1E09 06")], ("unknown_object",)),
        ([answer("FF01 00 0000 00")], ("unknown_object",)),
        ([answer("1E09 00 0000 00")], ("unknown_object",)),
        ([ask("05" + CROB.format(0xC1, 0))], ("bad_value",)),
        ([ask("05" + CROB.format(0x07, 0))], ("bad_value",)),
        ([report("0202 17 01 03 81 FFFFFFFFFFFF")], ("bad_value",)),
        ([report("3301 07 01 FFFFFFFFFFFF 0203 17 01 03 81 0A00")], ("bad_value",)),
        ([link(0x44, bytes.fromhex("C0C0013C0206"))], ("bad_direction",)),
        ([link(0xC4, bytes.fromhex("C0C0810000"), 1)], ("bad_direction",)),
        ([link(0xC4, bytes.fromhex("C080013C0206"))], ("fragment_sequence",)),
        ([answer("", 0, control=0xD0)], ("fragment_sequence",)),
        ([answer("", 0, control=0xC0, function=130)], ("fragment_sequence",)),
        ([ask("01 3C02 06", transport=0x80)], ("transport_sequence",)),
        ([parts(LONG, 0x44, 1)[0], parts(LONG, 0x44, 1)[2]], ("transport_sequence",)),
        ([parts(LONG, 0x44, 1)[0], answer("")], ("transport_interrupted",)),
        ([parts(LONG, 0x44, 1)[0], *parts(LONG, 0x44, 1, 9)], ("transport_interrupted",)),
        (parts(bytes(5000), 0x44, 1)[:17], ("too_long",)),
        ([link(0xC4)], ("bad_length",)),
        ([link(0xC0, b"\0")], ("bad_length",)),
        ([link(0xC4, b"\xc0")], ("short",)),
        ([link(0xC4, b"\xc0\xc0")], ("short",)),
        ([link(0x44, bytes.fromhex("C0C08100"), 1)], ("short",)),
        ([replace(GOOD, data=GOOD.data[:-1] + b"\0")], ("bad_crc",)),
        ([replace(GOOD, data=GOOD.data[:9] + b"\0" + GOOD.data[10:])], ("bad_crc",)),
        ([Message(b"GET / HTTP/1.1\r\n", marks=BROKEN)], ("bad_start",)),
        ([Message(b"\x05\x64\x04\xc0", marks=BROKEN)], ("bad_length",)),
    ],
)  # fmt: skip
def test_malformed_and_the_next_good_message(bad: list[Message], anomalies: tuple[str, ...]) -> None:
    rows = told(DNP3, [*bad, GOOD, answer("", 9)])
    assert set(anomalies) <= {name for row in rows[:-2] for name in row.anomalies}
    assert rows[-3].anomalies == anomalies
    assert [(row.code, row.anomalies, row.transaction) for row in rows[-2:]] == [("1", (), rows[-1].transaction), ("129", (), rows[-2].transaction)]


def test_octets_with_a_wrong_crc_answer_nothing() -> None:
    good = answer("0102 00 0000 81", 3)
    spoilt = replace(good, data=good.data[:-1] + bytes([good.data[-1] ^ 1]))
    asked, row = told(DNP3, [ask("01 3C01 06", 3), spoilt])
    assert (row.code, row.anomalies, row.role, row.transaction, row.samples) == ("129", ("bad_crc",), REPORT, -1, ())
    assert asked.transaction >= 0


def test_what_the_capture_cut_off_is_no_fault_of_the_sender() -> None:
    for whole in (captured(READ_CAPTURED, 0), captured(ANSWER_CAPTURED, 1), captured(OPERATE_CAPTURED, 0)):
        for length in range(len(whole.data)):
            assert all(row.anomalies == () for row in told(DNP3, [whole.but(whole.data[:length], CUT)]))
    row = only(captured(ANSWER_CAPTURED, 1).but(bytes.fromhex(ANSWER_CAPTURED)[:28], CUT))
    assert row.samples[0] == Values("binary_input", 0, (1, 0, 1, 0, 0, 0))


def test_a_broadcast_awaits_nothing() -> None:
    assert only(ask("0D", unit=0xFFFF)).transaction == -1


def test_more_controls_than_rows() -> None:
    many = "05 0C01 28 4600" + "".join(f"{point:02X}00 41 01 64000000 00000000 00" for point in range(70))
    rows = told(DNP3, parts(bytes([0xC0]) + bytes.fromhex(many), 0xC4, 0))
    assert (len(rows), rows[-1].first, rows[-1].last, rows[-1].distinct) == (64, 63, 69, 7)


def test_every_group_of_the_table_is_laid_out() -> None:
    """Octets of the variations that the specification tells in annex A."""
    octets = {
        (1, 2): 1, (2, 2): 7, (2, 3): 3, (4, 2): 7, (12, 1): 11, (20, 1): 5, (20, 6): 2, (21, 5): 11, (22, 6): 9, (30, 6): 9, (32, 8): 15, (40, 4): 9,
        (41, 1): 5, (41, 4): 9, (43, 8): 15, (50, 1): 6, (50, 2): 10, (50, 4): 11, (52, 2): 2, (81, 1): 3, (101, 3): 8, (121, 1): 7, (122, 2): 13,
    }  # fmt: skip
    for (group, variation), size in octets.items():
        for spare, anomalies in ((0, ()), (1, ("short",))):
            rows = told(DNP3, [answer(f"{group:02X}{variation:02X} 00 0001" + "00" * (2 * size - spare))])
            assert {row.anomalies for row in rows} == {anomalies}, (group, variation)
    assert {space for space, _ in GROUPS.values()} <= set(DNP3.spaces)


def framed(messages: list[Message], step: int, port: int = 20000) -> list[Packet]:
    """Both streams in segments of so many octets."""
    talk = Talk(port=port).open()
    for side in (0, 1):
        stream = b"".join(message.data for message in messages if message.side == side)
        for at in range(0, len(stream), step):
            talk.put(side, stream[at : at + step])
    return talk.close().packets


@pytest.mark.parametrize("step", [1, 7, 50, 1400])
def test_a_serial_line_carried_by_tcp(step: int) -> None:
    """Frames do not align with segments."""
    given = [ask("01 3C01 06", 3), *parts(LONG, 0x44, 1)]
    (line,) = watch(framed(given, step)).lines
    assert (line["action"], line["outcome"], line["unit"], line["anomaly"]) == ("read", "success", OUTSTATION, [])
    assert line["values"][:2] == [0, 0x01000000]
    assert len(line["values"]) == 100, "internal indications are not what was asked"


def test_datagrams() -> None:
    sent = [(ask("01 3C02 06", 3), 40000, 20000), (answer("0102 00 0000 81", 3), 20000, 40000)]
    ends = (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1"))
    packets = [
        Packet(ethernet(ipv4(udp(message.data, source, target), *ends[number], 17)), START + number * 1000)
        for number, (message, source, target) in enumerate(sent)
    ]
    (line,) = watch(packets).lines
    assert (line["protocol"], line["action"], line["values"], line["rtt_us"]) == ("dnp3", "read", [1], 1.0)


def test_pipelined_controls_are_known_by_their_points() -> None:
    """A master that asks on with sequence numbers that are in use, as in a public capture."""
    points = (8, 10, 12)
    asked = [ask("03" + CROB.replace("08 {", f"{point:02X} {{").format(0x42, 0), 7) for point in points]
    answered = [answer(CROB.replace("08 {", f"{point:02X} {{").format(0x42, status), 7) for point, status in zip(points, (0, 4, 0), strict=True)]
    lines = watch(framed([*asked, *answered], 1400)).lines
    assert [(line["object"]["first"], line["outcome"], line["anomaly"]) for line in lines] == [(8, "success", []), (10, "failure", []), (12, "success", [])]


def test_points_have_quality_and_time() -> None:
    seen = watch(framed([report("2003 17 01 03 21 FFFFFFFF C9B3B2570100")], 1400))
    (row,) = [row for row in seen.points if row["ot.object.space"] == "analog_input"]
    assert (row["ot.object.first"], row["ot.point.last"], row["ot.point.quality"]) == (3, -1.0, ["online", "over_range"])
    assert round(row["ot.point.time"].timestamp() * 1000) == 0x0157B2B3C9


@pytest.mark.parametrize("first", [0, 1])
def test_who_is_the_outstation_does_not_depend_on_who_connects(first: int) -> None:
    """An outstation may call its master, and of datagrams from and to the same port the first one may come from either."""
    given = [report("0201 17 01 07 81"), ask("01 3C02 06", 3), answer("0102 00 0000 81", 3)]
    if first:
        given = given[1:] + given[:1]
    ends = {1: ("10.0.0.5", "10.0.0.1"), 0: ("10.0.0.1", "10.0.0.5")}
    called = Talk("10.0.0.5", "10.0.0.1", 20000).open()
    for message in given:
        called.put(1 - message.side, message.data)
    datagrams = [
        Packet(ethernet(ipv4(udp(message.data, 20000, 20000), *ends[message.side], 17)), START + number * 1000) for number, message in enumerate(given)
    ]
    for packets in (called.close().packets, datagrams):
        lines = {line["action"]: line for line in watch(packets).lines}
        assert set(lines) == {"unsolicited_response", "read"}
        assert (lines["unsolicited_response"]["source"]["ip"], lines["read"]["destination"]["ip"]) == ("10.0.0.5", "10.0.0.5")
        assert lines["read"]["outcome"] == "success"
        assert {row["destination.ip"] for row in watch(packets).points} == {"10.0.0.5"}


def test_a_wrong_direction_bit_turns_nobody_round() -> None:
    """As in a public capture of an attack: a request whose frame says that it comes from an outstation."""
    (line,) = watch(framed([link(0x44, bytes.fromhex("C0C30E"), 0, MASTER, OUTSTATION), answer("3402 07 01 8813", 3)], 1400)).lines
    assert (line["action"], line["outcome"], line["unit"], line["anomaly"]) == ("warm_restart", "success", OUTSTATION, ["bad_direction"])
    assert (line["source"]["port"], line["destination"]["port"]) == (40000, 20000)


def test_who_asks_is_who_spoke_whatever_its_frames_say() -> None:
    """As in a made-up capture: an end that acknowledges as an outstation, then reads."""
    talk = Talk(port=20000, client_port=33100).open()
    talk.ask(link(0x00, b"", 0).data + link(0x44, bytes.fromhex("C0C3013C0206"), 0, MASTER, OUTSTATION).data)
    read = next(line for line in watch(talk.packets).lines if line["action"] == "read")
    assert (read["source"]["port"], read["destination"]["port"], read["anomaly"]) == (33100, 20000, ["bad_direction"])


@pytest.mark.parametrize(
    ("headers", "classes"),
    [("3C02 06 3C03 06 3C04 06 3C01 06", [(0, 3)]), ("3C01 06 3C02 06 3C04 06", [(0, 1), (3, 3)]), ("3C04 06 3C02 06", [(3, 3), (1, 1)])],
)
def test_a_read_names_the_classes_that_it_asks_for_and_no_other(headers: str, classes: list[tuple[int, int]]) -> None:
    assert [(row.first, row.last) for row in run(DNP3, [ask("01" + headers)])[0]] == classes
