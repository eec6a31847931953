"""A plant from a seed: who is there, what they control, who reads it and how often."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.plant.works import packaging, power, water
from tests.plant.works.device import Device, Make
from tests.plant.works.dnp3 import Dnp3Device, Dnp3Session
from tests.plant.works.enip import EnipDevice, EnipSession
from tests.plant.works.iec104 import Iec104Device, Iec104Session
from tests.plant.works.modbus import ModbusDevice, ModbusSession
from tests.plant.works.process import Habits
from tests.plant.works.s7 import S7Device, S7Session
from tests.plant.works.wire import Host, Network
from tests.plant.works.world import MS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from tests.plant.works.process import Process
    from tests.plant.works.world import World

MAKES: Final = {
    "modbus": (
        Make("Schneider Electric", "TM241CE24R", "5.1.9.34", "0080f4"),
        Make("Schneider Electric", "BMX P34 2020", "3.30", "0000bc"),
        Make("WAGO", "750-8212", "04.02.13", "0030de"),
        Make("Phoenix Contact", "AXC F 2152", "2024.0.3", "00a045"),
        Make("Moxa", "ioLogik E1242", "V3.3", "0090e8"),
        Make("Delta", "AS332T-A", "1.12", "001823"),
    ),
    "s7comm": (
        Make("Siemens", "6ES7 315-2EH14-0AB0", "3.2.12", "001b1b"),
        Make("Siemens", "6ES7 412-2EK06-0AB0", "6.0.8", "286336"),
        Make("Siemens", "6ES7 214-1AG40-0XB0", "4.2.3", "e0dca0"),
        Make("Siemens", "6ES7 511-1AK02-0AB0", "2.8.3", "ac6417"),
    ),
    "iec104": (
        Make("Siemens", "SICAM A8000", "16.20", "286336"),
        Make("ABB", "RTU560", "13.4", "002041"),
        Make("NARI", "RCS-9700", "2.11", "00e0ac"),
        Make("Schneider Electric", "Easergy T300", "2.8", "0080f4"),
    ),
    "dnp3": (
        Make("SEL", "SEL-3530", "R148-V1", "0030a7"),
        Make("GE", "D20MX", "1.70", "00216f"),
        Make("Schneider Electric", "SCADAPack 474", "8.14.1", "0080f4"),
        Make("ABB", "RTU540", "12.7", "002041"),
    ),
    "enip": (
        Make("Rockwell Automation", "1756-L73/B LOGIX5573", "32.11", "00009c"),
        Make("Rockwell Automation", "1769-L33ER/A LOGIX5333ER", "30.14", "5c8816"),
        Make("Rockwell Automation", "5069-L306ER/A", "33.11", "f45433"),
    ),
}
OFFICE: Final = ("f8b156", "a44cc8", "3c5282", "00155d", "d4bed9")  # makers of computers
SPEAKS: Final[dict[str, tuple[type[Device], type[Any]]]] = {
    "modbus": (ModbusDevice, ModbusSession),
    "s7comm": (S7Device, S7Session),
    "iec104": (Iec104Device, Iec104Session),
    "dnp3": (Dnp3Device, Dnp3Session),
    "enip": (EnipDevice, EnipSession),
}


@dataclass(frozen=True, slots=True)
class Site:
    """A kind of plant."""

    name: str
    processes: Sequence[type[Process]]
    protocols: Sequence[str]


SITES: Final = {
    site.name: site
    for site in (
        Site("water", water.PROCESSES, ("modbus", "s7comm")),
        Site("substation", power.PROCESSES, ("dnp3", "iec104")),
        Site("packaging", packaging.PROCESSES, ("enip", "s7comm", "modbus")),
    )
}


@dataclass(slots=True)
class Plant:
    """Who is there."""

    world: World
    site: Site
    random: Random
    network: Network = field(default_factory=Network)
    devices: list[Device] = field(default_factory=list[Device])
    screens: list[Host] = field(default_factory=list[Host])
    polls: list[Any] = field(default_factory=list[Any])  # sessions that poll
    subnet: str = ""
    office: str = ""
    used: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    gateway: Host = field(init=False)
    historian: Host = field(init=False)
    engineering: Host = field(init=False)
    operator_of: dict[str, Host] = field(default_factory=dict[str, Host])

    def host(self, name: str, role: str, oui: str = "", net: str = "", delay: int = 2 * MS, named: Random | None = None) -> Host:
        """Plug a host in, somewhere free in its network. Who comes later has his own chance: `named`."""
        random, net = named or self.random, net or self.subnet
        taken = self.used.setdefault(net, {0, 1, 255})
        last = random.choice([number for number in range(2, 254) if number not in taken])
        taken.add(last)
        mac = bytes.fromhex(oui or random.choice(OFFICE)) + random.randbytes(3)
        controller = role == "controller"
        ttl = random.choice((64, 64, 128, 255)) if controller else 128
        return self.network.add(Host(name, f"{net}.{last}", mac, role, ttl, random.choice((4096, 8192, 16384, 64240)), delay=delay))

    def speaks(self, device: Device) -> type[Any]:
        """The kind of a client's session with this device."""
        return SPEAKS[device.PROTOCOL][1]

    def session(self, client: Host, device: Device, gateway: Host | None = None) -> Any:
        """A client's session with a device, in what that speaks."""
        return self.speaks(device)(self.world, client, device, gateway)

    def about(self) -> dict[str, Any]:
        """The plant as its labels tell it."""
        return {
            "site": self.site.name,
            "seed": self.world.seed,
            "hosts": [{"ip": host.ip, "mac": host.mac.hex(":"), "name": host.name, "role": host.role} for host in self.network.hosts.values()],
            "controllers": [{"ip": d.host.ip, "protocol": d.PROTOCOL, "process": d.process.NAME, "model": d.make.model} for d in self.devices],
        }


