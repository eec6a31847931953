"""The rules that come with Balefire, and what FORMAT.md shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from detectors.lint import lint
from detectors.lint import test as run_tests
from detectors.rulebook.frame import Frame
from detectors.rulebook.load import load, load_text, own_rules
from records.effects import EFFECTS
from tests.frames import hostile, polling

if TYPE_CHECKING:
    from detectors.rulebook.rule import Rule

BOOK = load([own_rules()])
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", (own_rules() / "FORMAT.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_every_rule_is_found_clean_and_behaves() -> None:
    assert BOOK.problems == ()
    assert len(BOOK.rules) == BOOK.files >= 12
    report = run_tests(own_rules())
    assert (report.rules, report.failed) == (BOOK.files, ())
    assert report.cases >= 4 * report.rules
    assert lint(own_rules()).problems == ()


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in BOOK.rules])
def test_a_rule_fires_on_what_it_is_for_and_not_on_a_quiet_plant(rule: Rule) -> None:
    assert not rule.match(Frame(polling().activities)).any()
    assert rule.match(Frame(hostile().activities)).any()


def test_every_effect_that_changes_a_plant_has_a_rule() -> None:
    """Operating outputs and writing values is daily work: only who, how and the answer tell; releasing and cancelling undo."""
    daily = {"value.write", "output.operate", "output.select", "output.cancel", "setpoint.write", "value.unforce", "alarm.acknowledge", "counter.freeze"}
    harmless = {"reporting.enable", "configuration.read"}
    matched = {effect for rule in BOOK.rules for case in rule.cases if case.fires for effect in [case.activity["ot.effect"]]}
    changing = {effect.name for effect in EFFECTS if effect.access in {"command", "program", "configure", "write"}}
    assert changing - daily - harmless - matched == set()


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_format_md_shows_is_a_rule(example: str) -> None:
    name = re.search(r"^id: (\S+)$", example, re.MULTILINE)
    assert name
    rule, problems = load_text(example, f"{name[1]}.yml")
    assert problems == []
    assert rule is not None
    assert {case.fires for case in rule.cases} == {True, False}


def test_format_md_has_an_example_and_names_every_modifier() -> None:
    from sigma.modifiers import modifier_mapping

    words = set(re.findall(r"`([a-z0-9]+)`", (own_rules() / "FORMAT.md").read_text("utf-8")))
    assert EXAMPLES
    assert set(modifier_mapping) <= words


def test_rules_are_part_of_the_package() -> None:
    import rules

    assert own_rules() == Path(rules.__path__[0])
    assert list(own_rules().rglob("*.yml"))
