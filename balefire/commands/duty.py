"""What has to be told to whom and by when: levels decided, forms filled in and released into the ledger, from the command line."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from balefire.commands.forms import one, printed, release
from records.errors import UsageError
from records.formats import duration
from records.wording import say
from reports.agencies import AGENCIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from balefire.screen import Screen
    from reports.forming import Unit
    from reports.obliging import Due


@click.group(help=say("cli.help.duty", HELP))
def duty() -> None:
    """Hold the commands about duties."""


for each in (printed, release):
    duty.add_command(each)


def _command(action: str, *options: Callable[..., Any]) -> Callable[[Callable[..., None]], None]:
    """A command of the group that opens a store."""

    def made(function: Callable[..., None]) -> None:
        command = speaks(function)
        for option in reversed((*options, keeps)):
            command = option(command)
        duty.command(action, help=say(f"cli.help.duty_{action}", HELP))(command)

    return made


_by = click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
_note = click.option("--note", default="", metavar="TEXT", help=say("cli.option.note", HELP))
_id = click.argument("identity", metavar="ID")


def _row(due: Due, now: int, language: str) -> dict[str, Any]:
    from records.nesting import iso

    left = None if due.due is None or not due.open else (due.due - now) // 10**9
    head = {"id": due.row["id"], "alert": due.row["alert"], "duty": due.duty.id, "title": getattr(due.duty.title, language), "regime": due.duty.regime}
    when = {"since": iso(due.since) if due.since else None, "due": iso(due.due) if due.due else None, "left_s": left, "overdue": due.overdue(now)}
    return {
        **head,
        "agencies": list(due.duty.agencies),
        "status": due.status,
        "suspended": {"since": iso(due.ended[0]), "by": due.ended[1]} if due.status == "suspended" and due.ended else None,
        "contested": {"why": due.contested[0], "since": iso(due.contested[1]), "by": due.contested[2]} if due.contested else None,
        **when,
        "receipt": due.row["receipt"],
        "verified": due.duty.verified,
        "unverified": list(due.duty.unverified),
        "source": getattr(due.duty.source, language),
    }


@_command("list", click.option("--agency", metavar="NAME", help=say("duty.option.agency", HELP, known=", ".join(AGENCIES))))
def listed(screen: Screen, agency: str | None, as_json: bool) -> None:
    """List what is due, and confirmed alerts whose level nobody has decided."""
    from balefire.screen import table
    from reports.obliging import all_due, ungraded
    from reports.suggesting import lesser

    if agency is not None and agency not in AGENCIES:
        raise UsageError("duty.word", word=agency, known=", ".join(AGENCIES))
    now = time.time_ns()
    with closing(opened(screen)) as store:
        found = [each for each in all_due(store) if agency is None or agency in each.duty.agencies]
        waiting = ungraded(store)
        light = lesser(store, waiting)
        if as_json:
            for each in found:
                screen.emit(_row(each, now, screen.language))
            for alert, (since, by) in waiting.items():
                from records.nesting import iso

                screen.emit({"id": None, "alert": alert, "status": "ungraded", "since": iso(since), "by": by})
            return
        for alert, (since, by) in waiting.items():
            if alert in light:
                continue
            screen.print(screen.say("duty.ungraded", id=alert[:12], by=by, time=duration(now - since, screen.language)))
        if light:
            screen.print(screen.say("duty.ungraded_lesser", count=len(light)))
        if found:
            names = ("id", "duty", "agency", "left", "due", "basis", "alert")
            screen.print(table([(screen.say(f"duty.column.{name}"), False) for name in names], [_line(screen, each, now) for each in found]))
            screen.note(screen.say("duty.clock"))
        elif not waiting:
            screen.note(screen.say("cli.nothing"))


def _unit(screen: Screen) -> Unit:
    from reports.forming import Unit

    return Unit(screen.settings.duties.unit, screen.language, screen.settings.reports.zone)


def _line(screen: Screen, due: Due, now: int) -> list[object]:
    clock = screen.clock
    title = getattr(due.duty.title, screen.language)
    return [
        due.row["id"][:12],
        title,
        due.duty.told(screen.language),
        due.left(now, screen.language, clock.zone),
        clock.stamp(due.due) if due.due else "–",
        due.duty.basis(screen.language),
        due.case,
    ]


@_command("show", _id)
def show(screen: Screen, identity: str, as_json: bool) -> None:
    """Show the form of a duty as it stands."""
    from reports.forming import form, suggestions

    now = time.time_ns()
    with closing(opened(screen)) as store:
        due = one(store, identity)
        told, suggested = (each(store, due, _unit(screen)) for each in (form, suggestions))
        if as_json:
            screen.emit({**_row(due, now, screen.language), "form": told, "suggestions": suggested, "required": [each.id for each in due.duty.required]})
            return
        line = _line(screen, due, now)
        for text in (f"{line[1]} · {line[2]} · {line[3]}", screen.say("duty.by", origin=due.duty.origin(screen.language)), ""):
            screen.print(text)
        for each in due.duty.fields:
            mark = screen.say("duty.required") if each in due.duty.required else screen.say("duty.later")
            screen.print(f"[{each.id}] {screen.say('duty.aside', text=getattr(each.title, screen.language), aside=mark)}")
            for text in told[each.id].split("\n"):
                screen.print(f"    {text or '—'}")
            if text := suggested.get(each.id):
                screen.print(f"    {screen.say('duty.suggestion')}")
                for part in text.split("\n"):
                    screen.print(f"        {part}")


_FACTS = [click.option(f"--{name}", type=float, metavar="N", help=say(f"duty.fact.{name}", HELP)) for name in
          ("outage", "function", "people", "city", "province", "records", "loss")]  # fmt: skip


@_command(
    "grade",
    click.argument("alert", metavar="ALERT"),
    click.option("--level", metavar="LEVEL", help=say("duty.option.level", HELP)),
    click.option("--class", "code", metavar="CODE", help=say("duty.option.class", HELP)),
    *_FACTS,
    _note,
    _by,
)
def grade(screen: Screen, alert: str, level: str | None, code: str | None, note: str, by: str | None, as_json: bool, **facts: float | None) -> None:
    """Suggest a level and a class with reasons; with --level, decide."""
    from balefire.identities import alert_of, who
    from reports import obliging
    from reports.dutybook import class_named, left_out
    from reports.suggesting import checked, suggested

    known = checked({key: value for key, value in facts.items() if value is not None})
    with closing(opened(screen)) as store:
        identity = alert_of(screen, store, alert)
        found = suggested(store, identity, known)
        chosen, wanted = code or found.code, screen.settings.duties
        made: list[str] = []
        if level is not None:
            person = who(screen.settings, by)
            made = obliging.grade(store, identity, level, chosen, wanted.operator, wanted.regimes, person, time.time_ns(), known, note)
        reasons = [getattr(each, screen.language) for each in found.reasons]
        about = (chosen, level or "", wanted.operator, wanted.regimes)
        if as_json:
            suggestion = {"level": found.level, "class": found.code, "class_code_verified": False, "reasons": reasons}
            screen.emit(
                {
                    "alert": identity,
                    "suggestion": suggestion,
                    "level": level,
                    "class": chosen if level else None,
                    "duties": made,
                    "left_out": [each.id for each in left_out(*about)],
                }
            )
            return
        what = class_named(found.code, screen.language)
        screen.print(screen.say("duty.suggested", level=screen.say(f"duty.level.{found.level}"), what=what))
        for reason in reasons:
            screen.print(f"  – {reason}")
        for text in found.lost(*about, screen.language):
            screen.print(f"  – {text}")
        if level is None:
            screen.note(screen.say("duty.decide"))
        else:
            screen.print(screen.say("duty.decided", level=screen.say(f"duty.level.{level}"), count=len(made), duties=", ".join(made) or "–"))


@_command("moment", click.argument("alert", metavar="ALERT"), click.argument("which", type=click.Choice(("handled", "paid"))),
          click.option("--at", metavar="T", help=say("duty.option.at", HELP)), _note, _by)  # fmt: skip
def moment(screen: Screen, alert: str, which: str, at: str | None, note: str, by: str | None, as_json: bool) -> None:
    """Say when handling ended, or a ransom was paid."""
    from balefire.identities import alert_of, who
    from records.nesting import iso, period
    from reports.obliging import moment as said

    span = period(at) if at else None
    if at and span is None:
        raise UsageError("duty.time", text=at)
    now = time.time_ns()
    with closing(opened(screen)) as store:
        identity = alert_of(screen, store, alert)
        before = said(store, identity, which, span[0] if span else None, who(screen.settings, by), now, note, screen.clock.zone)
        when = span[0] if span else now
        if as_json:
            screen.emit({"alert": identity, which: iso(when), "before": None if before is None else iso(before)})
        else:
            stamp = screen.clock.stamp_s
            screen.print(screen.say(f"duty.moment.{which}", time=stamp(when)))
            if before is not None and before != when:
                screen.note(screen.say("duty.moment.moved", before=stamp(before), time=stamp(when)))


@_command("fill", _id, click.argument("values", metavar="FIELD=TEXT…", nargs=-1),
          click.option("--accept", "fields", multiple=True, metavar="FIELD", help=say("duty.option.accept", HELP)), _by)  # fmt: skip
def fill(screen: Screen, identity: str, values: tuple[str, ...], fields: tuple[str, ...], by: str | None, as_json: bool) -> None:
    """Write into fields of a form, or take over what is suggested for some."""
    from balefire.identities import who
    from reports.forming import taken_over
    from reports.obliging import check_open
    from reports.obliging import fill as filled

    pairs = [each.partition("=") for each in values]
    if wrong := [each[0] for each in pairs if not each[1]] or ([] if values or fields else ["–"]):
        raise UsageError("duty.pair", text=wrong[0])
    texts = {key: text for key, _sign, text in pairs}
    with closing(opened(screen)) as store:
        due = one(store, identity)
        check_open(due)
        texts = taken_over(store, due, _unit(screen), fields) | texts
        filled(store, due, texts, who(screen.settings, by))
    told = {"filled": [key for key, text in texts.items() if text.strip()], "emptied": [key for key, text in texts.items() if not text.strip()]}
    if as_json:
        screen.emit({"id": due.row["id"], **told})
        return
    for how, names in told.items():
        if names:
            screen.print(screen.say(f"duty.{how}", id=due.row["id"][:12], fields=", ".join(names)))


@_command("waive", _id, click.option("--note", required=True, metavar="TEXT", help=say("cli.option.note", HELP)), _by)
def waive(screen: Screen, identity: str, note: str, by: str | None, as_json: bool) -> None:
    """Say that a duty does not apply, and why."""
    from balefire.identities import who
    from reports.obliging import waive as waived

    with closing(opened(screen)) as store:
        due = one(store, identity)
        waived(store, due, who(screen.settings, by), note)
        if as_json:
            screen.emit({"id": due.row["id"], "status": "waived"})
        else:
            screen.print(screen.say("duty.waived", id=due.row["id"][:12]))


@_command("supplement", _id, _by)
def supplement(screen: Screen, identity: str, by: str | None, as_json: bool) -> None:
    """Open a supplement to what was released."""
    from balefire.identities import who
    from reports.supplementing import supplement as supplemented

    with closing(opened(screen)) as store:
        made = supplemented(store, one(store, identity), who(screen.settings, by))
        if as_json:
            screen.emit({"id": made, "status": "open"})
        else:
            screen.print(screen.say("duty.supplementing", id=made[:12]))


@_command("year", _by)
def year(screen: Screen, by: str | None, as_json: bool) -> None:
    """Open the yearly reports of a year without incidents."""
    from balefire.identities import who
    from reports.yearly import open_empty

    with closing(opened(screen)) as store:
        for made in open_empty(store, screen.settings.duties.regimes, who(screen.settings, by), time.time_ns()):
            if as_json:
                screen.emit({"id": made, "status": "open"})
            else:
                screen.print(screen.say("duty.year_opened", id=made[:12]))


@_command("view", click.argument("agency", metavar="AGENCY"))
def view(screen: Screen, agency: str, as_json: bool) -> None:
    """What one agency may see: its own duties and the fields of their forms alone."""
    from reports.audience import nothing
    from reports.audience import view as seen
    from reports.words import nanoseconds

    if agency not in AGENCIES:
        raise UsageError("duty.word", word=agency, known=", ".join(AGENCIES))
    with closing(opened(screen)) as store:
        found = seen(store, agency, screen.settings.duties.unit, screen.language, time.time_ns())
        clock = screen.clock
        for each in found:
            if as_json:
                screen.emit(each)
            else:
                due = clock.stamp(nanoseconds(each["due"])) if each["due"] else "–"
                doubt = f" · {screen.say('dashboard.duties.doubted')}" if each["doubted"] else ""
                screen.print(f"{each['title']} · {each['left']} · {due} · {each['basis']}{doubt}")
                if each["contested"]:
                    told = screen.say(f"duty.contested_told.{each['contested_why']}", time=clock.stamp(nanoseconds(each["contested"])))
                    screen.print(f"    {told}")
                for key, text in each["form"].items():
                    screen.print(f"    [{key}] {each['titles'].get(key, key)}")
                    for part in text.split("\n"):
                        screen.print(f"        {part or '—'}")
        if not found and not as_json:
            screen.note(nothing(agency, screen.language))
