"""The numbers of the Common Industrial Protocol: ODVA Vol 1 (services: appendix A; status: appendix B; connection manager: 3-5), Rockwell 1756-PM020 (tags)."""

from __future__ import annotations

from typing import Final

import numpy as np

from records.effects import NUMBER
from sensors.engine import tables
from sensors.engine.octets import plain
from sensors.engine.tables import table
from sensors.protocol import OCTETS, PIECE, Function

# Object classes that are looked at by number.
IDENTITY, MESSAGE_ROUTER, ASSEMBLY, CONNECTION_MANAGER, FILE, PCCC, SYMBOL, TEMPLATE, MEMORY, FIRMWARE = 1, 2, 4, 6, 55, 103, 107, 108, 114, 161
DATA_HIGHWAY: Final = 166  # not published: a connection to it carries PCCC

# Services that are looked at by number.
GET_ALL, SET_ALL, GET_LIST, SET_LIST, RESET, CREATE, DELETE, PACKET, APPLY, GET_SINGLE, SET_SINGLE = 1, 2, 3, 4, 5, 8, 9, 10, 13, 14, 16
RESTORE, GET_MEMBER, SET_MEMBER, REMOVE_MEMBER = 21, 24, 25, 27
READ_TAG, WRITE_TAG, MODIFY_TAG, READ_FRAGMENT, WRITE_FRAGMENT, BROWSE = 76, 77, 78, 82, 83, 85
EXECUTE, FORWARD_CLOSE, UNCONNECTED_SEND, FORWARD_OPEN, LARGE_FORWARD_OPEN = 75, 78, 82, 84, 91
EXECUTE_DHP: Final = 76  # of PCCC
INITIATE_UPLOAD, INITIATE_DOWNLOAD, UPLOAD_TRANSFER, DOWNLOAD_TRANSFER, CLEAR_FILE = 75, 76, 79, 80, 81  # of a file
UPDATE, TRANSFER = 75, 77  # of firmware

ANOMALIES: Final = (
    "short", "trailing_bytes", "bad_path", "bad_count", "bad_value", "service_mismatch", "wrong_direction", "too_many_services", "connection_mismatch",
    "quantity_mismatch", "transaction_mismatch", "nested_services", "unsolicited", "late_response", "reused_transaction",
)  # fmt: skip
SHORT, TRAILING_BYTES, BAD_PATH, BAD_COUNT, BAD_VALUE, SERVICE_MISMATCH, WRONG_DIRECTION, TOO_MANY = (1 << bit for bit in range(8))
CONNECTION_MISMATCH, QUANTITY_MISMATCH, TRANSACTION_MISMATCH, NESTED = 1 << 8, 1 << 9, 1 << 10, 1 << 11
STRUCTURE: Final = 0x2A0  # type of a structure

