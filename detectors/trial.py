"""The cases of rules as the frame that they are tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detectors.rulebook.cases import activity_table, case_row
from detectors.rulebook.frame import Frame
from records.schema import ACTIVITY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from detectors.rulebook.cases import Case
    from records.schema import Table


def trial(cases: Iterable[Case], table: Table = ACTIVITY) -> Frame:
    """The rows of the cases in their order, and an ordinary one after them."""
    return Frame(activity_table([*(row for case in cases for row in case.rows), case_row({}, table)], table), table)
