"""By SFTP, as the ledger has them: under another name first, then renamed, so that doing it twice changes nothing. The server's key has to be known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from records.errors import UsageError
from reports.channel import TIMEOUT_S, Channel, LaterError, RefusedError, secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.channel import Parcel, Wrong

KEYS: Final = frozenset({"host", "port", "user", "path", "known_hosts", "key_file", "passphrase_env", "passphrase_file", "password_env", "password_file"})
LOCAL: Final = frozenset({"known_hosts", "key_file", "passphrase_file", "password_file"})


def deliver(settings: Mapping[str, Any], parcel: Parcel, doubtful: Callable[[], None]) -> str:
    """Put what is not there yet. Raises RefusedError where another entry has its place."""
    del doubtful
    try:
        import asyncssh
    except ImportError as error:
        raise UsageError("deliver.package", package="asyncssh") from error
    try:
        return asyncio.run(asyncio.wait_for(_put(settings, parcel), TIMEOUT_S * 5))
    except (OSError, asyncssh.Error, asyncssh.KeyImportError, TimeoutError) as error:  # keys and passwords that do not do among them: they can be mended
        raise LaterError(str(error) or type(error).__name__) from error


async def _put(settings: Mapping[str, Any], parcel: Parcel) -> str:
    import asyncssh

    key = [asyncssh.read_private_key(str(settings["key_file"]), secret(settings, "passphrase"))] if settings.get("key_file") else []
    about: dict[str, Any] = {"username": str(settings["user"]), "client_keys": key, "password": secret(settings, "password"), "agent_path": None}
    about |= {"known_hosts": str(settings["known_hosts"]), "login_timeout": TIMEOUT_S, "config": None}
    async with asyncssh.connect(str(settings["host"]), int(settings.get("port", 22)), **about) as connection, connection.start_sftp_client() as there:
        folder, entry = parcel.to.rstrip("/"), parcel.files[0]
        if await there.exists(taken := f"{folder}/{entry.name}") and not await _same(there, taken, entry.read_bytes()):
            raise RefusedError(str(UsageError("deliver.taken", place=taken)))
        for file, name in parcel.placed():
            place, beside = f"{folder}/{name}", f"{folder}/.{file.name}.{parcel.id[:8]}.part"
            if await there.exists(place) and await _same(there, place, file.read_bytes()):
                continue
            await there.put(str(file), beside)
            if file != entry and not await there.isdir(f"{folder}/{entry.stem}"):
                await there.mkdir(f"{folder}/{entry.stem}")
            await _renamed(there, beside, place)
    return f"{settings['host']}:{parcel.to}"


async def _renamed(there: Any, beside: str, place: str) -> None:
    """Give it its name, whatever had that before; a server that cannot do that does it where nothing had it. Raises RefusedError."""
    import asyncssh

    try:
        await there.posix_rename(beside, place)
    except asyncssh.SFTPOpUnsupported:
        if await there.exists(place):
            raise RefusedError(str(UsageError("deliver.no_rename", place=place))) from None
        await there.rename(beside, place)


async def _same(there: Any, place: str, wanted: bytes) -> bool:
    async with there.open(place, "rb") as opened:
        return bytes(await opened.read(len(wanted) + 1)) == wanted


def unusable(settings: Mapping[str, Any]) -> Wrong | None:
    """Nothing to prove with who asks."""
    proof = ("key_file", "password_file", "password_env")
    return None if settings.keys() & set(proof) else ("user", f"user + {' | '.join(proof)}")


CHANNEL: Final = Channel("sftp", KEYS, frozenset({"host", "user", "path", "known_hosts"}), lambda settings: (str(settings["path"]),), deliver, LOCAL, unusable)
