"""Octets of a stream that were passed over. They may still come: what was ahead can have been forged, or the capture is out of order.

So one frame with a far sequence number, or a length that it does not have, silences nobody, and what comes late is still read. A flow has at most one hole.
What the receiver acknowledges closes it where what was delivered may lie in it: that would be delivered again.
"""

from __future__ import annotations

from typing import Any, Final

from sensors.engine.flows import signed
from sensors.engine.octets import inline, kernel
from sensors.engine.tables import WINDOW

PATIENCE: Final = WINDOW  # a hole that nothing came for gives way to a new one


@inline
def miss(packet: Any, flow: Any, begin: int, end: int) -> None:
    """The receiver has these octets, and nobody here saw them. What was passed over before them it has as well."""
    flow.hole, flow.hole_end, flow.hole_clock, flow.hole_empty = begin, end, packet.clock, 1


@kernel
def leave_hole(packet: Any, flow: Any, flows: Any, begin: int, end: int) -> None:
    """Octets from `begin` on are passed over, up to `end`, without the receiver's word that it has them."""
    had = flow.peer >= 0 and flows[flow.peer].acknowledged >= 0 and signed(flows[flow.peer].acknowledged - flow.hole_end) >= 0
    if flow.hole_end >= 0 and packet.clock - flow.hole_clock < PATIENCE and not had:
        flow.hole_end, flow.hole_empty = end, 0
    else:
        miss(packet, flow, begin, end)


@inline
def _acknowledged(flow: Any, flows: Any) -> None:
    """What the receiver has will not come again, unless all that it has of the hole is still to come."""
    if flow.hole_empty or flow.peer < 0 or flows[flow.peer].acknowledged < 0:
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
    else:
        flow.hole_empty = 0
    flow.hole_next, flow.hole_clock = last, packet.clock
    streams.lost = max(streams.lost - signed(last - first), 0)
    if signed(flow.hole_end - flow.hole) <= 0:
        flow.hole_end = -1
        streams.gaps = max(streams.gaps - 1, 0)
