"""Starts the dashboard: Streamlit in place of this process, on this machine only, with the store's place in its environment."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

from records.wording import LANGUAGES

HERE = Path(__file__).parent


def environment(store: str, language: str | None = None, user: str = "") -> dict[str, str]:
    """What the dashboard's process is told: the store (a directory made absolute, or a URL), the language and who decides there, where there is one."""
    told = dict(os.environ, BALEFIRE_STORE=store if "://" in store else str(Path(store).expanduser().resolve()))
    told["NUMBA_DISABLE_JIT"] = "1"  # pages name protocols and run no kernel: nothing is to be loaded for one
    if language in LANGUAGES:
        told["BALEFIRE_LANGUAGE"] = language
    if user:
        told["BALEFIRE_USER"] = user
    root = HERE.parent
    if root != Path(sysconfig.get_path("purelib")):  # a checkout: its packages are found from any working directory
        told["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), told.get("PYTHONPATH"))))
    return told


def command(port: int) -> list[str]:
    """The command line. Theme and defaults come from `.streamlit/config.toml` beside `app.py`; what keeps it private is said again as flags."""
    flags = {
        "server.address": "127.0.0.1",
        "server.port": str(port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "logger.hideWelcomeMessage": "true",  # the command line has said where already
    }
    return [sys.executable, "-m", "streamlit", "run", str(HERE / "app.py"), *(word for name, value in flags.items() for word in (f"--{name}", value))]


def serve(store: str, port: int, language: str | None = None, user: str = "") -> NoReturn:
    """Become the dashboard over `store` on http://127.0.0.1:`port`: this process is replaced, so that signals and the exit status are the dashboard's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    words = command(port)
    os.execve(words[0], words, environment(store, language, user))  # noqa: S606 - our own interpreter and file; nothing of a capture reaches it
