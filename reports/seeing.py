"""How much of a period was seen, of its time and of its payload, and what was not: the number that stands beside all others."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from detectors.disabling import disabled
from records.formats import DAY, MINUTE, SECOND, per_cent
from records.nesting import iso
from records.query import Span
from records.search import Match, Not, Range, Wildcard
from sensors.blindness import told as spot_told
from sensors.blindspots import ROWS, Account
from sensors.engine.tables import WINDOW
from sensors.grading import grade
from sensors.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from records.search import Condition
    from reports.asking import Row, Source

Place = tuple[str, str]  # observer, interface
Minutes = dict[Place, set[int]]  # when each place saw packets: the starts of windows, which are as long
CAPTURES: Final = "capture-"  # how observers begin that are captures which were given no name
MOST_PLACES: Final = 10_000
READ: Final = 5 * DAY  # of windows that are read at once
MOST_ROWS: Final = 500_000  # windows whose payload and blind spots are looked at, the newest: a quarter of three interfaces
PLACE: Final = ("observer.name", "interface")
SEEN: Final = Range("packets", low=1)
SPOTS: Final = 12
GAPS: Final = 8
PLACES: Final = 40
PORTS: Final = 20
ORDER: Final = [("@timestamp", "ascending"), ("id", "ascending")]
# Remote access by what it speaks and by its registered port: what is heard there may be something else, and remote access may be elsewhere.
REMOTE: Final = {"tcp/22": "SSH", "tcp/23": "Telnet", "tcp/3389": "RDP", "udp/3389": "RDP", "tcp/5900": "VNC", "tcp/5901": "VNC", "tcp/5938": "TeamViewer",
                 "udp/5938": "TeamViewer", "tcp/7070": "AnyDesk", "tcp/5985": "WinRM", "tcp/5986": "WinRM", "udp/1194": "OpenVPN", "udp/51820": "WireGuard",
                 "udp/500": "IPsec", "udp/4500": "IPsec"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Windows:
    """What the windows of a period come to, how many these are, and how many there are. `rest`: when packets were seen in those that are too many to add up."""

    account: Account
    used: int
    total: int
    rest: Minutes


def recorded(source: Source, span: Span) -> bool:
    """Whether there is any window of a span; looked for day by day, from its end."""
    return any(source.count("coverage", Span(max(span.since, end - READ), end)) for end in range(span.until, span.since, -READ))


def begins(source: Source, span: Span, lasting: int) -> bool:
    """Whether the store begins within a span: nothing was recorded before it, and nothing of before was deleted. Whatever is there then is seen for the first
    time, which says nothing of how new it is.
    """
    return not lasting and not source.count("coverage", Span(0, span.since))


def beginning(source: Source, span: Span, lasting: int, assets: Collection[Row]) -> set[str]:
    """Of several sites those whose records begin within a span, by all assets of it: one with an asset of before does not."""
    sites, older = ({str(row["observer.site"]) for row in assets if row["first"] < before and row["observer.site"]} for before in (span.until, span.since))
    if source.site is not None or len(sites) < 2 or begins(source, span, lasting):
        return set()
    return {site for site in sites - older if begins(replace(source, site=site), span, lasting)}


def names(source: Source, span: Span) -> set[Place]:
    """Each sensor and interface that recorded in a span. Captures without a name count as one."""
    return {_place(row["observer.name"], row["interface"]) for row in source.terms("coverage", span, ("observer.name", "interface"), MOST_PLACES)}


def _place(observer: str | None, interface: str | None) -> Place:
    return (CAPTURES, "") if (observer or "").startswith(CAPTURES) else (observer or "", interface or "")


def _minutes(span: Span) -> int:
    return max(1, -(-span.length // MINUTE))


def share(source: Source, span: Span, past: Span | None = None) -> tuple[float | None, float]:
    """(grade of the payload or None, share of the sensors' time 0–1 in which they saw packets): what an earlier period, or a site, is measured by. Who recorded
    in the `past` is missed where it recorded nothing now.
    """
    sums = source.sums("coverage", span, "decoded_bytes", "undecoded_bytes", "lost")
    minutes: Counter[Place] = Counter()
    for row in source.terms("coverage", span, PLACE, MOST_PLACES, SEEN):
        minutes[_place(row["observer.name"], row["interface"])] += int(row["total"])
    read = source.terms("coverage", span, PLACE, MOST_PLACES, SEEN, Wildcard("file", "?*"))
    captured = {_place(row["observer.name"], row["interface"]) for row in read} | ({(CAPTURES, "")} & set(minutes))
    for place in captured:  # captures may be of the same time
        minutes[place] = source.buckets("coverage", span, MINUTE, SEEN, *_of(place))
    sensors = names(source, span) | (names(source, past) if past else set[Place]())
    return grade(*sums), sum(min(_minutes(span), count) for count in minutes.values()) / (_minutes(span) * max(1, len(sensors)))


def _of(place: Place) -> list[Condition]:
    """The windows of a place."""
    if place == (CAPTURES, ""):
        return [Wildcard("observer.name", f"{CAPTURES}*", cased=True)]
    return [Match(name, value, cased=True) if value else Not(Wildcard(name, "?*")) for name, value in zip(PLACE, place, strict=True)]


def told(source: Source, span: Span, steps: Sequence[Span], windows: Windows, earlier: Iterable[Place], lasting: int) -> tuple[Row, Row]:
    """(coverage, what was not seen) of a period, from its `windows`. `earlier`: who recorded in the period before, and is missed where it recorded nothing
    now. Before `lasting` rows were deleted, so that no minute without one tells that nothing was seen.
    """
    account = windows.account
    counts, each_seen = account.counts, _seen(windows)
    by_place = _together(each_seen)
    silent = sorted(set(earlier) - set(by_place))
    sensors = len(by_place) + len(silent)
    minutes, seen = _minutes(span) * max(1, sensors), sum(map(len, by_place.values()))
    coverage: Row = {
        "windows": windows.total,
        "looked_at": windows.used,
        "grade": account.grade,
        "sensors": sensors,
        "minutes": minutes,
        "seen_minutes": min(minutes, seen),
        "time_share": per_cent(seen, minutes),
        "reasons": account.reasons,
        **{name: counts[name] for name in ("packets", "bytes", "decoded_bytes", "undecoded_bytes", "encrypted_bytes", "lost", "dropped")},
        "places": _places(span, account, each_seen, silent),
        "place_count": len(each_seen) + len(silent),
        "over_time": _over_time(by_place, max(1, sensors), steps),
    }
    minutes_seen, spots = sorted({minute for each in by_place.values() for minute in each}), account.spots()
    kept = Span(min(max(span.since, lasting), span.until), span.until)
    gaps = sorted(kept.without(minutes_seen, MINUTE), key=lambda gap: (-gap.length, gap.since))  # when no sensor saw a packet, the longest first
    unseen: Row = {
        "silent": [" · ".join(filter(None, place)) for place in silent],
        "gaps": [{"since": iso(gap.since), "until": iso(gap.until), "seconds": gap.length // SECOND} for gap in gaps[:GAPS]],
        "gap_count": len(gaps),
        "gap_seconds": sum(gap.length for gap in gaps) // SECOND,
        "spots": [spot_told(spot, whole=True) for spot in spots[:SPOTS]],
        "spot_count": len(spots),
        "remote": _remote(account),
        "disabled": [{"rule": rule, "reason": why} for rule, why in sorted(disabled(source.store, span).items())],
    }
    return coverage, unseen


def _seen(windows: Windows) -> Minutes:
    """When each place saw packets, each capture by itself."""
    held = {place: {window * WINDOW for found in sums.windows.values() for window in found} for place, sums in windows.account.by_place.items()}
    return {place: held.get(place, set[int]()) | windows.rest.get(place, set[int]()) for place in {**held, **windows.rest}}


def _together(seen: Minutes) -> Minutes:
    """When each sensor and interface saw packets, captures without a name as one."""
    found: Minutes = {}
    for place, minutes in seen.items():
        found.setdefault(_place(*place), set()).update(minutes)
    return found


def added(source: Source, span: Span) -> Windows:
    """The windows of a period, the newest first, some days at a time; the store looks for the next while these are added up."""
    account, used, until = Account(), 0, span.until

    def read(end: int) -> list[pa.Table]:
        part = Span(max(span.since, end - READ), end)
        return list(source.store.history("coverage", part.query(source.where("coverage")), (*ROWS, "id"), ordered=False))  # what is asked for, no more

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(read, until)
        while until > span.since and used < MOST_ROWS:
            found, until = following.result(), max(span.since, until - READ)
            if until > span.since:
                following = pool.submit(read, until)
            if found:
                rows: Any = pa.concat_tables(found)
                account.add(rows.sort_by(ORDER))
                used += rows.num_rows
    older = Span(span.since, max(span.since, until))
    return Windows(account, used, used + (source.count("coverage", older) if older.length else 0), _rest(source, older))


def _rest(source: Source, span: Span) -> Minutes:
    """When packets were seen in windows of which nothing else is looked at, some days at a time."""
    found: Minutes = {}
    for since in range(span.since, span.until, READ):
        query = Span(since, min(span.until, since + READ)).query(source.where("coverage", Not(Range("refused", low=1))))  # no windows
        for row in source.some("coverage", query, (*PLACE, "@timestamp", "packets")):
            minutes = found.setdefault((row["observer.name"] or "", row["interface"] or ""), set())
            if row["packets"]:
                minutes.add(row["@timestamp"] // WINDOW * WINDOW)
    return found


def _over_time(by_place: Minutes, sensors: int, steps: Sequence[Span]) -> list[Row]:
    """Of each day (of a day: hour) the share of the sensors' minutes in which they saw packets, in per cent, cut."""
    counts: Counter[int] = Counter()
    ends = [step.until for step in steps]
    for seen in by_place.values():
        counts.update(min(bisect_right(ends, minute), len(steps) - 1) for minute in seen)
    told: list[Row] = []
    for place, step in enumerate(steps):
        whole = _minutes(step) * sensors
        told.append({"since": iso(step.since), "share": per_cent(counts[place], whole)})
    return told


def _places(span: Span, account: Account, seen: Minutes, silent: Sequence[Place]) -> list[Row]:
    """Each sensor and interface, the one that saw least first: those that recorded nothing are part of what shares are told of."""
    whole = _minutes(span)
    nothing: Row = {"seen_minutes": 0, "minutes": whole, "grade": None, "packets": 0, "dropped": 0, "lost": 0}
    told: list[Row] = [{"observer": observer, "interface": interface or None} | nothing for observer, interface in silent]
    for (observer, interface), minutes in seen.items():
        sums = account.by_place.get((observer, interface), Sums())
        files = sorted(name for name in sums.windows if name)
        name = files[0] if observer.startswith("capture-") and files else observer
        counts = sums.counts
        told.append({
            "observer": name,
            "interface": interface or None,
            "seen_minutes": min(whole, len(minutes)),
            "minutes": whole,
            "grade": grade(counts["decoded_bytes"], counts["undecoded_bytes"], counts["lost"]),
            **{field: counts[field] for field in ("packets", "dropped", "lost")},
        })  # fmt: skip
    return sorted(told, key=lambda row: (row["seen_minutes"], row["observer"], row["interface"] or ""))[:PLACES]


def _remote(account: Account) -> list[Row]:
    """Traffic of remote access, as far as its protocol was recognised or its port tells."""
    octets: Counter[tuple[str, str]] = Counter()
    for sums in account.by_place.values():
        for (cipher, port), held in sums.ciphers.items():
            if cipher in {"ssh", "ipsec", "wireguard", "openvpn", "rdp"}:
                octets[(cipher.upper() if len(cipher) < 4 else cipher, port)] += held["bytes"]
            elif port in REMOTE:
                octets[(REMOTE[port], port)] += held["bytes"]
        for port, unread in sums.unread.items():
            if port in REMOTE:
                octets[(REMOTE[port], port)] += unread.bytes
    ordered = sorted(octets.items(), key=lambda item: (-item[1], item[0]))
    return [{"protocol": name, "port": port, "bytes": count} for (name, port), count in ordered[:PORTS]]
