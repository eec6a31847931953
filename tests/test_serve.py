"""What listens, what judges, what keeps house and the dashboard under one supervisor, for real: killed, started again, ended in order."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from balefire.commands.serve import Job
from sensors.pcapng import ABSENT
from sensors.rights import FILES, NET_BIND_SERVICE, NET_RAW, OPENING
from tests.test_watch import INTERPRETED, plain, rights, said, stored
from tests.veth import ROOT, started, wires
from tests.wire import Talk, mbap, write

if TYPE_CHECKING:
    from subprocess import Popen

pytestmark = pytest.mark.netns
SEED: Final = int(os.environ.get("BALEFIRE_KILLS_SEED") or (random.randrange(1 << 32) if "BALEFIRE_SOAK" in os.environ else 1))
KILLS: Final = 5 if "BALEFIRE_SOAK" in os.environ else 1  # amid traffic; each waits twice as long as the one before
WRITES: Final = 200
WORDS: Final = {"sensor": b"sensors.listening", "judge": b"watch", "scheduler": b"housekeep", "dashboard": b"streamlit"}


def jobs(process: Popen[bytes]) -> dict[str, int]:
    """The processes that it started, by what they are."""
    found: dict[str, int] = {}
    for number in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        found |= {name: int(number) for name, word in WORDS.items() if word in words}
    return found


def mask(*held: int) -> int:
    """These capabilities of a test that has them itself."""
    return sum(1 << right for right in held) & rights(os.getpid())[0]


def kill(process: Popen[bytes], name: str) -> None:
    """As soon as it runs."""
    end = time.monotonic() + 60
    while name not in jobs(process) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(jobs(process)[name], signal.SIGKILL)


def gone(numbers: list[int]) -> bool:
    """Whether all of these processes have ended."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if not any(Path(f"/proc/{number}").exists() and Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z" for number in numbers):
            return True
        time.sleep(0.1)
    return False


def descendants(number: int) -> list[int]:
    """A process and all below it."""
    children = [int(word) for task in Path(f"/proc/{number}/task").glob("*/children") for word in task.read_text().split()]
    return [number, *(each for child in children for each in descendants(child))]


def wrote(client: str) -> Talk:
    """A connection on which somebody writes once."""
    return Talk(client=client).open().ask(mbap(1, write(3, 7)), mbap(1, write(3, 7)))


