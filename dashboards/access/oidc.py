"""Logging in at the plant's own identity provider (OpenID Connect): it says who somebody is, the file of accounts says who comes in and as what."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import RedirectResponse
from starlette.routing import Route

from dashboards.access import login
from dashboards.access.gate import language_of
from dashboards.access.provider import provider
from dashboards.access.sessions import access
from records.errors import BalefireError
from records.secret import first_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from dashboards.access.provider import Provider

WAY: Final = "balefire-way"  # the cookie of somebody who is on the way to the provider and back
LONGEST_S: Final = 600  # that this may take
MOST: Final = 1000  # people on the way at once


class ProviderError(BalefireError):
    """The provider did not say who it is (exit status 1)."""

    status = 1


@dataclass(frozen=True, slots=True)
class _Way:
    session: dict[str, Any]
    place: str
    until: float


_ways: OrderedDict[str, _Way] = OrderedDict()


@cache
def _asking(which: Provider) -> Any:
    """Authlib's client of a provider. Raises ProviderError where it is not installed, or the secret cannot be read."""
    try:
        from authlib.integrations.starlette_client import OAuth  # pyright: ignore[reportMissingTypeStubs]
    except ImportError:
        raise ProviderError("access.no_authlib") from None
    try:
        secret = first_line(which.secret_file) if which.secret_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderError("access.secret_file", file=which.secret_file, problem=error) from None
    more: dict[str, Any] = {"client_secret": secret} if secret else {"token_endpoint_auth_method": "none"}
    kept = {"scope": "openid email profile", "code_challenge_method": "S256", "timeout": 10}
    clients: Any = OAuth()
    return clients.register(
        "balefire", client_id=which.client, server_metadata_url=f"{which.issuer.rstrip('/')}/.well-known/openid-configuration", client_kwargs=kept, **more
    )


def _back(request: Request, which: Provider) -> str:
    """Where the provider sends the browser back to."""
    return f"{(which.url or str(request.base_url)).rstrip('/')}/login/back"


async def away(request: Request) -> Response:
    """GET /login/provider: to the provider, with what will show that whoever comes back is who went."""
    which = provider()
    place = login.local(request.query_params.get("next", "/"))
    if which is None:
        return RedirectResponse("/login", 303)
    try:
        answer, session = await _asked(request, {}, lambda: _asking(which).authorize_redirect(request, _back(request, which)))
    except ProviderError as error:
        return _said(request, place, error, 503)
    token = secrets.token_urlsafe(32)
    _ways[token] = _Way(session, place, time.monotonic() + LONGEST_S)
    while len(_ways) > MOST:
        _ways.popitem(last=False)
    answer.set_cookie(WAY, token, max_age=LONGEST_S, path="/login", httponly=True, samesite="lax", secure=_secure(request, which))
    return answer


async def back(request: Request) -> Response:
    """GET /login/back: from the provider, whose answer is checked; then it is a session like any other."""
    which, desk = provider(), access()
    way = _ways.pop(request.cookies.get(WAY, ""), None)
    if which is None or desk is None or way is None or way.until < time.monotonic():
        return _said(request, "/", ProviderError("access.lost_way"), 400)
    try:
        token, _ = await _asked(request, way.session, lambda: _asking(which).authorize_access_token(request))
        name = named(dict(token.get("userinfo") or {}), which.claim)
        account = desk.doorman.find(name)
        if account is None or account.hash:  # an account with a password is let in by that alone
            raise ProviderError("access.no_account", name=name[:64])
    except BalefireError as error:
        return _said(request, way.place, error, 403)
    return await login.admit(request, desk, account, way.place, secure=_secure(request, which))


def named(claims: dict[str, Any], claim: str) -> str:
    """Who the provider says it is. Raises ProviderError where it does not tell, or by an address that it says it has not verified: anybody may claim one."""
    name = claims.get(claim)
    by_mail = claim == "email" or name == claims.get("email")
    if not isinstance(name, str) or not name or (by_mail and claims.get("email_verified", True) not in (True, "true")):
        raise ProviderError("access.no_claim", claim=claim)
    return name


async def _asked(request: Request, session: dict[str, Any], ask: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What the provider answers, and what is to be remembered until the next time. `session` stands in the place of Streamlit's, which goes to the browser.

    Raises ProviderError for whatever is wrong with the answer; the log says what.
    """
    streamlits, request.scope["session"] = request.scope.get("session"), session
    try:
        return await ask(), session
    except ProviderError:
        raise
    except Exception as error:  # what another server answers may be anything; nobody comes in by it
        sys.stderr.write(f"identity provider: {type(error).__name__}: {error!s:.300}{os.linesep}")
        raise ProviderError("access.provider") from None
    finally:
        request.scope["session"] = streamlits


def _secure(request: Request, which: Provider) -> bool:
    return (which.url or str(request.base_url)).startswith("https:")


def _said(request: Request, place: str, error: BalefireError, status: int) -> Response:
    """The page where one logs in, with what went wrong."""
    language = language_of(request.headers)
    answer = login.page(language, place, problem=error.text(language), status=status)
    answer.delete_cookie(WAY, path="/login", httponly=True, samesite="lax")
    return answer


ROUTES: Final = (Route("/login/provider", away, methods=["GET"]), Route("/login/back", back, methods=["GET"]))
