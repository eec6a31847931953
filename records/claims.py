"""At which MAC address an IP address is, where several say so: one answer for what is heard in a capture and for what lies in a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from records.addresses import is_virtual

if TYPE_CHECKING:
    from collections.abc import Iterable

MOVED: Final = "moved"
CONTESTED: Final = "contested"
TOGETHER: Final = 1_000_000_000  # ns: packets that begin so close together are the same ones before and behind a router


@dataclass(frozen=True, slots=True)
class Claim:
    """An IP address was at `mac` from `first` to `last`, nanoseconds. `said`: ARP or DHCP say so; `sent`: its packets do.

    `busy`: this MAC address had another IPv4 address then or later, so that it is another host's already.
    """

    mac: str
    first: int
    last: int
    said: bool
    sent: bool
    busy: bool


class Dispute(NamedTuple):
    """Of `holder`, whose the address was or is, with `other`, to which it moved or who claims it, too."""

    holder: Claim
    other: Claim
    kind: str


def settled(claims: Iterable[Claim]) -> tuple[Claim, list[Dispute]]:
    """Whose the address is, and what speaks against it. Raises IndexError where nobody claims it.

    It stays with the first. It moves to the next where the first is silent by then, the next is no other host, and packets come from there, if any came
    before. A host that has an address of its own only contests, and yields to a quieter one whose packets show that it has the address. Where routers
    stand in for each other (VRRP, HSRP), that they do is no dispute.
    """
    ordered = sorted(claims, key=lambda claim: (claim.first, claim.mac))
    holder, disputes = ordered[0], list[Dispute]()
    for claim in ordered[1:]:
        if is_virtual(claim.mac):
            continue
        if claim.said and claim.first > holder.last and not claim.busy and (claim.sent or not holder.sent):
            disputes.append(Dispute(holder, claim, MOVED))
            holder = claim
        elif holder.said and holder.busy and not claim.busy and claim.sent:
            disputes.append(Dispute(claim, holder, CONTESTED))
            holder = claim
        elif claim.said and not holder.said and not claim.busy and claim.first - holder.first < TOGETHER:
            holder = claim
        elif claim.said:
            disputes.append(Dispute(holder, claim, CONTESTED))
    return holder, disputes
