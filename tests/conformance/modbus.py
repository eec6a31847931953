"""Modbus and UMAS. A row is a message; functions that have sub functions, ranges or values say those too."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from sensors.protocols.modbus import ERRORS
from tests.conformance import ipal, others, tshark, zeek
from tests.conformance.harness import Baseline, Conformance, Known, Lines
from tests.conformance.rows import Disagreement, Row, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CODES: Final = {name: code for code, name in ERRORS.items()}

# --- our side, in the shape of a baseline ---


def messages(lines: Lines) -> list[Row]:
    """The messages that these lines stand for, in the order of the packets that completed them; function 23's two lines are one message each way."""
    made: list[Row] = []
    written: dict[tuple[Any, ...], tuple[int, int]] = {}
    for line in lines:
        if line["protocol"] != "modbus":
            continue
        whose = (line["packet"], line["response_packet"], line["source"]["port"], line["unit"])
        if line["code"] == "23" and line["effect"] == "value.write":
            first, last = line["object"]["first"], line["object"]["last"]
            written[whose] = (first, last - first + 1) if first is not None else (-1, 0)
            continue
        made += _two(line, written.get(whose) if line["code"] == "23" else None)
    return sorted(made, key=lambda row: row["packet"])


def _two(line: dict[str, Any], also: tuple[int, int] | None) -> Iterator[Row]:
    path = [int(part) for part in (line["code"] or "-1").split("/")]
    first, last, error = line["object"]["first"], line["object"]["last"], line["error"]
    exception = 0 if error is None else CODES[error] if error in CODES else int(error.removeprefix("exception_"))
    one, other = (line["source"]["ip"], line["source"]["port"]), (line["destination"]["ip"], line["destination"]["port"])
    common = said(
        unit=line["unit"], first=first, quantity=None if first is None else last - first + 1, sub=path[1] if len(path) > 1 else None,
        values=tuple(value for value in line["values"] if not isinstance(value, str)), also=also, space=line["object"]["space"],
    )  # fmt: skip
    if line["packet"] is not None:
        yield {**common, "packet": line["packet"], "answer": False, **_ends(one, other), "function": path[0], "exception": 0}
    if line["response_packet"] is not None:
        failed = 0x80 if exception else 0
        yield {**common, "packet": line["response_packet"], "answer": True, **_ends(other, one), "function": path[0] | failed, "exception": exception}


def _ends(source: tuple[str, int], target: tuple[str, int]) -> Row:
    return {"source": source[0], "source_port": source[1], "target": target[0], "target_port": target[1]}


def answers(lines: Lines) -> list[Row]:
    return [row for row in messages(lines) if row["answer"]]


def transactions(lines: Lines) -> list[Row]:
    """A row a request, with what was answered; a row a message for functions that Zeek does not pair."""
    made: list[Row] = []
    told = messages(lines)
    for at, row in enumerate(told):
        if row["answer"] is False:
            reply = next((one for one in told[at:] if one["answer"] and one["target_port"] == row["source_port"]), None)
            made += [{**row, "exception": reply["exception"] if reply else 0}] * (2 if row["function"] in (7, 17) else 1)
    return made


def of_function(*functions: int) -> Callable[[Lines], list[Row]]:
    return lambda lines: [row for row in messages(lines) if row["function"] in functions]


def ended_early(lines: Lines) -> list[Row]:
    """Requests that end before what their function needs."""
    return [row for row in messages([line for line in lines if "short" in line["anomaly"]]) if row["answer"] is False]


def flows(lines: Lines) -> list[Row]:
    """Connections, with function 90 where it is used."""
    made: dict[tuple[Any, ...], Row] = {}
    for row in messages(lines):
        if row["answer"] is False:
            ends = {name: row[name] for name in ("source", "source_port", "target", "target_port")}
            made.setdefault(tuple(ends.values()), ends).update({"function": 90} if row["function"] == 90 else {})
    return list(made.values())