def build(world: World, site: Site, controllers: int | None) -> Plant:
    """The plant of this seed."""
    random = world.chance("plant")
    plant = Plant(world, site, random)
    second = random.randrange(1, 250)
    plant.subnet = random.choice((f"10.{second}.{random.randrange(250)}", f"192.168.{second}", f"172.{random.randrange(16, 32)}.{second}"))
    plant.office = f"10.{random.randrange(100, 250)}.{random.randrange(1, 250)}" if plant.subnet[:3] != "10." else f"192.168.{second}"
    plant.gateway = plant.network.add(Host("gateway", f"{plant.subnet}.1", bytes.fromhex("00000c") + random.randbytes(3), "gateway", 255))
    plant.used[plant.subnet] = {0, 1, 255}
    count = controllers or random.randrange(4, 12)
    habits = Habits(random.uniform(0.15, 0.5), random.uniform(0.1, 0.45), random.uniform(0.5, 2.5))
    prefix, makes = random.choice(("PLC", "RTU", "AS", "CTL")), {p: random.sample(MAKES[p], k=random.randrange(1, 4)) for p in site.protocols}
    for number in range(count):
        protocol = site.protocols[number] if number < len(site.protocols) else random.choice(list(site.protocols))
        make = random.choice(makes[protocol])
        host = plant.host(f"{prefix}-{number + 1}", "controller", make.oui, delay=random.randrange(1, 25) * MS)
        kind = site.processes[number % len(site.processes)] if number < len(site.processes) else random.choice(list(site.processes))
        process = kind(random, habits, world.start)
        plant.devices.append(SPEAKS[protocol][0](host, process, make, random))
    plant.screens = [plant.host(f"HMI-{number + 1}", "hmi") for number in range(1 + min(count // 6, 5))]
    plant.historian = plant.host("HISTORIAN", "historian")
    plant.engineering = plant.host("ENG-1", "engineering")
    for number, device in enumerate(plant.devices):
        plant.operator_of[device.host.ip] = plant.screens[number % len(plant.screens)]
    return plant
