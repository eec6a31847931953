"""A genuine server and a genuine client, each in a namespace of its own, and the capture of what passes between them."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.plant.network import bridges, network

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.plant.plan import Host

PATIENCE_S = 90


def record(
    folder: Path, name: str, server: tuple[Host, str], client: tuple[Host, str], meanwhile: Callable[[subprocess.Popen[str]], None] | None = None
) -> Path:
    """Let both act: a host and a module of `tests.plant` each. The client writes `diary.json`; `meanwhile` may do something to the server as it acts."""
    capture, hosts, address = folder / f"{name}.pcap", (server[0], client[0]), server[0].addresses[0].ip
    with network(f"{name}{os.getpid()}", hosts) as net, ExitStack() as stack:

        def start(namespace: str, module: str, *words: str) -> subprocess.Popen[str]:
            process = net.start(namespace, f"tests.plant.{module}", *words)

            def stop() -> None:
                process.terminate()
                process.wait(30)
                if process.stdout:
                    process.stdout.close()

            stack.callback(stop)
            return process

        recorder = start(net.switch, "capture", str(capture), *(f"{bridge}={vlan}" for bridge, vlan in bridges(hosts).items()))
        serving = start(net.namespace(server[0].short), server[1], address)
        for process in (recorder, serving):
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "ready"
        acting = start(net.namespace(client[0].short), client[1], address, str(folder / "diary.json"))
        if meanwhile:
            meanwhile(serving)
        assert acting.wait(PATIENCE_S) == 0
        time.sleep(0.5)
    return capture
