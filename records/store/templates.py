"""The indices of a store in Elasticsearch: mappings, settings and templates, generated from the schema; periods of events; schema versions.

A table of rows that are only ever added has an index a period of event time, behind an alias of the table's name: `balefire-activity-2026-11-22` behind
`balefire-activity`. The other tables have one index each. `balefire-ledger` says what of it counts, `balefire-staged` and `balefire-state` hold what is
being decided and what detectors know, `balefire-alias` tells which asset another identity is, `balefire-packets` holds the packets of findings. A mapping
knows the schema's fields and no others.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from records.schema import SCHEMA_VERSION, TABLES
from records.store.documents import LONGEST, OWN
from records.store.dsl import FOLDED
from records.store.merging import ALIAS

if TYPE_CHECKING:
    from records.schema import Table

Body = dict[str, Any]
BY_PERIOD: Final = ("activity", "point")
ONCE: Final = (*BY_PERIOD, "finding", "coverage")  # rows that are written once, in a commit
PERIODS: Final = ("day", "week", "month")
PRIORITY: Final = 500  # above Elastic's own templates (100 to 200), whose patterns ours do not meet
DAY: Final = 86_400_000_000_000
LEDGER: Final = "ledger"
STAGED: Final = "staged"
STATE: Final = "state"
PACKETS: Final = "packets"
BESIDE: Final = (LEDGER, STAGED, STATE, ALIAS, PACKETS)  # what has an index and is no table
_KEPT: Final[Body] = {"type": "keyword", "index": False, "doc_values": False}
_WORD: Final[Body] = {
    "type": "keyword",
    "ignore_above": LONGEST,
    "fields": {FOLDED: {"type": "keyword", "normalizer": "lowercase", "doc_values": False, "ignore_above": LONGEST}},
}
_TYPES: Final[dict[str, Body]] = {
    "keyword": _WORD,
    "text": _WORD,
    "ip": {"type": "ip", "ignore_malformed": True},
    "long": {"type": "long"},
    "double": {"type": "double", "ignore_malformed": True},
    "boolean": {"type": "boolean"},
    "date": {"type": "date_nanos"},
    "json": {"type": "object", "enabled": False},
}
_OWN: Final[Body] = {
    "properties": {
        "commit": {"type": "long"},
        "row": {"type": "long"},
        "content": _KEPT,
        "known": {"type": "keyword"},
        "written": {"type": "long"},
    }
}
_SETTINGS: Final[Body] = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    "gc_deletes": "1h",  # what was merged into another row is not put back by one who is late to put it in its place
    "refresh_interval": "60s",  # a commit refreshes what it wrote before it counts
}
_SMALL: Final[Body] = {"settings": {"index": {"codec": "best_compression"}}}  # what grows; of it a row is read for thirty times as long
_LEDGER: Final[Body] = {"dynamic": False, "properties": {}}
_STAGED: Final[Body] = {"dynamic": False, "properties": {"written": {"type": "long"}}}
_PACKETS: Final[Body] = {"dynamic": False, "properties": {"octets": {"type": "long"}}}


@dataclass(frozen=True, slots=True)
class Names:
    """What the indices of one store are called."""

    prefix: str

    def of(self, table: str) -> str:
        """The index, or the alias of the indices, of a table."""
        return f"{self.prefix}-{table}"

    def at(self, table: str, start: date) -> str:
        """The index of a period of a table."""
        return f"{self.prefix}-{table}-{start:%Y-%m-%d}"

    def start_of(self, table: str, index: str) -> date | None:
        """The first day of an index of a period; None for an index that only is called alike (a copy of somebody's)."""
        try:
            return date.fromisoformat(index.removeprefix(f"{self.of(table)}-"))
        except ValueError:
            return None

    def owns(self, index: str) -> bool:
        """Whether an index is called as one that this store makes."""
        whole = {self.of(name) for name in (*TABLES, *BESIDE)}
        return index in whole or any(self.start_of(table, index) is not None for table in BY_PERIOD)

    def table_of(self, index: str) -> str | None:
        """The table whose rows an index holds; None for one beside the tables."""
        return next((name for name in TABLES if index == self.of(name) or (name in BY_PERIOD and index.startswith(f"{self.of(name)}-"))), None)


def period_of(time: int, period: str) -> date:
    """The first day of the period (day, week from Monday, month) of a time in nanoseconds."""
    day = datetime.fromtimestamp(time // 1_000_000_000, UTC).date()
    if period == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == "month" else day


def end_of(start: date, period: str) -> int:
    """The end of a period that begins on this day, nanoseconds."""
    days = {"day": 1, "week": 7, "month": calendar.monthrange(start.year, start.month)[1]}[period]
    return (calendar.timegm(start.timetuple()) * 1_000_000_000) + days * DAY


def mapping(table: Table) -> Body:
    """The mapping of a table: its fields, and what the store adds where its rows belong to a commit."""
    properties: Body = {}
    for field in table.fields:
        *branches, leaf = field.name.split(".")
        branch = properties
        for step in branches:
            branch = branch.setdefault(step, {"properties": {}})["properties"]
        branch[leaf] = _TYPES[field.type]
    properties[OWN] = _OWN
    return {"dynamic": "strict", "_meta": {"schema": SCHEMA_VERSION}, "properties": properties}


def components(names: Names) -> dict[str, Body]:
    """The component templates of a store, by name."""
    made: dict[str, Body] = {f"{names.prefix}@settings": {"template": {"settings": {"index": _SETTINGS}}}}
    for table in TABLES.values():
        made[f"{names.of(table.name)}@mappings"] = {"template": {"mappings": mapping(table)}}
    for name in BESIDE:
        made[f"{names.of(name)}@mappings"] = {"template": {"mappings": {STAGED: _STAGED, PACKETS: _PACKETS}.get(name, _LEDGER)}}
    return made


def templates(names: Names) -> dict[str, Body]:
    """The index templates of a store, by name."""
    made: dict[str, Body] = {}
    for table in (*TABLES, *BESIDE):
        name = names.of(table)
        made[name] = {
            "index_patterns": [f"{name}-*"] if table in BY_PERIOD else [name],
            "composed_of": [f"{names.prefix}@settings", f"{name}@mappings"],
            "priority": PRIORITY,
            "template": {"aliases": {name: {}}, **_SMALL} if table in BY_PERIOD else {},
        }
    return made


def fields_of() -> set[str]:
    """Every field that the mappings of this version know, with its table and type, and the indices beside."""
    return {f"{table.name}/{field.name}:{field.type}" for table in TABLES.values() for field in table.fields} | set(BESIDE)
