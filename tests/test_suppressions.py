"""Suppressions: what they hide, what they never hide, and that hiding is the same whenever it is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import hiding, lifecycle
from detectors.alerts import fold
from detectors.looking import looked_until
from detectors.suppressing import MOST_VALUES, drafted, hidden, known_activities, narrowed, prefilled, preview, revoke, save, widened
from detectors.suppressions import DAY, about, mark, matching, standing
from records.errors import UsageError
from records.formats import HOUR, SECOND
from records.model import Batch, Finding, Suppression
from records.query import Query
from records.schema import ACTIVITY
from records.store import open_store
from records.store.contract import Commit, again
from tests.cli import balefire, one
from tests.frames import coverage
from tests.test_store import NOON, activity, rows_of
from tests.test_store import finding as stored_finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

    from detectors.suppressions import Activities
    from records.model import Value
    from records.store.contract import Store


def found(number: int, time: int = NOON, **facts: Any) -> Finding:
    base = stored_finding(number, time, rule="station-acts", key=f"station-acts|{facts.get('source', '10.0.0.9')}", activities=(f"a{number:04}",))
    return replace(base, **facts)


def suppression(name: str = "s", since: int = NOON, until: int = NOON + DAY, **where: list[Value] | Value) -> Suppression:
    conditions: dict[str, tuple[Value, ...]] = {key.replace("__", "."): tuple(value) if isinstance(value, list) else (value,) for key, value in where.items()}
    return Suppression(name, "Wang", "commissioning", since, until, {"rule": ("station-acts",)} | conditions)


def acts(*rows: dict[str, Any]) -> Activities:
    def look(identities: Sequence[str], since: int, until: int) -> pa.Table:
        del since, until
        return rows_of(ACTIVITY, [row for row in rows if row["id"] in identities])

    return look


NOTHING = acts()


def hides(of: Finding, *suppressions: Suppression, activities: Activities = NOTHING) -> tuple[str, ...]:
    return mark([of], suppressions, activities)[0].suppressions


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({}, True),
        ({"source__ip": "10.0.0.9"}, True),
        ({"source__ip": "10.0.0.8"}, False),
        ({"source__ip": "10.0.0.0/24"}, True),
        ({"source__ip": ["10.0.0.8", "10.0.0.9"]}, True),
        ({"source__ip": None}, False),
        ({"source__ip": "fe80::/10"}, False),
        ({"effects": "VALUE.WRITE"}, True),
        ({"effects": "value.read"}, False),
        ({"observer__site": None}, True),
        ({"observer__site": "north"}, False),
        ({"ot__unit": 7}, True),
        ({"ot__unit": [6, 8]}, False),
        ({"ot__unit": "7"}, True),
        ({"ot__value": 2.5, "source__ip": "10.0.0.9"}, True),
        ({"event__action": "Write_Register", "ot__error": None}, True),
        ({"ot__grouped": "false"}, True),
        ({"ot__grouped": True}, False),
    ],
)
def test_conditions(where: dict[str, Any], fits: bool) -> None:
    row = activity(1, ot__unit=7, ot__value=2.5, event__action="write_register", ot__grouped=False)
    assert hides(found(1), suppression(**where), activities=acts(row)) == (("s",) if fits else ())


def test_every_activity_has_to_fit() -> None:
    rows = acts(activity(1, ot__unit=7), activity(2, ot__unit=8))
    both = found(1, activities=("a0001", "a0002"))
    assert hides(both, suppression(ot__unit=7), activities=rows) == ()
    assert hides(both, suppression(ot__unit=[7, 8]), activities=rows) == ("s",)
    assert hides(replace(both, effects=("value.write", "program.download")), suppression(effects="value.write"), activities=rows) == ()


def test_of_an_activity_that_is_not_known_nothing_fits() -> None:
    assert hides(found(1), suppression(ot__unit=None), activities=NOTHING) == ()
    assert hides(found(1, activities=()), suppression(ot__unit=None), activities=NOTHING) == ()


def test_another_rule_is_not_hidden() -> None:
    assert hides(found(1, rule="other"), suppression()) == ()
    with pytest.raises(UsageError, match="one rule"):
        mark([found(1)], [Suppression("s", "o", "r", 0, NOON * 2, {"source.ip": ("10.0.0.9",)})], NOTHING)


def test_two_of_one_rule() -> None:
    one, other = suppression("one", source__ip="10.0.0.9"), suppression("other", destination__ip="10.0.0.5")
    assert hides(found(1), one, other) == ("one", "other")
    assert hides(found(1, source="10.0.0.7"), one, other) == ("other",)
    assert hides(found(1, source="10.0.0.7", destination="10.0.0.6"), one, other) == ()


@pytest.mark.parametrize(("time", "hiding", "ended"), [(NOON - 1, (), ()), (NOON, ("s",), ()), (NOON + DAY - 1, ("s",), ()), (NOON + DAY, (), ("s",))])
def test_packet_time_decides(time: int, hiding: tuple[str, ...], ended: tuple[str, ...]) -> None:
    (marked,) = mark([found(1, time)], [suppression()], NOTHING)
    assert (marked.suppressions, marked.expired) == (hiding, ended)


def test_what_another_hides_is_not_said_to_be_shown_again() -> None:
    (marked,) = mark([found(1, NOON + DAY)], [suppression("old"), suppression("new", NOON + DAY, NOON + 2 * DAY)], NOTHING)
    assert (marked.suppressions, marked.expired) == (("new",), ())


@pytest.mark.parametrize("name", ["nope", "ot.nope", "title.en", "terms", "@timestamp", "id", "activities", "time"])
def test_fields_that_do_not_serve(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        matching([about(found(1))], [Suppression("s", "o", "r", 0, 1, {"rule": ("station-acts",), name: ("x",)})], NOTHING)
    assert name in str(caught.value)
    assert caught.value.text("zh")


@pytest.mark.parametrize(("name", "value"), [("source.ip", "10.0.0"), ("ot.unit", "seven"), ("ot.grouped", "maybe"), ("ot.value", "")])
def test_values_that_are_none(name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        mark([found(1)], [Suppression("s", "o", "r", 0, 1, {"rule": ("station-acts",), name: (value,)})], NOTHING)
    assert name in str(caught.value)


UNITS = st.sampled_from([1, 2, None])
SOURCES = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.1.1", None])
WHERES = st.fixed_dictionaries({}, optional={"source.ip": st.lists(SOURCES, min_size=1, max_size=2), "ot.unit": st.lists(UNITS, min_size=1, max_size=2)})


@given(
    st.lists(st.tuples(SOURCES, UNITS, st.integers(0, 5), st.sampled_from(["station-acts", "other"])), max_size=8),
    st.lists(st.tuples(WHERES, st.integers(0, 5), st.integers(0, 5)), max_size=4),
    st.integers(0, 8),
)
def test_as_one_by_one_and_in_parts(stated: list[Any], suppressed: list[Any], cut: int) -> None:
    """Equal to plain Python, one finding and one suppression after the other, however findings are cut."""
    findings = [found(n, time, source=source, rule=rule) for n, (source, _unit, time, rule) in enumerate(stated)]
    rows = acts(*(activity(n, NOON, ot__unit=unit) for n, (_source, unit, _time, _rule) in enumerate(stated)))
    each = [
        Suppression(f"s{n}", "o", "r", since, until, {"rule": ("station-acts",), **{name: tuple(values) for name, values in where.items()}})
        for n, (where, since, until) in enumerate(suppressed)
    ]
    for (source, unit, time, rule), marked in zip(stated, mark(findings, each, rows), strict=True):
        fitting = [s for s in each if rule == "station-acts" and source in s.where.get("source.ip", (source,)) and unit in s.where.get("ot.unit", (unit,))]
        hiding = tuple(s.id for s in fitting if s.since <= time < s.until)
        assert marked.suppressions == hiding
        assert marked.expired == (() if hiding else tuple(s.id for s in fitting if s.until <= time))
    assert mark(findings[:cut], each, rows) + mark(findings[cut:], each, rows) == mark(findings, each, rows)


# ---- with a store -------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(str(tmp_path / "store"), write=True)
    yield opened
    opened.close()


def judge(store: Store, *findings: Finding, **facts: Any) -> None:
    """One commit of findings, each with its activity, as the pipeline makes it."""
    rows = rows_of(ACTIVITY, [activity(int(each.id[1:]), each.time, ot__unit=int(each.id[1:]) % 3, **facts) for each in findings])

    def attempt() -> None:
        taken = store.taken([each.id for each in findings])
        judged, suppressions = store.suppressions()
        marked = mark(findings, suppressions, known_activities(store, rows))
        done = fold([each for each in marked if each.id not in taken], store.alerts_of({each.key for each in findings}))
        known = [each for each in marked if each.id in taken]
        store.write(Commit(Batch(activities=rows), (*done.findings, *known), done.alerts, judged=judged))

    again(attempt)


def only_alert(store: Store) -> dict[str, Any]:
    (row,) = store.read("alert", Query()).to_pylist()
    return row


def test_made_from_an_alert_it_hides_the_like_and_nothing_else(store: Store) -> None:
    judge(store, found(1), found(4, NOON + 1), event__outcome="failure", ot__object__first=40)
    where = prefilled(store, only_alert(store)["id"]).where
    assert list(where) == ["ot.object.first", "ot.unit", "event.outcome", "source.ip", "destination.ip", "effects", "rule"]
    assert (where["ot.unit"], where["event.outcome"], where["ot.object.first"]) == ((1,), ("failure",), (40,))
    made = save(store, drafted(store, only_alert(store)["id"], where, "Wang", "commissioning"), "Li")
    assert (made.since, made.until) == (NOON + 7, NOON + 7 + 30 * DAY)
    judge(store, found(7, NOON + 20), event__outcome="failure", ot__object__first=40)
    judge(store, found(10, NOON + 30), event__outcome="success", ot__object__first=40)
    judge(store, found(8, NOON + 40), event__outcome="failure", ot__object__first=40)
    rows = {row["id"]: (row["alert"] is None, row["suppressions"]) for row in store.read("finding", Query()).to_pylist()}
    assert rows == {"f1": (False, []), "f4": (False, []), "f7": (True, [made.id]), "f10": (False, []), "f8": (False, [])}
    assert only_alert(store)["count"] == 4
    assert hidden(store) == {made.id: (1, 1)}


def test_judged_again_gives_the_same(store: Store) -> None:
    judge(store, found(1))
    save(store, drafted(store, only_alert(store)["id"], {"rule": ("station-acts",)}, "Wang", "commissioning"), "Li")
    judge(store, found(4, NOON + 20))
    before = [store.read(name, Query()).to_pylist() for name in ("finding", "alert", "audit")]
    judge(store, found(1), found(4, NOON + 20))
    assert [store.read(name, Query()).to_pylist() for name in ("finding", "alert", "audit")] == before


def test_a_clock_that_runs_ahead_elsewhere_neither_keeps_closed_nor_hides_late(store: Store) -> None:
    """Closed and hidden is by the clock of those who saw it, though another observer's is three hours ahead."""
    ahead = NOON + 3 * HOUR
    judge(store, found(1, observer="o"))
    told = (("o", NOON, NOON + 50 * SECOND), ("p", ahead, ahead))
    windows = [{"observer.name": name, "id": name, "@timestamp": since, "event.end": until} for name, since, until in told]
    store.write(Commit(Batch(coverage=coverage(*windows))))
    judge(store, found(2, ahead, key="other", source="10.0.0.7", observer="p"))
    (alert,) = store.alerts_of({found(1).key})
    assert (store.newest() or 0) >= ahead
    assert looked_until(store, alert) == NOON + 50 * SECOND - 1
    made = save(store, drafted(store, alert.id, {"rule": ("station-acts",), "source.ip": ("10.0.0.9",)}, "Wang", "planned"), "Li")
    assert made.since == NOON + 50 * SECOND
    revoke(store, made, "Li")
    store.change([lifecycle.close(alert, "Li", "false", looked_until(store, alert))])
    judge(store, found(3, NOON + 60 * SECOND, observer="o"))
    assert [each.status for each in store.alerts_of({found(1).key})] == ["open"]


