"""Every text exists in both languages with the same placeholders; every text asked for exists, and none is left over."""

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from records.wording import LANGUAGES, catalogue
from sensors.engine.tables import ENGINE_ANOMALIES
from sensors.protocol import protocols

ROOT = Path(__file__).parent.parent
LAYERS = ("records", "sensors", "detectors", "reports", "dashboards", "balefire")
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
FILES = sorted((ROOT / "records" / "wording").glob("*.toml"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """What is looked at here of a file."""
    return [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef | ast.Call | ast.Constant | ast.JoinedStr)]


def keys(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    if all(isinstance(value, str) for value in table.values()):
        yield prefix
        return
    for name, value in table.items():
        yield from keys(value, f"{prefix}.{name}" if prefix else name)


def placeholders(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same() -> None:
    assert [key for key, texts in catalogue().items() if set(texts) != set(LANGUAGES) or not all(texts.values())] == []
    asked = {key: [placeholders(texts[language]) for language in LANGUAGES] for key, texts in catalogue().items()}
    assert [key for key, (english, chinese) in asked.items() if english != chinese] == []
    assert [key for key, (english, _) in asked.items() if not all(name.isidentifier() for name in english)] == [], "placeholders are plain names"


def test_no_text_stands_in_two_files() -> None:
    found: dict[str, str] = {}
    for file in FILES:
        for key in keys(tomllib.loads(file.read_text("utf-8"))):
            assert key not in found, f"{key} in {found[key]} and {file.name}"
            found[key] = file.name


def error_classes() -> set[str]:
    """Names of BalefireError and everything derived from it."""
    bases = {node.name: {ast.unparse(base).split(".")[-1] for base in node.bases} for path in SOURCES for node in nodes(path) if isinstance(node, ast.ClassDef)}
    found = {"BalefireError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def pattern(node: ast.expr) -> str | None:
    """A regular expression of the texts that an expression can be; None where it is not spelled out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values)
    return None


def spelled(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from spelled(node.body)
        yield from spelled(node.orelse)
    elif found := pattern(node):
        yield found


def calls() -> Iterator[tuple[str, str, bool, list[str]]]:
    """(place, name called, whether as a method, patterns of its text arguments) of every call."""
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                method = isinstance(node.func, ast.Attribute)
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                yield f"{path.relative_to(ROOT)}:{node.lineno}", name, method, [text for argument in node.args for text in spelled(argument)][:1]


def asked() -> Iterator[tuple[str, str]]:
    """(place, pattern of the key) of every text asked for by `say(…)` or by an error. A method `say` may put its layer's name before the key."""
    errors = error_classes()
    for place, name, method, texts in calls():
        if name == "say":
            yield from ((place, rf"(.+\.)?{text}" if method else text) for text in texts)
        elif name in errors:
            yield from ((place, rf"error\.{text}") for text in texts)


def test_every_text_asked_for_exists() -> None:
    plain = {re.escape(known) for known in catalogue()}
    missing = [f"{place}: {key}" for place, key in asked() if key not in plain and not any(map(re.compile(key).fullmatch, catalogue()))]
    assert not missing


def mentioned() -> Iterator[str]:
    """Patterns of every string in the sources that could name a text, whoever passes it on to `say`."""
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Constant):
                text = pattern(node)
            elif isinstance(node, ast.JoinedStr) and not any(isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "key" for part in node.values):
                text = pattern(node)  # f"dashboard.{key}" passes on what its callers mention
            else:
                continue
            if text and re.match(r"\w+(\\\.|$)", text):
                yield rf"(error\.)?{text}" + (r"(\..+)?" if ".+" in text else "")
    for _place, name, method, texts in calls():
        yield from (rf"(.+\.)?{text}(\..+)?" for text in texts if method and (name == "say" or re.match(r"\w+\\\.", text)))


def test_no_space_stands_between_two_chinese_signs() -> None:
    """What a moment or a duration writes in Chinese ends in a Chinese sign, as `（UTC+8）` or `分钟`: what follows it joins on."""
    lines = [line for path in SOURCES for line in path.read_text("utf-8").splitlines() if re.search(r"\b(say|count)\(", line)]
    asked = {
        (key, name) for line in lines for key in re.findall(r'"([\w.]+)"', line) for name in re.findall(r"(\w+)=(?:[\w.]*\.moment|duration|exact)\(", line)
    }
    found = {(key, name) for key in catalogue() for end, name in asked if f".{key.removesuffix('.one').removesuffix('.many')}".endswith(f".{end}")}
    assert len(found) > 30
    assert [key for key, name in found if re.search(rf"\{{{name}\}} [\u4e00-\u9fff（]", catalogue()[key]["zh"])] == []


def test_no_text_is_left_over() -> None:
    patterns = [re.compile(text) for text in sorted(set(mentioned()))]
    unused = [key for key in catalogue() if not any(each.fullmatch(key) for each in patterns)]
    assert not unused


def test_every_word_of_a_protocol_has_its_wording() -> None:
    for protocol in protocols():
        wanted = [f"anomaly.{name}" for name in (*protocol.anomalies, *ENGINE_ANOMALIES)]
        wanted += [f"space.{name}" for name in protocol.spaces]
        wanted += [f"error.{name}" for name in protocol.errors.values()]
        wanted += [f"action.{function.name}" for function in protocol.functions.values() if protocol.infrastructure]
        assert [key for key in wanted if f"detectors.{key}" not in catalogue()] == []
        assert [name for name in protocol.spaces if f"dashboard.space.{name}" not in catalogue()] == []


def test_taking_up_an_alert_is_not_said_as_finding_it_true() -> None:
    """A reader of 已确认 beside 属实 (true) takes what was only taken up for confirmed."""
    for key in ("status.acknowledged", "decision.acknowledge", "dashboard.status.acknowledged", "dashboard.decide.acknowledge"):
        assert "受理" in catalogue()[key]["zh"], key
        assert "确认" not in catalogue()[key]["zh"], key
