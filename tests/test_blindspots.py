"""Blind spots: worst first, with what to do, the same on the command line, in a replay's summary and on the page; in both languages."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.covered import look
from detectors.methods.coverage import LEAST_PAYLOAD
from records.formats import size
from records.measures import difference
from records.model import Batch
from records.query import Span
from records.store import open_store
from records.store.contract import Commit
from records.wording import LANGUAGES, catalogue
from sensors.blindness import reason_words, spot_words
from sensors.blindspots import ONE_WAY, Account
from sensors.broken import MARKED
from sensors.sums import uncut
from tests.cli import CAPTURES, balefire, lines, one
from tests.frames import BEGUN, coverage, understood
from tests.mirroring import copied, load, lose, ntp, only_to, shifted
from tests.test_ledger import HOUR, TLS_DATA, followed, payload, polls, spoken
from tests.wire import MS, SECOND, START, mbap, pcap, pcapng, registers, save

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sensors.blindspots import Spot

MINUTE = 60 * SECOND


def account(*rows: Mapping[str, Any], minutes: int = 0) -> Account:
    made = Account()
    made.add(coverage(*rows, minutes=minutes))
    return made


def spots(*rows: Mapping[str, Any]) -> list[Spot]:
    return [spot for spot in account(*rows).spots() if spot.key != "unread"]


def told(*rows: Mapping[str, Any], language: str = "en") -> list[str]:
    return [spot_words(spot, language)[0] for spot in spots(*rows)]


def test_the_worst_come_first() -> None:
    rows = [
        {"requests_only": 14, "lost": 500, "gaps": 2, "dropped": 9, "truncated": 3, "mirrored": 90, "shed": 1, "jumps": 1, "late": 1},
        {"clocks": json.dumps([{"name": "ntp/10.0.0.9", "ahead": 10800.0, "samples": 4, "spread": 0.0}])},
        {"vlans": json.dumps([{"requests": 10, "answers": None, "conversations": 3}])},
        {"encrypted": json.dumps([{"name": "tls", "port": "tcp/443", "bytes": 1200, "conversations": 2}])},
    ]
    found = spots(*rows)
    assert [spot.weight for spot in found] == sorted((spot.weight for spot in found), reverse=True)
    assert [spot.key for spot in found][:4] == ["clock_ahead", "requests_only", "shed", "dropped"]
    assert told(*rows)[:2] == [
        "the clock is 3 h 00 min 00 s ahead of ntp/10.0.0.9",
        "only the direction towards the server was seen in 14 of 16 conversations (from 2 Mar 2026 11:00 to 2 Mar 2026 11:01 UTC)",
    ]
    assert told(*rows, language="zh")[:2] == [
        "抓包时钟比 ntp/10.0.0.9 快 3 小时 00 分 00 秒",
        "16 个会话中有 14 个只看到发往服务端的方向（2026-03-02 11:00 至 2026-03-02 11:01 UTC）",
    ]
    assert "3 conversations: requests in VLAN 10, answers in none" in told(*rows)
    assert "TLS on tcp/443: 1.2 kB in 2 conversations" in told(*rows)
    assert "1 packet (0.03 %) came too late for its window" in told(*rows)


def test_every_blind_spot_has_its_words() -> None:
    """Those of the catalogue are those that can be found."""
    cyclic = '[{"name": "tcp/5007", "bytes": 400, "guess": "cyclic", "period": 0.1}, {"name": "udp/9", "bytes": 40, "guess": null}]'
    names = "lost gaps late truncated jumps shed dropped mirrored rejected unfinished bad_fragments repeated namesakes"
    count = dict.fromkeys(names.split(), 2)
    clocks = json.dumps([{"name": name, "ahead": ahead, "samples": 1, "spread": 0.0} for name, ahead in (("a", 2.0), ("b", -2.0))])
    everything = {
        **count, "requests_only": 1, "answers_only": 1, "one_sided": 1, "undecoded": cyclic, "clocks": clocks,
        "encrypted": '[{"name": "ssh", "port": "tcp/22", "bytes": 9, "conversations": 1}]', "vlans": '[{"requests": 1, "answers": 2, "conversations": 1}]',
        "datagrams": '[{"protocol": "enip", "conversations": 4, "requests_only": 2, "answers_only": 1}]',
    }  # fmt: skip
    stepped = {"@timestamp": BEGUN + 40 * MINUTE, "clock_steps": 1, "clock_back": 60.0, "absent": 90.0, "dark": 60.0}
    late = [*({"@timestamp": BEGUN + number * MINUTE} for number in range(9, 20)), stepped]
    found = account(everything, *late).spots() + account({"one_sided": 1}).spots() + account({"refused": 2}).spots()
    broken = {"file": "a.pcap", "left": 40, "packet": 7, "offset": 900, "skipped": 3, "name": "LTALK", "reason": "broken disk"}
    found += account(*({"broken": json.dumps(broken | {"error": error})} for error in MARKED.values())).spots()
    known = {key.split(".")[2] for key in catalogue() if key.startswith("coverage.spot.")}
    assert {spot.key for spot in found} == known
    for spot in found:
        for language in LANGUAGES:
            what, todo = spot_words(spot, language)
            assert what
            assert todo
            assert "{" not in what + todo
            assert "None" not in what + todo


def test_rows_that_the_store_refused_are_told_with_where_they_are(tmp_path: Path) -> None:
    """In words and for machines; the row that tells of them is no window: no place is called blind for it, and no window without packets is made of it."""
    refused = {"refused": 3, "observer.name": "S8", **dict.fromkeys(("interface", "file", "packets", "decoded_bytes", "undecoded_bytes", "grade", "talks"))}
    (spot,) = spots({}, refused)
    assert (spot.key, spot.place, spot.values) == ("refused", "S8", {"count": 3})
    assert spots({}, {**refused, "observer.name": "S7"})[0].place == ""
    assert [spot.key for spot in account(refused).spots()] == ["refused"]
    store = open_store(str(tmp_path / "store"), write=True)
    store.write(Commit(Batch(coverage=coverage({}, refused, {**refused, "refused": 1}))))
    span = Span(BEGUN, BEGUN + 3 * MINUTE)
    assert [place.name for place in look(store, span, span, 3).places] == ["S7 · e1"]
    store.close()
    for language, words in (("en", ("4 rows were refused", "dead-letters.jsonl", "store doctor")), ("zh", ("拒收 4 行", "dead-letters.jsonl", "请上报"))):
        said = "".join(balefire("coverage", "--store", str(tmp_path / "store"), "--language", language).stdout.split("\n"))
        for word in words:
            assert word.replace(" ", "") in "".join(said.split())


def test_a_capture_that_is_cut_off_or_corrupt_is_known_to_the_store(tmp_path: Path) -> None:
    """Which file, why, and how much of it was left; in the replay once, with the error."""
    packets = polls()
    whole = pcap(packets)
    place = len(whole) - 16 - len(packets[-1].data)  # of the last record
    garbled = whole[:place] + b"\xff" * 400
    torn = pcapng(packets)[:-9] + pcapng(packets)
    made = {"cut.pcap": whole[:-7], "garbled.pcap": garbled, "packed.pcap.gz": gzip.compress(whole[:-7]), "sound.pcap": whole, "torn.pcapng": torn}
    for name, content in made.items():
        (tmp_path / name).write_bytes(content)
    replayed = balefire("replay", *(tmp_path / name for name in made), "--store", tmp_path / "store")
    assert replayed.exit_code == 3
    assert "from there on were not read" not in replayed.stdout
    left = size(len(packets[-1].data) + 16 - 7, "en")
    for language, words in (
        ("en", (f"cut.pcap ends inside the record of packet {len(packets)}; {left} from there on were not read",
                f"garbled.pcap makes no sense from byte {place:,} on, where packet {len(packets)} would be; 400 B from there on were not read",
                "torn.pcapng makes no sense from byte", "up to the next section, with which reading went on",
                "packed.pcap.gz ends inside the record of packet", "what is behind it was not read", "What never came takes no points")),
        ("zh", (f"garbled.pcap 自第 {place:,} 字节（应为第 {len(packets)} 个数据包）起无法解读；此后 400 B 未读取",)),
    ):  # fmt: skip
        said = "".join(balefire("coverage", "--store", tmp_path / "store", "--language", language).stdout.split())
        assert [word for word in words if word.replace(" ", "") not in said] == []
        assert "sound.pcap" not in said
    told = [row["broken"]["error"] for row in lines("coverage", "--store", tmp_path / "store") if row["broken"]]
    assert sorted(told) == ["corrupt", "cut", "cut", "torn"]


def test_directions_that_are_missing_are_counted_once_in_one_way() -> None:
    """As the spots do, by the worst minute, wherever they are counted; those that ended so where no minute tells."""
    datagrams = json.dumps([{"protocol": "enip", "conversations": 4, "requests_only": 3, "answers_only": 0}])
    for rows, count in (
        ([{"requests_only": 11, "one_sided": 9}, {"requests_only": 2}], 11),
        ([{"requests_only": 2, "datagrams": datagrams}], 5),
        ([{"one_sided": 9}], 9),
    ):
        (sums,) = account(*rows).by_place.values()
        told = [spot for spot in account(*rows).spots() if spot.key in ONE_WAY | {"one_sided"}]
        assert sums.one_way == sum(spot.values["count"] for spot in told) == count


def test_a_clock_that_stepped_is_told_and_no_silence() -> None:
    before = [{"@timestamp": BEGUN + number * MINUTE} for number in range(5)]
    after = [{"@timestamp": BEGUN + (65 + number) * MINUTE} for number in range(60)]
    stepped = [{**after[0], "clock_steps": 1}, *after[1:]]
    assert [spot.key for spot in spots(*before, *after)] == ["silent"]
    assert told(*before, *stepped) == ["the clock of the capture stepped forward by 1 h: no time passed, conversations go on where they were"]
    assert told(*before, *stepped, language="zh")[0].startswith("抓包时钟向前跳变")
    for seconds, words in ((3600.0, "1 h"), (107.9, "1 min 47 s"), (659.0, "10 min")):
        absent = [{**after[0], "absent": seconds}, *after[1:]]
        assert told(*before, *absent)[0] == f"for {words} this sensor did not run, or was killed before it had stored what it heard"


def test_an_interface_that_could_bring_nothing_is_told_before_what_that_cost_and_is_no_silence() -> None:
    before = [{"@timestamp": BEGUN + number * MINUTE} for number in range(30)]
    dark = [{"@timestamp": BEGUN + number * MINUTE, "packets": 0, "dark": 60.0} for number in range(30, 40)]
    after = [{"@timestamp": BEGUN + number * MINUTE, "lost": 400, "gaps": 1} for number in range(40, 60)]
    found = told(*before, *dark, *after)
    assert found[0] == "for 10 min nothing could come: the interface was down, had no link, or was gone"
    assert [spot.key for spot in spots(*before, *dark, *after)] == ["dark", "lost"]
    assert {spot.key for spot in spots(*before, *after)} == {"lost", "silent"}, "or nothing above is hidden"


def test_directions_of_datagrams_are_told_by_protocol() -> None:
    rows = [{"datagrams": json.dumps([{"protocol": "enip", "conversations": 4, "requests_only": number, "answers_only": 0}])} for number in (1, 3, 2)]
    assert told(*rows) == ["EtherNet/IP over UDP: in 3 of 4 conversations only the direction towards the server was seen"]


def test_several_interfaces_and_observers_are_named() -> None:
    assert [spot.place for spot in spots({"shed": 1})] == [""]
    assert [spot.place for spot in spots({"shed": 1}, {"interface": "e2"})] == ["e1"]
    assert [spot.place for spot in spots({"shed": 1}, {"observer.name": "S8", "interface": None})] == ["S7 · e1"]
    assert told({"shed": 1}, {"interface": "e2"}) == ["e1: 1 thing that was seen (a host, a conversation or a row) was let go where a table was full"]


def test_it_matters_not_how_rows_are_cut_or_ordered() -> None:
    rows = [{"requests_only": number, "lost": number, "interface": f"e{number % 3}", "grade": 90.0} for number in range(1, 20)]
    whole, piecewise = account(*rows), Account()
    table = coverage(*rows)
    order = list(range(len(rows)))
    random.Random(1).shuffle(order)
    for number in order:
        piecewise.add(table.slice(number, 1))
    assert piecewise.spots() == whole.spots()
    assert (piecewise.grade, piecewise.reasons, piecewise.counts) == (whole.grade, whole.reasons, whole.counts)


def test_rows_from_before_there_was_more_to_tell() -> None:
    (spot,) = account(dict.fromkeys(("talks", "requests_only", "dropped", "encrypted", "vlans", "clocks", "interface")) | {"lost": 7}).spots()
    assert (spot.key, spot.values["bytes"]) == ("lost", 7)


def test_a_small_difference_of_clocks_is_no_blind_spot() -> None:
    rows = [{"clocks": json.dumps([{"name": "ntp/10.0.0.9", "ahead": ahead, "samples": 4, "spread": 0.01}])} for ahead in (0.2, -0.9)]
    assert spots(*rows) == []
    assert [clock for _, clock in account(*rows).clocks()] == [{"name": "ntp/10.0.0.9", "ahead": -0.9, "samples": 8, "spread": 1.1}]


def test_conversations_of_several_windows_are_not_added_up() -> None:
    rows = [{"vlans": json.dumps([{"requests": 10, "answers": 20, "conversations": number}]), "talks": 8} for number in (2, 4, 3)]
    (spot,) = spots(*rows)
    assert (spot.values["count"], spot.weight) == (4, 7.5)


def test_since_when_a_direction_is_missing_is_told() -> None:
    half = {"requests_only": 11, "talks": 11}
    (words,) = told({}, {}, half, half, {})
    assert words == "only the direction towards the server was seen in 11 of 11 conversations (from 2 Mar 2026 11:02 to 2 Mar 2026 11:04 UTC)"
    assert told({}, half, language="zh")[0].endswith("（2026-03-02 11:01 至 2026-03-02 11:02 UTC）")
    (spot,) = spots({}, half)
    assert spot_words(spot, "en", ZoneInfo("Asia/Shanghai"))[0].endswith("(from 2 Mar 2026 19:01 to 2 Mar 2026 19:02 UTC+8)"), "a page is in the plant's zone"
    assert told(half, half) == ["only the direction towards the server was seen in 11 of 11 conversations"], "it never was otherwise"


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (0.0004, "0 ms", "0 毫秒"), (0.0129, "12 ms", "12 毫秒"), (2.54, "2.5 s", "2.5 秒"), (125.2, "2 min 05 s", "2 分 05 秒"),
        (10800.0003, "3 h 00 min 00 s", "3 小时 00 分 00 秒"), (9e7, "25,000 h 00 min 00 s", "25,000 小时 00 分 00 秒"),
    ],
)  # fmt: skip
def test_differences(seconds: float, en: str, zh: str) -> None:
    assert (difference(seconds, "en"), difference(seconds, "zh")) == (en, zh)


def test_that_falls_are_looked_for_within_a_replay_is_said(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for number, name in enumerate(("one.pcap", "other.pcap")):
        one("replay", save(polls(start=START + number * HOUR), tmp_path / name), "--store", store)
        told = ["".join(balefire("coverage", "--store", store, "--language", language).stdout.split()) for language in LANGUAGES]  # however it is broken
        assert ["withinonereplayonly" in told[0], "同一次回放内" in told[1]] == [number == 1] * 2


def test_where_so_little_is_said_that_no_fall_is_told_is_said(tmp_path: Path) -> None:
    """Of each interface for itself; one without any payload has no grade that could fall."""
    little = {"interface": "e2", **understood(99.0, LEAST_PAYLOAD - 1)}
    nothing = {"interface": "e3", **understood(0.0, 0), "grade": None}
    store = open_store(str(tmp_path / "store"), write=True)
    store.write(Commit(Batch(coverage=coverage({}, little, nothing, {"interface": "e4", **understood(99.0, LEAST_PAYLOAD)}))))
    store.close()
    for language, words in (("en", ("e2: Fewer than 256 octets of payload a minute", "e4: Fewer")), ("zh", ("e2：平均每分钟载荷不足 256 字节", "e4：平均"))):
        said = "".join(balefire("coverage", "--store", str(tmp_path / "store"), "--language", language).stdout.split())
        assert [word.replace(" ", "") in said for word in words] == [True, False]
        assert said.count(words[1][3:].replace(" ", "")) == 1


def test_a_damaged_mirror_is_told_exactly(tmp_path: Path) -> None:
    """One direction of some conversations removed, one per cent lost, a clock three hours ahead, half of it twice: the command says just that."""
    whole = polls(count=200)
    may = followed(whole)
    left, lost = lose(whole, 0.01, 3, lambda number: number in may)
    octets = sum(map(payload, lost))
    one_way = shifted([packet.at(packet.time + MS // 2) for packet in only_to(polls(count=20), 502)], 3600 * SECOND)
    answers = [ntp(START + number * SECOND, START + number * SECOND) for number in range(3)]
    secure = spoken(*[TLS_DATA] * 10)
    packets = sorted([*left, *one_way, *answers, *secure, *(copied(packet) for packet in left[:50])], key=lambda packet: packet.time)
    capture, store = save(shifted(packets, 3 * HOUR), tmp_path / "span.pcap"), tmp_path / "store"
    summary = one("replay", capture, "--store", store)
    octets += 48 * len(answers)  # as much as those say was asked
    assert summary["coverage"]["lost"] == octets
    assert (summary["coverage"]["requests_only"], summary["coverage"]["mirrored"]) == (4, 50)
    keys = [spot["spot"] for spot in summary["blind_spots"]]
    assert keys[:2] == ["requests_only", "clock_ahead"]
    assert {"lost", "mirrored", "encrypted"} <= set(keys)
    text = balefire("coverage", "--store", store).stdout
    told_in_replay = balefire("replay", capture, "--store", store).stdout
    for line in (
        "only the direction towards the server was seen in 4 of 4 conversations",
        "the clock is 3 h 00 min 00 s ahead of ntp/10.0.0.9",
        f"{octets / 1000:.1f} kB" if octets >= 1000 else f"{octets} B",
        "50 IP packets",
        "TLS on tcp/443: 690 B in 1 conversation",
    ):
        assert line in text
        assert line in told_in_replay
    assert "3 samples within 1 ms" in text
    chinese = balefire("coverage", "--store", store, "--language", "zh").stdout
    assert "抓包时钟比 ntp/10.0.0.9 快 3 小时 00 分 00 秒" in chinese
    assert "请同时镜像入方向与出方向" in chinese


def test_the_command_says_what_takes_points(tmp_path: Path) -> None:
    store = tmp_path / "store"
    one("replay", CAPTURES / "demo.pcap", "--store", store)
    text = balefire("coverage", "--store", store).stdout
    rows = lines("coverage", "--store", store)
    assert "Coverage  99.1 %" in text
    assert "0.9 points: 264 B not understood" in text
    assert all(round(100 - sum(each["points"] for each in row["reasons"]), 1) == row["grade"] for row in rows if row["grade"] is not None)
    later = balefire("coverage", "--store", store, "--since", "2026-11-23").stdout
    assert "Coverage" not in later


def test_what_never_came_takes_points_as_far_as_it_is_known_and_that_is_said(tmp_path: Path) -> None:
    """A mirror of one direction understands all that it sees: a grade of that alone would be a lie."""
    store = tmp_path / "store"
    shown = balefire("replay", save(only_to(polls(count=4, talks=3), 502), tmp_path / "half.pcap"), "--store", store).stdout
    text = balefire("coverage", "--store", store).stdout
    assert "Coverage  55.1 %" in text
    assert f"44.9 points: {9 * len(mbap(0, registers(1, 2)))} B known to be missing" in text
    assert "of which one direction never came" not in shown, "conversations are not counted in two ways"
    for said in (" ".join(each.split()) for each in (shown, text)):  # lines are folded
        assert "What never came takes no points" not in said
        assert "only the direction towards the server was seen in 3 of 3 conversations: nothing that 10.0.0.2 sends" in said
        assert "Nothing is known to be missing" not in said
    head, *windows = text.split("Windows")[1].split("─\n")[-1].strip().splitlines()
    assert head.split()[-1] == "3", "the windows tell of it, too"
    assert {line.split()[-1] for line in windows} <= {"3"}
    whole = balefire("replay", save(polls(count=4, talks=3), tmp_path / "whole.pcap"), "--store", tmp_path / "other").stdout
    assert "What never came" not in whole
    assert "Nothing is known to be missing" in balefire("coverage", "--store", tmp_path / "other").stdout


def test_reasons_have_words() -> None:
    words = [
        reason_words({"reason": name, "points": 1.5, "bytes": 2000}, language)
        for name in ("lost", "undecoded", "encrypted", "unanswered")
        for language in LANGUAGES
    ]
    assert words[0] == "1.5 points: 2.0 kB known to be missing"
    assert len(set(words)) == 8
    assert reason_words({"reason": "lost", "points": 0.04, "bytes": 2000}, "en").startswith("< 0.1 points"), "what takes any takes some"


def test_polls_that_nobody_answers_are_not_said_to_be_lost() -> None:
    """The mirror and a server that is off cannot be told apart by datagrams: the points say so, and nothing claims to know that octets are missing."""
    half = [{"protocol": "enip", "conversations": 1, "requests_only": 1, "answers_only": 0}]
    polled = {"decoded_bytes": 720, "undecoded_bytes": 0, "lost": 720, "datagrams": json.dumps(half)}
    assert [each["reason"] for each in account(polled).reasons] == ["unanswered"]
    assert [spot.key for spot in spots(polled)] == ["datagram_requests_only"]
    answered = polled | {"datagrams": json.dumps([half[0] | {"requests_only": 0, "answers_only": 1}])}
    for row in (polled | {"gaps": 1}, answered):
        assert [each["reason"] for each in account(row).reasons] == ["lost"]
        assert "lost" in [spot.key for spot in spots(row)]


def test_the_demo_seen_by_half(tmp_path: Path) -> None:
    capture = save(only_to(load(CAPTURES / "demo.pcap"), 502), tmp_path / "half.pcap")
    summary = one("replay", capture, "--store", tmp_path / "store")
    assert summary["blind_spots"][0]["spot"] == "requests_only"
    values = summary["blind_spots"][0]["values"]
    assert values["count"] == values["talks"] > 2


def test_what_the_capture_cut_off_is_not_told_again_as_not_understood(tmp_path: Path) -> None:
    """Answers of a capture with a snap length: nobody is asked who speaks there."""
    capture = save([packet.cut(62) for packet in polls()], tmp_path / "cut.pcap")
    said = balefire("replay", capture, "--store", tmp_path / "store").output
    assert "64 packets (84.3 %) were cut short by the snap length" in " ".join(said.split())
    assert "not understood" not in said
    told = one("replay", capture)["coverage"]
    assert told["undecoded_bytes"] == told["cut_bytes"] > 0


@pytest.mark.parametrize(
    ("ports", "cut", "left"),
    [
        ({"tcp/502": (1866, 0)}, 1602, [264]),
        ({"tcp/502": (900, 0)}, 900, [0]),
        ({"tcp/502": (900, 0), "tcp/9999": (500, 3)}, 900, [0, 500]),  # nobody knew what the other's packets were, whole or cut
        ({"tcp/502": (900, 2), "tcp/9999": (500, 0)}, 700, [700, 0]),
        ({"tcp/102": (10, 0), "tcp/502": (20, 0), "udp/2222": (3, 0)}, 31, [1, 1, 0]),
        ({"tcp/502": (5, 1)}, 9, [0]),
    ],
)
def test_octets_that_were_cut_off_are_no_ports(ports: dict[str, tuple[int, int]], cut: int, left: list[int]) -> None:
    rows: list[dict[str, Any]] = [{"name": name, "bytes": octets, "packets": packets} for name, (octets, packets) in ports.items()]
    assert [octets for _, octets, _ in uncut(rows, cut)] == left
    found = account({"undecoded": json.dumps(rows), "undecoded_bytes": sum(row["bytes"] for row in rows), "cut_bytes": cut}).spots()
    assert sorted(spot.values["bytes"] for spot in found if spot.key == "unread") == sorted(octets for octets in left if octets)
    about = left == [1, 1, 0]  # of several ports nobody knows which of them were cut
    assert {each for _, _, each in uncut(rows, cut)} == {about}
    for spot in found:
        if spot.key == "unread":
            words = [spot_words(spot, language)[0] for language in LANGUAGES]
            assert ["about " in words[0], "约 " in words[1]] == [about] * 2
