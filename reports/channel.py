"""The contract of a channel: what its settings are, whom it goes to, and how a delivery ends."""

from __future__ import annotations

import importlib
import os
import pkgutil
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from records.errors import UsageError
from records.secret import exposed, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TIMEOUT_S: Final = 60.0
PORTS: Final = range(1, 65_536)
ADDRESS: Final = "https://HOST[:PORT]/PATH"
SECRETS: Final = ("password", "token", "passphrase")  # never settings themselves: `_env` or `_file` says where they are
KEPT: Final = "/%:@!$&'()*+,;=?~"  # in a path or query, as they stand (RFC 3986)


Wrong = tuple[str, str | UsageError]  # the name of a setting, and what it might be or what is wrong with it


class LaterError(Exception):
    """It was not taken, for certain, and may be later: the text says what the other side said."""


class RefusedError(Exception):
    """It was not taken, and will not be as it is."""


class DoubtError(Exception):
    """The other side may have taken it, and did not say so: it is not sent again before a person has looked."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is delivered: the files of one release, its entry first, under an identity that stays the same however often it is tried; `to` is one receiver."""

    id: str
    title: str
    files: tuple[Path, ...]
    to: str

    def placed(self) -> list[tuple[Path, str]]:
        """Each file with its place at a receiver who keeps many releases: as the ledger has them (`000002.json`, `000002/week.pdf`), so that two of the same
        name do not meet. The entry comes last: where it stands, its files do.
        """
        entry, *files = self.files
        return [*((file, f"{entry.stem}/{file.name}") for file in files), (entry, entry.name)]


@dataclass(frozen=True, slots=True)
class Channel:
    """A way. `keys` are its settings, those in `needed` have to be there; `receivers` tells, of its settings, to whom it goes, each by itself.

    `deliver` is given the settings, the parcel, and what to call just before the other side could take it; it returns what the other side said.
    """

    kind: str
    keys: frozenset[str]
    needed: frozenset[str]
    receivers: Callable[[Mapping[str, Any]], tuple[str, ...]]
    deliver: Callable[[Mapping[str, Any], Parcel, Callable[[], None]], str]
    local: frozenset[str]  # settings that are files or folders of this machine
    unusable: Callable[[Mapping[str, Any]], Wrong | None] = lambda _settings: None  # what of its settings can never do, as far as they alone tell


@cache
def channels() -> dict[str, Channel]:
    """All of them, by kind."""
    import reports.channels as package

    found = [importlib.import_module(f"{package.__name__}.{module.name}").CHANNEL for module in pkgutil.iter_modules(package.__path__)]
    return {each.kind: each for each in found}


def unusable(settings: Mapping[str, Any]) -> Wrong | None:
    """A setting by which nothing could ever be reached, whatever the channel; None where there is none."""
    for name, value in settings.items():
        if name not in {"port", "to", "idempotent"} and not _line(value):
            return name, UsageError("deliver.line", name=name)
    port: object = settings.get("port", PORTS[0])
    if isinstance(port, bool) or not str(port).isdecimal() or int(str(port)) not in PORTS:
        return "port", f"{PORTS[0]} – {PORTS[-1]}"
    if "host" in settings and not _host(str(settings["host"])):
        return "host", "host.example"
    if "url" in settings and (known := _address(str(settings["url"]))):
        return "url", known
    return None


def is_here(host: str | None) -> bool:
    """Whether a host is this machine, on the way to which nobody listens."""
    return (host or "").lower() in {"localhost", "127.0.0.1", "::1"}


def _line(value: object) -> bool:
    """Whether it is a text of one line that says something."""
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip()) and str(value).isprintable()


def _host(name: str) -> bool:
    """Whether a name could be looked up."""
    try:
        return bool(name.encode("idna")) and not set(name) & set(" /@")
    except UnicodeError:  # a label that is empty or too long
        return False


def _address(url: str) -> str | UsageError | None:
    """What a URL might be that is none, has letters that no request can hold, or would go in clear."""
    try:
        place = urlsplit(url)
        if place.scheme not in {"http", "https"} or not _host(place.hostname or "") or place.port == 0:
            return ADDRESS
    except ValueError:  # a port that is no number, half of a bracket
        return ADDRESS
    if place.scheme == "http" and not is_here(place.hostname):
        return UsageError("deliver.https", url=url)
    better = place._replace(path=quote(place.path, KEPT), query=quote(place.query, KEPT))
    return better.geturl() if better != place else None


def trusting(settings: Mapping[str, Any]) -> ssl.SSLContext:
    """TLS that believes the authorities of the file `ca` (PEM) and no others, or where none is set those of this machine. Raises UsageError naming the file."""
    file = settings.get("ca")
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # SSLError is one: a file without a certificate
        raise UsageError("deliver.ca", file=file, problem=error.strerror or error) from error


def untrusted(host: str, error: ssl.SSLCertVerificationError) -> LaterError:
    """A server whose certificate was not believed gets nothing; what may help is said."""
    return LaterError(str(UsageError("deliver.untrusted", host=host, problem=error.verify_message or error)))


def secret(settings: Mapping[str, Any], name: str) -> str | None:
    """A secret: of the environment (`<name>_env` names the variable) or of a file (`<name>_file`); it never stands in the settings. Raises UsageError."""
    if variable := settings.get(f"{name}_env"):
        if not (found := os.environ.get(str(variable))):
            raise UsageError("deliver.no_secret", variable=variable)
        return found
    if file := settings.get(f"{name}_file"):
        try:
            return first_line(str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError("deliver.secret_file", file=file, problem=error) from error
    return None


def lacking(settings: Mapping[str, Any]) -> list[UsageError]:
    """What a way needs and does not have just now, its secrets and files, and which of these others on this machine may read."""
    found: list[UsageError] = []
    for name in SECRETS:
        try:
            secret(settings, name)
        except UsageError as error:
            found.append(error)
    away = [name for name in ("known_hosts", "key_file") if name in settings and not os.access(str(settings[name]), os.R_OK)]
    found += [UsageError("deliver.absent", name=name, file=settings[name]) for name in away]
    files = [str(settings[name]) for name in (*(f"{each}_file" for each in SECRETS), "key_file") if name in settings]
    return found + [UsageError("exposed", file=file) for file in files if exposed(file)]
