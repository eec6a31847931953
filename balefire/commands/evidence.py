"""Packets as a file for Wireshark: those kept for an alert or a finding, or slices by asset, conversation and time, also of captures that are still there."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from balefire.command import HELP, keeps, opened, slices, speaks
from balefire.screen import OutputError
from records.errors import UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from balefire.screen import Screen
    from dashboards.evidence import Kept, Row, Taken
    from records.store.contract import Store

STDOUT: Final = "-"
NUMBERS: Final = 20  # packet numbers that a line tells


@click.command(help=say("evidence.help", HELP))
@click.argument("identity", metavar="[ID]", required=False)
@click.option("-o", "--output", required=True, metavar="FILE", help=say("evidence.option.output", HELP))
@slices
@click.option("--from", "sources", multiple=True, metavar="SRC", help=say("evidence.option.from", HELP))
@click.option("--force", is_flag=True, help=say("evidence.option.force", HELP))
@keeps
@speaks
def evidence(screen: Screen, identity: str | None, output: str, sources: tuple[str, ...], force: bool, as_json: bool, **asked: Any) -> None:
    """Write the packets, and say what they are."""
    if not identity and not any(asked.values()):
        raise UsageError("evidence.nothing_asked")
    if output == STDOUT and (as_json or sys.stdout.isatty()):
        raise UsageError("evidence.stdout")
    if output != STDOUT and not force and Path(output).exists():
        raise UsageError("evidence.exists", file=output)
    from sensors.engine.mode import choose
    from sensors.sources.pcap import find

    captures = find(sources) if sources else None
    if output != STDOUT and any(_same(output, capture.path) for capture in captures or ()):
        raise UsageError("evidence.own_source", file=output)
    choose(sum(capture.size for capture in captures or ()))
    store = opened(screen) if identity or captures is None or expanded(screen.store).exists() else None
    try:
        found, taken = _asked(screen, store, identity, captures, asked)
        summary = _write(screen, taken, found, output, force)
    finally:
        if store:
            store.close()
    _tell(screen, summary, found, captures is not None, as_json)


def _same(output: str, path: str) -> bool:
    """Is what is to be written what is read?"""
    with suppress(OSError):
        return Path(output).samefile(path)
    return False


def _asked(screen: Screen, store: Store | None, identity: str | None, captures: Any, asked: dict[str, Any]) -> tuple[Kept | None, Iterable[Taken]]:
    """What was asked for: the findings that it is about, and the packets."""
    from balefire.slices import again, from_captures, from_store, kept, selected

    selection = selected(store, asked)
    if captures is not None and not identity:
        return None, from_captures(captures, selection, screen.fail)
    assert store is not None  # noqa: S101 - it is opened for these
    found = kept(store, identity, selection)
    if captures is not None:
        return found, again(captures, found, selection, screen.fail)
    return found, from_store(store, found, selection)


def _write(screen: Screen, taken: Iterable[Taken], found: Kept | None, output: str, force: bool) -> Row:
    """Write the packets; what there is to tell of them. Nothing is made where there are none."""
    from dashboards.evidence import comment, pcapng, titles
    from records.nesting import iso

    told = titles(found, screen.language)
    files: dict[str, int] = {}
    size, first, last = 0, None, None
    packets = iter(taken)
    ahead = next(packets, None)
    if ahead is None:
        return {"file": None, "packets": 0, "bytes": 0, "captures": [], "first": None, "last": None}
    with _file(output, force) as file:
        writer = pcapng(file, found, screen.language)
        while ahead is not None:
            writer.add(ahead.packet, comment(ahead, told, screen.language))
            files[ahead.file] = files.get(ahead.file, 0) + 1
            size += len(ahead.packet.octets)
            time = ahead.packet.time
            first, last = min(time, first if first is not None else time), max(time, last if last is not None else time)
            ahead = next(packets, None)
    captures = [{"file": name, "packets": count} for name, count in files.items()]
    return {
        "file": None if output == STDOUT else output,
        "packets": sum(files.values()),
        "bytes": size,
        "captures": captures,
        "first": iso(first or 0),
        "last": iso(last or 0),
    }


@contextmanager
def _file(output: str, force: bool) -> Generator[IO[bytes]]:
    """Where packets are written: standard output, or a file that is there when all of it is, and not otherwise."""
    if output == STDOUT:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError("output", reason=error.strerror or str(error)) from None
        return
    path = Path(output)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}-")
    except OSError as error:
        raise UsageError("evidence.write", file=output, reason=error.strerror or str(error)) from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        part.chmod(0o666 & ~_umask())
        if force:
            part.replace(path)
        else:
            os.link(part, path)
            part.unlink()
    except FileExistsError:
        raise UsageError("evidence.exists", file=output) from None
    except OSError as error:
        raise OutputError("output", reason=error.strerror or str(error)) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _tell(screen: Screen, summary: Row, found: Kept | None, anew: bool, as_json: bool) -> None:
    """The summary, and what is not there any more, or not in the captures (`anew`); a negative result where asked for by name, or nothing was there."""
    gone = found.gone if found else []
    if not summary["packets"] or (found and found.identity and (gone or (anew and found.without))):
        screen.worse(1)
    if as_json:
        from records.nesting import iso

        told = [
            {"finding": row["id"], "file": row["file"], "numbers": row["numbers"], "kept": iso(row["kept"]), "gone": iso(row["gone"]), "reason": row["reason"]}
            for row in gone
        ]
        about = {"kind": found.kind if found else None, "id": found.identity if found else None, "findings": len(found.findings) if found else None}
        screen.emit(about | summary | {"gone": told, "without": list(found.without) if found else [], "why": found.without if found and not anew else {}})
        return
    for row in gone[:NUMBERS]:
        screen.note(gone_words(screen, row))
    if len(gone) > NUMBERS:
        screen.note(screen.say("cli.summary.more", count=len(gone) - NUMBERS))
    if found and found.without and anew:
        screen.note(screen.count("evidence.elsewhere", len(found.without), first=next(iter(found.without))))
    elif found:
        from dashboards.evidence import unkept

        for count, first, why in unkept(found, screen.language):
            screen.note(screen.count("evidence.without", count, first=first, why=why))
    if summary["packets"]:
        screen.note(screen.count("evidence.written", summary["packets"], file=summary["file"] or STDOUT, bytes=f"{summary['bytes']:,}"))
    elif not gone:
        screen.note(screen.say("evidence.none"))


def gone_words(screen: Screen, row: Row) -> str:
    """Which packets were kept for a finding once, and when and why they went."""
    from balefire.times import shown

    return screen.count(
        "evidence.gone",
        len(row["numbers"]),
        id=row["id"],
        file=row["file"],
        numbers=_numbers(row["numbers"]),
        when=shown(row["gone"], screen.language),
        why=screen.say(f"evidence.reason.{row['reason']}"),
    )


def _numbers(numbers: Sequence[int]) -> str:
    """Packet numbers, those in a row as a span: `3, 7–12`."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    told = [str(low) if low == high else f"{low}–{high}" for low, high in spans[:NUMBERS]]
    return ", ".join(told) + (" …" if len(spans) > NUMBERS else "")
