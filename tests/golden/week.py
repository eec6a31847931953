"""The golden report: a week of a small plant, with the one before and that of a year ago, as its document and as what is printed of it, in both languages,
without layout.

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

import pyarrow as pa

from detectors.rulebook import versions
from records.assets import asset_of
from records.facts import Fact
from records.model import Batch, Suppression
from records.plant import ListedAsset, digest, encoded
from records.schema import ACTIVITY, arrow_schema
from records.store import embedded, open_store
from records.store.contract import Change, Commit
from records.store.rows import suppression_row
from records.wording import LANGUAGES
from reports.periods import holding
from reports.printing import printed
from reports.summary import document
from tests.reporting import DAY, MINUTE, SITES, START, Plant, coverage, decide, fill

if TYPE_CHECKING:
    from collections.abc import Generator

    from records.store.contract import Store
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
PERSON: Final = "王芳 Wang Fang"
SCANNER: Final = "the plant's own scanner asks every night, ticket 4802"
YEAR_AGO: Final = START - 52 * 7 * DAY
PLANT: Final = Plant(controllers=10, findings=14, activities=120)
REMOTE: Final = (("8.8.4.4", "10.1.2.10", 3389, 6), ("10.1.2.10", "10.1.0.12", 23, 41), ("10.2.2.10", "10.2.3.10", 5900, 17))  # from, to, port, operations


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
    with TemporaryDirectory() as folder:
        store = open_store(str(Path(folder) / "store"), True)
        with clock(YEAR_AGO + 5 * DAY):
            fill(store, YEAR_AGO, 7, Plant(controllers=9, findings=9, activities=60, seed=11))
            decide(store)
        with clock(START + 5 * DAY):
            change(store)
            fill(store, START - 7 * DAY, 14, PLANT, HIDDEN)
            expose(store)
            decide(store, since=START - 7 * DAY)
            told = document(store, holding("weekly", ZoneInfo("Asia/Shanghai"), START))
        store.close()
    return told


def change(store: Store) -> None:
    """What people changed: a suppression, a list of assets that lacks the historians, a rule that is disabled, rules and a policy."""
    hiding = Suppression(HIDDEN, PERSON, "known fault of the panel, ticket 4711", START - 7 * DAY, START + 60 * DAY, {"rule": ("rule-5",)})
    values = {name: value for name, value in suppression_row(hiding).items() if name not in {"id", "revision"}}
    listed = encoded([ListedAsset(each.name, each.addresses) for each in PLANT.assets(START - 7 * DAY, START + 7 * DAY) if each.role != "historian"])
    kept = {"since": START, "by": PERSON, "file": "assets.csv", "digest": digest(listed), "rows": listed.count("name"), "content": listed}
    changes = [Change("suppression", HIDDEN, None, "suppress", PERSON, values), Change("plant", "assets", None, "import", PERSON, kept)]
    store.change([*changes, Change("rules", "identity-read", None, "disable", PERSON, {"reason": SCANNER})])
    first = {("/rules", "classes.yml"): CLASSES, ("/rules", "night.yml"): "id: night\nlevel: medium\n"}
    second = first | {("/rules", "harbour.yml"): POLICY}
    third = second | {("/rules", "night.yml"): "id: night\nlevel: high\n", ("/rules", "disabled.yml"): f"identity-read: {SCANNER}\n"}
    versions_kept = [versions.Version(files, START + days * DAY) for files, days in ((first, -7), (second, 2), (third, 4))]
    store.write(Commit(state={versions.STATE: versions.encoded(versions_kept)}))


def expose(store: Store) -> None:
    """Remote access from inside and outside, a host of the Internet, a sensor that has fallen silent, assets that were there a year ago."""
    known = {each.addresses[0]: each for each in PLANT.assets(YEAR_AGO, START + 7 * DAY)}
    times = dict.fromkeys(("@timestamp", "event.start", "event.end"), START + 3 * DAY)
    rows = [
        times | {"id": f"remote-{place}", "event.action": "connect", "source.ip": origin, "destination.ip": address, "destination.port": port,
                 "network.protocol": "cotp", "observer.name": "sensor-1", "observer.site": known[address].site, "ot.effect": "session.open", "ot.count": count}
        for place, (origin, address, port, count) in enumerate(REMOTE)
    ]  # fmt: skip
    seen = pa.Table.from_pylist([{name: row.get(name) for name in ACTIVITY.names} for row in rows], schema=arrow_schema(ACTIVITY))
    silent = coverage(SITES[0], START - 3 * DAY, START - 2 * DAY)
    array: Any = pa.array
    for name, values in (("observer.name", ["sensor-3"] * silent.num_rows), ("id", [f"silent-{place}" for place in range(silent.num_rows)])):
        silent = silent.set_column(silent.schema.get_field_index(name), name, array(values))
    outside = asset_of(SITES[0], [Fact("address", REMOTE[0][0], "traffic", 95, START, START + 3 * DAY)], START, START + 3 * DAY, ("traffic",))
    store.write(Commit(batch=Batch(activities=seen, coverage=silent), assets=(outside, *known.values())))


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
