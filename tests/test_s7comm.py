"""S7comm, PDU by PDU: those of a SIMATIC S7-300 as captured (icsnpp-s7comm's snap7.pcap), every function, and what is wrong with malformed ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from sensors.codes.s7comm import FUNCTIONS, SPACES, label
from sensors.engine.tables import BROKEN, CUT, FAILURE, REPORT, REQUEST, RESPONSE, SUCCESS, UNANSWERED
from sensors.protocols.cotp import COTP
from sensors.protocols.s7comm import S7COMM
from tests.cli import lines
from tests.protocol_battery import Message, Row, Segment, Values, streamed, told
from tests.require import need
from tests.wire import Talk, watch

SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "captures" / "conformance"
ASK, ANSWER = 0, 1


def pdu(text: str, side: int = ASK, marks: int = 0) -> Message:
    """A PDU in hex."""
    return Message(bytes.fromhex(text), side, 0, marks)


def job(parameter: str, data: str = "", side: int = ASK, reference: int = 7) -> Message:
    """A job."""
    first, second = bytes.fromhex(parameter), bytes.fromhex(data)
    return Message(b"\x32\1\0\0" + reference.to_bytes(2) + len(first).to_bytes(2) + len(second).to_bytes(2) + first + second, side)


def ack(parameter: str, data: str = "", error: int = 0, side: int = ANSWER, reference: int = 7) -> Message:
    """An acknowledgement with data."""
    first, second = bytes.fromhex(parameter), bytes.fromhex(data)
    head = b"\x32\3\0\0" + reference.to_bytes(2) + len(first).to_bytes(2) + len(second).to_bytes(2) + error.to_bytes(2)
    return Message(head + first + second, side)


def user(
    kind: int, group: int, second: int, content: str | None = None, error: int = 0, side: int | None = None, series: int = 0, unit: int = 0, more: int = 0
) -> Message:
    """User data: kind 4 asks, 8 answers, 0 indicates."""
    long = kind in (0, 8) or unit
    head = bytes.fromhex("000112") + bytes([8 if long else 4, 0x12 if long else 0x11, kind << 4 | group, second, series])
    head += bytes([unit, more]) + error.to_bytes(2) if long else b""
    octets = bytes.fromhex(content) if content is not None else b""
    data = b"\xff\x09" + len(octets).to_bytes(2) + octets if content is not None else bytes.fromhex("0a000000")
    whole = b"\x32\7\0\0\0\7" + len(head).to_bytes(2) + len(data).to_bytes(2) + head + data
    return Message(whole, (ASK if kind == 4 else ANSWER) if side is None else side)


def item(kind: int, count: int, block: int, area: int, byte: int, bit: int = 0) -> str:
    """An S7ANY item."""
    address = byte if area in (0x1C, 0x1D) else byte * 8 + bit
    return f"120A10{kind:02X}{count:04X}{block:04X}{area:02X}{address:06X}"


# Frame by frame what a SIMATIC S7-300 was asked, and answered.
SETUP = pdu("32010000000000080000f0000001000101e0"), pdu("32030000000000080000" + "0000" + "f0000001000100f0", ANSWER)
SZL_11 = (
    pdu("320700000100000800080001120411440100ff09000400110000"),
    pdu(
        "320700000100000c007c000112081284010200000000ff09007800110000001c0004"
        "0001 36455337203331352d32454831342d3041423020 00c0 0003 0001"
        "0006 36455337203331352d32454831342d3041423020 00c0 0003 0001"
        "0007 2020202020202020202020202020202020202020 00c0 5603 0207"
        "0081 426f6f74204c6f61646572202020202020202020 0000 4120 0909",
        ANSWER,
    ),
)
SZL_424 = (
    pdu("320700000500000800080001120411440100ff09000404240000"),
    pdu("320700000500000c0020000112081284010200000000ff09001c04240000001400015144ff0800000000000000001602081451375692", ANSWER),
)
START_UPLOAD = pdu("320100000800001200001d00000000000000095f3042303030303041"), pdu("3203000008000010000000001d000100000000070730303030323136", ANSWER)
UPLOAD = pdu("320100000900000800001e00000000000007"), pdu("320300000900000200060000" + "1e00" + "000200fb7070", ANSWER)
END_UPLOAD = pdu("320100000a00000800001f00000000000007"), pdu("320300000a000001000000001f", ANSWER)
BLOCK_INFO = pdu("320700000b000008000c0001120411430300ff0900083041303030303041"), pdu("320700000b00000c000400011208128303000000d2090a000000", ANSWER)
START_UPLOAD_OB0 = pdu("320100001500001200001d00000000000000095f3038303030303041"), pdu("32020000150000000000d20c", ANSWER)
READ_CLOCK = pdu("320700001600000800040001120411470100" + "0a000000"), pdu("320700001600000c000e000112081287010000000000ff09000a00191602081451379162", ANSWER)
SET_CLOCK = pdu("3207000017000008000e0001120411470200ff09000a00191602082308100002"), pdu("320700001700000c00040001120812870200000000000a000000", ANSWER)
WRITE_REAL = pdu("320100001800000e00080501120a100800010000830000800007000479e9f642"), pdu("3203000018000002000100000501ff", ANSWER)
READ_REAL = pdu("320100001900000e00000401120a10080001000083000080"), pdu("3203000019000002000800000401ff07000400000000", ANSWER)
STOP = pdu("320100001c000010000029000000000009505f50524f4752414d"), pdu("320300001c0000010000000029", ANSWER)
COPY = pdu("320100001d000012000028000000000000fd00024550055f4d4f4455"), pdu("320300001d0000010000000028", ANSWER)
COMPRESS = pdu("320100001e000010000028000000000000fd0000055f47415242")
COLD = pdu("320100001f000016000028000000000000fd0002432009505f50524f4752414d")
WARM = job("28000000000000fd000009505f50524f4752414d")
INSERT = job("28000000000000fd000a0100 3041303030303150 055f494e5345")
DELETE = job("28000000000000fd00120200 3041303030313242 3041303030313342 055f44454c45")
OTHER_SERVICE = job("28000000000000fd0000095f4e5f4c4f47494e5f")
# A controller asks its client for the block that is downloaded to it.
DOWNLOAD = job("1a00000000000000095f3038303030303150 0d31303030323138303030313734"), ack("1a")
NEXT = job("1b00000000000000095f3038303030303150", side=ANSWER, reference=0x300), ack("1b00", "000400fb70700a0b", side=ASK, reference=0x300)
DONE = job("1c00000000000000095f3038303030303150", side=ANSWER, reference=0x301), ack("1c", side=ASK, reference=0x301)

READ_MANY = job("0404" + item(1, 1, 1, 0x84, 0, 0) + item(2, 1, 1, 0x84, 20) + item(4, 3, 1, 0x84, 4) + item(8, 1, 0, 0x82, 8))
MANY = ack("0404", "ff0300010100" + "ff0400082a00" + "ff040030000100020003" + "ff0700043f800000")
CYCLIC = user(4, 2, 1, "00010101" + item(4, 2, 5, 0x84, 2))
CYCLES = user(8, 2, 1, "0001ff04002000070008", series=9), user(0, 2, 1, "0001ff04002000090008", series=9)
# A table of variables: MB10, DB5.DBW20, DB7.DBX9.2; with values, a byte of fill behind the first. As tshark reads them.
WATCHED = "0003 0101 0000 000A 7201 0005 0014 7002 0007 0009"
NEW_VALUES = "FF040008 2A00 FF040010 1234 FF030001 01"


def variable_table(second: int, data: str, kind: int = 4, error: int = 0) -> Message:
    """Data about a table of variables, behind their parameters."""
    parameters = "0000 0001" if kind == 8 else "00" * 20
    head = f"{len(bytes.fromhex(parameters)):04X}{len(bytes.fromhex(data)):04X}"
    return user(kind, 1, second, head + parameters + data, error)


WATCH = variable_table(2, WATCHED), variable_table(2, f"0003 {NEW_VALUES}", 8)
MODIFY = variable_table(8, WATCHED + NEW_VALUES), variable_table(8, "", 8)
FORCE = variable_table(9, WATCHED + NEW_VALUES), variable_table(9, "", 8)
NO_CONTENT = [tuple(int(part) for part in path.split("/")) for path in FUNCTIONS if path.startswith("7/") and "*" not in path]
EXAMPLES = (
    *SETUP, *SZL_11, *SZL_424, *START_UPLOAD, *UPLOAD, *END_UPLOAD, *BLOCK_INFO, *START_UPLOAD_OB0, *READ_CLOCK, *SET_CLOCK, *WRITE_REAL, *READ_REAL,
    *STOP, *COPY, COMPRESS, COLD, WARM, INSERT, DELETE, OTHER_SERVICE, *DOWNLOAD, *NEXT, *DONE, READ_MANY, MANY, CYCLIC, *CYCLES, *WATCH, *MODIFY, *FORCE,
    *(user(0 if group == 0 else 4, group, second) for _, group, second in NO_CONTENT),
    user(4, 6, 77), user(4, 3, 2, "3041"), job("00"), pdu("320200000500000000000000", ANSWER),
    job("0501" + item(1, 1, 0, 0x82, 4, 2), "0003000101"),
    job("0401 12 0e b2 ff 0000 0052 ea2db0d9 40000010"), job("0401 12 07 b0 01 04 0001 0008 00"), job("0401 12 08 82 41 0001 0002 7f 01"),
)  # fmt: skip


def rows(*given: Message) -> list[Row]:
    return told(S7COMM, list(given))


def only(message: Message) -> Row:
    (row,) = rows(message)
    return row


def names(*given: Message) -> list[str]:
    """What the objects of these are called on the wire."""
    return [row.name for row in told(S7COMM, list(given))]


def test_setup() -> None:
    ask, answer = rows(*SETUP)
    assert (ask.action, ask.effect, ask.role, ask.transaction) == ("setup_communication", "session.open", REQUEST, answer.transaction)
    assert ask.samples == (Values("session", 0, (1,)), Values("session", 1, (1,)), Values("session", 2, (480,)))
    assert (answer.role, answer.outcome, answer.value, ask.value) == (RESPONSE, SUCCESS, 240, None)


def test_a_controller_says_what_it_is() -> None:
    ask, answer = rows(*SZL_11)
    assert (ask.code, ask.action, ask.effect, ask.first) == ("7/4/1", "read_szl", "identity.read", 0x00110000)
    assert answer.samples[:3] == (
        Values("module_identification", 1, (b"6ES7 315-2EH14-0AB0",)),
        Values("module_identification", 6, (b"6ES7 315-2EH14-0AB0",)),
        Values("module_identification", 7, (0x030207,)),
    )
    assert S7COMM.fact is not None
    assert S7COMM.fact("module_identification", 7, 0x030207) == "V3.2.7"
    assert S7COMM.fact("component_identification", 9, 42) == "Siemens"
    assert label("status_list", 0x00110001, 0x00110001) == "SZL W#16#0011, W#16#0001"


def test_a_list_in_two_data_units_is_read_whole() -> None:
    record = "0005" + b"S C-B1U393142011".hex() + "00" * 16
    content = "001c0000 0022 0002 0001" + b"PLC_1".hex() + "00" * 27 + record
    whole = bytes.fromhex(content)
    first, last = (user(8, 4, 1, part.hex(), unit=0xD5, more=more) for part, more in ((whole[:50], 1), (whole[50:], 0)))
    nexts = user(4, 4, 1, None, unit=0xD5)
    ask = user(4, 4, 1, "001c0000")
    found = rows(ask, first, nexts, last)
    assert [row.effect for row in found] == ["identity.read"] * 4
    assert [row.samples for row in found] == [
        (), (), (), (Values("component_identification", 1, (b"PLC_1",)), Values("component_identification", 5, (b"S C-B1U393142011",))),
    ]  # fmt: skip
    assert found[3].first == 0x001C0000


def test_the_mode_of_a_controller() -> None:
    ask, answer = rows(*SZL_424)
    assert (ask.effect, answer.effect) == ("mode.read", "mode.read")
    assert (answer.value, answer.samples) == (8, (Values("operating_mode", 0, (8,)),)), "RUN"


def test_uploads_name_their_block_until_they_end() -> None:
    given = [*START_UPLOAD, *UPLOAD, *END_UPLOAD]
    assert [row.action for row in rows(*given)] == ["start_upload"] * 2 + ["upload"] * 2 + ["end_upload"] * 2
    assert {row.effect for row in rows(*given)} == {"program.upload"}
    assert names(*given) == ["SDB0", "", "SDB0", "", "SDB0", ""]
    assert names(*UPLOAD) == ["", ""], "whose beginning was not seen"


@pytest.mark.parametrize(
    ("spoilt", "anomalies"),
    [
        ("3301000000010002000004 01", ["wrong_protocol_id"]), ("3209000000010002000004 01", ["bad_value"]), ("3201000000010002", ["short"]),
        ("3201 0000 0001 00C8 0000 0401", ["short"]), ("7201000000010002000004", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("known", [True, False])
def test_what_is_no_pdu_in_a_session_is_named(spoilt: str, anomalies: list[str], known: bool) -> None:
    """The next good one is decoded. Where S7comm was not spoken before, other protocols over COTP may be meant."""
    carried = [pdu(spoilt), *WRITE_REAL]
    talk = Talk(port=102).open()
    for message in [*SETUP, *carried] if known else carried:
        talk.put(message.side, b"\3\0" + (len(message.data) + 7).to_bytes(2) + b"\2\xf0\x80" + message.data)
    lines = sorted(watch(talk.packets).lines, key=lambda row: row["packet"] or row["response_packet"])
    bad, good = lines[-2:]
    assert bad["anomaly"] == (anomalies if known or bad["protocol"] == "s7comm" else [])
    assert (good["action"], good["outcome"], good["anomaly"]) == ("write_var", "success", [])


def test_how_much_of_a_program_moved() -> None:
    """Where a transfer begins its length is told, of each piece how much came before it, at the end how much came."""

    def values(*given: Message) -> list[float | None]:
        return [row.value for row in rows(*given) if row.role == REQUEST or row.action == "start_upload"]

    assert values(*START_UPLOAD, *UPLOAD, *UPLOAD, *END_UPLOAD) == [None, 216, 0, 2, 4]
    assert values(*DOWNLOAD, *NEXT, *NEXT, *NEXT, *DONE) == [218, 0, 4, 8, 12]
    other = job("1b00000000000000095f3038303030303950", side=ANSWER, reference=0x300)
    assert values(*NEXT, *DONE, other) == [None] * 3, "whose beginning was not seen"
    assert values(*DOWNLOAD, other, *NEXT, *DONE) == [218, None, 0, 4], "of another block that has its place"
    answer = ack("1b00", "00ff00fb70700a0b", side=ASK, reference=0x300)
    assert rows(*DOWNLOAD, NEXT[0], answer)[-1].anomalies == ("bad_length",)
    assert values(*DOWNLOAD, NEXT[0], answer, *DONE) == [218, 0, 4]
    assert values(*DOWNLOAD, NEXT[0], answer.but(answer.data[:-2], CUT), *DONE) == [218, 0, 255], "all of it came, though not all was captured"
    assert only(job("1a00000000000000095f3038303030303150 0d31303078303138303030313734")).anomalies == ("bad_value",)


def test_an_acknowledgement_that_refuses() -> None:
    ask, answer = rows(*START_UPLOAD_OB0)
    assert (answer.transaction, answer.outcome, S7COMM.errors[answer.error]) == (ask.transaction, FAILURE, "priority_class_missing")
    assert names(START_UPLOAD_OB0[0]) == ["OB0"]
    assert (answer.action, answer.effect) == ("start_upload", "program.upload"), "it names no function: that of its request"
    assert only(START_UPLOAD_OB0[1]).action == "acknowledgement"
    assert [row.code for row in rows(*COPY)] == ["40/6"] * 2
    answer = rows(*BLOCK_INFO)[1]
    assert (answer.code, answer.outcome, S7COMM.errors[answer.error]) == ("7/3/3", FAILURE, "block_not_on_module")
    assert names(BLOCK_INFO[0]) == ["DB0"]


def test_downloads() -> None:
    given = [*DOWNLOAD, *NEXT, *DONE]
    assert [row.action for row in rows(*given)] == ["request_download"] * 2 + ["download_block"] * 2 + ["download_ended"] * 2
    assert [(row.role, row.effect) for row in rows(*given)] == [(REQUEST, "program.download"), (RESPONSE, "program.download")] * 3
    assert names(*given) == ["OB1", ""] * 3
    ask, answer = rows(*NEXT)
    assert ask.transaction == answer.transaction != rows(job("1b00", reference=0x300))[0].transaction


@pytest.mark.parametrize(
    ("message", "action", "effect", "name", "distinct"),
    [
        (STOP[0], "plc_stop", "cpu.stop", "", 1),
        (COPY[0], "copy_ram_to_rom", "memory.copy", "", 1),
        (COMPRESS, "compress_memory", "configuration.write", "", 1),
        (COLD, "cold_restart", "cpu.start", "", 1),
        (WARM, "warm_restart", "cpu.start", "", 1),
        (INSERT, "insert_block", "program.activate", "DB1", 1),
        (DELETE, "delete_block", "program.delete", "DB12, DB13", 2),
        (OTHER_SERVICE, "pi_service", "unknown", "_N_LOGIN_", 1),
        (user(4, 5, 1, "0011223344556677"), "set_session_password", "credential.use", "", 1),
        (user(4, 1, 9), "force", "value.force", "", 1),
        (user(4, 1, 8), "modify_variable", "value.write", "", 1),
        (user(4, 1, 12, "00"), "memory_reset", "program.delete", "", 1),
        (user(4, 3, 2, "3042"), "list_blocks_of_type", "directory.read", "SDB", 1),
        (user(4, 6, 3, "00"), "block_send_receive", "data.exchange", "", 1),
    ],
)
def test_what_acts(message: Message, action: str, effect: str, name: str, distinct: int) -> None:
    row = only(message)
    assert (row.action, row.effect, row.role, row.outcome, row.distinct, row.anomalies) == (action, effect, REQUEST, UNANSWERED, distinct, ())
    assert names(message) == [name]


def test_every_block_of_a_service_is_named() -> None:
    """Deleting DB12 and DB13 is not deleting DB12; what is no number ends the names, and is said."""
    head, tail = "28000000000000fd 001a 0300 3041303030313242", "055f44454c45"
    three, broken = job(f"{head} 3038303030303142 3045303030303742 {tail}"), job(f"{head} 3038303030304142 3045303030303742 {tail}")
    assert names(three) == ["DB12, OB1, FB7"]
    assert (names(broken), only(broken).anomalies) == (["DB12"], ("bad_value",))


def test_clock() -> None:
    assert rows(*READ_CLOCK)[1].value == 1454943097, "2016-02-08 14:51:37"
    ask, answer = rows(*SET_CLOCK)
    assert (ask.action, ask.effect, ask.value) == ("set_clock", "time.write", 1454972890), "2016-02-08 23:08:10"
    assert (answer.outcome, answer.anomalies) == (SUCCESS, ())


def test_a_mode_transition_is_reported() -> None:
    row = only(user(0, 0, 0))
    assert (row.action, row.effect, row.role, row.outcome, row.transaction) == ("mode_transition_stop", "value.report", REPORT, SUCCESS, -1)


@pytest.mark.parametrize(
    ("asked", "space", "first", "last", "written"),
    [
        (item(1, 1, 1, 0x84, 0, 0), "data_block_bit", 1_000_000, 1_000_000, "DB1.DBX0.0"),
        (item(1, 1, 12, 0x84, 4, 3), "data_block_bit", 12_000_035, 12_000_035, "DB12.DBX4.3"),
        (item(4, 1, 1, 0x84, 4), "data_block_word", 100_004, 100_005, "DB1.DBW4"),
        (item(2, 1, 1, 0x84, 4), "data_block_byte", 100_004, 100_004, "DB1.DBB4"),
        (item(8, 1, 1, 0x84, 4), "data_block_double_word", 100_004, 100_007, "DB1.DBD4"),
        (item(2, 20, 1, 0x84, 4), "data_block_byte", 100_004, 100_023, "P#DB1.DBX4.0 BYTE 20"),
        (item(1, 1, 0, 0x83, 10, 3), "memory_bit", 83, 83, "M10.3"),
        (item(1, 1, 0, 0x82, 0, 1), "output_bit", 1, 1, "Q0.1"),
        (item(5, 1, 0, 0x81, 64), "input_word", 64, 65, "IW64"),
        (item(4, 4, 0, 0x81, 64), "input_word", 64, 71, "P#I64.0 WORD 4"),
        (item(4, 1, 0, 0x80, 256), "peripheral_input_word", 256, 257, "PIW256"),
        (item(0x1D, 1, 0, 0x1D, 5), "timer", 5, 5, "T5"),
        (item(0x1C, 8, 0, 0x1C, 3), "counter", 3, 10, "C3-C10"),
        (item(6, 1, 7, 0x85, 2), "instance_block_double_word", 700_002, 700_005, "DI7.DID2"),
        (item(2, 1, 0, 0x86, 2), "local_byte", 2, 2, "LB2"),
        (item(15, 2, 3, 0x84, 0), "data_block_byte", 300_000, 300_015, "P#DB3.DBX0.0 BYTE 16"),
        ("120eb2ff00000052ea2db0d940000010", "symbol", 0xEA2DB0D9, 0xEA2DB0D9, "SYM 16#EA2DB0D9"),
        ("1207b00104000100080000", "data_block_byte", 100_008, 100_011, "P#DB1.DBX8.0 BYTE 4"),
        ("1208824100010002 7f01", "nc_variable", 0x41_0001_0002_7F, 0x41_0001_0002_7F, "NC 16#41 module 16#7F column 1 line 2"),
    ],
)
def test_addresses_as_engineers_write_them(asked: str, space: str, first: int, last: int, written: str) -> None:
    row = only(job("0401" + asked))
    assert (row.action, row.effect, row.space, row.first, row.last, row.anomalies) == ("read_var", "value.read", space, first, last, ())
    assert label(space, first, last) == written


@pytest.mark.parametrize(
    ("area", "space", "written", "effect"),
    [
        (0x03, "system_information_word", "SIW4", "value.write"), (0x05, "special_memory_word", "SMW4", "value.write"),
        (0x06, "analog_input_word", "AIW4", "value.write"), (0x07, "analog_output_word", "AQW4", "output.operate"),
        (0x1E, "counter", "C32", "value.write"), (0x1F, "timer", "T32", "value.write"),
    ],
)  # fmt: skip
def test_what_only_an_s7_200_has(area: int, space: str, written: str, effect: str) -> None:
    """Its analog values, special memory, counters and timers; the addresses of the last two are numbers, and what they tell is more than a value."""
    row, known = only(job("0501" + item(4, 1, 0, area, 4), "000400102A00")), space[:3] not in ("cou", "tim")
    assert (row.space, label(space, row.first, row.last), row.effect, row.value, row.anomalies) == (space, written, effect, 10752 if known else None, ())


def test_an_area_that_nobody_knows_is_said() -> None:
    assert only(job("0401" + item(4, 1, 0, 0x20, 4))).anomalies == ("bad_value",)


def test_what_is_written_to_the_periphery_are_outputs() -> None:
    row = only(job("0501" + item(4, 1, 0, 0x80, 256), "000400101234"))
    assert (row.space, row.effect, row.value) == ("peripheral_output_word", "output.operate", 0x1234)
    assert label("peripheral_output_word", 256, 257) == "PQW256"
    assert only(job("0501" + item(1, 1, 0, 0x82, 0, 1), "0003000101")).effect == "output.operate"
    assert only(job("0501" + item(1, 1, 0, 0x83, 0, 1), "0003000101")).effect == "value.write"


def test_every_item_is_a_row_and_has_its_value() -> None:
    found = rows(READ_MANY, MANY)
    assert [row.part for row in found] == [0, 1, 2, 3] * 2
    assert [row.samples for row in found[4:]] == [
        (Values("data_block_bit", 1_000_000, (1,)),),
        (Values("data_block_byte", 100_020, (0x2A,)),),
        (Values("data_block_word", 100_004, (1, 2, 3)),),
        (Values("output_double_word", 8, (1.0,)),),
    ]
    assert [row.value for row in found[4:]] == [1, 0x2A, None, 1.0]
    assert {row.transaction for row in found} == {found[0].transaction}
    assert [row.samples for row in rows(MANY)] == [()] * 4, "what was asked is not known"


def test_a_write_says_what_it_writes() -> None:
    row = only(WRITE_REAL[0])
    assert row.space == "memory_double_word"
    assert row.first == 16
    assert row.value == pytest.approx(1.5184998e35)
    words = only(job("0501" + item(4, 2, 1, 0x84, 4), "00040020000afff6"))
    assert words.samples == (Values("data_block_word", 100_004, (10, 0xFFF6)),)
    assert only(job("0501" + item(5, 1, 1, 0x84, 4), "00050010fff6")).value == -10


def test_timers_and_counters_are_numbers() -> None:
    ask = job("0402" + item(0x1D, 2, 0, 0x1D, 5) + item(0x1C, 1, 0, 0x1C, 3))
    answer = ack("0402", "ff09000420501999" + "ff0900020123")
    found = rows(ask, answer)[2:]
    assert [one.values for one in found[0].samples] == [(50.0,), (pytest.approx(99.9),)]
    assert [(one.space, one.first) for one in found[0].samples] == [("timer", 5), ("timer", 6)]
    assert (found[1].value, found[1].samples) == (123, (Values("counter", 3, (123,)),))


def test_items_that_fail() -> None:
    ask = job("0403" + item(4, 1, 9, 0x84, 0) + item(2, 1, 1, 0x84, 0) + item(4, 1, 1, 0x84, 9000))
    found = rows(ask, ack("0403", "0a000000" + "ff0400080700" + "05000000"))[3:]
    assert [(row.outcome, row.error) for row in found] == [(FAILURE, 10), (SUCCESS, -1), (FAILURE, 5)]
    assert [S7COMM.errors.get(row.error) for row in found] == ["object_does_not_exist", None, "address_out_of_range"]
    assert found[1].value == 7
    found = rows(job("0502" + item(2, 1, 1, 0x84, 0) * 2, "000400080700" + "0004000808"), ack("0502", "ff03"))[2:]
    assert [(row.outcome, row.error) for row in found] == [(SUCCESS, -1), (FAILURE, 3)]


def test_a_refusal_of_the_job_fails_every_item() -> None:
    found = rows(READ_MANY, pdu("32020000000700000000" + "8104", ANSWER))[4:]
    assert [(row.part, row.outcome, row.error, row.action) for row in found] == [(part, FAILURE, 0x8104, "read_var") for part in range(4)]


def test_what_is_watched_modified_and_forced() -> None:
    places = [("memory_byte", 10, 10), ("data_block_word", 500_020, 500_021), ("data_block_bit", 7_000_074, 7_000_074)]
    values = tuple(Values(space, first, (value,)) for (space, first, _), value in zip(places, (0x2A, 0x1234, 1), strict=True))
    for pair, action, effect in ((WATCH, "variable_status", "value.read"), (MODIFY, "modify_variable", "value.write"), (FORCE, "force", "value.force")):
        rows = told(S7COMM, list(pair))
        asked, answered = rows[:3], rows[3:]
        assert [(row.space, row.first, row.last) for row in asked] == places
        assert {(row.action, row.effect, row.role, row.outcome) for row in asked} == {(action, effect, REQUEST, UNANSWERED)}
        assert [(row.part, row.role, row.outcome, row.anomalies) for row in answered] == [(part, RESPONSE, SUCCESS, ()) for part in range(3)]
        assert len({row.transaction for row in rows}) == 1
        assert tuple(value for row in (answered if pair is WATCH else asked) for value in row.samples) == values


def test_outputs_that_are_modified_are_operated() -> None:
    """Also those that are reached around the process image."""
    written = "0005 2101 0000 0002 0003 0000 000A 3101 0000 0100 5401 0000 0003 6401 0000 0004" + "FF040008 0100 FF030001 0100 FF040008 0100" * 2
    rows = told(S7COMM, [variable_table(8, written)])
    assert [(row.effect, label(row.space, row.first, row.last)) for row in rows] == [
        ("output.operate", "QB2"), ("value.write", "M10.3"), ("output.operate", "PQB256"), ("value.write", "T3"), ("value.write", "C4"),
    ]  # fmt: skip
    assert [row.effect for row in told(S7COMM, [variable_table(9, written)])] == ["value.force"] * 5
    watched = told(S7COMM, [variable_table(2, "0002 2101 0000 0002 3101 0000 0100")])
    assert [(row.effect, label(row.space, row.first, row.last)) for row in watched] == [("value.read", "QB2"), ("value.read", "PIB256")]


def test_a_table_that_is_refused_or_malformed() -> None:
    refused = told(S7COMM, [FORCE[0], variable_table(9, "", 8, 0xD240)])[3:]
    assert [(row.outcome, S7COMM.errors[row.error]) for row in refused] == [(FAILURE, "coordination_rules_violated")] * 3
    assert [row.first for row in told(S7COMM, [FORCE[1]])] == [-1], "nobody asked"
    assert told(S7COMM, [variable_table(9, "0000")])[0].anomalies == ("bad_count",)
    assert told(S7COMM, [variable_table(2, "0001 4101 0000 0000")])[0].anomalies == ("bad_value",)
    assert told(S7COMM, [variable_table(2, "0001 0408 0000 0000")])[0].anomalies == ("bad_value",)
    assert "short" in told(S7COMM, [variable_table(2, "0002 0101 0000 000A")])[-1].anomalies
    assert "quantity_mismatch" in told(S7COMM, [variable_table(8, "0001 7201 0005 0014 FF040008 1200")])[0].anomalies


def test_cyclic_values_keep_their_addresses() -> None:
    ask, answer, report = rows(CYCLIC, *CYCLES)
    assert (ask.action, ask.effect, ask.first, ask.last) == ("cyclic_transfer", "value.read", 500_002, 500_005)
    assert (answer.role, answer.samples) == (RESPONSE, (Values("data_block_word", 500_002, (7, 8)),))
    assert (report.role, report.effect, report.samples) == (REPORT, "value.report", (Values("data_block_word", 500_002, (9, 8)),))


def test_symbols_have_values_by_their_size() -> None:
    found = rows(job("0401 120eb2ff00000052ea2db0d940000010"), ack("0401", "ff0700043f800000"))
    assert found[1].samples == (Values("symbol", 0xEA2DB0D9, (1.0,)),)


def test_unknown_functions_render() -> None:
    for code in (1, 2, 0x30, 0xEE):
        row = only(job(f"{code:02X}00"))
        assert (row.action, row.effect, row.anomalies) == (f"function_{code}", "unknown", ())
    assert only(user(4, 9, 9, "00")).action == "function_7_9_9"


@pytest.mark.parametrize(
    ("message", "anomalies"),
    [
        (pdu("3301000000010001000004"), ("wrong_protocol_id",)),
        (pdu("320100000001"), ("short",)),
        (pdu("32010000000100080000f000000100"), ("short",)),
        (pdu("32010000000100080000f0000001000101e000"), ("trailing_bytes",)),
        (pdu("32090000000100000000"), ("bad_value",)),
        (job("0400"), ("bad_count",)),
        (job("0401" + item(2, 0, 1, 0x84, 0)), ("bad_count",)),
        (job("0401" + "110A10020001000084000000"), ("bad_value",)),
        (job("0401" + "120910020001000084000000"), ("bad_length",)),
        (job("0401" + "120A1002000100018" + "4FFFFFF"), ("bad_value",)),
        (job("0402" + item(2, 1, 1, 0x84, 0)), ("short",)),
        (job("0501" + item(4, 2, 1, 0x84, 0), "000400100001"), ("quantity_mismatch",)),
        (job("0501" + item(4, 2, 1, 0x84, 0), "0004002000"), ("short",)),
        (ack("0401", "ff0400"), ("short",)),
        (ack("0400"), ("bad_count",)),
        (job("1d00000000000000095f30423030"), ("short",)),
        (job("1d00000000000000095f3042303058303041"), ("bad_value",)),
        (job("28000000000000fd000a0200 3041303030303150 055f494e5345"), ("bad_count",)),
        (job("28000000000000fd0000"), ("short",)),
        (user(4, 7, 2, "00191613082308100002"), ("bad_value",)),
        (user(4, 4, 1, "0011"), ("short",)),
        (user(5, 4, 1, "00110000"), ("bad_value",)),
        (pdu("320700000100000800080001130411440100ff09000400110000"), ("bad_value",)),
        (pdu("320700000100000800080001120411440100ff09000800110000"), ("short",)),
    ],
)
def test_malformed(message: Message, anomalies: tuple[str, ...]) -> None:
    found = rows(message, *READ_REAL)
    assert {row.anomalies for row in found if row.message == 0} >= {anomalies}
    assert [(row.action, row.anomalies) for row in found if row.message > 0] == [("read_var", ())] * 2
    assert found[-1].value == 0.0


def test_an_answer_of_another_size_than_was_asked_for() -> None:
    found = rows(job("0401" + item(4, 2, 1, 0x84, 0)), ack("0401", "ff0400100001"))
    assert [row.anomalies for row in found] == [(), ("quantity_mismatch",)]


def test_an_answer_to_another_function_is_said() -> None:
    talk = Talk(port=102).open()
    for message in (*SETUP, job("290000000000095f50524f4752414d"), ack("0401", "ff04000801")):
        talk.put(message.side, packets(message, 1000)[0])
    stop = next(line for line in watch(talk.packets).lines if line["action"] == "plc_stop")
    assert (stop["outcome"], stop["anomaly"]) == ("success", ["function_mismatch"])


def test_more_items_than_rows_are_counted() -> None:
    found = rows(job("0446" + item(2, 1, 1, 0x84, 0) * 70))
    assert len(found) == 64
    assert (found[-1].distinct, found[0].distinct) == (7, 1)


def test_what_was_cut_off_is_no_fault_of_the_sender() -> None:
    for message in (READ_MANY, SZL_11[1], START_UPLOAD[0]):
        for length in range(10, len(message.data)):
            for row in rows(message.but(message.data[:length], CUT)):
                assert row.anomalies == ()


def test_broken() -> None:
    assert only(pdu("00", marks=BROKEN)).anomalies == ("bad_length",)


def test_spaces_are_areas_by_width() -> None:
    assert SPACES.index("data_block_bit") == 12
    assert len(set(SPACES)) == len(SPACES) == 58
    assert label("session", 1, 1) is None


# ── over COTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def packets(message: Message, each: int) -> list[bytes]:
    """A PDU in DTs of at most so many octets."""
    parts = [message.data[at : at + each] for at in range(0, len(message.data), each)]
    dts = [b"\2\xf0" + (b"\x80" if part is parts[-1] else b"\0") + part for part in parts]
    return [b"\3\0" + (len(dt) + 4).to_bytes(2) + dt for dt in dts]


def streamed_rows(given: list[tuple[int, bytes]]) -> list[tuple[str, str, str, list[float], str, tuple[str, ...]]]:
    """What the engine says of a connection in which these segments are sent."""
    ends, segments = [0, 0], list[Segment]()
    for side, data in given:
        segments.append((side, ends[side], data))
        ends[side] += len(data)
    found = streamed(COTP, segments, (ends[0], ends[1]))
    return [
        (row["protocol"], row["action"], row["object"]["name"] or "", row["values"], row["outcome"], tuple(row["anomaly"])) for row in found
    ]  # fmt: skip


@pytest.mark.parametrize("each", [5, 11, 20, 1000])
def test_a_pdu_in_several_tsdu_parts_is_one_message(each: int) -> None:
    assert streamed_rows([(message.side, packet) for message in (READ_MANY, MANY) for packet in packets(message, each)]) == [
        ("s7comm", "read_var", name, values, "success", ())
        for name, values in (("DB1.DBX0.0", [1]), ("DB1.DBB20", [42]), ("P#DB1.DBX4.0 WORD 3", [1, 2, 3]), ("QD8", [1.0]))
    ]


def test_who_is_called_may_ask_too() -> None:
    """As controllers do of one another: its requests are its own, and answered by who called. What a client downloads, it began."""
    put, done, fetch = job("05 01" + item(2, 1, 1, 0x84, 0), "00040008 2A", ANSWER), ack("0501", "ff", side=ASK), NEXT[0]
    talk = Talk(port=102, client_port=40000).open()
    for message in (put, done, fetch):
        talk.put(message.side, packets(message, 1000)[0])
    lines = {line["action"]: line for line in watch(talk.packets).lines}
    assert {action: (line["source"]["port"], line["destination"]["port"], line["outcome"]) for action, line in lines.items()} == {
        "write_var": (102, 40000, "success"), "download_block": (40000, 102, "unknown"),
    }  # fmt: skip


def test_after_what_is_no_packet_the_next_one_is_read() -> None:
    ask, answer = READ_REAL
    given = [(0, packets(ask, 1000)[0]), (1, b"\0" * 60), (1, packets(answer, 1000)[0])]
    found = streamed_rows(given)
    assert ("s7comm", "read_var", "MD16", [0.0], "success", ()) in found
    assert [row[5] for row in found if row[0] == "cotp"] == [("wrong_version",)]


# ── captures of others ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def dissected(name: str) -> list[tuple[str, ...]]:
    """Protocol, action, object, outcome and error of each operation of a capture."""
    path = SHARED / name
    need("captures", path.is_file(), f"no {path}")
    rows = sorted(lines("dissect", path), key=lambda row: row["packet"] or row["response_packet"])
    return [(row["protocol"], row["action"], row["object"]["name"] or "", row["outcome"], row["error"] or "") for row in rows]


UPLOADED = [("start_upload", "SDB0", "success", ""), ("upload", "SDB0", "success", ""), ("end_upload", "SDB0", "success", "")]
SESSION = [  # icsnpp-s7comm's snap7.pcap: a client of snap7 and a CPU 315-2 PN/DP, as its baseline and tshark 4.0 read it
    ("setup_communication", "", "success", ""),
    ("read_szl", "SZL W#16#0011, W#16#0000", "success", ""),
    ("read_szl", "SZL W#16#001C, W#16#0000", "success", ""),
    ("read_szl", "SZL W#16#001C, W#16#0000", "success", ""),
    ("read_szl", "SZL W#16#0131, W#16#0001", "success", ""),
    ("read_szl", "SZL W#16#0424, W#16#0000", "success", ""),
    ("read_szl", "SZL W#16#0011, W#16#0000", "success", ""),
    ("list_blocks", "", "success", ""),
    *UPLOADED,
    ("get_block_info", "DB0", "failure", "block_not_on_module"),
    *UPLOADED * 3,
    ("start_upload", "OB0", "failure", "priority_class_missing"),
    ("read_clock", "", "success", ""),
    ("set_clock", "", "success", ""),
    ("write_var", "MD16", "success", ""),
    ("read_var", "MD16", "success", ""),
    ("write_var", "P#M0.0 WORD 16", "success", ""),
    ("write_var", "P#I0.0 BYTE 16", "success", ""),
    ("write_var", "P#Q0.0 BYTE 16", "success", ""),
    ("write_var", "T0-T7", "failure", "access_denied"),
    ("write_var", "C0-C7", "failure", "access_denied"),
    *(("read_var", name, "success", "") for name in ("P#M0.0 BYTE 16", "P#I0.0 BYTE 16", "P#Q0.0 BYTE 16", "T0-T7", "C0-C7")),
    ("plc_stop", "", "success", ""),
    ("copy_ram_to_rom", "", "success", ""),
    ("compress_memory", "", "success", ""),
    ("cold_restart", "", "success", ""),
]


@pytest.mark.captures
def test_a_session_with_a_controller() -> None:
    assert dissected("cisagov+icsnpp-s7comm/tests/traces/snap7.pcap") == [("s7comm", *row) for row in SESSION]


@pytest.mark.captures
def test_the_identity_of_a_controller_whose_list_is_longer_than_a_pdu() -> None:
    path = SHARED / "cisagov+icsnpp-s7comm/tests/traces/snap7.pcap"
    need("captures", path.is_file(), f"no {path}")
    told_of = [row["values"] for row in lines("dissect", path) if row["packet"] == 7]
    # without plant identification, OEM copyright and location, which are empty; 42 is Siemens
    assert told_of[0][:6] == ["S7300/ET200M station_1", "PLC_1", "Original Siemens Equipment", "S C-B1U393142011", "CPU 315-2 PN/DP", "MMC 4A1AC019"]
    assert 42 in told_of[0]


@pytest.mark.captures
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ntop+nDPI/tests/cfgs/default/pcap/rdp.pcap", {"connection_request": 1, "encrypted": 10}),
        ("ITI+ICS-Security-Tools/pcaps/s7/S7-1200-Uploading-OB1-TIAV12.pcap", {"connection_request": 1, "data": 43, "s7comm_plus": 88}),
        ("ITI+ICS-Security-Tools/pcaps/IEC61850/MMS_-_Specific_Commands/iec61850_read.pcap", {"connection_request": 1, "data": 6}),
    ],
)
def test_what_is_not_s7comm(name: str, counts: dict[str, int]) -> None:
    found = dissected(name)
    assert {row[0] for row in found} == {"cotp"}
    assert Counter(row[1] for row in found) == counts
