"""Messages as tshark sees them: `-T fields`, a frame a line; where a frame holds several messages, its fields are dealt out by function."""

from __future__ import annotations

import shutil
import subprocess
from collections import deque
from typing import TYPE_CHECKING, Final

from tests.conformance.rows import Seen

if TYPE_CHECKING:
    from pathlib import Path

FIELDS: Final = (
    "frame.number", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "mbtcp.unit_id", "modbus.func_code", "modbus.exception_code",
    "modbus.reference_num", "modbus.bit_cnt", "modbus.word_cnt", "modbus.read_reference_num", "modbus.read_word_cnt", "modbus.write_reference_num", "modbus.write_word_cnt",
    "modbus.diagnostic_code", "modbus.mei",
)  # fmt: skip
RANGES: Final = {1: "bit_cnt", 2: "bit_cnt", 3: "word_cnt", 4: "word_cnt", 15: "bit_cnt", 16: "word_cnt"}
ONE: Final = (5, 6, 22)
ECHOED: Final = (5, 6, 15, 16, 22)


def present() -> bool:
    return shutil.which("tshark") is not None


def version() -> str:
    return subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True).stdout.split("(")[1].split(")")[0]


def read(path: Path) -> list[Seen]:
    """Every Modbus/TCP message of a capture."""
    command = ["tshark", "-n", "-r", str(path), "-Y", "mbtcp", "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=;"]
    text = subprocess.run([*command, *(word for name in FIELDS for word in ("-e", name))], capture_output=True, text=True, check=True).stdout
    return [message for line in text.splitlines() for message in _frame(line)]


def _frame(line: str) -> list[Seen]:
    cells = dict(zip(FIELDS, line.split("\t"), strict=True))
    left = {name: deque(int(value, 0) for value in cells[name].split(";") if value) for name in FIELDS[5:]}
    functions, units, exceptions = left["modbus.func_code"], left["mbtcp.unit_id"], left["modbus.exception_code"]
    assert len(exceptions) in (0, len(functions)), f"frame {cells['frame.number']} mixes answers and exceptions"
    assert len(functions) in (0, len(units))
    source, target = int(cells["tcp.srcport"]), int(cells["tcp.dstport"])
    made: list[Seen] = []
    for unit in units:
        function = functions.popleft() if functions else None
        first, quantity = None, None
        answer = source == 502
        failed = exceptions.popleft() if exceptions else 0
        if function in ((*RANGES, *ONE) if not answer else ECHOED) and not failed and left["modbus.reference_num"]:
            first = left["modbus.reference_num"].popleft()
            quantity = left[f"modbus.{RANGES[function]}"].popleft() if function in RANGES else 1
        made.append(Seen(
            int(cells["frame.number"]), answer, cells["ip.src"], source, cells["ip.dst"], target, unit,
            None if function is None else function | (0x80 if failed else 0), first, quantity, failed,
            *(left[name].popleft() if left[name] and not failed else None for name in ("modbus.diagnostic_code",)),
        ))  # fmt: skip
    return made
