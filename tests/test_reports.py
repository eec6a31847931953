"""The numbers of a report against a slow and simple count over every row, on both stores."""

from __future__ import annotations

import json
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from detectors import lifecycle
from detectors.rulebook.versions import Version
from detectors.suppressions import standing
from records.assets import asset_of
from records.facts import Fact
from records.formats import number, size
from records.model import Batch, Suppression, severity_word
from records.nesting import iso, period
from records.query import Query
from records.schema import ACTIVITY, COVERAGE, TABLES, arrow_schema
from records.store import open_store
from records.store.columns import flat
from records.store.contract import Change, Commit
from records.store.rows import suppression_row
from records.wording import LANGUAGES
from reports import zones
from reports.answering import changed
from reports.asking import Source
from reports.canonical import written
from reports.cataloguing import catalogue
from reports.classing import in_force
from reports.details import alerts, answers, assets
from reports.details import coverage as coverage_of
from reports.details import data as data_of
from reports.exposing import assets as assets_of
from reports.exposing import by_any_name, is_outside
from reports.front import place as heading
from reports.front import sentence
from reports.periods import Period, before, ending, holding
from reports.printing import printed
from reports.summary import chosen, document, identity
from reports.words import Words
from tests.cli import balefire
from tests.reporting import DAY, MINUTE, SITES, START, Plant, coverage, decide, fill
from tests.test_store import STORES, place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store

