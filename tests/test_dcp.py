"""PROFINET DCP: what its messages say and set, and what they say of stations."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from sensors.engine.tables import FAILURE, REQUEST, RESPONSE, SUCCESS, UNANSWERED
from sensors.protocols.dcp import DCP, FUNCTIONS, tells
from sensors.statements import PROVEN, Statement
from tests.protocol_battery import Message, told
from tests.wire import MS, START, Packet, Seen, watch

if TYPE_CHECKING:
    from collections.abc import Iterable

ASK, ANSWER, NOT_SUPPORTED = 0, 1, 5
XID: Final = 0x01000001
ALL, ENGINEER, STATION = "01:0e:cf:00:00:00", "02:ba:1e:00:00:01", "02:ba:1e:00:00:14"


def block(option: int, suboption: int, data: bytes) -> bytes:
    """One block, padded to an even length."""
    return struct.pack(">BBH", option, suboption, len(data)) + data + bytes(len(data) & 1)


def dcp(frame: int, service: int, kind: int, *blocks: bytes, xid: int = XID, pad: int = 0) -> bytes:
    """A message; frames are padded to 46 octets on the wire."""
    body = b"".join(blocks)
    return struct.pack(">HBBIHH", frame, service, kind, xid, 0, len(body)) + body + bytes(pad)


def identity(name: bytes = b"et200sp", address: str = "c0a8010e", gateway: str = "c0a8010e", role: int = 1) -> tuple[bytes, ...]:
    """What a station tells of itself."""
    return (
        block(2, 1, b"\0\0ET200SP"), block(2, 2, b"\0\0" + name), block(2, 3, bytes.fromhex("0000002a0313")), block(2, 4, bytes([0, 0, role, 0])),
        block(1, 2, bytes.fromhex(f"0001{address}ffffff00{gateway}")),
    )  # fmt: skip


def became(option: int, suboption: int, error: int = 0) -> bytes:
    """What became of a block."""
    return block(5, 4, bytes([option, suboption, error]))


def setting(*blocks: bytes, xid: int = XID) -> bytes:
    """A request to set."""
    return dcp(0xFEFD, 4, ASK, *blocks, xid=xid)


NAME: Final = block(2, 2, b"\0\1mallory")
ADDRESS: Final = block(1, 2, bytes.fromhex("0001c0a8000affffff00c0a8000a"))
SETS: Final = (
    block(1, 1, b"\0\1\2\2\2\2\2\2"), block(1, 3, bytes.fromhex("0001c0a8000affffff0000000000") + bytes(16)), block(3, 61, b"\0\1\0"), block(5, 1, b"\0\0"),
    block(5, 2, b"\0\0"), block(5, 3, b"\0\0\1\0"), block(5, 5, b"\0\0"), block(5, 6, b"\0\2"), block(128, 1, b"\0\1xy"),
)  # fmt: skip
EXAMPLES = (
    Message(dcp(0xFEFE, 5, ASK, block(2, 2, b"et200sp"))),
    Message(dcp(0xFEFE, 5, ASK, block(255, 255, b""), pad=30)),
    Message(dcp(0xFEFF, 5, ANSWER, *identity()), side=1),
    Message(dcp(0xFEFC, 6, ASK, *identity())),
    Message(dcp(0xFEFD, 3, ASK, bytes([2, 2, 1, 2]))),
    Message(dcp(0xFEFD, 3, ANSWER, *identity()), side=1),
    Message(setting(NAME, ADDRESS)),
    Message(dcp(0xFEFD, 4, ANSWER, became(2, 2), became(1, 2, 5)), side=1),
    Message(setting()),
    *(Message(setting(each)) for each in SETS),
)


def on_the_wire(*messages: tuple[str, str, bytes]) -> Seen:
    """Frames from a MAC address to another."""
    made: Iterable[bytes] = (bytes.fromhex((to + source).replace(":", "")) + b"\x88\x92" + data for source, to, data in messages)
    return watch([Packet(frame.ljust(60, b"\0"), START + number * MS) for number, frame in enumerate(made)])


def test_what_is_set_is_a_row_a_block() -> None:
    seen = told(DCP, list(EXAMPLES[6:8]))
    assert [(row.code, row.action, row.effect, row.part) for row in seen] == [
        ("4/2/2", "dcp_set_name", "address.set", 0), ("4/1/2", "dcp_set_ip", "address.set", 1),
    ] * 2  # fmt: skip
    assert (seen[0].name, seen[1].first) == ("mallory", 0xC0A8000A)
    assert [(row.role, row.outcome, row.error) for row in seen] == [(REQUEST, UNANSWERED, -1)] * 2 + [(RESPONSE, SUCCESS, -1), (RESPONSE, FAILURE, 5)]
    assert {row.transaction for row in seen} == {XID}


def test_every_kind_of_setting_has_its_effect() -> None:
    rows = told(DCP, list(EXAMPLES[9:]))
    assert [row.action for row in rows] == [
        "dcp_set_mac", "dcp_set_ip_suite", "dcp_set_dhcp", "dcp_set_begin", "dcp_set_end", "dcp_signal", "dcp_factory_reset", "dcp_reset_to_factory",
        "dcp_set_other",
    ]  # fmt: skip
    assert {row.effect for row in rows if "reset" in row.action or row.action == "dcp_set_other"} == {"configuration.write"}
    assert {row.action for row in told(DCP, list(EXAMPLES))} == {function.name for function in FUNCTIONS.values()}


def test_who_is_looked_for() -> None:
    by_name, everybody, answer, hello = told(DCP, list(EXAMPLES[:4]))
    assert (by_name.action, by_name.name, by_name.effect) == ("dcp_find", "et200sp", "data.exchange")
    assert (everybody.action, everybody.name, everybody.anomalies) == ("dcp_identify", "", ())
    assert everybody.effect == "discovery.request"
    assert (answer.action, answer.effect, hello.action) == ("dcp_identify_answer", "data.exchange", "dcp_hello")


def test_what_makes_no_sense_is_seen() -> None:
    many, cut = setting(*[block(5, 3, b"\0\0")] * 20), setting(NAME)[:-3]
    lying = setting(struct.pack(">BBH", 2, 2, 400) + b"\0\1x")
    wrong = dcp(0xFEFD, 4, ANSWER, NAME)
    refused = dcp(0xFEFD, 4, NOT_SUPPORTED)
    rows = told(DCP, [Message(many), Message(cut), Message(lying), Message(wrong, side=1), Message(refused, side=1)])
    assert len(rows) == 16 + 4
    assert [row.anomalies for row in rows[15:]] == [("too_many_blocks",), ("short",), ("bad_length",), ("bad_length",), ()]
    assert (rows[-1].outcome, rows[-1].error) == (FAILURE, 255)


def test_what_it_says_of_stations() -> None:
    facts = (("name", "et200sp", PROVEN), ("model", "ET200SP", PROVEN), ("vendor_id", "0x002a", PROVEN), ("device_id", "0x0313", PROVEN))
    own = Statement(("192.168.1.14",), facts, speaker=True, here=True)
    assert tells(EXAMPLES[2].data) == (own,)
    ours = tells(dcp(0xFEFF, 5, ANSWER, *identity(b"cpu", "c0a80101", "c0a801fe", role=2)))
    assert ours[0].facts[-1] == ("role", "controller", PROVEN)
    assert ours[1] == Statement(("192.168.1.254",), (("role", "gateway", PROVEN),))
    assert tells(dcp(0xFEFF, 5, ANSWER, *identity(b"", "00000000", "00000000")))[0].addresses == ()
    assert tells(dcp(0xFEFF, 5, ANSWER)) == (Statement((), (), speaker=True, here=True),)


def test_answers_are_paired_and_tell_of_the_asset() -> None:
    """The one who sets is the source, whoever spoke; an answer alone does not turn a device into one who sets."""
    sets, answer = setting(NAME, xid=7), dcp(0xFEFD, 4, ANSWER, became(2, 2), xid=7)
    seen = on_the_wire(
        (ENGINEER, ALL, EXAMPLES[1].data), (STATION, ENGINEER, EXAMPLES[2].data), (ENGINEER, STATION, sets), (STATION, ENGINEER, answer),
        (STATION, ENGINEER, dcp(0xFEFD, 4, ANSWER, became(2, 2), xid=8)),
    )  # fmt: skip
    rows = {row["event.action"]: row for row in seen.activities}
    done = [(row["source.mac"], row["destination.mac"], row["ot.object.name"]) for row in seen.activities if row["event.action"] == "dcp_set_name"]
    assert done == [(ENGINEER, STATION, "mallory"), (ENGINEER, STATION, None)]
    assert {row["source.mac"] for row in seen.activities if row["ot.effect"] == "address.set"} == {ENGINEER}
    told_by = rows["dcp_identify_answer"]
    assert (told_by["source.mac"], told_by["destination.mac"]) == (STATION, ENGINEER)
    assert rows["dcp_identify"]["destination.mac"] == ALL
    assert seen.totals.undecoded == {}
    roles = {address: asset.role for asset in seen.assets for address in asset.addresses}
    assert (roles[ENGINEER], roles[STATION]) == ("engineering", None), "a station of any kind lets itself be named"


def test_a_name_that_was_set_is_a_name_of_the_station() -> None:
    """Only once the station says that it took it."""
    sets = (ENGINEER, STATION, setting(ADDRESS, NAME, xid=7))
    took, refused = ((STATION, ENGINEER, dcp(0xFEFD, 4, ANSWER, became(1, 2), became(2, 2, error), xid=7)) for error in (0, 3))
    for answer, name in ((took, "mallory"), (refused, "192.168.1.14")):
        seen = on_the_wire((ENGINEER, ALL, EXAMPLES[1].data), (STATION, ENGINEER, EXAMPLES[2].data.replace(b"et200sp", b"\0" * 7)), sets, answer)
        assert {asset.name for asset in seen.assets if STATION in asset.addresses} == {name}


def test_cyclic_data_stays_what_it_was() -> None:
    """Only frames of DCP are read: cyclic ones are told as not understood."""
    assert on_the_wire((ENGINEER, STATION, b"\x80\0" + bytes(44))).totals.undecoded == {"ethertype/0x8892": 46}
