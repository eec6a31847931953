"""Hosts of the Internet are told beside the assets of the plant, not among them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa

from records.assets import asset_of
from records.facts import Fact
from records.model import Batch
from records.schema import ACTIVITY, arrow_schema
from records.store import open_store
from records.store.contract import Commit
from reports.details import assets
from reports.periods import holding
from reports.summary import document
from reports.words import Words
from tests.reporting import DAY, MINUTE, SITES, START, coverage
from tests.test_store import alert, finding

if TYPE_CHECKING:
    from pathlib import Path

ZONE = ZoneInfo("Asia/Shanghai")
LAST = holding("daily", ZONE, START + 2 * DAY)
HOSTS = (
    ("10.1.0.10", None, "controller"),
    ("10.1.0.20", None, None),
    ("45.33.32.156", None, "hmi"),
    ("8.8.4.4", None, None),
    ("7.7.7.7", "cell", "controller"),
)


def test_a_host_of_the_internet_is_no_asset_of_the_plant(tmp_path: Path) -> None:
    """Not in the number of assets, not among the new ones, and not in what alerts concern; a plant that has a zone for such numbers calls them its own."""
    store = open_store(str(tmp_path / "store"), True)
    since, until = LAST.since, LAST.until
    known = [
        asset_of(SITES[0], [Fact("address", address, "traffic", 95, since, until), *([Fact("role", role, "behaviour", 70, since, until)] if role else []),
                            *([Fact("zone", zone, "policy:plant", 90, since, until)] if zone else [])], since, until, ("traffic",))
        for address, zone, role in HOSTS
    ]  # fmt: skip
    names = {row.addresses[0]: row.id for row in known}
    seen = coverage(SITES[0], since, since + 5 * MINUTE)
    told = finding(1, time=since + MINUTE, end=since + MINUTE, alert="al1")
    about = alert(1, first=since + MINUTE, last=since + MINUTE, assets=(names["10.1.0.10"], names["45.33.32.156"]))
    store.write(Commit(assets=tuple(known), batch=Batch(coverage=seen), findings=(told,), alerts=(about,)))
    report = document(store, LAST)
    store.close()
    found = report["assets"]
    assert (found["assets"], found["new"], found["outside"]) == (3, 3, 2)
    assert {each["addresses"][0] for each in found["listed_new"]} == {"10.1.0.10", "10.1.0.20", "7.7.7.7"}
    assert {each["role"]: each["assets"] for each in found["roles"]} == {"controller": 2, None: 1}
    assert next((each["count"], each["of"]) for each in report["index"]["terms"] if each["term"] == "spread") == (1, 3)
    assert {each["role"]: (each["concerned"], each["assets"]) for each in report["alerts"]["roles"]} == {"controller": (1, 2), "outside": (1, 2)}
    words = Words("en", ZONE)
    rows = {row[0].text: row[1].text for row in assets(report, words).tables[0].rows}
    assert rows[words.say("table.exposure.outside")] == "2 of 5"


def test_remote_access_is_told_by_asset_and_by_where_it_came_from(tmp_path: Path) -> None:
    """A remote desktop that was understood has two ends: which asset, from which address, and whether that is the Internet's."""
    store = open_store(str(tmp_path / "store"), True)
    since, until = LAST.since, LAST.until
    facts = [Fact("address", "10.1.0.10", "traffic", 95, since, until), Fact("name", "HMI-1", "list", 91, since, until)]
    acts = [
        {"id": f"{place}", "@timestamp": since + MINUTE, "event.action": "connect", "source.ip": origin, "destination.ip": "10.1.0.10",
         "destination.port": port, "network.protocol": "cotp", "observer.name": "s", "observer.site": SITES[0], "ot.effect": "session.open", "ot.count": count}
        for place, (origin, port, count) in enumerate([("10.1.0.20", 3389, 7), ("8.8.4.4", 3389, 2), ("10.1.0.20", 102, 90)])
    ]  # fmt: skip
    rows = pa.Table.from_pylist([{name: row.get(name) for name in ACTIVITY.names} for row in acts], schema=arrow_schema(ACTIVITY))
    asset = asset_of(SITES[0], facts, since, until, ("traffic",))
    store.write(Commit(assets=(asset,), batch=Batch(activities=rows, coverage=coverage(SITES[0], since, since + 5 * MINUTE))))
    report = document(store, LAST)
    store.close()
    found = report["assets"]["remote"]
    assert (found["pairs"], found["outside"], found["operations"]) == (2, 1, 9)
    table = next(table for table in assets(report, Words("en", ZONE)).tables if table.title == "Remote access: to what, and from where")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["HMI-1", "10.1.0.10", "8.8.4.4", "yes, the Internet", "RDP · 3389", "2 of 9"],
        ["HMI-1", "10.1.0.10", "10.1.0.20", "no", "RDP · 3389", "7 of 9"],
    ]
    assert "from outside: 1 of 2" in table.note
