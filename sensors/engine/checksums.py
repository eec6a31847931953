"""Checksums that are wrong: of a host whose network card fills them in behind the capture, or of what its receiver will not believe either.

A monitor that believes what the receiver drops can be told anything: segments with wrong checksums would take the place of the true ones.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.octets import kernel
from sensors.engine.tables import BAD_CHECKSUM, REJECTED

LENIENT: Final = 16  # one that is left out is believed while fewer right ones than this come on each


@kernel
def doubt(packet: Any, left_out: bool, hosts: Any) -> None:
    """A wrong checksum of a known host. `left_out`: it is zero, or what a stack leaves to the network card to complete.

    It is believed where most of this host's are wrong, and one that is left out even where some are.
    """
    packet.marks |= BAD_CHECKSUM
    if packet.source < 0:
        return
    host = hosts[packet.source]
    host.wrong += 1
    if host.right >= (LENIENT * host.wrong if left_out else host.wrong):
        packet.marks |= REJECTED
