"""IEC 60870-5-104. A row is a frame: format, type identification, cause, common address, object addresses, values with quality and time.

Our lines show a confirmation as the answer of its activation, so a confirmation's cause is compared as `confirms`, its sign as `negative`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from sensors.protocols.iec104 import IEC104 as IEC104_PROTOCOL
from tests.conformance import ipal, tshark
from tests.conformance.harness import Baseline, Conformance, Known, Lines, Samples
from tests.conformance.rows import Disagreement, Row, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIRMATIONS: Final = (7, 9, 44, 45, 46, 47)
FORMATS: Final = {0: "I", 1: "S", 3: "U"}
NORMALIZED: Final = (9, 34, 48)  # IPAL tells the number that stands for a fraction
DONE: Final = {0x07: 0x0B, 0x13: 0x23, 0x43: 0x83}  # STARTDT, STOPDT, TESTFR: activation to confirmation (5-104, 5.1)


def _rounded(values: Iterator[Any] | list[Any]) -> tuple[float, ...]:
    """As many digits as tshark shows of a short float."""
    return tuple(float(f"{float(value):.6g}") for value in values)


# --- our side ---


def frames(lines: Lines) -> list[Row]:
    """The frames that these lines stand for, in the order of the packets that completed them."""
    return sorted((row for line in lines if line["protocol"] == "iec104" for row in _two(line)), key=lambda row: row["packet"])


def _two(line: dict[str, Any]) -> Iterator[Row]:
    source, target = line["source"], line["destination"]
    there = {"source": source["ip"], "source_port": source["port"], "target": target["ip"], "target_port": target["port"]}
    back = {"source": target["ip"], "source_port": target["port"], "target": source["ip"], "target_port": source["port"]}
    if line["packet"] is not None:
        yield {"packet": line["packet"], **there, **_said(line, False)}
    if line["response_packet"] is not None:
        yield {"packet": line["response_packet"], **back, **_said(line, True)}


def _said(line: dict[str, Any], answer: bool) -> Row:
    path = [int(part) for part in (line["code"] or "-1").split("/")]
    if len(path) == 1:
        return {"format": "S" if path == [1] else "U", "control": DONE.get(path[0]) if answer else path[0]}
    confirms = answer or path[1] in CONFIRMATIONS
    negative = line["outcome"] == "failure" and (answer or line["response_packet"] is None)
    samples: list[Samples] = [sample for sample in line["answered" if answer else "told"] if sample.space not in IEC104_PROTOCOL.beside]
    return said(
        format="I", type=path[0], cause=None if confirms else path[1], confirms=confirms, negative=negative, unit=line["unit"],
        first=line["object"]["first"], last=line["object"]["last"], values=_rounded(line["values"]),
        qualities=tuple(() if names is None and path[0] in COMMANDS else names for sample in samples for names in sample.qualities),
        times=tuple(sample.time for sample in samples if sample.time is not None for _ in sample.values),
    )  # fmt: skip


def told(lines: Lines) -> list[Row]:
    """Without what only acknowledges."""
    return [row for row in frames(lines) if row["format"] != "S"]


def points(lines: Lines) -> list[Row]:
    """The last value that each end said of each object, sorted."""
    last: dict[tuple[Any, ...], Row] = {}
    for row in frames(lines):
        if row["format"] == "I" and "first" in row:
            for number, value in enumerate(row["values"]):
                where = row["source"], row["source_port"], row["unit"], row["first"] + number
                last[where] = _point(*where, value)
    return sorted(last.values(), key=repr)


def _point(source: str, port: int, unit: int, address: int, value: float) -> Row:
    return {"source": source, "source_port": port, "unit": unit, "first": address, "values": _rounded([value])}


# --- IPAL ---


def transcript(path: Path) -> list[Row]:
    """A row a frame, with what it says of each object."""
    made: list[Row] = []
    for message in ipal.objects(path):
        row = ipal.ends(message) | {"format": message["type"][0]}
        if row["format"] == "U":
            control = 0x43 if "test" in message["data"] else 0x07
            made.append(row | {"control": DONE[control] if ipal.answered(message) else control})
            continue
        if row["format"] == "S":
            made.append(row)
            continue
        objects = [[int(part) for part in name.split(".")] for name in message["data"]]
        row["type"] = int(message["type"].removeprefix("I-"))
        if objects:
            values = [value / 32768 if row["type"] in NORMALIZED else value for value in message["data"].values()]
            row |= {"unit": objects[0][0], "first": min(objects)[1], "last": max(objects)[1], "values": _rounded(values)}
        made.append(row)
    return made


def state(path: Path) -> list[Row]:
    """The last value that each end said of each object, sorted; starts and tests are none."""
    made: list[Row] = []
    for name, value in ipal.last_state(path).items():
        host, port, what = name.split(":")
        if what.replace(".", "").isdecimal():
            unit, address = what.split(".")
            made.append(_point(host, int(port), int(unit), int(address), value))
    return sorted(made, key=repr)


# --- tshark: a frame of the network may hold several; values are dealt out by type ---

FIELDS: Final = tuple(f"iec60870_104.{name}" for name in ("type", "utype")) + tuple(
    f"iec60870_asdu.{name}" for name in ("typeid", "numix", "causetx", "nega", "addr", "ioa")
)
VALUES: Final = {
    **dict.fromkeys((1, 2, 30), "siq.spi"), **dict.fromkeys((3, 4, 31), "diq.dpi"), **dict.fromkeys((5, 6, 32), "vti.v"),
    **dict.fromkeys((7, 8, 33, 51, 64), "bitstring"), **dict.fromkeys((9, 10, 34, 21, 48, 61), "normval"),
    **dict.fromkeys((11, 12, 35, 49, 62), "scalval"), **dict.fromkeys((13, 14, 36, 50, 63), "float"), **dict.fromkeys((15, 16, 37), "bcr.count"),
    **dict.fromkeys((45, 58), "sco.on"), **dict.fromkeys((46, 59), "dco.on"), **dict.fromkeys((47, 60), "rco.up"),
}  # fmt: skip
_FLAGS: Final = (("bl", "blocked"), ("sb", "substituted"), ("nt", "not_topical"), ("iv", "invalid"))
_SINGLE, _DOUBLE, _STATE = (tuple((f"{field}.{flag}", name) for flag, name in _FLAGS) for field in ("siq", "diq", "qds"))
_OVER: Final = (("qds.ov", "overflow"),)
QUALITIES: Final = {  # by type: its bits, lowest first, and what we call them
    **dict.fromkeys((1, 2, 30), _SINGLE), **dict.fromkeys((3, 4, 31), _DOUBLE), **dict.fromkeys((5, 6, 32), (*_OVER, ("vti.t", "transient"), *_STATE)),
    **dict.fromkeys((7, 8, *range(9, 15), *range(33, 37)), _OVER + _STATE),
    **dict.fromkeys((15, 16, 37), (("bcr.cy", "carry"), ("bcr.ca", "adjusted"), ("bcr.iv", "invalid"))),
}  # fmt: skip
PULSES: Final = {1: ("short_pulse",), 2: ("long_pulse",), 3: ("persistent_output",)}
COMMANDS: Final = {45: "sco.qu", 58: "sco.qu", 46: "dco.qu", 59: "dco.qu", 47: "rco.qu", 60: "rco.qu"}
LONG_TIMES: Final = (*range(30, 41), *range(58, 65), 103)  # CP56Time2a
_NAMES: Final = (*VALUES.values(), *(field for pairs in QUALITIES.values() for field, _ in pairs), *COMMANDS.values(), "cp56time")
VALUE_FIELDS: Final = tuple(dict.fromkeys(f"iec60870_asdu.{name}" for name in _NAMES))


def dealt(path: Path) -> list[Row]:
    """Every frame of a capture."""
    return [row for frame in tshark.frames(path, "iec60870_104", FIELDS + VALUE_FIELDS) for row in _dealt(frame)]


def _dealt(frame: tshark.Frame) -> Iterator[Row]:
    left = {name: deque(frame.fields[name]) for name in FIELDS + VALUE_FIELDS}
    for kind in left["iec60870_104.type"].copy():
        row: Row = {"packet": frame.number, **frame.ends, "format": FORMATS[int(kind, 0)]}
        if row["format"] == "U":
            row["control"] = int(left["iec60870_104.utype"].popleft(), 0) << 2 | 3
        yield row | (_asdu(left) if row["format"] == "I" else {})


def _in_order(octets: str) -> int:
    """A bitstring, of which tshark shows the octets in the order of the wire: its first bit is the lowest of the first one (5-101, 7.2.6.13)."""
    return int.from_bytes(int(octets, 0).to_bytes(4), "little")


def _asdu(left: dict[str, deque[str]]) -> Row:
    kind, count, cause, negative, unit = (int(left[name].popleft(), 0) for name in FIELDS[2:7])
    addresses = [int(left["iec60870_asdu.ioa"].popleft()) for _ in range(count)]
    values = [left[f"iec60870_asdu.{VALUES[kind]}"].popleft() for _ in range(count)] if kind in VALUES else None
    qualities = [_quality(left, kind) for _ in range(count)] if kind in QUALITIES or kind in COMMANDS else None
    times = [tshark.milliseconds(left["iec60870_asdu.cp56time"].popleft()) for _ in range(count)] if kind in LONG_TIMES else None
    confirms, named = cause in CONFIRMATIONS, any(addresses)
    return said(
        type=kind, cause=None if confirms else cause, confirms=confirms, negative=bool(negative), unit=unit,
        first=min(addresses) if named else None, last=max(addresses) if named else None,
        values=None if values is None else _rounded([_in_order(value) if value[:2] == "0x" else value for value in values]),
        qualities=None if qualities is None else tuple(qualities), times=None if times is None else tuple(times),
    )  # fmt: skip


def _quality(left: dict[str, deque[str]], kind: int) -> tuple[str, ...]:
    """What is said of one object, by name."""
    if kind in COMMANDS:
        return PULSES.get(int(left[f"iec60870_asdu.{COMMANDS[kind]}"].popleft(), 0), ())
    return tuple(name for field, name in QUALITIES[kind] if left[f"iec60870_asdu.{field}"].popleft() in ("1", "True"))


# --- what is compared ---

_FKIE: Final = "conformance/fkie-cad+ipal_transcriber"
_SHOTS: Final = f"{_FKIE}/tests/snapshots/validation"
IPAL: Final = f"{_FKIE}/misc/pcaps/iec104.pcap"
BASELINES: Final = (
    Baseline("ipal", IPAL, f"{_FKIE}/misc/ipal/iec104.ipal", transcript, told),
    Baseline("ipal snapshot", IPAL, f"{_SHOTS}/test_transcriber_raw_iec104.ipal", transcript, frames),
    Baseline("ipal state", IPAL, f"{_SHOTS}/test_transcriber_combined_iec104.state", state, points),
    Baseline("ipal extractor", IPAL, f"{_SHOTS}/test_extractor_default_iec104.state", state, points),
)


def _differs(*types: int) -> Callable[[Disagreement], bool]:
    """Values of these types."""
    return lambda one: one.columns == ("values",) and one.theirs is not None and one.theirs["type"] in types


KNOWN: Final = (
    *(Known(tool, IPAL, _differs(7, 33, 51), 8, "ours",
            "IPAL takes the octets of a bitstring in the order of the wire for a number, most significant first. Its first bit is the lowest of the first"
            " octet: least significant octet first (IEC 60870-5-101:2003, 7.2.6.13).") for tool in ("ipal", "ipal snapshot")),
    *(Known(tool, IPAL, _differs(32), 1, "ours",
            "A step position has seven bits with sign: 7F is -1, as tshark says, not 127 (IEC 60870-5-101:2003, 7.2.6.5).")
      for tool in ("ipal", "ipal snapshot")),
)  # fmt: skip

IEC104: Final = Conformance(
    title="IEC 60870-5-104",
    names={"iec104": ("iec104",)},
    alike=("format", "type", "confirms"),
    baselines=BASELINES,
    tshark=lambda capture: (Baseline("tshark", capture, "", dealt, frames),),
    known=KNOWN,
    silent={"conformance/automayt+ICS-pcap/IEC_60870/iec104/conn.log": "The log names no service for the connection."},
    untold=(
        "Field lengths other than the standard's (one-octet cause, two-octet object address): no capture has them. tests/test_iec104.py makes each.",
        "IEC 60870-5-101 on serial lines (FT 1.2 frames): no capture has it, and no protocol of ours reads it.",
        "Files (types 120 to 127) and parameters: no capture has them; tests/test_iec104.py makes them.",
        "Security extensions (types 81 to 95): told by name, their content stays opaque.",
    ),
)
