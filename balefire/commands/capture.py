"""Captures: print what they hold (dissect), or take them the whole way (replay, demo)."""

from __future__ import annotations

import shutil
import signal
import sys
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import click
import platformdirs

from balefire.command import HELP, keeps, speaks
from records.errors import InputError, UsageError
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from balefire.screen import Screen
    from records.model import Alert
    from records.store.contract import Store
    from sensors.sources.pcap import Capture

DEMO: Final = Path(__file__).parents[2] / "tests" / "captures" / "demo.pcap"
PACKED: Final = 4  # how many times its size a compressed capture holds, roughly


@click.command(help=say("cli.help.dissect", HELP))
@click.argument("sources", nargs=-1, required=True, metavar="SRC…")
@speaks
def dissect(screen: Screen, sources: tuple[str, ...], as_json: bool) -> None:
    """One line per operation; nothing is stored."""
    (captures,) = _found(screen, sources, live=sources == ("-",))
    from balefire.listing import shown

    with closing(_operations(screen, captures)) as operations:
        if as_json:
            for operation in operations:
                screen.emit(operation)
        else:
            for line in shown(operations, screen.language, live=any(capture.pipe for capture in captures)):
                screen.print(line, whole=True)


def _operations(screen: Screen, captures: Sequence[Capture]) -> Generator[dict[str, object]]:
    """Those of all captures, with their times in words; what cannot be read is said."""
    from records.nesting import iso
    from sensors.listing import lines
    from sensors.sources.pcap import open_capture

    for capture in captures:
        if capture.error is not None:
            screen.fail(capture.error)
            continue
        with closing(open_capture(capture)) as source, _stoppable(captures):
            for operation in lines(source, capture.name):
                operation["time"] = iso(cast("int", operation["time"]))
                yield operation
            if source.error is not None:
                screen.fail(source.error)


