"""The numbers of Modbus (MODBUS Application Protocol Specification V1.1b3): functions, exception codes, and how each function is laid out."""

from __future__ import annotations

from typing import Final

import numpy as np

from sensors.engine.octets import plain
from sensors.engine.tables import table
from sensors.protocol import Function

# fmt: off
FUNCTIONS: Final = {
    "1": Function("read_coils", "value.read"),
    "2": Function("read_discrete_inputs", "value.read"),
    "3": Function("read_holding_registers", "value.read"),
    "4": Function("read_input_registers", "value.read"),
    "5": Function("write_single_coil", "output.operate"),
    "6": Function("write_single_register", "value.write"),
    "7": Function("read_exception_status", "diagnostics.read"),
    "8": Function("diagnostics", "diagnostics.read"),                      # an exception that lost its request
    "8/0": Function("return_query_data", "test"),
    "8/1": Function("restart_communications", "cpu.reset"),
    "8/2": Function("return_diagnostic_register", "diagnostics.read"),
    "8/3": Function("change_ascii_delimiter", "configuration.write"),
    "8/4": Function("force_listen_only_mode", "restriction.listen_only"),
    "8/10": Function("clear_counters_and_diagnostic_register", "diagnostics.reset"),
    "8/11": Function("return_bus_message_count", "diagnostics.read"),
    "8/12": Function("return_bus_communication_error_count", "diagnostics.read"),
    "8/13": Function("return_bus_exception_error_count", "diagnostics.read"),
    "8/14": Function("return_server_message_count", "diagnostics.read"),
    "8/15": Function("return_server_no_response_count", "diagnostics.read"),
    "8/16": Function("return_server_nak_count", "diagnostics.read"),
    "8/17": Function("return_server_busy_count", "diagnostics.read"),
    "8/18": Function("return_bus_character_overrun_count", "diagnostics.read"),
    "8/20": Function("clear_overrun_counter_and_flag", "diagnostics.reset"),
    "11": Function("get_comm_event_counter", "diagnostics.read"),
    "12": Function("get_comm_event_log", "diagnostics.read"),
    "15": Function("write_multiple_coils", "output.operate"),
    "16": Function("write_multiple_registers", "value.write"),
    "17": Function("report_server_id", "identity.read"),
    "20": Function("read_file_record", "file.read"),
    "21": Function("write_file_record", "file.write"),
    "22": Function("mask_write_register", "value.write"),
    "23": Function("read_write_multiple_registers", "value.read"),         # its write part says so in its row
    "24": Function("read_fifo_queue", "value.read"),
    "43": Function("encapsulated_interface_transport", "unknown"),         # an exception that lost its request
    "43/13": Function("canopen_general_reference", "unknown"),
    "43/14": Function("read_device_identification", "identity.read"),
    "90": Function("unity", "unknown"),
}
ERRORS: Final = {
    1: "illegal_function", 2: "illegal_data_address", 3: "illegal_data_value", 4: "server_device_failure", 5: "acknowledge", 6: "server_device_busy",
    7: "negative_acknowledge", 8: "memory_parity_error", 10: "gateway_path_unavailable", 11: "gateway_target_failed",
}
ANOMALIES: Final = (
    "wrong_protocol_id", "bad_length", "short", "trailing_bytes", "bad_count", "byte_count_mismatch", "bad_value", "bad_crc",    # of one message, set here
    "quantity_mismatch", "echo_mismatch", "function_mismatch", "unit_mismatch", "reused_transaction", "unsolicited", "late_response",    # set by pairing
)
WRONG_PROTOCOL_ID, BAD_LENGTH, SHORT, TRAILING_BYTES, BAD_COUNT, BYTE_COUNT_MISMATCH, BAD_VALUE, BAD_CRC = (1 << bit for bit in range(8))

SPACES: Final = ("coil", "discrete_input", "input_register", "holding_register", "file", "fifo", "diagnostic", "identity", "server_id")
COIL, DISCRETE, INPUT, HOLDING, FILE, FIFO, DIAGNOSTIC, IDENTITY, SERVER_ID = range(9)
FILES: Final = 100_000
REFERENCE: Final = {"coil": 1, "discrete_input": 10001, "input_register": 30001, "holding_register": 40001, "file": -FILES}

# How the body of a message is laid out; what follows it is trailing.
OPAQUE: Final = 0           # not described: to the end of the message
EMPTY: Final = 1
RANGE: Final = 2            # address, quantity
VALUES: Final = 3           # octet count, values
POINT: Final = 4            # address, value
BLOCK: Final = 5            # address, quantity, octet count, values
MASK: Final = 6             # address, and mask, or mask
BOTH: Final = 7             # address and quantity to read, then a block to write; answered with values
QUEUE: Final = 8            # address
QUEUED: Final = 9           # octet count (16 bits), quantity, values
SUBREADS: Final = 10        # octet count, then type, file, record, quantity of each record
SUBWRITES: Final = 11       # the same, each with its values
SUBANSWERS: Final = 12      # octet count, then octet count, type, values of each record
STATUS: Final = 13          # one octet
COUNTER: Final = 14         # status, count
COUNTED: Final = 15         # octet count, octets
TEST: Final = 16            # sub-function, data
TUNNEL: Final = 17          # MEI type and what it defines

_FORMS: Final = (
    # code, request, answer, space, bits a value, most values
    (1, RANGE, VALUES, COIL, 1, 2000),
    (2, RANGE, VALUES, DISCRETE, 1, 2000),
    (3, RANGE, VALUES, HOLDING, 16, 125),
    (4, RANGE, VALUES, INPUT, 16, 125),
    (5, POINT, POINT, COIL, 1, 1),
    (6, POINT, POINT, HOLDING, 16, 1),
    (7, EMPTY, STATUS, -1, 0, 0),
    (8, TEST, TEST, DIAGNOSTIC, 0, 0),
    (11, EMPTY, COUNTER, -1, 0, 0),
    (12, EMPTY, COUNTED, -1, 0, 0),
    (15, BLOCK, RANGE, COIL, 1, 1968),
    (16, BLOCK, RANGE, HOLDING, 16, 123),
    (17, EMPTY, COUNTED, SERVER_ID, 8, 0),
    (20, SUBREADS, SUBANSWERS, FILE, 16, 0),
    (21, SUBWRITES, SUBWRITES, FILE, 16, 0),
    (22, MASK, MASK, HOLDING, 16, 1),
    (23, BOTH, BOTH, HOLDING, 16, 125),
    (24, QUEUE, QUEUED, FIFO, 16, 31),
    (43, TUNNEL, TUNNEL, IDENTITY, 0, 0),
)
# fmt: on
_forms: Final = table(256, np.dtype([(name, "i8") for name in ("request", "answer", "space", "bits", "most")]))
_forms.space = -1
for _form in _FORMS:
    _forms[_form[0]] = _form[1:]
FORMS: Final = plain(_forms)
