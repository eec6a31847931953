"""A plant monitor by one command: what listens, what judges and stores, what keeps house and the dashboard, each a process of its own that is started again
when it ends, while the others go on.

What listens holds what it hears while nobody judges. Storing is no process of its own: a commit is a transaction of what judges with what it knows, what was
not committed is heard once more, and a store that may be away is one of processes of its own (Elasticsearch), with a spool before it.
"""

from __future__ import annotations

import os
import platform
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import click

from balefire.command import HELP, Globals, keeps, speaks
from balefire.commands.watch import Heard, begun, check_places, failure, listens, reads_again, told_of, words
from records import scratch
from records.errors import StoreError, UsageError
from records.wording import say
from sensors.rights import ALONE, NET_BIND_SERVICE, OPENING, forgo
from sensors.sources.cards import stamps
from sensors.tied import tie

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from balefire.screen import Screen

FIRST_S, LONGEST_S = 1.0, 60.0  # how long one waits for its next start: twice as long each time, until it has run well for LONGEST_S
LOOK_S: Final = 0.2
END_S: Final = 660.0  # a sensor waits so long for a store that is away
SLOW_S: Final = 2.0  # after which it is said for what its end waits
OFTEN: Final = ("--every", "60")  # seconds between two looks at what is to be sent
USAGE: Final = 2  # the exit status of what no further start would mend …
CUT: Final = 3  # … where not all was judged that was heard …
LOST: Final = 4  # … or stored that was judged


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
    """Keep them running until SIGINT or SIGTERM."""
    how["portable"] = how["portable"] or sys.platform != "linux"
    check_places(interfaces, **how)
    forgo(*OPENING)  # it, too: nothing that it starts gets more than what listens
    from records.store import open_store
    from records.store.contract import AWAY, FULL

    scratch.sweep()
    try:
        open_store(screen.store, write=True).close()  # the dashboard needs one, and what is wrong with it is said once
    except StoreError as error:  # who judges waits for one that is away, and says so
        if error.key not in AWAY | {FULL}:
            raise
    settings, which = (context.find_object(Globals) or Globals()).settings, dict.fromkeys(interfaces)
    more = ["--store", screen.store, "--language", screen.language]
    told = [*more, *(["--json"] if as_json else [])]
    judge = words(**{name: how.pop(name) for name in ("site", "observer", "rules")})
    heard = words(**how)
    with _door() as (door, path):
        run = () if reads_again(interfaces) else ("--run", uuid4().hex)
        listening = (sys.executable, "-m", "sensors.listening", "--door", str(door.fileno()), *run, *heard)
        jobs = [
            Job("sensor", listening, ("--", *which), door.fileno(), misses=not reads_again(interfaces)),
            Job("judge", _command(settings, "watch", *told, "--door", path, *judge, "--", *which)),
            Job(
                "dashboard",
                _command(settings, "dashboard", "--patient", *told, "--port", str(port or screen.settings.dashboard.port)),
                kept=(NET_BIND_SERVICE,),
                spare=True,
            ),
        ]
        if screen.settings.housekeeping.daily:
            jobs.append(Job("scheduler", _command(settings, "store", "housekeep", "--patient", *more)))
        jobs += reporting(screen, settings)
        observer = judge[judge.index("--observer") + 1] if "--observer" in judge else screen.settings.observer or platform.node()
        Supervisor(screen, jobs, lambda ready: begun(screen, ready, tuple(which), observer)).run()


@contextmanager
def _door() -> Generator[tuple[socket.socket, str]]:
    """Where what judges comes in to what listens: only this user's processes may. It is open here as long as either may come again."""
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("door")) as folder, socket.socket(socket.AF_UNIX) as door:
        path = f"{folder}/door"
        door.bind(path)
        door.listen()
        yield door, path


