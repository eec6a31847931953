"""Streamlit's scripts and styles, compressed: a third of 5 MB for each new browser on a slow line. Each is compressed once, when it is first asked for."""

from __future__ import annotations

import gzip
import mimetypes
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from streamlit.file_util import get_static_dir

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

NAMED: Final = re.compile(r"/static/((?:js|css)/[\w.-]+\.(?:js|css))", re.ASCII)
# A name holds the digest of its content.
KEPT: Final = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding", "Cache-Control": "public, immutable, max-age=31536000"}


class Scripts:
    """ASGI middleware: answers for these files where the browser takes them compressed; all else is for the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, reply: Send) -> None:
        """Answer, or pass on."""
        answer = await self._answer(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        await (answer or self._app)(scope, receive, reply)

    async def _answer(self, scope: Scope) -> Response | None:
        headers, found = Headers(scope=scope), NAMED.fullmatch(scope["path"])
        if not found or "gzip" not in headers.get("accept-encoding", "") or "range" in headers:
            return None
        try:
            body = await anyio.to_thread.run_sync(_packed, found[1])
        except OSError:
            return None
        return Response(body, headers=KEPT, media_type=mimetypes.guess_type(found[1])[0])


@lru_cache(maxsize=1024)
def _packed(name: str) -> bytes:
    return gzip.compress((Path(get_static_dir()) / "static" / name).read_bytes(), 6, mtime=0)
