"""CIP, message by message: services, paths, packets, connections, tags; what is wrong with malformed ones."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from sensors.activities import error_name
from sensors.codes.cip import CLASS_NAMES, ENCAPSULATION, LISTED, TYPES
from sensors.engine import contexts
from sensors.engine.tables import CUT, FAILURE, MESSAGE, OPERATION, REQUEST, RESPONSE, SAMPLE, SUCCESS, TOLD, table
from sensors.protocols.cip import CIP, label
from tests.protocol_battery import Message, Row, Values, told

ASK, ANSWER = 0, 1


def asking(body: str) -> Message:
    return Message(bytes.fromhex(body))


def answering(body: str) -> Message:
    return Message(bytes.fromhex(body), ANSWER)


def packet(*services: str, head: str = "0a 02 2002 2401") -> Message:
    """A multiple service packet: its offsets are counted from the number of services."""
    parts = [bytes.fromhex(service) for service in services]
    at = 2 + 2 * len(parts)
    offsets = b"".join((at + sum(map(len, parts[:number]))).to_bytes(2, "little") for number in range(len(parts)))
    data = bytes.fromhex(head) + len(parts).to_bytes(2, "little") + offsets + b"".join(parts)
    return Message(data, ANSWER if data[0] & 128 else ASK)


def wrapped(body: str, route: str = "01 00") -> Message:
    """An unconnected send around a service, by this route."""
    inner, path = bytes.fromhex(body), bytes.fromhex(route)
    head = bytes.fromhex("52 02 2006 2401 0a 05") + len(inner).to_bytes(2, "little")
    return Message(head + inner + bytes(len(inner) & 1) + bytes((len(path) // 2, 0)) + path)


def symbols(*names: str) -> str:
    """A path of ANSI symbols and, as numbers, of indices."""
    made = b""
    for name in names:
        if name.isdigit():
            number = int(name)
            made += bytes((0x28, number)) if number < 256 else b"\x29\0" + number.to_bytes(2, "little")
        else:
            made += bytes((0x91, len(name))) + name.encode() + bytes(len(name) & 1)
    return f"{len(made) // 2:02x}" + made.hex()


TAG = symbols("FIT201")
TAG_READ = f"4c {TAG} 0100"
CONNECTION = "0700 4d00 e0312b3d"
OPEN = f"54 02 2006 2401 07 9b 00000000 00000000 {CONNECTION} 02 000000 204e0000 0648 10270000 0628 01 05 0103 2004 2497 2c65 2c64"
LARGE = f"5b 02 2006 2401 07 9b 00000000 00000000 {CONNECTION} 02 000000 204e0000 a00f0042 10270000 a00f0042 a3 03 0100 2002 2401"
NULL = f"54 02 2006 2401 07 9b 00000000 00000000 {CONNECTION} 02 000000 204e0000 0000 10270000 0000 01 02 2004 2497"
CLOSE = f"4e 02 2006 2401 07 9b {CONNECTION} 02 00 2002 2401"
OPENED = f"00 00 00 0500fe80 0600fe80 {CONNECTION} 204e0000 10270000 00 00"
DOWNLOAD = "4c 02 2037 2465 00040000 0100 0102 01 656e67 da 0400 08 70756d702e62696e"  # pump.bin, 1024 octets, revision 1.2
PAIRS = (  # requests and replies
    ("01 02 20ac 2401", "81 00 00 00 e302b2a4c1d1"),
    ("01 02 2001 2401", "81 00 00 00 0100 0c00 3a00 0403 3000 8e4d5200 0b 313735362d454e42542f41"),
    ("01 02 2001 2401", "81 00 00 00 0100 0c00 3a00 0403 3000 8e4d5200 0b 313735362d454e42542f41 03"),
    ("02 02 200f 2401 0102", "82 00 00 00"),
    ("03 02 2001 2401 0300 0100 0600 0700", "83 00 00 00 0300 0100 0000 0100 0600 0000 8e4d5200 0700 0000 03 414243"),
    ("03 02 2001 2401 0200 0900 0a00", "83 00 00 00 0200 0900 0000 01 0a00 0000 02"),
    ("03 02 208e 2401 0100 0900", "83 00 00 00 0100 0900 0000 0102"),
    ("04 02 20ac 2401 0100 0a00 c105", "84 00 00 00"),
    ("05 02 2001 2401 01", "85 00 00 00"),
    ("05 02 2004 2401", "85 00 00 00"),
    ("06 02 2064 2401", "86 00 00 00"),
    ("06 02 2029 2401", "86 00 00 00"),
    ("07 02 2064 2401 deadbeefcafe", "87 00 00 00"),
    ("07 02 2029 2401", "87 00 00 00"),
    ("08 02 2068 2400", "88 00 00 00 0100"),
    ("09 02 2068 2401", "89 00 00 00"),
    ("0d 02 20f5 2401", "8d 00 00 00"),
    ("0e 03 2001 2401 3007", "8e 00 00 00 03 414243"),
    ("0e 03 2001 2401 3001", "8e 00 00 00 0100"),
    ("0e 03 2001 2401 3004", "8e 00 00 00 140b"),
    ("0e 03 2001 2401 3006", "8e 00 00 00 8e4d5200"),
    ("0e 03 2001 2401 3008", "8e 00 00 00 03"),
    ("0e 03 2001 2401 3005", "8e 00 00 00 3000"),
    ("0e 03 2004 2464 3003", "8e 00 00 00 01020304"),
    ("0e 03 200f 2401 3001", "8e 00 00 00 2a000000"),
    ("0e 03 200f 2401 3002", "8e 00 00 00 2a00000000000000"),
    ("0e 03 200f 2401 3003", "8e 00 00 00 ffff"),
    ("0e 03 200f 2401 3004", "8e 00 00 00 ff"),
    ("10 03 2004 2464 3003 0102", "90 00 00 00"),
    ("10 03 20f5 2401 3005 0a000001", "90 00 00 00"),
    ("11 02 206b 2400", "91 00 00 00"),
    ("15 02 200f 2401", "95 00 00 00"),
    ("16 02 200f 2401", "96 00 00 00"),
    ("17 02 2001 2401", "97 00 00 00"),
    ("18 03 2004 2464 2801", "98 00 00 00 01"),
    ("19 03 2004 2464 2801 05", "99 00 00 00"),
    ("1a 03 2004 2464 2801 05", "9a 00 00 00"),
    ("1b 03 2004 2464 2801", "9b 00 00 00"),
    ("1c 02 2043 2401", "9c 00 00 00"),
    *((f"{service:02x} 02 2037 2401", f"{service | 128:02x} 00 00 00 01") for service in (77, 78, 81)),
    ("4b 02 2037 24c8 ff", "cb 00 00 00 00100000 c8"),
    ("4f 02 2037 24c8 00", "cf 00 00 00 00 00 0102030405"),
    ("4f 02 2037 24c8 01", "cf 00 00 00 01 02 0607 1c00"),
    (DOWNLOAD, "cc 00 00 00 00020000 0000 80"),
    ("4c 02 2037 2464 00040000 0100 0102 02 656e67 d0 0400 0300 414243 646575 d5 0400 0100 4100", "cc 00 00 00 00020000 0000 80"),
    ("50 02 2037 2465 00 00 01020304", "d0 00 00 00 00"),
    ("50 02 2037 2465 01 02 05060708 1a00", "d0 00 00 00 01"),
    ("50 02 2037 2465 01 03", "d0 00 00 00 01"),
    ("4b 02 20a1 2401 05990700 22000000", "cb 00 00 00 0000 1000 8000 140b 05990700"),
    ("4d 02 20a1 2401 03000000 01020304", "cd 00 00 00 03000000 0000"),
    ("4b 02 2067 2401 07 4d00 e0312b3d 06 00 63c5 03", "cb 00 00 00 07 4d00 e0312b3d 46 00 63c5 00"),
    (f"4c {TAG} 0100", "cc 00 00 00 ca00 cdcc1c40"),
    (f"4c {symbols('Program:Main', 'Tank', '1', '2', 'Level', '3')} 0100", "cc 00 00 00 c100 01"),
    ("4c 03 206b 25000500 0200", "cc 00 00 00 c300 01000200"),
    *((f"4c {TAG} 0200", f"cc 00 00 00 {kind:02x}00 {'01' * 2 * size}") for kind, (_, size) in TYPES.items()),
    *((f"4c {TAG} 0100", f"cc 00 00 00 {kind:02x}00 {'01' * size}") for kind, (_, size) in TYPES.items()),
    (f"4c {TAG} 0100", "cc 00 00 00 a002 ce0f 0300000041424300"),
    (f"4c {TAG} 0100", "cc 00 00 00 da00 03414243"),
    (f"4d {TAG} c400 0100 2a000000", "cd 00 00 00"),
    (f"4d {TAG} a002 ce0f 0100 0300000041424300", "cd 00 00 00"),
    ("4e 0c 91 16 4c4d535f44495341424c455f32445343414e4e455231 0100 01 ff", "ce 00 00 00"),
    (f"52 {TAG} 0a00 08000000", "d2 00 06 00 c400 0100000002000000"),
    (f"53 {TAG} c400 0a00 08000000 0100000002000000", "d3 00 00 00"),
    ("55 03 206b 25000000 0200 0100 0200", "d5 00 06 00 01000000 0300 414243 c400"),
    ("4c 03 206c 25000501 00000000 0a00", "cc 00 00 00 0102030405060708090a"),
    ("4c 02 2072 2400 00ce0400 0200", "cc 00 00 00 01000000 02000000"),
    ("4f 06 2068 25002024 206a 2500fa1b 00000000 0100", "cf 00 00 00 0102"),
    ("4c 06 2068 25002024 206d 25002024 00000000 3200", "cc 00 00 00 0102"),
    *((f"4b 02 20{kind:02x} 2400", "cb 00 00 00 20240000") for kind in (104, 105, 106, 107, 108, 109, 112)),
    ("4c 02 2067 2401 0000 05 00 0000 02 00 0f00 5c00 a2 14 07 89 00 00", "cc 00 00 00 0000 02 00 0000 05 00 4f00 5c00 0100"),
    ("4d 02 2067 2401 0f00 5c00 80 01", "cd 00 00 00 4f00 5c00"),
    *((f"4b 03 2100 {kind.to_bytes(2, 'little').hex()} 2400", "cb 00 00 00 20240000") for kind in LISTED),
    ("4e 02 2070 2400" + "00" * 20, "ce 00 00 00"),
    (OPEN, "d4" + OPENED),
    (LARGE, "db" + OPENED),
    (NULL, "d4" + OPENED),
    (CLOSE, f"ce 00 00 00 {CONNECTION} 00 00"),
    ("56 02 2006 2401 0100", "d6 00 00 00 01"),
    ("57 02 2006 2401 0100", "d7 00 00 00 01"),
    ("5a 02 2006 2401 02 20012401", "da 00 00 00 01"),
    # what paths are made of: an electronic key, ports with long addresses, network and data segments, other symbols, 16 and 32 bits
    ("0e 08 34 04 0100 0c00 3a00 04 03 2001 2401 3007", "8e 00 00 00 03 414243"),
    ("0e 08 15 08 31302e302e302e32 2001 2401 3007", "8e 00 00 00 00"),
    ("0e 07 43 01 51 01 0500 80 01 aabb 2001 2401", "8e 00 00 00 01"),
    ("0e 08 0f 0102 03 2100 0103 2500 0102 3100 0700", "8e 00 00 00 01"),
    ("0e 07 2200 01000000 2600 01000000 3007", "8e 00 00 00 01"),
    ("4c 03 6441424344 00 0100", "cc 00 00 00 c100 ff"),
    ("4c 03 6022 41004200 0100", "cc 00 00 00 c100 ff"),
    ("4c 02 60c6 0500 0100", "cc 00 00 00 c100 ff"),
    ("4c 02 60c7 0500 0100", "cc 00 00 00 c100 ff"),
)
PACKETS = (
    packet(f"4c {TAG} 0100", f"4d {symbols('A', '3')} c300 0100 0700", "0e 03 2001 2401 3007"),
    packet("cc 00 00 00 ca00 cdcc1c40", "cd 00 00 00", "8e 00 00 00 03 414243", head="8a 00 00 00"),
    packet("4b 02 2067 2401 07 4d00 e0312b3d 06 00 63c5 03"),
    packet("cb 00 00 00 07 4d00 e0312b3d 46 00 63c5 00", head="8a 00 00 00"),
    packet(f"4c {TAG} 0100", f"4c {TAG} 0100"),
    answering("8a 00 08 00"),
    asking("17 02 2001 2401"),
    answering("8a 00 08 00"),
    packet(f"4c {TAG} 0100"),
    answering("8a 00 00 00 0000"),
    wrapped("4c 04 9106 464954323031 0100"),
    answering("cc 00 00 00 ca00 cdcc1c40"),
    wrapped("0e 03 2001 2401 300700", "15 08 31302e302e302e32 01 02"),
    wrapped("0e 03 2001 2401 3007", "01 00"),
    answering("d2 00 01 01 0402 00"),
)
LONE = (answering("d2 00 01 01 0402 00"),)
BITS = (
    (("Start",), "0100 01 ff", "Start", 1),
    (("Start",), "0100 00 fe", "Start", 0),
    (("Valves",), "0400 08000000 ffffffff", "Valves.3", 1),
    (("Valves",), "0400 00000000 ffffff7f", "Valves.31", 0),
    (("Valves", "5"), "0100 02 ff", "Valves[5].1", 1),
    (("Program:Main", "Tank", "1", "Mode"), "0200 0001 ffff", "Program:Main.Tank[1].Mode.8", 1),
)
EXAMPLES = (
    *LONE,
    *(message for ask, reply in PAIRS for message in (asking(ask), answering(reply))),
    *PACKETS,
    asking("63 02 2002 2401"),
    asking("0e 03 2001 2401 3007"),
    answering("8e 00 01 01 0701"),
    asking("0e 03 2001 2402 3007"),
    answering("8e 00 16 00"),
    wrapped("4c 04 9106 464954323031 0100"),
    answering("d2 00 01 01 0402 00"),
    asking("0e 03 2001 2401 3002"),
    answering("8e 00 00 00 0c00"),
    asking("0e 00"),
    *(asking(f"4e {symbols(*path)} {masks}") for path, masks, _, _ in BITS),
    *(message for file in (102, 103, 104) for message in (
        asking(DOWNLOAD.replace("2465", f"24{file:02x}")), answering("cc 00 00 00 00020000 0000 80"), asking(f"50 02 2037 24{file:02x} 00 00 01020304"),
        answering("d0 00 00 00 00"), asking(f"50 02 2037 24{file:02x} 01 03"), answering("d0 00 00 00 01"),
    )),
    asking("4c 02 2067 2401 0000 05 00 0000 02 00 0f00 5c00 a2 14 07 89 00 00"),
    answering("cc 00 00 00 0000 02 00 0000 05 00 4f00 5c00 0100"),
)  # fmt: skip


def only(message: Message, *before: Message) -> Row:
    """The one row of a message, after others."""
    return told(CIP, [*before, message])[-1]


def both(ask: str, reply: str) -> tuple[Row, Row]:
    first, second = told(CIP, [asking(ask), answering(reply)])
    return first, second


@pytest.mark.parametrize("pair", PAIRS)
def test_every_service_is_understood_without_complaint(pair: tuple[str, str]) -> None:
    ask, reply = both(*pair)
    assert (ask.anomalies, reply.anomalies, ask.short, reply.short) == ((), (), 0, 0)
    assert (ask.role, reply.role, reply.outcome) == (REQUEST, RESPONSE, SUCCESS)
    assert ask.code == reply.code, "what was asked tells what is answered"
    assert ask.code.startswith(f"{int(pair[0][:2], 16)}")


@pytest.mark.parametrize(
    ("body", "action", "effect"),
    [
        ("05 02 2001 2401", "reset_device", "cpu.reset"),
        ("05 02 2004 2401", "reset", "configuration.write"),
        ("07 02 2064 2401", "stop_controller", "cpu.stop"),
        ("06 02 2064 2401", "start_controller", "cpu.start"),
        ("0e 03 2001 2401 3007", "get_attribute_single", "identity.read"),
        ("0e 03 200f 2401 3007", "get_attribute_single", "configuration.read"),
        ("0e 03 2004 2464 3003", "get_attribute_single", "value.read"),
        ("10 03 2004 2464 3003 01", "set_attribute_single", "value.write"),
        ("10 03 20f5 2401 3005 01", "set_attribute_single", "address.set"),
        ("10 03 202a 2401 3008 0100", "set_attribute_single", "setpoint.write"),
        ("10 03 208e 2401 3001 01", "set_attribute_single", "mode.change"),
        ("10 03 20a1 2401 3001 01", "set_attribute_single", "firmware.write"),
        ("10 03 205e 2401 3001 01", "set_attribute_single", "credential.change"),
        ("04 02 208b 2401 0100", "set_attribute_list", "time.write"),
        ("03 02 208b 2401 0100", "get_attribute_list", "time.read"),
        ("08 02 2068 2400", "create", "program.download"),
        ("09 02 2068 2401", "delete", "program.delete"),
        ("09 02 2037 2401", "delete", "file.delete"),
        ("08 02 20c8 2401", "create", "configuration.write"),
        ("16 02 200f 2401", "save", "memory.copy"),
        (DOWNLOAD, "initiate_file_download", "file.write"),
        ("50 02 2037 2465 00 00 01", "file_download_transfer", "file.write"),
        ("50 02 2037 2465 00 03", "file_download_transfer", "session.close"),
        ("4f 02 2037 2465 00", "file_upload_transfer", "file.read"),
        ("51 02 2037 2465", "clear_file", "file.delete"),
        ("4b 02 20a1 2401 05990700 22000000", "firmware_update", "firmware.mode"),
        ("4d 02 20a1 2401 00000000 0102", "firmware_transfer", "firmware.write"),
        ("55 02 206b 2400 0100 0100", "get_instance_attribute_list", "tags.browse"),
        ("4b 02 2070 2400", "list_tasks", "directory.read"),
        ("4b 02 208d 2400", "list_objects_of_class_141", "directory.read"),
        ("08 06 2068 25002024 21002b03 2400", "create", "program.download"),
        ("10 07 2068 25002024 21002b03 2401 3001 01", "set_attribute_single", "program.modify"),
        ("03 06 2068 25002024 21002b03 2401 0100 0100", "get_attribute_list", "configuration.read"),
        ("09 06 2068 25002024 21002b03 2401", "delete", "program.delete"),
        ("53 06 2068 25002024 21002b03 2401", "function_83_811", "program.upload"),
        ("53 06 2068 25002024 21002b03 2401" + "00" * 40, "function_83_811", "program.download"),
        ("53 04 21002b03 2401" + "00" * 40, "function_83_811", "unknown"),
        ("03 05 2068 25002024 206b 2401 0100 0100", "get_attribute_list", "tags.browse"),
        ("4e 02 2070 2400", "function_78_112", "program.upload"),
        ("4e 02 2070 2400" + "00" * 40, "function_78_112", "program.download"),
        ("63 02 2001 2401", "function_99_1", "unknown"),
        (OPEN, "forward_open", "session.reserve"),
        (LARGE, "large_forward_open", "session.open"),
        (NULL, "forward_open", "configuration.write"),
        (CLOSE, "forward_close", "session.close"),
    ],
)
def test_effects(body: str, action: str, effect: str) -> None:
    row = only(asking(body))
    assert (row.action, row.effect) == (action, effect)


def dissected(given: list[Message], clocks: tuple[int, ...] = (0,)) -> tuple[Any, Any]:
    """(memory, operations) of messages at these times."""
    data = b"".join(message.data for message in given)
    memory = np.concatenate([np.frombuffer(data, np.uint8), np.zeros(contexts.OCTETS, np.uint8)])
    messages, operations, samples = table(len(given), MESSAGE), table(512, OPERATION), table(512, SAMPLE)
    lengths = [len(message.data) for message in given]
    messages.offset, messages.length, messages.side = [sum(lengths[:i]) for i in range(len(given))], lengths, [message.side for message in given]
    messages.clock = clocks
    CIP.dissect(memory, messages, np.arange(len(given)), operations, 0, samples, 0, *contexts.context_tables(len(data)))
    return memory, operations


@pytest.mark.parametrize(
    ("path", "name", "first"),
    [
        (("FIT201",), "FIT201", 0),
        (("Odd",), "Odd", 0),
        (("Tank", "3"), "Tank", 3),
        (("Tank", "300"), "Tank", 300),
        (("Tank", "1", "2"), "Tank[1,2]", 0),
        (("Program:Main", "Tank"), "Program:Main.Tank", 0),
        (("Program:Main", "Tank", "3", "Level"), "Program:Main.Tank[3].Level", 0),
        (("Program:Main", "Tank", "3", "Level", "7"), "Program:Main.Tank[3].Level", 7),
        (("A", "1", "2", "B", "3", "4", "5"), "A[1,2].B[3,4,5]", 0),
    ],
)
def test_names_of_tags(path: tuple[str, ...], name: str, first: int) -> None:
    message = asking(f"4c {symbols(*path)} 0200")
    row = only(message)
    assert (row.space, row.first, row.last, row.effect, row.anomalies) == ("tag", first, first + 1, "value.read", ())
    memory, (operation, *_) = dissected([message])
    assert bytes(memory[operation.name_at : operation.name_at + operation.name_octets]).decode() == name


def test_values_of_a_tag() -> None:
    """cip.pcapng of ipal_transcriber: FIT201 is CD CC 1C 40, by its own transcript and tshark."""
    ask, reply = both(f"4c {TAG} 0100", "cc 00 00 00 ca00 cdcc1c40")
    assert (ask.space, ask.first, ask.last, ask.samples) == ("tag", 0, 0, ())
    assert reply.samples == (Values("tag", 0, (struct.unpack("<f", bytes.fromhex("cdcc1c40"))[0],)),)
    assert reply.value == reply.samples[0].values[0]


@pytest.mark.parametrize(
    ("kind", "data", "values"),
    [
        ("c100", "ff00", (1, 0)),
        ("c200", "ff01", (-1, 1)),
        ("c300", "feff0100", (-2, 1)),
        ("c400", "ffffffff07000000", (-1, 7)),
        ("c500", "ffffffffffffffff0700000000000000", (-1, 7)),
        ("c600", "ff01", (255, 1)),
        ("c700", "ffff0100", (65535, 1)),
        ("c800", "ffffffff01000000", (0xFFFFFFFF, 1)),
        ("ca00", "0000803f000000c0", (1, -2)),
        ("cb00", "000000000000f03f00000000000000c0", (1, -2)),
        ("d300", "0100008002000000", (0x80000001, 2)),
    ],
)
def test_types(kind: str, data: str, values: tuple[float, ...]) -> None:
    _, read = both(f"4c {symbols('A', '5')} 0200", f"cc 00 00 00 {kind} {data}")
    assert read.samples == (Values("tag", 5, values),)
    write = only(asking(f"4d {symbols('A', '5')} {kind} 0200 {data}"))
    assert (write.samples, write.first, write.last, write.effect) == ((Values("tag", 5, values),), 5, 6, "value.write")
    half = data[: len(data) // 2]
    assert only(asking(f"4d {symbols('A')} {kind} 0100 {half}")).value == values[0]


def test_fragments_know_their_place() -> None:
    ask, reply = both(f"52 {TAG} 0a00 08000000", "d2 00 06 00 c400 0100000002000000")
    assert (ask.first, ask.last, reply.outcome) == (0, 9, SUCCESS)
    assert reply.samples == (Values("tag", 2, (1, 2)),)
    write = only(asking(f"53 {TAG} c400 0a00 08000000 0100000002000000"))
    assert (write.first, write.last, write.samples) == (2, 3, (Values("tag", 2, (1, 2)),))
    behind = only(asking(f"53 {TAG} c400 0a00 24000000 0100000002000000"))
    assert (behind.first, behind.last, behind.anomalies) == (0, 9, ("quantity_mismatch",))


@pytest.mark.parametrize(
    ("path", "name", "octets"),
    [(("Recipe",), "Recipe", "a002 ce0f"), (("Recipe", "3"), "Recipe[3]", "a002 ce0f"), (("Name",), "Name", "d000")],
)
def test_a_fragment_without_elements_of_a_known_size_is_octets_of_the_tag(path: tuple[str, ...], name: str, octets: str) -> None:
    row = only(asking(f"53 {symbols(*path)} {octets} 0100 f4010000 {'07' * 20}"))
    assert (row.space, row.name, row.first, row.last, row.anomalies) == ("tag_octets", name, 500, 519, ())
    huge = only(asking(f"53 {symbols(*path)} {octets} 0100 ffffffff {'07' * 20}"))
    assert (huge.first, huge.last) == (0xFFFFFFFF, 0xFFFFFFFF + 19)
    by_number = only(asking(f"53 03 206b 25000500 {octets} 0100 f4010000 {'07' * 20}"))
    assert (by_number.space, label("symbol", by_number.first, by_number.last)) == ("symbol", "symbol 5[0]")


@pytest.mark.parametrize(("path", "masks", "name", "value"), BITS)
def test_a_bit_of_a_tag_is_written(path: tuple[str, ...], masks: str, name: str, value: float) -> None:
    row = only(asking(f"4e {symbols(*path)} {masks}"))
    assert (row.effect, row.name, row.first, row.last, row.value) == ("value.write", name, 0, 0, value)
    assert (row.samples, row.anomalies) == ((Values("tag", 0, (value,)),), ())


def test_several_bits_of_a_tag_are_no_value() -> None:
    for masks in ("0400 03000000 ffffffff", "0400 00000000 ffffffff", "0100 01 fc"):
        row = only(asking(f"4e {symbols('Valves')} {masks}"))
        assert (row.name, row.value, row.samples, row.anomalies) == ("Valves", None, (), ())
    assert only(asking("4e 04 206b 25000100 0400 08000000 ffffffff")).samples == ()


def test_structures_are_opaque() -> None:
    for pair in (x for x in PAIRS if "ce0f" in x[0] or "ce0f" in x[1]):
        assert [row.samples for row in both(*pair)] == [(), ()]


def test_objects_have_numbers_and_labels() -> None:
    row = only(asking("0e 03 2001 2401 3007"))
    assert (row.space, row.first, row.last) == ("object", (1 << 36) + (1 << 16) + 7, (1 << 36) + (1 << 16) + 7)
    assert label("object", row.first, row.last) == "identity 1.7"
    assert label("object", 200 << 36 | 5 << 16, 200 << 36 | 5 << 16) == "class 200 5"
    assert label("assembly", 100 << 16, (100 << 16) + 3) == "assembly 100[0..3]"
    assert label("symbol", (5 << 16) + 2, (5 << 16) + 2) == "symbol 5[2]"
    assert label("tag", 0, 0) is None
    assert CLASS_NAMES[1] == "identity"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("06 2068 25002024 206d 25002124", "program 9248/routine 9249"),
        ("07 2068 25002024 206d 25002124 3002", "program 9248/routine 9249.2"),
        ("07 2068 25002024 21002d03 25002024", "program 9248/class 813 9248"),
        ("06 2069 2401 207e 2400 2070 2405", "module 1/class 126 0/task 5"),
    ],
)
def test_an_object_within_another_is_named_with_it(path: str, name: str) -> None:
    """As EIP-SoftwareUpload.pcap of ICS-Security-Tools has them, read by tshark."""
    message = asking(f"03 {path} 0100 0100")
    memory, (operation, *_) = dissected([message])
    assert bytes(memory[operation.name_at : operation.name_at + operation.name_octets]).decode() == name
    row = only(message)
    assert (row.space, row.anomalies, label("object", row.first, row.last)) == ("object", (), name.split("/")[-1])


def test_pccc_to_a_station_of_data_highway_plus() -> None:
    ask, reply = both("4c 02 2067 2401 0000 05 00 0000 02 00 0f00 5c00 a2 14 07 89 00 00", "cc 00 00 00 0000 02 00 0000 05 00 4f00 5c00 0100")
    assert [(row.code, row.effect, row.unit, row.anomalies) for row in (ask, reply)] == [("76/103", "unknown", 5, ())] * 2
    assert only(asking("4c 02 2067 2401 0000 05 00 0000 02 00")).anomalies == ("short",)


def test_what_is_wrong_with_a_message_that_carries_pccc_is_told_beside_it() -> None:
    """A route that is none, around a mode change."""
    message = wrapped("4b 02 2067 2401 07 4d00 e0312b3d 0f 00 63c5 80 08", "ff ff")
    _, (carries, wrong, *_) = dissected([message])
    assert (int(carries.payload_length), int(carries.anomaly)) == (6, 0)
    row = only(message)
    assert (row.action, row.anomalies, row.role, row.transaction) == ("execute_pccc", ("bad_path",), TOLD, -1)
    assert int(wrong.payload) == -1


def test_attributes_are_points() -> None:
    _, reply = both("0e 03 200f 2401 3001", "8e 00 00 00 2a000000")
    assert (reply.value, reply.samples) == (42, (Values("object", (15 << 36) + (1 << 16) + 1, (42,)),))
    _, reply = both("0e 03 2004 2464 3003", "8e 00 00 00 01020304")
    assert reply.samples == (Values("assembly", 100 << 16, (1, 2, 3, 4)),)
    assert only(asking("10 03 2004 2464 3003 0102")).samples == (Values("assembly", 100 << 16, (1, 2)),)


def test_the_identity_object_tells_facts() -> None:
    _, reply = both(*PAIRS[2])
    assert reply.samples == (
        Values("identity", 1, (1,)), Values("identity", 2, (12,)), Values("identity", 3, (58,)), Values("identity", 4, (0x403,)),
        Values("identity", 5, (48,)), Values("identity", 6, (0x524D8E,)), Values("identity", 7, (b"1756-ENBT/A",)), Values("identity", 8, (3,)),
    )  # fmt: skip
    assert len(both(*PAIRS[1])[1].samples) == 7
    _, reply = both("03 02 2001 2401 0300 0100 0600 0700", "83 00 00 00 0300 0100 0000 0100 0600 0000 8e4d5200 0700 0000 03 414243")
    assert reply.samples == (Values("identity", 1, (1,)), Values("identity", 6, (0x524D8E,)), Values("identity", 7, (b"ABC",)))
    assert both("0e 03 2001 2401 3004", "8e 00 00 00 140b")[1].samples == (Values("identity", 4, (0x140B,)),)


def test_a_file_is_called_by_its_name_after_it_was_told() -> None:
    """ODVA Vol 1, 5-42: what begins a download tells size and name, its transfers their number; clearing it tells neither."""
    bodies = (DOWNLOAD, "50 02 2037 2465 00 00 0102", "50 02 2037 2465 01 02 0304 0a00", "51 02 2037 2465", "50 02 2037 2466 00 00 0102")
    memory, operations = dissected([asking(body) for body in bodies])
    names = [bytes(memory[row.name_at : row.name_at + row.name_octets]).decode() for row in operations[: len(bodies)]]
    assert names == ["pump.bin", "pump.bin", "pump.bin", "pump.bin", ""]
    rows = told(CIP, [asking(body) for body in bodies])
    assert [(row.space, row.first, row.last, row.value) for row in rows] == [
        ("file", 101, 101, 1024), ("file", 101, 101, 0), ("file", 101, 101, 1), ("file", 101, 101, None), ("file", 102, 102, 0),
    ]  # fmt: skip
    assert both("4b 02 2037 24c8 ff", "cb 00 00 00 00100000 c8")[1].value == 4096, "how long it is, the answer tells"


def test_firmware_tells_how_much_of_it_there_is_and_which_chunk_comes() -> None:
    first, second = only(asking("4b 02 20a1 2401 05990700 22000000")), only(asking("4d 02 20a1 2402 07000000 0102"))
    assert (first.space, label("object", first.first, first.last), first.value) == ("object", "firmware 1", 0x79905)
    assert (label("object", second.first, second.last), second.value) == ("firmware 2", 7)


@pytest.mark.parametrize(
    ("ask", "reply", "error"),
    [
        ("4f 02 2037 24c8 01", "cf 00 00 00 01 03", "file_transfer_aborted"),
        ("4d 02 20a1 2401 03000000 01", "cd 00 00 00 03000000 0300", "firmware_transfer_failed"),
        ("4d 02 20a1 2401 03000000 01", "cd 00 00 00 03000000 0400", "firmware_programming_failed"),
        ("4d 02 20a1 2401 03000000 01", "cd 00 00 00 03000000 0500", "firmware_storage_faulted"),
    ],
)
def test_what_did_not_arrive_is_no_success(ask: str, reply: str, error: str) -> None:
    _, row = both(ask, reply)
    assert (row.outcome, error_name(CIP, row.error), row.anomalies) == (FAILURE, error, ())


def test_services_of_a_packet_are_operations_of_their_own() -> None:
    rows = told(CIP, list(PACKETS[:2]))
    assert [(row.part, row.code, row.outcome) for row in rows] == [
        (0, "76/107", 0), (1, "77/107", 0), (2, "14/1", 0), (0, "76/107", SUCCESS), (1, "77/107", SUCCESS), (2, "14/1", SUCCESS),
    ]  # fmt: skip
    assert [row.first for row in rows[:2]] == [0, 3]
    assert rows[5].samples == (Values("identity", 7, (b"ABC",)),)


def test_a_packet_that_is_refused_is_refused_for_each() -> None:
    rows = told(CIP, [PACKETS[4], answering("8a 00 08 00")])[2:]
    assert [(row.part, row.code, row.outcome, row.error) for row in rows] == [(0, "76/107", FAILURE, 8), (1, "76/107", FAILURE, 8)]
    assert only(answering("8a 00 08 00")).code == "10/2"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("01 01 2701", "invalid_originator_to_target_size"), ("01 01 3601", "mismatched_target_to_originator_priority"), ("01 00", "connection_failure"),
        ("01 01 1308", "not_configured_for_off_subnet_multicast"), ("01 01 5001", "connection_failure_0x0150"), ("ff 01 0721", "tag_type_mismatch"),
        ("ff 01 1521", "general_error_0x2115"), ("05 01 0400", "path_destination_unknown"), ("90 02 3412 7856", "exception_144"),
    ],
)  # fmt: skip
def test_the_extended_status_is_told(status: str, name: str) -> None:
    row = only(answering(f"d4 00 {status}"))
    assert (row.outcome, error_name(CIP, row.error), row.anomalies) == (FAILURE, name, ())
    assert error_name(CIP, ENCAPSULATION | 0x99) == f"exception_{ENCAPSULATION | 0x99}"


def test_errors_of_a_packet_are_those_of_its_services() -> None:
    rows = told(CIP, [PACKETS[4], packet("cc 00 05 01 0000", "cc 00 00 00 c100 01", head="8a 00 1e 00")])[2:]
    assert [(row.outcome, row.error) for row in rows] == [(FAILURE, 5), (SUCCESS, -1)]


def test_what_is_wrapped_stands_in_its_place() -> None:
    row = only(wrapped("4c 04 9106 464954323031 0100", "01 03"))
    assert (row.code, row.unit, row.space, row.part) == ("76/107", 3, "tag", 0)
    assert only(answering("cc 00 00 00 ca00 cdcc1c40"), wrapped("4c 04 9106 464954323031 0100", "01 03")).unit == 3
    row = only(answering("d2 00 01 01 0402 00"), wrapped("4c 04 9106 464954323031 0100"))
    assert (row.code, row.outcome, CIP.errors[row.error]) == ("76/107", FAILURE, "unconnected_request_timed_out")
    assert only(wrapped("0e 03 2001 2401 3007", "15 08 31302e302e302e32")).unit == -1


def test_nothing_hides_in_sends_inside_sends() -> None:
    """A stop inside two unconnected sends, and inside one that a packet carries, is a stop; inside a packet in a packet it is unknown, and said."""
    stop = "07 02 2064 2401"
    inner = wrapped(stop, "01 03").data.hex()
    for message in (wrapped(inner, "01 02"), packet(TAG_READ, inner), wrapped(packet(TAG_READ, inner).data.hex(), "01 02")):
        row = only(message)
        assert (row.action, row.effect, row.unit, row.anomalies) == ("stop_controller", "cpu.stop", 3, ())
    _, _, *answers = told(CIP, [packet(TAG_READ, inner), packet("cc 00 00 00 c100 01", "87 00 0c 00", head="8a 00 00 00")])
    assert [(row.action, row.outcome) for row in answers] == [("read_tag", SUCCESS), ("stop_controller", FAILURE)]
    row = only(packet(TAG_READ, packet(stop).data.hex()))
    assert (row.action, row.effect, row.part) == ("multiple_service_packet", "unknown", 1)


def test_connections() -> None:
    row = only(asking(OPEN))
    assert (row.space, row.first, row.last, row.distinct, row.unit) == ("assembly", 100 << 16, 101 << 16, 2, 3)
    row = only(asking(LARGE))
    assert (row.space, label("object", row.first, row.last), row.unit) == ("object", "message_router 1", 0)
    assert only(asking(CLOSE)).space == "object"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("8e 00 16 00", "object_does_not_exist"),
        ("8e 00 08 01 1234", "service_not_supported"),
        ("8e 00 01 01 0701", "target_connection_not_found"),
        ("8e 00 ff 01 0521", "access_beyond_end_of_object"),
        ("8e 00 ff 01 9999", "general_error_0x9999"),
    ],
)
def test_errors_by_name(body: str, error: str) -> None:
    row = only(answering(body), asking("0e 03 2001 2401 3007"))
    assert (row.outcome, error_name(CIP, row.error), row.samples, row.anomalies) == (FAILURE, error, (), ())


def test_replies_whose_request_was_not_seen() -> None:
    assert [only(answering(body)).code for body in ("8e 00 00 00 01", "cc 00 00 00 c100 01", "d4" + OPENED, "ce 00 00 00", "cb 00 00 00 02 00 06")] == [
        "14/0", "76/107", "84/6", "78/107", "75/103",
    ]  # fmt: skip
    assert only(answering("cc 00 00 00 c100 01")).samples == ()


@pytest.mark.parametrize(
    ("message", "before", "anomalies"),
    [
        (asking("0e 03 2001 2401"), None, ("short",)),
        (asking("0e 02 2001 ff01"), None, ("bad_path",)),
        (asking("0e 02 2001 3401"), None, ("bad_path",)),
        (asking("0e 02 2001 2701"), None, ("bad_path",)),
        (asking("0e 02 2001 3801"), None, ("bad_path",)),
        (asking("0e 02 2001 a101"), None, ("bad_path",)),
        (asking("4c 02 60e0 0100 0100"), None, ("bad_path",)),
        (asking("4c 02 9110 4142 0100"), None, ("bad_path",)),
        (asking(f"4c {TAG} 0000"), None, ("bad_count",)),
        (asking(f"4c {TAG} 01"), None, ("short",)),
        (asking(f"4c {TAG} 0100 00"), None, ("trailing_bytes",)),
        (asking(f"4d {TAG} c400 0200 01000000"), None, ("quantity_mismatch",)),
        (asking(f"4d {TAG} c400 0100 010000"), None, ("bad_count", "quantity_mismatch")),
        (asking(f"4e {TAG} 0300 000000 000000"), None, ("bad_count",)),
        (asking(f"4e {TAG} 0400 00000000"), None, ("short",)),
        (asking(OPEN[:-12]), None, ("short",)),
        (asking("54 02 2006 2401 07"), None, ("short",)),
        (asking("4e 02 2006 2401 07"), None, ("short",)),
        (asking("4e 02 2006 2401 07 9b 0700 4d00 e0312b3d 05 00"), None, ("short",)),
        (asking("4b 02 2067 2401 07 4d00"), None, ("bad_value",)),
        (asking("8e 03 2001 2401 3007"), None, ("wrong_direction",)),
        (answering("0e 00 00 00"), None, ("wrong_direction",)),
        (answering("8e 00"), None, ("short",)),
        (answering("8e 00 01 05 0000"), None, ("short",)),
        (answering("8e 00 00 00 01"), asking("01 02 2002 2401"), ("service_mismatch",)),
        (answering("cc 00 00 00 c400 0100000002000000"), asking(f"4c {TAG} 0100"), ("quantity_mismatch",)),
        (answering("cc 00 00 00 01000000"), asking("4c 02 2072 2400 00ce0400 0200"), ("quantity_mismatch",)),
        (answering(f"ce 00 00 00 {CONNECTION.replace('07', '08', 1)} 00 00"), asking(CLOSE), ("connection_mismatch",)),
        (asking("4b 02 2037 2401"), None, ("short",)),
        (asking("4b 02 2037 2401 ff00"), None, ("trailing_bytes",)),
        (asking("4c 02 2037 2401"), None, ("short",)),
        (asking(DOWNLOAD[:-2]), None, ("short",)),
        (asking(DOWNLOAD + "00"), None, ("trailing_bytes",)),
        (asking(DOWNLOAD.replace("01 656e67 da", "02 656e67 da")), None, ("short",)),
        (asking(DOWNLOAD.replace("01 656e67 da", "ff 656e67 da")), None, ("bad_value",)),
        (asking(DOWNLOAD.replace("01 656e67 da", "01 656e67 db")), None, ("bad_value",)),
        (asking("50 02 2037 2401 00 05 01"), None, ("bad_value",)),
        (asking("50 02 2037 2401 00"), None, ("short",)),
        (answering("cf 00 00 00 02 00 01"), asking("4f 02 2037 24c8 01"), ("transaction_mismatch",)),
        (answering("d0 00 00 00 02"), asking("50 02 2037 2465 01 00 01"), ("transaction_mismatch",)),
        (answering("cd 00 00 00 04000000 0000"), asking("4d 02 20a1 2401 03000000 01"), ("transaction_mismatch",)),
        (asking("0a 02 2002 2401"), None, ("short",)),
        (asking("0a 02 2002 2401 0000"), None, ("bad_count",)),
        (asking("0a 02 2002 2401 0100 ff00"), None, ("bad_count", "short")),
        (asking("0a 02 2002 2401 ffff 0600"), None, ("bad_count",)),
        (asking("52 02 2006 2401 0a 05 ff00 4c"), None, ("short",)),
        (asking("52 02 2006 2401 0a 05 0200 0e00 01 00 6800"), None, ("bad_path",)),
        (Message(b"\x0e", marks=8), None, ("short",)),
        (packet(packet("07 02 2064 2401").data.hex()), None, ("nested_services",)),
    ],
)
def test_malformed(message: Message, before: Message | None, anomalies: tuple[str, ...]) -> None:
    row = only(message, *([before] if before else []))
    assert set(row.anomalies) == set(anomalies)
    after = told(CIP, [message, asking("0e 03 2001 2401 3007")])[-1]
    assert (after.code, after.anomalies) == ("14/1", ()), "the next one is read"
    if message.marks == 0:
        assert {name for row in told(CIP, [message.but(message.data, CUT)]) for name in row.anomalies} == set()


def test_more_services_than_are_told() -> None:
    rows = told(CIP, [packet(*["01 00"] * 300)])
    assert len(rows) == CIP.operations_each == 256
    assert "too_many_services" in rows[0].anomalies
    many = told(CIP, [packet(*[f"4d {TAG} c200 0100 01"] * 300)])
    assert sum(len(row.samples) for row in many) == CIP.samples_each


def test_a_stale_request_explains_nothing() -> None:
    """A reply after more than a minute is not taken for that of an old request with the same sequence count: see MEMORY_OF."""
    given = [asking("0e 03 200f 2401 3001"), answering("8e 00 00 00 2a000000")]
    for seconds, code in ((59, 15), (61, 0)):
        _, operations = dissected(given, (0, seconds * 1_000_000_000))
        assert (int(operations[1].code) >> 20 & 0xFFFFF) - 1 == code
