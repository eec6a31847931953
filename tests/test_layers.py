"""A protocol inside another. The toys of `tests/uppers` are added to a process by its path of modules alone: no file is edited for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from sensors.engine.octets import INTERPRETED
from tests.wire import CLIENT, SERVER, START, Packet, Talk, error, ethernet, ipv4, mbap, read, registers, udp

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parents[1]
UPPERS: Final = ROOT / "tests" / "uppers"
RUN: Final = """
import json, sys, sensors.protocols
sensors.protocols.__path__.append(sys.argv[1])
from tests.test_layers import say
json.dump(say(), sys.stdout)
"""
LOOK: Final = b"\0\x01\x00\x10\x02"
LOOKED: Final = b"\0\x01\x00\x05\x00\x06"
SWAP: Final = b"\0\x02\x00\x20"
STRANGE: Final = b"\0\x63\x01\x02\x03"


def unity(transaction: int, inside: bytes, unit: int = 3) -> bytes:
    """A message of function 90."""
    return mbap(transaction, b"\x5a" + inside, unit)


def carry(inside: bytes, selector: int = 7) -> bytes:
    """A toy's message that carries another's."""
    return bytes([0, 3, selector]) + inside


def asked(*exchanges: tuple[bytes, bytes]) -> list[Packet]:
    """Requests and answers inside function 90."""
    talk = Talk().open()
    for number, (request, response) in enumerate(exchanges):
        talk.ask(unity(number, request), unity(number, response) if response else b"")
    return talk.packets


def crossed() -> list[Packet]:
    """Two requests, then their answers in the other order."""
    talk = Talk().open()
    talk.put(0, unity(1, LOOK) + unity(2, b"\0\x01\x00\x20\x02"))
    talk.put(1, unity(2, b"\0\x01\x00\x07\x00\x08") + unity(1, LOOKED))
    return talk.packets


def mixed() -> list[Packet]:
    """Function 90 among others, and an answer that is an exception of the protocol below."""
    talk = Talk().open()
    for number in range(0, 120, 4):  # more messages than are dissected at a time
        talk.ask(mbap(number, read(1, 1)), mbap(number, registers(7)))
        talk.ask(unity(number + 1, LOOK), unity(number + 1, LOOKED))
        talk.ask(unity(number + 2, SWAP), unity(number + 2, SWAP))
        talk.ask(unity(number + 3, LOOK), mbap(number + 3, error(90, 1), 3))
    return talk.packets


def segmented(step: int) -> list[Packet]:
    """The same streams as of `mixed`, in segments of so many octets."""
    streams = [b"", b""]
    for packet in mixed()[3:]:
        side = 0 if packet.data[26:30] == bytes(int(part) for part in CLIENT.split(".")) else 1
        streams[side] += packet.data[54 : 14 + 20 + int.from_bytes(packet.data[16:18]) - 20]
    talk = Talk().open()
    for side, stream in enumerate(streams):
        for at in range(0, len(stream), step):
            talk.put(side, stream[at : at + step])
    return [packet.at(START + number * 10_000) for number, packet in enumerate(talk.packets)]


def truncated() -> list[Packet]:
    """Every shorter message that is whole below, both ways."""
    talk = Talk().open()
    number = 0
    for inside in (LOOK, SWAP, carry(LOOK), carry(carry(SWAP))):
        for octets in range(len(inside) + 1):
            talk.ask(unity(number, inside[:octets]), unity(number, inside[:octets]))
            number += 1
    return talk.packets


def snapped() -> list[Packet]:
    """Requests that the capture cut, after any octet."""
    cuts = range(60, 54 + len(unity(1, carry(LOOK))))
    return [Talk(client_port=41000 + octets, time=START + octets).put(0, unity(1, carry(LOOK))).cut(octets) for octets in cuts]


def datagram() -> list[Packet]:
    """Function 90 without a stream."""
    return [Packet(ethernet(ipv4(udp(unity(9, LOOK), 40000, 502), CLIENT, SERVER, 17)), START)]


SCENES: Final[dict[str, Callable[[], list[Packet]]]] = {
    "plain": lambda: asked((LOOK, LOOKED), (SWAP, SWAP)),
    "crossed": crossed,
    "mixed": mixed,
    "by 1": lambda: segmented(1),
    "by 5": lambda: segmented(5),
    "by 999": lambda: segmented(999),
    "truncated": truncated,
    "snapped": snapped,
    "datagram": datagram,
    "stacked": lambda: asked((carry(LOOK), carry(LOOKED)), (carry(carry(LOOK)), carry(carry(LOOKED))), (LOOK, LOOKED)),
    "deep": lambda: asked(*((carry(carry(carry(carry(LOOK[:2] + inside)))), b"") for inside in (b"\0\1\1", b"\0\2\1"))),
    "told apart": lambda: asked(*((carry(bytes([first]) + LOOK[1:], 9), b"") for first in (0x32, 0x72, 0x11))),
    "nobody": lambda: asked((carry(LOOK, 8), carry(LOOKED, 8))),
    "three clients": lambda: [
        packet for last in (7, 8, 9) for packet in Talk(f"10.0.0.{last}", time=START + last).ask(unity(1, LOOK), unity(1, carry(LOOKED))).packets
    ],
    "silent": lambda: asked((b"\0\x05\x01", b"\0\x05\x01"), (LOOK, LOOKED)),
    "strange": lambda: asked((STRANGE, STRANGE)),
    "unpaired": lambda: asked((LOOK, b"")),
    "looks alike": lambda: Talk(port=9000).open().ask(b"\x32\x01\x00\x10\x02", b"\x72\x01\x00\x05").packets,
}


@cache
def told(mode: str) -> dict[str, Any]:
    """What a process with the toys says of every scene."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": mode}
    words = [sys.executable, "-c", RUN, str(UPPERS)]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, env=environment, check=False, timeout=280)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    return json.loads(done.stdout)


