"""What level and class an incident seems to have, and why: by the thresholds of the law, and by what the alert shows. A person decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.techniques import as_before
from records.model import Text
from records.query import Query
from records.wording import LANGUAGES, say
from reports.dutybook import acting, gravest_class, levels, triggers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from records.store.contract import Store

Row = dict[str, Any]
SAFETY: Final = "safety_controller"
LOOKED_AT: Final = 1_000  # findings of an alert


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A level and a class, and why; a person decides."""

    level: str
    code: str
    reasons: tuple[Text, ...]


def suggest(alert: Row, assets: Sequence[Row], facts: Mapping[str, float], effects: Iterable[str] = ()) -> Suggestion:
    """A level by what the law's thresholds say of the `facts` that are known, and by what the alert shows; a class, the gravest, by its techniques and the
    effects of its findings.
    """
    reasons: list[Text] = []
    order = levels()
    level = order[0]
    for each, least in triggers().items():
        for fact, bound in least.items():
            if facts.get(fact, -1) >= bound:
                level = each if order.index(each) > order.index(level) else level
                reasons.append(_why("fact", fact=fact, value=f"{facts[fact]:,.0f}", bound=f"{bound:,}", level=each))
    techniques = alert["techniques"] or ()
    shown = sorted(name for name in techniques if acting() & as_before([name]))
    critical = [str(each["name"]) for each in assets if each.get("criticality") == "critical" or each.get("role") == SAFETY]
    if shown and critical:
        level = max(level, order[1], key=order.index)
        reasons.append(_why("acting", techniques=", ".join(shown), assets=", ".join(critical[:4])))
    if not reasons:
        reasons.append(_why("nothing"))
    return Suggestion(level, gravest_class(as_before(techniques) | set(effects)), tuple(reasons))


def _why(key: str, **values: object) -> Text:
    told = [{each: say(f"duty.{each}.{value}", language) if each in {"fact", "level"} else value for each, value in values.items()} for language in LANGUAGES]
    return Text(say(f"duty.why.{key}", "en", **told[0]), say(f"duty.why.{key}", "zh", **told[1]))


def suggested(store: Store, alert: str, facts: Mapping[str, float] | None = None) -> Suggestion:
    """What is suggested for a stored alert."""
    row = store.get("alert", alert) or {"techniques": [], "assets": [], "findings": []}
    assets = [found for each in (row["assets"] or ())[:100] if (found := store.get("asset", each))]
    asked = Query(ids=tuple(row["findings"] or ())[:LOOKED_AT])
    findings = store.read("finding", asked).select(["effects"]).to_pylist() if row["findings"] else []
    return suggest(row, assets, facts or {}, {effect for each in findings for effect in each["effects"] or ()})
