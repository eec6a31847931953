"""The codes of S7comm: functions, errors, areas, types, as Siemens' manuals name them (System Software for S7-300/400: System and Standard Functions)."""

from __future__ import annotations

from typing import Final

from sensors.engine.tables import F32BE, I16BE, I32BE, LOW_BIT, U8, U16BE, U32BE
from sensors.protocol import FROM, OCTETS, Function

# fmt: off
# Functions of jobs by number; PI services (40) by their place in PI_SERVICES; user data by group and subfunction.
FUNCTIONS: Final = {
    "0": Function("cpu_services", "unknown"),
    "4": Function("read_var", "value.read"),
    "5": Function("write_var", "value.write"),                             # outputs: output.operate
    "26": Function("request_download", "program.download", OCTETS),
    "27": Function("download_block", "program.download", FROM),
    "28": Function("download_ended", "program.download", OCTETS),
    "29": Function("start_upload", "program.upload", OCTETS),
    "30": Function("upload", "program.upload", FROM),
    "31": Function("end_upload", "program.upload", OCTETS),
    "40": Function("pi_service", "unknown"),
    "40/1": Function("insert_block", "program.activate"),
    "40/2": Function("delete_block", "program.delete"),
    "40/3": Function("warm_restart", "cpu.start"),
    "40/4": Function("cold_restart", "cpu.start"),
    "40/5": Function("compress_memory", "configuration.write"),
    "40/6": Function("copy_ram_to_rom", "memory.copy"),
    "41": Function("plc_stop", "cpu.stop"),
    "240": Function("setup_communication", "session.open"),
    "255": Function("acknowledgement", "unknown"),                         # names no function; its request was not seen
    "7/0/0": Function("mode_transition_stop", "value.report"),
    "7/0/1": Function("mode_transition_warm_restart", "value.report"),
    "7/0/2": Function("mode_transition_run", "value.report"),
    "7/0/3": Function("mode_transition_hot_restart", "value.report"),
    "7/0/4": Function("mode_transition_hold", "value.report"),
    "7/0/6": Function("mode_transition_cold_restart", "value.report"),
    "7/0/9": Function("mode_transition_run_redundant", "value.report"),
    "7/0/11": Function("mode_transition_link_up", "value.report"),
    "7/0/12": Function("mode_transition_update", "value.report"),
    "7/1/1": Function("block_status", "value.read"),
    "7/1/2": Function("variable_status", "value.read"),
    "7/1/3": Function("output_istack", "diagnostics.read"),
    "7/1/4": Function("output_bstack", "diagnostics.read"),
    "7/1/5": Function("output_lstack", "diagnostics.read"),
    "7/1/6": Function("time_measurement", "diagnostics.read"),
    "7/1/7": Function("force_selection", "unknown"),
    "7/1/8": Function("modify_variable", "value.write"),
    "7/1/9": Function("force", "value.force"),
    "7/1/10": Function("breakpoint", "mode.change"),                       # the controller goes to HOLD there
    "7/1/11": Function("exit_hold", "mode.change"),
    "7/1/12": Function("memory_reset", "program.delete"),
    "7/1/13": Function("disable_job", "configuration.write"),
    "7/1/14": Function("enable_job", "configuration.write"),
    "7/1/15": Function("delete_job", "session.close"),                     # ends every watch table
    "7/1/16": Function("read_job_list", "diagnostics.read"),
    "7/1/17": Function("read_job", "diagnostics.read"),
    "7/1/18": Function("replace_job", "configuration.write"),
    "7/1/19": Function("block_status_v2", "value.read"),
    "7/1/22": Function("flash_led", "test"),
    "7/2/1": Function("cyclic_transfer", "value.read"),
    "7/2/4": Function("cyclic_unsubscribe", "session.close"),
    "7/2/5": Function("change_driven_transfer", "value.read"),
    "7/2/7": Function("change_driven_transfer_modify", "value.read"),
    "7/2/8": Function("read_record", "value.read"),
    "7/3/1": Function("list_blocks", "directory.read"),
    "7/3/2": Function("list_blocks_of_type", "directory.read"),
    "7/3/3": Function("get_block_info", "directory.read"),
    "7/4/1": Function("read_szl", "diagnostics.read"),                     # identity.read and mode.read by list
    "7/4/2": Function("message_service", "reporting.enable"),
    "7/4/3": Function("diagnostic_message", "error.report"),
    "7/4/5": Function("alarm_8_indication", "error.report"),
    "7/4/6": Function("notify_indication", "error.report"),
    "7/4/7": Function("alarm_8_lock", "alarm.configure"),
    "7/4/8": Function("alarm_8_unlock", "alarm.configure"),
    "7/4/9": Function("scan_indication", "value.report"),
    "7/4/11": Function("alarm_acknowledge", "alarm.acknowledge"),
    "7/4/12": Function("alarm_acknowledge_indication", "error.report"),
    "7/4/13": Function("alarm_lock_indication", "error.report"),
    "7/4/14": Function("alarm_unlock_indication", "error.report"),
    "7/4/17": Function("alarm_sq_indication", "error.report"),
    "7/4/18": Function("alarm_s_indication", "error.report"),
    "7/4/19": Function("alarm_query", "diagnostics.read"),
    "7/4/22": Function("notify_8_indication", "error.report"),
    "7/5/1": Function("set_session_password", "credential.use"),
    "7/5/2": Function("clear_session_password", "session.close"),
    "7/6/*": Function("block_send_receive", "data.exchange"),              # BSEND and BRECV, by R_ID
    "7/7/1": Function("read_clock", "time.read"),
    "7/7/2": Function("set_clock", "time.write"),
    "7/7/3": Function("read_clock_following", "time.read"),
    "7/7/4": Function("set_clock_following", "time.write"),
    "7/15/1": Function("nc_request_download", "program.download"),
    "7/15/2": Function("nc_download_block", "program.download"),
    "7/15/3": Function("nc_continue_download", "program.download"),
    "7/15/4": Function("nc_download_ended", "program.download"),
    "7/15/6": Function("nc_start_upload", "program.upload"),
    "7/15/7": Function("nc_upload", "program.upload"),
    "7/15/8": Function("nc_continue_upload", "program.upload"),
}
# Return codes of items (one octet); class and code of jobs and user data (two octets).
ERRORS: Final = {
    0x01: "hardware_fault", 0x03: "access_denied", 0x05: "address_out_of_range", 0x06: "data_type_not_supported", 0x07: "data_type_inconsistent",
    0x0A: "object_does_not_exist",
    0x0110: "invalid_block_number", 0x0111: "invalid_request_length", 0x0112: "invalid_parameter", 0x0113: "invalid_block_type", 0x0114: "block_not_found",
    0x0115: "block_already_exists", 0x0116: "block_write_protected", 0x0119: "incorrect_password", 0x011C: "protocol_error", 0x0140: "insufficient_memory",
    0x8001: "wrong_block_state", 0x8003: "block_transfer_error", 0x8100: "unknown_service", 0x8104: "service_not_implemented",
    0x8204: "inconsistent_type", 0x8301: "insufficient_work_memory", 0x8302: "no_resources", 0x8304: "no_further_upload", 0x8305: "function_not_available",
    0x8401: "invalid_service_sequence", 0x8402: "wrong_object_state", 0x8404: "function_not_possible", 0x8500: "wrong_frames",
    0x8503: "service_cancelled", 0x8701: "object_address_error", 0x8702: "service_not_supported", 0x8703: "object_access_refused", 0x8704: "object_damaged",
    0xD041: "illegal_szl_id", 0xD081: "not_permitted_in_mode", 0xD0A1: "not_permitted_at_level", 0xD201: "block_name_syntax",
    0xD202: "function_parameter_syntax",
    0xD205: "linked_block_in_ram", 0xD209: "block_not_on_module", 0xD20C: "priority_class_missing", 0xD20E: "no_further_block",
    0xD210: "block_number_not_valid",
    0xD240: "coordination_rules_violated", 0xD241: "protection_level_too_low", 0xD242: "fail_safe_block_protected", 0xD401: "information_not_available",
    0xD402: "information_function_not_available", 0xD405: "service_or_syntax_not_supported", 0xD406: "information_momentarily_not_available",
    0xD601: "password_syntax", 0xD602: "wrong_password", 0xD603: "already_legitimized", 0xD604: "already_enabled", 0xD605: "no_password_set",
    0xD801: "invalid_variable_address", 0xD804: "illegal_cycle_time", 0xD805: "too_many_cyclic_jobs", 0xDC01: "invalid_clock",
}

