"""A sensor that listens for hours: what a plant says in them comes as fast as it is taken, the whole way, and nothing grows with it."""

from __future__ import annotations

import os
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.soak import resident
from tests.test_feeds import ANYWHERE
from tests.test_watch import ended, said
from tests.veth import started

if TYPE_CHECKING:
    from subprocess import Popen

HOURS: Final = 24 if "BALEFIRE_SOAK" in os.environ else 2
PIECE: Final = 1 << 18  # octets between looks at memory: some hundred looks an hour
RECORDED_MIB: Final = 64  # the least that may be asked for
GROWTH_MIB: Final = 24.0  # from the first half to the second


def test_memory_is_flat_while_a_plant_goes_on(tmp_path: Path) -> None:
    """What listens and records, and what judges, together, in the second half of the time beside the first; every packet is there."""
    words = (sys.executable, "-m", "balefire", "watch", ANYWHERE, "--store", str(tmp_path / "store"), "--observer", "test", "--json")
    words += ("--record", str(tmp_path / "kept"), "--record-mib", str(RECORDED_MIB))
    plant = [sys.executable, "-m", "tests.plant.works", "--site", "packaging", "--seed", "3", "--hours", str(HOURS), "-o", "-"]
    with started(words) as process, started(plant) as works:
        port = int(said(process, "Listening on tcp-listen://").split(b"127.0.0.1:")[1].split()[0])
        sizes = _sizes(works, port, (process.pid, *_listeners(process.pid)))
        assert works.stderr is not None
        written = int(re.search(r"([\d,]+) packets", works.stderr.read().decode())[1].replace(",", ""))  # type: ignore[index]
        said(process, "went away", within=120)
        status, summary, rest = ended(process)
    assert status == 0, rest
    assert summary["packets"] == written > 200_000 * HOURS
    recorded = sum(file.stat().st_size for file in (tmp_path / "kept").iterdir()) / (1 << 20)
    assert RECORDED_MIB / 4 < recorded <= RECORDED_MIB, "more than one file"
    early, late = max(sizes[: len(sizes) // 2]), max(sizes[len(sizes) // 2 :])
    assert late < early + GROWTH_MIB, f"{HOURS} hours, {len(sizes)} looks: {early:.0f} MiB in the first half, {late:.0f} in the second"


def _sizes(works: Popen[bytes], port: int, processes: tuple[int, ...]) -> list[float]:
    """MiB of these processes at each piece of what the plant says, which is sent on as fast as it is taken."""
    assert works.stdout is not None
    sizes: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        while piece := works.stdout.read(PIECE):
            line.sendall(piece)
            sizes.append(sum(map(resident, processes)))
    return sizes


def _listeners(process: int) -> list[int]:
    """Those of its children that listen."""
    children = [int(word) for told in Path(f"/proc/{process}/task").glob("*/children") for word in told.read_text().split()]
    return [child for child in children if b"sensors.listening" in Path(f"/proc/{child}/cmdline").read_bytes()]
