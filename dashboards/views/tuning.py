"""A change of one rule, tried on what was recorded: other values of its numbers as a curve, or another text. Nothing is saved: rules are files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from dashboards import counting, kit, queries, rulings, trying
from dashboards.access.visitor import may
from dashboards.page import Page, begin, kept_parameters, left_out, picked, remember, text_of
from detectors import tuning
from detectors.gathering import general
from records.errors import BalefireError
from records.formats import number, share_seen
from records.query import Span
from records.search import And, Exists, Match

if TYPE_CHECKING:
    from dashboards.rulings import Book
    from dashboards.trying import Tried
    from detectors.backtest import Result
    from detectors.confirmed import Lost
    from detectors.curves import Curve
    from detectors.rulebook.rule import Rule
    from detectors.tuning import Bound, Step

PAGE: Final = ("tuning", "rulebook")
PLACE: Final = PAGE[0]
REMEMBERED: Final = ("rule", "bound")
SHOWN: Final = 12  # assets, confirmed alerts
FEW: Final = 10  # alerts, of which one more or less says little
SEEN: Final = 0.9  # of the time, below which it is told how little was seen


def show(page: Page) -> None:
    """The whole page."""
    remember(*REMEMBERED, place=PLACE)
    name = st.query_params.get("rule", "")
    if st.button(page.say("tuning.back"), icon=":material/arrow_back:", type="tertiary"):
        st.switch_page("views/rule.py", query_params={**kept_parameters(), "rule": name})
    with st.spinner(page.say("rules.reading")):
        book = rulings.in_force(page.store)
    rule = next((each for each in book.book.rules if each.id == name), None) if book else None
    if book is None or rule is None or rule.file not in book.texts:
        reason = page.say("rules.nothing") if book is None else name or page.say("alert.unnamed")
        words = {"tag": page.say("alert.missing"), "sentence": page.say("rules.missing"), "reason": reason}
        kit.draw("headline", {"level": "none", "plain": True, "meta": [], **words}, "headline")
        return
    words = {"tag": page.say("page.tuning"), "sentence": getattr(general(rule, rule.title), page.language), "reason": page.say("tuning.what")}
    disabled = [("", page.say("rules.disabled_why", reason=rule.disabled))] if rule.disabled else []
    meta = [*disabled, ("", rule.id), ("", book.places.get(rule.file, ""))]
    kit.draw("headline", {"level": "none", "plain": True, "meta": meta, **words}, "headline")
    if not may("rules"):
        kit.draw("unseen", {"title": page.say("tuning.denied"), "note": "", "rows": []}, "denied")
        return
    try:
        numbers(page, book, rule)
        written(page, book, rule)
    except BalefireError as error:
        kit.draw("unseen", {"title": page.say("decide.refused"), "note": "", "rows": [("!", error.text(page.language))]}, "refused_at_once")


def numbers(page: Page, book: Book, rule: Rule) -> None:
    """A bound of the rule at other values: the curve, and what one of them would change."""
    found = {str(at): bound for at, bound in enumerate(tuning.bounds(book.texts[rule.file]))}
    st.markdown(f"**{page.say('tuning.numbers')}**", help=page.say("tuning.learned"))
    if not found:
        st.markdown(f":gray[{page.say('tuning.none')} {page.say('tuning.learned')}]")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        names = {at: page.say("tuning.bound", name=bound.name, value=str(bound.value), line=bound.line) for at, bound in found.items()}
        bound = found[picked("bound", names, PLACE, default="0", width=360, also=("curve", "value"))]
    with st.spinner(page.say("tuning.judging")):
        curve = trying.curve(page, book, rule, bound, "curve" in st.query_params)
    if curve is None:
        if st.button(page.say("tuning.work_out"), key="work_out"):
            st.query_params["curve"] = "1"  # so that the view can be sent
            st.rerun()
        st.markdown(f":gray[{page.say('tuning.ask')}]")
        return
    chosen(page, book, rule, bound, curve)


def chosen(page: Page, book: Book, rule: Rule, bound: Bound, curve: Curve) -> None:
    """The curve, the slider, what the value under it would change, and all values in a table."""
    steps, looked = curve.steps, curve.window
    now = next(step for step in steps if step.value == bound.value)
    step = now
    if len(steps) > 1:
        step = slid(page, bound, {str(each.value): each for each in steps}, f"value_{rule.id}_{bound.start}")
    line = tuning.moved(book.texts[rule.file], bound, step.value).splitlines()[bound.line - 1].strip()
    shift, before = (looked.rate(each.shifts) for each in (step, now))
    by_shift = shift is not None and before is not None
    counts = {"shift": rate(shift), "before": rate(before)} if by_shift else {"shift": number(step.alerts), "before": number(now.alerts)}
    words = {
        "tag": page.say("tuning.lost", count=number(len(step.lost))) if step.lost else page.say("tuning.none_lost"),
        "sentence": page.say("tuning.sentence" if by_shift else "tuning.sentence_whole", line=line, **counts),
        "reason": page.say("tuning.where", file=book.places.get(rule.file, rule.id), line=bound.line),
    }
    kit.draw("headline", {"level": "critical" if step.lost else "none", "plain": True, "meta": [], **words}, "chosen_value")
    doubts = doubted(page, curve, now, rule)
    if asked := kit.watch("curve", drawn(page, curve, now, step), "curve", "value").get("value"):
        st.query_params["value"] = str(asked)
        st.rerun()
    if doubts:
        kit.draw("unseen", {"title": page.say("tuning.doubts"), "note": "", "rows": [("!", words) for words in doubts]}, "doubts")
    kit.draw("table", {"title": page.say("tuning.by_value"), "note": "", "empty": "", "narrow": True, **table(page, curve, now)}, "values")
    confirmed(page, step.lost)


def drawn(page: Page, curve: Curve, now: Step, step: Step) -> dict[str, Any]:
    """The curve as it is drawn: a column a value."""
    tall = [each.shifts if curve.window.whole else each.alerts for each in curve.steps]
    columns: list[dict[str, Any]] = []
    for each, high in zip(curve.steps, tall, strict=True):
        told = curve.window.rate(each.shifts)
        lost = page.say("tuning.lost", count=number(len(each.lost))) if each.lost else ""
        columns.append(
            {
                "value": str(each.value), "text": number(each.alerts) if told is None else rate(told), "share": high / (max(tall) or 1),
                "lost": number(len(each.lost)) if each.lost else "", "lostWords": lost, "now": page.say("tuning.now") if each is now else "",
                "chosen": each is step,
            }
        )  # fmt: skip
    title = page.say("tuning.curve" if curve.window.rate(0) is not None else "tuning.curve_whole")
    return {
        "title": title,
        "note": looked(page, curve),
        "columns": columns,
        "words": page.say("tuning.lost_key") if any(each.lost for each in curve.steps) else "",
    }


def looked(page: Page, curve: Curve) -> str:
    """What the curve is made of: until when, how many shifts, how many hours were seen, and when it was worked out."""
    window = curve.window
    until, shifts = page.clock.moment(window.until - (not window.whole)), number(len(window.starts))
    made = page.say("tuning.made", moment=page.clock.moment(curve.made)) if curve.made else ""
    return page.say("tuning.looked_at" if window.whole else "tuning.looked_whole", until=until, hours=f"{window.hours:,.1f}", shifts=shifts) + made


def doubted(page: Page, curve: Curve, now: Step, rule: Rule) -> list[str]:
    """Why not to rely on the curve too much."""
    window, most = curve.window, max(each.alerts for each in curve.steps)
    told = [page.say("tuning.no_shift")] if window.rate(0) is None else []
    share = window.seen / max(1, window.until - window.since)
    told += [page.say("tuning.little_seen", share=share_seen(100 * share, page.language))] if share < SEEN else []
    told += [page.say("tuning.few", count=number(now.alerts), most=number(most))] if most < FEW else []
    where = And((Match("rule", rule.id, cased=True), Exists("suppressions")))
    hidden = counting.total(page.store, "finding", where, Span(window.since, window.until))
    return told + ([page.count("tuning.hidden", hidden, count=number(hidden))] if hidden else [])


def table(page: Page, curve: Curve, now: Step) -> dict[str, Any]:
    """All values, in numbers."""
    rows: list[list[Any]] = []
    for each in curve.steps:
        told = curve.window.rate(each.shifts)
        rows.append(
            [
                {"text": str(each.value), "kind": "number", "sub": page.say("tuning.now") if each is now else ""},
                {"text": "–" if told is None else rate(told), "kind": "number"},
                {"text": number(each.alerts), "kind": "number"},
                {"text": number(each.fires), "kind": "number"},
                {"text": number(len(each.lost)), "severity": "critical" if each.lost else "", "kind": "number"},
                {"text": number(len(each.thinned)), "kind": "number"},
            ]
        )
    names = ("number", "per_shift", "alerts", "findings", "confirmed_lost", "confirmed_thinned")
    return {"head": [page.say(f"tuning.{name}") for name in names], "rows": rows}


def slid(page: Page, bound: Bound, by_value: dict[str, Step], key: str) -> Step:
    """The value that is looked at, which stands in the address; else the one in force."""

    def moved() -> None:
        st.query_params["value"] = str(st.session_state[key])

    asked = st.query_params.get("value", str(bound.value))
    if asked not in by_value:
        left_out("value")
    st.session_state[key] = asked if asked in by_value else str(bound.value)
    label = page.say("tuning.value", name=bound.name)
    return by_value[str(st.select_slider(label, list(by_value), key=key, on_change=moved, width=980))]  # as wide as the curve beneath


def rate(value: float | None) -> str:
    """A rate with as many digits as it deserves; what is more than nothing is never told as nothing."""
    if value is None:
        return "–"
    return number(round(value)) if value >= 10 or value == round(value) else f"{value:.1f}" if value >= 0.05 else "< 0.1"


def confirmed(page: Page, lost: tuple[Lost, ...] | list[Lost]) -> None:
    """The confirmed alerts that would be gone."""
    rows = [("!", f"{text_of(flat(each.alert), 'title', page.language)} · {each.alert['id'][:12]}") for each in lost[:SHOWN]]
    if rows:
        kit.draw("unseen", {"title": page.say("tuning.confirmed_lost"), "note": "", "rows": rows}, "lost")


def flat(alert: dict[str, Any]) -> dict[str, Any]:
    """The title of an alert as `text_of` looks for it."""
    return {f"title.{language}": words for language, words in alert["title"].items()}


def written(page: Page, book: Book, rule: Rule) -> None:
    """The text of the rule, to be changed and tried."""
    st.markdown(f"**{page.say('tuning.text')}**")
    with st.container(key="draft"):
        text = st.text_area(page.say("tuning.text"), book.texts[rule.file], height=380, key=f"text_{rule.id}", label_visibility="collapsed")
    if not st.button(page.say("tuning.try"), key="try", type="primary"):
        st.markdown(f":gray[{page.say('tuning.nothing_saved')}]")
        return
    with st.spinner(page.say("tuning.judging")):
        told(page, rule, trying.text(page.store, book, rule, text, page.span))


def told(page: Page, rule: Rule, tried: Tried) -> None:
    """What it would do, or what is wrong with it."""
    if tried.problems:
        rows = [
            (f"{problem.line}", f"{getattr(problem.message, page.language)} {getattr(problem.advice, page.language)}") for problem in tried.problems[:SHOWN]
        ]
        kit.draw("unseen", {"title": page.say("tuning.wrong"), "note": "", "rows": rows}, "wrong")
    if tried.result is None:
        if not tried.problems:
            kit.draw("unseen", {"title": page.say("tuning.unchanged"), "note": "", "rows": []}, "unchanged")
        return
    found = tried.result
    facts = [
        (number(count), page.say(f"tuning.{name}")) for name, count in (("fires", found.fires), ("added", found.added_total), ("removed", found.removed_total))
    ]
    words = {
        "tag": page.say("tuning.lost", count=number(len(found.lost))) if found.lost else page.say("tuning.none_lost"),
        "sentence": page.say("tuning.tried", rule=rule.id),
        "reason": page.say("tuning.looked", rows=number(found.rows), thinned=number(len(found.thinned))),
    }
    kit.draw("headline", {"level": "critical" if found.lost else "none", "plain": True, "meta": [], "facts": facts, **words}, "tried")
    confirmed(page, found.lost)
    assets(page, found)


def assets(page: Page, found: Result) -> None:
    """Findings more and less, by asset."""
    by_asset: dict[str, list[int]] = {}
    for hour in found.hours:
        counts = by_asset.setdefault(hour.asset or "", [0, 0])
        counts[0] += hour.added
        counts[1] += hour.removed
    names = queries.asset_names(page.store, [name for name in by_asset if name])
    ordered = sorted(by_asset.items(), key=lambda each: (-sum(each[1]), each[0]))
    rows = [
        [names.get(name, name) or page.say("tuning.nobody"), {"text": number(added), "kind": "number"}, {"text": number(removed), "kind": "number"}]
        for name, (added, removed) in ordered[:SHOWN]
    ]
    note = page.say("activity.cut", shown=number(len(rows)), total=number(len(ordered))) if len(ordered) > len(rows) else ""
    head = [page.say(f"tuning.{name}") for name in ("asset", "added", "removed")]
    kit.draw("table", {"title": page.say("tuning.by_asset"), "note": note, "head": head, "rows": rows, "empty": page.say("tuning.same")}, "by_asset")


show(begin(*REMEMBERED, "curve", "value"))
