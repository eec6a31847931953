"""Running `balefire` in tests: in this process where that is enough, as a program where the process itself matters."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

ROOT = Path(__file__).parent.parent
CAPTURES = ROOT / "tests" / "captures"
DEMO = CAPTURES / "demo.pcap"

Row = dict[str, Any]


def balefire(*words: object, stdin: bytes | None = None) -> Result:
    """Run a command in this process. A traceback is a failure of the test, not an exit status."""
    from balefire.cli import main

    result = CliRunner().invoke(main, [str(word) for word in words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def one(*words: object, status: int = 0) -> Row:
    """The one object that a command prints with --json."""
    result = balefire(*words, "--json")
    assert result.exit_code == status, result.output
    found: Row = json.loads(result.stdout)
    return found


def lines(*words: object, status: int = 0) -> list[Row]:
    """The objects, one a line, that a command prints with --json."""
    result = balefire(*words, "--json")
    assert result.exit_code == status, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def program(*words: object, stdin: bytes | None = None, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the installed program, as a person does."""
    given = [str(word) for word in words]
    return subprocess.run(
        [sys.executable, "-m", "balefire", *given],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        check=False,
        timeout=120,
    )
