"""Which baselines were in force, one after the other: each as its file, kept in the store."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from detectors.baseline.policy import written
from detectors.baseline.reading import LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.baseline.learned import Learned

STATE: Final = "baseline"  # the name under which a store keeps them
KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A baseline that is, or was, in force. `since`: the store's newest packet time then, nanoseconds; `how`: learned, imported or replayed."""

    version: str
    since: int | None
    how: str
    text: str


def noted(state: bytes | None, learned: Learned, since: int | None, how: str) -> bytes:
    """What a store keeps from now on: one more, unless it is the one in force; as many of the last as find room. What cannot be read is given up."""
    try:
        found = decoded(state)
    except ValueError:
        found = []
    if not found or found[-1].version != learned.version:
        found = [*found, Kept(learned.version, since, how, written(learned))][-KEPT:]
    while len(found) > 1 and sum(len(each.text) for each in found) > LARGEST:
        del found[0]
    return zlib.compress(json.dumps([asdict(each) for each in found]).encode())


def decoded(state: bytes | None) -> list[Kept]:
    """The baselines that a store kept, oldest first. Raises ValueError for what is none."""
    try:
        told: list[Any] = json.loads(zlib.decompressobj().decompress(state, 8 * LARGEST)) if state else []
        return [Kept(str(each["version"]), None if each["since"] is None else int(each["since"]), str(each["how"]), str(each["text"])) for each in told]
    except (zlib.error, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError("these are no versions of a baseline") from error


def difference(before: str, after: str) -> tuple[list[str], list[str]]:
    """Lines that stand only in the one file, and only in the other."""
    old, new = (set(text.splitlines()) for text in (before, after))
    return [line.removeprefix("- ") for line in sorted(old - new)], [line.removeprefix("- ") for line in sorted(new - old)]


def named(found: Sequence[Kept], version: str) -> Kept | None:
    """The last one whose version begins so, where these are all of one version."""
    fits = [each for each in found if each.version.startswith(version)]
    return fits[-1] if len({each.version for each in fits}) == 1 else None
