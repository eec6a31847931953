"""A raid on a plant of many makes, for rules that fire on no other capture: each step is one thing that attackers do, and all else is at rest.

The attacks of a day (`tests.plant.works.attacks`) are labelled and measured among ordinary work; these are neither, so that what was measured stays comparable.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final

from tests.plant.works import packaging
from tests.plant.works.plant import Site, build
from tests.plant.works.process import COMMAND, SETPOINT
from tests.plant.works.wire import Host, ones_sum
from tests.plant.works.world import HOUR, MINUTE, SECOND, World

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from tests.plant.works.device import Device
    from tests.plant.works.plant import Plant
    from tests.plant.works.world import Actor

SITE: Final = Site("raid", packaging.PROCESSES, ("modbus", "s7comm", "enip", "iec104"))
START: Final = 1_772_449_200 * SECOND  # 2026-03-02 11:00 UTC
GRE: Final = 47


def write(file: IO[bytes]) -> None:
    """The capture of the raid; the same each time."""
    world = World(7, START, START + HOUR, file)
    plant = build(world, SITE, 16)
    world.enter(_raid(plant))
    world.run()


def _raid(plant: Plant) -> Actor:
    """Step by step, a minute apart."""
    for step in (
        _from_outside,
        _sweep,
        _stop_many,
        _from_a_controller,
        _firmware,
        _odd_ports,
        _flood_of_sessions,
        _passwords,
        _busy,
        _refused,
        _answers,
        _tunnel,
        _alarms,
    ):
        step(plant)
        yield plant.world.now + 2 * MINUTE


def _all(plant: Plant, protocol: str) -> list[Device]:
    return [device for device in plant.devices if protocol == device.PROTOCOL]


def _opened(plant: Plant, client: Host, device: Device, port: int = 0) -> Any:
    """An open session, on another port than the device's own where one is given."""
    session = plant.session(client, device)
    session.link.ports[1] = port or device.PORT
    session.open()
    return session


def _done(sessions: Iterable[Any], act: Callable[[Any], object] = lambda session: session.identify()) -> None:
    for session in sessions:
        act(session)
        session.close()


def _set(session: Any) -> None:
    """Write a set point within its range."""
    process = session.device.process
    number = process.numbers(SETPOINT)[0]
    session.write(number, process.points[number].low)


def _stranger(plant: Plant) -> Host:
    known = (host for host in plant.network.hosts.values() if host.role == "raider")
    return next(known, None) or plant.host("unknown", "raider")


def _from_outside(plant: Plant) -> None:
    """Somebody in the Internet, let in by the router, looks and writes."""
    outside = Host("outside", "198.51.100.23", plant.gateway.mac)
    session = plant.session(outside, _all(plant, "modbus")[0], plant.gateway)
    session.open()
    session.round()
    _set(session)
    session.close()


def _sweep(plant: Plant) -> None:
    """Every device is asked what it is."""
    _done(_opened(plant, _stranger(plant), device) for device in plant.devices if device.PROTOCOL != "iec104")


def _stop_many(plant: Plant) -> None:
    """The controllers stop, one after the other."""
    _done((_opened(plant, _stranger(plant), device) for device in _all(plant, "s7comm")), lambda session: session.stop())


def _from_a_controller(plant: Plant) -> None:
    """A controller that was taken over looks at another one, writes to it and gives it a program."""
    bad, victim = _all(plant, "s7comm")[:2]
    session = _opened(plant, bad.host, victim)
    session.identify()
    _set(session)
    session.download(bytes(range(200)) * 5)
    session.close()


def _firmware(plant: Plant) -> None:
    """A firmware is written."""
    _done([_opened(plant, _stranger(plant), _all(plant, "enip")[0])], lambda session: session.firmware(bytes(4000)))


def _odd_ports(plant: Plant) -> None:
    """Commands go past a firewall on ports that it lets through: that of web pages, that of another protocol."""
    _done((_opened(plant, _stranger(plant), _all(plant, "modbus")[0], port) for port in (443, 20000)), _set)


def _flood_of_sessions(plant: Plant) -> None:
    """Sessions are opened until there is no room for one more."""
    device = _all(plant, "s7comm")[0]
    for _ in range(120):
        plant.session(_stranger(plant), device).open()


def _passwords(plant: Plant) -> None:
    """Passwords are tried on a controller that refuses them: set session password (7/5/1), error 0xD602."""
    session = _opened(plant, _stranger(plant), _all(plant, "s7comm")[0])
    for number in range(8):
        asked = _userdata(session, 0x45, 1, b"\xff\x09\0\x08" + bytes((number,)) * 8)
        with _answering(session.device, lambda _, asked=asked: _refusal(asked)):
            session.exchange(asked)
    session.close()


