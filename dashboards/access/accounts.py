"""Accounts in a file: names, roles and argon2 hashes, never a password. The file is read again whenever it changes, so that who is taken out is out at once."""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dashboards.access.roles import ROLES
from records.errors import UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12  # characters of a password
LONGEST: Final = 1024
_NAME: Final = re.compile(r"[\w.@-]{1,64}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(value)
    return value


def _role(value: str) -> str:
    if value not in ROLES:
        raise ValueError(value)
    return value


class Account(BaseModel):
    """One person. `changed`: when the password was set last (ISO 8601); sessions from before it end. No `hash`: the identity provider says who it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_name)]
    role: Annotated[str, AfterValidator(_role)]
    hash: str = Field(default="", pattern=r"^(\$argon2id\$|$)")
    changed: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """Those of a file, by name."""

    file: Path
    known: dict[str, Account]

    def save(self) -> None:
        """Put the file in place whole, readable by its owner alone. Raises UsageError."""
        content = json.dumps({"accounts": [account.model_dump() for account in self.known.values()]}, ensure_ascii=False, indent=1)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(dir=self.file.parent, prefix=".accounts-")  # of mode 0600
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(content + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.file)
        except OSError as error:
            raise UsageError("access.unwritable", file=self.file, problem=error.strerror or error) from error

    def add(self, name: str, role: str, password: str | None) -> Accounts:
        """With one more; without a password, whom the identity provider knows by this name.

        Raises UsageError: the name is taken or none, the password too short.
        """
        if name in self.known:
            raise UsageError("access.taken", name=name)
        if not _NAME.fullmatch(name):
            raise UsageError("access.name", name=name)
        return self._with(Account(name=name, role=role, hash="" if password is None else hashed(password), changed=_now()))

    def remove(self, name: str) -> Accounts:
        """Without one. Raises UsageError where there is none of this name."""
        self.one(name)
        return replace(self, known={each: account for each, account in self.known.items() if each != name})

    def give(self, name: str, role: str) -> Accounts:
        """With another role for one."""
        return self._with(self.one(name).model_copy(update={"role": role}))

    def password(self, name: str, password: str) -> Accounts:
        """With another password for one."""
        return self._with(self.one(name).model_copy(update={"hash": hashed(password), "changed": _now()}))

    def one(self, name: str) -> Account:
        """The account of this name. Raises UsageError."""
        if name not in self.known:
            raise UsageError("access.unknown", name=name, names=", ".join(self.known) or "–")
        return self.known[name]

    def _with(self, account: Account) -> Accounts:
        return replace(self, known={**self.known, account.name: account})


def read(file: Path, *, missing: bool = False) -> Accounts:
    """The accounts of a file; none where it may be `missing` and is. Raises UsageError naming the file and what to do."""
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except FileNotFoundError:
        if missing:
            return Accounts(file, {})
        raise UsageError("access.missing", file=file) from None
    except OSError as error:
        raise UsageError("access.unreadable", file=file, problem=error.strerror or error) from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError("access.writable", file=file)
    try:
        told = _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError("access.wrong", file=file, place=".".join(map(str, first["loc"])) or "–", problem=first["msg"]) from None
    known = {account.name: account for account in told.accounts}
    if len(known) < len(told.accounts):
        raise UsageError("access.wrong", file=file, place="accounts", problem="the same name twice")
    return Accounts(file, known)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


def hashed(password: str) -> str:
    """What is kept of a password. Raises UsageError where it is too short or too long."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError("access.password", shortest=SHORTEST, longest=LONGEST)
    return _hasher().hash(password)


class Doorman:
    """Knows the file's accounts as they are now."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, int, int] | None = None
        self._accounts = Accounts(file, {})
        self._nobody = _hasher().hash(secrets.token_hex())  # for names that there are not: they take as long

    def find(self, name: str) -> Account | None:
        """The account of this name. Raises UsageError where the file cannot be read: then nobody comes in."""
        told = self._file.stat() if self._file.exists() else None
        seen = (told.st_mtime_ns, told.st_ino, told.st_size) if told else None
        if seen is None or seen != self._seen:
            self._seen, self._accounts = None, read(self._file)
            self._seen = seen
        return self._accounts.known.get(name)

    def admits(self, name: str, password: str) -> Account | None:
        """The account, where this is its password; takes some 50 ms and 64 MiB, whoever asks. Raises UsageError as `find`."""
        from argon2.exceptions import InvalidHashError, VerifyMismatchError

        account = self.find(name)
        try:
            _hasher().verify(account.hash if account and account.hash else self._nobody, password[:LONGEST])
        except (VerifyMismatchError, InvalidHashError):
            return None
        return account
