"""Which lines of the kernels a fuzz executes: `NUMBA_DISABLE_JIT=1 python -m tests.fuzz.lines [CASES]` says it as JSON, file by file."""

from __future__ import annotations

import json
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


def executed(files: set[str], cases: int) -> dict[str, set[int]]:
    """The lines of these files that the cases of all targets bring up."""
    found: dict[str, set[int]] = {file: set() for file in files}

    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            found[frame.f_code.co_filename].add(frame.f_lineno)
        return local

    def trace(frame: FrameType, _: str, __: Any) -> Any:
        return local if frame.f_code.co_filename in files else None

    made = {name: [one.make(dice(name, SEED, number)) for number in range(cases)] for name, one in targets().items()}
    sys.settrace(trace)
    try:
        for name, one in targets().items():
            for case in made[name]:
                one.run(case)
    finally:
        sys.settrace(None)
    return found


def main() -> None:
    """Say it."""
    files = {str(file): body(file) for folder in FOLDERS for file in sorted((SENSORS / folder).glob("*.py")) if file.name not in COMPILER}
    files = {file: lines for file, lines in files.items() if lines}
    seen = executed(set(files), int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    told = {str(Path(file).relative_to(SENSORS)): {"lines": len(lines), "missing": sorted(lines - seen[file])} for file, lines in files.items()}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
