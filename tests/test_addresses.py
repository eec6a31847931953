"""Address conflicts: who claims whose address, what makes it worse, and what is no conflict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from detectors.alerts import fold
from detectors.discovery import detectors
from detectors.methods.addresses import MANY, MOST, MOST_MACS, MOST_OWN, MOST_TOLD, Addresses
from records.facts import asset_id
from records.model import Batch
from sensors.sensor import Sensor
from tests.cli import balefire, lines, one
from tests.frames import DEVICE, SPARE, VIRTUAL, activities, claimed
from tests.test_arp import arp
from tests.test_dashboards import run
from tests.test_resolving import EVIL, HMI, PLC, hexed, poll
from tests.wire import SECOND, START, Feed, Packet, ethernet, mac, save

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from records.model import Finding

PUMP, OWN = "10.10.1.21", "10.10.1.66"
OTHER = "02:ba:1e:01:00:67"
NOON = 12 * 60


def at(minute: float, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row at so many minutes of the day, of a moment."""
    told = f"2026-03-02T{int(minute) // 60:02d}:{int(minute) % 60:02d}:{round(minute % 1 * 60):02d}Z"
    return {**row, "@timestamp": told, "event.start": told, "event.end": told}


def detector() -> Addresses:
    (found,) = (each for each in detectors() if isinstance(each, Addresses))
    return found


def judged(*rows: Mapping[str, Any]) -> list[Finding]:
    return detector().judge(Batch(activities=activities(*rows)))


def terms(finding: Finding) -> dict[str, float]:
    return {term.en: term.value for term in finding.terms}


def test_one_that_is_gone_contests_nothing_any_more() -> None:
    contested = [at(NOON, claimed(PUMP, DEVICE)), at(NOON + 2, claimed(PUMP, SPARE)), at(NOON + 3, claimed(PUMP, DEVICE))]
    later = [at(NOON + 60 * hour, claimed(PUMP, DEVICE)) for hour in range(1, 6)]
    assert judged(*contested, *later) == judged(*contested)
    again = at(NOON + 330, claimed(PUMP, SPARE))
    assert len(judged(*contested, *later, again, at(NOON + 331, claimed(PUMP, DEVICE)))) == 3


def test_two_claim_one_address() -> None:
    (finding,) = judged(at(NOON, claimed(PUMP, DEVICE)), at(NOON + 2, claimed(PUMP, SPARE, "arp_announcement")))
    assert (finding.rule, finding.key, finding.severity, finding.techniques) == ("address-conflict", f"address-conflict|{PUMP}|{SPARE}", 45, ("T0830",))
    assert finding.title.en == f"{SPARE} claims {PUMP}, the address of {DEVICE}"
    assert finding.title.zh == f"{SPARE} 声称占用 {DEVICE} 的地址 {PUMP}"
    assert (finding.source, finding.destination, finding.activities) == (None, PUMP, ("activity-0000", "activity-0001"))
    assert asset_id(None, PUMP) in finding.assets
    assert finding.normal is not None
    assert "VRRP" in finding.normal.en
    assert finding.end - finding.time == 120 * SECOND
    assert len(finding.packets) == 2


def test_who_has_an_address_of_its_own_is_who_claims() -> None:
    """Also where it was heard first; and one that claims several stands in the middle."""
    (first, worse) = judged(
        at(NOON, claimed(PUMP, SPARE)), at(NOON, claimed(OWN, SPARE)), at(NOON + 1, claimed(PUMP, DEVICE)), at(NOON + 2, claimed("10.10.1.11", SPARE)),
        at(NOON + 3, claimed(PUMP, SPARE)),
    )  # fmt: skip
    assert first.title.en == f"{OWN} ({SPARE}) claims {PUMP}, the address of {DEVICE}"
    assert (first.source, sum(terms(first).values())) == (OWN, 60)
    assert terms(worse) == terms(first) | {"it claims several addresses": 10, "both are there at once": 15}
    assert "It claims 10.10.1.11, 10.10.1.66, too." in worse.reason.en
    assert worse.key == first.key


