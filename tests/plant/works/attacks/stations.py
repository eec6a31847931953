"""What is particular to telecontrol: selection left out, reports switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plant.works.attacks.scene import needs
from tests.plant.works.process import COMMAND
from tests.plant.works.world import MINUTE, SECOND

if TYPE_CHECKING:
    from tests.plant.works.attacks.scene import Scene
    from tests.plant.works.world import Actor


@needs("operate_at_once")
def operate_without_select(scene: Scene) -> Actor:
    """A foreign host operates breakers without selecting them."""
    session = scene.session()
    process = scene.device.process
    for number in scene.random.sample(process.numbers(COMMAND), min(3, len(process.numbers(COMMAND)))):
        yield session.operate_at_once(number, float(not process.values[number])) + scene.pause(1, 10)
    session.close()
    yield from scene.restored()
    scene.tell("T0855 T0831 T1692.001", "breakers operated without selection by a foreign host", session.now)


@needs("disable_reports")
def reports_disabled(scene: Scene) -> Actor:
    """A foreign host switches unasked reports off; the master switches them on again when it connects anew."""
    session, device = scene.session(), scene.device
    yield session.disable_reports()
    session.close()
    unasked = bool(getattr(device, "unsolicited", False))
    begun = scene.world.now
    until = begun + scene.random.randrange(3 * MINUTE, 9 * MINUTE)
    polls = [poll for poll in scene.plant.polls if poll.device is device]
    for poll in polls if unasked else []:
        poll.paused = until + SECOND
    yield until if unasked else session.now
    for poll in polls if unasked else []:
        if poll.link.opened:
            poll.close()
    scene.tell("T0804 T0838 T0878 T1691.002", "unasked reports switched off by a foreign host", session.now)
