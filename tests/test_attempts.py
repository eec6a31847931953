"""Connections that come to nothing, and those of devices, from the wire to coverage to the finding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from detectors.discovery import Setup
from detectors.methods import attempts
from records.model import Batch
from sensors.calls import MOST_SOURCES, MOST_THINGS, devices
from sensors.engine.grouping import ANSWERS
from sensors.engine.tables import CONVERSATION, HOST, table
from sensors.protocol import protocols
from tests.frames import BEGUN, coverage
from tests.wire import ACK, MS, RST, START, SYN, Packet, Talk, ethernet, ipv4, mbap, read, registers, udp, watch

if TYPE_CHECKING:
    from records.model import Finding

MINUTE = 60_000_000_000
ATTACKER, DEVICE = "10.0.0.66", "10.0.0.2"
Tried = list[tuple[str, int]]  # host, port


def knock(port: int, answer: int = 0, client: str = ATTACKER, client_port: int = 50_000, server: str = DEVICE) -> list[Packet]:
    """A connection that is begun, and with which flags it is answered."""
    talk = Talk(client=client, server=server, port=port, client_port=client_port + port % 1000)
    talk.put(0, b"", SYN)
    if answer:
        talk.put(1, b"", answer)
    if answer == SYN | ACK:
        talk.put(0, b"", RST)
    return talk.packets


def told(packets: list[Packet], name: str = "attempts") -> list[dict[str, Any]]:
    """What coverage tells of them."""
    return [told for row in watch(packets).coverage for told in json.loads(row[name])]


@pytest.mark.parametrize("answer", [0, RST | ACK, SYN | ACK])
def test_a_connection_that_is_not_used_has_a_name(answer: int) -> None:
    (row,) = told(knock(80, answer))
    counts = {"count": 1, "sources": 1, "hosts": 1, "ports": 1, "answered": int(answer > 0)}
    assert row == {"source": ATTACKER, "tried": [[DEVICE, "tcp", 80, 1, 1, START + MS]], **counts}


def test_what_is_used_is_none_and_a_datagram_that_nobody_answers_is() -> None:
    used = Talk(port=80).open()
    used.ask(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n")
    asked = [Packet(ethernet(ipv4(udp(b"?" * 20, 50_000, 161), protocol=17))), Packet(ethernet(ipv4(udp(b"?" * 20, 50_000, 162), protocol=17)))]
    answered = Packet(ethernet(ipv4(udp(b"!" * 20, 162, 50_000), DEVICE, "10.0.0.1", protocol=17), DEVICE, "10.0.0.1"))
    assert [row["tried"] for row in told([*used.packets, *asked, answered])] == [[[DEVICE, "udp", 161, 1, 6, START]]]


def test_a_datagram_at_the_very_end_of_a_window_is_told_once() -> None:
    """It may be answered yet: it counts for the window that follows, and for none twice."""
    end = START - START % MINUTE + MINUTE
    asked = Packet(ethernet(ipv4(udp(b"?" * 20, 50_000, 161), protocol=17)), end - MS)
    later = Packet(ethernet(ipv4(udp(b"?" * 20, 50_001, 162), protocol=17)), end + MINUTE // 2)
    assert sorted(thing[2] for row in told([asked, later]) for thing in row["tried"]) == [161, 162]
    answered = Packet(ethernet(ipv4(udp(b"!" * 20, 161, 50_000), DEVICE, "10.0.0.1", protocol=17), DEVICE, "10.0.0.1"), end + MS)
    assert told([asked, answered]) == []


def test_a_connection_at_the_very_end_of_a_window_is_told_once_and_only_where_nobody_uses_it() -> None:
    """Whoever starts anew opens all its connections in one second, and asks in the next: that is no search, also where a minute ends between them."""
    end = START - START % MINUTE + MINUTE
    later = Packet(ethernet(ipv4(udp(b"?" * 20, 50_001, 162), protocol=17)), end + MINUTE // 2)
    for answer in (0, SYN | ACK):
        knocked = Talk(port=80, time=end - 9 * MS)
        knocked.put(0, b"", SYN)
        if answer:
            knocked.put(1, b"", answer)
        assert sorted(thing[2] for row in told([*knocked.packets, later]) for thing in row["tried"]) == [80, 162]
    used = Talk(port=80, time=end - 9 * MS).open()
    used.time = end + MS
    used.ask(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n")
    assert told(used.packets) == []


def test_of_many_sources_the_busiest_are_told_and_the_others_together() -> None:
    packets = [packet for number in range(MOST_SOURCES + 5) for packet in knock(502, client=f"10.0.1.{number}")]
    packets += [packet for port in range(MOST_THINGS + 9) for packet in knock(1000 + port)]
    rows = told(packets)
    assert [(row["source"], row["sources"], row["count"]) for row in (rows[0], rows[-1])] == [(ATTACKER, 1, MOST_THINGS + 9), (None, 6, 6)]
    assert (len(rows), len(rows[0]["tried"]), rows[0]["ports"]) == (MOST_SOURCES + 1, MOST_THINGS, MOST_THINGS + 9)


def test_a_device_that_calls_is_told_and_a_host_that_only_asks_is_not() -> None:
    poll = Talk().open()
    poll.ask(mbap(1, read(0, 1)), mbap(1, registers(7)))
    calls = [Talk(client=client, server="10.0.0.9", port=4444, client_port=1630, time=poll.time).open() for client in (DEVICE, "10.0.0.1")]
    for call in calls:
        call.ask(b"\x00\x01\x02\x03" * 8, b"\x04" * 9)
    (row,) = told([*poll.packets, *calls[0].packets, *calls[1].packets], "calls")
    called = {"packet": 6, "time": poll.time + MS}
    assert row == {"source": DEVICE, "destination": "10.0.0.9", "answers": False, "port": 4444, "count": 1, **called}


def test_who_answers_what_serves_the_network_is_no_device() -> None:
    numbers = {protocol.name: number for number, protocol in enumerate(protocols())}
    hosts, talks = table(3, HOST), table(2, CONVERSATION)
    hosts.role = ANSWERS
    talks.target, talks.protocol = [1, 2], [numbers["dns"], numbers["modbus"]]
    assert devices(hosts, talks).tolist() == [False, False, True]


# judging


def tried(things: Tried, source: str | None = ATTACKER, count: int = 1) -> dict[str, Any]:
    """A row of coverage with attempts."""
    return {"attempts": json.dumps([{"source": source, "tried": [[host, "tcp", port, count, 7, BEGUN] for host, port in things]}])}


def called(port: int = 4444, answers: bool = True) -> dict[str, Any]:
    """A row of coverage with a call of a device."""
    return {"calls": json.dumps([{"source": DEVICE, "destination": "10.0.0.9", "answers": answers, "port": port, "count": 1, "packet": 7, "time": BEGUN}])}


def found(*rows: dict[str, Any], learned: tuple[dict[str, Any], ...] = (), every: int = 1) -> list[Finding]:
    """The findings of these rows, so many minutes apart."""
    detector = attempts.build(Setup(files={}))
    detector.learn(Batch(coverage=coverage(*learned)))
    timed = [{**row, **dict.fromkeys(("@timestamp", "event.start"), BEGUN + n * every * MINUTE)} for n, row in enumerate(rows)]
    timed = [{**row, "event.end": row["event.start"] + MINUTE} for row in timed]
    first = detector.judge(Batch(coverage=coverage(*timed[:1])))
    again = attempts.build(Setup(files={}))
    again.restore(detector.state())
    return [*first, *again.judge(Batch(coverage=coverage(*timed[1:])))]


def ports(count: int, first: int = 1000) -> Tried:
    """Ports of the device."""
    return [(DEVICE, first + number) for number in range(count)]


def test_many_ports_are_a_scan_and_a_few_are_none() -> None:
    assert found(tried(ports(attempts.FAST - 1))) == []
    (finding,) = found(tried(ports(attempts.FAST)))
    assert (finding.rule, finding.source, finding.destination, finding.severity, finding.activities) == ("port-scan", ATTACKER, DEVICE, 45, ())
    assert {(packet.packet, packet.time) for packet in finding.packets} == {(7, BEGUN)}
    assert "T0846" in finding.techniques
    assert finding.title.en == f"{ATTACKER} tried 12 ports, each for a moment"
    assert f"such as {DEVICE}:1000, {DEVICE}:1001, " in finding.reason.en


def test_many_hosts_are_a_sweep() -> None:
    (finding,) = found(tried([(f"10.0.0.{number}", 502) for number in range(100, 120)]))
    assert (finding.rule, finding.destination) == ("host-scan", None)


def test_a_port_now_and_then_is_a_slow_scan_and_one_again_and_again_is_none() -> None:
    slow = [tried(ports(1, 1000 + number)) for number in range(attempts.SLOW)]
    (finding,) = found(*slow, every=7)
    assert (finding.rule, [term.value for term in finding.terms]) == ("port-scan", [35.0, 10.0])
    assert "spread over hours" in finding.terms[1].en
    assert found(*[tried(ports(attempts.FAST - 1))] * 60) == []


@pytest.mark.parametrize("things", [[("93.184.216.34", port) for port in range(40)], []])
def test_connections_to_the_internet_that_browsers_do_not_use_are_none(things: Tried) -> None:
    assert found(tried(things)) == []


def test_what_was_learned_is_normal() -> None:
    row = tried(ports(40))
    assert found(row, learned=(row,)) == []
    assert found(called(), learned=(called(),)) == []


def test_a_flood_names_the_device_and_who_floods_it_where_it_is_one() -> None:
    flood = tried(ports(1), count=attempts.FLOOD)
    (finding,) = found(flood)
    assert (finding.rule, finding.source, finding.destination, finding.severity) == ("connection-flood", ATTACKER, DEVICE, 50)
    (finding,) = found(tried(ports(1), source=None, count=attempts.FLOOD))
    assert (finding.source, finding.destination) == (None, DEVICE)
    assert found(tried(ports(1), count=attempts.FLOOD - 1)) == []


def test_a_device_that_calls_weighs_more_where_something_else_was_learned_of_it() -> None:
    assert [finding.severity for finding in found(called(), called())] == [35]
    assert [finding.severity for finding in found(called(answers=False))] == [30]
    assert [finding.severity for finding in found(called(4444), learned=(called(102),))] == [45]


def test_how_much_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST", 40)
    monkeypatch.setattr(attempts, "MOST_THINGS", 30)
    detector = attempts.build(Setup(files={}))
    for number in range(60):
        detector.judge(Batch(coverage=coverage(tried(ports(50), source=f"10.1.0.{number}"))))
    known = json.loads(detector.state())["known"]
    assert len(known) == 40
    assert {len(each["things"]) for each in known.values()} == {30}