Row = dict[str, Any]
ZONE = ZoneInfo("Asia/Shanghai")
HIDDEN = "s" * 20
REASON = "known fault of the panel, ticket 4711: " + "it flaps. " * 20
LAST = holding("daily", ZONE, START + 2 * DAY)  # the third day of three


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Three days of two sites, decided about, an alert reopened; it is only read."""
    with pytest.MonkeyPatch.context() as patch:
        folder: Path = tmp_path_factory.mktemp("reports")
        patch.setenv("BALEFIRE_SPOOL", str(folder / "spool"))
        opened = open_store(place(request, folder), True)
        hiding = Suppression(HIDDEN, "Wang Fang", REASON, START, START + 60 * DAY, {"rule": ("rule-5",)})
        values = {name: value for name, value in suppression_row(hiding).items() if name not in {"id", "revision"}}
        opened.change([Change("suppression", HIDDEN, None, "suppress", "Wang Fang", values)])
        fill(opened, START, 3, Plant(controllers=5, findings=90, activities=400), HIDDEN)
        decide(opened)
        closed = next(row["id"] for row in everything(opened, "alert") if row["status"] == "closed" and inside(row["first"]))
        opened.change([lifecycle.reopen(opened.alerts([closed])[0], "Wang Fang")])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def told(store: Store) -> Row:
    return document(store, LAST)


def everything(store: Store, table: str) -> list[Row]:
    return flat(TABLES[table], store.read(table, Query()))


def inside(time: int, span: Period = LAST) -> bool:
    return span.since <= time < span.until


def in_period(store: Store, span: Period = LAST, site: str | None = None) -> tuple[dict[str, int], Counter[str], int]:
    """By alert the gravest finding of the period and how many; how many are hidden."""
    gravest: dict[str, int] = {}
    counts: Counter[str] = Counter()
    hidden = 0
    for row in everything(store, "finding"):
        if not inside(row["time"], span) or (site and row["observer.site"] != site):
            continue
        hidden += bool(row["suppressions"])
        if row["alert"]:
            gravest[row["alert"]] = max(gravest.get(row["alert"], 0), row["severity"])
            counts[row["alert"]] += 1
    return gravest, counts, hidden


def test_alerts_are_those_with_a_finding_in_the_period(store: Store, told: Row) -> None:
    gravest, counts, hidden = in_period(store)
    rows = {row["id"]: row for row in everything(store, "alert")}
    found = told["alerts"]
    assert (found["total"], found["findings"], found["hidden"]) == (len(gravest), counts.total(), hidden)
    assert found["total"] > 40
    assert hidden > 3
    assert found["new"] == sum(inside(rows[name]["first"]) for name in gravest) < found["total"]
    for each in found["severity"]:
        names = [name for name, severity in gravest.items() if severity_word(severity) == each["level"]]
        assert each["total"] == len(names)
        assert each["new"] == sum(inside(rows[name]["first"]) for name in names)
        assert each["unanswered"] == sum(rows[name]["status"] == "open" for name in names)
        assert each["true"] == sum(rows[name]["status"] == "closed" and rows[name]["verdict"] == "true" for name in names)
    assert found["status"] == {name: sum(rows[each]["status"] == name for each in gravest) for name in ("open", "acknowledged", "in_progress", "closed")}
    closed = Counter(rows[name]["verdict"] for name in gravest if rows[name]["status"] == "closed")
    assert found["verdict"] == {name: closed[name] for name in ("true", "expected", "false")} | {"none": len(gravest) - closed.total()}
    assert sum(row[level] for row in found["over_time"] for level in ("critical", "high", "medium", "low")) == found["new"]
    assert [row["since"] for row in found["over_time"]] == [iso(LAST.since + hour * 60 * MINUTE) for hour in range(24)]


def test_alerts_by_technique_and_role(store: Store, told: Row) -> None:
    gravest, _, _ = in_period(store)
    rows = {row["id"]: row for row in everything(store, "alert")}
    techniques = Counter(name for each in gravest for name in rows[each]["techniques"] or ())
    assert {row["technique"]: row["alerts"] for row in told["alerts"]["techniques"]} == dict(techniques)
    assert told["alerts"]["without_technique"] == sum(not rows[each]["techniques"] for each in gravest)
    roles = {row["id"]: row["role"] for row in everything(store, "asset")}
    alerts = Counter(role for each in gravest for role in {roles[name] for name in rows[each]["assets"]})
    assert {row["role"]: row["alerts"] for row in told["alerts"]["roles"]} == dict(alerts)
    assert None in alerts, "an unknown role is told, not left out"


def test_response_times(store: Store, told: Row) -> None:
    trail = sorted((row for row in everything(store, "audit") if row["table"] == "alert"), key=lambda row: row["id"])
    assert trail[-1]["action"] == "reopen"
    known = max(store.newest() or 0, trail[-1]["time"])
    assert told["made_from"]["known"] == iso(known)
    shown = answers(told, Words("en", ZONE)).tables[0].note
    assert shown.startswith(f"as decided and waiting up to {Words('en', ZONE).minute(iso(known))}"), "what waits stops where what is decided does"
    check_answers(store, told["answers"], trail, LAST, known)
    past, until = before(LAST), before(LAST).until + max(0, known - LAST.until)  # as long after its end as this one has had
    assert told["before"]["decided_until"] == iso(until)
    check_answers(store, told["before"]["answers"], [row for row in trail if row["time"] <= until], past, until)
    note = printed(told, "en").front.compared.note
    assert "after their own end counts" in note
    assert document(store, past)["answers"]["all"]["taken_up"]["done"] > told["before"]["answers"]["all"]["taken_up"]["done"], "all was decided at once, later"


def check_answers(store: Store, told: Row, trail: list[Row], span: Period, known: int) -> None:
    gravest, _, _ = in_period(store, span)
    rows = {row["id"]: row for row in everything(store, "alert")}
    for name, least in (("all", 0), ("grave", 60)):
        fresh = [each for each, severity in gravest.items() if inside(rows[each]["first"], span) and severity >= least]
        found = told[name]
        assert found["of"] == len(fresh)
        for deed, actions in (("taken_up", ("acknowledge", "close")), ("closed", ("close",))):
            decided = [row for row in reversed(trail) if row["action"] in actions and row["subject"] in fresh]
            waits = {row["subject"]: (row["time"] - rows[row["subject"]]["first"]) // 10**9 for row in decided}
            if deed == "closed":  # and not reopened since
                last = {row["subject"]: row["action"] for row in trail if row["action"] in {"close", "reopen"}}
                waits = {each: wait for each, wait in waits.items() if last[each] == "close"}
            left = [each for each in fresh if each not in waits]
            assert (found[deed]["done"], found[deed]["waiting"]) == (len(waits), len(left))
            assert found[deed]["median_s"] == (int(median(waits.values())) if waits else None)
            assert found[deed]["oldest_s"] == (max((known - rows[each]["first"]) // 10**9 for each in left) if left else None)


def test_coverage_is_counted_by_sensor(store: Store, told: Row) -> None:
    rows = [row for row in everything(store, "coverage") if inside(row["@timestamp"])]
    found = told["coverage"]
    by_place = Counter((row["observer.name"], row["interface"]) for row in rows)
    assert found["windows"] == found["looked_at"] == len(rows)
    assert found["sensors"] == len(by_place) == 2
    assert found["minutes"] == 2 * 1440
    assert found["seen_minutes"] == len(rows)
    assert found["time_share"] == len(rows) * 10_000 // found["minutes"] / 100
    sums = {name: sum(row[name] for row in rows) for name in ("packets", "decoded_bytes", "undecoded_bytes", "lost", "dropped")}
    assert {name: found[name] for name in sums} == sums
    payload = sums["decoded_bytes"] + sums["undecoded_bytes"] + sums["lost"]
    assert found["grade"] == sums["decoded_bytes"] * 1000 // payload / 10
    assert {(row["observer"], row["interface"]): row["seen_minutes"] for row in found["places"]} == dict(by_place)


def test_what_no_sensor_saw(store: Store, told: Row) -> None:
    seen = {row["@timestamp"] // MINUTE for row in everything(store, "coverage") if inside(row["@timestamp"])}
    blind = [minute for minute in range(LAST.since // MINUTE, LAST.until // MINUTE) if minute not in seen]
    assert told["unseen"]["gap_seconds"] == 60 * len(blind)
    assert told["unseen"]["gap_count"] == sum(minute - 1 not in blind for minute in blind)
    assert all((period(gap["since"]) or (0,))[0] // MINUTE in blind for gap in told["unseen"]["gaps"])
    assert {(row["protocol"], row["port"]) for row in told["unseen"]["remote"]} == {("RDP", "tcp/3389"), ("SSH", "tcp/22")}


def test_assets_and_who_spoke_with_the_internet(store: Store, told: Row) -> None:
    rows = [row for row in everything(store, "asset") if row["first"] < LAST.until and row["last"] >= LAST.since]
    found = told["assets"]
    assert found["assets"] == len(rows)
    assert found["new"] == sum(row["first"] >= LAST.since for row in rows)
    assert found["without_role"] == sum(not row["role"] for row in rows)
    assert {row["role"]: row["assets"] for row in found["roles"]} == dict(Counter(row["role"] for row in rows))
    assert found["unlisted"] is None, "the plant gave no list: that is not nought"
    acts = [row for row in everything(store, "activity") if inside(row["@timestamp"]) and (is_outside(row["source.ip"]) or is_outside(row["destination.ip"]))]
    pairs = Counter((row["source.ip"], row["destination.ip"]) for row in acts)
    sited = {(row["observer.site"], row["source.ip"], row["destination.ip"]) for row in acts}
    assert found["internet"]["pairs"] == len(sited) > 0
    assert {each["site"] for each in found["internet"]["listed"]} <= set(SITES)
    assert found["internet"]["operations"] == sum(row["ot.count"] for row in acts)
    inner = {destination if is_outside(source) else source for source, destination in pairs}
    assert found["internet"]["assets"] == sum(bool(inner & {*(row["addresses"] or ()), *(row["aliases"] or ())}) for row in rows) > 0
    assert found["internet"]["inbound"] == sum(is_outside(source) for source, _ in pairs)


def test_classed_data_that_left_its_zone(store: Store, told: Row) -> None:
    zones = {address: row["zone"] for row in everything(store, "asset") for address in row["addresses"]}
    levels = {"program": 2, "write": 2, "read": 1, "file": 1}
    left: Counter[Any] = Counter()
    for row in everything(store, "activity"):
        ends = row["destination.ip"], row["source.ip"]
        origin, target = reversed(ends) if row["ot.access"] == "write" else ends
        if inside(row["@timestamp"]) and zones.get(origin) not in {None, zones.get(target)}:
            left[levels[row["ot.access"]], zones[origin], zones.get(target), is_outside(target)] += row["ot.count"]
    found = told["data"]
    assert {(each["level"], each["from"], each["to"], each["internet"]): each["operations"] for each in found["flows"]} == left
    assert found["leaving"] == left.total() == sum(each["leaving"] for each in found["by_class"])
    assert found["zoned"] < found["classed"] == found["looked_at"] == found["operations"]


def test_no_number_of_exposure_stands_without_its_whole(told: Row) -> None:

    section = assets(told, Words("en", ZONE))
    tables = {table.title: table for table in section.tables}
    found, internet = told["assets"], told["assets"]["internet"]
    exposure = {row[0].text: row[1].text for row in tables["What is not in order, or not known"].rows}
    assert exposure["that spoke with the Internet, as far as operations were understood"] == f"{internet['assets']} of {number(found['assets'])}"
    talks = tables["Conversations with the Internet"].rows
    assert [row[4].text for row in talks] == [f"{number(each['operations'])} of {number(internet['operations'])}" for each in internet["listed"]] != []
    sizes = [row[2].text for row in tables["Traffic of remote access"].rows]
    assert len(sizes) == 2
    assert all(text.endswith(f" of {size(told['coverage']['bytes'], 'en')}") for text in sizes)
    assert all(each["bytes"] <= told["coverage"]["bytes"] for each in told["unseen"]["remote"])


def test_no_count_of_packets_findings_or_gravest_data_stands_without_its_whole(told: Row) -> None:
    packets = coverage_of(told, Words("en", ZONE)).tables[0]
    whole = number(told["coverage"]["packets"])
    assert [row[4].text for row in packets.rows] == [f"{number(each['packets'])} of {whole}" for each in told["coverage"]["places"]] != []
    found = told["alerts"]
    assert f"hide {number(found['hidden'])} of {number(found['findings'] + found['hidden'])}:" in alerts(told, Words("en", ZONE)).texts[0]
    pairs = [row[3].text for row in data_of(told, Words("en", ZONE)).tables[1].rows]
    assert pairs == [f"{number(each['pairs'])} of {number(told['data']['leaving_pairs'])}" for each in told["data"]["flows"]] != []
    assert max(each["pairs"] for each in told["data"]["flows"]) <= told["data"]["leaving_pairs"] <= sum(each["pairs"] for each in told["data"]["flows"])
    data = json.loads(written(told["data"]))
    data["by_class"] = [{"domain": "research", "level": 3, "assets": 1, "operations": 90, "zoned": 70, "leaving": 12}]
    assert any("12 of 70 operations" in text for text in data_of({**told, "data": data}, Words("en", ZONE)).texts)


def test_changes_are_those_of_the_trail(store: Store, told: Row) -> None:
    trail = [row for row in everything(store, "audit") if row["table"] == "suppression"]
    assert len(trail) == 1
    hidden = [row for row in everything(store, "finding") if inside(row["time"]) and HIDDEN in (row["suppressions"] or ())]
    assert [(row["id"], row["rule"], row["hidden"]) for row in told["changes"]["suppressions"]] == [(HIDDEN, "rule-5", len(hidden))]
    assert standing(store.suppressions()[1][0], store.newest() or 0) == "in_force"
    made = trail[0]["time"]
    now = ending("daily", ZONE, made + 1)
    found = document(store, now)["changes"]
    assert [(row["table"], row["action"], row["count"]) for row in found["by"]] == [("suppression", "suppress", 1)]
    assert found["listed"][0]["note"] == told["changes"]["suppressions"][0]["reason"] == f"{REASON[:199]}…"


def test_a_site_and_all_of_them(store: Store, told: Row) -> None:
    assert {row["site"] for row in told["sites"]} == set(SITES)
    for row in told["sites"]:
        alone = document(store, LAST, row["site"])
        gravest, counts, _ = in_period(store, LAST, row["site"])
        assert (row["alerts"], row["findings"]) == (alone["alerts"]["total"], alone["alerts"]["findings"]) == (len(gravest), counts.total())
        assert row["index"] == alone["index"]
        assert row["time_share"] == alone["coverage"]["time_share"]
        assert row["grade"] == alone["coverage"]["grade"]
        assert alone["sites"] == []
        assert (alone["site"], alone["coverage"]["sensors"]) == (row["site"], 1)
    assert sum(row["alerts"] for row in told["sites"]) == told["alerts"]["total"]


def test_alerts_of_two_sites_that_are_called_alike_are_told_apart(store: Store, told: Row) -> None:
    at = {row["alert"]: row["observer.site"] for row in everything(store, "finding") if row["alert"]}
    worst = told["alerts"]["worst"]
    assert [each["site"] for each in worst] == [at[each["id"]] for each in worst]
    assert {each["site"] for each in worst} == set(SITES)
    for language in LANGUAGES:
        words = Words(language, ZONE)
        table = alerts(told, words).tables[1]
        assert [row[2].text for row in table.rows] == [each["site"] for each in worst]
        assert str(worst[0]["site"]) in sentence(told, words)
        assert all(site in heading(told, words) for site in SITES)
        assert heading({**told, "site_count": 3}, words) == {"en": "3 sites", "zh": "3 个站点"}[language]
    alone = document(store, LAST, SITES[0])
    assert not any("site" in each for each in alone["alerts"]["worst"])
    assert heading(alone, Words("en", ZONE)) == SITES[0]


def test_plants_that_are_built_alike_are_not_taken_for_one(tmp_path: Path) -> None:
    """The same names and addresses at two sites, in other zones; only one of them speaks with the Internet."""
    alike = open_store(str(tmp_path / "alike"), True)
    since, until = LAST.since, LAST.until
    assets = [
        asset_of(site, [Fact("address", address, "traffic", 95, since, until), Fact("name", name, "list", 91, since, until),
                        Fact("zone", zone, "policy:plant", 90, since, until)], since, until, ("traffic",))
        for site, zones in zip(SITES, (("control", "office"), ("control", "control")), strict=True)
        for address, name, zone in zip(("10.1.0.10", "10.1.0.20"), ("PLC-1", "ENG-1"), zones, strict=True)
    ]  # fmt: skip
    acts = [
        {"id": f"{number}", "@timestamp": since + MINUTE, "event.action": "read_holding_registers", "source.ip": source, "destination.ip": "10.1.0.10",
         "network.protocol": "modbus", "observer.name": "s", "observer.site": site, "ot.effect": "value.read", "ot.access": "read", "ot.count": count}
        for number, (site, source, count) in enumerate([(SITES[0], "10.1.0.20", 5), (SITES[1], "10.1.0.20", 7), (SITES[1], "8.8.4.4", 3)])
    ]  # fmt: skip
    rows = pa.Table.from_pylist([{name: row.get(name) for name in ACTIVITY.names} for row in acts], schema=arrow_schema(ACTIVITY))
    both = pa.concat_tables([coverage(site, since, since + 5 * MINUTE) for site in SITES])
    alike.write(Commit(assets=tuple(assets), batch=Batch(activities=rows, coverage=both)))
    told = document(alike, LAST)
    source = Source(alike)
    entries = catalogue(source, LAST.span, in_force(alike).rules, by_any_name(assets_of(source, LAST.span)), "objects").entries
    alike.close()
    assert sorted((row["device"], row["site"], row["operations"]) for row in entries) == [("PLC-1", SITES[1], 10), ("PLC-1", SITES[0], 5)]
    shown = balefire("classes", "list", "objects", "--store", tmp_path / "alike", "--language", "en").stdout
    assert all(site in " ".join(shown.split()) for site in ("Site", SITES[1])), "with the column that tells them apart"
    assert {(each["from"], each["to"], each["internet"]): each["operations"] for each in told["data"]["flows"]} == {
        ("control", "office", False): 5,
        ("control", None, True): 3,
    }
    assert told["data"]["zoned"] == 15
    internet = told["assets"]["internet"]
    assert (internet["assets"], internet["pairs"], told["assets"]["assets"]) == (1, 1, 4)
    new = printed(told, "en").sections[4].tables[1]
    assert (new.head[1], Counter((row[0].text, row[1].text) for row in new.rows)) == (
        "Site",
        Counter((name, site) for name in ("PLC-1", "ENG-1") for site in SITES),
    )


def test_the_period_before_is_measured_in_the_same_way_and_no_data_is_no_nought(store: Store, told: Row) -> None:
    earlier = document(store, before(LAST))
    assert told["before"]["recorded"]
    assert (told["before"]["alerts"], told["before"]["findings"]) == (earlier["alerts"]["total"], earlier["alerts"]["findings"])
    assert told["before"]["index"] == earlier["index"]
    assert not told["last_year"]["recorded"]
    assert "alerts" not in told["last_year"]
    empty = document(store, holding("daily", ZONE, START - 30 * DAY))
    assert not empty["recorded"]
    assert empty["index"] is None
    assert empty["sentence"]["en"].startswith("Nothing was recorded")
    shown = printed(empty, "en")
    assert [section.name for section in shown.sections] == ["changes", "making"], "no chapter says that nothing was seen where nobody looked"
    assert [fact.value for fact in shown.front.facts] == ["0 %"]


def test_sensors_that_fell_silent_are_missed(store: Store) -> None:
    """On the day after the plant's last both are named, and their time counts as blind."""
    after = document(store, holding("daily", ZONE, START + 3 * DAY))
    assert after["unseen"]["silent"] == ["sensor-1 · eth1", "sensor-2 · eth1"]
    assert (after["coverage"]["sensors"], after["coverage"]["minutes"], after["coverage"]["time_share"]) == (2, 2880, 0)
    assert document(store, holding("daily", ZONE, START + 4 * DAY))["unseen"]["silent"] == []


