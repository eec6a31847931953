"""The inventory under pressure: spoofed addresses, hostile names, facts that change; and against what captures are known to hold."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import sensors.inventory
import sensors.release
from records.facts import changes
from sensors.blindness import reason_words, spot_words
from sensors.blindspots import Account
from sensors.engine.octets import INTERPRETED
from sensors.inventory import MOST_HEARD, MOST_LINKS
from sensors.sensor import MOST_HOSTS, Sensor
from sensors.sources.pcap import find, open_capture
from tests.cli import balefire, lines, one
from tests.require import need
from tests.test_lldp import lldp, tlv
from tests.test_resolving import ANSWER, IDENTITY, PLC, REQUEST, identity
from tests.wire import SECOND, START, Feed, Packet, Talk, ethernet, mbap, save, watch, write

SHARED = Path(__file__).parents[2] / "shared" / "captures"
SPOOFED = 20_000 if INTERPRETED else 100_000
LONGEST = 500  # octets that one piece of LLDP can hold


def spoofed(count: int) -> list[Packet]:
    """So many ARP messages, each of another host that there is not."""
    dice = random.Random(1)
    made: list[Packet] = []
    for number in range(count):
        mac, address = b"\x00\x1b" + dice.randbytes(4), bytes([10, *dice.randbytes(3)])
        body = bytes.fromhex("0001080006040001") + mac + address + bytes(6) + bytes([10, 1, 2, 3])
        made.append(Packet(b"\xff" * 6 + mac + b"\x08\x06" + body + bytes(18), START + number * SECOND // 1000))
    return made


def test_spoofed_addresses_stay_bounded_and_are_said() -> None:
    polled = [
        Talk(server=PLC, client_port=40000 + n, time=START + n * SECOND).open().ask(REQUEST, ANSWER).ask(IDENTITY, identity("1.0")).packets for n in (1, 70)
    ]
    packets = sorted([*spoofed(SPOOFED), *polled[0], *polled[1]], key=lambda packet: packet.time)
    sensor = Sensor("observer")
    account = Account()
    for batch in sensor.listen(Feed(packets, each=1 << 13)):
        account.add(batch.coverage)
    shed = account.counts["shed"]
    found = {asset.name: asset for asset in sensor.assets()}
    assert (found[PLC].vendor, found[PLC].firmware) == ("Acme", "1.0")
    assert len(found) <= MOST_HEARD + 2
    assert int(sensor.clock[0].hosts) <= MOST_HOSTS
    assert shed >= SPOOFED - MOST_HEARD - MOST_LINKS, "what found no room is counted"
    assert sensor.totals.shed == shed
    assert sensor.totals.grade == account.grade == pytest.approx(100 - sum(reason["points"] for reason in account.reasons))
    (reason,) = (each for each in account.reasons if each["reason"] == "shed")
    assert reason["points"] >= 10, "nobody takes the rest for all there was"
    (spot,) = (each for each in account.spots() if each.key == "shed")
    for language, words in (("en", "let go"), ("zh", "丢弃")):
        assert words in reason_words(reason, language)
        assert words in spot_words(spot, language)[0]


def test_an_update_is_told_with_its_time() -> None:
    packets = [
        packet for number, version in enumerate(("2.1", "2.1", "2.3", "2.3"))
        for packet in Talk(server=PLC, client_port=40000 + number, time=START + number * 3600 * SECOND).open().ask(IDENTITY, identity(version)).packets
    ]  # fmt: skip
    (plc,) = (asset for asset in watch(packets).assets if PLC in asset.addresses)
    assert (plc.vendor, plc.model, plc.firmware) == ("Acme", "P-1", "2.3")
    (change,) = changes(plc.facts)
    assert (change.name, change.before, change.after) == ("firmware", "2.1", "2.3")
    assert change.time == pytest.approx(START + 2 * 3600 * SECOND, abs=SECOND)


HOSTILE = {
    "html": "<img src=x onerror=alert(1)>", "escapes": "\x1b]0;owned\x07\x1b[2J", "formula": "=cmd|'/c calc'!A1", "direction": "\u202egnp.exe\u2066",
    "format": "{0.__class__} %s", "long": "x" * LONGEST, "lines": "a\r\nb\x85\u2028c", "broken": "\udcff",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_do_no_harm(kind: str, tmp_path: Path) -> None:
    """Through the store to a terminal and to JSON: nothing that steers a terminal, nothing that is markup, nothing that is lost without a word."""
    octets = HOSTILE[kind].encode("utf-8", "surrogateescape")
    packet = Packet(ethernet(lldp(tlv(5, octets[:LONGEST]), tlv(6, octets[:LONGEST])), PLC, "10.0.0.9", 0x88CC))
    place = tmp_path / "store"
    balefire("replay", save([packet], tmp_path / "named.pcap"), "--store", place, "--json")
    (row,) = lines("assets", "--store", place)
    (whole,) = [one("asset", row["id"], "--store", place)]
    told = {fact["name"]: fact["value"] for fact in whole["facts"]}
    name = octets[:LONGEST].decode("utf-8", "replace").strip("\0 \t\r\n")
    assert row["name"] == told["name"] == (name if len(name) <= 128 else name[:127] + "…")
    for language in ("en", "zh"):
        for words in (("assets",), ("asset", row["id"])):
            shown = balefire(*words, "--store", place, "--language", language).stdout
            assert not set(shown) & set("\x1b\x07\r\x85\u2028\u202e\u2066"), "a name steers the terminal"
    raw = balefire("assets", "--store", place, "--json").stdout
    assert not set(raw) & set("\x1b\x07\x85\u2028\u202e\u2066")
    assert json.loads(raw)["name"] == row["name"]


# What is known of captures from elsewhere: their READMEs, Zeek's and tshark's dissection of the same packets.
ROCKWELL = "Rockwell Automation/Allen-Bradley"
ENBT = {"vendor": ROCKWELL, "model": "1756-ENBT/A", "serial": "00524D8E", "role": "controller"}
KNOWN = (
    ("conformance/ITI+ICS-Security-Tools/pcaps/openics/EIP-SoftwareUpload.pcap", {
        "192.168.10.120": {"vendor": ROCKWELL, "model": "1756-L61/B LOGIX5561", "serial": "0051823F", "role": "controller"},
        "00:00:bc:3e:eb:e4": {"model": "1756-L61/B LOGIX5561"},
    }),
    ("conformance/ITI+ICS-Security-Tools/pcaps/EthernetIP/enip_test.pcap", {"10.1.1.164": ENBT | {"firmware": "4.3"}}),
    ("conformance/OISF+suricata-verify/tests/enip-alert/enip_test1.pcap", {"172.25.23.2": ENBT}),
    ("conformance/cisagov+icsnpp-modbus/testing/traces/modbus_example.pcap", {
        "127.0.0.1": {"vendor": "Zeek Modbus Test", "model": "Protocol Parsing is fun!", "firmware": "1.2.3.6"},
        "3.15.227.20": {"vendor": None},  # behind a router, whose maker is not its
    }),
    ("conformance/cisagov+icsnpp-s7comm/tests/traces/snap7.pcap", {"134.217.61.211": {"model": "6ES7 315-2EH14-0AB0", "serial": "S C-B1U393142011"}}),
    ("conformance/digitalbond+Quickdraw-Snort/s7_test.pcap", {"192.168.10.90": {"model": "6ES7 312-5AC02-0AB0", "firmware": "V1.2.0"}}),
    ("conformance/arkime+arkime/tests/pcap/wireshark-lldp.pcap", {
        "15.255.122.148": {"name": "ProCurve Switch 2600-8-PWR", "role": "switch"}, "00:01:30:f9:ad:a0": {"name": "Summit300-48", "role": "switch"},
    }),
    ("attacks/s7-qut/20161215190548.WaterTankOnManu_Flooding.hmi.pcap", {"10.10.10.10": {"vendor": "Siemens AG", "role": "controller"}}),
)  # fmt: skip


@pytest.mark.captures
@pytest.mark.parametrize(("capture", "wanted"), KNOWN, ids=[capture for capture, _ in KNOWN])
def test_identities_are_those_that_captures_are_known_to_hold(capture: str, wanted: dict[str, dict[str, str | None]]) -> None:
    need("captures", (SHARED / capture).is_file(), f"no {SHARED / capture}")
    (given,) = find([str(SHARED / capture)])
    sensor, source = Sensor("known"), open_capture(given)
    for _ in sensor.listen(source):
        pass
    source.close()
    found = {address: asset for asset in sensor.assets() for address in asset.addresses}
    for address, facts in wanted.items():
        assert {name: getattr(found[address], name) for name in facts} == facts


def test_the_documentation_tells_how_much_that_is() -> None:
    """As many facts, of as many assets and captures, as are compared; each of them has to agree."""
    facts = [fact for _, wanted in KNOWN for about in wanted.values() for fact in about]
    page = (Path(__file__).parent.parent / "docs" / "assets.md").read_text("utf-8")
    assert f"all {len(facts)} facts of {sum(len(wanted) for _, wanted in KNOWN)} assets in {len(KNOWN)} captures" in page


def test_a_flood_of_forged_writers_sheds_those_who_acted_once_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookers first, actors last; of actors those that were seen but once before those that go on. Of each, what it did is told all the same."""
    monkeypatch.setattr(sensors.inventory, "MOST_HOSTS", 64)
    monkeypatch.setattr(sensors.release, "RELEASE_ROWS", 32)
    forged = [forger(number) for number in range(600)]
    lookers = [Talk(f"10.9.0.{n}", PLC, client_port=40000 + n, time=START + n * SECOND).open().ask(REQUEST, ANSWER).packets for n in range(1, 20)]
    operator = Talk("10.8.0.1", PLC, time=START).open()
    for number in range(30):
        operator.time = START + number * 20 * SECOND
        operator.ask(mbap(number, write(7, number)), mbap(number, write(7, number)))
    packets = sorted([*operator.packets, *(packet for each in (*forged, *lookers) for packet in each)], key=lambda packet: packet.time)
    seen = watch(packets)
    names = {asset.name for asset in seen.assets}
    assert len(names) <= 64
    assert {PLC, "10.8.0.1"} <= names
    assert not {f"10.9.0.{n}" for n in range(1, 20)} & names, "who only looked is gone"
    assert seen.totals.shed == 600 + 19 + 2 - len(names) == sum(row["shed"] for row in seen.coverage)
    assert sum(line["action"] == "write_single_register" for line in seen.lines) == 600 + 30


def forger(number: int) -> list[Packet]:
    """Writes once, each from another address."""
    talk = Talk(f"10.7.{number >> 8}.{number & 255}", PLC, client_port=41000 + number, time=START + number * SECOND)
    return talk.ask(mbap(1, write(number, 1)), mbap(1, write(number, 1))).packets
