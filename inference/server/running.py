"""Running the server until it is told to stop, and stopping it without cutting anybody off."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from inference.server.service import EngineService

if TYPE_CHECKING:
    from starlette.applications import Starlette

KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than clients keep one, so that none of them is
closed here just as its client sends a request."""
CLOSING_S = 5.0
"""How long replies may take to end once the engine has ended their answers."""


class Server(uvicorn.Server):
    """A uvicorn server whose end is the engine's too.

    A first signal closes the door and lets open answers go on for the time of grace; then, or at
    a second signal, the engine is closed, which ends every open answer with an error. Signals
    are not raised again afterwards: to be told to stop is no failure.
    """

    def __init__(
        self, app: Starlette, *, grace_s: float, on_listening: Callable[[], None] | None = None
    ) -> None:
        """Make a server.

        Args:
            app: made by `create_app`.
            grace_s: how long open answers may go on.
            on_listening: told when connections are taken.
        """
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=round(grace_s + CLOSING_S),
            )
        )
        self._service: EngineService = app.state.service
        self._grace_s = grace_s
        self._on_listening = on_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._at_once = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and self._on_listening is not None:
            self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at the second signal without grace."""
        del sig, frame
        if self.should_exit and self._loop is not None:
            self._loop.call_soon_threadsafe(self._at_once.set)
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open answers end, then close the engine."""
        closing = asyncio.create_task(self._close_engine())
        try:
            await super().shutdown(sockets)
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    async def _close_engine(self) -> None:
        try:
            async with asyncio.timeout(self._grace_s):
                await self._at_once.wait()
        except TimeoutError:
            pass
        await self._service.stop()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises:
        OSError: the address is taken, or not one of this machine's.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=2048)


def url_of(listener: socket.socket, host: str) -> str:
    """Return the address to reach a listening socket at, from this machine."""
    port = listener.getsockname()[1]
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared, not listened on
        host = "127.0.0.1" if listener.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
