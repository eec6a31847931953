"""A wire between two network namespaces of a test's own: what one end sends, the other end's interface gets. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT = Path(__file__).resolve().parents[1]
SEND = """
import socket, struct, sys, time
interface, path, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((interface, 0))
data, at = open(path, "rb").read(), 24
while at < len(data):
    octets, = struct.unpack_from("<8xI", data, at)
    wire.send(data[at + 16 : at + 16 + octets])
    at += 16 + octets
    time.sleep(pause)
"""


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True, text=True)


@dataclass(frozen=True)
class Wires:
    """`there` sends on `out0`, `out1` …; `here` listens on `in0`, `in1` …"""

    here: str
    there: str

    def run(self, *words: str) -> tuple[str, ...]:
        """A command of this Python in the listening namespace."""
        return ("ip", "netns", "exec", self.here, sys.executable, *words)

    def send(self, capture: Path, number: int = 0, pause: float = 0.0) -> None:
        """Every packet of a pcap (little endian), with a pause behind each."""
        command = ("ip", "netns", "exec", self.there, sys.executable, "-c", SEND, f"out{number}", str(capture), str(pause))
        subprocess.run(command, check=True, cwd=ROOT)

    def heard(self, number: int = 0) -> subprocess.Popen[bytes]:
        """Counts what comes out of the listening end until it is terminated."""
        count = """
            import signal, socket, sys
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.setsockopt(263, 23, 1)
            wire.bind((sys.argv[1], 3))
            wire.settimeout(0.1)
            frames = []
            signal.signal(signal.SIGTERM, lambda *_: (print(len(frames), flush=True), sys.exit(0)))
            print("ready", flush=True)
            while True:
                try:
                    frames.append(wire.recv(2048))
                except TimeoutError:
                    pass
        """
        command = ("ip", "netns", "exec", self.there, sys.executable, "-c", textwrap.dedent(count), f"out{number}")
        started = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        return started

    def set(self, *how: str, number: int = 0, there: bool = False) -> None:
        """The interface at the listening end, or that of the sender, is set so ("up", "down")."""
        _ip("-n", self.there if there else self.here, "link", "set", f"{'out' if there else 'in'}{number}", *how)

    def address(self, address: str, number: int = 0) -> None:
        """The interface at the listening end has one."""
        _ip("-n", self.here, "address", "add", address, "dev", f"in{number}")

    def vanish(self, number: int = 0) -> None:
        """The interface is gone."""
        _ip("-n", self.here, "link", "delete", f"in{number}")

    def flicker(self, number: int = 0) -> None:
        """It is gone, and back sooner than anybody looks, with the number that the kernel had for it."""
        told = subprocess.run(("ip", "-n", self.here, "-o", "link", "show", f"in{number}"), check=True, capture_output=True, text=True)
        self.vanish(number)
        self.appear(number, "index", told.stdout.split(":")[0])

    @contextmanager
    def altered(self, number: int = 0) -> Generator[None]:
        """It is gone, and as long as the block runs another of its name is there, a tunnel of bare IP."""
        need("netns", Path("/dev/net/tun").exists(), "making a tunnel needs /dev/net/tun")
        self.vanish(number)
        hold = """
            import fcntl, struct, sys
            with open("/dev/net/tun", "r+b", buffering=0) as held:  # it has a link as long as somebody holds it
                fcntl.ioctl(held, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1001))
                print(flush=True)
                sys.stdin.read()
        """
        command = ("ip", "netns", "exec", self.here, sys.executable, "-c", textwrap.dedent(hold), f"in{number}")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            self.set("up", number=number)
            yield

    def appear(self, number: int = 0, *how: str) -> None:
        """It is there."""
        _ip("-n", self.here, "link", "add", f"in{number}", *how, "type", "veth", "peer", "name", f"out{number}", "netns", self.there)
        for namespace, name in ((self.here, f"in{number}"), (self.there, f"out{number}")):
            # no IPv6 addresses, and that before the link is up: else the kernel itself would speak
            _ip("-n", namespace, "link", "set", name, "addrgenmode", "none")
            _ip("-n", namespace, "link", "set", name, "arp", "off", "up")


@contextmanager
def wires(count: int = 1) -> Generator[Wires]:
    """So many wires, for as long as the block runs."""
    need("netns", os.geteuid() == 0 and shutil.which("ip") is not None, "making network namespaces needs root and iproute2")
    made = Wires(f"balefire{os.getpid()}-here", f"balefire{os.getpid()}-there")
    with ExitStack() as stack:
        for name in (made.here, made.there):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "delete", name)
        for number in range(count):
            made.appear(number)
        yield made


@contextmanager
def started(command: Sequence[str], environment: dict[str, str] | None = None, out: IO[bytes] | None = None) -> Generator[subprocess.Popen[bytes]]:
    """A process with pipes, killed at the end where it still runs. `out`: where its output goes instead."""
    process = subprocess.Popen(command, stdout=out or subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=os.environ | (environment or {}))
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
