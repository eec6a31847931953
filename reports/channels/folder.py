"""Into a folder, a mounted share for one: written beside and renamed in, so that who looks there sees whole files alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reports.channel import Channel, LaterError
from reports.ledger import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.channel import Parcel


def deliver(settings: Mapping[str, Any], parcel: Parcel, doubtful: Callable[[], None]) -> str:
    """Put what is not there yet; doing it twice changes nothing."""
    del settings, doubtful
    folder = Path(parcel.to).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in parcel.files:
            there = folder / file.name
            if there.is_file() and digest(there) == digest(file):
                continue
            beside = folder / f".{file.name}.{parcel.id[:8]}.part"
            shutil.copyfile(file, beside)
            beside.replace(there)
    except OSError as error:
        raise LaterError(f"{error.filename or folder}: {error.strerror or error}") from error
    return str(folder)


CHANNEL: Final = Channel("folder", frozenset({"path"}), frozenset({"path"}), lambda settings: (str(settings["path"]),), deliver)
