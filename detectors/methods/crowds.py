"""Forged senders: ever new addresses that ask and are answered by nobody, or that only speak. The flood is said once; what else is found of such senders folds.

Hosts of a plant are few and come again; who forges addresses has a new one for every packet. So an address is taken for a host that was answered, or that came
in a minute in which few did. Of a flood nothing is remembered but how many there were: however many are forged, they push no host out of what is known.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from detectors.gathering import plain
from detectors.noticing import COLUMNS, ENDS, Notice, Remembering, Witness, compute, found, host, keep, witness, witnesses
from detectors.phrases import who
from records.facts import asset_id
from records.formats import MINUTE
from records.model import Text
from records.wording import LANGUAGES, say
from sensors.protocol import protocols
from sensors.statements import is_group

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from detectors.discovery import Setup
    from detectors.noticing import Row
    from records.model import Batch, Finding

NAME: Final = "crowds"
RULE: Final = "address-flood"
MOST: Final = 1024  # devices of which is remembered who new asked them
MOST_HOSTS: Final = 1 << 14  # addresses that are known for hosts
MOST_OBSERVERS: Final = 64
MANY: Final = 16  # new senders that asked one device within a minute; what is found of further ones folds
LEVELS: Final = {"askers": (64, 512, 4096, 16384), "speakers": (2048, 8192, 16384)}  # new addresses of a minute; what is above the last is not counted
BASE, FURTHER, ONE_MAC = 50.0, 10.0, 5.0
SHOWN: Final = 3  # MAC addresses that are told
TECHNIQUES: Final = ("T0814",)
RESPOND: Final = ("port", "block", "look")


def build(setup: Setup) -> Crowds:
    """The detector, which names captures as the setup does."""
    return Crowds(setup.files)


@dataclass(slots=True)
class Door:
    """Who new asked a device in a minute, the first of them; `crowded`: there were as many in the minute before."""

    window: int = 0
    sources: list[str] = field(default_factory=list[str])
    crowded: bool = False


@dataclass(slots=True)
class Crowd:
    """The new addresses of a minute, in their order; those that they turn to and come from; which level was told of."""

    sources: dict[str, int] = field(default_factory=dict[str, int])
    targets: list[str] = field(default_factory=list[str])
    macs: list[str] = field(default_factory=list[str])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    told: int = 0


@dataclass(slots=True)
class Minute:
    """The crowds that an observer sees in one minute."""

    window: int = 0
    crowds: dict[str, Crowd] = field(default_factory=lambda: {kind: Crowd() for kind in LEVELS})


class Crowds(Remembering[Door]):
    """Judges who asks and who speaks, each observer for itself. `crowded`: rows of the last batch whose sender is one of a crowd."""

    name = NAME
    form = 1

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__(files)
        self.crowded: set[str] = set()
        self._hosts: dict[str, None] = {}
        self._minutes: dict[str, Minute] = {}
        self._serving = frozenset(protocol.name for protocol in protocols() if protocol.infrastructure)

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of floods, in the order of the rows. Only rows of addresses that are not known are looked at."""
        self.crowded = set()
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        names = (compute.fill_null(each, "") for each in (rows["observer.name"], compute.coalesce(rows["source.ip"], rows["source.mac"])))
        senders = compute.binary_join_element_wise(*names, "|").combine_chunks().dictionary_encode()
        new = [number for number, sender in enumerate(senders.dictionary.to_pylist()) if sender not in self._hosts]
        if not new:
            return []
        few = rows.filter(compute.is_in(senders.indices, pa.array(new, pa.int32())))
        return [finding for row in plain(few.select([*COLUMNS, "ot.access"])) for finding in self._row(row)]

    def folded(self, findings: Iterable[Finding]) -> list[Finding]:
        """Findings of the last batch: those of rows of a crowd under one key for each rule and device, for their sender is one of very many."""
        return [_folded(each) if each.rule != RULE and each.activities and each.activities[-1] in self.crowded else each for each in findings]

    def state(self) -> bytes:
        """What is remembered; empty where nothing is."""
        if not (self._known or self._hosts or self._minutes):
            return b""
        told: Row = json.loads(super().state() or json.dumps({self.name: self.form, "known": {}}))
        minutes = {observer: asdict(minute) for observer, minute in self._minutes.items()}
        return json.dumps(told | {"hosts": list(self._hosts), "minutes": minutes}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state of this detector."""
        super().restore(state)
        said: Row = json.loads(state) if state else {"hosts": [], "minutes": {}}
        try:
            self._hosts = dict.fromkeys(said["hosts"])
            self._minutes = {observer: _minute(told) for observer, told in said["minutes"].items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not the state of {self.name}") from error

    def _revived(self, told: Any) -> Door:
        return Door(told["window"], list(told["sources"]), bool(told["crowded"]))

    def _row(self, row: Row) -> Iterator[Finding]:
        observer, address = row["observer.name"] or "", host(row, "source") or ""
        sender = f"{observer}|{address}"
        if sender in self._hosts or not address:  # it was taken for a host a moment ago
            return
        minute, window = self._minutes.setdefault(observer, Minute()), row["event.start"] // MINUTE
        if len(self._minutes) > MOST_OBSERVERS:
            del self._minutes[next(iter(self._minutes))]
        if window > minute.window:
            self._close(minute, window)
        if row["event.outcome"] in ("success", "failure") and row["ot.access"] != "report":
            self._host(sender)
            return
        kind = "speakers" if row["ot.access"] == "report" or row["network.protocol"] in self._serving else "askers"
        crowd = minute.crowds[kind]
        place = _place(crowd, row, sender, LEVELS[kind][-1])
        if kind == "askers" and (place > LEVELS[kind][0] or self._at_door(row, minute.window, address)):
            self.crowded.add(row["id"])
        level = sum(place > least for least in LEVELS[kind])
        if level > crowd.told:
            crowd.told = level
            yield self._finding(row, kind, crowd, level)

    def _close(self, minute: Minute, window: int) -> None:
        """The minute is over: who was new in it is a host, unless there were too many. Where the flood goes on, what was told of it is not told again."""
        for kind, crowd in minute.crowds.items():
            flooded = len(crowd.sources) > LEVELS[kind][0]
            if not flooded:
                for sender in crowd.sources:
                    self._host(sender)
            minute.crowds[kind] = Crowd(told=crowd.told if flooded and window == minute.window + 1 else 0)
        minute.window = window

    def _host(self, sender: str) -> None:
        self._hosts[sender] = None
        if len(self._hosts) > MOST_HOSTS:
            del self._hosts[next(iter(self._hosts))]
            self.forgotten += 1

    def _at_door(self, row: Row, window: int, address: str) -> bool:
        """Whether so many new ones asked the device before this one."""
        door = self._latest("|".join((row["observer.name"] or "", host(row, "destination") or "")), Door, MOST)
        if door.window != window:
            door.crowded = window == door.window + 1 and len(door.sources) == MANY
            door.window, door.sources = window, []
        if address not in door.sources:
            if len(door.sources) == MANY:
                return True
            door.sources.append(address)
        return door.crowded

    def _finding(self, row: Row, kind: str, crowd: Crowd, level: int) -> Finding:
        alone = len(crowd.targets) == 1
        about = {**row, **{name: None for name in ENDS if name.startswith("source") or not alone}}
        terms = {"new": BASE} | ({"more": FURTHER * (level - 1)} if level > 1 else {}) | ({"mac": ONE_MAC} if len(crowd.macs) == 1 else {})

        def values(language: str) -> dict[str, object]:
            listed = say("detectors.phrase.comma", language).join(crowd.macs[:SHOWN]) + (" …" if len(crowd.macs) > SHOWN else "")
            return {
                "count": f"{LEVELS[kind][level - 1]:,}",
                "target": _target(row, language) if alone else say("crowds.several", language),
                "did": say(f"crowds.{kind}", language),
                "macs": listed or "–",
            }

        return found(self.name, self._files, Notice(RULE, about, [*crowd.witnesses], terms, TECHNIQUES, RESPOND, values, (kind, level)), _say)


def _place(crowd: Crowd, row: Row, sender: str, most: int) -> int:
    """Which new address of the crowd it is, from 1; those above `most` are all the next one."""
    place = crowd.sources.get(sender)
    if place is None:
        place = min(len(crowd.sources), most) + 1
        if len(crowd.sources) <= most:
            crowd.sources[sender] = place
        for known, address in ((crowd.targets, host(row, "destination") or ""), (crowd.macs, row["source.mac"] or "")):
            if address and address not in known and len(known) <= SHOWN:
                known.append(address)
        keep(crowd.witnesses, witness(row))
    return place


def _target(row: Row, language: str) -> str:
    return say("detectors.phrase.everybody", language) if is_group(host(row, "destination") or "") else who(row, "destination", language)


def _minute(told: Row) -> Minute:
    crowds: Row = {kind: {**each, "witnesses": witnesses(each["witnesses"])} for kind, each in told["crowds"].items()}
    return Minute(told["window"], {kind: Crowd(**each) for kind, each in crowds.items()})


def _folded(finding: Finding) -> Finding:
    """The finding as one of very many like it: its words name no sender, and its sender is no asset that an alert would gather."""
    sender = finding.source or ""
    titles = (
        getattr(finding.title, language).replace(sender, say("crowds.many", language)) if sender else getattr(finding.title, language) for language in LANGUAGES
    )
    gone = asset_id(finding.site, sender)
    return replace(
        finding,
        key="|".join((finding.rule, "crowd", finding.destination or "", *((finding.site,) if finding.site else ()))),
        title=Text(*titles),
        assets=tuple(asset for asset in finding.assets if asset != gone),
    )


def _say(key: str, language: str, words: Mapping[str, object]) -> str:
    return say(f"crowds.{key}", language, **words)
