"""What was judged once is kept, for ten plants take hours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.evaluate.page import Page

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[2]
JUDGING: Final = ("sensors", "detectors", "rules", "records", "tests/plant/works", "tests/evaluate")  # what is judged and by what, beside the captures …
TELLING: Final = ("__main__.py", "keeping.py", "page.py")  # … and what only tells of it


def code() -> str:
    """A digest of what judges, and of the plants."""
    digest = hashlib.blake2b(digest_size=8)
    files = (file for folder in JUDGING for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".yml", ".tsv") and file.name not in TELLING)
    for file in sorted(files):
        digest.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def once(folder: Path | None, name: str, make: Callable[..., Page], *given: Any) -> Page:
    """The page that is kept there under this name; else it is made, and kept where all in it is explained."""
    file = folder and folder / f"{name}.json"
    if file and file.exists():
        page = Page()
        page.rows, page.sections = json.loads(file.read_text("utf-8"))
        return page
    page = make(*given)
    if file and not page.unexplained:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([page.rows, page.sections]), "utf-8")
    return page
