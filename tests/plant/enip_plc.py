"""A controller on cpppo: `python -m tests.plant.enip_plc ADDRESS` serves its tags until SIGTERM. GPL: it runs in a process of its own."""

import os
import signal
import socket
import sys
import threading
import time

from cpppo.server.enip.main import main

from tests.plant.network import exact_checksums

TAGS = ("Tank=INT[10]", "Level=REAL[4]", "Count=DINT[20]", "Motor=SINT[3]")


def _ready(address: str) -> None:
    """Say so once it listens."""
    for _ in range(200):
        try:
            socket.create_connection((address, 44818), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    exact_checksums("eth0")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # it would wait for its clients
    threading.Thread(target=_ready, args=(sys.argv[1],), daemon=True).start()
    main(argv=["--address", f"{sys.argv[1]}:44818", *TAGS])