def test_what_has_expired_is_shown_again_and_says_so(store: Store) -> None:
    judge(store, found(1))
    made = save(store, drafted(store, only_alert(store)["id"], {"rule": ("station-acts",)}, "Wang", "commissioning", days=1), "Li")
    judge(store, found(2, NOON + 2 * DAY))
    assert only_alert(store)["expired"] == [made.id]
    assert only_alert(store)["count"] == 2
    assert standing(made, store.newest() or 0) == "expired"


def test_revoking_ends_it_from_now_on(store: Store) -> None:
    judge(store, found(1))
    save(store, drafted(store, only_alert(store)["id"], {"rule": ("station-acts",)}, "Wang", "commissioning"), "Li")
    judge(store, found(2, NOON + 20))
    (made,) = store.suppressions()[1]
    revoke(store, made, "Zhao", "over")
    (ended,) = store.suppressions()[1]
    assert (ended.until, ended.revoked, ended.revision) == (NOON + 26, NOON + 25, 1)
    judge(store, found(3, NOON + 40))
    rows = {row["id"]: row["suppressions"] for row in store.read("finding", Query()).to_pylist()}
    assert rows == {"f1": [], "f2": [made.id], "f3": []}
    assert only_alert(store)["expired"] == [made.id]
    with pytest.raises(lifecycle.TransitionError):
        revoke(store, ended, "Zhao")
    assert [(row["action"], row["by"], row["note"]) for row in store.read("audit", Query()).to_pylist()] == [
        ("suppress", "Li", None),
        ("revoke", "Zhao", "over"),
    ]


