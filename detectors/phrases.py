"""Who did what to what, in words: a sentence in each language from an activity's columns and the wording of its effect."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from records.effects import EFFECTS, NUMBER
from records.model import Text
from records.wording import LANGUAGES, catalogue, say, say_or
from sensors.statements import is_group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = dict[str, Any]

# What a row must bring along to be put into words.
COLUMNS: Final = (
    "source.ip", "source.mac", "source.asset.name", "destination.ip", "destination.mac", "destination.asset.name", "network.protocol", "event.action",
    "event.outcome", "ot.effect", "ot.access", "ot.unit", "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last", "ot.object.count",
    "ot.error", "ot.count", "ot.value", "ot.anomaly", "ot.tag.name", "ot.tag.unit",
    "ot.tag.low", "ot.tag.high", "ot.tag.description",
)  # fmt: skip
ACTING: Final = frozenset({"write", "command", "program", "configure", "file", "time", "diagnose"})


@cache
def references() -> Mapping[str, Mapping[str, int]]:
    """By protocol and address space, the number that engineers give the first address: 40001 for a Modbus holding register."""
    from sensors.protocol import protocols

    return {protocol.name: protocol.reference for protocol in protocols()}


def who(row: Row, side: str, language: str) -> str:
    """A host by its asset's name and address, or by what there is of them."""
    address = row.get(f"{side}.ip") or row.get(f"{side}.mac")
    name = row.get(f"{side}.asset.name")
    if name and address and name != address:
        return say("detectors.phrase.named", language, name=name, address=address)
    return str(name or address or say("detectors.phrase.nobody", language))


def deed(effect: str, language: str) -> str:
    """What an effect asks for, as it stands after "asked … to"."""
    known = EFFECTS[NUMBER.get(effect, NUMBER["unknown"])]
    return say_or(f"detectors.deed.{effect}", language, getattr(known, language))


@cache
def _serving() -> frozenset[str]:
    """Protocols that serve the network: ARP, DNS, LLDP. Their messages do nothing to a plant, so their own names say more than an effect."""
    from sensors.protocol import protocols

    return frozenset(protocol.name for protocol in protocols() if protocol.infrastructure)


def done(row: Row, language: str) -> str:
    """What a row did, as it stands after "asked … to" or "sent …:"."""
    serves = row.get("network.protocol") in _serving() and row.get("event.action")
    return action(row, language) if serves else deed(str(row.get("ot.effect") or "unknown"), language)


def notation(reference: int | None, address: int) -> str:
    """An address as on engineers' screens: holding register 17 is 40018, and 410000 where five digits are not enough; record 2 of file 4 is 4/2."""
    if reference is None:
        return str(address)
    if reference < 0:
        return "/".join(str(part) for part in divmod(address, -reference))
    area = reference // 10000
    return f"{area}{address + 1:04d}" if address < 9999 else f"{area}{address + 1:05d}"


def thing(row: Row, language: str) -> str:
    """The object that was meant, as the plant calls it where it does: "Pump 3 speed (register 40018)", "coils 00001–00008"; empty where there is none."""
    place = _place(row, language)
    if not (tags := row.get("ot.tag.name")):
        return place
    name = say("detectors.phrase.comma", language).join(tags)
    return say("detectors.phrase.named", language, name=name, address=place) if place else name


def _place(row: Row, language: str) -> str:
    """Where the object is: "register 40018", "coils 00001–00008", a name; empty where there is none."""
    if row.get("ot.object.name"):
        return str(row["ot.object.name"])
    first, last, space = row.get("ot.object.first"), row.get("ot.object.last"), row.get("ot.object.space")
    if first is None:
        return ""
    reference = references().get(str(row.get("network.protocol")), {}).get(str(space))
    numbers = notation(reference, first) if last is None or last == first else f"{notation(reference, first)}–{notation(reference, last)}"
    key = f"detectors.space.{space}"
    if key in catalogue():
        return say(key, language, numbers=numbers)
    return f"{str(space).replace('_', ' ')} {numbers}" if space else numbers


def measured(row: Row, value: float | None) -> str:
    """A value of the row's object, with its engineering unit where the plant has told it; how much of a program or file was moved."""
    from sensors.protocol import amount

    if value is None:
        return ""
    unit = row.get("ot.tag.unit")
    meant = amount(*(str(row.get(name)) for name in ("network.protocol", "event.action", "ot.effect")))
    return f"{number(value)} {unit}" if unit else meant.format(number(value))


def span_words(row: Row, language: str) -> str:
    """The engineering range of the row's object: "0 to 1500 rpm"; empty where the plant has told none."""
    ends = {name: number(end) for name in ("low", "high") if (end := row.get(f"ot.tag.{name}")) is not None}
    if not ends:
        return ""
    unit = f" {row['ot.tag.unit']}" if row.get("ot.tag.unit") else ""
    return say(f"detectors.phrase.span.{'_'.join(ends)}", language, **ends) + unit


def listed(row: Row, language: str) -> str:
    """What the plant's tag list says of the row's object beside its name: its description and its range; empty where it says nothing."""
    told = [str(row["ot.tag.description"])] if row.get("ot.tag.description") else []
    told += [say("detectors.phrase.span.range", language, range=words)] if (words := span_words(row, language)) else []
    return say("detectors.phrase.comma", language).join(told)


def listed_sentence(row: Row, language: str) -> str:
    """The same as a sentence behind others."""
    return say("detectors.phrase.listed", language, words=words) if (words := listed(row, language)) else ""


def number(value: float | None) -> str:
    """A number without needless digits; a typographic minus as on screens."""
    return "" if value is None else f"{value:.10g}".replace("-", "−")


