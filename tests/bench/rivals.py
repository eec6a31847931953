"""`python -m tests.bench.rivals NAME FILE`: another tool reads a capture and counts its Modbus messages, in a process of its own.

Prints one JSON object: packets read, messages found, and the seconds from the first packet asked for to the last.
"""

# pyright: reportMissingTypeStubs=false, reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import json
import struct
import sys
import time
from typing import Any, Final

PORT: Final = 502


def pyshark(file: str) -> tuple[int, int]:
    """As its manual begins: every layer of every packet, from tshark's XML."""
    import pyshark as library

    packets = messages = 0
    with library.FileCapture(file, keep_packets=False) as capture:
        for packet in capture:
            packets += 1
            messages += len(packet.get_multiple_layers("mbtcp"))
    return packets, messages


def scapy(file: str) -> tuple[int, int]:
    """With its own dissector of Modbus, a message a segment."""
    from scapy.config import conf
    from scapy.contrib.modbus import ModbusADURequest, ModbusADUResponse
    from scapy.utils import PcapReader

    conf.verb = 0
    packets = messages = 0
    with PcapReader(file) as capture:
        for packet in capture:
            packets += 1
            messages += ModbusADURequest in packet or ModbusADUResponse in packet
    return packets, messages


def dpkt(file: str) -> tuple[int, int]:
    """With Modbus by hand, for it has none: the messages that stand whole in a segment, without following streams."""
    import dpkt as library

    packets = messages = 0
    with open(file, "rb") as opened:  # noqa: PTH123
        for _, octets in library.pcap.Reader(opened):
            packets += 1
            segment: Any = getattr(getattr(library.ethernet.Ethernet(octets), "data", None), "data", None)
            if isinstance(segment, library.tcp.TCP):
                messages += _on_port(segment)
    return packets, messages


def _on_port(segment: Any) -> int:
    return len(_modbus(segment.data)) if PORT in (segment.sport, segment.dport) else 0


def _modbus(payload: bytes) -> list[tuple[int, int, int, tuple[int, ...]]]:
    """Transaction, unit, function and the words behind it of each message."""
    at, found = 0, list[tuple[int, int, int, tuple[int, ...]]]()
    while at + 8 <= len(payload):
        transaction, protocol, length, unit, function = struct.unpack_from(">HHHBB", payload, at)
        if protocol or length < 2 or at + 6 + length > len(payload):
            break
        found.append((transaction, unit, function, struct.unpack_from(f">{(length - 2) // 2}H", payload, at + 8)))
        at += 6 + length
    return found


def main() -> None:
    """Run one and print what it counted."""
    tools = {"pyshark": pyshark, "scapy": scapy, "dpkt": dpkt}
    start = time.perf_counter()
    packets, messages = tools[sys.argv[1]](sys.argv[2])
    print(json.dumps({"packets": packets, "messages": messages, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
