"""IPAL: messages as JSON objects, a line each or laid out over many, and the states that follow from them; and what nDPI calls a flow."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tests.conformance.rows import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPACES: Final = {"coil": "coil", "discrete.input": "discrete_input", "input.register": "input_register", "holding.register": "holding_register"}


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """JSON objects one after the other, without the lines that the snapshots mask."""
    text = re.sub(r",(\s*})", r"\1", re.sub(r"^###IGNORE-LINE###$", "", path.read_text(), flags=re.MULTILINE))
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


def _end(text: str) -> tuple[str, int, int | None]:
    host, port, *unit = text.split(":")
    return host, int(port), int(unit[0]) if unit else None


def transcript(path: Path) -> list[Seen]:
    """A row a message, with the values that it writes or reads."""
    made: list[Seen] = []
    for message in _objects(path):
        source, source_port, asked = _end(message["src"])
        target, target_port, unit = _end(message["dest"])
        names = [key.rpartition(".") for key in message["data"]]
        numbers = [int(number) for _, _, number in names]
        values = tuple(message["data"].values())
        made.append(Seen(
            answer=message["activity"] in ("inform", "action"), source=source, source_port=source_port, target=target, target_port=target_port,
            unit=unit if asked is None else asked, function=message["type"], first=min(numbers), quantity=len(numbers), space=SPACES[names[0][0]],
            exception=0, values=None if None in values else values,
        ))  # fmt: skip
    return made


def state(path: Path) -> list[Seen]:
    """The last value of every point, sorted."""
    *_, last = _objects(path)
    made: list[Seen] = []
    for name, value in last["state"].items():
        host, port, unit, point = name.split(":")
        space, _, number = point.rpartition(".")
        made.append(Seen(source=host, source_port=int(port), unit=int(unit), space=SPACES[space], first=int(number), values=(value,)))
    return sorted(made, key=repr)


FLOW: Final = re.compile(r"TCP ([\d.]+):(\d+) <-> ([\d.]+):(\d+) \[proto: [\d.]+/Modbus(\.UMAS)?\]")


def ndpi(path: Path) -> list[Seen]:
    """The flows that nDPI calls Modbus; UMAS is its function 90."""
    return [
        Seen(source=source, source_port=int(source_port), target=target, target_port=int(target_port), function=90 if unity else None)
        for source, source_port, target, target_port, unity in FLOW.findall(path.read_text())
    ]
