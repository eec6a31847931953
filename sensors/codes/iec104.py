"""The numbers of IEC 60870-5-104:2006 and IEC 60870-5-101:2003 (causes: 7.2.3; elements: 7.2.6; ASDUs: 7.3) and IEC TS 60870-5-7."""

from __future__ import annotations

from typing import Final

import numpy as np

from sensors.engine.octets import plain
from sensors.engine.tables import F32LE, I16LE, I32LE, LOW_BIT, LOW_TWO, U16LE, U32LE, table
from sensors.protocol import Function

# fmt: off
ANOMALIES: Final = (
    "bad_start", "bad_length", "short", "trailing_bytes", "bad_count", "bad_value", "bad_cause", "bad_address", "bad_time", "bad_control",
    "wrong_direction", "bad_sequence", "bad_acknowledgement", "window_exceeded", "not_started", "nonstandard_fields", "test_bit",
    "originator_changed", "acknowledged_late",
    "unsolicited",                                                        # set by pairing, and of a termination here
)
(BAD_START, BAD_LENGTH, SHORT, TRAILING_BYTES, BAD_COUNT, BAD_VALUE, BAD_CAUSE, BAD_ADDRESS, BAD_TIME, BAD_CONTROL,
 WRONG_DIRECTION, BAD_SEQUENCE, BAD_ACKNOWLEDGEMENT, WINDOW_EXCEEDED, NOT_STARTED, NONSTANDARD, TEST_BIT, ORIGINATOR_CHANGED,
 ACKNOWLEDGED_LATE, UNSOLICITED) = (1 << bit for bit in range(20))
NEGATIVE: Final = 1         # error of a negative confirmation, which says no more
FILE_ERROR: Final = 16      # and on: errors of file transfer (5-101, 7.2.6.30)
ERRORS: Final = {
    NEGATIVE: "negative_confirmation", FILE_ERROR: "file_refused", FILE_ERROR + 1: "memory_space_unavailable", FILE_ERROR + 2: "checksum_failed",
    FILE_ERROR + 3: "unexpected_service", FILE_ERROR + 4: "unexpected_file_name", FILE_ERROR + 5: "unexpected_section_name",
    44: "unknown_type_identification", 45: "unknown_cause", 46: "unknown_common_address", 47: "unknown_object_address",
}

MEASURED: Final = ("overflow", "", "", "", "blocked", "substituted", "not_topical", "invalid")  # OV, BL, SB, NT, IV
PROTECTED: Final = ("", "", "", "elapsed_time_invalid", *MEASURED[4:])
PULSES: Final = ("", "short_pulse", "long_pulse", "persistent_output")
LIMITS: Final = ("parameter", "threshold", "smoothing_factor", "low_limit", "high_limit")  # by kind of parameter (5-101, 7.2.6.24)
QUALITIES: Final = {
    "single_point": ("", *MEASURED[1:]), "double_point": ("", *MEASURED[1:]), "step_position": ("overflow", "transient", *MEASURED[2:]),
    **dict.fromkeys(("bitstring", "normalized", "scaled", "short_float", "packed_single_points"), MEASURED),
    **dict.fromkeys(("integrated_totals", "security_statistic"), ("", "", "", "", "", "carry", "adjusted", "invalid")),
    **dict.fromkeys(("protection_event", "protection_start", "protection_output"), PROTECTED),
    **dict.fromkeys(("single_command", "double_command", "regulating_step"), PULSES),
}
SPACES: Final = (
    *QUALITIES, "elapsed_time", "set_point_normalized", "set_point_scaled", "set_point_float", "bitstring_command", *LIMITS,
    "qualifier", "clock", "information_object", "file", "originator",
)
PLACE: Final = {name: number for number, name in enumerate(SPACES)}
PARAMETER, ELAPSED, QUALIFIER, CLOCK, OBJECT, FILE, ORIGINATOR = (
    PLACE[name] for name in ("parameter", "elapsed_time", "qualifier", "clock", "information_object", "file", "originator")
)

