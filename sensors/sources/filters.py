"""Filters that the kernel applies before a packet costs anything: an expression as tcpdump takes it (pcap-filter(7)), compiled by libpcap.

What it comes to depends on the interface: where its packets begin (a tunnel of bare IP has no Ethernet), and that the kernel has taken the VLAN tag out of
them, which libpcap asks it for where it compiles for an interface that it has open. It is open for that alone, and nothing is read there.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from records.errors import InputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator

ETHERNET: Final = 1
SNAP: Final = 1 << 18
NOTHING: Final = struct.pack("=HBBI", 6, 0, 0, 0)  # linux/bpf_common.h: return 0
SAID: Final = 256  # octets of what libpcap says (PCAP_ERRBUF_SIZE)


class _Code(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


class Program:
    """What sockets let through. Raises UsageError for an expression that cannot be compiled, and where libpcap is missing."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._library = _library()
        handle = self._library.pcap_open_dead(ETHERNET, SNAP)
        try:
            self._compiled(handle)  # what is wrong with it is said before anything else
        finally:
            self._library.pcap_close(handle)

    def instructions(self, interface: str) -> bytes:
        """For the kernel, for a socket of this interface. Raises UsageError where it means nothing there, and InputError where it cannot be opened."""
        with self._opened(interface) as handle:
            return self._compiled(handle)

    def _compiled(self, handle: int) -> bytes:
        code = _Code()
        if self._library.pcap_compile(handle, ctypes.byref(code), self._expression.encode(), 1, 0xFFFFFFFF):
            raise UsageError("live.filter", filter=self._expression, reason=self._library.pcap_geterr(handle).decode(errors="replace"))
        try:
            return ctypes.string_at(code.instructions, 8 * code.length)
        finally:
            self._library.pcap_freecode(ctypes.byref(code))

    @contextmanager
    def _opened(self, interface: str) -> Generator[int]:
        said = ctypes.create_string_buffer(SAID)
        handle = self._library.pcap_create(interface.encode(), said)
        if not handle:
            raise InputError("live.unreadable", interface=interface, reason=said.value.decode(errors="replace"))
        try:
            if self._library.pcap_activate(handle) < 0:
                raise InputError("live.unreadable", interface=interface, reason=self._library.pcap_geterr(handle).decode(errors="replace"))
            yield handle
        finally:
            self._library.pcap_close(handle)


def _library() -> Any:
    name = ctypes.util.find_library("pcap")
    if name is None:
        raise UsageError("live.libpcap")
    library: Any = ctypes.CDLL(name)
    handle, code = ctypes.c_void_p, ctypes.POINTER(_Code)
    for function, given, returned in (
        ("pcap_open_dead", [ctypes.c_int, ctypes.c_int], handle),
        ("pcap_create", [ctypes.c_char_p, ctypes.c_char_p], handle),
        ("pcap_activate", [handle], ctypes.c_int),
        ("pcap_compile", [handle, code, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32], ctypes.c_int),
        ("pcap_geterr", [handle], ctypes.c_char_p),
        ("pcap_freecode", [code], None),
        ("pcap_close", [handle], None),
    ):
        getattr(library, function).argtypes = given
        getattr(library, function).restype = returned
    return library
