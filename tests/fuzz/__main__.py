"""The fuzzer as a program: `python -m tests.fuzz [--seed N] [--seconds N | --cases N] [--keep FOLDER] [TARGET …]` hunts,
`python -m tests.fuzz replay FILE …` runs what it kept.

Inputs run in a process of their own, which a read of a guarded page ends. What it did last stands in a file that outlives it.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import sys
from pathlib import Path

from tests.fuzz import hunting


def main() -> int:
    """Returns 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", nargs="*", help="targets, all without any; or: replay FILE …")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=0, help="cases a target")
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together, unless cases are given")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="where inputs that show something are kept")
    parser.add_argument("--progress", type=Path, help=argparse.SUPPRESS)  # this is the process that may end
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    faulthandler.enable()
    if options.target[:1] == ["replay"]:
        return hunting.replay([Path(file) for file in options.target[1:]])
    if options.write:
        hunting.write(options.target[0], options.seed, options.first, options.write)
        return 0
    if options.progress:
        cases = {name: int(most) for name, _, most in (target.partition("=") for target in options.target)}
        json.dump(hunting.work(cases, options.seed, options.first, options.seconds, options.progress), sys.stdout)
        return 0
    return hunting.hunt_all(options.target, options.seed, options.cases, options.seconds, options.keep)


if __name__ == "__main__":
    sys.exit(main())
