"""A store of a water works as the dashboard's tests want it: a day of coverage, alerts of every level, one of them with everything behind it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from records.model import Alert, Asset, Batch, Finding, PacketRef, Term, Text
from records.schema import ACTIVITY, COVERAGE, POINT, arrow_schema
from records.store import open_store
from records.store.contract import Commit

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
NOW = 1_795_288_320_000_000_000  # 2026-11-21 19:12 UTC
HOSTILE = "<img src=x onerror=alert(1)><script>document.title='owned'</script>"
STORY = "f" * 32
SITE = "Linghe No. 2 Water Works"


EFFECT = {
    "read": "value.read", "report": "value.report", "write": "value.write", "command": "cpu.stop", "program": "program.download",
    "configure": "configuration.write", "session": "session.open", "identify": "identity.read",
}  # fmt: skip


def coverage(name: str, since: int, until: int, **more: Any) -> list[dict[str, Any]]:
    """A row a minute."""
    base = {
        "observer.name": name,
        "observer.site": SITE,
        "file": "",
        "packets": 900,
        "bytes": 90_000,
        "grade": 99.9,
        "decoded_bytes": 50_000,
        "undecoded_bytes": 20,
    }
    zero = dict.fromkeys(("lost", "gaps", "late", "truncated", "one_sided", "jumps", "shed"), 0)
    rows = [
        {**base, **zero, **more, "id": f"{name}-{time}", "@timestamp": time, "event.start": time, "event.end": time + MINUTE}
        for time in range(since, until, MINUTE)
    ]
    return [{**row, "undecoded": '[{"name":"tcp/102","bytes":20,"guess":"cyclic"}]'} for row in rows]


def activity(number: int, time: int, access: str, **more: Any) -> dict[str, Any]:
    """One activity from the engineering station to PLC-7."""
    base: dict[str, Any] = dict.fromkeys(ACTIVITY.names)
    told = {
        "id": f"{number:032x}",
        "@timestamp": time,
        "event.start": time,
        "event.end": time,
        "event.action": "write_multiple_registers",
        "event.outcome": "success",
        "source.ip": "10.20.3.42",
        "source.asset.name": "ENG-WS-2",
        "destination.ip": "10.20.7.17",
        "destination.asset.name": "PLC-7",
        "network.protocol": "modbus",
        "network.transport": "tcp",
        "observer.name": "SPAN-2",
        "observer.site": SITE,
        "ot.access": access,
        "ot.effect": EFFECT[access],
        "ot.count": 1,
        "ot.unit": 1,
        "ot.object.space": "holding_register",
        "ot.object.first": 39,
        "ot.object.last": 42,
        "ot.grouped": False,
    }
    return {**base, **told, **more}


def finding(name: str, time: int, terms: tuple[Term, ...], title: Text, reason: Text, **more: Any) -> Finding:
    """One finding about PLC-7."""
    told: dict[str, Any] = {
        "end": time,
        "detector": "novelty",
        "rule": "",
        "source": "10.20.3.42",
        "destination": "10.20.7.17",
        "effects": ("setpoint.write",),
        "techniques": ("T0836",),
        "activities": (),
        "assets": ("asset-plc-7",),
        "packets": (),
        "observer": "SPAN-2",
        "site": SITE,
    }
    return Finding(id=name, key=f"key-{name}", time=time, terms=terms, title=title, reason=reason, **{**told, **more})


def alert(found: Finding, status: str = "open") -> Alert:
    """The alert of one finding."""
    return Alert(
        f"a{found.id}", found.key, status, found.severity, found.title, found.reason, found.time, found.end, (found.id,), found.assets, found.techniques, 1
    )


def story() -> tuple[Finding, list[dict[str, Any]]]:
    """The alert with everything behind it."""
    start = NOW - 5 * HOUR
    acts = [
        activity(
            1,
            start - 263_000_000_000,
            "identify",
            **{"event.action": "read_device_identification", "ot.object.space": None, "ot.object.first": None, "ot.object.last": None},
        ),
        activity(2, start, "write", **{"ot.object.last": 39, "ot.value": 4.6, "ot.tag.name": ["chlorine set point"], "ot.tag.unit": "mg/L"}),
        activity(3, start + 24 * 1_000_000_000, "write", **{"event.outcome": "failure", "ot.error": "illegal_data_value"}),
        activity(
            4,
            start + 48 * MINUTE,
            "program",
            **{"event.action": "umas_download", "ot.object.space": None, "ot.object.first": None, "ot.object.last": None, "event.outcome": "unknown"},
        ),
    ]
    terms = (
        Term("First write to this register from this station", "该工程师站首次写入此寄存器", 38.0),
        Term("Value 4.60 lies outside 0.75–0.95 seen in 90 days", "数值 4.60 超出 90 天内的 0.75–0.95", 24.0),
        Term("Outside the maintenance window (Tue 09:00–17:00)", "不在检修窗口内（周二 09:00–17:00）", 12.0),
        Term("19 controllers identified 4 min earlier by the same station", "同一站点 4 分钟前探查了 19 台控制器", 11.0),
        Term("PLC-7 doses chlorine: criticality high", "PLC-7 控制加氯：重要度高", 9.0),
        Term("Engineering sessions from ENG-WS-2 are usual", "ENG-WS-2 发起工程会话属常见行为", -3.0),
    )
    title = Text("Chlorine set point on PLC-7 written by a station that never wrote it", "从未写过该点的工程师站改写了 PLC-7 的加氯设定值")
    reason = Text(
        "ENG-WS-2 (10.20.3.42) set register 40040 of PLC-7, the chlorine set point, from 0.85 to 4.60 mg/L and switched dosing to manual. "
        "In 90 days only HMI-3 has written this register, and never above 0.95 mg/L.",
        "ENG-WS-2（10.20.3.42）把 PLC-7 的寄存器 40040（加氯设定值）由 0.85 改为 4.60 mg/L，并把加药切换为手动。"
        "90 天内只有 HMI-3 写过此寄存器，且从未高于 0.95 mg/L。",
    )
    packets = tuple(PacketRef("night.pcap", 7200 + n, start + n * 24_000_113_000) for n in range(5))
    return finding(STORY, start, terms, title, reason, activities=tuple(row["id"] for row in acts), packets=packets, end=start + 48 * MINUTE), acts


def table(kind: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as the schema's Arrow table."""
    schema = arrow_schema({"activity": ACTIVITY, "coverage": COVERAGE, "point": POINT}[kind])
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)


