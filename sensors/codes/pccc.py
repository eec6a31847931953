"""The numbers of PCCC: commands, statuses and types of data files (Rockwell Automation 1770-6.5.16)."""

from __future__ import annotations

from typing import Final

from sensors.engine.tables import F32LE, I16LE, I32LE, U16LE
from sensors.protocol import Function

# fmt: off
FUNCTIONS: Final = {
    "0": Function("protected_write", "value.write"),
    "1": Function("unprotected_read", "value.read"),
    "2": Function("protected_bit_write", "value.write"),
    "4": Function("physical_read", "program.upload"),
    "5": Function("unprotected_bit_write", "value.write"),
    "6": Function("diagnostic_command", "diagnostics.read"),          # a reply whose request was not seen
    "6/0": Function("echo", "test"),
    "6/1": Function("read_diagnostic_counters", "diagnostics.read"),
    "6/2": Function("set_variables", "configuration.write"),
    "6/3": Function("diagnostic_status", "identity.read"),
    "6/4": Function("set_timeout", "configuration.write"),
    "6/5": Function("set_naks", "configuration.write"),
    "6/6": Function("set_enqs", "configuration.write"),
    "6/7": Function("reset_diagnostic_counters", "diagnostics.reset"),
    "6/8": Function("set_data_table_size", "configuration.write"),
    "6/9": Function("read_link_parameters", "configuration.read"),
    "6/10": Function("set_link_parameters", "configuration.write"),
    "7": Function("mode_command", "unknown"),
    "7/0": Function("disable_outputs", "cpu.stop"),
    "7/1": Function("enable_program", "cpu.start"),
    "7/3": Function("enable_scanning", "cpu.start"),
    "7/4": Function("enter_download_mode", "program.download"),
    "7/5": Function("exit_download_upload_mode", "mode.change"),
    "7/6": Function("enter_upload_mode", "program.upload"),
    "8": Function("unprotected_write", "value.write"),
    "15": Function("extended_command", "unknown"),
    "15/0": Function("word_range_write", "value.write"),
    "15/1": Function("word_range_read", "value.read"),
    "15/2": Function("bit_write", "value.write"),
    "15/3": Function("file_write", "value.write"),                            # 3 to 10: of a PLC-3
    "15/4": Function("file_read", "value.read"),
    "15/5": Function("download_request", "program.download"),
    "15/6": Function("upload", "program.upload"),
    "15/7": Function("shutdown", "cpu.stop"),
    "15/8": Function("plc_3_physical_write", "program.download"),
    "15/9": Function("plc_3_physical_read", "program.upload"),
    "15/10": Function("restart_request", "cpu.start"),
    "15/17": Function("get_edit_resource", "session.reserve"),
    "15/18": Function("return_edit_resource", "session.close"),
    "15/23": Function("read_bytes_physical", "program.upload"),
    "15/24": Function("write_bytes_physical", "program.download"),
    "15/38": Function("read_modify_write", "value.write"),
    "15/41": Function("read_section_size", "directory.read"),
    "15/58": Function("set_cpu_mode", "mode.change"),
    "15/65": Function("disable_forces", "value.unforce"),
    "15/80": Function("download_all_request", "program.download"),
    "15/82": Function("download_completed", "program.activate"),
    "15/83": Function("upload_all_request", "program.upload"),
    "15/85": Function("upload_completed", "session.close"),
    "15/87": Function("initialize_memory", "program.delete"),
    "15/94": Function("modify_plc_2_compatibility_file", "configuration.write"),
    "15/103": Function("typed_write", "value.write"),
    "15/104": Function("typed_read", "value.read"),
    "15/121": Function("read_modify_write_n", "value.write"),
    "15/128": Function("change_mode", "mode.change"),
    "15/129": Function("open_file", "session.reserve"),
    "15/130": Function("close_file", "session.close"),
    "15/136": Function("execute_multiple_commands", "unknown"),               # where none of them can be told; as MicroLogix are downloaded to
    "15/143": Function("apply_port_configuration", "configuration.write"),
    "15/161": Function("protected_typed_logical_read_2", "value.read"),
    "15/162": Function("protected_typed_logical_read_3", "value.read"),
    "15/163": Function("protected_typed_logical_read_list", "value.read"),    # of RSLogix; not published, as seen in captures
    "15/167": Function("protected_typed_file_read", "file.read"),
    "15/169": Function("protected_typed_logical_write_2", "value.write"),
    "15/170": Function("protected_typed_logical_write_3", "value.write"),
    "15/171": Function("protected_typed_logical_write_masked", "value.write"),
    "15/175": Function("protected_typed_file_write", "file.write"),
}
STATUS: Final = {
    0x10: "illegal_command_or_format", 0x20: "host_has_a_problem", 0x30: "remote_host_missing", 0x40: "hardware_fault",
    0x50: "addressing_problem_or_memory_protected", 0x60: "function_not_allowed", 0x70: "processor_in_program_mode", 0x80: "compatibility_file_missing",
    0x90: "remote_node_cannot_buffer", 0xA0: "wait_for_acknowledge", 0xB0: "remote_node_in_download", 0xC0: "wait_for_acknowledge_2", 0xF0: "extended_error",
    1: "destination_out_of_buffers", 2: "delivery_not_acknowledged", 3: "duplicate_token_holder", 4: "local_port_disconnected",
    5: "application_timed_out", 6: "duplicate_node", 7: "station_offline", 8: "hardware_fault_of_port",
}
EXTENDED: Final = (
    "", "illegal_field_value", "too_few_address_levels", "too_many_address_levels", "symbol_not_found", "bad_symbol_format", "address_unusable",
    "wrong_file_size", "situation_changed", "data_or_file_too_large", "transaction_and_address_too_large", "access_denied", "resource_not_available",
    "condition_exists_already", "command_not_executable", "histogram_overflow", "no_access", "illegal_data_type", "invalid_parameter_or_data",
    "reference_to_deleted_area", "command_failed", "data_conversion_error", "scanner_cannot_reach_rack", "type_mismatch", "module_response_not_valid",
    "duplicate_label", "file_owned_by_another_node", "program_owned_by_another_node", "", "", "element_protection_violation", "temporary_internal_problem",
)
ERRORS: Final = {**STATUS, **{number << 8 | 0xF0: name for number, name in enumerate(EXTENDED) if name}}
# Types of data files (chapter 7): letter, encoding of a word of it, octets of an element (0: one value).
FILES: Final = {
    0x82: ("O", U16LE), 0x83: ("I", U16LE), 0x84: ("S", I16LE), 0x85: ("B", U16LE), 0x86: ("T", I16LE), 0x87: ("C", I16LE), 0x88: ("R", I16LE),
    0x89: ("N", I16LE), 0x8A: ("F", F32LE), 0x8B: ("O", U16LE), 0x8C: ("I", U16LE), 0x8D: ("ST", 0), 0x8E: ("A", U16LE), 0x8F: ("D", U16LE),
    0x91: ("L", I32LE),
}
# fmt: on
ANOMALIES: Final = (
    "short",
    "trailing_bytes",
    "bad_count",
    "bad_value",
    "wrong_direction",
    "transaction_mismatch",
    "unsolicited",
    "late_response",
    "reused_transaction",
)  # fmt: skip
SHORT, TRAILING_BYTES, BAD_COUNT, BAD_VALUE, WRONG_DIRECTION, TRANSACTION_MISMATCH = (1 << bit for bit in range(6))
SPACES: Final = ("data_file", "bit", "address", "physical", "identity", "file_word")
DATA_FILE, BIT_OF, LEVELS, PHYSICAL, IDENTITY, WORDS = range(6)
