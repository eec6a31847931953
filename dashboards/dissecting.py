"""One packet in full: the tree of its fields beside its bytes, as tshark reads it; without tshark, what Balefire itself understood.

Reading it is the work of another program: bounded, done for one packet at a time, and remembered for a while.
"""

from __future__ import annotations

import os
import struct
import time
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress
from hashlib import sha256
from threading import BoundedSemaphore, Lock, Thread, Timer
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import evidence, kit
from dashboards.normal import before
from dashboards.reference import deed_words, object_words
from dashboards.serve import MEBIBYTES
from detectors.phrases import error
from detectors.phrases import number as plain_number
from records.formats import number
from records.plant import KeptPlant
from records.wording import say
from sensors.dissection import Dissected, Limits, available, trees
from sensors.dissector import WAITING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dashboards.evidence import Taken
    from dashboards.page import Page
    from dashboards.queries import Detail

Row = dict[str, Any]
MOST_FIELDS: Final = 3_000  # of one packet
AT_ONCE: Final = BoundedSemaphore(2)  # packets that are read in full at the same time, whoever looks
REMEMBERED: Final = 200  # packets
REMEMBERED_S: Final = 600.0
PASSING: Final = frozenset(("missing", "slow", "failed", "room"))  # problems that may be over the next time
SOON_S: Final = 1.0  # the page is there; whoever reads it looks at another packet no sooner
LONGEST: Final = 100  # letters of where a field stands in its tree
FRAME: Final = "frame"  # what tshark tells of the slice that it was given, which is no capture


def one(page: Page, found: Detail, taken: Sequence[Taken], place: int, done: Sequence[Row]) -> None:
    """The chosen packet: its tree by tshark, or what Balefire understood; beside it the bytes."""
    packet = taken[place]
    near, there = evidence.around(taken, place)
    told = READING.begin(near, there).result() if available() else Dissected(problem="missing")
    bounds = limits()
    lines = [say(f"evidence.problem.{told.problem}", page.language, seconds=bounds.seconds, mebibytes=bounds.mebibytes)] if told.problem else []
    fields = [node for node in told.packets[0]["fields"] if node["name"] != FRAME] if told.packets else list(_own(page, done))
    budget = [MOST_FIELDS]
    shown = [kept_node for node in fields if (kept_node := field(node, budget)) is not None]
    if budget[0] <= 0:
        lines.append(page.say("packets.fields", most=number(MOST_FIELDS)))
    if told.packets:
        mark(page, found, packet, shown)
    octets, wire = packet.packet.octets, packet.packet.wire
    count = page.count("packets.bytes", len(octets), count=number(len(octets)))
    note = [packet.file, page.clock.micro(packet.packet.time), count if wire == len(octets) else page.say("packets.cut", count=count, wire=number(wire))]
    words = {name: page.say(f"packets.{name}") for name in ("nowhere", "swapped", "bits")}
    words |= {"at": page.say("packets.at"), "one": page.say("packets.at_one"), "none": page.say("packets.no_field"), "lost": page.say("packets.no_such_field")}
    data = {
        "title": page.say("packets.one", number=packet.number), "note": " · ".join([*note, page.say("packets.how")]),
        "lines": lines, "fields": shown, "octets": octets.hex(), "words": words, "node": st.query_params.get("node", "")[:LONGEST],
    }  # fmt: skip
    kit.draw("dissection", data, "dissection")


def content(each: Taken) -> tuple[str, int, bytes]:
    """What a packet is to the caches."""
    return each.file, each.number, each.packet.octets


