"""Zeek's logs, with and without `#fields`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.rows import Row, said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def log(path: Path, columns: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a log by column, without what is unset; `columns` where the file names none."""
    rows: list[dict[str, str]] = []
    for line in path.read_text().splitlines():
        if line.startswith("#fields"):
            columns = tuple(line.split("\t")[1:])
        elif line and not line.startswith("#"):
            rows.append(dict(zip(columns, line.split("\t"), strict=True)))
    return [{name: value for name, value in row.items() if value != "-"} for row in rows]


def number(row: dict[str, str], name: str) -> int | None:
    """A count, decimal or 0x…; None where it is unset."""
    return int(row[name], 0) if name in row else None


def ends(row: dict[str, str], answer: bool = False) -> Row:
    """Who spoke to whom: the originator to the responder, or the other way in an answer."""
    one, other = ("resp", "orig") if answer else ("orig", "resp")
    return {"source": row[f"id.{one}_h"], "source_port": int(row[f"id.{one}_p"]), "target": row[f"id.{other}_h"], "target_port": int(row[f"id.{other}_p"])}


def connections(service: str) -> Callable[[Path], list[Row]]:
    """conn.log: the connections that hold a service."""
    return lambda path: [said(**ends(row)) for row in log(path) if service in row.get("service", "").split(",")]
