"""Imports point one way, names shadow nothing, nothing outside the tests sends a packet, and what the program forgoes is not asked for."""

import ast
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("records", "sensors", "detectors", "reports", "dashboards", "balefire")
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))

# Stacks of the tests' plants: scapy is GPL-2.0-only and c104 GPL-3.0, the others speak where Balefire only listens.
TEST_ONLY = {"scapy", "c104", "cpppo", "pymodbus", "hypothesis", "pytest", "playwright"}
APART = {"sensors/sniffer.py": {"scapy"}}  # a process of its own, which shares no code with the rest
SENDING_MODULES = {"socket", "socketserver", "asyncio", "requests", "httpx", "aiohttp", "smtplib", "ftplib", "urllib3", "paramiko"}
SENDING_SUBMODULES = {"urllib.request", "http.client", "xmlrpc.client"}
SENDING_CALLS = {"send", "sendto", "sendall", "sendmsg", "sendfile", "sendp", "sr", "sr1", "srp", "connect_ex", "create_connection", "urlopen"}


READERS = {  # what could send and only reads
    "sensors/vendors.py": ("asyncio",),  # aiooui: its own file
    "sensors/faces.py": ("socket",),  # asks the system how interfaces are
    "sensors/sources/cards.py": ("socket",),  # … and how their cards give packets times
    "sensors/sources/links.py": ("socket",),  # … and whether they are up
    "sensors/sources/doors.py": ("socket",),  # connects, and waits for connections, to be given captures; says nothing there
    "sensors/listening.py": ("socket",),  # those that judge, on this machine, come in at a door of the file system …
    "sensors/outlet.py": ("socket",),  # … and are written what was heard
    "records/store/cluster.py": ("urllib3", "urllib3.exceptions"),  # how long the client of Elasticsearch waits, and for what it waited in vain
    "sensors/sources/line.py": ("socket",),
    "balefire/commands/serve.py": ("socket",),  # … which it opens
    "sensors/sources/packetsocket.py": ("socket",),  # listens; what would send is not called, and a test listens at the other end of the wire
}

# What writes at a number, which may be a socket's, or asks the kernel without the system's library, and where that goes. None of it is a socket of packets: two
# files alone open such, and `test_what_opens_packet_sockets_writes_nothing` holds those. That no frame comes of it, a test hears at the other end of a wire.
RAW_CALLS = {"write", "writev", "pwrite", "pwritev", "splice", "sendfile"}  # of `os`
RAW_ANYWHERE = {"syscall", "makefile"}
RAW = {
    "sensors/outlet.py": {"write"},  # a pipe, or one that judges, at the door
    "sensors/sources/line.py": {"write"},  # the same door from the other side, and a pipe of its own
    "sensors/sources/feeds.py": {"write"},  # wakes its own loop
    "sensors/sources/shares.py": {"write"},  # pipes to the processes that read with it …
    "sensors/sources/sharing.py": {"write"},  # … and back
    "sensors/sources/doors.py": {"makefile"},  # to read
    "sensors/fence.py": {"syscall"},  # Landlock
    "sensors/sources/again.py": {"pwrite"},  # a file of its own
    "records/store/place.py": {"pwrite"},  # the lock of a store
    "dashboards/served.py": {"write"},  # says where it is, on standard output
}
PACKET_SOCKETS = {"sensors/faces.py", "sensors/sources/packetsocket.py"}

