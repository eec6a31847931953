"""What every process of the plant is told when it starts: who it is, when the story begins, how fast it goes, and where to write."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.plant.network import exact_checksums
from tests.plant.plan import HOSTS, Host

PATIENCE = 1.0
"""Seconds to wait for a response, at any pace: it is the machine that answers, not the story."""


@dataclass(frozen=True)
class Cue:
    """The part of one host. `pace` is real seconds a second of the story."""

    host: Host
    start: float
    pace: float
    output: Path

    @classmethod
    def read(cls) -> "Cue":
        """From the command line: NAME START PACE OUTPUT. Makes the host's interfaces compute their checksums as well."""
        name, start, pace, output = sys.argv[1:]
        (host,) = (host for host in HOSTS if host.name == name)
        # Refused and unanswered requests are the story; the stack would print each as an error with its history.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        for number in range(len(host.addresses)):
            exact_checksums(f"eth{number}")
        return cls(host, float(start), float(pace), Path(output))

    def words(self) -> tuple[str, ...]:
        """The command line that `read` understands."""
        return (self.host.name, repr(self.start), repr(self.pace), str(self.output))

    async def until(self, moment: float) -> None:
        """Sleep until a moment of the story."""
        await asyncio.sleep(max(self.start + moment * self.pace - time.time(), 0))

    async def rest(self, seconds: float) -> None:
        """Sleep for seconds of the story."""
        await asyncio.sleep(seconds * self.pace)

    def save(self, told: Mapping[str, object]) -> None:
        """Hand back what this process wrote down."""
        self.output.write_text(json.dumps(told), encoding="utf-8")
