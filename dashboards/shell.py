"""The page that Streamlit's scripts start in, told where its server is: else it tries beneath each page's own address first, which is not there, and a browser
complains of that. Our pages stand beside each other, so the server is where an address without its last part leads, behind a proxy's path, too.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from streamlit.file_util import get_static_dir

from dashboards.navigation import ELSEWHERE, places
from records.wording import say

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

TOLD: Final = '<script>window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }</script>'
PAGE: Final = Path(get_static_dir(), "index.html").read_text("utf-8").replace("<head>", f"<head>{TOLD}", 1)
_PACKED: Final = gzip.compress(PAGE.encode(), 9, mtime=0)
_KEPT: Final = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
_FIRST: Final = next(place.address for place in places() if place.place)  # that stands at the root and nowhere else
_PATHS: Final = frozenset(("/", *(f"/{place.address}" for place in places() if place.address != _FIRST)))
# Pages by the names that people read on the way to them, where their addresses are others: /activity, /rules.
_NAMED: Final = {f"/{say(f'dashboard.page.{place.address}', 'en').lower()}": place.address for place in places() if place.place} | {f"/{_FIRST}": "./"}
# Beneath these no page could stand: what programs ask for, and what Streamlit keeps to itself, its files among it.
_OTHERS: Final = ("/api/", "/_stcore/", "/app/static/", "/component/", "/media/", "/static/", "/favicon.png", "/manifest.json")


class Shell:
    """ASGI middleware: answers with that page at the address of each page, and leads on from where none is; all else is for the application.

    `others`: where something else of ours answers.
    """

    def __init__(self, app: ASGIApp, others: Collection[str]) -> None:
        self._app, self._others = app, others

    async def __call__(self, scope: Scope, receive: Receive, reply: Send) -> None:
        """Answer, lead on, or pass on."""
        if scope["type"] == "http" and scope["path"] not in _PATHS and (address := _NAMED.get(scope["path"].lower())):
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{address}?{query}" if query else address, 303)(scope, receive, reply)
        elif scope["type"] != "http" or scope["method"] != "GET" or scope["path"] in self._others or scope["path"].startswith(_OTHERS):
            await self._app(scope, receive, reply)
        elif (named := scope["path"].rstrip("/")) != scope["path"] and (named in _PATHS or named in self._others):
            query = scope["query_string"].decode("latin-1")
            address = f"..{named}"
            await RedirectResponse(f"{address}?{query}" if query else address, 303)(scope, receive, reply)
        elif scope["path"] not in _PATHS:  # Streamlit would draw the first page and say so in English, or nothing
            query = scope["query_string"].decode("latin-1")
            asked = f"{ELSEWHERE}={quote(scope['path'][1:], safe='')}"
            first = "../" * (scope["path"].count("/") - 1) or "./"
            await RedirectResponse(f"{first}?{query}&{asked}" if query else f"{first}?{asked}", 303)(scope, receive, reply)
        elif "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            await Response(_PACKED, headers={**_KEPT, "Content-Encoding": "gzip"}, media_type="text/html")(scope, receive, reply)
        else:
            await Response(PAGE, headers=_KEPT, media_type="text/html")(scope, receive, reply)
