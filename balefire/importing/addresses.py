"""Addresses as engineers write them: `40018`, `%MW17`, `holding_register 17`, `AI 5`, `IOA 4001`, `DB1.DBX0.0`, `N7:0`, `Motor[3].Speed`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from records.plant import label_key

DIGITS: Final = re.compile(r"\d{5,6}")
MOST_REGISTERS: Final = 65536
NUMBER: Final = re.compile(r"(?:0x([0-9a-f]+)|(\d+))", re.IGNORECASE)
IEC_61131: Final = re.compile(r"%(MW|MX?|IW|IX?|QW|QX?)(\d+)", re.IGNORECASE)
IN_SPACE: Final = re.compile(r"([a-z_ \-]*[a-z])[ :#]*(\d+)", re.IGNORECASE)
NAMES: Final = {  # what spaces are called beside their names
    "hr": "holding_register", "ir": "input_register", "co": "coil", "di": "discrete_input",
    "ai": "analog_input", "ao": "analog_output", "bi": "binary_input", "bo": "binary_output", "ct": "counter", "ctr": "counter",
}  # fmt: skip
IEC_SPACES: Final = {"MW": "holding_register", "M": "coil", "MX": "coil", "IW": "input_register", "I": "discrete_input", "IX": "discrete_input"}
S7_BLOCK: Final = re.compile(r"%?DB\d+\s*[.,]", re.IGNORECASE)  # what begins so is absolute, or nothing
S7_ABSOLUTE: Final = re.compile(r"%?DB\d+\.(?:DBX\d+\.[0-7]|DB[BWD]\d+)", re.IGNORECASE)
NAMED: Final = re.compile(r"%?[^\W\d]\w*(?:[:.]\w+|\[\d+(?:,\d+)*\])*(?:/\d+)?")  # N7:0/3, T4:0.ACC, Motor[3].Speed, Program:Main.Level
SHOWN: Final = re.compile(  # as screens write several at once, symbols and paths: P#DB1.DBX0.0 BYTE 4, T5-T8, SYM 16#00A0, program 5/routine 7
    r"P#[\w.]+ (?:BOOL|BYTE|WORD|DWORD) \d+|[CT]\d+-[CT]\d+|(?:SYM|NC|SZL) \S.*|[a-z_]+ \d+(?:/[a-z_]+ \d+)+|DI\d+\.DI(?:X\d+\.[0-7]|[BWD]\d+)", re.IGNORECASE
)
OBJECT_ADDRESS: Final = frozenset({"ioa", "io", "index", "point"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tag is: a number in a space (None: any), a label, or both."""

    space: str | None = None
    first: int | None = None
    label: str | None = None


@cache
def _spaces() -> dict[str, str]:
    """Every address space of every protocol by its name, as it may be written."""
    from sensors.protocol import protocols

    return {space.replace("_", ""): space for protocol in protocols() for space in protocol.spaces} | NAMES


@cache
def _areas() -> dict[str, str]:
    """Address spaces by the first digit of their reference."""
    from sensors.protocol import protocols

    return {str(number // 10000): space for protocol in protocols() for space, number in protocol.reference.items() if number > 0}


def read_address(text: str) -> Place | None:
    """Where the tag with this address is; None for what is no address in any of these notations."""
    written = text.strip()
    if DIGITS.fullmatch(written):  # 40018, 400018: registers count from one, and there are 65536; 99999 is in no area of Modbus, and may be another's
        return Place(_areas()[written[0]], int(written[1:]) - 1) if written[0] in _areas() and 0 < int(written[1:]) <= MOST_REGISTERS else None
    if found := NUMBER.fullmatch(written):
        return Place(None, int(found[1], 16) if found[1] else int(found[2]))
    if found := IEC_61131.fullmatch(written):  # Schneider's words are registers; Siemens writes the same for its own
        space = IEC_SPACES.get(found[1].upper())
        return Place(space, int(found[2]) if space else None, label_key(written.removeprefix("%")))
    if found := IN_SPACE.fullmatch(written):
        word = re.sub(r"[ _\-]", "", found[1]).casefold()
        if word in OBJECT_ADDRESS:
            return Place(None, int(found[2]))
        if word in _spaces():
            return Place(_spaces()[word], int(found[2]))
    if not (S7_ABSOLUTE if S7_BLOCK.match(written) else NAMED).fullmatch(written) and not SHOWN.fullmatch(written):
        return None
    return Place(label=label_key(written.removeprefix("%")))
