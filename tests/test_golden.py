"""Golden rows: whole sessions are told as they were, column by column, and each session has what its protocol is used for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.golden import HERE, MADE, SESSIONS, rows

EVERYWHERE = {"value.read", "value.write", "output.operate", "identity.read", "cpu.reset", "file.read", "file.write"}
WANTED = {
    "modbus-made": EVERYWHERE | {"configuration.write", "restriction.listen_only", "diagnostics.reset"},
    "dnp3-made": EVERYWHERE - {"value.write"}
    | {"output.select", "setpoint.write", "time.write", "counter.freeze", "reporting.enable", "file.delete", "cpu.stop"},
    "iec104-made": EVERYWHERE - {"identity.read", "value.read", "file.write"}
    | {"output.select", "output.cancel", "setpoint.write", "interrogation", "time.write", "configuration.write"},
    "s7comm-made": EVERYWHERE - {"file.read", "file.write", "cpu.reset"}
    | {"program.download", "program.upload", "program.activate", "program.delete", "cpu.stop", "cpu.start", "value.force", "memory.copy", "time.write"},
    "enip-made": EVERYWHERE - {"output.operate"}
    | {"program.download", "program.upload", "program.delete", "cpu.stop", "cpu.start", "firmware.mode", "firmware.write", "session.reserve", "value.unforce"},
}  # fmt: skip


def golden(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_is_told_as_it_was(name: str) -> None:
    found, wanted = [json.loads(line) for line in rows(name)], golden(name)
    for number, (one, other) in enumerate(zip(found, wanted, strict=False)):
        assert one == other, f"line {number + 1} differs; if that is meant: python -m tests.golden"
    assert len(found) == len(wanted)


@pytest.mark.parametrize("name", MADE)
def test_a_session_has_what_its_protocol_is_used_for(name: str) -> None:
    operations = [row for row in golden(name) if "action" in row]
    assert {row.get("effect") for row in operations} >= WANTED[name]
    assert any(row["outcome"] == "failure" and row.get("error") for row in operations), "a refusal"
    assert [row["action"] for row in operations if row.get("anomaly")] == []
    assert len(golden(name)) > len(operations), "and points"
