"""DNP3. A row is an application fragment or a frame of the data link alone: function, outstation, what a request names, what an answer tells of each point.

Our lines name no variation, so objects are compared by the address space of their group.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, cast

from tests.conformance import ipal, others, zeek
from tests.conformance.dnp3frames import ANSWERS, LINK, READ, RESPONSE, SPACES, UNSOLICITED, dealt, named, qualities, swapped
from tests.conformance.harness import Baseline, Conformance, Known, Lines, Samples, truths
from tests.conformance.rows import Disagreement, Row, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWERED: Final = {0x40: 0, 0x42: 0, 0x49: 11}  # reset and test of the link: acknowledged; request of its status: status (9.2.4.1.3)
TIMES: Final = (50, 52)
CONTROL: Final = ("control_code", "control_count", "control_on_time", "control_off_time")

# --- our side ---


def _key(line: dict[str, Any], answer: bool) -> tuple[Any, ...]:
    source, target = (line["destination"], line["source"]) if answer else (line["source"], line["destination"])
    return line["response_packet" if answer else "packet"], source["ip"], source["port"], target["ip"], target["port"], line["unit"], _function(line, answer)


def _function(line: dict[str, Any], answer: bool) -> int:
    path = [int(part) for part in (line["code"] or "-1").split("/")]
    if path[0] == LINK:
        return LINK + (ANSWERED.get(path[1], path[1]) if answer else path[1])
    return RESPONSE if answer and path[0] not in ANSWERS else path[0]


def fragments(lines: Lines) -> list[Row]:
    """The fragments that these lines stand for, in the order of the packets that completed them."""
    sides: dict[tuple[Any, ...], list[tuple[dict[str, Any], bool]]] = {}
    for line in lines:
        for answer in (False, True):
            if line["protocol"] == "dnp3" and line["response_packet" if answer else "packet"] is not None:
                sides.setdefault(_key(line, answer), []).append((line, answer))
    return [_fragment(key, of) for key, of in sorted(sides.items(), key=lambda side: side[0][0])]


def _fragment(key: tuple[Any, ...], of: list[tuple[dict[str, Any], bool]]) -> Row:
    row: Row = dict(zip(("packet", "source", "source_port", "target", "target_port", "unit", "function"), key, strict=True))
    told: list[Samples] = [sample for line, answer in of for sample in line["answered" if answer else "told"]]
    indications = [int(sample.values[0]) for sample in told if sample.space == "internal_indications"]
    row["indications"] = indications[0] if indications else None
    row["runs"] = [sample for sample in told if sample.space not in ("internal_indications", *CONTROL)]
    row["points"] = tuple((run.space, run.first + number, float(value)) for run in row["runs"] for number, value in enumerate(run.values) if value is not None)
    row["qualities"] = tuple((run.space, run.first + number, names) for run in row["runs"] for number, names in enumerate(run.qualities) if names is not None)
    row["times"] = tuple((run.space, run.first + number, run.time) for run in row["runs"] if run.time is not None for number in range(len(run.values)))
    row["objects"] = () if row["function"] in ANSWERS else tuple(sorted(each for line, _ in of for each in _objects(line["object"])))
    row["lines"] = [line for line, _ in of]
    return row


def _objects(what: dict[str, Any]) -> Iterator[tuple[str, int, int]]:
    if what["space"] == "class":
        yield from (("class", number, number) for number in range(what["first"], what["last"] + 1))
    elif what["space"] is not None:
        first, last = (-1, -1) if what["first"] is None else (what["first"], what["last"])
        yield what["space"], first, last


def application(lines: Lines) -> list[Row]:
    """Without the data link's own frames."""
    return [row for row in fragments(lines) if 0 <= row["function"] < LINK]


def sorted_points(lines: Lines) -> list[Row]:
    """Fragments, with what they tell sorted."""
    return [row | {"points": tuple(sorted(row["points"]))} for row in application(lines)]


def pairs(lines: Lines) -> list[Row]:
    """A row a response, with the last request before it on its connection that had none."""
    made: list[Row] = []
    asked: dict[tuple[Any, ...], int] = {}
    for row in application(lines):
        one, other = ("target", "source") if row["function"] in ANSWERS else ("source", "target")
        ends = {"source": row[one], "source_port": row[f"{one}_port"], "target": row[other], "target_port": row[f"{other}_port"]}
        if row["function"] in ANSWERS:
            made.append(ends | {"function": asked.pop(tuple(ends.values()), -1), "reply": row["function"], "indications": row["indications"]})
        else:
            asked[tuple(ends.values())] = row["function"]
    return made