def scene(name: str) -> dict[str, Any]:
    return told("1" if INTERPRETED else "0")[name]


def lines(name: str, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(line[field] for field in fields) for line in scene(name)["lines"]]


def test_compiled_and_interpreted_say_the_same() -> None:
    assert told("0") == told("1")


def test_a_response_has_its_address_from_its_request() -> None:
    look, write, swap = scene("plain")["lines"]
    assert (look["protocol"], look["over"], look["action"], look["outcome"]) == ("toy", "modbus", "look", "success")
    assert look["object"] == {"space": "cell", "name": None, "first": 16, "last": 17}
    assert (look["values"], look["unit"], look["packet"], look["response_packet"]) == ([5, 6], 3, 4, 5)
    assert (look["source"]["ip"], look["source"]["port"], look["destination"]["port"]) == (CLIENT, 40000, 502)
    assert [write["effect"], swap["effect"]] == ["value.write", "value.read"]
    assert (write["packet"], write["response_packet"]) == (swap["packet"], swap["response_packet"]) == (6, 7)


def test_pairing_is_by_the_transaction_below() -> None:
    assert [(line["object"]["first"], line["values"]) for line in scene("crossed")["lines"]] == [(32, [7, 8]), (16, [5, 6])]


def test_the_order_is_that_of_messages() -> None:
    assert lines("mixed", "protocol", "effect", "outcome")[:5] == [
        ("modbus", "value.read", "success"), ("toy", "value.read", "success"), ("toy", "value.write", "success"), ("toy", "value.read", "success"),
        ("toy", "value.read", "failure"),
    ]  # fmt: skip
    assert len(scene("mixed")["lines"]) == 150
    assert {over for protocol, over in lines("mixed", "protocol", "over") if protocol == "modbus"} == {None}


def test_messages_and_operations_are_counted_where_they_belong() -> None:
    assert scene("mixed")["protocols"] == {"modbus": [240, 30], "toy": [150, 120]}
    assert scene("mixed")["undecoded"] == {}
    assert scene("mixed")["grade"] == 100.0


def test_conversations_are_of_their_own_protocol() -> None:
    activities = scene("mixed")["activities"]
    assert {(row["network.protocol"], row["source.ip"], row["destination.ip"], row["destination.port"]) for row in activities} == {
        (protocol, CLIENT, SERVER, 502) for protocol in ("modbus", "toy")
    }
    assert sum(row["ot.count"] for row in activities if row["network.protocol"] == "toy") == 120


def test_each_pair_of_ends_has_its_own() -> None:
    found = sorted((row["network.protocol"], row["source.ip"], row["destination.ip"]) for row in scene("three clients")["activities"])
    assert found == [("toy", f"10.0.0.{last}", SERVER) for last in (7, 8, 9)]


@pytest.mark.parametrize("name", ["by 1", "by 5", "by 999"])
def test_any_segmentation(name: str) -> None:
    keep = ("protocol", "over", "effect", "object", "values", "outcome", "unit", "error", "anomaly")
    key = json.dumps
    assert sorted(lines(name, *keep), key=key) == sorted(lines("mixed", *keep), key=key)
    assert scene(name)["protocols"] == scene("mixed")["protocols"]