def test_a_preview_tells_what_it_would_have_hidden(store: Store) -> None:
    judge(store, *(found(n, NOON + n, assets=("plc-1",) if n % 2 else ("plc-1", "hmi")) for n in range(6)), found(6, NOON - 40 * DAY))
    judge(store, found(7, NOON + 9, source="10.0.0.7", key="station-acts|10.0.0.7"), found(8, NOON + 9, rule="other", key="other"))
    alert = store.alerts([store.read("finding", Query(ids=("f1",))).column("alert")[0].as_py()])[0]
    store.change([lifecycle.close(alert, "Li", "true", NOON)])
    told = preview(store, drafted(store, alert.id, {"source.ip": ("10.0.0.9",), "rule": ("station-acts",)}, "W", "r"))
    assert (told.findings, told.hidden_already, told.alerts, told.confirmed) == (6, 0, (alert.id,), (alert.id,))
    assert list(told.by_asset.items()) == [("plc-1", 6), ("hmi", 3)]
    wider = preview(store, drafted(store, alert.id, {"rule": ("station-acts",)}, "W", "r"))
    assert (wider.findings, len(wider.alerts)) == (7, 2)
    of_units = preview(store, drafted(store, alert.id, {"rule": ("station-acts",), "ot.unit": (1,)}, "W", "r"))
    assert of_units.findings == 3  # 1, 4 and 7


