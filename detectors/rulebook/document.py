"""Rule files as plain values with the line of each: what PyYAML's nodes know and its values forget."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, field
from errno import ELOOP, ENOENT
from os import strerror
from pathlib import Path as File
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Final, cast

import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import Reader

from detectors.rulebook.problems import Fault, text
from detectors.rulebook.scalars import DATE, EQUALS, MERGE, NUMBERS, PLAIN, TEXT, misread

if TYPE_CHECKING:
    from collections.abc import Callable

    from records.model import Text

LARGEST: Final = 256 * 1024  # octets; a rule is a page, and a rule file is not trusted
DEEPEST: Final = 24
ENDINGS: Final = frozenset({".yml", ".yaml"})  # in any case
LONGEST_NUMBER: Final = 64  # characters: a longer one does not fit into 64 bits, and takes long to be read and to be printed

# What turns the reading direction shows a reader another rule than the one that judges.
_TURNING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SOUGHT: Final = frozenset({("detection",), ("filter",), ("tests",), ("where",)})  # what names may be asked for has to be said, as an escape

Path = tuple[str | int, ...]

# The C loader is some ten times faster; both give the same nodes and marks.
_Loader: Final = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class _Unread(Exception):  # noqa: N818 - never leaves this file
    """What keeps the whole file from being read, on this line."""

    def __init__(self, line: int, fault: Fault) -> None:
        super().__init__(line, fault)
        self.line = line
        self.fault = fault


def _said(detail: str, **values: object) -> Fault:
    """What is not valid YAML, and what to do about just that."""
    return Fault("yaml", detail=text(f"detectors.detail.{detail}", **values), fix=text(f"detectors.fix.{detail}"))


def _invalid(line: int, detail: str, **values: object) -> _Unread:
    return _Unread(line, _said(detail, **values))


# What libyaml and PyYAML say, by its beginning, and which of our words it is.
_TROUBLE: Final = (
    ("mapping values are not allowed", "colon"), ("found character", "sign"), ("found a tab", "tab"), ("could not find expected ':'", "no_colon"),
    ("did not find expected key", "indent"), ("expected <block end>", "indent"), ("block sequence entries", "indent"), ("mapping keys are not", "indent"),
    ("did not find expected ','", "open"), ("did not find expected node", "open"), ("expected ',' or", "open"), ("expected the node content", "open"),
    ("found unexpected end of stream", "open"), ("found unexpected document", "open"), ("found unknown escape", "escape"), ("found invalid", "escape"),
    ("found unhashable", "key"),
)  # fmt: skip


def _trouble(error: yaml.MarkedYAMLError) -> tuple[int, Fault]:
    """What the parser says, in the reader's words. What is left open is told where it begins, for the file's end tells nothing."""
    said = str(error.problem or error.context)
    detail = next((name for begins, name in _TROUBLE if said.startswith(begins)), "unread")
    mark = error.context_mark if detail == "open" and error.context_mark else error.problem_mark
    return mark.line + 1 if mark else 1, _said(detail)


def is_file(file: File) -> bool:
    """Whether it is a file. What lies in a directory that cannot be entered is nothing; pathlib raises."""
    try:
        return file.is_file()
    except OSError:
        return False


def is_directory(file: File) -> bool:
    """Whether it is a directory, as `is_file`."""
    try:
        return file.is_dir()
    except OSError:
        return False


def files_in(folder: File) -> list[File]:
    """What bears the name of a rule file in a directory, in order. Where one cannot be looked into, `*.yml` in it stands for whatever is there."""
    shut: list[OSError] = []
    found = [File(place) / name for place, folders, files in os.walk(folder, onerror=shut.append) for name in (*folders, *files)]
    return sorted([*(file for file in found if is_named(file)), *(File(error.filename) / "*.yml" for error in shut)])


def is_named(file: File) -> bool:
    """Whether it bears the name of a rule file. What does and is no file is told, not passed over; but for a directory, and an editor's lock (`.#name`)."""
    if file.suffix.lower() not in ENDINGS:
        return False
    return is_file(file) or not (file.name.startswith(".#") or (is_directory(file) and not file.is_symlink()))


