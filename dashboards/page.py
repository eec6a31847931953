"""What every page shares: the store, the language, the period, the line at the top. What a reader chose stays in the address, so a link says it all."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar
from urllib.parse import urlencode

import streamlit as st

from dashboards import kit, queries
from dashboards.access.visitor import visitor
from dashboards.keeping import kept
from dashboards.navigation import ELSEWHERE
from dashboards.opening import opened
from dashboards.serve import ZONE
from records.errors import BalefireError, StoreError
from records.formats import MINUTE, SECOND, Clock, duration, number, zone_named
from records.store.contract import ABSENT
from records.visible import unsteered
from records.wording import LANGUAGES, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.query import Span
    from records.store.contract import Store

KEPT: Final = ("lang", "range", "until")  # what the address of every page carries on
T = TypeVar("T")
EVERY_S: Final = 30  # until what changes is looked at again
LONGEST: Final = 19  # digits of a time that can be stored
LIVE: Final = 5 * MINUTE  # old at most is the newest packet where packets come
LEFT_OUT: Final = "left_out"  # what of the address is, by its name, while a page is drawn
SHORT: Final = 40  # letters of it that are told
AWAITED: Final = "awaited"  # whether a page with nothing to show has looked for it before: not at once again
PERIODS: Final = (*queries.PERIODS, "all")


@dataclass(frozen=True, slots=True)
class Page:
    """One run of a page: what it reads from, for whom, and which period; `held`: whether that ends where it was held, whatever has come since.

    `carried`: what every link carries on; Streamlit takes its time to tell.
    """

    store: Store
    language: str
    clock: Clock
    whole: Span
    period: str
    held: bool = False
    carried: dict[str, str] = field(default_factory=lambda: kept_parameters())

    @property
    def span(self) -> Span:
        """The chosen period."""
        return queries.span_of(self.whole, self.period)

    def ask(self, tables: str, question: Callable[..., T], *about: object) -> T:
        """The answer to `question(store, span, *about)` of the period, which looks into these tables alone: kept, where it was asked before."""
        return kept(self.store, tuple(tables.split()), question, self.span, *about)

    def say(self, key: str, **values: object) -> str:
        """The dashboard's text of this key in the reader's language."""
        return say(f"dashboard.{key}", self.language, **values)

    def count(self, key: str, number: int, **values: object) -> str:
        """A text that English has in two forms: `key.one` and `key.many`."""
        return self.say(f"{key}.{'one' if number == 1 else 'many'}", **values)

    def cut(self, shown: int, total: int, note: str = "") -> str:
        """The note of a list, which says how many rows it leaves out, where it does."""
        return self.say("activity.comma").join(
            filter(None, (note, self.say("activity.cut", shown=number(shown), total=number(total)) if total > shown else ""))
        )

    def address(self, path: str, **more: str) -> str:
        """A relative link to a page that keeps language and period."""
        return f"{path}?{urlencode({**self.carried, **more})}"


def remember(*names: str, place: str = "") -> None:
    """Navigation drops the address's parameters: what this session chose before is put back; on the page `place`, where it is that page's own."""
    kept: dict[str, str] = st.session_state.setdefault("kept", {})
    for name in names:
        own = f"{place}.{name}" if place else name
        if name in st.query_params:
            kept[own] = st.query_params[name]
        elif own in kept:
            st.query_params[name] = kept[own]


def forget(*names: str, place: str = "") -> None:
    """Take parameters out of the address and of what is put back."""
    for name in names:
        st.query_params.pop(name, None)
        st.session_state.setdefault("kept", {}).pop(f"{place}.{name}" if place else name, None)


def left_out(*names: str, **parts: str) -> None:
    """Say, beneath the line at the top, that what the address has under these names is not there, and that the page is drawn without it.

    `parts`: of a value that is a list, what is not there; the rest of it holds.
    """
    told: dict[str, str] = st.session_state.setdefault(LEFT_OUT, {})
    told |= {name[:SHORT]: value[:SHORT] for name, value in ({name: st.query_params[name] for name in names if name in st.query_params} | parts).items()}
    place = st.session_state.get(f"{LEFT_OUT}_place")
    if told and place is not None:
        code, what = language(), ", ".join(f"{name}={value}" for name, value in told.items() if name != ELSEWHERE)
        lines = [say("dashboard.line.no_page", code, path=f"/{told[ELSEWHERE]}")] if ELSEWHERE in told else []
        lines += [say("dashboard.line.left_out", code, what=what if len(what) <= kit.LONGEST else what[: kit.LONGEST] + "…")] if what else []
        place.text(unsteered("\n".join(lines)))  # as text: it is a stranger's


def _say_left_out() -> None:
    """Here, and what of the address was found wrong before."""
    st.session_state[f"{LEFT_OUT}_place"] = st.empty()
    left_out()


def language() -> str:
    """The language of the address, else the one the dashboard was started with, else the browser's."""
    asked = st.query_params.get("lang") or os.environ.get("BALEFIRE_LANGUAGE") or st.context.locale or "en"
    return asked[:2].lower() if asked[:2].lower() in LANGUAGES else "en"


