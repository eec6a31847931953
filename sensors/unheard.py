"""From when to when nobody listened, by what sources tell of time; what was held by what listened may be gone with it, so that it is longer than that says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensors.source import Tick


@dataclass(slots=True)
class Unheard:
    """`last`: the time that was told last (nanoseconds), `before`: the one before, or that of the last packet; `spans`: when nobody was heard, for who wants to
    know.
    """

    last: int = 0
    before: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def longer(self, said: Tick, packet: int) -> Tick:
        """The tick, absent since what was told before, of every interface of which it is told at that time; `packet`: when the last one came, 0 for none."""
        if said.time != self.last:
            self.before, self.last = self.last or packet, said.time
        if not said.absent:
            return said
        absent = max(said.absent, said.time - self.before) if self.before else said.absent
        if not self.spans or self.spans[-1][1] != said.time:
            self.spans.append((said.time - absent, said.time))
        return replace(said, absent=absent)
