"""Captures that other people's tools have looked at, laid beside what `balefire dissect` says. One file a protocol, found by discovery.

A disagreement is a baseline row that ours does not agree with in every column that the baseline has, or a row that only one side has. Each known one is
counted and explained in its protocol's file; any other one fails the test.
"""

from __future__ import annotations

import csv
import importlib
import pkgutil
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zipfile import ZipFile

from sensors.activities import quality_names, space_name
from sensors.engine.tables import WITHOUT
from sensors.listing import Listing, plain_rows, sample_octets, sample_values
from sensors.protocol import protocols
from sensors.sources.pcap import find, open_capture
from tests.conformance.rows import Disagreement, Row, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensors.release import Handed
Lines = list[dict[str, Any]]

SHARED: Final = Path(__file__).parents[3] / "shared" / "captures"
# What the captures of attacks hold; the index lists the others. The two controls hold nothing that we look for.
ATTACKS: Final = {
    "modbus-lemay": "modbus", "umas-lemorn1": "modbus,umas", "dnp3-qut": "dnp3", "s7-qut": "s7comm", "profinet-smehner": "profinet-dcp",
    "goose-kaitoray": "goose", "melsec-lemorn1": "melsec", "tristation-nozomi": "tristation",
    "dnp3-qut/control-training-infrequent.pcap.zip": "goose", "s7-qut/control.attacker.pcap": "",
}  # fmt: skip
SUFFIXES: Final = (".pcap", ".pcapng", ".cap", ".pcap.zip")


@dataclass(frozen=True)
class Baseline:
    """What one tool says of one capture, and how ours is laid beside it. `read` takes the ground truth, or the capture where there is none."""

    tool: str
    capture: str
    truth: str
    read: Callable[[Path], list[Row]]
    shape: Callable[[Lines], list[Row]]

    @property
    def name(self) -> str:
        """Words for tests and tables."""
        return f"{self.tool} on {title(self.capture)}" + (f" ({'/'.join(Path(self.truth).parts[-2:])})" if self.truth else "")


@dataclass(frozen=True)
class Known:
    """Disagreements that are understood: in which baseline, which ones, how many, who is right ("ours", "theirs" or "neither"), why."""

    tool: str
    capture: str
    which: Callable[[Disagreement], bool]
    count: int
    right: str
    why: str


@dataclass(frozen=True)
class Conformance:
    """One protocol's comparison.

    `names` says which of our protocols a name of the index asks for: one of them has operations (those of an upper protocol stand in place of the lower one's);
    `inside` names of the index under which those may be found too. `alike`: columns that rows which differ have in common. `attacks` are folders of attack
    captures that are compared, too. `everywhere`: ours that the index does not name, for they may be in any capture; `also`: captures in which they are
    compared. `silent` are ground truths of the index that say nothing which could be compared, with the reason; `undecoded` are
    captures of which more than a twentieth stays undecoded on the protocol's ports, with the reason. `uncompared` are captures, or folders of them, that hold
    the protocol and are compared with nothing, with the reason; `untold` is what no capture tries, or what our lines do not say.
    """

    title: str
    names: Mapping[str, tuple[str, ...]]
    alike: tuple[str, ...]
    baselines: tuple[Baseline, ...]
    tshark: Callable[[str], tuple[Baseline, ...]]
    known: tuple[Known, ...] = ()
    inside: frozenset[str] = frozenset()
    attacks: tuple[str, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict[str, str])
    undecoded: Mapping[str, str] = field(default_factory=dict[str, str])
    everywhere: frozenset[str] = frozenset()
    also: tuple[str, ...] = ()
    uncompared: Mapping[str, str] = field(default_factory=dict[str, str])
    untold: tuple[str, ...] = ()

    @property
    def protocols(self) -> frozenset[str]:
        """Ours."""
        return self.everywhere | {name for names in self.names.values() for name in names}

    def captures(self) -> list[str]:
        """Every capture that holds the protocol."""
        return [
            capture for capture, held in contents().items() if capture in self.also
            or (held & set(self.names) and (capture in truths() or Path(capture).parent.name in self.attacks))
        ]  # fmt: skip

    def left_out(self) -> list[str]:
        """Every capture that holds the protocol, or may, and is compared with nothing."""
        compared = set(self.captures())
        return [capture for capture, held in contents().items() if capture not in compared and held & (set(self.names) | self.inside)]

    def with_tshark_alone(self) -> list[str]:
        """Every capture that no other tool's words are there for."""
        told = {baseline.capture for baseline in self.baselines}
        return [capture for capture in self.captures() if capture not in told]

    def ports(self, capture: str) -> set[str]:
        """Where the protocol is at home, and where it is found in this capture."""
        own = [each for each in protocols() if each.name in self.protocols]
        found = {line["destination"]["port"] for line in heard(capture).lines if line["protocol"] in self.protocols}
        return {f"{transport}/{port}" for transport in ("tcp", "udp") for port in (*found, *(port for each in own for port in (*each.tcp, *each.udp)))}

    def all(self) -> tuple[Baseline, ...]:
        """The ground truths, and tshark on every capture."""
        return *self.baselines, *(baseline for capture in self.captures() for baseline in self.tshark(capture))


