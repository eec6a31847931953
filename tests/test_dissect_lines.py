"""What `balefire dissect` shows people: names whole, a select told from what is carried out, and why a station spoke."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from balefire.listing import AHEAD, WIDTHS, shown
from detectors.phrases import measured
from sensors.protocol import is_label
from tests.cli import CAPTURES, lines, program
from tests.test_iec104 import CLIENT, STATION, asdu, frame
from tests.wire import Talk, save

if TYPE_CHECKING:
    from pathlib import Path


def columns(*words: object) -> list[list[str]]:
    printed = program("dissect", *words, environment={"BALEFIRE_LANGUAGE": "en"}).stdout.decode().splitlines()
    return [re.split(r" {2,}", line.strip()) for line in printed]


def test_select_and_execute_differ_and_their_cause_is_shown(tmp_path: Path) -> None:
    talk = Talk(port=2404).open()
    orders = [(CLIENT, 6, "82"), (STATION, 7, "82"), (CLIENT, 6, "02"), (STATION, 7, "02"), (STATION, 10, "02")]
    sent = [0, 0]
    for side, cause, element in orders:
        talk.put(side, frame(asdu(46, cause, f"070000 {element}"), side, sent[side], sent[1 - side]).data)
        sent[side] += 1
    talk.put(STATION, frame(asdu(30, 3, "0A0000 01 E322370F710809"), STATION, sent[1], sent[0]).data)
    actions = [cells[4] for cells in columns(save(talk.packets, tmp_path / "orders.pcap"))]
    assert actions == [
        "Action", "double_command · act · output.select", "double_command · act", "double_command_termination · actterm",
        "single_point_information_with_cp56time2a · spont",
    ]  # fmt: skip


def test_an_object_is_written_without_its_number_where_its_name_says_it() -> None:
    about = {"space": "object", "first": (109 << 36) + (7 << 16), "last": (109 << 36) + (7 << 16)}
    said = {name: is_label("cip", {**about, "name": name}) for name in ("routine 7", "program 5/routine 7", "program 5/routine 17", "my routine 7", None)}
    assert said == {"routine 7": True, "program 5/routine 7": True, "program 5/routine 17": False, "my routine 7": False, None: False}
    assert not is_label("cip", {"space": "file", "name": "pump.bin", "first": 101, "last": 101})


def test_how_much_of_a_program_was_moved() -> None:
    about = {"network.protocol": "s7comm", "event.action": "end_upload", "ot.effect": "program.upload"}
    moved = [measured({**about, "event.action": action}, 12288) for action in ("end_upload", "upload", "plc_stop")]
    assert [*moved, measured(about, None)] == ["12288 B", "+12288 B", "12288", ""]
    told = [measured({"network.protocol": "dnp3", "event.action": "read", "ot.effect": effect}, 3) for effect in ("file.read", "value.read")]
    assert told == ["#3", "3"]
    (operation, *_) = lines("dissect", CAPTURES / "s7comm.pcap")
    uploaded: dict[str, Any] = {**operation, "protocol": "s7comm", "object": {}, "values": [216.0], "action": "end_upload", "effect": "program.upload"}
    assert "  216 B  " in list(shown([uploaded], "en", live=False))[1].plain


def test_no_action_is_cut() -> None:
    for capture in ("iec104", "dnp3", "s7comm", "enip"):
        operations = lines("dissect", CAPTURES / f"{capture}.pcap")
        shown_actions = [cells[4].split(" · ")[0] for cells in columns(CAPTURES / f"{capture}.pcap")[1:]]
        assert shown_actions == [operation["action"] for operation in operations]


def test_columns_grow_with_what_comes_up_to_a_bound() -> None:
    (operation, *_) = lines("dissect", CAPTURES / "iec104.pcap")
    longer = {**operation, "action": "x" * 50}
    most = next(most for name, _least, most in WIDTHS if name == "action")
    late = [text.plain for text in shown([operation] * AHEAD + [longer, operation, {**operation, "action": "y" * 500}], "en", live=False)]
    assert len({line.index("success") for line in late[1 : AHEAD + 1]}) == 1
    assert late[AHEAD + 2].index("success") == late[AHEAD + 1].index("success") > late[1].index("success")
    assert late[-1].count("y") == most
    assert next(shown(iter([operation]), "en", live=True)).plain.startswith("Packet")