@click.command(help=say("cli.help.replay", HELP))
@click.argument("sources", nargs=-1, required=True, metavar="SRC…")
@click.option("--learn", multiple=True, metavar="SRC", help=say("cli.option.learn", HELP))
@click.option("--site", metavar="NAME", help=say("cli.option.site", HELP))
@click.option("--observer", metavar="NAME", help=say("cli.option.observer", HELP))
@click.option("--rules", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.rules", HELP))
@keeps
@speaks
def replay(
    screen: Screen, sources: tuple[str, ...], learn: tuple[str, ...], site: str | None, observer: str | None, rules: tuple[Path, ...], as_json: bool
) -> None:
    """The whole way: what was seen, what is wrong, what was not seen."""
    from sensors.apart import prepare

    settings = screen.settings
    rules = rules or ((settings.rules,) if settings.rules else ())
    check(screen, rules)
    observer = observer or settings.observer
    captures, taught = _found(screen, sources, learn, live=sources == ("-",) and observer is not None)
    prepare((*taught, *captures))
    taken_in(
        screen,
        as_json,
        captures=captures,
        learn=taught,
        observer=observer,
        site=site or settings.site,
        rules=rules,
    )


@click.command(help=say("cli.help.demo", HELP))
@speaks
def demo(screen: Screen, as_json: bool) -> None:
    """The bundled capture, into a store of its own that is made anew each time."""
    if not DEMO.is_file():
        raise UsageError("demo", file=DEMO)
    place = platformdirs.user_data_path("balefire") / "demo"
    shutil.rmtree(place, ignore_errors=True)
    screen.store = str(place)
    (captures,) = _found(screen, (str(DEMO),))
    taken_in(screen, as_json, captures=captures)
    if sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        from balefire.commands.dashboard import serve

        serve(screen, screen.settings.dashboard.port)


@contextmanager
def _stoppable(captures: Sequence[Capture], halt: Callable[[], None] | None = None, unblock: Callable[[], None] | None = None) -> Generator[None]:
    """What has no end is ended by SIGINT or SIGTERM, what has one is left off where that can be (`halt`): all before it counts.

    What waits meanwhile is told by `unblock`. The second signal does what it always does.
    """
    stops = [capture.pipe.stop for capture in captures if capture.pipe] or ([halt] if halt else [])
    stops += [unblock] if stops and unblock else []
    before = {number: signal.getsignal(number) for number in ((signal.SIGINT, signal.SIGTERM) if stops else ())}

    def stop(*_: object) -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in stops:
            each()

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check(screen: Screen, rules: Sequence[Path]) -> None:
    """Say which of the user's rules cannot be loaded, for the replay goes on without them, and which stand in the place of bundled ones."""
    if not rules:
        return
    from balefire.commands.rulebook import told
    from detectors.rulebook.load import load, own_rules

    book = load((own_rules(), *rules))
    for problem in book.problems:
        if problem.blocks:
            screen.note(screen.say("cli.error", problem=told(problem, screen.language)))
            screen.worse(3)
    for rule in book.replacing:
        screen.note(screen.say("cli.rules.replaced", file=rule.file, rule=rule.id))


def _found(screen: Screen, *groups: Sequence[str], live: bool = False) -> list[list[Capture]]:
    """The captures of each group; the first is standard input alone, read as it comes, where that is `live`.

    How kernels run is chosen by their size, before anything that compiles is imported.
    """
    if sum(group.count("-") for group in groups) > 1:
        raise UsageError("stdin_twice")
    from sensors.engine.mode import choose
    from sensors.sources.pcap import find, listen

    found = [listen() if live and group is groups[0] else find(group) for group in groups]
    for group, captures in zip(groups, found, strict=True):
        if captures.left_out:
            screen.note(screen.say("cli.left_out", count=len(captures.left_out), first=captures.left_out[0]))
        if group and not captures:
            screen.fail(InputError("no_captures", folder=", ".join(group)))
    choose(sum(capture.size * (PACKED if capture.name.endswith(".gz") else 1) for captures in found for capture in captures))
    return [list(captures) for captures in found]


def taken_in(
    screen: Screen,
    as_json: bool,
    raised: Callable[[Alert, bool], None] = lambda _alert, _stored: None,
    held: Store | None = None,
    keeps_house: bool = True,
    **plan: Any,
) -> None:
    """Take captures into the store (`held`: it is open to write), then tell machines the summary, or people what it means. `raised` is told of new alerts at
    once, and whether they are stored yet. What goes on without end keeps house meanwhile, unless somebody else does.
    """
    from balefire.pipeline import Replay
    from balefire.plan import Plan
    from balefire.schedule import housekeeping
    from balefire.summary import tell
    from records.store import open_store

    with nullcontext(held) if held else closing(open_store(screen.store, write=True)) as store:
        settings = screen.settings
        plan |= {"criticality": settings.criticality, "keep": settings.evidence, "dissect": settings.dissection}
        done = Replay(Plan(language=screen.language, **plan), store)
        done.note = lambda text: screen.note(getattr(text, screen.language))
        done.outbox.note = screen.tell
        done.outbox.problem = screen.fail
        done.telling.raised = raised
        done.outbox.patient = any(capture.pipe for capture in done.plan.captures)
        house = housekeeping(screen, lambda: nullcontext(store)) if keeps_house and done.outbox.patient else nullcontext()
        with house, screen.progress() as done.progress, _stoppable(done.plan.captures, done.stop, done.outbox.stop):
            summary = done.run()
    if done.plan.learn and not done.taught:
        screen.note(screen.say("cli.untaught"))
    for repeated, first in done.repeated:
        screen.note(screen.say("cli.repeated", path=repeated, first=first))
    for error in done.errors:
        screen.fail(error)
    if done.conflicts:
        screen.note(screen.say("cli.conflicts", count=len(done.conflicts), first=done.conflicts[0]))
        screen.worse(3)
    if done.refused and store.spool:
        screen.note(screen.count("cli.refused", done.refused, path=store.spool.root))
        screen.worse(3)
    if as_json:
        screen.emit(summary)
    else:
        tell(screen, done, summary)