@cache
def conformances() -> tuple[Conformance, ...]:
    """Every protocol's comparison, by title."""
    import tests.conformance as package

    modules = [importlib.import_module(f"{package.__name__}.{each.name}") for each in pkgutil.iter_modules(package.__path__) if each.name[:2] != "__"]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Conformance)]
    return tuple(sorted(found, key=lambda one: one.title))


@cache
def contents() -> dict[str, frozenset[str]]:
    """Every capture beside the checkout, by path, and what it holds."""
    with (SHARED / "index.csv").open(newline="") as file:
        held = {row["capture"]: row["protocols"] for row in csv.DictReader(file)}
    for path in SHARED.rglob("*"):
        name = str(path.relative_to(SHARED))
        if name.endswith(SUFFIXES) and name not in held:
            place = path.relative_to(SHARED / "attacks")
            held[name] = ATTACKS.get(str(place), ATTACKS[place.parts[0]])
    return {capture: frozenset(held[capture].split(",")) - {""} for capture in sorted(held)}


@cache
def truths() -> dict[str, list[str]]:
    """The ground truths that the index names, by capture; none where there are no captures."""
    if not (SHARED / "index.csv").is_file():
        return {}
    with (SHARED / "index.csv").open(newline="") as file:
        return {row["capture"]: [truth for truth in row["ground_truth"].split(";") if truth] for row in csv.DictReader(file)}


def title(capture: str) -> str:
    """What a capture is called in a table: its file, with its folder where many are called the same."""
    path = Path(capture)
    return f"{path.parent.name}/{path.name}" if path.name in ("dump.pcap", "input.pcap") else path.name


@dataclass(frozen=True)
class Heard:
    """One capture through our sensor: lines (only of captures that are compared), operations a protocol, octets decoded, and undecoded ones a port."""

    lines: Lines
    operations: Counter[str]
    decoded: int
    undecoded: dict[str, int]


class Samples(NamedTuple):
    """Values of neighbouring points that a message tells: address space, first address, values (None where one is no number), what is told of each by
    name (None: nothing), and when they were so, in milliseconds since the epoch (None: not told)."""

    space: str | None
    first: int
    values: tuple[Any, ...]
    qualities: tuple[tuple[str, ...] | None, ...]
    time: int | None


class Counting(Listing):
    """Of each line only what is counted."""

    def _line(self, operation: Any, given: Handed) -> dict[str, object]:  # noqa: ARG002  (as printed, it says more)
        return {"protocol": protocols()[int(operation.protocol)].name}


