"""A suppression from an alert: its conditions, narrowest first, and what they would have hidden, before anything is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, deciding, kit, queries
from dashboards.access.visitor import lacking
from dashboards.deciding import name, person, refused, refusing
from dashboards.opening import opened
from dashboards.page import Page, begin, text_of
from detectors import suppressing
from detectors.suppressions import ANCHORS, DAY
from records.errors import BalefireError, UsageError
from records.formats import number
from records.model import severity_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.suppressing import Preview
    from records.model import Value

PAGE: Final = ("suppress", "suppressions")
MOST: Final = 12
VALUES: Final = 6


def show(page: Page) -> None:
    """The whole page."""
    identity = st.query_params.get("id", "")
    if st.button(page.say("suppress.back"), icon=":material/arrow_back:", type="tertiary"):
        st.switch_page("views/alert.py", query_params=dict(st.query_params))
    found = queries.detail(page.store, identity) if identity else None
    if found is None:
        reason = page.say("alert.missing_reason", id=identity) if identity else page.say("alert.unnamed")
        words = {"tag": page.say("alert.missing"), "sentence": page.say("alert.missing_sentence"), "reason": reason}
        kit.draw("headline", {"level": "none", "plain": True, **words}, "headline")
        return
    alert = found.alert
    level, title = severity_word(int(alert["severity"])), text_of(alert, "title", page.language)
    tag, reason = page.say(f"severity.{level}"), page.say("suppress.what")
    kit.draw("headline", {"level": level, "plain": True, "meta": [], "tag": tag, "sentence": title, "reason": reason}, "headline")
    refused(page)
    if why := lacking("suppress", page.language):
        st.markdown(f"**:material/lock: {deciding.plain(why)}**")
    if made := st.session_state.pop("suppressed", None):
        told = page.say("suppress.saved_as", id=made[0], until=page.clock.moment(made[1]))
        kit.draw("unseen", {"title": page.say("suppress.saved"), "note": "", "rows": [("", told)]}, "saved")
        return
    try:
        fill_in(page, str(alert["id"]))
    except BalefireError as error:
        kit.draw("unseen", {"title": page.say("decide.refused"), "note": "", "rows": [("!", error.text(page.language))]}, "refused_at_once")


def fill_in(page: Page, alert: str) -> None:
    """Conditions on the left; owner, reason, end and the preview on the right."""
    why = lacking("suppress", page.language)
    locked = why is not None
    left, right = st.columns([1, 1], gap="large")
    with left:
        offered = suppressing.prefilled(page.store, alert)
        where = conditions(page, offered.where, locked=locked)
        if offered.varied:
            st.markdown(f":gray[{page.say('suppress.varied', most=suppressing.MOST_VALUES, fields=', '.join(offered.varied))}]")
    with right:
        st.text_input(page.say("suppress.owner"), key="suppress_owner", placeholder="" if locked else name(), disabled=locked)
        st.text_area(page.say("suppress.reason"), key="suppress_reason", disabled=locked)
        # Without bounds: a browser keeps to itself what lies beyond them, and what was there before would be saved.
        days = int(st.number_input(page.say("suppress.days"), value=suppressing.DAYS, step=1, key="suppress_days", disabled=locked))
        lasts = 0 < days <= suppressing.LONGEST_DAYS
        if not lasts:
            st.markdown(f":red[:material/error: {UsageError('suppress.days', limit=suppressing.LONGEST_DAYS).text(page.language)}]")
    draft = suppressing.drafted(page.store, alert, where, "-", "-")
    seen = suppressing.preview(page.store, draft)
    with right:
        preview(page, seen)
        sure = not seen.confirmed or st.checkbox(page.say("suppress.sure"), key="suppress_sure", disabled=locked)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                page.say("suppress.save"),
                key="suppress_save",
                type="primary",
                disabled=locked or not (sure and lasts),
                help=why,
                on_click=save,
                args=(alert, where),
            )
            person(page)


def conditions(page: Page, where: Mapping[str, tuple[Value, ...]], *, locked: bool) -> dict[str, tuple[Value, ...]]:
    """The conditions that are left: one without its tick is left out, which widens what is hidden. The rule stays."""
    st.markdown(f"**{page.say('suppress.conditions')}** :gray[{page.say('suppress.narrowest')}]")
    kept: dict[str, tuple[Value, ...]] = {}
    for field, values in where.items():
        words = [page.say("suppress.absent") if value in {None, ""} else _plain(value) for value in values[:VALUES]]
        more = [page.say("suppress.more", count=len(values) - VALUES)] if len(values) > VALUES else []
        label = f"`{field}` {deciding.plain(page.say('trail.comma').join(words + more))}"
        if st.checkbox(label, value=True, key=f"where_{field}", disabled=locked or field in ANCHORS):
            kept[field] = values
    return kept


def _plain(value: Value) -> str:
    """A number as the alert says it: 65280, not 65280.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def preview(page: Page, seen: Preview) -> None:
    """What it would have hidden, by asset; what was found true first and loud, then that it hides all of its rule."""
    for alert in counting.alerts(page.store, seen.confirmed[:MOST]):
        words = page.say("suppress.confirmed", id=alert.id[:12])
        told: dict[str, Any] = {"tag": words, "sentence": getattr(alert.title, page.language), "reason": ""}
        kit.draw("headline", {"level": "critical", "plain": True, "meta": [], **told}, f"confirmed_{alert.id}")
    if left_out := page.cut(MOST, len(seen.confirmed)):
        st.markdown(f":gray[{left_out}]")
    if seen.everything:
        st.markdown(f"**:material/warning: {deciding.plain(page.say('suppress.everything', rule=', '.join(seen.everything)))}**")
    names = queries.asset_names(page.store, list(seen.by_asset)[:MOST])
    counts = {"findings": seen.findings, "alerts": len(seen.alerts), "already": seen.hidden_already, "stays": seen.stays}
    figures = [(number(count), page.count(f"suppress.{name}", count)) for name, count in counts.items() if count or name in {"findings", "alerts"}]
    figures += [(number(count), names.get(asset, asset)) for asset, count in list(seen.by_asset.items())[:MOST]]
    figures += [("", page.say("suppress.more", count=len(seen.by_asset) - MOST))] if len(seen.by_asset) > MOST else []
    days = (seen.until - seen.since) // DAY
    span = page.say("suppress.span", days=days, since=page.clock.moment(seen.since), until=page.clock.moment(seen.until - 1))
    kit.draw("unseen", {"title": page.say("suppress.would"), "note": span, "rows": figures}, "preview")


def save(alert: str, where: Mapping[str, tuple[Value, ...]]) -> None:
    """The button was pressed."""
    with refusing():
        store, by = opened(), name()
        owner = str(st.session_state.get("suppress_owner") or by)
        days = float(st.session_state["suppress_days"])  # as it stands now: it may have been typed since the page was drawn
        draft = suppressing.drafted(store, alert, where, owner, str(st.session_state.get("suppress_reason") or ""), days)
        made = deciding.hide(store, draft, by)
        st.session_state["suppressed"] = (made.id[:12], made.until)


show(begin("id", "packet", "node"))
