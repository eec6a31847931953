"""Messages as tshark sees them: `-T fields`, a frame a line; where a frame holds several messages, its fields are dealt out by function."""

from __future__ import annotations

import shutil
import subprocess
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.conformance.rows import Seen

if TYPE_CHECKING:
    from pathlib import Path

FIELDS: Final = (
    "frame.number", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "mbtcp.unit_id", "modbus.func_code", "modbus.exception_code",
    "modbus.reference_num", "modbus.bit_cnt", "modbus.word_cnt", "modbus.read_reference_num", "modbus.read_word_cnt",
    "modbus.write_reference_num", "modbus.write_word_cnt", "modbus.diagnostic_code", "modbus.mei",
)  # fmt: skip
RANGES: Final = {1: "bit_cnt", 2: "bit_cnt", 3: "word_cnt", 4: "word_cnt", 15: "bit_cnt", 16: "word_cnt"}
ONE: Final = (5, 6, 22)
ECHOED: Final = (5, 6, 15, 16, 22)
BOTH: Final = 23
SUBS: Final = {8: "modbus.diagnostic_code", 43: "modbus.mei"}


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
    made: list[Seen] = []
    for unit in units:
        failed = exceptions.popleft() if exceptions else 0
        answer = cells["tcp.srcport"] == "502"
        function = functions.popleft() if functions else None
        ends = (cells["ip.src"], int(cells["tcp.srcport"]), cells["ip.dst"], int(cells["tcp.dstport"]))
        seen = Seen(int(cells["frame.number"]), answer, *ends, unit, exception=failed)
        if function is not None:
            seen = replace(seen, function=function | (0x80 if failed else 0), **({} if failed else _body(function, answer, left)))
        made.append(seen)
    return made


def _body(function: int, answer: bool, left: dict[str, deque[int]]) -> dict[str, Any]:
    """The columns of one message, taken off the fields of its frame."""
    said: dict[str, Any] = {}
    if function in (ECHOED if answer else (*RANGES, *ONE)) and left["modbus.reference_num"]:
        said["first"] = left["modbus.reference_num"].popleft()
        said["quantity"] = left[f"modbus.{RANGES[function]}"].popleft() if function in RANGES else 1
    elif function == BOTH and left["modbus.read_reference_num"]:
        said["first"] = left["modbus.read_reference_num"].popleft()
        said["quantity"] = left["modbus.read_word_cnt"].popleft()
        if left["modbus.write_word_cnt"]:
            said["also"] = left["modbus.write_reference_num"].popleft(), left["modbus.write_word_cnt"].popleft()
    elif function in SUBS and left[SUBS[function]]:
        said["sub"] = left[SUBS[function]].popleft()
    return said
