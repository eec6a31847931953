"""What people and machines do that is right: each act has a label, so that who names it rightly is not blamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plant.works.process import COMMAND, SETPOINT
from tests.plant.works.world import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from random import Random

    from tests.plant.works.device import Device
    from tests.plant.works.plant import Plant
    from tests.plant.works.world import Actor, World


def adjust(world: World, plant: Plant, device: Device, random: Random) -> Actor:
    """An operator changes a set point within its range, or operates something that may be operated, on the screen that is connected already."""
    process = device.process
    session = next(session for session in plant.polls if session.device is device)
    if not session.link.opened or device.host.silent:
        return
    start = world.now
    points = process.points
    commands = [number for number in process.numbers(COMMAND) if points[number].high > points[number].low]
    if commands and random.random() < 0.3:
        number = random.choice(commands)
        value, kind = float(not process.values[number]), "operator.command"
    else:
        number, kind = random.choice(process.numbers(SETPOINT)), "operator.setpoint"
        point = points[number]
        value = round(random.uniform(point.low, point.high), 2)
    yield session.write(number, value)
    world.tell(
        "benign", start, session.now, kind=kind, who=[session.client.ip], whom=[device.host.ip], protocol=device.PROTOCOL,
        what=f"{points[number].name} = {value:g}",
    )  # fmt: skip


def shift(world: World, plant: Plant, device: Device, random: Random) -> Actor:
    """At the change of shift somebody goes through the screens and adjusts a thing or two."""
    for _ in range(random.randrange(1, 4)):
        yield world.now + random.randrange(SECOND, 4 * MINUTE)
        yield from adjust(world, plant, random.choice(plant.devices), random)
    yield from adjust(world, plant, device, random)


def day(world: World, plant: Plant) -> Actor:
    """Operators at work: at each change of shift, and more by day than by night."""
    random = world.chance("operators")
    first, busy = random.choice((5, 6, 7)), random.uniform(0.3, 1.2)  # hour of the first shift (UTC); adjustments an hour
    yield world.now + random.randrange(10 * MINUTE)
    while True:
        hour = world.now % DAY // HOUR
        if (hour - first) % 8 == 0:
            world.enter(shift(world, plant, random.choice(plant.devices), random), world.now + random.randrange(5 * MINUTE))
        rate = busy if (hour - first) % 24 < 10 else busy / 5
        if random.random() < rate:
            world.enter(adjust(world, plant, random.choice(plant.devices), random), world.now + random.randrange(MINUTE, 50 * MINUTE))
        yield world.now - world.now % HOUR + HOUR + random.randrange(SECOND)


def start(world: World, plant: Plant, span: str) -> None:
    """Let people come to work."""
    if span != "none":
        world.enter(day(world, plant))
