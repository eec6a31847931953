"""Warnings: red, orange, yellow or blue, by a person's decision on a suggestion; then issued → signed for → handled → feedback → closed, each by its time.

A colour is for what occurred or is likely; the level of an incident is another question and stands apart (`reports.obliging`).
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detectors.lifecycle import LONGEST, LONGEST_NAME, TransitionError, name, plain
from records.errors import UsageError
from records.formats import Clock
from records.model import Text
from records.store.contract import Change
from records.wording import LANGUAGES, say
from reports.dutybook import colour_of
from reports.everything import every_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from records.store.contract import Store

Row = dict[str, Any]
SECOND: Final = 10**9
HOUR: Final = 3600 * SECOND
LONGEST_TITLE: Final = 500
STEPS: Final = ("issued", "signed", "handled", "feedback", "closed")
NOBODY: Final[Mapping[str, Sequence[str]]] = {}
ACTIONS: Final[Mapping[str, str]] = {"sign": "signed", "handle": "handled", "feedback": "feedback", "close": "closed"}


@cache
def _standard() -> dict[str, Any]:
    import yaml

    return yaml.safe_load((Path(__file__).parent / "warnings.yml").read_text("utf-8"))


def colours() -> tuple[str, ...]:
    """The colours of warnings, the least first."""
    return tuple(_standard()["hours"])


def due_after(colour: str, step: int) -> int:
    """How long after its issue this step of a warning of a colour is due, nanoseconds."""
    return int(_standard()["hours"][colour][step]) * HOUR


def suggest(store: Store, alert: str) -> tuple[str, list[Text]]:
    """A colour for an alert, and why: the least where it was closed as anything but true; by the level of its incident where that is decided, else by its
    severity, cut for what is not confirmed yet.
    """
    if against := disproved(store, [alert]).get(alert):
        return colours()[0], [Text(*(say("warning.why.disproved", each, verdict=say(f"verdict.{against[0]}", each)) for each in LANGUAGES))]
    graded = store.get("grading", alert)
    if graded:
        colour = colour_of(str(graded["graded"]))
        told = [say("warning.why.level", each, level=say(f"duty.level.{graded['graded']}", each)) for each in ("en", "zh")]
        return colour, [Text(*told)]
    row = store.get("alert", alert) or {"severity": 0, "count": 0}
    severity, count = int(row["severity"] or 0), int(row["count"] or 0)
    colour = next(colour for colour, least in _standard()["unconfirmed"].items() if severity >= least)
    return colour, [Text(*(say(f"warning.why.severity.{'one' if count == 1 else 'many'}", each, severity=severity, count=count) for each in ("en", "zh")))]


def issue(store: Store, alert: str, colour: str, title: str, reasons: Sequence[Text], receiver: str, by: str, now: int) -> str:
    """Issue a warning from an alert; its id. Raises UsageError."""
    if colour not in colours():
        raise UsageError("duty.word", word=colour, known=", ".join(colours()))
    if not name(receiver) or not plain(title) or not reasons:
        raise UsageError("warning.empty")
    _fits("receiver", plain(receiver), LONGEST_NAME)
    _fits("title", title.strip(), LONGEST_TITLE)
    identity = secrets.token_hex(8)
    made: Row = {
        "id": identity, "alert": alert, "colour": colour, "title": title.strip(), "receiver": name(receiver), "status": "issued", "issued": now,
        "reasons": json.dumps([{"en": each.en, "zh": each.zh} for each in reasons], ensure_ascii=False), "due": now + due_after(colour, 0),
        "signed": None, "handled": None, "feedback": None, "closed": None, "revision": 0,
    }  # fmt: skip
    store.change([_change(identity, None, "issue", by, made, "")])
    return identity


def issue_to(
    store: Store, alert: str, colour: str, receivers: Sequence[str], by: str, now: int, language: str, *, title: str = "", reason: str = ""
) -> list[str]:
    """Issue a warning to each receiver, who signs for it alone: what happened, the reason that a person gives, then what was suggested; their ids.

    Raises UsageError. A receiver who is named twice in the same words is one; two that only become the same as they are stored are refused.
    """
    known = store.get("alert", alert) or {}
    told = plain(title) or str(known.get(f"title.{language}") or "")[:LONGEST_TITLE]
    _fits("reason", reason, LONGEST)
    happened = [Text(str(known["reason.en"]), str(known["reason.zh"]))] if known.get("reason.en") else []
    given = [*happened, *([Text(plain(reason), plain(reason))] if plain(reason) else []), *_decided(colour, *suggest(store, alert))]
    wanted = list(dict.fromkeys(each.strip() for each in receivers or ("",)))
    for each in wanted:
        if not plain(each):
            raise UsageError("warning.empty")
        _fits("receiver", plain(each), LONGEST_NAME)
    if twice := [each for at, each in enumerate(wanted) if plain(each) in map(plain, wanted[:at])]:
        raise UsageError("warning.twice", receiver=plain(twice[0]))
    return [issue(store, alert, colour, told, given, receiver, by, now) for receiver in wanted]


def _decided(colour: str, suggested: str, why: Sequence[Text]) -> list[Text]:
    """Why it has its colour: the reasons of the suggestion, as reasons for another colour where a person decided against it."""
    if colour == suggested or colour not in colours():
        return list(why)
    told: list[str] = []
    for language in ("en", "zh"):
        words = {key: say(f"warning.colour.{each}", language) for key, each in (("colour", colour), ("suggested", suggested))}
        told.append(say("warning.why.decided", language, **words, reasons=" · ".join(getattr(each, language) for each in why)))
    return [Text(*told)]


def _fits(what: str, text: str, limit: int) -> None:
    """Nothing is cut unseen. Raises UsageError for what is too long to be kept whole."""
    if len(text) > limit:
        raise UsageError(f"warning.long.{what}", length=len(text), limit=limit, start=text[:40])


def step(store: Store, identity: str, action: str, by: str, now: int, note: str = "", receivers: Mapping[str, Sequence[str]] = NOBODY) -> None:
    """Take the next step of the loop; none is skipped, and what was handled and what came of it is said. Of a receiver whose people are known (`receivers`),
    these alone sign, handle and feed back, and whoever is none of them closes. Raises TransitionError.
    """
    row, status = one(store, identity), ACTIONS[action]
    theirs = next((people for receiver, people in receivers.items() if name(receiver) == row["receiver"]), None)
    if theirs is not None and (name(by) in map(name, theirs)) != (status != "closed"):
        raise TransitionError(
            "warning.theirs" if status != "closed" else "warning.ours", id=row["id"], receiver=row["receiver"], names=", ".join(theirs), by=by
        )
    place = STEPS.index(status)
    if row["status"] != STEPS[place - 1]:
        raise TransitionError("warning.order", id=identity, status=row["status"], wanted=status)
    if status in {"handled", "feedback"} and not note.strip():
        raise UsageError("life.empty_note")
    due = None if status == "closed" else row["issued"] + due_after(row["colour"], place)
    store.change([_change(row["id"], row, action, by, {"status": status, status: now, "due": due}, note)])


def one(store: Store, identity: str) -> Row:
    """The warning whose id begins so. Raises TransitionError."""
    found = [row for row in warnings(store) if identity and row["id"].startswith(identity)]
    if len(found) != 1:
        raise TransitionError("warning.unknown", id=identity)
    return found[0]


def warnings(store: Store) -> list[Row]:
    """Every warning, what is due first."""
    return sorted(every_row(store, "warning"), key=lambda row: (row["due"] is None, row["due"] or 0, row["id"]))


def contested(store: Store, rows: Sequence[Row]) -> dict[str, tuple[str, int, str]]:
    """The warnings, not closed yet, whose alert was found to be something else than true: by which verdict, when and by whom. A person decides what follows."""
    found = disproved(store, [row["alert"] for row in rows if row["status"] != "closed"])
    return {row["id"]: found[row["alert"]] for row in rows if row["status"] != "closed" and row["alert"] in found}


def disproved(store: Store, identities: Iterable[str]) -> dict[str, tuple[str, int, str]]:
    """Of these alerts those that are closed as anything but true: by which verdict, when and by whom."""
    names = sorted(set(identities))
    alerts = [each for start in range(0, len(names), 1000) for each in store.alerts(names[start : start + 1000])]
    found: dict[str, tuple[str, int, str]] = {}
    for alert in alerts:
        if alert.status == "closed" and alert.verdict != "true":
            closings = every_row(store, "audit", f'table:alert AND action:close AND subject:"{alert.id}"')
            when, by = (closings[-1]["time"], closings[-1]["by"]) if closings else (alert.closed or alert.last, "–")  # past its retention nobody knows who
            found[alert.id] = (str(alert.verdict), int(when), str(by))
    return found


class DisprovedError(TransitionError):
    """What a warning warns of was found to be something else."""

    def text(self, language: str) -> str:
        """The whole message, the verdict in words."""
        return say(f"error.{self.key}", language, **self.values | {"verdict": say(f"verdict.{self.values['verdict']}", language)})


def releasable(store: Store, row: Row, zone: tzinfo = UTC) -> None:
    """Raises DisprovedError where the warning's alert is closed as anything but true: nobody is warned of that unless a person wants it even so."""
    if against := disproved(store, [row["alert"]]).get(row["alert"]):
        verdict, when, by = against
        raise DisprovedError("warning.disproved", id=row["id"], verdict=verdict, by=by, time=Clock(zone, "en").stamp(when))