def headers(lines: Lines) -> list[Row]:
    """A row an object header: what a request names, what an answer tells of."""
    made: list[Row] = []
    for row in application(lines):
        ends = {name: row[name] for name in ("source", "source_port", "target", "target_port", "function")}
        if row["function"] == READ:
            made += [ends | {"space": space, "first": first, "last": last} for space, first, last in row["objects"]]
        elif row["function"] in ANSWERS:
            made += [ends | header for header in _merged(row["runs"])]
    return made


def _merged(runs: list[Samples]) -> Iterator[Row]:
    """Points of one space under one header."""
    for space, of in groupby(runs, key=lambda run: run.space):
        places = [run.first + number for run in of for number in range(len(run.values))]
        yield {"space": space, "first": min(places), "last": max(places), "count": len(places)}


def controls(lines: Lines) -> list[Row]:
    """A row a control relay output block, asked or echoed."""
    made: list[Row] = []
    for row in application(lines):
        ends = {name: row[name] for name in ("source", "source_port", "target", "target_port", "function")}
        for line in row["lines"]:
            told = {sample.space: int(sample.values[0]) for sample in line["told"] if sample.space in CONTROL}
            if told and "echo_mismatch" not in line["anomaly"]:
                status = (line["error"] or "success") if row["function"] in ANSWERS else None
                made.append(ends | {"index": line["object"]["first"], "status": status, **told})
    return made


def in_events(lines: Lines) -> list[Row]:
    """A row a fragment, then a row a run of points and a row a point."""
    made: list[Row] = []
    for row in application(lines):
        made.append({name: row[name] for name in ("unit", "function", "indications")})
        made += [{"space": space, "first": first, "last": last} for space, first, last in row["objects"]]
        for run in row["runs"]:
            made.append({"space": run.space, "first": run.first, "last": run.first + len(run.values) - 1})
            told = enumerate(zip(run.values, run.qualities, strict=True))
            made += [{"space": run.space, "first": run.first + number, "value": value, "quality": names} for number, (value, names) in told]
    return made


def sessions(lines: Lines) -> list[Row]:
    """A row a connection, with the functions that it carries."""
    made: dict[tuple[Any, ...], Row] = {}
    for row in application(lines):
        one, other = ("target", "source") if row["function"] in ANSWERS else ("source", "target")
        ends = {"source": row[one], "source_port": row[f"{one}_port"], "target": row[other], "target_port": row[f"{other}_port"]}
        session = made.setdefault(tuple(ends.values()), ends | {"functions": ()})
        session["functions"] = tuple(sorted({*session["functions"], row["function"]}))
    return list(made.values())


def last_points(lines: Lines) -> list[Row]:
    """The last value of each point that its outstation told or was told, sorted."""
    last: dict[tuple[Any, ...], float] = {}
    for row in application(lines):
        end = "source" if row["function"] in ANSWERS else "target"
        last |= {(row[end], row[f"{end}_port"], row["unit"], space, first): value for space, first, value in row["points"]}
    return _states(last)


def _states(last: dict[tuple[Any, ...], float]) -> list[Row]:
    names = ("source", "source_port", "unit", "space", "first")
    return [dict(zip(names, where, strict=True)) | {"value": value} for where, value in sorted(last.items())]


# --- Zeek ---

FUNCTIONS: Final = {
    "CONFIRM": 0, "READ": 1, "WRITE": 2, "SELECT": 3, "OPERATE": 4, "DIRECT_OPERATE": 5, "RESPONSE": 129, "UNSOLICITED_RESPONSE": 130,
}  # fmt: skip
TYPES: Final = {
    "Binary Input With Status": 1, "Binary Output Status": 10, "16-Bit Analog Input": 30, "16-Bit Analog Output Status": 40,
}  # fmt: skip
CODES: Final = {"Nul": 0, "Pulse On": 1, "Pulse Off": 2, "Latch On": 3, "Latch Off": 4, "Close": 64, "Trip": 128}


def dnp3_log(path: Path) -> list[Row]:
    """dnp3.log: a row a response."""
    return [
        zeek.ends(row) | {"function": FUNCTIONS.get(row.get("fc_request", ""), -1), "reply": FUNCTIONS[row["fc_reply"]], "indications": swapped(row["iin"])}
        for row in zeek.log(path)
    ]  # fmt: skip