OTHER, MONITOR, COMMAND, SYSTEM, PARAMETERS, FILES = range(6)                       # groups of types
NONE, OCTET, STEP, NORMAL, SCALED, REAL, LONG, UNSIGNED, WORD, STATISTIC = range(10)  # how the value of an element reads
REFUSED: Final = (44, 45, 46, 47)
TOLD: Final = (1, 2, 3, 5, 11, 12, *range(20, 42))
DONE: Final = (6, 7, 8, 9, 10, *REFUSED)
ONCE: Final = (6, 7, *REFUSED)
LIMIT: Final = (6, 7, *range(20, 37), *REFUSED)
FILED: Final = (3, 5, 13, *REFUSED)
_TYPES: Final = {  # name: type without time tag, with CP24, with CP56; effect; group; causes; space; value, its mask; octets; qualifier at, mask; runs
    "single_point_information": (1, 2, 30, "value.report", MONITOR, TOLD, "single_point", OCTET, 1, 1, 0, 0xF0, LOW_BIT),
    "double_point_information": (3, 4, 31, "value.report", MONITOR, TOLD, "double_point", OCTET, 3, 1, 0, 0xF0, LOW_TWO),
    "step_position_information": (5, 6, 32, "value.report", MONITOR, TOLD, "step_position", STEP, 0, 2, 1, 0xF1, 0),
    "bitstring_of_32_bits": (7, 8, 33, "value.report", MONITOR, TOLD, "bitstring", UNSIGNED, 0, 5, 4, 0xF1, U32LE),
    "measured_value_normalized": (9, 10, 34, "value.report", MONITOR, TOLD, "normalized", NORMAL, 0, 3, 2, 0xF1, 0),
    "measured_value_scaled": (11, 12, 35, "value.report", MONITOR, TOLD, "scaled", SCALED, 0, 3, 2, 0xF1, I16LE),
    "measured_value_short_float": (13, 14, 36, "value.report", MONITOR, TOLD, "short_float", REAL, 0, 5, 4, 0xF1, F32LE),
    "integrated_totals": (15, 16, 37, "value.report", MONITOR, TOLD, "integrated_totals", LONG, 0, 5, 4, 0xE0, I32LE),
    "protection_event": (0, 17, 38, "value.report", MONITOR, TOLD, "protection_event", OCTET, 3, 3, 0, 0xF8, 0),
    "protection_start_events": (0, 18, 39, "value.report", MONITOR, TOLD, "protection_start", OCTET, 0x3F, 4, 1, 0xF8, 0),
    "protection_output_circuit": (0, 19, 40, "value.report", MONITOR, TOLD, "protection_output", OCTET, 0x0F, 4, 1, 0xF8, 0),
    "packed_single_points": (20, 0, 0, "value.report", MONITOR, TOLD, "packed_single_points", WORD, 0, 5, 4, 0xF1, U16LE),
    "measured_value_normalized_without_quality": (21, 0, 0, "value.report", MONITOR, TOLD, "normalized", NORMAL, 0, 2, -1, 0, 0),
    "security_statistics": (0, 0, 41, "value.report", MONITOR, TOLD, "security_statistic", STATISTIC, 0, 7, 6, 0xE0, 0),
    "single_command": (45, 0, 58, "output.operate", COMMAND, DONE, "single_command", OCTET, 1, 1, 0, 0, 0),
    "double_command": (46, 0, 59, "output.operate", COMMAND, DONE, "double_command", OCTET, 3, 1, 0, 0, 0),
    "regulating_step_command": (47, 0, 60, "output.operate", COMMAND, DONE, "regulating_step", OCTET, 3, 1, 0, 0, 0),
    "set_point_normalized": (48, 0, 61, "setpoint.write", COMMAND, DONE, "set_point_normalized", NORMAL, 0, 3, 2, 0, 0),
    "set_point_scaled": (49, 0, 62, "setpoint.write", COMMAND, DONE, "set_point_scaled", SCALED, 0, 3, 2, 0, 0),
    "set_point_short_float": (50, 0, 63, "setpoint.write", COMMAND, DONE, "set_point_float", REAL, 0, 5, 4, 0, 0),
    "bitstring_command": (51, 0, 64, "value.write", COMMAND, DONE, "bitstring_command", UNSIGNED, 0, 4, -1, 0, 0),
    "end_of_initialization": (70, 0, 0, "value.report", MONITOR, (4,), "qualifier", OCTET, 0x7F, 1, -1, 0, 0),
    "interrogation": (100, 0, 0, "interrogation", SYSTEM, DONE, "qualifier", OCTET, 255, 1, -1, 0, 0),
    "counter_interrogation": (101, 0, 0, "counter.interrogation", SYSTEM, DONE, "qualifier", OCTET, 255, 1, -1, 0, 0),
    "read": (102, 0, 0, "value.read", SYSTEM, (5, *REFUSED), "information_object", NONE, 0, 0, -1, 0, 0),
    "clock_synchronization": (0, 0, 103, "time.write", SYSTEM, (3, *ONCE), "clock", NONE, 0, 0, -1, 0, 0),
    "test_command": (104, 0, 107, "test", SYSTEM, ONCE, "qualifier", WORD, 0, 2, -1, 0, 0),
    "reset_process": (105, 0, 0, "cpu.reset", SYSTEM, ONCE, "qualifier", OCTET, 255, 1, -1, 0, 0),
    "delay_acquisition": (106, 0, 0, "time.read", SYSTEM, (3, *ONCE), "qualifier", WORD, 0, 2, -1, 0, 0),
    "parameter_normalized": (110, 0, 0, "configuration.write", PARAMETERS, LIMIT, "parameter", NORMAL, 0, 3, 2, 0, 0),
    "parameter_scaled": (111, 0, 0, "configuration.write", PARAMETERS, LIMIT, "parameter", SCALED, 0, 3, 2, 0, 0),
    "parameter_short_float": (112, 0, 0, "configuration.write", PARAMETERS, LIMIT, "parameter", REAL, 0, 5, 4, 0, 0),
    "parameter_activation": (113, 0, 0, "configuration.write", PARAMETERS, DONE, "qualifier", OCTET, 255, 1, -1, 0, 0),
    "file_ready": (120, 0, 0, "file.write", FILES, FILED, "file", NONE, 0, 6, 5, 0, 0),
    "section_ready": (121, 0, 0, "file.write", FILES, FILED, "file", NONE, 0, 7, 6, 0, 0),
    "call_or_select_file": (122, 0, 0, "file.read", FILES, FILED, "file", NONE, 0, 4, 3, 0, 0),
    "last_section_or_segment": (123, 0, 0, "file.write", FILES, FILED, "file", NONE, 0, 5, 3, 0, 0),
    "acknowledge_file_or_section": (124, 0, 0, "file.read", FILES, FILED, "file", NONE, 0, 4, 3, 0, 0),
    "file_segment": (125, 0, 0, "file.write", FILES, FILED, "file", NONE, 0, 4, 3, 0, 0),  # and as many octets as its last one says
    "file_directory": (0, 0, 126, "directory.read", FILES, FILED, "file", NONE, 0, 6, 5, 0, 0),
    "query_log": (0, 0, 127, "file.read", FILES, FILED, "file", NONE, 0, 9, -1, 0, 0),
}
SECURITY: Final = {  # IEC TS 60870-5-7: what they hold is not described here
    81: ("authentication_challenge", "credential.use"), 82: ("authentication_reply", "credential.use"), 83: ("aggressive_mode_request", "credential.use"),
    84: ("session_key_status_request", "credential.use"), 85: ("session_key_status", "credential.use"), 86: ("session_key_change", "credential.use"),
    87: ("authentication_error", "error.report"), 90: ("user_status_change", "credential.change"), 91: ("update_key_change_request", "credential.change"),
    92: ("update_key_change_reply", "credential.change"), 93: ("update_key_change_symmetric", "credential.change"),
    94: ("update_key_change_asymmetric", "credential.change"), 95: ("update_key_change_confirmation", "credential.change"),
}
SUPERVISE, START, START_DONE, STOP, STOP_DONE, PROBE, PROBE_DONE = 0x01, 0x07, 0x0B, 0x13, 0x23, 0x43, 0x83  # first control octets (5-104, 5.1)
ACTIVATION, DEACTIVATION, DEACTIVATED, TERMINATION, SPONTANEOUS, REQUESTED = 6, 8, 9, 10, 3, 5
READ, CLOCK_SYNCHRONIZATION, COUNTERS, INTERROGATION, TEST, RESET, DELAY, ACTIVATE = 102, 103, 101, 100, 104, 105, 106, 113
READY, SECTION, CALL, LAST, ACKNOWLEDGE, SEGMENT, DIRECTORY = range(120, 127)

