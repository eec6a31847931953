"""The NetBIOS name service: RFC 1001 and RFC 1002. A name is sixteen octets, the last of which tells what it is a name of."""

from __future__ import annotations

from typing import Final

from sensors.codes.dnsmessages import ANOMALIES, ERRORS, HEADER, NUMBER, SPACES, dissect, known
from sensors.codes.dnsnames import records
from sensors.codes.dnsnames import spelled as spelled_name
from sensors.protocol import BY_DATAGRAM, Framing, Function, Protocol
from sensors.statements import ANNOUNCED, Statement, ip_text, mac_of, present, words

QUERY, REGISTER, RELEASE, WAIT, REFRESH, REFRESH_ALSO, REGISTER_SEVERAL = 0, 5, 6, 7, 8, 9, 15
ADDRESSES, STATUS = 0x20, 0x21  # types of records
WORKSTATION, FILE_SERVER = 0x00, 0x20  # last octet of a name
GROUP: Final = 0x8000
STATUS_NAME: Final = 18  # octets of a name in a status, with its flags
FUNCTIONS: Final = {
    f"{code}/{answer}": Function(f"nbns_{name}{'_answer' if answer else ''}", "data.exchange")
    for code, name in {
        QUERY: "query", REGISTER: "register", RELEASE: "release", WAIT: "wait", REFRESH: "refresh", REFRESH_ALSO: "refresh_also",
        REGISTER_SEVERAL: "register_several",
    }.items()
    for answer in (0, 1)
}  # fmt: skip


def decoded(encoded: str) -> tuple[str, int] | None:
    """(name, what it is a name of) of the 32 letters of a first-level encoding; None where they are none."""
    letters = encoded.partition(".")[0]
    if len(letters) != 32 or not all("A" <= letter <= "P" for letter in letters):
        return None
    octets = bytes((ord(letters[at]) - 65) << 4 | ord(letters[at + 1]) - 65 for at in range(0, 32, 2))
    return words(octets[:15]), octets[15]


def spelled(octets: bytes) -> str:
    """A name as people write it: `PLC-HMI<20>`."""
    text = spelled_name(octets)
    found = decoded(text)
    return f"{found[0]}<{found[1]:02x}>" if found else text


def tells(octets: bytes) -> tuple[Statement, ...]:
    """Names that a host registers, has, or is asked for, with its addresses; groups are nobody's names."""
    octets = bytes(NUMBER) + octets
    if len(octets) < HEADER:
        return ()
    response, operation = octets[2] >> 7, octets[2] >> 3 & 15
    told: list[Statement] = []
    for record in records(octets):
        data = octets[record.start : record.end]
        if record.kind == STATUS and response:
            told += _status(data)
        elif record.kind == ADDRESSES and len(data) >= 6 and operation in (QUERY, REGISTER, REFRESH, REFRESH_ALSO, REGISTER_SEVERAL):
            name = decoded(record.name)
            own = [ip_text(data[at + 2 : at + 6]) for at in range(0, len(data) - 5, 6) if int.from_bytes(data[at : at + 2]) & GROUP == 0]
            if name and name[0] and name[1] in (WORKSTATION, FILE_SERVER) and present(*own):
                told.append(Statement(present(*own), (("name", name[0], ANNOUNCED),), here=not response and operation != QUERY))
    return tuple(told)


def _status(data: bytes) -> list[Statement]:
    """A host's own list of its names, with its MAC address behind them."""
    count = data[0] if data else 0
    names = [data[at : at + STATUS_NAME] for at in range(1, 1 + count * STATUS_NAME, STATUS_NAME)]
    own = [words(name[:15]) for name in names if len(name) == STATUS_NAME and name[15] == WORKSTATION and name[16] & 0x80 == 0]
    mac = mac_of(data[1 + count * STATUS_NAME : 7 + count * STATUS_NAME])
    return [Statement(present(mac), (("name", own[0], ANNOUNCED),), speaker=True, here=True)] if own and own[0] else []


NBNS: Final = Protocol(
    name="nbns",
    title="NetBIOS name service",
    spec="RFC 1001, RFC 1002",
    framings=(
        Framing(
            kind=BY_DATAGRAM, least=HEADER, code_at=2, known=known(QUERY, REGISTER, RELEASE, WAIT, REFRESH, REFRESH_ALSO, REGISTER_SEVERAL)
        ),
    ),
    functions=FUNCTIONS,
    dissect=dissect,
    udp=(137,),
    spaces=SPACES,
    anomalies=ANOMALIES,
    errors=ERRORS,
    spelled=spelled,
    infrastructure=True,
    serves=("nbns_register_answer", "nbns_refresh_answer"),  # a name server's; that a name is had already, which its holder may say, is a failure
    tells=tells,
)  # fmt: skip
