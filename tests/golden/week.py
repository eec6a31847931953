"""The golden report: a week of a small plant, with the week before, as its document and as what is printed of it, in both languages, without layout.

`python -m tests.golden` writes it anew; read the difference: it is what a regulator will see. Its rows are made up (`tests.reporting`) and not the week of the
simulated plant (`tests.plant.works`): an hour of its smallest site is 47,000 packets, so a week with the one before would be 16 million to make and to replay,
many minutes of each run; and two sites, people's decisions, suppressions and gaps, which a report is for, are in no capture.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from detectors.rulebook import versions
from records.model import Suppression
from records.store import embedded, open_store
from records.store.contract import Change, Commit
from records.store.rows import suppression_row
from records.wording import LANGUAGES
from reports.periods import holding
from reports.printing import printed
from reports.summary import document
from tests.reporting import DAY, MINUTE, START, Plant, decide, fill

if TYPE_CHECKING:
    from collections.abc import Generator

    from reports.blocks import Printed, Table

HERE: Final = Path(__file__).parent
FILES: Final = {"json": HERE / "week.json", **{language: HERE / f"week.{language}.txt" for language in LANGUAGES}}
CLASSES: Final = """classes: harbour
title: North Harbour
title_zh: 北港水厂
rules:
  - {title: Recipes, title_zh: 配方, domain: research, level: 3, files: {ot.object.name|endswith: .rcp}}
  - {title: Programs, title_zh: 控制程序, domain: production, level: 2, objects: {ot.access: program}}
  - {title: Controllers, title_zh: 控制器, domain: production, level: 1, assets: {role: controller}}
"""
POLICY: Final = """policy: harbour
title: North Harbour
title_zh: 北港水厂
zones:
  control: {title: Control network, title_zh: 控制网, members: [10.1.0.0/24, 10.2.0.0/24]}
  supervision: {title: Control room, title_zh: 中控室, members: [10.1.1.0/24, 10.2.1.0/24]}
  office: {title: Engineering and offices, title_zh: 工程与办公区, members: [10.1.2.0/23, 10.2.2.0/23]}
conduits:
  - {from: supervision, to: control}
"""
HIDDEN: Final = "5" * 20


@contextmanager
def clock(first: int, step: int = MINUTE) -> Generator[None]:
    """A clock of the machine that begins here and goes on by a step each time it is looked at."""
    times = count(first, step)
    kept = embedded.time
    embedded.time = SimpleNamespace(**{**vars(kept), "time_ns": lambda: next(times)})  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        embedded.time = kept


def made() -> dict[str, Any]:
    """The document, of a store that is made for it."""
    with TemporaryDirectory() as folder, clock(START + 5 * DAY):
        store = open_store(str(Path(folder) / "store"), True)
        hiding = Suppression(HIDDEN, "王芳 Wang Fang", "known fault of the panel, ticket 4711", START - 7 * DAY, START + 60 * DAY, {"rule": ("rule-5",)})
        values = {name: value for name, value in suppression_row(hiding).items() if name not in {"id", "revision"}}
        store.change([Change("suppression", HIDDEN, None, "suppress", "王芳 Wang Fang", values)])
        files = {("/rules", "classes.yml"): CLASSES}
        kept = [versions.Version(files, START), versions.Version(files | {("/rules", "harbour.yml"): POLICY}, START + 2 * DAY)]
        store.write(Commit(state={versions.STATE: versions.encoded(kept)}))
        fill(store, START - 7 * DAY, 14, Plant(controllers=10, findings=14, activities=120), HIDDEN)
        decide(store)
        told = document(store, holding("weekly", ZoneInfo("Asia/Shanghai"), START))
        store.close()
    return told


def words(shown: Printed) -> str:
    """What is printed, a line a text and a row."""
    front = shown.front
    lines = [front.title, front.place, front.when, front.note, front.tag, front.sentence, front.beside, f"{front.index} {front.index_label}", front.interval]
    lines += [f"{bar.label} {bar.points:.1f} / {bar.most}: {bar.reason}" for bar in front.bars]
    lines += [f"{fact.label}: {fact.value} {fact.of}" for fact in front.facts]
    lines += [*_rows(front.compared), "", front.unseen_title, *front.unseen]
    for number, section in enumerate(shown.sections, 1):
        lines += ["", f"{number} {section.title}", section.note, *section.texts]
        lines += [line for table in section.tables for line in _rows(table)]
    return "\n".join(lines) + "\n"


def _rows(table: Table) -> list[str]:
    return [
        "", " – ".join(filter(None, (table.title, table.note))), " | ".join(table.head), *(" | ".join(cell.text for cell in row) for row in table.rows),
        *([] if table.rows else [table.empty]),
    ]  # fmt: skip


def texts(told: dict[str, Any]) -> dict[str, str]:
    """What each file holds."""
    return {
        "json": json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n",
        **{language: words(printed(told, language)) for language in LANGUAGES},
    }


def write() -> None:
    """All of them anew."""
    for name, text in texts(made()).items():
        FILES[name].write_text(text, "utf-8")
