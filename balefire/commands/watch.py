"""Live interfaces, and captures that others write, the whole way: what comes is judged and stored as it comes, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import click
import platformdirs

from balefire.command import HELP, keeps, speaks
from balefire.commands.capture import check, taken_in
from records import scratch
from records.errors import InputError, StoreError, UsageError
from records.homes import expanded
from records.wording import say
from sensors.faces import own
from sensors.rights import ALONE, forgo
from sensors.sources.doors import check_free, check_together, leads_elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from subprocess import Popen

    from balefire.screen import Screen
    from records.model import Alert

MOST_NAMED: Final = 8  # bad captures that are named at the end
END_S: Final = 10.0  # that a listener may take until it has ended
NUMBERS: Final = {"ended", "read", "ready"}  # what a listener says in numbers and lists; all else that it says is news, by its name in the catalogue
USAGE: Final = {
    "capture.missing", "live.filter", "live.host", "live.libpcap", "live.missing", "live.mixed", "live.no_folder", "live.place", "live.record",
    "live.recorded", "live.scapy", "live.twice", "live.unfiltered", "live.unshared",
}  # fmt: skip


def listens(command: Callable[..., None]) -> Callable[..., None]:
    """What may be said of how to listen: the options of whatever does, or has it done."""
    for option in reversed(
        (
            click.argument("interfaces", nargs=-1, required=True, metavar="PLACE…"),
            click.option("--portable", is_flag=True, help=say("cli.option.portable", HELP)),
            click.option("--processes", type=click.IntRange(1, 16), default=1, show_default=True, metavar="N", help=say("cli.option.processes", HELP)),
            click.option("--ring-mib", type=click.IntRange(1, 2048), default=32, show_default=True, metavar="MIB", help=say("cli.option.ring_mib", HELP)),
            click.option("--filter", default="", metavar="EXPR", help=say("cli.option.filter", HELP)),
            click.option("--record", type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.record", HELP)),
            click.option("--record-mib", type=click.IntRange(64), default=10240, show_default=True, metavar="MIB", help=say("cli.option.record_mib", HELP)),
            click.option("--record-days", type=click.FloatRange(0, min_open=True), metavar="DAYS", help=say("cli.option.record_days", HELP)),
            click.option("--site", metavar="NAME", help=say("cli.option.site", HELP)),
            click.option("--observer", metavar="NAME", help=say("cli.option.watcher", HELP)),
            click.option("--rules", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.rules", HELP)),
        )
    ):
        command = option(command)
    return command


@click.command(help=say("cli.help.watch", HELP))
@listens
@click.option("--door", hidden=True)
@keeps
@speaks
def watch(
    screen: Screen,
    interfaces: tuple[str, ...],
    site: str | None,
    observer: str | None,
    rules: tuple[Path, ...],
    as_json: bool,
    door: str | None,
    **how: Any,
) -> None:
    """Listen for as long as it is wanted; alerts are told as they come up. `door`: where somebody else's listener hands on what it hears."""
    settings = screen.settings
    rules = rules or ((settings.rules,) if settings.rules else ())
    observer = observer or settings.observer or platform.node()
    plan: dict[str, Any] = {"learn": (), "observer": observer, "site": site or settings.site, "rules": rules, "resume": True}
    if door:
        _judge(screen, as_json, door, interfaces, plan)
        return
    how["portable"] = how["portable"] or sys.platform != "linux"
    check_places(interfaces, **how)
    check_free(interfaces)
    more = words(**how)
    with listener(interfaces, more) as process:
        _confine(screen)
        scratch.sweep()
        from balefire.awaiting import awaited
        from balefire.schedule import housekeeping  # makes threads, as does what follows
        from sensors.sources.pcap import listen

        check(screen, rules)
        _warm(screen, rules)
        teller, over = _listening(screen, process, interfaces, observer)
        with closing(awaited(screen, over)) as store:  # from now on: it may be long until the first packet, and there is but one who writes
            with housekeeping(screen, lambda: nullcontext(store)):
                (capture,) = listen(cast("BinaryIO", process.stdout), "+".join(dict.fromkeys(interfaces)), process.terminate, patience=0)
            taken_in(
                screen,
                as_json,
                lambda alert, stored: _tell(screen, alert, stored),
                store,
                captures=[capture],
                **plan,
            )
        process.wait(END_S)
        teller.join(END_S)  # what it said last