def test_any_combination_of_what_an_alert_shows_is_hidden_unless_values_are_chosen(store: Store) -> None:
    judge(store, found(1), ot__object__first=40)
    judge(store, found(2, NOON + 1), ot__object__first=41)
    offered = prefilled(store, alert := only_alert(store)["id"])
    assert (offered.where["ot.unit"], offered.where["ot.object.first"]) == ((1, 2), (40, 41))
    rows = rows_of(ACTIVITY, [activity(9, NOON + 9, ot__unit=1, ot__object__first=41)])  # neither of the two
    each = drafted(store, alert, offered.where, "W", "r")
    assert mark([found(9, NOON + 9)], [replace(each, id="s")], known_activities(store, rows))[0].suppressions == ("s",)
    assert preview(store, each).stays == 0
    chosen = narrowed(offered, ["ot.unit=1"])
    assert chosen == {**offered.where, "ot.unit": (1,)}
    seen = preview(store, drafted(store, alert, chosen, "W", "r"))
    assert (seen.findings, seen.stays) == (1, 1)
    assert narrowed(offered, ["ot.unit=1", "OT.unit=2"])["ot.unit"] == (1, 2)
    for wish, words in (("ot.unit=3", "shows: 1, 2"), ("ot.unit", "no value"), ("ot.error=x", "not among"), ("rule=other", "station-acts")):
        with pytest.raises(UsageError, match=words):
            narrowed(offered, [wish])


def test_a_field_with_many_values_is_left_out_and_said(store: Store) -> None:
    for number in range(MOST_VALUES + 1):
        judge(store, found(3 * number + 1, NOON + number), ot__object__first=number)
    offered = prefilled(store, only_alert(store)["id"])
    assert (list(offered.varied), "ot.object.first" in offered.where) == (["ot.object.first"], False)
    chosen = narrowed(offered, ["ot.object.first=3,5"])
    assert (next(iter(chosen)), chosen["ot.object.first"]) == ("ot.object.first", (3, 5))
    assert preview(store, drafted(store, only_alert(store)["id"], chosen, "W", "r")).stays == MOST_VALUES - 1


