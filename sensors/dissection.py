"""Full dissection by tshark, on demand: a few packets as trees of fields with the octets that each covers, or the names that tshark has for their protocols.

Other people's dissectors read hostile octets, so they run in processes of their own, in a private directory, with no user's settings, scripts or names:
bounded in time, memory and output, and ended as a group, so that nothing stays behind.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from sensors.dissector import TREES, WAITING, Dissector, Limits, available, program

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sensors.pcapng import Packet

MOST_PACKETS: Final = 1000
_TRANSPORTS: Final = frozenset(("dccp", "sctp", "tcp", "udp", "udplite"))
_LOWER: Final = frozenset(  # what carries others: that it is there names nothing
    (
        "arp", "chdlc", "data", "eth", "ethertype", "fr", "frame", "gre", "icmp", "icmpv6", "ip", "ipv6", "juniper", "llc", "loop", "malformed", "mpls", "null",
        "ppp", "pppoes", "prp", "hsr", "raw", "sll", "vlan", "vxlan", *_TRANSPORTS,  # the link, the network
        "bvlc", "cotp", "pres", "ses", "tpkt",  # a session: BACnet's link, the stack of ISO on TCP
    )
)  # fmt: skip
_SAFETY: Final = "opensafety"  # what a fieldbus carries in some of its cycles, and what there is to know of it
# what tshark tells of the few packets that it was given, as if they were the capture; `pkt_comment`: which of them are shown
_OF_SLICE: Final = frozenset((
    "pkt_comment", "frame.section_number", "frame.interface_id", "frame.offset_shift", "frame.time_delta", "frame.time_delta_displayed", "frame.time_relative",
    "frame.marked", "frame.ignored", "tcp.stream", "tcp.time_relative", "tcp.time_delta", "udp.stream", "udp.time_relative", "udp.time_delta",
))  # fmt: skip
_FRAME: Final = re.compile(r"^Frame \d+(: .*?)(?: on interface .*)?$", re.DOTALL)

_FRAMES: Final[dict[tuple[str, int] | None, frozenset[str]]] = {}  # of each tshark, its fields that hold numbers of packets

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dissected:
    """What tshark said. `problem` is why it said nothing, or not all: missing, slow, failed, room, cut (`evidence.problem.*` of the catalogue).

    `packets` are trees (`fields`: nodes of name, label, show, position, size, raw, hidden, fields) or protocols, in order. A position is None where the
    octets are not those of the captured packet: they were put together from several, or decompressed.
    """

    version: str | None = None
    problem: str | None = None
    packets: list[Node] = field(default_factory=list[Node])
    names: dict[str, str] = field(default_factory=dict[str, str])
    frames: frozenset[str] = frozenset()  # fields that hold numbers of packets


def trees(packets: Sequence[tuple[int, Packet]], limits: Limits, first: int = 0, count: int = MOST_PACKETS) -> Dissected:
    """The trees of `count` of these packets from `first` on (from 0), while those before are read for what they go on from.

    Each comes with its number in its capture: where a tree tells of packets, it is by these.
    """
    packets = packets[:MOST_PACKETS]
    shown = packets[first : first + count]
    known = _FRAMES.get(program())
    found = _run(f"frames,{TREES}" if known is None else TREES, [packet for _, packet in packets], limits, range(first, first + count))
    _remember(found)
    numbers, frames = [number for number, _ in packets], found.frames if known is None else known
    for (number, packet), tree in zip(shown, found.packets, strict=False):
        tree["fields"] = [node for each in tree["fields"] if (node := _renumbered(each, number, numbers, frames)) is not None]
        for node in tree["fields"]:
            _locate(node, packet.octets.hex())
    if found.problem is None and (len(found.packets) < len(shown) or any(tree["cut"] for tree in found.packets)):
        return Dissected(found.version, "cut", found.packets)
    return found


def prepare(limits: Limits) -> None:
    """Find out what there is to know of this tshark before somebody waits for it."""
    if program() not in _FRAMES:
        _remember(_run("frames", (), limits))


def _remember(found: Dissected) -> None:
    """Its fields do not change while it stays the same, and telling them takes it longer than reading a packet does."""
    which = program()
    if found.frames and which:
        _FRAMES[which] = found.frames


def names(conversations: Sequence[Sequence[Packet]], limits: Limits) -> tuple[list[str | None], Dissected]:
    """What tshark calls the protocol of each conversation: the first one above the transport that most of its packets have; None where it has no name for it.

    What that one carries is its content: JSON in HTTP; safety messages alone, wherever there are any, name the conversation. tshark also goes by registered
    ports, so a name may be a guess.
    """
    order = [(number, packet) for number, packets in enumerate(conversations) for packet in packets]
    order.sort(key=lambda each: each[1].time)
    found = _run("names", [packet for _, packet in order], limits)
    counts = [Counter[str]() for _ in conversations]
    for (number, _), told in zip(order, found.packets, strict=False):
        if name := protocol_above(str(told["protocols"]).split(":")):
            counts[number][name] += 1
    told = [max(count, key=lambda name: (name == _SAFETY, count[name])) if count else None for count in counts]
    return [name and found.names.get(name, name) for name in told], found


def protocol_above(layers: list[str]) -> str | None:
    """The first protocol above the innermost transport; where there is none, above the link. A safety protocol is told from the fieldbus that carries it."""
    transport = max((place for place, name in enumerate(layers) if name in _TRANSPORTS), default=-1)
    if _SAFETY in layers[transport + 1 :]:
        return _SAFETY
    return next((name for name in layers[transport + 1 :] if name not in _LOWER and not name.startswith("_ws.")), None)


def _renumbered(node: Node, own: int, numbers: Sequence[int], frames: Container[str]) -> Node | None:
    """A node of the packet `own`, whose packets have the numbers of the capture; None where all that it tells is of the slice."""
    if node["name"] in _OF_SLICE:
        return None
    inner = [child for each in node["fields"] if (child := _renumbered(each, own, numbers, frames)) is not None]
    if node["fields"] and not inner and not node["name"]:
        return None
    show, label = str(node["show"] or ""), str(node["label"] or "")

    def number(told: str) -> str:
        return str(numbers[int(told) - 1]) if 0 < int(told) <= len(numbers) else told

    if node["name"] == "frame":
        label = _FRAME.sub(rf"Frame {own}\1", label)
    elif (node["name"] in frames or node["name"] == "frame.number") and show.isdecimal() and len(show) < len(str(MOST_PACKETS)) + 1:
        label, show = re.sub(rf"\b{show}\b", number(show), label, count=1), number(show)
    elif (node["name"] or "").endswith(("segments", "fragments")):
        label = re.sub(r"#(\d{1,4})\b", lambda found: "#" + number(found[1]), label)
    return node | {"fields": inner, "label": label if node["label"] is not None else None, "show": show if node["show"] is not None else None}


def _locate(node: Node, octets: str) -> bool:
    """Keep a node's position where its octets stand there; where it has none of its own, where those of what is in it do. Whether any stand there."""
    inner = [_locate(child, octets) for child in node["fields"]]
    sized = [there for there, child in zip(inner, node["fields"], strict=True) if child["size"]]
    at, size, raw = node["position"], node["size"], node["raw"]
    if size < 1 or 2 * (at + size) > len(octets):
        there = False
    elif raw is not None:
        there = octets[2 * at : 2 * (at + size)] == raw
    else:
        there = any(sized) or not sized
    node["position"] = at if there else None
    return there or (size < 1 and any(inner))


def _run(mode: str, packets: Sequence[Packet], limits: Limits, shown: range = range(0)) -> Dissected:
    tshark = available()
    if tshark is None:
        return Dissected(problem="missing")
    try:
        with closing((WAITING.take(limits) if mode == TREES else None) or Dissector(mode, tshark, limits)) as dissector:
            ended = dissector.read(packets, shown)
            return _read(dissector.told, ended)
    except OSError:  # no room for its files, or no memory for it
        return Dissected(problem="room")


def _read(told: IO[bytes], ended: bool) -> Dissected:
    """What was said, as far as it was said."""
    packets: list[Node] = []
    frames: frozenset[str] = frozenset()
    for line in told:
        try:
            said: Node = json.loads(line)
        except ValueError:  # it was ended in the middle of this
            break
        if "version" in said:
            return Dissected(said["version"], None if said["complete"] else "failed", packets, said["names"] or {}, frames)
        if "frames" in said:
            frames = frozenset(said["frames"])
        else:
            packets.append(said)
    return Dissected(None, "slow" if not ended else "failed", packets, frames=frames)
