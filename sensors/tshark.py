"""tshark, read by pyshark: a program of its own, started by `sensors.dissection` in a private directory, which prints what it reads as lines of JSON.

    python -P tshark.py trees|frames,trees|frames|names FILE TSHARK SECONDS MEBIBYTES

A line on standard input says that the file is there; until then this waits, and tshark with it, both ready. It ends where that input does. Trees are told of
packets with a comment. All is limited in time, memory and output, and whoever started this ends the whole group of processes. pyshark splits the output into
packets and mends its XML; the tree it would flatten is read here (PDML, https://wiki.wireshark.org/PDML). `frames` are fields that hold numbers of packets.
Of `names`, only the protocols of each packet are told, with the short names that tshark shows for them.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, Final

MOST_OUTPUT: Final = 64 << 20  # octets that are printed
CHUNK: Final = 1 << 16
MOST_FIELDS: Final = 20_000  # of a packet
MOST_DEPTH: Final = 64
MOST_TEXT: Final = 1 << 16  # letters of one text


def limit(seconds: int, mebibytes: int) -> None:
    """Bound this process, and those it starts."""
    for what, most in (
        (resource.RLIMIT_AS, mebibytes << 20),
        (resource.RLIMIT_CPU, seconds + 1),
        (resource.RLIMIT_FSIZE, MOST_OUTPUT),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def hand_on(file: str, into: Any) -> None:
    """Give tshark the file once it is there. Where whoever started this is gone, all of this group is."""
    if os.read(sys.stdin.fileno(), 1):
        with suppress(BrokenPipeError), Path(file).open("rb") as read, into:
            shutil.copyfileobj(read, into)
        os.read(sys.stdin.fileno(), 1)
    os.killpg(0, signal.SIGKILL)


def say(told: dict[str, Any]) -> None:
    """One line, at once: this may be ended at any time."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def text(element: Any, name: str) -> str | None:
    """An attribute as it is, unless it is absurdly long."""
    held = element.get(name)
    return None if held is None else str(held)[:MOST_TEXT]


class Reader:
    """The tree of one packet."""

    def __init__(self) -> None:
        self.fields, self.cut = 0, False

    def node(self, element: Any, depth: int = 0) -> dict[str, Any]:
        """A protocol or a field, with what is in it."""
        self.fields += 1
        inner: list[Any] = [child for child in element.iterchildren() if child.tag in ("field", "proto")]
        room = MOST_FIELDS - self.fields if depth < MOST_DEPTH else 0
        self.cut = self.cut or len(inner) > room
        return {
            "name": text(element, "name") or None,
            "label": text(element, "showname") or text(element, "show"),
            "show": text(element, "show"),
            "position": int(element.get("pos") or 0),
            "size": int(element.get("size") or 0),
            "raw": text(element, "unmaskedvalue") or text(element, "value"),
            "hidden": element.get("hide") == "yes",
            "fields": [self.node(child, depth + 1) for child in inner[:room]],
        }


def packet_trees(element: Any, *, names: bool) -> dict[str, Any]:
    """What there is to tell of one packet."""
    protocols = [proto for proto in element.iterchildren() if proto.tag == "proto" and proto.get("name") != "geninfo"]
    if names:
        told = next((field.get("show") for field in element.iter("field") if field.get("name") == "frame.protocols"), "")
        return {"protocols": str(told)[:MOST_TEXT]}
    reader = Reader()
    fields = [reader.node(proto) for proto in protocols]
    return {"fields": fields, "cut": reader.cut}


def short_names(tshark: str) -> dict[str, str]:
    """What tshark calls protocols, by the names it filters them by."""
    told = subprocess.run([tshark, "-G", "protocols"], capture_output=True, check=False).stdout.decode("utf-8", "replace")  # noqa: S603 - the path is found by the caller
    rows = [line.split("\t") for line in told.splitlines()]
    return {row[2]: row[1] for row in rows if len(row) > 2}


def frame_fields(tshark: str) -> list[str]:
    """Fields that hold the number of a packet in the file, as others of it are told."""
    rows = (line.split(b"\t", 4) for line in subprocess.Popen([tshark, "-G", "fields"], stdout=subprocess.PIPE).stdout or ())  # noqa: S603 - as above
    return [row[2].decode() for row in rows if len(row) > 3 and row[3] == b"FT_FRAMENUM"]


def pdml_parser(*, names: bool) -> Any:
    """pyshark's parser, made so that it keeps the trees."""
    # neither has types
    objectify: Any = import_module("lxml.objectify")
    xml: Any = import_module("pyshark.tshark.output_parser.tshark_xml")

    class Parser(xml.TsharkXmlParser):
        """Keeps the tree; sees which version wrote it, and whether all of it is there."""

        version: str | None = None
        complete = False

        def taken(self, data: bytes) -> tuple[dict[str, Any] | None, bytes]:
            """The first packet of what was read, where it is there as a whole; and the rest."""
            if self.version is None and (creator := re.search(rb'creator="wireshark/([\w.-]+)"', data)):
                self.version = creator[1].decode()
            self.complete = self.complete or b"</pdml>" in data[-32:]
            packet, rest = self._extract_packet_from_data(data)
            return self._parse_single_packet(packet) if packet else None, rest

        def _parse_single_packet(self, packet: bytes) -> dict[str, Any]:
            parser = objectify.makeparser(huge_tree=True, recover=True, resolve_entities=False, encoding="utf-8")
            mended = packet.decode("utf-8", "ignore").translate(xml.DEL_BAD_XML_CHARS).encode()
            return packet_trees(objectify.fromstring(mended, parser), names=names)

    return Parser()


def main() -> None:
    """Read the file and print what is in it."""
    mode, file, tshark, seconds, mebibytes = sys.argv[1:]
    limit(int(seconds), int(mebibytes))
    if "frames" in mode:
        say({"frames": frame_fields(tshark)})
    if mode == "frames":
        say({"version": None, "complete": True, "names": None})
        return
    # while it gets ready, so do we; its complaints are nobody's
    command = [tshark, "-l", "-n", "-T", "pdml", "-r", "-", *(() if mode == "names" else ("-Y", "pkt_comment"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603 - as above
    Thread(target=hand_on, args=(file, process.stdin), daemon=True).start()
    printed: Any = process.stdout
    parser, data = pdml_parser(names=mode == "names"), b""
    while told := printed.read1(CHUNK):
        data += told
        packet, data = parser.taken(data)
        while packet:
            say(packet)
            packet, data = parser.taken(data)
    names = short_names(tshark) if mode == "names" else None
    say({"version": parser.version, "complete": parser.complete, "names": names})


if __name__ == "__main__":
    main()
