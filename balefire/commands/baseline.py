"""What is normal: learned from history, looked at, edited as a file, and put in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import UsageError
from records.wording import say

if TYPE_CHECKING:
    from balefire.screen import Screen
    from detectors.baseline.learned import Learned
    from detectors.baseline.telling import Names
    from detectors.baseline.versions import Kept
    from records.store.contract import Store

FILE = click.Path(path_type=Path)
PARTS: Final = ("habits", "values", "orders")


@click.group("baseline", help=say("cli.help.baseline", HELP))
def baseline() -> None:
    """Hold the commands about what is normal."""


@baseline.command(help=say("cli.help.baseline_learn", HELP))
@keeps
@click.option("--since", metavar="T", help=say("cli.option.since", HELP))
@click.option("--until", metavar="T", help=say("cli.option.until", HELP))
@speaks
def learn(screen: Screen, since: str | None, until: str | None, as_json: bool) -> None:
    """Learn from what the store holds of this time; what was learned before is replaced."""
    from detectors.baseline.learned import ACTIVITY, POINT, Learned
    from records.asking import moments
    from records.model import Batch
    from records.query import Query

    store = _writable(screen)
    try:
        query, found, rows, empty = Query(*moments(since, until)), Learned(), 0, Batch()
        for part in store.history("activity", query, list(ACTIVITY)):
            found.learn(part, empty.points)
            rows += part.num_rows
        for part in store.history("point", query, list(POINT)):
            found.learn(empty.activities, part)
        if found.empty:
            raise UsageError("baseline.nothing", store=screen.store)
        _put(screen, store, found, "baseline_learned")
    finally:
        store.close()
    told = {**_summary(found), "activities": rows}
    if as_json:
        screen.emit(told)
        return
    screen.print(screen.say("cli.baseline.learned", **told))
    _shed(screen, found)


@baseline.command(help=say("cli.help.baseline_show", HELP))
@keeps
@speaks
def show(screen: Screen, as_json: bool) -> None:
    """Tell all of it, in sentences; for programs, line by line as in the file."""
    from balefire.screen import clean
    from detectors.baseline.policy import lines
    from detectors.baseline.telling import sentences

    found = _kept(screen)
    if as_json:
        for kind, told in lines(found):
            screen.emit({"kind": kind, **told})
        return
    for sentence in sentences(found, screen.language, _names(screen)):
        screen.print(clean(sentence))
    screen.note(screen.say("cli.baseline.shown", **_summary(found)))
    _shed(screen, found)


@baseline.command(help=say("cli.help.baseline_export", HELP))
@keeps
@click.option("-o", "--output", "file", required=True, type=FILE, help=say("cli.option.baseline_output", HELP))
@speaks
def export(screen: Screen, file: Path, as_json: bool) -> None:
    """Write it as a file."""
    from detectors.baseline.policy import written

    found = _kept(screen)
    if file.exists():
        raise UsageError("baseline.exists", file=file)
    try:
        file.write_text(written(found), "utf-8")
    except OSError as error:
        raise UsageError("baseline.unwritable", file=file, problem=error.strerror or error) from None
    _told(screen, found, file, as_json)


@baseline.command("import", help=say("cli.help.baseline_import", HELP))
@click.argument("file", type=FILE)
@keeps
@speaks
def taken(screen: Screen, file: Path, as_json: bool) -> None:
    """Put a file's baseline in force."""
    from detectors.baseline.reading import read

    found, store = read(file), _writable(screen)
    try:
        _put(screen, store, found, "baseline_imported", str(file))
    finally:
        store.close()
    _told(screen, found, file, as_json)


@baseline.command(help=say("cli.help.baseline_diff", HELP))
@click.argument("file", type=FILE)
@keeps
@speaks
def diff(screen: Screen, file: Path, as_json: bool) -> None:
    """Compare a file with what is in force: `-` stands only in the baseline, `+` only in the file. Status 1 where they differ."""
    from detectors.baseline.policy import written
    from detectors.baseline.reading import read

    _differ(screen, written(_kept(screen)), written(read(file)), as_json)


