"""A month of a plant as a dashboard is asked about it: activities between known assets, points, what two sensors saw each minute, findings and their alerts,
and the packets that are kept for them.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from detectors.rulebook import versions
from records.assets import asset_of
from records.facts import Fact
from records.model import Batch, Evidence, PacketRef, Term, Text
from records.schema import POINT, arrow_table
from records.store.contract import Commit
from tests import wire
from tests.bench.history import DEVICES, HOSTS, START, Truth, batches
from tests.browser.waterworks import MINUTE, SITE, alert, coverage, finding, table

if TYPE_CHECKING:
    from records.model import Asset, Finding
    from records.store.contract import Store

SENSORS: Final = ("bench", "SPAN-2")  # the first as the activities have it
BLIND: Final = 97  # of so many minutes the second sensor misses the first
POINTS: Final = 3  # of a device, a row an hour
ACCUSED: Final = 160  # findings of a commit
RULES: Final = ("station-acts", "absent-object-read", "identity-read")  # that found something
NAMED: Final = (4, 5)  # packets of a finding: what was asked and answered, after the handshake
SCORES: Final = (22.0, 31.0, 49.0, 66.0, 28.0, 91.0)


def assets() -> dict[str, Asset]:
    """By address: stations above controllers, in four zones."""
    made: dict[str, Asset] = {}
    for kind, level, role, addresses in (("HMI", 2, "hmi", HOSTS), ("PLC", 1, "controller", DEVICES)):
        for number, address in enumerate(addresses, 1):
            told = (("address", address), ("name", f"{kind}-{number}"), ("role", role), ("level", str(level)), ("zone", f"Zone {number % 4 + 1}"))
            made[address] = asset_of(SITE, [Fact(name, value, "list", 91, START, START) for name, value in told], START, START, ("traffic",))
    return made


def fill(store: Store, seed: int, rows: int) -> None:
    """Store it, a commit at a time; two commits may not be one minute's. It was judged by Balefire's own rules, of which some found something."""
    known, since = assets(), START
    store.write(Commit(state={versions.STATE: versions.encoded([replace(versions.read(()), since=START)])}))
    for number, activities in enumerate(batches(seed, rows, Truth())):
        times = activities.column("@timestamp").cast(pa.int64())
        until = times[-1].as_py() // MINUTE * MINUTE
        found = findings(number, activities, known)
        kept = tuple(evidence(each) for each in found)
        batch = Batch(activities=named(activities, known), points=points(seed + number, since, until), coverage=table("coverage", seen(since, until)))
        store.write(Commit(batch, found, tuple(alert(each) for each in found), () if number else tuple(known.values()), evidence=kept))
        since = until


def named(activities: pa.Table, known: dict[str, Asset]) -> pa.Table:
    """The activities with what was known of both sides."""
    for side in ("source", "destination"):
        column: Any = activities.column(f"{side}.ip")
        address: Any = column.combine_chunks().dictionary_encode()
        told = [known[each] for each in address.dictionary.to_pylist()]
        for name, values in (("id", [each.id for each in told]), ("name", [each.name for each in told]), ("level", [each.level for each in told])):
            place = activities.schema.get_field_index(f"{side}.asset.{name}")
            array: Any = pa.array(values)
            schema: Any = activities.schema
            kind: Any = schema.field(place)
            activities = activities.set_column(place, kind, array.take(address.indices).cast(kind.type))
    return activities


def seen(since: int, until: int) -> list[dict[str, Any]]:
    """What the sensors counted each minute."""
    first, second = (coverage(name, since, until, lost=40 * at, gaps=at) for at, name in enumerate(SENSORS))
    return first + [row for row in second if row["@timestamp"] // MINUTE % BLIND]


def points(seed: int, since: int, until: int) -> pa.Table:
    """Values of every device."""
    rng, step = np.random.default_rng(seed), 60 * MINUTE
    times = np.arange(-(-since // step) * step, until, step)
    time, device, number = (each.ravel() for each in np.meshgrid(times, np.arange(len(DEVICES)), np.arange(POINTS), indexing="ij"))
    value = number * 10 + rng.random(len(time))
    told: dict[str, Any] = {f"ot.point.{name}": value for name in ("min", "max", "first", "last")}
    identities = [f"{when:x}-{where}-{which}" for when, where, which in zip(time.tolist(), device.tolist(), number.tolist(), strict=True)]
    told |= {"id": identities, "@timestamp": time, "event.start": time, "event.end": time + MINUTE - 1, "ot.unit": device % 8, "ot.object.first": number * 10}
    address: Any = pa.array(DEVICES)
    told |= {"destination.ip": address.take(pa.array(device)), "ot.point.changes": number, "ot.point.count": number + 60, "ot.fragment": number * 0}
    same = {"observer.name": SENSORS[0], "network.protocol": "modbus", "ot.object.space": "holding_register"}
    return arrow_table(POINT, told | {name: [value] * len(time) for name, value in same.items()}, len(time))


def findings(number: int, activities: pa.Table, known: dict[str, Asset]) -> tuple[Finding, ...]:
    """Some of the commit's rows accused, of several scores."""
    step = activities.num_rows // ACCUSED
    made: list[Finding] = []
    for at, row in enumerate(activities.take(list(range(0, step * ACCUSED, step))).to_pylist() if step else []):
        identity, score = f"{number:016x}{at:016x}", SCORES[(number + at) % len(SCORES)]
        time = int(activities.column("@timestamp").cast(pa.int64())[at * step].as_py())
        source, destination = known[row["source.ip"]], known[row["destination.ip"]]
        words = Text(f"{source.name} asked {destination.name} what it never asked", f"{source.name} 向 {destination.name} 发出从未有过的请求")
        about = {
            "activities": (row["id"],),
            "assets": (source.id, destination.id),
            "source": row["source.ip"],
            "destination": row["destination.ip"],
            "rule": RULES[at % len(RULES)],
            "packets": tuple(PacketRef(f"{identity}.pcap", which, time + which * wire.MS) for which in NAMED),
        }
        one = finding(identity, time, (Term("First time", "首次", score),), words, words, **about)
        made.append(replace(one, alert=f"a{identity}"))
    return tuple(made)


def evidence(found: Finding) -> Evidence:
    """What is kept for a finding: the conversation that it is about, from its handshake on."""
    talk = wire.Talk(str(found.source), str(found.destination), time=found.time).open()
    talk.ask(wire.mbap(1, wire.read(16, 10)), wire.mbap(1, wire.registers(*range(100, 110))))
    octets, numbers = wire.pcapng(talk.packets), tuple(range(1, len(talk.packets) + 1))
    size = sum(len(packet.data) for packet in talk.packets)
    return Evidence(found.id, f"{found.id}.pcap", talk.packets[0].time, talk.packets[-1].time, numbers, 0, size, sha256(octets).hexdigest(), octets)
