"""Which shipped rules fire on which capture. `tests/firing.txt` is the whole answer; `python -m tests.firing` writes it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.detection import found as told
from tests.firing import SHARED, book, captures, fired, table
from tests.require import need

OF_DETECTORS: Final = {rule for pairs in told().values() for detector, rule in pairs if detector != "rules"}
LEVELS: Final = {rule.id: rule.level for rule in book().rules}
# Nothing but the plant at work, as whoever recorded it says. Other captures hold attacks, tests of a stack, or the work of an engineer.
BENIGN: Final = (
    "attacks/umas-lemorn1/normal1_stop.pcap",
    "attacks/umas-lemorn1/normal2_stop.pcap",
    "attacks/umas-lemorn1/normal3_run.pcap",
    "attacks/umas-lemorn1/normal_run1.pcap",
    "attacks/s7-qut/20161215180642.ChangeUpperThreshold.hmi.pcap",
    "attacks/s7-qut/20161215190548.WaterTankOnManu_Flooding.hmi.pcap",
    "attacks/s7-qut/20161215230556.ConveyorBeltReset.hmi.pcap",
    "conformance/ITI+ICS-Security-Tools/pcaps/EthernetIP/EthernetIP-CIP.pcap",
    "conformance/ITI+ICS-Security-Tools/pcaps/ModbusTCP/ModbusTCP.pcap",
    "conformance/ITI+ICS-Security-Tools/pcaps/modicon/modicon_test.pcap",
    "conformance/ITI+ICS-Security-Tools/pcaps/s7/s7comm_varservice_libnodavedemo_bench.pcap",
    "conformance/cisagov+icsnpp-dnp3/testing/traces/dnp3_example.pcap",
    "conformance/fkie-cad+ipal_transcriber/misc/pcaps/cip.pcapng",
    "conformance/fkie-cad+ipal_transcriber/misc/pcaps/iec104.pcap",
    "conformance/fkie-cad+ipal_transcriber/misc/pcaps/modbus.pcap",
    "conformance/parsitects+zeek-iec104/testing/Traces/first/iec104.pcap",
    "conformance/zeek+zeek/testing/btest/Traces/dnp3/dnp3_read.pcap",
    "conformance/zeek+zeek/testing/btest/Traces/modbus/modbusSmall.pcap",
)
# A plant at work on which a rule is right to speak up: its devices are reached over the Internet; its client measures how fast it can write.
SAID: Final = {"control-leaves": 1, "write-flood": 1}


# No capture shows these: nothing that we have or make speaks what they look for.
UNSHOWN: Final = {"alarm-acknowledged", "controller-reserved", "forced-value-released", "password-changed", "request-flood", "value-forced"}


@pytest.mark.parametrize("name", table())
def test_the_rules_that_fire_are_those_of_the_table(name: str) -> None:
    files = captures()
    if "/" in name:
        need("captures", SHARED.is_dir(), "the captures of others are not beside this checkout")
    assert fired(files[name]) == table()[name]


def test_the_table_holds_every_capture_of_ours_and_all_rules_but_a_few() -> None:
    assert {name for name in captures() if "/" not in name} <= set(table())
    firing = {rule for found in table().values() for rule in found}
    assert set(LEVELS) - firing == UNSHOWN
    assert firing - set(LEVELS) <= OF_DETECTORS


def test_on_a_plant_at_work_no_grave_rule_fires() -> None:
    said: dict[str, int] = {}
    for name in BENIGN:
        for rule in table()[name]:
            assert rule in LEVELS, (name, rule)  # no detector has anything to say
            assert LEVELS[rule] not in {"high", "critical"}, (name, rule)
            if LEVELS[rule] == "medium":
                said[rule] = said.get(rule, 0) + 1
    assert said == SAID


def test_the_status_of_a_rule_is_what_captures_of_others_prove() -> None:
    """As FORMAT.md has it. An origin is whoever published a capture: the folder of a repository or a collection."""
    origins: dict[str, set[str]] = {rule.id: set() for rule in book().rules}
    for name, found in table().items():
        for rule in found.keys() & origins if "/" in name else ():
            origins[rule].add("/".join(name.split("/")[:2]))
    noisy = {rule for name in BENIGN for rule in table()[name]}
    proven = {rule: ("experimental", "test", "stable")[0 if rule in noisy else min(len(found), 2)] for rule, found in origins.items()}
    assert {rule.id: rule.status for rule in book().rules} == proven
    assert set(proven.values()) == {"experimental", "test", "stable"}
