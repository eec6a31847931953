"""Record switches into one classic pcap file: `python -m tests.plant.capture OUT.pcap INTERFACE=VLAN…`, until SIGTERM.

Like the mirror port of a real switch it tags what it saw on a VLAN (0: untagged), so that one file tells the VLANs apart.
"""

import signal
import socket
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

# linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h
SOL_PACKET = 263
PACKET_STATISTICS = 6
ETH_P_ALL = 3
ETH_P_8021Q = 0x8100
SO_TIMESTAMPNS = 35

SNAPSHOT = 65535
ROOM = 64
"""Bytes for the one control message of a packet, its time."""


def _listen() -> socket.socket:
    """One socket for all interfaces of the namespace: its queue keeps the order between them."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.settimeout(0.2)
    return sock


def _receive(sock: socket.socket) -> tuple[str, int, bytes]:
    """One frame: the interface it was seen on, when in nanoseconds since the epoch, and its bytes."""
    frame, control, _, address = sock.recvmsg(SNAPSHOT, ROOM)
    ((_, _, stamp),) = control
    seconds, nanoseconds = struct.unpack("@ll", stamp)
    return address[0], seconds * 1_000_000_000 + nanoseconds, frame


def _listen_until_stopped(vlans: Mapping[str, int]) -> tuple[list[tuple[int, bytes]], int]:
    """The frames of the named interfaces until SIGTERM, and how many the kernel had to drop."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    frames: list[tuple[int, bytes]] = []
    with _listen() as sock:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            try:
                interface, when, frame = _receive(sock)
            except TimeoutError:  # nothing left to read
                if stopped:
                    break
                continue
            if interface not in vlans:  # the ports: the same frames once more
                continue
            if vlans[interface]:
                frame = frame[:12] + struct.pack("!HH", ETH_P_8021Q, vlans[interface]) + frame[12:]
            frames.append((when, frame))
        _, lost = struct.unpack("=II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    return frames, lost


def write(path: Path, frames: Iterable[tuple[int, bytes]]) -> None:
    """A classic pcap file, microseconds, Ethernet."""
    with path.open("wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPSHOT, 1))
        for when, frame in frames:
            seconds, rest = divmod(when, 1_000_000_000)
            file.write(struct.pack("=IIII", seconds, rest // 1000, len(frame), len(frame)) + frame)


def record(path: Path, vlans: Mapping[str, int]) -> None:
    """Write every frame of the named interfaces until SIGTERM; a capture that lost packets is an error."""
    frames, lost = _listen_until_stopped(vlans)
    # Frames that two processors received at the same moment may have been queued the other way round.
    frames.sort(key=lambda row: row[0])
    write(path, frames)
    if lost:
        sys.exit(f"the capture lost {lost} packets")


if __name__ == "__main__":
    record(Path(sys.argv[1]), {name: int(vlan) for name, vlan in (word.split("=") for word in sys.argv[2:])})