def set_points() -> pa.Table:
    """The chlorine set point, a window an hour: as the operators left it, and as it was from the story on."""
    rows: list[dict[str, Any]] = []
    for at in range(24, -1, -1):
        time = NOW - at * HOUR
        value = round(0.75 + at % 5 * 0.05, 2) if time < NOW - 5 * HOUR else 4.6
        rows.append({
            "id": f"p{at}", "@timestamp": time, "event.start": time, "event.end": time + MINUTE - 1, "observer.name": "SPAN-2", "destination.ip": "10.20.7.17",
            "network.protocol": "modbus", "ot.unit": 1, "ot.object.space": "holding_register", "ot.object.first": 39, "ot.tag.name": ["chlorine set point"],
            "ot.tag.unit": "mg/L", "ot.point.count": 60, "ot.point.changes": 1, "ot.fragment": 0,
        } | {f"ot.point.{name}": value for name in ("min", "max", "first", "last")})  # fmt: skip
    return table("point", rows)


def many() -> list[Finding]:
    """Forty lesser findings over the day, one of them hostile."""
    plain = [
        finding(
            f"{n:032d}",
            NOW - (n * 37 % 1420) * MINUTE,
            (Term("First time seen", "首次出现", (22.0, 31.0, 49.0, 66.0, 28.0)[n % 5]),),
            Text(f"HMI-2 repeats read {n}", f"HMI-2 重复读取 {n}"),
            Text("The same read came more often than in 90 days.", "同一读取比 90 天内更频繁。"),
            assets=(("asset-hmi-2", "asset-plc-3", "RTU-DIS-1")[n % 3],),
            techniques=(("T0801",), ())[n % 2],
        )
        for n in range(40)
    ]
    return [
        *plain,
        finding(
            "e" * 32,
            NOW - HOUR,
            (Term(HOSTILE, HOSTILE, 72.0),),
            Text(HOSTILE, HOSTILE),
            Text(HOSTILE, HOSTILE),
            assets=(HOSTILE,),
            source=None,
            destination=None,
        ),
    ]


def assets() -> tuple[Asset, ...]:
    """Three assets with names."""
    kinds = (("asset-plc-7", "PLC-7", "chlorine dosing"), ("asset-hmi-2", "HMI-2", "filter hall screen"), ("asset-plc-3", "PLC-3", "filter 3"))
    each = enumerate(kinds, 1)
    return tuple(Asset(identity, name, (f"10.9.9.{n}",), NOW - 24 * HOUR, NOW, role=role, site=SITE) for n, (identity, name, role) in each)


def fill(where: Path | str) -> None:
    """The whole day, with alerts."""
    told, acts = story()
    reads = [
        activity(1000 + n, NOW - n * 10 * MINUTE, access, **{"ot.count": count})
        for n, (access, count) in enumerate([("read", 1900), ("report", 420), ("session", 3), ("command", 4), ("configure", 1)] * 26)
    ]
    seen = (
        coverage("SPAN-1", NOW - 24 * HOUR, NOW + 1)
        + coverage("SPAN-2", NOW - 24 * HOUR, NOW - 330 * MINUTE)
        + coverage("SPAN-2", NOW - 326 * MINUTE, NOW + 1, lost=40, gaps=1)
    )
    seen[5] |= {"late": 12, "one_sided": 3, "truncated": 1}
    lesser = many()
    alerts = (alert(told), *(alert(found, ("open", "acknowledged", "closed")[n % 3]) for n, found in enumerate(lesser)))
    _write(
        where,
        Commit(
            Batch(activities=table("activity", acts + reads), points=set_points(), coverage=table("coverage", seen)),
            tuple(replace(each, alert=f"a{each.id}") for each in (told, *lesser)),
            alerts,
            assets(),
        ),
    )


def fill_little(where: Path) -> None:
    """Two minutes of traffic without a finding."""
    rows = [activity(n, NOW - n * 1_000_000_000, "read", **{"ot.count": 30}) for n in range(3)]
    _write(
        where,
        Commit(
            Batch(activities=table("activity", rows), coverage=table("coverage", coverage("capture-0123456789ab", NOW - MINUTE, NOW + 1, file="first.pcap")))
        ),
    )


def _write(where: Path | str, commit: Commit) -> None:
    store = open_store(str(where), write=True)
    store.write(commit)
    store.close()
