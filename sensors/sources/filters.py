"""Filters that the kernel applies before a packet costs anything: an expression as tcpdump takes it (pcap-filter(7)), compiled by libpcap."""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
from typing import Any, Final

from records.errors import UsageError

ETHERNET: Final = 1
SNAP: Final = 1 << 18
NOTHING: Final = struct.pack("=HBBI", 6, 0, 0, 0)  # linux/bpf_common.h: return 0


class _Code(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class Program:
    """What a socket lets through. Raises UsageError for an expression that cannot be compiled, and where libpcap is missing."""

    def __init__(self, expression: str) -> None:
        name = ctypes.util.find_library("pcap")
        if name is None:
            raise UsageError("live.libpcap")
        library: Any = ctypes.CDLL(name)
        library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_geterr.argtypes, library.pcap_geterr.restype = [ctypes.c_void_p], ctypes.c_char_p
        library.pcap_compile.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Code), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32]
        library.pcap_freecode.argtypes, library.pcap_close.argtypes = [ctypes.POINTER(_Code)], [ctypes.c_void_p]
        handle, code = library.pcap_open_dead(ETHERNET, SNAP), _Code()
        try:
            if library.pcap_compile(handle, ctypes.byref(code), expression.encode(), 1, 0xFFFFFFFF):
                raise UsageError("live.filter", filter=expression, reason=library.pcap_geterr(handle).decode(errors="replace"))
            self.instructions = ctypes.string_at(code.instructions, 8 * code.length)
            library.pcap_freecode(ctypes.byref(code))
        finally:
            library.pcap_close(handle)
