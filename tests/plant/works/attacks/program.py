"""Acting on the controller: stop, program, firmware, clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.plant.works.attacks.scene import needs
from tests.plant.works.world import DAY, MINUTE

if TYPE_CHECKING:
    from tests.plant.works.attacks.scene import Scene
    from tests.plant.works.world import Actor


@needs("stop", "start")
def forced_stop(scene: Scene) -> Actor:
    """Stop the controller; it is started again from the engineering station when somebody noticed."""
    session = scene.session()
    yield session.stop()
    session.close()
    scene.tell("T0858 T0881 T0816 T0826", "the controller stopped by a foreign host", session.now)
    yield session.now + scene.random.randrange(5 * MINUTE, 15 * MINUTE)
    repair = scene.plant.session(scene.plant.engineering, scene.device)
    begun = repair.now
    repair.open()
    repair.start()
    repair.close()
    scene.world.tell(
        "benign", begun, repair.now, kind="restart.after.attack", who=[repair.client.ip], whom=[scene.device.host.ip], protocol=scene.device.PROTOCOL,
        what="the controller started again",
    )  # fmt: skip


@needs("upload")
def program_upload(scene: Scene) -> Actor:
    """A foreign host fetches the program."""
    session = scene.session()
    yield session.upload()
    session.close()
    scene.tell("T0845 T0882 T0802", "the program fetched by a foreign host", session.now)


@needs("download", "stop", "start")
def program_download(scene: Scene) -> Actor:
    """A foreign host gives the controller another program."""
    session = scene.session()
    yield session.identify() + scene.pause(1, 10)
    yield session.stop() + scene.pause(0.5, 3)
    yield session.download(scene.random.randbytes(scene.random.randrange(800, 5000))) + scene.pause(0.2, 2)
    if session.can("activate"):
        session.activate()
    yield session.start()
    session.close()
    scene.tell("T0843 T0858 T0821 T0889", "another program from a foreign host: stop, download, start", session.now)


@needs("set_clock")
def clock_change(scene: Scene) -> Actor:
    """A foreign host sets the clock to another day."""
    session = scene.session()
    shift = scene.random.choice((-1, 1)) * scene.random.randrange(2 * MINUTE, 400 * DAY)
    yield session.set_clock(scene.world.now + shift)
    session.close()
    scene.tell("T0836", "the clock set to another time by a foreign host", session.now)


@needs("write_file")
def file_write(scene: Scene) -> Actor:
    """A foreign host writes a file, as one does before a firmware is activated."""
    session = scene.session()
    yield session.write_file(scene.random.randrange(1, 10), scene.random.randbytes(scene.random.randrange(1000, 8000) // 2 * 2))
    session.close()
    scene.tell("T0867 T0857 T0839 T1693", "a file written by a foreign host", session.now)


@needs("firmware")
def firmware_update(scene: Scene) -> Actor:
    """A foreign host writes a firmware."""
    session = scene.session()
    yield session.firmware(scene.random.randbytes(scene.random.randrange(4000, 20000)))
    session.close()
    scene.tell("T0857 T0839 T0800 T1693", "a firmware written by a foreign host", session.now)


@needs("restart")
def device_restart(scene: Scene) -> Actor:
    """A foreign host restarts the device."""
    session = scene.session()
    yield session.restart()
    session.close()
    scene.tell("T0816 T0814", "the device restarted by a foreign host", session.now)


@needs("listen_only")
def listen_only(scene: Scene) -> Actor:
    """A foreign host makes the device silent; its operators restart its communications later."""
    session = scene.session()
    yield session.listen_only()
    session.close()
    scene.device.host.silent = True
    minutes = scene.random.randrange(2, 8)
    yield scene.world.now + minutes * MINUTE
    scene.device.host.silent = False
    scene.tell("T0814 T0804 T0815 T0829", f"made silent for {minutes} minutes")