def test_the_command_says_what_is_left_out_and_what_stays(store: Store, tmp_path: Path) -> None:
    for number in range(MOST_VALUES + 1):
        judge(store, found(3 * number + 1, NOON + number), ot__object__first=number)
    words = ("suppress", only_alert(store)["id"], "--reason", "r", "--by", "Li", "--dry-run", "--store", tmp_path / "store")
    told = one(*words)
    assert (told["left_out"], told["preview"]["stays"]) == (["ot.object.first"], 0)
    told = one(*words, "--only", "ot.object.first=3,5")
    assert (told["left_out"], told["preview"]["stays"], told["preview"]["findings"]) == ([], MOST_VALUES - 1, 2)
    assert "--only FIELD=VALUE takes some of them" in " ".join(balefire(*words, "--language", "en").stdout.split())
    said = balefire(*words, "--language", "zh", "--only", "ot.object.first=3").stdout
    said = "".join(said.split())
    assert "任意组合" in said
    assert f"仍可见的发现：{MOST_VALUES}个" in said
    tried = one("rules", "backtest", "--suppression", only_alert(store)["id"], "--only", "ot.object.first=3,5", "--store", tmp_path / "store")
    assert (tried["fires"], tried["totals"]["removed"]) == (MOST_VALUES - 1, 2)


def test_what_was_found_true_and_happens_again_is_still_true_until_a_person_reopens_it(store: Store) -> None:
    judge(store, found(1, NOON))
    alert = store.alerts([only_alert(store)["id"]])[0]
    store.change([lifecycle.close(alert, "Li", "true", NOON)])
    judge(store, found(2, NOON + DAY))
    (again,) = store.alerts([alert.id])
    assert (again.status, again.verdict) == ("open", None)
    assert json.loads(store.read("audit", Query(sort="-id", limit=1)).column("before")[0].as_py())["verdict"] == "true"
    draft = drafted(store, alert.id, {"rule": ("station-acts",)}, "o", "r")
    assert preview(store, draft).confirmed == (alert.id,)
    assert [lost.alert["id"] for lost in hiding.backtest(store, draft, NOON, NOON + 2 * DAY).lost] == [alert.id]
    store.change([lifecycle.close(again, "Li", "true", NOON)])
    store.change([lifecycle.reopen(store.alerts([alert.id])[0], "Li")])
    assert preview(store, draft).confirmed == ()
    assert hiding.backtest(store, draft, NOON, NOON + 2 * DAY).lost == []


def test_widening() -> None:
    where: dict[str, tuple[Value, ...]] = {"ot.unit": (1, 2), "source.ip": ("10.0.0.9",), "rule": ("r",)}
    assert widened(where, ["OT.unit", "source.ip=10.0.0.0/24"]) == {"source.ip": ("10.0.0.0/24",), "rule": ("r",)}
    for wish, words in (
        ("ot.value", "source.ip"),
        ("rule", "one rule"),
        ("rule=x", "one rule"),
        ("source.ip=10.1.0.0/16", "10.0.0.9"),
        ("ot.unit=1", "no longer"),
    ):
        with pytest.raises(UsageError, match=words):
            widened(where, [wish])


def test_a_wrong_address_is_told_as_it_was_given() -> None:
    for wish, wrong in (("source.ip=300.1.1.1", "300.1.1.1"), ("source.ip=10.0.0.1,10.0.0.0/40", "10.0.0.0/40")):
        with pytest.raises(UsageError) as told:
            widened({"source.ip": ("10.0.0.1",), "rule": ("r",)}, [wish])
        assert f"“{wrong}”" in str(told.value) or f" {wrong}" in str(told.value)
        assert "[" not in str(told.value)


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        ("10.0.0.9/8", "10.0.0.0/8"),
        ("10.0.0.9,2001:db8::1/32", "2001:db8::/32"),
        ("0.0.0.0/0", "every address"),
        ("10.0.0.9,::/0", "--widen source.ip"),
        ("1.2.3.4/0", "every address"),
    ],
)
def test_a_network_with_bits_of_a_host_or_of_every_address_is_refused(allowed: str, words: str) -> None:
    where: dict[str, tuple[Value, ...]] = {"source.ip": ("10.0.0.9",), "rule": ("r",)}
    with pytest.raises(UsageError, match=words) as told:
        widened(where, [f"source.ip={allowed}"])
    assert told.value.text("zh") != str(told.value)
    assert widened(where, ["source.ip=10.0.0.9/32,10.0.0.0/8,2001:db8::/32"])["source.ip"] == ("10.0.0.9/32", "10.0.0.0/8", "2001:db8::/32")


