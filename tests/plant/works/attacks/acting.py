"""Acting on the process: set points, outputs, old requests again, a second master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plant.works.attacks.scene import needs
from tests.plant.works.process import COMMAND, SETPOINT
from tests.plant.works.world import SECOND

if TYPE_CHECKING:
    from tests.plant.works.attacks.scene import Scene
    from tests.plant.works.world import Actor


@needs("write")
def write_setpoints(scene: Scene) -> Actor:
    """A foreign host changes set points, within their ranges."""
    session, process = scene.session(), scene.device.process
    for _ in range(scene.random.randrange(1, 6)):
        number = scene.some(SETPOINT)
        point = process.points[number]
        yield session.write(number, scene.random.uniform(point.low, point.high)) + scene.pause(1, 40)
    session.close()
    yield from scene.restored()
    scene.tell("T0836 T0855 T1692.001", "set points from a foreign host, within their ranges", session.now)


@needs("write")
def write_outputs(scene: Scene) -> Actor:
    """A foreign host operates outputs, on and off."""
    session = scene.session()
    for turn in range(scene.random.randrange(4, 30)):
        yield session.write(scene.some(COMMAND), float(turn % 2)) + scene.pause(0.2, 3)
    session.close()
    yield from scene.restored()
    scene.tell("T0855 T0806 T0831 T1692.001", "outputs on and off from a foreign host", session.now)


@needs("write")
def gross_value(scene: Scene) -> Actor:
    """The operators' own screen writes a set point far out of any range."""
    session, process, number = scene.screen(), scene.device.process, scene.some(SETPOINT)
    value = process.points[number].high * scene.random.uniform(3, 6)
    yield session.write(number, value)
    yield from scene.restored()
    scene.tell("T0836 T0831", f"{process.points[number].name} = {value:g}")


@needs("write")
def subtle_value(scene: Scene) -> Actor:
    """The operators' own screen moves a set point out of its range, in small steps."""
    session, number = scene.screen(), scene.some(SETPOINT)
    point, steps = scene.device.process.points[number], scene.random.randrange(6, 14)
    for step in range(1, steps + 1):
        value = point.high + (point.high - point.low + point.high * 0.1) * step / steps
        yield session.write(number, value) + scene.pause(20, 120)
    yield from scene.restored()
    scene.tell("T0836 T0831", f"{point.name} out of its range in {steps} steps")


@needs("write")
def replay(scene: Scene) -> Actor:
    """What the operators' screen asked is asked again, to the octet, by somebody else."""
    screen = next(session for session in scene.plant.polls if session.device is scene.device)
    number = scene.some(SETPOINT)
    point = scene.device.process.points[number]
    scene.set(screen, number, scene.random.uniform(point.low, point.high), "operator.setpoint")
    message, code = screen.last, screen.code
    start = scene.begun = screen.now + scene.pause(60, 300)
    yield start
    session = scene.session()
    for _ in range(scene.random.randrange(3, 12)):
        yield session.repeat(message, code) + scene.pause(0.5, 8)
    session.close()
    yield from scene.restored()
    scene.tell("T0855 T0831 T1692.001", f"an old request to set {point.name}, again and again, from a foreign host", session.now)


@needs("write", "round")
def second_master(scene: Scene) -> Actor:
    """A foreign host polls like a master, and then commands."""
    session = scene.session()
    period = scene.random.choice((1, 2, 5)) * SECOND
    for turn in range(scene.random.randrange(60, 200)):
        session.round()
        if turn % 20 == 19:
            number = scene.some(SETPOINT)
            point = scene.device.process.points[number]
            session.write(number, scene.random.uniform(point.low, point.high))
        yield max(session.now, scene.world.now + period)
    session.close()
    yield from scene.restored()
    scene.tell("T0848 T0855 T0836", "a second master that polls and writes", session.now)
