"""Every Modbus capture against everything that other people's tools say of it. `python -m tests.conformance.modbus` prints the table.

A disagreement is a baseline row that ours does not agree with in every column that the baseline has, or a row that only one side has. Each known one is
counted and explained in KNOWN; any other one fails the test.
"""

from __future__ import annotations

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
    index = [line.split(",conformance/")[0] for line in (SHARED / "index.csv").read_text().splitlines()[1:]]
    named = [line.split(",")[0] for line in index if "modbus" in line.split(".pcap", 1)[1].split(",ether")[0]]
    attacks = [str(path.relative_to(SHARED)) for folder in ("modbus-lemay", "umas-lemorn1") for path in sorted((SHARED / "attacks" / folder).glob("*.pcap"))]
    return sorted({*named, *attacks})


def others() -> list[str]:
    """Every other capture: none of them may hold Modbus."""
    found = [path for path in SHARED.rglob("*") if path.suffix in (".pcap", ".pcapng", ".cap")]
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
    """Messages, then their contents, sorted by event and connection as the btest sorts its output; bits fill their octets as Zeek tells them."""
    told = messages(rows)
    padded = [replace(message, values=(*(message.values or ()), *[0.0] * (-len(message.values or ()) % 8)) if message.function == 1 else message.values) for message in told]
    made = list(padded)
    for function in (1, 15):
        made += [message for message in padded if message.function == function]
    return made


def in_order(theirs: list[Seen]) -> list[Seen]:
    return theirs


def points(rows: Rows) -> list[Seen]:
    """The last value of every point, sorted."""
    last: dict[tuple[Any, ...], float] = {}
    for message in messages(rows):
        if message.answer and not message.exception and message.first is not None:
            for number, value in enumerate(message.values or ()):
                last[message.source, message.source_port, message.unit, message.space, message.first + number] = value
    made = [Seen(source=host, source_port=port, unit=unit, space=space, first=first, values=(value,)) for (host, port, unit, space, first), value in last.items()]
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


KNOWN: Final[tuple[Known, ...]] = ()


@dataclass(frozen=True)
class Result:
    """One baseline compared."""

    baseline: Baseline
    theirs: int
    ours: int
    explained: tuple[tuple[Known, int], ...]
    unexplained: tuple[Disagreement, ...]

    @property
    def agreed(self) -> int:
        """Rows of the baseline that agree in every column that it has."""
        missed = sum(count for _, count in self.explained) + len(self.unexplained)
        return self.theirs - missed + sum(1 for one in self.unexplained if one.theirs is None) + self._extra

    @property
    def _extra(self) -> int:
        return 0


def check(baseline: Baseline) -> Result:
    """Compare, and sort the disagreements by their explanation."""
    theirs = baseline.read(SHARED / (baseline.truth or baseline.capture))
    mine = baseline.shape(ours(baseline.capture))
    left = compare(theirs, mine)
    explained: list[tuple[Known, int]] = []
    for known in KNOWN:
        if (known.tool, known.capture) == (baseline.tool, baseline.capture):
            found = [one for one in left if known.which(one)]
            explained.append((known, len(found)))
            left = [one for one in left if one not in found]
    return Result(baseline, len(theirs), len(mine), tuple(explained), tuple(left))
