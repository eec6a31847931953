"""Where captures come in that others write as they listen: over TCP (pcap-over-IP), as files in a folder, and from a process that sniffs an interface.

pcap-over-IP is a pcap or pcapng, one end of a connection of TCP to the other, and nothing else; by custom on port 57012. Nothing is ever sent there.
"""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, cast
from urllib.parse import urlsplit

from records.errors import InputError, UsageError
from sensors.sources.folders import Folder, check_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from threading import Event

CALLS, ANSWERS = "tcp", "tcp-listen"
PORT: Final = 57012
MOST_LINES: Final = 16  # peers of one door at a time
WAKE_S: Final = 0.2
CONNECT_S: Final = 10.0
FIRST_S, LONGEST_S = 1.0, 30.0  # until the next try: twice as long each time, until something came
NUMERIC: Final = re.compile(r"[0-9.]+")  # meant as an IPv4 address
NOT_HERE: Final = {errno.EADDRINUSE: "live.taken", errno.EADDRNOTAVAIL: "live.foreign", errno.EACCES: "live.low"}  # why nobody can be waited for


class Taker(Protocol):
    """Who takes in what comes through a door. `run` is its name, which no other has, unless it goes on with what that one was reading when it was killed."""

    stopped: Event
    run: str

    def take_in(self, name: str, file: BinaryIO, end: Callable[[], None] | None, path: str = "") -> bool | None:
        """Read a capture to its end, which `end` brings about in order; was there a packet? None where it is no capture.

        Without `end` it is a file, of this path.
        """
        ...

    def do(self, task: Callable[[], None]) -> None:
        """Have this done beside all else."""
        ...

    def darken(self, name: str, is_dark: bool) -> None:
        """From now on nothing can come from this interface; or it can again."""
        ...

    def say(self, **told: object) -> None:
        """Have people told."""
        ...

    def pass_over(self, path: Path, why: str) -> None:
        """Have people told, by its name in the catalogue, why this is not read, and count it."""
        ...


class Door(Protocol):
    """One of them; opening it raises BalefireError. `half`: the run that was killed amid what comes again now; empty where none was."""

    name: str
    half: str

    def run(self, taker: Taker) -> None:
        """Let in what comes, again and again, until the taker has stopped."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


def leads_elsewhere(place: str) -> bool:
    """Is it no interface, but where a capture comes from?"""
    return "/" in place  # no interface of any system has one in its name


def check_together(places: Sequence[str], expression: str, *, portable: bool, processes: int) -> None:
    """Raises UsageError for places that are none, or cannot be listened to together, or not so, before anything is compiled or made for them."""
    elsewhere = [leads_elsewhere(place) for place in places]
    for place in (place for place, leads in zip(places, elsewhere, strict=True) if leads):
        if expression:
            raise UsageError("live.unfiltered", place=place)
        if "://" in place:
            _parsed(place)
        else:
            check_folder(place)
    if not portable and not any(elsewhere):
        if expression:
            from sensors.sources.filters import Program

            Program(expression)
        return
    if processes > 1:
        raise UsageError("live.unshared", place=next((place for place, leads in zip(places, elsewhere, strict=True) if leads), "--portable"))
    if not portable and not all(elsewhere):
        raise UsageError("live.mixed", interface=places[elsewhere.index(False)])


def check_free(places: Sequence[str]) -> None:
    """Raises UsageError and InputError for a place at which nobody could come in, as of an address in use or of no host, before anything is compiled for it."""
    for scheme, address, port in (_parsed(place) for place in places if "://" in place):
        if scheme == ANSWERS:
            _waiting(address, port).close()


def door(place: str, expression: str = "") -> Door:
    """The door that a place names: tcp://HOST:PORT, tcp-listen://ADDRESS:PORT, a folder (with a slash), or an interface. Raises UsageError and InputError."""
    if not leads_elsewhere(place):
        return Sniffed(place, expression)
    if "://" not in place:
        return Folder(place)
    scheme, host, port = _parsed(place)
    return Caller(host, port) if scheme == CALLS else Listener(host, port)


