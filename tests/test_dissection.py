"""Full dissection: tshark in a process of its own, bounded, and nothing of it stays behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from balefire import naming
from balefire.settings import Dissect
from sensors import dissection
from sensors.dissection import Limits, names, trees
from sensors.engine.mode import choose
from sensors.pcapng import Interface, Packet
from sensors.slicing import Party, Selection, Slice
from sensors.sources.pcap import find
from sensors.unknown import Unknown
from tests import wire
from tests.cli import CAPTURES, DEMO, Row, balefire, lines, one, stored
from tests.require import need
from tests.wire import START, Talk, ethernet, ipv4, mbap, registers, save, udp, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

choose(0)
ETHERNET = Interface("", 1, 65535)
BEGUN, MINUTE = 1_795_365_540 * 10**9, 60 * 10**9  # 2026-11-22 16:39
WANTED = Selection(BEGUN + 4 * MINUTE + 2 * 10**9, BEGUN + 4 * MINUTE + 10**10, None, (Party(frozenset({"10.20.1.66"})), Party(frozenset({"10.20.1.11"}))))
SNMP = bytes.fromhex("3026 020101 0406") + b"public" + bytes.fromhex("a019 020101 020100 020100 300e 300c 0608 2b06010201010100 0500")


@pytest.fixture
def tshark() -> None:
    need("tshark", shutil.which("tshark") is not None, "the dissector is not installed")


@pytest.fixture
def instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program in the place of tshark."""

    def put(script: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / "tshark").write_text("#!/bin/bash\n" + script)
        (tmp_path / "bin" / "tshark").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return put


def kept(packets: list[wire.Packet]) -> list[Packet]:
    return [Packet(each.time, len(each.data), each.data, ETHERNET) for each in packets]


def numbered(packets: list[wire.Packet]) -> list[tuple[int, Packet]]:
    return list(enumerate(kept(packets), 1))


def asked() -> Talk:
    return Talk().open().ask(mbap(1, wire.read(16, 2)), mbap(1, registers(7, 8)))


def nodes(fields: list[Row]) -> Iterator[Row]:
    for node in fields:
        yield node
        yield from nodes(node["fields"])


