"""Compile every kernel: a capture of nothing but one packet goes through every source and protocol."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Final

from sensors.protocol import protocols
from sensors.sensor import Sensor
from sensors.sources.pcap import find, open_capture

_FRAME: Final = bytes(60)
_CLASSIC: Final = struct.pack("<IHHiIIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1, 1, 0, len(_FRAME), len(_FRAME)) + _FRAME
_SECTION: Final = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
_INTERFACE: Final = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
_PACKET: Final = struct.pack("<IIIIIII", 6, 32 + len(_FRAME), 0, 0, 0, len(_FRAME), len(_FRAME)) + _FRAME + struct.pack("<I", 32 + len(_FRAME))


def compile_all() -> None:
    """Run every kernel once, on nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("warm.pcap", _CLASSIC), ("warm.pcapng", _SECTION + _INTERFACE + _PACKET)):
            (Path(folder) / name).write_bytes(content)
        sensor = Sensor("warm")
        for capture in find([folder]):
            sensor = Sensor("warm")
            source = open_capture(capture)
            list(sensor.listen(source))
            source.close()
            sensor.exercise()
    for protocol in protocols():
        protocol.dissect(sensor.memory, sensor.messages[:0], 0, sensor.operations, 0, sensor.samples, 0)