def test_two_captures_of_the_same_time_count_once_wherever_it_is_told(tmp_path: Path) -> None:
    """On the page of their own day, in the next day's comparison and among sites; captures without a name are one sensor, those of one name are, too."""
    twice = open_store(str(tmp_path / "twice"), True)
    half = (LAST.until - LAST.since) // 2
    rows = [row for site in SITES for row in coverage(site, LAST.since, LAST.since + half).to_pylist()]
    named = [
        row | {"id": f"{row['id']}-{name}", "observer.name": observer, "file": f"{name}.pcap"}
        for row in rows
        for name in ("aa", "bb")
        for observer in (f"capture-{name}" if row["observer.site"] == SITES[0] else "tap",)
    ]
    twice.write(Commit(batch=Batch(coverage=pa.Table.from_pylist(named, schema=arrow_schema(COVERAGE)))))
    own, following = document(twice, LAST), document(twice, holding("daily", ZONE, LAST.until))
    twice.close()
    assert (own["coverage"]["sensors"], own["coverage"]["time_share"]) == (2, 50)
    assert following["before"]["time_share"] == 50
    assert following["before"]["index"] == own["index"]
    assert [row["time_share"] for row in own["sites"]] == [50, 50]


def test_what_too_many_windows_saw_is_counted_though_not_added_up(store: Store, told: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.seeing.MOST_ROWS", 100)
    monkeypatch.setattr("reports.seeing.READ", 60 * MINUTE)
    found = document(store, LAST)
    assert 100 <= found["coverage"]["looked_at"] < 300 < found["coverage"]["windows"] == told["coverage"]["windows"]
    for name in ("minutes", "seen_minutes", "time_share", "over_time", "sensors", "place_count"):
        assert found["coverage"][name] == told["coverage"][name], name
    assert [(each["observer"], each["seen_minutes"]) for each in found["coverage"]["places"]] == [
        (each["observer"], each["seen_minutes"]) for each in told["coverage"]["places"]
    ]
    assert [found["unseen"][name] for name in ("gaps", "gap_seconds", "silent")] == [told["unseen"][name] for name in ("gaps", "gap_seconds", "silent")]
    assert found["index"]["high"] == told["index"]["high"]
    assert any("newest" in text for text in coverage_of(found, Words("en", ZONE)).texts)


def test_assets_of_a_site_whose_records_begin_are_not_new(tmp_path: Path) -> None:
    grown = open_store(str(tmp_path / "grown"), True)
    past, second = before(LAST), LAST.since + 60 * MINUTE
    assets = [
        asset_of(site, [Fact("address", address, "traffic", 95, first, LAST.until)], first, LAST.until, ("traffic",))
        for site, address, first in (
            (SITES[0], "10.1.0.1", past.since), (SITES[0], "10.1.0.2", second), (SITES[1], "10.2.0.1", second), (SITES[1], "10.2.0.2", second),
        )
    ]  # fmt: skip
    covered = [coverage(SITES[0], past.since, past.since + MINUTE), *(coverage(site, second, second + MINUTE) for site in SITES)]
    grown.write(Commit(assets=tuple(assets), batch=Batch(coverage=pa.concat_tables(covered))))
    found, later = document(grown, LAST), document(grown, holding("daily", ZONE, LAST.until))
    grown.close()
    assert [found["assets"][name] for name in ("assets", "new", "beginning")] == [4, 1, 2]
    assert [later["before"][name] for name in ("assets", "new_assets", "beginning")] == [4, 1, 2]
    assert {row["site"]: row.get("begins", False) for row in found["sites"]} == {SITES[0]: False, SITES[1]: True}
    shown = printed(found, "en")
    assert ("1", "of 2 assets, beside 2 of sites whose records begin here") in [(fact.value, fact.of) for fact in shown.front.facts]
    assert shown.front.compared.rows[3][1].text == "1 of 2, beside 2 where records begin"
    assert len(found["assets"]["listed_new"]) == 1


def test_the_same_data_is_the_same_document_and_other_data_another(store: Store, told: Row) -> None:
    again = document(store, LAST)
    assert written(again) == written(told)
    assert again["id"] == identity(told)
    assert json.loads(written(told)) == told
    changed = json.loads(written(told))
    changed["alerts"]["total"] += 1
    assert identity(changed) != told["id"]


def test_the_period_that_is_told_where_nobody_says_which(store: Store) -> None:
    newest = store.newest() or 0
    assert newest == LAST.until - 1, "the third day is not over before the first moment of the fourth"
    assert chosen(store, "daily", ZONE, newest) == before(LAST)
    assert chosen(store, "daily", ZONE, newest + 1) == LAST
    week = chosen(store, "weekly", ZONE, newest)
    assert (week.since, week.until, week.whole) == (START, LAST.until, False), "nothing was recorded in the week before: the present one, as far as it goes"


def test_a_version_names_its_files_by_what_they_are_policies_first() -> None:
    before = Version({("/r", "a.yml"): "title: a\n", ("/r", "zones.yml"): "# ours\npolicy: x\n", ("/r", "disabled.yml"): "a: gone"})
    after = Version({("/r", "b.yml"): "title: b\n", ("/r", "zones.yml"): "# ours\npolicy: y\n", ("/r", "data.yml"): "classes: x\n"})
    told = changed(after, before)
    assert [(each["kind"], each["change"], each["file"]) for each in told["named"]] == [
        ("policy", "changed", "zones.yml"), ("classes", "added", "data.yml"), ("disabled", "removed", "disabled.yml"), ("rule", "removed", "a.yml"),
        ("rule", "added", "b.yml"),
    ]  # fmt: skip
    many = changed(Version({("/r", f"{number}.yml"): "" for number in range(20)}), Version({}))
    assert (many["added"], len(many["named"])) == (20, 8)


def test_zones_are_called_as_policies_say_and_by_none_that_is_wrong() -> None:
    good = "policy: a\nzones:\n  control: {title: Control network, title_zh: 控制网, members: [10.1.0.0/24]}\n  dmz: {members: [10.2.0.0/24]}\n"
    wrong = "policy: b\nzones:\n  office: {title: Office, member: [10.3.0.0/24]}\n"
    told = zones.of_texts([wrong, "zones: [", good, good.replace("Control network", "Another")])
    assert told == {"control": {"en": "Control network", "zh": "控制网"}, "dmz": {"en": "dmz", "zh": "dmz"}}


def test_no_site_is_cut_unseen_and_what_a_table_leaves_out_is_said(tmp_path: Path, told: Row) -> None:
    many = open_store(str(tmp_path / "many"), True)
    one = coverage(SITES[0], LAST.since, LAST.since + MINUTE).to_pylist()[0]
    sites = [f"site {number:02}" for number in range(51)]
    many.write(Commit(batch=Batch(coverage=pa.Table.from_pylist([one | {"id": site, "observer.site": site} for site in sites], schema=arrow_schema(COVERAGE)))))
    found = document(many, LAST)
    many.close()
    assert sorted(row["site"] for row in found["sites"]) == sites
    assert printed(found, "en").front.place == "51 sites"
    cut = json.loads(written(told))
    counts = ((cut, "site_count"), (cut["alerts"], "technique_count"), (cut["coverage"], "place_count"), (cut["changes"], "suppression_count"))
    for part, name in counts:
        part[name] += 70
    cut["assets"]["internet"]["pairs"] += 70
    notes = {table.title: table.note for section in printed(cut, "en").sections for table in section.tables}
    for title in ("Side by side", "By technique", "Sensors and interfaces", "Suppressions in force", "Conversations with the Internet"):
        assert notes[title].endswith(" shown"), title
    assert not any(" shown" in table.note for section in printed(told, "en").sections for table in section.tables if table.title == "Side by side")