def check_places(places: Sequence[str], portable: bool, processes: int, **how: Any) -> None:
    """Raises UsageError for what cannot be listened to, or not so: what listens finds that out when all is compiled, minutes later, and folders are made."""
    check_together(places, how["filter"], portable=portable, processes=processes)
    if sys.platform != "linux":
        return
    from sensors.sources.packetsocket import index_of

    known: dict[int, str] = {}
    for place in dict.fromkeys(places):
        if not leads_elsewhere(place):
            try:
                first = known.setdefault(index_of(place), place)
            except InputError as error:
                raise UsageError(error.key, **error.values) from None
            if first != place:
                raise UsageError("live.twice", place=place, first=first)


def reads_again(places: Iterable[str]) -> bool:
    """Is one of them a folder? What listens there and is killed reads the file anew, in the name of the one before."""
    return any(leads_elsewhere(place) and "://" not in place for place in places)


def _judge(screen: Screen, as_json: bool, door: str, places: Sequence[str], plan: dict[str, Any]) -> None:
    """Judge and store what a listener hands on that lives on when this is killed; what this had not stored by then comes once more."""
    forgo()
    _confine(screen)
    from balefire.absence import LEAD, Absence, announce
    from balefire.awaiting import awaited
    from records.store import open_store
    from sensors.sources.line import Line, knock
    from sensors.sources.pcap import listen

    check(screen, plan["rules"])
    with suppress(StoreError), closing(open_store(screen.store, write=True)) as store:  # what is wrong with it is said below
        announce(store, plan["observer"])
    _warm(screen, plan["rules"])
    over = _told_to_end(lambda: None)
    with closing(awaited(screen, over, lambda: knock(door))) as store:
        until = Absence(store, plan["observer"], lambda _: None).until()
        line = Line(door, until - LEAD, lasts=not reads_again(places))
        if _told_to_end(line.end, over)():
            line.end()
        with closing(line.file):
            (capture,) = listen(line.file, "+".join(dict.fromkeys(places)), line.end, patience=0)
            taken_in(screen, as_json, lambda alert, stored: _tell(screen, alert, stored), store, keeps_house=False, captures=[capture], **plan)


def words(**given: Any) -> list[str]:
    """Options and what they are given, as words of a command line; those that are given nothing are left out, and what ~ stands for is written out."""
    told: list[str] = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        each = cast("tuple[Any, ...]", value if isinstance(value, tuple) else (value,))
        told += [word for one in each if one for word in ((option,) if one is True else (option, str(expanded(one) if isinstance(one, Path) else one)))]
    return told


def _tell(screen: Screen, alert: Alert, stored: bool) -> None:
    from balefire.screen import severity_text
    from records.formats import Clock, zone_named
    from records.model import severity_word

    when = Clock(zone_named(screen.settings.reports.stated_zone()), screen.language).instant(alert.last)
    word = severity_text(severity_word(alert.severity), screen.language).plain
    screen.note(f"{when}  {word}  {getattr(alert.title, screen.language)}  {alert.id}" + ("" if stored else f"  {screen.say('cli.watch.held')}"))


def _warm(screen: Screen, rules: tuple[Path, ...]) -> None:
    """Load all that judges, and compile what is not compiled yet: no packet may wait for it."""
    import balefire.pipeline  # noqa: F401  # pyright: ignore[reportUnusedImport]  - what it needs takes a second
    from detectors.discovery import Setup, detectors
    from sensors.engine import mode

    detectors(Setup(rules))  # rules that were read once are not read again
    mode.choose(mode.SMALL_OCTETS + 1)
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        return
    if not mode.is_warm():
        screen.note(screen.say("cli.warming"))
        mode.warm()
    from sensors import warming

    warming.load()


@contextmanager
def listener(interfaces: Sequence[str], more: Sequence[str]) -> Generator[Popen[bytes]]:
    """A process that will listen: started before anything here makes threads, so that none of them has the right to."""
    command = [sys.executable, "-m", "sensors.listening", "--wait", *more, "--", *dict.fromkeys(interfaces)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603 - this very Python, and names behind --
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=os.environ | ALONE, start_new_session=True
    )
    try:
        forgo()
        yield process
    finally:
        process.terminate()  # also where the store failed: what is recorded is whole
        try:
            process.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _told_to_end(end: Callable[[], None], before: Callable[[], bool] = lambda: False) -> Callable[[], bool]:
    """Have SIGINT and SIGTERM `end` it, for it may be long until the first packet; what tells whether one came, now or `before`."""
    told: list[int] = []

    def stop(number: int, _: object) -> None:
        told.append(number)
        end()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return lambda: bool(told) or before()


