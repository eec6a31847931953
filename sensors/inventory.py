"""Assets: the ends of industrial conversations, with what their identity operations said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from records.model import Asset
from sensors.activities import mac_text, role_text, space_name
from sensors.engine.tables import FACT, FOREVER, REPORT, SUCCESS, TEXT
from sensors.protocol import protocols

if TYPE_CHECKING:
    from sensors.activities import Naming
    from sensors.protocol import Protocol

MOST_TEXT: Final = 128  # characters of a fact that are kept


class Inventory:
    """What one engine learnt of the hosts in industrial conversations."""

    def __init__(self, site: str | None) -> None:
        self.site = site
        self._seen: dict[int, tuple[int, int]] = {}
        self._macs: dict[int, set[int]] = {}
        self._facts: dict[int, dict[str, str]] = {}
        self._sources: dict[int, set[str]] = {}

    def note(self, rows: Any, conversations: Any) -> None:
        """Released groups: who was there, from when to when."""
        numbers, place = np.unique(rows.conversation, return_inverse=True)
        starts, ends = np.full(len(numbers), FOREVER), np.full(len(numbers), -1)
        np.minimum.at(starts, place, rows.start)
        np.maximum.at(ends, place, rows.end)
        for number, start, end in zip(numbers.tolist(), starts.tolist(), ends.tolist(), strict=True):
            talk = conversations[number]
            for host, mac in ((int(talk.source), int(talk.source_mac)), (int(talk.target), int(talk.target_mac))):
                first, last = self._seen.get(host, (start, end))
                self._seen[host] = min(first, start), max(last, end)
                self._sources.setdefault(host, set()).add(protocols()[int(talk.protocol)].name)
                if mac >= 0:
                    self._macs.setdefault(host, set()).add(mac)

    @property
    def hosts(self) -> list[int]:
        """The numbers of all assets."""
        return list(self._seen.keys() | self._facts.keys())

    def last_seen(self, host: int) -> int:
        """When this asset was last seen; 0 where only its facts are known."""
        return self._seen.get(host, (0, 0))[1]

    def forget(self, hosts: list[int]) -> None:
        """Let go of these assets."""
        for known in (self._seen, self._macs, self._facts, self._sources):
            for host in hosts:
                known.pop(host, None)

    def identify(self, memory: Any, done: Any, told: Any, conversations: Any) -> None:
        """Texts that devices told about themselves."""
        picked = np.flatnonzero((told.encoding == TEXT) | (told.encoding == FACT))
        owners = done[np.searchsorted(done.sample, picked, side="right") - 1]
        samples, targets = told[picked], conversations.target[owners.conversation]
        good = (owners.outcome == SUCCESS) | (owners.role >= REPORT)
        columns = (owners.protocol, samples.space, samples["first"], targets, good)
        facts: list[tuple[int, int, int, int, bool]] = list(zip(*(column.tolist() for column in columns), strict=True))
        for sample, (number, space, first, host, told_well) in zip(samples, facts, strict=True):
            protocol = protocols()[number]
            fact = protocol.identity.get((space_name(number, space) or "", first))
            if fact is not None and told_well:
                self._facts.setdefault(host, {})[fact] = self._words(memory, protocol, sample)[:MOST_TEXT]
                self._sources.setdefault(host, set()).add(f"{protocol.name}:identity")

    @staticmethod
    def _words(memory: Any, protocol: Protocol, sample: Any) -> str:
        if sample.encoding == TEXT:
            return bytes(memory[int(sample.offset) : int(sample.offset) + int(sample.octets)]).decode("utf-8", "replace").strip("\0 ")
        if protocol.fact is None:
            return f"{sample.value:.0f}"
        return protocol.fact(protocol.spaces[int(sample.space)], int(sample.first), float(sample.value))

    def assets(self, naming: Naming, hosts: Any) -> tuple[Asset, ...]:
        """Every asset, by address."""
        found: list[Asset] = []
        for host, (first, last) in self._seen.items():
            facts = self._facts.get(host, {})
            macs = (mac_text(mac) or "" for mac in sorted(self._macs.get(host, ())))
            address = naming.host(host)
            found.append(
                Asset(
                    id=naming.assets[host],
                    name=address,
                    addresses=(address, *macs),
                    first=first,
                    last=last,
                    vendor=facts.get("vendor"),
                    model=facts.get("model"),
                    firmware=facts.get("firmware"),
                    serial=facts.get("serial"),
                    role=role_text(int(hosts[host].role)),
                    sources=tuple(sorted(self._sources.get(host, ()))),
                    site=self.site,
                )
            )
        return tuple(sorted(found, key=lambda asset: asset.name))
