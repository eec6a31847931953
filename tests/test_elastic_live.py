"""A live sensor whose store goes away and comes back: it says so, hears on, and in the end all is there, once."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.line import Line
from tests.test_watch import INTERPRETED, ended, plain, said, stored
from tests.veth import started, wires
from tests.wire import Talk, mbap, write

if TYPE_CHECKING:
    import socket

    from tests.elasticsearch import Elasticsearch
    from tests.veth import Wires

pytestmark = [pytest.mark.netns, pytest.mark.elasticsearch]
NETWORK = 0x40000000  # CLONE_NEWNET of setns(2)


class LineInto(Line):
    """A line that begins on the loopback interface of another namespace, where the sensor is."""

    def __init__(self, url: str, namespace: str) -> None:
        self._namespace = Path("/run/netns") / namespace
        super().__init__(url)

    def _listening(self, port: int) -> socket.socket:
        """In a thread of its own, for that is then in the other namespace."""
        made: list[socket.socket] = []

        def listen() -> None:
            with self._namespace.open() as there:
                assert ctypes.CDLL(None).setns(there.fileno(), NETWORK) == 0
            made.append(super(LineInto, self)._listening(port))

        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
        return made[0]


def written(wire: Wires, folder: Path, client: str) -> None:
    """Somebody writes."""
    wire.send(plain(folder / f"{client}.pcap", Talk(client=client).open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7)))))


def test_a_store_that_goes_away_and_comes_back_has_all_of_it_once(elasticsearch: Elasticsearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = [f"10.0.0.{number}" for number in (7, 8, 9)]
    address, spool = elasticsearch.emptied("battery"), tmp_path / "spool"
    monkeypatch.setenv("BALEFIRE_SPOOL", str(spool))
    with wires() as wire, LineInto(elasticsearch.url, wire.here) as line:
        subprocess.run(("ip", "-n", wire.here, "link", "set", "lo", "up"), check=True)
        words = wire.run("-m", "balefire", "watch", "in0", "--store", f"{line.url}#battery", "--observer", "test", "--json")
        with started(words, os.environ | INTERPRETED) as process:
            said(process, "Listening on in0")
            written(wire, tmp_path, clients[0])
            end = time.monotonic() + 30
            while not elasticsearch.found("battery-activity*", {"match_all": {}}) and time.monotonic() < end:
                elasticsearch.ask("POST", "/battery-activity*/_refresh")
            line.cut()
            written(wire, tmp_path, clients[1])
            said(process, "The store is away")
            assert [*spool.glob("*/*/*.segment")], "what is seen meanwhile is on the disk"
            line.mend()
            said(process, "The store is back")
            written(wire, tmp_path, clients[2])
            status, summary, rest = ended(process)
    assert (status, summary["coverage"]["dropped"]) == (0, 0), rest
    assert not [*spool.glob("*/*/*.segment"), *spool.glob("*/*/*.told")]
    rows = stored(address, "activities")  # pyright: ignore[reportArgumentType] - any place of a store
    assert sorted(row["source"]["ip"] for row in rows if row["ot"]["access"] == "write") == clients
    assert len({row["id"] for row in rows}) == len(rows)
