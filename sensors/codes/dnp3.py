"""The numbers of DNP3 and what they mean: functions, statuses, objects and how each variation is laid out (IEEE 1815-2012: 4.2, 9.2, 11, annex A)."""

from __future__ import annotations

from typing import Final

import numpy as np

from records.effects import NUMBER
from sensors.engine import tables
from sensors.engine.octets import plain
from sensors.engine.tables import table
from sensors.protocol import OCTETS, PIECE, Function

# fmt: off
ANOMALIES: Final = (
    "bad_start", "bad_length", "short", "bad_crc", "bad_direction", "transport_sequence", "transport_interrupted", "too_long",
    "fragment_sequence", "bad_qualifier", "bad_range", "bad_value", "unknown_object", "repeated_frame",         # of one message, set here
    "echo_mismatch", "unsolicited", "reused_transaction",               # set by pairing; more than a second is not late on a slow line
)
(BAD_START, BAD_LENGTH, SHORT, BAD_CRC, BAD_DIRECTION, TRANSPORT_SEQUENCE, TRANSPORT_INTERRUPTED, TOO_LONG,
 FRAGMENT_SEQUENCE, BAD_QUALIFIER, BAD_RANGE, BAD_VALUE, UNKNOWN_OBJECT, REPEATED_FRAME) = (1 << bit for bit in range(14))
LINK_LAYER: Final = 256     # first number of the code path of a frame without application data; the second is PRM (64) and the link function

# Functions that are looked at by number.
READ, WRITE, SELECT, DIRECT_NO_ACK = 1, 2, 3, 6
OPEN_FILE, AUTHENTICATE, AUTHENTICATE_NO_ACK, RESPONDS, REPORTS, AUTHENTICATION_RESPONSE = 25, 32, 33, 129, 130, 131
CONTROLS: Final = {3: "select", 4: "operate", 5: "direct_operate", 6: "direct_operate_no_ack"}
OPERATIONS: Final = {0: "nul", 1: "pulse_on", 2: "pulse_off", 3: "latch_on", 4: "latch_off"}
TRIP_CLOSE: Final = {0: "", 64: "_close", 128: "_trip"}