def _userdata(session: Any, group: int, function: int, data: bytes) -> bytes:
    """A request of S7's user data, with its frame."""
    session.reference = (session.reference + 1) & 0xFFFF
    parameters = struct.pack(">3sBBBBB", b"\0\x01\x12", 4, 0x11, group, function, 0)
    return _framed(struct.pack(">BBHHHH", 0x32, 7, 0, session.reference, len(parameters), len(data)) + parameters + data)


def _refusal(asked: bytes) -> bytes:
    """The answer that says no."""
    pdu = asked[7:]
    parameters = struct.pack(">3sBBBBBBBH", b"\0\x01\x12", 8, 0x12, 0x80 | pdu[15] & 0x0F, pdu[16], 0, 0, 0, 0xD602)
    return _framed(struct.pack(">BBHHHH", 0x32, 7, 0, int.from_bytes(pdu[4:6]), len(parameters), 4) + parameters + b"\x0a\0\0\0")


def _framed(pdu: bytes) -> bytes:
    return struct.pack(">BBHBBB", 3, 0, 7 + len(pdu), 2, 0xF0, 0x80) + pdu


@contextmanager
def _answering(device: Any, reply: Callable[[bytes], bytes]) -> Generator[None]:
    """The device answers so for a while."""
    device.reply = reply
    yield
    del device.reply


def _busy(plant: Plant) -> None:
    """A device that is asked for more than it can do says so: Modbus exception 6."""
    session = _opened(plant, _stranger(plant), _all(plant, "modbus")[0])
    with _answering(session.device, lambda asked: asked[:4] + b"\0\x03" + asked[6:7] + bytes((asked[7] | 0x80, 6))):
        for _ in range(40):
            session.read(3, 0, 10)
    session.close()


def _refused(plant: Plant) -> None:
    """A session is not let in: RegisterSession answered with a status."""
    device = _all(plant, "enip")[0]
    with _answering(device, lambda asked: asked[:2] + b"\0\0" + bytes(4) + struct.pack("<I", 1) + asked[12:24]):
        _opened(plant, _stranger(plant), device).close()


def _answers(plant: Plant) -> None:
    """Somebody in between answers in the place of the device: for another register. Another one asks in the place of the master."""
    session = _opened(plant, plant.screens[0], _all(plant, "modbus")[0])
    with _answering(session.device, lambda asked: asked[:9] + bytes((asked[9] ^ 1,)) + asked[10:]):
        session.ask(6, struct.pack(">HH", 0, 500))
    session.close()
    station = _opened(plant, plant.screens[0], _all(plant, "iec104")[0])
    form = station.form

    def under_another(side: int, kind: int, cause: int, elements: list[bytes]) -> bytes:
        octets = form(side, kind, cause, elements)
        return octets[:9] + bytes((9 * (1 - side),)) + octets[10:]

    station.form = under_another
    station.operate_at_once(station.device.process.numbers(COMMAND)[0], 1.0)
    station.close()


def _tunnel(plant: Plant) -> None:
    """A command in a tunnel: GRE (RFC 2784) between two hosts, as somebody builds who wants to pass by a firewall."""
    world, ends = plant.world, (_stranger(plant), plant.gateway)
    world.flush(world.now)
    kept = list(world.waiting)
    world.waiting.clear()
    _done([_opened(plant, _stranger(plant), _all(plant, "modbus")[0])], _set)
    world.waiting[:] = kept + [(time, _wrapped(frame, ends)) for time, frame in world.waiting]


def _alarms(plant: Plant) -> None:
    """A controller is told to keep its alarms to itself: lock ALARM_8 (7/4/7)."""
    _done(
        [_opened(plant, _stranger(plant), _all(plant, "s7comm")[0])],
        lambda session: session.exchange(_userdata(session, 0x44, 7, b"\xff\x09\0\x04" + bytes(4))),
    )


def _wrapped(frame: bytes, ends: tuple[Host, Host]) -> bytes:
    """The packet of a frame within another packet."""
    inner = frame[14 : 14 + int.from_bytes(frame[16:18])]
    addresses = ends[0].packed + ends[1].packed
    head = struct.pack(">BBHHHBB", 0x45, 0, 24 + len(inner), 1, 0x4000, 64, GRE)
    checksum = 0xFFFF - ones_sum(head + b"\0\0" + addresses)
    return frame[:14] + head + struct.pack(">H", checksum) + addresses + b"\0\0\x08\0" + inner
