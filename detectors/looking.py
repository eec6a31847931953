"""How far those have looked who saw an alert. A clock that runs hours ahead must neither keep the alerts of other observers closed nor hide theirs late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from records.nesting import values
from records.query import Query, Terms
from records.search import Match, Or

if TYPE_CHECKING:
    from records.model import Alert
    from records.store.contract import Store

MINUTE: Final = 60 * 10**9  # a window of coverage
MOST: Final = 20  # observers of one alert


def looked_until(store: Store, alert: Alert) -> int:
    """The newest packet time (nanoseconds) that its observers have told of; where they told of none, the newest of all."""
    asked = Query(since=alert.first, until=alert.last + 1, where=Match("alert", alert.id))
    names = [str(row["observer.name"]) for row in store.terms("finding", asked, Terms(("observer.name",), MOST)).to_pylist() if row["observer.name"]]
    seen = Query(since=alert.last - MINUTE, where=Or(tuple(Match("observer.name", name, cased=True) for name in names)), sort="-@timestamp", limit=1)
    newest = values(store.read("coverage", seen).column("event.end"), "date") if names else []
    return max(alert.last, int(newest[0]) - 1 if newest and newest[0] is not None else store.newest() or 0)  # a window ends before the next one's first moment
