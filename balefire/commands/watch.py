"""Live interfaces, the whole way: what comes is judged and stored as it comes, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import click

from balefire.command import HELP, keeps, speaks
from balefire.commands.capture import check, taken_in
from records.errors import InputError, UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from balefire.screen import Screen
    from records.model import Alert
    from sensors.sources.pcap import Capture

START_S: Final = 60.0  # that a listener may take until it listens
END_S: Final = 10.0  # … and until it has ended


@click.command(help=say("cli.help.watch", HELP))
@click.argument("interfaces", nargs=-1, required=True, metavar="IFACE…")
@click.option("--filter", "expression", default="", metavar="EXPR", help=say("cli.option.filter", HELP))
@click.option("--site", metavar="NAME", help=say("cli.option.site", HELP))
@click.option("--observer", metavar="NAME", help=say("cli.option.observer", HELP))
@click.option("--rules", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.rules", HELP))
@keeps
@speaks
def watch(screen: Screen, interfaces: tuple[str, ...], expression: str, site: str | None, observer: str | None, rules: tuple[Path, ...], as_json: bool) -> None:
    """Listen for as long as it is wanted; alerts are told as they come up."""
    if sys.platform != "linux":
        raise UsageError("live.linux")
    settings = screen.settings
    rules = rules or ((settings.rules,) if settings.rules else ())
    check(screen, rules)
    observer = observer or settings.observer or platform.node()
    _warm(screen)
    with _listening(screen, interfaces, expression, observer) as capture:
        taken_in(screen, as_json, lambda alert: _tell(screen, alert), captures=[capture], learn=(), observer=observer, site=site or settings.site, rules=rules)


def _tell(screen: Screen, alert: Alert) -> None:
    from balefire.screen import severity_text
    from balefire.times import shown
    from records.model import severity_word

    word = severity_text(severity_word(alert.severity), screen.language).plain
    screen.note(f"{shown(alert.last, screen.language)}  {word}  {getattr(alert.title, screen.language)}  {alert.id}")


def _warm(screen: Screen) -> None:
    """Compile what is not compiled yet: no packet may wait for it."""
    from sensors.engine import mode

    mode.choose(mode.SMALL_OCTETS + 1)
    if os.environ.get("NUMBA_DISABLE_JIT") != "1" and not mode.is_warm():
        screen.note(screen.say("cli.watch.warming"))
        mode.warm()


@contextmanager
def _listening(screen: Screen, interfaces: Sequence[str], expression: str, observer: str) -> Generator[Capture]:
    """What a listener in a process of its own brings, as a capture that has no end until it is stopped. Raises UsageError and InputError."""
    from sensors.sources.pcap import listen

    command = [sys.executable, "-m", "sensors.listening", *(("--filter", expression) if expression else ()), "--", *dict.fromkeys(interfaces)]
    process = subprocess.Popen(  # noqa: S603 - this very Python, and names that are told from options by --
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    assert process.stderr is not None  # noqa: S101
    try:
        _begun(process.stderr)
        for number in (signal.SIGINT, signal.SIGTERM):  # it may be long until the first packet
            signal.signal(number, lambda *_: process.terminate())  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        screen.note(screen.say("cli.watch.begun", interfaces=", ".join(interfaces), observer=observer))
        threading.Thread(target=_relay, args=(screen, process.stderr), name="listener", daemon=True).start()
        (capture,) = listen(cast("BinaryIO", process.stdout), "+".join(interfaces), process.terminate)
        yield capture
        if process.wait(END_S):
            screen.fail(InputError("live.ended", status=process.returncode))
    finally:
        process.kill()
        process.wait()


def _begun(said: Any) -> None:
    """Wait until it listens. Raises what keeps it from that."""
    for line in said:
        told: dict[str, Any] = _told(line)
        if "ready" in told:
            return
        if "error" in told:
            kind = UsageError if told["error"] in {"live.filter", "live.libpcap", "live.missing"} else InputError
            raise kind(told["error"], **told["values"])
    raise InputError("live.ended", status="-")


def _relay(screen: Screen, said: Any) -> None:
    """Tell people what the listener says while it runs."""
    for line in said:
        told = _told(line)
        for what in ("gone", "back"):
            if what in told:
                screen.note(screen.say(f"cli.watch.{what}", interface=told[what]))


def _told(line: bytes) -> dict[str, Any]:
    try:
        told: Any = json.loads(line)
    except ValueError:  # a traceback, for one
        sys.stderr.write(line.decode(errors="replace"))
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
