"""What nDPI calls a flow, what Arkime keeps of a session, what a test of Suricata counts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from tests.conformance.rows import Row, said

if TYPE_CHECKING:
    from pathlib import Path

FLOW = re.compile(r"(TCP|UDP) ([\d.]+):(\d+) <?-> ([\d.]+):(\d+) \[proto: [\d.]+/([\w.]+)\]")


def flows(path: Path, name: str) -> list[tuple[Row, str]]:
    """nDPI: the flows that it calls `name`, with what it says that they carry."""
    return [
        (said(source=source, source_port=int(source_port), target=target, target_port=int(target_port)), inside)
        for _, source, source_port, target, target_port, called in FLOW.findall(path.read_text())
        for first, _, inside in [called.partition(".")]
        if first == name
    ]


def sessions(path: Path) -> list[dict[str, Any]]:
    """Arkime: its sessions."""
    return [session["body"] for session in json.loads(path.read_text())["sessions3"]]


def filters(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Suricata-verify: how many events there must be, and what each says."""
    return [(check["filter"]["count"], check["filter"]["match"]) for check in yaml.safe_load(path.read_text())["checks"]]
