"""IEC 60870-5-104, frame by frame: every type identification, who asks and who tells, the counters, and what is wrong with malformed ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sensors.activities import quality_names
from sensors.engine.tables import AFTER_GAP, BEGINS, BROKEN, CUT, FACT, FAILURE, REPORT, REQUEST, RESPONSE, SECOND, SUCCESS, UNANSWERED, VALUE
from sensors.protocols.iec104 import FUNCTIONS, IEC104
from tests import wire as tcp
from tests.protocol_battery import Message, Row, Values, run, told
from tests.wire import watch

CLIENT, STATION = 0, 1
TIME = "E3 22 37 0F 71 08 09"  # 8.931 s, minute 55, hour 15, day 17 (Wednesday), month 8, year 9
STAMP = int(datetime(2009, 8, 17, 15, 55, 8, 931000, UTC).timestamp() * 1000) * 1_000_000


def asdu(kind: int, cause: int, objects: str, count: int = 1, unit: int = 3, originator: int = 0) -> bytes:
    """An ASDU with the field lengths of the standard; `count` with bit 7 is SQ."""
    return bytes((kind, count, cause, originator)) + unit.to_bytes(2, "little") + bytes.fromhex(objects)


def frame(body: bytes, side: int, sent: int = 5, received: int = 7, marks: int = 0) -> Message:
    """An I format."""
    return Message(bytes((0x68, 4 + len(body))) + (2 * sent).to_bytes(2, "little") + (2 * received).to_bytes(2, "little") + body, side, 0, marks)


def short(control: int, side: int, received: int = 0) -> Message:
    """An S or U format."""
    return Message(bytes((0x68, 4, control, 0)) + (2 * received).to_bytes(2, "little"), side)


@dataclass
class Talk:
    """A connection: numbers its frames, and acknowledges as the standard wants it."""

    sent: list[int] = field(default_factory=lambda: [1, 1])
    told: list[int] = field(default_factory=lambda: [1, 1])
    messages: list[Message] = field(default_factory=list[Message])

    def put(self, side: int, body: bytes) -> None:
        self.messages.append(frame(body, side, self.sent[side], self.sent[1 - side]))
        self.sent[side] += 1
        self.told[side] = self.sent[1 - side]
        if self.sent[side] - self.told[1 - side] == 8:
            self.acknowledge(1 - side)

    def acknowledge(self, side: int) -> None:
        self.told[side] = self.sent[1 - side]
        self.messages.append(short(1, side, self.told[side]))


# Type: element of information in hex, space, value, names of its quality, time tag.
MONITORED: dict[int, tuple[str, str, float, list[str], str]] = {
    1: ("01", "single_point", 1, [], ""),
    2: ("91", "single_point", 1, ["blocked", "invalid"], "24"),
    3: ("22", "double_point", 2, ["substituted"], ""),
    4: ("01", "double_point", 1, [], "24"),
    5: ("FD 00", "step_position", -3, ["transient"], ""),
    6: ("3F 01", "step_position", 63, ["overflow"], "24"),
    7: ("78 56 34 12 00", "bitstring", 0x12345678, [], ""),
    8: ("FF FF FF FF 80", "bitstring", 0xFFFFFFFF, ["invalid"], "24"),
    9: ("00 C0 00", "normalized", -0.5, [], ""),
    10: ("FF 7F 40", "normalized", 32767 / 32768, ["not_topical"], "24"),
    11: ("38 FF 01", "scaled", -200, ["overflow"], ""),
    12: ("C8 00 00", "scaled", 200, [], "24"),
    13: ("00 00 2C C2 10", "short_float", -43.0, ["blocked"], ""),
    14: ("00 00 F6 42 00", "short_float", 123.0, [], "24"),
    15: ("FE FF FF FF 65", "integrated_totals", -2, ["carry", "adjusted"], ""),
    16: ("0A 00 00 00 83", "integrated_totals", 10, ["invalid"], "24"),
    17: ("0A E8 03", "protection_event", 2, ["elapsed_time_invalid"], "24"),
    18: ("05 80 E8 03", "protection_start", 5, ["invalid"], "24"),
    19: ("03 10 E8 03", "protection_output", 3, ["blocked"], "24"),
    20: ("05 80 00 00 01", "packed_single_points", 0x8005, ["overflow"], ""),
    21: ("00 40", "normalized", 0.5, [], ""),
    30: ("01", "single_point", 1, [], "56"),
    31: ("82", "double_point", 2, ["invalid"], "56"),
    32: ("05 00", "step_position", 5, [], "56"),
    33: ("02 00 00 00 00", "bitstring", 2, [], "56"),
    34: ("00 20 00", "normalized", 0.25, [], "56"),
    35: ("7B 00 00", "scaled", 123, [], "56"),
    36: ("C3 F5 48 40 00", "short_float", 3.140000104904175, [], "56"),
    37: ("E8 03 00 00 01", "integrated_totals", 1000, [], "56"),
    38: ("01 E8 03", "protection_event", 1, [], "56"),
    39: ("3F 00 E8 03", "protection_start", 0x3F, [], "56"),
    40: ("0F 00 E8 03", "protection_output", 0x0F, [], "56"),
    41: ("0100 FE FF FF FF 65", "security_statistic", -2, ["carry", "adjusted"], "56"),
}
ELAPSED = (17, 18, 19, 38, 39, 40)
# Type: element to execute and to select, space, value, effect.
COMMANDS: dict[int, tuple[str, str, str, float, str]] = {
    45: ("05", "85", "single_command", 1, "output.operate"),
    46: ("02", "82", "double_command", 2, "output.operate"),
    47: ("01", "81", "regulating_step", 1, "output.operate"),
    48: ("00 C0 00", "00 C0 80", "set_point_normalized", -0.5, "setpoint.write"),
    49: ("85 FF 00", "85 FF 80", "set_point_scaled", -123, "setpoint.write"),
    50: ("00 00 2E C2 00", "00 00 2E C2 80", "set_point_float", -43.5, "setpoint.write"),
    51: ("04 00 00 80", "", "bitstring_command", 0x80000004, "value.write"),
}
SYSTEM = {
    100: ("14", "interrogation", 20), 101: ("05", "counter.interrogation", 5), 103: (TIME, "time.write", 1250524508.931), 104: ("AA 55", "test", 0x55AA),
    105: ("01", "cpu.reset", 1), 106: ("64 00", "time.read", 100), 107: (f"34 12 {TIME}", "test", 0x1234),
}  # fmt: skip
PARAMETERS = {110: "00 40 01", 111: "0A 00 02", 112: "00 00 80 3F 03", 113: "01"}
FILES = {  # who sends it, and what
    122: (CLIENT, "0100 00 01"), 120: (STATION, "0100 001000 00"), 121: (STATION, "0100 01 000800 00"), 125: (STATION, "0100 01 04 DEADBEEF"),
    123: (STATION, "0100 01 03 5A"), 124: (CLIENT, "0100 01 03"), 126: (STATION, f"0100 001000 00 {TIME}"), 127: (CLIENT, f"0100 {TIME} {TIME}"),
}  # fmt: skip


def element(kind: int) -> str:
    """A monitored element with its time tag."""
    octets, *_, tag = MONITORED[kind]
    return octets + {"": "", "24": "E3 22 37", "56": TIME}[tag]


def conversation() -> tuple[Message, ...]:
    """Everything that the table of functions has, as client and station exchange it."""
    talk = Talk()
    for first, second, side in ((0x07, 0x0B, CLIENT), (0x43, 0x83, CLIENT), (0x43, 0x83, STATION)):
        talk.messages += [short(first, side), short(second, 1 - side)]
    talk.put(STATION, asdu(70, 4, "000000 02"))
    for kind in MONITORED:
        talk.put(STATION, asdu(kind, 3, "0A0000" + element(kind)))
    talk.put(STATION, asdu(1, 20, "010000 00 01 00 01", 0x84))
    talk.put(STATION, asdu(13, 1, "140500 0000F041 00 150500 00003144 00", 2))
    for kind, (execute, *_) in COMMANDS.items():
        for number, tag in ((kind, ""), (kind + 13, TIME)):
            for cause, side in ((6, CLIENT), (7, STATION), (8, CLIENT), (9, STATION), (10, STATION)):
                talk.put(side, asdu(number, cause, f"941100 {execute} {tag}"))
    for kind, (octets, *_) in SYSTEM.items():
        for cause, side in ((6, CLIENT), (7, STATION), (8, CLIENT), (9, STATION), (10, STATION)):
            if cause < 8 or f"{kind}/{cause}" in FUNCTIONS or (cause == 9 and f"{kind}/8" in FUNCTIONS):
                talk.put(side, asdu(kind, cause, "000000" + octets))
    talk.put(CLIENT, asdu(102, 5, "941100"))
    talk.put(STATION, asdu(1, 5, "941100 01"))
    for kind, octets in PARAMETERS.items():
        for cause, side in ((6, CLIENT), (7, STATION)):
            talk.put(side, asdu(kind, cause, "0A0000" + octets))
    for cause, side in ((8, CLIENT), (9, STATION), (10, STATION)):
        talk.put(side, asdu(113, cause, "0A0000 03"))
    for kind, (side, octets) in FILES.items():
        talk.put(side, asdu(kind, 13 if kind < 126 else 5, "0A0000" + octets))
    for kind in (*range(81, 88), *range(90, 96)):
        talk.put(CLIENT, asdu(kind, 14, "000000 0102"))
    talk.messages += [short(0x13, CLIENT), short(0x23, STATION)]
    return tuple(talk.messages)


EXAMPLES = conversation()


def only(message: Message) -> Row:
    (row,) = told(IEC104, [message])
    return row


def asked(kind: int, cause: int, objects: str, **more: int) -> Row:
    return only(frame(asdu(kind, cause, objects, **more), CLIENT))


def answered(kind: int, cause: int, objects: str, **more: int) -> Row:
    return only(frame(asdu(kind, cause, objects, **more), STATION))


def samples_of(message: Message) -> list[Any]:
    _, _, samples = run(IEC104, [message])
    return list(samples)


@pytest.mark.parametrize("kind", MONITORED)
def test_monitored_values(kind: int) -> None:
    octets, space, value, qualities, tag = MONITORED[kind]
    message = frame(asdu(kind, 3, "0A0000" + element(kind)), STATION)
    row, sample = only(message), samples_of(message)[0]
    assert (row.code, row.role, row.effect, row.unit) == (f"{kind}/3", REPORT, "value.report", 3)
    assert (row.space, row.first, row.last, row.value, row.anomalies) == (space, 10, 10, value, ())
    assert row.samples[0] == Values(space, 10, (value,))
    assert quality_names(IEC104, space, int(sample.quality)) == (qualities if kind != 21 else None)
    assert sample.stamp == (STAMP if tag == "56" else sample.stamp if tag else -1)
    if kind in ELAPSED:
        assert row.samples[1:] == (Values("elapsed_time", 10, (1000,)),)
    assert octets


def test_neighbouring_values_are_one_run() -> None:
    """SQ=1, and SQ=0 with addresses that follow each other; every value has its quality beside it."""
    for kind, elements, values in (
        (1, ("00", "01", "81"), (0, 1, 1)),
        (3, ("00", "01", "02"), (0, 1, 2)),
        (7, ("0100000000", "0200000000", "0300000080"), (1, 2, 3)),
        (11, ("FFFF00", "010000", "020080"), (-1, 1, 2)),
        (13, ("0000803F00", "0000004000", "000040C080"), (1, 2, -3)),
        (15, ("0100000000", "FFFFFFFF01", "0300000002"), (1, -1, 3)),
        (20, ("0100000000", "0200000000", "0300000000"), (1, 2, 3)),
    ):
        space = MONITORED[kind][1]
        row = answered(kind, 20, "640000" + "".join(elements), count=0x83)
        assert (row.first, row.last, row.distinct, row.value, row.anomalies) == (100, 102, 1, None, ())
        assert row.samples == (Values(space, 100, values),)
        row = answered(kind, 20, "".join(f"{0x64 + i:02X}0000{octets}" for i, octets in enumerate(elements)), count=3)
        assert (row.first, row.last, row.distinct) == (100, 102, 3)
        assert row.samples == (Values(space, 100, values),)
    row = answered(9, 20, "640000 004000 00C000", count=0x82)
    assert row.samples == (Values("normalized", 100, (0.5,)), Values("normalized", 101, (-0.5,)))


def test_addresses_that_do_not_follow_each_other() -> None:
    row = answered(1, 20, "050000 01 020000 00 000001 01", count=3)
    assert (row.first, row.last, row.distinct, row.value) == (2, 65536, 3, None)
    assert row.samples == (Values("single_point", 5, (1,)), Values("single_point", 2, (0,)), Values("single_point", 65536, (1,)))


@pytest.mark.parametrize("kind", [*COMMANDS, *(kind + 13 for kind in COMMANDS)])
def test_commands(kind: int) -> None:
    base, tag = (kind, "") if kind in COMMANDS else (kind - 13, TIME)
    execute, select, space, value, effect = COMMANDS[base]
    message = frame(asdu(kind, 6, f"941100 {execute} {tag}"), CLIENT)
    row, (sample,) = only(message), samples_of(message)
    assert (row.code, row.role, row.outcome, row.effect, row.value) == (f"{kind}/6", REQUEST, UNANSWERED, effect, value)
    assert (row.space, row.first, row.last, row.samples) == (space, 4500, 4500, (Values(space, 4500, (value,)),))
    assert (sample.encoding, sample.stamp) == (VALUE, STAMP if tag else -1)
    if select:
        message = frame(asdu(kind, 6, f"941100 {select} {tag}"), CLIENT)
        row, (sample,) = only(message), samples_of(message)
        assert (row.effect, row.value, sample.encoding) == ("output.select", value, FACT)
    assert asked(kind, 8, f"941100 {execute} {tag}").effect == "output.cancel"
    row = answered(kind, 7, f"941100 {execute} {tag}")
    assert (row.role, row.outcome, row.error) == (RESPONSE, SUCCESS, -1)
    row = answered(kind, 0x47, f"941100 {execute} {tag}")
    assert (row.role, row.outcome, row.error) == (RESPONSE, FAILURE, 1)
    row = answered(kind, 47, f"941100 {execute} {tag}")
    assert (row.outcome, IEC104.errors[row.error]) == (FAILURE, "unknown_object_address")
    row = answered(kind, 10, f"941100 {execute} {tag}")
    assert (row.role, row.effect, row.action) == (REPORT, "value.report", f"{FUNCTIONS[f'{kind}/*'].name}_termination")


def test_a_select_does_not_hide_what_is_executed_beside_it() -> None:
    for objects, count in (("0A0000 81 0B0000 01", 2), ("0A0000 81 0A0000 01", 2), ("0A0000 81 01", 0x82)):
        row = asked(45, 6, objects, count=count)
        assert (row.effect, row.anomalies) == ("output.operate", ("bad_count",))


def test_the_length_of_a_pulse_qualifies_a_command() -> None:
    for octets, names in (("01", []), ("05", ["short_pulse"]), ("09", ["long_pulse"]), ("0D", ["persistent_output"])):
        (sample,) = samples_of(frame(asdu(45, 6, "941100" + octets), CLIENT))
        assert (quality_names(IEC104, "single_command", int(sample.quality)) or []) == names


@pytest.mark.parametrize("kind", SYSTEM)
def test_system_commands(kind: int) -> None:
    octets, effect, value = SYSTEM[kind]
    row = asked(kind, 6, "000000" + octets)
    assert (row.code, row.effect, row.role, row.first, row.anomalies) == (f"{kind}/6", effect, REQUEST, -1, ())
    assert row.value == pytest.approx(value, abs=1e-6)
    assert answered(kind, 0x47, "000000" + octets).outcome == FAILURE


def test_what_a_qualifier_makes_of_a_command() -> None:
    assert asked(101, 6, "000000 45").effect == "counter.freeze"
    assert asked(101, 6, "000000 C5").effect == "counter.freeze"
    assert asked(105, 6, "000000 02").effect == "diagnostics.reset"
    assert asked(106, 3, "000000 6400").effect == "time.write"
    assert asked(113, 6, "0A0000 03").effect == "reporting.enable"
    assert asked(113, 8, "0A0000 03").effect == "reporting.disable"
    assert asked(113, 6, "000000 01").effect == "configuration.write"
    assert asked(100, 8, "000000 14").effect == "output.cancel"
    assert answered(103, 3, "000000" + TIME).anomalies == ()


def test_read() -> None:
    read, value = told(IEC104, [frame(asdu(102, 5, "941100"), CLIENT, 0, 0), frame(asdu(13, 5, "941100 0000803F 00"), STATION, 0, 1)])
    assert (read.effect, read.role, read.first, read.space) == ("value.read", REQUEST, 4500, "information_object")
    assert (value.role, value.transaction, value.samples) == (RESPONSE, read.transaction, (Values("short_float", 4500, (1,)),))


def test_parameters() -> None:
    for qualifier, space in (("01", "threshold"), ("02", "smoothing_factor"), ("03", "low_limit"), ("04", "high_limit"), ("09", "parameter")):
        row = asked(111, 6, f"0A0000 6400 {qualifier}")
        assert (row.effect, row.space, row.samples) == ("configuration.write", space, (Values(space, 10, (100,)),))
    row = answered(110, 20, "0A0000 0040 03")
    assert (row.role, row.samples) == (REPORT, (Values("low_limit", 10, (0.5,)),))


def test_files() -> None:
    def name(message: Message) -> str:
        """What the file is called, out of the memory in which it was composed."""
        kind, side = message.data[6], message.side
        (row,) = told(IEC104, [message])
        assert (row.space, row.first, row.octets) == ("file", 10, len(message.data))
        assert row.role == (REQUEST if side == CLIENT else REPORT), kind
        return row.effect

    given = {kind: frame(asdu(kind, 13 if kind < 126 else 5, "0A0000" + octets), side) for kind, (side, octets) in FILES.items()}
    effects = {kind: name(message) for kind, message in given.items()}
    assert effects == {122: "file.read", 120: "value.report", 121: "value.report", 125: "value.report", 123: "value.report", 124: "file.read",
                       126: "value.report", 127: "file.read"}  # fmt: skip
    assert asked(122, 13, "0A0000 0100 00 04").effect == "file.delete"
    assert asked(122, 5, "0A0000 0100 00 00").effect == "directory.read"
    assert asked(120, 13, "0A0000 0100 001000 00").effect == "file.write"
    assert answered(120, 13, "0A0000 0100 001000 00").value == 4096
    called, ready = told(IEC104, [frame(asdu(122, 13, "0A0000 0100 00 01"), CLIENT, 0, 0), frame(asdu(120, 13, "0A0000 0100 001000 80"), STATION, 0, 1)])
    assert (ready.role, ready.transaction, ready.outcome, IEC104.errors[ready.error]) == (RESPONSE, called.transaction, FAILURE, "file_refused")
    refused = answered(124, 13, "0A0000 0100 01 24")
    assert (refused.outcome, IEC104.errors[refused.error]) == (FAILURE, "checksum_failed")
    directory = answered(126, 5, f"0A0000 0100 001000 00 {TIME} 0200 002000 00 {TIME}", count=0x82)
    assert (directory.first, directory.last, directory.anomalies) == (10, 11, ())


def test_unnumbered_and_supervisory_frames() -> None:
    start, done, probe, echo, back, again, receipt = told(IEC104, [short(*one) for one in ((7, 0), (11, 1), (67, 0), (131, 1), (67, 1), (131, 0), (1, 0))])
    assert (start.action, start.effect, start.role) == ("start_data_transfer", "session.open", REQUEST)
    assert (done.role, done.outcome, done.transaction) == (RESPONSE, SUCCESS, start.transaction)
    assert (probe.action, probe.effect, echo.transaction) == ("test_frame", "test", probe.transaction)
    assert (back.role, back.outcome, again.role, again.transaction) == (REPORT, UNANSWERED, RESPONSE, back.transaction)
    assert back.transaction != probe.transaction
    assert (receipt.action, receipt.effect, receipt.role, receipt.transaction) == ("supervisory", "test", REQUEST, -1)
    assert only(short(0x13, CLIENT)).effect == "session.close"
    one, other, first, second, third = told(IEC104, [short(*one) for one in ((7, 0), (7, 0), (11, 1), (11, 1), (11, 1))])
    assert (first.transaction, second.transaction) == (one.transaction, other.transaction), "the same again before it is confirmed"
    assert (len({one.transaction, other.transaction}), third.transaction) == (2, -1)


def test_confirmations_find_what_they_confirm() -> None:
    """The same twice before it is confirmed, another object between them, and stations that were asked all at once."""
    again = [frame(asdu(100, cause, "000000 14"), side, *numbers) for cause, side, numbers in ((6, 0, (0, 0)), (6, 0, (1, 0)), (7, 1, (0, 2)), (7, 1, (1, 2)))]
    first, second, answer, other = (row.transaction for row in told(IEC104, again))
    assert (answer, other) == (first, second)
    assert first != second
    given = [frame(asdu(45, 6, f"{ioa} 01"), 0, number) for number, ioa in enumerate(("010000", "020000"))]
    given += [frame(asdu(45, 7, f"{ioa} 01"), 1, number, 2) for number, ioa in enumerate(("020000", "010000"))]
    one, two, for_two, for_one = (row.transaction for row in told(IEC104, given))
    assert (for_one, for_two) == (one, two)
    given = [frame(asdu(100, 6, "000000 14", unit=0xFFFF), 0, 0, 0), frame(asdu(100, 7, "000000 14", unit=9), 1, 0, 1)]
    every, station = told(IEC104, given)
    assert (every.unit, station.unit, station.transaction) == (0xFFFF, 9, every.transaction)
    third = told(IEC104, [*given, frame(asdu(100, 7, "000000 14", unit=10), 1, 1, 1)])[2]
    assert (third.role, third.effect, third.unit) == (REPORT, "value.report", 10), "the next station confirms what was asked of all"
    assert answered(45, 7, "010000 01").transaction == -1
    given = [frame(asdu(45, 6, "010000 01"), 0, 0, 0), frame(asdu(45, 0x47, "010000 01"), 1, 0, 1), frame(asdu(45, 47, "010000 01"), 1, 1, 1)]
    request, refusal, more = told(IEC104, given)
    assert (refusal.role, refusal.transaction, refusal.error) == (RESPONSE, request.transaction, 1)
    assert (more.role, more.effect, more.outcome, more.error) == (REPORT, "error.report", FAILURE, 47), "one stack refuses twice"


def test_what_was_asked_long_ago_is_not_confirmed() -> None:
    """Pairing numbers start anew once t1 is over, so one lost confirmation does not shift all later ones."""
    ask, confirm = asdu(45, 6, "010000 01"), asdu(45, 7, "010000 01")
    given = [frame(ask, 0, 1, 1), replace(frame(ask, 0, 2, 1), time=60 * 10**9), replace(frame(confirm, 1, 1, 3), time=60 * 10**9 + 1)]
    first, late, confirmed = told(IEC104, given)
    assert confirmed.transaction == late.transaction != first.transaction


def test_the_test_bit_keeps_values_from_points() -> None:
    for row, message in ((1, frame(asdu(1, 0x83, "0A0000 01"), STATION)), (45, frame(asdu(45, 0x86, "0A0000 01"), CLIENT))):
        said, (sample,) = only(message), samples_of(message)
        assert (said.anomalies, sample.encoding, said.value) == (("test_bit",), FACT, 1), row


def test_unknown_types_render() -> None:
    row = answered(140, 3, "0A0000 0102")
    assert (row.code, row.action, row.effect, row.role, row.first, row.anomalies) == ("140/3", "function_140_3", "unknown", REPORT, 10, ())
    row = asked(52, 6, "0A0000 0102")
    assert (row.action, row.role) == ("function_52_6", REQUEST)


@pytest.mark.parametrize(
    ("message", "anomalies"),
    [
        (frame(asdu(1, 3, "0A0000 01 00"), STATION), ("trailing_bytes",)),
        (frame(asdu(1, 3, "0A0000 01", 2), STATION), ("short",)),
        (frame(asdu(13, 3, "0A0000 0000"), STATION), ("short",)),
        (frame(asdu(1, 3, "", 0), STATION), ("bad_count",)),
        (frame(asdu(45, 6, "0A0000 01 0B0000 01", 2), CLIENT), ("bad_count",)),
        (frame(asdu(46, 6, "0A0000 03"), CLIENT), ("bad_value",)),
        (frame(asdu(47, 6, "0A0000 00"), CLIENT), ("bad_value",)),
        (frame(asdu(45, 6, "0A0000 02"), CLIENT), ("bad_value",)),
        (frame(asdu(100, 6, "000000 00"), CLIENT), ("bad_value",)),
        (frame(asdu(104, 6, "000000 0000"), CLIENT), ("bad_value",)),
        (frame(asdu(105, 6, "000000 00"), CLIENT), ("bad_value",)),
        (frame(asdu(1, 6, "0A0000 01"), STATION), ("bad_cause",)),
        (frame(asdu(45, 3, "0A0000 01"), CLIENT), ("bad_cause",)),
        (frame(asdu(1, 0, "0A0000 01"), STATION), ("bad_cause",)),
        (frame(asdu(1, 3, "0A0000 01", unit=0), STATION), ("bad_address",)),
        (frame(asdu(100, 6, "0A0000 14"), CLIENT), ("bad_address",)),
        (frame(asdu(1, 3, "FFFFFF 01 01", 0x82), STATION), ("bad_address",)),
        (frame(asdu(30, 3, "0A0000 01" + TIME.replace("08 09", "0D 09")), STATION), ("bad_time",)),
        (frame(asdu(30, 3, "0A0000 01" + TIME.replace("08 09", "08 6D")), STATION), ("bad_time",)),
        (frame(asdu(2, 3, "0A0000 01 60EA 00"), STATION), ("bad_time",)),
        (frame(asdu(1, 3, "0A0000 01"), CLIENT), ("wrong_direction",)),
        (frame(asdu(45, 6, "0A0000 01"), STATION), ("wrong_direction",)),
        (frame(asdu(45, 7, "0A0000 01"), CLIENT), ("wrong_direction",)),
        (short(0x07, STATION), ("wrong_direction",)),
        (short(0x0F, CLIENT), ("bad_control",)),
        (short(0x05, CLIENT), ("bad_control",)),
        (short(0x43, CLIENT, 1), ("bad_control",)),
        (Message(bytes.fromhex("680543000000FF")), ("trailing_bytes",)),
        (Message(bytes.fromhex("680543000000")), ("bad_length",)),
        (Message(bytes.fromhex("670443000000")), ("bad_start",)),
        (Message(bytes.fromhex("680404")), ("short",)),
        (frame(b"\x01\x01", STATION), ("short",)),
    ],
)
def test_malformed(message: Message, anomalies: tuple[str, ...]) -> None:
    good = frame(asdu(13, 3, "140500 0000F041 00"), STATION, 6)
    row, after = told(IEC104, [message, good])
    assert row.anomalies == anomalies
    assert (after.anomalies, after.value) == ((), 30)


def test_time_tags() -> None:
    def stamp(objects: str, kind: int = 30) -> int:
        return int(samples_of(frame(asdu(kind, 3, "0A0000 01" + objects), STATION))[0].stamp)

    assert stamp(TIME) == STAMP
    assert stamp(TIME.replace("37", "B7", 1)) == -1, "invalid"
    assert stamp("00" * 7) == -1, "not set"
    assert stamp(TIME.replace("08 09", "08 6D")) == STAMP, "a year counted on from 1900 is what its software means"
    assert stamp("00 00 00 00 1D 02 18") == int(datetime(2024, 2, 29, tzinfo=UTC).timestamp()) * 10**9
    assert stamp("00 00 00 00 01 03 46") == int(datetime(1970, 3, 1, tzinfo=UTC).timestamp()) * 10**9
    assert stamp("E8 03 01", 2) == 61 * 10**9, "within the hour of the packet"


def test_counters_of_a_connection() -> None:
    def said(*frames: tuple[int, int, int] | Message) -> list[tuple[str, ...]]:
        """The anomalies of I formats (side, N(S), N(R)) and other frames."""
        point = (asdu(45, 6, "0A0000 01"), asdu(1, 3, "0A0000 01"))
        made = [one if isinstance(one, Message) else frame(point[one[0]], *one) for one in frames]
        return [row.anomalies for row in told(IEC104, made)]

    assert said((1, 5, 3), (1, 6, 3), (0, 3, 7), (1, 7, 4)) == [(), (), (), ()]
    assert said((1, 5, 3), (1, 7, 3), (1, 8, 3)) == [(), ("bad_sequence",), ()]
    assert said((1, 5, 3), (1, 5, 3)) == [(), ("bad_sequence",)]
    assert said((1, 0x7FFF, 3), (1, 0, 3)) == [(), ()]
    assert said((1, 5, 3), (1, 6, 3), short(1, 0, 7), short(1, 0, 6)) == [(), (), (), ("bad_acknowledgement",)]
    assert said((1, 5, 3), short(1, 0, 300), short(1, 0, 6)) == [(), ("bad_acknowledgement",), ()]
    assert said((1, 5, 3), short(1, 0, 10)) == [(), ()], "the capture may have lost what it acknowledges"
    burst = [(1, number, 1) for number in range(3, 17)]
    assert said(short(1, 0, 3), *burst) == [()] * 13 + [("window_exceeded",)] * 2
    after = frame(asdu(1, 3, "0A0000 01"), STATION, 9, 3, AFTER_GAP)
    assert said((1, 5, 3), after, (1, 10, 3)) == [(), (), ()]
    receipt = short(1, STATION, 3)
    assert said((1, 5, 3), receipt.but(receipt.data, AFTER_GAP), (1, 9, 3), (1, 11, 3)) == [(), (), (), ("bad_sequence",)]


def test_counters_begin_with_0_where_a_connection_begins() -> None:
    """Client and station began, or the capture began in the middle: then the first number is what it is."""

    def said(*frames: tuple[int, int, int] | Message, seen: bool = True) -> list[tuple[str, ...]]:
        talk = tcp.Talk(port=2404)
        if seen:
            talk.open()
        made = (one if isinstance(one, Message) else frame(asdu(1, 3, "0A0000 01"), *one) for one in frames)
        for message in (short(0x07, 0), short(0x0B, 1), *made):
            talk.put(message.side, message.data)
        rows = sorted(watch(talk.packets).lines, key=lambda row: row["packet"] or row["response_packet"])
        return [tuple(row["anomaly"]) for row in rows[1:]]  # the first is both that starts

    assert said((1, 0, 0), (1, 1, 0), short(1, 0, 2)) == [(), (), ()]
    assert said((1, 700, 0)) == [("bad_sequence",)]
    assert said((1, 700, 0), seen=False) == [()]
    assert said((1, 0, 700)) == [("bad_acknowledgement",)]
    assert said((1, 0, 0), short(1, 0, 500)) == [(), ("bad_acknowledgement",)]
    burst = [(1, number, 0) for number in range(14)]
    assert said(*burst) == [()] * 12 + [("window_exceeded",)] * 2
    assert said(*burst, seen=False) == [()] * 14


STARTED = (replace(short(0x07, CLIENT), marks=BEGINS), replace(short(0x0B, STATION), marks=BEGINS))


@pytest.mark.parametrize(
    ("before", "ends", "anomalies"),
    [
        ((), (45, "010000 01"), ("unsolicited",)),
        (((0, 45, 6, "010000 01"), (1, 45, 7, "010000 01")), (45, "010000 01"), ()),
        (((0, 45, 6, "010000 01"), (1, 45, 7, "010000 01"), (1, 45, 10, "010000 01")), (45, "010000 01"), ("unsolicited",)),
        (((0, 45, 6, "010000 01"), (1, 45, 7, "010000 01")), (45, "020000 01"), ("unsolicited",)),
        (((0, 45, 6, "010000 81"), (1, 45, 7, "010000 81")), (45, "010000 01"), ("unsolicited",)),
        (((0, 45, 6, "010000 01"), (1, 45, 0x47, "010000 01")), (45, "010000 01"), ("unsolicited",)),
        (((0, 100, 6, "000000 14"), (1, 100, 7, "000000 14")), (100, "000000 14"), ()),
        (((0, 100, 6, "000000 14"), (1, 100, 7, "000000 14")), (101, "000000 05"), ("unsolicited",)),
    ],
)
def test_a_termination_of_what_nobody_activated(before: tuple[tuple[int, int, int, str], ...], ends: tuple[int, str], anomalies: tuple[str, ...]) -> None:
    given = [*((side, asdu(kind, cause, body)) for side, kind, cause, body in before), (1, asdu(ends[0], 10, ends[1]))]
    sent, made = [0, 0], list[Message]()
    for side, body in given:
        made.append(frame(body, side, sent[side], sent[1 - side]))
        sent[side] += 1
    opened = [*STARTED, *made]
    last = told(IEC104, opened)[-1]
    assert (last.role, last.anomalies) == (REPORT, anomalies)
    assert told(IEC104, [frame(asdu(ends[0], 10, ends[1]), 1)])[-1].anomalies == (), "a capture that begins in the middle"
    lost = [*opened[:-1], replace(short(1, CLIENT, sent[1] - 1), marks=AFTER_GAP), made[-1]]
    assert "unsolicited" not in told(IEC104, lost)[-1].anomalies


def test_each_station_ends_what_all_were_asked() -> None:
    given = [*STARTED, frame(asdu(100, 6, "000000 14", unit=0xFFFF), 0, 0, 0)]
    given += [frame(asdu(100, 10, "000000 14", unit=unit), 1, number, 1) for number, unit in enumerate((9, 10))]
    assert {row.anomalies for row in told(IEC104, given)} == {()}


def test_received_and_not_acknowledged_in_time() -> None:
    """At the latest after w = 8 I formats (IEC 60870-5-104:2006, 9.6); what comes within a second may have been on the way."""

    def said(*frames: tuple[Message, float]) -> list[tuple[str, ...]]:
        return [row.anomalies for row in told(IEC104, [replace(message, time=int((1 + seconds) * SECOND)) for message, seconds in frames])]

    sent = [(frame(asdu(1, 3, "0A0000 01"), STATION, number, 1), number / 100) for number in range(3, 13)]
    first, eight, nine = short(1, 0, 3), short(1, 0, 11), short(1, 0, 12)
    assert said((first, 0), *sent[:8], (eight, 9), sent[8], (nine, 20)) == [()] * 12
    assert said((first, 0), *sent[:9], (nine, 0.9)) == [()] * 11
    assert said((first, 0), *sent[:9], (nine, 1.2)) == [()] * 10 + [("acknowledged_late",)]
    lost = nine.but(nine.data, AFTER_GAP)
    assert said((first, 0), *sent[:9], (lost, 9)) == [()] * 11, "the capture may have lost an acknowledgement"
    ours = [(frame(asdu(45, 6, "0A0000 01"), CLIENT, number, 1), number / 100) for number in range(3, 13)]
    assert said((short(1, 1, 3), 0), *ours[:9], (short(1, 1, 12), 9)) == [()] * 10 + [("acknowledged_late",)]


def test_who_ordered_it_is_told_beside_what_was_ordered() -> None:
    given = [frame(asdu(45, 6, "0A0000 01", originator=number), CLIENT, sent) for sent, number in enumerate((0, 7, 7, 0), 5)]
    said = [[value for value in row.samples if value.space == "originator"] for row in told(IEC104, given)]
    assert said == [[], [Values("originator", 0, (7,))], [Values("originator", 0, (7,))], [Values("originator", 0, (0,))]]
    assert IEC104.beside == {"originator"}


def test_another_originator_on_the_same_connection() -> None:
    given = [frame(asdu(45, 6, "0A0000 01", originator=number), CLIENT, sent) for sent, number in enumerate((7, 7, 9, 9, 7), 5)]
    assert [row.anomalies for row in told(IEC104, given)] == [(), (), ("originator_changed",), (), ("originator_changed",)]
    assert [row.anomalies for row in told(IEC104, [given[0], frame(asdu(1, 3, "0A0000 01", originator=2), STATION)])] == [(), ()]


def test_data_before_it_is_started() -> None:
    first = frame(asdu(1, 3, "0A0000 01"), STATION, 0, 0)
    assert told(IEC104, [first])[0].anomalies == ("not_started",)
    assert told(IEC104, [short(0x07, 0), short(0x0B, 1), first])[2].anomalies == ()
    assert told(IEC104, [short(0x13, 0), short(0x23, 1), frame(asdu(1, 3, "0A0000 01"), STATION)])[2].anomalies == ("not_started",)


@pytest.mark.parametrize("layout", [(1, 1, 2), (2, 2, 2), (1, 2, 2), (2, 1, 2), (1, 1, 3), (2, 1, 3), (1, 2, 3)])
def test_other_lengths_of_fields(layout: tuple[int, int, int]) -> None:
    """As with devices that carry their ASDUs of IEC 60870-5-101 over TCP unchanged."""
    cause, unit, address = layout

    def body(kind: int, count: int, reason: int, ioa: int, element: str) -> bytes:
        head = bytes((kind, count, reason)) + bytes(cause - 1) + (5).to_bytes(unit, "little")
        return head + ioa.to_bytes(address, "little") + bytes.fromhex(element)

    given = [
        frame(body(13, 1, 3, 100, "0000803F00"), STATION, 5, 3),
        frame(body(1, 0x83, 20, 200, "000101"), STATION, 6, 3),
        frame(body(45, 1, 6, 300, "01"), CLIENT, 3, 7),
        frame(body(100, 1, 6, 0, "14"), CLIENT, 4, 7),
        frame(body(45, 1, 6, 300, ""), CLIENT, 5, 7),
    ]
    *rows, cut_off = told(IEC104, given)
    assert [(row.unit, row.first, row.anomalies) for row in rows] == [(5, first, ("nonstandard_fields",)) for first in (100, 200, 300, -1)]
    assert (cut_off.unit, cut_off.anomalies) == (5, ("short", "nonstandard_fields"))
    whole = frame(asdu(13, 3, "140500 0000F041 00"), STATION, 7, 6)
    assert told(IEC104, [*given, whole])[-1].anomalies == (), "what fits the standard is standard"
    assert told(IEC104, [frame(whole.data[6:], STATION, 4, 3), given[0]])[1].anomalies == ("short",), "and stays so"


def test_broken_framing_is_one_row_that_claims_nothing() -> None:
    row = only(Message(b"GET / HTTP/1.1\r\n", CLIENT, marks=BROKEN))
    assert (row.code, row.unit, row.transaction, row.effect, row.anomalies) == ("", -1, -1, "unknown", ("bad_start",))
    assert only(Message(b"\x68\x03\x00", STATION, marks=BROKEN)).anomalies == ("bad_length",)


def test_what_the_capture_cut_off_is_no_fault_of_the_sender() -> None:
    whole = frame(asdu(13, 1, "140500 0000F041 00 150500 00003144 00", 2), STATION)
    for length in range(len(whole.data)):
        assert only(whole.but(whole.data[:length], CUT)).anomalies == ()
    assert only(whole.but(whole.data[:-4], CUT)).samples == (Values("short_float", 1300, (30,)),)


def test_a_number_that_is_none_is_no_value() -> None:
    row = answered(13, 3, "0A0000 0000C07F 00")
    assert (row.value, row.samples, row.anomalies) == (None, (), ())
    infinite = answered(13, 3, "0A0000 0000807F 00").value
    assert infinite is not None
    assert math.isinf(infinite)
