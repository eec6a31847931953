"""What a protocol is: one record of data and one `dissect`. One file a protocol in `sensors/protocols`, found by discovery.

`dissect(memory, messages, which, operations, used, samples, sampled, contexts, joints) -> (used, sampled)` reads messages[which] and appends rows to
operations and samples; it returns the new fill of both. The engine calls it with room for `operations_each` operations and `samples_each` samples a message,
but no more than one of each an octet. What it has to remember of a connection it keeps in `sensors.engine.contexts`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from sensors.statements import Statement

Dissect = Callable[..., tuple[int, int]]

BIG, LITTLE = 0, 1
BY_LENGTH: Final = 0  # a length field in the header tells where a message ends
BY_SEGMENT: Final = 1  # a message is a whole segment that ends in its own CRC-16 (Modbus RTU carried by TCP)
BY_PAYLOAD: Final = 2  # a message is what the protocol below hands on
BY_DATAGRAM: Final = 3  # a message is a whole datagram on a registered port, or a whole frame of a registered EtherType


@dataclass(frozen=True, slots=True)
class LengthField:
    """Where a message tells its length: offset in the header, octets (1, 2 or 4) and byte order."""

    at: int
    octets: int
    order: int = BIG


def u8(at: int) -> LengthField:
    """A length of one octet at offset `at`."""
    return LengthField(at, 1)


def u16be(at: int) -> LengthField:
    """A length of two octets, big endian, at offset `at`."""
    return LengthField(at, 2)


def u16le(at: int) -> LengthField:
    """A length of two octets, little endian, at offset `at`."""
    return LengthField(at, 2, LITTLE)


@dataclass(frozen=True, slots=True)
class Framing:
    """How a byte stream falls into messages. `header`: octets needed to know the length; message length = length field + `add`.

    `magic` = (offset, sixteen-bit big-endian value, mask); recognition by content looks for one of `known` octets at `code_at`.
    `least` and `most` bound the whole message; `large` = (length, code, mask): longer ones than this are of this code alone.
    `blocks` = (uncounted, block, check): where each begun block of octets, of those told but the first `uncounted`, is followed by `check` octets that are not
    told. `facing` = (offset, bits): set where the message goes to the one who is asked, whoever opened the connection, unless `answering` (set where that one
    speaks, in messages that are so long) contradicts. `shapes` are the lengths that a code's messages may have where no header tells them: at most two pairs
    of (octets that are always there, offset of the octet that counts further ones or -1). Frames that are not IP
    have no ports: those with the bits of `answering` go back to who asked. Of `lone` datagrams nobody has to answer any: cyclic data.
    """

    header: int = 0
    length: LengthField = LengthField(0, 2)
    add: int = 0
    magic: tuple[int, int, int] = (0, 0, 0)
    least: int = 1
    most: int = 65535
    kind: int = BY_LENGTH
    code_at: int = -1
    blocks: tuple[int, int, int] = (0, 0, 0)
    facing: tuple[int, int] = (0, 0)
    answering: tuple[int, int] = (0, 0)
    large: tuple[int, int, int] = (0, 0, 0)
    known: frozenset[int] = frozenset()
    shapes: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict[int, tuple[tuple[int, int], ...]])
    lone: bool = False


OCTETS, FROM, PIECE = "{} B", "+{} B", "#{}"
MOVED: Final = ("program.", "file.", "firmware.")  # effects of what moves


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a protocol: its name and its effect (`records.effects`).

    `amount` tells what the value of a row is that moves a program, a file or firmware: OCTETS of the whole, the octet that a piece of it is FROM, or the
    number of that PIECE.
    """

    name: str
    effect: str
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol. `functions` maps a code path ("3", "43/14"; "14/*": those that the table does not have) to name and effect.

    `anomalies` names the bits of an operation's anomaly, lowest first.

    `errors` names errors by number, `unnamed` those that it does not have.

    `over` = (protocol below, selector): messages are what that one hands on under this selector. Of several over one selector, the first takes a payload
    whose framing fits; one without framings takes the rest. With no port of its own, such a protocol is not looked for in streams.
    `ethertypes`: frames that are not IP whose payload is a message. Their ends are MAC addresses; a frame's sender is the conversation's source.
    `infrastructure` serves the network, whoever is on it: who speaks it is no asset by that alone, and has no role. Of such a protocol, and of others that
    set it, `tells` reads what a message says of hosts from its octets, which are a text of the space `message`.
    `serves`: actions that only a server answers with; who does is one, where nothing else is known of it.
    With `joins`, messages may come in parts: those that only wait for others give no operation, and the last one's counts the octets of all.
    A lower protocol sets `payload`, `payload_length` and `selector` of an operation that carries another's message (-1, 0, -1 where none does); the upper one
    finds unit and transaction of that operation in its message. Operations of the upper one stand in place of the lower one's.
    `spaces` names address spaces by number, `reference` gives each the number that its first address has on engineers' screens;
    a negative one splits numbers in two (-100000: 400002 is 4/2).
    `spelled` puts a name as it stands on the wire into words. `label` says how engineers write the object from `first` to `last` of a space, where no
    name comes by wire: called once for each of them, not per packet.
    `cause` says why something was sent, from the second number of its code path, where the protocol has that there.
    `qualities` names the bits of a space's quality, lowest first ("": not one).
    `beside` names spaces of values that come with every answer, whatever was asked: they are points, and not listed with what an operation read or wrote.
    `makers`: who makes the devices that answer it, by the name of the operation ("": any); nobody, where devices of many makers do.
    `identity` tells which fact of an asset (vendor, model, firmware, serial) a text or number of this space and place is; `fact` puts such a number in words.
    """

    name: str
    title: str
    spec: str
    framings: tuple[Framing, ...]
    functions: Mapping[str, Function]
    dissect: Dissect
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    ethertypes: tuple[int, ...] = ()
    over: tuple[str, int] | None = None
    spaces: tuple[str, ...] = ()
    reference: Mapping[str, int] = field(default_factory=dict[str, int])
    anomalies: tuple[str, ...] = ()
    errors: Mapping[int, str] = field(default_factory=dict[int, str])
    unnamed: Callable[[int], str] = "exception_{}".format
    label: Callable[[str, int, int], str | None] | None = None
    cause: Callable[[int], str] | None = None
    qualities: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    identity: Mapping[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])
    makers: Mapping[str, str] = field(default_factory=dict[str, str])
    beside: frozenset[str] = frozenset()
    fact: Callable[[str, int, float], str] | None = None
    spelled: Callable[[bytes], str] | None = None
    infrastructure: bool = False
    serves: tuple[str, ...] = ()
    tells: Callable[[bytes], tuple[Statement, ...]] | None = None
    joins: bool = False
    operations_each: int = 1
    samples_each: int = 1


@cache
def protocols() -> tuple[Protocol, ...]:
    """Every protocol of `sensors.protocols`, by name."""
    import sensors.protocols as package

    found: list[Protocol] = []
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"{package.__name__}.{module.name}")
        found += [value for value in cast("dict[str, object]", vars(loaded)).values() if isinstance(value, Protocol)]
    return tuple(sorted(found, key=lambda protocol: protocol.name))


def answers_nothing(name: str) -> bool:
    """Whether no message of the protocol is a request that has its answer beside it: a DHCP server that acknowledges asks nobody."""
    return any(protocol.name == name and all(framing.lone for framing in protocol.framings) for protocol in protocols() if protocol.framings)


def title_of(name: str) -> str:
    """What people call the protocol of this name; the name of one that is not known here."""
    return next((protocol.title for protocol in protocols() if protocol.name == name), name)


@cache
def amount(protocol: str, action: str, effect: str) -> str:
    """How the value of such a row is written: `12288 B`, `+444 B`, `#3`, or as it is."""
    functions = (function for one in protocols() if one.name == protocol for function in one.functions.values() if function.name == action)
    return (next((function.amount for function in functions), "") if effect.startswith(MOVED) else "") or "{}"


def is_label(protocol: str, about: Mapping[str, Any]) -> bool:
    """Is the name what engineers write for these numbers, alone or behind what it lies in (`program 5/routine 7`), and none that came by wire?"""
    label = next((one.label for one in protocols() if one.name == protocol), None)
    space, name, first, last = (about.get(part) for part in ("space", "name", "first", "last"))
    if label is None or None in (space, name, first, last):
        return False
    written = label(str(space), int(str(first)), int(str(last)))
    return written is not None and f"/{name}".endswith(f"/{written}")
