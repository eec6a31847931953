"""Stored rows as people read them: a few columns a table, the newest schema names out of sight."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from balefire.screen import cell, clean, cut, severity_text, table
from balefire.times import shown as shown_time
from records.assets import contested
from records.model import severity_word
from records.nesting import period
from records.store.rows import conflicts_of
from records.wording import device_words, role_words, say, say_or
from sensors.protocol import is_label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from records.model import Value

Row = dict[str, Any]
NAMED: Final = ("rules", "access")  # what is told by a name that people gave it
TOLD: Final = {"assign": "assignee", "suppress": "reason", "disable": "reason", "account_add": "role"}  # decisions that are told with a value
NEW: Final = ("owner", "until")  # of a suppression, beside its reason and its conditions
VALUES: Final = 6  # of a condition
LONGEST: Final = 60  # letters of a value
ID: Final = 12  # shown digits of an identity; any prefix that is unique works


def place(row: Row, side: str) -> str:
    """Name or address of a side of an activity, with its unit where it has one."""
    name = row.get(f"{side}.asset.name") or row.get(f"{side}.ip") or row.get(f"{side}.mac") or "–"
    unit = row.get("ot.unit")
    return f"{name} · {unit}" if side == "destination" and unit is not None else str(name)


def thing(row: Row) -> str:
    """What an operation is about, as the plant calls it where it does: `Pump 3 speed: holding_register 40`."""
    space, name, first, last = (row.get(f"ot.object.{part}") for part in ("space", "name", "first", "last"))
    span = "" if first is None else str(first) if last in (None, first) else f"{first}–{last}"
    about = {"space": space, "name": name, "first": first, "last": first if last is None else last}
    parts = (name,) if name and is_label(str(row.get("network.protocol")), about) else (space, name, span)
    place = " ".join(str(part) for part in parts if part)
    return ": ".join(part for part in (", ".join(row.get("ot.tag.name") or ()), place) if part)


def _number(name: str) -> Callable[[Row, str], object]:
    return lambda row, _language: "" if row[name] is None else f"{row[name]:,}"


def _value(name: str) -> Callable[[Row, str], object]:
    return lambda row, _language: "" if row[name] is None else f"{row[name]:g}"


def _point(row: Row, language: str) -> str:
    """A point, and what the plant's list says of it."""
    from detectors.phrases import listed

    return " · ".join(part for part in (thing(row), listed(row, language)) if part)


def _last(row: Row, _language: str) -> str:
    """Its last value, with its engineering unit where the plant has told one."""
    return " ".join(part for part in (str(_value("ot.point.last")(row, "")), row.get("ot.tag.unit")) if part)


def _plain(name: str) -> Callable[[Row, str], object]:
    return lambda row, _language: row[name]


def _addresses(row: Row, language: str) -> object:
    """The addresses of an asset, and how many of them others claim, too."""
    from rich.text import Text

    count = len({each.address for each in contested(conflicts_of(row))})
    marks = [say(f"cli.asset.disputed.{'one' if count == 1 else 'many'}", language, count=count)] if count else []
    return Text("\n".join([*(cell(each) for each in row["addresses"] or ()), *marks]))


def _time(name: str) -> Callable[[Row, str], object]:
    return lambda row, language: shown_time(row[name], language)


def _side(name: str) -> Callable[[Row, str], object]:
    return lambda row, _language: place(row, name)


def _severity(row: Row, language: str) -> object:
    return severity_text(severity_word(row["severity"]), language)


def decision(row: Row, language: str) -> str:
    """What was decided, and what that came to: the verdict, to whom, why."""
    after: Any = json.loads(row["after"]) if isinstance(row["after"], str) else row["after"] or {}
    word = say(f"decision.{row['action']}", language)
    if row["action"] == "close":
        what = say(f"verdict.{after['verdict']}", language) if after.get("verdict") else None
    elif row["action"] == "grade" and after.get("graded"):
        what = say(f"duty.level.{after['graded']}", language)
    elif row["action"] in TOLD:
        what = after.get(TOLD[row["action"]])
    else:
        return word
    return say("cli.decided", language, decision=word, what=what or "–")


def _change(row: Row, language: str) -> object:
    """What became other than it was, a field a line; what is new has nothing before, and of a suppression all is new."""
    from rich.text import Text

    before, after = (cast("Row", json.loads(row[name] or "{}")) for name in ("before", "after"))
    fields = [name for name in before if before[name] != after.get(name)]
    fields += NEW if row["action"] == "suppress" else ()
    words = {name: say_or(f"cli.column.{name}", language, name) for name in fields}
    told = (say("cli.changed", language, name=words[name], before=_valued(name, before, language), after=_valued(name, after, language)) for name in fields)
    conditions = [f"{name}: {values}" for name, values in conditions_of(after.get("where") or {}, language)]
    heading = [say("cli.column.hides", language)] if conditions else []
    return Text("\n".join([*map(cell, told), *heading, *(f"  {each}" for each in conditions)]))


def conditions_of(where: Mapping[str, Sequence[Value]], language: str) -> list[tuple[str, str]]:
    """The conditions of a suppression in words: field, and the values that it may have."""
    absent, comma = say("cli.suppress.absent", language), say("cli.suppress.comma", language)
    rows: list[tuple[str, str]] = []
    for name, values in where.items():
        words = [absent if value in (None, "") else str(value) for value in values[:VALUES]]
        more = [say("cli.summary.more", language, count=len(values) - VALUES)] if len(values) > VALUES else []
        rows.append((name, clean(comma.join(words + more))))
    return rows


