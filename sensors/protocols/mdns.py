"""Multicast DNS: RFC 6762, with service discovery (RFC 6763). A host answers for itself, and announces itself."""

from __future__ import annotations

from typing import Final

from sensors.codes.dnsmessages import ANOMALIES, ERRORS, HEADER, NUMBER, SPACES, dissect, known
from sensors.codes.dnsnames import SRV, TXT, addresses, name_at, records, spelled
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import ANNOUNCED, Statement, present, words

FUNCTIONS: Final = {"0/0": Function("mdns_query", "data.exchange"), "0/1": Function("mdns_answer", "data.exchange")}
KEYS: Final = {"model": "model", "md": "model", "ty": "model", "mfg": "vendor", "manufacturer": "vendor", "serialnumber": "serial", "fw": "firmware"}


def tells(octets: bytes) -> tuple[Statement, ...]:
    """The speaker's names and addresses, and what the texts of its services say of it."""
    octets = bytes(NUMBER) + octets
    if len(octets) < HEADER or octets[2] >> 7 == 0:
        return ()
    found: dict[str, list[str]] = {}
    spellings: dict[str, str] = {}  # case means nothing to DNS; people are told what the host writes
    for name, address in addresses(octets):
        found.setdefault(name.lower(), []).append(address)
        spellings.setdefault(name.lower(), name)
    targets = {name_at(octets, record.start + 6)[0].lower() for record in records(octets) if record.kind == SRV}
    facts = [fact for record in records(octets) if record.kind == TXT for fact in _facts(octets[record.start : record.end])]
    if len(found) != 1 or len(targets - set(found)) > 0:  # of several hosts: a proxy speaks for others
        return tuple(Statement(present(*each), (("name", spellings[name], ANNOUNCED),)) for name, each in found.items())
    ((name, each),) = found.items()
    return (Statement(present(*each), (("name", spellings[name], ANNOUNCED), *facts), here=True),)


def _facts(octets: bytes) -> list[tuple[str, str, int]]:
    """Of the keys and values of a text (RFC 6763, 6.3), those that say what the host is."""
    told: list[tuple[str, str, int]] = []
    at = 0
    while at < len(octets):
        key, _, value = octets[at + 1 : at + 1 + octets[at]].partition(b"=")
        name = KEYS.get(words(key).lower())
        if name and words(value):
            told.append((name, words(value), ANNOUNCED))
        at += 1 + octets[at]
    return told


MDNS: Final = Protocol(
    name="mdns",
    title="Multicast DNS",
    spec="RFC 6762, RFC 6763",
    framings=(Framing(kind=BY_DATAGRAM, least=HEADER, code_at=2, known=known(0)),),
    functions=FUNCTIONS,
    dissect=dissect,
    udp=(5353,),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    spelled=spelled,
    infrastructure=True,
    tells=tells,
)
