"""The battery that every detector passes, and the words of findings."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.discovery import Setup, detectors
from detectors.phrases import notation
from detectors.rulebook.load import own_rules
from detectors.rulebook.techniques import TECHNIQUES
from detectors.scoring import CONFIDENCE, EFFECTS
from records.model import Batch
from records.wording import say
from tests.examples import as_many
from tests.frames import activities, hostile, polling

if TYPE_CHECKING:
    from pathlib import Path

    from detectors.detector import Detector
    from records.model import Finding

NAMES = [detector.name for detector in detectors()]
HOSTILE, POLLING = hostile(), polling()


def built(name: str) -> Detector:
    detector = next(one for one in detectors(Setup(files={"case": "plant.pcap"})) if one.name == name)
    detector.learn(POLLING)
    return detector


DETECTORS = {name: built(name) for name in NAMES}


def fresh(name: str) -> Detector:
    """A detector that has learned and judged nothing; built once, since its rules are read from files."""
    detector = DETECTORS[name]
    detector.restore(CLEAN[name])
    return detector


CLEAN = {name: detector.state() for name, detector in DETECTORS.items()}


def pieces(batch: Batch, cuts: list[int]) -> list[Batch]:
    height, covered = batch.activities.num_rows, batch.coverage.num_rows
    edges = [0, *sorted(min(cut, height) for cut in cuts), height]
    shares = [edge * covered // height for edge in edges]
    return [
        Batch(activities=batch.activities.slice(start, end - start), coverage=batch.coverage.slice(first, last - first))
        for (start, end), (first, last) in zip(pairwise(edges), pairwise(shares), strict=True)
    ]


def judged(detector: Detector, batches: list[Batch]) -> list[Finding]:
    return [finding for batch in batches for finding in detector.judge(batch)]


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=as_many(25))
@given(cuts=st.lists(st.integers(0, HOSTILE.activities.num_rows), max_size=8))
def test_any_cut_of_the_input_gives_the_same_findings(name: str, cuts: list[int]) -> None:
    assert judged(fresh(name), pieces(HOSTILE, cuts)) == judged(fresh(name), [HOSTILE])


@pytest.mark.parametrize("name", NAMES)
def test_one_row_at_a_time_gives_the_same_findings(name: str) -> None:
    rows = list(range(HOSTILE.activities.num_rows))
    assert judged(fresh(name), pieces(HOSTILE, rows)) == judged(fresh(name), [HOSTILE])


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=as_many(10))
@given(cut=st.integers(0, HOSTILE.activities.num_rows))
def test_state_saved_and_restored_gives_the_same_findings(name: str, cut: int) -> None:
    whole = judged(fresh(name), [HOSTILE])
    first, second = pieces(HOSTILE, [cut])
    detector = fresh(name)
    before = detector.judge(first)
    saved = detector.state()
    detector.restore(CLEAN[name])
    detector.restore(saved)
    assert before + detector.judge(second) == whole


@pytest.mark.parametrize("name", NAMES)
def test_it_fires_on_an_attack_and_is_silent_on_polling(name: str) -> None:
    assert judged(fresh(name), [HOSTILE])
    assert judged(fresh(name), [POLLING]) == []
    assert judged(fresh(name), [Batch()]) == []


@pytest.mark.parametrize("name", NAMES)
def test_it_refuses_a_state_that_is_not_its_own(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        DETECTORS[name].restore(b"\x00not a state")


@pytest.mark.parametrize("name", NAMES)
def test_findings_are_whole(name: str) -> None:
    found = judged(fresh(name), [HOSTILE])
    rows = {row["id"]: row for row in HOSTILE.activities.select(["id", "ot.packet.first"]).to_pylist()}
    assert len({finding.id for finding in found}) == len(found)
    for finding in found:
        assert re.fullmatch(r"[0-9a-f]{20}", finding.id)
        assert finding.detector == name
        assert finding.score == sum(term.value for term in finding.terms)
        assert finding.severity == max(0, min(100, round(finding.score)))
        assert finding.time <= finding.end
        assert set(finding.activities) <= set(rows)
        assert set(finding.techniques) <= TECHNIQUES
        if name == "coverage":  # what was not seen is no activity, has no packets, and may be nobody's doing
            assert (finding.activities, finding.techniques, finding.packets) == ((), (), ())
            continue
        assert finding.techniques
        if name == "attempts":  # a connection of no protocol is no activity
            assert (finding.activities, finding.effects, {packet.file for packet in finding.packets}) == ((), (), {"S7"})
            continue
        assert finding.packets[0].file == "plant.pcap"
        assert finding.packets[0].packet == rows[finding.activities[0]]["ot.packet.first"]


@pytest.mark.parametrize("name", NAMES)
def test_words_are_plain_in_both_languages(name: str) -> None:
    for finding in judged(fresh(name), [HOSTILE]):
        texts = [finding.title, finding.reason, *finding.terms, *finding.respond, *([finding.normal] if finding.normal else [])]
        for text in texts:
            assert not re.search(r"suspicious|!|！|可疑|[{}]|None", f"{text.en} {text.zh}"), text
            assert re.search(r"[一-鿿]", text.zh), text
            assert not re.search(r"[一-鿿]", text.en), text


def reason_of(**stated: object) -> tuple[str, str, str]:
    row = {key.replace("__", "."): value for key, value in stated.items()}
    finding = DETECTORS["rules"].judge(Batch(activities=activities(row)))[0]
    return finding.title.en, finding.reason.en, finding.reason.zh


def test_a_finding_says_who_did_what_to_what() -> None:
    named = {"destination__asset__name": "PLC-7", "ot__effect": "output.operate", "ot__object__space": "coil", "ot__object__first": 17, "ot__value": 1.0}
    title, english, chinese = reason_of(source__ip="203.0.113.9", **named)
    assert title == "203.0.113.9, an address outside the private ranges, sent PLC-7 (10.10.1.20) a write or command"
    assert english == (
        "203.0.113.9 asked PLC-7 (10.10.1.20), unit 1, to operate an output: coil 00018, value 1. The device carried it out. "
        "Who controls a plant sits in its control network; a public address means a way in from outside."
    )
    assert chinese.startswith("203.0.113.9 要求 PLC-7（10.10.1.20） 单元 1 操作输出：线圈 00018，数值 1。设备已执行。控制装置的主机")


@pytest.mark.parametrize(
    ("stated", "english", "chinese"),
    [
        ({"ot.effect": "unknown", "event.action": "malformed", "ot.anomaly": ["bad_length"]}, "(a malformed message)", "（畸形报文）"),
        ({"ot.effect": "unknown", "event.action": "function_43_14", "event.outcome": "failure"}, "(function 43/14)", "（功能码 43/14）"),
        ({"ot.effect": "cpu.stop", "ot.error": "exception_9", "event.outcome": "failure"}, "refused it: exception 9.", "设备拒绝：异常码 9。"),
        (
            {"ot.effect": "cpu.stop", "ot.error": "connection_failure_0x0150", "event.outcome": "failure"},
            "refused it: the connection failed (extended status 0x0150).",
            "设备拒绝：连接失败（扩展状态 0x0150）。",
        ),
    ],
)
def test_names_that_the_engine_makes_are_told_in_words(stated: dict[str, object], english: str, chinese: str) -> None:
    reason = DETECTORS["rules"].judge(Batch(activities=activities(stated)))[0].reason
    assert english in reason.en
    assert chinese in reason.zh


@pytest.mark.parametrize("name", NAMES)
def test_chinese_sentences_hold_no_english_words(name: str) -> None:
    for finding in judged(fresh(name), [HOSTILE]):
        for text in (finding.title, finding.reason):
            words = re.sub(r"（unknown）|“[a-z0-9_]+”", "", text.zh)  # what a protocol is called, and itself calls an operation, stays
            assert not re.search(r"[A-Za-z]{3,}", words), text.zh


def test_a_refusal_and_silence_are_told_apart() -> None:
    refused = reason_of(
        ot__effect="value.write", event__outcome="failure", ot__error="illegal_data_address", ot__object__space="holding_register", ot__object__first=17
    )
    assert "to write values: register 40018. The device refused it: it does not have the address." in refused[1]
    assert "No answer was seen." in reason_of(ot__effect="cpu.stop", event__outcome="unknown")[1]


def test_addresses_are_written_as_engineers_write_them() -> None:
    assert [notation(40001, 17), notation(1, 0), notation(40001, 9998), notation(40001, 9999), notation(None, 17)] == [
        "40018", "00001", "49999", "410000", "17",
    ]  # fmt: skip


def test_terms_follow_what_became_of_the_request() -> None:
    def score(outcome: str) -> list[float]:
        found = DETECTORS["rules"].judge(Batch(activities=activities({"ot.effect": "program.download", "event.outcome": outcome})))
        return next([term.value for term in finding.terms] for finding in found if finding.rule == "program-downloaded")

    assert score("success") == [65, 8]
    assert score("unknown") == [65, -5]
    found = DETECTORS["rules"].judge(Batch(activities=activities({"ot.effect": "program.download", "event.outcome": "failure"})))
    assert {finding.rule: [term.value for term in finding.terms] for finding in found} == {"program-downloaded": [65, -15], "write-refused": [25, 5]}


def test_a_term_for_the_effect_where_the_rule_asks_for_none() -> None:
    """The battery's malformed write: its rule asks for the anomaly alone."""
    for access, value in (*EFFECTS, ("read", None)):
        found = DETECTORS["rules"].judge(Batch(activities=activities({"ot.access": access, "ot.anomaly": ["short"], "event.outcome": "success"})))
        (terms,) = [finding.terms for finding in found if finding.rule == "malformed-traffic"]
        assert [term.value for term in terms if term.en in {say(f"detectors.term.effect.{name}", "en") for name, _ in EFFECTS}] == [value] * (value is not None)


