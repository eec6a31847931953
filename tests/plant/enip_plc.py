"""A controller on cpppo: `python -m tests.plant.enip_plc ADDRESS` serves its tags until SIGTERM. GPL: it runs in a process of its own."""

import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.plant.network import exact_checksums

PORT = 44818
LISTENING = "0A"
TAGS = ("Tank=INT[10]", "Level=REAL[4]", "Count=DINT[20]", "Motor=SINT[3]")


def _ready() -> None:
    """Say so once it listens. (Here it could not reach itself: a namespace has no loopback.)"""
    while not any(
        words[1].endswith(f":{PORT:04X}") and words[3] == LISTENING for words in map(str.split, Path("/proc/net/tcp").read_text("ascii").splitlines())
    ):
        time.sleep(0.05)
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _stop(number: int, frame: object) -> None:  # noqa: ARG001  (as the signal module calls it)
    os._exit(0)


if __name__ == "__main__":
    exact_checksums("eth0")
    signal.signal(signal.SIGTERM, _stop)  # it would wait for its clients
    threading.Thread(target=_ready, daemon=True).start()
    controller: Any = importlib.import_module("cpppo.server.enip.main")  # it has no types
    controller.main(argv=["--address", f"{sys.argv[1]}:{PORT}", *TAGS])