def test_who_claims_both_ends_is_called_by_neither() -> None:
    """An address that another one holds is not its own: who is attacked is not told as who attacks."""
    other = "10.10.1.11"
    held = [at(NOON, claimed(PUMP, DEVICE)), at(NOON, claimed(other, "02:00:00:00:00:11"))]
    found = judged(*held, at(NOON + 2, claimed(PUMP, SPARE)), at(NOON + 2, claimed(other, SPARE)), at(NOON + 3, claimed(PUMP, SPARE)))
    assert len(found) >= 2
    assert {finding.title.en.partition(" claims ")[0] for finding in found} == {SPARE}
    assert {finding.source for finding in found} == {None}


def test_who_has_had_it_for_long_is_its_holder() -> None:
    """However many addresses it has."""
    rows = [at(NOON + minute, claimed(address, DEVICE)) for minute in range(12) for address in (PUMP, "10.10.1.22")]
    (finding,) = judged(*rows, at(NOON + 12, claimed(PUMP, SPARE)))
    assert finding.title.en == f"{SPARE} claims {PUMP}, the address of {DEVICE}"


@pytest.mark.parametrize(
    "rows",
    [
        [(0, claimed(PUMP, DEVICE)), (30, claimed(PUMP, SPARE))],
        [(0, claimed(PUMP, DEVICE)), (1, claimed(PUMP, VIRTUAL))],
        [(0, claimed(PUMP, VIRTUAL)), (1, claimed(PUMP, "00:00:0c:07:ac:0a"))],
        [(0, claimed(PUMP, DEVICE)), (1, claimed(PUMP, SPARE) | {"network.vlan.id": 7})],
        [(0, claimed(PUMP, DEVICE)), (1, claimed(PUMP, SPARE, "arp_request"))],
        [(0, claimed(PUMP, DEVICE)), (1, claimed(PUMP, SPARE) | {"observer.name": "another"})],
        [(0, claimed(PUMP, DEVICE)), (1, claimed(OWN, DEVICE))],
    ],
    ids=["replaced", "taken over by a pair", "two pairs", "another network", "only asked for", "seen elsewhere", "two addresses of one"],
)  # fmt: skip
def test_what_is_no_conflict(rows: list[tuple[int, dict[str, Any]]]) -> None:
    assert judged(*(at(NOON + minute, row) for minute, row in rows)) == []


def test_a_pair_can_be_impersonated() -> None:
    (finding,) = judged(at(NOON, claimed(PUMP, VIRTUAL)), at(NOON + 1, claimed(PUMP, SPARE)))
    assert finding.title.en == f"{SPARE} claims {PUMP}, the address of {VIRTUAL}"


def test_a_holder_that_still_sends_is_there() -> None:
    """It need not speak ARP: who was replaced sends no more."""

    def talks(side: str, mac: str) -> list[Finding]:
        polls = [at(NOON + 5 * number, {f"{side}.ip": PUMP, f"{side}.mac": mac}) for number in range(1, 12)]
        return judged(at(NOON, claimed(PUMP, DEVICE)), *polls, at(NOON + 56, claimed(PUMP, SPARE)))

    assert [len(talks(side, DEVICE)) for side in ("source", "destination")] == [1, 1]
    assert [len(talks(side, SPARE)) for side in ("source", "destination")] == [0, 0]


