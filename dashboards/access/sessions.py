"""Who is logged in: a random token in the browser's cookie, its digest here. Sessions end in time, with a new password, and with their account."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dashboards.access.accounts import Doorman
from dashboards.access.guesses import Guesses
from dashboards.access.roles import AGENCY, ROLES, SCREEN
from dashboards.access.shelf import Session, Shelf

if TYPE_CHECKING:
    from dashboards.access.accounts import Account

COOKIE: Final = "balefire"
USERS: Final = "BALEFIRE_DASHBOARD__USERS"  # the file, as the setting is called in the environment
AWAITED: Final = "BALEFIRE_AWAITED_USERS"  # where that file would be, as long as there is none
LONGEST_S: Final = 12 * 3600  # a shift
SCREEN_S: Final = 90 * 24 * 3600  # of a screen, which shows the wall and can do nothing
SKEW_S: Final = 60  # that this machine's clock may be set back by; by more, and everybody logs in again
MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the dashboard. `name` is empty where nobody has to log in: then it is the person at this machine, who may do everything."""

    name: str
    role: str

    @property
    def agency(self) -> str:
        """The agency that somebody belongs to; nothing for all others."""
        return self.role.removeprefix(AGENCY) if self.role.startswith(AGENCY) else ""

    def may(self, right: str) -> bool:
        """Whether the role has this right."""
        return right in ROLES[self.role]


ANYBODY: Final = Visitor("", "administrator")


class Access:
    """The accounts of a file and those who came in."""

    def __init__(self, file: Path) -> None:
        self.doorman, self.guesses = Doorman(file), Guesses()
        self._shelf = Shelf(file.with_name(f"{file.stem}.sessions"))
        self._loose: OrderedDict[str, Session] = OrderedDict()  # those that could not be kept

    def begin(self, account: Account) -> str:
        """The token of a new session."""
        token = secrets.token_urlsafe(32)
        session = Session(account.name, account.changed, time.time())
        self._shelf.tidy(SCREEN_S, MOST - 1)
        if not self._shelf.put(_digest(token), session):
            self._loose[_digest(token)] = session
            while len(self._loose) > MOST:
                self._loose.popitem(last=False)
        return token

    def find(self, token: str) -> Visitor | None:
        """Who holds this token; None where nobody does any more. Raises UsageError where the accounts cannot be read."""
        session = self._session(token)
        if session is None:
            return None
        account, age = self.doorman.find(session.name), time.time() - session.begun
        if account is None or account.changed != session.changed or not -SKEW_S < age < lasting(account):
            self.end(token)
            return None
        return self.visitor(account)

    @staticmethod
    def visitor(account: Account) -> Visitor:
        """Who has this account."""
        return Visitor(account.name, account.role)

    def end(self, token: str) -> str:
        """Log out; who it was, nobody ("") where there is no such session. Needs no accounts: who wants to go can go."""
        session = self._session(token)
        self._loose.pop(_digest(token), None)
        self._shelf.drop(_digest(token))
        return session.name if session else ""

    def _session(self, token: str) -> Session | None:
        return self._loose.get(_digest(token)) or self._shelf.get(_digest(token))


def lasting(account: Account) -> int:
    """Seconds until this account has to log in again; what its role is now counts."""
    return SCREEN_S if account.role == SCREEN else LONGEST_S


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


@cache
def _access(file: str) -> Access:
    return Access(Path(file))


def access() -> Access | None:
    """That of this dashboard; None where nobody has to log in: that ends with the first account."""
    awaited = os.environ.get(AWAITED, "")
    if awaited and Path(awaited).exists():
        os.environ |= {USERS: awaited, AWAITED: ""}  # for good: where the file goes again, nobody comes in
    file = os.environ.get(USERS, "")
    return _access(file) if file else None
