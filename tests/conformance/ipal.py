"""IPAL: messages as JSON objects, a line each or laid out over many, and the states that follow from them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.conformance.rows import Row, said

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def objects(path: Path) -> Iterator[dict[str, Any]]:
    """JSON objects one after the other, without the lines that the snapshots mask."""
    text = re.sub(r",(\s*})", r"\1", re.sub(r"^###IGNORE-LINE###$", "", path.read_text(), flags=re.MULTILINE))
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


def ends(message: dict[str, Any]) -> Row:
    """Who spoke to whom; a unit, where there is one, stands behind the port of the end that has it."""
    source, source_port, *asked = message["src"].split(":")
    target, target_port, *unit = message["dest"].split(":")
    whose = asked or unit
    return said(source=source, source_port=int(source_port), target=target, target_port=int(target_port), unit=int(whose[0]) if whose else None)


def answered(message: dict[str, Any]) -> bool:
    """Whether a message is not a request."""
    return message["activity"] in ("inform", "action")


def states(path: Path) -> Iterator[dict[str, Any]]:
    """The value of everything that has one, after each message."""
    return (each["state"] for each in objects(path))


def last_state(path: Path) -> dict[str, Any]:
    """The last value of everything that has one."""
    *_, last = states(path)
    return last
