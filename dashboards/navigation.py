"""Which pages there are: every file of `views`, each with its own address and its place among the others."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

VIEWS: Final = Path(__file__).parent / "views"
ELSEWHERE: Final = "path"  # in the address of the first page: what was asked for and is no page


class Place(NamedTuple):
    """A page's `file`; its `address`, under which its title stands in the catalogue, too; its `place` in the navigation.

    Where only links lead to it, that is 0, and it is `within` the page of that address.
    """

    file: Path
    address: str
    place: int
    within: str = ""


@cache
def places() -> tuple[Place, ...]:
    """Every page, in the order of the navigation; the first one that is shown there stands at the root."""
    found = [Place(file, *_declared(file)) for file in sorted(VIEWS.glob("*.py")) if file.stem != "__init__"]
    return tuple(sorted(found, key=lambda place: (place.place, place.address)))


def _declared(file: Path) -> tuple[str, int, str]:
    """What a page says of itself in `PAGE`: read, for a page that is imported is shown."""
    for line in ast.parse(file.read_text("utf-8")).body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.target.id == "PAGE" and line.value is not None:
            address, place = ast.literal_eval(line.value)
            return (str(address), place, "") if isinstance(place, int) else (str(address), 0, str(place))
    raise ValueError(f"{file.name} does not say where it stands: PAGE: Final = (address, place), or (address, address of the page that it is within)")
