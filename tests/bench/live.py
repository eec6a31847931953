"""`python -m tests.bench.live`: what a live sensor loses, what it takes of a core, and how soon an alert is told. Between two network namespaces; needs root.

Frames are put into a ring of the kernel's once and sent again and again, so that the sender costs little. A figure is printed only where the counts agree:
what was sent is what was taken and what the kernel said it dropped. It ends with 1 where a limit does not hold. How fast this machine sends is none: where it
reaches less than is aimed at, the figure says so.

What a core needs to reach memory is no merit or fault of what listens, and can be most of it: in a virtual machine a page that nobody touched for some
milliseconds may have to be fetched anew. So a loop that only copies as many octets as often, out of memory that another process writes, is measured beside it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.sources.ring import ENOUGH
from tests.bench.__main__ import paste, processor
from tests.test_watch import MOST_S, told_after
from tests.veth import ROOT, wires
from tests.wire import Talk, mbap, read, registers

if TYPE_CHECKING:
    from tests.veth import Wires

# linux/if_packet.h
SOL_PACKET, TX_RING, VERSION, V2 = 263, 13, 10, 1
FRAME: Final = 256
FRAMES: Final = 2048
SEND_REQUEST: Final = 1
AIM: Final = 500_000  # packets a second that should be sent as fast as it goes, none of which is lost
CORE: Final = 5.0  # per cent of one that listening takes at 100,000 a second
EVERY_S: Final = 0.05  # a block of the kernel's that has packets is ours after so long
COPYING_S: Final = 3.0
MARKS: Final = ("<!-- bench-live -->", "<!-- /bench-live -->")
PAYLOAD_AT: Final = 32  # tpacket2_hdr
RING: Final = 32 << 20
BEFORE: Final = 82  # octets before a packet in a ring that is read: tpacket3_hdr, sockaddr_ll, and what aligns it


def frames() -> list[bytes]:
    """Polls and their answers, of a handful of connections."""
    talks = [Talk(client_port=40000 + number) for number in range(16)]
    for number in range(64):
        for talk in talks:
            talk.ask(mbap(number, read(0, 2)), mbap(number, registers(1, 2)))
    return [packet.data for talk in talks for packet in talk.packets][:FRAMES]


def send(interface: str, packets: int, rate: float) -> dict[str, float]:
    """Send so many frames at so many a second (0: as fast as it goes)."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.setsockopt(SOL_PACKET, VERSION, V2)
    wire.setsockopt(SOL_PACKET, TX_RING, struct.pack("=4I", FRAME * FRAMES, 1, FRAME, FRAMES))
    memory = np.frombuffer(mmap.mmap(wire.fileno(), FRAME * FRAMES), np.uint8).reshape(FRAMES, FRAME)
    words: Any = memory.view(np.uint32)
    for number, octets in enumerate(frames()):
        memory[number, PAYLOAD_AT : PAYLOAD_AT + len(octets)] = np.frombuffer(octets, np.uint8)
        words[number, 1] = len(octets)
    wire.bind((interface, 0))
    begun = time.perf_counter()
    for sent in range(0, packets, FRAMES):
        words[:, 0] = SEND_REQUEST
        wire.send(b"")
        if rate and (wait := begun + (sent + FRAMES) / rate - time.perf_counter()) > 0:
            time.sleep(wait)
    return {"packets": -(-packets // FRAMES) * FRAMES, "seconds": time.perf_counter() - begun}


def spent(process: int) -> float:
    """Seconds of a processor, as the scheduler has them: what is sampled at ticks is twice as much or half, where a sender wakes by the same ticks."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{process}/task").glob("*/schedstat")) / 1e9


def copying(rate: float) -> float:
    """Per cent of a core that it takes to copy what a ring holds of so many packets a second, as often as a block of it is ours, and in the same pieces."""
    each = [-(-(BEFORE + len(octets)) // 16) * 16 for octets in frames()]
    octets = int(sum(each) / len(each) * rate * EVERY_S)
    ring: Any = np.frombuffer(mmap.mmap(-1, RING), np.uint8)[: RING // octets * octets].reshape(-1, octets)
    ring[:] = 0
    out = np.zeros(ENOUGH, np.uint8)
    writer = os.fork()
    if not writer:
        for block in itertools.cycle(ring):
            block[:] = 1
            time.sleep(EVERY_S)
    time.sleep(EVERY_S / 2)  # half as old as a block becomes, as its packets are on average
    before, begun, blocks = spent(os.getpid()), time.perf_counter(), itertools.cycle(ring)
    while time.perf_counter() < begun + COPYING_S:
        block = next(blocks)
        for at in range(0, octets, ENOUGH):
            out[: min(ENOUGH, octets - at)] = block[at : at + ENOUGH]
        time.sleep(EVERY_S)
    taken = (spent(os.getpid()) - before) / (time.perf_counter() - begun) * 100
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    return taken


def listened(wire: Wires, packets: int, rate: float, processes: int) -> dict[str, Any]:
    """What the process that listens takes of it, alone, and those that read for it: it writes where nobody reads."""
    command = wire.run("-m", "sensors.listening", "in0", "--processes", str(processes))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        process.stderr.readline()
        readers = [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        before = [spent(number) for number in (process.pid, *readers)]
        drain = subprocess.Popen(("cat",), stdin=process.stdout, stdout=subprocess.DEVNULL)
        sender = ("ip", "netns", "exec", wire.there, sys.executable, "-m", "tests.bench.live", "--send", "out0", str(packets), str(rate))
        told = json.loads(subprocess.run(sender, check=True, capture_output=True, cwd=ROOT).stdout)
        times = [spent(number) - each for number, each in zip((process.pid, *readers), before, strict=True)]
        process.terminate()
        rest = process.stderr.read()
        process.wait()
        drain.wait()
    ended = json.loads(rest.splitlines()[-1])["ended"]
    if ended["packets"] + ended["dropped"] != told["packets"]:
        sys.exit(f"no figures: {told['packets']} sent, {ended} taken")
    return told | ended | {"cpu": times, "copying": copying(rate) if rate and processes == 1 else 0.0}


def missed(told: dict[str, Any], rate: float) -> list[str]:
    """The limits that these figures do not keep; `rate`: at which it was to be sent, 0 as fast as it goes."""
    reached, core = told["packets"] / told["seconds"], told["cpu"][0] / told["seconds"] * 100
    failed = [f"{told['dropped']:,.0f} packets lost at {reached:,.0f} a second"] if told["dropped"] else []
    failed += [f"{core:.1f} % of a core, more than {CORE} at {rate:,.0f} a second"] if rate and len(told["cpu"]) == 1 and core > CORE else []
    return failed


def figure(told: dict[str, Any], rate: float, processes: int) -> str:
    """The line that tells of it; `rate` as above."""
    reached = told["packets"] / told["seconds"]
    each = " + ".join(f"{seconds / told['seconds'] * 100:.1f}" for seconds in told["cpu"])
    copied = f", copying alone {told['copying']:.1f} %" if rate and processes == 1 else ""
    least = f"; the sender reached no more here, {AIM:,} were aimed at" if not rate and reached < AIM else ""
    return (
        f"{reached:,.0f} packets/s, read by {processes}: {told['dropped']:,.0f} of {told['packets']:,.0f} lost, "
        f"{each} % of a core ({sum(told['cpu']) / told['packets'] * 1e9:.0f} ns a packet){copied}{least}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--send", nargs=3, metavar=("IFACE", "PACKETS", "RATE"), help="be the sender")
    parser.add_argument("--packets", type=int, default=2_000_000)
    parser.add_argument("--paste", type=Path, nargs="*", default=[], help="put the figures into these files, between their marks")
    chosen = parser.parse_args()
    if chosen.send:
        print(json.dumps(send(chosen.send[0], int(chosen.send[1]), float(chosen.send[2]))))
        return
    lines, failed = list[str](), list[str]()
    with wires() as wire:
        for rate, packets, processes in ((0.0, chosen.packets, 1), (100_000.0, chosen.packets // 2, 1), (100_000.0, chosen.packets // 2, 2)):
            told = listened(wire, packets, rate, processes)
            failed += missed(told, rate)
            lines.append(figure(told, rate, processes))
    with tempfile.TemporaryDirectory() as folder:
        soon = told_after(Path(folder), {})
    lines.append(f"a write is told after {soon:.2f} s")
    lines.append(f"{os.cpu_count()} × {processor()}, load {os.getloadavg()[0]:.1f}")
    print("\n".join(lines))
    for readme in chosen.paste:
        paste(readme, "\n".join(("```", *lines, "```")), MARKS)
    failed += [f"a write is told after {soon:.2f} s, later than {MOST_S}"] if soon > MOST_S else []
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
