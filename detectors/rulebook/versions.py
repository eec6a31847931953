"""Which rules were in force when: the rule files as they were, kept in the store beside what they found.

A version is a digest of all rule files, Balefire's own and those of the site, by their places and contents. Each finding of a rule names the version that
gave it. A store keeps the last KEPT versions with their texts, so that each can be looked at, judged with again, and put back.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.document import LARGEST
from detectors.rulebook.load import own_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

STATE: Final = "rulebook"  # the name under which a store keeps them
KEPT: Final = 50
LARGEST_KEPT: Final = 256 << 20  # octets that all of it unpacks to; a store is not trusted
OWN: Final = "balefire"  # the root of the rules that come with Balefire

Place = tuple[str, str]  # root: a directory or file as the user named it, or OWN; path below it, with slashes, empty for a root that is a file


@dataclass(frozen=True, slots=True)
class Version:
    """A set of rule files: the content of each by its place. `since`: newest packet time when it came in force, nanoseconds; None before any."""

    files: Mapping[Place, str]
    since: int | None = None

    @property
    def id(self) -> str:
        """The same files at the same places have the same identity. The site's directory may be called otherwise."""
        roots = {root: number for number, root in enumerate(dict.fromkeys(root for root, _ in self.files))}
        told = json.dumps([[0 if root == OWN else 1 + roots[root], name, digest(text)] for (root, name), text in self.files.items()])
        return blake2b(told.encode(), digest_size=6).hexdigest()

    def changes(self, before: Version) -> dict[Place, str]:
        """What is added, changed or removed since another version, by place."""
        told = {place: "added" if place not in before.files else "changed" for place, text in self.files.items() if before.files.get(place) != text}
        return told | {place: "removed" for place in before.files if place not in self.files}


def digest(text: str) -> str:
    """What stands for a text."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


def rule_files(root: Path) -> list[Path]:
    """The files that the loader takes of a directory, or the one that is named."""
    if not root.is_dir():
        return [root]
    return sorted(file for file in root.rglob("*") if file.suffix in {".yml", ".yaml"} and file.is_file())


def read(rules: Iterable[Path]) -> Version:
    """The rules on disk now: Balefire's own and those of these files and directories. Raises OSError."""
    files: dict[Place, str] = {}
    for root, label in ((own_rules(), OWN), *((path, str(path.absolute())) for path in rules)):
        for file in rule_files(root):
            name = "" if file == root else file.relative_to(root).as_posix()
            files[label, name] = _content(file)
    return Version(files)


def _content(file: Path) -> str:
    """What a file holds; of one that is too large, enough to be refused by its size; nothing of one that is not ours to read, as the loader says."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST + 1).decode("utf-8", "surrogateescape")
    except PermissionError:
        return ""


def write(version: Version, folder: Path) -> dict[Place, Path]:
    """Put the site's files into an empty folder, each root in a directory of its own; where each went. Raises OSError."""
    roots = {root: folder / str(number) for number, root in enumerate(dict.fromkeys(root for root, _ in version.files))}
    made = {(root, name): roots[root] / (name or Path(root).name) for root, name in version.files if root != OWN}
    for place, file in made.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(version.files[place].encode("utf-8", "surrogateescape"))
    return made


def noted(versions: Sequence[Version], now: Version) -> list[Version]:
    """The versions with one more, which is in force now; as many of the last as are kept."""
    found = [*versions, now][-KEPT:]
    while len(found) > 1 and sum(len(text) for text in _texts(found).values()) > LARGEST_KEPT // 8:
        del found[0]
    return found


def encoded(versions: Sequence[Version]) -> bytes:
    """Versions as a store keeps them; each text once."""
    told = [{"since": each.since, "files": [[root, name, digest(text)] for (root, name), text in each.files.items()]} for each in versions]
    return zlib.compress(json.dumps({"versions": told, "texts": _texts(versions)}).encode())


def decoded(state: bytes | None) -> list[Version]:
    """The versions that a store kept, oldest first. Raises ValueError for what is none."""
    if not state:
        return []
    try:
        unpacked = zlib.decompressobj()
        kept: Any = json.loads(unpacked.decompress(state, LARGEST_KEPT))
        texts: dict[str, str] = {str(name): str(text) for name, text in kept["texts"].items()}
        return [Version(dict(_files(each["files"], texts)), None if each["since"] is None else int(each["since"])) for each in kept["versions"]]
    except (zlib.error, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError("these are no versions of rules") from error


def _files(told: Any, texts: dict[str, str]) -> Iterator[tuple[Place, str]]:
    for root, name, content in told:
        yield (str(root), str(name)), texts[content]


def _texts(versions: Sequence[Version]) -> dict[str, str]:
    return {digest(text): text for each in versions for text in each.files.values()}
