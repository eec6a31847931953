"""Octets of a stream that were passed over without the receiver's word that it has them. They may still come: what was ahead can have been forged.

So one frame with a far sequence number, or a length that it does not have, silences nobody. A flow has at most one hole; an acknowledgement closes it.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.flows import signed
from sensors.engine.octets import inline, kernel
from sensors.engine.tables import WINDOW

PATIENCE: Final = WINDOW  # a hole that nothing came for gives way to a new one


@kernel
def leave_hole(packet: Any, flow: Any, begin: int, end: int) -> None:
    """Octets from `begin` on are passed over, up to `end`."""
    if flow.hole_end >= 0 and packet.clock - flow.hole_clock < PATIENCE:
        flow.hole_end = end
        return
    flow.hole, flow.hole_end, flow.hole_clock = begin, end, packet.clock


@inline
def _acknowledged(flow: Any, flows: Any) -> None:
    """What the receiver has will not come again."""
    if flow.peer < 0 or flows[flow.peer].acknowledged < 0:
        return
    known = flows[flow.peer].acknowledged
    if signed(known - flow.hole_end) >= 0:
        flow.hole_end = -1
    elif signed(known - flow.hole) > 0:
        flow.hole = known


@kernel
def in_hole(packet: Any, flow: Any, flows: Any, sequence: int) -> tuple[int, int]:
    """Which octets of this segment belong into the hole: (first, last), as offsets from its beginning; none where first >= last."""
    if flow.hole_end < 0:
        return 0, 0
    _acknowledged(flow, flows)
    if flow.hole_end < 0:
        return 0, 0
    return max(signed(flow.hole - sequence), 0), min(signed(flow.hole_end - sequence), packet.length)


@inline
def filled(packet: Any, flow: Any, first: int, last: int, streams: Any) -> None:
    """Octets of these numbers came after all. Only at its beginning does a hole become smaller: what lies further on may be forged as well."""
    if flow.hole == first:
        flow.hole = last
    flow.hole_next, flow.hole_clock = last, packet.clock
    streams.lost = max(streams.lost - signed(last - first), 0)
    if signed(flow.hole_end - flow.hole) <= 0:
        flow.hole_end = -1