def in_events(lines: Lines) -> list[Row]:
    """Messages, then their contents, sorted by event and connection as the btest sorts its output; Zeek tells the bits of whole octets."""
    made: list[Row] = []
    for row in messages(lines):
        values = row["values"]
        made.append({**row, "values": (*values, *[0.0] * (-len(values) % 8)) if row["function"] == 1 else values})
    made.sort(key=lambda one: (one["target_port"] if one["answer"] else one["source_port"], not one["answer"]))
    return made + [one for function in (1, 15) for answer in (False, True) for one in made if (one["function"], one["answer"]) == (function, answer)]


def points(lines: Lines) -> list[Row]:
    """The last value of every point, sorted."""
    last: dict[tuple[Any, ...], Row] = {}
    for row in messages(lines):
        if row["answer"] and not row["exception"] and "first" in row:
            for number, value in enumerate(row["values"]):
                where = row["source"], row["source_port"], row["unit"], row["space"], row["first"] + number
                last[where] = _point(*where, value)
    return sorted(last.values(), key=repr)


def _point(host: str, port: int, unit: int, space: str, first: int, value: float) -> Row:
    return {"source": host, "source_port": port, "unit": unit, "space": space, "first": first, "values": (int(value),)}


# --- Zeek ---

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


def _function(name: str) -> int:
    """The function code on the wire, 128 and more where an exception was answered."""
    if name.startswith("unknown-"):
        return int(name.removeprefix("unknown-"))
    return FUNCTIONS[name.removesuffix("_EXCEPTION")] | (0x80 if name.endswith("_EXCEPTION") else 0)


