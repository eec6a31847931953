"""The packets of an alert on its page: one to choose, its fields beside its bytes, and all of them as a file.

What is shown of the list is what Balefire itself understands; the one that is chosen is read in full by another program.
"""

from __future__ import annotations

import io
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import evidence, kit
from dashboards.access.visitor import demand, lacking, may, token
from dashboards.dissecting import READING, activity, content, one, values_of
from dashboards.evidence import Taken, unkept
from dashboards.opening import opened
from dashboards.page import left_out
from dashboards.reference import action_words, object_words
from records.errors import BalefireError
from records.formats import number, size
from records.query import Query
from records.wording import say
from sensors.dissection import available

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dashboards.evidence import Kept
    from dashboards.page import Page
    from dashboards.queries import Detail

Row = dict[str, Any]
WORST: Final = Query(sort="-severity", limit=100)  # findings whose packets are shown
MOST_FILED: Final = 5_000  # findings whose packets go into a file
MOST_SHOWN: Final = 2_000  # packets to choose from
TCP: Final = 6
TCP_FLAGS: Final = ((2, "SYN"), (16, "ACK"), (1, "FIN"), (4, "RST"), (8, "PSH"))
KINDS: Final = {1: "ICMP", TCP: "TCP", 17: "UDP", 58: "ICMPv6"}


def kept(alert: str, query: Query) -> Kept:
    """What is kept for the findings of an alert, as they come from a query."""
    return evidence.kept_of(opened(), alert, query)


def _shown(alert: str) -> tuple[Kept, list[Taken]]:
    """What is kept, and the packets that can be chosen: of the worst findings, as many as a page bears."""
    found, used = kept(alert, WORST), 0
    about = found.findings
    found.there = {name: found.there[name] for name in sorted(found.there, key=lambda name: (-about[name]["severity"], about[name]["time"]))}
    for place, name in enumerate(list(found.there)):
        used += found.there[name]["packets"]
        if place and used > MOST_SHOWN:
            del found.there[name]
    return found, evidence.together(opened(), found)


def ahead(alert: str) -> list[tuple[Kept, list[Taken]]]:
    """What is kept, unless it may not be seen or cannot be; while a page tells all else, the packet that it will show is read in full."""
    found: list[tuple[Kept, list[Taken]]] = []
    if may("packets"):
        with suppress(BalefireError):  # which the part of the page that is about packets says
            found.append(_shown(alert))
            (held, taken), *_ = found
            if taken and available():
                READING.begin(*evidence.around(taken, _place(held, taken)[0]))
    return found


def file(alert: str, language: str, known_by: str | None = None) -> bytes:
    """All packets of an alert as pcapng. Raises BalefireError, DeniedError for whoever may not see packets.

    `known_by`: the token of whoever asks, for Streamlit makes a file that is downloaded in a thread that belongs to no page.
    """
    demand("packets", known_by)
    found, made = kept(alert, Query(limit=MOST_FILED)), io.BytesIO()
    told, writer = evidence.titles(found, language), evidence.pcapng(made, found, language)
    for each in evidence.together(opened(), found):
        writer.add(each.packet, evidence.comment(each, told, language))
    return made.getvalue()


def download(page: Page, alert: Row, known: Sequence[tuple[Kept, list[Taken]]]) -> None:
    """The button that gets them; out of reach where there are none."""
    there = any(held.there for held, _ in known)
    name = f"{alert['id'][:12]}.pcapng"
    make: Callable[[], bytes] | bytes = partial(file, str(alert["id"]), page.language, token()) if there else b""
    words, why = page.say("packets.download"), lacking("packets", page.language)
    st.download_button(
        words, make, name, "application/x-pcapng", key="evidence", icon=":material/download:", on_click="ignore", disabled=not there, help=why, shortcut="E"
    )


@st.fragment
def packets(page: Page, found: Detail, known: list[tuple[Kept, list[Taken]]]) -> None:
    """The whole part. Choosing another packet runs this alone again, by what is kept then; what was `known` goes for the first time alone."""
    alert = found.alert
    try:
        demand("packets")
        held, taken = known.pop() if known else _shown(str(alert["id"]))
    except BalefireError as problem:
        unseen(page, problem)
        return
    gone(page, held)
    if not taken:
        named(page, found)
        return
    try:
        place = choose(page, held, taken)
        with st.spinner(page.say("packets.reading")):
            done = understood(taken)[taken[place].file, taken[place].number][1]
            one(page, found, taken, place, done)
    except BalefireError as problem:
        unseen(page, problem)


def unseen(page: Page, problem: BalefireError) -> None:
    """Why there are no packets to see."""
    kit.draw("unseen", {"title": page.say("packets.title"), "note": "", "rows": [("!", problem.text(page.language))]}, "packets_error")


def gone(page: Page, held: Kept) -> None:
    """What was kept and is not there any more, and what never was."""
    lines: list[tuple[str, str]] = []
    for reason in dict.fromkeys(row["reason"] for row in held.gone):
        rows = [row for row in held.gone if row["reason"] == reason]
        when, total = page.clock.moment(max(row["gone"] for row in rows)), sum(row["packets"] for row in rows)
        lines.append((number(total), page.count("packets.gone", total, moment=when, why=say(f"evidence.reason.{reason}", page.language))))
    if held.without:
        lines += [(number(count), page.count("packets.without", count, why=why)) for count, _, why in unkept(held, page.language)]
    if lines:
        kit.draw("unseen", {"title": page.say("packets.gone_title"), "note": "", "rows": lines}, "packets_gone")


