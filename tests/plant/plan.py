"""The plant as data: who is there, what is polled, what the operator does, and when. Times are seconds of the story, which a run may compress."""

from dataclasses import dataclass

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteSingleCoilRequest
from pymodbus.pdu.register_message import WriteMultipleRegistersRequest, WriteSingleRegisterRequest

STORY = 310.0
"""Length of the story at full pace: four clean minutes, the attack, and a few seconds in which the operators see again."""
ATTACK = 242.0
"""When the attacker begins."""
PORT = 502
VLAN = 20
"""The reservoir stands on a VLAN of its own."""


@dataclass(frozen=True)
class Address:
    """One interface of a host with its IPv4 address (a /24), on the plant's first switch or on that of a VLAN."""

    ip: str
    mac: str
    vlan: int | None = None


@dataclass(frozen=True)
class Host:
    """One machine of the plant: one network namespace. `identity` is what it answers to Modbus 43/14, by object number."""

    name: str
    role: str
    addresses: tuple[Address, ...]
    identity: tuple[str, ...] = ()

    @property
    def short(self) -> str:
        """The name of its namespace and, with the number of the interface, of the switch port it hangs on."""
        return self.name.lower().replace("-", "")


@dataclass(frozen=True)
class Poll:
    """A client's cyclic reads from one unit: (function, first address, quantity) each."""

    destination: str
    unit: int
    period: float
    phase: float
    reads: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Order:
    """One legitimate write by an operator."""

    at: float
    destination: str
    request: ModbusPDU


PLC_1 = Host(
    "PLC-1",
    "plc",
    (Address("10.20.1.11", "02:ba:1e:01:00:11"),),
    ("Aquavale Controls", "AV-340-16", "V2.7.1", "https://aquavale.example", "Aquavale 340", "AV-340 CPU 16", "Raw water pumping"),
)
PLC_2 = Host(
    "PLC-2",
    "plc",
    (Address("10.20.1.12", "02:ba:1e:01:00:12"),),
    ("Aquavale Controls", "AV-220-08", "V1.9.4", "https://aquavale.example", "Aquavale 220", "AV-220 CPU 8", "Chlorination"),
)
PLC_3 = Host(
    "PLC-3",
    "plc",
    (Address("10.20.2.11", "02:ba:1e:02:00:11", VLAN),),
    ("Norrstrom Elektronik", "NE-7", "4.02", "https://norrstrom.example", "NE-7 telecontrol", "NE-7-GW", "Reservoir"),
)
HMI = Host("HMI-1", "hmi", (Address("10.20.1.20", "02:ba:1e:01:00:20"), Address("10.20.2.20", "02:ba:1e:02:00:20", VLAN)))
HISTORIAN = Host("HIST-1", "historian", (Address("10.20.1.30", "02:ba:1e:01:00:30"),))
LAPTOP = Host("ENG-7", "engineering", (Address("10.20.1.66", "02:ba:1e:01:00:66"), Address("10.20.2.66", "02:ba:1e:02:00:66", VLAN)))

HOSTS = (PLC_1, PLC_2, PLC_3, HMI, HISTORIAN, LAPTOP)
PLCS = (PLC_1, PLC_2, PLC_3)

# Where things are in the process image of the PLCs, zero-based as on the wire (see processes.py).
CHLORINE_SET_POINT = 16
CHLORINE_ALARMS = 17

# The client's names of the units: a telecontrol station passes unit 17 on to a flow meter behind it.
PUMPING, CHLORINATION, RESERVOIR, METER = 1, 2, 1, 17

P1, P2, P3 = (plc.addresses[0].ip for plc in PLCS)

POLLS: dict[str, tuple[Poll, ...]] = {
    HMI.name: (
        Poll(P1, PUMPING, 5.0, 0.4, ((1, 0, 8), (2, 0, 8), (3, 0, 8), (4, 0, 8))),
        Poll(P2, CHLORINATION, 5.0, 1.7, ((1, 0, 8), (2, 0, 8), (3, 16, 4), (4, 0, 8))),
        Poll(P3, RESERVOIR, 5.0, 3.1, ((1, 0, 4), (3, 0, 4), (4, 0, 6))),
        Poll(P3, METER, 10.0, 4.3, ((4, 0, 4),)),
    ),
    HISTORIAN.name: (
        Poll(P1, PUMPING, 10.0, 2.2, ((4, 0, 8),)),
        Poll(P2, CHLORINATION, 10.0, 6.9, ((4, 0, 8), (3, 16, 1))),
    ),
}

ORDERS: dict[str, tuple[Order, ...]] = {
    HMI.name: (
        Order(33.0, P2, WriteSingleRegisterRequest(address=CHLORINE_SET_POINT, registers=[105], dev_id=CHLORINATION)),
        Order(71.5, P1, WriteSingleCoilRequest(address=1, bits=[True], dev_id=PUMPING)),
        Order(104.0, P3, WriteSingleRegisterRequest(address=0, registers=[520], dev_id=RESERVOIR)),
        Order(138.5, P2, WriteSingleRegisterRequest(address=CHLORINE_SET_POINT, registers=[100], dev_id=CHLORINATION)),
        Order(167.0, P1, WriteMultipleRegistersRequest(address=0, registers=[4600, 3100], dev_id=PUMPING)),
        Order(201.5, P1, WriteSingleCoilRequest(address=1, bits=[False], dev_id=PUMPING)),
    ),
}
