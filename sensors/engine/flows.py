"""The table of flows: one row a direction of a connection, found by its addresses, with what was recognised in it."""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.framing import fits
from sensors.engine.octets import inline, kernel, mix, number_of, prefetch, tag_fits, tagged
from sensors.engine.tables import GTPU, MIRRORED
from sensors.protocol import BY_DATAGRAM, BY_SEGMENT

TRIES: Final = 8  # segments that recognition looks at
UNDECIDED: Final = -1
UNKNOWN: Final = -2
NOT_LIKELY: Final = -1
NO_TRANSPORT: Final = -1
NEAR: Final = 1 << 16  # as far as a window of TCP reaches
NEVER: Final = -1  # no packet of the peer was seen
GONE: Final = -2  # the peer was there, and was let go
ELSEWHERE: Final = -2  # in place of a VLAN: what would be of this flow is of another one


@inline
def signed(difference: int) -> int:
    """A difference of sequence numbers, which wrap, as -2**31 … 2**31-1."""
    difference &= 0xFFFFFFFF
    return difference - 0x100000000 if difference & 0x80000000 else difference


@inline
def _key(source: int, target: int, source_port: int, target_port: int, transport: int, realm: int) -> int:
    return mix(source << 24 ^ target ^ realm, source_port << 32 | target_port << 8 | transport)


@inline
def _is_here(packet: Any, interface: int, flow: Any) -> bool:
    """Was this flow seen in the VLAN of this packet and by its interface?"""
    return bool(flow.vlan == packet.vlan and flow.interface == interface)


@inline
def find_flow(packet: Any, interface: int, flows: Any, index: Any) -> int:
    """The flow of this direction, or -1. Plants may have the same addresses: each has its VLAN, or its interface (a place of one); only where `several` is
    set are those of others the same flow. Of sessions of mobile users, which may have the same addresses, each has a TEID of its own each way."""
    last = len(index) - 1
    hashed = _key(packet.source, packet.target, packet.source_port, packet.target_port, packet.transport, packet.realm)
    place, found = hashed & last, -1
    while index[place] >= 0:
        if tag_fits(index[place], hashed):
            number = number_of(index[place])
            flow = flows[number]
            if (
                flow.source == packet.source
                and flow.target == packet.target
                and flow.source_port == packet.source_port
                and flow.target_port == packet.target_port
                and flow.transport == packet.transport
                and flow.realm == packet.realm
                and (packet.tunnel != GTPU or flow.tunnel_id == packet.tunnel_id)
            ):
                if _is_here(packet, interface, flow):
                    return number
                if flow.several:
                    found = number
        place = (place + 1) & last
    return found


@kernel
def _find_namesake(packet: Any, but: int, flows: Any, index: Any) -> int:
    """The flow of these ends in another VLAN or by another interface that spoke last, or -1; `but`: not this one."""
    last = len(index) - 1
    hashed = _key(packet.source, packet.target, packet.source_port, packet.target_port, packet.transport, packet.realm)
    place, found = hashed & last, -1
    while index[place] >= 0:
        number = number_of(index[place])
        flow = flows[number]
        if (
            tag_fits(index[place], hashed)
            and number != but
            and flow.source == packet.source
            and flow.target == packet.target
            and flow.source_port == packet.source_port
            and flow.target_port == packet.target_port
            and flow.transport == packet.transport
            and flow.realm == packet.realm
            and flow.vlan != ELSEWHERE
            and packet.tunnel != GTPU
            and (found < 0 or flow.last > flows[found].last)
        ):
            found = number
        place = (place + 1) & last
    return found


@inline
def _same_stations(packet: Any, flow: Any) -> bool:
    """Did the same stations of one network send it? Then another interface sees the same connection: mirror ports that share their packets out."""
    return bool(flow.vlan == packet.vlan and packet.source_mac >= 0 and flow.source_mac == packet.source_mac and flow.target_mac == packet.target_mac)


