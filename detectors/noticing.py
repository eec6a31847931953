"""What detectors that remember have in common: rows kept as witnesses, the one heard of longest ago forgotten first, and findings in both languages."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute

from detectors.baseline.numbering import Encoded
from detectors.phrases import listed_sentence, who
from detectors.rulebook.techniques import techniques_of
from detectors.telling import identity
from records.model import Finding, PacketRef, Term, Text
from records.wording import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from records.model import Batch

    Say = Callable[[str, str, Mapping[str, object]], str]

Row = dict[str, Any]
Thing = TypeVar("Thing")
compute: Any = pyarrow.compute  # the stubs of Arrow's kernels are partial
MOST_WITNESSES: Final = 20  # rows that a finding names
ENDS: Final = (
    "source.ip",
    "source.mac",
    "source.asset.id",
    "source.asset.name",
    "destination.ip",
    "destination.mac",
    "destination.asset.id",
    "destination.asset.name",
)
TAG: Final = ("ot.tag.name", "ot.tag.unit", "ot.tag.low", "ot.tag.high", "ot.tag.description")  # what the plant's list says of the object
COLUMNS: Final = (
    "id", "event.start", "event.end", "event.action", "event.outcome", "network.protocol", "observer.name", "observer.site", *ENDS, "ot.effect", "ot.unit",
    "ot.object.space", "ot.object.name", "ot.object.first", "ot.object.last", "ot.count", "ot.packet.first",
)  # fmt: skip


class Remembering(Generic[Thing]):
    """A detector that remembers something by key, and learns nothing apart from what it judges. `form` is that of a saved state."""

    name: str
    form: int

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._known: dict[str, Thing] = {}
        self.forgotten = 0

    def learn(self, batch: Batch) -> None:
        """What is normal is told from what is judged, or by a specification."""

    def state(self) -> bytes:
        """What is remembered; empty where nothing is."""
        return json.dumps({self.name: self.form, "known": {key: self._kept(each) for key, each in self._known.items()}}).encode() if self._known else b""

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        said: Any = json.loads(state) if state else {self.name: self.form, "known": {}}
        try:
            if cast("Row", said)[self.name] != self.form:
                raise ValueError(f"not the state of {self.name}")
            self._known = {key: self._revived(told) for key, told in cast("Row", said)["known"].items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not the state of {self.name}") from error

    def _latest(self, key: str, new: Callable[[], Thing], most: int) -> Thing:
        """What is known by this key, or what is new; the one heard of longest ago goes where there are too many."""
        thing = self._known.pop(key, None)
        self._known[key] = thing = new() if thing is None else thing
        if len(self._known) > most:
            del self._known[next(iter(self._known))]
            self.forgotten += 1
        return thing

    def _kept(self, each: Thing) -> Any:
        """What is remembered by one key, as JSON has it."""
        return asdict(cast("Any", each))

    def _revived(self, told: Any) -> Thing:
        """What `_kept` said."""
        raise NotImplementedError


class Witness(NamedTuple):
    """A row that a finding names: its identity, its first packet, when it was, and what it did."""

    activity: str
    packet: int
    start: int
    end: int
    effect: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What a detector has to tell. `row` completes it; `terms` are names and values; `values` are put into the texts of that language."""

    rule: str
    row: Row
    witnesses: Sequence[Witness]
    terms: Mapping[str, float]
    techniques: tuple[str, ...]
    respond: tuple[str, ...]
    values: Callable[[str], dict[str, object]]
    about: tuple[object, ...] = field(default=())


def witness(row: Row) -> Witness:
    """This row, as it is kept."""
    return Witness(row["id"], row["ot.packet.first"] or 0, row["event.start"], row["event.end"], row["ot.effect"] or "unknown")


def found(detector: str, files: Mapping[str, str], notice: Notice, say: Say) -> Finding:
    """The finding of a notice. `say` gives the detector's texts: `<rule>.title`, `.reason`, `.normal`, `.term.<name>`, and `respond.<step>`."""
    row, rule = notice.row, notice.rule
    words = {
        language: {"source": who(row, "source", language), "destination": who(row, "destination", language), **notice.values(language)}
        for language in LANGUAGES
    }

    def text(key: str) -> Text:
        return Text(**{language: say(key, language, words[language]) for language in LANGUAGES})

    observer, site = row["observer.name"] or "", row["observer.site"]
    effects = tuple(dict.fromkeys(each.effect for each in notice.witnesses))
    terms = [(text(f"{rule}.term.{name}"), value) for name, value in notice.terms.items()]
    ends = [host(row, side) for side in ("source", "destination")]
    return Finding(
        id=identity(rule, row["id"], *notice.about, *ends),
        key="|".join((rule, *(end or "" for end in ends), *((site,) if site else ()))),
        detector=detector,
        rule=rule,
        time=min(each.start for each in notice.witnesses),
        end=max(each.end for each in notice.witnesses),
        terms=tuple(Term(name.en, name.zh, value) for name, value in terms),
        title=text(f"{rule}.title"),
        reason=Text(**{language: say(f"{rule}.reason", language, words[language]) + listed_sentence(row, language) for language in LANGUAGES}),
        source=row["source.ip"],
        destination=row["destination.ip"],
        effects=effects,
        techniques=tuple(dict.fromkeys((*notice.techniques, *(one for effect in effects for one in techniques_of(effect))))),
        activities=tuple(dict.fromkeys(each.activity for each in notice.witnesses)),
        assets=tuple(dict.fromkeys(row[f"{side}.asset.id"] for side in ("source", "destination") if row[f"{side}.asset.id"])),
        packets=tuple(dict.fromkeys(PacketRef(files.get(observer, observer), each.packet, each.start) for each in notice.witnesses)),
        observer=observer,
        site=site,
        normal=text(f"{rule}.normal"),
        respond=tuple(text(f"respond.{step}") for step in notice.respond),
    )


def host(row: Row, side: str) -> str | None:
    """An end of a row: its IP address, or the MAC address where it has none."""
    return row[f"{side}.ip"] or row[f"{side}.mac"]


def hosts(row: Row) -> str:
    """Both ends of a row and who saw them, as a key."""
    return "|".join((row["observer.name"] or "", host(row, "source") or "", host(row, "destination") or ""))


def keep(witnesses: list[Witness], one: Witness) -> None:
    """One more witness; of many, the first ones and the last one stay."""
    if len(witnesses) >= MOST_WITNESSES:
        witnesses.pop()
    witnesses.append(one)


def among(rows: pa.Table, name: str, words: Iterable[str]) -> Any:
    """Where the column has one of these words; absence is none."""
    wanted, (there, places) = frozenset(words), Encoded.of(rows).column(name)
    return pa.array(np.array([word in wanted for word in there], bool)[places])


def witnesses(told: Iterable[Sequence[Any]]) -> list[Witness]:
    """Witnesses as JSON told them."""
    return [Witness(*one) for one in told]