ANOMALIES: Final = (
    "wrong_protocol_id", "bad_length", "short", "trailing_bytes", "bad_count", "bad_value", "quantity_mismatch",  # the last one by pairing too
    "function_mismatch", "reused_transaction", "unsolicited", "late_response",
)  # fmt: skip
WRONG_PROTOCOL_ID, BAD_LENGTH, SHORT, TRAILING_BYTES, BAD_COUNT, BAD_VALUE, QUANTITY_MISMATCH = (1 << bit for bit in range(7))

# Address spaces: an area in each width, then what has no width.
WIDTHS: Final = ("bit", "byte", "word", "double_word")
AREAS: Final = {  # number on the wire: space, what stands before an address
    0x81: ("input", "I"), 0x82: ("output", "Q"), 0x83: ("memory", "M"), 0x84: ("data_block", "DB"), 0x85: ("instance_block", "DI"), 0x86: ("local", "L"),
    0x80: ("peripheral_input", "PI"),
    0: ("peripheral_output", "PQ"),                                        # as 0x80, where it is written
    0x03: ("system_information", "SI"), 0x05: ("special_memory", "SM"), 0x06: ("analog_input", "AI"), 0x07: ("analog_output", "AQ"),     # of an S7-200
}
OTHERS: Final = (
    "counter", "timer", "block", "symbol", "nc_variable", "status_list", "module_identification", "component_identification", "operating_mode", "session",
)
SPACES: Final = (*(f"{space}_{width}" for space, _ in AREAS.values() for width in WIDTHS), *OTHERS)
COUNTER, TIMER, BLOCK, SYMBOL, NC_VARIABLE, STATUS_LIST, MODULE, COMPONENT, MODE, SESSION = (SPACES.index(name) for name in OTHERS)
BIT_BLOCK: Final = 1_000_000  # of the addresses of bits: data block * BIT_BLOCK + bit
BYTE_BLOCK: Final = 100_000  # of all others: data block * BYTE_BLOCK + byte

