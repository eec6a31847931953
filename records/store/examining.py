"""What a store holds and how it is: facts for `balefire store status`, checks for `balefire store doctor`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from records.query import Query
from records.schema import SCHEMA_VERSION, TABLES
from records.store.decisions import broken
from records.store.dsl import STRAY
from records.store.spool import LETTERS, LIMIT, corrupt, held, places_of, waiting, waiting_alerts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from records.store.contract import Store
    from records.store.elastic import ElasticStore
    from records.store.indexing import DeadLetters

LEAST_FREE: Final = 1 << 30  # octets of the disk below which somebody should look


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, whether it is well, and the values of the text `cli.doctor.<name>` that says what to do."""

    name: str
    well: bool
    values: dict[str, object] = field(default_factory=dict[str, object])


def facts(store: Store, where: str) -> dict[str, Any]:
    """What `status` tells: rows by table, newest packet time (nanoseconds), octets on disk, what waits and what was refused."""
    elastic = _elastic(store, where)
    told: dict[str, Any] = {
        "store": where,
        "kind": "elasticsearch" if elastic else "embedded",
        "schema": SCHEMA_VERSION,
        "version": elastic.version if elastic else None,
        "period": period_of(store, where),
        "rows": {name: store.count(name, Query()) for name in TABLES},
        "newest": store.newest(),
        "bytes": elastic.octets() if elastic else sum(path.stat().st_size for path in Path(where).rglob("*") if path.is_file()),
    }
    return told | _kept([elastic.waiting] if elastic else [])


def period_of(store: Store, where: str) -> str:
    """By what a store is kept: day, week or month of event time."""
    elastic = _elastic(store, where)
    return elastic.period if elastic else "day"


def facts_left(where: str) -> dict[str, Any]:
    """What `status` tells of a store in Elasticsearch that does not answer: what waits for it on this machine."""
    absent = dict.fromkeys(("version", "period", "rows", "newest", "bytes"))
    return {"store": where, "kind": "elasticsearch", "schema": SCHEMA_VERSION} | absent | _kept(_places(where))


def _kept(places: Sequence[Path]) -> dict[str, Any]:
    """What lies in these directories: segments that wait, and what they take of the limit; what was put aside or refused."""
    counts = [waiting(place) for place in places]
    spool: dict[str, Any] = {
        "segments": sum(segments for segments, _ in counts), "bytes": sum(octets for _, octets in counts), "limit": LIMIT,
        "corrupt": sum(len(corrupt(place)) for place in places), "paths": [str(place) for place in places],
    }  # fmt: skip
    return {"spool": spool, "dead_letters": sum(_letters(place).count() for place in places)}


def alerts_left(where: str) -> list[dict[str, Any]]:
    """Alerts that wait for a store in Elasticsearch that is away, by the names of their columns."""
    return [alert for place in _places(where) for alert in waiting_alerts(place)]


def _places(where: str) -> list[Path]:
    from records.store.cluster import address  # the client is slow to import, and a directory needs none

    return places_of(address(where).prefix)


def _letters(place: Path) -> DeadLetters:
    from records.store.indexing import DeadLetters

    return DeadLetters(place / LETTERS)


def checks(store: Store, where: str) -> Iterator[Check]:
    """What `doctor` looks at."""
    at = broken(store)
    yield Check("trail", at is None, {"at": at})
    if elastic := _elastic(store, where):
        yield from _cluster_checks(elastic)
        yield from _place_checks(elastic.waiting)
    else:
        space = os.statvfs(where)
        free = space.f_bavail * space.f_frsize
        yield Check("disk", free > LEAST_FREE, {"mib": free >> 20, "path": where})


def checks_left(where: str) -> Iterator[Check]:
    """What `doctor` looks at where a store in Elasticsearch does not answer: what needs no server."""
    places = _places(where)
    for place in places:
        yield from _place_checks(place)
    if not places:
        yield Check("spool", well=True)


def _place_checks(place: Path) -> Iterator[Check]:
    segments, octets = waiting(place)
    values: dict[str, object] = {"count": segments, "mib": -(-octets >> 20), "path": place, "percent": round(100 * held(place) / LIMIT), "limit": LIMIT >> 20}
    yield Check("spool", not segments, values)
    aside, letters = corrupt(place), _letters(place)
    yield Check("corrupt", not aside, {"count": len(aside), "mib": -(-sum(path.stat().st_size for path in aside) >> 20), "path": place})
    yield Check("dead_letters", not letters.count(), {"count": letters.count(), "path": letters.path})


def _elastic(store: Store, where: str) -> ElasticStore | None:
    if "://" not in where:
        return None
    from records.store.elastic import ElasticStore  # the client is slow to import, and a directory needs none

    return store if isinstance(store, ElasticStore) else None


def _cluster_checks(store: ElasticStore) -> Iterator[Check]:
    yield Check("private", store.place.private, {"place": store.place.shown})
    health = store.health()
    yield Check("health", health["status"] == "green", {"status": health["status"], "unassigned": health["unassigned_shards"]})
    blocked = store.blocked()
    yield Check("blocks", not blocked, {"indices": ", ".join(blocked)})
    closed, missing = store.closed(), store.missing()
    yield Check("closed", not closed, {"indices": ", ".join(closed)})
    yield Check("missing", not missing, {"indices": ", ".join(missing)})
    yield Check("templates", store.templates_current(), {"place": store.place.shown})
    strangers = store.strangers()
    yield Check("foreign", not strangers, {"indices": ", ".join(strangers), "place": store.place.shown})
    strays = store.strays()
    yield Check("strays", not strays, {"count": sum(strays.values()), "indices": ", ".join(sorted(strays)), "query": json.dumps({"query": STRAY})})
    page = store.ledger.read()
    yield Check("unfinished", not page.body["pending"] and not page.body["open"], {"count": len(page.body["open"]) + bool(page.body["pending"])})