@kernel
def unite(packet: Any, number: int, flows: Any, index: Any) -> int:
    """A copy of what another mirror port saw just before, with other VLAN or by another interface: so both flows are one. Returns the other one, which is
    empty from now on and whose packets are of the one that is further on, or -1 where there is none. Without payload copies prove nothing.
    """
    other = _find_namesake(packet, number, flows, index)
    if other < 0 or abs(signed(flows[number].expected - flows[other].expected)) > NEAR:
        return -1
    if signed(flows[number].expected - flows[other].expected) > 0:
        number, other = other, number
    gone, stays = flows[number], flows[other]
    if gone.peer >= 0 and stays.peer < 0:
        stays.peer, stays.connection = gone.peer, flows[gone.peer].connection
        flows[gone.peer].peer = other
    elif gone.peer >= 0:
        flows[gone.peer].peer = GONE
    gone.peer, gone.vlan, gone.ended, gone.began = GONE, ELSEWHERE, 1, -1
    gone.packets = gone.spoken = gone.said = gone.unheard = gone.payloads = gone.several = 0
    stays.several, stays.namesake = 1, 0
    return number


@inline
def expect_flow(packet: Any, flows: Any, index: Any) -> None:
    """Have the flow of a packet that comes soon brought near."""
    hashed = _key(packet.source, packet.target, packet.source_port, packet.target_port, packet.transport, packet.realm)
    prefetch(flows, number_of(index[hashed & len(index) - 1]))


@inline
def _merit(packet: Any, interface: int, flow: Any, flows: Any) -> int:
    """How well this flow would be the other direction of a packet: of one VLAN, of the same stations, by one interface, expecting what is acknowledged,
    without a peer. Directions may well differ in all of this. -1 where it has a better one: nobody takes the peer of a flow that comes from elsewhere.
    """
    if flow.peer >= 0 and not _is_here(packet, interface, flow) and not _is_here(packet, interface, flows[flow.peer]):
        return -1
    return (
        (8 if flow.vlan == packet.vlan else 0)
        + (4 if packet.source_mac >= 0 and flow.source_mac == packet.target_mac and flow.target_mac == packet.source_mac else 0)
        + (4 if flow.interface == interface else 0)
        + (2 if packet.transport == 6 and packet.tcp_flags & 16 and flow.expected == packet.acknowledge else 0)
        + (1 if flow.peer < 0 else 0)
    )


@kernel
def _find_peer(packet: Any, interface: int, flows: Any, index: Any) -> int:
    """The flow of the other direction, or -1; of several the one of most merit. Which TEID of GTP-U answers which is not in the packets."""
    last = len(index) - 1
    hashed = _key(packet.target, packet.source, packet.target_port, packet.source_port, packet.transport, packet.realm)
    place = hashed & last
    found, merit = -1, -1
    while index[place] >= 0:
        number = number_of(index[place])
        flow = flows[number]
        if (
            tag_fits(index[place], hashed)
            and flow.source == packet.target
            and flow.target == packet.source
            and flow.source_port == packet.target_port
            and flow.target_port == packet.source_port
            and flow.transport == packet.transport
            and flow.realm == packet.realm
        ):
            fits_here = _merit(packet, interface, flow, flows)
            if fits_here > merit:
                found, merit = number, fits_here
        place = (place + 1) & last
    return found


@kernel
def enter_flow(number: int, flows: Any, index: Any) -> None:
    """Put a flow into the hash index."""
    flow = flows[number]
    last = len(index) - 1
    hashed = _key(flow.source, flow.target, flow.source_port, flow.target_port, flow.transport, flow.realm)
    place = hashed & last
    while index[place] >= 0:
        place = (place + 1) & last
    index[place] = tagged(hashed, number)


@inline
def _side(packet: Any, ports: Any) -> int:
    """0 from the client, 1 from the server: by the handshake, else by registered port, else the lower port serves."""
    if packet.transport == 6 and packet.tcp_flags & 2:
        return 1 if packet.tcp_flags & 16 else 0
    kind = 1 if packet.transport == 17 else 0
    if ports[kind, packet.target_port] >= 0:
        return 0
    if ports[kind, packet.source_port] >= 0:
        return 1
    return 0 if packet.target_port <= packet.source_port else 1