BITS, BYTES, WORDS, DOUBLES, COUNTS, TIMES = range(6)  # what a type is an element of
TYPES: Final = (  # transport size in a request: element, octets, encoding, octets of one address
    (0x01, BITS, 1, LOW_BIT, 1), (0x02, BYTES, 1, U8, 1), (0x03, BYTES, 1, U8, 1), (0x04, WORDS, 2, U16BE, 2), (0x05, WORDS, 2, I16BE, 2),
    (0x06, DOUBLES, 4, U32BE, 4), (0x07, DOUBLES, 4, I32BE, 4), (0x08, DOUBLES, 4, F32BE, 4), (0x09, WORDS, 2, U16BE, 2), (0x0A, DOUBLES, 4, U32BE, 4),
    (0x0B, DOUBLES, 4, I32BE, 4), (0x0C, WORDS, 2, U16BE, 2), (0x0F, BYTES, 8, U8, 1), (0x1C, COUNTS, 2, U16BE, 1), (0x1D, TIMES, 2, U16BE, 1),
)
# fmt: on
S5TIME: Final = 0x0C

PI_SERVICES: Final = ("_INSE", "_DELE", "P_PROGRAM", "", "_GARB", "_MODU")  # the place of a cold restart is its argument's
BLOCK_TYPES: Final = {0x38: "OB", 0x39: "CMOD", 0x41: "DB", 0x42: "SDB", 0x43: "FC", 0x44: "SFC", 0x45: "FB", 0x46: "SFB"}  # behind a 0


def spelling(word: str) -> int:
    """Up to nine letters of ASCII as one number."""
    number = 0
    for letter in word:
        number = number << 7 | ord(letter)
    return number


def label(space: str, first: int, last: int) -> str | None:
    """An address as engineers write it: DB1.DBX0.0, DB1.DBW4, M10.3, IW64, T5; of several elements P#M10.0 BYTE 4 or T5-T8."""
    if space in ("counter", "timer"):
        letter = space[0].upper()
        return f"{letter}{first}" if first == last else f"{letter}{first}-{letter}{last}"
    if space == "status_list":
        return f"SZL W#16#{first >> 16:04X}, W#16#{first & 0xFFFF:04X}"
    if space == "symbol":
        return f"SYM 16#{first:08X}"
    if space == "nc_variable":
        return f"NC 16#{first >> 40:02X} module 16#{first & 0xFF:02X} column {first >> 24 & 0xFFFF} line {first >> 8 & 0xFFFF}"
    area = next((name for name in AREAS.values() if space.startswith(f"{name[0]}_")), None)
    if area is None:
        return None
    width = WIDTHS.index(space.removeprefix(f"{area[0]}_"))
    block, place = divmod(first, BYTE_BLOCK if width else BIT_BLOCK)
    before = f"DB{block}.DB" if area[1] == "DB" else f"DI{block}.DI" if area[1] == "DI" else area[1]
    elements = (last - first + 1) // (1, 1, 2, 4)[width]
    bit = f"{place}.0" if width else f"{place >> 3}.{place & 7}"
    if elements > 1:
        x = "X" if area[1] in ("DB", "DI") else ""
        return f"P#{before}{x}{bit} {('BOOL', 'BYTE', 'WORD', 'DWORD')[width]} {elements}"
    if width == 0:
        return f"{before}{'X' if area[1] in ('DB', 'DI') else ''}{bit}"
    return f"{before}{'BWD'[width - 1]}{place}"


def fact(space: str, first: int, value: float) -> str:
    """A number that a device tells about itself: its firmware (V3.2.6) or its manufacturer."""
    number = int(value)
    if space == "module_identification" and first == 7:
        return f"V{number >> 16 & 0xFF}.{number >> 8 & 0xFF}.{number & 0xFF}"
    if space == "component_identification" and first == 9:
        return "Siemens" if number == 42 else str(number)
    return str(number)
