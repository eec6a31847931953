"""The golden report: the week of a small plant is told as it was, to the digit and to the word."""

from __future__ import annotations

import json

from reports.summary import identity
from tests.golden.week import FILES, made, texts


def test_the_week_is_told_as_it_was() -> None:
    told = made()
    assert told["id"] == identity(told)
    for name, text in texts(told).items():
        wanted = FILES[name].read_text("utf-8")
        assert text.splitlines() == wanted.splitlines(), f"{FILES[name].name} differs; if that is meant: python -m tests.golden"


def test_the_golden_week_has_what_a_report_is_for() -> None:
    """A part that the plant does not show would not be seen to change."""
    told = json.loads(FILES["json"].read_text("utf-8"))
    assert identity(told) == told["id"], "nobody wrote into it by hand"
    named = {(each["change"], each["kind"]) for version in told["changes"]["versions"] for each in version["named"]}
    assert named == {("added", "policy"), ("added", "disabled"), ("changed", "rule")}
    assert {each["table"] for each in told["changes"]["listed"]} == {"plant", "rules", "suppression"}
    assert {name for each in told["data"]["flows"] for name in (each["from"], each["to"]) if name} == set(told["zones"])
    assert told["before"]["recorded"]
    assert told["last_year"]["recorded"]
    found = told["assets"]
    assert {each["outside"] for each in found["remote"]["listed"]} == {True, False}
    assert all(found[name] for name in ("new", "outside", "unlisted", "without_role", "without_zone"))
    assert found["internet"]["inbound"]
    assert told["unseen"]["silent"]
    seen = told["coverage"]
    assert [sum(each[name] for each in seen["places"]) for name in ("minutes", "seen_minutes")] == [seen["minutes"], seen["seen_minutes"]]
    assert min(each["time_share"] for each in told["sites"]) < seen["time_share"] < 70, "a sensor that fell silent counts for its site, too"
    assert told["unseen"]["disabled"]
    assert {each["level"] for each in told["data"]["flows"]} == {1, 2, 3}
    assert told["unseen"]["gaps"]
    assert told["changes"]["suppressions"][0]["hidden"] > 0
    assert all(told["alerts"]["verdict"].values())
    assert len(told["sites"]) == 2
