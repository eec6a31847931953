"""Rules that a site disables: they fire no more, and are loaded, tried and shown as before; who did it and why is known, and what is not looked for is said."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import deciding
from dashboards.access import visitor
from dashboards.access.roles import ROLES
from dashboards.access.sessions import Visitor
from dashboards.access.visitor import DeniedError
from detectors import disabling
from detectors.lifecycle import TransitionError
from detectors.lint import lint
from detectors.rulebook import versions
from detectors.rulebook.books import draft
from detectors.rulebook.disabled import FILE, entries
from detectors.rulebook.load import load, load_text, own_rules
from detectors.rulebook.versions import Version
from records.errors import BalefireError, StoreError, UsageError
from records.query import Span
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES, say
from reports.details import changes, unseen
from reports.front import unseen as front
from reports.periods import holding
from reports.summary import document
from reports.words import Words
from tests.cli import DEMO, balefire, lines, one, stored
from tests.reporting import DAY, START, Plant, fill
from tests.test_dashboards import opened, run, sent
from tests.test_reload import Watched, rule
from tests.test_reports import ZONE
from tests.test_rule_files import REFUSALS, at, findings, rulebook, said

if TYPE_CHECKING:
    from pathlib import Path

    from records.store.contract import Store

LOUD = "absent-object-read"  # which finds much in the demo
WHY = 'maintenance: "bench" # 4711 “检修”'
REFUSED = [at(number, event__outcome="failure", ot__effect="value.write") for number in range(5)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(shutil.copytree(stored()[0], tmp_path / "store")))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    return tmp_path / "rules"


def trail(store: Path) -> list[tuple[str, str, str, Any, str]]:
    """By whom, what, about what, the reason, the note."""
    told = [(row, row["after"] or row["before"] or {"reason": None}) for row in lines("audit", "--store", store)]
    return [(row["by"], row["action"], row["subject"], values["reason"], row["note"]) for row, values in told]


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_disabled_rule_fires_no_more_and_a_correlation_over_it_goes_on_and_says_so(tmp_path: Path) -> None:
    assert {"write-refused", "many-refusals"} <= findings(rulebook(tmp_path, many_refusals=REFUSALS), *REFUSED).keys()
    book = rulebook(tmp_path, disabled="# why not\nwrite-refused: much work today\n")
    found = findings(book, *REFUSED)
    assert "write-refused" not in found
    assert "many-refusals" in found
    assert said(book) == [("many-refusals.yml", 7, "part-disabled")]
    assert "much work today" in book.problems[0].message.en
    (rule,) = (each for each in book.rules if each.id == "write-refused")
    assert (rule.fires, rule.disabled, len(rule.cases) > 1) == (False, "much work today", True)
    assert book.cases == rulebook(tmp_path, disabled="").cases, "its cases are tried"
    assert "many-refusals" not in findings(rulebook(tmp_path, disabled="many-refusals: loud\n"), *REFUSED)


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("write-refuse: a typo\nwrite-refused: right\n", [(1, "disabled-unknown")]),
        ("write-refused: right\n\nmany-stopped:\n", [(3, "disabled-reason")]),
        ("write-refused: right\nmany-stopped: [a]\n1: x\nnull: y\n", [(2, "disabled-reason"), (3, "disabled-unknown"), (4, "disabled-unknown")]),
        ("write-refused: right\nmany-stopped: yes\n", [(2, "misread")]),
        ("write-refused: right\nwrite-refused: again\n", [(2, "duplicate-key")]),
        ("- write-refused\n", [(1, "not-a-rule")]),
        ("write-refused: right\n  x: [\n", [(2, "yaml")]),
        ("# nothing\n\n", []),
        ("\ufeff---\n# nothing\n", []),
    ],
)
def test_what_is_wrong_in_the_file_is_said_at_its_line_and_the_other_rules_run(tmp_path: Path, content: str, problems: list[tuple[int, str]]) -> None:
    book = rulebook(tmp_path, disabled=content)
    assert said(book) == [(FILE, line, check) for line, check in problems]
    assert len(book.rules) == len(load([own_rules()]).rules)
    assert {rule.id for rule in book.rules if rule.disabled} == ({"write-refused"} if "right" in content and "yaml" not in str(problems) else set())


@pytest.mark.parametrize("name", ["disabled.yaml", "Disabled.yml", "Placeholders.YAML"])
def test_a_file_that_is_called_nearly_so_is_said_not_to_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("write-refused: loud\n")
    (found,) = lint(tmp_path).problems
    assert (found.check, found.line) == ("beside-name", 1)
    assert f"Call it {name.split('.')[0].lower()}.yml" in found.advice.en


def test_a_directory_with_nothing_but_it_holds_no_rules_and_is_fine(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("write-refused: loud\n")
    for command in ("lint", "test"):
        told = balefire("rules", command, tmp_path)
        assert (told.exit_code, told.stderr) == (0, f"{tmp_path}: there are no rules here, only disabled.yml.\n")
    (tmp_path / FILE).write_text("write-refuse: loud\n")
    assert balefire("rules", "lint", tmp_path).exit_code == 1
    (tmp_path / FILE).unlink()
    assert balefire("rules", "lint", tmp_path).exit_code == 1, "nothing at all is most often the wrong directory"


def test_rules_that_are_not_looked_at_are_not_unknown(tmp_path: Path) -> None:
    rule(tmp_path, 4)
    rule(tmp_path, 5, "more")
    (tmp_path / FILE).write_text("more: loud\nnosuch: loud\n")
    assert [problem.check for problem in lint(tmp_path / "writes.yml").problems if problem.check.startswith("disabled")] == []
    assert [problem.check for problem in lint(tmp_path).problems if problem.check.startswith("disabled")] == ["disabled-unknown"]


def test_a_draft_of_a_disabled_rule_is_tried_as_if_it_were_not(rules: Path) -> None:
    (rules / FILE).write_text(f"{LOUD}: loud\n")
    in_force, home = versions.read([rules]), own_rules() / "reconnaissance"
    alone = draft(home / f"{LOUD}.yml", in_force)
    (change,) = alone.changes
    assert (change.id, change.before, bool(change.after)) == (LOUD, None, True)
    assert (alone.disabled, alone.enables(LOUD)) == ({LOUD: "loud"}, True)
    assert LOUD not in {each.id for each in draft(home, in_force).changes}, "with others, as they would be in force"


def test_a_directory_in_force_is_tried_as_it_is_now(rules: Path) -> None:
    """What is no longer in it is gone: what disabled rules, and a rule."""
    rule(rules, 4)
    rule(rules, 5, "more")
    (rules / FILE).write_text(f"{LOUD}: known fault\nwrites: too loud\n")
    in_force = versions.read([rules])
    (rules / FILE).unlink()
    (rules / "more.yml").unlink()
    drafted = draft(rules, in_force)
    assert [(each.id, bool(each.before), bool(each.after)) for each in drafted.changes] == [(LOUD, False, True), ("more", True, False), ("writes", False, True)]
    assert drafted.disabled == {LOUD: "known fault", "writes": "too loud"}


def test_what_enabling_would_find_is_what_a_replay_with_the_rule_finds(judged: Path) -> None:
    found = {row["id"] for row in lines("findings", "--store", stored()[0], "--where", f"rule:{LOUD}", "--limit", 1000)}
    where, rules, file = ("--store", judged / "store"), judged / "rules", judged / "rules" / FILE
    reason = file.read_text("utf-8")
    told = one("rules", "enable", LOUD, "--dry-run", "--rules", rules, *where)
    assert (told["disabled"], told["file"], told["preview"]["findings"], file.read_text("utf-8")) == (True, None, len(found), reason)
    assert sum(each["findings"] for each in told["preview"]["assets"]) == len(found) > 1
    assert balefire("rules", "enable", "many-stopped", "--dry-run", "--rules", rules, *where).exit_code == 1
    shutil.copy(own_rules() / "reconnaissance" / f"{LOUD}.yml", rules)
    among = balefire("rules", "backtest", rules, *where, "--language", "en")
    assert f"{LOUD} is disabled (<b>known</b> fault, permit 4711) and finds nothing; not tried." in among.stderr
    file.unlink()
    tried = balefire("rules", "backtest", rules, *where, "--json", "--language", "en")
    (rules / f"{LOUD}.yml").unlink()
    file.write_text(reason, "utf-8")
    assert f"{LOUD} is disabled (<b>known</b> fault, permit 4711). What follows is what it would do if it were enabled." in tried.stderr
    assert {fire["id"] for fire in json.loads(tried.stdout)["added"]} == found


def test_an_entry_of_a_rule_that_is_gone_would_find_nothing(store: Store, rules: Path) -> None:
    loud = load_text((own_rules() / "reconnaissance" / f"{LOUD}.yml").read_text("utf-8"), LOUD)[0]
    assert loud
    assert disabling.would_find(store, replace(loud, silent=True)).findings == 0 < disabling.would_find(store, loud).findings
    (rules / FILE).write_text("gone: loud\n")
    assert disabling.to_enable(rules, "gone") is None


def test_it_is_watched_versioned_and_rolled_back_like_any_rule_file(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule(rules, 4)
    watched = Watched(rules, monkeypatch)
    first = watched.ruling.version
    (rules / FILE).write_text("writes: too loud\n")
    assert watched.look()
    assert watched.said == [f"Rules: version {watched.ruling.version.id} is in force in place of {first.id} ({FILE})."]
    assert [(each.id, each.disabled) for each in load(watched.ruling.rules).rules] == [("writes", "too loud")]
    assert (first.disabled, watched.ruling.version.disabled) == ({}, {"writes": "too loud"})
    (rules / FILE).write_text("writs: too loud\n")
    assert not watched.look()
    assert watched.said[-1].startswith(f"{rules / FILE}:1: There is no rule writs to disable.")
    assert load(watched.ruling.rules).rules[0].disabled, "what was in force stays so"
    (rules / FILE).unlink()
    assert watched.look()
    assert not load(watched.ruling.rules).rules[0].disabled
    watched.ruling.close()


def test_which_were_disabled_when_is_known_from_the_versions(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"), True)
    told = ((None, 10), ("a: one", 20), ("b: never", None), ("a: two\nb: three", 30), (None, 40))
    kept = [Version({("/rules", FILE): text} if text else {("/rules", "x.yml"): "x"}, since) for text, since in told]
    store.write(Commit(state={versions.STATE: versions.encoded(kept)}))
    for span, names in (
        ((0, 20), {}),
        ((12, 21), {"a": "one"}),
        ((20, 31), {"a": "two", "b": "three"}),
        ((35, 36), {"a": "two", "b": "three"}),
        ((40, 50), {}),
    ):
        assert disabling.disabled(store, Span(*span)) == names, span
    assert disabling.disabled(store) == {}
    store.write(Commit(state={versions.STATE: b"nonsense"}))
    assert disabling.disabled(store) == {}
    store.close()


# ── doing it ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_disabling_and_enabling_writes_the_file_and_the_trail(tmp_path: Path, store: Store, rules: Path) -> None:
    (rules / FILE).write_text("# kept by hand\nfile-written: |\n  two\n  lines  # no comment\n# the end\n")
    (rules / FILE).chmod(0o640)
    assert disabling.disable(store, rules, LOUD, f"  {WHY}\n", "Wu") == rules / FILE
    assert {rule.id: rule.disabled for rule in load((own_rules(), rules)).rules if rule.disabled} == {LOUD: WHY, "file-written": "two lines # no comment"}
    with pytest.raises(TransitionError, match="maintenance"):
        disabling.disable(store, rules, LOUD, "again", "Wu")
    assert disabling.enable(store, rules, "file-written", "Li", "over") == rules / FILE
    assert (rules / FILE).read_text("utf-8") == f"# kept by hand\n# the end\n{LOUD}: {json.dumps(WHY, ensure_ascii=False)}\n"
    assert (rules / FILE).stat().st_mode & 0o777 == 0o640
    disabling.enable(store, rules, LOUD, "Li")
    with pytest.raises(TransitionError, match="not disabled"):
        disabling.enable(store, rules, LOUD, "Li")
    disabling.disable(store, rules, LOUD, "once more", "Wu")
    assert [entry[:4] for entry in trail(tmp_path / "store")] == [
        ("Wu", "disable", LOUD, WHY),
        ("Li", "enable", "file-written", "two lines # no comment"),
        ("Li", "enable", LOUD, WHY),
        ("Wu", "disable", LOUD, "once more"),
    ]
    assert trail(tmp_path / "store")[1][4] == "over"
    assert sorted(file.name for file in rules.iterdir()) == [FILE]


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# why\n",
        "a: x",
        "a: x # late\r\n\r\n# the end",
        "\ufeff# why\r\na: x\r\n",
        "\ufeff",
        "  a: x\n  b: y\n",
        "---\na: x\n\n\n",
        "a: |\n  x",
        "a: 'x\u2028y'\n",
    ],
)
def test_nothing_else_in_the_file_changes(before: str) -> None:
    """Not its line ends, comments, blank lines, mark of UTF-8; and nothing is doubled."""
    known = entries(before.encode())[0]
    after = disabling.added(before, "new", WHY)
    assert entries(after.encode()) == ({**known, "new": WHY}, [])
    assert after.startswith(before)
    assert after.count("\r") == after.count("\n") * ("\r" in before), "one kind of line end"
    assert disabling.removed(after, "new").removeprefix(before) in ("", "\n", "\r\n")


def test_an_entry_goes_with_its_lines_alone() -> None:
    text = "\ufeffa: two\r\n  lines # late\r\n# of b\r\nb: 'x\u2028y'\r\nc: z"
    assert disabling.removed(text, "a") == "\ufeff# of b\r\nb: 'x\u2028y'\r\nc: z"
    assert disabling.removed(text, "b") == "\ufeffa: two\r\n  lines # late\r\n# of b\r\nc: z"
    assert disabling.removed(text, "c") == text.removesuffix("c: z")


def test_what_cannot_be_done_changes_nothing(tmp_path: Path, store: Store, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(key: str, *words: Any, kind: type[BalefireError] = UsageError) -> None:
        with pytest.raises(kind) as caught:
            disabling.disable(store, *words)
        assert caught.value.key == key

    refused("disable.where", None, LOUD, WHY, "Wu")
    refused("rules_missing", tmp_path / "none", LOUD, WHY, "Wu")
    refused("disable.unknown", rules, "../../etc/passwd", WHY, "Wu")
    refused("disable.unknown", rules, "absent-object-reads", WHY, "Wu")
    refused("disable.reason", rules, LOUD, " \n\u202e", "Wu")
    refused("disable.reason", rules, LOUD, "x" * 1001, "Wu")
    refused("life.nobody", rules, LOUD, WHY, " ")
    (rules / FILE).symlink_to(tmp_path / "elsewhere")
    refused("disable.link", rules, LOUD, WHY, "Wu")
    (rules / FILE).unlink()
    os.mkfifo(rules / FILE)
    refused("disable.no_file", rules, LOUD, WHY, "Wu")
    (rules / FILE).unlink()
    (rules / FILE).write_text("a: b: c")
    refused("disable.damaged", rules, LOUD, WHY, "Wu")
    assert (rules / FILE).read_text() == "a: b: c"
    (rules / FILE).unlink()

    def away(*_: object) -> None:
        raise StoreError("store.missing", path="x")

    monkeypatch.setattr(store, "change", away)
    refused("store.missing", rules, LOUD, WHY, "Wu", kind=StoreError)
    assert list(rules.iterdir()) == []
    assert trail(tmp_path / "store") == []


@pytest.mark.usefixtures("store")
def test_what_it_found_is_shown_first_and_what_was_found_true_is_not_lost_unasked(tmp_path: Path, rules: Path) -> None:
    where = ("--store", tmp_path / "store", "--rules", rules)
    alerts = lines("alerts", "--store", tmp_path / "store", "--where", f"key:{LOUD}*")
    count = len(lines("findings", "--store", tmp_path / "store", "--where", f"rule:{LOUD}", "--limit", 1000))
    told = one("rules", "disable", LOUD, "--reason", "x", "--dry-run", *where)
    assert (told["disabled"], told["preview"]["findings"], len(told["preview"]["alerts"])) == (False, count, len(alerts))
    assert count > 1
    assert not (rules / FILE).exists()
    balefire("alert", "close", alerts[0]["id"], "--verdict", "true", "--store", tmp_path / "store")
    refused = balefire("rules", "disable", LOUD, "--reason", "x", *where, "--language", "en")
    assert (refused.exit_code, "found TRUE" in refused.stdout, (rules / FILE).exists()) == (1, True, False)
    assert one("rules", "disable", LOUD, "--reason", WHY, "--yes", *where)["file"] == str(rules / FILE)
    listed = {row["rule"]: row for row in lines("rules", "list", "--rules", rules)}
    assert (listed[LOUD]["state"], listed[LOUD]["reason"], listed["many-stopped"]["state"]) == ("disabled", WHY, "fires")
    assert WHY[:11] in balefire("rules", "list", "--rules", rules).stdout
    assert balefire("rules", "disable", "nope", "--reason", "x", "--dry-run", *where).exit_code == 2
    assert balefire("rules", "enable", "nope", *where).exit_code == 1
    assert WHY[:11] in balefire("audit", "--store", tmp_path / "store", "--language", "en").stdout


# ── who may, and what is shown ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ROLES)
def test_only_who_may_change_rules_does_also_by_a_direct_call(role: str, tmp_path: Path, store: Store, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "visitor", lambda: Visitor("eva", role))
    monkeypatch.setenv("BALEFIRE_RULES", str(rules))
    tries = (lambda: deciding.disable(store, LOUD, "loud", "eva"), lambda: deciding.enable(store, LOUD, "eva", ""))
    for act in tries:
        if role in {"engineer", "administrator"}:
            assert act() == rules / FILE
            continue
        with pytest.raises(DeniedError):
            act()
    assert (rules / FILE).exists() == (role in {"engineer", "administrator"})
    assert [entry[1] for entry in trail(tmp_path / "store")] == (["disable", "enable"] if role in {"engineer", "administrator"} else [])


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store judged without one rule; its directory of rules lies beside it, and what was said then."""
    home = tmp_path_factory.mktemp("judged")
    (home / "rules").mkdir()
    (home / "rules" / FILE).write_text(f"{LOUD}: <b>known</b> fault, permit 4711\n", "utf-8")
    (home / "said").write_text(balefire("replay", DEMO, "--rules", home / "rules", "--store", home / "store", "--language", "zh").stdout, "utf-8")
    return home