# Further classes of a controller of which uploads ask for the instances that there are: no name of theirs is published.
LISTED: Final = (110, 126, 140, 141, 176, 177, 811, 813, 817, 818, 824)
# fmt: off
FUNCTIONS: Final = {
    "1/*": Function("get_attributes_all", "configuration.read"),          # effects of common services are those of the class, where CLASSES has it
    "2/*": Function("set_attributes_all", "configuration.write"),
    "3/*": Function("get_attribute_list", "configuration.read"),
    "4/*": Function("set_attribute_list", "configuration.write"),
    "5/*": Function("reset", "configuration.write"),
    "5/1": Function("reset_device", "cpu.reset"),
    "6/*": Function("start", "mode.change"),
    "6/100": Function("start_controller", "cpu.start"),
    "7/*": Function("stop", "mode.change"),
    "7/100": Function("stop_controller", "cpu.stop"),
    "8/*": Function("create", "configuration.write"),
    "9/*": Function("delete", "configuration.write"),
    "10/*": Function("multiple_service_packet", "test"),                  # where none of its services can be told
    "13/*": Function("apply_attributes", "configuration.write"),
    "14/*": Function("get_attribute_single", "configuration.read"),
    "16/*": Function("set_attribute_single", "configuration.write"),
    "17/*": Function("find_next_object_instance", "tags.browse"),
    "21/*": Function("restore", "configuration.write"),
    "22/*": Function("save", "memory.copy"),
    "23/*": Function("no_operation", "test"),
    "24/*": Function("get_member", "configuration.read"),
    "25/*": Function("set_member", "configuration.write"),
    "26/*": Function("insert_member", "configuration.write"),
    "27/*": Function("remove_member", "configuration.write"),
    "28/*": Function("group_sync", "test"),
    "75/55": Function("initiate_file_upload", "file.read", OCTETS),
    "76/55": Function("initiate_file_download", "file.write", OCTETS),
    "77/55": Function("initiate_partial_file_read", "file.read"),
    "78/55": Function("initiate_partial_file_write", "file.write"),
    "79/55": Function("file_upload_transfer", "file.read", PIECE),
    "80/55": Function("file_download_transfer", "file.write", PIECE),
    "81/55": Function("clear_file", "file.delete"),
    "75/161": Function("firmware_update", "firmware.mode", OCTETS),       # as ControlFLASH does: size and place of what is to come
    "77/161": Function("firmware_transfer", "firmware.write", PIECE),
    "75/103": Function("execute_pccc", "unknown"),                        # where it carries none
    "76/103": Function("execute_pccc_on_data_highway", "unknown"),        # of a station behind: not published, as drivers ask it
    "77/103": Function("execute_local_pccc", "unknown"),                  # not published: named, not looked into
    "75/104": Function("list_programs", "directory.read"),                # the instances that there are; not published, as seen in uploads
    "75/105": Function("list_modules", "configuration.read"),
    "75/106": Function("list_program_memory", "directory.read"),
    "75/107": Function("list_symbols", "tags.browse"),
    "75/108": Function("list_templates", "tags.browse"),
    "75/109": Function("list_routines", "directory.read"),
    "75/112": Function("list_tasks", "directory.read"),
    **{f"75/{kind}": Function(f"list_objects_of_class_{kind}", "directory.read") for kind in LISTED},
    "76/107": Function("read_tag", "value.read"),
    "77/107": Function("write_tag", "value.write"),
    "78/107": Function("read_modify_write_tag", "value.write"),
    "82/107": Function("read_tag_fragmented", "value.read"),
    "83/107": Function("write_tag_fragmented", "value.write"),
    "85/107": Function("get_instance_attribute_list", "tags.browse"),
    "76/108": Function("read_template", "tags.browse"),
    "79/106": Function("read_program_memory", "program.upload"),          # not published, as seen in uploads
    "76/109": Function("read_routine", "program.upload"),
    "76/114": Function("read_by_address", "value.read"),                  # as RSLinx and FactoryTalk poll; not published, as seen in captures
    "78/6": Function("forward_close", "session.close"),
    "82/6": Function("unconnected_send", "session.open"),                 # where what it carries cannot be told
    "84/6": Function("forward_open", "session.open"),
    "86/6": Function("get_connection_data", "diagnostics.read"),
    "87/6": Function("search_connection_data", "diagnostics.read"),
    "90/6": Function("get_connection_owner", "diagnostics.read"),
    "91/6": Function("large_forward_open", "session.open"),
}
CLASS_NAMES: Final = {
    1: "identity", 2: "message_router", 3: "devicenet", 4: "assembly", 5: "connection", 6: "connection_manager", 7: "register", 8: "discrete_input",
    9: "discrete_output", 10: "analog_input", 11: "analog_output", 15: "parameter", 16: "parameter_group", 40: "motor_data", 41: "control_supervisor",
    42: "drive", 44: "overload", 45: "softstart", 55: "file", 66: "motion_axis", 67: "time_sync", 68: "modbus", 69: "originator_connections",
    71: "device_level_ring", 72: "qos", 93: "cip_security", 94: "ethernet_ip_security", 95: "certificate_management", 100: "controller", 103: "pccc",
    104: "program", 105: "module", 106: "program_memory", 107: "symbol", 108: "template", 109: "routine", 112: "task", 114: "memory", 139: "wall_clock_time",
    142: "controller_mode", 161: "firmware", 166: "data_highway", 172: "controller_changes", 243: "connection_configuration", 244: "port",
    245: "tcp_ip_interface", 246: "ethernet_link",
}
# What reading and changing objects of a class does, by the common services; (get, set).
EFFECTS_OF: Final = {
    1: ("identity.read", "configuration.write"), 4: ("value.read", "value.write"), 5: ("diagnostics.read", "configuration.write"),
    6: ("diagnostics.read", "configuration.write"), 8: ("value.read", "configuration.write"), 9: ("value.read", "output.operate"),
    10: ("value.read", "configuration.write"), 11: ("value.read", "setpoint.write"), 40: ("configuration.read", "configuration.write"),
    41: ("value.read", "output.operate"), 42: ("value.read", "setpoint.write"), 55: ("directory.read", "file.write"), 66: ("value.read", "setpoint.write"),
    67: ("time.read", "time.write"), 93: ("configuration.read", "credential.change"), 94: ("configuration.read", "credential.change"),
    95: ("configuration.read", "credential.change"), 100: ("mode.read", "mode.change"), 104: ("configuration.read", "program.modify"),
    106: ("configuration.read", "program.modify"), 107: ("tags.browse", "program.modify"), 108: ("tags.browse", "program.modify"),
    109: ("configuration.read", "program.modify"), 112: ("configuration.read", "program.modify"), 139: ("time.read", "time.write"),
    142: ("mode.read", "mode.change"), 161: ("configuration.read", "firmware.write"), 245: ("configuration.read", "address.set"),
    246: ("diagnostics.read", "configuration.write"),
}
PROGRAM: Final = (104, 106, 109, 112)
CREATED: Final = {**dict.fromkeys(PROGRAM, "program.download"), 107: "program.modify", 108: "program.modify"}
DELETED: Final = {**dict.fromkeys(PROGRAM, "program.delete"), 107: "program.modify", 55: "file.delete"}

