"""Versions of the rules: which were in force when, and putting one back."""

from __future__ import annotations

import os
from os.path import realpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balefire.command import HELP, keeps, opened, speaks
from records.errors import StoreError, UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balefire.screen import Screen
    from detectors.rulebook.versions import Place, Version
    from records.store.contract import Store


class UnknownVersionError(UsageError):
    """No version has this identity, or several have: a negative result."""

    status = 1


MARKS = {"added": "+", "changed": "~", "removed": "−"}


@click.command("versions", help=say("cli.help.versions", HELP))
@keeps
@speaks
def listed(screen: Screen, as_json: bool) -> None:
    """List the versions, oldest first, each with what it changed."""
    kept = recorded(screen)
    before: Version | None = None
    for version in kept:
        row = _row(version, before, version is kept[-1])
        if as_json:
            screen.emit(row)
        else:
            _tell(screen, row, version.since)
        before = version
    if not kept:
        screen.note(screen.say("cli.versions.none"))


def _row(version: Version, before: Version | None, in_force: bool) -> dict[str, Any]:
    from records.nesting import iso

    changes = version.changes(before) if before else {}
    since = None if version.since is None else iso(version.since)
    told = [{"file": str(_file(place)), "change": change} for place, change in sorted(changes.items())]
    return {"version": version.id, "since": since, "files": len(version.files), "changes": told, "in_force": in_force}


def _tell(screen: Screen, row: dict[str, Any], since: int | None) -> None:
    from balefire.times import shown

    words = screen.say("cli.versions.in_force") if row["in_force"] else ""
    screen.print(f"{row['version']}  {shown(since, screen.language):21}  {screen.say('cli.versions.files', count=row['files'])}  {words}".rstrip())
    for change in row["changes"]:
        screen.print(f"  {MARKS[change['change']]} {change['file']}")


@click.command(help=say("cli.help.rollback", HELP))
@click.argument("version", metavar="VERSION")
@click.option("--rules", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.rules", HELP))
@click.option("--note", default="", metavar="TEXT", help=say("cli.option.note", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def rollback(screen: Screen, version: str, rules: tuple[Path, ...], note: str, by: str | None, as_json: bool) -> None:
    """Write the site's rule files as they were. What stood there stays beside it, under a name that no loader takes."""
    from balefire.identities import who
    from detectors.rulebook.versions import OWN, read

    person = who(screen.settings, by)
    roots = rules or ((screen.settings.rules,) if screen.settings.rules else ())
    if not roots:
        raise UsageError("rollback_where")
    for root in roots:
        if not root.exists():
            raise UsageError("rules_missing", path=root)
    wanted = chosen(recorded(screen), version)
    places = _places(wanted, roots)
    standing = read(roots)
    now = {_file(place): text for place, text in standing.files.items() if place[0] != OWN}
    written = [file for file, text in places.items() if now.get(file) != text]
    removed = [file for file in now if file not in places]
    if written or removed:
        _entered(screen, standing, wanted, person, note)
    kept = [str(_aside(file, wanted)) for file in (*written, *removed) if file in now]
    for file in written:
        _replace(file, places[file])
    if as_json:
        screen.emit({"version": wanted.id, "written": [str(file) for file in written], "removed": [str(file) for file in removed], "kept": kept})
        return
    for sign, files in (("+", written), ("−", removed)):
        for file in files:
            screen.print(f"{sign} {file}")
    what = "rolled" if written or removed else "same"
    screen.print(screen.say(f"cli.versions.{what}", version=wanted.id, written=len(written), removed=len(removed)))
    for file in kept:
        screen.note(screen.say("cli.versions.kept", file=file))


def _entered(screen: Screen, before: Version, after: Version, by: str, note: str) -> None:
    """The audit trail tells it before any file changes: who may not write there does not go back either."""
    from records.store.contract import Change

    store = opened(screen)
    try:
        store.change([Change("rules", after.id, None, "rollback", by, {"version": after.id}, note, {"version": before.id})])
    finally:
        store.close()


def recorded(screen: Screen) -> list[Version]:
    """The versions that the store has kept."""
    from detectors.rulebook.versions import STATE, decoded

    store = opened(screen)
    try:
        return decoded(store.state(STATE))
    except ValueError:
        raise StoreError("store.versions", path=screen.store) from None
    finally:
        store.close()


def in_force(screen: Screen, store: Store) -> Version:
    """The rules that judged last, as the store has kept them; where it has kept none, those on disk."""
    from detectors.rulebook.versions import STATE, decoded, read

    try:
        kept = decoded(store.state(STATE))
    except ValueError:
        raise StoreError("store.versions", path=screen.store) from None
    return kept[-1] if kept else read([screen.settings.rules] if screen.settings.rules else [])


def chosen(kept: Sequence[Version], asked: str) -> Version:
    """The one version whose identity begins so, the last time it was in force."""
    found = {version.id: version for version in kept if asked and version.id.startswith(asked)}
    if not found:
        raise UnknownVersionError("unknown_version", id=asked)
    if len(found) > 1:
        raise UnknownVersionError("ambiguous", id=asked, ids=", ".join(sorted(found)))
    return next(iter(found.values()))


def _places(version: Version, roots: Sequence[Path]) -> dict[Path, str]:
    """Where each of the site's files belongs now. A store is not trusted to name a place outside of the given ones."""
    from detectors.rulebook.document import ENDINGS
    from detectors.rulebook.versions import OWN

    before = list(dict.fromkeys(root for root, _ in version.files if root != OWN))
    now = {str(root.absolute()): root for root in (path if path.is_dir() else path.parent for path in roots)}
    homes = {root: now[root] for root in before if root in now}
    if len(before) == len(now) == 1:  # the same rules, which now lie somewhere else
        homes = dict(zip(before, now.values(), strict=True))
    places: dict[Path, str] = {}
    for (root, name), text in version.files.items():
        if root == OWN:
            continue
        home = homes.get(root)
        if home is None:
            raise UsageError("rollback_root", root=root, given=", ".join(now))
        file = home.absolute() / name
        if file.suffix.lower() not in ENDINGS or not _is_within(file, home):
            raise UsageError("rollback_place", file=file, root=home)
        if file.is_symlink():
            raise UsageError("rollback_link", file=file)
        places[file] = text
    return places


def _is_within(file: Path, home: Path) -> bool:
    """Whether its directory lies there. What the file itself is, if it is a link, is said on its own."""
    return ".." not in file.parts and Path(realpath(file.parent)).is_relative_to(realpath(home))


def _file(place: Place) -> Path:
    return Path(place[0]) / place[1]


def _aside(file: Path, version: Version) -> Path:
    """Rename a file that is replaced or removed; the suffix is none of a rule's."""
    number = 0
    while (other := file.with_name(f"{file.name}.before-{version.id}{f'-{number}' if number else ''}")).exists():
        number += 1
    _tried(lambda: file.rename(other))
    return other


def _replace(file: Path, text: str) -> None:
    """Written beside and renamed in, so that nobody reads half of it."""
    beside = file.with_name(f"{file.name}.new")

    def write() -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as opened:
            opened.write(text.encode("utf-8", "surrogateescape"))
            opened.flush()
            os.fsync(opened.fileno())
        beside.rename(file)

    _tried(write)


def _tried(work: Any) -> None:
    try:
        work()
    except OSError as error:
        raise UsageError("rollback_failed", reason=error) from error
