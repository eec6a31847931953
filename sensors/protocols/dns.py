"""DNS over UDP: RFC 1035, with NOTIFY (RFC 1996) and UPDATE (RFC 2136)."""

from __future__ import annotations

from typing import Final

from sensors.codes.dnsmessages import ANOMALIES, ERRORS, HEADER, NUMBER, SPACES, dissect, known
from sensors.codes.dnsnames import PTR, addresses, name_at, records, reversed_address, spelled
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import LOOKED_UP, Statement

QUERY, NOTIFY, UPDATE = 0, 4, 5
FUNCTIONS: Final = {
    "0/0": Function("dns_query", "data.exchange"),
    "0/1": Function("dns_answer", "data.exchange"),
    "4/0": Function("dns_notify", "data.exchange"),
    "4/1": Function("dns_notified", "data.exchange"),
    "5/0": Function("dns_update", "data.exchange"),
    "5/1": Function("dns_updated", "data.exchange"),
}


def tells(octets: bytes) -> tuple[Statement, ...]:
    """What a server says that hosts are called. An answer with many addresses for one name says nothing of any one host."""
    octets = bytes(NUMBER) + octets
    if len(octets) < HEADER or octets[2] >> 7 == 0 or octets[2] >> 3 & 15 != QUERY:
        return ()
    found: dict[str, list[str]] = {}
    for name, address in addresses(octets):
        found.setdefault(name.lower(), []).append(address)
    told = [Statement((each[0],), (("name", name, LOOKED_UP),)) for name, each in found.items() if len(each) == 1]
    for record in records(octets):
        address = reversed_address(record.name) if record.kind == PTR else None
        if address and (name := name_at(octets, record.start)[0]):
            told.append(Statement((address,), (("name", name.lower(), LOOKED_UP),)))
    return tuple(told)


DNS: Final = Protocol(
    name="dns",
    title="DNS",
    spec="RFC 1035, RFC 1996, RFC 2136",
    framings=(Framing(kind=BY_DATAGRAM, least=HEADER, code_at=2, known=known(QUERY, NOTIFY, UPDATE)),),
    functions=FUNCTIONS,
    dissect=dissect,
    udp=(53,),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    spelled=spelled,
    infrastructure=True,
    serves=("dns_answer", "dns_notified", "dns_updated"),
    tells=tells,
)
