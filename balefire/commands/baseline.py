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
    from detectors.baseline.habits import Baseline, Habit, Key
    from detectors.methods.novelty import Novelty
    from records.store.contract import Store

FILE = click.Path(path_type=Path)
DETECTOR: Final = "novelty"  # in whose state the store keeps it


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
    from detectors.baseline.habits import COLUMNS
    from records.asking import moments
    from records.query import Query

    store = _writable(screen)
    try:
        first, last = moments(since, until)
        detector, rows = _fresh(), 0
        for part in store.history("activity", Query(since=first, until=last), [*COLUMNS, "ot.interval.mean"], ordered=False):
            detector.baseline.learn(part)
            rows += part.num_rows
        if not detector.baseline.habits:
            raise UsageError("baseline.nothing", store=screen.store)
        _put(screen, store, detector, "baseline_learned")
    finally:
        store.close()
    told = {**_summary(detector.baseline), "activities": rows, "shed": detector.baseline.shed}
    if as_json:
        screen.emit(told)
        return
    screen.print(screen.say("cli.baseline.learned", **told))
    if detector.baseline.shed:
        screen.note(screen.say("cli.baseline.shed", count=f"{detector.baseline.shed:,}"))


@baseline.command(help=say("cli.help.baseline_show", HELP))
@keeps
@speaks
def show(screen: Screen, as_json: bool) -> None:
    """List every habit."""
    from balefire.screen import table
    from detectors.baseline.habits import ordered

    found = _kept(screen)
    if as_json:
        for key, habit in ordered(found):
            screen.emit(_row(key, habit))
        return
    head = [(screen.say(f"cli.baseline.{name}"), False) for name in ("source", "destination", "protocol", "does", "unit", "objects", "every")]
    screen.print(table(head, [_cells(screen, key, habit) for key, habit in ordered(found)]))
    screen.note(screen.say("cli.baseline.shown", **_summary(found)))


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
    from detectors.baseline.policy import read

    detector = _fresh()
    detector.baseline = read(file)
    store = _writable(screen)
    try:
        _put(screen, store, detector, "baseline_imported", str(file))
    finally:
        store.close()
    _told(screen, detector.baseline, file, as_json)


@baseline.command(help=say("cli.help.baseline_diff", HELP))
@click.argument("file", type=FILE)
@keeps
@speaks
def diff(screen: Screen, file: Path, as_json: bool) -> None:
    """Compare a file with what is in force: `-` stands only in the baseline, `+` only in the file. Status 1 where they differ."""
    from detectors.baseline.policy import read, written

    old, new = (set(written(each).splitlines()) for each in (_kept(screen), read(file)))
    removed, added = sorted(old - new), sorted(new - old)
    screen.worse(1 if removed or added else 0)
    if as_json:
        screen.emit({"added": [line.removeprefix("- ") for line in added], "removed": [line.removeprefix("- ") for line in removed]})
        return
    for sign, lines in (("-", removed), ("+", added)):
        for line in lines:
            screen.print(f"{sign} {line.removeprefix('- ')}")
    if not removed and not added:
        screen.print(screen.say("cli.baseline.same"))


def _writable(screen: Screen) -> Store:
    from records.store import open_store

    opened(screen).close()  # what is not there is not made
    return open_store(screen.store, write=True)


def _fresh() -> Novelty:
    from detectors.methods.novelty import Novelty

    return Novelty({})


def _kept(screen: Screen) -> Baseline:
    """What the store's detector learned. Raises UsageError where that is nothing."""
    from records.errors import StoreError

    detector, store = _fresh(), opened(screen)
    try:
        detector.restore(store.state(DETECTOR) or b"")
    except ValueError:
        raise StoreError("store.state", detector=DETECTOR) from None
    finally:
        store.close()
    if not detector.baseline.habits:
        raise UsageError("baseline.none")
    return detector.baseline


def _put(screen: Screen, store: Store, detector: Novelty, action: str, note: str = "") -> None:
    """From now on it is judged by this; the trail says so."""
    from balefire.identities import who
    from records.store.contract import Change, Commit

    store.write(Commit(state={DETECTOR: detector.state()}))
    store.change([Change("baseline", detector.baseline.version, None, action, who(screen.settings, None), note=note)])


def _summary(found: Baseline) -> dict[str, Any]:
    return {"habits": len(found.habits), "sources": len({key.source for key in found.habits}), "version": found.version}


def _told(screen: Screen, found: Baseline, file: Path, as_json: bool) -> None:
    if as_json:
        screen.emit({"file": str(file), **_summary(found)})
    else:
        screen.print(screen.say("cli.baseline.written", file=file, **_summary(found)))


def _row(key: Key, habit: Habit) -> dict[str, Any]:
    return {**key._asdict(), "access": habit.access, "objects": habit.spans, "names": habit.names, "every_s": habit.every}


def _cells(screen: Screen, key: Key, habit: Habit) -> list[str]:
    from detectors.baseline.policy import objects
    from detectors.phrases import deed

    meant = " ".join(part for part in (key.space or "", objects(habit), ", ".join(habit.names[:4]), "…" if len(habit.names) > 4 else "") if part)
    pause = f"{habit.every:g} s" if habit.every is not None else ""
    return [key.source, key.destination, key.protocol, deed(key.effect, screen.language), "" if key.unit is None else str(key.unit), meant, pause]
