"""What was released goes out to its receivers, in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balefire.command import HELP, speaks
from balefire.commands.key import ledger_of
from records.errors import UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from balefire.screen import Screen
    from reports.deliver import Post
    from reports.ways import Way


@click.group(help=say("cli.help.deliver", HELP))
def deliver() -> None:
    """Hold the commands about deliveries."""


_ways = click.option("--ways", "file", type=click.Path(path_type=Path), metavar="FILE", help=say("deliver.option.ways", HELP))


def _post(screen: Screen) -> Post:
    from reports.deliver import Post

    return Post(screen.settings.delivery.post_place())


def _file(screen: Screen, file: Path | None) -> Path:
    """The file of ways."""
    if not file and not screen.settings.delivery.file:
        raise UsageError("deliver.no_ways")
    return file or expanded(screen.settings.delivery.file)


def _known(screen: Screen, file: Path | None) -> dict[str, Way]:
    from reports.ways import ways

    return ways(_file(screen, file))


def _standing(file: Path) -> tuple[dict[str, Way], float]:
    """The ways as the file has them now, and when it was changed (seconds)."""
    from reports.ways import ways

    known, about = ways(file), file.stat()
    return known, max(about.st_mtime, about.st_ctime)


def _entry(screen: Screen, given: Path) -> Path:
    """The file of an entry: as it is given, or by its number in the ledger of the settings, as pages and `verify` tell it."""
    return ledger_of(screen, None).path(int(given.name)) if str(given).isdecimal() and not given.exists() else given


@deliver.command("add", help=say("cli.help.deliver_add", HELP))
@click.argument("entries", metavar="ENTRY…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "names", multiple=True, required=True, metavar="WAY", help=say("deliver.option.to", HELP))
@_ways
@speaks
def add(screen: Screen, entries: tuple[Path, ...], names: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Note what is to go out; it goes with the next run."""
    known, post = _known(screen, file), _post(screen)
    if strange := [name for name in names if name not in known]:
        raise UsageError("deliver.strange", name=strange[0], known=", ".join(known) or "–")
    files = [_entry(screen, entry) for entry in entries]
    before = {identity: status for entry in files for name in names for identity, status in post.add(entry, known[name], time.time()).items()}
    for text in _lacks(screen, [known[name] for name in names]):
        screen.note(text)
    if as_json:
        screen.emit({"deliveries": list(before), "known": [identity for identity, status in before.items() if status]})
        return
    if new := list(before.values()).count(None):
        screen.print(screen.count("deliver.added", new))
    for identity, status in before.items():
        if status:
            screen.print(screen.say("deliver.known", id=identity[:12], status=screen.say(f"deliver.status.{status}")))


def _lacks(screen: Screen, known: Iterable[Way]) -> list[str]:
    """What the ways need and do not have just now."""
    from reports.channel import lacking

    return [screen.say("deliver.lacks", name=way.name, problem=problem.text(screen.language)) for way in known for problem in lacking(way.settings)]


@deliver.command("run", help=say("cli.help.deliver_run", HELP))
@click.option("--every", type=click.IntRange(1, 86_400), metavar="SECONDS", help=say("deliver.option.every", HELP))
@click.option("--ledger", "folder", type=click.Path(path_type=Path), metavar="DIR", help=say("ledger.option.ledger", HELP))
@_ways
@speaks
def run(screen: Screen, every: int | None, folder: Path | None, file: Path | None, as_json: bool) -> None:
    """Note what was released for those who get such, and try what is due: once, or again and again until it is ended."""
    from balefire.schedule import repeated

    place, post, ledger = _file(screen, file), _post(screen), ledger_of(screen, folder)
    _standing(place)  # what is wrong with it at the start ends this
    said: list[list[str]] = [[]]  # what was missing when that was last said

    def once() -> None:
        known, changed = _standing(place)
        for number, names in post.follow(ledger, known, changed, time.time()).items():
            screen.note(screen.say("deliver.follows", number=number, names=", ".join(names)))
        missing = _lacks(screen, known.values())
        if left := sorted({row["channel"] for row in post.rows() if row["status"] == "waiting"} - set(known)):
            missing.append(screen.say("deliver.left", names=", ".join(left), known=", ".join(known) or "–"))
        if missing != said[-1]:
            said.append(missing)
            for text in missing:
                screen.note(text)
        counts = post.run(known, time.time)
        if as_json:
            screen.emit({name: counts.get(name, 0) for name in ("sent", "waiting", "doubt", "dead")})
        elif counts:
            told = ", ".join(f"{screen.say(f'deliver.status.{name}')} {count}" for name, count in counts.items())
            screen.print(told)
        if counts.get("dead") or counts.get("doubt"):
            screen.worse(1)

    repeated(screen, every, once)


@deliver.command("list", help=say("cli.help.deliver_list", HELP))
@click.option("--dead", is_flag=True, help=say("deliver.option.dead", HELP))
@speaks
def listed(screen: Screen, dead: bool, as_json: bool) -> None:
    """List deliveries and what the other side said."""
    from records.nesting import iso

    rows = [row for row in _post(screen).rows() if not dead or row["status"] in {"dead", "doubt"}]
    for row in rows:
        row |= {name: iso(int(row[name] * 10**9)) for name in ("due", "made", "changed")}
        if as_json:
            screen.emit(row)
    if as_json:
        return
    if not rows:
        screen.note(screen.say("cli.nothing"))
        return
    for row in rows:  # paths, addresses and answers are long, and none may be cut: a table has no room for them
        about = (row["id"][:12], screen.say(f"deliver.status.{row['status']}"), f"{screen.say('deliver.column.tries')} {row['tries']}")
        screen.print(" · ".join((*about, f"{screen.say('deliver.column.changed')} {row['changed'][:16].replace('T', ' ')}")))
        for name, text in (("entry", row["entry"]), ("receiver", f"{row['receiver']} ({row['channel']})"), ("said", row["said"] or "–")):
            screen.print(f"    {screen.say(f'deliver.column.{name}')}: {text}")


@deliver.command("retry", help=say("cli.help.deliver_retry", HELP))
@click.argument("identity", metavar="ID")
@speaks
def retry(screen: Screen, identity: str, as_json: bool) -> None:
    """Have a dead letter, or one in doubt, tried again."""
    post = _post(screen)
    found = [row["id"] for row in post.rows() if identity and row["id"].startswith(identity)]
    if len(found) != 1:
        raise UsageError("deliver.not_dead", id=identity)
    post.again(found[0], time.time())
    if as_json:
        screen.emit({"id": found[0], "status": "waiting"})
    else:
        screen.print(screen.say("deliver.again", id=found[0][:12]))
