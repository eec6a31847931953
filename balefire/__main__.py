"""`python -m balefire`, and the program `balefire`."""

from __future__ import annotations

import gc
import sys
from typing import Final

from balefire.cli import main

UNCOLLECTED: Final = 100_000  # objects; Python's 700 have modules and rules looked through for garbage again and again while they are made (0.4 s)


class _Forgone:
    """Arrow looks for pandas when it makes its first array: 0.3 s and 35 MiB, for nothing. Only the dashboard, a process of its own, has use for it."""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def start() -> None:
    """Run the command line of this process."""
    sys.meta_path.insert(0, _Forgone)
    gc.set_threshold(UNCOLLECTED)
    main()


if __name__ == "__main__":
    start()