def left_behind() -> list[str]:
    """Processes that a dissection has started."""
    told: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        told += [line] if "balefire-tshark-" in line or "lingering-tshark" in line else []
    return told


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_every_field_has_its_octets() -> None:
    packets = kept(asked().packets)
    found = trees(numbered(asked().packets), Limits())
    assert found.problem is None
    assert found.version is not None
    assert len(found.packets) == len(packets)
    for packet, tree in zip(packets, found.packets, strict=True):
        located = [node for node in nodes(tree["fields"]) if node["position"] is not None]
        assert len(located) > 20
        for node in located:
            if node["raw"]:
                assert packet.octets[node["position"] : node["position"] + node["size"]].hex() == node["raw"]
    told = {node["name"]: node for node in nodes(found.packets[3]["fields"])}
    assert (told["modbus.reference_num"]["show"], told["modbus.reference_num"]["raw"]) == ("16", "0010")
    assert "Read Holding Registers" in told["modbus.func_code"]["label"]
    assert not left_behind()


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_one_packet_is_read_with_what_went_before() -> None:
    """Its octets lie in two segments: where a field stands is told only of octets that are in the packet."""
    talk = Talk().open()
    request = mbap(1, wire.read(16, 2))
    talk.put(0, request[:9])
    talk.put(0, request[9:])
    packets = numbered(talk.packets)
    (tree,) = trees(packets, Limits(), len(packets) - 1, 1).packets
    told = {node["name"]: node for node in nodes(tree["fields"])}
    assert told["modbus.reference_num"]["show"] == "16"
    assert told["modbus.reference_num"]["position"] is None
    assert told["tcp.srcport"]["position"] == 34


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_it_is_named_by_the_first_protocol_above_the_transport() -> None:
    spoken = [wire.Packet(ethernet(ipv4(udp(SNMP, 40000, 161), protocol=17)), START + number) for number in range(3)]
    silent = [wire.Packet(ethernet(ipv4(udp(b"\x01\x02", 40001, 40002), protocol=17)), START + number) for number in range(3)]
    body = b'{"a": 1}'
    web = Talk(port=80).open().ask(b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n" + body)
    told, found = names([kept(spoken), kept(silent), kept(asked().packets), kept(web.packets)], Limits())
    assert told == ["SNMP", None, "Modbus/TCP", "HTTP"]
    assert found.problem is None


def open_safety(data: bytes) -> bytes:
    """One openSAFETY frame: its two parts, each with its checksum (polynomial 0x2F)."""

    def sealed(part: bytes) -> bytes:
        rest = 0
        for octet in part:
            rest ^= octet
            for _ in range(8):
                rest = (rest << 1 ^ (0x2F if rest & 0x80 else 0)) & 0xFF
        return part + bytes([rest])

    return sealed(bytes([1, 0xC0, len(data), 7]) + data) + sealed(bytes([1, 0xC0, 0, 1, 7]) + data)


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_safety_messages_are_told_from_the_fieldbus_that_carries_them() -> None:
    def powerlink(payload: bytes, number: int) -> wire.Packet:
        answer = bytes([4, 255, 1, 0xFD, 0, 0, 0, 0]) + len(payload).to_bytes(2, "little") + payload
        return wire.Packet(bytes.fromhex("01111e000002020000000001" + "88ab") + answer.ljust(46, b"\0"), START + number)

    bus = [powerlink(bytes(8), number) for number in range(9)]
    safe = [*bus, powerlink(open_safety(b"\x11\x22\x33\x44") + bytes(4), 9)]
    assert names([kept(bus), kept(safe)], Limits())[0] == ["EPL", "openSAFETY"]


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ("eth:ethertype:ip:tcp:http:json", "http"),
        ("null:ip:tcp", None),
        ("null:ip:tcp:opcua", "opcua"),
        ("eth:ethertype:ip:udp:bvlc:bacnet:bacapp", "bacnet"),
        ("eth:ethertype:ip:tcp:tpkt:cotp:ses:pres:mms", "mms"),
        ("eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp:s7comm", "s7comm"),
        ("ppp:ip:udp:data", None),
        ("eth:ethertype:epl:opensafety:data", "opensafety"),
        ("eth:ethertype:epl:data", "epl"),
        ("eth:ethertype:ip:icmp:ip:udp", None),
        ("eth:ethertype:ip:tcp:_ws.malformed", None),
    ],
)
def test_what_carries_others_names_nothing(layers: str, name: str | None) -> None:
    assert dissection.protocol_above(layers.split(":")) == name


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_it_is_bounded_in_time_and_memory() -> None:
    packets = numbered(asked().packets)
    assert trees(packets, Limits(seconds=0)).problem == "slow"
    assert trees(packets, Limits(mebibytes=150)).problem == "failed"
    assert not left_behind()


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_it_is_bounded_in_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dissection.MOST_PACKETS == 1000
    monkeypatch.setattr(dissection, "MOST_PACKETS", 4)
    packets = numbered(asked().packets)
    found = trees(packets, Limits())
    assert (len(found.packets), found.problem, len(packets) > 4) == (4, None, True)


def test_what_does_not_end_is_ended_with_all_that_it_started(instead: Callable[[str], None]) -> None:
    instead('(exec -a lingering-tshark /bin/sleep 60) & trap "" TERM; exec -a lingering-tshark /bin/sleep 60\n')
    began = time.monotonic()
    found = trees(numbered(asked().packets), Limits(seconds=2))
    assert (found.problem, found.packets) == ("slow", [])
    assert time.monotonic() - began < 20
    while left_behind() and time.monotonic() - began < 30:
        time.sleep(0.05)  # what was killed is there until the system has seen to it
    assert not left_behind()


