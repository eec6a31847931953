"""What one asset does, and what differs between two dates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from detectors import printed, tally
from detectors.fingerprint import MOST, RANGES, differences, fingerprint, told_otherwise
from records.facts import Fact
from records.model import Batch
from records.query import Span
from records.schema import ACTIVITY, POINT, arrow_table
from records.store import engine, open_store
from records.store.contract import Commit
from tests.cli import balefire, listed, one

if TYPE_CHECKING:
    from pathlib import Path

    from records.store.contract import Store

MINUTE = 60 * 10**9
DAY = 1440 * MINUTE
NOON = 1_763_812_800 * 10**9


def activity(number: int, time: int, **columns: Any) -> dict[str, Any]:
    row = {
        "id": f"a{number}", "@timestamp": time, "event.start": time, "event.end": time, "source.asset.id": "hmi", "source.ip": "10.0.0.9",
        "destination.asset.id": "plc", "destination.ip": "10.0.0.5", "destination.asset.name": "PLC-7", "network.protocol": "modbus", "ot.effect": "value.read",
        "ot.access": "read", "ot.unit": 1, "ot.object.space": "holding_register", "ot.object.first": 39, "ot.object.last": 42, "ot.count": 60,
        "ot.interval.mean": 1.0, "event.outcome": "success",
    }  # fmt: skip
    return row | {name.replace("__", "."): value for name, value in columns.items()}


def write(act: dict[str, Any], value: float) -> dict[str, Any]:
    return act | {
        "ot.effect": "value.write", "ot.access": "write", "ot.value": value, "ot.count": 1, "ot.interval.mean": None, "ot.object.last": 39,
        "ot.tag.name": ["Speed"], "ot.tag.unit": "rpm",
    }  # fmt: skip


def point(number: int, time: int, low: float, high: float, **columns: Any) -> dict[str, Any]:
    row = {
        "id": f"p{number}", "@timestamp": time, "event.start": time, "event.end": time, "destination.ip": "10.0.0.5", "network.protocol": "modbus",
        "ot.unit": 1, "ot.object.space": "holding_register", "ot.object.first": 39, "ot.point.min": low, "ot.point.max": high, "ot.point.changes": 1,
    }  # fmt: skip
    return row | {name.replace("__", "."): value for name, value in columns.items()}


def stored(path: Path, activities: list[dict[str, Any]], points: list[dict[str, Any]]) -> Store:
    tables = [
        arrow_table(kind, {name: [row.get(name) for row in rows] for name in kind.names}, len(rows))
        for kind, rows in ((ACTIVITY, activities), (POINT, points))
    ]  # fmt: skip
    store = open_store(str(path), write=True)
    store.write(Commit(Batch(*tables)))
    return store


def seen(store: Store, since: int, until: int, asset: str = "hmi", address: str = "10.0.0.9") -> Any:
    return fingerprint(store, [asset], [address], Span(since, until))


def test_how_the_rows_are_cut_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [activity(n, NOON + n * MINUTE, ot__interval__mean=1.0 + n % 3, ot__object__first=n % 40, ot__unit=n % 2) for n in range(200)]
    rows += [write(activity(200 + n, NOON + n), 900.0 + n) for n in range(9)]
    store = stored(tmp_path / "store", rows, [])
    whole = seen(store, NOON, NOON + DAY)
    assert {habit.ranges for habit in whole.habits} == {1, 40}
    monkeypatch.setattr(engine, "STREAMED", 7)
    monkeypatch.setattr(tally, "AT_ONCE", 20)
    assert seen(store, NOON, NOON + DAY) == whole
    store.close()


def test_habits_are_summed_over_windows(tmp_path: Path) -> None:
    rows = [activity(n, NOON + n * MINUTE, ot__interval__mean=1.0 + n, ot__count=60 if n else 120) for n in range(3)]
    rows += [write(activity(9, NOON), 900.0), write(activity(10, NOON + 1), 950.0), activity(11, NOON, event__outcome="failure", ot__unit=2, ot__count=1)]
    store = stored(tmp_path / "store", rows, [])
    reads, writes, refused = seen(store, NOON, NOON + DAY).habits
    assert (reads.count, reads.every, reads.first, reads.last) == (240, 1.0, NOON, NOON + 2 * MINUTE), "what half of them keep to, however long a pause is"
    assert reads.words("en") == "asks PLC-7 (10.0.0.5) to read values, register 40040–40043, unit 1, every 1 s, ×240"
    assert writes.words("en") == "asks PLC-7 (10.0.0.5) to write values, Speed (register 40040), unit 1, values 900–950 rpm, ×2"
    assert writes.words("zh") == "要求 PLC-7（10.0.0.5） 写入数值，Speed（保持寄存器 40040），单元 1，数值 900–950 rpm，×2"
    assert refused.words("en").endswith("unit 2, 1 refused, ×1")
    asked = seen(store, NOON, NOON + DAY, "plc", "10.0.0.5").habits
    assert next(habit.words("en") for habit in asked).startswith("10.0.0.9 asks it to read values, register 40040–40043")
    store.close()


def test_values_are_told_where_they_hold_for_all_of_a_habit(tmp_path: Path) -> None:
    """Rows that stand for several operations tell no value: what stood alone, at the edge of a minute, is no range. What was refused read none."""
    alone = {"ot__count": 1, "ot__interval__mean": None, "ot__value": 950.0}
    polled = [activity(1, NOON, ot__count=27), activity(2, NOON + MINUTE, **alone)]
    known = [activity(3, NOON, ot__unit=2, **alone), activity(4, NOON + 1, ot__unit=2, **{**alone, "ot__value": None}, event__outcome="failure")]
    store = stored(tmp_path / "store", [*polled, *known], [])
    made = seen(store, NOON, NOON + DAY)
    assert [habit.words("en").partition(", unit ")[2] for habit in made.habits] == ["1, every 1 s, ×28", "2, values 950, 1 refused, ×2"]
    assert [each["values"] for each in printed.told(made)["habits"]] == [None, [950.0, 950.0]]
    store.close()


def test_values_of_some_are_other_ones_where_all_were_known_before(tmp_path: Path) -> None:
    """Of a flood of writes the first ones tell their values: enough to say what was never written, too few to say what always was."""
    flood = write(activity(2, NOON + DAY), 0.0) | {"ot.value": None, "ot.count": 40, "ot.interval.mean": 0.1}
    read = {"ot__count": 1, "ot__interval__mean": None, "ot__unit": 5}
    rows = [write(activity(1, NOON), 900.0), flood, write(activity(3, NOON + DAY), 1450.0)]
    rows += [activity(4 + day, NOON + day * DAY, ot__value=7.0 + day, **read) for day in (0, 1)]
    store = stored(tmp_path / "store", rows, [])
    old, new = (seen(store, NOON + day, NOON + day + DAY) for day in (0, DAY))
    told = [each.text.en.partition(": ")[0] for each in differences(old, new)]
    assert told == ["Other values written, 1450 rpm instead of 900 rpm", "Other values, 8 instead of 7"], "nobody wrote what was read"
    assert "written" not in [each.kind for each in differences(new, old)]
    store.close()


def test_the_rhythm_is_of_all_that_was_asked(tmp_path: Path) -> None:
    """A row is of one outcome: a device that refuses every second time is asked as often as before. Two who see the same packets saw no more."""
    every = 10 * 10**9
    asked, half = {"ot__count": 6, "ot__interval__mean": 10.0}, {"ot__count": 3, "ot__interval__mean": 20.0, "observer__name": "east"}
    rows = [activity(n, NOON + n * MINUTE, observer__name=name, **asked) for n, name in enumerate(("east", "west"))]
    for n in range(2):
        at = NOON + DAY + n * MINUTE
        rows += [activity(10 + n, at, **half), activity(20 + n, at + every, event__outcome="failure", **half)]
    rows.append(activity(30, NOON + DAY, observer__name="west", **asked))
    rows += [activity(40 + n, NOON + n * every, ot__count=1, ot__interval__mean=None, ot__unit=2, event__outcome=("success", "failure")[n]) for n in (0, 1)]
    store = stored(tmp_path / "store", rows, [])
    old, new = (seen(store, NOON + day, NOON + day + DAY) for day in (0, DAY))
    assert {habit.row["ot.unit"]: habit.every for habit in old.habits} == {1: 10.0, 2: None}, "what was asked once, and once more, has no rhythm"
    assert [(habit.every, habit.count, habit.refused) for habit in new.habits] == [(10.0, 18, 6)]
    assert "rhythm" not in [each.kind for each in differences(old, new)]
    store.close()


def test_what_only_the_operation_tells_apart_is_told_with_it(tmp_path: Path) -> None:
    alone, several = write(activity(1, NOON), 900.0), write(activity(2, NOON), 950.0)
    alone, several = alone | {"event.action": "write_single_register"}, several | {"event.action": "write_multiple_registers"}
    store = stored(tmp_path / "store", [alone, several, activity(3, NOON)], [])
    told = sorted(habit.words("en").split(", ")[2] for habit in seen(store, NOON, NOON + DAY).habits)
    assert told == ["by write_multiple_registers", "by write_single_register", "unit 1"]
    store.close()


def test_what_differs_is_said_what_acts_first(tmp_path: Path) -> None:
    before = [activity(1, NOON), write(activity(2, NOON), 900.0), activity(3, NOON, ot__unit=7)]
    after = [activity(4, NOON + DAY, ot__interval__mean=5.0, ot__count=12), write(activity(5, NOON + DAY), 1450.0), activity(6, NOON + DAY, ot__unit=8)]
    after += [activity(7, NOON + DAY, ot__effect="cpu.stop", ot__access="command", ot__object__first=None, ot__object__last=None, ot__count=1)]
    store = stored(tmp_path / "store", before + after, [point(1, NOON, 1, 5), point(2, NOON + DAY, 2, 9.5)])
    old, new = (seen(store, NOON + day, NOON + day + DAY, "hmi", "10.0.0.5") for day in (0, DAY))
    told = [(each.kind, each.text.en) for each in differences(old, new)]
    assert [kind for kind, _ in told] == ["new", "written", "new", "gone", "rhythm", "point_values"]
    assert told[0][1] == "New: asks PLC-7 (10.0.0.5) to stop the controller, unit 1, ×1"
    assert told[1][1].startswith("Other values written, 1450 rpm instead of 900 rpm: ")
    assert told[4][1].startswith("Another rhythm, every 5 s instead of 1 s: ")
    assert told[5][1] == "Other values, 2–9.5 instead of 1–5: register 40040"
    assert differences(old, old) == []
    store.close()


def test_values_that_are_furthest_out_come_first(tmp_path: Path) -> None:
    """A set point that somebody turned stands before measured values that drift."""
    ranges = {39: ((0, 100), (0, 104)), 40: ((5, 5), (5, 6)), 41: ((0, 10), (-9, 10)), 42: ((1, 1), (1, 1))}
    points = [
        point(10 * day + number, NOON + day * DAY, *ranges[number][day], ot__object__first=number, ot__object__last=number)
        for number in ranges for day in (0, 1)
    ]  # fmt: skip
    store = stored(tmp_path / "store", [], points)
    old, new = (seen(store, NOON + day, NOON + day + DAY, "plc", "10.0.0.5") for day in (0, DAY))
    assert [each.text.en.rpartition(" ")[2] for each in differences(old, new)] == ["40041", "40042", "40040"]
    store.close()


def test_one_change_is_singular(tmp_path: Path) -> None:
    store = stored(tmp_path / "store", [], [point(1, NOON, 5, 9), point(2, NOON, 5, 9, ot__object__first=50, ot__point__changes=2)])
    assert sorted(each.words("en").rpartition(", ")[2] for each in seen(store, NOON, NOON + DAY, "plc", "10.0.0.5").points) == ["1 change", "2 changes"]
    store.close()


def test_what_is_known_may_be_otherwise() -> None:
    """A firmware that was updated between two dates; what was told in one of them alone is no difference."""
    facts = [
        Fact("firmware", "2.1", "modbus:identity", 95, NOON, NOON + DAY), Fact("firmware", "2.3", "modbus:identity", 95, NOON + 3 * DAY, NOON + 4 * DAY),
        Fact("role", "client", "behaviour", 30, NOON, NOON + 4 * DAY), Fact("role", "engineering", "behaviour", 70, NOON + 3 * DAY, NOON + 4 * DAY),
        Fact("serial", "77", "modbus:identity", 95, NOON + 3 * DAY, NOON + 4 * DAY), Fact("address", "10.0.0.5", "arp", 80, NOON, NOON + 4 * DAY),
    ]  # fmt: skip
    was, now = Span(NOON, NOON + DAY), Span(NOON + 3 * DAY, NOON + 5 * DAY)
    told = told_otherwise(facts, was, now)
    assert [(each.kind, each.text.en) for each in told] == [("fact", "Firmware: 2.1 → 2.3"), ("fact", "Role: client → engineering station")]
    assert told[0].text.zh == "固件：2.1 → 2.3"
    assert told_otherwise(facts, was, was) == []


def test_functions_that_a_scan_tried_are_one_habit(tmp_path: Path) -> None:
    """One line a function would be pages; what a device carried out stays a habit of its own."""
    tried = {"ot__effect": "unknown", "ot__access": "unknown", "ot__count": 1, "ot__interval__mean": None}
    rows = [activity(n, NOON, event__action=f"function_{n}", event__outcome="failure", **tried) for n in range(90, 90 + RANGES + 1)]
    rows.append(activity(7, NOON, event__action="function_66", **tried))
    made = seen(stored(tmp_path / "store", rows, []), NOON, NOON + DAY)
    assert sorted(habit.words("en") for habit in made.habits) == [
        "asks PLC-7 (10.0.0.5) to do something unknown, 17 different ones, none of them known, 17 refused, ×17",
        "asks PLC-7 (10.0.0.5) to do something unknown, register 40040–40043, unit 1, ×1",
    ]


def test_a_sweep_is_one_habit_and_everything_is_bounded(tmp_path: Path) -> None:
    sweep = [activity(n, NOON, ot__object__first=n, ot__object__last=n, ot__count=1) for n in range(RANGES + 1)]
    many = [activity(1000 + n, NOON, destination__ip=f"10.1.{n >> 8}.{n & 255}", destination__asset__name=None, ot__count=1) for n in range(MOST + 5)]
    store = stored(tmp_path / "store", sweep + many, [])
    made = seen(store, NOON, NOON + DAY)
    assert (len(made.habits), made.left_out, made.rows) == (MOST, 6, RANGES + 1 + MOST + 5)
    assert [habit.words("en").split(", ")[1] for habit in made.habits if habit.ranges > 1] == ["17 different objects"]
    store.close()


def test_the_command_shows_one_page_and_the_difference_between_two_times() -> None:
    page = balefire("fingerprint", "Pump PLC", "--store", listed()).output
    assert "Panel (10.20.1.20) asks it to write values, Pump 3 speed set point (register 40017), unit 2, values 100–105 rpm, ×2" in page
    assert "  sends Panel (02:ba:1e:01:00:20): an ARP reply, 10.20.1.12, ×1" in page.splitlines(), "ARP is no cyclic data, and a MAC address has a name"
    assert "different objects (read_input_registers)" in page
    assert " did not change; --json has all" in page
    assert ", 0 changes" not in page
    asked = page[page.index("What it is asked") :].splitlines()[1:]
    assert [line.split(", ")[0].split(" to ")[1] for line in asked[:2]] == ["write values", "restart the device"], "what acts on the plant first"
    attacker = balefire("fingerprint", "10.20.1.66", "--store", listed(), "--language", "en").output
    assert "  sends everybody: an ARP request, 24 different objects, ×64" in attacker.splitlines()
    assert len([line for line in attacker.splitlines() if "10.20.1.11) to read identity" in line and ", by " in line]) == 2, "what tells them apart"
    shown = balefire("activities", "--store", listed(), "--where", "event.action:arp_reply").output
    assert "Pump PLC" in shown
    assert "02:ba:1e:01:00:12" not in shown
    assert "Pump PLC · 2" in balefire("points", "--store", listed(), "--where", 'destination.ip:"10.20.1.12"').output
    quiet, attacked = "2026-11-22T16:39/2026-11-22T16:43", "2026-11-22T16:43/2026-11-22T16:45"
    told = one("fingerprint", "10.20.1.12", "--store", listed(), "--on", attacked, "--against", quiet)
    new = [each["text"]["en"] for each in told["differences"] if each["kind"] == "new"]
    assert any("10.20.1.66 asks it to make a device silent" in text for text in new)
    assert told["against"]["until"] == told["since"]
    shown = balefire("fingerprint", "10.20.1.12", "--store", listed(), "--on", attacked, "--against", quiet, "--language", "zh").output
    assert "新增：10.20.1.66 要求其" in shown
    assert "Nothing was seen" in balefire("fingerprint", "10.20.1.12", "--store", listed(), "--on", "2020-01-01", "--against", quiet).output


@pytest.mark.parametrize("text", ["yesterday", "2026-11-22/2026-11-23/2026-11-24", "2026-11-23/2026-11-22", "/"])
def test_what_is_no_period_is_refused(text: str) -> None:
    result = balefire("fingerprint", "10.20.1.12", "--store", listed(), "--on", text)
    assert (result.exit_code, "2026-11-22T16:00/" in result.output) == (2, True)


def test_other_objects_and_how_many_are_told_apart(tmp_path: Path) -> None:
    """Who reads four registers more is not somebody who reads, and somebody who reads no more."""
    sweep = [activity(100 + n, NOON + DAY, ot__object__first=n, ot__object__last=n, ot__count=1, destination__ip="10.0.0.6") for n in range(RANGES + 4)]
    before = [activity(1, NOON), activity(2, NOON, destination__ip="10.0.0.6", ot__object__first=3, ot__object__last=3)]
    store = stored(tmp_path / "store", [*before, activity(3, NOON + DAY, ot__object__last=50), *sweep], [])
    old, new = (seen(store, NOON + day, NOON + day + DAY) for day in (0, DAY))
    told = {each.kind: each.text for each in differences(old, new)}
    assert told.keys() == {"objects", "spread"}
    assert told["objects"].en.startswith("Other objects, register 40040–40051 instead of register 40040–40043: asks PLC-7")
    assert told["objects"].zh.startswith("对象改变，由 保持寄存器 40040–40043 变为 保持寄存器 40040–40051：")
    assert told["spread"].en.startswith("Another number of objects, 20 instead of 1: ")
    assert "Another number of objects, 1 instead of 20: " in {each.kind: each.text.en for each in differences(new, old)}["spread"]
    store.close()


def test_a_kept_fingerprint_is_compared_with(tmp_path: Path) -> None:
    quiet, attacked = "2026-11-22T16:39/2026-11-22T16:43", "2026-11-22T16:43/2026-11-22T16:45"
    kept = tmp_path / "kept.json"
    kept.write_text(balefire("fingerprint", "Pump PLC", "--store", listed(), "--on", quiet, "--json").stdout)
    told, again = (
        one("fingerprint", "Pump PLC", "--store", listed(), "--on", attacked, *with_) for with_ in (("--from", kept), ("--against", quiet))
    )  # fmt: skip
    assert told["against"] == again["against"], "what is read is what was written"
    assert [each for each in told["differences"] if each["kind"] != "fact"] == [each for each in again["differences"] if each["kind"] != "fact"]
    shown = balefire("fingerprint", "Pump PLC", "--store", listed(), "--on", attacked, "--from", kept, "--language", "zh")
    assert "kept.json：保存自 Pump PLC" in shown.stderr
    assert "新增：10.20.1.66" in shown.stdout
    both = balefire("fingerprint", "Pump PLC", "--store", listed(), "--from", kept, "--against", quiet)
    assert (both.exit_code, "name one" in both.stderr) == (2, True)


WRONG: Final[list[tuple[dict[str, Any], str]]] = [
    ({"since": 7}, "since"), ({"habits": None}, "habits"), ({"habits": [{"side": "x"}]}, "habits[0].side"), ({"rows": -1}, "rows"),
    ({"habits": [{"side": "source", "about": {"ot.effect": "evil"}}]}, "habits[0].about.ot.effect"),
    ({"habits": [{"side": "source", "about": {"source.ip": ["x"]}}]}, "habits[0].about.source.ip"),
    ({"habits": [{"side": "source", "about": {"ot.effect": "value.read", "ot.access": "read"}, "count": 1e400}]}, "habits[0].count"),
    ({"points": [{"low": float("nan")}]}, "points[0].about"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "place"), [*WRONG, ("[]", "$"), ("[" * 100_000, "")])
def test_what_is_no_kept_fingerprint_is_refused(change: dict[str, Any] | str, place: str, tmp_path: Path) -> None:
    kept = one("fingerprint", "Pump PLC", "--store", listed())
    (tmp_path / "kept.json").write_text(change if isinstance(change, str) else json.dumps(kept | change))
    refused = balefire("fingerprint", "Pump PLC", "--store", listed(), "--from", tmp_path / "kept.json", "--language", "en")
    assert (refused.exit_code, (f"`{place}` is missing or wrong" if place else "is no JSON") in refused.stderr) == (2, True), refused.stderr
