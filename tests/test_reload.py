"""Rules that change while a replay runs without end: in force as a whole or not at all, recorded with what they find, and never for what was judged before."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from balefire import ruling
from tests.cli import balefire, lines
from tests.test_streaming import give, running, until
from tests.wire import SECOND, Talk, mbap, write
from tests.wire import pcap as capture_of

if TYPE_CHECKING:
    from pathlib import Path

WRITES = """\
title: "{{source}} wrote to {{destination}}"
title_zh: "{{source}} 写入 {{destination}}"
id: {name}
status: experimental
description: {words}
description_zh: 测试用。
logsource:
  product: balefire
detection:
  acts:
    ot.effect: value.write
    ot.object.first: {first}
  condition: acts
level: medium
misses:
  - en: Much.
    zh: 很多。
respond:
  - en: Ask.
    zh: 询问。
tests:
  fires:
    - {{ot.effect: value.write, ot.object.first: {first}}}
  quiet:
    - {{}}
"""


def rule(folder: Path, first: int, name: str = "writes", words: str = "Why.") -> Path:
    """A rule on writes to this register."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yml"
    file.write_text(WRITES.format(name=name, first=first, words=words))
    return file


def packets(times: range) -> list[Any]:
    """Each second a write to register 4 and one to register 5."""
    said = Talk().open()
    for number in times:
        said.time = said.time - said.time % SECOND + SECOND
        for register in (4, 5):
            asked = mbap(number * 2 + register % 2, write(register, number))
            said.ask(asked, asked)
    return said.packets


def found(store: Path) -> list[tuple[str, str, int]]:
    """(rule, version, second of its packets) of each finding of the site's rules."""
    rows = [json.loads(line) for line in balefire("findings", "--store", store, "--limit", 1000, "--json").stdout.splitlines()]
    return [(row["rule"], row["version"], row["time"]) for row in rows if row["rule"] in {"writes", "more"}]


def test_a_pipe_is_judged_by_the_rules_of_its_time(tmp_path: Path) -> None:
    rules, store = tmp_path / "rules", tmp_path / "store"
    file = rule(rules, 4)
    content = capture_of(packets(range(60)))
    half = len(capture_of(packets(range(30))))
    with running("replay", "-", "--observer", "tap", "--store", store, "--rules", rules) as process:
        give(process, content[:half])
        assert until(lambda: (store / "store.sqlite").exists() and len(found(store)) > 20)
        before = found(store)
        file.write_text(file.read_text().replace("ot.object.first: 4", "ot.object.first: 5"))
        time.sleep(2 * ruling.LOOK_S)
        give(process, content[half:])
        said = process.communicate(timeout=60)[1].decode()
    after = found(store)
    kept = [each for each in after if each[1] == before[0][1]]
    assert len(dict.fromkeys(version for _, version, _ in after)) == 2
    assert len({version for _, version, _ in before}) == 1
    assert kept[: len(before)] == before
    changed = [each for each in after if each not in kept]
    assert len(changed) > 20
    assert max(time for _, _, time in kept) < min(time for _, _, time in changed)
    assert len(kept) + len(changed) == len(after) <= 60
    assert said.count(f"version {changed[0][1]} is in force in place of {before[0][1]} (writes.yml)") == 1
    listed = lines("rules", "versions", "--store", store)
    assert [row["version"] for row in listed] == [before[0][1], changed[0][1]]
