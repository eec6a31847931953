"""What was learned detectors judge: a small plant as usual, and what is not, as batches. A minute is a row of each poll, as the engine groups them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from records.model import Batch
from records.schema import POINT, arrow_table
from tests.frames import BEGUN, activities
from tests.hunted import DEVICE, MASTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

MINUTE: Final = 60 * 10**9
HISTORIAN, CENTRE, OTHER = "10.10.1.12", "10.10.1.13", "10.10.1.30"
POLLS: Final = ((MASTER, DEVICE, 2.0), (HISTORIAN, DEVICE, 10.0), (MASTER, OTHER, 2.0), (HISTORIAN, OTHER, 10.0))
USUAL: Final = 90  # minutes that are learned
Stated = dict[str, Any]


def clock(nanoseconds: int) -> str:
    """The time as rows state it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    days, of_day = divmod(seconds - 1_772_409_600, 86_400)  # since 2026-03-02
    return f"2026-03-{2 + days:02d}T{of_day // 3600:02d}:{of_day // 60 % 60:02d}:{of_day % 60:02d}.{rest // 1000:06d}Z"


def poll(minute: int, source: str, device: str, every: float, **more: Any) -> Stated:
    """What a poll is in one minute."""
    begun = BEGUN + minute * MINUTE
    count = max(1, round(60 / every))
    last = begun + int((count - 1) * every * 10**9) + 10**7
    told = {"ot.count": count, "ot.interval.mean": every, "ot.interval.deviation": 0.01, "ot.grouped": True, "event.outcome": "success"}
    ends = {"source.ip": source, "destination.ip": device, "@timestamp": clock(begun), "event.end": clock(last)}
    return {"id": f"poll-{minute}-{source}-{device}", "ot.effect": "value.read", "ot.unit": 1, **ends, **told, **more}


def polls(minutes: Iterable[int], change: Callable[[int, str, str, float], float | None] | None = None) -> list[Stated]:
    """All polls of these minutes; `change` tells another pause between two, or that there is none (None)."""
    return [
        poll(minute, source, device, pause)
        for minute in minutes
        for source, device, every in POLLS
        if (pause := change(minute, source, device, every) if change else every) is not None
    ]


def reports(minutes: Iterable[int], counts: Sequence[int] = (1, 1, 14, 1, 8)) -> list[Stated]:
    """What a device tells the control centre where something changes: so many a minute, over and over."""
    told = [(minute, counts[minute % len(counts)]) for minute in minutes]
    return [poll(minute, DEVICE, CENTRE, 60 / count) | {"ot.effect": "value.report", "ot.access": "report"} for minute, count in told if count]


def wrote(minute: int, value: float, effect: str = "value.write", first: int = 17, **more: Any) -> Stated:
    """The master writes a value."""
    begun = BEGUN + minute * MINUTE + 30 * 10**9 + 10**6 * first
    told = {"ot.effect": effect, "ot.object.space": "holding_register", "ot.object.first": first, "ot.object.last": first, "ot.value": value, "ot.unit": 1}
    ends = {"source.ip": MASTER, "destination.ip": DEVICE, "@timestamp": clock(begun), "event.end": clock(begun)}
    return {"id": f"wrote-{minute}-{effect}-{first}", "event.outcome": "success", **told, **ends, **more}


def point(minute: int, low: float, high: float, first: int = 100, device: str = DEVICE) -> Stated:
    """A point in one minute."""
    begun = BEGUN + minute * MINUTE
    told = {"ot.point.min": low, "ot.point.max": high, "ot.point.first": high, "ot.point.last": low, "ot.point.changes": 3, "ot.point.count": 30}
    times = {"@timestamp": begun, "event.start": begun, "event.end": begun + MINUTE - 10**9}
    where = {"destination.ip": device, "network.protocol": "modbus", "ot.unit": 1, "ot.object.space": "holding_register", "ot.object.first": first}
    return {"id": f"point-{minute}-{device}-{first}", "observer.name": "case", "ot.fragment": 0, **times, **where, **told}


def points(minutes: Iterable[int], firsts: Iterable[int] = (100, 101, 102)) -> list[Stated]:
    """Points that move about 50, each minute elsewhere."""
    return [point(minute, 40 + minute * 7 % 10, 44 + minute * 7 % 10, first) for minute in minutes for first in firsts]


def batch(rows: Iterable[Stated] = (), values: Iterable[Stated] = ()) -> Batch:
    """Rows and points in the order of their time."""
    stated, told = sorted(rows, key=lambda row: row["@timestamp"]), sorted(values, key=lambda row: row["@timestamp"])
    table: pa.Table = arrow_table(POINT, {name: [row.get(name) for row in told] for name in POINT.names}, len(told))
    return Batch(activities=activities(*stated), points=table) if stated else Batch(points=table)


