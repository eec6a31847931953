"""`python -m tests.bench.generator --seed N --packets N FILE`: a capture of a plant's traffic, and the truth about it beside it.

The same seed gives the same octets, and the first packets of a longer capture are those of a shorter one. `-` writes to standard output; without
`--packets` it goes on until the reader has had enough. More than half of the packets are Modbus/TCP; there are IEC 60870-5-104, DNP3, S7comm and
EtherNet/IP, and what else a network carries. Some segments are split, hold several messages, come out of order or twice, or are sent again. Nothing is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

from tests.bench.traffic import modbus, scada
from tests.bench.traffic.office import Office
from tests.bench.traffic.repetition import FILE_HEADER, Repetition
from tests.bench.traffic.template import MILLISECOND, PERIOD, SECOND, Template

if TYPE_CHECKING:
    from typing import Any, BinaryIO

SEED: Final = 7
LEAST_A_SECOND: Final = 3500  # packets; a shorter capture needs no whole minute
PLCS: Final = [f"10.10.1.{number}" for number in range(1, 41)]
MASTERS: Final = (("10.10.0.10", 500, 0.0), ("10.10.0.11", 1300, 0.0), ("10.10.0.20", 800, 0.03))  # address, period in milliseconds, writes


def record(seed: int, packets: int | None = None) -> Template:
    """One minute of the plant, or as much as so many packets need."""
    horizon = PERIOD if packets is None else min(PERIOD, (1 + packets // LEAST_A_SECOND) * SECOND)
    template = Template(seed, horizon)
    _modbus(template)
    _scada(template)
    Office(template, _random(template, "office")).run()
    return template


def _random(template: Template, *name: object) -> Random:
    """Everyone rolls their own dice, so that nobody changes another's traffic."""
    return Random(f"{template.seed}/{'/'.join(str(part) for part in name)}")


def _modbus(template: Template) -> None:
    plcs = [modbus.Plc(f"{template.seed}/{address}") for address in PLCS]
    for number, (master, period, writes) in enumerate(MASTERS):
        for place, (address, plc) in enumerate(zip(PLCS, plcs, strict=True)):
            random = _random(template, master, address)
            polls = modbus.polls(random, 4 if place >= 30 else 1)
            if number == 1 and place in (5, 25):
                polls.append(modbus.Poll(1, 3, modbus.NOWHERE, 2))  # somebody made a slip when this was set up
            polling = modbus.Master(template, random, plc, (master, address), vlan=20 if place >= 30 else 0, seen=random.random() > 0.25)
            polling.run(random.randrange(period * MILLISECOND), period * MILLISECOND, polls, pipelines=number == 0 and place < 12, writes=writes)
    for address, plc in zip(PLCS[:8], plcs, strict=False):
        modbus.engineer(template, _random(template, "engineer", address), plc, ("10.10.0.50", address))
    modbus.scanner(template, _random(template, "scanner"), "10.0.2.66", PLCS[:5])


def _scada(template: Template) -> None:
    for number in range(1, 17):
        random = _random(template, "iec104", number)
        scada.Iec104(template, random, ("10.20.0.10", f"10.20.1.{number}"), 100 + number).run(random.randrange(SECOND))
    for number in range(1, 19):
        random = _random(template, "dnp3", number)
        scada.Dnp3(template, random, ("10.30.0.10", f"10.30.1.{number}"), 10 + number).run(random.randrange(SECOND))
    for number in range(1, 9):
        for display in ("10.40.0.10", "10.40.0.11"):
            random = _random(template, "s7comm", display, number)
            scada.S7(template, random, (display, f"10.40.1.{number}")).run(random.randrange(SECOND))
    for number in range(1, 15):
        random = _random(template, "enip", number)
        scada.Enip(template, random, ("10.50.0.10", f"10.50.1.{number}")).run(random.randrange(SECOND))
    for number in range(1, 5):
        scada.implicit(template, _random(template, "implicit", number), ("10.50.0.10", f"10.50.1.{number}"))


def generate(seed: int, packets: int, file: Path) -> dict[str, Any]:
    """Write a capture, and its truth beside it. Returns the truth."""
    repetition = Repetition(record(seed, packets))
    with file.open("wb") as opened:
        _write(repetition, packets, opened)
    truth = {"seed": seed, **repetition.truth(packets)}
    truth_file(file).write_text(json.dumps(truth, indent=1) + "\n", "utf-8")
    return truth


def truth_file(capture: Path) -> Path:
    """Where the truth about a capture stands."""
    return capture.with_name(capture.name + ".truth.json")


def _write(repetition: Repetition, packets: int | None, file: BinaryIO) -> None:
    file.write(FILE_HEADER)
    for octets in repetition.minutes(packets):
        file.write(octets)
    file.flush()


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.generator", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the capture to write; - for standard output")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--packets", type=int)
    parser.add_argument("--truth", type=Path, help="where to write the truth about standard output")
    chosen = parser.parse_args()
    if chosen.file != "-":
        if chosen.packets is None:
            parser.error("a file needs --packets")
        generate(chosen.seed, chosen.packets, Path(chosen.file))
        return
    repetition = Repetition(record(chosen.seed, chosen.packets))
    if chosen.truth and chosen.packets:
        chosen.truth.write_text(json.dumps({"seed": chosen.seed, **repetition.truth(chosen.packets)}, indent=1) + "\n", "utf-8")
    try:
        _write(repetition, chosen.packets, sys.stdout.buffer)
    except BrokenPipeError:  # the reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
