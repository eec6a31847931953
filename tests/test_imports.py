"""Imports point one way, names shadow nothing, nothing outside the tests sends a packet, and what the program forgoes is not asked for."""

import ast
from collections.abc import Iterator
from contextlib import nullcontext
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
    "sensors/tshark.py": ("asyncio",),  # pyshark: what tshark prints; the program is started for that alone
    "sensors/faces.py": ("socket",),  # asks the system how interfaces are
    "sensors/sources/cards.py": ("socket",),  # … and how their cards give packets times
    "sensors/sources/links.py": ("socket",),  # … and whether they are up
    "sensors/sources/doors.py": ("socket",),  # connects, and waits for connections, to be given captures; says nothing there
    "sensors/listening.py": ("socket",),  # those that judge, on this machine, come in at a door of the file system …
    "sensors/outlet.py": ("socket",),  # … and are written what was heard
    "sensors/sources/line.py": ("socket",),
    "balefire/commands/serve.py": ("socket",),  # … which it opens
    "sensors/sources/packetsocket.py": ("socket",),  # listens; what would send is not called, and a test listens at the other end of the wire
}

# What may send: reports, when a person released them, in a process that listens to nothing. `test_only_deliveries_send` holds them to that.
SENDERS = {
    "reports/channels/mail.py": ({"smtplib"}, {"send"}),
    "reports/channels/webhook.py": ({"http.client"}, set[str]()),
    "reports/channels/sftp.py": ({"asyncio"}, set[str]()),
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import, at whatever depth, type checking or not."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: imports are absolute"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    layer = LAYERS.index(path.relative_to(ROOT).parts[0])
    above = set(LAYERS[layer + 1 :]) | {"tests"}
    wrong = [f"{name_of(path)}:{line}: {module}" for line, module in imports(path) if module.split(".")[0] in above]
    assert not wrong


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_imports_what_only_tests_may(path: Path) -> None:
    barred = TEST_ONLY - APART.get(name_of(path), set[str]())
    wrong = [f"{name_of(path)}:{line}: {module}" for line, module in imports(path) if module.split(".")[0] in barred]
    assert not wrong


def test_what_stands_apart_shares_no_code() -> None:
    apart = {name.removesuffix(".py").replace("/", ".") for name in APART}
    assert not [module for name in APART for _line, module in imports(ROOT / name) if module.split(".")[0] in LAYERS]
    assert not [name_of(path) for path in SOURCES for _line, module in imports(path) if module in apart]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_sends(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    modules, calls = SENDERS.get(name_of(path), (set[str](), set[str]()))
    imported = [(line, module) for line, module in imports(path) if module not in READERS.get(name_of(path), ()) and module not in modules]
    wrong = [f"{name_of(path)}:{line}: {module}" for line, module in imported if module.split(".")[0] in SENDING_MODULES or module in SENDING_SUBMODULES]
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
        if name in SENDING_CALLS - calls:
            wrong.append(f"{name_of(path)}:{getattr(node, 'lineno', 0)}: {name}()")
    assert not wrong


def test_only_deliveries_send() -> None:
    """What sends is a channel of reports; of what runs, two commands alone reach it, and no sensor, detector or page does."""
    assert all(name.startswith("reports/channels/") for name in SENDERS)
    sending = {"reports.channels", "reports.channel", "reports.deliver", "reports.notifying", "asyncssh", "apprise"}
    users = {name_of(path) for path in SOURCES for _line, module in imports(path) if module in sending or module.startswith("reports.channels.")}
    assert {name for name in users if not name.startswith("reports/channel")} <= {
        "reports/deliver.py",
        "reports/notifying.py",
        "balefire/commands/deliver.py",
        "balefire/commands/notify.py",
    }


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_whole_rows_are_pythons_own(path: Path) -> None:
    """They have dates, which are pandas' here and none there, as `tests/conftest.py` tells of what a test runs: `flat` has them as nanoseconds."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    whole = [call.func.value for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "to_pylist"]
    read = [of for of in whole if isinstance(of, ast.Call) and isinstance(of.func, ast.Attribute) and of.func.attr in {"read", "slice"}]
    assert not [f"{name_of(path)}:{of.lineno}" for of in read]


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
