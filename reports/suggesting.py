"""What level and class an incident seems to have, and why: by the thresholds of the law, and by what the alert shows. A person decides."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.techniques import as_before
from records.errors import UsageError
from records.model import Text, severity_word
from records.query import Query
from records.wording import LANGUAGES, say
from reports.alerting import GRAVE
from reports.dutybook import acting, class_named, classes_of, left_out, levels, triggers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from records.store.contract import Store

Row = dict[str, Any]
SAFETY: Final = "safety_controller"
LOOKED_AT: Final = 1_000  # findings of an alert
# The most that each fact can be: more is a slip of the pen.
MOST: Final = {"outage": 5_256_000, "function": 5_256_000, "people": 10**10, "city": 100, "province": 100, "records": 10**13, "loss": 10**14}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A level and classes, the gravest first, and why; a person decides."""

    level: str
    codes: tuple[str, ...]
    reasons: tuple[Text, ...]

    @property
    def code(self) -> str:
        """The one class that an incident is told to have."""
        return self.codes[0]

    def lost(self, code: str, level: str, operator: str, regimes: Iterable[str], language: str) -> list[str]:
        """What an incident of this class and level (empty: any) has not to be told to whom, and would have were it of another class; and which other of these
        the alert suggests, too: an incident has one class, and may be of several.
        """
        told: list[str] = []
        for duty in left_out(code, level, operator, regimes):
            names = {"title": getattr(duty.title, language), "id": duty.id, "classes": ", ".join(duty.classes)}
            also = [class_named(each, language) for each in self.codes if each.startswith(duty.classes)]
            told.append(say("duty.left_out.suggested" if also else "duty.left_out.other", language, **names, also=", ".join(also)))
        return told


def checked(facts: Mapping[str, float]) -> dict[str, float]:
    """Facts as they were given. Raises UsageError for one that cannot be so."""
    for fact, value in facts.items():
        if not 0 <= value <= MOST[fact]:
            raise FactError("duty.fact", fact=fact, value=f"{value:,g}", most=f"{MOST[fact]:,}")
    return dict(facts)


class FactError(UsageError):
    """A fact that cannot be so."""

    def text(self, language: str) -> str:
        """The whole message, the fact in words."""
        return say(f"error.{self.key}", language, **self.values | {"fact": say(f"duty.fact.{self.values['fact']}", language)})


def exactly(value: float) -> str:
    """A number as it was given, never rounded: 49.9 is not 50."""
    return f"{Decimal(str(value)).normalize():,f}"


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
                reasons.append(_why("fact", fact=fact, value=exactly(facts[fact]), bound=f"{bound:,}", level=each))
    techniques = alert["techniques"] or ()
    shown = sorted(name for name in techniques if acting() & as_before([name]))
    critical = [str(each["name"]) for each in assets if each.get("criticality") == "critical" or each.get("role") == SAFETY]
    if shown and critical:
        level = max(level, order[1], key=order.index)
        reasons.append(_why("acting", techniques=", ".join(shown), assets=", ".join(critical[:4])))
    if not reasons:
        reasons.append(_why("nothing"))
    return Suggestion(level, classes_of(as_before(techniques) | set(effects)), tuple(reasons))


def _why(key: str, **values: object) -> Text:
    told = [{each: say(f"duty.{each}.{value}", language) if each in {"fact", "level"} else value for each, value in values.items()} for language in LANGUAGES]
    return Text(say(f"duty.why.{key}", "en", **told[0]), say(f"duty.why.{key}", "zh", **told[1]))


def lesser(store: Store, alerts: Iterable[str]) -> set[str]:
    """Those of less than high severity for which no more than the least level is suggested: of them hardly anything has to be told."""
    names, found = list(alerts), set[str]()
    for start in range(0, len(names), LOOKED_AT):
        for each in store.alerts(names[start : start + LOOKED_AT]):
            shows = acting() & as_before(each.techniques)  # else nothing that is stored raises the level
            if severity_word(each.severity) not in GRAVE and not (shows and suggested(store, each.id).level != levels()[0]):
                found.add(each.id)
    return found


def suggested(store: Store, alert: str, facts: Mapping[str, float] | None = None) -> Suggestion:
    """What is suggested for a stored alert."""
    row = store.get("alert", alert) or {"techniques": [], "assets": [], "findings": []}
    assets = [found for each in (row["assets"] or ())[:100] if (found := store.get("asset", each))]
    asked = Query(ids=tuple(row["findings"] or ())[:LOOKED_AT])
    findings = store.read("finding", asked).select(["effects"]).to_pylist() if row["findings"] else []
    return suggest(row, assets, facts or {}, {effect for each in findings for effect in each["effects"] or ()})
