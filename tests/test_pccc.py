"""PCCC, message by message: commands, addresses of data files, values; what is wrong with malformed ones."""

from __future__ import annotations

import pytest

from sensors.engine.tables import CUT, FAILURE, REQUEST, RESPONSE, SUCCESS
from sensors.protocols.pccc import ERRORS, FUNCTIONS, PCCC, label, place
from tests.protocol_battery import Message, Row, Values, told

ASK, ANSWER = 0, 1


def asking(command: int, body: str = "", transaction: int = 0xC463) -> Message:
    return Message(bytes((command, 0)) + transaction.to_bytes(2, "little") + bytes.fromhex(body))


def answering(command: int, body: str = "", status: int = 0, transaction: int = 0xC463) -> Message:
    return Message(bytes((command | 0x40, status)) + transaction.to_bytes(2, "little") + bytes.fromhex(body), ANSWER)


# What a 1766-LEC tells of itself (cip_only.pcap of ICS-Security-Tools), read by tshark.
STATUS = "00 ee 4a 9f 23 313736362d4c4543202020 20 0000 26 0036829efc01"
PAIRS = {
    "0": (asking(0, "1000 0102"), answering(0)),
    "1": (asking(1, "1000 04"), answering(1, "01020304")),
    "2": (asking(2, "1000 01 00"), answering(2)),
    "4": (asking(4, "1000 04"), answering(4, "01020304")),
    "5": (asking(5, "1000 01 00"), answering(5)),
    "8": (asking(8, "1000 0102"), answering(8)),
    **{f"6/{n}": (asking(6, f"{n:02x}"), answering(6)) for n in (0, 2, 4, 5, 6, 7, 8, 9, 10)},
    "6/1": (asking(6, "01 0000 04"), answering(6, "01020304")),
    "6/3": (asking(6, "03"), answering(6, STATUS)),
    **{f"7/{n}": (asking(7, f"{n:02x}"), answering(7)) for n in (0, 1, 3, 4, 5, 6)},
    "15/0": (asking(15, "00 0000 0200 06 07 03 0100 0200"), answering(15)),
    "15/1": (asking(15, "01 0000 0200 00 24 4e373a3000 04"), answering(15, "01000200")),
    "15/2": (asking(15, "02 06 07 03 ffff 0000"), answering(15)),
    "15/38": (asking(15, "26 06 03 00 ffff 0200"), answering(15)),
    "15/136": (asking(15, "88 00"), answering(15)),
    "15/103": (asking(15, "67 0000 0100 0f 00 07 ff0001 02 42 2a00"), answering(15)),
    "15/104": (asking(15, "68 0000 0100 06 07 03 0100"), answering(15, "42 2a00")),
    "15/58": (asking(15, "3a 02"), answering(15)),
    "15/128": (asking(15, "80 01"), answering(15)),
    "15/161": (asking(15, "a1 02 07 89 03"), answering(15, "2a00")),
    "15/162": (asking(15, "a2 04 07 89 00 00"), answering(15, "2a00 ffff")),
    "15/163": (asking(15, "a3 ff94"), answering(15, "0000")),
    "15/167": (asking(15, "a7 08 0100 0200 22"), answering(15, "0102030405060708")),
    "15/169": (asking(15, "a9 02 07 89 03 2a00"), answering(15)),
    "15/170": (asking(15, "aa 04 08 8a 01 00 0000c03f"), answering(15)),
    "15/171": (asking(15, "ab 02 03 85 00 00 0200 0200"), answering(15)),
    "15/175": (asking(15, "af 02 0100 0200 22 0102"), answering(15)),
    **{f"15/{n}": (asking(15, f"{n:02x}"), answering(15)) for n in (*range(3, 11), 17, 18, 23, 24, 41, 65, 80, 82, 83, 85, 87, 94, 121, 129, 130, 143)},
}
LIST = (asking(15, "88 03 02 80 01 08 aa 02 07 89 00 00 2a00 01 52", 2), answering(15, "", transaction=2))  # to program mode, a value, done
MORE = (
    asking(15, "ab 02 03 85 00 00 0300 0300"),
    asking(15, "a2 06 04 86 00 00"),
    answering(15, "0080 6400 3200"),
    asking(15, "a2 02 04 86 00 02"),
    answering(15, "3200"),
    asking(15, "a2 04 0a 91 00 00"),
    answering(15, "ffffffff"),
    asking(15, "a2 04 08 8a 00 00"),
    answering(15, "0000c03f"),
    asking(15, "a2 54 09 8d 00 00"),
    answering(15, "02004142" + "00" * 80),
    asking(15, "a2 02 03 85 ff0001 ff0200"),
    answering(15, "ffff"),
    asking(15, "a2 02 07 89 00 00"),
    answering(15, "10", status=0xF0),
    answering(15, "", status=0x50),
    asking(15, "80 06"),
    asking(15, "80 07"),
    asking(15, "3a 00"),
    asking(15, "3a 03"),
    asking(6, "03", 1),
    answering(6, STATUS[:14] + "20" * 11 + "0000", transaction=1),
    *LIST,
)
LONE = (answering(6, transaction=0), answering(7, transaction=0), answering(15, transaction=0))
READS: tuple[tuple[str, str, dict[str, float]], ...] = (  # of a PLC-5
    ("68 0000 0100 06 07 03 0100", "42 2aff", {"#7:3": -214}),
    ("68 0000 0300 06 07 03 0300", "99 09 07 42 0100 0200 feff", {"#7:3": 1, "#7:4": 2, "#7:5": -2}),
    ("68 0200 0300 06 07 03 0100", "99 09 03 42 feff", {"#7:5": -2}),
    ("68 0000 0200 06 08 00 0200", "99 09 0a 94 08 0000c03f 000020c1", {"#8:0": 1.5, "#8:1": -10}),
    ("68 0000 0100 06 04 00 0100", "56 0080 6400 3200", {"#4:0": -32768, "#4:0.1": 100, "#4:0.2": 50}),
    ("68 0000 0100 0e 04 00 02 0100", "42 3200", {"#4:0.2": 50}),
    ("68 0000 0100 06 03 00 0100", "22 ffff", {"#3:0": 65535}),
    ("68 0000 0100 06 07 00 0100", "44 ffffffff", {"#7:0": -1}),
    ("68 0000 0100 06 07 00 0100", "41 ff", {"#7:0": -1}),
    ("68 0000 0100 06 09 00 0100", "33 414243", {}),
    ("01 0000 0400 06 08 00 06", "0100 0200 ffff", {"#8:0 word 0": 1, "#8:0 word 1": 2, "#8:0 word 2": 65535}),
    ("01 0300 0400 06 08 00 02", "0100", {"#8:0 word 3": 1}),
)
WRITES = (
    "67 0100 0300 06 07 03 99 09 05 42 0100 0200", "00 0000 0200 06 07 03 0100 0200", "26 06 03 00 fdff 0000", "67 0000 0100 00 24 4e373a3000 42 2a00",
    "02 06 03 00 0200 0000",
)  # fmt: skip
TO_A_PLC_5 = tuple(message for body, reply, _ in READS for message in (asking(15, body), answering(15, reply))) + tuple(asking(15, body) for body in WRITES)
EXAMPLES = (*LONE, *(message for pair in PAIRS.values() for message in pair), *MORE, *TO_A_PLC_5)


