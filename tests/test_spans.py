"""A slice of a recording opens only the files in which there is something for it, once it is known what they reach over."""

from __future__ import annotations

import io
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from sensors import slicing, spans
from sensors.indexing import Indexing, unnoted
from sensors.pcapng import Interface, Packet, Writer
from sensors.recording import Recording
from sensors.slicing import Party, Selection, Slice
from sensors.sources.pcap import find, open_capture
from tests.wire import SECOND, START, Talk, mbap, read, registers, save

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sensors.sources.pcap import Capture
    from sensors.sources.reader import CaptureSource

HOUR = 3600 * SECOND
ONE, OTHER = Party(frozenset({"10.0.1.0"})), Party(frozenset({"10.0.0.2"}))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the files that slices open from now on."""
    names: list[str] = []

    def opening(capture: Capture) -> CaptureSource:
        names.append(capture.name)
        return open_capture(capture)

    monkeypatch.setattr(slicing, "open_capture", opening)
    monkeypatch.setattr(spans, "LEAST", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return names


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three files, an hour apart, of a master each; and IPv6 in the last."""
    folder = tmp_path / "kept"
    folder.mkdir()
    for number in range(3):
        talks = [Talk(client=f"10.0.1.{number}", time=START + number * HOUR).open()]
        talks += [Talk(client="2001:db8::1", server="2001:db8::2", time=START + number * HOUR).open()] if number == 2 else []
        for talk in talks:
            talk.ask(mbap(1, read(0, 2)), mbap(1, registers(1, 2)))
        save([packet for talk in talks for packet in talk.packets], folder / f"{number}.pcap")
    return folder


def sliced(folder: Path, selection: Selection) -> list[tuple[int, bytes]]:
    """What it takes of all of them."""
    return [(packet.time, packet.octets) for capture in find([str(folder)]) for _, packet in Slice(capture, selection).packets()]


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(since=START + HOUR), [1, 2]),
        (Selection(until=START + HOUR), [0]),
        (Selection(since=START + 100 * SECOND, until=START + HOUR - SECOND), []),
        (Selection(asset=ONE), [0]),
        (Selection(between=(ONE, OTHER)), [0]),
        (Selection(between=(Party(frozenset({"10.0.1.2"})), Party(frozenset({"2001:db8::1"})))), []),
        (Selection(since=START + HOUR, asset=ONE), []),
        (Selection(asset=Party(frozenset({"2001:0db8:0::1"}))), [2]),
        (Selection(asset=OTHER), [0, 1, 2]),
        (Selection(port=502), [0, 1, 2]),
        (Selection(), [0, 1, 2]),
    ],
)
def test_only_what_is_needed_is_opened_and_nothing_is_missed(selection: Selection, wanted: list[int], recording: Path, opened: list[str]) -> None:
    first = sliced(recording, selection)
    assert len(opened) == 3, "nothing is known yet"
    opened.clear()
    assert sliced(recording, selection) == first
    assert opened == [f"{number}.pcap" for number in wanted]
    assert bool(first) == bool(wanted)


def test_a_file_that_has_changed_is_read_again(recording: Path, opened: list[str]) -> None:
    selection = Selection(asset=ONE)
    sliced(recording, selection)
    path = recording / "2.pcap"
    path.write_bytes((recording / "0.pcap").read_bytes() + path.read_bytes()[24:])
    os.utime(path, (1, 1))
    opened.clear()
    assert len(sliced(recording, selection)) == 2 * 5
    assert opened == ["0.pcap", "2.pcap"]


def test_too_many_addresses_are_not_kept(recording: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> None:
    monkeypatch.setattr(spans, "MOST", 1)
    for _ in range(2):
        assert len(sliced(recording, Selection(between=(ONE, OTHER)))) == 5
    assert len(opened) == 6


def test_where_too_many_speak_to_each_other_who_is_there_is_kept(recording: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]) -> None:
    monkeypatch.setattr(spans, "MOST_PAIRS", 1)
    for _ in range(2):
        assert sliced(recording, Selection(between=(Party(frozenset({"10.0.1.2"})), Party(frozenset({"2001:db8::1"}))))) == []
    assert opened == ["0.pcap", "1.pcap", "2.pcap", "2.pcap"]


def test_beside_each_closed_file_of_a_recording_stands_what_it_reaches_over(tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not beside the one that is written, nor of a file that has changed; it goes with the file."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    folder, head, face = tmp_path / "kept", io.BytesIO(), Interface("in0", 1, 0)
    Writer(head).number(face)
    recording = Recording(folder, head.getvalue(), most=24 << 20, segment=5 << 20, floor=0)

    def hear(hours: Iterable[int]) -> None:
        for hour in hours:
            block, talk = io.BytesIO(), Talk(client=f"10.0.1.{hour}", time=START + hour * HOUR).open()
            writer = Writer(block)
            writer.number(face)
            before = block.tell()
            for each in 16 * talk.packets:
                writer.add(Packet(each.time, 1 << 18, each.data + bytes(1 << 17), face))
            recording.write(block.getvalue()[before:])

    def noted() -> list[int]:
        return [int(path.name[:8]) for path in sorted(folder.glob("*.span"))]

    hear(range(3))
    indexing = Indexing(folder)
    indexing.tend()
    assert indexing._process is not None  # pyright: ignore[reportPrivateUsage]
    assert indexing._process.wait(120) == 0  # pyright: ignore[reportPrivateUsage]
    assert (noted(), unnoted(folder)) == ([1, 2], [])
    asked = [(Selection(asset=ONE), [1, 3]), (Selection(since=START + HOUR, until=START + 2 * HOUR), [2, 3]), (Selection(), [1, 2, 3])]
    for selection, wanted in asked:
        opened.clear()
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        sliced(folder, selection)
        assert [int(name[:8]) for name in opened] == wanted
    os.utime(sorted(folder.glob("*.pcapng"))[1], (1, 1))
    opened.clear()
    sliced(folder, Selection(asset=ONE))
    assert [int(name[:8]) for name in opened] == [1, 2]
    hear(range(3, 7))
    recording.close()
    assert noted() == []
