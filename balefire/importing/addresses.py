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
OBJECT_ADDRESS: Final = {"ioa": "iec104", "io": "iec104", "index": "dnp3", "point": "dnp3"}
# The largest number that a protocol can carry. Modbus: two octets. DNP3: an index of four (IEEE 1815-2012, 4.2.2.7.3). IEC 60870-5-104: three octets
# (7.2.5 of -101). S7: a block's number and an octet's in two octets each, as in Schneider's words. PCCC: a file's and an element's in two.
LARGEST: Final = {"modbus": 0xFFFF, "dnp3": 0xFFFF_FFFF, "iec104": 0xFF_FFFF, "s7comm": 0xFFFF, "pccc": 0xFFFF}
ANY: Final = (1 << 63) - 1  # of no protocol: what a store can hold
MODBUS: Final = ("coil", "discrete_input", "input_register", "holding_register")
S7_LIKE: Final = re.compile(r"%?(?:P#)?(?:DB|DI)\d|[CT]\d+-", re.IGNORECASE)
PCCC_LIKE: Final = re.compile(r"[A-Z]{1,3}\d+:\d+", re.IGNORECASE)


class BeyondError(ValueError):
    """A number in an address is larger than there can be; `largest` is the address with the largest one in its place."""

    def __init__(self, largest: str) -> None:
        super().__init__(largest)
        self.largest = largest


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
    """Where the tag with this address is; None for what is no address in any of these notations. Raises BeyondError where there is none so large."""
    written = text.strip()
    if DIGITS.fullmatch(written):  # 40018, 400018: registers count from one, and there are 65536; 99999 is in no area of Modbus, and may be another's
        return Place(_areas()[written[0]], int(written[1:]) - 1) if written[0] in _areas() and 0 < int(written[1:]) <= MOST_REGISTERS else None
    if found := NUMBER.fullmatch(written):
        return Place(None, _bounded(written, LARGEST["dnp3"], 16 if found[1] else 10))
    if found := IEC_61131.fullmatch(written):  # Schneider's words are registers; Siemens writes the same for its own
        space, number = IEC_SPACES.get(found[1].upper()), _bounded(written, LARGEST["s7comm"])
        return Place(space, number if space else None, label_key(written.removeprefix("%")))
    if found := IN_SPACE.fullmatch(written):
        word = re.sub(r"[ _\-]", "", found[1]).casefold()
        if word in OBJECT_ADDRESS:
            return Place(None, _bounded(written, LARGEST[OBJECT_ADDRESS[word]]))
        if word in _spaces():
            return Place(_spaces()[word], _bounded(written, _largest(_spaces()[word])))
    if not (S7_ABSOLUTE if S7_BLOCK.match(written) else NAMED).fullmatch(written) and not SHOWN.fullmatch(written):
        return None
    for like, protocol in ((S7_LIKE, "s7comm"), (PCCC_LIKE, "pccc")):
        if like.match(written):
            _bounded(written, LARGEST[protocol])
    return Place(label=label_key(written.removeprefix("%")))


@cache
def _largest(space: str) -> int:
    """The largest number in a space, of any protocol that has it."""
    from sensors.protocol import protocols

    if space in MODBUS:
        return LARGEST["modbus"]
    return max(LARGEST[each.name] if each.name in ("dnp3", "iec104") else ANY for each in protocols() if space in each.spaces)


def _bounded(written: str, most: int, base: int = 10) -> int:
    """The last number of an address, of which none is larger than that."""
    number = 0
    for found in re.finditer(r"(?<=0x)[0-9a-f]+" if base == 16 else r"\d+", written, re.IGNORECASE):
        digits = found[0].lstrip("0")
        number = int(digits[:20] or "0", base)
        if len(digits) > 20 or number > most:
            raise BeyondError(f"{written[: found.start()]}{most:{'x' if base == 16 else 'd'}}{written[found.end() :]}")
    return number