# What may send: reports, when a person released them, in a process that listens to nothing. `test_only_deliveries_send` holds them to that.
SENDERS = {
    "reports/channels/mail.py": ({"smtplib"}, {"send"}),
    "reports/channels/webhook.py": ({"http.client"}, set[str]()),
    "reports/channels/sftp.py": ({"asyncio"}, set[str]()),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Said:
    """What a file says that is looked at here, by line: every module that it imports, at whatever depth, type checking or not; every name that it calls; and
    where it takes whole rows of a store as Python's own; every name; and what of `RAW` it has.
    """

    imports: list[tuple[int, str]]
    calls: list[tuple[int, str]]
    whole: list[int]
    names: set[str]
    raw: set[str]


@cache
def said_by(path: Path) -> Said:
    said = Said([], [], [], set(), set())
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            said.imports.extend((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: imports are absolute"
            said.imports.append((node.lineno, node.module or ""))
            said.raw.update(alias.name for alias in node.names if node.module == "os" and alias.name in RAW_CALLS)
            said.names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            said.names.add(node.attr)
            if node.attr in RAW_ANYWHERE or (node.attr in RAW_CALLS and isinstance(node.value, ast.Name) and node.value.id == "os"):
                said.raw.add(node.attr)  # called or handed on
        elif isinstance(node, ast.Call):
            called = node.func
            said.calls.append((node.lineno, called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""))
            of = called.value if isinstance(called, ast.Attribute) and called.attr == "to_pylist" else None
            if isinstance(of, ast.Call) and isinstance(of.func, ast.Attribute) and of.func.attr in {"read", "slice"}:
                said.whole.append(of.lineno)
    return said


def imports(path: Path) -> list[tuple[int, str]]:
    return said_by(path).imports


def test_imports_point_one_way() -> None:
    wrong: list[str] = []
    for path in SOURCES:
        above = {*LAYERS[LAYERS.index(path.relative_to(ROOT).parts[0]) + 1 :], "tests"}
        wrong += [f"{name_of(path)}:{line}: {module}" for line, module in imports(path) if module.split(".")[0] in above]
    assert not wrong


def test_nothing_imports_what_only_tests_may() -> None:
    wrong: list[str] = []
    for path in SOURCES:
        barred = TEST_ONLY - APART.get(name_of(path), set[str]())
        wrong += [f"{name_of(path)}:{line}: {module}" for line, module in imports(path) if module.split(".")[0] in barred]
    assert not wrong


def test_what_stands_apart_shares_no_code() -> None:
    apart = {name.removesuffix(".py").replace("/", ".") for name in APART}
    assert not [module for name in APART for _line, module in imports(ROOT / name) if module.split(".")[0] in LAYERS]
    assert not [name_of(path) for path in SOURCES for _line, module in imports(path) if module in apart]


def test_nothing_sends() -> None:
    wrong: list[str] = []
    for path in SOURCES:
        name, (modules, calls) = name_of(path), SENDERS.get(name_of(path), (set[str](), set[str]()))
        imported = [(line, module) for line, module in imports(path) if module not in READERS.get(name, ()) and module not in modules]
        wrong += [f"{name}:{line}: {module}" for line, module in imported if module.split(".")[0] in SENDING_MODULES or module in SENDING_SUBMODULES]
        wrong += [f"{name}:{line}: {called}()" for line, called in said_by(path).calls if called in SENDING_CALLS - calls]
    assert not wrong


def test_what_writes_at_a_number_is_known() -> None:
    assert {name_of(path): said_by(path).raw for path in SOURCES if said_by(path).raw} == RAW


def test_what_opens_packet_sockets_writes_nothing() -> None:
    """Nor does it hand them on as files, or give them a ring to send from."""
    having = {name_of(path): said_by(path).names for path in SOURCES if "AF_PACKET" in said_by(path).names}
    assert set(having) == PACKET_SOCKETS
    assert not PACKET_SOCKETS & set(RAW)
    for names in having.values():
        assert not names & {"fdopen", "dup", "detach", "write", "writelines", "TX_RING", "PACKET_TX_RING"}


@pytest.mark.parametrize(
    "line", ["os.write(ring.fileno(), frame)", "send = os.sendfile", "from os import writev", "libc.syscall(44, number)", "ring.makefile('wb').write(frame)"]
)
def test_each_way_around_is_seen(line: str, tmp_path: Path) -> None:
    made = tmp_path / "made.py"
    made.write_text(line)
    assert said_by(made).raw


def test_only_deliveries_send() -> None:
    """What sends is a channel of reports; of what runs, two commands alone reach it, and no sensor, detector or page does."""
    assert all(name.startswith("reports/channels/") for name in SENDERS)
    sending = {"reports.channels", "reports.channel", "reports.deliver", "reports.notifying", "asyncssh", "apprise"}
    users = {name_of(path) for path in SOURCES for _line, module in imports(path) if module in sending or module.startswith("reports.channels.")}
    assert {name for name in users if not name.startswith("reports/channel")} <= {
        "reports/deliver.py",
        "reports/notifying.py",
        "reports/ways.py",
        "balefire/commands/deliver.py",
        "balefire/commands/notify.py",
    }


def test_no_whole_rows_are_pythons_own() -> None:
    """They have dates, which are pandas' here and none there, as `tests/conftest.py` tells of what a test runs: `flat` has them as nanoseconds."""
    assert not [f"{name_of(path)}:{line}" for path in SOURCES for line in said_by(path).whole]


def test_a_date_is_no_object_where_the_program_runs() -> None:
    """The guard of all tests is there."""
    rows: Any = pa.table({"@timestamp": pa.array([1], pa.timestamp("ns", "UTC"))})
    assert rows.to_pylist()[0]["@timestamp"].value == 1
    for layer in LAYERS:
        code = compile("rows.to_pylist()", str(ROOT / layer / "made.py"), "exec")
        with pytest.raises(AssertionError, match="no pandas") if layer != "dashboards" else nullcontext():
            exec(code, {"rows": rows})


def test_no_leaf_name_shadows_a_package() -> None:
    """Streamlit puts a page's folder on sys.path: a leaf named like a package would be imported in its place."""
    taken = {module.split(".")[0] for path in SOURCES for _line, module in imports(path)} | set(LAYERS) | {"tests"}
    leaves = [path for path in SOURCES if path.stem not in {"__init__", "__main__"}]
    assert not [name_of(path) for path in leaves if path.stem in taken]
    # rules/ holds data and is opened, never imported by a statement: only a page's folder could hide it
    assert not [name_of(path) for path in leaves if path.stem == "rules" and path.is_relative_to(ROOT / "dashboards")]


def test_every_directory_is_a_package() -> None:
    assert not [name_of(path) for path in SOURCES if not (path.parent / "__init__.py").exists()]


def test_a_page_asks_the_store_nothing_itself() -> None:
    """What is asked is bounded, and answered without a browser, in modules beside `dashboards/queries.py`; a view hands them the store."""
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.func)}"
        for path in sorted((ROOT / "dashboards" / "views").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).endswith(("store", "opened()"))
    ]
    assert asked == []
