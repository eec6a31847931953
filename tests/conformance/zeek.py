"""Zeek's logs, with and without `#fields`, and the text output of a btest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tests.conformance.rows import Seen

if TYPE_CHECKING:
    from pathlib import Path

MODBUS_LOG: Final = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "func", "exception")
FUNCTIONS: Final = {
    "READ_COILS": 1, "READ_DISCRETE_INPUTS": 2, "READ_HOLDING_REGISTERS": 3, "READ_INPUT_REGISTERS": 4, "WRITE_SINGLE_COIL": 5,
    "WRITE_SINGLE_REGISTER": 6, "READ_EXCEPTION_STATUS": 7, "DIAGNOSTICS": 8, "GET_COMM_EVENT_COUNTER": 11, "GET_COMM_EVENT_LOG": 12,
    "WRITE_MULTIPLE_COILS": 15, "WRITE_MULTIPLE_REGISTERS": 16, "REPORT_SLAVE_ID": 17, "READ_FILE_RECORD": 20, "WRITE_FILE_RECORD": 21,
    "MASK_WRITE_REGISTER": 22, "READ_WRITE_MULTIPLE_REGISTERS": 23, "READ_FIFO_QUEUE": 24, "ENCAP_INTERFACE_TRANSPORT": 43,
    "PROGRAM_484": 9, "POLL_484": 10, "PROGRAM_584_984": 13, "POLL_584_984": 14, "PROGRAM_884_U84": 18, "RESET_COMM_LINK_884_U84": 19,
    "PROGRAM_CONCEPT": 40, "MULTIPLE_FUNCTION_CODES": 41, "FIRMWARE_REPLACEMENT": 125, "PROGRAM_584_984_2": 126, "REPORT_LOCAL_ADDRESS": 127,
}  # fmt: skip
EXCEPTIONS: Final = {
    "ILLEGAL_FUNCTION": 1, "ILLEGAL_DATA_ADDRESS": 2, "ILLEGAL_DATA_VALUE": 3, "SLAVE_DEVICE_FAILURE": 4, "ACKNOWLEDGE": 5, "SLAVE_DEVICE_BUSY": 6,
    "MEMORY_PARITY_ERROR": 8, "GATEWAY_PATH_UNAVAILABLE": 10, "GATEWAY_TARGET_DEVICE_FAILED_TO_RESPOND": 11,
}  # fmt: skip
SUBS: Final = {"Return Diagnostic Register": 2, "Read Device Identification": 14, "CANopen": 13}
SPLIT: Final = ("READ_EXCEPTION_STATUS", "REPORT_SLAVE_ID")  # in the detailed log a row a message, all others a row a transaction


def log(path: Path, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a log by column; `columns` where the file names none."""
    rows: list[dict[str, str]] = []
    for line in path.read_text().splitlines():
        if line.startswith("#fields"):
            columns = tuple(line.split("\t")[1:])
        elif line and not line.startswith("#"):
            rows.append(dict(zip(columns, line.split("\t"), strict=True)))
    return rows


def _function(name: str) -> int:
    """The function code on the wire, 128 and more where an exception was answered."""
    if name.startswith("unknown-"):
        return int(name.removeprefix("unknown-"))
    return FUNCTIONS[name.removesuffix("_EXCEPTION")] | (0x80 if name.endswith("_EXCEPTION") else 0)


def _ends(row: dict[str, str], answer: bool) -> dict[str, Any]:
    client, server = (row["id.orig_h"], int(row["id.orig_p"])), (row["id.resp_h"], int(row["id.resp_p"]))
    (source, source_port), (target, target_port) = (server, client) if answer else (client, server)
    return {"source": source, "source_port": source_port, "target": target, "target_port": target_port}


def modbus_log(path: Path) -> list[Seen]:
    """modbus.log: a row an answer."""
    return [
        Seen(answer=True, function=_function(row["func"]), exception=EXCEPTIONS.get(row["exception"]), **_ends(row, True))
        for row in log(path, MODBUS_LOG)
    ]  # fmt: skip


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


