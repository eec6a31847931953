"""The plant's own network: switches and one namespace a host, joined by veth pairs. Nothing in it can reach anything outside. Needs root."""

import array
import fcntl
import socket
import struct
import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.plant.plan import Address, Host

ROOT = Path(__file__).resolve().parents[2]

# linux/sockios.h, linux/ethtool.h
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17


def exact_checksums(interface: str) -> None:
    """Let the kernel fill in checksums itself: a veth pair otherwise leaves them to hardware that is not there, and every packet looks broken."""
    command = array.array("B", struct.pack("=II", ETHTOOL_STXCSUM, 0))
    address, _ = command.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), address))


def _ip(*words: str) -> None:
    subprocess.run(("ip", *words), check=True, capture_output=True, text=True)


def _up(namespace: str, interface: str) -> None:
    # No IPv6 addresses, and that before the link is up: what the kernel says about them on its own is not part of the story.
    _ip("-n", namespace, "link", "set", interface, "addrgenmode", "none")
    _ip("-n", namespace, "link", "set", interface, "up")


def bridge_of(address: Address) -> str:
    """The switch that an interface is plugged into. A VLAN is a switch of its own, so that the kernel needs no 802.1Q."""
    return f"br{address.vlan or 0}"


def bridges(hosts: Iterable[Host]) -> dict[str, int]:
    """All switches and the VLAN of each, 0 for none."""
    return {bridge_of(address): address.vlan or 0 for host in hosts for address in host.addresses}


@dataclass(frozen=True)
class Network:
    """The namespaces of one run. `prefix` keeps runs on one machine apart."""

    prefix: str

    def namespace(self, name: str) -> str:
        """The full name of a namespace of this run."""
        return f"{self.prefix}-{name}"

    @property
    def switch(self) -> str:
        """The namespace that holds the switches, where the capture is taken."""
        return self.namespace("switch")

    def start(self, namespace: str, module: str, *words: str) -> "subprocess.Popen[str]":
        """Start a module of this package inside a namespace; its standard output is a pipe."""
        command = ("ip", "netns", "exec", namespace, sys.executable, "-m", module, *words)
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def build(self, hosts: Sequence[Host]) -> None:
        """Make a switch for each VLAN, and the hosts."""
        _ip("netns", "add", self.switch)
        for bridge in bridges(hosts):
            _ip("-n", self.switch, "link", "add", bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
            # In promiscuous mode the bridge itself gets one copy of every frame it forwards: the mirror port.
            _ip("-n", self.switch, "link", "set", bridge, "promisc", "on")
            _up(self.switch, bridge)
        for host in hosts:
            _ip("netns", "add", self.namespace(host.short))
            for number, address in enumerate(host.addresses):
                self._attach(host, number, address)

    def _attach(self, host: Host, number: int, address: Address) -> None:
        inside, interface, port = self.namespace(host.short), f"eth{number}", f"{host.short}-{number}"
        _ip("-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", interface, "netns", inside)
        _ip("-n", self.switch, "link", "set", port, "master", bridge_of(address))
        _ip("-n", inside, "link", "set", interface, "address", address.mac)
        _up(inside, interface)
        _up(self.switch, port)
        _ip("-n", inside, "address", "add", f"{address.ip}/24", "dev", interface)

    def remove(self, hosts: Sequence[Host]) -> None:
        """Delete every namespace of this run, and with them all interfaces."""
        for name in ("switch", *(host.short for host in hosts)):
            subprocess.run(("ip", "netns", "delete", self.namespace(name)), check=False, capture_output=True)


@contextmanager
def network(prefix: str, hosts: Sequence[Host]) -> Generator[Network]:
    """The network, for as long as the block runs."""
    made = Network(prefix)
    try:
        made.build(hosts)
        yield made
    finally:
        made.remove(hosts)