FUNCTIONS: Final = {
    "0": Function("confirm", "data.exchange"),
    "1": Function("read", "value.read", PIECE),
    "2": Function("write", "value.write", PIECE),
    "3": Function("select", "output.select"),
    "4": Function("operate", "output.operate"),
    "5": Function("direct_operate", "output.operate"),
    "6": Function("direct_operate_no_ack", "output.operate"),
    "7": Function("immediate_freeze", "counter.freeze"),
    "8": Function("immediate_freeze_no_ack", "counter.freeze"),
    "9": Function("freeze_and_clear", "counter.freeze"),
    "10": Function("freeze_and_clear_no_ack", "counter.freeze"),
    "11": Function("freeze_at_time", "counter.freeze"),
    "12": Function("freeze_at_time_no_ack", "counter.freeze"),
    "13": Function("cold_restart", "cpu.reset"),
    "14": Function("warm_restart", "cpu.reset"),
    "15": Function("initialize_data", "configuration.write"),
    "16": Function("initialize_application", "program.activate"),
    "17": Function("start_application", "program.activate"),
    "18": Function("stop_application", "cpu.stop"),
    "19": Function("save_configuration", "memory.copy"),
    "20": Function("enable_unsolicited", "reporting.enable"),
    "21": Function("disable_unsolicited", "reporting.disable"),
    "22": Function("assign_class", "configuration.write"),
    "23": Function("delay_measurement", "time.read"),
    "24": Function("record_current_time", "time.read"),
    "25": Function("open_file", "file.read", OCTETS),                    # opened to write: its row says so
    "26": Function("close_file", "session.close"),
    "27": Function("delete_file", "file.delete"),
    "28": Function("get_file_information", "directory.read"),
    "29": Function("authenticate_file", "credential.use"),
    "30": Function("abort_file", "session.close"),
    "31": Function("activate_configuration", "program.activate"),
    "32": Function("authentication_request", "session.open"),
    "33": Function("authentication_request_no_ack", "session.open"),
    "129": Function("response", "value.report", PIECE),                  # a response without its request, or the further fragments of one
    "130": Function("unsolicited_response", "value.report"),
    "131": Function("authentication_response", "session.open"),
    "256/0": Function("link_ack", "test"),
    "256/1": Function("link_nack", "error.report"),
    "256/11": Function("link_status", "test"),
    "256/14": Function("link_service_not_functioning", "error.report"),
    "256/15": Function("link_service_not_supported", "error.report"),
    "256/64": Function("reset_link_states", "session.open"),
    "256/65": Function("reset_user_process", "cpu.reset"),
    "256/66": Function("test_link_states", "test"),
    "256/67": Function("confirmed_user_data", "data.exchange"),          # data that cannot be put together
    "256/68": Function("unconfirmed_user_data", "data.exchange"),
    "256/73": Function("request_link_status", "test"),
    **{
        f"{code}/{trip | operation}": Function(f"{name}_{word}{side}", "output.select" if code == 3 else "output.operate")
        for code, name in CONTROLS.items() for operation, word in OPERATIONS.items() for trip, side in TRIP_CLOSE.items()
    },
}
LINK_ERROR, FILE_ERROR, AUTHENTICATION_ERROR, INDICATED_ERROR = 1024, 512, 768, 256  # added to the numbers of statuses, so that one row has one error
ERRORS: Final = {
    **dict(enumerate((
        "control_timeout", "no_select", "control_format_error", "control_not_supported", "already_active", "hardware_error", "local_control_only",
        "too_many_objects", "not_authorized", "automation_inhibited", "processing_limited", "control_out_of_range", "downstream_local", "already_complete",
        "control_blocked", "control_cancelled", "blocked_by_other_master", "downstream_fail",
    ), 1)),
    126: "non_participating", 127: "control_undefined",
    **{INDICATED_ERROR + bit: name for bit, name in
       ((0, "no_func_code_support"), (1, "object_unknown"), (2, "parameter_error"), (4, "already_executing"), (5, "config_corrupt"))},
    **{FILE_ERROR + status: f"file_{name}" for status, name in (
        (1, "permission_denied"), (2, "invalid_mode"), (3, "not_found"), (4, "locked"), (5, "too_many_open"), (6, "invalid_handle"), (7, "write_block_size"),
        (8, "comm_lost"), (9, "cannot_abort"), (16, "not_opened"), (17, "handle_expired"), (18, "buffer_overrun"), (19, "fatal_error"), (20, "block_sequence"),
        (255, "undefined_error"),
    )},
    **{AUTHENTICATION_ERROR + code: f"authentication_{name}" for code, name in enumerate((
        "failed", "unexpected_reply", "no_reply", "aggressive_not_supported", "mac_not_supported", "key_wrap_not_supported", "user_unknown",
        "update_method_not_supported", "role_unknown", "wrong_certificate", "signature_failed", "certificate_unsupported",
    ), 1)},
    LINK_ERROR + 1: "link_nack", LINK_ERROR + 14: "link_service_not_functioning", LINK_ERROR + 15: "link_service_not_supported",
}
INDICATIONS: Final = (
    "broadcast", "class_1_events", "class_2_events", "class_3_events", "need_time", "local_control", "device_trouble", "device_restart",
    "no_func_code_support", "object_unknown", "parameter_error", "event_buffer_overflow", "already_executing", "config_corrupt",
)
ERROR_INDICATIONS: Final = 0b110111 << 8  # those that say what is wrong with the request, or that nothing can be right
_POINT: Final = ("online", "restart", "comm_lost", "remote_forced", "local_forced")
_ANALOG: Final = (*_POINT, "over_range", "reference_error")
_COUNTER: Final = (*_POINT, "rollover", "discontinuity")
QUALITIES: Final = {
    "binary_input": (*_POINT, "chatter_filter"), "double_bit_input": (*_POINT, "chatter_filter"), "binary_output": _POINT,
    "counter": _COUNTER, "frozen_counter": _COUNTER, "analog_input": _ANALOG, "frozen_analog_input": _ANALOG, "analog_output": _ANALOG,
    "internal_indications": INDICATIONS,
}

