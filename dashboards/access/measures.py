"""Whether the dashboard and its store are well, for whatever watches over them: `/health` for a probe, `/metrics` for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards.opening import opened
from dashboards.queries import COUNTERS, OPEN, coverage, grade
from records.errors import BalefireError
from records.formats import HOUR, SECOND
from records.model import severity_word
from records.nesting import iso
from records.query import Query, Span, Terms

if TYPE_CHECKING:
    from starlette.requests import Request

    from records.store.contract import Store


def _health() -> tuple[int, dict[str, Any]]:
    try:
        newest = opened().newest()
    except BalefireError as error:
        return 503, {"status": "store", "reason": error.key}
    return 200, {"status": "ok", "newest": None if newest is None else iso(newest)}


async def health(_: Request) -> Response:
    """GET /health: 200 where the store answers, with its newest packet time; 503 with the reason's name where it does not."""
    status, told = await anyio.to_thread.run_sync(_health)
    return JSONResponse(told, status, {"Cache-Control": "no-store"})


def measured(store: Store) -> bytes:
    """What the store holds now, in the text format of Prometheus. Whatever counts traffic counts the hour before the newest packet."""
    registry, newest = CollectorRegistry(), store.newest()
    Gauge("balefire_up", "1 where the store answers.", registry=registry).set(1)
    alerts = Gauge("balefire_open_alerts", "Alerts that are not closed.", ["level"], registry=registry)
    for level in ("critical", "high", "medium", "low"):
        alerts.labels(level).set(0)
    for row in store.terms("alert", Query(where=OPEN), Terms(("severity",), size=101)).to_pylist():
        alerts.labels(severity_word(int(row["severity"] or 0))).inc(row["total"])
    if newest is None:
        return generate_latest(registry)
    Gauge("balefire_newest_packet_seconds", "Time of the newest packet, seconds since the epoch.", registry=registry).set(newest / SECOND)
    sums = coverage(store, Span(newest + 1 - HOUR, newest + 1))
    seen = Gauge("balefire_hour", "Coverage counters of the hour before the newest packet.", ["counter"], registry=registry)
    for name in COUNTERS:
        seen.labels(name).set(sums[name])
    if (share := grade(sums)) is not None:
        Gauge("balefire_hour_judged_ratio", "Share of payload that could be judged in that hour.", registry=registry).set(share / 100)
    observers = Gauge(
        "balefire_observer_hour_packets", "Packets of each observer in that hour; one that fell silent is missing.", ["observer"], registry=registry
    )
    for row in store.terms("coverage", Query(newest + 1 - HOUR, newest + 1), Terms(("observer.name",), size=100, total="packets")).to_pylist():
        observers.labels(row["observer.name"] or "").set(row["total"])
    return generate_latest(registry)


def _measures() -> tuple[int, bytes]:
    try:
        return 200, measured(opened())
    except BalefireError:
        registry = CollectorRegistry()
        Gauge("balefire_up", "1 where the store answers.", registry=registry).set(0)
        return 200, generate_latest(registry)


async def metrics(_: Request) -> Response:
    """GET /metrics. Where the store is away, `balefire_up` is 0 and the rest is missing."""
    status, told = await anyio.to_thread.run_sync(_measures)
    return Response(told, status, {"Cache-Control": "no-store"}, "text/plain; version=0.0.4; charset=utf-8")


ROUTES: Final = (Route("/health", health), Route("/metrics", metrics))