GENERAL: Final = (
    "", "connection_failure", "resource_unavailable", "invalid_parameter_value", "path_segment_error", "path_destination_unknown", "partial_transfer",
    "connection_lost", "service_not_supported", "invalid_attribute_value", "attribute_list_error", "already_in_requested_mode", "object_state_conflict",
    "object_already_exists", "attribute_not_settable", "privilege_violation", "device_state_conflict", "reply_data_too_large",
    "fragmentation_of_a_primitive_value", "not_enough_data", "attribute_not_supported", "too_much_data", "object_does_not_exist",
    "service_fragmentation_sequence_not_in_progress", "no_stored_attribute_data", "store_operation_failure", "routing_failure_request_too_large",
    "routing_failure_response_too_large", "missing_attribute_list_entry", "invalid_attribute_value_list", "embedded_service_error", "vendor_specific_error",
    "invalid_parameter", "write_once_value_already_written", "invalid_reply_received", "buffer_overflow", "message_format_error", "key_failure_in_path",
    "path_size_invalid", "unexpected_attribute_in_list", "invalid_member_id", "member_not_settable", "group_2_only_server_failure", "unknown_modbus_error",
    "attribute_not_gettable", "instance_not_deletable", "service_not_supported_for_path",
)
CONNECTION: Final = {
    0x100: "connection_in_use_or_duplicate_forward_open", 0x103: "transport_class_and_trigger_not_supported", 0x106: "ownership_conflict",
    0x107: "target_connection_not_found", 0x108: "invalid_network_connection_parameter", 0x109: "invalid_connection_size", 0x110: "target_not_configured",
    0x111: "rpi_not_supported", 0x112: "rpi_not_acceptable", 0x113: "out_of_connections", 0x114: "vendor_or_product_code_mismatch",
    0x115: "device_type_mismatch", 0x116: "revision_mismatch", 0x117: "invalid_application_path", 0x118: "invalid_configuration_application_path",
    0x119: "non_listen_only_connection_not_opened", 0x11A: "target_out_of_connections", 0x11B: "rpi_below_production_inhibit_time",
    0x11C: "transport_class_not_supported", 0x11D: "production_trigger_not_supported", 0x11E: "direction_not_supported",
    0x11F: "invalid_originator_to_target_fixed_or_variable", 0x120: "invalid_target_to_originator_fixed_or_variable",
    0x121: "invalid_originator_to_target_priority", 0x122: "invalid_target_to_originator_priority",
    0x123: "invalid_originator_to_target_connection_type", 0x124: "invalid_target_to_originator_connection_type",
    0x125: "invalid_originator_to_target_redundant_owner", 0x126: "invalid_configuration_size", 0x127: "invalid_originator_to_target_size",
    0x128: "invalid_target_to_originator_size", 0x129: "configuration_path_not_valid", 0x12A: "invalid_consuming_application_path",
    0x12B: "invalid_producing_application_path", 0x12C: "configuration_symbol_does_not_exist", 0x12D: "consuming_symbol_does_not_exist",
    0x12E: "producing_symbol_does_not_exist", 0x12F: "inconsistent_application_path_combination", 0x130: "inconsistent_consumed_data_format",
    0x131: "inconsistent_produced_data_format", 0x132: "null_forward_open_not_supported", 0x133: "connection_timeout_multiplier_not_acceptable",
    0x134: "mismatched_target_to_originator_size", 0x135: "mismatched_target_to_originator_fixed_or_variable",
    0x136: "mismatched_target_to_originator_priority",
    0x203: "connection_timed_out", 0x204: "unconnected_request_timed_out", 0x205: "unconnected_request_parameter_error",
    0x206: "message_too_large_for_unconnected_send", 0x207: "unconnected_acknowledge_without_reply", 0x301: "no_buffer_memory",
    0x302: "network_bandwidth_not_available", 0x303: "no_consumed_connection_id_filter", 0x304: "not_configured_for_scheduled_data",
    0x305: "schedule_signature_mismatch", 0x306: "schedule_signature_not_validated", 0x311: "port_not_available", 0x312: "link_address_not_valid",
    0x315: "invalid_segment_in_connection_path", 0x316: "forward_close_path_mismatch", 0x317: "scheduling_not_specified", 0x318: "link_address_to_self",
    0x319: "secondary_resources_unavailable", 0x31A: "rack_connection_already_established", 0x31B: "module_connection_already_established",
    0x31C: "miscellaneous_connection_error", 0x31D: "redundant_connection_mismatch", 0x31E: "no_more_consumer_resources",
    0x31F: "no_connection_path_resources", 0x800: "network_link_offline", 0x810: "no_target_application_data", 0x811: "no_originator_application_data",
    0x812: "node_address_changed_since_scheduled", 0x813: "not_configured_for_off_subnet_multicast", 0x814: "invalid_produced_or_consumed_data_format",
}
ENCAPSULATION: Final = 1 << 24  # errors of the protocol below, where it refuses to carry a message
ENCAPSULATED: Final = {
    1: "invalid_command", 2: "insufficient_memory", 3: "incorrect_data", 100: "invalid_session_handle", 101: "invalid_length",
    105: "unsupported_protocol_revision", 106: "service_not_allowed_on_this_port",
}
EXTENDED: Final = {0x2104: "offset_beyond_end_of_tag", 0x2105: "access_beyond_end_of_object", 0x2107: "tag_type_mismatch"}    # of general status 255
REFUSED_LATER: Final = 1 << 25  # what the data of a reply say went wrong, though its status is success
TRANSFER_ABORTED: Final = REFUSED_LATER
STORED: Final = {3: "firmware_transfer_failed", 4: "firmware_programming_failed", 5: "firmware_storage_faulted"}  # statuses of the nonvolatile storage object
CONNECTION_FAILURE, GENERAL_ERROR = 1, 255  # general statuses that say nothing without their extended one
ERRORS: Final = {  # general status, and of those two extended status << 8
    **{number: name for number, name in enumerate(GENERAL) if name}, GENERAL_ERROR: "general_error",
    **{ENCAPSULATION | code: name for code, name in ENCAPSULATED.items()},
    TRANSFER_ABORTED: "file_transfer_aborted", **{REFUSED_LATER | status: name for status, name in STORED.items()},
    **{code << 8 | CONNECTION_FAILURE: name for code, name in CONNECTION.items()}, **{code << 8 | GENERAL_ERROR: name for code, name in EXTENDED.items()},
}

