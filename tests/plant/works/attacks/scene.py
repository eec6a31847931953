"""Who attacks whom, and the label that says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.plant.works.process import COMMAND, SETPOINT
from tests.plant.works.world import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.plant.works.device import Device
    from tests.plant.works.plant import Plant
    from tests.plant.works.wire import Host
    from tests.plant.works.world import Actor, World


def needs(*does: str, protocol: str = "") -> Callable[[Any], Any]:
    """What the victim's protocol must be able to do, or which it must be."""

    def mark(attack: Any) -> Any:
        attack.needs, attack.protocol = does, protocol
        return attack

    return mark


@dataclass(slots=True)
class Scene:
    """An attack: `attacker` is a host that nobody knows, unless the attack says another."""

    world: World
    plant: Plant
    random: Random
    attacker: Host
    device: Device
    name: str
    begun: int = field(init=False)
    before: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.world.now
        self.before = list[float]()

    def begin(self) -> None:
        """Now."""
        self.begun, self.before = self.world.now, list(self.device.process.values)

    def session(self) -> Any:
        """The attacker's own session with the victim, open."""
        session = self.plant.session(self.attacker, self.device)
        session.open()
        return session

    def screen(self) -> Any:
        """The session that the operators' screen has with the victim. Who acts there is the attacker."""
        session = next(session for session in self.plant.polls if session.device is self.device)
        self.attacker = session.client
        return session

    def pause(self, low: float, high: float) -> int:
        """So many seconds."""
        return int(self.random.uniform(low, high) * SECOND)

    def some(self, *kinds: str) -> int:
        """One of the victim's points of these kinds."""
        return self.random.choice(self.device.process.numbers(*kinds))

    def set(self, screen: Any, number: int, value: float, kind: str) -> None:
        """The operators set a point, as they may; it has a label."""
        begun = screen.now
        screen.write(number, value)
        self.world.tell(
            "benign", begun, screen.now, kind=kind, who=[screen.client.ip], whom=[self.device.host.ip],
            protocol=self.device.PROTOCOL, what=f"{self.device.process.points[number].name} = {value:g}",
        )  # fmt: skip

    def restored(self) -> Actor:
        """After minutes the operators notice, and set again what was changed. The attack lasts until then: so long its effects do."""
        process = self.device.process
        yield self.world.now + self.pause(90, 400)
        screen = next(session for session in self.plant.polls if session.device is self.device)
        for number in process.numbers(SETPOINT, COMMAND):
            if process.values[number] != self.before[number] and screen.link.opened and not self.device.host.silent:
                self.set(screen, number, self.before[number], "restore.after.attack")
                yield screen.now + self.pause(2, 20)

    def tell(self, techniques: str, what: str, end: int = 0, **more: Any) -> None:
        """The label. `attacker`, `victim`, `protocol`: where they are others than the scene's."""
        told = {"attacker": [self.attacker.ip], "victim": [self.device.host.ip], "protocol": self.device.PROTOCOL} | more
        self.world.tell("attack", self.begun, max(end, self.world.now), name=self.name, techniques=techniques.split(), what=what, **told)
