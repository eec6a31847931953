"""What was heard of hosts: who spoke industrial protocols, what devices answered of themselves, what hosts announced, what others said of them.

Only noted here, bounded; which of it is one asset is found out in `sensors.resolving`, when the assets are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.facts import shortened
from sensors.activities import FUNCTION_NAMES, mac_text, space_name, talks_of
from sensors.deeds import Deeds, acting, minutes
from sensors.engine.grouping import ASKS, READS
from sensors.engine.tables import FACT, FOREVER, REPORT, RESPONSE, SUCCESS, TEXT, TOLD, WINDOW
from sensors.protocol import protocols
from sensors.resolving import resolve
from sensors.statements import PROVEN, SERVES, Statement, is_group

if TYPE_CHECKING:
    from records.model import Asset
    from sensors.activities import Naming, Talk
    from sensors.protocol import Protocol

MOST_HOSTS: Final = 1 << 13  # hosts of industrial conversations
MOST_HEARD: Final = 1 << 13  # addresses that something was said of
MOST_LINKS: Final = 1 << 14  # pairs of addresses that are said to be one host's
MOST_STRANGERS: Final = 1 << 10  # that nobody answered, that few asked and that were there for under a minute; of more, none is an asset: they are forged
MOST_SAID: Final = 64  # different facts of one address
MOST_ASKED: Final = 64  # devices that one host asked which are counted
MANY_ASKERS: Final = 16  # hosts that asked one device: it is none of the forged, it is where they turn to
MOST_WAITING: Final = 1 << 8  # different messages that wait to be taken in


@dataclass(slots=True)
class Span:
    """From when to when, nanoseconds, and how often."""

    first: int
    last: int
    times: int = 1

    def add(self, first: int, last: int, times: int = 1) -> None:
        """Seen again."""
        self.first, self.last, self.times = min(self.first, first), max(self.last, last), self.times + times

    def join(self, when: Span) -> None:
        """Seen again, as often as that."""
        self.add(when.first, when.last, when.times)

    def copy(self) -> Span:
        """The same, to go on with."""
        return Span(self.first, self.last, self.times)


@dataclass(slots=True)
class Heard:
    """One address. `here`: it spoke for itself; `spoke`: it had part in industrial conversations, in some of which somebody `answered`.
    `facts`: (name, value, source, confidence).
    """

    seen: Span
    here: bool = False
    spoke: bool = False
    answered: bool = False
    role: int = 0
    protocols: set[str] = field(default_factory=set[str])
    facts: dict[tuple[str, str, str, int], Span] = field(default_factory=dict[tuple[str, str, str, int], Span])
    macs: dict[str, Span] = field(default_factory=dict[str, Span])
    asked: set[str] = field(default_factory=set[str])
    askers: set[str] = field(default_factory=set[str])
    deeds: Deeds = field(default_factory=Deeds)

    @property
    def stranger(self) -> bool:
        """Was it there for a moment alone, nothing came of it, and few turned to it?"""
        return not self.answered and len(self.askers) < MANY_ASKERS and self.seen.last - self.seen.first < WINDOW

    def say(self, fact: tuple[str, str, str, int], when: Span) -> None:
        """One more fact, or one again; of too many the one that was said longest ago goes."""
        known = self.facts.get(fact)
        if known is not None:
            known.join(when)
            return
        if len(self.facts) >= MOST_SAID:
            del self.facts[min(self.facts, key=lambda each: (self.facts[each].last, each))]
        self.facts[fact] = when.copy()


@cache
def _messages() -> list[int]:
    """[protocol] → the number of its space of messages that `tells` reads; -2 where it has none."""
    return [protocol.spaces.index("message") if protocol.tells else -2 for protocol in protocols()]


@lru_cache(maxsize=4096)
def _statements(protocol: int, octets: bytes) -> tuple[Statement, ...]:
    """What a message says; most of them say the same again and again."""
    tells = protocols()[protocol].tells
    return tells(octets) if tells else ()


@cache
def _serving() -> Any:
    """[row of the table of functions] → is it what only a server says? The last one is that of none."""
    names = frozenset(name for protocol in protocols() for name in protocol.serves)
    return np.array([*(name in names for name in FUNCTION_NAMES), False])


class Inventory:
    """What one engine learnt of hosts. `shed` counts addresses and pairs that found no room."""

    def __init__(self, site: str | None, naming: Naming) -> None:
        self.site = site
        self.shed = 0
        self._naming = naming
        self._hosts: dict[int, Heard] = {}  # by the engine's number: those of industrial conversations
        self._told: dict[str, Heard] = {}  # by address: those that something was said of
        self._links: dict[tuple[str, str, str], Span] = {}
        self._waiting: dict[tuple[int, bytes, int, int], Span] = {}  # messages by protocol, octets, speaker and its MAC address: most are sent again and again

    def note(self, rows: Any, conversations: Any, hosts: Any) -> None:
        """Released groups: who was there, from when to when. `hosts` is the engine's table, which has their roles."""
        self.settle()
        numbers, place = np.unique(rows.conversation, return_inverse=True)
        starts, ends = np.full(len(numbers), FOREVER), np.full(len(numbers), -1)
        np.minimum.at(starts, place, rows.start)
        np.maximum.at(ends, place, rows.end)
        answered = np.bincount(place, np.asarray(rows.answered)) > 0
        talks = talks_of(conversations, numbers)
        for talk, start, end, both in zip(talks, starts.tolist(), ends.tolist(), answered.tolist(), strict=True):
            protocol = protocols()[talk.protocol]
            if protocol.infrastructure:
                continue
            source, target = talk.source, talk.target
            for host, mac in ((source, talk.source_mac), (target, talk.target_mac)):
                if is_group(self._naming.host(host)):
                    continue
                heard = self._host(host, start, end)
                heard.answered |= both
                heard.protocols.add(protocol.name)
                text = mac_text(mac)
                if text and not is_group(text) and text != self._naming.host(host):
                    heard.macs.setdefault(text, Span(start, end, 0)).add(start, end)
            if source in self._hosts and len(asked := self._hosts[source].asked) < MOST_ASKED:
                asked.add(self._naming.host(target))
            if target in self._hosts and len(askers := self._hosts[target].askers) < MANY_ASKERS:
                askers.add(self._naming.host(source))
        self._act(rows, dict(zip(numbers.tolist(), talks, strict=True)))
        self._serve(rows, conversations)
        if len(self._hosts) > MOST_HOSTS:
            self._make_room(hosts)

    def _act(self, rows: Any, talks: dict[int, Talk]) -> None:
        """What hosts read and do, for their roles."""
        for number in acting(rows):
            if (heard := self._hosts.get(talks[number].source)) is not None:
                heard.deeds.acts = True
        for minute, source, read in minutes(rows, talks):
            if (heard := self._hosts.get(source)) is not None:
                heard.deeds.reads(read, {self._naming.host(device) for device in read.devices}, minute)

    def _serve(self, rows: Any, conversations: Any) -> None:
        """Who answered as only a server does."""
        which = np.flatnonzero(_serving()[np.asarray(rows.function)] & (np.asarray(rows.outcome) == SUCCESS))
        if not len(which):
            return
        picked: Any = rows[which]
        talks: Any = conversations[picked["conversation"]]
        where: Any = np.where
        speakers = where(picked["report"] == 1, talks["target"], talks["source"])
        each: list[tuple[int, ...]] = list(zip(*(column.tolist() for column in (speakers, talks["protocol"], picked["start"], picked["end"])), strict=True))
        for speaker, protocol, start, end in each:
            if not is_group(address := self._naming.host(speaker)):
                when = Span(start, end)
                self._addressed(address, when).say(("role", "server", protocols()[protocol].name, SERVES), when)

    def _make_room(self, hosts: Any) -> None:
        """Too many: strangers go first, then those that only looked, then those that were seen but once; those that acted last, of equals those silent longest
        first."""
        roles: list[int] = (np.asarray(hosts["role"]) & ~(ASKS | READS)).tolist()

        def worth(host: int) -> tuple[bool, bool, bool, int, int]:
            seen = self._hosts[host].seen
            return not self._hosts[host].stranger, roles[host] > 0, seen.times > 1, roles[host], seen.last

        gone = sorted(self._hosts, key=worth)[: len(self._hosts) - MOST_HOSTS // 4 * 3]
        self.forget(gone)
        self.shed += len(gone)

    def _host(self, host: int, first: int, last: int) -> Heard:
        heard = self._hosts.get(host)
        if heard is None:
            heard = self._hosts[host] = Heard(Span(first, last), spoke=True)
        else:
            heard.seen.add(first, last)
        return heard

    @property
    def hosts(self) -> list[int]:
        """The numbers of all hosts of industrial conversations."""
        return list(self._hosts)

    def last_seen(self, host: int) -> int:
        """When this host was last seen."""
        return self._hosts[host].seen.last if host in self._hosts else 0

    def forget(self, hosts: list[int]) -> None:
        """Let go of these hosts."""
        for host in hosts:
            self._hosts.pop(host, None)

    def identify(self, memory: Any, done: Any, told: Any, conversations: Any) -> None:
        """What messages say of hosts: devices' answers about themselves, and statements of protocols that have readers for them."""
        done, told, conversations = (np.asarray(rows) for rows in (done, told, conversations))  # fields of plain arrays are had at a tenth of the cost
        encoding: Any = told["encoding"]
        picked = np.flatnonzero((encoding == TEXT) | (encoding == FACT))
        owners = np.searchsorted(done["sample"], picked, side="right") - 1
        role, outcome, time, answered, talk = (done[name][owners] for name in ("role", "outcome", "time", "answer_time", "conversation"))
        where: Any = np.where
        spoke = (role == REPORT) | (role == RESPONSE)
        source, target = (conversations[name][talk] for name in ("source", "target"))
        columns: tuple[Any, ...] = (
            done["protocol"][owners], *(told[name][picked] for name in ("space", "first", "offset", "octets")), (outcome == SUCCESS) | (role >= REPORT),
            where(answered >= 0, answered, time), done["unit"][owners],
            where(spoke, target, source), where(spoke, *(conversations[name][talk] for name in ("target_mac", "source_mac"))),
            where(role == TOLD, source, target),
        )  # fmt: skip
        each: list[tuple[int, ...]] = list(zip(*(column.tolist() for column in columns), strict=True))
        messages, waiting = _messages(), self._waiting
        for place, (number, space, first, offset, octets, well, moment, unit, speaker, mac, whose) in enumerate(each):
            if space == messages[number]:
                message = number, bytes(memory[offset : offset + octets]), speaker, mac
                if (when := waiting.get(message)) is None:
                    waiting[message] = Span(moment, moment)
                else:
                    when.add(moment, moment)
                continue
            protocol = protocols()[number]
            fact = protocol.identity.get((space_name(number, space) or "", first))
            if fact is not None and well:
                self._answered(whose, (fact, shortened(self._words(memory, protocol, told[picked[place]])), protocol.name, unit), moment)
        if len(waiting) > MOST_WAITING:
            self.settle()

    def settle(self) -> None:
        """Take in the messages that wait. Their speakers are numbers, so this comes before hosts are numbered anew."""
        for (number, message, speaker, mac), when in self._waiting.items():
            self._listen(number, message, self._naming.host(speaker), mac, when)
        self._waiting = {}

    def _answered(self, host: int, told: tuple[str, str, str, int], time: int) -> None:
        """A device's own answer; of units behind it each is told apart."""
        fact, words, protocol, unit = told
        if words and not is_group(self._naming.host(host)):
            source = f"{protocol}:identity" + (f"/{unit}" if unit > 0 else "")
            self._host(host, time, time).say((fact, words, source, PROVEN), Span(time, time))

    @staticmethod
    def _words(memory: Any, protocol: Protocol, sample: Any) -> str:
        if sample["encoding"] == TEXT:
            return bytes(memory[int(sample["offset"]) : int(sample["offset"]) + int(sample["octets"])]).decode("utf-8", "replace").strip("\0 ")
        if protocol.fact is None:
            return f"{sample['value']:.0f}"
        return protocol.fact(protocol.spaces[int(sample["space"])], int(sample["first"]), float(sample["value"]))

    def _listen(self, protocol: int, octets: bytes, speaker: str, mac_number: int, when: Span) -> None:
        source = protocols()[protocol].name
        for statement in _statements(protocol, octets):
            own = statement.addresses
            if statement.speaker and speaker not in own and not is_group(speaker):
                own = (*own, speaker)
            mac = mac_text(mac_number) if statement.here else None
            for address in own:
                heard = self._addressed(address, when)
                heard.here |= statement.here
                if statement.here:
                    heard.protocols.add(source)
                for name, value, confidence in statement.facts:
                    heard.say((name, shortened(value), source, confidence), when)
            if statement.here:
                for other in own[1:]:
                    self._link(own[0], other, source, when)
            if statement.here and speaker in own and mac and mac != speaker and not is_group(mac):
                self._told[speaker].macs.setdefault(mac, Span(when.first, when.last, 0)).join(when)

    def _addressed(self, address: str, when: Span) -> Heard:
        heard = self._told.get(address)
        if heard is not None:
            heard.seen.join(when)
            return heard
        if len(self._told) >= MOST_HEARD:
            gone = sorted(self._told, key=lambda each: (self._told[each].here and self._told[each].seen.times > 1, self._told[each].seen.last, each))
            for each in gone[: MOST_HEARD // 4]:
                del self._told[each]
            self.shed += MOST_HEARD // 4
            self._links = {pair: span for pair, span in self._links.items() if pair[0] in self._told and pair[1] in self._told}
        heard = self._told[address] = Heard(when.copy())
        return heard

    def _link(self, one: str, other: str, source: str, when: Span) -> None:
        """These addresses are said to be one host's."""
        known = self._links.get((one, other, source))
        if known is not None:
            known.join(when)
            return
        if len(self._links) >= MOST_LINKS:
            gone = sorted(self._links, key=lambda pair: (self._links[pair].times > 1, self._links[pair].last, pair))
            for pair in gone[: MOST_LINKS // 4]:
                del self._links[pair]
            self.shed += MOST_LINKS // 4
        self._links[one, other, source] = when.copy()

    def assets(self, hosts: Any) -> tuple[Asset, ...]:
        """Every asset, by name. `hosts` is the engine's table, which has their roles. Of very many strangers none is one."""
        self.settle()
        spoke: dict[str, Heard] = {}
        for number, heard in self._hosts.items():
            heard.role = int(hosts[number].role)
            spoke[self._naming.host(number)] = heard
        strangers = {address for address in (*spoke, *self._told) if all(each[address].stranger for each in (spoke, self._told) if address in each)}
        if len(strangers) <= MOST_STRANGERS:
            return resolve(self.site, spoke, self._told, self._links)
        known, told = ({address: heard for address, heard in each.items() if address not in strangers} for each in (spoke, self._told))
        return resolve(self.site, known, told, {pair: span for pair, span in self._links.items() if not {*pair[:2]} & strangers})
