"""Which rules were in force when: the rule files as they were, kept in the store beside what they found.

A version is a digest of all rule files, Balefire's own and those of the site, by their places and contents. Each finding of a rule names the version that
gave it. A store keeps the last KEPT versions with their texts, so that each can be looked at, judged with again, and put back.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from errno import ENOENT
from functools import cached_property
from hashlib import blake2b
from os import strerror
from os.path import realpath
from typing import TYPE_CHECKING, Any, Final

from detectors.rulebook.disabled import FILE as DISABLED
from detectors.rulebook.disabled import entries
from detectors.rulebook.document import content_of, files_in, is_directory, is_file
from detectors.rulebook.load import BESIDE, own_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

STATE: Final = "rulebook"  # the name under which a store keeps them
KEPT: Final = 50
LARGEST_KEPT: Final = 256 << 20  # octets that all of it unpacks to; a store is not trusted
OWN: Final = "balefire"  # the root of the rules that come with Balefire

Place = tuple[str, str]  # root: a directory, or OWN; path below it, with slashes


@dataclass(frozen=True)  # without slots, so that its identity is reckoned once: each finding bears it
class Version:
    """A set of rule files: the content of each by its place. `since`: newest packet time when it came in force, nanoseconds; None before any."""

    files: Mapping[Place, str]
    since: int | None = None

    @cached_property
    def id(self) -> str:
        """The same files at the same places have the same identity. The site's directory may be called otherwise."""
        roots = {root: number for number, root in enumerate(dict.fromkeys(root for root, _ in self.files))}
        told = json.dumps([[0 if root == OWN else 1 + roots[root], name, digest(text)] for (root, name), text in self.files.items()])
        return blake2b(told.encode(), digest_size=6).hexdigest()

    @cached_property
    def disabled(self) -> dict[str, str]:
        """The rules that the site has disabled in it, each with why."""
        files = (text for (_, name), text in self.files.items() if name.rpartition("/")[2] == DISABLED)
        return {rule: why for text in files for rule, why in entries(text.encode("utf-8", "surrogateescape"))[0].items()}

    def changes(self, before: Version) -> dict[Place, str]:
        """What is added, changed or removed since another version, by place."""
        told = {place: "added" if place not in before.files else "changed" for place, text in self.files.items() if before.files.get(place) != text}
        return told | {place: "removed" for place in before.files if place not in self.files}


def digest(text: str) -> str:
    """What stands for a text."""
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=10).hexdigest()


def rule_files(path: Path) -> list[Path]:
    """The files that the loader takes of a directory, or the one that is named and what lies beside it for all. Raises OSError for what is neither."""
    if not is_directory(path):
        if not is_file(path):  # what is neither may never end
            raise FileNotFoundError(ENOENT, strerror(ENOENT), str(path))
        return [path, *(beside for name in BESIDE if is_file(beside := path.parent / name))]
    return files_in(path)


def read(rules: Iterable[Path], own: bool = True) -> Version:
    """The rules on disk now: Balefire's own and those of these files and directories, each file once. Raises OSError."""
    files: dict[Place, str] = {}
    seen: set[str] = set()
    for path in (*((own_rules(),) if own else ()), *rules):
        root = path if is_directory(path) else path.parent
        for file in rule_files(path):
            if (place := realpath(file)) not in seen:  # a link to itself has no other name
                seen.add(place)
                files[OWN if own and path == own_rules() else str(root.absolute()), file.relative_to(root).as_posix()] = _content(file)
    return Version(files)


def _content(file: Path) -> str:
    """What a file holds, or nothing of one that cannot be read, or of what is no file; the loader says so."""
    try:
        return content_of(file).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def write(version: Version, folder: Path, own: bool = False) -> dict[Place, Path]:
    """Put the site's files (and Balefire's `own`) into an empty folder, each root in a directory of its own; where each went. Raises OSError.

    A store is not trusted: a name that leads out of its root is left out.
    """
    roots = {root: folder / f"{number:04}" for number, root in enumerate(dict.fromkeys(root for root, _ in version.files))}
    made = {(root, name): roots[root] / name for root, name in version.files if own or root != OWN}
    made = {place: file for place, file in made.items() if ".." not in file.parts and file.is_relative_to(roots[place[0]]) and file != roots[place[0]]}
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