def test_what_is_not_looked_for_is_said(judged: Path) -> None:
    assert not lines("findings", "--store", judged / "store", "--where", f"rule:{LOUD}")
    assert f"Rule {LOUD} is disabled" in " ".join(balefire("coverage", "--store", judged / "store", "--language", "en").stdout.split())
    assert f"规则 {LOUD} 已停用" in (judged / "said").read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_show_which_rules_are_disabled(judged: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    word = {"en": "disabled", "zh": "已停用"}[language]
    listed = run("rulebook", judged / "store", monkeypatch, lang=language, kind="disabled")
    assert f'"sub": "{LOUD}"' in listed
    assert '"sub": "many-stopped"' not in listed
    assert f'"text": "{word}", "sub": "<b>known</b> fault, permit 4711"' in listed
    assert "permit 4711" in run("rule", judged / "store", monkeypatch, lang=language, rule=LOUD)
    assert "permit 4711" in run("covering", judged / "store", monkeypatch, lang=language)


def test_a_rule_is_disabled_and_enabled_on_its_page(judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(judged / "store", tmp_path / "store")
    shutil.copytree(judged / "rules", tmp_path / "rules")
    monkeypatch.setenv("BALEFIRE_USER", "Li Wei")
    name = lines("findings", "--store", tmp_path / "store", "--where", "detector:rules", "--limit", 1)[0]["rule"]
    monkeypatch.delenv("BALEFIRE_RULES", raising=False)
    assert "directory of rules" in sent(opened("disable", tmp_path / "store", monkeypatch, lang="en", rule=name))
    monkeypatch.setenv("BALEFIRE_RULES", str(tmp_path / "rules"))
    page = opened("disable", tmp_path / "store", monkeypatch, lang="en", rule=name)
    assert "findings" in sent(page)
    assert str(judged / "rules") in sent(page), "what judged read its rules elsewhere"
    page.text_area(key="disable_reason").set_value("").run()
    page.button(key="do_disable").click().run()
    assert "1 to 1000 characters" in sent(page)
    page.text_area(key="disable_reason").set_value(WHY).run()
    page.button(key="do_disable").click().run()
    assert str(tmp_path / "rules" / FILE) in sent(page)
    assert "It would find" in sent(page)
    count = len(lines("findings", "--store", tmp_path / "store", "--where", f"rule:{name}", "--limit", 1000))
    assert f'["{count}", "{"finding" if count == 1 else "findings"}"]' in sent(page)
    page.button(key="do_enable").click().run()
    assert [entry[:4] for entry in trail(tmp_path / "store")] == [("Li Wei", "disable", name, WHY), ("Li Wei", "enable", name, WHY)]
    assert (tmp_path / "rules" / FILE).read_text() == (judged / "rules" / FILE).read_text()
    assert f"rule?lang=en&rule={name}" in run("auditing", tmp_path / "store", monkeypatch, lang="en")
    monkeypatch.setattr(visitor, "visitor", lambda: Visitor("vera", "viewer"))
    monkeypatch.setattr("dashboards.page.visitor", visitor.visitor)
    denied = opened("disable", tmp_path / "store", monkeypatch, lang="en", rule=name)
    assert "for engineers and administrators" in sent(denied)
    assert not [button for button in denied.button if str(button.key).startswith("do_")]


def test_reports_tell_what_was_disabled_and_who_did_it(tmp_path: Path, rules: Path) -> None:
    store = open_store(str(tmp_path / "store"), True)
    fill(store, START, 2, Plant(controllers=3, findings=8, activities=20))
    last = holding("daily", ZONE, START + DAY)
    before = document(store, last)
    disabling.disable(store, rules, LOUD, "known fault, permit 4711", "Wu")
    store.write(Commit(state={versions.STATE: versions.encoded([Version(versions.read([rules]).files, START)])}))
    told = document(store, last)
    assert (before["unseen"]["disabled"], told["unseen"]["disabled"]) == ([], [{"rule": LOUD, "reason": "known fault, permit 4711"}])
    told["changes"] = document(store, holding("daily", ZONE, time.time_ns()))["changes"]
    for language in LANGUAGES:
        words = Words(language, ZONE)
        assert any(LOUD in line for line in front(told, words))
        assert "permit 4711" in str(unseen(told, words))
        assert LOUD in str(changes(told, words))
        assert say("decision.disable", language) in str(changes(told, words))
        assert "permit 4711" not in str(unseen(before, words))
    store.close()
