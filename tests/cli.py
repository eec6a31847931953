"""Running `balefire` in tests: in this process where that is enough, as a program where the process itself matters.

`python -m tests.cli` pastes what the demo prints now into both READMEs; `tests/test_cli.py` says when that is due.
"""

import atexit
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

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


@cache
def stored() -> tuple[Path, Row]:
    """A store that holds the demo capture, and the summary of its replay; made once for all tests, so change nothing in it."""
    place = Path(tempfile.mkdtemp(prefix="balefire-test-")) / "store"
    atexit.register(shutil.rmtree, place.parent, ignore_errors=True)
    return place, one("replay", DEMO, "--store", place)


@cache
def _beginning(packets: int) -> bytes:
    content, at = DEMO.read_bytes(), 24
    for _ in range(packets):
        at += 16 + int(struct.unpack_from("<I", content, at + 8)[0])
    return content[:at]


def short(folder: Path, packets: int = 200) -> Path:
    """The first packets of the demo capture, for tests to which it is all the same."""
    file = folder / "short.pcap"
    file.write_bytes(_beginning(packets))
    return file


def paste(readme: Path, language: str) -> None:
    """Put the output of the demo, and the id of its gravest alert, where the README shows them."""
    with tempfile.TemporaryDirectory() as home:
        done = program("demo", "--language", language, environment={"HOME": home, "XDG_DATA_HOME": f"{home}/.local/share"})
    lines = [line.rstrip() for line in done.stdout.decode().splitlines()]
    found = re.search(r"balefire explain ([0-9a-f]+)", "\n".join(lines))
    assert found
    before, after = readme.read_text("utf-8").split("<!-- demo -->")
    rest = after.split("```", 2)[2]
    rest = re.sub(r"^((?:\$ )?balefire (?:evidence|explain|suppress|alert \w+)) [0-9a-f]{12}", rf"\1 {found[1]}", rest, flags=re.MULTILINE)
    readme.write_text("\n".join([f"{before}<!-- demo -->", "```", *lines, f"```{rest}"]), "utf-8")


SESSIONS: Final = (("s7comm", "1p;5,18p"), ("dnp3", "1p;18,30p"), ("iec104", "1p;5,15p;37,40p"), ("enip", "1p;5,18p"))  # and which lines of each are shown


def sessions() -> str:
    """What `balefire dissect` says of a session of each protocol, as a README shows it: commands and what they print."""
    shown: list[str] = []
    for name, chosen in SESSIONS:
        printed = program("dissect", CAPTURES / f"{name}.pcap", environment={"BALEFIRE_LANGUAGE": "en"}).stdout.decode().splitlines()
        lines: list[str] = []
        for part in chosen.removesuffix("p").split("p;"):
            first, _, last = part.partition(",")
            lines += printed[int(first) - 1 : int(last or first)]
        shown += [f"$ balefire dissect tests/captures/{name}.pcap | sed -n '{chosen}'", *(line.rstrip() for line in lines), ""]
    return "\n".join(shown).rstrip()


@cache
def listed() -> Path:
    """A store with the demo, judged with the lists of tests/lists."""
    place = Path(tempfile.mkdtemp(prefix="balefire-listed-")) / "store"
    atexit.register(shutil.rmtree, place.parent, ignore_errors=True)
    for kind in ("assets", "tags"):
        balefire("import", kind, ROOT / "tests" / "lists" / f"{kind}.csv", "--store", place)
    balefire("replay", DEMO, "--store", place)
    return place


def paste_sessions(readme: Path) -> None:
    """Put them where the README has room for them."""
    before, _, after = readme.read_text("utf-8").split("<!-- dissect -->")
    readme.write_text(f"{before}<!-- dissect -->\n```\n{sessions()}\n```\n<!-- dissect -->{after}", "utf-8")


def covered(language: str) -> str:
    """What `balefire coverage` says of the demo as a bad mirror gives it, as a README shows it: all but the windows."""
    from records.wording import say
    from tests.mirroring import damaged, load
    from tests.wire import save

    with tempfile.TemporaryDirectory() as folder:
        capture = save(damaged(load(DEMO)), Path(folder) / "mirror.pcap")
        program("replay", capture, "--store", f"{folder}/store", environment={"BALEFIRE_DISSECTION__SECONDS": "0"})  # as without tshark
        printed = program("coverage", "--store", f"{folder}/store", environment={"COLUMNS": "180", "BALEFIRE_LANGUAGE": language}).stdout.decode()
    shown = printed.split(say("coverage.told.windows", language))[0].strip().splitlines()
    return "\n".join(["$ balefire coverage", *(line.rstrip() for line in shown)])


def paste_coverage(readme: Path, language: str) -> None:
    """Put it where the README has room for it."""
    before, _, after = readme.read_text("utf-8").split("<!-- coverage -->")
    readme.write_text(f"{before}<!-- coverage -->\n```\n{covered(language)}\n```\n<!-- coverage -->{after}", "utf-8")


def portrait(language: str) -> str:
    """What `balefire asset` says of a controller of the demo, as a README shows it."""
    words = ("asset", "10.20.1.12", "--store", stored()[0])
    shown = program(*words, environment={"COLUMNS": "120", "BALEFIRE_LANGUAGE": language}).stdout.decode().splitlines()
    return "\n".join(["$ balefire asset 10.20.1.12", *(line.rstrip() for line in shown)])


def paste_portrait(readme: Path, language: str) -> None:
    """Put it where the README has room for it."""
    before, _, after = readme.read_text("utf-8").split("<!-- asset -->")
    readme.write_text(f"{before}<!-- asset -->\n```\n{portrait(language)}\n```\n<!-- asset -->{after}", "utf-8")


if __name__ == "__main__":
    paste_coverage(ROOT / "README.md", "en")
    paste_coverage(ROOT / "README.zh.md", "zh")
    paste_portrait(ROOT / "README.md", "en")
    paste_portrait(ROOT / "README.zh.md", "zh")
    paste_sessions(ROOT / "README.md")
    paste_sessions(ROOT / "README.zh.md")
    paste(ROOT / "README.md", "en")
    paste(ROOT / "README.zh.md", "zh")
