"""`balefire report`: what it prints for machines, where files go, which period; and reports that are made by themselves, once however long nothing ran."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import threading
import tomllib
from contextlib import closing, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from balefire.reporting import kept, note_of, turns
from balefire.schedule import Housekeeper, started
from balefire.screen import Screen
from balefire.settings import Settings
from detectors import lifecycle
from records.errors import StoreError
from records.store import open_store
from reports import keys, requesting
from reports.everything import every_row
from reports.ledger import Ledger
from tests.cli import ROOT, balefire, lines, one, stored
from tests.reporting import SITES, START, Plant, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from records.store.contract import Store
    from reports.periods import Period

HOUR = 3600 * 10**9


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of two sites."""
    place = tmp_path_factory.mktemp("made") / "store"
    store = open_store(str(place), True)
    fill(store, START, 3, Plant(controllers=3, findings=8, activities=20))
    store.close()
    return place


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return shutil.copytree(made, tmp_path / "store")


def at(text: str, zone: str = "Asia/Shanghai") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


def test_run_tells_identity_period_and_files(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Shanghai")
    out = tmp_path / "out"
    told = one("report", "run", "daily", "--until", "2026-11-04T00:00:00+08:00", "--output", out, "--store", own, "--language", "zh")
    assert list(told)[:2] == ["id", "period"]
    assert told["period"] == "daily"
    assert (told["since"], told["until"]) == ("2026-11-02T16:00:00.000000000Z", "2026-11-03T16:00:00.000000000Z")
    assert told["id"].startswith("daily-2026-11-03-")
    names = {Path(file).name.removeprefix(told["id"] + ".") for file in told["files"]}
    assert names == {"json", "zh.html", "zh.pdf", "zh.xlsx"}
    assert all(Path(file).stat().st_size for file in told["files"])
    assert {file.name for file in out.iterdir()} == {Path(file).name for file in told["files"]}
    formats = ("--format", "json", "--format", "html", "--both-languages")
    again = one("report", "run", "daily", "--until", "2026-11-04", "--output", tmp_path / "other", "--store", own, *formats)
    assert again["id"] == told["id"], "a date alone is one of the reports' calendar"
    assert [Path(file).name.removeprefix(told["id"] + ".") for file in again["files"]] == ["json", "en.html", "zh.html"]
    assert Path(again["files"][0]).read_bytes() == (out / f"{told['id']}.json").read_bytes()
    (row,) = lines("report", "list", "--store", own)
    assert (row["id"], row["period"], row["since"], row["whole"], row["redecided"]) == (told["id"], "daily", told["since"], True, None)
    document = json.loads((out / f"{told['id']}.json").read_bytes())
    assert one("report", "show", told["id"][:22], "--store", own) == document
    with closing(open_store(str(own), True)) as store:
        there = store.alerts(str(row["id"]) for row in every_row(store, "alert"))
        store.change([lifecycle.reopen(each, "eve") if each.status == "closed" else lifecycle.close(each, "eve", "false", 0) for each in there])
    (row,) = lines("report", "list", "--store", own)
    assert len(there) > row["redecided"]["alerts"] == document["alerts"]["total"], "what is decided since is said of this report's alerts alone"
    said = balefire("report", "show", told["id"], "--store", own, "--language", "en")
    assert f"since it was made, {document['alerts']['total']} of its alerts" in said.stderr


def test_a_site_alone_and_one_that_there_is_not(own: Path) -> None:
    told = one("report", "run", "daily", "--site", "Linghe Pumping Station", "--format", "json", "--store", own)
    assert json.loads(Path(told["files"][0]).read_bytes())["site"] == "Linghe Pumping Station"
    assert Path(told["files"][0]).parent == own / "reports" / told["id"]
    wrong = balefire("report", "run", "daily", "--site", "Atlantis", "--store", own, "--language", "en")
    assert wrong.exit_code == 2
    assert "Linghe Pumping Station" in wrong.stderr
    siteless = balefire("report", "run", "daily", "--site", "nowhere", "--store", stored()[0], "--language", "en")
    assert (siteless.exit_code, "no sensor of this store says its site" in siteless.stderr) == (2, True)


def test_a_period_that_is_to_come_is_not_told_as_if_it_were_over(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: at("2026-11-05T12:00"))
    told = one("report", "run", "quarterly", "--until", "2027-01-01", "--format", "json", "--store", own)
    document = json.loads(Path(told["files"][0]).read_bytes())
    assert (document["whole"], document["until_local"]) == (False, "2026-11-05T04:01:00+00:00")
    for kind, until in (("weekly", "2031-01-01"), ("quarterly", "2099-01-01"), ("daily", "2026-11-07")):
        said = balefire("report", "run", kind, "--until", until, "--format", "json", "--store", own, "--language", "en")
        assert (said.exit_code, said.stdout) == (2, "")
        assert f"The period that --until {until} means begins" in said.stderr


def test_without_the_packages_that_a_form_takes_the_others_are_made(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    said = balefire("report", "run", "daily", "--store", own, "--language", "en", "--json")
    assert said.exit_code == 0
    assert [Path(file).suffix for file in json.loads(said.stdout)["files"]] == [".html", ".json"]
    assert "A PDF takes WeasyPrint" in said.stderr
    assert "A workbook takes XlsxWriter" in said.stderr
    for form in ("pdf", "xlsx"):
        named = balefire("report", "run", "daily", "--format", form, "--store", own, "--language", "en")
        assert (named.exit_code, "pip install 'balefire[reports]'" in named.stderr) == (1, True), "asked for by name"


def test_what_cannot_be_done_is_said(own: Path, tmp_path: Path) -> None:
    open_store(str(tmp_path / "empty"), True).close()
    assert balefire("report", "run", "daily", "--store", tmp_path / "empty").exit_code == 2
    assert balefire("report", "run", "hourly", "--store", own).exit_code == 2
    for until, told in (("soon", "is not a time"), ("", "is not a time"), ("0001-01-01", "one of the years 1678 to 2261"), ("1678-01-01", "over before 1970")):
        said = balefire("report", "run", "daily", "--until", until, "--store", own, "--language", "en")
        assert (said.exit_code, told in said.stderr) == (2, True), until
    assert balefire("report", "show", "daily-2026-11-02-000000000000", "--store", own).exit_code == 1
    (tmp_path / "file").write_text("")
    assert balefire("report", "run", "daily", "--format", "json", "--output", tmp_path / "file" / "x", "--store", own).exit_code == 4
    told = one("report", "run", "daily", "--format", "json", "--store", own)
    file = Path(told["files"][0])
    file.write_bytes(file.read_bytes().replace(b'"total"', b'"Total"', 1))
    listed = balefire("report", "list", "--store", own, "--json", "--language", "en")
    assert listed.exit_code == 4
    assert "is not the document that its name says" in listed.stderr
    assert json.loads(listed.stdout)["id"] == told["id"]


def test_the_demo_has_a_report_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, _ = stored()
    monkeypatch.setenv("BALEFIRE_REPORTS__DIRECTORY", str(tmp_path / "reports"))
    said = balefire("report", "run", "daily", "--format", "html", "--store", place, "--language", "en")
    assert said.exit_code == 0
    assert "10.20.1.66 told 10.20.1.12 to restart" in said.stdout
    assert "61.3 situation index, of 100" in said.stdout
    assert "态势指数" in balefire("report", "show", "daily", "--store", place, "--language", "zh").stdout


# the schedule


def settings(**more: Any) -> Settings:
    told = {"zone": "Asia/Shanghai", "schedule": ["daily", "weekly"], "hour": 6, "formats": ["json"], **more}
    return Settings.model_validate({"reports": told})


@pytest.fixture
def store(own: Path) -> Iterator[Store]:
    opened = open_store(str(own), True)
    yield opened
    opened.close()


def made_before(store: Store, *kinds: str, site: str | None = None) -> None:
    """Reports of these kinds were made of a time long ago: whatever is over since is due."""
    for kind in kinds:
        assert store.note(note_of(kind, site), at("2026-01-01T00:00"), None)


def test_of_what_was_before_the_store_nothing_is_made(store: Store, tmp_path: Path) -> None:
    """Rows begin on Monday, 2 November: the week before and October are nobody's."""
    wanted = settings(schedule=["daily", "weekly", "monthly"])

    def due(opened: Store, now: str) -> list[str]:
        return [turn.kind for turn in turns(opened, wanted, at(now)) if turn.due]

    assert due(store, "2026-11-02T12:00") == []
    assert due(store, "2026-11-05T06:00") == ["daily"]
    assert due(store, "2026-11-09T06:00") == ["daily", "weekly"]
    assert due(store, "2026-12-01T06:00") == ["daily", "weekly", "monthly"]
    empty = open_store(str(tmp_path / "empty"), True)
    assert due(empty, "2026-12-01T06:00") == []
    empty.close()


@pytest.mark.parametrize(
    ("now", "daily", "weekly"),
    [
        ("2026-11-05T05:59", "2026-11-03", "2026-10-26"),  # not yet six: the day before yesterday's
        ("2026-11-05T06:00", "2026-11-04", "2026-10-26"),
        ("2026-11-09T05:59", "2026-11-07", "2026-10-26"),  # a Monday
        ("2026-11-09T06:00", "2026-11-08", "2026-11-02"),
        ("2027-01-01T07:00", "2026-12-31", "2026-12-21"),
    ],
)
def test_what_is_due_by_the_calendar(store: Store, now: str, daily: str, weekly: str) -> None:
    made_before(store, "daily", "weekly")
    found = {turn.kind: turn for turn in turns(store, settings(), at(now))}
    assert {kind: str(turn.due.first) if turn.due else None for kind, turn in found.items()} == {"daily": daily, "weekly": weekly}
    assert all(turn.due and turn.due.whole for turn in found.values())
    assert all(turn.following > at(now) for turn in found.values())


def test_the_hour_stays_the_hour_when_clocks_change(store: Store) -> None:
    """On 25 October 2026 Berlin's clocks go back: the hour is that of the wall, before and after."""
    berlin = settings(zone="Europe/Berlin", schedule=["daily"])
    made_before(store, "daily")
    for day in ("2026-10-24", "2026-10-25", "2026-10-26"):
        (early,), (late,) = (turns(store, berlin, at(f"{day}T{time}", "Europe/Berlin")) for time in ("05:59", "06:00"))
        assert early.due
        assert late.due
        assert late.due.since == early.due.until
        assert early.following == at(f"{day}T06:00", "Europe/Berlin")


def housekeeper(store: Store, own: Path, wanted: Settings) -> tuple[Housekeeper, list[str]]:
    said: list[str] = []
    screen = Screen(wanted, "en", str(own))
    screen.note = said.append  # pyright: ignore[reportAttributeAccessIssue] - what people would read
    return Housekeeper(screen, lambda: nullcontext(store)), said


def on_schedule(keeper: Housekeeper, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the scheduler itself have it look, so many times."""
    looked, once = threading.Semaphore(0), keeper.look

    def look() -> bool:
        try:
            return once()
        finally:
            looked.release()

    for name, value in (("FIRST_S", 0.0), ("LOOK_S", 0.05)):
        monkeypatch.setattr(f"balefire.schedule.{name}", value)
    monkeypatch.setattr(keeper, "look", look)
    scheduler = started(keeper)
    try:
        assert all(looked.acquire(timeout=60) for _ in range(looks))
    finally:
        scheduler.shutdown()
    monkeypatch.setattr(keeper, "look", once)


def test_a_schedule_that_was_missed_by_a_week_runs_once(store: Store, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ten minutes somebody looks; nobody does from the 5th to the 12th. Then the last day is told, once, and goes on day by day."""
    wanted = settings(schedule=["daily"])
    keeper, said = housekeeper(store, own, wanted)
    monkeypatch.setattr("balefire.schedule.jobs", lambda: [job for job in real() if job.name == "report"])

    def look(text: str) -> list[str]:
        monkeypatch.setattr("time.time_ns", lambda: at(text))
        assert keeper.look()
        return [str(row["since_local"])[:10] for row in kept(wanted, str(own)).heads()]

    assert look("2026-11-04T06:00") == ["2026-11-03"]
    for time in ("06:10", "12:00", "23:50"):
        assert look(f"2026-11-04T{time}") == ["2026-11-03"], "once a day"
    assert look("2026-11-05T06:00") == ["2026-11-04", "2026-11-03"]
    monkeypatch.setattr("time.time_ns", lambda: at("2026-11-12T08:50"))
    on_schedule(keeper, 3, monkeypatch)
    for time in ("09:00", "09:10"):
        assert look(f"2026-11-12T{time}") == ["2026-11-11", "2026-11-04", "2026-11-03"], "one for all that were missed"
    assert look("2026-11-13T06:00")[0] == "2026-11-12"
    assert store.notes()[note_of("daily")] == at("2026-11-13T00:00")
    assert said == ["Reports: 1 made that was due."] * 4
    assert kept(wanted, str(own)).heads()[0]["recorded"] is False, "a sensor that is dead is told, too"


def test_a_site_may_have_a_schedule_of_its_own(store: Store, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings(schedule=["daily"], sites={SITES[1]: ["daily", "weekly"]})
    made_before(store, "weekly", site=SITES[1])
    keeper, said = housekeeper(store, own, wanted)
    monkeypatch.setattr("balefire.schedule.jobs", lambda: [job for job in real() if job.name == "report"])
    monkeypatch.setattr("time.time_ns", lambda: at("2026-11-04T06:00"))
    assert keeper.look()
    assert keeper.look(), "and again nothing is due"
    made = {(row["period"], row["site"]) for row in kept(wanted, str(own)).heads()}
    assert made == {("daily", None), ("daily", SITES[1]), ("weekly", SITES[1])}
    assert said == ["Reports: 3 made that were due."]
    monkeypatch.setattr("time.time_ns", lambda: at("2026-11-05T06:00"))
    assert [(turn.kind, turn.site) for turn in turns(store, wanted, at("2026-11-05T06:00")) if turn.due] == [("daily", None), ("daily", SITES[1])]
    assert note_of("daily", "a") != note_of("daily", "b") != note_of("daily")


def test_what_failed_is_due_still(store: Store, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = settings(schedule=["daily"], directory=str(own / "lock" / "x"))  # a file stands where a directory should be made
    keeper, said = housekeeper(store, own, wanted)
    monkeypatch.setattr("balefire.schedule.jobs", lambda: [job for job in real() if job.name == "report"])
    monkeypatch.setattr("time.time_ns", lambda: at("2026-11-04T06:00"))
    assert not keeper.look()
    assert not keeper.look()
    assert len(said) == 1, "said once"
    assert "cannot be written" in said[0]
    assert note_of("daily") not in store.notes()
    mended, _ = housekeeper(store, own, settings(schedule=["daily"]))
    assert mended.look()
    assert store.notes()[note_of("daily")] == at("2026-11-04T00:00")


def test_what_failed_keeps_no_other_from_being_made(store: Store, own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several that fail each reason is said once, however often it is tried."""
    from balefire import reporting

    wanted, whole = settings(schedule=["daily"], sites={site: ["daily"] for site in SITES}), reporting.made

    def made(store: Store, settings: Settings, where: str, period: Period, site: str | None = None) -> dict[str, Any]:
        if site in broken:
            raise StoreError("report.folder", folder="there", problem="gone") if site is None else ValueError(site)
        return whole(store, settings, where, period, site)

    monkeypatch.setattr(reporting, "made", made)
    monkeypatch.setattr("balefire.schedule.jobs", lambda: [job for job in real() if job.name == "report"])
    monkeypatch.setattr("time.time_ns", lambda: at("2026-11-04T06:00"))
    keeper, said = housekeeper(store, own, wanted)
    broken: set[str | None] = {None, SITES[0]}
    assert not keeper.look()
    assert not keeper.look()
    assert [row["site"] for row in kept(wanted, str(own)).heads()] == [SITES[1]]
    (told,) = said
    assert (told.count(StoreError("report.folder", folder="there", problem="gone").text("en")), told.count(f"ValueError: {SITES[0]}")) == (1, 1)
    broken.clear()
    assert keeper.look()
    assert said[1:] == ["Reports: 2 made that were due."]


def real() -> list[Any]:
    from balefire.jobs.evidence import JOB as EVIDENCE
    from balefire.jobs.report import JOB as REPORT

    return [EVIDENCE, REPORT]


def test_schedule_for_machines(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: at("2026-12-05T06:00"))
    assert lines("report", "schedule", "--store", own) == []
    monkeypatch.setenv("BALEFIRE_REPORTS__SCHEDULE", '["monthly"]')
    (row,) = lines("report", "schedule", "--store", own)
    assert (row["period"], row["made_until"], row["due"], row["zone"]) == ("monthly", None, True, "UTC")
    for language, words in (("en", "made once, of the last period that is over"), ("zh", "只补最近一个已结束的周期")):
        assert words in balefire("report", "schedule", "--store", own, "--language", language).stderr
    monkeypatch.setenv("BALEFIRE_REPORTS__SITES", '{"nowhere": ["weekly"]}')
    assert [row["site"] for row in lines("report", "schedule", "--store", own)] == [None, "nowhere"]
    assert "nowhere" in balefire("report", "schedule", "--store", own, "--language", "en").stderr, "a slip of the pen is said"
    monkeypatch.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Atlantis")
    wrong = balefire("report", "schedule", "--store", own, "--language", "en")
    assert wrong.exit_code == 2
    assert "Asia/Shanghai" in wrong.stderr


def test_the_page_s_commands_are_commands_and_its_settings_are_settings() -> None:
    from balefire.cli import main

    text = (ROOT / "docs" / "reports.md").read_text("utf-8")
    for line in text.split("```sh\n")[1].split("```")[0].splitlines():
        words = shlex.split(line, comments=True)[1:]
        command: Any = main
        for word in words[:2]:
            command = command.commands[word]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words
    told = tomllib.loads(text.split("```toml\n")[1].split("```")[0])
    found = Settings.model_validate(told).reports
    assert set(told["reports"]) == set(type(found).model_fields), "every setting stands on the page"


def test_a_released_report_is_signed_once_with_its_files_and_verified_offline(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COST", 1 << 14)
    monkeypatch.setenv(keys.PASSPHRASE, "a passphrase of the tests")
    place = ("--ledger", tmp_path / "ledger", "--keys", tmp_path / "keys")
    told = one("report", "run", "daily", "--store", own, "--format", "html", "--format", "xlsx")
    unsigned = balefire("report", "release", told["id"], "--store", own, *place, "--language", "en")
    assert (unsigned.exit_code, "balefire key make" in unsigned.stderr) == (2, True)
    public = one("key", "make", *place)["key"]
    done = one("report", "release", told["id"][:-4], "--store", own, *place, "--by", "Wang Fang")
    assert (done["id"], done["number"]) == (told["id"], 2)
    assert sorted(done["files"]) == sorted(Path(file).name for file in told["files"])
    again = balefire("report", "release", told["id"], "--store", own, *place, "--by", "bo", "--json", "--language", "en")
    assert json.loads(again.stdout) == done, "once, whoever asks"
    assert "was released already (Wang Fang, 20" in balefire("report", "release", told["id"], "--store", own, *place, "--by", "bo", "--language", "en").stdout
    with closing(open_store(str(own), False)) as store:
        trail = every_row(store, "audit", "table:release")
    assert [(row["subject"], row["by"], done["receipt"] in row["after"]) for row in trail] == [(told["id"], "Wang Fang", True)], "in the trail, once"
    assert one("verify", tmp_path / "ledger", "--key", public, "--receipt", done["receipt"])["valid"] is True
    entry = json.loads(Path(done["entry"]).read_text("utf-8"))["entry"]
    assert (entry["document"], entry["by"]) == (one("report", "show", told["id"], "--store", own), "Wang Fang")
    page = next((tmp_path / "ledger" / "000002").glob("*.html"))
    page.write_bytes(page.read_bytes() + b" ")
    refused = balefire("verify", tmp_path / "ledger", "--key", public, "--json")
    assert (refused.exit_code, json.loads(refused.stdout)["valid"]) == (1, False)


def test_what_was_printed_elsewhere_is_signed_too_and_what_is_not_signed_is_said(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COST", 1 << 14)
    monkeypatch.setenv(keys.PASSPHRASE, "a passphrase of the tests")
    place = ("--ledger", tmp_path / "ledger", "--keys", tmp_path / "keys")
    one("key", "make", *place)

    def released(identity: str) -> tuple[dict[str, Any], str]:
        said = balefire("report", "release", identity, "--store", own, *place, "--language", "en", "--json")
        assert said.exit_code == 0
        return json.loads(said.stdout), said.stderr

    out = tmp_path / "out"
    told = one("report", "run", "daily", "--store", own, "--output", out, "--format", "html", "--format", "xlsx")
    assert {Path(file).parent for file in told["files"]} == {out}
    done, said = released(told["id"])
    assert (sorted(done["files"]), said) == (sorted(file.name for file in out.iterdir()), "")
    assert all((tmp_path / "ledger" / "000002" / name).read_bytes() == (out / name).read_bytes() for name in done["files"])
    show = ("report", "show", told["id"], "--store", own, "--language")
    assert balefire(*show, "zh", "--format", "html", "--output", tmp_path / "late").exit_code == 0
    (late,) = (tmp_path / "late").iterdir()
    again, said = released(told["id"])
    assert again == done
    assert f"after the release: {late.name}" in said
    assert balefire(*show, "zh", "--output", tmp_path / "all").exit_code == 0
    assert {file.name for file in (tmp_path / "all").iterdir()} == {*done["files"], late.name, f"{told['id']}.json"}
    changed = own / "reports" / told["id"] / done["files"][0]
    changed.write_bytes(changed.read_bytes() + b" ")
    assert changed.name in released(told["id"])[1]
    bare = one("report", "run", "weekly", "--store", own, "--output", out, "--format", "json")
    done, said = released(bare["id"])
    assert done["files"] == []
    assert "Signed is the document alone" in said


@pytest.mark.parametrize("asked", [False, True], ids=["named", "asked"])
def test_only_the_forms_of_a_report_are_released_and_only_as_it_prints_them(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    monkeypatch.setattr(keys, "COST", 1 << 14)
    monkeypatch.setenv(keys.PASSPHRASE, "a passphrase of the tests")
    place = ("--ledger", tmp_path / "ledger", "--keys", tmp_path / "keys")
    one("key", "make", *place)
    told = one("report", "run", "daily", "--store", own, "--format", "html", "--language", "en")
    folder, name = own / "reports" / told["id"], told["id"]
    if asked:
        with closing(open_store(str(own), True)) as store:
            requesting.ask(store, kept(Settings(), str(own)), Ledger(tmp_path / "ledger"), name, "Li Wei")
    release = ("report", "release", "--asked" if asked else name, "--store", own, *place, "--language", "en", "--json")
    page = folder / f"{name}.en.html"
    foreign = [] if asked else [(folder / f"{name}.zh.pdf", b"%PDF-1.7 of another report"), (folder / f"weekly{name[5:]}.en.html", page.read_bytes())]
    for file, content in ((folder / "evil.exe", b"MZ"), (page, page.read_bytes() + b" "), *foreign):
        was = file.read_bytes() if file.exists() else None
        file.write_bytes(content)
        refused = balefire(*release)
        assert (refused.exit_code, refused.stdout) == (4, ""), file
        assert str(file) in refused.stderr
        assert Ledger(tmp_path / "ledger").numbers() == [1], "nothing was released"
        file.unlink() if was is None else file.write_bytes(was)
    assert one(*release[:-1])["files"] == [page.name]


def test_what_cannot_be_kept_is_printed_elsewhere_and_said(own: Path, tmp_path: Path) -> None:
    told = one("report", "run", "daily", "--store", own, "--format", "json")
    folder = Path(told["files"][0]).parent
    (folder / f"{told['id']}.en.html").mkdir()  # nothing can be put there
    words = ("report", "show", told["id"], "--store", own, "--format", "html", "--language", "en")
    assert balefire(*words).exit_code == 4
    said = balefire(*words, "--output", tmp_path / "out")
    assert (said.exit_code, [file.name for file in (tmp_path / "out").iterdir()]) == (0, [f"{told['id']}.en.html"])
    assert "a release does not sign it" in said.stderr