@pytest.mark.parametrize(("status", "value"), CONFIDENCE.items())
def test_a_term_for_how_far_a_rule_is_proven(tmp_path: Path, status: str, value: float) -> None:
    text = (own_rules() / "control" / "controller-stopped.yml").read_text("utf-8")
    (tmp_path / "controller-stopped.yml").write_text(re.sub(r"^status: .*$", f"status: {status}", text, flags=re.MULTILINE), "utf-8")
    rules = next(one for one in detectors(Setup(rules=(tmp_path,))) if one.name == "rules")
    (found,) = rules.judge(Batch(activities=activities({"ot.effect": "cpu.stop", "event.outcome": "success"})))
    assert [term.value for term in found.terms[1:]] == [*([value] if value else []), 8]
    assert found.score == sum(term.value for term in found.terms)


@pytest.mark.parametrize(
    ("criticality", "value"),
    [
        ({}, None), ({"10.0.0.5": "high"}, 9), ({"10.0.0.0/8": "low"}, -10), ({"10.0.0.0/8": "low", "10.0.0.5/32": "critical"}, 15),
        ({"10.0.0.0/8": "critical", "10.0.0.0/24": "normal"}, None), ({"fe80::/10": "critical"}, None),
    ],
)  # fmt: skip
def test_a_term_for_what_the_device_matters(criticality: dict[str, str], value: float | None) -> None:
    rules, others = (next(one for one in detectors(setup) if one.name == "rules") for setup in (Setup(criticality=criticality), Setup()))
    batch = Batch(activities=activities({"ot.effect": "cpu.stop", "source.ip": "192.168.1.9", "destination.ip": "10.0.0.5"}))
    (found,), (plain,) = rules.judge(batch), others.judge(batch)
    assert found.terms[: len(plain.terms)] == plain.terms
    assert [term.value for term in found.terms[len(plain.terms) :]] == ([] if value is None else [value])
    assert found.score == plain.score + (value or 0)
    assert rules.state() == others.state()