@kernel
def new_flow(packet: Any, flows: Any, index: Any, streams: Any, ports: Any) -> int:
    """A row for the direction of this packet, -1 where the table is full; that of the same direction seen elsewhere, where it is shown to be the same."""
    namesake = _find_namesake(packet, -1, flows, index)
    if namesake >= 0 and (packet.marks & MIRRORED or _same_stations(packet, flows[namesake])):
        if packet.whole > 0:  # beginnings may be alike by chance
            flows[namesake].several = 1
        return namesake
    number = streams.free_flow
    if number >= 0:
        streams.free_flow = flows[number].peer
    elif streams.flows < len(flows):
        number = streams.flows
        streams.flows += 1
    else:
        return -1
    flow = flows[number]
    flow.source, flow.target, flow.transport = packet.source, packet.target, packet.transport
    flow.source_port, flow.target_port = packet.source_port, packet.target_port
    flow.source_mac, flow.target_mac, flow.vlan = packet.source_mac, packet.target_mac, packet.vlan
    flow.tunnel, flow.tunnel_id, flow.realm = packet.tunnel, packet.tunnel_id, packet.realm
    flow.used, flow.started, flow.ended, flow.torn, flow.tries = 1, 0, 0, 0, 0
    flow.likely = flow.acts = 0
    flow.began = flow.acknowledged = flow.closing = flow.hole_end = flow.reborn = -1
    flow.filling = flow.cipher = flow.copied = flow.leapt = flow.counts = 0
    flow.stamp, flow.pace, flow.identification = packet.time, 0, -1
    flow.first, flow.opened = packet.number, packet.time
    flow.interface, flow.several, flow.namesake = streams.place, 0, 1 if namesake >= 0 and flows[namesake].ended == 0 else 0
    flow.framing, flow.conversation, flow.waiting, flow.waiting_count = UNDECIDED, -1, -1, 0
    flow.carry_slot, flow.carry_length = -1, 0
    flow.heard, flow.told = -1, 0
    flow.packets = flow.spoken = flow.said = flow.unheard = flow.vouched = flow.payloads = flow.messages = 0
    flow.unknown, flow.unknown_window = 0, -1
    peer = _find_peer(packet, streams.place, flows, index)
    flow.peer = peer
    if peer >= 0:
        other = flows[peer]
        if other.peer >= 0:
            former = flows[other.peer]
            former.peer = GONE
            if not _is_here(packet, streams.place, former):
                streams.connections += 1
                other.connection, other.conversation = streams.connections, -1
        other.peer = number
        flow.side, flow.connection, flow.acts, flow.turned = 1 - other.side, other.connection, other.acts, other.turned
        if other.framing >= 0:
            flow.framing, flow.tries = other.framing, other.tries
    else:
        flow.side, flow.turned = _side(packet, ports), 0
        streams.connections += 1
        flow.connection = streams.connections
    enter_flow(number, flows, index)
    return int(number)


@kernel
def renew(flow: Any, connection: int) -> None:
    """Forget what was recognised: the ports are used again."""
    flow.connection, flow.framing, flow.tries, flow.conversation = connection, UNDECIDED, 0, -1
    flow.turned, flow.started, flow.ended, flow.torn, flow.likely, flow.messages = 0, 0, 0, 0, 0, 0
    flow.began = flow.acknowledged = flow.closing = flow.hole_end = flow.reborn = flow.heard = -1
    flow.filling = flow.vouched = flow.told = 0


@inline
def server_port(flow: Any) -> int:
    """The port that serves: what is not understood is counted by it."""
    return flow.target_port if flow.side == 0 else flow.source_port


@inline
def _settle(flow: Any, framing: int, tries: int, framings: Any) -> None:
    """This framing from now on. Nothing may be carried that began in another one."""
    if flow.framing >= 0 and framings[flow.framing].protocol != framings[framing].protocol:
        flow.conversation = -1
    flow.framing, flow.tries = framing, tries


