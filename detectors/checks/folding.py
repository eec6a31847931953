"""Keys: findings of one key are one alert, so that the key decides how often somebody is woken."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Final

from detectors.checking import Place, Subject, at

if TYPE_CHECKING:
    from collections.abc import Iterator

# What differs from one activity, or one minute of a point, to the next.
SCATTERS: Final = frozenset({
    "id", "@timestamp", "event.start", "event.end", "source.port", "ot.count", "ot.bytes", "ot.rtt", "ot.interval.mean", "ot.interval.deviation",
    "ot.packet.first", "ot.packet.last", "ot.fragment", "ot.value",
    "ot.point.min", "ot.point.max", "ot.point.first", "ot.point.last", "ot.point.changes", "ot.point.count", "ot.point.time",
})  # fmt: skip
NAMES: Final = {"unit": ("ot.unit",), "object": ("ot.object.name", "ot.object.first"), "error": ("ot.error",), "protocol": ("network.protocol",)}


def key_scatters(subject: Subject) -> Iterator[Place]:
    """A key that makes an alert of every activity."""
    for index, name in enumerate(subject.rule.key):
        if name in SCATTERS:
            yield at(*subject.key_path(index), name=name)


def key_lacks(subject: Subject) -> Iterator[Place]:
    """A title that names one thing while the key folds many: the alert would speak of the first alone."""
    if subject.rule.correlation:  # its title tells of all its rows
        return
    told = {name for _, name, _, _ in Formatter().parse(subject.rule.title.en) if name in NAMES}
    for name in sorted(told):
        if not set(NAMES[name]) & set(subject.rule.key):
            yield at("key", name=name, fields=", ".join(NAMES[name]))


def key_fixed(subject: Subject) -> Iterator[Place]:
    """A field of the key that the detection fixes to one value."""
    if len(subject.detections) > 1:
        return
    fixed = {item.field for item in subject.items if not item.modifiers and len(item.values) == 1}
    for index, name in enumerate(subject.rule.key):
        if name in fixed:
            yield at(*subject.key_path(index), name=name)