class Reading:
    """What tshark says of packets among those around them: begun before a page needs it, and remembered for a while, whoever looks."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[bytes, tuple[float, Future[Dissected]]] = OrderedDict()  # the oldest first

    def begin(self, near: Sequence[Taken], there: int) -> Future[Dissected]:
        """Read one packet, where that has not been done or begun."""
        key = sha256(repr((there, [content(each) for each in near])).encode()).digest()
        with self._lock:
            now = time.monotonic()
            while self._known and (len(self._known) >= REMEMBERED or now - next(iter(self._known.values()))[0] > REMEMBERED_S):
                self._known.popitem(last=False)
            if key in self._known:
                return self._known[key][1]
            told = Future[Dissected]()
            self._known[key] = now, told
        Thread(target=self._read, args=(key, told, near, there), daemon=True).start()  # where the server ends, nobody waits for it
        return told

    def _read(self, key: bytes, told: Future[Dissected], near: Sequence[Taken], there: int) -> None:
        try:
            with AT_ONCE:
                found = trees([(each.number, each.packet) for each in near], limits(), there, 1)
            if found.problem in PASSING:
                self._forget(key)
            told.set_result(found)
        except BaseException as error:  # whoever waits for it raises it; whoever comes then tries again
            self._forget(key)
            told.set_exception(error)
        expect()

    def _forget(self, key: bytes) -> None:
        with self._lock:
            self._known.pop(key, None)


READING: Final = Reading()


def expect() -> None:
    """Once the page is there, have a reader wait for the packet that somebody may look at next."""
    timer = Timer(SOON_S, WAITING.expect, (limits(),))
    timer.daemon = True
    timer.start()


def limits() -> Limits:
    """What tshark may take, as it was set where the dashboard was started."""
    given = os.environ.get(MEBIBYTES, "")
    return Limits(mebibytes=int(given)) if given.isdecimal() else Limits()


def field(node: Row, budget: list[int]) -> Row | None:
    """A node as the page draws it, with what is in it, as long as there is room."""
    if node["hidden"] or budget[0] <= 0:
        return None
    budget[0] -= 1
    made: Row = {"label": node["label"] or node["name"] or "", "size": node["size"], "show": node["show"]}
    if node["position"] is not None:
        made["at"] = node["position"]
    inner = [kid for each in node["fields"] if (kid := field(each, budget)) is not None]
    if "at" not in made and (placed := [kid for kid in inner if "at" in kid]):  # it stands where what is in it does
        made["at"] = min(kid["at"] for kid in placed)
        made["size"] = max(kid["at"] + kid["size"] for kid in placed) - made["at"]
    return made | {"fields": inner} if inner else made


def mark(page: Page, found: Detail, packet: Taken, fields: list[Row]) -> None:
    """The field whose value the alert is about, beside its normal range: where an activity of this very packet tells a single value, the last leaf of the
    innermost protocol that has it.
    """
    if not any(each["file"] == packet.file and each["packet"] == packet.number for each in found.packets):
        return
    about = [row for row in found.activities if row["ot.value"] is not None and packet.number in (row["ot.packet.first"], row["ot.packet.last"])]
    matching = [leaf for leaf in _leaves(fields[-1]) if about[0]["ot.value"] in _numbers(leaf, packet.packet.octets)] if about and fields else []
    if matching:
        known = [value for _time, low, high, _last in before(page.store, about[0]) for value in (low, high)]
        low, high = (plain_number(min(known)), plain_number(max(known))) if known else ("", "")
        note = page.say("packets.key") if not known else page.say("packets.key_same" if low == high else "packets.key_normal", low=low, high=high)
        matching[-1] |= {"key": True, "note": note}


def _leaves(node: Row) -> Iterator[Row]:
    if "fields" not in node:
        yield node
    for each in node.get("fields", ()):
        yield from _leaves(each)


def _numbers(leaf: Row, octets: bytes) -> Iterator[float]:
    """What numbers a field may be: as tshark shows it, and as its octets can be read."""
    if leaf.get("at") is None:
        return
    text, held = str(leaf["show"] or ""), octets[leaf["at"] : leaf["at"] + leaf["size"]]
    with suppress(ValueError):
        yield float(int(text, 0)) if text.startswith("0x") else float(text)
    if len(held) in (1, 2, 4):
        yield from (float(int.from_bytes(held, signed=signed)) for signed in (False, True))
    if len(held) == 4:
        yield struct.unpack(">f", held)[0]


def _own(page: Page, done: Sequence[Row]) -> Iterator[Row]:
    """What Balefire understood, as nodes that stand nowhere."""
    empty: Row = {"name": "", "position": None, "size": 0, "show": None, "hidden": False, "fields": []}
    plant = KeptPlant(page.store).plant
    for row in done:
        about = activity(row) | {"ot.tag.name": plant.called(row)}
        sides = [f"{row[side]['ip'] or row[side]['mac']}" for side in ("source", "destination")]
        facts = {
            "from": sides[0], "to": sides[1], "access": page.say(f"access.{row['access']}"),
            "effect": row["effect"] and f"{deed_words(row['effect'], page.language)} · {row['effect']}", "code": row["code"],
            "object": object_words(about, page.language), "values": values_of(row["values"]).removeprefix("= "),
            "outcome": page.say(f"outcome.{row['outcome'] or 'unknown'}"), "error": error(about, page.language) if row["error"] else "",
            "anomaly": ", ".join(row["anomaly"]), "request": row["packet"], "response": row["response_packet"],
        }  # fmt: skip
        inner = [{**empty, "label": f"{page.say(f'packets.fact.{name}')}: {value}"} for name, value in facts.items() if value not in (None, "")]
        yield {**empty, "label": f"{row['protocol']}, {row['action']}", "fields": inner}


def values_of(values: Sequence[Any]) -> str:
    """`= 4, 7 …`; empty where there are none."""
    told = [plain_number(value) if isinstance(value, float) else str(value) for value in values[:4]]
    return f"= {', '.join(told)}{' …' if len(values) > 4 else ''}" if told else ""


def activity(row: Row) -> Row:
    """An operation as an activity's columns, as far as they put it into words."""
    about: Row = row["object"]
    return {
        "ot.object.space": about["space"], "ot.object.first": about["first"], "ot.object.last": about["last"], "ot.object.name": about["name"],
        "ot.unit": row["unit"], "network.protocol": row["protocol"], "event.action": row["action"], "ot.error": row["error"], "ot.code": row["code"],
        "ot.effect": row["effect"], "ot.access": row["access"],
    }  # fmt: skip