@kernel
def recognise(memory: Any, packet: Any, flow: Any, at: int, end: int, flows: Any, framings: Any, known: Any, ports: Any) -> None:
    """Decide the framing of a flow and its peer: by content first, then by port, which content may still overrule; UNKNOWN after TRIES segments.

    Of several that fit it is that of the port: octets that a sender chooses, such as a transaction, may look like another protocol's first ones.
    """
    found, tries = -1, TRIES
    registered = ports[1 if flow.transport == 17 else 0, server_port(flow)]
    for turn in range(-1, len(framings)):
        if turn == registered:  # it had the first turn, or there is none
            continue
        candidate = registered if turn < 0 else turn
        if framings[candidate].kind == BY_DATAGRAM and candidate != registered:  # its content alone tells too little
            continue
        fit = fits(memory, at, end, candidate, framings, known, packet)
        if framings[candidate].kind == BY_SEGMENT and registered < 0:  # others end in the same checksum: both sides must fit from their first octet on
            fit = fit and flow.likely == 0
            flow.likely = candidate + 1 if fit else NOT_LIKELY
            fit = fit and flow.peer >= 0 and flows[flow.peer].likely == candidate + 1
        if fit:
            found = candidate
            break
    if found < 0:
        flow.tries += 1
        tries = flow.tries
        if flow.framing != UNDECIDED:
            return
        if flow.transport == 6 or (flow.side == 0 and flow.peer < 0):  # a datagram from a port, or in answer to one, may come from any program
            found = registered
        if found < 0 or framings[found].kind == BY_DATAGRAM:  # what does not fit is none
            if tries >= TRIES:
                flow.framing = UNKNOWN
            return
    _settle(flow, found, tries, framings)
    if flow.peer >= 0 and flows[flow.peer].carry_length == 0:
        _settle(flows[flow.peer], found, tries, framings)


@kernel
def converse_frame(packet: Any, answers: bool, protocol: int, conversations: Any, index: Any, streams: Any) -> int:
    """The number of the conversation of a frame that is not IP: from its sender to its receiver, the other way of what answers. In place of a port it has
    the EtherType."""
    source, target = (packet.target, packet.source) if answers else (packet.source, packet.target)
    last = len(index) - 1
    hashed = mix(mix(source << 24 ^ target, packet.ethertype << 16 | protocol << 8), packet.vlan ^ packet.tunnel_id << 13)
    place = hashed & last
    while index[place] >= 0:
        row = conversations[index[place]]
        if (
            row.source == source and row.target == target and row.port == packet.ethertype and row.transport == NO_TRANSPORT
            and row.protocol == protocol and row.vlan == packet.vlan and row.tunnel == packet.tunnel and row.tunnel_id == packet.tunnel_id
        ):  # fmt: skip
            return int(index[place])
        place = (place + 1) & last
    row = conversations[streams.conversations]
    row.source, row.target, row.port, row.transport, row.protocol = source, target, packet.ethertype, NO_TRANSPORT, protocol
    row.vlan, row.tunnel, row.tunnel_id = packet.vlan, packet.tunnel, packet.tunnel_id
    row.source_mac, row.target_mac = (packet.target_mac, packet.source_mac) if answers else (packet.source_mac, packet.target_mac)
    index[place] = streams.conversations
    streams.conversations += 1
    return int(index[place])


@kernel
def converse(flow: Any, flows: Any, framings: Any, conversations: Any, index: Any, streams: Any) -> None:
    """Number the conversation of a flow: client, server, server's port, protocol, VLAN, tunnel and MAC addresses. Its reports keep the same one."""
    ask = flow.side == flow.turned
    source, target = (flow.source, flow.target) if ask else (flow.target, flow.source)
    source_mac, target_mac = (flow.source_mac, flow.target_mac) if ask else (flow.target_mac, flow.source_mac)
    protocol = framings[flow.framing].protocol
    port = flow.target_port if ask else flow.source_port
    towards = flow if ask or flow.peer < 0 else flows[flow.peer]  # a tunnel may have another number each way: that of the requests counts
    last = len(index) - 1
    hashed = mix(mix(source << 24 ^ target, port << 16 | protocol << 8 | flow.transport), mix(source_mac, target_mac) ^ flow.vlan ^ towards.tunnel_id << 13)
    place = hashed & last
    while index[place] >= 0:
        row = conversations[index[place]]
        if (
            row.source == source and row.target == target and row.port == port and row.transport == flow.transport and row.protocol == protocol
            and row.vlan == flow.vlan and row.source_mac == source_mac and row.target_mac == target_mac
            and row.tunnel == towards.tunnel and row.tunnel_id == towards.tunnel_id
        ):  # fmt: skip
            flow.conversation = index[place]
            return
        place = (place + 1) & last
    row = conversations[streams.conversations]
    row.source, row.target, row.port, row.transport, row.protocol, row.vlan = source, target, port, flow.transport, protocol, flow.vlan
    row.source_mac, row.target_mac = source_mac, target_mac
    row.tunnel, row.tunnel_id = towards.tunnel, towards.tunnel_id
    index[place] = streams.conversations
    flow.conversation = streams.conversations
    streams.conversations += 1