def _numbers(text: str) -> tuple[float, ...] | None:
    return None if text == "-" else tuple(float(part) for part in text.split(","))


def detailed(path: Path) -> list[Seen]:
    """modbus_detailed.log: a row a transaction, named as its request."""
    return [
        Seen(
            answer=False, unit=int(row["unit"]), function=_function(row["func"]), first=_number(row["address"]), quantity=_number(row["quantity"]),
            exception=EXCEPTIONS.get(row["exception_code"], 0), sub=SUBS.get(row["mei_type"]) or SUBS.get(row["request_subfunction_code"]),
            values=_numbers(row["response_values"] if row["response_values"] != "-" else row["request_values"]), **_ends(row, False),
        )
        for row in log(path)
    ]  # fmt: skip


def mask_writes(path: Path) -> list[Seen]:
    """modbus_mask_write_register.log: a row a message."""
    return [
        Seen(answer=answer, unit=int(row["unit"]), function=_function(row["func"]), first=int(row["address"]), **_ends(row, answer))
        for row in log(path)
        for answer in (row["is_orig"] == "F",)
    ]  # fmt: skip


def read_writes(path: Path) -> list[Seen]:
    """modbus_read_write_multiple_registers.log: a row a message."""
    made: list[Seen] = []
    for row in log(path):
        answer, written = row["is_orig"] == "F", _numbers(row["write_registers"])
        made.append(
            Seen(
                answer=answer, unit=int(row["unit"]), function=_function(row["func"]), first=_number(row["read_start_address"]),
                quantity=_number(row["read_quantity"]), values=_numbers(row["read_registers"]),
                also=None if written is None else (int(row["write_start_address"]), len(written)), **_ends(row, answer),
            )
        )  # fmt: skip
    return made


def connections(path: Path) -> list[Seen]:
    """conn.log: the connections that hold Modbus."""
    return [Seen(**_ends(row, False)) for row in log(path) if "modbus" in row["service"].split(",")]


def weird(path: Path) -> list[Seen]:
    """weird.log: requests that end too early for their function."""
    names = {"MaskWriteRegisterRequest": 22, "ReadWriteMultipleRegistersRequest": 23}
    return [
        Seen(answer=False, function=names[row["name"].split("out_of_bound: ")[1].split(":")[0]], **_ends(row, False))
        for row in log(path) if "out_of_bound" in row["name"]
    ]  # fmt: skip


EVENT: Final = re.compile(
    r"1 (\w+), \[orig_h=([^,]+), orig_p=(\d+)/tcp, resp_h=([^,]+), resp_p=(\d+)/tcp,.*?\], \[tid=\d+, pid=\d+, uid=(\d+), function_code=(\d+), len=\d+\], (.*)"
)


def events(path: Path) -> list[Seen]:
    """What the btest prints of every event, sorted by event and connection: messages first, then their contents."""
    made: list[Seen] = []
    for line in path.read_text().splitlines():
        match = EVENT.fullmatch(line)
        if match is None:
            assert line.startswith("#"), line
            continue
        name, client, client_port, server, server_port, unit, function, rest = match.groups()
        row = {"id.orig_h": client, "id.orig_p": client_port, "id.resp_h": server, "id.resp_p": server_port}
        answer = rest == "F" if name == "modbus_message" else name.endswith("_response")
        said: dict[str, Any] = {}
        numbers = [int(number) for number in re.findall(r"\b\d+\b", rest)]
        truths = tuple(float(word == "T") for word in re.findall(r"\b[TF]\b", rest)) if "[" in rest else None
        if name != "modbus_message" and numbers:
            said = {"first": numbers[0], "quantity": numbers[1] if len(numbers) > 1 else len(truths or ())}
        if truths:
            said["values"] = truths
        made.append(Seen(answer=answer, unit=int(unit), function=int(function), **said, **_ends(row, answer)))
    return made