VENDORS: Final = {
    1: "Rockwell Automation/Allen-Bradley", 2: "Namco Controls", 3: "Honeywell", 4: "Parker Hannifin", 5: "Rockwell Automation/Reliance Electric",
    7: "SMC", 8: "Molex", 26: "Festo", 40: "WAGO", 47: "Omron", 48: "Turck", 50: "Real Time Automation", 82: "Mitsubishi Electric Automation",
    90: "HMS Industrial Networks", 100: "Bosch Rexroth", 108: "Beckhoff", 145: "Siemens", 161: "Mitsubishi Electric", 170: "Pyramid Solutions",
    243: "Schneider Electric", 283: "Hilscher", 356: "Fanuc Robotics", 553: "Control Techniques", 562: "Phoenix Contact", 674: "Automated Solutions",
    678: "Cognex", 808: "SICK",
}

# Types of data: encoding of the engine and octets of a value; types with no entry are opaque (structures, dates, strings).
TYPES: Final = {
    0xC1: ("LOW_BIT", 1), 0xC2: ("I8", 1), 0xC3: ("I16LE", 2), 0xC4: ("I32LE", 4), 0xC5: ("I64LE", 8), 0xC6: ("U8", 1), 0xC7: ("U16LE", 2), 0xC8: ("U32LE", 4),
    0xC9: ("U64LE", 8), 0xCA: ("F32LE", 4), 0xCB: ("F64LE", 8), 0xCC: ("I32LE", 4), 0xCD: ("U16LE", 2), 0xCE: ("U32LE", 4), 0xD1: ("U8", 1),
    0xD2: ("U16LE", 2), 0xD3: ("U32LE", 4), 0xD4: ("U64LE", 8), 0xD6: ("I32LE", 4), 0xD7: ("I64LE", 8), 0xD8: ("I16LE", 2), 0xDB: ("I32LE", 4),
}
# fmt: on
MOST_CLASS: Final = 256


