"""All that was learned, as one thing: habits, their rhythms, the levels of points, the orders of what is done. Four detectors judge by it, each by its part."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from detectors.baseline.habits import COLUMNS as HABITS
from detectors.baseline.habits import Baseline, order, ordered
from detectors.baseline.levels import POINTS, ROWS, Levels
from detectors.baseline.orders import COLUMNS as ORDERS
from detectors.baseline.orders import Orders
from detectors.baseline.paces import Pace, Paces, Pair, unwatched
from detectors.baseline.rhythms import COLUMNS as RHYTHMS
from detectors.baseline.rhythms import Rhythms

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

ACTIVITY: Final = tuple(dict.fromkeys((*HABITS, *RHYTHMS, *ROWS, *ORDERS)))  # columns that are learned from
POINT: Final = POINTS
DETECTORS: Final = ("novelty", "timing", "value", "sequence")  # in whose states a store keeps it


@dataclass(slots=True)
class Learned:
    """What is normal."""

    habits: Baseline = field(default_factory=Baseline)
    rhythms: Rhythms = field(default_factory=Rhythms)
    levels: Levels = field(default_factory=Levels)
    orders: Orders = field(default_factory=Orders)
    paces: Paces = field(default_factory=Paces)

    @property
    def empty(self) -> bool:
        """Was nothing learned?"""
        return not (self.habits.habits or self.levels.known or self.orders.known)

    @property
    def held(self) -> dict[Pair, Pace]:
        """How many reports come at the least, where no rhythm tells it."""
        return unwatched(self.paces.known, self.rhythms.known)

    @property
    def shed(self) -> dict[str, int]:
        """What found no room, by its kind."""
        return {"habits": self.habits.shed, "rhythms": self.rhythms.shed + self.paces.shed, "values": self.levels.shed, "orders": self.orders.shed}

    @property
    def version(self) -> str:
        """What judges the same has the same version."""
        told = [
            [[*key, habit.access, habit.spans, habit.names] for key, habit in ordered(self.habits)],
            [[*key, *asdict(rhythm).values()] for key, rhythm in sorted(self.rhythms.known.items(), key=lambda each: order(each[0]))],
            [[*pair, *pace] for pair, pace in sorted(self.held.items())],
            [[*place, *asdict(level).values()] for place, level in sorted(self.levels.known.items(), key=lambda each: order(each[0]))],
            [[*one, *other, *each] for (one, other), each in sorted(self.levels.follows.items(), key=lambda each: order(each[0][0] + each[0][1]))],
            [[*place, *word] for place, word in sorted(self.levels.words.known.items(), key=lambda each: order(each[0]))],
            [[*talk, {effect: dict(sorted(before.items())) for effect, before in sorted(known.items())}] for talk, known in sorted(self.orders.known.items())],
        ]
        return blake2b(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()

    def learn(self, activities: pa.Table, points: pa.Table) -> None:
        """All of this is normal."""
        self.habits.learn(activities)
        self.rhythms.learn(activities)
        self.paces.learn(activities)
        self.levels.learn(points, activities)
        self.orders.learn(activities)

    def states(self) -> dict[str, bytes]:
        """The states of detectors that judge by this and have judged nothing."""
        from detectors.methods import novelty, sequence, timing, value

        made = novelty.Novelty({}), timing.Timing({}), value.Value({}), sequence.Sequence({})
        made[0].baseline, made[1].rhythms, made[2].levels, made[3].orders = self.habits, self.rhythms, self.levels, self.orders
        made[1].paces = self.paces
        return {each.name: each.state() for each in made}


def kept(state: Callable[[str], bytes | None]) -> Learned:
    """What detectors learned, by their states. Raises ValueError, with the name of the detector, for what is none."""
    from detectors.methods import novelty, sequence, timing, value

    made: tuple[Any, ...] = novelty.Novelty({}), timing.Timing({}), value.Value({}), sequence.Sequence({})
    for each in made:
        try:
            each.restore(state(each.name) or b"")
        except ValueError:
            raise ValueError(each.name) from None
    return Learned(made[0].baseline, made[1].rhythms, made[2].levels, made[3].orders, made[1].paces)