@baseline.command(help=say("cli.help.baseline_history", HELP))
@click.argument("version", required=False)
@click.argument("other", required=False)
@keeps
@speaks
def history(screen: Screen, version: str | None, other: str | None, as_json: bool) -> None:
    """List the baselines that were in force, oldest first; of one, what it changed; of two, what differs. Status 1 where they differ."""
    from balefire.times import shown
    from detectors.baseline.versions import difference
    from records.nesting import iso

    found = _versions(screen)
    if version is not None:
        one, two = _two(found, version, other)
        _differ(screen, one.text, two.text, as_json)
        return
    before = ""
    for each in found:
        removed, added = difference(before, each.text) if before else ([], [])
        changed, before = {"added": len(added), "removed": len(removed)}, each.text
        if as_json:
            since = None if each.since is None else iso(each.since)
            screen.emit({"version": each.version, "since": since, "how": each.how, **changed, "in_force": each is found[-1]})
        else:
            how = screen.say(f"cli.baseline.how.{each.how}")
            screen.print(f"{each.version}  {shown(each.since, screen.language):21}  {how}  {screen.say('cli.baseline.changed', **changed)}")


def _versions(screen: Screen) -> list[Kept]:
    """What the store kept. Raises UsageError where that is nothing."""
    from detectors.baseline.versions import STATE, decoded
    from records.errors import StoreError

    store = opened(screen)
    try:
        found = decoded(store.state(STATE))
    except ValueError:
        raise StoreError("store.state", detector=STATE) from None
    finally:
        store.close()
    if not found:
        raise UsageError("baseline.none")
    return found


def _two(found: list[Kept], version: str, other: str | None) -> tuple[Kept, Kept]:
    """The ones to compare: those that are named, or the one that is named and the one before it. Raises UsageError for what is not kept."""
    from detectors.baseline.versions import named

    chosen = [named(found, each) for each in (version, other) if each is not None]
    for name, each in zip((version, other), chosen, strict=False):
        if each is None:
            raise UsageError("baseline.version", version=name, versions=", ".join(dict.fromkeys(kept.version for kept in found)))
    one, *rest = [each for each in chosen if each is not None]
    return (one, rest[0]) if rest else (found[max(found.index(one) - 1, 0)], one)


def _differ(screen: Screen, before: str, after: str, as_json: bool) -> None:
    from detectors.baseline.versions import difference

    removed, added = difference(before, after)
    screen.worse(1 if removed or added else 0)
    if as_json:
        screen.emit({"added": added, "removed": removed})
        return
    for sign, lines in (("-", removed), ("+", added)):
        for line in lines:
            screen.print(f"{sign} {line}")
    if not removed and not added:
        screen.print(screen.say("cli.baseline.same"))


def _writable(screen: Screen) -> Store:
    from records.store import open_store

    opened(screen).close()  # what is not there is not made
    return open_store(screen.store, write=True)


def _kept(screen: Screen) -> Learned:
    """What the store's detectors learned. Raises UsageError where that is nothing."""
    from detectors.baseline.learned import kept
    from records.errors import StoreError

    store = opened(screen)
    try:
        found = kept(store.state)
    except ValueError as error:
        raise StoreError("store.state", detector=error) from None
    finally:
        store.close()
    if found.empty:
        raise UsageError("baseline.none")
    return found


def _names(screen: Screen) -> Names:
    """What the store's assets and the plant's tags are called."""
    from detectors.baseline.telling import Names
    from records.plant import KeptPlant
    from records.query import Query

    store = opened(screen)
    try:
        assets = store.read("asset", Query()).select(["name", "addresses"]).to_pylist()
        return Names({address: row["name"] for row in assets for address in row["addresses"] or ()}, KeptPlant(store).plant)
    finally:
        store.close()


def _put(screen: Screen, store: Store, found: Learned, action: str, note: str = "") -> None:
    """From now on it is judged by this; the trail says so."""
    from balefire.identities import who
    from detectors.baseline.versions import STATE, noted
    from records.store.contract import Change, Commit

    versions = noted(store.state(STATE), found, store.newest(), action.removeprefix("baseline_"))
    store.write(Commit(state={**found.states(), STATE: versions}))
    store.change([Change("baseline", found.version, None, action, who(screen.settings, None), note=note)])


def _summary(found: Learned) -> dict[str, Any]:
    counts = (len(found.habits.habits), len(found.levels.known), sum(map(len, found.orders.known.values())))
    sources = len({key.source for key in found.habits.habits})
    return {**dict(zip(PARTS, counts, strict=True)), "sources": sources, "shed": sum(found.shed.values()), "version": found.version}


def _shed(screen: Screen, found: Learned) -> None:
    """Say what found no room."""
    if count := sum(found.shed.values()):
        screen.note(screen.say("cli.baseline.shed", count=f"{count:,}"))


def _told(screen: Screen, found: Learned, file: Path, as_json: bool) -> None:
    if as_json:
        screen.emit({"file": str(file), **_summary(found)})
    else:
        screen.print(screen.say("cli.baseline.written", file=file, **_summary(found)))