def only(message: Message, *before: Message) -> Row:
    """The row of a message, after others."""
    return told(PCCC, [*before, message])[-1]


def test_every_function_has_a_message() -> None:
    assert {*PAIRS, "6", "7", "15"} == set(FUNCTIONS)


@pytest.mark.parametrize("code", PAIRS)
def test_every_command_is_understood_without_complaint(code: str) -> None:
    ask, reply = told(PCCC, list(PAIRS[code]))
    assert (ask.code, reply.code, ask.anomalies, reply.anomalies) == (code, code, (), ())
    assert (ask.role, reply.role, reply.outcome) == (REQUEST, RESPONSE, SUCCESS)


@pytest.mark.parametrize(
    ("body", "objects", "distinct"),
    [
        ("a2 02 07 89 00 00", "N7:0", 1),
        ("a2 04 07 89 03 00", "N7:3–N7:4", 64),
        ("a2 04 08 8a 01 00", "F8:1", 1),
        ("a2 02 04 86 00 02", "T4:0.ACC", 1),
        ("a2 02 05 87 02 01", "C5:2.PRE", 1),
        ("a2 02 06 88 02 02", "R6:2.POS", 1),
        ("a2 0c 04 86 00 00", "T4:0–T4:1", 64),
        ("a2 54 09 8d 00 00", "ST9:0", 1),
        ("a2 02 02 84 01 00", "S2:1", 1),
        ("a2 02 ff0001 89 ff2c01 00", "N256:300", 1),
        ("a2 02 00 8b 00 01", "O0:0.1", 1),
        ("a2 04 0a 91 05 00", "L10:5", 1),
        ("a1 02 07 89 03", "N7:3", 1),
        ("ab 02 03 85 00 00 0200 0200", "B3:0/1", 1),
        ("ab 02 03 85 00 00 0080 0000", "B3:0/15", 1),
        ("01 0000 0200 06 07 03 04", "#7:3 words 0–1", 1),
        ("01 0100 0200 06 07 03 02", "#7:3 word 1", 1),
        ("68 0100 0300 06 07 03 0200", "#7:4–#7:5", 64),
        ("02 06 03 00 0200 0000", "#3:0/1", 1),
        ("26 06 03 00 fdff 0000", "#3:0/1", 1),
        ("26 06 03 00 fdff 0000 06 03 02 ffff 0100", "#3:0–#3:2", 128),
        ("68 0000 0100 0e 07 03 02 0100", "#7:3.2", 1),
    ],
)
def test_addresses_as_engineers_write_them(body: str, objects: str, distinct: int) -> None:
    row = only(asking(15, body))
    assert row.anomalies == ()
    assert label(row.space, row.first, row.last) == objects
    assert row.last - row.first == (distinct if distinct > 1 else 1 if "words" in objects else 0)
    assert label("physical", 1, 1) is None
    assert place(row.first).startswith(objects.split("–")[0].split("/")[0]) or "/" in objects or "word" in objects