def objects_log(path: Path) -> list[Row]:
    """dnp3_objects.log: a row an object header."""
    made: list[Row] = []
    for row in zeek.log(path):
        kind, ends = row["object_type"], zeek.ends(row, row["is_orig"] == "F") | {"function": FUNCTIONS[row["function_code"]]}
        if kind.startswith("Class "):
            made.append(ends | {"space": "class", "first": int(kind.split()[1]), "last": int(kind.split()[1])})
        else:
            first, last, count = (int(row[name]) for name in ("range_low", "range_high", "object_count"))
            made.append(ends | {"space": SPACES[TYPES[kind]], "first": first, "last": last, "count": count})
    return made


def control_log(path: Path) -> list[Row]:
    """dnp3_control.log: a row a control relay output block."""
    return [
        said(
            **zeek.ends(row, row["is_orig"] == "F"), function=FUNCTIONS[row["function_code"]], index=int(row["index_number"]),
            control_code=CODES[row["trip_control_code"]] | CODES[row["operation_type"]] | (0x20 if row["clear_bit"] == "T" else 0),
            control_count=int(row["execute_count"]), control_on_time=int(row["on_time"]), control_off_time=int(row["off_time"]),
            status=row["status_code"].lower() if "status_code" in row else None,
        )
        for row in zeek.log(path)
    ]  # fmt: skip


def events(path: Path) -> list[Row]:
    """What the btest prints of every event: frames, fragments, object headers, values."""
    made: list[Row] = []
    unit, space, address = 0, "", 0
    for line in path.read_text().splitlines():
        name, *rest = line.split(", ")
        numbers = [int(number) for number in rest[1:]]
        if name == "dnp3_header_block":
            unit = numbers[2] if rest[0] == "T" else numbers[3]
        elif name in ("dnp3_application_request_header", "dnp3_application_response_header"):
            made.append(said(unit=unit, function=numbers[1], indications=swapped(rest[3]) if len(rest) > 3 else None))
        elif name == "dnp3_object_header":
            (group, variation), first, last = divmod(numbers[0], 256), *numbers[-2:]
            space, address = SPACES[group], first
            made.append({"space": space} | ({"first": variation - 1, "last": variation - 1} if space == "class" else {"first": first, "last": last}))
        elif name == "dnp3_analog_input_32wFlag" or (name == "dnp3_response_data_object" and space.startswith("binary")):
            value = numbers[0] >> 7 if space.startswith("binary") else numbers[1] - (1 << 64 if numbers[1] >> 63 else 0)
            made.append({"space": space, "first": address, "value": value, "quality": qualities(space, numbers[0])})
            address += 1
        else:
            assert name in ("dnp3_object_prefix", "dnp3_response_data_object") or name.startswith("#"), line
    by_class = groupby(made, key=lambda row: row.get("space") == "class")
    return [row for classes, of in by_class for row in (sorted(of, key=lambda one: one["first"]) if classes else of)]  # ours are one range


# --- IPAL, Arkime, Suricata ---


def transcript(path: Path) -> list[Row]:
    """A row a fragment; a signal target of a request is unit, group and perhaps variation, a value's name unit, group, variation, index."""
    made: list[Row] = []
    for message in ipal.objects(path):
        row = ipal.ends(message) | {"function": message["type"]}
        targets: list[str] | str = message["data"].pop("Signal Target", [])
        if targets and not isinstance(targets, str):
            row["objects"] = tuple(sorted(named(*(int(part) for part in target.split(":")[1:])) for target in targets))
        points = [(name, value) for name, value in message["data"].items() if name != "SEQ"]
        row["points"] = tuple(sorted((*_named(name)[1:], told) for name, value in points for told in _values(name, value)))
        made.append(row)
    return made


def _named(name: str) -> tuple[int, str, int]:
    """Unit, space, address. Times have no index: IPAL puts how many there are."""
    unit, group, _, index = (int(part) for part in name.split(":"))
    return unit, SPACES[group], 0 if group in TIMES else index


def _values(name: str, value: Any) -> list[float]:
    """What was told of a point, one after the other; IPAL tells milliseconds as seconds."""
    if int(name.split(":")[-3]) in TIMES:
        return [round(1000 * float(value))]
    return [float(one) for one in cast("list[Any]", value)] if isinstance(value, list) else [float(value)]


def state(path: Path) -> list[Row]:
    """The last value that each end told of each point, sorted; where groups have a space in common, the one that changed last."""
    last: dict[tuple[Any, ...], float] = {}
    before: dict[str, Any] = {}
    for held in ipal.states(path):
        for name, value in held.items():
            host, port, point = name.split(":", 2)
            if point[0].isdecimal() and before.get(name) != value and value != []:
                last[host, int(port), *_named(point)] = _values(point, value)[-1]
        before = held
    return _states(last)