class Told:
    """What a process says, from its beginning on."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process, self.text = process, b""

    def until(self, line: bytes, behind: bytes = b"") -> None:
        """It says this, behind where it said that last."""
        while behind not in self.text or line not in (self.text.rpartition(behind)[2] if behind else self.text):
            self.text += said(self._process, "", within=120)


def test_each_is_killed_and_comes_again_while_the_others_live_on(tmp_path: Path) -> None:
    """Somebody writes in each state: nothing of it is lost but what comes while nobody listens, which coverage says; and nothing is there twice."""
    sys.stdout.write(f"BALEFIRE_KILLS_SEED={SEED}\n")  # stands beside a failure
    clients, dice = [f"10.0.0.{number}" for number in (7, 9, 10, 11)], random.Random(SEED)
    files = [plain(tmp_path / f"{client}.pcap", wrote(client)) for client in clients]
    busy = [Talk(client=f"10.0.1.{number}").open() for number in range(KILLS)]
    for talk in busy:
        for number in range(WRITES):
            talk.ask(mbap(number, write(number, 7)), mbap(number, write(number, 7)))
    floods = [plain(tmp_path / f"flood-{talk.client}.pcap", talk) for talk in busy]
    with wires() as wire:
        subprocess.run(("ip", "-n", wire.here, "link", "set", "lo", "up"), check=True)
        words = wire.run("-m", "balefire", "serve", "in0", "--observer", "test", "--port", "8599", "--store", str(tmp_path / "store"))
        with started(words, INTERPRETED) as process:
            told = Told(process)
            told.until(b"Listening on in0")
            told.until(b"dashboard is at")
            first = jobs(process)
            assert set(first) == set(WORDS)
            held = {name: set(rights(number)) for name, number in {**first, "supervisor": process.pid}.items()}
            unprivileged = {number for number in (*first.values(), process.pid) if "NoNewPrivs:\t1" in Path(f"/proc/{number}/status").read_text()}
            wire.send(files[0])
            for flood in floods:
                with ThreadPoolExecutor(1) as beside:
                    sending = beside.submit(wire.send, flood, 0, 0.005)
                    time.sleep(dice.random() * 2.5)
                    kill(process, "judge")
                    sending.result()
                told.until(b"started again", b"What judges")
            for name, line, file in zip(("scheduler", "dashboard"), (b"What keeps house", b"The dashboard"), files[1:], strict=False):
                kill(process, name)
                wire.send(file)
                told.until(line)
            end = time.monotonic() + 30
            while set(jobs(process)) != set(WORDS) and time.monotonic() < end:
                time.sleep(0.1)
            again = jobs(process)
            assert {name for name in WORDS if again[name] == first[name]} == {"sensor"}
            told.until(b"comes once more", b"What judges")
            time.sleep(1)  # it has it all, for what is held by what listens goes with that
            kill(process, "sensor")
            told.until(b"Coverage counts that time as absent", b"The sensor ended")
            wire.send(files[3])
            assert {name for name, number in jobs(process).items() if again[name] != number} == {"sensor"}
            time.sleep(0.5)
            below = descendants(process.pid)[1:]
            process.terminate()
            assert process.wait(60) == 0
            assert gone(below)
    files = mask(*FILES)
    assert unprivileged == {*first.values(), process.pid}
    assert held == {
        "supervisor": {files | mask(*OPENING)}, "sensor": {files | mask(NET_RAW)}, "dashboard": {files | mask(NET_BIND_SERVICE)},
        "judge": {files}, "scheduler": {files},
    }  # fmt: skip
    writes = [row for row in stored(tmp_path / "store", "activities") if row["ot"]["access"] == "write"]
    stood = sorted((row["source"]["ip"], row["ot"]["object"]["first"]) for row in writes)
    assert stood == sorted([*((client, 3) for client in clients), *((talk.client, number) for talk in busy for number in range(WRITES))])
    coverage = stored(tmp_path / "store", "coverage")
    assert sum(row["packets"] for row in coverage) == sum(len(wrote(client).packets) for client in clients) + KILLS * len(busy[0].packets)
    assert 0.5 < sum(row["absent"] or 0 for row in coverage) < 10


def test_what_ends_again_and_again_is_started_later_each_time_until_it_ran_well() -> None:
    """By a clock that is given: one, two, four … seconds, never more than a minute, and one again after a minute's run."""
    job, now, waits = Job("judge", (sys.executable, "-S", "-c", "")), 1000.0, list[float]()
    for _ in range(9):
        job.since = now
        waits.append(job.postpone(now + 0.5))
        assert job.due == now + 0.5 + waits[-1]
        now = job.due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    job.since = now
    assert [job.postpone(now + 60), job.postpone(now + 61), job.postpone(now + 60)] == [60, 1, 2]
    job.start(now)
    assert job.process is not None
    job.process.wait()
    assert (job.since, job.runs, job.ended(), job.ended()) == (now, 1, 0, None), "its end is told once"
    assert job.postpone(now + 1) == 4


