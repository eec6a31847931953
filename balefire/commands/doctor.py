"""`balefire doctor`: is this machine fit to listen? Each thing that is not well comes with what to do about it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from balefire.command import HELP, keeps, named, opened, speaks
from records.errors import BalefireError, StoreError, UsageError
from records.homes import expanded
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from balefire.screen import Screen
    from records.store.examining import Check

OWN: Final = {
    "elsewhere", "there", "kind", "up", "carrier", "promiscuous", "offloads", "speaks", "bridged", "ring", "stamps", "lost", "privilege", "clock", "tshark",
    "kernels", "fence", "free", "mirror", "door", "store", "record",
}  # fmt: skip
MILD: Final = {"elsewhere", "fence", "stamps"}  # what one can do without, or has to
UNKNOWN: Final = "unknown"  # how it is where nobody could look: neither well nor a fault
ONE_WAY: Final = {"requests_only", "answers_only", "one_sided"}  # blind spots of a mirror port that has one direction


@click.command(help=say("cli.help.doctor", HELP))
@click.argument("interfaces", nargs=-1, metavar="[IFACE]…")
@click.option("--record", type=click.Path(path_type=Path), metavar="DIR", help=say("cli.option.recorded", HELP))
@keeps
@speaks
def doctor(screen: Screen, interfaces: tuple[str, ...], record: Path | None, as_json: bool) -> None:
    """What is looked at, and what to do where it is not well (exit status 1 then)."""
    if sys.platform != "linux":
        raise UsageError("live.linux")
    found = [(name, check) for name in dict.fromkeys(interfaces) for check in _interface(name, interfaces)]
    found += [("", check) for check in (*_machine(), _door(screen), *([_recording(record)] if record else []), *_store(screen))]
    if not all(check.well or _unknown(check) for _, check in found if check.name not in MILD):
        screen.worse(1)
    told = [(name, check, None if check.well else _advice(screen, name, check)) for name, check in found]
    if as_json:
        rows = [
            {"check": check.name, "interface": name or None, "well": None if _unknown(check) else check.well, "advice": advice} for name, check, advice in told
        ]
        screen.emit({"checks": rows})
        return
    for name, check, advice in told:
        what = f"{name}: " if name else ""
        text = screen.say(f"{'cli.fit' if _own(check) else 'cli.doctor'}.checks.{check.name}")
        screen.print(f"{'✓' if check.well else '?' if _unknown(check) else '✗'} {what}{text}" + (f": {advice}" if advice else ""))


def _own(check: Check) -> bool:
    """Is it one of these here, not of a store?"""
    return check.name in OWN


def _unknown(check: Check) -> bool:
    return not check.well and check.values.get("how") == UNKNOWN


def _advice(screen: Screen, name: str, check: Check) -> str:
    kind = f".{check.values['how']}" if "how" in check.values else ""
    return screen.say(f"{'cli.fit' if _own(check) else 'cli.doctor'}.{check.name}{kind}", interface=name, **check.values)


def _interface(name: str, named: Sequence[str]) -> Iterator[Check]:
    """One of the interfaces that were named, as it is now."""
    from records.store.examining import Check
    from sensors.faces import face, faces, ports, takes_all
    from sensors.sources.cards import CARD, NONE, stamps
    from sensors.sources.doors import leads_elsewhere

    if leads_elsewhere(name):
        yield Check("elsewhere", well=False)
        return
    seen = face(name)
    yield Check("there", seen.there, {"known": ", ".join(faces())})
    if not seen.there:
        return
    yield Check("kind", seen.readable)
    yield Check("up", seen.up)
    if seen.up:
        yield Check("carrier", seen.carrier)
    takes = takes_all(seen.name)
    yield Check("promiscuous", takes is True, {"how": UNKNOWN if takes is None else "refused"})
    yield Check("offloads", not seen.merges)
    yield Check("speaks", not seen.speaks)
    joined = ports(seen.bridge) if seen.bridge else set[str]()
    yield Check(
        "bridged",
        not joined or (len(joined) > 1 and joined <= {face(each).name for each in named}),
        {"bridge": seen.bridge, "ports": ", ".join(sorted(joined))},
    )
    yield Check("ring", seen.ring >= seen.most_ring, {"now": seen.ring, "most": seen.most_ring})
    found = stamps(seen.name)
    yield Check("stamps", found.how in (CARD, NONE), {"how": found.how, "ms": f"{found.apart / 1e6:,.1f}"})
    yield Check("lost", not seen.lost, {"count": f"{seen.lost:,}"})


def _machine() -> Iterator[Check]:
    """What the process may do, and what else it needs."""
    from records.store.examining import Check
    from sensors.dissection import available
    from sensors.engine import mode
    from sensors.faces import clock_is_kept, may_listen
    from sensors.fence import ALL, version

    yield Check("privilege", may_listen())
    yield Check("clock", clock_is_kept())
    yield Check("tshark", available() is not None)
    yield Check("kernels", mode.is_warm())
    yield Check("fence", (known := version()) >= ALL, {"how": "partly" if known else "none"})


def _door(screen: Screen) -> Check:
    """Would the dashboard start as it is set: with a login where it listens beyond this machine, and accounts that can be read?"""
    from balefire.commands.dashboard import accounts, listened
    from records.store.examining import Check

    try:
        with named():
            listened(screen.settings.dashboard.address, accounts(screen.settings))
    except UsageError as error:
        return Check("door", False, {"problem": error.text(screen.language)})
    return Check("door", True)


def _unmade(where: Path) -> bool:
    """Is nothing there, or an empty directory? What listens makes a store of either."""
    return not where.exists() or (where.is_dir() and not any(where.iterdir()))


def _place(where: Path) -> Path:
    """The directory, or the next one above it that is there already."""
    return next(each for each in (where, *where.parents) if os.path.exists(each))  # noqa: PTH110 - Path's raises where one may not look


def _recording(folder: Path) -> Check:
    """Would what comes be kept there: may it be written, and has the disk more than is to stay free, what was recorded before counted in?"""
    from records.store.examining import Check
    from sensors.recording import FLOOR, SEGMENT, files, octets

    place = _place(expanded(folder).absolute())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
        return Check("record", False, {"how": "denied", "path": place})
    space = os.statvfs(place)
    free = space.f_bavail * space.f_frsize + sum(map(octets, files(expanded(folder))))
    return Check("record", free > FLOOR + SEGMENT, {"how": "little", "path": place, "mib": free >> 20, "floor": FLOOR + SEGMENT >> 20})


def _store(screen: Screen) -> Iterator[Check]:
    """The store, where it is there already; one that does not answer is one thing that is not well among the others."""
    from records.store.examining import LEAST_FREE, Check, checks_left

    remote = "://" in screen.store
    try:
        with named():
            if not remote and _unmade(where := expanded(screen.store)):
                place = _place(where.resolve())
                space = os.statvfs(place)
                yield Check("free", space.f_bavail * space.f_frsize > LEAST_FREE, {"mib": space.f_bavail * space.f_frsize >> 20, "path": place})
                yield _unseen()
                return
        yield from _stored(screen)
    except BalefireError as error:
        yield Check("store", False, {"problem": error.text(screen.language)})
        if remote and isinstance(error, StoreError):
            yield from checks_left(screen.store)
        yield _unseen()


def _unseen() -> Check:
    """Nothing was listened to yet, as far as can be known, so nothing is known of directions."""
    from records.store.examining import Check

    return Check("mirror", well=False, values={"how": UNKNOWN})


def _stored(screen: Screen) -> Iterator[Check]:
    """How the store is, and whether what was seen last came from a mirror of one direction."""
    from balefire.schedule import check
    from balefire.times import SECOND
    from dashboards.queries import account
    from records.query import Query
    from records.schema import COVERAGE
    from records.store.examining import Check, checks

    found = opened(screen)
    try:
        yield Check("store", True)
        yield from checks(found, screen.store)
        yield check(screen, found)
        newest = found.newest()
        if newest is not None and found.count(COVERAGE.name, Query()):
            covered, _ = account(found, Query(since=newest - 3600 * SECOND))
            one_way = [spot for spot in covered.spots() if spot.key in ONE_WAY]
            how = "one_way" if one_way else "" if covered.counts["packets"] else "nothing"
            yield Check("mirror", not how, {"how": how, "places": ", ".join(sorted({spot.place or "–" for spot in one_way}))})
        else:
            yield _unseen()
    finally:
        found.close()