class Hearing(Listing):
    """Lines as printed, with the values that become points: `told` by the packet, `answered` by the response."""

    def _line(self, operation: Any, given: Handed) -> dict[str, object]:
        ranges = {"told": (operation.sample, operation.samples), "answered": (operation.answer_sample, operation.answer_samples)}
        return super()._line(operation, given) | {
            name: [self._tells(operation.protocol, given, sample) for sample in plain_rows(given.told[first : first + count])]
            for name, (first, count) in ranges.items()
        }

    @staticmethod
    def _tells(protocol: int, given: Handed, sample: Any) -> Samples:
        space = space_name(protocol, sample.space)
        values = tuple(sample_values(sample, given.octets))
        octets = [int(sample.quality)] * len(values)
        if sample.quality_at != WITHOUT:
            octets = list(sample_octets(sample, given.octets)[int(sample.quality_at) :: int(sample.stride)])
        names = (quality_names(protocols()[protocol], space, each) for each in octets)
        told = tuple(None if each is None else tuple(each) for each in names)
        return Samples(space, int(sample.first), values, told, int(sample.stamp) // 1_000_000 if sample.stamp >= 0 else None)


@cache
def heard(capture: str) -> Heard:
    """Run a capture, once in a process."""
    path = SHARED / capture
    if path.suffix != ".zip":
        return _hear(path, any(capture in one.captures() for one in conformances()))
    with TemporaryDirectory() as folder, ZipFile(path) as packed:
        return _hear(Path(packed.extract(packed.namelist()[0], folder)), False)


def _hear(path: Path, keep: bool) -> Heard:
    (capture,) = find([str(path)])
    listing, kept, operations = (Hearing if keep else Counting)(str(path)), Lines(), Counter[str]()
    source = open_capture(capture)
    try:
        for _ in listing.listen(source, lambda: bool(listing.lines)):
            _take(listing, kept, operations, keep)
    finally:
        source.close()
    _take(listing, kept, operations, keep)
    return Heard(kept, operations, listing.totals.decoded_bytes, listing.totals.undecoded)


def _take(listing: Listing, kept: Lines, operations: Counter[str], keep: bool) -> None:
    operations.update(str(line["protocol"]) for line in listing.lines)
    if keep:
        kept += listing.lines
    listing.lines = []


@dataclass(frozen=True)
class Result:
    """One baseline compared."""

    baseline: Baseline
    columns: tuple[str, ...]
    theirs: int
    ours: int
    explained: tuple[tuple[Known, tuple[Disagreement, ...]], ...]
    unexplained: tuple[Disagreement, ...]

    @property
    def disagreements(self) -> list[Disagreement]:
        """Explained or not."""
        return [*(one for _, found in self.explained for one in found), *self.unexplained]

    @property
    def agreed(self) -> int:
        """Rows of the baseline that agree in every column that it has."""
        return self.theirs - sum(one.theirs is not None for one in self.disagreements)

    @property
    def kinds(self) -> Counter[str]:
        """How many disagreements of each kind."""
        return Counter(one.kind for one in self.disagreements)


@cache
def check(conformance_title: str, baseline: Baseline) -> Result:
    """Compare, and sort the disagreements by their explanation."""
    (conformance,) = (one for one in conformances() if one.title == conformance_title)
    theirs = baseline.read(SHARED / (baseline.truth or baseline.capture))
    mine = baseline.shape(heard(baseline.capture).lines)
    left = compare(theirs, mine, conformance.alike)
    explained: list[tuple[Known, tuple[Disagreement, ...]]] = []
    for known in conformance.known:
        if (known.tool, known.capture) == (baseline.tool, baseline.capture):
            found = tuple(one for one in left if known.which(one))
            explained.append((known, found))
            left = [one for one in left if one not in found]
    columns = tuple(dict.fromkeys(name for row in theirs for name in row))
    return Result(baseline, columns, len(theirs), len(mine), tuple(explained), tuple(left))
