"""Address conflicts: two MAC addresses say, within a short time, that they have the same IPv4 address, as one in the middle of a conversation does.

Who says so is told by ARP replies, announcements, and requests, which tell their sender's address; packets that go on coming from the address tell that its
holder is still there. Nothing is learned. Who forges senders, or stands between all hosts of a network, contests very many addresses at once: what is found of
them beyond the first MANY folds into one alert.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import numpy as np

from detectors.baseline.numbering import Encoded, by_code, numbered
from detectors.gathering import plain, taken
from detectors.telling import identity
from records.addresses import is_virtual
from records.facts import asset_id
from records.model import Finding, PacketRef, Term, Text
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from detectors.discovery import Setup
    from records.model import Batch

    Numbers = npt.NDArray[np.int64]

Row = dict[str, Any]
Thing = TypeVar("Thing")
STATE: Final = 1  # of the form of a saved state
RULE: Final = "address-conflict"
TECHNIQUE: Final = "T0830"  # Adversary-in-the-Middle
CLAIMS: Final = ("arp_reply", "arp_announcement", "arp_sender")
SECOND: Final = 1_000_000_000
WITHIN: Final = 600 * SECOND  # a holder that was silent for so long was replaced
MOST: Final = 8192  # addresses that are remembered, and MAC addresses, those heard of last
MOST_MACS: Final = 8  # MAC addresses of one address
MOST_OWN: Final = 8  # addresses of one MAC address
MOST_OBSERVERS: Final = 64
MANY: Final = 16  # addresses of one observer that are contested within WITHIN; what is found of further ones folds
MOST_TOLD: Final = 8  # findings of one address, until nobody has contested it for so long
COLUMNS: Final = (
    "id", "event.start", "event.end", "network.vlan.id", "observer.name", "observer.site", "source.mac", "source.asset.id", "ot.object.name", "ot.packet.first",
)  # fmt: skip
TERMS: Final = {"conflict": 45.0, "turns": 15.0, "own": 15.0, "several": 10.0}


def build(setup: Setup) -> Addresses:
    """The detector, which names captures as the setup does."""
    return Addresses(setup.files)


class Claim(NamedTuple):
    """An activity in which an address is claimed: its identity, its first packet, when that was, and the asset that sent it."""

    activity: str
    packet: int
    time: int
    asset: str | None


class Heard(NamedTuple):
    """A packet came from a MAC address, the last one then."""

    mac: str
    end: int


@dataclass(slots=True)
class Sign:
    """One address at one MAC address: when that was first and last so (nanoseconds), its last claim, and the terms of the last finding about it."""

    first: int
    last: int
    claim: Claim
    told: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class Known:
    """What is remembered of one address: its MAC addresses, in the order in which they were heard of, and how many findings there were, until when."""

    macs: dict[str, Sign] = field(default_factory=dict[str, Sign])
    findings: int = 0
    contested: int = 0


@dataclass(slots=True)
class Many:
    """The addresses that are contested where one observer looks, each with when that was last so; until when further ones fold."""

    contested: dict[str, int] = field(default_factory=dict[str, int])
    until: int = 0

    def more(self, key: str, start: int, end: int) -> bool:
        """Whether a contested address is a further one. While there are such ones no other takes the place of the first ones. What a clock that was put
        back has left in the future counts no more than what is long past.
        """
        if key not in self.contested:
            flooded = start <= self.until <= start + 2 * WITHIN
            if not flooded:
                self.until = 0
                self.contested = {each: last for each, last in self.contested.items() if abs(start - last) <= WITHIN}
            if flooded or len(self.contested) >= MANY:
                self.until = max(self.until, end + WITHIN)
                return True
        self.contested[key] = max(self.contested.get(key, 0), end)
        return False


class Addresses:
    """Judges claims of ARP, one observer and VLAN for itself."""

    name = "addresses"

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._known: dict[str, Known] = {}  # by observer, VLAN and address
        self.forgotten = 0
        self._own: dict[str, dict[str, int]] = {}  # by observer, VLAN and MAC address: addresses that it claimed, and when last
        self._many: dict[str, Many] = {}  # by observer

    def learn(self, batch: Batch) -> None:
        """What is normal is told from what is judged."""

    def judge(self, batch: Batch) -> list[Finding]:
        """The findings of claims, in the order of the rows."""
        rows: Any = batch.activities
        if not rows.num_rows:
            return []
        claims = _claims(rows)
        if not self._known and not len(claims):
            return []
        found: list[Finding] = []
        told = [(row, _key(row, row["ot.object.name"] or "")) for row in plain(taken(rows.select(list(COLUMNS)), claims))]
        claimed: dict[str, list[int]] = {}
        for number, (_, key) in zip(claims.tolist(), told, strict=True):
            claimed.setdefault(key, []).append(number)
        signs, before = self._signs(rows, claimed), Counter[str]()
        for row, key in told:
            self._hear(key, signs.pop((key, before[key]), ()))
            before[key] += 1
            found += self._claimed(row, key)
        for (key, _), heard in signs.items():
            self._hear(key, heard)
        return found

    def state(self) -> bytes:
        """What is remembered of addresses; empty where there is none."""
        if not self._known:
            return b""
        known, many = ({key: asdict(each) for key, each in kept.items()} for kept in (self._known, self._many))
        return json.dumps({"addresses": STATE, "known": known, "own": self._own, "many": many}).encode()

    def restore(self, state: bytes) -> None:
        """Take up where `state` left off. Raises ValueError for what is no state."""
        said: Any = json.loads(state) if state else {"addresses": STATE, "known": {}, "own": {}}
        if not isinstance(said, dict) or cast("Row", said).get("addresses") != STATE:
            raise ValueError("not the state of addresses")
        try:
            self._known = {key: _restored(told) for key, told in cast("Row", said)["known"].items()}
            self._own = {key: dict(own) for key, own in cast("Row", said)["own"].items()}
            self._many = {key: Many(dict(told["contested"]), told["until"]) for key, told in cast("Row", said).get("many", {}).items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("not the state of addresses") from error

    def _signs(self, rows: Any, claimed: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], list[Heard]]:
        """From which addresses packets came, of those that are known or claimed here, and after how many claims of theirs. `claimed`: by address the numbers
        of the rows in which it is claimed.
        """
        ends = rows["event.end"].to_numpy().view(np.int64)
        signs: dict[tuple[str, int], list[Heard]] = {}
        height, groups = int(rows.num_rows) + 1, {key: number for number, key in enumerate(claimed)}
        claims = np.array([number * height + at for key, number in groups.items() for at in claimed[key]], np.int64)
        firsts = claims.searchsorted(np.arange(len(groups) + 1) * height)
        for side in ("source", "destination"):
            numbers, kinds = numbered(rows, ("observer.name", "network.vlan.id", f"{side}.ip", f"{side}.mac"))
            keys = [_joined(observer, vlan, address) if address else "" for observer, vlan, address, _ in kinds]
            some = np.flatnonzero(np.array([key in claimed or key in self._known for key in keys], bool)[numbers])
            group = np.array([groups.get(key, len(groups)) for key in keys], np.int64)[numbers[some]]
            before = claims.searchsorted(group * height + some, "right") - firsts[group]
            codes = numbers[some] * height + before
            which, shown = by_code(codes)
            last = np.zeros(len(shown), np.int64)
            np.maximum.at(last, which, ends[some])
            for number, count, end in zip(numbers[some[shown]].tolist(), before[shown].tolist(), last.tolist(), strict=True):
                signs.setdefault((keys[int(number)], count), []).append(Heard(kinds[number][-1] or "", end))
        return signs

    def _hear(self, key: str, signs: Iterable[Heard]) -> None:
        """Packets from an address that is known: its holders are still there."""
        known = self._known.get(key)
        for mac, end in signs if known else ():
            if known is not None and (sign := known.macs.get(mac)) is not None:
                sign.last = max(sign.last, end)

    def _claimed(self, row: Row, key: str) -> Iterator[Finding]:
        """Somebody says that an address is at its MAC address."""
        address, mac = row["ot.object.name"], row["source.mac"]
        if not address or not mac:
            return
        known = self._last(self._known, key, Known())
        own = self._last(self._own, _key(row, mac), dict[str, int]())
        _last(own, address, 0, MOST_OWN)
        own[address] = max(own[address], row["event.end"])
        claim = Claim(row["id"], row["ot.packet.first"] or 0, row["event.start"], row["source.asset.id"])
        sign = known.macs.get(mac) or known.macs.setdefault(mac, Sign(row["event.start"], row["event.end"], claim))
        sign.last, sign.claim = max(sign.last, row["event.end"]), claim
        if len(known.macs) > MOST_MACS:
            del known.macs[min(known.macs, key=lambda each: (each == mac, known.macs[each].last, each))]
        for other in [each for each, heard in known.macs.items() if each != mac and row["event.start"] - heard.last <= WITHIN]:
            yield from self._contested(row, address, known, other, mac)

    def _last(self, known: dict[str, Thing], key: str, new: Thing) -> Thing:
        """As below, and what goes is counted."""
        self.forgotten += key not in known and len(known) >= MOST
        return _last(known, key, new)

    def _contested(self, row: Row, address: str, known: Known, one: str, other: str) -> Iterator[Finding]:
        """Two claim an address: the one that came later, or came at much the same time and has another address, claims what is the other one's."""
        both = sorted((one, other), key=lambda mac: (known.macs[mac].first, mac))
        first, second = (known.macs[mac] for mac in both)
        if is_virtual(both[1]) or second.first - first.last > WITHIN:
            return
        if second.first - first.first <= WITHIN and self._others(row, both[0], address) and not self._others(row, both[1], address):
            both.reverse()
        claimant = known.macs[both[1]]
        others = self._others(row, both[1], address)
        terms = {"conflict": True, "turns": first.last > second.first, "own": bool(others), "several": len(others) > 1}
        told = [term for term, counts in terms.items() if counts]
        many = _last(self._many, row["observer.name"] or "", Many(), MOST_OBSERVERS).more(_key(row, address), row["event.start"], row["event.end"])
        if row["event.start"] - known.contested > WITHIN:
            known.findings, claimant.told = 0, []
        known.contested = max(known.contested, row["event.end"])
        if set(told) <= set(claimant.told) or known.findings >= MOST_TOLD:
            return
        claimant.told, known.findings = told, known.findings + 1
        held, claimed = ((mac, known.macs[mac].claim) for mac in both)
        finding = self._finding(row, address, held, claimed, told, others, self._own_of(row, both[1], others))
        yield _folded(finding, claimant.claim.asset if len(others) > 1 else None) if many else finding

    def _others(self, row: Row, mac: str, address: str) -> list[str]:
        """Further addresses that this MAC address claimed not long ago."""
        own = self._own.get(_key(row, mac), {})
        return sorted(each for each, last in own.items() if each != address and row["event.start"] - last <= WITHIN)

    def _own_of(self, row: Row, mac: str, others: list[str]) -> str | None:
        """Of the further addresses that this MAC address claims, the one by which its host may be called: nobody else ever claimed it, and there is but one."""
        known = self._known.get(_key(row, others[0])) if len(others) == 1 else None
        return others[0] if known is not None and known.macs.keys() == {mac} else None

    def _finding(
        self, row: Row, address: str, held: tuple[str, Claim], claimed: tuple[str, Claim], told: list[str], others: list[str], own: str | None
    ) -> Finding:
        words = {language: _words(address, held[0], claimed[0], others, own, language) for language in LANGUAGES}

        def text(key: str) -> Text:
            return Text(**{language: say(f"addresses.{key}", language, **words[language]) for language in LANGUAGES})

        said = [text("reason"), *(text(f"also.{term}") for term in told if term != "conflict")]
        observer, site = row["observer.name"] or "", row["observer.site"]
        claims = [held[1], claimed[1]]
        return Finding(
            id=identity(RULE, row["id"], address, held[0], claimed[0]),
            key="|".join((RULE, address, claimed[0], *((site,) if site else ()))),
            detector=self.name,
            rule=RULE,
            time=min(claim.time for claim in claims),
            end=row["event.end"],
            terms=tuple(Term(text(f"term.{term}").en, text(f"term.{term}").zh, TERMS[term]) for term in told),
            title=text("title"),
            reason=Text(" ".join(each.en for each in said), "".join(each.zh for each in said)),
            source=own,
            destination=address,
            effects=("data.exchange",),
            techniques=(TECHNIQUE,),
            activities=tuple(dict.fromkeys(claim.activity for claim in claims)),
            assets=tuple(dict.fromkeys(asset for asset in (claimed[1].asset, held[1].asset, asset_id(site, address)) if asset)),
            packets=tuple(PacketRef(self._files.get(observer, observer), claim.packet, claim.time) for claim in claims),
            observer=observer,
            site=site,
            normal=text("normal"),
            respond=tuple(text(f"respond.{step}") for step in ("port", "neighbour", "planned", "read")),
        )


