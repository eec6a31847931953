"""Interfaces read by several processes: what they read is what one reads, in its order, and one that is killed loses nothing unless it is killed again."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from records.errors import InputError
from sensors.engine.tables import FOREVER, table
from sensors.pcapng import Packet, read
from sensors.sources.filters import Program
from sensors.sources.packetsocket import BLOCK, Ring
from sensors.sources.ring import USER, Rings
from sensors.sources.shares import PART, join
from tests.require import need
from tests.test_recording import FACE, blocks, head
from tests.test_watch import DEMO, INTERPRETED, heard, rights, said
from tests.veth import started, wires

if TYPE_CHECKING:
    from subprocess import Popen

    from tests.veth import Wires

START = 1_700_000_000_000_000_000


def joined(each: list[list[Packet]], room: int = 1 << 20, until: int = FOREVER) -> list[Packet]:
    """What `join` makes of what several have read."""
    read_by_each = [b"".join(blocks(packets)) for packets in each]
    memory, parts = np.frombuffer(bytearray(b"".join(read_by_each)), np.uint8), table(len(each), PART)
    at = 0
    for part, packets, octets in zip(parts, each, read_by_each, strict=True):
        part.at, part.end, part.time = at, at + len(octets), packets[0].time if packets else 0
        at += len(octets)
    out, told = np.zeros(room, np.uint8), b""
    while filled := join(memory, parts, out, until):
        told += out[:filled].tobytes()
    return list(read(head() + told))


def some(dice: random.Random, count: int) -> list[Packet]:
    times = sorted(START + dice.randrange(1_000_000) for _ in range(count))
    return [Packet(time, 900, dice.randbytes(dice.choice((14, 60, 61, 62, 63, 590))), FACE) for time in times]


@pytest.mark.parametrize("seed", range(4))
def test_what_several_read_is_in_the_order_of_time(seed: int) -> None:
    dice = random.Random(seed)
    each = [some(dice, dice.randrange(0, 40)) for _ in range(1 + seed)]
    expected = sorted((packet for packets in each for packet in packets), key=lambda packet: packet.time)
    assert joined(each) == expected
    assert joined(each, room=1000) == expected, "what does not fit comes with the next call"
    until = START + 500_000
    assert joined(each, until=until) == [packet for packet in expected if packet.time < until]


def test_what_is_no_block_ends_its_part() -> None:
    memory, parts = np.full(100, 0xFF, np.uint8), table(1, PART)
    parts[0].at, parts[0].end = 0, 100
    assert join(memory, parts, np.zeros(1000, np.uint8), FOREVER) == 0
    assert parts[0].at == parts[0].end


def listening(wire: Wires, *more: str) -> tuple[str, ...]:
    """The command line."""
    return wire.run("-m", "sensors.listening", *more, "--", "in0")


def readers(process: Popen[bytes]) -> list[int]:
    """The processes that read for it."""
    return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def told(process: Popen[bytes], into: Path) -> tuple[list[Packet], dict[str, int]]:
    """The packets that it wrote into this file, once it has ended, and what it counted."""
    process.terminate()
    assert process.stderr is not None
    last = process.stderr.read().splitlines()[-1]
    assert process.wait(60) == 0
    counted: dict[str, Any] = json.loads(last)["ended"]
    return list(read(into.read_bytes())), counted


@pytest.mark.netns
def test_two_processes_read_what_one_reads_also_where_one_is_killed(tmp_path: Path) -> None:
    one_file, two_file = tmp_path / "one.pcapng", tmp_path / "two.pcapng"
    with ExitStack() as stack:
        wire = stack.enter_context(wires())
        one = stack.enter_context(started(listening(wire), INTERPRETED, stack.enter_context(one_file.open("wb"))))
        two = stack.enter_context(started(listening(wire, "--processes", "2"), INTERPRETED, stack.enter_context(two_file.open("wb"))))
        for process in (one, two):
            said(process, "ready")
        wire.send(DEMO)
        held = {number: rights(number) for number in readers(two)}
        os.kill(readers(two)[0], signal.SIGKILL)
        wire.send(DEMO)
        said(two, "fell", "-9")
        assert len(readers(two)) == 2
        (alone, alone_counted), (shared, counted) = told(one, one_file), told(two, two_file)
    assert len(held) == 2
    assert not any(each & 1 << 13 for found in held.values() for each in found), "who reads has no right to open more"
    assert alone_counted == counted == {"packets": 2 * 2692, "dropped": 0}
    assert shared == alone


@pytest.mark.netns
def test_what_is_lost_with_one_that_is_killed_again_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "told.pcapng"
    with wires() as wire, file.open("wb") as out, started(listening(wire, "--processes", "2"), INTERPRETED, out) as process:
        said(process, "ready")
        os.kill(readers(process)[0], signal.SIGKILL)
        said(process, "fell")
        second = max(readers(process))
        os.kill(second, signal.SIGSTOP)
        wire.send(DEMO)
        os.kill(second, signal.SIGKILL)
        lost = next(json.loads(line)["lost"] for line in said(process, "failed").splitlines() if b"failed" in line)
        wire.send(DEMO)  # is read by the other
        said(process, "returned")
        assert len(readers(process)) == 2
        wire.send(DEMO)
        time.sleep(0.3)
        packets, counted = told(process, file)
    assert lost > 0
    assert counted == {"packets": 3 * 2692 - lost, "dropped": lost}
    assert len(packets) == counted["packets"]
    assert packets == sorted(packets, key=lambda packet: packet.time)


@pytest.mark.netns
def test_a_block_is_given_back_once_by_whoever_goes_on() -> None:
    """The one before was killed between the two: having told what it read, with the block given back or not; by then other packets may be in it."""
    need("netns", os.geteuid() == 0, "listening needs root")
    rings = Rings(["lo"], Program("udp dst port 50999"), 2 * BLOCK)
    rings.cursors.left, rings.cursors.time = 1, 500
    assert rings.settled() == 500, "what time it is is not told past packets that wait"
    rings.cursors.left = 0
    with pytest.raises(InputError, match="lo"):
        Ring("lo", None, 0, 0, linktype=101)  # it has come back as something else
    status = rings.memory[8:9]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:

        def taken() -> int:
            speaker.sendto(b"x", ("127.0.0.1", 50999))
            end = time.monotonic() + 10
            while not (filled := rings.fill(rings.out)):
                assert time.monotonic() < end
            return filled

        taken()
        told = rings.cursors.copy()
        assert status[0] & USER
        rings.release()  # as the next one does that has the rings as they were told
        assert not status[0] & USER
        assert int(rings.cursors[0].block) == 1
        later = told
        for _ in range(2):  # the other block, then the first anew
            taken()
            later = rings.cursors.copy()
            if int(later[0].block):
                rings.release()
        assert (int(later[0].block), int(later[0].packets)) == (0, 3)
        rings.cursors[:] = told
        rings.release()
        assert status[0] & USER, "what is in it now has not been read"
    rings.close()


@pytest.mark.netns
def test_an_interface_that_vanishes_and_returns_is_shared_again(tmp_path: Path) -> None:
    file = tmp_path / "told.pcapng"
    with wires() as wire, file.open("wb") as out, started(listening(wire, "--processes", "2"), INTERPRETED, out) as process:
        said(process, "ready")
        wire.send(DEMO)
        began = time.monotonic()
        began = time.monotonic()
        with wire.altered():  # at once: what lies in its rings is read all the same
            assert b"gone" in said(process, "altered", "in0")
            reading = readers(process)
            wire.set("down")
            said(process, "down", "in0")
            wire.set("up")
            time.sleep(1.2)
            assert readers(process) == reading, "who reads is not disturbed by what cannot be read"
        wire.appear()
        more = said(process, "back", "in0")
        assert b"altered" not in more
        assert b'"up"' not in more, "nobody listens to it, whether it is up or not"
        seconds = time.monotonic() - began
        seconds = time.monotonic() - began
        wire.flicker()
        assert b"gone" in said(process, "back", "in0")
        assert len(readers(process)) == 2
        wire.send(DEMO)
        packets, counted = told(process, file)
    assert counted == {"packets": 2 * 2692, "dropped": 0}
    (dark,) = heard(file)[1]
    assert seconds < dark < seconds + 6, "that, and for as long as the flicker was not found"
    assert len(packets) == 2 * 2692
    assert packets == sorted(packets, key=lambda packet: packet.time)
