"""One process of several that read interfaces (`sensors.sources.shares`): rings that it has from the one that started it, into slots of common memory."""

from __future__ import annotations

import os
import select
import signal
import struct
import sys
import time
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from sensors.engine.tables import FOREVER
from sensors.rights import forgo
from sensors.sources.ring import CURSOR, HOLD, ROOM, clock
from sensors.tied import tie

if TYPE_CHECKING:
    from sensors.sources.ring import Rings

SLOTS: Final = 8
RECORD: Final = struct.Struct("=qqq")  # slot, octets in it, the time up to which all packets are in slots
IDLE: Final = -1  # in the place of a slot: nothing came
END: Final = b"\xff"  # in the place of a slot that is free: come to an end
IDLE_S: Final = 0.02  # others wait so long at most to hear that nothing came
PAUSE_S: Final = 0.005  # where packets wait for those of other interfaces


class Slots(NamedTuple):
    """Those of one share: where they begin in memory, and how many octets of each say where it was read up to."""

    memory: Any
    first: int
    head: int

    def begin(self, slot: int) -> int:
        """Where the packets in it begin."""
        return self.first + slot * (self.head + ROOM) + self.head

    def packets(self, slot: int) -> Any:
        """Room for them."""
        return self.memory[self.begin(slot) : self.begin(slot) + ROOM]

    def state(self, slot: int, interfaces: int) -> Any:
        """Where the rings were read up to, with these packets."""
        begin = self.begin(slot) - self.head
        return self.memory[begin : begin + interfaces * CURSOR.itemsize].view(CURSOR)


def read(rings: Rings, slots: Slots, tells: int, asked: int) -> NoReturn:
    """What the process does, from fork to end."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who started it stops it in order …
        tie(signal.SIGKILL)  # … or is gone
        forgo()
        Reader(rings, slots, tells, asked).run()
        status = 0
    except BrokenPipeError:  # nobody merges any more
        pass
    except BaseException:
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(status)


class Reader:
    """The loop: blocks of rings into slots."""

    def __init__(self, rings: Rings, slots: Slots, tells: int, asked: int) -> None:
        self._rings, self._slots, self._tells, self._asked = rings, slots, tells, asked
        self._free: deque[int] = deque()
        self._until = FOREVER  # packets from then on are for whoever comes next
        self._settled = 0
        self._poll = select.poll()
        for number in (*rings.sockets(), asked):
            self._poll.register(number, select.POLLIN)

    def run(self) -> None:
        """Until it is told to end, and all that came before is in slots."""
        rings = self._rings
        rings.release()  # what the one before had read, and not given back
        told = 0.0
        while True:
            if not self._free:
                self._hear()
                continue
            if self._hand_on():
                told = time.monotonic()
            elif self._until != FOREVER or time.monotonic() - told >= IDLE_S:
                self._settled = min(rings.settled(), self._until)
                self._tell(IDLE, 0)
                told = time.monotonic()
                if self._until != FOREVER:
                    return
            else:
                self._wait()

    def _hand_on(self) -> bool:
        """What is there goes into the next slot; was there anything?"""
        rings, slot = self._rings, self._free[0]
        filled = rings.fill(self._slots.packets(slot), self._until if self._until != FOREVER else None)
        if not filled and not rings.is_read():
            return False
        self._slots.state(slot, len(rings.names))[:] = rings.cursors
        self._tell(self._free.popleft(), filled)
        rings.release()
        return True

    def _tell(self, slot: int, filled: int) -> None:
        os.write(self._tells, RECORD.pack(slot, filled, self._settled))

    def _wait(self) -> None:
        for number, event in self._poll.poll(IDLE_S * 1000):
            if number == self._asked:
                self._hear()
            elif event & select.POLLERR:
                self._rings.forget_errors()
            else:
                time.sleep(PAUSE_S)

    def _hear(self) -> None:
        """Slots that are free, or that it is to end; waits for a word."""
        told = os.read(self._asked, SLOTS + 1)
        if not told:
            raise BrokenPipeError
        for slot in told:
            if slot == END[0]:
                self._until = clock()
                time.sleep(2 * HOLD / 1e9)  # then what came before lies in blocks that are ours
            else:
                self._free.append(slot)