def kept_parameters() -> dict[str, str]:
    """What every link carries on."""
    return {name: st.query_params[name] for name in KEPT if name in st.query_params}


def choice(name: str, label: str, options: dict[str, str], default: str) -> str:
    """A segmented control whose value stands in the address by its code (a translated label would be dead in the other language)."""
    key = f"choice_{name}"

    def chosen() -> None:
        st.query_params[name] = st.session_state[key]
        if name == "range":  # where in a list one was is nowhere in that of another time
            for place in [each for each in st.session_state.get("kept", {}) if each.endswith(".after")]:
                forget("after", place=place.removesuffix(".after"))

    asked = st.query_params.get(name, default)
    if asked not in options and name != "lang":  # of which more is understood than we write
        left_out(name)
    st.session_state[key] = asked if asked in options else default
    st.segmented_control(label, list(options), key=key, format_func=lambda code: options[code], required=True, label_visibility="collapsed", on_change=chosen)
    return str(st.session_state[key])


def typed(name: str, label: str, place: str, width: int = 330, also: tuple[str, ...] = ()) -> str:
    """A text box whose text stands in the address; what is typed drops the parameters `also` (where in a list one was)."""
    key = f"typed_{place}_{name}"

    def entered() -> None:
        forget(name, *also, place=place)
        if st.session_state[key].strip():
            st.query_params[name] = st.session_state[key]

    st.session_state[key] = st.query_params.get(name, "")
    st.text_input(label, key=key, placeholder=label, label_visibility="collapsed", on_change=entered, width=width)
    return str(st.session_state[key])


def picked(name: str, options: dict[str, str], place: str, default: str = "", width: int = 148, also: tuple[str, ...] = (), label: str = "") -> str:
    """A list to pick one of, whose value stands in the address by its code; without a `label` its first option says what the list is about."""
    key = f"picked_{place}_{name}"

    def chosen() -> None:
        forget(name, *also, place=place)
        if st.session_state[key] != default:
            st.query_params[name] = st.session_state[key]

    asked = st.query_params.get(name, default)
    if asked not in options:
        left_out(name)
    st.session_state[key] = asked if asked in options else default
    label = label or next(iter(options.values()))
    return str(st.selectbox(label, list(options), key=key, format_func=lambda code: options[code], label_visibility="collapsed", on_change=chosen, width=width))


def _store() -> Store | None:
    """The store, or None where there is none yet: a place without a store stays without one."""
    try:
        return opened()
    except StoreError as error:
        if error.key in ABSENT:
            return None
        raise


def begin(*own: str, without: Callable[[str], None] | None = None) -> Page:
    """The line at the top, then the page to fill. An empty store and a store that cannot be read end the page here, saying what to do.

    `own`: the parameters of this page beside those of every page; of others it is said that there are none such.
    `without` draws what there is to see before anything is stored, in a language.
    """
    remember(*KEPT)
    code = language()
    st.session_state[LEFT_OUT], st.session_state[f"{LEFT_OUT}_place"] = {}, None
    if st.query_params.get("lang", code)[:2].lower() != code:
        left_out("lang")
    left_out(*(name for name in st.query_params if name not in {*KEPT, *own}))
    kit.draw("document", {"language": "zh-CN" if code == "zh" else "en"}, "document")
    where = os.environ.get("BALEFIRE_STORE", "")
    try:
        if (there := _there()) is not None:
            store, whole = there
            return _line(store, code, *_held(whole))
    except BalefireError as error:
        _nothing(code, "store", error.text(code))
    return _nothing(code, "empty", say("dashboard.empty.reason", code), f"balefire replay FILE --store {shlex.quote(where)}", without)


def _there() -> tuple[Store, Span] | None:
    """The store, and the period of which it has anything; None where it has nothing, or is not there yet. Raises StoreError."""
    store = _store()
    whole = queries.extent(store) if store else None
    return (store, whole) if store is not None and whole is not None else None


def _held(whole: Span) -> tuple[Span, bool]:
    """What is looked at of all there is: up to the moment of the address, where it has one; whether it has."""
    asked = st.query_params.get("until", "")
    if asked.isascii() and asked.isdecimal() and len(asked) <= LONGEST and whole.since < int(asked) <= whole.until:
        return replace(whole, until=int(asked)), True
    left_out("until")
    forget("until")
    return whole, False