def content_of(file: File) -> bytes:
    """What a file holds; of one that is too large, enough to be refused by its size. Raises OSError, also for what is no file."""
    if not S_ISREG(file.stat().st_mode):  # a pipe or a device may never end
        raise FileNotFoundError(ENOENT, strerror(ENOENT), str(file))
    with file.open("rb") as opened:
        return opened.read(LARGEST + 1)


def unread(error: OSError) -> Fault:
    """Why a file could not be read, and what to do about just that."""
    if error.errno in (ENOENT, ELOOP):
        return Fault("no-file")
    return Fault("unreadable", detail=error.strerror or str(error), fix=text(f"detectors.fix.{'rights' if isinstance(error, PermissionError) else 'damaged'}"))


@dataclass(slots=True, eq=False)
class Document:
    """One rule as it was written: plain values, the line of every key and list item by path, and what was wrong with the YAML itself.

    `parts` are the other documents of its file, those that a correlation is made of. `start` is the line it begins on;
    `misread` are the keys below which a value is not read as it is written.
    """

    data: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    faults: list[tuple[int, Fault]] = field(default_factory=list[tuple[int, Fault]])
    parts: list[Document] = field(default_factory=list["Document"])
    start: int = 1
    misread: set[str | int] = field(default_factory=set[str | int])

    def line(self, *path: str | int) -> int:
        """Line of the value at this path, or of the nearest thing around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.start)


def read(content: bytes) -> Document:
    """The document of a file's content. What cannot be read at all stands in its `faults`, with empty data."""
    document = Document({})
    if len(content) > LARGEST:
        document.faults.append((1, Fault("too-large", largest=LARGEST)))
        return document
    try:
        _fill(document, _decoded(content))
    except _Unread as error:
        document.faults.append((error.line, error.fault))
    except yaml.MarkedYAMLError as error:
        document.faults.append(_trouble(error))
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):  # whatever else PyYAML raises, in Python's words
        document.faults.append((1, _said("unread")))
    return document


def read_file(file: File, reader: Callable[[bytes], Document] = read) -> Document:
    """The document of a file; why it cannot be read stands in its `faults`."""
    try:
        return reader(content_of(file))
    except OSError as error:
        return Document({}, faults=[(1, unread(error))])


def _decoded(content: bytes) -> str:
    """The text of a file. Raises _Unread where it is not UTF-8, or holds what no text does."""
    try:
        decoded = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _Unread(line, Fault("encoding", name=_encoding(content))) from error
    odd = Reader.NON_PRINTABLE.search(decoded) or _TURNING.search(decoded)
    if odd and odd[0] == "\0" and _is_utf16(content):  # of ASCII, so that it is UTF-8, too
        raise _Unread(1, Fault("encoding", name="UTF-16"))
    if odd:
        raise _invalid(decoded.count("\n", 0, odd.start()) + 1, "character", name=f"U+{ord(odd[0]):04X}")
    return decoded


def _is_utf16(content: bytes) -> bool:
    """Whether it begins as UTF-16 does, or about every second octet is zero; of what a crash left of a file, all are."""
    return content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or len(content) < content.count(0) * 4 < len(content) * 3


def _encoding(content: bytes) -> str | Text:
    """What a text that is not UTF-8 most probably is: in GBK, two octets make a character."""
    if _is_utf16(content):
        return "UTF-16"
    if 0 in content:
        return text("detectors.detail.binary")
    pairs = all(len(run) % 2 == 0 for run in re.findall(rb"[\x80-\xff]+", content))
    return "GBK (GB 18030)" if pairs else "Latin-1 (ISO 8859-1, Windows-1252)"