def test_values() -> None:
    first = only(asking(15, "a2 02 07 89 00 00")).first
    read = only(answering(15, "2a00 feff"), asking(15, "a2 04 07 89 00 00"))
    assert read.samples == (Values("data_file", first, (42, -2)),)
    assert only(answering(15, "feff"), asking(15, "a2 02 07 89 00 00")).value == -2
    real = only(answering(15, "0000c03f"), asking(15, "a2 04 08 8a 00 00"))
    assert (real.value, real.samples[0].values) == (1.5, (1.5,))
    assert only(answering(15, "ffffffff"), asking(15, "a2 04 0a 91 00 00")).value == -1
    write = only(asking(15, "aa 04 07 89 00 00 2a00 2b00"))
    assert (write.effect, write.samples) == ("value.write", (Values("data_file", first, (42, 43)),))
    bit = only(asking(15, "ab 02 03 85 00 00 0200 0200"))
    assert (bit.effect, bit.space, bit.value, bit.samples) == ("value.write", "bit", 1, (Values("bit", bit.first, (1,)),))
    assert only(asking(15, "ab 02 03 85 00 00 0300 0300")).space == "data_file"


def test_timers_have_parts() -> None:
    read = only(answering(15, "0080 6400 3200"), asking(15, "a2 06 04 86 00 00"))
    assert [(label("data_file", sample.first, sample.first), sample.values) for sample in read.samples] == [
        ("T4:0", (-32768,)), ("T4:0.PRE", (100,)), ("T4:0.ACC", (50,)),
    ]  # fmt: skip
    assert only(answering(15, "3200"), asking(15, "a2 02 04 86 00 02")).samples[0].values == (50,)


@pytest.mark.parametrize(("body", "reply", "values"), READS)
def test_values_of_a_plc_5(body: str, reply: str, values: dict[str, float]) -> None:
    row = only(answering(15, reply), asking(15, body))
    named = {
        label(sample.space, first, first): value for sample in row.samples
        for first, value in zip(range(sample.first, sample.first + 999999, 64 if sample.space == "address" else 1), sample.values, strict=False)
    }  # fmt: skip
    assert (named, row.anomalies) == (values, ())
    assert row.value == (next(iter(values.values())) if len(values) == 1 else None)