def titles(store: Store, rows: Sequence[Row]) -> dict[str, Text]:
    """What each warning warns of, in both languages where that is the title of its alert; what a person wrote stays as it is."""
    names = sorted({row["alert"] for row in rows})
    alerts = {each.id: each.title for start in range(0, len(names), 1000) for each in store.alerts(names[start : start + 1000])}
    plain = {row["id"]: Text(row["title"], row["title"]) for row in rows}
    known = {row["id"]: alerts[row["alert"]] for row in rows if row["alert"] in alerts}
    return plain | {name: title for name, title in known.items() if plain[name].en in {title.en[:LONGEST_TITLE], title.zh[:LONGEST_TITLE]}}


def standing(row: Row, against: tuple[str, int, str] | None, language: str, zone: tzinfo = UTC) -> str:
    """How a warning stands, and what was decided against it, by the clock of a zone."""
    told = say(f"warning.status.{row['status']}", language)
    if against is None:
        return told
    verdict, time, by = against
    words = {"verdict": say(f"verdict.{verdict}", language), "by": by, "time": Clock(zone, language).stamp(time)}
    return say("warning.contested", language, status=told, **words)


def reasons(row: Row, language: str) -> list[str]:
    """Why it was issued."""
    told: Any = row["reasons"]
    return [str(each[language]) for each in (json.loads(told) if isinstance(told, str) else told or ())]


def history(store: Store, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """What was done about each warning, the earliest first: `step`, `time` (nanoseconds), and by the trail `by` and `note`."""
    trail = {(row["subject"], ACTIONS.get(row["action"], "issued")): row for row in every_row(store, "audit", "table:warning")}
    told: dict[str, list[Row]] = {}
    for row in rows:
        for step in STEPS:
            if row[step] is not None:
                said = trail.get((row["id"], step)) or {"by": "", "note": ""}
                told.setdefault(row["id"], []).append({"step": step, "time": row[step], "by": said["by"], "note": said["note"] or ""})
    return told


def overdue(row: Row, now: int) -> bool:
    """Whether its next step is past its time."""
    return row["due"] is not None and now > row["due"]


def _change(identity: str, stored: Row | None, action: str, by: str, values: Row, note: str) -> Change:
    if not name(by):
        raise UsageError("life.nobody")
    if len(note) > LONGEST:
        raise UsageError("life.long_note", length=len(note), limit=LONGEST)
    return Change("warning", identity, stored["revision"] if stored else None, action, name(by), values, note.strip())
