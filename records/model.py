"""What a person may look at, as frozen records; everything that repeats stays in columns (`Batch`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from records.schema import ACTIVITY, COVERAGE, POINT, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from records.facts import Fact

Value = str | int | float | bool | None
SAMPLE: Final = 100  # findings that an alert names
KEEPING: Final = 100  # findings of one key whose packets a run keeps, and beyond them any that is graver than all before: the rest of a flood shows nothing new
SEVERITIES: Final = (("critical", 80), ("high", 60), ("medium", 40), ("low", 0))
LEVELS: Final = tuple(word for word, _ in SEVERITIES)  # gravest first
GLYPHS: Final = {"critical": "⬢", "high": "▲", "medium": "◆", "low": "●", "none": "•"}  # a shape each: a level is never told by colour alone


def severity_word(severity: int) -> str:
    """low below 40, medium from 40, high from 60, critical from 80."""
    return next(word for word, least in SEVERITIES if severity >= least)


def _empty(name: str) -> pa.Table:
    table = {"activity": ACTIVITY, "point": POINT, "coverage": COVERAGE}[name]
    return arrow_schema(table).empty_table()


@dataclass(frozen=True, slots=True)
class Batch:
    """What the engine released, in the order of release: Arrow tables with the columns of `records.schema`."""

    activities: pa.Table = field(default_factory=lambda: _empty("activity"))
    points: pa.Table = field(default_factory=lambda: _empty("point"))
    coverage: pa.Table = field(default_factory=lambda: _empty("coverage"))


@dataclass(frozen=True, slots=True)
class Term:
    """One named part of a score; `name` is a text in each language. The values of a finding's terms add up to its score."""

    en: str
    zh: str
    value: float


@dataclass(frozen=True, slots=True)
class PacketRef:
    """Where a packet can be found: name of the capture, number from 1, time in nanoseconds."""

    file: str
    packet: int
    time: int


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector found. Times are nanoseconds; `normal` is what would have been normal, `respond` the first steps.

    `version` is that of what judged, which the pipeline knows: of the rules in force; of another detector that of Balefire, with that of what was learned.
    `alert`, `suppressions` and `expired` are not the detector's: the alert that took it in, else the suppressions that hide it, and those that would
    but had ended at its time.
    """

    id: str
    key: str
    detector: str
    rule: str
    time: int
    end: int
    terms: tuple[Term, ...]
    title: Text
    reason: Text
    source: str | None
    destination: str | None
    effects: tuple[str, ...]
    techniques: tuple[str, ...]
    activities: tuple[str, ...]
    assets: tuple[str, ...]
    packets: tuple[PacketRef, ...]
    observer: str
    site: str | None
    normal: Text | None = None
    respond: tuple[Text, ...] = ()
    version: str | None = None
    alert: str | None = None
    suppressions: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """Sum of the terms."""
        return sum(term.value for term in self.terms)

    @property
    def severity(self) -> int:
        """The score clamped to 0–100."""
        return max(0, min(100, round(self.score)))


@dataclass(frozen=True, slots=True)
class Alert:
    """Findings of one key, folded. Times are packet times in nanoseconds, that of its closing too.

    `findings` is a sample, the gravest among them; `count` is how many distinct ones the store holds. `expired` are suppressions that would have hidden
    some of them but had ended. What people decide is `status`, `assignee`, `verdict` (while it is closed) and `closed`; `revision` counts decisions.
    """

    id: str
    key: str
    status: str
    severity: int
    title: Text
    reason: Text
    first: int
    last: int
    findings: tuple[str, ...]
    assets: tuple[str, ...]
    techniques: tuple[str, ...]
    count: int
    closed: int | None = None
    expired: tuple[str, ...] = ()
    assignee: str | None = None
    verdict: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """The packets kept for the finding with this identity, of the capture `file`; times are nanoseconds.

    `numbers` are those of the packets that are kept, in the order in which they stand in `octets` (pcapng); `sha256` is the hash of that. `missing`
    counts the packets that the finding names and that could not be had; `size` is how many octets were captured of those that could.
    """

    finding: str
    file: str
    time: int
    end: int
    numbers: tuple[int, ...] = ()
    missing: int = 0
    size: int = 0
    sha256: str | None = None
    octets: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Suppression:
    """Hides the findings of [since, until), packet time in nanoseconds, whose fields all have one of the values that `where` allows (None: absent).

    `alert` is what it was made from; `revoked` is the packet time when somebody ended it early; `revision` counts decisions.
    """

    id: str
    owner: str
    reason: str
    since: int
    until: int
    where: Mapping[str, tuple[Value, ...]]
    alert: str | None = None
    revoked: int | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Conflict:
    """An address that is at `other` (a MAC address) from `first` on, and was at `before` ("moved"), or that both claim ("contested"); nanoseconds."""

    address: str
    other: str
    kind: str
    first: int
    last: int
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """A device or host; `sources` names where its facts come from. Times are nanoseconds.

    `facts` are all that is known, with source, confidence and time, what was so before among them; vendor, model and so on are those that count now.
    `aliases` are identities that are this asset's, too: those of its other addresses.
    """

    id: str
    name: str
    addresses: tuple[str, ...]
    first: int
    last: int
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    role: str | None = None
    zone: str | None = None
    level: int | None = None
    sources: tuple[str, ...] = ()
    site: str | None = None
    criticality: str | None = None
    aliases: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
