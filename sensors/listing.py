"""Every operation as an object: what `balefire dissect` prints. For a person who looks at one capture; nothing is grouped or stored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from records.effects import EFFECTS
from sensors.activities import OUTCOMES, action_name, anomaly_names, error_name, mac_text, space_name
from sensors.engine.tables import BIT, REPORT, TEXT, U8, U16BE, VALUE, code_path
from sensors.protocol import protocols
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.source import Source


class Listing(Sensor):
    """A sensor that shows each operation as it leaves pairing."""

    def __init__(self, file: str) -> None:
        super().__init__("listing", file=file)
        self.file = file
        self.lines: list[dict[str, object]] = []

    def _see(self, done: Any, told: Any) -> None:
        super()._see(done, told)
        self.lines += [self._line(operation, told) for operation in done]

    def _line(self, operation: Any, told: Any) -> dict[str, object]:
        protocol = protocols()[int(operation.protocol)]
        effect = EFFECTS[int(operation.effect)]
        talk = self.conversations[int(operation.conversation)]
        ends: list[dict[str, object]] = [
            {"ip": self.naming.host(int(talk.source)), "mac": mac_text(int(talk.source_mac)), "port": _some(operation.port)},
            {"ip": self.naming.host(int(talk.target)), "mac": mac_text(int(talk.target_mac)), "port": int(talk.port)},
        ]
        source, destination = reversed(ends) if operation.role == REPORT else ends
        return {
            "file": self.file,
            "packet": _some(operation.packet),
            "response_packet": _some(operation.answer_packet),
            "time": int(operation.time if operation.time >= 0 else operation.answer_time),
            "protocol": protocol.name,
            "over": protocol.over[0] if protocol.over and operation.conversation >= len(self.talks) else None,
            "source": source,
            "destination": destination,
            "unit": _some(operation.unit),
            "code": code_path(int(operation.code)) or None,
            "action": action_name(int(operation.code), int(operation.function)),
            "access": effect.access,
            "effect": effect.name,
            "object": {
                "space": space_name(int(operation.protocol), int(operation.space)),
                "name": None,
                "first": _some(operation.first),
                "last": _some(operation.last),
            },
            "values": self._values(operation, told),
            "outcome": OUTCOMES[int(operation.outcome)],
            "error": error_name(protocol, int(operation.error)),
            "rtt_us": (int(operation.answer_time) - int(operation.time)) / 1000 if operation.answer_time >= 0 and operation.packet >= 0 else None,
            "anomaly": anomaly_names(protocol, int(operation.anomaly)),
        }

    def _values(self, operation: Any, told: Any) -> list[object]:
        """What was answered, or, where the answer holds no values, what was written."""
        for first, count in ((operation.answer_sample, operation.answer_samples), (operation.sample, operation.samples)):
            values = [value for row in range(int(first), int(first + count)) for value in self._sample(told[row])]
            if values:
                return values
        return []

    def _sample(self, sample: Any) -> list[object]:
        at, octets, count = int(sample.offset), int(sample.octets), int(sample.count)
        held = bytes(self.memory[at : at + octets])
        if sample.encoding == VALUE:
            return [] if math.isnan(sample.value) else [float(sample.value)]
        if sample.encoding == U16BE:
            return [int.from_bytes(held[2 * i : 2 * i + 2]) for i in range(min(count, octets // 2))]
        if sample.encoding == BIT:
            return [held[i // 8] >> i % 8 & 1 for i in range(min(count, 8 * octets))]
        if sample.encoding == U8:
            return list(held[:count])
        return [held.decode("utf-8", "replace")] if sample.encoding == TEXT else []


def _some(number: Any) -> int | None:
    return None if number < 0 else int(number)


def lines(source: Source, file: str) -> Iterator[dict[str, object]]:
    """One object an operation, a request with its response, in the order in which they were answered or given up. `time` is nanoseconds."""
    listing = Listing(file)
    for _ in listing.listen(source, lambda: bool(listing.lines)):
        yield from _taken(listing)
    yield from _taken(listing)


def _taken(listing: Listing) -> list[dict[str, object]]:
    taken, listing.lines = listing.lines, []
    return taken