# What is done where objects of a group are read or written, where it is not the function's own effect.
READING: Final = {
    0: "identity.read", 34: "configuration.read", 50: "time.read", 51: "time.read", 52: "time.read", 70: "file.read", 80: "diagnostics.read",
    81: "diagnostics.read", 82: "identity.read", 83: "identity.read", 121: "diagnostics.read", 122: "diagnostics.read",
}
WRITING: Final = {
    0: "configuration.write", 34: "configuration.write", 40: "setpoint.write", 41: "setpoint.write", 50: "time.write", 51: "time.write", 70: "file.write",
    80: "diagnostics.reset", 112: "configuration.write", 120: "credential.change",
}

# Groups: address space, and how the variations 1, 2 … are laid out. b: packed bits, bb: packed pairs of bits. Else one after the other: f: flags,
# B: flags with a state in the highest bit, D: with a state in the two highest, s: status, i r u and a number: value of so many octets, t: time of six
# octets, d: relative time of two, o and a number: other octets. -: no data. ?: not told by the variation (special, or sized by its prefix).
GROUPS: Final = {
    0: ("device_attribute", ""),
    1: ("binary_input", "b B"),
    2: ("binary_input", "B Bt Bd"),
    3: ("double_bit_input", "bb D"),
    4: ("double_bit_input", "D Dt Dd"),
    10: ("binary_output", "b B"),
    11: ("binary_output", "B Bt"),
    12: ("binary_output", "o11 o11 b"),
    13: ("binary_command", "B Bt"),
    20: ("counter", "fu4 fu2 fu4 fu2 u4 u2 u4 u2"),
    21: ("frozen_counter", "fu4 fu2 fu4 fu2 fu4t fu2t fu4t fu2t u4 u2 u4 u2"),
    22: ("counter", "fu4 fu2 fu4 fu2 fu4t fu2t fu4t fu2t"),
    23: ("frozen_counter", "fu4 fu2 fu4 fu2 fu4t fu2t fu4t fu2t"),
    30: ("analog_input", "fi4 fi2 i4 i2 fr4 fr8"),
    31: ("frozen_analog_input", "fi4 fi2 fi4t fi2t i4 i2 fr4 fr8"),
    32: ("analog_input", "fi4 fi2 fi4t fi2t fr4 fr8 fr4t fr8t"),
    33: ("frozen_analog_input", "fi4 fi2 fi4t fi2t fr4 fr8 fr4t fr8t"),
    34: ("analog_deadband", "u2 u4 r4"),
    40: ("analog_output", "fi4 fi2 fr4 fr8"),
    41: ("analog_output", "i4s i2s r4s r8s"),
    42: ("analog_output", "fi4 fi2 fi4t fi2t fr4 fr8 fr4t fr8t"),
    43: ("analog_command", "si4 si2 si4t si2t sr4 sr8 sr4t sr8t"),
    50: ("time", "u6 u6o4 u6 u6o5"),
    51: ("common_time", "u6 u6"),
    52: ("time_delay", "u2 u2"),
    60: ("class", "- - - -"),
    70: ("file", "? ? ? ? ? ? ? ?"),
    80: ("internal_indications", "b"),
    81: ("storage", "u1o2"),
    82: ("device_profile", "?"),
    83: ("private_object", "? ?"),
    85: ("data_set", "?"),
    86: ("data_set", "? ? ?"),
    87: ("data_set", "?"),
    88: ("data_set", "?"),
    90: ("application", "?"),
    91: ("request_status", "?"),
    101: ("bcd", "o2 o4 o8"),
    102: ("unsigned", "u1"),
    110: ("octet_string", ""),
    111: ("octet_string", ""),
    112: ("virtual_terminal", ""),
    113: ("virtual_terminal", ""),
    120: ("authentication", "? ? o6 o2 ? ? ? ? ? ? ? ? ? ? ?"),
    121: ("security_statistic", "fo2u4"),
    122: ("security_statistic", "fo2u4 fo2u4t"),
}
# fmt: on
_OWN_SPACES: Final = ("object", "control_code", "control_count", "control_on_time", "control_off_time")
SPACES: Final = (*dict.fromkeys(space for space, _ in GROUPS.values()), *_OWN_SPACES)

