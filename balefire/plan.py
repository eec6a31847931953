"""What a replay is asked to do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from balefire.settings import Dissect, Keep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sensors.sources.pcap import Capture


@dataclass(frozen=True, slots=True)
class Plan:
    """What to replay and under which names. `learn` teaches and is neither stored nor judged; `rules` stand beside the bundled ones.

    `criticality` tells what devices matter to the plant, by address or network; `keep` how much is kept of the packets of findings,
    `dissect` what tshark may take to name what is not understood. `resume`: detectors go on where those of this observer stopped before.
    """

    captures: Sequence[Capture]
    learn: Sequence[Capture] = ()
    observer: str | None = None
    site: str | None = None
    rules: tuple[Path, ...] = ()
    criticality: Mapping[str, str] = field(default_factory=dict[str, str])
    language: str = "en"
    keep: Keep = field(default_factory=Keep)
    dissect: Dissect = field(default_factory=Dissect)
    resume: bool = False

    def observer_of(self, capture: Capture) -> str:
        """The name of the observer: as given, else of the capture's content, so that the same capture always gives the same identities."""
        return self.observer or f"capture-{capture.sha256[:12]}"

    def identity(self) -> str:
        """The same inputs under the same names have the same identity, wherever the files lie."""
        parts = [self.observer or "", self.site or "", *(c.sha256 for c in self.captures), "learn", *(c.sha256 for c in self.learn)]
        return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
