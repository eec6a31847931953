"""The lines of `balefire dissect` for people: columns that only grow, so that they can stream."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from balefire.screen import LOOKING, clean
from records.wording import say
from sensors.protocol import amount, is_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.text import Text

# Columns, the least that each is wide, and the most.
WIDTHS: Final = (("packet", 7, 7), ("time", 15, 15), ("source", 21, 46), ("destination", 26, 52), ("action", 24, 80), ("object", 28, 60), ("outcome", 0, 0))
AHEAD: Final = 100  # operations that are looked at before the first is shown, for the columns to be wide enough


def shown(operations: Iterable[Mapping[str, Any]], language: str, *, live: bool) -> Iterator[Text]:
    """The names of the columns, then one operation a line. What acts on the plant is bold, what only looks is plain; `live`: show each as it comes."""
    from rich.text import Text

    widths = [least for _name, least, _most in WIDTHS]
    coming = iter(operations)
    first = [] if live else list(islice(coming, AHEAD))
    for operation in first:
        _widen(widths, _cells(operation, language))
    yield Text(_padded([say(f"cli.column.{name}", language) for name, _least, _most in WIDTHS], widths), "dim", no_wrap=True)
    for operation in chain(first, coming):
        cells = _cells(operation, language)
        _widen(widths, cells)
        style = "red" if operation["anomaly"] else "" if operation["access"] in LOOKING else "bold"
        yield Text(_padded(cells, widths), style, no_wrap=True, overflow="ellipsis")


def _cells(operation: Mapping[str, Any], language: str) -> list[str]:
    unit = operation["unit"]
    cells = [
        str(operation["packet"] or operation["response_packet"] or ""),
        str(operation["time"])[11:26],
        _end(operation["source"]),
        _end(operation["destination"]) + ("" if unit is None else f" · {unit}"),
        " · ".join((str(operation["action"]), *_besides(operation))),
        " · ".join(part for part in (*operation.get("tags", ()), _object(operation)) if part),
        " ".join([_outcome(operation, language), *operation["anomaly"]]),
    ]
    return [clean(cell) for cell in cells]


def _widen(widths: list[int], cells: list[str]) -> None:
    from rich.cells import cell_len

    for place, (_name, least, most) in enumerate(WIDTHS):
        widths[place] = max(widths[place], min(cell_len(cells[place]), most)) if least else 0


def _padded(cells: list[str], widths: list[int]) -> str:
    from rich.cells import set_cell_size

    return "  ".join(set_cell_size(cell, width) if width else cell for cell, width in zip(cells, widths, strict=True))


def _besides(operation: Mapping[str, Any]) -> Iterator[str]:
    """Why it was sent, and what it does where that is not what its function does as a rule: a select, a write to outputs."""
    from sensors.protocol import protocols

    protocol = next(one for one in protocols() if one.name == operation["protocol"])
    numbers = str(operation["code"] or "").split("/")
    if protocol.cause and len(numbers) > 1:
        yield protocol.cause(int(numbers[1]))
    usual = {function.effect for function in protocol.functions.values() if function.name == operation["action"]}
    if usual and operation["effect"] not in usual:
        yield str(operation["effect"])


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
    written = "" if not values else _written(operation, values[0]) if len(values) == 1 else f"= {values[0]} … ×{len(values)}"
    if is_label(operation["protocol"], about):  # it says all that space and numbers say
        return " ".join(part for part in (str(about["name"]), written) if part)
    return " ".join(str(part) for part in (about.get("space"), about.get("name"), span, written) if part)


def _written(operation: Mapping[str, Any], value: object) -> str:
    """A value; how much of a program or file was moved."""
    meant = amount(operation["protocol"], operation["action"], operation["effect"])
    return f"= {value}" if meant == "{}" else f"{meant.format(f'{value:.10g}')}"


def _outcome(operation: Mapping[str, Any], language: str) -> str:
    return str(operation["error"] or say(f"outcome.{operation['outcome'] or 'unknown'}", language))
