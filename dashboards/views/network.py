"""Network: who talks to whom, in lanes by Purdue level; of the time since a moment only what is new against the time before it is coloured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import conduits as zoning
from dashboards import counting, inventory, kit, topology
from dashboards.linking import STRENGTH
from dashboards.page import Page, begin, choice, forget, left_out, newer, remember
from dashboards.reference import deed_words
from records.effects import EFFECTS, NUMBER
from records.formats import duration, number
from records.model import LEVELS
from records.wording import role_words
from sensors.protocol import title_of

if TYPE_CHECKING:
    from dashboards.inventory import Risk
    from dashboards.linking import Link
    from dashboards.topology import Network
    from detectors.graph import Node

PAGE: Final = ("network", 4)
PLACE: Final = PAGE[0]
REMEMBERED: Final = ("tint", "moment", "asset")
TINTS: Final = ("new", "access")
MILLISECOND: Final = 1_000_000
LABELS: Final = 6  # links that are named on the picture
LISTED: Final = 100
LINES: Final = 6  # accesses of one link that are drawn, the strongest
ZONES: Final = 8  # columns
QUIET: Final = frozenset({"identify", "session"})  # accesses that look or log in
DEEDS: Final = 6  # effects of a conduit, the most frequent


def show(page: Page) -> None:
    """The whole page."""
    newer(page)
    remember(*REMEMBERED, place=PLACE)
    if not all(counting.total(page.store, table) for table in ("asset", "activity")):
        words = page.say("network.nothing")
        kit.draw("table", {"title": page.say("page.network"), "note": "", "head": [], "rows": [], "empty": words}, "table")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="filters"):
        tint = choice("tint", page.say("network.tint"), {name: page.say(f"network.tint_{name}") for name in TINTS}, TINTS[0])
        moment = slider(page)
        st.space("stretch")
        slot = st.container(width="content")
    with st.spinner(page.say("network.reading")):
        made = topology.network(page.store, page.whole, page.span, moment, st.query_params.get("asset", ""))
    shown = made.links.told[: 2 * topology.MOST_LINKS]
    slot.markdown(f":gray[{summary(page, made, len(shown), moment)}]")
    told = kit.watch("network", drawn(page, made, shown, tint), "network", "node")
    if told:
        choose(str(told["node"]))
    chosen = next((node for node in made.nodes if node.id == st.query_params.get("asset")), None)
    if chosen is None:
        left_out("asset")
    links(page, made, chosen)
    conduits(page, made)


def choose(identity: str) -> None:
    """A click on a node chooses it; a second one lets go of it."""
    if st.query_params.get("asset") == identity:
        forget("asset", place=PLACE)
    else:
        st.query_params["asset"] = identity
    st.rerun()


def slider(page: Page) -> int:
    """The moment from which on a link is new."""
    stops = topology.moments(page.whole, page.span)
    asked = st.query_params.get("moment", "")
    usual = topology.default_moment(page.whole, page.span, stops)
    known = asked.isascii() and asked.isdigit() and len(asked) < 15
    if asked and not known:
        left_out("moment")
    wanted = int(asked) * MILLISECOND if known else usual
    st.session_state["moment"] = min(stops, key=lambda stop: abs(stop - wanted))

    def moved() -> None:
        st.query_params["moment"] = str(st.session_state["moment"] // MILLISECOND)

    def words(stop: int) -> str:
        clock, short = page.clock, stops[-1] - stops[0] < topology.STEPS * 60 * 1_000_000_000
        return page.say("network.new_since", moment=f"{clock.short_day(stop)} {clock.second(stop) if short else clock.minute(stop)}")

    if len(stops) < 2:
        return stops[0]
    st.select_slider(page.say("network.moment"), stops, key="moment", format_func=words, label_visibility="collapsed", on_change=moved, width=380)
    return int(st.session_state["moment"])


def summary(page: Page, made: Network, shown: int, moment: int) -> str:
    """How many assets and links, how many of them new; what it is compared with; whether the picture leaves any out."""
    links, assets = made.links, page.say("network.assets", linked=number(made.links.linked), known=number(made.known))
    parts = [assets, page.count("network.links", links.now, count=number(links.now))]
    if made.before is None:
        parts.append(page.say("network.no_before"))
    else:
        parts.append(page.say("network.fresh", fresh=number(links.fresh), gone=number(links.gone), length=duration(moment - made.before.since, page.language)))
    if shown < links.total:
        parts.append(page.say("network.drawn", shown=number(shown)))
    return " · ".join(parts) + (page.say("network.cut") if made.cut else "")


def drawn(page: Page, made: Network, shown: list[Link], tint: str) -> dict[str, Any]:
    """What the component draws: lanes with their nodes in order, hairlines, and what has colour."""
    known = inventory.by_asset(inventory.risks(page.store), made.own)
    by_level: dict[int | None, list[dict[str, Any]]] = {}
    for node in made.nodes:
        by_level.setdefault(node.level, []).append(node_data(page, node, known))
    lanes = [
        {"level": "" if level is None else str(level), "name": lane_words(page, level), "below": level is None or level < 2, "nodes": nodes}
        for level, nodes in by_level.items()
    ]
    links = [each for link in shown for each in link_data(page, link, tint)]
    words: dict[tuple[str, str], list[str]] = {}
    named: list[dict[str, Any]] = []
    for each in links:
        pair = each["a"], each["b"]
        if each["fresh"] and each["access"] not in QUIET:
            words.setdefault(pair, []).append(each["word"])
            if len(words) <= LABELS and len(words[pair]) == 1:
                named.append(each)
    for each in named:
        each["label"] = page.say("trail.comma").join(words[each["a"], each["b"]])
    there = {each["access"] for each in links if each["access"]}
    key = [
        (access, page.say("network.key_new" if tint == "new" else "network.key_all", access=page.say(f"access.{access}")))
        for access in STRENGTH
        if access in there
    ]
    legend = {name: page.say(f"network.{name}") for name in ("same", "dashed", "filled")}
    return {
        "title": page.say("network.picture"),
        "lanes": lanes,
        "links": links,
        "chosen": st.query_params.get("asset", ""),
        "key": key,
        "zones": zones_of(made),
        "noZone": page.say("network.no_zone"),
        "levels": {level: page.say(f"severity.{level}") for level in LEVELS},
        **legend,
    }


def zones_of(made: Network) -> list[str]:
    """The zones that are columns of the picture, by name; of more than a few, none is."""
    found = sorted({node.zone for node in made.nodes if node.zone})
    return found if len(found) <= ZONES else []


def lane_words(page: Page, level: int | None) -> str:
    """What a level is called."""
    return page.say("network.level.none" if level is None else f"network.level.{min(max(level, 0), 5)}")


def node_data(page: Page, node: Node, known: dict[str, Risk]) -> dict[str, Any]:
    """One asset as it is drawn."""
    risk = known.get(node.id)
    what = " · ".join(filter(None, (role_words(node.role, page.language), node.vendor, node.model, " ".join(node.addresses[:3]), node.zone)))
    alerts = f"{page.say(f'severity.{risk.level}')} · {page.count('risk.alerts', risk.alerts, count=number(risk.alerts))}" if risk else ""
    return {
        "id": node.id,
        "name": node.name,
        "role": node.role or "",
        "zone": node.zone or "",
        "severity": risk.level if risk else "",
        "text": "\n".join(filter(None, (node.name, what, alerts))),
    }


def link_data(page: Page, link: Link, tint: str) -> list[dict[str, Any]]:
    """A hairline for what was, and a line of its own for each access that is to be seen."""
    ends = {"a": link.source, "b": link.destination}
    shown = link.fresh if tint == "new" else sorted(link.accesses, key=STRENGTH.index)
    told = [
        {
            **ends,
            "access": access,
            "fresh": access in link.fresh,
            "dashed": access in QUIET,
            "text": effect_words(page, link, access),
            "word": page.say(f"access.{access}"),
        }
        for access in shown[:LINES]
    ]
    same = [access for access in link.accesses if access not in shown]
    if same or not told:
        told.append({**ends, "access": "", "fresh": False, "dashed": bool(same) and set(same) <= QUIET, "text": effect_words(page, link, "")})
    return told


def effect_words(page: Page, link: Link, access: str) -> str:
    """What is asked over a link, of one access or of all."""
    chosen = {effect: count for effect, count in link.effects.items() if not access or EFFECTS[NUMBER.get(effect, NUMBER["unknown"])].access == access}
    ordered = sorted(chosen, key=lambda effect: -chosen[effect])[:6]
    return page.say("trail.comma").join(f"{deed_words(effect, page.language)} × {number(chosen[effect])}" for effect in ordered)


def links(page: Page, made: Network, chosen: Node | None) -> None:
    """The links of the chosen asset, or all that are new."""
    names = {node.id: node for node in made.nodes}
    found = [link for link in made.links.told if (chosen.id in (link.source, link.destination) if chosen else link.fresh)]
    total = len(found) if chosen else made.links.fresh
    lines: list[list[Any]] = []
    for link in found[:LISTED]:
        strongest = (link.fresh or sorted(link.accesses, key=STRENGTH.index) or [""])[0]
        state = page.say("network.is_new" if link.fresh else "network.is_same" if link.accesses else "network.is_gone")
        effects = {"text": effect_words(page, link, ""), "kind": "plain", **({"access": strongest} if strongest else {})}
        ends = [{"text": names[end].name, "href": page.address("asset", asset=end)} for end in (link.source, link.destination)]
        lines.append([*ends, effects, state, {"text": number(sum(link.accesses.values())), "kind": "number"}])
    note = page.say("activity.cut", shown=LISTED, total=number(total)) if total > LISTED else ""
    title = page.say("network.links_of", name=chosen.name) if chosen else page.say("network.new_links")
    head = [page.say(f"network.{name}") for name in ("from", "to", "effects", "state", "operations")]
    empty = page.say("network.no_links" if chosen else "network.no_new")
    kit.follow("table", {"title": title, "note": note, "head": head, "rows": lines, "empty": empty}, "links")


def conduits(page: Page, made: Network) -> None:
    """What passes between zones, and whether the policy lets it."""
    found = zoning.conduits(page.store, made.rows, made.nodes, made.own)
    if not any(node.zone for node in made.nodes):
        return
    comma = page.say("trail.comma")

    def deeds(effects: dict[str, int]) -> str:
        return comma.join(deed_words(effect, page.language) for effect in sorted(effects, key=lambda effect: -effects[effect])[:DEEDS])

    lines: list[list[Any]] = []
    for each in found[:LISTED]:
        state = "no_policy" if not each.judged else "let" if not each.barred else "barred_all" if each.barred == each.effects else "barred"
        policy = {"text": page.say(f"network.{state}", effects=deeds(each.barred)), "kind": "plain", **({"access": "command"} if each.barred else {})}
        protocols = comma.join(title_of(name) for name in sorted(each.protocols, key=lambda name: -each.protocols[name]))
        ends = [zone or page.say("network.no_zone") for zone in (each.source, each.destination)]
        numbers = [{"text": number(count), "kind": "number"} for count in (each.talks, each.count)]
        lines.append([*ends, protocols, deeds(each.effects), policy, *numbers])
    note = page.say("activity.cut", shown=LISTED, total=number(len(found))) if len(found) > LISTED else ""
    head = [page.say(f"network.{name}") for name in ("from_zone", "to_zone", "protocols", "effects", "policy", "talks", "operations")]
    kit.draw("table", {"title": page.say("network.conduits"), "note": note, "head": head, "rows": lines, "empty": page.say("network.no_conduits")}, "conduits")


show(begin(*REMEMBERED))
