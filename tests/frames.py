"""Tables of activities from what differs, and rules from what matters, for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.cases import activity_table, case_activity
from detectors.rulebook.load import load, own_rules
from detectors.rulebook.placeholders import Placeholders
from detectors.rulebook.problems import Fault
from records.effects import EFFECTS
from records.model import Batch
from records.schema import COVERAGE, arrow_table
from tests.hunted import ATTACKS, LEARNED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from detectors.rulebook.predicates import Predicate
    from detectors.rulebook.reading import Reading
    from detectors.rulebook.rule import Rule
    from records.schema import Table


def understood(share: float, payload: int = 50_000) -> dict[str, Any]:
    """A window of coverage in which this share (percent) of the payload was decoded."""
    decoded = round(payload * share / 100)
    return {"grade": share, "decoded_bytes": decoded, "undecoded_bytes": payload - decoded}


BEGUN: Final = 1_772_449_200_000_000_000  # 2026-03-02 11:00 UTC
FALLEN: Final[list[dict[str, Any]]] = [
    *[{"clock_ahead": 0.002}] * 3, *[{**understood(71.5), "clock_ahead": 10800.0}] * 3, *[{"requests_only": 14}] * 3, {"dropped": 40},
    *[{"interface": "e2"}] * 5, {},
]  # fmt: skip


def opened(source: str, hosts: int = 1, ports: int = 1, count: int = 1, called: bool = False) -> dict[str, Any]:
    """A window of coverage in which somebody began connections that came to nothing, and a device had one of its own."""
    tried = [[f"10.10.1.{20 + host}", "tcp", 1000 + port, count, 7, BEGUN] for host in range(hosts) for port in range(ports)]
    call = {"source": "10.10.1.21", "destination": "10.10.1.22", "answers": True, "port": 4444, "count": 1, "packet": 9, "time": BEGUN}
    return {"attempts": json.dumps([{"source": source, "tried": tried}]), "calls": json.dumps([call] if called else [])}


OPENED: Final = [opened("10.10.1.66", ports=40, called=True), opened("10.10.1.67", hosts=40), opened("10.10.1.68", count=3600)]
DEVICE, SPARE, VIRTUAL = "02:ba:1e:01:00:21", "02:ba:1e:01:00:66", "00:00:5e:00:01:07"


def claimed(address: str, mac: str, action: str = "arp_reply", **more: Any) -> dict[str, Any]:
    """Somebody says in ARP that an address is at this MAC address."""
    return {
        "network.protocol": "arp", "event.action": action, "ot.effect": "data.exchange", "event.outcome": "success", "source.ip": None, "source.mac": mac,
        "destination.ip": None, "ot.object.space": "ipv4_address", "ot.object.name": address, **more,
    }  # fmt: skip


class Alone:
    """A library without other rules."""

    placeholders = Placeholders()

    def rule(self, name: str) -> Rule:
        raise Fault("reference", name=name, nearest="")

    def narrowed(self, match: Predicate, names: tuple[str, ...], table: Table) -> Predicate:
        del names, table
        return match

    def tries(self, reading: Reading, rules: Iterable[Rule]) -> bool:
        del reading, rules
        return True


def activities(*rows: Mapping[str, Any]) -> pa.Table:
    """Valid activities that differ from ordinary polling as stated (flat or nested names); ids follow the order of the rows."""
    return activity_table([{**case_activity(row), "id": row.get("id", f"activity-{number:04d}")} for number, row in enumerate(rows)])


def sparse(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Activities that hold what is stated (flat names) and nothing else."""
    return activity_table(list(rows))


def coverage(*rows: Mapping[str, Any], minutes: int = 0) -> pa.Table:
    """Coverage rows of an ordinary line, a minute each, that differ as stated; `minutes` ordinary ones come first."""
    ordinary: dict[str, Any] = {
        "observer.name": "S7", "observer.site": None, "interface": "e1", "file": "plant.pcapng", "packets": 900, "bytes": 90_000, "grade": 99.0,
        "decoded_bytes": 49_500, "undecoded_bytes": 500, **dict.fromkeys(("lost", "requests_only", "answers_only", "dropped"), 0), "talks": 16,
    }  # fmt: skip
    made: list[dict[str, Any]] = []
    for number, row in enumerate([*({} for _ in range(minutes)), *rows]):
        start = BEGUN + number * 60_000_000_000
        made.append({**ordinary, "id": f"coverage-{number:04d}", "@timestamp": start, "event.start": start, "event.end": start + 60_000_000_000, **row})
    return arrow_table(COVERAGE, {name: [row.get(name) for row in made] for name in COVERAGE.names}, len(made))


def polling(minutes: int = 30) -> Batch:
    """A quiet plant: a master and a display that read, a device that reports, keep-alives, and the operator's own set points; a line that is seen well."""
    rows: list[dict[str, Any]] = []
    for minute in range(minutes):
        at = {"@timestamp": f"2026-03-02T{10 + minute // 60:02d}:{minute % 60:02d}:00Z"}
        for device in range(1, 6):
            rows.append({**at, "destination.ip": f"10.10.1.{20 + device}"})
            rows.append({**at, "destination.ip": f"10.10.1.{20 + device}", "source.ip": "10.10.1.11", "ot.object.space": "coil", "ot.code": "1"})
        rows.append({**at, "ot.effect": "value.report", "network.protocol": "dnp3", "event.outcome": "unknown"})
        rows.append({**at, "ot.effect": "test"})
        rows.append({**at, "ot.effect": "value.write", "ot.object.space": "holding_register", "ot.object.first": 17, "ot.value": 12.5})
        rows.append({**at, "ot.effect": "output.operate", "ot.object.space": "coil", "ot.object.first": 3, "ot.value": 1.0})
        rows.append({**at, "ot.anomaly": ["late_response"]})
        rows.append({**at, "event.outcome": "unknown", "ot.unit": 0})
        rows.append({**claimed("10.10.1.21", DEVICE), **at})
        rows.append({**claimed("10.10.1.1", VIRTUAL, "arp_announcement"), **at})
    return Batch(activities=activities(*rows), coverage=coverage(minutes=minutes))


def hostile() -> Batch:
    """Every effect once, carried out, refused and unanswered, among polling, and what each rule is for: every rule has something to say. The line, too:
    coverage falls in every way that it can."""
    rows: list[dict[str, Any]] = []
    for number, effect in enumerate(EFFECTS):
        for outcome, error in (("success", None), ("failure", "illegal_function"), ("unknown", None)):
            rows.append({"ot.effect": effect.name, "event.outcome": outcome, "ot.error": error, "ot.unit": number % 3, "source.ip": "10.10.1.99"})
        rows.append({"destination.ip": f"10.10.1.{20 + number % 5}"})
    for rule in load([own_rules()]).rules:
        first = next(case.activity for case in rule.cases if case.fires)
        rows.append({name: value for name, value in first.items() if name != "id"})
    for address in ("10.10.1.21", "10.10.1.11", "10.10.1.21"):
        rows += [claimed(address, mac, ot={"packet": {"first": 7}}) for mac in (f"02:ba:1e:01:00:{address[-2:]}", SPARE)]
    rows += [row for _, attack in (*ATTACKS.values(), *LEARNED.values()) for row in attack()]
    return Batch(activities=activities(*rows), coverage=coverage(*FALLEN, *OPENED, minutes=12))
