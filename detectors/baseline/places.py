"""Where a value is."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

WHERE: Final = ("destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first")
NAMED: Final = frozenset({"tag"})  # spaces in which a number counts the elements of what has a name


class Place(NamedTuple):
    """Where a value is: `thing` is the object as on the wire, or its name, with the number of the element behind the first one of an array."""

    device: str
    protocol: str
    unit: int | None
    space: str | None
    thing: int | str


def place_of(device: Any, protocol: Any, unit: Any, space: Any, name: Any, first: Any) -> Place | None:
    """The point of these columns; None where device or object is not known."""
    if name is not None and space in NAMED:
        thing: int | str | None = f"{name}[{first}]" if first else str(name)
    else:
        thing = first if first is not None else name
    return Place(device, protocol or "unknown", unit, space, thing) if device is not None and thing is not None else None
