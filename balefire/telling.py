"""People are told of an alert as soon as it is known: when it is stored, or, where the store is away, when it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors import alerts
from detectors.suppressing import known_activities
from detectors.suppressions import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from records.model import Alert, Suppression
    from records.store.contract import Commit


class Telling:
    """Of alerts that are new to a run, each once. `raised` is given them, and whether they are stored yet."""

    def __init__(self) -> None:
        self.raised: Callable[[Alert, bool], None] = lambda _alert, _stored: None
        self.suppressions: Sequence[Suppression] = ()  # as the store had them when it was last there
        self._told: set[str] = set()  # alerts that people have heard of
        self._heard: set[str] = set()  # … by the keys of their findings …
        self._early: set[str] = set()  # … of these, those that are not stored yet

    def stored(self, commit: Commit, before: Collection[str]) -> None:
        """What a commit stored; `before` are alerts that this run had touched already."""
        shown = {finding.alert for finding in commit.findings if not finding.suppressions}
        for alert in commit.alerts:
            if alert.id not in shown or alert.id in before or alert.id in self._told:
                continue
            self._told.add(alert.id)
            self._heard.add(alert.key)
            if alert.key not in self._early:
                self.raised(alert, True)
            self._early.discard(alert.key)

    def held(self, commit: Commit) -> tuple[Alert, ...]:
        """What cannot be stored yet; those that were told. Which stored alerts its findings belong to turns out when the store is back.

        A generation of an alert is told anew when it is stored: until then its key alone is known.
        """
        marked = mark(commit.findings, self.suppressions, known_activities(None, commit.batch.activities))
        found = alerts.fold([finding for finding in marked if finding.key not in self._heard], ()).alerts
        for alert in found:
            self._heard.add(alert.key)
            self._early.add(alert.key)
            self.raised(alert, False)
        return found
