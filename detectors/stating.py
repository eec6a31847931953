"""A suppression that nobody has saved yet, as a file states it: so that it can be tried before it is in force.

The file is YAML or JSON: `where`, each field with the value or values that it may have, as `balefire suppress --json` and `balefire suppressions --json` print
it, by itself or under `suppression`. What else these print may stand there too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from detectors.rulebook.document import read_file
from detectors.rulebook.problems import Fault, nearest, problem
from detectors.suppressions import COLUMNS, anchors, check_networks, field_named, test
from records.errors import UsageError
from records.schema import ACTIVITY, SUPPRESSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from detectors.rulebook.document import Document
    from detectors.rulebook.problems import Problem
    from records.model import Value
    from records.schema import Field

Where = dict[str, tuple["Value", ...]]

OUTSIDE: Final = ("saved", "suppression", "preview", "left_out")  # what `suppress --json` prints
INSIDE: Final = (*SUPPRESSION.names, "standing", "hidden")  # what `suppressions --json` prints of each
ASKED: Final = (*COLUMNS, *ACTIVITY.names)


def states_suppression(path: Path) -> bool:
    """Whether a file is meant as a suppression and not as rules: it says `where`, or `suppression`, and nothing that makes a rule."""
    data = read_file(path).data
    return bool({"where", "suppression"} & data.keys()) and not {"detection", "correlation", "filter", "policy"} & data.keys()


def stated(path: Path) -> tuple[Where | None, list[Problem]]:
    """The conditions of the suppression that a file states; or None, and what is wrong with it."""
    document = read_file(path)
    faults = [*document.faults, *_odd(document)]
    where = {} if faults else _conditions(document, faults)
    told = [problem(str(path), line, "", fault) for line, fault in sorted(faults, key=lambda each: each[0])]
    return (None if told else where), told


def _inside(document: Document) -> tuple[tuple[str, ...], Any]:
    """Where the suppression stands in the file, and what stands there."""
    return (("suppression",), document.data["suppression"]) if "suppression" in document.data else ((), document.data)


def _odd(document: Document) -> Iterator[tuple[int, Fault]]:
    """What is not as `--json` prints it."""
    at, said = _inside(document)
    known: Mapping[str, Any] = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    for place, names, allowed in (((), document.data if at else {}, OUTSIDE), (at, known, INSIDE)):
        for name in names:
            if name not in allowed:
                yield document.line(*place, str(name)), Fault("suppression-key", name=name, nearest=nearest(str(name), allowed))
    where = known.get("where")
    if not isinstance(where, dict) or not where:
        yield document.line(*at, "where"), Fault("suppression-form")


def _conditions(document: Document, faults: list[tuple[int, Fault]]) -> Where:
    at, said = _inside(document)
    found: Where = {}
    for name, value in cast("dict[str, Any]", said["where"]).items():
        values = tuple(cast("list[Value]", value)) if isinstance(value, list) else (cast("Value", value),)
        line = document.line(*at, "where", str(name))
        try:
            field, _own = field_named(str(name))
        except UsageError:
            faults.append((line, Fault("suppression-field", name=name, nearest=nearest(str(name), ASKED))))
            continue
        for index, one in enumerate(values):
            if fault := _fault(field, one):
                faults.append((document.line(*at, "where", str(name), index), fault))
        if not values:
            faults.append((line, Fault("suppression-value", name=field.name, value="[]")))
        found[field.name] = values
    try:
        anchors(found)
    except UsageError:
        faults.append((document.line(*at, "where"), Fault("suppression-anchor")))
    return found


def _fault(field: Field, value: object) -> Fault | None:
    """Why this cannot be a value of the field."""
    if value is not None and not isinstance(value, (str, int, float, bool)):
        return Fault("suppression-value", name=field.name, value=value)
    try:
        test(field, (value,))
        check_networks(field, (value,))
    except UsageError as error:
        if error.key == "suppress.host_bits":
            return Fault("cidr-bits", name=value, where="", **error.values)
        return Fault("suppression-everything" if error.key == "suppress.every_address" else "suppression-value", name=field.name, value=value)
    return None
