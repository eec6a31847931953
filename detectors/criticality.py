"""What a device matters to the plant, as its staff say it: a term of every finding about it, whichever detector found it."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from records.model import Term
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.detector import Detector
    from records.model import Batch, Finding

VALUES: Final[Mapping[str, float]] = {"critical": 15.0, "high": 9.0, "normal": 0.0, "low": -10.0}


class Weighed:
    """A detector whose findings weigh what the device acted on matters, or the one that acts where that matters more: a lost engineering station, a
    controller that speaks outwards. `criticality`: address or network → a name of VALUES.
    """

    def __init__(self, inner: Detector, criticality: Mapping[str, str]) -> None:
        self.name = inner.name
        self.inner = inner
        networks = [(ipaddress.ip_network(place, strict=False), word) for place, word in criticality.items()]
        self._networks = sorted(networks, key=lambda each: -each[0].prefixlen)  # the narrowest that holds an address tells
        self._word = lru_cache(maxsize=65536)(self._look_up)

    @property
    def forgotten(self) -> int:
        """As the detector itself."""
        return self.inner.forgotten

    def learn(self, batch: Batch) -> None:
        """As the detector itself."""
        self.inner.learn(batch)

    def judge(self, batch: Batch) -> list[Finding]:
        """The detector's findings, those about a device that matters more or less than others with a term that says so."""
        return [self._weighed(finding) for finding in self.inner.judge(batch)]

    def state(self) -> bytes:
        """As the detector itself."""
        return self.inner.state()

    def restore(self, state: bytes) -> None:
        """As the detector itself."""
        self.inner.restore(state)

    def _look_up(self, address: str) -> str:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return "normal"
        return next((word for network, word in self._networks if known in network), "normal")

    def _weighed(self, finding: Finding) -> Finding:
        side, address, word = self._whose(finding)
        if not VALUES[word]:
            return finding
        words = (say(f"detectors.term.criticality.{side}.{word}", language, address=address) for language in ("en", "zh"))
        return replace(finding, terms=(*finding.terms, Term(*words, value=VALUES[word])))

    def _whose(self, finding: Finding) -> tuple[str, str | None, str]:
        """Which side tells, its address and what it matters: the one acted on, unless the one that acts matters, and more."""
        acts, asked = (self._word(address) if address else "normal" for address in (finding.source, finding.destination))
        if VALUES[acts] > max(VALUES[asked], 0) or not finding.destination:
            return "source", finding.source, acts
        return "destination", finding.destination, asked