BITS, PAIRS, STATE_PAIR = 1, 2, 100  # bits: packed; the state in the two highest bits of an octet has no encoding of the engine's
ABSOLUTE, RELATIVE = 1, 2
VALUES: Final = {
    "i2": tables.I16LE, "i4": tables.I32LE, "u1": tables.U8, "u2": tables.U16LE, "u4": tables.U32LE, "r4": tables.F32LE, "r8": tables.F64LE,
    "B": tables.TOP_BIT, "D": STATE_PAIR,
}  # fmt: skip
TIME: Final = 101  # a value that is a time of six octets

# known: 1 where the variation tells the octets
OBJECT: Final = np.dtype([(name, "i8") for name in ("known", "octets", "bits", "encoding", "value_at", "quality_at", "time", "time_at")])
GROUP: Final = np.dtype([(name, "i8") for name in ("base", "most", "space", "read", "write")])


def _layout(text: str, qualified: bool) -> tuple[int, ...]:
    """The row of a variation; `qualified`: flags of its space have names."""
    if text in ("b", "bb"):
        return 1, 0, len(text), 0, 0, -1, 0, 0
    at, encoding, value_at, quality_at, time, time_at = 0, 0, 0, -1, 0, 0
    rest = text.strip("-?")
    while rest:
        word = rest[:2] if rest[0] in "iru" else rest[:1]
        if rest[0] == "o":
            digits = len(rest[1:]) - len(rest[1:].lstrip("0123456789"))
            word = rest[: 1 + digits]
        if word in VALUES or word == "u6":
            encoding, value_at = VALUES.get(word, TIME), at
        if word in "fBD":
            quality_at = at
        if word in "td":
            time, time_at = (ABSOLUTE if word == "t" else RELATIVE), at
        at += int(word[1:]) if len(word) > 1 else {"t": 6, "d": 2}.get(word, 1)
        rest = rest[len(word) :]
    return int(text != "?"), at, 0, encoding, value_at, quality_at if qualified else -1, time, time_at


def _tables() -> tuple[np.recarray, np.recarray]:
    rows = [(0, 0, 0, 0, 0, -1, 0, 0)]
    groups = table(256, GROUP)
    groups.space = groups.read = groups.write = -1
    for group, (space, layouts) in GROUPS.items():
        made = [_layout(text, space in QUALITIES) for text in layouts.split()]
        read, write = (NUMBER[named[group]] if group in named else -1 for named in (READING, WRITING))
        groups[group] = (len(rows) - 1, len(made), SPACES.index(space), read, write)
        rows += made
    objects = table(len(rows), OBJECT)
    for number, row in enumerate(rows):
        objects[number] = row
    return objects, groups


_objects, _groups = _tables()
OBJECTS: Final = plain(_objects)  # group and variation are the row `base` + variation of the group; row 0 is that of all that are not known
GROUP_ROWS: Final = plain(_groups)


def _crc_table() -> list[int]:
    """CRC-16 of DNP (polynomial x16+x13+x12+x11+x10+x8+x6+x5+x2+1, reflected) of an octet, and of one with one, two and three zeros behind it."""
    made = list(range(256))
    for _ in range(8):
        made = [crc >> 1 ^ 0xA6BC if crc & 1 else crc >> 1 for crc in made]
    for place in range(256, 1024):
        before = made[place - 256]
        made.append(before >> 8 ^ made[before & 255])
    return made


CRC: Final = plain(np.array(_crc_table(), np.int64))
