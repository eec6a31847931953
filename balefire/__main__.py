"""`python -m balefire`, and the program `balefire`."""

from __future__ import annotations

from balefire.cli import main
from records.lean import lean


def start() -> None:
    """Run the command line of this process."""
    lean()
    main()


if __name__ == "__main__":
    start()