def test_what_is_written_to_a_plc_5_are_values() -> None:
    typed = only(asking(15, "67 0100 0300 06 07 03 99 09 05 42 0100 0200"))
    assert (label(typed.space, typed.first, typed.last), typed.anomalies) == ("#7:4–#7:5", ())
    assert typed.samples == (Values("address", typed.first, (1, 2)),)
    words = only(asking(15, "00 0000 0200 06 07 03 0100 0200"))
    assert (words.effect, words.samples) == ("value.write", (Values("file_word", words.first, (1, 2)),))
    cleared = only(asking(15, "26 06 03 00 fdff 0000"))
    assert (cleared.value, cleared.samples) == (0, (Values("bit", cleared.first, (0,)),))
    named = only(asking(15, "67 0000 0100 00 24 4e373a3000 42 2a00"))
    assert (named.name, named.value, named.samples) == ("N7:0", 42, (Values("address", 0, (42,)),))


def test_words_of_a_plc_2() -> None:
    read = only(answering(1, "01020304"), asking(1, "1000 04"))
    assert read.samples == (Values("physical", 16, (0x201, 0x403)),)
    write = only(asking(8, "1000 0102"))
    assert (write.first, write.last, write.samples) == (16, 17, (Values("physical", 16, (0x201,)),))


def test_each_command_of_a_list_is_an_operation() -> None:
    """What a MicroLogix is told when it is downloaded to; a change of mode does not hide among them."""
    rows = told(PCCC, [*LIST])
    assert [(row.part, row.code, row.effect, row.anomalies) for row in rows[:3]] == [
        (0, "15/128", "cpu.stop", ()), (1, "15/170", "value.write", ()), (2, "15/82", "program.activate", ()),
    ]  # fmt: skip
    assert label(rows[1].space, rows[1].first, rows[1].last) == "N7:0"
    assert rows[1].samples[0].values == (42,)
    assert [(row.part, row.code, row.outcome) for row in rows[3:]] == [(part, row.code, SUCCESS) for part, row in enumerate(rows[:3])]
    refused = told(PCCC, [LIST[0], answering(15, "0b", 0xF0, 2)])[3:]
    assert [(row.code, row.outcome, ERRORS[row.error]) for row in refused] == [(row.code, FAILURE, "access_denied") for row in rows[:3]]
    hidden = told(PCCC, [asking(15, "88 03 03 88 01 52 00 02 80 01")])
    assert [(row.code, set(row.anomalies)) for row in hidden] == [("15/136", {"bad_value"}), ("15", {"short"}), ("15/128", set())]
    over = told(PCCC, [asking(15, "88 03 02 80 01 09 80 01")])
    assert [(row.code, row.effect, row.anomalies) for row in over] == [("15/128", "cpu.stop", ()), ("15", "unknown", ("short",))]
    assert told(PCCC, [asking(15, "88 01 02 80 01 00")])[0].anomalies == ("trailing_bytes",)
    assert [row.code for row in told(PCCC, [answering(15)])] == ["15"]
    assert [row.anomalies for row in told(PCCC, [asking(15, "88"), asking(15, "88 00 01")])] == [("short",), ("trailing_bytes",)]


def test_diagnostic_status_tells_the_model() -> None:
    reply = only(PAIRS["6/3"][1], PAIRS["6/3"][0])
    assert (reply.effect, reply.samples) == ("identity.read", (Values("identity", 0, (b"1766-LEC",)),))
    assert only(MORE[-3], MORE[-4]).samples == ()


@pytest.mark.parametrize(
    ("body", "effect", "value"),
    [
        ("80 01", "cpu.stop", 1),
        ("80 06", "cpu.start", 6),
        ("80 07", "mode.change", 7),
        ("3a 00", "cpu.stop", 0),
        ("3a 01", "cpu.stop", 1),
        ("3a 02", "cpu.start", 2),
        ("57", "program.delete", None),
        ("50", "program.download", None),
        ("53", "program.upload", None),
    ],
)
def test_what_acts_on_the_controller(body: str, effect: str, value: float | None) -> None:
    row = only(asking(15, body))
    assert (row.effect, row.value) == (effect, value)


