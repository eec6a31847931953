"""DNS: what its messages say, and what they say of hosts."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from sensors.codes.dnsnames import name_at, records, spelled
from sensors.protocols.dns import DNS, tells
from sensors.statements import LOOKED_UP, Statement
from tests.protocol_battery import Message, told
from tests.wire import Packet, ethernet, ipv4, udp, watch


def name(text: str) -> bytes:
    """A name as it stands on the wire."""
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def record(owner: bytes, kind: int, data: bytes) -> bytes:
    """A resource record."""
    return owner + kind.to_bytes(2) + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2) + data


def a(owner: bytes, address: str) -> bytes:
    """A record with an address."""
    packed = ipaddress.ip_address(address).packed
    return record(owner, 1 if len(packed) == 4 else 28, packed)


def dns(flags: int, questions: tuple[bytes, ...] = (), answers: tuple[bytes, ...] = (), additional: tuple[bytes, ...] = ()) -> bytes:
    """A message."""
    counts = b"".join(len(part).to_bytes(2) for part in (questions, answers, (), additional))
    return b"\x12\x34" + flags.to_bytes(2) + counts + b"".join(question + b"\0\1\0\1" for question in questions) + b"".join(answers) + b"".join(additional)


HOST = name("historian.plant.example")
POINTER = b"\xc0\x0c"
ASKED, ANSWERED = dns(0x0100, (HOST,)), dns(0x8180, (HOST,), (a(POINTER, "10.1.3.9"),))
EXAMPLES = (
    Message(ASKED), Message(ANSWERED, 1), Message(dns(0x2400, (HOST,))), Message(dns(0xA400, (HOST,)), 1), Message(dns(0x2800, (HOST,))),
    Message(dns(0xA800, (HOST,)), 1), Message(dns(0x8183, (name("nobody.example"),)), 1), Message(dns(0x0100, (b"\0",))),
)  # fmt: skip


def test_a_query_and_its_answer() -> None:
    asked, answered, *_, failed, root = told(DNS, list(EXAMPLES))
    assert (asked.action, asked.code, asked.outcome, spelled(asked.name.encode())) == ("dns_query", "0/0", 1, "historian.plant.example")
    assert (answered.action, answered.code, answered.outcome, answered.role) == ("dns_answer", "0/1", 1, 2)
    assert (failed.outcome, failed.error, root.name) == (2, 3, "")


def test_the_name_reads_as_people_write_it() -> None:
    seen = watch([
        Packet(ethernet(ipv4(udp(ASKED, 40000, 53), "10.0.0.1", "10.0.0.2", 17))),
        Packet(ethernet(ipv4(udp(ANSWERED, 53, 40000), "10.0.0.2", "10.0.0.1", 17), "10.0.0.2", "10.0.0.1")),
    ])  # fmt: skip
    assert [(line["source"]["ip"], line["destination"]["port"], line["object"]["name"]) for line in seen.lines] == [
        ("10.0.0.1", 53, "historian.plant.example"), ("10.0.0.2", 40000, "historian.plant.example"),
    ]  # fmt: skip
    assert seen.lines[1]["values"] == ["10.1.3.9 name=historian.plant.example"]


def test_what_is_no_message_is_not_decoded() -> None:
    seen = watch([Packet(ethernet(ipv4(udp(b"\xff" * 33, 40000, 53), protocol=17)))])
    assert (seen.lines, seen.totals.undecoded) == ([], {"udp/53": 33})


def test_a_port_alone_makes_no_message() -> None:
    seen = watch([Packet(ethernet(ipv4(udp(ASKED, 40000, 5300), protocol=17)))])
    assert seen.lines == []


def test_what_makes_no_sense_is_seen() -> None:
    rows = told(DNS, [Message(dns(0x0100, (b"\x7fabc",))), Message(dns(0x0100, (name("a" * 63),))[:30]), Message(dns(0x0100)[:4] + b"\0\x09" + bytes(6))])
    assert [row.anomalies for row in rows] == [("bad_name",), ("short",), ("bad_count",)]


def test_what_it_says_of_hosts() -> None:
    assert tells(ANSWERED[2:]) == (Statement(("10.1.3.9",), (("name", "historian.plant.example", LOOKED_UP),)),)
    several = dns(0x8180, (HOST,), (a(POINTER, "10.1.3.9"), a(POINTER, "10.1.3.10")))
    assert tells(several[2:]) == ()
    back = dns(0x8180, (name("9.3.1.10.in-addr.arpa"),), (record(POINTER, 12, HOST),))
    assert tells(back[2:]) == (Statement(("10.1.3.9",), (("name", "historian.plant.example", LOOKED_UP),)),)
    assert tells(ASKED[2:]) == ()


@given(st.binary(max_size=600))
def test_readers_never_fail(octets: bytes) -> None:
    assert isinstance(tells(octets), tuple)
    assert all(record.start <= len(octets) for record in records(octets))
    assert len(name_at(octets, 0)[0]) <= 400


def test_pointers_that_go_round_end() -> None:
    assert name_at(b"\xc0\x00", 0) == ("", 2)
    assert name_at(b"\1a\xc0\x00", 0)[1] == 4
