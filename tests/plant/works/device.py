"""A controller: a host with a process behind it, and a client's session with it, whatever they speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tests.plant.works.wire import Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.plant.works.process import Process
    from tests.plant.works.wire import Host, Relay
    from tests.plant.works.world import World


@dataclass(slots=True)
class Make:
    """Who made a controller, and what it says of itself."""

    vendor: str
    model: str
    version: str
    oui: str


class Device:
    """What answers. `reply` takes a message's own octets and gives the answer's, or none."""

    PROTOCOL: ClassVar[str] = ""
    PORT: ClassVar[int] = 0
    KEPT: ClassVar[int] = 0  # octets of a message that are its own in each exchange

    def __init__(self, host: Host, process: Process, make: Make, random: Random) -> None:
        self.host, self.process, self.make, self.random = host, process, make, random
        self.running = True
        self.program = random.randbytes(random.randrange(1500, 6000))

    def reply(self, message: bytes) -> bytes:
        """The answer to a message that came over a connection."""
        raise NotImplementedError


class Session:
    """A client's connection with a controller. Each method that acts returns when it is done; `answered` tells whether there was an answer."""

    def __init__(self, world: World, client: Host, device: Device, gateway: Host | None = None) -> None:
        self.world, self.client, self.device = world, client, device
        self.link = Link(world, client, device.host, device.PORT, gateway)
        self.asked = world.asked
        self.answered = False
        self.code, self.last = "", b""
        self.stretch = 1.0  # of the time between two rounds of a poll
        self.paused = 0  # until then no round comes

    @property
    def now(self) -> int:
        """When the connection is free."""
        return max(self.world.now, self.link.free)

    def open(self) -> bool:
        """Connect, and what the protocol wants first."""
        return self.link.open()

    def count(self, code: str) -> None:
        """One more operation."""
        self.code = code
        self.asked[self.device.PROTOCOL, code] += 1

    def repeat(self, message: bytes, code: str) -> int:
        """The octets of an old message, as they were."""
        self.count(code)
        self.exchange(message)
        return self.link.free

    def can(self, *does: str) -> bool:
        """Whether the protocol has this."""
        return all(hasattr(self, name) for name in does)

    def frozen(self, relay: Callable[[int], Relay]) -> Relay:
        """What alters answers on the way so that the client sees old values."""
        return relay(self.device.KEPT)

    def close(self) -> None:
        """Disconnect."""
        if self.link.opened:
            self.link.close()

    def exchange(self, request: bytes) -> bytes:
        """Ask and be answered: request, response, and an acknowledgement where the next request does not come soon."""
        link, device = self.link, self.device
        self.last = request
        time = link.free if link.free > self.world.now else self.world.now
        if device.host.silent:
            link.unheard(time, request)
            self.answered = False
            return b""
        time = link.say(time, 0, request)
        device.process.step(self.world.now)
        response = device.reply(request)
        time += device.host.delay + int(device.host.delay * 0.6 * link.random())
        if not response:
            link.acknowledge(time, 1)
            link.free, self.answered = time + 100, False
            return b""
        time = link.say(time, 1, response)
        link.acknowledge(time + 200 + int(4000 * link.random()), 0)
        link.free, self.answered = time + 5000, True
        return response
