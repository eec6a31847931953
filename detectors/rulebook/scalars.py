"""Words without quotes that YAML reads otherwise than they are written: PyYAML reads them as YAML 1.1 has it, which most writers never meant.

`0502` is 322 (octal), `1:30` is 90 (base 60), `yes` is true, `.inf` is no name of a file. Dates and keys are harmless: they stay the texts that they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from yaml.constructor import SafeConstructor
from yaml.representer import SafeRepresenter

from detectors.rulebook.problems import Fault, text

if TYPE_CHECKING:
    import yaml

PLAIN: Final = "tag:yaml.org,2002:"
TEXT: Final = f"{PLAIN}str"
DATE: Final = f"{PLAIN}timestamp"
MERGE: Final = f"{PLAIN}merge"  # a key <<
EQUALS: Final = f"{PLAIN}value"  # a lone =, which means something in YAML that PyYAML does not know, and a text to everybody else
INTEGER: Final = f"{PLAIN}int"
NUMBERS: Final = frozenset({INTEGER, f"{PLAIN}float"})
_TRUTH: Final = f"{PLAIN}bool"

_AS_WRITTEN: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9A-Fa-f]+|[-+]?[0-9]*\.[0-9]*([eE][-+][0-9]+)?")
_ZEROS: Final = re.compile(r"[-+]?0[0-9]+")
_ENDLESS: Final = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)


def misread(node: yaml.ScalarNode) -> Fault | None:
    """What is wrong with a number or truth that is not read as it is written, and how to write it; None where it is, or is a text."""
    value = str(node.value)
    if node.tag == _TRUTH and value.lower() not in {"true", "false"}:
        return _misread(value, str(SafeConstructor().construct_yaml_bool(node)).lower())
    if node.tag not in NUMBERS or _AS_WRITTEN.fullmatch(value):
        return None
    if _ENDLESS.fullmatch(value):
        return Fault("misread", value=value, read=text("detectors.detail.endless"), fix=text("detectors.fix.quotes", value=value))
    read = _number(node)
    return _misread(value, read, str(int(value)) if _ZEROS.fullmatch(value) else read)


def _misread(value: str, read: str, meant: str = "") -> Fault:
    return Fault("misread", value=value, read=read, fix=text("detectors.fix.misread", value=value, meant=meant or read))


def _number(node: yaml.ScalarNode) -> str:
    """The number of a node in the one way to write it that nobody takes for another."""
    if node.tag == INTEGER:
        return str(SafeConstructor().construct_yaml_int(node))
    return str(SafeRepresenter().represent_float(SafeConstructor().construct_yaml_float(node)).value)
