"""The cases of rules as the frame that they are tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.rulebook.cases import activity_table, case_activity
from detectors.rulebook.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.rulebook.cases import Case


def trial(cases: Iterable[Case]) -> Frame:
    """A row for each case, in their order, and ordinary polling after them."""
    return Frame(activity_table([*(case.activity for case in cases), case_activity({})]))
