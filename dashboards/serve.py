"""Starts the dashboard: Streamlit in place of this process, on this machine only unless one has to log in, with the store's place in its environment."""

from __future__ import annotations

import logging
import os
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from records.errors import UsageError
from records.homes import expanded
from records.wording import LANGUAGES
from reports.keys import PASSPHRASE

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
HOSTS: Final = "BALEFIRE_DASHBOARD_HOSTS"  # names to answer to
READY: Final = "BALEFIRE_DASHBOARD_READY"  # what to print once the pages answer, after the number of the stream
MEBIBYTES: Final = "BALEFIRE_DISSECTION__MEBIBYTES"  # of memory that tshark may take for a packet, as the setting is called in the environment
UNIT: Final = "BALEFIRE_DUTIES__UNIT"  # who issues and reports, likewise
ZONE: Final = "BALEFIRE_REPORTS__ZONE"  # of the reports' calendar and of all times shown, likewise; empty where none is set
SHIFTS: Final = "BALEFIRE_SHIFTS"  # when the plant's begin, as JSON, likewise
DIRECTORY: Final = "BALEFIRE_REPORTS__DIRECTORY"  # where reports are kept, likewise
RULES: Final = "BALEFIRE_RULES"  # the site's directory of rules, likewise
LEDGER: Final = "BALEFIRE_LEDGER__FOLDER"  # where released ones are, likewise
REGIMES: Final = "BALEFIRE_DUTIES__REGIMES"  # laws whose duties count, as JSON, and what kind of operator the plant's is, likewise
OPERATOR: Final = "BALEFIRE_DUTIES__OPERATOR"
RECEIVERS: Final = "BALEFIRE_DUTIES__RECEIVERS"  # who acts for which receiver of warnings, as JSON, likewise
DELIVERIES: Final = "BALEFIRE_DELIVERY__FOLDER"  # where it is noted what went out, likewise
OWN_NAMES: Final = ("localhost", "127.0.0.1", "[::1]", "::1")


class PortError(UsageError):
    """Somebody else listens there."""


def environment(store: str, language: str | None = None, user: str = "", hosts: Sequence[str] = (), ready: str = "") -> dict[str, str]:
    """What the dashboard's process is told: the store (a directory made absolute, or a URL), the language and who decides there, where there is one.

    `hosts` are names to answer to beside this machine's own; `ready` is printed once it answers ("1 …" on standard output, "2 …" on standard error).
    """
    told = dict(os.environ, BALEFIRE_STORE=store if "://" in store else str(expanded(store).resolve()))
    for name in (PASSPHRASE, f"{PASSPHRASE}_FILE", "BALEFIRE_LEDGER__PASSPHRASE_FILE"):
        told.pop(name, None)  # what serves browsers signs nothing, and cannot
    told["NUMBA_DISABLE_JIT"] = "1"  # pages name protocols and run no kernel: nothing is to be loaded for one
    if language in LANGUAGES:
        told["BALEFIRE_LANGUAGE"] = language
    told[HOSTS] = " ".join((*OWN_NAMES, *hosts))
    if ready:
        told[READY] = ready
    if user:
        told["BALEFIRE_USER"] = user
    root = HERE.parent
    if root != Path(sysconfig.get_path("purelib")):  # a checkout: its packages are found from any working directory
        told["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), told.get("PYTHONPATH"))))
    return told


def command(port: int, address: str = "127.0.0.1") -> list[str]:
    """The command line. Theme and defaults come from `.streamlit/config.toml` beside `served.py`; what keeps it private is said again as flags."""
    flags = {
        "server.address": address,
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.enableCORS": "true",  # as it says: pages of other hosts are not answered
        "server.enableXsrfProtection": "true",
        "server.enableAgentApi": "false",  # no other door than the pages' and `/api`
        "server.maxUploadSize": "1",  # no page takes files
        "browser.gatherUsageStats": "false",
        "logger.hideWelcomeMessage": "true",  # `served.py` says where
    }
    return [sys.executable, "-m", "streamlit", "run", str(HERE / "served.py"), *(word for name, value in flags.items() for word in (f"--{name}", value))]


def serve(port: int, told: dict[str, str], address: str = "127.0.0.1") -> NoReturn:
    """Become the dashboard on http://`address`:`port` with this environment: this process is replaced, so that signals and the exit status are its own.

    Raises PortError where the port is taken.
    """
    from uvicorn import Config

    try:
        Config("", host=address, port=port, log_level=logging.CRITICAL + 1).bind_socket().close()  # as the server will do
    except SystemExit as error:
        raise PortError("port_taken", port=port) from error
    sys.stdout.flush()
    sys.stderr.flush()
    words = command(port, address)
    os.execve(words[0], words, told)  # noqa: S606 - our own interpreter and file; nothing of a capture reaches it
