"""What the plant knows: `balefire import assets|zones|tags FILE` takes its spreadsheets in, after showing what that changes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click

from balefire.command import HELP, keeps, opened, speaks
from records.addresses import is_mac
from records.errors import StoreError, UsageError
from records.homes import expanded
from records.plant import KINDS
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from balefire.importing.comparing import Difference, Example
    from balefire.importing.entries import Reading
    from balefire.importing.relabelling import Relabelled
    from balefire.importing.sheets import Sheet
    from balefire.screen import Screen
    from detectors.listed import Comparison
    from records.plant import Entry, ListedAsset, Plant
    from records.store.contract import Store

EXAMPLES: Final = 3  # entries that are shown as they were read
SHOWN: Final = 20  # lines of each kind on a screen; --json has all


class WrongRowsError(UsageError):
    """Rows are wrong, and nobody said that the others are wanted alone: a negative result."""

    status = 1


@click.command("import", help=say("cli.help.import", HELP))
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--replace", "replaced", is_flag=True, help=say("cli.option.replace", HELP))
@click.option("--encoding", metavar="NAME", help=say("cli.option.import_encoding", HELP))
@click.option("--skip-wrong", is_flag=True, help=say("cli.option.skip_wrong", HELP))
@click.option("--dry-run", is_flag=True, help=say("cli.option.import_dry_run", HELP))
@click.option("--yes", is_flag=True, help=say("cli.option.import_yes", HELP))
@click.option("--by", metavar="NAME", help=say("cli.option.by", HELP))
@keeps
@speaks
def import_list(
    screen: Screen,
    kind: str,
    file: Path | None,
    replaced: bool,
    encoding: str | None,
    as_json: bool,
    skip_wrong: bool,
    dry_run: bool,
    yes: bool,
    by: str | None,
) -> None:
    """Show what a spreadsheet changes, and take it in; without one, what the list that is kept says against the wire."""
    if file is None:
        if replaced or encoding or skip_wrong or dry_run or yes or by:
            raise UsageError("import.file")
        _compare_kept(screen, kind, as_json)
        return
    from dataclasses import asdict

    from balefire.identities import who
    from balefire.importing.comparing import changes, difference
    from balefire.importing.entries import read_entries
    from balefire.importing.sheets import read_sheet
    from detectors.listed import compare
    from records.store.contract import again

    person = who(screen.settings, by)
    sheet = read_sheet(file, encoding)
    store = _made(screen)
    try:
        reading = read_entries(kind, sheet, file, _names(store) if kind == "tags" else {})
        entries = [entry for _, entry in reading.entries]
        before_import = kept(store, kind, anew=replaced)
        changed = difference(before_import, entries, replaced)
        seen = compare(store, kind, entries, _after(store, kind, entries, replaced))
        refused = bool(reading.problems) and not skip_wrong
        if replaced and not entries and not (yes or refused):
            raise UsageError("import.nothing", file=file)
        examples = changes(before_import, reading.entries, EXAMPLES)
        if not as_json:
            _tell_sheet(screen, sheet, encoding is not None, kind, reading, examples)
            _tell(screen, kind, reading, changed, seen)
        taken = not (refused or dry_run) and (yes or as_json or _meant(screen))
        named: Relabelled | None = None
        if taken:
            before = _plant(store)
            again(lambda: _take(store, kind, entries, replaced, file.name, person))
            named = _relabel(screen, before, _plant(store))
        if as_json:
            told = {"examples": [asdict(each) for each in examples], "encoding": sheet.encoding, "other_sheets": list(sheet.others)}
            screen.emit(_told(kind, file, reading, changed, seen, taken) | told | {"relabelled": named.rows if named else None})
        elif not refused:
            screen.print(screen.count("cli.import.taken", len(entries)) if taken else screen.say("cli.import.not_taken"))
            _tell_relabelled(screen, named)
    finally:
        store.close()
    if refused:
        raise WrongRowsError(f"import.wrong.{'one' if reading.wrong == 1 else 'many'}", file=file, count=reading.wrong)


def _made(screen: Screen) -> Store:
    """The store, which may be new: a plant may be listed before anything is seen."""
    from records.store import open_store

    if "://" not in screen.store and not expanded(screen.store).exists():
        open_store(screen.store, write=True).close()
        screen.note(screen.say("cli.import.made", path=screen.store))
    return opened(screen)


def _compare_kept(screen: Screen, kind: str, as_json: bool) -> None:
    """The list that is kept against all that was seen until now."""
    from balefire.importing.disagreeing import tell, told
    from detectors.listed import compare

    store = opened(screen)
    try:
        entries = kept(store, kind)
        seen = compare(store, kind, entries, _plant(store))
    finally:
        store.close()
    if as_json:
        screen.emit({"kind": kind, "rows": len(entries), **told(seen, {})})
    elif not entries:
        screen.print(screen.say("cli.import.none", kind=kind))
    else:
        screen.print(screen.count("cli.import.kept" if seen.disagreements or seen.unseen else "cli.import.agrees", len(entries)))
        tell(screen, kind, seen, {})


def _after(store: Store, kind: str, entries: list[Entry], replaced: bool) -> Plant:
    """The lists as they will be."""
    from records.plant import Plant, merged

    lists: Any = {name: kept(store, name, anew=True) for name in KINDS}
    return Plant(**lists | {kind: entries if replaced else merged(lists[kind], entries)})


def _plant(store: Store) -> Plant:
    """The lists as they are now; those that cannot be read, and are about to be replaced, name nothing."""
    from records.plant import KeptPlant, Plant

    try:
        return KeptPlant(store).plant
    except StoreError:
        return Plant()


def _relabel(screen: Screen, before: Plant, plant: Plant) -> Relabelled | None:
    """Names for what is stored; while another process writes, there are none yet, and that is said."""
    from balefire.importing.relabelling import relabel
    from records.store import open_store

    try:
        store = open_store(screen.store, write=True)
    except StoreError as error:
        if error.key != "store.in_use":
            raise
        screen.note(screen.say("cli.import.in_use"))
        return None
    try:
        return relabel(store, before, plant)
    finally:
        store.close()


def _tell_relabelled(screen: Screen, named: Relabelled | None) -> None:
    if named is None:
        return
    counts = {name: f"{count:,}" for name, count in named.rows.items()}
    screen.print(screen.say("cli.import.relabelled", **counts))
    if named.since is not None:
        from balefire.times import shown

        screen.print(screen.say("cli.import.relabelled_since", time=shown(named.since, screen.language)))


def kept(store: Store, kind: str, anew: bool = False) -> list[Entry]:
    """The entries of a list as the store keeps it now; one that cannot be read is none where it is made `anew`. Raises StoreError."""
    from records.plant import decoded

    row = store.get("plant", kind)
    try:
        return decoded(kind, row["content"]) if row else []
    except ValueError:
        if anew:
            return []
        raise StoreError("store.plant", kind=kind) from None


def _names(store: Store) -> dict[str, str]:
    """What tags may call a device: the names of listed assets, with an IP address of each."""
    assets = cast("list[ListedAsset]", kept(store, "assets"))
    named = ((asset.name.casefold(), next((address for address in asset.addresses if not is_mac(address)), None)) for asset in assets)
    return {name: address for name, address in named if address}


def _take(store: Store, kind: str, entries: Sequence[Entry], replaced: bool, file: str, by: str) -> None:
    from records.plant import digest, encoded, merged
    from records.store.contract import Change

    row = store.get("plant", kind)
    wanted = list(entries) if replaced else merged(kept(store, kind), entries)
    text = encoded(wanted)
    values = {"since": time.time_ns(), "by": by, "file": file, "digest": digest(text), "rows": len(wanted), "content": text}
    store.change([Change("plant", kind, row["revision"] if row else None, "import", by, values)])


def _meant(screen: Screen) -> bool:
    """Asked where somebody sits there."""
    return click.confirm(screen.say("cli.import.ask"), err=True) if sys.stdin.isatty() and sys.stdout.isatty() else True


def _tell_sheet(screen: Screen, sheet: Sheet, known: bool, kind: str, reading: Reading, examples: Sequence[Example]) -> None:
    """How the file was read, and some of what is in it: whoever sees wrong letters, or the wrong column, stops here."""
    from balefire.importing.disagreeing import some

    if sheet.encoding and not known:
        screen.print(screen.say("cli.import.encoding", encoding=sheet.encoding))
    if sheet.others:
        screen.print(screen.say("cli.import.sheets", names=some(sheet.others)))
    for note in reading.notes:
        screen.print(getattr(note, screen.language))
    if kind == "assets" and (without := [entry.name for _, entry in reading.entries if not cast("ListedAsset", entry).addresses]):
        screen.print(screen.say("cli.import.unaddressed", count=len(without), names=some(without)))
    for each in examples:
        screen.print(screen.say(f"cli.import.entry.{'changed' if each.before else 'new'}", row=each.row, entry=each.entry, before=each.before))


def _tell(screen: Screen, kind: str, reading: Reading, changed: Difference, seen: Comparison) -> None:
    from balefire.importing.disagreeing import tell

    for problem in reading.problems[:SHOWN]:
        screen.print(screen.say("cli.import.problem", row=problem.row, column=problem.column, message=getattr(problem.message, screen.language)))
    if len(reading.problems) > SHOWN:
        screen.print(screen.say("cli.import.more", count=len(reading.problems) - SHOWN))
    if reading.unused:
        screen.print(screen.say("cli.import.unused", columns=", ".join(reading.unused)))
    tell(screen, kind, seen, _rows(reading))
    numbers = {"new": changed.new, "changed": changed.changed, "same": changed.same, "removed": changed.removed, "wrong": reading.wrong}
    screen.print(screen.say("cli.import.changes", **numbers))


def _rows(reading: Reading) -> dict[str, int]:
    """In which row of the file each entry stands."""
    return {entry.key: row for row, entry in reading.entries}


def _told(kind: str, file: Path, reading: Reading, changed: Difference, seen: Comparison, taken: bool) -> dict[str, Any]:
    from dataclasses import asdict

    from balefire.importing.disagreeing import told

    return {
        "kind": kind,
        "file": str(file),
        "rows": len(reading.entries) + reading.wrong,
        **asdict(changed),
        "wrong": reading.wrong,
        "problems": [{"row": each.row, "column": each.column, "message": {"en": each.message.en, "zh": each.message.zh}} for each in reading.problems],
        "unused": reading.unused,
        "notes": [{"en": note.en, "zh": note.zh} for note in reading.notes],
        **told(seen, _rows(reading)),
        "imported": taken,
    }
