"""A controller on snap7: `python -m tests.plant.s7comm_plc ADDRESS`, until it is terminated."""

import signal
import sys
import threading

from snap7.server import Server
from snap7.type import SrvArea

from tests.plant.network import exact_checksums

PORT = 102


def serve(address: str) -> None:
    """Areas of 64 octets; those of data block 1 count."""
    server = Server(log=False)
    block = bytearray(range(64))
    for area in (SrvArea.PE, SrvArea.PA, SrvArea.MK, SrvArea.TM, SrvArea.CT):
        server.register_area(area, 0, bytearray(64))
    server.register_area(SrvArea.DB, 1, block)
    server.start_to(address, PORT)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _, __: stopped.set())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not stopped.wait(0.05):
        pass
    server.stop()


if __name__ == "__main__":
    exact_checksums("eth0")
    serve(sys.argv[1])
