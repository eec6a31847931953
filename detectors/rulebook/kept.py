"""The rules of a version that a store has kept: its files are written down for the loader, read back, and gone again."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from detectors.rulebook import versions
from detectors.rulebook.load import Rulebook, load, own_rules
from records import scratch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors.rulebook.versions import Version


@dataclass(frozen=True, slots=True)
class Kept:
    """Balefire's own rules as they are installed, and the site's as they were kept.

    `texts`: each file's content by the name under which rules and problems know it; `places`: that name as people know it; `own`: those of Balefire.
    """

    book: Rulebook
    texts: Mapping[str, str]
    places: Mapping[str, str]
    own: frozenset[str]


def loaded(version: Version) -> Kept:
    """The rules of this version."""
    with tempfile.TemporaryDirectory(prefix=scratch.prefix("rules")) as folder:
        made = versions.write(version, Path(folder))
        roots = tuple(dict.fromkeys(file.parents[name.count("/")] for (_, name), file in made.items()))
        book = load((own_rules(), *roots))
        texts = {str(file): version.files[place] for place, file in made.items()}
        places = {str(file): str(Path(root) / name) for (root, name), file in made.items()}
    own = [str(file) for file in versions.rule_files(own_rules())]
    texts |= {file: Path(file).read_text("utf-8", "surrogateescape") for file in own}
    places |= {file: Path(file).relative_to(own_rules()).as_posix() for file in own}
    return Kept(book, texts, places, frozenset(own))