HEAD = '<pdml version="0" creator="wireshark/9.9.9">'


@pytest.mark.parametrize(
    ("printed", "problem"),
    [
        ("exit 1", "failed"),
        ("echo nonsense", "failed"),
        (f"echo '{HEAD}'; echo '<packet><proto name=\"x\"></pack'", "failed"),
        (f"echo '{HEAD}</pdml>'", "cut"),
        (f"echo '{HEAD}<packet>'; printf '<proto name=\"p\" size=\"1\">%.0s' {{1..3000}}; echo '</packet></pdml>'", "cut"),
        (f'echo \'{HEAD}<packet><proto name="p">\'; printf \'<field name="f" size="1" pos="0"/>%.0s\' {{1..30000}}; echo \'</proto></packet></pdml>\'', "cut"),
        (f'echo \'{HEAD}<packet><proto name="p"><field show="\'; while :; do echo 0123456789abcdef0123456789abcdef; done', "slow|failed"),
    ],
)
def test_whatever_it_prints_is_borne(printed: str, problem: str, instead: Callable[[str], None]) -> None:
    instead(printed + "\n")
    found = trees(numbered(asked().packets[:1]), Limits(seconds=6, mebibytes=1024))
    assert found.problem in problem.split("|")
    assert not left_behind()


def test_its_fields_are_asked_for_once_while_it_stays_the_same(instead: Callable[[str], None], tmp_path: Path) -> None:
    fields = """if [ "$1" = -G ]; then echo asked >> "${0%/*}/asked"; printf 'F\\tx\\tx.frame\\tFT_FRAMENUM\\tx\\n'; exit; fi\n"""
    tree = f"""/bin/echo '{HEAD}<packet><proto name="p"><field name="x.frame" show="1"/></proto></packet></pdml>'\n"""
    asked_for: list[int] = []
    for script in (fields + tree, f"# another one\n{fields}{tree}"):
        instead(script)
        dissection.prepare(Limits())
        told = [trees([(700, kept(asked().packets)[0])], Limits()) for _ in range(2)] if script == fields + tree else []
        assert [each.packets[0]["fields"][0]["fields"][0]["show"] for each in told] == ["700"] * len(told)
        asked_for.append((tmp_path / "bin" / "asked").read_text().count("asked"))
    assert asked_for == [1, 2]


def test_it_sees_nothing_of_the_user(instead: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "password")
    monkeypatch.setenv("WIRESHARK_PLUGIN_DIR", "/hostile")
    told = "$HOME $WIRESHARK_CONFIG_DIR $SECRET $WIRESHARK_PLUGIN_DIR $PWD $*"
    instead(f"""/bin/echo '{HEAD}<packet><proto name="p"><field name="env" show="'"{told}"'"/></proto></packet></pdml>'\n""")
    (tree,) = trees(numbered(asked().packets[:1]), Limits()).packets
    home, config, here, *words = tree["fields"][0]["fields"][0]["show"].split()
    assert home == config == here
    assert "balefire-tshark-" in home
    assert "-n" in words
    assert not {"-X", "-i"} & set(words)


def test_without_tshark_there_are_our_own_operations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alert = max(lines("alerts", "--store", stored()[0]), key=lambda row: row["severity"])["id"]
    monkeypatch.setattr(dissection, "available", lambda: None)
    told = one("packet", alert, "--store", stored()[0])
    assert (told["problem"], told["fields"], told["tshark"]) == ("missing", None, None)
    assert told["operations"]
    assert {told["packet"]} <= {number for row in told["operations"] for number in (row["packet"], row["response_packet"])}
    named = one("explain", alert, "--store", stored()[0])["evidence"]["packets"]
    assert told["packet"] in {packet["packet"] for packet in named}
    for language, word in (("en", "Install it"), ("zh", "未安装 tshark")):
        result = balefire("packet", alert, "--store", stored()[0], "--language", language)
        assert result.exit_code == 0
        assert word in result.stderr
        assert f"{told['octets'][:2]} {told['octets'][2:4]}" in result.stdout
    quiet = balefire("packet", save(Talk().open().packets, tmp_path / "x.pcap"))
    assert "no operation" in quiet.stdout