def test_a_network_that_was_stored_with_bits_of_a_host_goes_on_hiding() -> None:
    assert hides(found(1, source="10.7.7.7"), suppression(source__ip="10.0.0.9/8")) == ("s",)


def test_what_hides_all_of_its_rule_is_said_to(store: Store, tmp_path: Path) -> None:
    judge(store, found(1))
    alert, where = only_alert(store)["id"], {"rule": ("station-acts",)}
    assert preview(store, drafted(store, alert, where, "o", "r")).everything == ("station-acts",)
    assert preview(store, drafted(store, alert, where | {"ot.unit": (1,)}, "o", "r")).everything == ()
    (file := tmp_path / "draft.yml").write_text("where: {rule: station-acts}\n", "utf-8")
    assert "everything that station-acts finds" in " ".join(
        balefire("rules", "backtest", file, "--store", tmp_path / "store", "--language", "en").stderr.split()
    )


def test_the_rules_together_are_no_kind_of_finding() -> None:
    with pytest.raises(UsageError, match="one rule"):
        mark([found(1)], [Suppression("s", "o", "r", 0, 1, {"detector": ("rules",)})], NOTHING)


@pytest.mark.parametrize(("owner", "reason", "days"), [("", "r", 1), ("\x1b\n", "r", 1), ("o", " ", 1), ("o", "r" * 4001, 1), ("o", "r", 0), ("o", "r", 400)])
def test_without_owner_reason_or_end_there_is_none(store: Store, owner: str, reason: str, days: float) -> None:
    with pytest.raises(UsageError):
        drafted(store, "a", {"rule": ("r",)}, owner, reason, days)


def test_two_that_hide_the_same_are_not_made(store: Store) -> None:
    judge(store, found(1))
    alert = only_alert(store)["id"]
    same: list[dict[str, tuple[Value, ...]]] = [
        {"rule": ("station-acts",), "ot.unit": (1, 2), "ot.error": (None,)},
        {"ot.error": ("",), "ot.unit": ("2", "1"), "rule": ("STATION-acts",)},
    ]
    made = save(store, drafted(store, alert, same[0], "Wang", "commissioning"), "Li")
    with pytest.raises(lifecycle.TransitionError, match=f"{made.id} of Wang"):
        save(store, drafted(store, alert, same[1], "Zhao", "something else"), "Zhao")
    save(store, drafted(store, alert, {**same[0], "ot.unit": (1,)}, "Wang", "r"), "Li")
    revoke(store, made, "Li")
    assert save(store, drafted(store, alert, same[1], "Zhao", "again"), "Zhao").id != made.id
    assert len(store.suppressions()[1]) == 3


def test_two_that_are_made_at_once_are_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both looked before either wrote: whoever comes second is refused by the transaction, looks again and says why."""
    judge(store, found(1))
    draft = drafted(store, only_alert(store)["id"], {"rule": ("station-acts",)}, "Wang", "commissioning")
    first = store.suppressions
    save(store, draft, "Li")
    nothing: tuple[int, list[Suppression]] = (0, [])
    before = iter([nothing])
    monkeypatch.setattr(store, "suppressions", lambda: next(before, None) or first())
    with pytest.raises(lifecycle.TransitionError, match="hides the same"):
        save(store, replace(draft, owner="Zhao", reason="other"), "Zhao")
    assert len(first()[1]) == 1


def test_what_is_hidden_already_is_not_hidden_once_more_by_a_back_test(store: Store) -> None:
    judge(store, found(1), found(2, NOON + 20))
    save(store, drafted(store, only_alert(store)["id"], {"rule": ("station-acts",)}, "Wang", "commissioning"), "Li")
    judge(store, found(3, NOON + 40))
    told = hiding.backtest(store, suppression(source__ip="10.0.0.9"), NOON - DAY, NOON + DAY)
    assert ([fire.id for fire in told.removed], told.removed_total, told.rows, told.fires) == (["f1", "f2"], 2, 3, 0)
    missed = hiding.backtest(store, suppression(source__ip="10.0.0.8"), NOON - DAY, NOON + DAY)
    assert (missed.removed_total, missed.rows, missed.fires) == (0, 3, 2)