def _folded(finding: Finding, claimant: str | None) -> Finding:
    """The finding as one of very many like it: its key and title name no address, and its addresses are no assets that an alert would gather; `claimant`,
    who claims several, is one.
    """
    title, reason = (Text(**{language: say(f"addresses.many.{key}", language, count=MANY) for language in LANGUAGES}) for key in ("title", "reason"))
    return replace(
        finding,
        key="|".join((RULE, "crowd", *((finding.site,) if finding.site else ()))),
        title=title,
        reason=Text(f"{finding.reason.en} {reason.en}", finding.reason.zh + reason.zh),
        assets=(claimant,) if claimant else (),
    )


def _claims(rows: Any) -> Numbers:
    """The rows in which an address is claimed."""
    protocols, places = Encoded.of(rows).column("network.protocol")
    spoken = np.flatnonzero(places == protocols.index("arp")) if "arp" in protocols else np.zeros(0, np.int64)
    return spoken[[action in CLAIMS for action in taken(rows.select(["event.action"]), spoken)["event.action"].to_pylist()]]


def _key(row: Row, what: str) -> str:
    return _joined(row["observer.name"], row["network.vlan.id"], what)


def _joined(observer: str | None, vlan: int | None, what: str) -> str:
    return f"{observer or ''}|{'' if vlan is None else vlan}|{what}"


def _last(known: dict[str, Thing], key: str, new: Thing, most: int = MOST) -> Thing:
    """What is known by this key, or what is new; it is the one heard of last, and the one heard of longest ago goes where there are too many."""
    known[key] = thing = known.pop(key, new)
    if len(known) > most:
        del known[next(iter(known))]
    return thing


def _words(address: str, holder: str, claimant: str, others: list[str], own: str | None, language: str) -> dict[str, str]:
    who = say("addresses.who", language, address=own, mac=claimant) if own else claimant
    return {"address": address, "holder": holder, "claimant": claimant, "who": who, "others": say("addresses.comma", language).join(others)}


def _restored(told: Row) -> Known:
    macs = {mac: Sign(sign["first"], sign["last"], Claim(*sign["claim"]), list(sign["told"])) for mac, sign in told["macs"].items()}
    return Known(macs, told["findings"], told["contested"])