def _listening(screen: Screen, process: Popen[bytes], interfaces: Sequence[str], observer: str) -> tuple[threading.Thread, Callable[[], bool]]:
    """Have it listen, until it is stopped: who tells what it says, and what tells whether it was stopped, or has ended. Raises UsageError and InputError."""
    said, told = (cast("BinaryIO", stream) for stream in (process.stderr, process.stdin))
    with suppress(BrokenPipeError):  # it has ended already, and said why
        told.write(b"\n")
        told.flush()
    names = _begun(said)
    stopped = _told_to_end(process.terminate)
    begun(screen, names, interfaces, observer)

    def tell() -> None:
        relay(screen, said)
        if process.wait():  # at once, whatever we wait for: a store, or room in it
            screen.fail(InputError("live.ended", status=process.returncode))

    teller = threading.Thread(target=tell, name="listener", daemon=True)
    teller.start()
    return teller, lambda: stopped() or process.poll() is not None


def begun(screen: Screen, told: dict[str, Any], interfaces: Sequence[str], observer: str) -> None:
    """Say what is listened to, as a listener told."""
    screen.note(screen.say("cli.watch.begun", interfaces=", ".join(told["ready"]), observer=observer))
    if addressed := own(interfaces):
        screen.note(screen.say("cli.watch.own", interfaces=", ".join(addressed)))
    if not told["judged"]:
        screen.note(screen.say("cli.watch.unjudged"))
    if told["stamped"]:
        screen.note(screen.say("cli.watch.stamped", interfaces=", ".join(told["stamped"])))


def _confine(screen: Screen) -> None:
    """It reads what others sent, and writes nothing but the store, what waits for it, reports, and what is made anew when it is lost."""
    from sensors.fence import confine, made

    if spool := os.environ.get("BALEFIRE_SPOOL"):
        with suppress(OSError):  # said when something has to wait there
            made(Path(spool), 0o700)
    named = (spool, screen.settings.reports.directory, "" if "://" in screen.store else screen.store)
    own = (platformdirs.user_data_path("balefire"), platformdirs.user_cache_path(), Path(tempfile.gettempdir()), Path(os.devnull).parent)
    confine((*own, *(Path(place) for place in named if place)), tcp=True)


def _begun(said: Iterable[bytes]) -> dict[str, Any]:
    """Wait until it listens: to what, and what of that has times of its card. Raises what keeps it from that."""
    for line in said:
        told: dict[str, Any] = told_of(line)
        if "ready" in told:
            return told
        if "error" in told:
            raise failure(told)
    raise InputError("live.ended", status="-")


def failure(told: dict[str, Any]) -> UsageError | InputError:
    """What a listener says is wrong."""
    return (UsageError if told["error"] in USAGE else InputError)(told["error"], **told["values"])


def relay(screen: Screen, said: Iterable[bytes]) -> None:
    """Tell people what the listener says while it runs."""
    heard = Heard(screen)
    for line in said:
        heard.hear(told_of(line))


class Heard:
    """Tells people what a listener says; what is bad counts once for all that are bad alike."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._bad: dict[str, None] = {}  # which captures, in order

    def hear(self, told: dict[str, Any]) -> None:
        """One thing that it says."""
        screen, bad = self._screen, list(self._bad)
        if "error" in told:
            screen.fail(InputError(told["error"], **told["values"]))
            self._bad[str(told["values"].get("file", told["error"]))] = None
        elif "ended" in told:
            which = ", ".join([*bad[:MOST_NAMED], *(["…"] if len(bad) > MOST_NAMED else [])])
            for what in ("bad", "passed"):
                if count := told["ended"].get(what):
                    screen.note(screen.count(f"cli.watch.{what}", count, which=which))
        elif told and not told.keys() & NUMBERS:
            (news, what), *more = told.items()
            screen.note(screen.say(f"cli.heard.{news}", what=what, **dict(more)))


def told_of(line: bytes) -> dict[str, Any]:
    """A line of a listener; empty where it is none of its own."""
    try:
        told: Any = json.loads(line)
    except ValueError:  # a traceback, for one
        sys.stderr.write(line.decode(errors="replace"))
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
