"""Which rules a site has disabled: `disabled.yml` in a directory of rules, the id of each with why. Such a rule is loaded, linted, tried and shown as others
are, and correlations go on looking at it; it only fires no more.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import TYPE_CHECKING, Final

from detectors.rulebook.document import content_of, read, unread
from detectors.rulebook.problems import Fault, nearest, problem

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from detectors.rulebook.problems import Problem

FILE: Final = "disabled.yml"


def read_disabled(file: Path, known: Collection[str] | None) -> tuple[dict[str, str], list[Problem]]:
    """Id and reason of each rule that a file disables, and what is wrong with it; an entry with a fault is left out.

    A rule that is not `known` is one; None where not all are.
    """
    try:
        content = content_of(file)
    except OSError as error:
        return {}, [problem(str(file), 1, "", unread(error))]
    found, faults = entries(content)
    for name in [name for name in found if known is not None and name not in known]:
        faults.append((read(content).line(name), Fault("disabled-unknown", name=name, nearest=nearest(name, known or ()))))
        del found[name]
    return found, [problem(str(file), line, "", fault) for line, fault in sorted(faults, key=lambda one: one[0])]


def entries(content: bytes) -> tuple[dict[str, str], list[tuple[int, Fault]]]:
    """Rules and reasons of a file's content, known or not, and what is wrong with it by line."""
    if all(line.strip() in {b"", b"---", b"..."} or line.lstrip().startswith(b"#") for line in content.removeprefix(BOM_UTF8).splitlines()):
        return {}, []  # the last one was enabled again
    document = read(content)
    faults = list(document.faults)
    found: dict[str, str] = {}
    for name, reason in document.data.items():
        if name in document.misread:
            continue
        if isinstance(reason, str) and reason.strip():
            found[name] = " ".join(reason.split())
        else:
            faults.append((document.line(name), Fault("disabled-reason", name=name)))
    return found, faults
