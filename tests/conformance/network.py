"""What serves every network: ARP, LLDP, NTP, PTP, DNS, multicast DNS and NetBIOS names, and PROFINET DCP, which names stations. A row is a message.

No capture at hand holds DHCP of more than one packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.conformance import tshark
from tests.conformance.harness import Baseline, Conformance, Lines
from tests.conformance.rows import Row, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMED: Final = ("dns", "mdns", "nbns")
PROTOCOLS: Final = ("arp", "dcp", "dhcp", "lldp", "ntp", "ptp", *NAMED)
SENDER: Final = [1, 2]  # our second row of an ARP request, which tells its sender: tshark has one a message
FIELDS: Final = (
    "eth.src", "arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "lldp.tlv.system.name", "lldp.time_to_live", "dns.flags.response", "dns.flags.opcode",
    "dns.qry.name", "dns.resp.name", "dns.flags.rcode", "nbns.flags.response", "nbns.flags.opcode", "nbns.name", "dhcp.option.dhcp",
    "ntp.flags.mode", "ptp.v2.messagetype", "udp.port", "pn_dcp.service_id", "pn_dcp.service_type", "pn_dcp.suboption_device_nameofstation",
    "pn_dcp.suboption_device_aliasname", "pn_dcp.suboption_ip_ip", "pn_dcp.block_error",
)  # fmt: skip
DCP_FIELDS: Final = {
    "name": ("suboption_device_nameofstation", "suboption_device_aliasname"), "address": ("suboption_ip_ip",), "error": ("block_error",),
}  # fmt: skip
WANTED: Final = "(arp && arp.proto.type == 0x0800) || lldp || pn_dcp || dhcp || ntp || ptp || ((dns || mdns || nbns) && udp && !icmp && !llmnr)"


def messages(lines: Lines) -> list[Row]:
    """Ours."""
    return [row for line in lines if line["protocol"] in PROTOCOLS for row in _ours(line)]


def _ours(line: dict[str, Any]) -> Iterator[Row]:
    path, protocol = [int(part) for part in line["code"].split("/")], line["protocol"]
    common = {"packet": line["packet"], "protocol": protocol, "mac": line["source"]["mac"]}
    if protocol == "arp" and path != SENDER:
        yield {**common, "operation": path[0], "address": line["object"]["name"]}
    elif protocol == "arp":
        return
    elif protocol == "dcp":
        yield from _stations(line, common, path[0])
    elif protocol == "lldp":
        facts = " ".join(line["values"]).partition(" name=")[2]
        yield {**common, "operation": path[0], "name": facts.partition(" description=")[0].partition(" role=")[0]}
    elif protocol in ("dhcp", "ntp", "ptp"):
        yield {**common, "operation": path[0]}
    else:
        yield {**common, "operation": path[0], "answer": path[1] == 1, "name": (line["object"]["name"] or "").lower()}


def _stations(line: dict[str, Any], common: Row, service: int) -> Iterator[Row]:
    """A message of DCP, and the answer that stands beside a request to set."""
    words, space, named = str((line["values"] or [""])[0]).split(), line["object"]["space"], line["object"]["name"]
    address = named if space == "ipv4_address" else next((word for word in words[:1] if "=" not in word), "")
    name = named if space == "station_name" else next((word.removeprefix("name=") for word in words if word.startswith("name=")), "")
    yield {**common, "operation": service, "answer": line["action"].endswith("_answer"), "name": name, "address": address, "error": ""}
    if line["response_packet"]:
        answer = {
            "packet": line["response_packet"],
            "mac": line["destination"]["mac"],
            "answer": True,
            "error": "0" if line["error"] is None else line["error"],
        }
        yield {**common, **answer, "operation": service, "name": "", "address": ""}


def dissected(path: Path) -> list[Row]:
    """Theirs."""
    return [_theirs(frame) for frame in tshark.frames(path, WANTED, FIELDS)]


def _theirs(frame: tshark.Frame) -> Row:
    fields = frame.fields
    common = {"packet": frame.number, "mac": _first(fields["eth.src"])}
    if fields["arp.opcode"]:
        operation = frame.numbers("arp.opcode")[0]
        address = fields["arp.src.proto_ipv4" if operation == 2 else "arp.dst.proto_ipv4"]
        return {**common, "protocol": "arp", "operation": operation, "address": _first(address)}
    if fields["pn_dcp.service_id"]:
        told = {name: _first([value for each in places for value in fields[f"pn_dcp.{each}"]]) or "" for name, places in DCP_FIELDS.items()}
        answers = frame.numbers("pn_dcp.service_type")[0] != 0
        return {**common, "protocol": "dcp", "operation": frame.numbers("pn_dcp.service_id")[0], "answer": answers, **told}
    if fields["lldp.time_to_live"]:
        names = fields["lldp.tlv.system.name"]
        return {**common, "protocol": "lldp", "operation": 1 if frame.numbers("lldp.time_to_live")[0] else 2, "name": _first(names) or ""}
    if fields["dhcp.option.dhcp"]:
        return {**common, "protocol": "dhcp", "operation": frame.numbers("dhcp.option.dhcp")[0]}
    if fields["ntp.flags.mode"]:
        return {**common, "protocol": "ntp", "operation": frame.numbers("ntp.flags.mode")[0]}
    if fields["ptp.v2.messagetype"]:
        return {**common, "protocol": "ptp", "operation": frame.numbers("ptp.v2.messagetype")[0]}
    over = "nbns" if fields["nbns.flags.opcode"] else "dns"
    name = fields["nbns.name"] if over == "nbns" else [*fields["dns.qry.name"], *fields["dns.resp.name"]]
    return said(
        **common, protocol="nbns" if over == "nbns" else "mdns" if "5353" in fields["udp.port"] else "dns", operation=frame.numbers(f"{over}.flags.opcode")[0],
        answer=fields[f"{over}.flags.response"][0] in ("1", "True"), name=(_first(name) or "").partition(" (")[0].lower(),
    )  # fmt: skip


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


_ITI: Final = "conformance/ITI+ICS-Security-Tools/pcaps"
_BSAP: Final = "conformance/cisagov+icsnpp-bsap/testing/baseline/analyzer.ip"
_ZEEK: Final = "conformance/zeek+zeek/testing/btest/Baseline/core.unknown-protocol"
_NDPI: Final = "conformance/ntop+nDPI/tests/cfgs/default"
_SMALL: Final = "conformance/zeek+zeek/testing/btest"
_AUTOMAYT: Final = tuple(
    f"conformance/automayt+ICS-pcap/{name}" for name in ("EIP/EIP-SoftwareUpload", "ETHERNET_IP/digitalbond_pcaps/CL5000EIP-Software-Upload")
)

NETWORK: Final = Conformance(
    title="Network services",
    names={"lldp": ("lldp",)},
    alike=("protocol", "operation"),
    baselines=(),
    tshark=lambda capture: (Baseline("tshark", capture, "", dissected, messages),),
    everywhere=frozenset(PROTOCOLS),
    also=(
        f"{_ITI}/beckoff/addroute.pcapng", f"{_ITI}/openics/EIP-SoftwareUpload.pcap", f"{_SMALL}/Traces/modbus/modbusSmall.pcap",
        "attacks/s7-qut/20161215200749.ConveyorBeltOff_Flooding.hmi.pcap", "attacks/goose-kaitoray/normal/PrimaryPlant.pcapng",
        f"{_NDPI}/pcap/ptpv2.pcap", "attacks/profinet-smehner/identify.pcap", "attacks/profinet-smehner/set_attack.pcap",
        f"{_ITI}/profinet/PROFINET-RT-DCP/ChangeIPUsingDCP.pcap", f"{_ITI}/profinet/PROFINET-RT-DCP/PROFINET-RT.pcap",
    ),
    silent={
        f"{_NDPI}/result/ptpv2.pcap.out": "It names the protocol, and counts packets.",
        **{f"{_BSAP}/{name}.log": "It tells of BSAP." for name in ("bsap_ip_header", "bsap_ip_rdb", "conn")},
        "conformance/arkime+arkime/tests/pcap/wireshark-lldp.test": "It names the protocol, and the MAC addresses that tshark has, too.",
        f"{_ZEEK}-event/out": "That Zeek does not know the protocol.",
        f"{_ZEEK}-log/unknown_protocols.log": "That Zeek does not know the protocol.",
        **{f"{_SMALL}/Baseline/scripts.base.protocols.modbus.coil_parsing_small/{name}": "It tells of Modbus." for name in ("coverage", "output")},
        **{f"{place}/{name}.log": "Connections, and what is odd of them." for place in _AUTOMAYT for name in ("conn", "weird")},
    },
)  # fmt: skip