def test_stacked() -> None:
    assert lines("stacked", "protocol", "over", "outcome", "values") == [
        ("toy_inner", "toy", "success", [5, 6]), ("toy_deep", "toy_inner", "success", [5, 6]), ("toy", "modbus", "success", [5, 6]),
    ]  # fmt: skip
    assert scene("stacked")["protocols"] == {"modbus": [6, 0], "toy": [6, 1], "toy_inner": [4, 1], "toy_deep": [2, 1]}


def test_no_more_than_four_stand_on_one_another() -> None:
    assert lines("deep", "protocol", "action") == [("toy_deeper", "carry")] * 2


def test_several_over_one_selector_are_told_apart_by_content() -> None:
    """Also where the one that takes the rest comes first by name."""
    assert lines("told apart", "protocol") == [("toy_comm",), ("toy_plus",), ("toy_a_rest",)]


def test_what_nobody_takes_stays_with_the_lower_protocol() -> None:
    assert lines("nobody", "protocol", "action", "outcome") == [("toy", "carry", "success")]


def test_where_the_upper_one_is_silent_the_lower_operation_stays() -> None:
    assert lines("silent", "protocol", "action") == [("modbus", "unity"), ("toy", "look")]
    assert scene("silent")["undecoded"] == {"tcp/502": 2 * len(unity(0, b"\0\x05\x01"))}


def test_what_the_upper_one_does_not_understand_is_not_decoded() -> None:
    assert lines("strange", "protocol", "action", "effect") == [("toy", "function_99", "unknown")]
    assert scene("strange")["undecoded"] == {"tcp/502": 2 * len(STRANGE)}
    assert scene("strange")["decoded"] == 2 * 8


def test_truncation_at_every_octet() -> None:
    """Every message gives at least one operation, and none reads past its end."""
    assert scene("truncated")["octets"] == scene("truncated")["decoded"] + sum(scene("truncated")["undecoded"].values())
    protocols = lines("truncated", "protocol", "action")
    assert set(protocols) >= {("modbus", "unity"), ("toy", "look"), ("toy_inner", "look"), ("toy_deep", "swap")}
    assert max(line["object"]["last"] or 0 for line in scene("truncated")["lines"]) < 256


def test_what_the_capture_cut_is_marked_in_the_upper_protocol() -> None:
    assert set(lines("snapped", "protocol")) == {("modbus",), ("toy",), ("toy_inner",)}
    assert all(line["anomaly"] == ["cut"] for line in scene("snapped")["lines"])


def test_an_exception_of_the_protocol_below_answers_the_request_above() -> None:
    failed = [line for line in scene("mixed")["lines"] if line["outcome"] == "failure"]
    assert len(failed) == 30
    assert {(line["protocol"], line["object"]["first"], line["response_packet"] > line["packet"]) for line in failed} == {("toy", 16, True)}


def test_datagrams() -> None:
    assert lines("datagram", "protocol", "over", "unit") == [("toy", "modbus", 3)]


def test_upper_protocols_are_not_looked_for_in_streams() -> None:
    assert lines("looks alike", "protocol") == []
    assert scene("looks alike")["undecoded"] == {"tcp/9000": 9}


def test_an_unanswered_request() -> None:
    assert lines("unpaired", "protocol", "outcome") == [("toy", "unknown")]


def test_without_uppers_function_90_is_what_it_was() -> None:
    from tests.wire import watch

    seen = watch(asked((LOOK, LOOKED)))
    assert [(line["protocol"], line["over"], line["action"], line["effect"]) for line in seen.lines] == [("modbus", None, "unity", "unknown")]
    assert seen.totals.undecoded == {"tcp/502": len(unity(0, LOOK)) + len(unity(0, LOOKED))}


def say() -> dict[str, Any]:
    """Every scene as the sensor tells it, the same however it is cut."""
    from tests.wire import watch

    made: dict[str, Any] = {}
    for name, packets in ((name, build()) for name, build in SCENES.items()):
        seen = watch(packets)
        assert all(watch(packets, each=each).tables == seen.tables for each in (1, 3)), name
        keep = ("network.protocol", "source.ip", "destination.ip", "destination.port", "ot.count")
        made[name] = {
            "lines": seen.lines,
            "activities": [{field: row[field] for field in keep} for row in seen.activities],
            "protocols": {name: [each.messages, each.operations] for name, each in seen.totals.protocols.items()},
            "undecoded": seen.totals.undecoded,
            "decoded": seen.totals.decoded_bytes,
            "octets": sum(max(len(packet.data), packet.wire) - 54 for packet in packets if max(len(packet.data), packet.wire) > 60),
            "grade": seen.totals.grade,
        }
    return made
