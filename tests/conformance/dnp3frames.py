"""DNP3 as tshark deals it out: fragments and frames of the data link, what they name, and what they tell of each point with its quality and time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from tests.conformance import tshark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conformance.rows import Row

LINK: Final = 256  # in front of a link function: PRM (64) and its number
READ, RESPONSE, UNSOLICITED = 1, 129, 130
SPACES: Final = {
    0: "device_attribute", 1: "binary_input", 2: "binary_input", 3: "double_bit_input", 4: "double_bit_input", 10: "binary_output", 12: "binary_output",
    20: "counter", 21: "frozen_counter", 30: "analog_input", 32: "analog_input", 40: "analog_output", 41: "analog_output", 50: "time", 52: "time_delay",
    60: "class",
}  # fmt: skip
CONTROL_GROUPS: Final = (12, 41)
ANSWERS: Final = (RESPONSE, UNSOLICITED)


def swapped(text: str) -> int:
    """Internal indications with the first octet in front: ours has the first bit in front."""
    number = int(text, 0)
    return (number & 0xFF) << 8 | number >> 8


def named(group: int, variation: int = 0) -> tuple[str, int, int]:
    return (SPACES[group], variation - 1, variation - 1) if group == 60 else (SPACES[group], -1, -1)


VALUES: Final = {
    (1, 1): "bit", (1, 2): "biq.b7", (2, 1): "biq.b7", (2, 2): "biq.b7", (10, 1): "bit", (10, 2): "boq.b7",
    **{(group, variation): "cnt" for group in (20, 21) for variation in range(1, 9)},
    **{(group, variation): "ana.int" for group in (30, 32) for variation in range(1, 5)}, (30, 5): "ana.float",
    (40, 1): "anaout.int", (40, 2): "anaout.int", (52, 2): "time_delay",
}  # fmt: skip
FLAGS: Final = {1: "biq", 2: "biq", 10: "boq", 20: "ctrq", 21: "ctrq", 30: "aiq", 32: "aiq", 40: "aoq"}  # what the flags of a group are called
PLAIN: Final = {(1, 1), (10, 1), *((group, variation) for group in (20, 21) for variation in range(5 if group == 20 else 9, 13)), (30, 3), (30, 4)}
_STATION: Final = ("online", "restart", "comm_lost", "remote_forced", "local_forced")
NAMES: Final = {  # of the bits of the flags (IEEE 1815-2012, 11.6)
    "biq": (*_STATION, "chatter_filter"), "boq": _STATION, "ctrq": (*_STATION, "rollover", "discontinuity"),
    **dict.fromkeys(("aiq", "aoq"), (*_STATION, "over_range", "reference_error")),
}  # fmt: skip
DATED: Final = {(2, 2), (32, 3), (32, 4)}
OF_FRAME: Final = ("ctl", "src", "dst", "tr.fin", "al.func", "al.iin", "al.obj", "al.objq.prefix", "al.objq.range")
OF_OBJECT: Final = (
    "al.range.start",
    "al.range.stop",
    "al.range.quantity",
    "al.index",
    *(f"al.{name}" for name in dict.fromkeys(VALUES.values())),
    *(f"al.{kind}.b{bit}" for kind, names in NAMES.items() for bit in range(len(names))),
    "al.timestamp",
)
FIELDS: Final = tuple(f"dnp3.{name}" for name in (*OF_FRAME, *OF_OBJECT))


def dealt(path: Path) -> list[Row]:
    """Every fragment, and every frame of the data link without user data."""
    return [row for frame in tshark.frames(path, "dnp3", FIELDS) for row in _dealt(frame)]


def _dealt(frame: tshark.Frame) -> Iterator[Row]:
    left = {name.removeprefix("dnp3."): deque(values) for name, values in frame.fields.items()}
    alone = len(left["al.func"]) == 1  # of several, nothing tells which objects are whose
    for control in left["ctl"]:
        source, target = int(left["src"].popleft()), int(left["dst"].popleft())
        row: Row = {"packet": frame.number, **frame.ends, "unit": target if int(control, 0) & 0x80 else source}
        link = int(control, 0) & 0x4F
        if link not in (0x43, 0x44) or not left["tr.fin"]:
            yield row | {"function": LINK + link}
        elif left["tr.fin"].popleft() in ("1", "True") and left["al.func"]:
            row["function"] = int(left["al.func"].popleft())
            row["unit"] = source if row["function"] in ANSWERS else target  # whatever the direction bit says
            if row["function"] in ANSWERS:
                row["indications"] = swapped(left["al.iin"].popleft())
            yield row | (_told(left, row["function"] in ANSWERS) if alone else {})


def _told(left: dict[str, deque[str]], answer: bool) -> Row:
    """What the object headers name and, in an answer, tell."""
    objects: list[tuple[str, int, int]] = []
    points: list[tuple[str, int, float]] = []
    qualities: list[tuple[str, int, tuple[str, ...]]] = []
    times: list[tuple[str, int, int]] = []
    for header in left["al.obj"]:
        group, variation = divmod(int(header, 0), 256)
        space, field = SPACES.get(group), VALUES.get((group, variation))
        prefix, ranged = int(left["al.objq.prefix"].popleft()), int(left["al.objq.range"].popleft())
        indices = [0]
        if ranged < 3 and left["al.range.start"]:
            indices = list(range(int(left["al.range.start"].popleft()), int(left["al.range.stop"].popleft()) + 1))
        elif 7 <= ranged <= 9:
            count = int(left["al.range.quantity"].popleft())
            indices = [int(left["al.index"].popleft()) for _ in range(count)] if prefix else list(range(count))
        if space is None:
            objects.append(("object", group, group))
        elif group == 0:
            objects.append((space, variation, variation))
        elif group in CONTROL_GROUPS:
            objects += [(space, index, index) for index in indices]
        elif group == 60:
            objects.append(named(group, variation))
        else:
            objects.append((space, min(indices), max(indices)) if ranged < 6 or prefix else (space, -1, -1))
        if answer and space is not None and field is not None:
            points += [(space, index, float(left[f"al.{field}"].popleft())) for index in indices if left[f"al.{field}"]]
            qualities += [(space, index, _quality(left, group)) for index in indices if _flagged(left, group, variation)]
            times += [(space, index, tshark.milliseconds(left["al.timestamp"].popleft())) for index in indices if (group, variation) in DATED]
        elif answer and group not in CONTROL_GROUPS:
            return {}  # no point of ours
    return {"points": tuple(points), "qualities": tuple(qualities), "times": tuple(times)} if answer else {"objects": tuple(sorted(objects))}


def _flagged(left: dict[str, deque[str]], group: int, variation: int) -> bool:
    """Does an object of this kind have flags, and are there some left?"""
    return group in FLAGS and (group, variation) not in PLAIN and bool(left[f"al.{FLAGS[group]}.b0"])


def _quality(left: dict[str, deque[str]], group: int) -> tuple[str, ...]:
    """The flags of one point that are set."""
    kind = FLAGS[group]
    return tuple(name for bit, name in enumerate(NAMES[kind]) if left[f"al.{kind}.b{bit}"].popleft() in ("1", "True"))


def qualities(space: str, octet: int) -> tuple[str, ...]:
    """The flags of an octet of a point of this space."""
    kind = next(FLAGS[group] for group, known in SPACES.items() if known == space and group in FLAGS)
    return tuple(name for bit, name in enumerate(NAMES[kind]) if octet >> bit & 1)