def _valued(name: str, values: Row, language: str) -> str:
    """A value of a decision in words, as far as there are any."""
    value = values.get(name)
    if value in (None, [], ""):
        return "–"
    if name in ("status", "verdict"):
        return say_or(f"{name}.{value}", language, str(value))
    moments = period(str(value)) if name in ("closed", "until", "revoked") else None
    text = shown_time(moments[0], language) if moments else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def status_words(row: Row, language: str) -> object:
    """The status of an alert; of a closed one with its verdict."""
    status, verdict = (say(f"{name}.{row[name]}", language) if row[name] else "" for name in ("status", "verdict"))
    return f"{status} · {verdict}" if verdict and row["status"] == "closed" else status


def verdict_before(row: Row, trail: Sequence[Row], language: str) -> str:
    """As what an alert that goes on was closed before, by its trail; empty where it never was."""
    closings = [json.loads(each["after"]) for each in trail if each["action"] == "close"] if row["status"] != "closed" else []
    verdict = closings[-1].get("verdict") if closings else None
    return say("cli.story.verdict", language, verdict=say(f"verdict.{verdict}", language)) if verdict else ""


def _outcome(row: Row, language: str) -> object:
    return row["ot.error"] or say(f"outcome.{row['event.outcome'] or 'unknown'}", language)


def _one_sided(row: Row, _language: str) -> object:
    """Conversations of which a direction is missing: of those that go on in this window, or short ones that ended in it."""
    counts = [row[name] for name in ("requests_only", "answers_only", "one_sided")]
    return "" if counts == [None] * 3 else f"{max((counts[0] or 0) + (counts[1] or 0), counts[2] or 0):,}"


def _criticality(row: Row, language: str) -> object:
    word = row["criticality"]
    return say_or(f"dashboard.assets.matters.{word}", language, word) if word else None


def _device(row: Row, language: str) -> object:
    return device_words(row["addresses"] or (), (row[name] for name in ("vendor", "model", "firmware")), language)


# fmt: off
COLUMNS: Final[dict[str, tuple[tuple[str, bool, Callable[[Row, str], object]], ...]]] = {
    "activity": (
        ("time", False, _time("@timestamp")), ("source", False, _side("source")), ("destination", False, _side("destination")),
        ("action", False, _plain("event.action")), ("object", False, lambda row, _language: thing(row)), ("count", True, _number("ot.count")),
        ("outcome", False, _outcome), ("access", False, lambda row, language: say(f"access.{row['ot.access']}", language)),
    ),
    "point": (
        ("time", False, _time("@timestamp")), ("destination", False, _side("destination")), ("object", False, _point),
        ("first", True, _value("ot.point.first")), ("min", True, _value("ot.point.min")), ("max", True, _value("ot.point.max")),
        ("last", True, _last), ("changes", True, _number("ot.point.changes")),
    ),
    "finding": (
        ("time", False, _time("time")), ("severity", False, _severity), ("title", False, lambda row, language: row[f"title.{language}"]),
        ("source", False, _plain("source.ip")), ("destination", False, _plain("destination.ip")), ("rule", False, _plain("rule")),
        ("id", False, lambda row, _language: row["id"][:ID]),
    ),
    "alert": (
        ("last_seen", False, _time("last")), ("severity", False, _severity), ("title", False, lambda row, language: row[f"title.{language}"]),
        ("findings", True, _number("count")), ("status", False, status_words), ("assignee", False, _plain("assignee")),
        ("id", False, lambda row, _language: row["id"][:ID]),
    ),
    "audit": (
        ("id", False, lambda row, _language: row["id"].lstrip("0")), ("time", False, _time("time")), ("by", False, _plain("by")),
        ("decision", False, decision), ("change", False, _change),
        ("subject", False, lambda row, _language: row["subject"] if row["table"] in NAMED else row["subject"][:ID]), ("note", False, _plain("note")),
    ),
    "incident": (
        ("last_seen", False, _time("last")), ("severity", False, _severity), ("title", False, lambda row, language: row[f"title.{language}"]),
        ("id", False, lambda row, _language: row["id"][:ID]),
    ),
    "asset": (
        ("name", False, _plain("name")), ("addresses", False, _addresses), ("device", False, _device),
        ("role", False, lambda row, language: role_words(row["role"], language)),
        ("zone", False, _plain("zone")), ("purdue", False, _plain("level")), ("criticality", False, _criticality),
        ("first_seen", False, _time("first")), ("last_seen", False, _time("last")),
    ),
    "coverage": (
        ("time", False, _time("@timestamp")), ("observer", False, _plain("observer.name")), ("interface", False, _plain("interface")),
        ("packets", True, _number("packets")), ("grade", True, lambda row, language: cut(row["grade"], language)), ("lost", True, _number("lost")),
        ("undecoded", True, _number("undecoded_bytes")), ("encrypted", True, _number("encrypted_bytes")), ("dropped", True, _number("dropped")),
        ("one_sided", True, _one_sided),
    ),
}
# fmt: on
STATED: Final = {"asset": {"zone": "zone", "purdue": "level", "criticality": "criticality"}}  # columns that are there only where their field is known of any


def shown(name: str, rows: list[Row], language: str) -> Any:
    """The rows of a table as people read them."""
    unknown = {column for column, field in STATED.get(name, {}).items() if all(row[field] is None for row in rows)}
    wanted = [each for each in COLUMNS[name] if each[0] not in unknown]
    headings = [(say(f"cli.column.{column}", language), numbers) for column, numbers, _told in wanted]
    return table(headings, ([told(row, language) for _column, _numbers, told in wanted] for row in rows))