def arkime(path: Path) -> list[Row]:
    """A row a session."""
    return [
        {
            "source": body["source"]["ip"], "source_port": body["source"]["port"], "target": body["destination"]["ip"],
            "target_port": body["destination"]["port"], "functions": tuple(sorted(int(number) for number in body["dnp3"]["func"])),
        }
        for body in others.sessions(path)
    ]  # fmt: skip


def eve(path: Path) -> list[Row]:
    """Suricata: the events of type dnp3. Addresses are those of the flow in both directions."""
    made: list[Row] = []
    for count, match in others.filters(path):
        if match["event_type"] == "dnp3":
            asks = match["dnp3.type"] == "request"
            row = {"function": match["dnp3.application.function_code"], "unit": match["dnp3.dst" if asks else "dnp3.src"]}
            row["source" if asks else "target"], row["target" if asks else "source"] = match["src_ip"], match["dest_ip"]
            row["source_port" if asks else "target_port"], row["target_port" if asks else "source_port"] = match["src_port"], match["dest_port"]
            headers = [name.removesuffix(".group") for name in match if name.endswith(".group")]
            row["objects"] = tuple(sorted(named(match[f"{name}.group"], match[f"{name}.variation"]) for name in headers))
            times = [value for name, value in match.items() if name.endswith(".timestamp")]
            made += [row | {"points": tuple(("time", 0, float(value)) for value in times)}] * count
    return made


def eve_flows(path: Path) -> list[Row]:
    """Suricata: the flows that it calls DNP3."""
    return [
        {"source": match["src_ip"], "source_port": match["src_port"], "target": match["dest_ip"], "target_port": match["dest_port"]}
        for _, match in others.filters(path) if match["event_type"] == "flow" and match["app_proto"] == "dnp3"
    ]  # fmt: skip


# --- what is compared ---

_ITI: Final = "conformance/ITI+ICS-Security-Tools/pcaps"
_FKIE: Final = "conformance/fkie-cad+ipal_transcriber"
_SHOTS: Final = f"{_FKIE}/tests/snapshots/validation"
_LOGS: Final = "conformance/automayt+ICS-pcap"
_DETAILED: Final = "conformance/cisagov+icsnpp-dnp3/testing"
_BASIC: Final = f"{_DETAILED}/baseline/analyzer.basic"
_BTEST: Final = "conformance/zeek+zeek/testing/btest/Baseline/scripts.base.protocols.dnp3.dnp3_read"
_VERIFY: Final = "conformance/OISF+suricata-verify/tests/dnp3"
_OPEN: Final = f"{_ITI}/dnp3/opendnp3-3/conformance"
PART2: Final = f"{_ITI}/dnp3/dnp3_test_data_part2.pcap"
STATUS: Final = f"{_ITI}/openics/EIP-ViewDeviceStatus.pcap"
EXAMPLE: Final = f"{_DETAILED}/traces/dnp3_example.pcap"
SMALL: Final = "conformance/zeek+zeek/testing/btest/Traces/dnp3/dnp3_read.pcap"
IPAL: Final = f"{_FKIE}/misc/pcaps/dnp3.pcap"
SYNTHETIC: Final = "conformance/arkime+arkime/tests/pcap/dnp3_synthetic"
_TWICE: Final = {
    "DNP3/DNP3-TestDataPart2": PART2, "DNP3/digitalbond_pcaps/dnp3_test_data_part2": PART2,
    "EIP/EIP-ViewDeviceStatus": STATUS, "ETHERNET_IP/digitalbond_pcaps/CL5000EIP-View-Device-Status": STATUS,
}  # fmt: skip
BASELINES: Final = (
    *(Baseline("zeek dnp3.log", capture, f"{_LOGS}/{place}/dnp3.log", dnp3_log, pairs) for place, capture in _TWICE.items()),
    *(Baseline("zeek conn.log", capture, f"{_LOGS}/{place}/conn.log", zeek.connections("dnp3_tcp"), sessions) for place, capture in _TWICE.items()),
    Baseline("zeek dnp3.log", EXAMPLE, f"{_BASIC}/dnp3.log", dnp3_log, pairs),
    Baseline("zeek conn.log", EXAMPLE, f"{_BASIC}/conn.log", zeek.connections("dnp3_tcp"), sessions),
    Baseline("icsnpp objects", EXAMPLE, f"{_BASIC}/dnp3_objects.log", objects_log, headers),
    Baseline("icsnpp control", EXAMPLE, f"{_BASIC}/dnp3_control.log", control_log, controls),
    Baseline("zeek dnp3.log", SMALL, f"{_BTEST}/dnp3.log", dnp3_log, pairs),
    Baseline("zeek btest", SMALL, f"{_BTEST}/output", events, in_events),
    Baseline("ipal", IPAL, f"{_FKIE}/misc/ipal/dnp3.ipal", transcript, sorted_points),
    Baseline("ipal snapshot", IPAL, f"{_SHOTS}/test_transcriber_raw_dnp3.ipal", transcript, sorted_points),
    Baseline("ipal state", IPAL, f"{_SHOTS}/test_transcriber_combined_dnp3.state", state, last_points),
    Baseline("ipal extractor", IPAL, f"{_SHOTS}/test_extractor_default_dnp3.state", state, last_points),
    Baseline("arkime", f"{SYNTHETIC}.pcap", f"{SYNTHETIC}.test", arkime, sessions),
    *(Baseline("suricata events", f"{_VERIFY}/{test}/input.pcap", f"{_VERIFY}/{test}/test.yaml", eve, application) for test in ("dnp3-en-spon", "dnp3-write")),
    *(Baseline("suricata flows", f"{_VERIFY}/{test}/input.pcap", f"{_VERIFY}/{test}/test.yaml", eve_flows, sessions)
      for test in ("dnp3-en-spon", "dnp3-write")),
)  # fmt: skip


