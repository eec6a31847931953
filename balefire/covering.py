"""`balefire coverage` for people: the grade of a range, what takes its points, the blind spots worst first, then the windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from balefire.rows import shown
from balefire.screen import clean, cut
from balefire.summary import Prose, beside, disabled_lines, forgotten_lines, indented, section, spot_lines, unlearned
from dashboards.queries import account
from records.errors import StoreError
from records.schema import COVERAGE
from records.store.columns import flat
from sensors.blindness import clock_words, placed, reason_words

if TYPE_CHECKING:
    from balefire.screen import Screen
    from records.query import Query
    from records.store.contract import Store

SPOTS: Final = 20


def tell_coverage(screen: Screen, store: Store, query: Query, limit: int) -> bool:
    """All of it; false where there is no row."""
    from rich.text import Text

    from detectors.baseline.learned import DETECTORS
    from detectors.disabling import disabled
    from detectors.forgetting import forgotten
    from detectors.methods.coverage import LEAST_PAYLOAD

    total = store.count(COVERAGE.name, query)
    if not total:
        return False
    covered, used = account(store, query)
    grade = covered.grade
    note = cut(grade, screen.language) if grade is not None else screen.say("cli.summary.no_grade")
    parts: list[Any] = [section(screen.say("coverage.told.head"), note)]
    if used < total:
        parts.append(indented(Text(screen.say("coverage.told.some", shown=f"{used:,}", total=f"{total:,}"), "dim")))
    parts += [indented(Text(reason_words(each, screen.language))) for each in covered.reasons]
    spots = covered.spots()
    if grade == 100 and not spots:
        parts.append(indented(Text(screen.say("coverage.told.whole"))))
    parts += [] if any(store.state(name) for name in DETECTORS) else unlearned(screen)
    parts += [*disabled_lines(screen, disabled(store)), *forgotten_lines(screen, forgotten(store), _shed(store))]
    parts += beside(screen, spots)
    parts.append(section(screen.say("coverage.told.spots")))
    parts += spot_lines(screen, spots, SPOTS, advise=True) if spots else [indented(Text(screen.say("coverage.told.none")))]
    if len({file for sums in covered.by_place.values() for file in sums.windows}) > 1:
        parts.append(indented(Prose(screen.say("coverage.told.several"))))
    little = screen.say("coverage.told.little", least=LEAST_PAYLOAD)
    parts += [indented(Prose(clean(placed(place, little, screen.language)))) for place in covered.quiet(LEAST_PAYLOAD)]
    clocks = [clean(placed(place, clock_words(clock, screen.language), screen.language)) for place, clock in covered.clocks()]
    parts.append(section(screen.say("coverage.told.clock")))
    parts += [indented(Text(line)) for line in clocks or [screen.say("dashboard.cover.clock_none")]]
    rows = flat(COVERAGE, store.read(COVERAGE.name, replace(query, limit=limit)))
    parts += [section(screen.say("coverage.told.windows")), Text(), shown(COVERAGE.name, rows, screen.language)]
    for part in parts:
        screen.print(part)
    if total > len(rows):
        screen.note(screen.say("cli.more", shown=len(rows), total=f"{total:,}", after=rows[-1]["id"]))
    return True


def _shed(store: Store) -> int:
    """How much was not learned for want of room. Raises StoreError for what no detector learned."""
    from detectors.baseline.learned import kept

    try:
        return sum(kept(store.state).shed.values())
    except ValueError as error:
        raise StoreError("store.state", detector=str(error)) from None
