"""What `balefire` prints for machines, held against CLI.md: exactly these keys."""

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from balefire.screen import table
from records.nesting import iso, period
from records.schema import TABLES
from tests import test_demo
from tests.cli import DEMO, ROOT, Row, balefire, lines, one, program, short, stored
from tests.wire import SECOND, START, Talk, mbap, read, registers, save

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")

# fmt: off
DISSECT = [
    "file", "packet", "response_packet", "time", "protocol", "over", "source", "destination", "unit", "code", "action", "access", "effect", "object",
    "values", "outcome", "error", "rtt_us", "anomaly", "beside",
]
REPLAY = [
    "schema", "run", "inputs", "packets", "messages", "operations", "activities", "points", "findings", "hidden", "alerts", "protocols", "access", "effects",
    "coverage", "unknown", "blind_spots", "assets", "evidence", "elapsed_s", "peak_mib",
]
FINDING = [
    "id", "detector", "rule", "time", "end", "severity", "score", "terms", "title", "source", "destination", "effects", "techniques", "activities",
    "packets", "alert", "suppressions", "expired",
]
ALERT = [
    "id", "key", "status", "severity", "title", "first", "last", "count", "findings", "assets", "techniques", "expired", "assignee", "verdict", "revision",
]
ASSET = [
    "id", "name", "addresses", "vendor", "model", "firmware", "serial", "role", "zone", "level", "criticality", "first", "last", "sources", "aliases",
    "facts", "conflicts",
]
# fmt: on


@pytest.fixture(scope="module")
def store() -> Path:
    return stored()[0]


@pytest.fixture(scope="module")
def summary() -> Row:
    return stored()[1]


def test_dissect() -> None:
    operations = lines("dissect", DEMO)
    assert operations
    for operation in operations:
        assert list(operation) == DISSECT
        assert set(operation["source"]) == set(operation["destination"]) == {"ip", "mac", "port"}
        assert operation["object"] is None or set(operation["object"]) == {"space", "name", "first", "last"}
        assert TIME.fullmatch(operation["time"])
    packets = [operation["packet"] for operation in operations]
    assert min(packets) >= 1


def test_replay(summary: Row) -> None:
    assert list(summary) == REPLAY
    (given,) = summary["inputs"]
    assert list(given) == ["path", "sha256", "packets", "bytes", "first", "last", "error"]
    assert given["path"] == str(DEMO)
    assert given["error"] is None
    assert TIME.fullmatch(given["first"])
    assert list(summary["alerts"]) == ["critical", "high", "medium", "low"]
    assert all(list(counts) == ["messages", "operations", "undecoded_bytes"] for counts in summary["protocols"].values())
    assert list(summary["coverage"]) == ["grade", "lost", "gaps", "undecoded_bytes", "late", "truncated", "one_sided", "shed", "jumps",
        "unfinished", "bad_fragments", "rejected", "half_open", "duplicates", "fragments", "bad_checksums", "overlaps", "tunnels",
        "encrypted_bytes", "shed_bytes", "cut_bytes", "dropped", "mirrored", "talks", "requests_only", "answers_only", "split_vlans", "namesakes", "repeated",
        "reasons",
    ]  # fmt: skip
    assert 0 <= summary["coverage"]["grade"] <= 100
    assert summary["operations"] == sum(summary["access"].values()) == sum(summary["effects"].values())
    assert summary["findings"] > 0
    assert summary["packets"] == given["packets"] <= 5000


def test_replaying_again_changes_nothing(store: Path, summary: Row) -> None:
    before = [lines(name, "--store", store) for name in ("activities", "points", "findings", "alerts", "assets", "coverage")]
    again = one("replay", DEMO, "--store", store)
    assert {name: again[name] for name in REPLAY[:-2]} == {name: summary[name] for name in REPLAY[:-2]}
    assert [lines(name, "--store", store) for name in ("activities", "points", "findings", "alerts", "assets", "coverage")] == before


