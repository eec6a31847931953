"""In which order correlations are read: what one looks at before itself, however long the way down is, and the circles among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from detectors.rulebook.document import Document

_Node = TypeVar("_Node")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")


def looked_at(document: Document) -> list[str]:
    """The names that the correlation of a document looks at: those under `rules:`, else the words of its condition."""
    stated: Any = document.data.get("correlation")
    said = cast("dict[str, Any]", stated) if isinstance(stated, dict) else {}
    rules = said.get("rules")
    if rules is None:
        return _WORD.findall(said["condition"]) if isinstance(said.get("condition"), str) else []
    return [name for name in (cast("list[Any]", rules) if isinstance(rules, list) else [rules]) if isinstance(name, str)]


def downwards(graph: Mapping[_Node, Iterable[_Node]], roots: Iterable[_Node]) -> tuple[list[_Node], dict[_Node, list[_Node]]]:
    """What the roots lead to, each after those that it leads to itself, and by every node on a circle the way round."""
    done: dict[_Node, None] = {}
    circles: dict[_Node, list[_Node]] = {}
    for root in roots:
        way = {} if root in done else {root: iter(graph[root])}  # no recursion: a way may be longer than Python's stack
        while way:
            node, steps = next(reversed(way.items()))
            step = next((one for one in steps if one in graph and one not in done), None)
            if step is None:
                done[node] = None
                del way[node]
            elif step in way:
                nodes = list(way)
                circle = nodes[nodes.index(step) :]
                circles |= {one: circle for one in circle if one not in circles}
            else:
                way[step] = iter(graph[step])
    return list(done), circles
