"""What a listener says reaches people: each note that any of it can send has its text, with what it tells."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from balefire.commands.watch import NUMBERS, relay
from balefire.screen import Screen
from balefire.settings import Settings
from records.wording import LANGUAGES, catalogue
from tests.test_wording import placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
LISTENER: Final = (ROOT / "sensors" / "listening.py", *sorted((ROOT / "sensors" / "sources").glob("*.py")))


def notes(tree: ast.AST) -> Iterator[tuple[str, ...]]:
    """The words of each note: those of `say(word=…)` and `pass_over(path, word)`, and of {"word": …} where it is said, listed or appended."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "pass_over":
            yield from ((str(word.value),) for word in ast.walk(node.args[1]) if isinstance(word, ast.Constant))
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "say":
            named = [word.arg for word in node.keywords if word.arg]
            dicts = [word.value for word in node.keywords if not word.arg] + node.args
            if named:
                yield tuple(named)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "append":
            dicts = list(node.args)
        elif isinstance(node, ast.List):
            dicts = list(node.elts)
        elif isinstance(node, ast.ListComp):
            dicts = [node.elt]
        else:
            continue
        for each in (each for each in dicts if isinstance(each, ast.Dict)):
            first = [
                word.value
                for key in each.keys[:1]
                if key
                for word in ([key.body, key.orelse] if isinstance(key, ast.IfExp) else [key])
                if isinstance(word, ast.Constant)
            ]
            rest = [str(key.value) for key in each.keys[1:] if isinstance(key, ast.Constant)]
            yield from ((str(word), *rest) for word in first)


def sent() -> set[tuple[str, ...]]:
    return {words for path in LISTENER for words in notes(ast.parse(path.read_text("utf-8"))) if words[0] not in {"error", *NUMBERS}}


def test_every_note_has_its_text_and_no_text_is_left_over() -> None:
    assert {"unstamped", "gone", "half", "doubled", "recorded", "unrecorded", "failed", "grew"} <= {news for news, *_ in sent()}, "or this finds none"
    told = {f"cli.heard.{news}": {"what", *rest} for news, *rest in sent()}
    texts = {key: placeholders(value["en"]) for key, value in catalogue().items() if key.startswith("cli.heard.")}
    assert texts == told


def test_at_the_end_it_is_told_which_captures_were_bad(capsys: pytest.CaptureFixture[str]) -> None:
    told = [{"error": "capture.unknown", "values": {"file": f"in/{number}.pcap"}} for number in range(9)]
    relay(Screen(Settings(), "en", "store"), [json.dumps(each).encode() for each in [*told, {"ended": {"packets": 3, "bad": 9}}]])
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("9 captures that came were bad (in/0.pcap, in/1.pcap, ")
    assert "in/7.pcap, …)" in last


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_of_it_is_told(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(Settings(), language, "store")
    notes = [{word: f"<{word}>" for word in words} for words in sorted(sent())]
    relay(screen, [json.dumps(told).encode() for told in [*notes, {"ready": ["in0"], "stamped": []}, {"ended": {"packets": 3, "bad": 0}}]])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(notes)
    for told, line in zip(notes, lines, strict=True):
        assert all(value in line for value in told.values()), line
