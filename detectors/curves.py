"""What the numbers of all rules cost, worked out once a day and kept in the store: whoever looks at a rule finds the curve of each of its bounds there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from detectors import confirmed, tuning
from detectors.confirmed import Lost
from detectors.rulebook import versions
from detectors.rulebook.kept import loaded
from detectors.tuning import Step
from detectors.working import Window, window
from records.store.contract import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from detectors.tuning import Bound
    from records.store.contract import Store

STATE: Final = "curves"  # the name under which a store keeps them
_FORM: Final = 2


@dataclass(frozen=True, slots=True)
class Curve:
    """One bound at several values over a window; `made`: when it was worked out, nanoseconds, where it was kept."""

    window: Window
    steps: list[Step]
    made: int | None = None


def work_out(store: Store, begins: Sequence[str], zone: tzinfo, now: int) -> int:
    """Keep the curves of every rule in force that has bounds, for how many rules; 0 where nothing has changed since they were kept."""
    kept, newest = versions.decoded(store.state(versions.STATE)), store.newest()
    if not kept or newest is None:
        return 0
    looked = window(store, begins, zone, newest)
    about: dict[str, Any] = {"form": _FORM, "version": kept[-1].id, "confirmed": confirmed.marks(store), "window": _plain(looked)}
    if (before := _read(store)) and {name: before.get(name) for name in about} == about:
        return 0
    rules = loaded(kept[-1])
    found: dict[str, dict[str, Any]] = {}
    for rule in rules.book.rules:
        text = rules.texts.get(rule.file, "")
        for bound in () if rule.disabled else tuning.bounds(text):
            steps = tuning.curve(store, rule, text, bound, kept[-1], rules.book.placeholders, looked)
            found.setdefault(rule.id, {})[str(bound.start)] = [_step(each) for each in steps]
    store.write(Commit(state={STATE: json.dumps({**about, "made": now, "curves": found}).encode()}))
    return len(found)


def stored(store: Store, version: str, rule: str, bound: Bound) -> Curve | None:
    """The curve that was kept of a bound, if it is of these rules and the same alerts of this one are found true as were then."""
    told = _read(store)
    try:
        if not told or told["version"] != version or told["confirmed"].get(rule) != confirmed.marks(store, rule).get(rule):
            return None
        steps = [_of(store, each) for each in told["curves"][rule][str(bound.start)]]
        seen: dict[str, Any] = told["window"] | {"starts": tuple(told["window"]["starts"])}
        looked = Window(**seen)
        made = int(told["made"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return Curve(looked, steps, made) if any(step.value == bound.value for step in steps) else None


def _read(store: Store) -> dict[str, Any]:
    """What is kept; nothing where that is of another form, or damaged."""
    try:
        told: Any = json.loads(store.state(STATE) or b"{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) and cast("dict[str, Any]", told).get("form") == _FORM else {}


def _plain(looked: Window) -> dict[str, Any]:
    return {**asdict(looked), "starts": list(looked.starts)}


def _step(step: Step) -> dict[str, Any]:
    told = {name: getattr(step, name) for name in ("value", "fires", "alerts", "shifts")}
    return told | {name: [[each.alert["id"], each.findings, each.gone, each.left] for each in getattr(step, name)] for name in ("lost", "thinned")}


def _of(store: Store, told: dict[str, Any]) -> Step:
    lost, thinned = (tuple(_lost(store, *each) for each in told[name]) for name in ("lost", "thinned"))
    return Step(told["value"], int(told["fires"]), int(told["alerts"]), int(told["shifts"]), lost, thinned)


def _lost(store: Store, alert: str, findings: int, gone: int, left: int) -> Lost:
    """An alert of which retention has left nothing is still named."""
    row = store.get("alert", alert) or {"id": alert}
    title = {language: row.get(f"title.{language}") or alert for language in ("en", "zh")}
    return Lost({**row, "title": title}, findings, gone, left)
