"""Who opened connections in which nothing was recognised, told at the end of each window: those that came to nothing, as when somebody looks for open ports,
and those that a device opened itself. Who only answers, answers; what a device opens by itself its maker or its owner knows of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sensors.activities import TRANSPORTS, address_text
from sensors.engine.flows import GONE
from sensors.engine.grouping import ANSWERS
from sensors.engine.network import TCP, UDP
from sensors.engine.sides import ENOUGH
from sensors.protocol import protocols

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_SOURCES: Final = 16  # of an interface and window, those that tried most; the others are one, told by what they tried
MOST_THINGS: Final = 64  # that each of them tried, and calls of devices
Calls = dict[int, list[dict[str, Any]]]  # by the place of the interface


def attempts(flows: Any, hosts: Any, until: int) -> Calls:
    """Connections of TCP on which nobody said a word, and datagrams that nobody answered and no group heard: by who began, how many, how many answered
    all the same, how many hosts and ports, and `tried`: host, transport, port, count, and number and time of a packet that opened one, most often first.

    What a few datagrams said after `until` may be answered yet, and a connection that began then used yet: that counts for the next window, as in
    `sides.settle_sides`.
    """
    here = np.flatnonzero((flows.used == 1) & (flows.packets > 0) & (flows.side == 0) & (flows.framing < 0))
    peer = flows.peer[here]
    other = np.where(peer >= 0, peer, here)
    silent = flows.payloads[here] + flows.payloads[other] == 0
    over = flows.ended[here] | flows.ended[other]
    tcp = (flows.transport[here] == TCP) & silent & ((over == 1) | (np.maximum(flows.last[here], flows.last[other]) <= until))
    alone = (flows.transport[here] == UDP) & (peer < 0) & (peer != GONE) & (flows.target_mac[here] >> 40 & 1 == 0)
    yet = (flows.spoken[here] < ENOUGH) & (flows.last[here] > until)
    chosen = here[tcp | alone & ~yet]
    if not len(chosen):
        return {}
    columns = [flows[name][chosen].astype(np.int64) for name in ("interface", "source", "target", "transport", "target_port")]
    things, first, which, counts = np.unique(np.stack(columns), axis=1, return_index=True, return_inverse=True, return_counts=True)
    answered = np.bincount(which.reshape(-1), flows.peer[chosen] >= 0, minlength=len(counts)).astype(np.int64)
    rows = np.vstack([things, counts, answered, flows.first[chosen[first]], flows.opened[chosen[first]]])
    return {place: list(_by_source(rows[:, rows[0] == place], hosts)) for place in np.unique(rows[0]).tolist()}


def _by_source(rows: Any, hosts: Any) -> Iterator[dict[str, Any]]:
    """Rows of (place, source, target, transport, port, count, answered, packet, time), as columns."""
    sources, tried = np.unique(rows[1], return_counts=True)
    most = sources[np.lexsort((sources, -tried))][:MOST_SOURCES]
    for source in most.tolist():
        yield _told(address_text(hosts[source]), rows[:, rows[1] == source], hosts)
    others = rows[:, ~np.isin(rows[1], most)]
    if others.shape[1]:
        yield _told(None, others, hosts)


def _told(source: str | None, rows: Any, hosts: Any) -> dict[str, Any]:
    things, first, which = np.unique(rows[2:5], axis=1, return_index=True, return_inverse=True)
    counts = np.bincount(which.reshape(-1), rows[5]).astype(np.int64)
    order = np.argsort(-counts, kind="stable")[:MOST_THINGS]
    tried = [
        [address_text(hosts[target]), TRANSPORTS[transport], port, count, packet, time]
        for (target, transport, port), count, (packet, time) in zip(
            things[:, order].T.tolist(), counts[order].tolist(), rows[7:, first[order]].T.tolist(), strict=True
        )
    ]
    return {
        "source": source, "sources": len(np.unique(rows[1])), "count": int(counts.sum()), "answered": int(rows[6].sum()),
        "hosts": len(np.unique(things[0])), "ports": len(np.unique(things[2])), "tried": tried,
    }  # fmt: skip


def devices(hosts: Any, talks: Any) -> Any:
    """[host] → does it answer an industrial protocol? Half an office answers those that serve the network."""
    industrial = np.array([not protocol.infrastructure for protocol in protocols()])
    asked = np.zeros(len(hosts), bool)
    asked[talks.target[industrial[talks.protocol] & (talks.target >= 0)]] = True
    return asked & (hosts.role & ANSWERS > 0)


def calls(flows: Any, hosts: Any, talks: Any) -> Calls:
    """Connections of TCP in which no protocol was recognised and that a device opened, or that two devices have: source, destination, whether that is one,
    too, port, how many, and number and time of a packet that opened one.
    """
    here = np.flatnonzero((flows.used == 1) & (flows.packets > 0) & (flows.side == 0) & (flows.framing < 0) & (flows.transport == TCP))
    if not len(here):
        return {}
    answers = devices(hosts, talks)
    one, other = (answers[flows[name][here]] for name in ("source", "target"))
    here = here[one & (other | (flows.began[here] >= 0))]
    peer = flows.peer[here]
    here = here[flows.payloads[here] + np.where(peer >= 0, flows.payloads[peer], 0) > 0]
    if not len(here):
        return {}
    columns = [flows[name][here].astype(np.int64) for name in ("interface", "source", "target", "target_port")]
    things, first, counts = np.unique(np.stack(columns), axis=1, return_index=True, return_counts=True)
    told: Calls = {}
    for number in np.argsort(-counts, kind="stable").tolist():
        (place, source, target, port), flow = things[:, number].tolist(), flows[here[first[number]]]
        row = {
            "source": address_text(hosts[source]), "destination": address_text(hosts[target]), "answers": bool(answers[target]), "port": port,
            "count": int(counts[number]), "packet": int(flow.first), "time": int(flow.opened),
        }  # fmt: skip
        told.setdefault(place, []).append(row)
    return {place: rows[:MOST_THINGS] for place, rows in told.items()}
