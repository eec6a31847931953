"""What each role may do. The command line names them in its help, so nothing heavy stands here."""

from __future__ import annotations

from typing import Final

from reports.agencies import AGENCIES

SCREEN: Final = "screen"
AGENCY: Final = "agency-"

# What a role may do: read pages and lists, see packets, decide about alerts, hide alerts, make reports, ask for a release, change rules, manage accounts.
ROLES: Final[dict[str, frozenset[str]]] = {
    "viewer": frozenset({"read", "packets"}),
    "regulator": frozenset({"read"}),  # what happened and how it was settled, not the plant's own traffic
    "analyst": frozenset({"read", "packets", "decide", "suppress", "report"}),
    "engineer": frozenset({"read", "packets", "decide", "suppress", "report", "release", "rules"}),
    "administrator": frozenset({"read", "packets", "decide", "suppress", "report", "release", "rules", "accounts"}),
    SCREEN: frozenset(),  # the wall of a control room, before which nobody stands to log in: that one view, and nothing else
    **{AGENCY + name: frozenset() for name in AGENCIES},  # somebody of an agency: its own view of the duties, and nothing else
}
