"""The long tail gets names: packets of what nobody here understood are shown to tshark, off the hot path and for a bounded time."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from records.schema import COVERAGE
from sensors.dissection import Limits, available, names
from sensors.protocol import protocols

if TYPE_CHECKING:
    from concurrent.futures import Future

    from balefire.settings import Dissect
    from sensors.evidence import Keeper
    from sensors.pcapng import Packet
    from sensors.unknown import Unknown

PORTS: Final = 16  # that are asked about at a time, those with most bytes first
PACKETS: Final = 10  # of a conversation
SHARE: Final = 0.01  # of the time beyond the first seconds, where a replay goes on for long
LEAST_S: Final = 1.0  # with less there is no answer


class Names:
    """What tshark calls what is not understood, by transport and port, asked once each. Takes at most the seconds that are set, and a share of the time."""

    def __init__(self, limits: Dissect) -> None:
        self._limits = limits
        self._begun = time.monotonic()
        self._spent = 0.0
        self._asked: set[str] = set()
        self.known: dict[str, str] = {}
        self._asker = ThreadPoolExecutor(1, "tshark")
        self._answer: Future[dict[str, str]] | None = None
        self._ours = {f"{kind}/{port}" for one in protocols() for kind, ports in (("tcp", one.tcp), ("udp", one.udp)) for port in ports}

    def ask(self, unknown: dict[str, Unknown], keeper: Keeper | None, last: bool) -> None:
        """Ask about those of which packets can be had again, and that no protocol of ours is at home on. What is answered is known once it is heard.

        While tshark still looks at what was asked before, those after it wait, or, where this is the `last` time, we do.
        """
        self.hear(last)
        if self._answer is not None:
            return
        started = time.monotonic()
        left = self._limits.seconds + SHARE * (started - self._begun) - self._spent if self._limits.seconds else 0
        waiting = [name for name in list(unknown) if name not in self._asked and name not in self._ours and unknown[name].samples]
        if not waiting or keeper is None or left < LEAST_S or available() is None:
            return
        waiting = sorted(waiting, key=lambda name: -unknown[name].bytes)[:PORTS]
        self._asked.update(waiting)
        spoken = [(name, packets) for name in waiting for number in unknown[name].samples if (packets := _conversation(keeper, number))]
        self._answer = self._asker.submit(self._told, spoken, Limits(int(left), self._limits.mebibytes), started)

    def _told(self, spoken: list[tuple[str, list[Packet]]], limits: Limits, started: float) -> dict[str, str]:
        """What tshark says by the name of each port: what it says of most of its conversations."""
        counts: dict[str, Counter[str]] = {}
        for (name, _), says in zip(spoken, names([packets for _, packets in spoken], limits)[0], strict=True):
            if says:
                counts.setdefault(name, Counter())[says] += 1
        self._spent += time.monotonic() - started
        return {name: count.most_common(1)[0][0] for name, count in counts.items()}

    def hear(self, last: bool) -> None:
        """Take over what is answered; wait for it only where this is the `last` time: rows that were told before have no name, those after them do."""
        if self._answer is not None and (last or self._answer.done()):
            self.known |= self._answer.result()
            self._answer = None

    def close(self) -> None:
        """Nothing more is asked."""
        self._asker.shutdown()

    def mark(self, unknown: dict[str, Unknown]) -> None:
        """Tell totals the names."""
        for name, says in self.known.items():
            if name in unknown:
                unknown[name].tshark = says

    def labelled(self, coverage: pa.Table) -> pa.Table:
        """Rows of coverage with the names in what they did not understand."""
        if not self.known or not coverage.num_rows:
            return coverage
        place = COVERAGE.names.index("undecoded")
        texts: list[str | None] = coverage.column(place).to_pylist()
        column: Any = pa.array([text and self._labelled(text) for text in texts], pa.string())
        return coverage.set_column(place, "undecoded", column)

    def _labelled(self, text: str) -> str:
        rows: list[dict[str, Any]] = json.loads(text)
        return json.dumps([row | {"tshark": self.known.get(row["name"])} for row in rows])


def _conversation(keeper: Keeper, number: int) -> list[Packet]:
    """A packet and those that follow it in its conversation."""
    return [packet for other, packet in keeper.find([number]) if other >= number][:PACKETS]
