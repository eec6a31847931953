"""Into a folder, a mounted share for one, as the ledger has them: written beside and renamed in, so that who looks there sees whole files alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

from records.errors import UsageError
from records.homes import expanded
from reports.channel import Channel, LaterError, RefusedError
from reports.ledger import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.channel import Parcel


def deliver(settings: Mapping[str, Any], parcel: Parcel, doubtful: Callable[[], None]) -> str:
    """Put what is not there yet; doing it twice changes nothing. Raises RefusedError where another entry has its place."""
    del settings, doubtful
    folder, entry = expanded(parcel.to), parcel.files[0]
    at = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (taken := folder / entry.name).exists() and digest(taken) != digest(entry):
            raise RefusedError(str(UsageError("deliver.taken", place=taken)))
        for file, place in parcel.placed():
            at = there = folder / place
            if there.is_file() and digest(there) == digest(file):
                continue
            beside = folder / f".{file.name}.{parcel.id[:8]}.part"  # not in the folder of the entry, where a part left behind would be a file too many
            try:
                shutil.copyfile(file, beside)
                there.parent.mkdir(exist_ok=True)
                beside.replace(there)
            finally:
                beside.unlink(missing_ok=True)  # what a disk that is full has of it, for one
    except OSError as error:
        raise LaterError(f"{at}: {error.strerror or error}") from error
    return str(folder)


CHANNEL: Final = Channel("folder", frozenset({"path"}), frozenset({"path"}), lambda settings: (str(settings["path"]),), deliver, frozenset({"path"}))