def _fill(document: Document, content: str) -> None:
    # An alias would let a small file stand for a huge one, and no rule needs one.
    # Levels are counted here already: what composes nodes goes down one call a level.
    deep = 0
    for event in yaml.parse(content, Loader=_Loader):
        deep += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if deep > DEEPEST:
            raise _invalid(_line(event), "deep", most=DEEPEST)
        if tag := getattr(event, "tag", None):  # PyYAML raises what it likes for a value that does not fit, and no rule needs one
            raise _invalid(_line(event), "tag", name=str(tag).replace(PLAIN, "!!"))
        if isinstance(event, yaml.AliasEvent):
            document.faults.append((_line(event), Fault("alias")))
            return
    loader = _Loader(content)
    try:
        found: list[Document] = []
        while loader.check_node():
            node: Any = loader.get_node()  # the stubs leave its type open
            found += _document(document, loader, node)
    finally:
        loader.dispose()
    if not found and not document.faults:
        document.faults.append((1, Fault("not-a-rule")))
    if not found:
        return
    main = next((one for one in found if "id" in one.data), found[0])
    document.data, document.lines, document.start, document.misread = main.data, main.lines, main.start, main.misread
    document.parts = [one for one in found if one is not main]
    if document.parts and "correlation" not in main.data:
        document.faults.append((document.parts[0].start, Fault("several")))


def _document(whole: Document, loader: Any, node: Any) -> list[Document]:
    """One document of a file; none where it is empty or no mapping."""
    if not isinstance(node, yaml.MappingNode):
        if not isinstance(node, yaml.ScalarNode) or node.value:
            whole.faults.append((_line(node), Fault("not-a-rule")))
        return []
    document = Document({}, faults=whole.faults, start=_line(node))
    _walk(document, node, ())
    document.data = loader.construct_document(node)
    return [document]


def _line(part: yaml.Event | yaml.Node) -> int:
    return part.start_mark.line + 1 if part.start_mark else 1


def _walk(document: Document, node: yaml.Node, path: Path) -> None:
    if isinstance(node, yaml.ScalarNode):
        _check(node, path)
        if node.tag != TEXT and (fault := misread(node)):
            document.faults.append((_line(node), fault))
            document.misread.update(path[:1])
            node.tag = node.tag if node.tag in NUMBERS else TEXT  # a truth that is not written so was meant as a text most often
    elif isinstance(node, yaml.MappingNode):
        _walk_mapping(document, node, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast("list[yaml.Node]", node.value)):
            document.lines[*path, index] = _line(item)
            _walk(document, item, (*path, index))


def _check(node: yaml.ScalarNode, path: Path) -> None:
    """Raises _Unread for a number of too many digits, for what looks like a date and is none, and for what turns a text that a person reads."""
    line, value = _line(node), str(node.value)
    if (odd := _TURNING.search(value)) and path[:1] not in _SOUGHT:  # written as an escape, else it had been found before
        raise _invalid(line, "character", name=f"U+{ord(odd[0]):04X}")
    if node.tag in NUMBERS and len(value) > LONGEST_NUMBER:
        raise _invalid(line, "number", most=LONGEST_NUMBER)
    try:
        if node.tag == DATE:
            SafeConstructor().construct_yaml_timestamp(node)
    except (ValueError, OverflowError) as error:
        raise _invalid(line, "date", name=value) from error
    if node.tag in (DATE, EQUALS):
        node.tag = TEXT


def _walk_mapping(document: Document, node: yaml.MappingNode, path: Path) -> None:
    """Keys are texts as they are written, whatever YAML takes them for. Raises _Unread for what can be none."""
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
            raise _invalid(_line(key), "key")
        key.tag = TEXT
        _walk(document, key, path)
        place = (*path, str(key.value))
        if place in document.lines:
            document.faults.append((_line(key), Fault("duplicate-key", name=key.value, line=document.lines[place])))
        document.lines[place] = _line(key)
        _walk(document, value, place)