def named(page: Page, found: Detail) -> None:
    """No packet is kept: which ones the findings mean, so that they can be looked for in the capture."""
    from records.nesting import period

    head = [page.say(f"packets.{name}") for name in ("file", "number", "time")]
    lines: list[list[dict[str, str]]] = []
    for packet in found.packets:
        time = period(str(packet["time"]))
        when = f"{page.clock.short_day(time[0])} {page.clock.micro(time[0])}" if time else str(packet["time"])
        lines.append([{"kind": "mono", "text": str(packet["file"])}, {"kind": "number", "text": str(packet["packet"])}, {"kind": "mono", "text": when}])
    words = {"title": page.say("packets.title"), "note": page.say("packets.none_kept"), "empty": page.say("packets.none")}
    kit.draw("table", {"head": head, "rows": lines, "narrow": True, **words}, "packets")


def _place(held: Kept, taken: Sequence[Taken]) -> tuple[int, list[str]]:
    """The place of the packet that is chosen, else of the first that the worst finding names; and what each is called in the address."""
    several = len({each.file for each in taken}) > 1
    names = [f"{each.number}@{each.file}" if several else str(each.number) for each in taken]
    first = next((at for at, each in enumerate(taken) if next(iter(held.there), "") in each.named), 0)
    asked = st.query_params.get("packet", "")
    if asked and asked not in names:
        left_out("packet")
    return names.index(asked) if asked in names else first, names


def choose(page: Page, held: Kept, taken: Sequence[Taken]) -> int:
    """The list; the place of the packet that is chosen. It stands in the address."""
    place, names = _place(held, taken)

    def chosen() -> None:
        if told := st.session_state["packets"].chosen:
            st.query_params["packet"] = str(told)
            st.query_params.pop("node", None)

    counts = sum(bool(each.named) for each in taken), len(taken)
    files = page.say("and").join(dict.fromkeys(each.file for each in taken))
    data = {
        "title": page.say("packets.title"),
        "note": page.count("packets.note", counts[0], named=number(counts[0]), kept=number(counts[1]), files=files),
        "head": ["", *(page.say(f"packets.{name}") for name in ("number", "time", "from", "to", "what", "size"))],
        "rows": _listed(page, taken, names),
        "chosen": names[place],
        "named": page.say("packets.named"),
        "near": page.say("packets.near"),
    }
    kit.tell("packets", data, "packets", "chosen", chosen)
    return place


def _listed(page: Page, taken: Sequence[Taken], names: Sequence[str]) -> list[Row]:
    known = understood(taken)
    listed: list[Row] = []
    for each, name in zip(taken, names, strict=True):
        sides, done = known[each.file, each.number]
        time = each.packet.time
        listed.append({
            "id": name, "number": str(each.number), "file": each.file, "time": f"{page.clock.short_day(time)} {page.clock.micro(time)}",
            "from": sides[0], "to": sides[1], "kind": sides[2], "what": _what(page, done, each.number), "size": size(len(each.packet.octets), page.language),
            "named": bool(each.named),
        })  # fmt: skip
    return listed


def _what(page: Page, done: Sequence[Row], place: int) -> str:
    """What Balefire understood of a packet, shortly: a request or its answer."""
    told: list[str] = []
    for row in done[:2]:
        answer = row["response_packet"] == place and row["packet"] != place
        about = activity(row)
        words = [" · ".join(filter(None, action_words(about, page.language))), object_words(about, page.language)]
        if answer or row["values"]:
            words += [page.say("packets.answer") if answer else "", values_of(row["values"])]
        told.append(" ".join(filter(None, words)))
    return "; ".join(told) + (" …" if len(done) > 2 else "")


@st.cache_resource(max_entries=8, ttl=600, show_spinner=False, hash_funcs={Taken: content})
def understood(taken: Sequence[Taken]) -> dict[tuple[str, int], tuple[tuple[str, str, str], list[Row]]]:
    """Of each packet who sent it to whom, what it is where it says nothing of a protocol, and the operations that Balefire understands of it."""
    known: dict[tuple[str, int], tuple[tuple[str, str, str], list[Row]]] = {}
    for capture in dict.fromkeys(each.file for each in taken):
        near = [each for each in taken if each.file == capture]
        for each, sides in zip(near, _sides(near), strict=True):
            known[capture, each.number] = sides, []
        for row in evidence.operations(near, capture):
            for place in {row["packet"], row["response_packet"]} - {None}:
                known[capture, place][1].append(row)
    return known


def _sides(near: Sequence[Taken]) -> Iterator[tuple[str, str, str]]:
    """Who sent a packet to whom, with ports, and what it is below the protocols that Balefire reads."""
    from sensors.decoding import Decoder
    from sensors.sensor import BATCH

    decoder = Decoder(BATCH)
    with evidence.as_capture(near) as source:
        while decoder.read(source):
            decoder.decode()
            for packet in decoder.packets:
                ends = [_end(decoder.hosts, int(packet[side]), int(packet[f"{side}_port"]), int(packet[f"{side}_mac"])) for side in ("source", "target")]
                transport, flags = int(packet["transport"]), int(packet["tcp_flags"])
                told = [name for bit, name in TCP_FLAGS if flags & bit] if transport == TCP else []
                yield ends[0], ends[1], " ".join([KINDS.get(transport, f"0x{int(packet['ethertype']):04x}"), *told])


def _end(hosts: Any, host: int, port: int, mac: int) -> str:
    """One side of a packet: its address and port, or its MAC address."""
    from sensors.activities import address_text, mac_text

    if host < 0:
        return mac_text(mac) or "–"
    address = address_text(hosts[host])
    return address if port < 0 else f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
