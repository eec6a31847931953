"""What is served: the pages, and what programs ask for, to those who ask under a name of this machine and may; and a word once they answer."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit.starlette import App

from dashboards.access import api, login, measures, oidc
from dashboards.access.gate import Gate
from dashboards.opening import look
from dashboards.scripts import Scripts
from dashboards.serve import HERE, HOSTS, READY
from dashboards.shell import Shell
from sensors.dissector import WAITING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LISTENS_S: Final = 0.2


@asynccontextmanager
async def ready(_: App) -> AsyncGenerator[dict[str, Any]]:
    """While the server runs. Its port is bound before this begins; it listens in the very next steps of the loop, which waits for nothing else."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_tell)
        tasks.start_soon(partial(anyio.to_thread.run_sync, look, abandon_on_cancel=True))
        yield {}
        tasks.cancel_scope.cancel()
    WAITING.dismiss()  # here, for who is told to end by a signal does nothing at its exit


async def _tell() -> None:
    """Print the line that the command line has handed on, once the port answers."""
    place, _, line = os.environ.get(READY, "").partition(" ")
    if place:
        await anyio.sleep(LISTENS_S)
        os.write(int(place), f"{line}\n".encode())


ROUTES: Final = [*login.ROUTES, *oidc.ROUTES, *api.ROUTES, *measures.ROUTES]
# A page elsewhere may point a name of its own at this address and then read what is answered here: only who asks for a known name is answered.
app = App(
    HERE / "app.py",
    lifespan=ready,
    routes=ROUTES,
    middleware=[
        Middleware(TrustedHostMiddleware, allowed_hosts=os.environ.get(HOSTS, "").split(), www_redirect=False),
        Middleware(Gate),
        Middleware(Shell, others={route.path for route in ROUTES}),
        Middleware(Scripts),
    ],
)
