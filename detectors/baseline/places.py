"""Where a value is."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

WHERE: Final = ("destination.ip", "network.protocol", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first")
NAMED: Final = frozenset({"tag"})  # spaces in which a number counts the elements of what has a name


class Place(NamedTuple):
    """Where a value is: `thing` is the object as on the wire, or its name, with the number of the element behind the first one of an array."""

    device: str
    protocol: str
    unit: int | None
    space: str | None
    thing: int | str


@lru_cache(maxsize=65_536)  # every batch has the same ones
def place_of(device: Any, protocol: Any, unit: Any, space: Any, name: Any, first: Any) -> Place | None:
    """The point of these columns; None where device or object is not known."""
    if name is not None and space in NAMED:
        thing: int | str | None = f"{name}[{first}]" if first else str(name)
    else:
        thing = first if first is not None else name
    return Place(device, protocol or "unknown", unit, space, thing) if device is not None and thing is not None else None


def among_all(known: Iterable[Place], some: Mapping[Place, int]) -> npt.NDArray[np.int64]:
    """By the number of a point among all that are known its number among some of them, -1 for none; the last one is what is not known."""
    return np.array([*(some.get(place, -1) for place in known), -1], np.int64)
