"""EtherNet/IP, CIP over it, PCCC in that. A row is what one packet completes in one direction: encapsulation commands, services, what they name, refusals.

Our lines have a row a service and none for what only wraps others (multiple service packet, unconnected send, send RR data, send unit data).
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, Final

from sensors.codes.cip import CLASS_NAMES
from tests.conformance import ipal, others, tshark, zeek
from tests.conformance.harness import Baseline, Conformance, Known, Lines, Samples
from tests.conformance.rows import Disagreement, Row, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS: Final = ("enip", "cip", "pccc")
IMPLICIT: Final = 32770  # our code for I/O data
LIST_IDENTITY, SEND_RR_DATA, SEND_UNIT_DATA = 0x63, 0x6F, 0x70
PACKET, UNCONNECTED_SEND, EXECUTE_PCCC = 0x0A, 0x52, 0x4B
ROUTER, MANAGER, PCCC = 0x02, 0x06, 0x67  # classes: message router, connection manager, PCCC
FINE: Final = (0, 6)  # success, and more to come
CLASS_NUMBERS: Final = {name: number for number, name in CLASS_NAMES.items()}

# --- our side ---


def _sides(lines: Lines) -> Iterator[tuple[Row, bool, list[dict[str, Any]]]]:
    """Lines by packet and direction."""
    sides: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in lines:
        for answer, name in ((False, "packet"), (True, "response_packet")):
            if line["protocol"] in OURS and line[name] is not None:
                source, target = (line["destination"], line["source"]) if answer else (line["source"], line["destination"])
                sides.setdefault((line[name], source["ip"], source["port"], target["ip"], target["port"], answer), []).append(line)
    for (packet, source, source_port, target, target_port, answer), of in sorted(sides.items(), key=lambda side: side[0][0]):
        yield {"packet": packet, "source": source, "source_port": source_port, "target": target, "target_port": target_port, "answer": answer}, answer, of


def _path(line: dict[str, Any]) -> list[int]:
    return [int(part) for part in (line["code"] or "-1").split("/")]


def _service(line: dict[str, Any]) -> int:
    return EXECUTE_PCCC if line["protocol"] == "pccc" else _path(line)[0]


def packets(lines: Lines) -> list[Row]:
    """What each packet completes."""
    made: list[Row] = []
    for row, answer, of in _sides(lines):
        plain, services = [line for line in of if line["protocol"] == "enip"], [line for line in of if line["protocol"] != "enip"]
        implicit = [line["object"]["first"] for line in plain if _path(line)[0] == IMPLICIT]
        if implicit:
            made.append(row | {"connection": implicit[0]})
            continue
        row |= {"commands": tuple(sorted(_path(line)[0] for line in plain if _path(line)[0] not in (SEND_RR_DATA, SEND_UNIT_DATA)))}
        row |= {"services": tuple(sorted(_service(line) for line in services)), "lines": of}
        if answer:
            row["refused"] = tuple(sorted((_service(line), line["outcome"] == "failure") for line in services))
        else:
            row["classes"] = tuple(sorted(kind for line in services if line["protocol"] == "cip" and line["object"]["space"] != "tag" for kind in _ours(line)))
            row["symbols"] = tuple(sorted(part for line in services if line["object"]["space"] == "tag" for part in _symbols(line["object"]["name"])))
            row["pccc"] = tuple(sorted(tuple(_path(line)[:2]) for line in services if line["protocol"] == "pccc"))
        made.append(row)
    return made


def _ours(line: dict[str, Any]) -> list[int]:
    """The classes that the name of an object says, where its path leads through several; else that of its code."""
    name = line["object"]["name"] or ""
    if line["object"]["space"] != "object" or "/" not in name:
        return [_path(line)[1]]
    words = [part.split(" ") for part in name.split("/")]
    return [int(rest[0]) if kind == "class" else CLASS_NUMBERS[kind] for kind, *rest in words]


def _symbols(name: str | None) -> list[str]:
    return re.sub(r"\[[^]]*\]", "", name or "").split(".")


def services(lines: Lines) -> list[Row]:
    """A row a service: its object, or its tag, with what was read."""
    made: list[Row] = []
    for row, answer, of in _sides(lines):
        for line in of:
            if line["protocol"] == "cip":
                path, first = _path(line), line["object"]["first"] or 0
                told: list[Samples] = line["answered" if answer else "told"]
                made.append(
                    row | {"service": path[0], "class": path[1] if len(path) > 1 else 0, "instance": first >> 16 & 0xFFFFF, "tag": line["object"]["name"],
                           "value": next((value for sample in told for value in sample.values), None)}
                )  # fmt: skip
    return made


def tags(lines: Lines) -> list[Row]:
    """The last value that each device told of each tag, sorted."""
    last = {(row["source"], row["source_port"], row["tag"]): row["value"] for row in services(lines) if row["answer"] and row["value"] is not None}
    return _tags(last)


def _tags(last: dict[tuple[Any, ...], Any]) -> list[Row]:
    return [{"source": host, "source_port": port, "tag": tag, "value": value} for (host, port, tag), value in sorted(last.items())]


def messages(lines: Lines) -> list[Row]:
    """A row a message of the encapsulation."""
    return [row | {"command": _path(line)[0]} for row, _, of in _sides(lines) for line in of[:1]]


def identities(lines: Lines) -> list[Row]:
    """A row an identity that was listed."""
    made: list[Row] = []
    for row, answer, of in _sides(lines):
        told = {sample.first: sample.values[0] for line in of for sample in line["answered"] if sample.space == "identity"} if answer else {}
        if told:
            revision = int(told[4])
            made.append(row | {"command": LIST_IDENTITY, "vendor": int(told[1]), "revision": f"{revision >> 8}.{revision & 255}", "product": told[7]})
    return made


def flows(lines: Lines) -> list[Row]:
    """A row a conversation."""
    made: dict[frozenset[Any], Row] = {}
    for row, answer, _ in _sides(lines):
        one, other = ("target", "source") if answer else ("source", "target")
        ends = {"source": row[one], "source_port": row[f"{one}_port"], "target": row[other], "target_port": row[f"{other}_port"]}
        made.setdefault(frozenset({(row["source"], row["source_port"]), (row["target"], row["target_port"])}), ends)
    return list(made.values())


# --- Zeek ---

CIP_LOG: Final = (
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "is_orig", "source_h", "source_p", "destination_h", "destination_p",
    "sequence", "direction", "service", "service_name", "status", "status_name", "extended", "extended_name", "class", "class_name", "instance", "attribute",
)  # fmt: skip
ENIP_LOG: Final = (*CIP_LOG[:11], "command", "command_name", "length", "session", "status", "context", "options")


def cip_log(path: Path) -> list[Row]:
    """cip.log: a row a service, those that wrap others too."""
    return [
        zeek.ends(row, row["is_orig"] == "F")
        | {"answer": row["direction"] == "response", "service": int(row["service"], 0), "class": int(row["class"], 0), "instance": int(row["instance"], 0)}
        for row in zeek.log(path, CIP_LOG)
    ]


def enip_log(path: Path) -> list[Row]:
    """enip.log: a row a message. Ours does not name the command that carries CIP."""
    return [zeek.ends(row, row["is_orig"] == "F") for row in zeek.log(path, ENIP_LOG)]


# --- IPAL, nDPI, Suricata ---


def transcript(path: Path) -> list[Row]:
    """A row a service; where IPAL has given a device a name, that end is not compared."""
    made: list[Row] = []
    for message in ipal.objects(path):
        ((tag, value),) = message["data"].items()
        row: Row = {}
        for end, name in (("src", "source"), ("dest", "target")):
            host, _, port = message[end].partition(":")
            row |= {name: host, f"{name}_port": int(port)} if port else {}
        made.append(row | said(answer=ipal.answered(message), service=message["type"], tag=tag, value=_number(value)))
    return made


def _number(value: Any) -> float | None:
    """What octets stand for: four for a REAL, two for an INT, as the type in front of them says."""
    if not isinstance(value, str):
        return value
    return struct.unpack("<f" if len(value) == 8 else "<h", bytes.fromhex(value))[0]


def plain_tags(lines: Lines) -> list[Row]:
    """Services with the tag as IPAL cuts it, at the colon."""
    return [row | {"tag": (row["tag"] or "").partition(":")[0]} for row in services(lines)]


def plain_last(lines: Lines) -> list[Row]:
    """The last value of each tag, cut at the colon."""
    return [row | {"tag": row["tag"].partition(":")[0]} for row in tags(lines)]


def state(path: Path) -> list[Row]:
    """The last value of each tag."""
    last: dict[tuple[Any, ...], Any] = {}
    for name, value in ipal.last_state(path).items():
        host, port, tag = name.split(":")
        last[host, int(port), tag] = _number(value)
    return _tags(last)


def ndpi(path: Path) -> list[Row]:
    """The flows that nDPI calls CIP."""
    return [row for row, _ in others.flows(path, "CIP")]


def alerts(path: Path) -> list[Row]:
    """Suricata: as many messages list identities as the rule fires."""
    return [{"command": LIST_IDENTITY} for count, _ in others.filters(path) for _ in range(count)]


def eve(path: Path) -> list[Row]:
    """Suricata: the events of type enip."""
    return [
        {
            "command": LIST_IDENTITY, "vendor": VENDORS[match["enip.response.identity.vendor_id"]],
            "revision": match["enip.response.identity.revision"], "product": match["enip.response.identity.product_name"],
        }
        for count, match in others.filters(path) if match["event_type"] == "enip" for _ in range(count)
    ]  # fmt: skip


VENDORS: Final = {"Rockwell Automation/Allen-Bradley": 1}


def stats(path: Path) -> list[Row]:
    """Suricata: as many flows as it counts as EtherNet/IP on TCP."""
    return [{} for _, match in others.filters(path) for _ in range(match.get("stats.app_layer.flow.enip_tcp", 0))]


# --- tshark ---

FIELDS: Final = (
    "enip.command", "enip.cpf.sai.connid", "cip.service", "cip.cm.sc", "cip.class", "cip.symbol", "cip.genstat", "cip.pccc.cmd.code", "cip.pccc.fnc.code_06",
    "cip.pccc.fnc.code_07", "cip.pccc.fnc.code_0f",
)  # fmt: skip


def dealt(path: Path) -> list[Row]:
    """What each frame completes."""
    return [_dealt(frame) for frame in tshark.frames(path, "enip or cipio", FIELDS)]


def _without(held: list[int], *wrapping: int) -> list[int]:
    for each in wrapping:
        if each in held:
            held.remove(each)
    return held


def _dealt(frame: tshark.Frame) -> Row:
    services, managed = frame.numbers("cip.service"), frame.numbers("cip.cm.sc")
    row: Row = {"packet": frame.number, **frame.ends}
    if frame.fields["enip.cpf.sai.connid"]:
        return row | {"connection": frame.numbers("enip.cpf.sai.connid")[0]}
    answer = services[0] > 127 if services else frame.source_port == 44818
    row |= {"answer": answer, "commands": tuple(sorted(_without_carriers(frame.numbers("enip.command"))))}
    packets, sends = [service & 127 for service in services].count(PACKET), 0 if answer else managed.count(UNCONNECTED_SEND)
    inner = _without([service & 127 for service in services], *[PACKET] * packets, *[UNCONNECTED_SEND] * sends)
    row["services"] = tuple(sorted(inner))
    if answer:
        statuses = frame.numbers("cip.genstat")
        if len(statuses) == len(services):
            pairs = [(service & 127, status not in FINE) for service, status in zip(services, statuses, strict=True) if service & 127 != PACKET]
            row["refused"] = tuple(sorted(pairs))
        return row
    if len(managed) == sends:  # the path of a connection that is opened or closed names classes, too
        row["classes"] = tuple(sorted(_classes(frame, packets, sends, inner)))
    row["symbols"] = tuple(sorted(frame.fields["cip.symbol"]))
    commands = frame.numbers("cip.pccc.cmd.code")
    functions = [number for name in FIELDS[-3:] for number in frame.numbers(name)]
    if len(commands) == len(functions) == 1:
        row["pccc"] = ((commands[0], functions[0]),)
    return row


def _classes(frame: tshark.Frame, packets: int, sends: int, inner: list[int]) -> list[int]:
    """The classes that services name. tshark repeats in front of a connected message what its connection leads to."""
    classes = _without(frame.numbers("cip.class"), *[ROUTER] * packets, *[MANAGER] * sends)
    connected = SEND_UNIT_DATA in frame.numbers("enip.command") and len(classes) + len(frame.fields["cip.symbol"]) > len(inner)
    return _without(classes, *([ROUTER] if connected else []), *[PCCC] * inner.count(EXECUTE_PCCC))


def _without_carriers(commands: list[int]) -> list[int]:
    return [command for command in commands if command not in (SEND_RR_DATA, SEND_UNIT_DATA)]


# --- what is compared ---

_ICSNPP: Final = "conformance/cisagov+icsnpp-enip/tests"
_MULTIPLE: Final = f"{_ICSNPP}/baseline/analyzer.multiple_service_request"
_SINGLE: Final = f"{_ICSNPP}/baseline/analyzer.set_attr_single_service"
_FKIE: Final = "conformance/fkie-cad+ipal_transcriber"
_SHOTS: Final = f"{_FKIE}/tests/snapshots/validation"
_VERIFY: Final = "conformance/OISF+suricata-verify/tests"
_NDPI: Final = "conformance/ntop+nDPI/tests/cfgs/default"
_LOGS: Final = "conformance/automayt+ICS-pcap"
MULTIPLE: Final = f"{_ICSNPP}/traces/multiple_service_packet_cip.pcapng"
SINGLE: Final = f"{_ICSNPP}/traces/set_attribute_single_service_cip.pcapng"
IPAL: Final = f"{_FKIE}/misc/pcaps/cip.pcapng"
LISTED: Final = f"{_VERIFY}/enip-alert/enip_test1.pcap"
IO: Final = f"{_NDPI}/pcap/cip_io.pcap"
BASELINES: Final = (
    Baseline("icsnpp cip", MULTIPLE, f"{_MULTIPLE}/cip.log", cip_log, services),
    Baseline("icsnpp enip", MULTIPLE, f"{_MULTIPLE}/enip.log", enip_log, packets),
    Baseline("icsnpp cip", SINGLE, f"{_SINGLE}/cip.log", cip_log, services),
    Baseline("icsnpp enip", SINGLE, f"{_SINGLE}/enip.log", enip_log, packets),
    Baseline("ipal", IPAL, f"{_FKIE}/misc/ipal/cip.ipal", transcript, plain_tags),
    Baseline("ipal snapshot", IPAL, f"{_SHOTS}/test_transcriber_raw_cip.ipal", transcript, plain_tags),
    Baseline("ipal rules", IPAL, f"{_SHOTS}/test_transcriber_rules_cip.ipal", transcript, plain_tags),
    Baseline("ipal state", IPAL, f"{_SHOTS}/test_transcriber_combined_cip.state", state, plain_last),
    Baseline("ipal extractor", IPAL, f"{_SHOTS}/test_extractor_default_cip.state", state, plain_last),
    Baseline("suricata alerts", LISTED, f"{_VERIFY}/enip-alert/test.yaml", alerts, messages),
    Baseline("suricata events", LISTED, f"{_VERIFY}/enip-log-identity/test.yaml", eve, identities),
    Baseline("suricata stats", LISTED, f"{_VERIFY}/enip-stats-udp/test.yaml", stats, flows),
    Baseline("ndpi", IO, f"{_NDPI}/result/cip_io.pcap.out", ndpi, flows),
)


def _wraps(one: Disagreement) -> bool:
    return one.ours is None and one.theirs is not None and one.theirs["service"] == PACKET


KNOWN: Final = (
    Known("icsnpp cip", MULTIPLE, _wraps, 1, "both",
          "icsnpp has a row for the multiple service packet and one for each service in it; ours has one for each service (ODVA Vol 1, appendix A)."),
)  # fmt: skip
_TWICE: Final = ("EIP/EIP-SoftwareUpload", "ETHERNET_IP/digitalbond_pcaps/CL5000EIP-Software-Upload")

ENIP: Final = Conformance(
    title="EtherNet/IP, CIP and PCCC",
    names={"enip": OURS, "cip": ("cip",), "cip-io": ("enip",), "pccc": ("pccc",)},
    alike=("services", "service", "answer"),
    baselines=BASELINES,
    tshark=lambda capture: (Baseline("tshark", capture, "", dealt, packets),),
    known=KNOWN,
    silent={
        **{f"{_LOGS}/{place}/{log}.log": "Zeek has no parser for EtherNet/IP: the log names no service." for place in _TWICE for log in ("conn", "weird")},
        **{f"{_VERIFY}/{test}/{file}": "What the test is, and how Suricata is set."
           for test, files in (("enip-alert", ("README.md",)), ("enip-log-identity", ("README.md", "suricata.yaml")),
                               ("enip-stats-udp", ("README.md", "suricata.yaml"))) for file in files},
    },
    untold=(
        "PLC-5 and SLC traffic beyond typed reads of one MicroLogix: no capture has it. tests/test_pccc.py makes it after 1770-6.5.16.",
        "PCCC on a connection to Data Highway Plus (class 166): no capture has it. tests/test_enip.py makes it as a driver of PLC-5s opens it.",
        "Which words of a PLC-5's file are one element: a word range does not tell the type of the file, so they are numbered from its address on.",
        "How each command of an executed list ended (its own status stands for all), and what the lists of RSLogix 500 (function 163) read: not published.",
        "Where in a file a partial transfer begins (class 55, services 77 and 78): file, service and outcome are told; no document at hand has its fields.",
        ("Services that Rockwell's engineering tools use to load programs: not published. Creating, changing, deleting programs, tasks, routines and what "
         "a path through them leads to is told as such; another service on these is an upload, or, where it carries more than 16 octets, a download. One on a "
         "class that is not published, to which no program leads, is shown by its number, and its effect is unknown."),
        "Values of structures and strings of tags: told by name and count, their content stays opaque.",
    ),
)  # fmt: skip