def course(minutes: Iterable[int], where: Callable[[int], float], first: int, wide: float = 1.0) -> list[Stated]:
    """A point that moves about where it is, each minute elsewhere, and comes back."""
    return [point(minute, where(minute) - wide + minute * 7 % 10 / 10, where(minute) + wide - minute * 3 % 10 / 10, first) for minute in minutes]


def rest(minute: int, value: float, first: int) -> Stated:
    """A set point, as it is read where it was changed."""
    return point(minute, value, value, first)


PAST: Final = range(-600, 0)  # minutes in which the long run is learned
SET: Final = {-600: 40.0, -420: 60.0, -240: 48.0, -60: 52.0}  # a set point and when it was changed


def set_to(minute: int) -> float:
    """The set point then."""
    return next((value for since, value in reversed(SET.items()) if minute >= since), 52.0)


LONG: Final = [
    *course(PAST, lambda minute: 30.0 + 4 * (minute // 60 % 2), 120), *course(PAST, lambda minute: set_to(minute - 5), 110),
    *(rest(*each, 111) for each in SET.items()),
]  # fmt: skip
SELECTED: Final = [wrote(minute, 1.0, effect, first=3) for minute in range(5, 85, 10) for effect in ("output.select", "output.operate")]
NORMAL: Final = (polls(range(USUAL)) + reports(range(USUAL)) + SELECTED + [wrote(20 * turn + 1, 10.0 + turn) for turn in range(4)], points(range(USUAL)) + LONG)
LATER: Final = range(USUAL, USUAL + 30)


def _during(source: str | None, device: str, every: float | None, first: int = USUAL + 5, last: int = USUAL + 12) -> list[Stated]:
    def change(minute: int, asks: str, asked: str, pause: float) -> float | None:
        return every if first <= minute < last and asked == device and source in (None, asks) else pause

    return polls(LATER, change)


def _frozen(minutes: Iterable[int]) -> list[Stated]:
    return points(minute for minute in LATER if minute not in minutes)


CASES: Final[dict[str, tuple[str, tuple[list[Stated], list[Stated]]]]] = {  # by rule: the detector, and what comes that it tells of
    "view-lost": ("timing", (_during(None, DEVICE, None), [])),
    "poll-stopped": ("timing", (_during(MASTER, DEVICE, None), [])),
    "poll-slowed": ("timing", (_during(MASTER, DEVICE, 12.0), [])),
    "poll-bursts": ("timing", (_during(MASTER, DEVICE, 0.1), [])),
    "even-talker": ("timing", (polls(LATER) + [poll(minute, "10.10.1.66", DEVICE, 1.0) for minute in LATER[:8]], [])),
    "reports-fewer": ("timing", (polls(LATER) + reports(LATER[:8]) + reports(LATER[8:], (1, 0)), [])),
    "exchange-stopped": ("timing", (polls(LATER) + reports(LATER[:8]), [])),
    "setpoint-outside": ("value", ([wrote(USUAL + 4, 90.0)], [])),
    "setpoint-creeps": ("value", ([wrote(USUAL + 2 * turn, 12.0 + turn) for turn in range(7)], [])),
    "value-outside": ("value", ([], [point(USUAL + 1, 45.0, 95.0)])),
    "value-jumps": ("value", ([], [point(USUAL + 1, 40.5, 52.9)])),
    "values-stand": ("value", (polls(LATER), _frozen(range(USUAL + 3, USUAL + 20)))),
    "value-drifts": ("value", ([], course(range(USUAL, USUAL + 300), lambda minute: 34.4 + (minute - USUAL) / 150, 120))),
    "value-astray": ("value", ([], [rest(USUAL, 44.0, 111), *course(range(USUAL, USUAL + 90), lambda _: 52.0, 110)])),
    "order-broken": ("sequence", ([wrote(USUAL + 40, 1.0, "output.operate", first=3)], [])),
}
QUIET: Final[dict[str, tuple[str, tuple[list[Stated], list[Stated]]]]] = {  # what its text calls normal, or is nobody's doing
    "the day after": ("all", ([*polls(LATER), wrote(USUAL + 3, 12.5)], points(LATER))),
    "a minute's pause": ("timing", (_during(None, DEVICE, None, USUAL + 5, USUAL + 6), [])),
    "the sensor lost its feed": ("timing", ([row for row in polls(LATER) if not USUAL + 5 <= int(row["id"].split("-")[1]) < USUAL + 20], [])),
    "nothing that recurs": ("timing", ([row for row in polls(LATER) if int(row["id"].split("-")[1]) < USUAL + 5] + [wrote(USUAL + 25, 12.0)], [])),
    "two slow minutes": ("timing", (_during(MASTER, DEVICE, 12.0, USUAL + 5, USUAL + 7), [])),
    "less than twice as slow": ("timing", (_during(MASTER, DEVICE, 3.0), [])),
    "everything is slow": ("timing", (polls(LATER, lambda _minute, _source, _device, every: every * 3), [])),
    "an uneven talker": ("timing", (polls(LATER) + [poll(minute, "10.10.1.66", DEVICE, 1.0) | {"ot.interval.deviation": 0.9} for minute in LATER[:8]], [])),
    "reports of a busy hour and a quiet one": ("timing", (polls(LATER) + reports(LATER[:15], (9, 30, 2)) + reports(LATER[15:], (3,)), [])),
    "reports while the sensor lost its feed": ("timing", (polls(LATER[:9]) + polls(LATER[24:]) + reports(LATER[:9]) + reports(LATER[24:]), [])),
    "a little out of range": ("value", ([wrote(USUAL + 4, 15.0)], [point(USUAL + 1, 45.0, 56.0)])),
    "back and forth": ("value", ([wrote(USUAL + turn, 12.0 + 2 * (turn % 2)) for turn in range(9)], [])),
    "the long run as ever": ("value", ([], course(range(USUAL, USUAL + 600), lambda minute: 30.0 + 4 * (minute // 60 % 2), 120))),
    "a jam, and a short way out": ("value", ([], course(range(USUAL, USUAL + 600), lambda minute: 35.0 if 200 < minute < 240 else 31.0, 120))),
    "drifted, for its set point was changed": (
        "value", ([], [rest(USUAL, 52.0, 111), rest(USUAL + 20, 56.0, 111), *course(range(USUAL, USUAL + 300), lambda _: 35.2, 120)]),
    ),
    "it follows": ("value", ([], [rest(USUAL, 44.0, 111), *course(range(USUAL, USUAL + 90), lambda _: 44.6, 110)])),
    "it follows to where its set point never was": (
        "value", ([], [rest(USUAL, 75.0, 111), *course(range(USUAL, USUAL + 90), lambda minute: 52.0 if minute < USUAL + 5 else 75.0, 110)]),
    ),
    "it takes its time": (
        "value", ([], [rest(USUAL, 44.0, 111), *course(range(USUAL, USUAL + 90), lambda minute: 52.0 if minute < USUAL + 25 else 44.6, 110)]),
    ),
    "a device that nobody reads": ("value", (polls([USUAL]) + [row for row in polls(LATER) if row["destination.ip"] != DEVICE], points([USUAL]))),
    "selected first": ("sequence", ([wrote(USUAL + 4, 1.0, effect, first=3) for effect in ("output.select", "output.operate")], [])),
}  # fmt: skip
NORMALLY: Final[dict[str, tuple[list[Stated], list[Stated]]]] = {  # by rule: what it tells of, changed as little as what it says would have been normal
    "view-lost": (_during(None, DEVICE, None, USUAL + 5, USUAL + 6), []),
    "poll-stopped": (_during(MASTER, DEVICE, None, USUAL + 5, USUAL + 6), []),
    "poll-slowed": (_during(MASTER, DEVICE, 3.0), []),
    "poll-bursts": (_during(MASTER, DEVICE, 1.0), []),
    "even-talker": (polls(LATER) + [poll(minute, "10.10.1.66", DEVICE, 1.0) | {"ot.interval.deviation": 0.9} for minute in LATER[:8]], []),
    "reports-fewer": (polls(LATER) + reports(LATER[:8]) + reports(LATER[8:], (3,)), []),
    "exchange-stopped": (polls(LATER) + reports(LATER[:8]) + reports(LATER[8:], (1, 0, 0)), []),
    "setpoint-outside": ([wrote(USUAL + 4, 15.0)], []),
    "setpoint-creeps": ([wrote(USUAL + 2 * turn, 10.0 + turn * 0.4) for turn in range(7)], []),
    "value-outside": ([], [point(USUAL + 1, 45.0, 56.0)]),
    "value-jumps": ([], [point(USUAL + 1, 40.5, 46.5)]),
    "values-stand": (polls(LATER), _frozen(range(USUAL + 3, USUAL + 12))),
    "value-drifts": ([], course(range(USUAL, USUAL + 300), lambda minute: 34.4 if minute < USUAL + 30 else 34.0, 120)),
    "value-astray": ([], [rest(USUAL, 44.0, 111), *course(range(USUAL, USUAL + 90), lambda minute: 52.0 if minute < USUAL + 25 else 44.6, 110)]),
    "order-broken": ([wrote(USUAL + 40, 1.0, effect, first=3) for effect in ("output.select", "output.operate")], []),
}  # fmt: skip
