"""Every Modbus capture against everything that other people's tools say of it. `python -m tests.conformance.modbus` prints the table.

A disagreement is a baseline row that ours does not agree with in every column that the baseline has, or a row that only one side has. Each known one is
counted and explained in KNOWN; any other one fails the test.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.conformance import ipal, tshark, zeek
from tests.conformance.rows import Disagreement, Seen, compare, dissect, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = list[dict[str, Any]]

SHARED: Final = Path(__file__).parents[3] / "shared" / "captures"
ITI: Final = "conformance/ITI+ICS-Security-Tools/pcaps"
DETAILED: Final = "conformance/cisagov+icsnpp-modbus/testing"
PART2: Final = f"{ITI}/ModbusTCP/modbus_test_data_part2.pcap"
EXAMPLE: Final = f"{DETAILED}/traces/modbus_example.pcap"
SMALL: Final = "conformance/zeek+zeek/testing/btest/Traces/modbus/modbusSmall.pcap"
IPAL: Final = "conformance/fkie-cad+ipal_transcriber/misc/pcaps/modbus.pcap"
UMAS: Final = f"{ITI}/modicon/modicon_test.pcap"


def captures() -> list[str]:
    """Every Modbus capture, from the index and from the attack folders."""
    with (SHARED / "index.csv").open(newline="") as file:
        named = [row["capture"] for row in csv.DictReader(file) if {"modbus", "umas"} & set(row["protocols"].split(","))]
    attacks = [str(path.relative_to(SHARED)) for folder in ("modbus-lemay", "umas-lemorn1") for path in sorted((SHARED / "attacks" / folder).glob("*.pcap"))]
    return sorted({*named, *attacks})


def others() -> list[str]:
    """Every other capture, packed ones too: none of them may hold Modbus."""
    found = [path for path in SHARED.rglob("*") if path.name.endswith((".pcap", ".pcapng", ".cap", ".pcap.zip"))]
    return sorted({str(path.relative_to(SHARED)) for path in found} - set(captures()))


@cache
def ours(capture: str) -> Rows:
    return dissect(SHARED / capture)


# --- our side, in the shape of a baseline ---


def answers(rows: Rows) -> list[Seen]:
    return [message for message in messages(rows) if message.answer]


def transactions(rows: Rows) -> list[Seen]:
    """A row a request, with what was answered; a row a message for functions that Zeek does not pair."""
    made: list[Seen] = []
    told = messages(rows)
    for at, message in enumerate(told):
        if message.answer is False:
            reply = next((one for one in told[at:] if one.answer and one.target_port == message.source_port), None)
            copies = 2 if message.function in (7, 17) else 1
            made += [replace(message, exception=reply.exception if reply else 0)] * copies
    return made


def of_function(*functions: int) -> Callable[[Rows], list[Seen]]:
    return lambda rows: [message for message in messages(rows) if message.function in functions]


def ended_early(rows: Rows) -> list[Seen]:
    """Requests that end before what their function needs."""
    return [message for message in messages([row for row in rows if "short" in row["anomaly"]]) if message.answer is False]


def flows(rows: Rows) -> list[Seen]:
    """Connections, with function 90 where it is used."""
    made: dict[tuple[Any, ...], Seen] = {}
    for message in messages(rows):
        if message.answer is False:
            key = (message.source, message.source_port, message.target, message.target_port)
            made[key] = Seen(None, None, *key, function=90 if message.function == 90 or (key in made and made[key].function == 90) else None)
    return list(made.values())


def in_events(rows: Rows) -> list[Seen]:
    """Messages, then their contents, sorted by event and connection as the btest sorts its output; Zeek tells the bits of whole octets."""
    made: list[Seen] = []
    for message in messages(rows):
        values = message.values or ()
        made.append(replace(message, values=(*values, *[0.0] * (-len(values) % 8)) if message.function == 1 else values))
    made.sort(key=lambda one: ((one.target_port if one.answer else one.source_port) or 0, not one.answer))
    return made + [one for function in (1, 15) for answer in (False, True) for one in made if (one.function, one.answer) == (function, answer)]


def points(rows: Rows) -> list[Seen]:
    """The last value of every point, sorted."""
    last: dict[tuple[Any, ...], float] = {}
    for message in messages(rows):
        if message.answer and not message.exception and message.first is not None:
            for number, value in enumerate(message.values or ()):
                last[message.source, message.source_port, message.unit, message.space, message.first + number] = value
    made = [
        Seen(source=host, source_port=port, unit=unit, space=space, first=first, values=(value,)) for (host, port, unit, space, first), value in last.items()
    ]
    return sorted(made, key=lambda point: repr(replace(point, values=tuple(int(value) for value in point.values or ()))))


@dataclass(frozen=True)
class Baseline:
    """What one tool says of one capture, and how ours is laid beside it."""

    tool: str
    capture: str
    truth: str
    read: Callable[[Path], list[Seen]]
    shape: Callable[[Rows], list[Seen]]

    @property
    def name(self) -> str:
        return f"{self.tool} on {Path(self.capture).name}" + (f" ({'/'.join(Path(self.truth).parts[-2:])})" if self.truth else "")


@dataclass(frozen=True)
class Known:
    """Disagreements that are understood: in which baseline, which ones, how many, why."""

    tool: str
    capture: str
    which: Callable[[Disagreement], bool]
    count: int
    why: str


_LOGS: Final = "conformance/automayt+ICS-pcap/MODBUS"
_TWICE: Final = ("MODBUS-TestDataPart2", "digitalbond_pcaps/modbus_test_data_part2")
_FKIE: Final = "conformance/fkie-cad+ipal_transcriber"
_BTEST: Final = "conformance/zeek+zeek/testing/btest/Baseline/scripts.base.protocols.modbus.coil_parsing_small"
BASELINES: Final = (
    *(Baseline("zeek modbus.log", PART2, f"{_LOGS}/{place}/modbus.log", zeek.modbus_log, answers) for place in _TWICE),
    *(Baseline("zeek weird.log", PART2, f"{_LOGS}/{place}/weird.log", zeek.weird, ended_early) for place in _TWICE),
    Baseline("zeek modbus.log", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus.log", zeek.modbus_log, answers),
    Baseline("icsnpp detailed", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus_detailed.log", zeek.detailed, transactions),
    Baseline("icsnpp mask write", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus_mask_write_register.log", zeek.mask_writes, of_function(22)),
    Baseline("icsnpp read write", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/modbus_read_write_multiple_registers.log", zeek.read_writes, of_function(23)),
    Baseline("zeek conn.log", EXAMPLE, f"{DETAILED}/baseline/analyzer.basic/conn.log", zeek.connections, flows),
    Baseline("zeek btest", SMALL, f"{_BTEST}/output", zeek.events, in_events),
    Baseline("ipal", IPAL, f"{_FKIE}/misc/ipal/modbus.ipal", ipal.transcript, messages),
    Baseline("ipal snapshot", IPAL, f"{_FKIE}/tests/snapshots/validation/test_transcriber_raw_modbus.ipal", ipal.transcript, messages),
    Baseline("ipal state", IPAL, f"{_FKIE}/tests/snapshots/validation/test_transcriber_combined_modbus.state", ipal.state, points),
    Baseline("ipal extractor", IPAL, f"{_FKIE}/tests/snapshots/validation/test_extractor_default_modbus.state", ipal.state, points),
    Baseline("ndpi", UMAS, "conformance/ntop+nDPI/tests/cfgs/default/result/umas.pcap.out", ipal.ndpi, flows),
)


def with_tshark() -> tuple[Baseline, ...]:
    return tuple(Baseline("tshark", capture, "", tshark.read, messages) for capture in captures())


def _only(codes: tuple[int, ...], mine: bool) -> Callable[[Disagreement], bool]:
    """Rows of these functions that only one side has."""

    def which(one: Disagreement) -> bool:
        row, other = (one.ours, one.theirs) if mine else (one.theirs, one.ours)
        return other is None and row is not None and row.function in codes

    return which


def _nothing(*functions: int) -> Callable[[Disagreement], bool]:
    """Rows whose quantity is 0."""
    return lambda one: one.columns == ("quantity",) and one.theirs is not None and one.theirs.quantity == 0 and one.theirs.function in functions


def _coil_6(one: Disagreement) -> bool:
    return one.columns == ("first",) and one.theirs is not None and (one.theirs.space, one.theirs.first, one.ours and one.ours.first) == ("coil", 6, 5)


KNOWN: Final = (
    Known("zeek modbus.log", PART2, _only((0x81, 0x98), mine=False), 10,
          "Zeek logs an exception 0x81 or 0x98 twice, first without its code (zeek/zeek#3984)."),
    Known("zeek modbus.log", PART2, _only(tuple(range(0x89, 0x94)), mine=True), 9,
          "Zeek never logs exceptions of functions that it has no parser for, here 0x89 to 0x93 (zeek/zeek#3984). They are on the wire; tshark has them."),
    Known("icsnpp detailed", EXAMPLE, _nothing(20, 21), 2,
          "The message names no record (octet count 0). icsnpp prints quantity 0 without an address; ours says neither, and bad_count."),
    Known("icsnpp detailed", EXAMPLE, _nothing(24), 1,
          "icsnpp's quantity is how many values the queue held (0, and ours lists none); the object of ours is the one address of the queue."),
    Known("tshark", PART2, _nothing(1, 2, 3, 4, 15, 16, 23), 7,
          "The request asks for 0 values (malformed on purpose). An object has no empty range: ours names the one address, and says bad_count."),
    *(Known(tool, IPAL, _coil_6, count, "IPAL counts coils from 1 in function 15 and from 0 in function 1: the wire and tshark have reference number 5.")
      for tool, count in (("ipal", 2), ("ipal snapshot", 2), ("ipal state", 1), ("ipal extractor", 1))),
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One baseline compared."""

    baseline: Baseline
    theirs: int
    ours: int
    explained: tuple[tuple[Known, tuple[Disagreement, ...]], ...]
    unexplained: tuple[Disagreement, ...]

    @property
    def disagreements(self) -> list[Disagreement]:
        return [*(one for _, found in self.explained for one in found), *self.unexplained]

    @property
    def agreed(self) -> int:
        """Rows of the baseline that agree in every column that it has."""
        return self.theirs - sum(one.theirs is not None for one in self.disagreements)


