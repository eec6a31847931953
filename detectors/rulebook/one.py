"""One rule file: what is read of it, and the rule on single rows that it is. Of Balefire's own files both are worked out once in a process."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Final, TypeVar

from detectors.rulebook.disabled import FILE as DISABLED
from detectors.rulebook.document import Document, read, read_file
from detectors.rulebook.placeholders import FILE, Placeholders
from detectors.rulebook.problems import Fault
from detectors.rulebook.reading import Reading
from detectors.rulebook.single import single_rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from detectors.rulebook.rule import Rule

BESIDE: Final = (FILE, DISABLED)  # files of a directory of rules that are none

_Beside = TypeVar("_Beside")
_Made = TypeVar("_Made")


def reading_in(file: Path, *, own: bool = False) -> Reading:
    """A file as it is now."""
    wanted = file.with_suffix(".yml").name.lower()
    if wanted in BESIDE and file.name != wanted:  # Disabled.yml, disabled.yaml
        return Reading(str(file), Document({}), faults=[(1, Fault("beside-name", name=file.name, wanted=wanted))])
    return reading_of(str(file), read_file(file, _own_document if own else read))


def reading_of(file: str, document: Document, *, tries: bool = True) -> Reading:
    """What a document begins with."""
    return Reading(file, document, str(document.data.get("id") or ""), list(document.faults), tries=tries)


def on_rows(reading: Reading, placeholders: Placeholders, *, own: bool) -> tuple[Reading, Rule | None]:
    """What is found of a file that is a rule on single rows, and the rule."""
    if not own or placeholders.values:
        return reading, stood(reading, single_rule, placeholders)
    found, rule = _own_on_rows(reading.file, reading.document)
    return replace(found, faults=[*found.faults], failures=[*found.failures]), rule  # more may be found of it


_own_document = lru_cache(maxsize=256)(read)  # documents are never changed


@lru_cache(maxsize=256)
def _own_on_rows(file: str, document: Document) -> tuple[Reading, Rule | None]:
    reading = reading_of(file, document)
    return reading, stood(reading, single_rule, Placeholders())


def stood(reading: Reading, make: Callable[[Reading, _Beside], _Made], beside: _Beside) -> _Made | None:
    """What is made of a file. What nobody foresaw keeps that file out, and says where it happened; the other rules run."""
    try:
        return make(reading, beside)
    except Exception as error:  # a rule file is not trusted, and the rules beside it must go on judging
        frame = extract_tb(error.__traceback__)[-1]
        reading.fault(Fault("unforeseen", detail=f"{type(error).__name__}, {Path(frame.filename).name}:{frame.lineno}"))
        return None
