"""The tables of the engine: one aligned record dtype each, dtype = schema. Kernels get them as arguments.

Whole numbers are i8, or i4 where they are small and rows are copied often; compiled and interpreted runs calculate with 64 bits either way. Small codes are u1.
Times are nanoseconds since the epoch; packet numbers count from 1 in their capture; an absent number is -1.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np


def _record(**fields: str) -> np.dtype[np.void]:
    return np.dtype(list(fields.items()), align=True)


# fmt: off
PACKET: Final = _record(  # three lines of the cache
    time="i8", number="i8", wire="i8", at="i4", captured="i4", interface="i4", linktype="i4",  # filled by the source
    clock="i8",                                                # highest plausible time up to and with this packet
    sequence="i8", acknowledge="i8", whole="i8",               # whole: octets of payload on the wire
    edge="i8", end="i4", payload="i4", length="i4",            # end of the innermost frame or datagram on the wire and as captured; payload as captured
    source="i4", target="i4", source_port="i4", target_port="i4",  # host numbers (-1: not IP) and ports (-1: none)
    transport="i4", tcp_flags="i2", vlan="i2", trailing="i4", ethertype="i4", tunnel="i4",  # trailing: octets behind datagrams of UDP
    source_mac="i8", target_mac="i8",
    tunnel_id="i8", realm="i8",                                # outermost tunnel's VNI, TEID …; realm: of addresses (RFC 2663), 0: the outer one
    forgone="i8", forgone_transport="i4",                      # octets of fragments that are given up with this packet
    flow="i4", port="i4",                                      # of a flow that no protocol was recognised in: its number (else -1) and the port that serves
    marks="i4", fragment="u1", short="u1", jump="u1",          # marks: DUPLICATE …; fragment: 1 until its datagram is whole
    hops="u1",                                                 # how many more it may take: of IPv4 the time to live
    identification="i4",                                       # of an IPv4 datagram; 0 where there is none
)
HOST: Final = _record(  # one line of the cache
    family="i8", a="i8", b="i8", c="i8", d="i8", role="i4",
    mac="u2", hops="u1", strays="u1",                          # its segments of TCP: see `network`
    right="i8", wrong="i8",                                    # checksums of what it sent
)
DATAGRAM: Final = _record(  # an IP datagram that comes in fragments
    state="i8", source="i8", target="i8", identification="i8", transport="i8", realm="i8",
    began="i8", touched="i8",                                  # clock of its first and last fragment
    total="i8", highest="i8", units="i8", octets="i8",         # its length (-1: not known yet), what is there: its end, units of eight octets, octets
    buffer="i8", content="i8", again="i8",                     # again: one with its number was whole just before, and what this one is to that
    vlan="i8",
)
ASSEMBLY: Final = _record(  # in progress, free buffers, when the oldest is given up, where buffers lie, which one comes next
    opened="i8", free="i8", due="i8", base="i8", turn="i8",
)
SIGHTING: Final = _record(mac="i8", sequence="i8", time="i8", content="i8")  # a frame that was sent over two ways
COPY: Final = _record(content="i8", time="i8")  # a packet that may come again from another mirror port
REFERENCE: Final = _record(  # a clock on the wire: of NTP by its address, of PTP by its domain and identity
    kind="i8", family="i8", a="i8", b="i8", c="i8", d="i8", place="i8", last="i8",
    behind="i8", announced="i8",                               # nanoseconds that UTC is behind its timescale, and whether that is known
    sequence="i8", captured="i8",                              # of the message whose time comes with the next one (-1: none), and when it came
    samples="i8",                                              # comparisons in this window
)
VLANS: Final = _record(there="i8", back="i8", place="i8", conversations="i8")  # conversations whose two directions carry these
SIDES: Final = _record(  # datagram conversations of one framing, and the octets of those that have one direction only
    framing="i8", place="i8", talks="i8", requests_only="i8", answers_only="i8", requested="i8", answered="i8",
)
REPEAT: Final = _record(  # short datagram conversations of two hosts: datagrams without answer and their octets that are not told yet; windows
    key="i8", datagrams="i8", octets="i8", seen="i8", told="i8",
)
HALF: Final = _record(  # conversations with one direction only, by the server; framing: of datagrams, else -1
    framing="i8", place="i8", family="i8", a="i8", b="i8", c="i8", d="i8", requests_only="i8", answers_only="i8",
)
# first and last: times as they are; spare: rows of hosts that are free again; crowded: few are left, or none; patience: when room is looked for again
CLOCK: Final = _record(
    now="i8", suspects="i8", hosts="i8", free_host="i8", spare="i8", crowded="i8", patience="i8", first="i8", last="i8",
)
FLOW: Final = _record(  # one direction of a connection
    source="i4", target="i4", source_port="i4", target_port="i4", realm="i8", transport="i4",
    used="u1", side="u1", turned="u1", started="u1", ended="u1", acts="u1", torn="u1", carry_known="u1",
    framing="i4", likely="i2",                                 # -1 undecided, -2 unknown; a framing that one side fits
    vlan="i2", interface="u1", several="u1", namesake="u1",    # interface: its place; 1 where packets of others are of it too, or other flows have its ends
    tries="u1",                                                # TRIES once content decided
    peer="i4", conversation="i4", waiting="i4", waiting_count="i4",  # waiting: slots of segments out of order
    connection="i8",
    began="i8", expected="i8", acknowledged="i8",              # sequence number behind its SYN, of its next octet, and up to which it has what the peer sent
    closing="i8", reborn="i8",                                 # that of its FIN; the first of a connection in its place that nobody confirmed yet (-1: none)
    hole="i8", hole_end="i8", hole_clock="i8",                 # numbers that were passed over (end -1: none), and when last
    hole_next="i8", filling="u1", hole_empty="u1",             # 1 while they come after all, and the one behind those that came last; 1: none of it came yet
    cipher="u1", copied="u1",                                  # number of the cipher recognised in it; 1 where copies came
    carry_length="i8", carry_need="i8", carry_time="i8", carry_packet="i8", carry_slot="i4",  # a message that is not complete yet
    character="i4", last="i8", payloads="i8", messages="i8",
    told="i8",                                                 # octets of it that its receiver has and nobody saw, as far as they are counted
    heard="i8", heard_messages="i8",                           # with its last message: what it acknowledged (-1: nothing), and messages of the other side
    leapt="u1",                                                # 1 where octets, or datagrams, are missing since a pause
    stamp="i8", pace="i8",                                     # time of its last packet, no later than the clock; of datagrams the longest pause of late …
    identification="i4", counts="u1",                          # … the number of the last one (IPv4), and whether it was the next or nearly so
    packets="i4", spoken="i4", said="i8",                      # in this window: packets, those with payload and their octets
    unheard="i8", vouched="u1",                                # octets of a side that nobody saw, which it acknowledged in this window; 1 where it ever did
    first="i8", opened="i8",                                   # number and time of the packet that opened it
    unknown="i8", unknown_window="i8", unknown_here="i8",      # packets not recognised: all, the window last counted in, those in it
    before="i8", intervals="i8", interval="f8", square="f8",   # time of the last of them; mean and square of the intervals in this window (Welford)
    source_mac="i8", target_mac="i8", tunnel="i4", tunnel_id="i8",
)
HISTORY: Final = _record(flow="i8", connection="i8", since="i8", until="i8")  # sequence numbers of what a ring holds
SLOT: Final = _record(after="i8", length="i8", sequence="i8", time="i8", packet="i8", marks="i8")
STREAMS: Final = _record(  # counters of the stream kernels; those of the window are taken and zeroed by the sensor
    flows="i8", free_flow="i8", connections="i8", conversations="i8", messages="i8", free_slot="i8", free_slots="i8", done_slot="i8", window="i8",
    pressed="i8",                                              # 1 while more comes than can be followed: what only looks is let go
    interface="i8", place="i8",                                # number of the interface whose counters these are, and its place
    behind="i8", looked="i8",                                  # packets that were late in this window, and up to how many it is known what that means
    packets="i8", octets="i8", decoded="i8", undecoded="i8", lost="i8", gaps="i8", late="i8", truncated="i8", cut="i8", repeated="i8", reordered="i8",
    shed="i8", jumps="i8", overlaps="i8", half_open="i8", one_sided="i8",
    duplicates="i8", bad_checksums="i8", rejected="i8", fragments="i8", unfinished="i8", bad_fragments="i8",
    gre="i8", erspan="i8", vxlan="i8", gtpu="i8", pppoe="i8", mpls="i8", ipip="i8",  # packets in each kind of tunnel
    dropped="i8", mirrored="i8",                               # packets that whoever captured dropped; copies from a second mirror port
    talks="i8", requests_only="i8", answers_only="i8",         # TCP conversations that said enough, those of them with one direction only
    split_vlans="i8", namesakes="i8",                          # conversations whose directions carry different VLANs; that have the ends of others elsewhere
    resumed="i8", torn="i8",                                   # directions that spoke again after a pause: with what was next, with something else
    returned="i8", strayed="i8", back="i8",                    # … at a time before that of what they said last; by how many nanoseconds at most
)
UNDECODED: Final = _record(transport="i8", port="i8", octets="i8")
CHARACTER: Final = _record(  # what the packets are like that no protocol was recognised in, of one transport and port and window
    transport="i8", port="i8", cipher="i8", packets="i8", octets="i8",
    conversations="i8", begun="i8",                            # pairs of ends that spoke, and those of them that did so for the first time
    cyclic="i8", period="f8",                                  # packets of flows with even intervals, and the sum of these packets' mean intervals
    first="i8",                                                # number of the first packet
)
CONVERSATION: Final = _record(
    source="i8", target="i8", port="i8", transport="i8", protocol="i8", vlan="i8", source_mac="i8", target_mac="i8",
    tunnel="i8", tunnel_id="i8",
)
FRAMING: Final = _record(
    protocol="i8", kind="i8", header="i8", length_at="i8", length_octets="i8", little="i8", add="i8",
    magic_at="i8", magic="i8", mask="i8", least="i8", most="i8", code_at="i8", number="i8",
    facing_at="i8", facing="i8",                               # octet and its bits that are set in what is said to the one who is asked
    answering_at="i8", answering="i8",                         # … and in what that one says
    uncounted="i8", block="i8", check="i8",                    # of the octets told but the first `uncounted`, each begun block has so many more
    large="i8", large_code="i8", large_mask="i8",              # longer ones are of this code alone
)
MESSAGE: Final = _record(
    time="i8", clock="i8", packet="i8", connection="i8", offset="i4", length="i4", flow="i4", conversation="i4", port="i4",
    speaker="i4", hearer="i4",                                 # hosts
    protocol="u1", framing="u1", side="u1",                    # framing: number within its protocol; side: 0 towards the server, 1 from it
    marks="u1", peered="u1",                                   # CARRIED, CUT, AFTER_GAP …; 1 where the other direction is seen too
    interface="u1",                                            # place of the interface that the last of its octets came from
    unit="i8", transaction="i8",                               # what the protocol below said of them (-1: nothing, or there is none below)
)
OPERATION: Final = _record(
    time="i8", packet="i8", answer_time="i8", answer_packet="i8", clock="i8",
    connection="i8",
    transaction="i8",                                          # what a response shares with its request, within the connection; -1: nothing is awaited
    code="i8",                                                 # packed code path
    unit="i8", first="i8", last="i8", distinct="i8",
    value="f8", error="i8", anomaly="i8",
    message="i4", conversation="i4", port="i4", function="i4", effect="i4", space="i4", octets="i4",  # row of the function table; effect number
    name_at="i4", name_octets="i4", name="i4",                 # what the object is called on the wire (-1: not at all), and its number
    payload="i4", payload_length="i4", selector="i4",          # octets of another protocol (-1: none), and what tells of which
    sample="i4", samples="i4", answer_sample="i4", answer_samples="i4",  # its rows of the sample table, asked and answered
    protocol="u1", role="u1", outcome="u1", short="u1", part="u1", expired="u1",  # part: number of the row within its message
    askers="u1",                                                # 1 where the values are those of who asks otherwise
)
LAYER: Final = _record(lower="i8", selector="i8", upper="i8", rank="i8", framing="i8")  # a protocol over another; framing: -1 takes what no other takes
SAMPLE: Final = _record(  # a run of values of neighbouring points, encoded as on the wire, each at `value_at` in an element of `stride` octets
    first="i8", value="f8", stamp="i8",                        # stamp: when, as the device tells (-1: it does not)
    space="i4", count="i4", offset="i4", octets="i4", quality="i4",  # quality: bits that qualify the one value that stands in the row (-1: none)
    encoding="u1", stride="u1", step="u1", value_at="u1", quality_at="u1",  # step: from address to address; quality_at: WITHOUT, or where in an element
)
CONTEXT: Final = _record(  # what a protocol remembers under two numbers; a … l are its own
    tag="i8", first="i8", second="i8", used="i8", a="i8", b="i8", c="i8", d="i8", e="i8", f="i8", g="i8", h="i8", i="i8", j="i8", k="i8", l="i8",
    filled="i4", fresh="u1",
)
JOINTS: Final = _record(begin_at="i8", fill_at="i8", end="i8", buffers="i8", held="i8", shed="i8")  # where what is joined goes next; where contexts keep octets
NAME: Final = _record(at="i8", octets="i8", cut="i8")
NAMES: Final = _record(names="i8", place="i8", fill_at="i8", end="i8", short="u1")
PENDING: Final = _record(  # a request that waits for its answer; what it asks stands in the same row of a table of operations
    deadline="i8", key="i8", connection="i8", kept="i8", kept_octets="i8", state="u1",
)
PAIRS: Final = _record(  # done, samples, octets, texts: fill of what is handed on
    head="i8", release="i8", kept="i8", kept_samples="i8", done="i8", samples="i8", octets="i8", texts="i8", shed="i8", spilled="i8",
)
GROUP: Final = _record(  # an activity in the making; also what is released
    conversation="i8", code="i8", function="i8", effect="i8", unit="i8", space="i8", name="i8", first="i8", last="i8",
    outcome="i8", error="i8", anomaly="i8",
    window="i8", kind="i8",                                    # kind: GROUPED, OWN, SWEPT, COUNTER
    count="i8", rows="i8", distinct="i8", octets="i8", fragment="i8", ordinal="i8", port="i8",
    start="i8", end="i8", first_packet="i8", last_packet="i8",
    before="i8", interval="f8", square="f8", rtt="f8", answered="i8", value="f8", source_role="i8", target_role="i8", report="i8", hash="i8",
)
GROUPS: Final = _record(groups="i8", released="i8", closed="i8", due="i8", flushes="i8", unseen="i8")
BLOCK: Final = _record(  # points of one space side by side
    host="i8", unit="i8", protocol="i8", space="i8", name="i8", block="i8", window="i8", closed="i8", fragment="i8", used="i8",
    run="i4", run_points="i4", repeats="i8", run_end="i8",     # first and number of the points last told, how often again since, and when last
)
POINTS: Final = _record(blocks="i8", free_block="i8", rows="i8", late="i8", shed="i8", due="i8")
POINT: Final = _record(changes="i8", start="i8", low="f8", high="f8", initial="f8", stamp="i8", quality="i4", turned="u1", known="u1")
POINT_ROW: Final = _record(
    host="i8", unit="i8", protocol="i8", space="i8", name="i8", address="i8", window="i8", fragment="i8",
    count="i8", changes="i8", start="i8", end="i8", low="f8", high="f8", initial="f8", final="f8", quality="i8", stamp="i8",
)
# fmt: on

# marks of a message
CARRIED: Final = 1  # completed in a slot from several segments
CUT: Final = 2  # longer than a slot or cut by the snap length: only its beginning is there
AFTER_GAP: Final = 4  # the first after bytes were lost
BROKEN: Final = 8  # does not fit the framing: the bytes from here to the end of the segment
OVERLAP: Final = 16  # octets that were delivered before, and differ now
BEGINS: Final = 32  # the first of a TCP connection whose beginning was seen
MISSED: Final = 64  # its sender acknowledged since its last one what the other side said, and none of that was captured; or HAD
STRAY: Final = 128  # the last of its octets came with the hop limit of another system than its sender's

# roles of an operation
REQUEST: Final = 0
RESPONSE: Final = 1
REPORT: Final = 2  # nobody asked, and who is asked otherwise spoke
TOLD: Final = 3  # nobody asked, and who asks otherwise spoke

# marks of a packet
DUPLICATE: Final = 1  # seen before, on the other way of a redundant network
BAD_CHECKSUM: Final = 2
REJECTED: Final = 4  # its receiver will not believe it either
HELD: Final = 8  # a fragment; what it holds comes with the packet that completes its datagram, or is counted when that is given up
REASSEMBLED: Final = 16
UNFINISHED: Final = 32  # with this packet a datagram is given up: its time is over
CROWDED: Final = 64  # … or for room
BAD_FRAGMENT: Final = 128  # … or its fragments contradict each other
TUNNELLED: Final = 256
ROUTED: Final = 512  # an IPv6 routing header is still to change the address that checksums cover
MIRRORED: Final = 1024  # the same packet was there a moment before
RECOGNISED: Final = 2048  # a frame that is not IP, of a protocol that is known
OVERLAPPED: Final = 8192  # a fragment came again with other octets
TRAILING: Final = 4096  # octets of the IP packet lie behind the UDP datagram in it
ASTRAY: Final = 16384  # a segment of TCP with the hop limit of another system than its sender's
HAD: Final = 32768  # a segment of TCP that its receiver acknowledged before it came here: its answer may have come before it, too
ASIDE: Final = DUPLICATE | REJECTED | HELD  # not to be followed

VLAN_TAGS: Final = (0x8100, 0x88A8, 0x9100)  # EtherTypes: of IEEE 802.1Q, of a provider's tag, and what was used for that before

# kinds of tunnels
TUNNELS: Final = ("", "gre", "erspan", "vxlan", "gtpu", "pppoe", "mpls", "ipip")
GRE, ERSPAN, VXLAN, GTPU, PPPOE, MPLS, IPIP = range(1, 8)

# outcomes
UNANSWERED: Final = 0
SUCCESS: Final = 1
FAILURE: Final = 2

# encodings of samples
BIT: Final = 1  # least significant bit of each octet first
U8: Final = 2
U16BE: Final = 3
TEXT: Final = 4  # `octets` bytes of text; `first` is what it names
VALUE: Final = 5  # the value stands in the row
FACT: Final = 6  # a number in the row that tells about the asset, and is no point's
I8, I16BE, U16LE, I16LE, U32BE, I32BE, U32LE, I32LE, U64BE, I64BE, U64LE, I64LE, F32BE, F32LE, F64BE, F64LE = range(7, 23)
TOP_BIT, LOW_BIT, LOW_TWO = range(23, 26)  # bit 7, bit 0, bits 0 and 1 of an octet
WITHOUT: Final = 255  # no quality stands beside the values

# kinds of groups
GROUPED: Final = 0
OWN: Final = 1
SWEPT: Final = 2  # stands for more ranges than are told one by one
COUNTER: Final = 3  # counts ranges; never released

# anomalies that the engine itself sees: bits above those of the protocols
PROTOCOL_BITS: Final = 32
ENGINE_ANOMALIES: Final = ("cut", "overlap", "answer_missed", "other_system", "left_open")
CUT_ANOMALY: Final = 1 << PROTOCOL_BITS
OVERLAP_ANOMALY: Final = 2 << PROTOCOL_BITS
MISSED_ANOMALY: Final = 4 << PROTOCOL_BITS
STRAY_ANOMALY: Final = 8 << PROTOCOL_BITS
OPEN_ANOMALY: Final = 16 << PROTOCOL_BITS  # nobody listened any more when its answer was due

SECOND: Final = 1_000_000_000
WINDOW: Final = 60 * SECOND
LATENESS: Final = 2 * SECOND
FOREVER: Final = 1 << 62


def table(rows: int, dtype: np.dtype[np.void]) -> Any:
    """A zeroed table of `rows` rows whose fields read as attributes, compiled or interpreted."""
    return np.zeros(rows, dtype).view(np.recarray)


ANY: Final = 0xFFFFE  # a number of a code path that stands for every one that a table of functions does not have


def pack_code(*path: int) -> int:
    """A code path of up to three numbers (each below 2**20 - 1) as one number that sorts like the path."""
    first, second, third = (*path, -1, -1)[:3]
    return (first + 1) << 40 | (second + 1) << 20 | (third + 1)


def code_path(code: int) -> str:
    """A packed code path as text: `43/14`; empty where there is none."""
    parts = (code >> 40, code >> 20 & 0xFFFFF, code & 0xFFFFF)
    return "/".join(str(part - 1) for part in parts if part)


def index(rows: int) -> Any:
    """An empty hash index for so many rows: a power of two of entries, so that a mask takes a hash to a place, and at most half of them used."""
    return np.full(1 << (2 * rows - 1).bit_length(), -1, np.int64)
