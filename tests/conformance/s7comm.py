"""S7comm and the COTP below it. A row is a TPDU; of S7comm it says function, items, values, what was refused.

Our lines have a row an item; a message of several is one row here. A userdata function is the path 7/group/subfunction, as in our lines.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from tests.conformance import ipal, others, tshark, zeek
from tests.conformance.harness import Baseline, Conformance, Known, Lines, Samples
from tests.conformance.rows import Disagreement, Row, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READ, WRITE, USERDATA, PI_SERVICE = 4, 5, 7, 40
DATA: Final = 0x0F
CONFIRMED: Final = {0xE0: 0xD0, 0x80: 0xC0}  # connection and disconnect: request, confirm
EMPTY: Final = 7  # octets of a TPKT whose DT has no data
SERVER: Final = 102
BLOCKS: Final = {"System Data Block": "SDB", "Organization Block": "OB", "Data Block": "DB"}
SERVICES: Final = {"_MODU": "copy_ram_to_rom", "_GARB": "compress_memory"}

# --- our side ---


def _sides(lines: Lines) -> list[tuple[tuple[Any, ...], bool, list[dict[str, Any]]]]:
    """Lines by the message that they are of: its packet, ends and function; answers apart."""
    sides: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        for answer, name in ((False, "packet"), (True, "response_packet")):
            if line["protocol"] in ("cotp", "s7comm") and line[name] is not None:
                source, target = (line["destination"], line["source"]) if answer else (line["source"], line["destination"])
                key = (line[name], source["ip"], source["port"], target["ip"], target["port"], line["protocol"], _path(line), answer)
                sides.setdefault(key, []).append(line)
    return [(key[:-1], key[-1], of) for key, of in sorted(sides.items(), key=lambda side: side[0][0])]


def _path(line: dict[str, Any]) -> tuple[int, ...]:
    path = tuple(int(part) for part in (line["code"] or "-1").split("/"))
    return path if path[0] == USERDATA else path[:1]


def tpdus(lines: Lines) -> list[Row]:
    """The TPDUs that these lines stand for, in the order of the packets that completed them."""
    made: list[Row] = []
    for (packet, source, source_port, target, target_port, protocol, path), answer, of in _sides(lines):
        row: Row = {"packet": packet, "source": source, "source_port": source_port, "target": target, "target_port": target_port, "lines": of}
        if protocol == "cotp":
            kind = CONFIRMED[path[0]] if answer and path[0] in CONFIRMED else path[0]
            made.append(row | {"tpdu": kind >> 4})
            continue
        row |= {"tpdu": DATA, "answer": answer, "function": path}
        if answer:
            row["refused"] = tuple(line["outcome"] == "failure" for line in of)
        if path[0] in (READ, WRITE):
            row["items"] = tuple(_item(line["object"]) for line in of)
            told: list[Samples] = [sample for line in of for sample in line["answered" if answer else "told"]]
            row["values"] = tuple(value for sample in told if sample.space not in ("timer", "counter") for value in sample.values)
        made.append(row)
    return made


def _item(what: dict[str, Any]) -> tuple[str, int, int, int]:
    """Area, data block, first and last octet (or bit, timer, counter)."""
    area = next((area for area in AREAS.values() if (what["space"] or "").startswith(area)), "")
    if area in ("timer", "counter") or not area:
        return area, 0, what["first"] or 0, what["last"] or 0
    block = 1_000_000 if what["space"].endswith("_bit") else 100_000
    return area, what["first"] // block, what["first"] % block, what["last"] % block


def jobs(lines: Lines) -> list[Row]:
    """What is of S7comm, in the columns of logs; one refused item does not make a refused message."""
    return [
        row | {"service": row["lines"][0]["action"], "refused": bool(row.get("refused")) and all(row["refused"]), "block": row["lines"][0]["object"]["name"]}
        for row in tpdus(lines) if "function" in row
    ]  # fmt: skip


def of_path(*paths: tuple[int, ...]) -> Callable[[Lines], list[Row]]:
    """Those of these functions."""
    return lambda lines: [row for row in jobs(lines) if row["function"] in paths]


def status_lists(lines: Lines) -> list[Row]:
    """Reads of system status lists."""
    return [row | {"list": divmod(row["lines"][0]["object"]["first"] or 0, 65536)} for row in jobs(lines) if row["function"] == (USERDATA, 4, 1)]


def sessions(lines: Lines) -> list[Row]:
    """A row a connection that holds S7comm, with its functions; those of userdata have no number in front."""
    made: dict[tuple[Any, ...], Row] = {}
    for row in jobs(lines):
        one, other = ("target", "source") if row["source_port"] == SERVER else ("source", "target")
        ends = {"source": row[one], "source_port": row[f"{one}_port"], "target": row[other], "target_port": row[f"{other}_port"]}
        session = made.setdefault(tuple(ends.values()), ends | {"functions": ()})
        number = 0 if row["function"][0] == USERDATA else row["function"][0]
        session["functions"] = tuple(sorted({*session["functions"], number}))
    return list(made.values())


def points(lines: Lines) -> list[Row]:
    """What each symbol was told to be."""
    told = [(row, value) for row in tpdus(lines) if row.get("answer") for value in row.get("values", ())]
    return [{"source": row["source"], "source_port": row["source_port"], "value": value} for row, value in told]


# --- Zeek, IPAL, Arkime ---


def cotp_log(path: Path) -> list[Row]:
    """cotp.log: a row a TPDU."""
    return [zeek.ends(row, row["is_orig"] == "F") | {"tpdu": int(row["pdu_code"], 0)} for row in zeek.log(path)]


def s7comm_log(path: Path) -> list[Row]:
    """s7comm.log: a row a message."""
    made: list[Row] = []
    for row in zeek.log(path):
        answer, code = row["is_orig"] == "F", int(row["function_code"], 0)
        function = (USERDATA, code & 0x0F, int(row["subfunction_code"], 0)) if int(row["rosctr_code"]) == USERDATA else (code,)
        refused = row["error_code"] != "0x00" if "error_code" in row else None
        made.append(said(**zeek.ends(row, answer), answer=answer, function=function, refused=refused, service=SERVICES.get(row.get("subfunction_code", ""))))
    return made


def szl_log(path: Path) -> list[Row]:
    """s7comm_read_szl.log: a row a message."""
    return [
        zeek.ends(row, row["is_orig"] == "F") | {"answer": row["method"] == "Response", "list": (int(row["szl_id"], 0), int(row["szl_index"], 0))}
        for row in zeek.log(path)
    ]  # fmt: skip


UPLOADS: Final = {"Start Upload": 29, "Upload": 30, "End Upload": 31}


def upload_log(path: Path) -> list[Row]:
    """s7comm_upload_download.log: a row a message, with the block where it is named."""
    return [
        said(
            **zeek.ends(row, row["is_orig"] == "F"), answer=row["rosctr"] == "ACK-Data", function=(UPLOADS[row["function_name"]],),
            block=f"{BLOCKS[row['block_type']]}{int(row['block_number'])}" if "block_type" in row else None,
        )
        for row in zeek.log(path)
    ]  # fmt: skip


def transcript(path: Path) -> list[Row]:
    """A row a message. IPAL names a symbol by its number in a list, ours by its checksum."""
    made: list[Row] = []
    for message in ipal.objects(path):
        values = list(message["data"].values())
        made.append(said(
            **ipal.ends(message), answer=message["type"] == 3, function=(READ,), quantity=len(values), values=None if None in values else tuple(values),
        ))  # fmt: skip
    return made


def counted(lines: Lines) -> list[Row]:
    """Messages, with how many items they have."""
    return [row | {"quantity": len(row["lines"])} for row in tpdus(lines)]


def state(path: Path) -> list[Row]:
    """What each symbol was told to be."""
    return [
        {"source": host, "source_port": int(port), "value": value}
        for name, value in ipal.last_state(path).items() for host, port, _ in [name.split(":")]
    ]  # fmt: skip


def arkime(path: Path) -> list[Row]:
    """A row a session that holds S7comm."""
    return [
        {
            "source": body["source"]["ip"], "source_port": body["source"]["port"], "target": body["destination"]["ip"],
            "target_port": body["destination"]["port"], "functions": tuple(sorted(int(number) for number in body["s7comm"]["func"])),
        }
        for body in others.sessions(path) if "s7comm" in body["protocol"]
    ]  # fmt: skip


# --- tshark ---

AREAS: Final = {0x81: "input", 0x82: "output", 0x83: "memory", 0x84: "data_block", 0x1C: "counter", 0x1D: "timer"}
SIZES: Final = {1: (1, "B"), 2: (1, "B"), 3: (1, "B"), 4: (2, ">H"), 5: (2, ">h"), 6: (4, ">I"), 7: (4, ">i"), 8: (4, ">f")}  # transport size: octets, format
HEADER: Final = ("rosctr", "pduref", "errcls", "errcod")
ITEM: Final = ("area", "db", "address.byte", "address.bit", "address.number", "transp_size", "length")
FIELDS: Final = (
    "cotp.type", "cotp.eot", "tpkt.length", *(f"s7comm.header.{name}" for name in HEADER), "s7comm.param.errcod", "s7comm.param.func",
    *(f"s7comm.param.userdata.{name}" for name in ("funcgroup", "subfunc", "type")), *(f"s7comm.param.item.{name}" for name in ITEM),
    "s7comm.param.itemcount", "s7comm.data.returncode", "s7comm.resp.data",
)  # fmt: skip


def dealt(path: Path) -> list[Row]:
    """Every TPDU of a capture that is not followed by more of the same TSDU; those without data, too."""
    asked: dict[tuple[Any, ...], list[tuple[int, int]]] = {}
    return [row for frame in tshark.frames(path, "cotp", FIELDS) for row in _dealt(frame, asked)]


def _dealt(frame: tshark.Frame, asked: dict[tuple[Any, ...], list[tuple[int, int]]]) -> Iterator[Row]:
    kinds, ends = [int(kind, 0) for kind in frame.fields["cotp.type"]], deque(frame.fields["cotp.eot"])
    for kind, length in zip(kinds, frame.numbers("tpkt.length"), strict=True):
        if kind != DATA or ends.popleft() in ("1", "True") or length == EMPTY:
            row: Row = {"packet": frame.number, **frame.ends, "tpdu": kind}
            yield row | (_job(frame, asked) if kind == DATA and frame.fields["s7comm.header.rosctr"] and len(kinds) == 1 else {})


def _first(frame: tshark.Frame, name: str) -> int:
    found = frame.numbers(f"s7comm.{name}")
    return found[0] if found else 0


def _job(frame: tshark.Frame, asked: dict[tuple[Any, ...], list[tuple[int, int]]]) -> Row:
    kind, functions = _first(frame, "header.rosctr"), frame.numbers("s7comm.param.func")
    answer = kind in (2, 3) or (kind == USERDATA and _first(frame, "param.userdata.type") == 8)
    row: Row = {"answer": answer}
    if kind == USERDATA:
        row["function"] = (USERDATA, _first(frame, "param.userdata.funcgroup"), _first(frame, "param.userdata.subfunc"))
    elif functions:
        row["function"] = (functions[0],)
    codes = frame.numbers("s7comm.data.returncode")
    error = any(_first(frame, name) for name in ("header.errcls", "header.errcod", "param.errcod"))
    if answer:
        row["refused"] = tuple(error or code != 0xFF for code in codes) if row.get("function") in ((READ,), (WRITE,)) and codes else (error,)
    if row.get("function") in ((READ,), (WRITE,)):
        key = (frame.target if answer else frame.source, frame.target_port if answer else frame.source_port, _first(frame, "header.pduref"))
        if answer:
            types = asked.pop(key, [])
            if row["function"] == (READ,) and len(types) == len(codes):
                row |= _values(types, codes, [bytes.fromhex(text.replace(":", "")) for text in frame.fields["s7comm.resp.data"]])
        elif len(frame.numbers("s7comm.param.item.area")) == _first(frame, "param.itemcount"):
            row["items"] = tuple(_items(frame))
            asked[key] = list(zip(frame.numbers("s7comm.param.item.area"), frame.numbers("s7comm.param.item.transp_size"), strict=True))
    return row


def _items(frame: tshark.Frame) -> Iterator[tuple[str, int, int, int]]:
    left = {name: deque(frame.numbers(f"s7comm.param.item.{name}")) for name in ("db", "address.byte", "address.bit", "address.number", "length")}
    for area, size in zip(frame.numbers("s7comm.param.item.area"), frame.numbers("s7comm.param.item.transp_size"), strict=True):
        block, length = left["db"].popleft(), left["length"].popleft()
        if AREAS[area] in ("timer", "counter"):
            number = left["address.number"].popleft()
            yield AREAS[area], 0, number, number + length - 1
            continue
        byte, bit = left["address.byte"].popleft(), left["address.bit"].popleft()
        first = 8 * byte + bit if size == 1 else byte
        yield AREAS[area], block, first, first + length * SIZES[size][0] - 1


def _values(types: list[tuple[int, int]], codes: list[int], held: list[bytes]) -> Row:
    """What was read, by the types that were asked for."""
    left, values = deque(held), list[float]()
    for (area, size), code in zip(types, codes, strict=True):
        if code == 0xFF and left:
            octets = left.popleft()
            if AREAS[area] not in ("timer", "counter"):
                values += [value for (value,) in struct.iter_unpack(SIZES[size][1], octets)]
    return {"values": tuple(values)}


# --- what is compared ---

_ICSNPP: Final = "conformance/cisagov+icsnpp-s7comm/tests"
_LOGS: Final = f"{_ICSNPP}/baseline/analyzer.snap7"
_FKIE: Final = "conformance/fkie-cad+ipal_transcriber"
_SHOTS: Final = f"{_FKIE}/tests/snapshots/validation"
SNAP7: Final = f"{_ICSNPP}/traces/snap7.pcap"
IPAL: Final = f"{_FKIE}/misc/pcaps/s7.pcap"
SYNTHETIC: Final = "conformance/arkime+arkime/tests/pcap/s7comm_synthetic"
BASELINES: Final = (
    Baseline("icsnpp cotp", SNAP7, f"{_LOGS}/cotp.log", cotp_log, tpdus),
    Baseline("icsnpp s7comm", SNAP7, f"{_LOGS}/s7comm.log", s7comm_log, jobs),
    Baseline("icsnpp read szl", SNAP7, f"{_LOGS}/s7comm_read_szl.log", szl_log, status_lists),
    Baseline("icsnpp upload", SNAP7, f"{_LOGS}/s7comm_upload_download.log", upload_log, of_path((29,), (30,), (31,))),
    Baseline("zeek conn.log", SNAP7, f"{_LOGS}/conn.log", zeek.connections("s7comm"), sessions),
    Baseline("ipal", IPAL, f"{_FKIE}/misc/ipal/s7.ipal", transcript, counted),
    Baseline("ipal snapshot", IPAL, f"{_SHOTS}/test_transcriber_raw_s7.ipal", transcript, counted),
    Baseline("ipal state", IPAL, f"{_SHOTS}/test_transcriber_combined_s7.state", state, points),
    Baseline("ipal extractor", IPAL, f"{_SHOTS}/test_extractor_default_s7.state", state, points),
    Baseline("arkime", f"{SYNTHETIC}.pcap", f"{SYNTHETIC}.test", arkime, sessions),
)
MADE_UP: Final = f"{SYNTHETIC}.pcap"
PLUS: Final = "conformance/ITI+ICS-Security-Tools/pcaps/s7/S7-1200-Uploading-OB1-TIAV12.pcap"
RDP: Final = "conformance/ntop+nDPI/tests/cfgs/default/pcap/rdp.pcap"


def _mine(*path: int) -> Callable[[Disagreement], bool]:
    """Messages of this function that only ours has."""
    return lambda one: one.theirs is None and one.ours is not None and one.ours["function"] == path


_REFUSED: Final = (
    "An answer of kind Ack (2) has no function; icsnpp leaves it out. Ours has it as the answer of the request with its PDU reference, and its error."
)
KNOWN: Final = (
    Known("icsnpp s7comm", SNAP7, _mine(29), 1, "ours", _REFUSED),
    Known("icsnpp upload", SNAP7, _mine(29), 1, "ours", _REFUSED),
    Known("icsnpp s7comm", SNAP7, _mine(USERDATA, 4, 1), 2, "ours",
          "A status list in two parts is two requests and two answers (last data unit: no); icsnpp logs the first request and the last answer."),
    Known("icsnpp read szl", SNAP7, _mine(USERDATA, 4, 1), 3, "ours",
          "Of a status list in two parts icsnpp logs the first request only."),
    Known("tshark", MADE_UP, lambda one: one.columns == ("refused",), 1, "ours",
          "The answer's parameter ends after the function code. tshark takes the item count from behind its end, and the octet after that for a return code;"
          " ours says short and takes the return code where the data begin."),
    Known("tshark", RDP, lambda one: one.theirs is None, 10, "both",
          "After the connection confirm both sides of this RDP session go over to TLS. tshark shows TLS without COTP; ours has rows named encrypted."),
)  # fmt: skip

S7COMM: Final = Conformance(
    title="S7comm and COTP",
    names={"cotp": ("cotp",), "s7comm": ("s7comm",)},
    alike=("tpdu", "function", "answer"),
    baselines=BASELINES,
    tshark=lambda capture: (Baseline("tshark", capture, "", dealt, tpdus),),
    known=KNOWN,
    inside=frozenset({"s7comm-plus", "mms"}),
    undecoded={
        PLUS: "S7comm-plus, which no protocol of ours decodes yet; its octets count as undecoded.",
        MADE_UP: "One of its four sessions is S7comm-plus, and a PI service has no name.",
        RDP: "RDP and TLS over COTP; their octets count as undecoded.",
    },
    silent={
        "conformance/automayt+ICS-pcap/S7/s7comm_varservice_libnodavedemo_bench/conn.log": "The log names no service for the connections.",
        "conformance/automayt+ICS-pcap/S7/S7-1200-Uploading-OB1-TIAV12/conn.log": "The log names no service for the connection.",
        "conformance/ntop+nDPI/tests/cfgs/default/result/rdp.pcap.out": "nDPI calls the flow RDP and says nothing of the COTP that carries it.",
    },
    uncompared={
        "attacks/s7-qut/": "Its logs tell when which attack ran, not what was said: `docs/evaluation.md` is about them.",
        "conformance/ITI+ICS-Security-Tools/pcaps/IEC61850/": "MMS over COTP: its presentation layer is no protocol of ours yet; COTP's own frames are told.",
    },
    untold=(
        "S7-200: no capture has one. Its areas and addresses (S, SM, AI, AQ) are made by tests/test_s7comm.py.",
        "What stands in a block that is loaded: its name, kind and length are told, its code stays opaque.",
    ),
)  # fmt: skip
