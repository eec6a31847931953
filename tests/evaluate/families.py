"""The labelled captures of others beside the checkout, and what their authors say of them. Each family has its own way of saying it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from zipfile import ZipFile

from tests.evaluate.labels import SECOND, Case, Family, Window, nanoseconds
from tests.evaluate.packets import packets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

ATTACKS: Final = Path(__file__).parents[3] / "shared" / "captures" / "attacks"
BRISBANE: Final = timezone(timedelta(hours=10))  # of the logs of both QUT families
APART: Final = 60 * SECOND  # labelled packets that lie further apart are two attacks
DNP3_ATTACKER, S7_ATTACKER, S7_CONTROLLER = "192.168.10.66", "10.10.10.66", "10.10.10.10"  # where the attacker of both QUT families sits
UNJUDGED: Final = {
    "goose-kaitoray": "GOOSE is not decoded yet",
    "melsec-lemorn1": "MELSEC is not decoded yet",
    "profinet-smehner": "its captures last for seconds, and no window is labelled",
    "tristation-nozomi": "TriStation is not decoded yet",
    "umas-lemorn1": "UMAS, which Modbus carries as function 90, is not decoded yet",
}
# What the names of attacks in the QUT logs mean, by their beginning. More than one technique is right where the author's script does more than one thing.
TECHNIQUES: Final = (
    ("nmap", {"T0840", "T0846", "T0846.001", "T0846.002"}),
    ("reconnaissance", {"T0846", "T0888", "T0861", "T0802", "T0801"}),
    ("injection_WarmRestart", {"T0816", "T0855", "T1692.001"}),
    ("injection_FreezeObj", {"T0855", "T1692.001"}),
    ("injection_push", {"T0856", "T1692.002", "T0814"}),
    ("injection_replay", {"T0855", "T0856", "T1692.001", "T1692.002"}),
    ("master_hijacking", {"T0830", "T0848", "T0849", "T0814", "T0855"}),
    ("slave_masquerading", {"T0830", "T0849", "T0848", "T0814", "T0856"}),
    ("master_", {"T0814", "T0848", "T0855", "T1692.001"}),
    ("Change", {"T0836", "T0855", "T0848", "T1692.001"}),
    ("", {"T0855", "T0836", "T0848", "T0814", "T1692.001"}),  # of the process attacks: outputs and modes are written
)


def families() -> list[Family]:
    """Every family that lies beside the checkout, in the order of names."""
    readers: dict[str, Callable[[Path], Iterable[Case]]] = {"dnp3-qut": _dnp3, "modbus-lemay": _lemay, "s7-qut": _s7}
    found: list[Family] = []
    for folder in sorted(ATTACKS.iterdir()) if ATTACKS.is_dir() else []:
        reader = readers.get(folder.name)
        found.append(
            Family(folder.name, tuple(reader(folder))) if reader else Family(folder.name, unjudged=UNJUDGED.get(folder.name, "no reader of its labels"))
        )
    return found


@contextmanager
def unpacked(file: Path) -> Generator[Path]:
    """The capture itself, where it lies in an archive."""
    if file.suffix != ".zip":
        yield file
        return
    with TemporaryDirectory() as folder, ZipFile(file) as packed:
        yield Path(packed.extract(packed.namelist()[0], folder))


def _techniques(name: str) -> frozenset[str]:
    return frozenset(next(right for beginning, right in TECHNIQUES if name.startswith(beginning)))


def _dnp3(folder: Path) -> Iterator[Case]:
    """A day each; a log says when which attack began and ended, and between whom. Learned from `control`, which is judged itself by what it taught nobody.
    An attack during which there is no packet of its hosts stands apart: the author's script failed.
    """
    control = folder / "control-training-infrequent.pcap.zip"
    for file in sorted(folder.glob("*.pcap.zip")):
        with ZipFile(folder / file.name.replace(".pcap.zip", ".attack-log.zip")) as packed:
            log = packed.read(packed.namelist()[0]).decode() if packed.namelist() else ""
        name, windows = file.name.removesuffix(".pcap.zip"), list(_logged(log))
        absent = _absent(file, windows)
        seen = tuple(window for window in windows if window not in absent)
        yield Case(name, file, seen, learn=() if file == control or not control.is_file() else (control,))
        for window in absent:
            yield Case(f"{name}, {window.name}", file, (window,), apart="the capture holds no packet of its hosts meanwhile")


def _absent(file: Path, windows: list[Window]) -> list[Window]:
    """Those in which there is no packet of who attacks and who is attacked."""
    if not windows:
        return []
    with unpacked(file) as path:
        spoken = [(time, {source, destination}) for _, time, source, destination, _ in packets(path)]
    return [one for one in windows if not any(one.start <= time <= one.end and ends & (one.attacker | one.victim) for time, ends in spoken)]


def _logged(log: str) -> Iterator[Window]:
    began: dict[str, int] = {}
    for day, clock, name, *hosts, state in (line.split() for line in log.splitlines()):
        time = _time(f"{day} {clock}")
        if state == "START":
            began[name] = time
        else:
            yield Window(name, began.pop(name), time, frozenset({DNP3_ATTACKER}), frozenset(hosts), _techniques(name))


def _time(text: str) -> int:
    """Nanoseconds since the epoch of a time of Brisbane."""
    return nanoseconds(datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=BRISBANE))


def _lemay(folder: Path) -> Iterator[Case]:
    """A label a packet; what lies near together is one attack, between the two hosts that exchanged most of it."""
    for file in sorted(folder.glob("*.pcap")):
        labels = file.with_name(f"{file.stem}_labeled.csv").read_text("utf-8").splitlines()
        bad = {int(number) for number, label in (line.split(";") for line in labels) if label.strip() == "1"}
        yield Case(file.stem, file, tuple(_runs(file, bad)))


def _runs(file: Path, bad: set[int]) -> Iterator[Window]:
    run: list[tuple[int, str, str, int]] = []
    for number, time, source, destination, length in packets(file):
        if number not in bad:
            continue
        if run and time - run[-1][0] > APART:
            yield _run(run)
            run = []
        run.append((time, source, destination, length))
    if run:
        yield _run(run)


def _run(run: list[tuple[int, str, str, int]]) -> Window:
    octets: dict[tuple[str, str], int] = {}
    for _, source, destination, length in run:
        if source and destination:
            pair = min((source, destination), (destination, source))
            octets[pair] = octets.get(pair, 0) + length
    one, other = max(octets, key=lambda pair: octets[pair])
    asked = next(source for _, source, destination, _ in run if {source, destination} == {one, other})
    reads = frozenset({"T0846", "T0861", "T0888", "T0801", "T0802", "T0869", "T0867", "T0885"})
    return Window("labelled packets", run[0][0], run[-1][0], frozenset({asked}), frozenset({one, other} - {asked}), reads)


def _s7(folder: Path) -> Iterator[Case]:
    """One attack each, as seen from the attacker, the controller ("master") and the panel; benign is the attacker's view before the first."""
    for file in sorted(folder.glob("*.pcap")):
        config = file.with_name(f"{file.name.rsplit('.', 2)[0]}.config.xml")
        if not config.is_file():
            yield Case(file.stem, file)
            continue
        said = dict(re.findall(r"<(start|finish|attack)>([^<]*)<", config.read_text("utf-8")))
        name = f"{said['attack']}, seen by the {file.stem.rsplit('.', 1)[1]}"
        hosts = frozenset({S7_ATTACKER}), frozenset({S7_CONTROLLER})
        window = Window(name, _time(said["start"]), _time(said["finish"]), *hosts, _techniques(said["attack"]))
        there = any(S7_ATTACKER in ends for _, _, *ends, _ in packets(file))
        yield Case(file.stem, file, (window,), apart="" if there else "this view holds no packet of the attacker")
