"""A filter means on an interface what it says, wherever packets begin there and whatever the kernel takes out of them before it looks."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from sensors.pcapng import read as packets_of
from tests.require import need
from tests.test_watch import INTERPRETED, plain, said
from tests.veth import started, wires
from tests.wire import Talk, mbap, read, registers

if TYPE_CHECKING:
    from tests.veth import Wires

pytestmark = pytest.mark.netns
TUNNEL: Final = """
import fcntl, os, struct, subprocess, sys
tunnel = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH", b"tun9", 0x1001))
subprocess.run(("ip", "link", "set", "tun9", "addrgenmode", "none"), check=True)
subprocess.run(("ip", "link", "set", "tun9", "up"), check=True)
print("up", flush=True)
for line in sys.stdin:
    os.write(tunnel, bytes.fromhex(line))
print("written", flush=True)
import time
time.sleep(60)
"""


def talk(tag: int | None = None, port: int = 502) -> Talk:
    made = Talk(client=f"10.0.{tag or 0}.7", port=port)
    made.vlans = (tag,) if tag else ()
    return made.open().ask(mbap(1, read(0, 2)), mbap(1, registers(1, 2)))


def test_tags_are_seen_that_the_kernel_takes_out(tmp_path: Path) -> None:
    """Several listen to the same, each by another expression."""
    sent = {"tagged": talk(10), "other": talk(11), "plain": talk(), "web": talk(10, 80)}
    let = {"vlan 10": {"tagged", "web"}, "not vlan": {"plain"}, "vlan and port 502": {"tagged", "other"}, "port 502": {"tagged", "other", "plain"}}
    with wires() as wire, ExitStack() as stack:
        heard = {words: stack.enter_context(started(wire.run("-m", "sensors.listening", "--filter", words, "--", "in0"), INTERPRETED)) for words in let}
        for process in heard.values():
            said(process, "ready")
        for name, made in sent.items():
            wire.send(plain(tmp_path / name, made))
        time.sleep(0.3)
        came = {words: {packet.octets for packet in packets_of(_ended(process))} for words, process in heard.items()}
    assert came == {words: {packet.data for name in names for packet in sent[name].packets} for words, names in let.items()}


def test_a_tunnel_of_bare_ip_has_no_ethernet_before_it() -> None:
    need("netns", Path("/dev/net/tun").exists(), "a tunnel needs /dev/net/tun")
    wanted = [packet.data[14:] for packet in talk().packets]
    with wires() as wire, _tunnel(wire) as tunnel:
        assert tunnel.stdin is not None
        assert tunnel.stdout is not None
        assert tunnel.stdout.readline() == b"up\n"
        with started(wire.run("-m", "sensors.listening", "--filter", "port 502", "--", "tun9"), INTERPRETED) as process:
            said(process, "ready")
            tunnel.stdin.write(b"".join(octets.hex().encode() + b"\n" for octets in [*wanted, *(packet.data[14:] for packet in talk(port=80).packets)]))
            tunnel.stdin.close()
            assert tunnel.stdout.readline() == b"written\n"
            time.sleep(0.3)
            assert [packet.octets for packet in packets_of(_ended(process))] == wanted
        with started(wire.run("-m", "sensors.listening", "--filter", "ether host 02:00:00:00:00:01", "--", "tun9"), INTERPRETED) as process:
            assert b"live.filter" in process.communicate(timeout=60)[1]
        tunnel.kill()


def _tunnel(wire: Wires) -> subprocess.Popen[bytes]:
    return subprocess.Popen(("ip", "netns", "exec", wire.here, sys.executable, "-c", TUNNEL), stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ended(process: subprocess.Popen[bytes]) -> bytes:
    process.terminate()
    return process.communicate(timeout=60)[0]
