"""Make the demo capture and its ground truth: `python -m tests.plant.demo OUT.pcap [--seconds N]`, as root, on Linux with iproute2.

Everything happens in network namespaces that this run makes and removes. At full pace the story takes about five minutes and begins on a full
minute, because activities are counted by the minute; `--seconds` compresses it.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory
from typing import Any

from tests.plant import truth
from tests.plant.cue import Cue
from tests.plant.network import Network, bridges, network
from tests.plant.plan import HISTORIAN, HMI, HOSTS, LAPTOP, PLCS, STORY, Host

CLIENTS = {HMI: "tests.plant.pollers", HISTORIAN: "tests.plant.pollers", LAPTOP: "tests.plant.attacker"}
SETTLE = 3.0
"""Seconds for the processes to start before the story begins."""


def _ready(process: Popen[str]) -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError(f"{process.args!s} did not start")


def _stop(process: Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    process.wait(timeout=30)
    if process.stdout is not None:
        process.stdout.close()


def _start(stack: ExitStack, net: Network, namespace: str, module: str, *words: str) -> Popen[str]:
    process = net.start(namespace, module, *words)
    stack.callback(_stop, process)
    return process


def _begin(seconds: float) -> float:
    soon = time.time() + SETTLE
    return soon - soon % -60 if seconds >= STORY else soon


def _interfaces(hosts: Iterable[Host]) -> list[truth.Interface]:
    return [
        {
            "name": host.name,
            "role": host.role,
            "ip": address.ip,
            "mac": address.mac,
            "vlan": address.vlan,
            "identity": {str(number): text for number, text in enumerate(host.identity)},
        }
        for host in hosts
        for address in host.addresses
    ]


def run(out: Path, seconds: float) -> None:
    """Play the story once: OUT.pcap is what the switch's mirror port saw, OUT.truth.json what the clients say they did."""
    told: list[dict[str, Any]] = []  # JSON, from our own processes
    with TemporaryDirectory() as folder, network(f"balefire{os.getpid()}", HOSTS) as net, ExitStack() as stack:
        recorder = _start(stack, net, net.switch, "tests.plant.capture", str(out), *(f"{name}={vlan}" for name, vlan in bridges(HOSTS).items()))
        _ready(recorder)
        start, pace = _begin(seconds), seconds / STORY
        cues = {host: Cue(host, start, pace, Path(folder) / host.name) for host in HOSTS}
        for host in PLCS:
            _ready(_start(stack, net, net.namespace(host.short), "tests.plant.plc", *cues[host].words()))
        clients = [_start(stack, net, net.namespace(host.short), module, *cues[host].words()) for host, module in CLIENTS.items()]
        for client in clients:
            if client.wait(timeout=start - time.time() + seconds + 60):
                raise RuntimeError(f"{client.args!s} failed")
        told += [json.loads(cues[host].output.read_text(encoding="utf-8")) for host in CLIENTS]
        end = time.time()
        stack.close()
        if recorder.returncode:
            raise RuntimeError("the capture is not complete")
    requests: list[truth.Request] = sorted((row for part in told for row in part["requests"]), key=lambda row: row.get("time", 0.0))
    (attack,) = (part["attack"] for part in told if "attack" in part)
    truth.write(
        out.with_suffix(".truth.json"),
        {"capture": out.name, "start": start, "end": end, "hosts": _interfaces(HOSTS), "attack": attack, "requests": requests},
    )


def main() -> None:
    """Read the command line and play the story."""
    parser = argparse.ArgumentParser(prog="python -m tests.plant.demo", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.pcap")
    parser.add_argument("--seconds", type=float, default=STORY, help="length of the story (default: %(default)s)")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("making network namespaces needs root")
    run(arguments.out.resolve(), arguments.seconds)


if __name__ == "__main__":
    main()