def test_what_no_start_would_mend_ends_it(tmp_path: Path) -> None:
    with wires() as wire:
        words = wire.run("-m", "balefire", "serve", "nowhere9", "--observer", "test", "--port", "8598", "--store", str(tmp_path / "store"))
        done = subprocess.run(words, cwd=ROOT, env=os.environ | INTERPRETED, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "There are: " in done.stderr
    assert "started again" not in done.stderr


JUDGE: Final = """
import pathlib, signal, sys
from sensors.sources.line import Line
line = Line(sys.argv[2], 0)
signal.signal(signal.SIGTERM, lambda *_: line.end())
with pathlib.Path(sys.argv[3]).open("ab", buffering=0) as file:
    while came := line.file.read(1 << 16):
        file.write(came)
"""
SERVE: Final = """
import json, sys
from balefire.commands.serve import Job, Supervisor, _door
from balefire.screen import Screen
from balefire.settings import Settings
screen = Screen(Settings(), "en", "")
with _door() as (door, path):
    words, judge = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    sensor = Job("sensor", (*words, "--door", str(door.fileno())), ("--", "in0"), door.fileno())
    Supervisor(screen, [sensor, Job("judge", (*judge, path, sys.argv[3]))], lambda _: screen.note("Listening")).run()
sys.exit(screen.status)
"""


@pytest.mark.parametrize("mends", [True, False])
def test_what_is_held_at_the_end_goes_to_another_judge(mends: bool, tmp_path: Path) -> None:
    """Of what was heard since the one before was killed; where the other fails as well, that is said, and is no success."""
    file, judge, heard = plain(tmp_path / "talk.pcap", wrote("10.0.0.7")), tmp_path / "judge.py", tmp_path / "heard"
    judge.write_text(JUDGE)
    with wires() as wire:
        sensor = [sys.executable, "-m", "sensors.listening", "--run", "one"]
        words = wire.run("-c", SERVE, json.dumps(sensor), json.dumps([sys.executable, str(judge), "watch"]), str(heard))
        with started(words, INTERPRETED) as process:
            told = Told(process)
            told.until(b"Listening")
            kill(process, "judge")
            told.until(b"started again", b"What judges")
            kill(process, "judge")
            told.until(b"in 2 s", b"What judges")
            heard.write_bytes(b"")
            wire.send(file)
            judge.write_text(JUDGE if mends else "raise SystemExit(4)")
            process.terminate()
            _, rest = process.communicate(timeout=30)
    assert all(packet.data in heard.read_bytes() for packet in wrote("10.0.0.7").packets) == mends
    assert (process.returncode, b"nobody judged the last" in rest) == ((0, False) if mends else (3, True))


def test_what_was_held_before_anybody_judged_is_told_as_missing(tmp_path: Path) -> None:
    """The first that listens is killed two seconds after it began, and nobody had come in: the next tells these, too."""
    judge, heard, go = tmp_path / "judge.py", tmp_path / "heard", tmp_path / "go"
    judge.write_text(f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists():\n    time.sleep(0.05)\n{JUDGE}")
    with wires() as wire:
        sensor = [sys.executable, "-m", "sensors.listening", "--run", "one", "--record", str(tmp_path / "recorded")]
        words = wire.run("-c", SERVE, json.dumps(sensor), json.dumps([sys.executable, str(judge), "watch"]), str(heard))
        with started(words, INTERPRETED) as process:
            told = Told(process)
            told.until(b"Listening")
            began = time.monotonic()
            time.sleep(2)
            for _ in range(2):
                kill(process, "sensor")
                told.until(b"Listening", b"The sensor ended")
            seconds = time.monotonic() - began
            go.touch()
            end = time.monotonic() + 10
            while not (found := absences(heard)) and time.monotonic() < end:
                time.sleep(0.05)
    assert found[0] >= seconds, "what the second one held is lost, too"


def absences(file: Path) -> list[float]:
    """For how long (seconds) nobody listened, as often as that is told in what a judge got."""
    octets, code = file.read_bytes() if file.exists() else b"", struct.pack("<HH", ABSENT, 8)
    at = [match.end() for match in re.finditer(re.escape(code), octets)]
    return [struct.unpack_from("<Q", octets, each)[0] / 1e9 for each in at if len(octets) >= each + 8]


def test_a_store_that_is_away_keeps_nothing_from_being_recorded(tmp_path: Path) -> None:
    """What was not judged when it is told to end, and not to wait for that either, is said, and is no success."""
    file = plain(tmp_path / "talk.pcap", wrote("10.0.0.7"))
    with wires() as wire:
        more = ("--record", str(tmp_path / "recorded"), "--store", "http://127.0.0.1:9")
        with started(wire.run("-m", "balefire", "serve", "in0", "--observer", "test", "--port", "8596", *more), INTERPRETED) as process:
            told = Told(process)
            told.until(b"Nothing is judged yet", b"Listening on in0")
            assert b"The store is away" not in told.text, "what is recorded waits for nobody who judges"
            wire.send(file)
            told.until(b"The store is away")
            time.sleep(1)
            process.terminate()
            time.sleep(0.2)
            process.terminate()
            _, rest = process.communicate(timeout=30)
    assert process.returncode == 4
    assert b"nobody judged the last" in rest
    assert b"nothing of what was heard meanwhile is judged" in rest
    assert b"started again" not in rest
    recorded = b"".join(part.read_bytes() for part in sorted((tmp_path / "recorded").rglob("*.pcapng")))
    assert all(packet.data in recorded for packet in wrote("10.0.0.7").packets)


def test_a_dashboard_whose_port_is_taken_ends_nothing_and_nothing_stays_when_it_is_killed(tmp_path: Path) -> None:
    taker = "import socket, sys; taken = socket.create_server(('127.0.0.1', 8597)); print(); sys.stdin.read()"
    with wires() as wire:
        subprocess.run(("ip", "-n", wire.here, "link", "set", "lo", "up"), check=True)
        words = wire.run("-m", "balefire", "serve", "in0", "--observer", "test", "--port", "8597", "--store", str(tmp_path / "store"))
        with subprocess.Popen(wire.run("-c", taker), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as taken, started(words, INTERPRETED) as process:
            assert taken.stdout is not None
            assert taken.stdout.readline()
            told = Told(process)
            told.until(b"8597")
            told.until(b"The dashboard ended (status 2). It is started again in 1 s")
            told.until(b"Listening on in0")
            told.until(b"It is started again in 2 s")
            assert {"sensor", "judge", "scheduler"} <= set(jobs(process))
            below = descendants(process.pid)[1:]
            process.kill()
            process.wait()
            assert gone(below)
            taken.communicate()
