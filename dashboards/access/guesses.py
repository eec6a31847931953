"""How long somebody who guesses passwords has to wait. Times are seconds of a monotonic clock."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final, NamedTuple

# Wrong passwords until the first wait: for a name from an address; from an address; for a name from anywhere (so that nobody soon locks others out).
FREE: Final = {"pair": 5, "address": 20, "name": 50}
LONGEST_S: Final = 900.0
FORGOTTEN_S: Final = 3600.0
MOST: Final = 10_000  # of whom it is remembered, the latest
NAME: Final = 64  # letters of a name that are told apart, as no account has more: what is remembered is bounded


class _Record(NamedTuple):
    wrong: int
    until: float
    last: float


class Guesses:
    """Wrong passwords of late."""

    def __init__(self) -> None:
        self._records: OrderedDict[tuple[str, str, str], _Record] = OrderedDict()

    def wait(self, name: str, address: str, now: float) -> float:
        """Seconds until the next password of this name is looked at that comes from this address; 0 at once."""
        return max((record.until - now for key in _keys(name, address) if (record := self._records.get(key)) and record.until > now), default=0.0)

    def wrong(self, name: str, address: str, now: float) -> float:
        """One was wrong; seconds that the next has to wait from now on, twice as long each time."""
        for key in _keys(name, address):
            record = self._records.pop(key, None)
            count = 1 if record is None or now - record.last > FORGOTTEN_S else record.wrong + 1
            over = count - FREE[key[0]]
            self._records[key] = _Record(count, now + min(2.0 ** min(over, 20), LONGEST_S) if over >= 0 else now, now)
        while len(self._records) > MOST:
            self._records.popitem(last=False)
        return self.wait(name, address, now)

    def right(self, name: str, address: str) -> None:
        """One was right: what was wrong before from there is forgiven."""
        self._records.pop(_keys(name, address)[0], None)


def _keys(name: str, address: str) -> tuple[tuple[str, str, str], ...]:
    name, address = name[: NAME + 1], _whose(address)
    return ("pair", name, address), ("address", "", address), ("name", name, "")


def _whose(address: str) -> str:
    """An address; of IPv6 its network of 64 bits, for one host has all addresses of that."""
    try:
        told = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return address if told.version == 4 else str(told.ipv4_mapped or ipaddress.ip_network((told, 64), strict=False))