def _line(store: Store, code: str, whole: Span, held: bool) -> Page:
    zone = zone_named(os.environ.get(ZONE) or st.context.timezone)  # the plant's, so that all read the same; the reader's where none is set
    clock = Clock(zone, code, Clock(zone, code).local(whole.until - 1).year)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="line"):
        slot = st.container(width="stretch")
        periods = {name: say(f"dashboard.period.{name}", code) for name in PERIODS}
        period = choice("range", say("dashboard.line.period", code), periods, queries.default_period(whole))
        if held:
            st.button(say("dashboard.line.newest", code), key="let_go", icon=":material/last_page:", type="tertiary", on_click=forget, args=("until",))
        else:
            words, how = (say(f"dashboard.line.{name}", code) for name in ("hold", "hold_how"))
            st.button(words, key="hold", icon=":material/keep:", type="tertiary", help=how, on_click=_hold, args=(whole.until,))
        language_switch(code)
    _say_left_out()
    page = Page(store, code, clock, whole, period, held)
    with slot:
        until = page.say(f"line.{'held' if held else 'until'}_{period}", moment=clock.moment(whole.until - 1))
        told: dict[str, Any] = {"place": " · ".join(page.ask("coverage", queries.sites)), "until": until, "since": clock.moment(page.span.since)}
        age = time.time_ns() - whole.until
        if not held and 0 <= age <= LIVE:
            words = {unit: page.say("wall.newest", ago=say(f"dashboard.unit.{unit}", code, value="{}")) for unit in ("s", "min")}
            told["age"] = {"seconds": age // SECOND, **words}
        seen = visitor()
        if seen and seen.name:
            told |= {"who": page.say("line.who", name=seen.name, role=say(f"role.{seen.role}", code)), "leave": page.say("line.leave")}
        kit.draw("line", told, "line_text")
    return page


def _hold(until: int) -> None:
    """The period stays where it ends now."""
    st.query_params["until"] = str(until)


@st.fragment(run_every=EVERY_S)
def look_again(page: Page, drawn: float) -> None:
    """Draw the page anew where there are newer packets than it shows; `drawn` is when that was (monotonic seconds). Not for one on which rows are chosen."""
    if page.held or time.monotonic() - drawn < EVERY_S / 2:
        return
    try:
        newest = page.store.newest()
    except StoreError:  # drawing it anew says what is wrong
        newest = None
    if newest is None or newest + 1 != page.whole.until:
        st.rerun()


@st.fragment(run_every=EVERY_S)
def newer(page: Page) -> None:
    """Say that newer packets came than a page shows that stays as it is: one may be choosing from it, or reading."""
    try:
        newest = page.store.newest() or 0
    except StoreError as error:
        st.text(error.text(page.language))
        return
    if newest < page.whole.until or page.held:
        return
    words = page.say("line.newer", duration=duration(newest - page.whole.until + 1, page.language))
    if st.button(words, key="newer", icon=":material/refresh:", type="tertiary"):
        st.rerun()


def ended() -> None:
    """Whoever was logged in is not any more: the page shows nothing and says where to go."""
    code = language()
    words = {name: say(f"dashboard.ended.{name}", code) for name in ("tag", "sentence", "reason")}
    kit.draw("headline", {"level": "none", "plain": True, "meta": [], **words}, "ended")
    kit.draw("line", {"place": "", "until": "", "since": "", "who": "", "leave": say("dashboard.ended.login", code)}, "ended_line")


def language_switch(code: str) -> None:
    """EN or 中文."""
    choice("lang", say("dashboard.line.language", code), {"en": "EN", "zh": "中文"}, code)


def _nothing(code: str, state: str, reason: str, command: str = "", without: Callable[[str], None] | None = None) -> NoReturn:
    """A page that has nothing to show says why, and ends."""
    with st.container(horizontal=True, horizontal_alignment="right", key="line"):
        language_switch(code)
    _say_left_out()
    missing(code, state, reason, command)
    if without:
        without(code)
    _await()
    st.stop()


def missing(code: str, state: str, reason: str, command: str = "") -> None:
    """What stands where there is nothing to show: the store is "empty", or the "store" cannot be read; and what to run."""
    texts = {name: say(f"dashboard.{state}.{name}", code) for name in ("tag", "sentence")} | {"level": "none", "reason": reason}
    if st.query_params.get("view") == "wall":  # which hides all else
        kit.draw("wall", {**texts, "reason": f"{reason}\n{command}"}, "missing")
        return
    kit.draw("headline", texts, "missing")
    if command:
        st.code(command, language=None)


def broken_off(error: StoreError) -> None:
    """The store cannot be read any more while a page is drawn: what of it is there already is not all of it. It is drawn anew once it can be."""
    code = language()
    missing(code, "store", error.text(code))
    _await()


@st.fragment(run_every=EVERY_S)
def _await() -> None:
    """Draw the page as soon as there is something to show."""
    with suppress(StoreError):
        if st.session_state.pop(AWAITED, False) and _there() is not None:
            st.rerun()
    st.session_state[AWAITED] = True


def text_of(row: dict[str, Any], name: str, language: str) -> str:
    """A stored text in the reader's language, in English where there is none."""
    return str(row.get(f"{name}.{language}") or row.get(f"{name}.en") or "")