def test_without_tshark_operations_bear_the_names_of_the_plant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(dissection, "available", lambda: None)
    place, asking = tmp_path / "store", Talk().open().ask(mbap(1, write(7, 1)), mbap(1, write(7, 1)))
    capture, tags = save(asking.packets, tmp_path / "x.pcap"), tmp_path / "tags.csv"
    tags.write_text(f"name,device,address\nPump 3 speed,{asking.server},HR 7\n", "utf-8")
    balefire("import", "tags", tags, "--store", place, "--yes")
    assert "Pump 3 speed · holding_register 7 = 1" in balefire("packet", capture, "--store", place, "--asset", asking.server).stdout
    assert [row["tags"] for row in lines("packet", capture, "--store", place, "--asset", asking.server)[3]["operations"]] == [["Pump 3 speed"]]


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_a_packet_of_a_capture() -> None:
    told = one("packet", CAPTURES / "s7comm.pcap", "--number", 14)
    assert (told["file"], told["packet"], told["operations"], told["problem"]) == ("s7comm.pcap", 14, None, None)
    assert {"s7comm"} <= {node["name"] for node in told["fields"]}
    shown = balefire("packet", CAPTURES / "s7comm.pcap", "--number", 14).stdout
    assert "Write Var" in shown
    assert "0000  " in shown


def shown_numbers(fields: list[Row], name: str) -> list[str]:
    return [node["show"] for node in nodes(fields) if node["name"] == name]


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_packets_are_told_by_their_numbers_in_the_capture() -> None:
    """The packet itself, those that it goes on from, and those that it was put together from; what is of the slice alone is left out."""
    words = ["tshark", "-r", str(DEMO), "-Y", "modbus && tcp.analysis.acks_frame && frame.number > 900", "-T", "fields"]
    listed = subprocess.run([*words, "-e", "frame.number", "-e", "tcp.analysis.acks_frame"], capture_output=True, text=True, check=True).stdout
    number, acknowledged = listed.splitlines()[0].split()
    fields = one("packet", DEMO, "--number", number)["fields"]
    assert shown_numbers(fields, "frame.number") == [number]
    assert fields[0]["label"].startswith(f"Frame {number}: ")
    (told,) = [node for node in nodes(fields) if node["name"] == "tcp.analysis.acks_frame"]
    assert (told["show"], told["label"]) == (acknowledged, f"This is an ACK to the segment in frame: {acknowledged}")
    assert not {"frame.time_relative", "frame.interface_id", "tcp.stream"} & {node["name"] for node in nodes(fields)}
    talk = Talk().open()
    for part in (mbap(1, wire.read(16, 2))[:9], mbap(1, wire.read(16, 2))[9:]):
        talk.put(0, part)
    near = [(100 + 7 * place, packet) for place, packet in enumerate(kept(talk.packets))]
    tree = list(nodes(trees(near, Limits(), len(near) - 1, 1).packets[0]["fields"]))
    assert [node["show"] for node in tree if node["name"] == "tcp.segment"] == [str(number) for number, _ in near[-2:]]
    assert next(node["label"] for node in tree if node["name"] == "tcp.segments").endswith(f"#{near[-2][0]}(9), #{near[-1][0]}(3)")


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_each_packet_of_a_slice(tmp_path: Path) -> None:
    """The same packets as `evidence` writes, each as it is read alone: what went before is read along. Bounded, and said so."""
    asked = ("--between", "10.20.1.66", "10.20.1.11", "--since", "2026-11-22T16:43:02Z", "--until", "2026-11-22T16:43:10Z")
    told = lines("packet", DEMO, *asked, "--limit", 12)
    assert one("evidence", "-o", tmp_path / "x.pcapng", "--from", DEMO, *asked)["packets"] > 12
    whole = [(number, packet.octets.hex()) for number, packet in Slice(find([str(DEMO)])[0], WANTED).packets()]
    assert [(row["packet"], row["octets"]) for row in told] == whole[:12]
    assert [shown_numbers(row["fields"], "frame.number") for row in told] == [[str(row["packet"])] for row in told]
    row = next(row for row in told if any(node["name"] == "modbus" for node in nodes(row["fields"])))
    assert row["fields"][-1] == one("packet", DEMO, "--number", row["packet"])["fields"][-1]
    result = balefire("packet", DEMO, *asked, "--limit", 2)
    assert [line for line in result.stdout.splitlines() if line.startswith("demo.pcap, packet")] != []
    assert "the first 2" in result.stderr
    assert "前 2 个" in balefire("packet", DEMO, *asked, "--limit", 2, "--language", "zh").stderr


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_slices_of_what_is_kept() -> None:
    alert = max(lines("alerts", "--store", stored()[0]), key=lambda row: row["severity"])["id"]
    named = {packet["packet"] for packet in one("explain", alert, "--store", stored()[0])["evidence"]["packets"]}
    told = lines("packet", alert, "--limit", 800, "--store", stored()[0])
    assert named <= {row["packet"] for row in told if row["findings"]}
    assert all(row["fields"] for row in told)
    some = lines("packet", "--port", 502, "--limit", 3, "--store", stored()[0])
    assert len(some) == 3
    assert all("502" in shown_numbers(row["fields"], "tcp.port") for row in some)
    assert lines("packet", "--until", "2020-01-01", "--store", stored()[0], status=1) == []


