"""Rule files as plain values with the line of each: what PyYAML's nodes know and its values forget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, cast

import yaml

from detectors.rulebook.problems import Fault, text

LARGEST: Final = 256 * 1024  # octets; a rule is a page, and a rule file is not trusted
DEEPEST: Final = 24
LONGEST_NUMBER: Final = 64  # characters: a longer one does not fit into 64 bits, and takes long to be read and to be printed
NUMBERS: Final = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")

Path = tuple[str | int, ...]

# The C loader is some ten times faster; both give the same nodes and marks.
_Loader: Final = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class _Deep(Exception):  # noqa: N818 - never leaves this file
    """More levels than a rule needs."""


class _Long(Exception):  # noqa: N818 - never leaves this file
    """A number of more digits than a rule needs, on this line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(slots=True)
class Document:
    """One rule as it was written: plain values, the line of every key and list item by path, and what was wrong with the YAML itself.

    `parts` are the other documents of its file, those that a correlation is made of. `start` is the line it begins on.
    """

    data: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    faults: list[tuple[int, Fault]] = field(default_factory=list[tuple[int, Fault]])
    parts: list[Document] = field(default_factory=list["Document"])
    start: int = 1

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
        _fill(document, content.decode("utf-8"))
    except UnicodeDecodeError as error:
        document.faults.append((content[: error.start].count(b"\n") + 1, Fault("yaml", detail=str(error))))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        document.faults.append((line, Fault("yaml", detail=error.problem or error.context or "?")))
    except _Long as error:
        document.faults.append((error.line, Fault("yaml", detail=text("detectors.detail.number", most=LONGEST_NUMBER))))
    except _Deep:
        document.faults.append((1, Fault("yaml", detail=text("detectors.detail.deep", most=DEEPEST))))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        document.faults.append((1, Fault("yaml", detail=str(error).splitlines()[0] if str(error) else type(error).__name__)))
    return document


def _fill(document: Document, content: str) -> None:
    # An alias would let a small file stand for a huge one, and no rule needs one.
    # Levels are counted here already: what composes nodes goes down one call a level.
    deep = 0
    for event in yaml.parse(content, Loader=_Loader):
        deep += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if deep > DEEPEST:
            raise _Deep
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
    if not found:
        document.faults.append((1, Fault("not-a-rule")))
        return
    main = next((one for one in found if "id" in one.data), found[0])
    document.data, document.lines, document.start = main.data, main.lines, main.start
    document.parts = [one for one in found if one is not main]
    if document.parts and "correlation" not in main.data:
        document.faults.append((document.parts[0].start, Fault("several")))


def _document(whole: Document, loader: Any, node: Any) -> list[Document]:
    """One document of a file; none where it is empty or no mapping."""
    if not isinstance(node, yaml.MappingNode):
        if not isinstance(node, yaml.ScalarNode) or node.value:
            whole.faults.append((node.start_mark.line + 1, Fault("not-a-rule")))
        return []
    document = Document({}, faults=whole.faults, start=node.start_mark.line + 1)
    _walk(document, node, ())
    document.data = loader.construct_document(node)
    return [document]


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _walk(document: Document, node: yaml.Node, path: Path) -> None:
    if isinstance(node, yaml.ScalarNode) and node.tag in NUMBERS and len(str(node.value)) > LONGEST_NUMBER:
        raise _Long(node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        _walk_mapping(document, node, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast("list[yaml.Node]", node.value)):
            document.lines[*path, index] = item.start_mark.line + 1
            _walk(document, item, (*path, index))


def _walk_mapping(document: Document, node: yaml.MappingNode, path: Path) -> None:
    for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            document.faults.append((line, Fault("yaml", detail=text("detectors.detail.key"))))
            continue
        _walk(document, key, path)
        place = (*path, str(key.value))
        if place in document.lines:
            document.faults.append((line, Fault("duplicate-key", name=key.value, line=document.lines[place])))
        document.lines[place] = line
        _walk(document, value, place)
