"""The page where one logs in: a form without a script. Who came and who went stands in the audit trail, and who was kept waiting for guessing."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import tomllib
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode

from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route

from dashboards.access.gate import FACES, WaitError, address_of, admitted, from_elsewhere, language_of, note
from dashboards.access.provider import provider
from dashboards.access.sessions import COOKIE, access, lasting
from records.errors import BalefireError
from records.wording import say

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from dashboards.access.accounts import Account
    from dashboards.access.sessions import Access

TOKENS: Final = ("primary", "background", "text", "link", "border", "red-text", "gray-text")  # of the theme's colours, those of the form


def _style() -> str:
    """The form's style, in the dashboard's own colours and letters."""
    here = Path(__file__).parent
    theme = tomllib.loads((here.parent / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]

    def colours(shade: dict[str, str]) -> str:
        named = {name: re.sub(r"-(.)", lambda found: found[1].upper(), name) + "Color" for name in TOKENS}
        return " ".join(f"--{name}: {shade[of]};" for name, of in named.items())

    words = {"regular": FACES[0], "strong": FACES[1], "font": theme["font"].replace("Plex Sans", '"Plex Sans"'), "radius": theme["baseRadius"]}
    return Template((here / "login.css").read_text("utf-8")).substitute(words, light=colours(theme["light"]), dark=colours(theme["dark"]))


STYLE: Final = _style()
MOST: Final = 4096  # octets of a form
POLICY: Final = (
    f"default-src 'none'; font-src 'self'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
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
    fits = place.startswith("/") and not place.startswith(("//", "/login", "/logout")) and place.isprintable() and "\\" not in place
    return place if fits and len(place) < 2000 else "/"


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
    if from_elsewhere(request.headers):
        return page(language, place, problem=say("error.access.elsewhere", language), status=403)
    try:
        account = await admitted(desk, name, form.get("password", ""), address_of(request.scope))
    except WaitError as error:
        return page(language, place, name, error.text(language), 429, {"Retry-After": str(error.values["seconds"])})
    except BalefireError as error:
        return page(language, place, name, error.text(language), 503)
    if account is None:
        return page(language, place, name, say("error.access.refused", language), 403)
    return await admit(request, desk, account, place, secure=request.url.scheme == "https")


async def admit(request: Request, desk: Access, account: Account, place: str, *, secure: bool) -> Response:
    """Let in whoever has this account, and note it. What this browser had before ends."""
    desk.end(request.cookies.get(COOKIE, ""))
    await note("login", account.name)
    answer = RedirectResponse(place, 303)
    answer.set_cookie(COOKIE, desk.begin(account), max_age=lasting(account), httponly=True, samesite="lax", secure=secure)
    return answer


async def leave(request: Request) -> Response:
    """GET /logout."""
    desk, token = access(), request.cookies.get(COOKIE, "")
    if desk is not None and (name := desk.end(token)):
        await note("logout", name)
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


ROUTES: Final = (Route("/login", show, methods=["GET"]), Route("/login", enter, methods=["POST"]), Route("/logout", leave, methods=["GET"]))
