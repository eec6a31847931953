"""The door: every request and every socket of the dashboard passes here, and knows afterwards who asks."""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from dashboards.access.sessions import ANYBODY, COOKIE, access
from dashboards.opening import opened
from dashboards.shell import PAGE
from records.errors import BalefireError
from records.store.contract import Change
from records.wording import say

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dashboards.access.accounts import Account
    from dashboards.access.sessions import Access, Visitor

FACES: Final = ("/app/static/plex-sans-400.woff2", "/app/static/plex-sans-600.woff2")  # of the page where one logs in
OPEN: Final = frozenset({"/login", "/login/provider", "/login/back", "/logout", "/health", *FACES})
MACHINES: Final = ("/api", "/metrics")  # which may show name and password with each request
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
VISITOR: Final = "balefire.visitor"  # in the scope
HASHES: Final = 2  # passwords looked at at once: each takes 64 MiB
WRONG_S: Final = 0.5  # until a wrong password is answered
# The scripts that stand in the page itself; our components come to it as data, and become a blob's.
_INLINE: Final = re.findall(r"<script>(.*?)</script>", PAGE, re.DOTALL)
_SCRIPTS: Final = " ".join(f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in _INLINE)
# On every answer: no other site may frame a page and have somebody press its buttons; a script that got into a page does not run; nothing is taken for what
# it does not say it is.
KEPT: Final = {
    "Content-Security-Policy": f"script-src 'self' blob: {_SCRIPTS}; frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}
_looking: CapacityLimiter | None = None  # it belongs to the loop in which it is made


class WaitError(BalefireError):
    """Too many wrong passwords: not looked at for now."""

    status = 1


async def admitted(desk: Access, name: str, password: str, address: str) -> Account | None:
    """The account, where this is its password. Whoever has to wait now for guessing stands in the trail, once each time; a single slip does not.

    Raises WaitError where it is not even looked at; UsageError where the accounts cannot be read.
    """
    global _looking
    _looking = _looking or CapacityLimiter(HASHES)
    async with _looking:  # asked for in here, as those who guess all at once have waited for their turn
        if (wait := desk.guesses.wait(name, address, time.monotonic())) > 0:
            raise WaitError("access.wait", seconds=int(wait) + 1)
        account = await anyio.to_thread.run_sync(desk.doorman.admits, name, password)
        if account is not None:
            desk.guesses.right(name, address)
            return account
        wait = desk.guesses.wrong(name, address, time.monotonic())
    if wait > 0:
        await note("locked", name if desk.doorman.find(name) else "–", address)
    await anyio.sleep(WRONG_S)
    return None


async def note(action: str, name: str, words: str = "") -> None:
    """Into the audit trail; where the store is away nobody is kept out for it, and the log says what is missing."""

    def tell() -> None:
        try:
            opened().change([Change("access", name, None, action, name, note=words)])
        except BalefireError as error:
            sys.stderr.write(f"{action} {name!r} {words}: {error}{os.linesep}")

    await anyio.to_thread.run_sync(tell)


def from_elsewhere(headers: Headers) -> bool:
    """Whether a page of another site asks, one at another port of this machine among them: browsers send it their cookies."""
    origin = headers.get("origin")
    return origin is not None and origin.lower().partition("://")[2] != headers.get("host", "").lower()


def keeping(reply: Send) -> Send:
    """Answers with what every answer of ours says to browsers; one that says it itself has its own."""

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = MutableHeaders(scope=message)
            for name, value in KEPT.items():
                told.setdefault(name, value)
        await reply(message)

    return send


def address_of(scope: Scope) -> str:
    """Who asks, as far as the network says."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def language_of(headers: Headers, asked: str = "") -> str:
    """That of the address, else of the browser."""
    told = asked or headers.get("accept-language", "")
    return "zh" if told.lower().startswith("zh") else "en"


class ForeignError(BalefireError):
    """A page of another site asks for more than to read."""

    status = 1


class RefusedError(BalefireError):
    """No account has this name and password."""

    status = 1


class DeniedError(BalefireError):
    """Not for this role, or not logged in any more (exit status 1). Its values are codes of the catalogues: `role`, `right`."""

    status = 1

    def text(self, language: str) -> str:
        """The whole message, role and right in words."""
        return say(f"error.{self.key}", language, **{name: say(f"{name}.{code}", language) for name, code in self.values.items()})


STATUS: Final[dict[type[BalefireError], int]] = {RefusedError: 401, DeniedError: 403, ForeignError: 403, WaitError: 429}


class Gate:
    """ASGI middleware: who is not logged in gets the login page, a refusal where a program asks, and no socket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, reply: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, reply)
            return
        headers, reply = Headers(scope=scope), keeping(reply)
        acts = scope["type"] == "websocket" or (scope["method"] not in READING and scope["path"] not in OPEN)  # the login's form says it itself, on its page
        if acts and from_elsewhere(headers):
            await self._refuse(scope, receive, reply, headers, ForeignError("access.foreign"))
            return
        try:
            visitor = await self._visitor(scope, headers)
        except BalefireError as error:
            await self._refuse(scope, receive, reply, headers, error)
            return
        if visitor is None and scope["path"] not in OPEN:
            await self._refuse(scope, receive, reply, headers)
            return
        if visitor is not None and scope["path"].startswith(MACHINES) and not visitor.may("read"):
            denied = DeniedError("access.agency", role=visitor.role) if visitor.agency else DeniedError("access.denied", role=visitor.role, right="read")
            await self._refuse(scope, receive, reply, headers, denied)
            return
        scope[VISITOR] = visitor
        await self._app(scope, receive, reply)

    async def _visitor(self, scope: Scope, headers: Headers) -> Visitor | None:
        desk = access()
        if desk is None:
            return ANYBODY
        if scope["path"] in OPEN:
            return None
        if token := cookie_parser(headers.get("cookie", "")).get(COOKIE):
            return desk.find(token)
        if scope["path"].startswith(MACHINES) and (given := basic(headers.get("authorization", ""))):
            account = await admitted(desk, *given, address_of(scope))
            if account is None:
                raise RefusedError("access.refused")
            return desk.visitor(account)
        return None

    async def _refuse(self, scope: Scope, receive: Receive, reply: Send, headers: Headers, error: BalefireError | None = None) -> None:
        if scope["type"] == "websocket":
            await receive()
            await reply({"type": "websocket.close", "code": 4401})  # before it is accepted: 403
            return
        language = language_of(headers)
        status = 401 if error is None else next((code for kind, code in STATUS.items() if isinstance(error, kind)), 503)
        if scope["path"].startswith(MACHINES):
            told = error or BalefireError("access.login")
            more = {"WWW-Authenticate": 'Basic realm="Balefire", charset="UTF-8"'} if status == 401 else {}
            more |= {"Retry-After": str(error.values["seconds"])} if isinstance(error, WaitError) else {}
            answer = JSONResponse({"error": {"key": told.key, "text": told.text(language)}}, status, more)
        elif error is not None:
            answer = PlainTextResponse(error.text(language), status)
        elif scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            query = scope["query_string"].decode("latin-1")
            answer = RedirectResponse("/login?next=" + quote(scope["path"] + (f"?{query}" if query else ""), safe=""), 303)
        else:
            answer = PlainTextResponse(say("error.access.login", language), 401)
        await answer(scope, receive, reply)


def basic(header: str) -> tuple[str, str] | None:
    """Name and password of an Authorization header; None where it holds none."""
    scheme, _, word = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(word.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None