def check(baseline: Baseline) -> Result:
    """Compare, and sort the disagreements by their explanation."""
    theirs = baseline.read(SHARED / (baseline.truth or baseline.capture))
    mine = baseline.shape(ours(baseline.capture))
    left = compare(theirs, mine)
    explained: list[tuple[Known, tuple[Disagreement, ...]]] = []
    for known in KNOWN:
        if (known.tool, known.capture) == (baseline.tool, baseline.capture):
            found = tuple(one for one in left if known.which(one))
            explained.append((known, found))
            left = [one for one in left if one not in found]
    return Result(baseline, len(theirs), len(mine), tuple(explained), tuple(left))


def main() -> None:
    """Print the table for the closing note."""
    say = sys.stdout.write
    say("| baseline | its rows | ours | agreed | explained | unexplained |\n|---|---|---|---|---|---|\n")
    results = [check(baseline) for baseline in (*BASELINES, *with_tshark())]
    for result in results:
        explained = sum(len(found) for _, found in result.explained)
        say(f"| {result.baseline.name} | {result.theirs} | {result.ours} | {result.agreed} | {explained} | {len(result.unexplained)} |\n")
    for why in dict.fromkeys(known.why for known in KNOWN):
        say(f"\n- {sum(len(found) for result in results for known, found in result.explained if known.why == why)}: {why}")
    say("\n")


if __name__ == "__main__":
    main()
