"""Every operation as an object: what `balefire dissect` prints. For a person who looks at one capture; nothing is grouped or stored."""

from __future__ import annotations

import math
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from records.effects import EFFECTS
from sensors.activities import OUTCOMES, action_name, anomaly_names, error_name, mac_text, quality_names, space_name
from sensors.engine import tables
from sensors.engine.flows import NO_TRANSPORT
from sensors.engine.tables import BIT, FACT, REPORT, TEXT, VALUE, code_path
from sensors.protocol import protocols
from sensors.sensor import Sensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensors.release import Handed
    from sensors.source import Source
    from sensors.statements import Statement


class Listing(Sensor):
    """A sensor that shows each operation as it leaves pairing."""

    concurrent = False

    def __init__(self, file: str) -> None:
        super().__init__("listing", file=file)
        self.file = file
        self.lines: list[dict[str, object]] = []

    def _take_in(self, given: Handed) -> None:
        self.lines += [self._line(operation, given) for operation in plain_rows(given.done[: given.count])]
        super()._take_in(given)

    def _line(self, operation: Any, given: Handed) -> dict[str, object]:
        protocol, effect = protocols()[int(operation.protocol)], EFFECTS[int(operation.effect)]
        (talk,) = plain_rows(self.conversations[operation.conversation : operation.conversation + 1])
        ends: list[dict[str, object]] = [
            {"ip": self.release.naming.ip(talk.source), "mac": mac_text(talk.source_mac), "port": _some(operation.port)},
            {"ip": self.release.naming.ip(talk.target), "mac": mac_text(talk.target_mac), "port": _served(talk)},
        ]
        source, destination = reversed(ends) if operation.role == REPORT else ends
        return {
            "file": self.file,
            "packet": _some(operation.packet),
            "response_packet": _some(operation.answer_packet),
            "time": operation.time if operation.time >= 0 else operation.answer_time,
            "protocol": protocol.name,
            "over": protocol.over[0] if protocol.over and operation.conversation >= len(self.talks) else None,
            "source": source,
            "destination": destination,
            "unit": _some(operation.unit),
            "code": code_path(operation.code) or None,
            "action": action_name(operation.code, operation.function),
            "access": effect.access,
            "effect": effect.name,
            "object": {
                "space": space_name(operation.protocol, operation.space),
                "name": self.release.naming.object_name(operation.protocol, operation.space, operation.name, operation.first, operation.last),
                "first": _some(operation.first),
                "last": _some(operation.last),
            },
            "values": self._values(operation, given),
            "outcome": OUTCOMES[int(operation.outcome)],
            "error": error_name(protocol, operation.error),
            "rtt_us": (operation.answer_time - operation.time) / 1000 if operation.answer_time >= 0 and operation.packet >= 0 else None,
            "anomaly": anomaly_names(protocol, operation.anomaly),
            "beside": self._beside(operation, given),
        }

    def _beside(self, operation: Any, given: Handed) -> list[dict[str, object]]:
        """What came with it, whatever was asked: the state of the station, who ordered it."""
        number: int = operation.protocol
        protocol, made = protocols()[number], list[dict[str, object]]()
        for first, count in ((operation.sample, operation.samples), (operation.answer_sample, operation.answer_samples)):
            for sample in plain_rows(given.told[first : first + count]) if protocol.beside else ():
                space = space_name(number, sample.space)
                if space in protocol.beside:
                    quality = quality_names(protocol, space, sample.quality) or []
                    for place, value in enumerate(sample_values(sample, given.octets) or [None]):  # None: no number that can be said
                        made.append({"space": space, "first": sample.first + place * sample.step, "value": value, "quality": quality})
        return made

    def _values(self, operation: Any, given: Handed) -> list[object]:
        """What was answered, or, where the answer holds no values, what was written."""
        protocol: int = operation.protocol
        beside = protocols()[protocol].beside
        for first, count in ((operation.answer_sample, operation.answer_samples), (operation.sample, operation.samples)):
            samples = plain_rows(given.told[first : first + count])
            if tells := protocols()[protocol].tells:
                values: list[object] = [_stated(each) for sample in samples if sample.encoding == TEXT for each in tells(sample_octets(sample, given.octets))]
            else:
                values = [value for sample in samples if space_name(protocol, sample.space) not in beside for value in sample_values(sample, given.octets)]
            if values:
                return values
        return [float(operation.value)] if math.isfinite(operation.value) else []  # a clock, how long a file is: no point's value


def plain_rows(rows: Any) -> list[Any]:
    """Rows of a table as plain tuples that know their fields: a row of numpy's looks each field up anew, which takes as long as all the rest."""
    return list(map(_row(rows.dtype), rows.tolist()))


@cache
def _row(dtype: Any) -> Any:
    fields = [(name, Any) for name in dtype.names]
    return NamedTuple("Row", fields)._make


def _stated(statement: Statement) -> str:
    """What a message says of a host: `02:00:0a:00:00:01 10.0.0.1 name=plc-1`."""
    return " ".join([*statement.addresses, *(f"{name}={value}" for name, value, _confidence in statement.facts)])


def sample_octets(sample: Any, memory: Any) -> bytes:
    """The octets of a sample, which lie in `memory`."""
    return bytes(memory[int(sample.offset) : int(sample.offset) + int(sample.octets)])


def sample_values(sample: Any, memory: Any) -> list[object]:
    """The values of a sample whose octets lie in `memory`."""
    octets, count = int(sample.octets), int(sample.count)
    held = sample_octets(sample, memory)
    if sample.encoding in (VALUE, FACT):
        return [] if not math.isfinite(sample.value) else [float(sample.value)]
    if sample.encoding == TEXT:
        return [held.decode("utf-8", "replace")]
    if sample.encoding == BIT:
        return [held[i // 8] >> i % 8 & 1 for i in range(min(count, 8 * octets))]
    return [element_value(held, i * int(sample.stride) + int(sample.value_at), int(sample.encoding)) for i in range(count)]


_FORMATS: Final = {
    tables.U8: "B",
    tables.I8: "b",
    **{
        getattr(tables, f"{kind}{bits}{order}"): sign + form
        for order, sign in (("BE", ">"), ("LE", "<"))
        for kind, bits, form in (("U", 16, "H"), ("I", 16, "h"), ("U", 32, "I"), ("I", 32, "i"), ("U", 64, "Q"), ("I", 64, "q"), ("F", 32, "f"), ("F", 64, "d"))
    },
    **dict.fromkeys((tables.TOP_BIT, tables.LOW_BIT, tables.LOW_TWO), "B"),
}


def element_value(held: bytes, at: int, encoding: int) -> float | None:
    """One value of a run; None where its octets are not there, or are no number."""
    size = struct.calcsize(_FORMATS[encoding])
    if at + size > len(held):
        return None
    value = struct.unpack_from(_FORMATS[encoding], held, at)[0]
    if encoding == tables.TOP_BIT:
        return value >> 7
    if encoding in (tables.LOW_BIT, tables.LOW_TWO):
        return value & (1 if encoding == tables.LOW_BIT else 3)
    return value if math.isfinite(value) else None


def _served(talk: Any) -> int | None:
    """The port that was asked; a frame that is not IP has none."""
    return None if talk.transport == NO_TRANSPORT else int(talk.port)


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