def _malformed(one: Disagreement) -> bool:
    return one.theirs is None and one.ours is not None and any(line["anomaly"] for line in one.ours["lines"])


def _wrapped(one: Disagreement) -> bool:
    return one.columns == () and (one.ours or one.theirs or {})["packet"] in (18, 114, 210, 311, 810)


KNOWN: Final = (
    Known("icsnpp objects", EXAMPLE, lambda one: one.ours is not None and one.ours["function"] == UNSOLICITED, 4, "ours",
          "icsnpp logs no object headers of unsolicited responses; they are on the wire, and dnp3.log has the responses (IEEE 1815-2012, clause 4)."),
    Known("tshark", EXAMPLE, _wrapped, 6, "ours",
          "A fragment whose transport segments wrap from sequence number 63 to 0 is one fragment (IEEE 1815-2012, clause 8). tshark does not put it together,"
          " and takes its last segment together with a later one."),
    Known("tshark", f"{_OPEN}/6.6.2.1/dump.pcap", _malformed, 4, "ours",
          "Frames that do not begin with 05 64, sent on purpose: tshark sees no DNP3 in them; ours has a malformed row with bad_start"
          " (IEEE 1815-2012, 9.2.4)."),
    *(Known("tshark", f"{_OPEN}/{test}/dump.pcap", _malformed, count, "ours",
            "Frames whose length is too small for what follows or whose CRC is wrong, sent on purpose: ours has a row for the frame and one for the octets"
            " behind it, tshark at most one (IEEE 1815-2012, 9.2.4).") for test, count in (("6.6.2.3", 2), ("6.6.2.4", 6))),
)  # fmt: skip
_VERDICTS: Final = [truth for capture in truths() for truth in truths()[capture] if truth.endswith("results.properties")]

DNP3: Final = Conformance(
    title="DNP3",
    names={"dnp3": ("dnp3",)},
    alike=("function",),
    baselines=BASELINES,
    tshark=lambda capture: (Baseline("tshark", capture, "", dealt, fragments),),
    known=KNOWN,
    undecoded={f"{_OPEN}/{test}/dump.pcap": "Frames that are none, sent on purpose." for test in ("6.6.2.1", "6.6.2.2", "6.6.2.3", "6.6.2.4")},
    silent={
        **dict.fromkeys(_VERDICTS, "That the stack under test passed."),
        f"{_BTEST}/coverage": "How many kinds of events Zeek could have told.",
        **{f"{_VERIFY}/{test}/{file}": "What the test is, and how Suricata is set."
           for test in ("dnp3-en-spon", "dnp3-write") for file in ("README.md", "suricata.yaml")},
    },
    uncompared={"attacks/dnp3-qut/": "Its logs tell when which attack ran, not what was said: `docs/evaluation.md` is about them."},
    untold=(
        "Serial lines carried by TCP: no capture has one. tests/test_dnp3.py makes them; tests/plant speaks with genuine stacks.",
        "Data sets (groups 85 to 88), device profiles and private objects: told by name, their content stays opaque.",
        "Secure authentication: challenge, reply, keys and errors are recognised; whether a code is right nobody without the key can tell.",
    ),
)  # fmt: skip