_classes: Final = table(MOST_CLASS, np.dtype([(name, "i8") for name in ("read", "write", "make", "remove")]))
for _name in ("read", "write", "make", "remove"):
    _classes[_name][:] = -1
for _class, (_read, _write) in EFFECTS_OF.items():
    _classes[_class] = (NUMBER[_read], NUMBER[_write], NUMBER[_write], NUMBER[_write])
for _effects, _name in ((CREATED, "make"), (DELETED, "remove")):
    for _class, _effect in _effects.items():
        _classes[_name][_class] = NUMBER[_effect]
CLASSES: Final = plain(_classes)  # [class] → effects of reading, changing, making and removing its objects; -1 where the table of functions tells

WIDEST: Final = max(map(len, CLASS_NAMES.values()))
_texts: Final = np.zeros((MOST_CLASS, WIDEST), np.int64)
for _class, _text in CLASS_NAMES.items():
    _texts[_class, : len(_text)] = list(_text.encode())
CLASS_TEXTS: Final = plain(_texts)  # [class, place] → octet of its name, 0 where there is none

TYPE_ENCODINGS: Final = np.zeros(256, np.int64)
TYPE_OCTETS: Final = np.zeros(256, np.int64)  # 0: opaque
for _type, (_name, _size) in TYPES.items():
    TYPE_ENCODINGS[_type], TYPE_OCTETS[_type] = getattr(tables, _name), _size


# Device types (volume 1, table 6-7.1) that say what a device is for. What carries for others (12: a communications adapter, before a controller or before
# inputs and outputs) or is of any kind (0 and 43: generic) says nothing.
ROLES: Final = {14: "controller", 24: "hmi", 41: "gateway", 44: "switch", 53: "gateway"} | dict.fromkeys(
    (*range(2, 8), 9, 16, 19, 21, 22, 23, *range(26, 38), 39, 42, *range(45, 50), 51, 52), "field_device"
)


def unnamed(error: int) -> str:
    """An error that has no name here: its extended status as a number."""
    return f"{ERRORS[error & 0xFF]}_0x{error >> 8:04x}" if 0xFF < error < ENCAPSULATION else f"exception_{error}"


def vendor(number: int) -> str:
    """Who has this vendor number of ODVA."""
    return VENDORS.get(number, f"vendor {number}")


def fact(first: int, value: float) -> str:
    """A number of the identity object (class 1), by its attribute, in words."""
    number = int(value)
    if first == 1:
        return vendor(number)
    if first == 2:
        return ROLES.get(number, "")
    if first == 4:
        return f"{number >> 8}.{number & 255}"
    return f"{number:08X}" if first == 6 else str(number)