def _word(key: str, name: str, language: str) -> str | None:
    """A name of the engine or of a protocol in words; what has only a number is told by it: function_43_14, exception_9. None: there are none."""
    kind, _, rest = name.partition("_")
    if kind in {"function", "exception"} and rest.replace("_", "").isdecimal():
        return say(f"detectors.numbered.{kind}", language, number=rest.replace("_", "/"))
    return say(key, language) if key in catalogue() else None


def action(row: Row, language: str) -> str:
    """The operation's name as its protocol has it; in words where it has none."""
    name = row.get("event.action")
    return _word(f"detectors.action.{name}", str(name), language) or str(name) if name else say("detectors.phrase.unnamed", language)


def error(row: Row, language: str) -> str:
    """The error that the device answered, in words."""
    name = str(row.get("ot.error") or "")
    if not name:
        return say("detectors.phrase.no_error", language)
    name, _, extended = name.partition("_0x")
    told = _word(f"detectors.error.{name}", name, language) or name.replace("_", " ")
    return say("detectors.numbered.extended", language, error=told, number=f"0x{extended}") if extended else told


def sentence(row: Row, language: str) -> str:
    """What was done and what became of it: "10.0.0.9 asked PLC-7 (10.0.0.5), unit 3, to write values: register 40018. The device carried it out."."""
    effect, access = str(row.get("ot.effect") or "unknown"), str(row.get("ot.access") or "unknown")
    form = "unknown" if effect == "unknown" else "sent" if access == "report" else "asked"
    target = who(row, "destination", language)
    if row.get("ot.unit") is not None:
        target = say("detectors.phrase.unit_last" if form == "sent" else "detectors.phrase.unit", language, target=target, unit=row["ot.unit"])
    what = say(
        f"detectors.phrase.{form}",
        language,
        source=who(row, "source", language),
        target=target,
        deed=done(row, language),
        action=action(row, language),
    )
    return what + _details(row, language) + _ending(row, access, language) + listed_sentence(row, language)


def _details(row: Row, language: str) -> str:
    parts: list[str] = []
    if meant := thing(row, language):
        parts.append(say("detectors.phrase.object", language, object=meant))
    if row.get("ot.value") is not None:
        parts.append(say("detectors.phrase.value", language, value=measured(row, row["ot.value"])))
    if (row.get("ot.object.count") or 1) > 1:
        parts.append(say("detectors.phrase.ranges", language, count=row["ot.object.count"]))
    if (row.get("ot.count") or 1) > 1:
        parts.append(say("detectors.phrase.times", language, count=row["ot.count"]))
    return "".join(parts) + say("detectors.phrase.stop", language)


def _ending(row: Row, access: str, language: str) -> str:
    outcome = row.get("event.outcome")
    answers = access != "report" and not is_group(row.get("destination.ip") or row.get("destination.mac") or "")  # who of a group did is not in this row
    ends: list[str] = []
    if outcome == "failure":
        ends.append(say("detectors.phrase.refused", language, error=error(row, language)))
    elif outcome == "success" and answers:
        ends.append(say("detectors.phrase.done" if access in ACTING else "detectors.phrase.answered", language))
    elif outcome == "unknown" and answers:
        ends.append(say("detectors.phrase.silent", language))
    if odd := row.get("ot.anomaly"):
        words = [say_or(f"detectors.anomaly.{name}", language, name) for name in odd]
        ends.append(say("detectors.phrase.malformed", language, words=say("detectors.phrase.comma", language).join(words)))
    return "".join(ends)


class Placeholders(dict[str, str]):
    """What a rule's texts may name of a row, put into words when a text names it."""

    def __init__(self, row: Row, language: str) -> None:
        super().__init__()
        self._row = row
        self._language = language

    def __missing__(self, name: str) -> str:
        words = _NAMES[name](self._row, self._language) or say("detectors.phrase.absent", self._language)
        self[name] = words
        return words


_NAMES: Final[dict[str, Callable[[Row, str], str]]] = {
    "action": lambda row, language: action(row, language) if row.get("event.action") else "",
    "count": lambda row, _: str(row.get("ot.count") or 1),
    "destination": lambda row, language: who(row, "destination", language),
    "effect": lambda row, language: deed(str(row.get("ot.effect") or "unknown"), language),
    "error": error,
    "object": thing,
    "protocol": lambda row, _: str(row.get("network.protocol") or ""),
    "source": lambda row, language: who(row, "source", language),
    "unit": lambda row, _: "" if row.get("ot.unit") is None else str(row["ot.unit"]),
    "value": lambda row, _: measured(row, row.get("ot.value")),
}


def point_row(row: Row) -> Row:
    """A point as a row that can be put into words: its last value, and how often it was seen."""
    return {**row, "ot.value": row.get("ot.point.last"), "ot.count": row.get("ot.point.count")}


def point_sentence(row: Row, language: str) -> str:
    """What a point was: "register 40018 of PLC-7 (10.0.0.5), unit 3, was between 2 and 9.5, at last 4."."""
    target = who(row, "destination", language)
    if row.get("ot.unit") is not None:
        target = say("detectors.phrase.unit", language, target=target, unit=row["ot.unit"])
    least, most, last = (measured(row, row.get(f"ot.point.{name}")) for name in ("min", "max", "last"))
    form = "still" if least == most else "moved"
    told = say(f"detectors.phrase.{form}", language, object=thing(row, language), target=target, least=least, most=most, last=last)
    return told + listed_sentence(row, language)


def both(row: Row) -> Text:
    """The sentence in both languages."""
    return Text(*(sentence(row, language) for language in LANGUAGES))
