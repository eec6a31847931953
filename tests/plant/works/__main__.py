"""python -m tests.plant.works --seed 7 --site water --hours 24 --attack all -o F.pcap --labels F.json"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.plant.works import attacks, people, routine
from tests.plant.works.plant import SITES, build
from tests.plant.works.world import HOUR, SECOND, World

MOST: Final = 200  # controllers; all live in one network of 254 addresses


def instant(text: str) -> int:
    """Microseconds since the epoch."""
    when = datetime.fromisoformat(text)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()) * SECOND


def arguments() -> argparse.Namespace:
    """What is wanted."""
    parser = argparse.ArgumentParser(prog="python -m tests.plant.works", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="another seed, another plant")
    parser.add_argument("--site", choices=sorted(SITES), default="water")
    parser.add_argument("--start", type=instant, default="2026-03-02T00:00Z", help="ISO 8601; no offset means UTC")
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--controllers", type=int, help="how many; without it the seed says")
    parser.add_argument("--attack", nargs="*", default=["none"], metavar="NAME", help=f"all, none or some of {', '.join(sorted(attacks.ATTACKS))}")
    parser.add_argument("--benign", choices=("week", "day", "none"), default="day", help="what people do beside")
    parser.add_argument("-o", "--output", required=True, help="the capture; - is standard output")
    parser.add_argument("--labels", type=Path, help="JSON lines")
    wanted = parser.parse_args()
    if wanted.hours <= 0 or (wanted.controllers is not None and not 1 <= wanted.controllers <= MOST):
        parser.error(f"there are no such hours, or no such number of controllers (1 to {MOST})")
    if unknown := [name for name in wanted.attack if name not in ("all", "none", *attacks.ATTACKS)]:
        parser.error(f"no such attack: {', '.join(unknown)}; there are {', '.join(sorted(attacks.ATTACKS))}")
    return wanted


def main() -> None:
    """Write it."""
    wanted = arguments()
    begun = time.perf_counter()
    with nullcontext(sys.stdout.buffer) if wanted.output == "-" else Path(wanted.output).open("wb") as file:
        world = World(wanted.seed, wanted.start, wanted.start + int(wanted.hours * HOUR), file)
        plant = build(world, SITES[wanted.site], wanted.controllers)
        routine.start(world, plant)
        people.start(world, plant, wanted.benign)
        names = sorted(attacks.ATTACKS) if "all" in wanted.attack else [name for name in wanted.attack if name != "none"]
        left_out = attacks.start(world, plant, names) if names else []
        world.run()
    if wanted.labels:
        with wanted.labels.open("w", encoding="utf-8") as file:
            world.write_labels(file, plant.about())
    if left_out:
        sys.stderr.write(f"left out, for nobody there speaks what they need: {', '.join(left_out)}\n")
    took = time.perf_counter() - begun
    sys.stderr.write(f"{world.packets:,} packets, {world.octets:,} octets in {took:.1f} s ({world.packets / took:,.0f} a second), {len(world.labels)} labels\n")


if __name__ == "__main__":
    main()
