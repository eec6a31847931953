"""Times of network cards: used where a card gives them and its clock is that of this machine, and nowhere else."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING

import pytest

from sensors.sources import cards, packetsocket
from sensors.sources import ring as ring_module
from sensors.sources.cards import ALL, APART, BY_CARD, CARD, GET_STAMPS, MOST_APART, NONE, OFF, SET_STAMPS, SIOCETHTOOL, UNREAD, Stamps, ahead, stamps
from sensors.sources.packetsocket import BLOCK, SOL_PACKET, STAMPED_BY
from sensors.sources.ring import Rings
from tests.require import need

if TYPE_CHECKING:
    from collections.abc import Callable

HWTSTAMP_PTP_V2 = 12


class Driver:
    """Answers as the driver of a card does (this machine has none that stamps), and keeps what it was told."""

    def __init__(self, clock: int = 0, flags: int = BY_CARD, filters: int = 1 << ALL, received: int = 0, allowed: bool = True) -> None:
        self.info = struct.pack("=IIiI12xI12x", 0x41, flags, clock, 3, filters)
        self.config, self.allowed = struct.pack("=3i", 0, 1, received), allowed

    def ask(self, name: str, what: int, told: bytes) -> bytes | None:
        assert name == "eth1"
        if what == SIOCETHTOOL:
            assert (len(told), told[:4]) == (44, b"\x41\0\0\0")
            return self.info
        if what == SET_STAMPS:
            self.config = told if self.allowed else self.config
            return told if self.allowed else None
        assert what == GET_STAMPS
        return self.config


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Driver]:
    def make(apart: int | None = 1000, **how: int | bool) -> Driver:
        made = Driver(**how)  # pyright: ignore[reportArgumentType] - each is of its own kind
        monkeypatch.setattr(cards, "_ask", made.ask)

        def apart_by(_: int) -> int | None:
            return apart

        monkeypatch.setattr(cards, "_apart", apart_by)
        return made

    return make


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({"received": ALL}, Stamps(CARD, 1000)),
        ({}, Stamps(OFF, 1000)),
        ({"received": HWTSTAMP_PTP_V2}, Stamps(OFF, 1000)),
        ({"received": ALL, "apart": -37_000_000_000}, Stamps(APART, -37_000_000_000)),
        ({"received": ALL, "apart": MOST_APART + 1}, Stamps(APART, MOST_APART + 1)),
        ({"received": ALL, "apart": None}, Stamps(UNREAD)),
        ({"clock": -1}, Stamps(NONE)),
        ({"flags": BY_CARD & 4}, Stamps(NONE)),
        ({"filters": 1 << HWTSTAMP_PTP_V2}, Stamps(NONE)),
    ],
)
def test_a_card_is_believed_where_its_clock_is_ours(how: dict[str, int | bool | None], found: Stamps, driver: Callable[..., Driver]) -> None:
    made = driver(**how)
    before = made.config
    assert stamps("eth1") == found
    assert made.config == before, "who only asks changes nothing"


def test_one_that_is_off_is_turned_on_where_that_may_be(driver: Callable[..., Driver]) -> None:
    made = driver()
    assert stamps("eth1", turn_on=True) == Stamps(CARD, 1000)
    assert struct.unpack("=3i", made.config) == (0, 1, ALL), "what it stamps of what is sent stays as it was"
    driver(allowed=False)
    assert stamps("eth1", turn_on=True) == Stamps(OFF, 1000)


def test_one_that_somebody_set_for_himself_stays_so(driver: Callable[..., Driver]) -> None:
    made = driver(received=HWTSTAMP_PTP_V2)
    assert stamps("eth1", turn_on=True).how == OFF
    assert struct.unpack("=3i", made.config) == (0, 1, HWTSTAMP_PTP_V2)


@pytest.mark.netns
def test_a_clock_that_goes_wrong_is_said_and_believed_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    need("netns", os.geteuid() == 0, "listening needs root")

    def found(how: str, apart: int = 0) -> None:
        def ask(_name: str, **_: bool) -> Stamps:
            return Stamps(how, apart)

        monkeypatch.setattr(cards, "stamps", ask)

    found(CARD)
    rings = Rings(["lo"], octets=2 * BLOCK)
    (ring,) = rings.rings
    assert ring is not None
    assert (rings.stamped(), ring.socket.getsockopt(SOL_PACKET, STAMPED_BY)) == (["lo"], BY_CARD)
    found(APART)
    assert rings.look() == [{"unstamped": "lo"}]
    assert (rings.stamped(), ring.socket.getsockopt(SOL_PACKET, STAMPED_BY)) == ([], 0)
    assert rings.look() == []
    found(CARD, MOST_APART - 1)
    assert rings.look() == [], "it might be wrong again the next moment"
    found(CARD, MOST_APART // 2)
    assert rings.look() == [{"restamped": "lo"}]
    assert (rings.stamped(), ring.socket.getsockopt(SOL_PACKET, STAMPED_BY)) == (["lo"], BY_CARD)
    rings.close()


@pytest.mark.netns
def test_a_card_that_was_unplugged_is_believed_again_once_it_is_told_to_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver begins anew, and what listens may not tell it; that it is gone is not said of its clock."""
    need("netns", os.geteuid() == 0, "listening needs root")
    how, index = [CARD], [1]

    def number(_: str) -> int:
        return index[0]

    def ask(_name: str, **_: bool) -> Stamps:
        return Stamps(how[0] if index[0] else NONE)

    monkeypatch.setattr(cards, "stamps", ask)
    rings = Rings(["lo"], octets=2 * BLOCK)
    for module in (ring_module, packetsocket):
        monkeypatch.setattr(module, "index_now", number)
    index[0], how[0] = 0, OFF
    said = [told for _ in range(3) for told in rings.look()]
    index[0] = 1
    said += rings.look()
    how[0] = CARD  # whoever may has told it
    said += rings.look()
    assert [word for told in said for word in told if word not in {"down", "up", "unlinked"}] == ["gone", "back", "unset", "restamped"]
    assert rings.stamped() == ["lo"]
    rings.close()


def test_what_is_no_card_stamps_nothing() -> None:
    assert stamps("lo", turn_on=True) == stamps("nowhere9") == Stamps(NONE)


def test_clocks_are_compared() -> None:
    assert abs(ahead(time.CLOCK_REALTIME)) < MOST_APART
    assert ahead(time.CLOCK_MONOTONIC) < -(10**15)
