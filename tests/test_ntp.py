"""NTP: what its messages are, and that their clock is read all the same."""

from __future__ import annotations

import json

import pytest

from sensors.engine.tables import FAILURE, SUCCESS, UNANSWERED
from sensors.protocols.ntp import NTP
from tests.mirroring import ntp
from tests.protocol_battery import Message, told
from tests.wire import MS, SECOND, START, Packet, ethernet, ipv4, udp, watch


def message(mode: int, version: int = 4) -> bytes:
    return bytes((version << 3 | mode, 2, 6, 0xEC)) + bytes(44)


def control(flags: int, operation: int) -> bytes:
    return bytes((2 << 3 | 6, flags | operation)) + bytes(10)


EXAMPLES = (
    *(Message(message(mode), 1 if mode in (2, 4, 5) else 0) for mode in range(1, 6)),
    *(Message(control(0, operation)) for operation in (1, 3, 5, 8)),
    Message(control(0x80, 1), 1), Message(control(0xC0, 8), 1), Message(bytes((0x17, 0, 3, 0x2A)) + bytes(4)),
)  # fmt: skip


def test_modes() -> None:
    seen = told(NTP, list(EXAMPLES))
    assert [(row.action, row.effect) for row in seen[2:4]] == [("ntp_request", "time.read"), ("ntp_answer", "time.read")]
    assert [row.action for row in seen[5:10]] == ["ntp_control", "ntp_write_variables", "ntp_write_clock_variables", "ntp_configure", "ntp_control"]
    assert [row.outcome for row in seen[8:11]] == [UNANSWERED, SUCCESS, FAILURE]
    assert (seen[-1].action, seen[-1].effect) == ("ntp_private", "unknown")
    assert {row.anomalies for row in seen} == {()}


@pytest.mark.parametrize("octets", [message(3)[:47], control(0, 1)[:11]])
def test_a_header_that_ends_early(octets: bytes) -> None:
    (row,) = told(NTP, [Message(octets)])
    assert row.anomalies == ("short",)


def test_a_clock_that_is_read_is_understood() -> None:
    """Requests and answers are operations, nothing of them is a blind spot, and the server's time is compared with the capture's."""
    asked = [Packet(ethernet(ipv4(udp(message(3), 40123, 123), protocol=17)), START + number * SECOND) for number in range(3)]
    answered = [ntp(START + number * SECOND + MS, START + number * SECOND, "10.0.0.2") for number in range(3)]
    seen = watch(sorted([*asked, *answered], key=lambda packet: packet.time))
    assert seen.totals.undecoded == {}
    assert [line["action"] for line in seen.lines] == ["ntp_request", "ntp_answer"] * 3
    (row,) = seen.coverage
    assert [(clock["name"], clock["samples"]) for clock in json.loads(row["clocks"])] == [("ntp/10.0.0.2", 3)]
    assert row["grade"] == 100.0


def test_other_content_on_its_port_is_not_it() -> None:
    seen = watch([Packet(ethernet(ipv4(udp(b"\x00hello, world", 50123, 123), protocol=17)), START)])
    assert (seen.lines, list(seen.totals.undecoded)) == ([], ["udp/123"])