def test_what_was_shed_and_jumps_of_time_are_told(tmp_path: Path) -> None:
    """A clock that leaps by a year in the middle is counted, and said to people in both languages."""
    talk = Talk()
    for at in (0, SECOND, 2 * SECOND):
        talk.time = START + at
        talk.ask(mbap(at // SECOND, read(0, 1)), mbap(at // SECOND, registers(5)))
    packets = [*talk.packets[:2], talk.packets[2].at(talk.packets[2].time + 365 * 86_400 * SECOND), *talk.packets[3:]]
    capture = save(packets, tmp_path / "leap.pcap")
    coverage = one("replay", capture, "--store", tmp_path / "s")["coverage"]
    assert coverage["shed"] == 0
    assert coverage["jumps"] > 0
    for language, words in (("en", "jump"), ("zh", "时间跳变")):
        told = balefire("replay", capture, "--store", tmp_path / "s", "--language", language).stdout
        assert words in told
        assert "row shed" not in told
        assert "因表满" not in told


TABLE_COMMANDS = ("activities", "points", "findings", "alerts", "assets", "coverage")


def test_the_name_of_a_capture_is_no_part_of_what_it_says(tmp_path: Path) -> None:
    first, renamed = short(tmp_path), tmp_path / "renamed.pcap"
    renamed.write_bytes(first.read_bytes())
    demo = tmp_path / "demo.pcap"
    demo.write_bytes(DEMO.read_bytes())
    other = tmp_path / "other.pcap"
    other.write_bytes(DEMO.read_bytes())
    store = tmp_path / "store"
    one("replay", demo, "--store", store)
    before = [lines(name, "--store", store) for name in TABLE_COMMANDS]
    one("replay", other, "--store", store)
    assert [lines(name, "--store", store) for name in TABLE_COMMANDS] == before  # the first name stays
    one("replay", first, renamed, "--store", store)


def test_a_rule_of_ones_own_is_explained_without_its_file(tmp_path: Path) -> None:
    own = tmp_path / "rules"
    own.mkdir()
    text = (ROOT / "rules" / "configuration" / "file-written.yml").read_text("utf-8")
    text = text.replace("id: file-written", "id: our-file").replace("Files are written by the engineering station or a recipe server.", "Ours.")
    (own / "our-file.yml").write_text(text, "utf-8")
    store = tmp_path / "store"
    one("replay", DEMO, "--rules", own, "--store", store)
    (own / "our-file.yml").unlink()
    told = one("explain", lines("findings", "--where", "rule:our-file", "--store", store)[0]["id"], "--store", store)
    assert told["normal"] == {"en": "Ours.", "zh": "文件由工程师站或配方服务器写入。"}
    assert told["respond"][0]["en"].startswith("Have the file read back")
    assert "Ours." in balefire("explain", told["id"], "--store", store).stdout


def test_standard_input_gives_the_same(tmp_path: Path, summary: Row) -> None:
    result = program("replay", "-", "--store", tmp_path / "s", "--json", stdin=DEMO.read_bytes())
    assert result.returncode == 0, result.stderr
    piped = json.loads(result.stdout)
    assert piped["inputs"][0]["path"] == "-"
    counted = ("run", "packets", "messages", "operations", "activities", "points", "findings", "alerts", "coverage", "assets")
    assert {name: piped[name] for name in counted} == {name: summary[name] for name in counted}


@pytest.mark.parametrize(
    ("name", "table", "least"),
    [
        ("activities", "activity", 1),
        ("points", "point", 1),
        ("findings", "finding", 1),
        ("alerts", "alert", 1),
        ("incidents", "incident", 0),
        ("assets", "asset", 1),
        ("coverage", "coverage", 1),
    ],
)
def test_lists_have_the_names_of_the_schema(store: Path, name: str, table: str, least: int) -> None:
    rows = lines(name, "--store", store)
    assert len(rows) >= least
    branches = list(dict.fromkeys(field.split(".")[0] for field in TABLES[table].names))
    for row in rows:
        assert list(row) == branches
    times = [row["id"] for row in rows]
    assert len(set(times)) == len(times)


@pytest.mark.parametrize(("name", "keys"), [("findings", FINDING), ("alerts", ALERT), ("assets", ASSET)])
def test_lists_have_the_keys_that_were_promised(store: Path, name: str, keys: list[str]) -> None:
    for row in lines(name, "--store", store):
        assert set(keys) <= set(row)


def test_default_order_is_time_then_id(store: Path) -> None:
    rows = [(row["@timestamp"], row["id"]) for row in lines("activities", "--store", store)]
    assert rows == sorted(rows)


def test_pages_join_to_the_whole(store: Path) -> None:
    for sort in ((), ("--sort", "-ot.count"), ("--sort", "destination.ip")):
        whole = [row["id"] for row in lines("activities", "--store", store, *sort)]
        paged: list[str] = []
        while page := [row["id"] for row in lines("activities", "--store", store, *sort, "--limit", 7, *(("--after", paged[-1]) if paged else ()))]:
            paged += page
        assert paged == whole


def test_since_is_in_and_until_is_out(store: Path) -> None:
    times = sorted({row["@timestamp"] for row in lines("activities", "--store", store)})
    middle = times[len(times) // 2]
    later = lines("activities", "--store", store, "--since", middle)
    earlier = lines("activities", "--store", store, "--until", middle)
    assert min(row["@timestamp"] for row in later) == middle
    assert max(row["@timestamp"] for row in earlier) < middle
    assert len(later) + len(earlier) == len(lines("activities", "--store", store))


def test_a_time_without_offset_is_utc(store: Path) -> None:
    first = lines("activities", "--store", store, "--limit", 1)[0]["@timestamp"]
    low = period(first)
    assert low
    shifted = iso(low[0] + 8 * 3600 * 10**9)[:-1] + "+08:00"
    assert lines("activities", "--store", store, "--since", first) == lines("activities", "--store", store, "--since", shifted)


def test_where(store: Path, summary: Row) -> None:
    acting = lines("activities", "--store", store, "--where", "ot.access:(write OR command)")
    assert sum(row["ot"]["count"] for row in acting) == summary["access"]["write"] + summary["access"]["command"]
    assert {row["ot"]["access"] for row in acting} == {"write", "command"}


def test_terms_add_up_to_the_score(store: Path) -> None:
    for finding in lines("findings", "--store", store):
        assert sum(term["value"] for term in finding["terms"]) == pytest.approx(finding["score"])
        assert finding["severity"] == max(0, min(100, round(finding["score"])))
        assert all(set(packet) == {"file", "packet", "time"} and packet["file"] == DEMO.name for packet in finding["packets"])


def test_explain_an_alert(store: Path) -> None:
    for alert in lines("alerts", "--store", store):
        told = one("explain", alert["id"], "--store", store)
        assert {name: told[name] for name in alert} == alert
        assert {"normal", "respond", "evidence"} <= set(told)
        assert set(told["normal"]) == {"en", "zh"}
        assert all(set(step) == {"en", "zh"} for step in told["respond"])
        assert sum(term["value"] for term in told["terms"]) == pytest.approx(told["score"])
        assert max(0, min(100, round(told["score"]))) == alert["severity"]
        assert list(told["evidence"]) == ["packets", "kept", "missing", "gone", "without", "why"]
        assert told["evidence"]["packets"]


def test_explain_a_finding_by_the_beginning_of_its_id(store: Path) -> None:
    finding = lines("findings", "--store", store, "--limit", 1)[0]
    told = one("explain", finding["id"][:10], "--store", store)
    assert {name: told[name] for name in finding} == finding


def test_explain_tells_what_every_finding_was_about(store: Path) -> None:
    """An alert is told with the activities of all its findings, in the order of time, and its packets in theirs."""
    for alert in lines("alerts", "--store", store):
        findings = [one("explain", finding, "--store", store) for finding in alert["findings"]]
        done = {activity for finding in findings for activity in finding["activities"]}
        words = balefire("explain", alert["id"], "--store", store).stdout
        assert f"What was done  {min(12, len(done))} of {len(done)}\n" in words
        told = words.split("What was done")[1].split("Packets")[0].splitlines()[1:]
        times = [found[0] for line in told if (found := re.search(r"\d\d:\d\d:\d\d", line))]
        assert len(times) == min(12, len(done))
        assert times == sorted(times)
        packets = [packet["packet"] for packet in one("explain", alert["id"], "--store", store)["evidence"]["packets"]]
        assert packets == sorted(set(packets))


def test_schema() -> None:
    rows = lines("schema")
    assert {(row["table"], row["name"]) for row in rows} == {(table.name, name) for table in TABLES.values() for name in table.names}
    assert all(set(row) >= {"table", "name", "type", "search", "meaning"} for row in rows)


def test_protocols() -> None:
    (modbus,) = [row for row in lines("protocols") if row["name"] == "modbus"]
    assert modbus["tcp"] == [502]
    assert {"code": "5", "action": "write_single_coil", "effect": "output.operate", "access": "command"} in modbus["functions"]


def test_version() -> None:
    assert set(one("version")) >= {"version", "schema", "python"}


def test_rules() -> None:
    linted = one("rules", "lint", "rules")
    assert linted["problems"] == []
    assert linted["rules"] >= 12
    tested = one("rules", "test", "rules")
    assert list(tested) == ["rules", "cases", "failed"]
    assert tested["failed"] == []
    assert tested["cases"] >= 2 * tested["rules"]


def test_learning_is_neither_stored_nor_judged(tmp_path: Path) -> None:
    capture = short(tmp_path)
    learned = one("replay", capture, "--learn", DEMO, "--store", tmp_path / "learned")
    plain = one("replay", capture, "--store", tmp_path / "plain")
    assert [given["path"] for given in learned["inputs"]] == [str(capture)]
    assert learned["activities"] == plain["activities"]
    assert {row["detector"] for row in lines("findings", "--store", tmp_path / "plain")}.isdisjoint({"novelty"})
    assert lines("activities", "--store", tmp_path / "learned") == lines("activities", "--store", tmp_path / "plain")


def test_that_nothing_was_learned_is_said(tmp_path: Path) -> None:
    capture, nothing = short(tmp_path), tmp_path / "nothing.pcap"
    nothing.write_bytes(capture.read_bytes()[:24])
    for language, words in (("en", "nothing that could be learned"), ("zh", "没有可供学习的内容")):
        told = balefire("replay", capture, "--learn", nothing, "--store", tmp_path / "s", "--language", language)
        assert told.exit_code == 0
        assert words in told.stderr
        assert len(told.stderr.splitlines()) == 1


def test_a_capture_given_twice_counts_once(tmp_path: Path) -> None:
    capture, renamed = short(tmp_path), tmp_path / "renamed.pcap"
    renamed.write_bytes(capture.read_bytes())
    plain = one("replay", capture, "--store", tmp_path / "once")
    for second in (capture, renamed):
        told = balefire("replay", capture, second, "--store", tmp_path / "twice", "--json")
        summary = json.loads(told.stdout)
        assert {name: summary[name] for name in REPLAY[3:-2]} == {name: plain[name] for name in REPLAY[3:-2]}
        assert sorted(given["packets"] for given in summary["inputs"]) == [0, plain["packets"]]
        assert {given["sha256"] for given in summary["inputs"]} == {plain["inputs"][0]["sha256"]}
        assert "judged once" in told.stderr


def test_no_alerts_comes_with_the_coverage(tmp_path: Path) -> None:
    one("replay", short(tmp_path), "--store", tmp_path / "s")
    assert lines("alerts", "--store", tmp_path / "s") == []
    for language, words in (("en", "coverage 100.0 %"), ("zh", "覆盖度 100.0%")):
        assert words in balefire("alerts", "--store", tmp_path / "s", "--language", language).stderr
    assert "Coverage unknown" in balefire("alerts", "--store", tmp_path / "s", "--until", "1999-01-01").stderr
    assert "overage" not in balefire("activities", "--store", tmp_path / "s", "--until", "1999-01-01").stderr


def test_words_that_have_no_spaces_between_them_give_way_too() -> None:
    """Chinese columns that would not wrap took the place of others, which were gone."""
    made = table([("标识", False), ("剩余", False), ("依据", False)], [["a437a3a6fe4f", "应立即报告", "网络安全事件报告管理办法" * 4]])
    shown = io.StringIO()
    Console(file=shown, width=60).print(made)
    assert "a437a3a6fe4f" in shown.getvalue()
    assert "应立即报告" in shown.getvalue()
    assert shown.getvalue().count("网络安全") >= 3, "in several lines, and nothing cut"


def test_an_address_is_never_cut_while_there_is_room() -> None:
    made = table([("Name", False), ("Addresses", False), ("Device", False)], [["pump", "02:ba:1e:02:00:66", "a device of many short words " * 3]])
    console = Console(width=50, file=io.StringIO())
    with console.capture() as printed:
        console.print(made)
    assert "02:ba:1e:02:00:66" in printed.get()


@pytest.mark.parametrize(("role", "whole"), [("controller", "controller"), ("操作员站（HMI）", "（HMI）")])
def test_a_word_is_never_torn_while_another_column_can_give_way(role: str, whole: str) -> None:
    """All words of a table stay in one piece while there is room for the longest of each column."""
    row = ["a-pump-with-a-name-as-long-as-this-is-" * 2, "502 80 22 443 " * 5, role, "seen in a b c d e " * 4]
    shown = io.StringIO()
    other = ["pump", "502", "operator panel (HMI)", "-"]
    Console(file=shown, width=106).print(table([(head, False) for head in ("Name", "Ports", "Role", "Note")], [row, other]))
    assert whole in shown.getvalue()
    assert row[0] in shown.getvalue()
    assert max(map(len, shown.getvalue().splitlines())) <= 106


def test_site_and_observer_are_taken(tmp_path: Path) -> None:
    one("replay", short(tmp_path), "--store", tmp_path / "s", "--site", "North", "--observer", "tap-1")
    assert {(row["observer"]["name"], row["observer"]["site"]) for row in lines("activities", "--store", tmp_path / "s")} == {("tap-1", "North")}


@pytest.mark.parametrize(
    ("words", "environment"),
    [(("--language", "zh", "packet", "--help"), {}), (("packet", "--language=zh", "-h"), {}), (("packet", "-h"), {"LC_ALL": "zh_CN.UTF-8"})],
)  # fmt: skip
def test_help_is_in_the_language_that_is_asked_for(words: tuple[str, ...], environment: dict[str, str]) -> None:
    told = program(*words, environment={"LC_ALL": "C.UTF-8", **environment}).stdout.decode()
    assert "用法：" in told
    assert "显示此帮助并退出。" in told
    assert not {"Usage", "Options", "Show this"} & {word for word in ("Usage", "Options", "Show this") if word in told}
    assert "Usage: " in program("--language", "en", "packet", "-h", environment={"LC_ALL": "zh_CN.UTF-8"}).stdout.decode()


def test_help_of_every_command() -> None:
    listed = re.findall(r"^  (\w+) ", balefire("--help").stdout.split("Commands:")[1], re.MULTILINE)
    assert {"dissect", "replay", "explain", "rules", "dashboard", "demo", "warm"} <= set(listed)
    for name in listed:
        assert balefire(name, "--help").exit_code == 0


def told(language: str, data: Path) -> str:
    """What `balefire demo` tells a person."""
    result = program("demo", "--language", language, environment={"XDG_DATA_HOME": str(data)})
    assert result.returncode == 0, result.stderr
    assert result.stderr == b""
    return result.stdout.decode()


@pytest.mark.parametrize(
    ("language", "headings"), [("en", ["What was seen", "What is wrong", "How much was not seen"]), ("zh", ["看到了什么", "有什么问题", "有多少没有看到"])]
)
def test_demo_tells_a_person(tmp_path: Path, language: str, headings: list[str]) -> None:
    words = told(language, tmp_path)
    assert [words.index(heading) for heading in headings] == sorted(words.index(heading) for heading in headings)
    commands = re.findall(r"^    (?:\S*/)?balefire (.+)$", words, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        typed = shlex.split(command)
        if typed[0] != "dashboard":
            assert balefire(*typed).exit_code == 0, command


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_what_the_readme_shows_is_so(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command in it runs, and every line of the output in it is printed."""
    readme = (ROOT / name).read_text("utf-8")
    words = told("zh" if "zh" in name else "en", tmp_path)
    printed = {line.strip() for line in words.splitlines() if "--store" not in line}
    shown = [line.strip() for line in readme.split("<!-- demo -->")[1].split("```")[1].splitlines()[1:] if "--store" not in line]
    assert len(shown) > 10
    assert [line for line in shown if line not in printed] == [], "python -m tests.cli pastes the output anew"
    assert 'export PATH="$PWD/.venv/bin:$PATH" BALEFIRE_STORE="$HOME/.local/share/balefire/demo"' in readme
    missed = [[int(step) for step in re.findall(r"\d+", line.split("10.20.")[0])] for line in re.findall(r"^- \*\*(\d.*?)\*\*", readme, re.MULTILINE)]
    assert sorted(step for steps in missed for step in steps) == sorted(step for step, _victim in test_demo.MISSES)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("BALEFIRE_STORE", str(tmp_path / "balefire" / "demo"))
    monkeypatch.setenv("BALEFIRE_DASHBOARD__USERS", str(tmp_path / "accounts.json"))
    commands = re.findall(r"^balefire ([^#\n]+)", readme, re.MULTILINE)
    assert len(commands) >= 5
    for command in commands:
        typed = shlex.split(command)
        if typed[0] not in {"dashboard", "demo", "warm"}:
            assert balefire(*typed, stdin=b"correct horse battery\n" * 2 if typed[0] == "user" else None).exit_code == 0, command


def test_what_costs_memory_is_not_loaded_where_nothing_needs_it(tmp_path: Path) -> None:
    """A replay into a store that holds other things asks Arrow whether it knows any of it: DuckDB is 35 MiB, pandas too."""
    code = "import sys; from balefire.__main__ import start; sys.argv[0] = 'balefire'\ntry: start()\nfinally: print({'duckdb', 'pandas'} & set(sys.modules))"
    for observer in ("here", "there"):
        typed = ("replay", DEMO, "--store", tmp_path / "store", "--observer", observer, "--language", "en")
        ran = subprocess.run([sys.executable, "-c", code, *map(str, typed)], capture_output=True, text=True, check=False)
        assert ran.stdout.endswith("set()\n"), (ran.stdout, ran.stderr)


def test_a_program_without_pandas_says_how_much_was_seen(tmp_path: Path) -> None:
    """The program keeps Arrow from loading pandas; nothing that it prints needs it."""
    place = ("--store", tmp_path / "store")
    assert program("replay", DEMO, *place, "--json").returncode == 0
    told = program("findings", *place, "--where", "rule:none-such")
    assert (told.returncode, told.stdout) == (0, b""), told.stderr
    assert b"%" in told.stderr


def test_what_a_host_is_stands_in_one_piece_where_there_is_room(tmp_path: Path) -> None:
    """Also where nothing is known of any device."""
    talk = Talk().open().ask(mbap(1, read(0, 2)), mbap(1, registers(1, 2)))
    told = balefire("replay", save(talk.packets, tmp_path / "short.pcap"), "--store", tmp_path / "store", "--language", "en").stdout
    assert re.search(r"^ +10\.0\.0\.2 +02:00:0a:00:00:02 +controller *$", told, re.MULTILINE), told
