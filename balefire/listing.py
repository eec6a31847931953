"""The lines of `balefire dissect` for people: fixed columns, so that they can stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from balefire.screen import LOOKING, clean
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

WIDTHS: Final = (("packet", 7), ("time", 15), ("source", 21), ("destination", 26), ("action", 30), ("object", 28), ("outcome", 0))


def heading(language: str) -> Text:
    """The names of the columns."""
    from rich.text import Text

    return Text(_padded([say(f"cli.column.{name}", language) for name, _width in WIDTHS]), "dim", no_wrap=True)


def line(operation: Mapping[str, Any], language: str) -> Text:
    """One operation on one line. What acts on the plant is bold, what only looks is plain."""
    from rich.text import Text

    unit = operation["unit"]
    cells = [
        str(operation["packet"] or operation["response_packet"] or ""),
        str(operation["time"])[11:26],
        _end(operation["source"]),
        _end(operation["destination"]) + ("" if unit is None else f" · {unit}"),
        str(operation["action"]),
        _object(operation),
        " ".join([_outcome(operation, language), *operation["anomaly"]]),
    ]
    style = "red" if operation["anomaly"] else "" if operation["access"] in LOOKING else "bold"
    return Text(_padded([clean(cell) for cell in cells]), style, no_wrap=True, overflow="ellipsis")


def _padded(cells: list[str]) -> str:
    from rich.cells import set_cell_size

    return "  ".join(set_cell_size(cell, width) if width else cell for cell, (_name, width) in zip(cells, WIDTHS, strict=True))


def _end(side: Mapping[str, Any] | None) -> str:
    if not side:
        return "–"
    address, port = side["ip"] or side["mac"] or "–", side["port"]
    return str(address) if port is None else f"{address}:{port}"


def _object(operation: Mapping[str, Any]) -> str:
    about: Mapping[str, Any] = operation["object"] or {}
    first, last = about.get("first"), about.get("last")
    span = "" if first is None else str(first) if last in (None, first) else f"{first}–{last}"
    values: list[object] = operation["values"] or []
    written = "" if not values else f"= {values[0]}" if len(values) == 1 else f"= {values[0]} … ×{len(values)}"
    if _is_label(operation["protocol"], about):  # it says all that space and numbers say
        return " ".join(part for part in (str(about["name"]), written) if part)
    return " ".join(str(part) for part in (about.get("space"), about.get("name"), span, written) if part)


def _is_label(protocol: str, about: Mapping[str, Any]) -> bool:
    """Is the name what engineers write for these numbers, and none that came by wire?"""
    from sensors.protocol import protocols

    label = next((one.label for one in protocols() if one.name == protocol), None)
    space, name, first, last = (about.get(part) for part in ("space", "name", "first", "last"))
    return label is not None and None not in (space, name, first, last) and name == label(str(space), int(str(first)), int(str(last)))


def _outcome(operation: Mapping[str, Any], language: str) -> str:
    return str(operation["error"] or say(f"outcome.{operation['outcome'] or 'unknown'}", language))