def test_errors() -> None:
    ask = asking(15, "a2 02 07 89 00 00")
    for message, error in ((answering(15, "10", 0xF0), "no_access"), (answering(15, "", 0x50), "addressing_problem_or_memory_protected")):
        row = only(message, ask)
        assert (row.code, row.outcome, ERRORS[row.error], row.samples) == ("15/162", FAILURE, error, ())


def test_a_name_in_ascii() -> None:
    row = only(asking(15, "01 0000 0200 00 24 4e373a3000 04"))
    assert (row.name, row.space, row.first, row.last, row.anomalies) == ("N7:0", "file_word", 0, 1, ())


@pytest.mark.parametrize(
    ("message", "before", "anomalies"),
    [
        (Message(b"\x0f\0\1"), None, ("short",)),
        (asking(15), None, ("short",)),
        (asking(15, "a2 04 07"), None, ("short",)),
        (asking(15, "a2 04 07 89 00 00 00"), None, ("trailing_bytes",)),
        (asking(15, "aa 04 07 89 00 00 2a00"), None, ("bad_count",)),
        (asking(15, "ab 02 03 85 00 00 0200"), None, ("short",)),
        (asking(15, "80"), None, ("short",)),
        (asking(15, "80 01 00"), None, ("trailing_bytes",)),
        (asking(15, "01 0000 0000 06 07 03 04"), None, ("bad_count",)),
        (asking(15, "01 0000 0200 00 24 4e37"), None, ("short",)),
        (asking(15, "01 0000 0200 06 07"), None, ("short",)),
        (asking(1, "1000"), None, ("short",)),
        (Message(b"\x06\1\0\0\3"), None, ("bad_value",)),
        (answering(6).but(b"\x06\0\0\0"), None, ("wrong_direction",)),
        (answering(15, "2a"), asking(15, "a2 02 07 89 00 00"), ("bad_count",)),
        (answering(15, "2a00", transaction=7), asking(15, "a2 02 07 89 00 00"), ("transaction_mismatch",)),
        (answering(6), asking(15, "a2 02 07 89 00 00"), ("transaction_mismatch",)),
        (Message(b"\x06", marks=8), None, ("short",)),
        (asking(15, "68 0000 0100 06 07 03 0200"), None, ("bad_count",)),
        (asking(15, "01 0000 0100 06 07 03 04"), None, ("bad_count",)),
        (asking(15, "00 0000 0200 06 07 03 010002"), None, ("bad_count",)),
        (asking(15, "67 0000 0100 06 07 03 99 09 05 42 0100 0200"), None, ("bad_count",)),
        (asking(15, "67 0000 0100 06 07 03 42 01"), None, ("short",)),
        (asking(15, "67 0000 0100 06 07 03 42 0100 00"), None, ("trailing_bytes",)),
        (asking(15, "67 0000 0100 06 07 03 f2 000000000000000000"), None, ("bad_value",)),
        (asking(15, "67 0000 0100 06 07 03 40"), None, ("bad_count",)),
        (asking(15, "26 06 03 00 fdff"), None, ("short",)),
        (asking(15, "02 06 03 00 0100 0000 00"), None, ("trailing_bytes",)),
        (answering(15, "42 2a00 00"), asking(15, "68 0000 0100 06 07 03 0100"), ("trailing_bytes",)),
        (answering(15, "42 2a"), asking(15, "68 0000 0100 06 07 03 0100"), ("short",)),
        (answering(15, "99 09 03 42 2a00"), asking(15, "68 0000 0200 06 07 03 0200"), ("bad_count",)),
        (answering(15, "0100"), asking(15, "01 0000 0200 06 07 03 04"), ("bad_count",)),
    ],
)
def test_malformed(message: Message, before: Message | None, anomalies: tuple[str, ...]) -> None:
    assert set(only(message, *([before] if before else [])).anomalies) == set(anomalies)
    after = told(PCCC, [message, asking(6, "03")])[-1]
    assert (after.code, after.anomalies) == ("6/3", ())
    assert told(PCCC, [message.but(message.data, CUT)])[0].anomalies == ()
