"""A sensor for another process (`sensors.apart`), which says on standard input what is to be heard, and is told on standard output."""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from records.lean import peak_kib
from sensors.apart import Heard, Order
from sensors.sensor import Sensor
from sensors.sources.again import Mark, Marks
from sensors.sources.pcap import open_capture
from sensors.tied import tie

if TYPE_CHECKING:
    from records.model import Batch


class Places(Marks):
    """Those that were not told yet."""

    def __init__(self) -> None:
        super().__init__()
        self._untold: list[tuple[Mark, int]] = []

    def add(self, mark: Mark, last: int) -> None:
        """One more batch."""
        self._untold.append((mark, last))

    def take(self) -> tuple[tuple[Mark, int], ...]:
        """They are told now."""
        taken = tuple(self._untold)
        self._untold.clear()
        return taken


class Dissecting:
    """One capture, heard for another process."""

    def __init__(self, order: Order) -> None:
        self._order, self._places = order, Places()
        self._names: tuple[str, str] | None = None
        self._sensor = Sensor(lambda: self._named()[0], order.site, order.capture.name, capture=lambda: self._named()[1])

    def _named(self) -> tuple[str, str]:
        """Observer and salt, waited for where they have to be."""
        self._names = names = self._names or _told()
        return names

    def run(self) -> None:
        """To the end. What goes wrong is told. Raises EOFError and BrokenPipeError where nobody is there any more."""
        try:
            source = open_capture(self._order.capture, self._places if self._order.marked else None)
            for batch in self._sensor.listen(source):
                self._tell(batch, error=source.error)
            self._tell(None, error=source.error, assets=self._sensor.assets(), peak_kib=peak_kib())
        except (EOFError, BrokenPipeError):
            raise
        except Exception as problem:
            self._tell(None, failure=problem)

    def _tell(self, batch: Batch | None, **more: Any) -> None:
        sensor = self._sensor
        pickle.dump(Heard(batch, self._places.take(), sensor.began, sensor.now, sensor.totals, **more), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()


def _told() -> Any:
    return pickle.load(sys.stdin.buffer)  # noqa: S301 - this very program wrote it


def main() -> None:
    """Serve who is at the other end, as long as somebody is there."""
    tie()
    with suppress(EOFError, BrokenPipeError):
        Dissecting(_told()).run()
