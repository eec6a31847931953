"""Which MAC addresses an IPv4 address was at, by what ARP and DHCP say and by the packets that were seen."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from records.addresses import is_mac
from records.claims import Claim
from sensors.statements import ANNOUNCED, DERIVED

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from sensors.inventory import Heard, Span

SAYING: Final = ("arp", "dhcp")  # what says that an IP address is at a MAC address
SPOKEN: Final = "traffic"  # … or packets
MOST_OWN: Final = 4  # IPv4 addresses that one MAC address may claim in ARP: with more it answers for others

Links = dict[tuple[str, str, str], "Span"]
Time = tuple[int, int]  # first, last
Evidence = tuple[str, int, int, int]  # source, confidence, first, last


@dataclass(slots=True)
class Places:
    """Where IPv4 addresses were. `said`: address → MAC address → source → when; `sent`: address → MAC address → when; `of`: MAC address → its addresses."""

    said: dict[str, dict[str, dict[str, Time]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(dict)))
    sent: dict[str, dict[str, Time]] = field(default_factory=lambda: defaultdict(dict))
    of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def answering(self) -> dict[str, Time]:
        """MAC addresses that answer for others, and when they did."""
        said = {mac: [each[mac]["arp"] for each in self.said.values() if "arp" in each.get(mac, ())] for mac in self.of}
        return {mac: _whole(times) for mac, times in said.items() if len(times) > MOST_OWN}

    def claims(self, address: str, routers: Container[str]) -> list[Claim]:
        """Who claims an address: who says so, and who has sent as if it were so and has no other address."""
        macs = {mac for mac in self.said[address] if mac not in routers}
        if not macs:
            return []
        macs |= {mac for mac in self.sent[address] if self.of[mac] == {address}}
        return [self._claim(address, mac) for mac in sorted(macs)]

    def when(self, address: str, mac: str) -> Time:
        """From when to when this address was at this MAC address."""
        said = list(self.said[address].get(mac, {}).values())
        return _whole(said + ([self.sent[address][mac]] if mac in self.sent[address] else []))

    def evidence(self, address: str, mac: str) -> list[Evidence]:
        """Who says so, and how far that is to be believed; packets where nobody does."""
        said = [(source, ANNOUNCED, *when) for source, when in self.said[address].get(mac, {}).items()]
        return said or [(SPOKEN, DERIVED, *self.sent[address][mac])]

    def _claim(self, address: str, mac: str) -> Claim:
        first, last = self.when(address, mac)
        busy = any(self.when(other, mac)[1] >= first for other in self.of[mac] if other != address)
        return Claim(mac, first, last, mac in self.said[address], mac in self.sent[address], busy)


def places(links: Links, *heard_of: Mapping[str, Heard]) -> Places:
    """All that was heard of where IPv4 addresses are."""
    found = Places()
    for (one, other, source), span in links.items():
        mac, address = (one, other) if is_mac(one) else (other, one)
        if is_claim(one, other, source):
            found.said[address][mac][source] = span.first, span.last
            found.of[mac].add(address)
    for heard in heard_of:
        for address, each in heard.items():
            for mac, span in each.macs.items() if ":" not in address else ():
                found.sent[address][mac] = _whole([(span.first, span.last), *([found.sent[address][mac]] if mac in found.sent[address] else [])])
                found.of[mac].add(address)
    return found


def is_claim(one: str, other: str, source: str) -> bool:
    """Does this link say at which MAC address an IP address is?"""
    return source in SAYING and is_mac(one) != is_mac(other)


def _whole(times: list[Time]) -> Time:
    return min(first for first, _ in times), max(last for _, last in times)