def test_a_slice_without_tshark_is_our_own_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dissection, "available", lambda: None)
    told = lines("packet", DEMO, "--asset", "10.20.1.66", "--limit", 60)
    assert {row["problem"] for row in told} == {"missing"}
    assert sum(len(row["operations"]) for row in told) > 20
    assert all(row["packet"] in (each["packet"], each["response_packet"]) for row in told for each in row["operations"])


@pytest.mark.parametrize("words", [(), ("x", "--number", 3, "--limit", 4), (DEMO, "--between", "10.0.0.1", "nobody"), (DEMO, "--limit", 801)])
def test_what_no_slice_is(words: tuple[str, ...]) -> None:
    assert balefire("packet", *words, "--store", stored()[0]).exit_code == 2


@pytest.mark.parametrize("path", ["missing/file.pcap", "file.pcapng", "missing/file"])
def test_a_path_that_is_no_file_is_not_taken_for_an_id(path: str) -> None:
    told = balefire("packet", path, "--language", "en")
    assert told.exit_code == 2
    assert f"{path}: there is no such file" in told.stderr


def test_a_packet_that_is_not_there() -> None:
    for words, status in (
        (("packet", DEMO, "--number", 99999), 2),
        (("packet", "ffffffffff"), 1),
        (("packet", "f" * 9999), 2),
        (("packet", ""), 2),
        (("packet", Path(__file__)), 3),
    ):
        assert balefire(*words, "--store", stored()[0]).exit_code == status
    alert = lines("alerts", "--store", stored()[0])[0]["id"]
    assert balefire("packet", alert, "--number", 99999, "--store", stored()[0]).exit_code == 2


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_hostile_fields_are_harmless(tmp_path: Path) -> None:
    nasty = "\x1b[31m<script>\u202e\u2066=cmd|' /C calc'!A0".encode() + b"\0\xff" + b"A" * 1200
    header = b"GET /" + nasty + b" HTTP/1.1\r\nHost: " + nasty[:100] + b"\r\n\r\n"
    talk = Talk(port=80).open()
    talk.put(0, header)
    file = save(talk.packets, tmp_path / "x.pcap")
    result = balefire("packet", file, "--number", 4)
    assert result.exit_code == 0
    assert "HTTP" in result.stdout
    assert not {"\x1b", "\u202e", "\u2066", "\0"} & set(result.stdout)
    printed = balefire("packet", file, "--number", 4, "--json").stdout
    assert not {"\x1b", "\u202e", "\u2066", "\0"} & set(printed)
    assert json.loads(printed)["octets"] == talk.packets[3].data.hex()


