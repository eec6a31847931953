"""The page where one logs in: a form without a script. Who came and who went stands in the audit trail, and who was kept waiting for guessing."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import sys
import time
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio.to_thread
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from dashboards.access.gate import WaitError, address_of, admitted, language_of
from dashboards.access.provider import provider
from dashboards.access.sessions import COOKIE, LONGEST_S, access
from dashboards.opening import opened
from records.errors import BalefireError
from records.store.contract import Change
from records.wording import say

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dashboards.access.accounts import Account
    from dashboards.access.sessions import Access

STYLE: Final = (Path(__file__).parent / "login.css").read_text("utf-8")
MOST: Final = 4096  # octets of a form
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
PAGE: Final = Template("""<!doctype html>
<html lang="$tongue">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>$title · Balefire</title><style>$style</style></head>
<body><main><h1>Balefire</h1>$said
<form method="post" action="/login">
<label>$name<input name="name" autocomplete="username" autocapitalize="none" required autofocus value="$given"></label>
<label>$password<input name="password" type="password" autocomplete="current-password" required></label>
<input type="hidden" name="next" value="$next"><input type="hidden" name="lang" value="$language">
<button>$title</button></form>$door
<nav><a href="/login?$other" lang="$other_tongue">$other_words</a></nav>
</main></body></html>
""")
TONGUES: Final = {"en": "en", "zh": "zh-CN"}


def local(place: str) -> str:
    """A place on this server to go on to; the first page for anything else."""
    told = urlsplit(place)
    fits = place.startswith("/") and not place.startswith(("//", "/login", "/logout")) and place.isprintable() and "\\" not in place
    return place if fits and not (told.scheme or told.netloc) and len(place) < 2000 else "/"


def carrying(place: str, asked: str) -> str:
    """The place in the language that was asked for at the door."""
    return f"{place}{'&' if '?' in place else '?'}lang={asked}" if asked in TONGUES and "lang=" not in place else place


def page(language: str, place: str, given: str = "", problem: str = "", status: int = 200, more: dict[str, str] | None = None) -> Response:
    """The form, with what was wrong before."""
    other = "zh" if language == "en" else "en"
    said = f'<p class="bad" role="alert">{html.escape(problem)}</p>' if problem else f"<p>{html.escape(say('login.about', language))}</p>"
    words = {name: html.escape(say(f"login.{name}", language)) for name in ("title", "name", "password")}
    other_words = {"other": html.escape(urlencode({"next": place, "lang": other})), "other_tongue": TONGUES[other], "other_words": say("login.other", language)}
    begins = f"/login/provider?{urlencode({'next': place})}"
    door = f'<p class="door"><a href="{html.escape(begins)}">{html.escape(say("login.provider", language))}</a></p>' if provider() else ""
    content = PAGE.substitute(
        words, door=door, tongue=TONGUES[language], language=language, style=STYLE, said=said, given=html.escape(given), next=html.escape(place), **other_words
    )
    kept = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    return HTMLResponse(content, status, kept | (more or {}))


async def show(request: Request) -> Response:
    """GET /login."""
    asked = request.query_params.get("lang", "")
    place, language = carrying(local(request.query_params.get("next", "/")), asked), language_of(request.headers, asked)
    return page(language, place) if access() else RedirectResponse(place, 303)


async def enter(request: Request) -> Response:
    """POST /login."""
    form = await _form(request)
    language, place, name = language_of(request.headers, form.get("lang", "")), local(form.get("next", "/")), form.get("name", "").strip()
    desk = access()
    if desk is None:
        return RedirectResponse(place, 303)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return page(language, place, problem=say("error.access.elsewhere", language), status=403)
    try:
        account = await admitted(desk, name, form.get("password", ""), address_of(request.scope))
    except WaitError as error:
        return page(language, place, name, error.text(language), 429, {"Retry-After": str(error.values["seconds"])})
    except BalefireError as error:
        return page(language, place, name, error.text(language), 503)
    if account is None:
        await _waiting(desk, name, address_of(request.scope))
        return page(language, place, name, say("error.access.refused", language), 403)
    return await admit(desk, account, place, secure=request.url.scheme == "https")


async def admit(desk: Access, account: Account, place: str, *, secure: bool) -> Response:
    """Let in whoever has this account, and note it."""
    await _note("login", account.name)
    answer = RedirectResponse(place, 303)
    answer.set_cookie(COOKIE, desk.begin(account), max_age=LONGEST_S, httponly=True, samesite="lax", secure=secure)
    return answer


async def leave(request: Request) -> Response:
    """GET /logout."""
    desk, token = access(), request.cookies.get(COOKIE, "")
    if desk is not None and (visitor := desk.find(token)):
        desk.end(token)
        await _note("logout", visitor.name)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return answer


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()}


async def _waiting(desk: Access, name: str, address: str) -> None:
    """Whoever has to wait now for guessing stands in the trail, once each time; a single slip does not."""
    if desk.guesses.wait(name, address, time.monotonic()) > 0:
        known = desk.doorman.find(name) is not None
        await _note("locked", name if known else "–", address)


async def _note(action: str, name: str, note: str = "") -> None:
    """Into the audit trail; where the store is away nobody is kept out for it, and the log says what is missing."""

    def tell() -> None:
        try:
            opened().change([Change("access", name, None, action, name, note=note)])
        except BalefireError as error:
            sys.stderr.write(f"{action} {name!r} {note}: {error}{os.linesep}")

    await anyio.to_thread.run_sync(tell)


ROUTES: Final = (Route("/login", show, methods=["GET"]), Route("/login", enter, methods=["POST"]), Route("/logout", leave, methods=["GET"]))
