"""Golden rows: what Balefire says of whole sessions, operation by operation and point by point, with every column that has something to say.

A session is one of a genuine stack (tests/captures), or one made here so that each protocol reads, writes, operates, downloads, restarts, identifies itself,
moves files and refuses. `python -m tests.golden` writes them anew; read the difference: it is what every user will see.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from sensors.listing import lines
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture
from tests import test_cip, test_cotp, test_dnp3, test_enip, test_iec104, test_modbus, test_pccc, test_s7comm
from tests.cli import CAPTURES
from tests.wire import Packet, Talk, ethernet, ipv4, save, udp

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.protocol_battery import Message

HERE: Final = Path(__file__).parent
Pairs = tuple[tuple[str, str], ...]


def _talked(port: int, messages: list[tuple[int, bytes]]) -> list[Packet]:
    talk = Talk(port=port).open()
    for side, data in messages:
        talk.put(side, data)
    return talk.close().packets


def _plain(*messages: Message) -> list[tuple[int, bytes]]:
    return [(message.side, message.data) for message in messages]


# --- S7comm ---


def s7comm() -> list[Packet]:
    """A programming device connects, looks, writes, loads a block and starts the controller anew; two requests are refused."""
    s7, service, done = test_s7comm, test_s7comm.ack("28"), test_s7comm.ack
    said = [
        *s7.SETUP, *s7.SZL_11, *s7.SZL_424, s7.READ_MANY, s7.MANY, *s7.WRITE_REAL, *s7.READ_REAL, s7.job("0501" + s7.item(1, 1, 0, 0x82, 4, 2), "0003000101"),
        done("0501", "ff"), s7.job("0401" + s7.item(2, 1, 99, 0x84, 0)), done("0401", "0a000000"), *s7.START_UPLOAD, *s7.UPLOAD, *s7.END_UPLOAD,
        *s7.BLOCK_INFO, *s7.START_UPLOAD_OB0, *s7.DOWNLOAD, *s7.NEXT, *s7.DONE, s7.INSERT, service, s7.DELETE, service, *s7.STOP, s7.WARM, service,
        *s7.COPY, *s7.READ_CLOCK, *s7.SET_CLOCK, s7.CYCLIC, *s7.CYCLES, *s7.WATCH, *s7.MODIFY, *s7.FORCE, s7.user(0, 0, 2),
        s7.user(4, 5, 1, "55444e41"), s7.user(8, 5, 1, error=0xD602), s7.COLD, done("28", error=0x8104, reference=0x1F00),
    ]  # fmt: skip
    carried = [(message.side, b"\3\0" + (len(message.data) + 7).to_bytes(2) + b"\2\xf0\x80" + message.data) for message in said]
    return _talked(102, [*_plain(test_cotp.REQUEST_OF_PG, test_cotp.CONFIRM), *carried])


# --- DNP3 ---


def dnp3() -> list[Packet]:
    """A master polls, selects and operates, sets a point and the clock, fetches and writes files, restarts the outstation; the outstation reports."""
    d = test_dnp3
    asked: list[tuple[str, str | None, str]] = [  # objects of the request, of the response (None: nothing is answered), indications
        ("01 3C02 06 3C03 06 3C04 06 3C01 06", "0102 00 0001 01 81 1E01 00 0001 01 2A000000 41 FFFFFFFF 1401 00 00 00 21 0A000000", "9000"),
        ("01 3C02 06", "0202 17 01 03 81 C9B3B2570100 2003 28 0100 0500 01 E8030000 C9B3B2570100", "0000"),
        ("01 0000 06", "00F2 00 0000 01 04 312E3030 00FA 00 0000 01 05 4D6F646558", "0000"),
        ("03" + d.CROB.format(0x81, 0), d.CROB.format(0x81, 0), "0000"), ("04" + d.CROB.format(0x81, 0), d.CROB.format(0x81, 0), "0000"),
        ("05" + d.CROB.format(0x03, 0), d.CROB.format(0x03, 4), "0000"), ("05 2902 28 0100 0300 6400 00", "2902 28 0100 0300 6400 00", "0000"),
        ("06" + d.CROB.format(0x41, 0), None, ""), ("02 3201 07 01 C9B3B2570100", "", "0000"), ("02 5001 00 0707 00", "", "0000"),
        ("07 1400 06", "", "0000"), ("14 3C02 06 3C03 06", "", "0000"), ("16 3C02 06 0100 06", "", "0000"), ("17", "3402 07 01 8813", "0000"),
        ("19" + d.free(70, 3, d.OPEN.replace(" ", "")), d.free(70, 4, d.OPENED), "0000"),
        ("01" + d.free(70, 5, "7856341200000000"), d.free(70, 5, "7856341200000080" + "3C6F6B2F3E"), "0000"),
        ("1A" + d.free(70, 4, d.CLOSING), d.free(70, 4, d.CLOSING), "0000"),
        ("19" + d.free(70, 3, d.WRITING), d.free(70, 4, d.OPENED), "0000"),
        ("02" + d.free(70, 5, "7856341200000080" + "00" * 20), d.free(70, 6, "785634120000008000"), "0000"),
        ("1B" + d.FILE[27], d.free(70, 4, d.REFUSED), "0000"), ("20 7801 5B 01 0800 0000000001000400", None, ""), ("0D", "3402 07 01 8813", "0000"),
        ("12 5A01 5B 01 0400 61626364", "", "0004"), ("1F 4608 5B 01 0A00" + d.named("config.xml"), "", "0001"),
    ]  # fmt: skip
    told: list[Message] = []
    for sequence, (body, objects, indications) in enumerate(asked):
        told.append(d.ask(body, sequence % 16))
        told += [] if objects is None else [d.answer(objects, sequence % 16, indications)]
    report = d.report("3301 07 01 C9B3B2570100 0203 17 02 00 81 0A00 01 01 1400", "0080")
    return _talked(20000, _plain(*told, report, d.link(0xC4, b"\xc0\xd0\0"), d.link(0xC9), d.link(0x0B, b"", 1)))


# --- IEC 60870-5-104 ---


def iec104() -> list[Packet]:
    """A control centre starts transfer, interrogates, selects and executes, sets points, clock and parameters, fetches a file, resets the station."""
    i, talk = test_iec104, test_iec104.Talk([0, 0], [0, 0])
    client, station = i.CLIENT, i.STATION
    talk.messages += [i.short(0x07, client), i.short(0x0B, station)]
    orders: list[tuple[int, int, int, str]] = [(station, 70, 4, "000000 02"), (client, 100, 6, "000000 14"), (station, 100, 7, "000000 14")]
    orders += [(station, kind, 20 if kind < 22 and kind not in (2, 4, 6, 8, 10, 12, 14) else 3, "0A0000" + i.element(kind)) for kind in i.MONITORED]
    orders += [(station, 100, 10, "000000 14")]
    for kind, (execute, select, *_) in i.COMMANDS.items():
        for octets in (select, execute) if select else (execute,):
            orders += [(client, kind, 6, f"941100 {octets}"), (station, kind, 7, f"941100 {octets}")]
        orders.append((station, kind, 10, f"941100 {execute}"))
    orders += [(client, 58, 6, f"951100 01 {i.TIME}"), (station, 58, 0x47, f"951100 01 {i.TIME}")]  # refused
    orders += [(client, 45, 6, "961100 01"), (station, 45, 0x6F, "961100 01")]  # unknown address
    orders += [(client, 45, 6, "971100 81"), (station, 45, 7, "971100 81"), (client, 45, 8, "971100 81"), (station, 45, 9, "971100 81")]
    for kind, (octets, *_) in i.SYSTEM.items():
        orders += [(client, kind, 6, "000000" + octets), (station, kind, 7, "000000" + octets)] if kind != 100 else []
    for kind, octets in i.PARAMETERS.items():
        orders += [(client, kind, 6, "0A0000" + octets), (station, kind, 7, "0A0000" + octets)]
    orders += [(side, kind, 13 if kind < 126 else 5, "0A0000" + octets) for kind, (side, octets) in i.FILES.items()]
    for side, kind, cause, objects in orders:
        talk.put(side, i.asdu(kind, cause, objects))
    talk.messages += [i.short(0x43, client), i.short(0x83, station), i.short(0x13, client), i.short(0x23, station)]
    return _talked(2404, _plain(*talk.messages))


# --- EtherNet/IP, CIP, PCCC ---

SESSION: Final = 0x910AD0
PLAIN: Final[Pairs] = (  # CIP: requests and replies
    ("01 02 2001 2401", "81 00 00 00 0100 0c00 3a00 0403 3000 8e4d5200 0b 313735362d454e42542f41"),
    (f"4c {test_cip.TAG} 0100", "cc 00 00 00 ca00 cdcc1c40"),
    (f"4d {test_cip.symbols('Program:Main', 'Tank', '1', 'Level')} c400 0100 2a000000", "cd 00 00 00"),
    (f"4c {test_cip.symbols('Nobody')} 0100", "cc 00 04 01 0000"), ("55 03 206b 25000000 0200 0100 0200", "d5 00 06 00 01000000 0300 414243 c400"),
    ("10 03 2004 2464 3003 0102", "90 00 00 00"), ("10 03 20f5 2401 3005 0a000001", "90 00 0f 00"),
    (test_cip.DOWNLOAD, "cc 00 00 00 00020000 0000 80"), ("50 02 2037 2465 00 00 01020304", "d0 00 00 00 00"),
    ("50 02 2037 2465 01 02 05060708 2400", "d0 00 00 00 01"), ("4b 02 2037 24c8 ff", "cb 00 00 00 05000000 c8"),
    ("4f 02 2037 24c8 00", "cf 00 00 00 00 04 0102030405 0f00"), ("51 02 2037 2465", "d1 00 0f 00"),
    ("4b 02 20a1 2401 05990700 22000000", "cb 00 00 00 0000 1000 8000 140b 05990700"), ("4d 02 20a1 2401 00000000 01020304", "cd 00 00 00 00000000 0000"),
    ("4d 02 20a1 2401 01000000 05060708", "cd 00 00 00 01000000 0400"), ("08 02 2068 2400", "88 00 00 00 0100"), ("09 02 2068 2401", "89 00 00 00"),
    ("4f 06 2068 25002024 206a 2500fa1b 00000000 0100", "cf 00 00 00 0102"), ("07 02 2064 2401 deadbeefcafe", "87 00 00 00"),
    ("06 02 2064 2401", "86 00 0c 00"), ("05 02 2001 2401 01", "85 00 00 00"),
)  # fmt: skip
CARRIED: Final = ("6/3", "15/104", "15/103", "15/162", "15/170", "15/58", "15/128", "15/80", "15/24", "15/82", "15/65", "7/0", "15/1", "15/0", "15/38")  # PCCC


def enip() -> list[Packet]:
    """A programming device finds the controller, reads and writes tags, opens a connection for I/O, loads a file and firmware, stops and resets it."""
    said: list[tuple[int, bytes]] = [
        (0, test_enip.pdu(99)), (1, test_enip.pdu(99, test_enip.IDENTITY)), (0, test_enip.pdu(101, "0100 0000")), (1, test_enip.pdu(101, "0100 0000", SESSION)),
    ]  # fmt: skip
    head = "4b 02 2067 2401 07 4d00 e0312b3d"
    pccc = [tuple(message.data.hex() for message in pair) for pair in (*(test_pccc.PAIRS[path] for path in CARRIED), test_pccc.LIST)]
    packet = tuple(message.data.hex() for message in test_cip.PACKETS[:2])
    wrapped = test_cip.wrapped("0e 03 2001 2401 3007", "01 03").data.hex()
    pairs = [*PLAIN, packet, (wrapped, "8e 00 00 00 03 414243"), (wrapped, "d2 00 01 01 0402 00")]
    pairs += [(f"{head} {ask}", f"cb 00 00 00 07 4d00 e0312b3d {reply}") for ask, reply in pccc]
    pairs += [(test_enip.forward_open(1, test_enip.SEGMENTS + "20 04 24 97 2c 65 2c 64"), test_enip.OPENED), (test_enip.CLOSE, test_enip.CLOSED)]
    for number, (ask, reply) in enumerate(pairs):
        said += [(side, test_enip.pdu(111, test_enip.rr(body), SESSION, context=number)) for side, body in enumerate((ask, reply))]
    said += [(0, test_enip.pdu(111, test_enip.rr("0e 03 2001 2401 3007"), 5)), (1, test_enip.pdu(111, "", 5, status=100)), (0, test_enip.pdu(102, "", SESSION))]
    packets = _talked(44818, said)
    opened = next(number for number, packet in enumerate(packets) if bytes.fromhex("0500fe800600fe80") in packet.data)
    spoken = ((0, "0100 01000000 0102", 0x80FE0005), (1, "0100 0102", 0x80FE0006), (0, "0200 00000000 0102", 0x80FE0005), (1, "0200 0103", 0x80FE0006))
    implicit = [_datagram(side, test_enip.io(link, data, number), packets[opened].time + 1 + number) for number, (side, data, link) in enumerate(spoken)]
    return [*packets[: opened + 1], *implicit, *packets[opened + 1 :]]


def _datagram(side: int, payload: bytes, time: int) -> Packet:
    source, target = ("10.0.0.1", "10.0.0.2")[:: 1 - 2 * side]
    return Packet(ethernet(ipv4(udp(payload, 2222, 2222), source, target, 17), source, target), time)


# --- Modbus ---


def modbus() -> list[Packet]:
    """The examples of the specification and a refusal, each with its answer."""
    said: list[Message] = []
    pairs = [*test_modbus.SPECIFIED.values(), ("03 FFFE 0001", "83 02"), ("2B 0E 04 02", "AB 01")]
    for number, (ask, answer) in enumerate(pairs):
        said += [test_modbus.mbap(body, side, transaction=number) for side, body in enumerate((ask, answer)) if body]
    return _talked(502, _plain(*said))


MADE: Final = {f"{make.__name__}-made": make for make in (s7comm, dnp3, iec104, enip, modbus)}
SESSIONS: Final = (*MADE, "s7comm", "dnp3", "iec104", "enip")
OF_A_RUN: Final = frozenset({"file", "id", "observer.name"})  # columns that tell of the run


def rows(name: str) -> list[str]:
    """A line an operation, as `balefire dissect --json` has it; of what is made here, a line a point, too. Columns that have nothing to say are left out."""
    with TemporaryDirectory() as folder:
        path = save(MADE[name](), Path(folder) / "made.pcap") if name in MADE else CAPTURES / f"{name}.pcap"
        operations = _heard(path, lambda source: list(lines(source, "")))
        points = _heard(path, lambda source: [row for part in Sensor("golden").listen(source) for row in part.points.to_pylist()] if name in MADE else [])
    return [_line(row) for row in (*operations, *points)]


def _heard(path: Path, hear: Callable[[Any], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    (capture,) = find([str(path)])
    source = open_capture(capture)
    try:
        return hear(source)
    finally:
        source.close()


def _line(row: dict[str, Any]) -> str:
    said = {column: value for column, value in row.items() if value not in (None, [], {}) and column not in OF_A_RUN}
    return json.dumps(said, default=str)


def write() -> None:
    """Write them anew."""
    for name in SESSIONS:
        (HERE / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in rows(name)), "utf-8")
