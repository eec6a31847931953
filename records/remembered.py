"""What takes long to be worked out is remembered for other processes: in the user's cache, under a digest of all that it was worked out of.

It is as much trusted as the program itself, as compiled kernels there are: what is somebody else's, or what others may write, is not read.
"""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST: Final = 16  # of one kind; those that were written first go
_WRITABLE: Final = 0o022  # by others than its owner


def place_of(kind: str, parts: Iterable[bytes]) -> Path:
    """Where what is worked out of these is remembered."""
    digest = blake2b(sys.version.encode(), digest_size=16)
    for part in parts:
        digest.update(b"%d " % len(part))
        digest.update(part)
    return platformdirs.user_cache_path("balefire") / "remembered" / kind / digest.hexdigest()


def program(packages: Iterable[str], libraries: Iterable[str]) -> Iterator[bytes]:
    """What these packages of ours say, all of them, and the versions of others': what they work out is worked out anew where one is another."""
    for name in packages:
        for folder, _, names in sorted(os.walk(str(files(name)))):
            for file in sorted(names):
                if file.endswith((".py", ".toml")):
                    yield file.encode()
                    yield Path(folder, file).read_bytes()
    for name in libraries:
        yield version(name).encode()


def recall(place: Path) -> Any:
    """What is remembered there; None where nothing is that can be read and trusted."""
    try:
        with place.open("rb") as file:
            state = os.fstat(file.fileno())
            if state.st_uid != os.geteuid() or state.st_mode & _WRITABLE:
                return None
            return pickle.load(file)  # noqa: S301 - written by this user, and nobody else may
    except Exception:  # a file that was torn raises whatever it likes; it is worked out anew
        return None


def remember(place: Path, found: object) -> None:
    """Remember it there; where that cannot be, it is worked out again."""
    with suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                pickle.dump(found, file, pickle.HIGHEST_PROTOCOL)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _forget(place.parent)


def _forget(folder: Path) -> None:
    """Let the oldest go."""
    written: list[tuple[float, Path]] = []
    for file in folder.iterdir():
        with suppress(OSError):  # another process let it go
            written.append((file.stat().st_mtime, file))
    for _, file in sorted(written, reverse=True)[MOST:]:
        file.unlink(missing_ok=True)
