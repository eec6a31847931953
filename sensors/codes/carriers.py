"""What is wrong with a message that carries another protocol's: a row of its own, for the carried one's operations stand in the place of its other rows."""

from __future__ import annotations

from typing import Any

from sensors.engine.dissecting import open_row
from sensors.engine.octets import kernel
from sensors.engine.tables import REPORT, TOLD, UNANSWERED


@kernel
def tell_apart(operations: Any, base: int, used: int, most: int, index: int, message: Any, sampled: int) -> int:
    """Behind the rows of this message, which begin at `base` and are at most `most`: one for each that is wrong and is given away; returns the fill.

    It asks nothing and answers nothing, since what is carried does.
    """
    for place in range(base, min(used, base + most)):
        row = operations[place]
        if row.payload < 0 or row.anomaly == 0 or used - base >= most:
            continue
        apart = operations[used]
        open_row(apart, index, message, sampled)
        apart.code, apart.effect, apart.unit, apart.part, apart.anomaly = row.code, row.effect, row.unit, row.part, row.anomaly
        apart.role, apart.outcome, apart.transaction = REPORT if message.side == 1 else TOLD, UNANSWERED, -1
        row.anomaly = 0
        used += 1
    return used
