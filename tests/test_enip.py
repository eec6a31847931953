"""EtherNet/IP, message by message: encapsulation, the common packet format, implicit I/O; whole conversations with CIP and PCCC inside."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from sensors.engine.tables import BROKEN, CUT, FAILURE, REPORT, RESPONSE, SUCCESS
from sensors.protocols.cip import CIP
from sensors.protocols.enip import ENIP, label
from sensors.sensor import Sensor
from tests.cli import lines
from tests.protocol_battery import Message, Row, Values, run, told
from tests.require import need
from tests.wire import CLIENT, SERVER, START, Feed, Packet, Talk, ethernet, ipv4, udp, watch

ASK, ANSWER = 0, 1
SECOND = 1_000_000_000


def pdu(command: int, body: str = "", session: int = 0, status: int = 0, context: int = 0x1122, options: int = 0) -> bytes:
    """A message of the encapsulation protocol around data in hex."""
    data = bytes.fromhex(body)
    return struct.pack("<HHIIQI", command, len(data), session, status, context, options) + data


def rr(cip: str) -> str:
    """The data of SendRRData around a CIP message: interface, timeout, a null address and an unconnected item."""
    return f"00000000 0800 0200 0000 0000 b200 {len(bytes.fromhex(cip)).to_bytes(2, 'little').hex()} {cip}"


def unit(cip: str, link: int, sequence: int) -> str:
    """The data of SendUnitData: a connected address, a sequence count and a CIP message."""
    length = (len(bytes.fromhex(cip)) + 2).to_bytes(2, "little").hex()
    return f"00000000 0000 0200 a100 0400 {link.to_bytes(4, 'little').hex()} b100 {length} {sequence.to_bytes(2, 'little').hex()} {cip}"


def io(link: int, data: str, sequence: int = 1) -> bytes:
    """A datagram of implicit I/O."""
    octets = bytes.fromhex(data)
    return struct.pack("<HHHIIHH", 2, 0x8002, 8, link, sequence, 0xB1, len(octets)) + octets


# List identity as a 1756-ENBT/A tells it (suricata-verify, enip_test1.pcap), read by tshark: vendor 1, type 12, product 58, revision 4.03, serial 0x00524d8e.
IDENTITY = "01000c002d000100 0002af120a0101a40000000000000000 01000c003a00040330008e4d5200 0b 313735362d454e42542f41 03"
IDENTITY_OBJECT = IDENTITY[IDENTITY.index(" 01000c00") :]
SERVICES = "0100 0001 1400 0100 2000 436f6d6d756e69636174696f6e730000"
TRIAD = "0700 4d00 e0312b3d"
SEGMENTS = "34 04 0100 0c00 3a00 04 03 01 03"  # an electronic key, and port 1 (backplane), slot 3


def forward_open(transport: int, path: str, output: int = 0x4806, inputs: int = 0x2806) -> str:
    """A forward open for an assembly each way; connection points in hex."""
    octets = bytes.fromhex(path)
    numbers = (0, 0, *struct.unpack("<HHI", bytes.fromhex(TRIAD)), 2, 0, 0, 0, 20000, output, 10000, inputs, transport, len(octets) // 2)
    return "54 02 2006 2401" + struct.pack("<BBIIHHIBBBBIHIHBB", 7, 155, *numbers).hex() + octets.hex()


OPENED = f"d4 00 00 00 0500fe80 0600fe80 {TRIAD} 204e0000 10270000 00 00"
CLOSE = f"4e 02 2006 2401 07 9b {TRIAD} 00 00"
CLOSED = f"ce 00 00 00 {TRIAD} 00 00"


def connection(transport: int) -> tuple[Message, ...]:
    """A connection is opened, used and closed."""
    return (
        Message(pdu(111, rr(forward_open(transport, SEGMENTS + "20 04 24 97 2c 65 2c 64")), 7, context=77)),
        Message(pdu(111, rr(OPENED), 7, context=77), ANSWER),
        Message(io(0x80FE0005, "0100 01000000 0102"), framing=1),
        Message(io(0x80FE0006, "0100 0102"), ANSWER, framing=1),
        Message(pdu(111, rr(CLOSE), 7, context=78)),
        Message(pdu(111, rr(CLOSED), 7, context=78), ANSWER),
    )


EXAMPLES = (
    Message(pdu(0, "0102")),
    Message(pdu(4)),
    Message(pdu(4, SERVICES), ANSWER),
    Message(pdu(99)),
    Message(pdu(99, IDENTITY), ANSWER),
    Message(pdu(100)),
    Message(pdu(100, "0000"), ANSWER),
    Message(pdu(101, "0100 0000")),
    Message(pdu(101, "0100 0000", 0x910AD0), ANSWER),
    Message(pdu(102, "", 0x910AD0)),
    Message(pdu(111, rr("0e 03 2001 2401 3007"), 0x910AD0)),
    Message(pdu(111, rr("8e 00 00 00 0141"), 0x910AD0), ANSWER),
    Message(pdu(112, unit("4c 04 9106 464954323031 0100", 0x3A7B78, 7), 0x910AD0)),
    Message(pdu(112, unit("cc 00 00 00 ca00 00001c40", 0x7691B4EB, 7), 0x910AD0), ANSWER),
    Message(pdu(112, unit("0000 0500 0000 0200 0f00 5c00 80 01", 0x80FE0025, 1), 0x910AD0)),
    Message(pdu(112, unit("0000 0200 0000 0500 4f00 5c00", 0x80FE0026, 1), 0x910AD0), ANSWER),
    Message(pdu(114, "0001"), ANSWER),
    Message(pdu(115, "0001")),
    Message(pdu(101, "0100 0000", 0, 105), ANSWER),
    Message(pdu(111, "00000000 0800 0300 0000 0000 b200 0200 0102 0080 1000 0002 08ae 0a000001 0000000000000000"), ANSWER),
    Message(pdu(111, "01000000 0800 0102"), ASK),
    Message(io(0x3A7B78, "0300 fdffffffffffffff0000"), framing=1),
    Message(io(0x7691B4EB, "c6e4 01000000 fdffffffffffffff0000"), ANSWER, framing=1),
    *connection(0),
    *connection(1),
)


def only(message: Message) -> Row:
    (row,) = told(ENIP, [message])
    return row


def test_every_command_has_a_name_and_says_nothing_wrong() -> None:
    names = {row.code: row.action for row in told(ENIP, list(EXAMPLES))}
    assert names == {
        "0": "no_operation", "4": "list_services", "99": "list_identity", "100": "list_interfaces", "101": "register_session", "102": "unregister_session",
        "111": "send_rr_data", "112": "send_unit_data", "114": "indicate_status", "115": "cancel", "32770": "implicit_io",
        "32770/0": "implicit_io_class_0", "32770/1": "implicit_io_class_1",
    }  # fmt: skip


def test_list_identity_tells_the_facts_of_the_asset() -> None:
    row = only(Message(pdu(99, IDENTITY), ANSWER))
    assert (row.effect, row.role, row.outcome, row.value) == ("discovery.request", RESPONSE, SUCCESS, 3)
    assert row.samples == (
        Values("identity", 1, (1.0,)),
        Values("identity", 2, (12.0,)),
        Values("identity", 3, (58.0,)),
        Values("identity", 4, (float(0x0403),)),
        Values("identity", 5, (48.0,)),
        Values("identity", 6, (float(0x00524D8E),)),
        Values("identity", 7, (b"1756-ENBT/A",)),
        Values("identity", 8, (3.0,)),
    )
    fact = ENIP.fact
    assert fact is not None
    assert [fact("identity", *pair) for pair in ((1, 1.0), (4, float(0x1400 | 11)), (6, float(0x00524D8E)), (1, 65000.0))] == [
        "Rockwell Automation/Allen-Bradley", "20.11", "00524D8E", "vendor 65000",
    ]  # fmt: skip


def test_sessions() -> None:
    asked, given, ended = (only(Message(data, side)) for data, side in ((pdu(101, "01000000"), 0), (pdu(101, "01000000", 7), 1), (pdu(102, "", 7), 0)))
    assert (asked.effect, asked.first, asked.transaction) == ("session.open", -1, given.transaction)
    assert (given.space, given.first, given.outcome) == ("session", 7, SUCCESS)
    assert (ended.effect, ended.first, ended.transaction) == ("session.close", 7, -1)
    refused = only(Message(pdu(101, "01000000", 0, 105), ANSWER))
    assert (refused.outcome, refused.error, ENIP.errors[refused.error]) == (FAILURE, 105, "unsupported_protocol_revision")


def test_a_message_that_is_not_carried_is_refused_in_the_words_of_this_protocol() -> None:
    row = only(Message(pdu(111, "", 7, 100), ANSWER))
    assert (row.outcome, ENIP.errors[row.error], CIP.errors[row.error]) == (FAILURE, "invalid_session_handle", "invalid_session_handle")
    assert row.transaction == only(Message(pdu(111, rr("0102"), 7))).transaction
    row = only(Message(pdu(112, "", 7, 100), ANSWER))
    assert (row.role, row.effect, ENIP.errors[row.error]) == (REPORT, "error.report", "invalid_session_handle")


def test_transactions_are_told_by_the_senders_context_or_the_sequence_count() -> None:
    bodies = [pdu(111, rr("0102"), context=context) for context in (1, 2, 1 << 40)]
    bodies += [pdu(112, unit("0102", 9, sequence)) for sequence in (1, 2)]
    assert len({row.transaction for row in told(ENIP, [Message(body) for body in bodies])}) == 5
    assert len({row.transaction for row in told(ENIP, [Message(pdu(112, unit("0102", link, 5)), side) for link, side in ((9, 0), (10, 1))])}) == 1


def test_cip_is_handed_on() -> None:
    given = [Message(pdu(111, rr("0e 03 2001 2401 3007"))), Message(pdu(112, unit("4c00", 9, 1))), Message(pdu(111, "01000000 0800 0000"))]
    _, operations, _ = run(ENIP, given)
    assert [(int(row.payload_length), int(row.selector)) for row in operations] == [(8, 1), (2, 1), (0, -1)]


def test_io_of_an_unknown_connection_names_its_number() -> None:
    """cip_io.pcap of nDPI, read by tshark."""
    row = only(Message(bytes.fromhex("020002800800787b3a00e8cb5e04b1000c000300fdffffffffffffff0000"), framing=1))
    assert (row.code, row.effect, row.space, row.first, row.samples) == ("32770", "data.exchange", "connection", 0x003A7B78, ())


@pytest.mark.parametrize(
    ("data", "side", "anomaly"),
    [
        (pdu(4) + b"\0", ASK, ("bad_length", "trailing_bytes")),
        (pdu(101, "01000000")[:-1], ASK, ("bad_length", "short")),
        (pdu(101, "0100"), ASK, ("short",)),
        (pdu(101, "02000000"), ASK, ("bad_value",)),
        (pdu(101, "01000000 00"), ASK, ("trailing_bytes",)),
        (pdu(99, "00"), ASK, ("trailing_bytes",)),
        (pdu(99, status=1), ASK, ("bad_value",)),
        (pdu(99, options=7), ASK, ("bad_value",)),
        (pdu(99, IDENTITY.replace("01000c002d000100", "01000c002d000200")), ANSWER, ("bad_value",)),
        (pdu(99, IDENTITY.replace("2d00", "2c00", 1)), ANSWER, ("short",)),
        (pdu(99, IDENTITY.replace("2d00", "2e00", 1) + "00"), ANSWER, ("bad_item",)),
        (pdu(99, IDENTITY + "00"), ANSWER, ("trailing_bytes",)),
        (pdu(99, "0100 7700 0000"), ANSWER, ("bad_item",)),
        (pdu(111, "00000000 0800 0900" + "00000000" * 8), ASK, ("bad_count",)),
        (pdu(111, "00000000 0800 0100 b200 0400 0102"), ASK, ("short",)),
        (pdu(112, "00000000 0000 0100 a100 0200 0102"), ASK, ("short",)),
        (pdu(111, "00000000"), ASK, ("short",)),
        (pdu(111, "00000000 0800 0000"), ASK, ("bad_count",)),
        (pdu(111, "00000000 0800 0200 0000 0000 b200 0000"), ASK, ("bad_item",)),
        (pdu(112, "00000000 0000 0100 a100 0400 01020304"), ASK, ("bad_item",)),
    ],
)
def test_malformed(data: bytes, side: int, anomaly: tuple[str, ...]) -> None:
    assert set(only(Message(data, side)).anomalies) >= set(anomaly)
    first, second = told(ENIP, [Message(data, side), Message(pdu(101, "01000000"))])
    assert (second.code, second.anomalies) == ("101", ()), "the next one is read"
    assert only(Message(data, side, marks=CUT)).anomalies == ()
    assert first.message == 0


@pytest.mark.parametrize(
    ("data", "anomaly"),
    [
        (io(1, "0102")[:-1], "short"),
        (io(1, "0102") + b"\0", "trailing_bytes"),
        (b"\1" + io(1, "0102")[1:], "bad_item"),
        (io(1, "0102")[:14] + b"\xb2" + io(1, "0102")[15:], "bad_item"),
        (io(1, "0102")[:12], "short"),
    ],
)
def test_malformed_io(data: bytes, anomaly: str) -> None:
    assert only(Message(data, framing=1)).anomalies == (anomaly,)


def test_broken_framing_is_one_row_that_claims_nothing() -> None:
    row = only(Message(b"GET / HTTP/1.1\r\n", marks=BROKEN))
    assert (row.code, row.effect, row.transaction, row.anomalies) == ("", "unknown", -1, ("bad_header",))
    assert only(Message(b"\2\0", framing=1, marks=BROKEN)).anomalies == ("bad_item",)


def test_labels() -> None:
    assert label("output_assembly", 101 << 16, (101 << 16) + 7) == "assembly 101[0..7]"
    assert label("input_assembly", (100 << 16) + 4, (100 << 16) + 4) == "assembly 100[4]"
    assert label("session", 1, 1) is None


# ── whole conversations ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def datagram(payload: bytes, source: str, target: str, time: int, port: int = 2222) -> Packet:
    return Packet(ethernet(ipv4(udp(payload, port, port), source, target, 17), source, target), time)


@pytest.mark.parametrize(
    ("asked", "action"),
    [
        (("0e 03 2001 2401 3007", "07 02 2064 2401"), "stop_controller"),
        (tuple(f"4b 02 2067 2401 07 4d00 e0312b3d 0f 00 0100 {body}" for body in ("a2 02 07 89 00 00", "80 01")), "change_mode"),
    ],
)
def test_a_transaction_that_is_in_use(asked: tuple[str, ...], action: str) -> None:
    """A second request under the sender context of one that waits."""
    talk = conversation()
    for body in asked:
        talk.put(0, pdu(111, rr(body), 7))
    assert [(line["action"], line["anomaly"]) for line in watch(talk.packets).lines if line["anomaly"]] == [(action, ["reused_transaction"])]


def test_a_mode_change_of_a_station_behind() -> None:
    talk = conversation()
    head = "0000 05 00 0000 02 00"
    talk.ask(pdu(111, rr(f"4c 02 2067 2401 {head} 0f00 5c00 80 01"), 7), pdu(111, rr(f"cc 00 00 00 {head} 4f00 5c00"), 7))
    (line,) = [line for line in watch(talk.packets).lines if line["protocol"] == "pccc"]
    assert (line["action"], line["effect"], line["unit"], line["outcome"], line["anomaly"]) == ("change_mode", "cpu.stop", 5, "success", [])


@pytest.mark.parametrize(("body", "anomalies"), [("0f00 5c00 80 01", []), ("0f00 5c00 80", ["short"]), ("0f", ["short"])])
def test_pccc_on_a_connection_to_data_highway_plus(body: str, anomalies: list[str]) -> None:
    """As a driver of PLC-5s opens it: port and station of the bridge, class 166; a mode change of station 5, and then a read, both before the answers."""
    talk = conversation().ask(pdu(111, rr(forward_open(0xA3, "01 03 20a6 2401 2c01")), 7), pdu(111, rr(OPENED), 7))
    there, back = "0000 0500 0000 0200", "0000 0200 0000 0500"
    talk.put(0, pdu(112, unit(f"{there} {body}", 0x80FE0005, 1), 7))
    talk.put(0, pdu(112, unit(f"{there} 0f00 5d00 a2 02 07 89 00 00", 0x80FE0005, 2), 7))
    talk.put(1, pdu(112, unit(f"{back} 4f00 5d00 2a00", 0x80FE0006, 9), 7))
    talk.put(1, pdu(112, unit(f"{back} 4f10 5c00", 0x80FE0006, 10), 7))
    opened, *lines = [line for line in watch(talk.packets).lines if line["protocol"] in ("cip", "pccc", "enip") and line["action"] != "register_session"]
    assert (opened["action"], opened["object"]["name"], opened["unit"]) == ("forward_open", "data_highway 1", 3)
    assert [line["anomaly"] for line in lines if line["anomaly"] not in ([], ["unsolicited"])] == ([anomalies] if anomalies else [])
    read = next(line for line in lines if line["object"]["name"] == "N7:0")
    assert (read["protocol"], read["unit"], read["values"], read["outcome"]) == ("pccc", 5, [42], "success")
    if not anomalies:
        change = next(line for line in lines if line["action"] == "change_mode")
        assert (change["effect"], change["unit"], change["outcome"]) == ("cpu.stop", 5, "failure")


def test_pccc_on_a_connection_whose_opening_was_not_seen() -> None:
    talk = conversation()
    talk.put(0, pdu(112, unit("0000 0500 0000 0200 0f00 5c00 80 01", 0x80FE0005, 1), 7))
    talk.put(1, pdu(112, unit("0000 0200 0000 0500 4f00 5c00", 0x80FE0006, 1), 7))
    talk.ask(pdu(112, unit("0e 03 2001 2401 3007", 0x80FE0015, 1), 7), pdu(112, unit("8e 00 00 00 03 414243", 0x80FE0016, 1), 7))
    change, read = [(line["action"], line["effect"], line["unit"], line["outcome"], line["anomaly"]) for line in watch(talk.packets).lines[1:]]
    assert change == ("change_mode", "cpu.stop", 5, "success", [])
    assert read == ("get_attribute_single", "identity.read", None, "success", [])


def conversation() -> Talk:
    return Talk(port=44818).open().ask(pdu(101, "01000000"), pdu(101, "01000000", 7))


def test_io_is_of_the_connection_that_was_opened() -> None:
    talk = conversation()
    path = SEGMENTS + "20 04 24 97 2c 65 2c 64"
    talk.ask(pdu(111, rr(forward_open(1, path)), 7), pdu(111, rr(OPENED), 7))
    for number, (run_mode, value) in enumerate(((1, "0102"), (0, "0103"))):
        talk.packets.append(datagram(io(0x80FE0005, f"{number:02x}00 0{run_mode}000000 {value}"), CLIENT, SERVER, START + (number + 1) * SECOND))
        talk.packets.append(datagram(io(0x80FE0006, f"{number:02x}00 00000000 0{number}ff"), SERVER, CLIENT, START + (number + 1) * SECOND + 1))
    talk.time = START + 4 * SECOND
    talk.ask(pdu(111, rr(CLOSE), 7), pdu(111, rr(CLOSED), 7))
    talk.packets.append(datagram(io(0x80FE0005, "0300 01000000 0102"), CLIENT, SERVER, START + 9 * SECOND))
    seen = watch(talk.packets)
    assert seen.anomalies == []
    listed = [(line["action"], line["effect"], line["unit"], line["object"]["name"], line["source"]["ip"]) for line in seen.lines]
    assert listed == [
        ("register_session", "session.open", None, None, CLIENT),
        ("forward_open", "session.reserve", 3, "assembly 100, 101", CLIENT),
        ("implicit_io_class_1", "data.exchange", 3, "assembly 101[0..1]", CLIENT),
        ("implicit_io_class_1", "data.exchange", 3, "assembly 100[0..5]", SERVER),
        ("implicit_io_class_1", "data.exchange", 3, "assembly 101[0..1]", CLIENT),
        ("implicit_io_class_1", "data.exchange", 3, "assembly 100[0..5]", SERVER),
        ("forward_close", "session.close", None, None, CLIENT),
        ("implicit_io", "data.exchange", None, None, CLIENT),
    ]
    points = {(row["ot.object.name"] or row["ot.object.space"], row["ot.point.first"], row["ot.point.last"]) for row in seen.points}
    assert points >= {("assembly 101[0]", 1, 1), ("assembly 101[1]", 2, 3), ("run_mode", 1, 0), ("assembly 100[4]", 0, 1), ("assembly 100[5]", 255, 255)}


@pytest.mark.parametrize("first", [CLIENT, SERVER])
def test_assemblies_are_those_of_the_target_whoever_was_heard_first(first: str) -> None:
    talk = conversation()
    talk.ask(pdu(111, rr(forward_open(1, SEGMENTS + "20 04 24 97 2c 65 2c 64")), 7), pdu(111, rr(OPENED), 7))
    sides = [(io(0x80FE0005, "0100 01000000 0102"), CLIENT, SERVER), (io(0x80FE0006, "0100 00000000 01ff"), SERVER, CLIENT)]
    for number, (data, source, target) in enumerate(sorted(sides, key=lambda side: side[1] != first)):
        talk.packets.append(datagram(data, source, target, START + (number + 1) * SECOND))
    points = watch(talk.packets).points
    assert {row["ot.object.space"] for row in points} == {"input_assembly", "output_assembly", "run_mode"}
    assert {row["destination.ip"] for row in points} == {SERVER}


def test_class_0_has_no_sequence_count_and_a_heartbeat_owns_nothing() -> None:
    talk = conversation().ask(pdu(111, rr(forward_open(0, "20 04 24 97 2c c0 2c 64", output=0x4800)), 7), pdu(111, rr(OPENED), 7))
    talk.packets.append(datagram(io(0x80FE0006, "0102"), SERVER, CLIENT, START + SECOND))
    talk.packets.append(datagram(io(0x80FE0005, ""), CLIENT, SERVER, START + SECOND + 1))
    listed = watch(talk.packets).lines
    assert [(line["action"], line["effect"], line["object"]["name"]) for line in listed[1:]] == [
        ("forward_open", "session.open", "assembly 100, 192"),
        ("implicit_io_class_0", "data.exchange", "assembly 100[0..1]"),
        ("implicit_io_class_0", "data.exchange", "assembly 192[0]"),
    ]


def test_connected_messages_have_the_unit_of_their_connection() -> None:
    talk = conversation().ask(pdu(111, rr(forward_open(0xA3, "01 03 2002 2401")), 7), pdu(111, rr(OPENED), 7))
    talk.ask(pdu(112, unit("0e 03 2001 2401 3007", 0x80FE0005, 1), 7), pdu(112, unit("8e 00 00 00 03 414243", 0x80FE0006, 1), 7))
    line = watch(talk.packets).lines[-1]
    assert (line["action"], line["effect"], line["unit"], line["values"], line["outcome"]) == ("get_attribute_single", "identity.read", 3, ["ABC"], "success")


def test_an_answer_under_the_number_of_the_asking_side_finds_its_request() -> None:
    """As cpppo answers."""
    talk = conversation().ask(pdu(111, rr(forward_open(0xA3, "01 03 2002 2401")), 7), pdu(111, rr(OPENED), 7))
    talk.ask(pdu(112, unit("0e 03 2001 2401 3007", 0x80FE0005, 1), 7), pdu(112, unit("8e 00 00 00 03 414243", 0x80FE0005, 1), 7))
    line = watch(talk.packets).lines[-1]
    assert (line["unit"], line["outcome"], line["anomaly"]) == (3, "success", [])


def test_who_a_device_is_comes_from_its_identity() -> None:
    """By datagrams of list identity, and by the identity object."""
    asked = Packet(ethernet(ipv4(udp(pdu(99), 40000, 44818), CLIENT, SERVER, 17), CLIENT, SERVER), START)
    given = Packet(ethernet(ipv4(udp(pdu(99, IDENTITY), 44818, 40000), SERVER, CLIENT, 17), SERVER, CLIENT), START + 1000)
    object_of = conversation().ask(pdu(111, rr("01 02 2001 2401"), 7), pdu(111, rr(f"81 00 00 00 {IDENTITY_OBJECT}"), 7))
    for packets in ([asked, given], object_of.packets):
        sensor = Sensor("observer", "site", "file")
        assert list(sensor.listen(Feed(packets)))
        (asset,) = [asset for asset in sensor.assets() if asset.model]
        assert (asset.vendor, asset.model, asset.firmware, asset.serial) == ("Rockwell Automation/Allen-Bradley", "1756-ENBT/A", "4.3", "00524D8E")
        assert asset.addresses[0] == SERVER


def test_what_is_wrong_with_a_message_that_carries_cip_is_told_beside_it() -> None:
    """An item that is none beside those that carry a request, and octets behind those that carry its answer."""
    extra = rr("4c 04 9106 464954323031 0100").replace("0800 0200", "0800 0300") + "7700 0000"
    talk = conversation().ask(pdu(111, extra, 7), pdu(111, rr("cc 00 00 00 ca00 00001c40") + "00", 7))
    told_ = [(line["protocol"], line["action"], line["source"]["ip"], line["values"], line["anomaly"]) for line in watch(talk.packets).lines[1:]]
    assert sorted(told_) == [
        ("cip", "read_tag", CLIENT, [2.4375], []),
        ("enip", "send_rr_data", CLIENT, [], ["bad_item"]),
        ("enip", "send_rr_data", SERVER, [], ["trailing_bytes"]),
    ]


def test_a_message_over_several_segments_and_a_gap_lose_nothing_that_follows() -> None:
    talk = conversation()
    request = pdu(111, rr("4c 04 9106 464954323031 0100"), 7)
    for piece in (request[:5], request[5:40], request[40:]):
        talk.put(0, piece)
    talk.put(1, pdu(111, rr("cc 00 00 00 ca00 cdcc1c40"), 7) + pdu(111, rr("cc 00 00 00 ca00 cdcc1c40"), 7)[:30])
    talk.lose(1, 100).put(1, b"")
    talk.put(0, pdu(111, rr("4c 04 9106 464954323031 0100"), 7, context=9))
    talk.put(1, pdu(111, rr("cc 00 00 00 ca00 00001c40"), 7, context=9))
    reads = [line for line in watch(talk.packets).lines if line["action"] == "read_tag"]
    assert [(line["object"]["name"], line["values"]) for line in reads] == [("FIT201", [2.450000047683716]), ("FIT201", [2.4375])]


def test_another_port_is_recognised_and_other_traffic_on_the_port_is_not() -> None:
    talk = Talk(port=4000).open().ask(pdu(101, "01000000"), pdu(101, "01000000", 7))
    assert [line["action"] for line in watch(talk.packets).lines] == ["register_session"]
    other = Talk(port=44818).open().ask(b"\xff\xff\0\1\0\0\x0b\x90\x16\x15\x35\xbe" * 4, b"\0\0\0\2\x8a\xd3\xd3\xfd" * 5)
    assert {line["action"] for line in watch(other.packets).lines} <= {"malformed"}


# ── captures ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

SHARED = Path(__file__).resolve().parents[2] / "shared" / "captures" / "conformance"


def captured(path: str) -> list[dict[str, Any]]:
    need("captures", (SHARED / path).is_file(), "the shared captures are not beside the checkout")
    return lines("dissect", SHARED / path)


@pytest.mark.captures
def test_tags_are_those_of_the_transcript() -> None:
    """By `cip.ipal` of the same repository: each tag and the octets of its value."""
    path = "fkie-cad+ipal_transcriber/misc/pcaps/cip.pcapng"
    read = [(row["object"]["name"].split(":")[0], row["values"]) for row in captured(path) if row["protocol"] == "cip"]
    told = [
        pair
        for line in (SHARED / "fkie-cad+ipal_transcriber/misc/ipal/cip.ipal").read_text("utf-8").splitlines()
        if (row := json.loads(line))["activity"] == "inform"
        for pair in row["data"].items()
    ]
    assert len(told) == 10
    assert read == [(name, [struct.unpack("<f" if len(data) == 8 else "<h", bytes.fromhex(data))[0]]) for name, data in told]


@pytest.mark.captures
def test_what_was_done_to_a_micrologix() -> None:
    """cip_only.pcap, as tshark tells it: two changes of mode and four bits written under a mask."""
    rows = [row for row in captured("ITI+ICS-Security-Tools/pcaps/CIP/cip_only.pcap") if row["access"] not in ("read", "identify", "session", "diagnose")]
    assert [(row["action"], row["effect"], row["values"], row["outcome"]) for row in rows if row["action"] == "change_mode"] == [
        ("change_mode", effect, [mode], "success") for effect, mode in (("cpu.stop", 1.0), ("cpu.start", 6.0))
    ]
    assert [row["object"]["name"] for row in rows if row["action"] == "protected_typed_logical_write_masked"] == ["#1:0/5", "#1:0/0", "#1:0/5", "#1:0/0"]


@pytest.mark.captures
def test_a_port_that_says_so_is_not_enough() -> None:
    """toca-boca.pcap of nDPI: something else on UDP 44818."""
    assert captured("ntop+nDPI/tests/cfgs/default/pcap/toca-boca.pcap") == []
