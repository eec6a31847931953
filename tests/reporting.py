"""A made-up plant of two sites for reports: weeks of coverage with gaps, assets, findings in alerts, some decided about, a suppression; from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from detectors.alerts import fold
from records.assets import asset_of
from records.facts import Fact
from records.model import Asset, Batch, Finding, PacketRef, Term, Text
from records.query import Query
from records.schema import ACTIVITY, COVERAGE, arrow_schema
from records.store.contract import Change, Commit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.store.contract import Store

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 1440 * MINUTE
START = 1_793_548_800 * SECOND  # 2026-11-02T00:00:00+08:00, a Monday of the plant
SITES = ("北港水厂 North Harbour", "Linghe Pumping Station")
KINDS = (("PLC", "controller", 1), ("HMI", "hmi", 2), ("ENG", "engineering", 3), ("HIST", "historian", 3))
ZONES = {"controller": "control", "hmi": "supervision", "engineering": "office", "historian": "office"}
DEEDS = (  # by the last digit of the minute: action, effect, access, object
    *7 * (("read_holding_registers", "value.read", "read", None),),
    ("write_single_register", "value.write", "write", None),
    ("upload_block", "program.upload", "program", "OB1"),
    ("read_file", "file.read", "file", "pump.rcp"),
)
TITLES = (
    ("{0} told {1} to stop its program", "{0} 令 {1} 停止运行程序", ("T0858",), ("cpu.stop",), 74),
    ("{0}, which never wrote before, wrote to {1}", "{0} 首次向 {1} 写入数值", ("T0836",), ("value.write",), 66),
    ("{0} downloaded a program to {1}", "{0} 向 {1} 下装程序", ("T0843", "T0889"), ("program.download",), 82),
    ("{0} asked {1} for functions that it does not know", "{0} 试探 {1} 不支持的功能", ("T0888",), (), 47),
    ("{0} reads {1} more often than before", "{0} 读取 {1} 比以往频繁", ("T0801",), ("value.read",), 31),
    ("{0} exchanged malformed messages with {1}", "{0} 与 {1} 之间报文畸形", (), (), 44),
)


@dataclass(frozen=True)
class Plant:
    """What there is: assets by site, and how much happens."""

    controllers: int = 8
    findings: int = 12  # a day
    activities: int = 40  # a day
    seed: int = 7

    def assets(self, since: int, until: int) -> list[Asset]:
        """Controllers, panels, stations; one in ten first seen on the last day."""
        made: list[Asset] = []
        for place, site in enumerate(SITES):
            for kind, (name, role, level) in enumerate(KINDS):
                for number in range(self.controllers if not kind else max(1, self.controllers // 8)):
                    address = f"10.{place + 1}.{kind}.{number + 10}"
                    first = until - DAY // 2 if number % 10 == 9 else since
                    told = [Fact("address", address, "traffic", 95, first, until), Fact("name", f"{name}-{place + 1}{number:02}", "list", 91, first, until)]
                    told += [Fact("role", role, "behaviour", 70, first, until)] if number % 5 != 4 else []
                    told += [Fact("zone", ZONES[role], "policy:plant", 90, first, until)] if number % 7 != 6 else []
                    told += [Fact("level", str(level), "list", 91, first, until)]
                    told += [Fact("criticality", "critical", "settings", 90, first, until)] if kind == 0 and number % 20 == 3 else []
                    told += [Fact("vendor", "Norrstrom Elektronik", "modbus:identity", 85, first, until)] if kind == 0 else []
                    made.append(asset_of(site, told, first, until, ("traffic",)))
        return made


def coverage(site: str, since: int, until: int, blind: tuple[tuple[int, int], ...] = ()) -> pa.Table:
    """A row a minute, none where blind."""
    base: dict[str, Any] = {
        "observer.name": f"sensor-{SITES.index(site) + 1}", "observer.site": site, "interface": "eth1", "packets": 12_000, "bytes": 1_400_000, "grade": 98.9,
        "decoded_bytes": 600_000, "undecoded_bytes": 6_000, "encrypted_bytes": 1_000, "lost": 500, "gaps": 1, "dropped": 3,
        "undecoded": '[{"name":"tcp/3389","bytes":5000,"guess":"binary"}]',
        "encrypted": '[{"name":"ssh","port":"tcp/22","bytes":1000,"conversations":1}]',
    }  # fmt: skip
    times = [time for time in range(since, until, MINUTE) if not any(start <= time < end for start, end in blind)]
    columns: dict[str, list[Any]] = {name: [base.get(name)] * len(times) for name in COVERAGE.names}
    columns |= {"id": [f"{site}-{time}" for time in times], "@timestamp": times, "event.start": times, "event.end": [time + MINUTE for time in times]}
    return pa.table(columns, schema=arrow_schema(COVERAGE))


def activities(random: Random, assets: list[Asset], since: int, until: int, count: int) -> pa.Table:
    """Reads and writes among assets; a few with the Internet."""
    rows: list[dict[str, Any]] = []
    for _ in range(count):
        asking, asked = random.sample(assets, 2)
        time = random.randrange(since, until)
        away = random.random() < 0.02
        action, effect, access, name = DEEDS[time // MINUTE % len(DEEDS)]
        rows.append({
            "id": f"{random.getrandbits(80):020x}", "@timestamp": time, "event.start": time, "event.end": time, "event.action": action,
            "source.ip": "8.8.4.4" if away and random.random() < 0.5 else asking.addresses[0], "destination.ip": "1.1.1.1" if away else asked.addresses[0],
            "network.protocol": "modbus", "observer.name": "sensor-1", "observer.site": asking.site, "ot.effect": effect, "ot.access": access,
            "ot.object.name": name, "ot.count": random.randrange(1, 60), "ot.grouped": True,
        })  # fmt: skip
        if rows[-1]["source.ip"] == "8.8.4.4":
            rows[-1]["destination.ip"] = asked.addresses[0]
    return pa.Table.from_pylist([{name: row.get(name) for name in ACTIVITY.names} for row in rows], schema=arrow_schema(ACTIVITY))


def findings(random: Random, assets: list[Asset], since: int, until: int, count: int, hidden: str = "") -> list[Finding]:
    """Findings about pairs of assets; those of the last kind are hidden where a suppression is named."""
    made: list[Finding] = []
    for _ in range(count):
        site = random.choice(SITES)
        asking, asked = random.sample([asset for asset in assets if asset.site == site], 2)
        kind = random.choices(range(len(TITLES)), (1, 3, 1, 8, 20, 6))[0]
        en, zh, techniques, effects, score = TITLES[kind]
        time = random.randrange(since, until)
        names = asking.name, asked.name
        made.append(
            Finding(
                id=f"{random.getrandbits(80):020x}", key=f"{kind}/{asking.id}/{asked.id}", detector="rules", rule=f"rule-{kind}", time=time, end=time + SECOND,
                terms=(Term("as it is", "如此", score + random.randrange(-5, 6)),), title=Text(en.format(*names), zh.format(*names)),
                reason=Text("It never did so before.", "此前从未如此。"), source=asking.addresses[0], destination=asked.addresses[0], effects=effects,
                techniques=techniques, activities=(), assets=(asking.id, asked.id), packets=(PacketRef("x.pcap", 1, time),), observer="sensor-1",
                site=asking.site, suppressions=(hidden,) if hidden and kind == 5 else (),
            )
        )  # fmt: skip
    return sorted(made, key=lambda each: (each.time, each.id))


def spans(since: int, until: int) -> Iterator[tuple[int, int]]:
    """Day by day."""
    for start in range(since, until, DAY):
        yield start, min(until, start + DAY)


def fill(store: Store, since: int = START, days: int = 14, plant: Plant | None = None, hidden: str = "") -> None:
    """Write it, a commit a day; then decide about some alerts."""
    plant = plant or Plant()
    random, until = Random(plant.seed), since + days * DAY
    assets = plant.assets(since, until)
    store.write(Commit(assets=tuple(assets)))
    for place, (start, end) in enumerate(spans(since, until)):
        blind = ((start + 180 * MINUTE, start + (200 + 40 * (place % 3)) * MINUTE),) if place % 2 else ()
        covered = pa.concat_tables([coverage(SITES[0], start, end, blind), coverage(SITES[1], start, end, (*blind, (end - 90 * MINUTE, end)))])
        batch = Batch(activities=activities(random, assets, start, end, plant.activities), coverage=covered)
        found = findings(random, assets, start, end, plant.findings, hidden)
        done = fold(found, store.alerts_of({each.key for each in found}))
        store.write(Commit(batch=batch, findings=done.findings, alerts=done.alerts))


def decide(store: Store, by: str = "Li Wei", at_once: int = 1, since: int | None = None) -> None:
    """Close every third alert, of those seen since then, each verdict in turn, and acknowledge the one after it; so many decisions at a time."""
    changes: list[Change] = []
    for place, row in enumerate(store.read("alert", Query(since, sort="id")).to_pylist()):
        if place % 3 == 0:
            verdict = ("true", "expected", "false")[place // 3 % 3]
            changes.append(Change("alert", row["id"], row["revision"], "close", by, {"status": "closed", "verdict": verdict, "closed": START}, "settled"))
        elif place % 3 == 1:
            changes.append(Change("alert", row["id"], row["revision"], "acknowledge", by, {"status": "acknowledged"}))
    for start in range(0, len(changes), at_once):
        store.change(changes[start : start + at_once])
