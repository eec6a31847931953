"""A plant of 300 assets in five levels and four zones, two days of who talks to whom, and one controller whose registers are read, written and reprogrammed."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from records.assets import asset_of
from records.facts import Fact
from records.model import Asset, Batch, Finding, PacketRef, Term, Text
from records.schema import POINT, arrow_schema
from records.store import open_store
from records.store.contract import Commit
from tests.browser.waterworks import HOSTILE, HOUR, MINUTE, NOW, SITE, activity, alert, coverage, finding, table

SECOND = 1_000_000_000
START = NOW - 48 * HOUR
ZONES = ("Intake", "Filtration", "Dosing", "Distribution")
KINDS = (  # name, level, role, how many
    ("OFFICE", 4, "client", 12),
    ("HIST", 3, "historian", 4),
    ("SCADA", 3, "server", 6),
    ("ENG-WS", 3, "engineering", 5),
    ("HMI", 2, "hmi", 52),
    ("PLC", 1, "controller", 180),
    ("DRIVE", 0, "field_device", 41),
)
REGISTERS = (  # number, tag, how often it is read (minutes), unit
    (0, "inlet flow", 1, "m³/h"),
    (1, "turbidity in", 1, "NTU"),
    (7, "pump 1 speed", 1, "rpm"),
    (8, "pump 2 speed", 1, "rpm"),
    (15, "pH", 2, None),
    (16, "residual chlorine", 1, "mg/L"),
    (17, "clear well level", 5, "m"),
    (29, "dose rate", 1, "L/h"),
    (39, "chlorine set point", 5, "mg/L"),
    (41, "dosing mode", 10, None),
    (49, "interlock", 30, None),
    (51, "alarm limit high", 60, "mg/L"),
    (98, "heartbeat", 1, None),
)


def assets() -> dict[str, Asset]:
    """By name."""
    made: dict[str, Asset] = {}
    for place, (kind, level, role, count) in enumerate(KINDS):
        for number in range(1, count + 1):
            name, address = f"{kind}-{number}", f"10.{20 + place}.{number // 200}.{number % 200 + 10}"
            zone = ZONES[number % 4] if level < 3 else None
            told = [Fact("address", address, "traffic", 95, START, NOW), Fact("name", name, "list", 91, START, NOW)]
            told += [Fact("role", role, "behaviour", 70, START, NOW), Fact("level", str(level), "list", 91, START, NOW)]
            told += [Fact("zone", zone, "list", 91, START, NOW)] if zone else []
            if role == "controller":
                told += [Fact("vendor", "Norrstrom Elektronik", "modbus:identity", 85, START, NOW), Fact("model", "NE-7", "modbus:identity", 85, START, NOW)]
                told += [Fact("firmware", "2.1", "modbus:identity", 85, START, NOW - 5 * HOUR)]
                told += [Fact("firmware", "2.3", "modbus:identity", 85, NOW - 4 * HOUR, NOW)] if number == 7 else []
                told += [Fact("criticality", "critical", "settings", 90, START, NOW)] if number == 7 else []
            made[name] = asset_of(SITE, told, START, NOW, ("traffic",))
    hostile = [Fact("address", "10.99.0.1", "traffic", 95, START, NOW), Fact("name", HOSTILE, "lldp", 80, START, NOW)]
    made[HOSTILE] = asset_of(SITE, hostile, START, NOW)
    return made


def between(known: dict[str, Asset], source: str, destination: str) -> dict[str, Any]:
    """The columns that say who and whom."""
    told: dict[str, Any] = {}
    for side, name in (("source", source), ("destination", destination)):
        asset = known[name]
        told |= {f"{side}.ip": asset.addresses[0], f"{side}.asset.id": asset.id, f"{side}.asset.name": asset.name, f"{side}.asset.level": asset.level}
    return told


class Rows:
    """Activities with identities of their own."""

    def __init__(self) -> None:
        self.known = assets()
        self.rows: list[dict[str, Any]] = []

    def add(self, source: str, destination: str, time: int, access: str, **more: Any) -> str:
        """One row; its identity."""
        effect, name = {
            "read": ("value.read", "read_holding_registers"),
            "write": ("value.write", "write_multiple_registers"),
            "identify": ("identity.read", "read_device_identification"),
            "program": ("program.download", "umas_download"),
            "command": ("cpu.stop", "umas_stop"),
            "configure": ("configuration.write", "write_parameter"),
            "session": ("session.open", "umas_reserve"),
        }[access]
        told = {
            "ot.effect": effect,
            "event.action": name,
            "event.end": time,
            "ot.unit": 1,
            "event.outcome": "success",
            **between(self.known, source, destination),
        }
        self.rows.append(activity(len(self.rows) + 1, time, access, **{**told, **more}))
        return str(self.rows[-1]["id"])


def polling(made: Rows) -> None:
    """Who always talks to whom, a row an hour."""
    hmis, plcs, drives = (next(count for name, _, _, count in KINDS if name == kind) for kind in ("HMI", "PLC", "DRIVE"))
    for hour in range(0, 48, 2):
        time = START + hour * HOUR + 5 * MINUTE
        for number in range(1, plcs + 1):
            made.add(f"HMI-{(number - 1) % hmis + 1}", f"PLC-{number}", time, "read", **{"ot.count": 3600, "event.end": time + MINUTE - 1, "ot.grouped": True})
        for number in range(1, drives + 1):
            made.add(f"PLC-{number * 4}", f"DRIVE-{number}", time, "read", **{"ot.count": 900})
        for number in range(1, 7):
            made.add(f"SCADA-{number}", f"HMI-{number * 8}", time, "read", **{"ot.count": 60})
        made.add("OFFICE-3", "HIST-1", time, "session")
        made.add("HMI-7", "PLC-7", time, "write", **{"ot.object.first": 7, "ot.object.last": 7, "ot.tag.name": ["pump 1 speed"]})


def reads(made: Rows) -> None:
    """The registers of PLC-7 over the last eight hours, with four blind minutes."""
    for number, tag, every, unit in REGISTERS:
        for minute in range(0, 480, every):
            time = NOW - 8 * HOUR + minute * MINUTE
            if 326 * MINUTE < NOW - time <= 330 * MINUTE or (minute // every) % 23 == 7:
                continue
            told = {"ot.object.first": number, "ot.object.last": number, "ot.tag.name": [tag], "ot.tag.unit": unit}
            made.add("HMI-7", "PLC-7", time, "read", **told, **{"ot.count": 60, "event.end": time + 50 * SECOND, "ot.grouped": True, "event.start": time})


def night(made: Rows) -> tuple[list[str], list[str]]:
    """What the engineering station did; identities of what the two alerts are about."""
    begin = NOW - 5 * HOUR
    for number in (1, 3, 5, 7, 9, 11, 12, 30, 44):
        nothing = {"ot.object.space": None, "ot.object.first": None, "ot.object.last": None}
        made.add("ENG-WS-2", f"PLC-{number}", begin - 5 * MINUTE + number * SECOND, "identify", **nothing)
    point = {"ot.object.first": 39, "ot.object.last": 39, "ot.tag.name": ["chlorine set point"], "ot.tag.unit": "mg/L", "ot.value": 4.6}
    mode = {"ot.object.first": 41, "ot.object.last": 41, "ot.tag.name": ["dosing mode"], "ot.value": 2.0}
    written = [made.add("ENG-WS-2", "PLC-7", begin + at * SECOND, "write", **each) for at, each in ((0, point), (24, point), (48, mode))]
    made.add("ENG-WS-2", "PLC-7", begin + 10 * MINUTE, "configure", **{"ot.object.first": 51, "ot.object.last": 51, "ot.tag.name": ["alarm limit high"]})
    whole = {"ot.object.space": None, "ot.object.first": None, "ot.object.last": None}
    loaded = [made.add("ENG-WS-2", "PLC-7", begin + 48 * MINUTE, "program", **whole)]
    made.add("ENG-WS-2", "PLC-7", begin + 49 * MINUTE, "command", **whole)
    return written, loaded


def points(made: Rows) -> pa.Table:
    """Values of PLC-7's registers; the set point jumps."""
    rows: list[dict[str, Any]] = []
    device = made.known["PLC-7"].addresses[0]
    for number, tag, every, unit in REGISTERS:
        for minute in range(0, 480, max(every, 2)):
            time = NOW - 8 * HOUR + minute * MINUTE
            value = 0.85 if time < NOW - 5 * HOUR else 4.6
            value = value if number == 39 else (number + 3) * (1 + 0.1 * ((minute * 37 + number) % 11 - 5) / 5)
            value = round(value, 2)
            told = {"id": f"p{number}-{minute}", "@timestamp": time, "event.start": time, "event.end": time + 59 * SECOND, "observer.name": "SPAN-2"}
            told |= {"destination.ip": device, "network.protocol": "modbus", "ot.unit": 1, "ot.object.space": "holding_register", "ot.object.first": number}
            told |= {
                "ot.point.min": round(value * 0.98, 2),
                "ot.point.max": round(value * 1.02, 2),
                "ot.point.first": value,
                "ot.point.last": value,
                "ot.point.changes": 2,
            }
            rows.append(told | {"ot.point.count": 60, "ot.fragment": 0, "ot.tag.name": [tag], "ot.tag.unit": unit})
    schema = arrow_schema(POINT)
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def fill(where: Path) -> dict[str, Asset]:
    """The whole plant; its assets by name."""
    made = Rows()
    polling(made)
    reads(made)
    written, loaded = night(made)
    plc, station = made.known["PLC-7"], made.known["ENG-WS-2"]
    found: list[Finding] = []
    for name, time, score, ids, title in (
        (
            "a" * 32,
            NOW - 5 * HOUR,
            91.0,
            written,
            Text("Chlorine set point on PLC-7 written by a station that never wrote it", "从未写过该点的工程师站改写了 PLC-7 的加氯设定值"),
        ),
        ("b" * 32, NOW - 252 * MINUTE, 72.0, loaded, Text("A program was downloaded to PLC-7", "向 PLC-7 下装了程序")),
    ):
        about = {"activities": tuple(ids), "assets": (plc.id, station.id), "packets": (PacketRef("night.pcap", 7200, time),)}
        told = {"source": station.addresses[0], "destination": plc.addresses[0], "end": time + MINUTE, "alert": f"a{name}"}
        found.append(finding(name, time, (Term("First time", "首次", score),), title, title, **about, **told))
    seen = coverage("SPAN-2", START, NOW - 330 * MINUTE) + coverage("SPAN-2", NOW - 326 * MINUTE, NOW + 1)
    batch = Batch(activities=table("activity", made.rows), points=points(made), coverage=table("coverage", seen))
    store = open_store(str(where), write=True)
    store.write(Commit(batch, tuple(found), tuple(alert(each) for each in found), tuple(made.known.values())))
    store.close()
    return made.known


@cache
def stored() -> Path:
    """A store with this plant, made once and only to be read."""
    home = Path(tempfile.mkdtemp(prefix="balefire-plant-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    fill(home / "store")
    return home / "store"