def _numbers(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(float(part) for part in text.split(","))


def modbus_log(path: Path) -> list[Row]:
    """modbus.log: a row an answer."""
    return [
        said(answer=True, function=_function(row["func"]), exception=EXCEPTIONS.get(row.get("exception", "")), **zeek.ends(row, True))
        for row in zeek.log(path, MODBUS_LOG)
    ]  # fmt: skip


def detailed(path: Path) -> list[Row]:
    """modbus_detailed.log: a row a transaction, named as its request."""
    return [
        said(
            answer=False, unit=int(row["unit"]), function=_function(row["func"]), first=zeek.number(row, "address"), quantity=zeek.number(row, "quantity"),
            exception=EXCEPTIONS.get(row.get("exception_code", ""), 0),
            sub=SUBS.get(row.get("mei_type", "")) or SUBS.get(row.get("request_subfunction_code", "")),
            values=_numbers(row.get("response_values", row.get("request_values"))), **zeek.ends(row),
        )
        for row in zeek.log(path)
    ]  # fmt: skip


def mask_writes(path: Path) -> list[Row]:
    """modbus_mask_write_register.log: a row a message."""
    return [
        said(answer=answer, unit=int(row["unit"]), function=_function(row["func"]), first=int(row["address"]), **zeek.ends(row, answer))
        for row in zeek.log(path)
        for answer in (row["is_orig"] == "F",)
    ]  # fmt: skip


def read_writes(path: Path) -> list[Row]:
    """modbus_read_write_multiple_registers.log: a row a message."""
    made: list[Row] = []
    for row in zeek.log(path):
        answer, written = row["is_orig"] == "F", _numbers(row.get("write_registers"))
        made.append(
            said(
                answer=answer, unit=int(row["unit"]), function=_function(row["func"]), first=zeek.number(row, "read_start_address"),
                quantity=zeek.number(row, "read_quantity"), values=_numbers(row.get("read_registers")),
                also=None if written is None else (int(row["write_start_address"]), len(written)), **zeek.ends(row, answer),
            )
        )  # fmt: skip
    return made


def weird(path: Path) -> list[Row]:
    """weird.log: requests that end too early for their function."""
    names = {"MaskWriteRegisterRequest": 22, "ReadWriteMultipleRegistersRequest": 23}
    return [
        said(answer=False, function=names[row["name"].split("out_of_bound: ")[1].split(":")[0]], **zeek.ends(row))
        for row in zeek.log(path) if "out_of_bound" in row["name"]
    ]  # fmt: skip


EVENT: Final = re.compile(
    r"1 (\w+), \[orig_h=([^,]+), orig_p=(\d+)/tcp, resp_h=([^,]+), resp_p=(\d+)/tcp,.*?\], \[tid=\d+, pid=\d+, uid=(\d+), function_code=(\d+), len=\d+\], (.*)"
)


def events(path: Path) -> list[Row]:
    """What the btest prints of every event, sorted by event and connection: messages first, then their contents."""
    made: list[Row] = []
    for line in path.read_text().splitlines():
        match = EVENT.fullmatch(line)
        if match is None:
            assert line.startswith("#"), line
            continue
        name, client, client_port, server, server_port, unit, function, rest = match.groups()
        row = {"id.orig_h": client, "id.orig_p": client_port, "id.resp_h": server, "id.resp_p": server_port}
        answer = rest == "F" if name == "modbus_message" else name.endswith("_response")
        more: Row = {}
        numbers = [int(number) for number in re.findall(r"\b\d+\b", rest)]
        truths = tuple(float(word == "T") for word in re.findall(r"\b[TF]\b", rest)) if "[" in rest else None
        if name != "modbus_message" and numbers:
            more = {"first": numbers[0], "quantity": numbers[1] if len(numbers) > 1 else len(truths or ())}
        made.append(said(answer=answer, unit=int(unit), function=int(function), values=truths or None, **more, **zeek.ends(row, answer)))
    return made


# --- IPAL and nDPI ---

SPACES: Final = {"coil": "coil", "discrete.input": "discrete_input", "input.register": "input_register", "holding.register": "holding_register"}


def transcript(path: Path) -> list[Row]:
    """A row a message, with the values that it writes or reads."""
    made: list[Row] = []
    for message in ipal.objects(path):
        names = [key.rpartition(".") for key in message["data"]]
        numbers = [int(number) for _, _, number in names]
        values = tuple(message["data"].values())
        made.append(said(
            **ipal.ends(message), answer=ipal.answered(message), function=message["type"], first=min(numbers), quantity=len(numbers),
            space=SPACES[names[0][0]], exception=0, values=None if None in values else values,
        ))  # fmt: skip
    return made


def state(path: Path) -> list[Row]:
    """The last value of every point, sorted."""
    made: list[Row] = []
    for name, value in ipal.last_state(path).items():
        host, port, unit, point = name.split(":")
        space, _, number = point.rpartition(".")
        made.append(_point(host, int(port), int(unit), SPACES[space], int(number), value))
    return sorted(made, key=repr)


def ndpi(path: Path) -> list[Row]:
    """The flows that nDPI calls Modbus; UMAS is its function 90."""
    return [row | ({"function": 90} if inside == "UMAS" else {}) for row, inside in others.flows(path, "Modbus")]


# --- tshark: where a frame holds several messages, its fields are dealt out by function ---

FIELDS: Final = (
    "mbtcp.unit_id", "modbus.func_code", "modbus.exception_code",
    "modbus.reference_num", "modbus.bit_cnt", "modbus.word_cnt", "modbus.read_reference_num", "modbus.read_word_cnt",
    "modbus.write_reference_num", "modbus.write_word_cnt", "modbus.diagnostic_code", "modbus.mei",
)  # fmt: skip
RANGES: Final = {1: "bit_cnt", 2: "bit_cnt", 3: "word_cnt", 4: "word_cnt", 15: "bit_cnt", 16: "word_cnt"}
ONE: Final = (5, 6, 22)
ECHOED: Final = (5, 6, 15, 16, 22)
BOTH: Final = 23
SUB_FIELDS: Final = {8: "modbus.diagnostic_code", 43: "modbus.mei"}


def dealt(path: Path) -> list[Row]:
    """Every Modbus/TCP message of a capture."""
    return [row for frame in tshark.frames(path, "mbtcp", FIELDS) for row in _frame(frame)]


def _frame(frame: tshark.Frame) -> Iterator[Row]:
    left = {name: deque(frame.numbers(name)) for name in FIELDS}
    functions, units, exceptions = left["modbus.func_code"], left["mbtcp.unit_id"], left["modbus.exception_code"]
    assert len(exceptions) in (0, len(functions)), f"frame {frame.number} mixes answers and exceptions"
    assert len(functions) in (0, len(units))
    answer = frame.source_port == 502
    for unit in units:
        failed = exceptions.popleft() if exceptions else 0
        row: Row = {"packet": frame.number, "answer": answer, **frame.ends, "unit": unit, "exception": failed}
        if functions:
            function = functions.popleft()
            row |= {"function": function | (0x80 if failed else 0), **({} if failed else _body(function, answer, left))}
        yield row


def _body(function: int, answer: bool, left: dict[str, deque[int]]) -> Row:
    """The columns of one message, taken off the fields of its frame."""
    found: Row = {}
    if function in (ECHOED if answer else (*RANGES, *ONE)) and left["modbus.reference_num"]:
        found["first"] = left["modbus.reference_num"].popleft()
        found["quantity"] = left[f"modbus.{RANGES[function]}"].popleft() if function in RANGES else 1
    elif function == BOTH and left["modbus.read_reference_num"]:
        found["first"] = left["modbus.read_reference_num"].popleft()
        found["quantity"] = left["modbus.read_word_cnt"].popleft()
        if left["modbus.write_word_cnt"]:
            found["also"] = left["modbus.write_reference_num"].popleft(), left["modbus.write_word_cnt"].popleft()
    elif function in SUB_FIELDS and left[SUB_FIELDS[function]]:
        found["sub"] = left[SUB_FIELDS[function]].popleft()
    return found


# --- what is compared ---

ITI: Final = "conformance/ITI+ICS-Security-Tools/pcaps"
DETAILED: Final = "conformance/cisagov+icsnpp-modbus/testing"
PART2: Final = f"{ITI}/ModbusTCP/modbus_test_data_part2.pcap"
EXAMPLE: Final = f"{DETAILED}/traces/modbus_example.pcap"
SMALL: Final = "conformance/zeek+zeek/testing/btest/Traces/modbus/modbusSmall.pcap"
IPAL: Final = "conformance/fkie-cad+ipal_transcriber/misc/pcaps/modbus.pcap"
UMAS: Final = f"{ITI}/modicon/modicon_test.pcap"
_LOGS: Final = "conformance/automayt+ICS-pcap/MODBUS"
_TWICE: Final = ("MODBUS-TestDataPart2", "digitalbond_pcaps/modbus_test_data_part2")
_FKIE: Final = "conformance/fkie-cad+ipal_transcriber"
_BTEST: Final = "conformance/zeek+zeek/testing/btest/Baseline/scripts.base.protocols.modbus.coil_parsing_small"
BASELINES: Final = (
    *(Baseline("zeek modbus.log", PART2, f"{_LOGS}/{place}/modbus.log", modbus_log, answers) for place in _TWICE),
    *(Baseline("zeek weird.log", PART2, f"{_LOGS}/{place}/weird.log", weird, ended_early) for place in _TWICE),
    Baseline("zeek modbus.log", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus.log", modbus_log, answers),
    Baseline("icsnpp detailed", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus_detailed.log", detailed, transactions),
    Baseline("icsnpp mask write", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus_mask_write_register.log", mask_writes, of_function(22)),
    Baseline("icsnpp read write", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus_read_write_multiple_registers.log", read_writes, of_function(23)),
    Baseline("zeek conn.log", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/conn.log", zeek.connections("modbus"), flows),
    Baseline("zeek btest", SMALL, f"{_BTEST}/output", events, in_events),
    Baseline("ipal", IPAL, f"{_FKIE}/misc/ipal/modbus.ipal", transcript, messages),
    Baseline("ipal snapshot", IPAL, f"{_FKIE}/tests/snapshots/validation/test_transcriber_raw_modbus.ipal", transcript, messages),
    Baseline("ipal state", IPAL, f"{_FKIE}/tests/snapshots/validation/test_transcriber_combined_modbus.state", state, points),
    Baseline("ipal extractor", IPAL, f"{_FKIE}/tests/snapshots/validation/test_extractor_default_modbus.state", state, points),
    Baseline("ndpi", UMAS, "conformance/ntop+nDPI/tests/cfgs/default/result/umas.pcap.out", ndpi, flows),
)


def _only(codes: tuple[int, ...], mine: bool) -> Callable[[Disagreement], bool]:
    """Rows of these functions that only one side has."""

    def which(one: Disagreement) -> bool:
        row, other = (one.ours, one.theirs) if mine else (one.theirs, one.ours)
        return other is None and row is not None and row["function"] in codes

    return which


def _nothing(*functions: int) -> Callable[[Disagreement], bool]:
    """Rows whose quantity is 0."""
    return lambda one: one.columns == ("quantity",) and one.theirs is not None and one.theirs["quantity"] == 0 and one.theirs["function"] in functions


def _coil_6(one: Disagreement) -> bool:
    return one.columns == ("first",) and one.theirs is not None and (one.theirs["space"], one.theirs["first"], one.ours and one.ours["first"]) == ("coil", 6, 5)


KNOWN: Final = (
    Known("zeek modbus.log", PART2, _only((0x81, 0x98), mine=False), 10, "ours",
          "Zeek logs an exception 0x81 or 0x98 twice, first without its code (zeek/zeek#3984)."),
    Known("zeek modbus.log", PART2, _only(tuple(range(0x89, 0x94)), mine=True), 9, "ours",
          "Zeek never logs exceptions of functions that it has no parser for, here 0x89 to 0x93 (zeek/zeek#3984). They are on the wire; tshark has them."),
    Known("icsnpp detailed", EXAMPLE, _nothing(20, 21), 2, "both",
          "The message names no record (octet count 0). icsnpp prints quantity 0 without an address; ours says neither, and bad_count."),
    Known("icsnpp detailed", EXAMPLE, _nothing(24), 1, "both",
          "icsnpp's quantity is how many values the queue held (0, and ours lists none); the object of ours is the one address of the queue."),
    Known("tshark", PART2, _nothing(1, 2, 3, 4, 15, 16, 23), 7, "both",
          "The request asks for 0 values (malformed on purpose). An object has no empty range: ours names the one address, and says bad_count."),
    *(Known(tool, IPAL, _coil_6, count, "ours",
            "IPAL counts coils from 1 in function 15 and from 0 in function 1: the wire and tshark have reference number 5.")
      for tool, count in (("ipal", 2), ("ipal snapshot", 2), ("ipal state", 1), ("ipal extractor", 1))),
)  # fmt: skip

_INSIDE: Final = "Function 90 carries UMAS, which no protocol of ours decodes yet; its octets count as undecoded."

MODBUS: Final = Conformance(
    title="Modbus",
    names={"modbus": ("modbus",), "umas": ("modbus",)},
    alike=("answer", "function"),
    attacks=("modbus-lemay", "umas-lemorn1"),
    baselines=BASELINES,
    tshark=lambda capture: (Baseline("tshark", capture, "", dealt, messages),),
    known=KNOWN,
    silent={
        **{f"{_LOGS}/{place}/conn.log": "The log names no service for the connection." for place in _TWICE},
        f"{_BTEST}/coverage": "How many kinds of events Zeek could have told.",
    },
    undecoded={
        PART2: "It tries every function code from 0 to 127; most mean nothing in the MODBUS Application Protocol Specification V1.1b3.",
        UMAS: _INSIDE,
        **{
            f"attacks/umas-lemorn1/{name}.pcap": _INSIDE
            for name in ("attack_change_mode_1", "normal1_stop", "normal2_stop", "normal3_run", "normal_run1", "run2stop", "upload1")
        },
    },
)
