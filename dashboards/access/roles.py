"""What each role may do. The command line names them in its help, so nothing heavy stands here."""

from __future__ import annotations

from typing import Final

# What a role may do beside reading: see packets, decide about alerts, hide alerts, make reports, change rules, manage accounts.
ROLES: Final[dict[str, frozenset[str]]] = {
    "viewer": frozenset({"packets"}),
    "regulator": frozenset(),  # what happened and how it was settled, not the plant's own traffic
    "analyst": frozenset({"packets", "decide", "suppress", "report"}),
    "engineer": frozenset({"packets", "decide", "suppress", "report", "rules"}),
    "administrator": frozenset({"packets", "decide", "suppress", "report", "rules", "accounts"}),
}
