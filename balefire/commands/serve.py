"""A plant monitor by one command: the sensor and the dashboard, each a process of its own that is started again when it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, Globals, keeps, speaks
from balefire.commands.watch import listens, words
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from balefire.screen import Screen

FIRST_S, LONGEST_S = 1.0, 60.0  # how long one waits for its next start: twice as long each time, until it has run well for LONGEST_S
LOOK_S: Final = 0.2
END_S: Final = 660.0  # a sensor waits so long for a store that is away
USAGE: Final = 2  # the exit status of what no further start would mend
DEATH_SIGNAL: Final = 1  # linux/prctl.h: what a process gets when the one that started it is gone


@click.command(help=say("cli.help.serve", HELP))
@listens
@click.option("--port", type=click.IntRange(1, 65535), help=say("cli.option.port", HELP))
@keeps
@speaks
@click.pass_context
def serve(
    context: click.Context,
    screen: Screen,
    interfaces: tuple[str, ...],
    port: int | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Keep both running until SIGINT or SIGTERM."""
    from records.store import open_store

    open_store(screen.store, write=True).close()  # the dashboard needs one, and what is wrong with it is said once
    settings = (context.find_object(Globals) or Globals()).settings
    more = ["--store", screen.store, "--language", screen.language, *(["--json"] if as_json else [])]
    jobs = (
        Job("sensor", _command(settings, "watch", *more, *words(**how), "--", *interfaces)),
        Job("dashboard", _command(settings, "dashboard", *more, "--port", str(port or screen.settings.dashboard.port))),
    )
    Supervisor(screen, jobs).run()


def _command(settings: Path | None, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "balefire", *(("--settings", str(settings)) if settings else ()), *words)


@dataclass(slots=True)
class Job:
    """One of them. `wait`: seconds until its next start; `due`: when that is, monotonic; `runs`: how often it was started."""

    name: str
    command: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    wait: float = FIRST_S
    due: float = 0.0
    since: float = 0.0
    runs: int = 0
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def start(self) -> None:
        """Start it, so that it ends where we do."""
        self.runs += 1
        self.since = time.monotonic()
        self.process = subprocess.Popen(self.command, env=self.environment, preexec_fn=_tie)  # noqa: S603 - this very Python; no threads here

    def ended(self) -> int | None:
        """Its exit status, once; None while it runs or waits."""
        status = self.process.poll() if self.process is not None else None
        if status is not None:
            self.process = None
        return status


def _tie() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


class Supervisor:
    """Starts jobs, and starts again what ended, later each time it ends soon."""

    def __init__(self, screen: Screen, jobs: Sequence[Job]) -> None:
        self._screen, self._jobs = screen, jobs
        self._stopped = False

    def run(self) -> None:
        """Until a signal, or until something ends that no further start would mend."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            while not self._stopped:
                for job in self._jobs:
                    self._tend(job, time.monotonic())
                time.sleep(LOOK_S)
        finally:
            self._end()

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _tend(self, job: Job, now: float) -> None:
        status = job.ended()
        if status == USAGE and job.runs == 1:
            self._screen.worse(USAGE)
            self._stopped = True
            return
        if status is not None:
            job.wait = FIRST_S if now - job.since > LONGEST_S else job.wait
            job.due = now + job.wait
            self._screen.note(self._screen.say(f"cli.serve.{job.name}", status=status, seconds=f"{job.wait:.0f}"))
            job.wait = min(2 * job.wait, LONGEST_S)
        if job.process is None and now >= job.due and not self._stopped:
            job.start()

    def _end(self) -> None:
        """All of them, in order; what does not end is killed."""
        running = [job.process for job in self._jobs if job.process is not None]
        for process in running:
            process.terminate()
        end = time.monotonic() + END_S
        for process in running:
            try:
                process.wait(max(end - time.monotonic(), 0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
