"""What retention deleted is told apart from what was never recorded, and reports that were made before it last."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from records.nesting import iso
from records.store import open_store
from reports.kept import Kept
from reports.lasting import reach
from reports.periods import Period, before, ending, holding, last_year
from reports.printing import printed
from reports.summary import document
from tests.golden.week import clock
from tests.reporting import DAY, START, Plant, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from records.store.contract import Store

ZONE = ZoneInfo("Asia/Shanghai")
TODAY = holding("daily", ZONE, START)
PAST = last_year(TODAY)
PARTS = "index", "alerts", "grave", "findings", "assets", "new_assets", "grade", "time_share"
HALF = PAST.since + DAY // 2


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A day, and the same one a year before, both stored at their time."""
    opened = open_store(str(tmp_path_factory.mktemp("lasting") / "store"), True)
    for since in (PAST.since, TODAY.since):
        with clock(since, 1):
            fill(opened, since, 1, Plant(controllers=2, findings=30, activities=10))
    yield opened
    opened.close()


def texts(told: dict[str, Any], language: str = "en") -> str:
    """The first page, and the chapter of what was not seen."""
    shown = printed(told, language)
    front = shown.front
    chapter = [text for each in shown.sections if each.name == "unseen" for text in each.texts]
    figures = [cell.text for row in front.compared.rows for cell in row]
    return "\n".join([front.note, front.sentence, front.beside, front.compared.note, *figures, *front.unseen, *chapter])


def test_last_year_is_told_from_rows_then_from_its_report_then_as_no_longer_kept(store: Store, tmp_path: Path) -> None:
    reports = Kept(tmp_path)
    then = document(store, PAST)
    told = document(store, TODAY, earlier=reports)
    assert {name: told["last_year"][name] for name in PARTS} == {
        "index": then["index"], "alerts": then["alerts"]["total"], "findings": then["alerts"]["findings"], "assets": then["assets"]["assets"],
        "grave": sum(each["total"] for each in then["alerts"]["severity"] if each["level"] in {"critical", "high"}), "new_assets": then["assets"]["new"],
        "grade": then["coverage"]["grade"], "time_share": then["coverage"]["time_share"],
    }  # fmt: skip
    assert then["alerts"]["total"] > 0
    assert (reach(store), told["whole"], "kept_from" in told, told["before"]["recorded"]) == (0, True, False, False)
    assert "no data" in texts(told), "nothing was recorded on the day before this, and nothing was deleted"
    _half_deleted(store, reports, then)
    _deleted(store, reports, then)


def _half_deleted(store: Store, reports: Kept, then: dict[str, Any]) -> None:
    store.retire(HALF)
    assert reach(store) == HALF
    part = document(store, PAST)
    assert (part["whole"], part["kept_from"], part["recorded"]) == (False, iso(HALF), True)
    assert all(gap["since"] >= iso(HALF) for gap in part["unseen"]["gaps"]), "nobody knows that nothing was seen in what was deleted"
    assert texts(part).count("deleted at the end of") == 3, "in the note, in what was not seen, and in its chapter"
    assert "not over" not in texts(part)
    told = document(store, TODAY)
    assert (told["last_year"]["recorded"], told["last_year"]["whole"], told["last_year"]["kept_from"]) == (True, False, iso(HALF))
    assert "only what is still kept" in texts(told)
    reports.keep(part)
    assert reports.of(PAST, None) is None, "a report of a part is none of the day"
    reports.keep(then)


def _deleted(store: Store, reports: Kept, then: dict[str, Any]) -> None:
    store.retire(TODAY.since - 30 * DAY)
    gone = document(store, PAST)
    assert (gone["whole"], gone["kept_from"], gone["recorded"]) == (False, gone["until"], False)
    for language, said, never in (("en", "kept", ("Nothing was recorded", "No sensor saw")), ("zh", "已超保存期", ("没有任何记录", "没有探针"))):
        assert said in gone["sentence"][language]
        assert not any(text in texts(gone, language) for text in never)
    assert printed(gone, "en").front.facts == [], "that nothing was seen is not known either"
    never_was = document(store, ending("daily", UTC, -1))
    assert ("kept_from" in never_was, "Nothing was recorded" in never_was["sentence"]["en"]) == (False, True), "no packet is from before 1970"
    told = document(store, TODAY)
    assert (told["last_year"]["recorded"], told["last_year"]["kept_from"], told["whole"]) == (False, told["last_year"]["until"], True)
    assert texts(told).count("no longer kept") == 7
    assert texts(told, "zh").count("已超保存期") == 7
    told = document(store, TODAY, earlier=reports)
    assert told["last_year"]["report"] == then["id"]
    assert (told["last_year"]["alerts"], told["last_year"]["index"]) == (then["alerts"]["total"], then["index"])
    assert f"report {then['id']}" in texts(told)
    file = reports.folder / then["id"] / f"{then['id']}.json"
    content = file.read_bytes()
    for spoil in (file.unlink, lambda: file.write_bytes(content[:-1])):  # its folder was emptied; it was changed
        spoil()
        lost = document(store, TODAY, earlier=reports)
        assert (lost["last_year"]["recorded"], lost["last_year"]["spoiled"]) == (False, [then["id"]])
        assert texts(lost).count("no longer kept") == 7
        assert f"empty, missing or changed: {then['id']}" in texts(lost)
        assert f"已被改动：{then['id']}" in texts(lost, "zh")
        file.write_bytes(content)
    assert document(store, TODAY, "Linghe Pumping Station", reports)["last_year"]["recorded"] is False, "that report was of all sites"
    assert document(store, before(TODAY))["sentence"]["en"].startswith("Nothing was recorded"), "nothing of that day was deleted"


def test_of_several_reports_of_a_period_one_that_knew_of_records_counts(store: Store, tmp_path: Path) -> None:
    reports, told = Kept(tmp_path), document(store, TODAY)
    later = Period(TODAY.kind, TODAY.zone, TODAY.since, TODAY.until - DAY // 2, whole=False)
    reports.keep(told)
    reports.keep(document(store, later))
    assert reports.of(TODAY, None) == told
    (tmp_path / told["id"] / f"{told['id']}.json").write_text("{}")
    assert reports.of(TODAY, None) is None, "it was changed"
