"""Which lines of the kernels a fuzz executes: `NUMBA_DISABLE_JIT=1 python -m tests.fuzz.lines [CASES [dissect]]` says it as JSON, file by file."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from tests.fuzz.hunting import dice
from tests.fuzz.targets import targets

SENSORS: Final = Path(__file__).resolve().parents[2] / "sensors"
FOLDERS: Final = ("protocols", "codes", "engine")
COMPILER: Final = ("compiled.py", "mode.py")  # what makes kernels is none
SEED: Final = 1
ROUND: Final = 15


def body(file: Path) -> set[int]:
    """The lines of the functions of a file; what runs at import is not counted."""
    found: set[int] = set()

    def walk(code: CodeType, inside: bool) -> None:
        if inside:
            found.update(line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno)
            found.difference_update(range(code.co_firstlineno, _def(code) + 1))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                walk(constant, inside or (not constant.co_name.startswith("<") and constant.co_flags & 2 != 0))

    walk(compile(file.read_text(), str(file), "exec"), False)
    return found


def _def(code: CodeType) -> int:
    """The last line before the body: that of the first instruction (RESUME), which is the definition's."""
    return next(line for _, _, line in code.co_lines() if line is not None)


def loaded(file: str, trace: Any) -> None:
    """What a file does where it is imported: most of its tables are made by functions."""
    sys.settrace(trace)
    try:
        runpy.run_path(file)
    finally:
        sys.settrace(None)


def executed(files: set[str], cases: int, within: str = "") -> dict[str, set[int]]:
    """The lines of these files that so many cases of each target whose name begins so bring up, or fewer where ROUND of them bring up nothing new."""
    found: dict[str, set[int]] = {file: set() for file in files}

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            found[frame.f_code.co_filename].add(frame.f_lineno)
        return local

    def trace(frame: FrameType, _: str, __: Any) -> Any:
        return local if frame.f_code.co_filename in files else None

    for file in files:
        loaded(file, trace)
    for name, one in ((name, one) for name, one in targets().items() if name.startswith(within)):
        for start in range(0, cases, ROUND):
            before = sum(map(len, found.values()))
            made = [one.make(dice(name, SEED, number)) for number in range(start, min(start + ROUND, cases))]
            sys.settrace(trace)
            try:
                for case in made:
                    (one.once or one.run)(case)
            finally:
                sys.settrace(None)
            if sum(map(len, found.values())) == before:
                break
    return found


def main() -> None:
    """Say it; with `dissect` of the dissectors only, which their own targets bring up."""
    within = sys.argv[2] if len(sys.argv) > 2 else ""
    folders = FOLDERS[:2] if within else FOLDERS
    files = {str(file): body(file) for folder in folders for file in sorted((SENSORS / folder).glob("*.py")) if file.name not in COMPILER}
    files = {file: lines for file, lines in files.items() if lines}
    seen = executed(set(files), int(sys.argv[1]) if len(sys.argv) > 1 else 40, within)
    told = {str(Path(file).relative_to(SENSORS)): {"lines": len(lines), "missing": sorted(lines - seen[file])} for file, lines in files.items()}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