@pytest.mark.parametrize(
    ("criticality", "value", "whose"),
    [
        ({"10.0.0.9": "critical"}, 15, "10.0.0.9, which acts"),
        ({"10.0.0.9": "critical", "10.0.0.5": "high"}, 15, "10.0.0.9, which acts"),
        ({"10.0.0.9": "high", "10.0.0.5": "low"}, 9, "10.0.0.9, which acts"),
        ({"10.0.0.9": "high", "10.0.0.5": "critical"}, 15, "10.0.0.5, which is acted on"),
        ({"10.0.0.0/8": "critical"}, 15, "10.0.0.5, which is acted on"),
        ({"10.0.0.5": "low"}, -10, "10.0.0.5, which is acted on"),
        ({"10.0.0.9": "low"}, None, None),
        ({"10.0.0.9": "low", "10.0.0.5": "low"}, -10, "10.0.0.5, which is acted on"),
    ],
)
def test_the_term_is_that_of_whoever_matters_more_and_says_whose(criticality: dict[str, str], value: float | None, whose: str | None) -> None:
    """A critical station that acts must not be hidden behind a device that matters little; that a source matters little excuses nothing."""
    rules = next(one for one in detectors(Setup(criticality=criticality)) if one.name == "rules")
    (found,) = rules.judge(Batch(activities=activities({"ot.effect": "cpu.stop", "source.ip": "10.0.0.9", "destination.ip": "10.0.0.5"})))
    terms = [(term.value, term.en.split(", matters")[0]) for term in found.terms if "criticality" in term.en]
    assert terms == ([] if value is None else [(value, whose)])
    assert found.score == sum(term.value for term in found.terms)


@pytest.mark.parametrize(("word", "value"), [("high", 9), ("low", -10)])
def test_where_nobody_is_asked_the_one_that_acts_tells(word: str, value: float) -> None:
    rules = next(one for one in detectors(Setup(criticality={"10.0.0.9": word})) if one.name == "rules")
    (found,) = rules.judge(Batch(activities=activities({"ot.effect": "cpu.stop", "source.ip": "10.0.0.9", "destination.ip": None})))
    assert found.terms[-1].value == value
    assert found.terms[-1].en.startswith("10.0.0.9, which acts")


def test_a_finding_carries_what_its_rule_says() -> None:
    (found,) = DETECTORS["rules"].judge(Batch(activities=activities({"ot.effect": "cpu.stop"})))
    assert found.normal is not None
    assert "announced maintenance" in found.normal.en
    assert found.respond[0].en.startswith("Ask the shift")