@pytest.mark.parametrize("size", [7, 1000])
def test_who_was_heard_between_which_claims_is_the_same_however_the_rows_come(size: int) -> None:
    """Claims of three addresses among packets from and to them and another one: what is found, and when each holder was heard last."""
    macs, addresses = (DEVICE, SPARE, OTHER), (PUMP, OWN, "10.10.1.23")
    rows = [
        claimed(addresses[n % 3], macs[n % 2]) if n % 5 == 0 else {f"{('source', 'destination')[n % 2]}.{what}": value
        for what, value in (("ip", (*addresses, "10.10.1.29")[n // 2 % 4]), ("mac", macs[n // 3 % 3]))}
        for n in range(200)
    ]  # fmt: skip
    table, whole, parts = activities(*(at(NOON + n * 1.5, row) for n, row in enumerate(rows))), detector(), detector()
    expected = [finding for row in range(table.num_rows) for finding in whole.judge(Batch(activities=table.slice(row, 1)))]
    assert len(expected) > 3
    assert [finding for first in range(0, table.num_rows, size) for finding in parts.judge(Batch(activities=table.slice(first, size)))] == expected
    assert parts.state() == whole.state()


def test_both_at_once_is_told_when_it_shows() -> None:
    claims = [at(NOON + minute, claimed(PUMP, mac)) for minute, mac in ((0, DEVICE), (1, SPARE), (2, DEVICE), (3, SPARE), (4, DEVICE))]
    first, second = judged(*claims)
    assert terms(second) == terms(first) | {"both are there at once": 15}
    assert "both are there at once" in second.reason.en


def test_it_is_told_again_once_it_was_over() -> None:
    claims = [at(NOON + minute, claimed(PUMP, mac)) for start in (0, 5, 120) for minute, mac in ((start, DEVICE), (start + 1, SPARE))]
    assert [finding.end for finding in judged(*claims)] == [finding.end for finding in judged(*claims[:4])] + [judged(*claims)[-1].end]
    assert len(judged(*claims)) == len(judged(*claims[:4])) + 1


def test_a_flood_of_claims_stays_bounded() -> None:
    """Many addresses, many MAC addresses of one address, many addresses of one MAC address."""
    many = [claimed(f"10.{n >> 8 & 255}.{n & 255}.9", DEVICE) for n in range(MOST + 50)]
    macs = [claimed(PUMP, f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}") for n in range(300)]
    flooded = detector()
    found = flooded.judge(Batch(activities=activities(*(at(NOON, row) for row in (*many, *macs)))))
    assert len(found) == MOST_TOLD
    state = json.loads(flooded.state())
    assert [len(state["known"]), len(state["own"]), flooded.forgotten] == [MOST, 301, 51]
    assert max(len(known["macs"]) for known in state["known"].values()) == MOST_MACS
    assert max(len(own) for own in state["own"].values()) == MOST_OWN


def forged(count: int, second: str = "") -> list[dict[str, Any]]:
    """So many addresses that two claim at once, the second one always `second` or another one each time; 20 claims a second."""
    pairs = [(f"11.0.{n >> 8}.{n & 255}", f"02:aa:00:00:{n >> 8:02x}:{n & 255:02x}", second or f"02:bb:00:00:{n >> 8:02x}:{n & 255:02x}") for n in range(count)]
    return [at(NOON + number / 1200, claimed(address, each)) for number, (address, *both) in enumerate(pairs) for each in both]


@pytest.mark.parametrize("second", ["", OTHER], ids=["forged", "one between all"])
def test_very_many_conflicts_are_a_handful_of_alerts_however_the_rows_come(second: str) -> None:
    rows = forged(400, second)
    whole = judged(*rows)
    table, state = activities(*rows), b""
    by_parts: list[Finding] = []
    for begin in range(0, len(rows), 97):
        part = detector()
        part.restore(state)
        by_parts += part.judge(Batch(activities=table.slice(begin, 97)))
        state = part.state()
    assert by_parts == whole
    assert len(whole) >= 400, "nothing of it is lost"
    alerts = fold(whole, ()).alerts
    assert len(alerts) == MANY + 1 == 17
    (many,) = (alert for alert in alerts if alert.key == "address-conflict|crowd")
    assert many.count == len([finding for finding in whole if finding.key == many.key]) >= 400 - MANY
    assert (many.title.en, many.title.zh) == ("Very many addresses are each claimed by two MAC addresses at once", "大量地址同时各被两个 MAC 地址声称占用")
    assert f"More than {MANY} addresses are contested" in many.reason.en
    assert len(many.assets) <= 1, "none of the forged; who claims them all"


def test_few_conflicts_at_a_time_never_fold() -> None:
    """Nor does one after a flood that is over."""

    def few(number: int) -> list[dict[str, Any]]:
        return [at(NOON + 9 * number, claimed(f"10.2.0.{number}", each)) for each in (DEVICE, SPARE)]

    assert not any("crowd" in finding.key for finding in judged(*(row for number in range(40) for row in few(number))))
    last = judged(*forged(40), *(row for number in (1, 40) for row in few(number)))[-2:]
    assert [finding.key.split("|")[1] for finding in last] == ["crowd", "10.2.0.40"]


def answer(address: str, of: str, at: int = 0, to: str = "10.1.2.1") -> Packet:
    """The host with the MAC address of `of` answers that it has `address`."""
    return Packet(ethernet(arp(2, address, to, mac(of)), of, to, 0x0806), START + at * SECOND)


def request(sender: str, of: str, at: int = 0) -> Packet:
    """The host with the MAC address of `of` asks for the HMI, as if it were `sender`."""
    return Packet(ethernet(arp(1, sender, HMI, mac(of)), of, "255.255.255.255", 0x0806), START + at * SECOND)


def heard(packets: list[Packet]) -> list[Finding]:
    """The findings of a capture with these packets."""
    judge, sensor = detector(), Sensor("observer")
    return [finding for batch in sensor.listen(Feed(sorted(packets, key=lambda packet: packet.time))) for finding in judge.judge(batch)]


@pytest.mark.parametrize("own", [[], [request(EVIL, EVIL, 10)]], ids=["alone", "beside its own"])
def test_a_request_with_a_false_sender_is_a_claim(own: list[Packet]) -> None:
    """Whoever hears it takes the attacker for the controller, as after a false reply."""
    honest = [request(PLC, PLC), *poll(), *poll(at=70)]
    (finding,) = heard([*honest, *own, *(request(PLC, EVIL, at) for at in (71, 72))])
    assert finding.title.en == f"{f'{EVIL} ({hexed(EVIL)})' if own else hexed(EVIL)} claims {PLC}, the address of {hexed(PLC)}"
    assert heard(honest) == []


def test_the_list_of_assets_and_an_asset_say_the_same_of_a_conflict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that moved is a change, wherever it is told; one that two claim is a conflict."""
    place = tmp_path / "store"
    packets = [answer(PLC, PLC), answer(HMI, HMI, 1), answer(HMI, EVIL, 2), answer(HMI, HMI, 8), answer(PLC, "10.1.2.77", 60), answer(PLC, "10.1.2.77", 70)]
    balefire("replay", save(packets, tmp_path / "arp.pcap"), "--store", place, "--json")
    for address, shown in ((PLC, [True, False]), (HMI, [False, True])):
        told = balefire("asset", address, "--store", place).stdout
        assert [words in told for words in ("What changed", "Conflicts")] == shown
    page = run("asset", place, monkeypatch, lang="en", asset=PLC)
    assert [words in page for words in ("What changed", "Conflicts")] == [True, False]
    assert balefire("assets", "--store", place).stdout.count("1 address conflict") == 2, "on both sides of the one that goes on"


def test_through_the_store_a_spoofed_controller_is_not_blamed(tmp_path: Path) -> None:
    """From a capture to what a person reads, in both languages; the packets are those of the claims."""
    claims = [answer(HMI, HMI), answer(PLC, PLC), answer(EVIL, EVIL, 2), answer(PLC, EVIL, 20, to=HMI), answer(HMI, EVIL, 20, to=PLC)]
    packets = sorted([*claims, *poll(at=1), *poll(at=25)], key=lambda packet: packet.time)
    place = tmp_path / "store"
    balefire("replay", save(packets, tmp_path / "spoofed.pcap"), "--store", place, "--json")
    assert f"⚠ {PLC} is claimed by {hexed(EVIL)}, too" in balefire("replay", tmp_path / "spoofed.pcap", "--store", place).stdout
    found = [row for row in lines("findings", "--store", place) if row["rule"] == "address-conflict"]
    assert {row["destination"]["ip"] for row in found} == {PLC, HMI}
    assert all(hexed(EVIL) in row["title"]["en"] for row in found)
    told = one("asset", PLC, "--store", place)
    assert told["addresses"] == [hexed(PLC), PLC]
    assert [each["kind"] for each in told["conflicts"]] == ["contested"]
    for language, words in (("en", f"{PLC} is claimed by {hexed(EVIL)}, too"), ("zh", f"{PLC} 亦被 {hexed(EVIL)} 声称占用")):
        assert words in balefire("asset", PLC, "--store", place, "--language", language).stdout
