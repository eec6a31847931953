"""`python -m sensors.sniffer IFACE [FILTER]`: what an interface brings, as a pcap on standard output, where there is no AF_PACKET (macOS, BSD).

scapy listens, whose licence (GPL-2.0-only) is another than ours: it lives in this process alone, which shares no code with the rest and is spoken to by nothing
but a pipe. One line on standard error says that it listens ("ready"), or, as a JSON object, what keeps it from that.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import struct
import sys
from typing import Any, Final

SNAP: Final = 1 << 18
NANOSECONDS: Final = 0xA1B23C4D
WAIT_S: Final = 0.1


def main(interface: str, expression: str = "") -> int:
    """Until SIGTERM, or until nobody reads any more; the exit status."""
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    try:
        import scapy.all
    except ImportError:
        return _refuse("live.scapy")
    scapy_conf: Any = scapy.all.conf
    try:
        ear = scapy_conf.L2listen(iface=interface, promisc=True, filter=expression or None)
    except ValueError:
        return _refuse("live.missing", interface=interface, known=", ".join(sorted(scapy.all.get_if_list())))
    except PermissionError:
        return _refuse("live.privilege", interface=interface)
    except (OSError, scapy.all.Scapy_Exception) as error:
        if "filter" in str(error):
            return _refuse("live.filter", filter=expression, reason=error)
        return _refuse("live.privilege" if "ermission" in str(error) else "live.sniffer", interface=interface, reason=error)
    sys.stderr.write("ready\n")
    sys.stderr.flush()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this stops it in order
    try:
        return _copy(ear, int(scapy_conf.l2types.layer2num.get(ear.LL, 1)))
    except BrokenPipeError:
        return 0


def _copy(ear: Any, linktype: int) -> int:
    out, parent, stopped = sys.stdout.buffer, os.getppid(), False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    out.write(struct.pack("<IHHiIII", NANOSECONDS, 2, 4, 0, 0, SNAP, linktype))
    while True:
        heard = ear.select([ear], 0)
        if not heard:
            out.flush()
            if stopped or os.getppid() != parent:
                return 0
            heard = ear.select([ear], WAIT_S)
        if heard:
            _, octets, moment = ear.recv_raw()
            if octets:
                out.write(_record(octets, int(moment * 1_000_000_000)))


def _record(octets: bytes, time: int) -> bytes:
    return struct.pack("<IIII", time // 1_000_000_000, time % 1_000_000_000, len(octets), len(octets)) + octets


def _refuse(key: str, **values: object) -> int:
    sys.stderr.write(json.dumps({"error": key, "values": {name: str(value) for name, value in values.items()}}) + "\n")
    return 1


if __name__ == "__main__":
    status = main(*[word for word in sys.argv[1:] if word != "--"])
    sys.stdout = None  # nothing is left in its buffer, and where it goes may be gone
    sys.exit(status)
