"""The tests inside a rule: each case states only what differs from a valid activity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import pyarrow as pa

from detectors.rulebook.match import address_of
from detectors.rulebook.problems import Fault, nearest
from records.effects import EFFECTS, NUMBER
from records.schema import ACTIVITY, POINT, arrow_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from records.schema import Field, Table

EARLIEST, LATEST = 1970, 2200  # years; nanoseconds since the epoch end in 2262
_START: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

# A minute of ordinary polling: what every rule must be silent about.
DEFAULT: Final[dict[str, Any]] = {
    "id": "case",
    "@timestamp": _START,
    "event.action": "read_holding_registers",
    "event.outcome": "success",
    "source.ip": "10.10.1.10",
    "source.mac": "00:1b:1b:00:01:10",
    "destination.ip": "10.10.1.20",
    "destination.mac": "00:80:f4:00:01:20",
    "destination.port": 502,
    "network.transport": "tcp",
    "network.protocol": "modbus",
    "observer.name": "case",
    "ot.effect": "value.read",
    "ot.code": "3",
    "ot.unit": 1,
    "ot.object.space": "holding_register",
    "ot.object.first": 0,
    "ot.object.last": 9,
    "ot.object.count": 1,
    "ot.count": 60,
    "ot.bytes": 2460,
    "ot.interval.mean": 1.0,
    "ot.interval.deviation": 0.01,
    "ot.rtt": 0.004,
    "ot.anomaly": [],
    "ot.fragment": 0,
    "ot.packet.first": 1,
    "ot.packet.last": 120,
}
# A point that is polled and stays what it was.
STILL: Final[dict[str, Any]] = {
    "id": "case",
    "@timestamp": _START,
    "observer.name": "case",
    "destination.ip": "10.10.1.20",
    "network.protocol": "modbus",
    "ot.unit": 1,
    "ot.object.space": "holding_register",
    "ot.object.first": 0,
    "ot.point.min": 20.0,
    "ot.point.max": 20.0,
    "ot.point.first": 20.0,
    "ot.point.last": 20.0,
    "ot.point.changes": 0,
    "ot.point.count": 60,
    "ot.point.quality": [],
    "ot.fragment": 0,
}
MOST_ROWS: Final = 2000  # of one case
# What says how polling looks and would be untrue of another effect.
_OF_POLLING: Final = ("event.action", "ot.code", "ot.object.space", "ot.object.first", "ot.object.last", "ot.count", "ot.bytes", "ot.interval.mean",
                      "ot.interval.deviation", "ot.packet.last")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a rule: its name ("fires 1"), whether the rule is to fire, the whole row, and what comes before it where the rule correlates."""

    name: str
    fires: bool
    activity: Mapping[str, Any]
    before: tuple[Mapping[str, Any], ...] = ()

    @property
    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """All of its rows in order."""
        return (*self.before, self.activity)


def case_activity(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The valid activity that differs from ordinary polling as stated (flat or nested names). Raises Fault."""
    changes = _changes(stated, ACTIVITY)
    activity = dict(DEFAULT)
    effect = changes.get("ot.effect", DEFAULT["ot.effect"])
    if effect != DEFAULT["ot.effect"]:
        activity |= dict.fromkeys(_OF_POLLING) | {"event.action": effect, "ot.count": 1, "ot.bytes": 24, "ot.packet.last": 2}
    known = EFFECTS[NUMBER[effect]] if effect in NUMBER else EFFECTS[-1]
    activity |= {"ot.access": known.access, "ot.grouped": not known.own} | changes
    started = cast("datetime", activity["@timestamp"])
    ended = started + timedelta(seconds=59 if activity["ot.grouped"] else 0)
    return {"event.start": started, "event.end": ended} | activity


def case_point(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The valid point that differs from one that stays what it is as stated. Raises Fault."""
    point = STILL | _changes(stated, POINT)
    started = cast("datetime", point["@timestamp"])
    return {"event.start": started, "event.end": started + timedelta(seconds=59)} | point


def case_row(stated: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The valid row of this table that differs as stated. Raises Fault."""
    return case_point(stated) if table is POINT else case_activity(stated)


def case_rows(stated: Sequence[Any], table: Table) -> list[dict[str, Any]]:
    """The rows of a case, a second apart where they do not say when; `repeat: 20` in a row stands for twenty of it. Raises Fault."""
    rows: list[dict[str, Any]] = []
    for one in stated:
        if not isinstance(one, dict):
            raise Fault("case-form")
        row = dict(cast("dict[str, Any]", one))
        times = row.pop("repeat", 1)
        if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST_ROWS - len(rows):
            raise Fault("case-repeat", value=times, most=MOST_ROWS)
        for number in range(times):
            moved = {} if "@timestamp" in row and number == 0 else {"@timestamp": _next(rows)}
            rows.append({**case_row(row | moved, table), "id": f"case-{len(rows)}"})
    return rows


def _next(rows: list[dict[str, Any]]) -> datetime:
    return cast("datetime", rows[-1]["@timestamp"]) + timedelta(seconds=1) if rows else _START


def ordinary(table: Table) -> list[dict[str, Any]]:
    """An hour of what every rule must be silent about."""
    return [{**case_row({"@timestamp": _START + timedelta(minutes=minute)}, table), "id": f"case-{minute}"} for minute in range(60)]


def activity_table(activities: Sequence[Mapping[str, Any]], table: Table = ACTIVITY) -> pa.Table:
    """Activities (or points) as the table that a detector gets."""
    schema: Any = arrow_schema(table)  # the stubs leave a field's type open
    columns: list[pa.Array[Any]] = [pa.array([row.get(field.name) for row in activities], field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _changes(stated: Mapping[str, Any], table: Table) -> dict[str, Any]:
    return {field.name: _typed(field, value) for field, value in _flat("", stated, table)}


def _flat(prefix: str, stated: Mapping[str, Any], table: Table) -> list[tuple[Field, Any]]:
    found: list[tuple[Field, Any]] = []
    for key, value in stated.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        field = table.field(name)
        if field is not None:
            found.append((field, value))
        elif isinstance(value, dict):
            found += _flat(name, cast("dict[str, Any]", value), table)
        else:
            raise Fault("field", name=name, nearest=nearest(name, table.names))
    return found


def _typed(field: Field, value: Any) -> Any:
    if value is None and field.name != "@timestamp":  # a row without a time is none
        return None
    if field.many:
        values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        return [_single(field, one) for one in values]
    return _single(field, value)


def _single(field: Field, value: Any) -> Any:
    plain = not isinstance(value, (bool, dict, list))
    if field.type == "boolean" and isinstance(value, bool):
        return value
    if field.type == "long" and isinstance(value, int) and plain and -(2**63) <= value < 2**63:
        return value
    if field.type == "double" and isinstance(value, (int, float)) and plain:
        return float(value)
    if field.type == "date":
        return _moment(field, value)
    if field.type in {"keyword", "text"} and plain and value is not None:
        return str(value)
    if field.type == "ip" and plain and (address := _address(str(value))):
        return address
    raise Fault("case-value", name=field.name, type=field.type, value=str(cast("object", value)))


def _address(text: str) -> str | None:
    """The address as rows hold it."""
    try:
        return address_of(text)
    except ValueError:
        return None


def _moment(field: Field, value: Any) -> datetime:
    value = "null" if value is None else value  # as it is written
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Fault("case-value", name=field.name, type=field.type, value=str(value)) from error
    if not EARLIEST <= moment.year <= LATEST:
        raise Fault("case-value", name=field.name, type=field.type, value=str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