_TAGS: Final = (("", 0), ("_with_time_tag", 3), ("_with_cp56time2a", 7))
_forms: Final = table(256, np.dtype([(name, "i8") for name in (
    "group", "causes", "space", "read", "mask", "size", "qualifier_at", "qualifier_mask", "run", "tag", "elapsed_at",
)]))
FUNCTIONS: Final = {
    str(SUPERVISE): Function("supervisory", "test"),
    str(START): Function("start_data_transfer", "session.open"), str(START_DONE): Function("start_data_transfer_confirmation", "session.open"),
    str(STOP): Function("stop_data_transfer", "session.close"), str(STOP_DONE): Function("stop_data_transfer_confirmation", "session.close"),
    str(PROBE): Function("test_frame", "test"), str(PROBE_DONE): Function("test_frame_confirmation", "test"),
    **{f"{number}/*": Function(*one) for number, one in SECURITY.items()},
}
for _name, (*_numbers, _effect, _group, _causes, _space, _read, _mask, _size, _at, _qualified, _run) in _TYPES.items():
    for _number, (_suffix, _octets) in zip(_numbers, _TAGS, strict=True):
        if not _number:
            continue
        _tagged = _name + _suffix if _group in (MONITOR, COMMAND) or _number == 107 else _name
        FUNCTIONS[f"{_number}/*"] = Function(_tagged, _effect)
        if DEACTIVATION in _causes:
            FUNCTIONS[f"{_number}/{DEACTIVATION}"] = Function(f"{_tagged}_deactivation", "output.cancel")
            FUNCTIONS[f"{_number}/{TERMINATION}"] = Function(f"{_tagged}_termination", "value.report")
        _forms[_number] = (_group, sum(1 << cause for cause in _causes), PLACE[_space], _read, _mask, _size + _octets, _at, _qualified, 0 if _octets else _run,
                           _octets, _size - 2 if "protection" in _name else 0)
FORMS: Final = plain(_forms)
CAUSES: Final = {  # as IEC 60870-5-101:2003, 7.2.3, abbreviates them
    1: "per/cyc", 2: "back", 3: "spont", 4: "init", 5: "req", 6: "act", 7: "actcon", 8: "deact", 9: "deactcon", 10: "actterm", 11: "retrem", 12: "retloc",
    13: "file", 20: "inrogen", **{20 + group: f"inro{group}" for group in range(1, 17)}, 37: "reqcogen",
    **{37 + group: f"reqco{group}" for group in range(1, 5)},
}

LAYOUTS: Final = (  # octets of cause, common address and object address; the standard's own first, then as they are likely
    (2, 2, 3), (1, 1, 2), (2, 2, 2), (2, 1, 2), (1, 2, 2), (1, 1, 3), (2, 1, 3), (1, 2, 3),
)
_layouts: Final = table(len(LAYOUTS), np.dtype([(name, "i8") for name in ("cause", "unit", "address")]))
for _row, _layout in enumerate(LAYOUTS):
    _layouts[_row] = _layout
LAYOUT: Final = plain(_layouts)
# fmt: on
