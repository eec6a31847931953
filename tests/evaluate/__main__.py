"""`make evaluate`, or `python -m tests.evaluate`: judges labelled captures and simulated plants and writes docs/evaluation.md.

Exit status: 0 written; 1 written, and something in it is not explained; 2 there is nothing to judge, nothing written.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tests.evaluate.families import ATTACKS, families
from tests.evaluate.keeping import code, once
from tests.evaluate.page import Page, of_family, of_plant
from tests.evaluate.plants import present

PAGE: Final = Path(__file__).parents[2] / "docs" / "evaluation.md"


def main() -> int:
    """Judge everything, write the page."""
    asked = argparse.ArgumentParser(prog="python -m tests.evaluate", description="Judges labelled captures and simulated plants.")
    asked.add_argument("--seeds", type=int, nargs="*", default=[1, 2], help="of simulated plants; none: families alone")
    asked.add_argument("--sites", nargs="*", default=["water", "substation", "packaging"], help="kinds of simulated plants")
    asked.add_argument("--hours", type=float, default=24.0, help="of each plant with attacks")
    asked.add_argument("--benign-hours", type=float, default=168.0, help="of each plant without attacks; 168: a week")
    asked.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="processes at a time; each takes up to 1 GiB")
    asked.add_argument("--kept", type=Path, metavar="FOLDER", help="what was judged is kept here, and not judged again by the same code")
    asked.add_argument("-o", "--output", type=Path, default=PAGE)
    options = asked.parse_args()
    found, page = families(), Page()
    notes: list[str] = []
    if not found:
        notes.append(f"families: no captures at {ATTACKS}")
    if options.seeds and not present():
        notes.append("plants: there is no simulator in this checkout")
    plants = product(options.sites, options.seeds if present() else ())
    kept = options.kept and options.kept / code()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(once, kept, family.name, of_family, family) for family in found if not family.unjudged]
        for site, seed in plants:
            given = (site, seed, options.hours, options.benign_hours)
            parts.append(pool.submit(once, kept, "-".join(map(str, given)), of_plant, *given))
        for part in parts:
            page.join(part.result())
    if not page.rows:
        sys.stderr.write("\n".join(["nothing to judge:", *notes]) + "\n")
        return 2
    options.output.write_text(page.text(found, notes), "utf-8")
    sys.stderr.write(f"{options.output}: {len(page.rows)} judged, {page.unexplained} not explained\n")
    return 1 if page.unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