def _parsed(place: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises UsageError."""
    try:
        parts = urlsplit(place)
        host, port = parts.hostname, PORT if parts.port is None else parts.port
    except ValueError:
        raise UsageError("live.place", place=place) from None
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if rest or parts.scheme not in (CALLS, ANSWERS) or (parts.scheme == CALLS and not (host and port)):
        raise UsageError("live.place", place=place)
    if host and NUMERIC.fullmatch(host) and not _is_address(host):
        raise UsageError("live.host", place=place)
    return parts.scheme, host or "127.0.0.1", port


def _is_address(text: str) -> bool:
    try:
        return bool(socket.inet_aton(text))
    except OSError:
        return False


def _waiting(address: str, port: int) -> socket.socket:
    """Whoever comes there can be let in. Raises UsageError and InputError."""
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError as error:
        place, number = _named(ANSWERS, address, port), error.errno or 0
        if number < 0:  # the resolver's
            raise UsageError("live.host", place=place) from None
        why = os.strerror(number) if number else str(error)  # its own words name the address once more
        raise InputError(NOT_HERE.get(number, "live.port"), place=place, reason=why) from None


class Caller:
    """Connects to whoever gives captures; again, when it went away."""

    half = ""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.name = _named(CALLS, host, port)

    def run(self, taker: Taker) -> None:
        """See `Door`."""
        wait, reason = FIRST_S, ""
        while not taker.stopped.is_set():
            try:
                line = self._connected()
            except OSError as error:
                if (why := error.strerror or str(error)) != reason:
                    self._tell(taker, error, why)
                reason, came = why, False
            else:
                reason = ""
                taker.say(came=self.name)
                came = _read(taker, self.name, line)
                taker.say(left=self.name)
            wait = FIRST_S if came else min(2 * wait, LONGEST_S)
            taker.stopped.wait(wait)

    def _tell(self, taker: Taker, error: OSError, reason: str) -> None:
        if isinstance(error, socket.gaierror):
            taker.say(unresolved=self.name)
        elif isinstance(error, ConnectionRefusedError):
            taker.say(refused=self.name)
        else:
            taker.say(away=self.name, reason=reason)

    def _connected(self) -> socket.socket:
        """The first of its addresses that answers. Raises OSError."""
        failed = OSError("no address")
        for family, kind, number, _, address in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM):
            line = socket.socket(family, kind, number)
            line.settimeout(CONNECT_S)
            try:
                line.connect(address)
            except OSError as error:
                line.close()
                failed = error
            else:
                return line
        raise failed

    def close(self) -> None:
        """Its one line is closed where it ended."""


class Listener:
    """Waits for those who give captures, several at a time."""

    half = ""

    def __init__(self, address: str, port: int) -> None:
        self._socket = _waiting(address, port)
        self._socket.settimeout(WAKE_S)
        self._lines = 0
        self.name = _named(ANSWERS, address, self._socket.getsockname()[1])

    def run(self, taker: Taker) -> None:
        """See `Door`."""
        while not taker.stopped.is_set():
            try:
                line, (peer, *_) = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:  # it was closed, or there is no more room for one
                taker.stopped.wait(WAKE_S)
                continue
            if self._lines >= MOST_LINES:
                taker.say(crowded=peer, most=MOST_LINES)
                line.close()
                continue
            self._lines += 1
            taker.do(lambda line=line, peer=str(peer): self._serve(taker, line, peer))

    def _serve(self, taker: Taker, line: socket.socket, peer: str) -> None:
        try:
            taker.say(came=peer)
            _read(taker, peer, line)
            taker.say(left=peer)
        finally:
            self._lines -= 1

    def close(self) -> None:
        """Nobody comes in any more."""
        self._socket.close()


class Sniffed:
    """An interface, listened to by a process that shares no code with this one (`sensors.sniffer`)."""

    half = ""

    def __init__(self, interface: str, expression: str) -> None:
        self.name = interface
        self._expression = expression
        self._process = self._started()

    def run(self, taker: Taker) -> None:
        """See `Door`."""
        try:
            self._take_in(taker)
        finally:
            self._let_go()

    def _take_in(self, taker: Taker) -> None:
        wait = FIRST_S / 2
        while not taker.stopped.is_set():
            process, began = self._process, time.monotonic()
            taker.take_in(self.name, cast("BinaryIO", process.stdout), process.terminate)
            self._let_go()
            if taker.stopped.is_set():
                return
            taker.darken(self.name, True)
            taker.say(gone=self.name)
            wait = FIRST_S if time.monotonic() - began > LONGEST_S else min(2 * wait, LONGEST_S)  # one that ends soon each time is not started all the time
            while not taker.stopped.wait(wait if self._is_there() else FIRST_S):
                if not self._is_there():
                    continue
                with suppress(InputError, UsageError):  # not ready yet
                    self._process = self._started()
                    taker.darken(self.name, False)
                    taker.say(back=self.name)
                    break
                wait = min(2 * wait, LONGEST_S)

    def _is_there(self) -> bool:
        """Asked in a way that systems without AF_PACKET know, too."""
        try:
            return socket.if_nametoindex(self.name) > 0
        except OSError:
            return False

    def _started(self) -> subprocess.Popen[bytes]:
        """It listens. Raises what keeps it from that."""
        command = [sys.executable, "-m", "sensors.sniffer", "--", self.name, self._expression]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - this very Python
        line = cast("BinaryIO", process.stderr).readline()
        if line == b"ready\n":
            return process
        process.kill()
        process.communicate()
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            told = {"error": "live.sniffer", "values": {"interface": self.name, "reason": line.decode(errors="replace").strip() or "-"}}
        kind = UsageError if told["error"] in {"live.filter", "live.missing", "live.scapy"} else InputError
        raise kind(told["error"], **told["values"])

    def _let_go(self) -> None:
        """It ends, and its pipes, which who reads them closes and nobody else: another may have their numbers by now."""
        self.close()
        for pipe in (self._process.stdout, self._process.stderr):
            cast("BinaryIO", pipe).close()

    def close(self) -> None:
        """It ends."""
        self._process.kill()
        self._process.wait()


def _named(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _read(taker: Taker, name: str, line: socket.socket) -> bool:
    """What comes over a line until either end closes it; one that only died is found dead in time."""

    def end() -> None:
        with suppress(OSError):  # it is closed already
            line.shutdown(socket.SHUT_RD)

    line.settimeout(None)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    with line, line.makefile("rb", buffering=0) as file:
        return bool(taker.take_in(name, cast("BinaryIO", file), end))