def reporting(screen: Screen, settings: Path | None) -> list[Job]:
    """What sends, where it is set whereto. Nothing here signs: that takes the private key."""
    told, jobs = screen.settings, list[Job]()
    if told.delivery.file:
        jobs.append(Job("delivery", _command(settings, "deliver", "run", *OFTEN, "--language", screen.language), spare=True, hushed=True))
    if told.notification.addresses:
        words = _command(settings, "notify", *OFTEN, "--store", screen.store, "--language", screen.language)
        jobs.append(Job("notification", words, spare=True, hushed=True))
    return jobs


def _command(settings: Path | None, *words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "balefire", *(("--settings", str(settings)) if settings else ()), *words)


@dataclass(slots=True)
class Job:
    """One of them. `wait`: seconds until its next start; `due`: when that is, monotonic; `runs`: how often it was started; `seen`: alive at, by the clock.

    `door` is open to it, and it alone keeps the right to packets: what it says is read here, and where another had its place it is told since when nobody had,
    if that `misses` anything: files in a folder wait. `alone`: since when, by the clock, nobody at all has read what is heard, which goes with who holds it; 0
    where nothing is heard yet, None once somebody has read: who judges knows then what it has. `missing`: since when, by the clock, nothing is judged of what
    comes, for another had its place; 0 where none had, or once somebody reads this one. `kept`: rights of the others that this keeps. `spare`: whatever
    keeps it from starting, its port that is taken or accounts that cannot be read, is said, and the others go on. `hushed`: standard output is for what is told
    of the plant alone.
    """

    name: str
    command: tuple[str, ...]
    places: tuple[str, ...] = ()
    door: int | None = None
    misses: bool = True
    kept: tuple[int, ...] = ()
    spare: bool = False
    hushed: bool = False
    process: subprocess.Popen[bytes] | None = None
    wait: float = FIRST_S
    due: float = 0.0
    since: float = 0.0
    runs: int = 0
    seen: int = 0
    alone: int | None = 0
    missing: int = 0

    def start(self, now: float) -> None:
        """Start it, so that it ends where we do."""
        self.runs += 1
        self.since = now
        listens = self.door is not None
        self.missing = (self.missing or self.alone or self.seen) if listens and self.misses else 0
        late = ("--since", str(self.missing)) if self.missing else ()
        self.process = subprocess.Popen(  # noqa: S603 - this very Python
            (*self.command, *late, *self.places),
            preexec_fn=tie if listens else lambda: _bind(self.kept),  # no threads here
            pass_fds=() if self.door is None else (self.door,),
            env=os.environ | ALONE if listens else None,
            stdout=subprocess.DEVNULL if self.hushed else None,
            stderr=subprocess.PIPE if listens else None,
            start_new_session=True,  # Ctrl-C is ours alone: they end in order
        )

    def ended(self) -> int | None:
        """Its exit status, once; None while it runs or waits."""
        status = self.process.poll() if self.process is not None else None
        if status is None:
            self.seen = time.time_ns() if self.process is not None else self.seen
        else:
            self.process = None
        return status

    def postpone(self, now: float) -> float:
        """It ended: the seconds until its next start, twice as many each time; as few as at first where it had run well."""
        waits = FIRST_S if now - self.since > LONGEST_S else self.wait
        self.due, self.wait = now + waits, min(2 * waits, LONGEST_S)
        return waits


def _bind(kept: tuple[int, ...]) -> None:
    """What does not listen ends where we do, too, and has fewer rights."""
    forgo(*kept)
    tie()