def unknown_capture(tmp_path: Path) -> Path:
    packets = [wire.Packet(ethernet(ipv4(udp(SNMP, 40000, 161), protocol=17)), START + number * 10**9) for number in range(90)]
    packets += [wire.Packet(ethernet(ipv4(udp(b"\x01\x02\x03", 41000, 41001), protocol=17)), START + number * 10**9) for number in range(90)]
    packets += asked().packets
    return save(sorted(packets, key=lambda packet: packet.time), tmp_path / "u.pcap")


@pytest.mark.tshark
@pytest.mark.usefixtures("tshark")
def test_the_long_tail_gets_names(tmp_path: Path) -> None:
    place = tmp_path / "s"
    result = balefire("replay", unknown_capture(tmp_path), "--store", place)
    assert "tshark says: SNMP" in result.stdout
    told = {row["name"]: row["tshark"] for row in one("replay", tmp_path / "u.pcap", "--store", place)["unknown"]["worst"]}
    assert told == {"udp/161": "SNMP", "udp/41001": None} or told == {"udp/161": "SNMP", "udp/41000": None}
    rows = lines("coverage", "--store", place)
    assert len(rows) > 1
    assert all({each["name"]: each["tshark"] for each in row["undecoded"]}["udp/161"] == "SNMP" for row in rows)


def test_a_commit_does_not_wait_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def slow(spoken: Sequence[Sequence[Packet]], _: Limits) -> tuple[list[str | None], dissection.Dissected]:
        assert answer.wait(30)
        return [f"name {len(spoken)}"] * len(spoken), dissection.Dissected(None, None, [])

    class Ring:
        def find(self, numbers: list[int]) -> list[tuple[int, Packet]]:
            return [(number, asked_packet) for number in numbers]

    (asked_packet, *_) = kept(asked().packets)
    monkeypatch.setattr(naming, "names", slow)
    monkeypatch.setattr(naming, "available", lambda: "tshark")
    known = naming.Names(Dissect(seconds=60))
    ring, first, second = cast("Any", Ring()), {"udp/9001": Unknown(9, samples=[1])}, {"udp/9002": Unknown(9, samples=[2])}
    known.ask(first, ring, last=False)
    known.hear(last=False)
    known.ask(first | second, ring, last=False)
    assert known.known == {}, "tshark still looks"
    answer.set()
    known.ask(first | second, ring, last=True)
    known.hear(last=True)
    known.close()
    assert known.known == {"udp/9001": "name 1", "udp/9002": "name 1"}


def test_names_are_not_asked_for_where_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def noted(*words: object) -> None:
        calls.append(words)

    monkeypatch.setattr(dissection, "_run", noted)
    monkeypatch.setenv("BALEFIRE_DISSECTION__SECONDS", "0")
    summary = one("replay", unknown_capture(tmp_path), "--store", tmp_path / "s")
    assert {row["tshark"] for row in summary["unknown"]["worst"]} == {None}
    assert calls == []


def test_labels_do_not_conflict_with_rows_that_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = unknown_capture(tmp_path)
    monkeypatch.setenv("BALEFIRE_DISSECTION__SECONDS", "0")
    one("replay", file, "--store", tmp_path / "s")
    monkeypatch.delenv("BALEFIRE_DISSECTION__SECONDS")
    one("replay", file, "--store", tmp_path / "s")  # status 3 where one identity came with two contents