class Supervisor:
    """Starts jobs, and starts again what ended, later each time it ends soon. The first of them listens, the second judges; `ready` is told to what."""

    def __init__(self, screen: Screen, jobs: Sequence[Job], ready: Callable[[dict[str, Any]], None]) -> None:
        self._screen, self._jobs, self._ready = screen, jobs, ready
        self._heard, self._said, self._line = Heard(screen), -1, b""
        self._stopped = self._hurried = self._last = False

    def run(self) -> None:
        """Until a signal, or until something ends that no further start would mend."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            while not self._stopped:
                for job in self._jobs:
                    self._tend(job, time.monotonic())
                self._listen(LOOK_S)
        finally:
            self._end()

    def _stop(self, *_: object) -> None:
        self._hurried, self._stopped = self._stopped, True

    def _tend(self, job: Job, now: float) -> None:
        status = job.ended()
        if status is not None and job is self._jobs[0]:
            self._listen_out()
        if status == USAGE and job.runs == 1 and not job.spare:
            self._screen.worse(USAGE)
            self._stopped = True
        if status is not None and not self._stopped:
            self._screen.note(self._screen.say(f"cli.serve.{job.name}", status=status, seconds=f"{job.postpone(now):.0f}"))
        if job.process is None and now >= job.due and not self._stopped:
            job.start(now)
            if job.process is not None and job.process.stderr is not None:
                self._said = os.dup(job.process.stderr.fileno())
                job.process.stderr.close()

    def _listen(self, seconds: float) -> bool:
        """Hear what the one says that listens, for so long at most; whether there was something."""
        if self._said < 0:
            time.sleep(seconds)
            return False
        if not select.select([self._said], [], [], seconds)[0]:
            return False
        came = os.read(self._said, 1 << 16)
        if not came:
            os.close(self._said)
            self._said, self._line = -1, b""
            return False
        *lines, self._line = (self._line + came).split(b"\n")
        for line in lines:
            self._hear(told_of(line))
        return True

    def _listen_out(self) -> None:
        """What it said last."""
        while self._said >= 0 and self._listen(0):
            pass

    def _hear(self, told: dict[str, Any]) -> None:
        sensor = self._jobs[0]
        if "ready" in told:
            if sensor.alone == 0:
                sensor.alone = time.time_ns()
            self._ready(told)
        elif "read" in told:
            sensor.alone, sensor.missing = None, 0
        elif "error" in told and isinstance(problem := failure(told), UsageError) and sensor.runs == 1:
            self._screen.fail(problem)
            self._stopped = True
        else:
            if told.get("back") in sensor.places:  # a card that was plugged in anew is told to stamp: what listens has no right to
                stamps(told["back"], turn_on=True)
            self._heard.hear(told)
            self._screen.worse(CUT if "unread" in told else 0)

    def _end(self) -> None:
        """All of them: first what listens, for the rest has to take in what it heard last. What does not end is killed."""
        end, (sensor, judge, *_) = time.monotonic() + END_S, self._jobs
        self._hurried |= self._screen.status == USAGE
        self._listen(LOOK_S)  # who was killed a moment before is seen to be gone
        self._have_judged(sensor, judge)
        slow = time.monotonic() + SLOW_S

        def meanwhile() -> None:
            nonlocal slow
            self._have_judged(sensor, judge)
            if time.monotonic() > slow:
                slow = end + END_S
                self._screen.note(self._screen.say("cli.serve.ending"))

        self._close([sensor], end, meanwhile)
        self._listen_out()
        status = self._close(self._jobs[1:], end)[0]
        if status == -signal.SIGKILL:
            self._screen.note(self._screen.say("cli.serve.unstored", status=status))
        self._screen.worse(LOST if status in {-signal.SIGKILL, LOST} else 0)

    def _have_judged(self, sensor: Job, judge: Job) -> None:
        """What was heard last is judged: by another, where the judge has ended badly. Where nobody can, or it is stopped again, nobody is waited for."""
        self._last = judge.ended() in {0, CUT} or self._last  # in order: it has had all
        if sensor.process is None:  # what it held is gone with it
            return
        if judge.process is None and not (self._last or self._hurried):
            self._last = True
            judge.start(time.monotonic())
        elif judge.process is None or self._hurried:
            sensor.process.terminate()

    def _close(self, jobs: Sequence[Job], end: float, meanwhile: Callable[[], None] = lambda: None) -> list[int]:
        """End these; their exit statuses, 0 where one did not run."""
        running = [job.process for job in jobs if job.process is not None]
        for process in running:
            process.terminate()
        for process in running:
            while process.poll() is None:
                if time.monotonic() > end:
                    process.kill()
                meanwhile()
                self._listen(LOOK_S / 2)
        return [job.ended() or 0 for job in jobs]
